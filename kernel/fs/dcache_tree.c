/*
 * dcache_tree.c: whole parts of the name tree: renaming, ancestors, pruning, throwing away.
 *
 * Idea:    d_walk() goes through all names below one, depth first, without recursion: it descends with the child's d_lock
 *          taken under the parent's and climbs by d_parent under RCU; a rename meanwhile is noticed by rename_lock and the
 *          walk begins anew, the second time with rename_lock held.
 * Locking: rename_lock -> parent's d_lock -> child's d_lock.
 * See:     dcache.c
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/dcache.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/rculist.h>
#include <weft/fsnotify.h>
#include <weft/sched.h>
#include "internal.h"

#define DENTRY_D_LOCK_PARENT	0
#define DENTRY_D_LOCK_NESTED	1

/* ---- walking ---- */

enum d_walk_ret {
	D_WALK_CONTINUE,
	D_WALK_QUIT,
	D_WALK_NORETRY,		/* found: no need to begin anew */
	D_WALK_SKIP,		/* not below this one */
};

/*
 * From a child back to its parent, which gets locked.  False: the tree was renamed under us.  Called with child's d_lock.
 */
static bool climb(struct dentry **pchild, int seq) __no_context_analysis	/* from lock to lock */
{
	struct dentry *child = *pchild, *parent = child->d_parent;

	rcu_read_lock();
	spin_unlock(&child->d_lock);
	spin_lock(&parent->d_lock);
	rcu_read_unlock();
	*pchild = parent;
	return !need_seqretry(&rename_lock, seq);
}

/* Calls enter() for `parent` and all below it, with the d_lock of the one it is called for. */
static void d_walk(struct dentry *parent, void *data, enum d_walk_ret (*enter)(void *, struct dentry *))
	__no_context_analysis	/* as above */
{
	struct dentry *this_parent, *dentry;
	struct list_head *next;
	enum d_walk_ret ret;
	bool retry = true;
	int seq = 0;

again:
	read_seqbegin_or_lock(&rename_lock, &seq);
	this_parent = parent;
	spin_lock(&this_parent->d_lock);
	ret = enter(data, this_parent);
	if (ret == D_WALK_QUIT || ret == D_WALK_SKIP)
		goto out_unlock;
	if (ret == D_WALK_NORETRY)
		retry = false;
	next = this_parent->d_subdirs.next;
	for (;;) {
		while (next != &this_parent->d_subdirs) {
			dentry = list_entry(next, struct dentry, d_child);
			next = next->next;
			if (dentry->d_flags & DCACHE_DENTRY_CURSOR)
				continue;
			spin_lock_nested(&dentry->d_lock, DENTRY_D_LOCK_NESTED);
			ret = enter(data, dentry);
			if (ret == D_WALK_QUIT) {
				spin_unlock(&dentry->d_lock);
				goto out_unlock;
			}
			if (ret == D_WALK_NORETRY)
				retry = false;
			if (ret != D_WALK_SKIP && !list_empty(&dentry->d_subdirs)) {
				spin_unlock(&this_parent->d_lock);
				/* For the lock checker the child is the parent from now on. */
				spin_release(&dentry->d_lock.dep_map, _RET_IP_);
				this_parent = dentry;
				spin_acquire(&this_parent->d_lock.dep_map, 0, 1, _RET_IP_);
				next = this_parent->d_subdirs.next;
				continue;
			}
			spin_unlock(&dentry->d_lock);
		}
		if (this_parent == parent)
			break;
		dentry = this_parent;
		if (!climb(&this_parent, seq)) {
			spin_unlock(&this_parent->d_lock);
			goto rename_retry;
		}
		/* dentry may have been killed meanwhile: its next pointer still leads on, past other dead ones. */
		next = dentry->d_child.next;
		while (next != &this_parent->d_subdirs &&
		       list_entry(next, struct dentry, d_child)->d_flags & DCACHE_DENTRY_KILLED)
			next = next->next;
	}
	if (need_seqretry(&rename_lock, seq)) {
		spin_unlock(&this_parent->d_lock);
		goto rename_retry;
	}
out_unlock:
	spin_unlock(&this_parent->d_lock);
	done_seqretry(&rename_lock, seq);
	return;

rename_retry:
	if (!retry)
		return;
	seq = 1;
	goto again;
}

/* ---- who is above whom ---- */

/* The child of p1 on the way down to p2, or NULL when p2 does not lie below p1.  rename_lock or s_vfs_rename_mutex held. */
struct dentry *d_ancestor(struct dentry *p1, struct dentry *p2)
{
	struct dentry *p;

	for (p = p2; !IS_ROOT(p); p = p->d_parent) {
		if (p->d_parent == p1)
			return p;
	}
	return NULL;
}

int is_subdir(struct dentry *dentry, struct dentry *ancestor)
{
	unsigned int seq;
	int res;

	if (dentry == ancestor)
		return 1;
	do {
		seq = read_seqbegin(&rename_lock);
		rcu_read_lock();
		res = d_ancestor(ancestor, dentry) != NULL;
		rcu_read_unlock();
	} while (read_seqretry(&rename_lock, seq));
	return res;
}

