/* Multi-head attention (Vaswani et al., 2017) within each sequence of a packed batch, after Dao et
 * al., 2022: a block handles 32 queries of one head and loops over the keys 32 at a time, so that
 * no matrix of the size of a sequence squared is stored.
 *
 * The block is 128 threads. Its shared memory holds, in float, two tiles of 32 rows of a head and
 * one square of 32 × 32 coefficients. A block computes 64 columns of the result: where a head is
 * wider, each slice of its columns has its own blocks (blockIdx.z is the tile × the slices + the
 * slice). */

/* Rows of a tile. */
#define TILE 32
#define ATTENTION_THREADS 128
/* The minimum number of resident blocks of a multiprocessor; more need too many registers. */
#define ATTENTION_BLOCKS 5
/* Columns of the result that a block computes. */
#define SLICE 64
/* The stride of the square: a multiple of four, with few bank conflicts. */
#define SQUARE_STRIDE 36

/* The part of the problem that one block handles. */
typedef struct {
    /* The first packed row of the sequence, and its number of rows. */
    u32 start;
    u32 length;
    /* The first row of its queries in their matrix, and their number. */
    u32 query_row;
    u32 queries;
    u32 head;
    /* The tile's first row within the sequence. */
    u32 first;
    /* The first column of the result that the block computes. */
    u32 slice;
    /* Columns of a head rounded up to four, and the stride of a tile. */
    u32 columns;
    u32 stride;
    float *left;
    float *right;
    float *square;
} BlockTask;

DEVICE BlockTask block_task(const u32 *starts, u32 width, int first_only, float *shared)
{
    u32 slices = (width + SLICE - 1) / SLICE;
    BlockTask task;
    task.start = starts[blockIdx.x];
    task.length = starts[blockIdx.x + 1] - task.start;
    task.query_row = first_only ? blockIdx.x : task.start;
    task.queries = first_only ? 1 : task.length;
    task.head = blockIdx.y;
    task.first = blockIdx.z / slices * TILE;
    task.slice = blockIdx.z % slices * SLICE;
    task.columns = (width + 3) / 4 * 4;
    task.stride = task.columns + 4;
    task.left = shared;
    task.right = shared + TILE * task.stride;
    task.square = shared + 2 * TILE * task.stride;
    return task;
}

DEVICE u32 at_most_a_tile(u32 rows)
{
    return rows < TILE ? rows : TILE;
}

/* Loads `rows` rows, `stride` apart, of one head into a tile; sets the rest of the tile to 0. */
DEVICE void load_tile(const act *from, u32 stride, u32 rows, u32 width, const BlockTask *task,
                      float *tile)
{
    u32 groups = task->columns / 4;
    for (u32 i = threadIdx.x; i < TILE * groups; i += ATTENTION_THREADS) {
        u32 row = i / groups;
        u32 column = i % groups * 4;
        float values[4];
        u32 count = row < rows ? columns_left(column, width) : 0;
        load_four(from + (u64)row * stride + column, count, values);
        store_four_floats(tile + row * task->stride + column, 4, values);
    }
}

/* The elements of a square of queries and keys that a thread handles: two queries, 16 apart, by
 * four keys, 8 apart. */
#define QUERY_OF(i) (threadIdx.x / 8 + 16 * (i))
#define KEY_OF(j) (threadIdx.x % 8 + 8 * (j))

/* dots = rows of the left tile (queries) times rows of the right tile (keys). Always summed in the
 * same order, so that all kernels compute the same values. */
DEVICE void tile_dots(const BlockTask *task, float dots[2][4])
{
    for (u32 i = 0; i < 2; i++) {
        for (u32 j = 0; j < 4; j++) {
            dots[i][j] = 0.0f;
        }
    }
    for (u32 column = 0; column < task->columns; column += 4) {
        float4 a[2];
        float4 b[4];
        UNROLL
        for (u32 i = 0; i < 2; i++) {
            a[i] = *(const float4 *)(task->left + QUERY_OF(i) * task->stride + column);
        }
        UNROLL
        for (u32 j = 0; j < 4; j++) {
            b[j] = *(const float4 *)(task->right + KEY_OF(j) * task->stride + column);
        }
        UNROLL
        for (u32 i = 0; i < 2; i++) {
            UNROLL
            for (u32 j = 0; j < 4; j++) {
                dots[i][j] += a[i].x * b[j].x;
                dots[i][j] += a[i].y * b[j].y;
                dots[i][j] += a[i].z * b[j].z;
                dots[i][j] += a[i].w * b[j].w;
            }
        }
    }
}

/* The elements of a result of 32 rows and 64 columns that a thread handles: four rows and four
 * columns. */
#define RESULT_ROW (threadIdx.x / 16 * 4)
#define RESULT_COLUMN(task) ((task)->slice + threadIdx.x % 16 * 4)

/* result[row][column] += the sum over `count` t of square[t][row] × tile[t][column]. */
DEVICE void add_product(const BlockTask *task, const float *tile, u32 count, float result[4][4])
{
    u32 column = RESULT_COLUMN(task);
    if (column >= task->columns) {
        return;
    }
    for (u32 t = 0; t < count; t++) {
        float4 a = *(const float4 *)(task->square + t * SQUARE_STRIDE + RESULT_ROW);
        float4 b = *(const float4 *)(tile + t * task->stride + column);
        float rows[4] = {a.x, a.y, a.z, a.w};
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            result[i][0] += rows[i] * b.x;
            result[i][1] += rows[i] * b.y;
            result[i][2] += rows[i] * b.z;
            result[i][3] += rows[i] * b.w;
        }
    }
}

