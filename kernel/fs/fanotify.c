/*
 * fanotify.c: fanotify(7): being told of what is done to the files of whole mounts and file systems, with a descriptor of each.
 *
 * What:    groups of class "notification": open, access, modify, close, execution, on marked inodes, children of marked
 *          directories, mounts and file systems.
 * Idea:    inotify asks "who watches this inode?"; here a group asks for more than it could put a watch on.  So the marks hang
 *          on nothing: they are in one table by object and group, and an event looks each group up there for the inode, its
 *          directory, the mount and the file system.  Listeners are few, and without any an event costs one look at
 *          fsnotify_nr_marks, which inotify pays already.
 *          An event holds the path; the descriptor is opened for who reads it, when he does, and makes no events itself.
 * Life:    a mark of an inode keeps it in memory until its last name goes or its disk; marks of mounts and file systems keep
 *          nothing and go with them (fanotify_forget()).
 * Not:     permission events (FAN_CLASS_CONTENT), handles instead of descriptors (FAN_REPORT_FID and with it events of names),
 *          FAN_REPORT_PIDFD, FAN_MARK_EVICTABLE and FAN_MARK_IGNORE: all EINVAL.
 * Locking: fanotify_lock over the groups, the table and the masks -> group->lock over the events.  What was taken out is put
 *          back (inodes, paths) without them.
 * See:     fanotify(7), fanotify_init(2), fanotify_mark(2); inotify.c
 */
#include <weft/anon_inodes.h>
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fsnotify.h>
#include <weft/hashtable.h>
#include <weft/init.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/pid.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <uapi/fanotify.h>
#include <uapi/ioctls.h>
#include "internal.h"

#define EVENTS		(FAN_ACCESS | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE | FAN_OPEN | FAN_OPEN_EXEC)
#define INIT_FLAGS	(FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_REPORT_TID)
#define MARK_TYPES	(FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM)
#define MARK_COMMANDS	(FAN_MARK_ADD | FAN_MARK_REMOVE | FAN_MARK_FLUSH)
#define MARK_FLAGS	(MARK_COMMANDS | MARK_TYPES | FAN_MARK_DONT_FOLLOW | FAN_MARK_ONLYDIR | FAN_MARK_IGNORED_MASK | \
			 FAN_MARK_IGNORED_SURV_MODIFY)
#define FILE_FLAGS	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_CLOEXEC | O_LARGEFILE | O_NOATIME)
#define EVENT_SIZE	sizeof(struct fanotify_event_metadata)
#define MERGE_DEPTH	16		/* so many of the youngest events are looked at for one that another can join */

static int max_user_groups = 128, max_user_marks = 65536, max_queued_events = 16384;

struct fan_group {
	struct list_head	node;		/* [fanotify_lock] in groups */
	struct list_head	marks;		/* [fanotify_lock] */
	unsigned int		flags, f_flags;	/* [I] of fanotify_init(); of the descriptors to come */
	struct user_struct	*user;		/* [I] */

	spinlock_t		lock;
	struct list_head	events;		/* [lock] oldest first */
	unsigned int		nr_events;	/* [lock] */
	struct wait_queue_head	wq;
};

struct fan_mark {
	struct hlist_node	hash;		/* [fanotify_lock] in marks_of, by object */
	struct list_head	in_group;	/* [fanotify_lock] */
	struct fan_group	*group;		/* [I] */
	void			*object;	/* [I] inode (a reference), mount or super block */
	unsigned int		type;		/* [I] 0: inode, FAN_MARK_MOUNT, FAN_MARK_FILESYSTEM */
	u64			mask, ignored;	/* [fanotify_lock] */
	bool			survives;	/* [fanotify_lock] `ignored` stays when the file is modified */
};

struct fan_event {
	struct list_head	list;
	u64			mask;
	struct path		path;		/* a reference; none: the queue was full */
	struct pid		*pid;		/* a reference; who did it */
};

