/*
 * super.c: mounted file systems: made, found again, remounted read-only, taken down.
 *
 * States:  new (s_umount held for writing by its maker) -> SB_BORN | SB_ACTIVE -> s_active 0: ->kill_sb() shuts it down ->
 *          s_count 0: freed.
 * Locking: s_umount guards mounting, remounting, syncing and shutting down; sb_lock the lists and s_count.  Order:
 *          s_umount -> sb_lock.
 * See:     spec.md §10; filesystems.c for the types
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/init.h>
#include <weft/blkdev.h>
#include <weft/fs.h>
#include <weft/landlock.h>
#include <weft/slab.h>
#include <weft/idr.h>
#include <weft/magic.h>
#include <weft/mount.h>
#include <weft/fsnotify.h>
#include <weft/string.h>
#include <asm/page.h>
#include "internal.h"

LIST_HEAD(super_blocks);		/* [sb_lock] */
DEFINE_SPINLOCK(sb_lock);

/* ---- the structure ---- */

static struct super_block *alloc_super(struct file_system_type *type, int flags)
	__no_context_analysis	/* locks what it returns */
{
	static const struct super_operations default_op;
	struct super_block *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	INIT_LIST_HEAD(&s->s_mounts);
	INIT_LIST_HEAD(&s->s_inodes);
	INIT_HLIST_NODE(&s->s_instances);
	spin_lock_init(&s->s_inode_list_lock);
	mutex_init(&s->s_vfs_rename_mutex);
	init_rwsem(&s->s_umount);
	down_write_nested(&s->s_umount, SINGLE_DEPTH_NESTING);
	s->s_flags = flags;
	s->s_count = 1;
	atomic_set(&s->s_active, 1);
	s->s_maxbytes = MAX_NON_LFS;
	s->s_op = &default_op;
	s->s_type = type;
	s->s_user_ns = get_user_ns(current_user_ns());
	if (s->s_user_ns != &init_user_ns)
		s->s_iflags |= SB_I_NODEV;	/* whoever mounted it could make any device in it */
	s->s_time_gran = 1000000000;
	s->s_time_min = S64_MIN;
	s->s_time_max = S64_MAX;
	return s;
}

/* Never seen by anybody. */
static void destroy_unused_super(struct super_block *s)
{
	if (!s)
		return;
	lockdep_assert_held_write(&s->s_umount);
	up_write(&s->s_umount);
	put_user_ns(s->s_user_ns);
	kfree(s);
}

static void __put_super(struct super_block *s)
{
	if (--s->s_count)
		return;
	list_del_init(&s->s_list);
	put_user_ns(s->s_user_ns);
	kfree(s);
}

static void put_super(struct super_block *sb)
{
	spin_lock(&sb_lock);
	__put_super(sb);
	spin_unlock(&sb_lock);
}

void drop_super(struct super_block *sb)
{
	up_read(&sb->s_umount);
	put_super(sb);
}

/* The last active reference went; s_umount held for writing, released. */
void deactivate_locked_super(struct super_block *s) __no_context_analysis	/* kill_sb() releases, or we */
{
	struct file_system_type *fs = s->s_type;

	if (atomic_dec_and_test(&s->s_active)) {
		fs->kill_sb(s);
		put_super(s);
		return;
	}
	up_write(&s->s_umount);
}

void deactivate_super(struct super_block *s)
{
	if (atomic_add_unless(&s->s_active, -1, 1))
		return;
	down_write(&s->s_umount);
	deactivate_locked_super(s);
}

/* sb_lock held, dropped.  s_umount is held for writing when it returns true: the file system lives and is ours too. */
static bool grab_super(struct super_block *s) __releases(&sb_lock) __no_context_analysis /* s_umount only if true */
{
	s->s_count++;
	spin_unlock(&sb_lock);
	down_write(&s->s_umount);
	if (s->s_flags & SB_BORN && atomic_inc_not_zero(&s->s_active)) {
		put_super(s);
		return true;
	}
	up_write(&s->s_umount);
	put_super(s);
	return false;
}

bool trylock_super(struct super_block *sb) __no_context_analysis	/* conditional */
{
	if (!down_read_trylock(&sb->s_umount))
		return false;
	if (!hlist_unhashed(&sb->s_instances) && sb->s_root && sb->s_flags & SB_BORN)
		return true;
	up_read(&sb->s_umount);
	return false;
}

/* Everything down: names, inodes, the file system's own part.  s_umount held for writing, released. */
void generic_shutdown_super(struct super_block *sb)
{
	const struct super_operations *sop = sb->s_op;

	lockdep_assert_held_write(&sb->s_umount);
	if (sb->s_root) {
		shrink_dcache_for_umount(sb);
		sync_filesystem(sb);
		sb->s_flags &= ~SB_ACTIVE;
		fsnotify_unmount_inodes(sb);
		landlock_release_sb(sb);
		evict_inodes(sb);
		if (sop->put_super)
			sop->put_super(sb);
		if (!list_empty(&sb->s_inodes))
			pr_err("VFS: busy inodes after unmount of %s (%s)\n", sb->s_id, sb->s_type->name);
	}
	spin_lock(&sb_lock);
	hlist_del_init(&sb->s_instances);
	spin_unlock(&sb_lock);
	up_write(&sb->s_umount);
}

