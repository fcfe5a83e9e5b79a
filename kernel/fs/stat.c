/*
 * stat.c: stat(2), statx(2), readlink(2).
 *
 * Idea:    most look-ups stay under RCU to the end: the attributes are copied from the inode there and the walk's sequence
 *          numbers say whether they may be believed (filename_peek), so stat() takes no reference at all.  File systems
 *          with a ->getattr() of their own are asked with references.
 * See:     stat(2), inode(7), statx(2), readlink(2)
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <asm/page.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include "internal.h"

void generic_fillattr(struct inode *inode, struct kstat *stat)
{
	stat->dev = inode->i_sb->s_dev;
	stat->ino = inode->i_ino;
	stat->mode = inode->i_mode;
	stat->nlink = inode->i_nlink;
	stat->uid = inode->i_uid;
	stat->gid = inode->i_gid;
	stat->rdev = inode->i_rdev;
	stat->size = i_size_read(inode);
	stat->atime = inode->i_atime;
	stat->mtime = inode->i_mtime;
	stat->ctime = inode->i_ctime;
	stat->blksize = i_blocksize(inode);
	stat->blocks = inode->i_blocks;
}

static void start_stat(const struct path *path, struct inode *inode, struct kstat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->result_mask = STATX_BASIC_STATS | STATX_MNT_ID;
	stat->mnt_id = real_mount(path->mnt)->mnt_id;
	stat->attributes_mask = STATX_ATTR_AUTOMOUNT | STATX_ATTR_MOUNT_ROOT | STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
	if (path->mnt->mnt_root == path->dentry)
		stat->attributes |= STATX_ATTR_MOUNT_ROOT;
	if (IS_IMMUTABLE(inode))
		stat->attributes |= STATX_ATTR_IMMUTABLE;
	if (IS_APPEND(inode))
		stat->attributes |= STATX_ATTR_APPEND;
}

/* May sleep in ->getattr(). */
int vfs_getattr(const struct path *path, struct kstat *stat, u32 request_mask, unsigned int query_flags)
{
	struct inode *inode = d_inode(path->dentry);

	start_stat(path, inode, stat);
	if (inode->i_op->getattr)
		return inode->i_op->getattr(path, stat, request_mask, query_flags);
	generic_fillattr(inode, stat);
	return 0;
}

struct stat_args {
	struct kstat	*stat;
	u32		request_mask;
	unsigned int	flags;
};

static int stat_peek(const struct path *path, struct inode *inode, bool rcu, void *data)
{
	struct stat_args *args = data;
	int (*getattr)(const struct path *, struct kstat *, u32, unsigned int);

	if (!rcu)
		return vfs_getattr(path, args->stat, args->request_mask, args->flags);
	getattr = inode->i_op->getattr;
	if (getattr && getattr != simple_getattr)
		return -ECHILD;
	start_stat(path, inode, args->stat);
	generic_fillattr(inode, args->stat);
	if (getattr)
		args->stat->blocks = inode->i_mapping->nrpages << (PAGE_SHIFT - 9);
	return 0;
}

int vfs_fstat(int fd, struct kstat *stat)
{
	struct fd f = fdget_raw(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = vfs_getattr(&f.file->f_path, stat, STATX_BASIC_STATS, 0);
	fdput(f);
	return err;
}

static unsigned int lookup_flags_of(int flags)
{
	unsigned int lookup = LOOKUP_AUTOMOUNT;

	lookup |= flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	lookup |= flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	return lookup;
}

/* fstat(3) of a C library: an empty name, which is seen with one look at user memory. */
static bool name_is_empty(const char __user *name)
{
	char c;

	return !get_user(c, name) && !c;
}

int vfs_statx(int dfd, const char __user *filename, int flags, struct kstat *stat, u32 request_mask)
{
	struct stat_args args = { .stat = stat, .request_mask = request_mask, .flags = flags & AT_STATX_SYNC_TYPE };
	unsigned int lookup = lookup_flags_of(flags);
	struct short_name room;
	struct filename *name;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && dfd >= 0 && name_is_empty(filename))
		return vfs_fstat(dfd, stat);
	name = getname_short(filename, lookup, &room);
	if (IS_ERR(name))
		return PTR_ERR(name);
	err = filename_peek(dfd, name, lookup, stat_peek, &args);
	putname(name);
	return err;
}

/* The owner as the caller's namespace knows it. */
static uid_t shown_uid(const struct kstat *stat)
{
	return from_kuid_munged(current_user_ns(), stat->uid);
}

