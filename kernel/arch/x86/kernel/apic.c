/*
 * apic.c: the local APIC of each CPU: interprocessor interrupts, end of interrupt, the one-shot timer.
 *
 * Idea:    registers are the same in both modes; x2APIC reaches them as MSRs, without a mapping and without the wait for
 *          the last IPI.  The timer is programmed by TSC deadline where there is one, otherwise by a countdown whose
 *          frequency is measured while start-up does other work.
 * Locking: [c] each CPU has its own; a two-register IPI is sent with interrupts off.
 * See:     spec.md §1 "interrupts and time"; Intel SDM 3A chapter 11
 */
#include <weft/kernel.h>
#include <weft/clockchips.h>
#include <weft/init.h>
#include <weft/irq.h>
#include <weft/math64.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <asm/apic.h>
#include <asm/io.h>
#include <asm/irq_vectors.h>
#include <asm/msr.h>
#include <asm/pgtable.h>
#include <asm/tsc.h>

#define APICBASE_ENABLE		(1 << 11)
#define APICBASE_X2APIC		(1 << 10)
#define TIMER_DIVIDE_1		0xb

bool x2apic_mode __ro_after_init;
phys_addr_t apic_phys_base __ro_after_init = 0xfee00000;
static void __iomem *apic_regs __ro_after_init;
static u32 timer_hz __ro_after_init;		/* countdown frequency; 0: TSC deadline */
static u64 countdown_began __initdata;		/* TSC at the start of the measurement */
static DEFINE_PER_CPU(struct clock_event_device, apic_timer);

u32 apic_read(u32 reg)
{
	if (x2apic_mode)
		return (u32)rdmsrl_val(MSR_X2APIC_BASE + (reg >> 4));
	return readl(apic_regs + reg);
}

