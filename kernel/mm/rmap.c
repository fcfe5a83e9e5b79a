/*
 * rmap.c: from a page to the entries that map it.
 *
 * Idea:    an interval tree (of the page's file, or of its anonymous family) gives the areas that cover the page; each has at
 *          most one entry for it, at an address that follows from the offsets.  A private area of a file is in both trees:
 *          unwritten pages are found in the one, private copies in the other.
 *          A family outlives the pages that name it only by RCU: page_get_anon_vma() sees the page mapped, so some address
 *          space still held the family at that moment, and the memory stays at least until the RCU section ends.
 *
 *              CPU 0: reclaim, page locked             CPU 1: the last process of the family exits
 *              rcu_read_lock; reads page->mapping
 *              page_mapped: yes                        zap: mapcount 0
 *                                                      anon_vma_put: count 0, freed after a grace period
 *              refcount_inc_not_zero: fails: done
 *              rcu_read_unlock                         ... which ends here at the earliest
 *
 * Misses:  the walk is not stopped by fork, mremap or a new fault.  An entry it misses leaves the page mapped, which the
 *          caller looks at under the page lock at the end; it is never lost, since new entries for a page come only from
 *          entries that exist (fork) or through the swap cache, under the page lock.
 *
 *              CPU 0: try_to_unmap                     CPU 1: fork (both mmap_locks)
 *              child's area: entry still empty
 *                                                      copies the parent's entry: mapcount 2
 *              parent's entry -> swap: mapcount 1
 *              page_mapped: true: page kept            child maps the page, parent names the slot: both right
 *
 * Locking: page lock; the tree's rwsem for reading, which keeps areas and their page tables in place (zap.c); ptl per entry.
 * See:     spec.md §5 "COW", §6 "reverse mapping"; rmap.h; doc/reclaim.md
 */
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/pagemap.h>
#include <weft/rcu.h>
#include <weft/rmap.h>
#include <weft/slab.h>
#include <weft/swap.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "internal.h"

/* ---- families ---- */

struct anon_vma *anon_vma_alloc(void)
{
	struct anon_vma *av = kmalloc(sizeof(*av), GFP_KERNEL);

	if (!av)
		return NULL;
	refcount_set(&av->count, 1);
	init_rwsem(&av->rwsem);
	av->areas = RB_ROOT_CACHED;
	return av;
}

void anon_vma_put(struct anon_vma *av)
{
	if (refcount_dec_and_test(&av->count))
		kfree_rcu(av, rcu);
}

/* Two threads may fault in the area at once, with mmap_lock for reading: the second finds it done. */
void __anon_vma_prepare(struct vm_area_struct *vma)
{
	struct anon_vma *av = vma->vm_mm->anon_vma;

	down_write(&av->rwsem);
	if (!vma->vm_has_anon) {
		anon_interval_tree_insert(vma, &av->areas);
		WRITE_ONCE(vma->vm_has_anon, true);
	}
	up_write(&av->rwsem);
}

/* The family of a mapped anonymous page, with a reference, or NULL: it is not mapped any more.  Page locked. */
static struct anon_vma *page_get_anon_vma(struct page *page)
{
	struct anon_vma *av;

	rcu_read_lock();
	av = page_anon_vma(page);
	if (!page_mapped(page) || !refcount_inc_not_zero(&av->count))
		av = NULL;
	rcu_read_unlock();
	return av;
}

/* Out of line: it would cost registers where thousands of entries are taken away. */
void file_page_unmapped(struct page *page)
{
	dec_page_state(page, NR_FILE_MAPPED);
}

/* ---- the walk ---- */

/* False: this was the last one. */
static bool visit(struct page *page, struct vm_area_struct *vma, struct rmap_walk_control *rwc)
{
	unsigned long addr = vma->vm_start + ((page->index - vma->vm_pgoff) << PAGE_SHIFT);

	if (!rwc->rmap_one(page, vma, addr, rwc->arg))
		return false;
	return !(rwc->done && rwc->done(page));
}

static bool tree_lock(struct rw_semaphore *sem, bool try_lock) __no_context_analysis	/* conditional */
{
	if (try_lock)
		return down_read_trylock(sem);
	down_read(sem);
	return true;
}

static bool rmap_walk_anon(struct page *page, struct rmap_walk_control *rwc) __no_context_analysis	/* tree_lock() */
{
	struct anon_vma *av = page_get_anon_vma(page);
	struct vm_area_struct *vma;
	bool locked;

	if (!av)
		return true;
	locked = tree_lock(&av->rwsem, rwc->try_lock);
	if (locked) {
		anon_interval_tree_foreach(vma, &av->areas, page->index, page->index)
			if (!visit(page, vma, rwc))
				break;
		up_read(&av->rwsem);
	}
	anon_vma_put(av);
	return locked;
}

static bool rmap_walk_file(struct page *page, struct rmap_walk_control *rwc) __no_context_analysis	/* tree_lock() */
{
	struct address_space *mapping = page_mapping(page);
	struct vm_area_struct *vma;

	if (!mapping)
		return true;
	if (!tree_lock(&mapping->i_mmap_rwsem, rwc->try_lock))
		return false;
	vma_interval_tree_foreach(vma, &mapping->i_mmap, page->index, page->index)
		if (!visit(page, vma, rwc))
			break;
	i_mmap_unlock_read(mapping);
	return true;
}

