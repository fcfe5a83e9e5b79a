/*
 * shrinker.h: how a cache of kernel objects (dentries, inodes) is asked to give memory back.
 *
 * Use:     count_objects says how many could be freed; scan_objects frees up to nr_to_scan and says how many it did, or
 *          SHRINK_STOP when it cannot now.  Both run in the context of whoever needs memory: without __GFP_FS in gfp_mask
 *          they must not take file-system locks.
 * Locking: shrinker_rwsem guards the list; it is held for reading around the calls.
 * See:     kernel/mm/vmscan.c
 */
#ifndef WEFT_SHRINKER_H
#define WEFT_SHRINKER_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/list.h>

struct shrink_control {
	gfp_t			gfp_mask;
	unsigned long		nr_to_scan;
	unsigned long		nr_scanned;	/* set by scan_objects, when it is not nr_to_scan */
	int			nid;
};

#define SHRINK_STOP	(~0UL)
#define SHRINK_EMPTY	(~0UL - 1)
#define DEFAULT_SEEKS	2			/* reads that it takes to make an object again */

struct shrinker {
	unsigned long		(*count_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned long		(*scan_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	int			seeks;
	long			batch;		/* 0: 128 */
	unsigned int		flags;
	atomic_long_t		nr_deferred;	/* [a] asked for, but not done: the caller may not, or a rest of a batch */
	struct list_head	list;		/* [shrinker_rwsem] */
};

int register_shrinker(struct shrinker *shrinker);	/* 0 */
#define register_shrinker_named(s, fmt...) register_shrinker(s)
void unregister_shrinker(struct shrinker *shrinker);

#endif
