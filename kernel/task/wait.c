/*
 * wait.c: wait4, waitid: a parent learns what became of its children.
 *
 * Idea:    one look goes through all children (of all threads of the caller's process) under tasklist_lock and reports the
 *          first event that is wanted; if there is none, but a child that could still have one, the caller sleeps in its
 *          group's wait_chldexit and looks again.  A child is reaped by whoever changes it from EXIT_ZOMBIE to EXIT_DEAD.
 * Locking: tasklist_lock (read) while looking; a task that is to be reported is kept by get_task_struct() and the lock
 *          dropped.  Stop and continue events: siglock of the child.
 * See:     wait(2); exit.c has the other side of the race in its head; doc/tasks.md
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/pid_namespace.h>
#include <weft/ptrace.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/wait.h>
#include <weft/fcntl.h>
#include "internal.h"

/* What waitid() tells besides the usage. */
struct waitid_info {
	pid_t	pid;
	uid_t	uid;
	int	status;
	int	cause;
};

struct wait_opts {
	enum pid_type		wo_type;	/* PIDTYPE_MAX: any child */
	int			wo_flags;	/* W* */
	struct pid		*wo_pid;
	struct waitid_info	*wo_info;	/* or NULL */
	int			wo_stat;
	struct rusage		*wo_rusage;	/* or NULL */
	int			notask_error;	/* -ECHILD until a child that could match was seen */
	struct wait_queue_entry	child_wait;
};

/* ---- is it one of those that are asked for ---- */

static bool eligible_pid(struct wait_opts *wo, struct task_struct *p)
{
	switch (wo->wo_type) {
	case PIDTYPE_MAX:
		return true;
	case PIDTYPE_PID:
		return task_pid(p) == wo->wo_pid;
	default:
		return rcu_dereference_raw(p->signal->pids[wo->wo_type]) == wo->wo_pid;
	}
}

static bool eligible_child(struct wait_opts *wo, bool ptrace, struct task_struct *p)
{
	if (!eligible_pid(wo, p))
		return false;
	if (ptrace || (wo->wo_flags & __WALL))
		return true;
	/* "Clone" children are those whose end is told by another signal than SIGCHLD. */
	return (p->exit_signal != SIGCHLD) == !!(wo->wo_flags & __WCLONE);
}

/* ---- reports: tasklist_lock is held on entry and not on a return != 0, which is the child's pid ---- */

static void set_info(struct wait_opts *wo, pid_t pid, uid_t uid, int cause, int status)
{
	if (wo->wo_info)
		*wo->wo_info = (struct waitid_info){ .pid = pid, .uid = uid, .cause = cause, .status = status };
}

/* The child's use becomes the parent's RUSAGE_CHILDREN. */
static void add_to_parent(struct task_struct *p)
{
	struct signal_struct *sig = p->signal, *psig = current->signal;
	unsigned long maxrss = max(sig->maxrss, sig->cmaxrss);
	u64 utime, stime;

	thread_group_cputime_adjusted(p, &utime, &stime);
	spin_lock_irq(&current->sighand->siglock);
	write_seqlock(&psig->stats_lock);
	psig->cutime += utime + sig->cutime;
	psig->cstime += stime + sig->cstime;
	psig->cmin_flt += p->min_flt + sig->min_flt + sig->cmin_flt;
	psig->cmaj_flt += p->maj_flt + sig->maj_flt + sig->cmaj_flt;
	psig->cnvcsw += p->nvcsw + sig->nvcsw + sig->cnvcsw;
	psig->cnivcsw += p->nivcsw + sig->nivcsw + sig->cnivcsw;
	psig->cinblock += p->inblock + sig->inblock + sig->cinblock;
	psig->coublock += p->oublock + sig->oublock + sig->coublock;
	psig->cmaxrss = max(psig->cmaxrss, maxrss);
	write_sequnlock(&psig->stats_lock);
	spin_unlock_irq(&current->sighand->siglock);
}

/* p will be reported: keep it, and let the rest of the machine go on.  What follows may sleep. */
static void end_look(struct task_struct *p)
	__no_context_analysis	/* a wait_task_...() that reports nothing keeps the lock */
{
	get_task_struct(p);
	read_unlock(&tasklist_lock);
	__set_current_state(TASK_RUNNING);
}

/* The tracer has seen the end of p: now its parent may.  True: that does not want to, p is to be released. */
static bool hand_to_parent(struct task_struct *p)
{
	int state = EXIT_ZOMBIE;

	write_lock_irq(&tasklist_lock);
	ptrace_unlink(p);
	if (do_notify_parent(p, p->exit_signal))
		state = EXIT_DEAD;
	p->exit_state = state;
	write_unlock_irq(&tasklist_lock);
	return state == EXIT_DEAD;
}

