/*
 * namei_rename.c: rename(2) and its relations: RENAME_NOREPLACE, RENAME_EXCHANGE.
 *
 * Locking: s_vfs_rename_mutex (only for two different parents: then nobody else changes who is above whom) -> i_rwsem of
 *          the parents, ancestor first -> i_rwsem of source and target when they are not directories.
 * See:     namei_ops.c; rename(2)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/string.h>
#include <weft/cred.h>
#include <weft/fsnotify.h>
#include <weft/syscalls.h>
#include "internal.h"

/*
 * Locks two directories.  Returns the child of one that is an ancestor of the other (a rename across it would make a loop
 * or move a directory into itself), or NULL.
 */
struct dentry *lock_rename(struct dentry *p1, struct dentry *p2) __no_context_analysis	/* three locks, or one if p1 == p2 */
{
	struct dentry *p;

	if (p1 == p2) {
		inode_lock_nested(d_inode(p1), I_MUTEX_PARENT);
		return NULL;
	}
	mutex_lock(&p1->d_sb->s_vfs_rename_mutex);
	p = d_ancestor(p2, p1);
	if (p) {
		inode_lock_nested(d_inode(p2), I_MUTEX_PARENT);
		inode_lock_nested(d_inode(p1), I_MUTEX_CHILD);
		return p;
	}
	p = d_ancestor(p1, p2);
	inode_lock_nested(d_inode(p1), I_MUTEX_PARENT);
	inode_lock_nested(d_inode(p2), p ? I_MUTEX_CHILD : I_MUTEX_PARENT2);
	return p;
}

void unlock_rename(struct dentry *p1, struct dentry *p2) __no_context_analysis	/* as above */
{
	inode_unlock(d_inode(p1));
	if (p1 != p2) {
		inode_unlock(d_inode(p2));
		mutex_unlock(&p1->d_sb->s_vfs_rename_mutex);
	}
}

static int may_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	bool is_dir = d_is_dir(old);
	int err = may_delete(old_dir, old, is_dir);

	if (err)
		return err;
	if (!d_inode(new))
		err = may_create(new_dir, new);
	else
		err = may_delete(new_dir, new, flags & RENAME_EXCHANGE ? d_is_dir(new) : is_dir);
	if (err)
		return err;
	if (!old_dir->i_op->rename)
		return -EPERM;
	/* A directory that gets another parent has its ".." written. */
	if (new_dir != old_dir && is_dir)
		err = inode_permission(d_inode(old), MAY_WRITE);
	if (!err && new_dir != old_dir && flags & RENAME_EXCHANGE && d_is_dir(new))
		err = inode_permission(d_inode(new), MAY_WRITE);
	return err;
}

/* Both parents locked by lock_rename(), both dentries held by the caller.  0 or -errno. */
int vfs_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	       unsigned int flags)
	__no_context_analysis	/* which files are locked follows from what they are */
{
	struct inode *source = d_inode(old_dentry), *target = d_inode(new_dentry);
	bool is_dir = d_is_dir(old_dentry), exchange = flags & RENAME_EXCHANGE;
	bool new_is_dir = target && d_is_dir(new_dentry);
	struct name_snapshot old_name;
	int err;

	if (source == target)
		return 0;		/* two names of one file: POSIX says do nothing */
	err = may_rename(old_dir, old_dentry, new_dir, new_dentry, flags);
	if (err)
		return err;
	take_dentry_name_snapshot(&old_name, old_dentry);
	dget(new_dentry);
	/* Directories are kept still by their parents' locks; other files by their own. */
	if (!is_dir || (exchange && !new_is_dir))
		lock_two_nondirectories(source, target);
	else if (target)
		inode_lock(target);

	err = -EBUSY;
	if (is_local_mountpoint(old_dentry) || is_local_mountpoint(new_dentry))
		goto out;
	if (is_dir && !exchange && target)
		shrink_dcache_parent(new_dentry);
	err = old_dir->i_op->rename(old_dir, old_dentry, new_dir, new_dentry, flags);
	if (err)
		goto out;
	if (!exchange && target) {
		if (is_dir)
			target->i_flags |= S_DEAD;
		dont_mount(new_dentry);
		detach_mounts(new_dentry);
	}
	if (!(old_dir->i_sb->s_type->fs_flags & FS_RENAME_DOES_D_MOVE)) {
		if (exchange)
			d_exchange(old_dentry, new_dentry);
		else
			d_move(old_dentry, new_dentry);
	}
out:
	if (!is_dir || (exchange && !new_is_dir))
		unlock_two_nondirectories(source, target);
	else if (target)
		inode_unlock(target);
	dput(new_dentry);
	if (!err) {
		fsnotify_move(old_dir, new_dir, &old_name.name, is_dir, exchange ? NULL : target, old_dentry);
		if (exchange)
			fsnotify_move(new_dir, old_dir, &old_dentry->d_name, new_is_dir, NULL, new_dentry);
	}
	release_dentry_name_snapshot(&old_name);
	return err;
}

