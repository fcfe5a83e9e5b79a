/*
 * vmscan.h: one run of reclaim, as its files see it.
 */
#ifndef MM_VMSCAN_H
#define MM_VMSCAN_H

#include <weft/gfp.h>
#include <weft/list.h>

struct mem_cgroup;

#define SPARED_SHIFT	10
struct scan_control {
	gfp_t		gfp;
	unsigned int	order;
	nodemask_t	nodes;			/* whose zones; 0: all */
	struct mem_cgroup *memcg;		/* only what this group has, and those below it; NULL: all there is */
	int		priority;		/* 2^-priority of each list is looked at; 0: all of it */
	unsigned long	nr_to_reclaim;		/* enough */
	bool		may_swap;
	bool		reclaim_low;		/* memory.low does not hold any more: nothing else is left */
	bool		skipped_low;		/* some group was passed over because of it */
	bool		ignore_references;	/* MADV_PAGEOUT: whether used or not */
	bool		kswapd;
	unsigned long	spared;			/* 1 / 2^SPARED_SHIFT: the part of the group in hand that is protected */
	unsigned long	unwritten;		/* pages met that are dirty or under write-back */
	unsigned long	scanned, reclaimed;
};

/* memcg_protect.c: the group is to be left alone; if not, sc->spared says how much of it is */
bool memcg_spared(struct mem_cgroup *memcg, struct scan_control *sc);
/* shrink_list.c */
unsigned long shrink_page_list(struct list_head *pages, struct scan_control *sc);
/* lru.c: the page was found used: its kind is worth more */
void note_rotated(const struct page *page);

#endif
