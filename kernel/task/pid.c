/*
 * pid.c: numbers for tasks, and from a number to the task.
 *
 * What:    allocation and look-up of struct pid, the links between a task and its four pids, and the system calls that
 *          read or change a task's process group and session.
 * Idea:    an idr for each pid namespace maps numbers to struct pid; a look-up takes only rcu_read_lock().
 *          A struct pid and the task_struct are freed a grace period after they left their tables, so what a look-up
 *          found stays readable inside its RCU section; whoever wants to keep it takes a reference that fails when the
 *          count had already reached 0.
 * States:  a struct pid is in the idrs from alloc_pid() to free_pid(); it has tasks in role t from attach_pid(t) to the
 *          last detach_pid(t).  When the last role is empty the number is given back, whatever references remain.
 * Locking: pidmap_lock guards changes of the idrs; tasklist_lock (write) the links.  Order: tasklist_lock -> pidmap_lock.
 * Cost:    look-up O(log64 pid_max), i.e. three loads for 32768.
 * See:     spec.md §3 "identity"; credentials(7), setpgid(2); doc/tasks.md
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/err.h>
#include <weft/idr.h>
#include <weft/init.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/pid.h>
#include <weft/pid_namespace.h>
#include <weft/syscalls.h>
#include <weft/tty.h>
#include "internal.h"

int pid_max = PID_MAX_DEFAULT;

static DEFINE_SPINLOCK(pidmap_lock);		/* class: pidmap */
static struct kmem_cache *pid_cachep;		/* those of the first namespace; deeper ones are longer */

struct pid_namespace init_pid_ns = {
	.ns		= { .count = REFCOUNT_INIT(1), .inum = 0xeffffffc, .type = &pidns_type },
	.idr		= IDR_INIT(init_pid_ns.idr),
	.pid_allocated	= PIDNS_ADDING,
	.user_ns	= &init_user_ns,
};

/* Pid 0: the idle tasks.  Never in the idr. */
struct pid init_struct_pid = {
	.count		= REFCOUNT_INIT(1),
	.lock		= __SPIN_LOCK_UNLOCKED(init_struct_pid.lock),
	.wait_pidfd	= __WAIT_QUEUE_HEAD_INITIALIZER(init_struct_pid.wait_pidfd),
	.numbers	= { { .nr = 0, .ns = &init_pid_ns } },
};