/* ---- renaming ---- */

static void take_name_over(struct dentry *dentry, struct dentry *target)
{
	const unsigned char *old = dname_external(dentry) ? dentry->d_name.name : NULL;

	if (dname_external(target)) {
		get_external_name(target->d_name.name);
		dentry->d_name.name = target->d_name.name;
	} else {
		memcpy(dentry->d_iname, target->d_name.name, target->d_name.len + 1);
		dentry->d_name.name = dentry->d_iname;
	}
	dentry->d_name.hash_len = target->d_name.hash_len;
	if (old)
		put_external_name(old);
}

static void swap_names(struct dentry *a, struct dentry *b)
{
	bool a_ext = dname_external(a), b_ext = dname_external(b);
	const unsigned char *a_name = a->d_name.name, *b_name = b->d_name.name;
	unsigned char tmp[DNAME_INLINE_LEN];

	memcpy(tmp, a->d_iname, DNAME_INLINE_LEN);
	memcpy(a->d_iname, b->d_iname, DNAME_INLINE_LEN);
	memcpy(b->d_iname, tmp, DNAME_INLINE_LEN);
	a->d_name.name = b_ext ? b_name : a->d_iname;
	b->d_name.name = a_ext ? a_name : b->d_iname;
	swap(a->d_name.hash_len, b->d_name.hash_len);
}

/* Locks both and their parents, parents first; the order among equals does not matter under rename_lock. */
static void lock_for_move(struct dentry *dentry, struct dentry *target) __no_context_analysis	/* two to four locks */
{
	struct dentry *p = dentry->d_parent, *q = target->d_parent;

	if (p == q || IS_ROOT(dentry)) {
		spin_lock(&q->d_lock);
	} else if (d_ancestor(q, p)) {
		spin_lock(&q->d_lock);
		spin_lock_nested(&p->d_lock, DENTRY_D_LOCK_NESTED);
	} else {
		spin_lock(&p->d_lock);
		spin_lock_nested(&q->d_lock, DENTRY_D_LOCK_NESTED);
	}
	if (dentry != q)
		spin_lock_nested(&dentry->d_lock, 2);
	if (target != p)
		spin_lock_nested(&target->d_lock, 3);
}

static void unlock_for_move(struct dentry *dentry, struct dentry *target, struct dentry *p, struct dentry *q)
	__no_context_analysis	/* as above */
{
	if (p != q && p != dentry)
		spin_unlock(&p->d_lock);
	spin_unlock(&q->d_lock);
	if (dentry != q)
		spin_unlock(&dentry->d_lock);
	if (target != p)
		spin_unlock(&target->d_lock);
}

/*
 * dentry gets target's name and parent; target goes out of the hash, or with `exchange` gets dentry's.  rename_lock held
 * for writing.
 */
static void __d_move(struct dentry *dentry, struct dentry *target, bool exchange)
{
	struct dentry *old_parent = dentry->d_parent, *new_parent = target->d_parent;

	lock_for_move(dentry, target);
	write_seqcount_begin(&dentry->d_seq);
	write_seqcount_begin_nested(&target->d_seq, DENTRY_D_LOCK_NESTED);
	if (!d_unhashed(dentry))
		__d_unhash(dentry);
	if (!d_unhashed(target))
		__d_unhash(target);

	dentry->d_parent = new_parent;
	if (!exchange) {
		take_name_over(dentry, target);
	} else {
		swap_names(dentry, target);
		target->d_parent = old_parent;
		list_move(&target->d_child, &old_parent->d_subdirs);
		__d_rehash(target);
	}
	if (old_parent == dentry) {	/* a disconnected one is connected now */
		dget_dlock(new_parent);
		dentry->d_flags &= ~DCACHE_DISCONNECTED;
	} else if (!exchange && old_parent != new_parent) {
		dget_dlock(new_parent);
		old_parent->d_lockref.count--;
	}
	list_move(&dentry->d_child, &new_parent->d_subdirs);
	__d_rehash(dentry);
	write_seqcount_end(&target->d_seq);
	write_seqcount_end(&dentry->d_seq);
	unlock_for_move(dentry, target, old_parent, new_parent);
}

/*
 * The old parent's count is only decremented, never freed here: the callers hold references on both parents (they hold
 * their i_rwsem).
 */
void d_move(struct dentry *dentry, struct dentry *target)
{
	write_seqlock(&rename_lock);
	__d_move(dentry, target, false);
	write_sequnlock(&rename_lock);
}

void d_exchange(struct dentry *a, struct dentry *b)
{
	write_seqlock(&rename_lock);
	__d_move(a, b, true);
	write_sequnlock(&rename_lock);
}

