/*
 * ext.h: ext2, ext3 and ext4 in memory: what the files of this folder share.
 *
 * Layers (each calls only what stands above it):
 *      csum.c group.c          checksums; group descriptors
 *      journal.c               handles: a group of changes that happen wholly or not at all
 *      bitmap.c balloc.c ialloc.c   bitmaps; blocks; inodes
 *      extents*.c indirect.c   a file's block -> the device's block, as ext4 and as ext2 do it
 *      map.c                   the same, for who does not care which
 *      inline.c inline_dir.c   files and directories that need no block: they lie in the inode
 *      inode.c orphan.c        inodes to and from the disk
 *      dir.c hash.c htree.c    names
 *      aops.c writeback.c direct.c jdata.c file.c namei.c xattr.c acl.c ioctl.c fiemap.c trim.c super.c   what the VFS calls
 * Idea:    data first, then the metadata that lead to them.  A block for delayed data is claimed in memory, the data are
 *          written, and when they have arrived one handle marks the block as used, enters it into the file's map and raises
 *          the size on disk; the page stays under write-back until then.  So a crash shows old contents or new, never
 *          somebody else's, and the commit of a transaction need not wait for data.
 * Locking: i_rwsem -> invalidate_lock -> page lock -> handle (jbd_start) -> data_sem, xattr_sem -> orphan_lock,
 *          group->lock.  Within a handle no page is locked or waited for, and no user memory is touched.
 * See:     doc/ext.md, doc/locking.md
 */
#ifndef WEFT_EXT_H
#define WEFT_EXT_H

#include <weft/buffer_head.h>
#include <weft/fs.h>
#include <weft/jbd.h>
#include <weft/kernel.h>
#include <weft/mutex.h>
#include <weft/rwsem.h>
#include <weft/string.h>
#include <weft/unaligned.h>
#include "ext_disk.h"

typedef u64 ext_pblk_t;				/* a block of the device */
typedef u32 ext_lblk_t;				/* a block of a file */
#define EXT_MAX_LBLK	((u64)0xffffffff)	/* files have at most so many blocks */

/* One block group. */
struct ext_group {
	struct mutex	lock;			/* bitmaps, descriptor, and what follows */
	unsigned long	*map;			/* blocks in use or claimed or not yet to be used again; NULL: not loaded */
	u32		free;			/* zeroes in map; before it is loaded, what the descriptor says */
	bool		bad;			/* its bitmap cannot be believed: allocate nothing here */
};

/* Mount options. */
enum ext_data_mode { EXT_DATA_ORDERED, EXT_DATA_WRITEBACK, EXT_DATA_JOURNAL };
struct ext_options {
	int			errors;		/* EXT_ERRORS_* */
	enum ext_data_mode	data_mode;
	unsigned int		commit_secs;
	bool			noload, nobarrier, nouser_xattr, noacl, discard;
	bool			data_mode_set;
};

/* A mounted file system: super_block->s_fs_info. */
struct ext_fs {
	struct super_block	*sb;		/* [I] */
	struct buffer_head	*sbh;		/* [I] where es lies */
	struct ext_super_block	*es;		/* [orphan_lock] */
	u32			feat_incompat, feat_ro_compat, feat_compat;	/* [I] */
	u32			inode_size, inodes_per_group, inodes_per_block, itable_blocks;	/* [I] */
	u32			blocks_per_group, desc_size, desc_per_block, groups_count;	/* [I] */
	u32			first_data_block, flex_groups;	/* [I] */
	u64			blocks_count, overhead;	/* [I] */
	u32			csum_seed;	/* [I] */
	u32			hash_seed[4];	/* [I] */
	u8			hash_version;	/* [I] of new indexes; unsigned ones already added */
	u8			hash_unsigned;	/* [I] 0 or 3 */
	struct buffer_head	**gdt;		/* [I] blocks of descriptors */
	u32			gdt_blocks;	/* [I] */
	struct ext_group	*groups;	/* [I] */
	atomic64_t		free_blocks;	/* [a] that may be claimed now */
	atomic64_t		freed_blocks;	/* [a] will be free when their transaction has committed */
	atomic64_t		delayed_blocks;	/* [a] promised to dirty pages */
	atomic64_t		free_inodes, dirs;	/* [a] */
	struct journal		*journal;	/* [I] or NULL */
	struct ext_options	opt;		/* [s_umount] */
	struct mutex		orphan_lock;
	struct list_head	orphans;	/* [orphan_lock] ext_inode.orphan, newest first, as on disk */
	unsigned long		error_seen;	/* [a] bit 0 */
	bool			was_valid;	/* [s_umount] when it was mounted to be written */
	bool			cleaning_orphans;	/* [-] while mounting: inodes without names are expected */
	atomic_t		next_gen;	/* [a] i_generation */
	struct task_struct	*lazy_init;	/* [s_umount] zeroes unused inode tables */
};

