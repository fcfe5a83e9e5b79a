/*
 * inline.c: files whose data lie in the inode itself.
 *
 * Idea:    60 bytes stand where the block map would be, the rest is the value of an attribute that nobody sees ("data" of an
 *          index of its own) and that must lie in the inode as well.  A write goes there at once, in a handle: the page in
 *          the cache is only a copy, and never dirty.
 *          What becomes too large, is mapped to be written, or is to have its blocks arranged, gets a block first: the data
 *          are written there and waited for, then one handle drops them here and enters the block.  So a crash shows one or
 *          the other.  There is no way back.
 * Locking: the lock of page 0: as long as it is held, the data stay where they are.  data_sem for the flag and i_block.
 * See:     inline_dir.c for directories; xattr.c; ext_disk.h
 */
#include <weft/bio.h>
#include <weft/blkdev.h>
#include <weft/err.h>
#include <weft/fiemap.h>
#include <weft/highmem.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include "inline.h"

/* How many bytes the inode could hold; 0: none, there is no room for the attribute. */
u32 ext_inline_room(struct inode *inode)
{
	int more = ext_xattr_room(inode, EXT_XATTR_SYSTEM, EXT_INLINE_NAME);

	return more < 0 ? 0 : EXT_INLINE_MIN + (u32)more;
}

/* The first `size` bytes; what was never written reads as zeroes. */
int ext_inline_read(struct inode *inode, void *buf, size_t size)
{
	struct ext_inode *ei = EXT_I(inode);
	size_t head = min_t(size_t, size, EXT_INLINE_MIN), room = EXT_FS(inode->i_sb)->inode_size;
	char *value;
	int len;

	memcpy(buf, ei->data, head);
	memset((char *)buf + head, 0, size - head);
	if (size <= EXT_INLINE_MIN)
		return 0;
	value = kmalloc(room, GFP_NOFS);
	if (!value)
		return -ENOMEM;
	len = ext_xattr_get(inode, EXT_XATTR_SYSTEM, EXT_INLINE_NAME, value, room);
	if (len > 0)
		memcpy((char *)buf + head, value, min_t(size_t, (size_t)len, size - head));
	kfree(value);
	return len == -ENODATA ? 0 : min(len, 0);
}

/* All of it anew, in a handle; the inode is not written.  -ENOSPC: it does not fit. */
int ext_inline_store(struct jbd_handle *handle, struct inode *inode, const void *data, size_t size)
{
	struct ext_inode *ei = EXT_I(inode);
	size_t head = min_t(size_t, size, EXT_INLINE_MIN);
	int err;

	if (size > ext_inline_room(inode))
		return -ENOSPC;
	err = ext_xattr_set_in(handle, inode, EXT_XATTR_SYSTEM, EXT_INLINE_NAME, (const char *)data + head, size - head, 0);
	if (err)
		return err;
	down_write(&ei->data_sem);
	memcpy(ei->data, data, head);
	memset((char *)ei->data + head, 0, EXT_INLINE_MIN - head);
	up_write(&ei->data_sem);
	return 0;
}

/* A new inode, not written yet, begins without blocks, if there is room.  True if so. */
bool ext_inline_init(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_inode *ei = EXT_I(inode);

	if (!has_incompat(EXT_FS(inode->i_sb), INCOMPAT_INLINE_DATA) || !ext_inline_room(inode) ||
	    ext_xattr_set_in(handle, inode, EXT_XATTR_SYSTEM, EXT_INLINE_NAME, "", 0, 0))
		return false;
	ei->flags = (ei->flags & ~EXT_EXTENTS_FL) | EXT_INLINE_DATA_FL;
	memset(ei->data, 0, sizeof(ei->data));
	return true;
}

/* From here on the inode has a map, which is empty. */
int ext_inline_drop(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_inode *ei = EXT_I(inode);
	int err = ext_xattr_set_in(handle, inode, EXT_XATTR_SYSTEM, EXT_INLINE_NAME, NULL, 0, 0);

	if (err && err != -ENODATA)
		return err;
	down_write(&ei->data_sem);
	ei->flags &= ~EXT_INLINE_DATA_FL;
	memset(ei->data, 0, sizeof(ei->data));
	if (has_incompat(EXT_FS(inode->i_sb), INCOMPAT_EXTENTS))
		ext_ext_init(inode);
	up_write(&ei->data_sem);
	return 0;
}

/* ---- to a block ---- */

