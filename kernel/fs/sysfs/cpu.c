/*
 * cpu.c: /sys/devices/system/cpu: which processors there are and how they hang together.
 *
 * What:    possible, present, online; for each CPU its package, core and siblings and its caches, as lscpu and hwloc
 *          read them.
 * See:     spec.md §1 "CPU topology"; the numbers come from arch/x86 (CPUID)
 */
#include <weft/kernel.h>
#include <weft/cacheinfo.h>
#include <weft/init.h>
#include <weft/cpumask.h>
#include <weft/smp.h>
#include <weft/sysfs.h>
#include <weft/err.h>

static int cpu_of(void *data) { return (int)(long)data; }

static ssize_t show_mask_list(const struct cpumask *mask, char *buf)
{
	return sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(mask));
}

static ssize_t show_mask_hex(const struct cpumask *mask, char *buf)
{
	return sysfs_emit(buf, "%*pb\n", cpumask_pr_args(mask));
}

static ssize_t possible_show(void *data, char *buf) { return show_mask_list(cpu_possible_mask, buf); }
static ssize_t present_show(void *data, char *buf) { return show_mask_list(cpu_present_mask, buf); }
static ssize_t online_show(void *data, char *buf) { return show_mask_list(cpu_online_mask, buf); }
static ssize_t kernel_max_show(void *data, char *buf) { return sysfs_emit(buf, "%d\n", NR_CPUS - 1); }

static const struct sysfs_attr cpu_root_attrs[] = {
	{ .name = "possible", .show = possible_show }, { .name = "present", .show = present_show },
	{ .name = "online", .show = online_show }, { .name = "kernel_max", .show = kernel_max_show },
	{ }
};

static ssize_t package_show(void *d, char *buf) { return sysfs_emit(buf, "%d\n", topology_physical_package_id(cpu_of(d))); }
static ssize_t core_show(void *d, char *buf) { return sysfs_emit(buf, "%d\n", topology_core_id(cpu_of(d))); }
static ssize_t die_show(void *d, char *buf) { return sysfs_emit(buf, "0\n"); }
static ssize_t siblings_show(void *d, char *buf) { return show_mask_hex(topology_sibling_cpumask(cpu_of(d)), buf); }
static ssize_t siblings_list_show(void *d, char *buf) { return show_mask_list(topology_sibling_cpumask(cpu_of(d)), buf); }
static ssize_t package_cpus_show(void *d, char *buf) { return show_mask_hex(topology_core_cpumask(cpu_of(d)), buf); }
static ssize_t package_list_show(void *d, char *buf) { return show_mask_list(topology_core_cpumask(cpu_of(d)), buf); }

/* The old and the new name of each map: lscpu knows both. */
static const struct sysfs_attr topology_attrs[] = {
	{ .name = "physical_package_id", .show = package_show }, { .name = "core_id", .show = core_show },
	{ .name = "die_id", .show = die_show },
	{ .name = "thread_siblings", .show = siblings_show }, { .name = "thread_siblings_list", .show = siblings_list_show },
	{ .name = "core_cpus", .show = siblings_show }, { .name = "core_cpus_list", .show = siblings_list_show },
	{ .name = "core_siblings", .show = package_cpus_show }, { .name = "core_siblings_list", .show = package_list_show },
	{ .name = "package_cpus", .show = package_cpus_show }, { .name = "package_cpus_list", .show = package_list_show },
	{ }
};

/* A file of cpuN/cache/indexI gets both numbers as its datum. */
#define CACHE_DATA(cpu, index)	((void *)((long)(cpu) << 8 | (index)))
static const struct cacheinfo *cache_of(void *data) { return cache_info((long)data & 0xff); }

