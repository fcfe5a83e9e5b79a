/*
 * utsname.c: the names of the system, of which each UTS namespace has its own.
 *
 * Locking: uts_sem over the two names that can be set, of all namespaces: they are set once a boot or container.
 * See:     uname(2), sethostname(2), uts_namespaces(7); /proc/sys/kernel/hostname in kernel/fs/proc/sysctl.c
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/personality.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/utsname.h>

struct rw_semaphore uts_sem = __RWSEM_INITIALIZER(uts_sem);

struct uts_namespace init_uts_ns = {
	.ns	= { .count = REFCOUNT_INIT(1), .inum = 0xeffffffe, .type = &uts_ns_type },
	.user_ns = &init_user_ns,
	.name	= {
		.sysname	= "Linux",
		.nodename	= "weft",
		.release	= UTS_RELEASE,
		.version	= "#1 SMP PREEMPT",
		.machine	= "x86_64",
		.domainname	= "(none)",
	},
};

/* ---- the namespace ---- */

struct uts_namespace *copy_uts_ns(u64 flags, struct user_namespace *user_ns, struct uts_namespace *old)
{
	struct uts_namespace *new;
	int err;

	if (!(flags & CLONE_NEWUTS)) {
		ns_get(&old->ns);
		return old;
	}
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return ERR_PTR(-ENOMEM);
	err = ns_init(&new->ns, &uts_ns_type);
	if (err) {
		kfree(new);
		return ERR_PTR(err);
	}
	new->user_ns = get_user_ns(user_ns);
	down_read(&uts_sem);
	new->name = old->name;
	up_read(&uts_sem);
	return new;
}

void put_uts_ns(struct uts_namespace *uts)
{
	if (!refcount_dec_and_test(&uts->ns.count))
		return;
	ns_free_inum(&uts->ns);
	put_user_ns(uts->user_ns);
	kfree(uts);
}

static struct ns_common *uts_of(struct nsproxy *ns)
{
	return &ns->uts->ns;
}

static void uts_put(struct ns_common *ns)
{
	put_uts_ns(container_of(ns, struct uts_namespace, ns));
}

static struct user_namespace *uts_owner(struct ns_common *ns)
{
	return container_of(ns, struct uts_namespace, ns)->user_ns;
}

static int uts_install(struct nsset *set, struct ns_common *ns)
{
	if (!may_install(set, uts_owner(ns)))
		return -EPERM;
	ns_get(ns);
	put_uts_ns(set->nsproxy->uts);
	set->nsproxy->uts = container_of(ns, struct uts_namespace, ns);
	return 0;
}

const struct ns_type uts_ns_type = {
	.name = "uts", .clone_flag = CLONE_NEWUTS, .of = uts_of, .put = uts_put, .install = uts_install,
	.owner = uts_owner,
};

/* ---- system calls ---- */

long sys_newuname(struct new_utsname __user *name)
{
	struct new_utsname copy;

	down_read(&uts_sem);
	copy = *utsname();
	up_read(&uts_sem);
	if ((current->personality & PER_MASK) == PER_LINUX32)
		strscpy(copy.machine, "i686", sizeof(copy.machine));
	return copy_to_user(name, &copy, sizeof(copy)) ? -EFAULT : 0;
}

/* field has __NEW_UTS_LEN + 1 bytes. */
static long set_name(char *field, const char __user *name, int len)
{
	char buf[__NEW_UTS_LEN + 1] = { 0 };

	if (!ns_capable(current->nsproxy->uts->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(buf, name, (unsigned long)len))
		return -EFAULT;
	down_write(&uts_sem);
	memcpy(field, buf, sizeof(buf));
	up_write(&uts_sem);
	return 0;
}

long sys_sethostname(char __user *name, int len)
{
	return set_name(utsname()->nodename, name, len);
}

long sys_setdomainname(char __user *name, int len)
{
	return set_name(utsname()->domainname, name, len);
}
