/* A stand-in for NCCL in tests: ranks are threads of one process, whose "GPUs" have the host's memory.
   Sums are added in the order of the ranks. As with NCCL, a rank that does not come is waited for until
   the communicator is aborted. */

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, REMOTE_ERROR = 6, MAX_RANKS = 16, MAX_GROUP = 16 };

typedef struct { char internal[128]; } ncclUniqueId;

struct ranks {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count, arrived;
    unsigned round;
    float *values[MAX_RANKS];
    size_t counts[MAX_RANKS];
};

struct communicator {
    struct ranks *ranks;
    int rank;
    volatile int aborted;
};

struct call {
    struct communicator *communicator;
    float *values;
    size_t count;
};

static _Thread_local struct call group[MAX_GROUP];
static _Thread_local int grouped, depth;

const char *ncclGetErrorString(int status) {
    return status == REMOTE_ERROR ? "remote process exited or there was a network error" : "stand-in failed";
}

int ncclGetVersion(int *version) {
    *version = 22703;
    return SUCCESS;
}

int ncclGetUniqueId(ncclUniqueId *id) {
    struct ranks *ranks = calloc(1, sizeof *ranks);
    if (!ranks) return SYSTEM_ERROR;
    pthread_mutex_init(&ranks->lock, NULL);
    pthread_cond_init(&ranks->changed, NULL);
    memset(id, 0, sizeof *id);
    memcpy(id->internal, &ranks, sizeof ranks);
    return SUCCESS;
}

/* Waits until all ranks are here. */
static int meet(struct communicator *own) {
    struct ranks *ranks = own->ranks;
    pthread_mutex_lock(&ranks->lock);
    unsigned round = ranks->round;
    if (++ranks->arrived == ranks->count) {
        ranks->arrived = 0;
        ranks->round++;
        pthread_cond_broadcast(&ranks->changed);
    }
    while (round == ranks->round && !own->aborted) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 5000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&ranks->changed, &ranks->lock, &until);
    }
    int status = round == ranks->round ? REMOTE_ERROR : SUCCESS;
    pthread_mutex_unlock(&ranks->lock);
    return status;
}

int ncclCommInitRank(struct communicator **to, int count, ncclUniqueId id, int rank) {
    struct ranks *ranks;
    memcpy(&ranks, id.internal, sizeof ranks);
    struct communicator *own = calloc(1, sizeof *own);
    if (!own || count > MAX_RANKS || rank < 0 || rank >= count) return INVALID_ARGUMENT;
    own->ranks = ranks;
    own->rank = rank;
    pthread_mutex_lock(&ranks->lock);
    ranks->count = count;
    pthread_mutex_unlock(&ranks->lock);
    *to = own;
    return meet(own);
}

static int add_up(const struct call *call) {
    struct ranks *ranks = call->communicator->ranks;
    int rank = call->communicator->rank;
    ranks->values[rank] = call->values;
    ranks->counts[rank] = call->count;
    int status = meet(call->communicator);
    if (status) return status;
    float *sums = malloc(call->count * sizeof *sums);
    if (!sums) return SYSTEM_ERROR;
    for (int other = 0; other < ranks->count; other++) {
        if (ranks->counts[other] != call->count) {
            free(sums);
            return INVALID_ARGUMENT;
        }
        for (size_t i = 0; i < call->count; i++)
            sums[i] = other == 0 ? ranks->values[0][i] : sums[i] + ranks->values[other][i];
    }
    status = meet(call->communicator);
    if (!status) {
        memcpy(call->values, sums, call->count * sizeof *sums);
        status = meet(call->communicator);
    }
    free(sums);
    return status;
}

int ncclGroupStart(void) {
    depth++;
    return SUCCESS;
}

int ncclGroupEnd(void) {
    if (--depth > 0) return SUCCESS;
    int status = SUCCESS;
    for (int i = 0; i < grouped && !status; i++) status = add_up(&group[i]);
    grouped = 0;
    return status;
}

int ncclAllReduce(const void *from, void *to, size_t count, int type, int operation,
                  struct communicator *communicator, void *stream) {
    (void)stream;
    if (from != to || type != 7 || operation != 0 || grouped == MAX_GROUP) return INVALID_ARGUMENT;
    struct call call = {communicator, to, count};
    if (depth == 0) return add_up(&call);
    group[grouped++] = call;
    return SUCCESS;
}

int ncclCommGetAsyncError(struct communicator *communicator, int *status) {
    *status = communicator->aborted ? REMOTE_ERROR : SUCCESS;
    return SUCCESS;
}

/* The memory of a communicator stays: a thread may still be in `meet`. */
int ncclCommAbort(struct communicator *communicator) {
    communicator->aborted = 1;
    return SUCCESS;
}

int ncclCommDestroy(struct communicator *communicator) {
    communicator->aborted = 1;
    return SUCCESS;
}
