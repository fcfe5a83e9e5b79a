/*
 * lease.c: file leases: fcntl(F_SETLEASE): a program is told before others get at its file, and has time to tidy up.
 *
 * Idea:    a read lease stands while nobody has the file open for writing, a write lease while nobody else has it open at
 *          all.  An open(2) or truncate(2) that would end that breaks the lease: the holder gets a signal (SIGIO or what
 *          F_SETSIG says) and has /proc/sys/fs/lease-break-time seconds to give the lease back or make it a read lease;
 *          then the kernel takes it, and the open goes on.
 * Race:    neither side may miss the other:
 *
 *              open(O_RDWR)                            fcntl(F_SETLEASE)
 *              counts itself (i_writecount, i_readcount)
 *              smp_mb()                                the lease goes onto the list
 *              looks at the list                       smp_mb()
 *                                                      looks at the counts again; takes the lease back
 *
 * Locking: flc_lock over the inode's list and the leases in it.  Order: flc_lock -> f_lock -> fasync_lock.
 * Cost:    who opens a file without a lease reads one pointer.
 * See:     fcntl(2) "Leases"; locks.c, which owns the context; weft/filelock.h
 */
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/fcntl.h>
#include <weft/filelock.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/pid.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/wait.h>

struct lease {
	struct list_head	list;		/* [flc_lock] ctx->flc_lease */
	struct file		*file;		/* [I] whose last close ends it */
	struct fasync_struct	*fasync;	/* who gets the signal */
	pid_t			pid;		/* [I] for /proc/locks */
	int			type;		/* [flc_lock] F_RDLCK, F_WRLCK */
	int			goal;		/* [flc_lock] being broken: what it is to become; else its type */
	/* [flc_lock] jiffies at which it is made F_RDLCK, F_UNLCK; 0: not, or when the holder likes */
	unsigned long		downgrade_at, unlock_at;
};

static int leases_enable = 1, lease_break_time = 45;	/* /proc/sys/fs; seconds */
static DECLARE_WAIT_QUEUE_HEAD(lease_wait);		/* who breaks a lease: woken whenever one goes or weakens */

/* ---- changing a lease ---- */

/* [flc_lock] type F_UNLCK: it goes to *dispose. */
static void modify_lease(struct lease *l, int type, struct list_head *dispose)
{
	struct file *file = l->file;

	l->type = l->goal = type;
	l->downgrade_at = l->unlock_at = 0;
	if (type == F_UNLCK) {
		f_delown(file);
		file->f_owner.signum = 0;
		fasync_helper(0, file, 0, &l->fasync);
		list_move(&l->list, dispose);
	}
	wake_up_all(&lease_wait);
}

static void free_leases(struct list_head *dispose)
{
	struct lease *l, *next;

	list_for_each_entry_safe(l, next, dispose, list)
		kfree(l);
}

static bool over(unsigned long at)
{
	return at && time_after_eq(jiffies, at);
}

/* [flc_lock] Holders that took too long. */
static void time_out_leases(struct file_lock_context *ctx, struct list_head *dispose)
{
	struct lease *l, *next;

	list_for_each_entry_safe(l, next, &ctx->flc_lease, list) {
		if (over(l->unlock_at)) {
			modify_lease(l, F_UNLCK, dispose);
		} else if (over(l->downgrade_at)) {
			int goal = l->goal;
			unsigned long unlock_at = l->unlock_at;

			modify_lease(l, F_RDLCK, dispose);
			l->goal = goal;
			l->unlock_at = unlock_at;
		}
	}
}

/* ---- breaking ---- */

/* [flc_lock] One that stands in the way of an open for writing, or for reading; NULL. */
static struct lease *conflicting_lease(struct file_lock_context *ctx, bool write)
{
	struct lease *l;

	list_for_each_entry(l, &ctx->flc_lease, list)
		if (write || l->type == F_WRLCK)
			return l;
	return NULL;
}

