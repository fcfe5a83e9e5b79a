/*
 * namespace.c: ipc namespaces: System V objects and POSIX message queues that only some tasks can reach.
 *
 * Idea:    a new namespace is empty.  It ends with its last task or open file, and all its objects with it; but a segment
 *          that is still attached somewhere (in a process that has gone to another namespace) keeps it.
 * Limits:  the sysctls (kernel/shmmax, fs/mqueue...) are those of the machine, not of a namespace.
 * Locking: none of its own; the ids' rwsem when the objects go.
 * See:     ipc_namespaces(7); util.h
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/nsproxy.h>
#include <weft/slab.h>
#include <weft/user_namespace.h>
#include "util.h"

#define IDS(kind) { .ns = &init_ipc_ns, .rwsem = __RWSEM_INITIALIZER(init_ipc_ns.ids[kind].rwsem),	\
		    .idr = IDR_INIT(init_ipc_ns.ids[kind].idr), .last_index = -1 }

struct ipc_namespace init_ipc_ns = {
	.ns	 = { .count = REFCOUNT_INIT(1), .inum = 0xefffffff, .type = &ipc_ns_type },
	.user_ns = &init_user_ns,
	.ids	 = { IDS(IPC_SEM_IDS), IDS(IPC_MSG_IDS), IDS(IPC_SHM_IDS) },
};

static void init_ids(struct ipc_ids *ids, struct ipc_namespace *ns)
{
	ids->ns = ns;
	init_rwsem(&ids->rwsem);
	idr_init(&ids->idr);
	ids->last_index = -1;
}

static struct ipc_namespace *create_ipc_ns(struct user_namespace *user_ns)
{
	struct ipc_namespace *ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	int err;

	if (!ns)
		return ERR_PTR(-ENOMEM);
	for (int kind = 0; kind < IPC_KINDS; kind++)
		init_ids(&ns->ids[kind], ns);
	err = ns_init(&ns->ns, &ipc_ns_type);
	if (err)
		goto free;
	err = mq_init_ns(ns);
	if (err)
		goto free_inum;
	ns->user_ns = get_user_ns(user_ns);
	return ns;

free_inum:
	ns_free_inum(&ns->ns);
free:
	kfree(ns);
	return ERR_PTR(err);
}

struct ipc_namespace *copy_ipc_ns(u64 flags, struct user_namespace *user_ns, struct ipc_namespace *old)
{
	if (flags & CLONE_NEWIPC)
		return create_ipc_ns(user_ns);
	ns_get(&old->ns);
	return old;
}

void put_ipc_ns(struct ipc_namespace *ns)
{
	if (!refcount_dec_and_test(&ns->ns.count))
		return;
	sem_exit_ns(ns);
	msg_exit_ns(ns);
	shm_exit_ns(ns);
	mq_exit_ns(ns);
	ns_free_inum(&ns->ns);
	for (int kind = 0; kind < IPC_KINDS; kind++)
		idr_destroy(&ns->ids[kind].idr);
	put_user_ns(ns->user_ns);
	synchronize_rcu();		/* objects that go after a grace period still point here */
	kfree(ns);
}

/* ---- the kind ---- */

static struct ns_common *ipc_of(struct nsproxy *ns)
{
	return &ns->ipc->ns;
}

static void ipc_ns_put(struct ns_common *ns)
{
	put_ipc_ns(container_of(ns, struct ipc_namespace, ns));
}

static struct user_namespace *ipc_owner(struct ns_common *ns)
{
	return container_of(ns, struct ipc_namespace, ns)->user_ns;
}

static int ipc_install(struct nsset *set, struct ns_common *ns)
{
	if (!may_install(set, ipc_owner(ns)))
		return -EPERM;
	ns_get(ns);
	put_ipc_ns(set->nsproxy->ipc);
	set->nsproxy->ipc = container_of(ns, struct ipc_namespace, ns);
	return 0;
}

const struct ns_type ipc_ns_type = {
	.name = "ipc", .clone_flag = CLONE_NEWIPC, .of = ipc_of, .put = ipc_ns_put, .install = ipc_install,
	.owner = ipc_owner,
};
