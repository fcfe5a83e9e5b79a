/*
 * tsc.c: the time-stamp counter: how fast it is, the clock made of it, busy waits.
 *
 * Idea:    the frequency is asked for (CPUID, the hypervisor) or measured, once, against a counter of known speed: the
 *          ACPI timer, the HPET's, or the old PIT's.  The measurement begins early and ends in time_init(): the work of
 *          start-up in between is the wait, which is only drawn out when it was too short to be exact.
 * Exact:   each end of the measurement takes the best of a few readings (the one whose two TSC reads lie closest), so an
 *          emulator's pauses between two instructions do not spoil it.
 * Locking: [I] all is written on the boot CPU during start-up.
 * See:     spec.md §1 "interrupts and time"
 */
#include <weft/clocksource.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/main.h>
#include <weft/math64.h>
#include <weft/vdso_data.h>
#include <asm/acpi.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/delay.h>
#include <asm/io.h>
#include <asm/page.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#define PM_TIMER_HZ		3579545
#define PIT_HZ			1193182
#define PIT_CH2			0x42
#define PIT_MODE		0x43
#define PIT_CH2_MODE0		0xb0	/* channel 2, low and high byte, mode 0: counts down once */
#define PIT_LATCH_CH2		0x80
#define PORT_B			0x61
#define PORT_B_GATE2		0x01
#define PORT_B_SPEAKER		0x02
#define HPET_PERIOD		0x004	/* femtoseconds, in the upper half of the capability register */
#define HPET_CONFIG		0x010
#define HPET_ENABLE		1
#define HPET_COUNTER		0x0f0
#define FEMTOSECONDS		1000000000000000ULL
#define HYPERVISOR_APIC_HZ	1000000000ULL	/* what QEMU and KVM let the local APIC's timer count by */

#define MIN_CALIBRATION_US	5000
#define BEST_OF			6

unsigned int tsc_khz __ro_after_init;
unsigned int cpu_khz __ro_after_init;

/* What the TSC is measured against. */
struct reference {
	const char	*name;
	u64		(*read)(void);
	u64		hz;
	u64		mask;
};

struct sample {
	u64 tsc, ref;
};

static struct reference reference;
static struct sample first_sample;
static u64 boot_tsc;			/* the TSC when the kernel began */
static u32 ns_mult, ns_shift;		/* for native_sched_clock() */
static void __iomem *hpet;

/* ---- the counters of known speed ---- */

static u64 pm_timer_read(void)
{
	return inl(acpi_pm_timer_port) & 0xffffff;
}

static u64 hpet_read(void)
{
	return readl(hpet + HPET_COUNTER);
}

/* Counts down from 0xffff. */
static u64 pit_read(void)
{
	u32 low;

	outb(PIT_LATCH_CH2, PIT_MODE);
	low = inb(PIT_CH2);
	return 0xffff - (low | (u32)inb(PIT_CH2) << 8);
}

