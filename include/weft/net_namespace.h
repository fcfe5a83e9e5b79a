/*
 * net_namespace.h: a network of its own: abstract names of local sockets, and a loopback interface that no packets go through.
 *
 * Idea:    a socket belongs to the namespace in which it was made, and keeps it.  Names in the file system are found by
 *          whoever can walk to them, abstract names only inside.
 * Limits:  there are no internet protocols: "lo" has a name, flags and addresses, as programs that set up a sandbox want to
 *          see and set them (rtnetlink), and carries nothing.
 * Locking: lock.
 * See:     network_namespaces(7); kernel/net/net_namespace.c, kernel/net/rtnetlink.c
 */
#ifndef WEFT_NET_NAMESPACE_H
#define WEFT_NET_NAMESPACE_H

#include <weft/nsproxy.h>
#include <weft/sched.h>
#include <weft/spinlock.h>

#define LO_INDEX	1
#define LO_ADDRESSES	8

struct lo_address {
	u32	addr;				/* network order */
	u8	prefix_len;
	u8	scope;
};

struct net {
	struct ns_common	ns;		/* count: nsproxies, sockets, open files */
	struct user_namespace	*user_ns;	/* [I] it belongs to, + reference */
	spinlock_t		lock;		/* class: net */
	unsigned int		lo_flags;	/* [lock] IFF_UP or 0 */
	struct lo_address	lo_addr[LO_ADDRESSES];	/* [lock] */
	unsigned int		lo_count;	/* [lock] */
};
static inline struct net *get_net(struct net *net) { ns_get(&net->ns); return net; }
static inline struct net *current_net(void) { return current->nsproxy->net; }

#endif
