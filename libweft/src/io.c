/*
 * io.c: jacketed I/O.  Each call stops the calling thread only.
 *
 * What:  the calls of weft_read(3) and weft_poll(3).
 * Idea:  try without blocking, and without touching the descriptor's flags, which other processes may share: sockets by
 *        MSG_DONTWAIT, everything else by RWF_NOWAIT.  "Would block" on something that epoll takes: wait, try again.  On
 *        what epoll refuses (regular files): io_uring, else a helper thread.  What knows no RWF_NOWAIT (terminals, old
 *        kernels' pipes) is asked by poll(2) right before the ordinary call, and written in pieces of PIPE_BUF.
 *        The same code serves 1:1: only fd_wait differs there, and the last resort is the blocking call itself.
 * Limits: two processes that accept from one blocking socket, or read one terminal, can still make a worker block for a
 *        moment; in M:N the monitor replaces it.
 * See:   seed 000 section 8.2; poller.c, uring.c, helper.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fd.h"
#include "san.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

static inline ssize_t neg(ssize_t r)
{
	return r < 0 ? -os_errno() : r;
}

/* ---- sockets ---- */

struct sock_op { int fd, flags, out; void *buf; size_t n; struct sockaddr *addr; socklen_t *len, outlen; };

/*
 * Straight to the kernel: the C library's calls look for pthread cancellation before and after.  A sanitizer has to see them.
 */
static inline ssize_t sock_try(const struct sock_op *o)
{
	ssize_t r;

	do {
		if (SANITIZED && o->out)
			r = neg(sendto(o->fd, o->buf, o->n, o->flags | MSG_DONTWAIT, o->addr, o->outlen));
		else if (SANITIZED)
			r = neg(recvfrom(o->fd, o->buf, o->n, o->flags | MSG_DONTWAIT, o->addr, o->len));
		else if (o->out)
			r = arch_syscall6(SYS_sendto, o->fd, (long)o->buf, o->n, o->flags | MSG_DONTWAIT, (long)o->addr, o->outlen);
		else
			r = arch_syscall6(SYS_recvfrom, o->fd, (long)o->buf, o->n, o->flags | MSG_DONTWAIT, (long)o->addr, (long)o->len);
	} while (unlikely(r == -EINTR));
	return r;
}

/* Inlined into each call, so that nothing of the struct but the numbers in registers is left of it. */
static inline __attribute__((always_inline)) ssize_t sock_io(const struct sock_op *o, weft_time_t deadline)
{
	struct fdent *e = fd_entry(o->fd);
	int quiet = !o->out && o->n && fd_quiet(e), r;
	ssize_t got;

	for (;; quiet = 0) {
		got = quiet ? -EAGAIN : sock_try(o);
		if (likely(got >= 0)) {
			if (!o->out && (size_t)got < o->n && got)
				fd_drained(e);
			return got;
		}
		if (got != -EAGAIN || (o->flags & MSG_DONTWAIT))
			return got;
		if ((r = fd_wait(o->fd, o->out ? DIR_OUT : DIR_IN, deadline)))
			return r;
	}
}

/* MSG_WAITALL: all of it or the end. */
static __attribute__((noinline)) ssize_t receive_all(int fd, char *buf, size_t n, int flags, weft_time_t deadline)
{
	size_t sum = 0;
	ssize_t r;

	for (; sum < n; sum += r) {
		struct sock_op o = { fd, flags & ~MSG_WAITALL, 0, buf + sum, n - sum, NULL, NULL, 0 };

		r = sock_io(&o, deadline);
		if (r <= 0)
			return sum ? (ssize_t)sum : r;
	}
	return sum;
}

ssize_t weft_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	struct sock_op o = { fd, flags, 0, buf, n, addr, len, 0 };

	if (flags & MSG_WAITALL && !addr)
		return receive_all(fd, buf, n, flags, WEFT_FOREVER);
	return sock_io(&o, WEFT_FOREVER);
}

ssize_t weft_recv_until(int fd, void *buf, size_t n, int flags, weft_time_t deadline)
{
	struct sock_op o = { fd, flags, 0, buf, n, NULL, NULL, 0 };

	return unlikely(flags & MSG_WAITALL) ? receive_all(fd, buf, n, flags, deadline) : sock_io(&o, deadline);
}

ssize_t weft_recv(int fd, void *buf, size_t n, int flags)
{
	return weft_recv_until(fd, buf, n, flags, WEFT_FOREVER);
}

ssize_t weft_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	struct sock_op o = { fd, flags, 1, (void *)buf, n, (struct sockaddr *)addr, NULL, len };

	return sock_io(&o, WEFT_FOREVER);
}

