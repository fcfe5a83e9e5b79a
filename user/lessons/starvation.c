/*
 * starvation: under strict priorities a less urgent task can wait for ever; two cures.
 *
 * Seeds:  003: "a thread is starved when there is always one of higher priority that wants to run"; "to avoid it, the scheduler
 *         raises the priority of those that have waited too long ... so that one needs only wait long enough to run".
 * Expect: on one processor.  (1) SCHED_FIFO, strict: while a task of priority 20 computes, one of priority 10 does nothing at
 *         all.  (2) The cure of the ordinary class: of two tasks of nice -5 and nice 15 the second is soon owed so much that
 *         it runs, again and again.  (3) The limit of the real-time classes: even beside a SCHED_FIFO task that never stops an
 *         ordinary one gets a little (unless sched_rt_runtime_us is -1).
 *         Time is the busy task's own processor time, so a stopped machine does not count.
 */
#include "hogs.h"

#define RUNS 5

static struct hog *victim;
static volatile double *used;			/* processor time of the urgent task, s */

/* The urgent task: computes until the victim's work has grown `runs` times, or `limit` s are used.  Exit code: the runs. */
static pid_t start_urgent(int cpu, int fifo, int nice_value, int runs, double limit)
{
	pid_t pid = child();
	int seen = 0;
	long work;

	if (pid)
		return pid;
	pin(0, cpu);
	if (!set_fifo(0, fifo) || setpriority(PRIO_PROCESS, 0, nice_value))
		_exit(100);
	work = victim->work;
	while (seen < runs && clock_s(CLOCK_THREAD_CPUTIME_ID) < limit) {
		if (victim->work != work)
			seen++;
		work = victim->work;
	}
	*used = clock_s(CLOCK_THREAD_CPUTIME_ID);
	_exit(seen);
}

/* The victim must be able to run at all. */
static void start_victim(int cpu, int fifo, int nice_value)
{
	double start = clock_s(CLOCK_MONOTONIC);

	start_hog(victim, cpu, nice_value);
	ok(set_fifo(victim->pid, fifo) ? 0 : -1);
	while (!victim->work) {
		must(patience(start), "the victim does not even run alone");
		sleep_ms(1);
	}
}

static bool rt_is_limited(void)
{
	char text[64];

	return !slurp("/proc/sys/kernel/sched_rt_runtime_us", text, sizeof(text)) || atol(text) >= 0;
}

int main(void)
{
	int cpu = nth_cpu(0), runs;

	victim = shared(PAGE);
	used = shared(PAGE);
	if (!set_fifo(0, 30))			/* more urgent than what it watches */
		skip("this program may not use SCHED_FIFO: %s", strerror(errno));

	start_victim(cpu, 10, 0);
	runs = reap(start_urgent(cpu, 20, 0, 1, 0.3));
	end_child(victim->pid);
	printf("strict priorities: while SCHED_FIFO 20 computed for %.0f ms, SCHED_FIFO 10 ran %d times\n", *used * 1e3, runs);
	must(runs == 0, "a less urgent SCHED_FIFO task ran");

	start_victim(cpu, 0, 15);
	runs = reap(start_urgent(cpu, 0, -5, RUNS, 30));
	end_child(victim->pid);
	printf("ordinary class:    while nice -5 computed for %.0f ms, nice 15 ran %d times\n", *used * 1e3, runs);
	must(runs == RUNS, "nice 15 starved beside nice -5");

	if (rt_is_limited()) {
		start_victim(cpu, 0, 0);
		runs = reap(start_urgent(cpu, 20, 0, 1, 30));
		end_child(victim->pid);
		printf("real-time limit:   while SCHED_FIFO 20 computed for %.0f ms, an ordinary task got on\n", *used * 1e3);
		must(runs == 1, "an ordinary task starved beside SCHED_FIFO");
	} else {
		printf("real-time limit:   switched off here (sched_rt_runtime_us is -1)\n");
	}
	shown();
}
