/*
 * memcontrol.c: the memory controller: pages are charged to groups, and no group gets more than its limit.
 *
 * What:    charge and uncharge; what is done when a limit is reached: reclaim in the group, then a kill there.
 * Idea:    a charge goes up the tree and stops where a limit would be passed; what it added below is taken back.  To do
 *          that for every page would make all CPUs meet at the counters of the groups near the root.  So a CPU charges
 *          MEMCG_BATCH pages at once and keeps what is over in its stock, of one group at a time; pages that are freed go
 *          there, too.  The stocks count as used: when a limit is reached they are emptied before anything is reclaimed.
 *
 *              __mem_cgroup_charge: stock -> try_charge(batch) -> try_charge(exact) -> stocks, reclaim -> OOM -> -ENOMEM
 *              free_unref_page:     __mem_cgroup_uncharge -> stock -> uncharge
 *
 * Lives:   while a level's count is not 0 the level holds a reference on its css.  Who makes it leave 0 must have one of his
 *          own, or stand in an RCU section in which the group is somebody's:
 *
 *              CPU 0: charge                           CPU 1: the last page is freed
 *                                                      count 1 -> 0
 *              count 0 -> 1: css_get
 *                                                      css_put: that of the time before
 *
 * Over:    who is in reclaim already (PF_MEMALLOC), and __GFP_NOFAIL, are charged beyond the limit.  What a limit makes fail in
 *          a fault makes the fault be taken again, until the group has room or the task is killed.
 * Locking: stock->lock, irq-safe, a leaf but for css counts: pages are freed in any context.  memcg_lock: the list of groups.
 * See:     memcontrol.h, memcg.h; memcg_stat.c; vmscan.c reclaims; oom_kill.c kills; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/gfp.h>
#include <weft/idr.h>
#include <weft/init.h>
#include <weft/memcg.h>
#include <weft/mutex.h>
#include <weft/oom.h>
#include <weft/percpu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include "internal.h"
#include "memcg_internal.h"

#define MEMCG_BATCH	32u			/* pages that a CPU charges at once */
#define STOCK_MOST	(2 * MEMCG_BATCH)	/* ... and that it keeps */
#define RECLAIM_ROUNDS	16			/* rounds of reclaim without success before somebody is killed */

bool memcg_in_use;				/* a byte: tested in every fault */
static DEFINE_SPINLOCK(memcg_lock);
static LIST_HEAD(memcg_list);			/* [memcg_lock] */
static DEFINE_IDA(memcg_ids);
DEFINE_XARRAY(memcg_by_id);

/* ---- counters ---- */

static void uncharge_level(struct mem_cgroup *memcg, enum memcg_resource which, unsigned long nr)
{
	long left = atomic_long_sub_return((long)nr, &memcg->counter[which].pages);

	WARN_ON_ONCE(left < 0);
	if (!left)
		css_put(&memcg->css);
}

/* The group's count with nr more. */
static unsigned long charge_level(struct mem_cgroup *memcg, enum memcg_resource which, unsigned long nr)
{
	long now = atomic_long_add_return((long)nr, &memcg->counter[which].pages);

	if (now == (long)nr)
		css_get(&memcg->css);
	return (unsigned long)now;
}

static void note_peak(struct memcg_counter *counter, unsigned long now)
{
	if (now > READ_ONCE(counter->peak))
		WRITE_ONCE(counter->peak, now);
}

void memcg_uncharge(struct mem_cgroup *memcg, enum memcg_resource which, unsigned long nr)
{
	struct mem_cgroup *parent;

	for (; memcg; memcg = parent) {
		parent = memcg_parent(memcg);	/* before it may go */
		uncharge_level(memcg, which, nr);
	}
}

/* NULL, or the group whose limit does not allow it: then nothing is charged. */
struct mem_cgroup *memcg_try_charge(struct mem_cgroup *memcg, enum memcg_resource which, unsigned long nr)
{
	struct mem_cgroup *pos, *undo;

	for (pos = memcg; pos; pos = memcg_parent(pos)) {
		struct memcg_counter *counter = &pos->counter[which];
		unsigned long now = charge_level(pos, which, nr);

		if (now <= READ_ONCE(counter->max)) {
			note_peak(counter, now);
			continue;
		}
		for (undo = memcg; undo != memcg_parent(pos); undo = memcg_parent(undo))
			uncharge_level(undo, which, nr);
		return pos;
	}
	return NULL;
}

/* Whatever the limits say. */
static void charge_anyway(struct mem_cgroup *memcg, unsigned long nr)
{
	for (; memcg; memcg = memcg_parent(memcg))
		note_peak(&memcg->counter[MEMCG_MEMORY], charge_level(memcg, MEMCG_MEMORY, nr));
}

