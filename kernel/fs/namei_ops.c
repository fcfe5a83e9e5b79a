/*
 * namei_ops.c: changing names: create, mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * Idea:    each vfs_*() checks rights and calls the file system with the directory locked; each do_*at() finds the parent,
 *          locks it, looks the last component up, and calls vfs_*().
 * Locking: i_rwsem of the parent, then of the victim (nested).  Two parents: lock_rename() takes the ancestor first, and
 *          s_vfs_rename_mutex before, so that ancestry cannot change meanwhile.
 * See:     rename(2), unlink(2), link(2); rename is in namei_rename.c
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/posix_acl.h>
#include <weft/fs_struct.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/uaccess.h>
#include <weft/fsnotify.h>
#include <weft/syscalls.h>
#include "internal.h"

/* ---- look-ups for others ---- */

int user_path_at_empty(int dfd, const char __user *name, unsigned int flags, struct path *path, int *empty)
{
	struct filename *filename = getname_flags(name, flags, empty);
	int err = filename_lookup(dfd, filename, flags, path, NULL);

	putname(filename);
	return err;
}

int user_path_at(int dfd, const char __user *name, unsigned int flags, struct path *path)
{
	struct short_name room;
	struct filename *filename = getname_short(name, flags, &room);
	int err = filename_lookup(dfd, filename, flags, path, NULL);

	putname(filename);
	return err;
}

int kern_path(const char *name, unsigned int flags, struct path *path)
{
	struct filename *filename = getname_kernel(name);
	int err = filename_lookup(AT_FDCWD, filename, flags, path, NULL);

	putname(filename);
	return err;
}

static int one_len_name(const char *name, struct dentry *base, int len, struct qstr *this)
{
	this->name = (const unsigned char *)name;
	this->len = len;
	if (!len || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return -EACCES;
	if (memchr(name, '/', len) || memchr(name, 0, len))
		return -EACCES;
	this->hash = full_name_hash(base, name, len);
	if (base->d_flags & DCACHE_OP_HASH) {
		int err = base->d_op->d_hash(base, this);

		if (err < 0)
			return err;
	}
	return inode_permission(d_inode(base), MAY_EXEC);
}

struct dentry *lookup_one_len(const char *name, struct dentry *base, int len)
{
	struct qstr this;
	int err = one_len_name(name, base, len, &this);

	return err ? ERR_PTR(err) : lookup_one_qstr(&this, base, 0);
}

/* The existing name, its parent locked and in *path.  ERR_PTR(-ENOENT) for a name that is not there. */
struct dentry *kern_path_locked(const char *name, struct path *path) __no_context_analysis	/* ERR_PTR: not locked */
{
	struct filename *filename = getname_kernel(name);
	struct dentry *d;
	struct qstr last;
	int type, err;

	err = filename_parentat(AT_FDCWD, filename, 0, path, &last, &type);
	if (err) {
		putname(filename);
		return ERR_PTR(err);
	}
	if (type != LAST_NORM) {
		path_put(path);
		putname(filename);
		return ERR_PTR(-EINVAL);
	}
	inode_lock_nested(d_inode(path->dentry), I_MUTEX_PARENT);
	d = lookup_one_qstr(&last, path->dentry, 0);
	if (!IS_ERR(d) && d_is_negative(d)) {
		dput(d);
		d = ERR_PTR(-ENOENT);
	}
	if (IS_ERR(d)) {
		inode_unlock(d_inode(path->dentry));
		path_put(path);
	}
	putname(filename);
	return d;
}

/* ---- making a name ---- */

struct dentry *filename_create(int dfd, struct filename *name, struct path *path, unsigned int lookup_flags)
	__no_context_analysis	/* ERR_PTR: not locked */
{
	unsigned int reval = lookup_flags & LOOKUP_REVAL;
	bool want_dir = lookup_flags & LOOKUP_DIRECTORY;
	struct dentry *dentry;
	struct qstr last;
	int type, err, no_write;

	err = filename_parentat(dfd, name, reval, path, &last, &type);
	if (err)
		return ERR_PTR(err);
	if (unlikely(type != LAST_NORM)) {
		err = -EEXIST;		/* ".", ".." and "/" are there for sure */
		goto put;
	}
	no_write = mnt_want_write(path->mnt);
	inode_lock_nested(d_inode(path->dentry), I_MUTEX_PARENT);
	dentry = lookup_one_qstr(&last, path->dentry, LOOKUP_CREATE | LOOKUP_EXCL | reval);
	err = PTR_ERR(dentry);
	if (IS_ERR(dentry))
		goto unlock;
	err = -EEXIST;
	if (d_is_positive(dentry))
		goto put_dentry;
	err = -ENOENT;
	if (unlikely(!want_dir && last.name[last.len]))
		goto put_dentry;	/* "name/" for what is no directory */
	err = no_write;
	if (unlikely(no_write))
		goto put_dentry;
	return dentry;

put_dentry:
	dput(dentry);
unlock:
	inode_unlock(d_inode(path->dentry));
	if (!no_write)
		mnt_drop_write(path->mnt);
put:
	path_put(path);
	return ERR_PTR(err);
}

struct dentry *kern_path_create(int dfd, const char *name, struct path *path, unsigned int flags)
{
	struct filename *filename = getname_kernel(name);
	struct dentry *res = IS_ERR(filename) ? ERR_CAST(filename) : filename_create(dfd, filename, path, flags);

	putname(filename);
	return res;
}

void done_path_create(struct path *path, struct dentry *dentry) __no_context_analysis	/* pair of filename_create() */
{
	dput(dentry);
	inode_unlock(d_inode(path->dentry));
	mnt_drop_write(path->mnt);
	path_put(path);
}

int vfs_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool want_excl)
{
	int err = may_create(dir, dentry);

	if (err)
		return err;
	if (!dir->i_op->create)
		return -EACCES;
	err = dir->i_op->create(dir, dentry, (mode & S_IALLUGO) | S_IFREG, want_excl);
	if (!err)
		fsnotify_create(dir, dentry);
	return err;
}

