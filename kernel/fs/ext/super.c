/*
 * super.c: mounting, remounting, syncing and unmounting; errors; the three names under which it is known.
 *
 * Idea:    ext2, ext3 and ext4 differ in features that the super block lists: what we do not know of the "incompat" ones
 *          forbids mounting, of the "ro_compat" ones writing.  So there is one driver with three names.
 *          An error in what the disk holds makes the file system read-only (or as errors= says) before it can spread, and is
 *          noted in the super block for e2fsck.
 * Locking: s_umount, held by the VFS around all of this; orphan_lock for the super block's contents.
 * See:     spec.md §10 "ext2, ext3, ext4"; ext4(5); doc/ext.md
 */
#include <weft/blkdev.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/log2.h>
#include <weft/pagemap.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/statfs.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include "ext.h"

static struct kmem_cache *ext_inode_cachep;

/* ---- the super block on disk ---- */

/* What is free, and whether all is well, as of now. */
static void fill_super_counts(struct ext_fs *fs)
{
	u64 free = (u64)atomic64_read(&fs->free_blocks) + (u64)atomic64_read(&fs->freed_blocks);

	fs->es->s_free_blocks_count_lo = (u32)free;
	if (has_incompat(fs, INCOMPAT_64BIT))
		fs->es->s_free_blocks_count_hi = (u32)(free >> 32);
	fs->es->s_free_inodes_count = (u32)atomic64_read(&fs->free_inodes);
	fs->es->s_wtime = (u32)ktime_get_real_seconds();
	ext_super_csum_set(fs->es);
}

/* Writes it straight into its place and waits.  Only while no transaction can hold it. */
static int write_super(struct ext_fs *fs)
{
	mutex_lock(&fs->orphan_lock);
	fill_super_counts(fs);
	mutex_unlock(&fs->orphan_lock);
	mark_buffer_dirty(fs->sbh);
	return sync_dirty_buffer(fs->sbh);
}

/* The counts as part of a transaction. */
static void log_super(struct ext_fs *fs)
{
	struct jbd_handle *handle = ext_start(fs->sb, 1);

	if (IS_ERR(handle))
		return;
	if (!ext_access(handle, fs->sbh)) {
		mutex_lock(&fs->orphan_lock);
		fill_super_counts(fs);
		mutex_unlock(&fs->orphan_lock);
		ext_dirty(handle, fs->sbh);
	}
	ext_stop(fs->sb, handle);
}

/* ---- errors ---- */

static void handle_error(struct super_block *sb)
{
	struct ext_fs *fs = EXT_FS(sb);

	fs->es->s_state |= EXT_ERROR_FS;
	fs->es->s_error_count++;
	fs->es->s_last_error_time = (u32)ktime_get_real_seconds();
	set_bit(0, &fs->error_seen);
	if (sb_rdonly(sb))
		return;
	if (fs->opt.errors == EXT_ERRORS_PANIC)
		panic("ext: %s: error, and errors=panic", sb->s_id);
	if (fs->opt.errors == EXT_ERRORS_CONTINUE)
		return;
	pr_err("ext: %s: remounting read-only\n", sb->s_id);
	if (fs->journal)
		jbd_abort(fs->journal, -EIO);
	ext_super_csum_set(fs->es);
	mark_buffer_dirty(fs->sbh);		/* so that e2fsck hears of it */
	sb->s_flags |= SB_RDONLY;
}

void ext_error(struct super_block *sb, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pr_err_ratelimited("ext: %s: error: %s\n", sb->s_id, text);
	handle_error(sb);
}

void ext_std_error(struct super_block *sb, int err)
{
	if (!err || err == -EROFS || err == -ENOMEM || err == -ENOSPC)
		return;
	if (!sb_rdonly(sb))
		ext_error(sb, "a change failed: error %d", err);
}

/* ---- reading the super block ---- */

