/*
 * mmap.c: mapping and unmapping: mmap, munmap, brk, stacks, special mappings, the end of an address space.
 *
 * Idea:    do_mmap() checks what the program asked for, mmap_region() does it: room is made (MAP_FIXED), memory promised,
 *          a neighbour extended or a new area linked.  Nothing is allocated for the pages themselves until they are
 *          touched (memory.c).  do_munmap() takes the areas out of the tree, then their pages, then their page tables.
 * Locking: mmap_lock for writing around each change.  A fault holds it for reading, so it sees an area whole or not at all:
 *
 *              thread A: munmap                        thread B: touches the page
 *              mmap_write_lock
 *              area out of the tree                    #PF; mmap_read_lock: waits
 *              entries cleared, TLBs flushed,
 *              pages freed
 *              mmap_write_unlock
 *                                                      find_vma: nothing there -> SIGSEGV
 *          If B comes first, its fault completes and A takes the new page away with the others.
 * See:     spec.md §5 "VMAs"; man 2 mmap, munmap, brk; doc/address-spaces.md
 */
#include <weft/capability.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/mman.h>
#include <weft/mount.h>
#include <weft/personality.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/shmem_fs.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/trace.h>
#include <asm/tlb.h>
#include "internal.h"

int sysctl_max_map_count = DEFAULT_MAX_MAP_COUNT;
unsigned long mmap_min_addr = 65536;
unsigned long stack_guard_gap = 256 << PAGE_SHIFT;

/* ---- limits and accounts ---- */

