/*
 * monitor.c: a kernel thread that watches the workers: replaces blocked ones, preempts long computations.
 *
 * What:  runs in M:N, and in N:1 when preemption was asked for.  Every tick it looks whether each worker has scheduled
 *        since the last one (its pick counter).
 * Idea:  a worker that stands still while threads wait on it is either stuck in a system call (its task sleeps in the
 *        kernel: one more worker is started, and the surplus retires when the blocked one comes back), or it computes
 *        (its task runs: the preemption signal makes the thread yield, if that was asked for).
 * Preemption: the handler yields right where it is; the interrupted registers lie in the signal frame on the thread's
 *        own stack.  Only the program's own code is preempted: in the C library a thread may hold malloc's lock or its
 *        per-task cache, and in libweft (section weft_text) the run queue.  Hence the ranges below.
 * Note:  with preemption in M:N a computation may move to another kernel task between any two instructions: keep away
 *        from __thread variables there (errno included), or use N:1.
 * See:   weft_init(3) preempt_us; sched.c retire().
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "internal.h"
#include "san.h"

enum { TICK_US = 5000, IDLE_TICK_US = 50000, NRANGES = 8 };

static struct { uintptr_t from, to; } range[NRANGES];	/* [I] the program's code */
static int nranges, objects;
static uint32_t stop, running;
extern char __start_weft_text[] __attribute__((visibility("hidden")));
extern char __stop_weft_text[] __attribute__((visibility("hidden")));

/* So that the section exists in builds that have not moved the code there (the sanitizers'; no preemption in those). */
static __attribute__((section("weft_text"), used)) void anchor(void) { }

static int preempt_signal(void)
{
	return SIGRTMIN + 7;
}

static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	int i;

	(void)size, (void)arg;
	if (objects++)		/* the first object is the program; the others only count */
		return 0;
	for (i = 0; i < info->dlpi_phnum && nranges < NRANGES; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
			range[nranges].from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			range[nranges].to = range[nranges].from + info->dlpi_phdr[i].p_memsz;
			nranges++;
		}
	return 0;
}

static int may_preempt(uintptr_t pc)
{
	int i;

	if (pc >= (uintptr_t)__start_weft_text && pc < (uintptr_t)__stop_weft_text)
		return 0;
	for (i = 0; i < nranges; i++)
		if (pc >= range[i].from && pc < range[i].to)
			return 1;
	return 0;
}

/* A function of its own, as os_errno: the thread may have moved. */
static __attribute__((noinline)) void put_errno(int e) { errno = e; }

static void on_preempt(int sig, siginfo_t *si, void *uc)
{
	int e = os_errno();
	struct worker *w = this_worker();

	(void)sig, (void)si;
	if (w)
		a_set(&w->preempt_sent, 0);
	if (w && !(w->current->flags & TF_IDLE) && may_preempt(ARCH_UC_PC((ucontext_t *)uc))) {
		w->preemptions++;
		TRACE('X', w->current, NULL);
		weft_yield();
	}
	put_errno(e);
}

static char task_state(int tid)
{
	char path[64], buf[256], *p;
	int fd, n;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'R';
	n = read(fd, buf, sizeof buf - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	p = strrchr(buf, ')');
	return p && p[1] ? p[2] : 'R';
}

/* One more worker for the one that is stuck; when that one schedules again there is a surplus of one. */
static void replace(struct worker *stuck)
{
	int i;

	stuck->mon_replaced = 1;
	for (i = 1; i < a_load(&rt.ntotal); i++)
		if (a_load(&rt.worker[i]->sleeping) == SLEEP_RETIRED && a_peek(&rt.worker[i]->tid)) {
			kick(rt.worker[i]);
			a_add(&rt.replaced, 1);
			return;
		}
	if (worker_start() == 0)
		a_add(&rt.replaced, 1);
}

static int wanted(struct worker *w, weft_time_t now)
{
	return a_peek(&w->rq_len) || a_load(&w->inbox) || a_peek(&w->tm_next) <= now;
}

/*
 * One signal under way and no more: a worker that does not get a processor for a while would find all of them in its
 * queue, one handler would interrupt the other, and their frames would fill the thread's stack.
 */
static void preempt(struct worker *w)
{
	if (!a_xchg(&w->preempt_sent, 1))
		syscall(SYS_tgkill, getpid(), a_peek(&w->tid), preempt_signal());
}

/* Returns whether the worker is at work at all. */
static int look_at(struct worker *w, weft_time_t now)
{
	uint32_t picks = a_peek(&w->picks);

	if (a_load(&w->sleeping) || !a_peek(&w->tid))
		return 0;
	if (picks != w->mon_seen) {
		w->mon_seen = picks;
		w->mon_ticks = 0;
		if (w->mon_replaced) {
			w->mon_replaced = 0;
			a_add(&rt.surplus, 1);
		}
		return 1;
	}
	if (!wanted(w, now) && !poller_active())
		return 1;
	if (rt.preempt_us && wanted(w, now))
		preempt(w);
	/* Two full ticks: one may have begun just before its last pick. */
	if (rt.model == WEFT_M_N && ++w->mon_ticks * (uint64_t)(rt.preempt_us ? rt.preempt_us : TICK_US) >= 2 * TICK_US) {
		char s = task_state(a_peek(&w->tid));

		if ((s == 'S' || s == 'D') && !w->mon_replaced && !a_load(&w->sleeping)) {
			w->mon_ticks = 0;
			replace(w);
		}
	}
	return 1;
}

static void *monitor_main(void *arg)
{
	unsigned int us = rt.preempt_us ? rt.preempt_us : TICK_US;
	int i, busy;

	(void)arg;
	while (!a_load(&stop)) {
		weft_time_t now = weft_now();

		busy = 0;
		for (i = 0; i < a_load(&rt.ntotal); i++)
			busy |= look_at(rt.worker[i], now);
		os_futex_wait(&stop, 0, now + (busy ? us : IDLE_TICK_US) * 1000ll);
	}
	a_store(&running, 0);
	os_futex_wake(&running, 1);
	return NULL;
}

int monitor_start(void)
{
	struct sigaction sa = { .sa_sigaction = on_preempt, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };

	if (rt.model == WEFT_1_1 || (rt.model == WEFT_N_1 && !rt.preempt_us))
		return 0;
	if (rt.preempt_us && SANITIZED)
		return ENOTSUP;		/* those builds have not moved the library's code into weft_text */
	if (rt.preempt_us) {
		objects = nranges = 0;
		dl_iterate_phdr(find_code, NULL);
		if (objects < 3)		/* program, vdso: no shared C library, so we cannot tell them apart */
			return ENOTSUP;
		sigaction(preempt_signal(), &sa, NULL);
	}
	stop = 0;
	running = 1;
	return os_task_start(monitor_main, NULL, 65536);
}

void monitor_stop(void)
{
	if (!a_load(&running))
		return;
	a_store(&stop, 1);
	os_futex_wake(&stop, 1);
	while (a_load(&running))
		os_futex_wait(&running, 1, WEFT_FOREVER);
}
