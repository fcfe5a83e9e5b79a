/*
 * vmstat.c: the memory manager in numbers.
 *
 * What:    sums of the per-CPU counters, what sysinfo(2) and /proc/meminfo show, and the files /proc/vmstat, zoneinfo,
 *          buddyinfo.
 * Idea:    a page on a CPU's list is as free as one in the buddy system, so it is counted as free here; a test can then
 *          compare free memory before and after without waiting.
 * Locking: none: sums of what changes while it is read.  buddyinfo takes each zone's lock for its line.
 * See:     include/weft/vmstat.h; proc(5)
 */
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/gfp.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/string.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <uapi/sysinfo.h>
#include "internal.h"
#include "page_alloc.h"

DEFINE_PER_CPU(struct vm_counters, vm_counters);

static const char *const node_stat_names[NR_VM_NODE_STAT_ITEMS] = {
	[NR_FILE_PAGES] = "nr_file_pages", [NR_SHMEM] = "nr_shmem", [NR_ANON_MAPPED] = "nr_anon_pages",
	[NR_FILE_MAPPED] = "nr_mapped", [NR_FILE_DIRTY] = "nr_dirty", [NR_WRITEBACK] = "nr_writeback",
	[NR_SLAB_RECLAIMABLE] = "nr_slab_reclaimable", [NR_SLAB_UNRECLAIMABLE] = "nr_slab_unreclaimable",
	[NR_PAGETABLE] = "nr_page_table_pages", [NR_KERNEL_STACK_KB] = "nr_kernel_stack", [NR_VMALLOC] = "nr_vmalloc",
	[NR_INACTIVE_ANON] = "nr_inactive_anon", [NR_ACTIVE_ANON] = "nr_active_anon",
	[NR_INACTIVE_FILE] = "nr_inactive_file", [NR_ACTIVE_FILE] = "nr_active_file",
	[NR_UNEVICTABLE] = "nr_unevictable", [NR_MLOCK] = "nr_mlock", [NR_SWAPCACHE] = "nr_swapcached",
	[NR_ANON_THPS] = "nr_anon_transparent_hugepages",
};
static const char *const event_names[NR_VM_EVENT_ITEMS] = {
	[PGALLOC] = "pgalloc", [PGFREE] = "pgfree", [PGFAULT] = "pgfault", [PGMAJFAULT] = "pgmajfault", [PGPGIN] = "pgpgin",
	[PGPGOUT] = "pgpgout", [PGSCAN_DIRECT] = "pgscan_direct", [PGSTEAL_DIRECT] = "pgsteal_direct",
	[SLABS_SCANNED] = "slabs_scanned", [ALLOCSTALL] = "allocstall", [OOM_KILL] = "oom_kill",
	[DROP_PAGECACHE] = "drop_pagecache", [DROP_SLAB] = "drop_slab", [FRESH_CHUNK] = "fresh_chunk",
	[PGSCAN_KSWAPD] = "pgscan_kswapd", [PGSTEAL_KSWAPD] = "pgsteal_kswapd", [PGSCAN_ANON] = "pgscan_anon",
	[PGSCAN_FILE] = "pgscan_file", [PGSTEAL_ANON] = "pgsteal_anon", [PGSTEAL_FILE] = "pgsteal_file",
	[PGACTIVATE] = "pgactivate", [PGDEACTIVATE] = "pgdeactivate", [PGROTATED] = "pgrotated", [PGLAZYFREE] = "pglazyfree",
	[PGLAZYFREED] = "pglazyfreed", [WORKINGSET_REFAULT] = "workingset_refault_file",
	[WORKINGSET_ACTIVATE] = "workingset_activate_file", [RECLAIM_THROTTLED] = "reclaim_throttled",
	[PAGEOUTRUN] = "pageoutrun",
	[KSWAPD_WAKE] = "kswapd_wake", [PSWPIN] = "pswpin", [PSWPOUT] = "pswpout", [SWAP_RA] = "swap_ra",
	[SWAP_RA_HIT] = "swap_ra_hit", [SWPOUT_ZERO] = "swpout_zero", [SWPIN_ZERO] = "swpin_zero",
	[UNEVICTABLE_CULLED] = "unevictable_pgs_culled", [UNEVICTABLE_RESCUED] = "unevictable_pgs_rescued",
	[PGMIGRATE_SUCCESS] = "pgmigrate_success", [PGMIGRATE_FAIL] = "pgmigrate_fail",
	[COMPACT_STALL] = "compact_stall", [COMPACT_SUCCESS] = "compact_success", [COMPACT_FAIL] = "compact_fail",
	[THP_FAULT_ALLOC] = "thp_fault_alloc", [THP_FAULT_FALLBACK] = "thp_fault_fallback",
	[THP_COLLAPSE_ALLOC] = "thp_collapse_alloc", [THP_COLLAPSE_ALLOC_FAILED] = "thp_collapse_alloc_failed",
	[THP_SPLIT_PMD] = "thp_split_pmd",
};

