/*
 * page_init.c: how memory comes to the page allocator: zones, watermarks, and struct pages made on demand.
 *
 * Idea:    fresh chunks.  A struct page for each frame costs 1.6 % of memory and, on a large machine, most of start-up.
 *          So memory is divided into chunks of 16 MiB, and a chunk that nobody has touched yet has no struct pages; it is
 *          only counted as free (zone->fresh_pages).  When the free lists cannot serve a request, grow_zone() takes one,
 *          puts its struct pages into its own first frames, and gives the rest to the free lists.
 *          Chunks with memory in use at start-up (the kernel image, the initramfs) or with holes get theirs at once.
 *
 *          chunk:   absent --page_alloc_init()--> present            present: struct pages exist
 *                   absent --page_alloc_init()--> fresh --grow_zone()--> present
 *
 * Locking: fresh_lock guards the step fresh -> present; the bit in chunk_present is set last, so pfn_valid() needs no lock.
 *          fresh_lock -> zone->lock.
 * Cost:    grow_zone(): about 4096 struct pages of two cache-line writes, some 50 microseconds, for each 16 MiB.
 * See:     spec.md §6 "page frames and zones"; page_alloc.c
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/kasan.h>
#include <weft/memblock.h>
#include <weft/percpu.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/trace.h>
#include <weft/vmstat.h>
#include "internal.h"
#include "page_alloc.h"

#define NR_CHUNKS	(MAX_PHYSMEM >> PAGE_SHIFT >> CHUNK_ORDER)
#define DMA32_END_PFN	(1UL << (32 - PAGE_SHIFT))

struct pglist_data first_node;
struct pglist_data *node_data[MAX_NUMNODES];
struct zone *zone_table[MAX_NUMNODES * MAX_NR_ZONES];
unsigned long max_pfn;
unsigned long min_free_kbytes;

static DEFINE_SPINLOCK(fresh_lock);
static unsigned long chunk_present[BITS_TO_LONGS(NR_CHUNKS)];	/* [a] */
static unsigned long chunk_fresh[BITS_TO_LONGS(NR_CHUNKS)];	/* [fresh_lock] */

bool pfn_valid(unsigned long pfn)
{
	unsigned long chunk = pfn >> CHUNK_ORDER;

	return chunk < NR_CHUNKS && test_bit(chunk, chunk_present) && memblock_is_memory(PFN_PHYS(pfn));
}

/* ---- struct pages ---- */

/* The struct pages of a chunk exist, all zero; now they say "free, of this zone, mapped by nobody". */
static void init_chunk_pages(unsigned long start_pfn, const struct zone *zone)
{
	struct page *page = pfn_to_page(start_pfn);

	for (struct page *end = page + CHUNK_PAGES; page < end; page++) {
		page->flags = zone_id(zone) << ZONES_PGSHIFT;
		page_mapcount_reset(page);
	}
}

static void reserve_frames(unsigned long start_pfn, unsigned long end_pfn)
{
	for (unsigned long pfn = start_pfn; pfn < end_pfn; pfn++) {
		__SetPageReserved(pfn_to_page(pfn));
		init_page_count(pfn_to_page(pfn));
	}
}

/* The largest aligned blocks, from left to right. */
void free_frames(struct zone *zone, unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long flags;

	spin_lock_irqsave(&zone->lock, flags);
	while (start_pfn < end_pfn) {
		unsigned int order = min_t(unsigned int, MAX_ORDER - 1, start_pfn ? __ffs(start_pfn) : MAX_ORDER - 1);

		while (start_pfn + (1UL << order) > end_pfn)
			order--;
		__free_one_page(pfn_to_page(start_pfn), start_pfn, zone, order);
		start_pfn += 1UL << order;
	}
	spin_unlock_irqrestore(&zone->lock, flags);
}

static bool zone_has_block(const struct zone *zone, unsigned int order)
{
	for (; order < MAX_ORDER; order++)
		if (READ_ONCE(zone->free_area[order].nr_free))
			return true;
	return false;
}

/* The zone that the memory of a chunk belongs to: a node's border is rounded to a chunk. */
static struct zone *zone_of(unsigned long pfn)
{
	struct pglist_data *pgdat = node_data[early_pfn_to_nid(pfn & ~(CHUNK_PAGES - 1))];

	return &pgdat->node_zones[pfn < DMA32_END_PFN ? ZONE_DMA32 : ZONE_NORMAL];
}

