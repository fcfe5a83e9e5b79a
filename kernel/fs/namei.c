/*
 * namei.c: the walk from a path name to a dentry.
 *
 * Idea:    first without any reference or lock: under RCU, each step validated by the d_seq of the dentry it leaves and the
 *          one it enters, mounts by mount_lock's sequence.  Such a walk writes no shared cache line.  Where it cannot go on
 *          (name not in the cache, a method that must sleep) it turns its position into references (unlazy) and goes on
 *          with those; where what it saw changed meanwhile it ends with -ECHILD and the caller begins anew, with
 *          references from the start.
 *          Symbolic links are followed without recursion: a stack keeps, for each link, the rest of the name behind it.
 * States:  flags & LOOKUP_RCU: path, root and links are borrowed, seq numbers count.  Otherwise: each is a reference.
 * Locking: i_rwsem of the directory around ->lookup().
 * Race:    a step from parent to child under RCU:
 *              walker                                   rename or unlink
 *              seq = child->d_seq                       write_seqcount_begin(child->d_seq)
 *              compare name, read d_inode               change it
 *              parent->d_seq still as it was?           write_seqcount_end()
 *              later: child->d_seq still seq?  -> no: -ECHILD
 * See:     spec.md §10; namei_open.c, namei_ops.c; path_resolution(7), openat2(2)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/uaccess.h>
#include "internal.h"
#include "nameidata.h"

/* ---- from borrowed to owned ---- */

static void drop_links(struct nameidata *nd)
{
	for (unsigned int i = nd->depth; i--; ) {
		do_delayed_call(&nd->stack[i].done);
		clear_delayed_call(&nd->stack[i].done);
	}
}

static void leave_rcu(struct nameidata *nd)
{
	nd->flags &= ~LOOKUP_RCU;
	rcu_read_unlock();
}

void terminate_walk(struct nameidata *nd)
{
	drop_links(nd);
	if (nd->flags & LOOKUP_RCU) {
		leave_rcu(nd);
	} else {
		path_put(&nd->path);
		for (unsigned int i = 0; i < nd->depth; i++)
			path_put(&nd->stack[i].link);
		if (nd->state & ND_ROOT_GRABBED) {
			path_put(&nd->root);
			nd->state &= ~ND_ROOT_GRABBED;
		}
	}
	nd->depth = 0;
	nd->path = (struct path){ };
}

/* True: both references taken, and the place is what it was.  Otherwise *path holds what must be put after RCU. */
static bool legitimize_path(struct nameidata *nd, struct path *path, unsigned int seq)
{
	int res = __legitimize_mnt(path->mnt, nd->m_seq);

	if (unlikely(res)) {
		if (res > 0)
			path->mnt = NULL;
		path->dentry = NULL;
		return false;
	}
	if (unlikely(!lockref_get_not_dead(&path->dentry->d_lockref))) {
		path->dentry = NULL;
		return false;
	}
	return !read_seqcount_retry(&path->dentry->d_seq, seq);
}

static bool legitimize_links(struct nameidata *nd)
{
	for (unsigned int i = 0; i < nd->depth; i++) {
		struct saved_link *last = &nd->stack[i];

		if (unlikely(!legitimize_path(nd, &last->link, last->seq))) {
			drop_links(nd);
			nd->depth = i + 1;
			return false;
		}
	}
	return true;
}

static bool legitimize_root(struct nameidata *nd)
{
	/* Nothing to hold, or the caller of the walk holds it. */
	if (!nd->root.mnt || nd->state & ND_ROOT_PRESET)
		return true;
	nd->state |= ND_ROOT_GRABBED;
	return legitimize_path(nd, &nd->root, nd->root_seq);
}

/* The walk goes on with references: true.  False: the tree changed, the caller returns -ECHILD. */
bool try_to_unlazy(struct nameidata *nd)
{
	BUG_ON(!(nd->flags & LOOKUP_RCU));
	if (nd->flags & LOOKUP_CACHED) {
		drop_links(nd);
		nd->depth = 0;
		goto out_nothing;
	}
	if (unlikely(!legitimize_links(nd)))
		goto out_nothing;
	if (unlikely(!legitimize_path(nd, &nd->path, nd->seq)))
		goto out;
	if (unlikely(!legitimize_root(nd)))
		goto out;
	leave_rcu(nd);
	return true;

out_nothing:
	nd->path = (struct path){ };
out:
	leave_rcu(nd);
	return false;
}

