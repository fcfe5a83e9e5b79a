/*
 * exec.c: execve: a task keeps its pid, its parent and its files, and becomes another program.
 *
 * Idea:    everything that can fail is done beside the old program: the file is opened, a new address space gets the
 *          arguments, a format recognises the file.  begin_new_exec() is the point of no return: other threads are killed,
 *          the address spaces are exchanged, handlers, timers and close-on-exec files go.  An error behind it kills.
 * Locking: signal->cred_guard_mutex from before the credentials are computed until they are committed, so that nobody
 *          attaches or reads with the old rights in between; de_thread(): siglock, tasklist_lock.
 * See:     spec.md §3 "execve"; execve(2); exec_args.c (argument pages), binfmt_elf.c, binfmt_script.c; doc/tasks.md
 */
#include <weft/nsproxy.h>
#include <weft/pid_namespace.h>
#include <weft/io_uring.h>
#include <weft/perf_event.h>
#include <weft/ptrace.h>
#include <weft/kernel.h>
#include <weft/binfmts.h>
#include <weft/cred.h>
#include <weft/fdtable.h>
#include <weft/file.h>
#include <weft/fs_struct.h>
#include <weft/membarrier.h>
#include <weft/mm.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/personality.h>
#include <weft/posix-timers.h>
#include <weft/rseq.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/trace.h>
#include <weft/uaccess.h>
#include <asm/mmu_context.h>
#include "exec.h"
#include "internal.h"

#define MAX_INTERPRETERS	5	/* scripts that name scripts */

static LIST_HEAD(formats);	/* [I] once the initcalls have run */

void register_binfmt(struct linux_binfmt *fmt)
{
	list_add_tail(&fmt->lh, &formats);
}

/* ---- the file ---- */

/* A regular file that the caller may run, and that nobody writes until exec_file_put().  ERR_PTR. */
static struct file *do_open_execat(int fd, struct filename *name, int flags)
{
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct file *file;
	struct path path;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return ERR_PTR(-EINVAL);
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = filename_lookup(fd, name, lookup, &path, NULL);
	if (err)
		return ERR_PTR(err);
	err = -ELOOP;
	if (d_is_symlink(path.dentry))
		goto out;
	err = -EACCES;
	if (!S_ISREG(d_inode(path.dentry)->i_mode) || path_noexec(&path))
		goto out;
	err = inode_permission(d_inode(path.dentry), MAY_EXEC | MAY_OPEN);
	if (err)
		goto out;
	file = dentry_open(&path, O_LARGEFILE | O_RDONLY | __FMODE_EXEC, current_cred());
	err = PTR_ERR_OR_ZERO(file);
	if (err)
		goto out;
	err = deny_write_access(file);
	if (err)
		fput(file);
out:
	path_put(&path);
	return err ? ERR_PTR(err) : file;
}

struct file *open_exec(const char *name)
{
	struct filename *filename = getname_kernel(name);
	struct file *file;

	if (IS_ERR(filename))
		return ERR_CAST(filename);
	file = do_open_execat(AT_FDCWD, filename, 0);
	putname(filename);
	return file;
}

void exec_file_put(struct file *file)
{
	if (file) {
		allow_write_access(file);
		fput(file);
	}
}

/* A program whose file its user cannot read must not be readable through its memory either. */
void would_dump(struct linux_binprm *bprm, struct file *file)
{
	if (inode_permission(file_inode(file), MAY_READ) < 0)
		bprm->nondumpable = true;
}

/* ---- struct linux_binprm ---- */

static void free_bprm(struct linux_binprm *bprm) __no_context_analysis	/* bprm->cred says that the mutex is held */
{
	if (bprm->mm)
		mmput(bprm->mm);
	if (bprm->cred) {
		mutex_unlock(&current->signal->cred_guard_mutex);
		abort_creds(bprm->cred);
	}
	exec_file_put(bprm->file);
	exec_file_put(bprm->interpreter);
	if (bprm->interp != bprm->filename)
		kfree(bprm->interp);
	kfree(bprm->fdpath);
	kfree(bprm);
}

