/*
 * af_unix.h: local sockets: what their files share.
 *
 * Locking: u->bindlock (mutex): giving a name.  u->iolock (mutex): stream readers, one at a time.
 *          sk.lock ("state lock"): peer, shutdown, state, dead.  Two of them: lower address first (unix_double_lock), or a
 *          listener before who connects to it.
 *          Order: bindlock -> bucket lock -> sk.lock -> receive_queue.lock -> wait queues; unix_gc_lock -> receive_queue.lock.
 *          unix_gc_lock: inflight, gc_link, gc_flags of all sockets.
 * Counts:  a socket's peer pointer holds a reference, as does each found socket until sock_put().
 * See:     spec.md §10; unix(7)
 */
#ifndef AF_UNIX_H
#define AF_UNIX_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/mutex.h>
#include <weft/path.h>
#include <weft/un.h>
#include <weft/container_of.h>
#include "../internal.h"

#define UNIX_BUCKETS	256

struct unix_address {
	refcount_t		refcnt;
	int			len;		/* of name, with the family */
	u32			hash;		/* bucket */
	struct sockaddr_un	name;
	char			nul[2];		/* after a path that fills sun_path */
};

struct unix_sock {
	struct sock		sk;		/* first */
	struct unix_address	*addr;		/* [sk.lock, bindlock] set once; a reference */
	struct path		path;		/* [sk.lock] of a name in the file system; references */
	struct mutex		bindlock;	/* class: unix_bind */
	struct mutex		iolock;		/* class: unix_io */
	struct sock		*peer;		/* [sk.lock] a reference */
	unsigned int		bucket;		/* [bucket lock] where node is */
	struct hlist_node	node;		/* [bucket lock] */
	wait_queue_head_t	peer_wait;	/* who waits for room in this receive queue */
	wait_queue_entry_t	peer_wake;	/* [peer's peer_wait.lock] in the peer's peer_wait while poll() says "full" */

	unsigned long		inflight;	/* [unix_gc_lock] references on its file that are in messages */
	struct list_head	gc_link;	/* [unix_gc_lock] */
	bool			gc_candidate, gc_maybe_cycle;	/* [unix_gc_lock] */
};

static inline struct unix_sock *unix_sk(const struct sock *sk) { return container_of(sk, struct unix_sock, sk); }

struct unix_bucket {
	spinlock_t		lock;		/* class: unix_bucket */
	struct hlist_head	head;		/* [lock] struct unix_sock.node */
};
extern struct unix_bucket unix_table[UNIX_BUCKETS + 1];	/* the last: sockets without a name */
#define UNIX_UNBOUND	UNIX_BUCKETS

/* ---- af_unix.c ---- */
extern unsigned int sysctl_unix_max_dgram_qlen;
static inline bool unix_is_stream(const struct sock *sk) { return sk->type == SOCK_STREAM; }
static inline bool unix_is_connection(const struct sock *sk) { return sk->type != SOCK_DGRAM; }
struct sock *unix_peer_get(struct sock *sk);	/* with a reference, or NULL */
void unix_double_lock(struct sock *a, struct sock *b);
void unix_double_unlock(struct sock *a, struct sock *b);
bool unix_recvq_full(const struct sock *sk);
/* Waits for room in other's queue.  other->lock held, dropped.  Jiffies left. */
long unix_wait_for_peer(struct sock *other, long timeo) __releases(&other->lock);
void unix_init_peercred(struct sock *sk);
void unix_copy_peercred(struct sock *sk, struct sock *from);
bool unix_peer_wake_me(struct sock *sk, struct sock *other);
void unix_peer_wake_disconnect(struct sock *sk, struct sock *other);
void unix_dgram_disconnected(struct sock *sk, struct sock *other);
void unix_copy_name(struct msghdr *msg, struct sock *sk);	/* sk's name into msg_name */
__poll_t unix_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait);

/* ---- bind.c: names ---- */
int unix_validate_addr(const struct sockaddr_un *sunaddr, int addr_len);
int unix_autobind(struct sock *sk);
int unix_bind(struct socket *sock, struct sockaddr *uaddr, int addr_len);
/* The socket of that name and type, with a reference; ERR_PTR. */
struct sock *unix_find_other(const struct net *net, const struct sockaddr_un *sunaddr, int addr_len, int type);
void unix_release_addr(struct unix_address *addr);
void unix_insert_unbound(struct unix_sock *u);
void unix_remove_socket(struct unix_sock *u);

/* ---- connect.c ---- */
int unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags);
int unix_dgram_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags);
int unix_accept(struct socket *sock, struct socket *newsock, int flags);
struct sock *unix_create1(struct socket *sock, int type);	/* a new sock; ERR_PTR */
void unix_release_sock(struct sock *sk, bool embryo);

/* ---- message.c: files and credentials on messages ---- */
int unix_scm_to_skb(struct scm_cookie *scm, struct sk_buff *skb, bool send_fds);
void unix_add_creds(struct sk_buff *skb, struct sock *sk, struct sock *other);
void unix_detach_fds(struct scm_cookie *scm, struct sk_buff *skb);
void unix_peek_fds(struct scm_cookie *scm, struct sk_buff *skb);
void unix_skb_set_scm(struct scm_cookie *scm, struct sk_buff *skb);	/* credentials */

/* ---- stream.c, dgram.c ---- */
ssize_t unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
ssize_t unix_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags);
ssize_t unix_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
ssize_t unix_dgram_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags);
ssize_t unix_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
ssize_t unix_seqpacket_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags);
/* Waits for a message; ERR_PTR.  With MSG_PEEK it stays in the queue, with a reference. */
struct sk_buff *unix_recv_skb(struct sock *sk, int flags, int *offset);

/* ---- garbage.c ---- */
extern unsigned int unix_tot_inflight;
struct sock *unix_get_socket(struct file *file);	/* NULL: no local socket; no reference */
void unix_inflight(struct user_struct *user, struct file *file);
void unix_notinflight(struct user_struct *user, struct file *file);
void unix_gc_barrier(void);
void unix_schedule_gc(void);
void unix_wait_for_gc(void);

#endif
