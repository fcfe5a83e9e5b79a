/*
 * journal.c: how the file system uses its journal; and how it does without one.
 *
 * Idea:    all changes of metadata go through these few functions.  Without a journal (ext2) a handle is nothing: a changed
 *          buffer becomes dirty at once, a freed block may be used at once.
 * Locking: none of its own: a handle is its task's, the rest is the journal's (jbd.h).
 * See:     include/weft/jbd.h
 */
#include <weft/blkdev.h>
#include <weft/err.h>
#include "ext.h"

static struct jbd_handle no_journal;		/* stands for "no handle"; nobody reads it */

static bool real(const struct jbd_handle *handle)
{
	return handle != &no_journal;
}

struct jbd_handle *ext_start(struct super_block *sb, unsigned int credits)
{
	struct ext_fs *fs = EXT_FS(sb);

	might_sleep();
	if (sb_rdonly(sb))
		return ERR_PTR(-EROFS);
	return fs->journal ? jbd_start(fs->journal, credits) : &no_journal;
}

int ext_stop(struct super_block *sb, struct jbd_handle *handle)
{
	return real(handle) ? jbd_stop(handle) : 0;
}

int ext_access(struct jbd_handle *handle, struct buffer_head *bh)
{
	return real(handle) ? jbd_get_write_access(handle, bh) : 0;
}

int ext_access_new(struct jbd_handle *handle, struct buffer_head *bh)
{
	if (real(handle))
		return jbd_get_create_access(handle, bh);
	set_buffer_uptodate(bh);
	return 0;
}

int ext_dirty(struct jbd_handle *handle, struct buffer_head *bh)
{
	if (real(handle))
		return jbd_dirty_metadata(handle, bh);
	mark_buffer_dirty(bh);
	return 0;
}

/* Its buffer, if there is one, must not be written over what the next owner writes. */
void ext_forget(struct jbd_handle *handle, struct super_block *sb, u64 block)
{
	struct buffer_head *bh = sb_getblk(sb, block);

	if (!bh)
		return;
	if (!real(handle)) {
		wait_on_buffer(bh);
		bforget(bh);
		return;
	}
	jbd_forget(handle, bh);
	brelse(bh);
}

int ext_after_commit(struct jbd_handle *handle, struct ext_fs *fs, u64 block, u32 len)
{
	if (real(handle))
		return jbd_after_commit(handle, ext_blocks_reusable, fs, block, len);
	ext_blocks_reusable(fs, block, len);
	return 0;
}

void ext_note_change(struct jbd_handle *handle, struct inode *inode, bool data)
{
	if (!real(handle))
		return;
	WRITE_ONCE(EXT_I(inode)->sync_tid, jbd_handle_tid(handle));
	if (data)
		WRITE_ONCE(EXT_I(inode)->datasync_tid, jbd_handle_tid(handle));
}

int ext_force_commit(struct super_block *sb)
{
	struct journal *j = EXT_FS(sb)->journal;

	return j ? jbd_force_commit(j) : 0;
}

static u64 journal_bmap(struct inode *inode, u32 block)
{
	struct ext_map map = { .lblk = block, .len = 1 };

	return ext_map_lookup(inode, &map) || map.flags != EXT_MAP_MAPPED ? 0 : map.pblk;
}

/* Opens it, and replays it if the last mount was not ended.  0 or -errno. */
int ext_journal_load(struct ext_fs *fs)
{
	struct super_block *sb = fs->sb;
	struct jbd_options opt = {
		.commit_secs = fs->opt.commit_secs, .barrier = !fs->opt.nobarrier, .readonly = sb_rdonly(sb),
		.wants_64bit = has_incompat(fs, INCOMPAT_64BIT), .wants_csum = has_metadata_csum(fs),
	};
	struct inode *inode;
	struct journal *j;

	if (fs->opt.noload) {
		if (!sb_rdonly(sb))
			pr_err("ext: %s: norecovery needs ro\n", sb->s_id);
		return sb_rdonly(sb) ? 0 : -EINVAL;
	}
	if (!fs->es->s_journal_inum) {
		pr_err("ext: %s: its journal lies on another device\n", sb->s_id);
		return -EOPNOTSUPP;
	}
	inode = ext_iget(sb, fs->es->s_journal_inum);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (!S_ISREG(inode->i_mode) || !inode->i_nlink) {
		iput(inode);
		return -EUCLEAN;
	}
	j = jbd_load(sb->s_bdev, inode, (unsigned int)sb->s_blocksize, journal_bmap, &opt);
	if (IS_ERR(j)) {
		pr_err("ext: %s: cannot use the journal: error %ld\n", sb->s_id, PTR_ERR(j));
		return PTR_ERR(j);
	}
	fs->journal = j;
	fs->feat_incompat = fs->es->s_feature_incompat;
	return 0;
}
