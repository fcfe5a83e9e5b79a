/*
 * swap.h: memory that is not used for a while is kept elsewhere: swap areas, their slots, the swap cache, reclaim.
 *
 * What:    a swap area is an array of slots of one page.  swap_map[slot] counts the page-table entries that name it; its top
 *          bit says that the swap cache has the page too.  The swap cache (an xarray for each area) finds the page of a slot
 *          while it is in both places: on its way out, after it was read in, or when several processes share it.
 *
 *          A tmpfs page's slot stands in its file's i_pages, as a number in the page's place, and counts as one name.
 *
 *          life of a slot:  get_swap_page: cache bit -> try_to_unmap: +1 for each entry -> written -> freed: cache bit off
 *                           -> fault: cache bit on, read -> entry replaced: -1 -> last one: cache bit off, slot free
 *
 * Where:   the medium is behind struct swap_backend: a partition or a file of the block layer, or /dev/ramswap for tests.
 * Locking: swap_lock: the array of areas and their order; si->lock (irq-safe): slots of one area; page lock: whether and
 *          where a page is in the swap cache.  Order: mmap_lock -> page lock -> ptl -> xa_lock of the cache -> si->lock;
 *          swap_lock -> si->lock; mmlist_lock is a leaf.
 * See:     spec.md §6 "swap"; kernel/mm/swap*.c, vmscan.c; kernel/drivers/char/ramswap.c
 */
#ifndef WEFT_SWAP_H
#define WEFT_SWAP_H

#include <weft/memcontrol.h>
#include <weft/mm.h>
#include <weft/swapops.h>
#include <weft/xarray.h>
#include <weft/completion.h>

struct seq_file;

/* ---- the medium ---- */

struct swap_backend;
struct swap_backend_ops {
	const char *type;				/* "partition" or "file", for /proc/swaps */
	/*
	 * Start to move one page; must call swap_read_done() or swap_write_done() exactly once for it, in any context, at once
	 * or later.  May sleep, but only with memory from reserves: reclaim is waiting.
	 */
	void (*read_page)(struct swap_backend *b, pgoff_t slot, struct page *page);
	void (*write_page)(struct swap_backend *b, pgoff_t slot, struct page *page);
	bool (*usable)(struct swap_backend *b, pgoff_t slot);	/* NULL: all are */
	void (*discard)(struct swap_backend *b, pgoff_t slot);	/* the contents are not wanted; atomic; or NULL */
	void (*release)(struct swap_backend *b);		/* swapoff is through */
};
struct swap_backend {
	const struct swap_backend_ops	*ops;		/* [I] */
	pgoff_t				nr_pages;	/* [I] with the header page */
};
/* Somebody who can make a backend of a file: 0 and *b, -ENODEV when the file is not of this kind, or an error. */
struct swap_backend_type {
	const char *name;
	int (*open)(struct file *file, struct swap_backend **b);
	struct list_head list;				/* [swapon_mutex] */
};
void register_swap_backend(struct swap_backend_type *type);

void swap_read_done(struct page *page, int err);	/* any context */
void swap_write_done(struct page *page, int err);

/* ---- areas ---- */

#define SWAP_FLAG_PREFER	0x8000
#define SWAP_FLAG_PRIO_MASK	0x7fff
#define SWAP_FLAG_DISCARD	0x10000
#define SWAP_FLAGS_VALID	(SWAP_FLAG_PRIO_MASK | SWAP_FLAG_PREFER | SWAP_FLAG_DISCARD | 0x60000)

#define SWAP_HAS_CACHE		0x8000u			/* in swap_map[] */
#define SWAP_MAP_BAD		0x7fffu			/* not usable: the header, a bad block */
#define SWAP_MAP_MAX		0x7ffeu			/* no more entries than that: as many as there can be processes */

#define SWAP_CLUSTER		256ul
static inline pgoff_t swap_clusters(pgoff_t slots) { return (slots + SWAP_CLUSTER - 1) / SWAP_CLUSTER; }

#define SWP_USED	0x1				/* the structure is taken */
#define SWP_WRITEOK	0x2				/* new pages may go there */

struct swap_info_struct {
	unsigned int		flags;		/* [swap_lock, and lock for SWP_WRITEOK] SWP_* */
	unsigned int		type;		/* [I] its number */
	int			prio;		/* [I] the higher, the earlier used */
	pgoff_t			max;		/* [I] slots, slot 0 included */
	pgoff_t			pages;		/* [I] usable ones */
	spinlock_t		lock;		/* class: swap_info */
	u16			*swap_map;	/* [lock] */
	u16			*cluster_free;	/* [lock] free slots in each SWAP_CLUSTER */
	u16			*owner;		/* whose swap a slot is: memcg_swap.c */
	unsigned long		*zeromap;	/* [page lock of the slot's page] all zeroes: nothing was written */
	pgoff_t			next;		/* [lock] where to look for a free slot: neighbours in age become neighbours */
	pgoff_t			inuse_pages;	/* [lock, read racily] */
	struct xarray		cache;		/* the swap cache, by slot */
	refcount_t		users;		/* who looks at it by a number he read somewhere: get_swap_device() */
	struct completion	unused;		/* ... and there is none left */
	struct swap_backend	*backend;	/* [I] */
	struct file		*swap_file;	/* [I] */
	char			*name;		/* [I] as swapon got it, for /proc/swaps */
};

struct swap_info_struct *get_swap_device(swp_entry_t entry);	/* NULL: no such slot (any more) */
void put_swap_device(struct swap_info_struct *si);
struct swap_info_struct *swap_info_of(swp_entry_t entry);	/* for holders of the slot */
unsigned long total_swap_pages(void);
unsigned long get_nr_swap_pages(void);				/* free ones */
bool vm_swap_full(void);	/* more than half in use: do not keep slots of pages that are in memory */

