/*
 * inode.c: inodes: from the disk, to the disk, changed, and gone.
 *
 * Idea:    an inode's place in the table is changed at once with every mark_inode_dirty(), as part of a handle (dirty_inode);
 *          so there is nothing to write back but the journal.  i_size is what programs see; disksize, what the disk is told:
 *          it follows when the data have arrived.
 * Locking: raw_lock: the copy into the table's buffer, which several inodes share.  i_rwsem for attributes.
 * See:     ext.h; ext_disk.h
 */
#include <weft/err.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/writeback.h>
#include <weft/posix_acl.h>
#include <weft/direct_io.h>
#include "inline.h"

/* ---- the table ---- */

#define TABLE_BLOCKS_AHEAD	16u	/* of the inode table: who looks at one inode will look at its neighbours */

static bool ino_valid(const struct ext_fs *fs, unsigned long ino)
{
	u32 first = fs->es->s_rev_level ? fs->es->s_first_ino : 11;

	return ino && ino <= fs->es->s_inodes_count && (ino == EXT_ROOT_INO || ino == fs->es->s_journal_inum || ino >= first);
}

struct buffer_head *ext_raw_inode(struct inode *inode, struct ext_raw_inode **raw)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	u32 index = (u32)(inode->i_ino - 1) % fs->inodes_per_group, group = (u32)(inode->i_ino - 1) / fs->inodes_per_group;
	u64 table = gd_inode_table(fs, ext_gd(fs, group, NULL));
	struct buffer_head *bh;
	u32 first, nr;

	first = round_down(index / fs->inodes_per_block, TABLE_BLOCKS_AHEAD);
	nr = min(fs->itable_blocks - first, TABLE_BLOCKS_AHEAD);
	__breadahead(inode->i_sb->s_bdev, table + index / fs->inodes_per_block, table + first, nr,
		     (unsigned int)inode->i_sb->s_blocksize);
	bh = sb_bread(inode->i_sb, table + index / fs->inodes_per_block);
	if (!bh)
		return ERR_PTR(-EIO);
	*raw = (struct ext_raw_inode *)(bh->b_data + (index % fs->inodes_per_block) * fs->inode_size);
	return bh;
}

/* Does the inode have room for this field?  It must for those of the first 128 bytes. */
#define FITS(ei, field) \
	(offsetof(struct ext_raw_inode, field) + sizeof(((struct ext_raw_inode *)0)->field) <= \
	 EXT_GOOD_OLD_INODE_SIZE + (size_t)(ei)->extra_isize)

/* Seconds beyond 32 bits are counted in the two low bits of `extra`, nanoseconds in the others. */
static struct timespec64 get_time(u32 sec, u32 extra)
{
	return (struct timespec64){ (s32)sec + ((s64)(extra & 3) << 32), extra >> 2 };
}
static u32 time_extra(struct timespec64 t)
{
	return (u32)(((u64)(t.tv_sec - (s32)t.tv_sec) >> 32) & 3) | (u32)t.tv_nsec << 2;
}

static void get_times(struct inode *inode, const struct ext_raw_inode *raw)
{
	struct ext_inode *ei = EXT_I(inode);

	inode->i_ctime = get_time(raw->i_ctime, FITS(ei, i_ctime_extra) ? raw->i_ctime_extra : 0);
	inode->i_mtime = get_time(raw->i_mtime, FITS(ei, i_mtime_extra) ? raw->i_mtime_extra : 0);
	inode->i_atime = get_time(raw->i_atime, FITS(ei, i_atime_extra) ? raw->i_atime_extra : 0);
	ei->crtime = FITS(ei, i_crtime) ? get_time(raw->i_crtime, FITS(ei, i_crtime_extra) ? raw->i_crtime_extra : 0) :
					  (struct timespec64){ };
}

static void put_times(const struct inode *inode, struct ext_raw_inode *raw)
{
	const struct ext_inode *ei = EXT_I(inode);

	raw->i_ctime = (u32)inode->i_ctime.tv_sec;
	raw->i_mtime = (u32)inode->i_mtime.tv_sec;
	raw->i_atime = (u32)inode->i_atime.tv_sec;
	if (FITS(ei, i_ctime_extra))
		raw->i_ctime_extra = time_extra(inode->i_ctime);
	if (FITS(ei, i_mtime_extra))
		raw->i_mtime_extra = time_extra(inode->i_mtime);
	if (FITS(ei, i_atime_extra))
		raw->i_atime_extra = time_extra(inode->i_atime);
	if (FITS(ei, i_crtime))
		raw->i_crtime = (u32)ei->crtime.tv_sec;
	if (FITS(ei, i_crtime_extra))
		raw->i_crtime_extra = time_extra(ei->crtime);
}

