/*
 * deadline.c: the class of SCHED_DEADLINE: earliest deadline first (EDF), each task in a constant-bandwidth server (CBS).
 *
 * Idea:    a task asks for `runtime` ns of processor in every `period` ns, to be had within `deadline` ns of the period's
 *          start.  Of the ready tasks the one whose absolute deadline comes first runs.  What makes that safe is the
 *          server: who has used up its runtime is taken off until its next period begins (throttled), so an overrun
 *          hurts nobody else; and admission control refuses a task when the sum of all runtime / period would exceed the part
 *          of the processors that real-time work may have (sched_rt_runtime_us / sched_rt_period_us, 95 %).
 *          sched_yield() means "done for this period".
 * States:  on_tree                     ready or running
 *          !on_tree, dl_throttled      ready, but dl_timer must first give it a new runtime
 *          !on_tree, !dl_throttled     asleep; the wake-up decides whether the rest of its runtime may still be used:
 *                                      using it by the old deadline must not be more than its bandwidth allows
 * Overrun: runtime is charged at ticks and switches, so it may be overdrawn by a tick; the debt is taken off the next.
 * Locking: rq->lock for the tree and the entity; dl_timer's function takes task_rq_lock(), so that it may be started under
 *          rq->lock but waited for only without.  dl_bw_lock, innermost, guards what was promised.
 * See:     spec.md §7; sched(7) "SCHED_DEADLINE"; L. Abeni, G. Buttazzo: Integrating Multimedia Applications in Hard
 *          Real-Time Systems (1998)
 */
#include "sched.h"

#define DL_MIN_RUNTIME	1024ULL			/* ns: less could not be told from the cost of switching */
#define DL_PERIOD_MIN	(100 * NSEC_PER_USEC)
#define DL_PERIOD_MAX	((1ULL << 22) * NSEC_PER_USEC)
#define BW_SHIFT	20			/* a bandwidth of 1.0, one whole CPU */

static DEFINE_SPINLOCK(dl_bw_lock);
static u64 dl_total_bw;				/* [dl_bw_lock] promised to all tasks of the class */

#define dl_task_of(node) rb_entry((node), struct task_struct, dl.rb_node)

static inline bool dl_before(u64 a, u64 b) { return (s64)(a - b) < 0; }
static inline bool dl_task(const struct task_struct *p) { return p->sched_class == &dl_sched_class; }

/* ---- The tree ---- */

static bool dl_node_before(struct rb_node *a, const struct rb_node *b)
{
	return dl_before(dl_task_of(a)->dl.deadline, dl_task_of(b)->dl.deadline);
}

static void tree_insert(struct rq *rq, struct task_struct *p)
{
	if (WARN_ON_ONCE(p->dl.on_tree))
		return;
	rb_add_cached(&p->dl.rb_node, &rq->dl.root, dl_node_before);
	p->dl.on_tree = true;
	rq->dl.nr_running++;
	add_nr_running(rq, 1);
}

static void tree_erase(struct rq *rq, struct task_struct *p)
{
	if (!p->dl.on_tree)
		return;
	rb_erase_cached(&p->dl.rb_node, &rq->dl.root);
	p->dl.on_tree = false;
	rq->dl.nr_running--;
	sub_nr_running(rq, 1);
}

/* ---- The server ---- */

static void new_period(struct rq *rq, struct sched_dl_entity *dl)
{
	dl->deadline = rq_clock(rq) + dl->dl_deadline;
	dl->runtime = (s64)dl->dl_runtime;
}

/* The next period's runtime, less what was overdrawn; a task far behind starts anew. */
static void replenish(struct rq *rq, struct sched_dl_entity *dl)
{
	if (dl->dl_yielded && dl->runtime > 0)
		dl->runtime = 0;
	dl->dl_yielded = false;
	while (dl->runtime <= 0) {
		dl->deadline += dl->dl_period;
		dl->runtime += (s64)dl->dl_runtime;
	}
	if (dl_before(dl->deadline, rq_clock(rq)))
		new_period(rq, dl);
}

