/* The backward pass of attention_tensor.cu: as attention_backward.cu, with the products on tensor
 * cores. The gradients of scores are rounded to bf16 where they are multiplied, so that their mean is
 * computed in float. */

#ifdef HAS_TENSOR_CORES
/* Replaces the scores of the warp's queries by probabilities, which are 0 for keys from `count` on. */
DEVICE void make_tensor_probabilities(float scores[TENSOR_COLUMNS][4], float scale,
                                      const float log_sum[2], u32 count)
{
    UNROLL
    for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
        UNROLL
        for (u32 e = 0; e < 4; e++) {
            float score = scores[column][e] * scale;
            int is_there = column * 8 + C_COLUMN(e) < count;
            scores[column][e] = is_there ? expf(score - log_sum[e / 2]) : 0.0f;
        }
    }
}

/* A block: 64 queries of one head. */
DEVICE void tensor_backward_queries(const u32 width, act *shared, const u32 *starts, u32 heads,
                                    float scale, const act *queries, u32 query_stride,
                                    u32 query_start, const act *keys, u32 key_stride, u32 key_start,
                                    u32 value_start, u32 low, u32 high, u32 threshold, float kept,
                                    const float *statistics, const act *grad, act *dqueries,
                                    float *delta)
{
    act *key_tile = shared;
    act *value_tile = key_tile + TENSOR_TILE * TENSOR_STRIDE(width);
    TensorTask task = tensor_task(starts);
    if (task.count == 0) {
        return;
    }
    u32 hidden = heads * width;
    u64 query_row = task.start + task.first;
    u32 head_column = task.head * width;
    const act *q = queries + query_row * query_stride + query_start + head_column;
    const act *kv = keys + (u64)task.start * key_stride + head_column;
    int is_active = WARP_ROW < task.count;
    u32 key[2];
    float log_sum[2];
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        u32 row = WARP_ROW + C_ROW(2 * i);
        key[i] = row_key(((u32)query_row + row) * heads + task.head, low, high);
        log_sum[i] = row < task.count ? statistics[(query_row + row) * heads + task.head] : 0.0f;
    }
    /* Queries and gradients are in the tiles of keys and values until they are in registers. */
    u32 query_rows[TENSOR_STEPS][4];
    u32 grad_rows[TENSOR_STEPS][4];
    begin_tile(q, query_stride, task.count, width, key_tile);
    begin_tile(grad + query_row * hidden + head_column, hidden, task.count, width, value_tile);
    finish_copies();
    __syncthreads();
    load_rows(key_tile, width, query_rows);
    load_rows(value_tile, width, grad_rows);
    float weighted[2] = {0.0f, 0.0f};
    float weight[2] = {0.0f, 0.0f};
    float mean[2] = {0.0f, 0.0f};
    float p[TENSOR_COLUMNS][4];
    float dp[TENSOR_COLUMNS][4];
    float result[TENSOR_COLUMNS][4];
    clear_columns(p);
    clear_columns(dp);
    clear_columns(result);
    /* As in attention_backward_queries: first the means, then, in reverse, the gradient. */
    u32 tiles = (task.length + TENSOR_TILE - 1) / TENSOR_TILE;
    for (u32 turn = 0; turn < 2 * tiles; turn++) {
        u32 gathers = turn < tiles;
        u32 first = (gathers ? turn : 2 * tiles - 1 - turn) * TENSOR_TILE;
        u32 count = at_most_a_tensor_tile(task.length - first);
        if (turn != tiles) {
            const act *tile_keys = kv + (u64)first * key_stride;
            __syncthreads();
            begin_tile(tile_keys + key_start, key_stride, count, width, key_tile);
            begin_tile(tile_keys + value_start, key_stride, count, width, value_tile);
            finish_copies();
            __syncthreads();
            if (is_active) {
                multiply_rows(query_rows, key_tile, width, count, p);
                make_tensor_probabilities(p, scale, log_sum, count);
                multiply_rows(grad_rows, value_tile, width, count, dp);
                UNROLL
                for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
                    UNROLL
                    for (u32 e = 0; e < 4; e++) {
                        u32 at = first + column * 8 + C_COLUMN(e);
                        dp[column][e] *= dropout_factor(key[e / 2], at, threshold, kept);
                    }
                }
            }
        }
        if (is_active && gathers) {
            UNROLL
            for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
                UNROLL
                for (u32 e = 0; e < 4; e++) {
                    weighted[e / 2] += p[column][e] * dp[column][e];
                    weight[e / 2] += p[column][e];
                }
            }
        }
        if (is_active && turn == tiles) {
            UNROLL
            for (u32 i = 0; i < 2; i++) {
                mean[i] = sum_of_lanes(weighted[i]) / sum_of_lanes(weight[i]);
            }
        }
        if (is_active && !gathers) {
            UNROLL
            for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
                UNROLL
                for (u32 e = 0; e < 4; e++) {
                    dp[column][e] = scale * p[column][e] * (dp[column][e] - mean[e / 2]);
                }
            }
            add_square_times(dp, key_tile, width, count, result);
        }
    }
    if (is_active) {
        float ones[2] = {1.0f, 1.0f};
        UNROLL
        for (u32 i = 0; i < 2; i++) {
            u32 row = WARP_ROW + C_ROW(2 * i);
            if (LANE % 4 == 0 && row < task.count) {
                delta[(query_row + row) * heads + task.head] = mean[i];
            }
        }
        act *to = dqueries + query_row * query_stride + query_start + head_column;
        store_rows(result, ones, width, task.count, to, query_stride);
    }
}

