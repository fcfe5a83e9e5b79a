/*
 * time_namespace.c: making, entering and ending time namespaces.
 *
 * What:    copy, put, struct ns_type for "time" and "time_for_children", the offsets that /proc/PID/timens_offsets sets.
 * Idea:    a task cannot go over while it runs: its memory shows one clock page.  So unshare() makes a namespace for children,
 *          whose offsets can be set until the first child is born into it; setns() takes a process of one thread, whose page
 *          is looked up anew.  Who shares its parent's memory is in the same namespace until it executes a program.
 * Locking: offsets_mutex: setting offsets against the first that enters.
 * See:     <weft/time_namespace.h>; time_namespaces(7); doc/sandbox.md
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/gfp.h>
#include <weft/mm.h>
#include <weft/mutex.h>
#include <weft/slab.h>
#include <weft/time_namespace.h>
#include <weft/timekeeping.h>
#include <weft/user_namespace.h>

static DEFINE_MUTEX(offsets_mutex);

struct time_namespace init_time_ns = {
	.ns	 = { .count = REFCOUNT_INIT(1), .inum = 0xeffffffa, .type = &time_ns_type },
	.user_ns = &init_user_ns,
	.entered = true,
};

static struct time_namespace *get_time_ns(struct time_namespace *ns)
{
	ns_get(&ns->ns);
	return ns;
}

struct time_namespace *copy_time_ns(u64 flags, struct user_namespace *user_ns, struct time_namespace *old)
{
	struct time_namespace *new;
	int err = -ENOMEM;

	if (!(flags & CLONE_NEWTIME))
		return get_time_ns(old);
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->vvar = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!new->vvar)
		goto free;
	err = ns_init(&new->ns, &time_ns_type);
	if (err)
		goto free_page;
	new->user_ns = get_user_ns(user_ns);
	new->monotonic = old->monotonic;
	new->boottime = old->boottime;
	vdso_fill_time_ns(new->vvar, &new->monotonic, &new->boottime);
	return new;

free_page:
	put_page(new->vvar);
free:
	kfree(new);
	return ERR_PTR(err);
}

void put_time_ns(struct time_namespace *ns)
{
	if (!refcount_dec_and_test(&ns->ns.count))
		return;
	ns_free_inum(&ns->ns);
	put_user_ns(ns->user_ns);
	put_page(ns->vvar);		/* where it is still mapped it stays */
	kfree(ns);
}

void time_ns_enter(struct nsproxy *proxy, struct mm_struct *mm)
{
	struct time_namespace *old = proxy->time;

	proxy->time = get_time_ns(proxy->time_for_children);
	put_time_ns(old);
	mutex_lock(&offsets_mutex);
	proxy->time->entered = true;
	mutex_unlock(&offsets_mutex);
	if (mm)
		vdso_time_ns_changed(mm);
}

/* ---- offsets ---- */

/* Neither the clock nor twice what may be added to it may overflow, or be before 0. */
static int check_offset(const struct timespec64 *offset, struct timespec64 now)
{
	if (offset->tv_sec > KTIME_SEC_MAX || offset->tv_sec < -KTIME_SEC_MAX)
		return -ERANGE;
	now = timespec64_add(now, *offset);
	return now.tv_sec < 0 || now.tv_sec > KTIME_SEC_MAX / 2 ? -ERANGE : 0;
}

int time_ns_set_offsets(const struct cred *opener, struct time_namespace *ns, const struct timespec64 *monotonic,
			const struct timespec64 *boottime)
{
	struct timespec64 now;
	int err;

	if (!cap_over(opener, ns->user_ns, CAP_SYS_TIME))
		return -EPERM;
	ktime_get_ts64(&now);
	err = check_offset(monotonic, now);
	ktime_get_boottime_ts64(&now);
	if (!err)
		err = check_offset(boottime, now);
	if (err)
		return err;
	mutex_lock(&offsets_mutex);
	if (ns->entered) {
		err = -EACCES;
	} else {
		ns->monotonic = *monotonic;
		ns->boottime = *boottime;
		vdso_fill_time_ns(ns->vvar, monotonic, boottime);
	}
	mutex_unlock(&offsets_mutex);
	return err;
}

/* ---- struct ns_type ---- */

static struct time_namespace *to_time_ns(const struct ns_common *ns)
{
	return container_of((struct ns_common *)ns, struct time_namespace, ns);
}

static struct ns_common *time_of(struct nsproxy *proxy)
{
	return &proxy->time->ns;
}

static struct ns_common *time_for_children_of(struct nsproxy *proxy)
{
	return &proxy->time_for_children->ns;
}

static void time_put(struct ns_common *ns)
{
	put_time_ns(to_time_ns(ns));
}

static struct user_namespace *time_owner(struct ns_common *ns)
{
	return to_time_ns(ns)->user_ns;
}

static int time_install(struct nsset *set, struct ns_common *ns)
{
	struct nsproxy *proxy = set->nsproxy;

	if (!thread_group_empty(current))
		return -EUSERS;			/* threads share their memory, and with it the clocks' page */
	if (!may_install(set, time_owner(ns)))
		return -EPERM;
	put_time_ns(proxy->time_for_children);
	proxy->time_for_children = get_time_ns(to_time_ns(ns));
	time_ns_enter(proxy, NULL);		/* the memory follows when it is sure: commit_nsset() */
	return 0;
}

const struct ns_type time_ns_type = {
	.name = "time", .clone_flag = CLONE_NEWTIME, .of = time_of, .put = time_put, .install = time_install,
	.owner = time_owner,
};
const struct ns_type time_for_children_ns_type = {
	.name = "time", .link = "time_for_children", .clone_flag = CLONE_NEWTIME, .of = time_for_children_of, .put = time_put,
	.install = time_install, .owner = time_owner,
};
