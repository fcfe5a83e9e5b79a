/*
 * fs.h: the virtual file system: super_block, inode, file, address_space and the tables of functions behind them.
 *
 * Idea:    a file system gives four tables: super_operations (the whole), inode_operations (names and attributes),
 *          file_operations (an open file), address_space_operations (pages).  Everything else here is common to all.
 *          Names are in dcache.h, mounts in mount.h, paths in namei.h, descriptors in fdtable.h and file.h.
 * Unlike Linux 6.1: no id-mapped mounts, so no mnt_userns arguments (create(dir, dentry, mode, excl), setattr(dentry, attr),
 *          getattr(path, stat, mask, flags), permission(inode, mask)); file_operations have only read_iter and write_iter;
 *          pages, not folios (readpage, set_page_dirty, ...); a file system mounts by file_system_type.mount.
 * Locking: s_umount -> inode->i_rwsem (parent before child, s_vfs_rename_mutex before two) -> dentry->d_lock;
 *          mmap_lock -> mapping->invalidate_lock -> i_mmap_rwsem -> page lock -> i_pages.xa_lock;
 *          inode hash lock, s_inode_list_lock -> inode->i_lock -> dentry->d_lock, LRU locks.  Keys as in sched.h.
 * See:     spec.md §10; doc/files.md
 */
#ifndef WEFT_FS_H
#define WEFT_FS_H

#include <weft/errseq.h>
#include <weft/fs_flags.h>
#include <weft/types.h>
#include <weft/errno.h>
#include <weft/err.h>
#include <weft/list.h>
#include <weft/llist.h>
#include <weft/xarray.h>
#include <weft/rbtree.h>
#include <weft/atomic.h>
#include <weft/refcount.h>
#include <weft/spinlock.h>
#include <weft/rwlock.h>
#include <weft/mutex.h>
#include <weft/rwsem.h>
#include <weft/seqlock.h>
#include <weft/time64.h>
#include <weft/pid.h>
#include <weft/kdev_t.h>
#include <weft/path.h>
#include <weft/dcache.h>
#include <weft/stat.h>
#include <weft/shrinker.h>
#include <uapi/fs.h>
#include <uapi/fcntl.h>
#include <uapi/limits.h>
#include <uapi/dirent.h>

struct cred;
struct file_lock;
struct file_lock_context;
struct fsnotify_marks;
struct cdev;
struct pipe_inode_info;
struct poll_table_struct;
struct iov_iter;
struct kstatfs;
struct seq_file;
struct vm_area_struct;
struct writeback_control;
struct readahead_control;
struct page;
struct address_space;
struct kiocb;
struct delayed_call;
struct xattr_handler;
struct mount;
struct nameidata;
struct fiemap_extent_info;
struct io_context;

typedef void *fl_owner_t;

/* ---- attributes to be changed: notify_change() ---- */
#define ATTR_MODE	(1 << 0)
#define ATTR_UID	(1 << 1)
#define ATTR_GID	(1 << 2)
#define ATTR_SIZE	(1 << 3)
#define ATTR_ATIME	(1 << 4)
#define ATTR_MTIME	(1 << 5)
#define ATTR_CTIME	(1 << 6)
#define ATTR_ATIME_SET	(1 << 7)	/* to a given time: only for the owner */
#define ATTR_MTIME_SET	(1 << 8)
#define ATTR_FORCE	(1 << 9)	/* no permission check */
#define ATTR_KILL_SUID	(1 << 11)
#define ATTR_KILL_SGID	(1 << 12)
#define ATTR_FILE	(1 << 13)
#define ATTR_KILL_PRIV	(1 << 14)
#define ATTR_OPEN	(1 << 15)	/* truncation by open(O_TRUNC) */
#define ATTR_TIMES_SET	(1 << 16)
#define ATTR_TOUCH	(1 << 17)

struct iattr {
	unsigned int		ia_valid;	/* ATTR_* */
	umode_t			ia_mode;
	kuid_t			ia_uid;
	kgid_t			ia_gid;
	loff_t			ia_size;
	struct timespec64	ia_atime, ia_mtime, ia_ctime;
	struct file		*ia_file;	/* with ATTR_FILE */
};

/* ---- pages of a file ---- */
#define PAGECACHE_TAG_DIRTY	XA_MARK_0
#define PAGECACHE_TAG_WRITEBACK	XA_MARK_1
#define PAGECACHE_TAG_TOWRITE	XA_MARK_2

/* address_space->flags: bit numbers */
#define AS_EIO			0
#define AS_ENOSPC		1
#define AS_UNEVICTABLE		3
#define AS_EXITING		4

#define AOP_WRITEPAGE_ACTIVATE	0x80000		/* ->writepage(): not now, the page is still locked */
#define AOP_TRUNCATED_PAGE	0x80001		/* ->readpage() unlocked a page that left the file: look again */

struct address_space_operations {
	int (*writepage)(struct page *page, struct writeback_control *wbc);
	int (*readpage)(struct file *file, struct page *page);	/* page locked; unlocks it when done */
	int (*writepages)(struct address_space *mapping, struct writeback_control *wbc);
	int (*set_page_dirty)(struct page *page);
	void (*readahead)(struct readahead_control *rac);
	int (*write_begin)(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			   struct page **pagep, void **fsdata);
	int (*write_end)(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			 unsigned int copied, struct page *page, void *fsdata);
	sector_t (*bmap)(struct address_space *mapping, sector_t block);
	void (*invalidatepage)(struct page *page, unsigned int offset, unsigned int length);
	int (*releasepage)(struct page *page, gfp_t gfp);
	void (*freepage)(struct page *page);
	/* Memory file systems: the page, locked, unmapped and isolated, moves to the swap cache.  False: it stays. */
	bool (*swap_out)(struct page *page);
	ssize_t (*direct_IO)(struct kiocb *iocb, struct iov_iter *iter);
	int (*error_remove_page)(struct address_space *mapping, struct page *page);
};
extern const struct address_space_operations empty_aops;

