/*
 * swap_state.c: the swap cache: from a slot to its page.
 *
 * Idea:    a page is in the cache from the moment it gets a slot until it is freed, or until nobody else names the slot; and
 *          from the moment somebody begins to read the slot.  So two processes that share a slot share the page again, and
 *          a page that is on its way out is found by a fault.  SWAP_HAS_CACHE in swap_map[] decides who may insert:
 *
 *              CPU 0: fault on slot 7                  CPU 1: fault on slot 7
 *              look-up: none                           look-up: none
 *              swapcache_prepare: 0                    swapcache_prepare: -EEXIST: looks again, until
 *              inserts a locked page, starts to read   it finds the page; waits for its lock
 *
 * Locking: page lock for PG_swapcache and page->private; cache.xa_lock (interrupts off) for the array.
 *          A reference for the cache, one for each entry, one for the caller.
 * See:     swap.h; swap_map.c; vmscan.c frees from here
 */
#include <weft/kernel.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include "internal.h"

int page_cluster = 3;				/* [-] 8 slots at once, at most */

/* A locked page that is not in the cache; its slot's cache bit is the caller's.  0 or -ENOMEM. */
static int add_to_swap_cache(struct page *page, swp_entry_t entry, gfp_t gfp)
{
	struct swap_info_struct *si = swap_info_of(entry);
	int err;

	VM_BUG_ON_PAGE(!PageLocked(page) || PageSwapCache(page), page);
	get_page(page);
	page->private = entry.val;
	SetPageSwapCache(page);
	xa_lock_irq(&si->cache);
	err = __xa_insert(&si->cache, swp_offset(entry), page, gfp);
	xa_unlock_irq(&si->cache);
	if (!err) {
		inc_page_state(page, NR_SWAPCACHE);
		return 0;
	}
	ClearPageSwapCache(page);
	page->private = 0;
	put_page(page);
	return -ENOMEM;
}

void __delete_from_swap_cache(struct page *page, swp_entry_t entry)
{
	struct swap_info_struct *si = swap_info_of(entry);

	lockdep_assert_held(&si->cache.xa_lock);
	__xa_erase(&si->cache, swp_offset(entry));
	ClearPageSwapCache(page);
	page->private = 0;
	dec_page_state(page, NR_SWAPCACHE);
}

void delete_from_swap_cache(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_info_struct *si = swap_info_of(entry);
	unsigned long flags;

	VM_BUG_ON_PAGE(!PageLocked(page) || !PageSwapCache(page) || PageWriteback(page), page);
	xa_lock_irqsave(&si->cache, flags);
	__delete_from_swap_cache(page, entry);
	xa_unlock_irqrestore(&si->cache, flags);
	put_swap_page(entry);
	put_page(page);
}

/* No memory but the reserves: reclaim is running. */
bool add_to_swap(struct page *page)
{
	swp_entry_t entry = get_swap_page();

	if (!entry.val) {
		mem_cgroup_no_slot(page);
		return false;
	}
	if (!mem_cgroup_charge_swap(page, entry)) {
		put_swap_page(entry);
		return false;
	}
	if (add_to_swap_cache(page, entry, __GFP_HIGH | __GFP_NOWARN)) {
		put_swap_page(entry);
		return false;
	}
	set_page_dirty(page);			/* the slot does not have the contents yet */
	return true;
}

bool try_to_free_swap(struct page *page)
{
	VM_BUG_ON_PAGE(!PageLocked(page), page);
	if (!PageSwapCache(page) || PageWriteback(page) || swp_swapcount(page_swap_entry(page)))
		return false;
	delete_from_swap_cache(page);
	SetPageDirty(page);
	return true;
}

/* ---- looking up, reading in ---- */

/* As find_get_page(): the page says itself which slot it belongs to. */
struct page *lookup_swap_cache(swp_entry_t entry)
{
	struct swap_info_struct *si = get_swap_device(entry);
	struct page *page;

	if (!si)
		return NULL;
	rcu_read_lock();
	for (;;) {
		page = xa_load(&si->cache, swp_offset(entry));
		if (!page)
			break;
		if (!get_page_unless_zero(page))
			continue;
		if (PageSwapCache(page) && READ_ONCE(page->private) == entry.val)
			break;
		put_page(page);
	}
	rcu_read_unlock();
	put_swap_device(si);
	return page;
}

