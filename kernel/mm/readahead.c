/*
 * readahead.c: pages that will be wanted soon, and the hints of programs about them.
 *
 * Idea:    a window of pages is read at once.  It doubles as long as the program reads in order; the page at which half of
 *          it is left carries PG_readahead, and whoever reads that page starts the next window, so that the disk works while
 *          the program does.  A read elsewhere starts small again, and so does one of a page that had been read ahead but has
 *          left the cache since: the windows are too large for the memory there is.
 *          A fault of a mapped file tells nothing about the order, but its neighbours are wanted soon, too: what lies around
 *          it is read, as long as that turns out to be of use.
 * Locking: file->f_ra is a hint and not locked.  invalidate_lock for reading while pages enter the cache.
 * See:     spec.md §6 "page cache"; man 2 readahead, posix_fadvise
 */
#include <weft/blk_plug.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include "internal.h"

#define RA_PAGES_MAX	32u			/* 128 KiB */
#define RA_PAGES_START	4u
#define MANY_MISSES	100u			/* so many more faults missed than hit: reading around is vain */

void file_ra_state_init(struct file_ra_state *ra, struct address_space *mapping)
{
	*ra = (struct file_ra_state){ .ra_pages = RA_PAGES_MAX, .prev_pos = -1 };
}

/* The file system takes pages one by one; each comes with a reference and must be unlocked when it is read. */
struct page *readahead_page(struct readahead_control *rac)
{
	struct page *page;

	rac->_nr_pages -= rac->_batch_count;
	rac->_index += rac->_batch_count;
	rac->_batch_count = 0;
	if (!rac->_nr_pages)
		return NULL;
	page = xa_load(&rac->mapping->i_pages, rac->_index);	/* locked: it cannot leave */
	rac->_batch_count = 1;
	return page;
}

/* Reads the run of new pages that ends at rac->_index + rac->_nr_pages. */
static void read_pages(struct readahead_control *rac)
{
	struct page *page;

	if (!rac->_nr_pages)
		return;
	rac->mapping->a_ops->readahead(rac);
	while ((page = readahead_page(rac))) {	/* what the file system did not want */
		unlock_page(page);
		put_page(page);
	}
}

/* [index, + nr): those that are missing are made and read; `mark`: this page starts the next window. */
static void read_missing(struct file *file, struct address_space *mapping, gfp_t gfp, pgoff_t index, unsigned long nr,
			 pgoff_t mark)
{
	struct readahead_control rac = { .file = file, .mapping = mapping, ._index = index };
	struct blk_plug plug;

	gfp |= __GFP_NORETRY | __GFP_NOWARN;
	blk_start_plug(&plug);
	for (unsigned long i = 0; i < nr; i++) {
		pgoff_t at = index + i;
		struct page *page = xa_load(&mapping->i_pages, at) ? NULL : alloc_page(gfp);

		if (!page || add_to_page_cache_lru(page, mapping, at, gfp)) {
			if (page)
				put_page(page);
			read_pages(&rac);	/* a gap: the run ends here */
			rac._index = at + 1;
			rac._nr_pages = rac._batch_count = 0;
			continue;
		}
		if (at == mark)
			SetPageReadahead(page);
		rac._nr_pages++;
	}
	read_pages(&rac);
	blk_finish_plug(&plug);
}

static void do_readahead(struct file *file, struct address_space *mapping, pgoff_t index, unsigned long nr, pgoff_t mark)
{
	filemap_invalidate_lock_shared(mapping);
	read_missing(file, mapping, mapping->gfp_mask, index, nr, mark);
	filemap_invalidate_unlock_shared(mapping);
}

/* How many pages of [index, + nr) the file has. */
static unsigned long within_file(struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	pgoff_t end = page_last_index(i_size_read(mapping->host));

	if (!mapping->a_ops->readahead || index >= end)
		return 0;
	return min(nr, end - index);
}

void page_cache_ra_unbounded(struct file *file, struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	nr = within_file(mapping, index, nr);
	if (nr)
		do_readahead(file, mapping, index, nr, ULONG_MAX);
}

/* A mounted device is not truncated, and who asks may be in the middle of a transaction. */
void page_cache_ra_metadata(struct address_space *mapping, pgoff_t index, unsigned long nr)
{
	nr = within_file(mapping, index, nr);
	if (nr)
		read_missing(NULL, mapping, mapping_gfp_constraint(mapping, ~__GFP_FS), index, nr, ULONG_MAX);
}

int force_page_cache_readahead(struct address_space *mapping, struct file *file, pgoff_t index, unsigned long nr)
{
	if (!mapping->a_ops->readpage && !mapping->a_ops->readahead)
		return -EINVAL;
	page_cache_ra_unbounded(file, mapping, index, min(nr, (unsigned long)RA_PAGES_MAX * 16));
	return 0;
}

/* Reads the window in ra, whose second half is marked. */
static void submit_window(struct address_space *mapping, struct file_ra_state *ra, struct file *file)
{
	unsigned long nr = within_file(mapping, ra->start, ra->size);

	if (nr)
		do_readahead(file, mapping, ra->start, nr, ra->start + ra->size - ra->async_size);
}

