/*
 * vmstat.h: counters of the memory manager.
 *
 * Idea:    each counter has a part on each CPU, changed by one instruction that any context may use; whoever wants the
 *          number adds the parts up.  A part may be negative (freed on another CPU), the sum is right.
 * See:     kernel/mm/vmstat.c: /proc/vmstat, /proc/zoneinfo, /proc/buddyinfo
 */
#ifndef WEFT_VMSTAT_H
#define WEFT_VMSTAT_H

#include <weft/types.h>
#include <weft/percpu.h>
#include <weft/mmzone.h>

struct vm_counters {
	long		node[NR_VM_NODE_STAT_ITEMS];
	unsigned long	event[NR_VM_EVENT_ITEMS];
};
DECLARE_PER_CPU(struct vm_counters, vm_counters);

static __always_inline void mod_node_state(enum node_stat_item item, long delta)
{
	this_cpu_add(vm_counters.node[item], delta);
}
static __always_inline void inc_node_state(enum node_stat_item item) { this_cpu_inc(vm_counters.node[item]); }
static __always_inline void dec_node_state(enum node_stat_item item) { this_cpu_dec(vm_counters.node[item]); }
#define mod_node_page_state(pgdat, item, delta)	mod_node_state(item, delta)
#define inc_node_page_state(page, item)		inc_node_state(item)
#define dec_node_page_state(page, item)		dec_node_state(item)
#define mod_lruvec_page_state(page, item, delta)	mod_node_state(item, delta)

static __always_inline void count_vm_event(enum vm_event_item item) { this_cpu_inc(vm_counters.event[item]); }
static __always_inline void count_vm_events(enum vm_event_item item, long delta)
{
	this_cpu_add(vm_counters.event[item], (unsigned long)delta);
}

unsigned long global_node_page_state(enum node_stat_item item);	/* the sum, never below 0 */
unsigned long sum_vm_event(enum vm_event_item item);
unsigned long nr_free_pages(void);
unsigned long totalram_pages(void);
long si_mem_available(void);				/* pages that programs could still get without swapping */

/* sysinfo(2) */
struct sysinfo;
void si_meminfo(struct sysinfo *val);

/* What is known by node, in pages. */
struct node_pages {
	unsigned long	total, free, lru[NR_LRU_LISTS];
};
void count_node_pages(int nid, struct node_pages *p);

/* /proc/meminfo; in pages unless the name says otherwise */
struct sysinfo_pages {
	unsigned long	swap_cached, swap_total, swap_free;
	unsigned long	total, free, available, cached, active_anon, inactive_anon, active_file, inactive_file, anon, mapped;
	unsigned long	shmem, slab, slab_reclaimable, anon_huge;
	unsigned long	page_tables, kernel_stack_kb, dirty, writeback;
};
void si_meminfo_pages(struct sysinfo_pages *i);

#endif
