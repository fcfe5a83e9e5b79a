/*
 * vmscan.c: reclaim: memory that is not used goes, so that what is used stays.
 *
 * What:    balance: kswapd sleeps until a zone falls below its low mark and works until all are above their high mark.  A
 *          request that finds no page above the min mark reclaims for itself (direct reclaim).
 * Idea:    rounds with falling priority look at ever larger shares of each zone's inactive lists (2^-12 .. all), refill
 *          them from the active ones, and press the shrinkers in the same proportion.  How much of the share is taken from
 *          anonymous pages and how much from files follows from swappiness and from how many of each kind turned out to be
 *          in use lately: a kind of which most pages come back is left alone.
 *
 *          alloc_pages: below low --------> wakeup_kswapd          kswapd: balance_pgdat until high
 *                       below min --------> try_to_free_pages      both:   shrink_zone -> isolate -> shrink_page_list
 *                       nothing came free -> OOM killer                    shrink_slab
 *
 * Waking:  alloc                                   kswapd
 *          free < low                              prepare_to_wait; looks: free > high
 *          writes kswapd_order; wake_up                                           (free fell just now)
 *                                                  schedule(): runnable again: looks once more
 *          Either kswapd sees the low mark after it is on the queue, or the waker finds it there.
 *
 * Limits:  direct reclaim stops at WANTED_PAGES; PF_MEMALLOC keeps it from itself.  kswapd gives up after
 *          MAX_RECLAIM_RETRIES rounds without a page, until direct reclaim has freed one: else it would run for ever on a
 *          machine whose memory is all in use.
 * Locking: isolated pages belong to the one who isolated them; see lru.c, shrink_list.c.
 * See:     spec.md §6; seed 001's daemon that watches a mark; doc/reclaim.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/memcg.h>
#include <weft/pagemap.h>
#include <weft/proc_fs.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <weft/vmstat.h>
#include <weft/wait.h>
#include "internal.h"
#include "vmscan.h"

#define DEF_PRIORITY		12
#define WANTED_PAGES		32UL
#define MAX_RECLAIM_RETRIES	16

int vm_swappiness = 60;

/* Anonymous pages can go to a free slot, or to the one that they still have from the last time. */
static bool may_swap(gfp_t gfp)
{
	return (gfp & __GFP_IO) && (get_nr_swap_pages() || global_node_page_state(NR_SWAPCACHE));
}

/* ---- how much of what ---- */

/* Anonymous pages: the active list may be as long as sqrt(10 * GiB) times the inactive one; files: as long. */
static bool inactive_is_low(const struct lruvec *lruvec, bool file)
{
	unsigned long inactive = READ_ONCE(lruvec->nr[file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON]);
	unsigned long active = READ_ONCE(lruvec->nr[file ? LRU_ACTIVE_FILE : LRU_ACTIVE_ANON]);
	unsigned long gib = (inactive + active) >> (30 - PAGE_SHIFT);

	return inactive * (gib ? int_sqrt(10 * gib) : 1) < active;
}

/* What was learnt fades, so that the balance follows what programs do now. */
static void age_history(struct lruvec *lruvec)
{
	spin_lock_irq(&lruvec->lru_lock);
	for (int kind = 0; kind < 2; kind++) {
		enum lru_list base = kind ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;

		if (lruvec->recent_scanned[kind] > (lruvec->nr[base] + lruvec->nr[base + 1]) / 4) {
			lruvec->recent_scanned[kind] /= 2;
			lruvec->recent_rotated[kind] /= 2;
		}
	}
	spin_unlock_irq(&lruvec->lru_lock);
}

/* nr[kind]: pages of the inactive lists to look at, 0 anonymous, 1 files. */
static void get_scan_count(struct lruvec *lruvec, const struct scan_control *sc, unsigned long nr[2])
{
	unsigned long weight[2], total;

	age_history(lruvec);
	for (int kind = 0; kind < 2; kind++) {
		unsigned long prio = kind ? 200UL - (unsigned long)vm_swappiness : (unsigned long)vm_swappiness;

		weight[kind] = prio * (data_race(lruvec->recent_scanned[kind]) + 1) /
			       (data_race(lruvec->recent_rotated[kind]) + 1);
		if (prio && !weight[kind])
			weight[kind] = 1;	/* never given up altogether: only what is looked at can get better */
	}
	if (!sc->may_swap || (lruvec->memcg && !memcg_swap_room(lruvec->memcg)))
		weight[0] = 0;
	total = weight[0] + weight[1] + 1;
	for (int kind = 0; kind < 2; kind++) {
		enum lru_list base = kind ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
		unsigned long size = READ_ONCE(lruvec->nr[base]) + READ_ONCE(lruvec->nr[base + 1]);
		unsigned long share = max(size >> sc->priority, min(size, WANTED_PAGES));

		/* The last resort looks at all there is; before it, at what the weights say. */
		nr[kind] = !weight[kind] ? 0 : sc->priority ? share * weight[kind] / total + 1 : size;
		if (!size)
			nr[kind] = 0;
	}
}

