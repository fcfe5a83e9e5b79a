/*
 * priority_changes: the three ways in which a priority changes.
 *
 * Seeds:  003: "the priority of a thread changes in three ways: the user sets it; it rises or falls with how often the thread
 *         waits; it rises when the thread has not run for long".
 * Expect: all on one processor.  (1) Two equal tasks share it about equally; nice 10 for one of them, and the other does
 *         several times its work.  (2) One and the same task first computes, then waits often: it now waits less than half as
 *         long for each turn, with no change of its nice value.  (3) A task of nice 15 beside one of nice -5 is passed over
 *         for long, and then runs although nobody changed anything: waiting alone has raised it.
 */
#include "hogs.h"

#define HOGS	3
#define TURNS	60

/* ---- 1: the user ---- */

static bool by_the_user(int cpu, struct hog *h)
{
	long a, b, prio[2], nice_value[2];
	double equal, niced;

	start_hog(&h[0], cpu, 0);
	start_hog(&h[1], cpu, 0);
	while (!h[0].work || !h[1].work)
		sleep_ms(5);
	a = h[0].work, b = h[1].work;
	sleep_ms(400);
	equal = (double)(h[0].work - a) / (h[1].work - b + 1);
	stat_priority(h[1].pid, &prio[0], &nice_value[0]);

	ok(setpriority(PRIO_PROCESS, h[1].pid, 10));
	a = h[0].work, b = h[1].work;
	sleep_ms(800);
	niced = (double)(h[0].work - a) / (h[1].work - b + 1);
	stat_priority(h[1].pid, &prio[1], &nice_value[1]);
	end_hogs(h, 2);

	printf("1 the user:          work of A to B %.2f : 1; after setpriority(B, 10) %.2f : 1 (/proc: priority %ld -> %ld)\n",
	       equal, niced, prio[0], prio[1]);
	must(nice_value[1] == 10 && prio[1] == prio[0] + 10, "/proc/PID/stat does not show the new priority");
	return equal > 0.5 && equal < 2 && niced > 4;
}

/* ---- 2: how often it waits ---- */

static struct sched_times watch(pid_t pid)
{
	struct sched_times then = sched_times(pid), t;
	double start = clock_s(CLOCK_MONOTONIC);

	do {
		sleep_ms(20);
		t = times_since(pid, then);
	} while (t.times < TURNS && patience(start));
	return t;
}

static bool by_waiting_often(int cpu, struct hog *h)
{
	struct sched_times computing, waiting;
	struct hog *subject = &h[HOGS];
	volatile bool *wait_often = (volatile bool *)(h + HOGS + 1);
	pid_t pid;

	*wait_often = false;
	pid = child();
	if (!pid) {
		pin(0, cpu);
		for (;;)
			if (*wait_often)
				sleep_ms(1);
			else
				subject->work++;
	}
	subject->pid = pid;
	for (int i = 0; i < HOGS; i++)
		start_hog(&h[i], cpu, 0);
	computing = watch(subject->pid);
	*wait_often = true;
	sleep_ms(100);
	waiting = watch(subject->pid);
	end_hogs(h, HOGS + 1);
	printf("2 waiting often:     beside %d hogs it waits %.2f ms for each turn while it computes, %.2f ms once it waits often\n",
	       HOGS, wait_ms(computing), wait_ms(waiting));
	return waiting.times >= TURNS && wait_ms(waiting) < wait_ms(computing) / 2;
}

/* ---- 3: having waited too long ---- */

/* nice -5: computes, and notes how much processor time it had between two runs of the other. */
static int passed_over(int cpu, struct hog *low, volatile double *gap, int wanted)
{
	pid_t pid = child();

	if (!pid) {
		double last, now, mean = 0;
		int n = 0;
		long work;

		pin(0, cpu);
		if (setpriority(PRIO_PROCESS, 0, -5))
			_exit(100);
		work = low->work;
		last = clock_s(CLOCK_THREAD_CPUTIME_ID);
		while (n < wanted && (now = clock_s(CLOCK_THREAD_CPUTIME_ID)) < 30) {
			if (low->work == work)
				continue;
			work = low->work;
			mean += (now - last) / wanted;
			last = now;
			n++;
		}
		*gap = mean;
		_exit(n);
	}
	return reap(pid);
}

static bool by_waiting_long(int cpu, struct hog *h)
{
	volatile double *gap = (volatile double *)(h + HOGS + 1);
	long prio, nice_value;
	int n;

	start_hog(&h[0], cpu, 15);
	while (!h[0].work)
		sleep_ms(5);
	n = passed_over(cpu, &h[0], gap, 8);
	stat_priority(h[0].pid, &prio, &nice_value);
	end_hogs(h, 1);
	printf("3 waiting too long:  nice 15 was passed over for %.0f ms on average, then ran: %d times (its nice value is still %ld)\n",
	       *gap * 1e3, n, nice_value);
	return n == 8 && *gap > 0.01 && nice_value == 15;
}

int main(void)
{
	struct hog *h = shared(2 * PAGE);
	double start = clock_s(CLOCK_MONOTONIC);
	int cpu = nth_cpu(0);
	bool seen[3] = { };

	do {
		seen[0] = seen[0] || by_the_user(cpu, h);
		seen[1] = seen[1] || by_waiting_often(cpu, h);
		seen[2] = seen[2] || by_waiting_long(cpu, h);
	} while (!(seen[0] && seen[1] && seen[2]) && patience(start));
	for (int i = 0; i < 3; i++)
		must(seen[i], "way %d had no effect", i + 1);
	shown();
}
