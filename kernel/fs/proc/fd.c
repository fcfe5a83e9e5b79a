/*
 * fd.c: /proc/PID/fd (links to open files) and /proc/PID/fdinfo (their positions and flags).
 *
 * Idea:    a look-up finds the file of another task's table under RCU and task_lock; the link keeps only the number, and is
 *          valid as long as that number is open there (revalidation asks again).
 * See:     proc(5); base.c
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/namei.h>
#include <weft/mount.h>
#include <weft/filelock.h>
#include <weft/ptrace.h>
#include <weft/seq_file.h>
#include <weft/stat.h>
#include "../internal.h"
#include "internal.h"

/* The mode of fd `fd` of the task's table; false when it is not open. */
static bool fd_mode(struct task_struct *task, unsigned int fd, fmode_t *mode)
{
	struct file *file = fget_task(task, fd);

	if (!file)
		return false;
	*mode = file->f_mode;
	fput(file);
	return true;
}

static void update_fd_inode(struct task_struct *task, struct inode *inode, fmode_t f_mode)
{
	if (S_ISLNK(inode->i_mode)) {
		umode_t mode = S_IFLNK;

		if (f_mode & FMODE_READ)
			mode |= S_IRUSR | S_IXUSR;
		if (f_mode & FMODE_WRITE)
			mode |= S_IWUSR | S_IXUSR;
		inode->i_mode = mode;
	}
	task_dump_owner(task, inode->i_mode, &inode->i_uid, &inode->i_gid);
}

static int fd_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode;
	struct task_struct *task;
	fmode_t mode;
	int valid = 0;

	if (flags & LOOKUP_RCU)
		return -ECHILD;
	inode = d_inode(dentry);
	task = get_proc_task(inode);
	if (task) {
		if (fd_mode(task, PROC_I(inode)->fd, &mode)) {
			update_fd_inode(task, inode, mode);
			valid = 1;
		}
		put_task_struct(task);
	}
	return valid;
}

static int fd_delete_dentry(const struct dentry *dentry)
{
	return 1;	/* cheap to make again, and the number may mean another file by then */
}

static const struct dentry_operations fd_dentry_operations = {
	.d_revalidate = fd_revalidate, .d_delete = fd_delete_dentry,
};

static int proc_fd_link(struct dentry *dentry, struct path *path)
{
	struct task_struct *task = get_proc_task(d_inode(dentry));
	struct file *file = task ? fget_task(task, PROC_I(d_inode(dentry))->fd) : NULL;

	if (task)
		put_task_struct(task);
	if (!file)
		return -ENOENT;
	*path = file->f_path;
	path_get(path);
	fput(file);
	return 0;
}

static bool fd_cloexec(struct task_struct *task, unsigned int fd)
{
	struct files_struct *files;
	bool set = false;

	task_lock(task);
	files = task->files;
	if (files) {
		struct fdtable *fdt;

		rcu_read_lock();
		fdt = files_fdtable(files);
		set = fd < fdt->max_fds && close_on_exec(fd, fdt);
		rcu_read_unlock();
	}
	task_unlock(task);
	return set;
}

static int fdinfo_show(struct seq_file *m, void *v)
{
	struct inode *inode = m->private;
	struct task_struct *task = get_proc_task(inode);
	struct file *file;

	if (!task)
		return -ENOENT;
	file = fget_task(task, PROC_I(inode)->fd);
	if (!file) {
		put_task_struct(task);
		return -ENOENT;
	}
	seq_printf(m, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%i\nino:\t%lu\n", (long long)file->f_pos,
		   file->f_flags | (fd_cloexec(task, PROC_I(inode)->fd) ? O_CLOEXEC : 0),
		   real_mount(file->f_path.mnt)->mnt_id, (unsigned long)file_inode(file)->i_ino);
	show_fd_locks(m, file, task);
	if (file->f_op->show_fdinfo)
		file->f_op->show_fdinfo(m, file);
	fput(file);
	put_task_struct(task);
	return 0;
}

/* The folder can be searched by everybody, but what a process has open is not for everybody. */
static int fdinfo_open(struct inode *inode, struct file *file)
{
	struct task_struct *task = get_proc_task(inode);
	bool allowed;

	if (!task)
		return -ESRCH;
	allowed = ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS);
	put_task_struct(task);
	if (!allowed)
		return -EACCES;
	return single_open(file, fdinfo_show, inode);
}

static const struct file_operations fdinfo_file_operations = {
	.open = fdinfo_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = single_release,
};

static struct dentry *fd_instantiate(struct dentry *dentry, struct task_struct *task, const void *ptr)
{
	unsigned int fd = (unsigned long)ptr;
	struct inode *inode;
	fmode_t mode;

