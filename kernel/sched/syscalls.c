/*
 * syscalls.c: the sched_* calls, getpriority and setpriority: reading what the user wants, finding the task.
 *
 * Locking: tasks are found under RCU and held by a reference while they are changed (policy.c takes the locks);
 *          setpriority for a group or a user walks under tasklist_lock.
 * See:     spec.md §7; sched(7), sched_setattr(2), setpriority(2)
 */
#include "sched.h"
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/pid.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>

/* With a reference; pid 0 is the caller.  NULL: there is none. */
static struct task_struct *find_sched_task(pid_t pid)
{
	struct task_struct *p;

	rcu_read_lock();
	p = pid ? find_task_by_vpid(pid) : current;
	if (p)
		get_task_struct(p);
	rcu_read_unlock();
	return p;
}

/* ---- policy and parameters ---- */

static long set_attr(pid_t pid, struct sched_attr *attr)
{
	struct task_struct *p = find_sched_task(pid);
	long err;

	if (!p)
		return -ESRCH;
	if (attr->sched_flags & SCHED_FLAG_KEEP_PARAMS) {
		attr->sched_priority = p->rt_priority;
		attr->sched_nice = task_nice(p);
		if (task_has_dl_policy(p))
			dl_get_params(p, attr);
	}
	err = __sched_setscheduler(p, attr, true);
	put_task_struct(p);
	return err;
}

/* The older calls: policy (with SCHED_RESET_ON_FORK in it) and a priority; the nice value stays. */
static long do_sched_setscheduler(pid_t pid, int policy, const struct sched_param __user *param)
{
	struct sched_attr attr = { .size = sizeof(attr) };
	struct sched_param sp;
	struct task_struct *p;
	long err;

	if (!param || pid < 0)
		return -EINVAL;
	if (copy_from_user(&sp, param, sizeof(sp)))
		return -EFAULT;
	if (sp.sched_priority < 0)
		return -EINVAL;
	p = find_sched_task(pid);
	if (!p)
		return -ESRCH;
	if (policy < 0) {			/* sched_setparam() */
		policy = (int)p->policy;
		if (p->sched_reset_on_fork)
			attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
	} else if (policy & SCHED_RESET_ON_FORK) {
		policy &= ~SCHED_RESET_ON_FORK;
		attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
	}
	attr.sched_policy = policy;
	attr.sched_priority = sp.sched_priority;
	attr.sched_nice = task_nice(p);
	err = __sched_setscheduler(p, &attr, true);
	put_task_struct(p);
	return err;
}

long sys_sched_setscheduler(pid_t pid, int policy, struct sched_param __user *param)
{
	if (policy < 0)
		return -EINVAL;
	return do_sched_setscheduler(pid, policy, param);
}

long sys_sched_setparam(pid_t pid, struct sched_param __user *param)
{
	return do_sched_setscheduler(pid, -1, param);
}

long sys_sched_getscheduler(pid_t pid)
{
	struct task_struct *p;
	long policy;

	if (pid < 0)
		return -EINVAL;
	p = find_sched_task(pid);
	if (!p)
		return -ESRCH;
	policy = p->policy | (p->sched_reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	put_task_struct(p);
	return policy;
}

long sys_sched_getparam(pid_t pid, struct sched_param __user *param)
{
	struct sched_param sp = { 0 };
	struct task_struct *p;

	if (!param || pid < 0)
		return -EINVAL;
	p = find_sched_task(pid);
	if (!p)
		return -ESRCH;
	if (task_has_rt_policy(p))
		sp.sched_priority = (int)p->rt_priority;
	put_task_struct(p);
	return copy_to_user(param, &sp, sizeof(sp)) ? -EFAULT : 0;
}

/* A structure that grows over time: its size comes first, and tells which version the program knows. */
static int copy_attr_from_user(struct sched_attr *attr, struct sched_attr __user *uattr)
{
	u32 size;
	int err;

	*attr = (struct sched_attr){ 0 };
	if (get_user(size, &uattr->size))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > 4096)
		goto wrong_size;
	err = copy_struct_from_user(attr, sizeof(*attr), uattr, size);
	if (err == -E2BIG)
		goto wrong_size;
	if (err)
		return err;
	attr->sched_nice = clamp(attr->sched_nice, MIN_NICE, MAX_NICE);
	return 0;
wrong_size:
	put_user((u32)sizeof(*attr), &uattr->size);
	return -E2BIG;
}

long sys_sched_setattr(pid_t pid, struct sched_attr __user *uattr, unsigned int flags)
{
	struct sched_attr attr;
	int err;

	if (!uattr || pid < 0 || flags)
		return -EINVAL;
	err = copy_attr_from_user(&attr, uattr);
	if (err)
		return err;
	if ((int)attr.sched_policy < 0)
		return -EINVAL;
	return set_attr(pid, &attr);
}

