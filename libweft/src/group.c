/*
 * group.c: where threads wait for several others: rw-lock, barrier, wait group, scope.
 *
 * What:  the calls of weft_rwlock_init(3), weft_barrier_init(3), weft_wg_init(3), weft_scope_open(3).
 * Idea:  the rw-lock's queue holds readers and writers in order of arrival; a reader that finds anybody waiting waits
 *        too, and whoever frees the lock lets in the first writer or all readers up to the next writer.  When a waiting
 *        writer gives up, the readers behind it may have become admissible: admit() runs there as well.
 *        A scope is a mutex, a condition and a list of children; close() cannot be interrupted, only hurried.
 * Locking: each object's own lock; a scope's children list is under its mutex.
 * See:   seed 003 (rw-lock table); sync.c.
 */
#include <stdlib.h>
#include "internal.h"

/* ---- rw-lock ---- */

enum { READER, WRITER };

int weft_rwlock_init(weft_rwlock *l)
{
	memset(l, 0, sizeof *l);
	return 0;
}

/*
 * l->lock held, and released here.  Lets in what the front of the queue allows.  In 1:1 a claimed thread runs at once,
 * so the count is raised before the claim is visible to anybody else: both happen under l->lock.
 */
static void admit(weft_rwlock *l)
{
	struct weft_thread *first = NULL, **tail = &first, *t;
	struct weft_waiter *n;

	while ((n = l->q.first) && !l->writer) {
		if (n->kind == WRITER && l->readers)
			break;
		wq_remove(&l->q, n);
		t = n->t;
		if (!claim(t, W_SIGNALLED))
			continue;
		if (n->kind == WRITER)
			l->writer = t;
		else
			l->readers++;
		if (rt.model == WEFT_1_1) {
			ready(t);
			continue;
		}
		*tail = t;
		tail = &t->next;
	}
	*tail = NULL;
	spin_unlock(&l->lock);
	while ((t = first)) {
		first = t->next;
		ready(t);
	}
}

static int rw_wait(weft_rwlock *l, int kind, weft_time_t deadline, int flags)
{
	int r;

	this_thread()->waiter.kind = kind;
	r = wait_on(&l->q, &l->lock, deadline, flags, kind == WRITER ? "write lock" : "read lock", l);
	if (r) {
		spin_lock(&l->lock);
		admit(l);
	}
	return r;
}

static int rdlock(weft_rwlock *l, weft_time_t deadline, int flags)
{
	struct weft_thread *t = self_or_start();

	spin_lock(&l->lock);
	if (l->writer == t) {
		spin_unlock(&l->lock);
		misuse("weft_rwlock_rdlock by the thread that holds the write lock");
		return EDEADLK;
	}
	if (l->writer || l->q.first)
		return rw_wait(l, READER, deadline, flags);
	l->readers++;
	spin_unlock(&l->lock);
	return 0;
}

static int wrlock(weft_rwlock *l, weft_time_t deadline, int flags)
{
	struct weft_thread *t = self_or_start();

	spin_lock(&l->lock);
	if (l->writer == t) {
		spin_unlock(&l->lock);
		misuse("weft_rwlock_wrlock by the thread that holds it");
		return EDEADLK;
	}
	if (l->writer || l->readers || l->q.first)
		return rw_wait(l, WRITER, deadline, flags);
	l->writer = t;
	spin_unlock(&l->lock);
	return 0;
}

int weft_rwlock_rdlock(weft_rwlock *l)
{
	return rdlock(l, WEFT_FOREVER, PARK_NOCANCEL);
}

int weft_rwlock_rdlock_until(weft_rwlock *l, weft_time_t deadline)
{
	return rdlock(l, deadline, 0);
}

int weft_rwlock_wrlock(weft_rwlock *l)
{
	return wrlock(l, WEFT_FOREVER, PARK_NOCANCEL);
}

int weft_rwlock_wrlock_until(weft_rwlock *l, weft_time_t deadline)
{
	return wrlock(l, deadline, 0);
}

