/*
 * core.c: the tree of groups, how long a group lives, and which controllers it has.
 *
 * What:    making and removing groups; subtree_control; the rules about where tasks and controllers may be at once.
 * Idea:    a controller is enabled for all children of a group or for none (subtree_control), and only if the group itself
 *          has it: so those that have a controller are connected, from the root's children down.  Below, everybody is
 *          subject to the lowest that has it: e_css.
 * Life:    made by mkdir -> removed by rmdir (no child, no living task; zombies go to the parent): `dead`, in no list, without
 *          its parts -> the last reference goes (open files, namespaces) -> freed after a grace period, since a task's
 *          group is looked at under RCU.  A part (css) may live longer than the group: pages are charged to it.
 * Rules:   a group with controllers for its children has no tasks itself, or they would compete with groups: "no internal
 *          processes".  The exceptions are the root and, for controllers that can deal with threads, thread roots.
 * Locking: cgroup_mutex for all here.
 * See:     doc/cgroups.md; cgroups(7)
 */
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/string.h>
#include <weft/user_namespace.h>
#include "cgroup.h"

DEFINE_MUTEX(cgroup_mutex);

const struct cgroup_subsys *const cgroup_subsys[CGROUP_CONTROLLERS] = {
	[CGROUP_CPU] = &cpu_subsys, [CGROUP_MEMORY] = &memory_subsys, [CGROUP_PIDS] = &pids_subsys,
};

struct cgroup cgroup_root = {
	.self		= { .cgroup = &cgroup_root, .count = REFCOUNT_INIT(1) },
	.count		= REFCOUNT_INIT(1),
	.id		= 1,
	.name		= "",
	.children	= LIST_HEAD_INIT(cgroup_root.children),
	.tasks		= LIST_HEAD_INIT(cgroup_root.tasks),
	.max_descendants = INT_MAX,
	.max_depth	= INT_MAX,
	.dom		= &cgroup_root,
	.event_wait	= __WAIT_QUEUE_HEAD_INITIALIZER(cgroup_root.event_wait),
	.mode		= S_IFDIR | 0755,
	.attrs		= LIST_HEAD_INIT(cgroup_root.attrs),
	.xattrs		= { .head = LIST_HEAD_INIT(cgroup_root.xattrs.head),
			    .lock = __SPIN_LOCK_UNLOCKED(cgroup_root.xattrs.lock) },
};
static u64 last_id = 1;			/* [cgroup_mutex] */

/* ---- the tree ---- */

struct cgroup *cgroup_next_pre(struct cgroup *pos, struct cgroup *top)
{
	if (!list_empty(&pos->children))
		return list_first_entry(&pos->children, struct cgroup, sibling);
	for (; pos != top; pos = pos->parent)
		if (!list_is_last(&pos->sibling, &pos->parent->children))
			return list_next_entry(pos, sibling);
	return NULL;
}

bool cgroup_is_below(const struct cgroup *cgrp, const struct cgroup *top)
{
	while (cgrp->level > top->level)
		cgrp = cgrp->parent;
	return cgrp == top;
}

struct cgroup *cgroup_common_ancestor(struct cgroup *a, struct cgroup *b)
{
	while (!cgroup_is_below(b, a))
		a = a->parent;
	return a;
}

struct cgroup *cgroup_find_child(const struct cgroup *cgrp, const char *name, size_t len)
{
	struct cgroup *child;

	list_for_each_entry(child, &cgrp->children, sibling)
		if (!strncmp(child->name, name, len) && !child->name[len])
			return child;
	return NULL;
}

int cgroup_lock_live(struct cgroup *cgrp) __no_context_analysis	/* conditional */
{
	mutex_lock(&cgroup_mutex);
	if (!cgrp->dead)
		return 0;
	mutex_unlock(&cgroup_mutex);
	return -ENODEV;
}

