/*
 * base.c: /proc/PID and /proc/PID/task/TID: one folder a process, one a thread.
 *
 * Idea:    three tables of pid_entry say what stands in the folders.  An entry is a folder, a link to a path (cwd, root,
 *          exe), a text made by one show function, or a file with operations of its own.  An inode keeps a reference to
 *          the struct pid, never to the task: a task that has gone is found to be gone (ESRCH), not kept alive.
 * Locking: none of its own.  pid_revalidate() drops dentries of tasks that have gone, and gives owner and group anew,
 *          since a program may change its credentials.
 * See:     proc(5); array.c, task_files.c, fd.c, mm's part in task_mmu.c
 */
#include <weft/kernel.h>
#include <weft/uaccess.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fs_struct.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/nsfs.h>
#include <weft/sched.h>
#include <weft/cred.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/seq_file.h>
#include <weft/stat.h>
#include "internal.h"

struct pid_entry {
	const char			*name;
	umode_t				mode;
	const struct inode_operations	*iop;
	const struct file_operations	*fop;
	union proc_op			op;
};

#define DIR(n, m, i, f)		{ .name = n, .mode = S_IFDIR | (m), .iop = &i, .fop = &f }
#define LNK(n, get) \
	{ .name = n, .mode = S_IFLNK | 0777, .iop = &proc_pid_link_inode_operations, .op.get_link = get }
#define REG(n, m, f)		{ .name = n, .mode = S_IFREG | (m), .fop = &f }
#define ONE(n, m, s)		{ .name = n, .mode = S_IFREG | (m), .fop = &proc_single_file_operations, .op.show = s }

/* ---- owner and life of the inodes ---- */

/* Owner of a task's files: its effective ids, or root for what is not dumpable (except the folder itself). */
void task_dump_owner(struct task_struct *task, umode_t mode, kuid_t *ruid, kgid_t *rgid)
{
	const struct cred *cred;
	struct mm_struct *mm;

	*ruid = 0;
	*rgid = 0;
	if (task->flags & PF_KTHREAD)
		return;
	rcu_read_lock();
	cred = __task_cred(task);
	*ruid = cred->euid;
	*rgid = cred->egid;
	rcu_read_unlock();
	if (mode == (S_IFDIR | 0555))
		return;
	task_lock(task);
	mm = task->mm;
	if (!mm || get_dumpable(mm) != SUID_DUMP_USER)
		*ruid = *rgid = 0;
	task_unlock(task);
}

struct inode *proc_pid_make_inode(struct super_block *sb, struct task_struct *task, umode_t mode)
{
	struct inode *inode = new_inode(sb);
	struct pid *pid;

	if (!inode)
		return NULL;
	inode->i_mode = mode;
	inode->i_ino = get_next_ino();
	inode->i_mtime = inode->i_atime = inode->i_ctime = current_time(inode);
	pid = get_task_pid(task, PIDTYPE_PID);
	if (!pid) {
		iput(inode);
		return NULL;
	}
	PROC_I(inode)->pid = pid;
	task_dump_owner(task, mode, &inode->i_uid, &inode->i_gid);
	return inode;
}

static void pid_update_inode(struct task_struct *task, struct inode *inode)
{
	task_dump_owner(task, inode->i_mode, &inode->i_uid, &inode->i_gid);
	inode->i_mode &= ~(S_ISUID | S_ISGID);
}

int pid_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode;
	struct task_struct *task;
	int valid = 0;

	rcu_read_lock();
	inode = d_inode_rcu(dentry);
	task = inode ? pid_task(proc_pid(inode), PIDTYPE_PID) : NULL;
	if (task) {
		pid_update_inode(task, inode);
		valid = 1;
	}
	rcu_read_unlock();
	return inode ? valid : -ECHILD;
}

static int pid_delete_dentry(const struct dentry *dentry)
{
	return d_really_is_negative(dentry) || !pid_has_task(proc_pid(d_inode(dentry)), PIDTYPE_PID);
}

const struct dentry_operations pid_dentry_operations = {
	.d_revalidate = pid_revalidate, .d_delete = pid_delete_dentry,
};

/* ---- files made by one show function ---- */

static int proc_single_show(struct seq_file *m, void *v)
{
	struct inode *inode = m->private;
	struct task_struct *task = get_proc_task(inode);
	int err;

	if (!task)
		return -ESRCH;
	err = PROC_I(inode)->op.show(m, proc_pid(inode), task);
	put_task_struct(task);
	return err;
}