int weft_rwlock_tryrdlock(weft_rwlock *l)
{
	int r = EBUSY;

	spin_lock(&l->lock);
	if (!l->writer && !l->q.first) {
		l->readers++;
		r = 0;
	}
	spin_unlock(&l->lock);
	return r;
}

int weft_rwlock_trywrlock(weft_rwlock *l)
{
	struct weft_thread *t = self_or_start();
	int r = EBUSY;

	spin_lock(&l->lock);
	if (!l->writer && !l->readers && !l->q.first) {
		l->writer = t;
		r = 0;
	}
	spin_unlock(&l->lock);
	return r;
}

int weft_rwlock_unlock(weft_rwlock *l)
{
	struct weft_thread *t = this_thread();

	spin_lock(&l->lock);
	if (l->writer ? l->writer != t : !l->readers) {
		spin_unlock(&l->lock);
		misuse("weft_rwlock_unlock: not held by this thread");
		return EPERM;
	}
	if (l->writer)
		l->writer = NULL;
	else
		l->readers--;
	admit(l);
	return 0;
}

static int destroy_if(uint32_t *lock, int busy, const char *what)
{
	spin_unlock(lock);
	if (busy)
		misuse("%s destroyed while in use", what);
	return busy ? EBUSY : 0;
}

int weft_rwlock_destroy(weft_rwlock *l)
{
	spin_lock(&l->lock);
	return destroy_if(&l->lock, l->writer || l->readers || l->q.first, "rw-lock");
}

/* ---- barrier ---- */

int weft_barrier_init(weft_barrier *b, unsigned int count)
{
	if (!count)
		return EINVAL;
	memset(b, 0, sizeof *b);
	b->count = count;
	return 0;
}

/*
 * A thread that gives up and finds itself taken off the queue was counted by the one that opened the barrier: for it,
 * too, the barrier has opened, and the timer or canceller that came between does not matter.
 */
int weft_barrier_wait_until(weft_barrier *b, weft_time_t deadline)
{
	struct weft_thread *t = self_or_start();
	struct weft_waiter *n = &t->waiter;
	uint32_t *lock = &b->lock;
	int r;

	spin_lock(&b->lock);
	if (b->arrived + 1 == b->count) {
		b->arrived = 0;
		wake_all_unlock(&b->lock, &b->q);
		return WEFT_BARRIER_SERIAL;
	}
	b->arrived++;
	wq_append(&b->q, n);
	r = park(&lock, 1, deadline, 0, "barrier", b);
	if (r == W_SIGNALLED)
		return 0;
	r = r == W_TIMEDOUT ? ETIMEDOUT : ECANCELED;
	spin_lock(&b->lock);
	if (n->linked) {
		wq_remove(&b->q, n);
		b->arrived--;
	} else {
		r = 0;
	}
	spin_unlock(&b->lock);
	return r;
}

int weft_barrier_wait(weft_barrier *b)
{
	return weft_barrier_wait_until(b, WEFT_FOREVER);
}

int weft_barrier_destroy(weft_barrier *b)
{
	spin_lock(&b->lock);
	return destroy_if(&b->lock, b->q.first != NULL, "barrier");
}

/* ---- wait group ---- */

int weft_wg_init(weft_wg *w)
{
	memset(w, 0, sizeof *w);
	return 0;
}

int weft_wg_add(weft_wg *w, int n)
{
	spin_lock(&w->lock);
	if (w->count + (int64_t)n < 0 || w->count + (int64_t)n > INT32_MAX) {
		spin_unlock(&w->lock);
		misuse("weft_wg_add: the count would be %lld", (long long)w->count + n);
		return EINVAL;
	}
	w->count += n;
	if (w->count == 0 && w->q.first)
		return wake_all_unlock(&w->lock, &w->q);
	spin_unlock(&w->lock);
	return 0;
}

int weft_wg_done(weft_wg *w)
{
	return weft_wg_add(w, -1);
}

