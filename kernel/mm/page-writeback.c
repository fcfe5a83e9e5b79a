/*
 * page-writeback.c: dirty pages: who they are, and writing them back to where they came from.
 *
 * Idea:    PG_dirty on the page and PAGECACHE_TAG_DIRTY in the file's array say the same; the mark lets write-back find dirty
 *          pages without looking at clean ones.  Writing back a page: lock, clear dirty (which also makes every entry that
 *          maps it read-only, so that the next write is noticed), set "under write-back", let the file system write.
 *          How much may be dirty, and who waits for that: dirty-limits.c.
 * Locking: page lock around clearing dirty; i_pages.xa_lock (interrupts off) for marks.  Dirtying needs the page lock, or the
 *          ptl of an entry that maps it: either keeps the page in the file.
 * See:     spec.md §6 "page cache"; writeback.h
 */
#include <weft/backing-dev.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/vmstat.h>
#include <weft/writeback.h>
#include "internal.h"

#define BATCH		16

/* ---- setting and clearing ---- */

int __set_page_dirty_no_writeback(struct page *page)
{
	return !PageDirty(page) && !TestSetPageDirty(page);
}

int __set_page_dirty_nobuffers(struct page *page)
{
	struct address_space *mapping;
	unsigned long flags;

	if (TestSetPageDirty(page))
		return 0;
	mapping = page_mapping(page);
	if (!mapping)
		return 1;
	xa_lock_irqsave(&mapping->i_pages, flags);
	if (page->mapping == mapping) {
		account_dirty(page, mapping, 1);
		__xa_set_mark(&mapping->i_pages, page->index, PAGECACHE_TAG_DIRTY);
	}
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	if (mapping->host)
		__mark_inode_dirty(mapping->host, I_DIRTY_PAGES);
	return 1;
}

int set_page_dirty(struct page *page)
{
	struct address_space *mapping;

	page = compound_head(page);
	mapping = page_mapping(page);
	if (!mapping)
		return __set_page_dirty_no_writeback(page);
	if (mapping->a_ops->set_page_dirty)
		return mapping->a_ops->set_page_dirty(page);
	return __set_page_dirty_nobuffers(page);
}

int set_page_dirty_lock(struct page *page)
{
	int ret;

	page = compound_head(page);
	lock_page(page);
	ret = set_page_dirty(page);
	unlock_page(page);
	return ret;
}

/*
 * Page locked, not yet under write-back.  1: it was dirty, and the caller must write it.
 * The entries are cleaned first and what they knew goes into PG_dirty; a write after that faults and waits for our lock.
 */
int clear_page_dirty_for_io(struct page *page)
{
	struct address_space *mapping = page_mapping(page);

	VM_BUG_ON_PAGE(!PageLocked(page), page);
	if (!mapping || PageSwapBacked(page))
		return TestClearPageDirty(page);
	if (page_mkclean(page))
		set_page_dirty(page);
	if (!TestClearPageDirty(page))
		return 0;
	account_dirty(page, mapping, -1);
	return 1;
}

/* The contents are not wanted: truncation. */
void __cancel_dirty_page(struct page *page)
{
	struct address_space *mapping = page_mapping(page);

	if (TestClearPageDirty(page) && mapping && !PageSwapBacked(page))
		account_dirty(page, mapping, -1);
}

void cancel_dirty_page(struct page *page)
{
	if (PageDirty(page))
		__cancel_dirty_page(page);
}

/* Page locked.  Moves the mark from dirty to write-back; a page that was dirtied again keeps both. */
bool set_page_writeback(struct page *page)
{
	struct address_space *mapping = page_mapping(page);
	unsigned long flags;
	bool was;

	if (!mapping)
		return TestSetPageWriteback(page);
	xa_lock_irqsave(&mapping->i_pages, flags);
	was = TestSetPageWriteback(page);
	if (!was) {
		account_writeback(page, mapping, 1);
		__xa_set_mark(&mapping->i_pages, page->index, PAGECACHE_TAG_WRITEBACK);
	}
	if (!PageDirty(page))
		__xa_clear_mark(&mapping->i_pages, page->index, PAGECACHE_TAG_DIRTY);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	return was;
}

/* The write is done; any context.  The page may not be freed between clearing the bit and waking: hence the reference. */
void end_page_writeback(struct page *page)
{
	struct address_space *mapping = page_mapping(page);
	unsigned long flags;

	get_page(page);
	if (mapping) {
		xa_lock_irqsave(&mapping->i_pages, flags);
		if (TestClearPageWriteback(page)) {
			account_writeback(page, mapping, -1);
			__xa_clear_mark(&mapping->i_pages, page->index, PAGECACHE_TAG_WRITEBACK);
		}
		xa_unlock_irqrestore(&mapping->i_pages, flags);
	} else {
		ClearPageWriteback(page);
	}
	smp_mb__after_atomic();			/* the bit before the waiters: the sleeper does it the other way round */
	if (PageWaiters(page))
		__unlock_page_waiters(page);
	if (waitqueue_active(&first_node.reclaim_wait))
		wake_up_all(&first_node.reclaim_wait);
	put_page(page);
}

/* No checksums over pages under write-back so far: they may be written to. */
void wait_for_stable_page(struct page *page)
{
}

/* ---- writing back ---- */