/* What the map says about a run of a file's blocks. */
#define EXT_MAP_MAPPED		1
#define EXT_MAP_UNWRITTEN	2		/* has blocks, but reads as zeroes */
struct ext_map {
	ext_lblk_t		lblk;
	u32			len;		/* at least 1 */
	unsigned int		flags;		/* EXT_MAP_*, 0: a hole */
	ext_pblk_t		pblk;
};

struct ext_inode {
	__le32			data[EXT_N_BLOCKS];	/* [data_sem] i_block; a short link's target [I] */
	u32			flags;		/* [i_rwsem] EXT_*_FL */
	u64			file_acl;	/* [xattr_sem] block of extended attributes */
	loff_t			disksize;	/* [data_sem] i_size as the disk has it: data up to there have arrived */
	u32			dtime;		/* [orphan_lock] while an orphan: the next one's number */
	u16			extra_isize;	/* [I] */
	u32			group;		/* [I] where its blocks shall lie */
	u32			csum_seed;	/* [I] */
	struct timespec64	crtime;		/* [I] */
	struct rw_semaphore	data_sem;	/* the block map */
	struct rw_semaphore	xattr_sem;	/* extended attributes */
	spinlock_t		raw_lock;	/* its part of the inode table's buffer */
	struct list_head	orphan;		/* [orphan_lock] fs->orphans */
	atomic_t		map_seq;	/* [a] counts removals from the map */
	atomic_t		delayed;	/* [a] blocks promised to its dirty pages */
	u32			sync_tid, datasync_tid;	/* [-] transaction that changed it last */
	bool			has_ibody_xattr;	/* [xattr_sem] attributes lie in the inode itself */
	struct inode		vfs_inode;
};

static inline struct ext_fs *EXT_FS(const struct super_block *sb) { return sb->s_fs_info; }
static inline struct ext_inode *EXT_I(const struct inode *inode) { return container_of(inode, struct ext_inode, vfs_inode); }
static inline bool has_incompat(const struct ext_fs *fs, u32 f) { return fs->feat_incompat & f; }
static inline bool has_ro_compat(const struct ext_fs *fs, u32 f) { return fs->feat_ro_compat & f; }
static inline bool has_compat(const struct ext_fs *fs, u32 f) { return fs->feat_compat & f; }
static inline bool has_metadata_csum(const struct ext_fs *fs) { return has_ro_compat(fs, RO_COMPAT_METADATA_CSUM); }
static inline bool has_group_csum(const struct ext_fs *fs)
{
	return has_ro_compat(fs, RO_COMPAT_METADATA_CSUM | RO_COMPAT_GDT_CSUM);
}
static inline bool ext_has_inline(const struct inode *inode) { return READ_ONCE(EXT_I(inode)->flags) & EXT_INLINE_DATA_FL; }
/* Its data go through the journal: jdata.c. */
static inline bool ext_journals_data(const struct inode *inode)
{
	const struct ext_fs *fs = EXT_FS(inode->i_sb);

	return unlikely(fs->opt.data_mode == EXT_DATA_JOURNAL || READ_ONCE(EXT_I(inode)->flags) & EXT_JOURNAL_DATA_FL) &&
	       fs->journal && S_ISREG(inode->i_mode);
}
/* The log may hold its blocks: when they are freed, they must be revoked. */
static inline bool ext_blocks_are_logged(const struct inode *inode)
{
	return !S_ISREG(inode->i_mode) || ext_journals_data(inode);
}
static inline bool is_extents(const struct inode *inode) { return EXT_I(inode)->flags & EXT_EXTENTS_FL; }
static inline u64 make64(u32 hi, u32 lo) { return (u64)hi << 32 | lo; }
/* Blocks that `bytes` need. */
static inline u64 blocks_of(const struct super_block *sb, u64 bytes)
{
	return (bytes + sb->s_blocksize - 1) >> sb->s_blocksize_bits;
}

