/*
 * memcg_internal.h: what the files of the memory controller in kernel/mm show each other: memcontrol.c charges, memcg_stat.c
 * counts, memcg_high.c slows down who is above memory.high, memcg_swap.c charges slots.
 */
#ifndef MM_MEMCG_INTERNAL_H
#define MM_MEMCG_INTERNAL_H

#include <weft/memcg.h>
#include <weft/xarray.h>

/* ---- memcontrol.c ---- */
/* NULL, or the group whose limit does not allow it: then nothing is charged.  The caller keeps memcg alive. */
struct mem_cgroup *memcg_try_charge(struct mem_cgroup *memcg, enum memcg_resource which, unsigned long nr);
void memcg_uncharge(struct mem_cgroup *memcg, enum memcg_resource which, unsigned long nr);	/* any context */
struct mem_cgroup *get_current_memcg(void);	/* the running task's with a reference, or NULL */

/* Charges pages that nobody can see yet.  0 or -ENOMEM.  The caller holds memcg. */
int memcg_charge_pages(struct mem_cgroup *memcg, struct page *pages, unsigned long nr, gfp_t gfp);
extern struct xarray memcg_by_id;		/* RCU */

/* ---- memcg_high.c ---- */
void note_over_high(struct mem_cgroup *memcg);	/* the running task has charged to it */

/* ---- memcg_stat.c ---- */
void memcg_stat_inherit(struct mem_cgroup *memcg);	/* it goes: what happened in it happened in its parent */

#endif
