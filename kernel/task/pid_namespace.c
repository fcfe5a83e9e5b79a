/*
 * pid_namespace.c: making and ending a namespace of process numbers.
 *
 * Idea:    whoever makes one stays outside: its next child is the first inside (number 1), so a task's numbers never
 *          change.  When that init ends it takes everybody along:
 *
 *              init in exit                                     others
 *              no numbers are given any more                    fork: -ENOMEM
 *              SIGKILL to all that have a number here           die; their parent is (or becomes) init
 *              reaps its children until there are none
 *              waits until only its own number is left          zombies that a parent outside, or a tracer, has to
 *                                                               reap: free_pid() of the last one but init wakes it
 * Locking: see <weft/pid_namespace.h>.
 * See:     pid_namespaces(7), reboot(2); pid.c, exit.c find_child_reaper()
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/nsproxy.h>
#include <weft/pid_namespace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <uapi/wait.h>
#include "internal.h"

bool pidns_is_ancestor(const struct pid_namespace *child, const struct pid_namespace *ancestor)
{
	while (child->level > ancestor->level)
		child = child->parent;
	return child == ancestor;
}

/* ---- making and freeing ---- */

static struct pid_namespace *create_pid_namespace(struct user_namespace *user_ns, struct pid_namespace *parent)
{
	struct pid_namespace *ns;
	int err;

	/* Its owner must have rights over the parent's owner's things: an ancestor of it, or the same. */
	if (!in_userns(parent->user_ns, user_ns))
		return ERR_PTR(-EINVAL);
	if (parent->level + 1 > MAX_PID_NS_LEVEL)
		return ERR_PTR(-ENOSPC);
	ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	if (!ns)
		return ERR_PTR(-ENOMEM);
	err = ns_init(&ns->ns, &pidns_type);
	if (err) {
		kfree(ns);
		return ERR_PTR(err);
	}
	idr_init(&ns->idr);
	ns->level = parent->level + 1;
	ns->parent = get_pid_ns(parent);
	ns->user_ns = get_user_ns(user_ns);
	ns->pid_allocated = PIDNS_ADDING;
	return ns;
}

static void free_pid_ns_rcu(struct rcu_head *head)
{
	struct pid_namespace *ns = container_of(head, struct pid_namespace, rcu);

	idr_destroy(&ns->idr);
	kfree(ns);
}

void put_pid_ns(struct pid_namespace *ns)
{
	struct pid_namespace *parent;

	/* With the last reference to a namespace goes one to its parent. */
	for (; ns && ns != &init_pid_ns && refcount_dec_and_test(&ns->ns.count); ns = parent) {
		parent = ns->parent;
		ns_free_inum(&ns->ns);
		put_user_ns(ns->user_ns);
		call_rcu(&ns->rcu, free_pid_ns_rcu);
	}
}

struct pid_namespace *copy_pid_ns(u64 flags, struct user_namespace *user_ns, struct pid_namespace *old)
{
	if (!(flags & CLONE_NEWPID))
		return get_pid_ns(old);
	/* Who has entered or made another one for its children cannot make one below that from here. */
	if (task_active_pid_ns(current) != old)
		return ERR_PTR(-EINVAL);
	return create_pid_namespace(user_ns, old);
}

/* ---- the end ---- */

static void kill_members(struct pid_namespace *ns)
{
	struct task_struct *task;
	struct pid *pid;
	int nr = 2;

	rcu_read_lock();
	read_lock(&tasklist_lock);
	idr_for_each_entry_continue(&ns->idr, pid, nr) {
		task = pid_task(pid, PIDTYPE_PID);
		if (task && !fatal_signal_pending(task))
			group_send_sig_info(SIGKILL, SEND_SIG_PRIV, task, PIDTYPE_MAX);
	}
	read_unlock(&tasklist_lock);
	rcu_read_unlock();
}

/* The exiting init: its children need nobody's attention any more. */
static void ignore_children(void)
{
	spin_lock_irq(&current->sighand->siglock);
	current->sighand->action[SIGCHLD - 1].sa.sa_handler = SIG_IGN;
	spin_unlock_irq(&current->sighand->siglock);
}

