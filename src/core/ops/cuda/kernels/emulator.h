/* The CUDA C keywords and functions that the kernels use, for a CPU: with these the kernels are
 * C99. See emulator.c. */

#ifndef EMULATOR_H
#define EMULATOR_H

#include <math.h>
#include <stddef.h>

#define DEVICE static inline __attribute__((unused))
#define KERNEL static void
#define BOUNDED_KERNEL(threads, blocks) static void
#define UNROLL
#define __shared__ static
#define DYNAMIC_SHARED(name) float *name = emulated_shared

typedef struct {
    unsigned x, y, z;
} emulated_index;

typedef struct {
    float x, y, z, w;
} __attribute__((aligned(16))) float4;

typedef struct {
    unsigned short x, y, z, w;
} __attribute__((aligned(8))) ushort4;

/* The indices of the thread that is running, and the block's dynamic shared memory. */
static emulated_index emulated_thread, emulated_block, emulated_block_size, emulated_grid_size;
static float *emulated_shared;
#define threadIdx emulated_thread
#define blockIdx emulated_block
#define blockDim emulated_block_size
#define gridDim emulated_grid_size

/* A barrier of the block; an operation of a whole warp, which gets the operand of every lane and returns
 * what is wrong, or null; and an exchange of values: a double holds each type that is exchanged. `line`
 * identifies the barrier. */
typedef const char *(*emulated_operation)(void **operands, unsigned lanes);
static void emulated_barrier(int line);
static void emulated_collective(emulated_operation operation, void *operand, int line);
static double emulated_exchange(double value, unsigned mask, int line);
#define __syncthreads() emulated_barrier(__LINE__)
#define __shfl_xor_sync(lanes, value, mask) \
    ((__typeof__(value))emulated_exchange((double)(value), (unsigned)(mask), __LINE__))

/* Begins a copy to shared memory of 16 bytes, of which `bytes` are copied and the rest set to 0; and
 * finishes those of the thread that is running. */
static void emulated_begin_copy(void *to, const void *from, unsigned bytes);
static void emulated_finish_copies(void);

DEVICE float __uint_as_float(unsigned bits)
{
    union {
        unsigned bits;
        float value;
    } both = {bits};
    return both.value;
}

DEVICE unsigned __float_as_uint(float value)
{
    union {
        float value;
        unsigned bits;
    } both = {value};
    return both.bits;
}

/* Rounded after every operation. A product goes through memory, so that compilers do not fuse it
 * with a sum. */
DEVICE float __fmul_rn(float a, float b)
{
    volatile float product = a * b;
    return product;
}

DEVICE float __fadd_rn(float a, float b)
{
    return a + b;
}

DEVICE float __fsub_rn(float a, float b)
{
    return a - b;
}

DEVICE float __fdiv_rn(float a, float b)
{
    return a / b;
}

DEVICE double __dmul_rn(double a, double b)
{
    volatile double product = a * b;
    return product;
}

DEVICE double __dsub_rn(double a, double b)
{
    return a - b;
}

DEVICE float __fsqrt_rn(float a)
{
    return sqrtf(a);
}

#endif