/* The page at index is missing and wanted now. */
void page_cache_sync_readahead(struct address_space *mapping, struct file_ra_state *ra, struct file *file, pgoff_t index,
			       unsigned long req_count)
{
	bool in_order = !index || index == (pgoff_t)(ra->prev_pos >> PAGE_SHIFT) + !offset_in_page(ra->prev_pos) ||
			index == ra->start + ra->size;
	bool thrashed = index >= ra->start && index < ra->start + ra->size;	/* read before, gone since */
	unsigned int limit = thrashed ? max(ra->size / 2, RA_PAGES_START) : ra->ra_pages;

	if (!ra->ra_pages || !mapping->a_ops->readahead)
		return;
	if (file && (file->f_mode & FMODE_RANDOM)) {
		force_page_cache_readahead(mapping, file, index, req_count);
		return;
	}
	ra->start = index;
	ra->size = clamp((unsigned int)min(req_count, (unsigned long)limit), min(RA_PAGES_START, limit), limit);
	if (!in_order)
		ra->size = min_t(unsigned long, req_count, limit);
	ra->async_size = in_order ? ra->size / 2 : 0;
	submit_window(mapping, ra, file);
}

/* A fault wants the page at index, which is missing: reads around it. */
void page_cache_read_around(struct address_space *mapping, struct file_ra_state *ra, struct file *file, pgoff_t index)
{
	if (!ra->ra_pages || !mapping->a_ops->readahead || file->f_mode & FMODE_RANDOM)
		return;
	if (ra->mmap_miss < MANY_MISSES * 10)
		ra->mmap_miss++;
	if (ra->mmap_miss > MANY_MISSES)
		return;
	ra->start = index - min(index, (pgoff_t)ra->ra_pages / 2);
	ra->size = ra->ra_pages;
	ra->async_size = ra->ra_pages / 4;
	submit_window(mapping, ra, file);
}

/* A marked page is being read: the next window, twice as large. */
void page_cache_async_readahead(struct address_space *mapping, struct file_ra_state *ra, struct file *file,
				struct page *page, pgoff_t index, unsigned long req_count)
{
	if (!ra->ra_pages || PageWriteback(page) || !TestClearPageReadahead(page))
		return;
	ra->start = max(index + 1, ra->start + ra->size);
	ra->size = clamp(ra->size * 2, RA_PAGES_START, ra->ra_pages);
	ra->async_size = ra->size;
	submit_window(mapping, ra, file);
}

/* ---- hints ---- */

/* 0 or -EINVAL.  A file without contents of its own in the cache takes all hints and does nothing. */
long generic_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	struct address_space *mapping = file->f_mapping;
	loff_t end = len && (u64)offset + len <= (u64)MAX_LFS_FILESIZE ? offset + len - 1 : MAX_LFS_FILESIZE;
	pgoff_t first = offset >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	if (S_ISFIFO(file_inode(file)->i_mode))
		return -ESPIPE;
	if (!mapping || len < 0)
		return -EINVAL;
	switch (advice) {
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_SEQUENTIAL:
	case POSIX_FADV_RANDOM:
		file->f_ra.ra_pages = advice == POSIX_FADV_SEQUENTIAL ? RA_PAGES_MAX * 2 : RA_PAGES_MAX;
		spin_lock(&file->f_lock);
		if (advice == POSIX_FADV_RANDOM)
			file->f_mode |= FMODE_RANDOM;
		else
			file->f_mode &= ~FMODE_RANDOM;
		spin_unlock(&file->f_lock);
		return 0;
	case POSIX_FADV_WILLNEED:
		force_page_cache_readahead(mapping, file, first, last - first + 1);
		return 0;
	case POSIX_FADV_NOREUSE:
		return 0;
	case POSIX_FADV_DONTNEED:
		if (mapping_unevictable(mapping))
			return 0;
		filemap_flush(mapping);
		first = page_last_index(offset);
		if (offset_in_page(end + 1) && end != i_size_read(mapping->host) - 1) {
			if (!last)
				return 0;
			last--;			/* a page that is only partly meant stays */
		}
		if (first <= last)
			invalidate_mapping_pages(mapping, first, last);
		return 0;
	default:
		return -EINVAL;
	}
}

long vfs_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	return file->f_op->fadvise ? file->f_op->fadvise(file, offset, len, advice) :
				     generic_fadvise(file, offset, len, advice);
}

long sys_fadvise64(int fd, loff_t offset, size_t len, int advice)
{
	struct fd f = fdget(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = vfs_fadvise(f.file, offset, len, advice);
	fdput(f);
	return ret;
}

long sys_readahead(int fd, loff_t offset, size_t count)
{
	struct fd f = fdget(fd);
	long ret = -EBADF;

	if (!f.file)
		return ret;
	if (f.file->f_mode & FMODE_READ) {
		ret = -EINVAL;
		if (f.file->f_mapping && f.file->f_mapping->a_ops && S_ISREG(file_inode(f.file)->i_mode))
			ret = generic_fadvise(f.file, offset, count, POSIX_FADV_WILLNEED);
	}
	fdput(f);
	return ret;
}