bool rmap_walk(struct page *page, struct rmap_walk_control *rwc)
{
	VM_BUG_ON_PAGE(!PageLocked(page), page);
	return PageAnon(page) ? rmap_walk_anon(page, rwc) : rmap_walk_file(page, rwc);
}

pte_t *page_entry_lock(struct page *page, struct vm_area_struct *vma, unsigned long addr, spinlock_t **ptl)
	__no_context_analysis	/* locked if it returns an entry */
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	pte_t *pte;

	if (!pmd)
		return NULL;
	if (pmd_huge(pmd) && !huge_pmd_maps(vma->vm_mm, pmd, page))
		return NULL;			/* another one's: not to be split for nothing */
	if (!pmd_has_table(vma->vm_mm, pmd, addr))
		return NULL;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, ptl);
	if (pte_present(*pte) && !pte_special(*pte) && pte_pfn(*pte) == page_to_pfn(page))
		return pte;
	pte_unmap_unlock(pte, *ptl);
	return NULL;
}

static bool not_mapped(struct page *page)
{
	return !page_mapped(page);
}

/* ---- was it used? ---- */

struct referenced {
	int		mapcount;		/* entries still to be found */
	int		count;
	unsigned long	vm_flags;
};

/* A huge mapping is looked at as it is, not split. */
static bool huge_referenced_one(struct page *page, struct vm_area_struct *vma, pmd_t *pmd, struct referenced *r)
{
	bool used;

	if (!huge_pmd_referenced(vma->vm_mm, pmd, page, &used))
		return true;
	if (vma->vm_flags & VM_LOCKED) {
		r->vm_flags |= VM_LOCKED;
		return false;
	}
	if (used) {
		r->count++;
		r->vm_flags |= vma->vm_flags;
	}
	return --r->mapcount > 0;
}

/* No flush: a processor that has the translation in its TLB does not set the bit again at once, which only makes the page
 * look a little older than it is. */
static bool referenced_one(struct page *page, struct vm_area_struct *vma, unsigned long addr, void *arg)
	__no_context_analysis	/* page_entry_lock() */
{
	struct referenced *r = arg;
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	spinlock_t *ptl;
	pte_t *pte;

	if (pmd && pmd_huge(pmd))
		return huge_referenced_one(page, vma, pmd, r);
	pte = page_entry_lock(page, vma, addr, &ptl);
	if (!pte)
		return true;
	if (vma->vm_flags & VM_LOCKED) {
		r->vm_flags |= VM_LOCKED;
		mlock_page(page);		/* who had it locked beside this area has let go, or a fault was passed over */
		pte_unmap_unlock(pte, ptl);
		return false;
	}
	/* Who runs through a file once does not use its pages again. */
	if (ptep_test_and_clear_young(vma, addr, pte) && !(vma->vm_flags & VM_SEQ_READ)) {
		r->count++;
		r->vm_flags |= vma->vm_flags;
	}
	pte_unmap_unlock(pte, ptl);
	return --r->mapcount > 0;
}

int page_referenced(struct page *page, unsigned long *vm_flags)
{
	struct referenced r = { .mapcount = page_mapcount(page) };
	struct rmap_walk_control rwc = { .arg = &r, .try_lock = true, .rmap_one = referenced_one };

	*vm_flags = 0;
	if (!page_mapped(page))
		return 0;
	if (!rmap_walk(page, &rwc))
		return 1;			/* somebody changes the areas just now: a busy process */
	*vm_flags = r.vm_flags;
	return r.count;
}

/* ---- taking entries away ---- */

/* The entry has been taken: what stands there instead.  False: the slot has too many users; the entry must come back. */
static bool leave_swap_entry(struct page *page, struct vm_area_struct *vma, unsigned long addr, pte_t *pte, pte_t old)
{
	swp_entry_t entry = page_swap_entry(page);
	pte_t swp = swp_entry_to_pte(entry);

	if (swap_duplicate(entry)) {
		set_pte(pte, old);
		return false;
	}
	swap_note_mm(vma->vm_mm);
	dec_mm_counter(vma->vm_mm, MM_ANONPAGES);
	inc_mm_counter(vma->vm_mm, MM_SWAPENTS);
	if (pte_soft_dirty(old))
		swp = pte_swp_mksoft_dirty(swp);
	if (unlikely(pte_uffd_wp(old)))
		swp = pte_swp_mkuffd_wp(swp);
	set_pte(pte, swp);
	return true;
}

/*
 * An entry of a page that MADV_FREE has given up (no PG_swapbacked) has been taken.  True: it may go for good: nothing was
 * written since, and nobody but the entries and our caller, who isolated it, has the page.
 */
static bool lazy_page_is_clean(struct page *page, pte_t old)
{
	return !pte_dirty(old) && !PageDirty(page) && page_count(page) == 1 + page_mapcount(page);
}

