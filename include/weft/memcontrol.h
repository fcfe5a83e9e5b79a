/*
 * memcontrol.h: whose memory a page is: what the rest of the memory manager calls of the memory controller.
 *
 * What:    a page that a program gets (anonymous, of the page cache, of tmpfs, read from swap) is charged to the group of the
 *          task that touches it first, before anybody else can see the page, and stays that group's until it is freed.
 * Idea:    page->memcg names the group and is one of its charges; NULL: nobody's, as all pages of tasks outside of groups with
 *          the controller.  While there is no such group at all, a charge is one test of a global word, and the other calls
 *          are a test of page->memcg, which is NULL, or of PG_memcg, which says the same in the flags.
 * Locking: page->memcg is written by whoever has the page for himself: before it is on a list or in a cache, when its count is
 *          0, or when it is frozen and isolated (migrate.c).  So who holds a reference reads it without a lock.
 * See:     memcg.h for the group itself; kernel/mm/memcontrol.c; doc/cgroups.md "memory"
 */
#ifndef WEFT_MEMCONTROL_H
#define WEFT_MEMCONTROL_H

#include <weft/mm_types.h>
#include <weft/mmzone.h>
#include <weft/page-flags.h>
#include <weft/sched.h>
#include <weft/vmstat.h>

struct mem_cgroup;
struct oom_control;

extern bool memcg_in_use;			/* [r:memcg_lock] there are groups with the controller, removed ones as well */

/* nr single pages in a row.  0; -ENOMEM: a limit is reached and nothing can be done about it. */
int __mem_cgroup_charge(struct page *pages, unsigned long nr, gfp_t gfp);
void __mem_cgroup_uncharge(struct page *pages, unsigned long nr, bool anon);
void __mem_cgroup_charge_as(struct page *pages, unsigned long nr, const struct page *like);
void __mod_memcg_state(struct mem_cgroup *memcg, enum node_stat_item item, long delta);
void __count_memcg_event(struct mem_cgroup *memcg, enum vm_event_item item, unsigned long nr);
void __count_memcg_current(enum vm_event_item item);

/* Charges a page that nobody can see yet to the running task's group.  May sleep as gfp says; may kill in the group. */
static __always_inline int mem_cgroup_charge(struct page *page, gfp_t gfp)
{
	return likely(!data_race(memcg_in_use)) ? 0 : __mem_cgroup_charge(page, 1, gfp);
}
static __always_inline int mem_cgroup_charge_row(struct page *pages, unsigned long nr, gfp_t gfp)
{
	return likely(!data_race(memcg_in_use)) ? 0 : __mem_cgroup_charge(pages, nr, gfp);
}
/* The page's count is 0 and it is on no list.  Any context. */
static inline void mem_cgroup_uncharge(struct page *page)
{
	if (page->memcg)
		__mem_cgroup_uncharge(page, 1, PageAnon(page));
}
/* Pages that take over from one like this, over the limit if need be: the old ones are about to be freed. */
static __always_inline void mem_cgroup_charge_as(struct page *pages, unsigned long nr, const struct page *like)
{
	if (unlikely(like->memcg))
		__mem_cgroup_charge_as(pages, nr, like);
}
/* `from` is frozen and isolated, `to` nobody's yet: the charge goes with the contents. */
static __always_inline void mem_cgroup_migrate(struct page *from, struct page *to)
{
	to->memcg = from->memcg;
	to->flags |= from->flags & 1UL << PG_memcg;
	from->memcg = NULL;
	from->flags &= ~(1UL << PG_memcg);
}

/* Counts for the page's group. */
static __always_inline void mod_memcg_state(const struct page *page, enum node_stat_item item, long delta)
{
	if (unlikely(page->memcg))
		__mod_memcg_state(page->memcg, item, delta);
}
/* ... and for the machine. */
static __always_inline void mod_page_state(const struct page *page, enum node_stat_item item, long delta)
{
	mod_node_state(item, delta);
	mod_memcg_state(page, item, delta);
}
static __always_inline void inc_page_state(const struct page *page, enum node_stat_item item)
{
	mod_page_state(page, item, 1);
}
static __always_inline void dec_page_state(const struct page *page, enum node_stat_item item)
{
	mod_page_state(page, item, -1);
}
/* The machine has counted already: for the page's group, for the running task's. */
static __always_inline void count_memcg_page_event(const struct page *page, enum vm_event_item item)
{
	if (unlikely(page->memcg))
		__count_memcg_event(page->memcg, item, 1);
}
static __always_inline void count_memcg_current(enum vm_event_item item)
{
	if (unlikely(data_race(memcg_in_use)))
		__count_memcg_current(item);
}

/* On the way to user mode, nothing held: who has charged above memory.high reclaims, and waits for a while. */
void __mem_cgroup_handle_over_high(void);
static inline void mem_cgroup_handle_over_high(void)
{
	if (unlikely(current->memcg_over_high))
		__mem_cgroup_handle_over_high();
}

/* ---- OOM: oom_kill.c asks ---- */
bool mem_cgroup_has_task(const struct mem_cgroup *memcg, const struct task_struct *p);	/* RCU */
unsigned long mem_cgroup_oom_pages(const struct mem_cgroup *memcg);	/* that it can have at most */
/* Names the groups and counts.  memcg: whose limit it was, or NULL.  The victim's task_lock is held. */
void mem_cgroup_report_kill(struct mem_cgroup *memcg, struct task_struct *victim);
/* The uppermost group at or below memcg with memory.oom.group that has the victim, or NULL; counts the kill there.  RCU. */
struct mem_cgroup *mem_cgroup_oom_group(struct mem_cgroup *memcg, const struct task_struct *victim);
/* A fault has failed because of its group's limit, not for want of memory: it is to be taken again.  Asks once. */
bool mem_cgroup_fault_failed(void);

#endif
