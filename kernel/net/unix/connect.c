/*
 * connect.c: connecting and accepting.
 *
 * Idea:    connect() makes the other end's socket itself, puts it into the listener's queue as an empty message, and is
 *          connected from then on; accept() only takes it out and gives it a file.
 * Locking: the listener's lock, then the connecting socket's (nested class): a listener is never connected, so no two tasks
 *          can take the two in opposite order: connecting a socket to itself is excluded by its state.
 * See:     af_unix.c; connect(2), accept(2)
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/mount.h>
#include <weft/fs.h>
#include "af_unix.h"

/* Is a name needed before credentials are passed?  Then the socket gets one. */
static int autobind_for_creds(struct sock *sk)
{
	return READ_ONCE(sk->passcred) && !smp_load_acquire(&unix_sk(sk)->addr) ? unix_autobind(sk) : 0;
}

/*
 * Finds the listener and waits until its queue has room.  Returns it locked, with a reference; ERR_PTR.
 */
static struct sock *lock_listener(struct sock *sk, struct sockaddr_un *sunaddr, int addr_len, long *timeo)
	__no_context_analysis	/* locks the socket that it returns */
{
	for (;;) {
		struct sock *other = unix_find_other(sk->net, sunaddr, addr_len, sk->type);
		long had = *timeo;

		if (IS_ERR(other))
			return other;
		spin_lock(&other->lock);
		if (other->dead) {		/* found, then closed: look again */
			spin_unlock(&other->lock);
			sock_put(other);
			continue;
		}
		if (other->state != SK_LISTEN || (other->shutdown & RCV_SHUTDOWN)) {
			spin_unlock(&other->lock);
			sock_put(other);
			return ERR_PTR(-ECONNREFUSED);
		}
		if (!unix_recvq_full(other))
			return other;
		if (!*timeo) {
			spin_unlock(&other->lock);
			sock_put(other);
			return ERR_PTR(-EAGAIN);
		}
		*timeo = unix_wait_for_peer(other, *timeo);	/* unlocks */
		sock_put(other);
		if (signal_pending(current))
			return ERR_PTR(sock_intr_errno(had));
	}
}

/*
 * Locks sk as well, or says what it has become meanwhile.  Its state is looked at before its lock is taken: the listener
 * may be sk itself, or another that connects to sk the other way round.
 *
 *      connect(A -> B), B locked                       connect(B -> A), A locked: A listens
 *      A listens: -EINVAL                              B listens: -EINVAL
 *      or A did not listen yet: locks A                before this one got here, B did: -EINVAL, A unlocked
 */
static int lock_unconnected(struct sock *sk, struct sock *listener) __cond_acquires(0, &sk->lock)
	__no_context_analysis	/* locks sk if it returns 0 */
{
	u8 state = READ_ONCE(sk->state);

	lockdep_assert_held(&listener->lock);
	if (state == SK_CLOSE) {
		spin_lock_nested(&sk->lock, 1);
		state = sk->state;	/* another thread may have been faster */
		if (state == SK_CLOSE)
			return 0;
		spin_unlock(&sk->lock);
	}
	return state == SK_ESTABLISHED ? -EISCONN : -EINVAL;
}

/* Connects sk and newsk, which will be the listener's side.  Both locked by the caller, as is the listener. */
static void make_connection(struct sock *sk, struct sock *newsk, struct sock *listener)
{
	struct unix_sock *u = unix_sk(newsk), *l = unix_sk(listener);

	u->peer = sk;
	sock_hold(sk);
	newsk->state = SK_ESTABLISHED;
	newsk->passcred = listener->passcred;
	unix_init_peercred(newsk);
	unix_copy_peercred(sk, listener);
	if (l->path.dentry) {
		path_get(&l->path);
		u->path = l->path;
	}
	refcount_inc(&l->addr->refcnt);
	smp_store_release(&u->addr, l->addr);

	unix_sk(sk)->peer = newsk;
	sock_hold(newsk);
	sk->state = SK_ESTABLISHED;
	sk->socket->state = SS_CONNECTED;
}

int unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags)
{
	struct sockaddr_un *sunaddr = (struct sockaddr_un *)uaddr;
	struct sock *sk = sock->sk, *newsk, *listener;
	long timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	struct sk_buff *skb;
	int err = unix_validate_addr(sunaddr, addr_len);

	if (!err)
		err = autobind_for_creds(sk);
	if (err)
		return err;
	newsk = unix_create1(NULL, sock->type);
	if (IS_ERR(newsk))
		return PTR_ERR(newsk);
	skb = alloc_skb(0);
	if (!skb) {
		err = -ENOMEM;
		goto release;
	}
	skb_charge(skb, newsk);
	/* A socket that is connected or listens already must not wait for a listener's queue. */
	if (READ_ONCE(sk->state) != SK_CLOSE) {
		err = sk->state == SK_ESTABLISHED ? -EISCONN : -EINVAL;
		goto free;
	}
	listener = lock_listener(sk, sunaddr, addr_len, &timeo);
	if (IS_ERR(listener)) {
		err = PTR_ERR(listener);
		goto free;
	}
	lockdep_assert_held(&listener->lock);
	err = lock_unconnected(sk, listener);
	if (err) {
		spin_unlock(&listener->lock);
		sock_put(listener);
		goto free;
	}
	make_connection(sk, newsk, listener);
	spin_unlock(&sk->lock);
	skb_queue_tail(&listener->receive_queue, skb);
	spin_unlock(&listener->lock);
	sock_data_ready(listener);
	sock_put(listener);
	return 0;

free:
	kfree_skb(skb);
release:
	unix_release_sock(newsk, false);
	return err;
}

int unix_accept(struct socket *sock, struct socket *newsock, int flags)
{
	struct sock *sk = sock->sk, *tsk;
	struct sk_buff *skb;

	if (sk->state != SK_LISTEN)
		return -EINVAL;
	skb = unix_recv_skb(sk, flags & O_NONBLOCK ? MSG_DONTWAIT : 0, NULL);
	if (IS_ERR(skb))
		return PTR_ERR(skb) == -EPIPE ? -EINVAL : PTR_ERR(skb);
	tsk = skb->sk;
	wake_up_interruptible(&unix_sk(sk)->peer_wait);
	sock_graft(tsk, newsock);	/* takes the reference that unix_create1() gave */
	newsock->state = SS_CONNECTED;
	kfree_skb(skb);
	return 0;
}

/* ---- datagrams: connecting is remembering where to send ---- */

/* The peer of that name, both locked; AF_UNSPEC: none, sk locked. */
static struct sock *find_and_lock(struct sock *sk, struct sockaddr_un *sunaddr, int addr_len)
{
	for (;;) {
		struct sock *other = unix_find_other(sk->net, sunaddr, addr_len, sk->type);

		if (IS_ERR(other))
			return other;
		unix_double_lock(sk, other);
		if (!other->dead)
			return other;
		unix_double_unlock(sk, other);
		sock_put(other);
	}
}

int unix_dgram_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags)
{
	struct sockaddr_un *sunaddr = (struct sockaddr_un *)uaddr;
	struct sock *sk = sock->sk, *other = NULL, *old;
	int err;

	if (addr_len < (int)sizeof(sa_family_t))
		return -EINVAL;
	if (sunaddr->sun_family == AF_UNSPEC) {
		unix_double_lock(sk, NULL);
	} else {
		err = unix_validate_addr(sunaddr, addr_len);
		if (!err)
			err = autobind_for_creds(sk);
		if (err)
			return err;
		other = find_and_lock(sk, sunaddr, addr_len);
		if (IS_ERR(other))
			return PTR_ERR(other);
		if (unix_sk(other)->peer && unix_sk(other)->peer != sk) {	/* it listens to one only, and not to us */
			unix_double_unlock(sk, other);
			sock_put(other);
			return -EPERM;
		}
	}
	old = unix_sk(sk)->peer;
	unix_sk(sk)->peer = other;	/* takes the reference of the look-up */
	sk->state = other ? SK_ESTABLISHED : SK_CLOSE;
	sock->state = other ? SS_CONNECTED : SS_UNCONNECTED;
	unix_double_unlock(sk, other);
	if (!old)
		return 0;
	unix_peer_wake_disconnect(sk, old);
	if (old != other) {
		wake_up_interruptible_poll(&sk->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
		unix_dgram_disconnected(sk, old);
	}
	sock_put(old);
	return 0;
}