/* Sectors; or blocks, where there are too many for 48 bits. */
static u64 get_blocks(const struct inode *inode, const struct ext_raw_inode *raw)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);
	u64 n = raw->i_blocks_lo;

	if (!has_ro_compat(fs, RO_COMPAT_HUGE_FILE))
		return n;
	n |= (u64)raw->i_blocks_high << 32;
	return raw->i_flags & EXT_HUGE_FILE_FL ? n << (inode->i_blkbits - 9) : n;
}

static void put_blocks(const struct inode *inode, struct ext_raw_inode *raw)
{
	u64 n = (u64)inode->i_blocks;

	raw->i_flags &= ~EXT_HUGE_FILE_FL;
	if (n >> 48) {
		raw->i_flags |= EXT_HUGE_FILE_FL;
		n >>= inode->i_blkbits - 9;
	}
	raw->i_blocks_lo = (u32)n;
	if (has_ro_compat(EXT_FS(inode->i_sb), RO_COMPAT_HUGE_FILE))
		raw->i_blocks_high = (u16)(n >> 32);
}

/* A device's number stands in the place of the block map: small ones in the first word. */
static dev_t get_dev(const struct ext_inode *ei)
{
	u32 old = ei->data[0], new = ei->data[1];

	return old ? MKDEV(old >> 8 & 255, old & 255) : MKDEV((new & 0xfff00) >> 8, (new & 0xff) | (new >> 12 & 0xfff00));
}
static void put_dev(const struct inode *inode, struct ext_raw_inode *raw)
{
	u32 major = imajor(inode), minor = iminor(inode);

	memset(raw->i_block, 0, sizeof(raw->i_block));
	if (major < 256 && minor < 256)
		raw->i_block[0] = major << 8 | minor;
	else
		raw->i_block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

/* ---- reading ---- */

/* The target stands in the place of the block map: no block but perhaps one of attributes. */
bool ext_is_fast_symlink(const struct inode *inode)
{
	u64 acl_sectors = EXT_I(inode)->file_acl ? 1u << (inode->i_blkbits - 9) : 0;

	return S_ISLNK(inode->i_mode) && !ext_has_inline(inode) && (u64)inode->i_blocks == acl_sectors &&
	       inode->i_size < (loff_t)sizeof(EXT_I(inode)->data);
}

void ext_set_vfs_flags(struct inode *inode)
{
	u32 f = EXT_I(inode)->flags;

	inode_set_flags(inode, (f & EXT_SYNC_FL ? S_SYNC : 0) | (f & EXT_APPEND_FL ? S_APPEND : 0) |
			(f & EXT_IMMUTABLE_FL ? S_IMMUTABLE : 0) | (f & EXT_NOATIME_FL ? S_NOATIME : 0) |
			(f & EXT_DIRSYNC_FL ? S_DIRSYNC : 0),
			S_SYNC | S_APPEND | S_IMMUTABLE | S_NOATIME | S_DIRSYNC);
}

void ext_set_ops(struct inode *inode)
{
	/* Pages may be asked for within a handle's write-back: reclaim must not come back to the file system. */
	mapping_set_gfp_mask(inode->i_mapping, GFP_USER & ~__GFP_FS);
	inode->i_mapping->a_ops = &ext_aops;
	if (S_ISREG(inode->i_mode)) {
		inode->i_op = &ext_file_iops;
		inode->i_fop = &ext_file_fops;
	} else if (S_ISDIR(inode->i_mode)) {
		inode->i_op = &ext_dir_iops;
		inode->i_fop = &ext_dir_fops;
	} else if (ext_is_fast_symlink(inode)) {
		inode->i_op = &ext_fast_symlink_iops;
		((char *)EXT_I(inode)->data)[inode->i_size] = 0;
		inode->i_link = (char *)EXT_I(inode)->data;
	} else if (S_ISLNK(inode->i_mode)) {
		inode->i_op = &ext_symlink_iops;
	} else {
		inode->i_op = &ext_special_iops;
		init_special_inode(inode, inode->i_mode, get_dev(EXT_I(inode)));
	}
}

static void fill_from_raw(struct inode *inode, const struct ext_raw_inode *raw)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct ext_inode *ei = EXT_I(inode);

	ei->extra_isize = fs->inode_size > EXT_GOOD_OLD_INODE_SIZE ? raw->i_extra_isize : 0;
	inode->i_mode = raw->i_mode;
	inode->i_uid = raw->i_uid_lo | (u32)raw->i_uid_high << 16;
	inode->i_gid = raw->i_gid_lo | (u32)raw->i_gid_high << 16;
	set_nlink(inode, raw->i_links_count);
	inode->i_size = raw->i_size_lo;
	if (S_ISREG(inode->i_mode) || has_incompat(fs, INCOMPAT_LARGEDIR))
		inode->i_size |= (u64)raw->i_size_high << 32;
	ei->disksize = inode->i_size;
	inode->i_blocks = (blkcnt_t_k)get_blocks(inode, raw);
	inode->i_generation = raw->i_generation;
	get_times(inode, raw);
	ei->flags = raw->i_flags;
	ei->dtime = raw->i_dtime;
	ei->file_acl = raw->i_file_acl_lo;
	if (has_incompat(fs, INCOMPAT_64BIT))
		ei->file_acl |= (u64)raw->i_file_acl_high << 32;
	memcpy(ei->data, raw->i_block, sizeof(ei->data));
	ei->group = (u32)(inode->i_ino - 1) / fs->inodes_per_group;
	ei->csum_seed = ext_inode_seed(fs, (u32)inode->i_ino, inode->i_generation);
}

