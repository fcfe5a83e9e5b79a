/*
 * namespace.c: the tree of mounts: structures, counts, look-up, attaching and detaching.
 *
 * Idea:    a mount hangs on a dentry of its parent mount; a path walk that comes to a dentry with DCACHE_MOUNTED asks the
 *          hash for (mount, dentry).  Counts of use are per CPU as long as the mount is in a tree, for then its last
 *          reference cannot go; only mounts outside pay for summing up.  Write access is counted the same way.
 * Locking: namespace_sem (rwsem) over each change of the tree; mount_lock (seqlock) inside it over what walks read.
 *          Order: i_rwsem of the mount point -> namespace_sem -> mount_lock.
 * Race:    a walk under RCU takes a reference while the mount is being unmounted:
 *              walker                                  umount
 *              mnt_add_count(+1)                       write_seqlock(mount_lock), unhash
 *              smp_mb()                                mnt_ns = NULL, write_sequnlock, synchronize_rcu
 *              mount_lock changed? -> give it back     mntput: sums up all CPUs
 *          either the walker sees the changed sequence, or the sum sees the walker's reference.
 * See:     spec.md §10; mount.c (mount(2)), pnode.c (peers and slaves), proc_namespace.c (/proc/mounts); doc/files.md
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/fsnotify.h>
#include <weft/fs_struct.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/hash.h>
#include <weft/idr.h>
#include <weft/string.h>
#include <weft/percpu.h>
#include <weft/rculist.h>
#include <weft/cred.h>
#include <weft/task_work.h>
#include <weft/workqueue.h>
#include <weft/shmem_fs.h>
#include "internal.h"

unsigned int sysctl_mount_max = 100000;

#define MOUNT_HASH_BITS	8
static struct hlist_head mount_hashtable[1 << MOUNT_HASH_BITS];		/* [r:mount_lock] */
static struct hlist_head mountpoint_hashtable[1 << MOUNT_HASH_BITS];	/* [mount_lock] */
static struct kmem_cache *mnt_cache;
static DEFINE_IDA(mnt_id_ida);

seqlock_t mount_lock __cacheline_aligned = __SEQLOCK_UNLOCKED(mount_lock);
DECLARE_RWSEM(namespace_sem);
static LIST_HEAD(unmounted);		/* [namespace_sem] mnt_private: taken out of the tree, to be put */
static LIST_HEAD(ex_mountpoints);	/* [namespace_sem] unused dentries, once mount points, for shrink_dentry_list() */


static struct hlist_head *m_hash(const struct vfsmount *mnt, const struct dentry *dentry)
{
	unsigned long key = ((unsigned long)mnt >> 6) + ((unsigned long)dentry >> 6) * 31;

	return &mount_hashtable[hash_long(key, MOUNT_HASH_BITS)];
}

static struct hlist_head *mp_hash(const struct dentry *dentry)
{
	return &mountpoint_hashtable[hash_ptr(dentry, MOUNT_HASH_BITS)];
}

/* ---- the structure and its counts ---- */

/* Count 1; NULL without memory.  name is copied. */
struct mount *alloc_mount(const char *name)
{
	struct mount *mnt = kmem_cache_zalloc(mnt_cache, GFP_KERNEL);