void apic_write(u32 reg, u32 value)
{
	if (x2apic_mode)
		wrmsrl(MSR_X2APIC_BASE + (reg >> 4), value);
	else
		writel(value, apic_regs + reg);
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

u32 read_apic_id(void)
{
	u32 id = apic_read(APIC_ID);

	return x2apic_mode ? id : id >> 24;
}

static void wait_icr_idle(void)
{
	while (apic_read(APIC_ICR) & APIC_ICR_BUSY)
		cpu_relax();
}

void apic_send_ipi(u32 apicid, u32 what)
{
	unsigned long flags;

	if (x2apic_mode) {
		/* The MSR write does not wait for earlier stores, which the receiver must see. */
		mb();
		wrmsrl(MSR_X2APIC_BASE + (APIC_ICR >> 4), (u64)apicid << 32 | what);
		return;
	}
	local_irq_save(flags);
	wait_icr_idle();
	writel(apicid << 24, apic_regs + APIC_ICR2);
	writel(what, apic_regs + APIC_ICR);
	local_irq_restore(flags);
}

void apic_send_ipi_all_but_self(u32 what)
{
	apic_send_ipi(0, what | APIC_DEST_ALLBUT);
}

/* After init_mem_mapping().  x2APIC when the firmware left it on or the processor has it. */
void __init apic_map(void)
{
	if (boot_cpu_has(X86_FEATURE_X2APIC)) {
		x2apic_mode = true;
		return;
	}
	apic_regs = early_ioremap_apic(apic_phys_base);
}

void apic_setup_cpu(void)
{
	u64 base = rdmsrl_val(MSR_IA32_APICBASE) | APICBASE_ENABLE;

	wrmsrl(MSR_IA32_APICBASE, base);
	if (x2apic_mode)
		wrmsrl(MSR_IA32_APICBASE, base | APICBASE_X2APIC);
	apic_write(APIC_TASKPRI, 0);
	apic_write(APIC_LVTT, APIC_LVT_MASKED);
	/* Lines of the 8259: only where there is no I/O APIC do they come in, on the boot CPU. */
	apic_write(APIC_LVT0, !ioapic_present() && raw_smp_processor_id() == 0 ? APIC_DM_EXTINT : APIC_LVT_MASKED);
	apic_write(APIC_LVT1, APIC_DM_NMI);
	apic_write(APIC_LVTERR, ERROR_APIC_VECTOR);
	apic_write(APIC_SPIV, APIC_SPIV_ENABLED | SPURIOUS_APIC_VECTOR);
}

void disable_local_apic(void)
{
	apic_write(APIC_LVTT, APIC_LVT_MASKED);
	apic_write(APIC_SPIV, SPURIOUS_APIC_VECTOR);
}

/* ---- the timer ---- */

static bool use_tsc_deadline(void)
{
	return boot_cpu_has(X86_FEATURE_TSC_DEADLINE_TIMER);
}

static int apic_set_next_event(unsigned long delta, struct clock_event_device *evt)
{
	apic_write(APIC_TMICT, (u32)delta);
	return 0;
}

static int tsc_deadline_set_next_event(unsigned long delta, struct clock_event_device *evt)
{
	wrmsrl(MSR_IA32_TSC_DEADLINE, rdtsc() + delta * 8);	/* ticks are units of 8 cycles, to fit 32 bits of Hz */
	return 0;
}

static int apic_timer_shutdown(struct clock_event_device *evt)
{
	if (use_tsc_deadline())
		wrmsrl(MSR_IA32_TSC_DEADLINE, 0);
	else
		apic_write(APIC_TMICT, 0);
	return 0;
}

/* Starts the countdown at its largest value, masked; the end measures how far it came. */
void __init apic_timer_calibrate_start(void)
{
	apic_write(APIC_TDCR, TIMER_DIVIDE_1);
	apic_write(APIC_LVTT, APIC_LVT_MASKED | LOCAL_TIMER_VECTOR);
	apic_write(APIC_TMICT, ~0u);
	countdown_began = rdtsc_ordered();
}

/* The TSC's frequency is known now.  A millisecond is enough for a countdown in nanoseconds. */
void __init apic_timer_calibrate_end(void)
{
	u64 cycles;
	u32 gone;

	if (use_tsc_deadline())
		return;
	while (rdtsc() - countdown_began < tsc_khz)
		cpu_relax();
	gone = ~apic_read(APIC_TMCCT);
	cycles = rdtsc_ordered() - countdown_began;
	apic_write(APIC_TMICT, 0);
	timer_hz = (u32)min_t(u64, div64_u64((u64)gone * tsc_khz, cycles) * 1000, U32_MAX);
	if (!timer_hz)
		panic("the local APIC's timer does not count");
}

/* This CPU's timer becomes its clock_event device.  Interrupts off. */
void apic_setup_timer(void)
{
	struct clock_event_device *evt = this_cpu_ptr(&apic_timer);

	*evt = (struct clock_event_device){
		.name = "lapic",
		.features = CLOCK_EVT_FEAT_ONESHOT,
		.rating = 150,
		.cpumask = cpumask_of(raw_smp_processor_id()),
		.set_state_shutdown = apic_timer_shutdown,
		.irq = -1,
	};
	if (use_tsc_deadline()) {
		evt->set_next_event = tsc_deadline_set_next_event;
		apic_write(APIC_LVTT, APIC_TIMER_TSCDEADLINE | LOCAL_TIMER_VECTOR);
		/* The mode change must be seen before the first deadline is written. */
		mb();
		clockevents_config_and_register(evt, (u32)((u64)tsc_khz * 1000 / 8), 16, 0x7fffffff);
	} else {
		evt->set_next_event = apic_set_next_event;
		apic_write(APIC_TDCR, TIMER_DIVIDE_1);
		apic_write(APIC_LVTT, APIC_TIMER_ONESHOT | LOCAL_TIMER_VECTOR);
		clockevents_config_and_register(evt, timer_hz, 16, 0x7fffffff);
	}
}

void apic_timer_interrupt(void)
{
	struct clock_event_device *evt = this_cpu_ptr(&apic_timer);

	this_cpu_inc(irq_stat.timer);
	if (evt->event_handler)
		evt->event_handler(evt);
}
