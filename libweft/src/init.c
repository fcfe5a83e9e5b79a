/*
 * init.c: starting and stopping: configuration, workers, signal stacks, errors that end the program.
 *
 * What:  weft_init and weft_fini; worker_start for the monitor's replacements; worker_attach for 1:1 threads.
 * Idea:  worker 0 is the kernel task that called weft_init; its first thread, main, keeps the process's own stack and
 *        stays on worker 0 (pinned), since libraries and debuggers expect the first task to run main.
 * Locking: rt.spawn_lock guards rt.worker[] and rt.ntotal growing; readers see entries below ntotal, set once.
 * See:   weft_init(3); sched.c idle_loop.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"
#include "san.h"

struct runtime rt;
#if !defined(WEFT_SIM)
__thread struct worker *weft__worker __attribute__((tls_model("initial-exec")));
static void set_this_worker(struct worker *w) { weft__worker = w; }
#else
void set_this_worker(struct worker *w);
#endif

enum { ALTSTACK = 16384 };

void misuse(const char *fmt, ...)
{
	va_list ap;

	if (!rt.debug)
		return;
	va_start(ap, fmt);
	fprintf(stderr, "weft: misuse: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, " [thread %lu %s]\n", weft_id(), this_thread() ? this_thread()->name : "");
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "weft: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	abort();
}

static long env_number(const char *name, long otherwise)
{
	const char *s = getenv(name);

	return s && *s ? atol(s) : otherwise;
}

/* ---- a fault in a guard page names its thread ---- */

#if !defined(WEFT_SIM)
static struct sigaction old_segv;

static void on_segv(int sig, siginfo_t *si, void *uc)
{
	struct weft_thread *t = this_thread();

	(void)uc;
	if (t && stack_overflow_check((uintptr_t)si->si_addr, t)) {
		char buf[128];
		int n = snprintf(buf, sizeof buf, "weft: stack overflow in thread %lu \"%s\" (stack of %zu bytes)\n", t->id,
				 t->name, t->stack_size);

		(void)!write(2, buf, n);
	}
	sigaction(sig, &old_segv, NULL);	/* and fault again, into whatever was there before us */
}

void signals_for_this_task(int on)
{
	stack_t ss = { .ss_size = ALTSTACK }, old;

	if (!on) {
		sigaltstack(NULL, &old);
		ss.ss_flags = SS_DISABLE;
		sigaltstack(&ss, NULL);
		if (!(old.ss_flags & SS_DISABLE))
			munmap(old.ss_sp, old.ss_size);
		return;
	}
	ss.ss_sp = mmap(NULL, ALTSTACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ss.ss_sp != MAP_FAILED)
		sigaltstack(&ss, NULL);
}

/* WEFT_DUMP=1: look at a program that hangs, with kill -QUIT.  A debugging aid: dladdr may take the loader's lock. */
static void on_quit(int sig)
{
	int e = errno;

	(void)sig;
	weft_dump(2);
	errno = e;
}

static void watch_faults(void)
{
	struct sigaction dump = { .sa_handler = on_quit, .sa_flags = SA_ONSTACK | SA_RESTART };
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	signals_for_this_task(1);
	sigaction(SIGSEGV, &sa, &old_segv);
	if (env_number("WEFT_DUMP", 0))
		sigaction(SIGQUIT, &dump, NULL);
}
#endif

/* ---- workers ---- */

static void set_worker_stack(struct worker *w)
{
#if defined(__SANITIZE_ADDRESS__)
	pthread_attr_t a;

	pthread_getattr_np(pthread_self(), &a);
	pthread_attr_getstack(&a, &w->main_stack, &w->main_stack_size);
	pthread_attr_destroy(&a);
#endif
	(void)w;
}

static struct worker *worker_new(void)
{
	struct worker *w = aligned_alloc(64, sizeof *w);

	if (!w)
		return NULL;
	memset(w, 0, sizeof *w);
	w->tm_next = WEFT_FOREVER;
	w->idle.flags = TF_IDLE;
	w->idle.tm_index = -1;
	w->idle.cancel_fd = -1;
	return w;
}

