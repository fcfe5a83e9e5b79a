/*
 * filemap_rw.c: read and write of files through the page cache.
 *
 * Idea:    reading: find the page, read it if it is not up to date, copy it out.  Writing: the file system prepares a locked
 *          page (write_begin), bytes are copied in with page faults off, the file system ends it (write_end).  Page faults
 *          must be off because the source may be a mapping of this very page, which is locked; the source is touched
 *          beforehand, and when it has gone again meanwhile, the loop simply goes round.
 * Locking: a write holds i_rwsem; a read holds nothing but, while it fills a page, invalidate_lock for reading, so that
 *          truncation and hole punching cannot take the blocks away from under it:
 *
 *              read                                    punch hole
 *              invalidate_lock (read)
 *              new page, asks the disk                 invalidate_lock (write): waits
 *              page up to date; unlocks                removes pages, frees blocks
 * See:     spec.md §6 "page cache"; filemap.c
 */
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/uio.h>
#include <weft/writeback.h>
#include "internal.h"

/* ---- reading ---- */

/* Not in the cache, not even after read-ahead: a new page, read.  0 and *pagep, or -errno, AOP_TRUNCATED_PAGE: again. */
static int filemap_create_page(struct file *file, struct address_space *mapping, pgoff_t index, struct page **pagep)
{
	struct page *page = page_cache_alloc(mapping);
	int err;

	if (!page)
		return -ENOMEM;
	filemap_invalidate_lock_shared(mapping);
	err = add_to_page_cache_lru(page, mapping, index, mapping->gfp_mask);
	if (!err)
		err = filemap_read_page(file, mapping, page);
	filemap_invalidate_unlock_shared(mapping);
	if (err) {
		put_page(page);
		return err == -EEXIST ? AOP_TRUNCATED_PAGE : err;
	}
	*pagep = page;
	return 0;
}

/* In the cache but not up to date: waits for who reads it, or reads it.  On error the reference is dropped. */
static int filemap_update_page(struct kiocb *iocb, struct address_space *mapping, struct page *page)
{
	int err;

	if (iocb->ki_flags & IOCB_NOWAIT) {
		put_page(page);
		return -EAGAIN;
	}
	filemap_invalidate_lock_shared(mapping);
	err = lock_page_killable(page);
	if (err)
		goto out;
	if (!page->mapping) {
		unlock_page(page);
		err = AOP_TRUNCATED_PAGE;
	} else if (PageUptodate(page)) {
		unlock_page(page);
	} else {
		err = filemap_read_page(iocb->ki_filp, mapping, page);
	}
out:
	filemap_invalidate_unlock_shared(mapping);
	if (err)
		put_page(page);
	return err;
}

/* The page at index, up to date and with a reference.  `want`: pages that the read will need. */
static int filemap_get_page(struct kiocb *iocb, pgoff_t index, unsigned long want, struct page **pagep)
{
	struct file *file = iocb->ki_filp;
	struct address_space *mapping = file->f_mapping;
	struct page *page;
	int err;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = find_get_page(mapping, index);
		if (!page) {
			if (iocb->ki_flags & (IOCB_NOWAIT | IOCB_NOIO))
				return -EAGAIN;
			page_cache_sync_readahead(mapping, &file->f_ra, file, index, want);
			page = find_get_page(mapping, index);
		}
		if (!page) {
			err = filemap_create_page(file, mapping, index, pagep);
			continue;
		}
		if (PageReadahead(page) && !(iocb->ki_flags & (IOCB_NOWAIT | IOCB_NOIO)))
			page_cache_async_readahead(mapping, &file->f_ra, file, page, index, want);
		err = PageUptodate(page) ? 0 : filemap_update_page(iocb, mapping, page);
		*pagep = page;
	} while (err == AOP_TRUNCATED_PAGE);
	return err;
}

/*
 * Reads at ki_pos, which moves.  already_read is added to the result.  Bytes, 0 at the end of the file, or -errno.
 * The size is looked at after the page is up to date: what a writer put there before it raised the size is then seen.
 */
ssize_t filemap_read(struct kiocb *iocb, struct iov_iter *to, ssize_t already_read)
{
	struct inode *inode = iocb->ki_filp->f_mapping->host;
	int err = 0;

	while (iov_iter_count(to) && iocb->ki_pos < i_size_read(inode)) {
		size_t offset = offset_in_page(iocb->ki_pos), bytes, copied;
		struct page *page;
		loff_t size;

		cond_resched();
		err = filemap_get_page(iocb, iocb->ki_pos >> PAGE_SHIFT,
				       (offset + iov_iter_count(to) + PAGE_SIZE - 1) >> PAGE_SHIFT, &page);
		if (err)
			break;
		size = i_size_read(inode);
		if (iocb->ki_pos >= size) {
			put_page(page);
			break;
		}
		bytes = min3((loff_t)(PAGE_SIZE - offset), size - iocb->ki_pos, (loff_t)iov_iter_count(to));
		mark_page_accessed(page);
		copied = copy_page_to_iter(page, offset, bytes, to);
		put_page(page);
		already_read += copied;
		iocb->ki_pos += copied;
		if (copied < bytes) {
			err = -EFAULT;
			break;
		}
	}
	iocb->ki_filp->f_ra.prev_pos = iocb->ki_pos;
	file_accessed(iocb->ki_filp);
	return already_read ? already_read : err;
}