void zap_pid_ns_processes(struct pid_namespace *ns)
{
	/* Its own number, and that of its leader if init's last thread is another one. */
	unsigned int own = thread_group_leader(current) ? 1 : 2;
	long ret;

	disable_pid_allocation(ns);
	ignore_children();
	kill_members(ns);
	do {
		clear_thread_flag(TIF_SIGPENDING);
		clear_thread_flag(TIF_NOTIFY_SIGNAL);
		ret = kernel_wait4(-1, NULL, __WALL, NULL);
	} while (ret != -ECHILD);

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(ns->pid_allocated) == own)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	if (ns->reboot)
		current->signal->group_exit_code = ns->reboot;
}

/* reboot(2) inside: for who waits for it, the namespace's init died of that signal, which says what was asked for. */
void reboot_pid_ns(struct pid_namespace *ns, int sig)
{
	WRITE_ONCE(ns->reboot, sig);
	read_lock(&tasklist_lock);
	send_sig(SIGKILL, ns->child_reaper, 1);
	read_unlock(&tasklist_lock);
	do_exit(0);
}

/* ---- the kinds: a task's own, and the one in which its children will be ---- */

static struct ns_common *pidns_get(struct task_struct *task)
{
	struct pid_namespace *ns;

	rcu_read_lock();
	ns = task_active_pid_ns(task);
	if (ns)
		get_pid_ns(ns);
	rcu_read_unlock();
	return ns ? &ns->ns : NULL;
}

/* A namespace that has no init yet has no file: nobody could enter it. */
static struct ns_common *pidns_for_children_get(struct task_struct *task)
{
	struct nsproxy *proxy = get_task_nsproxy(task);
	struct pid_namespace *ns = NULL;

	if (!proxy)
		return NULL;
	read_lock(&tasklist_lock);
	if (proxy->pid_ns_for_children->child_reaper)
		ns = get_pid_ns(proxy->pid_ns_for_children);
	read_unlock(&tasklist_lock);
	put_nsproxy(proxy);
	return ns ? &ns->ns : NULL;
}

static struct pid_namespace *to_pid_ns(const struct ns_common *ns)
{
	return container_of((struct ns_common *)ns, struct pid_namespace, ns);
}

static void pidns_put(struct ns_common *ns)
{
	put_pid_ns(to_pid_ns(ns));
}

/* Children may go further down, never up or beside. */
static int pidns_install(struct nsset *set, struct ns_common *ns)
{
	struct pid_namespace *active = task_active_pid_ns(current), *new = to_pid_ns(ns);

	if (!may_install(set, new->user_ns))
		return -EPERM;
	if (!pidns_is_ancestor(new, active))
		return -EINVAL;
	put_pid_ns(set->nsproxy->pid_ns_for_children);
	set->nsproxy->pid_ns_for_children = get_pid_ns(new);
	return 0;
}

/* The parent, when it is not outside of the caller's own. */
static struct ns_common *pidns_parent(struct ns_common *ns)
{
	struct pid_namespace *parent = to_pid_ns(ns)->parent, *active = task_active_pid_ns(current);

	if (!parent || !pidns_is_ancestor(parent, active))
		return ERR_PTR(-EPERM);
	return &get_pid_ns(parent)->ns;
}

static struct user_namespace *pidns_owner(struct ns_common *ns)
{
	return to_pid_ns(ns)->user_ns;
}

const struct ns_type pidns_type = {
	.name = "pid", .clone_flag = CLONE_NEWPID, .get = pidns_get, .put = pidns_put, .install = pidns_install,
	.owner = pidns_owner, .parent = pidns_parent,
};
const struct ns_type pidns_for_children_type = {
	.name = "pid", .link = "pid_for_children", .clone_flag = CLONE_NEWPID, .get = pidns_for_children_get,
	.put = pidns_put, .install = pidns_install, .owner = pidns_owner, .parent = pidns_parent,
};