atomic_t fanotify_nr_marks;
static DEFINE_SPINLOCK(fanotify_lock);
static LIST_HEAD(groups);			/* [fanotify_lock] */
static unsigned int nr_groups, nr_marks;	/* [fanotify_lock] */
static DEFINE_HASHTABLE(marks_of, 8);		/* [fanotify_lock] */

/* ---- events ---- */

static void free_event(struct fan_event *ev)
{
	if (ev->path.dentry)
		path_put(&ev->path);
	put_pid(ev->pid);
	kfree(ev);
}

/* [group->lock] An event of the same task on the same file takes another in: its bits are added. */
static bool merge(struct fan_group *group, const struct path *path, struct pid *pid, u64 mask)
{
	struct fan_event *ev;
	int depth = 0;

	list_for_each_entry_reverse(ev, &group->events, list) {
		if (++depth > MERGE_DEPTH)
			return false;
		if (path_equal(&ev->path, path) && ev->pid == pid) {
			ev->mask |= mask;
			return true;
		}
	}
	return false;
}

static struct fan_event *new_event(const struct path *path, struct pid *pid, u64 mask)
{
	struct fan_event *ev = kzalloc(sizeof(*ev), GFP_ATOMIC);

	if (!ev)
		return NULL;
	ev->mask = mask;
	if (path) {
		ev->path = *path;
		path_get(path);
		ev->pid = get_pid(pid);
	}
	return ev;
}

static bool is_overflow(const struct fan_event *ev)
{
	return ev->mask & FAN_Q_OVERFLOW;
}

/* [fanotify_lock] A full queue ends in one FAN_Q_OVERFLOW. */
static void queue_event(struct fan_group *group, const struct path *path, u64 mask)
{
	struct pid *pid = group->flags & FAN_REPORT_TID ? task_pid(current) : task_tgid(current);
	struct fan_event *ev = NULL;

	spin_lock(&group->lock);
	if (merge(group, path, pid, mask))
		goto unlock;
	if (group->flags & FAN_UNLIMITED_QUEUE || group->nr_events < (unsigned int)max_queued_events)
		ev = new_event(path, pid, mask);
	if (!ev && (list_empty(&group->events) || !is_overflow(list_last_entry(&group->events, struct fan_event, list))))
		ev = new_event(NULL, NULL, FAN_Q_OVERFLOW);
	if (ev) {
		list_add_tail(&ev->list, &group->events);
		group->nr_events++;
		wake_up_interruptible_poll(&group->wq, EPOLLIN);
	}
unlock:
	spin_unlock(&group->lock);
}

/* ---- what a group wants to know ---- */

/* [fanotify_lock] */
static struct fan_mark *find_mark(const struct fan_group *group, const void *object)
{
	struct fan_mark *m;

	lockdep_assert_held(&fanotify_lock);
	hash_for_each_possible(marks_of, m, hash, (unsigned long)object)
		if (m->object == object && m->group == group)
			return m;
	return NULL;
}

/* [fanotify_lock] One mark's part: bits that are wanted, and those that are not. */
static void look_at(const struct fan_group *group, const void *object, u64 needs, u64 *wanted, u64 *ignored)
{
	const struct fan_mark *m = object ? find_mark(group, object) : NULL;

	if (!m)
		return;
	if ((m->mask & needs) == needs)
		*wanted |= m->mask;
	*ignored |= m->ignored;
}

/* [fanotify_lock] After a change an inode is of interest again. */
static void end_ignoring(struct fan_group *group, const void *object)
{
	struct fan_mark *m = find_mark(group, object);

	if (m && !m->survives)
		m->ignored = 0;
}

/* [fanotify_lock] Which bits of the event the group gets.  dir: of the file, NULL at the root of a file system. */
static u64 bits_for(struct fan_group *group, const struct path *path, const struct inode *dir, u64 mask)
{
	const struct inode *inode = d_inode(path->dentry);
	u64 isdir = d_is_dir(path->dentry) ? FAN_ONDIR : 0, wanted = 0, ignored = 0, unused = 0;

	if (mask & FAN_MODIFY) {
		end_ignoring(group, inode);
		end_ignoring(group, path->mnt);
		end_ignoring(group, inode->i_sb);
	}
	look_at(group, inode, isdir, &wanted, &ignored);
	look_at(group, path->mnt, isdir, &wanted, &ignored);
	look_at(group, inode->i_sb, isdir, &wanted, &ignored);
	look_at(group, dir, isdir | FAN_EVENT_ON_CHILD, &wanted, &unused);	/* what it ignores is its own */
	return mask & wanted & ~ignored & EVENTS;
}

