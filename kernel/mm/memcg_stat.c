/*
 * memcg_stat.c: a group's memory in numbers.
 *
 * Idea:    each CPU has counters of its own for each group, so counting is one addition to a cache line that nobody else
 *          writes.  They count for the one group only: who reads adds up the CPUs, and the groups below.  Reading is rare.
 *          When a removed group is freed its gauges are 0 and its events are added to the parent's, so sums never fall.
 * Locking: none: atomic additions (a task may be moved to another CPU in the middle).
 * See:     memcontrol.h; vmstat.c does the same for the machine; kernel/cgroup/memory.c shows it
 */
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/memcg.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include "internal.h"
#include "memcg_internal.h"

static struct memcg_cpu *this_cpu_part(struct mem_cgroup *memcg)
{
	return &memcg->cpu[raw_smp_processor_id()];
}

void __mod_memcg_state(struct mem_cgroup *memcg, enum node_stat_item item, long delta)
{
	atomic_long_add(delta, &this_cpu_part(memcg)->node[item]);
}

void __count_memcg_event(struct mem_cgroup *memcg, enum vm_event_item item, unsigned long nr)
{
	atomic_long_add((long)nr, &this_cpu_part(memcg)->event[item]);
}

void __count_memcg_current(enum vm_event_item item)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = task_memcg(current);
	if (memcg)
		__count_memcg_event(memcg, item, 1);
	rcu_read_unlock();
}

/* ---- sums ---- */

static long own_lru_pages(const struct mem_cgroup *memcg, enum lru_list lru)
{
	struct zone *zone;
	long sum = 0;

	for_each_populated_zone(zone)
		sum += (long)READ_ONCE(memcg->lruvec[zone_id(zone)]->nr[lru]);
	return sum;
}

static long own_state(const struct mem_cgroup *memcg, enum node_stat_item item)
{
	long sum = 0;
	int cpu;

	if (item >= NR_LRU_BASE && item < NR_LRU_BASE + NR_LRU_LISTS)
		return own_lru_pages(memcg, (enum lru_list)(item - NR_LRU_BASE));
	for_each_possible_cpu(cpu)
		sum += atomic_long_read(&memcg->cpu[cpu].node[item]);
	return sum;
}

static unsigned long own_events(const struct mem_cgroup *memcg, enum vm_event_item item)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += (unsigned long)atomic_long_read(&memcg->cpu[cpu].event[item]);
	return sum;
}

long memcg_state(struct mem_cgroup *memcg, enum node_stat_item item)
{
	struct mem_cgroup *pos;
	long sum = 0;

	for_each_memcg(pos, memcg)
		sum += own_state(pos, item);
	return max(sum, 0L);			/* a page may be counted off before it is counted on */
}

unsigned long memcg_events_sum(struct mem_cgroup *memcg, enum vm_event_item item)
{
	struct mem_cgroup *pos;
	unsigned long sum = 0;

	for_each_memcg(pos, memcg)
		sum += own_events(pos, item);
	return sum;
}

void memcg_stat_inherit(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = memcg_parent(memcg);

	for (enum node_stat_item i = 0; i < NR_VM_NODE_STAT_ITEMS; i++)
		WARN_ON_ONCE(own_state(memcg, i));
	for (enum vm_event_item i = 0; parent && i < NR_VM_EVENT_ITEMS; i++)
		__count_memcg_event(parent, i, own_events(memcg, i));
}

/* ---- memory.events ---- */

static enum cgroup_event file_of(enum memcg_event event)
{
	return event >= MEMCG_SWAP_HIGH ? CGROUP_EVENT_SWAP : CGROUP_EVENT_MEMORY;
}

/* Here and at all above it, who are told. */
void memcg_event(struct mem_cgroup *memcg, enum memcg_event event)
{
	atomic_long_inc(&memcg->events_local[event]);
	if (file_of(event) == CGROUP_EVENT_MEMORY)
		css_notify(&memcg->css, CGROUP_EVENT_MEMORY_LOCAL);
	for (; memcg; memcg = memcg_parent(memcg)) {
		atomic_long_inc(&memcg->events[event]);
		css_notify(&memcg->css, file_of(event));
	}
}
