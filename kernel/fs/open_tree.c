/*
 * open_tree.c: mounts that stand in no tree but hang on an open file: open_tree(2) and move_mount(2).
 *
 * Idea:    a copy of mounts (open_tree with OPEN_TREE_CLONE), or a new one (fsmount), is the tree of a mount namespace that
 *          nobody is in, an anonymous one, and an O_PATH file points to its root.  move_mount() takes the tree over into
 *          the caller's namespace; if the file is closed before, the tree goes with it.
 * Locking: namespace_sem, then mount_lock, as for every change of a tree.
 * See:     open_tree(2), move_mount(2) of Linux's manual project; mount.c (do_move_mount), fsopen.c, mount_attr.c
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/syscalls.h>
#include <uapi/mount.h>
#include "internal.h"

/* A descriptor for the file, whose reference goes over to it; -errno, also from an ERR_PTR. */
int install_file(struct file *file, bool cloexec)
{
	int fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(cloexec ? O_CLOEXEC : 0);
	if (fd < 0)
		fput(file);
	else
		fd_install((unsigned int)fd, file);
	return fd;
}

/* The tree belongs to a namespace that nobody is in.  namespace_sem held for writing. */
static void adopt_detached(struct mnt_namespace *ns, struct mount *tree)
{
	ns->root = tree;
	lock_mount_hash();
	for (struct mount *p = tree; p; p = next_mnt(p, tree)) {
		p->mnt_ns = ns;
		list_add_tail(&p->mnt_list, &ns->list);
		ns->mounts++;
	}
	unlock_mount_hash();
}

/*
 * An O_PATH file for the tree, with which it goes.  The caller's reference on the tree moves to its namespace; when this
 * fails (ERR_PTR) it has been dropped, and all copies below the root with it.
 */
struct file *detached_file(struct mount *tree)
{
	struct path path = { .mnt = &tree->mnt, .dentry = tree->mnt.mnt_root };
	struct mnt_namespace *ns = alloc_anon_mnt_ns();
	struct file *file;

	namespace_lock();
	if (IS_ERR(ns)) {
		lock_mount_hash();
		umount_tree(tree, false);
		unlock_mount_hash();
	} else {
		adopt_detached(ns, tree);
		mntget(path.mnt);	/* until the file has one of its own */
	}
	namespace_unlock();
	if (IS_ERR(ns))
		return ERR_CAST(ns);
	file = dentry_open(&path, O_PATH, current_cred());
	if (IS_ERR(file))
		dissolve_detached(path.mnt);
	else
		file->f_mode |= FMODE_NEED_UNMOUNT;
	mntput(path.mnt);
	return file;
}

/* The file that had it is closed: if nobody has moved it to a place, the tree goes. */
void dissolve_detached(struct vfsmount *mnt)
{
	struct mnt_namespace *ns;

	namespace_lock();
	lock_mount_hash();
	ns = real_mount(mnt)->mnt_ns;
	if (is_anon_ns(ns))
		umount_tree(real_mount(mnt), false);
	else
		ns = NULL;
	unlock_mount_hash();
	namespace_unlock();
	if (ns)
		free_anon_mnt_ns(ns);
}

/* A copy of what is at *path, in a tree of its own. */
static struct file *open_copy(const struct path *path, bool recurse)
{
	struct mount *copy;

	namespace_lock();
	copy = copy_for_bind(path, recurse);
	namespace_unlock();
	return IS_ERR(copy) ? ERR_CAST(copy) : detached_file(copy);
}

long sys_open_tree(int dfd, const char __user *filename, unsigned int flags)
{
	unsigned int lookup = LOOKUP_AUTOMOUNT | LOOKUP_FOLLOW;
	struct file *file;
	struct path path;
	int err;

	if (flags & ~(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE |
		      OPEN_TREE_CLOEXEC))
		return -EINVAL;
	if ((flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	lookup &= flags & AT_NO_AUTOMOUNT ? ~LOOKUP_AUTOMOUNT : ~0U;
	lookup &= flags & AT_SYMLINK_NOFOLLOW ? ~LOOKUP_FOLLOW : ~0U;
	lookup |= flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	if (flags & OPEN_TREE_CLONE && !may_mount())
		return -EPERM;
	err = user_path_at(dfd, filename, lookup, &path);
	if (err)
		return err;
	if (flags & OPEN_TREE_CLONE)
		file = open_copy(&path, flags & AT_RECURSIVE);
	else
		file = dentry_open(&path, O_PATH, current_cred());
	path_put(&path);
	return install_file(file, flags & OPEN_TREE_CLOEXEC);
}

/* `to` becomes a peer of `from`'s peers and a slave of its master. */
static int do_set_group(const struct path *from_path, const struct path *to_path)
{
	struct mount *from = real_mount(from_path->mnt), *to = real_mount(to_path->mnt);
	int err = -EINVAL;

	namespace_lock();
	if (!is_mounted(from) || !is_mounted(to))
		goto out;
	err = -EPERM;
	if (!ns_capable(from->mnt_ns->user_ns, CAP_SYS_ADMIN) || !ns_capable(to->mnt_ns->user_ns, CAP_SYS_ADMIN))
		goto out;
	err = -EINVAL;
	if (from_path->dentry != from->mnt.mnt_root || to_path->dentry != to->mnt.mnt_root)
		goto out;
	/* What `to` shows must be a part of what `from` shows, with nothing hidden in it. */
	if (from->mnt.mnt_sb != to->mnt.mnt_sb || !is_subdir(to->mnt.mnt_root, from->mnt.mnt_root) ||
	    has_locked_children(from, to->mnt.mnt_root))
		goto out;
	if (is_mnt_shared(to) || is_mnt_slave(to) || !(is_mnt_shared(from) || is_mnt_slave(from)))
		goto out;
	lock_mount_hash();
	mnt_inherit_propagation(to, from, CL_JOIN_PEERS);
	unlock_mount_hash();
	err = 0;
out:
	namespace_unlock();
	return err;
}

long sys_move_mount(int from_dfd, const char __user *from_name, int to_dfd, const char __user *to_name, unsigned int flags)
{
	struct path from, to;
	unsigned int lookup;
	int err;

	if (landlock_mount() || !may_mount())
		return -EPERM;
	if (flags & ~MOVE_MOUNT__MASK)
		return -EINVAL;
	lookup = flags & MOVE_MOUNT_F_SYMLINKS ? LOOKUP_FOLLOW : 0;
	lookup |= flags & MOVE_MOUNT_F_AUTOMOUNTS ? LOOKUP_AUTOMOUNT : 0;
	lookup |= flags & MOVE_MOUNT_F_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	err = user_path_at(from_dfd, from_name, lookup, &from);
	if (err)
		return err;
	lookup = flags & MOVE_MOUNT_T_SYMLINKS ? LOOKUP_FOLLOW : 0;
	lookup |= flags & MOVE_MOUNT_T_AUTOMOUNTS ? LOOKUP_AUTOMOUNT : 0;
	lookup |= flags & MOVE_MOUNT_T_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	err = user_path_at(to_dfd, to_name, lookup, &to);
	if (err)
		goto put_from;
	err = flags & MOVE_MOUNT_SET_GROUP ? do_set_group(&from, &to) : do_move_mount(&from, &to);
	path_put(&to);
put_from:
	path_put(&from);
	return err;
}
