/*
 * pid.c: numbers for tasks, and from a number to the task.
 *
 * What:    allocation and look-up of struct pid, the links between a task and its four pids, and the system calls that
 *          read or change a task's process group and session.
 * Idea:    one idr maps numbers to struct pid; a look-up takes only rcu_read_lock().  A struct pid and the task_struct
 *          are freed a grace period after they left their tables, so what a look-up found stays readable inside its
 *          RCU section; whoever wants to keep it takes a reference that fails when the count had already reached 0.
 * States:  a struct pid is in the idr from alloc_pid() to free_pid(); it has tasks in role t from attach_pid(t) to the
 *          last detach_pid(t).  When the last role is empty the number is given back, whatever references remain.
 * Locking: pidmap_lock guards changes of the idr; tasklist_lock (write) the links.  Order: tasklist_lock -> pidmap_lock.
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
#include <weft/syscalls.h>
#include <weft/tty.h>
#include "internal.h"

int pid_max = PID_MAX_DEFAULT;

static DEFINE_SPINLOCK(pidmap_lock);		/* class: pidmap */
static DEFINE_IDR(pid_idr);			/* [r:pidmap_lock] number -> struct pid */
static struct kmem_cache *pid_cachep;
static bool pid_allocation_closed;		/* [pidmap_lock] init has died */

/* Pid 0: the idle tasks.  Never in the idr. */
struct pid init_struct_pid = {
	.count		= REFCOUNT_INIT(1),
	.lock		= __SPIN_LOCK_UNLOCKED(init_struct_pid.lock),
	.wait_pidfd	= __WAIT_QUEUE_HEAD_INITIALIZER(init_struct_pid.wait_pidfd),
};