static bool pit_start(void)
{
	u64 first;

	outb((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2, PORT_B);
	outb(PIT_CH2_MODE0, PIT_MODE);
	outb(0xff, PIT_CH2);
	outb(0xff, PIT_CH2);
	first = pit_read();
	for (int i = 0; i < 1000; i++)
		if (pit_read() != first)
			return true;
	return false;			/* nothing there */
}

/* Early: the first 4 GiB are in the direct map, the HPET's registers, too. */
static bool hpet_start(void)
{
	u32 period;

	if (!acpi_hpet_base || acpi_hpet_base >= 0x100000000ULL)
		return false;
	hpet = (void __iomem *)__va(acpi_hpet_base);
	period = readl(hpet + HPET_PERIOD);
	if (!period || period > 100000000)
		return false;
	writel(readl(hpet + HPET_CONFIG) | HPET_ENABLE, hpet + HPET_CONFIG);
	reference = (struct reference){ "HPET", hpet_read, FEMTOSECONDS / period, 0xffffffff };
	return true;
}

static bool choose_reference(void)
{
	if (acpi_pm_timer_port)
		reference = (struct reference){ "ACPI timer", pm_timer_read, PM_TIMER_HZ, 0xffffff };
	else if (pit_start())
		reference = (struct reference){ "PIT", pit_read, PIT_HZ, 0xffff };
	else
		return hpet_start();
	return true;
}

/* ---- measuring ---- */

static struct sample take_sample(void)
{
	struct sample s = { 0, 0 };
	u64 best = ~0ULL;

	for (int i = 0; i < BEST_OF; i++) {
		u64 before = rdtsc_ordered(), ref = reference.read(), after = rdtsc_ordered();

		if (after - before < best) {
			best = after - before;
			s = (struct sample){ before + (after - before) / 2, ref };
		}
	}
	return s;
}

/* CPUID leaf 0x15: crystal * ratio; or what a hypervisor says in leaf 0x40000010.  kHz, 0 if neither tells. */
static u32 known_tsc_khz(void)
{
	u32 max, a, b, c, d;

	cpuid(0, &max, &b, &c, &d);
	if (max >= 0x15) {
		cpuid(0x15, &a, &b, &c, &d);
		if (a && b && c)
			return (u32)((u64)c * b / a / 1000);
	}
	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return 0;
	cpuid(0x40000000, &max, &b, &c, &d);
	if (max < 0x40000010 || max > 0x400000ff)
		return 0;
	cpuid(0x40000010, &a, &b, &c, &d);
	return a;
}

void __init tsc_calibrate_start(void)
{
	boot_tsc = rdtsc();
	tsc_khz = known_tsc_khz();
	if (!tsc_khz && choose_reference())
		first_sample = take_sample();
}

/* Counts of the reference since the first sample; a counter that went round once is seen right, twice it is not. */
static u64 reference_elapsed(const struct sample *s)
{
	return (s->ref - first_sample.ref) & reference.mask;
}

static u32 measure_tsc_khz(void)
{
	u64 enough = reference.hz * MIN_CALIBRATION_US / 1000000;
	struct sample s;

	do {
		s = take_sample();
	} while (reference_elapsed(&s) < enough);
	return (u32)div64_u64((s.tsc - first_sample.tsc) * reference.hz, reference_elapsed(&s) * 1000);
}

/*
 * Nothing but the processor itself to measure by: a virtual machine without timers.  Its local APIC counts nanoseconds;
 * the countdown runs since init_IRQ().
 */
static u32 measure_by_apic(void)
{
	u64 gone, start = ~apic_read(APIC_TMCCT) & 0xffffffff, tsc = rdtsc_ordered();

	reference.name = "local APIC";
	do {
		gone = (~apic_read(APIC_TMCCT) & 0xffffffff) - start;
	} while (gone < HYPERVISOR_APIC_HZ * MIN_CALIBRATION_US / 1000000);
	return (u32)div64_u64((rdtsc_ordered() - tsc) * (HYPERVISOR_APIC_HZ / 1000), gone);
}

/*
 * The PIT goes round in 55 ms, the ACPI timer in 4.7 s: a start-up that took longer (an emulator on a busy host) makes the
 * first sample useless.  How long it took is only known in cycles; no TSC runs slower than 500 MHz, so this many cycles
 * are less than a round.
 */
static bool first_sample_is_stale(void)
{
	u64 round_ns = div64_u64((reference.mask + 1) * 1000000000ULL, reference.hz);

	return rdtsc() - first_sample.tsc > round_ns / 2;
}

static u32 find_tsc_khz(void)
{
	if (tsc_khz)
		return tsc_khz;
	if (!reference.read)
		return measure_by_apic();
	if (reference.read == hpet_read)
		hpet = ioremap(acpi_hpet_base, 0x400);
	if (first_sample_is_stale()) {
		if (reference.read == pit_read)
			pit_start();
		first_sample = take_sample();
	}
	return measure_tsc_khz();
}

/* ---- the clocks ---- */

u64 native_sched_clock(void)
{
	/* Before the frequency is known: 0, and later readings go on from the true start. */
	return (u64)((unsigned __int128)(rdtsc() - boot_tsc) * ns_mult >> ns_shift);
}

static u64 read_tsc(struct clocksource *cs)
{
	return rdtsc_ordered();
}

static struct clocksource clocksource_tsc = {
	.name = "tsc",
	.rating = 300,
	.read = read_tsc,
	.mask = CLOCKSOURCE_MASK(64),
	.flags = CLOCK_SOURCE_IS_CONTINUOUS | CLOCK_SOURCE_VALID_FOR_HRES,
	.vdso_clock_mode = VDSO_CLOCKMODE_TSC,
};

void __init tsc_init(void)
{
	tsc_khz = find_tsc_khz();
	cpu_khz = tsc_khz;
	ns_shift = 32;
	while (ns_shift && (1000000ULL << ns_shift) / tsc_khz > U32_MAX)
		ns_shift--;
	WRITE_ONCE(ns_mult, (u32)div64_u64(1000000ULL << ns_shift, tsc_khz));
	pr_info("tsc: %u.%03u MHz (%s)\n", tsc_khz / 1000, tsc_khz % 1000, reference.name ?: "told");
	clocksource_register_khz(&clocksource_tsc, tsc_khz);
}

/* Interrupts are off; from the end of it on, this CPU has a tick. */
void __init time_init(void)
{
	tsc_init();
	apic_timer_calibrate_end();
	apic_setup_timer();
}

/* ---- busy waits ---- */

static void wait_cycles(u64 cycles)
{
	u64 start = rdtsc();

	while (rdtsc() - start < cycles)
		cpu_relax();
}

/* Before the calibration the speed is a guess on the long side. */
static u64 khz_or_guess(void)
{
	return tsc_khz ?: 4000000;
}

void udelay(unsigned long us)
{
	wait_cycles(us * khz_or_guess() / 1000);
}

void ndelay(unsigned long ns)
{
	wait_cycles(ns * khz_or_guess() / 1000000);
}
