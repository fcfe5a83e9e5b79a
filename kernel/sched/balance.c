/*
 * balance.c: which CPU a task goes to, and taking work from CPUs that have too much.
 *
 * Idea:    at a wake-up or a fork the choice is among idle CPUs: one whose whole core is idle before an idle sibling of a
 *          busy one, the same package before another, where the task ran before all others.  What that misses is mended
 *          by pulling, on three occasions:
 *            - a CPU is about to idle (newidle_balance): it takes a waiting task of the busiest CPU at once;
 *            - every 16..64 ms on a busy CPU (SCHED_SOFTIRQ from the tick), by weight, so that nice values hold across CPUs;
 *            - a CPU with waiting tasks sees at its tick that another halts without a tick of its own: it wakes that one to
 *              pull (nohz_kick).
 *          A running task can only be pushed, by the stopper: when two siblings of one core are busy while a whole core idles.
 * Locking: two rq locks in address order; idle_cpus_mask is atomic and only a hint, as are loads read without the lock.
 * See:     spec.md §1 "CPU topology", §7 "many processors"
 */
#include "sched.h"
#include <weft/init.h>
#include <weft/softirq.h>
#include <weft/tick.h>

#define BUSY_INTERVAL	(HZ / 16)		/* jiffies between balances of a CPU that works */
#define IDLE_INTERVAL	(HZ / 100)		/* of one that idles with its tick on */
#define MIGRATION_COST	50000			/* ns; who idles for less need not search */
#define MAX_PULL	16			/* tasks moved in one go: both run queues are locked for that long */

cpumask_t idle_cpus_mask;

bool available_idle_cpu(int cpu)
{
	return cpumask_test_cpu(cpu, &idle_cpus_mask) && idle_cpu(cpu);
}

static bool core_is_idle(int cpu)
{
	return cpumask_subset(cpu_smt_mask(cpu), &idle_cpus_mask);
}

/* ---- where to start ---- */

/* The best idle CPU that p may use, seen from target; -1 when there is none. */
static int best_idle_cpu(struct task_struct *p, int target)
{
	const struct cpumask *near = topology_core_cpumask(target);
	int cpu, best = -1, best_score = -1;
	struct cpumask idle;

	if (!cpumask_and(&idle, &idle_cpus_mask, &p->cpus_mask) || !cpumask_and(&idle, &idle, cpu_active_mask))
		return -1;
	for_each_cpu(cpu, &idle) {
		int score = (core_is_idle(cpu) ? 4 : 0) + (cpumask_test_cpu(cpu, near) ? 2 : 0) + (cpu == target);

		if (score > best_score && idle_cpu(cpu)) {
			best_score = score;
			best = cpu;
			if (score == 7)
				break;
		}
	}
	return best;
}

static unsigned long cpu_load(int cpu)
{
	struct rq *rq = cpu_rq(cpu);

	/* A real-time task leaves nothing to others: it weighs as much as the heaviest. */
	return READ_ONCE(rq->cfs.load.weight) +
	       (READ_ONCE(rq->rt.nr_running) + READ_ONCE(rq->dl.nr_running)) * (unsigned long)sched_prio_to_weight[0];
}

/* For a task that wakes: an idle CPU near `target`, where it ran last; without any, there or at the waker's. */
int select_idle_cpu_near(struct task_struct *p, int target)
{
	int this_cpu = smp_processor_id(), cpu;

	if (is_cpu_allowed(p, target) && available_idle_cpu(target) && core_is_idle(target))
		return target;
	cpu = best_idle_cpu(p, target);
	if (cpu >= 0)
		return cpu;
	if (target != this_cpu && is_cpu_allowed(p, this_cpu) && cpu_load(this_cpu) < cpu_load(target))
		return this_cpu;
	return target;
}

/* For a new task or a new program: nothing is in any cache yet, so the least busy CPU of all. */
int select_cpu_fork(struct task_struct *p, int cpu)
{
	unsigned long load, best_load = ~0UL;
	int best = best_idle_cpu(p, cpu), i;

	if (best >= 0)
		return best;
	best = cpu;
	for_each_cpu_and(i, &p->cpus_mask, cpu_active_mask) {
		load = cpu_load(i);
		if (load < best_load || (load == best_load && i == cpu)) {
			best_load = load;
			best = i;
		}
	}
	return best;
}

/* ---- pulling ---- */

