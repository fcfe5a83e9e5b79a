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
#include <stdlib.h>
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

/*
 * By the ring, when that is the poller.  A packed thread's buffer may lie on its stack, which goes away while it waits: it
 * waits for readiness instead.  So do all on descriptors with O_NONBLOCK: those the ring tries once and no more (-EAGAIN).
 */
static inline int by_ring(void)
{
	return unlikely(rt.io_mode == IO_URING) && !(this_thread()->flags & TF_PACKED);
}

static __attribute__((noinline)) ssize_t ring_io(int kind, int fd, void *buf, size_t n, int flags, weft_time_t deadline)
{
	int dir = kind == RING_SEND || kind == RING_WRITEV ? DIR_OUT : DIR_IN;
	struct ring_op op = { .kind = kind, .dir = dir, .fd = fd, .flags = flags, .buf = buf, .n = n, .offset = -1, .e = fd_make_entry(fd) };

	return op.e ? uring_do(&op, deadline) : fd < 0 ? -EBADF : -ENOMEM;
}

/* Inlined into each call, so that nothing of the struct but the numbers in registers is left of it. */
static inline __attribute__((always_inline)) ssize_t sock_io(const struct sock_op *o, weft_time_t deadline)
{
	struct fdent *e = fd_entry(o->fd);
	int quiet = !o->out && o->n && fd_quiet(e), r;
	ssize_t got;

	if (by_ring() && !o->addr && !(o->flags & MSG_DONTWAIT) && (!o->out || a_peek(&this_worker()->rq_len)) && o->n <= INT_MAX) {
		got = ring_io(o->out ? RING_SEND : RING_RECV, o->fd, o->buf, o->n, o->flags, deadline);
		if (got != -EAGAIN)
			return got;
	}
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

static ssize_t file_op(int kind, int fd, void *buf, size_t n, off_t offset, weft_time_t deadline);

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
			return file_op(o->out ? RING_WRITEV : RING_READV, o->fd, o->iov, o->n, -1, deadline);
		if (by_ring() && (got = ring_io(o->out ? RING_WRITEV : RING_READV, o->fd, o->iov, o->n, 0, deadline)) != -EAGAIN)
			return got;
		r = fd_wait(o->fd, o->out ? DIR_OUT : DIR_IN, deadline);
		if (r == -EPERM)
			return file_op(o->out ? RING_WRITEV : RING_READV, o->fd, o->iov, o->n, -1, deadline);
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

enum { PIECE = 1 << 20 };		/* what a helper reads or writes at once */

static void file_call(void *arg)
{
	struct ring_op *o = arg;

	switch (o->kind) {
	case RING_READ: o->result = neg(o->offset < 0 ? syscall(SYS_read, o->fd, o->buf, o->n) : pread(o->fd, o->buf, o->n, o->offset)); break;
	case RING_WRITE: o->result = neg(o->offset < 0 ? syscall(SYS_write, o->fd, o->buf, o->n) : pwrite(o->fd, o->buf, o->n, o->offset)); break;
	case RING_READV: o->result = neg(syscall(SYS_readv, o->fd, o->buf, o->n)); break;
	case RING_WRITEV: o->result = neg(syscall(SYS_writev, o->fd, o->buf, o->n)); break;
	default: o->result = neg(fsync(o->fd)); break;
	}
}

/*
 * By a helper, through a buffer of its own, since the caller's may be gone before the call is over: a piece at most.
 */
static ssize_t piece_by_helper(int kind, int fd, char *buf, size_t n, off_t offset, weft_time_t deadline)
{
	struct ring_op *o;
	ssize_t r;

	n = n > PIECE ? PIECE : n;
	o = malloc(sizeof *o + n);
	if (!o)
		return -ENOMEM;
	*o = (struct ring_op){ .kind = kind, .fd = fd, .buf = o + 1, .n = n, .offset = offset };
	if (kind == RING_WRITE)
		memcpy(o->buf, buf, n);
	r = helper_run(file_call, o, deadline, free);
	if (r)
		return -r;
	r = o->result;
	if (kind == RING_READ && r > 0)
		memcpy(buf, o->buf, r);
	free(o);
	return r;
}

static ssize_t by_helper(int kind, int fd, char *buf, size_t n, off_t offset, weft_time_t deadline)
{
	size_t sum = 0;
	ssize_t r;

	do {
		r = piece_by_helper(kind, fd, buf + sum, n - sum, offset < 0 ? -1 : (off_t)(offset + sum), deadline);
		if (r <= 0)
			return sum ? (ssize_t)sum : r;
		sum += r;
	} while (sum < n && r == PIECE);
	return sum;
}

/* One part after the other; a short one is the last. */
static ssize_t parts_by_helper(int kind, int fd, struct iovec *iov, int n, weft_time_t deadline)
{
	ssize_t r = 0, sum = 0;
	int i;

	for (i = 0; i < n; i++) {
		r = iov[i].iov_len ? by_helper(kind, fd, iov[i].iov_base, iov[i].iov_len, -1, deadline) : 0;
		if (r < 0)
			break;
		sum += r;
		if ((size_t)r < iov[i].iov_len)
			break;
	}
	return r < 0 && !sum ? r : sum;
}

/* offset -1: at the file's own position. */
static ssize_t file_op(int kind, int fd, void *buf, size_t n, off_t offset, weft_time_t deadline)
{
	struct ring_op o = { .kind = kind, .fd = fd, .buf = buf, .n = n, .offset = offset };

	if (o.n > INT_MAX)
		o.n = INT_MAX & ~4095;
	if (weft_cancelled())
		return -ECANCELED;
	if (deadline != WEFT_FOREVER && deadline <= weft_now())
		return -ETIMEDOUT;
	if (uring_available())
		return uring_do(&o, deadline);
	if (rt.model == WEFT_1_1 && deadline == WEFT_FOREVER) {
		file_call(&o);
		return o.result;
	}
	switch (kind) {
	case RING_READV: return parts_by_helper(RING_READ, fd, buf, n, deadline);
	case RING_WRITEV: return parts_by_helper(RING_WRITE, fd, buf, n, deadline);
	default: return by_helper(kind, fd, buf, o.n, offset, deadline);
	}
}

/* The page cache first: most reads end there. */
ssize_t weft_pread_until(int fd, void *buf, size_t n, off_t offset, weft_time_t deadline)
{
	struct iovec v = { buf, n };
	ssize_t r = neg(preadv2(fd, &v, 1, offset, RWF_NOWAIT));

	return r >= 0 && ((size_t)r == n || r == 0) ? r : r < 0 && r != -EAGAIN && r != -EOPNOTSUPP && r != -ENOSYS ? r :
	       file_op(RING_READ, fd, buf, n, offset, deadline);
}

ssize_t weft_pread(int fd, void *buf, size_t n, off_t offset)
{
	return weft_pread_until(fd, buf, n, offset, WEFT_FOREVER);
}

ssize_t weft_pwrite_until(int fd, const void *buf, size_t n, off_t offset, weft_time_t deadline)
{
	return offset < 0 ? -EINVAL : file_op(RING_WRITE, fd, (void *)buf, n, offset, deadline);
}

ssize_t weft_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return weft_pwrite_until(fd, buf, n, offset, WEFT_FOREVER);
}

