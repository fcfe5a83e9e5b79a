/*
 * node.c: /sys/devices/system/node: which nodes there are, what they have, and how far they are from each other.
 *
 * What:    what numactl -H, numastat, lscpu and libnuma read: cpumap, cpulist, distance, meminfo, numastat, vmstat of each
 *          node, and lists of nodes.
 * Locking: none: which CPUs and memory a node has is fixed at boot; the counters are read as they are at that moment.
 * Limits:  the memory manager counts pages by use for all nodes together; by node it knows only what its zones and LRU lists
 *          say.  So AnonPages and FilePages of a node are what lies on its lists, and what is not known by node is not there.
 * See:     spec.md §6 "NUMA"; include/weft/numa.h; doc/memory.md
 */
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/numa.h>
#include <weft/sysfs.h>
#include <weft/vmstat.h>
#include <asm/page.h>

static int node_of(void *data) { return (int)(long)data; }

static ssize_t show_nodes(nodemask_t nodes, char *buf)
{
	return sysfs_emit(buf, "%*pbl\n", MAX_NUMNODES, &nodes);
}

static nodemask_t nodes_with_memory(void)
{
	nodemask_t nodes = 0;
	int nid;

	for_each_online_node(nid)
		if (NODE_DATA(nid)->node_present_pages)
			nodes |= 1UL << nid;
	return nodes;
}

static nodemask_t nodes_with_cpus(void)
{
	nodemask_t nodes = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		nodes |= 1UL << cpu_to_node(cpu);
	return nodes;
}

static ssize_t online_show(void *data, char *buf) { return show_nodes(node_online_map, buf); }
static ssize_t has_cpu_show(void *data, char *buf) { return show_nodes(nodes_with_cpus(), buf); }
static ssize_t has_memory_show(void *data, char *buf) { return show_nodes(nodes_with_memory(), buf); }

static const struct sysfs_attr root_attrs[] = {
	{ .name = "possible", .show = online_show }, { .name = "online", .show = online_show },
	{ .name = "has_cpu", .show = has_cpu_show }, { .name = "has_memory", .show = has_memory_show },
	{ .name = "has_normal_memory", .show = has_memory_show },
	{ }
};

static ssize_t cpumap_show(void *data, char *buf)
{
	struct cpumask mask;

	cpumask_of_node(node_of(data), &mask);
	return sysfs_emit(buf, "%*pb\n", cpumask_pr_args(&mask));
}

static ssize_t cpulist_show(void *data, char *buf)
{
	struct cpumask mask;

	cpumask_of_node(node_of(data), &mask);
	return sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(&mask));
}

static ssize_t distance_show(void *data, char *buf)
{
	int nid, n = 0;

	for_each_online_node(nid)
		n += sysfs_emit(buf + n, "%s%d", nid ? " " : "", node_distance(node_of(data), nid));
	n += sysfs_emit(buf + n, "\n");
	return n;
}

static int emit_kb(char *buf, int nid, const char *name, unsigned long pages)
{
	return sysfs_emit(buf, "Node %d %-15s %8lu kB\n", nid, name, pages << (PAGE_SHIFT - 10));
}

static ssize_t meminfo_show(void *data, char *buf)
{
	int nid = node_of(data), n = 0;
	struct node_pages p;

	count_node_pages(nid, &p);
	n += emit_kb(buf + n, nid, "MemTotal:", p.total);
	n += emit_kb(buf + n, nid, "MemFree:", p.free);
	n += emit_kb(buf + n, nid, "MemUsed:", p.total - min(p.free, p.total));
	n += emit_kb(buf + n, nid, "Active:", p.lru[LRU_ACTIVE_ANON] + p.lru[LRU_ACTIVE_FILE]);
	n += emit_kb(buf + n, nid, "Inactive:", p.lru[LRU_INACTIVE_ANON] + p.lru[LRU_INACTIVE_FILE]);
	n += emit_kb(buf + n, nid, "Active(anon):", p.lru[LRU_ACTIVE_ANON]);
	n += emit_kb(buf + n, nid, "Inactive(anon):", p.lru[LRU_INACTIVE_ANON]);
	n += emit_kb(buf + n, nid, "Active(file):", p.lru[LRU_ACTIVE_FILE]);
	n += emit_kb(buf + n, nid, "Inactive(file):", p.lru[LRU_INACTIVE_FILE]);
	n += emit_kb(buf + n, nid, "FilePages:", p.lru[LRU_ACTIVE_FILE] + p.lru[LRU_INACTIVE_FILE]);
	n += emit_kb(buf + n, nid, "AnonPages:", p.lru[LRU_ACTIVE_ANON] + p.lru[LRU_INACTIVE_ANON]);
	return n;
}

