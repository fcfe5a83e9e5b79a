/*
 * init.c: start-up of the VFS, and the system calls that the kernel itself makes before the first program runs: the
 * initramfs and devtmpfs make their files with them.
 *
 * Context: init_*(): kernel threads during start-up, absolute paths; 0 or -errno as the system calls of that name.
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/main.h>
#include <weft/slab.h>
#include <weft/sched.h>
#include <weft/init_syscalls.h>
#include "internal.h"

/* ---- start-up ---- */

void __init vfs_caches_init(void)
{
	names_cachep = kmem_cache_create("names_cache", PATH_MAX, 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
	dcache_init();
	inode_init();
	files_init();
	files_struct_init();
	files_maxfiles_init();
	locks_init();
	chrdev_init();
	mnt_init();
}

/* ---- the calls ---- */

/* Runs fn(path) on a name.  flags: LOOKUP_*. */
static int __init with_path(const char *name, unsigned int flags, int (*fn)(struct path *, void *), void *arg)
{
	struct path path;
	int err = kern_path(name, flags, &path);

	if (err)
		return err;
	err = fn(&path, arg);
	path_put(&path);
	return err;
}

struct mount_args {
	const char	*dev_name, *type;
	unsigned long	flags;
	void		*data;
};

static int __init mount_on(struct path *path, void *arg)
{
	struct mount_args *a = arg;

	return path_mount(a->dev_name, path, a->type, a->flags, a->data);
}

int __init init_mount(const char *dev_name, const char *dir, const char *type, unsigned long flags, void *data)
{
	struct mount_args args = { dev_name, type, flags, data };

	return with_path(dir, LOOKUP_FOLLOW, mount_on, &args);
}

int __init init_umount(const char *name, int flags)
{
	struct path path;
	int err = kern_path(name, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &path);

	return err ? err : path_umount(&path, flags);
}

static int __init go_to(struct path *path, void *root)
{
	int err = path_permission(path, MAY_EXEC | MAY_CHDIR);

	if (err)
		return err;
	if (root)
		set_fs_root(current->fs, path);
	else
		set_fs_pwd(current->fs, path);
	return 0;
}

int __init init_chdir(const char *name)
{
	return with_path(name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, go_to, NULL);
}

int __init init_chroot(const char *name)
{
	return with_path(name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, go_to, current);
}

struct owner_args {
	uid_t	user;
	gid_t	group;
};

static int __init set_owner(struct path *path, void *arg)
{
	struct owner_args *a = arg;
	int err = mnt_want_write(path->mnt);

	if (err)
		return err;
	err = chown_common(path, a->user, a->group);
	mnt_drop_write(path->mnt);
	return err;
}

int __init init_chown(const char *name, uid_t user, gid_t group, int flags)
{
	struct owner_args args = { user, group };

	return with_path(name, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, set_owner, &args);
}

static int __init set_mode(struct path *path, void *mode)
{
	return chmod_common(path, *(umode_t *)mode);
}

int __init init_chmod(const char *name, umode_t mode)
{
	return with_path(name, LOOKUP_FOLLOW, set_mode, &mode);
}

static int __init check_access(struct path *path, void *unused)
{
	return path_permission(path, MAY_ACCESS);
}

int __init init_eaccess(const char *name)
{
	return with_path(name, LOOKUP_FOLLOW, check_access, NULL);
}

static int __init get_stat(struct path *path, void *stat)
{
	return vfs_getattr(path, stat, STATX_BASIC_STATS, 0);
}

int __init init_stat(const char *name, struct kstat *stat, int flags)
{
	return with_path(name, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, get_stat, stat);
}

static int __init set_times(struct path *path, void *times)
{
	return vfs_utimes(path, times);
}

int __init init_utimes(const char *name, struct timespec64 *times)
{
	return with_path(name, 0, set_times, times);
}

/* With the name in a struct filename: the do_*at() functions take it so. */
#define with_name(var, text, call) ({				\
	struct filename *var = getname_kernel(text);		\
	int __err = IS_ERR(var) ? PTR_ERR(var) : (call);	\
	putname(var);						\
	__err;							\
})

int __init init_mknod(const char *name, umode_t mode, unsigned int dev)
{
	return with_name(n, name, do_mknodat(AT_FDCWD, n, mode, dev));
}

int __init init_mkdir(const char *name, umode_t mode)
{
	return with_name(n, name, do_mkdirat(AT_FDCWD, n, mode));
}

int __init init_rmdir(const char *name)
{
	return with_name(n, name, do_rmdir(AT_FDCWD, n));
}

int __init init_unlink(const char *name)
{
	return with_name(n, name, do_unlinkat(AT_FDCWD, n));
}

static int __init with_two_names(const char *a, const char *b, int (*fn)(struct filename *, struct filename *))
{
	struct filename *first = getname_kernel(a), *second;
	int err;

	if (IS_ERR(first))
		return PTR_ERR(first);
	second = getname_kernel(b);
	err = IS_ERR(second) ? PTR_ERR(second) : fn(first, second);
	putname(second);
	putname(first);
	return err;
}

static int __init link_names(struct filename *old, struct filename *new)
{
	return do_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

static int __init symlink_names(struct filename *old, struct filename *new)
{
	return do_symlinkat(old, AT_FDCWD, new);
}

int __init init_link(const char *oldname, const char *newname)
{
	return with_two_names(oldname, newname, link_names);
}

int __init init_symlink(const char *oldname, const char *newname)
{
	return with_two_names(oldname, newname, symlink_names);
}

/* A further descriptor of the file, the lowest that is free.  0 or -errno. */
int __init init_dup(struct file *file)
{
	int fd = get_unused_fd_flags(0);

	if (fd < 0)
		return fd;
	fd_install(fd, get_file(file));
	return 0;
}
