/*
 * mqueue_fs.c: POSIX message queues as files: the file system mqueue, mq_open and mq_unlink, what queues may cost.
 *
 * What:    one instance, mounted by the kernel and shown where user space mounts it (/dev/mqueue).  A queue is a file whose
 *          text says how it stands; it can be polled, and removed like any file.
 * Idea:    a name is its dentry, pinned by one more reference, as in tmpfs.
 * Locking: i_rwsem of the root directory for names; queues_lock for their number.  A queue is charged to the user who made
 *          it (RLIMIT_MSGQUEUE) with all that it may ever hold.
 * See:     mqueue.h; spec.md §8; man 7 mq_overview
 */
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs_struct.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/magic.h>
#include <weft/mm.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/pid.h>
#include <weft/proc_fs.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include "mqueue.h"
#include "util.h"

#define NAME_BYTES		20		/* what a name adds to the directory's st_size */
#define STATE_BYTES		80		/* st_size of a queue */
#define MESSAGE_OVERHEAD	48		/* what a message, and a priority in use, is reckoned at */
#define HARD_MSGMAX		65536
#define HARD_MSGSIZEMAX		(16 << 20)

static int queues_max = 256, msg_max = 10, msgsize_max = 8192, msg_default = 10, msgsize_default = 8192;
static int nr_queues;				/* [queues_lock] */
static DEFINE_SPINLOCK(queues_lock);
static struct kmem_cache *mqueue_cache;		/* [I] */

/* ---- what a queue costs ---- */

static int check_attr(const struct mq_attr *attr)
{
	bool privileged = capable(CAP_SYS_RESOURCE);
	long max = privileged ? HARD_MSGMAX : READ_ONCE(msg_max);
	long max_size = privileged ? HARD_MSGSIZEMAX : READ_ONCE(msgsize_max);

	if (attr->mq_maxmsg <= 0 || attr->mq_msgsize <= 0 || attr->mq_maxmsg > max || attr->mq_msgsize > max_size)
		return -EINVAL;
	return 0;
}

static long charge_of(const struct mq_attr *attr)
{
	return attr->mq_maxmsg * (attr->mq_msgsize + MESSAGE_OVERHEAD) +
	       min(attr->mq_maxmsg, (long)MQ_PRIO_MAX) * MESSAGE_OVERHEAD;
}

static int charge_user(struct user_struct *user, long bytes)
{
	if ((unsigned long)atomic_long_add_return(bytes, &user->mq_bytes) <= rlimit(RLIMIT_MSGQUEUE))
		return 0;
	atomic_long_sub(bytes, &user->mq_bytes);
	return -EMFILE;
}

static int reserve_queue(void)
{
	bool privileged = capable(CAP_SYS_RESOURCE);
	int err = 0;

	spin_lock(&queues_lock);
	if (nr_queues >= queues_max && !privileged)
		err = -ENOSPC;
	else
		nr_queues++;
	spin_unlock(&queues_lock);
	return err;
}

static void unreserve_queue(void)
{
	spin_lock(&queues_lock);
	nr_queues--;
	spin_unlock(&queues_lock);
}

/* ---- inodes ---- */

static struct inode *mqueue_alloc_inode(struct super_block *sb)
{
	struct mqueue *q = kmem_cache_alloc(mqueue_cache, GFP_KERNEL);

	return q ? &q->vfs_inode : NULL;
}

static void mqueue_free_inode(struct inode *inode)
{
	kmem_cache_free(mqueue_cache, MQUEUE_I(inode));
}

static void mqueue_init_once(void *p)
{
	inode_init_once(&((struct mqueue *)p)->vfs_inode);
}

static void mqueue_evict_inode(struct inode *inode)
{
	struct mqueue *q = MQUEUE_I(inode);
	struct mq_message *msg, *n;

	clear_inode(inode);
	if (!S_ISREG(inode->i_mode))
		return;
	rbtree_postorder_for_each_entry_safe(msg, n, &q->messages, node)
		kvfree(msg);
	put_pid(q->notify_pid);
	atomic_long_sub(q->charge, &q->user->mq_bytes);
	free_uid(q->user);
	unreserve_queue();
}

static struct inode *new_node(struct super_block *sb, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = mode;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	return inode;
}

static void init_queue(struct mqueue *q, const struct mq_attr *attr, long charge)
{
	spin_lock_init(&q->lock);
	q->messages = RB_ROOT;
	q->count = 0;
	q->bytes = 0;
	q->max_count = attr->mq_maxmsg;
	q->max_size = attr->mq_msgsize;
	INIT_LIST_HEAD(&q->receivers);
	INIT_LIST_HEAD(&q->senders);
	init_waitqueue_head(&q->poll);
	q->notify_pid = NULL;
	q->user = get_uid(current_user());
	q->charge = charge;
}

