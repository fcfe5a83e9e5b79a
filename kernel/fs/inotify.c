/*
 * inotify.c: inotify(7): being told what happens to files and in directories.
 *
 * What:    the system calls, the file that events are read from, and what fsnotify.h's hooks lead to (dnotify.c is its older
 *          brother and shares them).
 * Idea:    a watch joins an inode and a group (an open inotify file).  The inode keeps its watches in i_fsnotify_marks and
 *          the union of their masks in i_fsnotify_mask, so that an event nobody wants costs one look.  A watch keeps the
 *          inode in memory; it goes when the user removes it, when the inode loses its last name, at unmount, or with the
 *          group.  Whoever takes it off the inode's list (`attached`, under i_lock) does the rest.
 * Locking: inode->i_lock (its list of watches) -> group->lock (events, the table of numbers).  A watch has a reference for
 *          the inode's list and one for the group's table.
 * See:     include/weft/fsnotify.h; inotify(7)
 */
#include <weft/fsnotify.h>
#include <weft/inotify.h>
#include <weft/anon_inodes.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/namei.h>
#include <weft/poll.h>
#include <weft/idr.h>
#include <weft/cred.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include <uapi/ioctls.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/proc_fs.h>
#include "internal.h"

#define IN_USER_FLAGS	(IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT | IN_ONLYDIR)

int inotify_max_user_instances = 128;
int inotify_max_user_watches = 65536;
int inotify_max_queued_events = 16384;
atomic_t fsnotify_nr_marks;
static atomic_t next_cookie;

struct inotify_group {
	spinlock_t		lock;
	struct list_head	events;		/* [lock] oldest first */
	unsigned int		nr_events;	/* [lock] */
	struct wait_queue_head	wq;
	struct idr		watches;	/* [lock] by number */
	struct user_struct	*user;		/* [I] */
	refcount_t		refs;		/* the file, and each watch */
	struct mutex		add_lock;	/* an inode is watched once: look and add in one */
};

struct watch {
	struct hlist_node	node;		/* [i_lock] in inode->i_fsnotify_marks */
	bool			attached;	/* [i_lock] */
	struct inode		*inode;		/* [I] a reference while attached */
	struct inotify_group	*group;		/* [I] a reference */
	u32			mask;		/* [i_lock] */
	int			wd;		/* [I] */
	refcount_t		refs;
};

struct event {
	struct list_head	list;
	int			wd;
	u32			mask, cookie;
	u32			name_len;
	char			name[];
};

static void group_put(struct inotify_group *group)
{
	if (!refcount_dec_and_test(&group->refs))
		return;
	free_uid(group->user);
	idr_destroy(&group->watches);
	kfree(group);
}

static void watch_put(struct watch *w)
{
	if (!refcount_dec_and_test(&w->refs))
		return;
	group_put(w->group);
	kfree(w);
}

/* ---- events ---- */

static bool same_event(const struct event *a, const struct event *b)
{
	return a->wd == b->wd && a->mask == b->mask && a->cookie == b->cookie && a->name_len == b->name_len &&
	       !memcmp(a->name, b->name, a->name_len);
}

/* [group->lock] Takes the event over. */
static void append(struct inotify_group *group, struct event *ev)
{
	list_add_tail(&ev->list, &group->events);
	group->nr_events++;
	wake_up_interruptible_poll(&group->wq, EPOLLIN);
}

static struct event *new_event(int wd, u32 mask, u32 cookie, const struct qstr *name)
{
	u32 len = name ? name->len : 0;
	struct event *ev = kmalloc(sizeof(*ev) + len + 1, GFP_ATOMIC);

	if (!ev)
		return NULL;
	ev->wd = wd;
	ev->mask = mask;
	ev->cookie = cookie;
	ev->name_len = len;
	if (len)
		memcpy(ev->name, name->name, len);
	ev->name[len] = 0;
	return ev;
}

