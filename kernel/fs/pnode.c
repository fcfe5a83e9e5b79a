/*
 * pnode.c: propagation: what is mounted on or unmounted from a shared mount happens on other mounts, too.
 *
 * Idea:    a group of peers stands in a ring (mnt_share); each tells the others.  A slave (mnt_master) hears of what happens
 *          on its master's group and tells it nothing; it may have peers, and slaves, of its own:
 *
 *              A --- A'         peers: shared:1                a mount on A arrives on A', B, B' and C
 *              |                                               a mount on B arrives on B' and C
 *              B --- B'         shared:2 master:1              a mount on C arrives nowhere
 *                    |
 *                    C          master:2
 *
 *          Who hears is collected breadth first (receivers), so that a copy exists on the masters before the slaves want
 *          one.  The copies stand to each other as the mounts on which they are put: copies on peers are peers, the first
 *          copy in a group of slaves is a slave of the one in the group above.  mnt_model is, during one propagation and for
 *          a whole group, what further copies of that group are made from.
 * Limits:  copies are put only where the mount point can be seen below the mount's root; who does not see it is passed
 *          over, and its slaves are served from further up.
 * Locking: namespace_sem held for writing throughout; mount_lock where others may look (flags, the tree).
 * See:     mount_namespaces(7) "Shared subtrees"; mount.c, namespace.c
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/idr.h>
#include <weft/list.h>
#include <weft/slab.h>
#include "internal.h"

static DEFINE_IDA(mnt_group_ida);

/* ---- groups ---- */

/* A group of its own for a mount that has none.  0 or -errno. */
int mnt_alloc_group_id(struct mount *m)
{
	int id = ida_alloc_min(&mnt_group_ida, 1, GFP_KERNEL);

	if (id < 0)
		return id;
	m->mnt_group_id = id;
	return 0;
}

static void mnt_release_group_id(struct mount *m)
{
	ida_free(&mnt_group_ida, m->mnt_group_id);
	m->mnt_group_id = 0;
}

/* Gives every mount of the tree (or only the first) a group of its own where it has none.  0 or -errno, nothing done. */
int invent_group_ids(struct mount *tree, bool recurse)
{
	struct mount *p;
	int err;

	for (p = tree; p; p = recurse ? next_mnt(p, tree) : NULL) {
		err = p->mnt_group_id ? 0 : mnt_alloc_group_id(p);
		if (err) {
			cleanup_group_ids(tree, p);
			return err;
		}
	}
	return 0;
}

/* Takes back what invent_group_ids() gave, up to `end`. */
void cleanup_group_ids(struct mount *tree, struct mount *end)
{
	struct mount *p;

	for (p = tree; p && p != end; p = next_mnt(p, tree)) {
		if (p->mnt_group_id && !is_mnt_shared(p))
			mnt_release_group_id(p);
	}
}

static void become_slave(struct mount *m, struct mount *master)
{
	m->mnt_master = master;
	list_move(&m->mnt_slave, &master->mnt_slave_list);
}

static void forget_master(struct mount *m)
{
	list_del_init(&m->mnt_slave);
	m->mnt_master = NULL;
}

/* `copy` has just been made of `old`: how the two are related.  flags: CL_*; with CL_MAKE_SHARED it has a group id. */
void mnt_inherit_propagation(struct mount *copy, struct mount *old, int flags)
{
	if (flags & CL_SLAVE && is_mnt_shared(old)) {
		become_slave(copy, old);
	} else if (flags & (CL_JOIN_PEERS | CL_SLAVE)) {
		if (flags & CL_JOIN_PEERS && is_mnt_shared(old)) {
			copy->mnt_group_id = old->mnt_group_id;
			copy->mnt.mnt_flags |= MNT_SHARED;
			list_add(&copy->mnt_share, &old->mnt_share);
		}
		if (is_mnt_slave(old))
			become_slave(copy, old->mnt_master);
	}
	if (flags & CL_MAKE_SHARED)
		copy->mnt.mnt_flags |= MNT_SHARED;
}

/* Of m's peers one that shows the same part of the file system, else any, else NULL. */
static struct mount *best_peer(struct mount *m)
{
	struct mount *peer;

