/*
 * pnode.c: shared mounts: what is mounted on or unmounted from one of a group of peers happens on all of them.
 *
 * Idea:    peers stand in a ring (mnt_share).  A bind mount of a shared mount joins the ring.  Mounting on one peer puts a
 *          copy of the new tree on every other peer from which the same dentry can be seen.
 * Limits:  no slave mounts yet (MS_SLAVE is -EINVAL).
 * Locking: namespace_sem held for writing throughout.
 * See:     mount_namespaces(7) "Shared subtrees"
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/idr.h>
#include <weft/list.h>
#include <weft/slab.h>
#include "internal.h"

static DEFINE_IDA(mnt_group_ida);

/* Gives every mount of the tree (or only the first) a group of its own where it has none.  0 or -errno, nothing done. */
int invent_group_ids(struct mount *tree, bool recurse)
{
	struct mount *p;

	for (p = tree; p; p = recurse ? next_mnt(p, tree) : NULL) {
		int id;

		if (p->mnt_group_id)
			continue;
		id = ida_alloc_min(&mnt_group_ida, 1, GFP_KERNEL);
		if (id < 0) {
			cleanup_group_ids(tree, p);
			return id;
		}
		p->mnt_group_id = id;
	}
	return 0;
}

/* Takes back what invent_group_ids() gave, up to `end`. */
void cleanup_group_ids(struct mount *tree, struct mount *end)
{
	struct mount *p;

	for (p = tree; p && p != end; p = next_mnt(p, tree)) {
		if (p->mnt_group_id && !is_mnt_shared(p)) {
			ida_free(&mnt_group_ida, p->mnt_group_id);
			p->mnt_group_id = 0;
		}
	}
}

void mnt_join_peers(struct mount *m, struct mount *peer)
{
	m->mnt_group_id = peer->mnt_group_id;
	m->mnt.mnt_flags |= MNT_SHARED;
	list_add(&m->mnt_share, &peer->mnt_share);
}

static void leave_peers(struct mount *m)
{
	if (list_empty(&m->mnt_share))
		ida_free(&mnt_group_ida, m->mnt_group_id);	/* it was the last */
	list_del_init(&m->mnt_share);
	m->mnt_group_id = 0;
	m->mnt.mnt_flags &= ~MNT_SHARED;
}

/* type: MS_SHARED (with a group id already given), MS_PRIVATE or MS_UNBINDABLE. */
void change_mnt_propagation(struct mount *m, int type)
{
	if (type == MS_SHARED) {
		m->mnt.mnt_flags = (m->mnt.mnt_flags & ~MNT_UNBINDABLE) | MNT_SHARED;
		return;
	}
	if (is_mnt_shared(m))
		leave_peers(m);
	if (type == MS_UNBINDABLE)
		m->mnt.mnt_flags |= MNT_UNBINDABLE;
	else
		m->mnt.mnt_flags &= ~MNT_UNBINDABLE;
}

/*
 * `source` is about to be mounted on dest at mp: makes its copies for dest's peers, with their mount points set but not
 * yet visible, on the list `copies` (mnt_private).  0 or -errno; the caller disposes of the list in either case.
 */
int propagate_mnt(struct mount *dest, struct mountpoint *mp, struct mount *source, struct list_head *copies)
{
	struct mount *peer, *copy;

	list_for_each_entry(peer, &dest->mnt_share, mnt_share) {
		if (!peer->mnt_ns || !is_subdir(mp->m_dentry, peer->mnt.mnt_root))
			continue;
		copy = copy_tree(source, source->mnt.mnt_root, CL_JOIN_PEERS);
		if (IS_ERR(copy))
			return PTR_ERR(copy);
		lock_mount_hash();
		mnt_set_mountpoint(peer, mp, copy);
		unlock_mount_hash();
		list_add_tail(&copy->mnt_private, copies);
	}
	return 0;
}

/* What stands on the peer at the place where m stands on its parent. */
static struct mount *twin_of(struct mount *m, struct mount *peer)
{
	return __lookup_mnt(&peer->mnt, m->mnt_mountpoint);
}

/* m goes: so do its twins on the parent's peers, unless something is mounted on them. */
void propagate_umount(struct mount *m, struct list_head *list)
{
	struct mount *parent = m->mnt_parent, *peer, *twin;

	list_for_each_entry(peer, &parent->mnt_share, mnt_share) {
		twin = twin_of(m, peer);
		if (!twin || twin->mnt.mnt_flags & MNT_UMOUNT || !list_empty(&twin->mnt_mounts))
			continue;
		twin->mnt.mnt_flags |= MNT_UMOUNT;
		list_add_tail(&twin->mnt_private, list);
	}
}

/* Does anybody use m (beyond refs references) or one of the twins that would go with it? */
bool propagate_mount_busy(struct mount *m, int refs)
{
	struct mount *parent = m->mnt_parent, *peer, *twin;

	if (!list_empty(&m->mnt_mounts) || mnt_get_count(m) > refs)
		return true;
	if (!mnt_has_parent(m))
		return false;
	list_for_each_entry(peer, &parent->mnt_share, mnt_share) {
		twin = twin_of(m, peer);
		if (twin && list_empty(&twin->mnt_mounts) && mnt_get_count(twin) > 1)
			return true;
	}
	return false;
}
