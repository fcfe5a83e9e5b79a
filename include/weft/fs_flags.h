/*
 * fs_flags.h: the bits of open files, inodes and super blocks.
 *
 * Idea:    a word of bits for each structure, so that a hot path tests several things at once.
 * See:     fs.h, which includes this and says who may change which word
 */
#ifndef WEFT_FS_FLAGS_H
#define WEFT_FS_FLAGS_H

#include <weft/types.h>

/* ---- file->f_mode ---- */
#define FMODE_READ		((fmode_t)0x1)
#define FMODE_WRITE		((fmode_t)0x2)
#define FMODE_LSEEK		((fmode_t)0x4)
#define FMODE_PREAD		((fmode_t)0x8)
#define FMODE_PWRITE		((fmode_t)0x10)
#define FMODE_EXEC		((fmode_t)0x20)		/* opened by execve */
#define FMODE_NDELAY		((fmode_t)0x40)
#define FMODE_EXCL		((fmode_t)0x80)
#define FMODE_RANDOM		((fmode_t)0x1000)	/* no read-ahead */
#define FMODE_PATH		((fmode_t)0x4000)	/* O_PATH */
#define FMODE_ATOMIC_POS	((fmode_t)0x8000)	/* f_pos needs f_pos_lock when the file is shared */
#define FMODE_WRITER		((fmode_t)0x10000)	/* holds write access to the mount and the inode */
#define FMODE_READER		((fmode_t)0x400000)	/* of a regular file, and counted in i_readcount */
#define FMODE_CAN_READ		((fmode_t)0x20000)
#define FMODE_CAN_WRITE		((fmode_t)0x40000)
#define FMODE_OPENED		((fmode_t)0x80000)	/* ->open() succeeded: ->release() is due */
#define FMODE_CREATED		((fmode_t)0x100000)
#define FMODE_STREAM		((fmode_t)0x200000)	/* no file position at all */
#define FMODE_UNSIGNED_OFFSET	((fmode_t)0x2000)	/* positions are addresses: /proc/PID/mem */
#define FMODE_NONOTIFY		((fmode_t)0x4000000)	/* makes no inotify events */
#define FMODE_NOWAIT		((fmode_t)0x8000000)	/* understands IOCB_NOWAIT */
#define FMODE_BUF_WASYNC	((fmode_t)0x80000000)	/* writes to the page cache need not wait: IOCB_NOWAIT is fine */
#define FMODE_NEED_UNMOUNT	((fmode_t)0x10000000)	/* a tree of mounts hangs on it: open_tree(2) */
#define OPEN_FMODE(flag)	((fmode_t)(((flag) + 1) & O_ACCMODE))

/* ---- inode_permission() and friends ---- */
#define MAY_EXEC		0x01
#define MAY_WRITE		0x02
#define MAY_READ		0x04
#define MAY_APPEND		0x08
#define MAY_ACCESS		0x10
#define MAY_OPEN		0x20
#define MAY_CHDIR		0x40
#define MAY_NOT_BLOCK		0x80	/* under RCU: -ECHILD instead of sleeping */

/* ---- super_block->s_flags: the low ones are the MS_* of mount(2) ---- */
#define SB_RDONLY	1
#define SB_NOSUID	2
#define SB_NODEV	4
#define SB_NOEXEC	8
#define SB_SYNCHRONOUS	16
#define SB_DIRSYNC	128
#define SB_NOATIME	1024
#define SB_NODIRATIME	2048
#define SB_SILENT	32768
#define SB_POSIXACL	(1 << 16)
#define SB_KERNMOUNT	(1 << 22)
#define SB_LAZYTIME	(1 << 25)
#define SB_BORN		(1 << 29)	/* filled: others may use it */
#define SB_ACTIVE	(1 << 30)	/* mounted: unused inodes may be kept */
#define SB_NOUSER	(1U << 31)	/* only the kernel mounts it (pipefs) */
#define MS_RMT_MASK	(SB_RDONLY | SB_SYNCHRONOUS | MS_MANDLOCK | SB_LAZYTIME)

