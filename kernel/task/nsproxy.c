/*
 * nsproxy.c: which namespaces a task is in: fork, unshare, setns.
 *
 * What:    a task's nsproxy is shared, copied with some namespaces new, exchanged and dropped here; what a new namespace
 *          of a kind is, that kind's file knows (utsname.c, kernel/fs/mnt_namespace.c).
 * Locking: task_lock() over the exchange, so that /proc sees one or the other.
 * See:     namespaces(7); <weft/nsproxy.h>; kernel/fs/nsfs.c
 */
#include <weft/time_namespace.h>
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs_struct.h>
#include <weft/idr.h>
#include <weft/ipc.h>
#include <weft/nsproxy.h>
#include <weft/pid.h>
#include <weft/pid_namespace.h>
#include <weft/user_namespace.h>
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
	.pid_ns_for_children = &init_pid_ns,
	.ipc	= &init_ipc_ns,
	.net	= &init_net,
	.cgroup	= &init_cgroup_ns,
	.time	= &init_time_ns,
	.time_for_children = &init_time_ns,
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
	put_time_ns(ns->time_for_children);
	put_time_ns(ns->time);
	put_cgroup_ns(ns->cgroup);
	put_net(ns->net);
	put_ipc_ns(ns->ipc);
	put_pid_ns(ns->pid_ns_for_children);
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

struct ns_common *ns_of_task(struct task_struct *task, const struct ns_type *type)
{
	struct ns_common *ns = NULL;
	struct nsproxy *proxy;

	if (type->get)
		return type->get(task);
	proxy = get_task_nsproxy(task);
	if (proxy) {
		ns = ns_get(type->of(proxy));
		put_nsproxy(proxy);
	}
	return ns;
}

/* A nsproxy of our own, with new namespaces of the kinds in flags, which belong to user_ns.  flags 0: only a copy. */
static struct nsproxy *new_nsproxy(u64 flags, struct user_namespace *user_ns, struct fs_struct *fs)
{
	const struct nsproxy *old = current->nsproxy;
	struct nsproxy *new = kzalloc(sizeof(*new), GFP_KERNEL);
	void *err;

	if (!new)
		return ERR_PTR(-ENOMEM);
	refcount_set(&new->count, 1);
	new->uts = err = copy_uts_ns(flags, user_ns, old->uts);
	if (IS_ERR(err))
		goto free;
	new->pid_ns_for_children = err = copy_pid_ns(flags, user_ns, old->pid_ns_for_children);
	if (IS_ERR(err))
		goto put_uts;
	new->ipc = err = copy_ipc_ns(flags, user_ns, old->ipc);
	if (IS_ERR(err))
		goto put_pid;
	new->net = err = copy_net_ns(flags, user_ns, old->net);
	if (IS_ERR(err))
		goto put_ipc;
	new->cgroup = err = copy_cgroup_ns(flags, user_ns, old->cgroup);
	if (IS_ERR(err))
		goto put_net;
	new->time_for_children = err = copy_time_ns(flags, user_ns, old->time_for_children);
	if (IS_ERR(err))
		goto put_cgroup;
	new->mnt = err = copy_mnt_ns(flags, user_ns, old->mnt, fs);	/* the last: it moves fs */
	if (IS_ERR(err))
		goto put_time;
	new->time = copy_time_ns(0, NULL, old->time);
	return new;

put_time:
	put_time_ns(new->time_for_children);
put_cgroup:
	put_cgroup_ns(new->cgroup);
put_net:
	put_net(new->net);
put_ipc:
	put_ipc_ns(new->ipc);
put_pid:
	put_pid_ns(new->pid_ns_for_children);
put_uts:
	put_uts_ns(new->uts);
free:
	kfree(new);
	return err;
}

