/*
 * kernel_stat.h: where each CPU's time went, for /proc/stat and top.
 */
#ifndef WEFT_KERNEL_STAT_H
#define WEFT_KERNEL_STAT_H

#include <weft/types.h>
#include <weft/percpu.h>
#include <weft/softirq.h>

enum cpu_usage_stat {
	CPUTIME_USER, CPUTIME_NICE, CPUTIME_SYSTEM, CPUTIME_SOFTIRQ, CPUTIME_IRQ, CPUTIME_IDLE, CPUTIME_IOWAIT,
	CPUTIME_STEAL, CPUTIME_GUEST, CPUTIME_GUEST_NICE, NR_STATS
};

struct kernel_cpustat {
	u64 cpustat[NR_STATS];			/* [c] ns */
};
DECLARE_PER_CPU(struct kernel_cpustat, kernel_cpustat);
#define kcpustat_this_cpu	this_cpu_ptr(&kernel_cpustat)
#define kcpustat_cpu(cpu)	per_cpu(kernel_cpustat, cpu)

/* One of them, in ns; idle and iowait include the span that runs just now. */
u64 kcpustat_cpu_ns(int cpu, enum cpu_usage_stat which);
/* From the tick, interrupts off: a tick of user or system time for the running task. */
struct task_struct;
void account_process_tick(struct task_struct *p, bool user_tick);
/* Context switches of all CPUs: nr_context_switches() in sched.h. */

#endif
