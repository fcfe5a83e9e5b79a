/*
 * cgroup.h: control groups (version 2): a tree of groups of tasks, and controllers that share out a resource along it.
 *
 * Idea:    every task is in one group.  A controller that is enabled for a group has a structure of its own there, which
 *          begins with a cgroup_css; a task is subject to that of its group, or where the group has none, to that of the
 *          nearest group above (cgroup->e_css).  The root is not controlled: its tasks are in no list, hold no reference and
 *          have e_css NULL, so a machine without groups pays a comparison in fork and exit.
 *
 *              task --> cgroup (count: tasks, children, inodes, namespaces; 1 until rmdir) --> parent --> ... --> cgroup_root
 *                         css[i]    its own part of controller i, or NULL
 *                         e_css[i]  the one that counts here, or NULL: nobody limits
 *
 * Locking: cgroup_mutex for the tree, controllers and moving tasks; cgroup_task_lock (inside tasklist_lock) for which task is
 *          in which group.  A task's group is read under cgroup_task_lock, tasklist_lock (write) or RCU.
 * See:     doc/cgroups.md; kernel/cgroup; cgroups(7)
 */
#ifndef WEFT_CGROUP_H
#define WEFT_CGROUP_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/list.h>
#include <weft/nsproxy.h>
#include <weft/rcu.h>
#include <weft/refcount.h>
#include <weft/sched.h>
#include <weft/wait.h>
#include <weft/workqueue.h>
#include <weft/xattr.h>

struct cgroup;
struct cgroup_css;
struct cgroup_open;
struct cred;
struct seq_file;

/* The controllers, in the order in which cgroup.controllers names them. */
enum cgroup_controller { CGROUP_CPU, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CONTROLLERS };

/* The files of a group that tell of events: by poll() and inotify. */
enum cgroup_event {
	CGROUP_EVENT_NONE, CGROUP_EVENT_CORE, CGROUP_EVENT_PIDS, CGROUP_EVENT_MEMORY, CGROUP_EVENT_MEMORY_LOCAL,
	CGROUP_EVENT_SWAP, CGROUP_EVENTS
};

/* A controller's part of a group; the controller's own structure begins with it. */
struct cgroup_css {
	struct cgroup		*cgroup;	/* [r:cgroup_mutex] NULL: it is no group's any more */
	struct cgroup_css	*parent;	/* [I] of the group above, + reference; NULL: that is the root */
	const struct cgroup_subsys *ss;		/* [I] */
	refcount_t		count;		/* 1 while a group has it, + css_get() */
	union {
		struct rcu_head	rcu;		/* it is being freed: first the readers under RCU go, ... */
		struct work_struct free_work;	/* ... then it may sleep */
	};
};

/* A file of the groups. */
struct cftype {
	const char		*name;
	u8			flags;		/* CFT_* */
	u8			event;		/* what it tells of: enum cgroup_event */
	int			(*show)(struct seq_file *m, struct cgroup_css *css);
	/* 0 or -errno */
	int			(*write)(struct cgroup_css *css, char *text, const struct cgroup_open *open);
};
#define CFT_NOT_ON_ROOT		1
#define CFT_ONLY_ON_ROOT	2
#define CFT_DELEGATED		4	/* a namespace below may write it even under nsdelegate */

struct cgroup_subsys {
	const char		*name;
	bool			threaded;	/* makes sense for the threads of one process, too */
	/* Where the group above has part `parent` (NULL: the root).  May sleep; ERR_PTR. */
	struct cgroup_css	*(*alloc)(struct cgroup_css *parent);
	void			(*online)(struct cgroup_css *css);	/* it is complete.  May sleep */
	void			(*offline)(struct cgroup_css *css);	/* no task is subject to it any more.  May sleep */
	void			(*free)(struct cgroup_css *css);	/* nobody knows it any more.  May sleep */
	/* p was subject to `from` and is to `to` from now on (NULL: to nobody's).  cgroup_task_lock held. */
	void			(*move)(struct task_struct *p, struct cgroup_css *from, struct cgroup_css *to);
	const struct cftype	*files;		/* ends with one without a name */
};

/* What chown and chmod did to one file of a group. */
struct cgroup_file_attr {
	struct list_head	node;
	unsigned int		file;		/* its number */
	umode_t			mode;
	kuid_t			uid;
	kgid_t			gid;
};

struct cgroup {
	struct cgroup_css	self;		/* what the files of no controller are given */
	refcount_t		count;
	u64			id;		/* [I] unique for ever; in the inode numbers */
	struct cgroup		*parent;	/* [I] + reference */
	char			*name;		/* [I] */
	unsigned int		level;		/* [I] root: 0 */
	bool			dead;		/* [cgroup_mutex] removed */
	struct list_head	children;	/* [cgroup_mutex] by id */
	struct list_head	sibling;
	unsigned int		nr_descendants, nr_dying;	/* [cgroup_mutex] below it */
	unsigned int		max_descendants, max_depth;	/* [cgroup_mutex] INT_MAX: no limit */

	/* Controllers */
	u16			subtree_control;	/* [cgroup_mutex] bits of those that the children have */
	struct cgroup_css __rcu	*css[CGROUP_CONTROLLERS];	/* [r:cgroup_mutex] */
	struct cgroup_css __rcu	*e_css[CGROUP_CONTROLLERS];	/* [r:cgroup_mutex + cgroup_task_lock] */
	struct cgroup		*dom;		/* [cgroup_mutex] whose resources it shares: itself, or above it if threaded */
	unsigned int		nr_threaded_children;	/* [cgroup_mutex] */

