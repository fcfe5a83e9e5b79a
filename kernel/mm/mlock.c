/*
 * mlock.c: memory that must stay: mlock, mlock2, mlockall, munlock, munlockall.
 *
 * Idea:    VM_LOCKED on an area forbids reclaim to take its pages; mlock also touches them all, so that no fault comes
 *          later (VM_LOCKONFAULT leaves that out).  mm->locked_vm counts pages against RLIMIT_MEMLOCK.
 *          A page that a locked area maps is PG_mlocked and on the list of pages that reclaim does not look at: marked when
 *          the area is locked, or by the fault that maps it; given free when the entry goes or the area is unlocked, even if
 *          another locked area maps it too: then reclaim meets it once, finds that area and marks it again (rmap.c).
 * Locking: mmap_lock for writing to change flags; populating afterwards takes it for reading.
 * See:     man 2 mlock
 */
#include <weft/capability.h>
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mman.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/pagemap.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <asm/pgalloc.h>
#include "internal.h"

/* ---- pages ---- */

void mlock_page(struct page *page)
{
	if (!TestSetPageMlocked(page))
		inc_node_state(NR_MLOCK);
	lru_make_unevictable(page);
}

void munlock_page(struct page *page)
{
	if (!TestClearPageMlocked(page))
		return;
	dec_node_state(NR_MLOCK);
	lru_make_evictable(page);
}

/* Only a page that reclaim could meet is worth marking: not one that a driver mapped. */
static void mark_entry(struct vm_area_struct *vma, unsigned long addr, pte_t pte, bool lock)
{
	struct page *page = pte_present(pte) ? vm_normal_page(vma, addr, pte) : NULL;

	if (!page || (!PageLRU(page) && lock && !PageSwapBacked(page)))
		return;
	if (lock)
		mlock_page(page);
	else
		munlock_page(page);
}

void mlock_faulted(struct vm_fault *vmf)
{
	spinlock_t *ptl;
	pte_t *pte;

	if (!pmd_has_table(vmf->vma->vm_mm, vmf->pmd, vmf->address))
		return;				/* another thread has unmapped it */
	pte = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &ptl);
	mark_entry(vmf->vma, vmf->address, *pte, true);
	pte_unmap_unlock(pte, ptl);
}

/* What is mapped of [start, end); mmap_lock held. */
static void mark_range(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool lock)
{
	unsigned long addr, next;

	for (addr = start; addr < end; addr = next) {
		pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
		spinlock_t *ptl;
		pte_t *pte;

		next = pmd_boundary(addr, end);
		if (!pmd || !pmd_has_table(vma->vm_mm, pmd, addr))	/* a huge mapping is split */
			continue;
		pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
		for (; addr < next; addr += PAGE_SIZE, pte++)
			mark_entry(vma, addr, *pte, lock);
		pte_unmap_unlock(pte, ptl);
		cond_resched();
	}
}

/* ---- areas ---- */

bool can_do_mlock(void)
{
	return rlimit(RLIMIT_MEMLOCK) || capable(CAP_IPC_LOCK);
}

/* Device memory is never reclaimed, so it cannot be locked either; the kernel's own pages neither. */
static bool is_lockable(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_SPECIAL);
}

/* Gives [start, end) of vma the lock bits `lock`.  Returns the area that covers it, or ERR_PTR. */
static struct vm_area_struct *mlock_fixup(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					  unsigned long lock)
{
	unsigned long newflags = (vma->vm_flags & ~VM_LOCKED_MASK) | lock;
	long pages = (end - start) >> PAGE_SHIFT;
	bool was_locked = vma->vm_flags & VM_LOCKED;
	struct mm_struct *mm = vma->vm_mm;

	if (newflags == vma->vm_flags || !is_lockable(vma))
		return vma;
	vma = vma_modify_flags(vma, start, end, newflags);
	if (!IS_ERR(vma)) {
		if (was_locked && !lock)
			mm->locked_vm -= pages;
		else if (!was_locked && lock)
			mm->locked_vm += pages;
		if (was_locked != !!lock)
			mark_range(vma, start, end, lock);
	}
	return vma;
}

