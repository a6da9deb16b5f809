/* A driver's library with one GPU, on which the process in FAKE_NVML_PID and two others are. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, INSUFFICIENT_SIZE = 7 };

typedef struct {
    unsigned pid;
    unsigned long long used;
    unsigned instance;
    unsigned compute_instance;
} process;

typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used;
} memory;

typedef struct {
    unsigned gpu, memory;
} rates;

static const unsigned long long GIB = 1ULL << 30;

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = 1;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)&GIB;
    return index == 0 ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    strncpy(name, "NVIDIA Fake\033[31m", length);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(void *device, rates *found) {
    found->gpu = 87;
    found->memory = 10;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(void *device, memory *found) {
    found->total = 80 * GIB;
    found->used = 18 * GIB;
    found->free = 62 * GIB;
    return SUCCESS;
}

static int list(unsigned *count, process *found, const process *listed, unsigned length) {
    if (*count < length || !found) {
        *count = length;
        return INSUFFICIENT_SIZE;
    }
    memcpy(found, listed, length * sizeof *listed);
    *count = length;
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process *found) {
    const char *other = getenv("FAKE_NVML_PID");
    const process listed[] = {
        { (unsigned)getpid(), 2 * GIB, -1U, -1U },
        { other ? (unsigned)atoi(other) : 1, 12 * GIB, -1U, -1U },
        { 4194303, -1ULL, -1U, -1U },
    };
    return list(count, found, listed, 3);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, process *found) {
    const process listed[] = { { (unsigned)getpid(), 2 * GIB, -1U, -1U } };
    return list(count, found, listed, 1);
}
