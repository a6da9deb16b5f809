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
    /* The share of the new parameter in its average, if there is one. */
    float share;
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

/* The average of a parameter after an update, rounded as above. */
DEVICE float averaged(const Factors *factors, float average, float parameter)
{
    return __fadd_rn(average, __fmul_rn(factors->share, __fsub_rn(parameter, average)));
}

/* The elements of the status that prepare_update writes. */
#define STATUS_NORM 0
#define STATUS_CLIP 1
#define STATUS_APPLIED 2
#define STATUS_LOSS 3
#define STATUS_CORRECTION 4
#define STATUS_SHARE 5
#define STATUS_PARTS 6

DEVICE int is_finite(float value)
{
    return (__float_as_uint(value) & 0x7f800000u) != 0x7f800000u;
}

/* One block. */
BOUNDED_KERNEL(256, 1) prepare_update(const double *partials, u32 count, float max_norm,
                                      const float *loss, double learning_rate, double beta1,
                                      double beta2, const double *kinds, u32 kind_count,
                                      double average_decay, float *factors, u64 *steps,
                                      float *entry, float *status)
{
    double step = (double)(*steps + 1);
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < count; i += blockDim.x) {
        sum += partials[i];
    }
    /* A barrier: no thread reads the number of steps after it. */
    sum = block_sum_double(sum);
    double unbiased = 1.0 - pow(beta1, step);
    for (u32 kind = threadIdx.x; kind < kind_count; kind += blockDim.x) {
        double rate = __dmul_rn(learning_rate, kinds[2 * kind]);
        factors[2 * kind] = (float)(rate / unbiased);
        factors[2 * kind + 1] = (float)__dsub_rn(1.0, __dmul_rn(rate, kinds[2 * kind + 1]));
    }
    if (threadIdx.x == 0) {
        double norm = sqrt(sum);
        double factor = max_norm > 0.0f ? (double)max_norm / (norm + 1e-6) : 1.0;
        int applied = is_finite(*loss) && is_finite((float)norm);
        float correction = (float)(1.0 / sqrt(1.0 - pow(beta2, step)));
        float share = (float)(1.0 - fmin(average_decay, (1.0 + step) / (10.0 + step)));
        status[STATUS_NORM] = (float)norm;
        status[STATUS_CLIP] = factor < 1.0 ? (float)factor : 1.0f;
        status[STATUS_APPLIED] = applied ? 1.0f : 0.0f;
        status[STATUS_LOSS] = *loss;
        status[STATUS_PARTS] = loss[1];
        status[STATUS_PARTS + 1] = loss[2];
        status[STATUS_CORRECTION] = correction;
        status[STATUS_SHARE] = share;
        /* This thread wrote the factors of the first kind. */
        entry[0] = applied ? factors[0] : 0.0f;
        entry[1] = applied ? factors[1] : 1.0f;
        entry[2] = applied ? correction : 0.0f;
        entry[3] = applied ? share : 0.0f;
        *steps += applied ? 1 : 0;
    }
}

/* The group of parameter `number`: the first that ends after it, or the last one. */
DEVICE u32 group_of(const u64 *ends, u32 groups, u64 number)
{
    u32 first = 0;
    u32 last = groups - 1;
    while (first < last) {
        u32 middle = (first + last) / 2;
        if (ends[middle] <= number) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

/* Each thread updates four neighbours. */
BOUNDED_KERNEL(256, 1) adamw(u64 first, u64 n, const u64 *ends, const u32 *group_kinds, u32 groups,
                             float beta1, float beta2, float epsilon, const float *kind_factors,
                             const float *status, const float *gradients, float *parameters,
                             float *mean, float *variance, float *average, act *shadow)
{
    u64 at = 4 * ((u64)blockIdx.x * blockDim.x + threadIdx.x);
    if (at >= n || status[STATUS_APPLIED] == 0.0f) {
        return;
    }
    float clip = status[STATUS_CLIP];
    Factors factors = {beta1, beta2, epsilon, 0.0f, 1.0f, status[STATUS_CORRECTION],
                       status[STATUS_SHARE]};
    u32 count = n - at < 4 ? (u32)(n - at) : 4;
    float g[4];
    float p[4];
    float m[4];
    float v[4];
    float a[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    load_four_floats(gradients + at, count, g);
    load_four_floats(parameters + at, count, p);
    load_four_floats(mean + at, count, m);
    load_four_floats(variance + at, count, v);
    if (average) {
        load_four_floats(average + at, count, a);
    }
    u32 group = group_of(ends, groups, first + at);
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        u64 number = first + at + i;
        while (group + 1 < groups && ends[group] <= number) {
            group++;
        }
        const float *own = kind_factors + 2 * group_kinds[group];
        factors.rate = own[0];
        factors.keep = own[1];
        adamw_one(&factors, __fmul_rn(g[i], clip), &p[i], &m[i], &v[i]);
        a[i] = averaged(&factors, a[i], p[i]);
    }
    store_four_floats(parameters + at, count, p);
    store_four_floats(mean + at, count, m);
    store_four_floats(variance + at, count, v);
    if (average) {
        store_four_floats(average + at, count, a);
    }
    if (shadow) {
        store_four(shadow + at, count, p);
    }
}
