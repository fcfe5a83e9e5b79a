/*
 * madvise_pages.c: advice about pages that are there: MADV_COLD, MADV_PAGEOUT, MADV_FREE.
 *
 * What:    COLD: not used soon: first in line when memory is short.  PAGEOUT: out with them now.  FREE: the contents are not
 *          needed any more, but the pages may stay until somebody else needs them.
 * Idea:    COLD and PAGEOUT take a page only if no other entry maps it: what one process says shall not hurt another.
 *          FREE makes the entries clean and the pages homeless (no PG_swapbacked): reclaim drops such a page unless its entry
 *          became dirty again, which says that the program has written something new there:
 *
 *              program                                 reclaim (rmap.c lazy_page_is_clean())
 *              madvise(FREE): entry clean, flushed
 *              writes: entry dirty                     takes the entry: dirty: puts it back, PG_swapbacked again
 *          or                                          takes the entry: clean: page freed
 *              reads: zeroes
 *
 * Locking: mmap_lock for reading; ptl per table; page lock only tried; isolated pages belong to us until reclaim has them.
 * See:     man 2 madvise; madvise.c; vmscan.c reclaim_pages()
 */
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mman.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>
#include "internal.h"

/* Pages isolated before they are reclaimed: they are all locked at once. */
#define PAGEOUT_BATCH	64u

/* The page of an entry if only this entry maps it, else NULL. */
static struct page *private_page(struct vm_area_struct *vma, unsigned long addr, pte_t pte)
{
	struct page *page = pte_present(pte) ? vm_normal_page(vma, addr, pte) : NULL;

	return page && page_mapcount(page) == 1 ? page : NULL;
}

/* ---- COLD, PAGEOUT ---- */

/* One table, from addr on.  PAGEOUT's pages go to `out`, at most PAGEOUT_BATCH of them.  Where it stopped. */
static unsigned long cold_range(struct vm_area_struct *vma, unsigned long addr, unsigned long end, struct list_head *out)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	unsigned int taken = 0;
	spinlock_t *ptl;
	pte_t *pte;

	if (!pmd || !pmd_has_table(vma->vm_mm, pmd, addr))
		return end;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	for (; addr < end && taken < PAGEOUT_BATCH; addr += PAGE_SIZE, pte++) {
		struct page *page = private_page(vma, addr, *pte);

		if (!page)
			continue;
		ptep_test_and_clear_young(vma, addr, pte);
		ClearPageReferenced(page);
		if (!out) {
			deactivate_page(page);
		} else if (isolate_lru_page(page)) {
			list_add_tail(&page->lru, out);
			taken++;
		}
	}
	pte_unmap_unlock(pte, ptl);
	return addr;
}

/* What only the owner, or who can write to it, may push out: else one could watch who else reads a file. */
static bool may_page_out(struct vm_area_struct *vma)
{
	if (vma_is_anonymous(vma) || !vma->vm_file)
		return true;
	return inode_owner_or_capable(file_inode(vma->vm_file)) || !file_permission(vma->vm_file, MAY_WRITE);
}

/* The flush comes first: a processor with the old entry in its TLB would not note another use. */
int advise_cold(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool pageout)
{
	LIST_HEAD(out);

	if (vma->vm_flags & (VM_LOCKED | VM_PFNMAP))
		return -EINVAL;
	if (pageout && !may_page_out(vma))
		return 0;
	for (unsigned long addr = start, stop = start; addr < end; ) {
		if (addr >= stop)
			stop = pmd_boundary(addr, end);
		addr = cold_range(vma, addr, stop, pageout ? &out : NULL);
		if (!list_empty(&out))
			reclaim_pages(&out);
		cond_resched();
	}
	flush_tlb_mm_range(vma->vm_mm, start, end, PAGE_SHIFT, false);
	return 0;
}

/* ---- FREE ---- */

/* Nobody else maps it or has its slot: it has no home from now on. */
static bool make_lazy(struct page *page)
{
	bool ok;

	if (!PageSwapCache(page) && !PageDirty(page))
		goto lazy;
	if (!trylock_page(page))
		return false;
	ok = page_mapcount(page) == 1 && (!PageSwapCache(page) || try_to_free_swap(page));
	if (ok)
		ClearPageDirty(page);
	unlock_page(page);
	if (!ok)
		return false;
lazy:
	mark_page_lazyfree(page);
	return true;
}

static void free_entry(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long addr, pte_t *pte)
{
	struct page *page;

	if (is_swap_pte(*pte)) {
		swp_entry_t entry = pte_to_swp_entry(*pte);

		set_pte(pte, __pte(0));
		dec_mm_counter(tlb->mm, MM_SWAPENTS);
		free_swap_and_cache(entry);
		return;
	}
	page = private_page(vma, addr, *pte);
	if (!page || !PageAnon(page) || !make_lazy(page))
		return;
	if (pte_young(*pte) || pte_dirty(*pte)) {
		pte_t old = ptep_get_and_clear(tlb->mm, addr, pte);

		set_pte(pte, pte_mkold(pte_mkclean(old)));
		tlb_track_range(tlb, addr, PAGE_SIZE);
	}
}

int advise_free(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_gather tlb;

	if ((vma->vm_flags & (VM_LOCKED | VM_PFNMAP)) || !vma_is_anonymous(vma))
		return -EINVAL;
	update_hiwater_rss(vma->vm_mm);
	tlb_gather_mmu(&tlb, vma->vm_mm);
	for (unsigned long addr = start, stop; addr < end; addr = stop) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
		spinlock_t *ptl;
		pte_t *pte;

		stop = pmd_boundary(addr, end);
		if (!pmd || !pmd_has_table(vma->vm_mm, pmd, addr))
			continue;
		pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
		for (; addr < stop; addr += PAGE_SIZE, pte++)
			free_entry(&tlb, vma, addr, pte);
		pte_unmap_unlock(pte, ptl);
		cond_resched();
	}
	tlb_finish_mmu(&tlb);
	return 0;
}