void __fanotify_event(const struct path *path, u32 mask)
{
	struct dentry *parent = IS_ROOT(path->dentry) ? NULL : dget_parent(path->dentry);
	struct fan_group *group;
	u64 bits;

	spin_lock(&fanotify_lock);
	list_for_each_entry(group, &groups, node) {
		bits = bits_for(group, path, parent ? d_inode(parent) : NULL, mask);
		if (bits)
			queue_event(group, path, bits);
	}
	spin_unlock(&fanotify_lock);
	dput(parent);
}

/* ---- marks ---- */

/* [fanotify_lock] The mark goes to a list of those that release_marks() ends. */
static void take_mark(struct fan_mark *m, struct list_head *gone)
{
	hash_del(&m->hash);
	list_move(&m->in_group, gone);
	nr_marks--;
	atomic_dec(&fsnotify_nr_marks);
	atomic_dec(&fanotify_nr_marks);
}

/* Without locks: the last reference to an inode may be here. */
static void release_marks(struct list_head *gone)
{
	struct fan_mark *m, *next;

	list_for_each_entry_safe(m, next, gone, in_group) {
		if (!m->type)
			iput(m->object);
		kfree(m);
	}
}

void __fanotify_forget(const void *object)
{
	struct hlist_node *next;
	struct fan_mark *m;
	LIST_HEAD(gone);

	spin_lock(&fanotify_lock);
	hash_for_each_possible_safe(marks_of, m, next, hash, (unsigned long)object)
		if (m->object == object)
			take_mark(m, &gone);
	spin_unlock(&fanotify_lock);
	release_marks(&gone);
}

/* The file system goes: its own marks, and those of its inodes. */
void __fanotify_unmount(const struct super_block *sb)
{
	struct fan_mark *m, *next;
	struct fan_group *group;
	LIST_HEAD(gone);

	spin_lock(&fanotify_lock);
	list_for_each_entry(group, &groups, node)
		list_for_each_entry_safe(m, next, &group->marks, in_group)
			if (m->object == sb || (!m->type && ((struct inode *)m->object)->i_sb == sb))
				take_mark(m, &gone);
	spin_unlock(&fanotify_lock);
	release_marks(&gone);
}

/* All of the group, or (type >= 0) those of one type. */
static void flush_marks(struct fan_group *group, int type)
{
	struct fan_mark *m, *next;
	LIST_HEAD(gone);

	spin_lock(&fanotify_lock);
	list_for_each_entry_safe(m, next, &group->marks, in_group)
		if (type < 0 || m->type == (unsigned int)type)
			take_mark(m, &gone);
	spin_unlock(&fanotify_lock);
	release_marks(&gone);
}

static void change_mask(struct fan_mark *m, unsigned int flags, u64 mask)
{
	u64 *which = flags & FAN_MARK_IGNORED_MASK ? &m->ignored : &m->mask;

	if (flags & FAN_MARK_REMOVE)
		*which &= ~mask;
	else
		*which |= mask;
	if (flags & FAN_MARK_ADD && flags & FAN_MARK_IGNORED_SURV_MODIFY)
		m->survives = true;
}

/* [fanotify_lock] *spare becomes the mark, if there is room. */
static int insert_mark(struct fan_group *group, struct fan_mark **spare, void *object, unsigned int type)
{
	struct fan_mark *m = *spare;

	if (!(group->flags & FAN_UNLIMITED_MARKS) && nr_marks >= (unsigned int)max_user_marks)
		return -ENOSPC;
	*m = (struct fan_mark){ .group = group, .object = object, .type = type };
	if (!type)
		ihold(object);
	hash_add(marks_of, &m->hash, (unsigned long)object);
	list_add_tail(&m->in_group, &group->marks);
	nr_marks++;
	atomic_inc(&fsnotify_nr_marks);
	atomic_inc(&fanotify_nr_marks);
	*spare = NULL;
	return 0;
}

