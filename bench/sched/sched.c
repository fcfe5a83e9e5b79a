/*
 * sched.c: what the scheduler gives to whom, measured: latency, shares, starvation, the throttle of real-time tasks.
 *
 * Prints "sched FIGURE VALUE UNIT" lines.  Meant for one processor and QEMU's instruction counter (run.sh), where the
 * machine does nothing else and each run gives the same; it runs on any Linux.  As pid 1 it powers the machine off at the end.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEC	1000000000LL
#define MAX	40

struct hog {
	pid_t		pid;
	long long	cpu;			/* ns it had */
	long long	longest;		/* ns between two of its looks at the clock: how long it had to wait */
};
static struct hog *hogs;			/* shared with the children */
static volatile long long *stop;		/* [0]: when all end, 0: not yet begun; [1]: when they began */
static int nr;

static long long now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static void must(int ok, const char *what)
{
	if (!ok)
		printf("sched failed %s\n", what);
}

static void hog_main(struct hog *h)
{
	long long last, t, end, cpu;

	while (!*stop)
		usleep(1000);
	last = stop[1];				/* what it waited for its first turn counts */
	end = stop[0];
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	do {
		t = now(CLOCK_MONOTONIC);
		if (t - last > h->longest)
			h->longest = t - last;
		last = t;
	} while (t < end);
	h->cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	_exit(0);
}

/* A process that wants all it can get from begin() to its end. */
static struct hog *add_hog(int policy, int value)
{
	struct hog *h = &hogs[nr++];

	memset(h, 0, sizeof(*h));
	h->pid = fork();
	if (!h->pid) {
		struct sched_param p = { .sched_priority = policy == SCHED_FIFO ? value : 0 };

		if (policy == SCHED_OTHER)
			must(!setpriority(PRIO_PROCESS, 0, value), "setpriority");
		else
			must(!sched_setscheduler(0, policy, &p), "sched_setscheduler");
		hog_main(h);
	}
	return h;
}

static void begin(long long span)
{
	usleep(50000);
	stop[1] = now(CLOCK_MONOTONIC);
	stop[0] = stop[1] + span;
}

static void end(void)
{
	while (wait(NULL) > 0)
		;
	*stop = 0;
	nr = 0;
}

/* ---- how late a task wakes that sleeps 5 ms at a time and then works for 0.1 ms ---- */

static int by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static void latency(int n, int nice)
{
	enum { WAKES = 400 };
	static long long late[WAKES];
	long long next, sum = 0;

	for (int i = 0; i < n; i++)
		add_hog(SCHED_OTHER, nice);
	begin(WAKES * 52 * SEC / 10000);
	usleep(20000);
	next = now(CLOCK_MONOTONIC);
	for (int i = 0; i < WAKES; i++) {
		next += 5000000;
		struct timespec ts = { next / SEC, next % SEC };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		late[i] = now(CLOCK_MONOTONIC) - next;
		sum += late[i];
		for (long long t = now(CLOCK_MONOTONIC); now(CLOCK_MONOTONIC) - t < 100000;)
			;
		if (now(CLOCK_MONOTONIC) > next + 5000000)
			next = now(CLOCK_MONOTONIC);
	}
	end();
	qsort(late, WAKES, sizeof(late[0]), by_size);
	printf("sched latency_%d_hogs_nice_%d_mean %.1f us\n", n, nice, sum / 1e3 / WAKES);
	printf("sched latency_%d_hogs_nice_%d_p99 %.1f us\n", n, nice, late[WAKES * 99 / 100] / 1e3);
	printf("sched latency_%d_hogs_nice_%d_max %.1f us\n", n, nice, late[WAKES - 1] / 1e3);
}

/*
 * One that works 2 ms, sleeps 1 ms and so on wants two thirds of the processor; among `n` hogs 1 / (n + 1) is due to it.
 * Does it get more by sleeping?
 */
static void greedy_sleeper(int n, long long span)
{
	struct hog *h;
	long long all = 0;

	for (int i = 0; i < n; i++)
		add_hog(SCHED_OTHER, 0);
	h = &hogs[nr++];
	memset(h, 0, sizeof(*h));
	h->pid = fork();
	if (!h->pid) {
		long long cpu, t;

		while (!*stop)
			usleep(1000);
		cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		while (now(CLOCK_MONOTONIC) < stop[0]) {
			t = now(CLOCK_PROCESS_CPUTIME_ID);
			while (now(CLOCK_PROCESS_CPUTIME_ID) - t < 2000000)
				;
			usleep(1000);
		}
		h->cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		_exit(0);
	}
	begin(span);
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < nr; i++)
		all += hogs[i].cpu;
	printf("sched greedy_sleeper_beside_%d_hogs %.2f %%_due_%.2f\n", n, h->cpu * 100.0 / all, 100.0 / (n + 1));
	end();
}

/* ---- shares by nice value ---- */

static const int weights[40] = {
	88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, 9537, 7629, 6104, 4883, 3906, 3125, 2500, 2000,
	1600, 1280, 1024, 819, 655, 524, 419, 336, 268, 215, 172, 137, 110, 88, 70, 56, 45, 36, 29, 23, 18, 15,
};