	list_for_each_entry(peer, &m->mnt_share, mnt_share) {
		if (peer->mnt.mnt_root == m->mnt.mnt_root)
			return peer;
	}
	return list_empty(&m->mnt_share) ? NULL : list_first_entry(&m->mnt_share, struct mount, mnt_share);
}

/* m leaves its group and becomes a slave of those who stay, or stays what it was to its master; its slaves go with it. */
static void make_slave(struct mount *m)
{
	struct mount *master = best_peer(m), *slave, *next;

	if (is_mnt_shared(m)) {
		if (!master)
			mnt_release_group_id(m);	/* it was the last */
		m->mnt_group_id = 0;
		list_del_init(&m->mnt_share);
		m->mnt.mnt_flags &= ~MNT_SHARED;
	}
	if (!master)
		master = m->mnt_master;
	list_for_each_entry_safe(slave, next, &m->mnt_slave_list, mnt_slave) {
		if (master)
			become_slave(slave, master);
		else
			forget_master(slave);
	}
	if (master)
		become_slave(m, master);
}

/* type: MS_SHARED (with a group id already given), MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE. */
void change_mnt_propagation(struct mount *m, int type)
{
	m->mnt.mnt_flags &= ~MNT_UNBINDABLE;
	if (type == MS_SHARED) {
		m->mnt.mnt_flags |= MNT_SHARED;
		return;
	}
	make_slave(m);
	if (type == MS_SLAVE)
		return;
	forget_master(m);
	if (type == MS_UNBINDABLE)
		m->mnt.mnt_flags |= MNT_UNBINDABLE;
}

/* The group, nearest upwards from m's master, of which something can be seen below root: its id, 0 if there is none. */
int get_dominating_id(const struct mount *m, const struct path *root)
{
	struct mount *master, *peer;

	for (master = m->mnt_master; master; master = master->mnt_master) {
		peer = master;
		do {
			if (peer->mnt_ns && path_reachable(peer, peer->mnt.mnt_root, root))
				return master->mnt_group_id;
			peer = list_next_entry(peer, mnt_share);
		} while (peer != master);
	}
	return 0;
}

/* ---- who hears ---- */

static void add_receiver(struct mount *m, struct list_head *receivers)
{
	if (list_empty(&m->mnt_heard))
		list_add_tail(&m->mnt_heard, receivers);
}

static void add_peers_and_self(struct mount *m, struct list_head *receivers)
{
	struct mount *peer;

	add_receiver(m, receivers);
	list_for_each_entry(peer, &m->mnt_share, mnt_share)
		add_receiver(peer, receivers);
}

/* All that hear of what happens on origin, masters before slaves; origin itself is the first. */
static void collect_receivers(struct mount *origin, struct list_head *receivers)
{
	struct mount *m, *slave;

	if (!is_mnt_shared(origin)) {
		add_receiver(origin, receivers);	/* a slave, or private: tells nobody */
		return;
	}
	add_peers_and_self(origin, receivers);
	list_for_each_entry(m, receivers, mnt_heard) {
		list_for_each_entry(slave, &m->mnt_slave_list, mnt_slave)
			add_peers_and_self(slave, receivers);
	}
}

static void forget_receivers(struct list_head *receivers)
{
	struct mount *m, *next;

	list_for_each_entry_safe(m, next, receivers, mnt_heard) {
		list_del_init(&m->mnt_heard);
		m->mnt_model = NULL;
	}
}

/* ---- mounting ---- */

static void set_model(struct mount *m, struct mount *model)
{
	struct mount *peer;

	m->mnt_model = model;
	list_for_each_entry(peer, &m->mnt_share, mnt_share)
		peer->mnt_model = model;
}

