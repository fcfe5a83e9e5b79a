/*
 * preload.c: libweft-preload.so, jacketed libc calls for code that does not know of libweft.
 *
 * What:  LD_PRELOAD it, and read, write, recv, send, accept, connect, poll, sleep, usleep, nanosleep, waitpid, close and
 *        their relatives stop only the user-level thread that calls them.
 * Idea:  meant for libraries (a database client, a parser that reads from a socket) called from libweft threads, and for
 *        whole programs that link libweft.  A kernel thread that libweft did not make gets the plain system call.
 * Errors: here errno is set, as callers of the libc expect, after the wait and on the kernel task where the thread is.
 * Note:  descriptors marked O_NONBLOCK keep their meaning: the call is passed on as it is.
 * See:   seed 000 section 8.2 (jacketing); io.c.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "weft/thread.h"
#include <errno.h>

#define NEXT(name) \
	static __typeof__(name) *next; \
	if (!next) \
		next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* A function of its own: errno's address must be computed after the wait. */
static __attribute__((noinline)) ssize_t with_errno(ssize_t r)
{
	if (r < 0) {
		errno = -r;
		return -1;
	}
	return r;
}

/* Jacket only our own threads, and only what would block. */
static int jacket(int fd)
{
	int flags;

	if (weft_self() == WEFT_NONE || weft_model() == WEFT_1_1)
		return 0;
	flags = fcntl(fd, F_GETFL);
	return flags >= 0 && !(flags & O_NONBLOCK);
}

ssize_t read(int fd, void *buf, size_t n)
{
	return jacket(fd) ? with_errno(weft_read(fd, buf, n)) : syscall(SYS_read, fd, buf, n);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	return jacket(fd) ? with_errno(weft_write(fd, buf, n)) : syscall(SYS_write, fd, buf, n);
}

ssize_t readv(int fd, const struct iovec *iov, int n)
{
	return jacket(fd) ? with_errno(weft_readv(fd, iov, n)) : syscall(SYS_readv, fd, iov, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	return jacket(fd) ? with_errno(weft_writev(fd, iov, n)) : syscall(SYS_writev, fd, iov, n);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	NEXT(recv);
	return (flags & MSG_DONTWAIT) || !jacket(fd) ? next(fd, buf, n, flags) : with_errno(weft_recv(fd, buf, n, flags));
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	NEXT(send);
	return (flags & MSG_DONTWAIT) || !jacket(fd) ? next(fd, buf, n, flags) : with_errno(weft_send(fd, buf, n, flags));
}

ssize_t recvfrom(int fd, void *restrict buf, size_t n, int flags, struct sockaddr *restrict addr, socklen_t *restrict len)
{
	if ((flags & MSG_DONTWAIT) || !jacket(fd))
		return syscall(SYS_recvfrom, fd, buf, n, flags, addr, len);
	return with_errno(weft_recvfrom(fd, buf, n, flags, addr, len));
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	if ((flags & MSG_DONTWAIT) || !jacket(fd))
		return syscall(SYS_sendto, fd, buf, n, flags, addr, len);
	return with_errno(weft_sendto(fd, buf, n, flags, addr, len));
}

int accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
{
	return jacket(fd) ? (int)with_errno(weft_accept(fd, addr, len)) : syscall(SYS_accept4, fd, addr, len, 0);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	NEXT(connect);
	return jacket(fd) ? (int)with_errno(weft_connect(fd, addr, len)) : next(fd, addr, len);
}

int close(int fd)
{
	return weft_self() != WEFT_NONE ? (int)with_errno(weft_close(fd)) : syscall(SYS_close, fd);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	NEXT(poll);
	if (!timeout || weft_self() == WEFT_NONE || weft_model() == WEFT_1_1)
		return next(fds, n, timeout);
	return with_errno(weft_poll(fds, n, timeout));
}

int nanosleep(const struct timespec *ts, struct timespec *left)
{
	NEXT(nanosleep);
	if (weft_self() == WEFT_NONE || weft_model() == WEFT_1_1)
		return next(ts, left);
	if (ts->tv_nsec < 0 || ts->tv_nsec >= 1000000000 || ts->tv_sec < 0)
		return with_errno(-EINVAL);
	return with_errno(-weft_sleep(ts->tv_sec * 1000000000ll + ts->tv_nsec));
}

unsigned int sleep(unsigned int seconds)
{
	struct timespec ts = { seconds, 0 };

	nanosleep(&ts, NULL);
	return 0;
}

int usleep(useconds_t us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	return nanosleep(&ts, NULL);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	if (weft_self() == WEFT_NONE || weft_model() == WEFT_1_1)
		return syscall(SYS_wait4, pid, status, options, NULL);
	return with_errno(weft_waitpid(pid, status, options));
}
