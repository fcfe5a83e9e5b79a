/*
 * truncate.c: taking pages out of the page cache: a file becomes shorter, gets a hole, or goes.
 *
 * Idea:    first the size changes, then the pages leave the address spaces, then each page leaves the cache under its lock.
 *          A fault that came in between maps its page under the page lock, so the last step finds it mapped and takes it out
 *          of the address spaces again: from then on nobody can map it, since nobody finds it.
 *          A page that is only partly cut is not removed; what is beyond the cut is zeroed.
 * Locking: i_rwsem of the file, or the inode has no other user.  Page lock, then xa_lock.  May sleep.
 * See:     spec.md §6 "page cache"; filemap_fault.c draws the race
 */
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include "internal.h"

#define BATCH	16				/* pages looked up at a time */

/* The contents are not wanted any more: no entry maps them, the file system forgets what it kept with the page. */
static void discard_page(struct address_space *mapping, struct page *page)
{
	if (page_mapped(page))
		unmap_mapping_pages(mapping, page->index, 1, false);
	if (PagePrivate(page) && mapping->a_ops->invalidatepage)
		mapping->a_ops->invalidatepage(page, 0, PAGE_SIZE);
	cancel_dirty_page(page);
}

/* Page locked.  0, or -EIO when it was not this file's any more. */
int truncate_inode_page(struct address_space *mapping, struct page *page)
{
	if (page->mapping != mapping)
		return -EIO;
	discard_page(mapping, page);
	delete_from_page_cache(page);
	return 0;
}

/* A clean, unused page leaves.  Page locked.  1 if it left.  Exactly two references: the cache's and the caller's. */
unsigned long drop_clean_page(struct address_space *mapping, struct page *page)
{
	bool was_lru = PageLRU(page);
	unsigned long flags;

	if (page->mapping != mapping || PageDirty(page) || PageWriteback(page) || page_mapped(page))
		return 0;
	if (PageSwapBacked(page))
		return 0;			/* tmpfs: it has no other home */
	if (PagePrivate(page) && !(mapping->a_ops->releasepage && mapping->a_ops->releasepage(page, GFP_KERNEL)))
		return 0;
	if (was_lru)
		lru_cache_del(page);
	xa_lock_irqsave(&mapping->i_pages, flags);
	if (!page_ref_freeze(page, 2))
		goto busy;
	if (PageDirty(page)) {
		page_ref_unfreeze(page, 2);
		goto busy;
	}
	__delete_from_page_cache(page);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	page_ref_unfreeze(page, 1);		/* the cache's reference is gone */
	if (mapping->a_ops->freepage)
		mapping->a_ops->freepage(page);
	return 1;
busy:
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	if (was_lru)
		lru_cache_add(page);
	return 0;
}

/* Bytes [from, to) of one page, if it is cached.  Page faults see the zeroes: the page stays mapped. */
static void zero_partial_page(struct address_space *mapping, pgoff_t index, unsigned int from, unsigned int to)
{
	struct page *page = find_lock_page(mapping, index);

	if (!page)
		return;
	wait_on_page_writeback(page);
	zero_user_segment(page, from, to);
	if (PagePrivate(page) && mapping->a_ops->invalidatepage)
		mapping->a_ops->invalidatepage(page, from, to - from);
	unlock_page(page);
	put_page(page);
}

/* All whole pages [start, end); waits for those that are locked or written back. */
static void truncate_whole_pages(struct address_space *mapping, pgoff_t start, pgoff_t end)
{
	struct page *pages[BATCH];
	pgoff_t index = start;
	unsigned int nr;

	while (index < end && (nr = find_get_pages_range(mapping, &index, end - 1, BATCH, pages))) {
		for (unsigned int i = 0; i < nr; i++) {
			lock_page(pages[i]);
			wait_on_page_writeback(pages[i]);
			truncate_inode_page(mapping, pages[i]);
			unlock_page(pages[i]);
			put_page(pages[i]);
		}
		cond_resched();
	}
}

/* Bytes [lstart, lend], lend inclusive (-1: to the end), leave the cache. */
void truncate_inode_pages_range(struct address_space *mapping, loff_t lstart, loff_t lend)
{
	pgoff_t start = ((u64)lstart + PAGE_SIZE - 1) >> PAGE_SHIFT;
	pgoff_t end = lend == -1 ? ULONG_MAX : ((u64)lend + 1) >> PAGE_SHIFT;
	unsigned int head = offset_in_page(lstart), tail = lend == -1 ? 0 : offset_in_page(lend + 1);

	if (mapping_empty(mapping))
		return;
	truncate_whole_pages(mapping, start, end);
	if (head && start > end) {		/* both cuts are in the same page */
		zero_partial_page(mapping, end, head, tail);
		return;
	}
	if (head)
		zero_partial_page(mapping, start - 1, head, PAGE_SIZE);
	if (tail)
		zero_partial_page(mapping, end, 0, tail);
}

