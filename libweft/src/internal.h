/*
 * internal.h: what the files of libweft share and nobody outside sees.
 *
 * What:  struct weft_thread, struct worker, the runtime, the wait protocol's words, atomics and the two lock kinds.
 * Idea:  one wait protocol for everything.  A thread that waits puts a waiter into an object's queue under the object's
 *        spinlock and parks; the lock is released only AFTER its registers are saved, by whoever runs next on that
 *        worker (switch_done).  Whoever ends a wait (signaller, timer, canceller) must first win the thread by moving
 *        t->wait from WAITING to its own value; the loser leaves the thread alone.  So each wait ends exactly once.
 * States: t->wait: RUNNING -> PREPARE (by itself) -> WAITING or WAITING_NC (by switch_done) -> SIGNALLED, TIMEDOUT or
 *        CANCELLED (by the winner, who makes it ready) -> RUNNING (by itself).
 * Locking: object lock -> timer lock -> run queue (biased to its owner).  None is held while user code runs.
 *        Field keys: [I] set before publication, [a] atomic, [o] only the owner (worker or thread), [q] run-queue lock,
 *        [w] under the lock of the object waited for, [-] racy on purpose.
 * See:   spec.md section 9; doc/libweft.md "The wait protocol".
 */
#ifndef WEFT_INTERNAL_H
#define WEFT_INTERNAL_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "weft/thread.h"

struct worker;
struct weft_thread;

#if defined(WEFT_SIM)
void sim_point(void);				/* the simulated machine may run another kernel task here */
void sim_relax(void);
struct worker *this_worker(void);
#else
#define sim_point()	((void)0)
#endif
#include "arch.h"
#if defined(WEFT_SIM)
enum { LOOKS = 40 };		/* queues that a worker looks into before it sleeps */
#else
enum { LOOKS = 120 };
#define sim_relax()	cpu_relax()
#endif

#define a_load(p)	({ sim_point(); __atomic_load_n((p), __ATOMIC_ACQUIRE); })
#define a_peek(p)	__atomic_load_n((p), __ATOMIC_RELAXED)
#define a_store(p, v)	({ sim_point(); __atomic_store_n((p), (v), __ATOMIC_RELEASE); })
#define a_set(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define a_xchg(p, v)	({ sim_point(); __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST); })
#define a_add(p, v)	({ sim_point(); __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST); })
#define a_cas(p, e, v)	({ sim_point(); __atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); })
#define a_count(p)	__atomic_store_n((p), __atomic_load_n((p), __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED)

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define HIDDEN		__attribute__((visibility("hidden")))
#define NLEVELS		8
#define MAX_WORKERS	256
#define MAX_KEYS	64
#define PAGE		4096

enum { W_RUNNING, W_PREPARE, W_WAITING, W_WAITING_NC, W_SIGNALLED, W_TIMEDOUT, W_CANCELLED };
enum { LIFE_FREE, LIFE_LIVE, LIFE_DONE };
enum { POST_NONE, POST_PARK, POST_EXIT };
enum { PARK_NOCANCEL = 1, PARK_NOPACK = 2, PARK_IO = 4 };
enum { TF_DETACHED = 1, TF_PINNED = 2, TF_PACKED = 4, TF_MAIN = 8, TF_IDLE = 16, TF_JOINED = 32 };

struct weft_waiter {
	struct weft_waiter	*next, *prev;	/* [w] */
	struct weft_thread	*t;		/* [I] */
	void			*data;		/* [w] element to copy, or what the primitive likes */
	uint32_t		kind;		/* [I] reader or writer, case index, ... */
	uint32_t		linked;		/* [w] */
	uint32_t		done;		/* [w] the signaller's word to the waiter */
};

