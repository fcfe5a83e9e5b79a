/*
 * numa.c: which memory and which processors belong together, as the firmware tells.
 *
 * What:    SRAT lists processors (by APIC number) and ranges of memory, each with a "proximity domain"; SLIT is the matrix of
 *          distances between domains.  Domains get numbers from 0 in the order in which they are met: the nodes.
 * Idea:    without SRAT, with `numa=off`, or when it names more nodes than we can have, there is one node, and nothing else
 *          in the kernel has to know why.  Without SLIT every other node is 20 away.
 * Limits:  memory comes to the page allocator in chunks of 16 MiB (page_init.c), so a node's border is rounded to one.
 * Locking: [I] written by numa_init() on the boot CPU.
 * See:     spec.md §6 "NUMA"; ACPI 6.4 §5.2.16 (SRAT), §5.2.17 (SLIT); include/weft/numa.h; doc/memory.md
 */
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/numa.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/page.h>

#define MAX_BLOCKS	64

enum { SRAT_CPU = 0, SRAT_MEMORY = 1, SRAT_X2APIC_CPU = 2 };
#define SRAT_ENABLED	1

struct srat_cpu {
	u8	type, length, domain_low, apic_id;
	u32	flags;
	u8	sapic_eid, domain_high[3];
	u32	clock_domain;
} __packed;

struct srat_x2apic_cpu {
	u8	type, length;
	u16	reserved;
	u32	domain, apic_id, flags, clock_domain, reserved2;
} __packed;

struct srat_memory {
	u8	type, length;
	u32	domain;
	u16	reserved;
	u64	base, size;
	u32	reserved2, flags;
	u64	reserved3;
} __packed;
static_assert(sizeof(struct srat_cpu) == 16 && sizeof(struct srat_x2apic_cpu) == 24 && sizeof(struct srat_memory) == 40);

struct acpi_srat {
	struct acpi_table_header header;
	u32	table_revision, reserved[2];
	u8	entries[];
} __packed;

struct acpi_slit {
	struct acpi_table_header header;
	u64	localities;
	u8	distance[];
} __packed;

int nr_online_nodes __ro_after_init = 1;
u8 cpu_node_map[NR_CPUS] __ro_after_init;

static struct memory_block {
	unsigned long start_pfn;		/* up to the next one's start, or to the end */
	int nid;
} blocks[MAX_BLOCKS] __ro_after_init;
static unsigned int nr_blocks __ro_after_init;
static u32 domain_of[MAX_NUMNODES] __initdata;
static int nodes_found __initdata;
static u8 distances[MAX_NUMNODES][MAX_NUMNODES] __ro_after_init;
static bool numa_off __initdata;

static int __init parse_numa(char *value)
{
	numa_off = value && !strcmp(value, "off");
	return 0;
}
early_param("numa", parse_numa);

/* A domain that was not met before becomes the next node.  -1: there are too many. */
static int __init domain_to_node(u32 domain)
{
	for (int nid = 0; nid < nodes_found; nid++)
		if (domain_of[nid] == domain)
			return nid;
	if (nodes_found == MAX_NUMNODES)
		return -1;
	domain_of[nodes_found] = domain;
	return nodes_found++;
}

static bool __init add_cpu(u32 apic_id, u32 domain)
{
	int cpu, nid = domain_to_node(domain);

	for_each_possible_cpu(cpu)
		if (cpu_to_apicid[cpu] == apic_id && nid >= 0)
			cpu_node_map[cpu] = (u8)nid;
	return nid >= 0;
}

/* Kept sorted by address. */
static bool __init add_memory(u64 base, u64 size, u32 domain)
{
	int nid = domain_to_node(domain);
	unsigned int at = nr_blocks;

	if (nid < 0 || nr_blocks == MAX_BLOCKS)
		return false;
	if (!size)
		return true;
	for (; at && blocks[at - 1].start_pfn > base >> PAGE_SHIFT; at--)
		blocks[at] = blocks[at - 1];
	blocks[at] = (struct memory_block){ .start_pfn = base >> PAGE_SHIFT, .nid = nid };
	nr_blocks++;
	return true;
}

static bool __init parse_srat_entry(const u8 *p)
{
	const struct srat_cpu *cpu = (const void *)p;
	const struct srat_x2apic_cpu *x2apic = (const void *)p;
	const struct srat_memory *memory = (const void *)p;

	switch (p[0]) {
	case SRAT_CPU:
		return !(cpu->flags & SRAT_ENABLED) || add_cpu(cpu->apic_id, cpu->domain_low);
	case SRAT_X2APIC_CPU:
		return !(x2apic->flags & SRAT_ENABLED) || add_cpu(x2apic->apic_id, x2apic->domain);
	case SRAT_MEMORY:
		return !(memory->flags & SRAT_ENABLED) || add_memory(memory->base, memory->size, memory->domain);
	default:
		return true;
	}
}

/* False: there is none, or it makes no sense to us. */
static bool __init parse_srat(void)
{
	const struct acpi_srat *srat = (const void *)acpi_find_table("SRAT");
	const u8 *p, *end;

	if (!srat || numa_off)
		return false;
	end = (const u8 *)srat + srat->header.length;
	for (p = srat->entries; p + 2 <= end && p[1] >= 16 && p + p[1] <= end; p += p[1])
		if (!parse_srat_entry(p))
			return false;
	return nr_blocks > 0;
}

static void __init parse_slit(void)
{
	const struct acpi_slit *slit = (const void *)acpi_find_table("SLIT");

	for (int from = 0; from < nodes_found; from++)
		for (int to = 0; to < nodes_found; to++) {
			u8 d = from == to ? LOCAL_DISTANCE : REMOTE_DISTANCE;

			if (slit && domain_of[from] < slit->localities && domain_of[to] < slit->localities)
				d = slit->distance[domain_of[from] * slit->localities + domain_of[to]];
			distances[from][to] = d;
		}
}

void __init numa_init(void)
{
	distances[0][0] = LOCAL_DISTANCE;
	if (!parse_srat()) {
		memset(cpu_node_map, 0, NR_CPUS);
		nr_blocks = 0;
		return;
	}
	nr_online_nodes = nodes_found;
	parse_slit();
	if (nodes_found > 1)
		pr_info("NUMA: %d nodes\n", nodes_found);
}

/* Holes belong to the block before them. */
int early_pfn_to_nid(unsigned long pfn)
{
	unsigned int at = nr_blocks;

	while (at && blocks[at - 1].start_pfn > pfn)
		at--;
	return at ? blocks[at - 1].nid : 0;
}

int node_distance(int from, int to) { return distances[from][to]; }

void cpumask_of_node(int nid, struct cpumask *mask)
{
	int cpu;

	cpumask_clear(mask);
	for_each_possible_cpu(cpu)
		if (cpu_to_node(cpu) == nid)
			cpumask_set_cpu(cpu, mask);
}
