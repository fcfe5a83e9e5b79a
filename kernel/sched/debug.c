/*
 * debug.c: the scheduler shown to people: states by name, /proc/PID/sched, /proc/schedstat, and all tasks on the console.
 *
 * Locking: reads without locks: numbers may be a moment apart.  Lists of tasks under RCU.
 * See:     spec.md §7 "accounting"; proc(5)
 */
#include "sched.h"
#include <weft/init.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/string.h>

static const struct {
	unsigned int	state;
	char		letter;
	const char	*name;
} states[] = {
	{ TASK_INTERRUPTIBLE,	'S', "S (sleeping)" },
	{ TASK_UNINTERRUPTIBLE,	'D', "D (disk sleep)" },
	{ __TASK_STOPPED,	'T', "T (stopped)" },
	{ __TASK_TRACED,	't', "t (tracing stop)" },
	{ EXIT_DEAD,		'X', "X (dead)" },
	{ EXIT_ZOMBIE,		'Z', "Z (zombie)" },
	{ TASK_PARKED,		'P', "P (parked)" },
};

static int state_index(const struct task_struct *p)
{
	unsigned int state = READ_ONCE(p->__state) | (unsigned int)READ_ONCE(p->exit_state);

	for (int i = ARRAY_SIZE(states) - 1; i >= 0; i--)
		if (state & states[i].state)
			return i;
	return -1;
}

static bool waits_idly(const struct task_struct *p)
{
	return (READ_ONCE(p->__state) & TASK_IDLE) == TASK_IDLE && !READ_ONCE(p->exit_state);
}

const char *task_state_name(const struct task_struct *p)
{
	int i = state_index(p);

	if (waits_idly(p))
		return "I (idle)";
	return i < 0 ? "R (running)" : states[i].name;
}

char task_state_char(const struct task_struct *p)
{
	int i = state_index(p);

	if (waits_idly(p))
		return 'I';
	return i < 0 ? 'R' : states[i].letter;
}

/* The first function on a sleeping task's stack that is not the scheduler's own. */
unsigned long get_wchan(struct task_struct *p)
{
	unsigned long flags, ip = 0;

	if (!p || p == current)
		return 0;
	/* Under pi_lock nobody wakes it, so its stack stands still while we look. */
	spin_lock_irqsave(&p->pi_lock, flags);
	smp_rmb();
	if (!task_is_running(p) && READ_ONCE(p->__state) != TASK_WAKING && !p->on_rq && !READ_ONCE(p->on_cpu))
		ip = __get_wchan(p);
	spin_unlock_irqrestore(&p->pi_lock, flags);
	return ip;
}

void sched_show_task(struct task_struct *p)
{
	printk(KERN_INFO "task %-15s %c pid %d tgid %d cpu %d flags %08x\n", p->comm, task_state_char(p), p->pid, p->tgid,
	       task_cpu(p), p->flags);
	if (!READ_ONCE(p->on_cpu))
		show_stack(p);
	debug_show_held_locks(p);
}

void show_state(void)
{
	struct task_struct *g, *p;

	rcu_read_lock();
	for_each_process_thread(g, p)
		sched_show_task(p);
	rcu_read_unlock();
}

/* ---- /proc ---- */

static void show_ns(struct seq_file *m, const char *name, u64 ns)
{
	seq_printf(m, "%-45s:%14llu.%06llu\n", name, ns / NSEC_PER_MSEC, ns % NSEC_PER_MSEC);
}

static void show_count(struct seq_file *m, const char *name, u64 n)
{
	seq_printf(m, "%-45s:%21llu\n", name, n);
}

void proc_sched_show_task(struct task_struct *p, struct seq_file *m)
{
	seq_printf(m, "%s (%d, #threads: %d)\n", p->comm, p->pid, p->signal->nr_threads);
	seq_puts(m, "-------------------------------------------------------------------\n");
	show_ns(m, "se.exec_start", p->se.exec_start);
	show_ns(m, "se.vruntime", p->se.vruntime);
	show_ns(m, "se.deadline", p->se.deadline);
	show_ns(m, "se.slice", p->se.slice);
	show_ns(m, "se.sum_exec_runtime", task_sched_runtime(p));
	seq_printf(m, "%-45s:%21lld\n", "se.vlag", p->se.vlag);
	show_count(m, "se.nr_migrations", p->se.nr_migrations);
	show_count(m, "nr_switches", p->nvcsw + p->nivcsw);
	show_count(m, "nr_voluntary_switches", p->nvcsw);
	show_count(m, "nr_involuntary_switches", p->nivcsw);
	show_ns(m, "wait_sum", p->wait_sum);
	show_count(m, "se.load.weight", p->se.load.weight);
	show_count(m, "policy", p->policy);
	seq_printf(m, "%-45s:%21d\n", "prio", p->prio);
}

/* Version 15 of the format, of which only the lines of CPUs are given: there are no scheduling domains. */
static int schedstat_show(struct seq_file *m, void *v)
{
	int cpu;

	seq_printf(m, "version 15\ntimestamp %lu\n", jiffies);
	for_each_online_cpu(cpu) {
		struct rq *rq = cpu_rq(cpu);

		seq_printf(m, "cpu%d %u 0 %llu %u %u 0 %llu %llu %lu\n", cpu, rq->yld_count, rq->nr_switches, rq->sched_goidle,
			   rq->ttwu_count, kcpustat_cpu_ns(cpu, CPUTIME_USER) + kcpustat_cpu_ns(cpu, CPUTIME_SYSTEM),
			   rq->run_delay, rq->pcount);
	}
	return 0;
}

static int softirqs_show(struct seq_file *m, void *v)
{
	int cpu;

	seq_puts(m, "                    ");
	for_each_possible_cpu(cpu)
		seq_printf(m, "CPU%-8d", cpu);
	seq_putc(m, '\n');
	for (unsigned int i = 0; i < NR_SOFTIRQS; i++) {
		seq_printf(m, "%12s:", softirq_to_name[i]);
		for_each_possible_cpu(cpu)
			seq_printf(m, " %10u", kstat_softirqs_cpu(i, cpu));
		seq_putc(m, '\n');
	}
	return 0;
}

static int __init sched_proc_init(void)
{
	if (!proc_create_single("schedstat", 0, NULL, schedstat_show) ||
	    !proc_create_single("softirqs", 0, NULL, softirqs_show))
		return -ENOMEM;
	return 0;
}
fs_initcall(sched_proc_init);