static bool is_data_mapping(unsigned long flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

/* Would npages more of this kind break RLIMIT_AS or RLIMIT_DATA? */
bool may_expand_vm(struct mm_struct *mm, unsigned long vm_flags, unsigned long npages)
{
	if (mm->total_vm + npages > rlimit(RLIMIT_AS) >> PAGE_SHIFT)
		return false;
	return !is_data_mapping(vm_flags) || mm->data_vm + npages <= rlimit(RLIMIT_DATA) >> PAGE_SHIFT;
}

/* npages (negative: fewer) pages of this kind are mapped now. */
void vm_stat_account(struct mm_struct *mm, unsigned long vm_flags, long npages)
{
	mm->total_vm += npages;
	if ((vm_flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
		mm->exec_vm += npages;
	else if (vm_flags & VM_GROWSDOWN)
		mm->stack_vm += npages;
	else if (is_data_mapping(vm_flags))
		mm->data_vm += npages;
}

bool mlock_future_ok(struct mm_struct *mm, unsigned long flags, unsigned long bytes)
{
	if (!(flags & VM_LOCKED) || capable(CAP_IPC_LOCK))
		return true;
	return mm->locked_vm + (bytes >> PAGE_SHIFT) <= rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

/* Pages of [addr, end) that are mapped now. */
static unsigned long count_vma_pages_range(struct mm_struct *mm, unsigned long addr, unsigned long end)
{
	struct vm_area_struct *vma = find_vma_intersection(mm, addr, end);
	unsigned long pages = 0;

	for (; vma && vma->vm_start < end; vma = vma_next(vma))
		pages += (min(end, vma->vm_end) - max(addr, vma->vm_start)) >> PAGE_SHIFT;
	return pages;
}

/* ---- mmap ---- */

/* Asks the file for its part: the file operation sets vm_ops.  On error the area has no file any more. */
static int map_file(struct file *file, struct vm_area_struct *vma)
{
	int err = 0;

	if (vma->vm_flags & VM_SHARED) {
		err = mapping_map_writable(file->f_mapping);
		if (err)
			return err;
	}
	vma->vm_file = get_file(file);
	err = file->f_op->mmap(file, vma);
	if (err) {
		if (vma->vm_flags & VM_SHARED)
			mapping_unmap_writable(file->f_mapping);
		fput(vma->vm_file);
		vma->vm_file = NULL;
	}
	return err;
}

/* A new area for [addr, end): filled in, given its backing (which may change *vm_flags), linked. */
static int new_area(struct mm_struct *mm, struct file *file, unsigned long addr, unsigned long end,
		    unsigned long *vm_flags, unsigned long pgoff)
{
	struct vm_area_struct *vma = vm_area_alloc(mm);
	int err = 0;

	if (!vma)
		return -ENOMEM;
	vma->vm_start = addr;
	vma->vm_end = end;
	vma->vm_flags = *vm_flags | VM_SOFTDIRTY;
	vma->vm_page_prot = vm_get_page_prot(*vm_flags);
	vma->vm_pgoff = pgoff;
	if (file)
		err = map_file(file, vma);
	else if (*vm_flags & VM_SHARED)
		err = shmem_zero_setup(vma);
	if (err) {
		vm_area_free(vma);
		return err;
	}
	vma_link(mm, vma);
	if (file && (*vm_flags & VM_SHARED))
		mapping_unmap_writable(file->f_mapping);	/* vma_link() has taken its own */
	if (vma->vm_flags & VM_SPECIAL)
		vma->vm_flags &= ~VM_LOCKED_MASK;
	if (!(vma->vm_flags & VM_PFNMAP))
		vma_set_page_prot(vma);
	*vm_flags = vma->vm_flags;
	return 0;
}

/* Maps [addr, addr + len), whatever was there before.  Returns addr or -errno.  mmap_lock held for writing. */
static unsigned long mmap_region(struct file *file, unsigned long addr, unsigned long len, unsigned long vm_flags,
				 unsigned long pgoff)
{
	struct mm_struct *mm = current->mm;
	unsigned long pages = len >> PAGE_SHIFT, end = addr + len, charged = 0;
	struct vm_area_struct *vma;
	int err;

	if (!may_expand_vm(mm, vm_flags, pages) &&
	    !may_expand_vm(mm, vm_flags, pages - count_vma_pages_range(mm, addr, end)))
		return -ENOMEM;
	err = do_munmap(mm, addr, len);
	if (err)
		return err;
	if (accountable_mapping(file, vm_flags)) {
		charged = pages;
		if (security_vm_enough_memory_mm(mm, charged))
			return -ENOMEM;
		vm_flags |= VM_ACCOUNT;
	}
	if (!file && (vm_flags & VM_SHARED))
		vma = NULL;			/* each has an object of its own */
	else
		vma = vma_merge(mm, addr, end, vm_flags, file, pgoff);
	if (vma) {
		vma->vm_flags |= VM_SOFTDIRTY;
	} else {
		err = new_area(mm, file, addr, end, &vm_flags, pgoff);
		if (err) {
			vm_unacct_memory(charged);
			return err;
		}
	}
	vm_stat_account(mm, vm_flags, pages);
	if (vm_flags & VM_LOCKED)
		mm->locked_vm += pages;
	trace_mm_mmap(addr, len, vm_flags);
	return addr;
}

/* What a file allows: adds and removes VM_ bits.  0 or -errno as man 2 mmap has them. */
static int file_vm_flags(struct file *file, unsigned long prot, unsigned long flags, unsigned long *vm_flags)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & ~(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |
			      MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |
			      MAP_HUGETLB | MAP_FIXED_NOREPLACE))
			return -EOPNOTSUPP;
		fallthrough;
	case MAP_SHARED:
		if ((prot & PROT_WRITE) && !(file->f_mode & FMODE_WRITE))
			return -EACCES;
		if (IS_APPEND(file_inode(file)) && (file->f_mode & FMODE_WRITE))
			return -EACCES;
		*vm_flags |= VM_SHARED | VM_MAYSHARE;
		if (!(file->f_mode & FMODE_WRITE))
			*vm_flags &= ~(VM_MAYWRITE | VM_SHARED);
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if (path_noexec(&file->f_path)) {
		if (*vm_flags & VM_EXEC)
			return -EPERM;
		*vm_flags &= ~VM_MAYEXEC;
	}
	if (!file->f_op->mmap)
		return -ENODEV;
	return (*vm_flags & VM_GROWSDOWN) ? -EINVAL : 0;
}

static int anon_vm_flags(unsigned long flags, unsigned long *vm_flags)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
		if (*vm_flags & VM_GROWSDOWN)
			return -EINVAL;
		*vm_flags |= VM_SHARED | VM_MAYSHARE;
		return 0;
	case MAP_PRIVATE:
		return 0;
	default:
		return -EINVAL;
	}
}

