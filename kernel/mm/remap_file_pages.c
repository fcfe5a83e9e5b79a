/*
 * remap_file_pages.c: another part of a shared file at a place in its mapping: remap_file_pages(2).
 *
 * Idea:    the call is from the time when areas were dear: it changed pages within one area.  Here, as in Linux since 4.0,
 *          it maps that part anew over the old place, which makes areas of their own.
 * Locking: mmap_lock for writing.
 * See:     remap_file_pages(2); mmap.c
 */
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/mman.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include "internal.h"

#define SAME_FLAGS	(VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_LOCKED)

/* The shared area at start, if what follows up to end is of the same file and mapped alike; NULL. */
static struct vm_area_struct *find_shared(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = vma_lookup(mm, start), *next, *after;

	if (!vma || !(vma->vm_flags & VM_SHARED) || !vma->vm_file)
		return NULL;
	for (next = vma; next->vm_end < end; next = after) {
		after = vma_next(next);
		if (!after || after->vm_start != next->vm_end || after->vm_file != vma->vm_file ||
		    (after->vm_flags ^ vma->vm_flags) & SAME_FLAGS)
			return NULL;
	}
	return vma;
}

static unsigned long remap(const struct vm_area_struct *vma, unsigned long start, unsigned long size, unsigned long pgoff,
			   unsigned long flags, unsigned long *populate)
{
	unsigned long prot = 0, ret;
	struct file *file;

	prot |= vma->vm_flags & VM_READ ? PROT_READ : 0;
	prot |= vma->vm_flags & VM_WRITE ? PROT_WRITE : 0;
	prot |= vma->vm_flags & VM_EXEC ? PROT_EXEC : 0;
	flags &= MAP_NONBLOCK;
	flags |= MAP_SHARED | MAP_FIXED | MAP_POPULATE | (vma->vm_flags & VM_LOCKED ? MAP_LOCKED : 0);
	file = get_file(vma->vm_file);		/* the area goes */
	ret = do_mmap(file, start, size, prot, flags, pgoff, populate);
	fput(file);
	return ret;
}

long sys_remap_file_pages(unsigned long start, unsigned long size, unsigned long prot, unsigned long pgoff, unsigned long flags)
{
	struct mm_struct *mm = current->mm;
	unsigned long populate = 0, ret;
	struct vm_area_struct *vma;

	start &= PAGE_MASK;
	size &= PAGE_MASK;
	if (prot || start + size <= start || pgoff + (size >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	vma = find_shared(mm, start, start + size);
	ret = vma ? remap(vma, start, size, pgoff, flags, &populate) : -EINVAL;
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(ret, populate);
	return IS_ERR_VALUE(ret) ? (long)ret : 0;
}
