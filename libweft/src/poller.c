/*
 * poller.c: waiting for descriptors.  One epoll for all threads, an entry a descriptor.
 *
 * What:  fd_wait() stops the calling thread until a descriptor may be ready; poller_wait() is what idle workers sleep in
 *        and busy ones look at now and then.
 * Idea:  a descriptor is registered once, edge-triggered for both directions, and stays registered: no system call to
 *        wait again.  Events for which nobody waits are remembered (ready).  A short read of a stream means that it is
 *        drained (epoll(7)); then the next read waits at once instead of asking the kernel for EAGAIN, so that an
 *        exchange costs read, write and a share of epoll_wait, as in a hand-written loop.
 *        What is woken runs soon, or the kernel's work for others has thrown its lines out of the caches again: hence no more
 *        than EVENTS at once, and each thread that leaves asks for the lines of the one after the next (runq.h fetch).
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
#include "fd.h"
#include "runq.h"

enum { EVENTS = 64, NWATCH = 4, AHEAD = 16 };

struct fdent *fd_table[FD_BLOCKS];
static int epfd = -1, kickfd = -1;
static uint32_t epoll_lock;
static struct { int fd; void (*fn)(void); } watch[NWATCH];

/* Where fd's entry is or will be. */
struct fdent *fd_make_entry(int fd)
{
	struct fdent *none = NULL, *b, *e = fd_entry(fd);

	if (e || fd < 0 || fd >= FD_BLOCK * FD_BLOCKS)
		return e;
	b = aligned_alloc(64, FD_BLOCK * sizeof *b);
	if (!b)
		return NULL;
	memset(b, 0, FD_BLOCK * sizeof *b);
	if (!a_cas(&fd_table[fd / FD_BLOCK], &none, b))
		free(b);
	return fd_entry(fd);
}

/* data: an entry's address, 0 for the kick, or a small number for watch[]. */
static int add(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

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
			struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = 0 };

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
			return add(fd, EPOLLIN | EPOLLET, i + 1);
		}
	return EAGAIN;
}

/*
 * Does anybody wait for an event?  Each worker counts the waits that began and ended on it, in its own cache line.  The ends
 * are summed first: a wait whose end is seen has its beginning seen as well, so the answer errs on the side of yes.
 */
int poller_active(void)
{
	uint64_t begun = 0, ended = 0;
	int i, n = a_load(&rt.ntotal);

	if (a_load(&epfd) < 0 && rt.io_mode != IO_URING)
		return 0;
	for (i = 0; i < n; i++)
		ended += a_load(&rt.worker[i]->io_ended);
	for (i = 0; i < n; i++)
		begun += a_load(&rt.worker[i]->io_begun);
	return begun != ended;
}

void poller_kick(void)
{
	uint64_t one = 1;

	if (rt.io_mode == IO_URING)
		uring_kick();
	else if (a_load(&epfd) >= 0)
		(void)!write(kickfd, &one, sizeof one);
}

/* e->lock held.  Ends the waits for one direction; an event that nobody waited for is remembered. */
static inline void wake(struct fdent *e, int dir, struct chain *c)
{
	struct weft_thread *t = e->first[dir];
	struct weft_waiter *n;
	int woken = 0;

	if (likely(t != NULL)) {
		a_set(&e->first[dir], NULL);
		if ((woken = claim(t, W_SIGNALLED)))
			chain_add(c, t);
	}
	while (unlikely(e->q[dir].first) && (n = wq_claim_first(&e->q[dir]))) {
		chain_add(c, n->t);
		woken = 1;
	}
	if (!woken)
		a_set(&e->ready[dir], 1);
}

static inline void event(struct fdent *e, uint32_t events, struct chain *c)
{
	spin_lock(&e->lock);
	if (unlikely(events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)))
		a_set(&e->hup, 1);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP)) {
		a_set(&e->drained, 0);
		wake(e, DIR_IN, c);
	}
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && (!e->ready[DIR_OUT] || e->first[DIR_OUT]))
		wake(e, DIR_OUT, c);
	spin_unlock(&e->lock);
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
	struct chain woken = { NULL, &woken.first };
	int n, i, kicked = 0;

	a_count(&w->polls);
	if (rt.io_mode == IO_URING)
		return uring_wait(w, timeout);
	n = wait_events(ev, timeout);
	if (timeout && n > 0)
		a_store(&w->sleeping, SLEEP_NO);
	for (i = 0; i < n && i < AHEAD; i++)
		__builtin_prefetch(ev[i].data.ptr);
	for (i = 0; i < n; i++) {
		if (i + AHEAD < n)
			__builtin_prefetch(ev[i + AHEAD].data.ptr);
		if (i + AHEAD / 2 < n && ev[i + AHEAD / 2].data.u64 > NWATCH)
			__builtin_prefetch(a_peek(&((struct fdent *)ev[i + AHEAD / 2].data.ptr)->first[DIR_IN]));
		if (likely(ev[i].data.u64 > NWATCH))
			event(ev[i].data.ptr, ev[i].events, &woken);
		else if (ev[i].data.u64)
			watch[ev[i].data.u64 - 1].fn();
		else
			kicked = 1;
	}
	*woken.tail = NULL;
	if (woken.first)
		ready_list(woken.first);
	if (kicked && !timeout && a_load(&rt.poll_lock))
		poller_kick();
	return n;
}