static int add_mark(struct fan_group *group, void *object, unsigned int type, unsigned int flags, u64 mask)
{
	struct fan_mark *spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	int err = 0;

	if (!spare)
		return -ENOMEM;
	spin_lock(&fanotify_lock);
	if (!find_mark(group, object))
		err = insert_mark(group, &spare, object, type);
	if (!err)
		change_mask(find_mark(group, object), flags, mask);
	spin_unlock(&fanotify_lock);
	kfree(spare);
	return err;
}

static int remove_mark(struct fan_group *group, void *object, unsigned int flags, u64 mask)
{
	struct fan_mark *m;
	LIST_HEAD(gone);

	spin_lock(&fanotify_lock);
	m = find_mark(group, object);
	if (m) {
		change_mask(m, flags, mask);
		if (!((m->mask | m->ignored) & EVENTS))
			take_mark(m, &gone);
	}
	spin_unlock(&fanotify_lock);
	release_marks(&gone);
	return m ? 0 : -ENOENT;
}

/* ---- the file ---- */

/* The oldest event; NULL: there is none; -EINVAL: there is no room for it. */
static struct fan_event *take_event(struct fan_group *group, size_t room)
{
	struct fan_event *ev;

	spin_lock(&group->lock);
	ev = list_first_entry_or_null(&group->events, struct fan_event, list);
	if (ev && room < EVENT_SIZE) {
		ev = ERR_PTR(-EINVAL);
	} else if (ev) {
		list_del(&ev->list);
		group->nr_events--;
	}
	spin_unlock(&group->lock);
	return ev;
}

static struct file *open_quietly(const struct path *path, unsigned int flags)
{
	struct file *file = alloc_empty_file((int)flags, current_cred());
	int err;

	if (IS_ERR(file))
		return file;
	file->f_mode |= FMODE_NONOTIFY;
	err = vfs_open(path, file);
	if (!err)
		return file;
	fput(file);
	return ERR_PTR(err);
}

/* Bytes, or -errno: then the event is lost, as whoever cannot open a file is told by read(2). */
static ssize_t copy_event(struct fan_group *group, const struct fan_event *ev, struct iov_iter *to)
{
	struct fanotify_event_metadata out = {
		.event_len = sizeof(out), .vers = FANOTIFY_METADATA_VERSION, .metadata_len = sizeof(out),
		.mask = ev->mask, .fd = FAN_NOFD, .pid = ev->pid ? pid_vnr(ev->pid) : 0,
	};
	struct file *file = NULL;

	if (ev->path.dentry) {
		out.fd = get_unused_fd_flags(group->f_flags & O_CLOEXEC);
		if (out.fd < 0)
			return out.fd;
		file = open_quietly(&ev->path, group->f_flags);
		if (IS_ERR(file)) {
			put_unused_fd((unsigned int)out.fd);
			return PTR_ERR(file);
		}
	}
	if (copy_to_iter(&out, sizeof(out), to) != sizeof(out)) {
		if (file) {
			put_unused_fd((unsigned int)out.fd);
			fput(file);
		}
		return -EFAULT;
	}
	if (file)
		fd_install((unsigned int)out.fd, file);
	return sizeof(out);
}

static ssize_t fanotify_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct fan_group *group = iocb->ki_filp->private_data;
	ssize_t done = 0, n;
	struct fan_event *ev;

	for (;;) {
		ev = take_event(group, iov_iter_count(to));
		if (IS_ERR(ev))
			return done ?: PTR_ERR(ev);
		if (ev) {
			n = copy_event(group, ev, to);
			free_event(ev);
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

static __poll_t fanotify_poll(struct file *file, poll_table *wait)
{
	struct fan_group *group = file->private_data;

	poll_wait(file, &group->wq, wait);
	return READ_ONCE(group->nr_events) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long fanotify_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct fan_group *group = file->private_data;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)(READ_ONCE(group->nr_events) * EVENT_SIZE), (int __user *)arg);
}