/* The cached pages of one file and the areas that map it. */
struct address_space {
	struct inode		*host;		/* [I] whose pages */
	struct xarray		i_pages;	/* [r:i_pages.xa_lock] by index; marks: PAGECACHE_TAG_* */
	struct rw_semaphore	invalidate_lock;	/* faults and read-ahead against truncation */
	gfp_t			gfp_mask;	/* [I] */
	atomic_t		i_mmap_writable;	/* [a] shared writable mappings; negative: denied */
	struct rb_root_cached	i_mmap;		/* [i_mmap_rwsem] areas by page offset: an interval tree */
	struct rw_semaphore	i_mmap_rwsem;
	unsigned long		nrpages;	/* [i_pages.xa_lock] */
	pgoff_t			writeback_index;
	const struct address_space_operations *a_ops;	/* [I] */
	unsigned long		flags;		/* [a] AS_* */
	errseq_t		wb_err;		/* [a] */
	spinlock_t		private_lock;	/* for the file system */
	struct list_head	private_list;
	void			*private_data;
};

static inline void i_mmap_lock_write(struct address_space *m) __acquires(&m->i_mmap_rwsem)
{
	down_write(&m->i_mmap_rwsem);
}
static inline void i_mmap_unlock_write(struct address_space *m) __releases(&m->i_mmap_rwsem)
{
	up_write(&m->i_mmap_rwsem);
}
static inline void i_mmap_lock_read(struct address_space *m) __acquires_shared(&m->i_mmap_rwsem)
{
	down_read(&m->i_mmap_rwsem);
}
static inline void i_mmap_unlock_read(struct address_space *m) __releases_shared(&m->i_mmap_rwsem)
{
	up_read(&m->i_mmap_rwsem);
}
static inline int mapping_mapped(const struct address_space *m) { return !RB_EMPTY_ROOT(&m->i_mmap.rb_root); }
static inline int mapping_writably_mapped(const struct address_space *m) { return atomic_read(&m->i_mmap_writable) > 0; }
static inline int mapping_map_writable(struct address_space *m)
{
	return atomic_inc_unless_negative(&m->i_mmap_writable) ? 0 : -EPERM;
}
static inline void mapping_unmap_writable(struct address_space *m) { atomic_dec(&m->i_mmap_writable); }
static inline int mapping_deny_writable(struct address_space *m)
{
	return atomic_dec_unless_positive(&m->i_mmap_writable) ? 0 : -EBUSY;
}
static inline void mapping_allow_writable(struct address_space *m) { atomic_inc(&m->i_mmap_writable); }
static inline bool mapping_tagged(const struct address_space *m, xa_mark_t tag) { return xa_marked(&m->i_pages, tag); }
void address_space_init_once(struct address_space *mapping);
static inline void filemap_invalidate_lock(struct address_space *m) __acquires(&m->invalidate_lock)
{
	down_write(&m->invalidate_lock);
}
static inline void filemap_invalidate_unlock(struct address_space *m) __releases(&m->invalidate_lock)
{
	up_write(&m->invalidate_lock);
}
static inline void filemap_invalidate_lock_shared(struct address_space *m) __acquires_shared(&m->invalidate_lock)
{
	down_read(&m->invalidate_lock);
}
static inline int filemap_invalidate_trylock_shared(struct address_space *m) __cond_acquires_shared(1, &m->invalidate_lock)
	__no_context_analysis	/* conditional */
{
	return down_read_trylock(&m->invalidate_lock);
}
static inline void filemap_invalidate_unlock_shared(struct address_space *m) __releases_shared(&m->invalidate_lock)
{
	up_read(&m->invalidate_lock);
}

/* ---- inode ---- */
#define IOP_FASTPERM	0x0001		/* no ->permission of its own */
#define IOP_LOOKUP	0x0002		/* has ->lookup */
#define IOP_NOFOLLOW	0x0004		/* no ->get_link */
#define IOP_XATTR	0x0008
#define IOP_DEFAULT_READLINK 0x0010

/*
 * A file, whatever its names.  i_count: dentries, and who else asked for it by igrab or iget; iput may sleep.
 */
struct inode {
	/* What a path walk reads. */
	umode_t			i_mode;		/* [i_rwsem] type [I] */
	unsigned short		i_opflags;	/* [i_lock] IOP_*, cached at first use */
	kuid_t			i_uid;		/* [i_rwsem] */
	kgid_t			i_gid;
	unsigned int		i_flags;	/* [i_rwsem] S_* */
	const struct inode_operations *i_op;	/* [I] */
	struct super_block	*i_sb;		/* [I] */
	struct address_space	*i_mapping;	/* [I] i_data, or a device's */
	unsigned long		i_ino;		/* [I] */
	union {
		const unsigned int i_nlink;	/* [i_rwsem] change by set_nlink, inc_nlink, drop_nlink, clear_nlink */
		unsigned int	__i_nlink;
	};
	dev_t			i_rdev;		/* [I] */
	loff_t			i_size;		/* [i_rwsem]; read by i_size_read() */
	struct timespec64	i_atime, i_mtime, i_ctime;	/* [-] two words, a reader may see a mix */
	spinlock_t		i_lock;		/* i_state, i_blocks, i_bytes, i_dentry, i_flctx's birth */
	u8			i_blkbits;
	unsigned short		i_bytes;	/* [i_lock] */
	blkcnt_t_k		i_blocks;	/* [i_lock] of 512 bytes */

	unsigned long		i_state;	/* [i_lock] I_* */
	struct rw_semaphore	i_rwsem;	/* names in a directory; contents and attributes of a file */
	unsigned long		dirtied_when;	/* jiffies */

