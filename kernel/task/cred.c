/*
 * cred.c: the life of struct cred, and who may look into whom.
 *
 * Idea:    copy, edit, commit: a cred that a task points to never changes, so readers need no lock and fork only counts.
 *          The old one is freed a grace period after its last reference, for those who read it under RCU.
 * Counts:  a task holds two references, real_cred and cred, nearly always to the same object.
 * Locking: only the task itself changes its pointers; others read them under RCU.  commit_creds() runs without locks;
 *          execve serialises it against ptrace by signal->cred_guard_mutex.
 * See:     cred.h; credentials(7); uid.c has the system calls, capability.c the capabilities
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/init.h>
#include <weft/cred.h>
#include <weft/landlock.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include "internal.h"

static struct kmem_cache *cred_jar;
int suid_dumpable;

static struct group_info init_groups = { .usage = REFCOUNT_INIT(2) };

/* Of init_task and all kernel threads: root with every capability.  The count never reaches 0. */
struct cred init_cred = {
	.usage			= REFCOUNT_INIT(4),
	.cap_permitted		= { CAP_VALID_MASK },
	.cap_effective		= { CAP_VALID_MASK },
	.cap_bset		= { CAP_VALID_MASK },
	.user_ns		= &init_user_ns,
	.user			= &root_user,
	.group_info		= &init_groups,
};

