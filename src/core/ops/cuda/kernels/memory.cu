/* Filling, copying and converting. Launched with one thread per element (with a stride over the
 * rest), or one thread per four columns of a row: grid (rows, column groups). */

/* The first element of this thread, and the distance to its next. */
#define FIRST_ELEMENT ((u64)blockIdx.x * blockDim.x + threadIdx.x)
#define ELEMENT_STRIDE ((u64)gridDim.x * blockDim.x)
/* The first of the four columns of this thread, where blocks along y share a row. */
#define FIRST_COLUMN (4 * (blockIdx.y * blockDim.x + threadIdx.x))

KERNEL fill(float *to, u64 n, float value)
{
    for (u64 i = FIRST_ELEMENT; i < n; i += ELEMENT_STRIDE) {
        to[i] = value;
    }
}

KERNEL clear_both(act *first, u64 first_len, act *second, u64 second_len)
{
    for (u64 i = FIRST_ELEMENT; i < first_len + second_len; i += ELEMENT_STRIDE) {
        if (i < first_len) {
            first[i] = to_act(0.0f);
        } else {
            second[i - first_len] = to_act(0.0f);
        }
    }
}

KERNEL to_activations(const float *from, act *to, u64 n)
{
    for (u64 i = FIRST_ELEMENT; i < n; i += ELEMENT_STRIDE) {
        to[i] = to_act(from[i]);
    }
}

KERNEL gather_first(const u32 *starts, u32 width, const act *x, act *out)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        float values[4];
        load_four(x + (u64)starts[blockIdx.x] * width + column, count, values);
        store_four(out + (u64)blockIdx.x * width + column, count, values);
    }
}

KERNEL scatter_add_first(const u32 *starts, u32 width, const act *grad, act *dx)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        act *to = dx + (u64)starts[blockIdx.x] * width + column;
        float total[4];
        float values[4];
        load_four(to, count, total);
        load_four(grad + (u64)blockIdx.x * width + column, count, values);
        for (u32 i = 0; i < 4; i++) {
            total[i] += values[i];
        }
        store_four(to, count, total);
    }
}

/* The mean of the rows of a sequence, added from the first to the last. */
KERNEL mean_rows(const u32 *starts, u32 width, const act *x, act *out)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        u32 first = starts[blockIdx.x];
        u32 end = starts[blockIdx.x + 1];
        float total[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        float values[4];
        for (u32 row = first; row < end; row++) {
            load_four(x + (u64)row * width + column, count, values);
            for (u32 i = 0; i < 4; i++) {
                total[i] += values[i];
            }
        }
        float share = 1.0f / (float)(end - first);
        for (u32 i = 0; i < 4; i++) {
            total[i] *= share;
        }
        store_four(out + (u64)blockIdx.x * width + column, count, total);
    }
}

KERNEL mean_rows_backward(const u32 *starts, u32 width, const act *grad, act *dx)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        u32 first = starts[blockIdx.x];
        u32 end = starts[blockIdx.x + 1];
        float share = 1.0f / (float)(end - first);
        float values[4];
        load_four(grad + (u64)blockIdx.x * width + column, count, values);
        for (u32 i = 0; i < 4; i++) {
            values[i] *= share;
        }
        for (u32 row = first; row < end; row++) {
            store_four(dx + (u64)row * width + column, count, values);
        }
    }
}

KERNEL add_bias(act *x, const float *bias, u32 width)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        act *at = x + (u64)blockIdx.x * width + column;
        float values[4];
        float shift[4];
        load_four(at, count, values);
        load_four_floats(bias + column, count, shift);
        for (u32 i = 0; i < 4; i++) {
            values[i] += shift[i];
        }
        store_four(at, count, values);
    }
}
