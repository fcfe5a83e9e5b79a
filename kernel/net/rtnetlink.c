/*
 * rtnetlink.c: AF_NETLINK sockets of NETLINK_ROUTE, by which programs see and set up the one interface there is, "lo".
 *
 * What:    RTM_GETLINK, RTM_NEWLINK and RTM_SETLINK (up and down), RTM_GETADDR, RTM_NEWADDR, RTM_DELADDR (IPv4), and for old
 *          programs the ioctls SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFFLAGS on any socket.
 * Idea:    a request is answered at once: the answers stand in the sender's own receive queue when sendmsg() returns.  All
 *          answers to one message are one datagram, which fits a page.
 * Locking: net->lock over the interface's state; the queue's own lock.
 * See:     rtnetlink(7), netlink(7), netdevice(7); <weft/net_namespace.h>
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/net_namespace.h>
#include <weft/poll.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <uapi/netlink.h>
#include "internal.h"

#define ANSWER_SIZE	4096

struct netlink_sock {
	struct sock	sk;			/* first */
	u32		portid;			/* [sk.lock] 0: not bound yet */
};

/* What is being answered. */
struct answer {
	struct net		*net;
	const struct nlmsghdr	*req;
	u8			*buf;
	u32			len;
	u32			portid;
};

static struct netlink_sock *nl_sk(struct sock *sk)
{
	return container_of(sk, struct netlink_sock, sk);
}

/* ---- making answers ---- */

/* Begins a message with a body of that size, zeroed; NULL: no room.  end_message() fills in its length. */
static void *begin_message(struct answer *a, u16 type, u16 flags, u32 body)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(a->buf + a->len);
	u32 len = (u32)sizeof(*h) + NLMSG_ALIGN(body);

	if (a->len + len > ANSWER_SIZE)
		return NULL;
	memset(h, 0, len);
	*h = (struct nlmsghdr){ len, type, flags, a->req->nlmsg_seq, a->portid };
	a->len += len;
	return h + 1;
}

static void put_attr(struct answer *a, void *body, u16 type, const void *data, u16 len)
{
	struct nlmsghdr *h = (struct nlmsghdr *)body - 1;
	struct nlattr *attr = (struct nlattr *)(a->buf + a->len);
	u32 room = (u32)sizeof(*attr) + NLMSG_ALIGN(len);

	if (a->len + room > ANSWER_SIZE)
		return;
	memset(attr, 0, room);
	*attr = (struct nlattr){ (u16)(sizeof(*attr) + len), type };
	memcpy(attr + 1, data, len);
	a->len += room;
	h->nlmsg_len += room;
}

static void put_error(struct answer *a, int error)
{
	struct nlmsgerr *e = begin_message(a, NLMSG_ERROR, 0, sizeof(*e));

	if (e) {
		e->error = error;
		e->msg = *a->req;
	}
}

static void put_done(struct answer *a)
{
	begin_message(a, NLMSG_DONE, NLM_F_MULTI, sizeof(s32));
}

static unsigned int lo_flags(const struct net *net)
{
	return IFF_LOOPBACK | net->lo_flags | (net->lo_flags & IFF_UP ? IFF_RUNNING : 0);
}

static void put_link(struct answer *a, u16 flags)
{
	static const u8 no_address[6];
	const u32 mtu = 65536;
	struct ifinfomsg *m = begin_message(a, RTM_NEWLINK, flags, sizeof(*m));

	if (!m)
		return;
	m->ifi_type = ARPHRD_LOOPBACK;
	m->ifi_index = LO_INDEX;
	m->ifi_flags = lo_flags(a->net);
	put_attr(a, m, IFLA_IFNAME, "lo", 3);
	put_attr(a, m, IFLA_MTU, &mtu, sizeof(mtu));
	put_attr(a, m, IFLA_ADDRESS, no_address, sizeof(no_address));
}

static void put_addresses(struct answer *a)
{
	for (unsigned int i = 0; i < a->net->lo_count; i++) {
		const struct lo_address *lo = &a->net->lo_addr[i];
		struct ifaddrmsg *m = begin_message(a, RTM_NEWADDR, NLM_F_MULTI, sizeof(*m));

		if (!m)
			return;
		*m = (struct ifaddrmsg){ AF_INET, lo->prefix_len, 0, lo->scope, LO_INDEX };
		put_attr(a, m, IFA_ADDRESS, &lo->addr, sizeof(lo->addr));
		put_attr(a, m, IFA_LOCAL, &lo->addr, sizeof(lo->addr));
		put_attr(a, m, IFA_LABEL, "lo", 3);
	}
}

