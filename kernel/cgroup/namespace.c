/*
 * namespace.c: cgroup namespaces: from which group on a task sees the tree.
 *
 * What:    copy, put, enter (struct ns_type cgroup_ns_type).
 * Idea:    the group in which the maker is when it makes the namespace is "/" for those inside: in /proc/PID/cgroup, in
 *          mountinfo, and where they mount cgroup2.  Groups beside it show as "/../name".  Nothing else changes: who may
 *          write which file is a matter of owners and, with nsdelegate, of the border (attach.c: cgroup_may_move()).
 * Locking: none: it does not change.
 * See:     cgroup_namespaces(7); kernel/task/nsproxy.c; doc/sandbox.md
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/user_namespace.h>
#include "cgroup.h"

struct cgroup_namespace init_cgroup_ns = {
	.ns	 = { .count = REFCOUNT_INIT(1), .inum = 0xeffffffb, .type = &cgroup_ns_type },
	.user_ns = &init_user_ns,
	.root	 = &cgroup_root,
};

struct cgroup_namespace *copy_cgroup_ns(u64 flags, struct user_namespace *user_ns, struct cgroup_namespace *old)
{
	struct cgroup_namespace *new;
	int err;

	if (!(flags & CLONE_NEWCGROUP)) {
		ns_get(&old->ns);
		return old;
	}
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return ERR_PTR(-ENOMEM);
	err = ns_init(&new->ns, &cgroup_ns_type);
	if (err) {
		kfree(new);
		return ERR_PTR(err);
	}
	new->user_ns = get_user_ns(user_ns);
	new->root = task_get_cgroup(current);
	return new;
}

void put_cgroup_ns(struct cgroup_namespace *ns)
{
	if (!refcount_dec_and_test(&ns->ns.count))
		return;
	ns_free_inum(&ns->ns);
	put_user_ns(ns->user_ns);
	cgroup_put(ns->root);
	kfree(ns);
}

static struct ns_common *cgroup_of(struct nsproxy *ns)
{
	return &ns->cgroup->ns;
}

static void cgroup_ns_put(struct ns_common *ns)
{
	put_cgroup_ns(container_of(ns, struct cgroup_namespace, ns));
}

static struct user_namespace *cgroup_owner(struct ns_common *ns)
{
	return container_of(ns, struct cgroup_namespace, ns)->user_ns;
}

static int cgroup_install(struct nsset *set, struct ns_common *ns)
{
	if (!may_install(set, cgroup_owner(ns)))
		return -EPERM;
	ns_get(ns);
	put_cgroup_ns(set->nsproxy->cgroup);
	set->nsproxy->cgroup = container_of(ns, struct cgroup_namespace, ns);
	return 0;
}

const struct ns_type cgroup_ns_type = {
	.name = "cgroup", .clone_flag = CLONE_NEWCGROUP, .of = cgroup_of, .put = cgroup_ns_put, .install = cgroup_install,
	.owner = cgroup_owner,
};
