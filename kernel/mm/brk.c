/*
 * brk.c: memory that grows in place: the heap (brk), bss, the stack; and areas that the kernel installs itself.
 *
 * Idea:    the heap and bss are ordinary anonymous areas at a given place; the stack is an area that a fault just below it
 *          extends, as long as a gap remains to what lies below; the vDSO is an area with pages of the kernel.
 * Locking: mmap_lock for writing.  A fault has it for reading: lock_mm_and_find_vma() drops it, takes it for writing, looks
 *          again and comes back with it for reading.
 * See:     spec.md §5 "demand"; man 2 brk; man 2 getrlimit, RLIMIT_STACK
 */
#include <weft/mman.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include "internal.h"

/* ---- anonymous memory at a given place ---- */

/* [addr, addr + len), page aligned and free, becomes private anonymous memory.  0 or -errno. */
static int do_brk_flags(unsigned long addr, unsigned long len, unsigned long flags)
{
	struct mm_struct *mm = current->mm;
	unsigned long pages = len >> PAGE_SHIFT;
	struct vm_area_struct *vma;

	flags |= VM_DATA_FLAGS_TSK_EXEC | VM_ACCOUNT | mm->def_flags;
	if (!mlock_future_ok(mm, flags, len))
		return -EAGAIN;
	if (!may_expand_vm(mm, flags, pages) || mm->map_count > sysctl_max_map_count)
		return -ENOMEM;
	if (security_vm_enough_memory_mm(mm, pages))
		return -ENOMEM;
	vma = vma_merge(mm, addr, addr + len, flags, NULL, addr >> PAGE_SHIFT);
	if (!vma) {
		vma = vm_area_alloc(mm);
		if (!vma) {
			vm_unacct_memory(pages);
			return -ENOMEM;
		}
		vma->vm_start = addr;
		vma->vm_end = addr + len;
		vma->vm_pgoff = addr >> PAGE_SHIFT;
		vma->vm_flags = flags;
		vma_set_page_prot(vma);
		vma_link(mm, vma);
	}
	vma->vm_flags |= VM_SOFTDIRTY;
	vm_stat_account(mm, flags, pages);
	if (flags & VM_LOCKED)
		mm->locked_vm += pages;
	return 0;
}

/* For bss: what was mapped there goes.  flags: VM_EXEC or 0.  Takes mmap_lock. */
int vm_brk_flags(unsigned long addr, unsigned long request, unsigned long flags)
{
	struct mm_struct *mm = current->mm;
	unsigned long len = PAGE_ALIGN(request);
	bool populate;
	int err;

	if (len < request)
		return -ENOMEM;
	if (!len)
		return 0;
	if (flags & ~VM_EXEC || offset_in_page(addr) || addr > mm->task_size || len > mm->task_size - addr)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = do_munmap(mm, addr, len);
	if (!err)
		err = do_brk_flags(addr, len, flags);
	populate = !err && (mm->def_flags & VM_LOCKED);
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(addr, len);
	return err;
}

/* May the heap end at brk?  RLIMIT_DATA counts heap and data segment together. */
static bool brk_within_limits(struct mm_struct *mm, unsigned long brk)
{
	unsigned long limit = rlimit(RLIMIT_DATA);

	return limit == RLIM_INFINITY ||
	       brk - mm->start_brk + mm->end_data - mm->start_data <= limit;
}

/* Returns 0 when the heap ends at brk now. */
static int set_brk(struct mm_struct *mm, unsigned long brk)
{
	unsigned long oldbrk = PAGE_ALIGN(mm->brk), newbrk = PAGE_ALIGN(brk);
	struct vm_area_struct *next;
	int err = 0;

	if (brk < mm->start_brk || newbrk < brk || newbrk > mm->task_size || !brk_within_limits(mm, brk))
		return -ENOMEM;
	if (newbrk < oldbrk) {
		err = do_munmap(mm, newbrk, oldbrk - newbrk);
	} else if (newbrk > oldbrk) {
		next = find_vma(mm, oldbrk);
		if (next && newbrk + PAGE_SIZE > vm_start_gap(next))
			return -ENOMEM;
		err = do_brk_flags(oldbrk, newbrk - oldbrk, 0);
	}
	if (!err)
		mm->brk = brk;
	return err;
}

/* Answers with the end of the heap, the old one when it could not be moved: the C library compares. */
long sys_brk(unsigned long brk)
{
	struct mm_struct *mm = current->mm;
	unsigned long oldbrk;
	bool populate;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	oldbrk = mm->brk;
	populate = !set_brk(mm, brk) && brk > oldbrk && (mm->def_flags & VM_LOCKED);
	brk = mm->brk;
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(PAGE_ALIGN(oldbrk), PAGE_ALIGN(brk) - PAGE_ALIGN(oldbrk));
	return brk;
}

/* ---- the stack ---- */