/* ---- super_block->s_iflags ---- */
#define SB_I_NOEXEC	0x0002
#define SB_I_NODEV	0x0004
#define SB_I_USERNS_VISIBLE 0x0010	/* in a user namespace: only where all of it can be seen already */

/* ---- inode->i_flags ---- */
#define S_SYNC		(1 << 0)
#define S_NOATIME	(1 << 1)
#define S_APPEND	(1 << 2)
#define S_IMMUTABLE	(1 << 3)
#define S_DEAD		(1 << 4)	/* a removed directory that is still open */
#define S_DIRSYNC	(1 << 6)
#define S_NOCMTIME	(1 << 7)
#define S_SWAPFILE	(1 << 8)
#define S_PRIVATE	(1 << 9)
#define S_NOSEC		(1 << 12)	/* no suid, sgid or capability to drop on write */

#define __IS_FLG(inode, flg)	((inode)->i_sb->s_flags & (flg))
#define sb_rdonly(sb)		((sb)->s_flags & SB_RDONLY)
#define IS_RDONLY(inode)	sb_rdonly((inode)->i_sb)
#define IS_SYNC(inode)		(__IS_FLG(inode, SB_SYNCHRONOUS) || ((inode)->i_flags & S_SYNC))
#define IS_DIRSYNC(inode)	(__IS_FLG(inode, SB_SYNCHRONOUS | SB_DIRSYNC) || ((inode)->i_flags & (S_SYNC | S_DIRSYNC)))
#define IS_NOATIME(inode)	(__IS_FLG(inode, SB_RDONLY | SB_NOATIME) || ((inode)->i_flags & S_NOATIME))
#define IS_APPEND(inode)	((inode)->i_flags & S_APPEND)
#define IS_IMMUTABLE(inode)	((inode)->i_flags & S_IMMUTABLE)
#define IS_DEADDIR(inode)	((inode)->i_flags & S_DEAD)
#define IS_NOCMTIME(inode)	((inode)->i_flags & S_NOCMTIME)
#define IS_SWAPFILE(inode)	((inode)->i_flags & S_SWAPFILE)
#define IS_PRIVATE(inode)	((inode)->i_flags & S_PRIVATE)
#define IS_NOSEC(inode)		((inode)->i_flags & S_NOSEC)
#define IS_POSIXACL(inode)	__IS_FLG(inode, SB_POSIXACL)

/* ---- inode->i_state [i_lock] ---- */
#define I_DIRTY_SYNC		(1 << 0)
#define I_DIRTY_DATASYNC	(1 << 1)
#define I_DIRTY_PAGES		(1 << 2)
#define __I_NEW			3
#define I_NEW			(1 << __I_NEW)		/* being filled: waiters sleep in wait_on_inode() */
#define I_WILL_FREE		(1 << 4)
#define I_FREEING		(1 << 5)		/* evict() is at it: take no new reference */
#define I_CLEAR			(1 << 6)		/* clear_inode() done */
#define __I_SYNC		7
#define I_SYNC			(1 << __I_SYNC)		/* write-back is at it */
#define I_REFERENCED		(1 << 8)		/* used since the shrinker came by last */
#define I_LINKABLE		(1 << 10)		/* O_TMPFILE: linkat() may give it a name */
#define I_DIRTY_TIME		(1 << 11)
#define I_CREATING		(1 << 15)
#define I_DIRTY_INODE		(I_DIRTY_SYNC | I_DIRTY_DATASYNC)
#define I_DIRTY			(I_DIRTY_INODE | I_DIRTY_PAGES)
#define I_DIRTY_ALL		(I_DIRTY | I_DIRTY_TIME)

#define MAX_LFS_FILESIZE	((loff_t)0x7fffffffffffffffLL)
#define MAX_NON_LFS		((1UL << 31) - 1)
#define MAX_RW_COUNT		(0x7fffffff & ~4095)	/* most that one read or write moves: INT_MAX & PAGE_MASK */

#endif
