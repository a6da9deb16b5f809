/* Bias, activation and dropout in one pass. A thread handles four columns. */

#define ACTIVATION_IDENTITY 0
#define ACTIVATION_GELU 1
#define ACTIVATION_GELU_TANH 2
#define ACTIVATION_RELU 3
#define ACTIVATION_TANH 4

/* GELU's approximation by tanh: sqrt(2 / pi), and the coefficient of the cube. */
#define GELU_TANH_LINE 0.7978845608f
#define GELU_TANH_CUBE 0.044715f

/* The cumulative distribution function of the normal distribution. */
DEVICE float normal_cumulative(float x)
{
    return 0.5f * (1.0f + erff(x * 0.7071067812f));
}

DEVICE float activation_value(int activation, float x)
{
    switch (activation) {
    case ACTIVATION_GELU:
        return x * normal_cumulative(x);
    case ACTIVATION_GELU_TANH:
        return 0.5f * x * (1.0f + tanhf(GELU_TANH_LINE * (x + GELU_TANH_CUBE * x * x * x)));
    case ACTIVATION_RELU:
        /* A comparison propagates NaN; fmaxf does not. */
        return x < 0.0f ? 0.0f : x;
    case ACTIVATION_TANH:
        return tanhf(x);
    default:
        return x;
    }
}

DEVICE float activation_slope(int activation, float x)
{
    switch (activation) {
    case ACTIVATION_GELU:
        return normal_cumulative(x) + x * 0.3989422804f * expf(-0.5f * x * x);
    case ACTIVATION_GELU_TANH: {
        float t = tanhf(GELU_TANH_LINE * (x + GELU_TANH_CUBE * x * x * x));
        float inner = GELU_TANH_LINE * (1.0f + 3.0f * GELU_TANH_CUBE * x * x);
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
    }
    case ACTIVATION_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case ACTIVATION_TANH: {
        float t = tanhf(x);
        return 1.0f - t * t;
    }
    default:
        return 1.0f;
    }
}

/* One block per row and 512 columns. */
KERNEL activate(const float *bias, int activation, u32 width, u32 low, u32 high, u32 threshold,
                float kept, act *x, act *out)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        u64 at = (u64)blockIdx.x * width + column;
        u32 key = row_key(blockIdx.x, low, high);
        float values[4];
        load_four(x + at, count, values);
        if (bias) {
            float term[4];
            load_four_floats(bias + column, count, term);
            for (u32 i = 0; i < 4; i++) {
                values[i] = rounded(values[i] + term[i]);
            }
            store_four(x + at, count, values);
        }
        for (u32 i = 0; i < 4; i++) {
            float factor = dropout_factor(key, column + i, threshold, kept);
            values[i] = activation_value(activation, values[i]) * factor;
        }
        store_four(out + at, count, values);
    }
}

/* One block per chunk of rows and 256 columns. */
KERNEL activate_backward(int activation, u32 rows, u32 width, u32 chunk, u32 low, u32 high,
                         u32 threshold, float kept, const act *x, act *grad, float *partials)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        u32 end = chunk_end(rows, chunk);
        for (u32 row = blockIdx.x * chunk; row < end; row++) {
            u64 at = (u64)row * width + column;
            u32 key = row_key(row, low, high);
            float values[4];
            float slope[4];
            load_four(x + at, count, values);
            load_four(grad + at, count, slope);
            for (u32 i = 0; i < 4; i++) {
                slope[i] *= dropout_factor(key, column + i, threshold, kept);
                slope[i] *= activation_slope(activation, values[i]);
                sums[i] += slope[i];
            }
            store_four(grad + at, count, slope);
        }
        if (partials) {
            store_four_floats(partials + (u64)blockIdx.x * width + column, count, sums);
        }
    }
}