/* The same, and with a reference on the child `dentry` whose d_seq was seq when it was found. */
static bool try_to_unlazy_next(struct nameidata *nd, struct dentry *dentry, unsigned int seq)
{
	int res;

	if (nd->flags & LOOKUP_CACHED) {
		drop_links(nd);
		nd->depth = 0;
		goto out_nothing;
	}
	if (unlikely(!legitimize_links(nd)))
		goto out_nothing;
	res = __legitimize_mnt(nd->path.mnt, nd->m_seq);
	if (unlikely(res)) {
		if (res > 0)
			nd->path.mnt = NULL;
		nd->path.dentry = NULL;
		goto out;
	}
	if (unlikely(!lockref_get_not_dead(&nd->path.dentry->d_lockref))) {
		nd->path.dentry = NULL;
		goto out;
	}
	/* The parent had this child, at a time when both sequences held: then a reference on the child is good. */
	if (unlikely(!lockref_get_not_dead(&dentry->d_lockref)))
		goto out;
	if (read_seqcount_retry(&dentry->d_seq, seq) || !legitimize_root(nd)) {
		leave_rcu(nd);
		dput(dentry);
		return false;
	}
	leave_rcu(nd);
	return true;

out_nothing:
	nd->path = (struct path){ };
out:
	leave_rcu(nd);
	return false;
}

/* The walk came to its end: 0 with references, or -errno. */
int complete_walk(struct nameidata *nd)
{
	if (nd->flags & LOOKUP_RCU) {
		if (!(nd->state & ND_ROOT_PRESET) && !(nd->flags & LOOKUP_IS_SCOPED))
			nd->root.mnt = NULL;	/* nobody asks for the root any more */
		nd->flags &= ~LOOKUP_CACHED;
		if (!try_to_unlazy(nd))
			return -ECHILD;
	}
	/* openat2(): what the checks on the way allowed could have been moved out meanwhile. */
	if (unlikely(nd->flags & LOOKUP_IS_SCOPED) && !path_is_under(&nd->path, &nd->root))
		return -EXDEV;
	return 0;
}

/* ---- the root ---- */

static int set_root(struct nameidata *nd)
{
	struct fs_struct *fs = current->fs;
	unsigned int seq;

	if (WARN_ON(nd->flags & LOOKUP_IS_SCOPED))
		return -ENOTRECOVERABLE;
	if (!(nd->flags & LOOKUP_RCU)) {
		get_fs_root(fs, &nd->root);
		nd->state |= ND_ROOT_GRABBED;
		return 0;
	}
	do {
		seq = read_seqcount_begin(&fs->seq);
		nd->root = fs->root;
		nd->root_seq = read_seqcount_begin(&nd->root.dentry->d_seq);
	} while (read_seqcount_retry(&fs->seq, seq));
	return 0;
}

/* The position becomes the root. */
static int nd_jump_root(struct nameidata *nd)
{
	int err;

	if (unlikely(nd->flags & LOOKUP_BENEATH))
		return -EXDEV;
	if (!nd->root.mnt) {
		err = set_root(nd);
		if (err)
			return err;
	}
	if (unlikely(nd->flags & LOOKUP_NO_XDEV) && nd->path.mnt && nd->root.mnt != nd->path.mnt)
		return -EXDEV;
	if (nd->flags & LOOKUP_RCU) {
		nd->path = nd->root;
		nd->inode = nd->path.dentry->d_inode;
		nd->seq = nd->root_seq;
		if (read_seqcount_retry(&nd->path.dentry->d_seq, nd->seq))
			return -ECHILD;
	} else {
		path_put(&nd->path);
		nd->path = nd->root;
		path_get(&nd->path);
		nd->inode = nd->path.dentry->d_inode;
	}
	nd->state |= ND_JUMPED;
	return 0;
}

int nd_jump_link(const struct path *path)
{
	struct nameidata *nd = current->nameidata;
	int err = -ELOOP;

	if (unlikely(nd->flags & LOOKUP_NO_MAGICLINKS))
		goto refuse;
	err = -EXDEV;
	if (unlikely(nd->flags & LOOKUP_NO_XDEV && nd->path.mnt != path->mnt))
		goto refuse;
	if (unlikely(nd->flags & LOOKUP_IS_SCOPED))
		goto refuse;
	path_put(&nd->path);
	nd->path = *path;
	nd->inode = nd->path.dentry->d_inode;
	nd->state |= ND_JUMPED;
	return 0;

refuse:
	path_put(path);
	return err;
}

/* ---- mounts ---- */

int follow_up(struct path *path)
{
	struct mount *mnt = real_mount(path->mnt), *parent;
	struct dentry *mountpoint;

	write_seqlock(&mount_lock);
	parent = mnt->mnt_parent;
	if (parent == mnt) {
		write_sequnlock(&mount_lock);
		return 0;
	}
	mntget(&parent->mnt);
	mountpoint = dget(mnt->mnt_mountpoint);
	write_sequnlock(&mount_lock);
	path_put(path);
	path->dentry = mountpoint;
	path->mnt = &parent->mnt;
	return 1;
}

int follow_down(struct path *path)
{
	struct vfsmount *mounted;

	while (d_mountpoint(path->dentry)) {
		mounted = lookup_mnt(path);
		if (!mounted)
			break;
		path_put(path);
		path->mnt = mounted;
		path->dentry = dget(mounted->mnt_root);
	}
	return 0;
}

