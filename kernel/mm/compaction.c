/*
 * compaction.c: a free block where there are only free pages: what lies in between moves away.
 *
 * What:    a request of an order for which the buddy system has no block, although there is memory enough, takes an aligned
 *          range whose pages can all be moved, empties it, and gives it to the free lists as one block.
 * Idea:    one range at a time, the one with the least to move among some candidates.  Its free pages are taken out of the
 *          lists first, so that nobody, and we ourselves least of all, moves pages into what is being emptied; its used pages
 *          go where the allocator puts them.  If one page will not move, all is given back: nothing is lost but time.
 *
 *              range:  free | anon | free | cache | anon | free
 *              1. free pieces taken off the free lists (ours now)
 *              2. each used page: isolated, locked, migrate_page(); its frame stays with us
 *              3. all 2^order frames are ours: one free block
 *
 * Limits:  slabs, page tables, kernel stacks, pinned pages do not move; nor does a page that processes share after fork
 *          (migrate.c).  A range with one of these is no candidate.
 *          After failures a zone is left alone for ever more requests (as many as 64), so that a machine whose memory is full
 *          of what does not move does not pay for nothing.
 * Locking: zone->lock for the free lists; page lock only tried; no lock is held while a page moves.  The look at a range is
 *          without locks: what it saw may change, which migrate_page() and the free lists' own marks notice.
 * Cost:    the search reads up to CANDIDATES ranges' struct pages; then one copy for each page that moves.
 * See:     spec.md §6 "compaction"; migrate.c; doc/memory.md "High orders" has the measured success
 */
#include <weft/kernel.h>
#include <weft/mempolicy.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "page_alloc.h"

#define CANDIDATES	128		/* ranges looked at for one request */
#define MAX_TRIES	4		/* ranges tried for it */
#define MAX_DEFER_SHIFT	6

/* ---- choosing ---- */

/* Pages of the range that would have to move; ULONG_MAX: one of them cannot. */
static unsigned long pages_to_move(unsigned long start, unsigned long end, unsigned long most)
{
	unsigned long n = 0;

	for (unsigned long pfn = start; pfn < end; ) {
		struct page *page = pfn_to_page(pfn);

		if (PageBuddy(page)) {
			pfn += 1UL << min(READ_ONCE(page->private), (unsigned long)MAX_ORDER - 1);
			continue;
		}
		if (!PageLRU(page) || PageCompound(page) || page_mapcount(page) > 1 || PageWriteback(page) || ++n > most)
			return ULONG_MAX;
		pfn++;
	}
	return n;
}

static bool was_tried(unsigned long start, const unsigned long *tried, int nr_tried)
{
	while (nr_tried-- > 0)
		if (tried[nr_tried] == start)
			return true;
	return false;
}

/* The range of the order, from *cursor on and round the zone, that has least to move and was not tried.  0: none. */
static unsigned long choose_range(struct zone *zone, unsigned int order, unsigned long *cursor, const unsigned long *tried,
				  int nr_tried)
{
	unsigned long size = 1UL << order, end = zone_end_pfn(zone) & ~(size - 1), best = 0, least = size - size / 8;
	unsigned long first = ALIGN(zone->zone_start_pfn, size), ranges = (end - first) >> order;

	for (unsigned long i = 0; end > first && i < min(ranges, (unsigned long)CANDIDATES) && least; i++) {
		unsigned long start = max(*cursor, first), n;

		if (start >= end)
			start = first;
		*cursor = start + size;
		if (was_tried(start, tried, nr_tried) || !pfn_valid(start) || !pfn_valid(start + size - 1) ||
		    page_zone(pfn_to_page(start)) != zone)
			continue;
		n = pages_to_move(start, start + size, least);
		if (n < least || (n == least && !best)) {
			best = start;
			least = n;
		}
		cond_resched();
	}
	return best;
}

/* ---- emptying ---- */

/* The frames of a range that are ours: bit i. */
struct capture {
	unsigned long	start, nr;
	unsigned long	ours[BITS_TO_LONGS(MAX_ORDER_NR_PAGES)];
};

