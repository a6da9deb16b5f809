/* The backward pass of attention.cu. With p a query's probabilities, f their dropout, and dp = f ×
 * (grad · value) for each key: mean = sum p dp, ds = scale × p × (dp - mean), and
 *   dq = sum over keys of ds × key, dk = sum over queries of ds × query,
 *   dv = sum over queries of p f × grad.
 * Probabilities are computed again from the log-sum-exp of the forward pass. One kernel loops over
 * keys for its queries, the other over queries for its keys, so that every element of the result
 * has one writer.
 *
 * The ds of one query sum to zero, and so does the gradient of the key bias, except for rounding,
 * which AdamW would amplify: so the mean is computed in double from the same products that it is
 * subtracted from, and kept as two floats. */

/* The elements of a thread for one tile of queries and one of keys. */
typedef struct {
    float p[2][4];
    float dp[2][4];
} TilePair;

/* dp minus the mean of its query, which is high + low. */
DEVICE float centred(float dp, float mean_high, float mean_low)
{
    return (dp - mean_high) - mean_low;
}

/* Replaces scores by p, which is 0 for keys from `count` on. */
DEVICE void make_probabilities(float scores[2][4], float scale, const float log_sum[2], u32 count,
                               float p[2][4])
{
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        UNROLL
        for (u32 j = 0; j < 4; j++) {
            float score = scores[i][j] * scale;
            p[i][j] = KEY_OF(j) < count ? expf(score - log_sum[i]) : 0.0f;
        }
    }
}

/* Applies dropout to a square; `first` is the position of its first key. */
DEVICE void drop_square(float square[2][4], const u32 key[2], u32 first, u32 threshold, float kept)
{
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        UNROLL
        for (u32 j = 0; j < 4; j++) {
            square[i][j] *= dropout_factor(key[i], first + KEY_OF(j), threshold, kept);
        }
    }
}

/* The sum over the eight threads that share queries, in double. */
DEVICE double sum_of_row_double(double value)
{
    for (int mask = 4; mask > 0; mask /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, mask);
    }
    return value;
}

/* A block: 32 queries of one head. */
BOUNDED_KERNEL(ATTENTION_THREADS, ATTENTION_BLOCKS)
attention_backward_queries(const u32 *starts, u32 heads, u32 width, float scale, int first_only,
                           const act *queries, u32 query_stride, u32 query_start, const act *keys,
                           u32 key_stride, u32 key_start, u32 value_start, u32 low, u32 high,
                           u32 threshold, float kept, const float *relative, u32 longest,
                           const float *statistics, const act *grad, act *dqueries, float *delta,
                           float *dscores)
{
    DYNAMIC_SHARED(shared);
    BlockTask task = block_task(starts, width, first_only, shared);
    if (task.first >= task.queries) {
        return;
    }
    u32 hidden = heads * width;
    u32 head_column = task.head * width;
    u32 query_count = at_most_a_tile(task.queries - task.first);
    u64 query_row = task.query_row + task.first;
    const act *q = queries + query_row * query_stride + query_start + head_column;
    const act *g = grad + query_row * hidden + head_column;
    const act *kv = keys + (u64)task.start * key_stride + head_column;

    u32 key[2];
    float log_sum[2];
    double weighted[2];
    double weight[2];
    for (u32 i = 0; i < 2; i++) {
        u32 row = task.start + task.first + QUERY_OF(i);
        key[i] = row_key(row * heads + task.head, low, high);
        u64 at = (query_row + QUERY_OF(i)) * heads + task.head;
        log_sum[i] = QUERY_OF(i) < query_count ? statistics[at] : 0.0f;
        weighted[i] = 0.0;
        weight[i] = 0.0;
    }
    float mean_high[2] = {0.0f, 0.0f};
    float mean_low[2] = {0.0f, 0.0f};
    float result[4][4];
    clear_result(result);
    /* The first half of the loop computes the means, the second half, in reverse, the gradient:
     * the last tile of keys is still loaded, and a sequence of one tile loads its keys once. */
    u32 tiles = (task.length + TILE - 1) / TILE;
    TilePair pair;
    for (u32 turn = 0; turn < 2 * tiles; turn++) {
        u32 gathers = turn < tiles;
        u32 first = (gathers ? turn : 2 * tiles - 1 - turn) * TILE;
        u32 count = at_most_a_tile(task.length - first);
        const act *tile_keys = kv + (u64)first * key_stride;
        if (turn != tiles) {
            float scores[2][4];
            __syncthreads();
            load_tile(g, hidden, query_count, width, &task, task.left);
            load_tile(tile_keys + value_start, key_stride, count, width, &task, task.right);
            __syncthreads();
            tile_dots(&task, pair.dp);
            drop_square(pair.dp, key, first, threshold, kept);
            __syncthreads();
            load_tile(q, query_stride, query_count, width, &task, task.left);
            load_tile(tile_keys + key_start, key_stride, count, width, &task, task.right);
            __syncthreads();
            tile_dots(&task, scores);
            add_relative(relative, longest, heads, task.head, query_row, query_count, first, count,
                         scores);
            make_probabilities(scores, scale, log_sum, count, pair.p);
        }
        if (gathers) {
            for (u32 i = 0; i < 2; i++) {
                for (u32 j = 0; j < 4; j++) {
                    weighted[i] += (double)pair.p[i][j] * (double)pair.dp[i][j];
                    weight[i] += (double)pair.p[i][j];
                }
            }
        } else {
            if (turn == tiles) {
                for (u32 i = 0; i < 2; i++) {
                    double mean = sum_of_row_double(weighted[i]) / sum_of_row_double(weight[i]);
                    mean_high[i] = (float)mean;
                    mean_low[i] = (float)(mean - (double)mean_high[i]);
                }
            }
            for (u32 i = 0; i < 2; i++) {
                for (u32 j = 0; j < 4; j++) {
                    float apart = centred(pair.dp[i][j], mean_high[i], mean_low[i]);
                    float slope = scale * pair.p[i][j] * apart;
                    task.square[KEY_OF(j) * SQUARE_STRIDE + QUERY_OF(i)] = slope;
                    int is_pair = QUERY_OF(i) < query_count && KEY_OF(j) < count;
                    if (dscores && is_pair && task.slice == 0) {
                        u64 at = ((query_row + QUERY_OF(i)) * heads + task.head) * longest;
                        dscores[at + first + KEY_OF(j)] = slope;
                    }
                }
            }
            __syncthreads();
            add_product(&task, task.right, count, result);
        }
    }
    for (u32 i = 0; i < 2; i++) {
        if (threadIdx.x % 8 == 0 && QUERY_OF(i) < query_count && task.slice == 0) {
            u64 at = (query_row + QUERY_OF(i)) * heads + task.head;
            delta[2 * at] = mean_high[i];
            delta[2 * at + 1] = mean_low[i];
        }
    }
    act *to = dqueries + query_row * query_stride + query_start + head_column;
    store_result(&task, result, query_count, width, to, query_stride);
}

