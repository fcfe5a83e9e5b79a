/*
 * gup.c: the pages of user memory for the kernel: get_user_pages, another task's memory, populating, fault_in_*.
 *
 * Idea:    look at the page table; if the entry is not good enough for the access, do what a fault would do, and look again.
 *          A page that is returned has a reference of its own, taken under the ptl, so it stays after the entry has gone.
 *          Breaking copy on write against the area's rights (FOLL_FORCE, debuggers) leaves the entry read-only: the page
 *          counts as ours when it is anonymous, dirty and held by this entry alone.
 * Locking: mmap_lock for reading.  *locked: the caller allows that it is dropped and taken again; it is 0 on return when it
 *          was dropped for good.
 * See:     man 2 process_vm_readv, mlock; spec.md §5
 */
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/huge_mm.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- one page ---- */

static bool can_follow_write(pte_t pte, struct page *page, const struct vm_area_struct *vma, unsigned int flags)
{
	if (pte_write(pte))
		return true;
	if (!(flags & FOLL_FORCE) || (vma->vm_flags & (VM_SHARED | VM_WRITE)) || !(vma->vm_flags & VM_MAYWRITE))
		return false;
	return page && PageAnon(page) && pte_dirty(pte) && page_count(page) == 1;
}

/* For a place without a page: a fault is needed, unless it would only give zeros to who can do without. */
static struct page *untouched(const struct vm_area_struct *vma, unsigned int flags)
{
	return (flags & FOLL_DUMP) && vma_is_anonymous(vma) ? ERR_PTR(-EFAULT) : NULL;
}

/* The page at addr with a reference, NULL when a fault is needed first, ERR_PTR(-EFAULT) when there is none to have. */
static struct page *follow_page(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	struct page *page = NULL;
	spinlock_t *ptl;
	pte_t *pte;

	if (!pmd)
		return untouched(vma, flags);
	if (pmd_huge(pmd) && follow_huge_pmd(vma, pmd, addr, flags, &page))
		return page;
	if (!pmd_has_table(vma->vm_mm, pmd, addr))
		return untouched(vma, flags);
	pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (pte_none(*pte))
		page = untouched(vma, flags);
	if (!pte_present(*pte))
		goto out;			/* PROT_NONE counts as present: FOLL_FORCE may look */
	page = vm_normal_page(vma, addr, *pte);
	if ((flags & FOLL_WRITE) && !can_follow_write(*pte, page, vma, flags)) {
		page = NULL;
		goto out;
	}
	if (!page)
		page = is_zero_pfn(pte_pfn(*pte)) ? pfn_to_page(zero_pfn) : ERR_PTR(-EFAULT);
	if (!IS_ERR(page))
		get_page(page);
out:
	pte_unmap_unlock(pte, ptl);
	return page;
}

/* May this access be made at all? */
static int check_vma_flags(const struct vm_area_struct *vma, unsigned int flags)
{
	unsigned long vm_flags = vma->vm_flags;

	if (vm_flags & (VM_IO | VM_PFNMAP))
		return -EFAULT;
	if (flags & FOLL_WRITE) {
		if (!(vm_flags & VM_WRITE) && (!(flags & FOLL_FORCE) || !is_cow_mapping(vm_flags)))
			return -EFAULT;
	} else if (!(vm_flags & VM_READ) && (!(flags & FOLL_FORCE) || !(vm_flags & VM_MAYREAD))) {
		return -EFAULT;
	}
	return 0;
}

static int fault_errno(vm_fault_t ret)
{
	return (ret & VM_FAULT_OOM) ? -ENOMEM : -EFAULT;
}

/* Does one fault.  0: look again.  1: mmap_lock was dropped (*locked is 0 now).  -errno. */
static int faultin_page(struct vm_area_struct *vma, unsigned long addr, unsigned int flags, int *locked)
{
	unsigned int fault_flags = (flags & FOLL_WRITE) ? FAULT_FLAG_WRITE : 0;
	vm_fault_t ret;

	if (vma->vm_mm != current->mm)
		fault_flags |= FAULT_FLAG_REMOTE;
	if (locked)
		fault_flags |= FAULT_FLAG_DEFAULT;
	ret = handle_mm_fault(vma, addr, fault_flags, NULL);
	if (ret & VM_FAULT_ERROR)
		return fault_errno(ret);
	if (ret & VM_FAULT_RETRY) {
		*locked = 0;
		return 1;
	}
	return 0;
}

/* ---- ranges ---- */

/* An area that covers addr, after growing a stack upwards to it is not wanted here: NULL when there is none. */
static struct vm_area_struct *gup_vma(struct mm_struct *mm, unsigned long addr, unsigned int flags, int *err)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	*err = vma ? check_vma_flags(vma, flags) : -EFAULT;
	return *err ? NULL : vma;
}

