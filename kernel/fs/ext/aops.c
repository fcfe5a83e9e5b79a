/*
 * aops.c: pages of files: reading them, and what a write into one has to prepare.
 *
 * Idea:    a write into a hole only promises blocks (delayed allocation): how many there are left is counted, where they
 *          will lie is decided when the pages are written back, many at once.  page->private knows for each block of the
 *          page: promised (bits 0-7), or known to have a place (bits 8-15).  A page with such bits has PG_private and one
 *          reference more.
 * Locking: page lock to add promises; write-back turns promises into places under PG_writeback, so the bits are atomic.
 * See:     writeback.c; ext.h
 */
#include <weft/err.h>
#include <weft/highmem.h>
#include <weft/mpage.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include "inline.h"

#define PLACED		8			/* first bit of the second kind */

static unsigned int blocks_per_page(const struct inode *inode)
{
	return PAGE_SIZE >> inode->i_blkbits;
}

bool ext_block_promised(const struct page *page, unsigned int block)
{
	return PagePrivate(page) && page->private & 1ul << block;
}

/* Page locked. */
static void set_page_bit(struct page *page, unsigned int bit)
{
	if (!PagePrivate(page)) {
		page->private = 0;
		get_page(page);
		SetPagePrivate(page);
	}
	set_bit(bit, &page->private);
}

static void drop_promise(struct page *page, unsigned int block)
{
	struct inode *inode = page->mapping->host;

	if (!test_and_clear_bit(block, &page->private))
		return;
	ext_unreserve(EXT_FS(inode->i_sb), 1);
	atomic_dec(&EXT_I(inode)->delayed);
}

void ext_block_written(struct page *page, unsigned int block, bool placed)
{
	if (placed)
		set_bit(block + PLACED, &page->private);
	if (test_and_clear_bit(block, &page->private))
		atomic_dec(&EXT_I(page->mapping->host)->delayed);	/* the claim took the promise itself back */
}

void ext_block_lost(struct page *page, unsigned int block)
{
	drop_promise(page, block);
}

static void ext_invalidatepage(struct page *page, unsigned int offset, unsigned int length)
{
	const struct inode *inode = page->mapping->host;

	for (unsigned int i = 0; i < blocks_per_page(inode); i++) {
		unsigned int from = i << inode->i_blkbits;

		if (from < offset || from + i_blocksize(inode) > offset + length)
			continue;
		drop_promise(page, i);
		clear_bit(i + PLACED, &page->private);
	}
	if (!offset && length == PAGE_SIZE) {
		ClearPagePrivate(page);
		put_page(page);
	}
}

/* A clean page goes: promises are left only where a write failed after it had got them. */
static int ext_releasepage(struct page *page, gfp_t gfp)
{
	if (PageDirty(page) || PageWriteback(page))
		return 0;
	for (unsigned int i = 0; i < blocks_per_page(page->mapping->host); i++)
		drop_promise(page, i);
	ClearPagePrivate(page);
	put_page(page);
	return 1;
}

/* ---- reading ---- */

/* For mpage: unwritten blocks read as a hole does. */
int ext_get_block_to_read(struct inode *inode, sector_t iblock, unsigned int max, struct block_map *out, bool create)
{
	struct ext_map map = { .lblk = (ext_lblk_t)iblock, .len = max };
	int err;

	if (iblock > EXT_MAX_LBLK)
		return -EFBIG;
	err = ext_map_lookup(inode, &map);
	*out = (struct block_map){
		.bdev = inode->i_sb->s_bdev, .pblk = map.pblk, .len = map.len, .mapped = map.flags == EXT_MAP_MAPPED,
	};
	return err == -EFBIG ? 0 : err;
}

static int ext_readpage(struct file *file, struct page *page)
{
	struct inode *inode = page->mapping->host;

	if (ext_has_inline(inode))
		return ext_inline_readpage(inode, page);
	if (ext_journals_data(inode))
		return ext_jdata_readpage(inode, page);
	return mpage_readpage(page, ext_get_block_to_read);
}

