/*
 * poller.c: waiting for descriptors.  One epoll for all threads, an entry a descriptor.
 *
 * What:  fd_wait() stops the calling thread until a descriptor may be ready; poller_wait() is what idle workers sleep in
 *        and busy ones look at now and then.
 * Idea:  a descriptor is registered once, edge-triggered for both directions, and stays registered: no system call to
 *        wait again.  Events for which nobody waits are remembered (ready).  A short read of a stream means that it is
 *        drained (epoll(7)); then the next read waits at once instead of asking the kernel for EAGAIN, so that an
 *        exchange costs read, write and a share of epoll_wait, as in a hand-written loop.
 * 1:1:   the thread waits in ppoll for its descriptor and for its own eventfd, by which weft_cancel reaches it.
 * Locking: e->lock guards an entry; it is an object lock in the sense of internal.h.
 * See:   epoll(7); io.c; seed 000 section 8.2 (jacketing).
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

enum { FD_IN = 1, FD_OUT = 2, BLOCK = 1024, NBLOCKS = 1024, EVENTS = 256, NWATCH = 4 };

struct fdent {
	uint32_t		lock;
	uint8_t			registered, stream, hup;
	uint8_t			trusted;	/* made by us, so its number cannot have changed hands behind our back */
	uint8_t			ready;		/* FD_*: an event came and nobody waited */
	uint8_t			drained;	/* FD_*: known empty since the last try */
	int			error;		/* closed under its waiters */
	struct weft_waitq	q[2];
};

static struct fdent *table[NBLOCKS];
static int epfd = -1, kickfd = -1, inflight;
static uint32_t epoll_lock;
static struct { int fd; void (*fn)(void); } watch[NWATCH];

static struct fdent *entry(int fd, int make)
{
	struct fdent *b, *none = NULL;

	if (fd < 0 || fd >= BLOCK * NBLOCKS)
		return NULL;
	b = a_load(&table[fd / BLOCK]);
	if (!b && make) {
		b = calloc(BLOCK, sizeof *b);
		if (b && !a_cas(&table[fd / BLOCK], &none, b)) {
			free(b);
			b = none;
		}
	}
	return b ? b + fd % BLOCK : NULL;
}

static int add(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == 0 || errno == EEXIST ? 0 : errno;
}

int poller_init(void)
{
	int r = 0;

	if (a_load(&epfd) >= 0)
		return 0;
	while (a_xchg(&epoll_lock, 1))
		os_yield();
	if (epfd < 0) {
		int e = epoll_create1(EPOLL_CLOEXEC);

		kickfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (e < 0 || kickfd < 0) {
			r = errno;
		} else {
			struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = kickfd };

			epoll_ctl(e, EPOLL_CTL_ADD, kickfd, &ev);
			a_store(&epfd, e);
		}
	}
	a_store(&epoll_lock, 0);
	return r;
}

/* Calls fn from whichever worker sees an event of fd. */
int poller_watch(int fd, void (*fn)(void))
{
	int i;

	if (poller_init())
		return EAGAIN;
	for (i = 0; i < NWATCH; i++)
		if (!watch[i].fn) {
			watch[i].fd = fd;
			a_store(&watch[i].fn, fn);
			return add(fd, EPOLLIN | EPOLLET);
		}
	return EAGAIN;
}

int poller_active(void)
{
	return a_peek(&inflight) > 0 && a_load(&epfd) >= 0;
}

void poller_kick(void)
{
	uint64_t one = 1;

	if (a_load(&epfd) >= 0)
		(void)!write(kickfd, &one, sizeof one);
}

static void event(int fd, uint32_t events)
{
	struct fdent *e;
	int i, bit, hit = events & (EPOLLERR | EPOLLHUP);

	for (i = 0; i < NWATCH; i++)
		if (a_load(&watch[i].fn) && watch[i].fd == fd) {
			watch[i].fn();
			return;
		}
	e = entry(fd, 0);
	if (!e)
		return;
	for (i = 0; i < 2; i++) {
		bit = 1 << i;
		if (!hit && !(events & (i ? EPOLLOUT : EPOLLIN | EPOLLRDHUP | EPOLLPRI)))
			continue;
		spin_lock(&e->lock);
		e->drained &= ~bit;
		if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
			e->hup = 1;
		if (e->q[i].first) {
			wake_all_unlock(&e->lock, &e->q[i]);
			continue;
		}
		e->ready |= bit;
		spin_unlock(&e->lock);
	}
}

static int wait_events(struct epoll_event *ev, weft_time_t timeout)
{
	struct timespec ts = { timeout / 1000000000, timeout % 1000000000 };
	int n;

	if (timeout == 0)
		return epoll_wait(epfd, ev, EVENTS, 0);
	n = syscall(SYS_epoll_pwait2, epfd, ev, EVENTS, timeout < 0 ? NULL : &ts, NULL, 0);
	if (n < 0 && errno == ENOSYS)
		n = epoll_wait(epfd, ev, EVENTS, timeout < 0 ? -1 : (int)((timeout + 999999) / 1000000));
	return n;
}

/*
 * timeout in nanoseconds, -1 for ever.  Returns the number of events.
 * Race: a kick is one edge, and whoever asks epoll first gets it.
 *
 *            sleeper (poll_lock)      its waker           busy worker (timeout 0)
 *            sleeping = POLL
 *                                     sleeping = NO
 *                                     kick
 *                                                         takes the kick
 *            epoll_wait for ever
 *
 * So a busy worker kicks again as long as there is a sleeper; at worst that one wakes up once for nothing.
 */