	if (!mnt)
		return NULL;
	mnt->mnt_id = ida_alloc_min(&mnt_id_ida, 1, GFP_KERNEL);
	if (mnt->mnt_id < 0)
		goto free_mnt;
	mnt->mnt_devname = kstrdup(name ? name : "none", GFP_KERNEL);
	if (!mnt->mnt_devname)
		goto free_id;
	mnt->mnt_pcp = alloc_percpu(struct mnt_pcp);
	if (!mnt->mnt_pcp)
		goto free_name;
	this_cpu_add(mnt->mnt_pcp->count, 1);
	INIT_HLIST_NODE(&mnt->mnt_hash);
	INIT_LIST_HEAD(&mnt->mnt_mounts);
	INIT_LIST_HEAD(&mnt->mnt_child);
	INIT_LIST_HEAD(&mnt->mnt_instance);
	INIT_LIST_HEAD(&mnt->mnt_list);
	INIT_LIST_HEAD(&mnt->mnt_private);
	INIT_LIST_HEAD(&mnt->mnt_share);
	INIT_LIST_HEAD(&mnt->mnt_slave_list);
	INIT_LIST_HEAD(&mnt->mnt_slave);
	INIT_LIST_HEAD(&mnt->mnt_heard);
	INIT_HLIST_NODE(&mnt->mnt_mp_list);
	return mnt;

free_name:
	kfree(mnt->mnt_devname);
free_id:
	ida_free(&mnt_id_ida, mnt->mnt_id);
free_mnt:
	kmem_cache_free(mnt_cache, mnt);
	return NULL;
}

static void free_mount(struct mount *mnt)
{
	kfree(mnt->mnt_devname);
	free_percpu(mnt->mnt_pcp);
	kmem_cache_free(mnt_cache, mnt);
}

static void free_mount_rcu(struct rcu_head *head)
{
	free_mount(container_of(head, struct mount, mnt_rcu));
}

static inline void mnt_add_count(struct mount *mnt, int n)
{
	this_cpu_add(mnt->mnt_pcp->count, n);
}

int mnt_get_count(struct mount *mnt)
{
	int cpu, count = 0;

	for_each_possible_cpu(cpu)
		count += per_cpu_ptr(mnt->mnt_pcp, cpu)->count;
	return count;
}

static int mnt_get_writers(struct mount *mnt)
{
	int cpu, count = 0;

	for_each_possible_cpu(cpu)
		count += per_cpu_ptr(mnt->mnt_pcp, cpu)->writers;
	return count;
}

struct vfsmount *mntget(struct vfsmount *mnt)
{
	if (mnt)
		mnt_add_count(real_mount(mnt), 1);
	return mnt;
}

/* The end of a mount that nobody uses: its file system may go too.  Sleeps. */
static void cleanup_mnt(struct mount *mnt)
{
	WARN_ON(mnt_get_writers(mnt));
	fanotify_forget(&mnt->mnt);
	dput(mnt->mnt.mnt_root);
	deactivate_super(mnt->mnt.mnt_sb);
	ida_free(&mnt_id_ida, mnt->mnt_id);
	call_rcu(&mnt->mnt_rcu, free_mount_rcu);
}

static void cleanup_mnt_work(struct callback_head *head)
{
	cleanup_mnt(container_of(head, struct mount, mnt_rcu));
}

static LLIST_HEAD(delayed_mntput_list);

static void delayed_mntput(struct work_struct *unused)
{
	struct llist_node *node = llist_del_all(&delayed_mntput_list);
	struct mount *m, *next;

	llist_for_each_entry_safe(m, next, node, mnt_llist)
		cleanup_mnt(m);
}
static DECLARE_WORK(delayed_mntput_work, delayed_mntput);

/* mntput() may be called with locks held that shutting a file system down takes: do that on the way to user mode. */
static void defer_cleanup(struct mount *mnt)
{
	if (mnt->mnt.mnt_flags & MNT_INTERNAL) {
		cleanup_mnt(mnt);
		return;
	}
	if (!(current->flags & PF_KTHREAD)) {
		init_task_work(&mnt->mnt_rcu, cleanup_mnt_work);
		if (!task_work_add(current, &mnt->mnt_rcu, TWA_RESUME))
			return;
	}
	if (llist_add(&mnt->mnt_llist, &delayed_mntput_list))
		schedule_work(&delayed_mntput_work);
}

