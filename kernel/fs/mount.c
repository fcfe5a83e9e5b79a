/*
 * mount.c: what mount(2), umount2(2) and pivot_root(2) do with the tree of mounts.
 *
 * Idea:    every change first gets what can fail (memory, the file system itself, copies for peers), then takes mount_lock
 *          and makes the new tree visible in one step.
 * Locking: lock_mount(): i_rwsem of the mount point's directory -> namespace_sem; then s_umount is never taken.
 * See:     namespace.c; mount(2), umount(2), pivot_root(2)
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/fs_struct.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/mm.h>
#include <weft/nsproxy.h>
#include "internal.h"

/* ---- the place ---- */

/*
 * *path becomes the topmost place there, its i_rwsem and namespace_sem are taken.  The mount point with a count, or
 * ERR_PTR with nothing locked.
 */
struct mountpoint *lock_mount(struct path *path) __no_context_analysis	/* which inode shows only when it is locked */
{
	struct mountpoint *mp;
	struct vfsmount *mnt;

	for (;;) {
		struct dentry *dentry = path->dentry;

		inode_lock(d_inode(dentry));
		if (unlikely(cant_mount(dentry))) {
			inode_unlock(d_inode(dentry));
			return ERR_PTR(-ENOENT);
		}
		namespace_lock();
		mnt = lookup_mnt(path);
		if (likely(!mnt)) {
			mp = get_mountpoint(dentry);
			if (!IS_ERR(mp))
				return mp;
			namespace_unlock();
			inode_unlock(d_inode(dentry));
			return mp;
		}
		namespace_unlock();
		inode_unlock(d_inode(dentry));
		path_put(path);
		path->mnt = mnt;
		path->dentry = dget(mnt->mnt_root);
	}
}

void unlock_mount(struct mountpoint *where) __no_context_analysis	/* as above */
{
	struct inode *inode = d_inode(where->m_dentry);

	ihold(inode);		/* the mount point may be freed, its directory's lock is still to be released */
	lock_mount_hash();
	put_mountpoint(where);
	unlock_mount_hash();
	namespace_unlock();
	inode_unlock(inode);
	iput(inode);
}

static void umount_all(struct list_head *trees)
{
	lock_mount_hash();
	while (!list_empty(trees)) {
		struct mount *m = list_first_entry(trees, struct mount, mnt_private);

		list_del_init(&m->mnt_private);
		umount_tree(m, false);
	}
	unlock_mount_hash();
}

/*
 * A copy becomes visible.  What its receiver has mounted at the same place stays on top: it moves to the copy's root, whose
 * mount point is `cover`.
 */
static void commit_beneath(struct mount *copy, struct mountpoint *cover)
{
	struct mount *above = __lookup_mnt(&copy->mnt_parent->mnt, copy->mnt_mountpoint);

	commit_tree(copy);
	if (above) {
		put_mountpoint(unhash_mnt(above));
		attach_mnt(above, copy, cover);
	}
}

/* A tree that hung on an open file is about to be committed to a place. */
static void leave_anon_ns(struct mount *source)
{
	if (!source->mnt_ns)
		return;
	for (struct mount *p = source; p; p = next_mnt(p, source))
		list_del_init(&p->mnt_list);
}

/*
 * Puts the tree `source` on dest at mp, and copies on all who hear of it.  moving: source is in the tree already and leaves its
 * old place.  0 or -errno with nothing changed.  namespace_sem held for writing.
 */
