/*
 * ioctl.c: file attributes (lsattr, chattr), generation numbers, fstrim.
 *
 * Locking: i_rwsem, for attributes taken by kernel/fs/ioctl.c.
 * See:     ioctl_iflags(2); kernel/fs/ioctl.c checks who may
 */
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/mount.h>
#include <weft/uaccess.h>
#include <uapi/fs.h>
#include "ext.h"

int ext_fileattr_get(struct dentry *dentry, u32 *flags)
{
	struct inode *inode = d_inode(dentry);
	u32 mask = S_ISREG(inode->i_mode) ? EXT_FL_USER_VISIBLE & ~EXT_INDEX_FL : EXT_FL_USER_VISIBLE;

	*flags = EXT_I(inode)->flags & mask;
	return 0;
}

/* i_rwsem held.  What a user may not change keeps its value. */
int ext_fileattr_set(struct dentry *dentry, u32 flags)
{
	struct inode *inode = d_inode(dentry);
	struct ext_inode *ei = EXT_I(inode);
	struct jbd_handle *handle;
	int err;

	if ((flags ^ ei->flags) & EXT_FL_USER_VISIBLE & ~(EXT_FL_USER_MODIFIABLE | EXT_INDEX_FL | EXT_EXTENTS_FL))
		return -EOPNOTSUPP;
	if ((flags ^ ei->flags) & EXT_JOURNAL_DATA_FL) {
		if (!capable(CAP_SYS_RESOURCE))
			return -EPERM;
		err = S_ISREG(inode->i_mode) ? ext_jdata_set(inode, flags & EXT_JOURNAL_DATA_FL) : 0;
		if (err)
			return err;
	}
	handle = ext_start(inode->i_sb, CREDITS_INODE);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	down_write(&ei->data_sem);		/* inline data may become blocks meanwhile */
	ei->flags = (ei->flags & ~EXT_FL_USER_MODIFIABLE) | (flags & EXT_FL_USER_MODIFIABLE);
	up_write(&ei->data_sem);
	ext_set_vfs_flags(inode);
	inode->i_ctime = current_time(inode);
	err = ext_write_inode_to(handle, inode);
	ext_stop(inode->i_sb, handle);
	return err;
}

/* Checksums begin with the generation, so that it stays where there are any. */
static int set_generation(struct file *file, const int __user *arg)
{
	struct inode *inode = file_inode(file);
	struct jbd_handle *handle;
	int generation, err;

	if (!inode_owner_or_capable(inode))
		return -EPERM;
	if (has_metadata_csum(EXT_FS(inode->i_sb)))
		return -ENOTTY;
	if (get_user(generation, arg))
		return -EFAULT;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	inode_lock(inode);
	handle = ext_start(inode->i_sb, CREDITS_INODE);
	err = PTR_ERR_OR_ZERO(handle);
	if (!err) {
		inode->i_generation = (u32)generation;
		inode->i_ctime = current_time(inode);
		err = ext_write_inode_to(handle, inode);
		ext_stop(inode->i_sb, handle);
	}
	inode_unlock(inode);
	mnt_drop_write_file(file);
	return err;
}

long ext_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd == FS_IOC_GETVERSION)
		return put_user((int)file_inode(file)->i_generation, (int __user *)arg);
	if (cmd == FS_IOC_SETVERSION)
		return set_generation(file, (const int __user *)arg);
	if (cmd == FITRIM)
		return ext_ioctl_trim(file_inode(file)->i_sb, (struct fstrim_range __user *)arg);
	return -ENOTTY;
}