int poller_wait(struct worker *w, weft_time_t timeout)
{
	struct epoll_event ev[EVENTS];
	int n, i, kicked = 0;

	n = wait_events(ev, timeout);
	if (timeout && n > 0)
		a_store(&w->sleeping, SLEEP_NO);
	for (i = 0; i < n; i++)
		if (ev[i].data.fd == kickfd)
			kicked = 1;
		else
			event(ev[i].data.fd, ev[i].events);
	if (kicked && !timeout && a_load(&rt.poll_lock))
		poller_kick();
	return n;
}

/* Starts one more thing that ends by an event; balanced by a call with -1. */
void poller_expect(int n)
{
	a_add(&inflight, n);
	a_add(&rt.outstanding, n);
}

static int register_fd(struct fdent *e, int fd)
{
	socklen_t len = sizeof(int);
	int r, type = 0;

	e->ready = e->drained = e->hup = e->error = 0;
	r = poller_init();
	if (!r)
		r = add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	if (r)
		return r;
	e->stream = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
	e->registered = 1;
	return 0;
}

/*
 * A descriptor closed with plain close(2) leaves epoll, and its number may name another file by now: ask.  Costs a
 * system call for each wait on descriptors that did not come from weft_accept or weft_connect.
 */
static int still_registered(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };

	return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &ev) < 0;
}

static int cancel_eventfd(struct weft_thread *t)
{
	if (t->cancel_fd < 0) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		spin_lock(&t->lock);
		t->cancel_fd = fd;
		spin_unlock(&t->lock);
	}
	return t->cancel_fd;
}

static int wait_in_kernel(int fd, int events, weft_time_t deadline)
{
	struct weft_thread *t = self_or_start();
	struct pollfd p[2] = { { fd, events, 0 }, { cancel_eventfd(t), POLLIN, 0 } };
	struct timespec ts;
	int n;

	do {
		weft_time_t left = deadline == WEFT_FOREVER ? 0 : deadline - weft_now();

		if (weft_cancelled())
			return -ECANCELED;
		if (left < 0)
			left = 0;
		ts.tv_sec = left / 1000000000;
		ts.tv_nsec = left % 1000000000;
		a_set(&t->what, events & POLLIN ? "input" : "output");
		a_set(&t->what_obj, (void *)(intptr_t)fd);
		n = ppoll(p, t->cancel_off ? 1 : 2, deadline == WEFT_FOREVER ? NULL : &ts, NULL);
		a_set(&t->what, NULL);
		if (n == 0)
			return -ETIMEDOUT;
	} while (n < 0 && errno == EINTR);
	if (n > 0 && (p[0].revents & POLLNVAL))
		return -EBADF;
	return n < 0 ? -errno : p[0].revents ? 0 : -ECANCELED;
}

/*
 * Waits until fd may be ready for POLLIN or POLLOUT; may return too early, so callers try again.  Returns 0, -EPERM (a
 * kind of file that is always "ready": use another way), -EBADF, -ETIMEDOUT, -ECANCELED.
 */
int fd_wait(int fd, int events, weft_time_t deadline)
{
	int dir = events & POLLIN ? 0 : 1, r;
	struct fdent *e;

	self_or_start();
	if (rt.model == WEFT_1_1)
		return wait_in_kernel(fd, events, deadline);
	e = entry(fd, 1);
	if (!e)
		return fd < 0 ? -EBADF : -ENOMEM;
	spin_lock(&e->lock);
	if (e->registered && !e->trusted && still_registered(fd))
		e->registered = 0;
	if (!e->registered && (r = register_fd(e, fd))) {
		spin_unlock(&e->lock);
		return -r;
	}
	if (e->ready & (1 << dir)) {
		e->ready &= ~(1 << dir);
		spin_unlock(&e->lock);
		return 0;
	}
	poller_expect(1);
	r = wait_on(&e->q[dir], &e->lock, deadline, 0, dir ? "output" : "input", (void *)(intptr_t)fd);
	poller_expect(-1);
	return r ? -r : -a_load(&e->error);
}

/* Before a try: forget older events; not 0 when the try would be in vain. */
int fd_quiet(int fd, int events)
{
	struct fdent *e = rt.model == WEFT_1_1 ? NULL : entry(fd, 0);
	int bit = events & POLLIN ? FD_IN : FD_OUT, quiet;

	if (!e || !e->registered)
		return 0;
	spin_lock(&e->lock);
	quiet = (e->drained & bit) && !(e->ready & bit) && !e->hup;
	e->ready &= ~bit;
	spin_unlock(&e->lock);
	return quiet;
}

/* After a try that got less than it asked for. */
void fd_drained(int fd, int events)
{
	struct fdent *e = rt.model == WEFT_1_1 ? NULL : entry(fd, 0);

	if (!e || !e->registered || !e->stream)
		return;
	spin_lock(&e->lock);
	e->drained |= events & POLLIN ? FD_IN : FD_OUT;
	spin_unlock(&e->lock);
}

/* The number means another file from now on; who waits for the old one gets error. */
void fd_reset(int fd, int error)
{
	struct fdent *e = rt.model == WEFT_1_1 ? NULL : entry(fd, !error);
	int i;

	if (!e)
		return;
	spin_lock(&e->lock);
	e->registered = e->ready = e->drained = e->hup = 0;
	e->error = error;
	e->trusted = !error;
	spin_unlock(&e->lock);
	for (i = 0; i < 2; i++) {
		spin_lock(&e->lock);
		wake_all_unlock(&e->lock, &e->q[i]);
	}
}
