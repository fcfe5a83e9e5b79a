/*
 * ialloc.c: giving out inodes, and taking them back.
 *
 * Idea:    a file goes into the group of its directory, or near it, so that what is used together lies together.  A
 *          directory goes elsewhere when its parent is the root: to the group with the fewest directories of those that have
 *          more than their share of free inodes and blocks; otherwise near its parent too, unless that is crowded (Orlov).
 *          Inodes never used behind the last one used (itable_unused) may be garbage on disk; a thread zeroes them.
 * Locking: the group's lock.
 * See:     bitmap.c, inode.c
 */
#include <weft/bitmap.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/string.h>
#include <weft/posix_acl.h>
#include "ext.h"

/* ---- which group ---- */

/* More than the average of everything, at once; of those the one with the fewest directories. */
static u32 spread_group(struct ext_fs *fs, u32 first)
{
	u64 inodes = (u64)atomic64_read(&fs->free_inodes) / fs->groups_count;
	u64 blocks = (u64)atomic64_read(&fs->free_blocks) / fs->groups_count;
	u32 best = first, fewest = ~0u;

	for (u32 i = 0; i < fs->groups_count; i++) {
		u32 group = (first + i) % fs->groups_count;
		const struct ext_group_desc *gd = ext_gd(fs, group, NULL);

		if (gd_free_inodes(fs, gd) < inodes || fs->groups[group].free < blocks || !gd_free_inodes(fs, gd))
			continue;
		if (gd_used_dirs(fs, gd) < fewest) {
			fewest = gd_used_dirs(fs, gd);
			best = group;
		}
	}
	return best;
}

static bool crowded(const struct ext_fs *fs, u32 group)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);

	return gd_free_inodes(fs, gd) < fs->inodes_per_group / 4 || fs->groups[group].free < fs->blocks_per_group / 4;
}

static u32 dir_group(struct ext_fs *fs, const struct inode *parent)
{
	u32 group = EXT_I(parent)->group;

	if (parent->i_ino == EXT_ROOT_INO || EXT_I(parent)->flags & EXT_TOPDIR_FL)
		return spread_group(fs, get_random_u32_below(fs->groups_count));
	for (u32 i = 0; i < fs->groups_count; i++)
		if (!crowded(fs, (group + i) % fs->groups_count))
			return (group + i) % fs->groups_count;
	return group;
}

/* ---- taking one ---- */

/* The group's lock held; bit `at` is free in bh. */
static void take(struct ext_fs *fs, u32 group, struct buffer_head *bh, u32 at, bool dir)
{
	struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	u32 unused = gd_itable_unused(fs, gd), used = fs->inodes_per_group - unused;

	__set_bit(at, (unsigned long *)bh->b_data);
	gd_set_free_inodes(fs, gd, gd_free_inodes(fs, gd) - 1);
	if (dir)
		gd_set_used_dirs(fs, gd, gd_used_dirs(fs, gd) + 1);
	if (has_group_csum(fs)) {
		if (gd->bg_flags & BG_INODE_UNINIT) {
			gd->bg_flags &= ~BG_INODE_UNINIT;
			used = 0;
		}
		if (at >= used)
			gd_set_itable_unused(fs, gd, fs->inodes_per_group - at - 1);
	}
	ext_bitmap_csum_set(fs, gd, bh->b_data, true);
	ext_group_csum_set(fs, group, gd);
	atomic64_dec(&fs->free_inodes);
	if (dir)
		atomic64_inc(&fs->dirs);
}

/* A free inode of the group: its number; 0: none; or -errno. */
static s64 take_in_group(struct jbd_handle *handle, struct ext_fs *fs, u32 group, bool dir)
{
	struct buffer_head *gd_bh, *bh;
	const struct ext_group_desc *gd = ext_gd(fs, group, &gd_bh);
	u32 first = fs->es->s_rev_level ? fs->es->s_first_ino : 11, from = group ? 0 : first - 1, at;
	s64 res = 0;

	if (!gd_free_inodes(fs, gd))
		return 0;
	mutex_lock(&fs->groups[group].lock);
	bh = ext_read_inode_bitmap(fs, group);
	if (IS_ERR(bh)) {
		mutex_unlock(&fs->groups[group].lock);
		return PTR_ERR(bh);
	}
	at = (u32)find_next_zero_bit((unsigned long *)bh->b_data, fs->inodes_per_group, from);
	if (at < fs->inodes_per_group) {
		res = ext_access(handle, bh);
		if (!res)
			res = ext_access(handle, gd_bh);
		if (!res) {
			take(fs, group, bh, at, dir);
			res = ext_dirty(handle, bh);
		}
		if (!res)
			res = ext_dirty(handle, gd_bh);
		if (!res)
			res = (s64)group * fs->inodes_per_group + at + 1;
	}
	mutex_unlock(&fs->groups[group].lock);
	brelse(bh);
	return res;
}