/* What AT_EXECFN and a script's interpreter will see as the name. */
static int name_program(struct linux_binprm *bprm, int fd, struct filename *filename)
{
	bprm->filename = filename->name;
	if (fd != AT_FDCWD && filename->name[0] != '/') {
		bprm->fdpath = filename->name[0] ? kasprintf(GFP_KERNEL, "/dev/fd/%d/%s", fd, filename->name) :
						   kasprintf(GFP_KERNEL, "/dev/fd/%d", fd);
		if (!bprm->fdpath)
			return -ENOMEM;
		bprm->filename = bprm->fdpath;
	}
	bprm->interp = bprm->filename;
	return 0;
}

static struct linux_binprm *alloc_bprm(int fd, struct filename *filename)
{
	struct linux_binprm *bprm = kzalloc(sizeof(*bprm), GFP_KERNEL);
	int err;

	if (!bprm)
		return ERR_PTR(-ENOMEM);
	err = name_program(bprm, fd, filename);
	if (!err)
		err = bprm_mm_init(bprm);
	if (err) {
		free_bprm(bprm);
		return ERR_PTR(err);
	}
	return bprm;
}

int bprm_change_interp(const char *interp, struct linux_binprm *bprm)
{
	char *copy = kstrdup(interp, GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	if (bprm->interp != bprm->filename)
		kfree(bprm->interp);
	bprm->interp = copy;
	return 0;
}

/* From here to the commit nobody may attach to us or change our rights. */
static int prepare_bprm_creds(struct linux_binprm *bprm) __no_context_analysis	/* as above */
{
	if (mutex_lock_interruptible(&current->signal->cred_guard_mutex))
		return -ERESTARTNOINTR;
	bprm->cred = prepare_exec_creds();
	if (bprm->cred)
		return 0;
	mutex_unlock(&current->signal->cred_guard_mutex);
	return -ENOMEM;
}

/*
 * Who else could influence the program that is about to start?  A process outside our group that shares our root and
 * working directory could: then set-id bits are not honoured.  Otherwise no clone(CLONE_FS) until we are done.
 */
static void check_unsafe_exec(struct linux_binprm *bprm)
{
	struct fs_struct *fs = current->fs;
	struct task_struct *t;
	int ours = 0;

	if (current->ptrace)
		bprm->unsafe |= LSM_UNSAFE_PTRACE;
	if (current->no_new_privs)
		bprm->unsafe |= LSM_UNSAFE_NO_NEW_PRIVS;
	spin_lock(&fs->lock);
	rcu_read_lock();
	for_each_thread(current, t)
		if (t->fs == fs)
			ours++;
	rcu_read_unlock();
	if (fs->users > ours)
		bprm->unsafe |= LSM_UNSAFE_SHARE;
	else
		fs->in_exec = 1;
	spin_unlock(&fs->lock);
}

/* ---- the point of no return ---- */

/* Takes over the dead leader's identity: pid, place in the tables, exit signal.  siglock not held. */
static int become_leader(struct task_struct *tsk)
{
	struct signal_struct *sig = tsk->signal;
	struct task_struct *leader;

	for (;;) {
		write_lock_irq(&tasklist_lock);
		/* The leader's exit_notify() tells us by notify_count < 0; both under tasklist_lock. */
		sig->notify_count = -1;
		if (tsk->group_leader->exit_state)
			break;
		__set_current_state(TASK_KILLABLE);
		write_unlock_irq(&tasklist_lock);
		schedule();
		if (__fatal_signal_pending(tsk))
			return -EAGAIN;
	}
	leader = tsk->group_leader;
	tsk->start_time = leader->start_time;
	tsk->start_boottime = leader->start_boottime;

	exchange_tids(tsk, leader);
	transfer_pid(leader, tsk, PIDTYPE_TGID);
	transfer_pid(leader, tsk, PIDTYPE_PGID);
	transfer_pid(leader, tsk, PIDTYPE_SID);
	list_replace_rcu(&leader->tasks, &tsk->tasks);
	list_replace_init(&leader->sibling, &tsk->sibling);

	tsk->group_leader = tsk;
	leader->group_leader = tsk;
	tsk->exit_signal = SIGCHLD;
	leader->exit_signal = -1;
	WARN_ON(leader->exit_state != EXIT_ZOMBIE);
	leader->exit_state = EXIT_DEAD;
	/* Its tracer may wait for this end, of which release_task() says nothing. */
	if (unlikely(leader->ptrace))
		__wake_up_parent(leader, leader->parent);
	write_unlock_irq(&tasklist_lock);

	release_task(leader);
	return 0;
}

/*
 * Kills the other threads and waits until they have gone; the pid of the process is ours then.  0, or -EAGAIN: we are
 * being killed ourselves.
 *
 *      thread in execve                                another thread
 *      group_exec_task = me, notify_count = 2
 *      SIGKILL to all others                           get_signal(): group_exec_task is set: do_exit
 *      sleeps while notify_count                       release_task -> __exit_signal: --notify_count == 0: wakes us
 * A second execve or exit_group finds group_exec_task (or SIGNAL_GROUP_EXIT) set under siglock and gives way.
 */
static int de_thread(struct task_struct *tsk)
{
	struct signal_struct *sig = tsk->signal;
	spinlock_t *lock = &tsk->sighand->siglock;
	int err = 0;

	if (thread_group_empty(tsk))
		goto alone;
	spin_lock_irq(lock);
	if ((sig->flags & SIGNAL_GROUP_EXIT) || sig->group_exec_task) {
		spin_unlock_irq(lock);
		return -EAGAIN;
	}
	sig->group_exec_task = tsk;
	sig->notify_count = zap_other_threads(tsk);
	if (!thread_group_leader(tsk))
		sig->notify_count--;	/* a leader stays as a zombie: become_leader() waits for it */
	while (sig->notify_count) {
		__set_current_state(TASK_KILLABLE);
		spin_unlock_irq(lock);
		schedule();
		if (__fatal_signal_pending(tsk)) {
			err = -EAGAIN;
			goto done;
		}
		spin_lock_irq(lock);
	}
	spin_unlock_irq(lock);
	if (!thread_group_leader(tsk))
		err = become_leader(tsk);
done:
	/* tasklist_lock: exit_notify() looks at both. */
	read_lock(&tasklist_lock);
	sig->group_exec_task = NULL;
	sig->notify_count = 0;
	read_unlock(&tasklist_lock);
	if (err)
		return err;
alone:
	tsk->exit_signal = SIGCHLD;
	return 0;
}

/* Handlers shared by CLONE_SIGHAND without CLONE_THREAD: the others keep theirs. */
static int unshare_sighand(struct task_struct *me)
{
	struct sighand_struct *old = me->sighand, *new;

	if (refcount_read(&old->count) == 1)
		return 0;
	new = alloc_sighand();
	if (!new)
		return -ENOMEM;
	write_lock_irq(&tasklist_lock);
	spin_lock(&old->siglock);
	memcpy(new->action, old->action, sizeof(new->action));
	rcu_assign_pointer(me->sighand, new);
	spin_unlock(&old->siglock);
	write_unlock_irq(&tasklist_lock);
	__cleanup_sighand(old);
	return 0;
}

/* current runs on mm from now on.  The old one is given back; a kernel thread gives back what it borrowed. */
static void exec_mmap(struct mm_struct *mm)
{
	struct task_struct *tsk = current;
	struct mm_struct *old = tsk->mm, *borrowed;

	exec_mm_release(tsk, old);
	task_lock(tsk);
	membarrier_exec_mmap(mm);
	local_irq_disable();
	borrowed = tsk->active_mm;
	tsk->active_mm = mm;
	tsk->mm = mm;
	activate_mm(borrowed, mm);
	local_irq_enable();
	task_unlock(tsk);
	if (old) {
		BUG_ON(borrowed != old);
		tsk->signal->maxrss = max(tsk->signal->maxrss, get_mm_hiwater_rss(old));
		mmput(old);
	} else {
		mmdrop(borrowed);
	}
}

static void stop_timers(struct task_struct *me)
{
	exit_itimers(me);
	spin_lock_irq(&me->sighand->siglock);
	posix_cpu_timers_exit(me);
	spin_unlock_irq(&me->sighand->siglock);
	flush_itimer_signals();
}

static void reset_task(struct linux_binprm *bprm, struct task_struct *me)
{
	me->flags &= ~(PF_FORKNOEXEC | PF_NO_SETAFFINITY | PF_KTHREAD);
	flush_thread();
	me->personality &= ~bprm->per_clear;
	do_close_on_exec(me->files);
	if (bprm->secureexec) {
		me->pdeath_signal = 0;
		/* A huge stack limit must not decide where a privileged program's memory lies. */
		bprm->rlim_stack.rlim_cur = min_t(u64, bprm->rlim_stack.rlim_cur, _STK_LIM);
	}
	sas_ss_reset(me);
	rseq_execve(me);
	__set_task_comm(me, kbasename(bprm->filename), true);
	WRITE_ONCE(me->self_exec_id, me->self_exec_id + 1);
	flush_signal_handlers(me, 0);
}

/*
 * Who may look into the new memory is said last, and until then nobody may:
 *
 *      execve of a set-uid program                     /proc/PID/mem opened by the user: mm_access()
 *      exec_mmap(): the new mm, SUID_DUMP_DISABLE      get_task_mm(): the old mm: harmless, or the new one:
 *                                                      ptrace_may_access(): credentials still the user's,
 *                                                      but the mm that task has is private: refused
 *      commit_creds()
 *      set_dumpable()
 */
static void commit_rights(struct linux_binprm *bprm, struct task_struct *me)
{
	bool private = bprm->nondumpable || current_euid() != current_uid() || current_egid() != current_gid() ||
		       cred_gains_rights(current_cred(), bprm->cred);

	commit_creds(bprm->cred);
	bprm->cred = NULL;	/* free_bprm() does not unlock any more: setup_new_exec() does */
	set_dumpable(me->mm, private ? suid_dumpable : SUID_DUMP_USER);
}

int begin_new_exec(struct linux_binprm *bprm)
{
	struct task_struct *me = current;
	int err;

	err = cap_bprm_creds_from_file(bprm);
	if (err)
		return err;
	bprm->point_of_no_return = true;
	io_uring_task_gone(me);
	err = de_thread(me);
	if (err)
		return err;
	err = unshare_files();
	if (err)
		return err;
	err = set_mm_exe_file(bprm->mm, bprm->file);
	if (err)
		return err;
	would_dump(bprm, bprm->file);
	exec_mmap(bprm->mm);
	bprm->mm = NULL;
	stop_timers(me);
	err = unshare_sighand(me);
	if (!err)
		err = exec_namespaces();
	if (err)
		return err;
	reset_task(bprm, me);
	commit_rights(bprm, me);
	perf_event_exec();
	return 0;
}

void setup_new_exec(struct linux_binprm *bprm) __no_context_analysis	/* as above */
{
	arch_pick_mmap_layout(current->mm, &bprm->rlim_stack);
	current->mm->task_size = TASK_SIZE;
	mutex_unlock(&current->signal->cred_guard_mutex);
}

/* The stack limit that was used becomes the one in force. */
void finalize_exec(struct linux_binprm *bprm)
{
	task_lock(current->group_leader);
	current->signal->rlim[RLIMIT_STACK] = bprm->rlim_stack;
	task_unlock(current->group_leader);
}

/* ---- finding the format ---- */

static int prepare_binprm(struct linux_binprm *bprm)
{
	loff_t pos = 0;
	ssize_t n;

	memset(bprm->buf, 0, BINPRM_BUF_SIZE);
	n = kernel_read(bprm->file, bprm->buf, BINPRM_BUF_SIZE, &pos);
	return n < 0 ? (int)n : 0;
}

/* 0: the program is loaded, or bprm->interpreter names what to look at next. */
static int search_binary_handler(struct linux_binprm *bprm)
{
	struct linux_binfmt *fmt;
	int err = prepare_binprm(bprm);

	if (err)
		return err;
	err = -ENOEXEC;
	list_for_each_entry(fmt, &formats, lh) {
		err = fmt->load_binary(bprm);
		if (err != -ENOEXEC || bprm->point_of_no_return)
			break;
	}
	return err;
}

static int exec_binprm(struct linux_binprm *bprm)
{
	pid_t old_pid = current->pid, old_vpid;

	rcu_read_lock();
	old_vpid = task_pid_nr_ns(current, task_active_pid_ns(rcu_dereference(current->parent)));
	rcu_read_unlock();
	for (int depth = 0; ; depth++) {
		struct file *script;
		int err;

		if (depth > MAX_INTERPRETERS)
			return -ELOOP;
		err = search_binary_handler(bprm);
		if (err)
			return err;
		if (!bprm->interpreter)
			break;
		script = bprm->file;
		bprm->file = bprm->interpreter;
		bprm->interpreter = NULL;
		exec_file_put(script);
	}
	trace_task_exec(current->pid, old_pid);
	ptrace_event(PTRACE_EVENT_EXEC, (unsigned long)old_vpid);
	return 0;
}

static int bprm_execve(struct linux_binprm *bprm, int fd, struct filename *filename, int flags)
{
	int err = prepare_bprm_creds(bprm);

	if (err)
		return err;
	check_unsafe_exec(bprm);
	current->in_execve = 1;
	bprm->file = do_open_execat(fd, filename, flags);
	if (IS_ERR(bprm->file)) {
		err = PTR_ERR(bprm->file);
		bprm->file = NULL;
		goto out;
	}
	sched_exec();
	/* A script gets its own name as argument: a descriptor that closes at exec would leave it without. */
	if (bprm->fdpath && get_close_on_exec((unsigned int)fd))
		bprm->path_inaccessible = true;
	err = exec_binprm(bprm);
	/* The old program is gone and the new one is half made: there is nobody to return to. */
	if (err && bprm->point_of_no_return && !fatal_signal_pending(current))
		force_fatal_sig(SIGSEGV);
out:
	current->fs->in_exec = 0;
	current->in_execve = 0;
	return err;
}

/* ---- from the system call ---- */

/* setuid() over the limit of processes was let through: here is where it is refused. */
static int check_nproc(void)
{
	struct user_struct *user = current_user();

	if ((current->flags & PF_NPROC_EXCEEDED) && user != &root_user &&
	    (unsigned long)atomic_long_read(&user->processes) > rlimit(RLIMIT_NPROC))
		return -EAGAIN;
	current->flags &= ~PF_NPROC_EXCEEDED;
	return 0;
}

static int do_execveat(int fd, struct filename *filename, struct arg_list argv, struct arg_list envp, int flags)
{
	struct linux_binprm *bprm;
	int err;

	if (IS_ERR(filename))
		return PTR_ERR(filename);
	err = check_nproc();
	if (err)
		goto out_name;
	bprm = alloc_bprm(fd, filename);
	if (IS_ERR(bprm)) {
		err = PTR_ERR(bprm);
		goto out_name;
	}
	err = copy_args(bprm, argv, envp);
	if (!err)
		err = bprm_execve(bprm, fd, filename, flags);
	free_bprm(bprm);
out_name:
	putname(filename);
	return err;
}

int kernel_execve(const char *filename, const char *const *argv, const char *const *envp)
{
	return do_execveat(AT_FDCWD, getname_kernel(filename), (struct arg_list){ .kernel = argv },
			   (struct arg_list){ .kernel = envp }, 0);
}

long sys_execve(const char __user *filename, const char __user *const __user *argv,
		const char __user *const __user *envp)
{
	return do_execveat(AT_FDCWD, getname(filename), (struct arg_list){ .user = argv },
			   (struct arg_list){ .user = envp }, 0);
}

long sys_execveat(int fd, const char __user *filename, const char __user *const __user *argv,
		  const char __user *const __user *envp, int flags)
{
	int empty = flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0;

	return do_execveat(fd, getname_flags(filename, empty, NULL), (struct arg_list){ .user = argv },
			   (struct arg_list){ .user = envp }, flags);
}