void __init cred_init(void)
{
	cred_jar = kmem_cache_create("cred", sizeof(struct cred), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
}

static void put_cred_rcu(struct rcu_head *rcu)
{
	struct cred *cred = container_of(rcu, struct cred, rcu);

	put_cred_keys(&cred->keys);
	if (cred->landlock)
		put_landlock(cred->landlock);
	put_group_info(cred->group_info);
	free_uid(cred->user);
	put_user_ns(cred->user_ns);
	kmem_cache_free(cred_jar, cred);
}

void __put_cred(struct cred *cred)
{
	call_rcu(&cred->rcu, put_cred_rcu);
}

static struct cred *copy_cred(const struct cred *old)
{
	struct cred *new = kmem_cache_alloc(cred_jar, GFP_KERNEL);

	if (!new)
		return NULL;
	*new = *old;
	refcount_set(&new->usage, 1);
	get_group_info(new->group_info);
	get_uid(new->user);
	get_user_ns(new->user_ns);
	get_cred_keys(&new->keys);
	if (new->landlock)
		get_landlock(new->landlock);
	return new;
}

struct cred *prepare_creds(void)
{
	return copy_cred(current->cred);
}

/* execve starts from the subjective credentials; what it makes of them is capability.c's. */
struct cred *prepare_exec_creds(void)
{
	struct cred *new = prepare_creds();

	if (new) {
		new->suid = new->fsuid = new->euid;
		new->sgid = new->fsgid = new->egid;
		exec_keys(new);
	}
	return new;
}

/* A kernel service's credentials: those of daemon, or all of root's. */
struct cred *prepare_kernel_cred(struct task_struct *daemon)
{
	const struct cred *old = daemon ? get_task_cred(daemon) : get_cred(&init_cred);
	struct cred *new = copy_cred(old);

	put_cred(old);
	return new;
}

const struct cred *get_task_cred(struct task_struct *task)
{
	const struct cred *cred;

	rcu_read_lock();
	do {
		cred = __task_cred(task);
	} while (!refcount_inc_not_zero(&((struct cred *)cred)->usage));
	rcu_read_unlock();
	return cred;
}

/* *new: the child's own, or NULL when it shares its parent's. */
static int creds_for_child(u64 clone_flags, struct cred **new)
{
	int err = unshare_userns(clone_flags, new);

	if (err || likely(fork_shares_keys(&current->cred->keys, clone_flags)))
		return err;
	if (!*new)
		*new = prepare_creds();
	if (!*new)
		return -ENOMEM;
	err = fork_keys(*new, clone_flags);
	if (err)
		put_cred(*new);
	return err;
}

/* fork: the child shares, since nobody changes a cred in place; but in a new user namespace it has all capabilities. */
int copy_creds(struct task_struct *p, u64 clone_flags)
{
	struct cred *new;
	int err;

	err = creds_for_child(clone_flags, &new);
	if (err)
		return err;
	p->real_cred = new ? new : get_cred(current->cred);
	p->cred = get_cred(p->real_cred);
	atomic_long_inc(&p->real_cred->user->processes);
	return 0;
}

void exit_creds(struct task_struct *tsk)
{
	const struct cred *real = tsk->real_cred, *cred = tsk->cred;

	tsk->real_cred = NULL;
	tsk->cred = NULL;
	put_cred(cred);
	put_cred(real);
}

/* Is what new may do a part of what old may?  Who made a namespace above new's has all capabilities there. */
static bool cred_cap_issubset(const struct cred *old, const struct cred *new)
{
	const struct user_namespace *ns;

	if (old->user_ns == new->user_ns)
		return cap_issubset(new->cap_permitted, old->cap_permitted);
	for (ns = new->user_ns; ns != &init_user_ns; ns = ns->parent) {
		if (ns->parent == old->user_ns && uid_eq(ns->owner, old->euid))
			return true;
	}
	return false;
}

bool cred_gains_rights(const struct cred *old, const struct cred *new)
{
	return old->euid != new->euid || old->egid != new->egid || old->fsuid != new->fsuid || old->fsgid != new->fsgid ||
	       !cred_cap_issubset(old, new);
}

int commit_creds(struct cred *new)
{
	struct task_struct *task = current;
	const struct cred *old = task->real_cred;

	BUG_ON(task->cred != old);
	if (cred_gains_rights(old, new)) {
		/* What was made with other rights must not be read by those who may read us now. */
		if (task->mm)
			set_dumpable(task->mm, suid_dumpable);
		task->pdeath_signal = 0;
		/* The change of dumpability must be seen before the new ids: ptrace_may_access() reads in reverse. */
		smp_wmb();
	}
	if (new->user != old->user) {
		atomic_long_inc(&new->user->processes);
		atomic_long_dec(&old->user->processes);
	}
	if (unlikely(new->keys.thread) && (new->fsuid != old->fsuid || new->fsgid != old->fsgid))
		keys_fsid_changed(new);
	get_new_cred(new);		/* it came with one reference: two are needed */
	rcu_assign_pointer(task->real_cred, new);
	rcu_assign_pointer(task->cred, new);
	put_cred(old);
	put_cred(old);
	return 0;
}

void abort_creds(struct cred *new)
{
	put_cred(new);
}

const struct cred *override_creds(const struct cred *new)
{
	const struct cred *old = current->cred;

	rcu_assign_pointer(current->cred, get_cred(new));
	return old;
}

void revert_creds(const struct cred *old)
{
	const struct cred *override = current->cred;

	rcu_assign_pointer(current->cred, old);
	put_cred(override);
}

/* ---- may we look into it? ---- */

void set_dumpable(struct mm_struct *mm, int value)
{
	unsigned long old = READ_ONCE(mm->flags), new;

	do {
		new = (old & ~MMF_DUMPABLE_MASK) | (unsigned long)value;
	} while (!try_cmpxchg(&mm->flags, &old, new));
}

int get_dumpable(struct mm_struct *mm)
{
	return (int)(READ_ONCE(mm->flags) & MMF_DUMPABLE_MASK);
}

static bool same_owner(const struct cred *caller, const struct cred *target, unsigned int mode)
{
	kuid_t uid = mode & PTRACE_MODE_FSCREDS ? caller->fsuid : caller->uid;
	kgid_t gid = mode & PTRACE_MODE_FSCREDS ? caller->fsgid : caller->gid;

	return uid == target->euid && uid == target->suid && uid == target->uid &&
	       gid == target->egid && gid == target->sgid && gid == target->gid;
}

/* An address space that is not for its owner's eyes: is it for the caller's? */
static bool may_see_mm(struct task_struct *task)
{
	struct mm_struct *mm;
	bool may;

	task_lock(task);
	mm = task->mm;
	may = !mm || get_dumpable(mm) == SUID_DUMP_USER || ns_capable(mm->user_ns, CAP_SYS_PTRACE);
	task_unlock(task);
	return may;
}

bool ptrace_may_access(struct task_struct *task, unsigned int mode)
{
	const struct cred *tcred;
	bool allowed;

	if (same_thread_group(task, current))
		return true;
	rcu_read_lock();
	tcred = __task_cred(task);
	allowed = ns_capable(tcred->user_ns, CAP_SYS_PTRACE) ||
		  (same_owner(current_cred(), tcred, mode) && tcred->user_ns == current_user_ns() &&
		   cap_issubset(tcred->cap_permitted, current_cred()->cap_permitted));
	allowed = allowed && landlock_may_ptrace(current_cred(), tcred);
	rcu_read_unlock();
	if (!allowed)
		return false;
	smp_rmb();	/* pairs with commit_creds() */
	return may_see_mm(task);
}
