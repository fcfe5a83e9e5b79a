/*
 * reboot.h: ways to end.
 * See:     kernel/arch/x86/kernel/reboot.c (the machine), kernel/task/sys.c (reboot(2))
 */
#ifndef WEFT_REBOOT_H
#define WEFT_REBOOT_H

#include <weft/compiler.h>
#include <weft/list.h>

/* All stop the other CPUs first.  Any context that may be left for good. */
void machine_restart(const char *cmd) __noreturn;
void machine_power_off(void) __noreturn;
void machine_halt(void) __noreturn;
void machine_emergency_restart(void) __noreturn;

/* Called, the last registered first, before the machine stops or starts anew.  Registered once, for ever. */
struct shutdown_hook {
	struct list_head node;
	void	(*fn)(struct shutdown_hook *hook);
};
void register_shutdown_hook(struct shutdown_hook *hook);

/* Orderly: sets system_state, prints, then the machine's way. */
void kernel_restart(const char *cmd) __noreturn;
void kernel_power_off(void) __noreturn;
void kernel_halt(void) __noreturn;

#endif
