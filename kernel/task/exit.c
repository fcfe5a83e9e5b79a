/*
 * exit.c: the end of a task, and who inherits its children.
 *
 * What:    do_exit() gives back, one after the other, all that the task holds; exit_notify() hands its children on, tells
 *          the parent, and leaves a zombie; release_task() takes the zombie out of all tables.
 * States:  running -> PF_EXITING (takes no more group signals) -> EXIT_ZOMBIE (waits for wait4) -> EXIT_DEAD (one caller
 *          of release_task() has claimed it).  A thread, and a child of a parent that ignores SIGCHLD, goes straight to
 *          EXIT_DEAD.  A leader whose threads live on stays EXIT_ZOMBIE, and the last thread's release_task() tells.
 * Locking: tasklist_lock (write) for the family, exit_state and the tables; inside it siglock for what the group shares.
 *
 *      parent in wait4                                 child in exit_notify
 *      adds itself to wait_chldexit                    tasklist_lock
 *      tasklist_lock (read): child not a zombie yet    exit_state = EXIT_ZOMBIE
 *      sleeps                                          do_notify_parent(): SIGCHLD, wakes wait_chldexit
 *      woken, looks again: a zombie                    tasklist_lock released
 *      exit_state: EXIT_ZOMBIE -> EXIT_DEAD by cmpxchg: only one of several waiters wins
 * See:     spec.md §3; wait.c; exit(2), wait(2), PR_SET_CHILD_SUBREAPER; doc/tasks.md
 */
#include <weft/acct.h>
#include <weft/cgroup.h>
#include <weft/io_uring.h>
#include <weft/ipc.h>
#include <weft/kernel.h>
#include <weft/coredump.h>
#include <weft/cred.h>
#include <weft/fdtable.h>
#include <weft/fs_struct.h>
#include <weft/mm.h>
#include <weft/nsproxy.h>
#include <weft/oom.h>
#include <weft/pid_namespace.h>
#include <weft/pipe_fs_i.h>
#include <weft/posix-timers.h>
#include <weft/perf_event.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/mempolicy.h>
#include <weft/seccomp.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/task_work.h>
#include <weft/trace.h>
#include <weft/tty.h>
#include <asm/mmu_context.h>
#include <weft/futex.h>
#include "internal.h"

/* ---- release_task ---- */

/* Out of the tables.  tasklist_lock held for writing, siglock too. */
static void unhash_task(struct task_struct *p, bool group_dead)
{
	nr_threads--;
	detach_pid(p, PIDTYPE_PID);
	if (group_dead) {
		detach_pid(p, PIDTYPE_TGID);
		detach_pid(p, PIDTYPE_PGID);
		detach_pid(p, PIDTYPE_SID);
		list_del_rcu(&p->tasks);
		list_del_init(&p->sibling);
		this_cpu_dec(process_counts);
	}
	list_del_rcu(&p->thread_node);
	p->signal->nr_threads--;
}

/*
 * What the thread used goes into the group's sums, and it leaves the list of threads: in one write section, so that who
 * adds sums and threads counts it once.  siglock held.
 */
static void add_up_and_unhash(struct task_struct *tsk, struct signal_struct *sig, bool group_dead)
{
	write_seqlock(&sig->stats_lock);
	sig->utime += tsk->utime;
	sig->stime += tsk->stime;
	sig->min_flt += tsk->min_flt;
	sig->maj_flt += tsk->maj_flt;
	sig->nvcsw += tsk->nvcsw;
	sig->nivcsw += tsk->nivcsw;
	sig->inblock += tsk->inblock;
	sig->oublock += tsk->oublock;
	sig->sum_sched_runtime += tsk->se.sum_exec_runtime;
	unhash_task(tsk, group_dead);
	write_sequnlock(&sig->stats_lock);
}

/* The task leaves its group and has no handlers any more.  tasklist_lock held for writing. */
static void __exit_signal(struct task_struct *tsk)
{
	struct signal_struct *sig = tsk->signal;
	bool group_dead = thread_group_leader(tsk);
	struct sighand_struct *sighand = tsk->sighand;
	struct tty_struct *tty = NULL;

	spin_lock(&sighand->siglock);
	posix_cpu_timers_exit(tsk);
	if (group_dead) {
		posix_cpu_timers_exit_group(tsk);
		tty = sig->tty;
		sig->tty = NULL;
	} else {
		/* An execve of another thread counts those that go. */
		if (sig->notify_count > 0 && !--sig->notify_count)
			wake_up_process(sig->group_exec_task);
		if (tsk == sig->curr_target)
			sig->curr_target = next_thread(tsk);
	}
	add_up_and_unhash(tsk, sig, group_dead);
	/* Behind this lock_task_sighand() fails, so nobody queues a signal that would never be freed. */
	flush_sigqueue(&tsk->pending);
	WRITE_ONCE(tsk->sighand, NULL);
	spin_unlock(&sighand->siglock);

	__cleanup_sighand(sighand);
	clear_tsk_thread_flag(tsk, TIF_SIGPENDING);
	if (group_dead) {
		flush_sigqueue(&sig->shared_pending);
		tty_kref_put(tty);
	}
}

