/* Definitions for all kernels: types, rounding, rows by four columns, dropout, sums in a fixed
 * order.
 *
 * The kernels are CUDA C without any header, and at the same time C99: `emulator.h` defines the
 * macros below for a CPU. All arithmetic is in float unless it says double, and no float is ever
 * added atomically: the order of every sum depends only on the launch. */

#ifdef __cplusplus
/* A function that kernels call. */
#define DEVICE static __device__ __forceinline__
/* A kernel; and one with a maximum number of threads per block, and a minimum number of blocks that
 * share the registers of a multiprocessor. */
#define KERNEL extern "C" __global__ void
#define BOUNDED_KERNEL(threads, blocks) \
    extern "C" __global__ void __launch_bounds__(threads, blocks)
/* The dynamic shared memory. */
#define DYNAMIC_SHARED(name) \
    extern __shared__ float4 dynamic_shared[]; \
    float *name = (float *)dynamic_shared
#define UNROLL _Pragma("unroll")
#endif

typedef unsigned int u32;
typedef unsigned long long u64;

/* ---- the element of activations ---- */

#ifdef ACTIVATION_BF16
/* bf16 as its bits: the upper half of a float's. */
DEVICE float bf16_to_float(unsigned short bits)
{
    return __uint_as_float((u32)bits << 16);
}

/* Rounds to nearest, ties to even; NaN stays NaN. */
DEVICE unsigned short float_to_bf16(float value)
{
    u32 bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (unsigned short)((bits >> 16) | 0x40u);
    }
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

typedef unsigned short act;
typedef ushort4 act_four;
#define to_float(value) bf16_to_float(value)
#define to_act(value) float_to_bf16(value)
#else
typedef float act;
typedef float4 act_four;
#define to_float(value) (value)
#define to_act(value) (value)
#endif

/* Rounds a value as if it were stored as an activation and loaded again. */
DEVICE float rounded(float value)
{
    return to_float(to_act(value));
}

/* ---- four neighbours ---- */

/* How many of the four columns from `column` on exist. */
DEVICE u32 columns_left(u32 column, u32 width)
{
    return column >= width ? 0 : width - column < 4 ? width - column : 4;
}

/* The first `count` (at most 4) elements at `from`, then zeros. */
DEVICE void load_four(const act *from, u32 count, float *to)
{
    if (count == 4 && (u64)from % sizeof(act_four) == 0) {
        act_four four = *(const act_four *)from;
        to[0] = to_float(four.x);
        to[1] = to_float(four.y);
        to[2] = to_float(four.z);
        to[3] = to_float(four.w);
    } else {
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            to[i] = i < count ? to_float(from[i]) : 0.0f;
        }
    }
}

/* As load_four, but always of floats. */
DEVICE void load_four_floats(const float *from, u32 count, float *to)
{
    if (count == 4 && (u64)from % sizeof(float4) == 0) {
        float4 four = *(const float4 *)from;
        to[0] = four.x;
        to[1] = four.y;
        to[2] = four.z;
        to[3] = four.w;
    } else {
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            to[i] = i < count ? from[i] : 0.0f;
        }
    }
}

/* Stores the first `count` (at most 4) of four values. */
DEVICE void store_four(act *to, u32 count, const float *from)
{
    if (count == 4 && (u64)to % sizeof(act_four) == 0) {
        act_four four;
        four.x = to_act(from[0]);
        four.y = to_act(from[1]);
        four.z = to_act(from[2]);
        four.w = to_act(from[3]);
        *(act_four *)to = four;
    } else {
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            if (i < count) {
                to[i] = to_act(from[i]);
            }
        }
    }
}

/* As store_four, but always to floats. */
DEVICE void store_four_floats(float *to, u32 count, const float *from)
{
    if (count == 4 && (u64)to % sizeof(float4) == 0) {
        float4 four;
        four.x = from[0];
        four.y = from[1];
        four.z = from[2];
        four.w = from[3];
        *(float4 *)to = four;
    } else {
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            if (i < count) {
                to[i] = from[i];
            }
        }
    }
}

/* ---- dropout ---- */

/* A bijective 32-bit hash (Chris Wellons, "lowbias32"). */
DEVICE u32 mix32(u32 x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* The key of a row's dropout pattern. */
DEVICE u32 row_key(u32 row, u32 low, u32 high)
{
    return mix32(mix32(row ^ low) + high);
}

/* The dropout factor of the element in this column of the row. */
DEVICE float dropout_factor(u32 key, u32 column, u32 threshold, float kept)
{
    return threshold == 0 || mix32(key ^ (column * 0x9e3779b9u)) >= threshold ? kept : 0.0f;
}

/* ---- sums ---- */

#define ALL_LANES 0xffffffffu

/* The sum of 32 lanes' values, the same in each. */
DEVICE float warp_sum(float value)
{
    for (int mask = 16; mask > 0; mask /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, mask);
    }
    return value;
}

DEVICE double warp_sum_double(double value)
{
    for (int mask = 16; mask > 0; mask /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, mask);
    }
    return value;
}

/* The sums of a block's values of a and of b, the same in each thread. The block is one row of
 * whole warps. */
DEVICE void block_sums(float *a, float *b)
{
    __shared__ float partial_a[32];
    __shared__ float partial_b[32];
    *a = warp_sum(*a);
    *b = warp_sum(*b);
    if (blockDim.x > 32) {
        if (threadIdx.x % 32 == 0) {
            partial_a[threadIdx.x / 32] = *a;
            partial_b[threadIdx.x / 32] = *b;
        }
        __syncthreads();
        *a = 0.0f;
        *b = 0.0f;
        for (u32 warp = 0; warp < blockDim.x / 32; warp++) {
            *a += partial_a[warp];
            *b += partial_b[warp];
        }
        __syncthreads();
    }
}

/* The sum of a block's values; as block_sums. */
DEVICE float block_sum(float value)
{
    __shared__ float partial[32];
    value = warp_sum(value);
    if (blockDim.x > 32) {
        if (threadIdx.x % 32 == 0) {
            partial[threadIdx.x / 32] = value;
        }
        __syncthreads();
        value = 0.0f;
        for (u32 warp = 0; warp < blockDim.x / 32; warp++) {
            value += partial[warp];
        }
        __syncthreads();
    }
    return value;
}

/* As block_sum, in double. */
DEVICE double block_sum_double(double value)
{
    __shared__ double partial[32];
    value = warp_sum_double(value);
    if (threadIdx.x % 32 == 0) {
        partial[threadIdx.x / 32] = value;
    }
    __syncthreads();
    value = 0.0;
    for (u32 warp = 0; warp < blockDim.x / 32; warp++) {
        value += partial[warp];
    }
    __syncthreads();
    return value;
}
