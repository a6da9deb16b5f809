/* Layer normalization (Ba et al., 2016), with bias, dropout and residual in one pass.
 *
 * A block handles a row at a time, a thread four columns of it, which stay in its registers: that
 * is why a row may be at most 4 × 1024 wide. In the backward pass a block handles a chunk of rows,
 * one after another, and sums the gradients of scale, shift and bias. */

/* Mean and reciprocal standard deviation of a row; each thread has `count` columns. */
DEVICE void row_moments(const float *x, u32 count, u32 width, float epsilon, float *mean,
                        float *rate)
{
    float sum = 0.0f;
    for (u32 i = 0; i < 4; i++) {
        sum += x[i];
    }
    *mean = block_sum(sum) / (float)width;
    float squares = 0.0f;
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        float centred = i < count ? x[i] - *mean : 0.0f;
        squares += centred * centred;
    }
    *rate = 1.0f / sqrtf(block_sum(squares) / (float)width + epsilon);
}

/* out = LN(x) of a row, in place of x. */
DEVICE void normalize(float *x, u32 column, u32 width, const float *scale, const float *shift,
                      float epsilon, float *statistics)
{
    u32 count = columns_left(column, width);
    float mean;
    float rate;
    float factor[4];
    float term[4];
    load_four_floats(scale + column, count, factor);
    load_four_floats(shift + column, count, term);
    row_moments(x, count, width, epsilon, &mean, &rate);
    for (u32 i = 0; i < 4; i++) {
        x[i] = (x[i] - mean) * rate * factor[i] + term[i];
    }
    if (threadIdx.x == 0) {
        statistics[0] = mean;
        statistics[1] = rate;
    }
}

/* Replaces grad, the gradient of LN(x), by the gradient of x; adds to the gradients of scale and
 * shift. Beyond the last column, grad and factor are 0. */
DEVICE void normalize_backward(const float *x, const float *factor, u32 width,
                               const float *statistics, float *grad, float *dscale, float *dshift)
{
    float mean = statistics[0];
    float rate = statistics[1];
    float normal[4];
    float a = 0.0f;
    float b = 0.0f;
    for (u32 i = 0; i < 4; i++) {
        normal[i] = (x[i] - mean) * rate;
        dscale[i] += grad[i] * normal[i];
        dshift[i] += grad[i];
        grad[i] *= factor[i];
        a += grad[i];
        b += grad[i] * normal[i];
    }
    block_sums(&a, &b);
    a /= (float)width;
    b /= (float)width;
    for (u32 i = 0; i < 4; i++) {
        grad[i] = rate * (grad[i] - a - normal[i] * b);
    }
}

BOUNDED_KERNEL(1024, 1) add_norm(const float *bias, const float *scale, const float *shift,
                              float epsilon, u32 width, const u32 *packed_rows, u32 low, u32 high,
                              u32 threshold, float kept, act *x, const act *residual,
                              float *statistics, act *out)
{
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    u64 at = (u64)blockIdx.x * width + column;
    u32 key = row_key(packed_rows ? packed_rows[blockIdx.x] : blockIdx.x, low, high);
    float values[4];
    float term[4];
    float other[4];
    load_four(x + at, count, values);
    load_four_floats(bias + column, count, term);
    load_four(residual + at, count, other);
    for (u32 i = 0; i < 4; i++) {
        float factor = dropout_factor(key, column + i, threshold, kept);
        values[i] = rounded((values[i] + term[i]) * factor + other[i]);
    }
    store_four(x + at, count, values);
    normalize(values, column, width, scale, shift, epsilon, statistics + 2 * (u64)blockIdx.x);
    store_four(out + at, count, values);
}

BOUNDED_KERNEL(1024, 1) add_norm_backward(const float *scale, u32 rows, u32 width, u32 chunk,
                                       const u32 *packed_rows, u32 low, u32 high, u32 threshold,
                                       float kept, const act *x, const float *statistics, act *grad,
                                       act *dx, float *partials)
{
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    float factor[4];
    float dscale[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float dshift[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float dbias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
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
        u32 key = row_key(packed_rows ? packed_rows[row] : row, low, high);
        for (u32 i = 0; i < 4; i++) {
            slope[i] *= dropout_factor(key, column + i, threshold, kept);
            dbias[i] += slope[i];
        }
        store_four(dx + at, count, slope);
    }
    float *sums = partials + 3 * (u64)blockIdx.x * width + column;
    store_four_floats(sums, count, dscale);
    store_four_floats(sums + width, count, dshift);
    store_four_floats(sums + 2 * (u64)width, count, dbias);
}