/* The name of one step of the path, filled in from the end.  NULL: no room. */
static char *prepend(char *buf, char *at, const char *name)
{
	size_t len = strlen(name);

	if ((size_t)(at - buf) < len + 1)
		return NULL;
	at -= len;
	memcpy(at, name, len);
	*--at = '/';
	return at;
}

int cgroup_path_ns(const struct cgroup *cgrp, const struct cgroup *root, char *buf, size_t size)
{
	const struct cgroup *top = cgroup_common_ancestor((struct cgroup *)root, (struct cgroup *)cgrp);
	char *at = buf + size - 1;
	size_t len;

	*at = 0;
	for (; cgrp != top; cgrp = cgrp->parent) {
		at = prepend(buf, at, cgrp->name);
		if (!at)
			return -ENAMETOOLONG;
	}
	/* What lies beside the namespace's root is reached by going up from it. */
	for (; root != top; root = root->parent) {
		at = prepend(buf, at, "..");
		if (!at)
			return -ENAMETOOLONG;
	}
	if (!*at)
		at = prepend(buf, at, "");
	if (!at)
		return -ENAMETOOLONG;
	len = strlen(at);
	memmove(buf, at, len + 1);
	return (int)len;
}

/* ---- parts ---- */

static void css_free_fn(struct work_struct *work)
{
	struct cgroup_css *css = container_of(work, struct cgroup_css, free_work), *parent = css->parent;

	css->ss->free(css);
	if (parent)
		css_put(parent);
}

static void css_after_grace(struct rcu_head *rcu)
{
	struct cgroup_css *css = container_of(rcu, struct cgroup_css, rcu);

	INIT_WORK(&css->free_work, css_free_fn);
	schedule_work(&css->free_work);
}

void css_put(struct cgroup_css *css)
{
	if (refcount_dec_and_test(&css->count))
		call_rcu(&css->rcu, css_after_grace);
}

/* cgrp gets a part of its own of controller i, to which nobody is subject yet. */
static int css_create(struct cgroup *cgrp, int i)
{
	const struct cgroup_subsys *ss = cgroup_subsys[i];
	struct cgroup_css *parent = rcu_dereference_protected(cgrp->parent->css[i], true);
	struct cgroup_css *css = ss->alloc(parent);

	if (IS_ERR(css))
		return PTR_ERR(css);
	css->cgroup = cgrp;
	css->parent = parent;
	if (parent)
		css_get(parent);
	css->ss = ss;
	refcount_set(&css->count, 1);
	if (ss->online)
		ss->online(css);
	rcu_assign_pointer(cgrp->css[i], css);
	return 0;
}

static void css_destroy(struct cgroup *cgrp, int i)
{
	struct cgroup_css *css = rcu_dereference_protected(cgrp->css[i], true);

	RCU_INIT_POINTER(cgrp->css[i], NULL);
	WRITE_ONCE(css->cgroup, NULL);
	if (css->ss->offline)
		css->ss->offline(css);
	css_put(css);
}

/* ---- the life of a group ---- */

static void cgroup_release_fn(struct work_struct *work)
{
	struct cgroup *cgrp = container_of(work, struct cgroup, release_work), *parent = cgrp->parent;
	struct cgroup_file_attr *attr, *n;

	mutex_lock(&cgroup_mutex);
	for (struct cgroup *above = parent; above; above = above->parent)
		above->nr_dying--;
	mutex_unlock(&cgroup_mutex);
	list_for_each_entry_safe(attr, n, &cgrp->attrs, node)
		kfree(attr);
	simple_xattrs_free(&cgrp->xattrs);
	kfree(cgrp->name);
	kfree_rcu(cgrp, rcu);
	cgroup_put(parent);
}

void cgroup_put(struct cgroup *cgrp)
{
	if (!refcount_dec_and_test(&cgrp->count))
		return;
	INIT_WORK(&cgrp->release_work, cgroup_release_fn);
	schedule_work(&cgrp->release_work);
}

