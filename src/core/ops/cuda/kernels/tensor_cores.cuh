/* Products of 16 × 16 by 16 × 8 bf16 elements on tensor cores, and what feeds them: one function for
 * each instruction. They exist from compute capability 8.0 on, for activations in bf16;
 * `emulated_warp.h` has the same for a CPU.
 *
 * A warp computes one product together: every lane holds a part of each matrix, a fragment. With
 * group = lane / 4 and pair = lane % 4 × 2, as the PTX ISA says under "Matrix Fragments for
 * mma.m16n8k16 with floating point type":
 *   a, [16, 16], four words of two bf16 each, the lower half first:
 *     a[0] = (group, pair), (group, pair + 1)       a[1] = the same of row group + 8
 *     a[2] = (group, pair + 8), (group, pair + 9)   a[3] = the same of row group + 8
 *   b, [16, 8], two words:
 *     b[0] = (pair, group), (pair + 1, group)       b[1] = (pair + 8, group), (pair + 9, group)
 *   c, [16, 8], four floats:
 *     c[0], c[1] = (group, pair), (group, pair + 1)  c[2], c[3] = the same of row group + 8
 * so that two neighbouring c, packed to bf16, are one a. */

#if defined(ACTIVATION_BF16) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800)
#define HAS_TENSOR_CORES
#endif

#ifdef HAS_TENSOR_CORES
#define LANE (threadIdx.x % 32)