static s64 take_anywhere(struct jbd_handle *handle, struct ext_fs *fs, u32 first, bool dir)
{
	for (u32 i = 0; i < fs->groups_count; i++) {
		s64 ino = take_in_group(handle, fs, (first + i) % fs->groups_count, dir);

		if (ino && ino != -EUCLEAN)
			return ino;
	}
	return -ENOSPC;
}

/* ---- a new inode ---- */

static void init_inode(struct inode *inode, struct inode *dir, umode_t mode, unsigned long ino)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct ext_inode *ei = EXT_I(inode);

	inode_init_owner(inode, dir, mode);
	inode->i_ino = ino;
	inode->i_generation = (u32)atomic_inc_return(&fs->next_gen);
	inode->i_atime = inode->i_mtime = inode->i_ctime = ei->crtime = current_time(inode);
	memset(ei->data, 0, sizeof(ei->data));
	ei->flags = dir ? EXT_I(dir)->flags & EXT_FL_INHERITED : 0;
	if (S_ISREG(mode))
		ei->flags &= ~EXT_DIRSYNC_FL;
	else if (!S_ISDIR(mode))
		ei->flags &= EXT_NODUMP_FL | EXT_NOATIME_FL;
	ei->group = (u32)(ino - 1) / fs->inodes_per_group;
	ei->csum_seed = ext_inode_seed(fs, (u32)ino, inode->i_generation);
	ei->extra_isize = fs->inode_size > EXT_GOOD_OLD_INODE_SIZE ?
			  min_t(u16, sizeof(struct ext_raw_inode) - EXT_GOOD_OLD_INODE_SIZE,
				(u16)(fs->inode_size - EXT_GOOD_OLD_INODE_SIZE)) : 0;
	if (has_incompat(fs, INCOMPAT_EXTENTS) && (S_ISREG(mode) || S_ISDIR(mode)))
		ext_ext_init(inode);
	ext_set_vfs_flags(inode);
}

/* What an earlier owner left behind the 128 bytes that are always written. */
static int clear_raw(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_raw_inode *raw;
	struct buffer_head *bh = ext_raw_inode(inode, &raw);
	int err;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	err = ext_access(handle, bh);
	if (!err) {
		memset(raw, 0, EXT_FS(inode->i_sb)->inode_size);
		err = ext_dirty(handle, bh);
	}
	brelse(bh);
	return err;
}

/* With a reference, I_NEW, one link, not yet written: the caller makes it what it shall be and writes it.  ERR_PTR. */
struct inode *ext_new_inode(struct jbd_handle *handle, struct inode *dir, umode_t mode, const struct qstr *name)
{
	struct super_block *sb = dir->i_sb;
	struct ext_fs *fs = EXT_FS(sb);
	struct posix_acl *def, *acl;
	struct inode *inode;
	s64 ino;
	int err = posix_acl_create(dir, &mode, &def, &acl);

	if (err)
		return ERR_PTR(err);
	inode = new_inode(sb);
	if (!inode) {
		err = -ENOMEM;
		goto put_acls;
	}
	ino = take_anywhere(handle, fs, S_ISDIR(mode) ? dir_group(fs, dir) : EXT_I(dir)->group, S_ISDIR(mode));
	if (ino < 0) {
		clear_nlink(inode);
		iput(inode);
		err = (int)ino;
		goto put_acls;
	}
	init_inode(inode, dir, mode, (unsigned long)ino);
	err = insert_inode_locked(inode);
	if (err) {
		ext_error(sb, "inode %lld is free on disk, but in use", ino);
		EXT_I(inode)->group = ~0u;	/* so that it is not freed again */
		clear_nlink(inode);
		iput(inode);
		err = -EUCLEAN;
		goto put_acls;
	}
	err = clear_raw(handle, inode);
	if (!err) {
		err = ext_init_acls(handle, inode, def, acl);
		if (!err)
			return inode;
		def = acl = NULL;
	}
	clear_nlink(inode);
	unlock_new_inode(inode);
	iput(inode);
put_acls:
	posix_acl_put(def);
	posix_acl_put(acl);
	return ERR_PTR(err);
}

