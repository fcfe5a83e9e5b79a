/*
 * sync.c: mutex, semaphore, condition variable, once.
 *
 * What:  the calls of weft_mutex_init(3), weft_sem_init(3), weft_cond_init(3), weft_once_do(3).
 * Idea:  each object is a spinlock, a few words and a queue of waiters; what is released is handed to the first waiter
 *        directly (the mutex changes owner before the waiter runs), so nobody barges in, every order is the order of
 *        arrival, and a wake-up cannot be lost between "free" and "taken".
 * Handing over: wq_claim_first() finds a waiter that has not timed out or been cancelled; the object's state is changed
 *        for it under the object's lock; then ready().
 * Locking: the object's lock, for a few instructions; in N:1 there is only one kernel task and it is skipped.
 *        weft_cond_wait takes c->lock, then m->lock (to release the mutex only when the waiter is in the queue).
 * See:   seed 003 (locks, binary semaphore against mutex, reentrancy); sched.c wait_on.
 */
#include "internal.h"

/* ---- mutex ---- */

int weft_mutex_init(weft_mutex *m, unsigned int flags)
{
	if (flags & ~WEFT_RECURSIVE)
		return EINVAL;
	memset(m, 0, sizeof *m);
	m->flags = flags;
	return 0;
}

static __attribute__((noinline)) int lock_contended(weft_mutex *m, struct weft_thread *t, weft_time_t deadline, int flags)
{
	char report[512];
	int r;

	if (m->owner == t) {
		r = m->flags & WEFT_RECURSIVE ? 0 : EDEADLK;
		if (!r)
			m->depth++;
		spin_unlock(&m->lock);
		if (r)
			misuse("weft_mutex_lock: the owner locks a plain mutex again");
		return r;
	}
	if (unlikely(rt.debug)) {
		t->what = "mutex";
		t->what_obj = m;
		r = deadlock_here(t, report, sizeof report);
		t->what = NULL;
		if (r && deadline == WEFT_FOREVER)
			misuse("this wait closes a cycle: %s", report);
	}
	/* 0: unlock has made us the owner */
	return wait_on(&m->q, &m->lock, deadline, flags, "mutex", m);
}

static inline int lock_mutex(weft_mutex *m, weft_time_t deadline, int flags)
{
	struct weft_thread *t = self_or_start();

	spin_lock(&m->lock);
	if (unlikely(m->owner != NULL))
		return lock_contended(m, t, deadline, flags);
	m->owner = t;
	spin_unlock(&m->lock);
	return 0;
}

int weft_mutex_lock(weft_mutex *m)
{
	return lock_mutex(m, WEFT_FOREVER, PARK_NOCANCEL);
}

int weft_mutex_lock_until(weft_mutex *m, weft_time_t deadline)
{
	return lock_mutex(m, deadline, 0);
}

int weft_mutex_trylock(weft_mutex *m)
{
	struct weft_thread *t = self_or_start();
	int r = EBUSY;

	spin_lock(&m->lock);
	if (!m->owner) {
		m->owner = t;
		r = 0;
	} else if (m->owner == t && (m->flags & WEFT_RECURSIVE)) {
		m->depth++;
		r = 0;
	}
	spin_unlock(&m->lock);
	return r;
}

/*
 * m->lock held; returns the thread to make ready.  The new owner is written before the claim: in 1:1 it runs from that
 * moment on, and looks at m->owner without the lock in weft_cond_wait.
 */
static inline struct weft_thread *hand_over(weft_mutex *m)
{
	struct weft_waiter *n;

	while (unlikely((n = m->q.first) != NULL)) {
		wq_remove(&m->q, n);
		m->owner = n->t;
		if (claim(n->t, W_SIGNALLED))
			return n->t;
	}
	m->owner = NULL;
	return NULL;
}

int weft_mutex_unlock(weft_mutex *m)
{
	struct weft_thread *t = this_thread(), *next;

	spin_lock(&m->lock);
	if (unlikely(m->owner != t)) {
		spin_unlock(&m->lock);
		misuse("weft_mutex_unlock by a thread that is not the owner");
		return EPERM;
	}
	if (m->depth) {
		m->depth--;
		spin_unlock(&m->lock);
		return 0;
	}
	next = hand_over(m);
	spin_unlock(&m->lock);
	if (next)
		ready(next);
	return 0;
}

int weft_mutex_destroy(weft_mutex *m)
{
	int busy;

	spin_lock(&m->lock);
	busy = m->owner || m->q.first;
	spin_unlock(&m->lock);
	if (busy)
		misuse("weft_mutex_destroy: held or waited for");
	return busy ? EBUSY : 0;
}