static int proc_single_open(struct inode *inode, struct file *file)
{
	return single_open(file, proc_single_show, inode);
}

static const struct file_operations proc_single_file_operations = {
	.open = proc_single_open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = single_release,
};

/* ---- links ---- */

static bool may_follow(struct inode *inode)
{
	struct task_struct *task = get_proc_task(inode);
	bool ok = false;

	if (task) {
		ok = ptrace_may_access(task, PTRACE_MODE_READ_FSCREDS);
		put_task_struct(task);
	}
	return ok;
}

static const char *proc_pid_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	struct path path;
	int err;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	if (!may_follow(inode))
		return ERR_PTR(-EACCES);
	err = PROC_I(inode)->op.get_link(dentry, &path);
	if (!err)
		err = nd_jump_link(&path);
	return ERR_PTR(err);
}

static int proc_pid_readlink(struct dentry *dentry, char __user *buffer, int buflen)
{
	struct inode *inode = d_inode(dentry);
	struct path path;
	char *page, *name;
	int err = -EACCES;

	if (!may_follow(inode))
		return err;
	err = PROC_I(inode)->op.get_link(dentry, &path);
	if (err)
		return err;
	page = (char *)__get_free_page(GFP_KERNEL);
	err = -ENOMEM;
	if (page) {
		name = d_path(&path, page, PAGE_SIZE);
		err = PTR_ERR(name);
		if (!IS_ERR(name)) {
			err = min_t(int, strlen(name), buflen);
			if (copy_to_user(buffer, name, err))
				err = -EFAULT;
		}
		free_page((unsigned long)page);
	}
	path_put(&path);
	return err;
}

const struct inode_operations proc_pid_link_inode_operations = {
	.readlink = proc_pid_readlink, .get_link = proc_pid_get_link,
};

static int fs_link(struct dentry *dentry, struct path *path, bool root)
{
	struct task_struct *task = get_proc_task(d_inode(dentry));
	int err = -ENOENT;

	if (!task)
		return err;
	task_lock(task);
	if (task->fs) {
		if (root)
			get_fs_root(task->fs, path);
		else
			get_fs_pwd(task->fs, path);
		err = 0;
	}
	task_unlock(task);
	put_task_struct(task);
	return err;
}

static int proc_cwd_link(struct dentry *dentry, struct path *path)
{
	return fs_link(dentry, path, false);
}

static int proc_root_link(struct dentry *dentry, struct path *path)
{
	return fs_link(dentry, path, true);
}

static int proc_exe_link(struct dentry *dentry, struct path *path)
{
	struct task_struct *task = get_proc_task(d_inode(dentry));
	struct file *exe;

	if (!task)
		return -ENOENT;
	exe = get_task_exe_file(task);
	put_task_struct(task);
	if (!exe)
		return -ENOENT;
	*path = exe->f_path;
	path_get(path);
	fput(exe);
	return 0;
}

/* ns/NAME: what is in it says the link's own name; a task that ends is in none any more. */
static int proc_ns_link(struct dentry *dentry, struct path *path)
{
	struct task_struct *task = get_proc_task(d_inode(dentry));
	int err;

	if (!task)
		return -ENOENT;
	err = ns_get_path(task, (const char *)dentry->d_name.name, path);
	put_task_struct(task);
	return err;
}

/* ---- folders from tables ---- */

static struct dentry *pident_instantiate(struct dentry *dentry, struct task_struct *task, const void *ptr)
{
	const struct pid_entry *e = ptr;
	struct inode *inode = proc_pid_make_inode(dentry->d_sb, task, e->mode);

	if (!inode)
		return ERR_PTR(-ENOENT);
	if (S_ISDIR(inode->i_mode))
		set_nlink(inode, 2);
	if (e->iop)
		inode->i_op = e->iop;
	if (e->fop)
		inode->i_fop = e->fop;
	PROC_I(inode)->op = e->op;
	d_set_d_op(dentry, &pid_dentry_operations);
	return d_splice_alias(inode, dentry);
}

static struct dentry *pident_lookup(struct inode *dir, struct dentry *dentry, const struct pid_entry *e, unsigned int n)
{
	struct task_struct *task = get_proc_task(dir);
	struct dentry *res = ERR_PTR(-ENOENT);

	if (!task)
		return res;
	for (const struct pid_entry *end = e + n; e < end; e++)
		if (strlen(e->name) == dentry->d_name.len && !memcmp(dentry->d_name.name, e->name, dentry->d_name.len)) {
			res = pident_instantiate(dentry, task, e);
			break;
		}
	put_task_struct(task);
	return res;
}