/*
 * Pages of [start, + nr_pages) into pages[] (may be NULL: only fault them in).  Returns how many, or -errno if not even one.
 * locked == NULL: mmap_lock is never dropped.
 */
static long gup_range(struct mm_struct *mm, unsigned long start, unsigned long nr_pages, unsigned int flags,
		      struct page **pages, int *locked)
	__no_context_analysis	/* *locked says whether mmap_lock is held */
{
	unsigned long done = 0;
	int err = 0;

	while (done < nr_pages) {
		unsigned long addr = (start & PAGE_MASK) + (done << PAGE_SHIFT);
		struct vm_area_struct *vma;
		struct page *page;

		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		if (locked && !*locked) {
			if (mmap_read_lock_killable(mm)) {
				err = -EINTR;
				break;
			}
			*locked = 1;
		}
		vma = gup_vma(mm, addr, flags, &err);
		if (!vma)
			break;
		page = follow_page(vma, addr, flags);
		if (!page) {
			err = (flags & FOLL_NOFAULT) ? -EFAULT : faultin_page(vma, addr, flags, locked);
			if (err < 0)
				break;
			if (!err && !pages)
				done++;		/* populating: no need to look at what was just put there */
			cond_resched();
			continue;
		}
		if (IS_ERR(page)) {
			err = PTR_ERR(page);
			break;
		}
		if (pages)
			pages[done] = page;
		else
			put_page(page);
		done++;
	}
	return done ? (long)done : err;
}

/* mmap_lock held for reading, and still held on return unless *locked is 0 then. */
long get_user_pages_remote(struct mm_struct *mm, unsigned long start, unsigned long nr_pages, unsigned int gup_flags,
			   struct page **pages, int *locked)
{
	return gup_range(mm, start, nr_pages, gup_flags, pages, locked);
}

long get_user_pages(unsigned long start, unsigned long nr_pages, unsigned int gup_flags, struct page **pages)
{
	return gup_range(current->mm, start, nr_pages, gup_flags, pages, NULL);
}

/* The same, taking mmap_lock itself. */
long get_user_pages_unlocked(unsigned long start, unsigned long nr_pages, struct page **pages, unsigned int gup_flags)
	__no_context_analysis	/* `locked` */
{
	struct mm_struct *mm = current->mm;
	int locked = 1;
	long ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	ret = gup_range(mm, start, nr_pages, gup_flags, pages, &locked);
	if (locked)
		mmap_read_unlock(mm);
	return ret;
}

int get_user_pages_fast(unsigned long start, int nr_pages, unsigned int gup_flags, struct page **pages)
{
	start &= PAGE_MASK;
	if (nr_pages < 0 || !access_ok((void __user *)start, (unsigned long)nr_pages << PAGE_SHIFT))
		return -EFAULT;
	return get_user_pages_unlocked(start, nr_pages, pages, gup_flags);
}

/*
 * Does what a fault at `address` would do; futexes use it after an access with page faults off has failed.  mmap_lock held
 * for reading; *unlocked is set when it was dropped and taken again meanwhile.  0, -EFAULT, -ENOMEM, -EINTR.
 */
int fixup_user_fault(struct mm_struct *mm, unsigned long address, unsigned int fault_flags, bool *unlocked)
	__no_context_analysis	/* VM_FAULT_RETRY: dropped */
{
	unsigned int gup_flags = (fault_flags & FAULT_FLAG_WRITE) ? FOLL_WRITE : 0;
	vm_fault_t ret;
	int err;

	address &= PAGE_MASK;
	if (unlocked)
		fault_flags |= FAULT_FLAG_DEFAULT;
	for (;;) {
		struct vm_area_struct *vma = gup_vma(mm, address, gup_flags, &err);

		if (!vma)
			return err;
		ret = handle_mm_fault(vma, address, fault_flags, NULL);
		if (ret & VM_FAULT_ERROR)
			return fault_errno(ret);
		if (!(ret & VM_FAULT_RETRY))
			return 0;
		mmap_read_lock(mm);
		*unlocked = true;
		if (fatal_signal_pending(current))
			return -EINTR;
		fault_flags |= FAULT_FLAG_TRIED;
	}
}

/* ---- populating: MAP_POPULATE, mlock, MADV_POPULATE_* ---- */

