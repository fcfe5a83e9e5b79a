/*
 * af_unix.c: local sockets: making and releasing, shutdown, poll, the small operations.
 *
 * What:    SOCK_STREAM, SOCK_DGRAM and SOCK_SEQPACKET between processes of one machine.
 * Idea:    sending puts the message straight into the receiver's queue; there is no network in between.  What is sent and
 *          not read is charged to the sender (sndbuf), and a datagram receiver's queue has a length (max_dgram_qlen).
 * Locking: see af_unix.h.
 * See:     bind.c, connect.c, stream.c, dgram.c, message.c, garbage.c; unix(7); spec.md §10
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/err.h>
#include <weft/mount.h>
#include <weft/net_namespace.h>
#include <weft/poll.h>
#include <weft/pid.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/uaccess.h>
#include <uapi/ioctls.h>
#include "af_unix.h"

unsigned int sysctl_unix_max_dgram_qlen = 10;
static atomic_long_t unix_nr_socks;

/* ---- two locks ---- */

void unix_double_lock(struct sock *a, struct sock *b) __no_context_analysis	/* by address; one if b is NULL or a */
{
	if (a == b || !b) {
		spin_lock(&a->lock);
		return;
	}
	if (a > b)
		swap(a, b);
	spin_lock(&a->lock);
	spin_lock_nested(&b->lock, 1);
}

void unix_double_unlock(struct sock *a, struct sock *b) __no_context_analysis	/* as above */
{
	spin_unlock(&a->lock);
	if (b && a != b)
		spin_unlock(&b->lock);
}

struct sock *unix_peer_get(struct sock *sk)
{
	struct sock *peer;

	spin_lock(&sk->lock);
	peer = unix_sk(sk)->peer;
	if (peer)
		sock_hold(peer);
	spin_unlock(&sk->lock);
	return peer;
}

/* ---- credentials of the other end ---- */

static void set_peercred(struct sock *sk, struct pid *pid, const struct cred *cred)
{
	struct pid *old_pid;
	const struct cred *old_cred;

	spin_lock(&sk->peer_lock);
	old_pid = sk->peer_pid;
	old_cred = sk->peer_cred;
	sk->peer_pid = pid;
	sk->peer_cred = cred;
	spin_unlock(&sk->peer_lock);
	put_pid(old_pid);
	put_cred(old_cred);
}

/* sk's other end sees the running task. */
void unix_init_peercred(struct sock *sk)
{
	set_peercred(sk, get_task_pid(current, PIDTYPE_TGID), get_current_cred());
}

void unix_copy_peercred(struct sock *sk, struct sock *from)
{
	const struct cred *cred;
	struct pid *pid;

	spin_lock(&from->peer_lock);
	pid = get_pid(from->peer_pid);
	cred = get_cred(from->peer_cred);
	spin_unlock(&from->peer_lock);
	set_peercred(sk, pid, cred);
}

/* ---- full receive queues ---- */

bool unix_recvq_full(const struct sock *sk)
{
	return READ_ONCE(sk->receive_queue.qlen) > READ_ONCE(sk->max_ack_backlog);
}

long unix_wait_for_peer(struct sock *other, long timeo)
{
	struct unix_sock *u = unix_sk(other);
	bool sleep;
	DEFINE_WAIT(wait);

	lockdep_assert_held(&other->lock);
	prepare_to_wait_exclusive(&u->peer_wait, &wait, TASK_INTERRUPTIBLE);
	sleep = !other->dead && !(other->shutdown & RCV_SHUTDOWN) && unix_recvq_full(other);
	spin_unlock(&other->lock);
	if (sleep)
		timeo = schedule_timeout(timeo);
	finish_wait(&u->peer_wait, &wait);
	return timeo;
}

/*
 * A datagram socket that polls for writing while its peer's queue is full stands in the peer's peer_wait with an entry of
 * its own; when the peer has room, the entry is taken out and the socket's own waiters are woken.
 */
static int peer_wake_relay(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct unix_sock *u = container_of(entry, struct unix_sock, peer_wake);

	list_del_init(&entry->entry);
	entry->private = NULL;
	wake_up_interruptible_poll(&u->sk.wait, key_to_poll(key));
	return 0;
}

