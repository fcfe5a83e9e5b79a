/*
 * idle.c: what a CPU does when nobody is ready: the idle loop, and the class that only its idle task belongs to.
 *
 * Idea:    the idle task is always ready and never queued; pick_next_task() falls back on it.  The loop stops the tick
 *          for as long as no timer is due, tells RCU that this CPU reads nothing, and halts until an interrupt.
 * Race:    a wake-up must not slip in between the look at need_resched and the halt.  Interrupts are off from the look on,
 *          and the processor lets them in only once it has begun to halt (sti; hlt):
 *
 *              idle loop, interrupts off               another CPU
 *              need_resched()? no
 *                                                      resched_curr(): sets the flag, sends an interrupt
 *              sti; hlt                                (stays pending until here)
 *              wakes at once, takes it, looks again
 *
 * Locking: rq->lock for the class; clock_idle is read without it by /proc.
 * See:     spec.md §1 "interrupts and time"; kernel/time/tick.c
 */
#include "sched.h"
#include <weft/arch.h>
#include <weft/rcu.h>
#include <weft/tick.h>

/* ---- the loop ---- */

static void do_idle(void)
{
	local_irq_disable();
	tick_nohz_idle_enter();
	while (!need_resched()) {
		/* Whatever interrupt ended the last halt may have started a timer. */
		tick_nohz_idle_update();
		rcu_idle_enter();
		arch_cpu_idle();
		local_irq_disable();
		rcu_idle_exit();
	}
	tick_nohz_idle_exit();
	local_irq_enable();
	schedule_idle();
}

/* Pid 0 of the boot CPU, and the first thing each other CPU does: for ever.  Preemption is off. */
void __noreturn cpu_startup_entry(void)
{
	/* A CPU that just started has not been switched to its idle task: it was born as it. */
	cpumask_set_cpu(smp_processor_id(), &idle_cpus_mask);
	for (;;)
		do_idle();
}

/* ---- who is idle ---- */

int idle_cpu(int cpu)
{
	struct rq *rq = cpu_rq(cpu);

	return READ_ONCE(rq->curr) == rq->idle && !READ_ONCE(rq->nr_running) && llist_empty(&rq->wake_list);
}

/* Is p what its CPU runs just now?  A snapshot, unless the caller holds a lock that keeps it so. */
bool task_curr(const struct task_struct *p)
{
	return READ_ONCE(cpu_curr(task_cpu(p))) == p;
}

/* ---- the class ---- */

static void dequeue_task_idle(struct rq *rq, struct task_struct *p, int flags) __releases(&rq->lock)
{
	spin_unlock_irq(&rq->lock);
	panic("the idle task of CPU %d tried to sleep", rq->cpu);
}

static void check_preempt_curr_idle(struct rq *rq, struct task_struct *p, int flags)
{
	resched_curr(rq);
}

static void set_next_task_idle(struct rq *rq, struct task_struct *p)
{
	WRITE_ONCE(rq->clock_idle, rq_clock(rq));
	cpumask_set_cpu(rq->cpu, &idle_cpus_mask);
	rq->sched_goidle++;
}

static struct task_struct *pick_next_task_idle(struct rq *rq)
{
	set_next_task_idle(rq, rq->idle);
	return rq->idle;
}

static void put_prev_task_idle(struct rq *rq, struct task_struct *p)
{
	u64 span = rq->clock_idle ? rq_clock(rq) - rq->clock_idle : 0;

	cpumask_clear_cpu(rq->cpu, &idle_cpus_mask);
	WRITE_ONCE(rq->clock_idle, 0);
	account_idle_span(rq, span);
	/* A mean over about the last eight spans; one long one shall not hide how busy this CPU is. */
	span = min_t(u64, span, 4 * NSEC_PER_MSEC);
	rq->avg_idle += ((s64)span - (s64)rq->avg_idle) / 8;
}

static void task_tick_idle(struct rq *rq, struct task_struct *p)
{
}

static void update_curr_idle(struct rq *rq)
{
}

static void no_prio_change(struct rq *rq, struct task_struct *p, int oldprio)
{
}

const struct sched_class idle_sched_class = {
	.rank			= 0,
	.dequeue_task		= dequeue_task_idle,
	.check_preempt_curr	= check_preempt_curr_idle,
	.pick_next_task		= pick_next_task_idle,
	.put_prev_task		= put_prev_task_idle,
	.set_next_task		= set_next_task_idle,
	.task_tick		= task_tick_idle,
	.prio_changed		= no_prio_change,
	.update_curr		= update_curr_idle,
};