/* What stands where the entry of an anonymous page was.  False: the entry is back, and the page stays. */
static bool replace_anon_entry(struct page *page, struct vm_area_struct *vma, unsigned long addr, pte_t *pte, pte_t old)
{
	if (PageSwapBacked(page))
		return leave_swap_entry(page, vma, addr, pte, old);
	if (lazy_page_is_clean(page, old)) {
		dec_mm_counter(vma->vm_mm, MM_ANONPAGES);
		count_vm_event(PGLAZYFREED);
		return true;
	}
	SetPageSwapBacked(page);
	set_pte(pte, old);
	return false;
}

/*
 * The flush may come later, for many pages at once.  Until then the mm counts as one that is being gathered
 * (mmu_gather.c), so that nobody takes "no entry" for "no translation":
 *
 *              CPU 0: reclaim                          CPU 1: madvise(DONTNEED), CPU 2: same mm, user mode
 *              tlb_flush_pending + 1
 *              entry -> slot                           2: writes on through its TLB
 *                                                      1: finds the slot, frees it; pending > 1: flushes all
 *                                                      2: #PF: a new page
 *              flush_unmapped: flush, pending - 1
 *
 * False: the batch is full.
 */
static bool defer_flush(struct unmap_batch *batch, struct mm_struct *mm)
{
	for (unsigned int i = 0; i < batch->nr; i++)
		if (batch->mm[i] == mm)
			return true;
	if (batch->nr == UNMAP_BATCH_MMS)
		return false;
	mmgrab(mm);
	atomic_inc(&mm->tlb_flush_pending);
	batch->mm[batch->nr++] = mm;
	return true;
}

void flush_unmapped(struct unmap_batch *batch)
{
	for (unsigned int i = 0; i < batch->nr; i++) {
		struct mm_struct *mm = batch->mm[i];

		flush_tlb_mm_range(mm, 0, TLB_FLUSH_ALL, PAGE_SHIFT, false);
		atomic_dec(&mm->tlb_flush_pending);
		mmdrop(mm);
	}
	batch->nr = 0;
}

/*
 * Until the flush a processor with a writable translation in its TLB may write on, and nobody looks at the contents.
 * ptep_get_and_clear() takes the entry atomically, so its dirty bit is what every processor has set; one that writes
 * through a TLB entry which it got as clean must set the bit in memory first, finds the entry gone, and faults.
 */
static bool unmap_one(struct page *page, struct vm_area_struct *vma, unsigned long addr, void *arg)
	__no_context_analysis	/* page_entry_lock() */
{
	struct mm_struct *mm = vma->vm_mm;
	bool ok = true, deferred;
	spinlock_t *ptl;
	pte_t *pte = page_entry_lock(page, vma, addr, &ptl), old;

	if (!pte)
		return true;
	if (vma->vm_flags & VM_LOCKED) {
		pte_unmap_unlock(pte, ptl);
		return false;
	}
	deferred = defer_flush(arg, mm);
	old = ptep_get_and_clear(mm, addr, pte);
	if (!deferred)
		flush_tlb_page(vma, addr);
	if (pte_dirty(old) && (!PageAnon(page) || PageSwapBacked(page)))
		set_page_dirty(page);
	update_hiwater_rss(mm);
	if (PageAnon(page))
		ok = replace_anon_entry(page, vma, addr, pte, old);
	else
		dec_mm_counter(mm, mm_counter_file(page));
	if (ok) {
		page_remove_rmap(page);
		put_page(page);
	}
	pte_unmap_unlock(pte, ptl);
	return ok;
}

bool try_to_unmap(struct page *page, struct unmap_batch *batch)
{
	struct rmap_walk_control rwc = { .arg = batch, .try_lock = true, .rmap_one = unmap_one, .done = not_mapped };

	VM_BUG_ON_PAGE(PageAnon(page) && PageSwapBacked(page) && !PageSwapCache(page), page);
	rmap_walk(page, &rwc);
	return !page_mapped(page);
}

/* ---- making entries clean ---- */

/* The TLBs must forget the entry before anybody believes that the page is clean. */
static bool mkclean_one(struct page *page, struct vm_area_struct *vma, unsigned long addr, void *arg)
	__no_context_analysis	/* page_entry_lock() */
{
	int *changed = arg;
	spinlock_t *ptl;
	pte_t *pte, old;

	if (!(vma->vm_flags & VM_SHARED))
		return true;
	pte = page_entry_lock(page, vma, addr, &ptl);
	if (!pte)
		return true;
	if (pte_write(*pte) || pte_dirty(*pte)) {
		old = ptep_get_and_clear(vma->vm_mm, addr, pte);
		flush_tlb_page(vma, addr);
		set_pte(pte, pte_mkclean(pte_wrprotect(old)));
		++*changed;
	}
	pte_unmap_unlock(pte, ptl);
	return true;
}

int page_mkclean(struct page *page)
{
	int changed = 0;
	struct rmap_walk_control rwc = { .arg = &changed, .rmap_one = mkclean_one };

	if (page_mapping(page) && page_mapped(page))
		rmap_walk(page, &rwc);
	return changed;
}