int vfs_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev)
{
	int err = may_create(dir, dentry);

	if (err)
		return err;
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !capable(CAP_MKNOD))
		return -EPERM;
	if (!dir->i_op->mknod)
		return -EPERM;
	err = dir->i_op->mknod(dir, dentry, mode, dev);
	if (!err)
		fsnotify_create(dir, dentry);
	return err;
}

int do_mknodat(int dfd, struct filename *name, umode_t mode, unsigned int dev)
{
	struct dentry *dentry;
	struct path path;
	int err;

	switch (mode & S_IFMT) {
	case 0: case S_IFREG: case S_IFCHR: case S_IFBLK: case S_IFIFO: case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	dentry = filename_create(dfd, name, &path, 0);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	mode = mode_strip_umask(d_inode(path.dentry), mode);
	err = landlock_make(&path, mode);
	if (err)
		goto done;
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
		err = vfs_create(d_inode(path.dentry), dentry, mode, true);
		break;
	case S_IFCHR:
	case S_IFBLK:
		err = vfs_mknod(d_inode(path.dentry), dentry, mode, new_decode_dev(dev));
		break;
	default:
		err = vfs_mknod(d_inode(path.dentry), dentry, mode, 0);
	}
done:
	done_path_create(&path, dentry);
	return err;
}

long sys_mknodat(int dfd, const char __user *filename, umode_t mode, unsigned int dev)
{
	struct short_name room;
	struct filename *name = getname_short(filename, 0, &room);
	long err = IS_ERR(name) ? PTR_ERR(name) : do_mknodat(dfd, name, mode, dev);

	putname(name);
	return err;
}

long sys_mknod(const char __user *filename, umode_t mode, unsigned int dev)
{
	return sys_mknodat(AT_FDCWD, filename, mode, dev);
}

int vfs_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	int err = may_create(dir, dentry);

	if (err)
		return err;
	if (!dir->i_op->mkdir)
		return -EPERM;
	err = dir->i_op->mkdir(dir, dentry, mode & (S_IRWXUGO | S_ISVTX));
	if (!err)
		fsnotify_mkdir(dir, dentry);
	return err;
}

int do_mkdirat(int dfd, struct filename *name, umode_t mode)
{
	struct path path;
	struct dentry *dentry = filename_create(dfd, name, &path, LOOKUP_DIRECTORY);
	int err;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	err = landlock_make(&path, S_IFDIR);
	if (!err)
		err = vfs_mkdir(d_inode(path.dentry), dentry, mode_strip_umask(d_inode(path.dentry), mode));
	done_path_create(&path, dentry);
	return err;
}

long sys_mkdirat(int dfd, const char __user *pathname, umode_t mode)
{
	struct short_name room;
	struct filename *name = getname_short(pathname, 0, &room);
	long err = IS_ERR(name) ? PTR_ERR(name) : do_mkdirat(dfd, name, mode);

	putname(name);
	return err;
}

long sys_mkdir(const char __user *pathname, umode_t mode)
{
	return sys_mkdirat(AT_FDCWD, pathname, mode);
}