/* One page, with a reference.  0 or the file system's error. */
static int write_one(struct address_space *mapping, struct page *page, struct writeback_control *wbc,
		     writepage_t writepage, void *data)
{
	int err = 0;

	lock_page(page);
	if (page->mapping != mapping || !PageDirty(page))
		goto unlock;
	if (PageWriteback(page)) {
		if (wbc->sync_mode == WB_SYNC_NONE)
			goto unlock;
		wait_on_page_writeback(page);
	}
	if (!clear_page_dirty_for_io(page))
		goto unlock;
	wbc->nr_to_write--;
	err = writepage(page, wbc, data);
	if (err == AOP_WRITEPAGE_ACTIVATE) {
		err = 0;
		goto unlock;
	}
	return err;				/* writepage has unlocked it */
unlock:
	unlock_page(page);
	return err;
}

int write_cache_pages(struct address_space *mapping, struct writeback_control *wbc, writepage_t writepage, void *data)
{
	pgoff_t index = wbc->range_start >> PAGE_SHIFT, end = wbc->range_end >> PAGE_SHIFT;
	struct page *pages[BATCH];
	int ret = 0;
	unsigned int nr;

	while (index <= end &&
	       (nr = find_get_pages_range_tag(mapping, &index, end, PAGECACHE_TAG_DIRTY, BATCH, pages))) {
		for (unsigned int i = 0; i < nr; i++) {
			int err = write_one(mapping, pages[i], wbc, writepage, data);

			put_page(pages[i]);
			ret = ret ? ret : err;
		}
		cond_resched();
		if (wbc->sync_mode == WB_SYNC_NONE && wbc->nr_to_write <= 0)
			break;
	}
	return ret;
}

static int generic_writepage(struct page *page, struct writeback_control *wbc, void *data)
{
	struct address_space *mapping = data;
	int err = mapping->a_ops->writepage(page, wbc);

	mapping_set_error(mapping, err < 0 ? err : 0);
	return err;
}

int do_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	if (wbc->nr_to_write <= 0)
		return 0;
	if (mapping->a_ops->writepages)
		return mapping->a_ops->writepages(mapping, wbc);
	if (mapping->a_ops->writepage)
		return write_cache_pages(mapping, wbc, generic_writepage, mapping);
	return 0;
}

int __filemap_fdatawrite_range(struct address_space *mapping, loff_t start, loff_t end, int sync_mode)
{
	struct writeback_control wbc = {
		.sync_mode = sync_mode, .nr_to_write = LONG_MAX, .range_start = start, .range_end = end,
	};

	if (!mapping_tagged(mapping, PAGECACHE_TAG_DIRTY))
		return 0;
	return do_writepages(mapping, &wbc);
}

int filemap_fdatawrite_range(struct address_space *mapping, loff_t start, loff_t end)
{
	return __filemap_fdatawrite_range(mapping, start, end, WB_SYNC_ALL);
}

int filemap_fdatawrite(struct address_space *mapping)
{
	return filemap_fdatawrite_range(mapping, 0, LLONG_MAX);
}

int filemap_flush(struct address_space *mapping)
{
	return __filemap_fdatawrite_range(mapping, 0, LLONG_MAX, WB_SYNC_NONE);
}

int filemap_check_errors(struct address_space *mapping)
{
	int err = 0;

	if (test_bit(AS_ENOSPC, &mapping->flags) && test_and_clear_bit(AS_ENOSPC, &mapping->flags))
		err = -ENOSPC;
	if (test_bit(AS_EIO, &mapping->flags) && test_and_clear_bit(AS_EIO, &mapping->flags))
		err = -EIO;
	return err;
}

/* Waits until [start, end], in bytes, is not under write-back any more. */
static void wait_for_range(struct address_space *mapping, loff_t start, loff_t end)
{
	pgoff_t index = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	struct page *pages[BATCH];
	unsigned int nr;

	while (index <= last &&
	       (nr = find_get_pages_range_tag(mapping, &index, last, PAGECACHE_TAG_WRITEBACK, BATCH, pages))) {
		for (unsigned int i = 0; i < nr; i++) {
			wait_on_page_writeback(pages[i]);
			put_page(pages[i]);
		}
		cond_resched();
	}
}

/* 0, -EIO, -ENOSPC: what went wrong since somebody asked last. */
int filemap_fdatawait_range(struct address_space *mapping, loff_t start, loff_t end)
{
	wait_for_range(mapping, start, end);
	return filemap_check_errors(mapping);
}

int filemap_fdatawait(struct address_space *mapping)
{
	return filemap_fdatawait_range(mapping, 0, LLONG_MAX);
}

int filemap_write_and_wait_range(struct address_space *mapping, loff_t start, loff_t end)
{
	int err, err2;

	if (mapping_empty(mapping))
		return 0;
	err = filemap_fdatawrite_range(mapping, start, end);
	err2 = err == -EIO ? filemap_check_errors(mapping) : filemap_fdatawait_range(mapping, start, end);
	return err ? err : err2;
}

int filemap_write_and_wait(struct address_space *mapping)
{
	return filemap_write_and_wait_range(mapping, 0, LLONG_MAX);
}

/* What went wrong since this opener heard last.  The flags are for sync(), which no opener calls: they go with it. */
static int check_and_advance_wb_err(struct file *file)
{
	int err;

	filemap_check_errors(file->f_mapping);
	spin_lock(&file->f_lock);
	err = errseq_check_and_advance(&file->f_mapping->wb_err, &file->f_wb_err);
	spin_unlock(&file->f_lock);
	return err;
}

int file_fdatawait_range(struct file *file, loff_t start, loff_t end)
{
	wait_for_range(file->f_mapping, start, end);
	return check_and_advance_wb_err(file);
}

int file_write_and_wait_range(struct file *file, loff_t start, loff_t end)
{
	int err = 0, err2;

	if (!mapping_empty(file->f_mapping))
		err = filemap_fdatawrite_range(file->f_mapping, start, end);
	err2 = file_fdatawait_range(file, start, end);
	return err ? err : err2;
}