static bool features_ok(struct super_block *sb, const struct ext_super_block *es)
{
	u32 strange = es->s_feature_incompat & ~INCOMPAT_KNOWN, strange_ro = es->s_feature_ro_compat & ~RO_COMPAT_KNOWN;

	if (strange) {
		pr_err("ext: %s: features we do not know (incompat %#x)\n", sb->s_id, strange);
		return false;
	}
	if (strange_ro && !sb_rdonly(sb)) {
		pr_err("ext: %s: features that forbid writing (ro_compat %#x); mount it read-only\n", sb->s_id, strange_ro);
		return false;
	}
	return true;
}

/* ext2 has no journal to be replayed, ext3 no extents. */
static bool fits_type(struct super_block *sb, const struct ext_super_block *es)
{
	const u32 ext2_incompat = INCOMPAT_FILETYPE | INCOMPAT_META_BG;
	const u32 ext2_ro = RO_COMPAT_SPARSE_SUPER | RO_COMPAT_LARGE_FILE;
	bool old = !(es->s_feature_incompat & ~(ext2_incompat | INCOMPAT_RECOVER)) && !(es->s_feature_ro_compat & ~ext2_ro);
	bool journal = es->s_feature_compat & COMPAT_HAS_JOURNAL;

	if (!strcmp(sb->s_type->name, "ext2"))
		return old && !(es->s_feature_incompat & INCOMPAT_RECOVER);
	if (!strcmp(sb->s_type->name, "ext3"))
		return old && journal;
	return true;
}

/* Numbers that everything else is computed from. */
static bool geometry_ok(const struct ext_super_block *es, u64 dev_bytes)
{
	u32 bs = 1024u << es->s_log_block_size, isize = es->s_rev_level ? es->s_inode_size : EXT_GOOD_OLD_INODE_SIZE;
	u64 blocks = make64(es->s_feature_incompat & INCOMPAT_64BIT ? es->s_blocks_count_hi : 0, es->s_blocks_count_lo);
	u64 groups;

	if (isize < EXT_GOOD_OLD_INODE_SIZE || isize > bs || !is_power_of_2(isize))
		return false;
	if (!es->s_blocks_per_group || es->s_blocks_per_group > bs * 8 || es->s_blocks_per_group % 8 ||
	    !es->s_inodes_per_group || es->s_inodes_per_group > bs * 8 || es->s_inodes_per_group % (bs / isize) ||
	    es->s_inodes_per_group % 8)
		return false;
	if (es->s_feature_ro_compat & RO_COMPAT_BIGALLOC || es->s_first_data_block != (bs == 1024) ||
	    blocks <= es->s_first_data_block || blocks > dev_bytes / bs)
		return false;
	if (es->s_feature_incompat & INCOMPAT_64BIT && (es->s_desc_size < sizeof(struct ext_group_desc) ||
							es->s_desc_size > bs || !is_power_of_2(es->s_desc_size)))
		return false;
	groups = DIV_ROUND_UP(blocks - es->s_first_data_block, (u64)es->s_blocks_per_group);
	return groups <= 1u << 24 && groups * es->s_inodes_per_group == es->s_inodes_count &&
	       es->s_first_data_block + 1 + (es->s_rev_level ? es->s_first_ino : 11) <= es->s_inodes_count &&
	       es->s_reserved_gdt_blocks <= bs / 4 && es->s_log_groups_per_flex < 32;
}

/* Byte 1024 of the device, in blocks of the right size.  0 or -errno; fs->sbh, fs->es. */
static int read_super(struct ext_fs *fs, int silent)
{
	struct super_block *sb = fs->sb;
	struct block_device *bdev = sb->s_bdev;
	struct buffer_head *bh = __bread(bdev, 1, 1024);
	const struct ext_super_block *es;
	u32 bs;

	if (!bh)
		return -EIO;
	es = (void *)bh->b_data;
	if (es->s_magic != EXT_SUPER_MAGIC || es->s_log_block_size > 2 || !ext_super_csum_ok(es) ||
	    !geometry_ok(es, (u64)i_size_read(bdev->bd_inode))) {
		if (!silent)
			pr_err("ext: %s: %s\n", sb->s_id, es->s_magic != EXT_SUPER_MAGIC ? "no ext file system" :
			       "broken super block, or blocks of a size we do not know");
		brelse(bh);
		return -EINVAL;
	}
	if (!features_ok(sb, es) || !fits_type(sb, es)) {
		brelse(bh);
		return -EINVAL;
	}
	bs = 1024u << es->s_log_block_size;
	brelse(bh);
	sb->s_blocksize = bs;
	sb->s_blocksize_bits = (u8)ilog2(bs);
	fs->sbh = sb_bread(sb, EXT_SB_OFFSET / bs);
	if (!fs->sbh)
		return -EIO;
	fs->es = (void *)(fs->sbh->b_data + EXT_SB_OFFSET % bs);
	return fs->es->s_magic == EXT_SUPER_MAGIC ? 0 : -EIO;
}

