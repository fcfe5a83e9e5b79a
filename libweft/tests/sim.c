/*
 * sim.c: a simulated machine in place of src/os.c, poller.c and monitor.c: the deterministic scheduler of the tests.
 *
 * What:  the whole of libweft is compiled with WEFT_SIM and linked with this file.  Kernel tasks are coroutines of one
 *        real thread; at each atomic operation, lock, futex and fence of the library (sim_point) a seeded random number
 *        decides whether another task goes on.  Time is a number that jumps to the next deadline when all tasks sleep.
 * Idea:  the same seed gives the same interleaving, always: a failure is replayed with "sim_test SEED 1".  When no task
 *        can run and no deadline is left a wake-up has been lost, and that fails the schedule at once instead of
 *        hanging; so does a schedule of more than STEPS switches (a live lock).
 * Limits: interleavings are sequentially consistent; that the fences suffice on real processors is what the
 *        ThreadSanitizer build and the stress runs on real tasks are for.
 * See:   sim_test.c; internal.h sim_point.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"

enum { TASKS = 64, STEPS = 400000 };
enum { T_FREE, T_RUN, T_BLOCKED };

struct task {
	int		state, timed_out;
	weft_coro	*coro;
	void		*bottom[5];	/* where a task that ends early goes back to */
	struct worker	*worker;
	void		*(*fn)(void *);
	void		*arg;
	uint32_t	*futex;
	weft_time_t	deadline;
};

static struct task task[TASKS];
static int ntasks, cur = -1, period;
static uint64_t rnd;
static weft_time_t now;
static unsigned long steps;
unsigned long sim_seed, sim_switches;
void set_this_worker(struct worker *w);

static uint32_t random32(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd >> 16;
}

uint32_t sim_random(uint32_t n)
{
	return random32() % n;
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	cur = -1;		/* no more switching */
	va_start(ap, fmt);
	printf("FAILED at seed %lu: ", sim_seed);
	vprintf(fmt, ap);
	printf("\n  replay: %s %lu 1\n", "build/libweft/t/sim_test", sim_seed);
	va_end(ap);
	if (getenv("SIM_DUMP"))
		weft_dump(1);
	fflush(stdout);
	exit(1);
}

static void give_way(void)
{
	struct task *t = &task[cur];

	if (++steps > STEPS)
		sim_fail("live lock: %d switches and no end", STEPS);
	weft_coro_yield(t->coro, NULL);
}

void sim_point(void)
{
	if (cur >= 0 && random32() % period == 0)
		give_way();
}

void sim_relax(void)
{
	if (cur >= 0)
		give_way();
}

struct worker *this_worker(void)
{
	return cur >= 0 ? task[cur].worker : NULL;
}

void set_this_worker(struct worker *w)
{
	task[cur].worker = w;
}

weft_time_t weft_now(void)
{
	return now += 100;
}

void heavy_fence(void) { sim_point(); }
int os_membarrier_init(void) { return 1; }
void os_yield(void) { sim_relax(); }
void os_set_nice(int tid, int levels) { (void)tid, (void)levels; }
int os_gettid(void) { return cur + 1; }
int os_foreign_tasks(void) { return 0; }

int os_futex_wait(uint32_t *addr, uint32_t value, weft_time_t deadline)
{
	struct task *t = &task[cur];

	sim_point();
	if (*addr != value)
		return 0;
	if (random32() % 64 == 0)
		return 0;		/* futexes may wake for no reason */
	t->state = T_BLOCKED;
	t->futex = addr;
	t->deadline = deadline;
	t->timed_out = 0;
	give_way();
	return t->timed_out ? ETIMEDOUT : 0;
}

void os_futex_wake(uint32_t *addr, int n)
{
	int i;

	sim_point();
	for (i = 0; i < ntasks && n > 0; i++)
		if (task[i].state == T_BLOCKED && task[i].futex == addr) {
			task[i].state = T_RUN;
			n--;
		}
}

/* A task's coroutine serves one kernel task after the other: none is made or freed while a schedule runs. */
static void *task_main(weft_coro *c, void *arg)
{
	struct task *t = arg;

	for (;;) {
		if (!__builtin_setjmp(t->bottom))
			t->fn(t->arg);
		t->state = T_FREE;
		weft_coro_yield(c, NULL);
	}
	return NULL;
}

int os_task_start(void *(*fn)(void *), void *arg, size_t stack_size)
{
	int i;

	(void)stack_size;
	for (i = 0; i < TASKS && task[i].state != T_FREE; i++)
		;
	if (i == TASKS)
		sim_fail("too many tasks");
	task[i].state = T_RUN;
	task[i].fn = fn;
	task[i].arg = arg;
	task[i].worker = NULL;
	if (i >= ntasks)
		ntasks = i + 1;
	return 0;
}

void os_task_exit(void)
{
	__builtin_longjmp(task[cur].bottom, 1);
}

void spin_slow(uint32_t *l)
{
	do {
		while (*l)
			sim_relax();
	} while (a_xchg(l, 1));
}

int poller_wait(struct worker *w, weft_time_t t) { (void)w, (void)t; return 0; }
void poller_kick(void) { }
int poller_active(void) { return 0; }
void helper_reap(void) { }
void uring_start(void) { }
void uring_stop(void) { }
int monitor_start(void) { return 0; }
void monitor_stop(void) { }
void signals_for_this_task(int on) { (void)on; }

/* All tasks sleep: on to the first deadline. */
static void jump(void)
{
	weft_time_t first = WEFT_FOREVER;
	int i;

	for (i = 0; i < ntasks; i++)
		if (task[i].state == T_BLOCKED && task[i].deadline < first)
			first = task[i].deadline;
	if (first == WEFT_FOREVER)
		sim_fail("lost wake-up: every task sleeps and no deadline is left");
	if (first > now)
		now = first;
	for (i = 0; i < ntasks; i++)
		if (task[i].state == T_BLOCKED && task[i].deadline <= now) {
			task[i].timed_out = 1;
			task[i].state = T_RUN;
		}
}

/* Runs body as the first task, with everything that it starts, to the end of all. */
void sim_run(unsigned long seed, void *(*body)(void *), void *arg)
{
	static const int periods[] = { 2, 3, 6, 20, 100 };
	int i, n, k;

	sim_seed = seed;
	rnd = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	random32();
	period = periods[random32() % 5];
	now = 1000000;
	steps = 0;
	for (i = 0; i < TASKS && !task[i].coro; i++)
		task[i].coro = weft_coro_create(task_main, 65536);
	os_task_start(body, arg, 0);
	while (ntasks) {
		for (n = i = 0; i < ntasks; i++)
			n += task[i].state == T_RUN;
		if (!n) {
			jump();
			continue;
		}
		k = random32() % n;
		for (i = 0; task[i].state != T_RUN || k--; i++)
			;
		/* A deadline passes while others run, too. */
		if (random32() % 32 == 0)
			now += 20000;
		cur = i;
		weft_coro_resume(task[i].coro, &task[i]);
		cur = -1;
		while (ntasks && task[ntasks - 1].state == T_FREE)
			ntasks--;
	}
	sim_switches += steps;
}
