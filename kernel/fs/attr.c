/*
 * attr.c: changing attributes: who may, and what follows from it.
 *
 * Locking: i_rwsem of the inode held for writing.
 * See:     chmod(2), chown(2), utimensat(2), truncate(2)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/resource.h>
#include <weft/fsnotify.h>
#include "internal.h"

static bool chown_ok(const struct inode *inode, kuid_t uid)
{
	if (uid_eq(current_fsuid(), inode->i_uid) && uid_eq(uid, inode->i_uid))
		return true;
	return capable_wrt_inode_uidgid(inode, CAP_CHOWN);
}

static bool chgrp_ok(const struct inode *inode, kgid_t gid)
{
	if (uid_eq(current_fsuid(), inode->i_uid) && (in_group_p(gid) || gid_eq(gid, inode->i_gid)))
		return true;
	return capable_wrt_inode_uidgid(inode, CAP_CHOWN);
}

int setattr_prepare(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	unsigned int ia_valid = attr->ia_valid;
	int err;

	if (ia_valid & ATTR_SIZE) {
		err = inode_newsize_ok(inode, attr->ia_size);
		if (err)
			return err;
	}
	if (ia_valid & ATTR_FORCE)
		return 0;
	if (ia_valid & ATTR_UID && !chown_ok(inode, attr->ia_uid))
		return -EPERM;
	if (ia_valid & ATTR_GID && !chgrp_ok(inode, attr->ia_gid))
		return -EPERM;
	if (ia_valid & ATTR_MODE) {
		kgid_t gid = ia_valid & ATTR_GID ? attr->ia_gid : inode->i_gid;

		if (!inode_owner_or_capable(inode))
			return -EPERM;
		if (!in_group_p(gid) && !capable_wrt_inode_uidgid(inode, CAP_FSETID))
			attr->ia_mode &= ~S_ISGID;
	}
	if (ia_valid & (ATTR_MTIME_SET | ATTR_ATIME_SET | ATTR_TIMES_SET) && !inode_owner_or_capable(inode))
		return -EPERM;
	return 0;
}

/* 0, or -EFBIG, -ETXTBSY; over the task's limit also SIGXFSZ. */
int inode_newsize_ok(const struct inode *inode, loff_t offset)
{
	if (offset < 0)
		return -EINVAL;
	if (inode->i_size < offset) {
		unsigned long limit = rlimit(RLIMIT_FSIZE);

		if (limit != RLIM_INFINITY && (unsigned long)offset > limit) {
			send_sig(SIGXFSZ, current, 0);
			return -EFBIG;
		}
		if (offset > inode->i_sb->s_maxbytes)
			return -EFBIG;
	} else if (IS_SWAPFILE(inode)) {
		return -ETXTBSY;
	}
	return 0;
}

void setattr_copy(struct inode *inode, const struct iattr *attr)
{
	unsigned int ia_valid = attr->ia_valid;

	if (ia_valid & ATTR_UID)
		inode->i_uid = attr->ia_uid;
	if (ia_valid & ATTR_GID)
		inode->i_gid = attr->ia_gid;
	if (ia_valid & ATTR_ATIME)
		inode->i_atime = timestamp_truncate(attr->ia_atime, inode);
	if (ia_valid & ATTR_MTIME)
		inode->i_mtime = timestamp_truncate(attr->ia_mtime, inode);
	if (ia_valid & ATTR_CTIME)
		inode->i_ctime = timestamp_truncate(attr->ia_ctime, inode);
	if (ia_valid & ATTR_MODE) {
		umode_t mode = attr->ia_mode;

		if (!in_group_p(inode->i_gid) && !capable_wrt_inode_uidgid(inode, CAP_FSETID))
			mode &= ~S_ISGID;
		inode->i_mode = mode;
	}
}

/* Times set to "now" may be asked for by whoever may write. */
static int may_setattr(struct inode *inode, unsigned int ia_valid)
{
	if (ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_TIMES_SET) && (IS_IMMUTABLE(inode) || IS_APPEND(inode)))
		return -EPERM;
	if (ia_valid & ATTR_TOUCH) {
		if (IS_IMMUTABLE(inode))
			return -EPERM;
		if (!inode_owner_or_capable(inode))
			return inode_permission(inode, MAY_WRITE);
	}
	return 0;
}

/* ATTR_KILL_*: the set-id bits go, as a change of mode when none is asked for. */
static void kill_set_ids(const struct inode *inode, struct iattr *attr)
{
	unsigned int ia_valid = attr->ia_valid;
	umode_t mode = inode->i_mode;

	if (ia_valid & ATTR_KILL_SUID && mode & S_ISUID) {
		ia_valid |= ATTR_MODE;
		attr->ia_mode = mode & ~S_ISUID;
	}
	if (ia_valid & ATTR_KILL_SGID && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		if (!(ia_valid & ATTR_MODE)) {
			ia_valid |= ATTR_MODE;
			attr->ia_mode = mode;
		}
		attr->ia_mode &= ~S_ISGID;
	}
	attr->ia_valid = ia_valid & ~(ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_KILL_PRIV);
}

int notify_change(struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct timespec64 now;
	int err = may_setattr(inode, attr->ia_valid);

	lockdep_assert_held_write(&inode->i_rwsem);
	if (err)
		return err;
	now = current_time(inode);
	if (attr->ia_valid & ATTR_MODE && S_ISLNK(inode->i_mode))
		return -EOPNOTSUPP;
	attr->ia_ctime = now;
	if (!(attr->ia_valid & ATTR_ATIME_SET))
		attr->ia_atime = now;
	if (!(attr->ia_valid & ATTR_MTIME_SET))
		attr->ia_mtime = now;
	if (attr->ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_KILL_PRIV))
		kill_set_ids(inode, attr);
	if (!(attr->ia_valid & ~(ATTR_FILE | ATTR_OPEN | ATTR_FORCE)))
		return 0;
	err = inode->i_op->setattr ? inode->i_op->setattr(dentry, attr) : simple_setattr(dentry, attr);
	if (!err)
		fsnotify_change(dentry, attr->ia_valid);
	return err;
}
