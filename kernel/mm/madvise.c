/*
 * madvise.c: what a program says about its memory: will be read in order, is not needed, shall not be inherited ...
 *
 * Idea:    three kinds of advice: flags of the area (changed under the write lock, areas split and merged), what is done to
 *          the pages at once (under the read lock), and populating.  Holes in the range are passed over and reported at the
 *          end as ENOMEM, as man 2 madvise has it.
 * Locking: mmap_lock; dropped and taken again around what sleeps long (MADV_REMOVE, MADV_WILLNEED), so the area must be
 *          looked up again after it.
 * See:     man 2 madvise, process_madvise; madvise_pages.c: COLD, PAGEOUT, FREE
 */
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/mman.h>
#include <weft/pagemap.h>
#include <weft/capability.h>
#include <weft/pid.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uio.h>
#include <uapi/falloc.h>
#include "internal.h"

/* What a piece of advice needs: nothing, since there is no such advice; the lock for reading or writing; none. */
enum advice_kind { ADVICE_BAD, ADVICE_FLAGS, ADVICE_PAGES, ADVICE_POPULATE };

static enum advice_kind advice_kind(int behavior)
{
	switch (behavior) {
	case MADV_NORMAL ... MADV_SEQUENTIAL:
	case MADV_DONTFORK ... MADV_KEEPONFORK:
		return ADVICE_FLAGS;
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_COLLAPSE:
		return ADVICE_PAGES;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return ADVICE_POPULATE;
	default:
		return ADVICE_BAD;
	}
}

/* ---- flags ---- */