struct weft_thread {
	/* one cache line: all that a switch and a wake-up touch */
	void			*sp;		/* of the owner, or of whoever has taken it off a queue */
	struct weft_thread	*next, *prev;	/* [q] run queue, inbox, free list */
	uint32_t		wait;		/* [a] the wait protocol */
	uint32_t		cancel;		/* [a] asked to stop */
	uint8_t			prio;		/* [-] */
	uint8_t			flags;		/* [o] TF_* */
	uint8_t			park_flags;	/* [o] PARK_* of the wait under way */
	uint8_t			lifo;		/* [q] which of the two lists it is on */
	uint16_t		gen;		/* [lock] handle generation */
	uint16_t		cancel_off;	/* [o] depth of weft_cancel_disable */
	struct packed		*packed;	/* [o] copy of the stack while parked, TF_PACKED */
	const char		*what;		/* [-] what it waits for, for dumps */
	const void		*what_obj;	/* [-] */
	/* the wait under way */
	struct weft_waiter	waiter;
	struct worker		*home;		/* [o] TF_PINNED to this worker */
	weft_time_t		deadline;	/* [timer lock] */
	struct worker		*tm_worker;	/* [timer lock] */
	int32_t			tm_index;	/* [timer lock] -1: no timer */
	int			tid;		/* [I] 1:1: its kernel task */
	/* life, under lock */
	uint32_t		lock;
	uint32_t		life;
	uint32_t		ends;		/* TF_DETACHED, TF_JOINED: apart from flags, which only the owner writes */
	struct weft_waitq	joinq;
	void			*result;
	/* [I] */
	void			*(*fn)(void *);
	void			*arg;
	char			*stack;		/* lowest byte, guard included */
	size_t			stack_size;
	size_t			guard;
	unsigned long		id;
	void			**keys;		/* [o] */
	void			*fake_stack;	/* [o] AddressSanitizer */
	void			*fiber;		/* [I] ThreadSanitizer */
	unsigned int		vg_id;		/* [I] valgrind */
	int			cancel_fd;	/* [o] 1:1: what wakes it out of poll */
	struct fp_env		fp;		/* [o] */
	uint64_t		slot;		/* [o] channel element handed over while the stack is packed */
	char			name[WEFT_NAME_MAX];	/* [-] */
} __attribute__((aligned(64)));

struct level { struct weft_thread *lifo, *lifo_last, *fifo, *fifo_last; };

struct worker {
	struct weft_thread	*current;	/* [o] read racily by dumps */
	/* the run queue: biased lock, then what it guards */
	uint32_t		rq_busy;	/* [a] the owner is inside, without rq_turn */
	uint32_t		rq_thief;	/* [a] somebody else is about: use rq_turn */
	uint32_t		rq_turn;	/* [a] an ordinary lock, for those times */
	uint32_t		rq_taken;	/* [o] the owner is inside, with rq_turn */
	uint32_t		rq_mask;	/* [q] levels that hold something */
	uint32_t		rq_len;		/* [q], read racily by thieves */
	struct level		q[NLEVELS];	/* [q] */
	/* what the next context has to finish: [o] */
	struct weft_thread	*prev;
	int			post, nlocks;
	uint32_t		*lock1, **locks;
	uint32_t		publish;
	uint32_t		picks;		/* [o], read racily: does this worker still schedule? */
	uint32_t		searching;	/* [o] holds a unit of rt.nsearching */
	struct weft_thread	*free;		/* [o] threads with stacks, ready for use */
	unsigned int		nfree;
	uint64_t		seed;		/* [o] */
	uint64_t		switches, steals, parks, preemptions;	/* [o] statistics */
	uint64_t		io_begun, io_ended;	/* [o] waits for events: poller_active */
	uint64_t		polls;		/* [o] looks for events */
	struct trace_buffer	*trace;		/* [o] */
	void			*main_stack;	/* [I] of the kernel task: for AddressSanitizer */
	size_t			main_stack_size;
	/* touched by others */
	struct weft_thread	*inbox __attribute__((aligned(64)));	/* [a] a stack of threads made ready from elsewhere */
	uint32_t		sleeping;	/* [a] SLEEP_*: and its futex */
	uint32_t		tm_lock;
	int32_t			tm_n, tm_cap;	/* [tm_lock] */
	struct weft_thread	**tm;		/* [tm_lock] heap by deadline */
	weft_time_t		tm_next;	/* [tm_lock], read racily */
	uint32_t		last_seen;	/* [o: the lookout] picks when it last looked */
	uint32_t		mon_seen, mon_ticks, mon_replaced;	/* [o: the monitor] */
	uint32_t		preempt_sent;	/* [a] the signal is on its way */
	int			tid;		/* [I] */
	int			index;		/* [I] */
	struct weft_thread	idle;		/* its scheduler context */
} __attribute__((aligned(64)));

/* WEFT_IO.  By default epoll, and io_uring for files only. */
enum { IO_DEFAULT, IO_EPOLL, IO_URING };

enum { SLEEP_NO, SLEEP_FUTEX, SLEEP_POLL, SLEEP_KICKED_SEARCH, SLEEP_RETIRED };