/* ---- whose slots: memcg_swap.c ---- */
bool __mem_cgroup_charge_swap(const struct page *page, swp_entry_t entry);
int __mem_cgroup_charge_swapin(struct page *page, swp_entry_t entry, gfp_t gfp);
void mem_cgroup_uncharge_swap(struct swap_info_struct *si, pgoff_t slot);
void __mem_cgroup_no_slot(const struct page *page);
bool __mem_cgroup_swap_full(const struct page *page);
static inline bool mem_cgroup_charge_swap(const struct page *page, swp_entry_t entry)
{
	return likely(!page->memcg) || __mem_cgroup_charge_swap(page, entry);
}
static inline int mem_cgroup_charge_swapin(struct page *page, swp_entry_t entry, gfp_t gfp)
{
	return likely(!data_race(memcg_in_use)) ? 0 : __mem_cgroup_charge_swapin(page, entry, gfp);
}
/* There is no slot for the page. */
static inline void mem_cgroup_no_slot(const struct page *page)
{
	if (page->memcg)
		__mem_cgroup_no_slot(page);
}
/* Slots are dear, for the machine or for the page's group: none shall be kept for a page that is in memory. */
static inline bool page_swap_full(const struct page *page)
{
	return vm_swap_full() || (page->memcg && __mem_cgroup_swap_full(page));
}

/* ---- slots: swap_map.c ---- */
swp_entry_t get_swap_page(void);		/* a free slot, cache bit set; val 0: none */
void put_swap_page(swp_entry_t entry);		/* the page has left the cache: cache bit off */
int swap_duplicate(swp_entry_t entry);		/* one more entry names it.  0 or -ENOMEM */
int swapcache_prepare(swp_entry_t entry);	/* cache bit on.  0, -EEXIST: it is, -ENOENT: nobody names the slot */
void swap_free(swp_entry_t entry);		/* one entry less */
void free_swap_and_cache(swp_entry_t entry);	/* the same, and do not keep the page just for its slot.  Atomic */
void free_swap_caches(struct page **pages, unsigned int nr);	/* the callers hold references */
int swp_swapcount(swp_entry_t entry);		/* entries that name it */
static inline swp_entry_t page_swap_entry(const struct page *page) { return (swp_entry_t){ page->private }; }

/* ---- the swap cache: swap_state.c.  Page locked unless said otherwise ---- */
bool add_to_swap(struct page *page);		/* gives an anonymous page a slot.  False: no room */
void delete_from_swap_cache(struct page *page);
void __delete_from_swap_cache(struct page *page, swp_entry_t entry);	/* xa_lock held; references are the caller's */
bool try_to_free_swap(struct page *page);	/* nobody else names its slot: gives it up.  The page becomes dirty */
struct page *lookup_swap_cache(swp_entry_t entry);	/* with a reference, or NULL; not locked */
struct page *read_swap_cache_async(swp_entry_t entry, gfp_t gfp, bool *is_new);	/* in the cache, perhaps still being read */
/*
 * What a fault on the area's (or file's) page does: look into the cache, then read the slot and as many around it as the
 * faults before made seem useful.  ra NULL: 2^page_cluster.
 */
struct page *swap_cache_get_page(swp_entry_t entry, struct swap_readahead *ra);
struct page *swapin_readahead(swp_entry_t entry, gfp_t gfp, struct swap_readahead *ra, unsigned long page);

/* ---- moving pages: swap_io.c ---- */
/* Page locked, clean from now on; it comes back unlocked, under write-back or not. */
void swap_writepage(struct page *page);
void swap_readpage(struct page *page);		/* page locked; unlocked when it is read */

/* ---- faults, fork: swap_fault.c, swap_unuse.c ---- */
vm_fault_t do_swap_page(struct vm_fault *vmf);
void swap_note_mm(struct mm_struct *mm);	/* swapoff has to look here; atomic */
void swap_forget_mm(struct mm_struct *mm);	/* its entries are all gone */
int try_to_unuse(struct swap_info_struct *si);	/* all pages come back.  0, -EINTR, -ENOMEM */
struct page *find_get_incore_page(struct address_space *mapping, pgoff_t index);	/* of a file, or in swap's cache */

/* ---- the LRU lists: lru.c ---- */
void activate_page(struct page *page);
void deactivate_page(struct page *page);	/* an early candidate from now on: MADV_COLD */
void mark_page_lazyfree(struct page *page);	/* anonymous, its contents are not needed: MADV_FREE */
void lru_make_unevictable(struct page *page);	/* reclaim leaves it alone ... */
void lru_make_evictable(struct page *page);	/* ... and looks at it again */
void release_pages(struct page **pages, unsigned int nr);	/* put_page() for many, with one lock */
unsigned int isolate_lru_pages(struct lruvec *lruvec, enum lru_list lru, unsigned int nr, struct list_head *to,
			       unsigned long *scanned);
bool isolate_lru_page(struct page *page);	/* off its list, with one more reference */
void putback_lru_page(struct page *page);	/* the other way round */

/* ---- reclaim: vmscan.c ---- */
void wakeup_kswapd(unsigned int order, nodemask_t nodes);	/* of these nodes (0: all); any context */
unsigned long reclaim_pages(struct list_head *pages);	/* isolated ones: MADV_PAGEOUT.  Pages freed */
extern int vm_swappiness;			/* 0-200: how willingly anonymous pages go rather than those of files */
extern int page_cluster;			/* log2 of the pages read at once from swap, at most */

#endif
