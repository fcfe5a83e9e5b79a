/*
 * rlimit.c: how much a process may use, and how much it has used.
 *
 * Idea:    limits belong to the thread group: signal->rlim.  Readers look at one word without a lock; a change of the
 *          pair is made under task_lock(group_leader).  The sums of use: threads that have gone are in signal_struct,
 *          living ones are added when somebody asks.
 * See:     getrlimit(2), prlimit(2), getrusage(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/fdtable.h>
#include <weft/mm.h>
#include <weft/posix-timers.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/uaccess.h>
#include "internal.h"

/* ---- limits ---- */

/*
 * Sets and gets; each may be NULL.  tsk must not go away, nor its leader change (it is of our group, or tasklist_lock is
 * held); rights have been checked but for raising.
 */
int do_prlimit(struct task_struct *tsk, unsigned int resource, const struct rlimit64 *new, struct rlimit64 *old)
{
	struct rlimit64 *rlim;
	int err = 0;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (new && new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (new && resource == RLIMIT_NOFILE && new->rlim_max > sysctl_nr_open)
		return -EPERM;
	rlim = &tsk->signal->rlim[resource];
	task_lock(tsk->group_leader);
	if (new && new->rlim_max > rlim->rlim_max && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (!err && old)
		*old = *rlim;
	if (!err && new)
		*rlim = *new;
	task_unlock(tsk->group_leader);
	if (!err && new && resource == RLIMIT_CPU && new->rlim_cur != RLIM_INFINITY)
		update_rlimit_cpu(tsk, new->rlim_cur);
	return err;
}

long sys_getrlimit(unsigned int resource, struct rlimit __user *rlim)
{
	struct compat_rlimit r32;
	struct rlimit64 value;
	struct rlimit r;
	int err = do_prlimit(current, resource, NULL, &value);

	if (err)
		return err;
	if (in_compat_syscall()) {
		r32 = (struct compat_rlimit){ compat_clamp(value.rlim_cur), compat_clamp(value.rlim_max) };
		return copy_to_user(rlim, &r32, sizeof(r32)) ? -EFAULT : 0;
	}
	r = (struct rlimit){ value.rlim_cur, value.rlim_max };
	return copy_to_user(rlim, &r, sizeof(r)) ? -EFAULT : 0;
}

long sys_setrlimit(unsigned int resource, struct rlimit __user *rlim)
{
	struct compat_rlimit r32;
	struct rlimit64 new;
	struct rlimit r;

	if (in_compat_syscall()) {
		if (copy_from_user(&r32, rlim, sizeof(r32)))
			return -EFAULT;
		r.rlim_cur = r32.rlim_cur == U32_MAX ? RLIM_INFINITY : r32.rlim_cur;
		r.rlim_max = r32.rlim_max == U32_MAX ? RLIM_INFINITY : r32.rlim_max;
	} else if (copy_from_user(&r, rlim, sizeof(r))) {
		return -EFAULT;
	}
	new = (struct rlimit64){ r.rlim_cur, r.rlim_max };
	return do_prlimit(current, resource, &new, NULL);
}

/* Another process's limits: for the same user in every respect, or CAP_SYS_RESOURCE.  RCU held. */
static bool may_prlimit(struct task_struct *task)
{
	const struct cred *cred = current_cred(), *t;

	if (same_thread_group(current, task))
		return true;
	t = __task_cred(task);
	if (cred->uid == t->euid && cred->uid == t->suid && cred->uid == t->uid && cred->gid == t->egid &&
	    cred->gid == t->sgid && cred->gid == t->gid)
		return true;
	return ns_capable(t->user_ns, CAP_SYS_RESOURCE);
}

long sys_prlimit64(pid_t pid, unsigned int resource, const struct rlimit64 __user *new_rlim,
		   struct rlimit64 __user *old_rlim)
{
	struct rlimit64 new, old;
	struct task_struct *tsk;
	int err = -ESRCH;

	if (new_rlim && copy_from_user(&new, new_rlim, sizeof(new)))
		return -EFAULT;
	rcu_read_lock();
	tsk = pid ? find_task_by_vpid(pid) : current;
	if (tsk) {
		err = may_prlimit(tsk) ? 0 : -EPERM;
		get_task_struct(tsk);
	}
	rcu_read_unlock();
	if (!tsk)
		return err;
	/*
	 *      we, for another process                         a thread of it in execve
	 *      task_lock(its leader)
	 *                                                      become_leader(): tsk->group_leader = itself
	 *      task_unlock(its leader): another one's lock
	 * Of our own group nobody can: execve would have to wait for our end.
	 */
	if (!err) {
		read_lock(&tasklist_lock);
		err = do_prlimit(tsk, resource, new_rlim ? &new : NULL, old_rlim ? &old : NULL);
		read_unlock(&tasklist_lock);
	}
	put_task_struct(tsk);
	if (!err && old_rlim && copy_to_user(old_rlim, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}

/* ---- use ---- */

static void add_thread(struct rusage *r, const struct task_struct *t)
{
	r->ru_nvcsw += (long)t->nvcsw;
	r->ru_nivcsw += (long)t->nivcsw;
	r->ru_minflt += (long)t->min_flt;
	r->ru_majflt += (long)t->maj_flt;
	r->ru_inblock += (long)t->inblock;
	r->ru_oublock += (long)t->oublock;
}

static void add_gone_threads(struct rusage *r, const struct signal_struct *sig)
{
	r->ru_nvcsw += (long)sig->nvcsw;
	r->ru_nivcsw += (long)sig->nivcsw;
	r->ru_minflt += (long)sig->min_flt;
	r->ru_majflt += (long)sig->maj_flt;
	r->ru_inblock += (long)sig->inblock;
	r->ru_oublock += (long)sig->oublock;
}

static void add_children(struct rusage *r, const struct signal_struct *sig, u64 *utime, u64 *stime)
{
	*utime += sig->cutime;
	*stime += sig->cstime;
	r->ru_nvcsw += (long)sig->cnvcsw;
	r->ru_nivcsw += (long)sig->cnivcsw;
	r->ru_minflt += (long)sig->cmin_flt;
	r->ru_majflt += (long)sig->cmaj_flt;
	r->ru_inblock += (long)sig->cinblock;
	r->ru_oublock += (long)sig->coublock;
}

/* All of the group, living and gone.  siglock held. */
static void add_group(struct rusage *r, struct task_struct *p, u64 *utime, u64 *stime)
{
	struct task_struct *t;
	u64 ut, st;

	thread_group_cputime_adjusted(p, &ut, &st);
	*utime += ut;
	*stime += st;
	add_gone_threads(r, p->signal);
	for_each_thread(p, t)
		add_thread(r, t);
}

/* Pages, the most at any time. */
static unsigned long max_rss(struct task_struct *p, int who)
{
	unsigned long pages = who == RUSAGE_CHILDREN ? 0 : p->signal->maxrss;
	struct mm_struct *mm;

	if (who == RUSAGE_CHILDREN || who == RUSAGE_BOTH)
		pages = max(pages, p->signal->cmaxrss);
	if (who == RUSAGE_CHILDREN)
		return pages;
	mm = get_task_mm(p);
	if (mm) {
		pages = max(pages, get_mm_hiwater_rss(mm));
		mmput(mm);
	}
	return pages;
}

static void put_time(struct rusage *r, u64 utime, u64 stime)
{
	r->ru_utime.tv_sec = (long)(utime / NSEC_PER_SEC);
	r->ru_utime.tv_usec = (long)(utime % NSEC_PER_SEC / NSEC_PER_USEC);
	r->ru_stime.tv_sec = (long)(stime / NSEC_PER_SEC);
	r->ru_stime.tv_usec = (long)(stime % NSEC_PER_SEC / NSEC_PER_USEC);
}

void getrusage(struct task_struct *p, int who, struct rusage *r)
{
	u64 utime = 0, stime = 0;
	unsigned long flags;

	memset(r, 0, sizeof(*r));
	if (who == RUSAGE_THREAD) {
		task_cputime_adjusted(current, &utime, &stime);
		add_thread(r, p);
	} else if (lock_task_sighand(p, &flags)) {
		if (who == RUSAGE_CHILDREN || who == RUSAGE_BOTH)
			add_children(r, p->signal, &utime, &stime);
		if (who == RUSAGE_SELF || who == RUSAGE_BOTH)
			add_group(r, p, &utime, &stime);
		unlock_task_sighand(p, &flags);
	}
	put_time(r, utime, stime);
	r->ru_maxrss = (long)(max_rss(p, who) * (PAGE_SIZE / 1024));
}

int put_rusage(const struct rusage *r, struct rusage __user *ru)
{
	struct compat_rusage c;

	if (!in_compat_syscall())
		return copy_to_user(ru, r, sizeof(*r)) ? -EFAULT : 0;
	c = (struct compat_rusage){
		.ru_utime = { (s32)r->ru_utime.tv_sec, (s32)r->ru_utime.tv_usec },
		.ru_stime = { (s32)r->ru_stime.tv_sec, (s32)r->ru_stime.tv_usec },
		.ru_maxrss = (s32)r->ru_maxrss, .ru_minflt = (s32)r->ru_minflt, .ru_majflt = (s32)r->ru_majflt,
		.ru_inblock = (s32)r->ru_inblock, .ru_oublock = (s32)r->ru_oublock,
		.ru_nvcsw = (s32)r->ru_nvcsw, .ru_nivcsw = (s32)r->ru_nivcsw,
	};
	return copy_to_user(ru, &c, sizeof(c)) ? -EFAULT : 0;
}

long sys_getrusage(int who, struct rusage __user *ru)
{
	struct rusage r;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	getrusage(current, who, &r);
	return put_rusage(&r, ru);
}
