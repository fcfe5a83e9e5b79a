/*
 * smpboot.c: bringing the other CPUs up.
 *
 * Idea:    a started CPU begins in real mode at the page that the start-up interrupt names.  trampoline.S is copied there;
 *          it goes to 64-bit mode on the boot processor's early page tables, takes its stack and number from
 *          smp_boot_data and calls start_secondary().  One CPU starts at a time, so there is one set of data.
 *
 *          boot CPU                                   new CPU
 *          idle task, its stack -> smp_boot_data
 *          INIT, SIPI, SIPI                           trampoline: real, 32-bit, 64-bit mode
 *          waits for cpu_online(n)                    own GDT, per-CPU base, page tables, APIC
 *                                                     online; idle loop
 * Locking: start-up, by pid 1 alone.
 * See:     spec.md §1 "SMP"; Intel SDM 3A 9.4 "multiple-processor initialization"; doc/boot.md
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/memblock.h>
#include <weft/mm.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <asm/apic.h>
#include <asm/delay.h>
#include <asm/desc.h>
#include <asm/fpu.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/pgtable.h>
#include <asm/sections.h>
#include <asm/setup.h>
#include <asm/smpboot.h>
#include <asm/tlbflush.h>

#define START_TIMEOUT_US	2000000

u32 cpu_to_apicid[NR_CPUS];
static unsigned int nr_cpus_found;
static unsigned int max_cpus = NR_CPUS;
struct smp_boot_data smp_boot_data;	/* read by trampoline.S */

static int __init parse_maxcpus(char *value)
{
	max_cpus = (unsigned int)clamp_t(unsigned long, memparse(value, &value), 1, NR_CPUS);
	return 0;
}
early_param("maxcpus", parse_maxcpus);

static int __init parse_nosmp(char *value)
{
	max_cpus = 1;
	return 0;
}
early_param("nosmp", parse_nosmp);

/* The number by which interrupts reach the CPU that asks, before its APIC is mapped. */
static u32 __init boot_apic_id(void)
{
	u32 a, b, c, d, max;

	cpuid(0, &max, &b, &c, &d);
	if (max >= 0xb) {
		cpuid_count(0xb, 0, &a, &b, &c, &d);
		if (b)
			return d;
	}
	cpuid(1, &a, &b, &c, &d);
	return b >> 24;
}

/* Called for each processor that the firmware lists, before any memory management.  The one that runs becomes CPU 0. */
void __init smp_register_cpu(u32 apicid)
{
	if (apicid == boot_apic_id())
		return;
	for (unsigned int i = 1; i <= nr_cpus_found; i++)
		if (cpu_to_apicid[i] == apicid)
			return;			/* listed as APIC and as x2APIC */
	if (nr_cpus_found + 1 < NR_CPUS)
		cpu_to_apicid[++nr_cpus_found] = apicid;
}

void __init smp_register_boot_cpu(void)
{
	unsigned int n = min(nr_cpus_found + 1, max_cpus);

	cpu_to_apicid[0] = boot_apic_id();
	boot_cpu_init();
	for (unsigned int cpu = 1; cpu < n; cpu++) {
		set_cpu_possible(cpu, true);
		set_cpu_present(cpu, true);
	}
	nr_cpu_ids = n;
}

void __init reserve_trampoline(void)
{
	memblock_reserve(TRAMPOLINE_ADDR, PAGE_SIZE);
}

/* ---- on the new CPU ---- */

/*
 * The idle task has no address space of its own: it begins by borrowing the kernel's.  A function apart: the compiler may
 * compute `current` anywhere in a function, also before the per-CPU base is right.
 */
static noinline void borrow_kernel_mm(void)
{
	mmgrab(&init_mm);
	current->active_mm = &init_mm;
	enter_lazy_tlb(&init_mm, current);
}

static void setup_secondary_cpu(int cpu)
{
	cpu_init_features();
	pat_cpu_init();
	load_gdt_and_percpu(cpu);
	cpu_init_exception_handling();
	syscall_init();
	cpu_init_pcid();
	initialize_tlbstate_and_flush();
	borrow_kernel_mm();
	fpu_init_cpu();
	apic_setup_cpu();
	identify_cpu_topology(cpu);
}

/* The first C function of a CPU: on its idle task's stack, interrupts off. */
void __noreturn start_secondary(void)
{
	int cpu = smp_boot_data.cpu;

	setup_secondary_cpu(cpu);
	rcu_cpu_starting(cpu);
	set_cpu_online(cpu, true);
	set_cpu_active(cpu, true);
	link_cpu_topology(cpu);
	apic_setup_timer();
	smp_store_release(&smp_boot_data.started, true);
	local_irq_enable();
	cpu_startup_entry();
}

/* ---- on the boot CPU ---- */

static void __init send_init_sipi(u32 apicid)
{
	apic_send_ipi(apicid, APIC_DM_INIT | APIC_INT_LEVELTRIG | APIC_INT_ASSERT);
	udelay(10);
	apic_send_ipi(apicid, APIC_DM_INIT | APIC_INT_LEVELTRIG);
	for (int i = 0; i < 2 && !READ_ONCE(smp_boot_data.entered); i++) {
		apic_send_ipi(apicid, APIC_DM_STARTUP | TRAMPOLINE_ADDR >> PAGE_SHIFT);
		for (int us = 0; us < 200 && !READ_ONCE(smp_boot_data.entered); us += 10)
			udelay(10);
	}
}

static int __init boot_cpu_up(int cpu)
{
	struct task_struct *idle = fork_idle(cpu);

	if (IS_ERR(idle))
		return (int)PTR_ERR(idle);
	per_cpu(current_task, cpu) = idle;
	per_cpu(cpu_tss, cpu).sp0 = task_top_of_stack(idle);
	smp_boot_data.cpu = cpu;
	smp_boot_data.stack = task_top_of_stack(idle) - sizeof(struct pt_regs);
	smp_boot_data.efer = (u32)rdmsrl_val(MSR_EFER);
	smp_boot_data.entered = 0;
	smp_boot_data.started = false;
	smp_mb();

	preempt_disable();
	send_init_sipi(cpu_to_apicid[cpu]);
	for (int us = 0; us < START_TIMEOUT_US && !smp_load_acquire(&smp_boot_data.started); us += 10)
		udelay(10);
	preempt_enable();
	return smp_boot_data.started ? 0 : -EIO;
}

/* Where real mode can reach it.  The page is in the direct map, which is never executable: it runs on the early tables. */
static void __init copy_trampoline(void)
{
	memcpy(__va(TRAMPOLINE_ADDR), trampoline_start, (size_t)(trampoline_end - trampoline_start));
}

void __init smp_init(void)
{
	int cpu;

	if (num_present_cpus() > 1)
		copy_trampoline();
	for_each_present_cpu(cpu) {
		int err = cpu_online(cpu) ? 0 : boot_cpu_up(cpu);

		if (err) {
			/* It may still wake up late and use the data of the next one: no more CPUs. */
			pr_err("smp: CPU %d (APIC %u) does not start: error %d\n", cpu, cpu_to_apicid[cpu], err);
			break;
		}
	}
	pr_info("smp: %u of %u CPUs\n", num_online_cpus(), num_present_cpus());
}
