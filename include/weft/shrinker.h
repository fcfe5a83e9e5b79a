/*
 * shrinker.h: how a cache gives memory back when it is short.
 *
 * Idea:    the lower room (mm) calls the higher ones through this table: count_objects() says how many could go (0: none),
 *          scan_objects() frees up to nr_to_scan and says how many went, or SHRINK_STOP.
 * See:     kernel/mm/shrinker.c or oom_kill.c
 */
#ifndef WEFT_SHRINKER_H
#define WEFT_SHRINKER_H

#include <weft/types.h>
#include <weft/list.h>

struct shrink_control {
	gfp_t		gfp_mask;
	int		nid;
	unsigned long	nr_to_scan;
	unsigned long	nr_scanned;
};

#define SHRINK_STOP	(~0UL)
#define SHRINK_EMPTY	(~0UL - 1)
#define DEFAULT_SEEKS	2

struct shrinker {
	unsigned long (*count_objects)(struct shrinker *s, struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *s, struct shrink_control *sc);
	long		batch;
	int		seeks;
	struct list_head list;
};

int register_shrinker(struct shrinker *shrinker);
void unregister_shrinker(struct shrinker *shrinker);

#endif