/*
 * The kernel side of mmap(2) for the running task.  `pgoff` and `len` as the program gave them.  Returns the address or
 * -errno; *populate is what the caller must fault in after dropping the lock.
 */
unsigned long do_mmap(struct file *file, unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags,
		      unsigned long pgoff, unsigned long *populate)
{
	struct mm_struct *mm = current->mm;
	unsigned long vm_flags;
	int err;

	*populate = 0;
	if (!len)
		return -EINVAL;
	if ((prot & PROT_READ) && (current->personality & READ_IMPLIES_EXEC) && !(file && path_noexec(&file->f_path)))
		prot |= PROT_EXEC;
	if (flags & MAP_FIXED_NOREPLACE)
		flags |= MAP_FIXED;
	else if (!(flags & MAP_FIXED) && addr && addr < mmap_min_addr)
		addr = PAGE_ALIGN(mmap_min_addr);
	len = PAGE_ALIGN(len);
	if (!len)
		return -ENOMEM;
	if (pgoff + (len >> PAGE_SHIFT) < pgoff)
		return -EOVERFLOW;
	if (mm->map_count > sysctl_max_map_count)
		return -ENOMEM;

	addr = get_unmapped_area(file, addr, len, pgoff, flags);
	if (IS_ERR_VALUE(addr))
		return addr;
	if ((flags & MAP_FIXED_NOREPLACE) && find_vma_intersection(mm, addr, addr + len))
		return -EEXIST;

	vm_flags = calc_vm_prot_bits(prot) | calc_vm_flag_bits(flags) | mm->def_flags | VM_MAYREAD | VM_MAYWRITE |
		   VM_MAYEXEC;
	if ((flags & MAP_LOCKED) && !can_do_mlock())
		return -EPERM;
	if (!mlock_future_ok(mm, vm_flags, len))
		return -EAGAIN;
	err = file ? file_vm_flags(file, prot, flags, &vm_flags) : anon_vm_flags(flags, &vm_flags);
	if (err)
		return err;
	if (!file)
		pgoff = (vm_flags & VM_SHARED) ? 0 : addr >> PAGE_SHIFT;
	if ((flags & MAP_NORESERVE) && READ_ONCE(sysctl_overcommit_memory) != OVERCOMMIT_NEVER)
		vm_flags |= VM_NORESERVE;

	addr = mmap_region(file, addr, len, vm_flags, pgoff);
	if (!IS_ERR_VALUE(addr) &&
	    ((vm_flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED ||
	     (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE))
		*populate = len;
	return addr;
}

unsigned long vm_mmap_pgoff(struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
			    unsigned long flags, unsigned long pgoff)
{
	struct mm_struct *mm = current->mm;
	unsigned long ret, populate;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = do_mmap(file, addr, len, prot, flags, pgoff, &populate);
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(ret, populate);
	return ret;
}

/* The same for the kernel's own use (binfmt_elf): offset in bytes, page aligned. */
unsigned long vm_mmap(struct file *file, unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags,
		      unsigned long offset)
{
	if (offset + PAGE_ALIGN(len) < offset || offset_in_page(offset))
		return -EINVAL;
	return vm_mmap_pgoff(file, addr, len, prot, flags, offset >> PAGE_SHIFT);
}

long sys_mmap(unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags, unsigned long fd,
	      unsigned long off)
{
	struct file *file = NULL;
	unsigned long ret;

	if (offset_in_page(off))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fget(fd);
		if (!file)
			return -EBADF;
		if (flags & MAP_HUGETLB) {
			fput(file);
			return -EINVAL;
		}
	} else if (flags & MAP_HUGETLB) {
		return -ENOMEM;			/* the pool of huge pages has none */
	}
	ret = vm_mmap_pgoff(file, addr, len, prot, flags, off >> PAGE_SHIFT);
	if (file)
		fput(file);
	return ret;
}

/* ---- munmap ---- */

/* Pages and page tables of the detached areas go; what was promised for them is given back. */
static void unmap_region(struct mm_struct *mm, struct list_head *areas, struct vm_area_struct *prev,
			 struct vm_area_struct *next, unsigned long start, unsigned long end)
{
	struct mmu_gather tlb;

	update_hiwater_rss(mm);
	tlb_gather_mmu(&tlb, mm);
	unmap_vmas(&tlb, areas, start, end);
	free_pgtables(&tlb, areas, prev ? prev->vm_end : 0, next ? next->vm_start : 0);
	tlb_finish_mmu(&tlb);
}

/* Ends each area on the list.  Returns the pages that were promised. */
static unsigned long remove_areas(struct mm_struct *mm, struct list_head *areas)
{
	struct vm_area_struct *vma, *n;
	unsigned long accounted = 0;

	update_hiwater_vm(mm);
	list_for_each_entry_safe(vma, n, areas, vm_list) {
		long pages = vma_pages(vma);

		if (vma->vm_flags & VM_ACCOUNT)
			accounted += pages;
		if (vma->vm_flags & VM_LOCKED)
			mm->locked_vm -= pages;
		vm_stat_account(mm, vma->vm_flags, -pages);
		list_del(&vma->vm_list);
		vma_remove(vma);
	}
	return accounted;
}

/* Splits what sticks out of [start, end).  On error at most one harmless split has been made. */
static int split_edges(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct vm_area_struct *last;
	int err;

	if (start > vma->vm_start) {
		/* A hole in the middle makes one area more, for good. */
		if (end < vma->vm_end && mm->map_count >= sysctl_max_map_count)
			return -ENOMEM;
		err = __split_vma(mm, vma, start, 1);
		if (err)
			return err;
	}
	last = find_vma(mm, end);
	if (last && last->vm_start < end)
		return __split_vma(mm, last, end, 0);
	return 0;
}

/* Unmaps [start, start + len).  0, -EINVAL, or -ENOMEM: then nothing was unmapped. */
int do_munmap(struct mm_struct *mm, unsigned long start, size_t len)
{
	struct vm_area_struct *vma, *prev, *next;
	unsigned long end;
	LIST_HEAD(detached);
	int err;

	mmap_assert_write_locked(mm);
	if (offset_in_page(start) || start > mm->task_size || len > mm->task_size - start)
		return -EINVAL;
	len = PAGE_ALIGN(len);
	if (!len)
		return -EINVAL;
	end = start + len;
	vma = find_vma_intersection(mm, start, end);
	if (!vma)
		return 0;
	err = split_edges(mm, vma, start, end);
	if (err)
		return err;

	vma = find_vma_prev(mm, start, &prev);
	for (; vma && vma->vm_start < end; vma = next) {
		next = vma_next(vma);
		vma_unlink(mm, vma);
		list_add_tail(&vma->vm_list, &detached);
	}
	unmap_region(mm, &detached, prev, vma, start, end);
	vm_unacct_memory(remove_areas(mm, &detached));
	trace_mm_munmap(start, len);
	return 0;
}

int vm_munmap(unsigned long start, size_t len)
{
	struct mm_struct *mm = current->mm;
	int ret;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = do_munmap(mm, start, len);
	mmap_write_unlock(mm);
	return ret;
}

long sys_munmap(unsigned long addr, size_t len)
{
	return vm_munmap(addr, len);
}

/* The last user has gone: everything goes, with one flush of nothing, since no processor runs in it. */
void exit_mmap(struct mm_struct *mm)
{
	struct mmu_gather tlb;

	mmap_write_lock(mm);
	if (!list_empty(&mm->mmap)) {
		tlb_gather_mmu_fullmm(&tlb, mm);
		unmap_vmas(&tlb, &mm->mmap, 0, ~0ul);
		free_pgtables(&tlb, &mm->mmap, 0, 0);
		tlb_finish_mmu(&tlb);
	}
	mm->mm_rb = RB_ROOT;
	mm->map_count = 0;
	vm_unacct_memory(remove_areas(mm, &mm->mmap));
	mmap_write_unlock(mm);
}

static const int count_min = 1;
static const struct ctl_table vm_table[] = {
	{ "max_map_count", &sysctl_max_map_count, sizeof(int), 0644, proc_dointvec_minmax, &count_min },
	{ "mmap_min_addr", &mmap_min_addr, sizeof(long), 0644, proc_doulongvec_minmax },
	{ }
};

static int __init mmap_sysctl_init(void)
{
	return register_sysctl("vm", vm_table);
}
fs_initcall(mmap_sysctl_init);
