/*
 * socket.c: sockets as files: sockfs, reading and writing, and the making of sockets.
 *
 * What:    struct socket lives inside an inode of sockfs, a file system that is mounted nowhere; its file's operations
 *          lead to the protocol family's.  AF_UNIX is the only family so far.
 * Counts:  the file holds the inode; the inode holds struct socket; struct socket holds its struct sock until release.
 * Locking: family_lock for the table of families, read without it after start-up.
 * See:     socket_sys.c: the system calls; spec.md §10
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/mount.h>
#include <weft/magic.h>
#include <weft/splice.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <uapi/ioctls.h>
#include "internal.h"

struct socket_alloc {
	struct socket	socket;
	struct inode	vfs_inode;
};

static const struct net_proto_family *families[AF_MAX];	/* [r:family_lock] entries are only added */
static DEFINE_SPINLOCK(family_lock);
static struct kmem_cache *sock_inode_cache;
static struct vfsmount *sock_mnt;

struct socket *SOCKET_I(struct inode *inode)
{
	return &container_of(inode, struct socket_alloc, vfs_inode)->socket;
}

struct inode *SOCK_INODE(struct socket *sock)
{
	return &container_of(sock, struct socket_alloc, socket)->vfs_inode;
}

/* ---- sockfs ---- */

static void init_once(void *p)
{
	inode_init_once(&((struct socket_alloc *)p)->vfs_inode);
}

static struct inode *sock_alloc_inode(struct super_block *sb)
{
	struct socket_alloc *ei = kmem_cache_alloc(sock_inode_cache, GFP_KERNEL);

	if (!ei)
		return NULL;
	ei->socket = (struct socket){ .state = SS_UNCONNECTED };
	return &ei->vfs_inode;
}

static void sock_free_inode(struct inode *inode)
{
	kmem_cache_free(sock_inode_cache, container_of(inode, struct socket_alloc, vfs_inode));
}

static const struct super_operations sockfs_ops = {
	.alloc_inode = sock_alloc_inode, .free_inode = sock_free_inode, .statfs = simple_statfs,
	.drop_inode = generic_delete_inode,
};

static char *sockfs_dname(struct dentry *dentry, char *buf, int buflen)
{
	return dynamic_dname(buf, buflen, "socket:[%lu]", d_inode(dentry)->i_ino);
}

static const struct dentry_operations sockfs_dentry_ops = { .d_dname = sockfs_dname };

static struct dentry *sockfs_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_pseudo(type, "socket:", &sockfs_ops, &sockfs_dentry_ops, SOCKFS_MAGIC);
}

static struct file_system_type sock_fs_type = { .name = "sockfs", .mount = sockfs_mount, .kill_sb = kill_anon_super };

/* ---- file operations ---- */

static bool must_not_wait(const struct kiocb *iocb)
{
	return iocb->ki_filp->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT;
}

static ssize_t sock_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct socket *sock = file->private_data;
	struct msghdr msg = { .msg_iter = *to };
	ssize_t n;

	if (iocb->ki_pos)
		return -ESPIPE;
	if (!iov_iter_count(to))
		return 0;
	n = sock->ops->recvmsg(sock, &msg, iov_iter_count(to), must_not_wait(iocb) ? MSG_DONTWAIT : 0);
	*to = msg.msg_iter;
	return n;
}

static ssize_t sock_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct socket *sock = file->private_data;
	struct msghdr msg = { .msg_iter = *from };
	ssize_t n;

	if (iocb->ki_pos)
		return -ESPIPE;
	if (must_not_wait(iocb))
		msg.msg_flags = MSG_DONTWAIT;
	if (sock->type == SOCK_SEQPACKET)
		msg.msg_flags |= MSG_EOR;
	n = sock->ops->sendmsg(sock, &msg, iov_iter_count(from));
	*from = msg.msg_iter;
	return n;
}

static __poll_t sock_poll(struct file *file, struct poll_table_struct *wait)
{
	struct socket *sock = file->private_data;

	return sock->ops->poll(file, sock, wait);
}