/* The CPU with the largest load that has a task waiting; NULL: nobody has. */
static struct rq *find_busiest(struct rq *this_rq)
{
	unsigned long load, max_load = 0;
	struct rq *busiest = NULL;
	int cpu;

	for_each_active_cpu(cpu) {
		struct rq *rq = cpu_rq(cpu);

		/* One waits if the fair class has two, or has one behind a real-time task. */
		if (rq == this_rq || READ_ONCE(rq->nr_running) < 2 || !READ_ONCE(rq->cfs.nr_running))
			continue;
		load = cpu_load(cpu);
		if (load > max_load) {
			max_load = load;
			busiest = rq;
		}
	}
	return busiest;
}

static bool can_migrate(struct task_struct *p, struct rq *from, int to)
{
	return p != from->curr && !READ_ONCE(p->on_cpu) && !p->migration_disabled && cpumask_test_cpu(to, &p->cpus_mask);
}

/* The next task of a queue, in the order of deadlines, that `to` may take and that weighs at most `limit`. */
static struct task_struct *find_in_queue(struct rq *from, struct cfs_rq *cfs, int to, unsigned long limit)
{
	struct rb_node *node = rb_first_cached(&cfs->tasks_timeline);

	for (; node; node = rb_next(node)) {
		struct sched_entity *se = rb_entry(node, struct sched_entity, run_node);

		if (!se->my_q && can_migrate(task_of(se), from, to) && task_h_load(task_of(se)) <= limit)
			return task_of(se);
	}
	return NULL;
}

/* Of the CPU's own queue, or of a group's. */
static struct task_struct *find_task_to_pull(struct rq *from, int to, unsigned long limit)
{
	struct task_struct *p = find_in_queue(from, &from->cfs, to, limit);
	struct cfs_rq *cfs;

	if (p)
		return p;
	list_for_each_entry(cfs, &from->group_queues, on_cpu) {
		p = find_in_queue(from, cfs, to, limit);
		if (p)
			return p;
	}
	return NULL;
}

/* Both locks held.  Moves tasks until about half of the difference is gone; how many. */
static int pull_tasks(struct rq *this_rq, struct rq *busiest)
{
	unsigned long mine = cpu_load(this_rq->cpu), theirs = cpu_load(busiest->cpu), load;
	int moved = 0;

	update_rq_clock(busiest);
	while (moved < MAX_PULL && theirs > mine && busiest->cfs.nr_running) {
		/*
		 * A task may weigh as much as the whole difference: two here, one there becomes one here, two there, and
		 * back the next time.  Over time all three get the same.
		 */
		struct task_struct *p = find_task_to_pull(busiest, this_rq->cpu,
							  this_rq->nr_running ? theirs - mine : ~0UL);

		if (!p)
			break;
		load = task_h_load(p);
		deactivate_task(busiest, p, DEQUEUE_MOVE);
		set_task_cpu(p, this_rq->cpu);
		activate_task(this_rq, p, ENQUEUE_MOVE);
		check_preempt_curr(this_rq, p, 0);
		mine += load;
		theirs -= min(theirs, load);
		moved++;
	}
	return moved;
}

/* From __schedule(), this_rq locked, nothing to run.  The lock may be dropped: tasks may have come by themselves. */
void newidle_balance(struct rq *this_rq) __no_context_analysis		/* the second lock comes and goes */
{
	struct rq *busiest;

	if (!cpu_active(this_rq->cpu) || this_rq->avg_idle < MIGRATION_COST)
		return;
	busiest = find_busiest(this_rq);
	if (!busiest)
		return;
	double_lock_balance(this_rq, busiest);
	update_rq_clock(this_rq);
	if (!this_rq->nr_running)
		pull_tasks(this_rq, busiest);
	spin_unlock(&busiest->lock);
}

/* ---- pushing the running task ---- */

/* In busiest's stopper: what ran there until now is just queued. */
static int active_balance_cpu_stop(void *data) __no_context_analysis	/* two run queues */
{
	struct rq *busiest = data, *target = cpu_rq(busiest->push_cpu);
	struct task_struct *p;

	local_irq_disable();
	double_rq_lock(busiest, target);
	busiest->active_balance = false;
	if (busiest == this_rq() && busiest != target && cpu_active(target->cpu) && !target->nr_running) {
		update_rq_clock(busiest);
		update_rq_clock(target);
		p = find_task_to_pull(busiest, target->cpu, ~0UL);
		if (p) {
			deactivate_task(busiest, p, DEQUEUE_MOVE);
			set_task_cpu(p, target->cpu);
			activate_task(target, p, ENQUEUE_MOVE);
			check_preempt_curr(target, p, 0);
		}
	}
	double_rq_unlock(busiest, target);
	local_irq_enable();
	return 0;
}