static int wait_task_zombie(struct wait_opts *wo, struct task_struct *p)
{
	pid_t pid = task_pid_vnr(p);
	uid_t uid = from_kuid_munged(current_user_ns(), task_uid(p));
	bool reap = !(wo->wo_flags & WNOWAIT);
	int status, state;

	if (!(wo->wo_flags & WEXITED))
		return 0;
	/* We may be its tracer only: then its parent has still to learn of its end. */
	state = ptrace_reparented(p) && thread_group_leader(p) ? EXIT_TRACE : EXIT_DEAD;
	if (reap && cmpxchg(&p->exit_state, EXIT_ZOMBIE, state) != EXIT_ZOMBIE)
		return 0;
	end_look(p);
	if (reap && state == EXIT_DEAD && thread_group_leader(p))
		add_to_parent(p);
	if (wo->wo_rusage)
		getrusage(p, RUSAGE_BOTH, wo->wo_rusage);
	status = p->signal->flags & SIGNAL_GROUP_EXIT ? p->signal->group_exit_code : p->exit_code;
	wo->wo_stat = status;
	if ((status & 0x7f) == 0)
		set_info(wo, pid, uid, CLD_EXITED, status >> 8);
	else
		set_info(wo, pid, uid, status & 0x80 ? CLD_DUMPED : CLD_KILLED, status & 0x7f);
	if (reap && (state == EXIT_DEAD || hand_to_parent(p)))
		release_task(p);
	put_task_struct(p);
	return pid;
}

/* Where the reason of p's stop is, NULL if it is not stopped: its own for the tracer, its group's for the parent. */
static int *stop_code(struct task_struct *p, bool ptrace)
{
	if (ptrace)
		return task_is_traced(p) && !(p->jobctl & JOBCTL_LISTENING) ? &p->exit_code : NULL;
	return READ_ONCE(p->signal->flags) & SIGNAL_STOP_STOPPED ? &p->signal->group_exit_code : NULL;
}

static int wait_task_stopped(struct wait_opts *wo, bool ptrace, struct task_struct *p)
{
	int exit_code = 0, *code;
	pid_t pid;
	uid_t uid;

	if ((!ptrace && !(wo->wo_flags & WUNTRACED)) || !stop_code(p, ptrace))
		return 0;
	spin_lock_irq(&p->sighand->siglock);
	code = stop_code(p, ptrace);
	if (code) {
		exit_code = *code;
		if (!(wo->wo_flags & WNOWAIT))
			*code = 0;		/* told once */
		uid = from_kuid_munged(current_user_ns(), task_uid(p));
	}
	spin_unlock_irq(&p->sighand->siglock);
	if (!exit_code)
		return 0;

	pid = task_pid_vnr(p);
	end_look(p);
	if (wo->wo_rusage)
		getrusage(p, RUSAGE_BOTH, wo->wo_rusage);
	put_task_struct(p);
	wo->wo_stat = exit_code << 8 | 0x7f;
	set_info(wo, pid, uid, ptrace ? CLD_TRAPPED : CLD_STOPPED, exit_code);
	return pid;
}

static int wait_task_continued(struct wait_opts *wo, struct task_struct *p)
{
	bool continued;
	pid_t pid;
	uid_t uid;

	if (!(wo->wo_flags & WCONTINUED) || !(READ_ONCE(p->signal->flags) & SIGNAL_STOP_CONTINUED))
		return 0;
	spin_lock_irq(&p->sighand->siglock);
	continued = p->signal->flags & SIGNAL_STOP_CONTINUED;
	if (continued && !(wo->wo_flags & WNOWAIT))
		p->signal->flags &= ~SIGNAL_STOP_CONTINUED;
	uid = from_kuid_munged(current_user_ns(), task_uid(p));
	spin_unlock_irq(&p->sighand->siglock);
	if (!continued)
		return 0;

	pid = task_pid_vnr(p);
	end_look(p);
	if (wo->wo_rusage)
		getrusage(p, RUSAGE_BOTH, wo->wo_rusage);
	put_task_struct(p);
	wo->wo_stat = 0xffff;
	set_info(wo, pid, uid, CLD_CONTINUED, SIGCONT);
	return pid;
}

/* ---- looking through the children ---- */

/*
 * p is a child or (ptrace) a tracee of a thread of ours.  != 0: reported (or an error), and tasklist_lock is released.
 * Who is both is seen as a tracee; what another process traces is reported to the parent after the tracer has let it go.
 */