void __init pid_idr_init(void)
{
	/* About 1024 numbers a CPU, so that they are not reused too soon. */
	pid_max = min(PID_MAX_LIMIT, max(pid_max, (int)num_possible_cpus() * 1024));
	pid_cachep = kmem_cache_create("pid", sizeof(struct pid) + sizeof(struct upid), 0,
				       SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
}

/* Without numbers.  NULL: out of memory. */
static struct pid *new_pid(struct pid_namespace *ns)
{
	struct pid *pid = ns->level ? kmalloc(struct_size(pid, numbers, ns->level + 1), GFP_KERNEL) :
				      kmem_cache_alloc(pid_cachep, GFP_KERNEL);

	if (!pid)
		return NULL;
	refcount_set(&pid->count, 1);
	pid->level = ns->level;
	spin_lock_init(&pid->lock);
	for (int type = 0; type < PIDTYPE_MAX; type++)
		INIT_HLIST_HEAD(&pid->tasks[type]);
	init_waitqueue_head(&pid->wait_pidfd);
	get_pid_ns(ns);
	for (int i = (int)ns->level; i >= 0; i--, ns = ns->parent)
		pid->numbers[i] = (struct upid){ .ns = ns };
	return pid;
}

static void free_pid_struct(struct pid *pid)
{
	struct pid_namespace *ns = ns_of_pid(pid);

	if (ns->level)
		kfree(pid);
	else
		kmem_cache_free(pid_cachep, pid);
	put_pid_ns(ns);
}

int last_pid(const struct pid_namespace *ns)
{
	return idr_get_cursor(&ns->idr) - 1;
}

/* The first number >= 1 that is free after the last one given; after a wrap not below RESERVED_PIDS. */
static int next_number(struct idr *idr, struct pid *pid)
{
	int min = idr_get_cursor(idr) > RESERVED_PIDS ? RESERVED_PIDS : 1;

	return idr_alloc_cyclic(idr, pid, min, pid_max, GFP_ATOMIC);
}

/* A number in one namespace; want: that one.  It may be found at once, but has no task yet.  0, or -errno. */
static int give_number(struct pid *pid, struct upid *upid, int want)
{
	struct pid_namespace *ns = upid->ns;
	int nr;

	idr_preload(GFP_KERNEL);
	spin_lock_irq(&pidmap_lock);
	if (!(ns->pid_allocated & PIDNS_ADDING))
		nr = -ENOMEM;		/* its init has died */
	else if (want)
		nr = idr_alloc(&ns->idr, pid, want, want + 1, GFP_ATOMIC);
	else
		nr = next_number(&ns->idr, pid);
	if (nr >= 0) {
		WRITE_ONCE(upid->nr, nr);
		ns->pid_allocated++;
	}
	spin_unlock_irq(&pidmap_lock);
	idr_preload_end();
	if (nr == -ENOSPC)
		return want ? -EEXIST : -EAGAIN;
	return nr < 0 ? nr : 0;
}

/* The number that clone3 wants in ns, 0: any.  -errno: it may not. */
static int wanted_number(const struct pid_namespace *ns, const pid_t **set_tid, size_t *left)
{
	int want;

	if (!*left)
		return 0;
	want = *(*set_tid)++;
	--*left;
	if (want < 1 || want >= pid_max)
		return -EINVAL;
	if (want != 1 && !ns->child_reaper)
		return -EINVAL;		/* the first one must be its init */
	return ns_capable(ns->user_ns, CAP_SYS_ADMIN) || ns_capable(ns->user_ns, CAP_CHECKPOINT_RESTORE) ? want : -EPERM;
}

/*
 * The pid is visible to look-ups at once, but no task is attached yet, so they find nobody.  Returns ERR_PTR: -EAGAIN all
 * numbers used, -EEXIST the asked one is, -EINVAL, -EPERM, -ENOMEM.
 */
struct pid *alloc_pid(struct pid_namespace *ns, const pid_t *set_tid, size_t set_tid_size)
{
	struct pid *pid;
	int err = 0, want;

	if (set_tid_size > ns->level + 1)
		return ERR_PTR(-EINVAL);
	pid = new_pid(ns);
	if (!pid)
		return ERR_PTR(-ENOMEM);
	for (int i = (int)pid->level; i >= 0 && !err; i--) {
		want = wanted_number(pid->numbers[i].ns, &set_tid, &set_tid_size);
		err = want < 0 ? want : give_number(pid, &pid->numbers[i], want);
	}
	if (!err)
		return pid;
	free_pid(pid);
	return ERR_PTR(err);
}

void disable_pid_allocation(struct pid_namespace *ns)
{
	spin_lock_irq(&pidmap_lock);
	ns->pid_allocated &= ~PIDNS_ADDING;
	spin_unlock_irq(&pidmap_lock);
}

void put_pid(struct pid *pid)
{
	if (pid && refcount_dec_and_test(&pid->count))
		free_pid_struct(pid);
}

static void delayed_put_pid(struct rcu_head *head)
{
	put_pid(container_of(head, struct pid, rcu));
}

/* pidmap_lock held.  The init that waits in zap_pid_ns_processes() looks again. */
static void take_number_back(struct upid *upid)
{
	struct pid_namespace *ns = upid->ns;

	idr_remove(&ns->idr, (unsigned long)upid->nr);
	if (--ns->pid_allocated == PIDNS_ADDING && ns->level)
		ns->pid_allocated = 0;		/* the fork of its init failed: number 1 is not given twice */
	else if (ns->pid_allocated <= 2 && ns->child_reaper && ns->level)
		wake_up_process(ns->child_reaper);
}

void free_pid(struct pid *pid)
{
	unsigned long flags;

	spin_lock_irqsave(&pidmap_lock, flags);
	for (unsigned int i = 0; i <= pid->level; i++) {
		if (pid->numbers[i].nr)		/* 0: alloc_pid() failed before it */
			take_number_back(&pid->numbers[i]);
	}
	spin_unlock_irqrestore(&pidmap_lock, flags);
	call_rcu(&pid->rcu, delayed_put_pid);
}

/* ---- look-up ---- */

struct pid *find_pid_ns(int nr, const struct pid_namespace *ns)
{
	struct pid *pid = idr_find((struct idr *)&ns->idr, (unsigned long)nr);

	/* Between idr_alloc and the store of the number, and for readers of a reused structure. */
	return pid && pid_nr_ns(pid, ns) == nr ? pid : NULL;
}

struct pid *find_vpid(int nr)
{
	return find_pid_ns(nr, task_active_pid_ns(current));
}

struct pid *find_ge_pid(int nr, struct pid_namespace *ns)
{
	return idr_get_next(&ns->idr, &nr);
}

pid_t pid_nr_ns(const struct pid *pid, const struct pid_namespace *ns)
{
	if (!pid || !ns || ns->level > pid->level || pid->numbers[ns->level].ns != ns)
		return 0;
	return READ_ONCE(pid->numbers[ns->level].nr);
}

pid_t pid_vnr(const struct pid *pid)
{
	return pid_nr_ns(pid, task_active_pid_ns(current));
}

pid_t pid_nr_vnr(pid_t nr)
{
	struct pid_namespace *ns = task_active_pid_ns(current);

	if (ns == &init_pid_ns)
		return nr;
	rcu_read_lock();
	nr = pid_nr_ns(find_pid_ns(nr, &init_pid_ns), ns);
	rcu_read_unlock();
	return nr;
}

struct task_struct *pid_task(struct pid *pid, enum pid_type type)
{
	struct hlist_node *first;

	if (!pid)
		return NULL;
	first = rcu_dereference(pid->tasks[type].first);
	return first ? container_of(first, struct task_struct, pid_links[type]) : NULL;
}

struct task_struct *find_task_by_pid_ns(pid_t nr, const struct pid_namespace *ns)
{
	return pid_task(find_pid_ns(nr, ns), PIDTYPE_PID);
}

struct task_struct *find_task_by_vpid(pid_t nr)
{
	return find_task_by_pid_ns(nr, task_active_pid_ns(current));
}

struct pid *find_get_pid(int nr)
{
	struct pid *pid;

	rcu_read_lock();
	pid = find_vpid(nr);
	if (pid && !refcount_inc_not_zero(&pid->count))
		pid = NULL;
	rcu_read_unlock();
	return pid;
}

struct task_struct *get_pid_task(struct pid *pid, enum pid_type type)
{
	struct task_struct *task;

	rcu_read_lock();
	task = pid_task(pid, type);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

struct task_struct *find_get_task_by_vpid(pid_t nr)
{
	struct task_struct *task;

	rcu_read_lock();
	task = find_task_by_vpid(nr);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

/* ---- links between a task and its pids ---- */

static struct pid **task_pid_ptr(struct task_struct *task, enum pid_type type)
{
	return type == PIDTYPE_PID ? &task->thread_pid : &task->signal->pids[type];
}

/*
 * Of oneself these two do not change (but in execve() of a thread, which is oneself).  Process group and session may be
 * changed by others, so even one's own are only looked at under RCU or the tasklist_lock.
 */
struct pid *task_pid(struct task_struct *task)
{
	return rcu_dereference_check(task->thread_pid, task == current || lockdep_is_held(&tasklist_lock));
}

struct pid *task_tgid(struct task_struct *task)
{
	return rcu_dereference_check(task->signal->pids[PIDTYPE_TGID],
				     task->signal == current->signal || lockdep_is_held(&tasklist_lock));
}

struct pid *task_pgrp(struct task_struct *task)
{
	return rcu_dereference_check(task->signal->pids[PIDTYPE_PGID], lockdep_is_held(&tasklist_lock));
}

struct pid *task_session(struct task_struct *task)
{
	return rcu_dereference_check(task->signal->pids[PIDTYPE_SID], lockdep_is_held(&tasklist_lock));
}

bool pid_alive(const struct task_struct *p) { return READ_ONCE(p->thread_pid) != NULL; }

struct pid *get_task_pid(struct task_struct *task, enum pid_type type)
{
	struct pid *pid;

	rcu_read_lock();
	pid = rcu_dereference(*task_pid_ptr(task, type));
	if (pid && !refcount_inc_not_zero(&pid->count))
		pid = NULL;
	rcu_read_unlock();
	return pid;
}

pid_t __task_pid_nr_ns(struct task_struct *task, enum pid_type type, const struct pid_namespace *ns)
{
	pid_t nr = 0;

	rcu_read_lock();
	if (pid_alive(task))
		nr = pid_nr_ns(rcu_dereference(*task_pid_ptr(task, type)), ns);
	rcu_read_unlock();
	return nr;
}

static pid_t task_vnr(struct task_struct *task, enum pid_type type)
{
	return __task_pid_nr_ns(task, type, task_active_pid_ns(current));
}

pid_t task_pid_vnr(struct task_struct *task) { return task_vnr(task, PIDTYPE_PID); }
pid_t task_tgid_vnr(struct task_struct *task) { return task_vnr(task, PIDTYPE_TGID); }
pid_t task_pgrp_vnr(struct task_struct *task) { return task_vnr(task, PIDTYPE_PGID); }
pid_t task_session_vnr(struct task_struct *task) { return task_vnr(task, PIDTYPE_SID); }

void init_task_pid(struct task_struct *task, enum pid_type type, struct pid *pid)
{
	*task_pid_ptr(task, type) = pid;
}

void attach_pid(struct task_struct *task, enum pid_type type)
{
	struct pid *pid = *task_pid_ptr(task, type);

	lockdep_assert_held(&tasklist_lock);
	hlist_add_head_rcu(&task->pid_links[type], &pid->tasks[type]);
}

static void __change_pid(struct task_struct *task, enum pid_type type, struct pid *new)
{
	struct pid **ptr = task_pid_ptr(task, type), *pid = *ptr;

	hlist_del_rcu(&task->pid_links[type]);
	rcu_assign_pointer(*ptr, new);
	for (int t = 0; t < PIDTYPE_MAX; t++)
		if (pid_has_task(pid, t))
			return;
	free_pid(pid);
}

void detach_pid(struct task_struct *task, enum pid_type type)
{
	lockdep_assert_held(&tasklist_lock);
	__change_pid(task, type, NULL);
}

void change_pid(struct task_struct *task, enum pid_type type, struct pid *pid)
{
	lockdep_assert_held(&tasklist_lock);
	__change_pid(task, type, pid);
	attach_pid(task, type);
}

/* exec by a thread that is not the leader: the two exchange their PID role. */
void exchange_tids(struct task_struct *a, struct task_struct *b)
{
	struct pid *pa = a->thread_pid, *pb = b->thread_pid;
	struct hlist_head ha = pa->tasks[PIDTYPE_PID], hb = pb->tasks[PIDTYPE_PID];

	lockdep_assert_held(&tasklist_lock);
	/* Each list has exactly one task, so the heads are exchanged as a whole. */
	rcu_assign_pointer(pa->tasks[PIDTYPE_PID].first, hb.first);
	rcu_assign_pointer(pb->tasks[PIDTYPE_PID].first, ha.first);
	hb.first->pprev = &pa->tasks[PIDTYPE_PID].first;
	ha.first->pprev = &pb->tasks[PIDTYPE_PID].first;
	rcu_assign_pointer(a->thread_pid, pb);
	rcu_assign_pointer(b->thread_pid, pa);
	WRITE_ONCE(a->pid, pid_nr(pb));
	WRITE_ONCE(b->pid, pid_nr(pa));
	swap(a->vpid, b->vpid);
}

/* `to` takes the place of `from` in a list (TGID, PGID, SID of the group, which sit at the leader). */
void transfer_pid(struct task_struct *from, struct task_struct *to, enum pid_type type)
{
	lockdep_assert_held(&tasklist_lock);
	hlist_replace_rcu(&from->pid_links[type], &to->pid_links[type]);
}

/* ---- system calls ---- */

long sys_getpid(void) { return current->vtgid; }
long sys_gettid(void) { return current->vpid; }

long sys_getppid(void)
{
	struct task_struct *parent;
	pid_t pid;

	rcu_read_lock();
	parent = rcu_dereference(current->real_parent);
	/* In the first namespace everybody has a number, and it is at hand. */
	pid = likely(!task_pid(current)->level) ? parent->tgid : task_tgid_vnr(parent);
	rcu_read_unlock();
	return pid;
}

/*
 * Who may be moved: the caller itself, or a child of it in the same session that has not called execve yet; never a
 * session leader.  tasklist_lock held.
 */
static int may_setpgid(struct task_struct *p, struct task_struct *leader)
{
	if (!thread_group_leader(p))
		return -EINVAL;
	if (same_thread_group(p->real_parent, leader)) {
		if (task_session(p) != task_session(leader))
			return -EPERM;
		if (!(p->flags & PF_FORKNOEXEC))
			return -EACCES;
	} else if (p != leader) {
		return -ESRCH;
	}
	return p->signal->leader ? -EPERM : 0;
}

static int setpgid_locked(pid_t nr, pid_t pgid)
{
	struct task_struct *leader = current->group_leader, *p, *g;
	struct pid *pgrp;
	int err;

	p = find_task_by_vpid(nr);
	if (!p)
		return -ESRCH;
	err = may_setpgid(p, leader);
	if (err)
		return err;
	pgrp = task_pid(p);
	if (pgid != nr) {
		pgrp = find_vpid(pgid);
		g = pid_task(pgrp, PIDTYPE_PGID);
		if (!g || task_session(g) != task_session(leader))
			return -EPERM;
	}
	if (task_pgrp(p) != pgrp)
		change_pid(p, PIDTYPE_PGID, pgrp);
	return 0;
}

long sys_setpgid(pid_t pid, pid_t pgid)
{
	int err;

	if (!pid)
		pid = current->vtgid;
	if (!pgid)
		pgid = pid;
	if (pgid < 0)
		return -EINVAL;
	rcu_read_lock();
	write_lock_irq(&tasklist_lock);
	err = setpgid_locked(pid, pgid);
	write_unlock_irq(&tasklist_lock);
	rcu_read_unlock();
	return err;
}

static long get_role(pid_t nr, enum pid_type type)
{
	struct task_struct *p = current;
	long ret = -ESRCH;

	rcu_read_lock();
	if (nr)
		p = find_task_by_vpid(nr);
	if (p && pid_alive(p))
		ret = pid_vnr(rcu_dereference(*task_pid_ptr(p, type)));
	rcu_read_unlock();
	return ret;
}

long sys_getpgid(pid_t pid) { return get_role(pid, PIDTYPE_PGID); }
long sys_getpgrp(void) { return get_role(0, PIDTYPE_PGID); }
long sys_getsid(pid_t pid) { return get_role(pid, PIDTYPE_SID); }

/* Makes the caller's process leader of a new session and of a new process group, without a terminal. */
int ksys_setsid(void)
{
	struct task_struct *leader = current->group_leader;
	struct pid *sid = task_pid(leader);
	int err = -EPERM;

	write_lock_irq(&tasklist_lock);
	if (leader->signal->leader || pid_task(sid, PIDTYPE_PGID))
		goto out;
	leader->signal->leader = true;
	if (task_session(leader) != sid)
		change_pid(leader, PIDTYPE_SID, sid);
	if (task_pgrp(leader) != sid)
		change_pid(leader, PIDTYPE_PGID, sid);
	err = pid_vnr(sid);
out:
	write_unlock_irq(&tasklist_lock);
	if (err > 0)
		proc_clear_tty(leader);
	return err;
}

long sys_setsid(void) { return ksys_setsid(); }
