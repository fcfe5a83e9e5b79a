/*
 * socket_sys.c: the system calls of sockets.
 *
 * What:    each decodes its arguments (addresses, vectors, control data are copied in and checked here, once), calls the
 *          family's operation, and copies results out.
 * Idea:    a message is described by struct msghdr with kernel pointers only, but for the data and recvmsg's control
 *          buffer, which the iterator and put_cmsg() copy.
 * See:     socket(2), send(2), recv(2), recvmmsg(2); spec.md §10
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/signal.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include "internal.h"

#define MAX_ADDR	((int)sizeof(struct sockaddr_storage))

/* ---- helpers ---- */

/* The socket behind fd; fdput(*f) when done.  ERR_PTR(-EBADF, -ENOTSOCK). */
static struct socket *sockfd_lookup(int fd, struct fd *f)
{
	struct socket *sock;

	*f = fdget(fd);
	if (!f->file)
		return ERR_PTR(-EBADF);
	sock = sock_from_file(f->file);
	if (!sock) {
		fdput(*f);
		return ERR_PTR(-ENOTSOCK);
	}
	return sock;
}

int copy_addr_in(const void __user *uaddr, int len, struct sockaddr_storage *addr)
{
	if (len < 0 || len > MAX_ADDR)
		return -EINVAL;
	if (!len)
		return 0;
	return copy_from_user(addr, uaddr, len) ? -EFAULT : 0;
}

/* Cuts the address to the room the user has; tells its full length. */
static int copy_addr_out(const struct sockaddr_storage *addr, int len, void __user *uaddr, int __user *ulen)
{
	int room;

	if (get_user(room, ulen))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	room = min(room, len);
	if (room && copy_to_user(uaddr, addr, room))
		return -EFAULT;
	return put_user(len, ulen);
}

