/*
 * swap_map.c: the slots of the swap areas: who names them, and which are free.
 *
 * Idea:    swap_map[slot] is the number of page-table entries that name the slot, plus SWAP_HAS_CACHE while the swap cache
 *          has its page.  0: free.  Free slots are looked for from where the last one was found, so pages that went out
 *          together lie together and are read ahead together; a count of free slots for each cluster of 256 keeps the
 *          search short when the area is nearly full.
 *          An area is used before another by its priority; areas of one priority take turns.
 * Lookers: a fault reads an entry without a lock; swapoff may end the area meanwhile.  Who only read a number takes a
 *          reference (get_swap_device()), for which swapoff waits:
 *
 *              CPU 0: fault                            CPU 1: swapoff
 *              reads entry E, no lock
 *                                                      try_to_unuse: E replaced by its page
 *                                                      area invalid; waits until nobody looks at it
 *              get_swap_device: NULL: the fault is taken again, and finds the page
 *          or  get_swap_device: users 2                waits
 *              swapcache_prepare: -ENOENT; put         swap_map freed
 *
 * Locking: si->lock for the map; swap_lock for the list of areas.
 * See:     swap.h; swapfile.c makes and ends areas
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/pagemap.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include "internal.h"
#include "swap_internal.h"

struct swap_info_struct *swap_info[MAX_SWAPFILES];	/* [r:swap_lock] never freed, used again */
DEFINE_SPINLOCK(swap_lock);

/* ---- from an entry to its area ---- */

struct swap_info_struct *swap_info_of(swp_entry_t entry)
{
	return swap_info[swp_type(entry)];
}

struct swap_info_struct *get_swap_device(swp_entry_t entry)
{
	struct swap_info_struct *si = READ_ONCE(swap_info[swp_type(entry)]);

	if (!entry.val || !si || !refcount_inc_not_zero(&si->users))
		return NULL;
	if (swp_offset(entry) < si->max)
		return si;
	put_swap_device(si);
	return NULL;
}

void put_swap_device(struct swap_info_struct *si)
{
	if (refcount_dec_and_test(&si->users))
		complete(&si->unused);
}

/* ---- sums: asked for every page that reclaim looks at ---- */

static atomic_long_t nr_slots, nr_free_slots;	/* of the areas that may be written */

unsigned long total_swap_pages(void)
{
	return (unsigned long)atomic_long_read(&nr_slots);
}

unsigned long get_nr_swap_pages(void)
{
	return (unsigned long)max(atomic_long_read(&nr_free_slots), 0L);
}

bool vm_swap_full(void)
{
	return get_nr_swap_pages() * 2 < total_swap_pages();
}

/* From now on new pages may go there. */
void open_swap_area(struct swap_info_struct *si)
{
	spin_lock(&swap_lock);
	spin_lock_irq(&si->lock);
	si->flags |= SWP_WRITEOK;
	atomic_long_add((long)si->pages, &nr_slots);
	atomic_long_add((long)(si->pages - si->inuse_pages), &nr_free_slots);
	spin_unlock_irq(&si->lock);
	spin_unlock(&swap_lock);
}

/* From now on none may; what is there stays. */
void close_swap_area(struct swap_info_struct *si)
{
	lockdep_assert_held(&swap_lock);
	spin_lock_irq(&si->lock);
	si->flags &= ~SWP_WRITEOK;
	atomic_long_sub((long)si->pages, &nr_slots);
	atomic_long_sub((long)(si->pages - si->inuse_pages), &nr_free_slots);
	spin_unlock_irq(&si->lock);
}

/* ---- getting a slot ---- */

/* In the order of the slots from si->next on, and round; clusters without a free one are passed over.  0: there is none. */
static pgoff_t find_free_slot(const struct swap_info_struct *si)
{
	pgoff_t at = si->next;

	for (pgoff_t n = 0; n <= swap_clusters(si->max); n++) {
		pgoff_t end;

		if (at >= si->max)
			at = 1;
		end = min((at / SWAP_CLUSTER + 1) * SWAP_CLUSTER, si->max);
		if (!si->cluster_free[at / SWAP_CLUSTER])
			at = end;
		for (; at < end; at++)
			if (!si->swap_map[at])
				return at;
	}
	return 0;
}

/* A free slot of one area, marked as cached, or 0. */
static pgoff_t scan_swap_map(struct swap_info_struct *si)
{
	pgoff_t found = 0;

	spin_lock_irq(&si->lock);
	if ((si->flags & SWP_WRITEOK) && si->inuse_pages < si->pages)
		found = find_free_slot(si);
	if (found) {
		si->swap_map[found] = SWAP_HAS_CACHE;
		si->cluster_free[found / SWAP_CLUSTER]--;
		WRITE_ONCE(si->inuse_pages, si->inuse_pages + 1);
		atomic_long_dec(&nr_free_slots);
		si->next = found + 1;
	}
	spin_unlock_irq(&si->lock);
	return found;
}

/* The area with the highest priority below `below` (or equal and later in turn) that may be written. */
static struct swap_info_struct *next_area(unsigned int turn, const bool *tried)
{
	struct swap_info_struct *best = NULL;

