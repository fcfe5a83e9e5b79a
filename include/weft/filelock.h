/*
 * filelock.h: locks that programs put on files: flock(2), fcntl(2) record locks, open-file-description locks.
 *
 * Locking: a file's lists by its flc_lock; who waits for whom (deadlock check) by blocked_lock_lock.
 * See:     kernel/fs/locks.c
 */
#ifndef WEFT_FILELOCK_H
#define WEFT_FILELOCK_H

#include <weft/types.h>
#include <weft/fs.h>
#include <weft/wait.h>

#define FL_POSIX	1
#define FL_FLOCK	2
#define FL_ACCESS	8	/* only ask whether it would conflict */
#define FL_EXISTS	16	/* unlock: was there one? */
#define FL_CLOSE	64	/* unlock by close */
#define FL_SLEEP	128
#define FL_OFDLCK	1024
#define FILE_LOCK_DEFERRED 1	/* queued: try again when woken */
#define OFFSET_MAX	((loff_t)0x7fffffffffffffffLL)

struct file_lock {
	struct file_lock	*fl_blocker;		/* [blocked_lock_lock] what this request waits for */
	struct list_head	fl_list;		/* [flc_lock] */
	struct hlist_node	fl_link;		/* [blocked_lock_lock] among all waiting POSIX requests, by owner */
	struct list_head	fl_blocked_requests;	/* [blocked_lock_lock] who waits for this one */
	struct list_head	fl_blocked_member;
	fl_owner_t		fl_owner;		/* files_struct, or the file for flock and OFD locks */
	unsigned int		fl_flags;		/* FL_* */
	unsigned char		fl_type;		/* F_RDLCK, F_WRLCK, F_UNLCK */
	pid_t			fl_pid;
	wait_queue_head_t	fl_wait;
	struct file		*fl_file;
	loff_t			fl_start, fl_end;	/* first and last byte */
};

struct file_lock_context {
	spinlock_t		flc_lock;
	struct list_head	flc_flock;
	struct list_head	flc_posix;		/* by owner, then start */
	struct list_head	flc_lease;		/* struct lease */
};

void locks_remove_posix(struct file *file, fl_owner_t owner);	/* at every close(2) */
void locks_remove_file(struct file *file);			/* at the last */
void locks_free_lock_context(struct inode *inode);
struct file_lock_context *locks_get_lock_context(struct inode *inode, bool create);	/* NULL: none, or out of memory */
int fcntl_getlk(struct file *file, unsigned int cmd, struct flock *flock);
int fcntl_setlk(unsigned int fd, struct file *file, unsigned int cmd, struct flock *flock);
int posix_lock_file(struct file *file, struct file_lock *fl, struct file_lock *conflock);
struct seq_file;
struct task_struct;
void show_fd_locks(struct seq_file *m, struct file *file, struct task_struct *task);	/* /proc/PID/fdinfo: "lock:" lines */

/* ---- lease.c ---- */
int fcntl_setlease(int fd, struct file *file, int type);
int fcntl_getlease(struct file *file);
void locks_remove_lease(struct file *file, struct file_lock_context *ctx);
void show_leases(struct seq_file *m, struct file_lock_context *ctx, const struct file *only, const char *prefix, int *id);
int __break_lease(struct inode *inode, unsigned int mode);

/*
 * The file is about to be opened or cut off (mode: O_ACCMODE, O_NONBLOCK); whoever does so has counted himself before.
 * Waits for holders of leases.  0, -EWOULDBLOCK, -ERESTARTSYS.
 */
static inline int break_lease(struct inode *inode, unsigned int mode)
{
	struct file_lock_context *ctx;

	smp_mb();
	ctx = smp_load_acquire(&inode->i_flctx);
	return unlikely(ctx && !list_empty_careful(&ctx->flc_lease)) ? __break_lease(inode, mode) : 0;
}

int vfs_cancel_lock(struct file *file, struct file_lock *fl);

#endif
