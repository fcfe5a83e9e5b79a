/*
 * pid_namespace.h: a set of process numbers of its own, and all tasks that have one in it.
 *
 * Idea:    namespaces stand in a tree.  A task has a number in the namespace in which it was made and in all above it: its
 *          struct pid has one entry for each level.  The first task of a namespace has number 1 there: it inherits the
 *          orphans, takes no signal from inside that it has no handler for, and with it all others go.
 *
 *              level 0   init_pid_ns   numbers[0] = 4711   (task->pid: what the kernel's own messages show)
 *              level 1     ns          numbers[1] = 17     (task->vpid when this is the task's own level)
 *
 * Counts:  each struct pid, child namespace, nsproxy (for children) and open file keeps one.
 * Locking: idr, pid_allocated: pidmap_lock (pid.c), look-ups under RCU.  child_reaper: tasklist_lock.
 * See:     pid_namespaces(7); kernel/task/pid.c, kernel/task/pid_namespace.c
 */
#ifndef WEFT_PID_NAMESPACE_H
#define WEFT_PID_NAMESPACE_H

#include <weft/idr.h>
#include <weft/nsproxy.h>
#include <weft/sched.h>
#include <weft/user_namespace.h>

#define MAX_PID_NS_LEVEL	32
#define PIDNS_ADDING		(1U << 31)	/* in pid_allocated: new numbers are given; gone when its init has died */

struct pid_namespace {
	struct ns_common	ns;
	struct idr		idr;		/* [r:pidmap_lock] number -> struct pid */
	struct rcu_head		rcu;
	unsigned int		pid_allocated;	/* [pidmap_lock] numbers in use, | PIDNS_ADDING */
	unsigned int		level;		/* [I] */
	struct task_struct	*child_reaper;	/* [tasklist_lock] its init; NULL: none yet */
	struct pid_namespace	*parent;	/* [I] + reference */
	struct user_namespace	*user_ns;	/* [I] + reference */
	int			reboot;		/* [tasklist_lock] what its init ends with after reboot(2), or 0 */
};
extern struct pid_namespace init_pid_ns;
extern const struct ns_type pidns_type, pidns_for_children_type;

static inline struct pid_namespace *get_pid_ns(struct pid_namespace *ns)
{
	if (ns != &init_pid_ns)
		refcount_inc(&ns->ns.count);
	return ns;
}
void put_pid_ns(struct pid_namespace *ns);	/* any context */
/* + reference; ERR_PTR(-EINVAL): current's is not the parent's own; -ENOSPC: too deep. */
struct pid_namespace *copy_pid_ns(u64 flags, struct user_namespace *user_ns, struct pid_namespace *old);
void zap_pid_ns_processes(struct pid_namespace *ns);	/* its init ends: all others go first.  Sleeps */
void disable_pid_allocation(struct pid_namespace *ns);
void reboot_pid_ns(struct pid_namespace *ns, int sig) __noreturn;
bool pidns_is_ancestor(const struct pid_namespace *child, const struct pid_namespace *ancestor);	/* or the same */

static inline struct pid_namespace *ns_of_pid(const struct pid *pid)
{
	return pid ? pid->numbers[pid->level].ns : NULL;
}
/* NULL: it has been reaped.  Under RCU or tasklist_lock, or for current. */
static inline struct pid_namespace *task_active_pid_ns(struct task_struct *task) { return ns_of_pid(task_pid(task)); }

#endif
