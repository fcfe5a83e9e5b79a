/*
 * pidfd.c: a file descriptor that stands for a process.
 *
 * Idea:    the file holds a reference to a struct pid, so it can never mean another process, even after the number was
 *          given to somebody else.  It becomes readable when the process (its last thread) has ended.
 * Locking: none of its own: the file's reference keeps the struct pid; pidfd_getfd() takes the target's cred_guard_mutex.
 * See:     pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2) (signal_sys.c), waitid(2) P_PIDFD (wait.c)
 */
#include <weft/kernel.h>
#include <weft/anon_inodes.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/pid.h>
#include <weft/pid_namespace.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/syscalls.h>
#include "internal.h"

#define PIDFD_NONBLOCK	O_NONBLOCK

static int pidfd_release(struct inode *inode, struct file *file)
{
	put_pid(file->private_data);
	return 0;
}

static void pidfd_show_fdinfo(struct seq_file *m, struct file *file)
{
	const struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	struct pid *pid = file->private_data;
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	int nr = task ? pid_nr_ns(pid, ns) : -1;	/* -1: it has been reaped */

	if (task)
		put_task_struct(task);
	seq_printf(m, "Pid:\t%d\nNSpid:\t%d", nr, nr);
	if (nr > 0) {
		for (unsigned int i = ns->level + 1; i <= pid->level; i++)
			seq_printf(m, "\t%d", pid->numbers[i].nr);
	}
	seq_putc(m, '\n');
}

static __poll_t pidfd_poll(struct file *file, struct poll_table_struct *pts)
{
	struct pid *pid = file->private_data;
	struct task_struct *task;
	bool ended;

	poll_wait(file, &pid->wait_pidfd, pts);
	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_PID);
	ended = !task || (READ_ONCE(task->exit_state) && thread_group_empty(task));
	rcu_read_unlock();
	return ended ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations pidfd_fops = {
	.release	= pidfd_release,
	.poll		= pidfd_poll,
	.show_fdinfo	= pidfd_show_fdinfo,
};

/* The process has ended: from do_notify_parent(), tasklist_lock held. */
void do_notify_pidfd(struct task_struct *task)
{
	wake_up_all(&task_pid(task)->wait_pidfd);
}

struct pid *pidfd_pid(const struct file *file)
{
	return file->f_op == &pidfd_fops ? file->private_data : ERR_PTR(-EBADF);
}

struct pid *pidfd_get_pid(unsigned int fd, unsigned int *flags)
{
	struct fd f = fdget(fd);
	struct pid *pid;

	if (!f.file)
		return ERR_PTR(-EBADF);
	pid = pidfd_pid(f.file);
	if (!IS_ERR(pid)) {
		get_pid(pid);
		*flags = f.file->f_flags;
	}
	fdput(f);
	return pid;
}

int pidfd_prepare(struct pid *pid, unsigned int flags, struct file **file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	*file = anon_inode_getfile("[pidfd]", &pidfd_fops, get_pid(pid), (int)(O_RDWR | (flags & O_NONBLOCK)));
	if (IS_ERR(*file)) {
		int err = PTR_ERR(*file);

		*file = NULL;
		put_pid(pid);
		put_unused_fd(fd);
		return err;
	}
	return fd;
}

/* Only for processes: a thread's number is refused. */
long sys_pidfd_open(pid_t nr, unsigned int flags)
{
	struct file *file;
	struct pid *pid;
	bool leader;
	int fd;

	if (flags & ~PIDFD_NONBLOCK || nr <= 0)
		return -EINVAL;
	pid = find_get_pid(nr);
	if (!pid)
		return -ESRCH;
	rcu_read_lock();
	leader = pid_has_task(pid, PIDTYPE_TGID);
	rcu_read_unlock();
	fd = leader ? pidfd_prepare(pid, flags, &file) : -EINVAL;
	put_pid(pid);
	if (fd >= 0)
		fd_install(fd, file);
	return fd;
}

/*
 * ERR_PTR.  cred_guard_mutex: between the check and the look into the table an execve could give the task other rights
 * and, with them, descriptors that are not for us.
 */
static struct file *file_of_task(struct task_struct *task, unsigned int fd)
{
	struct file *file = ERR_PTR(-EPERM);

	if (mutex_lock_killable(&task->signal->cred_guard_mutex))
		return ERR_PTR(-EINTR);
	if (ptrace_may_access(task, PTRACE_MODE_ATTACH_REALCREDS)) {
		file = fget_task(task, fd);
		/* No descriptors any more: it is exiting. */
		if (!file)
			file = ERR_PTR(task->flags & PF_EXITING ? -ESRCH : -EBADF);
	}
	mutex_unlock(&task->signal->cred_guard_mutex);
	return file;
}

/* A descriptor of another process becomes one of ours as well: for those who may trace it. */
long sys_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	struct task_struct *task;
	unsigned int file_flags;
	struct file *file;
	struct pid *pid;
	int ret;

	if (flags)
		return -EINVAL;
	pid = pidfd_get_pid((unsigned int)pidfd, &file_flags);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	file = file_of_task(task, (unsigned int)fd);
	put_task_struct(task);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = receive_fd(file, NULL, O_CLOEXEC);
	fput(file);
	return ret;
}