/* Data in the inode itself: only where they may be, and not more than there is room for. */
static bool inline_ok(const struct ext_fs *fs, const struct ext_raw_inode *raw, u64 size)
{
	umode_t type = raw->i_mode & S_IFMT;

	return has_incompat(fs, INCOMPAT_INLINE_DATA) && fs->inode_size > EXT_GOOD_OLD_INODE_SIZE &&
	       (type == S_IFREG || type == S_IFDIR || type == S_IFLNK) &&
	       !(raw->i_flags & (EXT_EXTENTS_FL | EXT_INDEX_FL)) && (type != S_IFDIR || size >= EXT_INLINE_MIN) &&
	       size <= EXT_INLINE_MIN + fs->inode_size - EXT_GOOD_OLD_INODE_SIZE;
}

/* What would lead us astray.  0, -ESTALE: no such file, -EUCLEAN. */
static int check_raw(struct inode *inode, const struct ext_raw_inode *raw)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);
	u32 extra = fs->inode_size > EXT_GOOD_OLD_INODE_SIZE ? raw->i_extra_isize : 0;
	u64 size = make64(raw->i_size_high, raw->i_size_lo), acl = raw->i_file_acl_lo;

	if (!raw->i_links_count && (!raw->i_mode || !fs->cleaning_orphans))
		return -ESTALE;
	if (!ext_inode_csum_ok(fs, (u32)inode->i_ino, raw)) {
		ext_error(inode->i_sb, "inode %lu: wrong checksum", inode->i_ino);
		return -EUCLEAN;
	}
	if (EXT_GOOD_OLD_INODE_SIZE + extra > fs->inode_size || extra & 3 || (acl && !ext_blocks_valid(fs, acl, 1)) ||
	    (S_ISREG(raw->i_mode) && size > (u64)MAX_LFS_FILESIZE) ||
	    (raw->i_flags & EXT_INLINE_DATA_FL ? !inline_ok(fs, raw, size) :
	     S_ISDIR(raw->i_mode) && size & (inode->i_sb->s_blocksize - 1)) ||
	    (raw->i_mode & S_IFMT) == 0 || !(S_ISREG(raw->i_mode) || S_ISDIR(raw->i_mode) || S_ISLNK(raw->i_mode) ||
	     S_ISCHR(raw->i_mode) || S_ISBLK(raw->i_mode) || S_ISFIFO(raw->i_mode) || S_ISSOCK(raw->i_mode)) ||
	    (S_ISLNK(raw->i_mode) && size > inode->i_sb->s_blocksize)) {
		ext_error(inode->i_sb, "inode %lu: impossible", inode->i_ino);
		return -EUCLEAN;
	}
	return 0;
}

struct inode *ext_iget(struct super_block *sb, unsigned long ino)
{
	struct ext_raw_inode *raw;
	struct buffer_head *bh;
	struct inode *inode;
	int err;

	if (!ino_valid(EXT_FS(sb), ino)) {
		ext_error(sb, "inode %lu: no such number", ino);
		return ERR_PTR(-EUCLEAN);
	}
	inode = iget_locked(sb, ino);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode->i_state & I_NEW))
		return inode;
	bh = ext_raw_inode(inode, &raw);
	err = IS_ERR(bh) ? (int)PTR_ERR(bh) : check_raw(inode, raw);
	if (!err) {
		u32 *magic;

		fill_from_raw(inode, raw);
		magic = (u32 *)((u8 *)raw + EXT_GOOD_OLD_INODE_SIZE + EXT_I(inode)->extra_isize);
		EXT_I(inode)->has_ibody_xattr = EXT_I(inode)->extra_isize &&
			EXT_GOOD_OLD_INODE_SIZE + EXT_I(inode)->extra_isize + 4u < EXT_FS(sb)->inode_size &&
			*magic == EXT_XATTR_MAGIC;
		ext_set_vfs_flags(inode);
		ext_set_ops(inode);
		unlock_new_inode(inode);
	}
	if (!IS_ERR(bh))
		brelse(bh);
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	return inode;
}