struct runtime {
	int		running, model, smp, nworkers, stopping;
	int		membarrier;		/* [I] light_fence may be empty */
	int		slow_switch;		/* [I] something wants to see each switch */
	int		debug, fp_env, trace, preempt_us, io_mode;
	size_t		stack_size;
	void		(*on_deadlock)(const char *);
	struct worker	*worker[MAX_WORKERS];	/* [I] entries below ntotal */
	int		ntotal;			/* [a] */
	uint32_t	nidle, nsearching;	/* [a] */
	int32_t		surplus;		/* [a] workers whom nobody needs any more: see monitor.c */
	uint32_t	outstanding;		/* [a] helper calls: not a deadlock */
	struct job	*done;			/* [a] N:1: a stack of helpers' jobs whose callers are to go on */
	uint32_t	poll_lock;		/* [a] who sleeps in epoll */
	uint32_t	lookout;		/* [a] who looks after busy workers */
	uint32_t	spawn_lock;
	unsigned long	next_id;		/* [a] */
	long		nthreads;		/* [a] only in 1:1 */
	uint64_t	replaced, helpers;	/* [a] */
	struct weft_thread main;
};

extern HIDDEN struct runtime rt;

/*
 * A pair of fences: light in the frequent place, heavy in the rare one.  With membarrier(2) the light one is only for
 * the compiler and the heavy one makes all our tasks run a full barrier; without it both are full.
 */
HIDDEN void heavy_fence(void);
static inline void light_fence(void)
{
	if (likely(rt.membarrier))
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sim_point();
}

HIDDEN void spin_slow(uint32_t *l);
static inline void spin_lock(uint32_t *l)
{
	if (rt.smp && unlikely(a_xchg(l, 1)))
		spin_slow(l);
}
static inline void spin_unlock(uint32_t *l)
{
	if (rt.smp)
		a_store(l, 0);
}

#if defined(__SANITIZE_THREAD__)
#define RQ_BIASED 0			/* the sanitizer does not understand membarrier */
#else
#define RQ_BIASED 1
#endif
static __attribute__((noinline)) void rq_lock_slow(struct worker *w)
{
	a_store(&w->rq_busy, 0);
	spin_lock(&w->rq_turn);
	w->rq_taken = 1;
}
static inline void rq_lock(struct worker *w)
{
	if (!rt.smp)
		return;
	a_set(&w->rq_busy, 1);
	light_fence();
	if (unlikely(!RQ_BIASED || a_load(&w->rq_thief)))
		rq_lock_slow(w);
}
static inline void rq_unlock(struct worker *w)
{
	if (!rt.smp)
		return;
	if (unlikely(w->rq_taken)) {
		w->rq_taken = 0;
		spin_unlock(&w->rq_turn);
	} else {
		a_store(&w->rq_busy, 0);
	}
}

HIDDEN struct weft_thread *weft__start_here(void);
static inline struct weft_thread *this_thread(void)
{
	struct worker *w = this_worker();

	return w ? w->current : NULL;
}
/* The calling thread; starts the runtime for a program that has not. */
static inline struct weft_thread *self_or_start(void)
{
	struct weft_thread *t = this_thread();

	return likely(t != NULL) ? t : weft__start_here();
}
static inline weft_t handle_of(struct weft_thread *t) { return ((uint64_t)t->gen << 48) | (uintptr_t)t; }

/* waitq: first come, first served */
static inline void wq_append(struct weft_waitq *q, struct weft_waiter *n)
{
	n->next = NULL;
	n->prev = q->last;
	n->linked = 1;
	if (q->last)
		q->last->next = n;
	else
		q->first = n;
	q->last = n;
}
static inline void wq_remove(struct weft_waitq *q, struct weft_waiter *n)
{
	if (n->next)
		n->next->prev = n->prev;
	else
		q->last = n->prev;
	if (n->prev)
		n->prev->next = n->next;
	else
		q->first = n->next;
	n->linked = 0;
}

/* Wins the right to end t's wait; whoever wins calls ready(t) afterwards, once. */
static inline int claim(struct weft_thread *t, uint32_t how)
{
	uint32_t e = a_load(&t->wait);

	if (e != W_WAITING && (e != W_WAITING_NC || how == W_CANCELLED))
		return 0;
	if (!rt.smp) {
		t->wait = how;
		return 1;
	}
	return a_cas(&t->wait, &e, how);
}

/* Takes the first waiter whose thread we can win off the queue. */
static inline struct weft_waiter *wq_claim_first(struct weft_waitq *q)
{
	struct weft_waiter *n;

	while ((n = q->first)) {
		wq_remove(q, n);
		if (claim(n->t, W_SIGNALLED))
			return n;
	}
	return NULL;
}

