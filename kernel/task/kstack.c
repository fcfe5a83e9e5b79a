/*
 * kstack.c: kernel stacks: where they come from, and the spare ones.
 *
 * Idea:    a stack lies in the vmalloc area, aligned to its size, with nothing mapped below it, so running over its end
 *          faults instead of writing into a neighbour.  Making and unmaking such a mapping costs more than the rest of a
 *          thread, and unmaking it interrupts the other processors in the end (TLB).  So freed stacks are kept.  Dead tasks
 *          are freed after a grace period, a few dozen at once where programs are started in a row: two stacks for each
 *          CPU, which are likely still in its cache, and behind them a common list of up to 1/256 of memory, which is
 *          given back when memory is short.
 * Locking: the CPUs' spares: [c] by cmpxchg.  spare_lock (irq-safe): the list.
 * See:     spec.md §3; fork.c
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/percpu.h>
#include <weft/sched.h>
#include <weft/shrinker.h>
#include <weft/spinlock.h>
#include <weft/vmalloc.h>
#include <weft/vmstat.h>
#include "internal.h"

#define NR_CPU_SPARES	2
#define SPARE_SHARE	256		/* of memory, one part at most */

static DEFINE_PER_CPU(void *, cpu_spares[NR_CPU_SPARES]);

/* A spare stack on the list holds its link itself. */
struct spare {
	struct spare	*next;
};
static DEFINE_SPINLOCK(spare_lock);
static struct spare *spares;		/* [spare_lock] */
static unsigned long nr_spares;		/* [spare_lock]; racy looks */
static unsigned long max_spares;	/* [I] */

static void *take_spare(void)
{
	struct spare *s;
	unsigned long flags;

	if (!READ_ONCE(nr_spares))
		return NULL;
	spin_lock_irqsave(&spare_lock, flags);
	s = spares;
	if (s) {
		spares = s->next;
		nr_spares--;
	}
	spin_unlock_irqrestore(&spare_lock, flags);
	return s;
}

static bool keep_spare(void *stack)
{
	struct spare *s = stack;
	unsigned long flags;
	bool keep;

	spin_lock_irqsave(&spare_lock, flags);
	keep = nr_spares < max_spares;
	if (keep) {
		s->next = spares;
		spares = s;
		nr_spares++;
	}
	spin_unlock_irqrestore(&spare_lock, flags);
	return keep;
}

/* THREAD_SIZE bytes of anything, or NULL without memory.  May sleep. */
void *alloc_thread_stack(void)
{
	void *stack;

	for (int i = 0; i < NR_CPU_SPARES; i++) {
		stack = this_cpu_xchg(cpu_spares[i], NULL);
		if (stack)
			return stack;
	}
	stack = take_spare();
	if (stack)
		return stack;
	return __vmalloc_node_range(THREAD_SIZE, THREAD_SIZE, VMALLOC_START, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL, 0,
				    NUMA_NO_NODE, __builtin_return_address(0));
}

/* Any context: the last reference may go in an RCU callback. */
void free_thread_stack(void *stack)
{
	for (int i = 0; i < NR_CPU_SPARES; i++)
		if (this_cpu_cmpxchg(cpu_spares[i], NULL, stack) == NULL)
			return;
	if (!keep_spare(stack))
		vfree_atomic(stack);
}

/* ---- when memory is short ---- */

static unsigned long count_spares(struct shrinker *shrinker, struct shrink_control *sc)
{
	return READ_ONCE(nr_spares);
}

/* Not at once, by vfree(): whoever needs memory may hold locks of the vmalloc area. */
static unsigned long free_spares(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	void *stack;

	while (freed < sc->nr_to_scan && (stack = take_spare()) != NULL) {
		vfree_atomic(stack);
		freed++;
	}
	return freed ? freed : SHRINK_STOP;
}

static struct shrinker spare_shrinker = {
	.count_objects	= count_spares,
	.scan_objects	= free_spares,
	.seeks		= DEFAULT_SEEKS,
};

static int __init kstack_init(void)
{
	max_spares = totalram_pages() / (SPARE_SHARE * THREAD_SIZE / PAGE_SIZE);
	return register_shrinker(&spare_shrinker);
}
core_initcall(kstack_init);
