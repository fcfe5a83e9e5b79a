/*
 * proc.c: /proc/cpuinfo.
 *
 * Idea:    one record for each online CPU.  The flags are told from the CPUID words by a table of names: those that
 *          programs look for.  Words and bits are the processor manual's.
 * See:     spec.md §1 "CPU topology"; asm/cpufeature.h
 */
#include <weft/seq_file.h>
#include <weft/cpumask.h>
#include <weft/smp.h>
#include <weft/proc_fs.h>
#include <weft/kernel.h>
#include <weft/init.h>
#include <asm/processor.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>

/* Names by word, bit 0 first; "-" where there is nothing that a program would want to see. */
static const char *const cpuid_1_edx[32] = {
	"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "-", "sep", "mtrr", "pge", "mca", "cmov",
	"pat", "pse36", "pn", "clflush", "-", "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
};
static const char *const cpuid_1_ecx[32] = {
	"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid", "sdbg", "fma", "cx16",
	"xtpr", "pdcm", "-", "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
	"xsave", "-", "avx", "f16c", "rdrand", "hypervisor",
};
static const char *const cpuid_7_ebx[32] = {
	"fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", "-", "smep", "bmi2", "erms", "invpcid", "rtm", "cqm", "-",
	"mpx", "rdt_a", "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", "-", "clflushopt", "clwb", "intel_pt",
	"avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl",
};
static const char *const cpuid_8000_0001_edx[32] = {
	[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt", [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm",
	[30] = "3dnowext", [31] = "3dnow",
};

static const struct {
	int			word;
	const char *const	*names;
} flag_words[] = {
	{ CPUID_1_EDX, cpuid_1_edx }, { CPUID_8000_0001_EDX, cpuid_8000_0001_edx },
	{ CPUID_1_ECX, cpuid_1_ecx }, { CPUID_7_EBX, cpuid_7_ebx },
};

static void show_flags(struct seq_file *m)
{
	seq_puts(m, "flags\t\t:");
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		for (int bit = 0; bit < 32; bit++) {
			const char *name = flag_words[i].names[bit];

			if (name && *name != '-' && boot_cpu_has(X86_FEATURE(flag_words[i].word, bit)))
				seq_printf(m, " %s", name);
		}
	if (boot_cpu_has(X86_FEATURE_UMIP))
		seq_puts(m, " umip");
	if (boot_cpu_has(X86_FEATURE_CONSTANT_TSC))
		seq_puts(m, " constant_tsc nonstop_tsc");
	seq_putc(m, '\n');
}

static void show_one(struct seq_file *m, unsigned int cpu)
{
	const struct cpuinfo_x86 *c = &cpu_data(cpu);

	seq_printf(m, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
		   cpu, c->vendor, c->family, c->model, c->model_id[0] ? c->model_id : "unknown", c->stepping);
	seq_printf(m, "cpu MHz\t\t: %u.%03u\ncache size\t: %u KB\n", cpu_khz / 1000, cpu_khz % 1000, c->cache_size);
	seq_printf(m, "physical id\t: %u\nsiblings\t: %u\n"
		   "core id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\n",
		   c->phys_proc_id, cpumask_weight(topology_core_cpumask(cpu)), c->cpu_core_id, c->booted_cores,
		   c->apicid, c->apicid);
	seq_printf(m, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n", c->cpuid_level);
	show_flags(m);
	seq_printf(m, "bogomips\t: %u.%02u\nclflush size\t: %u\ncache_alignment\t: %u\n"
		   "address sizes\t: %u bits physical, %u bits virtual\n\n",
		   cpu_khz / 500, cpu_khz / 5 % 100, c->cache_line, c->cache_line, c->phys_bits, c->virt_bits);
}

static int cpuinfo_show(struct seq_file *m, void *v)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		show_one(m, cpu);
	return 0;
}

static int __init proc_cpuinfo_init(void)
{
	proc_create_single("cpuinfo", 0, NULL, cpuinfo_show);
	return 0;
}
fs_initcall(proc_cpuinfo_init);
