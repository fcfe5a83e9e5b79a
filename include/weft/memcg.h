/*
 * memcg.h: a group's part of the memory controller: what it has, what it may have, and its lists of pages.
 *
 * Idea:    a charge counts at the group and at all above it that have the controller; limits are looked at on each level.  A
 *          level whose count is not 0 holds one reference on its css, so a removed group stays, with its pages on its own
 *          lists, until the last of them is freed.  (Charges are not handed to the parent: that would mean to find all pages.)
 *          What passes often passes through a stock of each CPU (memcontrol.c).
 *
 *              page->memcg ---> mem_cgroup --css.parent--> mem_cgroup --> ... --> NULL: the root, which counts nothing
 *                                 lruvec[zone]
 *
 * Locking: counters are atomic.  Limits are words, read without a lock.  memcg_lock (a leaf but for css counts) guards the
 *          list of all groups.  Each lruvec has its lru_lock.
 * See:     memcontrol.h; kernel/mm/memcontrol.c, kernel/cgroup/memory.c; doc/cgroups.md
 */
#ifndef WEFT_MEMCG_H
#define WEFT_MEMCG_H

#include <weft/atomic.h>
#include <weft/cgroup.h>
#include <weft/list.h>
#include <weft/memcontrol.h>
#include <weft/mmzone.h>

#define MEMCG_NO_LIMIT	((unsigned long)LONG_MAX / PAGE_SIZE)	/* pages */

enum memcg_resource { MEMCG_MEMORY, MEMCG_SWAP, MEMCG_RESOURCES };

/* One resource of one group, in pages. */
struct memcg_counter {
	atomic_long_t		pages;		/* of the group and of all below, in the stocks of CPUs as well */
	unsigned long		max;		/* [-] word */
	unsigned long		high;		/* [-] word */
	unsigned long		peak;		/* [-] the most there were, give or take a race */
};

/* memory.events and memory.swap.events */
enum memcg_event {
	MEMCG_LOW, MEMCG_HIGH, MEMCG_MAX, MEMCG_OOM, MEMCG_OOM_KILL, MEMCG_OOM_GROUP_KILL,
	MEMCG_SWAP_HIGH, MEMCG_SWAP_MAX, MEMCG_SWAP_FAIL, MEMCG_EVENTS
};

/* What one CPU has counted. */
struct memcg_cpu {
	atomic_long_t		node[NR_VM_NODE_STAT_ITEMS];	/* [a] as in vm_counters */
	atomic_long_t		event[NR_VM_EVENT_ITEMS];
} ____cacheline_aligned;

struct mem_cgroup {
	struct cgroup_css	css;
	u16			id;		/* [I] names it in swap maps; 0: nobody */
	bool			offline;	/* [-] set once: the group was removed, nothing may stay in stocks */
	bool			oom_group;	/* [-] word: the whole group dies, or nobody */
	struct list_head	node;		/* [memcg_lock] all groups */
	struct memcg_counter	counter[MEMCG_RESOURCES];
	unsigned long		min, low;	/* [-] words: pages that reclaim leaves; ... while there are others */
	atomic_long_t		events[MEMCG_EVENTS], events_local[MEMCG_EVENTS];	/* with those below; its own */
	struct memcg_cpu	*cpu;		/* [I] by CPU */
	struct lruvec		*lruvec[MAX_NUMNODES * MAX_NR_ZONES];	/* [I] by zone_id(); NULL: no such zone */
};

static inline struct mem_cgroup *memcg_of_css(struct cgroup_css *css)
{
	return css ? container_of(css, struct mem_cgroup, css) : NULL;
}
static inline struct mem_cgroup *memcg_parent(const struct mem_cgroup *memcg) { return memcg_of_css(memcg->css.parent); }
/* The running task's or p's; NULL: it is in none.  RCU. */
static inline struct mem_cgroup *task_memcg(const struct task_struct *p)
{
	return memcg_of_css(task_css(p, CGROUP_MEMORY));
}
static inline unsigned long memcg_pages(const struct mem_cgroup *memcg, enum memcg_resource which)
{
	return (unsigned long)max(atomic_long_read(&memcg->counter[which].pages), 0L);
}
bool memcg_is_below(const struct mem_cgroup *memcg, const struct mem_cgroup *top);	/* or top itself; NULL: all are */

/* ---- memcontrol.c: for kernel/cgroup/memory.c ---- */
struct mem_cgroup *mem_cgroup_alloc(void);			/* ERR_PTR.  May sleep */
void mem_cgroup_online(struct mem_cgroup *memcg);		/* it can get charges and be reclaimed from */
void mem_cgroup_offline(struct mem_cgroup *memcg);
void mem_cgroup_free(struct mem_cgroup *memcg);			/* may sleep */
/* Reclaims, and kills at last, until no more than max is used, nobody is left to kill, or a signal comes. */
void mem_cgroup_set_max(struct mem_cgroup *memcg, unsigned long max);
void memcg_event(struct mem_cgroup *memcg, enum memcg_event event);	/* any context */

unsigned long mem_cgroup_reclaim(struct mem_cgroup *memcg, unsigned long nr);	/* pages freed, of nr wanted.  May sleep */

/* ---- memcg_stat.c: sums over the group and all below ---- */
long memcg_state(struct mem_cgroup *memcg, enum node_stat_item item);	/* LRU sizes as well */
unsigned long memcg_events_sum(struct mem_cgroup *memcg, enum vm_event_item item);

/*
 * All groups at or below top (NULL: all), removed ones too, each with a reference; start with pos NULL.  Who leaves the loop
 * early gives pos back (css_put).  May sleep between two of them.
 */
struct mem_cgroup *memcg_next(const struct mem_cgroup *top, struct mem_cgroup *pos);
#define for_each_memcg(pos, top) for (pos = memcg_next(top, NULL); pos; pos = memcg_next(top, pos))

/* ---- memcg_swap.c ---- */
unsigned long memcg_swap_room(const struct mem_cgroup *memcg);

/* ---- vmscan.c ---- */
/* Pages freed in the group and below.  May sleep. */
unsigned long try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, unsigned long nr, gfp_t gfp, bool may_swap);

#endif