/* The two last components are looked up, both parents locked. */
static int rename_locked(const struct path *old_path, const struct qstr *old_last, const struct path *new_path,
			 const struct qstr *new_last, struct dentry *trap, unsigned int flags)
{
	struct dentry *old, *new;
	int err;

	old = lookup_one_qstr(old_last, old_path->dentry, 0);
	if (IS_ERR(old))
		return PTR_ERR(old);
	err = -ENOENT;
	if (d_is_negative(old))
		goto put_old;
	new = lookup_one_qstr(new_last, new_path->dentry, LOOKUP_CREATE | LOOKUP_RENAME_TARGET);
	err = PTR_ERR(new);
	if (IS_ERR(new))
		goto put_old;
	err = -EEXIST;
	if (flags & RENAME_NOREPLACE && d_is_positive(new))
		goto put_new;
	if (flags & RENAME_EXCHANGE) {
		err = -ENOENT;
		if (d_is_negative(new))
			goto put_new;
		err = -ENOTDIR;
		if (!d_is_dir(new) && new_last->name[new_last->len])
			goto put_new;
	}
	if (!d_is_dir(old)) {
		err = -ENOTDIR;
		if (old_last->name[old_last->len] || (!(flags & RENAME_EXCHANGE) && new_last->name[new_last->len]))
			goto put_new;
	}
	err = -EINVAL;
	if (old == trap)
		goto put_new;		/* into itself */
	err = flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (new == trap)
		goto put_new;		/* onto a directory above it: not empty for sure */
	err = landlock_rename(old, new_path, new, flags & RENAME_EXCHANGE);
	if (!err)
		err = vfs_rename(d_inode(old_path->dentry), old, d_inode(new_path->dentry), new, flags);
put_new:
	dput(new);
put_old:
	dput(old);
	return err;
}

int do_renameat2(int olddfd, struct filename *from, int newdfd, struct filename *to, unsigned int flags)
{
	struct path old_path, new_path;
	struct qstr old_last, new_last;
	int old_type, new_type, err;
	struct dentry *trap;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT) && flags & RENAME_EXCHANGE)
		return -EINVAL;
	err = filename_parentat(olddfd, from, 0, &old_path, &old_last, &old_type);
	if (err)
		return err;
	err = filename_parentat(newdfd, to, 0, &new_path, &new_last, &new_type);
	if (err)
		goto put_old;
	err = -EXDEV;
	if (old_path.mnt != new_path.mnt)
		goto put_new;
	err = -EBUSY;
	if (old_type != LAST_NORM)
		goto put_new;
	if (flags & RENAME_NOREPLACE)
		err = -EEXIST;
	if (new_type != LAST_NORM)
		goto put_new;
	err = mnt_want_write(old_path.mnt);
	if (err)
		goto put_new;
	trap = lock_rename(new_path.dentry, old_path.dentry);
	err = rename_locked(&old_path, &old_last, &new_path, &new_last, trap, flags);
	unlock_rename(new_path.dentry, old_path.dentry);
	mnt_drop_write(old_path.mnt);
put_new:
	path_put(&new_path);
put_old:
	path_put(&old_path);
	return err;
}

long sys_renameat2(int olddfd, const char __user *oldname, int newdfd, const char __user *newname, unsigned int flags)
{
	struct short_name room1, room2;
	struct filename *from = getname_short(oldname, 0, &room1), *to;
	long err;

	if (IS_ERR(from))
		return PTR_ERR(from);
	to = getname_short(newname, 0, &room2);
	err = IS_ERR(to) ? PTR_ERR(to) : do_renameat2(olddfd, from, newdfd, to, flags);
	putname(to);
	putname(from);
	return err;
}

long sys_renameat(int olddfd, const char __user *oldname, int newdfd, const char __user *newname)
{
	return sys_renameat2(olddfd, oldname, newdfd, newname, 0);
}

long sys_rename(const char __user *oldname, const char __user *newname)
{
	return sys_renameat2(AT_FDCWD, oldname, AT_FDCWD, newname, 0);
}