/* A block: 64 keys and their values of one head. The squares are [keys, queries] here. */
DEVICE void tensor_backward_keys(const u32 width, act *shared, const u32 *starts, u32 heads,
                                 float scale, const act *queries, u32 query_stride, u32 query_start,
                                 const act *keys, u32 key_stride, u32 key_start, u32 value_start,
                                 u32 low, u32 high, u32 threshold, float kept,
                                 const float *statistics, const float *delta, const act *grad,
                                 act *dkeys)
{
    /* Of each query of a tile: the log-sum-exp, the mean and the key of its dropout. */
    __shared__ float log_sums[TENSOR_TILE];
    __shared__ float means[TENSOR_TILE];
    __shared__ u32 row_keys[TENSOR_TILE];
    act *query_tile = shared;
    act *grad_tile = query_tile + TENSOR_TILE * TENSOR_STRIDE(width);
    TensorTask task = tensor_task(starts);
    if (task.count == 0) {
        return;
    }
    u32 hidden = heads * width;
    u32 head_column = task.head * width;
    u64 key_row = task.start + task.first;
    const act *kv = keys + key_row * key_stride + head_column;
    const act *q = queries + (u64)task.start * query_stride + query_start + head_column;
    const act *g = grad + (u64)task.start * hidden + head_column;
    int is_active = WARP_ROW < task.count;
    /* Keys and values are in the tiles of queries and gradients until they are in registers. */
    u32 key_rows[TENSOR_STEPS][4];
    u32 value_rows[TENSOR_STEPS][4];
    begin_tile(kv + key_start, key_stride, task.count, width, query_tile);
    begin_tile(kv + value_start, key_stride, task.count, width, grad_tile);
    finish_copies();
    __syncthreads();
    load_rows(query_tile, width, key_rows);
    load_rows(grad_tile, width, value_rows);
    float dk[TENSOR_COLUMNS][4];
    float dv[TENSOR_COLUMNS][4];
    clear_columns(dk);
    clear_columns(dv);
    for (u32 first = 0; first < task.length; first += TENSOR_TILE) {
        u32 count = at_most_a_tensor_tile(task.length - first);
        __syncthreads();
        begin_tile(q + (u64)first * query_stride, query_stride, count, width, query_tile);
        begin_tile(g + (u64)first * hidden, hidden, count, width, grad_tile);
        if (threadIdx.x < TENSOR_TILE) {
            u64 at = (u64)(task.start + first + threadIdx.x) * heads + task.head;
            int is_there = threadIdx.x < count;
            log_sums[threadIdx.x] = is_there ? statistics[at] : 0.0f;
            means[threadIdx.x] = is_there ? delta[at] : 0.0f;
            row_keys[threadIdx.x] = row_key((u32)at, low, high);
        }
        finish_copies();
        __syncthreads();
        if (is_active) {
            float p[TENSOR_COLUMNS][4];
            float dp[TENSOR_COLUMNS][4];
            multiply_rows(key_rows, query_tile, width, count, p);
            multiply_rows(value_rows, grad_tile, width, count, dp);
            UNROLL
            for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
                UNROLL
                for (u32 e = 0; e < 4; e++) {
                    u32 query = column * 8 + C_COLUMN(e);
                    u32 key = WARP_ROW + C_ROW(e);
                    int is_pair = query < count && key < task.count;
                    float score = p[column][e] * scale;
                    float share = is_pair ? expf(score - log_sums[query]) : 0.0f;
                    float factor =
                        dropout_factor(row_keys[query], task.first + key, threshold, kept);
                    float apart = dp[column][e] * factor - means[query];
                    dp[column][e] = scale * share * apart;
                    p[column][e] = share * factor;
                }
            }
            add_square_times(p, grad_tile, width, count, dv);
            add_square_times(dp, query_tile, width, count, dk);
        }
    }
    if (is_active) {
        float ones[2] = {1.0f, 1.0f};
        act *to = dkeys + key_row * key_stride + head_column;
        store_rows(dk, ones, width, task.count, to + key_start, key_stride);
        store_rows(dv, ones, width, task.count, to + value_start, key_stride);
    }
}

