/*
 * ext_disk.h: what ext2, ext3 and ext4 look like on a disk.
 *
 * All numbers are little-endian, as the processor's; a 64-bit quantity often lies in two places, low half first.
 * See:     the kernel.org wiki "Ext4 Disk Layout"; doc/ext.md
 */
#ifndef WEFT_EXT_DISK_H
#define WEFT_EXT_DISK_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/bug.h>

#define EXT_SUPER_MAGIC		0xef53
#define EXT_SB_OFFSET		1024
#define EXT_ROOT_INO		2
#define EXT_JOURNAL_INO		8
#define EXT_NAME_LEN		255
#define EXT_MIN_BLOCK_LOG	10
#define EXT_GOOD_OLD_INODE_SIZE	128
#define EXT_N_BLOCKS		15		/* words of i_block */
#define EXT_NDIR		12		/* direct blocks of the old map */

/* s_state */
#define EXT_VALID_FS		1		/* cleanly unmounted */
#define EXT_ERROR_FS		2
#define EXT_ORPHAN_FS		4

/* s_errors */
#define EXT_ERRORS_CONTINUE	1
#define EXT_ERRORS_RO		2
#define EXT_ERRORS_PANIC	3

#define COMPAT_HAS_JOURNAL	0x0004
#define COMPAT_EXT_ATTR		0x0008
#define COMPAT_RESIZE_INODE	0x0010
#define COMPAT_DIR_INDEX	0x0020
#define COMPAT_SPARSE_SUPER2	0x0200
#define COMPAT_ORPHAN_FILE	0x1000

#define INCOMPAT_FILETYPE	0x0002
#define INCOMPAT_RECOVER	0x0004		/* the journal holds what is not yet in its place */
#define INCOMPAT_META_BG	0x0010
#define INCOMPAT_EXTENTS	0x0040
#define INCOMPAT_64BIT		0x0080
#define INCOMPAT_FLEX_BG	0x0200
#define INCOMPAT_CSUM_SEED	0x2000
#define INCOMPAT_LARGEDIR	0x4000
#define INCOMPAT_INLINE_DATA	0x8000
#define INCOMPAT_KNOWN		(INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG | INCOMPAT_EXTENTS | INCOMPAT_64BIT | \
				 INCOMPAT_FLEX_BG | INCOMPAT_CSUM_SEED | INCOMPAT_LARGEDIR | INCOMPAT_INLINE_DATA)

#define RO_COMPAT_SPARSE_SUPER	0x0001
#define RO_COMPAT_LARGE_FILE	0x0002
#define RO_COMPAT_HUGE_FILE	0x0008
#define RO_COMPAT_GDT_CSUM	0x0010
#define RO_COMPAT_DIR_NLINK	0x0020
#define RO_COMPAT_EXTRA_ISIZE	0x0040
#define RO_COMPAT_BIGALLOC	0x0200
#define RO_COMPAT_METADATA_CSUM	0x0400
#define RO_COMPAT_ORPHAN_PRESENT 0x10000	/* the orphan file is not empty */
/* What we may write to; with others the file system is read-only. */
#define RO_COMPAT_KNOWN		(RO_COMPAT_SPARSE_SUPER | RO_COMPAT_LARGE_FILE | RO_COMPAT_HUGE_FILE | RO_COMPAT_GDT_CSUM | \
				 RO_COMPAT_DIR_NLINK | RO_COMPAT_EXTRA_ISIZE | RO_COMPAT_METADATA_CSUM | \
				 RO_COMPAT_ORPHAN_PRESENT)

