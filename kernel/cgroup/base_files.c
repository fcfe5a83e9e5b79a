/*
 * base_files.c: the files that every group has: cgroup.procs, cgroup.controllers and so on; /proc/PID/cgroup.
 *
 * What:    what is read from and written to each; the work is done in core.c, attach.c and freezer.c.
 * Locking: cgroup_mutex by cgroup_lock_live(): what is written to a removed group is ENODEV.
 * See:     cgroups(7); doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/mm.h>
#include <weft/pid.h>
#include <weft/pid_namespace.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "cgroup.h"

/* ---- who is in it ---- */

static int show_pids(struct seq_file *m, struct cgroup *cgrp, bool threads)
{
	size_t n;
	pid_t *pids = cgroup_pids(cgrp, threads, task_active_pid_ns(current), &n);

	if (IS_ERR(pids))
		return PTR_ERR(pids);
	for (size_t i = 0; i < n; i++)
		seq_printf(m, "%d\n", pids[i]);
	kvfree(pids);
	return 0;
}

static int procs_show(struct seq_file *m, struct cgroup_css *css)
{
	bool threaded;

	mutex_lock(&cgroup_mutex);
	threaded = cgroup_is_threaded(css->cgroup);
	mutex_unlock(&cgroup_mutex);
	return threaded ? -EOPNOTSUPP : show_pids(m, css->cgroup, false);
}

static int threads_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_pids(m, css->cgroup, true);
}

/* The task with this number (0: the running one), + reference; for a whole process its leader.  ERR_PTR. */
static struct task_struct *find_task(const char *text, bool whole)
{
	struct task_struct *p;
	int nr, err = kstrtoint(text, 0, &nr);

	if (err || nr < 0)
		return ERR_PTR(-EINVAL);
	rcu_read_lock();
	p = nr ? find_task_by_vpid(nr) : current;
	if (p && whole)
		p = p->group_leader;
	if (p)
		get_task_struct(p);
	rcu_read_unlock();
	if (!p)
		return ERR_PTR(-ESRCH);
	if (!(p->flags & PF_KTHREAD))
		return p;
	put_task_struct(p);
	return ERR_PTR(-EINVAL);		/* the kernel's own threads serve everybody */
}

static int move_written(struct cgroup *to, const char *text, const struct cgroup_open *open, bool whole)
{
	struct task_struct *p = find_task(text, whole);
	struct cgroup *from;
	int err;

	if (IS_ERR(p))
		return PTR_ERR(p);
	err = cgroup_lock_live(to);
	if (!err) {
		from = task_get_cgroup(p);
		err = cgroup_may_move(from, to, open, whole);
		if (!err)
			cgroup_attach(to, p, whole);
		cgroup_put(from);
		mutex_unlock(&cgroup_mutex);
	}
	put_task_struct(p);
	return err;
}

static int procs_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return move_written(css->cgroup, text, open, true);
}

static int threads_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return move_written(css->cgroup, text, open, false);
}

/* ---- controllers ---- */

static void show_controllers(struct seq_file *m, u16 mask)
{
	const char *space = "";

	for_each_controller(i) {
		if (!(mask & (1 << i)))
			continue;
		seq_printf(m, "%s%s", space, cgroup_subsys[i]->name);
		space = " ";
	}
	if (*space)
		seq_putc(m, '\n');
}

static int controllers_show(struct seq_file *m, struct cgroup_css *css)
{
	u16 mask;

	mutex_lock(&cgroup_mutex);
	mask = cgroup_available(css->cgroup);
	mutex_unlock(&cgroup_mutex);
	show_controllers(m, mask);
	return 0;
}

static int subtree_control_show(struct seq_file *m, struct cgroup_css *css)
{
	show_controllers(m, READ_ONCE(css->cgroup->subtree_control));
	return 0;
}

/* The bit of a controller by name, 0 when there is none. */
static u16 controller_bit(const char *name)
{
	for_each_controller(i)
		if (!strcmp(cgroup_subsys[i]->name, name))
			return (u16)(1 << i);
	return 0;
}

/* "+pids -memory": the last word about a controller counts. */
static int subtree_control_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	u16 enable = 0, disable = 0, bit;
	char *word;
	int err;

	while ((word = strsep(&text, " "))) {
		if (!*word)
			continue;
		bit = controller_bit(word + 1);
		if (!bit || (*word != '+' && *word != '-'))
			return -EINVAL;
		enable = *word == '+' ? enable | bit : enable & ~bit;
		disable = *word == '-' ? disable | bit : disable & ~bit;
	}
	err = cgroup_lock_live(css->cgroup);
	if (err)
		return err;
	err = cgroup_set_subtree_control(css->cgroup, enable, disable);
	mutex_unlock(&cgroup_mutex);
	return err;
}

/* ---- state ---- */

static int events_show(struct seq_file *m, struct cgroup_css *css)
{
	const struct cgroup *cgrp = css->cgroup;
	bool populated, frozen;

	spin_lock_irq(&cgroup_task_lock);
	populated = cgroup_is_populated(cgrp);
	frozen = cgrp->frozen;
	spin_unlock_irq(&cgroup_task_lock);
	seq_printf(m, "populated %d\nfrozen %d\n", populated, frozen);
	return 0;
}

