/*
 * mprotect.c: other rights for mapped pages.
 *
 * Idea:    the area gets its new flags first (split, merged), then each present entry its new rights.  A private page never
 *          becomes writable here: the next write faults and copies, or finds that it is alone.
 * Locking: mmap_lock for writing; ptl per table.
 *
 *              CPU 0: mprotect(PROT_READ)              CPU 1: same mm, writes in a loop
 *              entry read-only                         TLB: still writable, writes on
 *              flush: IPI                              forgets
 *              mmap_write_unlock, returns              #PF -> SIGSEGV
 *          The system call does not return before the flush is done everywhere, so no write comes after it.
 * See:     spec.md §5 "VMAs"; man 2 mprotect
 */
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mman.h>
#include <weft/personality.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include <asm/tlb.h>
#include "internal.h"

/* One table.  Returns entries changed. */
static unsigned long change_pte_range(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end)
{
	unsigned long changed = 0;
	spinlock_t *ptl;
	pte_t *pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);

	do {
		pte_t old = *pte, new;

		if (!pte_present(old))
			continue;
		/* Clear first: the processor may set accessed and dirty in the old entry until it is gone. */
		old = ptep_get_and_clear(vma->vm_mm, addr, pte);
		new = pte_modify(old, vma->vm_page_prot);
		if (!(vma->vm_flags & VM_SHARED))
			new = pte_wrprotect(new);
		set_pte(pte, new);
		changed++;
	} while (pte++, addr += PAGE_SIZE, addr != end);
	pte_unmap_unlock(pte, ptl);
	return changed;
}

static void change_protection(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	unsigned long addr, next, changed = 0;

	for (addr = start; addr < end; addr = next) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);

		next = pmd_addr_end(addr, end);
		if (pmd && pmd_huge(pmd) && change_huge_pmd(vma, pmd, addr, next))
			changed++;
		else if (pmd && pmd_has_table(vma->vm_mm, pmd, addr))
			changed += change_pte_range(vma, pmd, addr, next);
		cond_resched();
	}
	/* Reclaim may have taken entries away that it has not flushed yet: rmap.c defer_flush(). */
	if (changed || atomic_read(&vma->vm_mm->tlb_flush_pending))
		flush_tlb_range(vma, start, end);
}

/* A private area that becomes writable must be promised.  Pages charged, or -ENOMEM. */
static long charge_writable(struct vm_area_struct *vma, unsigned long newflags, unsigned long pages)
{
	struct mm_struct *mm = vma->vm_mm;

	if (!(newflags & VM_WRITE))
		return 0;
	if (!may_expand_vm(mm, newflags, pages) && may_expand_vm(mm, vma->vm_flags, pages))
		return -ENOMEM;
	if (vma->vm_flags & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE))
		return 0;
	return security_vm_enough_memory_mm(mm, pages) ? -ENOMEM : (long)pages;
}

/*
 * Gives [start, end) of vma the flags newflags, entries included.  *pprev becomes the area that covers it.
 * 0 or -ENOMEM, then nothing has changed.
 */
int mprotect_fixup(struct vm_area_struct *vma, struct vm_area_struct **pprev, unsigned long start, unsigned long end,
		   unsigned long newflags)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long oldflags = vma->vm_flags;
	long pages = (end - start) >> PAGE_SHIFT, charged;

	*pprev = vma;
	if (newflags == oldflags)
		return 0;
	charged = charge_writable(vma, newflags, pages);
	if (charged < 0)
		return charged;
	if (charged)
		newflags |= VM_ACCOUNT;
	vma = vma_modify_flags(vma, start, end, newflags);
	if (IS_ERR(vma)) {
		vm_unacct_memory(charged);
		return PTR_ERR(vma);
	}
	*pprev = vma;
	change_protection(vma, start, end);
	vm_stat_account(mm, oldflags, -pages);
	vm_stat_account(mm, newflags, pages);
	return 0;
}

/* PROT_GROWSDOWN: the change reaches down to the start of a stack.  Sets *start; 0, -EINVAL or -ENOMEM. */
static int apply_grows(struct mm_struct *mm, struct vm_area_struct *vma, int grows, unsigned long *start,
		       unsigned long end)
{
	if (grows & PROT_GROWSDOWN) {
		if (vma->vm_start >= end)
			return -ENOMEM;
		*start = vma->vm_start;
		return (vma->vm_flags & VM_GROWSDOWN) ? 0 : -EINVAL;
	}
	if (vma->vm_start > *start)
		return -ENOMEM;
	return (grows & PROT_GROWSUP) ? -EINVAL : 0;
}

static unsigned long new_prot_flags(const struct vm_area_struct *vma, unsigned long prot, bool rier)
{
	if (rier && (vma->vm_flags & VM_MAYEXEC))
		prot |= PROT_EXEC;
	return calc_vm_prot_bits(prot) | (vma->vm_flags & ~VM_ACCESS_FLAGS);
}

/* All areas of [start, end), which must leave no hole.  Stops at the first that may not. */
static int protect_areas(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned long prot, int grows)
{
	bool rier = (current->personality & READ_IMPLIES_EXEC) && (prot & PROT_READ);
	struct vm_area_struct *vma = find_vma(mm, start);
	int err;

	if (!vma)
		return -ENOMEM;
	err = apply_grows(mm, vma, grows, &start, end);
	while (!err && start < end) {
		unsigned long stop, newflags;

		if (!vma || vma->vm_start > start)
			return -ENOMEM;
		newflags = new_prot_flags(vma, prot, rier);
		/* VM_MAYxxx stands four bits above VM_xxx. */
		if ((newflags & ~(newflags >> 4)) & VM_ACCESS_FLAGS)
			return -EACCES;
		stop = min(end, vma->vm_end);
		err = mprotect_fixup(vma, &vma, start, stop, newflags);
		start = stop;
		vma = vma->vm_end > start ? vma : vma_next(vma);
	}
	return err;
}

long sys_mprotect(unsigned long start, size_t len, unsigned long prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct mm_struct *mm = current->mm;
	unsigned long end;
	int err;

	prot &= ~(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || offset_in_page(start))
		return -EINVAL;
	if (!len)
		return 0;
	len = PAGE_ALIGN(len);
	end = start + len;
	if (end <= start)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = protect_areas(mm, start, end, prot, grows);
	mmap_write_unlock(mm);
	return err;
}