/* Emits one name, with the inode number of its dentry if that is in the cache: a listing makes no inodes. */
bool proc_fill_cache(struct file *file, struct dir_context *ctx, const char *name, unsigned int len, unsigned int type)
{
	struct dentry *dir = file->f_path.dentry, *child;
	struct qstr q = QSTR_INIT(name, len);
	ino_t ino = 1;

	child = d_hash_and_lookup(dir, &q);
	if (!IS_ERR_OR_NULL(child)) {
		if (d_inode(child))
			ino = d_inode(child)->i_ino;
		dput(child);
	}
	return dir_emit(ctx, name, len, ino, type);
}

static int pident_readdir(struct file *file, struct dir_context *ctx, const struct pid_entry *ents, unsigned int n)
{
	struct task_struct *task = get_proc_task(file_inode(file));

	if (!task)
		return -ENOENT;
	if (dir_emit_dots(file, ctx))
		while (ctx->pos >= 2 && ctx->pos < n + 2) {
			const struct pid_entry *e = &ents[ctx->pos - 2];

			if (!proc_fill_cache(file, ctx, e->name, strlen(e->name), e->mode >> 12))
				break;
			ctx->pos++;
		}
	put_task_struct(task);
	return 0;
}

int pid_getattr(const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct task_struct *task;

	generic_fillattr(inode, stat);
	rcu_read_lock();
	task = pid_task(proc_pid(inode), PIDTYPE_PID);
	if (!task) {
		rcu_read_unlock();
		return -ENOENT;
	}
	task_dump_owner(task, inode->i_mode, &stat->uid, &stat->gid);
	rcu_read_unlock();
	return 0;
}

static const struct pid_entry ns_stuff[] = {
	LNK("cgroup", proc_ns_link), LNK("ipc", proc_ns_link), LNK("mnt", proc_ns_link), LNK("net", proc_ns_link),
	LNK("pid", proc_ns_link), LNK("pid_for_children", proc_ns_link), LNK("time", proc_ns_link),
	LNK("time_for_children", proc_ns_link), LNK("user", proc_ns_link), LNK("uts", proc_ns_link),
};

static int proc_ns_readdir(struct file *file, struct dir_context *ctx)
{
	return pident_readdir(file, ctx, ns_stuff, ARRAY_SIZE(ns_stuff));
}

static struct dentry *proc_ns_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return pident_lookup(dir, dentry, ns_stuff, ARRAY_SIZE(ns_stuff));
}

static const struct file_operations proc_ns_operations = {
	.iterate_shared = proc_ns_readdir, .llseek = generic_file_llseek,
};
static const struct inode_operations proc_ns_inode_operations = { .lookup = proc_ns_lookup, .getattr = pid_getattr };

static const struct inode_operations proc_task_inode_operations;
static const struct file_operations proc_task_operations;

/* What a process and a thread both have. */
#define COMMON_ENTRIES \
	DIR("fd", 0500, proc_fd_inode_operations, proc_fd_operations), \
	DIR("fdinfo", 0555, proc_fdinfo_inode_operations, proc_fdinfo_operations), \
	DIR("ns", 0511, proc_ns_inode_operations, proc_ns_operations), \
	REG("environ", 0400, proc_environ_operations), \
	REG("auxv", 0400, proc_auxv_operations), \
	ONE("status", 0444, proc_pid_status), \
	ONE("personality", 0400, proc_pid_personality), \
	ONE("limits", 0444, proc_pid_limits), \
	ONE("sched", 0444, proc_pid_sched), \
	REG("comm", 0644, proc_pid_set_comm_operations), \
	ONE("syscall", 0400, proc_pid_syscall), \
	REG("cmdline", 0444, proc_pid_cmdline_ops), \
	ONE("statm", 0444, proc_pid_statm), \
	ONE("mm", 0444, proc_pid_mm), \
	REG("maps", 0444, proc_pid_maps_operations), \
	REG("smaps", 0444, proc_pid_smaps_operations), \
	REG("numa_maps", 0444, proc_pid_numa_maps_operations), \
	REG("smaps_rollup", 0444, proc_pid_smaps_rollup_operations), \
	REG("pagemap", 0400, proc_pagemap_operations), \
	REG("clear_refs", 0200, proc_clear_refs_operations), \
	REG("mem", 0600, proc_mem_operations), \
	LNK("cwd", proc_cwd_link), \
	LNK("root", proc_root_link), \
	LNK("exe", proc_exe_link), \
	REG("mounts", 0444, proc_mounts_operations), \
	REG("mountinfo", 0444, proc_mountinfo_operations), \
	ONE("wchan", 0444, proc_pid_wchan), \
	ONE("stack", 0400, proc_pid_stack), \
	ONE("schedstat", 0444, proc_pid_schedstat), \
	ONE("cgroup", 0444, proc_pid_cgroup), \
	ONE("oom_score", 0444, proc_oom_score), \
	REG("oom_adj", 0644, proc_oom_adj_operations), \
	REG("oom_score_adj", 0644, proc_oom_score_adj_operations), \
	REG("coredump_filter", 0644, proc_coredump_filter_operations), \
	REG("loginuid", 0644, proc_loginuid_operations), \
	ONE("sessionid", 0444, proc_pid_sessionid), \
	REG("timens_offsets", 0644, proc_timens_offsets_operations), \
	REG("uid_map", 0644, proc_uid_map_operations), \
	REG("gid_map", 0644, proc_gid_map_operations), \
	REG("projid_map", 0644, proc_projid_map_operations), \
	REG("setgroups", 0644, proc_setgroups_operations), \
	ONE("io", 0400, proc_pid_io)