static void ext_readahead(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	struct page *page;

	if (ext_has_inline(inode))
		return;				/* readpage() will be asked */
	while (ext_journals_data(inode) && (page = readahead_page(rac))) {
		ext_jdata_readpage(inode, page);
		put_page(page);
	}
	mpage_readahead(rac, ext_get_block_to_read);
}

static sector_t ext_bmap(struct address_space *mapping, sector_t block)
{
	/* Who asks means to read the device: what was logged must be in its place. */
	if (ext_journals_data(mapping->host) &&
	    (filemap_write_and_wait(mapping) || jbd_settle(EXT_FS(mapping->host->i_sb)->journal)))
		return 0;
	return mpage_bmap(mapping, block, ext_get_block_to_read);
}

/* ---- preparing to write ---- */

/* One block of a locked page: promised, unless it has a place or a promise. */
static int prepare_block(struct page *page, unsigned int block)
{
	struct inode *inode = page->mapping->host;
	struct ext_map map = { .lblk = (ext_lblk_t)((u64)page->index << (PAGE_SHIFT - inode->i_blkbits)) + block, .len = 1 };
	int err;

	if (PagePrivate(page) && page->private & (1ul << block | 1ul << (block + PLACED)))
		return 0;
	err = ext_map_lookup(inode, &map);
	if (err)
		return err;
	if (map.flags) {
		set_page_bit(page, block + PLACED);
		return 0;
	}
	err = ext_reserve(EXT_FS(inode->i_sb), 1);
	if (err)
		return err;
	atomic_inc(&EXT_I(inode)->delayed);
	set_page_bit(page, block);
	return 0;
}

/* Bytes [from, to) of a locked page will be written. */
static int prepare_range(struct page *page, unsigned int from, unsigned int to)
{
	unsigned int bits = page->mapping->host->i_blkbits;
	int err = 0;

	for (unsigned int i = from >> bits; i << bits < to && !err; i++)
		err = prepare_block(page, i);
	return err;
}

/* Locked and up to date, or NULL: it left the file meanwhile; ERR_PTR.  The reference goes if it is not returned. */
static struct page *fill_page(struct inode *inode, struct page *page)
{
	int err;

	if (PageUptodate(page))
		return page;
	if (page_offset(page) >= i_size_read(inode)) {
		zero_user_segment(page, 0, PAGE_SIZE);
		SetPageUptodate(page);
		return page;
	}
	err = ext_readpage(NULL, page);
	lock_page(page);			/* once it is read */
	if (!err && page->mapping == inode->i_mapping && PageUptodate(page))
		return page;
	if (page->mapping == inode->i_mapping)
		err = err ?: -EIO;
	unlock_page(page);
	put_page(page);
	return err ? ERR_PTR(err) : NULL;
}

static int ext_write_begin(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			   struct page **pagep, void **fsdata)
{
	struct inode *inode = mapping->host;
	struct page *page;
	int err;

	if ((u64)pos + len > ext_max_size(inode))
		return -EFBIG;
	err = ext_inline_make_room(inode, pos + len, false);
	if (err)
		return err;
	do {
		page = grab_cache_page_write_begin(mapping, pos >> PAGE_SHIFT);
		if (!page)
			return -ENOMEM;
		if (len < PAGE_SIZE)
			page = fill_page(inode, page);
		if (IS_ERR(page))
			return PTR_ERR(page);
	} while (!page);
	if (!ext_has_inline(inode))		/* page 0 is locked: it stays so */
		err = prepare_range(page, offset_in_page(pos), offset_in_page(pos) + len);
	if (err) {
		unlock_page(page);
		put_page(page);
		return err;
	}
	*pagep = page;
	return 0;
}

