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

/* ---- cores and siblings ---- */

/* The first sibling of a CPU's core names the core; -1: there is no such CPU. */
static int core_of(int cpu)
{
	char path[100];
	int first = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &first) != 1)
		first = -1;
	if (f)
		fclose(f);
	return first;
}

/* Where it runs or ran last: field 39 of stat. */
static int cpu_of(pid_t pid)
{
	char path[64], buf[1024], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	CHECK(f && fgets(buf, sizeof(buf), f));
	fclose(f);
	p = strrchr(buf, ')') + 2;
	for (int i = 3; i < 39; i++)
		p = strchr(p, ' ') + 1;
	return atoi(p);
}

static bool all_on_different_cores(const pid_t *pids, int n)
{
	int cores[64];

	for (int i = 0; i < n; i++) {
		cores[i] = core_of(cpu_of(pids[i]));
		for (int k = 0; k < i; k++)
			if (cores[k] == cores[i])
				return false;
	}
	return true;
}

TEST(one_hog_a_core)
{
	/* As many hogs as there are cores, each of two siblings: they come to run on one core each, and stay there. */
	int cpus = 0, cores = 0, good = 0;
	pid_t pids[64];

	for (; cpus < 64 && core_of(cpus) >= 0; cpus++)
		cores += core_of(cpus) == cpus;
	if (cores < 2 || cpus != 2 * cores)
		SKIP("%d CPUs of %d cores", cpus, cores);
	for (int i = 0; i < cores; i++) {
		pids[i] = CHECK_OK(fork());
		if (!pids[i])
			for (;;)
				;
	}
	for (int i = 0; i < 2000 && good < 20; i++) {
		t_sleep_ms(20);
		good = all_on_different_cores(pids, cores) ? good + 1 : 0;
	}
	for (int i = 0; i < cores; i++) {
		kill(pids[i], SIGKILL);
		t_wait(pids[i]);
	}
	CHECK_EQ(good, 20);
}

/* ---- SCHED_DEADLINE ---- */

struct dl_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int set_deadline(long runtime_us, long deadline_us, long period_us, uint64_t flags)
{
	struct dl_attr a = { .size = sizeof(a), .policy = 6, .flags = flags, .runtime = runtime_us * 1000,
			     .deadline = deadline_us * 1000, .period = period_us * 1000 };

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

/* In a container the host may give us no right to it, or no bandwidth. */
static void need_deadline(void)
{
	if (set_deadline(1000, 100000, 100000, 0)) {
		if (errno == EPERM || errno == EBUSY)
			SKIP("no right to SCHED_DEADLINE");
		FAIL("sched_setattr: errno %d", errno);
	}
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double wall_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

TEST(deadline_parameters)
{
	struct dl_attr a = { 0 };
	struct sched_param p = { 0 };

	CHECK_ERR(set_deadline(0, 10000, 10000, 0), EINVAL);
	CHECK_ERR(set_deadline(20000, 10000, 10000, 0), EINVAL);
	CHECK_ERR(set_deadline(1000, 20000, 10000, 0), EINVAL);
	CHECK_ERR(set_deadline(1000, 10000, 10000000, 0), EINVAL);	/* periods of 100 us to 4 s */
	CHECK_ERR(set_deadline(10, 50, 50, 0), EINVAL);
	CHECK_ERR(sched_setscheduler(0, 6, &p), EINVAL);
	need_deadline();
	CHECK_OK(set_deadline(2000, 50000, 0, 0));
	CHECK_OK(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0));
	CHECK_EQ(a.policy, 6);
	CHECK_EQ(a.runtime, 2000000);
	CHECK_EQ(a.deadline, 50000000);
	CHECK_EQ(a.period, 50000000);
	CHECK_EQ(a.priority, 0);
	CHECK_EQ(sched_getscheduler(0), 6);
	CHECK_ERR(fork(), EAGAIN);
	CHECK_OK(set_deadline(2000, 50000, 50000, 1));		/* SCHED_FLAG_RESET_ON_FORK */
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(sched_getscheduler(0));
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), SCHED_OTHER);
	CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &p));
}

