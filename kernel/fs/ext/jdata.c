/*
 * jdata.c: files whose data go through the journal: mount option data=journal, or the file's own attribute (chattr +j).
 *
 * Idea:    a write copies its blocks into the device's buffers, in one handle with the places they need.  So data and what
 *          leads to them last together, and in the order in which programs wrote: what is there after a crash is all that
 *          came before it, too.  The page is clean after that.  Only mappings and zeroed edges make pages dirty; write-back
 *          does with those what a write does.
 *          Until a buffer is in its place, the place holds old contents: reading prefers such a buffer.  There is no O_DIRECT.
 * Locking: the page's lock, then the handle.  The attribute changes under i_rwsem and invalidate_lock, while no page is dirty;
 *          when it goes, all that was logged is brought to its place first: nobody may write there past the journal before.
 * See:     aops.c, writeback.c; kernel/fs/jbd; "Journaling" in ext4(5)
 */
#include <weft/bio.h>
#include <weft/blkdev.h>
#include <weft/err.h>
#include <weft/highmem.h>
#include <weft/mpage.h>
#include <weft/pagemap.h>
#include "ext.h"

static ext_lblk_t block_of(const struct page *page, unsigned int block)
{
	return (ext_lblk_t)((u64)page->index << (PAGE_SHIFT - page->mapping->host->i_blkbits)) + block;
}

/* ---- writing ---- */

/* Where a block of the page lies; one that was only promised gets its place now.  0 or -errno; map->flags 0: a hole. */
static int find_place(struct page *page, unsigned int block, struct ext_map *map)
{
	struct inode *inode = page->mapping->host;
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	int err = 0;

	*map = (struct ext_map){ .lblk = block_of(page, block), .len = 1 };
	if (!ext_block_promised(page, block)) {
		err = ext_map_lookup(inode, map);
		return err == -EFBIG ? 0 : err;
	}
	map->pblk = ext_claim_blocks(fs, ext_map_goal(inode, map->lblk), &map->len, true, &err);
	if (!map->pblk) {
		ext_block_lost(page, block);
		return err;
	}
	map->flags = EXT_MAP_MAPPED;
	return 0;
}

/* As part of the handle: the block is the file's, and holds data. */
static int enter_block(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map, bool fresh)
{
	int err;

	if (map->flags & EXT_MAP_UNWRITTEN)
		return ext_map_convert(handle, inode, map->lblk, 1);
	if (!fresh)
		return 0;
	err = ext_commit_blocks(handle, EXT_FS(inode->i_sb), map->pblk, 1);
	return err ?: ext_map_insert(handle, inode, map);
}

/* The block's contents become part of the transaction. */
static int log_contents(struct jbd_handle *handle, struct page *page, unsigned int block, ext_pblk_t pblk)
{
	struct inode *inode = page->mapping->host;
	struct buffer_head *bh = sb_getblk(inode->i_sb, pblk);
	int err;

	if (!bh)
		return -ENOMEM;
	err = ext_access_new(handle, bh);
	if (!err) {
		memcpy(bh->b_data, (char *)page_address(page) + (block << inode->i_blkbits), bh->b_size);
		err = ext_dirty(handle, bh);
	}
	brelse(bh);
	return err;
}

/*
 * The disk is told how long the file is, as far as its blocks have come.  `size`: what a write makes of it.  A truncation sets
 * i_size first: who asks for that under the lock does not raise again what has just been lowered.
 */
static void raise_disksize(struct inode *inode, ext_lblk_t lblk, loff_t size)
{
	struct ext_inode *ei = EXT_I(inode);

	down_write(&ei->data_sem);
	size = min_t(loff_t, max_t(loff_t, size, i_size_read(inode)), (loff_t)((u64)lblk + 1) << inode->i_blkbits);
	ei->disksize = max_t(loff_t, ei->disksize, size);
	up_write(&ei->data_sem);
}

static int log_block(struct page *page, unsigned int block, loff_t size)
{
	struct inode *inode = page->mapping->host;
	bool fresh = ext_block_promised(page, block);
	struct jbd_handle *handle;
	struct ext_map map;
	int err = find_place(page, block, &map);

	if (err || !map.flags)
		return err;
	handle = ext_start(inode->i_sb, CREDITS_MAP + CREDITS_INODE + 1);
	err = PTR_ERR_OR_ZERO(handle);
	if (!err) {
		err = enter_block(handle, inode, &map, fresh) ?: log_contents(handle, page, block, map.pblk);
		if (!err)
			raise_disksize(inode, map.lblk, size);
		err = err ?: ext_write_inode_to(handle, inode);
		ext_note_change(handle, inode, true);
		ext_std_error(inode->i_sb, err);
		ext_stop(inode->i_sb, handle);
	} else if (fresh) {
		ext_unclaim_blocks(EXT_FS(inode->i_sb), map.pblk, 1);
	}
	if (fresh)
		ext_block_written(page, block, !err);
	return err;
}