void __init pid_idr_init(void)
{
	/* About 1024 numbers a CPU, so that they are not reused too soon. */
	pid_max = min(PID_MAX_LIMIT, max(pid_max, (int)num_possible_cpus() * 1024));
	pid_cachep = kmem_cache_create("pid", sizeof(struct pid), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
}

static void init_pid(struct pid *pid)
{
	refcount_set(&pid->count, 1);
	pid->level = 0;
	spin_lock_init(&pid->lock);
	for (int type = 0; type < PIDTYPE_MAX; type++)
		INIT_HLIST_HEAD(&pid->tasks[type]);
	init_waitqueue_head(&pid->wait_pidfd);
	pid->numbers[0] = (struct upid){ 0 };
}

int last_pid(void)
{
	return idr_get_cursor(&pid_idr) - 1;
}

/* The first number >= 1 that is free after the last one given; after a wrap not below RESERVED_PIDS. */
static int next_number(struct pid *pid)
{
	int min = idr_get_cursor(&pid_idr) > RESERVED_PIDS ? RESERVED_PIDS : 1;

	return idr_alloc_cyclic(&pid_idr, pid, min, pid_max, GFP_ATOMIC);
}

/*
 * The pid is visible to look-ups at once, but no task is attached yet, so they find nobody.  set_tid: the number that
 * clone3 asked for.  Returns ERR_PTR: -EAGAIN all numbers used, -EEXIST the asked one is, -EINVAL, -ENOMEM.
 */
struct pid *alloc_pid(pid_t *set_tid, size_t set_tid_size)
{
	struct pid *pid;
	int nr, want = set_tid_size ? set_tid[0] : 0;

	if (set_tid_size > 1 || (set_tid_size && (want < 1 || want >= pid_max)))
		return ERR_PTR(-EINVAL);
	pid = kmem_cache_alloc(pid_cachep, GFP_KERNEL);
	if (!pid)
		return ERR_PTR(-ENOMEM);
	init_pid(pid);

	idr_preload(GFP_KERNEL);
	spin_lock_irq(&pidmap_lock);
	if (pid_allocation_closed)
		nr = -ENOMEM;
	else if (want)
		nr = idr_alloc(&pid_idr, pid, want, want + 1, GFP_ATOMIC);
	else
		nr = next_number(pid);
	if (nr >= 0)
		pid->numbers[0].nr = nr;
	spin_unlock_irq(&pidmap_lock);
	idr_preload_end();

	if (nr < 0) {
		kmem_cache_free(pid_cachep, pid);
		if (nr == -ENOSPC)
			nr = want ? -EEXIST : -EAGAIN;
		return ERR_PTR(nr);
	}
	return pid;
}

void put_pid(struct pid *pid)
{
	if (pid && refcount_dec_and_test(&pid->count))
		kmem_cache_free(pid_cachep, pid);
}

static void delayed_put_pid(struct rcu_head *head)
{
	put_pid(container_of(head, struct pid, rcu));
}

void free_pid(struct pid *pid)
{
	unsigned long flags;

	spin_lock_irqsave(&pidmap_lock, flags);
	idr_remove(&pid_idr, pid->numbers[0].nr);
	spin_unlock_irqrestore(&pidmap_lock, flags);
	call_rcu(&pid->rcu, delayed_put_pid);
}

/* ---- look-up ---- */

struct pid *find_pid(int nr)
{
	struct pid *pid = idr_find(&pid_idr, nr);

	/* Between idr_alloc and the store of the number, and for readers of a reused structure. */
	return pid && pid->numbers[0].nr == nr ? pid : NULL;
}

struct pid *find_ge_pid(int nr)
{
	return idr_get_next(&pid_idr, &nr);
}

struct task_struct *pid_task(struct pid *pid, enum pid_type type)
{
	struct hlist_node *first;

	if (!pid)
		return NULL;
	first = rcu_dereference(pid->tasks[type].first);
	return first ? container_of(first, struct task_struct, pid_links[type]) : NULL;
}

struct task_struct *find_task_by_pid(pid_t nr)
{
	return pid_task(find_pid(nr), PIDTYPE_PID);
}

struct pid *find_get_pid(int nr)
{
	struct pid *pid;

	rcu_read_lock();
	pid = find_pid(nr);
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
	task = find_task_by_pid(nr);
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

static pid_t task_nr(struct task_struct *task, enum pid_type type)
{
	pid_t nr = 0;

	rcu_read_lock();
	if (pid_alive(task))
		nr = pid_nr(rcu_dereference(*task_pid_ptr(task, type)));
	rcu_read_unlock();
	return nr;
}

pid_t task_pgrp_nr(struct task_struct *task) { return task_nr(task, PIDTYPE_PGID); }
pid_t task_session_nr(struct task_struct *task) { return task_nr(task, PIDTYPE_SID); }

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
}

/* `to` takes the place of `from` in a list (TGID, PGID, SID of the group, which sit at the leader). */
void transfer_pid(struct task_struct *from, struct task_struct *to, enum pid_type type)
{
	lockdep_assert_held(&tasklist_lock);
	hlist_replace_rcu(&from->pid_links[type], &to->pid_links[type]);
}

/* ---- system calls ---- */

long sys_getpid(void) { return current->tgid; }
long sys_gettid(void) { return current->pid; }

long sys_getppid(void)
{
	pid_t pid;

	rcu_read_lock();
	pid = rcu_dereference(current->real_parent)->tgid;
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

	p = find_task_by_pid(nr);
	if (!p)
		return -ESRCH;
	err = may_setpgid(p, leader);
	if (err)
		return err;
	pgrp = task_pid(p);
	if (pgid != nr) {
		pgrp = find_pid(pgid);
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
		pid = current->tgid;
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
		p = find_task_by_pid(nr);
	if (p && pid_alive(p))
		ret = pid_nr(rcu_dereference(*task_pid_ptr(p, type)));
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
	err = pid_nr(sid);
out:
	write_unlock_irq(&tasklist_lock);
	if (err > 0)
		proc_clear_tty(leader);
	return err;
}

long sys_setsid(void) { return ksys_setsid(); }