/* Not in a tree (any more): this may be the last. */
static noinline void mntput_slow(struct mount *mnt)
{
	struct mount *child, *next;

	lock_mount_hash();
	smp_mb();		/* pairs with the one in __legitimize_mnt() */
	mnt_add_count(mnt, -1);
	if (mnt_get_count(mnt) || mnt->mnt.mnt_flags & MNT_DOOMED) {
		unlock_mount_hash();
		return;
	}
	mnt->mnt.mnt_flags |= MNT_DOOMED;
	list_del(&mnt->mnt_instance);
	list_for_each_entry_safe(child, next, &mnt->mnt_mounts, mnt_child)
		WARN_ON(1);	/* a child would hold a reference */
	unlock_mount_hash();
	defer_cleanup(mnt);
}

void mntput(struct vfsmount *vfsmnt)
{
	struct mount *mnt;

	if (!vfsmnt)
		return;
	mnt = real_mount(vfsmnt);
	if (unlikely(mnt->mnt_expired))
		WRITE_ONCE(mnt->mnt_expired, false);
	rcu_read_lock();
	if (likely(READ_ONCE(mnt->mnt_ns))) {
		/* In a tree, which holds a reference: and it cannot leave for good before our RCU section ends. */
		mnt_add_count(mnt, -1);
		rcu_read_unlock();
		return;
	}
	rcu_read_unlock();
	mntput_slow(mnt);
}

void path_get(const struct path *path)
{
	mntget(path->mnt);
	dget(path->dentry);
}

void path_put(const struct path *path)
{
	dput(path->dentry);
	mntput(path->mnt);
}

/*
 * A walk under RCU wants a reference on the mount it came to when mount_lock was at seq.  0: it has it.  1: it has not, the
 * tree changed.  -1: it has one but must mntput() it once outside RCU, and may not use the mount.
 */
int __legitimize_mnt(struct vfsmount *vfsmnt, unsigned int seq)
{
	struct mount *mnt;

	if (read_seqretry(&mount_lock, seq))
		return 1;
	if (!vfsmnt)
		return 0;
	mnt = real_mount(vfsmnt);
	mnt_add_count(mnt, 1);
	smp_mb();		/* see the picture at the top */
	if (likely(!read_seqretry(&mount_lock, seq)))
		return 0;
	lock_mount_hash();
	if (unlikely(mnt->mnt.mnt_flags & MNT_DOOMED)) {
		mnt_add_count(mnt, -1);
		unlock_mount_hash();
		return 1;
	}
	unlock_mount_hash();
	return -1;
}

/* ---- write access ---- */

bool __mnt_is_readonly(struct vfsmount *mnt)
{
	return mnt->mnt_flags & MNT_READONLY || sb_rdonly(mnt->mnt_sb);
}

static bool mnt_is_readonly(struct vfsmount *mnt)
{
	if (READ_ONCE(mnt->mnt_sb->s_readonly_remount))
		return true;
	smp_rmb();		/* pairs with reconfigure_super() */
	return __mnt_is_readonly(mnt);
}

/*
 *	writer					remount read-only (mount_lock held)
 *	writers++				MNT_WRITE_HOLD
 *	smp_mb()				smp_mb()
 *	wait while MNT_WRITE_HOLD		any writers? -> -EBUSY, drop the hold
 *	read-only? -> writers--, -EROFS		MNT_READONLY, drop the hold
 */
int mnt_get_write_access(struct vfsmount *m)
{
	struct mount *mnt = real_mount(m);
	int err = 0;

	preempt_disable();
	__this_cpu_inc(mnt->mnt_pcp->writers);
	smp_mb();
	while (READ_ONCE(mnt->mnt.mnt_flags) & MNT_WRITE_HOLD)
		cpu_relax();
	smp_rmb();
	if (unlikely(mnt_is_readonly(m))) {
		__this_cpu_dec(mnt->mnt_pcp->writers);
		err = -EROFS;
	}
	preempt_enable();
	return err;
}

void mnt_put_write_access(struct vfsmount *mnt)
{
	this_cpu_dec(real_mount(mnt)->mnt_pcp->writers);
}

int mnt_want_write(struct vfsmount *mnt)
{
	return mnt_get_write_access(mnt);
}