/* How far each is from its share, in per cent of that share; the worst counts. */
static void shares(const char *name, const int *nices, int n, long long span)
{
	long long all = 0;
	double weight = 0, worst = 0;

	for (int i = 0; i < n; i++) {
		add_hog(SCHED_OTHER, nices[i]);
		weight += weights[20 + nices[i]];
	}
	begin(span);
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < n; i++)
		all += hogs[i].cpu;
	for (int i = 0; i < n; i++) {
		double due = weights[20 + nices[i]] / weight, got = hogs[i].cpu / (double)all;
		double off = (got / due - 1) * 100;

		printf("sched share_%s_nice_%d %.2f %%_due_%.2f\n", name, nices[i], got * 100, due * 100);
		if (off < 0)
			off = -off;
		if (off > worst)
			worst = off;
	}
	end();
	printf("sched share_%s_worst_error %.2f %%\n", name, worst);
}

/* ---- nobody starves ---- */

static void starvation(int n, int nice, long long span)
{
	struct hog *least, *idle;
	long long others = 0;

	for (int i = 0; i < n; i++)
		add_hog(SCHED_OTHER, nice);
	least = add_hog(SCHED_OTHER, 19);
	idle = add_hog(SCHED_IDLE, 0);
	begin(span);
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < n; i++)
		if (hogs[i].longest > others)
			others = hogs[i].longest;
	printf("sched beside_%d_of_nice_%d_longest_wait_of_these %.1f ms\n", n, nice, others / 1e6);
	printf("sched beside_%d_of_nice_%d_longest_wait_of_nice_19 %.1f ms\n", n, nice, least->longest / 1e6);
	printf("sched beside_%d_of_nice_%d_nice_19_had %.2f ms\n", n, nice, least->cpu / 1e6);
	printf("sched beside_%d_of_nice_%d_longest_wait_of_idle_policy %.1f ms\n", n, nice, idle->longest / 1e6);
	printf("sched beside_%d_of_nice_%d_idle_policy_had %.2f ms\n", n, nice, idle->cpu / 1e6);
	end();
}

/* ---- real-time and deadline tasks ---- */

static void throttle(long long span)
{
	struct hog *fifo = add_hog(SCHED_FIFO, 50), *fair = add_hog(SCHED_OTHER, 0);

	begin(span);
	while (wait(NULL) > 0)
		;
	printf("sched rt_throttle_fifo_share %.2f %%\n", fifo->cpu * 100.0 / (fifo->cpu + fair->cpu));
	printf("sched rt_throttle_fair_share %.2f %%\n", fair->cpu * 100.0 / (fifo->cpu + fair->cpu));
	printf("sched rt_throttle_fair_longest_wait %.1f ms\n", fair->longest / 1e6);
	end();
}

struct dl_attr {
	unsigned int size, policy;
	unsigned long long flags;
	int nice;
	unsigned int priority;
	unsigned long long runtime, deadline, period;
};

/* 20 ms in every 100 ms, beside a real-time hog and an ordinary one. */
static void deadline(long long span)
{
	struct dl_attr a = { .size = sizeof(a), .policy = 6, .runtime = 20000000, .deadline = 100000000, .period = 100000000 };
	struct hog *fifo = add_hog(SCHED_FIFO, 50), *fair = add_hog(SCHED_OTHER, 0), *dl = &hogs[nr++];
	double all;

	memset(dl, 0, sizeof(*dl));
	dl->pid = fork();
	if (!dl->pid) {
		must(!syscall(SYS_sched_setattr, 0, &a, 0), "sched_setattr");
		hog_main(dl);
	}
	begin(span);
	while (wait(NULL) > 0)
		;
	all = fifo->cpu + fair->cpu + dl->cpu;
	printf("sched deadline_20_of_100_share %.2f %%\n", dl->cpu * 100 / all);
	printf("sched deadline_20_of_100_longest_wait %.1f ms\n", dl->longest / 1e6);
	end();
}

static const int two[] = { 0, 5 }, five[] = { -10, -5, 0, 5, 10 }, equal[] = { 0, 0, 0, 0, 0, 0, 0 };

static void all_latencies(void)
{
	latency(0, 0);
	for (int n = 1; n <= 32; n *= 2)
		latency(n, 0);
	latency(4, -10);
}

static void all_shares(void)
{
	shares("two", two, 2, 10 * SEC);
	shares("five", five, 5, 20 * SEC);
	shares("equal", equal, 7, 10 * SEC);
	greedy_sleeper(1, 10 * SEC);
	greedy_sleeper(4, 10 * SEC);
}

static void all_real_time(void)
{
	throttle(10 * SEC);
	deadline(10 * SEC);
}

static void all_starvation(void)
{
	starvation(8, 0, 60 * SEC);
	starvation(1, -20, 60 * SEC);
	starvation(8, -20, 60 * SEC);
}

/* The groups of figures; all, or those that the arguments name. */
static const struct {
	const char *name;
	void (*measure)(void);
} groups[] = {
	{ "latency", all_latencies }, { "shares", all_shares }, { "realtime", all_real_time }, { "starvation", all_starvation },
};

static int wanted(const char *name, int argc, char **argv)
{
	int named = 0;

	for (int i = 1; i < argc; i++)
		for (unsigned int g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
			if (!strcmp(argv[i], groups[g].name)) {
				named = 1;
				if (!strcmp(name, argv[i]))
					return 1;
			}
	return !named;
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	hogs = mmap(NULL, sizeof(*hogs) * MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned int g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		if (wanted(groups[g].name, argc, argv))
			groups[g].measure();
	if (getpid() == 1) {
		sync();
		reboot(RB_POWER_OFF);
	}
	return 0;
}
