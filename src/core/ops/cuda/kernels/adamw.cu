/* AdamW (Loshchilov and Hutter, 2019), as torch.optim.AdamW, of all parameters except the token
 * table; and the factors of an update. */

/* The factors of one update. */
typedef struct {
    float beta1;
    float beta2;
    float epsilon;
    /* learning_rate / (1 - beta1^t). */
    float rate;
    /* The factor of weight decay: 1 - learning_rate * weight_decay. */
    float keep;
    /* The bias correction of the square root of the variance: 1 / sqrt(1 - beta2^t). */
    float correction;
} Factors;

/* One update of one parameter. Rounded after every operation, so that the result is the same
 * wherever it is inlined, and the same as on a CPU. */
DEVICE void adamw_one(const Factors *factors, float gradient, float *parameter, float *mean,
                      float *variance)
{
    float m = __fmul_rn(factors->beta1, *mean);
    m = __fadd_rn(m, __fmul_rn(1.0f - factors->beta1, gradient));
    float v = __fmul_rn(factors->beta2, *variance);
    float square = __fmul_rn(__fmul_rn(1.0f - factors->beta2, gradient), gradient);
    v = __fadd_rn(v, square);
    float denominator = __fmul_rn(__fsqrt_rn(v), factors->correction);
    denominator = __fadd_rn(denominator, factors->epsilon);
    float move = __fdiv_rn(__fmul_rn(factors->rate, m), denominator);
    *parameter = __fsub_rn(__fmul_rn(*parameter, factors->keep), move);
    *mean = m;
    *variance = v;
}

/* The elements of the status that prepare_update writes. */
#define STATUS_NORM 0
#define STATUS_CLIP 1
#define STATUS_APPLIED 2
#define STATUS_LOSS 3
#define STATUS_RATE 4
#define STATUS_CORRECTION 5

DEVICE int is_finite(float value)
{
    return (__float_as_uint(value) & 0x7f800000u) != 0x7f800000u;
}

/* One block. */
BOUNDED_KERNEL(256, 1) prepare_update(const double *partials, u32 count, float max_norm,
                                      const float *loss, double learning_rate, double beta1,
                                      double beta2, float token_keep, u64 *steps, float *entry,
                                      float *status)
{
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < count; i += blockDim.x) {
        sum += partials[i];
    }
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) {
        double norm = sqrt(sum);
        double factor = max_norm > 0.0f ? (double)max_norm / (norm + 1e-6) : 1.0;
        int applied = is_finite(*loss) && is_finite((float)norm);
        double step = (double)(*steps + 1);
        float rate = (float)(learning_rate / (1.0 - pow(beta1, step)));
        float correction = (float)(1.0 / sqrt(1.0 - pow(beta2, step)));
        status[STATUS_NORM] = (float)norm;
        status[STATUS_CLIP] = factor < 1.0 ? (float)factor : 1.0f;
        status[STATUS_APPLIED] = applied ? 1.0f : 0.0f;
        status[STATUS_LOSS] = *loss;
        status[STATUS_RATE] = rate;
        status[STATUS_CORRECTION] = correction;
        entry[0] = applied ? rate : 0.0f;
        entry[1] = applied ? token_keep : 1.0f;
        entry[2] = applied ? correction : 0.0f;
        *steps += applied ? 1 : 0;
    }
}

/* The index of the first range that ends after `number`; `ranges` if there is none. */
DEVICE u32 range_after(const u64 *decayed, u32 ranges, u64 number)
{
    u32 first = 0;
    u32 last = ranges;
    while (first < last) {
        u32 middle = (first + last) / 2;
        if (decayed[2 * middle + 1] <= number) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

/* Each thread updates four neighbours. */
BOUNDED_KERNEL(256, 1) adamw(u64 first, u64 n, const u64 *decayed, u32 ranges, float beta1,
                             float beta2, float epsilon, float keep, const float *status,
                             const float *gradients, float *parameters, float *mean,
                             float *variance, act *shadow)
{
    u64 at = 4 * ((u64)blockIdx.x * blockDim.x + threadIdx.x);
    if (at >= n || status[STATUS_APPLIED] == 0.0f) {
        return;
    }
    float clip = status[STATUS_CLIP];
    Factors factors = {beta1, beta2, epsilon, status[STATUS_RATE], keep,
                       status[STATUS_CORRECTION]};
    u32 count = n - at < 4 ? (u32)(n - at) : 4;
    float g[4];
    float p[4];
    float m[4];
    float v[4];
    load_four_floats(gradients + at, count, g);
    load_four_floats(parameters + at, count, p);
    load_four_floats(mean + at, count, m);
    load_four_floats(variance + at, count, v);
    u32 range = range_after(decayed, ranges, first + at);
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        u64 number = first + at + i;
        while (range < ranges && decayed[2 * range + 1] <= number) {
            range++;
        }
        int decays = range < ranges && decayed[2 * range] <= number;
        factors.keep = decays ? keep : 1.0f;
        adamw_one(&factors, __fmul_rn(g[i], clip), &p[i], &m[i], &v[i]);
    }
    store_four_floats(parameters + at, count, p);
    store_four_floats(mean + at, count, m);
    store_four_floats(variance + at, count, v);
    if (shadow) {
        store_four(shadow + at, count, p);
    }
}
