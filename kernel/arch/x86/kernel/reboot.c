/*
 * reboot.c: the machine's ways to end: power-off, restart, halt.
 *
 * Idea:    the other CPUs are stopped first, on the CPU that asks.  Power-off and restart are asked of ACPI; a restart
 *          that is not granted goes on to older ways, down to a triple fault, which no processor survives.
 * See:     spec.md §1; acpi.c; kernel/task/sys.c has reboot(2)
 */
#include <weft/arch.h>
#include <weft/delay.h>
#include <weft/kernel.h>
#include <weft/reboot.h>
#include <weft/smp.h>
#include <asm/acpi.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/io.h>

#define KBC_STATUS		0x64
#define KBC_INPUT_FULL		2
#define KBC_PULSE_RESET		0xfe
#define RESET_CONTROL		0xcf9
#define RESET_CONTROL_FULL	0x0e
#define GRANT_MS		50	/* how long a request may take to act */

static void stop_others(void)
{
	smp_send_stop();
	local_irq_disable();
}

static void reset_by_keyboard_controller(void)
{
	for (int i = 0; i < 1000 && inb(KBC_STATUS) & KBC_INPUT_FULL; i++)
		udelay(2);
	outb(KBC_PULSE_RESET, KBC_STATUS);
}

static void __noreturn triple_fault(void)
{
	struct desc_ptr none = { 0, 0 };

	asm volatile("lidt %0; int3" : : "m" (none));
	for (;;)
		halt();
}

void machine_emergency_restart(void)
{
	acpi_reset();
	mdelay(GRANT_MS);
	reset_by_keyboard_controller();
	mdelay(GRANT_MS);
	outb(RESET_CONTROL_FULL, RESET_CONTROL);
	mdelay(GRANT_MS);
	triple_fault();
}

void machine_restart(const char *cmd)
{
	stop_others();
	machine_emergency_restart();
}

void machine_halt(void)
{
	stop_others();
	for (;;)
		halt();
}

/*
 * A virtual machine without ACPI has no switch; but one that is reset under `qemu -no-reboot` ends, and one that restarts
 * is better than one that hangs.
 */
void machine_power_off(void)
{
	stop_others();
	acpi_power_off();
	mdelay(GRANT_MS);
	if (boot_cpu_has(X86_FEATURE_HYPERVISOR))
		machine_emergency_restart();
	pr_emerg("power off: this machine offers no way; halted\n");
	for (;;)
		halt();
}