/* ---- super.c: errors ---- */
/* The disk holds what cannot be.  Says so and does what errors= wants: usually the file system becomes read-only. */
void ext_error(struct super_block *sb, const char *fmt, ...) __printf(2, 3);
void ext_std_error(struct super_block *sb, int err);	/* for -errno that a change ended with */

/* ---- csum.c ---- */
u32 ext_csum(u32 crc, const void *data, size_t len);
u32 ext_inode_seed(const struct ext_fs *fs, u32 ino, u32 generation);
bool ext_inode_csum_ok(const struct ext_fs *fs, u32 ino, const struct ext_raw_inode *raw);
void ext_inode_csum_set(const struct ext_fs *fs, u32 ino, struct ext_raw_inode *raw);
bool ext_super_csum_ok(const struct ext_super_block *es);
void ext_super_csum_set(struct ext_super_block *es);
bool ext_group_csum_ok(const struct ext_fs *fs, u32 group, const struct ext_group_desc *gd);
void ext_group_csum_set(const struct ext_fs *fs, u32 group, struct ext_group_desc *gd);
bool ext_bitmap_csum_ok(const struct ext_fs *fs, const struct ext_group_desc *gd, const void *map, bool inodes);
void ext_bitmap_csum_set(const struct ext_fs *fs, struct ext_group_desc *gd, const void *map, bool inodes);
bool ext_extent_csum_ok(const struct inode *inode, const void *block);
void ext_extent_csum_set(const struct inode *inode, void *block);
bool ext_dirent_csum_ok(const struct inode *dir, const void *block);
void ext_dirent_csum_set(const struct inode *dir, void *block);
bool ext_dx_csum_ok(const struct inode *dir, const void *block, const struct ext_dx_countlimit *cl);
void ext_dx_csum_set(const struct inode *dir, void *block, struct ext_dx_countlimit *cl);
u32 ext_xattr_csum(const struct inode *inode, u64 block, const struct ext_xattr_header *h);

