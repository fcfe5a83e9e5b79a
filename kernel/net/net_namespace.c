/*
 * net_namespace.c: making and ending a network of its own.
 *
 * What:    the first network, copy, put, entering (struct ns_type net_ns_type).
 * Idea:    a network is the names of its abstract sockets and a loopback device that carries nothing.  It lives by its tasks'
 *          nsproxies, its sockets and open files of /proc/PID/ns; when the last has gone nobody can find its names any more.
 * Locking: see <weft/net_namespace.h>: net->lock for the device's state; counts are atomic.
 * See:     network_namespaces(7)
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/net_namespace.h>
#include <weft/slab.h>
#include <weft/user_namespace.h>

struct net init_net = {
	.ns	 = { .count = REFCOUNT_INIT(1), .inum = 0xf0000000, .type = &net_ns_type },
	.user_ns = &init_user_ns,
	.lock	 = __SPIN_LOCK_UNLOCKED(init_net.lock),
};

struct net *copy_net_ns(u64 flags, struct user_namespace *user_ns, struct net *old)
{
	struct net *new;
	int err;

	if (!(flags & CLONE_NEWNET))
		return get_net(old);
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return ERR_PTR(-ENOMEM);
	err = ns_init(&new->ns, &net_ns_type);
	if (err) {
		kfree(new);
		return ERR_PTR(err);
	}
	new->user_ns = get_user_ns(user_ns);
	spin_lock_init(&new->lock);
	return new;
}

void put_net(struct net *net)
{
	if (!refcount_dec_and_test(&net->ns.count))
		return;
	ns_free_inum(&net->ns);
	put_user_ns(net->user_ns);
	kfree(net);
}

/* ---- the kind ---- */

static struct ns_common *net_of(struct nsproxy *ns)
{
	return &ns->net->ns;
}

static void net_put(struct ns_common *ns)
{
	put_net(container_of(ns, struct net, ns));
}

static struct user_namespace *net_owner(struct ns_common *ns)
{
	return container_of(ns, struct net, ns)->user_ns;
}

static int net_install(struct nsset *set, struct ns_common *ns)
{
	if (!may_install(set, net_owner(ns)))
		return -EPERM;
	ns_get(ns);
	put_net(set->nsproxy->net);
	set->nsproxy->net = container_of(ns, struct net, ns);
	return 0;
}

const struct ns_type net_ns_type = {
	.name = "net", .clone_flag = CLONE_NEWNET, .of = net_of, .put = net_put, .install = net_install,
	.owner = net_owner,
};