static ssize_t cache_level_show(void *d, char *buf) { return sysfs_emit(buf, "%u\n", cache_of(d)->level); }
static ssize_t cache_size_show(void *d, char *buf) { return sysfs_emit(buf, "%uK\n", cache_of(d)->size / 1024); }
static ssize_t cache_line_show(void *d, char *buf) { return sysfs_emit(buf, "%u\n", cache_of(d)->line); }
static ssize_t cache_ways_show(void *d, char *buf) { return sysfs_emit(buf, "%u\n", cache_of(d)->ways); }
static ssize_t cache_sets_show(void *d, char *buf) { return sysfs_emit(buf, "%u\n", cache_of(d)->sets); }
static ssize_t cache_partition_show(void *d, char *buf) { return sysfs_emit(buf, "%u\n", cache_of(d)->partitions); }

static ssize_t cache_type_show(void *d, char *buf)
{
	static const char *const names[] = { "?", "Data", "Instruction", "Unified" };

	return sysfs_emit(buf, "%s\n", names[cache_of(d)->type & 3]);
}

static ssize_t cache_cpus_show(void *d, char *buf)
{
	struct cpumask mask;

	cache_shared_cpus(cache_of(d), (int)((long)d >> 8), &mask);
	return show_mask_hex(&mask, buf);
}

static ssize_t cache_cpus_list_show(void *d, char *buf)
{
	struct cpumask mask;

	cache_shared_cpus(cache_of(d), (int)((long)d >> 8), &mask);
	return show_mask_list(&mask, buf);
}

/* The lowest CPU that shares a cache names it among those of its level. */
static ssize_t cache_id_show(void *d, char *buf)
{
	struct cpumask mask;

	cache_shared_cpus(cache_of(d), (int)((long)d >> 8), &mask);
	return sysfs_emit(buf, "%d\n", (int)cpumask_first(&mask));
}

static const struct sysfs_attr cache_attrs[] = {
	{ .name = "level", .show = cache_level_show }, { .name = "type", .show = cache_type_show },
	{ .name = "size", .show = cache_size_show }, { .name = "coherency_line_size", .show = cache_line_show },
	{ .name = "ways_of_associativity", .show = cache_ways_show }, { .name = "number_of_sets", .show = cache_sets_show },
	{ .name = "physical_line_partition", .show = cache_partition_show }, { .name = "id", .show = cache_id_show },
	{ .name = "shared_cpu_map", .show = cache_cpus_show }, { .name = "shared_cpu_list", .show = cache_cpus_list_show },
	{ }
};

static int __init cache_sysfs_init(struct dentry *cpu_dir, int cpu)
{
	struct dentry *dir;
	char name[16];
	int err;

	for (unsigned int i = 0; cache_info(i); i++) {
		snprintf(name, sizeof(name), "cache/index%u", i);
		dir = sysfs_mkdir(cpu_dir, name);
		if (IS_ERR(dir))
			return PTR_ERR(dir);
		err = sysfs_create_files(dir, cache_attrs, CACHE_DATA(cpu, i));
		if (err)
			return err;
	}
	return 0;
}

static ssize_t one_show(void *data, char *buf) { return sysfs_emit(buf, "%d\n", cpu_online(cpu_of(data))); }
static const struct sysfs_attr online_attr = { .name = "online", .show = one_show };

static int __init cpu_sysfs_init(void)
{
	struct dentry *dir = sysfs_mkdir(NULL, "devices/system/cpu"), *one, *topology;
	char name[16];
	int cpu, err;

	if (IS_ERR(dir))
		return PTR_ERR(dir);
	err = sysfs_create_files(dir, cpu_root_attrs, NULL);
	for_each_present_cpu(cpu) {
		void *data = (void *)(long)cpu;

		snprintf(name, sizeof(name), "cpu%d", cpu);
		one = sysfs_mkdir(dir, name);
		topology = IS_ERR(one) ? one : sysfs_mkdir(one, "topology");
		if (IS_ERR(topology))
			return PTR_ERR(topology);
		err = err ? err : sysfs_create_files(topology, topology_attrs, data);
		if (cpu)
			err = err ? err : sysfs_create_file(one, &online_attr, data);
		err = err ? err : cache_sysfs_init(one, cpu);
	}
	return err;
}
device_initcall(cpu_sysfs_init);