/* The size on disk follows when the data are there: writeback.c. */
static int ext_write_end(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			 unsigned int copied, struct page *page, void *fsdata)
{
	struct inode *inode = mapping->host;
	int err = 0;

	if (!PageUptodate(page)) {		/* a whole page was to come, and what it held was not read */
		if (copied == PAGE_SIZE)
			SetPageUptodate(page);
		else
			copied = 0;
	}
	if (copied && ext_has_inline(inode)) {
		err = ext_inline_write_end(inode, page, pos, copied);
		if (err == -ENOSPC && !ext_has_inline(inode))
			err = prepare_range(page, offset_in_page(pos), offset_in_page(pos) + copied);
	}
	if (copied && !err && ext_journals_data(inode) && !ext_has_inline(inode)) {
		unsigned int from = offset_in_page(pos);
		loff_t size;

		err = ext_jdata_log(page, from, from + copied, pos + copied);
		size = min_t(loff_t, EXT_I(inode)->disksize, pos + copied);
		if (size > inode->i_size)
			i_size_write(inode, size);
	} else if (copied && !err && !ext_has_inline(inode)) {
		if (pos + copied > i_size_read(inode))
			i_size_write(inode, pos + copied);
		set_page_dirty(page);
	}
	unlock_page(page);
	put_page(page);
	return err ?: (int)copied;
}

/* The first write through a mapping. */
vm_fault_t ext_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct page *page = vmf->page;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	loff_t left;

	file_update_time(vmf->vma->vm_file);
	filemap_invalidate_lock_shared(inode->i_mapping);
	lock_page(page);
	left = i_size_read(inode) - page_offset(page);
	if (page->mapping == inode->i_mapping && left > 0) {
		int err = ext_inline_to_blocks(inode, page);

		if (!err)
			err = prepare_range(page, 0, (unsigned int)min_t(loff_t, left, PAGE_SIZE));
		ret = err ? VM_FAULT_SIGBUS : VM_FAULT_LOCKED;
	}
	if (ret == VM_FAULT_LOCKED)
		set_page_dirty(page);
	else
		unlock_page(page);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return ret;
}

/*
 * Bytes [from, to) of one block read as zeroes from now on, on disk as well.  i_rwsem held.  What lies behind the end of the
 * file in its last block must not come to light when the file grows.
 */
int ext_zero_range_in_page(struct inode *inode, loff_t from, loff_t to)
{
	unsigned int start = offset_in_page(from), block = start >> inode->i_blkbits;
	struct ext_map map = { .lblk = (ext_lblk_t)(from >> inode->i_blkbits), .len = 1 };
	struct page *page;
	int err = 0;

	if (from >= to || !S_ISREG(inode->i_mode) || ext_has_inline(inode))
		return 0;			/* inline: the page has zeroes there */
	page = read_mapping_page(inode->i_mapping, from >> PAGE_SHIFT, NULL);
	if (IS_ERR(page))
		return PTR_ERR(page);
	lock_page(page);
	if (page->mapping != inode->i_mapping)
		goto out;
	wait_on_page_writeback(page);
	zero_user_segment(page, start, start + (unsigned int)(to - from));
	if (!ext_block_promised(page, block))
		err = ext_map_lookup(inode, &map);
	if (!err && (ext_block_promised(page, block) || map.flags == EXT_MAP_MAPPED)) {
		if (!ext_block_promised(page, block))
			set_page_bit(page, block + PLACED);
		set_page_dirty(page);
	}
out:
	unlock_page(page);
	put_page(page);
	return err == -EFBIG ? 0 : err;
}

const struct address_space_operations ext_aops = {
	.readpage	= ext_readpage,
	.readahead	= ext_readahead,
	.writepages	= ext_writepages,
	.write_begin	= ext_write_begin,
	.write_end	= ext_write_end,
	.bmap		= ext_bmap,
	.invalidatepage	= ext_invalidatepage,
	.releasepage	= ext_releasepage,
	.direct_IO	= ext_direct_IO,
};