static gid_t shown_gid(const struct kstat *stat)
{
	return from_kgid_munged(current_user_ns(), stat->gid);
}

/* A 32-bit program asked by a call that knows no larger numbers. */
static int cp_compat_stat(const struct kstat *stat, void __user *statbuf)
{
	struct compat_stat tmp = {
		.st_dev = (u32)old_encode_dev(stat->dev), .st_ino = (u32)stat->ino, .st_mode = stat->mode,
		.st_nlink = (u16)stat->nlink, .st_uid = high2lowuid(shown_uid(stat)), .st_gid = high2lowuid(shown_gid(stat)),
		.st_rdev = (u32)old_encode_dev(stat->rdev), .st_size = (u32)stat->size, .st_blksize = stat->blksize,
		.st_blocks = (u32)stat->blocks, .st_atime = (u32)stat->atime.tv_sec, .st_atime_nsec = (u32)stat->atime.tv_nsec,
		.st_mtime = (u32)stat->mtime.tv_sec, .st_mtime_nsec = (u32)stat->mtime.tv_nsec,
		.st_ctime = (u32)stat->ctime.tv_sec, .st_ctime_nsec = (u32)stat->ctime.tv_nsec,
	};

	if (tmp.st_ino != stat->ino || tmp.st_nlink != stat->nlink || stat->size > MAX_NON_LFS)
		return -EOVERFLOW;
	return copy_to_user(statbuf, &tmp, sizeof(tmp)) ? -EFAULT : 0;
}

/* stat64, lstat64, fstat64, fstatat64 of 32-bit programs. */
int cp_compat_stat64(const struct kstat *stat, void __user *statbuf)
{
	struct compat_stat64 tmp = {
		.st_dev = new_encode_dev(stat->dev), .old_ino = (u32)stat->ino, .st_mode = stat->mode, .st_nlink = stat->nlink,
		.st_uid = shown_uid(stat), .st_gid = shown_gid(stat), .st_rdev = new_encode_dev(stat->rdev),
		.st_size = stat->size, .st_blksize = stat->blksize, .st_blocks = (s64)stat->blocks,
		.st_atime = (u32)stat->atime.tv_sec, .st_atime_nsec = (u32)stat->atime.tv_nsec,
		.st_mtime = (u32)stat->mtime.tv_sec, .st_mtime_nsec = (u32)stat->mtime.tv_nsec,
		.st_ctime = (u32)stat->ctime.tv_sec, .st_ctime_nsec = (u32)stat->ctime.tv_nsec, .st_ino = stat->ino,
	};

	return copy_to_user(statbuf, &tmp, sizeof(tmp)) ? -EFAULT : 0;
}

static int cp_new_stat(const struct kstat *stat, struct stat __user *statbuf)
{
	struct stat tmp = {
		.st_dev = new_encode_dev(stat->dev), .st_ino = stat->ino, .st_nlink = stat->nlink, .st_mode = stat->mode,
		.st_uid = shown_uid(stat), .st_gid = shown_gid(stat), .st_rdev = new_encode_dev(stat->rdev),
		.st_size = stat->size, .st_blksize = stat->blksize, .st_blocks = stat->blocks,
		.st_atime = stat->atime.tv_sec, .st_atime_nsec = stat->atime.tv_nsec,
		.st_mtime = stat->mtime.tv_sec, .st_mtime_nsec = stat->mtime.tv_nsec,
		.st_ctime = stat->ctime.tv_sec, .st_ctime_nsec = stat->ctime.tv_nsec,
	};

	if (in_compat_syscall())
		return cp_compat_stat(stat, statbuf);
	return copy_to_user(statbuf, &tmp, sizeof(tmp)) ? -EFAULT : 0;
}

long sys_newfstatat(int dfd, const char __user *filename, struct stat __user *statbuf, int flag)
{
	struct kstat stat;
	int err = vfs_statx(dfd, filename, flag & ~AT_STATX_SYNC_TYPE, &stat, STATX_BASIC_STATS);

	return err ? err : cp_new_stat(&stat, statbuf);
}

long sys_newstat(const char __user *filename, struct stat __user *statbuf)
{
	return sys_newfstatat(AT_FDCWD, filename, statbuf, 0);
}

long sys_newlstat(const char __user *filename, struct stat __user *statbuf)
{
	return sys_newfstatat(AT_FDCWD, filename, statbuf, AT_SYMLINK_NOFOLLOW);
}