static void notify_fn(struct work_struct *work)
{
	struct cgroup *cgrp = container_of(work, struct cgroup, notify_work);

	cgroup_fs_notify(cgrp, (unsigned int)atomic_xchg(&cgrp->notify_pending, 0));
	cgroup_put(cgrp);
}

/* Pollers are told at once.  inotify sleeps: a worker does it, which holds the group meanwhile. */
void cgroup_notify(struct cgroup *cgrp, enum cgroup_event event)
{
	atomic_inc(&cgrp->events[event]);
	wake_up_interruptible(&cgrp->event_wait);
	atomic_or(1 << event, &cgrp->notify_pending);
	cgroup_get(cgrp);
	if (!schedule_work(&cgrp->notify_work))
		cgroup_put(cgrp);		/* it has still to run for an earlier one */
}

void css_notify(struct cgroup_css *css, enum cgroup_event event)
{
	struct cgroup *cgrp;

	rcu_read_lock();
	cgrp = READ_ONCE(css->cgroup);
	if (cgrp && refcount_inc_not_zero(&cgrp->count)) {
		cgroup_notify(cgrp, event);
		cgroup_put(cgrp);
	}
	rcu_read_unlock();
}

static struct cgroup *alloc_cgroup(struct cgroup *parent, const char *name, umode_t mode)
{
	struct cgroup *cgrp = kzalloc(sizeof(*cgrp), GFP_KERNEL);

	if (!cgrp)
		return NULL;
	cgrp->name = kstrdup(name, GFP_KERNEL);
	if (!cgrp->name) {
		kfree(cgrp);
		return NULL;
	}
	cgrp->self.cgroup = cgrp;
	refcount_set(&cgrp->self.count, 1);
	refcount_set(&cgrp->count, 1);
	cgrp->parent = parent;
	cgrp->level = parent->level + 1;
	cgrp->max_depth = cgrp->max_descendants = INT_MAX;
	INIT_LIST_HEAD(&cgrp->children);
	INIT_LIST_HEAD(&cgrp->tasks);
	INIT_LIST_HEAD(&cgrp->attrs);
	init_waitqueue_head(&cgrp->event_wait);
	INIT_WORK(&cgrp->notify_work, notify_fn);
	simple_xattrs_init(&cgrp->xattrs);
	cgrp->mode = S_IFDIR | (mode & 07777);
	cgrp->uid = current_fsuid();
	cgrp->gid = current_fsgid();
	cgrp->dom = cgrp;
	return cgrp;
}

static bool limits_allow_child(const struct cgroup *parent)
{
	unsigned int depth = 1;

	for (; parent; parent = parent->parent, depth++)
		if (parent->nr_descendants >= parent->max_descendants || depth > parent->max_depth)
			return false;
	return true;
}

static void count_descendant(struct cgroup *cgrp, int n, int dying)
{
	for (cgrp = cgrp->parent; cgrp; cgrp = cgrp->parent) {
		cgrp->nr_descendants += (unsigned int)n;
		cgrp->nr_dying += (unsigned int)dying;
	}
}

/* A child of a group that is being frozen is, too; without a task it has come to rest at once. */
static void link_child(struct cgroup *cgrp)
{
	struct cgroup *parent = cgrp->parent;

	spin_lock_irq(&cgroup_task_lock);
	cgrp->e_freeze = parent->e_freeze;
	cgrp->frozen = cgrp->e_freeze > 0;
	parent->nr_children++;
	parent->nr_frozen_children += cgrp->frozen;
	spin_unlock_irq(&cgroup_task_lock);
	list_add_tail(&cgrp->sibling, &parent->children);
}

static void unlink_child(struct cgroup *cgrp)
{
	struct cgroup *parent = cgrp->parent;

	list_del(&cgrp->sibling);
	spin_lock_irq(&cgroup_task_lock);
	parent->nr_children--;
	parent->nr_frozen_children -= cgrp->frozen;
	cgroup_update_frozen(parent);
	spin_unlock_irq(&cgroup_task_lock);
}

