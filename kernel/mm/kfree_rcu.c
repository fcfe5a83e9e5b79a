/*
 * kfree_rcu.c: kfree() after a grace period, many at a time.
 *
 * Idea:    each CPU collects objects in a list; one call_rcu() waits for all of them.  What comes in while that one is under
 *          way makes the next list.  The rcu_head inside the object only carries the link and the object's address.
 *
 *          collecting --(no grace period under way)--> waiting --call_rcu()--> freed
 *
 * Locking: krc->lock, irq-safe: the callback may run on another CPU than its list's.
 * See:     include/weft/rcu.h
 */
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/percpu.h>
#include <weft/rcu.h>
#include <weft/slab.h>
#include <weft/spinlock.h>
#include "internal.h"

struct kfree_rcu_cpu {
	spinlock_t	lock;			/* class: kfree_rcu */
	bool		under_way;		/* [lock] `rcu` is queued */
	struct rcu_head	*collecting;		/* [lock] */
	struct rcu_head	*waiting;		/* [lock] for the grace period of `rcu` */
	struct rcu_head	rcu;
};
static DEFINE_PER_CPU(struct kfree_rcu_cpu, krc);

static void free_batch(struct rcu_head *rcu);

static void start_grace_period(struct kfree_rcu_cpu *k) __must_hold(&k->lock)
{
	k->waiting = k->collecting;
	k->collecting = NULL;
	k->under_way = k->waiting != NULL;
	if (k->under_way)
		call_rcu(&k->rcu, free_batch);
}

static void free_batch(struct rcu_head *rcu)
{
	struct kfree_rcu_cpu *k = container_of(rcu, struct kfree_rcu_cpu, rcu);
	struct rcu_head *head, *next;
	unsigned long flags;

	spin_lock_irqsave(&k->lock, flags);
	head = k->waiting;
	start_grace_period(k);
	spin_unlock_irqrestore(&k->lock, flags);
	for (; head; head = next) {
		next = head->next;
		kvfree((void *)head->func);	/* the object, see below */
	}
}

void kvfree_call_rcu(struct rcu_head *head, void *ptr)
{
	struct kfree_rcu_cpu *k = raw_cpu_ptr(&krc);	/* moved away since?  The lock makes any CPU's list do */
	unsigned long flags;

	spin_lock_irqsave(&k->lock, flags);
	head->func = (rcu_callback_t)ptr;
	head->next = k->collecting;
	k->collecting = head;
	if (!k->under_way)
		start_grace_period(k);
	spin_unlock_irqrestore(&k->lock, flags);
}

void __init kfree_rcu_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(&krc, cpu)->lock);
}
