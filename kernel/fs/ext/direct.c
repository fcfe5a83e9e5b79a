/*
 * direct.c: O_DIRECT.
 *
 * Idea:    in the order of write-back: blocks that still read as zeroes, then the data, then one handle for each run that
 *          marks it as written and raises the size on disk.  A block that is only partly written and holds nothing yet, and
 *          holes of files that map by block, go through the cache.
 * Locking: i_rwsem and invalidate_lock, held for writing by the caller of prepare and finish; no page of the range exists.
 * See:     kernel/fs/direct-io.c; writeback.c
 */
#include <weft/direct_io.h>
#include <weft/err.h>
#include <weft/uio.h>
#include "ext.h"

/* Every block of the range has a place: flags that all have in common.  0: there is a hole.  -errno. */
static int common_flags(struct inode *inode, loff_t pos, size_t len)
{
	u64 lblk = (u64)pos >> inode->i_blkbits, end = blocks_of(inode->i_sb, (u64)pos + len);
	int flags = EXT_MAP_MAPPED;

	while (lblk < end) {
		struct ext_map map = { .lblk = (ext_lblk_t)lblk, .len = (u32)(end - lblk) };
		int err = ext_map_lookup(inode, &map);

		if (err)
			return err;
		if (!map.flags)
			return 0;
		flags |= map.flags;
		lblk += map.len;
	}
	return flags;
}

static int prepare_write(struct inode *inode, loff_t pos, size_t len)
{
	int flags = common_flags(inode, pos, len);

	if (flags < 0)
		return flags;
	if (flags == EXT_MAP_MAPPED)
		return pos + (loff_t)len > EXT_I(inode)->disksize;
	if (!is_extents(inode) || (pos | (loff_t)len) & (i_blocksize(inode) - 1))
		return -ENOTBLK;
	return flags ? 1 : ext_allocate_unwritten(inode, pos, (loff_t)len) ?: 1;
}

/* One run of the map: written, and within the file.  The block behind it, or -errno. */
static s64 finish_run(struct inode *inode, ext_lblk_t lblk, u64 end, loff_t size)
{
	struct ext_map map = { .lblk = lblk, .len = (u32)(end - lblk) };
	struct ext_inode *ei = EXT_I(inode);
	struct jbd_handle *handle;
	int err = ext_map_lookup(inode, &map);

	if (err)
		return err;
	size = min_t(loff_t, size, (loff_t)((u64)lblk + map.len) << inode->i_blkbits);
	if (!(map.flags & EXT_MAP_UNWRITTEN) && size <= ei->disksize)
		return (s64)lblk + map.len;
	handle = ext_start(inode->i_sb, CREDITS_MAP);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	if (map.flags & EXT_MAP_UNWRITTEN)
		err = ext_map_convert(handle, inode, lblk, map.len);
	if (!err) {
		down_write(&ei->data_sem);
		ei->disksize = max(ei->disksize, size);
		up_write(&ei->data_sem);
		err = ext_write_inode_to(handle, inode);
	}
	ext_note_change(handle, inode, true);
	ext_stop(inode->i_sb, handle);
	return err ? err : (s64)lblk + map.len;
}

static int finish_write(struct inode *inode, loff_t pos, size_t len)
{
	u64 end = blocks_of(inode->i_sb, (u64)pos + len);
	s64 lblk = pos >> inode->i_blkbits;
	loff_t size = pos + (loff_t)len;

	if (size > inode->i_size)
		i_size_write(inode, size);
	while (lblk >= 0 && (u64)lblk < end)
		lblk = finish_run(inode, (ext_lblk_t)lblk, end, size);
	atomic_inc(&EXT_I(inode)->map_seq);	/* write-back may remember it as unwritten */
	return lblk < 0 ? (int)lblk : 0;
}

static const struct dio_write_ops write_ops = { .prepare = prepare_write, .finish = finish_write };

static int get_block(struct inode *inode, sector_t iblock, unsigned int max, struct block_map *out, bool create)
{
	struct ext_map map = { .lblk = (ext_lblk_t)iblock, .len = max };
	int err = ext_map_lookup(inode, &map);

	*out = (struct block_map){ .bdev = inode->i_sb->s_bdev, .pblk = map.pblk, .len = map.len, .mapped = map.flags };
	return err;
}

ssize_t ext_direct_IO(struct kiocb *iocb, struct iov_iter *iter)
{
	return generic_direct_IO(iocb, iter, iov_iter_rw(iter) ? get_block : ext_get_block_to_read, &write_ops);
}
