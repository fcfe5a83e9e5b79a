/*
 * fsopen.c: a file system that is mounted step by step: fsopen(2), fsconfig(2), fsmount(2), and fspick(2).
 *
 * Idea:    what mount(2) says in one call, a context collects: an open file to which options are given one by one, until
 *          the command "create" makes the file system of them and fsmount() makes a mount of that, which is not in any tree
 *          yet.  Our file systems read their options from one string, so the context only joins what it is given; what a
 *          file system does not know is therefore refused by the command, not by the option.  fspick() makes a context for
 *          what is mounted already: the command "reconfigure" hands it its new options.
 *          Reading from the context gives the complaints, one by one.
 * States:  COLLECT --create--> CREATED --fsmount--> MOUNTED --an option--> RECOLLECT --reconfigure--> MOUNTED;
 *          fspick() begins at RECOLLECT; a command that fails ends in FAILED, where all is refused with EBUSY.
 * Locking: fs_context.lock over all of it; s_umount inside it.
 * See:     fsopen(2) of Linux's manual project; open_tree.c (where the new mount goes); super.c
 */
#include <weft/kernel.h>
#include <weft/anon_inodes.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <uapi/mount.h>
#include <asm/page.h>
#include "internal.h"

enum fs_phase { COLLECT, CREATED, MOUNTED, RECOLLECT, FAILED };

#define KEY_MAX		256
#define LOG_SIZE	8

struct fs_context {
	struct mutex		lock;			/* guards the rest */
	struct file_system_type	*type;			/* [I] */
	enum fs_phase		phase;
	unsigned int		sb_flags, sb_mask;	/* SB_*: what was said, and about which */
	char			*source;
	char			*options;		/* a page, once there is one: "key=value,flag" */
	size_t			length;			/* of them */
	struct vfsmount		*mnt;			/* CREATED: what fsmount() will give away */
	struct super_block	*sb;			/* from CREATED on: + active reference */
	const char		*log[LOG_SIZE];		/* complaints not yet read, constant strings */
	unsigned int		head, tail;
};

static const struct file_operations fscontext_fops;

/* -EINVAL, and what for is kept to be read; the oldest complaint makes room. */
static int refuse(struct fs_context *fc, const char *why)
{
	if (fc->head - fc->tail == LOG_SIZE)
		fc->tail++;
	fc->log[fc->head++ % LOG_SIZE] = why;
	return -EINVAL;
}

/* ---- options ---- */

static const struct {
	const char	*name;
	unsigned int	flag;
	bool		set;
} common_options[] = {
	{ "dirsync",	SB_DIRSYNC,	true },
	{ "lazytime",	SB_LAZYTIME,	true },
	{ "mand",	MS_MANDLOCK,	true },
	{ "ro",		SB_RDONLY,	true },
	{ "sync",	SB_SYNCHRONOUS,	true },
	{ "async",	SB_SYNCHRONOUS,	false },
	{ "nolazytime",	SB_LAZYTIME,	false },
	{ "nomand",	MS_MANDLOCK,	false },
	{ "rw",		SB_RDONLY,	false },
};

/* Is it one that every file system has? */
static bool set_common_option(struct fs_context *fc, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(common_options); i++) {
		if (strcmp(key, common_options[i].name))
			continue;
		fc->sb_mask |= common_options[i].flag;
		fc->sb_flags &= ~common_options[i].flag;
		fc->sb_flags |= common_options[i].set ? common_options[i].flag : 0;
		return true;
	}
	return false;
}

static int set_source(struct fs_context *fc, char **value)
{
	if (!*value)
		return refuse(fc, "e source: a string is wanted");
	if (fc->source)
		return refuse(fc, "e source: given already");
	fc->source = *value;
	*value = NULL;
	return 0;
}

static int append_option(struct fs_context *fc, const char *key, const char *value)
{
	size_t need = strlen(key) + (value ? strlen(value) + 1 : 0) + 2;	/* comma and end */

	if (strchr(key, ',') || (value && strchr(value, ',')))
		return refuse(fc, "e an option with a comma in it");
	if (fc->length + need > PAGE_SIZE)
		return refuse(fc, "e too many options");
	if (!fc->options)
		fc->options = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!fc->options)
		return -ENOMEM;
	fc->length += (size_t)scnprintf(fc->options + fc->length, PAGE_SIZE - fc->length, "%s%s%s%s", fc->length ? "," : "",
					key, value ? "=" : "", value ? value : "");
	return 0;
}

static void forget_options(struct fs_context *fc)
{
	kfree(fc->options);
	fc->options = NULL;
	fc->length = 0;
	fc->sb_flags = fc->sb_mask = 0;
}

/* value NULL: a flag.  What is kept of it is set to NULL. */
static int set_option(struct fs_context *fc, const char *key, char **value)
{
	if (fc->phase == MOUNTED)
		fc->phase = RECOLLECT;
	if (fc->phase != COLLECT && fc->phase != RECOLLECT)
		return -EBUSY;
	if (!*key)
		return refuse(fc, "e an option without a name");
	if (set_common_option(fc, key))
		return 0;
	if (!strcmp(key, "source"))
		return set_source(fc, value);
	return append_option(fc, key, *value);
}

