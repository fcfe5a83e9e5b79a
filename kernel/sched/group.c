/*
 * group.c: task groups: many tasks that share the processors as if they were one, and no more than so much of them.
 *
 * What:    groups for the controller cpu (kernel/cgroup/cpu.c): making and ending them, which group a task is in, weight,
 *          bandwidth (cpu.max).
 * Weight:  a group has on each CPU a queue and an entity that stands for it one level up (fair.c).  What it weighs there is
 *          its part of the group's weight: as much as of the group's tasks (by weight) are there.
 * Bandwidth: a group may use `quota` in each `period`, on all CPUs together.  A CPU takes some of it in advance (SLICE) and
 *          uses it up; when there is none left the group is throttled there: its tasks sleep when they are about to return
 *          to user mode, so none is stopped while it holds a lock of the kernel.  What it uses until then is a debt, paid from
 *          the next periods.  What was left of the periods before may be used too, as far as the group's `burst` allows.
 *
 *              task (user mode)                tick                            period timer
 *                                              charge: nothing left, throttled
 *                                              task gets TIF_NOTIFY_RESUME
 *              sched_throttle_wait(): sleeps
 *                                                                              refills; not throttled; wakes all
 *              goes on
 * Locking: rq->lock -> tg->lock.  A CPU's queue and what is left there: rq->lock; the pool: tg->lock.
 * See:     fair.c; doc/sched.md "Groups"; doc/cgroups.md
 */
#include "sched.h"
#include <weft/hrtimer.h>
#include <weft/sched_group.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/wait.h>

#define SLICE_NS	(5 * NSEC_PER_MSEC)
#define MIN_WEIGHT	2

struct task_group {
	struct task_group	*parent;	/* [I] NULL: the CPUs' own queues are above */
	unsigned long		shares;		/* one word: read without a lock */
	atomic_long_t		load;		/* weight of all that is queued in it, on all CPUs */
	struct cfs_rq		**queue;	/* [I] by CPU */
	struct sched_entity	**se;		/* [I] by CPU */

	spinlock_t		lock;		/* class: task_group; the rest; after rq->lock */
	u64			quota, period;	/* ns; quota NO_QUOTA: no limit */
	u64			burst;		/* ns that may be carried over from periods that did not use all */
	u64			pool;		/* ns left of this period for who asks */
	u64			pool_at_start;	/* of this period */
	bool			timer_on;
	struct sched_group_stat	stat;
	u64			throttled_since;	/* ns, 0: on no CPU */
	struct hrtimer		timer;
};

/* All that are throttled, of whatever group: who is woken looks again.  So a group that goes leaves nobody behind. */
static DECLARE_WAIT_QUEUE_HEAD(throttled_tasks);

/* ---- weight: called from fair.c with rq->lock ---- */

void sched_group_load(struct cfs_rq *cfs, long delta)
{
	atomic_long_add(delta, &cfs->tg->load);
}

/* Read without stopping other CPUs: a moment later it may be something else, and the tick corrects it. */
unsigned long sched_group_weight(const struct cfs_rq *cfs)
{
	const struct task_group *tg = cfs->tg;
	unsigned long here = cfs->load.weight, all = (unsigned long)atomic_long_read(&tg->load);
	unsigned long weight = READ_ONCE(tg->shares) * here / max(max(all, here), 1UL);

	return max(weight, (unsigned long)MIN_WEIGHT);
}

/* What p weighs among all tasks of its CPU. */
unsigned long task_h_load(const struct task_struct *p)
{
	const struct sched_entity *se = &p->se;
	unsigned long load = se->load.weight;

	for (se = se->parent; unlikely(se); se = se->parent)
		load = load * se->load.weight / max(se->my_q->load.weight, 1UL);
	return max(load, 1UL);
}

/* ---- bandwidth ---- */

static bool limited(const struct task_group *tg)
{
	return READ_ONCE(tg->quota) != SCHED_NO_QUOTA;
}

/* The queue gets of the pool what it owes and a slice.  tg->lock held. */
static void take_from_pool(struct task_group *tg, struct cfs_rq *cfs)
{
	s64 want = (s64)SLICE_NS - cfs->runtime_left, got;

	got = min(want, (s64)tg->pool);
	if (got <= 0)
		return;
	tg->pool -= (u64)got;
	cfs->runtime_left += got;
}

static void throttle(struct rq *rq, struct task_group *tg, struct cfs_rq *cfs)
{
	if (cfs->throttled)
		return;
	cfs->throttled = true;
	tg->stat.nr_throttled++;
	if (!tg->throttled_since)
		tg->throttled_since = rq_clock(rq);
}