/* All of [start, start + len), which must leave no hole. */
static int apply_vma_lock_flags(struct mm_struct *mm, unsigned long start, size_t len, unsigned long lock)
{
	unsigned long end = start + len, stop;
	struct vm_area_struct *vma = vma_lookup(mm, start);

	if (end < start)
		return -EINVAL;
	while (start < end) {
		if (!vma || vma->vm_start > start)
			return -ENOMEM;
		stop = min(end, vma->vm_end);
		vma = mlock_fixup(vma, start, stop, lock);
		if (IS_ERR(vma))
			return PTR_ERR(vma);
		start = stop;
		vma = vma->vm_end > start ? vma : vma_next(vma);
	}
	return 0;
}

/* Pages of [start, start + len) that count already. */
static unsigned long count_locked(struct mm_struct *mm, unsigned long start, size_t len)
{
	unsigned long end = start + len, pages = 0;
	struct vm_area_struct *vma = find_vma(mm, start);

	for (; vma && vma->vm_start < end; vma = vma_next(vma))
		if (vma->vm_flags & VM_LOCKED)
			pages += (min(end, vma->vm_end) - max(start, vma->vm_start)) >> PAGE_SHIFT;
	return pages;
}

static int do_mlock(unsigned long start, size_t len, unsigned long lock)
{
	struct mm_struct *mm = current->mm;
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT, locked;
	int err = -ENOMEM;

	if (!can_do_mlock())
		return -EPERM;
	len = PAGE_ALIGN(len + offset_in_page(start));
	start &= PAGE_MASK;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	locked = (len >> PAGE_SHIFT) + mm->locked_vm;
	if (locked > limit && !capable(CAP_IPC_LOCK))
		locked -= count_locked(mm, start, len);
	if (locked <= limit || capable(CAP_IPC_LOCK))
		err = apply_vma_lock_flags(mm, start, len, lock);
	mmap_write_unlock(mm);
	if (err)
		return err;
	err = __mm_populate(start, len, 0);
	if (err == -EFAULT)
		return -ENOMEM;
	return err == -ENOMEM ? -EAGAIN : err;
}

long sys_mlock(unsigned long start, size_t len)
{
	return do_mlock(start, len, VM_LOCKED);
}

long sys_mlock2(unsigned long start, size_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return do_mlock(start, len, (flags & MLOCK_ONFAULT) ? VM_LOCKED_MASK : VM_LOCKED);
}

long sys_munlock(unsigned long start, size_t len)
{
	struct mm_struct *mm = current->mm;
	int err;

	len = PAGE_ALIGN(len + offset_in_page(start));
	start &= PAGE_MASK;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = apply_vma_lock_flags(mm, start, len, 0);
	mmap_write_unlock(mm);
	return err;
}

/* MCL_ flags; 0 unlocks everything. */
static void apply_mlockall_flags(struct mm_struct *mm, int flags)
{
	unsigned long lock = (flags & MCL_ONFAULT) ? VM_LOCKED_MASK : VM_LOCKED;
	struct vm_area_struct *vma, *covers;

	mm->def_flags &= ~VM_LOCKED_MASK;
	if (flags & MCL_FUTURE) {
		mm->def_flags |= lock;
		if (!(flags & MCL_CURRENT))
			return;
	}
	if (!(flags & MCL_CURRENT))
		lock = 0;
	for (vma = find_vma(mm, 0); vma; vma = vma_next(vma)) {
		covers = mlock_fixup(vma, vma->vm_start, vma->vm_end, lock);
		if (!IS_ERR(covers))
			vma = covers;
	}
}

long sys_mlockall(int flags)
{
	struct mm_struct *mm = current->mm;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!can_do_mlock())
		return -EPERM;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if ((flags & MCL_CURRENT) && mm->total_vm > rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT && !capable(CAP_IPC_LOCK)) {
		mmap_write_unlock(mm);
		return -ENOMEM;
	}
	apply_mlockall_flags(mm, flags);
	mmap_write_unlock(mm);
	if (flags & MCL_CURRENT)
		mm_populate(0, mm->task_size);
	return 0;
}

long sys_munlockall(void)
{
	struct mm_struct *mm = current->mm;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	apply_mlockall_flags(mm, 0);
	mmap_write_unlock(mm);
	return 0;
}
