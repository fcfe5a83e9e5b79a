/*
 * rt.c: the real-time class: SCHED_FIFO and SCHED_RR.
 *
 * Idea:    100 lists, one a priority (0 is the most urgent), and a bitmap of those that are not empty: picking is finding
 *          the first set bit.  A FIFO task runs until it sleeps or yields; an RR task goes to the end of its list after
 *          100 ms.  The running task stays in its list, at the head.
 * Limit:   of each sched_rt_period_us (a second) real-time tasks may use sched_rt_runtime_us (950 ms) of a CPU while fair
 *          tasks wait there (throttle), so that a real-time loop cannot hang the machine.  A period is over when the
 *          difference, 50 ms, was left to others, not at a fixed time: between two of a fixed length a loop might run 1.9 s.
 * CPUs:    a woken task goes to a CPU that runs less urgent work (select_task_rq_rt).  A CPU whose RT tasks are about to
 *          become fewer looks for one that waits elsewhere (sched_rt_pull); one with more than one tries to give some away
 *          (sched_rt_push).  rt_overload_mask tells the pullers where to look.
 * Locking: rq->lock.  Push and pull hold two run queues' locks, in address order.
 * See:     spec.md §7 "real-time classes"; sched(7)
 */
#include "sched.h"

int sysctl_sched_rt_period = 1000000, sysctl_sched_rt_runtime = 950000;	/* us; see sched_rt_limits_ok() */

static cpumask_t rt_overload_mask;	/* [a] CPUs with RT tasks that wait and may run elsewhere */

static inline struct task_struct *rt_first(struct rt_rq *rt, int prio)
{
	return list_first_entry(&rt->queue[prio], struct task_struct, rt.run_list);
}

static inline int rt_top_prio(const struct rt_rq *rt)
{
	return find_first_bit(rt->bitmap, MAX_RT_PRIO + 1);
}

static void update_overload(struct rq *rq)
{
	bool over = rq->rt.nr_running > 1, was = cpumask_test_cpu(rq->cpu, &rt_overload_mask);

	if (over && !was)
		cpumask_set_cpu(rq->cpu, &rt_overload_mask);
	else if (!over && was)
		cpumask_clear_cpu(rq->cpu, &rt_overload_mask);
}

/* ---- The throttle ---- */

static inline bool rt_held_back(struct rq *rq)
{
	return rq->rt.throttled && rq->cfs.nr_running;
}

/* A running real-time task has been charged: what it used shall not be taken for time that was left to others. */
void sched_rt_tick(struct rq *rq)
{
	struct rt_rq *rt = &rq->rt;
	s64 left = (s64)(rq_clock(rq) - rt->period_start - rt->rt_time);

	if (left < (READ_ONCE(sysctl_sched_rt_period) - READ_ONCE(sysctl_sched_rt_runtime)) * (s64)NSEC_PER_USEC)
		return;
	rt->period_start = rq_clock(rq);
	rt->rt_time = 0;
	if (rt->throttled) {
		rt->throttled = false;
		if (rt->nr_running && !rt_task(rq->curr))
			resched_curr(rq);
	}
}

static void update_curr_rt(struct rq *rq)
{
	struct task_struct *curr = rq->curr;
	s64 delta;
	int limit;

	if (curr->sched_class != &rt_sched_class)
		return;
	delta = rq_clock(rq) - curr->se.exec_start;
	if (delta <= 0)
		return;
	curr->se.exec_start = rq_clock(rq);
	curr->se.sum_exec_runtime += delta;

	rq->rt.rt_time += (u64)delta;
	sched_rt_tick(rq);
	limit = READ_ONCE(sysctl_sched_rt_runtime);
	if (!rq->rt.throttled && limit >= 0 && rq->rt.rt_time > (u64)limit * NSEC_PER_USEC) {
		rq->rt.throttled = true;
		pr_warn_once("sched: RT throttling activated\n");
	}
	if (rt_held_back(rq))
		resched_curr(rq);
}