void mnt_drop_write(struct vfsmount *mnt)
{
	mnt_put_write_access(mnt);
}

int mnt_want_write_file(struct file *file)
{
	if (!(file->f_mode & FMODE_WRITER))
		return mnt_get_write_access(file->f_path.mnt);
	/* It has access already; only an emergency remount can have taken it back. */
	return mnt_is_readonly(file->f_path.mnt) ? -EROFS : 0;
}

void mnt_drop_write_file(struct file *file)
{
	if (!(file->f_mode & FMODE_WRITER))
		mnt_put_write_access(file->f_path.mnt);
}

bool mnt_hold_writers(struct mount *mnt)
{
	mnt->mnt.mnt_flags |= MNT_WRITE_HOLD;
	smp_mb();
	return mnt_get_writers(mnt) == 0;
}

void mnt_release_writers(struct mount *mnt)
{
	smp_wmb();		/* MNT_READONLY is seen before the hold ends */
	mnt->mnt.mnt_flags &= ~MNT_WRITE_HOLD;
}

int mnt_make_readonly(struct mount *mnt)
{
	bool idle = mnt_hold_writers(mnt);

	if (idle)
		mnt->mnt.mnt_flags |= MNT_READONLY;
	mnt_release_writers(mnt);
	return idle ? 0 : -EBUSY;
}

int sb_prepare_remount_readonly(struct super_block *sb)
{
	struct mount *mnt;
	int err = 0;

	if (atomic_long_read(&sb->s_remove_count))
		return -EBUSY;		/* a removed file that is still open wants to be written: freed */
	lock_mount_hash();
	list_for_each_entry(mnt, &sb->s_mounts, mnt_instance) {
		if (!(mnt->mnt.mnt_flags & MNT_READONLY) && !mnt_hold_writers(mnt)) {
			err = -EBUSY;
			break;
		}
	}
	if (!err) {
		sb->s_readonly_remount = 1;
		smp_wmb();
	}
	list_for_each_entry(mnt, &sb->s_mounts, mnt_instance)
		mnt->mnt.mnt_flags &= ~MNT_WRITE_HOLD;
	unlock_mount_hash();
	return err;
}

/* ---- what a mount forbids ---- */

bool mnt_may_suid(struct vfsmount *mnt)
{
	/* A mount of another namespace, or of a file system that speaks of other users, is not trusted. */
	return !(mnt->mnt_flags & MNT_NOSUID) && !(mnt->mnt_sb->s_flags & SB_NOSUID) && check_mnt(real_mount(mnt)) &&
	       current_in_userns(mnt->mnt_sb->s_user_ns);
}

bool path_noexec(const struct path *path)
{
	return path->mnt->mnt_flags & MNT_NOEXEC || path->mnt->mnt_sb->s_iflags & SB_I_NOEXEC;
}

/* ---- look-up ---- */

struct mount *__lookup_mnt(struct vfsmount *mnt, struct dentry *dentry)
{
	struct mount *p;

	hlist_for_each_entry_rcu(p, m_hash(mnt, dentry), mnt_hash) {
		if (&p->mnt_parent->mnt == mnt && p->mnt_mountpoint == dentry)
			return p;
	}
	return NULL;
}

struct vfsmount *lookup_mnt(const struct path *path)
{
	struct mount *child;
	struct vfsmount *m;
	unsigned int seq;
	int res;

	for (;;) {
		rcu_read_lock();
		seq = read_seqbegin(&mount_lock);
		child = __lookup_mnt(path->mnt, path->dentry);
		m = child ? &child->mnt : NULL;
		res = __legitimize_mnt(m, seq);
		rcu_read_unlock();
		if (!res)
			return m;
		if (res < 0)
			mntput(m);
	}
}

