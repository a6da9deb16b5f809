/* Sums over rows in two stages, and the squared norm of gradients. */

/* The end of the rows of a chunk, exclusive. */
DEVICE u32 chunk_end(u32 rows, u32 chunk)
{
    u32 end = (blockIdx.x + 1) * chunk;
    return end < rows ? end : rows;
}

/* One block per chunk of rows and 256 columns; a thread sums four columns. */
KERNEL column_sums(const act *x, u32 rows, u32 width, u32 chunk, float *partials)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    if (count > 0) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        u32 end = chunk_end(rows, chunk);
        for (u32 row = blockIdx.x * chunk; row < end; row++) {
            float values[4];
            load_four(x + (u64)row * width + column, count, values);
            for (u32 i = 0; i < 4; i++) {
                sums[i] += values[i];
            }
        }
        store_four_floats(partials + (u64)blockIdx.x * width + column, count, sums);
    }
}

/* One block per 32 columns of one target; its 8 rows of threads alternate over the partial rows,
 * and their sums are added from the first to the last. */
KERNEL add_partials(const float *partials, u32 count, u32 width, float *first, float *second,
                    float *third, int accumulate)
{
    __shared__ float sums[8][32];
    u32 column = blockIdx.x * 32 + threadIdx.x;
    u32 stride = gridDim.y * width;
    float sum = 0.0f;
    if (column < width) {
        const float *from = partials + blockIdx.y * width + column;
        for (u32 i = threadIdx.y; i < count; i += 8) {
            sum += from[(u64)i * stride];
        }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < width) {
        float *target = blockIdx.y == 0 ? first : blockIdx.y == 1 ? second : third;
        sum = accumulate ? target[column] : 0.0f;
        for (u32 i = 0; i < 8; i++) {
            sum += sums[i][threadIdx.x];
        }
        target[column] = sum;
    }
}

/* Each four squares are summed in float, and these sums are added in double. */
KERNEL squared_sums(const float *x, u64 n, double *partials)
{
    double sum = 0.0;
    for (u64 i = 4 * FIRST_ELEMENT; i < n; i += 4 * ELEMENT_STRIDE) {
        float values[4];
        load_four_floats(x + i, n - i < 4 ? (u32)(n - i) : 4, values);
        float squares = values[0] * values[0] + values[1] * values[1];
        squares += values[2] * values[2] + values[3] * values[3];
        sum += (double)squares;
    }
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) {
        partials[blockIdx.x] = sum;
    }
}
