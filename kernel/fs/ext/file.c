/*
 * file.c: regular files: writing, fsync, fallocate, holes.
 *
 * Locking: i_rwsem: writing to change size or blocks; invalidate_lock around holes; data_sem for the tree (map.c).
 * See:     aops.c, writeback.c for the pages; map.c
 */
#include <weft/blkdev.h>
#include <weft/direct_io.h>
#include <weft/err.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/splice.h>
#include <weft/uio.h>
#include <uapi/falloc.h>
#include "inline.h"

/* ---- reading and writing ---- */

/* What is read past the cache must not be truncated meanwhile. */
static ssize_t ext_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (ext_has_inline(inode) || ext_journals_data(inode))
		iocb->ki_flags &= ~IOCB_DIRECT;
	if (!(iocb->ki_flags & IOCB_DIRECT))
		return generic_file_read_iter(iocb, to);
	if (!(iocb->ki_flags & IOCB_NOWAIT))
		inode_lock_shared(inode);
	else if (!inode_trylock_shared(inode))
		return -EAGAIN;
	ret = generic_file_read_iter(iocb, to);
	inode_unlock_shared(inode);
	return ret;
}

static ssize_t ext_file_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t old;
	ssize_t ret;

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		inode_lock(inode);
	else if (!inode_trylock(inode))
		return -EAGAIN;
	if (iocb->ki_flags & IOCB_DIRECT && (ext_has_inline(inode) || ext_journals_data(inode))) {
		if (iocb->ki_flags & IOCB_NOWAIT) {	/* a write through the cache waits */
			inode_unlock(inode);
			return -EAGAIN;
		}
		iocb->ki_flags &= ~IOCB_DIRECT;
	}
	old = inode->i_size;
	ret = generic_write_checks(iocb, from);
	if (ret > 0 && iocb->ki_pos > old) {	/* the rest of the last block comes to light */
		int err = ext_zero_range_in_page(inode, old, round_up(old, i_blocksize(inode)));

		ret = err ? err : ret;
	}
	if (ret > 0) {
		loff_t pos = iocb->ki_pos;

		ret = __generic_file_write_iter(iocb, from);
		if (ret > 0 && pos > old)
			pagecache_isize_extended(inode, old, pos);
	}
	inode_unlock(inode);
	return generic_write_sync(iocb, ret);
}

/* ---- fsync ---- */

static int sync_without_journal(struct super_block *sb)
{
	int err = sync_blockdev(sb->s_bdev);

	return err ? err : blkdev_issue_flush(sb->s_bdev);
}

/* Data, then the transaction that leads to them.  When that has committed already, only the device's cache is left. */
int ext_sync_file(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	jbd_tid_t tid;
	int err = file_write_and_wait_range(file, start, end);

	if (err)
		return err;
	if (sb_rdonly(inode->i_sb))
		return test_bit(0, &fs->error_seen) ? -EROFS : 0;
	if (!fs->journal)
		return sync_without_journal(inode->i_sb);
	tid = datasync ? EXT_I(inode)->datasync_tid : EXT_I(inode)->sync_tid;
	if (tid && !jbd_tid_committed(fs->journal, tid))
		return jbd_commit_and_wait(fs->journal, tid);
	if (!S_ISREG(inode->i_mode))
		return 0;			/* nothing of it goes past the log */
	return fs->opt.nobarrier ? 0 : blkdev_issue_flush(inode->i_sb->s_bdev);
}

/* ---- fallocate ---- */

/* One run of a hole in [lblk, end) gets blocks that are not written yet.  The block behind it, or -errno. */
static s64 allocate_run(struct inode *inode, ext_lblk_t lblk, u64 end)
{
	struct ext_map map = { .lblk = lblk, .len = (u32)min(end - lblk, (u64)EXT_UNWRITTEN_MAX_LEN) };
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct jbd_handle *handle;
	int err = ext_map_lookup(inode, &map);

	if (err || map.flags)
		return err ? err : (s64)lblk + map.len;
	map.pblk = ext_claim_blocks(fs, ext_map_goal(inode, lblk), &map.len, false, &err);
	if (!map.pblk)
		return err;
	map.flags = EXT_MAP_MAPPED | EXT_MAP_UNWRITTEN;
	handle = ext_start(inode->i_sb, CREDITS_MAP);
	if (IS_ERR(handle)) {
		ext_unclaim_blocks(fs, map.pblk, map.len);
		return PTR_ERR(handle);
	}
	err = ext_commit_blocks(handle, fs, map.pblk, map.len);
	if (!err) {
		err = ext_map_insert(handle, inode, &map);
		if (err) {
			inode_add_bytes(inode, (loff_t)map.len << inode->i_blkbits);	/* taken off by freeing */
			ext_free_blocks(handle, inode, map.pblk, map.len, false);
		}
	}
	if (!err)
		err = ext_write_inode_to(handle, inode);
	ext_note_change(handle, inode, true);
	ext_stop(inode->i_sb, handle);
	return err ? err : (s64)lblk + map.len;
}

