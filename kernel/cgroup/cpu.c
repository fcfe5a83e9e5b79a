/*
 * cpu.c: the controller of processor time: cpu.weight, cpu.max and cpu.max.burst; cpu.stat.
 *
 * What:    files; what they mean the scheduler does (kernel/sched/group.c).  cpu.stat shows what all tasks of a group used,
 *          whether it has the controller or not.
 * Idea:    nobody adds up while tasks run: a task notes what it had used when it came into a group, and adds the difference to
 *          the group's sum when it leaves it or ends (cgroup_account()).  Who reads adds those that are still there.
 * Locking: cgroup_mutex over weight and changes of bandwidth; cgroup_task_lock over the sums.
 * See:     doc/cgroups.md; doc/sched.md
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/sched_group.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/time64.h>
#include "cgroup.h"

#define WEIGHT_MIN	1
#define WEIGHT_DEFAULT	100
#define WEIGHT_MAX	10000
#define PERIOD_MIN_US	1000
#define PERIOD_MAX_US	1000000
#define QUOTA_MAX_NS	(1ULL << 44)

struct cpu_css {
	struct cgroup_css	css;
	struct task_group	*group;		/* [I] */
	unsigned int		weight;		/* [cgroup_mutex] */
};

static struct cpu_css *cpu_of(struct cgroup_css *css)
{
	return container_of(css, struct cpu_css, css);
}

static struct cgroup_css *cpu_alloc(struct cgroup_css *parent)
{
	struct cpu_css *cpu = kzalloc(sizeof(*cpu), GFP_KERNEL);

	if (!cpu)
		return ERR_PTR(-ENOMEM);
	cpu->weight = WEIGHT_DEFAULT;
	cpu->group = sched_create_group(parent ? cpu_of(parent)->group : NULL);
	if (cpu->group)
		return &cpu->css;
	kfree(cpu);
	return ERR_PTR(-ENOMEM);
}

static void cpu_free(struct cgroup_css *css)
{
	sched_free_group(cpu_of(css)->group);
	kfree(cpu_of(css));
}

static void cpu_move(struct task_struct *p, struct cgroup_css *from, struct cgroup_css *to)
{
	sched_move_task(p, to ? cpu_of(to)->group : NULL);
}

/* ---- cpu.stat ---- */

void cgroup_account(struct task_struct *p, struct cgroup *from)
{
	if (!cgroup_is_root(from)) {
		from->used[0] += p->utime - p->cgroup_since[0];
		from->used[1] += p->stime - p->cgroup_since[1];
	}
	p->cgroup_since[0] = p->utime;
	p->cgroup_since[1] = p->stime;
}

/* Of cgrp and all below it: utime and stime in ns. */
static void sum_used(struct cgroup *cgrp, u64 *sum)
{
	struct task_struct *p;
	struct cgroup *pos;

	mutex_lock(&cgroup_mutex);
	spin_lock_irq(&cgroup_task_lock);
	cgroup_for_each_pre(pos, cgrp) {
		sum[0] += pos->used[0];
		sum[1] += pos->used[1];
		list_for_each_entry(p, &pos->tasks, cgroup_node) {
			sum[0] += READ_ONCE(p->utime) - p->cgroup_since[0];
			sum[1] += READ_ONCE(p->stime) - p->cgroup_since[1];
		}
	}
	spin_unlock_irq(&cgroup_task_lock);
	mutex_unlock(&cgroup_mutex);
}

int cgroup_cpu_stat_show(struct seq_file *m, struct cgroup_css *css)
{
	struct sched_group_stat stat;
	struct cgroup_css *own;
	u64 sum[2] = { 0, 0 };

	sum_used(css->cgroup, sum);
	seq_printf(m, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\n", (sum[0] + sum[1]) / NSEC_PER_USEC,
		   sum[0] / NSEC_PER_USEC, sum[1] / NSEC_PER_USEC);
	rcu_read_lock();
	own = rcu_dereference(css->cgroup->css[CGROUP_CPU]);
	if (own)
		sched_group_get_stat(cpu_of(own)->group, &stat);
	rcu_read_unlock();
	if (own)
		seq_printf(m, "nr_periods %llu\nnr_throttled %llu\nthrottled_usec %llu\nnr_bursts %llu\nburst_usec %llu\n",
			   stat.nr_periods, stat.nr_throttled, stat.throttled_ns / NSEC_PER_USEC, stat.nr_bursts,
			   stat.burst_ns / NSEC_PER_USEC);
	return 0;
}

/* ---- weight ---- */

static void set_weight(struct cpu_css *cpu, unsigned int weight)
{
	mutex_lock(&cgroup_mutex);
	cpu->weight = weight;
	sched_group_set_shares(cpu->group, (unsigned long)weight * 1024 / WEIGHT_DEFAULT);
	mutex_unlock(&cgroup_mutex);
}

static int weight_show(struct seq_file *m, struct cgroup_css *css)
{
	seq_printf(m, "%u\n", READ_ONCE(cpu_of(css)->weight));
	return 0;
}

static int weight_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	u64 weight;
	int err = kstrtoull(text, 0, &weight);

	if (err)
		return err;
	if (weight < WEIGHT_MIN || weight > WEIGHT_MAX)
		return -ERANGE;
	set_weight(cpu_of(css), (unsigned int)weight);
	return 0;
}