/* ---- commands ---- */

static int create(struct fs_context *fc)
{
	struct vfsmount *mnt;

	if (fc->phase != COLLECT)
		return -EBUSY;
	if (!may_mount_type(fc->type))
		return -EPERM;
	fc->phase = FAILED;
	if (fc->type->fs_flags & FS_REQUIRES_DEV && !fc->source)
		return refuse(fc, "e no source given");
	mnt = vfs_kern_mount(fc->type, (int)fc->sb_flags, fc->source, fc->options);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	fc->mnt = mnt;
	fc->sb = mnt->mnt_sb;
	atomic_inc(&fc->sb->s_active);
	forget_options(fc);
	fc->phase = CREATED;
	return 0;
}

static int reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->sb;
	unsigned int flags;
	int err;

	if (fc->phase == MOUNTED)
		fc->phase = RECOLLECT;
	if (fc->phase != RECOLLECT)
		return -EBUSY;
	fc->phase = FAILED;
	if (landlock_mount() || !ns_capable(sb->s_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	down_write(&sb->s_umount);
	flags = ((unsigned int)sb->s_flags & ~fc->sb_mask) | fc->sb_flags;
	err = reconfigure_super(sb, (int)flags, fc->options, false);
	up_write(&sb->s_umount);
	if (!err) {
		forget_options(fc);
		fc->phase = MOUNTED;
	}
	return err;
}

/* ---- the context's file ---- */

static struct fs_context *alloc_context(struct file_system_type *type, enum fs_phase phase)
{
	struct fs_context *fc = kzalloc(sizeof(*fc), GFP_KERNEL);

	if (!fc)
		return NULL;
	mutex_init(&fc->lock);
	fc->type = type;
	fc->phase = phase;
	return fc;
}

static void free_context(struct fs_context *fc)
{
	mntput(fc->mnt);
	if (fc->sb)
		deactivate_super(fc->sb);
	forget_options(fc);
	kfree(fc->source);
	kfree(fc);
}

static int fscontext_release(struct inode *inode, struct file *file)
{
	free_context(file->private_data);
	return 0;
}

/* One complaint; -ENODATA without one, -EMSGSIZE (and it is lost) when it is too long for the buffer. */
static ssize_t fscontext_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct fs_context *fc = iocb->ki_filp->private_data;
	const char *text = NULL;
	size_t len;

	if (mutex_lock_interruptible(&fc->lock))
		return -ERESTARTSYS;
	if (fc->head != fc->tail)
		text = fc->log[fc->tail++ % LOG_SIZE];
	mutex_unlock(&fc->lock);
	if (!text)
		return -ENODATA;
	len = strlen(text);
	if (len > iov_iter_count(to))
		return -EMSGSIZE;
	return copy_to_iter(text, len, to) == len ? (ssize_t)len : -EFAULT;
}

static const struct file_operations fscontext_fops = {
	.read_iter	= fscontext_read,
	.release	= fscontext_release,
	.llseek		= no_llseek,
};

/* A descriptor for the context, which is gone when this fails. */
static int context_fd(struct fs_context *fc, bool cloexec)
{
	int fd = anon_inode_getfd("[fscontext]", &fscontext_fops, fc, O_RDWR | (cloexec ? O_CLOEXEC : 0));

	if (fd < 0)
		free_context(fc);
	return fd;
}

static struct fs_context *context_of(const struct fd *f)
{
	return f->file->f_op == &fscontext_fops ? f->file->private_data : NULL;
}

long sys_fsopen(const char __user *fs_name, unsigned int flags)
{
	struct file_system_type *type;
	struct fs_context *fc;
	char *name;

	if (!may_mount())
		return -EPERM;
	if (flags & ~FSOPEN_CLOEXEC)
		return -EINVAL;
	name = strndup_user(fs_name, PAGE_SIZE);
	if (IS_ERR(name))
		return PTR_ERR(name);
	type = get_fs_type(name);
	kfree(name);
	if (!type)
		return -ENODEV;
	fc = alloc_context(type, COLLECT);
	return fc ? context_fd(fc, flags & FSOPEN_CLOEXEC) : -ENOMEM;
}

long sys_fspick(int dfd, const char __user *path, unsigned int flags)
{
	unsigned int lookup = LOOKUP_FOLLOW | LOOKUP_AUTOMOUNT;
	struct fs_context *fc;
	struct path target;
	int err;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
		return -EINVAL;
	lookup &= flags & FSPICK_SYMLINK_NOFOLLOW ? ~LOOKUP_FOLLOW : ~0U;
	lookup &= flags & FSPICK_NO_AUTOMOUNT ? ~LOOKUP_AUTOMOUNT : ~0U;
	lookup |= flags & FSPICK_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	err = user_path_at(dfd, path, lookup, &target);
	if (err)
		return err;
	err = -EINVAL;
	if (target.mnt->mnt_root != target.dentry)
		goto put_target;
	err = -ENOMEM;
	fc = alloc_context(target.mnt->mnt_sb->s_type, RECOLLECT);
	if (!fc)
		goto put_target;
	fc->sb = target.mnt->mnt_sb;
	atomic_inc(&fc->sb->s_active);
	err = context_fd(fc, flags & FSPICK_CLOEXEC);
put_target:
	path_put(&target);
	return err;
}

