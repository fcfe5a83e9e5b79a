/*
 * syscalls.c: landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2).
 *
 * Idea:    a ruleset is an open file; rules are added to it, then the task puts it on itself, for good, and on all that it
 *          starts.  That takes no privilege but "no new privileges".
 * Locking: none of its own: the descriptor holds the ruleset, whose lock (ruleset.c) is over its rules; the new domain goes
 *          into fresh credentials, which nobody else sees before commit_creds().
 * See:     landlock(7); ruleset.c
 */
#include <weft/kernel.h>
#include <weft/anon_inodes.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/mount.h>
#include <weft/sched.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/page.h>
#include "ruleset.h"

#define FILE_ACCESS	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE)

static int ruleset_release(struct inode *inode, struct file *file)
{
	put_landlock(file->private_data);
	return 0;
}

static ssize_t ruleset_read(struct kiocb *iocb, struct iov_iter *to)
{
	return -EINVAL;
}

static ssize_t ruleset_write(struct kiocb *iocb, struct iov_iter *from)
{
	return -EINVAL;
}

/* Nothing is read or written, but FMODE_CAN_READ and _WRITE say who may use it for what. */
static const struct file_operations ruleset_fops = {
	.release	= ruleset_release,
	.read_iter	= ruleset_read,
	.write_iter	= ruleset_write,
	.llseek		= no_llseek,
};

long sys_landlock_create_ruleset(const struct landlock_ruleset_attr __user *uattr, size_t size, u32 flags)
{
	struct landlock_ruleset_attr attr;
	struct landlock_ruleset *set;
	int err, fd;

	if (flags)
		return flags == LANDLOCK_CREATE_RULESET_VERSION && !uattr && !size ? LANDLOCK_ABI : -EINVAL;
	if (!uattr)
		return -EFAULT;
	if (size < sizeof(attr))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&attr, sizeof(attr), uattr, size);
	if (err)
		return err;
	if (attr.handled_access_fs & ~(u64)LANDLOCK_ACCESS_FS_ALL)
		return -EINVAL;
	if (!attr.handled_access_fs)
		return -ENOMSG;
	set = landlock_new_ruleset((u16)attr.handled_access_fs);
	if (IS_ERR(set))
		return PTR_ERR(set);
	fd = anon_inode_getfd("[landlock-ruleset]", &ruleset_fops, set, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		put_landlock(set);
	return fd;
}

/* Of the descriptor, + reference; ERR_PTR. */
static struct landlock_ruleset *get_ruleset(int fd, fmode_t mode)
{
	struct fd f = fdget((unsigned int)fd);
	struct landlock_ruleset *set;

	if (!f.file)
		return ERR_PTR(-EBADF);
	if (f.file->f_op != &ruleset_fops) {
		set = ERR_PTR(-EBADFD);
	} else if (!(f.file->f_mode & mode)) {
		set = ERR_PTR(-EPERM);
	} else {
		set = f.file->private_data;
		get_landlock(set);
	}
	fdput(f);
	return set;
}

/* The place of a descriptor, O_PATH or not, with references.  -EBADFD: it is in no tree of names. */
static int get_place(int fd, struct path *path)
{
	struct fd f = fdget_raw((unsigned int)fd);
	int err = 0;

	if (!f.file)
		return -EBADF;
	*path = f.file->f_path;
	if (f.file->f_op == &ruleset_fops || path->mnt->mnt_flags & MNT_INTERNAL || path->dentry->d_sb->s_flags & SB_NOUSER ||
	    !d_inode(path->dentry) || IS_PRIVATE(d_inode(path->dentry)))
		err = -EBADFD;
	else
		path_get(path);
	fdput(f);
	return err;
}

static long add_path_rule(struct landlock_ruleset *set, const void __user *uattr)
{
	struct landlock_path_beneath_attr attr;
	struct path path;
	long err;

	if (copy_from_user(&attr, uattr, sizeof(attr)))
		return -EFAULT;
	if (!attr.allowed_access)
		return -ENOMSG;
	if (attr.allowed_access & ~(u64)set->handled[0])
		return -EINVAL;
	err = get_place(attr.parent_fd, &path);
	if (err)
		return err;
	if (!d_is_dir(path.dentry) && attr.allowed_access & ~(u64)FILE_ACCESS)
		err = -EINVAL;
	else
		err = landlock_insert_rule(set, d_inode(path.dentry), (u16)attr.allowed_access);
	path_put(&path);
	return err;
}

long sys_landlock_add_rule(int ruleset_fd, int rule_type, const void __user *rule_attr, u32 flags)
{
	struct landlock_ruleset *set;
	long err;

	if (flags)
		return -EINVAL;
	set = get_ruleset(ruleset_fd, FMODE_CAN_WRITE);
	if (IS_ERR(set))
		return PTR_ERR(set);
	err = rule_type == LANDLOCK_RULE_PATH_BENEATH ? add_path_rule(set, rule_attr) : -EINVAL;
	put_landlock(set);
	return err;
}

long sys_landlock_restrict_self(int ruleset_fd, u32 flags)
{
	struct landlock_ruleset *set, *domain;
	struct cred *new;

	if (!current->no_new_privs && !ns_capable_noaudit(current_user_ns(), CAP_SYS_ADMIN))
		return -EPERM;
	if (flags)
		return -EINVAL;
	set = get_ruleset(ruleset_fd, FMODE_CAN_READ);
	if (IS_ERR(set))
		return PTR_ERR(set);
	domain = landlock_merge(current_cred()->landlock, set);
	put_landlock(set);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	new = prepare_creds();
	if (!new) {
		put_landlock(domain);
		return -ENOMEM;
	}
	if (new->landlock)
		put_landlock(new->landlock);
	new->landlock = domain;
	return commit_creds(new);
}