/* An event equal to the last one in the queue is dropped; a full queue ends in one IN_Q_OVERFLOW.  Atomic context. */
static void queue_event(struct inotify_group *group, int wd, u32 mask, u32 cookie, const struct qstr *name)
{
	struct event *ev = new_event(wd, mask, cookie, name), *last;

	spin_lock(&group->lock);
	last = list_empty(&group->events) ? NULL : list_last_entry(&group->events, struct event, list);
	if (!ev || group->nr_events >= inotify_max_queued_events) {
		kfree(ev);
		ev = last && last->wd == -1 ? NULL : new_event(-1, IN_Q_OVERFLOW, 0, NULL);
	} else if (last && same_event(last, ev)) {
		kfree(ev);
		ev = NULL;
	}
	if (ev)
		append(group, ev);
	spin_unlock(&group->lock);
}

/* [i_lock] */
void fsnotify_recalc_mask(struct inode *inode)
{
	struct watch *w;
	u32 mask = dnotify_mask(inode);

	lockdep_assert_held(&inode->i_lock);
	hlist_for_each_entry(w, &inode->i_fsnotify_marks, node)
		mask |= w->mask;
	WRITE_ONCE(inode->i_fsnotify_mask, mask);
}

/* [i_lock] True: the caller took it off and must call finish_detach() without the lock. */
static bool detach(struct watch *w)
{
	if (!w->attached)
		return false;
	w->attached = false;
	hlist_del(&w->node);
	fsnotify_recalc_mask(w->inode);
	return true;
}

/* May sleep.  Consumes the reference of the inode's list. */
static void finish_detach(struct watch *w, u32 why)
{
	struct inotify_group *group = w->group;
	struct inode *inode = w->inode;
	bool in_table;

	if (why)
		queue_event(group, w->wd, why, 0, NULL);
	queue_event(group, w->wd, IN_IGNORED, 0, NULL);
	spin_lock(&group->lock);
	in_table = idr_remove(&group->watches, w->wd) != NULL;
	spin_unlock(&group->lock);
	atomic_dec(&fsnotify_nr_marks);
	atomic_long_dec(&group->user->inotify_watches);
	if (in_table)
		watch_put(w);
	watch_put(w);
	iput(inode);
}

/* Tells the watchers of one inode.  name: of the child, for a directory. */
void __fsnotify(struct inode *inode, u32 mask, const struct qstr *name, u32 cookie)
{
	struct hlist_node *next;
	struct watch *w, *spent;

	dnotify_event(inode, mask);
	do {
		spent = NULL;
		spin_lock(&inode->i_lock);
		hlist_for_each_entry_safe(w, next, &inode->i_fsnotify_marks, node) {
			if (!(w->mask & mask & IN_ALL_EVENTS))
				continue;
			queue_event(w->group, w->wd, mask & (IN_ALL_EVENTS | IN_ISDIR), cookie, name);
			if (w->mask & IN_ONESHOT && detach(w)) {
				spent = w;
				break;		/* the others are told in the next round, once this one is off */
			}
		}
		spin_unlock(&inode->i_lock);
		if (spent)
			finish_detach(spent, 0);
	} while (spent && inode->i_fsnotify_mask & mask & IN_ALL_EVENTS);
}

/* To the watchers of what the dentry names, and of its directory. */
void __fsnotify_parent(struct dentry *dentry, u32 mask)
{
	struct inode *inode = d_inode(dentry);
	struct dentry *parent;

	if (inode && inode->i_fsnotify_mask & mask)
		__fsnotify(inode, mask, NULL, 0);
	if (IS_ROOT(dentry))
		return;
	parent = dget_parent(dentry);
	if (d_inode(parent) && d_inode(parent)->i_fsnotify_mask & mask) {
		struct name_snapshot name;

		take_dentry_name_snapshot(&name, dentry);
		__fsnotify(d_inode(parent), mask, &name.name, 0);
		release_dentry_name_snapshot(&name);
	}
	dput(parent);
}

static void detach_all(struct inode *inode, u32 why)
{
	struct watch *w;

	for (;;) {
		spin_lock(&inode->i_lock);
		w = hlist_empty(&inode->i_fsnotify_marks) ? NULL :
		    hlist_entry(inode->i_fsnotify_marks.first, struct watch, node);
		if (w)
			detach(w);
		spin_unlock(&inode->i_lock);
		if (!w)
			return;
		finish_detach(w, why & IN_UNMOUNT ? why : why & w->mask);
	}
}

