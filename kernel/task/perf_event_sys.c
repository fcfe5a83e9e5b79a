/*
 * perf_event_sys.c: perf_event_open(2) and what can be done with its descriptors: read(2), ioctl(2).
 *
 * What:    software events that count.  Samples (attr.sample_period) are refused with EOPNOTSUPP, as Linux does where a
 *          counter has no interrupt; counting a task on one CPU only is refused, too.
 * Rights:  /proc/sys/kernel/perf_event_paranoid: what who has not CAP_PERFMON may count: 2 (usual): own programs, their
 *          user half; 1: kernel half, too; 0: CPUs; -1: all.
 * Locking: perf_mutex (perf_event.h).
 * See:     perf_event.c; perf_event_open(2)
 */
#include <weft/anon_inodes.h>
#include <weft/capability.h>
#include <weft/cpumask.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/pid.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <uapi/fcntl.h>
#include "perf_event.h"

static int perf_event_paranoid = 2, perf_event_max_sample_rate = 100000;

static bool perfmon_capable(void)
{
	return capable(CAP_PERFMON) || capable(CAP_SYS_ADMIN);
}

/* ---- reading ---- */

static size_t group_size(const struct perf_event *leader)
{
	const struct list_head *at;
	size_t n = 1;

	list_for_each(at, &leader->members)
		n++;
	return n;
}

static size_t read_size(struct perf_event *e)
{
	u64 format = e->attr.read_format;
	size_t words = hweight64(format & (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING));
	size_t each = 1 + hweight64(format & (PERF_FORMAT_ID | PERF_FORMAT_LOST)), n = 1;

	if (format & PERF_FORMAT_GROUP) {
		n = group_size(e);
		words++;
	}
	return (words + n * each) * sizeof(u64);
}

/* An event's value and what else the format has for each. */
static u64 *put_value(u64 *to, struct perf_event *e, u64 format)
{
	u64 time;

	perf_total(e, to, &time);
	to++;
	if (format & PERF_FORMAT_ID)
		*to++ = e->id;
	if (format & PERF_FORMAT_LOST)
		*to++ = 0;
	return to;
}

static u64 *put_times(u64 *to, struct perf_event *e, u64 format)
{
	u64 count, time;

	perf_total(e, &count, &time);
	if (format & PERF_FORMAT_TOTAL_TIME_ENABLED)
		*to++ = time;
	if (format & PERF_FORMAT_TOTAL_TIME_RUNNING)
		*to++ = time;		/* software events need not share a counter: they run whenever they are on */
	return to;
}

static void fill(u64 *to, struct perf_event *e)
{
	u64 format = e->attr.read_format, value[3];
	struct perf_event *member;
	u64 *end;

	if (!(format & PERF_FORMAT_GROUP)) {
		end = put_value(value, e, format);
		*to++ = value[0];
		to = put_times(to, e, format);
		memcpy(to, value + 1, (size_t)(end - value - 1) * sizeof(u64));
		return;
	}
	*to++ = group_size(e);
	to = put_times(to, e, format);
	to = put_value(to, e, format);
	list_for_each_entry(member, &e->members, by_leader)
		to = put_value(to, member, format);
}

static ssize_t perf_read(struct kiocb *iocb, struct iov_iter *iter)
{
	struct perf_event *e = iocb->ki_filp->private_data;
	ssize_t ret = -ENOSPC;
	size_t size;
	u64 *buf;

	mutex_lock(&perf_mutex);
	size = read_size(e);
	buf = iov_iter_count(iter) >= size ? kmalloc(size, GFP_KERNEL) : NULL;
	if (buf) {
		fill(buf, e);
		ret = (ssize_t)size;
	} else if (iov_iter_count(iter) >= size) {
		ret = -ENOMEM;
	}
	mutex_unlock(&perf_mutex);
	if (buf && copy_to_iter(buf, size, iter) != size)
		ret = -EFAULT;
	kfree(buf);
	return ret;
}

/* Nothing is ever written into a buffer that could be waited for. */
static __poll_t perf_poll(struct file *file, poll_table *pt)
{
	return EPOLLHUP;
}

/* ---- ioctl ---- */

/* Of the event, or of all of its group. */
static void for_each(struct perf_event *e, bool group, void (*fn)(struct perf_event *))
{
	struct perf_event *member;

	if (group)
		e = e->leader;
	fn(e);
	if (group)
		list_for_each_entry(member, &e->members, by_leader)
			fn(member);
}

