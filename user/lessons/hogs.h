/* hogs.h: tasks that do nothing but compute, and what the scheduler noted about a task. */
#ifndef HOGS_H
#define HOGS_H

#include "lesson.h"

/* Lies in shared memory: who starts a hog can see how far it is. */
struct hog {
	volatile long	work;			/* grows whenever the hog runs, and only then */
	pid_t		pid;
} __attribute__((aligned(64)));

/* A process that computes for ever on one processor, with this nice value. */
UNUSED static void start_hog(struct hog *h, int cpu, int nice_value)
{
	pid_t pid;

	h->work = 0;
	pid = child();
	if (pid) {
		h->pid = pid;
		return;
	}
	pin(0, cpu);
	if (setpriority(PRIO_PROCESS, 0, nice_value))
		_exit(1);
	for (;;)
		h->work++;
}

UNUSED static void end_hogs(struct hog *h, int n)
{
	while (n--)
		end_child(h[n].pid);
}

/* SCHED_FIFO, or SCHED_OTHER for priority 0.  False: this program may not. */
UNUSED static bool set_fifo(pid_t pid, int priority)
{
	struct sched_param p = { .sched_priority = priority };

	return !sched_setscheduler(pid, priority ? SCHED_FIFO : SCHED_OTHER, &p);
}

/* Time on a processor, time ready but not on one (both ns), and how often it was given one. */
struct sched_times { long long ran, waited, times; };

UNUSED static struct sched_times sched_times(pid_t pid)
{
	struct sched_times t;
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	if (!slurp(path, text, sizeof(text)))
		skip("%s cannot be read", path);
	must(sscanf(text, "%lld %lld %lld", &t.ran, &t.waited, &t.times) == 3, "%s says '%s'", path, text);
	return t;
}

UNUSED static struct sched_times times_since(pid_t pid, struct sched_times then)
{
	struct sched_times now = sched_times(pid);

	return (struct sched_times){ now.ran - then.ran, now.waited - then.waited, now.times - then.times };
}

/* Milliseconds that the task waited for a processor each time that it wanted one. */
UNUSED static double wait_ms(struct sched_times t)
{
	return t.times ? t.waited / 1e6 / t.times : 0;
}

struct switches { long voluntary, forced; };

UNUSED static struct switches switches(pid_t pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	must(slurp(path, text, sizeof(text)), "%s cannot be read", path);
	return (struct switches){ field(text, "voluntary_ctxt_switches"), field(text, "nonvoluntary_ctxt_switches") };
}

/* Fields 18 and 19 of /proc/PID/stat. */
UNUSED static void stat_priority(pid_t pid, long *priority, long *nice_value)
{
	char path[64], text[2048], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	must(slurp(path, text, sizeof(text)) && (p = strrchr(text, ')')), "%s cannot be read", path);
	for (int n = 2; n < 18 && p; n++)
		p = strchr(p + 1, ' ');
	must(p && sscanf(p, "%ld %ld", priority, nice_value) == 2, "%s says '%s'", path, text);
}

#endif