/* ---- group.c ---- */
int ext_read_groups(struct ext_fs *fs);		/* all descriptors, as they are */
int ext_check_groups(struct ext_fs *fs);	/* ... once the journal is replayed */
void ext_free_groups(struct ext_fs *fs);
struct ext_group_desc *ext_gd(const struct ext_fs *fs, u32 group, struct buffer_head **bh);
u64 gd_block_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd);
u64 gd_inode_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd);
u64 gd_inode_table(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 gd_free_blocks(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 gd_free_inodes(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 gd_used_dirs(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 gd_itable_unused(const struct ext_fs *fs, const struct ext_group_desc *gd);
void gd_set_free_blocks(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
void gd_set_free_inodes(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
void gd_set_used_dirs(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
void gd_set_itable_unused(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
bool ext_group_has_super(const struct ext_fs *fs, u32 group);
u32 ext_group_base_meta(const struct ext_fs *fs, u32 group);	/* blocks of super block and descriptors at its start */
u32 ext_blocks_in_group(const struct ext_fs *fs, u32 group);
static inline u64 ext_group_first(const struct ext_fs *fs, u32 group)
{
	return (u64)group * fs->blocks_per_group + fs->first_data_block;
}
static inline u32 ext_group_of(const struct ext_fs *fs, u64 block)
{
	return (u32)((block - fs->first_data_block) / fs->blocks_per_group);
}
/* [block, block + len) lies in the file system and not over its first metadata. */
bool ext_blocks_valid(const struct ext_fs *fs, u64 block, u64 len);

/* ---- journal.c: a change is made between ext_start() and ext_stop(); without a journal these write at once ---- */
#define CREDITS_INODE	4			/* its inode and what the super block needs */
#define CREDITS_MAP	40			/* one run into or out of a block map */
#define CREDITS_NAME	60			/* one name into or out of a directory */
#define CREDITS_XATTR	20
struct jbd_handle *ext_start(struct super_block *sb, unsigned int credits);	/* ERR_PTR(-EROFS, -ENOMEM).  May sleep long */
int ext_stop(struct super_block *sb, struct jbd_handle *handle);
int ext_access(struct jbd_handle *handle, struct buffer_head *bh);	/* before a buffer's contents change */
int ext_access_new(struct jbd_handle *handle, struct buffer_head *bh);	/* ... which held nothing of worth */
int ext_dirty(struct jbd_handle *handle, struct buffer_head *bh);	/* after it */
void ext_forget(struct jbd_handle *handle, struct super_block *sb, u64 block);	/* a block of metadata is freed */
/* fn(fs, block, len) once the handle's transaction has committed. */
int ext_after_commit(struct jbd_handle *handle, struct ext_fs *fs, u64 block, u32 len);
void ext_blocks_reusable(void *fs, u64 block, u32 len);			/* that fn: balloc.c */
int ext_journal_load(struct ext_fs *fs);
int ext_force_commit(struct super_block *sb);
void ext_note_change(struct jbd_handle *handle, struct inode *inode, bool data);	/* for fsync */

/* ---- bitmap.c ---- */
struct buffer_head *ext_read_block_bitmap(struct ext_fs *fs, u32 group);	/* group lock held; ERR_PTR */
struct buffer_head *ext_read_inode_bitmap(struct ext_fs *fs, u32 group);

/* ---- balloc.c ---- */
/*
 * Claims up to *len blocks in a row near goal, in memory only.  *len becomes what was got.  reserved: they were promised
 * before (ext_reserve), so the caller has a right to them.  The first block, or 0 and *err.
 */
ext_pblk_t ext_claim_blocks(struct ext_fs *fs, ext_pblk_t goal, u32 *len, bool reserved, int *err);
void ext_unclaim_blocks(struct ext_fs *fs, ext_pblk_t block, u32 len);
int ext_commit_blocks(struct jbd_handle *handle, struct ext_fs *fs, ext_pblk_t block, u32 len);	/* claimed -> used */
int ext_free_blocks(struct jbd_handle *handle, struct inode *inode, ext_pblk_t block, u32 len, bool metadata);
/* One block for metadata, zeroed, with access got; or ERR_PTR. */
struct buffer_head *ext_new_meta_block(struct jbd_handle *handle, struct inode *inode, ext_pblk_t goal);
ext_pblk_t ext_inode_goal(const struct inode *inode);	/* where its first block should lie */
bool ext_has_free(struct ext_fs *fs, u32 blocks);	/* beyond what is promised and kept back */
int ext_reserve(struct ext_fs *fs, u32 blocks);		/* for delayed data.  0, -ENOSPC */
void ext_unreserve(struct ext_fs *fs, u32 blocks);
u64 ext_root_reserve(const struct ext_fs *fs);
int ext_load_map(struct ext_fs *fs, u32 group);		/* group lock held: fs->groups[group].map is there.  0 or -errno */

/* ---- trim.c ---- */
struct fstrim_range;
int ext_discard_blocks(struct ext_fs *fs, u64 block, u64 len);
long ext_ioctl_trim(struct super_block *sb, struct fstrim_range __user *arg);

/* ---- ialloc.c ---- */
struct inode *ext_new_inode(struct jbd_handle *handle, struct inode *dir, umode_t mode, const struct qstr *name);
void ext_free_inode(struct jbd_handle *handle, struct inode *inode);
void ext_init_itables(struct ext_fs *fs, struct task_struct *self);

/* ---- extents.c, extents_change.c ---- */
void ext_ext_init(struct inode *inode);
int ext_ext_lookup(struct inode *inode, struct ext_map *map);
int ext_ext_insert(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map);
int ext_ext_convert(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk, u32 len);
/* Frees the last extent or part of one within [from, to).  1: there may be more; 0 or -errno. */
int ext_ext_remove_some(struct jbd_handle *handle, struct inode *inode, ext_lblk_t from, u64 to);

/* ---- indirect.c ---- */
int ext_ind_lookup(struct inode *inode, struct ext_map *map);
int ext_ind_insert(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map);
int ext_ind_remove_some(struct jbd_handle *handle, struct inode *inode, ext_lblk_t from, u64 to);

/* ---- map.c ---- */
int ext_map_lookup(struct inode *inode, struct ext_map *map);	/* lblk and len given; takes data_sem */
int ext_map_insert(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map);	/* a hole gets blocks */
int ext_map_convert(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk, u32 len);	/* unwritten -> written */
int ext_map_remove(struct inode *inode, ext_lblk_t from, u64 to);	/* frees [from, to); makes handles of its own */
ext_pblk_t ext_map_goal(struct inode *inode, ext_lblk_t lblk);	/* where a block for lblk should lie */
u64 ext_max_size(const struct inode *inode);	/* bytes that a file may have */
u64 ext_max_size_of(const struct ext_fs *fs, bool extents);
/* Block lblk of a directory or a link, read (create: made, if it is a hole).  NULL: a hole; ERR_PTR. */
struct buffer_head *ext_bread(struct inode *inode, ext_lblk_t lblk);
struct buffer_head *ext_append(struct jbd_handle *handle, struct inode *inode, ext_lblk_t lblk);

/* ---- jdata.c ---- */
int ext_jdata_log(struct page *page, unsigned int from, unsigned int to, loff_t size);
int ext_jdata_readpage(struct inode *inode, struct page *page);
int ext_jdata_set(struct inode *inode, bool on);

/* ---- inode.c ---- */
struct inode *ext_iget(struct super_block *sb, unsigned long ino);	/* ERR_PTR(-ESTALE, -EUCLEAN, -EIO) */
struct buffer_head *ext_raw_inode(struct inode *inode, struct ext_raw_inode **raw);	/* ERR_PTR */
int ext_write_inode_to(struct jbd_handle *handle, struct inode *inode);	/* all of it, as part of the handle */
void ext_dirty_inode(struct inode *inode, int flags);
int ext_super_write_inode(struct inode *inode, struct writeback_control *wbc);
void ext_evict_inode(struct inode *inode);
void ext_set_vfs_flags(struct inode *inode);
void ext_set_ops(struct inode *inode);
int ext_setattr(struct dentry *dentry, struct iattr *attr);
int ext_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
int ext_truncate(struct inode *inode);			/* blocks behind i_size go */
bool ext_is_fast_symlink(const struct inode *inode);

/* ---- orphan.c ---- */
int ext_orphan_add(struct jbd_handle *handle, struct inode *inode);
int ext_orphan_del(struct jbd_handle *handle, struct inode *inode);	/* handle NULL: in memory only */
void ext_orphan_cleanup(struct ext_fs *fs);
bool ext_orphan_clean_one(struct ext_fs *fs, u32 ino);	/* one that is not on the list */
int ext_orphan_file_cleanup(struct ext_fs *fs);	/* orphan_file.c */

/* ---- dir.c ---- */
extern const struct file_operations ext_dir_fops;
struct buffer_head *ext_read_dir_block(struct inode *dir, ext_lblk_t lblk);	/* checked; ERR_PTR */
bool ext_dirent_ok(const struct inode *dir, const struct ext_dirent *de, const struct buffer_head *bh);
u32 ext_dir_end(const struct inode *dir);		/* bytes of a block that entries use */
u8 ext_file_type(umode_t mode);
unsigned int ext_d_type(const struct inode *dir, u8 file_type);	/* as readdir gives it */
void ext_set_entry_inode(const struct inode *dir, struct ext_dirent *de, const struct inode *inode);
/* Into an entry that has room behind its own name, if it has one. */
void ext_fill_entry(const struct inode *dir, struct ext_dirent *de, const struct qstr *name, const struct inode *inode);
void ext_put_dots(const struct inode *dir, struct buffer_head *bh, u32 parent, u32 dotdot_len);
void ext_stretch_last(struct buffer_head *bh, u32 used, u32 end);	/* the entry that ends at `used` ends at `end` */
/* Finds a name.  The buffer it lies in, and *de; NULL: not there; ERR_PTR. */
struct buffer_head *ext_find_entry(struct inode *dir, const struct qstr *name, struct ext_dirent **de);
struct buffer_head *ext_find_linear(struct inode *dir, const struct qstr *name, struct ext_dirent **de, ext_lblk_t first,
				    ext_lblk_t end);
struct ext_dirent *ext_search_block(const struct inode *dir, struct buffer_head *bh, const struct qstr *name);
int ext_add_entry(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode);
int ext_put_entry(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh, const struct qstr *name,
		  struct inode *inode);		/* into this block: -ENOSPC when it is full */
int ext_delete_entry(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh, struct ext_dirent *de);
void ext_init_dir_block(const struct inode *dir, struct buffer_head *bh, u32 from);
int ext_dirty_dir_block(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh);
int ext_dir_empty(struct inode *dir);			/* 1, 0 or -errno */
void ext_dir_changed(struct inode *dir);

/* ---- hash.c, htree.c ---- */
struct ext_hash {
	u32	major, minor;
};
int ext_dirhash(const struct ext_fs *fs, u8 version, const char *name, size_t len, struct ext_hash *hash);
/* -EINVAL: the index is of no use, look through all blocks. */
struct buffer_head *ext_dx_find(struct inode *dir, const struct qstr *name, struct ext_dirent **de);
int ext_dx_add(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode);
int ext_dirty_root_block(struct jbd_handle *handle, struct inode *dir, struct buffer_head *bh);	/* block 0 */
int ext_dx_make(struct jbd_handle *handle, struct inode *dir, const struct qstr *name, struct inode *inode);
/* For readdir in order of hash: the leaf that holds `hash`, and the least hash of the one behind it in *next (0: none). */
struct buffer_head *ext_dx_leaf(struct inode *dir, u32 hash, u32 *next, u8 *version);

/* ---- the rest ---- */
extern const struct inode_operations ext_file_iops, ext_dir_iops, ext_symlink_iops, ext_fast_symlink_iops, ext_special_iops;
extern const struct file_operations ext_file_fops;
extern const struct address_space_operations ext_aops;
extern const struct xattr_handler *ext_xattr_handlers[];
/* aops.c: what is known of each block of a page: page->private, bits from 0 and from 8. */
/* The promise is kept; placed: and entered into the map.  Under write-back. */
void ext_block_written(struct page *page, unsigned int block, bool placed);
void ext_block_lost(struct page *page, unsigned int block);	/* there was no room after all */
bool ext_block_promised(const struct page *page, unsigned int block);
struct block_map;
ssize_t ext_direct_IO(struct kiocb *iocb, struct iov_iter *iter);
int ext_get_block_to_read(struct inode *inode, sector_t iblock, unsigned int max, struct block_map *out, bool create);
int ext_writepages(struct address_space *mapping, struct writeback_control *wbc);
int ext_writeback_init(void);
vm_fault_t ext_page_mkwrite(struct vm_fault *vmf);
int ext_zero_range_in_page(struct inode *inode, loff_t from, loff_t to);
int ext_allocate_unwritten(struct inode *inode, loff_t offset, loff_t len);	/* holes get blocks that read as zeroes */
long ext_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
struct fiemap_extent_info;
int ext_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len);
int ext_fileattr_get(struct dentry *dentry, u32 *flags);
int ext_fileattr_set(struct dentry *dentry, u32 flags);
int ext_sync_file(struct file *file, loff_t start, loff_t end, int datasync);
ssize_t ext_listxattr(struct dentry *dentry, char *buf, size_t size);
int ext_xattr_get(struct inode *inode, u8 index, const char *name, void *buf, size_t size);	/* size 0: how long it is */
int ext_xattr_set_in(struct jbd_handle *handle, struct inode *inode, u8 index, const char *name, const void *value,
		     size_t size, int flags);		/* value NULL: removed */
struct posix_acl *ext_get_acl(struct inode *inode, int type);
int ext_set_acl(struct inode *inode, struct posix_acl *acl, int type);
int ext_init_acls(struct jbd_handle *handle, struct inode *inode, struct posix_acl *def, struct posix_acl *acl);
int ext_xattr_room(struct inode *inode, u8 index, const char *name);
/* Its value in the raw inode, and its length; NULL: it is not there. */
char *ext_xattr_find_in_inode(struct inode *inode, struct ext_raw_inode *raw, u8 index, const char *name,
			      struct ext_xattr_entry **entry, u32 *size);
int ext_xattr_drop_block(struct jbd_handle *handle, struct inode *inode);	/* the inode goes */
int ext_parse_options(struct ext_options *opt, char *text);
int ext_show_options(struct seq_file *m, struct dentry *root);

#endif
