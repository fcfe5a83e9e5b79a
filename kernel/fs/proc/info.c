/*
 * info.c: the files directly below /proc that tell of the whole machine.
 *
 * What:    version, uptime, loadavg, stat, meminfo, cmdline, interrupts, filesystems, devices, misc.
 * Idea:    each file is one show function over numbers that the owning subsystem exports; nothing is kept here.
 *          The formats are ABI: procps and busybox parse them with sscanf.
 * See:     proc(5)
 */
#include <weft/time_namespace.h>
#include <weft/cgroup.h>
#include <weft/kernel.h>
#include <weft/pid_namespace.h>
#include <weft/mman.h>
#include <weft/vmalloc.h>
#include <weft/vmstat.h>
#include <weft/irq.h>
#include <weft/softirq.h>
#include <weft/pid.h>
#include <weft/init.h>
#include <weft/main.h>
#include <weft/mm.h>
#include <weft/mmzone.h>
#include <weft/vmstat.h>
#include <weft/sched.h>
#include <weft/loadavg.h>
#include <weft/kernel_stat.h>
#include <weft/timekeeping.h>
#include <weft/time64.h>
#include <weft/irq.h>
#include <weft/cpumask.h>
#include <weft/arch.h>
#include <weft/blkdev.h>
#include <weft/fs.h>
#include <weft/filelock.h>
#include <weft/tty.h>
#include "internal.h"

#define NSEC_PER_CENTI	10000000ull

static int version_show(struct seq_file *m, void *v)
{
	seq_puts(m, weft_proc_version);
	return 0;
}

static int cmdline_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%s\n", saved_command_line);
	return 0;
}

static void seq_centiseconds(struct seq_file *m, u64 ns)
{
	u64 cs = ns / NSEC_PER_CENTI;

	seq_printf(m, "%llu.%02llu", cs / 100, cs % 100);
}

static int uptime_show(struct seq_file *m, void *v)
{
	struct timespec64 up;
	u64 idle = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		idle += kcpustat_cpu_ns(cpu, CPUTIME_IDLE) + kcpustat_cpu_ns(cpu, CPUTIME_IOWAIT);
	ktime_get_boottime_ts64(&up);
	time_ns_add(CLOCK_BOOTTIME, &up);
	seq_centiseconds(m, (u64)timespec64_to_ns(&up));
	seq_putc(m, ' ');
	seq_centiseconds(m, idle);
	seq_putc(m, '\n');
	return 0;
}

static int loadavg_show(struct seq_file *m, void *v)
{
	unsigned long a[3];

	get_avenrun(a, FIXED_1 / 200, 0);
	seq_printf(m, "%lu.%02lu %lu.%02lu %lu.%02lu %lu/%d %d\n",
		   LOAD_INT(a[0]), LOAD_FRAC(a[0]), LOAD_INT(a[1]), LOAD_FRAC(a[1]), LOAD_INT(a[2]), LOAD_FRAC(a[2]),
		   nr_running(), nr_threads, last_pid(seq_pid_ns(m)));
	return 0;
}

static void show_cpu_times(struct seq_file *m, const u64 ns[NR_STATS])
{
	static const int order[] = { CPUTIME_USER, CPUTIME_NICE, CPUTIME_SYSTEM, CPUTIME_IDLE, CPUTIME_IOWAIT, CPUTIME_IRQ,
				     CPUTIME_SOFTIRQ, CPUTIME_STEAL, CPUTIME_GUEST, CPUTIME_GUEST_NICE };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		seq_printf(m, " %llu", ns[order[i]] / NSEC_PER_CENTI);
	seq_putc(m, '\n');
}

static void cpu_times(int cpu, u64 ns[NR_STATS])
{
	for (int i = 0; i < NR_STATS; i++)
		ns[i] = kcpustat_cpu_ns(cpu, i);
}

static unsigned long long total_interrupts(void)
{
	unsigned long long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += kstat_cpu_irqs_sum(cpu);
	return sum;
}

static void show_softirqs(struct seq_file *m)
{
	unsigned long long sums[NR_SOFTIRQS] = { 0 }, all = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		for (int i = 0; i < NR_SOFTIRQS; i++)
			sums[i] += kstat_softirqs_cpu(i, cpu);
	for (int i = 0; i < NR_SOFTIRQS; i++)
		all += sums[i];
	seq_printf(m, "softirq %llu", all);
	for (int i = 0; i < NR_SOFTIRQS; i++)
		seq_printf(m, " %llu", sums[i]);
	seq_putc(m, '\n');
}