/* The last name is gone and nobody has it open. */
void __fsnotify_inode_delete(struct inode *inode)
{
	ihold(inode);				/* the watches' references go */
	detach_all(inode, IN_DELETE_SELF);
	fanotify_forget(inode);
	iput(inode);
}

void fsnotify_unmount_inodes(struct super_block *sb)
{
	struct inode *inode, *found;

	if (!fanotify_idle())
		__fanotify_unmount(sb);
	do {
		found = NULL;
		spin_lock(&sb->s_inode_list_lock);
		list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
			if (hlist_empty(&inode->i_fsnotify_marks))
				continue;
			found = igrab(inode);
			if (found)
				break;
		}
		spin_unlock(&sb->s_inode_list_lock);
		if (found) {
			detach_all(found, IN_UNMOUNT);
			iput(found);
		}
	} while (found);
}

u32 fsnotify_get_cookie(void)
{
	return atomic_inc_return(&next_cookie);
}

/* moved has its new name and place already; target: what the move replaced. */
void fsnotify_move(struct inode *old_dir, struct inode *new_dir, const struct qstr *old_name, bool is_dir,
		   struct inode *target, struct dentry *moved)
{
	u32 isdir = is_dir ? IN_ISDIR : 0, cookie;
	struct inode *inode = d_inode(moved);

	if (fsnotify_idle())
		return;
	cookie = fsnotify_get_cookie();
	if (old_dir->i_fsnotify_mask & IN_MOVED_FROM)
		__fsnotify(old_dir, IN_MOVED_FROM | isdir, old_name, cookie);
	if (old_dir->i_fsnotify_mask & FS_RENAME)
		__fsnotify(old_dir, FS_RENAME, old_name, 0);
	if (new_dir->i_fsnotify_mask & IN_MOVED_TO)
		__fsnotify(new_dir, IN_MOVED_TO | isdir, &moved->d_name, cookie);
	if (target)
		fsnotify_link_count(target);
	if (inode && inode->i_fsnotify_mask & IN_MOVE_SELF)
		__fsnotify(inode, IN_MOVE_SELF | isdir, NULL, 0);
}

/* ---- the file ---- */

static struct event *take_event(struct inotify_group *group, size_t room)
{
	struct event *ev = NULL;
	size_t need;

	spin_lock(&group->lock);
	if (!list_empty(&group->events)) {
		ev = list_first_entry(&group->events, struct event, list);
		need = sizeof(struct inotify_event) +
		       (ev->name_len ? round_up(ev->name_len + 1, sizeof(struct inotify_event)) : 0);
		if (need > room) {
			ev = ERR_PTR(-EINVAL);
		} else {
			list_del(&ev->list);
			group->nr_events--;
		}
	}
	spin_unlock(&group->lock);
	return ev;
}

/* Bytes, or -EFAULT.  The name is padded with zeroes to a multiple of the structure's size. */
static ssize_t copy_event(struct event *ev, struct iov_iter *to)
{
	size_t pad = ev->name_len ? round_up(ev->name_len + 1, sizeof(struct inotify_event)) : 0;
	struct inotify_event out = { .wd = ev->wd, .mask = ev->mask, .cookie = ev->cookie, .len = pad };

	if (copy_to_iter(&out, sizeof(out), to) != sizeof(out))
		return -EFAULT;
	if (pad && (copy_to_iter(ev->name, ev->name_len, to) != ev->name_len ||
		    iov_iter_zero(pad - ev->name_len, to) != pad - ev->name_len))
		return -EFAULT;
	return sizeof(out) + pad;
}

static ssize_t inotify_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct inotify_group *group = iocb->ki_filp->private_data;
	ssize_t done = 0, n;
	struct event *ev;

	for (;;) {
		ev = take_event(group, iov_iter_count(to));
		if (IS_ERR(ev))
			return done ?: PTR_ERR(ev);
		if (ev) {
			n = copy_event(ev, to);
			kfree(ev);
			if (n < 0)
				return done ?: n;
			done += n;
			continue;
		}
		if (done)
			return done;
		if (iocb->ki_filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		n = wait_event_interruptible(group->wq, READ_ONCE(group->nr_events));
		if (n)
			return n;
	}
}