int attach_recursive_mnt(struct mount *source, struct mount *dest, struct mountpoint *mp, bool moving)
{
	struct mount *child, *next;
	struct mountpoint *cover;
	unsigned int count = 0;
	LIST_HEAD(copies);
	int err = 0;

	for (child = source; child; child = next_mnt(child, source))
		count++;
	if (!moving && dest->mnt_ns->mounts + count > READ_ONCE(sysctl_mount_max))
		return -ENOSPC;
	cover = get_mountpoint(source->mnt.mnt_root);
	if (IS_ERR(cover))
		return PTR_ERR(cover);
	if (is_mnt_shared(dest)) {
		err = invent_group_ids(source, true);
		if (err)
			goto put_cover;
		for (child = source; child; child = next_mnt(child, source))
			change_mnt_propagation(child, MS_SHARED);
		err = propagate_mnt(dest, mp, source, &copies);
		if (err) {
			umount_all(&copies);
			goto put_cover;
		}
	}
	lock_mount_hash();
	if (moving) {
		put_mountpoint(unhash_mnt(source));
		attach_mnt(source, dest, mp);
		touch_mnt_namespace(dest->mnt_ns);
	} else {
		leave_anon_ns(source);
		mnt_set_mountpoint(dest, mp, source);
		commit_tree(source);
	}
	list_for_each_entry_safe(child, next, &copies, mnt_private) {
		list_del_init(&child->mnt_private);
		if (child->mnt_parent->mnt_ns->user_ns != current->nsproxy->mnt->user_ns)
			lock_mnt_tree(child);
		child->mnt.mnt_flags &= ~MNT_LOCKED;
		commit_beneath(child, cover);
	}
	unlock_mount_hash();
put_cover:
	lock_mount_hash();
	put_mountpoint(cover);
	unlock_mount_hash();
	return err;
}

/* Mounts a tree at a locked place. */
static int graft_tree(struct mount *mnt, struct mount *p, struct mountpoint *mp)
{
	if (mnt->mnt.mnt_sb->s_flags & SB_NOUSER)
		return -EINVAL;
	if (d_is_dir(mp->m_dentry) != d_is_dir(mnt->mnt.mnt_root))
		return -ENOTDIR;
	return attach_recursive_mnt(mnt, p, mp, false);
}

/* ---- mount(2) ---- */

/* Others than the first user namespace's mount only what trusts no data that they could have made up. */
bool may_mount_type(const struct file_system_type *type)
{
	return type->fs_flags & FS_USERNS_MOUNT ? ns_capable(current_user_ns(), CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN);
}

static int do_new_mount(struct path *path, const char *fstype, int sb_flags, int mnt_flags, const char *name, void *data)
{
	struct file_system_type *type;
	struct mountpoint *mp;
	struct vfsmount *mnt;
	int err = 0;

	if (!fstype)
		return -EINVAL;
	type = get_fs_type(fstype);
	if (!type)
		return -ENODEV;
	if (!may_mount_type(type))
		return -EPERM;
	mnt = vfs_kern_mount(type, sb_flags, name, data);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	mp = lock_mount(path);
	if (IS_ERR(mp)) {
		mntput(mnt);
		return PTR_ERR(mp);
	}
	if (!check_mnt(real_mount(path->mnt)))
		err = -EINVAL;
	else if (mount_too_revealing(mnt->mnt_sb, &mnt_flags))
		err = -EPERM;
	else if (path->mnt->mnt_sb == mnt->mnt_sb && path->mnt->mnt_root == path->dentry)
		err = -EBUSY;	/* the same once more on top of itself */
	mnt->mnt_flags = mnt_flags;
	if (!err)
		err = graft_tree(real_mount(mnt), real_mount(path->mnt), mp);
	unlock_mount(mp);
	if (err)
		mntput(mnt);
	return err;
}

/* Is `old` a mount of our tree, or the file of a namespace, which may be bound from outside of it? */
static bool may_be_bound(const struct path *old)
{
	const struct ns_common *ns = ns_of_dentry(old->dentry);

	if (real_mount(old->mnt)->mnt.mnt_flags & MNT_UNBINDABLE)
		return false;
	return ns ? mnt_ns_may_be_bound(ns) : check_mnt(real_mount(old->mnt));
}

struct mount *copy_for_bind(const struct path *old_path, bool recurse)
{
	struct mount *mnt, *old = real_mount(old_path->mnt);

	if (!may_be_bound(old_path) || (!recurse && has_locked_children(old, old_path->dentry)))
		return ERR_PTR(-EINVAL);
	mnt = recurse ? copy_tree(old, old_path->dentry, CL_JOIN_PEERS) : clone_mnt(old, old_path->dentry, CL_JOIN_PEERS);
	if (!IS_ERR(mnt))
		mnt->mnt.mnt_flags &= ~MNT_LOCKED;
	return mnt;
}