/* ---- the stocks of CPUs ---- */

/* Charged pages that are nobody's yet.  nr > 0: memcg is alive, since they are among its charges. */
struct memcg_stock {
	spinlock_t		lock;
	struct mem_cgroup	*memcg;
	unsigned int		nr;
};
static DEFINE_PER_CPU(struct memcg_stock, memcg_stock);

static struct memcg_stock *lock_stock(unsigned long *flags) __no_context_analysis	/* returns with it locked */
{
	struct memcg_stock *stock;

	local_irq_save(*flags);
	stock = this_cpu_ptr(&memcg_stock);
	spin_lock(&stock->lock);
	return stock;
}

static void unlock_stock(struct memcg_stock *stock, unsigned long flags) __no_context_analysis	/* the other half */
{
	spin_unlock(&stock->lock);
	local_irq_restore(flags);
}

static bool take_from_stock(struct mem_cgroup *memcg, unsigned int nr)
{
	unsigned long flags;
	struct memcg_stock *stock = lock_stock(&flags);
	bool enough = stock->nr >= nr && stock->memcg == memcg;

	if (enough)
		stock->nr -= nr;
	unlock_stock(stock, flags);
	return enough;
}

/*
 * The running CPU's stock gets nr charged pages.  Where another group's lie, those are uncharged.  A removed group's do not
 * stay: nobody would ask for them, and they would keep the group.
 *
 *              CPU 0: puts the last pages              CPU 1: removes the group
 *              lock; offline? no: 3 pages in stock
 *              unlock                                  offline = true
 *                                                      drain: lock: takes them out
 *          or                                          offline = true; drain: nothing there
 *              lock; offline? yes: uncharged
 */
static void put_into_stock(struct mem_cgroup *memcg, unsigned int nr)
{
	struct mem_cgroup *old = NULL;
	unsigned int old_nr = 0;
	unsigned long flags;
	struct memcg_stock *stock = lock_stock(&flags);

	if (stock->memcg != memcg) {
		old = stock->memcg;
		old_nr = stock->nr;
		stock->memcg = memcg;
		stock->nr = 0;
	}
	stock->nr += nr;
	nr = 0;
	if (unlikely(READ_ONCE(memcg->offline)))
		swap(nr, stock->nr);
	else if (stock->nr > STOCK_MOST) {
		nr = stock->nr - MEMCG_BATCH;
		stock->nr = MEMCG_BATCH;
	}
	unlock_stock(stock, flags);
	if (old_nr)
		memcg_uncharge(old, MEMCG_MEMORY, old_nr);
	if (nr)
		memcg_uncharge(memcg, MEMCG_MEMORY, nr);
}

/* What CPUs keep for groups at or below top is uncharged.  True: there was some. */
static bool drain_stocks(const struct mem_cgroup *top)
{
	bool some = false;
	int cpu;

	for_each_online_cpu(cpu) {
		struct memcg_stock *stock = per_cpu_ptr(&memcg_stock, cpu);
		struct mem_cgroup *memcg = NULL;
		unsigned long flags;
		unsigned int nr = 0;

		spin_lock_irqsave(&stock->lock, flags);
		if (stock->nr && memcg_is_below(stock->memcg, top)) {
			memcg = stock->memcg;
			swap(nr, stock->nr);
		}
		spin_unlock_irqrestore(&stock->lock, flags);
		if (nr)
			memcg_uncharge(memcg, MEMCG_MEMORY, nr);
		some |= nr > 0;
	}
	return some;
}

/* ---- at the limit ---- */

/* Kills in the group.  False: there is nobody to kill. */
static bool kill_in_group(struct mem_cgroup *memcg, gfp_t gfp)
{
	struct oom_control oc = { .gfp_mask = gfp, .memcg = memcg };
	bool killed = true;

	if (!mutex_trylock(&oom_lock)) {
		schedule_timeout_killable(1);
		return true;
	}
	/* Who had the lock may have killed for us. */
	if (memcg_pages(memcg, MEMCG_MEMORY) >= READ_ONCE(memcg->counter[MEMCG_MEMORY].max)) {
		memcg_event(memcg, MEMCG_OOM);
		killed = out_of_memory(&oc);
	}
	mutex_unlock(&oom_lock);
	if (killed && !fatal_signal_pending(current))
		schedule_timeout_killable(1);
	return killed;
}

