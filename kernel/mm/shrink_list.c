/*
 * shrink_list.c: what becomes of the pages that reclaim took off the tail of a list.
 *
 * Idea:    each is asked: was it used?  then it goes back, young.  An anonymous page gets a slot; its entries are taken
 *          away; a dirty page is written; a page that is clean, unmapped and that nobody else holds is freed.
 *          What is on its way (locked, under write-back) goes back and is met again.
 *          In two halves, since making the processors forget the entries costs more than all the rest: first all pages of
 *          the list are unmapped, then comes one flush for each program, then the pages are written and freed.
 *
 *              CPU 0: reclaim                          CPU 1: fault, read(2), get_user_pages
 *              unmapped, clean
 *                                                      finds the page in the cache: reference (3)
 *              page_ref_freeze(2): fails: kept
 *          or  page_ref_freeze(2): count is 0
 *                                                      get_page_unless_zero: fails: looks again
 *              out of the cache, freed                 ... finds nothing: reads it anew
 *          PG_dirty is looked at after the freeze: who had a reference may have dirtied the page before dropping it.
 *
 * Locking: page lock (tried, so many may be held at once); then as rmap.c and the caches say.
 * See:     vmscan.c; doc/reclaim.md
 */
#include <weft/kernel.h>
#include <weft/backing-dev.h>
#include <weft/fs.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <weft/writeback.h>
#include "internal.h"
#include "vmscan.h"

enum page_fate { FATE_KEEP, FATE_ACTIVATE, FATE_UNMAPPED, FATE_FREED };

/* Should the page stay because it was used?  A file page that was used once gets one more round on the inactive list. */
static enum page_fate check_references(struct page *page, const struct scan_control *sc)
{
	unsigned long vm_flags;
	int count = page_referenced(page, &vm_flags);
	bool referenced = TestClearPageReferenced(page);

	if (vm_flags & VM_LOCKED)
		return FATE_KEEP;		/* page_referenced() has made it unevictable */
	if (sc->ignore_references || !count)
		return FATE_UNMAPPED;
	if (PageSwapBacked(page) || referenced || count > 1 || (vm_flags & VM_EXEC))
		return FATE_ACTIVATE;
	SetPageReferenced(page);
	return FATE_KEEP;
}

/* Takes a clean, unmapped page out of its cache.  Locked; its only references are the cache's and ours.  True: count is 0. */
static bool remove_from_swap_cache(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_info_struct *si = swap_info_of(entry);
	unsigned long flags;

	xa_lock_irqsave(&si->cache, flags);
	if (!page_ref_freeze(page, 2))
		goto busy;
	if (PageDirty(page)) {
		page_ref_unfreeze(page, 2);
		goto busy;
	}
	__delete_from_swap_cache(page, entry);
	xa_unlock_irqrestore(&si->cache, flags);
	put_swap_page(entry);
	return true;
busy:
	xa_unlock_irqrestore(&si->cache, flags);
	return false;
}

/* Locked.  Frees the page, or says no: then it is as it was. */
static bool remove_and_free(struct page *page)
{
	struct address_space *mapping;

	if (PageSwapCache(page)) {
		if (!remove_from_swap_cache(page))
			return false;
		__ClearPageLocked(page);
		free_unref_page(page, 0);
		return true;
	}
	if (PageAnon(page)) {			/* all its users have gone while we looked */
		if (!page_ref_freeze(page, 1))
			return false;
		__ClearPageLocked(page);
		free_unref_page(page, 0);
		return true;
	}
	mapping = page->mapping;
	if (!mapping || !drop_clean_page(mapping, page))
		return false;
	workingset_eviction(mapping, page->index);
	unlock_page(page);
	put_page(page);
	return true;
}

/* tmpfs, and not on its way out yet. */
static bool in_memory_file(const struct page *page)
{
	return PageSwapBacked(page) && page->mapping && !PageAnon(page);
}

/*
 * Begins to write a dirty page.  Locked; unlocked on return if true.  Pages of disk files are left to the flusher, which is
 * woken and writes them in the order of the disk; they come back to the head of the list meanwhile.
 */
static bool pageout(struct page *page, struct scan_control *sc)
{
	if (in_memory_file(page)) {
		if (!sc->may_swap || !page->mapping->a_ops->swap_out || !page->mapping->a_ops->swap_out(page))
			return false;
	} else if (!PageAnon(page) && page->mapping) {
		sc->unwritten++;
		wakeup_flusher(page->mapping->host);
	}
	if (!PageSwapCache(page) || !sc->may_swap)
		return false;
	sc->unwritten++;
	ClearPageDirty(page);
	reclaim_enter(RECLAIM_IO);
	swap_writepage(page);
	reclaim_exit(RECLAIM_IO);
	return true;
}