static int wait_consider_task(struct wait_opts *wo, bool ptrace, struct task_struct *p)
{
	int exit_state = READ_ONCE(p->exit_state), ret;

	if (exit_state == EXIT_DEAD || !eligible_child(wo, ptrace, p))
		return 0;
	if (unlikely(exit_state == EXIT_TRACE)) {
		if (!ptrace)
			wo->notask_error = 0;	/* its tracer is about to hand it over */
		return 0;
	}
	if (unlikely(p->ptrace) && !ptrace_reparented(p))
		ptrace = true;
	/* A leader whose threads live on cannot be reaped, but may still stop, go on, and be worth waiting for. */
	if (exit_state == EXIT_ZOMBIE && (!thread_group_leader(p) || thread_group_empty(p)) && (ptrace || !p->ptrace))
		return wait_task_zombie(wo, p);
	if (exit_state != EXIT_ZOMBIE || !ptrace || (wo->wo_flags & (WCONTINUED | WEXITED)))
		wo->notask_error = 0;
	ret = wait_task_stopped(wo, ptrace, p);
	return ret ? ret : wait_task_continued(wo, p);
}

static int look_at_children(struct wait_opts *wo, struct task_struct *parent)
{
	struct task_struct *p;

	list_for_each_entry(p, &parent->children, sibling) {
		int ret = wait_consider_task(wo, false, p);

		if (ret)
			return ret;
	}
	list_for_each_entry(p, &parent->ptraced, ptrace_entry) {
		int ret = wait_consider_task(wo, true, p);

		if (ret)
			return ret;
	}
	return 0;
}

/* Is that thread, as the parent of whom we look at, one whose children we wait for? */
static bool waits_for_children_of(struct wait_opts *wo, struct task_struct *parent)
{
	return parent == current || (!(wo->wo_flags & __WNOTHREAD) && same_thread_group(parent, current));
}

/* Waiting for one pid: no need to go through all children. */
static int look_at_pid(struct wait_opts *wo)
{
	struct task_struct *p = pid_task(wo->wo_pid, PIDTYPE_PID);
	int ret = 0;

	if (!p)
		return 0;
	if (thread_group_leader(p) && waits_for_children_of(wo, rcu_dereference_raw(p->real_parent)))
		ret = wait_consider_task(wo, false, p);
	if (!ret && unlikely(p->ptrace) && waits_for_children_of(wo, p->parent))
		ret = wait_consider_task(wo, true, p);
	return ret;
}

/* One look.  0: nothing yet, but there may be; tasklist_lock is taken and released. */
static int look_once(struct wait_opts *wo)
	__no_context_analysis	/* as above: who finds something has released it */
{
	struct task_struct *t;
	int ret = 0;

	read_lock(&tasklist_lock);
	if (wo->wo_type == PIDTYPE_PID) {
		ret = look_at_pid(wo);
		if (ret)
			return ret;
	} else {
		for_each_thread(current, t) {
			if ((wo->wo_flags & __WNOTHREAD) && t != current)
				continue;
			ret = look_at_children(wo, t);
			if (ret)
				return ret;
		}
	}
	read_unlock(&tasklist_lock);
	return 0;
}

/* Wakes only those who wait for this child: key is the child. */
static int child_wait_callback(struct wait_queue_entry *wait, unsigned int mode, int sync, void *key)
{
	struct wait_opts *wo = container_of(wait, struct wait_opts, child_wait);
	struct task_struct *p = key;

	if (!eligible_pid(wo, p))
		return 0;
	if ((wo->wo_flags & __WNOTHREAD) && wait->private != p->parent)
		return 0;
	return default_wake_function(wait, mode, sync, key);
}

void __wake_up_parent(struct task_struct *p, struct task_struct *parent)
{
	__wake_up_sync_key(&parent->signal->wait_chldexit, TASK_INTERRUPTIBLE, p);
}