/* True: p was the last thread but its leader, and the leader's parent does not want to wait for it. */
static bool last_thread_gone(struct task_struct *p)
{
	struct task_struct *leader = p->group_leader;

	if (leader == p || !thread_group_empty(leader) || leader->exit_state != EXIT_ZOMBIE)
		return false;
	if (!do_notify_parent(leader, leader->exit_signal))
		return false;
	leader->exit_state = EXIT_DEAD;
	return true;
}

/* p is EXIT_DEAD and the caller is who made it so.  May sleep. */
void release_task(struct task_struct *p)
{
	struct task_struct *leader;
	bool zap_leader;

	do {
		rcu_read_lock();
		atomic_long_dec(&__task_cred(p)->user->processes);
		rcu_read_unlock();

		write_lock_irq(&tasklist_lock);
		ptrace_unlink(p);
		cgroup_release(p);
		leader = p->group_leader;
		__exit_signal(p);
		zap_leader = last_thread_gone(p);
		write_unlock_irq(&tasklist_lock);

		put_task_struct_rcu_user(p);
		p = leader;
	} while (zap_leader);
}

static void release_all(struct list_head *dead)
{
	struct task_struct *p, *n;

	list_for_each_entry_safe(p, n, dead, ptrace_entry) {
		list_del_init(&p->ptrace_entry);
		release_task(p);
	}
}

/* ---- orphaned process groups ---- */

/*
 * A process group is orphaned when no member has a parent in the same session but in another group: nobody could
 * continue it after a stop.  ignored: as if that member had gone.  tasklist_lock held.
 */
static bool will_become_orphaned_pgrp(struct pid *pgrp, struct task_struct *ignored)
{
	struct task_struct *p;

	do_each_pid_task(pgrp, PIDTYPE_PGID, p) {
		if (p == ignored || (p->exit_state && thread_group_empty(p)) || is_global_init(p->real_parent))
			continue;
		if (task_pgrp(p->real_parent) != pgrp && task_session(p->real_parent) == task_session(p))
			return false;
	} while_each_pid_task(pgrp, PIDTYPE_PGID, p);
	return true;
}

bool is_current_pgrp_orphaned(void)
{
	bool orphaned;

	read_lock(&tasklist_lock);
	orphaned = will_become_orphaned_pgrp(task_pgrp(current), NULL);
	read_unlock(&tasklist_lock);
	return orphaned;
}

static bool has_stopped_jobs(struct pid *pgrp)
{
	struct task_struct *p;

	do_each_pid_task(pgrp, PIDTYPE_PGID, p) {
		if (p->signal->flags & SIGNAL_STOP_STOPPED)
			return true;
	} while_each_pid_task(pgrp, PIDTYPE_PGID, p);
	return false;
}

/*
 * tsk goes (parent NULL) or changes its parent: if that orphans its group and something in it is stopped, the group gets
 * SIGHUP and SIGCONT (POSIX).  tasklist_lock held for writing.
 */
static void kill_orphaned_pgrp(struct task_struct *tsk, struct task_struct *parent)
{
	struct pid *pgrp = task_pgrp(tsk);
	struct task_struct *ignored = tsk;

	if (!parent)
		parent = tsk->real_parent;	/* exit: our own group */
	else
		ignored = NULL;			/* reparenting: our child's group */
	if (task_pgrp(parent) != pgrp && task_session(parent) == task_session(tsk) &&
	    will_become_orphaned_pgrp(pgrp, ignored) && has_stopped_jobs(pgrp)) {
		__kill_pgrp_info(SIGHUP, SEND_SIG_PRIV, pgrp);
		__kill_pgrp_info(SIGCONT, SEND_SIG_PRIV, pgrp);
	}
}

/* ---- who becomes the parent ---- */

static struct task_struct *find_alive_thread(struct task_struct *p)
{
	struct task_struct *t;

