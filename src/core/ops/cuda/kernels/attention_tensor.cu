/* Attention as in attention.cu on tensor cores (Dao, 2023), for heads 32 and 64 wide in bf16, without
 * relative positions, where every token is a query. A block handles 64 queries of one head, 16 for each
 * of its four warps, and loops over the keys 64 at a time. Scores, sums and results are float;
 * probabilities are rounded to bf16 where they are multiplied. */

#ifdef HAS_TENSOR_CORES
/* The minimum number of resident blocks of a multiprocessor; more need too many registers. */
#define TENSOR_BLOCKS 2

/* The rows that a block handles. */
typedef struct {
    /* The first packed row of the sequence, and its number of rows. */
    u32 start;
    u32 length;
    u32 head;
    /* The first row of the block's tile within the sequence, and the number of its rows. */
    u32 first;
    u32 count;
} TensorTask;

DEVICE u32 at_most_a_tensor_tile(u32 rows)
{
    return rows < TENSOR_TILE ? rows : TENSOR_TILE;
}

/* A count of 0 where the sequence ends before the block's tile. */
DEVICE TensorTask tensor_task(const u32 *starts)
{
    TensorTask task;
    task.start = starts[blockIdx.x];
    task.length = starts[blockIdx.x + 1] - task.start;
    task.head = blockIdx.y;
    task.first = blockIdx.z * TENSOR_TILE;
    task.count = task.first < task.length ? at_most_a_tensor_tile(task.length - task.first) : 0;
    return task;
}

/* Replaces the scores of the warp's queries by their exponentials, for the keys that are there, times
 * dropout; the sums and the result so far are rescaled to the new maximum. */
DEVICE void soften(float scores[TENSOR_COLUMNS][4], float scale, const u32 key[2], u32 first,
                   u32 count, u32 threshold, float kept, float highest[2], float sum[2],
                   float result[TENSOR_COLUMNS][4])
{
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        float top = highest[i];
        UNROLL
        for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
            UNROLL
            for (u32 e = 2 * i; e < 2 * i + 2; e++) {
                scores[column][e] *= scale;
                if (column * 8 + C_COLUMN(e) < count) {
                    top = fmaxf(top, scores[column][e]);
                }
            }
        }
        top = highest_of_lanes(top);
        float factor = expf(highest[i] - top);
        highest[i] = top;
        sum[i] *= factor;
        UNROLL
        for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
            UNROLL
            for (u32 e = 2 * i; e < 2 * i + 2; e++) {
                u32 at = column * 8 + C_COLUMN(e);
                float p = at < count ? expf(scores[column][e] - top) : 0.0f;
                sum[i] += p;
                scores[column][e] = p * dropout_factor(key[i], first + at, threshold, kept);
                result[column][e] *= factor;
            }
        }
    }
}

DEVICE void tensor_attention(const u32 width, act *shared, const u32 *starts, u32 heads,
                             float scale, const act *queries, u32 query_stride, u32 query_start,
                             const act *keys, u32 key_stride, u32 key_start, u32 value_start,
                             u32 low, u32 high, u32 threshold, float kept, act *out,
                             float *statistics)
{
    act *key_tile = shared;
    act *value_tile = key_tile + TENSOR_TILE * TENSOR_STRIDE(width);
    TensorTask task = tensor_task(starts);
    if (task.count == 0) {
        return;
    }
    u64 query_row = task.start + task.first;
    u32 head_column = task.head * width;
    const act *q = queries + query_row * query_stride + query_start + head_column;
    const act *kv = keys + (u64)task.start * key_stride + head_column;
    int is_active = WARP_ROW < task.count;
    u32 key[2];
    float highest[2];
    float sum[2];
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        u32 row = (u32)query_row + WARP_ROW + C_ROW(2 * i);
        key[i] = row_key(row * heads + task.head, low, high);
        highest[i] = __uint_as_float(0xff800000u);
        sum[i] = 0.0f;
    }
    u32 rows[TENSOR_STEPS][4];
    float result[TENSOR_COLUMNS][4];
    clear_columns(result);
    /* The queries are in the tile of values until they are in registers. */
    begin_tile(q, query_stride, task.count, width, value_tile);
    begin_tile(kv + key_start, key_stride, at_most_a_tensor_tile(task.length), width, key_tile);
    finish_copies();
    __syncthreads();
    load_rows(value_tile, width, rows);
    for (u32 first = 0; first < task.length; first += TENSOR_TILE) {
        u32 count = at_most_a_tensor_tile(task.length - first);
        u32 next = first + TENSOR_TILE;
        float scores[TENSOR_COLUMNS][4];
        /* Values are loaded during the products with keys, and the next keys during those with
         * values. */
        finish_copies();
        __syncthreads();
        begin_tile(kv + value_start + (u64)first * key_stride, key_stride, count, width,
                   value_tile);
        if (is_active) {
            multiply_rows(rows, key_tile, width, count, scores);
            soften(scores, scale, key, first, count, threshold, kept, highest, sum, result);
        }
        finish_copies();
        __syncthreads();
        if (next < task.length) {
            begin_tile(kv + key_start + (u64)next * key_stride, key_stride,
                       at_most_a_tensor_tile(task.length - next), width, key_tile);
        }
        if (is_active) {
            add_square_times(scores, value_tile, width, count, result);
        }
    }
    if (is_active) {
        float factors[2];
        UNROLL
        for (u32 i = 0; i < 2; i++) {
            float total = sum_of_lanes(sum[i]);
            u32 row = WARP_ROW + C_ROW(2 * i);
            factors[i] = 1.0f / total;
            if (LANE % 4 == 0 && row < task.count) {
                statistics[(query_row + row) * heads + task.head] = highest[i] + logf(total);
            }
        }
        u32 hidden = heads * width;
        store_rows(result, factors, width, task.count, out + query_row * hidden + head_column,
                   hidden);
    }
}

BOUNDED_KERNEL(TENSOR_THREADS, TENSOR_BLOCKS)
attention_tensor_32(const u32 *starts, u32 heads, float scale, const act *queries,
                    u32 query_stride, u32 query_start, const act *keys, u32 key_stride,
                    u32 key_start, u32 value_start, u32 low, u32 high, u32 threshold, float kept,
                    act *out, float *statistics)
{
    DYNAMIC_SHARED(shared);
    tensor_attention(32, (act *)shared, starts, heads, scale, queries, query_stride, query_start,
                     keys, key_stride, key_start, value_start, low, high, threshold, kept, out,
                     statistics);
}

BOUNDED_KERNEL(TENSOR_THREADS, TENSOR_BLOCKS)
attention_tensor_64(const u32 *starts, u32 heads, float scale, const act *queries,
                    u32 query_stride, u32 query_start, const act *keys, u32 key_stride,
                    u32 key_start, u32 value_start, u32 low, u32 high, u32 threshold, float kept,
                    act *out, float *statistics)
{
    DYNAMIC_SHARED(shared);
    tensor_attention(64, (act *)shared, starts, heads, scale, queries, query_stride, query_start,
                     keys, key_stride, key_start, value_start, low, high, threshold, kept, out,
                     statistics);
}
#endif