static void enable(struct perf_event *e)
{
	perf_switch(e, true);
}

static void disable(struct perf_event *e)
{
	perf_switch(e, false);
}

static long perf_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct perf_event *e = file->private_data;
	void (*fn)(struct perf_event *);

	switch (cmd) {
	case PERF_EVENT_IOC_ENABLE:
		fn = enable;
		break;
	case PERF_EVENT_IOC_DISABLE:
		fn = disable;
		break;
	case PERF_EVENT_IOC_RESET:
		fn = perf_reset;
		break;
	case PERF_EVENT_IOC_ID:
	case _IOC(_IOC_READ, '$', 7, sizeof(u32)):	/* a 32-bit program's */
		return copy_to_user((void __user *)arg, &e->id, sizeof(e->id)) ? -EFAULT : 0;
	case PERF_EVENT_IOC_REFRESH:
	case PERF_EVENT_IOC_PERIOD:
	case PERF_EVENT_IOC_SET_FILTER:
		return -EINVAL;		/* of events that take samples */
	case PERF_EVENT_IOC_SET_OUTPUT:
		return (int)arg == -1 ? 0 : -EINVAL;
	default:
		return -ENOTTY;
	}
	mutex_lock(&perf_mutex);
	for_each(e, arg & PERF_IOC_FLAG_GROUP, fn);
	mutex_unlock(&perf_mutex);
	return 0;
}

static int perf_release(struct inode *inode, struct file *file)
{
	mutex_lock(&perf_mutex);
	perf_free_event(file->private_data);
	mutex_unlock(&perf_mutex);
	return 0;
}

static const struct file_operations perf_fops = {
	.read_iter = perf_read, .poll = perf_poll, .unlocked_ioctl = perf_ioctl,
	.compat_ioctl = perf_ioctl, .release = perf_release,
};

/* ---- perf_event_open(2) ---- */

static int read_attr(struct perf_event_attr *attr, struct perf_event_attr __user *uattr)
{
	u32 size;
	int err;

	if (get_user(size, &uattr->size))
		return -EFAULT;
	if (!size)
		size = PERF_ATTR_SIZE_VER0;
	err = size < PERF_ATTR_SIZE_VER0 || size > PAGE_SIZE ? -E2BIG :
	      copy_struct_from_user(attr, sizeof(*attr), uattr, size);
	if (err == -E2BIG)
		put_user((u32)sizeof(*attr), &uattr->size);
	if (err)
		return err;
	attr->size = size;
	if (attr->reserved_1 || attr->reserved_2 || attr->reserved_3 || attr->sample_type >= PERF_SAMPLE_MAX ||
	    attr->read_format >= PERF_FORMAT_MAX)
		return -EINVAL;
	if ((attr->inherit_thread && !attr->inherit) || (attr->remove_on_exec && attr->enable_on_exec))
		return -EINVAL;
	return 0;
}

/* Is it something that can be counted here? */
static int check_kind(const struct perf_event_attr *attr)
{
	if (attr->freq ? attr->sample_period > (u64)READ_ONCE(perf_event_max_sample_rate) : attr->sample_period >> 63)
		return -EINVAL;
	if (attr->inherit && (attr->sample_type & PERF_SAMPLE_READ))
		return -EINVAL;
	if (attr->type != PERF_TYPE_SOFTWARE || attr->config >= PERF_COUNT_SW_MAX)
		return -ENOENT;
	if (attr->sample_period || attr->sigtrap || attr->remove_on_exec)
		return -EOPNOTSUPP;
	return 0;
}

static int check_rights(const struct perf_event_attr *attr, bool of_cpu)
{
	int paranoid = READ_ONCE(perf_event_paranoid);

	if (((!attr->exclude_kernel && paranoid > 1) || (of_cpu && paranoid > 0) || attr->namespaces) && !perfmon_capable())
		return -EACCES;
	return 0;
}

static int check_cpu(int cpu, bool of_task)
{
	if (cpu == -1)
		return of_task ? 0 : -EINVAL;
	if (cpu < 0 || (unsigned int)cpu >= nr_cpu_ids)
		return -EINVAL;
	if (!cpu_online((unsigned int)cpu))
		return -ENODEV;
	return of_task ? -EINVAL : 0;		/* one CPU's part of a task's counts is not kept */
}