/* The child's pid, 0 (WNOHANG), -ECHILD, -ERESTARTSYS. */
static long do_wait(struct wait_opts *wo)
{
	struct wait_queue_head *queue = &current->signal->wait_chldexit;
	long ret;

	init_waitqueue_func_entry(&wo->child_wait, child_wait_callback);
	wo->child_wait.private = current;
	add_wait_queue(queue, &wo->child_wait);
	for (;;) {
		wo->notask_error = -ECHILD;
		set_current_state(TASK_INTERRUPTIBLE);
		/* A pid without any task left (it was reaped by another thread) is no child. */
		if (wo->wo_type < PIDTYPE_MAX && (!wo->wo_pid || !pid_has_task(wo->wo_pid, wo->wo_type)))
			ret = 0;
		else
			ret = look_once(wo);
		if (ret)
			break;
		ret = wo->notask_error;
		if (ret || (wo->wo_flags & WNOHANG))
			break;
		ret = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(queue, &wo->child_wait);
	return ret;
}

/* ---- system calls ---- */

static long kernel_waitid(int which, pid_t upid, struct waitid_info *info, int options, struct rusage *ru)
{
	struct wait_opts wo = { .wo_flags = options, .wo_info = info, .wo_rusage = ru, .wo_type = PIDTYPE_MAX };
	unsigned int file_flags = 0;
	long ret;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (which) {
	case P_ALL:
		break;
	case P_PID:
		if (upid <= 0)
			return -EINVAL;
		wo.wo_type = PIDTYPE_PID;
		wo.wo_pid = find_get_pid(upid);
		break;
	case P_PGID:
		if (upid < 0)
			return -EINVAL;
		wo.wo_type = PIDTYPE_PGID;
		wo.wo_pid = upid ? find_get_pid(upid) : get_task_pid(current, PIDTYPE_PGID);
		break;
	case P_PIDFD:
		if (upid < 0)
			return -EINVAL;
		wo.wo_type = PIDTYPE_PID;
		wo.wo_pid = pidfd_get_pid((unsigned int)upid, &file_flags);
		if (IS_ERR(wo.wo_pid))
			return PTR_ERR(wo.wo_pid);
		if (file_flags & O_NONBLOCK)
			wo.wo_flags |= WNOHANG;
		break;
	default:
		return -EINVAL;
	}
	ret = do_wait(&wo);
	/* A non-blocking pidfd tells "not yet" as other files do. */
	if (!ret && !(options & WNOHANG) && (file_flags & O_NONBLOCK))
		ret = -EAGAIN;
	put_pid(wo.wo_pid);
	return ret;
}

static int put_waitid_info(siginfo_t __user *infop, const struct waitid_info *info, int signo)
{
	struct compat_siginfo c = { .si_signo = signo, .si_code = info->cause,
				    ._sigchld = { ._pid = info->pid, ._uid = info->uid, ._status = info->status } };

	if (in_compat_syscall())
		return copy_to_user(infop, &c, offsetof(struct compat_siginfo, _sigchld._utime)) ? -EFAULT : 0;
	return put_user(signo, &infop->si_signo) || put_user(0, &infop->si_errno) ||
	       put_user(info->cause, &infop->si_code) || put_user(info->pid, &infop->si_pid) ||
	       put_user(info->uid, &infop->si_uid) || put_user(info->status, &infop->si_status) ? -EFAULT : 0;
}

long sys_waitid(int which, pid_t pid, struct siginfo __user *infop, int options, struct rusage __user *ru)
{
	struct waitid_info info = { .status = 0 };
	struct rusage r;
	int signo = 0;
	long err = kernel_waitid(which, pid, &info, options, ru ? &r : NULL);

	if (err > 0) {
		signo = SIGCHLD;
		err = 0;
		if (ru && put_rusage(&r, ru))
			return -EFAULT;
	}
	if (!infop || err < 0)
		return err;
	return put_waitid_info(infop, &info, signo);
}

/* stat and ru may be NULL.  The child's number, 0, or -errno. */
long kernel_wait4(pid_t upid, int *stat, int options, struct rusage *ru)
{
	struct wait_opts wo = { .wo_flags = options | WEXITED, .wo_type = PIDTYPE_MAX };
	long ret;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (upid == INT_MIN)
		return -ESRCH;
	if (upid > 0) {
		wo.wo_type = PIDTYPE_PID;
		wo.wo_pid = find_get_pid(upid);
	} else if (upid == 0) {
		wo.wo_type = PIDTYPE_PGID;
		wo.wo_pid = get_task_pid(current, PIDTYPE_PGID);
	} else if (upid < -1) {
		wo.wo_type = PIDTYPE_PGID;
		wo.wo_pid = find_get_pid(-upid);
	}
	wo.wo_rusage = ru;
	ret = do_wait(&wo);
	put_pid(wo.wo_pid);
	if (stat)
		*stat = wo.wo_stat;
	return ret;
}

long sys_wait4(pid_t upid, int __user *stat_addr, int options, struct rusage __user *ru)
{
	struct rusage r;
	int stat;
	long ret = kernel_wait4(upid, &stat, options, ru ? &r : NULL);

	if (ret > 0 && stat_addr && put_user(stat, stat_addr))
		ret = -EFAULT;
	if (ret > 0 && ru && put_rusage(&r, ru))
		ret = -EFAULT;
	return ret;
}