/* ---- one set of lists ---- */

/* Pages of the active list become inactive, unless they are code in use: that is dear to read again. */
static void shrink_active_list(struct lruvec *lruvec, enum lru_list active)
{
	unsigned long scanned = 0, vm_flags;
	LIST_HEAD(pages);

	isolate_lru_pages(lruvec, active, WANTED_PAGES, &pages, &scanned);
	while (!list_empty(&pages)) {
		struct page *page = list_first_entry(&pages, struct page, lru);
		bool keep = false;

		list_del(&page->lru);
		if (page_mapped(page) && trylock_page(page)) {
			if (page_referenced(page, &vm_flags)) {
				note_rotated(page);
				keep = (vm_flags & VM_EXEC) && is_file_lru(active);
			}
			unlock_page(page);
		}
		if (!keep) {
			ClearPageActive(page);
			count_vm_event(PGDEACTIVATE);
		}
		putback_lru_page(page);
		cond_resched();
	}
}

static unsigned long shrink_inactive_list(struct lruvec *lruvec, enum lru_list lru, unsigned long nr,
					  struct scan_control *sc)
{
	unsigned long scanned = 0, freed;
	LIST_HEAD(pages);

	isolate_lru_pages(lruvec, lru, min(nr, WANTED_PAGES), &pages, &scanned);
	sc->scanned += scanned;
	count_vm_events(sc->kswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, (long)scanned);
	count_vm_events(is_file_lru(lru) ? PGSCAN_FILE : PGSCAN_ANON, (long)scanned);
	freed = shrink_page_list(&pages, sc);
	count_vm_events(sc->kswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, (long)freed);
	sc->reclaimed += freed;
	if (lruvec->memcg) {
		__count_memcg_event(lruvec->memcg, sc->kswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, scanned);
		__count_memcg_event(lruvec->memcg, sc->kswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, freed);
	}
	return scanned;
}

static bool reclaimed_enough(const struct scan_control *sc)
{
	return sc->reclaimed >= sc->nr_to_reclaim && sc->priority < DEF_PRIORITY;
}

static void shrink_kind(struct lruvec *lruvec, bool file, unsigned long nr, struct scan_control *sc)
{
	enum lru_list inactive = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;

	while (nr) {
		unsigned long scanned;

		if (inactive_is_low(lruvec, file))
			shrink_active_list(lruvec, inactive + 1);
		scanned = shrink_inactive_list(lruvec, inactive, nr, sc);
		if (!scanned || reclaimed_enough(sc))
			break;
		nr -= min(nr, scanned);
	}
}

/* Of a group that is partly protected a smaller share is looked at. */
static void shrink_lruvec(struct lruvec *lruvec, struct scan_control *sc)
{
	unsigned long nr[2];

	get_scan_count(lruvec, sc, nr);
	shrink_kind(lruvec, true, nr[1] - (nr[1] * sc->spared >> SPARED_SHIFT), sc);
	shrink_kind(lruvec, false, nr[0] - (nr[0] * sc->spared >> SPARED_SHIFT), sc);
}

/* Its sets of lists in turn, so that none is always the first. */
static void shrink_zone(struct zone *zone, struct scan_control *sc)
{
	static unsigned int turn;		/* [-] */
	unsigned int first = data_race(turn++);

	for (unsigned int i = 0; i < LRU_SETS && !(i && reclaimed_enough(sc)); i++)
		shrink_lruvec(&zone->lruvec[(first + i) % LRU_SETS], sc);
}

static bool wants_zone(const struct zone *zone, const struct scan_control *sc)
{
	return !sc->nodes || (sc->nodes >> zone->node & 1);
}

/* The lists of groups that are not protected: of sc->memcg and those below it, or of all. */
static void shrink_groups(struct scan_control *sc)
{
	struct mem_cgroup *memcg;
	struct zone *zone;

	for_each_memcg(memcg, sc->memcg) {
		if (memcg_spared(memcg, sc))
			continue;
		for_each_populated_zone(zone)
			if (wants_zone(zone, sc))
				shrink_lruvec(memcg->lruvec[zone_id(zone)], sc);
	}
	sc->spared = 0;
}