/* The task to count, with a reference; NULL for pid -1. */
static struct task_struct *find_task(pid_t pid)
{
	struct task_struct *task;

	if (pid == -1)
		return NULL;
	if (!pid)
		return get_task_struct(current);
	task = find_get_task_by_vpid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	if (!perfmon_capable() && !ptrace_may_access(task, PTRACE_MODE_READ_REALCREDS)) {
		put_task_struct(task);
		return ERR_PTR(-EACCES);
	}
	return task;
}

/* perf_mutex held.  May an event of the task and CPU join the group? */
static int check_leader(const struct perf_event *leader, const struct perf_event_attr *attr,
			const struct task_struct *task, int cpu)
{
	if (leader->leader != leader || leader->gone || leader->task != task || leader->cpu != cpu ||
	    leader->attr.inherit != attr->inherit || attr->exclusive || attr->pinned)
		return -EINVAL;
	return 0;
}

static struct perf_event *make_event(const struct perf_event_attr *attr, struct task_struct *task, int cpu,
				     struct perf_event *leader)
{
	struct perf_event *e;
	int err = leader ? check_leader(leader, attr, task, cpu) : 0;

	if (err)
		return ERR_PTR(err);
	e = perf_new_event(attr, task, cpu, leader);
	if (!e)
		return ERR_PTR(-ENOMEM);
	err = perf_attach(e);
	if (err) {
		perf_free_event(e);
		return ERR_PTR(err);
	}
	return e;
}

/* The new event's descriptor. */
static int open_event(const struct perf_event_attr *attr, struct task_struct *task, int cpu, struct perf_event *leader,
		      unsigned long flags)
{
	struct perf_event *e;
	struct file *file;
	int fd = get_unused_fd_flags(flags & PERF_FLAG_FD_CLOEXEC ? O_CLOEXEC : 0);

	if (fd < 0)
		return fd;
	mutex_lock(&perf_mutex);
	e = make_event(attr, task, cpu, leader);
	mutex_unlock(&perf_mutex);
	if (IS_ERR(e)) {
		put_unused_fd(fd);
		return PTR_ERR(e);
	}
	file = anon_inode_getfile("[perf_event]", &perf_fops, e, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		mutex_lock(&perf_mutex);
		perf_free_event(e);
		mutex_unlock(&perf_mutex);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static int open_in_group(const struct perf_event_attr *attr, struct task_struct *task, int cpu, int group_fd,
			 unsigned long flags)
{
	struct fd group = { 0 };
	struct perf_event *leader = NULL;
	int ret = -EBADF;

	if (group_fd == -1)
		return open_event(attr, task, cpu, NULL, flags);
	group = fdget(group_fd);
	if (group.file && group.file->f_op == &perf_fops) {
		if (!(flags & PERF_FLAG_FD_NO_GROUP))
			leader = group.file->private_data;
		ret = open_event(attr, task, cpu, leader, flags);
	}
	if (group.file)
		fdput(group);
	return ret;
}

long sys_perf_event_open(struct perf_event_attr __user *uattr, pid_t pid, int cpu, int group_fd, unsigned long flags)
{
	struct perf_event_attr attr;
	struct task_struct *task;
	int ret;

	if ((flags & ~PERF_FLAG_ALL) || (flags & PERF_FLAG_PID_CGROUP))
		return -EINVAL;
	ret = read_attr(&attr, uattr);
	if (!ret)
		ret = check_rights(&attr, pid == -1);
	if (!ret)
		ret = check_kind(&attr);
	if (!ret)
		ret = check_cpu(cpu, pid != -1);
	if (ret)
		return ret;
	task = find_task(pid);
	if (IS_ERR(task))
		return PTR_ERR(task);
	ret = open_in_group(&attr, task, cpu, group_fd, flags);
	if (task)
		put_task_struct(task);
	return ret;
}

static const struct ctl_table perf_table[] = {
	{ "perf_event_paranoid", &perf_event_paranoid, sizeof(int), 0644, proc_dointvec },
	{ "perf_event_max_sample_rate", &perf_event_max_sample_rate, sizeof(int), 0644, proc_dointvec },
	{ }
};

static int __init perf_event_init(void)
{
	return register_sysctl("kernel", perf_table);
}
fs_initcall(perf_event_init);
