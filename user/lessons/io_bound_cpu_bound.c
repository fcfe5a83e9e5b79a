/*
 * io_bound_cpu_bound: a task that waits often is liked better than one that computes.
 *
 * Seeds:  003 "thread scheduling and priority": a thread that often enters the waiting state is I/O bound, one that rarely waits
 *         is CPU bound; "I/O-bound threads always get their priority raised more easily than CPU-bound ones", as they take
 *         little time: "the CPU too likes to squeeze the soft persimmon first".
 * Expect: on one processor, four processes that compute and one that waits for 1 ms again and again, all of the same nice value.
 *         The one that waits leaves the processor of its own will, the others are driven off it; and each time the first is
 *         ready it waits for the processor less than half as long as the others do.
 */
#include "hogs.h"

#define HOGS	4
#define WAITS	200

/* Waits for a "device" and handles what came: very little. */
static pid_t start_io_bound(int cpu)
{
	pid_t pid = child();

	if (pid)
		return pid;
	pin(0, cpu);
	for (;;)
		sleep_ms(1);
}

static bool observe(int cpu, struct hog *hogs)
{
	struct sched_times io, cpu_bound = { };
	struct switches io_sw, sw, hog_sw = { };
	pid_t pid;
	double start = clock_s(CLOCK_MONOTONIC);

	for (int i = 0; i < HOGS; i++)
		start_hog(&hogs[i], cpu, 0);
	pid = start_io_bound(cpu);
	do
		sleep_ms(50);
	while (sched_times(pid).times < WAITS && patience(start));

	io = sched_times(pid);
	io_sw = switches(pid);
	for (int i = 0; i < HOGS; i++) {
		struct sched_times t = sched_times(hogs[i].pid);

		cpu_bound.ran += t.ran;
		cpu_bound.waited += t.waited;
		cpu_bound.times += t.times;
		sw = switches(hogs[i].pid);
		hog_sw.voluntary += sw.voluntary;
		hog_sw.forced += sw.forced;
	}
	end_hogs(hogs, HOGS);
	end_child(pid);

	printf("I/O bound: left the CPU %ld times of its own will, %ld times forced; ran %.1f ms; waited %.2f ms for each turn\n",
	       io_sw.voluntary, io_sw.forced, io.ran / 1e6, wait_ms(io));
	printf("CPU bound: left the CPU %ld times of their own will, %ld times forced; ran %.1f ms; waited %.2f ms for each turn\n",
	       hog_sw.voluntary, hog_sw.forced, cpu_bound.ran / 1e6, wait_ms(cpu_bound));
	return io.times >= WAITS && io_sw.voluntary > 9 * io_sw.forced && hog_sw.forced > 9 * hog_sw.voluntary &&
	       wait_ms(io) < wait_ms(cpu_bound) / 2;
}

int main(void)
{
	struct hog *hogs = shared(HOGS * sizeof(*hogs));
	double start = clock_s(CLOCK_MONOTONIC);

	do
		if (observe(nth_cpu(0), hogs))
			shown();
	while (patience(start));
	not_shown("the task that waits often did not get the processor sooner");
}
