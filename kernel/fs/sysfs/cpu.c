/*
 * cpu.c: /sys/devices/system/cpu and /sys/devices/system/node: which processors there are and how they hang together.
 *
 * What:    possible, present, online; for each CPU its package, core and siblings, as lscpu and hwloc read them.
 * See:     spec.md §1 "CPU topology"; the numbers come from arch/x86 (CPUID)
 */
#include <weft/kernel.h>
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

static ssize_t one_show(void *data, char *buf) { return sysfs_emit(buf, "%d\n", cpu_online(cpu_of(data))); }
static const struct sysfs_attr online_attr = { .name = "online", .show = one_show };
static ssize_t node_list_show(void *data, char *buf) { return sysfs_emit(buf, "0\n"); }
static ssize_t node_map_show(void *data, char *buf) { return show_mask_hex(cpu_possible_mask, buf); }

static const struct sysfs_attr node_root_attrs[] = {
	{ .name = "possible", .show = node_list_show }, { .name = "online", .show = node_list_show },
	{ .name = "has_cpu", .show = node_list_show }, { .name = "has_memory", .show = node_list_show },
	{ }
};
static const struct sysfs_attr node_attrs[] = {
	{ .name = "cpumap", .show = node_map_show }, { .name = "cpulist", .show = possible_show },
	{ }
};

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
	}
	dir = sysfs_mkdir(NULL, "devices/system/node");
	one = IS_ERR(dir) ? dir : sysfs_mkdir(dir, "node0");
	if (IS_ERR(one))
		return PTR_ERR(one);
	err = err ? err : sysfs_create_files(dir, node_root_attrs, NULL);
	return err ? err : sysfs_create_files(one, node_attrs, NULL);
}
device_initcall(cpu_sysfs_init);