static ssize_t numastat_show(void *data, char *buf)
{
	static const char *const names[NR_NUMA_STAT_ITEMS] = {
		"numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node",
	};
	int n = 0;

	for (int i = 0; i < NR_NUMA_STAT_ITEMS; i++)
		n += sysfs_emit(buf + n, "%s %lu\n", names[i], sum_numa_events(node_of(data), i));
	return n;
}

static ssize_t vmstat_show(void *data, char *buf)
{
	struct node_pages p;
	int n = 0;

	count_node_pages(node_of(data), &p);
	n += sysfs_emit(buf + n, "nr_free_pages %lu\n", p.free);
	n += sysfs_emit(buf + n, "nr_inactive_anon %lu\nnr_active_anon %lu\n", p.lru[LRU_INACTIVE_ANON],
			p.lru[LRU_ACTIVE_ANON]);
	n += sysfs_emit(buf + n, "nr_inactive_file %lu\nnr_active_file %lu\n", p.lru[LRU_INACTIVE_FILE],
			p.lru[LRU_ACTIVE_FILE]);
	return n + numastat_show(data, buf + n);
}

static const struct sysfs_attr node_attrs[] = {
	{ .name = "cpumap", .show = cpumap_show }, { .name = "cpulist", .show = cpulist_show },
	{ .name = "distance", .show = distance_show }, { .name = "meminfo", .show = meminfo_show },
	{ .name = "numastat", .show = numastat_show }, { .name = "vmstat", .show = vmstat_show },
	{ }
};

/* nodeN/cpuM leads to the processor, and cpuM/nodeN back. */
static int __init link_cpus(struct dentry *dir, struct dentry *cpus, int nid)
{
	char cpu_name[16], node_name[16], target[32];
	int cpu, err = 0;

	snprintf(node_name, sizeof(node_name), "node%d", nid);
	for_each_present_cpu(cpu) {
		struct dentry *cpu_dir;

		if (cpu_to_node(cpu) != nid)
			continue;
		snprintf(cpu_name, sizeof(cpu_name), "cpu%d", cpu);
		snprintf(target, sizeof(target), "../../cpu/%s", cpu_name);
		err = err ? err : sysfs_create_link(dir, cpu_name, target);
		cpu_dir = sysfs_mkdir(cpus, cpu_name);
		if (IS_ERR(cpu_dir))
			return PTR_ERR(cpu_dir);
		snprintf(target, sizeof(target), "../../node/%s", node_name);
		err = err ? err : sysfs_create_link(cpu_dir, node_name, target);
	}
	return err;
}

static int __init node_sysfs_init(void)
{
	struct dentry *dir = sysfs_mkdir(NULL, "devices/system/node"), *cpus = sysfs_mkdir(NULL, "devices/system/cpu");
	char name[16];
	int nid, err;

	if (IS_ERR(dir) || IS_ERR(cpus))
		return -ENOMEM;
	err = sysfs_create_files(dir, root_attrs, NULL);
	for_each_online_node(nid) {
		struct dentry *one;

		snprintf(name, sizeof(name), "node%d", nid);
		one = sysfs_mkdir(dir, name);
		if (IS_ERR(one))
			return PTR_ERR(one);
		err = err ? err : sysfs_create_files(one, node_attrs, (void *)(long)nid);
		err = err ? err : link_cpus(one, cpus, nid);
	}
	return err;
}
device_initcall(node_sysfs_init);