/* Somebody wrote the limits: do they make sense, and is what was promised to deadline tasks still within them? */
int sched_rt_limits_ok(void)
{
	int runtime = READ_ONCE(sysctl_sched_rt_runtime), period = READ_ONCE(sysctl_sched_rt_period);

	if (period <= 0 || runtime < -1 || runtime > period)
		return -EINVAL;
	return dl_fits_limits(runtime, period) ? 0 : -EBUSY;
}

/* ---- In and out ---- */

static void enqueue_task_rt(struct rq *rq, struct task_struct *p, int flags)
{
	struct list_head *queue = &rq->rt.queue[p->prio];

	if (flags & ENQUEUE_HEAD)
		list_add(&p->rt.run_list, queue);
	else
		list_add_tail(&p->rt.run_list, queue);
	__set_bit(p->prio, rq->rt.bitmap);
	p->rt.on_list = true;
	rq->rt.nr_running++;
	add_nr_running(rq, 1);
	update_overload(rq);
}

static void dequeue_task_rt(struct rq *rq, struct task_struct *p, int flags)
{
	update_curr_rt(rq);
	list_del_init(&p->rt.run_list);
	if (list_empty(&rq->rt.queue[p->prio]))
		__clear_bit(p->prio, rq->rt.bitmap);
	p->rt.on_list = false;
	rq->rt.nr_running--;
	sub_nr_running(rq, 1);
	update_overload(rq);
	if (flags & DEQUEUE_SLEEP)
		p->last_ran = rq_clock(rq);
}

static void requeue_task_rt(struct rq *rq, struct task_struct *p)
{
	list_move_tail(&p->rt.run_list, &rq->rt.queue[p->prio]);
}

static void yield_task_rt(struct rq *rq)
{
	requeue_task_rt(rq, rq->curr);
}

static void set_next_task_rt(struct rq *rq, struct task_struct *p)
{
	p->se.exec_start = rq_clock(rq);
	p->se.prev_sum_exec_runtime = p->se.sum_exec_runtime;
}

static struct task_struct *pick_next_task_rt(struct rq *rq)
{
	struct task_struct *p;

	if (!rq->rt.nr_running || rt_held_back(rq))
		return NULL;
	p = rt_first(&rq->rt, rt_top_prio(&rq->rt));
	set_next_task_rt(rq, p);
	return p;
}

static void put_prev_task_rt(struct rq *rq, struct task_struct *p)
{
	update_curr_rt(rq);
}

static void check_preempt_curr_rt(struct rq *rq, struct task_struct *p, int flags)
{
	if (p->prio < rq->curr->prio)
		resched_curr(rq);
}

static void task_tick_rt(struct rq *rq, struct task_struct *p)
{
	update_curr_rt(rq);
	if (p->policy != SCHED_RR || --p->rt.time_slice)
		return;
	p->rt.time_slice = RR_TIMESLICE;
	if (!list_is_singular(&rq->rt.queue[p->prio])) {
		requeue_task_rt(rq, p);
		resched_curr(rq);
	}
}

/* ---- Many CPUs ---- */

/* A CPU that p may use and where something less urgent runs; the least urgent of all.  -1: none. */
static int find_lowest_rq(struct task_struct *p)
{
	int cpu, best = -1, best_prio = p->prio;

	for_each_cpu_and(cpu, &p->cpus_mask, cpu_active_mask) {
		int prio = READ_ONCE(cpu_rq(cpu)->curr)->prio;

		if (prio > best_prio) {
			best_prio = prio;
			best = cpu;
		}
	}
	return best;
}

static int select_task_rq_rt(struct task_struct *p, int cpu, int flags)
{
	struct task_struct *curr = READ_ONCE(cpu_rq(cpu)->curr);
	int target;

	if (curr->prio > p->prio && is_cpu_allowed(p, cpu))
		return cpu;
	target = find_lowest_rq(p);
	return target >= 0 ? target : cpu;
}

/* The most urgent task of rq that waits, may run on cpu and is more urgent than prio. */
static struct task_struct *pick_pushable(struct rq *rq, int cpu, int prio)
{
	struct task_struct *p;
	int i;

