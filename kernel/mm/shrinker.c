/*
 * shrinker.c: getting memory back from those who only keep it in case it is needed again.
 *
 * Idea:    caches of kernel objects (dentries, inodes) register a shrinker.  Reclaim asks each for
 *          a share of what it has, the same share that it looks at of the pages (2^-priority), so that caches and pages age
 *          alike.  What a shrinker could not do is remembered and asked for again.
 * Locking: shrinker_rwsem guards the list; held for reading around the calls, taken with trylock, because a shrinker may
 *          itself be waiting for memory.
 * Context: may sleep.
 * See:     spec.md §6; vmscan.c
 */
#include <weft/kernel.h>
#include <weft/gfp.h>
#include <weft/proc_fs.h>
#include <weft/rwsem.h>
#include <weft/sched.h>
#include <weft/shrinker.h>
#include <weft/slab.h>
#include <weft/vmstat.h>
#include "internal.h"

#define SHRINK_BATCH	128

static LIST_HEAD(shrinker_list);
static DECLARE_RWSEM(shrinker_rwsem);

int register_shrinker(struct shrinker *shrinker)
{
	down_write(&shrinker_rwsem);
	list_add_tail(&shrinker->list, &shrinker_list);
	up_write(&shrinker_rwsem);
	return 0;
}

void unregister_shrinker(struct shrinker *shrinker)
{
	down_write(&shrinker_rwsem);
	list_del_init(&shrinker->list);
	up_write(&shrinker_rwsem);
}

/*
 * How many objects to look at: the same share as of the pages at this priority, more of those that are cheap to make again;
 * and what was left undone before, but not so much that a cache is emptied by requests that could not shrink it.
 */
static unsigned long objects_to_scan(struct shrinker *shrinker, unsigned long have, unsigned int priority)
{
	unsigned long deferred = (unsigned long)atomic_long_xchg(&shrinker->nr_deferred, 0), delta;

	delta = shrinker->seeks ? (have >> priority) * 4 / (unsigned long)shrinker->seeks : have / 2;
	return min((deferred >> priority) + delta, 2 * have);
}

/* Objects that one shrinker freed.  It looks at whole batches; the rest is for the next time, unless that is all it has. */
static unsigned long shrink_one(struct shrinker *shrinker, gfp_t gfp, unsigned int priority)
{
	struct shrink_control sc = { .gfp_mask = gfp };
	unsigned long batch = shrinker->batch ? (unsigned long)shrinker->batch : SHRINK_BATCH;
	unsigned long have = shrinker->count_objects(shrinker, &sc), freed = 0, total;

	if (!have || have == SHRINK_EMPTY)
		return 0;
	total = objects_to_scan(shrinker, have, priority);
	while (total >= batch || (total && total >= have)) {
		unsigned long n;

		sc.nr_to_scan = sc.nr_scanned = min(batch, total);
		n = shrinker->scan_objects(shrinker, &sc);
		if (n == SHRINK_STOP)
			break;
		freed += n;
		count_vm_events(SLABS_SCANNED, (long)sc.nr_scanned);
		total -= min(total, max(sc.nr_scanned, 1UL));
		cond_resched();
	}
	atomic_long_add((long)total, &shrinker->nr_deferred);
	return freed;
}

/* Objects freed by all shrinkers; 0 as well when somebody changes the list just now. */
unsigned long shrink_slab(gfp_t gfp, unsigned int priority)
{
	struct shrinker *shrinker;
	unsigned long freed = 0;

	if (!down_read_trylock(&shrinker_rwsem))
		return 0;
	list_for_each_entry(shrinker, &shrinker_list, list)
		freed += shrink_one(shrinker, gfp, priority);
	up_read(&shrinker_rwsem);
	return freed;
}

/* /proc/sys/vm/drop_caches: 1 clean pages of files, 2 kernel objects, 3 both. */
static int drop_caches_handler(const struct ctl_table *table, int write, char *buf, size_t *len)
{
	int err = proc_dointvec_minmax(table, write, buf, len);

	if (err || !write)
		return err;
	if (*(int *)table->data & 1) {
		shrink_lru(ULONG_MAX);
		count_vm_event(DROP_PAGECACHE);
	}
	if (*(int *)table->data & 2) {
		while (shrink_slab(GFP_KERNEL, 0) > 10 && !need_resched())
			cond_resched();
		slab_reclaim();
		count_vm_event(DROP_SLAB);
	}
	return 0;
}

static int drop_caches_value;
static const int one = 1, four = 4;
static const struct ctl_table vm_table[] = {
	{ .procname = "drop_caches", .data = &drop_caches_value, .maxlen = sizeof(int), .mode = 0200,
	  .handler = drop_caches_handler, .extra1 = &one, .extra2 = &four },
	{ }
};

static int __init shrinker_sysctl_init(void)
{
	return register_sysctl("vm", vm_table);
}
fs_initcall(shrinker_sysctl_init);
