/*
 * timens.c: /proc/PID/timens_offsets: the offsets of the time namespace in which a process's children will be.
 *
 * What:    a line for each clock, "monotonic 86400 0": seconds and nanoseconds.  Written with the clock's name or number, one
 *          or more lines at once, before the first child is born.
 * Locking: none here: an open file keeps its process's pid only.
 * See:     time_namespaces(7); kernel/task/time_namespace.c
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/pid.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/time_namespace.h>
#include <weft/uio.h>
#include "internal.h"

/* + reference; NULL: the process has gone. */
static struct time_namespace *get_ns(struct inode *inode)
{
	struct task_struct *task = get_pid_task(proc_pid(inode), PIDTYPE_PID);
	struct ns_common *ns;

	if (!task)
		return NULL;
	ns = ns_of_task(task, &time_for_children_ns_type);
	put_task_struct(task);
	return ns ? container_of(ns, struct time_namespace, ns) : NULL;
}

static void show_offset(struct seq_file *m, const char *clock, const struct timespec64 *offset)
{
	seq_printf(m, "%-10s %10lld %9ld\n", clock, (long long)offset->tv_sec, offset->tv_nsec);
}

static int timens_show(struct seq_file *m, void *v)
{
	struct time_namespace *ns = get_ns(m->private);

	if (!ns)
		return -ESRCH;
	show_offset(m, "monotonic", &ns->monotonic);
	show_offset(m, "boottime", &ns->boottime);
	put_time_ns(ns);
	return 0;
}

/* "CLOCK SECONDS NANOSECONDS" */
static int parse_line(char *line, struct timespec64 *monotonic, struct timespec64 *boottime)
{
	struct timespec64 *offset;
	char clock[12];
	long long sec;
	long nsec;

	if (sscanf(line, "%11s %lld %ld", clock, &sec, &nsec) != 3 || nsec < 0 || nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (!strcmp(clock, "monotonic") || !strcmp(clock, "1"))
		offset = monotonic;
	else if (!strcmp(clock, "boottime") || !strcmp(clock, "7"))
		offset = boottime;
	else
		return -EINVAL;
	*offset = (struct timespec64){ .tv_sec = sec, .tv_nsec = nsec };
	return 0;
}

static int set_offsets(struct file *file, char *text)
{
	struct time_namespace *ns = get_ns(file_inode(file));
	struct timespec64 monotonic, boottime;
	char *line;
	int err = 0;

	if (!ns)
		return -ESRCH;
	monotonic = ns->monotonic;
	boottime = ns->boottime;
	while (!err && (line = strsep(&text, "\n")))
		if (*line)
			err = parse_line(line, &monotonic, &boottime);
	if (!err)
		err = time_ns_set_offsets(file->f_cred, ns, &monotonic, &boottime);
	put_time_ns(ns);
	return err;
}

static ssize_t timens_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	char text[200];
	int err;

	if (iocb->ki_pos || len >= sizeof(text))
		return -EINVAL;
	if (copy_from_iter(text, len, from) != len)
		return -EFAULT;
	text[len] = 0;
	err = set_offsets(iocb->ki_filp, text);
	return err ? err : (ssize_t)len;
}

static int timens_open(struct inode *inode, struct file *file)
{
	return single_open(file, timens_show, inode);
}

const struct file_operations proc_timens_offsets_operations = {
	.open = timens_open, .read_iter = seq_read_iter, .write_iter = timens_write, .llseek = seq_lseek,
	.release = single_release,
};