/* Only who is killed leaves off: programs do not expect EINTR of a file on a disk. */
int ext_allocate_unwritten(struct inode *inode, loff_t offset, loff_t len)
{
	u64 end = blocks_of(inode->i_sb, (u64)(offset + len));
	s64 lblk = offset >> inode->i_blkbits;

	while (lblk >= 0 && (u64)lblk < end) {
		lblk = fatal_signal_pending(current) ? -EINTR : allocate_run(inode, (ext_lblk_t)lblk, end);
		cond_resched();
	}
	atomic_inc(&EXT_I(inode)->map_seq);	/* write-back may know of a hole */
	return lblk < 0 ? (int)lblk : 0;
}

/*
 * Pages with delayed data get their places first: a run must not be entered twice.  The lock keeps mappings from promising
 * blocks to more of them meanwhile.
 */
static int allocate_range(struct inode *inode, loff_t offset, loff_t len)
{
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	err = filemap_write_and_wait_range(inode->i_mapping, offset & PAGE_MASK, (offset + len - 1) | ~PAGE_MASK);
	if (!err)
		err = ext_allocate_unwritten(inode, offset, len);
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

static int set_size_after(struct inode *inode, loff_t size)
{
	struct jbd_handle *handle;
	int err;

	if (size <= inode->i_size)
		return 0;
	err = ext_zero_range_in_page(inode, inode->i_size, round_up(inode->i_size, i_blocksize(inode)));
	handle = err ? ERR_PTR(err) : ext_start(inode->i_sb, CREDITS_INODE);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	down_write(&EXT_I(inode)->data_sem);
	EXT_I(inode)->disksize = size;
	up_write(&EXT_I(inode)->data_sem);
	i_size_write(inode, size);
	inode->i_mtime = inode->i_ctime = current_time(inode);
	err = ext_write_inode_to(handle, inode);
	ext_note_change(handle, inode, true);
	ext_stop(inode->i_sb, handle);
	return err;
}

static int touch(struct inode *inode)
{
	struct jbd_handle *handle = ext_start(inode->i_sb, CREDITS_INODE);
	int err;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	inode->i_mtime = inode->i_ctime = current_time(inode);
	err = ext_write_inode_to(handle, inode);
	ext_note_change(handle, inode, true);
	ext_stop(inode->i_sb, handle);
	return err;
}

/* Zeroes [start, end), which lie in one block. */
static int zero_edge(struct inode *inode, loff_t start, loff_t end)
{
	end = min_t(loff_t, end, round_up(inode->i_size, i_blocksize(inode)));
	return ext_zero_range_in_page(inode, start, end);
}

/* [offset, offset + len) becomes a hole: whole blocks go, the edges are zeroed.  i_rwsem held. */
static int punch_hole(struct inode *inode, loff_t offset, loff_t len)
{
	loff_t bs = i_blocksize(inode), end = min_t(loff_t, offset + len, round_up(inode->i_size, bs));
	loff_t first = round_up(offset, bs), last = round_down(end, bs);
	int err = 0;

	if (offset >= inode->i_size)
		return 0;
	if (first > last)			/* within one block */
		return zero_edge(inode, offset, end) ?: touch(inode);
	if (offset < first)
		err = zero_edge(inode, offset, first);
	if (!err && last < end)
		err = zero_edge(inode, last, end);
	if (!err && first < last) {
		/* A page that is only partly in the hole keeps its other blocks: they need their places before. */
		filemap_invalidate_lock(inode->i_mapping);
		err = filemap_write_and_wait_range(inode->i_mapping, first & PAGE_MASK, last | ~PAGE_MASK);
		truncate_pagecache_range(inode, first, last - 1);
		if (!err)
			err = ext_map_remove(inode, (ext_lblk_t)(first >> inode->i_blkbits), (u64)last >> inode->i_blkbits);
		filemap_invalidate_unlock(inode->i_mapping);
	}
	return err ?: touch(inode);
}

/* Zeroes that need not be written: a hole, then blocks that read as zeroes. */
static int zero_range(struct inode *inode, loff_t offset, loff_t len)
{
	int err = punch_hole(inode, offset, len);

	return err ?: allocate_range(inode, offset, len);
}

static long ext_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (!has_incompat(EXT_FS(inode->i_sb), INCOMPAT_EXTENTS) && !(mode & FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;		/* the old map cannot say "not written" */
	inode_lock(inode);
	inode_dio_wait(inode);
	err = mode & FALLOC_FL_PUNCH_HOLE ? 0 : inode_newsize_ok(inode, offset + len);
	if (!err && (u64)offset + len > ext_max_size(inode))
		err = -EFBIG;
	if (!err)
		err = file_modified(file);
	if (!err)
		err = ext_inline_make_room(inode, 0, true);
	if (!err && !is_extents(inode) && !(mode & FALLOC_FL_PUNCH_HOLE))
		err = -EOPNOTSUPP;		/* made by an older system */
	if (!err)
		err = mode & FALLOC_FL_PUNCH_HOLE ? punch_hole(inode, offset, len) :
		      mode & FALLOC_FL_ZERO_RANGE ? zero_range(inode, offset, len) : allocate_range(inode, offset, len);
	if (!err && !(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)))
		err = set_size_after(inode, offset + len);
	inode_unlock(inode);
	if (!err && file->f_flags & O_SYNC)
		err = ext_sync_file(file, offset, offset + len - 1, 0);
	return err;
}

/* ---- lseek(SEEK_DATA, SEEK_HOLE) ---- */

/* Delayed data get their places first, so that the map knows all. */
static loff_t seek_hole_data(struct inode *inode, loff_t offset, int whence)
{
	loff_t size = i_size_read(inode);
	int err;

	if (offset < 0 || offset >= size)
		return -ENXIO;
	if (ext_has_inline(inode))
		return whence == SEEK_DATA ? offset : size;
	err = filemap_write_and_wait(inode->i_mapping);
	if (err)
		return err;
	while (offset < size) {
		struct ext_map map = { .lblk = (ext_lblk_t)(offset >> inode->i_blkbits), .len = UINT_MAX };

		err = ext_map_lookup(inode, &map);
		if (err && err != -EFBIG)
			return err;
		if (err == -EFBIG)
			map.flags = 0;
		if ((map.flags == EXT_MAP_MAPPED) == (whence == SEEK_DATA))
			return offset;
		if (err)
			break;
		offset = (loff_t)((u64)map.lblk + map.len) << inode->i_blkbits;
	}
	return whence == SEEK_DATA ? -ENXIO : size;
}

static loff_t ext_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t max = (loff_t)ext_max_size(inode), found;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek_size(file, offset, whence, max, i_size_read(inode));
	inode_lock_shared(inode);
	found = seek_hole_data(inode, offset, whence);
	inode_unlock_shared(inode);
	return found < 0 ? found : vfs_setpos(file, found, max);
}

