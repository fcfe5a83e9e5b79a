/*
 * cpuinfo.c: /proc/cpuinfo.
 *
 * What:    one record a CPU, in Linux's words and order, which programs parse (lscpu, glibc, build systems).
 * Idea:    the flags line is made from the kept CPUID words and the tables of names below; bits without a name are left
 *          out.  All CPUs are taken to be alike but for their place in the machine.
 * See:     spec.md §1 "CPU topology"; cpu.c
 */
#include <weft/kernel.h>
#include <weft/arch.h>
#include <weft/cpumask.h>
#include <weft/seq_file.h>
#include <weft/smp.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>

static const char *const names_1_edx[32] = {
	"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr", "pge", "mca", "cmov",
	"pat", "pse36", "pn", "clflush", NULL, "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
};
static const char *const names_1_ecx[32] = {
	"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid", "sdbg", "fma", "cx16",
	"xtpr", "pdcm", NULL, "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
	"xsave", NULL, "avx", "f16c", "rdrand", "hypervisor",
};
static const char *const names_7_ebx[32] = {
	"fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep", "bmi2", "erms", "invpcid", "rtm", "cqm", NULL,
	"mpx", "rdt_a", "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", NULL, "clflushopt", "clwb",
	"intel_pt", "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl",
};
static const char *const names_7_ecx[32] = {
	[1] = "avx512vbmi", [2] = "umip", [3] = "pku", [5] = "waitpkg", [6] = "avx512_vbmi2", [8] = "gfni", [9] = "vaes",
	[10] = "vpclmulqdq", [11] = "avx512_vnni", [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq", [16] = "la57",
	[22] = "rdpid", [27] = "movdiri", [28] = "movdir64b",
};
static const char *const names_7_edx[32] = {
	[4] = "fsrm", [8] = "avx512_vp2intersect", [14] = "serialize", [23] = "avx512_fp16",
};
static const char *const names_81_edx[32] = {
	[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt", [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm",
	[30] = "3dnowext", [31] = "3dnow",
};
static const char *const names_81_ecx[32] = {
	"lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse", "3dnowprefetch", "osvw",
	"ibs", "xop", "skinit", "wdt", NULL, "lwp", "fma4", "tce", [21] = "tbm", [22] = "topoext",
};
static const char *const names_d1_eax[32] = { "xsaveopt", "xsavec", "xgetbv1", "xsaves" };
static const char *const names_6_eax[32] = { "dtherm", "ida", "arat" };
static const char *const names_87_edx[32] = { [8] = "constant_tsc" };

static const struct { enum cpuid_word word; const char *const *names; } flag_words[] = {
	{ CPUID_1_EDX, names_1_edx },		{ CPUID_8000_0001_EDX, names_81_edx },
	{ CPUID_8000_0007_EDX, names_87_edx },	{ CPUID_1_ECX, names_1_ecx },
	{ CPUID_8000_0001_ECX, names_81_ecx },	{ CPUID_7_EBX, names_7_ebx },
	{ CPUID_D_1_EAX, names_d1_eax },	{ CPUID_6_EAX, names_6_eax },
	{ CPUID_7_ECX, names_7_ecx },		{ CPUID_7_EDX, names_7_edx },
};

static void show_flags(struct seq_file *m)
{
	seq_puts(m, "flags\t\t:");
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		for (unsigned int bit = 0; bit < 32; bit++)
			if (boot_cpuid_words[flag_words[i].word] >> bit & 1 && flag_words[i].names[bit])
				seq_printf(m, " %s", flag_words[i].names[bit]);
	seq_puts(m, "\nbugs\t\t:\n");
}

static void show_topology(struct seq_file *m, int cpu, const struct cpuinfo_x86 *c)
{
	seq_printf(m, "physical id\t: %u\n", c->phys_proc_id);
	seq_printf(m, "siblings\t: %u\n", cpumask_weight(topology_core_cpumask(cpu)));
	seq_printf(m, "core id\t\t: %u\n", c->cpu_core_id);
	seq_printf(m, "cpu cores\t: %u\n", c->booted_cores);
	seq_printf(m, "apicid\t\t: %u\n", c->apicid);
	seq_printf(m, "initial apicid\t: %u\n", c->apicid);
}

static int show_cpuinfo(struct seq_file *m, void *v)
{
	const struct cpuinfo_x86 *c = v;
	int cpu = (int)(c - cpu_data_array);

	seq_printf(m, "processor\t: %d\n", cpu);
	seq_printf(m, "vendor_id\t: %s\n", c->vendor);
	seq_printf(m, "cpu family\t: %u\n", c->family);
	seq_printf(m, "model\t\t: %u\n", c->model);
	seq_printf(m, "model name\t: %s\n", c->model_id[0] ? c->model_id : "unknown");
	seq_printf(m, "stepping\t: %u\n", c->stepping);
	seq_printf(m, "cpu MHz\t\t: %u.%03u\n", cpu_khz / 1000, cpu_khz % 1000);
	if (c->cache_size)
		seq_printf(m, "cache size\t: %u KB\n", c->cache_size);
	show_topology(m, cpu, c);
	seq_printf(m, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n", c->cpuid_level);
	show_flags(m);
	seq_printf(m, "bogomips\t: %u.%02u\n", cpu_khz / 500, cpu_khz / 5 % 100);
	seq_printf(m, "clflush size\t: %u\n", c->cache_line);
	seq_printf(m, "cache_alignment\t: %u\n", c->cache_line);
	seq_printf(m, "address sizes\t: %u bits physical, %u bits virtual\n", c->phys_bits, c->virt_bits);
	seq_puts(m, "power management:\n\n");
	return 0;
}

/* Position n is CPU number n, or the next one that is online. */
static void *cpuinfo_start(struct seq_file *m, loff_t *pos)
{
	unsigned int cpu = *pos < NR_CPUS ? cpumask_next((int)*pos - 1, cpu_online_mask) : NR_CPUS;

	*pos = cpu;
	return cpu < nr_cpu_ids ? &cpu_data(cpu) : NULL;
}

static void *cpuinfo_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return cpuinfo_start(m, pos);
}

static void cpuinfo_stop(struct seq_file *m, void *v)
{
}

const struct seq_operations cpuinfo_op = {
	.start	= cpuinfo_start,
	.next	= cpuinfo_next,
	.stop	= cpuinfo_stop,
	.show	= show_cpuinfo,
};
