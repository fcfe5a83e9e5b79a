/*
 * fair.c: the class of ordinary tasks: earliest eligible virtual deadline first (EEVDF).
 *
 * Idea:    each entity has a weight (from its nice value) and a virtual time, vruntime, that advances by
 *          time run * 1024 / weight.  The weighted mean of all vruntimes, V, is the time that an ideal processor would have
 *          given to everybody; V - vruntime is what an entity is owed (its lag).
 *          Eligible is who is owed something (vruntime <= V).  Of the eligible the one runs whose deadline, the end of the
 *          slice that it asks for (vruntime + slice / weight), comes first.  So nobody gets more than its share for long,
 *          and a task with little to do is served at once.
 * Waiting: a task that wakes is owed what it was owed when it went to sleep (vlag), and its share of the time that it slept,
 *          up to a slice: by sleeping it gains no more than it left to others.  It asks for about as much as it used the
 *          last times between two sleeps, not for a whole slice, so that its deadline comes early: tasks that wait often
 *          (I/O bound) go first when they wake, as [003] asks of a priority that depends on how often one waits.
 * Age:     a task that only waits for the processor gains lag all the time, but among heavy ones its share of a minute may
 *          be less than a slice.  So requests also stand in a list by the time they were made.  The first of it is served
 *          whatever its lag once it is AGE_NS old: the priority that rises by having waited too long.  This may take one
 *          part in AGE_REST of the processor, so that the shares of the others stay what they are.
 * Tree:    tasks_timeline is ordered by deadline; each node knows the smallest vruntime below it (augmented), so the first
 *          eligible one is found in O(log n).  The running entity is not in the tree (its vruntime changes).
 *          V is kept as a sum of (vruntime - min_vruntime) * weight over the tree, so it costs O(1).
 * Groups:  a task group (group.c) has on each CPU a queue of its own and an entity that stands for it in the queue above; its
 *          weight is the group's, divided over the CPUs by how much of the group is there.  A choice goes down from the
 *          CPU's queue until it meets a task, and the time it runs is charged at each level.  A task without a group has no
 *          parent: for it all is as if there were no groups.
 * Locking: rq->lock for everything.
 * See:     spec.md §7 "fair class"; I. Stoica, H. Abdel-Wahab: Earliest Eligible Virtual Deadline First (1995)
 */
#include "sched.h"

#define SLICE_MIN_NS	100000ULL		/* the least that a waking task asks for */
#define AGE_NS		(5 * NSEC_PER_SEC)	/* so long a request may wait for its turn by lag */
#define AGE_REST	64

/* The queue that se is in. */
static __always_inline struct cfs_rq *queue_of(struct rq *rq, const struct sched_entity *se)
{
	return likely(!se->parent) ? &rq->cfs : se->parent->my_q;
}

static inline s64 entity_key(const struct cfs_rq *cfs, const struct sched_entity *se)
{
	return (s64)(se->vruntime - cfs->min_vruntime);
}

static inline bool entity_before(const struct sched_entity *a, const struct sched_entity *b)
{
	return (s64)(a->deadline - b->deadline) < 0;
}

/* ns of real time to ns of virtual time at se's weight. */
static inline u64 calc_delta_fair(u64 delta, const struct sched_entity *se)
{
	if (likely(se->load.weight == NICE_0_LOAD))
		return delta;
	return (u64)(((u128)(delta * NICE_0_LOAD) * se->load.inv_weight) >> 32);
}

/* ---- V, the virtual time of the queue ---- */

static inline void avg_vruntime_add(struct cfs_rq *cfs, const struct sched_entity *se)
{
	cfs->avg_vruntime += entity_key(cfs, se) * (s64)se->load.weight;
	cfs->avg_load += se->load.weight;
}

static inline void avg_vruntime_sub(struct cfs_rq *cfs, const struct sched_entity *se)
{
	cfs->avg_vruntime -= entity_key(cfs, se) * (s64)se->load.weight;
	cfs->avg_load -= se->load.weight;
}

/* V, as a fraction: V = min_vruntime + sum / load. */
struct mean_vruntime {
	s64 sum, load;
};