/* A queue with these limits, charged to the running task's user.  ERR_PTR(-EINVAL, -EMFILE, -ENOMEM, -ENOSPC). */
static struct inode *new_queue(struct super_block *sb, umode_t mode, const struct mq_attr *attr)
{
	long charge = charge_of(attr);
	struct inode *inode;
	int err = reserve_queue();

	if (err)
		return ERR_PTR(err);
	err = charge_user(current_user(), charge);
	if (err)
		goto unreserve;
	err = -ENOMEM;
	inode = new_node(sb, S_IFREG | (mode & S_IALLUGO));
	if (!inode)
		goto uncharge;
	init_queue(MQUEUE_I(inode), attr, charge);
	inode->i_size = STATE_BYTES;
	inode->i_fop = &mqueue_file_operations;
	return inode;
uncharge:
	atomic_long_sub(charge, &current_user()->mq_bytes);
unreserve:
	unreserve_queue();
	return ERR_PTR(err);
}

/* ---- names ---- */

/* dir's i_rwsem held for writing.  attr NULL: the default limits. */
static int create_queue(struct inode *dir, struct dentry *dentry, umode_t mode, const struct mq_attr *attr)
{
	struct mq_attr usual = {
		.mq_maxmsg = min(READ_ONCE(msg_max), READ_ONCE(msg_default)),
		.mq_msgsize = min(READ_ONCE(msgsize_max), READ_ONCE(msgsize_default)),
	};
	struct inode *inode = new_queue(dir->i_sb, mode, attr ? attr : &usual);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dir->i_size += NAME_BYTES;
	dir->i_ctime = dir->i_mtime = dir->i_atime = current_time(dir);
	d_instantiate(dentry, inode);
	dget(dentry);				/* the name */
	return 0;
}

static int mqueue_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool excl)
{
	return create_queue(dir, dentry, mode, NULL);
}

static int mqueue_unlink(struct inode *dir, struct dentry *dentry)
{
	dir->i_size -= NAME_BYTES;
	dir->i_ctime = dir->i_mtime = dir->i_atime = current_time(dir);
	drop_nlink(d_inode(dentry));
	dput(dentry);
	return 0;
}

static const struct inode_operations mqueue_dir_inode_operations = {
	.lookup = simple_lookup, .create = mqueue_create, .unlink = mqueue_unlink,
};