/* ---- semaphore ---- */

int weft_sem_init(weft_sem *s, unsigned int value, unsigned int max)
{
	if (max && value > max)
		return EINVAL;
	memset(s, 0, sizeof *s);
	s->value = value;
	s->max = max;
	return 0;
}

int weft_sem_wait_until(weft_sem *s, weft_time_t deadline)
{
	self_or_start();
	spin_lock(&s->lock);
	if (s->value) {
		s->value--;
		spin_unlock(&s->lock);
		return 0;
	}
	return wait_on(&s->q, &s->lock, deadline, 0, "semaphore", s);
}

int weft_sem_wait(weft_sem *s)
{
	return weft_sem_wait_until(s, WEFT_FOREVER);
}

int weft_sem_trywait(weft_sem *s)
{
	int r = EAGAIN;

	spin_lock(&s->lock);
	if (s->value) {
		s->value--;
		r = 0;
	}
	spin_unlock(&s->lock);
	return r;
}

int weft_sem_post(weft_sem *s)
{
	struct weft_waiter *n;
	int r = 0;

	spin_lock(&s->lock);
	n = wq_claim_first(&s->q);
	if (!n) {
		if (s->value == (s->max ? s->max : UINT32_MAX))
			r = EOVERFLOW;
		else
			s->value++;
	}
	spin_unlock(&s->lock);
	if (n)
		ready(n->t);
	return r;
}

unsigned int weft_sem_value(weft_sem *s)
{
	return a_load(&s->value);
}

static int destroy(uint32_t *lock, struct weft_waitq *q, const char *what)
{
	int busy;

	spin_lock(lock);
	busy = q->first != NULL;
	spin_unlock(lock);
	if (busy)
		misuse("%s destroyed while waited on", what);
	return busy ? EBUSY : 0;
}

int weft_sem_destroy(weft_sem *s)
{
	return destroy(&s->lock, &s->q, "semaphore");
}

/* ---- condition variable ---- */

int weft_cond_init(weft_cond *c)
{
	memset(c, 0, sizeof *c);
	return 0;
}

/*
 * The mutex is released while c->lock is held and we are in c's queue: a signaller that has taken the mutex since needs
 * c->lock next, and gets it only when we can be claimed.
 */
int weft_cond_wait_until(weft_cond *c, weft_mutex *m, weft_time_t deadline)
{
	struct weft_thread *t = this_thread(), *next;
	uint32_t depth;
	int r;

	if (m->owner != t || !t) {
		misuse("weft_cond_wait without holding the mutex");
		return EPERM;
	}
	spin_lock(&c->lock);
	spin_lock(&m->lock);
	depth = m->depth;
	m->depth = 0;
	next = hand_over(m);
	spin_unlock(&m->lock);
	if (next)
		ready(next);
	r = wait_on(&c->q, &c->lock, deadline, 0, "condition variable", c);
	lock_mutex(m, WEFT_FOREVER, PARK_NOCANCEL);
	m->depth = depth;
	return r;
}

int weft_cond_wait(weft_cond *c, weft_mutex *m)
{
	return weft_cond_wait_until(c, m, WEFT_FOREVER);
}

int weft_cond_signal(weft_cond *c)
{
	struct weft_waiter *n;

	spin_lock(&c->lock);
	n = wq_claim_first(&c->q);
	spin_unlock(&c->lock);
	if (n)
		ready(n->t);
	return 0;
}

int weft_cond_broadcast(weft_cond *c)
{
	spin_lock(&c->lock);
	return wake_all_unlock(&c->lock, &c->q);
}

int weft_cond_destroy(weft_cond *c)
{
	return destroy(&c->lock, &c->q, "condition variable");
}

/* ---- once ---- */

enum { ONCE_NEW, ONCE_RUNNING, ONCE_DONE };

int weft_once_do(weft_once *o, void (*fn)(void))
{
	struct weft_thread *t;
	int r = 0;

	if (likely(a_load(&o->state) == ONCE_DONE))
		return 0;
	t = self_or_start();
	spin_lock(&o->lock);
	if (o->state == ONCE_RUNNING) {
		if (o->runner != t)
			return wait_on(&o->q, &o->lock, WEFT_FOREVER, PARK_NOCANCEL, "once", o);
		r = EDEADLK;
	}
	if (r || o->state == ONCE_DONE) {
		spin_unlock(&o->lock);
		return r;
	}
	o->state = ONCE_RUNNING;
	o->runner = t;
	spin_unlock(&o->lock);
	fn();
	spin_lock(&o->lock);
	a_store(&o->state, ONCE_DONE);
	return wake_all_unlock(&o->lock, &o->q);
}
