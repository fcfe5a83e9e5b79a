/*
 * permission.c: may the running task do that to this inode?
 *
 * Idea:    owner, group or others: the first class that fits decides alone; then CAP_DAC_OVERRIDE and
 *          CAP_DAC_READ_SEARCH.  A directory that everybody may search needs no credentials at all: the common case of a walk.
 * Context: any, MAY_NOT_BLOCK under RCU.
 * See:     path_resolution(7), capabilities(7), proc_sys_fs(5) "protected_*"
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/mount.h>
#include <weft/cred.h>
#include <weft/posix_acl.h>
#include <weft/sched.h>
#include <weft/proc_fs.h>
#include "internal.h"

int sysctl_protected_symlinks = 1;
int sysctl_protected_hardlinks = 1;
int sysctl_protected_fifos;
int sysctl_protected_regular;

/* By the mode bits, and a list if there is one: only then can the group's bits, its mask, be other than 0. */
static int mode_permission(struct inode *inode, int mask)
{
	unsigned int mode = inode->i_mode;

	if (IS_POSIXACL(inode) && mode & S_IRWXG && !uid_eq(current_fsuid(), inode->i_uid)) {
		int ret = check_acl(inode, mask);

		if (ret != -EAGAIN)
			return ret;
	}
	mask &= 7;
	if (likely(uid_eq(current_fsuid(), inode->i_uid)))
		mode >>= 6;
	else if ((mask & (mode ^ (mode >> 3))) && in_group_p(inode->i_gid))	/* only when the two classes differ */
		mode >>= 3;
	return mask & ~mode ? -EACCES : 0;
}

int generic_permission(struct inode *inode, int mask)
{
	int ret = mode_permission(inode, mask);

	if (likely(ret != -EACCES))
		return ret;
	if (S_ISDIR(inode->i_mode)) {
		if (!(mask & MAY_WRITE) && capable_wrt_inode_uidgid(inode, CAP_DAC_READ_SEARCH))
			return 0;
		return capable_wrt_inode_uidgid(inode, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (mask == MAY_READ && capable_wrt_inode_uidgid(inode, CAP_DAC_READ_SEARCH))
		return 0;
	/* Nobody may execute what has no x bit at all. */
	if ((!(mask & MAY_EXEC) || inode->i_mode & S_IXUGO) && capable_wrt_inode_uidgid(inode, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

static int do_inode_permission(struct inode *inode, int mask)
{
	if (unlikely(!(inode->i_opflags & IOP_FASTPERM))) {
		if (inode->i_op->permission)
			return inode->i_op->permission(inode, mask);
		spin_lock(&inode->i_lock);
		inode->i_opflags |= IOP_FASTPERM;
		spin_unlock(&inode->i_lock);
	}
	return generic_permission(inode, mask);
}

int inode_permission(struct inode *inode, int mask)
{
	if (unlikely(mask & MAY_WRITE)) {
		umode_t mode = inode->i_mode;

		if (sb_rdonly(inode->i_sb) && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
			return -EROFS;
		if (IS_IMMUTABLE(inode))
			return -EPERM;
	}
	return do_inode_permission(inode, mask);
}

int path_permission(const struct path *path, int mask)
{
	return inode_permission(d_inode(path->dentry), mask);
}

/* In a sticky directory only the owner of the name or of the directory may remove or rename: non-zero says no. */
int __check_sticky(struct inode *dir, struct inode *inode)
{
	kuid_t fsuid = current_fsuid();

	if (uid_eq(inode->i_uid, fsuid) || uid_eq(dir->i_uid, fsuid))
		return 0;
	return !capable_wrt_inode_uidgid(inode, CAP_FOWNER);
}

/*
 * May the name victim be removed from dir?  -ENOENT it is not there, -EACCES, -EPERM, -ENOTDIR, -EISDIR, -EBUSY.
 */
int may_delete(struct inode *dir, struct dentry *victim, bool isdir)
{
	struct inode *inode = d_inode(victim);
	int err;

	if (d_is_negative(victim))
		return -ENOENT;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (IS_APPEND(dir))
		return -EPERM;
	if (check_sticky(dir, inode) || IS_APPEND(inode) || IS_IMMUTABLE(inode) || IS_SWAPFILE(inode))
		return -EPERM;
	if (isdir) {
		if (!d_is_dir(victim))
			return -ENOTDIR;
		if (IS_ROOT(victim))
			return -EBUSY;
	} else if (d_is_dir(victim)) {
		return -EISDIR;
	}
	return IS_DEADDIR(dir) ? -ENOENT : 0;
}

int may_create(struct inode *dir, struct dentry *child)
{
	if (child->d_inode)
		return -EEXIST;
	if (IS_DEADDIR(dir))
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}

static const int zero, one = 1, two = 2;
static const struct ctl_table permission_table[] = {
	{ "protected_symlinks", &sysctl_protected_symlinks, sizeof(int), 0600, proc_dointvec_minmax, &zero, &one },
	{ "protected_hardlinks", &sysctl_protected_hardlinks, sizeof(int), 0600, proc_dointvec_minmax, &zero, &one },
	{ "protected_fifos", &sysctl_protected_fifos, sizeof(int), 0600, proc_dointvec_minmax, &zero, &two },
	{ "protected_regular", &sysctl_protected_regular, sizeof(int), 0600, proc_dointvec_minmax, &zero, &two },
	{ },
};

static int __init permission_init(void)
{
	return register_sysctl("fs", permission_table);
}
fs_initcall(permission_init);
