/*
 * thread.c: a thread's life.  spawn, join, detach, exit, cancel, names, priorities, keys.
 *
 * What:  the calls of weft_spawn(3), weft_self(3), weft_cancel(3), weft_set_name(3), weft_key_create(3).
 * Idea:  the end of a thread is published by the next context on its worker (thread_finished, called from
 *        switch_done), when the dying thread's stack is in use no more; t->lock is held from the moment a joiner was
 *        looked for until then, so a joiner either finds DONE or waits in joinq.  A joiner that waits is switched to
 *        directly: the end of a child continues its parent, which keeps spawn trees depth first.
 * States: life: FREE -> LIVE (spawn) -> DONE (exit) -> FREE (join, or at once when detached).  gen grows at each FREE, so
 *        an old handle never reaches the next thread in the same memory.
 * Race:  weft_cancel against a thread on its way into a wait:
 *
 *            canceller                     thread (park)
 *            cancel = 1                    wait = PREPARE
 *            heavy_fence                   light_fence
 *            wait?                         cancel? then give up
 *            PREPARE: look again           ... wait = WAITING
 *            WAITING: claim
 *
 * Locking: t->lock guards life, gen, ends, joinq, result.
 * See:   internal.h; seed 003.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"
#include "san.h"

static struct {
	uint32_t lock, used[MAX_KEYS];
	void (*destructor[MAX_KEYS])(void *);
} keys;

/* The structure behind a handle, whatever its life; NULL for what cannot be one. */
struct weft_thread *thread_of(weft_t h)
{
	return (struct weft_thread *)(uintptr_t)(h & 0xffffffffffffull);
}

/* Locks the thread that the handle means; NULL when it is gone. */
static struct weft_thread *lock_handle(weft_t h)
{
	struct weft_thread *t = h == WEFT_NONE ? this_thread() : thread_of(h);

	if (!t)
		return NULL;
	spin_lock(&t->lock);
	if (a_peek(&t->life) == LIFE_FREE || (h != WEFT_NONE && t->gen != (uint16_t)(h >> 48))) {
		spin_unlock(&t->lock);
		return NULL;
	}
	return t;
}

/* t->lock held; releases it and the thread. */
static void release(struct weft_thread *t)
{
	san_thread_fini(t);
	if (rt.model == WEFT_1_1 && t->cancel_fd >= 0) {
		close(t->cancel_fd);
		t->cancel_fd = -1;
	}
	t->life = LIFE_FREE;
	if (++t->gen == 0)
		t->gen = 1;
	spin_unlock(&t->lock);
	thread_free(t);
}

/* From switch_done: t runs no more.  t->lock is held since weft_exit. */
void thread_finished(struct weft_thread *t)
{
	t->life = LIFE_DONE;
	if (t->ends & TF_DETACHED)
		release(t);
	else
		spin_unlock(&t->lock);
}

static void thread_init(struct weft_thread *t, const weft_attr *a, void *(*fn)(void *), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->wait = W_RUNNING;
	t->waiter.t = t;
	t->cancel = 0;
	t->cancel_off = 0;
	t->prio = a ? a->priority : 4;
	t->flags = a ? a->flags & (WEFT_PINNED | WEFT_PACKED) : 0;
	t->ends = a ? a->flags & WEFT_DETACHED : 0;
	t->home = NULL;
	t->what = NULL;
	t->tm_index = -1;
	t->tid = 0;
	t->joinq.first = t->joinq.last = NULL;
	t->result = NULL;
	t->keys = NULL;
	t->packed = NULL;
	t->name[0] = 0;
	if (unlikely(a && a->name)) {
		strncpy(t->name, a->name, WEFT_NAME_MAX - 1);
		t->name[WEFT_NAME_MAX - 1] = 0;
	}
	if (unlikely(rt.fp_env))
		fp_save(&t->fp);
}

static int start_in_kernel(struct weft_thread *t, size_t size)
{
	a_add(&rt.nthreads, 1);
	if (os_task_start(thread_main_1_1, t, size)) {
		a_add(&rt.nthreads, -1);
		return EAGAIN;
	}
	return 0;
}

