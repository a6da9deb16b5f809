/* Runs the kernels on a CPU, so that they can be tested where there is no GPU.
 *
 *     cc -O2 -shared -fPIC -o libemulated.so emulator.c -lm
 *
 * with -DACTIVATION_BF16 for activations in bf16. The kernels are included as they are, as C99.
 * Each thread of a block is a fiber (ucontext to make it, setjmp and longjmp to change over) that
 * runs until a barrier; blocks run one after another. Kernels without barriers run as plain loops.
 *
 * What a GPU would make of a mistake is found here: threads of a block that come to different
 * barriers or to none, and shuffles that not all lanes take part in, end the launch with an error;
 * writing past the dynamic shared memory does, too, and it is filled with NaN before each block.
 * With -DEMULATED_BACKWARDS threads and blocks take their turns in the opposite order: results that
 * differ from the other order's show a race. */

#define _DEFAULT_SOURCE
/* Else longjmp to another stack is taken for an attack. */
#undef _FORTIFY_SOURCE

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "emulator.h"

#include "common.cuh"
#include "prototypes.h"

#include "memory.cu"
#include "reduce.cu"
#include "norm.cu"
#include "embedding.cu"
#include "activation.cu"
#include "attention.cu"
#include "attention_backward.cu"
#include "head.cu"
#include "adamw.cu"
#include "words.cu"

#include "emulated_kernels.h"

#define MAX_THREADS 1024
#define MAX_SHARED (48 * 1024)
#define WARP 32
#define STACK_BYTES (64 * 1024)
/* What stands behind the dynamic shared memory. */
#define GUARD_FLOATS 64
#define GUARD_BYTE 0xa5

/* What emulate_launch returns. */
enum { LAUNCHED = 0, NO_SUCH_KERNEL = 1, BAD_LAUNCH = 2, DIVERGED = 3, OUT_OF_SHARED = 4 };

enum state { RUNNABLE, AT_BARRIER, AT_EXCHANGE, FINISHED };

typedef struct {
    emulated_index index;
    enum state state;
    /* Where it waits, with what. */
    int line;
    unsigned mask;
    double value;
    int has_begun;
    jmp_buf at;
    ucontext_t context;
    char *stack;
} Fiber;

static Fiber fibers[MAX_THREADS];
static Fiber *running;
static jmp_buf scheduler;
static ucontext_t scheduler_context;
static const Kernel *kernel;
static void **arguments;
static int diverged;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Back to the scheduler; returns when it is the fiber's turn again. */
static void pause_fiber(enum state state)
{
    running->state = state;
    if (_setjmp(running->at) == 0) {
        _longjmp(scheduler, 1);
    }
}

static void emulated_barrier(int line)
{
    if (!running) {
        diverged = 1;
        return;
    }
    running->line = line;
    pause_fiber(AT_BARRIER);
}

static double emulated_exchange(double value, unsigned mask, int line)
{
    if (!running) {
        diverged = 1;
        return value;
    }
    running->line = line;
    running->mask = mask;
    running->value = value;
    pause_fiber(AT_EXCHANGE);
    return running->value;
}

/* A fiber is kept from block to block. */
static void fiber_main(void)
{
    for (;;) {
        kernel->call(arguments);
        pause_fiber(FINISHED);
    }
}

/* Runs a fiber up to its next barrier or its end; 0 if there is no memory for its stack. */
static int run_fiber(Fiber *fiber)
{
    running = fiber;
    emulated_thread = fiber->index;
    if (_setjmp(scheduler) == 0) {
        if (fiber->has_begun) {
            _longjmp(fiber->at, 1);
        }
        if (!fiber->stack) {
            fiber->stack = malloc(STACK_BYTES);
        }
        if (!fiber->stack || getcontext(&fiber->context) != 0) {
            return 0;
        }
        fiber->context.uc_stack.ss_sp = fiber->stack;
        fiber->context.uc_stack.ss_size = STACK_BYTES;
        fiber->context.uc_link = NULL;
        fiber->has_begun = 1;
        makecontext(&fiber->context, fiber_main, 0);
        swapcontext(&scheduler_context, &fiber->context);
    }
    return 1;
}

static int fail(const char *what, const Fiber *fiber)
{
    fprintf(stderr, "%s: %s; block (%u, %u, %u), thread (%u, %u, %u), line %d\n", kernel->name,
            what, emulated_block.x, emulated_block.y, emulated_block.z, fiber->index.x,
            fiber->index.y, fiber->index.z, fiber->line);
    return DIVERGED;
}

/* Runs a warp until no lane can go on without the block. */
static int run_warp(Fiber *warp, unsigned lanes)
{
    for (;;) {
        unsigned exchanging = 0;
        for (unsigned turn = 0; turn < lanes; turn++) {
#ifdef EMULATED_BACKWARDS
            Fiber *fiber = &warp[lanes - 1 - turn];
#else
            Fiber *fiber = &warp[turn];
#endif
            if (fiber->state == RUNNABLE && !run_fiber(fiber)) {
                return fail("no memory", fiber);
            }
            exchanging += fiber->state == AT_EXCHANGE;
        }
        if (exchanging == 0) {
            return LAUNCHED;
        }
        double values[WARP];
        for (unsigned lane = 0; lane < lanes; lane++) {
            const Fiber *fiber = &warp[lane];
            if (fiber->state != AT_EXCHANGE || fiber->line != warp[0].line
                || fiber->mask != warp[0].mask || (lane ^ fiber->mask) >= lanes) {
                return fail("a lane is not at the shuffle of the others", fiber);
            }
            values[lane] = warp[lane ^ fiber->mask].value;
        }
        for (unsigned lane = 0; lane < lanes; lane++) {
            warp[lane].value = values[lane];
            warp[lane].state = RUNNABLE;
        }
    }
}