static int worker_enter(struct worker *w)
{
	spin_lock(&rt.spawn_lock);
	w->index = rt.ntotal;
	w->seed = rt.ntotal * 7919 + 1;
	if (rt.ntotal < MAX_WORKERS) {
		rt.worker[rt.ntotal] = w;
		a_store(&rt.ntotal, rt.ntotal + 1);
		spin_unlock(&rt.spawn_lock);
		return 0;
	}
	spin_unlock(&rt.spawn_lock);
	return -1;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	set_this_worker(w);
	a_set(&w->tid, os_gettid());
	w->current = &w->idle;
	set_worker_stack(w);
	san_adopt(&w->idle);
	if (rt.fp_env)
		fp_save(&w->idle.fp);
	signals_for_this_task(1);
	idle_loop(w);
	signals_for_this_task(0);
	set_this_worker(NULL);
	a_add(&rt.nthreads, -1);
	return NULL;
}

int worker_start(void)
{
	struct worker *w = worker_new();

	if (!w || worker_enter(w)) {
		free(w);
		return ENOMEM;
	}
	a_add(&rt.nthreads, 1);
	if (os_task_start(worker_main, w, 0)) {
		a_add(&rt.nthreads, -1);
		a_store(&w->sleeping, SLEEP_RETIRED);	/* an entry nobody serves: pinned threads never go there */
		return EAGAIN;
	}
	return 0;
}

/* A 1:1 thread's record; not in rt.worker[]: it schedules nothing. */
struct worker *worker_attach(struct weft_thread *t)
{
	struct worker *w = worker_new();

	if (!w)
		return NULL;
	w->current = t;
	a_set(&w->tid, os_gettid());
	w->index = (t->id / MAX_WORKERS) % MAX_WORKERS;
	w->idle.id = (unsigned long)w->tid << 20;
	set_this_worker(w);
	return w;
}

void worker_detach(struct worker *w)
{
	set_this_worker(NULL);
	while (w->free) {
		struct weft_thread *t = w->free;

		w->free = t->next;
		thread_free(t);
	}
	free(w->tm);
	free(w);
}

/* Worker 0's scheduler context, on a stack of its own since main keeps the process's. */
static void *idle_of_worker_0(void *arg)
{
	(void)arg;
	idle_loop(this_worker());
	return NULL;	/* not reached: stopping is main's business */
}

static int worker_0(void)
{
	struct worker *w = worker_new();
	struct weft_thread *m = &rt.main;

	if (!w)
		return ENOMEM;
	memset(m, 0, sizeof *m);
	m->flags = TF_MAIN | TF_PINNED;
	m->ends = TF_DETACHED;		/* nobody joins main */
	m->prio = 4;
	m->waiter.t = m;
	m->life = LIFE_LIVE;
	m->gen = 1;
	m->id = 1;
	m->tm_index = -1;
	m->cancel_fd = -1;
	strcpy(m->name, "main");
	w->current = m;
	a_set(&w->tid, os_gettid());
	m->tid = w->tid;
	os_set_nice(m->tid, 0);
	set_worker_stack(w);
	san_adopt(m);
	if (worker_enter(w))
		return ENOMEM;
	set_this_worker(w);
	if (rt.model == WEFT_1_1)
		return 0;
	m->home = rt.model == WEFT_M_N ? w : NULL;
	w->idle.stack = stack_map(stack_class(65536), &w->idle.guard);
	if (!w->idle.stack)
		return ENOMEM;
	w->idle.stack_size = stack_class(65536);
	w->idle.vg_id = VALGRIND_STACK_REGISTER(w->idle.stack + w->idle.guard, w->idle.stack + w->idle.stack_size);
	w->idle.fn = idle_of_worker_0;
	if (rt.fp_env)
		fp_save(&w->idle.fp);
#if defined(__SANITIZE_THREAD__)
	w->idle.fiber = __tsan_create_fiber(0);
#endif
	w->idle.sp = arch_prepare(w->idle.stack + w->idle.stack_size, &w->idle);
	return 0;
}

/* ---- configuration ---- */

