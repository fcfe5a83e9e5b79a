/*
 * filter.c: seccomp's filters: loading, the chain of each task, running them, one chain for all threads.
 *
 * Idea:    each call is shown to every filter of the chain and the strictest verdict holds, so that a program can only
 *          lose rights.  A filter is mostly a long search for the call's number, whose outcome is known beforehand: when
 *          it is loaded it runs once for each number, with the number and the architecture known and the rest not, to its
 *          answer or to the first look at something else.  It begins there (start[]) when a call comes.  A program that
 *          allows without such a look has given its answer for good: for calls that the whole chain allows by their
 *          number (allow) it is not run at all.
 * Locking: a task's chain changes under its siglock: by itself, or by a sibling's TSYNC.  It may run meanwhile: what TSYNC
 *          puts in place is longer than and contains the chain that was there, so the old filters stay alive.
 * See:     seccomp(2); spec.md §8; internal.h; bpf.c
 */
#include <weft/compat.h>
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include <weft/seccomp.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <asm/syscall.h>
#include <uapi/ptrace.h>
#include "internal.h"

#define MAX_PATH_INSNS	32768U		/* of a task's whole chain */
#define FILTER_COST	4U		/* what each filter counts besides its instructions */

/* ---- loading ---- */

/* Runs the program as far as each call's number leads it. */
static void specialise(struct seccomp_filter *f)
{
	for (int nr = 0; nr < NR_syscalls; nr++) {
		const struct seccomp_data data = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };
		const struct sock_filter *insn;

		f->start[nr] = bpf_prefix(f->insns, (const u32 *)&data, sizeof(data),
					  offsetof(struct seccomp_data, instruction_pointer));
		insn = &f->insns[f->start[nr]];
		if (insn->code == (BPF_RET | BPF_K) && insn->k == SECCOMP_RET_ALLOW)
			__set_bit(nr, f->allow);
	}
}

static int read_program(struct seccomp_filter *f, const struct sock_fprog *fprog)
{
	if (copy_from_user(f->insns, fprog->filter, f->len * sizeof(f->insns[0])))
		return -EFAULT;
	return bpf_check(f->insns, f->len, sizeof(struct seccomp_data));
}

/* The program's length and place.  A 32-bit program's structure has a pointer of 32 bits. */
static int fprog_from_user(struct sock_fprog *fprog, const void __user *uargs)
{
	struct { u16 len; compat_uptr_t filter; } c;

	if (!in_compat_syscall())
		return copy_from_user(fprog, uargs, sizeof(*fprog)) ? -EFAULT : 0;
	if (copy_from_user(&c, uargs, sizeof(c)))
		return -EFAULT;
	*fprog = (struct sock_fprog){ .len = c.len, .filter = compat_ptr(c.filter) };
	return 0;
}

struct seccomp_filter *seccomp_load(const void __user *uargs)
{
	struct seccomp_filter *f;
	struct sock_fprog fprog;
	int err;

	if (fprog_from_user(&fprog, uargs))
		return ERR_PTR(-EFAULT);
	if (!fprog.filter || !fprog.len || fprog.len > BPF_MAXINSNS)
		return ERR_PTR(-EINVAL);
	/* A set-id program that is started under a filter must not be deceived by it. */
	if (!current->no_new_privs && !capable(CAP_SYS_ADMIN))
		return ERR_PTR(-EACCES);
	f = kzalloc(sizeof(*f) + fprog.len * sizeof(f->insns[0]), GFP_KERNEL);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->len = fprog.len;
	err = read_program(f, &fprog);
	if (err) {
		kfree(f);
		return ERR_PTR(err);
	}
	refcount_set(&f->refs, 1);
	refcount_set(&f->users, 1);
	mutex_init(&f->notify_lock);
	init_waitqueue_head(&f->wqh);
	specialise(f);
	return f;
}

/* ---- life ---- */

void seccomp_put(struct seccomp_filter *f)
{
	while (f && refcount_dec_and_test(&f->refs)) {
		struct seccomp_filter *prev = f->prev;

		kfree(f);
		f = prev;
	}
}

/* A task goes: the filters that nobody can run any more tell their listeners. */
static void drop_user(struct seccomp_filter *f)
{
	while (f && refcount_dec_and_test(&f->users)) {
		wake_up_poll(&f->wqh, EPOLLHUP);
		f = f->prev;
	}
}

