/*
 * proc_namespace.c: /proc/PID/mounts, mountinfo and mountstats.
 *
 * Idea:    the tree's list of mounts is walked under namespace_sem from start to stop; only what can be seen from the
 *          reader's root (as it was at open) is shown.  poll() tells of changes since the last look: POLLERR | POLLPRI.
 * See:     proc_pid_mounts(5), proc_pid_mountinfo(5)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/mount.h>
#include <weft/seq_file.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include "internal.h"
#include "proc/internal.h"

struct proc_mounts {
	struct mnt_namespace *ns;	/* of the task that the file is about; a reference */
	struct path	root;		/* what "/" means to it; references */
};

static void *m_start(struct seq_file *m, loff_t *pos) __acquires_shared(&namespace_sem)
{
	const struct proc_mounts *p = m->private;

	down_read(&namespace_sem);
	return seq_list_start(&p->ns->list, *pos);
}

static void *m_next(struct seq_file *m, void *v, loff_t *pos)
{
	const struct proc_mounts *p = m->private;

	return seq_list_next(v, &p->ns->list, pos);
}

static void m_stop(struct seq_file *m, void *v) __releases_shared(&namespace_sem)
{
	up_read(&namespace_sem);
}

struct flag_name {
	int		flag;
	const char	*text;
};

static void show_flags(struct seq_file *m, unsigned long flags, const struct flag_name *names)
{
	for (; names->flag; names++) {
		if (flags & names->flag)
			seq_puts(m, names->text);
	}
}

static void show_sb_opts(struct seq_file *m, struct super_block *sb)
{
	static const struct flag_name names[] = {
		{ SB_SYNCHRONOUS, ",sync" }, { SB_DIRSYNC, ",dirsync" }, { SB_LAZYTIME, ",lazytime" }, { 0, NULL },
	};

	show_flags(m, sb->s_flags, names);
}

static void show_mnt_opts(struct seq_file *m, struct vfsmount *mnt)
{
	static const struct flag_name names[] = {
		{ MNT_NOSUID, ",nosuid" }, { MNT_NODEV, ",nodev" }, { MNT_NOEXEC, ",noexec" }, { MNT_NOATIME, ",noatime" },
		{ MNT_NODIRATIME, ",nodiratime" }, { MNT_RELATIME, ",relatime" }, { MNT_NOSYMFOLLOW, ",nosymfollow" },
		{ 0, NULL },
	};

	show_flags(m, mnt->mnt_flags, names);
}

static int show_fs_options(struct seq_file *m, struct super_block *sb, struct dentry *root)
{
	return sb->s_op->show_options ? sb->s_op->show_options(m, root) : 0;
}

static void show_devname(struct seq_file *m, struct mount *r)
{
	seq_escape(m, r->mnt_devname, " \t\n\\#");
}

static int show_vfsmnt(struct seq_file *m, void *v)
{
	struct mount *r = list_entry(v, struct mount, mnt_list);
	struct proc_mounts *p = m->private;
	struct path path = { .dentry = r->mnt.mnt_root, .mnt = &r->mnt };
	struct super_block *sb = path.dentry->d_sb;
	int err;

	show_devname(m, r);
	seq_putc(m, ' ');
	err = seq_path_root(m, &path, &p->root, " \t\n\\");
	if (err)
		return err;
	seq_putc(m, ' ');
	seq_escape(m, sb->s_type->name, " \t\n\\");
	seq_puts(m, __mnt_is_readonly(path.mnt) ? " ro" : " rw");
	show_sb_opts(m, sb);
	show_mnt_opts(m, path.mnt);
	err = show_fs_options(m, sb, path.dentry);
	seq_puts(m, " 0 0\n");
	return err;
}

/* The optional fields.  propagate_from: the master's group is not to be seen from root, but this one above it. */
static void show_propagation(struct seq_file *m, const struct mount *r, const struct path *root)
{
	int master, from;

	if (is_mnt_shared(r))
		seq_printf(m, " shared:%i", r->mnt_group_id);
	if (is_mnt_slave(r)) {
		master = r->mnt_master->mnt_group_id;
		from = get_dominating_id(r, root);
		seq_printf(m, " master:%i", master);
		if (from && from != master)
			seq_printf(m, " propagate_from:%i", from);
	}
	if (r->mnt.mnt_flags & MNT_UNBINDABLE)
		seq_puts(m, " unbindable");
}

