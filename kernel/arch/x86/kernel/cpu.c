/*
 * cpu.c: what this processor is and what it is told to do.
 *
 * What:    CPUID into feature words and cpuinfo_x86, package/core/thread numbers, the control registers that every CPU
 *          gets alike, the syscall MSRs, and the SMAP instructions' removal where the processor lacks them.
 * Idea:    the boot processor decides (cr4_features), the others obey; all CPUs of a machine are taken to be alike.
 * See:     spec.md §1 "CPU topology"; Intel SDM 2A "CPUID", 3A 9.9
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/sched.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/entry.h>
#include <asm/fpu.h>
#include <asm/irqflags.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/setup.h>

u32 boot_cpuid_words[NCPUID_WORDS] __ro_after_init;
struct cpuinfo_x86 boot_cpu_data;
struct cpuinfo_x86 cpu_data_array[NR_CPUS];
bool fsgsbase_enabled __ro_after_init;		/* read by entry_64.S */

static unsigned long cr4_features __ro_after_init;

DEFINE_PER_CPU(int, cpu_number);
DEFINE_PER_CPU(struct task_struct *, current_task) = &init_task;

static void __init read_feature_words(void)
{
	u32 a, b, c, d, max;
	u32 *w = boot_cpuid_words;

	cpuid(1, &a, &b, &w[CPUID_1_ECX], &w[CPUID_1_EDX]);
	cpuid(0, &max, &b, &c, &d);
	if (max >= 6)
		cpuid(6, &w[CPUID_6_EAX], &b, &c, &d);
	if (max >= 7)
		cpuid_count(7, 0, &a, &w[CPUID_7_EBX], &w[CPUID_7_ECX], &w[CPUID_7_EDX]);
	if (max >= 0xd)
		cpuid_count(0xd, 1, &w[CPUID_D_1_EAX], &b, &c, &d);
	cpuid(0x80000000, &max, &b, &c, &d);
	if (max >= 0x80000001)
		cpuid(0x80000001, &a, &b, &w[CPUID_8000_0001_ECX], &w[CPUID_8000_0001_EDX]);
	if (max >= 0x80000007)
		cpuid(0x80000007, &a, &b, &c, &w[CPUID_8000_0007_EDX]);
}

static void read_model_name(struct cpuinfo_x86 *c)
{
	u32 *p = (u32 *)c->model_id;
	u32 max, b, cx, d;

	cpuid(0x80000000, &max, &b, &cx, &d);
	if (max >= 0x80000004) {
		for (u32 i = 0; i < 3; i++)
			cpuid(0x80000002 + i, &p[4 * i], &p[4 * i + 1], &p[4 * i + 2], &p[4 * i + 3]);
		c->model_id[48] = '\0';
	}
	c->phys_bits = 36;
	c->virt_bits = 48;
	if (max >= 0x80000008) {
		u32 a;

		cpuid(0x80000008, &a, &b, &cx, &d);
		c->phys_bits = a & 0xff;
		c->virt_bits = a >> 8 & 0xff;
	}
	if (max >= 0x80000006) {
		u32 a;

		cpuid(0x80000006, &a, &b, &cx, &d);
		c->cache_size = cx >> 16;
	}
}

/* Size of the last cache level by CPUID leaf 4, where there is one. */
static void read_cache_size(struct cpuinfo_x86 *c)
{
	u32 a, b, cx, d;

	if (c->cpuid_level < 4)
		return;
	for (u32 i = 0; i < 8; i++) {
		cpuid_count(4, i, &a, &b, &cx, &d);
		if (!(a & 0x1f))
			break;
		c->cache_size = ((b >> 22) + 1) * ((b >> 12 & 0x3ff) + 1) * ((b & 0xfff) + 1) * (cx + 1) / 1024;
	}
}

static void identify_cpu(struct cpuinfo_x86 *c)
{
	u32 eax, ebx, ecx, edx;

	cpuid(0, &c->cpuid_level, (u32 *)&c->vendor[0], (u32 *)&c->vendor[8], (u32 *)&c->vendor[4]);
	c->vendor[12] = '\0';
	cpuid(1, &eax, &ebx, &ecx, &edx);
	c->stepping = eax & 0xf;
	c->model = eax >> 4 & 0xf;
	c->family = eax >> 8 & 0xf;
	if (c->family == 0xf)
		c->family += eax >> 20 & 0xff;
	if (c->family >= 6)
		c->model += (eax >> 16 & 0xf) << 4;
	c->cache_line = (ebx >> 8 & 0xff) * 8;
	c->apicid = ebx >> 24;
	read_model_name(c);
	read_cache_size(c);
}

static unsigned int bits_for(unsigned int count)
{
	return count <= 1 ? 0 : 32 - (unsigned int)__builtin_clz(count - 1);
}

/*
 * The APIC number is made of package, core and thread fields; leaf 0xb (or 1 and 4) tells how wide they are.
 * Runs on the CPU that it describes.
 */
