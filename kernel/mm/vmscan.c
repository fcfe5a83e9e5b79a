/*
 * vmscan.c: direct reclaim: what a request does that found no page.
 *
 * Idea:    three sources, in rounds that press harder: clean pages of files that can be read again from their disk, the
 *          oldest first (one list, a page used since it was looked at last goes round once more); kernel objects, through
 *          shrinkers; empty slabs.  tmpfs and anonymous pages have no other home yet and stay.
 * Locking: lru_lock (irq-safe) guards the list.  A page on it has no reference for that: whoever takes one off for a look
 *          gets a reference with get_page_unless_zero(), which fails for a page on its way to being freed; the last
 *          put_page() takes it off the list.  page lock -> i_pages lock -> lru_lock.
 * Context: may sleep; PF_MEMALLOC is set, so what reclaim itself allocates comes from the reserves.
 * See:     spec.md §6 "swap" (later), shrinker.c, page_alloc.c direct_reclaim()
 */
#include <weft/kernel.h>
#include <weft/gfp.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/vmstat.h>
#include "internal.h"

#define RECLAIM_ROUNDS	6		/* the share of kernel objects is 1/32, 1/16, ... all */
#define WANTED_PAGES	32UL

void lru_cache_add(struct page *page)
{
	struct pglist_data *pgdat = page_pgdat(page);
	unsigned long flags;

	spin_lock_irqsave(&pgdat->lru_lock, flags);
	if (!PageLRU(page)) {
		SetPageLRU(page);
		list_add(&page->lru, &pgdat->lru);
		pgdat->nr_lru++;
		inc_node_state(NR_LRU_FILE);
	}
	spin_unlock_irqrestore(&pgdat->lru_lock, flags);
}

void lru_cache_del(struct page *page)
{
	struct pglist_data *pgdat = page_pgdat(page);
	unsigned long flags;

	spin_lock_irqsave(&pgdat->lru_lock, flags);
	if (PageLRU(page)) {
		ClearPageLRU(page);
		list_del(&page->lru);
		pgdat->nr_lru--;
		dec_node_state(NR_LRU_FILE);
	}
	spin_unlock_irqrestore(&pgdat->lru_lock, flags);
}

/* The oldest page, with a reference, moved to the young end; NULL when the list is empty. */
static struct page *next_victim(struct pglist_data *pgdat)
{
	struct page *page = NULL;

	spin_lock_irq(&pgdat->lru_lock);
	while (!page && !list_empty(&pgdat->lru)) {
		page = list_last_entry(&pgdat->lru, struct page, lru);
		list_move(&page->lru, &pgdat->lru);
		if (!get_page_unless_zero(page)) {
			/* Its last user is about to take it off the list, as soon as it gets the lock. */
			spin_unlock_irq(&pgdat->lru_lock);
			cpu_relax();
			spin_lock_irq(&pgdat->lru_lock);
			page = NULL;
		}
	}
	spin_unlock_irq(&pgdat->lru_lock);
	return page;
}

unsigned long shrink_lru(unsigned long nr_to_scan)
{
	struct pglist_data *pgdat = NODE_DATA(0);
	unsigned long on_list = data_race(READ_ONCE(pgdat->nr_lru)), scan = min(nr_to_scan, on_list), freed = 0;

	count_vm_events(PGSCAN_DIRECT, (long)scan);
	for (; scan; scan--) {
		struct page *page = next_victim(pgdat);

		if (!page)
			break;
		if (!TestClearPageReferenced(page) && trylock_page(page)) {
			if (page->mapping)
				freed += drop_clean_page(page->mapping, page);
			unlock_page(page);
		}
		put_page(page);
		cond_resched();
	}
	return freed;
}

unsigned long try_to_free_pages(unsigned int order, gfp_t gfp)
{
	unsigned long before = nr_free_pages(), freed = 0;

	for (unsigned int shift = RECLAIM_ROUNDS; shift-- > 0; ) {
		unsigned long now;

		/* Without __GFP_FS too: a clean page goes without a word to a lock of its file system. */
		shrink_lru(data_race(READ_ONCE(NODE_DATA(0)->nr_lru)) >> shift);
		shrink_slab(gfp, shift);
		slab_reclaim();
		now = nr_free_pages();
		freed = now > before ? now - before : 0;
		if (freed >= max(WANTED_PAGES, 1UL << order))
			break;
	}
	count_vm_events(PGSTEAL_DIRECT, (long)freed);
	return freed;
}