/* ---- writing ---- */

/* raw_lock held. */
static void fill_raw(struct inode *inode, struct ext_raw_inode *raw)
{
	struct ext_inode *ei = EXT_I(inode);

	raw->i_mode = inode->i_mode;
	raw->i_uid_lo = (u16)inode->i_uid;
	raw->i_uid_high = (u16)(inode->i_uid >> 16);
	raw->i_gid_lo = (u16)inode->i_gid;
	raw->i_gid_high = (u16)(inode->i_gid >> 16);
	raw->i_links_count = (u16)inode->i_nlink;
	raw->i_size_lo = (u32)ei->disksize;
	raw->i_size_high = (u32)(ei->disksize >> 32);
	raw->i_flags = ei->flags & ~EXT_HUGE_FILE_FL;
	put_blocks(inode, raw);
	raw->i_dtime = ei->dtime;
	raw->i_generation = inode->i_generation;
	raw->i_file_acl_lo = (u32)ei->file_acl;
	if (has_incompat(EXT_FS(inode->i_sb), INCOMPAT_64BIT))
		raw->i_file_acl_high = (u16)(ei->file_acl >> 32);
	if (EXT_FS(inode->i_sb)->inode_size > EXT_GOOD_OLD_INODE_SIZE)
		raw->i_extra_isize = ei->extra_isize;
	put_times(inode, raw);
	if (S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode))
		put_dev(inode, raw);
	else
		memcpy(raw->i_block, ei->data, sizeof(ei->data));
	ext_inode_csum_set(EXT_FS(inode->i_sb), (u32)inode->i_ino, raw);
}

int ext_write_inode_to(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_inode *ei = EXT_I(inode);
	struct ext_raw_inode *raw;
	struct buffer_head *bh = ext_raw_inode(inode, &raw);
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	if (S_ISREG(inode->i_mode) && ei->disksize >> 31 && !has_ro_compat(EXT_FS(inode->i_sb), RO_COMPAT_LARGE_FILE))
		pr_err_once("ext: %s: a large file where the super block says there is none\n", inode->i_sb->s_id);
	err = ext_access(handle, bh);
	if (!err) {
		spin_lock(&ei->raw_lock);
		fill_raw(inode, raw);
		spin_unlock(&ei->raw_lock);
		ext_note_change(handle, inode, false);
		err = ext_dirty(handle, bh);
	}
	brelse(bh);
	return err;
}

/* super_operations.dirty_inode: times and the like, changed by the VFS. */
void ext_dirty_inode(struct inode *inode, int flags)
{
	struct jbd_handle *handle;

	if (sb_rdonly(inode->i_sb))
		return;
	handle = ext_start(inode->i_sb, CREDITS_INODE);
	if (IS_ERR(handle))
		return;
	ext_std_error(inode->i_sb, ext_write_inode_to(handle, inode));
	ext_stop(inode->i_sb, handle);
}

/* Its part of the table is already changed; for good when the journal says so, or the table's block is written. */
int ext_super_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	struct ext_raw_inode *raw;
	struct buffer_head *bh;
	int err;

	if (wbc->sync_mode != WB_SYNC_ALL || EXT_FS(inode->i_sb)->journal)
		return 0;			/* sync_fs commits, once for all */
	bh = ext_raw_inode(inode, &raw);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	err = sync_dirty_buffer(bh);
	brelse(bh);
	return err;
}

/* ---- size ---- */

/*
 * Blocks behind i_size go.  The inode is an orphan meanwhile, so that after a crash the rest is freed at the next mount.
 * i_rwsem held, or the last reference; pages are gone already.
 */
int ext_truncate(struct inode *inode)
{
	struct jbd_handle *handle;
	int err, err2;

	if (!(S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode) || S_ISLNK(inode->i_mode)) ||
	    inode->i_op == &ext_fast_symlink_iops)
		return 0;
	err = ext_map_remove(inode, (ext_lblk_t)blocks_of(inode->i_sb, (u64)inode->i_size), EXT_MAX_LBLK + 1);
	handle = ext_start(inode->i_sb, CREDITS_INODE);
	if (IS_ERR(handle)) {
		ext_orphan_del(NULL, inode);
		return PTR_ERR(handle);
	}
	if (inode->i_nlink)
		ext_orphan_del(handle, inode);
	err2 = ext_write_inode_to(handle, inode);
	ext_note_change(handle, inode, true);
	ext_stop(inode->i_sb, handle);
	return err ? err : err2;
}