	struct hlist_node	i_hash;		/* [r:inode_hash_lock] */
	struct list_head	i_io_list;	/* write-back's */
	struct list_head	i_lru;		/* [inode_lru lock] */
	struct list_head	i_sb_list;	/* [s_inode_list_lock] */
	struct list_head	i_wb_list;
	union {
		struct hlist_head i_dentry;	/* [i_lock] d_u.d_alias of its names */
		struct rcu_head	i_rcu;
	};
	atomic64_t		i_version;
	atomic_t		i_count;	/* [a] */
	atomic_t		i_dio_count;	/* [a] direct reads and writes under way that nobody waits for */
	atomic_t		i_writecount;	/* [a] > 0 writers, < 0 being executed: deny_write_access() */
	atomic_t		i_readcount;	/* [a] open for reading only */
	union {
		const struct file_operations *i_fop;	/* [I] */
		void (*free_inode)(struct inode *inode);	/* once it is being freed */
	};
	struct file_lock_context *i_flctx;	/* set once, freed with the inode */
	struct address_space	i_data;
	struct list_head	i_devices;	/* [cdev_lock] */
	union {
		struct pipe_inode_info *i_pipe;	/* [i_lock] a FIFO while it is open */
		struct cdev	*i_cdev;	/* [cdev_lock] */
		const char	*i_link;	/* [I] a symbolic link's target, when it is in memory */
		unsigned int	i_dir_seq;
	};
	u32			i_generation;
	u32			i_fsnotify_mask;	/* [i_lock, read racily] all events that watchers want */
	struct hlist_head	i_fsnotify_marks;	/* [i_lock] inotify watches */
	struct posix_acl	*i_acl, *i_default_acl;	/* [r: posix_acl.h] NULL: none */
	struct hlist_head	i_dnotify;		/* [i_lock] who asked with fcntl(F_NOTIFY) */
	void			*i_private;
};

/* Order of i_rwsem when several are held: see lock_rename(). */
enum inode_i_mutex_lock_class {
	I_MUTEX_NORMAL, I_MUTEX_PARENT, I_MUTEX_CHILD, I_MUTEX_XATTR, I_MUTEX_NONDIR2, I_MUTEX_PARENT2,
};

static inline void inode_lock(struct inode *inode) __acquires(&inode->i_rwsem)
{
	down_write(&inode->i_rwsem);
}
static inline void inode_unlock(struct inode *inode) __releases(&inode->i_rwsem)
{
	up_write(&inode->i_rwsem);
}
static inline void inode_lock_shared(struct inode *inode) __acquires_shared(&inode->i_rwsem)
{
	down_read(&inode->i_rwsem);
}
static inline void inode_unlock_shared(struct inode *inode) __releases_shared(&inode->i_rwsem)
{
	up_read(&inode->i_rwsem);
}
static inline int inode_trylock(struct inode *inode) __cond_acquires(1, &inode->i_rwsem)
	__no_context_analysis	/* conditional */
{
	return down_write_trylock(&inode->i_rwsem);
}
static inline int inode_trylock_shared(struct inode *inode) __cond_acquires_shared(1, &inode->i_rwsem)
	__no_context_analysis	/* conditional */
{
	return down_read_trylock(&inode->i_rwsem);
}
static inline int inode_is_locked(struct inode *inode) { return rwsem_is_locked(&inode->i_rwsem); }
static inline void inode_lock_nested(struct inode *inode, unsigned int subclass) __acquires(&inode->i_rwsem)
{
	down_write_nested(&inode->i_rwsem, subclass);
}
void lock_two_nondirectories(struct inode *a, struct inode *b);
void unlock_two_nondirectories(struct inode *a, struct inode *b);

static inline loff_t i_size_read(const struct inode *inode) { return READ_ONCE(inode->i_size); }
static inline void i_size_write(struct inode *inode, loff_t size) { WRITE_ONCE(inode->i_size, size); }
static inline unsigned int iminor(const struct inode *inode) { return MINOR(inode->i_rdev); }
static inline unsigned int imajor(const struct inode *inode) { return MAJOR(inode->i_rdev); }
static inline unsigned int i_blocksize(const struct inode *inode) { return 1U << inode->i_blkbits; }
static inline kuid_t i_uid_read(const struct inode *inode) { return inode->i_uid; }
static inline kgid_t i_gid_read(const struct inode *inode) { return inode->i_gid; }
static inline void i_uid_write(struct inode *inode, kuid_t uid) { inode->i_uid = uid; }
static inline void i_gid_write(struct inode *inode, kgid_t gid) { inode->i_gid = gid; }
static inline int inode_unhashed(const struct inode *inode) { return hlist_unhashed(&inode->i_hash); }

struct inode_operations {
	/* i_rwsem of dir, read or write */
	struct dentry *(*lookup)(struct inode *dir, struct dentry *dentry, unsigned int flags);
	/* A link's target.  dentry NULL: under RCU, -ECHILD when it must sleep. */
	const char *(*get_link)(struct dentry *dentry, struct inode *inode, struct delayed_call *done);
	int (*permission)(struct inode *inode, int mask);
	int (*readlink)(struct dentry *dentry, char __user *buf, int len);
	int (*create)(struct inode *dir, struct dentry *dentry, umode_t mode, bool excl);
	int (*link)(struct dentry *old, struct inode *dir, struct dentry *dentry);
	int (*unlink)(struct inode *dir, struct dentry *dentry);
	int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target);
	int (*mkdir)(struct inode *dir, struct dentry *dentry, umode_t mode);
	int (*rmdir)(struct inode *dir, struct dentry *dentry);
	int (*mknod)(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev);
	int (*rename)(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
		      unsigned int flags);	/* RENAME_*: -EINVAL for what it does not know */
	int (*setattr)(struct dentry *dentry, struct iattr *attr);
	int (*getattr)(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
	ssize_t (*listxattr)(struct dentry *dentry, char *buf, size_t size);
	/* From disk, with a reference; NULL; ERR_PTR.  And to disk (NULL: no more): keeps i_mode in step.  i_rwsem held. */
	struct posix_acl *(*get_acl)(struct inode *inode, int type);
	int (*set_acl)(struct inode *inode, struct posix_acl *acl, int type);
	int (*update_time)(struct inode *inode, struct timespec64 *time, int flags);
	int (*tmpfile)(struct inode *dir, struct file *file, umode_t mode);	/* ends with finish_open_simple() */
	int (*fileattr_set)(struct dentry *dentry, u32 fs_flags);	/* FS_*_FL */
	int (*fileattr_get)(struct dentry *dentry, u32 *fs_flags);
	int (*fiemap)(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 len);	/* fiemap.h */
};