/*
 * Bytes [from, to) of a page that is locked and up to date; blocks that nobody wrote to are left out.  `size`: as
 * raise_disksize() has it.
 */
int ext_jdata_log(struct page *page, unsigned int from, unsigned int to, loff_t size)
{
	unsigned int bits = page->mapping->host->i_blkbits;
	int err = 0;

	for (unsigned int b = from >> bits; b << bits < to && !err; b++)
		err = log_block(page, b, size);
	return err;
}

/* ---- reading ---- */

/* The buffer of a block that is not in its place yet, with a reference; or NULL. */
static struct buffer_head *find_pending(struct inode *inode, ext_lblk_t lblk)
{
	struct ext_map map = { .lblk = lblk, .len = 1 };
	struct buffer_head *bh;

	if (ext_map_lookup(inode, &map) || map.flags != EXT_MAP_MAPPED)
		return NULL;
	bh = sb_find_get_block(inode->i_sb, map.pblk);
	if (bh && buffer_uptodate(bh) && (READ_ONCE(bh->b_private) || buffer_dirty(bh) || buffer_locked(bh)))
		return bh;
	brelse(bh);
	return NULL;
}

/* One block from its place. */
static int read_block(struct inode *inode, struct page *page, unsigned int block)
{
	struct ext_map map = { .lblk = block_of(page, block), .len = 1 };
	unsigned int at = block << inode->i_blkbits;
	int err = ext_map_lookup(inode, &map);
	struct bio *bio;

	if (err || map.flags != EXT_MAP_MAPPED) {
		zero_user_segment(page, at, at + i_blocksize(inode));
		return err == -EFBIG ? 0 : err;
	}
	bio = bio_alloc(inode->i_sb->s_bdev, 1, REQ_OP_READ, GFP_NOFS);
	bio->bi_sector = map.pblk << (inode->i_blkbits - SECTOR_SHIFT);
	bio_add_page(bio, page, i_blocksize(inode), at);
	err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

/* Each block from its buffer or from its place. */
static int read_mixed(struct inode *inode, struct page *page, struct buffer_head **pending, unsigned int blocks)
{
	int err = 0;

	for (unsigned int b = 0; b < blocks && !err; b++) {
		if (pending[b])
			memcpy((char *)page_address(page) + (b << inode->i_blkbits), pending[b]->b_data, i_blocksize(inode));
		else
			err = read_block(inode, page, b);
	}
	if (err)
		SetPageError(page);
	else
		SetPageUptodate(page);
	unlock_page(page);
	return err;
}

/* The page is locked: nobody logs its blocks meanwhile.  Unlocks it, perhaps later. */
int ext_jdata_readpage(struct inode *inode, struct page *page)
{
	struct buffer_head *pending[PAGE_SIZE / SECTOR_SIZE] = { };
	unsigned int blocks = PAGE_SIZE >> inode->i_blkbits;
	bool any = false;
	int err;

	for (unsigned int b = 0; b < blocks; b++) {
		pending[b] = find_pending(inode, block_of(page, b));
		any |= pending[b] != NULL;
	}
	if (!any)
		return mpage_readpage(page, ext_get_block_to_read);
	err = read_mixed(inode, page, pending, blocks);
	for (unsigned int b = 0; b < blocks; b++)
		brelse(pending[b]);
	return err;
}

/* ---- chattr ---- */

/* i_rwsem held.  The file's data go through the journal from now on, or no longer. */
int ext_jdata_set(struct inode *inode, bool on)
{
	struct ext_inode *ei = EXT_I(inode);
	struct journal *j = EXT_FS(inode->i_sb)->journal;
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	err = filemap_write_and_wait(inode->i_mapping);
	if (!err && !on && j)
		err = jbd_settle(j);
	if (!err) {
		down_write(&ei->data_sem);
		ei->flags = (ei->flags & ~EXT_JOURNAL_DATA_FL) | (on ? EXT_JOURNAL_DATA_FL : 0);
		up_write(&ei->data_sem);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}
