/*
 * nsfs.c: what the links in /proc/PID/ns lead to: a file for each namespace.
 *
 * Idea:    two tasks share a namespace when the inodes are the same: that is what lsns, ps -o pidns and container tools
 *          look at.  The inode of a namespace is made when somebody looks, found again by the namespace's number, and holds
 *          a reference while it is in use: an open file keeps a namespace alive without a task in it.  Of some kinds
 *          there is only the first.
 * Locking: the inode cache's: one inode a number; a number is free again only after its inode has gone.
 * See:     namespaces(7), ioctl_ns(2); kernel/task/nsproxy.c, kernel/fs/proc/base.c
 */
#include <weft/time_namespace.h>
#include <weft/kernel.h>
#include <weft/dcache.h>
#include <weft/err.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/cred.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/magic.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/nsfs.h>
#include <weft/nsproxy.h>
#include <weft/pid_namespace.h>
#include <weft/user_namespace.h>
#include <weft/sched.h>
#include <weft/stat.h>
#include <weft/string.h>
#include <weft/uaccess.h>

#define NS_GET_USERNS		0xb701
#define NS_GET_PARENT		0xb702
#define NS_GET_NSTYPE		0xb703
#define NS_GET_OWNER_UID	0xb704

/* By the names in /proc/PID/ns. */
static const struct {
	const char		*link;
	const struct ns_type	*type;
} kinds[] = {
	{ "cgroup", &cgroup_ns_type }, { "ipc", &ipc_ns_type }, { "mnt", &mnt_ns_type }, { "net", &net_ns_type },
	{ "pid", &pidns_type }, { "pid_for_children", &pidns_for_children_type }, { "time", &time_ns_type },
	{ "time_for_children", &time_for_children_ns_type }, { "user", &userns_type }, { "uts", &uts_ns_type },
};

/* ---- paths ---- */

static struct vfsmount *nsfs_mnt;	/* [I] */
static const struct file_operations ns_file_operations;
static const struct super_operations nsfs_ops;

/* Consumes the reference to ns. */
static int path_of_ns(struct ns_common *ns, struct path *path)
{
	struct inode *inode = iget_locked(nsfs_mnt->mnt_sb, ns->inum);

	if (!inode) {
		ns_put(ns);
		return -ENOMEM;
	}
	if (inode->i_state & I_NEW) {
		inode->i_mode = S_IFREG | 0444;
		inode->i_fop = &ns_file_operations;
		inode->i_private = ns;		/* with the reference */
		unlock_new_inode(inode);
	} else {
		ns_put(ns);			/* the inode has one */
	}
	path->dentry = d_obtain_alias(inode);
	if (IS_ERR(path->dentry))
		return PTR_ERR(path->dentry);
	path->mnt = mntget(nsfs_mnt);
	return 0;
}

int ns_get_path(struct task_struct *task, const char *name, struct path *path)
{
	struct ns_common *ns = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(name, kinds[i].link))
			ns = ns_of_task(task, kinds[i].type);
	}
	return ns ? path_of_ns(ns, path) : -ENOENT;
}

struct ns_common *ns_of_file(struct file *file)
{
	return file->f_op == &ns_file_operations ? file_inode(file)->i_private : ERR_PTR(-EINVAL);
}

struct ns_common *ns_of_dentry(const struct dentry *dentry)
{
	return dentry->d_sb->s_op == &nsfs_ops ? d_inode(dentry)->i_private : NULL;
}

/* ---- the files ---- */

/* A new descriptor for a namespace, whose reference is consumed. */
static long open_ns(struct ns_common *ns)
{
	struct file *file;
	struct path path;
	int fd, err;

	err = path_of_ns(ns, &path);
	if (err)
		return err;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd >= 0) {
		file = dentry_open(&path, O_RDONLY, current_cred());
		if (IS_ERR(file)) {
			put_unused_fd(fd);
			fd = PTR_ERR(file);
		} else {
			fd_install(fd, file);
		}
	}
	path_put(&path);
	return fd;
}

/* NS_GET_USERNS: the owner, when it is the caller's own namespace or below. */
static long open_owner(struct ns_common *ns)
{
	struct user_namespace *owner = ns->type->owner(ns);

	if (!owner || !in_userns(current_user_ns(), owner))
		return -EPERM;
	return open_ns(&get_user_ns(owner)->ns);
}

static long open_parent(struct ns_common *ns)
{
	struct ns_common *parent;

	if (!ns->type->parent)
		return -EINVAL;
	parent = ns->type->parent(ns);
	return IS_ERR(parent) ? PTR_ERR(parent) : open_ns(parent);
}

static long ns_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ns_common *ns = file_inode(file)->i_private;
	uid_t uid;

	switch (cmd) {
	case NS_GET_NSTYPE:
		return ns->type->clone_flag;
	case NS_GET_USERNS:
		return open_owner(ns);
	case NS_GET_PARENT:
		return open_parent(ns);
	case NS_GET_OWNER_UID:
		if (ns->type != &userns_type)
			return -EINVAL;
		uid = from_kuid_munged(current_user_ns(), container_of(ns, struct user_namespace, ns)->owner);
		return put_user(uid, (uid_t __user *)arg);
	}
	return -ENOTTY;
}

static const struct file_operations ns_file_operations = { .unlocked_ioctl = ns_ioctl };

/* ---- the file system ---- */

static char *ns_dname(struct dentry *dentry, char *buffer, int buflen)
{
	const struct ns_common *ns = d_inode(dentry)->i_private;

	return dynamic_dname(buffer, buflen, "%s:[%u]", ns->type->name, ns->inum);
}

static const struct dentry_operations ns_dentry_operations = { .d_dname = ns_dname };

static void ns_evict_inode(struct inode *inode)
{
	struct ns_common *ns = inode->i_private;

	clear_inode(inode);
	if (ns)
		ns_put(ns);
}

static const struct super_operations nsfs_ops = {
	.statfs = simple_statfs, .evict_inode = ns_evict_inode, .drop_inode = generic_delete_inode,
};

static struct dentry *nsfs_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_pseudo(type, "nsfs:", &nsfs_ops, &ns_dentry_operations, NSFS_MAGIC);
}

static struct file_system_type nsfs_type = { .name = "nsfs", .mount = nsfs_mount, .kill_sb = kill_anon_super };

static int __init nsfs_init(void)
{
	nsfs_mnt = kern_mount(&nsfs_type);
	if (IS_ERR(nsfs_mnt))
		return PTR_ERR(nsfs_mnt);
	nsfs_mnt->mnt_sb->s_flags &= ~SB_NOUSER;	/* a namespace is kept by binding its file somewhere */
	return 0;
}
fs_initcall(nsfs_init);