/* Writes if need be.  False: not now; *locked tells whether the page is still locked. */
static bool make_clean(struct page *page, struct scan_control *sc, bool *locked)
{
	if (!PageDirty(page))
		return true;
	*locked = false;
	if (!pageout(page, sc)) {
		*locked = true;
		return false;
	}
	if (PageWriteback(page) || PageDirty(page) || !trylock_page(page))
		return false;
	*locked = true;
	return !PageDirty(page) && !PageWriteback(page) && !page_mapped(page);
}

/* SHM_LOCK: off the lists that are looked through, unless SHM_UNLOCK has been quicker: it found the page on none. */
static enum page_fate keep_in_memory_file(struct page *page)
{
	lru_make_unevictable(page);
	if (!mapping_unevictable(page->mapping))
		lru_make_evictable(page);
	return FATE_KEEP;
}

/* First half, page locked: is it wanted?  If not, its entries go; FATE_UNMAPPED: the TLBs may still have them. */
static enum page_fate unmap_page(struct page *page, struct scan_control *sc, struct unmap_batch *batch)
{
	enum page_fate fate;

	if (PageWriteback(page)) {
		sc->unwritten++;
		return FATE_KEEP;
	}
	fate = check_references(page, sc);
	if (fate != FATE_UNMAPPED)
		return fate;
	if (PageAnon(page) && PageSwapBacked(page) && page_mapped(page) && !PageSwapCache(page)) {
		if (!sc->may_swap || !add_to_swap(page))
			return FATE_ACTIVATE;
	}
	if (in_memory_file(page)) {
		if (mapping_unevictable(page->mapping))
			return keep_in_memory_file(page);
		if (!sc->may_swap)
			return FATE_ACTIVATE;
	}
	if (page_mapped(page))
		try_to_unmap(page, batch);
	return FATE_UNMAPPED;
}

/* Locked and not wanted: back to its list it goes.  A slot that nobody names keeps its place only if there is plenty. */
static void unlock_kept_page(struct page *page)
{
	if (PageSwapCache(page) && (page_swap_full(page) || !swp_swapcount(page_swap_entry(page))))
		try_to_free_swap(page);
	unlock_page(page);
}

/* Second half, page locked, no TLB has it: written and freed.  It is unlocked, whatever the answer. */
static enum page_fate finish_page(struct page *page, struct scan_control *sc)
{
	enum page_fate fate = FATE_KEEP;
	bool locked = true;

	if (page_mapped(page))
		fate = FATE_ACTIVATE;
	else if (make_clean(page, sc, &locked) && remove_and_free(page))
		return FATE_FREED;
	if (locked)
		unlock_kept_page(page);
	return fate;
}

/* A page that stays, no longer locked.  What a program wants paged out says nothing about the balance of the lists. */
static void keep_page(struct page *page, enum page_fate fate, const struct scan_control *sc)
{
	if (fate == FATE_ACTIVATE) {
		SetPageActive(page);
		count_vm_event(PGACTIVATE);
		if (!sc->ignore_references)
			note_rotated(page);
	}
	putback_lru_page(page);
}

/* All pages that can go are locked and unmapped, and move to `unmapped`; the others go back. */
static void unmap_pages(struct list_head *pages, struct list_head *unmapped, struct scan_control *sc,
			struct unmap_batch *batch)
{
	while (!list_empty(pages)) {
		struct page *page = list_first_entry(pages, struct page, lru);
		enum page_fate fate = FATE_KEEP;

		list_del(&page->lru);
		ClearPageActive(page);
		if (trylock_page(page)) {
			fate = unmap_page(page, sc, batch);
			if (fate == FATE_UNMAPPED) {
				list_add_tail(&page->lru, unmapped);
				continue;
			}
			unlock_kept_page(page);
		}
		keep_page(page, fate, sc);
		cond_resched();
	}
}

/* Isolated pages, not very many; those that cannot go are back on their lists afterwards.  Pages freed. */
unsigned long shrink_page_list(struct list_head *pages, struct scan_control *sc)
{
	unsigned long freed = 0, file = 0;
	struct unmap_batch batch = { };
	LIST_HEAD(unmapped);

	unmap_pages(pages, &unmapped, sc, &batch);
	flush_unmapped(&batch);
	while (!list_empty(&unmapped)) {
		struct page *page = list_first_entry(&unmapped, struct page, lru);
		bool is_file = !PageSwapBacked(page);
		enum page_fate fate;

		list_del(&page->lru);
		fate = finish_page(page, sc);
		if (fate == FATE_FREED) {
			freed++;
			file += is_file;
		} else {
			keep_page(page, fate, sc);
		}
		cond_resched();
	}
	count_vm_events(PGSTEAL_FILE, (long)file);
	count_vm_events(PGSTEAL_ANON, (long)(freed - file));
	return freed;
}