/*
 * With references: path->dentry is owned, path->mnt is the position's own as long as *crossed is false.  On error the
 * dentry is put.
 */
static int traverse_mounts(struct nameidata *nd, struct path *path, bool *crossed)
{
	struct vfsmount *mounted;

	while (d_mountpoint(path->dentry)) {
		mounted = lookup_mnt(path);
		if (!mounted)
			break;
		dput(path->dentry);
		if (*crossed)
			mntput(path->mnt);
		path->mnt = mounted;
		path->dentry = dget(mounted->mnt_root);
		*crossed = true;
		if (unlikely(nd->flags & LOOKUP_NO_XDEV)) {
			path_put(path);
			return -EXDEV;
		}
	}
	return 0;
}

/* Under RCU.  False: something to be done that needs references, or the tree of mounts changed. */
static bool follow_mount_rcu(struct nameidata *nd, struct path *path, unsigned int *seqp)
{
	struct mount *mounted;

	if (likely(!d_mountpoint(path->dentry)))
		return true;
	if (unlikely(nd->flags & LOOKUP_NO_XDEV))
		return false;
	do {
		mounted = __lookup_mnt(path->mnt, path->dentry);
		if (!mounted)
			break;
		path->mnt = &mounted->mnt;
		path->dentry = mounted->mnt.mnt_root;
		nd->state |= ND_JUMPED;
		*seqp = read_seqcount_begin(&path->dentry->d_seq);
	} while (d_mountpoint(path->dentry));
	return !read_seqretry(&mount_lock, nd->m_seq);
}

/* ---- one component ---- */

static inline int d_revalidate(struct dentry *dentry, unsigned int flags)
{
	if (unlikely(dentry->d_flags & DCACHE_OP_REVALIDATE))
		return dentry->d_op->d_revalidate(dentry, flags);
	return 1;
}

/* From the cache, + reference; NULL when it is not there or no longer true; ERR_PTR.  The parent's i_rwsem is held. */
static struct dentry *lookup_dcache(const struct qstr *name, struct dentry *dir, unsigned int flags)
{
	struct dentry *dentry = d_lookup(dir, name);
	int valid;

	if (!dentry)
		return NULL;
	valid = d_revalidate(dentry, flags);
	if (likely(valid > 0))
		return dentry;
	if (!valid)
		d_invalidate(dentry);
	dput(dentry);
	return ERR_PTR(valid);
}

/* From the cache or the file system, + reference, perhaps negative.  base's i_rwsem is held for writing. */
struct dentry *lookup_one_qstr(const struct qstr *name, struct dentry *base, unsigned int flags)
{
	struct dentry *dentry = lookup_dcache(name, base, flags), *old;
	struct inode *dir = d_inode(base);

	if (dentry)
		return dentry;
	if (unlikely(IS_DEADDIR(dir)))
		return ERR_PTR(-ENOENT);
	if (unlikely(!dir->i_op->lookup))
		return ERR_PTR(-ENOTDIR);
	dentry = d_alloc(base, name);
	if (unlikely(!dentry))
		return ERR_PTR(-ENOMEM);
	old = dir->i_op->lookup(dir, dentry, flags);
	if (unlikely(old)) {
		dput(dentry);
		dentry = old;
	}
	return dentry;
}

/*
 * The child of the position named nd->last, if the cache has it.  NULL: ask the file system (then the walk has references).
 * Under RCU it is borrowed and *seqp set; otherwise a reference.
 */
struct dentry *lookup_fast(struct nameidata *nd, unsigned int *seqp)
{
	struct dentry *dentry, *parent = nd->path.dentry;
	int valid;

	if (nd->flags & LOOKUP_RCU) {
		dentry = __d_lookup_rcu(parent, &nd->last, seqp);
		if (unlikely(!dentry))
			return try_to_unlazy(nd) ? NULL : ERR_PTR(-ECHILD);
		if (unlikely(read_seqcount_retry(&parent->d_seq, nd->seq)))
			return ERR_PTR(-ECHILD);
		valid = d_revalidate(dentry, nd->flags);
		if (likely(valid > 0))
			return dentry;
		if (!try_to_unlazy_next(nd, dentry, *seqp))
			return ERR_PTR(-ECHILD);
		if (valid == -ECHILD)
			valid = d_revalidate(dentry, nd->flags);
	} else {
		dentry = __d_lookup(parent, &nd->last);
		if (unlikely(!dentry))
			return NULL;
		valid = d_revalidate(dentry, nd->flags);
	}
	if (likely(valid > 0))
		return dentry;
	if (!valid)
		d_invalidate(dentry);
	dput(dentry);
	return ERR_PTR(valid);
}