/* Is something mounted on the dentry in the tree of the caller? */
bool is_local_mountpoint(struct dentry *dentry)
{
	struct mount *mnt;
	bool res = false;

	if (likely(!d_mountpoint(dentry)))
		return false;
	down_read(&namespace_sem);
	list_for_each_entry(mnt, &current->nsproxy->mnt->list, mnt_list) {
		if (mnt->mnt_mountpoint == dentry && mnt_has_parent(mnt)) {
			res = true;
			break;
		}
	}
	up_read(&namespace_sem);
	return res;
}

/* Does the place (mnt, dentry) lie below root?  mount_lock or namespace_sem held. */
bool path_reachable(struct mount *mnt, struct dentry *dentry, const struct path *root)
{
	while (&mnt->mnt != root->mnt && mnt_has_parent(mnt)) {
		dentry = mnt->mnt_mountpoint;
		mnt = mnt->mnt_parent;
	}
	return &mnt->mnt == root->mnt && is_subdir(dentry, root->dentry);
}

bool path_is_under(const struct path *path, const struct path *root)
{
	bool res;

	read_seqlock_excl(&mount_lock);
	res = path_reachable(real_mount(path->mnt), path->dentry, root);
	read_sequnlock_excl(&mount_lock);
	return res;
}

/* ---- mount points ---- */

static struct mountpoint *lookup_mountpoint(struct dentry *dentry)
{
	struct mountpoint *mp;

	hlist_for_each_entry(mp, mp_hash(dentry), m_hash) {
		if (mp->m_dentry == dentry) {
			mp->m_count++;
			return mp;
		}
	}
	return NULL;
}

/* The structure for that dentry, + count; made when there is none.  ERR_PTR(-ENOMEM, -ENOENT for a removed name). */
struct mountpoint *get_mountpoint(struct dentry *dentry)
{
	struct mountpoint *mp, *new;
	int err;

	lock_mount_hash();
	mp = d_mountpoint(dentry) ? lookup_mountpoint(dentry) : NULL;
	unlock_mount_hash();
	if (mp)
		return mp;
	new = kmalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return ERR_PTR(-ENOMEM);
	lock_mount_hash();
	err = d_set_mounted(dentry);
	if (err) {		/* -EBUSY: somebody else was faster */
		mp = err == -EBUSY ? lookup_mountpoint(dentry) : ERR_PTR(err);
		unlock_mount_hash();
		kfree(new);
		return mp;
	}
	new->m_dentry = dget(dentry);
	new->m_count = 1;
	INIT_HLIST_HEAD(&new->m_list);
	hlist_add_head(&new->m_hash, mp_hash(dentry));
	unlock_mount_hash();
	return new;
}

/* A dentry that nobody else uses is freed by namespace_unlock(): not under a spin lock. */
void put_mountpoint(struct mountpoint *mp)
{
	struct dentry *dentry = mp->m_dentry;

	if (--mp->m_count)
		return;
	BUG_ON(!hlist_empty(&mp->m_list));
	spin_lock(&dentry->d_lock);
	dentry->d_flags &= ~DCACHE_MOUNTED;
	spin_unlock(&dentry->d_lock);
	hlist_del(&mp->m_hash);
	kfree(mp);
	dput_to_list(dentry, &ex_mountpoints);
}

/* ---- attaching ---- */

void touch_mnt_namespace(struct mnt_namespace *ns)
{
	ns->event++;
	wake_up_interruptible(&ns->poll);
}

/* The child holds a reference on its parent and a count on the mount point. */
void mnt_set_mountpoint(struct mount *parent, struct mountpoint *mp, struct mount *child)
{
	mp->m_count++;
	mnt_add_count(parent, 1);
	child->mnt_mountpoint = mp->m_dentry;
	child->mnt_parent = parent;
	child->mnt_mp = mp;
	hlist_add_head(&child->mnt_mp_list, &mp->m_list);
}

static void hash_mnt(struct mount *mnt)
{
	hlist_add_head_rcu(&mnt->mnt_hash, m_hash(&mnt->mnt_parent->mnt, mnt->mnt_mountpoint));
	list_add_tail(&mnt->mnt_child, &mnt->mnt_parent->mnt_mounts);
}