	if (!fd_mode(task, fd, &mode))
		return ERR_PTR(-ENOENT);
	inode = proc_pid_make_inode(dentry->d_sb, task, S_IFLNK);
	if (!inode)
		return ERR_PTR(-ENOENT);
	PROC_I(inode)->fd = fd;
	PROC_I(inode)->op.get_link = proc_fd_link;
	inode->i_op = &proc_pid_link_inode_operations;
	inode->i_size = 64;
	update_fd_inode(task, inode, mode);
	d_set_d_op(dentry, &fd_dentry_operations);
	return d_splice_alias(inode, dentry);
}

static struct dentry *fdinfo_instantiate(struct dentry *dentry, struct task_struct *task, const void *ptr)
{
	unsigned int fd = (unsigned long)ptr;
	struct inode *inode;
	fmode_t mode;

	if (!fd_mode(task, fd, &mode))
		return ERR_PTR(-ENOENT);
	inode = proc_pid_make_inode(dentry->d_sb, task, S_IFREG | 0444);
	if (!inode)
		return ERR_PTR(-ENOENT);
	PROC_I(inode)->fd = fd;
	inode->i_fop = &fdinfo_file_operations;
	update_fd_inode(task, inode, 0);
	d_set_d_op(dentry, &fd_dentry_operations);
	return d_splice_alias(inode, dentry);
}

static unsigned int parse_fd(const struct qstr *q)
{
	unsigned int n = 0;

	if (!q->len || q->len > 9 || (q->len > 1 && q->name[0] == '0'))
		return ~0U;
	for (unsigned int i = 0; i < q->len; i++) {
		if (q->name[i] < '0' || q->name[i] > '9')
			return ~0U;
		n = n * 10 + (q->name[i] - '0');
	}
	return n;
}

static struct dentry *lookup_common(struct inode *dir, struct dentry *dentry, instantiate_t *instantiate)
{
	struct task_struct *task = get_proc_task(dir);
	unsigned int fd = parse_fd(&dentry->d_name);
	struct dentry *res = ERR_PTR(-ENOENT);

	if (!task)
		return res;
	if (fd != ~0U)
		res = instantiate(dentry, task, (void *)(unsigned long)fd);
	put_task_struct(task);
	return res;
}

/* The lowest open number from *fd on. */
static bool next_open_fd(struct task_struct *task, unsigned int *fd)
{
	bool found;

	rcu_read_lock();
	found = task_lookup_next_fd_rcu(task, fd) != NULL;
	rcu_read_unlock();
	return found;
}

static int readdir_common(struct file *file, struct dir_context *ctx, unsigned int type)
{
	struct task_struct *task = get_proc_task(file_inode(file));

	if (!task)
		return -ENOENT;
	if (dir_emit_dots(file, ctx))
		for (unsigned int fd = ctx->pos - 2; next_open_fd(task, &fd); fd++) {
			char name[12];
			unsigned int len = snprintf(name, sizeof(name), "%u", fd);

			ctx->pos = fd + 2;
			if (!proc_fill_cache(file, ctx, name, len, type))
				break;
			ctx->pos = fd + 3;
			cond_resched();
		}
	put_task_struct(task);
	return 0;
}

static struct dentry *proc_lookupfd(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return lookup_common(dir, dentry, fd_instantiate);
}

static struct dentry *proc_lookupfdinfo(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return lookup_common(dir, dentry, fdinfo_instantiate);
}

static int proc_readfd(struct file *file, struct dir_context *ctx)
{
	return readdir_common(file, ctx, DT_LNK);
}

static int proc_readfdinfo(struct file *file, struct dir_context *ctx)
{
	return readdir_common(file, ctx, DT_REG);
}

/* A process may always look at its own descriptors, even when it is no longer the owner of its folder. */
static int proc_fd_permission(struct inode *inode, int mask)
{
	struct task_struct *task;
	int err = generic_permission(inode, mask);

	if (!err)
		return 0;
	rcu_read_lock();
	task = pid_task(proc_pid(inode), PIDTYPE_PID);
	if (task && same_thread_group(task, current))
		err = 0;
	rcu_read_unlock();
	return err;
}

const struct file_operations proc_fd_operations = { .iterate_shared = proc_readfd, .llseek = generic_file_llseek };
const struct file_operations proc_fdinfo_operations = { .iterate_shared = proc_readfdinfo, .llseek = generic_file_llseek };
const struct inode_operations proc_fd_inode_operations = {
	.lookup = proc_lookupfd, .permission = proc_fd_permission, .getattr = pid_getattr,
};
const struct inode_operations proc_fdinfo_inode_operations = { .lookup = proc_lookupfdinfo, .getattr = pid_getattr };