int weft_spawn(weft_t *out, const weft_attr *a, void *(*fn)(void *), void *arg)
{
	struct weft_thread *t;
	struct worker *w;
	size_t size;
	int kernel;

	if (!fn || (a && (unsigned)a->priority >= NLEVELS))
		return EINVAL;
	if (unlikely(!rt.running) && runtime_ensure())
		return EAGAIN;
	if (unlikely(!(w = this_worker())))
		return EPERM;		/* a kernel thread that the library did not make */
	size = rt.stack_size;
	if (unlikely(a && a->stack_size))
		size = stack_class(a->stack_size);
	kernel = rt.model == WEFT_1_1;
	t = thread_alloc(kernel ? 0 : size, kernel || (a && (a->flags & WEFT_PACKED)));
	if (!t)
		return EAGAIN;
	thread_init(t, a, fn, arg);
	/* Numbers come from the worker, so that counting them costs no shared cache line. */
	t->id = ++w->idle.id * MAX_WORKERS + (w->index & (MAX_WORKERS - 1));
	a_store(&t->life, LIFE_LIVE);	/* no lock: only old handles lead here so far, and their gen is not ours */
	if (out)
		*out = handle_of(t);
	TRACE('N', t, t->name);
	if (kernel) {
		if (start_in_kernel(t, size)) {
			spin_lock(&t->lock);
			release(t);
			return EAGAIN;
		}
		return 0;
	}
	if (t->flags & TF_PINNED)
		t->home = w;
	san_thread_init(t);
	t->sp = arch_prepare(t->flags & TF_PACKED ? t->stack + t->stack_size : (char *)t, t);
	ready_spawned(t);
	return 0;
}

void *thread_main_1_1(void *arg)
{
	struct weft_thread *t = arg;
	struct worker *w = worker_attach(t);

	if (!w)
		die("no memory for a kernel thread's record");
	spin_lock(&t->lock);		/* against weft_set_priority: one of us sees what the other has set */
	t->tid = w->tid;
	os_set_nice(t->tid, t->prio - 4);
	spin_unlock(&t->lock);
	san_adopt(t);
	t->result = t->fn(t->arg);
	weft_exit(t->result);
}

static void end_1_1(struct weft_thread *t, struct weft_thread *joiner)
{
	struct worker *w = this_worker();

	thread_finished(t);
	if (joiner)
		ready(joiner);
	worker_detach(w);
	a_add(&rt.nthreads, -1);
	os_task_exit();
}

/* All that a thread does before its last switch; t->lock is held on return.  Returns the joiner, claimed, or NULL. */
struct weft_thread *thread_ending(struct weft_thread *t, void *result)
{
	struct weft_waiter *n;

	if (unlikely(t->keys != NULL))
		keys_destroy(t);
	TRACE('E', t, NULL);
	spin_lock(&t->lock);
	t->result = result;
	n = wq_claim_first(&t->joinq);
	return n ? n->t : NULL;
}

void weft_exit(void *result)
{
	struct weft_thread *t = this_thread(), *joiner;

	if (!t)
		pthread_exit(result);
	if (t->flags & TF_MAIN)
		exit((int)(intptr_t)result);
	joiner = thread_ending(t, result);
	if (rt.model == WEFT_1_1)
		end_1_1(t, joiner);
	switch_exit(t, joiner);
	__builtin_unreachable();
}

int weft_join_until(weft_t h, void **result, weft_time_t deadline)
{
	struct weft_thread *t = lock_handle(h), *self = this_thread();
	int r;

	if (!t || h == WEFT_NONE) {
		if (t)
			spin_unlock(&t->lock);
		misuse("weft_join: no such thread (joined twice, or never made)");
		return ESRCH;
	}
	if (t == self || t->ends) {
		r = t == self ? EDEADLK : EINVAL;
		spin_unlock(&t->lock);
		misuse("weft_join: thread %lu %s", t->id, r == EDEADLK ? "joins itself" : "is detached or being joined");
		return r;
	}
	while (t->life != LIFE_DONE) {
		t->ends |= TF_JOINED;
		r = wait_on(&t->joinq, &t->lock, deadline, 0, "join", t);
		spin_lock(&t->lock);
		/* Woken by its end, or gave up: then, unless the end came just now, somebody else may join. */
		if (r && t->life != LIFE_DONE) {
			t->ends &= ~TF_JOINED;
			spin_unlock(&t->lock);
			return r;
		}
	}
	if (result)
		*result = t->result;
	release(t);
	return 0;
}

int weft_join(weft_t h, void **result)
{
	return weft_join_until(h, result, WEFT_FOREVER);
}

int weft_detach(weft_t h)
{
	struct weft_thread *t = lock_handle(h);

	if (!t)
		return ESRCH;
	if (t->ends) {
		spin_unlock(&t->lock);
		return EINVAL;
	}
	t->ends |= TF_DETACHED;
	if (t->life == LIFE_DONE)
		release(t);
	else
		spin_unlock(&t->lock);
	return 0;
}

weft_t weft_self(void)
{
	struct weft_thread *t = this_thread();

	return t ? handle_of(t) : WEFT_NONE;
}

unsigned long weft_id(void)
{
	struct weft_thread *t = this_thread();

	return t ? t->id : 0;
}

int weft_sleep_until(weft_time_t deadline)
{
	int r;

	if (!this_worker() && runtime_ensure())
		return EAGAIN;
	r = park(NULL, 0, deadline, 0, "sleep", NULL);
	return r == W_CANCELLED ? ECANCELED : 0;
}

int weft_sleep(weft_time_t ns)
{
	return weft_sleep_until(weft_after(ns < 0 ? 0 : ns));
}