/* What get_link() wants done when its string is no longer needed. */
struct delayed_call {
	void (*fn)(void *arg);
	void *arg;
};
static inline void set_delayed_call(struct delayed_call *call, void (*fn)(void *), void *arg)
{
	call->fn = fn;
	call->arg = arg;
}
static inline void do_delayed_call(struct delayed_call *call)
{
	if (call->fn)
		call->fn(call->arg);
}
static inline void clear_delayed_call(struct delayed_call *call) { call->fn = NULL; }

/* ---- open files ---- */
struct file_ra_state {
	pgoff_t		start;		/* where the window began */
	unsigned int	size;		/* pages in it */
	unsigned int	async_size;	/* start the next when so many are left */
	unsigned int	ra_pages;	/* largest window */
	unsigned int	mmap_miss;
	loff_t		prev_pos;
};

struct fown_struct {
	rwlock_t	lock;		/* guards the rest */
	struct pid	*pid;		/* who gets SIGIO; a reference */
	enum pid_type	pid_type;
	kuid_t		uid, euid;	/* of who set it */
	int		signum;		/* instead of SIGIO */
};

/*
 * An open file.  f_count: descriptor tables, and who else called fget or get_file; the last fput calls ->release().
 * Memory is reused under RCU only for another struct file: a lockless reader takes a reference and looks again.
 */
struct file {
	union {
		struct llist_node f_llist;	/* waiting for __fput */
		struct rcu_head	f_rcuhead;
	};
	atomic_long_t		f_count;	/* [a] */
	fmode_t			f_mode;		/* [I] once opened */
	unsigned int		f_flags;	/* [f_lock] O_*, reads free */
	const struct file_operations *f_op;	/* [I] */
	struct inode		*f_inode;	/* [I] */
	struct address_space	*f_mapping;	/* [I] */
	void			*private_data;	/* f_op's */
	loff_t			f_pos;		/* [f_pos_lock] */
	struct path		f_path;		/* [I] a reference on both */
	const struct cred	*f_cred;	/* [I] the opener's */
	spinlock_t		f_lock;		/* f_flags, f_ep */
	errseq_t		f_wb_err;	/* [f_lock] the last write-back error this opener heard of */
	errseq_t		f_sb_err;	/* [f_lock] ... by syncfs(), of the whole file system */
	struct mutex		f_pos_lock;
	struct fown_struct	f_owner;
	struct file_ra_state	f_ra;		/* [-] a hint */
	struct hlist_head	f_ep;		/* [f_lock] epoll items that watch it */
	u64			f_version;
};

static inline struct inode *file_inode(const struct file *f) { return f->f_inode; }
static inline struct dentry *file_dentry(const struct file *f) { return f->f_path.dentry; }
static inline struct file *get_file(struct file *f)
{
	atomic_long_inc(&f->f_count);
	return f;
}
#define get_file_rcu(f)		atomic_long_inc_not_zero(&(f)->f_count)
#define file_count(f)		atomic_long_read(&(f)->f_count)

/* kiocb->ki_flags: the RWF_* and */
#define IOCB_HIPRI	RWF_HIPRI
#define IOCB_DSYNC	RWF_DSYNC
#define IOCB_SYNC	RWF_SYNC
#define IOCB_NOWAIT	RWF_NOWAIT
#define IOCB_APPEND	RWF_APPEND
#define IOCB_EVENTFD	(1 << 16)
#define IOCB_DIRECT	(1 << 17)
#define IOCB_WRITE	(1 << 18)
#define IOCB_NOIO	(1 << 20)

/* One read or write under way. */
struct kiocb {
	struct file	*ki_filp;
	loff_t		ki_pos;
	int		ki_flags;	/* IOCB_* */
	/*
	 * NULL: the call waits.  Else the operation may say -EIOCBQUEUED, and calls this when it has ended, in any context,
	 * perhaps before it is back: bytes or -errno.
	 */
	void		(*ki_complete)(struct kiocb *iocb, long res);
};
static inline bool is_sync_kiocb(const struct kiocb *iocb) { return !iocb->ki_complete; }
static inline int iocb_flags(const struct file *file)
{
	int res = 0;

	if (file->f_flags & (O_APPEND | O_DIRECT | O_DSYNC | __O_SYNC)) {
		res |= file->f_flags & O_APPEND ? IOCB_APPEND : 0;
		res |= file->f_flags & O_DIRECT ? IOCB_DIRECT : 0;
		res |= file->f_flags & O_DSYNC ? IOCB_DSYNC : 0;
		res |= file->f_flags & __O_SYNC ? IOCB_SYNC : 0;
	}
	return res;
}
static inline void init_sync_kiocb(struct kiocb *kiocb, struct file *filp)
{
	kiocb->ki_filp = filp;
	kiocb->ki_pos = 0;
	kiocb->ki_flags = iocb_flags(filp);
	kiocb->ki_complete = NULL;
}

/* What ->iterate_shared() gives entries to.  actor returns false when it is full. */
struct dir_context;
typedef bool (*filldir_t)(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino, unsigned int type);
struct dir_context {
	filldir_t	actor;
	loff_t		pos;
};
static inline bool dir_emit(struct dir_context *ctx, const char *name, int len, u64 ino, unsigned int type)
{
	return ctx->actor(ctx, name, len, ctx->pos, ino, type);
}
bool dir_emit_dot(struct file *file, struct dir_context *ctx);
bool dir_emit_dotdot(struct file *file, struct dir_context *ctx);
bool dir_emit_dots(struct file *file, struct dir_context *ctx);	/* "." and "..": false when full */
static inline unsigned char dt_type(umode_t mode) { return (mode & S_IFMT) >> 12; }
#define fs_umode_to_dtype(mode)	dt_type(mode)

