/*
 * affinity.c: on which CPUs a task may run, and moving it from one to another.
 *
 * Idea:    a task that sleeps is moved by its next wake-up; one that is ready, by taking it off one run queue and putting
 *          it on another; one that runs must be stopped first: the stopper of its CPU preempts it, and then it is just ready.
 * Locking: pi_lock and the rq lock guard cpus_mask; set_cpus_allowed_ptr() may sleep (it waits for the stopper).
 * See:     spec.md §7 "affinity"; sched_setaffinity(2)
 */
#include "sched.h"
#include <weft/capability.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/ktime.h>
#include <weft/pid.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

/* p is ready on rq, which is locked.  Comes back with the new run queue locked instead. */
struct rq *move_queued_task(struct rq *rq, struct task_struct *p, int new_cpu)
	__no_context_analysis		/* one lock is given for another */
{
	deactivate_task(rq, p, DEQUEUE_MOVE);
	set_task_cpu(p, new_cpu);
	spin_unlock(&rq->lock);

	rq = cpu_rq(new_cpu);
	spin_lock(&rq->lock);
	update_rq_clock(rq);
	activate_task(rq, p, ENQUEUE_MOVE);
	check_preempt_curr(rq, p, 0);
	return rq;
}

/* Where p was to go it may not: any CPU that it may use, or, when all those are gone, any at all. [pi_lock] */
int select_fallback_rq(struct task_struct *p)
{
	unsigned int cpu = cpumask_any_and(&p->cpus_mask, cpu_online_mask);

	if (likely(cpu < nr_cpu_ids))
		return cpu;
	cpumask_copy(&p->cpus_mask, cpu_possible_mask);
	p->nr_cpus_allowed = cpumask_weight(cpu_possible_mask);
	return cpumask_any(cpu_online_mask);
}

struct migration_arg {
	struct task_struct	*task;
	int			dest_cpu;
};

/*
 * In the stopper of the CPU where the task was seen.  It may have gone to sleep or away meanwhile: then there is nothing
 * to do, as its next wake-up looks at cpus_mask.  One that is on its way here (wake_list) is let in first.
 */
static int migration_cpu_stop(void *data)
{
	struct migration_arg *arg = data;
	struct task_struct *p = arg->task;
	struct rq_flags rf;
	struct rq *rq;

	sched_ttwu_pending();
	rq = task_rq_lock(p, &rf);
	if (rq == this_rq()) {
		int dest = arg->dest_cpu;

		if (!is_cpu_allowed(p, dest))
			dest = select_fallback_rq(p);
		if (task_on_rq_queued(p)) {
			update_rq_clock(rq);
			if (dest != rq->cpu)
				rq = move_queued_task(rq, p, dest);
		} else {
			p->wake_cpu = dest;
		}
	}
	task_rq_unlock(rq, p, &rf);
	return 0;
}

int set_cpus_allowed_ptr(struct task_struct *p, const cpumask_t *mask)
{
	const struct cpumask *valid = (p->flags & PF_KTHREAD) ? cpu_online_mask : cpu_active_mask;
	struct migration_arg arg = { .task = p };
	struct rq_flags rf;
	unsigned int dest;
	struct rq *rq;

	rq = task_rq_lock(p, &rf);
	update_rq_clock(rq);
	dest = cpumask_any_and(valid, mask);
	if (dest >= nr_cpu_ids) {
		task_rq_unlock(rq, p, &rf);
		return -EINVAL;
	}
	cpumask_copy(&p->cpus_mask, mask);
	p->nr_cpus_allowed = cpumask_weight(mask);
	if (cpumask_test_cpu(task_cpu(p), mask) || p->migration_disabled)
		goto done;

	if (task_on_cpu(rq, p) || READ_ONCE(p->__state) == TASK_WAKING) {
		arg.dest_cpu = dest;
		task_rq_unlock(rq, p, &rf);
		stop_one_cpu(rq->cpu, migration_cpu_stop, &arg);
		return 0;
	}
	if (task_on_rq_queued(p))
		rq = move_queued_task(rq, p, dest);
	else
		p->wake_cpu = dest;
done:
	task_rq_unlock(rq, p, &rf);
	return 0;
}