static void get_for_task(struct seccomp_filter *f)
{
	refcount_inc(&f->refs);
	refcount_inc(&f->users);
}

void copy_seccomp(struct task_struct *p)
{
	lockdep_assert_held(&current->sighand->siglock);
	p->seccomp_mode = current->seccomp_mode;
	p->seccomp_filter = current->seccomp_filter;
	p->seccomp_count = current->seccomp_count;
	p->no_new_privs |= current->no_new_privs;
	if (p->seccomp_filter)
		get_for_task(p->seccomp_filter);
	/* A sibling's TSYNC may have come after the flags were copied. */
	if (p->seccomp_mode != SECCOMP_MODE_DISABLED)
		set_tsk_thread_flag(p, TIF_SECCOMP);
}

void exit_seccomp(struct task_struct *tsk)
{
	struct seccomp_filter *f;

	spin_lock_irq(&tsk->sighand->siglock);
	f = tsk->seccomp_filter;
	tsk->seccomp_filter = NULL;	/* PF_EXITING is set: no TSYNC gives it another */
	spin_unlock_irq(&tsk->sighand->siglock);
	drop_user(f);
	seccomp_put(f);
}

/* ---- running ---- */

bool seccomp_always_allows(int nr)
{
	const struct seccomp_filter *f = smp_load_acquire(&current->seccomp_filter);

	return f && (unsigned int)nr < NR_syscalls && test_bit(nr, f->allow);
}

u32 seccomp_run(const struct seccomp_data *data, struct seccomp_filter **match)
{
	const bool known = data->arch == AUDIT_ARCH_X86_64 && (unsigned int)data->nr < NR_syscalls;
	struct seccomp_filter *f = smp_load_acquire(&current->seccomp_filter);
	u32 verdict = SECCOMP_RET_ALLOW;

	if (WARN_ON(!f))
		return SECCOMP_RET_KILL_PROCESS;
	if (known && test_bit(data->nr, f->allow))
		return SECCOMP_RET_ALLOW;
	for (; f; f = f->prev) {
		u32 now = bpf_run(f->insns + (known ? f->start[data->nr] : 0), (const u32 *)data, sizeof(*data));

		if ((s32)seccomp_action(now) < (s32)seccomp_action(verdict)) {
			verdict = now;
			*match = f;
		}
	}
	return verdict;
}

/* ---- attaching ---- */

static bool has_listener(const struct seccomp_filter *f)
{
	for (; f; f = f->prev)
		if (READ_ONCE(f->listener))
			return true;
	return false;
}

static bool is_ancestor(const struct seccomp_filter *old, const struct seccomp_filter *f)
{
	for (; f; f = f->prev)
		if (f == old)
			return true;
	return !old;
}

/* 0, or the number of a thread that went a way of its own and cannot be given our chain. */
static int thread_in_the_way(void)
{
	struct task_struct *t;

	for_each_thread(current, t) {
		if (t == current || (t->flags & PF_EXITING))
			continue;
		if (t->seccomp_mode == SECCOMP_MODE_DISABLED ||
		    (t->seccomp_mode == SECCOMP_MODE_FILTER && is_ancestor(t->seccomp_filter, current->seccomp_filter)))
			continue;
		return task_pid_vnr(t);
	}
	return 0;
}

static void enter_filter_mode(struct task_struct *t)
{
	t->seccomp_mode = SECCOMP_MODE_FILTER;
	set_tsk_thread_flag(t, TIF_SECCOMP);	/* behind the filter: see seccomp_run() */
}

/* Gives all threads our chain. */
static void sync_threads(void)
{
	struct task_struct *t;

	for_each_thread(current, t) {
		struct seccomp_filter *old = t->seccomp_filter;

		if (t == current || (t->flags & PF_EXITING))
			continue;
		get_for_task(current->seccomp_filter);
		smp_store_release(&t->seccomp_filter, current->seccomp_filter);
		t->seccomp_count = current->seccomp_count;
		/* An ancestor of ours: neither count can reach 0 here. */
		drop_user(old);
		seccomp_put(old);
		if (current->no_new_privs)
			t->no_new_privs = 1;
		enter_filter_mode(t);
	}
}