/* `full` does not allow nr more pages.  Is it worth another try?  *round counts those that were made. */
static bool make_room(struct mem_cgroup *full, unsigned long nr, gfp_t gfp, unsigned int *round)
{
	if (!gfpflags_allow_blocking(gfp))
		return false;
	memcg_event(full, MEMCG_MAX);
	if (drain_stocks(full))
		return true;
	if (try_to_free_mem_cgroup_pages(full, nr, gfp, true) >= nr)
		return true;
	if (gfp & __GFP_NORETRY)
		return false;
	if (*round && fatal_signal_pending(current))
		return false;
	if (++*round % RECLAIM_ROUNDS)
		return true;
	if (gfp & __GFP_RETRY_MAYFAIL)
		return false;
	return kill_in_group(full, gfp);
}

/* Charges nr pages; some more for the stock if there is room.  0 or -ENOMEM.  The caller holds memcg. */
static int charge(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp)
{
	unsigned int round = 0;
	struct mem_cgroup *full;

	might_sleep_if(gfpflags_allow_blocking(gfp));
	if (nr < MEMCG_BATCH && !memcg_try_charge(memcg, MEMCG_MEMORY, MEMCG_BATCH)) {
		put_into_stock(memcg, MEMCG_BATCH - (unsigned int)nr);
		return 0;
	}
	while ((full = memcg_try_charge(memcg, MEMCG_MEMORY, nr)) != NULL) {
		if (current->flags & PF_MEMALLOC)
			break;
		if (make_room(full, nr, gfp, &round))
			continue;
		if (gfp & __GFP_NOFAIL)
			break;
		current->memcg_nomem = true;
		return -ENOMEM;
	}
	if (full)
		charge_anyway(memcg, nr);
	return 0;
}

/* ---- pages ---- */

static void set_owner(struct page *pages, unsigned long nr, struct mem_cgroup *memcg)
{
	for (struct page *page = pages; page < pages + nr; page++) {
		page->memcg = memcg;
		page->flags = (page->flags & ~(1UL << PG_memcg)) | (memcg ? 1UL << PG_memcg : 0);
	}
}

/* The running task's group with a reference, or NULL. */
struct mem_cgroup *get_current_memcg(void)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	do {
		memcg = task_memcg(current);
	} while (memcg && !css_tryget(&memcg->css));	/* just removed: it has been moved */
	rcu_read_unlock();
	return memcg;
}

/* The quick way: the CPU has some of the group's. */
static bool charge_from_stock(struct page *page)
{
	struct mem_cgroup *memcg;
	bool done;

	rcu_read_lock();
	memcg = task_memcg(current);
	done = !memcg || take_from_stock(memcg, 1);
	if (done)
		set_owner(page, 1, memcg);
	rcu_read_unlock();
	return done;
}

int memcg_charge_pages(struct mem_cgroup *memcg, struct page *pages, unsigned long nr, gfp_t gfp)
{
	int err = charge(memcg, nr, gfp);

	if (err)
		return err;
	set_owner(pages, nr, memcg);
	note_over_high(memcg);
	return 0;
}

int __mem_cgroup_charge(struct page *pages, unsigned long nr, gfp_t gfp)
{
	struct mem_cgroup *memcg;
	int err;

	if (pages->memcg || (nr == 1 && charge_from_stock(pages)))
		return 0;
	memcg = get_current_memcg();
	if (!memcg)
		return 0;
	err = memcg_charge_pages(memcg, pages, nr, gfp);
	css_put(&memcg->css);
	return err;
}

void __mem_cgroup_charge_as(struct page *pages, unsigned long nr, const struct page *like)
{
	charge_anyway(like->memcg, nr);
	set_owner(pages, nr, like->memcg);
}

/* All of one group, and of one kind.  A group counts its anonymous pages until they are freed, whether mapped or not. */
void __mem_cgroup_uncharge(struct page *pages, unsigned long nr, bool anon)
{
	struct mem_cgroup *memcg = pages->memcg;

	if (anon)
		__mod_memcg_state(memcg, NR_ANON_MAPPED, -(long)nr);
	set_owner(pages, nr, NULL);
	put_into_stock(memcg, (unsigned int)nr);
}

bool mem_cgroup_fault_failed(void)
{
	bool failed = current->memcg_nomem;

	current->memcg_nomem = false;
	return failed;
}

/* ---- limits ---- */

void mem_cgroup_set_max(struct mem_cgroup *memcg, unsigned long max)
{
	unsigned int round = 0;
	unsigned long now;

	WRITE_ONCE(memcg->counter[MEMCG_MEMORY].max, max);
	while ((now = memcg_pages(memcg, MEMCG_MEMORY)) > max && !signal_pending(current)) {
		if (drain_stocks(memcg) || try_to_free_mem_cgroup_pages(memcg, now - max, GFP_KERNEL, true))
			continue;
		if (++round % RECLAIM_ROUNDS == 0 && !kill_in_group(memcg, GFP_KERNEL))
			break;
	}
}