	for_each_thread(p, t)
		if (!(t->flags & PF_EXITING))
			return t;
	return NULL;
}

/*
 * The init of father's pid namespace.  If that is father itself: another thread of it, or father once more after all others
 * in the namespace have gone; *dead is emptied on the way, since who is on it has to go, too.  tasklist_lock held for
 * writing, but dropped meanwhile then.
 */
static struct task_struct *find_child_reaper(struct task_struct *father, struct list_head *dead)
	__no_context_analysis	/* drops and takes it */
{
	struct pid_namespace *ns = task_active_pid_ns(father);
	struct task_struct *reaper = ns->child_reaper;

	if (likely(reaper != father))
		return reaper;
	reaper = find_alive_thread(father);
	if (reaper) {
		ns->child_reaper = reaper;
		return reaper;
	}
	write_unlock_irq(&tasklist_lock);
	release_all(dead);
	zap_pid_ns_processes(ns);
	write_lock_irq(&tasklist_lock);
	return father;
}

/* Another thread of father, else the nearest subreaper among the ancestors, else init.  tasklist_lock held for writing. */
static struct task_struct *find_new_reaper(struct task_struct *father, struct task_struct *init)
{
	struct task_struct *thread = find_alive_thread(father), *reaper;

	if (thread)
		return thread;
	if (father->signal->has_child_subreaper) {
		for (reaper = father->real_parent; reaper->signal != init->signal && reaper != &init_task;
		     reaper = reaper->real_parent) {
			if (!reaper->signal->is_child_subreaper)
				continue;
			thread = find_alive_thread(reaper);
			if (thread)
				return thread;
		}
	}
	return init;
}

static void reparent_leader(struct task_struct *father, struct task_struct *p, struct list_head *dead)
{
	if (p->exit_state == EXIT_DEAD)
		return;
	/* Init need not know of other exit signals. */
	p->exit_signal = SIGCHLD;
	if (!p->ptrace && p->exit_state == EXIT_ZOMBIE && thread_group_empty(p) &&
	    do_notify_parent(p, p->exit_signal)) {
		p->exit_state = EXIT_DEAD;
		list_add(&p->ptrace_entry, dead);
	}
	kill_orphaned_pgrp(p, father);
}

/* All children get a new parent.  Those that are zombies and unwanted there go to *dead. */
static void forget_original_parent(struct task_struct *father, struct list_head *dead)
{
	struct task_struct *init, *reaper, *p, *t;

	if (unlikely(!list_empty(&father->ptraced)))
		exit_ptrace(father, dead);
	init = find_child_reaper(father, dead);
	if (list_empty(&father->children))
		return;
	reaper = find_new_reaper(father, init);
	list_for_each_entry(p, &father->children, sibling) {
		for_each_thread(p, t) {
			rcu_assign_pointer(t->real_parent, reaper);
			if (likely(!t->ptrace))
				t->parent = reaper;
			if (t->pdeath_signal)
				group_send_sig_info(t->pdeath_signal, SEND_SIG_NOINFO, t, PIDTYPE_TGID);
		}
		/* A thread of the same group notices nothing. */
		if (!same_thread_group(reaper, father))
			reparent_leader(father, p, dead);
	}
	list_splice_tail_init(&father->children, &reaper->children);
}

/* Every thread's end is told to its tracer; with the signal that the parent asked for if that is the same process. */
static bool notify_tracer(struct task_struct *tsk)
{
	bool whole = thread_group_leader(tsk) && thread_group_empty(tsk);

	return do_notify_parent(tsk, whole && !ptrace_reparented(tsk) ? tsk->exit_signal : SIGCHLD);
}

/* The parent learns of it, or nobody cares and the task goes at once. */
static void exit_notify(struct task_struct *tsk, bool group_dead)
{
	bool autoreap = true;
	LIST_HEAD(dead);

	write_lock_irq(&tasklist_lock);
	forget_original_parent(tsk, &dead);
	if (group_dead)
		kill_orphaned_pgrp(tsk->group_leader, NULL);

	tsk->exit_state = EXIT_ZOMBIE;
	cgroup_exit(tsk);
	if (unlikely(tsk->ptrace))
		autoreap = notify_tracer(tsk);
	else if (thread_group_leader(tsk))
		autoreap = thread_group_empty(tsk) && do_notify_parent(tsk, tsk->exit_signal);
	if (autoreap) {
		tsk->exit_state = EXIT_DEAD;
		list_add(&tsk->ptrace_entry, &dead);
	}
	/* An execve waits for us, the leader, to be a zombie: become_leader(). */
	if (unlikely(tsk->signal->notify_count < 0))
		wake_up_process(tsk->signal->group_exec_task);
	write_unlock_irq(&tasklist_lock);

	release_all(&dead);
}