/* ---- fsconfig(2) ---- */

/* Do the arguments fit the command?  0, -EINVAL or -EOPNOTSUPP. */
static int check_arguments(unsigned int cmd, bool key, bool value, int aux)
{
	bool ok;

	switch (cmd) {
	case FSCONFIG_SET_FLAG:
		ok = key && !value && !aux;
		break;
	case FSCONFIG_SET_STRING:
		ok = key && value && !aux;
		break;
	case FSCONFIG_SET_BINARY:
		ok = key && value && aux > 0 && aux <= 1024 * 1024;
		break;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		ok = key && value && (aux == AT_FDCWD || aux >= 0);
		break;
	case FSCONFIG_SET_FD:
		ok = key && !value && aux >= 0;
		break;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		ok = !key && !value && !aux;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return ok ? 0 : -EINVAL;
}

static int run_command(struct fs_context *fc, unsigned int cmd, const char *key, char **value)
{
	int err = -ERESTARTSYS;

	if (mutex_lock_interruptible(&fc->lock))
		return err;
	if (cmd == FSCONFIG_CMD_CREATE)
		err = create(fc);
	else if (cmd == FSCONFIG_CMD_RECONFIGURE)
		err = reconfigure(fc);
	else
		err = set_option(fc, key, value);
	mutex_unlock(&fc->lock);
	return err;
}

long sys_fsconfig(int fs_fd, unsigned int cmd, const char __user *ukey, const void __user *uvalue, int aux)
{
	char *key = NULL, *value = NULL;
	struct fs_context *fc;
	struct fd f;
	long err;

	if (fs_fd < 0)
		return -EINVAL;
	err = check_arguments(cmd, ukey, uvalue, aux);
	if (err)
		return err;
	f = fdget((unsigned int)fs_fd);
	if (!f.file)
		return -EBADF;
	err = -EINVAL;
	fc = context_of(&f);
	if (!fc)
		goto put;
	err = -EOPNOTSUPP;	/* none of our file systems takes a blob, a path or a descriptor */
	if (cmd >= FSCONFIG_SET_BINARY && cmd <= FSCONFIG_SET_FD)
		goto put;
	key = ukey ? strndup_user(ukey, KEY_MAX) : NULL;
	err = PTR_ERR(key);
	if (IS_ERR(key))
		goto put;
	value = uvalue ? strndup_user(uvalue, KEY_MAX) : NULL;
	err = PTR_ERR(value);
	if (!IS_ERR(value)) {
		err = run_command(fc, cmd, key, &value);
		kfree(value);
	}
	kfree(key);
put:
	fdput(f);
	return err;
}

/* ---- fsmount(2) ---- */

/* [fc->lock] The context's mount, with those flags, as a tree of its own: an O_PATH file, or ERR_PTR. */
static struct file *mount_context(struct fs_context *fc, int mnt_flags)
{
	struct vfsmount *mnt = fc->mnt;
	struct file *file;
	bool revealing;

	if (!fc->sb)
		return ERR_PTR(-EINVAL);
	down_read(&namespace_sem);
	revealing = mount_too_revealing(fc->sb, &mnt_flags);
	up_read(&namespace_sem);
	if (revealing)
		return ERR_PTR(-EPERM);
	if (fc->phase != CREATED)
		return ERR_PTR(-EBUSY);
	mnt->mnt_flags = mnt_flags;
	file = detached_file(real_mount(mntget(mnt)));
	if (IS_ERR(file))
		return file;
	mntput(mnt);
	fc->mnt = NULL;
	fc->phase = MOUNTED;
	return file;
}

long sys_fsmount(int fs_fd, unsigned int flags, unsigned int attrs)
{
	struct fs_context *fc;
	int mnt_flags, fd;
	struct fd f;

	if (!may_mount())
		return -EPERM;
	if (flags & ~FSMOUNT_CLOEXEC)
		return -EINVAL;
	mnt_flags = attrs_to_mnt_flags(attrs);
	if (mnt_flags < 0)
		return mnt_flags;
	f = fdget((unsigned int)fs_fd);
	if (!f.file)
		return -EBADF;
	fd = -EINVAL;
	fc = context_of(&f);
	if (!fc)
		goto put;
	fd = -ERESTARTSYS;
	if (mutex_lock_interruptible(&fc->lock))
		goto put;
	fd = install_file(mount_context(fc, mnt_flags), flags & FSMOUNT_CLOEXEC);
	mutex_unlock(&fc->lock);
put:
	fdput(f);
	return fd;
}