/* Faults in [start, end) of one area, writing where that spares a later copy.  Pages done or -errno. */
long populate_vma_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long end, int *locked)
{
	unsigned int flags = 0;

	if (vma->vm_flags & VM_LOCKONFAULT)
		return (end - start) >> PAGE_SHIFT;
	if ((vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		flags |= FOLL_WRITE;
	if (vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
		flags |= FOLL_FORCE;
	return gup_range(vma->vm_mm, start, (end - start) >> PAGE_SHIFT, flags, NULL, locked);
}

/* For MADV_POPULATE_READ and _WRITE: with the area's rights as they are. */
long faultin_page_range(struct mm_struct *mm, unsigned long start, unsigned long end, bool write, int *locked)
{
	return gup_range(mm, start, (end - start) >> PAGE_SHIFT, write ? FOLL_WRITE : 0, NULL, locked);
}

/* Faults in all areas of the running task's [start, start + len).  mmap_lock not held.  0 or -errno. */
int __mm_populate(unsigned long start, unsigned long len, int ignore_errors) __no_context_analysis	/* `locked` */
{
	struct mm_struct *mm = current->mm;
	unsigned long addr = start, end = start + len;
	int locked = 0;
	long ret = 0;

	while (addr < end) {
		struct vm_area_struct *vma;
		unsigned long stop;

		if (!locked) {
			if (mmap_read_lock_killable(mm))
				return -EINTR;
			locked = 1;
		}
		vma = find_vma_intersection(mm, addr, end);
		if (!vma)
			break;
		addr = max(addr, vma->vm_start);
		stop = min(end, vma->vm_end);
		if (vma->vm_flags & (VM_IO | VM_PFNMAP)) {
			addr = stop;
			continue;
		}
		ret = populate_vma_page_range(vma, addr, stop, &locked);
		if (ret < 0) {
			if (!ignore_errors || ret == -EINTR)
				break;
			ret = 0;
			addr = stop;
		} else {
			addr += ret << PAGE_SHIFT;
			ret = 0;
		}
	}
	if (locked)
		mmap_read_unlock(mm);
	return ret;
}

/* ---- another task's memory ---- */

/* Copies at most to the end of one page.  Bytes copied, 0 when the address is not to be had. */
static int access_one_page(struct mm_struct *mm, unsigned long addr, void *buf, int len, unsigned int flags, int *locked)
{
	int offset = offset_in_page(addr), bytes = min_t(int, len, PAGE_SIZE - offset);
	struct page *page;
	void *kaddr;

	if (gup_range(mm, addr, 1, flags, &page, locked) != 1)
		return 0;
	kaddr = page_address(page) + offset;
	if (flags & FOLL_WRITE) {
		memcpy(kaddr, buf, bytes);
		set_page_dirty_lock(page);
	} else {
		memcpy(buf, kaddr, bytes);
	}
	put_page(page);
	return bytes;
}

/* Reads (or with FOLL_WRITE writes) len bytes at addr of mm, whose users the caller holds.  Returns bytes done. */
int access_remote_vm(struct mm_struct *mm, unsigned long addr, void *buf, int len, unsigned int gup_flags)
	__no_context_analysis	/* `locked` */
{
	int done = 0, locked = 1;

	if (mmap_read_lock_killable(mm))
		return 0;
	while (done < len) {
		int bytes = access_one_page(mm, addr + done, buf + done, len - done, gup_flags, &locked);

		if (!bytes)
			break;
		done += bytes;
	}
	if (locked)
		mmap_read_unlock(mm);
	return done;
}

int access_process_vm(struct task_struct *tsk, unsigned long addr, void *buf, int len, unsigned int gup_flags)
{
	struct mm_struct *mm = get_task_mm(tsk);
	int done;

	if (!mm)
		return 0;
	done = access_remote_vm(mm, addr, buf, len, gup_flags);
	mmput(mm);
	return done;
}

/* ---- before a copy that must not fault ---- */

/* Touches each page of the user buffer.  Returns the bytes that could not be reached: 0 when all is well. */
size_t fault_in_readable(const char __user *uaddr, size_t size)
{
	const char __user *end = uaddr + size, *p;
	char c __maybe_unused;

	if (!size)
		return 0;
	if (end < uaddr)
		return size;
	for (p = uaddr; p < end; p = (const char __user *)(((unsigned long)p + PAGE_SIZE) & PAGE_MASK))
		if (get_user(c, p))
			return end - p;
	return 0;
}

/* A write of zero bytes of data: reading first keeps what is there, writing it back could lose another thread's store. */
size_t fault_in_writeable(char __user *uaddr, size_t size)
{
	unsigned long addr = (unsigned long)uaddr & PAGE_MASK, end = (unsigned long)uaddr + size;
	bool unlocked = false;
	int err = 0;

	if (!size)
		return 0;
	if (!access_ok(uaddr, size))
		return size;
	mmap_read_lock(current->mm);
	for (; addr < end && !err; addr += PAGE_SIZE)
		err = fixup_user_fault(current->mm, addr, FAULT_FLAG_WRITE, &unlocked);
	mmap_read_unlock(current->mm);
	if (!err)
		return 0;
	addr -= PAGE_SIZE;
	return end - max(addr, (unsigned long)uaddr);
}