/*
 * A task wakes.  May it go on with the rest of its runtime until its old deadline?  Only if
 * runtime / (deadline - now) <= dl_runtime / dl_deadline.
 */
static void wake_up_server(struct rq *rq, struct sched_dl_entity *dl)
{
	s64 left = (s64)(dl->deadline - rq_clock(rq));

	if (!dl->deadline || left <= 0 || dl->runtime <= 0 ||
	    (u128)(u64)dl->runtime * dl->dl_deadline > (u128)dl->dl_runtime * (u64)left)
		new_period(rq, dl);
}

/* Until its next period begins.  False: that was before now, so there is nothing to wait for. */
static bool start_dl_timer(struct rq *rq, struct task_struct *p)
{
	u64 next = p->dl.deadline - p->dl.dl_deadline + p->dl.dl_period;
	s64 delay = (s64)(next - rq_clock(rq));

	if (delay <= 0)
		return false;
	hrtimer_start(&p->dl.dl_timer, ns_to_ktime(delay), HRTIMER_MODE_REL_HARD);
	return true;
}

/* The period begins.  p may have gone to sleep, to another CPU or to another class meanwhile. */
static enum hrtimer_restart dl_timer_fn(struct hrtimer *timer)
{
	struct task_struct *p = container_of(timer, struct task_struct, dl.dl_timer);
	struct rq_flags rf;
	struct rq *rq = task_rq_lock(p, &rf);

	if (dl_task(p) && p->dl.dl_throttled) {
		update_rq_clock(rq);
		p->dl.dl_throttled = false;
		replenish(rq, &p->dl);
		if (task_on_rq_queued(p)) {
			tree_insert(rq, p);
			check_preempt_curr(rq, p, 0);
		}
	}
	task_rq_unlock(rq, p, &rf);
	return HRTIMER_NORESTART;
}

/* The runtime is used up, or given up.  p is the running task. */
static void throttle(struct rq *rq, struct task_struct *p)
{
	tree_erase(rq, p);
	if (start_dl_timer(rq, p)) {
		p->dl.dl_throttled = true;
	} else {
		replenish(rq, &p->dl);
		tree_insert(rq, p);
	}
	resched_curr(rq);
}

static void update_curr_dl(struct rq *rq)
{
	struct task_struct *curr = rq->curr;
	s64 delta;

	if (!dl_task(curr))
		return;
	delta = rq_clock(rq) - curr->se.exec_start;
	if (delta > 0) {
		curr->se.exec_start = rq_clock(rq);
		curr->se.sum_exec_runtime += delta;
		curr->dl.runtime -= delta;
	}
	if (curr->dl.on_tree && (curr->dl.runtime <= 0 || curr->dl.dl_yielded))
		throttle(rq, curr);
}

/* ---- In and out ---- */

static void enqueue_task_dl(struct rq *rq, struct task_struct *p, int flags)
{
	if (p->dl.dl_throttled)
		return;				/* dl_timer_fn() will */
	if ((flags & ENQUEUE_WAKEUP) || !p->dl.deadline)
		wake_up_server(rq, &p->dl);
	tree_insert(rq, p);
}

static void dequeue_task_dl(struct rq *rq, struct task_struct *p, int flags)
{
	if (task_current(rq, p))
		update_curr_dl(rq);
	tree_erase(rq, p);
	if (flags & DEQUEUE_SLEEP)
		p->last_ran = rq_clock(rq);
}

static void yield_task_dl(struct rq *rq)
{
	rq->curr->dl.dl_yielded = true;
	update_curr_dl(rq);
}

static void set_next_task_dl(struct rq *rq, struct task_struct *p)
{
	p->se.exec_start = rq_clock(rq);
	p->se.prev_sum_exec_runtime = p->se.sum_exec_runtime;
}

static struct task_struct *pick_next_task_dl(struct rq *rq)
{
	struct rb_node *first = rb_first_cached(&rq->dl.root);