unsigned long mem_cgroup_reclaim(struct mem_cgroup *memcg, unsigned long nr)
{
	drain_stocks(memcg);
	return try_to_free_mem_cgroup_pages(memcg, nr, GFP_KERNEL, true);
}

/* ---- the life of a group ---- */

bool memcg_is_below(const struct mem_cgroup *memcg, const struct mem_cgroup *top)
{
	while (memcg != top && memcg)
		memcg = memcg_parent(memcg);
	return memcg == top;
}

struct mem_cgroup *memcg_next(const struct mem_cgroup *top, struct mem_cgroup *pos)
{
	struct mem_cgroup *next = NULL;
	struct list_head *at;

	if (!pos && !READ_ONCE(memcg_in_use))
		return NULL;
	spin_lock(&memcg_lock);
	for (at = pos ? pos->node.next : memcg_list.next; at != &memcg_list; at = at->next) {
		struct mem_cgroup *memcg = list_entry(at, struct mem_cgroup, node);

		if (memcg_is_below(memcg, top) && css_tryget(&memcg->css)) {
			next = memcg;
			break;
		}
	}
	spin_unlock(&memcg_lock);
	if (pos)
		css_put(&pos->css);
	return next;
}

static void free_parts(struct mem_cgroup *memcg)
{
	for (unsigned long i = 0; i < ARRAY_SIZE(memcg->lruvec); i++)
		kfree(memcg->lruvec[i]);
	kfree(memcg->cpu);
	kfree(memcg);
}

static int alloc_parts(struct mem_cgroup *memcg)
{
	struct zone *zone;

	memcg->cpu = kcalloc(nr_cpu_ids, sizeof(*memcg->cpu), GFP_KERNEL);
	if (!memcg->cpu)
		return -ENOMEM;
	for_each_populated_zone(zone) {
		struct lruvec *lruvec = kzalloc(sizeof(*lruvec), GFP_KERNEL);

		if (!lruvec)
			return -ENOMEM;
		lruvec_init(lruvec, memcg);
		memcg->lruvec[zone_id(zone)] = lruvec;
	}
	return 0;
}

struct mem_cgroup *mem_cgroup_alloc(void)
{
	struct mem_cgroup *memcg = kzalloc(sizeof(*memcg), GFP_KERNEL);
	int id;

	if (!memcg)
		return ERR_PTR(-ENOMEM);
	for (int i = 0; i < MEMCG_RESOURCES; i++)
		memcg->counter[i].max = memcg->counter[i].high = MEMCG_NO_LIMIT;
	id = alloc_parts(memcg);
	if (!id)
		id = ida_alloc_range(&memcg_ids, 1, U16_MAX, GFP_KERNEL);
	if (id < 0)
		goto no_id;
	memcg->id = (u16)id;
	id = xa_err(xa_store(&memcg_by_id, memcg->id, memcg, GFP_KERNEL));
	if (id)
		goto no_place;
	return memcg;
no_place:
	ida_free(&memcg_ids, memcg->id);
no_id:
	free_parts(memcg);
	return ERR_PTR(id);
}

void mem_cgroup_online(struct mem_cgroup *memcg)
{
	spin_lock(&memcg_lock);
	list_add_tail(&memcg->node, &memcg_list);
	WRITE_ONCE(memcg_in_use, true);
	spin_unlock(&memcg_lock);
}

/* No task is subject to it any more: what it has left are pages. */
void mem_cgroup_offline(struct mem_cgroup *memcg)
{
	WRITE_ONCE(memcg->offline, true);
	drain_stocks(memcg);
}

void mem_cgroup_free(struct mem_cgroup *memcg)
{
	for (int i = 0; i < MEMCG_RESOURCES; i++)
		WARN_ON_ONCE(atomic_long_read(&memcg->counter[i].pages));
	memcg_stat_inherit(memcg);
	spin_lock(&memcg_lock);
	list_del(&memcg->node);
	WRITE_ONCE(memcg_in_use, !list_empty(&memcg_list));
	spin_unlock(&memcg_lock);
	xa_erase(&memcg_by_id, memcg->id);
	ida_free(&memcg_ids, memcg->id);
	free_parts(memcg);
}

static int __init memcg_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(&memcg_stock, cpu)->lock);
	return 0;
}
core_initcall(memcg_init);
