/*
 * mmzone.h: zones: ranges of physical memory with their free lists, watermarks and per-CPU lists.
 *
 * Idea:    free memory is kept in blocks of 2^order frames, aligned to their size (buddy system); the zone lock guards the
 *          lists.  Small orders go through lists of each CPU, so that most requests take no lock.
 *          Frames that were never used are not in the lists: their struct pages do not even exist until they are needed
 *          (zone->fresh_pages counts them as free, see "fresh chunks" in page_alloc.c).
 * Locking: zone->lock (irq-safe) guards free_area, free_pages, fresh_*.  struct per_cpu_pages: [c] with interrupts off.
 * See:     spec.md §6 "page frames and zones", "buddy system"
 */
#ifndef WEFT_MMZONE_H
#define WEFT_MMZONE_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/percpu.h>
#include <weft/wait.h>
#include <weft/atomic.h>

#define MAX_ORDER		11		/* orders 0-10: blocks of 4 KiB to 4 MiB */
#define MAX_ORDER_NR_PAGES	(1UL << (MAX_ORDER - 1))
#define PAGE_ALLOC_COSTLY_ORDER	3		/* up to here a request is tried until it succeeds */
#define PCP_ORDERS		(PAGE_ALLOC_COSTLY_ORDER + 1)

enum zone_type { ZONE_DMA32, ZONE_NORMAL, MAX_NR_ZONES };
enum zone_watermarks { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

/* Nodes are numbered from 0 without a gap.  NODES_SHIFT bits of page->flags name one. */
#define NODES_SHIFT		4
#define MAX_NUMNODES		(1 << NODES_SHIFT)
#define NUMA_NO_NODE		(-1)
typedef unsigned long		nodemask_t;	/* a bit for each node */

/* The kinds of page blocks, aligned ranges of 2 MiB: what moves is kept apart (buddy.c). */
enum migratetype { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_TYPES };

struct free_area {
	struct list_head	free_list[MIGRATE_TYPES];
	unsigned long		nr_free;	/* blocks of all kinds, not pages */
} ____cacheline_aligned;

/* Free blocks of small orders at hand for one CPU. */
struct per_cpu_pages {
	int			count;		/* pages in all lists */
	int			high;		/* [I] more than this: `batch` pages go back */
	int			batch;		/* [I] pages moved at a time */
	struct list_head	lists[PCP_ORDERS][MIGRATE_TYPES];
};

struct pglist_data;

/*
 * Pages that reclaim may take, by age.  Two lists for each kind: a page that was used again moves from the inactive to the
 * active one, and comes back when the active list is too long.  The oldest is at the tail.  Pages that must stay (mlock,
 * SHM_LOCK) are on a list of their own, so that reclaim does not meet them again and again.
 */
enum lru_list { LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE, LRU_UNEVICTABLE, NR_LRU_LISTS };
#define for_each_lru(lru)	for ((lru) = LRU_INACTIVE_ANON; (lru) < NR_LRU_LISTS; (lru)++)
static inline bool is_file_lru(enum lru_list lru) { return lru >= LRU_INACTIVE_FILE; }
static inline bool is_active_lru(enum lru_list lru) { return lru == LRU_ACTIVE_ANON || lru == LRU_ACTIVE_FILE; }

/* [0] anonymous, [1] file: of the pages looked at lately, how many had been used.  Says which kind is worth more. */
#define LRU_SETS	16			/* in each zone, one CPU's pages in each as far as they suffice */
struct lruvec {
	spinlock_t		lru_lock;		/* class: lru; irq-safe; page lock, ptl -> lru_lock */
	struct list_head	lists[NR_LRU_LISTS];	/* [lru_lock] */
	unsigned long		nr[NR_LRU_LISTS];	/* [lru_lock, read racily] pages */
	unsigned long		recent_scanned[2], recent_rotated[2];	/* [lru_lock] */
	struct mem_cgroup	*memcg;			/* [I] whose pages; NULL: those of nobody */
} ____cacheline_aligned;

struct zone {
	u8			node;			/* [I] whose memory it is */
	u8			idx;			/* [I] enum zone_type */
	unsigned long		watermark[NR_WMARK];	/* pages [I after start-up; sysctl] */
	unsigned long		lowmem_reserve[MAX_NR_ZONES];	/* kept from requests that could use a higher zone */
	struct per_cpu_pages __percpu *pageset;		/* [I] */
	struct pglist_data	*zone_pgdat;
	const char		*name;
	unsigned long		zone_start_pfn;		/* [I] */
	unsigned long		spanned_pages;		/* [I] with holes */
	unsigned long		present_pages;		/* [I] without */
	atomic_long_t		managed_pages;		/* given to the page allocator */