/* Who gets SIGURG and SIGIO: the same as fcntl's F_SETOWN. */
static long owner_ioctl(struct file *file, unsigned int cmd, int __user *p)
{
	int pid;

	if (cmd == FIOGETOWN || cmd == SIOCGPGRP)
		return put_user((int)f_getown(file), p);
	return get_user(pid, p) ? -EFAULT : f_setown(file, pid, 1);
}

static long sock_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct socket *sock = file->private_data;
	int ret;

	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
	case FIOGETOWN:
	case SIOCGPGRP:
		return owner_ioctl(file, cmd, (int __user *)arg);
	default:
		ret = sock->ops->ioctl ? sock->ops->ioctl(sock, cmd, arg) : -ENOIOCTLCMD;
		return ret == -ENOIOCTLCMD ? netdev_ioctl(sock->sk->net, cmd, (void __user *)arg) : ret;
	}
}

static int sock_close(struct inode *inode, struct file *file)
{
	sock_release(SOCKET_I(inode));
	return 0;
}

static int sock_fasync(int fd, struct file *file, int on)
{
	struct socket *sock = file->private_data;

	return fasync_helper(fd, file, on, &sock->sk->fasync_list);
}

static const struct file_operations socket_file_ops = {
	.fop_mode = FMODE_NOWAIT,
	.llseek = no_llseek, .read_iter = sock_read_iter, .write_iter = sock_write_iter, .poll = sock_poll,
	.unlocked_ioctl = sock_ioctl, .compat_ioctl = sock_ioctl, .release = sock_close,
	.splice_read = generic_file_splice_read, .splice_write = iter_file_splice_write, .fasync = sock_fasync,
};

struct socket *sock_from_file(struct file *file)
{
	return file->f_op == &socket_file_ops ? file->private_data : NULL;
}

/* ---- making and releasing ---- */

struct socket *sock_alloc(void)
{
	struct inode *inode = new_inode_pseudo(sock_mnt->mnt_sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFSOCK | 0777;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	return SOCKET_I(inode);
}

void sock_release(struct socket *sock)
{
	if (sock->ops) {
		sock->ops->release(sock);
		sock->ops = NULL;
	}
	if (!sock->file)
		iput(SOCK_INODE(sock));
	else
		sock->file = NULL;
}

/* The file takes the socket over, also when this fails: then it is released. */
struct file *sock_alloc_file(struct socket *sock, int flags)
{
	struct file *file = alloc_file_pseudo(SOCK_INODE(sock), sock_mnt, "", O_RDWR | (flags & O_NONBLOCK), &socket_file_ops);

	if (IS_ERR(file)) {
		sock_release(sock);
		return file;
	}
	sock->file = file;
	file->private_data = sock;
	stream_open(SOCK_INODE(sock), file);
	return file;
}

int sock_register(const struct net_proto_family *ops)
{
	int err = 0;

	spin_lock(&family_lock);
	if (families[ops->family])
		err = -EEXIST;
	else
		smp_store_release(&families[ops->family], ops);
	spin_unlock(&family_lock);
	return err;
}

int sock_create(int family, int type, int protocol, struct socket **res)
{
	const struct net_proto_family *pf;
	struct socket *sock;
	int err;

	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type > 10)
		return -EINVAL;
	pf = smp_load_acquire(&families[family]);
	if (!pf)
		return -EAFNOSUPPORT;
	sock = sock_alloc();
	if (!sock)
		return -ENFILE;
	sock->type = type;
	err = pf->create(sock, protocol);
	if (err) {
		sock->ops = NULL;
		sock_release(sock);
		return err;
	}
	*res = sock;
	return 0;
}

static int __init sock_init(void)
{
	int err;

	sock_inode_cache = kmem_cache_create("sock_inode_cache", sizeof(struct socket_alloc), 0,
					     SLAB_HWCACHE_ALIGN | SLAB_RECLAIM_ACCOUNT, init_once);
	if (!sock_inode_cache)
		return -ENOMEM;
	err = register_filesystem(&sock_fs_type);
	if (err)
		return err;
	sock_mnt = kern_mount(&sock_fs_type);
	return PTR_ERR_OR_ZERO(sock_mnt);
}
core_initcall(sock_init);
