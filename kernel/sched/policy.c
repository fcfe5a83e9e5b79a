/*
 * policy.c: how urgent a task is: nice values, policies, and changing them.
 *
 * Idea:    one number orders all tasks: prio, -1 for those with a deadline, 0..99 for real time (99 - rt_priority),
 *          100..139 for the rest (120 + nice).
 *          Within the fair class a nice step is a factor of 1.25 in weight, so that it moves about a tenth of the
 *          processor between two tasks that compete for it, whatever their nice values are.
 *          A queued task's position depends on these numbers: it is taken off, changed and put back (sched_change_begin).
 *          normal_prio is what nice value and policy say.  prio is that or, while more urgent tasks wait for a lock that
 *          the task holds, theirs (rt_mutex_setprio); class and weight go by prio, policy and nice value stay what the
 *          user set.
 * Locking: pi_lock and the rq lock (task_rq_lock()).
 * See:     spec.md §7 "three ways a priority changes"; sched(7), nice(2)
 */
#include "sched.h"
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/resource.h>
#include <weft/rtmutex.h>

/* 1024 / 1.25^nice, from nice -20 on. */
const int sched_prio_to_weight[40] = {
	/* -20 */ 88818, 71054, 56843, 45475, 36380,
	/* -15 */ 29104, 23283, 18626, 14901, 11921,
	/* -10 */ 9537, 7629, 6104, 4883, 3906,
	/*  -5 */ 3125, 2500, 2000, 1600, 1280,
	/*   0 */ 1024, 819, 655, 524, 419,
	/*   5 */ 336, 268, 215, 172, 137,
	/*  10 */ 110, 88, 70, 56, 45,
	/*  15 */ 36, 29, 23, 18, 15,
};

/* 2^32 / weight: dividing by a weight is multiplying by this. */
const u32 sched_prio_to_wmult[40] = {
	/* -20 */ 48357, 60447, 75558, 94447, 118058,
	/* -15 */ 147573, 184468, 230590, 288233, 360286,
	/* -10 */ 450348, 562979, 703632, 879576, 1099582,
	/*  -5 */ 1374390, 1717987, 2147484, 2684355, 3355443,
	/*   0 */ 4194304, 5244160, 6557202, 8196502, 10250519,
	/*   5 */ 12782641, 16025997, 19976592, 24970740, 31350126,
	/*  10 */ 39045157, 48806447, 61356676, 76695845, 95443718,
	/*  15 */ 119304647, 148102321, 186737709, 238609294, 286331153,
};

/*
 * The weight of p's nice value, or of the best one that waits for a lock of p.  Lag is virtual time: for the same real time
 * to be owed, it changes the other way round.  p is off its queue; pi_lock is held, unless p is new.
 */
void set_load_weight(struct task_struct *p)
{
	int own = task_has_idle_policy(p) ? MAX_PRIO : p->static_prio, lent = rt_mutex_top_prio(p);
	int i = (rt_prio(lent) ? own : min(own, lent)) - MAX_RT_PRIO;
	unsigned long old = p->se.load.weight;

	if (i == MAX_PRIO - MAX_RT_PRIO)
		p->se.load = (struct load_weight){ .weight = WEIGHT_IDLEPRIO, .inv_weight = WMULT_IDLEPRIO };
	else
		p->se.load = (struct load_weight){ .weight = (unsigned long)sched_prio_to_weight[i],
						   .inv_weight = sched_prio_to_wmult[i] };
	p->se.vlag = p->se.vlag * (s64)old / (s64)p->se.load.weight;
}

struct sched_change sched_change_begin(struct rq *rq, struct task_struct *p)
{
	struct sched_change c = { .queued = task_on_rq_queued(p), .running = task_current(rq, p) };

	lockdep_assert_held(&rq->lock);
	if (c.queued)
		dequeue_task(rq, p, DEQUEUE_SAVE);
	if (c.running)
		p->sched_class->put_prev_task(rq, p);
	return c;
}

void sched_change_end(struct rq *rq, struct task_struct *p, struct sched_change c, int enqueue_flags)
{
	lockdep_assert_held(&rq->lock);
	if (c.queued)
		enqueue_task(rq, p, ENQUEUE_RESTORE | enqueue_flags);
	if (c.running)
		p->sched_class->set_next_task(rq, p);
}