static const struct pid_entry tgid_base_stuff[] = {
	REG("timerslack_ns", 0666, proc_timerslack_operations),
	DIR("task", 0555, proc_task_inode_operations, proc_task_operations),
	ONE("stat", 0444, proc_tgid_stat),
	COMMON_ENTRIES,
};

static const struct pid_entry tid_base_stuff[] = {
	ONE("stat", 0444, proc_tid_stat),
	ONE("children", 0444, proc_pid_children),
	COMMON_ENTRIES,
};

static int proc_tgid_base_readdir(struct file *file, struct dir_context *ctx)
{
	return pident_readdir(file, ctx, tgid_base_stuff, ARRAY_SIZE(tgid_base_stuff));
}

static struct dentry *proc_tgid_base_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return pident_lookup(dir, dentry, tgid_base_stuff, ARRAY_SIZE(tgid_base_stuff));
}

static int proc_tid_base_readdir(struct file *file, struct dir_context *ctx)
{
	return pident_readdir(file, ctx, tid_base_stuff, ARRAY_SIZE(tid_base_stuff));
}

static struct dentry *proc_tid_base_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	return pident_lookup(dir, dentry, tid_base_stuff, ARRAY_SIZE(tid_base_stuff));
}

static const struct file_operations proc_tgid_base_operations = {
	.iterate_shared = proc_tgid_base_readdir, .llseek = generic_file_llseek,
};
static const struct inode_operations proc_tgid_base_inode_operations = {
	.lookup = proc_tgid_base_lookup, .getattr = pid_getattr,
};

struct pid *tgid_pidfd_to_pid(const struct file *file)
{
	return file->f_op == &proc_tgid_base_operations ? proc_pid(file_inode(file)) : ERR_PTR(-EBADF);
}

static const struct file_operations proc_tid_base_operations = {
	.iterate_shared = proc_tid_base_readdir, .llseek = generic_file_llseek,
};
static const struct inode_operations proc_tid_base_inode_operations = {
	.lookup = proc_tid_base_lookup, .getattr = pid_getattr,
};

/* ---- the folders of processes in /proc and of threads in task/ ---- */

static unsigned int name_to_int(const struct qstr *q)
{
	unsigned int n = 0;

	if (q->len > 1 && q->name[0] == '0')
		return ~0U;
	for (unsigned int i = 0; i < q->len; i++) {
		unsigned int c = q->name[i] - '0';

		if (c > 9 || n >= (~0U - 9) / 10)
			return ~0U;
		n = n * 10 + c;
	}
	return n;
}

static struct dentry *proc_pid_instantiate(struct dentry *dentry, struct task_struct *task, const void *ptr)
{
	struct inode *inode = proc_pid_make_inode(dentry->d_sb, task, S_IFDIR | 0555);

	if (!inode)
		return ERR_PTR(-ENOENT);
	inode->i_op = &proc_tgid_base_inode_operations;
	inode->i_fop = &proc_tgid_base_operations;
	set_nlink(inode, 3);
	d_set_d_op(dentry, &pid_dentry_operations);
	return d_splice_alias(inode, dentry);
}

static struct dentry *proc_task_instantiate(struct dentry *dentry, struct task_struct *task, const void *ptr)
{
	struct inode *inode = proc_pid_make_inode(dentry->d_sb, task, S_IFDIR | 0555);