/* [flc_lock] Tells holders what their leases have to become; each once. */
static void ask_holders(struct file_lock_context *ctx, bool write)
{
	unsigned long at = lease_break_time > 0 ? (jiffies + (unsigned long)lease_break_time * HZ) | 1 : 0;
	struct lease *l;

	list_for_each_entry(l, &ctx->flc_lease, list) {
		if (write && l->goal != F_UNLCK) {
			l->goal = F_UNLCK;
			l->unlock_at = at;
		} else if (!write && l->type == F_WRLCK && l->goal == F_WRLCK) {
			l->goal = F_RDLCK;
			l->downgrade_at = at;
		} else {
			continue;
		}
		kill_fasync(&l->fasync, SIGIO, POLL_MSG);
	}
}

/* Drops what is over time.  Is there still something in the way?  *left: jiffies until it is worth looking again. */
static bool still_leased(struct file_lock_context *ctx, bool write, long *left)
{
	LIST_HEAD(dispose);
	struct lease *l;
	unsigned long at;

	spin_lock(&ctx->flc_lock);
	time_out_leases(ctx, &dispose);
	l = conflicting_lease(ctx, write);
	if (l) {
		at = write || !l->downgrade_at ? l->unlock_at : l->downgrade_at;
		*left = at ? max((long)(at - jiffies), 1L) : MAX_SCHEDULE_TIMEOUT;
	}
	spin_unlock(&ctx->flc_lock);
	free_leases(&dispose);
	return l != NULL;
}

int __break_lease(struct inode *inode, unsigned int mode)
{
	struct file_lock_context *ctx = smp_load_acquire(&inode->i_flctx);
	bool write = (mode & O_ACCMODE) != O_RDONLY;
	long left, ret;

	if (!still_leased(ctx, write, &left))
		return 0;
	spin_lock(&ctx->flc_lock);
	ask_holders(ctx, write);
	spin_unlock(&ctx->flc_lock);
	if (mode & O_NONBLOCK)
		return -EWOULDBLOCK;
	while (still_leased(ctx, write, &left)) {
		long ignored;

		ret = wait_event_interruptible_timeout(lease_wait, !still_leased(ctx, write, &ignored), left);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

/* ---- fcntl(2) ---- */

static struct lease *lease_of(struct file_lock_context *ctx, const struct file *file)
{
	struct lease *l;

	list_for_each_entry(l, &ctx->flc_lease, list)
		if (l->file == file)
			return l;
	return NULL;
}

/* Does somebody have the file open in a way that the lease says nobody has? */
static int check_opens(struct file *file, int type)
{
	struct inode *inode = file_inode(file);
	int writers = (file->f_mode & FMODE_WRITER) != 0, readers = (file->f_mode & FMODE_READER) != 0;

	if (type == F_RDLCK)
		return inode_is_open_for_write(inode) ? -EAGAIN : 0;
	return atomic_read(&inode->i_writecount) != writers || atomic_read(&inode->i_readcount) != readers ? -EAGAIN : 0;
}

/* [flc_lock] mine: the file's own lease or NULL.  May it be of that type beside the others? */
static int check_leases(struct file_lock_context *ctx, const struct lease *mine, int type)
{
	struct lease *l;

	list_for_each_entry(l, &ctx->flc_lease, list)
		if (l != mine && (type == F_WRLCK || l->goal == F_UNLCK))
			return -EAGAIN;
	return 0;
}

static struct lease *new_lease(int fd, struct file *file, int type)
{
	struct lease *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return NULL;
	l->file = file;
	l->type = l->goal = type;
	l->pid = task_tgid_nr(current);
	if (fasync_helper(fd, file, 1, &l->fasync) < 0) {
		kfree(l);
		return NULL;
	}
	return l;
}

/* [flc_lock] Puts *new in force, or changes the file's lease and leaves *new to the caller. */
static int add_locked(struct file_lock_context *ctx, struct lease **new, struct list_head *dispose)
{
	struct lease *l = *new, *mine;
	int err;

	time_out_leases(ctx, dispose);
	err = check_opens(l->file, l->type);
	mine = lease_of(ctx, l->file);
	if (!err)
		err = check_leases(ctx, mine, l->type);
	if (err)
		return err;
	if (mine) {
		modify_lease(mine, l->type, dispose);
		return 0;
	}
	list_add_tail(&l->list, &ctx->flc_lease);
	smp_mb();			/* see "Race" above */
	err = check_opens(l->file, l->type);
	if (err)
		list_del(&l->list);
	else
		*new = NULL;
	return err;
}

static int add_lease(int fd, struct file *file, int type)
{
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(file), true);
	struct lease *l;
	LIST_HEAD(dispose);
	int err;

	if (!leases_enable)
		return -EINVAL;
	l = ctx ? new_lease(fd, file, type) : NULL;
	if (!l)
		return -ENOMEM;
	spin_lock(&ctx->flc_lock);
	err = add_locked(ctx, &l, &dispose);
	spin_unlock(&ctx->flc_lock);
	if (l) {
		fasync_helper(0, file, 0, &l->fasync);
		kfree(l);
	}
	free_leases(&dispose);
	if (!err)
		__f_setown(file, task_tgid(current), PIDTYPE_TGID, 0);
	return err;
}

/* -EAGAIN: there is none. */
static int drop_lease(struct file *file)
{
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(file), false);
	struct lease *l;
	LIST_HEAD(dispose);

	if (!ctx)
		return -EAGAIN;
	spin_lock(&ctx->flc_lock);
	l = lease_of(ctx, file);
	if (l)
		modify_lease(l, F_UNLCK, &dispose);
	spin_unlock(&ctx->flc_lock);
	free_leases(&dispose);
	return l ? 0 : -EAGAIN;
}