TEST(deadline_admission)
{
	cpu_set_t all, one;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int admitted = 0;

	need_deadline();
	/* Each asks for 0.3 of a CPU: at most three a CPU are let in, and one that leaves makes room. */
	for (int i = 0; i < 4 * cpus; i++) {
		int fds[2];

		CHECK_OK(pipe(fds));
		CHECK_OK(set_deadline(1000, 100000, 100000, 1));
		pid_t pid = CHECK_OK(fork());
		if (!pid) {
			char ok = set_deadline(30000, 100000, 100000, 0) ? 'n' : 'y';
			if (write(fds[1], &ok, 1) != 1)
				_exit(1);
			pause();
			_exit(0);
		}
		char c;
		CHECK_EQ(read(fds[0], &c, 1), 1);
		admitted += c == 'y';
		close(fds[0]);
		close(fds[1]);
	}
	CHECK(admitted >= 1 && admitted <= 3 * cpus + cpus / 6 + 1);
	CHECK_ERR(set_deadline(95000, 100000, 100000, 0), EBUSY);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	for (int i = 0; i < 4 * cpus; i++)
		wait(NULL);
	/* A share is free again only at its owner's 0-lag time, up to a period after the owner was waited for. */
	for (int i = 0; i < 6000 && set_deadline(30000, 100000, 100000, 0) && errno == EBUSY; i++)
		usleep(10000);
	CHECK_EQ(sched_getscheduler(0), 6);

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	if (cpus > 1) {
		struct sched_param p = { 0 };

		CPU_ZERO(&one);
		CPU_SET(0, &one);
		CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EBUSY);
		CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &p));
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_ERR(set_deadline(1000, 100000, 100000, 0), EPERM);
	}
}

TEST(deadline_throttles)
{
	/* Who asks for 20 % and wants all of it gets 20 %. */
	need_deadline();
	CHECK_OK(set_deadline(20000, 100000, 100000, 0));
	double cpu = cpu_seconds(), wall = wall_seconds();
	while (wall_seconds() - wall < 2)
		;
	cpu = (cpu_seconds() - cpu) / (wall_seconds() - wall);
	if (cpu < 0.10 || cpu > 0.27)
		FAIL("a task that asked for 20 %% of the processor got %.0f %%", cpu * 100);
}

TEST(deadline_yield_ends_the_period)
{
	need_deadline();
	CHECK_OK(set_deadline(20000, 50000, 50000, 0));
	CHECK_OK(sched_yield());
	double wall = wall_seconds();
	for (int i = 0; i < 10; i++)
		CHECK_OK(sched_yield());
	wall = wall_seconds() - wall;
	if (wall < 0.40)
		FAIL("ten periods of 50 ms passed in %.0f ms", wall * 1000);
}

TEST(deadline_before_fifo)
{
	/* A real-time hog on each processor does not keep a deadline task from its share. */
	struct sched_param p = { .sched_priority = 50 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[64];

	need_deadline();
	CHECK_OK(set_deadline(20000, 100000, 100000, 1));
	CHECK(cpus <= 64);
	for (int i = 0; i < cpus; i++) {
		pids[i] = CHECK_OK(fork());
		if (!pids[i]) {
			sched_setscheduler(0, SCHED_FIFO, &p);
			for (;;)
				;
		}
	}
	double cpu = cpu_seconds(), wall = wall_seconds();
	while (wall_seconds() - wall < 1)
		;
	cpu = (cpu_seconds() - cpu) / (wall_seconds() - wall);
	for (int i = 0; i < cpus; i++) {
		kill(pids[i], SIGKILL);
		t_wait(pids[i]);
	}
	if (cpu < 0.08)
		FAIL("only %.0f %% of 20 %%", cpu * 100);
}

/* ---- the throttle of real-time tasks ---- */

static long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -2;

	CHECK(f);
	CHECK_EQ(fscanf(f, "%ld", &n), 1);
	fclose(f);
	return n;
}

TEST(rt_limits)
{
	long period = read_number("/proc/sys/kernel/sched_rt_period_us");
	long runtime = read_number("/proc/sys/kernel/sched_rt_runtime_us");

	CHECK(period > 0 && runtime >= -1 && runtime <= period);
	FILE *f = fopen("/proc/sys/kernel/sched_rt_runtime_us", "w");
	if (!f)
		SKIP("cannot be written here");
	setbuf(f, NULL);
	CHECK_ERR(fprintf(f, "-5\n") < 0 ? -1 : 0, EINVAL);
	fclose(f);
	CHECK_EQ(read_number("/proc/sys/kernel/sched_rt_runtime_us"), runtime);
}

TEST(rt_hog_is_throttled)
{
	/* Sharing its processor with a real-time loop, an ordinary process still gets on: 5 % in a second are left. */
	struct sched_param p = { .sched_priority = 50 };
	cpu_set_t one;

	if (read_number("/proc/sys/kernel/sched_rt_runtime_us") < 0)
		SKIP("no limit here");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (sched_setscheduler(0, SCHED_FIFO, &p))
			_exit(1);
		for (;;)
			;
	}
	t_sleep_ms(100);
	double wall = wall_seconds(), cpu = cpu_seconds();
	while (wall_seconds() - wall < 4)
		;
	cpu = cpu_seconds() - cpu;
	kill(pid, SIGKILL);
	t_wait(pid);
	if (cpu < 0.04 || cpu > 2)
		FAIL("beside a real-time loop we had %.0f ms in 4 s", cpu * 1000);
}
