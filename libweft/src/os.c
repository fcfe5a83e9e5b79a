/*
 * os.c: the few things that libweft asks of the kernel to run at all: tasks, futexes, a clock, membarrier.
 *
 * What:  os_* calls; a port to another kernel changes this file, poller.c and monitor.c.
 * Idea:  kept apart so that tests/sim.c can put a simulated machine in this file's place: there kernel tasks are
 *        coroutines, time is a number, and a seed decides who runs at each atomic operation.
 * Note:  membarrier may be missing (old kernels, qemu-user); then rt.membarrier is 0 and light_fence() is a real one.
 * See:   futex(2), membarrier(2).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

enum { MB_PRIVATE_EXPEDITED = 8, MB_REGISTER_PRIVATE_EXPEDITED = 16 };

weft_time_t weft_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (weft_time_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int os_membarrier_init(void)
{
	return syscall(SYS_membarrier, MB_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
	       syscall(SYS_membarrier, MB_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void heavy_fence(void)
{
	if (rt.membarrier && rt.smp)
		syscall(SYS_membarrier, MB_PRIVATE_EXPEDITED, 0, 0);
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * errno as it is now.  A call of its own: the compiler may take errno's address once for a whole function, and after a
 * wait in the middle the thread is on another kernel task, which has another errno.
 */
int os_errno(void)
{
	return errno;
}

/* Returns 0 (woken, or the value had changed) or ETIMEDOUT.  The deadline is absolute, CLOCK_MONOTONIC. */
int os_futex_wait(uint32_t *addr, uint32_t value, weft_time_t deadline)
{
	struct timespec ts = { deadline / 1000000000, deadline % 1000000000 };
	long r = syscall(SYS_futex, addr, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
			 deadline == WEFT_FOREVER ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);

	return r < 0 && errno == ETIMEDOUT ? ETIMEDOUT : 0;
}

void os_futex_wake(uint32_t *addr, int n)
{
	syscall(SYS_futex, addr, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

static uint32_t tasks = 1;		/* [a] kernel tasks of this process that are ours, main included */

/* Are there kernel tasks that we did not make?  One of them might end a wait that looks endless. */
int os_foreign_tasks(void)
{
	DIR *d = opendir("/proc/self/task");
	uint32_t n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2 > a_load(&tasks);
}

struct start { void *(*fn)(void *); void *arg; };

static void *task_main(void *p)
{
	struct start s = *(struct start *)p;
	void *r;

	free(p);
	r = s.fn(s.arg);
	a_add(&tasks, -1);
	return r;
}

int os_task_start(void *(*fn)(void *), void *arg, size_t stack_size)
{
	struct start *s;
	pthread_attr_t a;
	pthread_t p;
	int r;

	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	if (stack_size) {
		if (stack_size < (size_t)PTHREAD_STACK_MIN + 16384)
			stack_size = PTHREAD_STACK_MIN + 16384;
		pthread_attr_setstacksize(&a, stack_size);
	}
	s = malloc(sizeof *s);
	r = ENOMEM;
	if (s) {
		*s = (struct start){ fn, arg };
		a_add(&tasks, 1);
		r = pthread_create(&p, &a, task_main, s);
		if (r) {
			a_add(&tasks, -1);
			free(s);
		}
	}
	pthread_attr_destroy(&a);
	return r;
}

/* From anywhere in a kernel task that os_task_start began. */
void os_task_exit(void)
{
	a_add(&tasks, -1);
	pthread_exit(NULL);
}

void os_yield(void)
{
	sched_yield();
}

int os_gettid(void)
{
	return syscall(SYS_gettid);
}

/*
 * How urgent a kernel task is beside the others: levels above or below the value that the first caller has.  As far as permitted:
 * who may not be more urgent stays as it is.  A new task inherits its maker's value, so it is set always.
 */
void os_set_nice(int tid, int levels)
{
	static int base, known;
	int nice;

	if (!a_load(&known)) {
		base = getpriority(PRIO_PROCESS, tid);
		a_store(&known, 1);
	}
	nice = base + 5 * levels;
	if (getpriority(PRIO_PROCESS, tid) != nice)
		setpriority(PRIO_PROCESS, tid, nice > 19 ? 19 : nice < -20 ? -20 : nice);
}

void spin_slow(uint32_t *l)
{
	int n = 0;

	do {
		while (a_peek(l)) {
			cpu_relax();
			if (++n % 128 == 0)
				sched_yield();	/* its holder may not be running */
		}
	} while (a_xchg(l, 1));
}