/* sched.c */
HIDDEN int park(uint32_t **locks, int nlocks, weft_time_t deadline, int flags, const char *what, const void *obj);
HIDDEN int wait_on(struct weft_waitq *q, uint32_t *lock, weft_time_t deadline, int flags, const char *what, const void *obj);
HIDDEN void ready(struct weft_thread *t);
HIDDEN void ready_list(struct weft_thread *first);
HIDDEN int wake_all_unlock(uint32_t *lock, struct weft_waitq *q);
HIDDEN void ready_spawned(struct weft_thread *t);
HIDDEN void post_inbox(struct worker *w, struct weft_thread *t);
HIDDEN void kick(struct worker *w);
HIDDEN void switch_exit(struct weft_thread *t, struct weft_thread *joiner) __attribute__((noreturn));
HIDDEN struct weft_thread *thread_ending(struct weft_thread *t, void *result);
HIDDEN void idle_loop(struct worker *w);
HIDDEN int is_deadlocked(void);
/* timer.c */
HIDDEN void timer_add(struct worker *w, struct weft_thread *t, weft_time_t deadline);
HIDDEN void timer_del(struct weft_thread *t);
HIDDEN int timers_run(struct worker *w, weft_time_t now);
/* stack.c */
HIDDEN struct weft_thread *thread_alloc(size_t stack_size, int packed);
HIDDEN void thread_free(struct weft_thread *t);
HIDDEN void thread_pack(struct weft_thread *t);
HIDDEN void thread_unpack(struct weft_thread *t);
HIDDEN char *stack_map(size_t size, size_t *guard);
HIDDEN void stack_unmap(char *stack, size_t size);
HIDDEN int thread_for_each(int (*fn)(struct weft_thread *, void *), void *arg);
HIDDEN size_t stack_class(size_t size);
HIDDEN int stack_overflow_check(uintptr_t addr, struct weft_thread *t);
HIDDEN void stack_say_protection(void);
/* thread.c */
HIDDEN struct weft_thread *thread_of(weft_t h);
HIDDEN void keys_destroy(struct weft_thread *t);
HIDDEN void thread_finished(struct weft_thread *t);
HIDDEN void weft__thread_main(struct weft_thread *t) __attribute__((noreturn, used));
HIDDEN void *thread_main_1_1(void *arg);
/* init.c */
HIDDEN int runtime_ensure(void);
HIDDEN int worker_start(void);
HIDDEN struct worker *worker_attach(struct weft_thread *t);
HIDDEN void worker_detach(struct worker *w);
HIDDEN void signals_for_this_task(int on);
HIDDEN void misuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
HIDDEN void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* os.c */
HIDDEN int os_futex_wait(uint32_t *addr, uint32_t value, weft_time_t deadline);
HIDDEN void os_futex_wake(uint32_t *addr, int n);
HIDDEN int os_task_start(void *(*fn)(void *), void *arg, size_t stack_size);
HIDDEN void os_task_exit(void) __attribute__((noreturn));
HIDDEN void os_yield(void);
HIDDEN int os_foreign_tasks(void);
HIDDEN int os_gettid(void);
HIDDEN void os_set_nice(int tid, int levels);
HIDDEN int os_errno(void);
HIDDEN int os_membarrier_init(void);
/* poller.c, helper.c, uring.c */
HIDDEN int poller_wait(struct worker *w, weft_time_t timeout_ns);
HIDDEN void poller_kick(void);
HIDDEN int poller_active(void);
HIDDEN int poller_init(void);
HIDDEN int poller_watch(int fd, void (*fn)(void));
HIDDEN int helper_run(void (*fn)(void *), void *arg, weft_time_t deadline, void (*dispose)(void *));
HIDDEN void helper_reap(void);
HIDDEN int uring_available(void);
HIDDEN void uring_start(void);
HIDDEN void uring_stop(void);
/* dump.c, trace.c, monitor.c */
HIDDEN void deadlock_report(void);
HIDDEN int deadlock_here(struct weft_thread *t, char *buf, size_t size);
HIDDEN void trace_event(char kind, struct weft_thread *t, const char *what);
HIDDEN int trace_open(const char *path);
HIDDEN void trace_close(void);
HIDDEN int monitor_start(void);
HIDDEN void monitor_stop(void);
#define TRACE(kind, t, what)	do { if (unlikely(rt.trace)) trace_event(kind, t, what); } while (0)

#endif
