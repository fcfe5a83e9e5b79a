/*
 * sched.c: who runs next.  Run queues, park and ready, work stealing, sleeping workers.
 *
 * What:  each worker (a kernel task) has a run queue; weft_yield and park() pick the next thread from it and switch
 *        straight to it; with nothing to pick the worker's idle context looks elsewhere: its inbox, timers, the poller,
 *        other workers' queues, and then sleeps.
 * Idea:  the owner's way through its queue has no atomic read-modify-write.  The queue lock is biased: the owner says
 *        "busy" and looks for thieves, with only a compiler fence between; a thief says "thief", makes all tasks run a
 *        barrier (membarrier), takes "turn" and waits until the owner is not busy.  One of the two must see the other;
 *        an owner that sees a thief takes "turn" as well, an ordinary lock, so it goes on during the barrier.
 *
 *            owner                         thief
 *            busy = 1                      thief = 1
 *            light_fence                   heavy_fence
 *            thief? busy = 0, lock turn    lock turn, wait while busy
 *
 *        The queue stays locked across the switch and switch_done() releases it, so a thread in the queue always has
 *        its registers saved before a thief can take it.
 * Order: new threads are taken last in first out (depth first: a spawn tree's memory stays small), woken and yielding
 *        ones first in first out, every 32nd pick from the other list; every 64th pick serves the lowest priority.
 *        Thieves take the oldest, up to half, of new ones fewer.  A queue of one is left alone unless its worker has stopped scheduling
 *        for a while (the lookout sees to that): two threads that talk to each other stay on one worker.
 * Sleep: a sleeper counts itself in nidle, heavy_fence, looks once more; a pusher pushes, light_fence, reads nidle.
 * Locking: object lock -> tm_lock -> run queue.
 * See:   runq.h for the queue and the switch, internal.h (the wait protocol), doc/libweft.md.
 */
#include "runq.h"

enum { STEAL_MAX = 64, SPINS = 60, PATIENCE = 10000, TICK_MIN = 100000, TICK_MAX = 5000000 };

/* ---- the switch ---- */

void switch_watched(struct weft_thread *from, struct weft_thread *to)
{
	if (rt.trace)
		trace_event('S', to, NULL);
	if (rt.fp_env) {
		fp_save(&from->fp);
		fp_load(&to->fp);
	}
}

static void finish_park(struct worker *w, struct weft_thread *p)
{
	uint32_t *locks[64], *lock1 = w->lock1, publish = w->publish;
	int i, n = w->nlocks;

	/* Copied first: the array is on p's stack, and p may run elsewhere as soon as it is published. */
	for (i = 0; i < n; i++)
		locks[i] = w->locks[i];
	if ((p->flags & TF_PACKED) && !(p->park_flags & PARK_NOPACK))
		thread_pack(p);
	a_store(&p->wait, publish);
	if (lock1)
		spin_unlock(lock1);
	for (i = 0; i < n; i++)
		spin_unlock(locks[i]);
}

/* What could not be done for the previous thread before its registers were saved. */
void finish_post(struct worker *w)
{
	struct weft_thread *p = w->prev;
	int post = w->post;

	w->post = POST_NONE;
	if (post == POST_EXIT)
		thread_finished(p);
	else
		finish_park(w, p);
}

/* ---- waking ---- */

void kick(struct worker *w)
{
	uint32_t old = a_load(&w->sleeping);

	while (old == SLEEP_FUTEX || old == SLEEP_POLL || old == SLEEP_RETIRED) {
		if (!a_cas(&w->sleeping, &old, SLEEP_NO))
			continue;
		if (old == SLEEP_POLL)
			poller_kick();
		else
			os_futex_wake(&w->sleeping, 1);
		break;
	}
}

void post_inbox(struct worker *w, struct weft_thread *t)
{
	struct weft_thread *head = a_load(&w->inbox);

	do
		t->next = head;
	while (!a_cas(&w->inbox, &head, t));
	if (a_load(&w->sleeping))
		kick(w);
}