int weft_wg_wait_until(weft_wg *w, weft_time_t deadline)
{
	self_or_start();
	spin_lock(&w->lock);
	if (w->count)
		return wait_on(&w->q, &w->lock, deadline, 0, "wait group", w);
	spin_unlock(&w->lock);
	return 0;
}

int weft_wg_wait(weft_wg *w)
{
	return weft_wg_wait_until(w, WEFT_FOREVER);
}

int weft_wg_destroy(weft_wg *w)
{
	spin_lock(&w->lock);
	return destroy_if(&w->lock, w->q.first != NULL, "wait group");
}

/* ---- scope ---- */

struct weft_scope_child {
	struct weft_scope_child	*next, **link;
	weft_scope		*scope;
	weft_t			thread;
	void			*(*fn)(void *);
	void			*arg;
};

int weft_scope_open(weft_scope *s, unsigned int flags, weft_time_t deadline)
{
	if (flags & ~WEFT_SCOPE_FAIL_FAST)
		return EINVAL;
	memset(s, 0, sizeof *s);
	s->flags = flags;
	s->deadline = deadline ? deadline : WEFT_FOREVER;
	return 0;
}

/* s->m held. */
static void cancel_children(weft_scope *s)
{
	s->cancelled = 1;
	for (struct weft_scope_child *c = s->children; c; c = c->next)
		weft_cancel(c->thread);
}

static void *child_main(void *arg)
{
	struct weft_scope_child *c = arg;
	weft_scope *s = c->scope;
	void *failed = c->fn(c->arg);

	weft_cancel_disable();
	weft_mutex_lock(&s->m);
	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	if (failed && !s->failure) {
		s->failure = failed;
		if (s->flags & WEFT_SCOPE_FAIL_FAST)
			cancel_children(s);
	}
	if (--s->running == 0)
		weft_cond_signal(&s->c);
	/* The last touch of s: the parent may return once it has the mutex, and unlock hands it over as its last act. */
	weft_mutex_unlock(&s->m);
	free(c);
	return NULL;
}

int weft_scope_spawn(weft_scope *s, const weft_attr *attr, void *(*fn)(void *), void *arg)
{
	weft_attr a = WEFT_ATTR_INIT;
	struct weft_scope_child *c = malloc(sizeof *c);
	int r;

	if (!c)
		return EAGAIN;
	if (attr)
		a = *attr;
	a.flags |= WEFT_DETACHED;
	c->scope = s;
	c->fn = fn;
	c->arg = arg;
	weft_mutex_lock(&s->m);
	r = s->cancelled ? ECANCELED : weft_spawn(&c->thread, &a, child_main, c);
	if (r) {
		free(c);
	} else {
		c->next = s->children;
		c->link = &s->children;
		if (c->next)
			c->next->link = &c->next;
		s->children = c;
		s->running++;
	}
	weft_mutex_unlock(&s->m);
	return r;
}

int weft_scope_cancel(weft_scope *s)
{
	weft_mutex_lock(&s->m);
	cancel_children(s);
	weft_mutex_unlock(&s->m);
	return 0;
}

int weft_scope_close(weft_scope *s, void **failure)
{
	struct weft_thread *t = self_or_start();
	uint8_t packed = t->flags & TF_PACKED;
	int r = 0, w;

	t->flags &= ~TF_PACKED;		/* the scope may lie on this stack, and the children write to it */
	weft_mutex_lock(&s->m);
	while (s->running) {
		w = weft_cond_wait_until(&s->c, &s->m, r ? WEFT_FOREVER : s->deadline);
		if (w && !r) {
			r = w;
			cancel_children(s);
			weft_cancel_disable();	/* from here on nothing keeps us from waiting for them */
		}
	}
	weft_mutex_unlock(&s->m);
	if (r)
		weft_cancel_enable();
	t->flags |= packed;
	if (failure)
		*failure = s->failure;
	return r;
}
