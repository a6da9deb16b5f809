/* AdamW of the token table. Updates of rows without a gradient stay pending: they are applied one
 * by one, with the arithmetic of any other update, when the row is next needed. */

/* One block per row with a gradient. */
KERNEL update_token_rows(const u32 *tokens, u32 width, float beta1, float beta2, float epsilon,
                         const float *kind_factors, const float *status, const float *token_rows,
                         float *parameters, float *mean, float *variance, float *average,
                         u32 *updated, u32 *active, u32 entries)
{
    if (status[STATUS_APPLIED] == 0.0f) {
        return;
    }
    float clip = status[STATUS_CLIP];
    Factors factors = {beta1, beta2, epsilon, kind_factors[0], kind_factors[1],
                       status[STATUS_CORRECTION], status[STATUS_SHARE]};
    u32 row = tokens[blockIdx.x];
    u64 first = (u64)row * width;
    const float *gradient = token_rows + (u64)blockIdx.x * width;
    for (u32 column = threadIdx.x; column < width; column += blockDim.x) {
        u64 at = first + column;
        adamw_one(&factors, __fmul_rn(gradient[column], clip), &parameters[at], &mean[at],
                  &variance[at]);
        if (average) {
            average[at] = averaged(&factors, average[at], parameters[at]);
        }
    }
    if (threadIdx.x == 0) {
        updated[row] = entries;
        active[row] = 1;
    }
}

/* One block per row. An entry of the history whose correction is 0 is a skipped update. */
KERNEL apply_pending_updates(const u32 *tokens, u32 width, float beta1, float beta2, float epsilon,
                             int decays, const float *history, u32 entries, float *parameters,
                             float *mean, float *variance, float *average, u32 *updated,
                             const u32 *active)
{
    u32 row = tokens ? tokens[blockIdx.x] : blockIdx.x;
    u32 begin = updated[row];
    int is_active = active[row] != 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        updated[row] = entries;
    }
    if (begin >= entries || !(is_active || decays)) {
        return;
    }
    u64 first = (u64)row * width;
    for (u32 column = threadIdx.x; column < width; column += blockDim.x) {
        u64 at = first + column;
        float p = parameters[at];
        float m = mean[at];
        float v = variance[at];
        float a = average ? average[at] : 0.0f;
        for (u32 entry = begin; entry < entries; entry++) {
            const float *step = history + 4 * (u64)entry;
            Factors factors = {beta1, beta2, epsilon, step[0], step[1], step[2], step[3]};
            if (factors.correction == 0.0f) {
                continue;
            }
            if (is_active) {
                adamw_one(&factors, 0.0f, &p, &m, &v);
            } else {
                p = __fmul_rn(p, factors.keep);
            }
            a = averaged(&factors, a, p);
        }
        parameters[at] = p;
        mean[at] = m;
        variance[at] = v;
        if (average) {
            average[at] = a;
        }
    }
}

/* One block per row. */
KERNEL find_active_rows(u32 width, const float *parameters, const float *mean,
                        const float *variance, const float *average, u32 *active)
{
    __shared__ u32 any;
    if (threadIdx.x == 0) {
        any = 0;
    }
    __syncthreads();
    u64 first = (u64)blockIdx.x * width;
    for (u32 column = threadIdx.x; column < width; column += blockDim.x) {
        u64 at = first + column;
        if (mean[at] != 0.0f || variance[at] != 0.0f || (average && average[at] != parameters[at])) {
            any = 1;
        }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        active[blockIdx.x] = any;
    }
}