static void free_group(struct fan_group *group)
{
	free_uid(group->user);
	kfree(group);
}

static int fanotify_release(struct inode *inode, struct file *file)
{
	struct fan_group *group = file->private_data;
	struct fan_event *ev;

	spin_lock(&fanotify_lock);
	list_del(&group->node);			/* no event finds it from now on */
	nr_groups--;
	spin_unlock(&fanotify_lock);
	flush_marks(group, -1);
	while ((ev = take_event(group, EVENT_SIZE)))
		free_event(ev);
	free_group(group);
	return 0;
}

static void fanotify_show_fdinfo(struct seq_file *m, struct file *f)
{
	struct fan_group *group = f->private_data;
	struct fan_mark *mark;

	seq_printf(m, "fanotify flags:%x event-flags:%x\n", group->flags, group->f_flags);
	spin_lock(&fanotify_lock);
	list_for_each_entry(mark, &group->marks, in_group) {
		unsigned int mflags = mark->survives ? FAN_MARK_IGNORED_SURV_MODIFY : 0;

		if (mark->type == FAN_MARK_MOUNT)
			seq_printf(m, "fanotify mnt_id:%x", real_mount(mark->object)->mnt_id);
		else if (mark->type == FAN_MARK_FILESYSTEM)
			seq_printf(m, "fanotify sdev:%x", ((struct super_block *)mark->object)->s_dev);
		else
			seq_printf(m, "fanotify ino:%lx sdev:%x", ((struct inode *)mark->object)->i_ino,
				   ((struct inode *)mark->object)->i_sb->s_dev);
		seq_printf(m, " mflags:%x mask:%llx ignored_mask:%llx\n", mflags, mark->mask, mark->ignored);
	}
	spin_unlock(&fanotify_lock);
}

static const struct file_operations fanotify_fops = {
	.read_iter	= fanotify_read,
	.poll		= fanotify_poll,
	.unlocked_ioctl	= fanotify_ioctl,
	.release	= fanotify_release,
	.llseek		= noop_llseek,
	.show_fdinfo	= fanotify_show_fdinfo,
};

/* ---- the calls ---- */

/* A group, among the others; -EMFILE: there are enough. */
static struct fan_group *new_group(unsigned int flags, unsigned int f_flags)
{
	struct fan_group *group = kzalloc(sizeof(*group), GFP_KERNEL);
	bool room;

	if (!group)
		return ERR_PTR(-ENOMEM);
	group->flags = flags;
	group->f_flags = f_flags;
	group->user = get_uid(current_user());
	INIT_LIST_HEAD(&group->marks);
	INIT_LIST_HEAD(&group->events);
	spin_lock_init(&group->lock);
	init_waitqueue_head(&group->wq);
	spin_lock(&fanotify_lock);
	room = nr_groups < (unsigned int)max_user_groups;
	if (room) {
		nr_groups++;
		list_add_tail(&group->node, &groups);
	}
	spin_unlock(&fanotify_lock);
	if (room)
		return group;
	free_group(group);
	return ERR_PTR(-EMFILE);
}