/* A block: 32 keys and their values of one head. */
BOUNDED_KERNEL(ATTENTION_THREADS, ATTENTION_BLOCKS)
attention_backward_keys(const u32 *starts, u32 heads, u32 width, float scale, int first_only,
                        const act *queries, u32 query_stride, u32 query_start, const act *keys,
                        u32 key_stride, u32 key_start, u32 value_start, u32 low, u32 high,
                        u32 threshold, float kept, const float *relative, u32 longest,
                        const float *statistics, const float *delta, const act *grad, act *dkeys)
{
    DYNAMIC_SHARED(shared);
    BlockTask task = block_task(starts, width, first_only, shared);
    if (task.first >= task.length) {
        return;
    }
    u32 hidden = heads * width;
    u32 head_column = task.head * width;
    u32 count = at_most_a_tile(task.length - task.first);
    u64 key_row = task.start + task.first;
    const act *kv = keys + key_row * key_stride + head_column;
    float dk[4][4];
    float dv[4][4];
    clear_result(dk);
    clear_result(dv);
    for (u32 first = 0; first < task.queries; first += TILE) {
        u32 query_count = at_most_a_tile(task.queries - first);
        u64 query_row = task.query_row + first;
        const act *q = queries + query_row * query_stride + query_start + head_column;
        const act *g = grad + query_row * hidden + head_column;
        u32 key[2];
        float log_sum[2];
        float mean_high[2];
        float mean_low[2];
        for (u32 i = 0; i < 2; i++) {
            u32 row = task.start + first + QUERY_OF(i);
            key[i] = row_key(row * heads + task.head, low, high);
            u64 at = (query_row + QUERY_OF(i)) * heads + task.head;
            int there = QUERY_OF(i) < query_count;
            log_sum[i] = there ? statistics[at] : 0.0f;
            mean_high[i] = there ? delta[2 * at] : 0.0f;
            mean_low[i] = there ? delta[2 * at + 1] : 0.0f;
        }
        float scores[2][4];
        TilePair pair;
        __syncthreads();
        load_tile(q, query_stride, query_count, width, &task, task.left);
        load_tile(kv + key_start, key_stride, count, width, &task, task.right);
        __syncthreads();
        tile_dots(&task, scores);
        add_relative(relative, longest, heads, task.head, query_row, query_count, task.first, count,
                     scores);
        make_probabilities(scores, scale, log_sum, count, pair.p);
        __syncthreads();
        load_tile(g, hidden, query_count, width, &task, task.left);
        load_tile(kv + value_start, key_stride, count, width, &task, task.right);
        for (u32 i = 0; i < 2; i++) {
            for (u32 j = 0; j < 4; j++) {
                u32 at = task.first + KEY_OF(j);
                task.square[QUERY_OF(i) * SQUARE_STRIDE + KEY_OF(j)] =
                    pair.p[i][j] * dropout_factor(key[i], at, threshold, kept);
            }
        }
        __syncthreads();
        tile_dots(&task, pair.dp);
        drop_square(pair.dp, key, task.first, threshold, kept);
        add_product(&task, task.left, query_count, dv);
        __syncthreads();
        load_tile(q, query_stride, query_count, width, &task, task.left);
        for (u32 i = 0; i < 2; i++) {
            for (u32 j = 0; j < 4; j++) {
                float apart = centred(pair.dp[i][j], mean_high[i], mean_low[i]);
                task.square[QUERY_OF(i) * SQUARE_STRIDE + KEY_OF(j)] =
                    scale * pair.p[i][j] * apart;
            }
        }
        __syncthreads();
        add_product(&task, task.left, query_count, dk);
    }
    act *to = dkeys + key_row * key_stride + head_column;
    store_result(&task, dk, count, width, to + key_start, key_stride);
    store_result(&task, dv, count, width, to + value_start, key_stride);
}