/* ---- requests: 0 or -errno; net->lock held ---- */

/* The request's body, if it is that long. */
static const void *request_body(const struct nlmsghdr *req, u32 size)
{
	return req->nlmsg_len >= sizeof(*req) + size ? req + 1 : NULL;
}

/* The attribute of that type, of at least size bytes, behind a body of body_size; NULL. */
static const void *find_attr(const struct nlmsghdr *req, u32 body_size, u16 type, u32 size)
{
	u32 at = (u32)sizeof(*req) + NLMSG_ALIGN(body_size);

	while (at + sizeof(struct nlattr) <= req->nlmsg_len) {
		const struct nlattr *attr = (const struct nlattr *)((const u8 *)req + at);

		if (attr->nla_len < sizeof(*attr) || attr->nla_len > req->nlmsg_len - at)
			return NULL;
		if (attr->nla_type == type && attr->nla_len >= sizeof(*attr) + size)
			return attr + 1;
		at += NLMSG_ALIGN(attr->nla_len);
	}
	return NULL;
}

/* By index, or by name where the index is 0. */
static int set_link(struct net *net, const struct nlmsghdr *req)
{
	const struct ifinfomsg *m = request_body(req, sizeof(*m));
	const char *name;
	u32 change;

	if (!m)
		return -EINVAL;
	name = find_attr(req, sizeof(*m), IFLA_IFNAME, 3);
	if (m->ifi_index ? m->ifi_index != LO_INDEX : !name || strncmp(name, "lo", 3))
		return -ENODEV;
	change = m->ifi_change ? m->ifi_change : IFF_UP;
	if (change & IFF_UP)
		net->lo_flags = m->ifi_flags & IFF_UP;
	return 0;
}

static struct lo_address *find_address(struct net *net, u32 addr)
{
	for (unsigned int i = 0; i < net->lo_count; i++) {
		if (net->lo_addr[i].addr == addr)
			return &net->lo_addr[i];
	}
	return NULL;
}

static int change_address(struct net *net, const struct nlmsghdr *req, bool add)
{
	const struct ifaddrmsg *m = request_body(req, sizeof(*m));
	const u32 *addr;
	struct lo_address *old;

	if (!m)
		return -EINVAL;
	if (m->ifa_family != AF_INET)
		return -EOPNOTSUPP;
	if (m->ifa_index != LO_INDEX)
		return -ENODEV;
	addr = find_attr(req, sizeof(*m), IFA_LOCAL, sizeof(*addr));
	if (!addr || m->ifa_prefixlen > 32)
		return -EINVAL;
	old = find_address(net, *addr);
	if (!add) {
		if (!old)
			return -EADDRNOTAVAIL;
		*old = net->lo_addr[--net->lo_count];
		return 0;
	}
	if (old)
		return req->nlmsg_flags & NLM_F_EXCL ? -EEXIST : 0;
	if (net->lo_count == LO_ADDRESSES)
		return -ENOBUFS;
	net->lo_addr[net->lo_count++] = (struct lo_address){ *addr, m->ifa_prefixlen, m->ifa_scope };
	return 0;
}

