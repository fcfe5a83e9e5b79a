/*
 * internal.h: what the files of procfs share.
 */
#ifndef PROC_INTERNAL_H
#define PROC_INTERNAL_H

#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/pid.h>
#include <weft/rbtree.h>
#include <weft/dcache.h>
#include <weft/fs.h>
#include <weft/pid_namespace.h>

/* A registered entry.  Never freed; all but the tree is set before it is linked. */
struct proc_dir_entry {
	struct rb_node		node;		/* in parent->children by name [r:proc_subdir_lock] */
	struct rb_root		children;	/* [proc_subdir_lock] */
	struct proc_dir_entry	*parent;	/* [I] */
	const char		*name;		/* [I] */
	unsigned int		namelen;
	unsigned int		ino;		/* [I] */
	umode_t			mode;		/* [I] */
	nlink_t			nlink;		/* [proc_subdir_lock] */
	const struct proc_ops	*ops;		/* [I] for files of their own kind */
	const struct seq_operations *seq_ops;	/* [I] or a list */
	int			(*show)(struct seq_file *m, void *v);	/* [I] or a text in one go */
	const char		*target;	/* [I] of a symbolic link */
	void			*data;		/* [I] */
};

struct pid_entry;

union proc_op {
	int (*get_link)(struct dentry *dentry, struct path *path);
	int (*show)(struct seq_file *m, struct pid *pid, struct task_struct *task);
};

struct proc_inode {
	struct pid		*pid;		/* a reference; NULL outside /proc/PID */
	unsigned int		fd;
	bool			thread;		/* below task/TID: about the thread, not the group */
	union proc_op		op;
	struct proc_dir_entry	*pde;
	struct inode		vfs_inode;
};

static inline struct proc_inode *PROC_I(const struct inode *inode)
{
	return container_of((struct inode *)inode, struct proc_inode, vfs_inode);
}
static inline struct proc_dir_entry *PDE(const struct inode *inode) { return PROC_I(inode)->pde; }
static inline struct pid *proc_pid(const struct inode *inode) { return PROC_I(inode)->pid; }
/* The task an inode is about, with a reference, or NULL when it has gone. */
static inline struct task_struct *get_proc_task(const struct inode *inode)
{
	return get_pid_task(proc_pid(inode), PIDTYPE_PID);
}

#define PROC_ROOT_INO	1
#define PROC_FIRST_INO	0x1000
#define PROC_PIDS_POS	0x10000		/* in the root folder: process N stands at PROC_PIDS_POS + N */

extern struct proc_dir_entry proc_root;
#define seq_pid_ns(m)	proc_pid_ns(file_inode((m)->file)->i_sb)

/* generic.c */
struct dentry *proc_lookup_de(struct inode *dir, struct dentry *dentry, struct proc_dir_entry *de);
int proc_readdir_de(struct file *file, struct dir_context *ctx, struct proc_dir_entry *de);
bool proc_readdir_done(struct proc_dir_entry *de, loff_t pos);	/* has a reader at pos seen all of de? */
extern const struct dentry_operations proc_misc_dentry_ops;

/* inode.c */
extern const struct super_operations proc_sops;
void proc_init_kmemcache(void);
struct inode *proc_get_inode(struct super_block *sb, struct proc_dir_entry *de);

/* base.c */
extern const struct dentry_operations pid_dentry_operations;
extern const struct inode_operations proc_pid_link_inode_operations;
struct dentry *proc_pid_lookup(struct dentry *dentry, unsigned int flags);
int proc_pid_readdir(struct file *file, struct dir_context *ctx);
struct inode *proc_pid_make_inode(struct super_block *sb, struct task_struct *task, umode_t mode);
int pid_revalidate(struct dentry *dentry, unsigned int flags);
void task_dump_owner(struct task_struct *task, umode_t mode, kuid_t *ruid, kgid_t *rgid);
int pid_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
typedef struct dentry *instantiate_t(struct dentry *dentry, struct task_struct *task, const void *ptr);
bool proc_fill_cache(struct file *file, struct dir_context *ctx, const char *name, unsigned int len, unsigned int type);

/* fd.c */
extern const struct inode_operations proc_fd_inode_operations, proc_fdinfo_inode_operations;
extern const struct file_operations proc_fd_operations, proc_fdinfo_operations;

/* array.c */
int proc_pid_status(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_tid_stat(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_tgid_stat(struct seq_file *m, struct pid *pid, struct task_struct *task);

/* task_files.c: the small text files of a task */
int proc_pid_limits(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_wchan(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_stack(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_schedstat(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_sched(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_oom_score(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_personality(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_io(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_sessionid(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_syscall(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_cgroup(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_children(struct seq_file *m, struct pid *pid, struct task_struct *task);
extern const struct file_operations proc_pid_cmdline_ops, proc_environ_operations, proc_auxv_operations;
extern const struct file_operations proc_pid_set_comm_operations, proc_oom_score_adj_operations, proc_oom_adj_operations;
extern const struct file_operations proc_loginuid_operations, proc_mem_operations, proc_coredump_filter_operations;
extern const struct file_operations proc_timerslack_operations;

/* uid_map.c */
extern const struct file_operations proc_timens_offsets_operations;
extern const struct file_operations proc_uid_map_operations, proc_gid_map_operations, proc_projid_map_operations;
extern const struct file_operations proc_setgroups_operations;

/* task_mmu.c */
int proc_pid_statm(struct seq_file *m, struct pid *pid, struct task_struct *task);
int proc_pid_mm(struct seq_file *m, struct pid *pid, struct task_struct *task);	/* mm_users, mm_count, pgd, who borrows it */
extern const struct file_operations proc_pid_maps_operations, proc_pid_smaps_operations, proc_pid_smaps_rollup_operations;
extern const struct file_operations proc_pid_numa_maps_operations;
extern const struct file_operations proc_pagemap_operations, proc_clear_refs_operations;

/* self.c, info.c, sysctl.c */
struct inode *proc_self_inode(struct super_block *sb, const struct qstr *name);
void proc_info_init(void);
void proc_sys_init(void);

#endif
