/*
 * fdtable.h: a process's descriptor table.
 *
 * Idea:    readers find fdt, then fdt->fd[n], under RCU and take a reference on the file if it still has one; the table
 *          grows by making a larger fdtable and publishing it.  A bitmap of bitmaps finds the lowest free number.
 * Locking: file_lock guards every change.
 * See:     kernel/fs/file.c
 */
#ifndef WEFT_FDTABLE_H
#define WEFT_FDTABLE_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/spinlock.h>
#include <weft/rcu.h>
#include <weft/wait.h>
#include <weft/file.h>

#define NR_OPEN_DEFAULT	64		/* as many bits as a long: the first table is inside files_struct */

struct fdtable {
	unsigned int	max_fds;
	struct file	**fd;		/* [r:file_lock] */
	unsigned long	*close_on_exec;	/* [file_lock] */
	unsigned long	*open_fds;	/* [file_lock] */
	unsigned long	*full_fds_bits;	/* [file_lock] a bit for each full word of open_fds */
	struct rcu_head	rcu;
};

/* count: tasks that share it (CLONE_FILES), and who looks at it meanwhile. */
struct files_struct {
	atomic_t		count;
	bool			resize_in_progress;	/* [file_lock] */
	struct wait_queue_head	resize_wait;
	struct fdtable		*fdt;		/* [r:file_lock] */
	struct fdtable		fdtab;
	spinlock_t		file_lock ____cacheline_aligned;
	unsigned int		next_fd;	/* [file_lock] no free number below */
	unsigned long		close_on_exec_init[1];
	unsigned long		open_fds_init[1];
	unsigned long		full_fds_bits_init[1];
	struct file		*fd_array[NR_OPEN_DEFAULT];
};

extern struct files_struct init_files;

#define files_fdtable(files)	rcu_dereference((files)->fdt)

/* The file behind a number, without a reference: under rcu_read_lock or file_lock. */
static inline struct file *files_lookup_fd_raw(struct files_struct *files, unsigned int fd)
{
	struct fdtable *fdt = rcu_dereference(files->fdt);

	return fd < fdt->max_fds ? rcu_dereference(fdt->fd[fd]) : NULL;
}
#define files_lookup_fd_locked(files, fd)	files_lookup_fd_raw(files, fd)
#define files_lookup_fd_rcu(files, fd)		files_lookup_fd_raw(files, fd)
#define lookup_fd_rcu(fd)			files_lookup_fd_raw(current->files, fd)
struct file *task_lookup_next_fd_rcu(struct task_struct *task, unsigned int *fd);
static inline bool close_on_exec(unsigned int fd, const struct fdtable *fdt)
{
	return fdt->close_on_exec[fd / 64] >> (fd % 64) & 1;
}
static inline bool fd_is_open(unsigned int fd, const struct fdtable *fdt)
{
	return fdt->open_fds[fd / 64] >> (fd % 64) & 1;
}

struct files_struct *dup_fd(struct files_struct *oldf, unsigned int max_fds, int *errorp);
void exit_files(struct task_struct *tsk);
void put_files_struct(struct files_struct *files);
struct files_struct *get_files_struct(struct task_struct *task);
int unshare_fd(unsigned long unshare_flags, unsigned int max_fds, struct files_struct **new_fdp);
int unshare_files(void);			/* exec: a table of one's own */
void do_close_on_exec(struct files_struct *files);
extern unsigned int sysctl_nr_open, sysctl_nr_open_min, sysctl_nr_open_max;

#endif