/* ---- sums ---- */

/* The lists count themselves. */
static unsigned long all_lru_pages(enum lru_list lru)
{
	unsigned long sum = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		sum += zone_lru_pages(zone, lru);
	return sum;
}

unsigned long global_node_page_state(enum node_stat_item item)
{
	long sum = 0;
	int cpu;

	if (item >= NR_LRU_BASE && item < NR_LRU_BASE + NR_LRU_LISTS)
		return all_lru_pages((enum lru_list)(item - NR_LRU_BASE));
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(vm_counters, cpu).node[item]);
	return sum > 0 ? (unsigned long)sum : 0;
}

static DEFINE_PER_CPU(unsigned long, numa_events[MAX_NUMNODES][NR_NUMA_STAT_ITEMS]);

void count_numa_event(int nid, enum numa_stat_item item) { this_cpu_inc(numa_events[nid][item]); }

/* With one node nothing is counted: all that was allocated came from where it was wished. */
unsigned long sum_numa_events(int nid, enum numa_stat_item item)
{
	unsigned long sum = 0;
	int cpu;

	if (!numa_enabled())
		return item == NUMA_HIT || item == NUMA_LOCAL ? sum_vm_event(PGALLOC) : 0;
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(numa_events, cpu)[nid][item]);
	return sum;
}

unsigned long sum_vm_event(enum vm_event_item item)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(vm_counters, cpu).event[item]);
	return sum;
}

static unsigned long zone_pcp_pages(const struct zone *zone)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += (unsigned long)READ_ONCE(per_cpu_ptr(zone->pageset, cpu)->count);
	return sum;
}

unsigned long nr_free_pages(void)
{
	unsigned long sum = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		sum += zone_free_pages(zone) + zone_pcp_pages(zone);
	return sum;
}

unsigned long totalram_pages(void)
{
	unsigned long sum = 0;
	struct zone *zone;

	for_each_zone(zone)
		sum += zone_managed_pages(zone);
	return sum;
}

static unsigned long sum_watermarks(enum zone_watermarks mark)
{
	unsigned long sum = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		sum += zone->watermark[mark];
	return sum;
}

/* Free memory above the reserves, plus half of what could be reclaimed. */
long si_mem_available(void)
{
	unsigned long reserve = sum_watermarks(WMARK_LOW);
	long available = (long)nr_free_pages() - (long)reserve;
	unsigned long reclaimable = global_node_page_state(NR_INACTIVE_FILE) +
		global_node_page_state(NR_ACTIVE_FILE) + global_node_page_state(NR_SLAB_RECLAIMABLE);

	available += (long)(reclaimable - min(reclaimable / 2, reserve));
	return max(available, 0L);
}

void si_meminfo(struct sysinfo *val)
{
	val->totalram = totalram_pages();
	val->freeram = nr_free_pages();
	val->sharedram = global_node_page_state(NR_SHMEM);
	val->bufferram = 0;
	val->totalhigh = val->freehigh = 0;
	val->totalswap = total_swap_pages();
	val->freeswap = get_nr_swap_pages();
	val->mem_unit = PAGE_SIZE;
}

void si_meminfo_pages(struct sysinfo_pages *i)
{
	i->total = totalram_pages();
	i->free = nr_free_pages();
	i->available = (unsigned long)si_mem_available();
	i->cached = global_node_page_state(NR_FILE_PAGES);
	i->anon = global_node_page_state(NR_ANON_MAPPED);
	i->mapped = global_node_page_state(NR_FILE_MAPPED);
	i->shmem = global_node_page_state(NR_SHMEM);
	i->active_anon = global_node_page_state(NR_ACTIVE_ANON);
	i->inactive_anon = global_node_page_state(NR_INACTIVE_ANON);
	i->active_file = global_node_page_state(NR_ACTIVE_FILE);
	i->inactive_file = global_node_page_state(NR_INACTIVE_FILE);
	i->swap_cached = global_node_page_state(NR_SWAPCACHE);
	i->swap_total = total_swap_pages();
	i->swap_free = get_nr_swap_pages();
	i->slab_reclaimable = global_node_page_state(NR_SLAB_RECLAIMABLE);
	i->slab = i->slab_reclaimable + global_node_page_state(NR_SLAB_UNRECLAIMABLE);
	i->anon_huge = global_node_page_state(NR_ANON_THPS) << (PMD_SHIFT - PAGE_SHIFT);
	i->page_tables = global_node_page_state(NR_PAGETABLE);
	i->kernel_stack_kb = global_node_page_state(NR_KERNEL_STACK_KB);
	i->dirty = global_node_page_state(NR_FILE_DIRTY);
	i->writeback = global_node_page_state(NR_WRITEBACK);
}