struct file_operations {
	fmode_t fop_mode;	/* FMODE_NOWAIT, FMODE_BUF_WASYNC: what each of its files has in f_mode */
	loff_t (*llseek)(struct file *file, loff_t offset, int whence);
	ssize_t (*read_iter)(struct kiocb *iocb, struct iov_iter *to);
	ssize_t (*write_iter)(struct kiocb *iocb, struct iov_iter *from);
	int (*iterate_shared)(struct file *file, struct dir_context *ctx);
	__poll_t (*poll)(struct file *file, struct poll_table_struct *pt);
	long (*unlocked_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	long (*compat_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	int (*mmap)(struct file *file, struct vm_area_struct *vma);
	int (*open)(struct inode *inode, struct file *file);
	int (*flush)(struct file *file, fl_owner_t id);		/* at each close(2) */
	int (*release)(struct inode *inode, struct file *file);	/* at the last */
	int (*fsync)(struct file *file, loff_t start, loff_t end, int datasync);
	int (*fasync)(int fd, struct file *file, int on);
	int (*lock)(struct file *file, int cmd, struct file_lock *fl);
	unsigned long (*get_unmapped_area)(struct file *file, unsigned long addr, unsigned long len, unsigned long pgoff,
					   unsigned long flags);
	int (*flock)(struct file *file, int cmd, struct file_lock *fl);
	ssize_t (*splice_write)(struct pipe_inode_info *pipe, struct file *out, loff_t *ppos, size_t len, unsigned int flags);
	ssize_t (*splice_read)(struct file *in, loff_t *ppos, struct pipe_inode_info *pipe, size_t len, unsigned int flags);
	long (*fallocate)(struct file *file, int mode, loff_t offset, loff_t len);
	void (*show_fdinfo)(struct seq_file *m, struct file *file);
	ssize_t (*copy_file_range)(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len,
				   unsigned int flags);
	int (*fadvise)(struct file *file, loff_t offset, loff_t len, int advice);
};

/* ---- super blocks and file system types ---- */
struct super_operations {
	struct inode *(*alloc_inode)(struct super_block *sb);
	void (*destroy_inode)(struct inode *inode);
	void (*free_inode)(struct inode *inode);	/* a grace period later */
	void (*dirty_inode)(struct inode *inode, int flags);
	int (*write_inode)(struct inode *inode, struct writeback_control *wbc);
	int (*drop_inode)(struct inode *inode);		/* i_lock held; 1: do not keep it in the cache */
	void (*evict_inode)(struct inode *inode);
	void (*put_super)(struct super_block *sb);
	int (*sync_fs)(struct super_block *sb, int wait);
	int (*freeze_fs)(struct super_block *sb);
	int (*unfreeze_fs)(struct super_block *sb);
	int (*statfs)(struct dentry *dentry, struct kstatfs *buf);
	int (*remount_fs)(struct super_block *sb, int *flags, char *data);
	void (*umount_begin)(struct super_block *sb);
	/* open_by_handle_at(2): + reference; ERR_PTR(-ESTALE).  NULL: no handles. */
	struct inode *(*inode_by_handle)(struct super_block *sb, u64 ino, u32 generation);
	int (*show_options)(struct seq_file *m, struct dentry *root);
	int (*show_path)(struct seq_file *m, struct dentry *root);	/* in mountinfo, the root of a mount: NULL: its path */
};

/*
 * A mounted file system.  s_active: mounts (may sleep at the last put: deactivate_super); s_count: holders of the
 * structure, all active ones together one.
 */
struct super_block {
	struct list_head	s_list;		/* [sb_lock] super_blocks */
	dev_t			s_dev;		/* [I] */
	unsigned char		s_blocksize_bits;
	unsigned long		s_blocksize;
	loff_t			s_maxbytes;	/* [I] largest file */
	struct file_system_type	*s_type;	/* [I] */
	const struct super_operations *s_op;	/* [I] */
	unsigned long		s_flags;	/* [s_umount] SB_* */
	unsigned long		s_iflags;	/* SB_I_* */
	unsigned long		s_magic;	/* [I] */
	errseq_t		s_wb_err;	/* [a] of all its files, for syncfs() */
	struct dentry		*s_root;
	struct rw_semaphore	s_umount;	/* mount, remount, umount, sync */
	int			s_count;	/* [sb_lock] */
	atomic_t		s_active;	/* [a] */
	const struct xattr_handler **s_xattr;
	struct list_head	s_mounts;	/* [mount_lock] */
	void			*s_fs_info;	/* the file system's */
	struct user_namespace	*s_user_ns;	/* [I] of who mounted it: its set-id programs count there; + reference */
	struct hlist_node	s_instances;	/* [sb_lock] s_type->fs_supers */
	u32			s_time_gran;	/* ns */
	time64_t		s_time_min, s_time_max;
	char			s_id[32];
	struct mutex		s_vfs_rename_mutex;	/* renames between directories */
	const struct dentry_operations *s_d_op;	/* default for its dentries */
	spinlock_t		s_inode_list_lock;
	struct list_head	s_inodes;	/* [s_inode_list_lock] */
	atomic_t		s_evicting;	/* [a] inodes that the shrinker is about to free */
	atomic_long_t		s_remove_count;
	int			s_readonly_remount;
	void			*s_bdev;	/* struct block_device, when it lies on one */
	unsigned int		s_stack_depth;
};

struct file_system_type {
	const char *name;
	int fs_flags;
#define FS_REQUIRES_DEV		1
#define FS_BINARY_MOUNTDATA	2
#define FS_USERNS_MOUNT		8
#define FS_RENAME_DOES_D_MOVE	32768
	struct dentry *(*mount)(struct file_system_type *type, int flags, const char *dev_name, void *data);
	void (*kill_sb)(struct super_block *sb);
	struct file_system_type *next;		/* [file_systems_lock] */
	struct hlist_head fs_supers;		/* [sb_lock] */
};

int register_filesystem(struct file_system_type *fs);
int unregister_filesystem(struct file_system_type *fs);
struct file_system_type *get_fs_type(const char *name);
struct super_block *sget(struct file_system_type *type, int (*test)(struct super_block *, void *),
			 int (*set)(struct super_block *, void *), int flags, void *data);
typedef int fill_super_t(struct super_block *sb, void *data, int silent);
struct dentry *mount_nodev(struct file_system_type *type, int flags, void *data, fill_super_t *fill);
struct dentry *mount_ns(struct file_system_type *type, int flags, void *data, void *ns, fill_super_t *fill);
struct dentry *mount_single(struct file_system_type *type, int flags, void *data, fill_super_t *fill);
struct dentry *mount_pseudo(struct file_system_type *type, const char *name, const struct super_operations *ops,
			    const struct dentry_operations *dops, unsigned long magic);
void kill_anon_super(struct super_block *sb);
void kill_litter_super(struct super_block *sb);	/* for file systems that pin their dentries: simple_* and tmpfs */
void generic_shutdown_super(struct super_block *sb);
void deactivate_super(struct super_block *sb);
void deactivate_locked_super(struct super_block *sb) __releases(&sb->s_umount);
void drop_super(struct super_block *sb) __releases_shared(&sb->s_umount);
int set_anon_super(struct super_block *sb, void *data);
int get_anon_bdev(dev_t *dev);
void free_anon_bdev(dev_t dev);
void iterate_supers(void (*fn)(struct super_block *sb, void *arg), void *arg);
int reconfigure_super(struct super_block *sb, int sb_flags, void *data, bool force);	/* s_umount held for writing */
struct dentry *mount_fs(struct file_system_type *type, int flags, const char *name, void *data);

/* ---- inode.c ---- */
void inode_init_once(struct inode *inode);	/* a slab constructor's part */
int inode_init_always(struct super_block *sb, struct inode *inode);
struct inode *new_inode(struct super_block *sb);	/* i_count 1, in s_inodes; NULL without memory.  May sleep */
struct inode *new_inode_pseudo(struct super_block *sb);	/* ... not in s_inodes: sockets, pipes */
struct inode *alloc_anon_inode(struct super_block *sb);
void free_inode_nonrcu(struct inode *inode);
struct inode *iget_locked(struct super_block *sb, unsigned long ino);	/* I_NEW set when it must be filled */
struct inode *iget5_locked(struct super_block *sb, unsigned long hashval, int (*test)(struct inode *, void *),
			   int (*set)(struct inode *, void *), void *data);
struct inode *ilookup(struct super_block *sb, unsigned long ino);
struct inode *ilookup5(struct super_block *sb, unsigned long hashval, int (*test)(struct inode *, void *), void *data);
int insert_inode_locked(struct inode *inode);
void __insert_inode_hash(struct inode *inode, unsigned long hashval);
static inline void insert_inode_hash(struct inode *inode) { __insert_inode_hash(inode, inode->i_ino); }
void __remove_inode_hash(struct inode *inode);
static inline void remove_inode_hash(struct inode *inode)
{
	if (!inode_unhashed(inode))
		__remove_inode_hash(inode);
}
void unlock_new_inode(struct inode *inode);
void discard_new_inode(struct inode *inode);
void iget_failed(struct inode *inode);
struct inode *igrab(struct inode *inode);
void ihold(struct inode *inode);
void iput(struct inode *inode);			/* may sleep */
void inode_sync_complete(struct inode *inode);		/* I_SYNC ends */
void clear_inode(struct inode *inode);		/* the last thing ->evict_inode() does */
int generic_delete_inode(struct inode *inode);
int generic_drop_inode(const struct inode *inode);
void evict_inodes(struct super_block *sb);
void __mark_inode_dirty(struct inode *inode, int flags);
static inline void mark_inode_dirty(struct inode *inode) { __mark_inode_dirty(inode, I_DIRTY); }
static inline void mark_inode_dirty_sync(struct inode *inode) { __mark_inode_dirty(inode, I_DIRTY_SYNC); }
unsigned int get_next_ino(void);		/* for file systems without numbers of their own: never 0 */
void inode_init_owner(struct inode *inode, const struct inode *dir, umode_t mode);
bool inode_owner_or_capable(const struct inode *inode);
void init_special_inode(struct inode *inode, umode_t mode, dev_t rdev);
void inode_set_flags(struct inode *inode, unsigned int flags, unsigned int mask);
void set_nlink(struct inode *inode, unsigned int nlink);
void inc_nlink(struct inode *inode);
void drop_nlink(struct inode *inode);
void clear_nlink(struct inode *inode);
static inline void inode_inc_link_count(struct inode *inode) { inc_nlink(inode); mark_inode_dirty(inode); }
static inline void inode_dec_link_count(struct inode *inode) { drop_nlink(inode); mark_inode_dirty(inode); }
static inline void inode_inc_iversion(struct inode *inode) { atomic64_inc(&inode->i_version); }
void inode_add_bytes(struct inode *inode, loff_t bytes);
void inode_sub_bytes(struct inode *inode, loff_t bytes);
loff_t inode_get_bytes(struct inode *inode);
void inode_set_bytes(struct inode *inode, loff_t bytes);
unsigned long get_nr_inodes(void);

/* times: the coarse clock of the last tick, cut to the file system's grain */
struct timespec64 current_time(struct inode *inode);
struct timespec64 timestamp_truncate(struct timespec64 t, struct inode *inode);
#define S_ATIME		1
#define S_MTIME		2
#define S_CTIME		4
#define S_VERSION	8
int generic_update_time(struct inode *inode, struct timespec64 *time, int flags);
void touch_atime(const struct path *path);
static inline void file_accessed(struct file *file)
{
	if (!(file->f_flags & O_NOATIME))
		touch_atime(&file->f_path);
}
int file_update_time(struct file *file);	/* mtime and ctime after a write */
int file_modified(struct file *file);		/* file_remove_privs + file_update_time; i_rwsem held */
int file_remove_privs(struct file *file);
int should_remove_suid(struct dentry *dentry);

/* ---- attr.c ---- */
int setattr_prepare(struct dentry *dentry, struct iattr *attr);	/* may the caller do that?  0 or -errno */
void setattr_copy(struct inode *inode, const struct iattr *attr);
int notify_change(struct dentry *dentry, struct iattr *attr);	/* i_rwsem held for writing */
int inode_newsize_ok(const struct inode *inode, loff_t offset);

/* ---- namei.c: permissions and names ---- */
int inode_permission(struct inode *inode, int mask);
int path_permission(const struct path *path, int mask);
int generic_permission(struct inode *inode, int mask);
static inline int file_permission(struct file *file, int mask) { return inode_permission(file_inode(file), mask); }
int __check_sticky(struct inode *dir, struct inode *inode);
static inline int check_sticky(struct inode *dir, struct inode *inode)
{
	return dir->i_mode & S_ISVTX ? __check_sticky(dir, inode) : 0;
}
int vfs_create(struct inode *dir, struct dentry *dentry, umode_t mode, bool want_excl);
int vfs_mkdir(struct inode *dir, struct dentry *dentry, umode_t mode);
int vfs_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev);
int vfs_symlink(struct inode *dir, struct dentry *dentry, const char *target);
int vfs_link(struct dentry *old, struct inode *dir, struct dentry *dentry);
int vfs_rmdir(struct inode *dir, struct dentry *dentry);
int vfs_unlink(struct inode *dir, struct dentry *dentry);
int vfs_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	       unsigned int flags);
int vfs_readlink(struct dentry *dentry, char __user *buf, int len);
int readlink_copy(char __user *buf, int len, const char *link);
const char *vfs_get_link(struct dentry *dentry, struct delayed_call *done);
const char *page_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done);
void page_put_link(void *arg);
void kfree_link(void *arg);			/* for set_delayed_call(): the string was kmalloc()ed */
extern const struct inode_operations page_symlink_inode_operations;
int page_symlink(struct inode *inode, const char *target, int len);

