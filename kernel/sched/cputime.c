/*
 * cputime.c: where the time went: per CPU (user, nice, system, idle ...) and per task (user, system).
 *
 * Idea:    the tick that hits a task charges it a whole tick of user or system time: cheap, right on average.  How long a
 *          task ran altogether the scheduler knows exactly (sum_exec_runtime); what is shown is that exact sum, divided in
 *          the proportion of the ticks.  A division by a moving proportion could go back; what was shown before is
 *          remembered, and neither part is ever shown smaller (cputime_lock).  Idle time is exact: the idle task's spans.
 * Locking: kernel_cpustat [c]; a task's utime and stime are written by its own tick; cputime_lock is innermost.
 * See:     spec.md §7 "accounting"; getrusage(2), times(2), proc(5) /proc/stat
 */
#include "sched.h"
#include <weft/signal.h>
#include <weft/seqlock.h>

DEFINE_PER_CPU(struct kernel_cpustat, kernel_cpustat);

static DEFINE_SPINLOCK(cputime_lock);

static inline void charge(enum cpu_usage_stat which, u64 ns)
{
	this_cpu_add(kernel_cpustat.cpustat[which], ns);
}

/* From the tick, interrupts off: p, the running task, was in user mode or not. */
void account_process_tick(struct task_struct *p, bool user_tick)
{
	if (user_tick) {
		p->utime += TICK_NSEC;
		charge(task_nice(p) > 0 ? CPUTIME_NICE : CPUTIME_USER, TICK_NSEC);
		return;
	}
	/* The tick itself is one hard interrupt. */
	if (hardirq_count() > HARDIRQ_OFFSET) {
		charge(CPUTIME_IRQ, TICK_NSEC);
	} else if (in_serving_softirq()) {
		charge(CPUTIME_SOFTIRQ, TICK_NSEC);
	} else if (!(p->flags & PF_IDLE)) {
		p->stime += TICK_NSEC;
		charge(CPUTIME_SYSTEM, TICK_NSEC);
	}
}

/* The idle task of rq, which is this CPU's, ran for ns. */
void account_idle_span(struct rq *rq, u64 ns)
{
	charge(atomic_read(&rq->nr_iowait) > 0 ? CPUTIME_IOWAIT : CPUTIME_IDLE, ns);
}

u64 kcpustat_cpu_ns(int cpu, enum cpu_usage_stat which)
{
	struct rq *rq = cpu_rq(cpu);
	u64 ns = READ_ONCE(per_cpu(kernel_cpustat, cpu).cpustat[which]);

	if (which == (atomic_read(&rq->nr_iowait) > 0 ? CPUTIME_IOWAIT : CPUTIME_IDLE)) {
		u64 since = READ_ONCE(rq->clock_idle), now = sched_clock();

		if (since && now > since)
			ns += now - since;
	}
	return ns;
}

/* ---- tasks ---- */

u64 task_sched_runtime(struct task_struct *p)
{
	struct rq_flags rf;
	struct rq *rq;
	u64 ns;

	/* Not running: what the last switch away charged is all. */
	if (!READ_ONCE(p->on_cpu) || !READ_ONCE(p->on_rq))
		return READ_ONCE(p->se.sum_exec_runtime);
	rq = task_rq_lock(p, &rf);
	if (task_current(rq, p) && task_on_rq_queued(p)) {
		update_rq_clock(rq);
		p->sched_class->update_curr(rq);
	}
	ns = p->se.sum_exec_runtime;
	task_rq_unlock(rq, p, &rf);
	return ns;
}

/* total * part / (part + rest), without overflow: total and the ticks are of the same magnitude. */
static u64 scale(u64 total, u64 part, u64 whole)
{
	return part >= whole ? total : mul_u64_u64_div_u64(total, part, whole);
}

/* Splits runtime as utime : stime, keeping both monotonic against *prev_u and *prev_s. */
static void adjust(u64 runtime, u64 utime, u64 stime, u64 *prev_u, u64 *prev_s, u64 *ut, u64 *st)
{
	unsigned long flags;
	u64 user, sys;

	spin_lock_irqsave(&cputime_lock, flags);
	if (runtime > *prev_u + *prev_s) {
		if (!utime && !stime)
			utime = 1;		/* too short for any tick: call it user time */
		sys = scale(runtime, stime, utime + stime);
		sys = max(sys, *prev_s);
		user = runtime - min(sys, runtime);
		if (user < *prev_u) {
			user = *prev_u;
			sys = runtime - user;
		}
		*prev_u = user;
		*prev_s = sys;
	}
	*ut = *prev_u;
	*st = *prev_s;
	spin_unlock_irqrestore(&cputime_lock, flags);
}

void task_cputime_adjusted(struct task_struct *p, u64 *ut, u64 *st)
{
	adjust(task_sched_runtime(p), READ_ONCE(p->utime), READ_ONCE(p->stime), &p->prev_utime, &p->prev_stime, ut, st);
}

/*
 * A thread that exits adds its times to the group's and leaves the list, in one write section of stats_lock: whoever sees
 * a change in between starts anew, so that no thread counts twice or not at all.
 */
void thread_group_cputime(struct task_struct *p, struct task_cputime *sum)
{
	struct signal_struct *sig = p->signal;
	struct task_struct *t;
	unsigned int seq;

	rcu_read_lock();
	do {
		seq = read_seqbegin(&sig->stats_lock);
		sum->utime = sig->utime;
		sum->stime = sig->stime;
		sum->sum_exec_runtime = sig->sum_sched_runtime;
		for_each_thread(p, t) {
			sum->utime += READ_ONCE(t->utime);
			sum->stime += READ_ONCE(t->stime);
			sum->sum_exec_runtime += task_sched_runtime(t);
		}
	} while (read_seqretry(&sig->stats_lock, seq));
	rcu_read_unlock();
}

void thread_group_cputime_adjusted(struct task_struct *p, u64 *ut, u64 *st)
{
	struct task_cputime sum;

	thread_group_cputime(p, &sum);
	adjust(sum.sum_exec_runtime, sum.utime, sum.stime, &p->signal->prev_utime, &p->signal->prev_stime, ut, st);
}