void take_dentry_name_snapshot(struct name_snapshot *snap, struct dentry *dentry)
{
	spin_lock(&dentry->d_lock);
	snap->name = dentry->d_name;
	if (dname_external(dentry)) {
		get_external_name(dentry->d_name.name);
	} else {
		memcpy(snap->inline_name, dentry->d_iname, dentry->d_name.len + 1);
		snap->name.name = snap->inline_name;
	}
	spin_unlock(&dentry->d_lock);
}

void release_dentry_name_snapshot(struct name_snapshot *snap)
{
	if (snap->name.name != snap->inline_name)
		put_external_name(snap->name.name);
}

/* ---- pruning ---- */

struct select_data {
	struct dentry		*start;
	struct list_head	dispose;
	bool			found;
};

static enum d_walk_ret select_unused(void *p, struct dentry *dentry)
{
	struct select_data *data = p;

	if (dentry == data->start)
		return D_WALK_CONTINUE;
	if (dentry->d_flags & DCACHE_SHRINK_LIST || __lockref_is_dead(&dentry->d_lockref)) {
		data->found = true;		/* its inode may not have been let go of yet */
	} else if (!dentry->d_lockref.count) {
		d_to_shrink_list(dentry, &data->dispose);
		data->found = true;
	}
	return need_resched() && data->found ? D_WALK_QUIT : D_WALK_CONTINUE;
}

/* Drops all unused names below.  Those that somebody else is freeing are waited for by looking again. */
void shrink_dcache_parent(struct dentry *parent)
{
	for (;;) {
		struct select_data data = { .start = parent };

		INIT_LIST_HEAD(&data.dispose);
		d_walk(parent, &data, select_unused);
		if (!list_empty(&data.dispose)) {
			shrink_dentry_list(&data.dispose);
			continue;
		}
		cond_resched();
		if (!data.found)
			break;
	}
}

void shrink_dcache_sb(struct super_block *sb)
{
	if (sb->s_root)
		shrink_dcache_parent(sb->s_root);
}

static enum d_walk_ret report_busy(void *p, struct dentry *dentry)
{
	if (dentry == p && dentry->d_lockref.count == 1)
		return D_WALK_CONTINUE;
	if (list_empty(&dentry->d_subdirs))
		pr_err("VFS: name still in use at unmount: %s/%s (%d)\n", dentry->d_sb->s_id, dentry->d_name.name,
		       dentry->d_lockref.count);
	return D_WALK_CONTINUE;
}

void shrink_dcache_for_umount(struct super_block *sb)
{
	struct dentry *root = sb->s_root;

	sb->s_root = NULL;
	shrink_dcache_parent(root);
	d_walk(root, root, report_busy);
	d_drop(root);
	dput(root);
}

static enum d_walk_ret genocide_one(void *data, struct dentry *dentry)
{
	struct dentry *root = data;

	if (dentry != root) {
		if (d_unhashed(dentry) || !dentry->d_inode)
			return D_WALK_SKIP;
		if (!(dentry->d_flags & DCACHE_GENOCIDE)) {
			dentry->d_flags |= DCACHE_GENOCIDE;	/* a second pass must not count it twice */
			dentry->d_lockref.count--;
		}
	}
	return D_WALK_CONTINUE;
}

void d_genocide(struct dentry *root)
{
	d_walk(root, root, genocide_one);
}

/* ---- names that are no longer true ---- */

static enum d_walk_ret find_mounted(void *p, struct dentry *dentry)
{
	struct dentry **victim = p;

	if (!d_mountpoint(dentry))
		return D_WALK_CONTINUE;
	*victim = dget_dlock(dentry);
	return D_WALK_QUIT;
}

void d_invalidate(struct dentry *dentry)
{
	bool had_submounts = false;

	spin_lock(&dentry->d_lock);
	if (d_unhashed(dentry)) {
		spin_unlock(&dentry->d_lock);
		return;
	}
	__d_drop(dentry);
	spin_unlock(&dentry->d_lock);
	if (!dentry->d_inode)
		return;
	shrink_dcache_parent(dentry);
	for (;;) {
		struct dentry *victim = NULL;

		d_walk(dentry, &victim, find_mounted);
		if (!victim) {
			if (had_submounts)
				shrink_dcache_parent(dentry);
			return;
		}
		had_submounts = true;
		detach_mounts(victim);
		dput(victim);
	}
}

void dont_mount(struct dentry *dentry)
{
	spin_lock(&dentry->d_lock);
	dentry->d_flags |= DCACHE_CANT_MOUNT;
	spin_unlock(&dentry->d_lock);
}

/* 0, -ENOENT for a name that has gone, -EBUSY when something is mounted here already. */
int d_set_mounted(struct dentry *dentry)
{
	int ret = -ENOENT;

	spin_lock(&dentry->d_lock);
	if (!d_unlinked(dentry)) {
		ret = -EBUSY;
		if (!d_mountpoint(dentry)) {
			dentry->d_flags |= DCACHE_MOUNTED;
			ret = 0;
		}
	}
	spin_unlock(&dentry->d_lock);
	return ret;
}