/* From the super block, which is sound. */
static void set_geometry(struct ext_fs *fs)
{
	const struct ext_super_block *es = fs->es;
	u32 bs = (u32)fs->sb->s_blocksize;

	fs->feat_compat = es->s_feature_compat;
	fs->feat_incompat = es->s_feature_incompat;
	fs->feat_ro_compat = es->s_feature_ro_compat;
	fs->inode_size = es->s_rev_level ? es->s_inode_size : EXT_GOOD_OLD_INODE_SIZE;
	fs->inodes_per_group = es->s_inodes_per_group;
	fs->inodes_per_block = bs / fs->inode_size;
	fs->itable_blocks = fs->inodes_per_group / fs->inodes_per_block;
	fs->blocks_per_group = es->s_blocks_per_group;
	fs->desc_size = has_incompat(fs, INCOMPAT_64BIT) ? es->s_desc_size : EXT_DESC_SIZE_OLD;
	fs->desc_per_block = bs / fs->desc_size;
	fs->first_data_block = es->s_first_data_block;
	fs->blocks_count = make64(has_incompat(fs, INCOMPAT_64BIT) ? es->s_blocks_count_hi : 0, es->s_blocks_count_lo);
	fs->groups_count = (u32)DIV_ROUND_UP(fs->blocks_count - fs->first_data_block, (u64)fs->blocks_per_group);
	fs->flex_groups = has_incompat(fs, INCOMPAT_FLEX_BG) ? 1u << min(es->s_log_groups_per_flex, (u8)16) : 1;
	fs->csum_seed = has_incompat(fs, INCOMPAT_CSUM_SEED) ? es->s_checksum_seed :
							       ext_csum(~0u, es->s_uuid, sizeof(es->s_uuid));
	memcpy(fs->hash_seed, es->s_hash_seed, sizeof(fs->hash_seed));
	fs->hash_unsigned = es->s_flags & EXT_FLAGS_UNSIGNED_HASH ? DX_HASH_UNSIGNED : 0;
	fs->hash_version = min(es->s_def_hash_version, (u8)DX_HASH_TEA);
}

static void set_times(struct super_block *sb)
{
	bool wide = EXT_FS(sb)->inode_size >= EXT_GOOD_OLD_INODE_SIZE + 28;

	sb->s_time_gran = wide ? 1 : 1000000000;
	sb->s_time_min = S32_MIN;
	sb->s_time_max = wide ? (1ll << 34) - 1 + S32_MIN : S32_MAX;
}

/* ---- start and end ---- */

/* From now on the disk says that it is in use: without a journal only e2fsck can tell whether it is well. */
static int set_writable(struct ext_fs *fs)
{
	struct ext_super_block *es = fs->es;

	if (!(es->s_state & EXT_VALID_FS) && !fs->journal)
		pr_warn("ext: %s: was not unmounted cleanly; e2fsck should look at it\n", fs->sb->s_id);
	if (es->s_state & EXT_ERROR_FS)
		pr_warn("ext: %s: has errors; e2fsck should look at it\n", fs->sb->s_id);
	fs->was_valid = es->s_state & EXT_VALID_FS;
	if (!fs->journal)
		es->s_state &= ~EXT_VALID_FS;
	else
		es->s_feature_incompat |= INCOMPAT_RECOVER;
	if (!has_ro_compat(fs, RO_COMPAT_LARGE_FILE)) {
		es->s_feature_ro_compat |= RO_COMPAT_LARGE_FILE;
		fs->feat_ro_compat |= RO_COMPAT_LARGE_FILE;
	}
	es->s_mnt_count++;
	es->s_mtime = (u32)ktime_get_real_seconds();
	return write_super(fs);
}

