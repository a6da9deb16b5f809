/* The heads and losses of pretraining: layer normalization by itself, the cross-entropy of tokens,
 * drawn tokens, the cross-entropy of replaced tokens, and updates with another learning rate. */

/* out = LN(x); one block per row, as in norm.cu. */
BOUNDED_KERNEL(1024, 1) layer_norm(const float *scale, const float *shift, float epsilon, u32 width,
                                   const act *x, float *statistics, act *out)
{
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    u64 at = (u64)blockIdx.x * width + column;
    float values[4];
    load_four(x + at, count, values);
    normalize(values, column, width, scale, shift, epsilon, statistics + 2 * (u64)blockIdx.x);
    store_four(out + at, count, values);
}

/* One block per chunk of rows. */
BOUNDED_KERNEL(1024, 1) layer_norm_backward(const float *scale, u32 rows, u32 width, u32 chunk,
                                            const act *x, const float *statistics, act *grad,
                                            float *partials)
{
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    float factor[4];
    float dscale[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float dshift[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    load_four_floats(scale + column, count, factor);
    u32 end = chunk_end(rows, chunk);
    for (u32 row = blockIdx.x * chunk; row < end; row++) {
        u64 at = (u64)row * width + column;
        float values[4];
        float slope[4];
        load_four(x + at, count, values);
        load_four(grad + at, count, slope);
        normalize_backward(values, factor, width, statistics + 2 * (u64)row, slope, dscale, dshift);
        store_four(grad + at, count, slope);
    }
    float *sums = partials + 2 * (u64)blockIdx.x * width + column;
    store_four_floats(sums, count, dscale);
    store_four_floats(sums + width, count, dshift);
}

/* The highest of a block's values, the same in each thread; NaN does not count. The block is one row
 * of whole warps. */
DEVICE float block_highest(float value)
{
    __shared__ float partial[32];
    for (int mask = 16; mask > 0; mask /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, value, mask);
        value = other > value ? other : value;
    }
    if (threadIdx.x % 32 == 0) {
        partial[threadIdx.x / 32] = value;
    }
    __syncthreads();
    for (u32 warp = 0; warp < blockDim.x / 32; warp++) {
        value = partial[warp] > value ? partial[warp] : value;
    }
    __syncthreads();
    return value;
}

/* The highest logit of a row, the same in each thread of the block; -infinity if all are NaN. */
DEVICE float highest_logit(const act *logits, u32 vocabulary)
{
    float highest = __uint_as_float(0xff800000u);
    for (u32 column = 4 * threadIdx.x; column < vocabulary; column += 4 * blockDim.x) {
        u32 count = columns_left(column, vocabulary);
        float values[4];
        load_four(logits + column, count, values);
        for (u32 i = 0; i < count; i++) {
            highest = values[i] > highest ? values[i] : highest;
        }
    }
    return block_highest(highest);
}

/* One block per row; a thread handles every 256th group of four columns. */
BOUNDED_KERNEL(256, 1) token_cross_entropy(u32 vocabulary, float factor, int trains,
                                           const u32 *labels, act *logits, float *losses)
{
    act *row = logits + (u64)blockIdx.x * vocabulary;
    u32 label = labels[blockIdx.x];
    float own = to_float(row[label]);
    float highest = highest_logit(row, vocabulary);
    float sum = 0.0f;
    for (u32 column = 4 * threadIdx.x; column < vocabulary; column += 4 * blockDim.x) {
        u32 count = columns_left(column, vocabulary);
        float values[4];
        load_four(row + column, count, values);
        for (u32 i = 0; i < count; i++) {
            sum += expf(values[i] - highest);
        }
    }
    /* A barrier: every thread has read the label's logit before it is overwritten. */
    sum = block_sum(sum);
    if (trains) {
        float share = factor / sum;
        for (u32 column = 4 * threadIdx.x; column < vocabulary; column += 4 * blockDim.x) {
            u32 count = columns_left(column, vocabulary);
            float values[4];
            load_four(row + column, count, values);
            for (u32 i = 0; i < count; i++) {
                float target = column + i == label ? factor : 0.0f;
                values[i] = share * expf(values[i] - highest) - target;
            }
            store_four(row + column, count, values);
        }
    }
    if (threadIdx.x == 0) {
        double loss = log((double)sum) + (double)highest - (double)own;
        int is_valid = (__float_as_uint(sum) & 0x7f800000u) != 0x7f800000u;
        float *to = losses + 2 * (u64)blockIdx.x;
        to[0] = is_valid ? (float)loss : __uint_as_float(0x7fc00000u);
        to[1] = own >= highest ? 1.0f : 0.0f;
    }
}

/* One block per row; a thread sums the probabilities of neighbouring tokens, and the first one finds
 * the token. */
BOUNDED_KERNEL(256, 1) sample_tokens(u32 vocabulary, const act *logits, const double *uniforms,
                                     u32 *tokens)
{
    __shared__ double sums[256];
    const act *row = logits + (u64)blockIdx.x * vocabulary;
    float highest = highest_logit(row, vocabulary);
    u32 chunk = (vocabulary + blockDim.x - 1) / blockDim.x;
    u32 first = threadIdx.x * chunk;
    float sum = 0.0f;
    for (u32 i = 0; i < chunk && first + i < vocabulary; i++) {
        sum += expf(to_float(row[first + i]) - highest);
    }
    sums[threadIdx.x] = (double)sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        double total = 0.0;
        for (u32 part = 0; part < blockDim.x; part++) {
            total += sums[part];
        }
        double target = uniforms[blockIdx.x] * total;
        u32 last = (vocabulary - 1) / chunk;
        double below = 0.0;
        u32 part = 0;
        while (part < last && !(below + sums[part] > target)) {
            below += sums[part];
            part++;
        }
        u32 token = vocabulary - 1;
        float partial = 0.0f;
        for (u32 i = part * chunk; i < vocabulary; i++) {
            partial += expf(to_float(row[i]) - highest);
            if (below + (double)partial > target) {
                token = i;
                break;
            }
        }
        tokens[blockIdx.x] = token;
    }
}

