/*
 * dnotify.c: fcntl(F_NOTIFY): a signal when something happens in a directory, as it was before inotify.
 *
 * What:    the requests that stand at a directory's inode, the event that fulfils them, and their end.
 * Idea:    a request belongs to one open directory in one descriptor table, and the file's owner (F_SETOWN) gets its signal.
 *          It hangs on the inode beside inotify's watches and speaks in their bits, so that fsnotify.h's hooks serve both.
 *          It needs no reference: any close of the descriptor in that table ends it, so the file, and the inode with it,
 *          outlive it.
 * Locking: inode->i_lock over the inode's list and the requests in it.  Order: i_lock -> f_owner.lock.
 * See:     fcntl(2), "File and directory change notification"; kernel/fs/inotify.c
 */
#include <weft/fs.h>
#include <weft/fdtable.h>
#include <weft/fsnotify.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/init.h>
#include <weft/proc_fs.h>
#include "internal.h"

struct dnotify {
	struct hlist_node	node;		/* [i_lock] in inode->i_dnotify */
	struct file		*file;		/* [I] the open directory */
	fl_owner_t		owner;		/* [I] the descriptor table */
	int			fd;		/* [i_lock] what the signal names */
	unsigned long		events;		/* [i_lock] DN_... */
};

static int dir_notify_enable = 1;		/* /proc/sys/fs/dir-notify-enable */

/* What the user asks for, in inotify's bits. */
static u32 dnotify_bits(unsigned long events)
{
	u32 bits = 0;

	if (events & DN_ACCESS)
		bits |= IN_ACCESS;
	if (events & DN_MODIFY)
		bits |= IN_MODIFY;
	if (events & DN_CREATE)
		bits |= IN_CREATE | IN_MOVED_TO;
	if (events & DN_DELETE)
		bits |= IN_DELETE | IN_MOVED_FROM;
	if (events & DN_RENAME)
		bits |= FS_RENAME;
	if (events & DN_ATTRIB)
		bits |= IN_ATTRIB;
	return bits;
}

/* [i_lock] All events that somebody wants to hear of this way. */
u32 dnotify_mask(struct inode *inode)
{
	struct dnotify *dn;
	u32 mask = 0;

	hlist_for_each_entry(dn, &inode->i_dnotify, node)
		mask |= dnotify_bits(dn->events);
	return mask;
}

/* [i_lock] */
static void dnotify_remove(struct dnotify *dn)
{
	hlist_del(&dn->node);
	atomic_dec(&fsnotify_nr_marks);
	kfree(dn);
}

/* Something happened in the directory: a request is fulfilled once, unless it is for more. */
void dnotify_event(struct inode *inode, u32 mask)
{
	struct hlist_node *next;
	struct dnotify *dn;
	bool spent = false;

	if (hlist_empty(&inode->i_dnotify))
		return;
	spin_lock(&inode->i_lock);
	hlist_for_each_entry_safe(dn, next, &inode->i_dnotify, node) {
		if (!(dnotify_bits(dn->events) & mask))
			continue;
		send_sigio(&dn->file->f_owner, dn->fd, POLL_MSG);
		if (!(dn->events & DN_MULTISHOT)) {
			dnotify_remove(dn);
			spent = true;
		}
	}
	if (spent)
		fsnotify_recalc_mask(inode);
	spin_unlock(&inode->i_lock);
}

/* [i_lock] */
static struct dnotify *dnotify_find(struct inode *inode, struct file *file, fl_owner_t owner)
{
	struct dnotify *dn;

	hlist_for_each_entry(dn, &inode->i_dnotify, node)
		if (dn->file == file && dn->owner == owner)
			return dn;
	return NULL;
}

/* A descriptor of the file was closed in that table. */
void dnotify_flush(struct file *file, fl_owner_t owner)
{
	struct inode *inode = file_inode(file);
	struct dnotify *dn;

	if (hlist_empty(&inode->i_dnotify))
		return;
	spin_lock(&inode->i_lock);
	dn = dnotify_find(inode, file, owner);
	if (dn) {
		dnotify_remove(dn);
		fsnotify_recalc_mask(inode);
	}
	spin_unlock(&inode->i_lock);
}

/* [i_lock] Another thread may have closed fd, and its dnotify_flush() have found nothing yet. */
static bool still_open(int fd, struct file *file)
{
	bool open;

	rcu_read_lock();
	open = lookup_fd_rcu(fd) == file;
	rcu_read_unlock();
	return open;
}

/* fcntl(F_NOTIFY): adds to what was asked for before; no event ends it. */
long fcntl_dirnotify(int fd, struct file *file, unsigned long events)
{
	struct inode *inode = file_inode(file);
	struct dnotify *fresh, *dn;

	if (!READ_ONCE(dir_notify_enable))
		return -EINVAL;
	if (!(events & ~DN_MULTISHOT)) {
		dnotify_flush(file, current->files);
		return 0;
	}
	if (!S_ISDIR(inode->i_mode))
		return -ENOTDIR;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;
	fresh->file = file;
	fresh->owner = current->files;
	__f_setown(file, task_tgid(current), PIDTYPE_TGID, 0);
	spin_lock(&inode->i_lock);
	dn = dnotify_find(inode, file, current->files);
	if (!dn && still_open(fd, file)) {
		dn = fresh;
		fresh = NULL;
		hlist_add_head(&dn->node, &inode->i_dnotify);
		atomic_inc(&fsnotify_nr_marks);
	}
	if (dn) {
		dn->fd = fd;
		dn->events |= events;
		fsnotify_recalc_mask(inode);
	}
	spin_unlock(&inode->i_lock);
	kfree(fresh);
	return 0;
}

static const int zero, one = 1;
static const struct ctl_table dnotify_table[] = {
	{ "dir-notify-enable", &dir_notify_enable, sizeof(int), 0644, proc_dointvec_minmax, &zero, &one },
	{ },
};

static int __init dnotify_init(void)
{
	return register_sysctl("fs", dnotify_table);
}
fs_initcall(dnotify_init);