/* All is in its place: says so.  Without a journal it is, once the device's cache is written. */
static void set_clean(struct ext_fs *fs, bool journal_empty)
{
	if (journal_empty)
		fs->es->s_feature_incompat &= ~INCOMPAT_RECOVER;
	if (fs->was_valid && !test_bit(0, &fs->error_seen))
		fs->es->s_state |= EXT_VALID_FS;
	write_super(fs);
	blkdev_issue_flush(fs->sb->s_bdev);
}

static int lazy_init_thread(void *data)
{
	ext_init_itables(data, current);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static void start_lazy_init(struct ext_fs *fs)
{
	if (!has_group_csum(fs) || fs->lazy_init)
		return;
	fs->lazy_init = kthread_run(lazy_init_thread, fs, "ext4lazyinit");
	if (IS_ERR(fs->lazy_init))
		fs->lazy_init = NULL;		/* then mke2fs' leftovers stay, which does no harm */
}

static void stop_lazy_init(struct ext_fs *fs)
{
	if (fs->lazy_init)
		kthread_stop(fs->lazy_init);
	fs->lazy_init = NULL;
}

static void free_fs(struct ext_fs *fs)
{
	ext_free_groups(fs);
	brelse(fs->sbh);
	kfree(fs);
}

static void ext_put_super(struct super_block *sb)
{
	struct ext_fs *fs = EXT_FS(sb);
	bool journal_empty = false;

	stop_lazy_init(fs);
	if (fs->journal)
		journal_empty = !jbd_destroy(fs->journal);
	else
		sync_blockdev(sb->s_bdev);
	if (!sb_rdonly(sb))
		set_clean(fs, journal_empty);
	free_fs(fs);
	sb->s_fs_info = NULL;
}

static const struct super_operations ext_sops;

static struct ext_fs *new_fs(struct super_block *sb)
{
	struct ext_fs *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	fs->sb = sb;
	fs->opt = (struct ext_options){ .commit_secs = 5 };
	mutex_init(&fs->orphan_lock);
	INIT_LIST_HEAD(&fs->orphans);
	atomic_set(&fs->next_gen, (int)get_random_u32());
	return fs;
}

/* Everything but the root.  On error the caller frees. */
static int open_fs(struct ext_fs *fs, char *options, int silent)
{
	struct super_block *sb = fs->sb;
	int err = read_super(fs, silent);

	if (err)
		return err;
	set_geometry(fs);
	fs->opt.errors = fs->es->s_errors == EXT_ERRORS_PANIC ? EXT_ERRORS_PANIC :
			 fs->es->s_errors == EXT_ERRORS_RO ? EXT_ERRORS_RO : EXT_ERRORS_CONTINUE;
	if ((fs->es->s_default_mount_opts & EXT_DEFM_DATA_MODE) == EXT_DEFM_DATA_JOURNAL && has_compat(fs, COMPAT_HAS_JOURNAL))
		fs->opt.data_mode = EXT_DATA_JOURNAL;
	err = ext_parse_options(&fs->opt, options);
	if (err)
		return err;
	if (fs->opt.data_mode == EXT_DATA_JOURNAL && !has_compat(fs, COMPAT_HAS_JOURNAL)) {
		pr_err("ext: %s: data=journal without a journal\n", sb->s_id);
		return -EINVAL;
	}
	sb->s_op = &ext_sops;
	sb->s_magic = EXT_SUPER_MAGIC;
	sb->s_xattr = ext_xattr_handlers;
	sb->s_flags |= fs->opt.noacl ? 0 : SB_POSIXACL;
	sb->s_maxbytes = (loff_t)ext_max_size_of(fs, has_incompat(fs, INCOMPAT_EXTENTS));
	set_times(sb);
	err = ext_read_groups(fs);
	if (!err && has_compat(fs, COMPAT_HAS_JOURNAL))
		err = ext_journal_load(fs);
	if (!err)
		err = ext_check_groups(fs);
	return err;
}

static int ext_fill_super(struct super_block *sb, void *data, int silent)
{
	struct ext_fs *fs = new_fs(sb);
	struct inode *root;
	int err;

	if (!fs)
		return -ENOMEM;
	sb->s_fs_info = fs;
	err = open_fs(fs, data, silent);
	if (err)
		goto fail;
	root = ext_iget(sb, EXT_ROOT_INO);
	err = PTR_ERR_OR_ZERO(root);
	if (err)
		goto fail;
	if (!S_ISDIR(root->i_mode)) {
		iput(root);
		err = -EUCLEAN;
		goto fail;
	}
	if (!sb_rdonly(sb)) {
		err = set_writable(fs);
		if (err) {
			iput(root);
			goto fail;
		}
		ext_orphan_cleanup(fs);
	}
	sb->s_root = d_make_root(root);
	if (!sb->s_root) {
		err = -ENOMEM;
		goto fail;
	}
	if (!sb_rdonly(sb))
		start_lazy_init(fs);
	return 0;
fail:
	evict_inodes(sb);
	if (fs->journal)
		jbd_destroy(fs->journal);
	free_fs(fs);
	sb->s_fs_info = NULL;
	return err;
}

/* ---- what the VFS asks of a mounted one ---- */

static int ext_sync_fs(struct super_block *sb, int wait)
{
	struct ext_fs *fs = EXT_FS(sb);
	int err;

	if (!wait || sb_rdonly(sb))
		return 0;
	log_super(fs);
	if (fs->journal)
		return ext_force_commit(sb);
	err = sync_blockdev(sb->s_bdev);
	return err ? err : blkdev_issue_flush(sb->s_bdev);
}

static int ext_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct ext_fs *fs = EXT_FS(dentry->d_sb);
	s64 free = atomic64_read(&fs->free_blocks) + atomic64_read(&fs->freed_blocks) - atomic64_read(&fs->delayed_blocks);
	u64 reserve = ext_root_reserve(fs);
	const u64 *uuid = (const u64 *)fs->es->s_uuid;

	buf->f_type = EXT_SUPER_MAGIC;
	buf->f_bsize = (long)dentry->d_sb->s_blocksize;
	buf->f_blocks = fs->blocks_count - fs->overhead;
	buf->f_bfree = free > 0 ? (u64)free : 0;
	buf->f_bavail = buf->f_bfree > reserve ? buf->f_bfree - reserve : 0;
	buf->f_files = fs->es->s_inodes_count;
	buf->f_ffree = (u64)atomic64_read(&fs->free_inodes);
	buf->f_namelen = EXT_NAME_LEN;
	buf->f_fsid = u64_to_fsid(get_unaligned(uuid) ^ get_unaligned(uuid + 1));
	return 0;
}

