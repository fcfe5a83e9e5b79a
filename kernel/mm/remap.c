/*
 * remap.c: entries that a driver writes itself: device memory, single pages of the kernel.
 *
 * Idea:    remap_pfn_range() maps bare frames (a frame buffer) when mmap is called; vm_insert_page() and vmf_insert_pfn()
 *          map one page, at mmap or from a fault handler.  Bare frames are marked special: nobody counts references.
 * Locking: remap_pfn_range: mmap_lock for writing (in ->mmap).  The others: mmap_lock in any mode.
 * See:     spec.md §1 "display"
 */
#include <weft/fs.h>
#include <weft/rmap.h>
#include <asm/pgalloc.h>
#include "internal.h"

/* The entry for addr, its table made and locked; NULL when out of memory. */
static pte_t *get_locked_pte(struct mm_struct *mm, unsigned long addr, spinlock_t **ptl) __cond_acquires(true, *ptl)
	__no_context_analysis	/* conditional */
{
	pmd_t *pmd = mm_alloc_pmd(mm, addr);

	if (!pmd || pte_alloc_failed(mm, pmd))
		return NULL;
	return pte_offset_map_lock(mm, pmd, addr, ptl);
}

/* [addr, addr + size) of vma becomes frames pfn and up.  0, -EINVAL, -ENOMEM (some may be mapped: the area goes then). */
int remap_pfn_range(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn, unsigned long size, pgprot_t prot)
{
	unsigned long end = addr + PAGE_ALIGN(size);
	spinlock_t *ptl;
	pte_t *pte;

	if (offset_in_page(addr) || addr < vma->vm_start || end > vma->vm_end || end < addr)
		return -EINVAL;
	if (is_cow_mapping(vma->vm_flags)) {
		if (addr != vma->vm_start || end != vma->vm_end)
			return -EINVAL;
		vma->vm_pgoff = pfn;
	}
	vma->vm_flags |= VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
	while (addr < end) {
		unsigned long next = pmd_addr_end(addr, end);

		pte = get_locked_pte(vma->vm_mm, addr, &ptl);
		if (!pte)
			return -ENOMEM;
		for (; addr < next; addr += PAGE_SIZE, pte++, pfn++)
			set_pte(pte, pte_mkspecial(pfn_pte(pfn, prot)));
		spin_unlock(ptl);
	}
	return 0;
}

/* The part of the device memory [start, start + len) that vma->vm_pgoff selects, for a driver's ->mmap. */
int vm_iomap_memory(struct vm_area_struct *vma, phys_addr_t start, unsigned long len)
{
	unsigned long pfn = start >> PAGE_SHIFT, pages = (offset_in_page(start) + len + ~PAGE_MASK) >> PAGE_SHIFT;

	if (start + len < start || vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, pfn + vma->vm_pgoff, vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

/* Maps one page of the kernel, taking a reference of its own.  0, -EINVAL, -EFAULT, -ENOMEM, -EBUSY (something there). */
int vm_insert_page(struct vm_area_struct *vma, unsigned long addr, struct page *page)
{
	int err = -EBUSY;
	spinlock_t *ptl;
	pte_t *pte;

	if (addr < vma->vm_start || addr >= vma->vm_end)
		return -EFAULT;
	if (!page_count(page) || PageAnon(page))
		return -EINVAL;
	pte = get_locked_pte(vma->vm_mm, addr, &ptl);
	if (!pte)
		return -ENOMEM;
	if (pte_none(*pte)) {
		get_page(page);
		inc_mm_counter(vma->vm_mm, mm_counter_file(page));
		page_add_file_rmap(page);
		set_pte(pte, mk_pte(page, vma->vm_page_prot));
		err = 0;
	}
	spin_unlock(ptl);
	return err;
}

/* From a fault handler: maps a bare frame.  VM_FAULT_NOPAGE: done (by us or by another thread). */
vm_fault_t vmf_insert_pfn_prot(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn, pgprot_t prot)
{
	spinlock_t *ptl;
	pte_t *pte;

	if (addr < vma->vm_start || addr >= vma->vm_end || !(vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)))
		return VM_FAULT_SIGBUS;
	pte = get_locked_pte(vma->vm_mm, addr, &ptl);
	if (!pte)
		return VM_FAULT_OOM;
	if (pte_none(*pte))
		set_pte(pte, pte_mkspecial(pfn_pte(pfn, prot)));
	spin_unlock(ptl);
	return VM_FAULT_NOPAGE;
}

vm_fault_t vmf_insert_pfn(struct vm_area_struct *vma, unsigned long addr, unsigned long pfn)
{
	return vmf_insert_pfn_prot(vma, addr, pfn, vma->vm_page_prot);
}
