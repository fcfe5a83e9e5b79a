/*
 * sock.c: what all protocols do alike: the life of a struct sock, its send buffer, waking, SOL_SOCKET options.
 *
 * Idea:    what a socket has sent and nobody has read is counted in wmem_alloc; a writer waits until it is below sndbuf.
 *          Reading a message uncharges it and wakes the writer when three quarters are free (sock_writeable).
 * Locking: see internal.h.  Options are single words, written and read without a lock.
 * See:     socket(7)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/init.h>
#include <weft/string.h>
#include <weft/net_namespace.h>
#include <weft/signal.h>
#include <weft/jiffies.h>
#include <weft/time64.h>
#include <weft/uaccess.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include "internal.h"

#define SOCK_MIN_SNDBUF	4608
#define SOCK_MIN_RCVBUF	2304

int sysctl_wmem_max = 212992, sysctl_rmem_max = 212992, sysctl_wmem_default = 212992, sysctl_rmem_default = 212992;
int sysctl_optmem_max = 20480;
static atomic64_t next_cookie;

void sock_init_data(struct socket *sock, struct sock *sk, int family, int type)
{
	refcount_set(&sk->refcnt, 1);
	sk->family = family;
	sk->net = get_net(current_net());
	sk->type = type;
	spin_lock_init(&sk->lock);
	spin_lock_init(&sk->peer_lock);
	init_waitqueue_head(&sk->wait);
	skb_queue_head_init(&sk->receive_queue);
	sk->sndbuf = sysctl_wmem_default;
	sk->rcvbuf = sysctl_rmem_default;
	sk->rcvtimeo = sk->sndtimeo = MAX_SCHEDULE_TIMEOUT;
	sk->rcvlowat = 1;
	sk->peek_off = -1;
	sk->linger = -1;
	sk->cookie = atomic64_inc_return(&next_cookie);
	sk->socket = sock;
	if (sock)
		sock->sk = sk;
}

void sock_put(struct sock *sk)
{
	if (refcount_dec_and_test(&sk->refcnt))
		sk->destruct(sk);
}

/* An accepted sock gets its file's half. */
void sock_graft(struct sock *sk, struct socket *parent)
{
	spin_lock(&sk->lock);
	parent->sk = sk;
	sk->socket = parent;
	spin_unlock(&sk->lock);
}

int sock_error(struct sock *sk)
{
	return READ_ONCE(sk->err) ? -xchg(&sk->err, 0) : 0;
}

bool sock_writeable(struct sock *sk)
{
	return (atomic_read(&sk->wmem_alloc) << 2) <= READ_ONCE(sk->sndbuf);
}

