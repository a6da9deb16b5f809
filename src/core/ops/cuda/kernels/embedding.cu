/* The embedding layer: the sum of rows of three tables, normalization and dropout; and the
 * gradients of the tables. A block handles a row at a time, as in norm.cu. */

/* The sequence of a row: the last that starts at it or before. */
DEVICE u32 sequence_of(const u32 *starts, u32 batch, u32 row)
{
    u32 first = 0;
    u32 last = batch;
    while (last - first > 1) {
        u32 middle = (first + last) / 2;
        if (starts[middle] <= row) {
            first = middle;
        } else {
            last = middle;
        }
    }
    return first;
}

BOUNDED_KERNEL(1024, 1) embed(const float *tokens, const float *positions, const float *types,
                           const float *scale, const float *shift, float epsilon, u32 width,
                           u32 first_position, const u32 *ids, const u32 *starts, u32 batch,
                           const u32 *type_ids, const u32 *position_ids, u32 low, u32 high,
                           u32 threshold, float kept, act *sum, float *statistics, act *out)
{
    u32 row = blockIdx.x;
    u32 at_position = position_ids
                          ? position_ids[row]
                          : first_position + row - starts[sequence_of(starts, batch, row)];
    u32 at_type = type_ids ? type_ids[row] : 0;
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    u64 at = (u64)row * width + column;
    u32 key = row_key(row, low, high);
    float values[4];
    float position[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float kind[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    load_four_floats(tokens + (u64)ids[row] * width + column, count, values);
    if (positions) {
        load_four_floats(positions + (u64)at_position * width + column, count, position);
    }
    if (types) {
        load_four_floats(types + (u64)at_type * width + column, count, kind);
    }
    for (u32 i = 0; i < 4; i++) {
        values[i] = rounded(values[i] + position[i] + kind[i]);
    }
    store_four(sum + at, count, values);
    normalize(values, column, width, scale, shift, epsilon, statistics + 2 * (u64)row);
    for (u32 i = 0; i < 4; i++) {
        values[i] *= dropout_factor(key, column + i, threshold, kept);
    }
    store_four(out + at, count, values);
}

BOUNDED_KERNEL(1024, 1) embed_backward(const float *scale, u32 rows, u32 width, u32 chunk,
                                    const u32 *type_ids, u32 low, u32 high, u32 threshold,
                                    float kept, const act *sum, const float *statistics, act *grad,
                                    float *partials, u32 sums)
{
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    float factor[4];
    float dscale[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float dshift[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float dtype[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    load_four_floats(scale + column, count, factor);
    u32 end = chunk_end(rows, chunk);
    for (u32 row = blockIdx.x * chunk; row < end; row++) {
        u64 at = (u64)row * width + column;
        u32 key = row_key(row, low, high);
        float values[4];
        float slope[4];
        load_four(sum + at, count, values);
        load_four(grad + at, count, slope);
        for (u32 i = 0; i < 4; i++) {
            slope[i] *= dropout_factor(key, column + i, threshold, kept);
        }
        normalize_backward(values, factor, width, statistics + 2 * (u64)row, slope, dscale, dshift);
        if (!type_ids || type_ids[row] == 0) {
            for (u32 i = 0; i < 4; i++) {
                dtype[i] += slope[i];
            }
        }
        store_four(grad + at, count, slope);
    }
    float *to = partials + sums * (u64)blockIdx.x * width + column;
    store_four_floats(to, count, dscale);
    store_four_floats(to + width, count, dshift);
    if (sums > 2) {
        store_four_floats(to + 2 * (u64)width, count, dtype);
    }
}

BOUNDED_KERNEL(1024, 1) embed_between(const act *start, const act *end, const float *shares,
                                   u32 rows, const float *scale, const float *shift, float epsilon,
                                   u32 width, act *sum, float *statistics, act *out)
{
    u32 row = blockIdx.x;
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    u64 from = (u64)(row % rows) * width + column;
    u64 at = (u64)row * width + column;
    float share = shares[row / rows];
    float values[4];
    float last[4];
    load_four(start + from, count, values);
    load_four(end + from, count, last);
    for (u32 i = 0; i < 4; i++) {
        values[i] = rounded(values[i] + share * (last[i] - values[i]));
    }
    store_four(sum + at, count, values);
    normalize(values, column, width, scale, shift, epsilon, statistics + 2 * (u64)row);
    store_four(out + at, count, values);
}

BOUNDED_KERNEL(1024, 1) embed_between_backward(const float *scale, const act *start, const act *end,
                                            u32 rows, u32 width, const act *sum,
                                            const float *statistics, const act *grad, float *slopes)
{
    u32 row = blockIdx.x;
    u32 column = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    u64 from = (u64)(row % rows) * width + column;
    u64 at = (u64)row * width + column;
    float factor[4];
    float values[4];
    float slope[4];
    float first[4];
    float last[4];
    /* The gradients of scale and shift, which nothing reads. */
    float dscale[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float dshift[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    load_four_floats(scale + column, count, factor);
    load_four(sum + at, count, values);
    load_four(grad + at, count, slope);
    load_four(start + from, count, first);
    load_four(end + from, count, last);
    normalize_backward(values, factor, width, statistics + 2 * (u64)row, slope, dscale, dshift);
    float total = 0.0f;
    for (u32 i = 0; i < 4; i++) {
        total += slope[i] * (last[i] - first[i]);
    }
    total = block_sum(total);
    if (threadIdx.x == 0) {
        slopes[row] = total;
    }
}

/* Sums 128 columns over the block's 4 rows of threads, from the first to the last, into the row
 * `to`; with accumulate adds to it. */
DEVICE void store_sums(const float *sum, u32 column, u32 width, float *to, int accumulate)
{
    __shared__ float sums[4][128];
    u32 first = 4 * threadIdx.x;
    u32 count = columns_left(column, width);
    for (u32 i = 0; i < 4; i++) {
        sums[threadIdx.y][first + i] = sum[i];
    }
    __syncthreads();
    if (threadIdx.y == 0 && count > 0) {
        float total[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (accumulate) {
            load_four_floats(to + column, count, total);
        }
        for (u32 part = 0; part < 4; part++) {
            for (u32 i = 0; i < 4; i++) {
                total[i] += sums[part][first + i];
            }
        }
        store_four_floats(to + column, count, total);
    }
}

/* One block per distinct token, or per row of another table whose tokens are listed, and 128
 * columns; its 4 rows of threads alternate over occurrences. */
KERNEL token_gradients(const u32 *occurrence_starts, const u32 *occurrences, u32 width,
                      const act *grad, float *token_rows, int accumulate)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    u32 end = occurrence_starts[blockIdx.x + 1];
    for (u32 at = occurrence_starts[blockIdx.x] + threadIdx.y; at < end; at += 4) {
        float values[4];
        load_four(grad + (u64)occurrences[at] * width + column, count, values);
        for (u32 i = 0; i < 4; i++) {
            sum[i] += values[i];
        }
    }
    store_sums(sum, column, width, token_rows + (u64)blockIdx.x * width, accumulate);
}

/* One block per row of the table and 128 columns; its 4 rows of threads alternate over
 * sequences. */
KERNEL position_gradients(const u32 *starts, u32 batch, u32 first_position, u32 width,
                          const act *grad, float *positions, int accumulate)
{
    u32 column = FIRST_COLUMN;
    u32 count = columns_left(column, width);
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (blockIdx.x >= first_position) {
        u32 position = blockIdx.x - first_position;
        for (u32 sequence = threadIdx.y; sequence < batch; sequence += 4) {
            u32 row = starts[sequence] + position;
            if (row < starts[sequence + 1]) {
                float values[4];
                load_four(grad + (u64)row * width + column, count, values);
                for (u32 i = 0; i < 4; i++) {
                    sum[i] += values[i];
                }
            }
        }
    }
    store_sums(sum, column, width, positions + (u64)blockIdx.x * width, accumulate);
}
