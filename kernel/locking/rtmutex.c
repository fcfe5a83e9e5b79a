/*
 * rtmutex.c: priority inheritance: who holds what an urgent task waits for is as urgent, and so on along the chain.
 *
 * Idea:    each lock has its waiters in a tree, the most urgent first.  Each task has a tree of those that wait for it,
 *          pi_waiters: one waiter of every lock that it owns and others want, with the best priority of all that wait
 *          there.  The best of these is lent: p->prio = the better of normal_prio (its own) and that (rt_mutex_setprio).
 *          A task that waits says so in pi_blocked_on; so priorities travel
 *
 *              task --pi_blocked_on--> waiter --lock--> rt_mutex --owner--> task --pi_blocked_on--> ...
 *
 *          A nice value is lent as well, and with it its weight: who waits for a task of nice 19 waits as long as if it held
 *          the lock itself.  But only real-time tasks overtake others that wait for a lock.  Ordinary ones get it in the
 *          order of their arrival, or those of a worse nice value might wait for ever; so who lends most need not be first
 *          in the tree, and each node there knows the best below it.
 * Walk:    one link at a time, so that no more than one wait_lock and one pi_lock are held; in between the world moves on.
 *          Each step therefore looks whether the task still waits for the lock that the step before saw it wait for:
 *          as long as it does it can have released nothing, so that all links of the path stood at the same moment, and
 *          a circle that is found is one.
 *
 *          walk: task W waits for A of O           O meanwhile
 *          (A.wait_lock, O.pi_lock)  O's prio = W's;
 *          O waits for B: chain = O, B
 *          unlock both                             gets B, goes on; waits for C
 *          O.pi_lock: O does not wait for B: stop  (enqueueing at C took O's new prio along, and walks itself)
 *
 *          The order of the locks is wait_lock -> pi_lock, but a walk comes from a task to the lock: it holds pi_lock,
 *          which keeps the waiter and so the lock in being, and only tries for wait_lock; if that fails it lets go and
 *          begins the step again.
 * Cost:    enqueue and dequeue O(log waiters), a walk that times the number of links.
 * See:     rtmutex.h; kernel/task/futex_pi.c; doc/locking.md
 */
#include <weft/rtmutex.h>
#include <weft/kernel.h>
#include <weft/rbtree_augmented.h>
#include <weft/sched.h>

#define MAX_CHAIN	1024

/* ---- the two trees ---- */

/* p->pi_lock is held. */
static inline int prio_to_lend(const struct task_struct *p)
{
	return p->policy == SCHED_IDLE ? rt_mutex_top_prio(p) : p->prio;
}

/* By what waiters are ordered. */
static inline int rank(const struct rt_mutex_waiter *w)
{
	return rt_prio(w->prio) ? w->prio : MAX_PRIO;
}

#define waiter_of(rb) rb_entry((rb), struct rt_mutex_waiter, node)

static bool more_urgent(struct rb_node *a, const struct rb_node *b)
{
	return rank(waiter_of(a)) < rank(waiter_of(b));
}

static inline bool best_update(struct rt_mutex_waiter *w, bool exit)
{
	int old = w->best;

	w->best = w->prio;
	if (w->node.rb_left)
		w->best = min(w->best, waiter_of(w->node.rb_left)->best);
	if (w->node.rb_right)
		w->best = min(w->best, waiter_of(w->node.rb_right)->best);
	return exit && w->best == old;
}

RB_DECLARE_CALLBACKS(static, best_cb, struct rt_mutex_waiter, node, best, best_update)

static void add_waiter(struct rt_mutex *lock, struct rt_mutex_waiter *w)
{
	w->best = w->prio;
	rb_add_augmented_cached(&w->node, &lock->waiters, more_urgent, &best_cb);
}

static void remove_waiter(struct rt_mutex *lock, struct rt_mutex_waiter *w)
{
	rb_erase_augmented_cached(&w->node, &lock->waiters, &best_cb);
}

static bool lends_more(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct rt_mutex_waiter, pi_node)->lends < rb_entry(b, struct rt_mutex_waiter, pi_node)->lends;
}

static inline struct rt_mutex_waiter *first_waiter(const struct rt_mutex *lock)
{
	return rb_entry_safe(rb_first_cached(&lock->waiters), struct rt_mutex_waiter, node);
}

struct rt_mutex_waiter *rt_mutex_top_waiter(struct rt_mutex *lock)
{
	struct rt_mutex_waiter *top;

	spin_lock_irq(&lock->wait_lock);
	top = first_waiter(lock);
	spin_unlock_irq(&lock->wait_lock);
	return top;
}

int rt_mutex_top_prio(const struct task_struct *p)
{
	struct rb_node *first = rb_first_cached(&p->pi_waiters);

	return first ? rb_entry(first, struct rt_mutex_waiter, pi_node)->lends : MAX_PRIO;
}

/* Between these two the lock's tree may change; wait_lock and the owner's pi_lock are held. */
static void take_back(struct rt_mutex *lock, struct task_struct *owner)
{
	struct rt_mutex_waiter *top = first_waiter(lock);

	lockdep_assert_held(&lock->wait_lock);
	lockdep_assert_held(&owner->pi_lock);
	if (top)
		rb_erase_cached(&top->pi_node, &owner->pi_waiters);
}

static void lend(struct rt_mutex *lock, struct task_struct *owner)
{
	struct rt_mutex_waiter *top = first_waiter(lock);

	if (top) {
		top->lends = waiter_of(lock->waiters.rb_root.rb_node)->best;
		rb_add_cached(&top->pi_node, &owner->pi_waiters, lends_more);
	}
	rt_mutex_setprio(owner);
}

