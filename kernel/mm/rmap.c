/*
 * rmap.c: from a page of a file to the entries that map it.
 *
 * Idea:    the file's interval tree (i_mmap) gives the areas that cover the page; each has at most one entry for it, at an
 *          address that follows from the offsets.  Anonymous pages come with reclaim, which is what needs to find them.
 * Locking: page lock; i_mmap_rwsem for reading, which keeps areas and their page tables in place (zap.c); ptl per entry.
 * See:     spec.md §5 "COW"; rmap.h
 */
#include <weft/fs.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "internal.h"

/* One area's entry.  The TLBs must forget it before anybody believes that the page is clean. */
static int mkclean_one(struct page *page, struct vm_area_struct *vma, unsigned long addr)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	spinlock_t *ptl;
	int changed = 0;
	pte_t *pte, entry;

	if (!pmd)
		return 0;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	entry = *pte;
	if (pte_present(entry) && pte_pfn(entry) == page_to_pfn(page) && (pte_write(entry) || pte_dirty(entry))) {
		entry = ptep_get_and_clear(vma->vm_mm, addr, pte);
		flush_tlb_page(vma, addr);
		set_pte(pte, pte_mkclean(pte_wrprotect(entry)));
		changed = 1;
	}
	pte_unmap_unlock(pte, ptl);
	return changed;
}

int page_mkclean(struct page *page)
{
	struct address_space *mapping = page_mapping(page);
	struct vm_area_struct *vma;
	int changed = 0;

	if (!mapping || !page_mapped(page))
		return 0;
	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, page->index, page->index) {
		if (vma->vm_flags & VM_SHARED)
			changed += mkclean_one(page, vma, vma->vm_start + ((page->index - vma->vm_pgoff) << PAGE_SHIFT));
	}
	i_mmap_unlock_read(mapping);
	return changed;
}