static struct dentry *lookup_slow(const struct qstr *name, struct dentry *dir, unsigned int flags)
{
	struct inode *inode = d_inode(dir);
	struct dentry *res;

	inode_lock_nested(inode, I_MUTEX_PARENT);
	res = lookup_one_qstr(name, dir, flags);
	inode_unlock(inode);
	return res;
}

static inline int may_lookup(struct nameidata *nd)
{
	struct inode *inode = nd->inode;
	int err;

	/* What everybody may search, and no method wants to be asked: no look at credentials. */
	if (likely((inode->i_mode & S_IXUGO) == S_IXUGO && inode->i_opflags & IOP_FASTPERM))
		return 0;
	if (nd->flags & LOOKUP_RCU) {
		err = inode_permission(inode, MAY_EXEC | MAY_NOT_BLOCK);
		if (!err)
			return 0;
		/* It may be wrong: the inode could have changed.  With references the answer counts. */
		if (!try_to_unlazy(nd))
			return -ECHILD;
		if (err != -ECHILD)
			return err;
	}
	return inode_permission(nd->inode, MAY_EXEC);
}

/* ---- links ---- */

static bool nd_alloc_stack(struct nameidata *nd)
{
	struct saved_link *p = kmalloc_array(MAXSYMLINKS, sizeof(*p), nd->flags & LOOKUP_RCU ? GFP_ATOMIC : GFP_KERNEL);

	if (unlikely(!p))
		return false;
	memcpy(p, nd->internal, sizeof(nd->internal));
	nd->stack = p;
	return true;
}

/* Its text was walked to the end. */
void put_link(struct nameidata *nd)
{
	struct saved_link *last = &nd->stack[--nd->depth];

	do_delayed_call(&last->done);
	if (!(nd->flags & LOOKUP_RCU))
		path_put(&last->link);
}