	for_each_set_bit(i, rq->rt.bitmap, MAX_RT_PRIO) {
		if (i >= prio)
			break;
		list_for_each_entry(p, &rq->rt.queue[i], rt.run_list)
			if (p != rq->curr && !p->on_cpu && p->nr_cpus_allowed > 1 && !p->migration_disabled &&
			    cpumask_test_cpu(cpu, &p->cpus_mask))
				return p;
	}
	return NULL;
}

static void move_rt_task(struct rq *from, struct rq *to, struct task_struct *p)
{
	deactivate_task(from, p, DEQUEUE_MOVE);
	set_task_cpu(p, to->cpu);
	activate_task(to, p, ENQUEUE_MOVE);
}

void sched_rt_push(struct rq *rq) __no_context_analysis		/* two run queues, in address order */
{
	struct task_struct *p;
	struct rq *to;
	int cpu;

	p = rq->rt.nr_running > 1 ? pick_pushable(rq, rq->cpu, MAX_RT_PRIO) : NULL;
	cpu = p ? find_lowest_rq(p) : -1;
	if (cpu < 0 || cpu == rq->cpu)
		return;
	to = cpu_rq(cpu);
	double_lock_balance(rq, to);
	/* rq's lock may have been dropped: is p still there, and still urgent there? */
	if (task_rq(p) == rq && task_on_rq_queued(p) && p != rq->curr && !p->on_cpu && p->rt.on_list &&
	    is_cpu_allowed(p, cpu) && p->prio < to->curr->prio) {
		update_rq_clock(to);
		move_rt_task(rq, to, p);
		resched_curr(to);
	}
	spin_unlock(&to->lock);
}

void sched_rt_pull(struct rq *rq) __no_context_analysis		/* as above */
{
	int cpu;

	if (likely(cpumask_empty(&rt_overload_mask)))
		return;
	for_each_cpu(cpu, &rt_overload_mask) {
		struct rq *from = cpu_rq(cpu);
		struct task_struct *p;

		if (from == rq)
			continue;
		double_lock_balance(rq, from);
		p = from->rt.nr_running > 1 ? pick_pushable(from, rq->cpu, rt_top_prio(&rq->rt)) : NULL;
		if (p)
			move_rt_task(from, rq, p);
		spin_unlock(&from->lock);
	}
}

/* ---- Changes of policy and priority ---- */

static void switched_from_rt(struct rq *rq, struct task_struct *p)
{
	if (task_on_rq_queued(p) && !rq->rt.nr_running)
		resched_curr(rq);		/* __schedule() will look for one to pull */
}

static void switched_to_rt(struct rq *rq, struct task_struct *p)
{
	if (task_on_rq_queued(p) && !task_current(rq, p) && p->prio < rq->curr->prio)
		resched_curr(rq);
}

static void prio_changed_rt(struct rq *rq, struct task_struct *p, int oldprio)
{
	if (!task_on_rq_queued(p))
		return;
	if (task_current(rq, p)) {
		if (oldprio < p->prio)
			resched_curr(rq);
	} else if (p->prio < rq->curr->prio) {
		resched_curr(rq);
	}
}

static unsigned int get_rr_interval_rt(struct rq *rq, struct task_struct *p)
{
	return p->policy == SCHED_RR ? RR_TIMESLICE * TICK_NSEC : 0;
}

void init_rt_rq(struct rt_rq *rt)
{
	for (int i = 0; i < MAX_RT_PRIO; i++)
		INIT_LIST_HEAD(&rt->queue[i]);
	__set_bit(MAX_RT_PRIO, rt->bitmap);
}

const struct sched_class rt_sched_class = {
	.rank			= 2,
	.enqueue_task		= enqueue_task_rt,
	.dequeue_task		= dequeue_task_rt,
	.yield_task		= yield_task_rt,
	.check_preempt_curr	= check_preempt_curr_rt,
	.pick_next_task		= pick_next_task_rt,
	.put_prev_task		= put_prev_task_rt,
	.set_next_task		= set_next_task_rt,
	.select_task_rq		= select_task_rq_rt,
	.task_tick		= task_tick_rt,
	.switched_from		= switched_from_rt,
	.switched_to		= switched_to_rt,
	.prio_changed		= prio_changed_rt,
	.update_curr		= update_curr_rt,
	.get_rr_interval	= get_rr_interval_rt,
};