static void class_or_prio_changed(struct rq *rq, struct task_struct *p, const struct sched_class *prev, int old_prio)
{
	if (prev != p->sched_class) {
		if (prev->switched_from)
			prev->switched_from(rq, p);
		p->sched_class->switched_to(rq, p);
	} else if (old_prio != p->prio) {
		p->sched_class->prio_changed(rq, p, old_prio);
	}
}

/* A waiter with a deadline lends no deadline, as its server is its own, but the highest real-time priority. */
static int effective_prio(const struct task_struct *p)
{
	return min(p->normal_prio, max(rt_mutex_top_prio(p), 0));
}

/* prio and class by normal_prio and by who waits for p.  p is off its queue; pi_lock and the rq lock are held. */
static void set_effective_prio(struct task_struct *p)
{
	p->prio = effective_prio(p);
	if (p->prio == DL_PRIO)
		p->sched_class = &dl_sched_class;
	else
		p->sched_class = rt_prio(p->prio) ? &rt_sched_class : &fair_sched_class;
}

void rt_mutex_setprio(struct task_struct *p)
{
	const struct sched_class *prev_class = p->sched_class;
	int old_prio = p->prio, prio = effective_prio(p);
	struct sched_change change;
	struct rq *rq;

	lockdep_assert_held(&p->pi_lock);
	/* That of a SCHED_IDLE task with an ordinary waiter stays the same, but not its weight. */
	if (prio == old_prio && !task_has_idle_policy(p))
		return;
	rq = __task_rq_lock(p);
	update_rq_clock(rq);
	trace_sched_pi_setprio(p->pid, old_prio, prio);
	change = sched_change_begin(rq, p);
	set_effective_prio(p);
	set_load_weight(p);
	sched_change_end(rq, p, change, old_prio < prio ? ENQUEUE_HEAD : 0);
	class_or_prio_changed(rq, p, prev_class, old_prio);
	__task_rq_unlock(rq);
}

/* ---- nice ---- */

int task_nice(const struct task_struct *p)
{
	return PRIO_TO_NICE(p->static_prio);
}

/* As /proc/PID/stat shows it: -100..-2 for real time, 0..39 otherwise. */
int task_prio(const struct task_struct *p)
{
	return p->prio - MAX_RT_PRIO;
}

/* May p's nice value be lowered to `nice`? */
int can_nice(const struct task_struct *p, int nice)
{
	unsigned long wanted = (unsigned long)(MAX_NICE - nice + 1);	/* RLIMIT_NICE counts 1..40 */

	return wanted <= task_rlimit(p, RLIMIT_NICE) || capable(CAP_SYS_NICE);
}

void set_user_nice(struct task_struct *p, long nice)
{
	struct sched_change change;
	struct rq_flags rf;
	struct rq *rq;
	int old_prio;

	if (task_nice(p) == nice || nice < MIN_NICE || nice > MAX_NICE)
		return;
	rq = task_rq_lock(p, &rf);
	update_rq_clock(rq);
	if (task_has_rt_policy(p) || task_has_dl_policy(p)) {
		p->static_prio = NICE_TO_PRIO(nice);	/* for the day it becomes an ordinary task */
		goto unlock;
	}
	change = sched_change_begin(rq, p);
	p->static_prio = NICE_TO_PRIO(nice);
	set_load_weight(p);
	old_prio = p->prio;
	p->normal_prio = p->static_prio;
	set_effective_prio(p);
	sched_change_end(rq, p, change, 0);
	p->sched_class->prio_changed(rq, p, old_prio);
unlock:
	task_rq_unlock(rq, p, &rf);
	rt_mutex_adjust_pi(p);
}

/* ---- policy ---- */

bool check_same_owner(struct task_struct *p)
{
	const struct cred *cred = current_cred(), *other;
	bool match;

	rcu_read_lock();
	other = __task_cred(p);
	match = uid_eq(cred->euid, other->euid) || uid_eq(cred->euid, other->uid);
	rcu_read_unlock();
	return match;
}

static int check_attr(const struct sched_attr *attr, int policy)
{
	if (!fair_policy(policy) && !idle_policy(policy) && !rt_policy(policy) && !dl_policy(policy))
		return -EINVAL;
	if (attr->sched_flags & ~(u64)(SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM | SCHED_FLAG_KEEP_POLICY |
				       SCHED_FLAG_KEEP_PARAMS))
		return -EINVAL;
	if (dl_policy(policy) && dl_check_attr(attr))
		return -EINVAL;
	if (attr->sched_priority > MAX_RT_PRIO - 1)
		return -EINVAL;
	return rt_policy(policy) == (attr->sched_priority != 0) ? 0 : -EINVAL;
}