BOUNDED_KERNEL(TENSOR_THREADS, TENSOR_BLOCKS)
attention_tensor_backward_queries_32(const u32 *starts, u32 heads, float scale, const act *queries,
                                     u32 query_stride, u32 query_start, const act *keys,
                                     u32 key_stride, u32 key_start, u32 value_start, u32 low,
                                     u32 high, u32 threshold, float kept, const float *statistics,
                                     const act *grad, act *dqueries, float *delta)
{
    DYNAMIC_SHARED(shared);
    tensor_backward_queries(32, (act *)shared, starts, heads, scale, queries, query_stride,
                            query_start, keys, key_stride, key_start, value_start, low, high,
                            threshold, kept, statistics, grad, dqueries, delta);
}

BOUNDED_KERNEL(TENSOR_THREADS, TENSOR_BLOCKS)
attention_tensor_backward_queries_64(const u32 *starts, u32 heads, float scale, const act *queries,
                                     u32 query_stride, u32 query_start, const act *keys,
                                     u32 key_stride, u32 key_start, u32 value_start, u32 low,
                                     u32 high, u32 threshold, float kept, const float *statistics,
                                     const act *grad, act *dqueries, float *delta)
{
    DYNAMIC_SHARED(shared);
    tensor_backward_queries(64, (act *)shared, starts, heads, scale, queries, query_stride,
                            query_start, keys, key_stride, key_start, value_start, low, high,
                            threshold, kept, statistics, grad, dqueries, delta);
}

BOUNDED_KERNEL(TENSOR_THREADS, TENSOR_BLOCKS)
attention_tensor_backward_keys_32(const u32 *starts, u32 heads, float scale, const act *queries,
                                  u32 query_stride, u32 query_start, const act *keys,
                                  u32 key_stride, u32 key_start, u32 value_start, u32 low,
                                  u32 high, u32 threshold, float kept, const float *statistics,
                                  const float *delta, const act *grad, act *dkeys)
{
    DYNAMIC_SHARED(shared);
    tensor_backward_keys(32, (act *)shared, starts, heads, scale, queries, query_stride,
                         query_start, keys, key_stride, key_start, value_start, low, high,
                         threshold, kept, statistics, delta, grad, dkeys);
}

BOUNDED_KERNEL(TENSOR_THREADS, TENSOR_BLOCKS)
attention_tensor_backward_keys_64(const u32 *starts, u32 heads, float scale, const act *queries,
                                  u32 query_stride, u32 query_start, const act *keys,
                                  u32 key_stride, u32 key_start, u32 value_start, u32 low,
                                  u32 high, u32 threshold, float kept, const float *statistics,
                                  const float *delta, const act *grad, act *dkeys)
{
    DYNAMIC_SHARED(shared);
    tensor_backward_keys(64, (act *)shared, starts, heads, scale, queries, query_stride,
                         query_start, keys, key_stride, key_start, value_start, low, high,
                         threshold, kept, statistics, delta, grad, dkeys);
}
#endif
