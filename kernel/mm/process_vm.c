/*
 * process_vm.c: process_vm_readv(2), process_vm_writev(2): copying straight between two address spaces.
 *
 * Idea:    the other side's pages are pinned a few at a time (get_user_pages_remote) and copied to or from our own memory,
 *          which may fault as usual, with no lock held.
 * Locking: the other mm's mmap_lock for reading while its pages are looked up; a reference on the mm all the while.
 * See:     man 2 process_vm_readv
 */
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/pagemap.h>
#include <weft/pid.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uio.h>
#include "internal.h"

#define BATCH		16
#define FAST_SEGS	8

/* The pages' contents from offset on.  Bytes copied. */
static size_t copy_pages(struct page **pages, unsigned int nr, size_t offset, size_t len, struct iov_iter *iter, bool write)
{
	size_t done = 0;

	for (unsigned int i = 0; i < nr && len; i++) {
		size_t n = min(PAGE_SIZE - offset, len), copied;

		copied = write ? copy_page_from_iter(pages[i], offset, n, iter) : copy_page_to_iter(pages[i], offset, n, iter);
		if (write)
			set_page_dirty_lock(pages[i]);
		done += copied;
		if (copied < n)
			break;
		len -= n;
		offset = 0;
	}
	return done;
}

/* [addr, addr + len) of mm.  Bytes, fewer than len on a bad address on either side; -EFAULT: none. */
static ssize_t rw_segment(struct mm_struct *mm, unsigned long addr, size_t len, struct iov_iter *iter, bool write)
	__no_context_analysis	/* `locked` */
{
	struct page *pages[BATCH];
	size_t done = 0;

	while (len && iov_iter_count(iter)) {
		size_t offset = offset_in_page(addr), want, copied;
		unsigned int nr = min_t(size_t, (offset + len + PAGE_SIZE - 1) >> PAGE_SHIFT, BATCH);
		int locked = 1;
		long got;

		if (mmap_read_lock_killable(mm))
			return done ? (ssize_t)done : -EINTR;
		got = get_user_pages_remote(mm, addr & PAGE_MASK, nr, write ? FOLL_WRITE : 0, pages, &locked);
		if (locked)
			mmap_read_unlock(mm);
		if (got <= 0)
			break;
		want = min3(len, iov_iter_count(iter), ((size_t)got << PAGE_SHIFT) - offset);
		copied = copy_pages(pages, got, offset, want, iter, write);
		while (got)
			put_page(pages[--got]);
		done += copied;
		if (copied < want)
			break;
		addr += copied;
		len -= copied;
	}
	return done ? (ssize_t)done : -EFAULT;
}

static ssize_t rw_segments(struct mm_struct *mm, const struct iovec *rvec, unsigned long nr, struct iov_iter *iter, bool write)
{
	ssize_t done = 0, n;

	for (unsigned long i = 0; i < nr && iov_iter_count(iter); i++) {
		if (!rvec[i].iov_len)
			continue;
		n = rw_segment(mm, (unsigned long)rvec[i].iov_base, rvec[i].iov_len, iter, write);
		if (n < 0)
			return done ? done : n;
		done += n;
		if ((size_t)n < rvec[i].iov_len)
			break;
	}
	return done;
}

static ssize_t rw_task(pid_t pid, const struct iovec *rvec, unsigned long nr, struct iov_iter *iter, bool write)
{
	struct task_struct *task = find_get_task_by_vpid(pid);
	struct mm_struct *mm;
	ssize_t ret;

	if (!task)
		return -ESRCH;
	mm = mm_access(task, PTRACE_MODE_ATTACH_REALCREDS);
	put_task_struct(task);
	if (IS_ERR_OR_NULL(mm))			/* EACCES becomes EPERM: what the manual page says */
		return !mm ? -ESRCH : PTR_ERR(mm) == -EACCES ? -EPERM : PTR_ERR(mm);
	ret = rw_segments(mm, rvec, nr, iter, write);
	mmput(mm);
	return ret;
}

static ssize_t process_vm_rw(pid_t pid, const struct iovec __user *lvec, unsigned long liovcnt,
			     const struct iovec __user *rvec, unsigned long riovcnt, unsigned long flags, bool write)
{
	struct iovec lfast[FAST_SEGS], *liov = lfast, rfast[FAST_SEGS], *riov;
	struct iov_iter iter;
	ssize_t ret;

	if (flags)
		return -EINVAL;
	ret = import_iovec(write ? ITER_SOURCE : ITER_DEST, lvec, liovcnt, FAST_SEGS, &liov, &iter);
	if (ret < 0)
		return ret;
	if (iov_iter_count(&iter)) {
		riov = iovec_from_user(rvec, riovcnt, FAST_SEGS, rfast);
		if (IS_ERR(riov)) {
			ret = PTR_ERR(riov);
		} else {
			ret = rw_task(pid, riov, riovcnt, &iter, write);
			if (riov != rfast)
				kfree(riov);
		}
	}
	kfree(liov);
	return ret;
}

long sys_process_vm_readv(pid_t pid, const struct iovec __user *lvec, unsigned long liovcnt,
			  const struct iovec __user *rvec, unsigned long riovcnt, unsigned long flags)
{
	return process_vm_rw(pid, lvec, liovcnt, rvec, riovcnt, flags, false);
}

long sys_process_vm_writev(pid_t pid, const struct iovec __user *lvec, unsigned long liovcnt,
			   const struct iovec __user *rvec, unsigned long riovcnt, unsigned long flags)
{
	return process_vm_rw(pid, lvec, liovcnt, rvec, riovcnt, flags, true);
}