/* Answers are appended where there are some.  1: they say that all is said. */
static int do_request(struct answer *a)
{
	const struct nlmsghdr *req = a->req;
	bool dump = (req->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	switch (req->nlmsg_type) {
	case RTM_GETLINK:
		put_link(a, dump ? NLM_F_MULTI : 0);
		if (dump)
			put_done(a);
		return 1;
	case RTM_GETADDR:
		if (!dump)
			return -EOPNOTSUPP;
		put_addresses(a);
		put_done(a);
		return 1;
	}
	if (!ns_capable(a->net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	switch (req->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return set_link(a->net, req);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return change_address(a->net, req, req->nlmsg_type == RTM_NEWADDR);
	}
	return -EOPNOTSUPP;
}

static void answer_request(struct answer *a)
{
	int res;

	spin_lock(&a->net->lock);
	res = do_request(a);
	spin_unlock(&a->net->lock);
	if (res < 0 || (!res && a->req->nlmsg_flags & NLM_F_ACK))
		put_error(a, res);
}

/* ---- the socket ---- */

/* A number that no other has, unless the program chooses one: other sockets are not talked to, so it need not be alone. */
static u32 bind_port(struct netlink_sock *nl, u32 wanted)
{
	static atomic_t next = ATOMIC_INIT(-4096);
	u32 port;

	spin_lock(&nl->sk.lock);
	if (!nl->portid)
		nl->portid = wanted ? wanted : (u32)atomic_dec_return(&next);
	port = nl->portid;
	spin_unlock(&nl->sk.lock);
	return port;
}

static int nl_bind(struct socket *sock, struct sockaddr *addr, int addr_len)
{
	const struct sockaddr_nl *nl = (const struct sockaddr_nl *)addr;

	if (addr_len < (int)sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return -EINVAL;
	if (bind_port(nl_sk(sock->sk), nl->nl_pid) != nl->nl_pid && nl->nl_pid)
		return -EINVAL;
	return 0;
}

static int nl_connect(struct socket *sock, struct sockaddr *addr, int addr_len, int flags)
{
	const struct sockaddr_nl *nl = (const struct sockaddr_nl *)addr;

	if (addr_len < (int)sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return -EINVAL;
	bind_port(nl_sk(sock->sk), 0);
	return nl->nl_pid ? -ECONNREFUSED : 0;
}

static int nl_getname(struct socket *sock, struct sockaddr_storage *addr, int peer)
{
	struct sockaddr_nl *nl = (struct sockaddr_nl *)addr;

	*nl = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = peer ? 0 : READ_ONCE(nl_sk(sock->sk)->portid) };
	return sizeof(*nl);
}

static void answer_all(struct netlink_sock *nl, const u8 *buf, size_t len)
{
	struct answer a = { .net = nl->sk.net, .portid = bind_port(nl, 0) };
	struct sk_buff *skb;
	size_t at = 0;

	a.buf = kmalloc(ANSWER_SIZE, GFP_KERNEL);
	while (a.buf && len - at >= sizeof(struct nlmsghdr)) {
		a.req = (const struct nlmsghdr *)(buf + at);
		if (a.req->nlmsg_len < sizeof(*a.req) || a.req->nlmsg_len > len - at)
			break;
		a.len = 0;
		if (a.req->nlmsg_flags & NLM_F_REQUEST)
			answer_request(&a);
		skb = a.len ? alloc_skb(a.len) : NULL;
		if (skb) {
			memcpy(skb->data, a.buf, a.len);
			skb_queue_tail(&nl->sk.receive_queue, skb);
			sock_data_ready(&nl->sk);
		} else if (a.len) {
			WRITE_ONCE(nl->sk.err, ENOBUFS);
		}
		at += min(len - at, (size_t)NLMSG_ALIGN(a.req->nlmsg_len));
	}
	kfree(a.buf);
}

static ssize_t nl_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct netlink_sock *nl = nl_sk(sock->sk);
	const struct sockaddr_nl *to = msg->msg_name;
	u8 *buf;

	if (to && (msg->msg_namelen < (int)sizeof(*to) || to->nl_family != AF_NETLINK))
		return -EINVAL;
	if (to && to->nl_pid)
		return -ECONNREFUSED;		/* the kernel is the only one that listens */
	if (len > READ_ONCE(nl->sk.sndbuf))
		return -EMSGSIZE;
	/* Who sends and never reads fills its own queue. */
	if (READ_ONCE(nl->sk.receive_queue.qlen) > 64)
		return -ENOBUFS;
	buf = kmalloc(len + 1, GFP_KERNEL);
	if (!buf)
		return -ENOBUFS;
	if (!copy_from_iter_full(buf, len, &msg->msg_iter)) {
		kfree(buf);
		return -EFAULT;
	}
	answer_all(nl, buf, len);
	kfree(buf);
	return (ssize_t)len;
}

/* The next datagram: taken, or (MSG_PEEK) only looked at.  A reference, or NULL. */
static struct sk_buff *next_datagram(struct sock *sk, bool peek)
{
	struct sk_buff *skb;

	if (!peek)
		return skb_dequeue(&sk->receive_queue);
	spin_lock(&sk->receive_queue.lock);
	skb = skb_peek(&sk->receive_queue);
	if (skb)
		skb_get(skb);
	spin_unlock(&sk->receive_queue.lock);
	return skb;
}

static ssize_t nl_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)
{
	struct sock *sk = sock->sk;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT), left = timeo;
	struct sk_buff *skb;
	size_t n;
	int err;

	while (!(skb = next_datagram(sk, flags & MSG_PEEK))) {
		err = sock_error(sk);
		if (err)
			return err;
		if (!left)
			return -EAGAIN;
		left = wait_event_interruptible_timeout(sk->wait, !skb_queue_empty(&sk->receive_queue), left);
		if (left < 0)
			return sock_intr_errno(timeo);
	}
	n = min(len, (size_t)skb->len);
	if (n < skb->len)
		msg->msg_flags |= MSG_TRUNC;
	err = copy_to_iter(skb->data, n, &msg->msg_iter) == n ? 0 : -EFAULT;
	if (msg->msg_name) {
		*(struct sockaddr_nl *)msg->msg_name = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
		msg->msg_namelen = sizeof(struct sockaddr_nl);
	}
	if (flags & MSG_TRUNC)
		n = skb->len;
	kfree_skb(skb);
	return err ? err : (ssize_t)n;
}

static __poll_t nl_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	poll_wait(file, &sk->wait, wait);
	if (!skb_queue_empty(&sk->receive_queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	return READ_ONCE(sk->err) ? mask | EPOLLERR : mask;
}

static int nl_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct sk_buff *skb;

	sock->sk = NULL;
	while ((skb = skb_dequeue(&sk->receive_queue)))
		kfree_skb(skb);
	sock_put(sk);
	return 0;
}

static void nl_destruct(struct sock *sk)
{
	put_net(sk->net);
	kfree(nl_sk(sk));
}

static int no_pair(struct socket *a, struct socket *b) { return -EOPNOTSUPP; }
static int no_accept(struct socket *sock, struct socket *newsock, int flags) { return -EOPNOTSUPP; }
static int no_listen(struct socket *sock, int backlog) { return -EOPNOTSUPP; }
static int no_shutdown(struct socket *sock, int how) { return -EOPNOTSUPP; }

static const struct proto_ops netlink_ops = {
	.family = AF_NETLINK, .release = nl_release, .bind = nl_bind, .connect = nl_connect, .socketpair = no_pair,
	.accept = no_accept, .getname = nl_getname, .poll = nl_poll, .listen = no_listen, .shutdown = no_shutdown,
	.sendmsg = nl_sendmsg, .recvmsg = nl_recvmsg,
};

static int netlink_create(struct socket *sock, int protocol)
{
	struct netlink_sock *nl;

	if (sock->type != SOCK_RAW && sock->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	nl = kzalloc(sizeof(*nl), GFP_KERNEL);
	if (!nl)
		return -ENOMEM;
	sock_init_data(sock, &nl->sk, AF_NETLINK, sock->type);
	nl->sk.destruct = nl_destruct;
	sock->ops = &netlink_ops;
	return 0;
}

static const struct net_proto_family netlink_family = { .family = AF_NETLINK, .create = netlink_create };

/* ---- the old way: ioctls on any socket ---- */

int netdev_ioctl(struct net *net, unsigned int cmd, void __user *arg)
{
	struct ifreq req;

	if (cmd != SIOCGIFNAME && cmd != SIOCGIFFLAGS && cmd != SIOCGIFINDEX)
		return -ENOTTY;
	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (cmd == SIOCGIFNAME ? req.ifr_ifindex != LO_INDEX : strncmp(req.ifr_name, "lo", sizeof(req.ifr_name)))
		return -ENODEV;
	if (cmd == SIOCGIFNAME) {
		memset(req.ifr_name, 0, sizeof(req.ifr_name));
		memcpy(req.ifr_name, "lo", 2);
	} else if (cmd == SIOCGIFFLAGS) {
		spin_lock(&net->lock);
		req.ifr_flags = (s16)lo_flags(net);
		spin_unlock(&net->lock);
	} else {
		req.ifr_ifindex = LO_INDEX;
	}
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

static int __init netlink_init(void)
{
	return sock_register(&netlink_family);
}
fs_initcall(netlink_init);