long sys_sched_getattr(pid_t pid, struct sched_attr __user *uattr, unsigned int usize, unsigned int flags)
{
	struct sched_attr attr = { 0 };
	struct task_struct *p;

	if (!uattr || pid < 0 || usize > 4096 || usize < SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	p = find_sched_task(pid);
	if (!p)
		return -ESRCH;
	attr.size = min_t(u32, usize, sizeof(attr));
	attr.sched_policy = p->policy;
	if (p->sched_reset_on_fork)
		attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
	if (task_has_dl_policy(p))
		dl_get_params(p, &attr);
	else if (task_has_rt_policy(p))
		attr.sched_priority = p->rt_priority;
	else
		attr.sched_nice = task_nice(p);
	attr.sched_util_max = 1024;
	put_task_struct(p);
	return copy_to_user(uattr, &attr, attr.size) ? -EFAULT : 0;
}

long sys_sched_get_priority_max(int policy)
{
	if (rt_policy(policy))
		return MAX_RT_PRIO - 1;
	return fair_policy(policy) || idle_policy(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
	if (rt_policy(policy))
		return 1;
	return fair_policy(policy) || idle_policy(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(pid_t pid, struct __kernel_timespec __user *interval)
{
	struct timespec64 ts;
	struct task_struct *p;
	struct rq_flags rf;
	struct rq *rq;

	if (pid < 0)
		return -EINVAL;
	p = find_sched_task(pid);
	if (!p)
		return -ESRCH;
	rq = task_rq_lock(p, &rf);
	ts = ns_to_timespec64(p->sched_class->get_rr_interval ? p->sched_class->get_rr_interval(rq, p) : 0);
	task_rq_unlock(rq, p, &rf);
	put_task_struct(p);
	return put_timespec64(&ts, interval);
}

long sys_sched_yield(void)
{
	do_sched_yield();
	return 0;
}

/* ---- nice ---- */

/* One task of a setpriority(): `err` is what the call will return so far, -ESRCH when nobody was found yet. */
static int set_one_prio(struct task_struct *p, int nice, int err)
{
	if (!check_same_owner(p) && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (nice < task_nice(p) && !can_nice(p, nice))
		return -EACCES;
	set_user_nice(p, nice);
	return err == -ESRCH ? 0 : err;
}

static int get_one_prio(struct task_struct *p, int unused, int best)
{
	return max(best, MAX_NICE - task_nice(p) + 1);	/* 40..1: a system call cannot return negative results */
}

static int for_user(uid_t who, prio_fn fn, int nice, int acc) __must_hold_shared(&tasklist_lock)
{
	struct task_struct *g, *p;
	kuid_t uid = who ? make_kuid(current_user_ns(), who) : current_uid();

	for_each_process_thread(g, p)
		if (uid_eq(task_uid(p), uid))
			acc = fn(p, nice, acc);
	return acc;
}

static int for_group(struct pid *pgrp, prio_fn fn, int nice, int acc) __must_hold_shared(&tasklist_lock)
{
	struct task_struct *leader, *p;

	do_each_pid_task(pgrp, PIDTYPE_PGID, leader) {
		for_each_thread(leader, p)
			acc = fn(p, nice, acc);
	} while_each_pid_task(pgrp, PIDTYPE_PGID, leader);
	return acc;
}

int sched_for_named(int which, int who, prio_fn fn, int nice, int acc)
{
	struct task_struct *p;

	rcu_read_lock();
	read_lock(&tasklist_lock);
	switch (which) {
	case PRIO_PROCESS:
		p = who ? find_task_by_vpid(who) : current;
		if (p)
			acc = fn(p, nice, acc);
		break;
	case PRIO_PGRP:
		acc = for_group(who ? find_vpid(who) : task_pgrp(current), fn, nice, acc);
		break;
	case PRIO_USER:
		acc = for_user((uid_t)who, fn, nice, acc);
		break;
	}
	read_unlock(&tasklist_lock);
	rcu_read_unlock();
	return acc;
}

long sys_setpriority(int which, int who, int niceval)
{
	if (which > PRIO_USER || which < PRIO_PROCESS)
		return -EINVAL;
	return sched_for_named(which, who, set_one_prio, clamp(niceval, MIN_NICE, MAX_NICE), -ESRCH);
}

long sys_getpriority(int which, int who)
{
	if (which > PRIO_USER || which < PRIO_PROCESS)
		return -EINVAL;
	return sched_for_named(which, who, get_one_prio, 0, -ESRCH);
}
