/*
 * msync.c: msync(2): what was written through shared mappings reaches the file.
 *
 * Idea:    dirty entries become dirty pages by themselves, so MS_ASYNC has nothing to do, and MS_SYNC is an fsync of the
 *          part of the file that is mapped.
 * Locking: mmap_lock for reading, dropped around the fsync.
 * See:     man 2 msync
 */
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/mman.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include "internal.h"

/* Writes back [start, end) of the area.  Drops mmap_lock.  0 or the file's error. */
static int sync_area(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long start, unsigned long end)
	__releases_shared(&mm->mmap_lock)
{
	struct file *file = get_file(vma->vm_file);
	loff_t from = (loff_t)(start - vma->vm_start) + ((loff_t)vma->vm_pgoff << PAGE_SHIFT);
	int err;

	mmap_read_unlock(mm);
	err = vfs_fsync_range(file, from, from + (end - start) - 1, 1);
	fput(file);
	return err;
}

static int sync_range(struct mm_struct *mm, unsigned long start, unsigned long end, int flags)
{
	struct vm_area_struct *vma;
	int unmapped = 0, err;

	mmap_read_lock(mm);
	for (vma = find_vma(mm, start); start < end; vma = find_vma(mm, start)) {
		unsigned long stop;

		if (!vma) {
			unmapped = -ENOMEM;
			break;
		}
		if (start < vma->vm_start) {
			unmapped = -ENOMEM;
			start = vma->vm_start;
			if (start >= end)
				break;
		}
		if ((flags & MS_INVALIDATE) && (vma->vm_flags & VM_LOCKED)) {
			unmapped = -EBUSY;
			break;
		}
		stop = min(end, vma->vm_end);
		if ((flags & MS_SYNC) && vma->vm_file && (vma->vm_flags & VM_SHARED)) {
			err = sync_area(mm, vma, start, stop);
			if (err)
				return err;
			mmap_read_lock(mm);
		}
		start = stop;
	}
	mmap_read_unlock(mm);
	return unmapped;
}

long sys_msync(unsigned long start, size_t len, int flags)
{
	unsigned long end;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || offset_in_page(start) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	len = PAGE_ALIGN(len);
	end = start + len;
	if (end < start)
		return -ENOMEM;
	return start == end ? 0 : sync_range(current->mm, start, end, flags);
}
