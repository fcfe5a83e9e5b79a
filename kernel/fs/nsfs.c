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
#include <weft/sched.h>
#include <weft/stat.h>
#include <weft/string.h>
#include <weft/uaccess.h>

#define NS_GET_USERNS		0xb701
#define NS_GET_PARENT		0xb702
#define NS_GET_NSTYPE		0xb703
#define NS_GET_OWNER_UID	0xb704

/* ---- kinds of which there is one namespace ---- */

static void put_only(struct ns_common *ns)
{
	refcount_dec(&ns->count);
}

/* Everybody is in it: there is nothing to exchange. */
static int install_only(struct nsproxy *new, struct ns_common *ns)
{
	/* Nobody enters the user namespace it is in: that would give back dropped capabilities. */
	if (ns->type->clone_flag == CLONE_NEWUSER)
		return -EINVAL;
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

#define ONLY(text, flag) { .name = text, .clone_flag = flag, .put = put_only, .install = install_only }
static const struct ns_type only_types[] = {
	ONLY("cgroup", CLONE_NEWCGROUP), ONLY("ipc", CLONE_NEWIPC), ONLY("net", CLONE_NEWNET),
	ONLY("pid", CLONE_NEWPID), ONLY("time", CLONE_NEWTIME), ONLY("user", CLONE_NEWUSER),
};

static struct ns_common only[ARRAY_SIZE(only_types)] = {
	{ REFCOUNT_INIT(1), 0xeffffffb, &only_types[0] },
	{ REFCOUNT_INIT(1), 0xefffffff, &only_types[1] },
	{ REFCOUNT_INIT(1), 0xf0000000, &only_types[2] },
	{ REFCOUNT_INIT(1), 0xeffffffc, &only_types[3] },
	{ REFCOUNT_INIT(1), 0xeffffffa, &only_types[4] },
	{ REFCOUNT_INIT(1), 0xeffffffd, &only_types[5] },
};
static const struct ns_type *const many_types[] = { &uts_ns_type, &mnt_ns_type };

/* ---- paths ---- */

static struct vfsmount *nsfs_mnt;	/* [I] */
static const struct file_operations ns_file_operations;
static const struct super_operations nsfs_ops;

/* "pid_for_children" means the kind "pid". */
static bool means(const char *name, const struct ns_type *type)
{
	size_t len = strlen(type->name);

	return !strncmp(name, type->name, len) && (!name[len] || !strcmp(name + len, "_for_children"));
}

/* The namespace of that kind that the task is in, with a reference.  ERR_PTR(-ENOENT): none, or the task has gone. */
static struct ns_common *ns_of_task(struct task_struct *task, const char *name)
{
	struct nsproxy *proxy = get_task_nsproxy(task);
	struct ns_common *ns = ERR_PTR(-ENOENT);

	if (!proxy)
		return ns;
	for (size_t i = 0; i < ARRAY_SIZE(only); i++)
		if (means(name, only[i].type))
			ns = ns_get(&only[i]);
	for (size_t i = 0; i < ARRAY_SIZE(many_types); i++)
		if (means(name, many_types[i]))
			ns = ns_get(many_types[i]->of(proxy));
	put_nsproxy(proxy);
	return ns;
}

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
	struct ns_common *ns = ns_of_task(task, name);

	return IS_ERR(ns) ? PTR_ERR(ns) : path_of_ns(ns, path);
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

/* A new descriptor for the user namespace. */
static long open_user_ns(void)
{
	struct file *file;
	struct path path;
	int fd, err;

	err = ns_get_path(current, "user", &path);
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

static long ns_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ns_common *ns = file_inode(file)->i_private;
	const int flag = ns->type->clone_flag;

	switch (cmd) {
	case NS_GET_NSTYPE:
		return flag;
	case NS_GET_USERNS:
		/* The first user namespace owns all others and has no owner that could be shown. */
		return flag == CLONE_NEWUSER ? -EPERM : open_user_ns();
	case NS_GET_PARENT:
		return flag == CLONE_NEWUSER || flag == CLONE_NEWPID ? -EPERM : -EINVAL;
	case NS_GET_OWNER_UID:
		return flag == CLONE_NEWUSER ? put_user((kuid_t)0, (kuid_t __user *)arg) : -EINVAL;
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