	/* Tasks [cgroup_task_lock] */
	struct list_head	tasks;		/* zombies too */
	unsigned int		nr_live;	/* of them */
	u64			used[2];	/* ns of utime, stime that tasks used here which have left */
	unsigned int		nr_populated_domain, nr_populated_threaded;	/* children that are populated */

	/* Freezer [cgroup_task_lock] */
	bool			freeze;		/* asked for here */
	unsigned int		e_freeze;	/* asked for here and above: how many times */
	bool			frozen;		/* all of it has come to rest */
	unsigned int		nr_frozen;	/* tasks that rest, or sleep where they would */
	unsigned int		nr_children, nr_frozen_children;

	/* Who is told of events */
	wait_queue_head_t	event_wait;
	atomic_t		events[CGROUP_EVENTS];	/* [a] how many there were */
	atomic_t		notify_pending;		/* [a] bits: to be told to inotify by ... */
	struct work_struct	notify_work;

	/* The folder [cgroup_mutex] */
	kuid_t			uid;		/* of it, and of its files unless changed */
	kgid_t			gid;
	umode_t			mode;
	struct list_head	attrs;		/* struct cgroup_file_attr */
	struct simple_xattrs	xattrs;

	union {
		struct work_struct release_work;
		struct rcu_head	rcu;
	};
};

extern struct cgroup cgroup_root;

static inline void cgroup_get(struct cgroup *cgrp) { refcount_inc(&cgrp->count); }
void cgroup_put(struct cgroup *cgrp);			/* any context */
static inline void css_get(struct cgroup_css *css) { refcount_inc(&css->count); }
static inline bool css_tryget(struct cgroup_css *css) { return refcount_inc_not_zero(&css->count); }
void css_put(struct cgroup_css *css);			/* any context */

/* What p is subject to, or NULL.  Under RCU, or where p cannot be moved. */
static inline struct cgroup_css *task_css(const struct task_struct *p, enum cgroup_controller which)
{
	const struct cgroup *cgrp = rcu_dereference(p->cgroup);

	return rcu_dereference(cgrp->e_css[which]);
}

/* Something happened that `event`'s file tells of.  Any context. */
void cgroup_notify(struct cgroup *cgrp, enum cgroup_event event);
void css_notify(struct cgroup_css *css, enum cgroup_event event);	/* ... for the group that has css, if it still does */
/* As seen from root.  The length, or -ENAMETOOLONG. */
int cgroup_path_ns(const struct cgroup *cgrp, const struct cgroup *root, char *buf, size_t size);

/* ---- /proc: kernel/cgroup/base_files.c ---- */
int proc_cgroup_show(struct seq_file *m, struct task_struct *task);
int proc_cgroups_show(struct seq_file *m, void *unused);

/* ---- the life of a task ---- */
struct cgroup_fork {
	struct cgroup_css	*pids;		/* where the child is counted already; + reference */
	bool			into;		/* CLONE_INTO_CGROUP: its group was named, and cgroup_mutex is held */
};
/* Which group p will be in.  0, -EAGAIN (too many tasks there), or why it may not be the one that args name. */
int cgroup_can_fork(struct task_struct *p, const struct kernel_clone_args *args, struct cgroup_fork *fork);
void cgroup_cancel_fork(struct task_struct *p, struct cgroup_fork *fork);
void cgroup_post_fork(struct task_struct *p, struct cgroup_fork *fork);	/* tasklist_lock held for writing */
void cgroup_fork_done(struct cgroup_fork *fork);			/* ... and no longer */
void __cgroup_exit(struct task_struct *p);
void __cgroup_release(struct task_struct *p);
/* p is a zombie from now on; p is out of all tables.  tasklist_lock held for writing. */
static inline void cgroup_exit(struct task_struct *p)
{
	if (unlikely(p->cgroup != &cgroup_root))
		__cgroup_exit(p);
}
static inline void cgroup_release(struct task_struct *p)
{
	if (unlikely(p->cgroup != &cgroup_root))
		__cgroup_release(p);
}
static inline void cgroup_free(struct task_struct *p)
{
	if (unlikely(p->cgroup != &cgroup_root))
		cgroup_put(p->cgroup);
}

/* ---- freezer: the running task ---- */
void cgroup_freezer_trap(void) __releases(&current->sighand->siglock);	/* JOBCTL_TRAP_FREEZE: rests for a while */
void __cgroup_enter_frozen(void);
void __cgroup_leave_frozen(bool always);
/* It is about to sleep where it will not run in user mode before it is woken for that: as good as frozen. */
static inline void cgroup_enter_frozen(void)
{
	if (unlikely(current->cgroup != &cgroup_root))
		__cgroup_enter_frozen();
}
/* It was woken.  always: even though its group is to be frozen it goes on in the kernel for a while. */
static inline void cgroup_leave_frozen(bool always)
{
	if (unlikely(current->cgroup_frozen))
		__cgroup_leave_frozen(always);
}

/* ---- namespaces ---- */
struct cgroup_namespace {
	struct ns_common	ns;
	struct user_namespace	*user_ns;	/* [I] it belongs to, + reference */
	struct cgroup		*root;		/* [I] what is "/" to those inside, + reference */
};
extern struct cgroup_namespace init_cgroup_ns;

#endif