/* ---- mapping ---- */

static const struct vm_operations_struct ext_vm_ops = {
	.fault		= filemap_fault,
	.map_pages	= filemap_map_pages,
	.page_mkwrite	= ext_page_mkwrite,
};

static int ext_mmap(struct file *file, struct vm_area_struct *vma)
{
	file_accessed(file);
	vma->vm_ops = &ext_vm_ops;
	return 0;
}

const struct file_operations ext_file_fops = {
	.fop_mode	= FMODE_NOWAIT,
	.llseek		= ext_llseek,
	.read_iter	= ext_file_read_iter,
	.write_iter	= ext_file_write_iter,
	.mmap		= ext_mmap,
	.open		= generic_file_open,
	.fsync		= ext_sync_file,
	.splice_read	= generic_file_splice_read,
	.splice_write	= iter_file_splice_write,
	.fallocate	= ext_fallocate,
	.unlocked_ioctl	= ext_ioctl,
};

const struct inode_operations ext_file_iops = {
	.setattr	= ext_setattr,
	.getattr	= ext_getattr,
	.listxattr	= ext_listxattr,
	.get_acl	= ext_get_acl,
	.set_acl	= ext_set_acl,
	.fiemap		= ext_fiemap,
	.fileattr_get	= ext_fileattr_get,
	.fileattr_set	= ext_fileattr_set,
};