/* Zones of several nodes may alternate.  NR_CHUNKS: there is none. */
static unsigned long next_fresh_chunk(const struct zone *zone)
{
	unsigned long chunk = find_next_bit(chunk_fresh, NR_CHUNKS, zone->fresh_next_pfn >> CHUNK_ORDER);

	while (chunk < NR_CHUNKS && zone_of(chunk << CHUNK_ORDER) != zone)
		chunk = find_next_bit(chunk_fresh, NR_CHUNKS, chunk + 1);
	return chunk;
}

/*
 * Two processors may find the lists empty at once; the second one sees here that the first has already brought more.
 * False: nothing is left to bring.
 */
bool grow_zone(struct zone *zone, unsigned int order)
{
	unsigned long flags, chunk, start, from;
	bool grown = true;

	spin_lock_irqsave(&fresh_lock, flags);
	if (zone_has_block(zone, order))
		goto out;
	chunk = zone->fresh_pages ? next_fresh_chunk(zone) : NR_CHUNKS;
	grown = chunk < NR_CHUNKS;
	if (!grown)
		goto out;
	start = from = chunk << CHUNK_ORDER;
	__clear_bit(chunk, chunk_fresh);
	zone->fresh_next_pfn = start + CHUNK_PAGES;
	vmemmap_populate(start, start + CHUNK_PAGES, &from);
	init_chunk_pages(start, zone);
	reserve_frames(start, from);
	smp_wmb();				/* who sees the bit sees the struct pages */
	set_bit(chunk, chunk_present);
	count_vm_event(FRESH_CHUNK);
	trace_mm_grow_zone(start, CHUNK_PAGES);
	WRITE_ONCE(zone->fresh_pages, zone->fresh_pages - (CHUNK_PAGES - CHUNK_MAP_PAGES));
	free_frames(zone, from, start + CHUNK_PAGES);
out:
	spin_unlock_irqrestore(&fresh_lock, flags);
	return grown;
}

/* ---- start-up ---- */

static void __init init_zone(struct pglist_data *pgdat, enum zone_type idx, const char *name)
{
	struct zone *zone = &pgdat->node_zones[idx];

	zone->name = name;
	zone->zone_pgdat = pgdat;
	zone->node = (u8)pgdat->node_id;
	zone->idx = (u8)idx;
	zone_table[zone_id(zone)] = zone;
	spin_lock_init(&zone->lock);
	lruvecs_init(zone);
	for (int order = 0; order < MAX_ORDER; order++)
		for (int kind = 0; kind < MIGRATE_TYPES; kind++)
			INIT_LIST_HEAD(&zone->free_area[order].free_list[kind]);
}

static void __init init_node(int nid)
{
	struct pglist_data *pgdat = nid ? memblock_alloc(sizeof(*pgdat), __alignof__(*pgdat)) : &first_node;

	pgdat->node_id = nid;
	init_waitqueue_head(&pgdat->kswapd_wait);
	init_waitqueue_head(&pgdat->reclaim_wait);
	node_data[nid] = pgdat;
	init_zone(pgdat, ZONE_DMA32, "DMA32");
	init_zone(pgdat, ZONE_NORMAL, "Normal");
}

static unsigned long __init memory_pages(unsigned long start_pfn, unsigned long end_pfn)
{
	struct memblock_region *r;
	unsigned long pages = 0;

	for_each_mem_region(r) {
		unsigned long s = max(PFN_DOWN(r->base), start_pfn), e = min(PFN_DOWN(r->base + r->size), end_pfn);

		pages += e > s ? e - s : 0;
	}
	return pages;
}

/* Where each zone begins and ends, and how much memory it has. */
static void __init measure_zones(void)
{
	for (unsigned long pfn = 0; pfn < max_pfn; pfn += CHUNK_PAGES) {
		unsigned long pages = memory_pages(pfn, pfn + CHUNK_PAGES);
		struct zone *zone = zone_of(pfn);
		struct pglist_data *pgdat = zone->zone_pgdat;

		if (!pages)
			continue;
		if (!zone->present_pages)
			zone->zone_start_pfn = zone->fresh_next_pfn = pfn;
		if (!pgdat->node_present_pages)
			pgdat->node_start_pfn = pfn;
		zone->present_pages += pages;
		zone->spanned_pages = min(pfn + CHUNK_PAGES, max_pfn) - zone->zone_start_pfn;
		pgdat->node_present_pages += pages;
		pgdat->node_spanned_pages = min(pfn + CHUNK_PAGES, max_pfn) - pgdat->node_start_pfn;
	}
}