/* ---- open.c, file_table.c ---- */
struct filename {
	const char	*name;		/* the string, zero terminated */
	const char __user *uptr;	/* where it came from, or NULL */
	int		refcnt;		/* [o] */
	const char	iname[];
};
#define EMBEDDED_NAME_MAX	(PATH_MAX - (int)sizeof(struct filename))
struct filename *getname(const char __user *name);
struct filename *getname_flags(const char __user *name, int flags, int *empty);
struct filename *getname_kernel(const char *name);
void putname(struct filename *name);
extern struct kmem_cache *names_cachep;
#define __getname()		kmem_cache_alloc(names_cachep, GFP_KERNEL)
#define __putname(name)		kmem_cache_free(names_cachep, (void *)(name))

struct open_flags;
struct file *filp_open(const char *name, int flags, umode_t mode);
struct file *file_open_name(struct filename *name, int flags, umode_t mode);
struct file *dentry_open(const struct path *path, int flags, const struct cred *cred);
int finish_open(struct file *file, struct dentry *dentry, int (*open)(struct inode *, struct file *));
int finish_no_open(struct file *file, struct dentry *dentry);
static inline int finish_open_simple(struct file *file, int error)
{
	return error ? error : finish_open(file, file->f_path.dentry, NULL);
}
int vfs_open(const struct path *path, struct file *file);
int filp_close(struct file *file, fl_owner_t id);
int do_truncate(struct dentry *dentry, loff_t length, unsigned int time_attrs, struct file *file);
int vfs_truncate(const struct path *path, loff_t length);
int vfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len);
int generic_file_open(struct inode *inode, struct file *file);
int nonseekable_open(struct inode *inode, struct file *file);
int stream_open(struct inode *inode, struct file *file);
/* A device's own functions take over from chrdev_open's. */
#define fops_get(fops)	(fops)
#define fops_put(fops)	do { } while (0)
#define replace_fops(f, fops)	do { (f)->f_op = (fops); } while (0)

