/*
 * pid.h: struct pid, the kernel's name for a process, thread, process group or session.
 *
 * Idea:    numbers are reused, a struct pid is not: whoever keeps a reference to one can never hit a wrong task, and need
 *          not keep the task itself alive.  One struct pid serves in several roles at once (leader's PID, TGID, PGID of
 *          its group ...): one list of tasks per role.  numbers[] has one entry per namespace level; only level 0 exists.
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

enum pid_type {
	PIDTYPE_PID,		/* this thread */
	PIDTYPE_TGID,		/* the process */
	PIDTYPE_PGID,		/* the process group */
	PIDTYPE_SID,		/* the session */
	PIDTYPE_MAX,
};

struct upid {
	int			nr;		/* [I] */
	void			*ns;		/* [I] the namespace, when there are some */
};

struct pid {
	refcount_t		count;
	unsigned int		level;		/* [I] index of the deepest entry in numbers[] */
	spinlock_t		lock;		/* class: pid; guards nothing but the waking of wait_pidfd */
	struct hlist_head	tasks[PIDTYPE_MAX];	/* [r:tasklist_lock] */
	struct wait_queue_head	wait_pidfd;	/* poll on a pidfd */
	struct rcu_head		rcu;
	struct upid		numbers[1];
};

#define RESERVED_PIDS		300		/* after the numbers wrapped, none below this */
#define PID_MAX_DEFAULT		32768
#define PID_MAX_LIMIT		(4 * 1024 * 1024)
extern int pid_max;

void pid_idr_init(void);
int last_pid(void);				/* the number given last: /proc/loadavg */
struct pid *alloc_pid(pid_t *set_tid, size_t set_tid_size);	/* may sleep; ERR_PTR(-EAGAIN, -ENOMEM, -EEXIST...) */
void free_pid(struct pid *pid);			/* the number is free at once, the structure after a grace period */
void put_pid(struct pid *pid);			/* NULL is fine */
static inline struct pid *get_pid(struct pid *pid)
{
	if (pid)
		refcount_inc(&pid->count);
	return pid;
}
static inline pid_t pid_nr(const struct pid *pid) { return pid ? pid->numbers[0].nr : 0; }
#define pid_vnr(pid)		pid_nr(pid)
static inline bool pid_has_task(struct pid *pid, enum pid_type type) { return !hlist_empty(&pid->tasks[type]); }
/* The child's future thread group etc.: is this the init of its namespace? */
static inline bool is_child_reaper(const struct pid *pid) { return pid->numbers[0].nr == 1; }

/* Look-ups: under rcu_read_lock(), the result is valid only inside it. */
struct pid *find_pid(int nr);
#define find_vpid(nr)		find_pid(nr)
struct task_struct *pid_task(struct pid *pid, enum pid_type type);
struct task_struct *find_task_by_pid(pid_t nr);
#define find_task_by_vpid(nr)	find_task_by_pid(nr)
struct pid *find_ge_pid(int nr);		/* the next number in use, for /proc */
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
pid_t task_pgrp_nr(struct task_struct *task);	/* takes RCU itself */
pid_t task_session_nr(struct task_struct *task);
bool pid_alive(const struct task_struct *p);	/* not yet through release_task(): its parent pointers are valid under RCU */
#define task_pid_vnr(t)		task_pid_nr(t)
#define task_tgid_vnr(t)	task_tgid_nr(t)
#define task_pgrp_vnr(t)	task_pgrp_nr(t)
#define task_session_vnr(t)	task_session_nr(t)

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
