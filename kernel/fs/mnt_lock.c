/*
 * mnt_lock.c: what the tree of mounts of a user namespace may not do with mounts that came from outside.
 *
 * Idea:    who is root in a user namespace of its own has a copy of the outer tree.  A mount in it may hide what stands under
 *          it, or forbid (read-only, nosuid, nodev, noexec): so these mounts are locked to their parents, and flags that
 *          forbid are locked on.  The copy as a whole can be unmounted, moved and covered.
 *          proc and sysfs show the machine; where somebody covered a part of them on purpose, a new mount would uncover it:
 *          mount_too_revealing().
 * Locking: namespace_sem; flags under mount_lock.
 * See:     mount_namespaces(7) "Restrictions on mount namespaces"; user_namespaces(7)
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/fs.h>
#include <weft/mount.h>
#include <weft/sched.h>
#include "internal.h"

/* A flag that forbids, and what locks it. */
static const struct { int flag, lock; } locks[] = {
	{ MNT_READONLY, MNT_LOCK_READONLY }, { MNT_NOSUID, MNT_LOCK_NOSUID },
	{ MNT_NODEV, MNT_LOCK_NODEV }, { MNT_NOEXEC, MNT_LOCK_NOEXEC },
};

bool may_mount(void)
{
	return ns_capable(current->nsproxy->mnt->user_ns, CAP_SYS_ADMIN);
}

static void lock_flags(struct mount *mnt)
{
	int flags = mnt->mnt.mnt_flags | MNT_LOCK_ATIME;

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		if (flags & locks[i].flag)
			flags |= locks[i].lock;
	}
	mnt->mnt.mnt_flags = flags;
}

void lock_mnt_tree(struct mount *root)
{
	for (struct mount *p = root; p; p = next_mnt(p, root)) {
		lock_flags(p);
		if (p != root)
			p->mnt.mnt_flags |= MNT_LOCKED;
	}
}

bool can_change_locked_flags(const struct mount *mnt, int new_flags)
{
	const int flags = mnt->mnt.mnt_flags;

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		if (flags & locks[i].lock && !(new_flags & locks[i].flag))
			return false;
	}
	return !(flags & MNT_LOCK_ATIME) || (flags & MNT_ATIME_MASK) == (new_flags & MNT_ATIME_MASK);
}

/* Does a locked mount stand on mnt at or below dentry?  Then a copy of mnt alone would show what is under it. */
bool has_locked_children(struct mount *mnt, struct dentry *dentry)
{
	struct mount *child;

	list_for_each_entry(child, &mnt->mnt_mounts, mnt_child) {
		if (is_subdir(child->mnt_mountpoint, dentry) && child->mnt.mnt_flags & MNT_LOCKED)
			return true;
	}
	return false;
}

/* Can all of a file system of that type be seen on mnt, and be used as new_flags say? */
static bool shows_all(const struct mount *mnt, const struct super_block *sb, int new_flags)
{
	const struct super_block *old = mnt->mnt.mnt_sb;
	const struct mount *child;

	if (old->s_type != sb->s_type || mnt->mnt.mnt_root != old->s_root)
		return false;
	if ((mnt->mnt.mnt_flags & MNT_LOCK_READONLY || sb_rdonly(old)) && !(new_flags & MNT_READONLY))
		return false;
	if (mnt->mnt.mnt_flags & MNT_LOCK_ATIME && (mnt->mnt.mnt_flags ^ new_flags) & MNT_ATIME_MASK)
		return false;
	list_for_each_entry(child, &mnt->mnt_mounts, mnt_child) {
		if (child->mnt.mnt_flags & MNT_LOCKED)
			return false;
	}
	return true;
}

bool mount_too_revealing(const struct super_block *sb, int *new_flags)
{
	struct mnt_namespace *ns = current->nsproxy->mnt;
	struct mount *mnt;

	if (ns->user_ns == &init_user_ns || !(sb->s_iflags & SB_I_USERNS_VISIBLE))
		return false;
	list_for_each_entry(mnt, &ns->list, mnt_list) {
		if (shows_all(mnt, sb, *new_flags)) {
			*new_flags |= mnt->mnt.mnt_flags & (MNT_LOCK_READONLY | MNT_LOCK_ATIME);
			return false;
		}
	}
	return true;
}
