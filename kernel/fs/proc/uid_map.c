/*
 * uid_map.c: /proc/PID/uid_map, gid_map, projid_map and setgroups: the files of a user namespace.
 *
 * Idea:    an open file keeps the namespace (seq_file's private).  What is shown depends on the reader's namespace, what may
 *          be written on the rights of who opened the file as well as of who writes: kernel/task/uid_map.c decides.
 * Locking: none here.
 * See:     user_namespaces(7)
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uio.h>
#include <weft/user_namespace.h>
#include "internal.h"

struct user_namespace *seq_user_ns(const struct seq_file *m)
{
	return m->file->f_cred->user_ns;
}

static int show_map(struct seq_file *m, enum map_kind kind)
{
	struct uid_gid_extent line;

	for (u32 i = 0; userns_map_line(m->private, seq_user_ns(m), kind, i, &line); i++)
		seq_printf(m, "%10u %10u %10u\n", line.first, line.lower_first, line.count);
	return 0;
}

static int show_uid_map(struct seq_file *m, void *v) { return show_map(m, UID_MAP); }
static int show_gid_map(struct seq_file *m, void *v) { return show_map(m, GID_MAP); }
static int show_projid_map(struct seq_file *m, void *v) { return show_map(m, PROJID_MAP); }

static int show_setgroups(struct seq_file *m, void *v)
{
	const struct user_namespace *ns = m->private;

	seq_puts(m, READ_ONCE(ns->setgroups_allowed) ? "allow\n" : "deny\n");
	return 0;
}

/* The whole text in one write from the beginning; at most a page.  ERR_PTR. */
static char *read_text(struct kiocb *iocb, struct iov_iter *from)
{
	size_t count = iov_iter_count(from);
	char *text;

	if (iocb->ki_pos || count >= PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	text = kzalloc(count + 1, GFP_KERNEL);
	if (!text)
		return ERR_PTR(-ENOMEM);
	if (copy_from_iter(text, count, from) != count) {
		kfree(text);
		return ERR_PTR(-EFAULT);
	}
	return text;
}

static ssize_t map_write(struct kiocb *iocb, struct iov_iter *from, enum map_kind kind)
{
	const struct seq_file *m = iocb->ki_filp->private_data;
	struct user_namespace *ns = m->private;
	size_t count = iov_iter_count(from);
	char *text;
	int err;

	/* By somebody inside, or in the parent. */
	if (!ns->parent || (seq_user_ns(m) != ns && seq_user_ns(m) != ns->parent))
		return -EPERM;
	text = read_text(iocb, from);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = userns_set_map(iocb->ki_filp->f_cred, ns, kind, text);
	kfree(text);
	if (err)
		return err;
	iocb->ki_pos += (loff_t)count;
	return (ssize_t)count;
}

static ssize_t uid_map_write(struct kiocb *iocb, struct iov_iter *from) { return map_write(iocb, from, UID_MAP); }
static ssize_t gid_map_write(struct kiocb *iocb, struct iov_iter *from) { return map_write(iocb, from, GID_MAP); }
static ssize_t projid_map_write(struct kiocb *iocb, struct iov_iter *from) { return map_write(iocb, from, PROJID_MAP); }

static ssize_t setgroups_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct user_namespace *ns = ((struct seq_file *)iocb->ki_filp->private_data)->private;
	size_t count = iov_iter_count(from);
	char *text = read_text(iocb, from), *word;
	int err = -EINVAL;

	if (IS_ERR(text))
		return PTR_ERR(text);
	word = strim(text);
	if (!strcmp(word, "allow") || !strcmp(word, "deny"))
		err = userns_set_setgroups(ns, *word == 'a');
	kfree(text);
	if (err)
		return err;
	iocb->ki_pos += (loff_t)count;
	return (ssize_t)count;
}

/* ---- the files: their seq_file keeps the namespace ---- */

static int open_for(struct inode *inode, struct file *file, int (*show)(struct seq_file *m, void *v))
{
	struct task_struct *task = get_proc_task(inode);
	struct user_namespace *ns;
	int err;

	if (!task)
		return -ESRCH;
	rcu_read_lock();
	ns = get_user_ns(__task_cred(task)->user_ns);
	rcu_read_unlock();
	put_task_struct(task);
	err = single_open(file, show, ns);
	if (err)
		put_user_ns(ns);
	return err;
}

static int uid_map_open(struct inode *inode, struct file *file) { return open_for(inode, file, show_uid_map); }
static int gid_map_open(struct inode *inode, struct file *file) { return open_for(inode, file, show_gid_map); }
static int projid_map_open(struct inode *inode, struct file *file) { return open_for(inode, file, show_projid_map); }

static int setgroups_open(struct inode *inode, struct file *file)
{
	struct user_namespace *ns;
	int err = open_for(inode, file, show_setgroups);

	if (err || !(file->f_mode & FMODE_WRITE))
		return err;
	ns = ((struct seq_file *)file->private_data)->private;
	if (ns_capable(ns, CAP_SYS_ADMIN))
		return 0;
	put_user_ns(ns);
	single_release(inode, file);
	return -EACCES;
}

static int map_release(struct inode *inode, struct file *file)
{
	put_user_ns(((struct seq_file *)file->private_data)->private);
	return single_release(inode, file);
}

#define MAP_FILE(name) const struct file_operations proc_##name##_operations = {			\
	.open = name##_open, .read_iter = seq_read_iter, .write_iter = name##_write, .llseek = seq_lseek,	\
	.release = map_release,										\
}
MAP_FILE(uid_map);
MAP_FILE(gid_map);
MAP_FILE(projid_map);
MAP_FILE(setgroups);