/* One receiver's copy.  The masters of m have been served, and the topmost has the tree itself as its model. */
static int copy_for(struct mount *m, struct mountpoint *mp, struct list_head *copies)
{
	struct mount *model = m->mnt_model, *master = m->mnt_master, *copy;
	int flags = CL_JOIN_PEERS;

	if (!m->mnt_ns || !is_subdir(mp->m_dentry, m->mnt.mnt_root))
		return 0;
	if (!model) {
		while (!master->mnt_model)
			master = master->mnt_master;
		model = master->mnt_model;
		flags = CL_SLAVE | (is_mnt_shared(m) ? CL_MAKE_SHARED : 0);
	}
	copy = copy_tree(model, model->mnt.mnt_root, flags);
	if (IS_ERR(copy))
		return PTR_ERR(copy);
	lock_mount_hash();
	mnt_set_mountpoint(m, mp, copy);
	unlock_mount_hash();
	list_add_tail(&copy->mnt_private, copies);
	if (!m->mnt_model)
		set_model(m, copy);
	return 0;
}

/*
 * `source` is about to be mounted on dest at mp: makes its copies for all who hear of it, with their mount points set but
 * not yet visible, on the list `copies` (mnt_private).  0 or -errno; the caller disposes of the list in either case.
 */
int propagate_mnt(struct mount *dest, struct mountpoint *mp, struct mount *source, struct list_head *copies)
{
	LIST_HEAD(receivers);
	struct mount *m;
	int err = 0;

	collect_receivers(dest, &receivers);
	set_model(dest, source);
	list_for_each_entry(m, &receivers, mnt_heard) {
		err = m == dest ? 0 : copy_for(m, mp, copies);
		if (err)
			break;
	}
	forget_receivers(&receivers);
	return err;
}

/* ---- unmounting ---- */

/* What stands on the receiver at the place where m stands on its parent. */
static struct mount *twin_of(struct mount *m, struct mount *receiver)
{
	return __lookup_mnt(&receiver->mnt, m->mnt_mountpoint);
}

/* What covers m's root, NULL if nothing does. */
static struct mount *topper_of(struct mount *m)
{
	return __lookup_mnt(&m->mnt, m->mnt.mnt_root);
}

/* Does anything but `topper` stay on m? */
static bool keeps_children(struct mount *m, const struct mount *topper)
{
	struct mount *child;

	list_for_each_entry(child, &m->mnt_mounts, mnt_child) {
		if (child != topper && !(child->mnt.mnt_flags & MNT_UMOUNT))
			return true;
	}
	return false;
}

/* m goes.  What was there before a copy came in beneath it comes down to where it was. */
static void lower_topper(struct mount *topper, struct mount *m)
{
	put_mountpoint(unhash_mnt(topper));
	attach_mnt(topper, m->mnt_parent, m->mnt_mp);
}

/* m goes: so do its twins on all who hear of it, but not where something stays mounted on them. */
void propagate_umount(struct mount *m, struct list_head *list)
{
	struct mount *parent = m->mnt_parent, *receiver, *twin, *topper;
	LIST_HEAD(receivers);

	collect_receivers(parent, &receivers);
	list_for_each_entry(receiver, &receivers, mnt_heard) {
		twin = receiver == parent ? NULL : twin_of(m, receiver);
		if (!twin || twin->mnt.mnt_flags & MNT_UMOUNT)
			continue;
		topper = topper_of(twin);
		if (topper && topper->mnt.mnt_flags & MNT_UMOUNT)
			topper = NULL;
		if (keeps_children(twin, topper))
			continue;
		twin->mnt.mnt_flags |= MNT_UMOUNT;
		list_add_tail(&twin->mnt_private, list);
		if (topper)
			lower_topper(topper, twin);
	}
	forget_receivers(&receivers);
}

/* Does anybody use m (beyond refs references) or one of the twins that would go with it? */
bool propagate_mount_busy(struct mount *m, int refs)
{
	struct mount *parent = m->mnt_parent, *receiver, *twin, *topper;
	LIST_HEAD(receivers);
	bool busy = false;

	if (!list_empty(&m->mnt_mounts) || mnt_get_count(m) > refs)
		return true;
	if (!mnt_has_parent(m))
		return false;
	collect_receivers(parent, &receivers);
	list_for_each_entry(receiver, &receivers, mnt_heard) {
		twin = receiver == parent ? NULL : twin_of(m, receiver);
		if (!twin)
			continue;
		topper = topper_of(twin);
		if (!keeps_children(twin, topper) && mnt_get_count(twin) > (topper ? 2 : 1))
			busy = true;
	}
	forget_receivers(&receivers);
	return busy;
}