/* In a sticky directory that everybody may write to, a link is followed only for its owner or when the directory's is. */
static int may_follow_link(struct nameidata *nd, const struct inode *inode)
{
	if (!sysctl_protected_symlinks || uid_eq(current_fsuid(), inode->i_uid))
		return 0;
	if ((nd->dir_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
		return 0;
	if (uid_valid(nd->dir_uid) && uid_eq(nd->dir_uid, inode->i_uid))
		return 0;
	return nd->flags & LOOKUP_RCU ? -ECHILD : -EACCES;
}

/* Room for one more link on the stack; `link` is what is to go there.  0 or -errno, with link put. */
static int reserve_stack(struct nameidata *nd, struct path *link, unsigned int seq)
{
	bool grabbed;

	if (unlikely(nd->total_link_count++ >= MAXSYMLINKS)) {
		if (!(nd->flags & LOOKUP_RCU))
			path_put(link);
		return -ELOOP;
	}
	if (likely(nd->depth < EMBEDDED_LEVELS || nd->stack != nd->internal))
		return 0;
	if (likely(nd_alloc_stack(nd)))
		return 0;
	if (nd->flags & LOOKUP_RCU) {	/* once more, where it may sleep */
		grabbed = legitimize_path(nd, link, seq);
		if (!try_to_unlazy(nd) || !grabbed) {
			path_put(link);
			return -ECHILD;
		}
		if (nd_alloc_stack(nd))
			return 0;
	}
	path_put(link);
	return -ENOMEM;
}

static const char *link_body(struct nameidata *nd, struct saved_link *last, struct inode *inode)
{
	const char *(*get)(struct dentry *, struct inode *, struct delayed_call *);
	const char *res = READ_ONCE(inode->i_link);

	if (res)
		return res;
	get = inode->i_op->get_link;
	if (nd->flags & LOOKUP_RCU) {
		res = get(NULL, inode, &last->done);
		if (res != ERR_PTR(-ECHILD))
			return res;
		if (!try_to_unlazy(nd))
			return ERR_PTR(-ECHILD);
	}
	return get(last->link.dentry, inode, &last->done);
}

/* A link was met: it goes on the stack.  Its text, to be walked next; NULL when nothing is left to walk; ERR_PTR. */
static const char *pick_link(struct nameidata *nd, struct path *link, struct inode *inode, unsigned int seq, int flags)
{
	struct saved_link *last;
	const char *res;
	int err = reserve_stack(nd, link, seq);

	if (unlikely(err))
		return ERR_PTR(err);
	last = &nd->stack[nd->depth++];
	last->link = *link;
	clear_delayed_call(&last->done);
	last->seq = seq;

	if (flags & WALK_TRAILING) {
		err = may_follow_link(nd, inode);
		if (unlikely(err))
			return ERR_PTR(err);
	}
	if (unlikely(nd->flags & LOOKUP_NO_SYMLINKS) || unlikely(link->mnt->mnt_flags & MNT_NOSYMFOLLOW))
		return ERR_PTR(-ELOOP);
	if (unlikely(atime_needs_update(&last->link, inode))) {
		if (nd->flags & LOOKUP_RCU && !try_to_unlazy(nd))
			return ERR_PTR(-ECHILD);
		touch_atime(&last->link);
	}
	res = link_body(nd, last, inode);
	if (IS_ERR(res))
		return res;
	if (!res)			/* a magic link: the position has jumped already */
		goto done;
	if (*res == '/') {
		err = nd_jump_root(nd);
		if (unlikely(err))
			return ERR_PTR(err);
		while (*res == '/')
			res++;
	}
	if (*res)
		return res;
done:
	put_link(nd);
	return NULL;
}

/*
 * The position moves to `dentry`, found below it, and on to what is mounted there; or a link is picked up.  Consumes the
 * reference (none under RCU).  NULL, a link's text, or ERR_PTR.
 */
const char *step_into(struct nameidata *nd, int flags, struct dentry *dentry, unsigned int seq)
{
	struct path path = { .mnt = nd->path.mnt, .dentry = dentry };
	struct inode *inode;
	bool crossed = false;
	int err;

	if (nd->flags & LOOKUP_RCU) {
		if (unlikely(!follow_mount_rcu(nd, &path, &seq)))
			return ERR_PTR(-ECHILD);
		inode = READ_ONCE(path.dentry->d_inode);
		if (unlikely(!inode)) {
			if (read_seqcount_retry(&path.dentry->d_seq, seq))
				return ERR_PTR(-ECHILD);
			return ERR_PTR(-ENOENT);
		}
	} else {
		err = traverse_mounts(nd, &path, &crossed);
		if (unlikely(err))
			return ERR_PTR(err);
		if (crossed)
			nd->state |= ND_JUMPED;
		inode = path.dentry->d_inode;
		if (unlikely(d_is_negative(path.dentry))) {
			dput(path.dentry);
			if (crossed)
				mntput(path.mnt);
			return ERR_PTR(-ENOENT);
		}
		seq = 0;
	}
	if (likely(!d_is_symlink(path.dentry)) || flags & WALK_NOFOLLOW ||
	    ((flags & WALK_TRAILING) && !(nd->flags & LOOKUP_FOLLOW))) {
		if (!(nd->flags & LOOKUP_RCU)) {
			dput(nd->path.dentry);
			if (crossed)
				mntput(nd->path.mnt);
		}
		nd->path = path;
		nd->inode = inode;
		nd->seq = seq;
		return NULL;
	}
	if (nd->flags & LOOKUP_RCU) {
		if (read_seqcount_retry(&path.dentry->d_seq, seq))
			return ERR_PTR(-ECHILD);
	} else if (!crossed) {
		mntget(path.mnt);	/* the link keeps a reference of its own */
	}
	return pick_link(nd, &path, inode, seq, flags);
}

/* ---- ".." ---- */

/* The mount point that the root of mnt hangs on, through as many mounts as end there.  False at the walk's root. */
static bool choose_mountpoint_rcu(struct mount *m, const struct path *root, struct path *path, unsigned int *seqp)
{
	while (mnt_has_parent(m)) {
		struct dentry *mountpoint = m->mnt_mountpoint;

		m = m->mnt_parent;
		if (unlikely(root->dentry == mountpoint && root->mnt == &m->mnt))
			break;
		if (mountpoint != m->mnt.mnt_root) {
			path->mnt = &m->mnt;
			path->dentry = mountpoint;
			*seqp = read_seqcount_begin(&mountpoint->d_seq);
			return true;
		}
	}
	return false;
}

static bool choose_mountpoint(struct mount *m, const struct path *root, struct path *path)
{
	bool found;
	unsigned int seq, mseq;
	int res;

	for (;;) {
		rcu_read_lock();
		mseq = read_seqbegin(&mount_lock);
		found = choose_mountpoint_rcu(m, root, path, &seq);
		if (unlikely(!found)) {
			bool changed = read_seqretry(&mount_lock, mseq);

			rcu_read_unlock();
			if (!changed)
				return false;
			continue;
		}
		res = __legitimize_mnt(path->mnt, mseq);
		if (!res && lockref_get_not_dead(&path->dentry->d_lockref)) {
			rcu_read_unlock();
			return true;
		}
		rcu_read_unlock();
		if (res <= 0)
			mntput(path->mnt);
	}
}

/* Is the dentry still below the root of its mount?  A rename can have carried it out. */
static bool path_connected(struct vfsmount *mnt, struct dentry *dentry)
{
	return mnt->mnt_root == mnt->mnt_sb->s_root || is_subdir(dentry, mnt->mnt_root);
}

static struct dentry *follow_dotdot_rcu(struct nameidata *nd, unsigned int *seqp)
{
	struct dentry *old, *parent;

	if (path_equal(&nd->path, &nd->root))
		goto in_root;
	if (unlikely(nd->path.dentry == nd->path.mnt->mnt_root)) {
		unsigned int seq;
		struct path path;

		if (!choose_mountpoint_rcu(real_mount(nd->path.mnt), &nd->root, &path, &seq))
			goto in_root;
		if (unlikely(nd->flags & LOOKUP_NO_XDEV))
			return ERR_PTR(-ECHILD);
		nd->path = path;
		nd->inode = path.dentry->d_inode;
		nd->seq = seq;
		if (read_seqretry(&mount_lock, nd->m_seq))
			return ERR_PTR(-ECHILD);
	}
	old = nd->path.dentry;
	parent = old->d_parent;
	*seqp = read_seqcount_begin(&parent->d_seq);
	if (read_seqcount_retry(&old->d_seq, nd->seq) || !path_connected(nd->path.mnt, parent))
		return ERR_PTR(-ECHILD);
	return parent;

in_root:
	if (read_seqretry(&mount_lock, nd->m_seq) || unlikely(nd->flags & LOOKUP_BENEATH))
		return ERR_PTR(-ECHILD);
	return NULL;
}

static struct dentry *follow_dotdot(struct nameidata *nd)
{
	struct dentry *parent;

	if (path_equal(&nd->path, &nd->root))
		goto in_root;
	if (unlikely(nd->path.dentry == nd->path.mnt->mnt_root)) {
		struct path path;

		if (!choose_mountpoint(real_mount(nd->path.mnt), &nd->root, &path))
			goto in_root;
		path_put(&nd->path);
		nd->path = path;
		nd->inode = path.dentry->d_inode;
		if (unlikely(nd->flags & LOOKUP_NO_XDEV))
			return ERR_PTR(-EXDEV);
	}
	parent = dget_parent(nd->path.dentry);
	if (unlikely(!path_connected(nd->path.mnt, parent))) {
		dput(parent);
		return ERR_PTR(-ENOENT);
	}
	return parent;

in_root:
	return unlikely(nd->flags & LOOKUP_BENEATH) ? ERR_PTR(-EXDEV) : NULL;
}

const char *handle_dots(struct nameidata *nd, int type)
{
	struct dentry *parent;
	const char *res;
	unsigned int seq = 0;
	int err;

	if (type == LAST_DOT)
		return NULL;
	if (!nd->root.mnt) {
		err = set_root(nd);
		if (err)
			return ERR_PTR(err);
	}
	parent = nd->flags & LOOKUP_RCU ? follow_dotdot_rcu(nd, &seq) : follow_dotdot(nd);
	if (IS_ERR(parent))
		return ERR_CAST(parent);
	if (parent) {
		res = step_into(nd, WALK_NOFOLLOW, parent, seq);
		if (unlikely(res))
			return res;
	} else {
		/* ".." of the root is the root, and then what is mounted on it. */
		struct dentry *here = nd->path.dentry;

		if (!(nd->flags & LOOKUP_RCU))
			dget(here);
		res = step_into(nd, WALK_NOFOLLOW, here, nd->seq);
		if (unlikely(res))
			return res;
	}
	if (unlikely(nd->flags & LOOKUP_IS_SCOPED)) {
		/* A rename or mount during the step could have led outside: the caller may try again. */
		smp_rmb();
		if (read_seqretry(&mount_lock, nd->m_seq) || read_seqretry(&rename_lock, nd->r_seq))
			return ERR_PTR(nd->flags & LOOKUP_RCU ? -ECHILD : -EAGAIN);
	}
	return NULL;
}

/* ---- the walk ---- */

const char *walk_component(struct nameidata *nd, int flags)
{
	struct dentry *dentry;
	unsigned int seq = 0;

	if (unlikely(nd->last_type != LAST_NORM)) {
		if (unlikely(nd->depth) && !(flags & WALK_MORE))
			put_link(nd);
		return handle_dots(nd, nd->last_type);
	}
	dentry = lookup_fast(nd, &seq);
	if (IS_ERR(dentry))
		return ERR_CAST(dentry);
	if (unlikely(!dentry)) {
		dentry = lookup_slow(&nd->last, nd->path.dentry, nd->flags);
		if (IS_ERR(dentry))
			return ERR_CAST(dentry);
	}
	if (!(flags & WALK_MORE) && nd->depth)
		put_link(nd);
	return step_into(nd, flags, dentry, seq);
}

/* "." and ".." are not looked up. */
static inline int component_type(const char *name, u32 len)
{
	if (likely(name[0] != '.') || len > 2)
		return LAST_NORM;
	if (len == 1)
		return LAST_DOT;
	return name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

/* Walks all but the last component, which is left in nd->last and nd->last_type.  0 or -errno. */
int link_path_walk(const char *name, struct nameidata *nd)
{
	unsigned int depth = 0;		/* links whose rest of the name is still to be walked */
	int err;

	nd->last_type = LAST_ROOT;
	nd->flags |= LOOKUP_PARENT;
	if (IS_ERR(name))
		return PTR_ERR(name);
	while (*name == '/')
		name++;
	if (!*name) {
		nd->dir_mode = 0;	/* "/" has no parent that could be sticky */
		return 0;
	}
	for (;;) {
		const char *link;
		u32 len;

		err = may_lookup(nd);
		if (unlikely(err))
			return err;
		nd->last.name = (const unsigned char *)name;
		nd->last.hash_len = hashlen_string(nd->path.dentry, name);
		len = hashlen_len(nd->last.hash_len);
		nd->last_type = component_type(name, len);
		if (likely(nd->last_type == LAST_NORM)) {
			nd->state &= ~ND_JUMPED;
			if (unlikely(len > NAME_MAX))
				return -ENAMETOOLONG;
			if (unlikely(nd->path.dentry->d_flags & DCACHE_OP_HASH)) {
				err = nd->path.dentry->d_op->d_hash(nd->path.dentry, &nd->last);
				if (err < 0)
					return err;
			}
		} else {
			nd->state |= nd->last_type == LAST_DOTDOT ? ND_JUMPED : 0;
		}
		name += len;
		while (unlikely(*name == '/'))
			name++;
		if (unlikely(!*name)) {
			if (!depth) {	/* the last of all: the caller's */
				nd->dir_uid = nd->inode->i_uid;
				nd->dir_mode = nd->inode->i_mode;
				nd->flags &= ~LOOKUP_PARENT;
				return 0;
			}
			name = nd->stack[--depth].name;
			link = walk_component(nd, 0);
		} else {
			link = walk_component(nd, WALK_MORE);
		}
		if (unlikely(link)) {
			if (IS_ERR(link))
				return PTR_ERR(link);
			nd->stack[depth++].name = name;
			name = link;
			continue;
		}
		if (unlikely(!d_can_lookup(nd->path.dentry))) {
			if (nd->flags & LOOKUP_RCU && !try_to_unlazy(nd))
				return -ECHILD;
			return -ENOTDIR;
		}
	}
}

static int start_at_cwd(struct nameidata *nd)
{
	struct fs_struct *fs = current->fs;
	unsigned int seq;

	if (!(nd->flags & LOOKUP_RCU)) {
		get_fs_pwd(fs, &nd->path);
		nd->inode = nd->path.dentry->d_inode;
		return 0;
	}
	do {
		seq = read_seqcount_begin(&fs->seq);
		nd->path = fs->pwd;
		nd->inode = nd->path.dentry->d_inode;
		nd->seq = read_seqcount_begin(&nd->path.dentry->d_seq);
	} while (read_seqcount_retry(&fs->seq, seq));
	return 0;
}

static int start_at_fd(struct nameidata *nd, const char *s)
{
	struct fd f = fdget_raw(nd->dfd);
	struct dentry *dentry;

	if (!f.file)
		return -EBADF;
	dentry = f.file->f_path.dentry;
	if (*s && unlikely(!d_can_lookup(dentry))) {
		fdput(f);
		return -ENOTDIR;
	}
	nd->path = f.file->f_path;
	if (nd->flags & LOOKUP_RCU) {
		nd->inode = dentry->d_inode;
		nd->seq = read_seqcount_begin(&dentry->d_seq);
	} else {
		path_get(&nd->path);
		nd->inode = nd->path.dentry->d_inode;
	}
	fdput(f);
	return 0;
}

static int start_at_root_preset(struct nameidata *nd, const char *s)
{
	struct dentry *root = nd->root.dentry;
	struct inode *inode = root->d_inode;

	if (*s && unlikely(!d_can_lookup(root)))
		return -ENOTDIR;
	nd->path = nd->root;
	nd->inode = inode;
	if (nd->flags & LOOKUP_RCU) {
		nd->seq = read_seqcount_begin(&nd->path.dentry->d_seq);
		nd->root_seq = nd->seq;
	} else {
		path_get(&nd->path);
	}
	return 0;
}

/* Sets the position where the name begins.  The name to be walked, or ERR_PTR; terminate_walk() in either case. */
const char *path_init(struct nameidata *nd, unsigned int flags)
{
	const char *s = nd->name->name;
	int err;

	nd->flags = flags;
	nd->depth = 0;
	nd->path = (struct path){ };
	/* RESOLVE_CACHED is of no use once references are taken. */
	if ((flags & (LOOKUP_RCU | LOOKUP_CACHED)) == LOOKUP_CACHED)
		return ERR_PTR(-EAGAIN);
	if (unlikely(!*s))
		nd->flags &= ~LOOKUP_RCU;
	if (nd->flags & LOOKUP_RCU)
		rcu_read_lock();
	nd->state &= ND_ROOT_PRESET;
	nd->state |= ND_JUMPED;
	nd->m_seq = read_seqbegin(&mount_lock);
	if (unlikely(flags & LOOKUP_IS_SCOPED))
		nd->r_seq = read_seqbegin(&rename_lock);

	if (unlikely(nd->state & ND_ROOT_PRESET)) {
		err = start_at_root_preset(nd, s);
		return err ? ERR_PTR(err) : s;
	}
	nd->root = (struct path){ };
	if (*s == '/' && !(flags & LOOKUP_IN_ROOT)) {
		err = nd_jump_root(nd);
		return err ? ERR_PTR(err) : s;
	}
	err = nd->dfd == AT_FDCWD ? start_at_cwd(nd) : start_at_fd(nd, s);
	if (unlikely(err))
		return ERR_PTR(err);
	if (unlikely(flags & LOOKUP_IS_SCOPED)) {
		nd->root = nd->path;
		if (nd->flags & LOOKUP_RCU) {
			nd->root_seq = nd->seq;
		} else {
			path_get(&nd->root);
			nd->state |= ND_ROOT_GRABBED;
		}
	}
	return s;
}

/* The last component as any other, but a trailing slash demands a directory and a link may be what is wanted. */
const char *lookup_last(struct nameidata *nd)
{
	if (nd->last_type == LAST_NORM && nd->last.name[nd->last.len])
		nd->flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
	return walk_component(nd, WALK_TRAILING);
}

static int walk_to_end(struct nameidata *nd, unsigned int flags)
{
	const char *s = path_init(nd, flags);
	int err;

	while (!(err = link_path_walk(s, nd)) && (s = lookup_last(nd)) != NULL)
		;
	return err;
}

static int path_lookupat(struct nameidata *nd, unsigned int flags, struct path *path)
{
	int err = walk_to_end(nd, flags);

	if (!err)
		err = complete_walk(nd);
	if (!err && nd->flags & LOOKUP_DIRECTORY && !d_can_lookup(nd->path.dentry))
		err = -ENOTDIR;
	if (!err) {
		*path = nd->path;
		nd->path = (struct path){ };
	}
	terminate_walk(nd);
	return err;
}

/* Runs a walk: lazily, then with references, then trusting no cache. */
#define WITH_RETRIES(walk, flags) ({					\
	int __err = walk((flags) | LOOKUP_RCU);				\
	if (unlikely(__err == -ECHILD))					\
		__err = walk(flags);					\
	if (unlikely(__err == -ESTALE))					\
		__err = walk((flags) | LOOKUP_REVAL);			\
	__err;								\
})

int filename_lookup(int dfd, struct filename *name, unsigned int flags, struct path *path, const struct path *root)
{
	struct nameidata nd;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	set_nameidata(&nd, dfd, name, root);
#define LOOKUPAT(fl) path_lookupat(&nd, fl, path)
	err = WITH_RETRIES(LOOKUPAT, flags);
	restore_nameidata();
	return err;
}

static int path_parentat(struct nameidata *nd, unsigned int flags, struct path *parent)
{
	const char *s = path_init(nd, flags);
	int err = link_path_walk(s, nd);

	if (!err)
		err = complete_walk(nd);
	if (!err) {
		*parent = nd->path;
		nd->path = (struct path){ };
	}
	terminate_walk(nd);
	return err;
}

int filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr *last, int *type)
{
	struct nameidata nd;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	set_nameidata(&nd, dfd, name, NULL);
#define PARENTAT(fl) path_parentat(&nd, fl, parent)
	err = WITH_RETRIES(PARENTAT, flags);
	if (likely(!err)) {
		*last = nd.last;
		*type = nd.last_type;
	}
	restore_nameidata();
	return err;
}

