/*
 * mnt_namespace.c: mount namespaces: a tree of mounts for some tasks alone.
 *
 * Idea:    a new namespace is a copy of the tree of its maker; mounts that are shared stay peers of their copies, so that
 *          what is mounted on them still reaches both (and `unshare` makes all private first, as its users expect).  Who
 *          gets the copy stands in it at the same places: its root and working directory move to the copies of their
 *          mounts.  The last nsproxy or open file that goes takes the tree with it.
 *          A namespace of another, less able user namespace gets slaves instead of peers, and may take nothing of the copy
 *          apart nor give back rights that its mounts lack: lock_mnt_tree().
 * Locking: namespace_sem over making and ending one; the count is atomic.
 * See:     mount_namespaces(7); namespace.c (the tree), kernel/task/nsproxy.c
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fs_struct.h>
#include <weft/namei.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/user_namespace.h>
#include "internal.h"

struct mnt_namespace init_mnt_ns = {
	.ns	= { .count = REFCOUNT_INIT(1), .inum = 0xf0000001, .type = &mnt_ns_type },
	.user_ns = &init_user_ns,
	.list	= LIST_HEAD_INIT(init_mnt_ns.list),
	.poll	= __WAIT_QUEUE_HEAD_INITIALIZER(init_mnt_ns.poll),
};

static struct mnt_namespace *alloc_mnt_ns(struct user_namespace *user_ns, bool anon)
{
	static atomic64_t last_seq = ATOMIC64_INIT(0);
	struct mnt_namespace *ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	int err;

	if (!ns)
		return ERR_PTR(-ENOMEM);
	err = anon ? 0 : ns_init(&ns->ns, &mnt_ns_type);
	if (err) {
		kfree(ns);
		return ERR_PTR(err);
	}
	ns->user_ns = get_user_ns(user_ns);
	ns->anon = anon;
	ns->seq = (u64)atomic64_inc_return(&last_seq);
	INIT_LIST_HEAD(&ns->list);
	init_waitqueue_head(&ns->poll);
	return ns;
}

static void free_mnt_ns(struct mnt_namespace *ns)
{
	if (!ns->anon)
		ns_free_inum(&ns->ns);
	put_user_ns(ns->user_ns);
	kfree(ns);
}

/* For a tree that hangs on an open file: nobody enters it, and it has no number.  ERR_PTR(-ENOMEM). */
struct mnt_namespace *alloc_anon_mnt_ns(void)
{
	return alloc_mnt_ns(current->nsproxy->mnt->user_ns, true);
}

/* Its mounts have left it. */
void free_anon_mnt_ns(struct mnt_namespace *ns)
{
	free_mnt_ns(ns);
}

/* If *path stands on old, it moves to copy.  set: set_fs_root() or set_fs_pwd(). */
static void move_path(struct fs_struct *fs, const struct path *path, struct mount *old, struct mount *copy,
		      void (*set)(struct fs_struct *fs, const struct path *path))
{
	struct path to = { .mnt = &copy->mnt, .dentry = path->dentry };

	if (path->mnt == &old->mnt)
		set(fs, &to);
}

/* All mounts of the copy at `root` belong to ns; *fs moves from those of old_root to their copies. */
static void adopt_tree(struct mnt_namespace *ns, struct mount *root, struct mount *old_root, struct fs_struct *fs)
{
	struct path fs_root, fs_pwd;
	struct mount *p, *old;

	get_fs_root(fs, &fs_root);
	get_fs_pwd(fs, &fs_pwd);
	ns->root = root;
	for (p = root, old = old_root; p; p = next_mnt(p, root), old = next_mnt(old, old_root)) {
		p->mnt_ns = ns;
		list_add_tail(&p->mnt_list, &ns->list);
		ns->mounts++;
		move_path(fs, &fs_root, old, p, set_fs_root);
		move_path(fs, &fs_pwd, old, p, set_fs_pwd);
	}
	path_put(&fs_root);
	path_put(&fs_pwd);
}

