/* Runs the kernels on a CPU, so that they can be tested where there is no GPU.
 *
 *     cc -O2 -shared -fPIC -o libemulated.so emulator.c -lm
 *
 * with -DACTIVATION_BF16 for activations in bf16. The kernels are included as they are, as C99.
 * Each thread of a block is a fiber (ucontext to make it, setjmp and longjmp to switch) that
 * runs until a barrier; blocks run one after another. Kernels without barriers run as plain loops.
 *
 * Mistakes are detected: threads of a block at different barriers, shuffles and products without all
 * lanes, copies that nobody waits for, and writes past the dynamic shared memory end the launch with an
 * error; that memory is filled with NaN before each block. With -DEMULATED_BACKWARDS threads and blocks run in the opposite order:
 * results that differ between the two orders show a race. */

#define _DEFAULT_SOURCE
/* Otherwise glibc aborts at a longjmp to another stack. */
#undef _FORTIFY_SOURCE

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "emulator.h"
#include "emulated_warp.h"

#include "common.cuh"
#include "tensor_cores.cuh"
#include "prototypes.h"

#include "memory.cu"
#include "reduce.cu"
#include "norm.cu"
#include "embedding.cu"
#include "activation.cu"
#include "attention.cu"
#include "attention_backward.cu"
#include "attention_tensor.cu"
#include "attention_tensor_backward.cu"
#include "relative.cu"
#include "head.cu"
#include "pretraining.cu"
#include "adamw.cu"
#include "token_rows.cu"

#include "emulated_kernels.h"

#define MAX_THREADS 1024
#define MAX_SHARED (48 * 1024)
#define WARP 32
#define STACK_BYTES (64 * 1024)
/* The most copies that a thread begins before it waits. */
#define MAX_COPIES 32
/* The guard after the dynamic shared memory. */
#define GUARD_FLOATS 64
#define GUARD_BYTE 0xa5

/* What emulate_launch returns. */
enum { LAUNCHED = 0, NO_SUCH_KERNEL = 1, BAD_LAUNCH = 2, DIVERGED = 3, OUT_OF_SHARED = 4 };

enum state { RUNNABLE, AT_BARRIER, AT_EXCHANGE, FINISHED };

typedef struct {
    void *to;
    const void *from;
    unsigned bytes;
} Copy;

typedef struct {
    emulated_index index;
    enum state state;
    /* The line of the barrier or the warp's operation, and that operation with its operand. */
    int line;
    emulated_operation operation;
    void *operand;
    /* The copies that were begun. */
    Copy copies[MAX_COPIES];
    unsigned copy_count;
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
/* What the thread that is running did wrong, or null. */
static const char *mistake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Switches to the scheduler; returns when the fiber is resumed. */
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

static void emulated_collective(emulated_operation operation, void *operand, int line)
{
    if (!running) {
        diverged = 1;
        return;
    }
    running->line = line;
    running->operation = operation;
    running->operand = operand;
    pause_fiber(AT_EXCHANGE);
}

static void emulated_begin_copy(void *to, const void *from, unsigned bytes)
{
    if (!running) {
        diverged = 1;
    } else if ((size_t)to % 16 != 0 || (size_t)from % 16 != 0) {
        mistake = "a copy is not at a multiple of 16 bytes";
    } else if (running->copy_count == MAX_COPIES) {
        mistake = "too many copies at once";
    } else {
        running->copies[running->copy_count++] = (Copy){to, from, bytes};
    }
}

static void emulated_finish_copies(void)
{
    for (unsigned i = 0; running && i < running->copy_count; i++) {
        const Copy *copy = &running->copies[i];
        memset(copy->to, 0, 16);
        memcpy(copy->to, copy->from, copy->bytes);
    }
    if (running) {
        running->copy_count = 0;
    }
}

/* Fibers are reused from block to block. */
static void fiber_main(void)
{
    for (;;) {
        kernel->call(arguments);
        pause_fiber(FINISHED);
    }
}

/* Runs a fiber to its next barrier or its end; 0 if its stack cannot be allocated. */
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

/* Runs a warp until every lane has finished or is at a barrier. */
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
            if (mistake) {
                return fail(mistake, fiber);
            }
            exchanging += fiber->state == AT_EXCHANGE;
        }
        if (exchanging == 0) {
            return LAUNCHED;
        }
        void *operands[WARP];
        for (unsigned lane = 0; lane < lanes; lane++) {
            const Fiber *fiber = &warp[lane];
            if (fiber->state != AT_EXCHANGE || fiber->line != warp[0].line
                || fiber->operation != warp[0].operation) {
                return fail("a lane is not at the operation of the others", fiber);
            }
            operands[lane] = fiber->operand;
        }
        const char *wrong = warp[0].operation(operands, lanes);
        if (wrong) {
            return fail(wrong, &warp[0]);
        }
        for (unsigned lane = 0; lane < lanes; lane++) {
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
        fibers[i].copy_count = 0;
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
        /* Every thread is at a barrier or has finished. */
        for (unsigned i = 1; i < threads; i++) {
            if (fibers[i].state != fibers[0].state
                || (fibers[i].state == AT_BARRIER && fibers[i].line != fibers[0].line)) {
                return fail("a thread is not at the barrier of the others", &fibers[i]);
            }
        }
        if (fibers[0].state == FINISHED) {
            for (unsigned i = 0; i < threads; i++) {
                if (fibers[i].copy_count > 0) {
                    return fail("a copy that nobody waits for", &fibers[i]);
                }
            }
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
        fprintf(stderr, "%s: a barrier in a kernel that is listed without barriers\n", kernel->name);
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
            /* The fibers are suspended within the kernel: later launches restart them. */
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
    mistake = NULL;
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
