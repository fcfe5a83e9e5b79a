/*
 * do_mounts.c: the root file system from a disk: root=, rootfstype=, rootflags=, ro, rw, rootwait, snapshot.
 *
 * Idea:    when there is an initramfs with /init, that program mounts what it likes, and root= is its business.  Otherwise the
 *          disk is mounted on /root of the first file system, the devices on its /dev, and it is moved over "/".  Disks are
 *          found by the initcalls, which have ended, so there is nothing to wait for.
 *          With `snapshot` the disk is only read: it becomes the lower layer of an overlay, whose upper one is in memory.
 * Context: pid 1, before user space.
 * Locking: none: nobody else runs yet.
 * See:     bootparam(7); initramfs.c; spec.md §10
 */
#include <weft/blkdev.h>
#include <weft/fs_struct.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/main.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/sched.h>
#include <weft/string.h>

static char root_name[64];			/* "/dev/vda1"; "": none asked for */
static char root_type[32], root_flags[128];
static unsigned long root_mount_flags = MS_RDONLY;

static int __init root_setup(char *value)
{
	strscpy(root_name, value, sizeof(root_name));
	return 1;
}
__setup("root=", root_setup);

static int __init type_setup(char *value)
{
	strscpy(root_type, value, sizeof(root_type));
	return 1;
}
__setup("rootfstype=", type_setup);

static int __init flags_setup(char *value)
{
	strscpy(root_flags, value, sizeof(root_flags));
	return 1;
}
__setup("rootflags=", flags_setup);

static int __init ro_setup(char *value)
{
	root_mount_flags |= MS_RDONLY;
	return 1;
}
__setup("ro", ro_setup);

static int __init rw_setup(char *value)
{
	root_mount_flags &= ~(unsigned long)MS_RDONLY;
	return 1;
}
__setup("rw", rw_setup);

static bool root_snapshot;

static int __init snapshot_setup(char *value)
{
	root_snapshot = true;
	return 1;
}
__setup("snapshot", snapshot_setup);

static int __init wait_setup(char *value)
{
	return 1;				/* all disks are there already */
}
__setup("rootwait", wait_setup);

/* With the type that was asked for, or the first that fits. */
static int __init try_types(void)
{
	static const char *const types[] = { "ext4", "ext3", "ext2" };
	int err = -ENODEV;

	if (root_type[0])
		return init_mount(root_name, "/root", root_type, root_mount_flags, root_flags);
	for (size_t i = 0; i < ARRAY_SIZE(types) && err; i++) {
		char flags[sizeof(root_flags)];

		strscpy(flags, root_flags, sizeof(flags));	/* parsing writes into it */
		err = init_mount(root_name, "/root", types[i], root_mount_flags | MS_SILENT, flags);
	}
	return err;
}

static bool __init has_own_init(void)
{
	struct path path;

	if (kern_path("/init", LOOKUP_FOLLOW, &path))
		return false;
	path_put(&path);
	return true;
}

/* The first file system, a tmpfs, goes on to exist below the new root: its memory takes what is changed. */
static int __init mount_snapshot(void)
{
	static char options[] __initdata = "lowerdir=/root,upperdir=/upper,workdir=/work";
	int err = init_mkdir("/upper", 0755) ?: init_mkdir("/work", 0700) ?: init_mkdir("/snapshot", 0755);

	return err ?: init_mount("overlay", "/snapshot", "overlay", 0, options);
}

void __init prepare_root(void)
{
	const char *where = "/root";
	struct path root;
	int err;

	if (!root_name[0] || has_own_init())
		return;
	if (root_snapshot)
		root_mount_flags |= MS_RDONLY;
	err = try_types();
	if (err)
		panic("root: cannot mount %s: error %d", root_name, err);
	if (root_snapshot) {
		err = mount_snapshot();
		if (err)
			panic("root: no snapshot of %s: error %d", root_name, err);
		where = "/snapshot";
	}
	if (init_mount("devtmpfs", root_snapshot ? "/snapshot/dev" : "/root/dev", "devtmpfs", MS_NOSUID, NULL))
		pr_warn("root: no devices on its /dev\n");
	err = kern_path(where, LOOKUP_FOLLOW, &root);
	if (!err)
		err = init_mount(where, "/", NULL, MS_MOVE, NULL);
	if (err)
		panic("root: cannot move %s to /: error %d", root_name, err);
	set_fs_pwd(current->fs, &root);
	set_fs_root(current->fs, &root);
	path_put(&root);
	pr_info("root: %s mounted%s%s\n", root_name, root_mount_flags & MS_RDONLY ? " read-only" : "",
		root_snapshot ? " below an overlay" : "");
}
