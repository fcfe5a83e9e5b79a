/*
 * helper.c: helper threads, for calls that neither epoll nor io_uring can make non-blocking.
 *
 * What:  helper_run(fn, arg, deadline, dispose) runs fn on a kernel thread of a small pool while the calling thread waits.
 * Idea:  the last of the three ways of jacketing: name look-up, fsync, waiting for any child, whatever the program hands
 *        to weft_blocking().  Helpers are made when a job finds none idle, up to HELPERS; beyond that jobs queue.
 *        Nothing can stop the call itself, but its caller need not wait for it: a job whose caller gave up (deadline, cancellation) is
 *        abandoned, runs to its end, and dispose(arg) cleans up after it.  So what such a job works on is its own, in the heap.
 * Race:  the caller gives up as the job ends: state moves from PENDING once, to DONE by the helper or to ABANDONED by the caller.
 *        The caller holds done_lock from before the job is queued until it can be claimed, and whoever ends the wait takes
 *        it, so no wait is ended before it began.  In M:N and 1:1 the helper ends it itself; in N:1, where claims are no
 *        atomic operations, it leaves that to the worker: rt.done, helper_reap().
 * Locking: pool.lock, a plain spin with yield: the pool is shared with kernel threads that are no workers.  done_lock (an object
 *        lock) guards ended.
 * See:   weft_blocking(3); seed 000 section 8.2.
 */
#include <stdlib.h>
#include "internal.h"

enum { HELPERS = 64 };
enum { PENDING, DONE, ABANDONED };

struct job {
	struct job		*next;
	void			(*fn)(void *);
	void			(*dispose)(void *);
	void			*arg;
	struct weft_thread	*t;
	uint32_t		state;		/* [a] */
	int			ended;		/* [done_lock] nobody else will look at it */
};

static struct {
	uint32_t	lock, bell;		/* bell: futex that idle helpers wait on */
	struct job	*first, **last;		/* under lock */
	int		idle, total, queued;	/* under lock */
} pool;
static uint32_t done_lock;

static void enter(void)
{
	while (a_xchg(&pool.lock, 1))
		os_yield();
}

static void leave(void)
{
	a_store(&pool.lock, 0);
}

/* Its caller goes on, unless it is about to do that by itself. */
static void end_wait(struct job *j)
{
	struct weft_thread *t = j->t;
	int won;

	spin_lock(&done_lock);
	j->ended = 1;
	won = claim(t, W_SIGNALLED);
	spin_unlock(&done_lock);
	if (won)
		ready(t);
}

/* On a worker in N:1. */
void helper_reap(void)
{
	struct job *j = a_xchg(&rt.done, NULL), *next;

	for (; j; j = next) {
		next = j->next;
		end_wait(j);
	}
}

static void hand_to_worker(struct job *j)
{
	struct job *head = a_load(&rt.done);

	do
		j->next = head;
	while (!a_cas(&rt.done, &head, j));
	if (a_load(&rt.worker[0]->sleeping))
		kick(rt.worker[0]);
}

static void run(struct job *j)
{
	uint32_t state = PENDING;

	j->fn(j->arg);
	if (!a_cas(&j->state, &state, DONE)) {
		j->dispose(j->arg);
		free(j);
	} else if (rt.smp) {
		end_wait(j);
	} else {
		hand_to_worker(j);
	}
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
			run(j);
			continue;
		}
		os_futex_wait(&pool.bell, bell, WEFT_FOREVER);
		enter();
		pool.idle--;
		leave();
	}
	return NULL;
}

/* Sees to it that somebody will serve one more job.  Returns 0 when no helper can be had. */
static int enough_helpers(void)
{
	int more, some;

	enter();
	more = pool.idle <= pool.queued && pool.total < HELPERS;
	if (more)
		pool.total++;
	leave();
	if (!more || os_task_start(helper_main, NULL, 262144) == 0)
		return 1;
	enter();
	some = --pool.total;
	leave();
	return some;
}

static void queue(struct job *j)
{
	enter();
	if (!pool.first)
		pool.last = &pool.first;
	*pool.last = j;
	pool.last = &j->next;
	pool.queued++;
	a_add(&pool.bell, 1);
	leave();
	os_futex_wake(&pool.bell, 1);
}

/* It has run: wait for the few instructions until nobody else looks at it. */
static void await_end(struct job *j)
{
	int ended;

	do {
		spin_lock(&done_lock);
		ended = j->ended;
		spin_unlock(&done_lock);
		if (!ended && !rt.smp)
			helper_reap();
		else if (!ended)
			os_yield();
	} while (!ended);
}

/*
 * Returns 0 when fn has run; ETIMEDOUT or ECANCELED when the caller shall not wait any longer: fn runs on, then dispose.  Without
 * dispose nothing ends the wait early.  When no helper can be had fn stops this worker rather than fail.
 */
int helper_run(void (*fn)(void *), void *arg, weft_time_t deadline, void (*dispose)(void *))
{
	struct weft_thread *t = self_or_start();
	uint32_t *lock = &done_lock, state = PENDING;
	struct job *j;
	int r;

	j = rt.model == WEFT_1_1 && !dispose ? NULL : calloc(1, sizeof *j);
	if (!j || !enough_helpers()) {
		free(j);
		fn(arg);
		return 0;
	}
	*j = (struct job){ .fn = fn, .dispose = dispose, .arg = arg, .t = t };
	a_add(&rt.outstanding, 1);
	a_add(&rt.helpers, 1);
	spin_lock(&done_lock);
	queue(j);
	r = park(&lock, 1, dispose ? deadline : WEFT_FOREVER, PARK_NOPACK | (dispose ? 0 : PARK_NOCANCEL), "helper thread", (void *)fn);
	a_add(&rt.outstanding, -1);
	if (r != W_SIGNALLED && a_cas(&j->state, &state, ABANDONED))
		return r == W_TIMEDOUT ? ETIMEDOUT : ECANCELED;
	await_end(j);
	free(j);
	return 0;
}

struct call {
	void	*(*fn)(void *);
	void	*arg, *result;
	void	(*dispose)(void *);
};

static void do_call(void *p)
{
	struct call *c = p;

	c->result = c->fn(c->arg);
}

void *weft_blocking(void *(*fn)(void *), void *arg)
{
	struct call c = { fn, arg, NULL, NULL };

	helper_run(do_call, &c, WEFT_FOREVER, NULL);
	return c.result;
}

static void dispose_call(void *p)
{
	struct call *c = p;

	if (c->dispose)
		c->dispose(c->result);
	free(c);
}

int weft_blocking_until(void *(*fn)(void *), void *arg, void **result, void (*dispose)(void *result), weft_time_t deadline)
{
	struct call *c = malloc(sizeof *c);
	int r;

	if (!c)
		return ENOMEM;
	if (weft_cancelled()) {
		free(c);
		return ECANCELED;
	}
	*c = (struct call){ fn, arg, NULL, dispose };
	r = helper_run(do_call, c, deadline, dispose_call);
	if (r)
		return r;
	if (result)
		*result = c->result;
	free(c);
	return 0;
}
