/*
 * shmem_fs.h: tmpfs: files whose only home is the page cache.  Also behind shared anonymous mappings and memfd.
 *
 * See: spec.md §10 "memory file systems"; kernel/fs/tmpfs/shmem.c, shmem_fs.c
 */
#ifndef WEFT_SHMEM_FS_H
#define WEFT_SHMEM_FS_H

#include <weft/fs.h>
#include <weft/pagemap.h>
#include <weft/xattr.h>

struct shmem_inode_info {
	unsigned int		seals;		/* F_SEAL_* [i_rwsem] */
	unsigned long		flags;		/* VM_NORESERVE: its size is not promised, but each page when it comes [I] */
	unsigned long		alloced;	/* pages charged to the file, in memory or not [i_lock] */
	unsigned long		swapped;	/* those of them that are in swap [i_lock] */
	struct swap_readahead	swap_ra;	/* [-] */
	struct list_head	swaplist;	/* files that swapoff looks through [swaplist_lock] */
	struct simple_xattrs	xattrs;
	struct inode		vfs_inode;
};

struct shmem_sb_info {
	unsigned long		max_blocks;	/* pages; 0: no limit [stat_lock] */
	atomic_long_t		used_blocks;	/* [a] */
	unsigned long		max_inodes;	/* 0: no limit [stat_lock] */
	unsigned long		free_inodes;	/* [stat_lock] */
	spinlock_t		stat_lock;
	umode_t			mode;		/* of the root directory [I] */
	kuid_t			uid;
	kgid_t			gid;
};

static inline struct shmem_inode_info *SHMEM_I(const struct inode *inode)
{
	return container_of(inode, struct shmem_inode_info, vfs_inode);
}
static inline struct shmem_sb_info *SHMEM_SB(const struct super_block *sb) { return sb->s_fs_info; }

extern struct file_system_type shmem_fs_type;
extern struct file_system_type rootfs_fs_type_shmem;
extern const struct address_space_operations shmem_aops;
extern const struct file_operations shmem_file_operations;
extern const struct vm_operations_struct shmem_vm_ops;
static inline bool shmem_mapping(const struct address_space *mapping) { return mapping->a_ops == &shmem_aops; }

int shmem_init(void);			/* from mnt_init(), when mounts can be made */
int shmem_fill_super(struct super_block *sb, void *data, int silent);	/* data: mount options, or NULL */
/* A file of `size` bytes without a name in any directory.  VM_NORESERVE: its pages are not promised.  ERR_PTR on error. */
struct file *shmem_file_setup(const char *name, loff_t size, unsigned long flags);
struct file *shmem_kernel_file_setup(const char *name, loff_t size, unsigned long flags);
/* Puts such a file behind a shared anonymous mapping.  0 or -errno; mmap_lock held for writing. */
int shmem_zero_setup(struct vm_area_struct *vma);
/* How shmem_get_page() treats a hole. */
enum sgp_type {
	SGP_READ,				/* NULL for a hole */
	SGP_CACHE,				/* a zeroed page, i_size checked */
	SGP_WRITE,				/* a page that the caller fills: may not be up to date, beyond i_size */
	SGP_FALLOC,				/* like WRITE, for fallocate */
};
/* The page at index, locked and with a reference, or *pagep NULL.  0, -ENOMEM, -ENOSPC, -EINVAL (beyond i_size). */
int shmem_get_page(struct inode *inode, pgoff_t index, struct page **pagep, enum sgp_type sgp);
/* Bytes [start, end], end inclusive (-1: all), become a hole; the caller has unmapped them.  Private copies stay. */
void shmem_truncate_range(struct inode *inode, loff_t start, loff_t end);
/* Promises what a file of `size` bytes may need, or takes the promise back.  0 or -ENOMEM. */
int shmem_acct_size(unsigned long flags, loff_t size);
void shmem_unacct_size(unsigned long flags, loff_t size);
int shmem_reacct_size(unsigned long flags, loff_t oldsize, loff_t newsize);

/* ---- shmem_swap.c ---- */
bool shmem_swap_out(struct page *page);		/* a_ops->swap_out */
/*
 * The page whose slot `value` stands at index comes back, locked, with a reference; *major: it had to be read.
 * 0, -EEXIST: something else stands there now, look again; -ENOMEM, -EIO.
 */
int shmem_swap_in(struct inode *inode, pgoff_t index, void *value, struct page **pagep, bool *major);
bool shmem_forget_swapped(struct inode *inode, pgoff_t index, void *value);	/* the slot is free.  False: look again */
int shmem_unuse(unsigned int type);		/* swapoff: all pages come back.  0, -EINTR, -ENOMEM, -EIO */
void shmem_leave_swaplist(struct inode *inode);	/* it has no pages any more, and nobody can find it */
void shmem_set_unevictable(struct inode *inode, bool unevictable);	/* SHM_LOCK, SHM_UNLOCK */
unsigned long shmem_swap_usage(struct vm_area_struct *vma);	/* bytes in swap of the part that the area maps */
/* memfd: F_ADD_SEALS, F_GET_SEALS.  -EINVAL for a file that has none. */
long memfd_fcntl(struct file *file, unsigned int cmd, unsigned long arg);
unsigned int *memfd_file_seals_ptr(struct file *file);

#endif
