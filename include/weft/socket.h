/*
 * socket.h: a message on its way through the socket layer, with all pointers checked and copied in.
 */
#ifndef WEFT_SOCKET_H
#define WEFT_SOCKET_H

#include <weft/types.h>
#include <weft/uio.h>
#include <uapi/socket.h>

struct kiocb;

struct msghdr {
	void		*msg_name;		/* kernel copy of the address (sockaddr_storage), or NULL */
	int		msg_namelen;		/* bytes of it; recvmsg sets it */
	struct iov_iter	msg_iter;		/* the data */
	void __user	*msg_control;		/* recvmsg: where control messages go */
	void		*msg_control_kern;	/* sendmsg: kernel copy of them */
	size_t		msg_controllen;		/* sendmsg: bytes of the copy; recvmsg: room left */
	unsigned int	msg_flags;		/* MSG_* */
};

#endif