static int do_loopback(struct path *path, const char *old_name, bool recurse)
{
	struct path old_path;
	struct mountpoint *mp;
	struct mount *mnt, *parent;
	int err;

	if (!old_name || !*old_name)
		return -EINVAL;
	err = kern_path(old_name, LOOKUP_FOLLOW | LOOKUP_AUTOMOUNT, &old_path);
	if (err)
		return err;
	mp = lock_mount(path);
	if (IS_ERR(mp)) {
		err = PTR_ERR(mp);
		goto put_old;
	}
	parent = real_mount(path->mnt);
	mnt = check_mnt(parent) ? copy_for_bind(&old_path, recurse) : ERR_PTR(-EINVAL);
	err = PTR_ERR(mnt);
	if (IS_ERR(mnt))
		goto unlock;
	err = graft_tree(mnt, parent, mp);
	if (err) {
		lock_mount_hash();
		umount_tree(mnt, false);
		unlock_mount_hash();
	}
unlock:
	unlock_mount(mp);
put_old:
	path_put(&old_path);
	return err;
}

/* Would the tree that begins at p be mounted below itself? */
static bool mount_is_below(struct mount *p, const struct mount *tree)
{
	for (; mnt_has_parent(p); p = p->mnt_parent) {
		if (p == tree)
			return true;
	}
	return p == tree;
}

/* Such a tree cannot be copied to the peers of where it goes. */
static bool tree_contains_unbindable(struct mount *tree)
{
	for (struct mount *p = tree; p; p = next_mnt(p, tree)) {
		if (p->mnt.mnt_flags & MNT_UNBINDABLE)
			return true;
	}
	return false;
}

/* The mount at `from`, in our tree or the root of one that hangs on an open file, goes to `to`. */
int do_move_mount(struct path *from, struct path *to)
{
	struct mount *p, *old = real_mount(from->mnt);
	struct mnt_namespace *anon = NULL;
	struct mountpoint *mp;
	int err;

	mp = lock_mount(to);
	if (IS_ERR(mp))
		return PTR_ERR(mp);
	p = real_mount(to->mnt);
	err = -EINVAL;
	if (!check_mnt(p) || from->dentry != old->mnt.mnt_root)
		goto unlock;
	if (!mnt_has_parent(old))
		anon = is_anon_ns(old->mnt_ns) ? old->mnt_ns : NULL;
	if (!anon && (!check_mnt(old) || !mnt_has_parent(old) || is_mnt_shared(old->mnt_parent)))
		goto unlock;
	if (d_is_dir(mp->m_dentry) != d_is_dir(old->mnt.mnt_root))
		goto unlock;
	if (old->mnt.mnt_flags & MNT_LOCKED || (is_mnt_shared(p) && tree_contains_unbindable(old)))
		goto unlock;
	err = -ELOOP;
	if (mount_is_below(p, old))
		goto unlock;
	err = attach_recursive_mnt(old, p, mp, !anon);
unlock:
	unlock_mount(mp);
	if (anon && !err)
		free_anon_mnt_ns(anon);
	return err;
}

static int move_mount_by_name(struct path *path, const char *old_name)
{
	struct path old_path;
	int err;

	if (!old_name || !*old_name)
		return -EINVAL;
	err = kern_path(old_name, LOOKUP_FOLLOW, &old_path);
	if (err)
		return err;
	err = do_move_mount(&old_path, path);
	path_put(&old_path);
	return err;
}

/* The flags of this one mount: MS_REMOUNT | MS_BIND. */
static int do_reconfigure_mnt(struct path *path, unsigned int mnt_flags)
{
	struct mount *mnt = real_mount(path->mnt);
	int err = 0;

	if (!check_mnt(mnt) || path->dentry != mnt->mnt.mnt_root)
		return -EINVAL;
	if (!can_change_locked_flags(mnt, (int)mnt_flags))
		return -EPERM;
	down_read(&mnt->mnt.mnt_sb->s_umount);
	lock_mount_hash();
	if (mnt_flags & MNT_READONLY && !(mnt->mnt.mnt_flags & MNT_READONLY))
		err = mnt_make_readonly(mnt);
	if (!err) {
		mnt->mnt.mnt_flags = (mnt->mnt.mnt_flags & ~MNT_USER_SETTABLE_MASK) | mnt_flags;
		touch_mnt_namespace(mnt->mnt_ns);
	}
	unlock_mount_hash();
	up_read(&mnt->mnt.mnt_sb->s_umount);
	return err;
}