static int register_fd(struct fdent *e, int fd)
{
	socklen_t len = sizeof(int);
	int r, type = 0;

	e->error = 0;
	a_set(&e->ready[DIR_IN], 0);
	a_set(&e->ready[DIR_OUT], 0);
	a_set(&e->drained, 0);
	a_set(&e->hup, 0);
	r = poller_init();
	if (!r)
		r = add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, (uintptr_t)e);
	if (r)
		return r;
	a_set(&e->stream, getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM);
	e->fd = fd;
	a_set(&e->registered, 1);
	return 0;
}

/*
 * A descriptor closed with plain close(2) leaves epoll, and its number may name another file by now: ask.  Costs a
 * system call for each wait on descriptors that did not come from weft_accept or weft_connect.
 */
static int still_registered(struct fdent *e, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = e };

	return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &ev) == 0;
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

static int wait_in_kernel(int fd, int dir, weft_time_t deadline)
{
	struct weft_thread *t = self_or_start();
	struct pollfd p[2] = { { fd, dir == DIR_IN ? POLLIN : POLLOUT, 0 }, { cancel_eventfd(t), POLLIN, 0 } };
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
		a_set(&t->what, dir == DIR_IN ? "input" : "output");
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

/* e->lock held.  Registered, and as the file that the number means now?  Returns 0 or an errno. */
static __attribute__((noinline)) int make_sure(struct fdent *e, int fd)
{
	if (e->registered && !e->trusted && !still_registered(e, fd))
		a_set(&e->registered, 0);
	return e->registered ? 0 : register_fd(e, fd);
}

static __attribute__((noinline)) int gave_up(struct fdent *e, int dir, int why)
{
	struct weft_thread *t = this_thread();

	spin_lock(&e->lock);
	if (e->first[dir] == t)
		a_set(&e->first[dir], NULL);
	else if (t->waiter.linked)
		wq_remove(&e->q[dir], &t->waiter);
	spin_unlock(&e->lock);
	return why == W_TIMEDOUT ? -ETIMEDOUT : -ECANCELED;
}

/*
 * Waits until fd may be ready for DIR_IN or DIR_OUT; may return too early, so callers try again.  Returns 0, -EPERM (a
 * kind of file that is always "ready": use another way), -EBADF, -ETIMEDOUT, -ECANCELED.
 */
int fd_wait(int fd, int dir, weft_time_t deadline)
{
	struct weft_thread *t = self_or_start();
	struct fdent *e = fd_entry(fd);
	struct worker *w;
	uint32_t *lock;
	int r;

	if (unlikely(rt.model == WEFT_1_1))
		return wait_in_kernel(fd, dir, deadline);
	if (unlikely(!e) && !(e = fd_make_entry(fd)))
		return fd < 0 ? -EBADF : -ENOMEM;
	if (unlikely(rt.io_mode == IO_URING))
		return uring_poll(e, fd, dir, deadline);
	lock = &e->lock;
	spin_lock(lock);
	if (unlikely(!e->registered || !e->trusted) && (r = make_sure(e, fd))) {
		spin_unlock(lock);
		return -r;
	}
	if (e->ready[dir]) {
		a_set(&e->ready[dir], 0);
		spin_unlock(lock);
		return 0;
	}
	if (likely(!e->first[dir]))
		a_set(&e->first[dir], t);
	else
		wq_append(&e->q[dir], &t->waiter);
	w = this_worker();
	a_store(&w->io_begun, w->io_begun + 1);
	r = do_park(&lock, 1, deadline, PARK_IO, dir == DIR_IN ? "input" : "output", e);
	w = this_worker();
	a_store(&w->io_ended, w->io_ended + 1);
	if (likely(r == W_SIGNALLED))
		return -a_peek(&e->error);
	return gave_up(e, dir, r);
}

/* The number means another file from now on; who waits for the old one gets error. */
void fd_reset(int fd, int error)
{
	struct chain woken = { NULL, &woken.first };
	struct fdent *e;

	if (rt.model == WEFT_1_1)
		return;
	e = error ? fd_entry(fd) : fd_make_entry(fd);
	if (!e)
		return;
	if (rt.io_mode == IO_URING) {
		uring_forget(e, error);
		return;
	}
	spin_lock(&e->lock);
	a_set(&e->error, error);
	wake(e, DIR_IN, &woken);
	wake(e, DIR_OUT, &woken);
	a_set(&e->registered, 0);
	a_set(&e->ready[DIR_IN], 0);
	a_set(&e->ready[DIR_OUT], 0);
	a_set(&e->drained, 0);
	a_set(&e->hup, 0);
	e->trusted = !error;
	spin_unlock(&e->lock);
	*woken.tail = NULL;
	if (woken.first)
		ready_list(woken.first);
}
