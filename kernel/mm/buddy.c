/*
 * buddy.c: free memory in blocks of 2^order frames, what moves kept apart from what does not.
 *
 * Idea:    a block and its buddy (the block whose number differs in the lowest bit) become one block of the next order when
 *          both are free, so memory joins up again as it is freed.
 *          One page that never moves makes 2 MiB useless for a huge page.  So each aligned 2 MiB, a page block, has a kind:
 *          for pages that can be moved elsewhere, for the kernel's that come back when asked for (dentries, inodes), and for
 *          all else (tables, stacks, slabs).  A free block is on its kind's list, and requests are served from there.
 *
 *          a request of kind K takes, in this order:
 *            1. the smallest block on K's lists
 *            2. a whole free page block of another kind, which becomes K's
 *            3. (the caller brings fresh memory, page_init.c, and starts again)
 *            4. pieces.  What moves takes single ones from anywhere: it can be moved away again.  What does not takes them
 *               where something of its sort lies already; else it makes a page block of movable pages its own: that one is
 *               lost for huge pages with the first page, so it may as well serve all that come after.
 *
 * States:  in a free list: PG_buddy, order in page->private, count 0.
 * Locking: zone->lock, irq-safe, a leaf.  A page block's kind is read without: what is freed onto another kind's list of a CPU
 *          finds the right one when it comes back here.
 * Cost:    O(orders); 4 walks the 512 struct pages of a page block, once for each that changes its kind.
 * See:     spec.md §6 "buddy system"; page_alloc.c, whose CPU lists stand in front of this; /proc/pagetypeinfo;
 *          doc/memory.md "High orders" for what it is worth
 */
#include <weft/kernel.h>
#include <weft/memblock.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/string.h>
#include "internal.h"
#include "page_alloc.h"

u8 *pageblock_kinds;