void attach_mnt(struct mount *mnt, struct mount *parent, struct mountpoint *mp)
{
	mnt_set_mountpoint(parent, mp, mnt);
	hash_mnt(mnt);
}

/* A tree whose root has its mount point set becomes visible. */
void commit_tree(struct mount *mnt)
{
	struct mnt_namespace *ns = mnt->mnt_parent->mnt_ns;
	struct mount *p;

	for (p = mnt; p; p = next_mnt(p, mnt)) {
		p->mnt_ns = ns;
		list_add_tail(&p->mnt_list, &ns->list);
		ns->mounts++;
	}
	hash_mnt(mnt);
	touch_mnt_namespace(ns);
}

/* Off its mount point, of which the caller gets the count. */
struct mountpoint *unhash_mnt(struct mount *mnt)
{
	struct mountpoint *mp = mnt->mnt_mp;

	mnt_add_count(mnt->mnt_parent, -1);
	mnt->mnt_parent = mnt;
	mnt->mnt_mountpoint = mnt->mnt.mnt_root;
	list_del_init(&mnt->mnt_child);
	hlist_del_init_rcu(&mnt->mnt_hash);
	hlist_del_init(&mnt->mnt_mp_list);
	mnt->mnt_mp = NULL;
	return mp;
}

/* The next in the tree below root, parents before children; NULL at the end. */
struct mount *next_mnt(struct mount *p, struct mount *root)
{
	if (!list_empty(&p->mnt_mounts))
		return list_first_entry(&p->mnt_mounts, struct mount, mnt_child);
	for (; p != root; p = p->mnt_parent) {
		if (!list_is_last(&p->mnt_child, &p->mnt_parent->mnt_mounts))
			return list_next_entry(p, mnt_child);
	}
	return NULL;
}

static struct mount *skip_mnt_tree(struct mount *p)
{
	while (!list_empty(&p->mnt_mounts))
		p = list_last_entry(&p->mnt_mounts, struct mount, mnt_child);
	return p;
}

/* Another mount of the same file system, seen from `root`.  In no tree; ERR_PTR. */
struct mount *clone_mnt(struct mount *old, struct dentry *root, int flags)
{
	struct super_block *sb = old->mnt.mnt_sb;
	struct mount *mnt = alloc_mount(old->mnt_devname);

	if (!mnt)
		return ERR_PTR(-ENOMEM);
	if (flags & CL_MAKE_SHARED && mnt_alloc_group_id(mnt)) {
		ida_free(&mnt_id_ida, mnt->mnt_id);
		free_mount(mnt);
		return ERR_PTR(-ENOMEM);
	}
	mnt->mnt.mnt_flags = old->mnt.mnt_flags & ~(MNT_WRITE_HOLD | MNT_MARKED | MNT_INTERNAL | MNT_SHARED | MNT_UMOUNT);
	atomic_inc(&sb->s_active);
	mnt->mnt.mnt_sb = sb;
	mnt->mnt.mnt_root = dget(root);
	mnt->mnt_mountpoint = root;
	mnt->mnt_parent = mnt;
	lock_mount_hash();
	list_add_tail(&mnt->mnt_instance, &sb->s_mounts);
	unlock_mount_hash();
	mnt_inherit_propagation(mnt, old, flags);
	return mnt;
}

static bool skips(const struct mount *mnt, int flags)
{
	return (mnt->mnt.mnt_flags & MNT_UNBINDABLE) && !(flags & CL_COPY_UNBINDABLE);
}

/* A copy of the mount and of all below that can be reached from `dentry`.  ERR_PTR(-EINVAL) when it may not be bound. */
struct mount *copy_tree(struct mount *mnt, struct dentry *dentry, int flags)
{
	struct mount *res, *src, *src_parent, *dst_parent, *copy, *child;