static int write_first_block(struct inode *inode, struct page *page, ext_pblk_t pblk)
{
	struct bio *bio = bio_alloc(inode->i_sb->s_bdev, 1, REQ_OP_WRITE, GFP_NOFS);
	int err;

	bio->bi_sector = pblk << (inode->i_blkbits - SECTOR_SHIFT);
	bio_add_page(bio, page, i_blocksize(inode), 0);
	err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

/* Drops the inline data and enters the block that holds them now, or none. */
static int enter_block(struct inode *inode, const struct ext_map *map)
{
	struct super_block *sb = inode->i_sb;
	struct jbd_handle *handle = ext_start(sb, CREDITS_MAP + CREDITS_XATTR);
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	err = ext_inline_drop(handle, inode);
	if (!err && map->pblk)
		err = ext_commit_blocks(handle, EXT_FS(sb), map->pblk, 1) ?: ext_map_insert(handle, inode, map);
	if (!err)
		err = ext_write_inode_to(handle, inode);
	ext_note_change(handle, inode, true);
	ext_std_error(sb, err);
	ext_stop(sb, handle);
	return err;
}

/* Page 0, locked and up to date.  Afterwards the file has blocks. */
int ext_inline_to_blocks(struct inode *inode, struct page *page)
{
	struct ext_map map = { .lblk = 0, .len = 1, .flags = EXT_MAP_MAPPED };
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	int err = 0;

	if (!ext_has_inline(inode))
		return 0;
	if (inode->i_size) {
		map.pblk = ext_claim_blocks(fs, ext_inode_goal(inode), &map.len, false, &err);
		if (!map.pblk)
			return err;
		err = write_first_block(inode, page, map.pblk);
	}
	if (!err)
		err = enter_block(inode, &map);
	if (err && map.pblk)
		ext_unclaim_blocks(fs, map.pblk, 1);
	return err;
}

/* Locked and up to date; ERR_PTR. */
static struct page *lock_first_page(struct inode *inode)
{
	for (;;) {
		struct page *page = read_mapping_page(inode->i_mapping, 0, NULL);

		if (IS_ERR(page))
			return page;
		lock_page(page);
		if (page->mapping == inode->i_mapping)
			return page;
		unlock_page(page);
		put_page(page);
	}
}

/* If it is to hold more than `size` bytes, or forced to. */
int ext_inline_make_room(struct inode *inode, loff_t size, bool force)
{
	struct page *page;
	int err;

	if (!ext_has_inline(inode) || (!force && size <= (loff_t)ext_inline_room(inode)))
		return 0;
	page = lock_first_page(inode);
	if (IS_ERR(page))
		return PTR_ERR(page);
	err = ext_inline_to_blocks(inode, page);
	unlock_page(page);
	put_page(page);
	return err;
}

/* ---- what the VFS calls ---- */

/* Unlocks the page. */
int ext_inline_readpage(struct inode *inode, struct page *page)
{
	size_t size = page->index ? 0 : min_t(size_t, (size_t)i_size_read(inode), PAGE_SIZE);
	int err = ext_inline_read(inode, page_address(page), size);

	if (!err) {
		zero_user_segment(page, (unsigned int)size, PAGE_SIZE);
		SetPageUptodate(page);
	}
	unlock_page(page);
	return err;
}

/* Page 0, locked: its first `size` bytes are the file's contents from now on. */
static int store_page(struct inode *inode, struct page *page, loff_t size)
{
	struct jbd_handle *handle = ext_start(inode->i_sb, CREDITS_XATTR + CREDITS_INODE);
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	err = ext_inline_store(handle, inode, page_address(page), (size_t)size);
	if (!err) {
		i_size_write(inode, size);
		EXT_I(inode)->disksize = size;
		err = ext_write_inode_to(handle, inode);
	}
	ext_note_change(handle, inode, true);
	ext_stop(inode->i_sb, handle);
	return err;
}

/* `copied` bytes at pos have come into the page.  0; -ENOSPC: it has blocks now, in which they must be put; -errno. */
int ext_inline_write_end(struct inode *inode, struct page *page, loff_t pos, unsigned int copied)
{
	int err = store_page(inode, page, max_t(loff_t, inode->i_size, pos + copied));

	if (err != -ENOSPC)
		return err;
	return ext_inline_to_blocks(inode, page) ?: -ENOSPC;	/* attributes have taken the room meanwhile */
}

/* i_rwsem held.  1: it has blocks, perhaps since now; 0 or -errno. */
int ext_inline_set_size(struct inode *inode, loff_t size)
{
	struct page *page;
	int err = ext_inline_make_room(inode, size, false);

	if (err || !ext_has_inline(inode))
		return err ?: 1;
	page = lock_first_page(inode);
	if (IS_ERR(page))
		return PTR_ERR(page);
	err = 1;
	if (ext_has_inline(inode)) {
		zero_user_segment(page, (unsigned int)min(size, inode->i_size), PAGE_SIZE);
		err = store_page(inode, page, size);
		if (err == -ENOSPC)
			err = ext_inline_to_blocks(inode, page) ?: 1;
	}
	unlock_page(page);
	put_page(page);
	return err;
}

int ext_inline_fiemap(struct inode *inode, struct fiemap_extent_info *info)
{
	struct ext_raw_inode *raw;
	struct buffer_head *bh;
	u64 place;

	if (!inode->i_size)
		return 0;
	bh = ext_raw_inode(inode, &raw);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	place = ((u64)bh->b_blocknr << inode->i_blkbits) + (u64)((char *)raw->i_block - bh->b_data);
	brelse(bh);
	return min(fiemap_fill_next_extent(info, 0, place, (u64)inode->i_size,
					   FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_LAST), 0);
}