DEVICE void clear_result(float result[4][4])
{
    UNROLL
    for (u32 i = 0; i < 4; i++) {
        for (u32 j = 0; j < 4; j++) {
            result[i][j] = 0.0f;
        }
    }
}

/* Stores the first `rows` rows of the result; `to` is the tile's first row of this head. */
DEVICE void store_result(const BlockTask *task, float result[4][4], u32 rows, u32 width, act *to,
                         u32 stride)
{
    u32 column = RESULT_COLUMN(task);
    u32 count = columns_left(column, width);
    if (count > 0) {
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            if (RESULT_ROW + i < rows) {
                store_four(to + (u64)(RESULT_ROW + i) * stride + column, count, result[i]);
            }
        }
    }
}

/* The maximum, and the sum, over the eight threads that share queries. */
DEVICE float highest_of_row(float value)
{
    for (int mask = 4; mask > 0; mask /= 2) {
        value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, mask));
    }
    return value;
}

DEVICE float sum_of_row(float value)
{
    for (int mask = 4; mask > 0; mask /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, mask);
    }
    return value;
}

/* Adds the terms of relative positions, if there are any, to the scores of a tile of queries, from row
 * `query_row` on, and of keys, from position `first` on. */
DEVICE void add_relative(const float *relative, u32 longest, u32 heads, u32 head, u64 query_row,
                         u32 query_count, u32 first, u32 count, float scores[2][4])
{
    if (!relative) {
        return;
    }
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        UNROLL
        for (u32 j = 0; j < 4; j++) {
            if (QUERY_OF(i) < query_count && KEY_OF(j) < count) {
                u64 pair = ((query_row + QUERY_OF(i)) * heads + head) * longest;
                scores[i][j] += relative[pair + first + KEY_OF(j)];
            }
        }
    }
}

BOUNDED_KERNEL(ATTENTION_THREADS, ATTENTION_BLOCKS)
attention(const u32 *starts, u32 heads, u32 width, float scale, int first_only, const act *queries,
          u32 query_stride, u32 query_start, const act *keys, u32 key_stride, u32 key_start,
          u32 value_start, u32 low, u32 high, u32 threshold, float kept,
          const float *relative, u32 longest, act *out, float *statistics)
{
    DYNAMIC_SHARED(shared);
    /* The factor that rescales each query's partial result (online softmax). */
    __shared__ float factors[TILE];
    BlockTask task = block_task(starts, width, first_only, shared);
    if (task.first >= task.queries) {
        return;
    }
    u32 query_count = at_most_a_tile(task.queries - task.first);
    u64 query_row = task.query_row + task.first;
    u32 head_column = task.head * width;
    const act *q = queries + query_row * query_stride + query_start + head_column;
    const act *kv = keys + (u64)task.start * key_stride + head_column;
    load_tile(q, query_stride, query_count, width, &task, task.left);

    float highest[2];
    float sum[2];
    u32 key[2];
    for (u32 i = 0; i < 2; i++) {
        u32 row = task.start + task.first + QUERY_OF(i);
        key[i] = row_key(row * heads + task.head, low, high);
        highest[i] = __uint_as_float(0xff800000u);
        sum[i] = 0.0f;
    }
    float result[4][4];
    clear_result(result);
    for (u32 first = 0; first < task.length; first += TILE) {
        u32 count = at_most_a_tile(task.length - first);
        const act *tile_keys = kv + (u64)first * key_stride;
        __syncthreads();
        load_tile(tile_keys + key_start, key_stride, count, width, &task, task.right);
        __syncthreads();
        float scores[2][4];
        tile_dots(&task, scores);
        add_relative(relative, longest, heads, task.head, query_row, query_count, first, count,
                     scores);
        UNROLL
        for (u32 i = 0; i < 2; i++) {
            float top = highest[i];
            for (u32 j = 0; j < 4; j++) {
                scores[i][j] *= scale;
                if (KEY_OF(j) < count) {
                    top = fmaxf(top, scores[i][j]);
                }
            }
            top = highest_of_row(top);
            float factor = expf(highest[i] - top);
            highest[i] = top;
            sum[i] *= factor;
            for (u32 j = 0; j < 4; j++) {
                float p = KEY_OF(j) < count ? expf(scores[i][j] - top) : 0.0f;
                sum[i] += p;
                p *= dropout_factor(key[i], first + KEY_OF(j), threshold, kept);
                task.square[KEY_OF(j) * SQUARE_STRIDE + QUERY_OF(i)] = p;
            }
            if (threadIdx.x % 8 == 0) {
                factors[QUERY_OF(i)] = factor;
            }
        }
        __syncthreads();
        load_tile(tile_keys + value_start, key_stride, count, width, &task, task.right);
        __syncthreads();
        for (u32 i = 0; i < 4; i++) {
            for (u32 j = 0; j < 4; j++) {
                result[i][j] *= factors[RESULT_ROW + i];
            }
        }
        add_product(&task, task.right, count, result);
    }
    __syncthreads();
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        float total = sum_of_row(sum[i]);
        if (threadIdx.x % 8 == 0) {
            factors[QUERY_OF(i)] = 1.0f / total;
            if (QUERY_OF(i) < query_count && task.slice == 0) {
                u64 at = (query_row + QUERY_OF(i)) * heads + task.head;
                statistics[at] = highest[i] + logf(total);
            }
        }
    }
    __syncthreads();
    for (u32 i = 0; i < 4; i++) {
        for (u32 j = 0; j < 4; j++) {
            result[i][j] *= factors[RESULT_ROW + i];
        }
    }
    u32 hidden = heads * width;
    act *to = out + query_row * hidden + head_column;
    store_result(&task, result, query_count, width, to, hidden);
}