static int create_parts(struct cgroup *cgrp)
{
	int err;

	for_each_controller(i) {
		if (!(cgrp->parent->subtree_control & (1 << i))) {
			RCU_INIT_POINTER(cgrp->e_css[i], rcu_dereference_protected(cgrp->parent->e_css[i], true));
			continue;
		}
		err = css_create(cgrp, i);
		if (err) {
			while (--i >= 0)
				if (rcu_access_pointer(cgrp->css[i]))
					css_destroy(cgrp, i);
			return err;
		}
		RCU_INIT_POINTER(cgrp->e_css[i], rcu_dereference_protected(cgrp->css[i], true));
	}
	return 0;
}

struct cgroup *cgroup_create(struct cgroup *parent, const char *name, umode_t mode)
{
	struct cgroup *cgrp;
	int err;

	if (!limits_allow_child(parent))
		return ERR_PTR(-EAGAIN);
	cgrp = alloc_cgroup(parent, name, mode);
	if (!cgrp)
		return ERR_PTR(-ENOMEM);
	err = create_parts(cgrp);
	if (err) {
		kfree(cgrp->name);
		kfree(cgrp);
		return ERR_PTR(err);
	}
	cgrp->id = ++last_id;
	cgroup_get(parent);
	link_child(cgrp);
	count_descendant(cgrp, 1, 0);
	return cgrp;
}

int cgroup_remove(struct cgroup *cgrp)
{
	int err = list_empty(&cgrp->children) ? cgroup_empty_for_good(cgrp) : -EBUSY;

	if (err)
		return err;
	unlink_child(cgrp);
	if (cgroup_is_threaded(cgrp))
		cgrp->parent->nr_threaded_children--;
	count_descendant(cgrp, -1, 1);
	for_each_controller(i) {
		RCU_INIT_POINTER(cgrp->e_css[i], NULL);
		if (rcu_access_pointer(cgrp->css[i]))
			css_destroy(cgrp, i);
	}
	wake_up_interruptible(&cgrp->event_wait);
	cgroup_fs_removed(cgrp);
	cgroup_put(cgrp);
	return 0;
}

/* ---- which controllers, and where tasks may be ---- */

static u16 threaded_controllers(void)
{
	u16 mask = 0;

	for_each_controller(i)
		if (cgroup_subsys[i]->threaded)
			mask |= 1 << i;
	return mask;
}

u16 cgroup_available(const struct cgroup *cgrp)
{
	u16 mask = cgrp->parent ? cgrp->parent->subtree_control : (1 << CGROUP_CONTROLLERS) - 1;

	return cgroup_is_threaded(cgrp) ? mask & threaded_controllers() : mask;
}

static bool has_tasks(const struct cgroup *cgrp)
{
	return data_race(READ_ONCE(cgrp->nr_live)) > 0;
}

/* Could threads below cgrp be spread over threaded groups?  Not with a domain among the children that has tasks. */
static bool can_be_thread_root(const struct cgroup *cgrp)
{
	return cgroup_is_root(cgrp) ||
	       (!data_race(READ_ONCE(cgrp->nr_populated_domain)) && !(cgrp->subtree_control & ~threaded_controllers()));
}

bool cgroup_is_thread_root(const struct cgroup *cgrp)
{
	if (cgroup_is_threaded(cgrp))
		return false;
	return cgrp->nr_threaded_children || (has_tasks(cgrp) && (cgrp->subtree_control & threaded_controllers()));
}

/* A domain below a threaded group, or below a thread root that is not the root, can be nothing but empty. */
static bool is_valid_domain(const struct cgroup *cgrp)
{
	if (cgroup_is_threaded(cgrp))
		return false;
	for (cgrp = cgrp->parent; cgrp; cgrp = cgrp->parent)
		if (cgroup_is_threaded(cgrp) || (!cgroup_is_root(cgrp) && cgroup_is_thread_root(cgrp)))
			return false;
	return true;
}