static int stat_show(struct seq_file *m, void *v)
{
	u64 sum[NR_STATS] = { 0 }, one[NR_STATS];
	struct timespec64 boot;
	int cpu;

	for_each_possible_cpu(cpu) {
		cpu_times(cpu, one);
		for (int i = 0; i < NR_STATS; i++)
			sum[i] += one[i];
	}
	seq_puts(m, "cpu ");
	show_cpu_times(m, sum);
	for_each_online_cpu(cpu) {
		cpu_times(cpu, one);
		seq_printf(m, "cpu%d", cpu);
		show_cpu_times(m, one);
	}
	getboottime64(&boot);
	boot = timespec64_sub(boot, current_time_ns()->boottime);
	seq_printf(m, "intr %llu\n", total_interrupts());
	seq_printf(m, "ctxt %llu\nbtime %lld\nprocesses %lu\nprocs_running %lu\nprocs_blocked %lu\n",
		   nr_context_switches(), (long long)boot.tv_sec, total_forks, nr_running(), nr_iowait());
	show_softirqs(m);
	return 0;
}

static void show_kb(struct seq_file *m, const char *name, unsigned long pages)
{
	seq_printf(m, "%-15s %8lu kB\n", name, pages << (PAGE_SHIFT - 10));
}

static int meminfo_show(struct seq_file *m, void *v)
{
	struct sysinfo_pages i;

	si_meminfo_pages(&i);
	show_kb(m, "MemTotal:", i.total);
	show_kb(m, "MemFree:", i.free);
	show_kb(m, "MemAvailable:", i.available);
	show_kb(m, "Buffers:", 0);
	show_kb(m, "Cached:", i.cached);
	show_kb(m, "SwapCached:", i.swap_cached);
	show_kb(m, "Active:", i.active_anon + i.active_file);
	show_kb(m, "Inactive:", i.inactive_anon + i.inactive_file);
	show_kb(m, "Active(anon):", i.active_anon);
	show_kb(m, "Inactive(anon):", i.inactive_anon);
	show_kb(m, "Active(file):", i.active_file);
	show_kb(m, "Inactive(file):", i.inactive_file);
	show_kb(m, "Unevictable:", global_node_page_state(NR_UNEVICTABLE));
	show_kb(m, "Mlocked:", global_node_page_state(NR_MLOCK));
	show_kb(m, "SwapTotal:", i.swap_total);
	show_kb(m, "SwapFree:", i.swap_free);
	show_kb(m, "Dirty:", global_node_page_state(NR_FILE_DIRTY));
	show_kb(m, "Writeback:", global_node_page_state(NR_WRITEBACK));
	show_kb(m, "AnonPages:", i.anon);
	show_kb(m, "Mapped:", i.mapped);
	show_kb(m, "Shmem:", i.shmem);
	show_kb(m, "KReclaimable:", i.slab_reclaimable);
	show_kb(m, "Slab:", i.slab);
	show_kb(m, "SReclaimable:", i.slab_reclaimable);
	show_kb(m, "SUnreclaim:", i.slab - i.slab_reclaimable);
	seq_printf(m, "%-15s %8lu kB\n", "KernelStack:", i.kernel_stack_kb);
	show_kb(m, "PageTables:", i.page_tables);
	show_kb(m, "AnonHugePages:", i.anon_huge);
	show_kb(m, "CommitLimit:", vm_commit_limit());
	show_kb(m, "Committed_AS:", vm_memory_committed());
	show_kb(m, "VmallocTotal:", (VMALLOC_END - VMALLOC_START) >> PAGE_SHIFT);
	show_kb(m, "VmallocUsed:", vmalloc_nr_pages());
	seq_puts(m, "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
	return 0;
}

static int interrupts_show(struct seq_file *m, void *v)
{
	return show_interrupts(m, v);
}

static int devices_show(struct seq_file *m, void *v)
{
	seq_puts(m, "Character devices:\n");
	chrdev_show(m, v);
	seq_puts(m, "\nBlock devices:\n");
	return blkdev_show(m, v);
}

void __init proc_info_init(void)
{
	proc_create_single("version", 0, NULL, version_show);
	proc_create_single("cmdline", 0, NULL, cmdline_show);
	proc_create_single("uptime", 0, NULL, uptime_show);
	proc_create_single("loadavg", 0, NULL, loadavg_show);
	proc_create_single("cgroups", 0, NULL, proc_cgroups_show);
	proc_create_single("stat", 0, NULL, stat_show);
	proc_create_single("meminfo", 0, NULL, meminfo_show);
	proc_create_single("interrupts", 0, NULL, interrupts_show);
	proc_create_single("devices", 0, NULL, devices_show);
	proc_create_single("locks", 0, NULL, list_file_locks);
}
