/*
 * copy.c: fork, vfork, clone, clone3: from one task to two.
 *
 * What:    copy_process() makes a task that does not run yet; kernel_clone() lets it run and, for vfork, waits.
 * Idea:    first a private copy with references to everything it copies or shares, in steps that can fail and are undone
 *          in reverse order; then, under tasklist_lock, one step that cannot fail and makes it visible.
 *
 *          A signal to the whole group must reach the child or the parent, never neither:
 *              parent in fork                                  kill(-pgrp, SIGINT)
 *              puts `delayed` on signal->multiprocess
 *              (signals so far: fork fails with a restart)
 *              copies handlers, mask, ...                      not in the group's list yet: only the parent gets it,
 *                                                              and its bit in delayed.signal
 *              tasklist_lock: child is in the group;
 *                child's pending = delayed.signal              from now on kill() finds the child itself
 * Locking: the visible step: tasklist_lock (write) -> siglock of current.
 * See:     spec.md §3; clone(2); fork.c (memory), arch copy_thread() (registers); doc/tasks.md
 */
#include <weft/cgroup.h>
#include <weft/ipc.h>
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/fdtable.h>
#include <weft/file.h>
#include <weft/fs_struct.h>
#include <weft/futex.h>
#include <weft/kthread.h>
#include <weft/mm.h>
#include <weft/nsproxy.h>
#include <weft/perf_event.h>
#include <weft/pid_namespace.h>
#include <weft/posix-timers.h>
#include <weft/rseq.h>
#include <weft/sched.h>
#include <weft/seccomp.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/ptrace.h>
#include <weft/trace.h>
#include <weft/tty.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- which combinations make sense ---- */

static int check_flags(u64 flags)
{
	/* Threads share handlers, and shared handlers mean shared memory: a handler is an address. */
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	/* Init's sibling would have no parent that reaps it. */
	if ((flags & CLONE_PARENT) && (current->signal->flags & SIGNAL_UNKILLABLE))
		return -EINVAL;
	if ((flags & CLONE_PIDFD) && (flags & (CLONE_DETACHED | CLONE_THREAD)))
		return -EINVAL;
	/* A process's threads are in one user namespace and have numbers in one pid namespace. */
	if ((flags & CLONE_THREAD) && ((flags & (CLONE_NEWUSER | CLONE_NEWPID)) ||
				       current->nsproxy->pid_ns_for_children != task_active_pid_ns(current)))
		return -EINVAL;
	/* Root and working directory stand in one tree of mounts, and who has capabilities may move them. */
	if ((flags & (CLONE_NEWNS | CLONE_NEWUSER)) && (flags & CLONE_FS))
		return -EINVAL;
	return 0;
}

/* ---- the parts ---- */

static int copy_files(u64 flags, struct task_struct *p)
{
	int err = 0;

	if (!current->files)
		return 0;
	if (flags & CLONE_FILES) {
		atomic_inc(&current->files->count);
		return 0;
	}
	p->files = dup_fd(current->files, UINT_MAX, &err);
	return p->files ? 0 : err;
}

static int copy_fs(u64 flags, struct task_struct *p)
{
	struct fs_struct *fs = current->fs;
	int err = 0;

	if (!(flags & CLONE_FS)) {
		p->fs = copy_fs_struct(fs);
		return p->fs ? 0 : -ENOMEM;
	}
	spin_lock(&fs->lock);
	if (fs->in_exec)	/* an execve of ours has counted the users and must not be deceived */
		err = -EAGAIN;
	else
		fs->users++;
	spin_unlock(&fs->lock);
	return err;
}

static int copy_sighand(u64 flags, struct task_struct *p)
{
	struct sighand_struct *sig;

	if (flags & CLONE_SIGHAND) {
		refcount_inc(&current->sighand->count);
		return 0;
	}
	sig = alloc_sighand();
	RCU_INIT_POINTER(p->sighand, sig);
	if (!sig)
		return -ENOMEM;
	spin_lock_irq(&current->sighand->siglock);
	memcpy(sig->action, current->sighand->action, sizeof(sig->action));
	spin_unlock_irq(&current->sighand->siglock);
	if (flags & CLONE_CLEAR_SIGHAND)
		flush_signal_handlers(p, 0);
	return 0;
}