#ifdef __cplusplus
/* Two floats as a word of two bf16. */
DEVICE u32 pack_bf16(float low, float high)
{
    u32 packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

/* c += a b. */
DEVICE void mma_16x8x16(float c[4], const u32 a[4], const u32 b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Loads four matrices of 8 × 8 elements from shared memory: lane l gives the address of row l % 8 of
 * matrix l / 8, a multiple of 16 bytes. Of matrix i, a lane gets the elements pair and pair + 1 of
 * row `group` as to[i]. */
DEVICE void load_matrices(const act *row, u32 to[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"((u32)__cvta_generic_to_shared(row))
                 : "memory");
}

/* As load_matrices, but of the transposes: the elements (pair, group) and (pair + 1, group). */
DEVICE void load_transposed_matrices(const act *row, u32 to[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"((u32)__cvta_generic_to_shared(row))
                 : "memory");
}

/* Begins to copy 16 bytes to shared memory, or to set them to 0 unless `is_there`. Both addresses are
 * multiples of 16 bytes. */
DEVICE void begin_copy(act *to, const act *from, int is_there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"((u32)__cvta_generic_to_shared(to)), "l"(from), "r"(is_there ? 16 : 0)
                 : "memory");
}

/* Waits for the copies that this thread began; a barrier makes them visible to the others. */
DEVICE void finish_copies(void)
{
    asm volatile("cp.async.wait_all;" : : : "memory");
}
#endif

/* ---- tiles of 64 rows in shared memory, for blocks of four warps ---- */

#define TENSOR_TILE 64
#define TENSOR_THREADS 128
/* The stride of a tile: eight rows are then in different banks, and every row begins at a multiple of
 * 16 bytes. */
#define TENSOR_STRIDE(width) ((width) + 8)
/* The widest rows, and the fragments that they take: `width` is a constant wherever these functions
 * are called, so that what is not used takes no registers. */
#define TENSOR_WIDTH 64
#define TENSOR_STEPS (TENSOR_WIDTH / 16)
#define TENSOR_COLUMNS (TENSOR_TILE / 8)

/* The row, of the two that a lane holds, of element e of a c; and its column. */
#define C_ROW(e) (LANE / 4 + (e) / 2 * 8)
#define C_COLUMN(e) (LANE % 4 * 2 + (e) % 2)
/* The first of a warp's 16 rows in its block's 64. */
#define WARP_ROW (threadIdx.x / 32 * 16)

/* Begins to load `rows` rows, `stride` apart, of a head into a tile; the rest of the tile becomes 0. */
DEVICE void begin_tile(const act *from, u32 stride, u32 rows, const u32 width, act *tile)
{
    UNROLL
    for (u32 turn = 0; turn < TENSOR_TILE * width / 8 / TENSOR_THREADS; turn++) {
        u32 i = turn * TENSOR_THREADS + threadIdx.x;
        u32 row = i / (width / 8);
        u32 column = i % (width / 8) * 8;
        int is_there = row < rows;
        begin_copy(tile + row * TENSOR_STRIDE(width) + column,
                   from + (is_there ? (u64)row * stride + column : 0), is_there);
    }
}

/* The warp's 16 rows of a tile as left operands, 16 columns each. */
DEVICE void load_rows(const act *tile, const u32 width, u32 rows[TENSOR_STEPS][4])
{
    UNROLL
    for (u32 step = 0; step < width / 16; step++) {
        u32 row = WARP_ROW + LANE % 16;
        load_matrices(tile + row * TENSOR_STRIDE(width) + step * 16 + LANE / 16 * 8, rows[step]);
    }
}

DEVICE void clear_columns(float result[TENSOR_COLUMNS][4])
{
    UNROLL
    for (u32 column = 0; column < TENSOR_COLUMNS; column++) {
        UNROLL
        for (u32 e = 0; e < 4; e++) {
            result[column][e] = 0.0f;
        }
    }
}

/* square [16, 64] = the warp's rows times the rows of a tile; 0 for the tile's rows from `count`,
 * rounded up to 16, on. */
DEVICE void multiply_rows(u32 rows[TENSOR_STEPS][4], const act *tile, const u32 width, u32 count,
                          float square[TENSOR_COLUMNS][4])
{
    clear_columns(square);
    UNROLL
    for (u32 pair = 0; pair < TENSOR_TILE / 16; pair++) {
        if (pair * 16 < count) {
            UNROLL
            for (u32 step = 0; step < width / 16; step++) {
                u32 row = pair * 16 + LANE / 16 * 8 + LANE % 8;
                u32 b[4];
                load_matrices(tile + row * TENSOR_STRIDE(width) + step * 16 + LANE / 8 % 2 * 8, b);
                mma_16x8x16(square[2 * pair], rows[step], b);
                mma_16x8x16(square[2 * pair + 1], rows[step], b + 2);
            }
        }
    }
}

/* result [16, width] += square [16, 64], rounded to bf16, times the first `count` rows of a tile; the
 * square is 0 in other columns. */
DEVICE void add_square_times(float square[TENSOR_COLUMNS][4], const act *tile, const u32 width,
                             u32 count, float result[TENSOR_COLUMNS][4])
{
    UNROLL
    for (u32 step = 0; step < TENSOR_TILE / 16; step++) {
        if (step * 16 < count) {
            u32 a[4];
            a[0] = pack_bf16(square[2 * step][0], square[2 * step][1]);
            a[1] = pack_bf16(square[2 * step][2], square[2 * step][3]);
            a[2] = pack_bf16(square[2 * step + 1][0], square[2 * step + 1][1]);
            a[3] = pack_bf16(square[2 * step + 1][2], square[2 * step + 1][3]);
            UNROLL
            for (u32 pair = 0; pair < width / 16; pair++) {
                u32 row = step * 16 + LANE % 16;
                u32 b[4];
                load_transposed_matrices(
                    tile + row * TENSOR_STRIDE(width) + pair * 16 + LANE / 16 * 8, b);
                mma_16x8x16(result[2 * pair], a, b);
                mma_16x8x16(result[2 * pair + 1], a, b + 2);
            }
        }
    }
}

/* Stores the warp's rows of a result of `rows` rows, `stride` apart, each times its factor. */
DEVICE void store_rows(float result[TENSOR_COLUMNS][4], const float factors[2], const u32 width,
                       u32 rows, act *to, u32 stride)
{
    UNROLL
    for (u32 i = 0; i < 2; i++) {
        u32 row = WARP_ROW + C_ROW(2 * i);
        if (row < rows) {
            UNROLL
            for (u32 column = 0; column < width / 8; column++) {
                act *pair = to + (u64)row * stride + column * 8 + C_COLUMN(0);
                *(u32 *)pair = pack_bf16(result[column][2 * i] * factors[i],
                                         result[column][2 * i + 1] * factors[i]);
            }
        }
    }
}

/* The maximum, and the sum, over the four lanes that share rows. */
DEVICE float highest_of_lanes(float value)
{
    value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, 1));
    return fmaxf(value, __shfl_xor_sync(ALL_LANES, value, 2));
}

DEVICE float sum_of_lanes(float value)
{
    value += __shfl_xor_sync(ALL_LANES, value, 1);
    return value + __shfl_xor_sync(ALL_LANES, value, 2);
}
#endif