ssize_t weft_send_until(int fd, const void *buf, size_t n, int flags, weft_time_t deadline)
{
	struct sock_op o = { fd, flags, 1, (void *)buf, n, NULL, NULL, 0 };

	return sock_io(&o, deadline);
}

ssize_t weft_send(int fd, const void *buf, size_t n, int flags)
{
	return weft_send_until(fd, buf, n, flags, WEFT_FOREVER);
}

/* ---- read and write of anything ---- */

struct rw_op { int fd, out, n; struct iovec *iov; };

static size_t total(struct rw_op *o)
{
	size_t sum = 0;
	int i;

	for (i = 0; i < o->n; i++)
		sum += o->iov[i].iov_len;
	return sum;
}

/* For what knows no RWF_NOWAIT: ask, then call.  A write that fits PIPE_BUF cannot block when poll says it may go. */
static ssize_t asked_try(struct rw_op *o)
{
	struct pollfd p = { o->fd, o->out ? POLLOUT : POLLIN, 0 };
	size_t n = o->n ? o->iov[0].iov_len : 0;

	if (poll(&p, 1, 0) == 0)
		return -EAGAIN;
	if (!o->out)
		return neg(syscall(SYS_readv, o->fd, o->iov, o->n));	/* raw: the preload library wraps the libc's */
	if (total(o) <= PIPE_BUF)
		return neg(syscall(SYS_writev, o->fd, o->iov, o->n));
	return neg(syscall(SYS_write, o->fd, o->iov[0].iov_base, n > PIPE_BUF ? PIPE_BUF : n));
}

static int is_regular(int fd)
{
	return lseek(fd, 0, SEEK_CUR) >= 0;	/* pipes, sockets and terminals cannot */
}

static ssize_t file_op(int kind, int fd, void *buf, size_t n, off_t offset);

static ssize_t nowait_try(struct rw_op *o)
{
	ssize_t r;

	do
		r = neg(o->out ? pwritev2(o->fd, o->iov, o->n, -1, RWF_NOWAIT) : preadv2(o->fd, o->iov, o->n, -1, RWF_NOWAIT));
	while (r == -EINTR);
	if (r == -EOPNOTSUPP || r == -EINVAL || r == -ENOSYS || r == -ESPIPE)
		r = is_regular(o->fd) ? -EAGAIN : asked_try(o);
	return r;
}

static ssize_t rw(struct rw_op *o, weft_time_t deadline)
{
	struct fdent *e = fd_entry(o->fd);
	int quiet = !o->out && fd_quiet(e), r;
	ssize_t got;

	for (;; quiet = 0) {
		got = quiet ? -EAGAIN : nowait_try(o);
		if (got >= 0) {
			if (!o->out && got && (size_t)got < total(o))
				fd_drained(e);
			return got;
		}
		if (got != -EAGAIN)
			return got;
		if (is_regular(o->fd))
			return file_op(o->out ? FILE_WRITEV : FILE_READV, o->fd, o->iov, o->n, -1);
		r = fd_wait(o->fd, o->out ? DIR_OUT : DIR_IN, deadline);
		if (r == -EPERM)
			return file_op(o->out ? FILE_WRITEV : FILE_READV, o->fd, o->iov, o->n, -1);
		if (r)
			return r;
	}
}

/* A blocking write finishes what it began, as write(2) on a blocking descriptor does. */
static ssize_t write_all(int fd, struct iovec *iov, int n, weft_time_t deadline)
{
	struct rw_op o = { fd, 1, n, iov };
	size_t sum = 0;
	ssize_t r;

	while (total(&o)) {
		r = rw(&o, deadline);
		if (r <= 0)
			return sum ? (ssize_t)sum : r;
		sum += r;
		for (; o.n && (size_t)r >= o.iov->iov_len; o.iov++, o.n--)
			r -= o.iov->iov_len;
		if (o.n) {
			o.iov->iov_base = (char *)o.iov->iov_base + r;
			o.iov->iov_len -= r;
		}
	}
	return sum;
}

ssize_t weft_read_until(int fd, void *buf, size_t n, weft_time_t deadline)
{
	struct iovec v = { buf, n };
	struct rw_op o = { fd, 0, 1, &v };

	return rw(&o, deadline);
}

ssize_t weft_write_until(int fd, const void *buf, size_t n, weft_time_t deadline)
{
	struct iovec v = { (void *)buf, n };

	return write_all(fd, &v, 1, deadline);
}

ssize_t weft_read(int fd, void *buf, size_t n)
{
	return weft_read_until(fd, buf, n, WEFT_FOREVER);
}

