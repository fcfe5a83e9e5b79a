/* scheduling.c: policies, priorities, affinity, fairness where it can be told without a clock (spec §7). */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

TEST(policies_and_errors)
{
	struct sched_param p = { .sched_priority = 10 };

	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_ERR(sched_get_priority_max(77), EINVAL);
	CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &p), EINVAL);
	CHECK_OK(sched_setscheduler(0, SCHED_RR, &p));
	CHECK_EQ(sched_getscheduler(0), SCHED_RR);
	CHECK_OK(sched_getparam(0, &p));
	CHECK_EQ(p.sched_priority, 10);
	p.sched_priority = 0;
	CHECK_OK(sched_setscheduler(0, SCHED_BATCH, &p));
	CHECK_OK(sched_setscheduler(0, SCHED_IDLE, &p));
	CHECK_ERR(sched_getscheduler(-1), EINVAL);
	CHECK_ERR(sched_getscheduler(999999), ESRCH);
}

TEST(unprivileged_may_not_go_up)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		struct sched_param p = { .sched_priority = 10 };
		if (setuid(1000))
			_exit(1);
		if (sched_setscheduler(0, SCHED_FIFO, &p) != -1 || errno != EPERM)
			_exit(2);
		if (setpriority(PRIO_PROCESS, 0, 5))
			_exit(3);
		if (setpriority(PRIO_PROCESS, 0, 0) != -1 || errno != EACCES)
			_exit(4);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 0);
}

TEST(nice_values)
{
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 7));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
	CHECK_EQ(nice(100), 19);
	CHECK_ERR(getpriority(9, 0), EINVAL);
	CHECK_ERR(setpriority(PRIO_PROCESS, 999999, 1), ESRCH);
}

TEST(affinity)
{
	cpu_set_t s;
	int cpu;

	CHECK_OK(sched_getaffinity(0, sizeof(s), &s));
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;
		if (!CPU_ISSET(cpu, &s))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_EQ(sched_getcpu(), cpu);
	}
	CPU_ZERO(&s);
	CHECK_ERR(sched_setaffinity(0, sizeof(s), &s), EINVAL);
	CPU_SET(1000, &s);
	CHECK_ERR(sched_setaffinity(0, sizeof(s), &s), EINVAL);
	CHECK_ERR(sched_getaffinity(0, 1, &s), EINVAL);
}

TEST(preempted_without_yielding)
{
	/* On one processor a spinning process must not keep another from running. */
	volatile int *flag = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		*flag = 1;
		while (*flag != 2)
			;
		_exit(0);
	}
	while (*flag != 1)
		;
	*flag = 2;
	CHECK_EQ(t_wait(pid), 0);
}

TEST(fifo_runs_before_others)
{
	/* A real-time task on our processor must finish its spin before we (SCHED_OTHER) see the next line. */
	volatile int *order = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t one;
	struct sched_param p = { .sched_priority = 20 };

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (sched_setscheduler(0, SCHED_FIFO, &p))
			_exit(1);
		order[0] = 1;
		t_sleep_ms(50);
		for (volatile int i = 0; i < 3000000; i++)
			;
		order[1] = order[2];
		_exit(0);
	}
	while (!order[0])
		sched_yield();
	for (int i = 0; i < 2000 && !order[1]; i++) {
		for (volatile int k = 0; k < 100000; k++)
			;
		order[2]++;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			break;
	}
	CHECK(order[2] > 0);
}

TEST(rr_interval_and_yield)
{
	struct timespec ts;

	CHECK_OK(sched_rr_get_interval(0, &ts));
	for (int i = 0; i < 1000; i++)
		CHECK_OK(sched_yield());
}

TEST(all_hogs_make_progress)
{
	enum { N = 6 };
	volatile long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[N];

	for (int i = 0; i < N; i++) {
		pids[i] = CHECK_OK(fork());
		if (!pids[i]) {
			if (nice(i * 3)) {}
			for (;;)
				n[i]++;
		}
	}
	for (int i = 0; i < N; i++)
		while (!n[i])
			t_sleep_ms(10);
	for (int i = 0; i < N; i++) {
		kill(pids[i], SIGKILL);
		t_wait(pids[i]);
	}
}
