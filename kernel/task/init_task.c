/*
 * init_task.c: pid 0, the only task that nobody forked, and what it owns.
 *
 * What:    init_task is the flow of control from the first instruction of the boot processor to its idle loop; every other
 *          task descends from it.  Its parts are the templates of all others: limits, handlers, credentials.
 * Idea:    all static, so that `current` is valid before there is any memory management.
 * See:     spec.md §4 "the first tasks"; kernel/init/main.c
 */
#include <weft/cgroup.h>
#include <weft/cred.h>
#include <weft/fdtable.h>
#include <weft/fs_struct.h>
#include <weft/mm_types.h>
#include <weft/rwlock.h>
#include <weft/nsproxy.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/timekeeping.h>
#include "internal.h"

rwlock_t tasklist_lock = __RW_LOCK_UNLOCKED(tasklist_lock);

struct sighand_struct init_sighand = {
	.siglock	= __SPIN_LOCK_UNLOCKED(init_sighand.siglock),
	.count		= REFCOUNT_INIT(1),
	.signalfd_wqh	= __WAIT_QUEUE_HEAD_INITIALIZER(init_sighand.signalfd_wqh),
};

struct signal_struct init_signals = {
	.sigcnt		= REFCOUNT_INIT(1),
	.live		= ATOMIC_INIT(1),
	.nr_threads	= 1,
	.quick_threads	= 1,
	.thread_head	= LIST_HEAD_INIT(init_task.thread_node),
	.wait_chldexit	= __WAIT_QUEUE_HEAD_INITIALIZER(init_signals.wait_chldexit),
	.curr_target	= &init_task,
	.shared_pending	= { .list = LIST_HEAD_INIT(init_signals.shared_pending.list) },
	.posix_timers	= LIST_HEAD_INIT(init_signals.posix_timers),
	.cpu_timers	= {
		LIST_HEAD_INIT(init_signals.cpu_timers[0]),
		LIST_HEAD_INIT(init_signals.cpu_timers[1]),
		LIST_HEAD_INIT(init_signals.cpu_timers[2]),
	},
	.pids		= {
		[PIDTYPE_PID]	= &init_struct_pid,
		[PIDTYPE_TGID]	= &init_struct_pid,
		[PIDTYPE_PGID]	= &init_struct_pid,
		[PIDTYPE_SID]	= &init_struct_pid,
	},
	.stats_lock	= __SEQLOCK_UNLOCKED(init_signals.stats_lock),
	.rlim		= INIT_RLIMITS,
	.cred_guard_mutex = __MUTEX_INITIALIZER(init_signals.cred_guard_mutex),
};

struct task_struct init_task = {
	.__state	= TASK_RUNNING,
	.flags		= PF_KTHREAD,
	.stack		= init_stack,
	.usage		= REFCOUNT_INIT(2),
	.rcu_users	= REFCOUNT_INIT(2),
	.prio		= DEFAULT_PRIO,
	.static_prio	= DEFAULT_PRIO,
	.normal_prio	= DEFAULT_PRIO,
	.policy		= SCHED_NORMAL,
	.nr_cpus_allowed = 1,
	.active_mm	= &init_mm,
	.tasks		= LIST_HEAD_INIT(init_task.tasks),
	.real_parent	= &init_task,
	.parent		= &init_task,
	.children	= LIST_HEAD_INIT(init_task.children),
	.sibling	= LIST_HEAD_INIT(init_task.sibling),
	.ptraced	= LIST_HEAD_INIT(init_task.ptraced),
	.ptrace_entry	= LIST_HEAD_INIT(init_task.ptrace_entry),
	.group_leader	= &init_task,
	.thread_pid	= &init_struct_pid,
	.thread_node	= LIST_HEAD_INIT(init_signals.thread_head),
	.real_cred	= &init_cred,
	.cred		= &init_cred,
	.comm		= "swapper",
	.loginuid	= INVALID_UID,
	.sessionid	= (unsigned int)-1,
	.fs		= &init_fs,
	.nsproxy	= &init_nsproxy,
	.cgroup		= &cgroup_root,
	.cgroup_node	= LIST_HEAD_INIT(init_task.cgroup_node),
	.files		= &init_files,
	.signal		= &init_signals,
	.sighand	= &init_sighand,
	.pending	= { .list = LIST_HEAD_INIT(init_task.pending.list) },
	.pi_lock	= __SPIN_LOCK_UNLOCKED(init_task.pi_lock),
	.alloc_lock	= __SPIN_LOCK_UNLOCKED(init_task.alloc_lock),
	.pi_waiters	= RB_ROOT_CACHED,
	.pi_state_list	= LIST_HEAD_INIT(init_task.pi_state_list),
	.futex_exit_mutex = __MUTEX_INITIALIZER(init_task.futex_exit_mutex),
	.timer_slack_ns	= DEFAULT_TIMER_SLACK,
	.restart_block	= { .fn = do_no_restart_syscall },
	.cpu_timers	= {
		LIST_HEAD_INIT(init_task.cpu_timers[0]),
		LIST_HEAD_INIT(init_task.cpu_timers[1]),
		LIST_HEAD_INIT(init_task.cpu_timers[2]),
	},
};