void sock_data_ready(struct sock *sk)
{
	if (wq_has_sleeper(&sk->wait))
		wake_up_interruptible_sync_poll(&sk->wait, EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
	kill_fasync(&sk->fasync_list, SIGIO, POLL_IN);
}

void sock_write_space(struct sock *sk)
{
	if (wq_has_sleeper(&sk->wait))
		wake_up_interruptible_sync_poll(&sk->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	kill_fasync(&sk->fasync_list, SIGIO, POLL_OUT);
}

void sock_state_change(struct sock *sk)
{
	if (wq_has_sleeper(&sk->wait))
		wake_up_interruptible_all(&sk->wait);
	if (READ_ONCE(sk->shutdown) & RCV_SHUTDOWN)
		kill_fasync(&sk->fasync_list, SIGIO, sk->shutdown == SHUTDOWN_MASK ? POLL_HUP : POLL_IN);
}

static bool has_send_room(struct sock *sk)
{
	return atomic_read(&sk->wmem_alloc) < READ_ONCE(sk->sndbuf);
}

/* Until there is room in the send buffer; the jiffies left, or -errno. */
static long wait_for_room(struct sock *sk, long timeo)
{
	long left = wait_event_interruptible_timeout(sk->wait, has_send_room(sk) || READ_ONCE(sk->err) ||
						     (READ_ONCE(sk->shutdown) & SEND_SHUTDOWN), timeo);

	if (left < 0)
		return sock_intr_errno(timeo);
	return left ? left : -EAGAIN;
}

struct sk_buff *sock_alloc_send_skb(struct sock *sk, size_t len, bool noblock)
{
	long timeo = sock_sndtimeo(sk, noblock);
	struct sk_buff *skb;

	for (;;) {
		int err = sock_error(sk);

		if (err)
			return ERR_PTR(err);
		if (READ_ONCE(sk->shutdown) & SEND_SHUTDOWN)
			return ERR_PTR(-EPIPE);
		if (has_send_room(sk))
			break;
		if (!timeo)
			return ERR_PTR(-EAGAIN);
		timeo = wait_for_room(sk, timeo);
		if (timeo < 0)
			return ERR_PTR(timeo);
	}
	skb = alloc_skb(len);
	if (!skb)
		return ERR_PTR(-ENOBUFS);
	skb_charge(skb, sk);
	return skb;
}

/* ---- options ---- */

static int get_int(char __user *optval, int optlen, int *val)
{
	if (optlen < (int)sizeof(int))
		return -EINVAL;
	return get_user(*val, (int __user *)optval) ? -EFAULT : 0;
}

/* The limit is doubled, as on every Linux: half is taken to be book-keeping. */
static int clamp_buffer(int val, int max, int min)
{
	return max_t(int, min(val < 0 ? 0 : val, max) * 2, min);
}

static size_t timeval_size(void)
{
	return in_compat_syscall() ? sizeof(struct old_timeval32) : sizeof(struct __kernel_old_timeval);
}

static int set_timeout(long *timeo, char __user *optval, int optlen)
{
	struct __kernel_old_timeval tv;

	if (optlen < (int)timeval_size())
		return -EINVAL;
	if (get_old_timeval(&tv, (struct __kernel_old_timeval __user *)optval))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= USEC_PER_SEC)
		return -EDOM;
	if (tv.tv_sec < 0)
		*timeo = 0;
	else if ((!tv.tv_sec && !tv.tv_usec) || tv.tv_sec >= MAX_SCHEDULE_TIMEOUT / HZ - 1)
		*timeo = MAX_SCHEDULE_TIMEOUT;
	else
		*timeo = tv.tv_sec * HZ + DIV_ROUND_UP((unsigned long)tv.tv_usec, USEC_PER_SEC / HZ);
	return 0;
}

/* Options that change nothing for a local socket but must be remembered. */
static bool only_remembered(int optname)
{
	return optname == SO_DEBUG || optname == SO_REUSEADDR || optname == SO_DONTROUTE || optname == SO_BROADCAST ||
	       optname == SO_KEEPALIVE || optname == SO_OOBINLINE || optname == SO_REUSEPORT || optname == SO_TIMESTAMP;
}

static int set_linger(struct sock *sk, char __user *optval, int optlen)
{
	struct linger l;

	if (optlen < (int)sizeof(l))
		return -EINVAL;
	if (copy_from_user(&l, optval, sizeof(l)))
		return -EFAULT;
	sk->linger = l.l_onoff ? l.l_linger : -1;
	return 0;
}

static int set_buffer(struct sock *sk, int optname, int val)
{
	int max;

	switch (optname) {
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		if (!capable(CAP_NET_ADMIN))
			return -EPERM;
		break;
	}
	if (optname == SO_SNDBUF || optname == SO_SNDBUFFORCE) {
		max = optname == SO_SNDBUF ? sysctl_wmem_max : INT_MAX / 2;
		WRITE_ONCE(sk->sndbuf, clamp_buffer(val, max, SOCK_MIN_SNDBUF));
		wake_up_interruptible_poll(&sk->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	} else {
		max = optname == SO_RCVBUF ? sysctl_rmem_max : INT_MAX / 2;
		WRITE_ONCE(sk->rcvbuf, clamp_buffer(val, max, SOCK_MIN_RCVBUF));
	}
	return 0;
}

int sock_setsockopt(struct socket *sock, int level, int optname, char __user *optval, int optlen)
{
	struct sock *sk = sock->sk;
	int val, err;

	if (level != SOL_SOCKET)
		return sk->family == AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
	if (optname == SO_RCVTIMEO || optname == SO_SNDTIMEO)
		return set_timeout(optname == SO_RCVTIMEO ? &sk->rcvtimeo : &sk->sndtimeo, optval, optlen);
	if (optname == SO_LINGER)
		return set_linger(sk, optval, optlen);
	err = get_int(optval, optlen, &val);
	if (err)
		return err;
	if (only_remembered(optname)) {
		sk->sockopt_flags = val ? sk->sockopt_flags | 1U << optname : sk->sockopt_flags & ~(1U << optname);
		return 0;
	}
	switch (optname) {
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		return set_buffer(sk, optname, val);
	case SO_PASSCRED:
		WRITE_ONCE(sk->passcred, val != 0);
		return 0;
	case SO_PRIORITY:
		return val >= 0 && val <= 6 ? 0 : -EPERM;
	case SO_RCVLOWAT:
		WRITE_ONCE(sk->rcvlowat, val < 0 ? INT_MAX : max(val, 1));
		return 0;
	case SO_PEEK_OFF:
		return sock->ops->set_peek_off ? sock->ops->set_peek_off(sk, val) : -EOPNOTSUPP;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR:
	default:
		return -ENOPROTOOPT;
	}
}

static int copy_out(char __user *optval, int __user *optlen, const void *val, int len, int room)
{
	len = min(len, room);
	if (copy_to_user(optval, val, len))
		return -EFAULT;
	return put_user(len, optlen);
}

static int get_peercred(struct sock *sk, char __user *optval, int __user *optlen, int room)
{
	struct ucred c = { .pid = 0, .uid = (u32)-1, .gid = (u32)-1 };

	spin_lock(&sk->peer_lock);
	c.pid = pid_vnr(sk->peer_pid);
	if (sk->peer_cred) {
		c.uid = from_kuid_munged(current_user_ns(), sk->peer_cred->euid);
		c.gid = from_kgid_munged(current_user_ns(), sk->peer_cred->egid);
	}
	spin_unlock(&sk->peer_lock);
	return copy_out(optval, optlen, &c, sizeof(c), room);
}

static int get_peergroups(struct sock *sk, char __user *optval, int __user *optlen, int room)
{
	const struct cred *cred;
	int n, err = 0;

	spin_lock(&sk->peer_lock);
	cred = get_cred(sk->peer_cred);
	spin_unlock(&sk->peer_lock);
	if (!cred)
		return -ENODATA;
	n = cred->group_info->ngroups * (int)sizeof(kgid_t);
	if (room < n)
		err = put_user(n, optlen) ? -EFAULT : -ERANGE;
	else
		err = copy_out(optval, optlen, cred->group_info->gid, n, room);
	put_cred(cred);
	return err;
}

static int get_timeout(long timeo, char __user *optval, int __user *optlen, int room)
{
	struct __kernel_old_timeval tv = { 0, 0 };
	struct old_timeval32 tv32;

	if (timeo != MAX_SCHEDULE_TIMEOUT) {
		tv.tv_sec = timeo / HZ;
		tv.tv_usec = (timeo % HZ) * (USEC_PER_SEC / HZ);
	}
	if (in_compat_syscall()) {
		tv32 = (struct old_timeval32){ (s32)tv.tv_sec, (s32)tv.tv_usec };
		return copy_out(optval, optlen, &tv32, sizeof(tv32), room);
	}
	return copy_out(optval, optlen, &tv, sizeof(tv), room);
}

static int get_peername(struct socket *sock, char __user *optval, int __user *optlen, int room)
{
	struct sockaddr_storage addr;
	int len = sock->ops->getname(sock, &addr, 1);

	if (len < 0)
		return -ENOTCONN;
	if (len > room)
		return -EINVAL;
	return copy_out(optval, optlen, &addr, room, room);
}

int sock_getsockopt(struct socket *sock, int level, int optname, char __user *optval, int __user *optlen)
{
	struct sock *sk = sock->sk;
	struct linger linger;
	int room, val;

	if (get_user(room, optlen))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (level != SOL_SOCKET)
		return sk->family == AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
	if (only_remembered(optname)) {
		val = sk->sockopt_flags >> optname & 1;
		return copy_out(optval, optlen, &val, sizeof(val), room);
	}
	switch (optname) {
	case SO_PEERCRED:	return get_peercred(sk, optval, optlen, room);
	case SO_PEERGROUPS:	return get_peergroups(sk, optval, optlen, room);
	case SO_PEERNAME:	return get_peername(sock, optval, optlen, room);
	case SO_RCVTIMEO:	return get_timeout(sk->rcvtimeo, optval, optlen, room);
	case SO_SNDTIMEO:	return get_timeout(sk->sndtimeo, optval, optlen, room);
	case SO_COOKIE:		return room < 8 ? -EINVAL : copy_out(optval, optlen, &sk->cookie, 8, room);
	case SO_LINGER:
		linger = (struct linger){ .l_onoff = sk->linger >= 0, .l_linger = max(sk->linger, 0) };
		return copy_out(optval, optlen, &linger, sizeof(linger), room);
	case SO_TYPE:		val = sk->type; break;
	case SO_DOMAIN:		val = sk->family; break;
	case SO_PROTOCOL:	val = 0; break;
	case SO_ERROR:		val = -sock_error(sk); break;
	case SO_SNDBUF:		val = sk->sndbuf; break;
	case SO_RCVBUF:		val = sk->rcvbuf; break;
	case SO_PASSCRED:	val = sk->passcred; break;
	case SO_PRIORITY:	val = 0; break;
	case SO_RCVLOWAT:	val = sk->rcvlowat; break;
	case SO_SNDLOWAT:	val = 1; break;
	case SO_ACCEPTCONN:	val = sk->state == SK_LISTEN; break;
	case SO_PEEK_OFF:	val = sk->peek_off; break;
	default:		return -ENOPROTOOPT;
	}
	return copy_out(optval, optlen, &val, sizeof(val), room);
}