static int run_block(unsigned threads)
{
    for (unsigned i = 0; i < threads; i++) {
        unsigned x = emulated_block_size.x, y = emulated_block_size.y;
        fibers[i].index = (emulated_index){i % x, i / x % y, i / x / y};
        fibers[i].state = RUNNABLE;
    }
    for (;;) {
        unsigned warps = (threads + WARP - 1) / WARP;
        for (unsigned turn = 0; turn < warps; turn++) {
#ifdef EMULATED_BACKWARDS
            unsigned first = (warps - 1 - turn) * WARP;
#else
            unsigned first = turn * WARP;
#endif
            unsigned lanes = threads - first < WARP ? threads - first : WARP;
            int outcome = run_warp(fibers + first, lanes);
            if (outcome != LAUNCHED) {
                return outcome;
            }
        }
        /* All wait at a barrier now, or have finished. */
        for (unsigned i = 1; i < threads; i++) {
            if (fibers[i].state != fibers[0].state
                || (fibers[i].state == AT_BARRIER && fibers[i].line != fibers[0].line)) {
                return fail("a thread is not at the barrier of the others", &fibers[i]);
            }
        }
        if (fibers[0].state == FINISHED) {
            return LAUNCHED;
        }
        for (unsigned i = 0; i < threads; i++) {
            fibers[i].state = RUNNABLE;
        }
    }
}

static int run_plain_block(void)
{
    running = NULL;
    for (unsigned z = 0; z < emulated_block_size.z; z++) {
        for (unsigned y = 0; y < emulated_block_size.y; y++) {
            for (unsigned x = 0; x < emulated_block_size.x; x++) {
                emulated_thread = (emulated_index){x, y, z};
                kernel->call(arguments);
            }
        }
    }
    if (diverged) {
        fprintf(stderr, "%s: a barrier in a kernel that is said to have none\n", kernel->name);
        return DIVERGED;
    }
    return LAUNCHED;
}

static int run_grid(emulated_index grid, unsigned threads, size_t shared_bytes)
{
    u64 blocks = (u64)grid.x * grid.y * grid.z;
    unsigned char *guard = (unsigned char *)emulated_shared + shared_bytes;
    for (u64 turn = 0; turn < blocks; turn++) {
#ifdef EMULATED_BACKWARDS
        u64 block = blocks - 1 - turn;
#else
        u64 block = turn;
#endif
        emulated_block = (emulated_index){(unsigned)(block % grid.x),
                                          (unsigned)(block / grid.x % grid.y),
                                          (unsigned)(block / grid.x / grid.y)};
        memset(emulated_shared, 0xff, shared_bytes);
        int outcome = kernel->has_barriers ? run_block(threads) : run_plain_block();
        if (outcome != LAUNCHED) {
            /* The fibers stand somewhere within the kernel: they are begun anew. */
            for (unsigned i = 0; i < MAX_THREADS; i++) {
                fibers[i].has_begun = 0;
            }
            return outcome;
        }
        for (unsigned i = 0; i < GUARD_FLOATS * sizeof(float); i++) {
            if (guard[i] != GUARD_BYTE) {
                fprintf(stderr, "%s: past the dynamic shared memory\n", kernel->name);
                return OUT_OF_SHARED;
            }
        }
    }
    return LAUNCHED;
}

static int launch(emulated_index grid, emulated_index block, size_t shared_bytes)
{
    u64 threads = (u64)block.x * block.y * block.z;
    if (threads == 0 || threads > MAX_THREADS || grid.x == 0 || grid.y == 0 || grid.z == 0
        || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535 || block.z > 64
        || shared_bytes > MAX_SHARED) {
        fprintf(stderr, "%s: cannot be launched as grid (%u, %u, %u), block (%u, %u, %u)\n",
                kernel->name, grid.x, grid.y, grid.z, block.x, block.y, block.z);
        return BAD_LAUNCH;
    }
    static float4 shared[MAX_SHARED / sizeof(float4) + GUARD_FLOATS / 4];
    emulated_shared = (float *)shared;
    memset((char *)emulated_shared + shared_bytes, GUARD_BYTE, GUARD_FLOATS * sizeof(float));
    emulated_grid_size = grid;
    emulated_block_size = block;
    diverged = 0;
    return run_grid(grid, (unsigned)threads, shared_bytes);
}

/* Launches the kernel of that name and waits for it: as cuLaunchKernel, `args` points to each
 * argument. 0 if all went well; otherwise what is wrong is on standard error. One launch runs at a
 * time, whatever thread it comes from. */
int emulate_launch(const char *name, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, size_t shared_bytes,
                   void **args)
{
    int outcome = NO_SUCH_KERNEL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++) {
        if (strcmp(kernels[i].name, name) == 0) {
            kernel = &kernels[i];
            arguments = args;
            outcome = launch((emulated_index){grid_x, grid_y, grid_z},
                             (emulated_index){block_x, block_y, block_z}, shared_bytes);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    if (outcome == NO_SUCH_KERNEL) {
        fprintf(stderr, "no kernel is called %s\n", name);
    }
    return outcome;
}