/* Wakes one sleeping worker to search, unless one is searching already. */
void wake_idle(void)
{
	uint32_t zero = 0, old;
	int i;

	if (!a_cas(&rt.nsearching, &zero, 1))
		return;
	for (i = 0; i < a_load(&rt.ntotal); i++) {
		struct worker *w = rt.worker[i];

		old = a_load(&w->sleeping);
		if ((old == SLEEP_FUTEX || old == SLEEP_POLL) && a_cas(&w->sleeping, &old, SLEEP_KICKED_SEARCH)) {
			if (old == SLEEP_FUTEX)
				os_futex_wake(&w->sleeping, 1);
			else
				poller_kick();
			return;
		}
	}
	a_add(&rt.nsearching, -1);
}

static inline int must_go_home(struct weft_thread *t, struct worker *w)
{
	return !w || (unlikely(t->flags & TF_PINNED) && t->home && t->home != w);
}

/* Makes t ready, whose wait the caller has claimed. */
void ready(struct weft_thread *t)
{
	struct worker *w;

	TRACE('W', t, NULL);
	if (rt.model == WEFT_1_1) {
		os_futex_wake(&t->wait, 1);
		return;
	}
	w = this_worker();
	if (unlikely(must_go_home(t, w))) {
		post_inbox(t->home ? t->home : rt.worker[t->id % rt.nworkers], t);
		return;
	}
	rq_lock(w);
	push_fifo(w, t);
	rq_unlock(w);
	maybe_wake(w);
}

/* The same for a chain of them (not in 1:1), in its order. */
void ready_list(struct weft_thread *first)
{
	struct worker *w = this_worker();
	struct weft_thread *t, *away = NULL, **tail = &away;

	if (likely(w != NULL))
		rq_lock(w);
	while ((t = first)) {
		first = t->next;
		TRACE('W', t, NULL);
		if (likely(!must_go_home(t, w))) {
			push_fifo(w, t);
		} else {
			*tail = t;
			tail = &t->next;
		}
	}
	if (likely(w != NULL)) {
		rq_unlock(w);
		maybe_wake(w);
	}
	*tail = NULL;
	while (unlikely((t = away) != NULL)) {
		away = t->next;
		ready(t);
	}
}

void ready_spawned(struct weft_thread *t)
{
	struct worker *w = this_worker();

	rq_lock(w);
	push_lifo(w, t);
	rq_unlock(w);
	maybe_wake(w);
}

/*
 * Ends the waits of all in q; releases the lock.  Claimed under the lock, made ready after it, so that a woken thread
 * that waits again is not woken twice.  In 1:1 a claimed thread may already run and end, so its links are not ours.
 */
int wake_all_unlock(uint32_t *lock, struct weft_waitq *q)
{
	struct weft_thread *first = NULL, **tail = &first;
	struct weft_waiter *n;

	while ((n = wq_claim_first(q))) {
		if (rt.model == WEFT_1_1) {
			ready(n->t);
			continue;
		}
		*tail = n->t;
		tail = &n->t->next;
	}
	*tail = NULL;
	spin_unlock(lock);
	if (first)
		ready_list(first);
	return 0;
}

/* ---- leaving the processor ---- */

static void drain_inbox(struct worker *w)
{
	struct weft_thread *t = a_xchg(&w->inbox, NULL), *next, *order = NULL;

	for (; t; t = next) {		/* it is a stack: turn it round */
		next = t->next;
		t->next = order;
		order = t;
	}
	rq_lock(w);
	for (t = order; t; t = next) {
		next = t->next;
		push_fifo(w, t);
	}
	rq_unlock(w);
	maybe_wake(w);
}

/* What a busy worker does now and then for those who cannot wait for it to become idle. */
void housekeeping(struct worker *w)
{
	if (a_peek(&w->inbox))
		drain_inbox(w);
	if (unlikely(a_peek(&rt.done)))
		helper_reap();
	if (a_peek(&w->tm_next) != WEFT_FOREVER)
		timers_run(w, weft_now());
	if (poller_active())
		poller_wait(w, 0);
}

void weft_yield(void)
{
	struct worker *w = this_worker();
	struct weft_thread *t, *next;

	if (!w || rt.model == WEFT_1_1) {
		os_yield();
		return;
	}
	maybe_housekeeping(w);
	t = w->current;
	rq_lock(w);
	push_fifo(w, t);
	next = pop(w);
	if (next == t) {
		rq_unlock(w);
		return;
	}
	switch_to(w, t, next, 0);
}

