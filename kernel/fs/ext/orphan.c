/*
 * orphan.c: inodes whose blocks must be freed at the next mount if we crash now: unlinked but open, or being truncated.
 *
 * Idea:    a list on disk that begins in the super block; i_dtime of each member is the number of the next one.  The list in
 *          memory has the same order, newest first.
 * Locking: orphan_lock, within a handle.
 * See:     ext_disk.h
 */
#include <weft/err.h>
#include "ext.h"

/* The super block's first orphan.  orphan_lock held. */
static int set_first(struct jbd_handle *handle, struct ext_fs *fs, u32 ino)
{
	int err = ext_access(handle, fs->sbh);

	if (err)
		return err;
	fs->es->s_last_orphan = ino;
	ext_super_csum_set(fs->es);
	return ext_dirty(handle, fs->sbh);
}

int ext_orphan_add(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct ext_inode *ei = EXT_I(inode);
	int err;

	if (!fs->journal)
		return 0;			/* e2fsck looks at everything after a crash anyway */
	mutex_lock(&fs->orphan_lock);
	if (!list_empty(&ei->orphan)) {
		mutex_unlock(&fs->orphan_lock);
		return 0;
	}
	ei->dtime = fs->es->s_last_orphan;
	err = set_first(handle, fs, (u32)inode->i_ino);
	if (!err)
		err = ext_write_inode_to(handle, inode);
	if (!err)
		list_add(&ei->orphan, &fs->orphans);
	mutex_unlock(&fs->orphan_lock);
	return err;
}

/* The one before it, or the super block, points to the one behind it. */
static int unlink_orphan(struct jbd_handle *handle, struct ext_fs *fs, struct ext_inode *ei)
{
	struct ext_inode *prev;

	if (ei->orphan.prev == &fs->orphans)
		return set_first(handle, fs, ei->dtime);
	prev = list_entry(ei->orphan.prev, struct ext_inode, orphan);
	prev->dtime = ei->dtime;
	return ext_write_inode_to(handle, &prev->vfs_inode);
}

int ext_orphan_del(struct jbd_handle *handle, struct inode *inode)
{
	struct ext_fs *fs = EXT_FS(inode->i_sb);
	struct ext_inode *ei = EXT_I(inode);
	int err = 0;

	mutex_lock(&fs->orphan_lock);
	if (!list_empty(&ei->orphan)) {
		if (handle)
			err = unlink_orphan(handle, fs, ei);
		list_del_init(&ei->orphan);
		ei->dtime = 0;
	}
	mutex_unlock(&fs->orphan_lock);
	return err;
}

/* One orphan of the last mount: freed, or truncated to its size. */
static void clean_one(struct ext_fs *fs, struct inode *inode)
{
	mutex_lock(&fs->orphan_lock);
	if (list_empty(&EXT_I(inode)->orphan))
		list_add(&EXT_I(inode)->orphan, &fs->orphans);
	mutex_unlock(&fs->orphan_lock);
	if (inode->i_nlink)
		ext_std_error(fs->sb, ext_truncate(inode));
	iput(inode);				/* without a name: the last reference frees it */
}

bool ext_orphan_clean_one(struct ext_fs *fs, u32 ino)
{
	struct inode *inode = ext_iget(fs->sb, ino);

	if (IS_ERR(inode)) {
		pr_err("ext: %s: orphan inode %u cannot be read\n", fs->sb->s_id, ino);
		return false;
	}
	if (inode->i_nlink)
		ext_std_error(fs->sb, ext_truncate(inode));
	else if (EXT_I(inode)->dtime)
		EXT_I(inode)->group = ~0u;	/* a clean-up that was cut off has freed it already */
	iput(inode);
	return true;
}

/* The list, then the file, which is not touched any more after that. */
void ext_orphan_cleanup(struct ext_fs *fs)
{
	unsigned int n = 0;
	int in_file;

	fs->cleaning_orphans = true;
	while (fs->es->s_last_orphan && n < fs->es->s_inodes_count) {
		u32 ino = fs->es->s_last_orphan;
		struct inode *inode = ext_iget(fs->sb, ino);

		if (IS_ERR(inode)) {
			pr_err("ext: %s: orphan inode %u cannot be read\n", fs->sb->s_id, ino);
			fs->es->s_last_orphan = 0;
			break;
		}
		clean_one(fs, inode);
		if (fs->es->s_last_orphan == ino) {	/* no progress: an error, or a loop on disk */
			ext_error(fs->sb, "orphan inode %u cannot be cleaned up", ino);
			break;
		}
		n++;
	}
	in_file = ext_orphan_file_cleanup(fs);
	if (in_file >= 0) {
		mutex_lock(&fs->orphan_lock);
		fs->es->s_feature_ro_compat &= ~RO_COMPAT_ORPHAN_PRESENT;	/* sync_fs and unmounting write it */
		mutex_unlock(&fs->orphan_lock);
		n += (unsigned int)in_file;
	}
	fs->cleaning_orphans = false;
	if (n)
		pr_info("ext: %s: cleaned up %u orphan inodes\n", fs->sb->s_id, n);
}