ssize_t weft_write(int fd, const void *buf, size_t n)
{
	return weft_write_until(fd, buf, n, WEFT_FOREVER);
}

ssize_t weft_readv_until(int fd, const struct iovec *iov, int n, weft_time_t deadline)
{
	struct rw_op o = { fd, 0, n, (struct iovec *)iov };

	return n < 0 || n > IOV_MAX ? -EINVAL : rw(&o, deadline);
}

ssize_t weft_readv(int fd, const struct iovec *iov, int n)
{
	return weft_readv_until(fd, iov, n, WEFT_FOREVER);
}

ssize_t weft_writev_until(int fd, const struct iovec *iov, int n, weft_time_t deadline)
{
	struct iovec copy[64];

	if (n < 0 || n > IOV_MAX)
		return -EINVAL;
	if (n > 64)
		n = 64;			/* a short count, which writev may always return */
	memcpy(copy, iov, n * sizeof *iov);
	return write_all(fd, copy, n, deadline);
}

ssize_t weft_writev(int fd, const struct iovec *iov, int n)
{
	return weft_writev_until(fd, iov, n, WEFT_FOREVER);
}

/* ---- regular files ---- */

static void file_call(void *arg)
{
	struct file_op *o = arg;
	ssize_t r;

	switch (o->op) {
	case FILE_READ: r = pread(o->fd, o->buf, o->n, o->offset); break;
	case FILE_WRITE: r = pwrite(o->fd, o->buf, o->n, o->offset); break;
	case FILE_READV: r = readv(o->fd, o->buf, o->n); break;
	case FILE_WRITEV: r = writev(o->fd, o->buf, o->n); break;
	default: r = fsync(o->fd); break;
	}
	o->result = neg(r);
}

static ssize_t file_op(int kind, int fd, void *buf, size_t n, off_t offset)
{
	struct file_op o = { kind, fd, 0, buf, n, offset, NULL };

	if (o.n > INT_MAX)
		o.n = INT_MAX & ~4095;
	if (weft_cancelled())
		return -ECANCELED;
	if (uring_available())
		return uring_do(&o);
	helper_run(file_call, &o);
	return o.result;
}

/* The page cache first: most reads end there. */
ssize_t weft_pread(int fd, void *buf, size_t n, off_t offset)
{
	struct iovec v = { buf, n };
	ssize_t r = neg(preadv2(fd, &v, 1, offset, RWF_NOWAIT));

	return r >= 0 && ((size_t)r == n || r == 0) ? r : r < 0 && r != -EAGAIN && r != -EOPNOTSUPP && r != -ENOSYS ? r :
	       file_op(FILE_READ, fd, buf, n, offset);
}

ssize_t weft_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return file_op(FILE_WRITE, fd, (void *)buf, n, offset);
}

int weft_fsync(int fd)
{
	return file_op(FILE_FSYNC, fd, NULL, 0, 0);
}

/* ---- connections ---- */

int weft_accept_until(int fd, struct sockaddr *addr, socklen_t *len, weft_time_t deadline)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int r;

	for (;;) {
		r = -EAGAIN;
		if (poll(&p, 1, 0) > 0)
			r = neg(accept4(fd, addr, len, SOCK_CLOEXEC));
		if (r >= 0) {
			fd_reset(r, 0);
			return r;
		}
		if (r != -EAGAIN && r != -EINTR && r != -ECONNABORTED)
			return r;
		if ((r = fd_wait(fd, DIR_IN, deadline)))
			return r;
	}
}

int weft_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return weft_accept_until(fd, addr, len, WEFT_FOREVER);
}

/*
 * EAGAIN comes from a Unix socket whose listener has no room, and no event tells when it has: asked again and again.
 */
static int connect_once_more(int fd, const struct sockaddr *addr, socklen_t len, weft_time_t deadline)
{
	weft_time_t pause = WEFT_MS(1), next;
	int r;

	do {
		next = weft_after(pause);
		if (weft_sleep_until(next < deadline ? next : deadline))
			return -ECANCELED;
		r = neg(connect(fd, addr, len));
		if (r == -EAGAIN && next >= deadline)
			return -ETIMEDOUT;
		if (pause < WEFT_MS(20))
			pause *= 2;
	} while (r == -EAGAIN);
	return r;
}

