/*
 * user_namespace.c: making user namespaces, and what a task may do in which.
 *
 * Idea:    cap_over() is the one place that decides: a capability of a cred holds for its own namespace and all below; and
 *          who made a namespace (its owner, standing in the parent) has all capabilities in it.
 *
 *              init_user_ns            root's CAP_SYS_ADMIN here holds everywhere
 *                 `- A, owner 1000     a cred in A with CAP_SYS_ADMIN: in A and B; uid 1000 in init_user_ns: all, in A and B
 *                      `- B
 * Locking: none: a namespace's place in the tree and its owner do not change.
 * See:     <weft/user_namespace.h>; user_namespaces(7), capabilities(7); uid_map.c
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/user_namespace.h>
#include <uapi/prctl.h>
#include "internal.h"

struct user_namespace init_user_ns = {
	.ns		= { .count = REFCOUNT_INIT(1), .inum = 0xeffffffd, .type = &userns_type },
	.uid_map	= { .nr_extents = 1, .one = { .count = 0xffffffffU } },
	.gid_map	= { .nr_extents = 1, .one = { .count = 0xffffffffU } },
	.projid_map	= { .nr_extents = 1, .one = { .count = 0xffffffffU } },
	.setgroups_allowed = true,
	.parent_could_setfcap = true,
};

/* ---- who may what ---- */

bool in_userns(const struct user_namespace *ancestor, const struct user_namespace *child)
{
	while (child->level > ancestor->level)
		child = child->parent;
	return child == ancestor;
}

bool current_in_userns(const struct user_namespace *ns)
{
	return in_userns(ns, current_user_ns());
}

bool cap_over(const struct cred *cred, const struct user_namespace *ns, int cap)
{
	for (;; ns = ns->parent) {
		if (likely(ns == cred->user_ns))
			return cap_raised(cred->cap_effective, cap);
		if (ns->level <= cred->user_ns->level)
			return false;	/* above the cred's, or beside it */
		if (ns->parent == cred->user_ns && uid_eq(ns->owner, cred->euid))
			return true;
	}
}

bool ns_capable_noaudit(const struct user_namespace *ns, int cap)
{
	return cap_over(current_cred(), ns, cap);
}

bool ns_capable(const struct user_namespace *ns, int cap)
{
	if (!cap_over(current_cred(), ns, cap))
		return false;
	current->flags |= PF_SUPERPRIV;
	return true;
}

bool has_ns_capability(struct task_struct *t, const struct user_namespace *ns, int cap)
{
	bool has;

	rcu_read_lock();
	has = cap_over(__task_cred(t), ns, cap);
	rcu_read_unlock();
	return has;
}

bool privileged_wrt_inode_uidgid(const struct user_namespace *ns, const struct inode *inode)
{
	return ns == &init_user_ns || (kuid_has_mapping(ns, inode->i_uid) && kgid_has_mapping(ns, inode->i_gid));
}

bool capable_wrt_inode_uidgid(const struct inode *inode, int cap)
{
	struct user_namespace *ns = current_user_ns();

	return ns_capable(ns, cap) && privileged_wrt_inode_uidgid(ns, inode);
}

/* ---- making and freeing ---- */

/* All capabilities, nothing that came from outside. */
static void set_cred_user_ns(struct cred *cred, struct user_namespace *ns)
{
	cred->securebits = 0;
	cap_clear(cred->cap_inheritable);
	cred->cap_permitted = cred->cap_effective = cred->cap_bset = CAP_FULL_SET;
	cap_clear(cred->cap_ambient);
	put_user_ns(cred->user_ns);
	cred->user_ns = ns;
	key_put(cred->keys.request_auth);
	cred->keys.request_auth = NULL;
}

int create_user_ns(struct cred *new)
{
	struct user_namespace *ns, *parent = new->user_ns;
	int err;

	if (parent->level >= MAX_USER_NS_LEVEL)
		return -ENOSPC;
	/* A chroot is no prison for who has capabilities: then it may not get any. */
	if (current_chrooted())
		return -EPERM;
	/* Its owner must be somebody. */
	if (!kuid_has_mapping(parent, new->euid) || !kgid_has_mapping(parent, new->egid))
		return -EPERM;
	ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	if (!ns)
		return -ENOMEM;
	err = ns_init(&ns->ns, &userns_type);
	if (err) {
		kfree(ns);
		return err;
	}
	ns->parent_could_setfcap = cap_raised(new->cap_effective, CAP_SETFCAP);
	ns->parent = get_user_ns(parent);
	ns->level = parent->level + 1;
	ns->owner = new->euid;
	ns->group = new->egid;
	ns->setgroups_allowed = parent->setgroups_allowed;
	set_cred_user_ns(new, ns);
	return 0;
}

int unshare_userns(u64 flags, struct cred **new)
{
	struct cred *cred;
	int err;

	*new = NULL;
	if (!(flags & CLONE_NEWUSER))
		return 0;
	cred = prepare_creds();
	if (!cred)
		return -ENOMEM;
	err = create_user_ns(cred);
	if (err)
		put_cred(cred);
	else
		*new = cred;
	return err;
}

static void free_user_ns_rcu(struct rcu_head *head)
{
	struct user_namespace *ns = container_of(head, struct user_namespace, rcu);

	kfree(ns->uid_map.many);
	kfree(ns->gid_map.many);
	kfree(ns->projid_map.many);
	kfree(ns);
}

/* The maps are read by who holds a cred under RCU only: they go after a grace period. */
void put_user_ns(struct user_namespace *ns)
{
	struct user_namespace *parent;

	for (; ns && ns != &init_user_ns && refcount_dec_and_test(&ns->ns.count); ns = parent) {
		parent = ns->parent;
		ns_free_inum(&ns->ns);
		free_user_ns_keys(ns);
		call_rcu(&ns->rcu, free_user_ns_rcu);
	}
}

/* ---- the kind ---- */

static struct user_namespace *to_user_ns(const struct ns_common *ns)
{
	return container_of((struct ns_common *)ns, struct user_namespace, ns);
}

static struct ns_common *userns_get(struct task_struct *task)
{
	struct ns_common *ns;

	rcu_read_lock();
	ns = &get_user_ns(__task_cred(task)->user_ns)->ns;
	rcu_read_unlock();
	return ns;
}

static void userns_put(struct ns_common *ns)
{
	put_user_ns(to_user_ns(ns));
}

static int userns_install(struct nsset *set, struct ns_common *ns)
{
	struct user_namespace *user_ns = to_user_ns(ns);

	/* Entering one's own would give back dropped capabilities. */
	if (user_ns == current_user_ns())
		return -EINVAL;
	/* Threads share their root directory's protection, and all else: they must be in one. */
	if (!thread_group_empty(current) || READ_ONCE(current->fs->users) != 1)
		return -EINVAL;
	if (!ns_capable(user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	set_cred_user_ns(set->cred, get_user_ns(user_ns));
	return 0;
}

/* The parent, when it is not outside of the caller's own. */
static struct ns_common *userns_parent(struct ns_common *ns)
{
	struct user_namespace *parent = to_user_ns(ns)->parent;

	if (!parent || !in_userns(current_user_ns(), parent))
		return ERR_PTR(-EPERM);
	return &get_user_ns(parent)->ns;
}

static struct user_namespace *userns_owner(struct ns_common *ns)
{
	return to_user_ns(ns)->parent;
}

const struct ns_type userns_type = {
	.name = "user", .clone_flag = CLONE_NEWUSER, .get = userns_get, .put = userns_put, .install = userns_install,
	.owner = userns_owner, .parent = userns_parent,
};
