/*
 * cacheinfo.h: the processor's caches, as /sys/devices/system/cpu/cpuN/cache shows them.
 *
 * Idea:    all CPUs of a machine have the same caches; they differ in who shares one.
 * See:     kernel/arch/x86/kernel/cacheinfo.c (CPUID), kernel/fs/sysfs/cpu.c
 */
#ifndef WEFT_CACHEINFO_H
#define WEFT_CACHEINFO_H

#include <weft/types.h>

struct cpumask;

enum cache_type { CACHE_TYPE_DATA = 1, CACHE_TYPE_INST = 2, CACHE_TYPE_UNIFIED = 3 };

struct cacheinfo {
	enum cache_type	type;
	unsigned int	level;		/* 1 is nearest to the processor */
	unsigned int	size;		/* bytes */
	unsigned int	line;		/* bytes */
	unsigned int	ways;		/* 0: not known, or fully associative */
	unsigned int	partitions;	/* lines behind one tag */
	unsigned int	sets;
	unsigned int	apicid_bits;	/* CPUs whose APIC numbers differ in these low bits only share it */
};

/* The index'th cache, or NULL when there are no more.  Any context. */
const struct cacheinfo *cache_info(unsigned int index);
/* All CPUs that share that cache with `cpu`, itself included. */
void cache_shared_cpus(const struct cacheinfo *cache, int cpu, struct cpumask *mask);

#endif