struct user_namespace *mnt_ns_owner(const struct mnt_namespace *ns)
{
	return ns->user_ns;
}

struct mnt_namespace *copy_mnt_ns(u64 flags, struct user_namespace *user_ns, struct mnt_namespace *old, struct fs_struct *fs)
{
	int how = CL_COPY_UNBINDABLE | (user_ns == old->user_ns ? CL_JOIN_PEERS : CL_SLAVE);
	struct mnt_namespace *ns;
	struct mount *root;

	if (!(flags & CLONE_NEWNS)) {
		ns_get(&old->ns);
		return old;
	}
	ns = alloc_mnt_ns(user_ns, false);
	if (IS_ERR(ns))
		return ns;
	namespace_lock();
	root = copy_tree(old->root, old->root->mnt.mnt_root, how);
	if (!IS_ERR(root) && user_ns != old->user_ns)
		lock_mnt_tree(root);
	if (!IS_ERR(root))
		adopt_tree(ns, root, old->root, fs);
	namespace_unlock();
	if (!IS_ERR(root))
		return ns;
	free_mnt_ns(ns);
	return ERR_CAST(root);
}

void put_mnt_ns(struct mnt_namespace *ns)
{
	if (!refcount_dec_and_test(&ns->ns.count))
		return;
	namespace_lock();
	lock_mount_hash();
	umount_tree(ns->root, false);
	unlock_mount_hash();
	namespace_unlock();
	free_mnt_ns(ns);
}

void mnt_ns_root(struct mnt_namespace *ns, struct path *root)
{
	struct vfsmount *mnt;

	namespace_lock();
	*root = (struct path){ .mnt = &ns->root->mnt, .dentry = ns->root->mnt.mnt_root };
	path_get(root);
	namespace_unlock();
	/* What is mounted over the root. */
	while ((mnt = lookup_mnt(root))) {
		path_put(root);
		*root = (struct path){ .mnt = mnt, .dentry = dget(mnt->mnt_root) };
	}
}

void mnt_ns_enter(struct mnt_namespace *ns)
{
	struct path root;

	mnt_ns_root(ns, &root);
	set_fs_root(current->fs, &root);
	set_fs_pwd(current->fs, &root);
	path_put(&root);
}

/*
 * May the file of this namespace be bound in ours?  Two namespaces that hold each other's files would never go: only the
 * file of a younger one may be bound.
 */
bool mnt_ns_may_be_bound(const struct ns_common *ns)
{
	if (ns->type != &mnt_ns_type)
		return true;
	return current->nsproxy->mnt->seq < container_of(ns, struct mnt_namespace, ns)->seq;
}

/* ---- the kind ---- */

static struct ns_common *mnt_of(struct nsproxy *ns)
{
	return &ns->mnt->ns;
}

static void mnt_put(struct ns_common *ns)
{
	put_mnt_ns(container_of(ns, struct mnt_namespace, ns));
}

static struct user_namespace *mnt_owner(struct ns_common *ns)
{
	return container_of(ns, struct mnt_namespace, ns)->user_ns;
}

/* Others that share our root and working directory must not be moved with us. */
static int mnt_install(struct nsset *set, struct ns_common *ns)
{
	if (!may_install(set, mnt_owner(ns)) || !cap_over(set->cred, set->cred->user_ns, CAP_SYS_CHROOT))
		return -EPERM;
	if (READ_ONCE(current->fs->users) != 1)
		return -EINVAL;
	ns_get(ns);
	put_mnt_ns(set->nsproxy->mnt);
	set->nsproxy->mnt = container_of(ns, struct mnt_namespace, ns);
	return 0;
}

const struct ns_type mnt_ns_type = {
	.name = "mnt", .clone_flag = CLONE_NEWNS, .of = mnt_of, .put = mnt_put, .install = mnt_install,
	.owner = mnt_owner,
};