struct ext_super_block {
	__le32	s_inodes_count, s_blocks_count_lo, s_r_blocks_count_lo, s_free_blocks_count_lo;
	__le32	s_free_inodes_count, s_first_data_block, s_log_block_size, s_log_cluster_size;
	__le32	s_blocks_per_group, s_clusters_per_group, s_inodes_per_group, s_mtime;
	__le32	s_wtime;
	__le16	s_mnt_count, s_max_mnt_count, s_magic, s_state, s_errors, s_minor_rev_level;
	__le32	s_lastcheck, s_checkinterval, s_creator_os, s_rev_level;
	__le16	s_def_resuid, s_def_resgid;
	__le32	s_first_ino;
	__le16	s_inode_size, s_block_group_nr;
	__le32	s_feature_compat, s_feature_incompat, s_feature_ro_compat;
	u8	s_uuid[16];
	char	s_volume_name[16], s_last_mounted[64];
	__le32	s_algorithm_usage_bitmap;
	u8	s_prealloc_blocks, s_prealloc_dir_blocks;
	__le16	s_reserved_gdt_blocks;
	u8	s_journal_uuid[16];
	__le32	s_journal_inum, s_journal_dev, s_last_orphan;
	__le32	s_hash_seed[4];
	u8	s_def_hash_version, s_jnl_backup_type;
	__le16	s_desc_size;
	__le32	s_default_mount_opts, s_first_meta_bg, s_mkfs_time;
	__le32	s_jnl_blocks[17];
	__le32	s_blocks_count_hi, s_r_blocks_count_hi, s_free_blocks_count_hi;
	__le16	s_min_extra_isize, s_want_extra_isize;
	__le32	s_flags;
	__le16	s_raid_stride, s_mmp_interval;
	__le64	s_mmp_block;
	__le32	s_raid_stripe_width;
	u8	s_log_groups_per_flex, s_checksum_type;
	__le16	s_reserved_pad;
	__le64	s_kbytes_written;
	__le32	s_snapshot[5];
	__le32	s_error_count, s_first_error_time, s_first_error_ino;
	__le64	s_first_error_block;
	u8	s_first_error_func[32];
	__le32	s_first_error_line, s_last_error_time, s_last_error_ino, s_last_error_line;
	__le64	s_last_error_block;
	u8	s_last_error_func[32];
	u8	s_mount_opts[64];
	__le32	s_usr_quota_inum, s_grp_quota_inum, s_overhead_clusters;
	__le32	s_backup_bgs[2];
	u8	s_encrypt_algos[4], s_encrypt_pw_salt[16];
	__le32	s_lpf_ino, s_prj_quota_inum, s_checksum_seed;
	u8	s_time_hi[8];
	__le16	s_encoding, s_encoding_flags;
	__le32	s_orphan_file_inum, s_reserved[94];
	__le32	s_checksum;
} __packed;
static_assert(sizeof(struct ext_super_block) == 1024);

/* s_default_mount_opts: of these bits one value counts here */
#define EXT_DEFM_DATA_MODE	0x0060
#define EXT_DEFM_DATA_JOURNAL	0x0020

/* s_flags: which "char" the directory hash was computed with. */
#define EXT_FLAGS_SIGNED_HASH	1
#define EXT_FLAGS_UNSIGNED_HASH	2

struct ext_group_desc {
	__le32	bg_block_bitmap_lo, bg_inode_bitmap_lo, bg_inode_table_lo;
	__le16	bg_free_blocks_lo, bg_free_inodes_lo, bg_used_dirs_lo, bg_flags;
	__le32	bg_exclude_bitmap_lo;
	__le16	bg_block_bitmap_csum_lo, bg_inode_bitmap_csum_lo, bg_itable_unused_lo, bg_checksum;
	/* from here on with 64bit only */
	__le32	bg_block_bitmap_hi, bg_inode_bitmap_hi, bg_inode_table_hi;
	__le16	bg_free_blocks_hi, bg_free_inodes_hi, bg_used_dirs_hi, bg_itable_unused_hi;
	__le32	bg_exclude_bitmap_hi;
	__le16	bg_block_bitmap_csum_hi, bg_inode_bitmap_csum_hi;
	__le32	bg_reserved;
} __packed;
static_assert(sizeof(struct ext_group_desc) == 64);
#define EXT_DESC_SIZE_OLD	32

/* bg_flags */
#define BG_INODE_UNINIT		1		/* no inode in use: bitmap and table hold nothing */
#define BG_BLOCK_UNINIT		2		/* the block bitmap is what the layout says */
#define BG_INODE_ZEROED		4		/* the unused inodes of the table are zeroes */

struct ext_raw_inode {
	__le16	i_mode, i_uid_lo;
	__le32	i_size_lo, i_atime, i_ctime, i_mtime, i_dtime;
	__le16	i_gid_lo, i_links_count;
	__le32	i_blocks_lo, i_flags, i_version;
	__le32	i_block[EXT_N_BLOCKS];
	__le32	i_generation, i_file_acl_lo, i_size_high, i_obso_faddr;
	__le16	i_blocks_high, i_file_acl_high, i_uid_high, i_gid_high, i_checksum_lo, i_reserved;
	/* 128 bytes so far; the rest as far as i_extra_isize reaches */
	__le16	i_extra_isize, i_checksum_hi;
	__le32	i_ctime_extra, i_mtime_extra, i_atime_extra, i_crtime, i_crtime_extra, i_version_hi, i_projid;
} __packed;
static_assert(sizeof(struct ext_raw_inode) == 160);