/* With the running entity, which is not in the tree. */
static inline struct mean_vruntime mean_vruntime(const struct cfs_rq *cfs)
{
	const struct sched_entity *curr = cfs->curr;
	struct mean_vruntime mean = { cfs->avg_vruntime, (s64)cfs->avg_load };

	if (curr && curr->on_rq) {
		mean.sum += entity_key(cfs, curr) * (s64)curr->load.weight;
		mean.load += (s64)curr->load.weight;
	}
	return mean;
}

static inline u64 mean_value(const struct cfs_rq *cfs, struct mean_vruntime mean)
{
	if (!mean.load)
		return cfs->min_vruntime;
	if (mean.sum < 0)
		mean.sum -= mean.load - 1;	/* rounds down: an entity at V stays eligible */
	return cfs->min_vruntime + (u64)(mean.sum / mean.load);
}

u64 avg_vruntime(struct cfs_rq *cfs)
{
	return mean_value(cfs, mean_vruntime(cfs));
}

/* Is vruntime <= V?  Without dividing. */
static inline bool vruntime_eligible(const struct cfs_rq *cfs, struct mean_vruntime mean, u64 vruntime)
{
	return mean.sum >= (s64)(vruntime - cfs->min_vruntime) * mean.load;
}

/* ---- The tree ---- */

#define se_of(node) rb_entry((node), struct sched_entity, run_node)

static inline void min_vruntime_with(struct sched_entity *se, struct rb_node *child)
{
	if (child && (s64)(se_of(child)->min_vruntime - se->min_vruntime) < 0)
		se->min_vruntime = se_of(child)->min_vruntime;
}

/* Recomputes se's value from itself and its children; true if it was right (and `exit` allows to stop there). */
static inline bool min_vruntime_update(struct sched_entity *se, bool exit)
{
	u64 old = se->min_vruntime;

	se->min_vruntime = se->vruntime;
	min_vruntime_with(se, se->run_node.rb_left);
	min_vruntime_with(se, se->run_node.rb_right);
	return exit && se->min_vruntime == old;
}

RB_DECLARE_CALLBACKS(static, min_vruntime_cb, struct sched_entity, run_node, min_vruntime, min_vruntime_update);