/* 1:1: the kernel is the scheduler, t->wait is the futex. */
void park_in_kernel(struct weft_thread *t, uint32_t publish, uint32_t **locks, int n, weft_time_t deadline)
{
	int spin = 0;

	a_store(&t->wait, publish);
	unlock_all(locks, n);
	while (spin++ < SPINS && a_peek(&t->wait) == publish)
		sim_relax();
	while (a_load(&t->wait) == publish)
		if (os_futex_wait(&t->wait, publish, deadline) == ETIMEDOUT)
			claim(t, W_TIMEDOUT);
}

int park(uint32_t **locks, int n, weft_time_t deadline, int flags, const char *what, const void *obj)
{
	return do_park(locks, n, deadline, flags, what, obj);
}

/* The ordinary wait: in one queue under one lock, with the thread's own waiter.  Returns with the lock released. */
int wait_on(struct weft_waitq *q, uint32_t *lock, weft_time_t deadline, int flags, const char *what, const void *obj)
{
	struct weft_thread *t = this_thread();
	struct weft_waiter *n = &t->waiter;
	int r;

	wq_append(q, n);
	r = do_park(&lock, 1, deadline, flags, what, obj);
	if (likely(r == W_SIGNALLED))
		return 0;
	spin_lock(lock);
	if (n->linked)
		wq_remove(q, n);
	spin_unlock(lock);
	return r == W_TIMEDOUT ? ETIMEDOUT : ECANCELED;
}

/* The last switch of a thread; t->lock is held until switch_done, joiner (claimed already) runs next if it can. */
static inline __attribute__((always_inline, noreturn)) void do_switch_exit(struct weft_thread *t, struct weft_thread *joiner)
{
	struct worker *w = this_worker();
	struct weft_thread *next = joiner;

	if (joiner && must_go_home(joiner, w)) {
		/* It may look at t only after thread_finished: t->lock, which it takes, is held until then. */
		post_inbox(joiner->home, joiner);
		next = NULL;
	}
	rq_lock(w);
	if (!next)
		next = pop(w);
	w->post = POST_EXIT;
	switch_to(w, t, next ? next : &w->idle, 1);
	__builtin_unreachable();
}

void switch_exit(struct weft_thread *t, struct weft_thread *joiner)
{
	do_switch_exit(t, joiner);
}

/*
 * Where each thread's stack begins; entered by a jump and left by a switch, with all other calls returned: so the
 * processor's return predictor finds the joiner's calls as they were, and create + join costs no wrong guess.
 */
void weft__thread_main(struct weft_thread *t)
{
	san_switch_end(NULL);
	switch_done();
	do_switch_exit(t, thread_ending(t, t->fn(t->arg)));
}

/* ---- idle workers ---- */

static int at_most(int limit, int n)
{
	return n < limit ? n : limit;
}

/* An owner that has lost its processor inside may be long: then come back later. */
static int lock_queue_of(struct worker *v)
{
	uint32_t zero = 0;
	int spin = 0;

	if (!a_cas(&v->rq_thief, &zero, 1))
		return 0;
	if (RQ_BIASED)
		heavy_fence();
	while (a_xchg(&v->rq_turn, 1))
		if (sim_relax(), ++spin > PATIENCE)
			goto no_turn;
	while (RQ_BIASED && a_load(&v->rq_busy))
		if (sim_relax(), ++spin > PATIENCE)
			goto busy;
	return 1;
busy:
	spin_unlock(&v->rq_turn);
no_turn:
	a_store(&v->rq_thief, 0);
	return 0;
}

static void unlock_queue_of(struct worker *v)
{
	a_store(&v->rq_thief, 0);
	spin_unlock(&v->rq_turn);
}

/*
 * Takes the oldest of v's threads: of those woken up to half, of the new ones one in 32.  The oldest new one of a spawn
 * tree carries the biggest branch: one is work for long, and to take more would only be stolen back.  Pinned ones stay.
 */
