// A library for LD_PRELOAD that makes system calls of a program fail, for tests/integration/faults.
//
// A seccomp filter traps the chosen calls, so that calls that do not go through libc (those of the
// rustix crate) are seen too. The handler of SIGSYS decides, and makes the call itself with a
// cookie in the sixth argument, which the filter lets pass. Linux, x86-64 and AArch64.
//
// Environment:
//   FAULT_CALLS   names of calls, separated by commas: "write" stands for write, pwrite64, writev;
//                 "open" for open, openat, creat; "fsync" for fsync, fdatasync; "rename", "unlink"
//                 (also rmdir), "mkdir" for their variants; "ftruncate", "close"
//   FAULT_PATH    pattern of the path, with * and ?; that of a rename is "OLD -> NEW"
//   FAULT_DATA    text that a write must begin with
//   FAULT_NTH     the first matching call that fails, from 1 (default 1)
//   FAULT_COUNT   the number of calls that fail; 0: all from then on (default 1)
//   FAULT_ACTION  an error number; "short" (half of a write is done), "kill" (SIGKILL before the
//                 call), "tear" (half of the write, then SIGKILL), "stop" (SIGSTOP before the call)
//                 or "count" (nothing)
//   FAULT_LOG     a file that receives one line for each matching call: number, "!" if it failed or
//                 "." if not, name, path

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define ARGUMENT(context, n)                                                                       \
    ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8}[n]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define ARGUMENT(context, n) ((context)->uc_mcontext.regs[n])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#else
#error "no registers for this architecture"
#endif

#define COOKIE 0x6661756c74ULL

// The kinds of arguments that name the path.
enum place { FD, PATH, AT, TWO_PATHS, TWO_AT };

struct call {
    int number;
    const char *name;
    enum place place;
};

static const struct call CALLS[] = {
    {SYS_write, "write", FD},
    {SYS_pwrite64, "write", FD},
    {SYS_writev, "write", FD},
    {SYS_openat, "open", AT},
    {SYS_fsync, "fsync", FD},
    {SYS_fdatasync, "fsync", FD},
    {SYS_renameat2, "rename", TWO_AT},
    {SYS_unlinkat, "unlink", AT},
    {SYS_mkdirat, "mkdir", AT},
    {SYS_ftruncate, "ftruncate", FD},
    {SYS_close, "close", FD},
#ifdef SYS_renameat
    {SYS_renameat, "rename", TWO_AT},
#endif
#ifdef SYS_open
    {SYS_open, "open", PATH},
    {SYS_creat, "open", PATH},
    {SYS_rename, "rename", TWO_PATHS},
    {SYS_unlink, "unlink", PATH},
    {SYS_rmdir, "unlink", PATH},
    {SYS_mkdir, "mkdir", PATH},
#endif
};
#define CALL_COUNT ((int)(sizeof CALLS / sizeof *CALLS))

enum action { FAIL, SHORT, KILL, TEAR, STOP, COUNT };

static const char *path_pattern, *data_prefix;
static enum action action;
static int error_number, first = 1, times = 1, log_file = -1;
static int seen;

static long again(long number, const long *a) {
    return syscall(number, a[0], a[1], a[2], a[3], a[4], COOKIE);
}

static int matches(const char *pattern, const char *text) {
    for (; *pattern; pattern++, text++) {
        if (*pattern == '*') {
            do {
                if (matches(pattern + 1, text)) return 1;
            } while (*text++);
            return 0;
        }
        if (!*text || (*pattern != '?' && *pattern != *text)) return 0;
    }
    return !*text;
}

static void path_of_fd(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
}

// The path as it is given, after that of the folder that it is relative to, if that is open.
static size_t path_at(int folder, const char *name, char *path, size_t size) {
    size_t length = 0;
    if (folder >= 0 && *name != '/') {
        path_of_fd(folder, path, size);
        length = strlen(path);
        if (length + 1 < size) path[length++] = '/';
    }
    snprintf(path + length, size - length, "%s", name);
    return strlen(path);
}

static void subject(const struct call *call, const long *a, char *path, size_t size) {
    size_t length = 0;
    switch (call->place) {
    case FD: path_of_fd((int)a[0], path, size); return;
    case PATH: path_at(-1, (const char *)a[0], path, size); return;
    case AT: path_at((int)a[0], (const char *)a[1], path, size); return;
    case TWO_PATHS: length = path_at(-1, (const char *)a[0], path, size); break;
    case TWO_AT: length = path_at((int)a[0], (const char *)a[1], path, size); break;
    }
    length += (size_t)snprintf(path + length, size - length, " -> ");
    if (length >= size) return;
    int two_at = call->place == TWO_AT;
    path_at(two_at ? (int)a[2] : -1, (const char *)a[two_at ? 3 : 1], path + length, size - length);
}

