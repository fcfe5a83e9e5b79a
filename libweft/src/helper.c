/*
 * helper.c: helper threads, for calls that neither epoll nor io_uring can make non-blocking.
 *
 * What:  helper_run(fn, arg) runs fn on a kernel thread of a small pool while the calling user-level thread waits.
 * Idea:  the last of the three ways of jacketing: name look-up, fsync, waiting for any child, whatever the program hands
 *        to weft_blocking().  Helpers are made when a job finds none idle, up to HELPERS; beyond that jobs queue.
 * Race:  the helper may be done before the caller has parked; it waits for the moment of publication (W_WAITING_NC),
 *        which is a few instructions away, since parking is the next thing the caller does.  The wait has no deadline
 *        and no cancellation (the job uses the caller's memory), so the helper is the only one that can end it.
 * Locking: pool.lock, a plain spin with yield: the pool is shared with kernel threads that are no workers.
 * See:   weft_blocking(3); seed 000 section 8.2.
 */
#include <stdlib.h>
#include "internal.h"

enum { HELPERS = 64 };

struct job {
	struct job		*next;
	void			(*fn)(void *);
	void			*arg;
	struct weft_thread	*t;
};

static struct {
	uint32_t	lock, bell;		/* bell: futex that idle helpers wait on */
	struct job	*first, **last;		/* under lock */
	int		idle, total, queued;	/* under lock */
} pool;

static void enter(void)
{
	while (a_xchg(&pool.lock, 1))
		os_yield();
}

static void leave(void)
{
	a_store(&pool.lock, 0);
}

static void complete(struct weft_thread *t)
{
	uint32_t e;

	for (;;) {
		e = W_WAITING_NC;
		if (a_cas(&t->wait, &e, W_SIGNALLED))
			break;
		os_yield();
	}
	ready(t);
}

static void *helper_main(void *arg)
{
	struct job *j;
	uint32_t bell;

	(void)arg;
	for (;;) {
		enter();
		bell = a_load(&pool.bell);
		j = pool.first;
		if (j) {
			pool.first = j->next;
			pool.queued--;
		} else {
			pool.idle++;
		}
		leave();
		if (j) {
			j->fn(j->arg);
			complete(j->t);
			continue;
		}
		os_futex_wait(&pool.bell, bell, WEFT_FOREVER);
		enter();
		pool.idle--;
		leave();
	}
	return NULL;
}

void helper_run(void (*fn)(void *), void *arg)
{
	struct weft_thread *t = self_or_start();
	struct job j = { NULL, fn, arg, t };
	int more;

	if (rt.model == WEFT_1_1) {
		fn(arg);
		return;
	}
	enter();
	more = pool.idle <= pool.queued && pool.total < HELPERS;
	if (more)
		pool.total++;
	leave();
	if (more && os_task_start(helper_main, NULL, 262144)) {
		enter();
		pool.total--;
		more = pool.total;
		leave();
		if (!more) {		/* no helper can be had: stop this worker rather than fail */
			fn(arg);
			return;
		}
	}
	a_add(&rt.outstanding, 1);
	a_add(&rt.helpers, 1);
	enter();
	if (!pool.first)
		pool.last = &pool.first;
	*pool.last = &j;
	pool.last = &j.next;
	pool.queued++;
	a_add(&pool.bell, 1);
	leave();
	os_futex_wake(&pool.bell, 1);
	park(NULL, 0, WEFT_FOREVER, PARK_NOCANCEL | PARK_NOPACK, "helper thread", (void *)fn);
	a_add(&rt.outstanding, -1);
}

struct call { void *(*fn)(void *); void *arg, *result; };

static void do_call(void *p)
{
	struct call *c = p;

	c->result = c->fn(c->arg);
}

void *weft_blocking(void *(*fn)(void *), void *arg)
{
	struct call c = { fn, arg, NULL };

	helper_run(do_call, &c);
	return c.result;
}