static int take_some(struct worker *w, struct worker *v)
{
	struct weft_thread *got[STEAL_MAX], *t, *next;
	int n = 0, half = at_most(STEAL_MAX, (v->rq_len + 1) / 2), few = at_most(half, 1 + v->rq_len / 32), level, i;

	for (level = 0; level < NLEVELS; level++) {
		for (t = v->q[level].lifo_last; t && n < few; t = next) {
			next = t->prev;
			if (!t->home)
				unlink_queued(v, level, got[n++] = t);
		}
		for (t = v->q[level].fifo; t && n < half; t = next) {
			next = t->next;
			if (!t->home)
				unlink_queued(v, level, got[n++] = t);
		}
	}
	unlock_queue_of(v);
	rq_lock(w);
	for (i = 0; i < n; i++)
		push_fifo(w, got[i]);
	rq_unlock(w);
	return n;
}

/* after_tick: this worker slept a whole tick, so a pick counter that stood still means a long computation. */
static int steal(struct worker *w, int after_tick)
{
	int n = a_load(&rt.ntotal), i, k, got;
	struct worker *v;

	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	k = (w->seed >> 33) % n;
	for (i = 0; i < n; i++) {
		v = rt.worker[(k + i) % n];
		if (v == w)
			continue;
		if (a_peek(&v->tm_next) != WEFT_FOREVER && timers_run(v, weft_now()))
			return 1;
		if (!a_peek(&v->rq_len))
			continue;
		if (a_peek(&v->rq_len) == 1 && !(after_tick && a_peek(&v->picks) == a_peek(&v->last_seen)))
			continue;
		got = lock_queue_of(v) ? take_some(w, v) : 0;
		if (got) {
			w->steals += got;
			TRACE('T', NULL, "steal");
			return got;
		}
	}
	return 0;
}

/* Looks round for LOOKS queues before it gives up: to sleep and be woken costs both sides more than these microseconds. */
static int search(struct worker *w, int after_tick)
{
	int rounds = LOOKS / a_load(&rt.ntotal);

	if (!w->searching) {
		w->searching = 1;
		a_add(&rt.nsearching, 1);
	}
	do {
		if (steal(w, after_tick) || a_peek(&w->inbox))
			return 1;
		sim_relax();
	} while (rounds-- > 0);
	return 0;
}

static void search_ends(struct worker *w, int found)
{
	if (!w->searching)
		return;
	w->searching = 0;
	if (a_add(&rt.nsearching, -1) == 0 && found && a_load(&rt.nidle))
		wake_idle();		/* there may be more where this came from */
}

/* The earliest deadline of all workers, and whether one of the others is at work. */
static weft_time_t look_round(struct worker *w, int *others_busy, int *anything)
{
	weft_time_t first = WEFT_FOREVER;
	int i, n = a_load(&rt.ntotal);

	*others_busy = *anything = 0;
	for (i = 0; i < n; i++) {
		struct worker *v = rt.worker[i];

		if (a_peek(&v->tm_next) < first)
			first = a_peek(&v->tm_next);
		if (v == w)
			continue;
		if (!a_load(&v->sleeping))
			*others_busy = 1;
		/* One thread in a queue whose worker is awake is that worker's own business until a tick has passed. */
		if (a_load(&v->rq_len) > 1)
			*anything = 1;
		a_set(&v->last_seen, a_peek(&v->picks));
	}
	return first;
}

int is_deadlocked(void)
{
	int i, n = a_load(&rt.ntotal);

	if (a_load(&rt.stopping) || a_load(&rt.outstanding) || poller_active())
		return 0;
	for (i = 0; i < n; i++) {
		struct worker *v = rt.worker[i];

		if (a_load(&v->inbox) || a_load(&v->rq_len) || a_load(&v->tm_next) != WEFT_FOREVER || !a_load(&v->sleeping) ||
		    a_load(&v->sleeping) == SLEEP_KICKED_SEARCH)
			return 0;
	}
	return 1;
}

static void sleep_in_kernel(struct worker *w, weft_time_t until, uint32_t how)
{
	if (how == SLEEP_POLL) {
		weft_time_t now = until == WEFT_FOREVER ? 0 : weft_now();

		poller_wait(w, until == WEFT_FOREVER ? -1 : until > now ? until - now : 0);
		return;
	}
	while (a_load(&w->sleeping) == SLEEP_FUTEX)
		if (os_futex_wait(&w->sleeping, SLEEP_FUTEX, until) == ETIMEDOUT)
			break;
}

/*
 * Counts w among the sleepers and looks once more whether there is nothing to do; *anything says so.  Returns whether w
 * is to be the lookout, who wakes up at ticks as long as others work.  It is that before it counts as idle, or a
 * busy worker that pushes its only thread would find an idle colleague and no lookout, and wake it again at once.
 */
