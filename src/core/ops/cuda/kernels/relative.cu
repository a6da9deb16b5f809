/* Relative positions in attention (He et al., 2021). The score of query i and key j has the terms
 *   q_i · K_r[row(i - j)] + k_j · Q_r[row(i - j)]
 * besides q_i · k_j. They are computed before attention.cu, which adds them, and their gradients after
 * attention_backward.cu, from the gradients of the scores, so that every element has one writer.
 *
 * `relative` is the matrix of relative positions, of rows `stride` wide: the keys K_r of all heads from
 * column `keys_at` on and the queries Q_r from column `queries_at` on, those that there are (`has_keys`,
 * `has_queries`). Its row 0 is row `first_row` of the table. table_rows[center + d] is the table's row
 * for distance d; rows never decrease. */

/* The sum of products of `width` neighbours. */
DEVICE float dot_of_rows(const act *a, const act *b, u32 width)
{
    float sum = 0.0f;
    for (u32 column = 0; column < width; column += 4) {
        u32 count = columns_left(column, width);
        float left[4];
        float right[4];
        load_four(a + column, count, left);
        load_four(b + column, count, right);
        for (u32 i = 0; i < 4; i++) {
            sum += left[i] * right[i];
        }
    }
    return sum;
}

/* The first of the distances' entries from `first` to `end` whose row is at least `row`. */
DEVICE u32 first_entry(const u32 *table_rows, u32 first, u32 end, u32 row)
{
    while (first < end) {
        u32 middle = (first + end) / 2;
        if (table_rows[middle] < row) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

/* A thread: one key of one query. */
KERNEL relative_scores(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                       const act *queries, u32 query_stride, u32 query_start, const act *keys,
                       u32 key_stride, u32 key_start, const act *relative, u32 stride, int has_keys,
                       u32 keys_at, int has_queries, u32 queries_at, u32 first_row,
                       const u32 *table_rows, u32 center, u32 longest, float *scores)
{
    u32 row = blockIdx.x;
    u32 column = blockIdx.y * width;
    u32 sequence = first_only ? row : sequence_of(starts, batch, row);
    u32 start = starts[sequence];
    u32 key = blockIdx.z * blockDim.x + threadIdx.x;
    if (key >= starts[sequence + 1] - start) {
        return;
    }
    u32 query = first_only ? 0 : row - start;
    const act *position =
        relative + (u64)(table_rows[center + query - key] - first_row) * stride + column;
    float score = 0.0f;
    if (has_keys) {
        const act *q = queries + (u64)row * query_stride + query_start + column;
        score += dot_of_rows(q, position + keys_at, width);
    }
    if (has_queries) {
        const act *k = keys + (u64)(start + key) * key_stride + key_start + column;
        score += dot_of_rows(k, position + queries_at, width);
    }
    scores[((u64)row * heads + blockIdx.y) * longest + key] = score;
}

/* Adds to the gradients of queries: dq_i += sum over j of ds_ij × K_r. A thread: one column. */
KERNEL relative_backward_queries(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                                 const float *dscores, u32 longest, const act *relative, u32 stride,
                                 u32 keys_at, u32 first_row, const u32 *table_rows, u32 center,
                                 act *dqueries, u32 query_stride, u32 query_start)
{
    u32 row = blockIdx.x;
    u32 sequence = first_only ? row : sequence_of(starts, batch, row);
    u32 length = starts[sequence + 1] - starts[sequence];
    u32 query = first_only ? 0 : row - starts[sequence];
    const float *slopes = dscores + ((u64)row * heads + blockIdx.y) * longest;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) {
        u32 column = blockIdx.y * width + i;
        float sum = 0.0f;
        for (u32 key = 0; key < length; key++) {
            u32 at = table_rows[center + query - key] - first_row;
            sum += slopes[key] * to_float(relative[(u64)at * stride + keys_at + column]);
        }
        act *to = dqueries + (u64)row * query_stride + query_start + column;
        *to = to_act(to_float(*to) + sum);
    }
}

/* Adds to the gradients of keys: dk_j += sum over i of ds_ij × Q_r. A thread: one column. */
KERNEL relative_backward_keys(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                              const float *dscores, u32 longest, const act *relative, u32 stride,
                              u32 queries_at, u32 first_row, const u32 *table_rows, u32 center,
                              act *dkeys, u32 key_stride, u32 key_start)
{
    u32 row = blockIdx.x;
    u32 sequence = sequence_of(starts, batch, row);
    u32 start = starts[sequence];
    u32 key = row - start;
    u32 queries = first_only ? 1 : starts[sequence + 1] - start;
    u64 first_query = first_only ? sequence : start;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) {
        u32 column = blockIdx.y * width + i;
        float sum = 0.0f;
        for (u32 query = 0; query < queries; query++) {
            u32 at = table_rows[center + query - key] - first_row;
            u64 pair = ((first_query + query) * heads + blockIdx.y) * longest + key;
            sum += dscores[pair] * to_float(relative[(u64)at * stride + queries_at + column]);
        }
        act *to = dkeys + (u64)row * key_stride + key_start + column;
        *to = to_act(to_float(*to) + sum);
    }
}