static int parse_model(const char *s)
{
	return !strcmp(s, "1:1") ? WEFT_1_1 : !strcmp(s, "N:1") ? WEFT_N_1 : !strcmp(s, "M:N") ? WEFT_M_N : -1;
}

static int configure(const struct weft_config *c)
{
	static const struct weft_config none;
	const char *m = getenv("WEFT_MODEL"), *io = getenv("WEFT_IO");
	long n;

	if (!c)
		c = &none;
	memset(&rt, 0, sizeof rt);
	rt.model = m && *m ? parse_model(m) : c->model ? (int)c->model : WEFT_N_1;
	if (rt.model < WEFT_1_1 || rt.model > WEFT_M_N)
		return EINVAL;
	n = env_number("WEFT_WORKERS", c->workers);
	if (n <= 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	rt.nworkers = rt.model != WEFT_M_N ? 1 : n > 128 ? 128 : n < 1 ? 1 : n;
	rt.smp = rt.model != WEFT_N_1;
	rt.stack_size = 65536;
	rt.stack_size = stack_class(env_number("WEFT_STACK", c->stack_size));
	rt.preempt_us = env_number("WEFT_PREEMPT", c->preempt_us);
	rt.debug = env_number("WEFT_DEBUG", c->debug);
	rt.fp_env = c->fp_env;
	rt.on_deadlock = c->on_deadlock;
	rt.io_mode = !io ? IO_DEFAULT : !strcmp(io, "epoll") || !strcmp(io, "helpers") ? IO_EPOLL : !strcmp(io, "io_uring") ? IO_URING : IO_DEFAULT;
	if (rt.model == WEFT_1_1)
		rt.io_mode = IO_EPOLL;
	return 0;
}

int weft_init(const struct weft_config *c)
{
	const char *trace = getenv("WEFT_TRACE");
	int r, i;

	if (rt.running)
		return EALREADY;
	if ((r = configure(c)))
		return r;
	rt.membarrier = rt.smp ? os_membarrier_init() : 1;
	if (!trace && c)
		trace = c->trace;
	if ((r = worker_0()))
		return r;
#if !defined(WEFT_SIM)
	watch_faults();
#endif
	if (rt.model != WEFT_1_1)
		stack_say_protection();
	if (trace && *trace && (r = trace_open(trace)))
		return r;
	rt.slow_switch = rt.fp_env || rt.trace;
	uring_start();
	rt.running = 1;
	for (i = 1; i < rt.nworkers; i++)
		if ((r = worker_start()))
			return r;
	return monitor_start();
}

int runtime_ensure(void)
{
	return rt.running ? 0 : weft_init(NULL);
}

struct weft_thread *weft__start_here(void)
{
	if (rt.running || weft_init(NULL))
		die("called from a kernel thread that libweft did not make (or the runtime cannot start)");
	return this_thread();
}

int weft_fini(void)
{
	int i;

	if (!rt.running || !(this_thread() && (this_thread()->flags & TF_MAIN)))
		return EPERM;
	monitor_stop();
	a_store(&rt.stopping, 1);
	for (i = 1; i < a_load(&rt.ntotal); i++) {
		a_store(&rt.worker[i]->sleeping, SLEEP_NO);
		os_futex_wake(&rt.worker[i]->sleeping, 1);
	}
	poller_kick();
	while (a_load(&rt.nthreads) > 0) {
		poller_kick();
		for (i = 1; i < a_load(&rt.ntotal); i++)
			os_futex_wake(&rt.worker[i]->sleeping, 1);
		sim_relax();
		os_yield();
	}
	trace_close();
	uring_stop();
	for (i = 0; i < rt.ntotal; i++) {
		struct worker *w = rt.worker[i];

		if (w->idle.stack)
			stack_unmap(w->idle.stack, w->idle.stack_size);
		worker_detach(w);
	}
	rt.running = 0;
	return 0;
}

enum weft_model weft_model(void)
{
	return rt.model;
}

const char *weft_io(void)
{
	return rt.model == WEFT_1_1 ? "poll" : rt.io_mode == IO_URING ? "io_uring" : "epoll";
}

int weft_workers(void)
{
	return rt.nworkers;
}