/* May the running task open the queue so?  Or makes it.  The root's i_rwsem is held. */
static int find_or_make(struct dentry *root, struct dentry *dentry, int oflag, umode_t mode, const struct mq_attr *attr)
{
	static const int access[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE };
	int err;

	if (d_really_is_negative(dentry)) {
		if (!(oflag & O_CREAT))
			return -ENOENT;
		err = inode_permission(d_inode(root), MAY_WRITE | MAY_EXEC);
		if (!err && attr)
			err = check_attr(attr);
		return err ? err : create_queue(d_inode(root), dentry, mode & ~current_umask(), attr);
	}
	if ((oflag & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((oflag & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return inode_permission(d_inode(dentry), access[oflag & O_ACCMODE]);
}

static struct file *open_queue(const char *name, int oflag, umode_t mode, const struct mq_attr *attr)
{
	struct vfsmount *mq_mnt = current->nsproxy->ipc->mq_mnt;
	struct dentry *root = mq_mnt->mnt_root, *dentry;
	struct file *file;
	int err;

	inode_lock(d_inode(root));
	dentry = lookup_one_len(name, root, strlen(name));
	if (IS_ERR(dentry)) {
		inode_unlock(d_inode(root));
		return ERR_CAST(dentry);
	}
	err = find_or_make(root, dentry, oflag, mode, attr);
	if (err)
		file = ERR_PTR(err);
	else
		file = dentry_open(&(struct path){ .mnt = mq_mnt, .dentry = dentry }, oflag & (O_ACCMODE | O_NONBLOCK),
				   current_cred());
	inode_unlock(d_inode(root));
	dput(dentry);
	return file;
}

long sys_mq_open(const char __user *u_name, int oflag, umode_t mode, struct mq_attr __user *u_attr)
{
	struct filename *name;
	struct mq_attr attr;
	struct file *file;
	int fd;

	if (u_attr && mq_attr_from_user(&attr, u_attr))
		return -EFAULT;
	name = getname(u_name);
	if (IS_ERR(name))
		return PTR_ERR(name);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto put_name;
	file = open_queue(name->name, oflag, mode, u_attr ? &attr : NULL);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
	} else {
		fd_install(fd, file);
	}
put_name:
	putname(name);
	return fd;
}

long sys_mq_unlink(const char __user *u_name)
{
	struct vfsmount *mq_mnt = current->nsproxy->ipc->mq_mnt;
	struct dentry *root = mq_mnt->mnt_root, *dentry;
	struct filename *name = getname(u_name);
	struct inode *inode = NULL;
	int err;

	if (IS_ERR(name))
		return PTR_ERR(name);
	inode_lock_nested(d_inode(root), I_MUTEX_PARENT);
	dentry = lookup_one_len(name->name, root, strlen(name->name));
	if (IS_ERR(dentry)) {
		err = PTR_ERR(dentry);
	} else {
		inode = d_inode(dentry);
		if (inode) {
			ihold(inode);		/* its end may sleep: not under the directory's lock */
			err = vfs_unlink(d_inode(root), dentry);
		} else {
			err = -ENOENT;
		}
		dput(dentry);
	}
	inode_unlock(d_inode(root));
	if (inode)
		iput(inode);
	putname(name);
	return err;
}

/* ---- the file system ---- */

static const struct super_operations mqueue_sops = {
	.alloc_inode = mqueue_alloc_inode, .free_inode = mqueue_free_inode, .evict_inode = mqueue_evict_inode,
	.statfs = simple_statfs, .drop_inode = generic_delete_inode,
};

static int mqueue_fill_super(struct super_block *sb, void *data, int silent)
{
	struct inode *inode;

	sb->s_iflags |= SB_I_NODEV | SB_I_NOEXEC;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = MQUEUE_MAGIC;
	sb->s_op = &mqueue_sops;
	sb->s_time_gran = 1;
	inode = new_node(sb, S_IFDIR | S_ISVTX | S_IRWXUGO);
	if (!inode)
		return -ENOMEM;
	inode->i_size = 2 * NAME_BYTES;
	inode->i_op = &mqueue_dir_inode_operations;
	inode->i_fop = &simple_dir_operations;
	set_nlink(inode, 2);
	sb->s_root = d_make_root(inode);
	return sb->s_root ? 0 : -ENOMEM;
}

static struct file_system_type mqueue_fs_type;

static struct dentry *mqueue_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	struct ipc_namespace *ns = current->nsproxy->ipc;

	/* A new namespace's is mounted by the kernel, which says which. */
	if (flags & SB_KERNMOUNT)
		ns = data;
	else if (!ns_capable(ns->user_ns, CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	return mount_ns(type, flags, NULL, ns, mqueue_fill_super);
}

int mq_init_ns(struct ipc_namespace *ns)
{
	ns->mq_mnt = vfs_kern_mount(&mqueue_fs_type, SB_KERNMOUNT, "mqueue", ns);
	if (IS_ERR(ns->mq_mnt))
		return PTR_ERR(ns->mq_mnt);
	kern_mount_adopt(ns->mq_mnt);
	return 0;
}

/* Who has mounted it keeps the queues; but it is no namespace's any more, so that nobody finds it by the old address. */
void mq_exit_ns(struct ipc_namespace *ns)
{
	WRITE_ONCE(ns->mq_mnt->mnt_sb->s_fs_info, NULL);
	kern_unmount(ns->mq_mnt);
}

static struct file_system_type mqueue_fs_type = {
	.name = "mqueue", .mount = mqueue_mount, .kill_sb = kill_litter_super, .fs_flags = FS_USERNS_MOUNT,
};

static const int one = 1, small = 128, hard_msgmax = HARD_MSGMAX, hard_size = HARD_MSGSIZEMAX;
static const struct ctl_table mq_table[] = {
	{ "queues_max", &queues_max, sizeof(int), 0644, proc_dointvec },
	{ "msg_max", &msg_max, sizeof(int), 0644, proc_dointvec_minmax, &one, &hard_msgmax },
	{ "msgsize_max", &msgsize_max, sizeof(int), 0644, proc_dointvec_minmax, &small, &hard_size },
	{ "msg_default", &msg_default, sizeof(int), 0644, proc_dointvec_minmax, &one, &hard_msgmax },
	{ "msgsize_default", &msgsize_default, sizeof(int), 0644, proc_dointvec_minmax, &small, &hard_size },
	{ }
};

static int __init mqueue_init(void)
{
	int err;

	mqueue_cache = kmem_cache_create("mqueue_inode_cache", sizeof(struct mqueue), 0, SLAB_PANIC, mqueue_init_once);
	err = register_filesystem(&mqueue_fs_type);
	if (err)
		return err;
	err = mq_init_ns(&init_ipc_ns);
	if (err)
		return err;
	return register_sysctl("fs/mqueue", mq_table);
}
fs_initcall(mqueue_init);