/* The new size on disk; when blocks will have to go, also the promise to free them. */
static int set_disksize(struct inode *inode, loff_t size, bool shrinks)
{
	struct jbd_handle *handle = ext_start(inode->i_sb, CREDITS_INODE);
	int err = 0;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	if (shrinks)
		err = ext_orphan_add(handle, inode);
	if (!err) {
		down_write(&EXT_I(inode)->data_sem);
		EXT_I(inode)->disksize = size;
		up_write(&EXT_I(inode)->data_sem);
		err = ext_write_inode_to(handle, inode);
		ext_note_change(handle, inode, true);
	}
	ext_stop(inode->i_sb, handle);
	return err;
}

static int set_size(struct inode *inode, loff_t size)
{
	loff_t old = inode->i_size;
	int err = ext_has_inline(inode) ? ext_inline_set_size(inode, size) : 1;

	if (err <= 0)
		return err;
	if ((u64)size > ext_max_size(inode))
		return -EFBIG;
	if (size > old) {
		err = ext_zero_range_in_page(inode, old, round_up(old, i_blocksize(inode)));
		if (!err)
			err = set_disksize(inode, size, false);
		if (err)
			return err;
		i_size_write(inode, size);
		pagecache_isize_extended(inode, old, size);
		return 0;
	}
	/* i_size first: write-back that is under way must not raise the size on disk again. */
	i_size_write(inode, size);
	err = set_disksize(inode, size, true);
	if (err) {
		i_size_write(inode, old);
		return err;
	}
	filemap_invalidate_lock(inode->i_mapping);
	truncate_pagecache(inode, size);
	err = ext_truncate(inode);
	filemap_invalidate_unlock(inode->i_mapping);
	return err ? err : ext_zero_range_in_page(inode, size, round_up(size, i_blocksize(inode)));
}

int ext_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct jbd_handle *handle;
	int err = setattr_prepare(dentry, attr);

	if (!err && attr->ia_valid & ATTR_SIZE)
		inode_dio_wait(inode);
	if (!err && attr->ia_valid & ATTR_SIZE && (attr->ia_size != inode->i_size || attr->ia_size != EXT_I(inode)->disksize))
		err = set_size(inode, attr->ia_size);
	if (err)
		return err;
	handle = ext_start(inode->i_sb, CREDITS_INODE);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	setattr_copy(inode, attr);
	err = ext_write_inode_to(handle, inode);
	ext_stop(inode->i_sb, handle);
	if (!err && attr->ia_valid & ATTR_MODE)
		err = posix_acl_chmod(inode);
	return err;
}

int ext_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct ext_inode *ei = EXT_I(inode);

	generic_fillattr(inode, stat);
	stat->blocks += (u64)atomic_read(&ei->delayed) << (inode->i_blkbits - 9);
	if (FITS(ei, i_crtime)) {
		stat->btime = ei->crtime;
		stat->result_mask |= STATX_BTIME;
	}
	return 0;
}

/* ---- the end ---- */

/* It has no name any more and nobody uses it: blocks, attributes and its number are free. */
static int delete_inode(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct jbd_handle *handle;
	int err = 0;

	inode->i_size = 0;
	EXT_I(inode)->disksize = 0;
	if (inode->i_blocks)
		err = ext_truncate(inode);
	handle = ext_start(sb, CREDITS_INODE + CREDITS_XATTR + 4);
	if (IS_ERR(handle)) {
		ext_orphan_del(NULL, inode);
		return PTR_ERR(handle);
	}
	if (!err)
		err = ext_xattr_drop_block(handle, inode);
	ext_orphan_del(handle, inode);
	EXT_I(inode)->dtime = (u32)current_time(inode).tv_sec;
	if (!err)
		err = ext_write_inode_to(handle, inode);
	if (!err)
		ext_free_inode(handle, inode);
	ext_stop(sb, handle);
	return err;
}

void ext_evict_inode(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;

	truncate_inode_pages_final(&inode->i_data);
	if (!inode->i_nlink && inode->i_mode && EXT_I(inode)->group != ~0u && !sb_rdonly(sb))
		ext_std_error(sb, delete_inode(inode));
	else if (!list_empty(&EXT_I(inode)->orphan))
		ext_orphan_del(NULL, inode);
	clear_inode(inode);
}