/* connect has no "do not wait" flag: the descriptor is non-blocking while it lasts. */
int weft_connect_until(int fd, const struct sockaddr *addr, socklen_t len, weft_time_t deadline)
{
	int flags = fcntl(fd, F_GETFL), r, error = 0;
	socklen_t size = sizeof error;

	if (flags < 0)
		return -os_errno();
	fd_reset(fd, 0);
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	r = neg(connect(fd, addr, len));
	if (r == -EAGAIN)
		r = connect_once_more(fd, addr, len, deadline);
	if (r == -EINPROGRESS || r == -EINTR) {
		struct pollfd p = { fd, POLLOUT, 0 };

		r = 0;
		while (!r && poll(&p, 1, 0) == 0)
			r = fd_wait(fd, DIR_OUT, deadline);
		if (!r && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
			r = -error;
	}
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags);
	return r;
}

int weft_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return weft_connect_until(fd, addr, len, WEFT_FOREVER);
}

/* Raw, since the preload library wraps close; but a sanitizer has to see it, or takes the next file of that number for a race. */
int weft_close(int fd)
{
	fd_reset(fd, EBADF);
	return neg(SANITIZED ? close(fd) : syscall(SYS_close, fd));
}

/* ---- the rest ---- */

int weft_wait_fd(int fd, int events, weft_time_t deadline)
{
	struct pollfd p = { fd, events, 0 };
	int r = 0;

	while (!r && poll(&p, 1, 0) == 0)
		r = fd_wait(fd, events & POLLIN ? DIR_IN : DIR_OUT, deadline);
	return r == -EPERM ? 0 : r;
}

/* An epoll of its own for the set, and that descriptor waits in the big one. */
int weft_poll(struct pollfd *fds, unsigned long n, int timeout)
{
	weft_time_t deadline = timeout < 0 ? WEFT_FOREVER : weft_after(WEFT_MS(timeout));
	int r = neg(poll(fds, n, 0)), ep;
	unsigned long i;

	if (r || !timeout)
		return r;
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		return -os_errno();
	fd_reset(ep, 0);
	for (i = 0; i < n; i++) {
		struct epoll_event ev = { .events = fds[i].events, .data.u32 = i };

		if (fds[i].fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fds[i].fd, &ev) < 0 && os_errno() == EEXIST) {
			ev.events = POLLIN | POLLOUT;	/* the same descriptor twice: wake early rather than never */
			epoll_ctl(ep, EPOLL_CTL_MOD, fds[i].fd, &ev);
		}
	}
	while (!r) {
		r = fd_wait(ep, DIR_IN, deadline);
		if (r == -ETIMEDOUT) {
			r = 0;
			break;
		}
		if (!r)
			r = neg(poll(fds, n, 0));
	}
	weft_close(ep);
	return r;
}

struct wait_call { pid_t pid, result; int *status, options; };

static void do_waitpid(void *arg)
{
	struct wait_call *c = arg;

	do
		c->result = neg(waitpid(c->pid, c->status, c->options));
	while (c->result == -EINTR);
}

/* Any child, or a stop: no descriptor tells, so a helper waits; with a deadline, ask again and again. */
static pid_t wait_any(pid_t pid, int *status, int options, weft_time_t deadline)
{
	struct wait_call c = { pid, 0, status, options };
	weft_time_t next;
	pid_t r;

	if (deadline == WEFT_FOREVER) {
		helper_run(do_waitpid, &c);
		return c.result;
	}
	do {
		next = weft_after(WEFT_MS(5));
		if (weft_sleep_until(next < deadline ? next : deadline))
			return -ECANCELED;
		r = neg(waitpid(pid, status, options | WNOHANG));
	} while (r == 0 && next < deadline);
	return r ? r : -ETIMEDOUT;
}

pid_t weft_waitpid_until(pid_t pid, int *status, int options, weft_time_t deadline)
{
	pid_t r = neg(waitpid(pid, status, options | WNOHANG));
	int fd = -1, w;

	if (r || (options & WNOHANG))
		return r;
	if (pid > 0 && !(options & (WUNTRACED | WCONTINUED)))
		fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return wait_any(pid, status, options, deadline);
	fd_reset(fd, 0);
	do {
		w = fd_wait(fd, DIR_IN, deadline);
		r = w ? w : neg(waitpid(pid, status, options | WNOHANG));
	} while (r == 0);
	weft_close(fd);
	return r;
}

pid_t weft_waitpid(pid_t pid, int *status, int options)
{
	return weft_waitpid_until(pid, status, options, WEFT_FOREVER);
}

struct name_call { const char *node, *service; const struct addrinfo *hints; struct addrinfo **result; int r; };

static void do_getaddrinfo(void *arg)
{
	struct name_call *c = arg;

	c->r = getaddrinfo(c->node, c->service, c->hints, c->result);
}

int weft_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	struct name_call c = { node, service, hints, result, 0 };

	helper_run(do_getaddrinfo, &c);
	return c.r;
}