void identify_cpu_topology(int cpu)
{
	struct cpuinfo_x86 *c = &cpu_data(cpu);
	unsigned int smt_bits = 0, pkg_bits = 0;
	u32 a, b, cx, d;

	identify_cpu(c);
	if (c->cpuid_level >= 0xb) {
		cpuid_count(0xb, 0, &a, &b, &cx, &d);
		if (b) {
			c->apicid = d;
			smt_bits = a & 0x1f;
			cpuid_count(0xb, 1, &a, &b, &cx, &d);
			pkg_bits = a & 0x1f;
			goto split;
		}
	}
	if (boot_cpu_has(X86_FEATURE_HT)) {
		unsigned int threads, cores = 1;

		cpuid(1, &a, &b, &cx, &d);
		threads = b >> 16 & 0xff;
		if (c->cpuid_level >= 4) {
			cpuid_count(4, 0, &a, &b, &cx, &d);
			cores = (a >> 26) + 1;
		}
		pkg_bits = bits_for(threads);
		smt_bits = pkg_bits - min(pkg_bits, bits_for(cores));
	}
split:
	c->phys_proc_id = c->apicid >> pkg_bits;
	c->cpu_core_id = (c->apicid & ((1u << pkg_bits) - 1)) >> smt_bits;
	c->smt_id = c->apicid & ((1u << smt_bits) - 1);
}

void __init identify_boot_cpu(void)
{
	read_feature_words();
	identify_cpu(&boot_cpu_data);
	cr4_features = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_MCE;
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		cr4_features |= X86_CR4_OSXSAVE;
	if (boot_cpu_has(X86_FEATURE_SMEP))
		cr4_features |= X86_CR4_SMEP;
	if (boot_cpu_has(X86_FEATURE_SMAP))
		cr4_features |= X86_CR4_SMAP;
	if (boot_cpu_has(X86_FEATURE_UMIP))
		cr4_features |= X86_CR4_UMIP;
	if (boot_cpu_has(X86_FEATURE_FSGSBASE)) {
		cr4_features |= X86_CR4_FSGSBASE;
		fsgsbase_enabled = true;
	}
}

/* This CPU's control registers.  PCID comes later: cpu_init_pcid(). */
void cpu_init_features(void)
{
	u64 efer = rdmsrl_val(MSR_EFER) | EFER_SCE;

	if (boot_cpu_has(X86_FEATURE_NX))
		efer |= EFER_NX;
	wrmsrl(MSR_EFER, efer);
	write_cr0((read_cr0() | X86_CR0_WP | X86_CR0_NE | X86_CR0_MP) & ~(X86_CR0_TS | X86_CR0_EM | X86_CR0_AM));
	write_cr4(cr4_features);
}

/* True but in QEMU's emulation of a machine with one processor, which translates barriers to nothing. */
bool arch_barriers_reach_devices(void)
{
	u32 max, name[3];

	if (num_possible_cpus() > 1 || !boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return true;
	cpuid(0x40000000, &max, &name[0], &name[1], &name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) != 0;
}

/* Where `syscall` goes, and which flags it clears: interrupts, direction, steps, SMAP override, nested task. */
void syscall_init(void)
{
	wrmsrl(MSR_STAR, (u64)__USER32_CS << 48 | (u64)__KERNEL_CS << 32);
	wrmsrl(MSR_LSTAR, (unsigned long)entry_SYSCALL_64);
	wrmsrl(MSR_CSTAR, (unsigned long)entry_SYSCALL_compat);
	wrmsrl(MSR_IA32_SYSENTER_CS, 0);	/* `sysenter` is a general protection fault */
	wrmsrl(MSR_SYSCALL_MASK, X86_EFLAGS_CF | 0x4 | 0x10 | 0x40 | 0x80 | X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF |
	       X86_EFLAGS_OF | X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID);
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		wrmsrl(MSR_TSC_AUX, (u64)raw_smp_processor_id());
}

/* Without SMAP, stac and clac are invalid opcodes: overwritten by a three-byte no-operation.  Text is still writable. */
void __init smap_patch_sites(void)
{
	extern int __smap_sites_start[], __smap_sites_end[];

	if (boot_cpu_has(X86_FEATURE_SMAP))
		return;
	for (int *site = __smap_sites_start; site < __smap_sites_end; site++)
		memcpy((char *)site + *site, "\x0f\x1f\x00", 3);
}

int topology_physical_package_id(int cpu) { return (int)cpu_data(cpu).phys_proc_id; }
int topology_core_id(int cpu) { return (int)cpu_data(cpu).cpu_core_id; }

static struct cpumask sibling_map[NR_CPUS], core_map[NR_CPUS];
const struct cpumask *topology_sibling_cpumask(int cpu) { return &sibling_map[cpu]; }
const struct cpumask *topology_core_cpumask(int cpu) { return &core_map[cpu]; }

static unsigned int count_cores(const struct cpumask *package)
{
	unsigned int n = 0;
	int cpu;

	for_each_cpu(cpu, package)
		n += (int)cpumask_first(&sibling_map[cpu]) == cpu;
	return n;
}

/* Links a CPU that came up with those already there.  Called with one CPU coming up at a time. */
void link_cpu_topology(int cpu)
{
	int other;

	for_each_online_cpu(other) {
		if (topology_physical_package_id(other) != topology_physical_package_id(cpu))
			continue;
		cpumask_set_cpu(other, &core_map[cpu]);
		cpumask_set_cpu(cpu, &core_map[other]);
		if (topology_core_id(other) != topology_core_id(cpu))
			continue;
		cpumask_set_cpu(other, &sibling_map[cpu]);
		cpumask_set_cpu(cpu, &sibling_map[other]);
	}
	for_each_cpu(other, &core_map[cpu])
		cpu_data(other).booted_cores = count_cores(&core_map[cpu]);
}