/*
 * The super block for which test() says yes, or a new one filled in by set().  Returned with s_umount held for writing and
 * an active reference; s_root tells whether it was there already.  ERR_PTR(-ENOMEM) or what set() said.
 */
struct super_block *sget(struct file_system_type *type, int (*test)(struct super_block *, void *),
			 int (*set)(struct super_block *, void *), int flags, void *data)
{
	struct super_block *s = NULL, *old;
	int err;

retry:
	spin_lock(&sb_lock);
	if (test) {
		hlist_for_each_entry(old, &type->fs_supers, s_instances) {
			if (!test(old, data))
				continue;
			if (!grab_super(old))
				goto retry;
			destroy_unused_super(s);
			return old;
		}
	}
	if (!s) {
		spin_unlock(&sb_lock);
		s = alloc_super(type, flags);
		if (!s)
			return ERR_PTR(-ENOMEM);
		goto retry;
	}
	err = set(s, data);
	if (err) {
		spin_unlock(&sb_lock);
		destroy_unused_super(s);
		return ERR_PTR(err);
	}
	strscpy(s->s_id, type->name, sizeof(s->s_id));
	list_add_tail(&s->s_list, &super_blocks);
	hlist_add_head(&s->s_instances, &type->fs_supers);
	spin_unlock(&sb_lock);
	return s;
}

/* Calls fn for each, with s_umount held for reading. */
void iterate_supers(void (*fn)(struct super_block *sb, void *arg), void *arg)
{
	struct super_block *sb, *prev = NULL;

	spin_lock(&sb_lock);
	list_for_each_entry(sb, &super_blocks, s_list) {
		if (hlist_unhashed(&sb->s_instances))
			continue;
		sb->s_count++;
		spin_unlock(&sb_lock);
		down_read(&sb->s_umount);
		if (sb->s_root && sb->s_flags & SB_BORN)
			fn(sb, arg);
		up_read(&sb->s_umount);
		spin_lock(&sb_lock);
		if (prev)
			__put_super(prev);
		prev = sb;
	}
	if (prev)
		__put_super(prev);
	spin_unlock(&sb_lock);
}

/* Changes the flags and options of a mounted file system.  force: read-only even when files are open for writing. */
int reconfigure_super(struct super_block *sb, int sb_flags, void *data, bool force)
{
	bool to_ro = (sb_flags & SB_RDONLY) && !sb_rdonly(sb);
	int err;

	if (to_ro) {
		shrink_dcache_sb(sb);
		if (force) {
			sb->s_readonly_remount = 1;
			smp_wmb();
		} else {
			err = sb_prepare_remount_readonly(sb);
			if (err)
				return err;
		}
		sync_filesystem(sb);
	}
	if (sb->s_op->remount_fs) {
		err = sb->s_op->remount_fs(sb, &sb_flags, data);
		if (err && !force) {
			sb->s_readonly_remount = 0;
			return err;
		}
	}
	WRITE_ONCE(sb->s_flags, (sb->s_flags & ~MS_RMT_MASK) | (sb_flags & MS_RMT_MASK));
	smp_wmb();		/* the new flags before the hold ends: see mnt_get_write_access() */
	sb->s_readonly_remount = 0;
	return 0;
}

/* ---- device numbers of file systems that lie on no device: major 0 ---- */

static DEFINE_IDA(unnamed_dev_ida);

int get_anon_bdev(dev_t *dev)
{
	int id = ida_alloc_range(&unnamed_dev_ida, 1, MINORMASK, GFP_ATOMIC);

	if (id < 0)
		return id == -ENOSPC ? -EMFILE : id;
	*dev = MKDEV(0, id);
	return 0;
}

void free_anon_bdev(dev_t dev)
{
	ida_free(&unnamed_dev_ida, MINOR(dev));
}

int set_anon_super(struct super_block *s, void *data)
{
	return get_anon_bdev(&s->s_dev);
}

void kill_anon_super(struct super_block *sb)
{
	dev_t dev = sb->s_dev;

	generic_shutdown_super(sb);
	free_anon_bdev(dev);
}

void kill_litter_super(struct super_block *sb)
{
	if (sb->s_root)
		d_genocide(sb->s_root);
	kill_anon_super(sb);
}

/* ---- the usual ->mount() functions ---- */

static struct dentry *fill_new(struct super_block *s, int flags, void *data, fill_super_t *fill)
{
	int err = fill(s, data, flags & SB_SILENT ? 1 : 0);

	lockdep_assert_held_write(&s->s_umount);
	if (err) {
		deactivate_locked_super(s);
		return ERR_PTR(err);
	}
	s->s_flags |= SB_ACTIVE;
	return dget(s->s_root);
}

/* ---- on a block device: one instance for each, however often it is mounted ---- */