int vfs_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	int err = may_create(dir, dentry);

	if (err)
		return err;
	if (!dir->i_op->symlink)
		return -EPERM;
	err = dir->i_op->symlink(dir, dentry, target);
	if (!err)
		fsnotify_create(dir, dentry);
	return err;
}

int do_symlinkat(struct filename *from, int newdfd, struct filename *to)
{
	struct path path;
	struct dentry *dentry = filename_create(newdfd, to, &path, 0);
	int err;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	err = landlock_make(&path, S_IFLNK);
	if (!err)
		err = vfs_symlink(d_inode(path.dentry), dentry, from->name);
	done_path_create(&path, dentry);
	return err;
}

long sys_symlinkat(const char __user *oldname, int newdfd, const char __user *newname)
{
	struct short_name room1, room2;
	struct filename *from = getname_short(oldname, 0, &room1), *to;
	long err;

	if (IS_ERR(from))
		return PTR_ERR(from);
	to = getname_short(newname, 0, &room2);
	err = IS_ERR(to) ? PTR_ERR(to) : do_symlinkat(from, newdfd, to);
	putname(to);
	putname(from);
	return err;
}

long sys_symlink(const char __user *oldname, const char __user *newname)
{
	return sys_symlinkat(oldname, AT_FDCWD, newname);
}

/* ---- hard links ---- */

int vfs_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	int err;

	if (!inode)
		return -ENOENT;
	err = may_create(dir, dentry);
	if (err)
		return err;
	if (dir->i_sb != inode->i_sb)
		return -EXDEV;
	if (IS_APPEND(inode) || IS_IMMUTABLE(inode) || !dir->i_op->link || S_ISDIR(inode->i_mode))
		return -EPERM;
	inode_lock(inode);
	if (!inode->i_nlink && !(inode->i_state & I_LINKABLE))
		err = -ENOENT;		/* removed, or O_TMPFILE | O_EXCL */
	else
		err = dir->i_op->link(old, dir, dentry);
	if (!err && inode->i_state & I_LINKABLE) {
		spin_lock(&inode->i_lock);
		inode->i_state &= ~I_LINKABLE;
		spin_unlock(&inode->i_lock);
	}
	inode_unlock(inode);
	if (!err) {
		fsnotify_link_count(inode);
		fsnotify_create(dir, dentry);
	}
	return err;
}

/* protected_hardlinks: no link to what one does not own, unless one could write it and it is harmless. */
static int may_linkat(const struct path *link)
{
	struct inode *inode = d_inode(link->dentry);
	umode_t mode = inode->i_mode;

	if (!sysctl_protected_hardlinks || inode_owner_or_capable(inode))
		return 0;
	if (!S_ISREG(mode) || mode & S_ISUID || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(inode, MAY_READ | MAY_WRITE) ? -EPERM : 0;
}

int do_linkat(int olddfd, struct filename *old, int newdfd, struct filename *new, int flags)
{
	struct path old_path, new_path;
	struct dentry *dentry;
	unsigned int how = 0;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	how |= flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	how |= flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	err = filename_lookup(olddfd, old, how, &old_path, NULL);
	if (err)
		return err;
	dentry = filename_create(newdfd, new, &new_path, 0);
	err = PTR_ERR(dentry);
	if (IS_ERR(dentry))
		goto put_old;
	err = -EXDEV;
	if (old_path.mnt == new_path.mnt) {
		err = may_linkat(&old_path);
		if (!err)
			err = landlock_link(old_path.dentry, &new_path);
		if (!err)
			err = vfs_link(old_path.dentry, d_inode(new_path.dentry), dentry);
	}
	done_path_create(&new_path, dentry);
put_old:
	path_put(&old_path);
	return err;
}

long sys_linkat(int olddfd, const char __user *oldname, int newdfd, const char __user *newname, int flags)
{
	struct short_name room1, room2;
	struct filename *old = getname_short(oldname, flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0, &room1), *new;
	long err;

	if (IS_ERR(old))
		return PTR_ERR(old);
	new = getname_short(newname, 0, &room2);
	err = IS_ERR(new) ? PTR_ERR(new) : do_linkat(olddfd, old, newdfd, new, flags);
	putname(new);
	putname(old);
	return err;
}

long sys_link(const char __user *oldname, const char __user *newname)
{
	return sys_linkat(AT_FDCWD, oldname, AT_FDCWD, newname, 0);
}

/* ---- removing a name ---- */

int vfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	int err = may_delete(dir, dentry, true);

	if (err)
		return err;
	if (!dir->i_op->rmdir)
		return -EPERM;
	dget(dentry);
	inode_lock(d_inode(dentry));
	err = -EBUSY;
	if (is_local_mountpoint(dentry))
		goto out;
	err = dir->i_op->rmdir(dir, dentry);
	if (err)
		goto out;
	shrink_dcache_parent(dentry);
	d_inode(dentry)->i_flags |= S_DEAD;
	dont_mount(dentry);
	detach_mounts(dentry);
out:
	inode_unlock(d_inode(dentry));
	dput(dentry);
	if (!err) {
		fsnotify_rmdir(dir, dentry);
		d_delete(dentry);
	}
	return err;
}