static inline int get_write_access(struct inode *inode)
{
	return atomic_inc_unless_negative(&inode->i_writecount) ? 0 : -ETXTBSY;
}
static inline int deny_write_access(struct file *file)
{
	return atomic_dec_unless_positive(&file_inode(file)->i_writecount) ? 0 : -ETXTBSY;
}
static inline void put_write_access(struct inode *inode) { atomic_dec(&inode->i_writecount); }
static inline void allow_write_access(struct file *file)
{
	if (file)
		atomic_inc(&file_inode(file)->i_writecount);
}
static inline bool inode_is_open_for_write(const struct inode *inode) { return atomic_read(&inode->i_writecount) > 0; }

/* ---- read_write.c ---- */
ssize_t vfs_read(struct file *file, char __user *buf, size_t count, loff_t *pos);
ssize_t vfs_write(struct file *file, const char __user *buf, size_t count, loff_t *pos);
ssize_t kernel_read(struct file *file, void *buf, size_t count, loff_t *pos);
ssize_t kernel_write(struct file *file, const void *buf, size_t count, loff_t *pos);
ssize_t vfs_iter_read(struct file *file, struct iov_iter *iter, loff_t *ppos, int flags);
ssize_t vfs_iter_write(struct file *file, struct iov_iter *iter, loff_t *ppos, int flags);
ssize_t vfs_iocb_iter(struct kiocb *iocb, struct iov_iter *iter, int type);	/* ITER_DEST: read; ITER_SOURCE: write */
ssize_t vfs_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags);
ssize_t ksys_read(unsigned int fd, char __user *buf, size_t count);
ssize_t ksys_write(unsigned int fd, const char __user *buf, size_t count);
int rw_verify_area(int read_write, struct file *file, const loff_t *ppos, size_t count);
loff_t vfs_llseek(struct file *file, loff_t offset, int whence);
loff_t vfs_setpos(struct file *file, loff_t offset, loff_t maxsize);
loff_t generic_file_llseek(struct file *file, loff_t offset, int whence);
loff_t generic_file_llseek_size(struct file *file, loff_t offset, int whence, loff_t maxsize, loff_t eof);
loff_t fixed_size_llseek(struct file *file, loff_t offset, int whence, loff_t size);
loff_t no_llseek(struct file *file, loff_t offset, int whence);		/* -ESPIPE */
loff_t noop_llseek(struct file *file, loff_t offset, int whence);
loff_t default_llseek(struct file *file, loff_t offset, int whence);
ssize_t generic_write_checks(struct kiocb *iocb, struct iov_iter *from);	/* bytes that may be written, 0 or -errno */

