/*
 * init.c: start-up of the VFS: caches first, then the first mount; and mounting before there is a program to ask for it.
 *
 * Idea:    the kernel does with names what a program would do, by the functions behind the system calls.
 * Locking: none of its own: one thread, before /init.
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/fs.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/main.h>
#include <weft/slab.h>
#include "internal.h"

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

/* mount(2) for the kernel itself: absolute names.  May sleep.  0 or -errno. */
int init_mount(const char *dev_name, const char *dir, const char *type, unsigned long flags, void *data)
{
	struct path path;
	int err = kern_path(dir, LOOKUP_FOLLOW, &path);

	if (err)
		return err;
	err = path_mount(dev_name, &path, type, flags, data);
	path_put(&path);
	return err;
}

/* mkdir(2) likewise. */
int init_mkdir(const char *name, umode_t mode)
{
	struct path path;
	struct dentry *dentry = kern_path_create(AT_FDCWD, name, &path, LOOKUP_DIRECTORY);
	int err;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	err = vfs_mkdir(d_inode(path.dentry), dentry, mode);
	done_path_create(&path, dentry);
	return err;
}
