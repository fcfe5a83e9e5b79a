/*
 * nsfs.c: what the links in /proc/PID/ns lead to: a file for each namespace.
 *
 * Idea:    there is one namespace of each kind and every task is in it, so each kind has one inode, with the number that
 *          Linux gives to the first namespace of that kind.  Two tasks share a namespace when the inodes are the same:
 *          that is all that lsns, ps -o pidns and container tools look at.
 * Locking: none: the inodes are made by an initcall and stay.
 * See:     namespaces(7), ioctl_ns(2); kernel/fs/proc/base.c
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
#include <weft/stat.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <uapi/sched.h>

#define NS_GET_USERNS		0xb701
#define NS_GET_PARENT		0xb702
#define NS_GET_NSTYPE		0xb703
#define NS_GET_OWNER_UID	0xb704

static struct ns_kind {
	const char	*name;		/* what the text of the link begins with */
	int		clone_flag;
	unsigned int	ino;
	struct inode	*inode;
} kinds[] = {
	{ "cgroup",	CLONE_NEWCGROUP,	0xeffffffb },
	{ "ipc",	CLONE_NEWIPC,		0xefffffff },
	{ "mnt",	CLONE_NEWNS,		0xf0000001 },
	{ "net",	CLONE_NEWNET,		0xf0000000 },
	{ "pid",	CLONE_NEWPID,		0xeffffffc },
	{ "time",	CLONE_NEWTIME,		0xeffffffa },
	{ "user",	CLONE_NEWUSER,		0xeffffffd },
	{ "uts",	CLONE_NEWUTS,		0xeffffffe },
};

static struct vfsmount *nsfs_mnt;	/* [I] */

static char *ns_dname(struct dentry *dentry, char *buffer, int buflen)
{
	const struct ns_kind *kind = d_inode(dentry)->i_private;

	return dynamic_dname(buffer, buflen, "%s:[%u]", kind->name, kind->ino);
}

static const struct dentry_operations ns_dentry_operations = { .d_dname = ns_dname };

int ns_get_path(const char *name, struct path *path)
{
	static const char suffix[] = "_for_children";
	size_t len = strlen(name);

	if (len > sizeof(suffix) && !strcmp(name + len - sizeof(suffix) + 1, suffix))
		len -= sizeof(suffix) - 1;
	for (struct ns_kind *kind = kinds; kind < kinds + ARRAY_SIZE(kinds); kind++) {
		if (strlen(kind->name) != len || memcmp(kind->name, name, len))
			continue;
		path->dentry = d_obtain_alias(igrab(kind->inode));
		if (IS_ERR(path->dentry))
			return PTR_ERR(path->dentry);
		path->mnt = mntget(nsfs_mnt);
		return 0;
	}
	return -ENOENT;
}

/* A new descriptor for the namespace of that kind. */
static long open_ns(const char *name)
{
	struct file *file;
	struct path path;
	int fd, err;

	err = ns_get_path(name, &path);
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
	const struct ns_kind *kind = file_inode(file)->i_private;

	switch (cmd) {
	case NS_GET_NSTYPE:
		return kind->clone_flag;
	case NS_GET_USERNS:
		/* The first user namespace owns all others and has no owner that could be shown. */
		return kind->clone_flag == CLONE_NEWUSER ? -EPERM : open_ns("user");
	case NS_GET_PARENT:
		return kind->clone_flag == CLONE_NEWUSER || kind->clone_flag == CLONE_NEWPID ? -EPERM : -EINVAL;
	case NS_GET_OWNER_UID:
		return kind->clone_flag == CLONE_NEWUSER ? put_user((kuid_t)0, (kuid_t __user *)arg) : -EINVAL;
	}
	return -ENOTTY;
}

static const struct file_operations ns_file_operations = { .unlocked_ioctl = ns_ioctl };

static struct dentry *nsfs_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_pseudo(type, "nsfs:", NULL, &ns_dentry_operations, NSFS_MAGIC);
}

static struct file_system_type nsfs_type = { .name = "nsfs", .mount = nsfs_mount, .kill_sb = kill_anon_super };

static int __init nsfs_init(void)
{
	nsfs_mnt = kern_mount(&nsfs_type);
	if (IS_ERR(nsfs_mnt))
		return PTR_ERR(nsfs_mnt);
	for (struct ns_kind *kind = kinds; kind < kinds + ARRAY_SIZE(kinds); kind++) {
		struct inode *inode = alloc_anon_inode(nsfs_mnt->mnt_sb);

		if (IS_ERR(inode))
			return PTR_ERR(inode);
		inode->i_ino = kind->ino;
		inode->i_mode = S_IFREG | 0444;
		inode->i_fop = &ns_file_operations;
		inode->i_private = kind;
		kind->inode = inode;
	}
	return 0;
}
fs_initcall(nsfs_init);