	if (skips(mnt, flags))
		return ERR_PTR(-EINVAL);
	res = dst_parent = clone_mnt(mnt, dentry, flags);
	if (IS_ERR(res))
		return res;
	res->mnt.mnt_flags &= ~MNT_LOCKED;	/* it will stand elsewhere */
	src_parent = mnt;
	list_for_each_entry(child, &mnt->mnt_mounts, mnt_child) {
		if (!is_subdir(child->mnt_mountpoint, dentry))
			continue;
		for (src = child; src; src = next_mnt(src, child)) {
			if (skips(src, flags)) {
				copy = ERR_PTR(-EPERM);
				if (src->mnt.mnt_flags & MNT_LOCKED)
					goto undo;
				src = skip_mnt_tree(src);
				continue;
			}
			while (src_parent != src->mnt_parent) {
				src_parent = src_parent->mnt_parent;
				dst_parent = dst_parent->mnt_parent;
			}
			copy = clone_mnt(src, src->mnt.mnt_root, flags);
			if (IS_ERR(copy))
				goto undo;
			lock_mount_hash();
			attach_mnt(copy, dst_parent, src->mnt_mp);
			unlock_mount_hash();
			src_parent = src;
			dst_parent = copy;
		}
	}
	return res;

undo:
	lock_mount_hash();
	umount_tree(res, false);
	unlock_mount_hash();
	return copy;
}

/* ---- detaching ---- */

void namespace_lock(void)
{
	down_write(&namespace_sem);
}

/*
 * Lets go of what was taken out meanwhile: first the dentries, whose file systems the mounts keep; then the mounts, after
 * the walks that may stand on them have gone on.  Who unmounts one of these file systems from now on waits for the dentries,
 * since they are marked as being freed (shrink_dcache_parent()).
 */
void namespace_unlock(void)
{
	struct mount *m, *next;
	LIST_HEAD(mounts);
	LIST_HEAD(points);

	list_splice_init(&unmounted, &mounts);
	list_splice_init(&ex_mountpoints, &points);
	up_write(&namespace_sem);
	shrink_dentry_list(&points);
	if (!list_empty(&mounts))
		synchronize_rcu_expedited();
	list_for_each_entry_safe(m, next, &mounts, mnt_private) {
		list_del_init(&m->mnt_private);
		mntput(&m->mnt);
	}
}

/* The mount and all below leave their tree; namespace_unlock() drops the tree's references. */
void umount_tree(struct mount *mnt, bool propagate)
{
	struct mount *p, *next;
	LIST_HEAD(victims);

	for (p = mnt; p; p = next_mnt(p, mnt)) {
		p->mnt.mnt_flags |= MNT_UMOUNT;
		list_add_tail(&p->mnt_private, &victims);
	}
	if (propagate) {
		/* Children first: a twin goes when all that is on it goes.  What this appends is not visited. */
		list_for_each_entry_reverse(p, &victims, mnt_private) {
			if (mnt_has_parent(p))
				propagate_umount(p, &victims);
		}
	}
	list_for_each_entry_safe(p, next, &victims, mnt_private) {
		struct mnt_namespace *ns = p->mnt_ns;

		list_del_init(&p->mnt_list);
		if (ns) {
			ns->mounts--;
			touch_mnt_namespace(ns);
		}
		p->mnt_ns = NULL;
		if (mnt_has_parent(p))
			put_mountpoint(unhash_mnt(p));
		change_mnt_propagation(p, MS_PRIVATE);
		list_move_tail(&p->mnt_private, &unmounted);
	}
}

/* A name goes away (removed by rename or rmdir in another tree, or invalidated): what is mounted on it goes too. */
void detach_mounts(struct dentry *dentry)
{
	struct mountpoint *mp;

	if (likely(!d_mountpoint(dentry)))
		return;
	namespace_lock();
	lock_mount_hash();
	mp = lookup_mountpoint(dentry);
	if (mp) {
		while (!hlist_empty(&mp->m_list))
			umount_tree(hlist_entry(mp->m_list.first, struct mount, mnt_mp_list), false);
		put_mountpoint(mp);
	}
	unlock_mount_hash();
	namespace_unlock();
}