weft_time_t weft_after(weft_time_t ns)
{
	weft_time_t now = weft_now(), sum;

	return __builtin_add_overflow(now, ns, &sum) ? WEFT_FOREVER : sum;
}

int weft_cancel(weft_t h)
{
	struct weft_thread *t = lock_handle(h);
	int n = 0, won;

	if (!t)
		return ESRCH;
	if (t->life != LIFE_LIVE) {
		spin_unlock(&t->lock);
		return 0;
	}
	a_store(&t->cancel, 1);
	heavy_fence();
	/* t->lock keeps it from ending, so it is the same thread throughout. */
	while (a_load(&t->wait) == W_PREPARE) {
		if (t == this_thread())
			break;
		sim_relax();
		if (++n % 128 == 0)
			os_yield();
	}
	won = claim(t, W_CANCELLED);
	if (t->cancel_fd >= 0) {
		uint64_t one = 1;

		(void)!write(t->cancel_fd, &one, sizeof one);
	}
	spin_unlock(&t->lock);
	if (won)
		ready(t);
	return 0;
}

int weft_cancelled(void)
{
	struct weft_thread *t = this_thread();

	return t && !t->cancel_off && a_load(&t->cancel);
}

void weft_cancel_disable(void)
{
	struct weft_thread *t = this_thread();

	if (t)
		t->cancel_off++;
}

void weft_cancel_enable(void)
{
	struct weft_thread *t = this_thread();

	if (t && t->cancel_off)
		t->cancel_off--;
}

int weft_set_name(weft_t h, const char *name)
{
	struct weft_thread *t = lock_handle(h);

	if (!t)
		return ESRCH;
	strncpy(t->name, name, WEFT_NAME_MAX - 1);
	t->name[WEFT_NAME_MAX - 1] = 0;
	spin_unlock(&t->lock);
	return 0;
}

int weft_get_name(weft_t h, char *buffer, size_t size)
{
	struct weft_thread *t = lock_handle(h);
	int r = 0;

	if (!t)
		return ESRCH;
	if (strlen(t->name) >= size)
		r = ERANGE;
	else
		strcpy(buffer, t->name);
	spin_unlock(&t->lock);
	return r;
}

/* A queued thread stays on the level where it is: see push_fifo. */
int weft_set_priority(weft_t h, int priority)
{
	struct weft_thread *t = lock_handle(h);

	if (!t)
		return ESRCH;
	if ((unsigned)priority < NLEVELS) {
		a_set(&t->prio, priority);
		if (rt.model == WEFT_1_1 && t->tid)
			os_set_nice(t->tid, priority - 4);
	}
	spin_unlock(&t->lock);
	return (unsigned)priority < NLEVELS ? 0 : EINVAL;
}

int weft_get_priority(weft_t h)
{
	struct weft_thread *t = lock_handle(h);
	int p;

	if (!t)
		return -ESRCH;
	p = a_peek(&t->prio);
	spin_unlock(&t->lock);
	return p;
}

int weft_key_create(weft_key_t *key, void (*destructor)(void *))
{
	unsigned int i;

	spin_lock(&keys.lock);
	for (i = 0; i < MAX_KEYS && keys.used[i]; i++)
		;
	if (i < MAX_KEYS) {
		keys.used[i] = 1;
		keys.destructor[i] = destructor;
		*key = i;
	}
	spin_unlock(&keys.lock);
	return i < MAX_KEYS ? 0 : EAGAIN;
}

int weft_key_delete(weft_key_t key)
{
	int r = EINVAL;

	spin_lock(&keys.lock);
	if (key < MAX_KEYS && keys.used[key]) {
		keys.used[key] = 0;
		keys.destructor[key] = NULL;
		r = 0;
	}
	spin_unlock(&keys.lock);
	return r;
}

int weft_setspecific(weft_key_t key, const void *value)
{
	struct weft_thread *t = this_thread();

	if (!t || key >= MAX_KEYS || !keys.used[key])
		return EINVAL;
	if (!t->keys && !(t->keys = calloc(MAX_KEYS, sizeof *t->keys)))
		return ENOMEM;
	t->keys[key] = (void *)value;
	return 0;
}

void *weft_getspecific(weft_key_t key)
{
	struct weft_thread *t = this_thread();

	return t && t->keys && key < MAX_KEYS ? t->keys[key] : NULL;
}

/* As POSIX: a destructor may set values again, so up to four rounds. */
void keys_destroy(struct weft_thread *t)
{
	int round, i, again = 1;

	for (round = 0; round < 4 && again; round++)
		for (again = 0, i = 0; i < MAX_KEYS; i++) {
			void *v = t->keys[i];

			t->keys[i] = NULL;
			if (v && keys.destructor[i]) {
				keys.destructor[i](v);
				again = 1;
			}
		}
	free(t->keys);
	t->keys = NULL;
}
