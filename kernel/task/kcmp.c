/*
 * kcmp.c: kcmp(2): do two processes share a kernel object?
 *
 * Idea:    the answer also orders objects, so that a program can sort many; but it must not tell where they lie.  So what
 *          is compared is the address times a secret odd number, plus another: one to one, and different at each boot.
 * Locking: nothing is held while comparing: an object may be freed, and its place be used again, at once.  The caller has
 *          to stop the processes if it wants the answer to last.
 * See:     kcmp(2)
 */
#include <weft/err.h>
#include <weft/eventpoll.h>
#include <weft/file.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/pid.h>
#include <weft/ptrace.h>
#include <weft/random.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/kcmp.h>

static unsigned long cookies[KCMP_TYPES][2];	/* [I] */

/* 0: the same, 1: a comes first, 2: b does. */
static long compare(const void *a, const void *b, int type)
{
	unsigned long va = ((unsigned long)a + cookies[type][0]) * cookies[type][1];
	unsigned long vb = ((unsigned long)b + cookies[type][0]) * cookies[type][1];

	return va == vb ? 0 : va < vb ? 1 : 2;
}

static long compare_files(struct task_struct *a, unsigned long fd_a, struct task_struct *b, unsigned long fd_b)
{
	struct file *fa = fd_a <= UINT_MAX ? fget_task(a, (unsigned int)fd_a) : NULL;
	struct file *fb = fd_b <= UINT_MAX ? fget_task(b, (unsigned int)fd_b) : NULL;
	long ret = fa && fb ? compare(fa, fb, KCMP_FILE) : -EBADF;

	if (fa)
		fput(fa);
	if (fb)
		fput(fb);
	return ret;
}

static long compare_watched(struct task_struct *a, unsigned long fd_a, struct task_struct *b, const void __user *uslot)
{
	struct kcmp_epoll_slot slot;
	struct file *fa, *epoll, *watched;
	long ret = -EBADF;

	if (copy_from_user(&slot, uslot, sizeof(slot)))
		return -EFAULT;
	fa = fd_a <= UINT_MAX ? fget_task(a, (unsigned int)fd_a) : NULL;
	if (!fa)
		return -EBADF;
	epoll = fget_task(b, slot.efd);
	if (epoll) {
		watched = eventpoll_watched_file(epoll, (int)slot.tfd, slot.toff);
		ret = IS_ERR(watched) ? PTR_ERR(watched) : compare(fa, watched, KCMP_FILE);
		fput(epoll);
	}
	fput(fa);
	return ret;
}

static long compare_tasks(struct task_struct *a, struct task_struct *b, int type, unsigned long idx1, unsigned long idx2)
{
	switch (type) {
	case KCMP_FILE:
		return compare_files(a, idx1, b, idx2);
	case KCMP_VM:
		return compare(a->mm, b->mm, type);
	case KCMP_FILES:
		return compare(a->files, b->files, type);
	case KCMP_FS:
		return compare(a->fs, b->fs, type);
	case KCMP_SIGHAND:
		return compare(a->sighand, b->sighand, type);
	case KCMP_IO:
		return 0;			/* no task has an I/O context here: all share none */
	case KCMP_SYSVSEM:
		return compare(a->sysvsem_undo, b->sysvsem_undo, type);
	case KCMP_EPOLL_TFD:
		return compare_watched(a, idx1, b, (const void __user *)idx2);
	default:
		return -EINVAL;
	}
}

long sys_kcmp(pid_t pid1, pid_t pid2, int type, unsigned long idx1, unsigned long idx2)
{
	struct task_struct *a = find_get_task_by_vpid(pid1), *b = find_get_task_by_vpid(pid2);
	long ret = -ESRCH;

	if (!a || !b)
		goto out;
	ret = -EPERM;
	if (ptrace_may_access(a, PTRACE_MODE_READ_REALCREDS) && ptrace_may_access(b, PTRACE_MODE_READ_REALCREDS))
		ret = compare_tasks(a, b, type, idx1, idx2);
out:
	if (a)
		put_task_struct(a);
	if (b)
		put_task_struct(b);
	return ret;
}

static int __init kcmp_init(void)
{
	get_random_bytes(cookies, sizeof(cookies));
	for (int type = 0; type < KCMP_TYPES; type++)
		cookies[type][1] |= 1;		/* odd: no two addresses give one product */
	return 0;
}
late_initcall(kcmp_init);