/* i_flags: the FS_*_FL of ioctl(2), and */
#define EXT_SYNC_FL		0x00000008
#define EXT_IMMUTABLE_FL	0x00000010
#define EXT_APPEND_FL		0x00000020
#define EXT_NODUMP_FL		0x00000040
#define EXT_NOATIME_FL		0x00000080
#define EXT_JOURNAL_DATA_FL	0x00004000	/* jdata.c */
#define EXT_INDEX_FL		0x00001000	/* a directory with a hash index */
#define EXT_DIRSYNC_FL		0x00010000
#define EXT_TOPDIR_FL		0x00020000
#define EXT_HUGE_FILE_FL	0x00040000	/* i_blocks counts blocks, not sectors */
#define EXT_EXTENTS_FL		0x00080000
#define EXT_EA_INODE_FL		0x00200000
#define EXT_INLINE_DATA_FL	0x10000000
#define EXT_FL_USER_VISIBLE	0x304bdfff
#define EXT_FL_USER_MODIFIABLE	0x0003c0ff
#define EXT_FL_INHERITED	(EXT_SYNC_FL | EXT_NODUMP_FL | EXT_NOATIME_FL | EXT_DIRSYNC_FL | EXT_JOURNAL_DATA_FL)

/* ---- extents: a B+ tree, whose root is i_block ---- */
#define EXT_EXTENT_MAGIC	0xf30a
#define EXT_MAX_DEPTH		5
#define EXT_INIT_MAX_LEN	32768		/* ee_len above: unwritten, by so much */
#define EXT_UNWRITTEN_MAX_LEN	32767

struct ext_extent_header {
	__le16	eh_magic, eh_entries, eh_max, eh_depth;
	__le32	eh_generation;
} __packed;

struct ext_extent {				/* of a leaf */
	__le32	ee_block;
	__le16	ee_len, ee_start_hi;
	__le32	ee_start_lo;
} __packed;

struct ext_extent_idx {				/* of an inner node */
	__le32	ei_block, ei_leaf_lo;
	__le16	ei_leaf_hi, ei_unused;
} __packed;
static_assert(sizeof(struct ext_extent) == 12 && sizeof(struct ext_extent_idx) == 12);

/* ---- directories ---- */
struct ext_dirent {
	__le32	inode;				/* 0: unused */
	__le16	rec_len;			/* to the next one */
	u8	name_len, file_type;
	char	name[];
} __packed;
#define EXT_DIR_REC_LEN(len)	(((len) + 8 + 3) & ~3u)

/* At the end of each block when there are checksums; to others it looks like an unused entry. */
struct ext_dirent_tail {
	__le32	zero1;
	__le16	rec_len;			/* 12 */
	u8	zero2, fake_type;		/* 0xde */
	__le32	checksum;
} __packed;
#define EXT_FT_DIR_CSUM		0xde

/* The hash index: block 0 of the directory begins with "." and "..", then this; inner nodes begin with an unused entry. */
struct ext_dx_info {
	__le32	reserved_zero;
	u8	hash_version, info_length, indirect_levels, unused_flags;
} __packed;
struct ext_dx_entry {
	__le32	hash, block;			/* hash of the first: instead of it count and limit */
} __packed;
struct ext_dx_countlimit {
	__le16	limit, count;
} __packed;
struct ext_dx_tail {
	__le32	reserved, checksum;
} __packed;

#define DX_HASH_LEGACY		0
#define DX_HASH_HALF_MD4	1
#define DX_HASH_TEA		2
#define DX_HASH_UNSIGNED	3		/* added to the three above */

/* ---- extended attributes ---- */
#define EXT_XATTR_MAGIC		0xea020000
#define EXT_XATTR_USER		1		/* e_name_index: stands for the prefix */
#define EXT_XATTR_ACL_ACCESS	2		/* these two have no name behind it */
#define EXT_XATTR_ACL_DEFAULT	3
#define EXT_XATTR_TRUSTED	4
#define EXT_XATTR_SECURITY	6
#define EXT_XATTR_SYSTEM	7		/* "data": what of inline data does not fit into i_block */
#define EXT_INLINE_NAME		"data"
#define EXT_INLINE_MIN		(EXT_N_BLOCKS * 4)
struct ext_xattr_header {			/* of a block; within an inode there is h_magic only */
	__le32	h_magic, h_refcount, h_blocks, h_hash, h_checksum, h_reserved[3];
} __packed;
struct ext_xattr_entry {
	u8	e_name_len, e_name_index;
	__le16	e_value_offs;
	__le32	e_value_inum, e_value_size, e_hash;
	char	e_name[];
} __packed;

#endif