static int type_show(struct seq_file *m, struct cgroup_css *css)
{
	mutex_lock(&cgroup_mutex);
	seq_printf(m, "%s\n", cgroup_type_name(css->cgroup));
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static int type_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	int err;

	if (strcmp(text, "threaded"))
		return -EINVAL;
	err = cgroup_lock_live(css->cgroup);
	if (err)
		return err;
	err = cgroup_make_threaded(css->cgroup);
	mutex_unlock(&cgroup_mutex);
	return err;
}

static int stat_show(struct seq_file *m, struct cgroup_css *css)
{
	mutex_lock(&cgroup_mutex);
	seq_printf(m, "nr_descendants %u\nnr_dying_descendants %u\n", css->cgroup->nr_descendants, css->cgroup->nr_dying);
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static int write_limit(struct cgroup *cgrp, unsigned int *limit, char *text)
{
	int value = INT_MAX, err = strcmp(text, "max") ? kstrtoint(text, 0, &value) : 0;

	if (err)
		return err;
	if (value < 0)
		return -ERANGE;
	err = cgroup_lock_live(cgrp);
	if (err)
		return err;
	*limit = (unsigned int)value;
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static int max_depth_show(struct seq_file *m, struct cgroup_css *css)
{
	cgroup_show_max(m, READ_ONCE(css->cgroup->max_depth), INT_MAX);
	return 0;
}

static int max_depth_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return write_limit(css->cgroup, &css->cgroup->max_depth, text);
}

static int max_descendants_show(struct seq_file *m, struct cgroup_css *css)
{
	cgroup_show_max(m, READ_ONCE(css->cgroup->max_descendants), INT_MAX);
	return 0;
}

static int max_descendants_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return write_limit(css->cgroup, &css->cgroup->max_descendants, text);
}

static int freeze_show(struct seq_file *m, struct cgroup_css *css)
{
	seq_printf(m, "%d\n", READ_ONCE(css->cgroup->freeze));
	return 0;
}

static int freeze_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	int value, err = kstrtoint(text, 0, &value);

	if (err)
		return err;
	if (value < 0 || value > 1)
		return -ERANGE;
	err = cgroup_lock_live(css->cgroup);
	if (err)
		return err;
	cgroup_set_freeze(css->cgroup, value);
	mutex_unlock(&cgroup_mutex);
	return 0;
}

static int kill_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	int value, err = kstrtoint(text, 0, &value);

	if (err)
		return err;
	if (value != 1)
		return -ERANGE;
	err = cgroup_lock_live(css->cgroup);
	if (err)
		return err;
	if (cgroup_is_threaded(css->cgroup))
		err = -EOPNOTSUPP;		/* processes are killed, and this has only threads */
	else
		cgroup_kill_all(css->cgroup);
	mutex_unlock(&cgroup_mutex);
	return err;
}

const struct cftype cgroup_base_files[] = {
	{ .name = "cgroup.type", .flags = CFT_NOT_ON_ROOT, .show = type_show, .write = type_write },
	{ .name = "cgroup.procs", .flags = CFT_DELEGATED, .show = procs_show, .write = procs_write },
	{ .name = "cgroup.threads", .flags = CFT_DELEGATED, .show = threads_show, .write = threads_write },
	{ .name = "cgroup.controllers", .show = controllers_show },
	{ .name = "cgroup.subtree_control", .flags = CFT_DELEGATED, .show = subtree_control_show,
	  .write = subtree_control_write },
	{ .name = "cgroup.events", .flags = CFT_NOT_ON_ROOT, .event = CGROUP_EVENT_CORE, .show = events_show },
	{ .name = "cgroup.max.descendants", .show = max_descendants_show, .write = max_descendants_write },
	{ .name = "cgroup.max.depth", .show = max_depth_show, .write = max_depth_write },
	{ .name = "cgroup.stat", .show = stat_show },
	{ .name = "cgroup.freeze", .flags = CFT_NOT_ON_ROOT, .show = freeze_show, .write = freeze_write },
	{ .name = "cpu.stat", .show = cgroup_cpu_stat_show },
	{ .name = "cgroup.kill", .flags = CFT_NOT_ON_ROOT, .write = kill_write },
	{ }
};

/* ---- /proc ---- */

int proc_cgroup_show(struct seq_file *m, struct task_struct *task)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	struct cgroup *cgrp;
	int len;

	if (!buf)
		return -ENOMEM;
	cgrp = task_get_cgroup(task);
	len = cgroup_path_ns(cgrp, current->nsproxy->cgroup->root, buf, PATH_MAX);
	if (len >= 0)
		seq_printf(m, "0::%s%s\n", buf, READ_ONCE(cgrp->dead) ? " (deleted)" : "");
	cgroup_put(cgrp);
	kfree(buf);
	return len < 0 ? len : 0;
}

/* Written for hierarchies of version 1; there is only the one, number 0. */
int proc_cgroups_show(struct seq_file *m, void *unused)
{
	struct cgroup *pos;
	int groups;

	seq_puts(m, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	mutex_lock(&cgroup_mutex);
	for_each_controller(i) {
		groups = 1;
		cgroup_for_each_pre(pos, &cgroup_root)
			groups += rcu_access_pointer(pos->css[i]) != NULL;
		seq_printf(m, "%s\t0\t%d\t1\n", cgroup_subsys[i]->name, groups);
	}
	mutex_unlock(&cgroup_mutex);
	return 0;
}
