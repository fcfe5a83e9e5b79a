/*
 * proc_fs.h: how a subsystem shows a file below /proc.
 *
 * Idea:    an entry is registered once and lives for ever (there are no modules), so an open file needs no count on it.
 *          Most files are text made by seq_file: give proc_create_single() a show function and that is all.
 * See:     kernel/fs/proc/generic.c; proc(5)
 */
#ifndef WEFT_PROC_FS_H
#define WEFT_PROC_FS_H

#include <weft/types.h>
#include <weft/fs.h>
#include <weft/seq_file.h>

struct proc_dir_entry;
struct task_struct;
struct vm_area_struct;
struct poll_table_struct;

/* What a file that is not plain seq_file text does itself. */
struct proc_ops {
	int	(*proc_open)(struct inode *inode, struct file *file);
	ssize_t	(*proc_read_iter)(struct kiocb *iocb, struct iov_iter *to);
	ssize_t	(*proc_write_iter)(struct kiocb *iocb, struct iov_iter *from);
	loff_t	(*proc_lseek)(struct file *file, loff_t offset, int whence);
	int	(*proc_release)(struct inode *inode, struct file *file);
	__poll_t (*proc_poll)(struct file *file, struct poll_table_struct *pt);
	long	(*proc_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	int	(*proc_mmap)(struct file *file, struct vm_area_struct *vma);
};

/*
 * All of these: `parent` NULL is /proc itself; a name may hold slashes whose folders exist.  May sleep.  They return the
 * entry, or NULL when memory is short or the name is taken (which is reported).
 */
struct proc_dir_entry *proc_mkdir(const char *name, struct proc_dir_entry *parent);
struct proc_dir_entry *proc_symlink(const char *name, struct proc_dir_entry *parent, const char *target);
struct proc_dir_entry *proc_create_data(const char *name, umode_t mode, struct proc_dir_entry *parent,
					const struct proc_ops *ops, void *data);
struct proc_dir_entry *proc_create(const char *name, umode_t mode, struct proc_dir_entry *parent,
				   const struct proc_ops *ops);
/* A text made in one go by show(m, NULL); m->private is the data. */
struct proc_dir_entry *proc_create_single_data(const char *name, umode_t mode, struct proc_dir_entry *parent,
					       int (*show)(struct seq_file *m, void *v), void *data);
#define proc_create_single(name, mode, parent, show) proc_create_single_data(name, mode, parent, show, NULL)
/* A list shown record by record. */
struct proc_dir_entry *proc_create_seq_data(const char *name, umode_t mode, struct proc_dir_entry *parent,
					    const struct seq_operations *ops, void *data);
#define proc_create_seq(name, mode, parent, ops) proc_create_seq_data(name, mode, parent, ops, NULL)
void *pde_data(const struct inode *inode);

void proc_root_init(void);
struct super_block;
struct pid_namespace *proc_pid_ns(const struct super_block *sb);	/* whose numbers that mount shows */
struct file;
struct pid;
/* The process whose folder /proc/PID is open as `file`; ERR_PTR(-EBADF) for any other file.  No new reference. */
struct pid *tgid_pidfd_to_pid(const struct file *file);

/*
 * The knobs below /proc/sys.  A table ends with an entry without a name.  The handler reads or writes the whole value as
 * text; proc_dointvec() is the usual one: `maxlen` bytes of ints at `data`, between extra1 and extra2 when those are set.
 */
struct ctl_table;
typedef int proc_handler(const struct ctl_table *table, int write, char *buf, size_t *len);
struct ctl_table {
	const char	*procname;
	void		*data;
	int		maxlen;
	umode_t		mode;
	proc_handler	*handler;
	const void	*extra1;	/* smallest value allowed, same type as data */
	const void	*extra2;	/* largest */
};
proc_handler proc_dostring, proc_dointvec, proc_dointvec_minmax, proc_doulongvec_minmax;
/* path is relative to /proc/sys, "kernel" or "vm" or "fs/inotify".  Boot time only; 0 or -ENOMEM. */
int register_sysctl(const char *path, const struct ctl_table *table);

#endif
