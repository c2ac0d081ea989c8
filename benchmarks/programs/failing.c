/* Let the nth call that writes below one folder fail, and every one after it, as a full or a
   read-only disk does.  Preloaded; switched on by fail_at(n, errno, folder) and off by n = 0. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long left, calls;
static int code;
static char below[PATH_MAX];

void fail_at(long n, int error, const char *folder) {
    left = n; calls = 0; code = error;
    snprintf(below, sizeof below, "%s", folder);
}
long counted(void) { return calls; }

static int fails(const char *path) {
    if (!left || !path || strncmp(path, below, strlen(below))) return 0;
    if (++calls < left) return 0;
    errno = code;
    return 1;
}
static int fails_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!left) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return fails(path);
}
#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *b, size_t n) { return fails_fd(fd) ? -1 : REAL(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return fails_fd(fd) ? -1 : REAL(pwrite)(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return fails_fd(fd) ? -1 : REAL(pwrite64)(fd, b, n, o); }
int fsync(int fd) { return fails_fd(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails_fd(fd) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { return fails_fd(fd) ? -1 : REAL(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { return fails_fd(fd) ? -1 : REAL(ftruncate64)(fd, n); }
int mkdir(const char *p, mode_t m) { return fails(p) ? -1 : REAL(mkdir)(p, m); }
int rename(const char *a, const char *b) { return fails(b) ? -1 : REAL(rename)(a, b); }
int unlink(const char *p) { return fails(p) ? -1 : REAL(unlink)(p); }
int rmdir(const char *p) { return fails(p) ? -1 : REAL(rmdir)(p); }

#define OPEN(name) \
    int name(const char *p, int flags, ...) { \
        va_list more; va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; va_end(more); \
        if ((flags & O_CREAT) && access(p, F_OK) && fails(p)) return -1; \
        return REAL(name)(p, flags, mode); \
    }
OPEN(open)
OPEN(open64)