static int to_readonly(struct ext_fs *fs)
{
	stop_lazy_init(fs);
	if (fs->journal) {
		int err = jbd_flush(fs->journal);

		if (err)
			return err;
	} else {
		sync_blockdev(fs->sb->s_bdev);
	}
	set_clean(fs, fs->journal);
	return 0;
}

static int to_writable(struct ext_fs *fs)
{
	int err;

	if (test_bit(0, &fs->error_seen) || fs->feat_ro_compat & ~RO_COMPAT_KNOWN || bdev_read_only(fs->sb->s_bdev))
		return -EROFS;
	if (fs->opt.noload && has_compat(fs, COMPAT_HAS_JOURNAL))
		return -EINVAL;
	fs->sb->s_flags &= ~(unsigned long)SB_RDONLY;
	err = set_writable(fs);
	if (err) {
		fs->sb->s_flags |= SB_RDONLY;
		return err;
	}
	ext_orphan_cleanup(fs);
	start_lazy_init(fs);
	return 0;
}

static int ext_remount(struct super_block *sb, int *flags, char *data)
{
	struct ext_fs *fs = EXT_FS(sb);
	struct ext_options opt = fs->opt;
	int err = ext_parse_options(&opt, data);

	if (err)
		return err;
	if (opt.data_mode != fs->opt.data_mode)
		return -EINVAL;
	fs->opt = opt;
	sb->s_flags = (sb->s_flags & ~(unsigned long)SB_POSIXACL) | (opt.noacl ? 0 : SB_POSIXACL);
	if (fs->journal)
		jbd_set_options(fs->journal, opt.commit_secs, !opt.nobarrier);
	if (!((unsigned long)*flags & SB_RDONLY) == !sb_rdonly(sb))
		return 0;
	return *flags & SB_RDONLY ? to_readonly(fs) : to_writable(fs);
}