static void join_chain(struct seccomp_filter *f, struct seccomp_filter *prev)
{
	f->prev = prev;		/* takes over the task's references */
	f->path = f->len + FILTER_COST + (prev ? prev->path : 0);
	f->depth = 1 + (prev ? prev->depth : 0);
	if (prev)
		bitmap_and(f->allow, f->allow, prev->allow, NR_syscalls);
}

static int attach_locked(struct seccomp_filter *f, unsigned int flags)
{
	struct task_struct *me = current;
	struct seccomp_filter *prev = me->seccomp_filter;
	int tid;

	lockdep_assert_held(&me->sighand->siglock);
	if (me->seccomp_mode != SECCOMP_MODE_DISABLED && me->seccomp_mode != SECCOMP_MODE_FILTER)
		return -EINVAL;
	if (f->listener && has_listener(prev))
		return -EBUSY;
	if (prev && prev->path + f->len + FILTER_COST > MAX_PATH_INSNS)
		return -ENOMEM;
	if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
		tid = thread_in_the_way();
		if (tid)
			return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : tid;
	}
	f->log = flags & SECCOMP_FILTER_FLAG_LOG;
	f->wait_killable = flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	join_chain(f, prev);
	smp_store_release(&me->seccomp_filter, f);
	me->seccomp_count = f->depth;
	enter_filter_mode(me);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		sync_threads();
	return 0;
}

/* 0, -errno, or > 0: the thread that is in the way of TSYNC. */
int seccomp_attach(struct seccomp_filter *f, unsigned int flags)
	__no_context_analysis	/* a lock that is only sometimes taken */
{
	const bool sync = flags & SECCOMP_FILTER_FLAG_TSYNC;
	int ret;

	/* No thread may be in the middle of an execve that has looked at its rights already. */
	if (sync && mutex_lock_killable(&current->signal->cred_guard_mutex))
		return -EINTR;
	spin_lock_irq(&current->sighand->siglock);
	ret = attach_locked(f, flags);
	spin_unlock_irq(&current->sighand->siglock);
	if (sync)
		mutex_unlock(&current->signal->cred_guard_mutex);
	return ret;
}

/* ---- looking at them: checkpoint and restore ---- */

/* The filter with this number, 0 for the first that was attached, with a reference; or an error. */
static struct seccomp_filter *nth_filter(struct task_struct *task, u64 nr)
{
	struct seccomp_filter *f = ERR_PTR(-EINVAL);

	if (!capable(CAP_SYS_ADMIN) || current->seccomp_mode != SECCOMP_MODE_DISABLED)
		return ERR_PTR(-EACCES);
	spin_lock_irq(&task->sighand->siglock);
	if (task->seccomp_mode == SECCOMP_MODE_FILTER) {
		f = task->seccomp_filter;
		while (f && f->depth > nr + 1)
			f = f->prev;
		if (f && f->depth == nr + 1)
			refcount_inc(&f->refs);
		else
			f = ERR_PTR(-ENOENT);
	}
	spin_unlock_irq(&task->sighand->siglock);
	return f;
}

long seccomp_get_filter(struct task_struct *task, unsigned long nr, void __user *to)
{
	struct seccomp_filter *f = nth_filter(task, nr);
	long ret;

	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = f->len;
	if (to && copy_to_user(to, f->insns, f->len * sizeof(f->insns[0])))
		ret = -EFAULT;
	seccomp_put(f);
	return ret;
}

long seccomp_get_metadata(struct task_struct *task, unsigned long size, void __user *data)
{
	struct seccomp_metadata meta = { 0 };
	struct seccomp_filter *f;

	size = min(size, sizeof(meta));
	if (size < sizeof(meta.filter_off))
		return -EINVAL;
	if (copy_from_user(&meta.filter_off, data, sizeof(meta.filter_off)))
		return -EFAULT;
	f = nth_filter(task, meta.filter_off);
	if (IS_ERR(f))
		return PTR_ERR(f);
	meta.flags = f->log ? SECCOMP_FILTER_FLAG_LOG : 0;
	seccomp_put(f);
	return copy_to_user(data, &meta, size) ? -EFAULT : (long)size;
}