/* What a task of this nice value weighs, where one of nice 0 is 100. */
static unsigned int weight_of_nice(int nice)
{
	return (unsigned int)max((sched_nice_weight(nice) * WEIGHT_DEFAULT + 512) / 1024, 1UL);
}

static int weight_nice_show(struct seq_file *m, struct cgroup_css *css)
{
	int weight = (int)READ_ONCE(cpu_of(css)->weight), best = MAX_NICE, least = INT_MAX;

	for (int nice = MIN_NICE; nice <= MAX_NICE; nice++) {
		int off = abs((int)weight_of_nice(nice) - weight);

		if (off < least) {
			least = off;
			best = nice;
		}
	}
	seq_printf(m, "%d\n", best);
	return 0;
}

static int weight_nice_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	int nice, err = kstrtoint(text, 0, &nice);

	if (err)
		return err;
	if (nice < MIN_NICE || nice > MAX_NICE)
		return -ERANGE;
	set_weight(cpu_of(css), weight_of_nice(nice));
	return 0;
}

/* ---- bandwidth: microseconds in the files, ns in the scheduler ---- */

static int set_bandwidth(struct cpu_css *cpu, const struct sched_group_bandwidth *bw)
{
	u64 quota = bw->quota;

	if (bw->period < PERIOD_MIN_US * NSEC_PER_USEC || bw->period > PERIOD_MAX_US * NSEC_PER_USEC)
		return -EINVAL;
	if (quota != SCHED_NO_QUOTA && (quota < PERIOD_MIN_US * NSEC_PER_USEC || quota > QUOTA_MAX_NS ||
					bw->burst > quota || bw->burst + quota > QUOTA_MAX_NS))
		return -EINVAL;
	sched_group_set_bandwidth(cpu->group, bw);
	return 0;
}

static int max_show(struct seq_file *m, struct cgroup_css *css)
{
	struct sched_group_bandwidth bw;

	sched_group_get_bandwidth(cpu_of(css)->group, &bw);
	if (bw.quota == SCHED_NO_QUOTA)
		seq_printf(m, "max %llu\n", bw.period / NSEC_PER_USEC);
	else
		seq_printf(m, "%llu %llu\n", bw.quota / NSEC_PER_USEC, bw.period / NSEC_PER_USEC);
	return 0;
}

/* "max" or "QUOTA", and perhaps " PERIOD". */
static int max_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	struct cpu_css *cpu = cpu_of(css);
	struct sched_group_bandwidth bw;
	u64 quota = 0, period;
	char *word = strsep(&text, " ");
	int err = cgroup_parse_max(word, SCHED_NO_QUOTA, &quota);

	mutex_lock(&cgroup_mutex);
	sched_group_get_bandwidth(cpu->group, &bw);
	period = bw.period / NSEC_PER_USEC;
	if (!err && text && *text)
		err = kstrtoull(text, 0, &period);
	if (err || period > PERIOD_MAX_US || (quota != SCHED_NO_QUOTA && quota > QUOTA_MAX_NS / NSEC_PER_USEC)) {
		err = -EINVAL;
	} else {
		bw.quota = quota == SCHED_NO_QUOTA ? quota : quota * NSEC_PER_USEC;
		bw.period = period * NSEC_PER_USEC;
		err = set_bandwidth(cpu, &bw);
	}
	mutex_unlock(&cgroup_mutex);
	return err;
}

static int burst_show(struct seq_file *m, struct cgroup_css *css)
{
	struct sched_group_bandwidth bw;

	sched_group_get_bandwidth(cpu_of(css)->group, &bw);
	seq_printf(m, "%llu\n", bw.burst / NSEC_PER_USEC);
	return 0;
}

static int burst_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	struct cpu_css *cpu = cpu_of(css);
	struct sched_group_bandwidth bw;
	u64 burst;
	int err = kstrtoull(text, 0, &burst);

	if (err)
		return err;
	if (burst > U64_MAX / NSEC_PER_USEC)
		return -EINVAL;
	mutex_lock(&cgroup_mutex);
	sched_group_get_bandwidth(cpu->group, &bw);
	bw.burst = burst * NSEC_PER_USEC;
	err = set_bandwidth(cpu, &bw);
	mutex_unlock(&cgroup_mutex);
	return err;
}

static const struct cftype cpu_files[] = {
	{ .name = "cpu.weight", .flags = CFT_NOT_ON_ROOT, .show = weight_show, .write = weight_write },
	{ .name = "cpu.weight.nice", .flags = CFT_NOT_ON_ROOT, .show = weight_nice_show, .write = weight_nice_write },
	{ .name = "cpu.max", .flags = CFT_NOT_ON_ROOT, .show = max_show, .write = max_write },
	{ .name = "cpu.max.burst", .flags = CFT_NOT_ON_ROOT, .show = burst_show, .write = burst_write },
	{ }
};

const struct cgroup_subsys cpu_subsys = {
	.name = "cpu", .threaded = true, .alloc = cpu_alloc, .free = cpu_free, .move = cpu_move, .files = cpu_files,
};