/* All zones of the wanted nodes, and the shrinkers, once, at sc->priority. */
static void shrink_node(struct scan_control *sc)
{
	unsigned long before = nr_free_pages(), now;
	struct zone *zone;

	reclaim_enter(RECLAIM_PAGES);
	for_each_populated_zone(zone)
		if (!sc->memcg && wants_zone(zone, sc))
			shrink_zone(zone, sc);
	shrink_groups(sc);
	reclaim_exit(RECLAIM_PAGES);
	if (sc->memcg)
		return;				/* what shrinkers and slabs give up is nobody's */
	if (sc->gfp & __GFP_FS) {
		reclaim_enter(RECLAIM_FS);
		shrink_slab(sc->gfp, (unsigned int)sc->priority);
		reclaim_exit(RECLAIM_FS);
	}
	slab_reclaim();
	now = nr_free_pages();
	/* Slabs come free as pages without being counted: what is free now and was not is progress as well. */
	if (now > before)
		sc->reclaimed = max(sc->reclaimed, now - before);
}

/*
 * A round gave nothing because what it met is yet to be written: wait until some page is, a tenth of a second at most (who
 * writes may itself be waiting for memory).  Without __GFP_IO the caller may be the one who writes.
 */
static void wait_for_writers(struct scan_control *sc, unsigned long reclaimed_before)
{
	if (sc->unwritten && sc->reclaimed == reclaimed_before && (sc->gfp & __GFP_IO)) {
		DEFINE_WAIT(wait);
		struct wait_queue_head *queue = &first_node.reclaim_wait;	/* one for all nodes */

		count_vm_event(RECLAIM_THROTTLED);
		prepare_to_wait(queue, &wait, TASK_UNINTERRUPTIBLE);
		schedule_timeout(HZ / 10);
		finish_wait(queue, &wait);
	}
	sc->unwritten = 0;
}

/* ---- direct reclaim ---- */

/* Rounds of falling priority until there is enough; if that gave nothing, once more without regard to memory.low. */
static void shrink_until_enough(struct scan_control *sc)
{
	for (sc->priority = DEF_PRIORITY; sc->priority >= 0; sc->priority--) {
		unsigned long before = sc->reclaimed;

		shrink_node(sc);
		if (sc->reclaimed >= sc->nr_to_reclaim)
			break;
		wait_for_writers(sc, before);
		if (!sc->priority && !sc->reclaimed && sc->skipped_low && !sc->reclaim_low) {
			sc->reclaim_low = true;
			sc->priority = DEF_PRIORITY;
		}
	}
}

/* Without __GFP_FS too: a clean page of a file goes without a word to a lock of its file system. */
unsigned long try_to_free_pages(unsigned int order, gfp_t gfp, nodemask_t nodes)
{
	struct scan_control sc = {
		.gfp = gfp, .order = order, .nodes = nodes, .nr_to_reclaim = max(WANTED_PAGES, 1UL << order),
		.may_swap = may_swap(gfp),
	};
	int nid;

	shrink_until_enough(&sc);
	if (sc.reclaimed)
		for_each_online_node(nid)
			WRITE_ONCE(node_data[nid]->kswapd_failures, 0);
	return sc.reclaimed;
}

/* ---- a group's limit ---- */

unsigned long try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp, bool swap)
{
	struct scan_control sc = {
		.gfp = gfp, .memcg = memcg, .nr_to_reclaim = max(WANTED_PAGES, nr), .may_swap = swap && may_swap(gfp),
	};
	unsigned int had = memalloc_noreclaim_save();

	shrink_until_enough(&sc);
	memalloc_noreclaim_restore(had);
	return sc.reclaimed;
}

/* ---- by hand ---- */

static void shrink_file_lists(struct lruvec *lruvec, unsigned long nr_to_scan, struct scan_control *sc)
{
	unsigned long size = READ_ONCE(lruvec->nr[LRU_INACTIVE_FILE]) + READ_ONCE(lruvec->nr[LRU_ACTIVE_FILE]);

	shrink_kind(lruvec, true, min(nr_to_scan, size), sc);
}

/* Pages of files for drop_caches, nr_to_scan of each set of lists, used or not.  Pages freed. */
unsigned long shrink_lru(unsigned long nr_to_scan)
{
	struct scan_control sc = { .gfp = GFP_KERNEL, .nr_to_reclaim = ULONG_MAX, .ignore_references = true };
	struct mem_cgroup *memcg;
	struct lruvec *lruvec;
	struct zone *zone;

	for_each_populated_zone(zone)
		for_each_lruvec(lruvec, zone)
			shrink_file_lists(lruvec, nr_to_scan, &sc);
	for_each_memcg(memcg, NULL)
		for_each_populated_zone(zone)
			shrink_file_lists(memcg->lruvec[zone_id(zone)], nr_to_scan, &sc);
	return sc.reclaimed;
}