/* Limits for a stack that shall be `size` bytes, `grow` pages more than now; on success the pages are promised. */
static int acct_stack_growth(struct vm_area_struct *vma, unsigned long size, unsigned long grow)
{
	struct mm_struct *mm = vma->vm_mm;

	if (!may_expand_vm(mm, vma->vm_flags, grow) || size > rlimit(RLIMIT_STACK))
		return -ENOMEM;
	if (!mlock_future_ok(mm, vma->vm_flags, grow << PAGE_SHIFT))
		return -ENOMEM;
	return (vma->vm_flags & VM_ACCOUNT) ? security_vm_enough_memory_mm(mm, grow) : 0;
}

/* Lets the VM_GROWSDOWN area begin at address's page.  0, -ENOMEM or -EPERM. */
int expand_stack(struct vm_area_struct *vma, unsigned long address)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *prev = vma_prev(vma);
	unsigned long grow;
	int err;

	mmap_assert_write_locked(mm);
	address &= PAGE_MASK;
	if (address < mmap_min_addr)
		return -EPERM;
	if (prev && !(prev->vm_flags & VM_GROWSDOWN) && (prev->vm_flags & VM_ACCESS_FLAGS) &&
	    (address < prev->vm_end || address - prev->vm_end < stack_guard_gap))
		return -ENOMEM;
	if (prev && address < prev->vm_end)
		return -ENOMEM;
	if (address >= vma->vm_start)
		return 0;
	grow = (vma->vm_start - address) >> PAGE_SHIFT;
	if (grow > vma->vm_pgoff)
		return -ENOMEM;
	err = acct_stack_growth(vma, vma->vm_end - address, grow);
	if (err)
		return err;
	if (vma->vm_flags & VM_LOCKED)
		mm->locked_vm += grow;
	vm_stat_account(mm, vma->vm_flags, grow);
	vma_resize(vma, address, vma->vm_end);
	return 0;
}

/*
 * Takes mmap_lock for reading and finds the area that covers addr, after growing a stack if it lies just below one.
 * Returns NULL with the lock dropped when there is none.  killable: give up when the task is being killed.
 */
struct vm_area_struct *lock_mm_and_find_vma(struct mm_struct *mm, unsigned long addr, bool killable)
	__no_context_analysis	/* NULL: dropped; and downgrades */
{
	struct vm_area_struct *vma;

	if (!mmap_read_trylock(mm)) {
		if (!killable)
			mmap_read_lock(mm);
		else if (mmap_read_lock_killable(mm))
			return NULL;
	}
	vma = find_vma(mm, addr);
	if (likely(vma && vma->vm_start <= addr))
		return vma;
	if (!vma || !(vma->vm_flags & VM_GROWSDOWN)) {
		mmap_read_unlock(mm);
		return NULL;
	}

	/* The areas may be others once the lock is ours for writing: look again. */
	mmap_read_unlock(mm);
	if (mmap_write_lock_killable(mm))
		return NULL;
	vma = find_vma(mm, addr);
	if (!vma || (vma->vm_start > addr && (!(vma->vm_flags & VM_GROWSDOWN) || expand_stack(vma, addr)))) {
		mmap_write_unlock(mm);
		return NULL;
	}
	mmap_write_downgrade(mm);
	return vma;
}

/* ---- areas with pages of the kernel ---- */

static vm_fault_t special_mapping_fault(struct vm_fault *vmf)
{
	const struct vm_special_mapping *sm = vmf->vma->vm_private_data;
	pgoff_t pgoff = vmf->pgoff;
	struct page **pages;

	if (sm->fault)
		return sm->fault(sm, vmf->vma, vmf);
	for (pages = sm->pages; pgoff && *pages; pages++)
		pgoff--;
	if (!*pages)
		return VM_FAULT_SIGBUS;
	get_page(*pages);
	vmf->page = *pages;
	return 0;
}

static const char *special_mapping_name(struct vm_area_struct *vma)
{
	return ((const struct vm_special_mapping *)vma->vm_private_data)->name;
}

static const struct vm_operations_struct special_mapping_vmops = {
	.fault	= special_mapping_fault,
	.name	= special_mapping_name,
};

/* Installs the kernel's pages for the running task.  mmap_lock held for writing.  The area, or ERR_PTR(-ENOMEM). */
struct vm_area_struct *_install_special_mapping(struct mm_struct *mm, unsigned long addr, unsigned long len,
						unsigned long vm_flags, const struct vm_special_mapping *spec)
{
	struct vm_area_struct *vma = vm_area_alloc(mm);

	if (!vma)
		return ERR_PTR(-ENOMEM);
	vma->vm_start = addr;
	vma->vm_end = addr + len;
	vma->vm_flags = vm_flags | ((mm->def_flags | VM_DONTEXPAND | VM_SOFTDIRTY) & ~VM_LOCKED_MASK);
	vma->vm_ops = &special_mapping_vmops;
	vma->vm_private_data = (void *)spec;
	vma_set_page_prot(vma);
	if (insert_vm_struct(mm, vma)) {
		vm_area_free(vma);
		return ERR_PTR(-ENOMEM);
	}
	vm_stat_account(mm, vma->vm_flags, len >> PAGE_SHIFT);
	return vma;
}