	spin_lock(&swap_lock);
	for (unsigned int i = 0; i < MAX_SWAPFILES; i++) {
		unsigned int type = (turn + i) % MAX_SWAPFILES;
		struct swap_info_struct *si = swap_info[type];

		if (si && !tried[type] && (si->flags & SWP_WRITEOK) && (!best || si->prio > best->prio) &&
		    refcount_inc_not_zero(&si->users)) {
			if (best)
				put_swap_device(best);
			best = si;
		}
	}
	spin_unlock(&swap_lock);
	return best;
}

swp_entry_t get_swap_page(void)
{
	static unsigned int turn;		/* [-] areas of one priority take turns, roughly */
	bool tried[MAX_SWAPFILES] = { };
	struct swap_info_struct *si;
	pgoff_t slot = 0;
	unsigned int type = 0;

	while (!slot && (si = next_area(turn, tried))) {
		type = si->type;
		tried[type] = true;
		slot = scan_swap_map(si);
		put_swap_device(si);
	}
	if (!slot)
		return (swp_entry_t){ 0 };
	WRITE_ONCE(turn, type + (slot % 64 ? 0 : 1));
	return swp_entry(type, slot);
}

/* ---- counting who names it ---- */

/* si->lock held: the slot is free. */
static void slot_is_free(struct swap_info_struct *si, pgoff_t slot)
{
	mem_cgroup_uncharge_swap(si, slot);
	WRITE_ONCE(si->inuse_pages, si->inuse_pages - 1);
	si->cluster_free[slot / SWAP_CLUSTER]++;
	if (si->flags & SWP_WRITEOK)
		atomic_long_inc(&nr_free_slots);
	if (si->zeromap)
		clear_bit(slot, si->zeromap);
	if (si->backend->ops->discard)
		si->backend->ops->discard(si->backend, slot);
}

/* Takes off one count, or the cache bit.  What is left. */
static unsigned int slot_dec(swp_entry_t entry, unsigned int what)
{
	struct swap_info_struct *si = swap_info_of(entry);
	pgoff_t slot = swp_offset(entry);
	unsigned long flags;
	unsigned int left;

	spin_lock_irqsave(&si->lock, flags);
	WARN_ON_ONCE(what == SWAP_HAS_CACHE ? !(si->swap_map[slot] & what) : !(si->swap_map[slot] & SWAP_MAP_BAD));
	si->swap_map[slot] -= what;
	left = si->swap_map[slot];
	if (!left)
		slot_is_free(si, slot);
	spin_unlock_irqrestore(&si->lock, flags);
	return left;
}

void put_swap_page(swp_entry_t entry)
{
	slot_dec(entry, SWAP_HAS_CACHE);
}

void swap_free(swp_entry_t entry)
{
	slot_dec(entry, 1);
}

int swap_duplicate(swp_entry_t entry)
{
	struct swap_info_struct *si = swap_info_of(entry);
	u16 *map = &si->swap_map[swp_offset(entry)];
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&si->lock, flags);
	if (WARN_ON_ONCE(!*map) || (*map & ~SWAP_HAS_CACHE) >= SWAP_MAP_MAX)
		err = -ENOMEM;
	else
		++*map;
	spin_unlock_irqrestore(&si->lock, flags);
	return err;
}

int swapcache_prepare(swp_entry_t entry)
{
	struct swap_info_struct *si = swap_info_of(entry);
	u16 *map = &si->swap_map[swp_offset(entry)];
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&si->lock, flags);
	if (!*map || *map == SWAP_MAP_BAD)
		err = -ENOENT;
	else if (*map & SWAP_HAS_CACHE)
		err = -EEXIST;
	else
		*map |= SWAP_HAS_CACHE;
	spin_unlock_irqrestore(&si->lock, flags);
	return err;
}

int swp_swapcount(swp_entry_t entry)
{
	struct swap_info_struct *si = swap_info_of(entry);

	return READ_ONCE(si->swap_map[swp_offset(entry)]) & ~SWAP_HAS_CACHE;
}

/* Pages that have just lost an entry: those that nobody maps and whose slot nobody names need not stay in the cache. */
void free_swap_caches(struct page **pages, unsigned int nr)
{
	if (!total_swap_pages())
		return;
	for (unsigned int i = 0; i < nr; i++) {
		if (!PageSwapCache(pages[i]) || page_mapped(pages[i]) || !trylock_page(pages[i]))
			continue;
		if (!page_mapped(pages[i]))
			try_to_free_swap(pages[i]);
		unlock_page(pages[i]);
	}
}

/*
 * The last entry goes while the page is still cached: nobody wants it any more.  If somebody has it locked, reclaim or a
 * fault just now, it stays until reclaim finds it (its slot's count is 0: try_to_free_swap()).
 */
void free_swap_and_cache(swp_entry_t entry)
{
	struct page *page;

	if (slot_dec(entry, 1) != SWAP_HAS_CACHE)
		return;
	page = lookup_swap_cache(entry);
	if (!page)
		return;
	if (trylock_page(page)) {
		if (PageSwapCache(page) && page->private == entry.val && !page_mapped(page))
			try_to_free_swap(page);
		unlock_page(page);
	}
	put_page(page);
}