/* ---- do_exit ---- */

/* From here on the task is like a kernel thread: it borrows the page tables until it is switched away from. */
void exit_mm(void)
{
	struct mm_struct *mm = current->mm;

	exit_mm_release(current, mm);
	if (!mm)
		return;
	BUG_ON(mm != current->active_mm);
	mmgrab(mm);
	task_lock(current);
	local_irq_disable();
	current->mm = NULL;
	enter_lazy_tlb(mm, current);
	local_irq_enable();
	task_unlock(current);
	mmput(mm);
	if (test_thread_flag(TIF_MEMDIE))
		exit_oom_victim();
}

/* The last thread that gets here decides the group's exit code, if nobody has. */
static void synchronize_group_exit(struct task_struct *tsk, long code)
{
	struct signal_struct *sig = tsk->signal;

	spin_lock_irq(&tsk->sighand->siglock);
	if (--sig->quick_threads == 0 && !(sig->flags & SIGNAL_GROUP_EXIT)) {
		sig->flags = SIGNAL_GROUP_EXIT;
		sig->group_exit_code = (int)code;
		sig->group_stop_count = 0;
	}
	coredump_task_exit(tsk);
	spin_unlock_irq(&tsk->sighand->siglock);
}

static void exit_group_resources(struct task_struct *tsk)
{
	if (unlikely(is_global_init(tsk)))
		panic("init has died, exit code %#x", tsk->signal->group_exit_code);
	hrtimer_cancel(&tsk->signal->real_timer);
	exit_itimers(tsk);
	if (tsk->mm)
		tsk->signal->maxrss = max(tsk->signal->maxrss, get_mm_hiwater_rss(tsk->mm));
}

void __noreturn do_exit(long code)
{
	struct task_struct *tsk = current;
	bool group_dead;

	if (unlikely(in_interrupt()))
		panic("a fatal fault in an interrupt");
	if (unlikely(!tsk->pid))
		panic("the idle task was about to exit");
	if (unlikely(tsk->flags & PF_EXITING)) {
		/* A fault on the way out: leave everything as it is rather than fault again. */
		printk(KERN_ALERT "%s[%d]: a fault during exit, the task is left behind\n", tsk->comm, tsk->pid);
		futex_exit_recursive(tsk);
		refcount_inc(&tsk->rcu_users);
		do_task_dead();
	}
	synchronize_group_exit(tsk, code);
	ptrace_event(PTRACE_EVENT_EXIT, (unsigned long)code);
	io_uring_task_gone(tsk);
	exit_signals(tsk);
	exit_seccomp(tsk);
	mpol_exit(tsk);
	group_dead = atomic_dec_and_test(&tsk->signal->live);
	if (group_dead)
		exit_group_resources(tsk);
	tsk->exit_code = (int)code;
	trace_task_exit(tsk->pid, tsk->tgid, code);

	if (group_dead)
		acct_process(tsk, code);
	exit_mm();
	exit_sem(tsk);
	exit_files(tsk);
	exit_fs(tsk);
	if (group_dead)
		disassociate_ctty(1);
	exit_task_work(tsk);
	perf_event_exit(tsk);
	exit_namespaces(tsk);
	exit_thread(tsk);
	sched_exit(tsk);
	exit_notify(tsk, group_dead);

	debug_check_no_locks_held();
	if (tsk->splice_pipe)
		free_pipe_info(tsk->splice_pipe);
	do_task_dead();
}

/* All threads of the process go with this code: exit_group(2), or a fatal signal taken by one of them. */
void __noreturn do_group_exit(int code)
{
	struct signal_struct *sig = current->signal;

	spin_lock_irq(&current->sighand->siglock);
	if (sig->flags & SIGNAL_GROUP_EXIT) {
		code = sig->group_exit_code;	/* somebody was faster */
	} else if (sig->group_exec_task) {
		code = 0;			/* an execve kills us: the group lives on */
	} else {
		sig->group_exit_code = code;
		sig->flags = SIGNAL_GROUP_EXIT;
		zap_other_threads(current);
	}
	spin_unlock_irq(&current->sighand->siglock);
	do_exit(code);
}

long sys_exit(int error_code)
{
	do_exit((error_code & 0xff) << 8);
}

long sys_exit_group(int error_code)
{
	do_group_exit((error_code & 0xff) << 8);
}