static bool peer_wake_connect(struct sock *sk, struct sock *other)
{
	struct unix_sock *u = unix_sk(sk), *o = unix_sk(other);
	unsigned long flags;
	bool added = false;

	spin_lock_irqsave(&o->peer_wait.lock, flags);
	if (!u->peer_wake.private) {
		u->peer_wake.private = other;
		__add_wait_queue(&o->peer_wait, &u->peer_wake);
		added = true;
	}
	spin_unlock_irqrestore(&o->peer_wait.lock, flags);
	return added;
}

void unix_peer_wake_disconnect(struct sock *sk, struct sock *other)
{
	struct unix_sock *u = unix_sk(sk), *o = unix_sk(other);
	unsigned long flags;

	spin_lock_irqsave(&o->peer_wait.lock, flags);
	if (u->peer_wake.private == other) {
		list_del_init(&u->peer_wake.entry);
		u->peer_wake.private = NULL;
	}
	spin_unlock_irqrestore(&o->peer_wait.lock, flags);
}

/* True: other is full, and sk will be woken when it has room.  sk->lock held; other's not needed. */
bool unix_peer_wake_me(struct sock *sk, struct sock *other)
{
	bool connected = peer_wake_connect(sk, other);

	/* The peer may have gone or read meanwhile: then nobody will wake us. */
	if (unix_recvq_full(other) && !READ_ONCE(other->dead))
		return true;
	if (connected)
		unix_peer_wake_disconnect(sk, other);
	return false;
}

/* sk turns away from other: what waits from it is dropped, and the old peer hears of it. */
void unix_dgram_disconnected(struct sock *sk, struct sock *other)
{
	struct sk_buff *skb;
	bool any = false;

	while ((skb = skb_dequeue(&sk->receive_queue))) {
		kfree_skb(skb);
		any = true;
	}
	if (!any)
		return;
	wake_up_interruptible_all(&unix_sk(sk)->peer_wait);
	spin_lock(&other->lock);
	if (!other->dead && unix_sk(other)->peer == sk) {
		WRITE_ONCE(other->err, ECONNRESET);
		sock_state_change(other);
	}
	spin_unlock(&other->lock);
}

/* ---- making ---- */

static void unix_destruct(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);

	WARN_ON_ONCE(!skb_queue_empty(&sk->receive_queue));
	WARN_ON_ONCE(sk->socket);
	put_pid(sk->peer_pid);
	put_cred(sk->peer_cred);
	unix_release_addr(u->addr);
	put_net(sk->net);
	atomic_long_dec(&unix_nr_socks);
	kfree(u);
}

struct sock *unix_create1(struct socket *sock, int type)
{
	struct unix_sock *u;

	if (atomic_long_inc_return(&unix_nr_socks) > 2 * (long)get_max_files()) {
		atomic_long_dec(&unix_nr_socks);
		return ERR_PTR(-ENFILE);
	}
	u = kzalloc(sizeof(*u), GFP_KERNEL);
	if (!u) {
		atomic_long_dec(&unix_nr_socks);
		return ERR_PTR(-ENOMEM);
	}
	sock_init_data(sock, &u->sk, AF_UNIX, type);
	u->sk.destruct = unix_destruct;
	u->sk.max_ack_backlog = sysctl_unix_max_dgram_qlen;
	mutex_init(&u->bindlock);
	mutex_init(&u->iolock);
	INIT_LIST_HEAD(&u->gc_link);
	init_waitqueue_head(&u->peer_wait);
	init_waitqueue_func_entry(&u->peer_wake, peer_wake_relay);
	INIT_LIST_HEAD(&u->peer_wake.entry);
	unix_insert_unbound(u);
	return &u->sk;
}

/* ---- releasing ---- */

/* The other end of a connection learns that this one has gone; rst: with data that nobody will read. */
static void tell_peer(struct sock *peer, bool rst)
{
	spin_lock(&peer->lock);
	peer->shutdown = SHUTDOWN_MASK;
	if (rst)
		WRITE_ONCE(peer->err, ECONNRESET);
	spin_unlock(&peer->lock);
	sock_state_change(peer);
}