/* The nearest node that is not in `taken`; of equals the one that follows nid, so that not all nodes overflow into one. */
static int __init nearest_node(int nid, nodemask_t taken)
{
	int best = NUMA_NO_NODE;

	for (int i = 0; i < nr_online_nodes; i++) {
		int other = (nid + i) % nr_online_nodes;

		if (!(taken >> other & 1) && (best < 0 || node_distance(nid, other) < node_distance(nid, best)))
			best = other;
	}
	return best;
}

static void __init build_zonelist(int nid)
{
	struct zone **at = node_data[nid]->zonelist;
	nodemask_t taken = 0;
	int other;

	while ((other = nearest_node(nid, taken)) >= 0) {
		taken |= 1UL << other;
		for (int idx = MAX_NR_ZONES - 1; idx >= 0; idx--)
			if (populated_zone(&node_data[other]->node_zones[idx]))
				*at++ = &node_data[other]->node_zones[idx];
	}
}

static bool __init range_is_memory(unsigned long start_pfn, unsigned long end_pfn, bool whole)
{
	struct memblock_region *r;

	for_each_mem_region(r) {
		unsigned long s = PFN_DOWN(r->base), e = PFN_DOWN(r->base + r->size);

		if (whole ? s <= start_pfn && e >= end_pfn : s < end_pfn && e > start_pfn)
			return true;
	}
	return false;
}

/* Something of the chunk is in use, or it is not all memory: its struct pages are made now, elsewhere. */
static void __init make_chunk_present(unsigned long start_pfn)
{
	unsigned long from = PFN_DOWN(memblock_phys_alloc(CHUNK_MAP_PAGES << PAGE_SHIFT, PAGE_SIZE));

	if (!from)
		panic("no memory for the struct pages of frame %#lx", start_pfn);
	vmemmap_populate(start_pfn, start_pfn + CHUNK_PAGES, &from);
	init_chunk_pages(start_pfn, zone_of(start_pfn));
	set_bit(start_pfn >> CHUNK_ORDER, chunk_present);
}

static bool __init chunk_in_use(unsigned long start_pfn)
{
	return memblock_overlaps_reserved(PFN_PHYS(start_pfn), CHUNK_PAGES << PAGE_SHIFT);
}

static void __init make_chunk_fresh(unsigned long start_pfn)
{
	struct zone *zone = zone_of(start_pfn);

	set_bit(start_pfn >> CHUNK_ORDER, chunk_fresh);
	zone->fresh_pages += CHUNK_PAGES - CHUNK_MAP_PAGES;
	atomic_long_add(CHUNK_PAGES - CHUNK_MAP_PAGES, &zone->managed_pages);
}

/*
 * Sorts chunks into present and fresh.  Struct pages of present chunks are themselves allocated, which may put a chunk into
 * use that looked fresh before; so the fresh ones are only named when no more is allocated.
 */
static void __init init_chunks(void)
{
	unsigned long pfn;

	for (pfn = 0; pfn < max_pfn; pfn += CHUNK_PAGES)
		if (range_is_memory(pfn, pfn + CHUNK_PAGES, false))
			vmemmap_make_tables(pfn, pfn + CHUNK_PAGES);
	for (bool again = true; again; ) {
		again = false;
		for (pfn = 0; pfn < max_pfn; pfn += CHUNK_PAGES) {
			if (test_bit(pfn >> CHUNK_ORDER, chunk_present) || !range_is_memory(pfn, pfn + CHUNK_PAGES, false))
				continue;
			if (range_is_memory(pfn, pfn + CHUNK_PAGES, true) && !chunk_in_use(pfn))
				continue;
			make_chunk_present(pfn);
			again = true;
		}
	}
	for (pfn = 0; pfn < max_pfn; pfn += CHUNK_PAGES)
		if (range_is_memory(pfn, pfn + CHUNK_PAGES, true) && !test_bit(pfn >> CHUNK_ORDER, chunk_present))
			make_chunk_fresh(pfn);
}