void sched_exec(void)
{
	struct task_struct *p = current;
	struct migration_arg arg = { .task = p };
	unsigned long flags;
	int dest;

	/* With the CPU to ourselves we are as well off here as anywhere. */
	if (READ_ONCE(this_rq()->nr_running) <= 1)
		return;
	spin_lock_irqsave(&p->pi_lock, flags);
	dest = select_task_rq(p, task_cpu(p), WF_EXEC);
	spin_unlock_irqrestore(&p->pi_lock, flags);
	if (dest == raw_smp_processor_id() || !cpu_active(dest))
		return;
	arg.dest_cpu = dest;
	stop_one_cpu(task_cpu(p), migration_cpu_stop, &arg);
}

/*
 * Returns when p has left its CPU and its run queue, or, if match_state is not 0, when its state is another.  For who
 * wants to look at the stack of a task or change its affinity before it ever runs.  May sleep.
 */
void wait_task_inactive(struct task_struct *p, unsigned int match_state)
{
	for (;;) {
		struct rq_flags rf;
		struct rq *rq;
		bool running, queued, gone;

		while (READ_ONCE(p->on_cpu)) {
			if (match_state && READ_ONCE(p->__state) != match_state)
				return;
			cpu_relax();
		}
		rq = task_rq_lock(p, &rf);
		running = task_on_cpu(rq, p);
		queued = p->on_rq != 0;
		gone = match_state && READ_ONCE(p->__state) != match_state;
		task_rq_unlock(rq, p, &rf);

		if (gone || (!running && !queued))
			return;
		if (queued)			/* preempted on its way to sleep: it needs the CPU first */
			schedule_timeout_uninterruptible(1);
	}
}

/* ---- system calls ---- */

static long sched_setaffinity(pid_t pid, const cpumask_t *wanted)
{
	struct task_struct *p;
	cpumask_t mask;
	long err;

	rcu_read_lock();
	p = pid ? find_task_by_vpid(pid) : current;
	if (!p) {
		rcu_read_unlock();
		return -ESRCH;
	}
	get_task_struct(p);
	rcu_read_unlock();

	if (p->flags & PF_NO_SETAFFINITY)
		err = -EINVAL;
	else if (!check_same_owner(p) && !capable(CAP_SYS_NICE))
		err = -EPERM;
	else if (!cpumask_and(&mask, wanted, cpu_possible_mask))
		err = -EINVAL;
	else if (task_has_dl_policy(p) && !cpumask_subset(cpu_online_mask, &mask))
		err = -EBUSY;			/* its bandwidth was admitted for all CPUs together */
	else
		err = set_cpus_allowed_ptr(p, &mask);
	put_task_struct(p);
	return err;
}

long sys_sched_setaffinity(pid_t pid, unsigned int len, unsigned long __user *user_mask_ptr)
{
	cpumask_t mask = CPU_MASK_NONE;

	if (copy_from_user(&mask, user_mask_ptr, min_t(size_t, len, sizeof(mask))))
		return -EFAULT;
	return sched_setaffinity(pid, &mask);
}

long sys_sched_getaffinity(pid_t pid, unsigned int len, unsigned long __user *user_mask_ptr)
{
	struct task_struct *p;
	cpumask_t mask;

	if (len * 8 < nr_cpu_ids || (len & ((in_compat_syscall() ? sizeof(u32) : sizeof(long)) - 1)))
		return -EINVAL;
	rcu_read_lock();
	p = pid ? find_task_by_vpid(pid) : current;
	if (p)
		cpumask_and(&mask, &p->cpus_mask, cpu_active_mask);
	rcu_read_unlock();
	if (!p)
		return -ESRCH;
	if (copy_to_user(user_mask_ptr, &mask, min_t(size_t, len, sizeof(mask))))
		return -EFAULT;
	return (long)min_t(size_t, len, sizeof(mask));
}