static int path_peekat(struct nameidata *nd, unsigned int flags, peek_fn peek, void *data)
{
	int err = walk_to_end(nd, flags);

	if (err)
		goto out;
	if (nd->flags & LOOKUP_RCU && !(nd->flags & (LOOKUP_DIRECTORY | LOOKUP_IS_SCOPED))) {
		err = peek(&nd->path, nd->inode, true, data);
		if (err != -ECHILD) {
			if (unlikely(read_seqcount_retry(&nd->path.dentry->d_seq, nd->seq) ||
				     read_seqretry(&mount_lock, nd->m_seq)))
				err = -ECHILD;
			goto out;
		}
	}
	err = complete_walk(nd);
	if (!err && nd->flags & LOOKUP_DIRECTORY && !d_can_lookup(nd->path.dentry))
		err = -ENOTDIR;
	if (!err)
		err = peek(&nd->path, nd->inode, false, data);
out:
	terminate_walk(nd);
	return err;
}

int filename_peek(int dfd, struct filename *name, unsigned int flags, peek_fn peek, void *data)
{
	struct nameidata nd;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	set_nameidata(&nd, dfd, name, NULL);
#define PEEKAT(fl) path_peekat(&nd, fl, peek, data)
	err = WITH_RETRIES(PEEKAT, flags);
	restore_nameidata();
	return err;
}