	spinlock_t		lock ____cacheline_aligned;	/* class: zone */
	struct free_area	free_area[MAX_ORDER];	/* [lock] */
	unsigned long		free_pages;		/* [lock, read racily] in free_area */
	unsigned long		fresh_pages;		/* [lock, read racily] free, but without struct pages yet */
	unsigned int		compact_failed;		/* [-] compactions in a row that gave no block; compaction.c */
	unsigned long		compact_cursor;		/* [-] frame where it looks next */
	unsigned int		compact_skipped;	/* [-] and how often it was not tried since */
	unsigned long		fresh_next_pfn;		/* [fresh_lock] where to look for the next fresh chunk */

	struct lruvec		lruvec[LRU_SETS];
};

/*
 * A node: memory and processors that are near to each other.  A machine whose firmware says nothing of nodes has one.
 * The zonelist says where a request of this node's processors looks, in this order: NORMAL and DMA32 of the node itself,
 * then those of the others by distance.
 */
struct pglist_data {
	struct zone		node_zones[MAX_NR_ZONES];
	int			node_id;
	unsigned long		node_start_pfn;
	unsigned long		node_present_pages;
	unsigned long		node_spanned_pages;
	struct zone		*zonelist[MAX_NUMNODES * MAX_NR_ZONES + 1];	/* [I] ends with NULL */