void truncate_inode_pages(struct address_space *mapping, loff_t lstart)
{
	truncate_inode_pages_range(mapping, lstart, -1);
}

void truncate_inode_pages_final(struct address_space *mapping)
{
	set_bit(AS_EXITING, &mapping->flags);
	truncate_inode_pages(mapping, 0);
}

/* The size has just been made newsize: pages beyond leave address spaces and cache. */
void truncate_pagecache(struct inode *inode, loff_t newsize)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t holebegin = round_up(newsize, PAGE_SIZE);

	unmap_mapping_range(mapping, holebegin, 0, 1);
	truncate_inode_pages(mapping, newsize);
	/* Private copies of pages that were still in the cache can have been made meanwhile. */
	unmap_mapping_range(mapping, holebegin, 0, 1);
}

void truncate_setsize(struct inode *inode, loff_t newsize)
{
	loff_t oldsize = inode->i_size;

	i_size_write(inode, newsize);
	if (newsize > oldsize)
		pagecache_isize_extended(inode, oldsize, newsize);
	truncate_pagecache(inode, newsize);
}

/*
 * The file grew: its last page may be mapped writable although the file system has no block behind all of it.  Makes the
 * next write to it fault, so that page_mkwrite is asked.
 */
void pagecache_isize_extended(struct inode *inode, loff_t from, loff_t to)
{
	unsigned int blocksize = i_blocksize(inode);
	struct page *page;

	if (from >= to || blocksize >= PAGE_SIZE || round_up(from, blocksize) >= to ||
	    !(round_up(from, blocksize) & (PAGE_SIZE - 1)))
		return;
	page = find_lock_page(inode->i_mapping, from >> PAGE_SHIFT);
	if (!page)
		return;
	if (page_mkclean(page))
		set_page_dirty(page);
	unlock_page(page);
	put_page(page);
}

/* A hole: whole pages of [lstart, lend] leave the address spaces, then the cache; private copies stay. */
void truncate_pagecache_range(struct inode *inode, loff_t lstart, loff_t lend)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t start = round_up(lstart, PAGE_SIZE), end = round_down(1 + lend, PAGE_SIZE);

	if (end > start)
		unmap_mapping_range(mapping, start, end - start, 0);
	truncate_inode_pages_range(mapping, lstart, lend);
}

/* Clean, unused pages of [start, end] leave: the hint POSIX_FADV_DONTNEED, drop_caches.  Pages removed. */
unsigned long invalidate_mapping_pages(struct address_space *mapping, pgoff_t start, pgoff_t end)
{
	struct page *pages[BATCH];
	unsigned long count = 0;
	unsigned int nr;

	while (start <= end && (nr = find_get_pages_range(mapping, &start, end, BATCH, pages))) {
		for (unsigned int i = 0; i < nr; i++) {
			if (trylock_page(pages[i])) {
				count += drop_clean_page(mapping, pages[i]);
				unlock_page(pages[i]);
			}
			put_page(pages[i]);
		}
		cond_resched();
	}
	return count;
}

/* Before direct I/O: the cached copy must go, mapped or not.  0, or -EBUSY when a page is dirty again. */
int invalidate_inode_pages2_range(struct address_space *mapping, pgoff_t start, pgoff_t end)
{
	struct page *pages[BATCH];
	unsigned int nr;
	int err = 0;

	while (start <= end && (nr = find_get_pages_range(mapping, &start, end, BATCH, pages))) {
		for (unsigned int i = 0; i < nr; i++) {
			lock_page(pages[i]);
			wait_on_page_writeback(pages[i]);
			if (page_mapped(pages[i]))
				unmap_mapping_pages(mapping, pages[i]->index, 1, false);
			if (pages[i]->mapping == mapping && !drop_clean_page(mapping, pages[i]))
				err = -EBUSY;
			unlock_page(pages[i]);
			put_page(pages[i]);
		}
		cond_resched();
	}
	return err;
}

int invalidate_inode_pages2(struct address_space *mapping)
{
	return invalidate_inode_pages2_range(mapping, 0, ULONG_MAX);
}