static int do_remount(struct path *path, int sb_flags, int mnt_flags, void *data)
{
	struct mount *mnt = real_mount(path->mnt);
	struct super_block *sb = mnt->mnt.mnt_sb;
	int err;

	if (!check_mnt(mnt) || path->dentry != mnt->mnt.mnt_root)
		return -EINVAL;
	if (!can_change_locked_flags(mnt, mnt_flags) || !ns_capable(sb->s_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	down_write(&sb->s_umount);
	err = reconfigure_super(sb, sb_flags, data, false);
	if (!err) {
		lock_mount_hash();
		mnt->mnt.mnt_flags = (mnt->mnt.mnt_flags & ~MNT_USER_SETTABLE_MASK) | mnt_flags;
		touch_mnt_namespace(mnt->mnt_ns);
		unlock_mount_hash();
	}
	up_write(&sb->s_umount);
	return err;
}

static int do_change_type(struct path *path, unsigned long flags)
{
	int type = flags & (MS_SHARED | MS_PRIVATE | MS_UNBINDABLE | MS_SLAVE);
	struct mount *m, *mnt = real_mount(path->mnt);
	bool recurse = flags & MS_REC;
	int err = -EINVAL;

	if (flags & ~(unsigned long)(type | MS_REC | MS_SILENT) || !is_power_of_2(type))
		return -EINVAL;
	namespace_lock();
	if (!check_mnt(mnt) || path->dentry != mnt->mnt.mnt_root)
		goto out;
	err = type == MS_SHARED ? invent_group_ids(mnt, recurse) : 0;
	if (err)
		goto out;
	lock_mount_hash();
	for (m = mnt; m; m = recurse ? next_mnt(m, mnt) : NULL)
		change_mnt_propagation(m, type);
	unlock_mount_hash();
out:
	namespace_unlock();
	return err;
}

static int to_mnt_flags(unsigned long flags)
{
	int mnt_flags = flags & MS_NOATIME ? 0 : MNT_RELATIME;

	mnt_flags |= flags & MS_NOSUID ? MNT_NOSUID : 0;
	mnt_flags |= flags & MS_NODEV ? MNT_NODEV : 0;
	mnt_flags |= flags & MS_NOEXEC ? MNT_NOEXEC : 0;
	mnt_flags |= flags & MS_NOATIME ? MNT_NOATIME : 0;
	mnt_flags |= flags & MS_NODIRATIME ? MNT_NODIRATIME : 0;
	mnt_flags |= flags & MS_RDONLY ? MNT_READONLY : 0;
	mnt_flags |= flags & MS_NOSYMFOLLOW ? MNT_NOSYMFOLLOW : 0;
	if (flags & MS_STRICTATIME)
		mnt_flags &= ~(MNT_RELATIME | MNT_NOATIME);
	return mnt_flags;
}

/* 0 or -errno; data is what the file system knows, a string of options.  May sleep. */
int path_mount(const char *dev_name, struct path *path, const char *type, unsigned long flags, void *data)
{
	unsigned int mnt_flags, sb_flags;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	if (flags & MS_NOUSER)
		return -EINVAL;
	if (landlock_mount() || !may_mount())
		return -EPERM;
	mnt_flags = to_mnt_flags(flags);
	/* A remount that says nothing about access times keeps what there is. */
	if (flags & MS_REMOUNT && !(flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME))) {
		mnt_flags &= ~MNT_RELATIME;
		mnt_flags |= path->mnt->mnt_flags & (MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME);
	}
	sb_flags = flags & (SB_RDONLY | SB_SYNCHRONOUS | SB_DIRSYNC | SB_SILENT | SB_POSIXACL | SB_LAZYTIME);

	if ((flags & (MS_REMOUNT | MS_BIND)) == (MS_REMOUNT | MS_BIND))
		return do_reconfigure_mnt(path, mnt_flags);
	if (flags & MS_REMOUNT)
		return do_remount(path, sb_flags, mnt_flags, data);
	if (flags & MS_BIND)
		return do_loopback(path, dev_name, flags & MS_REC);
	if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
		return do_change_type(path, flags);
	if (flags & MS_MOVE)
		return move_mount_by_name(path, dev_name);
	return do_new_mount(path, type, sb_flags, mnt_flags, dev_name, data);
}

long do_mount(const char *dev_name, const char __user *dir, const char *type, unsigned long flags, void *data)
{
	struct path path;
	int err = user_path_at(AT_FDCWD, dir, LOOKUP_FOLLOW, &path);

	if (err)
		return err;
	err = path_mount(dev_name, &path, type, flags, data);
	path_put(&path);
	return err;
}

/* The options: at most a page, zero-filled; what cannot be read ends them. */
static int copy_mount_options(const void __user *data, char **res)
{
	unsigned long left;
	char *copy;

	*res = NULL;
	if (!data)
		return 0;
	copy = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	left = copy_from_user(copy, data, PAGE_SIZE);
	if (left == PAGE_SIZE) {
		kfree(copy);
		return -EFAULT;
	}
	copy[PAGE_SIZE - 1] = 0;
	*res = copy;
	return 0;
}

static char *copy_mount_string(const char __user *str)
{
	return str ? strndup_user(str, PATH_MAX) : NULL;
}

long sys_mount(char __user *dev_name, char __user *dir_name, char __user *type, unsigned long flags, void __user *data)
{
	char *ktype, *kdev, *options;
	long err;

	ktype = copy_mount_string(type);
	if (IS_ERR(ktype))
		return PTR_ERR(ktype);
	kdev = copy_mount_string(dev_name);
	err = PTR_ERR(kdev);
	if (IS_ERR(kdev))
		goto free_type;
	err = copy_mount_options(data, &options);
	if (err)
		goto free_dev;
	err = do_mount(kdev, dir_name, ktype, flags, options);
	kfree(options);
free_dev:
	kfree(kdev);
free_type:
	kfree(ktype);
	return err;
}

/* ---- umount2(2) ---- */

static int do_umount_root(struct super_block *sb)
{
	int err = 0;

	if (!ns_capable(sb->s_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	down_write(&sb->s_umount);
	if (!sb_rdonly(sb))
		err = reconfigure_super(sb, sb->s_flags | SB_RDONLY, NULL, false);
	up_write(&sb->s_umount);
	return err;
}

/* MNT_EXPIRE: the first time only marks; -EAGAIN.  The second time, if nobody came by, unmounts. */
static int mark_expired(struct mount *mnt, int flags, const struct vfsmount *root)
{
	bool busy;

	if (&mnt->mnt == root || flags & (MNT_FORCE | MNT_DETACH))
		return -EINVAL;
	lock_mount_hash();
	busy = mnt_get_count(mnt) != 2;
	unlock_mount_hash();
	if (busy)
		return -EBUSY;
	if (xchg(&mnt->mnt_expired, true))
		return 0;
	return -EAGAIN;
}

static int do_umount(struct mount *mnt, int flags)
{
	struct super_block *sb = mnt->mnt.mnt_sb;
	struct vfsmount *root = current->fs->root.mnt;
	int err;

	if (flags & MNT_EXPIRE) {
		err = mark_expired(mnt, flags, root);
		if (err)
			return err;
	}
	if (flags & MNT_FORCE && sb->s_op->umount_begin)
		sb->s_op->umount_begin(sb);
	/* The root of all can only become read-only. */
	if (&mnt->mnt == root && !(flags & MNT_DETACH))
		return do_umount_root(sb);

	namespace_lock();
	lock_mount_hash();
	err = -EINVAL;
	if (!check_mnt(mnt) || !mnt_has_parent(mnt))
		goto out;
	err = 0;
	if (flags & MNT_DETACH) {
		umount_tree(mnt, true);
	} else {
		/* Two references: the tree's and the caller's path. */
		err = propagate_mount_busy(mnt, 2) ? -EBUSY : 0;
		if (!err)
			umount_tree(mnt, true);
	}
out:
	unlock_mount_hash();
	namespace_unlock();
	return err;
}

/* Consumes the references of *path. */
int path_umount(struct path *path, int flags)
{
	struct mount *mnt = real_mount(path->mnt);
	int err = -EINVAL;

	if (landlock_mount() || !may_mount() || (flags & MNT_FORCE && !capable(CAP_SYS_ADMIN)))
		err = -EPERM;
	else if (path->dentry == path->mnt->mnt_root && check_mnt(mnt) && !(mnt->mnt.mnt_flags & MNT_LOCKED))
		err = do_umount(mnt, flags);
	dput(path->dentry);
	mntput(path->mnt);
	return err;
}

long sys_umount2(char __user *name, int flags)
{
	struct path path;
	int err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = user_path_at(AT_FDCWD, name, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &path);
	return err ? err : path_umount(&path, flags);
}

/* ---- pivot_root(2) ---- */

/* new becomes the root, the old root moves to put_old; all checks with the tree locked. */
static int swap_roots(const struct path *root, const struct path *new, const struct path *put_old, struct mountpoint *old_mp)
{
	struct mount *new_mnt = real_mount(new->mnt), *root_mnt = real_mount(root->mnt), *old_mnt = real_mount(put_old->mnt);
	struct mount *root_parent = root_mnt->mnt_parent;
	struct mountpoint *root_mp, *mp;

	if (!check_mnt(root_mnt) || !check_mnt(new_mnt) || !check_mnt(old_mnt))
		return -EINVAL;
	if (is_mnt_shared(old_mnt) || is_mnt_shared(new_mnt->mnt_parent) || is_mnt_shared(root_parent))
		return -EINVAL;
	if (new_mnt->mnt.mnt_flags & MNT_LOCKED)
		return -EINVAL;
	if (d_unlinked(new->dentry))
		return -ENOENT;
	if (new_mnt == root_mnt || old_mnt == root_mnt)
		return -EBUSY;	/* loops, like pivoting a mount onto itself */
	if (root->mnt->mnt_root != root->dentry || !mnt_has_parent(root_mnt))
		return -EINVAL;	/* the first mount of all has no parent to hang the new root on */
	if (new->mnt->mnt_root != new->dentry || !mnt_has_parent(new_mnt))
		return -EINVAL;
	if (!path_reachable(old_mnt, put_old->dentry, new) || !path_reachable(new_mnt, new->dentry, root))
		return -EINVAL;

	lock_mount_hash();
	if (root_mnt->mnt.mnt_flags & MNT_LOCKED) {	/* who stands in its place now is */
		new_mnt->mnt.mnt_flags |= MNT_LOCKED;
		root_mnt->mnt.mnt_flags &= ~MNT_LOCKED;
	}
	mp = unhash_mnt(new_mnt);
	root_mp = unhash_mnt(root_mnt);
	attach_mnt(root_mnt, old_mnt, old_mp);
	attach_mnt(new_mnt, root_parent, root_mp);
	put_mountpoint(root_mp);	/* attach_mnt() took counts of its own */
	put_mountpoint(mp);
	touch_mnt_namespace(current->nsproxy->mnt);
	unlock_mount_hash();
	return 0;
}

long sys_pivot_root(const char __user *new_root, const char __user *put_old)
{
	struct path new, old, root;
	struct mountpoint *old_mp;
	int err;

	if (landlock_mount() || !may_mount())
		return -EPERM;
	err = user_path_at(AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (err)
		return err;
	err = user_path_at(AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (err)
		goto put_new;
	get_fs_root(current->fs, &root);
	old_mp = lock_mount(&old);
	err = PTR_ERR(old_mp);
	if (IS_ERR(old_mp))
		goto put_root;
	err = swap_roots(&root, &new, &old, old_mp);
	unlock_mount(old_mp);
	if (!err)
		chroot_fs_refs(&root, &new);
put_root:
	path_put(&root);
	path_put(&old);
put_new:
	path_put(&new);
	return err;
}