	if (!first)
		return NULL;
	set_next_task_dl(rq, dl_task_of(first));
	return dl_task_of(first);
}

static void put_prev_task_dl(struct rq *rq, struct task_struct *p)
{
	update_curr_dl(rq);
}

static void check_preempt_curr_dl(struct rq *rq, struct task_struct *p, int flags)
{
	if (dl_before(p->dl.deadline, rq->curr->dl.deadline))
		resched_curr(rq);
}

static void task_tick_dl(struct rq *rq, struct task_struct *p)
{
	update_curr_dl(rq);
}

/* ---- Many CPUs ---- */

/* Where p may run at once: a CPU without a task of this class, or the one whose task can wait longest.  -1: none. */
static int find_later_cpu(struct task_struct *p, int first)
{
	u64 latest = p->dl.deadline;
	int cpu, best = -1;

	if (is_cpu_allowed(p, first) && !dl_task(READ_ONCE(cpu_rq(first)->curr)))
		return first;
	for_each_cpu_and(cpu, &p->cpus_mask, cpu_active_mask) {
		struct task_struct *curr = READ_ONCE(cpu_rq(cpu)->curr);

		if (!dl_task(curr))
			return cpu;
		if (dl_before(latest, READ_ONCE(curr->dl.deadline))) {
			latest = curr->dl.deadline;
			best = cpu;
		}
	}
	return best;
}

static int select_task_rq_dl(struct task_struct *p, int cpu, int flags)
{
	int target = find_later_cpu(p, cpu);

	return target >= 0 ? target : cpu;
}

/* The first that waits here and may move. */
static struct task_struct *pick_pushable(struct rq *rq)
{
	for (struct rb_node *n = rb_first_cached(&rq->dl.root); n; n = rb_next(n)) {
		struct task_struct *p = dl_task_of(n);

		if (p != rq->curr && !p->on_cpu && p->nr_cpus_allowed > 1 && !p->migration_disabled)
			return p;
	}
	return NULL;
}

void sched_dl_push(struct rq *rq) __no_context_analysis		/* two run queues, in address order */
{
	struct task_struct *p = rq->dl.nr_running > 1 ? pick_pushable(rq) : NULL;
	int cpu = p ? find_later_cpu(p, rq->cpu) : -1;
	struct rq *to;

	if (cpu < 0 || cpu == rq->cpu)
		return;
	to = cpu_rq(cpu);
	double_lock_balance(rq, to);
	/* rq's lock may have been dropped: is p still there and waiting? */
	if (task_rq(p) == rq && task_on_rq_queued(p) && p != rq->curr && !p->on_cpu && dl_task(p) && p->dl.on_tree &&
	    is_cpu_allowed(p, cpu)) {
		update_rq_clock(to);
		deactivate_task(rq, p, DEQUEUE_MOVE);
		set_task_cpu(p, cpu);
		activate_task(to, p, ENQUEUE_MOVE);
		check_preempt_curr(to, p, 0);
	}
	spin_unlock(&to->lock);
}

/* ---- Parameters and admission ---- */

int dl_check_attr(const struct sched_attr *attr)
{
	u64 period = attr->sched_period ?: attr->sched_deadline;

	if (attr->sched_flags & SCHED_FLAG_DL_OVERRUN)
		return -EINVAL;			/* no SIGXCPU is sent */
	if (attr->sched_runtime < DL_MIN_RUNTIME || attr->sched_runtime > attr->sched_deadline ||
	    attr->sched_deadline > period)
		return -EINVAL;
	return period >= DL_PERIOD_MIN && period <= DL_PERIOD_MAX ? 0 : -EINVAL;
}

static u64 to_bw(u64 runtime, u64 period)
{
	return period ? div64_u64(runtime << BW_SHIFT, period) : 0;
}

/* What may be promised on all CPUs together, at these limits of the throttle. */
static u64 bw_limit(int runtime_us, int period_us)
{
	u64 one = runtime_us < 0 ? 1ULL << BW_SHIFT : to_bw((u64)runtime_us, (u64)period_us);

	return one * num_online_cpus();
}