long sys_newfstat(unsigned int fd, struct stat __user *statbuf)
{
	struct kstat stat;
	int err = vfs_fstat(fd, &stat);

	return err ? err : cp_new_stat(&stat, statbuf);
}

static struct statx_timestamp to_statx_time(struct timespec64 t)
{
	return (struct statx_timestamp){ .tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec };
}

static int cp_statx(const struct kstat *stat, struct statx __user *buffer)
{
	struct statx tmp = {
		.stx_mask = stat->result_mask, .stx_blksize = stat->blksize, .stx_attributes = stat->attributes,
		.stx_nlink = stat->nlink, .stx_uid = shown_uid(stat), .stx_gid = shown_gid(stat), .stx_mode = stat->mode,
		.stx_ino = stat->ino, .stx_size = stat->size, .stx_blocks = stat->blocks,
		.stx_attributes_mask = stat->attributes_mask,
		.stx_atime = to_statx_time(stat->atime), .stx_btime = to_statx_time(stat->btime),
		.stx_ctime = to_statx_time(stat->ctime), .stx_mtime = to_statx_time(stat->mtime),
		.stx_rdev_major = MAJOR(stat->rdev), .stx_rdev_minor = MINOR(stat->rdev),
		.stx_dev_major = MAJOR(stat->dev), .stx_dev_minor = MINOR(stat->dev), .stx_mnt_id = stat->mnt_id,
	};

	return copy_to_user(buffer, &tmp, sizeof(tmp)) ? -EFAULT : 0;
}

/* With a name that has been copied already (io_uring). */
int do_statx(int dfd, struct filename *name, unsigned int flags, unsigned int mask, struct statx __user *buffer)
{
	struct kstat stat;
	struct stat_args args = { .stat = &stat, .request_mask = mask, .flags = flags & AT_STATX_SYNC_TYPE };
	int err;

	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && dfd >= 0 && !name->name[0])
		err = vfs_fstat(dfd, &stat);
	else
		err = filename_peek(dfd, name, lookup_flags_of((int)flags), stat_peek, &args);
	return err ? err : cp_statx(&stat, buffer);
}

long sys_statx(int dfd, const char __user *filename, unsigned int flags, unsigned int mask, struct statx __user *buffer)
{
	struct kstat stat;
	int err;

	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	err = vfs_statx(dfd, filename, flags, &stat, mask);
	return err ? err : cp_statx(&stat, buffer);
}

/* ---- readlink(2) ---- */

int readlink_copy(char __user *buffer, int buflen, const char *link)
{
	int len;

	if (IS_ERR(link))
		return PTR_ERR(link);
	len = min((int)strlen(link), buflen);
	return copy_to_user(buffer, link, len) ? -EFAULT : len;
}

/* The text of a symbolic link; do_delayed_call(done) when it is no longer needed.  ERR_PTR. */
const char *vfs_get_link(struct dentry *dentry, struct delayed_call *done)
{
	struct inode *inode = d_inode(dentry);

	clear_delayed_call(done);
	if (!d_is_symlink(dentry))
		return ERR_PTR(-EINVAL);
	return inode->i_link ? inode->i_link : inode->i_op->get_link(dentry, inode, done);
}

int vfs_readlink(struct dentry *dentry, char __user *buffer, int buflen)
{
	struct inode *inode = d_inode(dentry);
	struct delayed_call done;
	const char *link;
	int res;

	if (inode->i_op->readlink)
		return inode->i_op->readlink(dentry, buffer, buflen);
	link = vfs_get_link(dentry, &done);
	res = readlink_copy(buffer, buflen, link);
	do_delayed_call(&done);
	return res;
}

long sys_readlinkat(int dfd, const char __user *pathname, char __user *buf, int bufsiz)
{
	struct path path;
	struct inode *inode;
	int err, empty = 0;

	if (bufsiz <= 0)
		return -EINVAL;
	err = user_path_at_empty(dfd, pathname, LOOKUP_EMPTY, &path, &empty);
	if (err)
		return err;
	inode = d_inode(path.dentry);
	/* An empty name means the O_PATH descriptor of a link: what it is not, is not there. */
	err = empty ? -ENOENT : -EINVAL;
	if (d_is_symlink(path.dentry) || inode->i_op->readlink) {
		touch_atime(&path);
		err = vfs_readlink(path.dentry, buf, bufsiz);
	}
	path_put(&path);
	return err;
}

long sys_readlink(const char __user *path, char __user *buf, int bufsiz)
{
	return sys_readlinkat(AT_FDCWD, path, buf, bufsiz);
}
