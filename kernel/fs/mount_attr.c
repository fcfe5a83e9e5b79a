/*
 * mount_attr.c: the flags of mounts, of one or of all below it: mount_setattr(2).
 *
 * Idea:    first look whether every mount of the tree may be changed, holding off writers where it becomes read-only; then
 *          change all of them, which cannot fail.
 * Limits:  no id-mapped mounts: asked for one, it says -EINVAL, as for a file system that cannot have them.
 * Locking: namespace_sem for writing; mount_lock over the look and the change.
 * See:     mount_setattr(2); namespace.c (writers), mnt_lock.c (what may not be changed)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/mount.h>
#include <asm/page.h>
#include "internal.h"

#define PLAIN_ATTRS	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | \
			 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

/* A checked struct mount_attr. */
struct mount_change {
	int		set, clear;	/* MNT_* */
	int		propagation;	/* MS_SHARED ..., 0: as it is */
	unsigned int	lookup;		/* LOOKUP_* */
	bool		recurse;
};

/* All but access times. */
static int plain_mnt_flags(u64 attrs)
{
	int flags = 0;

	flags |= attrs & MOUNT_ATTR_RDONLY ? MNT_READONLY : 0;
	flags |= attrs & MOUNT_ATTR_NOSUID ? MNT_NOSUID : 0;
	flags |= attrs & MOUNT_ATTR_NODEV ? MNT_NODEV : 0;
	flags |= attrs & MOUNT_ATTR_NOEXEC ? MNT_NOEXEC : 0;
	flags |= attrs & MOUNT_ATTR_NODIRATIME ? MNT_NODIRATIME : 0;
	flags |= attrs & MOUNT_ATTR_NOSYMFOLLOW ? MNT_NOSYMFOLLOW : 0;
	return flags;
}

static int atime_mnt_flags(u64 attrs)
{
	switch (attrs & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		return MNT_RELATIME;
	case MOUNT_ATTR_NOATIME:
		return MNT_NOATIME;
	case MOUNT_ATTR_STRICTATIME:
		return 0;
	}
	return -EINVAL;
}

/* fsmount()'s MOUNT_ATTR_* as MNT_*; -EINVAL. */
int attrs_to_mnt_flags(unsigned int attrs)
{
	int atime = atime_mnt_flags(attrs);

	if (attrs & ~PLAIN_ATTRS || atime < 0)
		return -EINVAL;
	return plain_mnt_flags(attrs) | atime;
}

static int build_change(const struct mount_attr *attr, unsigned int flags, struct mount_change *change)
{
	int atime = 0;

	*change = (struct mount_change){ .lookup = LOOKUP_AUTOMOUNT | LOOKUP_FOLLOW, .recurse = flags & AT_RECURSIVE };
	change->lookup &= flags & AT_NO_AUTOMOUNT ? ~LOOKUP_AUTOMOUNT : ~0U;
	change->lookup &= flags & AT_SYMLINK_NOFOLLOW ? ~LOOKUP_FOLLOW : ~0U;
	change->lookup |= flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0;

	if (attr->propagation & ~(u64)(MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED) ||
	    (attr->propagation && !is_power_of_2(attr->propagation)))
		return -EINVAL;
	change->propagation = (int)attr->propagation;
	if ((attr->attr_set | attr->attr_clr) & ~(u64)PLAIN_ATTRS)
		return -EINVAL;
	change->set = plain_mnt_flags(attr->attr_set);
	change->clear = plain_mnt_flags(attr->attr_clr);
	/* Access times are one value of three, not flags: the old one goes whole, then RELATIME is 0 like any other. */
	if (attr->attr_clr & MOUNT_ATTR__ATIME) {
		if ((attr->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME)
			return -EINVAL;
		change->clear |= MNT_RELATIME | MNT_NOATIME;
		atime = atime_mnt_flags(attr->attr_set);
	} else if (attr->attr_set & MOUNT_ATTR__ATIME) {
		return -EINVAL;
	}
	if (atime < 0)
		return -EINVAL;
	change->set |= atime;
	return 0;
}

static int new_flags(const struct mount *mnt, const struct mount_change *change)
{
	return (mnt->mnt.mnt_flags & ~change->clear) | change->set;
}

/* [mount_lock] 0 with the writers of all that becomes read-only held off; else -EPERM or -EBUSY with nobody held. */
static int prepare_tree(struct mount *tree, const struct mount_change *change)
{
	struct mount *m, *end;
	int err = 0;

	for (m = tree; m; m = change->recurse ? next_mnt(m, tree) : NULL) {
		if (!can_change_locked_flags(m, new_flags(m, change)))
			err = -EPERM;
		else if (change->set & MNT_READONLY && !(m->mnt.mnt_flags & MNT_READONLY) && !mnt_hold_writers(m))
			err = -EBUSY;
		if (err)
			break;
	}
	if (!err)
		return 0;
	end = next_mnt(m, tree);
	for (m = tree; m && m != end; m = change->recurse ? next_mnt(m, tree) : NULL)
		mnt_release_writers(m);
	return err;
}

/* [mount_lock] */
static void commit_change(struct mount *tree, const struct mount_change *change)
{
	for (struct mount *m = tree; m; m = change->recurse ? next_mnt(m, tree) : NULL) {
		WRITE_ONCE(m->mnt.mnt_flags, new_flags(m, change));
		mnt_release_writers(m);
		if (change->propagation)
			change_mnt_propagation(m, change->propagation);
	}
	touch_mnt_namespace(tree->mnt_ns);
}

/* namespace_sem held. */
static int change_tree(const struct path *path, const struct mount_change *change)
{
	struct mount *tree = real_mount(path->mnt);
	int err;

	/* Ours, or one that an open file holds. */
	if (path->dentry != path->mnt->mnt_root || !(check_mnt(tree) || is_anon_ns(tree->mnt_ns)))
		return -EINVAL;
	err = change->propagation == MS_SHARED ? invent_group_ids(tree, change->recurse) : 0;
	if (err)
		return err;
	lock_mount_hash();
	err = prepare_tree(tree, change);
	if (!err)
		commit_change(tree, change);
	unlock_mount_hash();
	if (err && change->propagation == MS_SHARED)
		cleanup_group_ids(tree, NULL);
	return err;
}

long sys_mount_setattr(int dfd, const char __user *path, unsigned int flags, struct mount_attr __user *uattr, size_t usize)
{
	struct mount_change change;
	struct mount_attr attr;
	struct path target;
	int err;

	if (flags & ~(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	if (usize < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!may_mount())
		return -EPERM;
	err = copy_struct_from_user(&attr, sizeof(attr), uattr, usize);
	if (err)
		return err;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	err = build_change(&attr, flags, &change);
	if (err)
		return err;
	err = user_path_at(dfd, path, change.lookup, &target);
	if (err)
		return err;
	namespace_lock();
	err = change_tree(&target, &change);
	namespace_unlock();
	path_put(&target);
	return err;
}