/* A descriptor for a new socket, which this takes over.  The number or -errno. */
static int sock_map_fd(struct socket *sock, int flags)
{
	int fd = get_unused_fd_flags(flags & O_CLOEXEC);
	struct file *file;

	if (fd < 0) {
		sock_release(sock);
		return fd;
	}
	file = sock_alloc_file(sock, flags);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/* ---- socket, socketpair ---- */

long sys_socket(int family, int type, int protocol)
{
	int flags = type & ~SOCK_TYPE_MASK, err;
	struct socket *sock;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	err = sock_create(family, type & SOCK_TYPE_MASK, protocol, &sock);
	return err ? err : sock_map_fd(sock, flags);
}

static int make_pair(int family, int type, int protocol, struct socket *sock[2])
{
	int err = sock_create(family, type, protocol, &sock[0]);

	if (err)
		return err;
	err = sock_create(family, type, protocol, &sock[1]);
	if (err)
		goto release_first;
	err = sock[0]->ops->socketpair ? sock[0]->ops->socketpair(sock[0], sock[1]) : -EOPNOTSUPP;
	if (!err)
		return 0;
	sock_release(sock[1]);
release_first:
	sock_release(sock[0]);
	return err;
}

long sys_socketpair(int family, int type, int protocol, int __user *usockvec)
{
	int flags = type & ~SOCK_TYPE_MASK, fd[2], err;
	struct socket *sock[2];
	struct file *file[2];

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	fd[0] = get_unused_fd_flags(flags & O_CLOEXEC);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = get_unused_fd_flags(flags & O_CLOEXEC);
	err = fd[1];
	if (err < 0)
		goto put_first;
	err = -EFAULT;
	if (put_user(fd[0], &usockvec[0]) || put_user(fd[1], &usockvec[1]))
		goto put_both;
	err = make_pair(family, type & SOCK_TYPE_MASK, protocol, sock);
	if (err)
		goto put_both;
	file[0] = sock_alloc_file(sock[0], flags);
	err = PTR_ERR(file[0]);
	if (IS_ERR(file[0])) {
		sock_release(sock[1]);
		goto put_both;
	}
	file[1] = sock_alloc_file(sock[1], flags);
	err = PTR_ERR(file[1]);
	if (IS_ERR(file[1])) {
		fput(file[0]);
		goto put_both;
	}
	fd_install(fd[0], file[0]);
	fd_install(fd[1], file[1]);
	return 0;

put_both:
	put_unused_fd(fd[1]);
put_first:
	put_unused_fd(fd[0]);
	return err;
}

/* ---- bind, listen, accept, connect, shutdown, names ---- */

long sys_bind(int fd, struct sockaddr __user *umyaddr, int addrlen)
{
	struct sockaddr_storage addr;
	struct socket *sock;
	struct fd f;
	int err;

	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	err = copy_addr_in(umyaddr, addrlen, &addr);
	if (!err)
		err = sock->ops->bind(sock, (struct sockaddr *)&addr, addrlen);
	fdput(f);
	return err;
}

long sys_listen(int fd, int backlog)
{
	struct fd f;
	struct socket *sock = sockfd_lookup(fd, &f);
	int err;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if ((unsigned int)backlog > SOMAXCONN)
		backlog = SOMAXCONN;
	err = sock->ops->listen(sock, backlog);
	fdput(f);
	return err;
}

/* A connection that waits at sock, as a new file not yet in the table.  ERR_PTR. */
struct file *sock_do_accept(struct socket *sock, int file_flags, int flags, struct sockaddr __user *uaddr, int __user *ulen)
{
	struct sockaddr_storage addr;
	struct socket *newsock = sock_alloc();
	struct file *file;
	int err;

	if (!newsock)
		return ERR_PTR(-ENFILE);
	newsock->type = sock->type;
	newsock->ops = sock->ops;
	file = sock_alloc_file(newsock, flags);
	if (IS_ERR(file))
		return file;
	err = sock->ops->accept(sock, newsock, file_flags);
	if (err)
		goto put;
	if (uaddr) {
		err = newsock->ops->getname(newsock, &addr, 2);
		if (err < 0)
			err = -ECONNABORTED;
		else
			err = copy_addr_out(&addr, err, uaddr, ulen);
		if (err)
			goto put;
	}
	return file;
put:
	fput(file);
	return ERR_PTR(err);
}

long sys_accept4(int fd, struct sockaddr __user *upeer_sockaddr, int __user *upeer_addrlen, int flags)
{
	struct socket *sock;
	struct file *file;
	struct fd f;
	int newfd;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	newfd = get_unused_fd_flags(flags & O_CLOEXEC);
	if (newfd < 0)
		goto out;
	file = sock_do_accept(sock, f.file->f_flags, flags, upeer_sockaddr, upeer_addrlen);
	if (IS_ERR(file)) {
		put_unused_fd(newfd);
		newfd = PTR_ERR(file);
	} else {
		fd_install(newfd, file);
	}
out:
	fdput(f);
	return newfd;
}

long sys_accept(int fd, struct sockaddr __user *upeer_sockaddr, int __user *upeer_addrlen)
{
	return sys_accept4(fd, upeer_sockaddr, upeer_addrlen, 0);
}

long sys_connect(int fd, struct sockaddr __user *uservaddr, int addrlen)
{
	struct sockaddr_storage addr;
	struct socket *sock;
	struct fd f;
	int err;

	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	err = copy_addr_in(uservaddr, addrlen, &addr);
	if (!err)
		err = sock->ops->connect(sock, (struct sockaddr *)&addr, addrlen, f.file->f_flags);
	fdput(f);
	return err;
}

static int get_name(int fd, struct sockaddr __user *uaddr, int __user *ulen, int peer)
{
	struct sockaddr_storage addr;
	struct fd f;
	struct socket *sock = sockfd_lookup(fd, &f);
	int len;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	len = sock->ops->getname(sock, &addr, peer);
	if (len >= 0)
		len = copy_addr_out(&addr, len, uaddr, ulen);
	fdput(f);
	return len;
}

long sys_getsockname(int fd, struct sockaddr __user *usockaddr, int __user *usockaddr_len)
{
	return get_name(fd, usockaddr, usockaddr_len, 0);
}

long sys_getpeername(int fd, struct sockaddr __user *usockaddr, int __user *usockaddr_len)
{
	return get_name(fd, usockaddr, usockaddr_len, 1);
}

long sys_shutdown(int fd, int how)
{
	struct fd f;
	struct socket *sock = sockfd_lookup(fd, &f);
	int err;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	err = sock->ops->shutdown(sock, how);
	fdput(f);
	return err;
}

long sys_setsockopt(int fd, int level, int optname, char __user *optval, int optlen)
{
	struct fd f;
	struct socket *sock;
	int err;

	if (optlen < 0)
		return -EINVAL;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	err = sock_setsockopt(sock, level, optname, optval, optlen);
	fdput(f);
	return err;
}

long sys_getsockopt(int fd, int level, int optname, char __user *optval, int __user *optlen)
{
	struct fd f;
	struct socket *sock = sockfd_lookup(fd, &f);
	int err;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	err = sock_getsockopt(sock, level, optname, optval, optlen);
	fdput(f);
	return err;
}

/* ---- one buffer: sendto, recvfrom ---- */

long sys_sendto(int fd, void __user *buff, size_t len, unsigned int flags, struct sockaddr __user *addr, int addr_len)
{
	struct sockaddr_storage address;
	struct msghdr msg = { 0 };
	struct socket *sock;
	struct fd f;
	long err = import_ubuf(ITER_SOURCE, buff, len, &msg.msg_iter);

	if (err)
		return err;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if (addr) {
		err = copy_addr_in(addr, addr_len, &address);
		if (err)
			goto out;
		msg.msg_name = &address;
		msg.msg_namelen = addr_len;
	}
	msg.msg_flags = flags & ~MSG_CMSG_COMPAT;
	if (f.file->f_flags & O_NONBLOCK)
		msg.msg_flags |= MSG_DONTWAIT;
	err = sock->ops->sendmsg(sock, &msg, iov_iter_count(&msg.msg_iter));
out:
	fdput(f);
	return err;
}

long sys_recvfrom(int fd, void __user *ubuf, size_t size, unsigned int flags, struct sockaddr __user *addr,
		  int __user *addr_len)
{
	struct sockaddr_storage address;
	struct msghdr msg = { .msg_name = addr ? &address : NULL };
	struct socket *sock;
	struct fd f;
	long n = import_ubuf(ITER_DEST, ubuf, size, &msg.msg_iter);
	int err;

	if (n)
		return n;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	if (f.file->f_flags & O_NONBLOCK)
		flags |= MSG_DONTWAIT;
	n = sock->ops->recvmsg(sock, &msg, iov_iter_count(&msg.msg_iter), flags);
	if (n >= 0 && addr) {
		err = copy_addr_out(&address, msg.msg_namelen, addr, addr_len);
		if (err)
			n = err;
	}
	fdput(f);
	return n;
}

/* ---- struct msghdr: sendmsg, recvmsg, and many at once ---- */

/* The address and the vector of a user's header.  kfree(*iov) afterwards, in any case. */
int copy_header(struct user_msghdr *uh, struct msghdr *msg, int direction, struct iovec **iov)
{
	ssize_t n;

	if (!uh->msg_name)
		uh->msg_namelen = 0;
	if (uh->msg_namelen < 0 || uh->msg_iovlen > UIO_MAXIOV) {
		*iov = NULL;
		return uh->msg_namelen < 0 ? -EINVAL : -EMSGSIZE;
	}
	n = import_iovec(direction, uh->msg_iov, uh->msg_iovlen, UIO_FASTIOV, iov, &msg->msg_iter);
	return min(n, (ssize_t)0);
}

static int copy_control(const struct user_msghdr *uh, struct msghdr *msg)
{
	void *buf;

	if (!uh->msg_control || !uh->msg_controllen)
		return 0;
	if (uh->msg_controllen > (size_t)sysctl_optmem_max)
		return -ENOBUFS;
	if (in_compat_syscall())
		return cmsg_from_compat(uh->msg_control, uh->msg_controllen, msg);
	buf = memdup_user(uh->msg_control, uh->msg_controllen);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	msg->msg_control_kern = buf;
	msg->msg_controllen = uh->msg_controllen;
	return 0;
}

int get_header(struct user_msghdr *uh, const struct user_msghdr __user *umsg)
{
	struct compat_msghdr c;

	if (!in_compat_syscall())
		return copy_from_user(uh, umsg, sizeof(*uh)) ? -EFAULT : 0;
	if (copy_from_user(&c, umsg, sizeof(c)))
		return -EFAULT;
	*uh = (struct user_msghdr){
		.msg_name = compat_ptr(c.msg_name), .msg_namelen = c.msg_namelen, .msg_iov = compat_ptr(c.msg_iov),
		.msg_iovlen = c.msg_iovlen, .msg_control = compat_ptr(c.msg_control), .msg_controllen = c.msg_controllen,
		.msg_flags = c.msg_flags,
	};
	return 0;
}

/* uh's vector is in msg->msg_iter already. */
long sock_send_header(struct socket *sock, struct user_msghdr *uh, struct msghdr *msg, unsigned int flags)
{
	struct sockaddr_storage addr;
	long ret;

	if (uh->msg_namelen) {
		msg->msg_namelen = min(uh->msg_namelen, MAX_ADDR);
		ret = copy_addr_in(uh->msg_name, msg->msg_namelen, &addr);
		if (ret)
			return ret;
		msg->msg_name = &addr;
	}
	ret = copy_control(uh, msg);
	if (ret)
		return ret;
	msg->msg_flags = flags;
	ret = sock->ops->sendmsg(sock, msg, iov_iter_count(&msg->msg_iter));
	kfree(msg->msg_control_kern);
	return ret;
}

static long do_sendmsg(struct socket *sock, struct file *file, struct user_msghdr __user *umsg, unsigned int flags)
{
	struct iovec fast[UIO_FASTIOV], *iov = fast;
	struct msghdr msg = { 0 };
	struct user_msghdr uh;
	long ret;

	if (get_header(&uh, umsg))
		return -EFAULT;
	if (file->f_flags & O_NONBLOCK)
		flags |= MSG_DONTWAIT;
	ret = copy_header(&uh, &msg, ITER_SOURCE, &iov);
	if (!ret)
		ret = sock_send_header(sock, &uh, &msg, flags);
	kfree(iov);
	return ret;
}

static int put_compat_header(const struct user_msghdr *uh, struct compat_msghdr __user *umsg, const struct msghdr *msg,
			     const struct sockaddr_storage *addr)
{
	int err = 0;

	if (uh->msg_name)
		err = copy_addr_out(addr, msg->msg_namelen, uh->msg_name, &umsg->msg_namelen);
	if (!err)
		err = put_user(msg->msg_flags & ~MSG_CMSG_COMPAT, &umsg->msg_flags);
	if (!err)
		err = put_user((u32)(uh->msg_controllen - msg->msg_controllen), &umsg->msg_controllen);
	return err;
}

/* What the user's header gets back. */
static int put_header(const struct user_msghdr *uh, struct user_msghdr __user *umsg, const struct msghdr *msg,
		      const struct sockaddr_storage *addr)
{
	int err = 0;

	if (in_compat_syscall())
		return put_compat_header(uh, (struct compat_msghdr __user *)umsg, msg, addr);
	if (uh->msg_name)
		err = copy_addr_out(addr, msg->msg_namelen, uh->msg_name, &umsg->msg_namelen);
	if (!err)
		err = put_user(msg->msg_flags & ~MSG_CMSG_COMPAT, &umsg->msg_flags);
	if (!err)
		err = put_user(uh->msg_controllen - msg->msg_controllen, &umsg->msg_controllen);
	return err;
}

/* uh's vector is in msg->msg_iter already; umsg gets what has changed. */
long sock_recv_header(struct socket *sock, struct user_msghdr *uh, struct user_msghdr __user *umsg, struct msghdr *msg,
		      unsigned int flags)
{
	struct sockaddr_storage addr;
	long ret;
	int err;

	msg->msg_name = uh->msg_name ? &addr : NULL;
	msg->msg_control = uh->msg_control;
	msg->msg_controllen = uh->msg_control ? uh->msg_controllen : 0;
	if (!uh->msg_control)
		uh->msg_controllen = 0;
	msg->msg_flags = flags & MSG_CMSG_CLOEXEC;
	ret = sock->ops->recvmsg(sock, msg, iov_iter_count(&msg->msg_iter), flags);
	if (ret >= 0) {
		err = put_header(uh, umsg, msg, &addr);
		if (err)
			ret = err;
	}
	return ret;
}

static long do_recvmsg(struct socket *sock, struct file *file, struct user_msghdr __user *umsg, unsigned int flags)
{
	struct iovec fast[UIO_FASTIOV], *iov = fast;
	struct msghdr msg = { 0 };
	struct user_msghdr uh;
	long ret;

	if (get_header(&uh, umsg))
		return -EFAULT;
	if (file->f_flags & O_NONBLOCK)
		flags |= MSG_DONTWAIT;
	ret = copy_header(&uh, &msg, ITER_DEST, &iov);
	if (!ret)
		ret = sock_recv_header(sock, &uh, umsg, &msg, flags);
	kfree(iov);
	return ret;
}

long sys_sendmsg(int fd, struct user_msghdr __user *msg, unsigned int flags)
{
	struct socket *sock;
	struct fd f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	ret = do_sendmsg(sock, f.file, msg, flags);
	fdput(f);
	return ret;
}

long sys_recvmsg(int fd, struct user_msghdr __user *msg, unsigned int flags)
{
	struct socket *sock;
	struct fd f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	ret = do_recvmsg(sock, f.file, msg, flags);
	fdput(f);
	return ret;
}

static struct user_msghdr __user *nth_header(struct mmsghdr __user *mmsg, unsigned int n)
{
	if (in_compat_syscall())
		return (struct user_msghdr __user *)&((struct compat_mmsghdr __user *)mmsg)[n].msg_hdr;
	return &mmsg[n].msg_hdr;
}

static int put_length(struct mmsghdr __user *mmsg, unsigned int n, long length)
{
	if (in_compat_syscall())
		return put_user((u32)length, &((struct compat_mmsghdr __user *)mmsg)[n].msg_len);
	return put_user((unsigned int)length, &mmsg[n].msg_len);
}

/* Both return how many messages went through; an error only when none did. */
long sys_sendmmsg(int fd, struct mmsghdr __user *mmsg, unsigned int vlen, unsigned int flags)
{
	unsigned int done = 0;
	struct socket *sock;
	struct fd f;
	long ret = 0;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	vlen = min_t(unsigned int, vlen, UIO_MAXIOV);
	while (done < vlen) {
		ret = do_sendmsg(sock, f.file, nth_header(mmsg, done), flags);
		if (ret < 0)
			break;
		ret = put_length(mmsg, done, ret);
		if (ret)
			break;
		done++;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	fdput(f);
	return done ? (long)done : ret;
}

static long recv_many(struct socket *sock, struct file *file, struct mmsghdr __user *mmsg, unsigned int vlen,
		      unsigned int flags, ktime_t end)
{
	unsigned int done = 0;
	long ret = 0;

	ret = sock_error(sock->sk);
	while (!ret && done < vlen) {
		ret = do_recvmsg(sock, file, nth_header(mmsg, done), flags & ~MSG_WAITFORONE);
		if (ret < 0)
			break;
		ret = put_length(mmsg, done, ret);
		if (ret)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (ktime_get() >= end)
			break;
		cond_resched();
	}
	if (!done)
		return ret;
	/* Messages came before the error: it is kept for the next call. */
	if (ret < 0 && ret != -EAGAIN && ret != -ERESTARTSYS)
		WRITE_ONCE(sock->sk->err, -ret);
	return done;
}

/* The timeout is looked at between messages only, as on Linux. */
long sys_recvmmsg(int fd, struct mmsghdr __user *mmsg, unsigned int vlen, unsigned int flags,
		  struct __kernel_timespec __user *timeout)
{
	ktime_t end = KTIME_MAX, now = ktime_get();
	struct timespec64 ts;
	struct socket *sock;
	struct fd f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (timeout) {
		if (get_timespec64(&ts, timeout))
			return -EFAULT;
		if (!timespec64_valid(&ts))
			return -EINVAL;
		end = ktime_add_safe(now, timespec64_to_ktime(ts));
	}
	sock = sockfd_lookup(fd, &f);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	ret = recv_many(sock, f.file, mmsg, min_t(unsigned int, vlen, UIO_MAXIOV), flags, end);
	fdput(f);
	if (ret > 0 && timeout) {
		ts = ns_to_timespec64(max_t(ktime_t, end - ktime_get(), 0));
		if (put_timespec64(&ts, timeout))
			return -EFAULT;
	}
	return ret;
}