int weft_fsync_until(int fd, weft_time_t deadline)
{
	return file_op(RING_FSYNC, fd, NULL, 0, 0, deadline);
}

int weft_fsync(int fd)
{
	return weft_fsync_until(fd, WEFT_FOREVER);
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

struct wait_call { idtype_t type; id_t id; int options; };

/* Waits without taking the child's status away, so that nothing is lost when nobody waits for this any more. */
static void do_waitid(void *arg)
{
	struct wait_call *c = arg;
	siginfo_t si;

	while (waitid(c->type, c->id, &si, c->options) < 0 && errno == EINTR)
		;
}

/* Any child, or a stop: no descriptor tells, so a helper waits; with a deadline, ask again and again. */
static pid_t wait_any(pid_t pid, int *status, int options, weft_time_t deadline)
{
	weft_time_t next = 0;
	struct wait_call *c;
	pid_t r;

	while ((r = neg(waitpid(pid, status, options | WNOHANG))) == 0) {
		if (deadline != WEFT_FOREVER) {
			if (next >= deadline)
				return -ETIMEDOUT;
			next = weft_after(WEFT_MS(5));
			if (weft_sleep_until(next < deadline ? next : deadline))
				return -ECANCELED;
			continue;
		}
		c = malloc(sizeof *c);
		if (!c)
			return -ENOMEM;
		c->type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
		c->id = pid == -1 ? 0 : pid > 0 ? pid : pid ? -pid : getpgrp();
		c->options = WEXITED | WNOWAIT | (options & WUNTRACED ? WSTOPPED : 0) | (options & WCONTINUED);
		if (helper_run(do_waitid, c, WEFT_FOREVER, free))
			return -ECANCELED;
		free(c);
	}
	return r;
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

/* One block: the names and the hints lie behind it. */
struct name_call {
	char		*node, *service;
	struct addrinfo	hints, *found;
	int		has_hints, r;
	char		text[];
};

static void do_getaddrinfo(void *arg)
{
	struct name_call *c = arg;

	c->r = getaddrinfo(c->node, c->service, c->has_hints ? &c->hints : NULL, &c->found);
}

static void forget_names(void *arg)
{
	struct name_call *c = arg;

	if (c->r == 0)
		freeaddrinfo(c->found);
	free(c);
}

int weft_getaddrinfo_until(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result,
			   weft_time_t deadline)
{
	size_t n = node ? strlen(node) + 1 : 0, s = service ? strlen(service) + 1 : 0;
	struct name_call *c = calloc(1, sizeof *c + n + s);
	int r;

	if (!c)
		return EAI_MEMORY;
	if (weft_cancelled()) {
		free(c);
		return -ECANCELED;
	}
	c->node = node ? memcpy(c->text, node, n) : NULL;
	c->service = service ? memcpy(c->text + n, service, s) : NULL;
	if ((c->has_hints = hints != NULL))
		c->hints = *hints;
	r = helper_run(do_getaddrinfo, c, deadline, forget_names);
	if (r)
		return -r;
	r = c->r;
	*result = c->found;
	free(c);
	return r;
}

int weft_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	return weft_getaddrinfo_until(node, service, hints, result, WEFT_FOREVER);
}