/* embryo: a connection that was never accepted; its listener goes. */
void unix_release_sock(struct sock *sk, bool embryo)
{
	struct unix_sock *u = unix_sk(sk);
	struct sock *peer;
	struct sk_buff *skb;
	struct path path;
	bool listening;

	mutex_lock(&u->bindlock);
	unix_remove_socket(u);
	mutex_unlock(&u->bindlock);

	spin_lock(&sk->lock);
	sk->dead = true;
	sk->socket = NULL;
	sk->shutdown = SHUTDOWN_MASK;
	path = u->path;
	u->path = (struct path){ 0 };
	listening = sk->state == SK_LISTEN;
	sk->state = SK_CLOSE;
	peer = u->peer;
	u->peer = NULL;
	spin_unlock(&sk->lock);

	wake_up_interruptible_all(&u->peer_wait);
	if (peer) {
		if (unix_is_connection(sk))
			tell_peer(peer, !skb_queue_empty(&sk->receive_queue) || embryo);
		unix_peer_wake_disconnect(sk, peer);
		sock_put(peer);
	}
	while ((skb = skb_dequeue(&sk->receive_queue))) {
		if (listening)
			unix_release_sock(skb->sk, true);
		kfree_skb(skb);
	}
	if (path.dentry)
		path_put(&path);
	sock_put(sk);
	unix_schedule_gc();
}

static int unix_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	sock->sk = NULL;
	unix_release_sock(sk, false);
	return 0;
}

/* ---- the small operations ---- */

static int unix_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct unix_sock *u = unix_sk(sk);
	unsigned int old;
	int err = 0;

	if (!unix_is_connection(sk))
		return -EOPNOTSUPP;
	if (!smp_load_acquire(&u->addr))
		return -EINVAL;
	spin_lock(&sk->lock);
	old = sk->max_ack_backlog;
	if (sk->state == SK_ESTABLISHED) {
		err = -EINVAL;
	} else {
		sk->max_ack_backlog = backlog;
		sk->state = SK_LISTEN;
	}
	spin_unlock(&sk->lock);
	if (err)
		return err;
	if ((unsigned int)backlog > old)
		wake_up_interruptible_all(&u->peer_wait);
	unix_init_peercred(sk);		/* who connects sees who listens */
	return 0;
}

static int unix_socketpair(struct socket *a, struct socket *b)
{
	struct sock *ska = a->sk, *skb = b->sk;

	sock_hold(ska);
	sock_hold(skb);
	unix_sk(ska)->peer = skb;
	unix_sk(skb)->peer = ska;
	unix_init_peercred(ska);
	unix_init_peercred(skb);
	ska->state = skb->state = SK_ESTABLISHED;
	a->state = b->state = SS_CONNECTED;
	return 0;
}

/* sk's name into addr: its length; without a name only the family. */
static int copy_name(struct sock *sk, struct sockaddr_storage *addr)
{
	struct unix_address *name = smp_load_acquire(&unix_sk(sk)->addr);

	if (!name) {
		addr->ss_family = AF_UNIX;
		return sizeof(sa_family_t);
	}
	memcpy(addr, &name->name, name->len);
	return name->len;
}

void unix_copy_name(struct msghdr *msg, struct sock *sk)
{
	if (!msg->msg_name)
		return;
	msg->msg_namelen = smp_load_acquire(&unix_sk(sk)->addr) ? copy_name(sk, msg->msg_name) : 0;
}

static int unix_getname(struct socket *sock, struct sockaddr_storage *addr, int peer)
{
	struct sock *sk = sock->sk;
	int len;

	if (!peer)
		return copy_name(sk, addr);
	sk = unix_peer_get(sk);
	if (!sk) {
		if (peer == 2) {	/* accept(): the other end may have gone already */
			addr->ss_family = AF_UNIX;
			return sizeof(sa_family_t);
		}
		return -ENOTCONN;
	}
	len = copy_name(sk, addr);
	sock_put(sk);
	return len;
}

static int unix_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk, *other;
	u8 mode = how + 1, peer_mode = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	spin_lock(&sk->lock);
	sk->shutdown |= mode;
	other = unix_sk(sk)->peer;
	if (other)
		sock_hold(other);
	spin_unlock(&sk->lock);
	sock_state_change(sk);
	if (!other)
		return 0;
	if (unix_is_connection(sk)) {
		/* What one end will not send the other will not receive, and the other way round. */
		peer_mode |= mode & RCV_SHUTDOWN ? SEND_SHUTDOWN : 0;
		peer_mode |= mode & SEND_SHUTDOWN ? RCV_SHUTDOWN : 0;
		spin_lock(&other->lock);
		other->shutdown |= peer_mode;
		spin_unlock(&other->lock);
		sock_state_change(other);
	}
	sock_put(other);
	return 0;
}