/* ---- mm/filemap.c ---- */
ssize_t generic_file_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t generic_file_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t __generic_file_write_iter(struct kiocb *iocb, struct iov_iter *from);
ssize_t generic_perform_write(struct kiocb *iocb, struct iov_iter *from);
int generic_file_mmap(struct file *file, struct vm_area_struct *vma);
int generic_file_readonly_mmap(struct file *file, struct vm_area_struct *vma);
int filemap_fdatawrite(struct address_space *mapping);
int filemap_fdatawait(struct address_space *mapping);
int filemap_write_and_wait(struct address_space *mapping);
int filemap_write_and_wait_range(struct address_space *mapping, loff_t start, loff_t end);
/* Both: what went wrong since this opener heard last. */
int file_fdatawait_range(struct file *file, loff_t start, loff_t end);
int file_write_and_wait_range(struct file *file, loff_t start, loff_t end);

/* ---- stat.c, statfs.c ---- */
void generic_fillattr(struct inode *inode, struct kstat *stat);
int vfs_getattr(const struct path *path, struct kstat *stat, u32 request_mask, unsigned int query_flags);
int vfs_fstat(int fd, struct kstat *stat);
int vfs_statx(int dfd, const char __user *name, int flags, struct kstat *stat, u32 request_mask);
int vfs_statfs(const struct path *path, struct kstatfs *buf);
ssize_t do_sendfile(int out_fd, int in_fd, loff_t *pos, size_t count);
/* For 32-bit programs: to user memory, 0 or -EFAULT. */
int cp_compat_stat64(const struct kstat *stat, void __user *statbuf);
int put_compat_statfs64(const struct kstatfs *st, void __user *p);

/* ---- readdir.c, ioctl.c, sync.c, splice.c ---- */
int iterate_dir(struct file *file, struct dir_context *ctx);
long vfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int vfs_fsync(struct file *file, int datasync);
int vfs_sync_file_range(struct file *file, loff_t offset, loff_t nbytes, unsigned int flags);
int vfs_fsync_range(struct file *file, loff_t start, loff_t end, int datasync);
int sync_filesystem(struct super_block *sb);
int sync_inode_metadata(struct inode *inode, int wait);
void ksys_sync(void);
ssize_t generic_write_sync(struct kiocb *iocb, ssize_t count);

/* ---- fcntl.c: SIGIO ---- */
struct fasync_struct {
	rwlock_t		fa_lock;
	int			fa_fd;
	struct fasync_struct	*fa_next;	/* [r:fasync_lock] */
	struct file		*fa_file;	/* NULL once removed [fa_lock] */
	struct rcu_head		fa_rcu;
};
int fasync_helper(int fd, struct file *file, int on, struct fasync_struct **list);
void kill_fasync(struct fasync_struct **list, int sig, int band);	/* any context */
void __f_setown(struct file *file, struct pid *pid, enum pid_type type, int force);
int f_setown(struct file *file, unsigned long arg, int force);
void f_delown(struct file *file);
pid_t f_getown(struct file *file);
int send_sigurg(struct fown_struct *fown);

/* ---- char_dev.c ---- */
#define CHRDEV_MAJOR_MAX	512
int alloc_chrdev_region(dev_t *dev, unsigned int baseminor, unsigned int count, const char *name);
int register_chrdev_region(dev_t from, unsigned int count, const char *name);
void unregister_chrdev_region(dev_t from, unsigned int count);
int __register_chrdev(unsigned int major, unsigned int baseminor, unsigned int count, const char *name,
		      const struct file_operations *fops);
static inline int register_chrdev(unsigned int major, const char *name, const struct file_operations *fops)
{
	return __register_chrdev(major, 0, 256, name, fops);
}
extern const struct file_operations def_chr_fops;
int chrdev_show(struct seq_file *m, void *v);	/* the character part of /proc/devices */
void chrdev_init(void);

/* ---- libfs.c: for file systems that live in the dentry cache ---- */
int dcache_dir_open(struct inode *inode, struct file *file);
int dcache_dir_close(struct inode *inode, struct file *file);
loff_t dcache_dir_lseek(struct file *file, loff_t offset, int whence);
int dcache_readdir(struct file *file, struct dir_context *ctx);
extern const struct file_operations simple_dir_operations;
extern const struct inode_operations simple_dir_inode_operations;
extern const struct inode_operations simple_symlink_inode_operations;
extern const struct file_operations generic_ro_fops;
extern const struct dentry_operations simple_dentry_operations;
extern const struct super_operations simple_super_operations;
extern const struct address_space_operations ram_aops;
struct dentry *simple_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags);
const char *simple_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done);
int simple_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
int simple_setattr(struct dentry *dentry, struct iattr *attr);
int simple_link(struct dentry *old, struct inode *dir, struct dentry *dentry);
int simple_unlink(struct inode *dir, struct dentry *dentry);
int simple_rmdir(struct inode *dir, struct dentry *dentry);
int simple_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
		  unsigned int flags);
int simple_rename_exchange(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry);
int simple_empty(struct dentry *dentry);
int simple_open(struct inode *inode, struct file *file);	/* private_data = i_private */
int simple_statfs(struct dentry *dentry, struct kstatfs *buf);
int noop_fsync(struct file *file, loff_t start, loff_t end, int datasync);
int always_delete_dentry(const struct dentry *dentry);
/* The same for read_iter: copies what is left of from[available] at ki_pos. */

/* ---- start-up ---- */
void vfs_caches_init(void);
void files_init(void);
void inode_init(void);
void dcache_init(void);
void mnt_init(void);
unsigned long get_max_files(void);
long get_nr_files(void);
int list_file_locks(struct seq_file *m, void *v);	/* /proc/locks */
void console_on_rootfs(void);
void populate_rootfs(void);

#endif