void sched_group_charge(struct rq *rq, struct cfs_rq *cfs, u64 delta)
{
	struct task_group *tg = cfs->tg;

	if (likely(!limited(tg)))
		return;
	cfs->runtime_left -= (s64)delta;
	if (cfs->runtime_left > 0)
		return;
	spin_lock(&tg->lock);
	if (limited(tg)) {
		if (!tg->timer_on) {
			tg->timer_on = true;
			tg->pool = tg->pool_at_start = tg->quota;
			hrtimer_start(&tg->timer, ns_to_ktime(tg->period), HRTIMER_MODE_REL_PINNED);
		}
		take_from_pool(tg, cfs);
		if (cfs->runtime_left <= 0)
			throttle(rq, tg, cfs);
	}
	spin_unlock(&tg->lock);
	if (cfs->throttled && rq->curr->task_group)
		set_tsk_thread_flag(rq->curr, TIF_NOTIFY_RESUME);
}

static bool is_throttled(const struct task_struct *p)
{
	for (const struct sched_entity *se = p->se.parent; se; se = se->parent)
		if (READ_ONCE(se->my_q->throttled))
			return true;
	return false;
}

/* p is about to run: in the kernel as long as it likes, but not in user mode if there is nothing left. */
void sched_group_check_throttled(struct rq *rq, struct task_struct *p)
{
	if (is_throttled(p))
		set_tsk_thread_flag(p, TIF_NOTIFY_RESUME);
}

/* Current, where it runs.  Under RCU no group is freed, and we stay on our CPU. */
static bool am_throttled(void)
{
	bool throttled;

	rcu_read_lock();
	throttled = is_throttled(current);
	rcu_read_unlock();
	return throttled;
}

/* A signal ends the wait: afterwards we are asked again.  What a dying task uses on its way out is a debt. */
void __sched_throttle_wait(void)
{
	wait_event_interruptible(throttled_tasks, !am_throttled());
	if (signal_pending(current) && am_throttled())
		set_thread_flag(TIF_NOTIFY_RESUME);
}

static bool refill_cpu(struct task_group *tg, int cpu)
{
	struct rq *rq = cpu_rq(cpu);
	struct cfs_rq *cfs = tg->queue[cpu];
	bool freed = false;

	if (!READ_ONCE(cfs->throttled))
		return false;
	spin_lock(&rq->lock);
	spin_lock(&tg->lock);
	if (limited(tg))
		take_from_pool(tg, cfs);
	else
		cfs->runtime_left = 0;
	if (cfs->throttled && (cfs->runtime_left > 0 || !limited(tg))) {
		cfs->throttled = false;
		freed = true;
	}
	spin_unlock(&tg->lock);
	spin_unlock(&rq->lock);
	return freed;
}

/* A new period; was the old one one in which nobody asked for anything?  tg->lock held. */
static bool refill_pool(struct task_group *tg)
{
	u64 used = tg->pool_at_start - tg->pool;

	if (limited(tg) && used > tg->quota) {
		tg->stat.nr_bursts++;
		tg->stat.burst_ns += used - tg->quota;
	}
	tg->pool = limited(tg) ? min(tg->pool + tg->quota, tg->quota + tg->burst) : 0;
	tg->pool_at_start = tg->pool;
	tg->stat.nr_periods++;
	return !used;
}

static enum hrtimer_restart period_ends(struct hrtimer *timer)
{
	struct task_group *tg = container_of(timer, struct task_group, timer);
	bool idle, freed = false, any = false;
	int cpu;

	spin_lock(&tg->lock);
	idle = refill_pool(tg);
	spin_unlock(&tg->lock);
	for_each_possible_cpu(cpu) {
		freed |= refill_cpu(tg, cpu);
		any |= READ_ONCE(tg->queue[cpu]->throttled);
	}
	spin_lock(&tg->lock);
	if (!any && tg->throttled_since) {
		tg->stat.throttled_ns += sched_clock() - tg->throttled_since;
		tg->throttled_since = 0;
	}
	if ((idle && !any) || !limited(tg))
		tg->timer_on = false;
	else
		hrtimer_forward_now(timer, ns_to_ktime(tg->period));
	idle = !tg->timer_on;
	spin_unlock(&tg->lock);
	if (freed)
		wake_up_all(&throttled_tasks);
	return idle ? HRTIMER_NORESTART : HRTIMER_RESTART;
}