/* sched(7), "Privileges and resource limits". */
static bool may_set(struct task_struct *p, const struct sched_attr *attr, int policy, bool reset_on_fork)
{
	if (fair_policy(policy) && attr->sched_nice < task_nice(p) && !can_nice(p, attr->sched_nice))
		return false;
	if (rt_policy(policy)) {
		unsigned long limit = task_rlimit(p, RLIMIT_RTPRIO);

		if (policy != (int)p->policy && !limit && !capable(CAP_SYS_NICE))
			return false;
		if (attr->sched_priority > p->rt_priority && attr->sched_priority > limit && !capable(CAP_SYS_NICE))
			return false;
	}
	if (dl_policy(policy) && !capable(CAP_SYS_NICE))
		return false;
	/* To leave SCHED_IDLE is to become as urgent as the nice value says. */
	if (task_has_idle_policy(p) && !idle_policy(policy) && !can_nice(p, task_nice(p)))
		return false;
	if (p->sched_reset_on_fork && !reset_on_fork && !capable(CAP_SYS_NICE))
		return false;
	return check_same_owner(p) || capable(CAP_SYS_NICE);
}

static void set_params(struct task_struct *p, const struct sched_attr *attr, int policy)
{
	p->policy = policy;
	if (fair_policy(policy))
		p->static_prio = NICE_TO_PRIO(attr->sched_nice);
	p->rt_priority = attr->sched_priority;
	if (dl_policy(policy)) {
		dl_set_params(p, attr);
		p->normal_prio = DL_PRIO;
	} else {
		p->normal_prio = rt_policy(policy) ? MAX_RT_PRIO - 1 - (int)p->rt_priority : p->static_prio;
	}
	set_effective_prio(p);
	set_load_weight(p);
}

/* A deadline task must be free to go where there is room, and there must be room.  pi_lock and rq->lock held. */
static int may_have_deadline(struct task_struct *p, const struct sched_attr *attr, int policy, bool user)
{
	if (attr->sched_flags & SCHED_FLAG_KEEP_PARAMS)
		return 0;
	if (!dl_policy(policy))
		return p->dl.dl_bw ? dl_admit(p, NULL) : 0;
	if (user && !cpumask_subset(cpu_online_mask, &p->cpus_mask))
		return -EPERM;
	return dl_admit(p, attr);
}

int __sched_setscheduler(struct task_struct *p, const struct sched_attr *attr, bool user)
{
	bool reset_on_fork = attr->sched_flags & SCHED_FLAG_RESET_ON_FORK;
	int policy = (attr->sched_flags & SCHED_FLAG_KEEP_POLICY) ? (int)p->policy : (int)attr->sched_policy;
	const struct sched_class *prev_class;
	struct sched_change change;
	struct rq_flags rf;
	struct rq *rq;
	int err, old_prio;

	err = check_attr(attr, policy);
	if (err)
		return err;
	if (user && !may_set(p, attr, policy, reset_on_fork))
		return -EPERM;

	rq = task_rq_lock(p, &rf);
	update_rq_clock(rq);
	err = p == rq->stop ? -EINVAL : may_have_deadline(p, attr, policy, user);
	if (err) {
		task_rq_unlock(rq, p, &rf);
		return err;
	}
	change = sched_change_begin(rq, p);
	prev_class = p->sched_class;
	old_prio = p->prio;
	p->sched_reset_on_fork = reset_on_fork;
	if (!(attr->sched_flags & SCHED_FLAG_KEEP_PARAMS))
		set_params(p, attr, policy);
	/* Who is made less urgent goes before those that were as urgent as it now is. */
	sched_change_end(rq, p, change, old_prio < p->prio ? ENQUEUE_HEAD : 0);
	class_or_prio_changed(rq, p, prev_class, old_prio);
	task_rq_unlock(rq, p, &rf);
	rt_mutex_adjust_pi(p);
	return 0;
}

/* A kernel thread becomes real time, in the middle of the range. */
void sched_set_fifo(struct task_struct *p)
{
	const struct sched_attr attr = { .sched_policy = SCHED_FIFO, .sched_priority = MAX_RT_PRIO / 2 };

	WARN_ON_ONCE(__sched_setscheduler(p, &attr, false));
}