int copy_namespaces(u64 flags, struct task_struct *p)
{
	struct nsproxy *ns = current->nsproxy;

	if (likely(!(flags & NS_KINDS) && ns->time == ns->time_for_children)) {
		refcount_inc(&ns->count);
		p->nsproxy = ns;
		return 0;
	}
	p->nsproxy = NULL;
	if ((flags & NS_KINDS) && !ns_capable(p->cred->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	/* What it undoes when it ends must be seen in the namespace where it did it. */
	if ((flags & CLONE_NEWIPC) && (flags & CLONE_SYSVSEM))
		return -EINVAL;
	ns = new_nsproxy(flags, p->cred->user_ns, p->fs);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	/* The memory shows the clocks of one time namespace: who shares it stays where it is until it executes. */
	if (ns->time != ns->time_for_children && !(flags & CLONE_VM))
		time_ns_enter(ns, p->mm);
	p->nsproxy = ns;
	return 0;
}

int unshare_namespaces(u64 flags, struct user_namespace *user_ns, struct fs_struct *fs, struct nsproxy **new)
{
	struct nsproxy *ns;

	*new = NULL;
	if (!(flags & NS_KINDS))
		return 0;
	if (!ns_capable(user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	ns = new_nsproxy(flags, user_ns, fs ? fs : current->fs);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	*new = ns;
	return 0;
}

int exec_namespaces(void)
{
	struct nsproxy *ns = current->nsproxy;

	if (likely(ns->time == ns->time_for_children))
		return 0;
	ns = new_nsproxy(0, NULL, NULL);
	if (IS_ERR(ns))
		return PTR_ERR(ns);
	time_ns_enter(ns, NULL);
	switch_namespaces(ns);
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

bool may_install(const struct nsset *set, const struct user_namespace *owner)
{
	return ns_capable(owner, CAP_SYS_ADMIN) && cap_over(set->cred, set->cred->user_ns, CAP_SYS_ADMIN);
}

/* The user namespace first: its capabilities decide about the rest. */
static const struct ns_type *const setns_types[] = {
	&userns_type, &uts_ns_type, &pidns_type, &ipc_ns_type, &net_ns_type, &cgroup_ns_type, &time_ns_type, &mnt_ns_type,
};

/* *set gets the task's namespaces of the kinds in flags.  0 or -errno. */
static int install_kinds(struct nsset *set, struct task_struct *task, unsigned long flags)
{
	struct ns_common *ns;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(setns_types) && !err; i++) {
		if (!(flags & (unsigned long)setns_types[i]->clone_flag))
			continue;
		ns = ns_of_task(task, setns_types[i]);
		if (!ns)
			return -ESRCH;
		err = setns_types[i]->install(set, ns);
		ns_put(ns);
	}
	return err;
}

/* flags: several kinds at once, those that the process is in. */
static int install_from_process(struct nsset *set, const struct pid *pid, unsigned long flags)
{
	struct task_struct *task = get_pid_task((struct pid *)pid, PIDTYPE_PID);
	int err = -EPERM;

	if (!task)
		return -ESRCH;
	if (ptrace_may_access(task, PTRACE_MODE_READ_REALCREDS))
		err = install_kinds(set, task, flags);
	put_task_struct(task);
	return err;
}

static void free_nsset(struct nsset *set)
{
	put_cred(set->cred);
	put_nsproxy(set->nsproxy);
}

static int make_nsset(struct nsset *set)
{
	set->nsproxy = new_nsproxy(0, NULL, NULL);
	if (IS_ERR(set->nsproxy))
		return PTR_ERR(set->nsproxy);
	set->cred = prepare_creds();
	if (set->cred)
		return 0;
	put_nsproxy(set->nsproxy);
	return -ENOMEM;
}

/* Which kinds, and from where: *ns a single one, or NULL for those of the process *pid.  0 or -errno. */
static int read_setns(struct file *file, int flags, unsigned long *kinds, struct ns_common **ns, struct pid **pid)
{
	*ns = NULL;
	*pid = pidfd_pid(file);
	if (!IS_ERR(*pid)) {
		*kinds = (unsigned long)flags;
		return !flags || flags & ~(NS_KINDS | CLONE_NEWUSER) ? -EINVAL : 0;
	}
	*ns = ns_of_file(file);
	if (IS_ERR(*ns))
		return PTR_ERR(*ns);
	*kinds = (unsigned long)(*ns)->type->clone_flag;
	return flags && (unsigned long)flags != *kinds ? -EINVAL : 0;
}

/* Nothing fails here. */
static void commit_nsset(struct nsset *set, unsigned long kinds)
{
	struct mnt_namespace *mnt = set->nsproxy->mnt;

	if (kinds & CLONE_NEWIPC)
		exit_sem(current);	/* what semaphores were to undo belongs to the old one */
	if (kinds & CLONE_NEWUSER)
		commit_creds(set->cred);
	else
		put_cred(set->cred);
	switch_namespaces(set->nsproxy);
	if (kinds & CLONE_NEWTIME)
		vdso_time_ns_changed(current->mm);
	if (kinds & CLONE_NEWNS)
		mnt_ns_enter(mnt);
}

long sys_setns(int fd, int flags)
{
	struct file *file = fget((unsigned int)fd);
	struct nsset set;
	struct ns_common *ns;
	unsigned long kinds = 0;
	struct pid *pid;
	long err;

	if (!file)
		return -EBADF;
	err = read_setns(file, flags, &kinds, &ns, &pid);
	if (err)
		goto put;
	err = make_nsset(&set);
	if (err)
		goto put;
	err = ns ? ns->type->install(&set, ns) : install_from_process(&set, pid, kinds);
	if (err)
		free_nsset(&set);
	else
		commit_nsset(&set, kinds);
put:
	fput(file);
	return err;
}