/* Bytes that a read would give: all of a stream, the next message of the others. */
static int bytes_in_queue(struct sock *sk)
{
	struct sk_buff *skb;
	int n = 0;

	if (sk->state == SK_LISTEN)
		return -EINVAL;
	spin_lock(&sk->receive_queue.lock);
	list_for_each_entry(skb, &sk->receive_queue.head, list) {
		n += skb->len - skb->consumed;
		if (!unix_is_stream(sk) && sk->type != SOCK_SEQPACKET)
			break;
	}
	spin_unlock(&sk->receive_queue.lock);
	return n;
}

static int unix_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sock *sk = sock->sk;
	int n;

	switch (cmd) {
	case SIOCOUTQ:
		return put_user(atomic_read(&sk->wmem_alloc), (int __user *)arg);
	case SIOCINQ:
		n = bytes_in_queue(sk);
		return n < 0 ? n : put_user(n, (int __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

static int unix_set_peek_off(struct sock *sk, int val)
{
	WRITE_ONCE(sk->peek_off, val < 0 ? -1 : val);
	return 0;
}

/* May a connected datagram socket send to its peer now?  If not, it will be woken when it may. */
static bool peer_has_room(struct sock *sk)
{
	struct sock *other;
	bool ok = true;

	spin_lock(&sk->lock);
	other = unix_sk(sk)->peer;
	if (other && unix_sk(other)->peer != sk && unix_recvq_full(other) && unix_peer_wake_me(sk, other))
		ok = false;
	spin_unlock(&sk->lock);
	return ok;
}

__poll_t unix_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	u8 shutdown, state;
	__poll_t mask = 0;

	poll_wait(file, &sk->wait, wait);
	smp_mb();		/* pairs with the wakers' change before wq_has_sleeper() */
	shutdown = READ_ONCE(sk->shutdown);
	state = READ_ONCE(sk->state);
	if (READ_ONCE(sk->err))
		mask |= EPOLLERR;
	if (shutdown == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (!skb_queue_empty(&sk->receive_queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (unix_is_connection(sk) && state == SK_CLOSE)
		mask |= EPOLLHUP;
	if (state == SK_LISTEN || !sock_writeable(sk))
		return mask;
	if (sk->type == SOCK_DGRAM && (poll_requested_events(wait) & (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)) &&
	    !peer_has_room(sk))
		return mask;
	return mask | EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
}

/* ---- the family ---- */

static int no_accept(struct socket *sock, struct socket *newsock, int flags) { return -EOPNOTSUPP; }

static const struct proto_ops unix_stream_ops = {
	.family = AF_UNIX, .release = unix_release, .bind = unix_bind, .connect = unix_stream_connect,
	.socketpair = unix_socketpair, .accept = unix_accept, .getname = unix_getname, .poll = unix_poll, .ioctl = unix_ioctl,
	.listen = unix_listen, .shutdown = unix_shutdown, .sendmsg = unix_stream_sendmsg, .recvmsg = unix_stream_recvmsg,
	.set_peek_off = unix_set_peek_off,
};

static const struct proto_ops unix_dgram_ops = {
	.family = AF_UNIX, .release = unix_release, .bind = unix_bind, .connect = unix_dgram_connect,
	.socketpair = unix_socketpair, .accept = no_accept, .getname = unix_getname, .poll = unix_poll, .ioctl = unix_ioctl,
	.listen = unix_listen, .shutdown = unix_shutdown, .sendmsg = unix_dgram_sendmsg, .recvmsg = unix_dgram_recvmsg,
	.set_peek_off = unix_set_peek_off,
};

static const struct proto_ops unix_seqpacket_ops = {
	.family = AF_UNIX, .release = unix_release, .bind = unix_bind, .connect = unix_stream_connect,
	.socketpair = unix_socketpair, .accept = unix_accept, .getname = unix_getname, .poll = unix_poll, .ioctl = unix_ioctl,
	.listen = unix_listen, .shutdown = unix_shutdown, .sendmsg = unix_seqpacket_sendmsg, .recvmsg = unix_seqpacket_recvmsg,
	.set_peek_off = unix_set_peek_off,
};

static int unix_create(struct socket *sock, int protocol)
{
	if (protocol && protocol != PF_UNIX)
		return -EPROTONOSUPPORT;
	switch (sock->type) {
	case SOCK_STREAM:
		sock->ops = &unix_stream_ops;
		break;
	case SOCK_RAW:		/* an old program's word for it */
		sock->type = SOCK_DGRAM;
		fallthrough;
	case SOCK_DGRAM:
		sock->ops = &unix_dgram_ops;
		break;
	case SOCK_SEQPACKET:
		sock->ops = &unix_seqpacket_ops;
		break;
	default:
		return -ESOCKTNOSUPPORT;
	}
	return PTR_ERR_OR_ZERO(unix_create1(sock, sock->type));
}

static const struct net_proto_family unix_family = { .family = AF_UNIX, .create = unix_create };

/* ---- /proc/net/unix, /proc/sys/net/unix ---- */

static void show_name(struct seq_file *m, const struct unix_address *addr)
{
	int n = addr->len - (int)offsetof(struct sockaddr_un, sun_path);
	const char *name = addr->name.sun_path;

	seq_putc(m, ' ');
	if (!name[0])
		seq_putc(m, '@');
	else
		n--;		/* the NUL */
	for (int i = !name[0]; i < n; i++)
		seq_putc(m, name[i] ? name[i] : '@');
}

static void show_socket(struct seq_file *m, struct unix_sock *u)
{
	struct sock *sk = &u->sk;
	int state;

	spin_lock(&sk->lock);
	if (sk->socket)
		state = sk->state == SK_ESTABLISHED ? SS_CONNECTED : SS_UNCONNECTED;
	else
		state = sk->state == SK_ESTABLISHED ? SS_CONNECTING : SS_DISCONNECTING;
	seq_printf(m, "%016llx: %08X %08X %08X %04X %02X %5lu", sk->cookie, refcount_read(&sk->refcnt), 0,
		   sk->state == SK_LISTEN ? 0x10000 : 0, sk->type, state, sk->socket ? SOCK_INODE(sk->socket)->i_ino : 0UL);
	spin_unlock(&sk->lock);
	if (u->addr)
		show_name(m, u->addr);
	seq_putc(m, '\n');
}

/* The first column is a number that tells sockets apart, not the address that it is elsewhere. */
int proc_net_unix_show(struct seq_file *m, void *v)
{
	struct unix_sock *u;

	seq_puts(m, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	for (int i = 0; i <= UNIX_BUCKETS; i++) {
		spin_lock(&unix_table[i].lock);
		hlist_for_each_entry(u, &unix_table[i].head, node) {
			if (u->sk.net == current_net())
				show_socket(m, u);
		}
		spin_unlock(&unix_table[i].lock);
	}
	return 0;
}

static const struct ctl_table unix_sysctls[] = {
	{ .procname = "max_dgram_qlen", .data = &sysctl_unix_max_dgram_qlen, .maxlen = sizeof(int),
	  .mode = 0644, .handler = proc_dointvec },
	{ }
};

static const struct ctl_table core_sysctls[] = {
	{ .procname = "somaxconn", .data = (int []){ SOMAXCONN }, .maxlen = sizeof(int),
	  .mode = 0444, .handler = proc_dointvec },
	{ .procname = "wmem_max", .data = &sysctl_wmem_max, .maxlen = sizeof(int),
	  .mode = 0644, .handler = proc_dointvec },
	{ .procname = "rmem_max", .data = &sysctl_rmem_max, .maxlen = sizeof(int),
	  .mode = 0644, .handler = proc_dointvec },
	{ .procname = "wmem_default", .data = &sysctl_wmem_default, .maxlen = sizeof(int),
	  .mode = 0644, .handler = proc_dointvec },
	{ .procname = "rmem_default", .data = &sysctl_rmem_default, .maxlen = sizeof(int),
	  .mode = 0644, .handler = proc_dointvec },
	{ .procname = "optmem_max", .data = &sysctl_optmem_max, .maxlen = sizeof(int),
	  .mode = 0644, .handler = proc_dointvec },
	{ }
};

static int __init unix_init(void)
{
	int err;

	for (int i = 0; i <= UNIX_BUCKETS; i++) {
		spin_lock_init(&unix_table[i].lock);
		INIT_HLIST_HEAD(&unix_table[i].head);
	}
	proc_create_single("net/unix", 0444, NULL, proc_net_unix_show);
	err = sock_register(&unix_family);
	if (!err)
		err = register_sysctl("net/unix", unix_sysctls);
	return err ? err : register_sysctl("net/core", core_sysctls);
}
fs_initcall(unix_init);
