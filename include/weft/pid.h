/*
 * pid.h: struct pid, the kernel's name for a process, thread, process group or session.
 *
 * Idea:    numbers are reused, a struct pid is not: whoever keeps a reference to one can never hit a wrong task, and need
 *          not keep the task itself alive.  One struct pid serves in several roles at once (leader's PID, TGID, PGID of
 *          its group ...): one list of tasks per role.  numbers[]: one entry per level (pid_namespace.h).
 * Counts:  one for each task in role PID together (dropped in free_pid after a grace period), get_pid/put_pid for others.
 *          put_pid never sleeps.
 * Locking: tasks[] and task->pid_links [r:tasklist_lock]; the number -> pid table is an idr: look-ups under RCU only,
 *          O(tree height).
 * See:     kernel/task/pid.c
 */
#ifndef WEFT_PID_H
#define WEFT_PID_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/refcount.h>
#include <weft/rcu.h>
#include <weft/spinlock.h>
#include <weft/wait.h>

struct task_struct;
struct signal_struct;
struct file;
struct pid_namespace;

enum pid_type {
	PIDTYPE_PID,		/* this thread */
	PIDTYPE_TGID,		/* the process */
	PIDTYPE_PGID,		/* the process group */
	PIDTYPE_SID,		/* the session */
	PIDTYPE_MAX,
};

struct upid {
	int			nr;		/* [I] */
	struct pid_namespace	*ns;		/* [I] */
};

struct pid {
	refcount_t		count;
	unsigned int		level;		/* [I] index of the deepest entry in numbers[] */
	spinlock_t		lock;		/* class: pid; guards nothing but the waking of wait_pidfd */
	struct hlist_head	tasks[PIDTYPE_MAX];	/* [r:tasklist_lock] */
	struct wait_queue_head	wait_pidfd;	/* poll on a pidfd */
	struct rcu_head		rcu;
	struct upid		numbers[];	/* [I] level + 1 of them; the last is that of the task's own namespace */
};

#define RESERVED_PIDS		300		/* after the numbers wrapped, none below this */
#define PID_MAX_DEFAULT		32768
#define PID_MAX_LIMIT		(4 * 1024 * 1024)
extern int pid_max;

void pid_idr_init(void);
int last_pid(const struct pid_namespace *ns);	/* the number given last: /proc/loadavg */
/* In ns and all above it; set_tid: the numbers that are asked for, from ns upwards.  May sleep; ERR_PTR(-EAGAIN...) */
struct pid *alloc_pid(struct pid_namespace *ns, const pid_t *set_tid, size_t set_tid_size);
void free_pid(struct pid *pid);			/* the number is free at once, the structure after a grace period */
void put_pid(struct pid *pid);			/* NULL is fine */
static inline struct pid *get_pid(struct pid *pid)
{
	if (pid)
		refcount_inc(&pid->count);
	return pid;
}
static inline pid_t pid_nr(const struct pid *pid) { return pid ? pid->numbers[0].nr : 0; }
pid_t pid_nr_ns(const struct pid *pid, const struct pid_namespace *ns);	/* its number in ns, 0: it has none there */
pid_t pid_vnr(const struct pid *pid);		/* ... in the running task's */
pid_t pid_nr_vnr(pid_t nr);			/* of a number of the first namespace, while its process lives; 0 */
static inline bool pid_has_task(struct pid *pid, enum pid_type type) { return !hlist_empty(&pid->tasks[type]); }
/* The child's future thread group etc.: is this the init of its namespace? */
static inline bool is_child_reaper(const struct pid *pid) { return pid->numbers[pid->level].nr == 1; }

/* Look-ups: under rcu_read_lock(), the result is valid only inside it. */
struct pid *find_pid_ns(int nr, const struct pid_namespace *ns);
struct pid *find_vpid(int nr);			/* in the running task's namespace, as all with a v in their name */
struct task_struct *pid_task(struct pid *pid, enum pid_type type);
struct task_struct *find_task_by_pid_ns(pid_t nr, const struct pid_namespace *ns);
struct task_struct *find_task_by_vpid(pid_t nr);
struct pid *find_ge_pid(int nr, struct pid_namespace *ns);	/* the next number in use, for /proc */
/* With a reference, any context; NULL if there is none. */
struct pid *find_get_pid(int nr);
struct task_struct *get_pid_task(struct pid *pid, enum pid_type type);
struct task_struct *find_get_task_by_vpid(pid_t nr);
struct pid *get_task_pid(struct task_struct *task, enum pid_type type);
/* Under RCU or tasklist_lock: */
struct pid *task_pid(struct task_struct *task);
struct pid *task_tgid(struct task_struct *task);
struct pid *task_pgrp(struct task_struct *task);
struct pid *task_session(struct task_struct *task);
/* These take RCU themselves; 0: it has no number there, or has been reaped. */
pid_t __task_pid_nr_ns(struct task_struct *task, enum pid_type type, const struct pid_namespace *ns);
#define task_pid_nr_ns(t, ns)		__task_pid_nr_ns(t, PIDTYPE_PID, ns)
#define task_tgid_nr_ns(t, ns)		__task_pid_nr_ns(t, PIDTYPE_TGID, ns)
#define task_pgrp_nr_ns(t, ns)		__task_pid_nr_ns(t, PIDTYPE_PGID, ns)
#define task_session_nr_ns(t, ns)	__task_pid_nr_ns(t, PIDTYPE_SID, ns)
pid_t task_pid_vnr(struct task_struct *task);
pid_t task_tgid_vnr(struct task_struct *task);
pid_t task_pgrp_vnr(struct task_struct *task);
pid_t task_session_vnr(struct task_struct *task);
bool pid_alive(const struct task_struct *p);	/* not yet through release_task(): its parent pointers are valid under RCU */

/* Links: tasklist_lock held for writing. */
void attach_pid(struct task_struct *task, enum pid_type type);
void detach_pid(struct task_struct *task, enum pid_type type);
void change_pid(struct task_struct *task, enum pid_type type, struct pid *pid);
void transfer_pid(struct task_struct *from, struct task_struct *to, enum pid_type type);
void exchange_tids(struct task_struct *a, struct task_struct *b);
void init_task_pid(struct task_struct *task, enum pid_type type, struct pid *pid);

/* All tasks in this role: tasklist_lock or RCU.  for PGID and SID these are group leaders. */
#define do_each_pid_task(pid, type, task)						\
	do {										\
		if ((pid) != NULL)							\
			hlist_for_each_entry_rcu((task), &(pid)->tasks[type], pid_links[type]) {
#define while_each_pid_task(pid, type, task)						\
			}								\
	} while (0)

/* ---- pidfd.c ---- */
struct pid *pidfd_pid(const struct file *file);		/* no new reference; ERR_PTR(-EBADF) */
struct pid *pidfd_get_pid(unsigned int fd, unsigned int *flags);	/* + reference */
/* A descriptor number and a file, neither installed; fd_install() or put_unused_fd()+fput().  -errno.  May sleep. */
int pidfd_prepare(struct pid *pid, unsigned int flags, struct file **file);
void do_notify_pidfd(struct task_struct *task);

#endif