bool dl_fits_limits(int runtime_us, int period_us)
{
	return READ_ONCE(dl_total_bw) <= bw_limit(runtime_us, period_us);
}

int dl_admit(struct task_struct *p, const struct sched_attr *attr)
{
	u64 bw = 0;
	int err = 0;

	if (attr)
		bw = to_bw(attr->sched_runtime, attr->sched_period ?: attr->sched_deadline);
	spin_lock(&dl_bw_lock);
	if (bw > p->dl.dl_bw && dl_total_bw - p->dl.dl_bw + bw > bw_limit(sysctl_sched_rt_runtime, sysctl_sched_rt_period)) {
		err = -EBUSY;
	} else {
		dl_total_bw += bw - p->dl.dl_bw;
		p->dl.dl_bw = bw;
	}
	spin_unlock(&dl_bw_lock);
	return err;
}

/* p is off its queue.  A new contract begins with a new period; a throttle that is in force stays until its timer. */
void dl_set_params(struct task_struct *p, const struct sched_attr *attr)
{
	struct sched_dl_entity *dl = &p->dl;

	if (!dl->dl_timer.function) {
		hrtimer_init(&dl->dl_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
		dl->dl_timer.function = dl_timer_fn;
	}
	dl->dl_runtime = attr->sched_runtime;
	dl->dl_deadline = attr->sched_deadline;
	dl->dl_period = attr->sched_period ?: attr->sched_deadline;
	dl->dl_flags = attr->sched_flags & SCHED_FLAG_RECLAIM;
	dl->deadline = 0;
	dl->runtime = 0;
	dl->dl_yielded = false;
}

void dl_get_params(const struct task_struct *p, struct sched_attr *attr)
{
	attr->sched_runtime = p->dl.dl_runtime;
	attr->sched_deadline = p->dl.dl_deadline;
	attr->sched_period = p->dl.dl_period;
	attr->sched_flags |= p->dl.dl_flags;
}

/* p, the running task, is about to end: afterwards nothing of this class knows it, its timer least of all. */
void dl_exit(struct task_struct *p)
{
	const struct sched_attr normal = { .sched_policy = SCHED_NORMAL };

	if (task_has_dl_policy(p))
		__sched_setscheduler(p, &normal, false);
	if (p->dl.dl_timer.function)
		hrtimer_cancel(&p->dl.dl_timer);
}

/* ---- Changes of policy ---- */

static void switched_from_dl(struct rq *rq, struct task_struct *p)
{
	/* Its function may wait for our lock just now; it will see that p is of another class. */
	hrtimer_try_to_cancel(&p->dl.dl_timer);
	p->dl.dl_throttled = p->dl.dl_yielded = false;
}

static void switched_to_dl(struct rq *rq, struct task_struct *p)
{
	if (task_on_rq_queued(p) && !task_current(rq, p))
		check_preempt_curr(rq, p, 0);
}

static void prio_changed_dl(struct rq *rq, struct task_struct *p, int oldprio)
{
	resched_curr(rq);
}

void init_dl_rq(struct dl_rq *dl)
{
	dl->root = RB_ROOT_CACHED;
}

const struct sched_class dl_sched_class = {
	.rank			= 3,
	.enqueue_task		= enqueue_task_dl,
	.dequeue_task		= dequeue_task_dl,
	.yield_task		= yield_task_dl,
	.check_preempt_curr	= check_preempt_curr_dl,
	.pick_next_task		= pick_next_task_dl,
	.put_prev_task		= put_prev_task_dl,
	.set_next_task		= set_next_task_dl,
	.select_task_rq		= select_task_rq_dl,
	.task_tick		= task_tick_dl,
	.switched_from		= switched_from_dl,
	.switched_to		= switched_to_dl,
	.prio_changed		= prio_changed_dl,
	.update_curr		= update_curr_dl,
};