void count_node_pages(int nid, struct node_pages *p)
{
	struct zone *zone;
	enum lru_list lru;

	memset(p, 0, sizeof(*p));
	for_each_node_zone(zone, NODE_DATA(nid)) {
		p->total += zone_managed_pages(zone);
		p->free += zone_free_pages(zone) + zone_pcp_pages(zone);
		for_each_lru(lru)
			p->lru[lru] += zone_lru_pages(zone, lru);
	}
}

/* ---- /proc ---- */

static int vmstat_show(struct seq_file *m, void *v)
{
	seq_printf(m, "nr_free_pages %lu\n", nr_free_pages());
	for (int i = 0; i < NR_VM_NODE_STAT_ITEMS; i++)
		seq_printf(m, "%s %lu\n", node_stat_names[i], global_node_page_state(i));
	for (int i = 0; i < NR_VM_EVENT_ITEMS; i++) {
		bool sectors = i == PGPGIN || i == PGPGOUT;	/* shown as KiB, ABI */

		seq_printf(m, "%s %lu\n", event_names[i], sum_vm_event(i) >> sectors);
	}
	return 0;
}

static int buddyinfo_show(struct seq_file *m, void *v)
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned long blocks[MAX_ORDER];

		spin_lock_irq(&zone->lock);
		for (int order = 0; order < MAX_ORDER; order++)
			blocks[order] = zone->free_area[order].nr_free;
		/* What has no struct pages yet will come as the largest blocks. */
		blocks[MAX_ORDER - 1] += zone->fresh_pages / MAX_ORDER_NR_PAGES;
		spin_unlock_irq(&zone->lock);
		seq_printf(m, "Node %d, zone %8s ", zone->node, zone->name);
		for (int order = 0; order < MAX_ORDER; order++)
			seq_printf(m, "%6lu ", blocks[order]);
		seq_putc(m, '\n');
	}
	return 0;
}

static void show_pagesets(struct seq_file *m, const struct zone *zone)
{
	int cpu;

	seq_puts(m, "\n  pagesets");
	for_each_online_cpu(cpu) {
		const struct per_cpu_pages *pcp = per_cpu_ptr(zone->pageset, cpu);

		seq_printf(m, "\n    cpu: %d\n              count: %d\n              high:  %d\n              batch: %d", cpu,
			   READ_ONCE(pcp->count), pcp->high, pcp->batch);
	}
}

static int zoneinfo_show(struct seq_file *m, void *v)
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		seq_printf(m, "Node %d, zone %8s\n  pages free     %lu\n        min      %lu\n        low      %lu\n"
			      "        high     %lu\n        spanned  %lu\n        present  %lu\n        managed  %lu\n"
			      "        fresh    %lu\n        protection: (%lu, %lu)",
			   zone->node, zone->name, zone_free_pages(zone), zone->watermark[WMARK_MIN],
			   zone->watermark[WMARK_LOW],
			   zone->watermark[WMARK_HIGH], zone->spanned_pages, zone->present_pages, zone_managed_pages(zone),
			   READ_ONCE(zone->fresh_pages), zone->lowmem_reserve[0], zone->lowmem_reserve[1]);
		seq_printf(m, "\n      nr_inactive_anon %lu\n      nr_active_anon %lu\n      nr_inactive_file %lu"
			      "\n      nr_active_file %lu", zone_lru_pages(zone, LRU_INACTIVE_ANON),
			   zone_lru_pages(zone, LRU_ACTIVE_ANON), zone_lru_pages(zone, LRU_INACTIVE_FILE),
			   zone_lru_pages(zone, LRU_ACTIVE_FILE));
		show_pagesets(m, zone);
		seq_printf(m, "\n  start_pfn:           %lu\n", zone->zone_start_pfn);
	}
	return 0;
}

static int min_free_handler(const struct ctl_table *table, int write, char *buf, size_t *len)
{
	int err = proc_doulongvec_minmax(table, write, buf, len);

	if (!err && write)
		setup_per_zone_wmarks();
	return err;
}

static const unsigned long min_free_least = 128, min_free_most = 1024 * 1024;
static const struct ctl_table vm_table[] = {
	{ .procname = "min_free_kbytes", .data = &min_free_kbytes, .maxlen = sizeof(min_free_kbytes), .mode = 0644,
	  .handler = min_free_handler, .extra1 = &min_free_least, .extra2 = &min_free_most },
	{ }
};

static int __init vmstat_proc_init(void)
{
	proc_create_single("vmstat", 0444, NULL, vmstat_show);
	proc_create_single("buddyinfo", 0444, NULL, buddyinfo_show);
	proc_create_single("zoneinfo", 0444, NULL, zoneinfo_show);
	return register_sysctl("vm", vm_table);
}
fs_initcall(vmstat_proc_init);