ssize_t generic_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	ssize_t done = 0;

	if (!iov_iter_count(to))
		return 0;
	if ((iocb->ki_flags & IOCB_DIRECT) && mapping->a_ops->direct_IO) {
		file_accessed(iocb->ki_filp);
		done = mapping->a_ops->direct_IO(iocb, to);
		if (done < 0)
			return done;
		iocb->ki_pos += done;
		if (!iov_iter_count(to) || iocb->ki_pos >= i_size_read(mapping->host))
			return done;
	}
	return filemap_read(iocb, to, done);
}

/* ---- writing ---- */

/*
 * One page's worth at pos.  Bytes written, or -errno.  0: the source was not all in memory, and the file system does not
 * take a part of a page that it has not read: try again with *copied.
 */
static ssize_t write_one_page(struct file *file, loff_t pos, size_t bytes, struct iov_iter *from, size_t *copied)
{
	struct address_space *mapping = file->f_mapping;
	const struct address_space_operations *ops = mapping->a_ops;
	struct page *page;
	void *fsdata = NULL;
	int status;

	status = ops->write_begin(file, mapping, pos, bytes, &page, &fsdata);
	if (status < 0)
		return status;
	pagefault_disable();
	*copied = copy_page_from_iter_atomic(page, offset_in_page(pos), bytes, from);
	pagefault_enable();
	status = ops->write_end(file, mapping, pos, bytes, *copied, page, fsdata);
	if (status != (int)*copied)
		iov_iter_revert(from, *copied - max(status, 0));
	return status;
}

/* i_rwsem held.  Does not move ki_pos.  Bytes written or -errno. */
ssize_t generic_perform_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	loff_t pos = iocb->ki_pos;
	size_t limit = PAGE_SIZE, copied;
	ssize_t written = 0, status = 0;

	while (iov_iter_count(from)) {
		size_t bytes = min3(PAGE_SIZE - offset_in_page(pos), iov_iter_count(from), limit);

		/* Bring in the source, or we would go round for ever. */
		if (unlikely(fault_in_iov_iter_readable(from, bytes) == bytes)) {
			status = -EFAULT;
			break;
		}
		if (fatal_signal_pending(current)) {
			status = -EINTR;
			break;
		}
		status = write_one_page(file, pos, bytes, from, &copied);
		if (status < 0)
			break;
		limit = !status && copied ? copied : PAGE_SIZE;
		cond_resched();
		pos += status;
		written += status;
		balance_dirty_pages_ratelimited(file->f_mapping);
	}
	return written ? written : status;
}

/* The rest of a direct write went through the cache: to the disk with it, and out of the cache. */
static int finish_direct_write(struct address_space *mapping, loff_t pos, ssize_t len)
{
	int err = filemap_write_and_wait_range(mapping, pos, pos + len - 1);

	invalidate_mapping_pages(mapping, pos >> PAGE_SHIFT, (pos + len - 1) >> PAGE_SHIFT);
	return err;
}

/* i_rwsem held, generic_write_checks() done.  Moves ki_pos. */
ssize_t __generic_file_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct address_space *mapping = file->f_mapping;
	bool direct = iocb->ki_flags & IOCB_DIRECT && mapping->a_ops->direct_IO;
	ssize_t written = 0, more;
	int err = file_modified(file);

	if (err)
		return err;
	if (direct) {
		written = mapping->a_ops->direct_IO(iocb, from);
		if (written > 0)
			iocb->ki_pos += written;
		if (written < 0 || !iov_iter_count(from))
			return written;
	}
	more = generic_perform_write(iocb, from);
	if (more > 0 && direct) {
		err = finish_direct_write(mapping, iocb->ki_pos, more);
		more = err ? err : more;
	}
	if (more > 0)
		iocb->ki_pos += more;
	else if (!written)
		return more;
	return written + max(more, (ssize_t)0);
}

ssize_t generic_file_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = iocb->ki_filp->f_mapping->host;
	ssize_t ret;

	inode_lock(inode);
	ret = generic_write_checks(iocb, from);
	if (ret > 0)
		ret = __generic_file_write_iter(iocb, from);
	inode_unlock(inode);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}