static int lie_down(struct worker *w, weft_time_t *until, int *busy, int *anything)
{
	uint32_t zero = 0;
	int lookout = rt.smp && a_cas(&rt.lookout, &zero, 1);

	a_add(&rt.nidle, 1);
	heavy_fence();
	*until = look_round(w, busy, anything);
	if (!lookout || *busy)
		return lookout;
	/* Nobody to look after.  Who has become busy meanwhile may have relied on us: look again without. */
	a_store(&rt.lookout, 0);
	heavy_fence();
	*until = look_round(w, busy, anything);
	zero = 0;
	return *busy && a_cas(&rt.lookout, &zero, 1);
}

/* Sleeps until kicked, a deadline, an I/O event or a tick.  Returns 1 when it was the tick that ended it. */
static int worker_sleep(struct worker *w, weft_time_t *tick)
{
	uint32_t how = SLEEP_FUTEX, zero = 0;
	int busy, anything, lookout, ticked = 0;
	weft_time_t until;

	search_ends(w, 0);
	if (poller_active() && a_cas(&rt.poll_lock, &zero, 1))
		how = SLEEP_POLL;
	a_store(&w->sleeping, how);
	lookout = lie_down(w, &until, &busy, &anything);
	if (!anything && !a_load(&w->inbox) && !a_load(&w->rq_len) && !a_load(&rt.stopping) && !a_load(&rt.done)) {
		if (lookout) {
			if (until - *tick > weft_now())
				until = weft_now() + *tick;
			*tick = *tick * 2 > TICK_MAX ? TICK_MAX : *tick * 2;
		} else if (until == WEFT_FOREVER && is_deadlocked()) {
			deadlock_report();
		}
		sleep_in_kernel(w, until, how);
		ticked = lookout && weft_now() >= until;
	}
	if (a_xchg(&w->sleeping, SLEEP_NO) == SLEEP_KICKED_SEARCH)
		w->searching = 1;
	a_add(&rt.nidle, -1);
	if (lookout)
		a_store(&rt.lookout, 0);
	if (how == SLEEP_POLL)
		a_store(&rt.poll_lock, 0);
	return ticked;
}

/* A worker too many (its blocked colleague has come back) ends here when it has nothing left to do. */
static int retire(struct worker *w)
{
	int32_t s = a_load(&rt.surplus);

	if (w->index == 0 || s <= 0 || w->rq_len)
		return 0;
	return a_cas(&rt.surplus, &s, s - 1);
}

/* Until the monitor or a pinned thread wants it. */
static void sleep_retired(struct worker *w)
{
	search_ends(w, 0);
	a_store(&w->sleeping, SLEEP_RETIRED);
	heavy_fence();
	while (a_load(&w->sleeping) == SLEEP_RETIRED && !a_load(&w->inbox) && !a_load(&rt.stopping))
		os_futex_wait(&w->sleeping, SLEEP_RETIRED, WEFT_FOREVER);
	a_store(&w->sleeping, SLEEP_NO);
	if (a_load(&w->inbox))		/* else the monitor needs it again */
		a_add(&rt.surplus, 1);
}

static struct weft_thread *find_work(struct worker *w)
{
	weft_time_t tick = TICK_MIN;
	struct weft_thread *t;
	int ticked = 0;

	for (;;) {
		if (unlikely(a_load(&rt.stopping)))
			return NULL;
		housekeeping(w);
		rq_lock(w);
		t = pop(w);
		rq_unlock(w);
		if (t) {
			int was = w->searching;

			search_ends(w, 1);
			/* If we were the lookout nobody is now: let another idle worker take over. */
			if (rt.smp && ticked && !was && a_load(&rt.nidle) && !a_load(&rt.lookout))
				wake_idle();
			return t;
		}
		if (rt.smp && search(w, ticked))
			continue;
		if (retire(w))
			sleep_retired(w);
		else
			ticked = worker_sleep(w, &tick);
	}
}

/* The worker's own context: runs when no thread does. */
void idle_loop(struct worker *w)
{
	struct weft_thread *t;

	while ((t = find_work(w))) {
		rq_lock(w);
		switch_to(w, &w->idle, t, 0);
		w = this_worker();
	}
}