int fcntl_setlease(int fd, struct file *file, int type)
{
	struct inode *inode = file_inode(file);

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (!uid_eq(current_fsuid(), inode->i_uid) && !capable(CAP_LEASE))
		return -EACCES;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	return type == F_UNLCK ? drop_lease(file) : add_lease(fd, file, type);
}

/* What the lease is, or has to become. */
int fcntl_getlease(struct file *file)
{
	struct file_lock_context *ctx = locks_get_lock_context(file_inode(file), false);
	struct lease *l;
	LIST_HEAD(dispose);
	int type = F_UNLCK;

	if (!ctx || list_empty_careful(&ctx->flc_lease))
		return F_UNLCK;
	spin_lock(&ctx->flc_lock);
	time_out_leases(ctx, &dispose);
	l = lease_of(ctx, file);
	if (l)
		type = l->goal;
	spin_unlock(&ctx->flc_lock);
	free_leases(&dispose);
	return type;
}

void locks_remove_lease(struct file *file, struct file_lock_context *ctx)
{
	if (!list_empty_careful(&ctx->flc_lease))
		drop_lease(file);
}

/* [flc_lock] Lines of /proc/locks, or only the file's own for /proc/PID/fdinfo. */
void show_leases(struct seq_file *m, struct file_lock_context *ctx, const struct file *only, const char *prefix, int *id)
{
	struct lease *l;

	list_for_each_entry(l, &ctx->flc_lease, list) {
		struct inode *inode = file_inode(l->file);

		if (only && l->file != only)
			continue;
		seq_printf(m, "%s%d: LEASE  %s %s %d %02x:%02x:%lu 0 EOF\n", prefix, ++*id,
			   l->goal == l->type ? "ACTIVE   " : "BREAKING ",
			   l->goal == F_WRLCK ? "WRITE" : l->goal == F_RDLCK ? "READ" : "UNLCK", pid_nr_vnr(l->pid),
			   MAJOR(inode->i_sb->s_dev), MINOR(inode->i_sb->s_dev), inode->i_ino);
	}
}

static const struct ctl_table lease_table[] = {
	{ "leases-enable", &leases_enable, sizeof(int), 0644, proc_dointvec },
	{ "lease-break-time", &lease_break_time, sizeof(int), 0644, proc_dointvec },
	{ }
};

static int __init lease_init(void)
{
	return register_sysctl("fs", lease_table);
}
fs_initcall(lease_init);
