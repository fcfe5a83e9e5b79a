/*
 * page_alloc.h: what page_alloc.c, buddy.c, page_init.c and compaction.c show to each other.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include <weft/mm.h>

/* A chunk: the piece of memory whose struct pages come into being together.  16 MiB. */
#define CHUNK_ORDER		12
#define CHUNK_PAGES		(1UL << CHUNK_ORDER)
/* Frames that hold the struct pages of one chunk. */
#define CHUNK_MAP_PAGES		(CHUNK_PAGES * sizeof(struct page) / PAGE_SIZE)

/* A page block: 2 MiB, what a huge page wants. */
#define PAGEBLOCK_ORDER		9
#define PAGEBLOCK_PAGES		(1UL << PAGEBLOCK_ORDER)
extern u8 *pageblock_kinds;		/* [zone->lock to change] enum migratetype, by the frame's number >> PAGEBLOCK_ORDER */
void pageblocks_init(void);
static __always_inline enum migratetype pageblock_kind(unsigned long pfn) { return pageblock_kinds[pfn >> PAGEBLOCK_ORDER]; }
static __always_inline enum migratetype page_kind(const struct page *page)
{
	return pageblock_kinds[((unsigned long)page - VMEMMAP_START) / (sizeof(*page) * PAGEBLOCK_PAGES)];
}
/* From whose page blocks a request is served: bits 3 and 4 say it. */
static __always_inline enum migratetype gfp_kind(gfp_t gfp)
{
	BUILD_BUG_ON(__GFP_MOVABLE >> 3 != MIGRATE_MOVABLE || __GFP_RECLAIMABLE >> 3 != MIGRATE_RECLAIMABLE);
	return gfp >> 3 & 3;
}

/* Up to n blocks to the end of the list; returns how many.  Interrupts are off. */
unsigned int take_blocks(struct zone *zone, unsigned int order, enum migratetype kind, unsigned int n, struct list_head *list);
/* Puts a block into the free lists, joined with its free neighbours.  Its pages have count 0 and no flags. */
void __free_one_page(struct page *page, unsigned long pfn, struct zone *zone, unsigned int order) __must_hold(&zone->lock);
/* Takes one block, the page is its head, out of the lists. */
void __take_free_block(struct page *page, struct zone *zone) __must_hold(&zone->lock);
/* compaction.c.  True: a block of the order came free in one of the zones.  May sleep. */
bool try_to_compact(unsigned int order, struct zone *const *zonelist, nodemask_t nodes);
/* Gives the frames [start, end) of one zone to its free lists. */
void free_frames(struct zone *zone, unsigned long start_pfn, unsigned long end_pfn);
/* Brings one fresh chunk of the zone into being.  False: there is none left. */
bool grow_zone(struct zone *zone, unsigned int order);
void page_alloc_init(void);
void setup_per_zone_wmarks(void);

#endif