unsigned long reclaim_pages(struct list_head *pages)
{
	struct scan_control sc = { .gfp = GFP_KERNEL, .may_swap = may_swap(GFP_KERNEL), .ignore_references = true };
	unsigned int had = memalloc_noreclaim_save();
	unsigned long freed = shrink_page_list(pages, &sc);

	memalloc_noreclaim_restore(had);
	return freed;
}

/* ---- kswapd ---- */

static bool all_zones_above(struct pglist_data *pgdat, enum zone_watermarks mark)
{
	struct zone *zone;

	for_each_node_zone(zone, pgdat)
		if (zone_free_pages(zone) <= zone->watermark[mark])
			return false;
	return true;
}

/* Works until every zone of the node is above its high mark, or nothing more can be had.  Pages freed. */
static unsigned long balance_pgdat(struct pglist_data *pgdat, unsigned int order)
{
	struct scan_control sc = {
		.gfp = GFP_KERNEL, .order = order, .nodes = 1UL << pgdat->node_id, .kswapd = true,
		.may_swap = may_swap(GFP_KERNEL),
	};

	count_vm_event(PAGEOUTRUN);
	for (sc.priority = DEF_PRIORITY; sc.priority >= 1 && !all_zones_above(pgdat, WMARK_HIGH); sc.priority--) {
		unsigned long before = sc.reclaimed;

		sc.nr_to_reclaim = before + max(WANTED_PAGES, 1UL << order);
		shrink_node(&sc);
		if (kthread_should_stop())
			break;
		wait_for_writers(&sc, before);
		if (sc.reclaimed > before)
			sc.priority++;		/* it works: no need to press harder */
		cond_resched();
	}
	pgdat->kswapd_failures = sc.reclaimed ? 0 : pgdat->kswapd_failures + 1;
	return sc.reclaimed;
}

static bool kswapd_has_work(struct pglist_data *pgdat)
{
	return READ_ONCE(pgdat->kswapd_failures) < MAX_RECLAIM_RETRIES && !all_zones_above(pgdat, WMARK_LOW);
}

static int kswapd(void *data)
{
	struct pglist_data *pgdat = data;

	current->flags |= PF_MEMALLOC | PF_KSWAPD;
	while (!kthread_should_stop()) {
		unsigned long freed;

		wait_event_idle(pgdat->kswapd_wait, kswapd_has_work(pgdat) || kthread_should_stop());
		freed = balance_pgdat(pgdat, xchg(&pgdat->kswapd_order, 0));
		trace_mm_kswapd_sleep(freed, nr_free_pages());
		wake_up_all(&first_node.reclaim_wait);
	}
	return 0;
}

static void wakeup_node(struct pglist_data *pgdat, unsigned int order)
{
	if (!pgdat->kswapd || READ_ONCE(pgdat->kswapd_failures) >= MAX_RECLAIM_RETRIES)
		return;
	if (order > READ_ONCE(pgdat->kswapd_order))
		WRITE_ONCE(pgdat->kswapd_order, order);
	if (!waitqueue_active(&pgdat->kswapd_wait))
		return;
	count_vm_event(KSWAPD_WAKE);
	trace_mm_kswapd_wake(order, nr_free_pages());
	wake_up(&pgdat->kswapd_wait);
}

/* A request has found zones of these nodes below their low mark. */
void wakeup_kswapd(unsigned int order, nodemask_t nodes)
{
	int nid;

	for_each_online_node(nid)
		if (!nodes || (nodes >> nid & 1))
			wakeup_node(node_data[nid], order);
}

static const int zero_, two_hundred = 200, ten = 10;
static const struct ctl_table vm_table[] = {
	{ .procname = "swappiness", .data = &vm_swappiness, .maxlen = sizeof(int), .mode = 0644,
	  .handler = proc_dointvec_minmax, .extra1 = &zero_, .extra2 = &two_hundred },
	{ .procname = "page-cluster", .data = &page_cluster, .maxlen = sizeof(int), .mode = 0644,
	  .handler = proc_dointvec_minmax, .extra1 = &zero_, .extra2 = &ten },
	{ }
};

static int __init kswapd_init(void)
{
	int nid;

	for_each_online_node(nid) {
		struct task_struct *task = kthread_run(kswapd, node_data[nid], "kswapd%d", nid);

		if (IS_ERR(task))
			return PTR_ERR(task);
		node_data[nid]->kswapd = task;
	}
	return register_sysctl("vm", vm_table);
}
fs_initcall(kswapd_init);
