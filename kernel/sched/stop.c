/*
 * stop.c: the class above all others: one task a CPU, migration/N, which runs cpu_stop_work (stop_machine.c).
 *
 * Idea:    it runs as soon as it is woken and until it sleeps; nothing preempts it, no time slice ends it.  To users it
 *          looks like the most urgent SCHED_FIFO task.
 * Locking: rq->lock.
 * See:     stop_machine.c
 */
#include "sched.h"

static void enqueue_task_stop(struct rq *rq, struct task_struct *p, int flags)
{
	add_nr_running(rq, 1);
}

static void update_curr_stop(struct rq *rq)
{
	struct task_struct *curr = rq->curr;
	s64 delta;

	if (curr->sched_class != &stop_sched_class)
		return;
	delta = rq_clock(rq) - curr->se.exec_start;
	if (delta <= 0)
		return;
	curr->se.exec_start = rq_clock(rq);
	curr->se.sum_exec_runtime += delta;
}

static void dequeue_task_stop(struct rq *rq, struct task_struct *p, int flags)
{
	update_curr_stop(rq);
	sub_nr_running(rq, 1);
	if (flags & DEQUEUE_SLEEP)
		p->last_ran = rq_clock(rq);
}

static void yield_task_stop(struct rq *rq)
{
	BUG();				/* there is nobody it could give way to */
}

static void check_preempt_curr_stop(struct rq *rq, struct task_struct *p, int flags)
{
}

static void set_next_task_stop(struct rq *rq, struct task_struct *p)
{
	p->se.exec_start = rq_clock(rq);
	p->se.prev_sum_exec_runtime = p->se.sum_exec_runtime;
}

static struct task_struct *pick_next_task_stop(struct rq *rq)
{
	if (!rq->stop || !task_on_rq_queued(rq->stop))
		return NULL;
	set_next_task_stop(rq, rq->stop);
	return rq->stop;
}

static void put_prev_task_stop(struct rq *rq, struct task_struct *p)
{
	update_curr_stop(rq);
}

static int select_task_rq_stop(struct task_struct *p, int cpu, int flags)
{
	return task_cpu(p);
}

static void task_tick_stop(struct rq *rq, struct task_struct *p)
{
	update_curr_stop(rq);
}

static void prio_changed_stop(struct rq *rq, struct task_struct *p, int oldprio)
{
}

/* `stop`, a kernel thread bound to cpu and not running yet, becomes its stopper. */
void sched_set_stop_task(int cpu, struct task_struct *stop)
{
	struct rq_flags rf;
	struct rq *rq = task_rq_lock(stop, &rf);

	stop->policy = SCHED_FIFO;
	stop->rt_priority = MAX_RT_PRIO - 1;
	stop->prio = stop->normal_prio = 0;
	stop->sched_class = &stop_sched_class;
	cpu_rq(cpu)->stop = stop;
	task_rq_unlock(rq, stop, &rf);
}

const struct sched_class stop_sched_class = {
	.rank			= 4,
	.enqueue_task		= enqueue_task_stop,
	.dequeue_task		= dequeue_task_stop,
	.yield_task		= yield_task_stop,
	.check_preempt_curr	= check_preempt_curr_stop,
	.pick_next_task		= pick_next_task_stop,
	.put_prev_task		= put_prev_task_stop,
	.set_next_task		= set_next_task_stop,
	.select_task_rq		= select_task_rq_stop,
	.task_tick		= task_tick_stop,
	.prio_changed		= prio_changed_stop,
	.update_curr		= update_curr_stop,
};