/* ---- inodes' memory ---- */

static struct inode *ext_alloc_inode(struct super_block *sb)
{
	struct ext_inode *ei = kmem_cache_alloc(ext_inode_cachep, GFP_NOFS);

	if (!ei)
		return NULL;
	ei->flags = 0;
	ei->file_acl = 0;
	ei->disksize = 0;
	ei->dtime = 0;
	ei->group = ~0u;			/* not on the disk yet */
	ei->sync_tid = ei->datasync_tid = 0;
	ei->has_ibody_xattr = false;
	atomic_set(&ei->delayed, 0);
	atomic_set(&ei->map_seq, 0);
	return &ei->vfs_inode;
}

static void ext_free_inode_memory(struct inode *inode)
{
	kmem_cache_free(ext_inode_cachep, EXT_I(inode));
}

static void init_once(void *p)
{
	struct ext_inode *ei = p;

	init_rwsem(&ei->data_sem);
	init_rwsem(&ei->xattr_sem);
	spin_lock_init(&ei->raw_lock);
	INIT_LIST_HEAD(&ei->orphan);
	inode_init_once(&ei->vfs_inode);
}

/* Numbers come from programs: none of the file system's own inodes, nor one that is free. */
static struct inode *ext_inode_by_handle(struct super_block *sb, u64 ino, u32 generation)
{
	const struct ext_super_block *es = EXT_FS(sb)->es;
	struct inode *inode;

	if (ino != EXT_ROOT_INO && (ino < (es->s_rev_level ? es->s_first_ino : 11) || ino > es->s_inodes_count))
		return ERR_PTR(-ESTALE);
	inode = ext_iget(sb, ino);
	if (IS_ERR(inode))
		return inode;
	if (inode->i_generation == generation && inode->i_nlink)
		return inode;
	iput(inode);
	return ERR_PTR(-ESTALE);
}

static const struct super_operations ext_sops = {
	.alloc_inode	= ext_alloc_inode,
	.free_inode	= ext_free_inode_memory,
	.dirty_inode	= ext_dirty_inode,
	.write_inode	= ext_super_write_inode,
	.evict_inode	= ext_evict_inode,
	.put_super	= ext_put_super,
	.sync_fs	= ext_sync_fs,
	.statfs		= ext_statfs,
	.remount_fs	= ext_remount,
	.show_options	= ext_show_options,
	.inode_by_handle = ext_inode_by_handle,
};

static struct dentry *ext_mount(struct file_system_type *type, int flags, const char *dev_name, void *data)
{
	return mount_bdev(type, flags, dev_name, data, ext_fill_super);
}

static struct file_system_type ext_types[] = {
	{ .name = "ext4", .mount = ext_mount, .kill_sb = kill_block_super, .fs_flags = FS_REQUIRES_DEV },
	{ .name = "ext3", .mount = ext_mount, .kill_sb = kill_block_super, .fs_flags = FS_REQUIRES_DEV },
	{ .name = "ext2", .mount = ext_mount, .kill_sb = kill_block_super, .fs_flags = FS_REQUIRES_DEV },
};

static int __init ext_init(void)
{
	int err = ext_writeback_init();

	ext_inode_cachep = kmem_cache_create("ext4_inode_cache", sizeof(struct ext_inode), 0, SLAB_PANIC, init_once);
	for (size_t i = 0; i < ARRAY_SIZE(ext_types) && !err; i++)
		err = register_filesystem(&ext_types[i]);
	return err;
}
fs_initcall(ext_init);
