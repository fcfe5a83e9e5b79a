/*
 * namei_step.c: one step of a path walk: to a child, into a mount, through a symbolic link, up by "..".
 *
 * Idea:    each has two forms: under RCU (nothing is held, sequence numbers are checked) and with references.  A link's
 *          text becomes what is walked next; the rest of the name waits on nd->stack.
 * Locking: i_rwsem of the directory around ->lookup(), shared on disks, then with the name's lock; mount_lock's and the
 *          dentries' sequence numbers otherwise.
 * See:     namei.c; path_resolution(7)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/hash.h>
#include <weft/init.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/mutex.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include "internal.h"
#include "nameidata.h"

/* ---- mounts ---- */

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

/* From the cache or the file system, + reference, perhaps negative.  base's i_rwsem is held for writing, or name_lock(). */
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

/* ---- from the file system ---- */

/*
 * Where a look-up may have to wait for a disk, others in the same directory need not wait with it: they share i_rwsem.  Only
 * two who look for the same name must not both make a dentry; one of these locks, chosen by directory and name, is theirs:
 *
 *      stat("d/x")                     stat("d/x")                     unlink("d/y")
 *      i_rwsem shared, lock of d/x
 *      not cached: reads the disk      i_rwsem shared                  waits for i_rwsem
 *                                      waits for the lock of d/x
 *      cached, unlocks
 *                                      finds it in the cache
 */
static struct mutex name_locks[64];

static struct mutex *name_lock(const struct qstr *name, const struct dentry *dir)
{
	return &name_locks[(name->hash ^ hash_ptr(dir, 32)) % ARRAY_SIZE(name_locks)];
}

static struct dentry *lookup_shared(const struct qstr *name, struct dentry *dir, unsigned int flags)
{
	struct rw_semaphore *sem = &d_inode(dir)->i_rwsem;
	struct mutex *lock = name_lock(name, dir);
	struct dentry *res;

	down_read_nested(sem, I_MUTEX_PARENT);
	mutex_lock(lock);
	res = lookup_one_qstr(name, dir, flags);
	mutex_unlock(lock);
	up_read(sem);
	return res;
}

/* + reference, perhaps negative. */
struct dentry *lookup_slow(const struct qstr *name, struct dentry *dir, unsigned int flags)
{
	struct inode *inode = d_inode(dir);
	struct dentry *res;

	if (inode->i_sb->s_type->fs_flags & FS_REQUIRES_DEV)
		return lookup_shared(name, dir, flags);
	inode_lock_nested(inode, I_MUTEX_PARENT);
	res = lookup_one_qstr(name, dir, flags);
	inode_unlock(inode);
	return res;
}

static int __init name_locks_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(name_locks); i++)
		mutex_init(&name_locks[i]);
	return 0;
}
core_initcall(name_locks_init);

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

/* By references, for who walks up with a path of his own: they move along. */
bool follow_up(struct path *path)
{
	struct mount *mnt = real_mount(path->mnt);
	struct path up;

	read_seqlock_excl(&mount_lock);
	if (!mnt_has_parent(mnt)) {
		read_sequnlock_excl(&mount_lock);
		return false;
	}
	up = (struct path){ .mnt = &mnt->mnt_parent->mnt, .dentry = mnt->mnt_mountpoint };
	path_get(&up);
	read_sequnlock_excl(&mount_lock);
	path_put(path);
	*path = up;
	return true;
}

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

	if (type != LAST_DOTDOT)
		return NULL;		/* "." and the root: we are there */
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