/* Step 1.  A free block larger than the range would have served the request: there is none. */
static void capture_free(struct zone *zone, struct capture *c)
{
	spin_lock_irq(&zone->lock);
	for (unsigned long i = 0; i < c->nr; i++) {
		struct page *page = pfn_to_page(c->start + i);
		unsigned long pieces;

		if (!PageBuddy(page))
			continue;
		pieces = 1UL << page->private;
		if (i + pieces > c->nr)
			break;
		__take_free_block(page, zone);
		for (unsigned long n = 0; n < pieces; n++)
			__set_bit(i + n, c->ours);
		i += pieces - 1;
	}
	spin_unlock_irq(&zone->lock);
}

/* Step 2, one page.  True: what it held is elsewhere, and our reference is its only one. */
static bool evacuate(struct page *page, struct zone *zone)
{
	struct page *new;
	bool done = false;

	if (!isolate_lru_page(page))
		return false;
	new = alloc_pages_node(zone->node, GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM, 0);
	if (!new) {
		putback_lru_page(page);
		return false;
	}
	if (trylock_page(page)) {
		done = !migrate_page(page, new, false);
		unlock_page(page);
	} else {
		put_page(new);
	}
	if (!done)
		putback_lru_page(page);
	return done;
}

static bool capture_used(struct zone *zone, struct capture *c)
{
	for (unsigned long i = 0; i < c->nr; i++) {
		struct page *page = pfn_to_page(c->start + i);

		if (test_bit(i, c->ours))
			continue;
		if (!evacuate(page, zone))
			return false;
		if (!page_ref_freeze(page, 1)) {	/* a look-up that came too late will put it */
			put_page(page);
			return false;
		}
		page->flags &= PAGE_FLAGS_ZONE_MASK;
		__set_bit(i, c->ours);
	}
	return true;
}

/* Step 3: all of it as one block, or the pieces that are ours. */
static void release(struct zone *zone, struct capture *c, bool whole)
{
	unsigned int order = whole ? (unsigned int)ilog2(c->nr) : 0;

	spin_lock_irq(&zone->lock);
	for (unsigned long i = 0; i < c->nr; i += 1UL << order)
		if (whole || test_bit(i, c->ours))
			__free_one_page(pfn_to_page(c->start + i), c->start + i, zone, order);
	spin_unlock_irq(&zone->lock);
}

static bool empty_range(struct zone *zone, unsigned long start, unsigned int order)
{
	struct capture *c = kzalloc(sizeof(*c), GFP_NOWAIT | __GFP_NOWARN);
	bool whole;

	if (!c)
		return false;
	c->start = start;
	c->nr = 1UL << order;
	capture_free(zone, c);
	whole = capture_used(zone, c);
	release(zone, c, whole);
	kfree(c);
	return whole;
}

/* ---- when ---- */

static bool deferred(struct zone *zone)
{
	unsigned int shift = min(zone->compact_failed, (unsigned int)MAX_DEFER_SHIFT);

	if (!shift || ++zone->compact_skipped >= 1U << shift)
		zone->compact_skipped = 0;
	return zone->compact_skipped;
}

/* What moves needs room besides: twice the block, above the reserve. */
static bool worth_trying(struct zone *zone, unsigned int order)
{
	return populated_zone(zone) && zone_free_pages(zone) >= zone->watermark[WMARK_LOW] + (2UL << order) && !deferred(zone);
}

static bool compact_zone(struct zone *zone, unsigned int order)
{
	unsigned long tried[MAX_TRIES];

	for (int i = 0; i < MAX_TRIES; i++) {
		tried[i] = choose_range(zone, order, &zone->compact_cursor, tried, i);
		if (!tried[i])
			break;
		if (empty_range(zone, tried[i], order)) {
			zone->compact_failed = 0;
			return true;
		}
	}
	zone->compact_failed++;
	return false;
}

/* Of the zones on the list that the mask allows.  True: a block of the order came free.  May sleep. */
bool try_to_compact(unsigned int order, struct zone *const *zonelist, nodemask_t nodes)
{
	bool done = false, tried = false;
	struct zone *zone;

	for (; !done && (zone = *zonelist); zonelist++) {
		if ((nodes && !(nodes >> zone->node & 1)) || !worth_trying(zone, order))
			continue;
		if (!tried) {
			count_vm_event(COMPACT_STALL);
			drain_all_pages();	/* a page on a CPU's list looks as if it were used */
		}
		tried = true;
		done = compact_zone(zone, order);
	}
	if (tried)
		count_vm_event(done ? COMPACT_SUCCESS : COMPACT_FAIL);
	return done;
}