static int copy_signal(u64 flags, struct task_struct *p)
{
	struct signal_struct *sig;

	if (flags & CLONE_THREAD)
		return 0;
	sig = kmem_cache_zalloc(signal_cachep, GFP_KERNEL);
	p->signal = sig;
	if (!sig)
		return -ENOMEM;
	refcount_set(&sig->sigcnt, 1);
	atomic_set(&sig->live, 1);
	sig->nr_threads = sig->quick_threads = 1;
	/* The only thread's node and the head, linked by hand: nobody else can see them yet. */
	sig->thread_head = (struct list_head)LIST_HEAD_INIT(p->thread_node);
	p->thread_node = (struct list_head)LIST_HEAD_INIT(sig->thread_head);
	init_waitqueue_head(&sig->wait_chldexit);
	sig->curr_target = p;
	init_sigpending(&sig->shared_pending);
	INIT_HLIST_HEAD(&sig->multiprocess);
	seqlock_init(&sig->stats_lock);
	INIT_LIST_HEAD(&sig->posix_timers);
	hrtimer_init(&sig->real_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	sig->real_timer.function = it_real_fn;
	mutex_init(&sig->cred_guard_mutex);

	task_lock(current->group_leader);
	memcpy(sig->rlim, current->signal->rlim, sizeof(sig->rlim));
	task_unlock(current->group_leader);
	posix_cputimers_init_group(sig);
	sig->oom_score_adj = current->signal->oom_score_adj;
	sig->oom_score_adj_min = current->signal->oom_score_adj_min;
	return 0;
}

static int copy_mm(u64 flags, struct task_struct *p)
{
	struct mm_struct *oldmm = current->mm;

	p->min_flt = p->maj_flt = 0;
	p->mm = p->active_mm = NULL;
	if (!oldmm)
		return 0;
	if (flags & CLONE_VM) {
		mmget(oldmm);
		p->mm = oldmm;
	} else {
		p->mm = dup_mm(p, oldmm);
		if (!p->mm)
			return -ENOMEM;
	}
	p->active_mm = p->mm;
	return 0;
}

static void drop_mm(struct task_struct *p)
{
	if (p->mm)
		mmput(p->mm);
}

/* All parts that are copied or shared by flags.  0, or -errno and none of them is held. */
static int copy_parts(struct task_struct *p, const struct kernel_clone_args *args)
{
	const u64 flags = args->flags;
	int err;

	err = copy_semundo(flags, p);
	if (err)
		return err;
	err = copy_files(flags, p);
	if (err)
		goto out_semundo;
	err = copy_fs(flags, p);
	if (err)
		goto out_files;
	err = copy_sighand(flags, p);
	if (err)
		goto out_fs;
	err = copy_signal(flags, p);
	if (err)
		goto out_sighand;
	err = copy_mm(flags, p);
	if (err)
		goto out_signal;
	err = copy_namespaces(flags, p);
	if (err)
		goto out_mm;
	err = perf_event_fork(p, flags);
	if (err)
		goto out_namespaces;
	err = copy_thread(p, args);
	if (err)
		goto out_perf;
	return 0;

out_perf:
	perf_event_exit(p);
out_namespaces:
	exit_namespaces(p);
out_mm:
	drop_mm(p);
out_signal:
	if (!(flags & CLONE_THREAD))
		put_signal_struct(p->signal);
out_sighand:
	__cleanup_sighand(p->sighand);
out_fs:
	exit_fs(p);
out_files:
	exit_files(p);
out_semundo:
	exit_sem(p);
	return err;
}

static void drop_parts(struct task_struct *p, u64 flags)
{
	perf_event_exit(p);
	exit_namespaces(p);
	drop_mm(p);
	if (!(flags & CLONE_THREAD))
		put_signal_struct(p->signal);
	__cleanup_sighand(p->sighand);
	exit_fs(p);
	exit_files(p);
	exit_sem(p);
}

/* ---- the task ---- */

/* What starts anew in each task. */
static void init_new_task(struct task_struct *p, const struct kernel_clone_args *args)
{
	p->flags &= ~(PF_SUPERPRIV | PF_WQ_WORKER | PF_IDLE | PF_NO_SETAFFINITY | PF_SIGNALED | PF_DUMPCORE | PF_MEMALLOC |
		      PF_KSWAPD | PF_EXITING | PF_IO_WORKER);
	p->flags |= PF_FORKNOEXEC;
	if (args->kthread)
		p->flags |= PF_KTHREAD;
	else
		p->flags &= ~PF_KTHREAD;
	if (args->io_thread) {
		p->flags |= PF_IO_WORKER;
		siginitsetinv(&p->blocked, sigmask(SIGKILL) | sigmask(SIGSTOP));
	}
	RCU_INIT_POINTER(p->cgroup, &cgroup_root);
	INIT_LIST_HEAD(&p->cgroup_node);
	p->cgroup_frozen = false;
	p->io_uring = NULL;
	p->io_worker = NULL;
	p->io_sq = NULL;
	p->perf = NULL;
	INIT_LIST_HEAD(&p->children);
	INIT_LIST_HEAD(&p->sibling);
	INIT_LIST_HEAD(&p->ptraced);
	INIT_LIST_HEAD(&p->ptrace_entry);
	for (int type = 0; type < PIDTYPE_MAX; type++)
		INIT_HLIST_NODE(&p->pid_links[type]);
	spin_lock_init(&p->alloc_lock);
	spin_lock_init(&p->pi_lock);
	p->pi_waiters = RB_ROOT_CACHED;
	p->pi_blocked_on = NULL;
	p->ptrace = 0;
	p->ptracer_cred = NULL;
	p->ptrace_message = 0;
	p->thread_pid = NULL;
	init_sigpending(&p->pending);
	p->utime = p->stime = p->gtime = 0;
	p->prev_utime = p->prev_stime = 0;
	p->inblock = p->oublock = 0;
	p->exit_state = p->exit_code = 0;
	p->jobctl = 0;
	p->pdeath_signal = 0;
	p->restart_block.fn = do_no_restart_syscall;
	p->set_child_tid = args->flags & CLONE_CHILD_SETTID ? args->child_tid : NULL;
	p->clear_child_tid = args->flags & CLONE_CHILD_CLEARTID ? args->child_tid : NULL;
	/* A new process has a copy of the alternate stack's memory; a thread must set up its own.  vfork borrows. */
	if ((args->flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
		sas_ss_reset(p);
	posix_cputimers_init_task(p);
	futex_init_task(p);
}

/* RLIMIT_NPROC of the user, and what the machine can carry. */
static int check_limits(struct task_struct *p)
{
	struct user_struct *user = p->real_cred->user;

	if ((unsigned long)atomic_long_read(&user->processes) > rlimit(RLIMIT_NPROC) && user != &root_user &&
	    !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		return -EAGAIN;
	current->flags &= ~PF_NPROC_EXCEEDED;
	return data_race(nr_threads) >= max_threads ? -EAGAIN : 0;
}

/* Group signals that come while we copy are noted in *delayed.  -ERESTARTNOINTR: one is here already, take it first. */
static int begin_delay_signals(struct multiprocess_signals *delayed, u64 flags, bool ignore)
{
	sigemptyset(&delayed->signal);
	INIT_HLIST_NODE(&delayed->node);
	spin_lock_irq(&current->sighand->siglock);
	if (!(flags & CLONE_THREAD))
		hlist_add_head(&delayed->node, &current->signal->multiprocess);
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
	return task_sigpending(current) && !ignore ? -ERESTARTNOINTR : 0;
}

static void end_delay_signals(struct multiprocess_signals *delayed)
{
	spin_lock_irq(&current->sighand->siglock);
	hlist_del_init(&delayed->node);
	spin_unlock_irq(&current->sighand->siglock);
}

static void set_ids(struct task_struct *p, struct pid *pid, const struct kernel_clone_args *args)
{
	p->pid = pid_nr(pid);
	p->vpid = pid->numbers[pid->level].nr;
	if (args->flags & CLONE_THREAD) {
		p->group_leader = current->group_leader;
		p->tgid = current->tgid;
		p->vtgid = current->vtgid;
		p->exit_signal = -1;
	} else {
		p->group_leader = p;
		p->tgid = p->pid;
		p->vtgid = p->vpid;
		p->exit_signal = args->flags & CLONE_PARENT ? current->group_leader->exit_signal : args->exit_signal;
	}
}

static void set_parent(struct task_struct *p, u64 flags)
{
	if (flags & (CLONE_PARENT | CLONE_THREAD)) {
		p->real_parent = current->real_parent;
		p->parent_exec_id = current->parent_exec_id;
	} else {
		p->real_parent = current;
		p->parent_exec_id = current->self_exec_id;
	}
	p->parent = p->real_parent;
}

static void link_process(struct task_struct *p, struct pid *pid, const struct multiprocess_signals *delayed)
{
	init_task_pid(p, PIDTYPE_TGID, pid);
	init_task_pid(p, PIDTYPE_PGID, task_pgrp(current));
	init_task_pid(p, PIDTYPE_SID, task_session(current));
	if (is_child_reaper(pid)) {
		ns_of_pid(pid)->child_reaper = p;
		p->signal->flags |= SIGNAL_UNKILLABLE;
	}
	p->signal->shared_pending.signal = delayed->signal;
	if (!sigisemptyset(&delayed->signal))
		set_tsk_thread_flag(p, TIF_SIGPENDING);
	p->signal->tty = tty_kref_get(current->signal->tty);
	p->signal->has_child_subreaper = p->real_parent->signal->has_child_subreaper ||
					 p->real_parent->signal->is_child_subreaper;
	list_add_tail(&p->sibling, &p->real_parent->children);
	list_add_tail_rcu(&p->tasks, &init_task.tasks);
	attach_pid(p, PIDTYPE_TGID);
	attach_pid(p, PIDTYPE_PGID);
	attach_pid(p, PIDTYPE_SID);
	this_cpu_inc(process_counts);
}

static void link_thread(struct task_struct *p)
{
	current->signal->nr_threads++;
	current->signal->quick_threads++;
	atomic_inc(&current->signal->live);
	refcount_inc(&current->signal->sigcnt);
	task_join_group_stop(p);
	list_add_tail_rcu(&p->thread_node, &p->signal->thread_head);
}

/* The step that makes p visible.  0, or -EINTR and nothing done: current is being killed.  Ends the signal delay. */
static int link_task(struct task_struct *p, struct pid *pid, struct multiprocess_signals *delayed, u64 flags, bool idle,
		     bool trace, struct cgroup_fork *cgroup)
{
	int err = 0;

	write_lock_irq(&tasklist_lock);
	set_parent(p, flags);
	spin_lock(&current->sighand->siglock);
	rseq_fork(p, flags & CLONE_VM);
	if (fatal_signal_pending(current)) {
		err = -EINTR;
		goto out;
	}
	init_task_pid(p, PIDTYPE_PID, pid);
	if (idle)
		goto out;	/* nobody's child and in no table */
	copy_seccomp(p);
	if (thread_group_leader(p))
		link_process(p, pid, delayed);
	else
		link_thread(p);
	ptrace_init_task(p, trace);
	attach_pid(p, PIDTYPE_PID);
	nr_threads++;
	total_forks++;
	hlist_del_init(&delayed->node);
out:
	spin_unlock(&current->sighand->siglock);
	if (!err)
		cgroup_post_fork(p, cgroup);
	write_unlock_irq(&tasklist_lock);
	return err;
}

/* The parent's descriptor for the child, not installed yet; its number is in the parent's memory already. */
static int make_pidfd(struct pid *pid, const struct kernel_clone_args *args, struct file **file)
{
	int fd;

	*file = NULL;
	if (!(args->flags & CLONE_PIDFD))
		return 0;
	fd = pidfd_prepare(pid, O_RDWR | O_CLOEXEC, file);
	if (fd < 0 || !put_user(fd, args->pidfd))
		return fd;
	put_unused_fd(fd);
	fput(*file);
	return -EFAULT;
}

static void forget_pidfd(int fd, struct file *file)
{
	if (file) {
		put_unused_fd(fd);
		fput(file);
	}
}

/* A task with all its parts, known to nobody.  ERR_PTR. */
static struct task_struct *make_task(struct kernel_clone_args *args)
{
	struct task_struct *p = dup_task_struct(current);
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	init_new_task(p, args);
	err = copy_creds(p, args->flags);
	if (err) {
		free_task(p);
		return ERR_PTR(err);
	}
	err = check_limits(p);
	if (err)
		goto out;
	err = -ENOMEM;
	if (args->kthread && !set_kthread_struct(p))
		goto out;
	err = sched_fork(args->flags, p);
	if (err)
		goto out;
	err = copy_parts(p, args);
	if (!err)
		return p;
out:
	atomic_long_dec(&p->real_cred->user->processes);
	exit_creds(p);
	free_task(p);
	return ERR_PTR(err);
}

static void unmake_task(struct task_struct *p, u64 flags)
{
	drop_parts(p, flags);
	atomic_long_dec(&p->real_cred->user->processes);
	exit_creds(p);
	free_task(p);
}

/*
 * A new task, not running yet.  pid: NULL for a new one; &init_struct_pid for an idle task.  ERR_PTR: -EINVAL, -EAGAIN
 * (limits), -ENOMEM, -ERESTARTNOINTR, -EINTR.  trace: the event for which current's tracer gets the child too.  May sleep.
 */
struct task_struct *copy_process(struct pid *pid, int trace, int node, struct kernel_clone_args *args)
{
	struct multiprocess_signals delayed;
	struct cgroup_fork cgroup = { 0 };
	struct task_struct *p = NULL;
	struct file *pidfile;
	int err, pidfd;

	err = check_flags(args->flags);
	if (err)
		return ERR_PTR(err);
	err = begin_delay_signals(&delayed, args->flags, args->io_thread);
	if (err)
		goto out;
	p = make_task(args);
	if (IS_ERR(p)) {
		err = PTR_ERR(p);
		goto out;
	}
	if (!args->idle)
		pid = alloc_pid(p->nsproxy->pid_ns_for_children, args->set_tid, args->set_tid_size);
	if (IS_ERR(pid)) {
		err = PTR_ERR(pid);
		goto out_task;
	}
	set_ids(p, pid, args);
	pidfd = make_pidfd(pid, args, &pidfile);
	if (pidfd < 0) {
		err = pidfd;
		goto out_pid;
	}
	err = cgroup_can_fork(p, args, &cgroup);
	if (err)
		goto out_pidfd;
	p->start_time = ktime_get_ns();
	p->start_boottime = ktime_get_boottime_ns();
	err = link_task(p, pid, &delayed, args->flags, args->idle, trace || (args->flags & CLONE_PTRACE), &cgroup);
	if (err) {
		cgroup_cancel_fork(p, &cgroup);
		goto out_pidfd;
	}
	cgroup_fork_done(&cgroup);
	if (args->idle)
		end_delay_signals(&delayed);
	if (pidfile)
		fd_install(pidfd, pidfile);
	sched_post_fork(p);
	return p;

out_pidfd:
	forget_pidfd(pidfd, pidfile);
out_pid:
	if (!args->idle)
		free_pid(pid);
out_task:
	unmake_task(p, args->flags);
out:
	end_delay_signals(&delayed);
	return ERR_PTR(err);
}

/* ---- vfork's wait, and the one way to a new task ---- */

/* Until the child has a memory of its own or is gone; a fatal signal to us ends the wait, not the child. */
static bool wait_for_vfork_done(struct task_struct *child, struct completion *vfork)
{
	bool killed;

	cgroup_enter_frozen();
	killed = wait_for_completion_killable(vfork) != 0;
	cgroup_leave_frozen(true);
	if (killed) {
		task_lock(child);
		child->vfork_done = NULL;
		task_unlock(child);
	}
	put_task_struct(child);
	return !killed;
}

/* The event that current's tracer wants to see of this clone, or 0. */
static int clone_event(const struct kernel_clone_args *args)
{
	int event = PTRACE_EVENT_FORK;

	if (args->flags & CLONE_UNTRACED)
		return 0;
	if (args->flags & CLONE_VFORK)
		event = PTRACE_EVENT_VFORK;
	else if (args->exit_signal != SIGCHLD)
		event = PTRACE_EVENT_CLONE;
	return ptrace_event_enabled(current, event) ? event : 0;
}

pid_t kernel_clone(struct kernel_clone_args *args)
{
	struct completion vfork;
	struct task_struct *p;
	struct pid *pid;
	int event;
	pid_t nr;

	/* clone(2) has one argument for both addresses. */
	if ((args->flags & CLONE_PIDFD) && (args->flags & CLONE_PARENT_SETTID) && args->pidfd == args->parent_tid)
		return -EINVAL;
	event = clone_event(args);
	p = copy_process(NULL, event, NUMA_NO_NODE, args);
	if (IS_ERR(p))
		return PTR_ERR(p);

	trace_task_fork(current->pid, p->pid, args->flags);
	/* From the wake-up on, p may end at any moment: what is needed of it must be taken before. */
	pid = get_task_pid(p, PIDTYPE_PID);
	nr = pid_vnr(pid);
	if (args->flags & CLONE_PARENT_SETTID)
		put_user(nr, args->parent_tid);
	if (args->flags & CLONE_VFORK) {
		p->vfork_done = &vfork;
		init_completion(&vfork);
		get_task_struct(p);
	}
	wake_up_new_task(p);
	if (unlikely(event))
		ptrace_event_pid(event, pid);
	if ((args->flags & CLONE_VFORK) && wait_for_vfork_done(p, &vfork) && !(args->flags & CLONE_UNTRACED))
		ptrace_event_pid(PTRACE_EVENT_VFORK_DONE, pid);
	put_pid(pid);
	return nr;
}

pid_t kernel_thread(int (*fn)(void *), void *arg, unsigned long flags)
{
	struct kernel_clone_args args = {
		.flags		= (flags | CLONE_VM | CLONE_UNTRACED) & ~(u64)CSIGNAL,
		.exit_signal	= flags & CSIGNAL,
		.fn		= fn,
		.fn_arg		= arg,
		.kthread	= 1,
	};

	return kernel_clone(&args);
}

struct task_struct *create_io_thread(int (*fn)(void *), void *arg)
{
	struct kernel_clone_args args = {
		.flags		= CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_VM | CLONE_UNTRACED,
		.fn		= fn,
		.fn_arg		= arg,
		.io_thread	= 1,
	};

	return copy_process(NULL, 0, NUMA_NO_NODE, &args);
}

static int idle_never_returns(void *unused)
{
	BUG();
}

/* The idle task of a CPU that is about to start.  ERR_PTR. */
struct task_struct *fork_idle(int cpu)
{
	struct kernel_clone_args args = { .flags = CLONE_VM, .fn = idle_never_returns, .kthread = 1, .idle = 1 };
	struct task_struct *task = copy_process(&init_struct_pid, 0, NUMA_NO_NODE, &args);

	if (IS_ERR(task))
		return task;
	for (int type = 0; type < PIDTYPE_MAX; type++)
		init_task_pid(task, type, &init_struct_pid);
	init_idle(task, cpu);
	return task;
}

/* ---- system calls ---- */

long sys_fork(void)
{
	struct kernel_clone_args args = { .exit_signal = SIGCHLD };

	return kernel_clone(&args);
}

long sys_vfork(void)
{
	struct kernel_clone_args args = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	return kernel_clone(&args);
}

long sys_clone(unsigned long flags, unsigned long newsp, int __user *parent_tid, int __user *child_tid, unsigned long tls)
{
	struct kernel_clone_args args = {
		.flags		= (u32)flags & ~CSIGNAL,
		.pidfd		= parent_tid,
		.child_tid	= child_tid,
		.parent_tid	= parent_tid,
		.exit_signal	= flags & CSIGNAL,
		.stack		= newsp,
		.tls		= tls,
	};

	return kernel_clone(&args);
}

static int check_clone3(const struct clone_args *a)
{
	/* The low byte is no signal here but one flag and reserved bits. */
	if (a->flags & ~(0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return -EINVAL;
	if (a->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return -EINVAL;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
		return -EINVAL;
	if ((a->exit_signal & ~(u64)CSIGNAL) || !valid_signal(a->exit_signal))
		return -EINVAL;
	if (!a->stack != !a->stack_size)
		return -EINVAL;
	if (a->stack && !access_ok(a->stack, a->stack_size))
		return -EINVAL;
	if (a->set_tid_size > MAX_PID_NS_LEVEL || !a->set_tid != !a->set_tid_size)
		return -EINVAL;
	return 0;
}

long sys_clone3(struct clone_args __user *uargs, size_t usize)
{
	struct kernel_clone_args args;
	struct clone_args a = { 0 };
	pid_t set_tid[MAX_PID_NS_LEVEL];
	int err;

	if (usize > PAGE_SIZE)
		return -E2BIG;
	if (usize < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	err = copy_struct_from_user(&a, sizeof(a), uargs, usize);
	if (err)
		return err;
	err = check_clone3(&a);
	if (err)
		return err;
	if ((a.flags & CLONE_INTO_CGROUP) && (usize < CLONE_ARGS_SIZE_VER2 || a.cgroup > INT_MAX))
		return -EINVAL;
	if (a.set_tid_size) {
		if (copy_from_user(set_tid, u64_to_user_ptr(a.set_tid), a.set_tid_size * sizeof(set_tid[0])))
			return -EFAULT;
	}
	args = (struct kernel_clone_args) {
		.flags		= a.flags,
		.pidfd		= u64_to_user_ptr(a.pidfd),
		.child_tid	= u64_to_user_ptr(a.child_tid),
		.parent_tid	= u64_to_user_ptr(a.parent_tid),
		.exit_signal	= (int)a.exit_signal,
		.stack		= a.stack + a.stack_size,
		.tls		= a.tls,
		.set_tid	= set_tid,
		.set_tid_size	= a.set_tid_size,
		.cgroup		= (int)a.cgroup,
	};
	return kernel_clone(&args);
}

long sys_set_tid_address(int __user *tidptr)
{
	current->clear_child_tid = tidptr;
	return current->vpid;
}

/* ---- unshare ---- */

/* What cannot be had alone without something else. */
static unsigned long implied(unsigned long flags)
{
	if (flags & CLONE_NEWUSER)
		flags |= CLONE_THREAD | CLONE_FS;	/* threads are in one; and a chroot directory shared is a way out */
	if (flags & CLONE_NEWIPC)
		flags |= CLONE_SYSVSEM;
	return flags & CLONE_NEWNS ? flags | CLONE_FS : flags;
}

static int unshare_fs(u64 flags, struct fs_struct **new_fs)
{
	struct fs_struct *fs = current->fs;

	if (!(flags & CLONE_FS) || !fs || data_race(fs->users) == 1)
		return 0;
	*new_fs = copy_fs_struct(fs);
	return *new_fs ? 0 : -ENOMEM;
}

/* Exchanges current's with the new ones that are not NULL; what current no longer holds is returned in their place. */
static void install_unshared(struct fs_struct **new_fs, struct files_struct **new_files)
{
	struct fs_struct *old = current->fs;

	task_lock(current);
	if (*new_fs) {
		spin_lock(&old->lock);
		current->fs = *new_fs;
		*new_fs = --old->users ? NULL : old;
		spin_unlock(&old->lock);
	}
	if (*new_files)
		swap(current->files, *new_files);
	task_unlock(current);
}

long sys_unshare(unsigned long flags)
{
	struct files_struct *files = NULL;
	struct fs_struct *fs = NULL;
	struct cred *cred = NULL;
	struct nsproxy *ns;
	int err;

	flags = implied(flags);
	/* Of what threads must share (memory, handlers) only a process of one thread can be told "you have it alone". */
	if (flags & ~(unsigned long)(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM |
				      NS_KINDS | CLONE_NEWUSER))
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && !thread_group_empty(current))
		return -EINVAL;
	err = unshare_fs(flags, &fs);
	if (err)
		return err;
	err = unshare_fd(flags, UINT_MAX, &files);
	if (err)
		goto out;
	err = unshare_userns(flags, &cred);
	if (err)
		goto out;
	err = unshare_namespaces(flags, cred ? cred->user_ns : current_user_ns(), fs, &ns);
	if (err)
		goto out;
	/* Nothing fails from here on. */
	if (flags & CLONE_SYSVSEM)
		exit_sem(current);
	install_unshared(&fs, &files);
	if (ns)
		switch_namespaces(ns);
	if (cred)
		commit_creds(cred);
	cred = NULL;
out:
	put_cred(cred);
	if (fs)
		free_fs_struct(fs);
	if (files)
		put_files_struct(files);
	return err;
}