static const char *data_of(long number, const long *a, size_t *length) {
    if (number == SYS_writev) {
        const struct iovec *parts = (const struct iovec *)a[1];
        *length = a[2] > 0 ? parts->iov_len : 0;
        return a[2] > 0 ? parts->iov_base : "";
    }
    *length = (size_t)a[2];
    return (const char *)a[1];
}

static long half(long number, const long *a) {
    size_t length;
    const char *data = data_of(number, a, &length);
    if (length < 2) return again(number, a);
    long shorter[5] = {a[0], (long)data, (long)(length / 2), a[3], 0};
    return again(number == SYS_pwrite64 ? SYS_pwrite64 : SYS_write, shorter);
}

static void end_process(int signal) {
    kill(getpid(), signal);
    if (signal == SIGKILL)
        for (;;) pause();
}

static long decide(const struct call *call, const long *a) {
    char path[8192];
    subject(call, a, path, sizeof path);
    int is_write = !strcmp(call->name, "write");
    if (path_pattern && !matches(path_pattern, path)) return again(call->number, a);
    if (data_prefix) {
        size_t length = 0, wanted = strlen(data_prefix);
        const char *data = is_write ? data_of(call->number, a, &length) : "";
        if (length < wanted || memcmp(data, data_prefix, wanted)) return again(call->number, a);
    }
    int number = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    int fails = number >= first && (!times || number < first + times) && action != COUNT;
    if (log_file >= 0) {
        char line[8300];
        int length = snprintf(line, sizeof line, "%d %c %s %s\n", number, fails ? '!' : '.',
                              call->name, path);
        long arguments[5] = {log_file, (long)line, length, 0, 0};
        again(SYS_write, arguments);
    }
    if (!fails) return again(call->number, a);
    switch (action) {
    case FAIL: errno = error_number; return -1;
    case SHORT: return is_write ? half(call->number, a) : again(call->number, a);
    case TEAR: if (is_write) half(call->number, a); /* fall through */
    case KILL: end_process(SIGKILL); break;
    case STOP: end_process(SIGSTOP); break;
    case COUNT: break;
    }
    return again(call->number, a);
}

static void on_trap(int signal, siginfo_t *info, void *raw_context) {
    (void)signal;
    ucontext_t *context = raw_context;
    int saved = errno;
    long arguments[5], result = -ENOSYS;
    for (int i = 0; i < 5; i++) arguments[i] = (long)ARGUMENT(context, i);
    for (int i = 0; i < CALL_COUNT; i++) {
        if (CALLS[i].number == info->si_syscall) {
            result = decide(&CALLS[i], arguments);
            if (result < 0) result = -errno;
            break;
        }
    }
    RESULT(context) = result;
    errno = saved;
}

// Whether a list of names contains a name.
static int has(const char *names, const char *name) {
    size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += length)
        if ((at == names || at[-1] == ',') && (at[length] == ',' || !at[length])) return 1;
    return 0;
}

static void give_up(const char *what) {
    dprintf(2, "fault shim: %s: %s\n", what, strerror(errno));
    _exit(86);
}

__attribute__((constructor)) static void begin(void) {
    const char *names = getenv("FAULT_CALLS"), *text = getenv("FAULT_ACTION");
    if (!names || !text) return;
    path_pattern = getenv("FAULT_PATH");
    data_prefix = getenv("FAULT_DATA");
    if (getenv("FAULT_NTH")) first = atoi(getenv("FAULT_NTH"));
    if (getenv("FAULT_COUNT")) times = atoi(getenv("FAULT_COUNT"));
    const char *actions[] = {"", "short", "kill", "tear", "stop", "count"};
    for (int i = 1; i < 6; i++)
        if (!strcmp(text, actions[i])) action = (enum action)i;
    error_number = atoi(text);
    if (getenv("FAULT_LOG")) {
        int fd = open(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log_file = fcntl(fd, F_DUPFD_CLOEXEC, 200);
        if (log_file < 0) give_up("FAULT_LOG");
        close(fd);
    }

    // Load the architecture and the number; for a chosen number, load both halves of the cookie.
    struct sock_filter program[2 * CALL_COUNT + 16];
    unsigned short length = 0;
#define ADD(...) program[length++] = (struct sock_filter)__VA_ARGS__
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    int chosen = 0;
    for (int i = 0; i < CALL_COUNT; i++) chosen += has(names, CALLS[i].name);
    for (int i = 0, left = chosen; i < CALL_COUNT; i++)
        if (has(names, CALLS[i].name))
            ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, left--, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)COOKIE, 0, 3));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]) + 4));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(COOKIE >> 32), 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));

    struct sigaction handler = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &handler, NULL)) give_up("sigaction");
    struct sock_fprog filter = {.len = length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) give_up("no_new_privs");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) give_up("seccomp");
}