/* The bit goes; the inode has been written as free. */
void ext_free_inode(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	u32 group = EXT_I(inode)->group, at = (u32)(inode->i_ino - 1) % fs->inodes_per_group;
	struct buffer_head *gd_bh, *bh;
	struct ext_group_desc *gd = ext_gd(fs, group, &gd_bh);
	bool dir = S_ISDIR(inode->i_mode);

	mutex_lock(&fs->groups[group].lock);
	bh = ext_read_inode_bitmap(fs, group);
	if (IS_ERR(bh) || ext_access(handle, bh) || ext_access(handle, gd_bh))
		goto out;
	if (!__test_and_clear_bit(at, (unsigned long *)bh->b_data)) {
		ext_error(inode->i_sb, "inode %lu is free already", inode->i_ino);
		goto out;
	}
	gd_set_free_inodes(fs, gd, gd_free_inodes(fs, gd) + 1);
	if (dir)
		gd_set_used_dirs(fs, gd, gd_used_dirs(fs, gd) - 1);
	ext_bitmap_csum_set(fs, gd, bh->b_data, true);
	ext_group_csum_set(fs, group, gd);
	ext_dirty(handle, bh);
	ext_dirty(handle, gd_bh);
	atomic64_inc(&fs->free_inodes);
	if (dir)
		atomic64_dec(&fs->dirs);
out:
	mutex_unlock(&fs->groups[group].lock);
	if (!IS_ERR(bh))
		brelse(bh);
}

/* ---- zeroing what mke2fs left as it was ---- */

#define ZERO_BATCH	64

/* Blocks [block, block + n) of a table. */
static int zero_blocks(struct ext_fs *fs, u64 block, u32 n)
{
	struct buffer_head *bhs[ZERO_BATCH];
	int err = 0;
	u32 got;

	for (got = 0; got < n; got++) {
		struct buffer_head *bh = bhs[got] = sb_getblk(fs->sb, block + got);

		if (!bh)
			break;
		lock_buffer(bh);
		memset(bh->b_data, 0, bh->b_size);
		set_buffer_uptodate(bh);
		unlock_buffer(bh);
		mark_buffer_dirty(bh);
		write_dirty_buffer(bh);
	}
	for (u32 i = 0; i < got; i++) {
		err = sync_dirty_buffer(bhs[i]) ?: err;
		brelse(bhs[i]);
	}
	return got < n ? -ENOMEM : err;
}

/* The unused end of a group's table.  The lock keeps inodes from being taken there meanwhile. */
static int zero_unused(struct ext_fs *fs, u32 group)
{
	const struct ext_group_desc *gd = ext_gd(fs, group, NULL);
	u32 used, at;
	int err = 0;

	mutex_lock(&fs->groups[group].lock);
	used = gd->bg_flags & BG_INODE_UNINIT ? 0 : fs->inodes_per_group - gd_itable_unused(fs, gd);
	for (at = DIV_ROUND_UP(used, fs->inodes_per_block); at < fs->itable_blocks && !err; at += ZERO_BATCH)
		err = zero_blocks(fs, gd_inode_table(fs, gd) + at, min((u32)ZERO_BATCH, fs->itable_blocks - at));
	mutex_unlock(&fs->groups[group].lock);
	return err;
}

static int init_group_table(struct ext_fs *fs, u32 group)
{
	struct buffer_head *gd_bh;
	struct ext_group_desc *gd = ext_gd(fs, group, &gd_bh);
	struct jbd_handle *handle;
	int err = zero_unused(fs, group);

	if (err)
		return err;
	handle = ext_start(fs->sb, 1);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	mutex_lock(&fs->groups[group].lock);
	err = ext_access(handle, gd_bh);
	if (!err) {
		gd->bg_flags |= BG_INODE_ZEROED;
		ext_group_csum_set(fs, group, gd);
		err = ext_dirty(handle, gd_bh);
	}
	mutex_unlock(&fs->groups[group].lock);
	ext_stop(fs->sb, handle);
	return err;
}

/* All groups, slowly: the thread "ext4lazyinit".  Ends when it is told to. */
void ext_init_itables(struct ext_fs *fs, struct task_struct *self)
{
	for (u32 group = 0; group < fs->groups_count && !kthread_should_stop(); group++) {
		if (ext_gd(fs, group, NULL)->bg_flags & BG_INODE_ZEROED)
			continue;
		if (init_group_table(fs, group))
			return;
		schedule_timeout_interruptible(HZ / 10);
	}
}
