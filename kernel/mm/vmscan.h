/*
 * vmscan.h: one run of reclaim, as its files see it.
 */
#ifndef MM_VMSCAN_H
#define MM_VMSCAN_H

#include <weft/gfp.h>
#include <weft/list.h>

struct scan_control {
	gfp_t		gfp;
	unsigned int	order;
	nodemask_t	nodes;			/* whose zones; 0: all */
	int		priority;		/* 2^-priority of each list is looked at; 0: all of it */
	unsigned long	nr_to_reclaim;		/* enough */
	bool		may_swap;
	bool		ignore_references;	/* MADV_PAGEOUT: whether used or not */
	bool		kswapd;
	unsigned long	unwritten;		/* pages met that are dirty or under write-back */
	unsigned long	scanned, reclaimed;
};

/* shrink_list.c */
unsigned long shrink_page_list(struct list_head *pages, struct scan_control *sc);
/* lru.c: the page was found used: its kind is worth more */
void note_rotated(const struct page *page);

#endif