int vfs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *target = d_inode(dentry);
	int err = may_delete(dir, dentry, false);

	if (err)
		return err;
	if (!dir->i_op->unlink)
		return -EPERM;
	inode_lock(target);
	if (is_local_mountpoint(dentry)) {
		err = -EBUSY;
	} else {
		err = dir->i_op->unlink(dir, dentry);
		if (!err) {
			dont_mount(dentry);
			detach_mounts(dentry);
		}
	}
	inode_unlock(target);
	if (!err) {
		fsnotify_link_count(target);
		fsnotify_unlink(dir, dentry);
		d_delete(dentry);
	}
	return err;
}

int do_rmdir(int dfd, struct filename *name)
{
	struct dentry *dentry;
	struct path path;
	struct qstr last;
	int type, err = filename_parentat(dfd, name, 0, &path, &last, &type);

	if (err)
		return err;
	err = type == LAST_DOTDOT ? -ENOTEMPTY : type == LAST_DOT ? -EINVAL : type == LAST_ROOT ? -EBUSY : 0;
	if (err)
		goto put;
	err = mnt_want_write(path.mnt);
	if (err)
		goto put;
	inode_lock_nested(d_inode(path.dentry), I_MUTEX_PARENT);
	dentry = lookup_one_qstr(&last, path.dentry, 0);
	err = PTR_ERR(dentry);
	if (!IS_ERR(dentry)) {
		err = d_is_negative(dentry) ? -ENOENT : landlock_remove(&path, dentry);
		if (!err)
			err = vfs_rmdir(d_inode(path.dentry), dentry);
		dput(dentry);
	}
	inode_unlock(d_inode(path.dentry));
	mnt_drop_write(path.mnt);
put:
	path_put(&path);
	return err;
}

int do_unlinkat(int dfd, struct filename *name)
{
	struct inode *inode = NULL;
	struct dentry *dentry;
	struct path path;
	struct qstr last;
	int type, err = filename_parentat(dfd, name, 0, &path, &last, &type);

	if (err)
		return err;
	err = -EISDIR;
	if (type != LAST_NORM)
		goto put;
	err = mnt_want_write(path.mnt);
	if (err)
		goto put;
	inode_lock_nested(d_inode(path.dentry), I_MUTEX_PARENT);
	dentry = lookup_one_qstr(&last, path.dentry, 0);
	err = PTR_ERR(dentry);
	if (IS_ERR(dentry))
		goto unlock;
	if (d_is_negative(dentry)) {
		err = -ENOENT;
	} else if (last.name[last.len]) {	/* a slash behind it */
		err = d_is_dir(dentry) ? -EISDIR : -ENOTDIR;
	} else {
		inode = d_inode(dentry);
		ihold(inode);		/* its pages may go only after the directory is unlocked: that takes long */
		err = landlock_remove(&path, dentry);
		if (!err)
			err = vfs_unlink(d_inode(path.dentry), dentry);
	}
	dput(dentry);
unlock:
	inode_unlock(d_inode(path.dentry));
	iput(inode);
	mnt_drop_write(path.mnt);
put:
	path_put(&path);
	return err;
}

long sys_rmdir(const char __user *pathname)
{
	return sys_unlinkat(AT_FDCWD, pathname, AT_REMOVEDIR);
}

long sys_unlinkat(int dfd, const char __user *pathname, int flag)
{
	struct short_name room;
	struct filename *name;
	long err;

	if (flag & ~AT_REMOVEDIR)
		return -EINVAL;
	name = getname_short(pathname, 0, &room);
	if (IS_ERR(name))
		return PTR_ERR(name);
	err = flag & AT_REMOVEDIR ? do_rmdir(dfd, name) : do_unlinkat(dfd, name);
	putname(name);
	return err;
}

long sys_unlink(const char __user *pathname)
{
	return sys_unlinkat(AT_FDCWD, pathname, 0);
}
