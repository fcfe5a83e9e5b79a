/*
 * numa.h: which memory is near to which processor.
 *
 * What:    nodes, their processors, and the distances between them (10 is "here", as the firmware's tables count).
 * Idea:    one word, nr_online_nodes, tells whether there is more than one; all that nodes cost hangs on that branch.
 *          A task or an area may have a policy: where its pages shall come from (mempolicy.c).
 * Locking: [I] all of it is known before the second processor starts.
 * See:     kernel/arch/x86/mm/numa.c (SRAT, SLIT), kernel/mm/mempolicy.c; doc/memory.md "Nodes"
 */
#ifndef WEFT_NUMA_H
#define WEFT_NUMA_H

#include <weft/mmzone.h>
#include <weft/smp.h>

#define LOCAL_DISTANCE		10
#define REMOTE_DISTANCE		20

struct cpumask;

extern int nr_online_nodes;
extern u8 cpu_node_map[];			/* by CPU */
static __always_inline bool numa_enabled(void) { return __builtin_expect(nr_online_nodes > 1, 0); }
static __always_inline int cpu_to_node(int cpu) { return cpu_node_map[cpu]; }
#define numa_node_id()		cpu_to_node(raw_smp_processor_id())
#define node_online_map		(~0UL >> (64 - nr_online_nodes))
#define for_each_online_node(nid)	for ((nid) = 0; (nid) < nr_online_nodes; (nid)++)

/* ---- kernel/arch/x86/mm/numa.c ---- */
void numa_init(void);				/* reads the tables; after ACPI's CPUs are known */
int early_pfn_to_nid(unsigned long pfn);	/* the node of a frame of RAM */
int node_distance(int from, int to);
void cpumask_of_node(int nid, struct cpumask *mask);

/* ---- counts of allocations, by node: numastat(8) ---- */
enum numa_stat_item {
	NUMA_HIT,				/* served here as was wished */
	NUMA_MISS,				/* served here, but another node was wished */
	NUMA_FOREIGN,				/* wished here, served elsewhere */
	NUMA_INTERLEAVE_HIT,			/* NUMA_HIT of an interleaved request */
	NUMA_LOCAL,				/* served here to a task that ran here */
	NUMA_OTHER,				/* served here to a task that ran elsewhere */
	NR_NUMA_STAT_ITEMS
};
void count_numa_event(int nid, enum numa_stat_item item);
unsigned long sum_numa_events(int nid, enum numa_stat_item item);

#endif