static __poll_t inotify_poll(struct file *file, poll_table *wait)
{
	struct inotify_group *group = file->private_data;

	poll_wait(file, &group->wq, wait);
	return READ_ONCE(group->nr_events) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long inotify_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct inotify_group *group = file->private_data;
	struct event *ev;
	int bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	spin_lock(&group->lock);
	list_for_each_entry(ev, &group->events, list)
		bytes += sizeof(struct inotify_event) +
			 (ev->name_len ? round_up(ev->name_len + 1, sizeof(struct inotify_event)) : 0);
	spin_unlock(&group->lock);
	return put_user(bytes, (int __user *)arg);
}

static struct watch *watch_get(struct inotify_group *group, int wd)
{
	struct watch *w;

	spin_lock(&group->lock);
	w = idr_find(&group->watches, wd);
	if (w)
		refcount_inc(&w->refs);
	spin_unlock(&group->lock);
	return w;
}

/* w: with a reference, which is consumed. */
static void remove_watch(struct watch *w)
{
	bool ours;

	spin_lock(&w->inode->i_lock);
	ours = detach(w);
	spin_unlock(&w->inode->i_lock);
	if (ours)
		finish_detach(w, 0);
	watch_put(w);
}

static int inotify_release(struct inode *inode, struct file *file)
{
	struct inotify_group *group = file->private_data;
	struct event *ev, *next;
	struct watch *w;

	for (;;) {
		int wd = 1;

		spin_lock(&group->lock);
		w = idr_get_next(&group->watches, &wd);
		if (w)
			refcount_inc(&w->refs);
		spin_unlock(&group->lock);
		if (!w)
			break;
		remove_watch(w);
		cond_resched();
	}
	list_for_each_entry_safe(ev, next, &group->events, list)
		kfree(ev);
	INIT_LIST_HEAD(&group->events);
	atomic_long_dec(&group->user->inotify_instances);
	group_put(group);
	return 0;
}

static void inotify_show_fdinfo(struct seq_file *m, struct file *f)
{
	struct inotify_group *group = f->private_data;
	struct watch *w;
	int wd;

	spin_lock(&group->lock);
	idr_for_each_entry(&group->watches, w, wd)
		seq_printf(m, "inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0\n", wd, w->inode->i_ino,
			   w->inode->i_sb->s_dev, w->mask);
	spin_unlock(&group->lock);
}

static const struct file_operations inotify_fops = {
	.read_iter	= inotify_read,
	.poll		= inotify_poll,
	.unlocked_ioctl	= inotify_ioctl,
	.release	= inotify_release,
	.llseek		= noop_llseek,
	.show_fdinfo	= inotify_show_fdinfo,
};

static struct inotify_group *new_group(void)
{
	struct inotify_group *group = kzalloc(sizeof(*group), GFP_KERNEL);

	if (!group)
		return ERR_PTR(-ENOMEM);
	group->user = get_uid(current_user());
	if (atomic_long_inc_return(&group->user->inotify_instances) > inotify_max_user_instances) {
		atomic_long_dec(&group->user->inotify_instances);
		free_uid(group->user);
		kfree(group);
		return ERR_PTR(-EMFILE);
	}
	spin_lock_init(&group->lock);
	mutex_init(&group->add_lock);
	INIT_LIST_HEAD(&group->events);
	init_waitqueue_head(&group->wq);
	idr_init(&group->watches);
	refcount_set(&group->refs, 1);
	return group;
}

long sys_inotify_init1(int flags)
{
	struct inotify_group *group;
	int fd;

	if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	group = new_group();
	if (IS_ERR(group))
		return PTR_ERR(group);
	fd = anon_inode_getfd("inotify", &inotify_fops, group, O_RDONLY | flags);
	if (fd < 0) {
		atomic_long_dec(&group->user->inotify_instances);
		group_put(group);
	}
	return fd;
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

/* [i_lock] */
static struct watch *find_watch(struct inode *inode, struct inotify_group *group)
{
	struct watch *w;

	hlist_for_each_entry(w, &inode->i_fsnotify_marks, node)
		if (w->group == group)
			return w;
	return NULL;
}

/* The group watches this inode already: the mask changes.  The number, 0: there is none, or -EEXIST. */
static int update_watch(struct inotify_group *group, struct inode *inode, u32 mask)
{
	struct watch *w;
	int ret = 0;

	spin_lock(&inode->i_lock);
	w = find_watch(inode, group);
	if (w && mask & IN_MASK_CREATE) {
		ret = -EEXIST;
	} else if (w) {
		w->mask = (mask & IN_MASK_ADD ? w->mask : 0) | (mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK));
		fsnotify_recalc_mask(inode);
		ret = w->wd;
	}
	spin_unlock(&inode->i_lock);
	return ret;
}