const char *cgroup_type_name(const struct cgroup *cgrp)
{
	if (cgroup_is_threaded(cgrp))
		return "threaded";
	if (!is_valid_domain(cgrp))
		return "domain invalid";
	return cgroup_is_thread_root(cgrp) ? "domain threaded" : "domain";
}

int cgroup_may_host_tasks(const struct cgroup *cgrp)
{
	if (!is_valid_domain(cgrp->dom))
		return -EOPNOTSUPP;
	if (cgroup_is_threaded(cgrp) || can_be_thread_root(cgrp))
		return 0;
	return cgrp->subtree_control ? -EBUSY : 0;
}

int cgroup_make_threaded(struct cgroup *cgrp)
{
	struct cgroup *dom = cgrp->parent->dom;
	bool populated;

	if (cgroup_is_threaded(cgrp))
		return 0;
	spin_lock_irq(&cgroup_task_lock);
	populated = cgroup_is_populated(cgrp);
	spin_unlock_irq(&cgroup_task_lock);
	if (populated || cgrp->subtree_control & ~threaded_controllers())
		return -EOPNOTSUPP;
	if (!is_valid_domain(dom) || !can_be_thread_root(dom))
		return -EOPNOTSUPP;
	cgrp->dom = dom;
	cgrp->parent->nr_threaded_children++;
	return 0;
}

/* May cgrp begin to hand these controllers on? */
static int may_enable(const struct cgroup *cgrp, u16 enable)
{
	bool domain_controllers = enable & ~threaded_controllers();

	if (!enable)
		return 0;
	if (!is_valid_domain(cgrp->dom))
		return -EOPNOTSUPP;
	if (cgroup_is_root(cgrp))
		return 0;
	if (domain_controllers && (cgroup_is_threaded(cgrp) || cgroup_is_thread_root(cgrp)))
		return -EOPNOTSUPP;
	if (!domain_controllers && (cgroup_is_threaded(cgrp) || can_be_thread_root(cgrp)))
		return 0;
	return has_tasks(cgrp) ? -EBUSY : 0;
}

static int may_disable(const struct cgroup *cgrp, u16 disable)
{
	struct cgroup *child;

	list_for_each_entry(child, &cgrp->children, sibling)
		if (child->subtree_control & disable)
			return -EBUSY;
	return 0;
}

/* All children lose controller i. */
static void disable_controller(struct cgroup *cgrp, int i)
{
	struct cgroup_css *above = rcu_dereference_protected(cgrp->e_css[i], true);
	struct cgroup *child;

	list_for_each_entry(child, &cgrp->children, sibling) {
		if (!rcu_access_pointer(child->css[i]))
			continue;
		cgroup_move_effective(child, i, above);
		css_destroy(child, i);
	}
	cgrp->subtree_control &= (u16)~(1 << i);
}

static int enable_controller(struct cgroup *cgrp, int i)
{
	struct cgroup *child;
	int err;

	cgrp->subtree_control |= (u16)(1 << i);
	list_for_each_entry(child, &cgrp->children, sibling) {
		err = css_create(child, i);
		if (err) {
			disable_controller(cgrp, i);
			return err;
		}
		cgroup_move_effective(child, i, rcu_dereference_protected(child->css[i], true));
	}
	return 0;
}

int cgroup_set_subtree_control(struct cgroup *cgrp, u16 enable, u16 disable)
{
	u16 fresh = enable & ~cgrp->subtree_control, done = 0;
	int err;

	disable &= cgrp->subtree_control;
	if (enable & ~cgroup_available(cgrp))
		return -ENOENT;
	err = may_disable(cgrp, disable);
	if (!err)
		err = may_enable(cgrp, fresh);
	if (err)
		return err;
	for_each_controller(i) {
		if (!(fresh & (1 << i)))
			continue;
		err = enable_controller(cgrp, i);
		if (err)
			break;
		done |= (u16)(1 << i);
	}
	if (err)
		disable = done;
	for_each_controller(i)
		if (disable & (1 << i))
			disable_controller(cgrp, i);
	return err;
}
