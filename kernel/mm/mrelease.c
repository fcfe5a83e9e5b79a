/*
 * mrelease.c: the memory of a process that has been killed, freed by who killed it: process_mrelease(2).
 *
 * Idea:    a killed process may be asleep for long before it gets to its end.  Somebody else goes through its areas in its
 *          stead and gives back what nobody will look at again: anonymous pages and private copies.
 * Locking: mmap_lock of the other for reading, as MADV_DONTNEED has it.
 * See:     process_mrelease(2); oom_kill.c
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/mm.h>
#include <weft/oom.h>
#include <weft/pid.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>

static bool is_dying(const struct task_struct *p)
{
	return p->signal->flags & SIGNAL_GROUP_EXIT || (p->flags & PF_EXITING && thread_group_empty((struct task_struct *)p));
}

/* Does every process that uses mm go? */
static bool all_users_die(const struct mm_struct *mm)
{
	struct task_struct *p, *t;
	bool all = true;

	rcu_read_lock();
	for_each_process(p) {
		if (is_dying(p))
			continue;
		for_each_thread(p, t)
			all &= READ_ONCE(t->mm) != mm || t->flags & PF_KTHREAD;
	}
	rcu_read_unlock();
	return all;
}

static int release_pages(struct mm_struct *mm)
{
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma_of(mm, vma) {
		if (vma->vm_flags & (VM_PFNMAP | VM_SHARED))
			continue;
		zap_page_range(vma, vma->vm_start, vma->vm_end - vma->vm_start);
	}
	mmap_read_unlock(mm);
	return 0;
}

/* The address space of the process, + reference; NULL: it has let go of it already; ERR_PTR. */
static struct mm_struct *dying_mm(struct task_struct *task)
{
	struct task_struct *t = find_lock_task_mm(task);
	struct mm_struct *mm;

	if (!t)
		return ERR_PTR(-ESRCH);
	lockdep_assert_held(&t->alloc_lock);
	mm = t->mm;
	if (!mmget_not_zero(mm))
		mm = NULL;
	task_unlock(t);
	if (mm && !all_users_die(mm)) {
		mmput(mm);
		return ERR_PTR(-EINVAL);
	}
	return mm;
}

long sys_process_mrelease(int pidfd, unsigned int flags)
{
	unsigned int f_flags;
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;
	int err = 0;

	if (flags)
		return -EINVAL;
	pid = pidfd_get_pid((unsigned int)pidfd, &f_flags);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	mm = dying_mm(task);
	put_task_struct(task);
	if (IS_ERR_OR_NULL(mm))
		return PTR_ERR(mm);
	err = release_pages(mm);
	mmput(mm);
	return err;
}
