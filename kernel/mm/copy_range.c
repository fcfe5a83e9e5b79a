/*
 * copy_range.c: fork's half of copy on write: the child gets the parent's page tables, not its pages.
 *
 * Idea:    each entry is copied; a private page becomes read-only in both, and who writes first gets a copy (do_wp_page in
 *          memory.c).  What the child could read back from a file as well is not copied at all: shared mappings and private
 *          ones that were never written (vma->vm_has_anon).
 * Locking: both mmap_locks for writing; both ptls, the child's first, while entries are copied.
 *
 *              CPU 0: fork                             CPU 1: thread of the parent, in user mode
 *              entry: writable -> read-only            TLB still says writable
 *              child's entry points to the page        writes X: both see it: the fork has not returned yet
 *              flush_tlb_mm_range(parent): IPI         forgets
 *              fork returns                            writes Y: #PF, waits for mmap_lock, copies: the child
 *                                                      does not see it
 *          The flush must come before mmap_lock is dropped and before the child can run.
 * Cost:    one short step for each present entry; no page is allocated but for the tables.
 * See:     spec.md §5 "COW"; man 2 fork
 */
#include <weft/huge_mm.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <asm/pgalloc.h>
#include "internal.h"

/* Can the child not find these pages elsewhere? */
static bool vma_needs_copy(const struct vm_area_struct *vma)
{
	return vma->vm_has_anon || (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP));
}

/* One present entry.  Returns what the child gets. */
static inline pte_t copy_entry(struct vm_area_struct *src_vma, pte_t *src_pte, unsigned long addr, long *rss)
{
	pte_t pte = *src_pte;
	struct page *page = vm_normal_page(src_vma, addr, pte);

	if (page) {
		get_page(page);
		page_dup_rmap(page);
		rss[mm_counter(page)]++;
	}
	if (is_cow_mapping(src_vma->vm_flags) && pte_write(pte)) {
		ptep_set_wrprotect(src_vma->vm_mm, addr, src_pte);
		pte = pte_wrprotect(pte);
	}
	if (src_vma->vm_flags & VM_SHARED)
		pte = pte_mkclean(pte);
	return pte_clear_uffd_wp(pte_mkold(pte));
}

/* The child names the slot as well.  0, or -ENOMEM: more than 32766 processes do. */
static int copy_swap_entry(struct mm_struct *dst_mm, pte_t entry, pte_t *dst_pte, long *rss)
{
	int err = swap_duplicate(pte_to_swp_entry(entry));

	if (err)
		return err;
	swap_note_mm(dst_mm);
	rss[MM_SWAPENTS]++;
	set_pte(dst_pte, pte_swp_clear_uffd_wp(entry));
	return 0;
}

static int copy_pte_range(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma, pmd_t *dst_pmd, pmd_t *src_pmd,
			  unsigned long addr, unsigned long end)
{
	struct mm_struct *dst_mm = dst_vma->vm_mm;
	long rss[NR_MM_COUNTERS] = { };
	spinlock_t *src_ptl, *dst_ptl;
	pte_t *src_pte, *dst_pte;
	int err = 0;

	if (pte_alloc_failed(dst_mm, dst_pmd))
		return -ENOMEM;
	dst_pte = pte_offset_map_lock(dst_mm, dst_pmd, addr, &dst_ptl);
	src_ptl = pte_lockptr(src_vma->vm_mm, src_pmd);
	spin_lock_nested(src_ptl, SINGLE_DEPTH_NESTING);
	src_pte = pte_offset_kernel(src_pmd, addr);
	do {
		if (pte_present(*src_pte)) {
			set_pte(dst_pte, copy_entry(src_vma, src_pte, addr, rss));
		} else if (is_swap_pte(*src_pte)) {
			err = copy_swap_entry(dst_mm, *src_pte, dst_pte, rss);
			if (err)
				break;
		}
	} while (dst_pte++, src_pte++, addr += PAGE_SIZE, addr != end);
	spin_unlock(src_ptl);
	spin_unlock(dst_ptl);

	for (int i = 0; i < NR_MM_COUNTERS; i++)
		if (rss[i])
			add_mm_counter(dst_mm, i, rss[i]);
	cond_resched();
	return err;
}

static int copy_pmd_entry(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma, pmd_t *dst_pmd, pmd_t *src_pmd,
			  unsigned long addr, unsigned long end)
{
	int ret = pmd_huge(src_pmd) ? copy_huge_pmd(dst_vma, src_vma, dst_pmd, src_pmd) : 0;

	return ret ? min(ret, 0) : copy_pte_range(dst_vma, src_vma, dst_pmd, src_pmd, addr, end);
}

/*
 * Copies the entries of src_vma to dst_vma, which covers the same addresses in the child.  The caller flushes the parent's
 * TLBs.  0 or -ENOMEM: then what was copied stays, for exit_mmap() to take away.
 */
int copy_page_range(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma)
{
	struct mm_struct *src_mm = src_vma->vm_mm;
	unsigned long addr, next, end = src_vma->vm_end;
	int err = 0;

	if (!vma_needs_copy(src_vma))
		return 0;
	for (addr = src_vma->vm_start; addr < end && !err; addr = next) {
		pgd_t *pgd = pgd_offset(src_mm, addr);
		pmd_t *src_pmd, *dst_pmd;
		pud_t *pud;

		next = pgd_addr_end(addr, end);
		if (pgd_none(*pgd))
			continue;
		pud = pud_offset(pgd, addr);
		next = pud_addr_end(addr, end);
		if (pud_none(*pud))
			continue;
		src_pmd = pmd_offset(pud, addr);
		next = pmd_addr_end(addr, end);
		if (pmd_none(*src_pmd))
			continue;
		dst_pmd = mm_alloc_pmd(dst_vma->vm_mm, addr);
		err = dst_pmd ? copy_pmd_entry(dst_vma, src_vma, dst_pmd, src_pmd, addr, next) : -ENOMEM;
	}
	return err;
}