long sys_fanotify_init(unsigned int flags, unsigned int event_f_flags)
{
	struct fan_group *group;
	int fd;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~INIT_FLAGS || event_f_flags & ~FILE_FLAGS || (event_f_flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	group = new_group(flags, event_f_flags);
	if (IS_ERR(group))
		return PTR_ERR(group);
	fd = anon_inode_getfd("[fanotify]", &fanotify_fops, group, O_RDWR | (flags & FAN_CLOEXEC ? O_CLOEXEC : 0) |
			      (flags & FAN_NONBLOCK ? O_NONBLOCK : 0));
	if (fd >= 0)
		return fd;
	spin_lock(&fanotify_lock);
	list_del(&group->node);
	nr_groups--;
	spin_unlock(&fanotify_lock);
	free_group(group);
	return fd;
}

static int find_path(int dfd, const char __user *name, unsigned int flags, struct path *path)
{
	unsigned int lookup = (flags & FAN_MARK_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) |
			      (flags & FAN_MARK_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	struct fd f;
	int err = 0;

	if (name) {
		err = user_path_at(dfd, name, lookup, path);
	} else {
		f = fdget(dfd);
		if (!f.file)
			return -EBADF;
		if (flags & FAN_MARK_ONLYDIR && !S_ISDIR(file_inode(f.file)->i_mode))
			err = -ENOTDIR;
		if (!err) {
			*path = f.file->f_path;
			path_get(path);
		}
		fdput(f);
	}
	if (err)
		return err;
	err = path_permission(path, MAY_READ);
	if (err)
		path_put(path);
	return err;
}

static int change_mark(struct fan_group *group, const struct path *path, unsigned int flags, u64 mask)
{
	unsigned int type = flags & MARK_TYPES;
	void *object;

	if (type && path->mnt->mnt_flags & MNT_INTERNAL)
		return -EINVAL;
	object = type == FAN_MARK_MOUNT ? (void *)path->mnt :
		 type == FAN_MARK_FILESYSTEM ? (void *)path->mnt->mnt_sb : (void *)d_inode(path->dentry);
	if (type || !d_is_dir(path->dentry))
		mask &= ~(u64)FAN_EVENT_ON_CHILD;	/* only a directory has children */
	if (flags & FAN_MARK_REMOVE)
		return remove_mark(group, object, flags, mask);
	return add_mark(group, object, type, flags, mask);
}

static int check_mark(unsigned int flags, u64 mask)
{
	unsigned int command = flags & MARK_COMMANDS;

	if (flags & ~MARK_FLAGS || (flags & MARK_TYPES) == MARK_TYPES)
		return -EINVAL;
	if (command == FAN_MARK_FLUSH)
		return flags & ~(MARK_TYPES | FAN_MARK_FLUSH) ? -EINVAL : 0;
	if ((command != FAN_MARK_ADD && command != FAN_MARK_REMOVE) || !mask)
		return -EINVAL;
	return mask & ~(u64)(EVENTS | FAN_EVENT_ON_CHILD | FAN_ONDIR) ? -EINVAL : 0;
}

static int mark(struct file *file, unsigned int flags, u64 mask, int dfd, const char __user *name)
{
	struct fan_group *group = file->private_data;
	struct path path;
	int err;

	if (file->f_op != &fanotify_fops)
		return -EINVAL;
	if (flags & FAN_MARK_FLUSH) {
		flush_marks(group, (int)(flags & MARK_TYPES));
		return 0;
	}
	err = find_path(dfd, name, flags, &path);
	if (err)
		return err;
	err = change_mark(group, &path, flags, mask);
	path_put(&path);
	return err;
}

long sys_fanotify_mark(int fanotify_fd, unsigned int flags, u64 mask, int fd, const char __user *pathname)
{
	int err = check_mark(flags, mask);
	struct fd f;

	if (err)
		return err;
	f = fdget(fanotify_fd);
	if (!f.file)
		return -EBADF;
	err = mark(f.file, flags, mask, fd, pathname);
	fdput(f);
	return err;
}

static const int zero;
static const struct ctl_table fanotify_table[] = {
	{ "max_user_groups", &max_user_groups, sizeof(int), 0644, proc_dointvec_minmax, &zero, NULL },
	{ "max_user_marks", &max_user_marks, sizeof(int), 0644, proc_dointvec_minmax, &zero, NULL },
	{ "max_queued_events", &max_queued_events, sizeof(int), 0644, proc_dointvec_minmax, &zero, NULL },
	{ },
};

static int __init fanotify_setup(void)
{
	return register_sysctl("fs/fanotify", fanotify_table);
}
fs_initcall(fanotify_setup);
