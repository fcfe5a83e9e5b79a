/*
 * nsproxy.c: which namespaces a task is in: fork, unshare, setns.
 *
 * What:    a task's nsproxy is shared, copied with some namespaces new, exchanged and dropped here; what a new namespace
 *          of a kind is, that kind's file knows (utsname.c, kernel/fs/mnt_namespace.c).
 * Locking: task_lock() over the exchange, so that /proc sees one or the other.
 * See:     namespaces(7); <weft/nsproxy.h>; kernel/fs/nsfs.c
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs_struct.h>
#include <weft/idr.h>
#include <weft/nsproxy.h>
#include <weft/pid.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/utsname.h>

#define FIRST_INUM	0xf0000002U	/* the first namespaces have the numbers below and around it */

static DEFINE_IDA(inum_ida);

struct nsproxy init_nsproxy = {
	.count	= REFCOUNT_INIT(1),
	.uts	= &init_uts_ns,
	.mnt	= &init_mnt_ns,
};

int ns_init(struct ns_common *ns, const struct ns_type *type)
{
	int id = ida_alloc_min(&inum_ida, 0, GFP_KERNEL);

	if (id < 0)
		return id;
	refcount_set(&ns->count, 1);
	ns->inum = FIRST_INUM + (unsigned int)id;
	ns->type = type;
	return 0;
}

void ns_free_inum(struct ns_common *ns)
{
	ida_free(&inum_ida, ns->inum - FIRST_INUM);
}

/* ---- nsproxy ---- */

void put_nsproxy(struct nsproxy *ns)
{
	if (!ns || !refcount_dec_and_test(&ns->count))
		return;
	put_mnt_ns(ns->mnt);
	put_uts_ns(ns->uts);
	kfree(ns);
}

struct nsproxy *get_task_nsproxy(struct task_struct *p)
{
	struct nsproxy *ns;

	task_lock(p);
	ns = p->nsproxy;
	if (ns)
		refcount_inc(&ns->count);
	task_unlock(p);
	return ns;
}

/* A nsproxy of our own, with new namespaces of the kinds in flags.  flags 0: only a copy. */
static struct nsproxy *new_nsproxy(u64 flags, struct fs_struct *fs)
{
	const struct nsproxy *old = current->nsproxy;
	struct nsproxy *new = kzalloc(sizeof(*new), GFP_KERNEL);
	void *err;

	if (!new)
		return ERR_PTR(-ENOMEM);
	refcount_set(&new->count, 1);
	new->uts = err = copy_uts_ns(flags, old->uts);
	if (IS_ERR(err))
		goto free;
	new->mnt = err = copy_mnt_ns(flags, old->mnt, fs);
	if (IS_ERR(err))
		goto put_uts;
	return new;

put_uts:
	put_uts_ns(new->uts);
free:
	kfree(new);
	return err;
}

int copy_namespaces(u64 flags, struct task_struct *p)
{
	struct nsproxy *ns = current->nsproxy;

	if (likely(!(flags & NS_KINDS))) {
		refcount_inc(&ns->count);
		p->nsproxy = ns;
		return 0;
	}
	p->nsproxy = NULL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ns = new_nsproxy(flags, p->fs);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	p->nsproxy = ns;
	return 0;
}

int unshare_namespaces(u64 flags, struct fs_struct *fs, struct nsproxy **new)
{
	struct nsproxy *ns;

	*new = NULL;
	if (!(flags & NS_KINDS))
		return 0;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ns = new_nsproxy(flags, fs ? fs : current->fs);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	*new = ns;
	return 0;
}

static void exchange(struct task_struct *p, struct nsproxy *new)
{
	struct nsproxy *old;

	task_lock(p);
	old = p->nsproxy;
	p->nsproxy = new;
	task_unlock(p);
	put_nsproxy(old);
}

void switch_namespaces(struct nsproxy *new)
{
	exchange(current, new);
}

void exit_namespaces(struct task_struct *p)
{
	exchange(p, NULL);
}

/* ---- setns(2) ---- */

/* The namespaces of *from of the kinds in flags. */
static int install_kinds(struct nsproxy *new, struct nsproxy *from, unsigned long flags)
{
	static const struct ns_type *const types[] = { &uts_ns_type, &mnt_ns_type };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int err = flags & (unsigned long)types[i]->clone_flag ? types[i]->install(new, types[i]->of(from)) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* flags: several kinds at once, those that the process is in. */
static int install_from_process(struct nsproxy *new, const struct pid *pid, unsigned long flags)
{
	struct task_struct *task = get_pid_task((struct pid *)pid, PIDTYPE_PID);
	struct nsproxy *from;
	int err = -ESRCH;

	if (!task)
		return err;
	from = get_task_nsproxy(task);
	if (from) {
		err = ptrace_may_access(task, PTRACE_MODE_READ_REALCREDS) ? install_kinds(new, from, flags) : -EPERM;
		put_nsproxy(from);
	}
	put_task_struct(task);
	return err;
}

static int install_from_file(struct nsproxy *new, struct file *file, int flags, unsigned long *kinds)
{
	struct pid *pid = pidfd_pid(file);
	struct ns_common *ns;

	if (!IS_ERR(pid)) {
		if (!flags || flags & ~NS_KINDS)
			return -EINVAL;
		*kinds = (unsigned long)flags;
		return install_from_process(new, pid, *kinds);
	}
	ns = ns_of_file(file);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	if (flags && flags != ns->type->clone_flag)
		return -EINVAL;
	*kinds = (unsigned long)ns->type->clone_flag;
	return ns->type->install(new, ns);
}

long sys_setns(int fd, int flags)
{
	struct file *file = fget((unsigned int)fd);
	struct nsproxy *new;
	unsigned long kinds = 0;
	long err;

	if (!file)
		return -EBADF;
	new = new_nsproxy(0, NULL);
	err = PTR_ERR(new);
	if (IS_ERR(new))
		goto put;
	err = install_from_file(new, file, flags, &kinds);
	if (err) {
		put_nsproxy(new);
		goto put;
	}
	switch_namespaces(new);
	if (kinds & CLONE_NEWNS)
		mnt_ns_enter(new->mnt);
put:
	fput(file);
	return err;
}
