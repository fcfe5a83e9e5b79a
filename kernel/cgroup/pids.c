/*
 * pids.c: the controller of how many tasks there may be.
 *
 * What:    pids.max, pids.current, pids.peak, pids.events.  A fork that would go beyond a limit, here or above, fails with
 *          EAGAIN and counts as an event where the limit is.  Moving tasks is never refused.
 * Idea:    each part counts the tasks of its group and of all below, from before their birth until they are released: a
 *          zombie has a number, too.
 * Locking: none: atomic counters, added to from the group upwards and taken back if one level refuses.
 * See:     core.c; doc/cgroups.md
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include "cgroup.h"

#define PIDS_MAX	(1ULL << 22)		/* more numbers there are not */
#define NO_LIMIT	(PIDS_MAX + 1)

struct pids_css {
	struct cgroup_css	css;
	atomic64_t		current_nr;
	atomic64_t		peak;		/* [-] the highest, give or take a race */
	u64			limit;		/* one word: read without a lock */
	atomic64_t		refused;
};

static struct pids_css *pids_of(struct cgroup_css *css)
{
	return container_of(css, struct pids_css, css);
}

static void add_one(struct pids_css *pids)
{
	s64 now = atomic64_inc_return(&pids->current_nr);

	if (now > atomic64_read(&pids->peak))
		atomic64_set(&pids->peak, now);
}

void pids_charge(struct cgroup_css *css)
{
	for (; css; css = css->parent)
		add_one(pids_of(css));
}

void pids_uncharge(struct cgroup_css *css)
{
	for (; css; css = css->parent)
		WARN_ON_ONCE(atomic64_dec_return(&pids_of(css)->current_nr) < 0);
}

int pids_try_charge(struct cgroup_css *css)
{
	struct cgroup_css *pos, *undo;

	for (pos = css; pos; pos = pos->parent) {
		struct pids_css *pids = pids_of(pos);

		add_one(pids);
		if ((u64)atomic64_read(&pids->current_nr) <= READ_ONCE(pids->limit))
			continue;
		for (undo = css; undo != pos->parent; undo = undo->parent)
			atomic64_dec(&pids_of(undo)->current_nr);
		atomic64_inc(&pids->refused);
		css_notify(pos, CGROUP_EVENT_PIDS);
		return -EAGAIN;
	}
	return 0;
}

static void pids_move(struct task_struct *p, struct cgroup_css *from, struct cgroup_css *to)
{
	pids_charge(to);
	pids_uncharge(from);
}

static struct cgroup_css *pids_alloc(struct cgroup_css *parent)
{
	struct pids_css *pids = kzalloc(sizeof(*pids), GFP_KERNEL);

	if (!pids)
		return ERR_PTR(-ENOMEM);
	pids->limit = NO_LIMIT;
	return &pids->css;
}

static void pids_free(struct cgroup_css *css)
{
	kfree(pids_of(css));
}

/* ---- files ---- */

static int pids_max_show(struct seq_file *m, struct cgroup_css *css)
{
	cgroup_show_max(m, pids_of(css)->limit, NO_LIMIT);
	return 0;
}

static int pids_max_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	u64 limit;
	int err = cgroup_parse_max(text, NO_LIMIT, &limit);

	if (err)
		return err;
	if (limit > NO_LIMIT)
		return -EINVAL;
	WRITE_ONCE(pids_of(css)->limit, limit);
	return 0;
}

static int pids_current_show(struct seq_file *m, struct cgroup_css *css)
{
	seq_printf(m, "%lld\n", atomic64_read(&pids_of(css)->current_nr));
	return 0;
}

static int pids_peak_show(struct seq_file *m, struct cgroup_css *css)
{
	seq_printf(m, "%lld\n", atomic64_read(&pids_of(css)->peak));
	return 0;
}

static int pids_events_show(struct seq_file *m, struct cgroup_css *css)
{
	seq_printf(m, "max %lld\n", atomic64_read(&pids_of(css)->refused));
	return 0;
}

static const struct cftype pids_files[] = {
	{ .name = "pids.max", .flags = CFT_NOT_ON_ROOT, .show = pids_max_show, .write = pids_max_write },
	{ .name = "pids.current", .flags = CFT_NOT_ON_ROOT, .show = pids_current_show },
	{ .name = "pids.peak", .flags = CFT_NOT_ON_ROOT, .show = pids_peak_show },
	{ .name = "pids.events", .flags = CFT_NOT_ON_ROOT, .event = CGROUP_EVENT_PIDS, .show = pids_events_show },
	{ }
};

const struct cgroup_subsys pids_subsys = {
	.name = "pids", .threaded = true, .alloc = pids_alloc, .free = pids_free, .move = pids_move, .files = pids_files,
};