/* Makes a watch; the number or -errno.  The reference to inode is taken here. */
static int new_watch(struct inotify_group *group, struct inode *inode, u32 mask)
{
	struct watch *w = kzalloc(sizeof(*w), GFP_KERNEL);
	int wd;

	if (!w)
		return -ENOMEM;
	if (atomic_long_inc_return(&group->user->inotify_watches) > inotify_max_user_watches) {
		atomic_long_dec(&group->user->inotify_watches);
		kfree(w);
		return -ENOSPC;
	}
	w->group = group;
	w->inode = inode;
	w->mask = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
	refcount_set(&w->refs, 2);
	spin_lock(&group->lock);
	wd = idr_alloc_cyclic(&group->watches, w, 1, 0, GFP_ATOMIC);
	w->wd = wd;
	spin_unlock(&group->lock);
	if (wd < 0) {
		atomic_long_dec(&group->user->inotify_watches);
		kfree(w);
		return wd;
	}
	refcount_inc(&group->refs);
	ihold(inode);
	atomic_inc(&fsnotify_nr_marks);
	spin_lock(&inode->i_lock);
	w->attached = true;
	hlist_add_head(&w->node, &inode->i_fsnotify_marks);
	fsnotify_recalc_mask(inode);
	spin_unlock(&inode->i_lock);
	return wd;
}

static int inotify_fdget(int fd, struct fd *f)
{
	*f = fdget(fd);
	if (!f->file)
		return -EBADF;
	if (f->file->f_op != &inotify_fops) {
		fdput(*f);
		return -EINVAL;
	}
	return 0;
}

static long add_watch(struct inotify_group *group, const char __user *pathname, u32 mask)
{
	unsigned int flags = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	struct path path;
	long ret = user_path_at(AT_FDCWD, pathname, flags, &path);

	if (ret)
		return ret;
	ret = path_permission(&path, MAY_READ);
	if (!ret) {
		mutex_lock(&group->add_lock);
		ret = update_watch(group, d_inode(path.dentry), mask);
		if (!ret)
			ret = new_watch(group, d_inode(path.dentry), mask);
		mutex_unlock(&group->add_lock);
	}
	path_put(&path);
	return ret;
}

long sys_inotify_add_watch(int fd, const char __user *pathname, u32 mask)
{
	struct fd f;
	long ret;

	if (!(mask & IN_ALL_EVENTS) || mask & ~(IN_ALL_EVENTS | IN_USER_FLAGS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED))
		return -EINVAL;
	if ((mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE))
		return -EINVAL;
	ret = inotify_fdget(fd, &f);
	if (ret)
		return ret;
	ret = add_watch(f.file->private_data, pathname, mask);
	fdput(f);
	return ret;
}

long sys_inotify_rm_watch(int fd, int wd)
{
	struct watch *w;
	struct fd f;
	int err = inotify_fdget(fd, &f);

	if (err)
		return err;
	w = watch_get(f.file->private_data, wd);
	if (w)
		remove_watch(w);
	fdput(f);
	return w ? 0 : -EINVAL;
}

static const int zero;
static const struct ctl_table inotify_table[] = {
	{ "max_user_instances", &inotify_max_user_instances, sizeof(int), 0644, proc_dointvec_minmax, &zero, NULL },
	{ "max_user_watches", &inotify_max_user_watches, sizeof(int), 0644, proc_dointvec_minmax, &zero, NULL },
	{ "max_queued_events", &inotify_max_queued_events, sizeof(int), 0644, proc_dointvec_minmax, &zero, NULL },
	{ },
};

static int __init inotify_init(void)
{
	return register_sysctl("fs/inotify", inotify_table);
}
fs_initcall(inotify_init);