/* In double, as it is the difference of numbers that may be close. */
KERNEL replaced_cross_entropy(u32 rows, float factor, const u32 *replaced, const float *logits,
                              float *grad, float *losses)
{
    for (u64 row = FIRST_ELEMENT; row < rows; row += ELEMENT_STRIDE) {
        double logit = (double)logits[row];
        double target = replaced[row] ? 1.0 : 0.0;
        double tail = exp(-fabs(logit));
        double higher = logit > 0.0 ? logit : 0.0;
        double probability = logit >= 0.0 ? 1.0 / (1.0 + tail) : tail / (1.0 + tail);
        losses[2 * row] = (float)(higher - logit * target + log1p(tail));
        losses[2 * row + 1] = logit > 0.0 ? 1.0f : 0.0f;
        grad[row] = factor * (float)(probability - target);
    }
}

/* One block; its threads alternate over rows. */
BOUNDED_KERNEL(256, 1) add_losses(u32 rows, const float *losses, float factor, float part_factor,
                                  u32 part, float *loss)
{
    double sum = 0.0;
    for (u32 row = threadIdx.x; row < rows; row += blockDim.x) {
        sum += (double)losses[2 * (u64)row];
    }
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) {
        loss[0] += (float)((double)factor * sum);
        loss[part] += (float)((double)part_factor * sum);
    }
}

/* Rounded after every operation, as on a CPU. */
KERNEL scale_change(u64 n, const float *before, float factor, float *parameters)
{
    for (u64 i = FIRST_ELEMENT; i < n; i += ELEMENT_STRIDE) {
        float change = __fsub_rn(parameters[i], before[i]);
        parameters[i] = factor == 0.0f ? before[i]
                                       : __fadd_rn(before[i], __fmul_rn(factor, change));
    }
}