static void tree_insert(struct cfs_rq *cfs, struct sched_entity *se)
{
	struct rb_node **link = &cfs->tasks_timeline.rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	avg_vruntime_add(cfs, se);
	se->min_vruntime = se->vruntime;
	while (*link) {
		struct sched_entity *entry = se_of(*link);

		parent = *link;
		/* What stands above must not claim more than the new node gives. */
		if ((s64)(se->vruntime - entry->min_vruntime) < 0)
			entry->min_vruntime = se->vruntime;
		if (entity_before(se, entry)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&se->run_node, parent, link);
	rb_insert_augmented_cached(&se->run_node, &cfs->tasks_timeline, leftmost, &min_vruntime_cb);
}

static void tree_erase(struct cfs_rq *cfs, struct sched_entity *se)
{
	rb_erase_augmented_cached(&se->run_node, &cfs->tasks_timeline, &min_vruntime_cb);
	avg_vruntime_sub(cfs, se);
}

/* min_vruntime only serves to keep the keys small; it follows the smallest vruntime and never goes back. */
static __always_inline void update_min_vruntime(struct cfs_rq *cfs)
{
	struct rb_node *root = cfs->tasks_timeline.rb_root.rb_node;
	struct sched_entity *curr = cfs->curr;
	u64 vruntime = cfs->min_vruntime;
	s64 delta;

	if (curr && curr->on_rq) {
		vruntime = curr->vruntime;
		if (root && (s64)(se_of(root)->min_vruntime - vruntime) < 0)
			vruntime = se_of(root)->min_vruntime;
	} else if (root) {
		vruntime = se_of(root)->min_vruntime;
	}
	delta = (s64)(vruntime - cfs->min_vruntime);
	if (delta > 0) {
		cfs->avg_vruntime -= cfs->avg_load * delta;
		cfs->min_vruntime = vruntime;
	}
}

/*
 * Of the eligible the one with the earliest deadline.  Going down from the root: left of a node are earlier deadlines;
 * there is an eligible one among them if and only if the smallest vruntime there is eligible.
 */
static struct sched_entity *pick_eevdf(struct cfs_rq *cfs)
{
	struct rb_node *node = cfs->tasks_timeline.rb_root.rb_node;
	struct sched_entity *curr = cfs->curr, *best = NULL;
	struct mean_vruntime mean;

	if (curr && !curr->on_rq)
		curr = NULL;
	if (!node)
		return curr;
	if (!curr && !node->rb_left && !node->rb_right)
		return se_of(node);			/* there is no choice */
	mean = mean_vruntime(cfs);
	if (curr && !vruntime_eligible(cfs, mean, curr->vruntime))
		curr = NULL;

	best = se_of(rb_first_cached(&cfs->tasks_timeline));
	if (!vruntime_eligible(cfs, mean, best->vruntime)) {
		best = NULL;
		while (node) {
			struct rb_node *left = node->rb_left;

			if (left && vruntime_eligible(cfs, mean, se_of(left)->min_vruntime)) {
				node = left;
				continue;
			}
			if (vruntime_eligible(cfs, mean, se_of(node)->vruntime)) {
				best = se_of(node);
				break;
			}
			node = node->rb_right;
		}
	}
	if (!best || (curr && entity_before(curr, best)))
		best = curr;
	/* Rounding may leave nobody eligible: then the first in the tree will do. */
	return best ? best : se_of(rb_first_cached(&cfs->tasks_timeline));
}

/* ---- Requests by age ---- */

/*
 * The oldest request, if it is too old.  Who was chosen so stays chosen until its request is served or it sleeps; the next
 * one has to wait until aged_rest.
 */
static struct sched_entity *pick_aged(struct rq *rq, struct cfs_rq *cfs)
{
	struct sched_entity *se = list_first_entry_or_null(&cfs->requests, struct sched_entity, request_node);

	if (likely(!se || (s64)(rq_clock(rq) - se->requested) < (s64)AGE_NS))
		return NULL;
	if (se != cfs->aged) {
		if ((s64)(rq_clock(rq) - cfs->aged_rest) < 0)
			return NULL;
		cfs->aged = se;
		cfs->aged_rest = rq_clock(rq);
	}
	return se;
}

static struct sched_entity *pick_next_entity(struct rq *rq, struct cfs_rq *cfs)
{
	struct sched_entity *se = pick_aged(rq, cfs);

	return se ? se : pick_eevdf(cfs);
}

/* The aged one was served.  It shall not owe more than anybody can who is served in turn: one request. */
static void aged_is_served(struct cfs_rq *cfs, struct sched_entity *se)
{
	u64 most = avg_vruntime(cfs) + calc_delta_fair(SCHED_SLICE_NS, se);

	if ((s64)(se->vruntime - most) > 0)
		se->vruntime = most;
	cfs->aged = NULL;
}

/*
 * se, which is put on the queue, has made its request now; or before, on another queue: then it comes first if it is older
 * than all here.  Otherwise it may stand behind younger ones, until one day it is.
 */
static void enqueue_request(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se, int flags)
{
	struct list_head *list = &cfs->requests;

	if (!(flags & (ENQUEUE_RESTORE | ENQUEUE_MOVE)))
		se->requested = rq_clock(rq);
	else if (!list_empty(list) &&
		 (s64)(se->requested - list_first_entry(list, struct sched_entity, request_node)->requested) < 0)
		list = list->next;			/* before the first */
	list_add_tail(&se->request_node, list);
}

static void dequeue_request(struct cfs_rq *cfs, struct sched_entity *se)
{
	list_del(&se->request_node);
	if (unlikely(cfs->aged == se))
		cfs->aged = NULL;
}

static void restart_age(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se)
{
	se->requested = rq_clock(rq);
	list_move_tail(&se->request_node, &cfs->requests);
}

/* The running entity's. */
static void new_request(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se, u64 slice)
{
	se->slice = slice;
	se->deadline = se->vruntime + calc_delta_fair(slice, se);
	restart_age(rq, cfs, se);
}

/* Is se, which is in the queue, the only one there? */
static inline bool is_alone(const struct cfs_rq *cfs, const struct sched_entity *se)
{
	return cfs->load.weight == se->load.weight;
}

/* ---- Charging ---- */

/* The request is served: make the next one, and let others go first. */
static __always_inline void update_deadline(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se)
{
	if ((s64)(se->vruntime - se->deadline) < 0 || !se->on_rq)
		return;
	if (unlikely(cfs->aged == se))
		aged_is_served(cfs, se);
	new_request(rq, cfs, se, SCHED_SLICE_NS);
	if (!is_alone(cfs, se))
		resched_curr(rq);
}

/* The running entity of one queue. */
static __always_inline void charge_curr(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *curr)
{
	s64 delta = rq_clock(rq) - curr->exec_start;

	if (unlikely(delta <= 0))
		return;
	curr->exec_start = rq_clock(rq);
	if (unlikely(curr->my_q))
		sched_group_charge(rq, curr->my_q, (u64)delta);
	curr->sum_exec_runtime += delta;
	curr->vruntime += calc_delta_fair(delta, curr);
	if (unlikely(cfs->aged == curr))
		cfs->aged_rest += delta * AGE_REST;
	update_deadline(rq, cfs, curr);
	update_min_vruntime(cfs);
}

static noinline void charge_groups(struct rq *rq, struct cfs_rq *cfs)
{
	for (; cfs && cfs->curr; cfs = cfs->curr->my_q)
		charge_curr(rq, cfs, cfs->curr);
}

/* The running task, and the groups that it is in. */
static void update_curr(struct rq *rq)
{
	struct sched_entity *curr = rq->cfs.curr;

	if (unlikely(!curr))
		return;
	charge_curr(rq, &rq->cfs, curr);
	if (unlikely(curr->my_q))
		charge_groups(rq, curr->my_q);
}

/* ---- In and out ---- */

/* What se is owed, kept within two slices so that no one saves up for ever. */
static void update_entity_lag(struct cfs_rq *cfs, struct sched_entity *se)
{
	s64 lag = (s64)(avg_vruntime(cfs) - se->vruntime);
	s64 limit = calc_delta_fair(2 * SCHED_SLICE_NS, se);

	se->vlag = clamp(lag, -limit, limit);
}

/* se goes to sleep: what it used since it woke, with half the weight of the times before, is what it will ask for. */
static void update_slice(struct sched_entity *se)
{
	u64 used = se->sum_exec_runtime - se->exec_at_sleep;

	se->slice = clamp(se->slice / 2 + used, SLICE_MIN_NS, SCHED_SLICE_NS);
	se->exec_at_sleep = se->sum_exec_runtime;
}

/* What se is owed when it wakes after `slept` ns, beside others of weight `load`. */
static s64 lag_after_sleep(const struct sched_entity *se, u64 slept, s64 load)
{
	s64 limit = calc_delta_fair(SCHED_SLICE_NS, se);
	s64 share = min_t(u64, slept, 1ULL << 40) * NICE_0_LOAD / (u64)(load + (s64)se->load.weight);

	return max(se->vlag, min(se->vlag + share, limit));
}

/* When it had the processor last: a task by its own books, since it may have been elsewhere. */
static inline u64 last_ran(const struct sched_entity *se)
{
	return likely(!se->my_q) ? container_of(se, struct task_struct, se)->last_ran : se->exec_start;
}

/*
 * Gives se its vruntime and deadline in this queue.  Adding an entity with lag moves V against it by lag * w / (W + w), so
 * that to be owed `lag` after it is in, it must come in with lag * (W + w) / W.
 */
static __always_inline void place_entity(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se, int flags)
{
	struct mean_vruntime mean = mean_vruntime(cfs);
	s64 lag = 0, load = mean.load;
	u64 vslice;

	if (load && !(flags & ENQUEUE_INITIAL)) {
		lag = se->vlag;
		if (flags & ENQUEUE_WAKEUP)
			lag = lag_after_sleep(se, rq_clock(rq) - last_ran(se), load);
		lag = lag * (load + (s64)se->load.weight) / load;
	}
	se->vruntime = mean_value(cfs, mean) - lag;
	vslice = calc_delta_fair(se->slice, se);
	/* A new task starts with half a slice, in competition with the one that made it. */
	se->deadline = se->vruntime + ((flags & ENQUEUE_INITIAL) ? vslice / 2 : vslice);
}

/*
 * A group's entity may come back while it still is the running one: its last task went to sleep, and before it was put aside
 * (newidle_balance() drops the lock) another one of the group was woken here.  Then put_prev_task_fair() puts it into the tree.
 */
static __always_inline void enqueue_entity(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se, int flags)
{
	place_entity(rq, cfs, se, flags);
	se->on_rq = true;
	if (likely(se != cfs->curr))
		tree_insert(cfs, se);
	enqueue_request(rq, cfs, se, flags);
	cfs->load.weight += se->load.weight;
}

static __always_inline void dequeue_entity(struct cfs_rq *cfs, struct sched_entity *se)
{
	update_entity_lag(cfs, se);
	if (se != cfs->curr)
		tree_erase(cfs, se);
	dequeue_request(cfs, se);
	se->on_rq = false;
	cfs->load.weight -= se->load.weight;
	update_min_vruntime(cfs);
}

/* se, which stands for a group, weighs something else from now on: what it is owed stays the same real time. */
static noinline void reweight_entity(struct cfs_rq *cfs, struct sched_entity *se, unsigned long weight)
{
	unsigned long old = se->load.weight;
	s64 rest = (s64)(se->deadline - se->vruntime);
	bool queued = se->on_rq && se != cfs->curr;

	if (weight == old)
		return;
	if (se->on_rq) {
		update_entity_lag(cfs, se);
		if (queued)
			tree_erase(cfs, se);
		cfs->load.weight += weight - old;
		if (cfs->tg)
			sched_group_load(cfs, (long)(weight - old));
	}
	se->load = (struct load_weight){ .weight = weight, .inv_weight = (u32)(0xffffffffUL / weight) };
	se->vlag = se->vlag * (s64)old / (s64)weight;
	if (!se->on_rq)
		return;
	if (queued || cfs->avg_load) {
		se->vruntime = avg_vruntime(cfs) - se->vlag;
		se->deadline = se->vruntime + rest * (s64)old / (s64)weight;
	}
	if (queued)
		tree_insert(cfs, se);
	update_min_vruntime(cfs);
}

/*
 * A task of weight `delta` came into the queue of `se`, the first perhaps: se and those above are queued, too, and weigh
 * more.  They ask for as much as it does: a group that only waits for a short turn gets it soon.
 */
static noinline void enqueue_groups(struct rq *rq, struct sched_entity *se, unsigned long delta, u64 slice, int flags)
{
	for (; se; se = se->parent) {
		struct cfs_rq *cfs = queue_of(rq, se), *mine = se->my_q;

		if (!mine->nr_running++)
			list_add(&mine->on_cpu, &rq->group_queues);
		sched_group_load(mine, (long)delta);
		delta = 0;
		if (se->on_rq) {
			reweight_entity(cfs, se, sched_group_weight(mine));
			continue;
		}
		reweight_entity(cfs, se, sched_group_weight(mine));
		se->slice = slice;
		enqueue_entity(rq, cfs, se, flags & ENQUEUE_WAKEUP);
		delta = se->load.weight;
	}
}

/* A task has left the queue of `se`.  A group without any leaves the queue above. */
static noinline void dequeue_groups(struct rq *rq, struct sched_entity *se, unsigned long delta)
{
	for (; se; se = se->parent) {
		struct cfs_rq *cfs = queue_of(rq, se), *mine = se->my_q;

		if (!--mine->nr_running)
			list_del(&mine->on_cpu);
		sched_group_load(mine, -(long)delta);
		delta = 0;
		if (mine->nr_running) {
			reweight_entity(cfs, se, sched_group_weight(mine));
		} else {
			delta = se->load.weight;
			dequeue_entity(cfs, se);
		}
	}
}

static void enqueue_task_fair(struct rq *rq, struct task_struct *p, int flags)
{
	struct sched_entity *se = &p->se;

	update_curr(rq);
	enqueue_entity(rq, queue_of(rq, se), se, flags);
	if (unlikely(se->parent))
		enqueue_groups(rq, se->parent, se->load.weight, se->slice, flags);
	rq->cfs.nr_running++;
	add_nr_running(rq, 1);
}

static void dequeue_task_fair(struct rq *rq, struct task_struct *p, int flags)
{
	struct sched_entity *se = &p->se;

	update_curr(rq);
	dequeue_entity(queue_of(rq, se), se);
	if (unlikely(se->parent))
		dequeue_groups(rq, se->parent, se->load.weight);
	rq->cfs.nr_running--;
	sub_nr_running(rq, 1);
	if (flags & DEQUEUE_SLEEP) {
		update_slice(se);
		p->last_ran = rq_clock(rq);
	}
}

/* se becomes the running entity of its queue. */
static inline void set_next_entity(struct rq *rq, struct cfs_rq *cfs, struct sched_entity *se)
{
	if (se->on_rq)
		tree_erase(cfs, se);
	se->exec_start = rq_clock(rq);
	se->prev_sum_exec_runtime = se->sum_exec_runtime;
	cfs->curr = se;
}

static void set_next_task_fair(struct rq *rq, struct task_struct *p)
{
	for (struct sched_entity *se = &p->se; se; se = se->parent)
		set_next_entity(rq, queue_of(rq, se), se);
	if (unlikely(p->task_group))
		sched_group_check_throttled(rq, p);
}

static void put_prev_task_fair(struct rq *rq, struct task_struct *prev)
{
	struct sched_entity *se = &prev->se;
	struct cfs_rq *cfs;

	if (se->on_rq)
		update_curr(rq);
	do {
		cfs = queue_of(rq, se);
		if (se->on_rq)
			tree_insert(cfs, se);
		cfs->curr = NULL;
		se = se->parent;
	} while (unlikely(se));
}

/* Down from `se`, which was chosen in the CPU's queue, to a task. */
static noinline struct task_struct *pick_in_group(struct rq *rq, struct sched_entity *se)
{
	struct cfs_rq *cfs;
	struct task_struct *p;

	while ((cfs = se->my_q)) {
		se = pick_next_entity(rq, cfs);
		set_next_entity(rq, cfs, se);
	}
	p = task_of(se);
	sched_group_check_throttled(rq, p);
	return p;
}

static struct task_struct *pick_next_task_fair(struct rq *rq)
{
	struct sched_entity *se = pick_next_entity(rq, &rq->cfs);

	if (!se)
		return NULL;
	set_next_entity(rq, &rq->cfs, se);
	return likely(!se->my_q) ? task_of(se) : pick_in_group(rq, se);
}

struct task_struct *fair_pick_fast(struct rq *rq, struct task_struct *prev)
{
	struct sched_entity *se;
	struct task_struct *p;

	if (prev->sched_class != &fair_sched_class) {
		if (!rq->cfs.nr_running)
			return prev;				/* idle goes on being idle */
		prev->sched_class->put_prev_task(rq, prev);
		return pick_next_task_fair(rq);
	}
	update_curr(rq);
	if (unlikely(prev->se.parent)) {
		put_prev_task_fair(rq, prev);
		p = pick_next_task_fair(rq);
		return p ? p : idle_sched_class.pick_next_task(rq);
	}
	se = pick_next_entity(rq, &rq->cfs);
	if (se == &prev->se)
		return prev;
	if (prev->se.on_rq)
		tree_insert(&rq->cfs, &prev->se);
	rq->cfs.curr = NULL;
	if (!se)
		return idle_sched_class.pick_next_task(rq);
	set_next_entity(rq, &rq->cfs, se);
	return likely(!se->my_q) ? task_of(se) : pick_in_group(rq, se);
}

/* ---- Preemption ---- */

/* Who would be chosen now. */
static struct sched_entity *would_pick(struct rq *rq)
{
	struct sched_entity *se = pick_eevdf(&rq->cfs);

	while (unlikely(se->my_q))
		se = pick_eevdf(se->my_q);
	return se;
}

static void check_preempt_wakeup(struct rq *rq, struct task_struct *p, int wake_flags)
{
	struct task_struct *curr = rq->curr;

	if (test_tsk_need_resched(curr) || p == curr)
		return;
	if (task_has_idle_policy(curr) && !task_has_idle_policy(p)) {
		resched_curr(rq);
		return;
	}
	/* Batch and idle tasks do not interrupt; nor is it of use to interrupt a waker that says it will sleep. */
	if (p->policy != SCHED_NORMAL || (wake_flags & WF_SYNC))
		return;
	update_curr(rq);
	if (would_pick(rq) == &p->se)
		resched_curr(rq);
}

static void task_tick_fair(struct rq *rq, struct task_struct *curr)
{
	update_curr(rq);
	/* The group's share of this CPU changes with what the group does on others. */
	for (struct sched_entity *se = curr->se.parent; unlikely(se); se = se->parent)
		reweight_entity(queue_of(rq, se), se, sched_group_weight(se->my_q));
}

/* Behind everybody who is owed something: V is moved past by one, so that somebody else is eligible. */
static void yield_task_fair(struct rq *rq)
{
	struct sched_entity *se = &rq->curr->se;
	struct cfs_rq *cfs = queue_of(rq, se);
	u64 v;

	if (is_alone(cfs, se))
		return;
	update_curr(rq);
	v = avg_vruntime(cfs);
	if ((s64)(se->vruntime - v) <= 0)
		se->vruntime = v + 1;
	new_request(rq, cfs, se, se->slice);
}

static int select_task_rq_fair(struct task_struct *p, int prev_cpu, int wake_flags)
{
	if (wake_flags & (WF_FORK | WF_EXEC))
		return select_cpu_fork(p, prev_cpu);
	return select_idle_cpu_near(p, prev_cpu);
}

static void switched_to_fair(struct rq *rq, struct task_struct *p)
{
	if (task_on_rq_queued(p)) {
		restart_age(rq, queue_of(rq, &p->se), &p->se);	/* it is older than its being in this class */
		if (task_current(rq, p))
			resched_curr(rq);
		else
			check_preempt_curr(rq, p, 0);
	}
}

static void prio_changed_fair(struct rq *rq, struct task_struct *p, int oldprio)
{
	if (!task_on_rq_queued(p) || rq->cfs.nr_running == 1)
		return;
	if (!task_current(rq, p))
		check_preempt_curr(rq, p, 0);
	else if (p->prio > oldprio)
		resched_curr(rq);
}

static unsigned int get_rr_interval_fair(struct rq *rq, struct task_struct *p)
{
	return rq->cfs.load.weight ? SCHED_SLICE_NS : 0;
}

void init_cfs_rq(struct cfs_rq *cfs)
{
	cfs->tasks_timeline = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&cfs->requests);
	cfs->min_vruntime = (u64)-(1LL << 20);	/* wraps soon: shows who compares without the signed difference */
}

const struct sched_class fair_sched_class = {
	.rank			= 1,
	.enqueue_task		= enqueue_task_fair,
	.dequeue_task		= dequeue_task_fair,
	.yield_task		= yield_task_fair,
	.check_preempt_curr	= check_preempt_wakeup,
	.pick_next_task		= pick_next_task_fair,
	.put_prev_task		= put_prev_task_fair,
	.set_next_task		= set_next_task_fair,
	.select_task_rq		= select_task_rq_fair,
	.task_tick		= task_tick_fair,
	.switched_to		= switched_to_fair,
	.prio_changed		= prio_changed_fair,
	.update_curr		= update_curr,
	.get_rr_interval	= get_rr_interval_fair,
};