	struct wait_queue_head	kswapd_wait;		/* kswapd sleeps here while all zones are above their low mark */
	struct wait_queue_head	reclaim_wait;		/* reclaim that found only pages being written: until one is */
	struct task_struct	*kswapd;		/* [I after start-up] */
	unsigned int		kswapd_order;		/* [-] what it was woken for, at most */
	int			kswapd_failures;	/* [-] rounds without one page: then it is no use to wake it */
} ____cacheline_aligned;
typedef struct pglist_data pg_data_t;

extern struct pglist_data first_node;			/* node 0, which is always there */
extern struct pglist_data *node_data[MAX_NUMNODES];	/* [I] NULL: no such node */
extern struct zone *zone_table[MAX_NUMNODES * MAX_NR_ZONES];	/* [I] by the top bits of page->flags; NULL: none */
#define NODE_DATA(nid)		(node_data[nid])

static inline bool populated_zone(const struct zone *zone) { return zone->present_pages != 0; }
static inline unsigned long zone_managed_pages(const struct zone *zone)
{
	return atomic_long_read(&zone->managed_pages);
}
static inline unsigned long zone_free_pages(const struct zone *zone)
{
	return READ_ONCE(zone->free_pages) + READ_ONCE(zone->fresh_pages);
}
static inline unsigned long zone_end_pfn(const struct zone *zone)
{
	return zone->zone_start_pfn + zone->spanned_pages;
}
static inline int zone_idx(const struct zone *zone) { return zone->idx; }
#define min_wmark_pages(z)	((z)->watermark[WMARK_MIN])
#define low_wmark_pages(z)	((z)->watermark[WMARK_LOW])
#define high_wmark_pages(z)	((z)->watermark[WMARK_HIGH])

#define for_each_lruvec(lruvec, zone)	for ((lruvec) = (zone)->lruvec; (lruvec) < (zone)->lruvec + LRU_SETS; (lruvec)++)

/* The place of the zone in zone_table, and in the top bits of its pages' flags. */
static inline unsigned long zone_id(const struct zone *zone) { return (unsigned long)zone->node * MAX_NR_ZONES + zone->idx; }
static inline struct zone *next_zone(const struct zone *zone)	/* NULL: the first */
{
	for (unsigned long id = zone ? zone_id(zone) + 1 : 0; id < MAX_NUMNODES * MAX_NR_ZONES; id++)
		if (zone_table[id])
			return zone_table[id];
	return NULL;
}
#define for_each_zone(zone)		for (zone = next_zone(NULL); zone; zone = next_zone(zone))
#define for_each_populated_zone(zone)	for_each_zone(zone) if (!populated_zone(zone)) ; else
#define for_each_node_zone(zone, pgdat) \
	for (zone = (pgdat)->node_zones; zone < (pgdat)->node_zones + MAX_NR_ZONES; zone++) if (!populated_zone(zone)) ; else

/* Counted for all nodes together: kernel/mm/vmstat.c.  In pages unless the name says otherwise. */
enum node_stat_item {
	NR_FILE_PAGES,			/* page cache, tmpfs included */
	NR_SHMEM,			/* tmpfs and shared anonymous memory */
	NR_ANON_MAPPED,			/* anonymous pages that are mapped */
	NR_FILE_MAPPED,			/* page-cache pages that are mapped (page-table entries) */
	NR_FILE_DIRTY,
	NR_WRITEBACK,
	NR_SLAB_RECLAIMABLE,
	NR_SLAB_UNRECLAIMABLE,
	NR_PAGETABLE,
	NR_KERNEL_STACK_KB,
	NR_VMALLOC,			/* pages that vmalloc took */
	NR_INACTIVE_ANON,		/* summed from the lists, in the order of enum lru_list */
	NR_ACTIVE_ANON,
	NR_INACTIVE_FILE,
	NR_ACTIVE_FILE,
	NR_UNEVICTABLE,
	NR_MLOCK,			/* pages that mlock keeps */
	NR_SWAPCACHE,
	NR_ANON_THPS,			/* huge mappings (2 MiB each), counted in every process that has one */
	NR_VM_NODE_STAT_ITEMS
};

#define NR_LRU_BASE	NR_INACTIVE_ANON

enum vm_event_item {
	PGALLOC, PGFREE, PGFAULT, PGMAJFAULT, PGPGIN, PGPGOUT, PGSCAN_DIRECT, PGSTEAL_DIRECT, SLABS_SCANNED, ALLOCSTALL,
	OOM_KILL, DROP_PAGECACHE, DROP_SLAB, FRESH_CHUNK,
	PGSCAN_KSWAPD, PGSTEAL_KSWAPD, PGSCAN_ANON, PGSCAN_FILE, PGSTEAL_ANON, PGSTEAL_FILE, PGACTIVATE, PGDEACTIVATE,
	PGROTATED, PGLAZYFREE, PGLAZYFREED, WORKINGSET_REFAULT, WORKINGSET_ACTIVATE, RECLAIM_THROTTLED,
	PAGEOUTRUN, KSWAPD_WAKE, PSWPIN, PSWPOUT, SWAP_RA, SWAP_RA_HIT, SWPOUT_ZERO, SWPIN_ZERO,
	UNEVICTABLE_CULLED, UNEVICTABLE_RESCUED,
	PGMIGRATE_SUCCESS, PGMIGRATE_FAIL, COMPACT_STALL, COMPACT_SUCCESS, COMPACT_FAIL,
	THP_FAULT_ALLOC, THP_FAULT_FALLBACK, THP_COLLAPSE_ALLOC, THP_COLLAPSE_ALLOC_FAILED, THP_SPLIT_PMD,
	NR_VM_EVENT_ITEMS
};

#include <weft/numa.h>

extern unsigned long max_pfn;			/* [I] one behind the last frame of RAM */
extern unsigned long min_free_kbytes;

#endif