/* Where else to look, the first before the second. */
static const enum migratetype others[MIGRATE_TYPES][MIGRATE_TYPES - 1] = {
	[MIGRATE_UNMOVABLE]	= { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
	[MIGRATE_MOVABLE]	= { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	[MIGRATE_RECLAIMABLE]	= { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
};

void __init pageblocks_init(void)
{
	unsigned long blocks = DIV_ROUND_UP(max_pfn, MAX_ORDER_NR_PAGES) * (MAX_ORDER_NR_PAGES >> PAGEBLOCK_ORDER);

	pageblock_kinds = memblock_alloc(blocks, SMP_CACHE_BYTES);
	memset(pageblock_kinds, MIGRATE_MOVABLE, blocks);
}

/* The page blocks that 2^order frames from pfn on lie in. */
static void set_kind(unsigned long pfn, unsigned int order, enum migratetype kind)
{
	unsigned long last = pfn + (1UL << order) - 1;

	memset(pageblock_kinds + (pfn >> PAGEBLOCK_ORDER), kind, (last >> PAGEBLOCK_ORDER) - (pfn >> PAGEBLOCK_ORDER) + 1);
}

/* ---- on and off the lists ---- */

static __always_inline void add_to_free_list(struct page *page, struct free_area *area, unsigned int order,
					     enum migratetype kind)
{
	page->private = order;
	__SetPageBuddy(page);
	list_add(&page->lru, &area->free_list[kind]);
	area->nr_free++;
}

static __always_inline void del_from_free_list(struct page *page, struct free_area *area)
{
	__list_del_entry(&page->lru);
	__ClearPageBuddy(page);
	page->private = 0;
	area->nr_free--;
}

void __take_free_block(struct page *page, struct zone *zone)
{
	unsigned int order = (unsigned int)page->private;

	lockdep_assert_held(&zone->lock);
	del_from_free_list(page, &zone->free_area[order]);
	WRITE_ONCE(zone->free_pages, zone->free_pages - (1UL << order));
}

/* A buddy lies in the same 4 MiB, thus in the same chunk: its struct page exists. */
void __free_one_page(struct page *page, unsigned long pfn, struct zone *zone, unsigned int order)
{
	struct free_area *area = &zone->free_area[order];

	lockdep_assert_held(&zone->lock);
	WRITE_ONCE(zone->free_pages, zone->free_pages + (1UL << order));
	for (; order < MAX_ORDER - 1; order++, area++) {
		unsigned long buddy_pfn = pfn ^ (1UL << order);
		struct page *buddy = page + (buddy_pfn - pfn);

		if (!PageBuddy(buddy) || buddy->private != order)
			break;
		del_from_free_list(buddy, area);
		page -= pfn & (1UL << order);
		pfn &= buddy_pfn;
	}
	if (unlikely(order > PAGEBLOCK_ORDER))
		set_kind(pfn, order, pageblock_kind(pfn));
	add_to_free_list(page, area, order, pageblock_kind(pfn));
}

/* Of a block that is off the lists, all but the first 2^order frames go back, half by half. */
static __always_inline void give_back_rest(struct page *page, struct zone *zone, unsigned int from, unsigned int order,
					   enum migratetype kind) __must_hold(&zone->lock)
{
	while (from > order) {
		from--;
		add_to_free_list(page + (1UL << from), &zone->free_area[from], from, kind);
	}
}

static struct page *first_free(struct zone *zone, unsigned int order, enum migratetype kind)
{
	return list_first_entry_or_null(&zone->free_area[order].free_list[kind], struct page, lru);
}

/* ---- taking ---- */

/* Step 1, and a piece of another kind's in step 4. */
static __always_inline struct page *take_smallest(struct zone *zone, unsigned int order, enum migratetype kind)
	__must_hold(&zone->lock)
{
	for (unsigned int o = order; o < MAX_ORDER; o++) {
		struct page *page = first_free(zone, o, kind);

		if (!page)
			continue;
		del_from_free_list(page, &zone->free_area[o]);
		give_back_rest(page, zone, o, order, kind);
		return page;
	}
	return NULL;
}

/* Step 2. */
static struct page *take_whole_pageblock(struct zone *zone, unsigned int order, enum migratetype kind)
	__must_hold(&zone->lock)
{
	unsigned int least = max(order, (unsigned int)PAGEBLOCK_ORDER);

	for (unsigned int o = least; o < MAX_ORDER; o++) {
		for (int i = 0; i < MIGRATE_TYPES - 1; i++) {
			enum migratetype other = others[kind][i];
			struct page *page = first_free(zone, o, other);

			if (!page)
				continue;
			del_from_free_list(page, &zone->free_area[o]);
			give_back_rest(page, zone, o, least, other);
			set_kind(page_to_pfn(page), least, kind);
			give_back_rest(page, zone, least, order, kind);
			return page;
		}
	}
	return NULL;
}

/* The page block about a frame, and its free pieces, become `kind`'s. */
static void convert_pageblock(struct zone *zone, unsigned long pfn, enum migratetype kind) __must_hold(&zone->lock)
{
	unsigned long start = pfn & ~(PAGEBLOCK_PAGES - 1);

	set_kind(start, PAGEBLOCK_ORDER, kind);
	for (unsigned long at = start; at < start + PAGEBLOCK_PAGES; ) {
		struct page *page = pfn_to_page(at);

		if (!PageBuddy(page)) {
			at++;
			continue;
		}
		list_move(&page->lru, &zone->free_area[page->private].free_list[kind]);
		at += 1UL << page->private;
	}
}

/* Step 4 for what does not move: the page block with the largest piece of movable memory changes its kind. */
static struct page *convert_and_take(struct zone *zone, unsigned int order, enum migratetype kind) __must_hold(&zone->lock)
{
	for (int o = MAX_ORDER - 1; o >= (int)order; o--) {
		struct page *page = first_free(zone, (unsigned int)o, MIGRATE_MOVABLE);

		if (!page)
			continue;
		convert_pageblock(zone, page_to_pfn(page), kind);
		return take_smallest(zone, order, kind);
	}
	return NULL;
}

/* Step 4. */
static struct page *take_piece(struct zone *zone, unsigned int order, enum migratetype kind) __must_hold(&zone->lock)
{
	struct page *page = take_smallest(zone, order, others[kind][0]);

	if (page)
		return page;
	return kind == MIGRATE_MOVABLE ? take_smallest(zone, order, others[kind][1]) : convert_and_take(zone, order, kind);
}

static struct page *take_block(struct zone *zone, unsigned int order, enum migratetype kind, bool pieces)
	__must_hold(&zone->lock)
{
	struct page *page = take_smallest(zone, order, kind);

	if (unlikely(!page))
		page = take_whole_pageblock(zone, order, kind);
	if (unlikely(!page) && pieces)
		page = take_piece(zone, order, kind);
	return page;
}

unsigned int take_blocks(struct zone *zone, unsigned int order, enum migratetype kind, unsigned int n, struct list_head *list)
{
	bool pieces = !READ_ONCE(zone->fresh_pages);
	unsigned int got = 0;

	for (;;) {
		spin_lock(&zone->lock);
		for (; got < n; got++) {
			struct page *page = take_block(zone, order, kind, pieces);

			if (!page)
				break;
			list_add_tail(&page->lru, list);
		}
		WRITE_ONCE(zone->free_pages, zone->free_pages - ((unsigned long)got << order));
		spin_unlock(&zone->lock);
		if (got || pieces)
			return got;
		pieces = !grow_zone(zone, max(order, (unsigned int)PAGEBLOCK_ORDER));
	}
}

/* ---- /proc/pagetypeinfo ---- */

static const char *const kind_names[MIGRATE_TYPES] = {
	[MIGRATE_UNMOVABLE] = "Unmovable", [MIGRATE_MOVABLE] = "Movable", [MIGRATE_RECLAIMABLE] = "Reclaimable",
};

/* Interrupts are off while the lists are counted: only root may ask. */
static void show_free_blocks(struct seq_file *m, struct zone *zone)
{
	for (int kind = 0; kind < MIGRATE_TYPES; kind++) {
		unsigned long blocks[MAX_ORDER] = { };

		spin_lock_irq(&zone->lock);
		for (int order = 0; order < MAX_ORDER; order++) {
			const struct list_head *at;

			list_for_each(at, &zone->free_area[order].free_list[kind])
				blocks[order]++;
		}
		if (kind == MIGRATE_MOVABLE)		/* what has no struct pages yet will come as the largest blocks */
			blocks[MAX_ORDER - 1] += zone->fresh_pages / MAX_ORDER_NR_PAGES;
		spin_unlock_irq(&zone->lock);
		seq_printf(m, "Node %4d, zone %8s, type %12s ", zone->node, zone->name, kind_names[kind]);
		for (int order = 0; order < MAX_ORDER; order++)
			seq_printf(m, "%6lu ", blocks[order]);
		seq_putc(m, '\n');
	}
}

static void show_pageblocks(struct seq_file *m, const struct zone *zone)
{
	unsigned long blocks[MIGRATE_TYPES] = { [MIGRATE_MOVABLE] = READ_ONCE(zone->fresh_pages) / PAGEBLOCK_PAGES };

	for (unsigned long pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone); pfn += PAGEBLOCK_PAGES)
		if (pfn_valid(pfn) && page_zone(pfn_to_page(pfn)) == zone)
			blocks[pageblock_kind(pfn)]++;
	seq_printf(m, "Node %d, zone %8s ", zone->node, zone->name);
	for (int kind = 0; kind < MIGRATE_TYPES; kind++)
		seq_printf(m, "%12lu ", blocks[kind]);
	seq_putc(m, '\n');
}

static int pagetypeinfo_show(struct seq_file *m, void *v)
{
	struct zone *zone;

	seq_printf(m, "Page block order: %d\nPages per block:  %lu\n\nFree pages count per migrate type at order ",
		   PAGEBLOCK_ORDER, PAGEBLOCK_PAGES);
	for (int order = 0; order < MAX_ORDER; order++)
		seq_printf(m, "%6d ", order);
	seq_putc(m, '\n');
	for_each_populated_zone(zone)
		show_free_blocks(m, zone);
	seq_printf(m, "\n%-23s", "Number of blocks type ");
	for (int kind = 0; kind < MIGRATE_TYPES; kind++)
		seq_printf(m, "%12s ", kind_names[kind]);
	seq_putc(m, '\n');
	for_each_populated_zone(zone)
		show_pageblocks(m, zone);
	return 0;
}

static int __init pagetypeinfo_init(void)
{
	proc_create_single("pagetypeinfo", 0400, NULL, pagetypeinfo_show);
	return 0;
}
fs_initcall(pagetypeinfo_init);
