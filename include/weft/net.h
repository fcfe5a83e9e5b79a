/*
 * net.h: a socket as the file layer sees it, and the operations that a protocol family gives.
 *
 * What:    struct socket is the half of a socket that belongs to its file; struct sock (kernel/net/internal.h) is the
 *          half that belongs to the protocol and may outlive the file while data or peers still point to it.
 * See:     kernel/net/socket.c
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <weft/types.h>
#include <weft/fs.h>
#include <weft/poll.h>
#include <weft/socket.h>

struct sock;
struct socket;
struct file;

typedef enum {
	SS_FREE = 0,
	SS_UNCONNECTED,
	SS_CONNECTING,
	SS_CONNECTED,
	SS_DISCONNECTING
} socket_state;

/* Addresses are kernel copies.  All return 0 (or bytes) or -errno and may sleep, unless said. */
struct proto_ops {
	int		family;
	int		(*release)(struct socket *sock);
	int		(*bind)(struct socket *sock, struct sockaddr *addr, int addr_len);
	int		(*connect)(struct socket *sock, struct sockaddr *addr, int addr_len, int flags);
	int		(*socketpair)(struct socket *sock1, struct socket *sock2);
	int		(*accept)(struct socket *sock, struct socket *newsock, int flags);
	int		(*getname)(struct socket *sock, struct sockaddr_storage *addr, int peer);	/* length */
	__poll_t	(*poll)(struct file *file, struct socket *sock, struct poll_table_struct *wait);
	int		(*ioctl)(struct socket *sock, unsigned int cmd, unsigned long arg);
	int		(*listen)(struct socket *sock, int backlog);
	int		(*shutdown)(struct socket *sock, int how);
	ssize_t		(*sendmsg)(struct socket *sock, struct msghdr *msg, size_t len);
	ssize_t		(*recvmsg)(struct socket *sock, struct msghdr *msg, size_t len, int flags);
	int		(*set_peek_off)(struct sock *sk, int val);
};

struct socket {
	socket_state		state;		/* [protocol's lock] */
	short			type;		/* [I] SOCK_* */
	struct file		*file;		/* [I] after sock_alloc_file(); no reference */
	struct sock		*sk;		/* [I] a reference, until release */
	const struct proto_ops	*ops;		/* [I] */
};

struct net_proto_family {
	int	family;
	int	(*create)(struct socket *sock, int protocol);	/* sets ops and sk; may sleep */
};

int sock_register(const struct net_proto_family *ops);		/* start-up; 0, -EEXIST */
int sock_create(int family, int type, int protocol, struct socket **res);
void sock_release(struct socket *sock);
struct socket *sock_from_file(struct file *file);		/* NULL when file is no socket */
struct socket *SOCKET_I(struct inode *inode);
struct inode *SOCK_INODE(struct socket *sock);

#endif
