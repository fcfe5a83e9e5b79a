/*
 * daemonize.c: the old way to a kernel thread: a process forks it with kernel_thread(), and it lets go of what it was given.
 *
 * Idea:    such a thread starts as its maker's twin.  All that would tie the two together must be thought of and dropped:
 *          address space, files, directories, session, terminal, signals, credentials, nice value, processors.  What is
 *          forgotten stays, for ever.  That is why kthreadd was invented, which has nothing that could be inherited: new
 *          code calls kthread_create(), and only what runs before kthreadd does uses kernel_thread().
 * Context: the thread itself, early, before it shows itself to others.
 * Locking: task_lock for fs and files, tasklist_lock (writing) for the session; the rest is the thread's own.
 * See:     spec.md §4 "old interface"; kernel/task/kthread.c
 */
#include <weft/kthread.h>
#include <weft/cpumask.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/fdtable.h>
#include <weft/fs_struct.h>
#include <weft/pid.h>
#include <weft/nsproxy.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/tty.h>
#include "internal.h"

/* Files and directories as the first task has them. */
static void take_init_files(struct fs_struct *fs)
{
	struct files_struct *files = get_files_struct(&init_task);

	exit_files(current);
	exit_fs(current);
	task_lock(current);
	current->files = files;
	current->fs = fs;
	task_unlock(current);
}

/* kthreadd's child, in no session; nobody need wait for it, as kthreadd ignores SIGCHLD. */
static void adopt_by_kthreadd(void)
{
	write_lock_irq(&tasklist_lock);
	current->real_parent = current->parent = kthreadd_task;
	list_move_tail(&current->sibling, &kthreadd_task->children);
	current->exit_signal = SIGCHLD;
	change_pid(current, PIDTYPE_SID, &init_struct_pid);
	change_pid(current, PIDTYPE_PGID, &init_struct_pid);
	write_unlock_irq(&tasklist_lock);
	proc_clear_tty(current);
}

int daemonize(const char *name)
{
	struct fs_struct *fs = copy_fs_struct(init_task.fs);
	struct cred *cred = prepare_kernel_cred(NULL);
	sigset_t all;

	if (!fs || !cred) {
		if (fs)
			free_fs_struct(fs);
		if (cred)
			abort_creds(cred);
		return -ENOMEM;
	}
	__set_task_comm(current, name, false);
	exit_mm();
	take_init_files(fs);
	refcount_inc(&init_nsproxy.count);
	switch_namespaces(&init_nsproxy);
	commit_creds(cred);
	sigfillset(&all);
	set_current_blocked(&all);
	ignore_signals(current);
	adopt_by_kthreadd();
	set_user_nice(current, 0);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	return 0;
}