/* The threads of a block along columns, and those that share the sequences. */
#define RELATIVE_COLUMNS 64
#define RELATIVE_PARTS 4

/* The gradient of one part of the matrix (K_r from the queries, or Q_r from the keys): the sum over all
 * pairs of tokens whose distance has this row. A block: one row of one head; each part of it, the
 * sequences from its number on, RELATIVE_PARTS apart. */
BOUNDED_KERNEL(256, 1)
relative_backward_rows(const u32 *starts, u32 batch, u32 heads, u32 width, int first_only,
                       int of_queries, const float *dscores, u32 longest, const act *content,
                       u32 content_stride, u32 content_start, u32 first_row, const u32 *table_rows,
                       u32 center, act *drelative, u32 stride, u32 at)
{
    __shared__ float partial[RELATIVE_PARTS][RELATIVE_COLUMNS];
    u32 row = first_row + blockIdx.x;
    u32 head = blockIdx.y;
    u32 first = first_entry(table_rows, center + 1 - longest, center + longest, row);
    u32 end = first_entry(table_rows, first, center + longest, row + 1);
    for (u32 from = 0; from < width; from += RELATIVE_COLUMNS) {
        u32 column = from + threadIdx.x;
        float sum = 0.0f;
        for (u32 sequence = threadIdx.y; sequence < batch && column < width;
             sequence += RELATIVE_PARTS) {
            u32 start = starts[sequence];
            u32 length = starts[sequence + 1] - start;
            u32 queries = first_only ? 1 : length;
            u64 first_query = first_only ? sequence : start;
            for (u32 entry = first; entry < end; entry++) {
                /* query - key = entry - center */
                u32 query = entry > center ? entry - center : 0;
                u32 key = entry > center ? 0 : center - entry;
                for (; query < queries && key < length; query++, key++) {
                    u64 pair = ((first_query + query) * heads + head) * longest + key;
                    u64 token = of_queries ? first_query + query : (u64)start + key;
                    const act *value = content + token * content_stride + content_start;
                    sum += dscores[pair] * to_float(value[head * width + column]);
                }
            }
        }
        partial[threadIdx.y][threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.y == 0 && column < width) {
            float total = 0.0f;
            for (u32 part = 0; part < RELATIVE_PARTS; part++) {
                total += partial[part][threadIdx.x];
            }
            drelative[(u64)blockIdx.x * stride + at + head * width + column] = to_act(total);
        }
        __syncthreads();
    }
}

/* out = dropout(x), or out += dropout(x). */
KERNEL drop_rows(u32 width, u32 low, u32 high, u32 threshold, float kept, const act *x, act *out,
                 int accumulate)
{
    u32 row = blockIdx.x;
    u32 column = 4 * (blockIdx.y * blockDim.x + threadIdx.x);
    u32 count = columns_left(column, width);
    u64 at = (u64)row * width + column;
    if (count == 0) {
        return;
    }
    u32 key = row_key(row, low, high);
    float values[4];
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    load_four(x + at, count, values);
    if (accumulate) {
        load_four(out + at, count, sums);
    }
    for (u32 i = 0; i < 4; i++) {
        sums[i] += values[i] * dropout_factor(key, column + i, threshold, kept);
    }
    store_four(out + at, count, sums);
}

/* to += from. */
KERNEL add_to_floats(const act *from, u64 len, float *to)
{
    u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < len; i += step) {
        to[i] += to_float(from[i]);
    }
}