	if (!inode)
		return ERR_PTR(-ENOENT);
	inode->i_op = &proc_tid_base_inode_operations;
	inode->i_fop = &proc_tid_base_operations;
	PROC_I(inode)->thread = true;
	set_nlink(inode, 2);
	d_set_d_op(dentry, &pid_dentry_operations);
	return d_splice_alias(inode, dentry);
}

/* The task with that number where this /proc was mounted, with a reference. */
static struct task_struct *get_task_of_mount(unsigned int nr, const struct super_block *sb)
{
	struct task_struct *task;

	rcu_read_lock();
	task = find_task_by_pid_ns((pid_t)nr, proc_pid_ns(sb));
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

/* A number in /proc: any task's, as Linux allows for threads that readdir does not show. */
struct dentry *proc_pid_lookup(struct dentry *dentry, unsigned int flags)
{
	unsigned int nr = name_to_int(&dentry->d_name);
	struct task_struct *task;
	struct dentry *res;

	if (nr == ~0U || !nr)
		return ERR_PTR(-ENOENT);
	task = get_task_of_mount(nr, dentry->d_sb);
	if (!task)
		return ERR_PTR(-ENOENT);
	res = proc_pid_instantiate(dentry, task, NULL);
	put_task_struct(task);
	return res;
}

/* The process with the smallest number >= nr, with a reference. */
static struct task_struct *next_tgid(unsigned int *nr, struct pid_namespace *ns)
{
	struct task_struct *task = NULL;
	struct pid *pid;

	rcu_read_lock();
	while ((pid = find_ge_pid((int)*nr, ns))) {
		*nr = (unsigned int)pid_nr_ns(pid, ns);
		task = pid_task(pid, PIDTYPE_TGID);
		if (task) {
			get_task_struct(task);
			break;
		}
		++*nr;
	}
	rcu_read_unlock();
	return task;
}

int proc_pid_readdir(struct file *file, struct dir_context *ctx)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(file)->i_sb);
	unsigned int nr = ctx->pos - PROC_PIDS_POS;
	struct task_struct *task;

	for (; (task = next_tgid(&nr, ns)); nr++) {
		char name[12];
		unsigned int len = snprintf(name, sizeof(name), "%u", nr);
		bool more;

		ctx->pos = nr + PROC_PIDS_POS;
		more = proc_fill_cache(file, ctx, name, len, DT_DIR);
		put_task_struct(task);
		if (!more)
			return 0;
	}
	ctx->pos = PID_MAX_LIMIT + PROC_PIDS_POS;
	return 0;
}

static struct dentry *proc_task_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct task_struct *leader = get_proc_task(dir), *task = NULL;
	unsigned int nr = name_to_int(&dentry->d_name);
	struct dentry *res = ERR_PTR(-ENOENT);

	if (leader && nr && nr != ~0U)
		task = get_task_of_mount(nr, dentry->d_sb);
	if (task && same_thread_group(leader, task))
		res = proc_task_instantiate(dentry, task, NULL);
	if (task)
		put_task_struct(task);
	if (leader)
		put_task_struct(leader);
	return res;
}

/* The index-th living thread, with a reference.  O(index): threads come and go, so positions are counted anew. */
static struct task_struct *nth_thread(struct task_struct *leader, loff_t index)
{
	struct task_struct *t, *found = NULL;

	rcu_read_lock();
	if (pid_alive(leader))
		for_each_thread(leader, t)
			if (index-- == 0) {
				get_task_struct(t);
				found = t;
				break;
			}
	rcu_read_unlock();
	return found;
}

static int proc_task_readdir(struct file *file, struct dir_context *ctx)
{
	struct task_struct *leader = get_proc_task(file_inode(file)), *t;
	struct pid_namespace *ns = proc_pid_ns(file_inode(file)->i_sb);
	int err = 0;

	if (!leader)
		return -ENOENT;
	if (!dir_emit_dots(file, ctx))
		goto out;
	while ((t = nth_thread(leader, ctx->pos - 2))) {
		char name[12];
		unsigned int len = snprintf(name, sizeof(name), "%d", task_pid_nr_ns(t, ns));
		bool more = proc_fill_cache(file, ctx, name, len, DT_DIR);

		put_task_struct(t);
		if (!more)
			break;
		ctx->pos++;
	}
out:
	put_task_struct(leader);
	return err;
}

static const struct inode_operations proc_task_inode_operations = { .lookup = proc_task_lookup, .getattr = pid_getattr };
static const struct file_operations proc_task_operations = {
	.iterate_shared = proc_task_readdir, .llseek = generic_file_llseek,
};