struct page *swap_cache_get_page(swp_entry_t entry, struct swap_readahead *ra)
{
	struct page *page = lookup_swap_cache(entry);

	if (page && TestClearPageReadahead(page)) {
		count_vm_event(SWAP_RA_HIT);
		if (ra->hits < U8_MAX)
			data_race(ra->hits++);
	}
	return page;
}

struct page *find_get_incore_page(struct address_space *mapping, pgoff_t index)
{
	void *entry = xa_load(&mapping->i_pages, index);

	return xa_is_value(entry) ? lookup_swap_cache(xa_value_to_swp(entry)) : find_get_page(mapping, index);
}

static struct page *new_swap_page(gfp_t gfp)
{
	struct page *page = alloc_page(gfp);

	if (page) {
		__SetPageLocked(page);
		__SetPageSwapBacked(page);
	}
	return page;
}

/*
 * Brings the slot's page into the cache.  *is_new: it is locked and somebody (the caller) has to read it.  NULL: nobody names
 * the slot any more, or there is no memory.
 */
static struct page *get_swap_cache_page(swp_entry_t entry, gfp_t gfp, bool *is_new)
{
	struct page *new = NULL, *page;
	int err;

	*is_new = false;
	for (;;) {
		page = lookup_swap_cache(entry);
		if (page)
			break;
		if (!new)
			new = new_swap_page(gfp);
		if (!new)
			return NULL;
		err = swapcache_prepare(entry);
		if (err == -EEXIST) {		/* about to be inserted, or removed */
			cond_resched();
			continue;
		}
		if (err)
			break;
		if (mem_cgroup_charge_swapin(new, entry, gfp) ||
		    add_to_swap_cache(new, entry, gfp & (GFP_KERNEL | __GFP_HIGH | __GFP_NOWARN))) {
			put_swap_page(entry);
			break;
		}
		*is_new = true;
		lru_cache_add(new);
		return new;
	}
	if (new) {
		__ClearPageLocked(new);
		put_page(new);
	}
	return page;
}

struct page *read_swap_cache_async(swp_entry_t entry, gfp_t gfp, bool *is_new)
{
	struct swap_info_struct *si = get_swap_device(entry);
	struct page *page;

	*is_new = false;
	if (!si)
		return NULL;
	page = get_swap_cache_page(entry, gfp, is_new);
	if (*is_new)
		swap_readpage(page);
	put_swap_device(si);
	return page;
}

/*
 * How many slots are worth reading: more than were used of the last ones, half as many when none was; two when the faults
 * go in order.  A power of two.  So who runs through memory soon reads whole clusters, and who jumps about single slots.
 */
static pgoff_t next_window(struct swap_readahead *ra, unsigned long page)
{
	unsigned int most = 1U << page_cluster, pages = 1;
	u16 step = (u16)(page - ra->last_page);

	if (ra->hits)
		pages = (unsigned int)roundup_pow_of_two(ra->hits + 2UL);
	else if (step == 1 || step == U16_MAX)
		pages = 2;
	pages = min(max(pages, ra->window / 2U), most);
	*ra = (struct swap_readahead){ .last_page = (u16)page, .window = (u8)min(pages, 128U) };
	return pages;
}

/* Slots of the aligned window about the wanted one went out together, so they may be wanted together. */
struct page *swapin_readahead(swp_entry_t entry, gfp_t gfp, struct swap_readahead *ra, unsigned long page_nr)
{
	pgoff_t mask = (ra ? next_window(ra, page_nr) : 1UL << page_cluster) - 1, slot = swp_offset(entry);
	struct swap_info_struct *si = get_swap_device(entry);
	bool is_new;

	if (!si)
		return NULL;
	for (pgoff_t at = slot & ~mask; mask && at <= (slot | mask) && at < si->max; at++) {
		swp_entry_t near = swp_entry(swp_type(entry), at);
		struct page *page;

		if (!at || at == slot || !swp_swapcount(near))
			continue;
		page = read_swap_cache_async(near, gfp | __GFP_NORETRY | __GFP_NOWARN, &is_new);
		if (!page)
			continue;
		if (is_new) {
			SetPageReadahead(page);
			count_vm_event(SWAP_RA);
		}
		put_page(page);
	}
	put_swap_device(si);
	return read_swap_cache_async(entry, gfp, &is_new);
}