/* Is this CPU one of at least two busy siblings? */
static bool shares_core(int cpu)
{
	struct cpumask busy;

	return cpumask_andnot(&busy, cpu_smt_mask(cpu), &idle_cpus_mask) && cpumask_weight(&busy) > 1;
}

/* This CPU, with its whole core, idles: relieve a core that runs two. */
static void spread_over_cores(int this_cpu)
{
	int cpu;

	for_each_active_cpu(cpu) {
		struct rq *rq = cpu_rq(cpu);
		unsigned long flags;
		bool push;

		if (!shares_core(cpu) || READ_ONCE(rq->cfs.nr_running) != 1)
			continue;
		spin_lock_irqsave(&rq->lock, flags);
		push = !rq->active_balance && rq->curr->sched_class == &fair_sched_class &&
		       cpumask_test_cpu(this_cpu, &rq->curr->cpus_mask) && !rq->curr->migration_disabled;
		if (push) {
			rq->active_balance = true;
			rq->push_cpu = this_cpu;
		}
		spin_unlock_irqrestore(&rq->lock, flags);
		if (!push)
			continue;
		if (!stop_one_cpu_nowait(cpu, active_balance_cpu_stop, rq, &rq->active_balance_work))
			rq->active_balance = false;
		return;
	}
}

/* ---- the periodic part ---- */

/* Is it this CPU's turn to pull?  Equal loads differ by what a task more or less makes: a quarter of the load. */
static bool out_of_balance(struct rq *this_rq, struct rq *busiest)
{
	unsigned long mine = cpu_load(this_rq->cpu), theirs = cpu_load(busiest->cpu);

	return !this_rq->nr_running || theirs * 4 > mine * 5;
}

static void run_rebalance(struct softirq_action *unused) __no_context_analysis		/* as newidle_balance() */
{
	struct rq *this_rq = this_rq(), *busiest;
	bool idle = idle_cpu(this_rq->cpu);
	int moved = 0;

	this_rq->next_balance = jiffies + (idle ? IDLE_INTERVAL : BUSY_INTERVAL);
	if (!cpu_active(this_rq->cpu))
		return;
	busiest = find_busiest(this_rq);
	if (busiest && out_of_balance(this_rq, busiest)) {
		spin_lock_irq(&this_rq->lock);
		double_lock_balance(this_rq, busiest);
		update_rq_clock(this_rq);
		moved = pull_tasks(this_rq, busiest);
		spin_unlock(&busiest->lock);
		spin_unlock_irq(&this_rq->lock);
	}
	if (!moved && idle && core_is_idle(this_rq->cpu))
		spread_over_cores(this_rq->cpu);
}

/* Some idle CPU could take a task from rq, but has no tick in which it would notice. */
static void kick_idle_cpu(struct rq *rq)
{
	bool crowded = shares_core(rq->cpu);
	int cpu;

	if (rq->nr_running < 2 && !crowded)
		return;
	for_each_cpu_and(cpu, &idle_cpus_mask, cpu_active_mask) {
		if (rq->nr_running < 2 && !core_is_idle(cpu))
			continue;
		if (!cpumask_test_cpu(cpu, &READ_ONCE(rq->curr)->cpus_mask) && rq->nr_running < 2)
			continue;
		if (!xchg(&cpu_rq(cpu)->nohz_kick, true))
			smp_send_reschedule(cpu);
		return;
	}
}

/* From the tick, interrupts off, no lock held. */
void trigger_load_balance(struct rq *rq)
{
	if (num_online_cpus() == 1)
		return;
	if (time_after_eq(jiffies, rq->next_balance))
		raise_softirq_irqoff(SCHED_SOFTIRQ);
	if (!cpumask_empty(&idle_cpus_mask))
		kick_idle_cpu(rq);
}

/* In the interrupt that kick_idle_cpu() sent. */
void nohz_balance_kicked(struct rq *rq)
{
	WRITE_ONCE(rq->nohz_kick, false);
	if (idle_cpu(rq->cpu))
		raise_softirq_irqoff(SCHED_SOFTIRQ);
}

void __init init_balance(void)
{
	open_softirq(SCHED_SOFTIRQ, run_rebalance);
}