static int test_bdev_super(struct super_block *s, void *bdev)
{
	return s->s_bdev == bdev;
}

static int set_bdev_super(struct super_block *s, void *data)
{
	struct block_device *bdev = data;

	s->s_bdev = bdev;
	s->s_dev = bdev->bd_dev;
	return 0;
}

struct dentry *mount_bdev(struct file_system_type *type, int flags, const char *dev_name, void *data, fill_super_t *fill)
{
	fmode_t mode = FMODE_READ | FMODE_EXCL | (flags & SB_RDONLY ? 0 : FMODE_WRITE);
	struct block_device *bdev = blkdev_get_by_path(dev_name, mode, type);
	struct super_block *s;

	if (IS_ERR(bdev))
		return ERR_CAST(bdev);
	s = sget(type, test_bdev_super, set_bdev_super, flags, bdev);
	if (IS_ERR(s)) {
		blkdev_put(bdev, mode);
		return ERR_CAST(s);
	}
	lockdep_assert_held_write(&s->s_umount);
	if (!s->s_root) {		/* kill_block_super() gives the device back */
		strscpy(s->s_id, bdev->bd_name, sizeof(s->s_id));
		return fill_new(s, flags, data, fill);
	}
	blkdev_put(bdev, mode);		/* the first mount holds it */
	if ((flags ^ s->s_flags) & SB_RDONLY) {
		deactivate_locked_super(s);
		return ERR_PTR(-EBUSY);
	}
	return dget(s->s_root);
}

void kill_block_super(struct super_block *sb)
{
	struct block_device *bdev = sb->s_bdev;

	generic_shutdown_super(sb);
	blkdev_put(bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
}

/* A new instance each time. */
struct dentry *mount_nodev(struct file_system_type *type, int flags, void *data, fill_super_t *fill)
{
	struct super_block *s = sget(type, NULL, set_anon_super, flags, NULL);

	return IS_ERR(s) ? ERR_CAST(s) : fill_new(s, flags, data, fill);
}

static int any_super(struct super_block *s, void *data)
{
	return 1;
}

/* One instance, however often it is mounted. */
struct dentry *mount_single(struct file_system_type *type, int flags, void *data, fill_super_t *fill)
{
	struct super_block *s = sget(type, any_super, set_anon_super, flags, NULL);

	if (IS_ERR(s))
		return ERR_CAST(s);
	return s->s_root ? dget(s->s_root) : fill_new(s, flags, data, fill);
}

static int same_fs_info(struct super_block *s, void *ns)
{
	return s->s_fs_info == ns;
}

static int set_fs_info(struct super_block *s, void *ns)
{
	s->s_fs_info = ns;
	return set_anon_super(s, NULL);
}

/* One instance for each namespace, found again by s_fs_info; fill() takes the reference that the instance needs. */
struct dentry *mount_ns(struct file_system_type *type, int flags, void *data, void *ns, fill_super_t *fill)
{
	struct super_block *s = sget(type, same_fs_info, set_fs_info, flags, ns);

	if (IS_ERR(s))
		return ERR_CAST(s);
	return s->s_root ? dget(s->s_root) : fill_new(s, flags, data, fill);
}

/* For pipes, sockets and the like: files without names, mounted by the kernel only. */
struct dentry *mount_pseudo(struct file_system_type *type, const char *name, const struct super_operations *ops,
			    const struct dentry_operations *dops, unsigned long magic)
{
	struct super_block *s = sget(type, NULL, set_anon_super, SB_KERNMOUNT | SB_NOUSER, NULL);
	struct inode *root;

	if (IS_ERR(s))
		return ERR_CAST(s);
	lockdep_assert_held_write(&s->s_umount);
	s->s_maxbytes = MAX_LFS_FILESIZE;
	s->s_blocksize = PAGE_SIZE;
	s->s_blocksize_bits = PAGE_SHIFT;
	s->s_magic = magic;
	s->s_op = ops ? ops : &simple_super_operations;
	s->s_time_gran = 1;
	s->s_d_op = dops;
	root = new_inode(s);
	if (root) {
		root->i_ino = 1;
		root->i_mode = S_IFDIR | S_IRUSR | S_IWUSR;
		root->i_atime = root->i_mtime = root->i_ctime = current_time(root);
		s->s_root = d_make_root(root);
	}
	if (!s->s_root) {
		deactivate_locked_super(s);
		return ERR_PTR(-ENOMEM);
	}
	s->s_flags |= SB_ACTIVE;
	return dget(s->s_root);
}

/* Asks the type for its tree.  A dentry with a reference whose super block has s_umount held for writing; or ERR_PTR. */
struct dentry *mount_fs(struct file_system_type *type, int flags, const char *name, void *data)
{
	struct dentry *root = type->mount(type, flags, name, data);
	struct super_block *sb;

	if (IS_ERR(root))
		return root;
	sb = root->d_sb;
	smp_wmb();		/* everything filled in before anybody sees SB_BORN */
	sb->s_flags |= SB_BORN;
	return root;
}
