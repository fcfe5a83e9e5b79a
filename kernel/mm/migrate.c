/*
 * migrate.c: what a page holds moves to another frame, and whoever uses it does not notice.
 *
 * What:    for memory policies (a page on a certain node) and for compaction (a free block of a certain size).
 * Idea:    no marks in page tables that others must wait for and everybody must know.  Instead a page moves only when a
 *          single lock can keep all its users away:
 *            anonymous, one entry    under that entry's ptl: the entry goes, is flushed, the page is copied, the entry comes
 *                                    back with the new frame.  A fault meanwhile waits for the ptl.
 *            in the page cache       its entries go for good (a fault finds the page again in the cache); under the cache's
 *                                    lock the new page takes its place.  A look-up meanwhile waits for the lock or retries.
 *          A frozen count (page_ref_freeze) says that nobody else has the page, and nobody can get it:
 *
 *              CPU 0: migrate                          CPU 1: get_user_pages, read(2), fork
 *                                                      takes a reference
 *              freeze(2): fails: everything as it was
 *          or  freeze(2): count is 0
 *                                                      get_page_unless_zero: fails, looks again: the new page
 *
 * Limits:  stays where it is: an anonymous page with several entries (after fork) or a slot in swap; a page of a file that has
 *          buffers which cannot be given up; what somebody has pinned or locked; what is on no LRU list.
 * Locking: page lock -> the trees' locks of rmap.c -> ptl, or page lock -> xa_lock.
 * See:     spec.md §6 "compaction", "NUMA"; mbind.c; compaction.c; doc/memory.md
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/mempolicy.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <asm/tlbflush.h>
#include "internal.h"

/* What is true of the contents, wherever they lie. */
#define MOVING_FLAGS	(1UL << PG_referenced | 1UL << PG_uptodate | 1UL << PG_dirty | 1UL << PG_active | \
			 1UL << PG_swapbacked | 1UL << PG_error | 1UL << PG_mlocked | 1UL << PG_unevictable)

/* page is frozen: nobody changes it.  new is not known to anybody yet. */
static void copy_contents(struct page *new, struct page *page)
{
	copy_page(page_address(new), page_address(page));
	new->flags |= page->flags & MOVING_FLAGS;
	new->mapping = page->mapping;
	new->index = page->index;
	new->private = page->private;
	mem_cgroup_migrate(page, new);
}

/* The old frame's contents are elsewhere: our reference is all it has. */
static void become_nothing(struct page *page)
{
	page->mapping = NULL;
	page->flags &= ~(MOVING_FLAGS & ~(1UL << PG_uptodate));
	page_mapcount_reset(page);
	page_ref_unfreeze(page, 1);
}

/* ---- anonymous pages ---- */

struct move {
	struct page	*new;
	bool		done;
};

/* The one entry.  Always false: there is no other. */
static bool move_entry(struct page *page, struct vm_area_struct *vma, unsigned long addr, void *arg)
	__no_context_analysis	/* page_entry_lock() */
{
	struct move *move = arg;
	spinlock_t *ptl;
	pte_t *pte = page_entry_lock(page, vma, addr, &ptl), old;

	if (!pte)
		return true;
	old = ptep_get_and_clear(vma->vm_mm, addr, pte);
	flush_tlb_page(vma, addr);
	if (page_ref_freeze(page, 2)) {
		copy_contents(move->new, page);
		page_mapcount_reset(move->new);
		page_dup_rmap(move->new);
		lru_cache_add(move->new);
		set_pte(pte, __pte((pte_val(old) & PTE_FLAGS_MASK) | page_to_pfn(move->new) << PAGE_SHIFT));
		become_nothing(page);
		move->done = true;
	} else {
		set_pte(pte, old);
	}
	pte_unmap_unlock(pte, ptl);
	return false;
}

static int migrate_anon(struct page *page, struct page *new, bool may_wait)
{
	struct move move = { .new = new };
	struct rmap_walk_control rwc = { .arg = &move, .try_lock = !may_wait, .rmap_one = move_entry };

	if (PageSwapCache(page) && !try_to_free_swap(page))
		return -EBUSY;
	if (page_mapcount(page) != 1 || page_count(page) != 2)
		return -EBUSY;
	rmap_walk(page, &rwc);
	return move.done ? 0 : -EBUSY;
}

/* ---- pages of files and of tmpfs ---- */

static int replace_in_cache(struct address_space *mapping, struct page *page, struct page *new)
{
	unsigned long flags;

	xa_lock_irqsave(&mapping->i_pages, flags);
	if (!page_ref_freeze(page, 2)) {
		xa_unlock_irqrestore(&mapping->i_pages, flags);
		return -EBUSY;
	}
	copy_contents(new, page);
	__xa_store(&mapping->i_pages, page->index, new, 0);	/* over another entry: needs no memory */
	become_nothing(page);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	return 0;
}

static int migrate_cache_page(struct page *page, struct page *new)
{
	struct address_space *mapping = page->mapping;
	struct unmap_batch batch = { };
	bool unmapped;
	int err;

	if (!mapping || PageSwapCache(page) || PageWriteback(page) || !PageUptodate(page))
		return -EBUSY;
	if (PagePrivate(page) && !(mapping->a_ops->releasepage && mapping->a_ops->releasepage(page, GFP_KERNEL)))
		return -EBUSY;
	unmapped = !page_mapped(page) || try_to_unmap(page, &batch);
	flush_unmapped(&batch);
	if (!unmapped)
		return -EBUSY;
	__SetPageLocked(new);
	err = replace_in_cache(mapping, page, new);
	if (err) {
		__ClearPageLocked(new);
		return err;
	}
	lru_cache_add(new);
	unlock_page(new);
	return 0;
}

/* ---- any page ---- */

int migrate_page(struct page *page, struct page *new, bool may_wait)
{
	int err = -EBUSY;

	if (!PageWriteback(page) && !PageCompound(page))
		err = PageAnon(page) ? migrate_anon(page, new, may_wait) : migrate_cache_page(page, new);
	count_vm_event(err ? PGMIGRATE_FAIL : PGMIGRATE_SUCCESS);
	if (err)
		put_page(new);
	return err;
}

int migrate_page_to_node(struct page *page, int nid)
{
	struct page *new = alloc_pages_node(nid, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE | __GFP_NORETRY | __GFP_NOWARN, 0);
	int err;

	if (!new)
		return -ENOMEM;
	if (!isolate_lru_page(page)) {
		put_page(new);
		return -EBUSY;
	}
	put_page(page);				/* isolation's: the caller has one */
	lock_page(page);
	err = migrate_page(page, new, true);
	unlock_page(page);
	if (err)
		lru_cache_add(page);
	return err;
}