/* The area's flags after the advice.  0 or -EINVAL when it may not be given for this area. */
static int advised_flags(const struct vm_area_struct *vma, int behavior, unsigned long *flags)
{
	switch (behavior) {
	case MADV_NORMAL:
		*flags &= ~(VM_RAND_READ | VM_SEQ_READ);
		return 0;
	case MADV_SEQUENTIAL:
		*flags = (*flags & ~VM_RAND_READ) | VM_SEQ_READ;
		return 0;
	case MADV_RANDOM:
		*flags = (*flags & ~VM_SEQ_READ) | VM_RAND_READ;
		return 0;
	case MADV_DONTFORK:
		*flags |= VM_DONTCOPY;
		return 0;
	case MADV_DOFORK:
		*flags &= ~VM_DONTCOPY;
		return (vma->vm_flags & VM_IO) ? -EINVAL : 0;
	case MADV_WIPEONFORK:
		*flags |= VM_WIPEONFORK;	/* only what fork would copy can be wiped */
		return vma->vm_file || (vma->vm_flags & VM_SHARED) ? -EINVAL : 0;
	case MADV_KEEPONFORK:
		*flags &= ~VM_WIPEONFORK;
		return 0;
	case MADV_DONTDUMP:
		*flags |= VM_DONTDUMP;
		return 0;
	case MADV_DODUMP:
		*flags &= ~VM_DONTDUMP;
		return (vma->vm_flags & VM_SPECIAL) ? -EINVAL : 0;
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		return 0;			/* no page is ever merged: nothing to remember */
	case MADV_HUGEPAGE:
		khugepaged_enter(vma->vm_mm);
		*flags = (*flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
		return 0;
	default:
		*flags = (*flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
		return 0;
	}
}

static struct vm_area_struct *advise_flags(struct vm_area_struct *vma, unsigned long start, unsigned long end, int behavior)
{
	unsigned long flags = vma->vm_flags;
	int err = advised_flags(vma, behavior, &flags);

	if (err)
		return ERR_PTR(err);
	if (flags == vma->vm_flags)
		return vma;
	vma = vma_modify_flags(vma, start, end, flags);
	return IS_ERR(vma) && PTR_ERR(vma) == -ENOMEM ? ERR_PTR(-EAGAIN) : vma;
}

/* ---- pages ---- */

static int advise_dontneed(struct vm_area_struct *vma, unsigned long start, unsigned long end, int behavior)
{
	unsigned long forbidden = behavior == MADV_DONTNEED_LOCKED ? VM_PFNMAP : VM_PFNMAP | VM_LOCKED;

	if (vma->vm_flags & forbidden)
		return -EINVAL;
	zap_page_range(vma, start, end - start);
	return 0;
}

static loff_t file_offset(const struct vm_area_struct *vma, unsigned long addr)
{
	return (loff_t)(addr - vma->vm_start) + ((loff_t)vma->vm_pgoff << PAGE_SHIFT);
}

/* Drops mmap_lock and takes it again: *dropped. */
static int advise_willneed(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool *dropped)
	__no_context_analysis	/* mmap_lock outlives vma, through which it is known */
{
	struct file *file = vma->vm_file;
	loff_t offset = file_offset(vma, start);
	struct mm_struct *mm = vma->vm_mm;

	if (!file || (vma->vm_flags & (VM_IO | VM_PFNMAP)))
		return 0;
	get_file(file);
	mmap_read_unlock(mm);
	generic_fadvise(file, offset, end - start, POSIX_FADV_WILLNEED);
	fput(file);
	mmap_read_lock(mm);
	*dropped = true;
	return 0;
}

/* Punches a hole into the file. */
static int advise_remove(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool *dropped)
	__no_context_analysis	/* mmap_lock outlives vma, through which it is known */
{
	struct file *file = vma->vm_file;
	loff_t offset = file_offset(vma, start);
	struct mm_struct *mm = vma->vm_mm;
	int err;

	if ((vma->vm_flags & VM_LOCKED) || !file || !file->f_mapping || !file->f_mapping->host)
		return -EINVAL;
	if ((vma->vm_flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE))
		return -EACCES;
	get_file(file);
	mmap_read_unlock(mm);
	err = vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, end - start);
	fput(file);
	mmap_read_lock(mm);
	*dropped = true;
	return err;
}

/* Each aligned 2 MiB of the range becomes one huge mapping.  -EAGAIN: a page of it has another user, or is in swap. */
static int advise_collapse(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool *dropped)
	__no_context_analysis	/* mmap_lock outlives vma, through which it is known */
{
	struct mm_struct *mm = vma->vm_mm;
	int err = 0;

	if (!area_may_be_huge(vma, true))
		return -EINVAL;
	mmap_read_unlock(mm);
	for (start = ALIGN(start, PMD_SIZE); start + PMD_SIZE <= end && !err; start += PMD_SIZE) {
		err = collapse_range(mm, start, true);
		if (err == -EEXIST)
			err = 0;
	}
	mmap_read_lock(mm);
	*dropped = true;
	return err;
}

static int advise_pages(struct vm_area_struct *vma, unsigned long start, unsigned long end, int behavior, bool *dropped)
{
	switch (behavior) {
	case MADV_WILLNEED:
		return advise_willneed(vma, start, end, dropped);
	case MADV_REMOVE:
		return advise_remove(vma, start, end, dropped);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return advise_cold(vma, start, end, behavior == MADV_PAGEOUT);
	case MADV_FREE:
		return advise_free(vma, start, end);
	case MADV_COLLAPSE:
		return advise_collapse(vma, start, end, dropped);
	default:
		return advise_dontneed(vma, start, end, behavior);
	}
}

/* ---- ranges ---- */

/* All areas of [start, end); a hole is passed over and remembered. */
static int walk_areas(struct mm_struct *mm, unsigned long start, unsigned long end, int behavior, bool flags)
{
	struct vm_area_struct *vma = find_vma(mm, start);
	int unmapped = 0, err = 0;

	while (start < end) {
		unsigned long stop;
		bool dropped = false;

		if (!vma)
			return -ENOMEM;
		if (start < vma->vm_start) {
			unmapped = -ENOMEM;
			start = vma->vm_start;
			if (start >= end)
				break;
		}
		stop = min(vma->vm_end, end);
		if (flags) {
			vma = advise_flags(vma, start, stop, behavior);
			err = PTR_ERR_OR_ZERO(vma);
		} else {
			err = advise_pages(vma, start, stop, behavior, &dropped);
		}
		if (err)
			return err;
		start = stop;
		if (dropped)
			vma = find_vma(mm, start);
		else if (vma->vm_end <= start)
			vma = vma_next(vma);
	}
	return unmapped;
}

static int populate_error(long ret)
{
	return ret == -EFAULT || ret == -ENOMEM || ret == -EINTR ? (int)ret : -EFAULT;
}

/* Faults in [start, end).  -ENOMEM: a hole; -EINVAL: bare device memory; -EFAULT: no right, or the file is too short. */
static int do_populate(struct mm_struct *mm, unsigned long start, unsigned long end, bool write)
	__no_context_analysis	/* `locked` */
{
	int locked = 0, err = 0;

	while (start < end && !err) {
		struct vm_area_struct *vma;
		long pages;

		if (!locked && mmap_read_lock_killable(mm))
			return -EINTR;
		locked = 1;
		vma = vma_lookup(mm, start);
		if (!vma) {
			err = -ENOMEM;
			break;
		}
		if (vma->vm_flags & (VM_IO | VM_PFNMAP)) {
			err = -EINVAL;
			break;
		}
		pages = faultin_page_range(mm, start, min(end, vma->vm_end), write, &locked);
		if (pages > 0)
			start += pages << PAGE_SHIFT;
		else if (pages < 0)
			err = populate_error(pages);
	}
	if (locked)
		mmap_read_unlock(mm);
	return err;
}

int do_madvise(struct mm_struct *mm, unsigned long start, size_t len_in, int behavior)
{
	enum advice_kind kind = advice_kind(behavior);
	size_t len = PAGE_ALIGN(len_in);
	unsigned long end = start + len;
	int err;

	if (kind == ADVICE_BAD || offset_in_page(start) || (len_in && !len) || end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	switch (kind) {
	case ADVICE_FLAGS:
		if (mmap_write_lock_killable(mm))
			return -EINTR;
		err = walk_areas(mm, start, end, behavior, true);
		mmap_write_unlock(mm);
		return err;
	case ADVICE_POPULATE:
		return do_populate(mm, start, end, behavior == MADV_POPULATE_WRITE);
	default:
		mmap_read_lock(mm);
		err = walk_areas(mm, start, end, behavior, false);
		mmap_read_unlock(mm);
		return err;
	}
}

long sys_madvise(unsigned long start, size_t len, int behavior)
{
	return do_madvise(current->mm, start, len, behavior);
}

/* ---- of another process ---- */

static struct mm_struct *pidfd_mm(int pidfd)
{
	unsigned int f_flags;
	struct pid *pid = pidfd_get_pid(pidfd, &f_flags);
	struct task_struct *task;
	struct mm_struct *mm;

	if (IS_ERR(pid))
		return ERR_CAST(pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	mm = mm_access(task, PTRACE_MODE_READ_FSCREDS);
	put_task_struct(task);
	return mm ? mm : ERR_PTR(-ESRCH);
}

/* Only hints that cannot break the other process.  Bytes advised or -errno. */
long sys_process_madvise(int pidfd, const struct iovec __user *vec, size_t vlen, int behavior, unsigned int flags)
{
	struct iovec fast[8], *iov;
	struct mm_struct *mm;
	ssize_t ret, done = 0;

	if (flags)
		return -EINVAL;
	iov = iovec_from_user(vec, vlen, ARRAY_SIZE(fast), fast);
	if (IS_ERR(iov))
		return PTR_ERR(iov);
	mm = pidfd_mm(pidfd);
	if (IS_ERR(mm)) {
		ret = PTR_ERR(mm);
		goto free_iov;
	}
	ret = -EINVAL;
	if (behavior != MADV_COLD && behavior != MADV_PAGEOUT && behavior != MADV_WILLNEED &&
	    behavior != MADV_COLLAPSE)
		goto put_mm;
	ret = -EPERM;
	if (mm != current->mm && !capable(CAP_SYS_NICE))
		goto put_mm;
	ret = 0;
	for (size_t i = 0; i < vlen && !ret; i++) {
		ret = do_madvise(mm, (unsigned long)iov[i].iov_base, iov[i].iov_len, behavior);
		if (!ret)
			done += iov[i].iov_len;
	}
put_mm:
	mmput(mm);
free_iov:
	if (iov != fast)
		kfree(iov);
	return done ? done : ret;
}
