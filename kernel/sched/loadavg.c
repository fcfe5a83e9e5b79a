/*
 * loadavg.c: sums over all CPUs: how many tasks are ready or wait for I/O, and the load averages.
 *
 * Idea:    every five seconds load = load * e + active * (1 - e), with e = exp(-5 s / 1, 5, 15 min) in fixed point.  When
 *          all CPUs were idle nobody counted: then the missed rounds are made up for, with active = 0.
 * Locking: calc_global_load() runs under jiffies_lock; readers may see a mixture of old and new, which does no harm.
 * See:     spec.md §7 "accounting"; proc(5) /proc/loadavg
 */
#include "sched.h"
#include <weft/loadavg.h>

#define LOAD_FREQ	(5 * HZ + 1)		/* a tick more than 5 s: not in step with what runs every second */

static const unsigned long decay[3] = { 1884, 2014, 2037 };	/* FIXED_1 * exp(-5/60), exp(-5/300), exp(-5/900) */
static unsigned long avenrun[3];		/* [-] see above */
static unsigned long next_update = INITIAL_JIFFIES + LOAD_FREQ;

unsigned long nr_running(void)
{
	unsigned long sum = 0;
	int cpu;

	for_each_online_cpu(cpu)
		sum += READ_ONCE(cpu_rq(cpu)->nr_running);
	return sum;
}

unsigned long nr_iowait(void)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += (unsigned long)atomic_read(&cpu_rq(cpu)->nr_iowait);
	return sum;
}

unsigned long long nr_context_switches(void)
{
	unsigned long long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(cpu_rq(cpu)->nr_switches);
	return sum;
}

u64 nr_context_switches_cpu(int cpu)
{
	return READ_ONCE(cpu_rq(cpu)->nr_switches);
}

u64 nr_migrations_cpu(int cpu)
{
	return READ_ONCE(cpu_rq(cpu)->nr_migrations);
}

static unsigned long nr_active(void)
{
	unsigned long sleeping = 0;
	int cpu;

	/* Put to sleep on one CPU, woken on another: single counts may be negative, the sum is right. */
	for_each_possible_cpu(cpu)
		sleeping += READ_ONCE(cpu_rq(cpu)->nr_uninterruptible);
	return nr_running() + ((long)sleeping > 0 ? sleeping : 0);
}

static unsigned long decayed(unsigned long load, unsigned long e, unsigned long active)
{
	unsigned long sum = load * e + active * (FIXED_1 - e);

	if (active >= load)
		sum += FIXED_1 - 1;		/* round towards the target, or it would never be reached */
	return sum / FIXED_1;
}

/* Whenever jiffies has advanced. */
void calc_global_load(void)
{
	unsigned long active;

	if (time_before(jiffies, next_update))
		return;
	active = nr_active() * FIXED_1;
	while (time_after_eq(jiffies, next_update)) {
		bool last = time_before(jiffies, next_update + LOAD_FREQ);

		for (int i = 0; i < 3; i++)
			avenrun[i] = decayed(avenrun[i], decay[i], last ? active : 0);
		next_update += LOAD_FREQ;
	}
}

/* The three averages, each plus offset and shifted left. */
void get_avenrun(unsigned long *loads, unsigned long offset, int shift)
{
	for (int i = 0; i < 3; i++)
		loads[i] = (READ_ONCE(avenrun[i]) + offset) << shift;
}