/* ---- mounts made by the kernel ---- */

/* A new mount of a file system, in no tree; ERR_PTR.  May sleep. */
struct vfsmount *vfs_kern_mount(struct file_system_type *type, int flags, const char *name, void *data)
{
	struct dentry *root;
	struct mount *mnt;

	if (!type)
		return ERR_PTR(-ENODEV);
	mnt = alloc_mount(name);
	if (!mnt)
		return ERR_PTR(-ENOMEM);
	if (flags & SB_KERNMOUNT)
		mnt->mnt.mnt_flags = MNT_INTERNAL;
	root = mount_fs(type, flags, name, data);
	if (IS_ERR(root)) {
		ida_free(&mnt_id_ida, mnt->mnt_id);
		free_mount(mnt);
		return ERR_CAST(root);
	}
	mnt->mnt.mnt_root = root;
	mnt->mnt.mnt_sb = root->d_sb;
	mnt->mnt_mountpoint = root;
	mnt->mnt_parent = mnt;
	lock_mount_hash();
	list_add_tail(&mnt->mnt_instance, &root->d_sb->s_mounts);
	unlock_mount_hash();
	lockdep_assert_held_write(&root->d_sb->s_umount);	/* mount_fs() took it */
	up_write(&root->d_sb->s_umount);
	return &mnt->mnt;
}

void kern_mount_adopt(struct vfsmount *mnt)
{
	real_mount(mnt)->mnt_ns = MNT_NS_INTERNAL;
}

struct vfsmount *kern_mount(struct file_system_type *type)
{
	struct vfsmount *mnt = vfs_kern_mount(type, SB_KERNMOUNT, type->name, NULL);

	if (!IS_ERR(mnt))
		kern_mount_adopt(mnt);
	return mnt;
}

/* What is seen at `path`, without the mounts below it, in no tree: for who must go on seeing it whatever happens. */
struct vfsmount *clone_private_mount(const struct path *path)
{
	struct mount *mnt = ERR_PTR(-EINVAL);

	namespace_lock();
	if (check_mnt(real_mount(path->mnt)) && !(path->mnt->mnt_flags & MNT_UNBINDABLE))
		mnt = clone_mnt(real_mount(path->mnt), path->dentry, 0);
	if (!IS_ERR(mnt))
		mnt->mnt_ns = MNT_NS_INTERNAL;
	namespace_unlock();
	return IS_ERR(mnt) ? ERR_CAST(mnt) : &mnt->mnt;
}

void kern_unmount(struct vfsmount *mnt)
{
	if (IS_ERR_OR_NULL(mnt))
		return;
	real_mount(mnt)->mnt_ns = NULL;
	synchronize_rcu();	/* those who saw it in use have dropped their references without looking at the sum */
	mntput(mnt);
}

/* The first mount, "/": a tmpfs that the initramfs is unpacked into. */
static void __init init_mount_tree(void)
{
	struct vfsmount *mnt = vfs_kern_mount(&rootfs_fs_type_shmem, 0, "rootfs", NULL);
	struct path root;
	struct mount *m;

	if (IS_ERR(mnt))
		panic("VFS: cannot make the root file system (%ld)", PTR_ERR(mnt));
	m = real_mount(mnt);
	m->mnt_ns = &init_mnt_ns;
	init_mnt_ns.root = m;
	init_mnt_ns.mounts = 1;
	list_add(&m->mnt_list, &init_mnt_ns.list);
	root = (struct path){ .mnt = mnt, .dentry = mnt->mnt_root };
	set_fs_pwd(current->fs, &root);
	set_fs_root(current->fs, &root);
}

void __init mnt_init(void)
{
	mnt_cache = kmem_cache_create("mnt_cache", sizeof(struct mount), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
	if (shmem_init())
		panic("VFS: cannot start tmpfs");
	init_mount_tree();
}