/* What is free in the present chunks goes to the lists; all else in them is reserved. */
static void __init fill_present_chunk(unsigned long chunk_start)
{
	unsigned long pos = chunk_start, chunk_end = chunk_start + CHUNK_PAGES;
	struct zone *zone = zone_of(chunk_start);
	phys_addr_t start, end;
	unsigned int i = 0;

	for_each_free_mem_range(i, &start, &end) {
		unsigned long s = max(PFN_UP(start), pos), e = min(PFN_DOWN(end), chunk_end);

		if (s >= e)
			continue;
		reserve_frames(pos, s);
		free_frames(zone, s, e);
		atomic_long_add((long)(e - s), &zone->managed_pages);
		pos = e;
	}
	reserve_frames(pos, chunk_end);
}

/*
 * Lists of each CPU: small enough that 64 of them do not hide a small machine's memory, large enough that the zone lock is
 * taken once in `batch` requests.
 */
static void __init init_pageset(struct zone *zone)
{
	int batch = (int)clamp(zone_managed_pages(zone) / 2048, 4UL, 63UL);
	int cpu;

	zone->pageset = alloc_percpu(struct per_cpu_pages);
	if (!zone->pageset)
		panic("no memory for the page lists of zone %s", zone->name);
	for_each_possible_cpu(cpu) {
		struct per_cpu_pages *pcp = per_cpu_ptr(zone->pageset, cpu);

		pcp->batch = batch;
		pcp->high = 4 * batch;
		for (int order = 0; order < PCP_ORDERS; order++)
			for (int kind = 0; kind < MIGRATE_TYPES; kind++)
				INIT_LIST_HEAD(&pcp->lists[order][kind]);
	}
}

/* min: kept for those who cannot wait or who free memory.  low: below it, reclaim begins. */
void setup_per_zone_wmarks(void)
{
	unsigned long total = totalram_pages(), min_pages = min_free_kbytes >> (PAGE_SHIFT - 10);
	struct zone *zone;
	int nid;

	for_each_populated_zone(zone) {
		unsigned long min = min_pages * zone_managed_pages(zone) / max(total, 1UL);

		zone->watermark[WMARK_MIN] = min;
		zone->watermark[WMARK_LOW] = min + min / 4;
		zone->watermark[WMARK_HIGH] = min + min / 2;
	}
	/* Requests that could be served from above 4 GiB leave 1/256 of that for those who cannot. */
	for_each_online_node(nid) {
		struct zone *zones = node_data[nid]->node_zones;

		zones[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL] = zone_managed_pages(&zones[ZONE_NORMAL]) / 256;
	}
}

static void __init init_watermarks(void)
{
	unsigned long kbytes = totalram_pages() << (PAGE_SHIFT - 10);

	min_free_kbytes = clamp(int_sqrt(kbytes * 16), 128UL, 65536UL);
	setup_per_zone_wmarks();
}

void __init page_alloc_init(void)
{
	struct zone *zone;
	int nid;

	for_each_online_node(nid)
		init_node(nid);
	measure_zones();
	for_each_online_node(nid)
		build_zonelist(nid);
	pageblocks_init();
	init_chunks();
	for (unsigned long pfn = 0; pfn < max_pfn; pfn += CHUNK_PAGES)
		if (test_bit(pfn >> CHUNK_ORDER, chunk_present))
			fill_present_chunk(pfn);
	for_each_populated_zone(zone)
		init_pageset(zone);
	init_watermarks();
	memblock_set_current_limit(0);			/* who asks memblock from now on has come too late */
}

/* Memory that start-up used and nobody needs any more; addresses in the direct map, cut to whole pages. */
void free_reserved_area(void *start, void *end, const char *what)
{
	unsigned long first = PFN_UP(__pa(start)), last = PFN_DOWN(__pa(end));

	for (unsigned long pfn = first; pfn < last; pfn++) {
		struct page *page = pfn_to_page(pfn);

		__ClearPageReserved(page);
		init_page_count(page);
		atomic_long_inc(&page_zone(page)->managed_pages);
		__free_page(page);
	}
	if (what && last > first)
		printk(KERN_INFO "freed %lu KiB: %s\n", (last - first) << (PAGE_SHIFT - 10), what);
}

/* The memory manager as a whole; memblock is only read afterwards. */
void __init mm_core_init(void)
{
	kasan_init();
	page_alloc_init();
	kmem_cache_init();
	printk(KERN_INFO "memory: %lu KiB for use of %llu KiB\n", totalram_pages() << (PAGE_SHIFT - 10),
	       memblock_phys_mem_size() >> 10);
}