/* The next link is the owner, if it waits as well.  Its pi_lock is held. */
static void chain_to(struct rt_mutex_chain *chain, struct task_struct *owner)
{
	lockdep_assert_held(&owner->pi_lock);
	chain->task = NULL;
	if (owner->pi_blocked_on) {
		chain->task = get_task_struct(owner);
		chain->lock = owner->pi_blocked_on->lock;
	}
}

/* ---- coming, going, owning ---- */

void rt_mutex_enqueue(struct rt_mutex *lock, struct rt_mutex_waiter *w, struct task_struct *task,
		      struct rt_mutex_chain *chain)
{
	struct task_struct *owner;

	w->lock = lock;
	w->task = task;
	spin_lock_irq(&lock->wait_lock);
	spin_lock(&task->pi_lock);
	w->prio = prio_to_lend(task);
	task->pi_blocked_on = w;
	spin_unlock(&task->pi_lock);

	owner = lock->owner;
	spin_lock(&owner->pi_lock);
	take_back(lock, owner);
	add_waiter(lock, w);
	lend(lock, owner);
	chain_to(chain, owner);
	spin_unlock(&owner->pi_lock);
	spin_unlock_irq(&lock->wait_lock);
}

void rt_mutex_dequeue(struct rt_mutex_waiter *w, struct rt_mutex_chain *chain)
{
	struct rt_mutex *lock = w->lock;
	struct task_struct *owner;

	spin_lock_irq(&lock->wait_lock);
	spin_lock(&w->task->pi_lock);
	w->task->pi_blocked_on = NULL;
	spin_unlock(&w->task->pi_lock);

	owner = lock->owner;
	spin_lock(&owner->pi_lock);
	take_back(lock, owner);
	remove_waiter(lock, w);
	lend(lock, owner);
	chain_to(chain, owner);
	spin_unlock(&owner->pi_lock);
	spin_unlock_irq(&lock->wait_lock);
}

void rt_mutex_hand_over(struct rt_mutex *lock, struct rt_mutex_waiter *w)
{
	struct task_struct *old, *new = w->task;

	spin_lock_irq(&lock->wait_lock);
	old = lock->owner;
	spin_lock(&old->pi_lock);
	take_back(lock, old);
	rt_mutex_setprio(old);
	spin_unlock(&old->pi_lock);

	remove_waiter(lock, w);
	lock->owner = new;
	spin_lock(&new->pi_lock);
	new->pi_blocked_on = NULL;
	lend(lock, new);
	spin_unlock(&new->pi_lock);
	spin_unlock_irq(&lock->wait_lock);
}

/* ---- along the chain ---- */

/*
 * The waiter through which chain->task waits for chain->lock, with the lock's wait_lock held and interrupts off; *prio is what
 * the task has to lend.  NULL, nothing held: it does not wait for that lock any more.
 */
static struct rt_mutex_waiter *lock_link(const struct rt_mutex_chain *chain, int *prio)
	__no_context_analysis	/* see above */
{
	struct task_struct *task = chain->task;
	struct rt_mutex_waiter *w;

	for (;;) {
		spin_lock_irq(&task->pi_lock);
		w = task->pi_blocked_on;
		if (!w || w->lock != chain->lock) {
			spin_unlock_irq(&task->pi_lock);
			return NULL;
		}
		if (spin_trylock(&chain->lock->wait_lock))
			break;
		spin_unlock_irq(&task->pi_lock);
		cpu_relax();
	}
	*prio = prio_to_lend(task);
	spin_unlock(&task->pi_lock);
	return w;
}

/* The waiter takes its place by its new priority (an ordinary one stays where it is), and the owner's priority follows. */
static void change_prio(struct rt_mutex_waiter *w, int prio, struct task_struct *owner)
{
	take_back(w->lock, owner);
	if (rt_prio(w->prio) || rt_prio(prio)) {
		remove_waiter(w->lock, w);
		w->prio = prio;
		add_waiter(w->lock, w);
	} else {
		w->prio = prio;
		best_cb.propagate(&w->node, NULL);
	}
	lend(w->lock, owner);
}

/* One link.  *chain is the next one, or ends. */
static int walk_step(struct rt_mutex_chain *chain, const struct rt_mutex_waiter *enqueued)
	__no_context_analysis	/* releases what lock_link() took */
{
	struct task_struct *task = chain->task, *owner;
	struct rt_mutex *lock = chain->lock;
	struct rt_mutex_waiter *w;
	int err = 0, prio;

	w = lock_link(chain, &prio);
	chain->task = NULL;
	if (!w)
		goto out;
	owner = lock->owner;
	if (enqueued && (lock == enqueued->lock || owner == enqueued->task)) {
		err = -EDEADLK;
	} else if (enqueued || w->prio != prio) {
		spin_lock(&owner->pi_lock);
		if (w->prio != prio)
			change_prio(w, prio, owner);
		chain_to(chain, owner);
		spin_unlock(&owner->pi_lock);
	}
	spin_unlock_irq(&lock->wait_lock);
out:
	put_task_struct(task);
	return err;
}

int rt_mutex_walk(struct rt_mutex_chain *chain, const struct rt_mutex_waiter *enqueued)
{
	int err = 0;

	for (int depth = 0; chain->task && !err; depth++) {
		if (depth == MAX_CHAIN) {
			put_task_struct(chain->task);
			return -EDEADLK;
		}
		err = walk_step(chain, enqueued);
	}
	return err;
}

void rt_mutex_adjust_pi(struct task_struct *p)
{
	struct rt_mutex_chain chain;
	unsigned long flags;

	spin_lock_irqsave(&p->pi_lock, flags);
	chain_to(&chain, p);
	spin_unlock_irqrestore(&p->pi_lock, flags);
	rt_mutex_walk(&chain, NULL);
}
