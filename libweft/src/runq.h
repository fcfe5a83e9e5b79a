/*
 * runq.h: the run queue and the switch, inline.
 *
 * What:  push_fifo, push_lifo, unlink_queued, pop: the queue; switch_to: from one thread to another; do_park: the wait.
 * Idea:  these are what a wait costs, so each kind of wait has its own copy with its own constants: park, wait_on and fd_wait.
 *        Next to a system call it is not instructions that count but lines: of code, of stack, of data, since the kernel's work
 *        has thrown them out of the first-level caches.  So the rare ways are out of line and the frames are small.
 * Locking: the queue is under rq_lock of its worker, which stays held across the switch (sched.c says why).
 * See:   sched.c, internal.h (the wait protocol).
 */
#ifndef WEFT_RUNQ_H
#define WEFT_RUNQ_H
#include "internal.h"
#include "san.h"

HIDDEN void switch_watched(struct weft_thread *from, struct weft_thread *to) __attribute__((noinline, cold));
HIDDEN void finish_post(struct worker *w) __attribute__((noinline));
HIDDEN void wake_idle(void) __attribute__((noinline, cold));
HIDDEN void housekeeping(struct worker *w) __attribute__((noinline));
HIDDEN void park_in_kernel(struct weft_thread *t, uint32_t publish, uint32_t **locks, int n, weft_time_t deadline);

/* ---- the run queue: all under rq_lock ---- */

static inline void mark_queued(struct worker *w, int level)
{
	sim_point();		/* here the queue is half changed: nobody else may be in it */
	w->rq_mask |= 1u << level;
	a_set(&w->rq_len, w->rq_len + 1);
}

/* The priority is read once: another thread may change it, and then it counts the next time. */
static inline void push_fifo(struct worker *w, struct weft_thread *t)
{
	int level = a_peek(&t->prio);
	struct level *l = &w->q[level];

	t->lifo = 0;
	t->next = NULL;
	t->prev = l->fifo_last;
	if (l->fifo_last)
		l->fifo_last->next = t;
	else
		l->fifo = t;
	l->fifo_last = t;
	mark_queued(w, level);
}

static inline void push_lifo(struct worker *w, struct weft_thread *t)
{
	int level = a_peek(&t->prio);
	struct level *l = &w->q[level];

	t->lifo = 1;
	t->prev = NULL;
	t->next = l->lifo;
	if (l->lifo)
		l->lifo->prev = t;
	else
		l->lifo_last = t;
	l->lifo = t;
	mark_queued(w, level);
}

static inline void unlink_queued(struct worker *w, int level, struct weft_thread *t)
{
	struct level *l = &w->q[level];
	struct weft_thread **first = t->lifo ? &l->lifo : &l->fifo, **last = t->lifo ? &l->lifo_last : &l->fifo_last;

	if (t->prev)
		t->prev->next = t->next;
	else
		*first = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		*last = t->prev;
	sim_point();
	if (!l->lifo && !l->fifo)
		w->rq_mask &= ~(1u << level);
	a_set(&w->rq_len, w->rq_len - 1);
}

static inline struct weft_thread *pop(struct worker *w)
{
	uint32_t mask = w->rq_mask, picks = w->picks + 1;
	struct weft_thread *t;
	struct level *l;
	int level;

	if (!mask)
		return NULL;
	a_set(&w->picks, picks);
	level = likely(picks & 63) ? __builtin_ctz(mask) : 31 - __builtin_clz(mask);
	l = &w->q[level];
	t = l->lifo && ((picks & 31) || !l->fifo) ? l->lifo : l->fifo;
	unlink_queued(w, level, t);
	return t;
}

/* On the new stack: what the last context left to do, and its run queue. */
static inline __attribute__((always_inline)) void switch_done(void)
{
	struct worker *w = this_worker();

	if (w->post == POST_PARK && likely(!w->nlocks && !(w->prev->flags & TF_PACKED))) {
		uint32_t *l = w->lock1;

		w->post = POST_NONE;
		a_store(&w->prev->wait, w->publish);
		if (l)
			spin_unlock(l);
	} else if (unlikely(w->post != POST_NONE)) {
		finish_post(w);
	}
	rq_unlock(w);
}

/*
 * From t, which the caller has queued or told switch_done about, to next.  The run queue is locked; switch_done unlocks
 * it on the other side.  Afterwards t may be on another worker.
 */
