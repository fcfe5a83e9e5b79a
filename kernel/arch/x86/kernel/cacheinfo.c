/*
 * cacheinfo.c: what caches this processor has, by CPUID.
 *
 * Idea:    one table, filled once on the boot processor.  Leaf 4 (Intel) and leaf 0x8000001d (AMD) list the caches in the
 *          same form; where both are empty the older leaves 0x80000005 and 0x80000006 tell at least sizes.
 *          Sharing is a matter of APIC numbers: a cache for 2^n logical processors is shared by those whose numbers
 *          agree above the lowest n bits.
 * Locking: none: written by an initcall before it is shown.
 * See:     Intel SDM 2A "CPUID" leaf 4; AMD APM 3 appendix E.4.3, E.4.4, E.4.15
 */
#include <weft/kernel.h>
#include <weft/cacheinfo.h>
#include <weft/cpumask.h>
#include <weft/init.h>
#include <weft/smp.h>
#include <asm/processor.h>

#define MAX_CACHES	8
#define LEAF_INTEL	4
#define LEAF_AMD_L1	0x80000005
#define LEAF_AMD_L2_L3	0x80000006
#define LEAF_AMD	0x8000001d

static struct cacheinfo caches[MAX_CACHES];
static unsigned int nr_caches;

static unsigned int order_of(unsigned int count)
{
	return count <= 1 ? 0 : 32 - (unsigned int)__builtin_clz(count - 1);
}

/* Leaves 4 and 0x8000001d: one subleaf a cache, until one says that it is none. */
static void __init read_deterministic(u32 leaf)
{
	u32 a, b, c, d;

	for (u32 i = 0; i < MAX_CACHES; i++) {
		struct cacheinfo *ci = &caches[nr_caches];

		cpuid_count(leaf, i, &a, &b, &c, &d);
		if (!(a & 0x1f))
			break;
		ci->type = a & 0x1f;
		ci->level = a >> 5 & 7;
		ci->line = (b & 0xfff) + 1;
		ci->partitions = (b >> 12 & 0x3ff) + 1;
		ci->sets = c + 1;
		ci->size = ci->line * ci->partitions * ci->sets * ((b >> 22) + 1);
		ci->ways = a & 1 << 9 ? 0 : (b >> 22) + 1;
		ci->apicid_bits = order_of((a >> 14 & 0xfff) + 1);
		nr_caches++;
	}
}

static void __init add_cache(enum cache_type type, unsigned int level, unsigned int kib, unsigned int ways, u32 reg,
			     unsigned int apicid_bits)
{
	struct cacheinfo *ci = &caches[nr_caches];

	if (!kib || !(reg & 0xff))
		return;
	ci->type = type;
	ci->level = level;
	ci->size = kib * 1024;
	ci->line = reg & 0xff;
	ci->partitions = 1;
	ci->ways = ways;
	ci->sets = ci->size / ci->line / (ways ? ways : ci->size / ci->line);
	ci->apicid_bits = apicid_bits;
	nr_caches++;
}

/*
 * The leaves from before there was SMT: they do not say who shares what.  A core's threads share its first two levels,
 * a package its third: the fields of the APIC number are as wide as the CPUs that came up show.
 */
static void __init read_legacy(u32 max)
{
	/* What the four bits of associativity mean; 0 for none, unknown or full. */
	static const u8 ways[16] = { 0, 1, 2, 3, 4, 6, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0 };
	unsigned int core = order_of(cpumask_weight(topology_sibling_cpumask(0)));
	unsigned int package = order_of(cpumask_weight(topology_core_cpumask(0)));
	u32 a, b, c, d;

	if (max < LEAF_AMD_L2_L3)
		return;
	cpuid(LEAF_AMD_L1, &a, &b, &c, &d);
	add_cache(CACHE_TYPE_DATA, 1, c >> 24, (c >> 16 & 0xff) == 0xff ? 0 : c >> 16 & 0xff, c, core);
	add_cache(CACHE_TYPE_INST, 1, d >> 24, (d >> 16 & 0xff) == 0xff ? 0 : d >> 16 & 0xff, d, core);
	cpuid(LEAF_AMD_L2_L3, &a, &b, &c, &d);
	add_cache(CACHE_TYPE_UNIFIED, 2, c >> 16, ways[c >> 12 & 0xf], c, core);
	add_cache(CACHE_TYPE_UNIFIED, 3, (d >> 18) * 512, ways[d >> 12 & 0xf], d, package);
}

static int __init cacheinfo_init(void)
{
	u32 max, b, c, d;

	if (boot_cpu_data.cpuid_level >= LEAF_INTEL)
		read_deterministic(LEAF_INTEL);
	cpuid(0x80000000, &max, &b, &c, &d);
	if (!nr_caches && max >= LEAF_AMD)
		read_deterministic(LEAF_AMD);
	if (!nr_caches)
		read_legacy(max);
	return 0;
}
subsys_initcall(cacheinfo_init);

const struct cacheinfo *cache_info(unsigned int index)
{
	return index < nr_caches ? &caches[index] : NULL;
}

void cache_shared_cpus(const struct cacheinfo *cache, int cpu, struct cpumask *mask)
{
	int other;

	cpumask_clear(mask);
	for_each_online_cpu(other)
		if (cpu_data(other).apicid >> cache->apicid_bits == cpu_data(cpu).apicid >> cache->apicid_bits)
			cpumask_set_cpu(other, mask);
}