void sched_group_set_bandwidth(struct task_group *tg, const struct sched_group_bandwidth *bandwidth)
{
	int cpu;

	spin_lock_irq(&tg->lock);
	WRITE_ONCE(tg->quota, bandwidth->quota);
	tg->period = bandwidth->period;
	tg->burst = bandwidth->burst;
	tg->pool = tg->pool_at_start = limited(tg) ? tg->quota : 0;
	spin_unlock_irq(&tg->lock);
	/* Who waits is not to wait for the end of the old period. */
	local_irq_disable();
	for_each_possible_cpu(cpu)
		refill_cpu(tg, cpu);
	local_irq_enable();
	wake_up_all(&throttled_tasks);
}

void sched_group_get_bandwidth(struct task_group *tg, struct sched_group_bandwidth *bandwidth)
{
	spin_lock_irq(&tg->lock);
	*bandwidth = (struct sched_group_bandwidth){ tg->quota, tg->period, tg->burst };
	spin_unlock_irq(&tg->lock);
}

void sched_group_get_stat(struct task_group *tg, struct sched_group_stat *stat)
{
	spin_lock_irq(&tg->lock);
	*stat = tg->stat;
	spin_unlock_irq(&tg->lock);
}

unsigned long sched_nice_weight(int nice)
{
	return (unsigned long)sched_prio_to_weight[nice - MIN_NICE];
}

void sched_group_set_shares(struct task_group *tg, unsigned long shares)
{
	WRITE_ONCE(tg->shares, clamp(shares, (unsigned long)MIN_WEIGHT, 1UL << 18));
}

/* ---- life ---- */

static void free_parts(struct task_group *tg)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (tg->queue)
			kfree(tg->queue[cpu]);
		if (tg->se)
			kfree(tg->se[cpu]);
	}
	kfree(tg->queue);
	kfree(tg->se);
	kfree(tg);
}

static bool alloc_cpu(struct task_group *tg, int cpu)
{
	struct cfs_rq *cfs = kzalloc(sizeof(*cfs), GFP_KERNEL);
	struct sched_entity *se = kzalloc(sizeof(*se), GFP_KERNEL);

	tg->queue[cpu] = cfs;
	tg->se[cpu] = se;
	if (!cfs || !se)
		return false;
	init_cfs_rq(cfs);
	cfs->tg = tg;
	RB_CLEAR_NODE(&se->run_node);
	se->slice = SCHED_SLICE_NS;
	se->load = (struct load_weight){ .weight = NICE_0_LOAD, .inv_weight = 0xffffffffU / NICE_0_LOAD };
	se->my_q = cfs;
	se->parent = tg->parent ? tg->parent->se[cpu] : NULL;
	return true;
}

struct task_group *sched_create_group(struct task_group *parent)
{
	struct task_group *tg = kzalloc(sizeof(*tg), GFP_KERNEL);
	int cpu;

	if (!tg)
		return NULL;
	tg->parent = parent;
	tg->shares = NICE_0_LOAD;
	tg->quota = SCHED_NO_QUOTA;
	tg->period = 100 * NSEC_PER_MSEC;
	spin_lock_init(&tg->lock);
	hrtimer_init(&tg->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	tg->timer.function = period_ends;
	tg->queue = kcalloc((size_t)NR_CPUS, sizeof(*tg->queue), GFP_KERNEL);
	tg->se = kcalloc((size_t)NR_CPUS, sizeof(*tg->se), GFP_KERNEL);
	if (!tg->queue || !tg->se)
		goto fail;
	for_each_possible_cpu(cpu)
		if (!alloc_cpu(tg, cpu))
			goto fail;
	return tg;

fail:
	free_parts(tg);
	return NULL;
}

void sched_free_group(struct task_group *tg)
{
	hrtimer_cancel(&tg->timer);
	free_parts(tg);
}

void set_task_group_queue(struct task_struct *p, int cpu)
{
	p->se.parent = p->task_group ? p->task_group->se[cpu] : NULL;
}

void sched_move_task(struct task_struct *p, struct task_group *tg)
{
	struct rq_flags rf;
	struct rq *rq = task_rq_lock(p, &rf);
	struct sched_change change;
	struct task_group *old = p->task_group;

	update_rq_clock(rq);
	change = sched_change_begin(rq, p);
	p->task_group = tg;
	set_task_group_queue(p, task_cpu(p));
	sched_change_end(rq, p, change, 0);
	if (change.running)
		resched_curr(rq);
	task_rq_unlock(rq, p, &rf);
	if (old)
		wake_up_all(&throttled_tasks);		/* p may be among them */
}