static inline __attribute__((always_inline)) void switch_to(struct worker *w, struct weft_thread *t, struct weft_thread *next, int dying)
{
	w->prev = t;
	a_set(&w->current, next);
	a_set(&w->switches, w->switches + 1);
	if (unlikely(rt.slow_switch))
		switch_watched(t, next);
	if (unlikely(next->packed != NULL))
		thread_unpack(next);
	san_switch_begin(w, t, next, dying);
	arch_switch(&t->sp, next->sp);
	san_switch_end(t);
	switch_done();
}

static inline void maybe_wake(struct worker *w)
{
	if (!rt.smp)
		return;
	light_fence();
	if (unlikely(a_peek(&rt.nidle)) && (a_peek(&w->rq_len) > 1 || !a_peek(&rt.lookout)))
		wake_idle();
}

static inline void maybe_housekeeping(struct worker *w)
{
	if (unlikely((w->picks & 63) == 0 || a_peek(&w->inbox)))
		housekeeping(w);
}

static inline void unlock_all(uint32_t **locks, int n)
{
	for (int i = 0; i < n; i++)
		spin_unlock(locks[i]);
}

/*
 * t runs after the next one: its lines are asked for now, while that one is in the kernel.  That of t itself was asked for one
 * step ago.
 */
static inline __attribute__((always_inline)) void fetch(struct weft_thread *t)
{
	const char *sp = t->sp;

	__builtin_prefetch(t->next, 1);
	for (int i = 0; i < 6; i++)
		__builtin_prefetch(sp + 64 * i, 1);
	__builtin_prefetch(t->what_obj);
}

/*
 * Waits until somebody claims this thread; the n locks are held by the caller and released once the thread can be
 * claimed.  Returns W_SIGNALLED, W_TIMEDOUT or W_CANCELLED, with the locks released.
 */
static inline __attribute__((always_inline)) int do_park(uint32_t **locks, int n, weft_time_t deadline, int flags, const char *what,
							    const void *obj)
{
	struct worker *w = this_worker();
	struct weft_thread *t = w->current, *next;
	const int cancelable = !(flags & PARK_NOCANCEL) && likely(!t->cancel_off);
	uint32_t publish = cancelable ? W_WAITING : W_WAITING_NC, result;

	a_set(&t->wait, W_PREPARE);
	if (cancelable) {
		light_fence();		/* pairs with weft_cancel: it sets cancel, heavy_fence, reads wait */
		if (unlikely(a_load(&t->cancel))) {
			a_set(&t->wait, W_RUNNING);
			unlock_all(locks, n);
			return W_CANCELLED;
		}
	}
	if (unlikely(deadline != WEFT_FOREVER) && deadline <= weft_now()) {
		a_set(&t->wait, W_RUNNING);
		unlock_all(locks, n);
		return W_TIMEDOUT;
	}
	a_set(&t->what, what);
	a_set(&t->what_obj, obj);
	t->park_flags = flags;
	a_set(&w->parks, w->parks + 1);
	TRACE('P', t, what);
	if (unlikely(rt.model == WEFT_1_1)) {
		park_in_kernel(t, publish, locks, n, deadline);
	} else {
		if (unlikely(deadline != WEFT_FOREVER))
			timer_add(w, t, deadline);
		rq_lock(w);
		if (!rt.smp && n <= 1 && likely(!(t->flags & TF_PACKED))) {
			a_store(&t->wait, publish);	/* nobody else runs threads: it need not wait for the switch */
		} else {
			w->post = POST_PARK;
			w->publish = publish;
			w->lock1 = n == 1 ? locks[0] : NULL;
			w->nlocks = n > 1 ? n : 0;
			w->locks = locks;
		}
		next = pop(w);
		if (flags & PARK_IO && likely(next && next->next))
			fetch(next->next);
		switch_to(w, t, next ? next : &w->idle, 0);
		if (unlikely(deadline != WEFT_FOREVER) && a_load(&t->tm_index) >= 0)
			timer_del(t);
		maybe_housekeeping(this_worker());	/* here, not before: locks may have been held */
	}
	a_set(&t->what, NULL);
	result = a_load(&t->wait);
	a_set(&t->wait, W_RUNNING);
	return result;
}

#endif