static int show_mountinfo(struct seq_file *m, void *v)
{
	struct mount *r = list_entry(v, struct mount, mnt_list);
	struct proc_mounts *p = m->private;
	struct path path = { .dentry = r->mnt.mnt_root, .mnt = &r->mnt };
	struct super_block *sb = path.dentry->d_sb;
	int err;

	seq_printf(m, "%i %i %u:%u ", r->mnt_id, r->mnt_parent->mnt_id, MAJOR(sb->s_dev), MINOR(sb->s_dev));
	err = sb->s_op->show_path ? sb->s_op->show_path(m, path.dentry) : seq_dentry(m, path.dentry, " \t\n\\");
	if (err < 0)
		return err;
	seq_putc(m, ' ');
	err = seq_path_root(m, &path, &p->root, " \t\n\\");
	if (err)
		return err;
	seq_puts(m, r->mnt.mnt_flags & MNT_READONLY ? " ro" : " rw");
	show_mnt_opts(m, path.mnt);
	show_propagation(m, r, &p->root);
	seq_puts(m, " - ");
	seq_escape(m, sb->s_type->name, " \t\n\\");
	seq_putc(m, ' ');
	show_devname(m, r);
	seq_puts(m, sb_rdonly(sb) ? " ro" : " rw");
	show_sb_opts(m, sb);
	err = show_fs_options(m, sb, path.dentry);
	seq_putc(m, '\n');
	return err;
}

static int show_vfsstat(struct seq_file *m, void *v)
{
	struct mount *r = list_entry(v, struct mount, mnt_list);
	struct proc_mounts *p = m->private;
	struct path path = { .dentry = r->mnt.mnt_root, .mnt = &r->mnt };
	int err;

	seq_puts(m, "device ");
	show_devname(m, r);
	seq_puts(m, " mounted on ");
	err = seq_path_root(m, &path, &p->root, " \t\n\\");
	if (err)
		return err;
	seq_printf(m, " with fstype %s\n", path.dentry->d_sb->s_type->name);
	return 0;
}

const struct seq_operations mounts_op = { .start = m_start, .next = m_next, .stop = m_stop, .show = show_vfsmnt };
const struct seq_operations mountinfo_op = { .start = m_start, .next = m_next, .stop = m_stop, .show = show_mountinfo };
const struct seq_operations mountstats_op = { .start = m_start, .next = m_next, .stop = m_stop, .show = show_vfsstat };

/* The task's namespace and root.  False: it has gone.  Both come from one look under its lock. */
static bool get_place(struct task_struct *task, struct mnt_namespace **ns, struct path *root)
{
	bool alive;

	task_lock(task);
	alive = task->nsproxy && task->fs;
	if (alive) {
		*ns = task->nsproxy->mnt;
		ns_get(&(*ns)->ns);
		get_fs_root(task->fs, root);
	}
	task_unlock(task);
	return alive;
}

static int open_common(struct inode *inode, struct file *file, const struct seq_operations *op)
{
	struct task_struct *task = get_proc_task(inode);
	struct mnt_namespace *ns;
	struct proc_mounts *p;
	struct path root;
	bool alive;

	if (!task)
		return -EINVAL;
	alive = get_place(task, &ns, &root);
	put_task_struct(task);
	if (!alive)
		return -EINVAL;
	p = __seq_open_private(file, op, sizeof(*p));
	if (!p) {
		path_put(&root);
		put_mnt_ns(ns);
		return -ENOMEM;
	}
	p->ns = ns;
	p->root = root;
	((struct seq_file *)file->private_data)->poll_event = READ_ONCE(ns->event);
	return 0;
}

static int mounts_release(struct inode *inode, struct file *file)
{
	struct proc_mounts *p = ((struct seq_file *)file->private_data)->private;

	path_put(&p->root);
	put_mnt_ns(p->ns);
	return seq_release_private(inode, file);
}

int mounts_open(struct inode *inode, struct file *file)
{
	return open_common(inode, file, &mounts_op);
}

int mountinfo_open(struct inode *inode, struct file *file)
{
	return open_common(inode, file, &mountinfo_op);
}

int mountstats_open(struct inode *inode, struct file *file)
{
	return open_common(inode, file, &mountstats_op);
}

__poll_t mounts_poll(struct file *file, struct poll_table_struct *pt)
{
	struct seq_file *m = file->private_data;
	struct mnt_namespace *ns = ((const struct proc_mounts *)m->private)->ns;
	__poll_t res = EPOLLIN | EPOLLRDNORM;
	int event;

	poll_wait(file, &ns->poll, pt);
	event = READ_ONCE(ns->event);
	if (m->poll_event != event) {
		m->poll_event = event;
		res |= EPOLLERR | EPOLLPRI;
	}
	return res;
}

const struct file_operations proc_mounts_operations = {
	.open = mounts_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = mounts_release, .poll = mounts_poll,
};
const struct file_operations proc_mountinfo_operations = {
	.open = mountinfo_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = mounts_release, .poll = mounts_poll,
};
const struct file_operations proc_mountstats_operations = {
	.open = mountstats_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = mounts_release,
};
