/*
 * panic.c: the end, and what comes before it: BUG, WARN, taint.
 *
 * What:    panic() stops the machine with everything that helps to find out why: the message, the back trace, the locks
 *          held (debug builds), the latest trace events.  BUG() is a panic that names its place; WARN() reports and goes on.
 * Idea:    the first CPU to panic is the only one to print; a second one, and the same one again (a fault while it dies),
 *          are kept away from the report by one compare-and-exchange.
 * Locking: none is taken.  Consoles are told by oops_in_progress to take none that the dead may hold.
 * See:     reboot(8) panic=; spec.md §11 "debugging"
 */
#include <weft/kernel.h>
#include <weft/arch.h>
#include <weft/bug.h>
#include <weft/console.h>
#include <weft/init.h>
#include <weft/proc_fs.h>
#include <weft/lockdep.h>
#include <weft/main.h>
#include <weft/printk.h>
#include <weft/reboot.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <asm/delay.h>
#include "printk_internal.h"

enum system_states system_state;		/* [-] written by init/main.c and reboot, each step once; readers may be late */

#define PANIC_CPU_NONE	(-1)

int panic_timeout;
int panic_on_oops = 1;
static int panic_on_warn;
void (*panic_dump_hook)(void);
static int panic_cpu = PANIC_CPU_NONE;		/* [a] */
static unsigned long taint;			/* [a] */
unsigned int warn_count;			/* [-] reports of WARN since start-up: the tests look at it */

void add_taint(unsigned int flag)
{
	__atomic_fetch_or(&taint, 1UL << flag, __ATOMIC_RELAXED);
}

/* Nothing more to do on this CPU. */
static void __noreturn stop_here(void)
{
	for (;;) {
		raw_local_irq_disable();
		halt();
	}
}

/* True for the CPU that may report; a CPU that comes here twice gets false as well. */
static bool become_panic_cpu(void)
{
	int none = PANIC_CPU_NONE;

	return try_cmpxchg(&panic_cpu, &none, raw_smp_processor_id());
}

static void __noreturn end_machine(void)
{
	if (panic_timeout > 0) {
		pr_emerg("Rebooting in %d seconds..\n", panic_timeout);
		for (int ms = 0; ms < panic_timeout * 1000; ms++)
			udelay(1000);
	}
	if (panic_timeout)
		machine_emergency_restart();
	pr_emerg("---[ end Kernel panic ]---\n");
	stop_here();
}

void panic(const char *fmt, ...)
{
	static char text[512];			/* only the panic CPU gets as far as this */
	va_list args;

	raw_local_irq_disable();
	preempt_disable();
	if (!become_panic_cpu()) {
		if (panic_cpu == raw_smp_processor_id())
			console_write_direct("panic inside panic\n", 19);
		stop_here();
	}
	oops_in_progress = true;
	smp_send_stop();
	console_break_lock();
	printk_break_lock();

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pr_emerg("Kernel panic - not syncing: %s\n", text);
	dump_stack();
	debug_show_held_locks(current);
	if (panic_dump_hook)
		panic_dump_hook();
	console_flush_all();
	end_machine();
}

void __bug(const char *file, int line)
{
	oops_in_progress = true;
	pr_emerg("kernel BUG at %s:%d!\n", file, line);
	panic("BUG at %s:%d", file, line);
}

/* One report of a warning; message may be NULL. */
static void warn_report(const char *file, int line, void *caller, struct va_format *message)
{
	warn_count++;
	pr_warn("------------[ cut here ]------------\n");
	if (message)
		pr_warn("%pV", message);
	pr_warn("WARNING: CPU: %d PID: %d at %s:%d %pS\n", raw_smp_processor_id(), current->pid, file, line,
		caller);
	dump_stack();
	pr_warn("---[ end trace ]---\n");
	add_taint(9);				/* TAINT_WARN, as /proc/sys/kernel/tainted has it */
	if (panic_on_warn)
		panic("panic_on_warn set");
}

void __warn_at(const char *file, int line)
{
	warn_report(file, line, __builtin_return_address(0), NULL);
}

void __warn_fmt(const char *file, int line, const char *fmt, ...)
{
	struct va_format message = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	message.va = &args;
	warn_report(file, line, __builtin_return_address(0), &message);
	va_end(args);
}

/* ---- the command line and /proc/sys/kernel ---- */

static int __init panic_setup(char *value)
{
	return kstrtoint(value, 0, &panic_timeout);
}
early_param("panic", panic_setup);

static int __init panic_on_warn_setup(char *value)
{
	panic_on_warn = 1;
	return 0;
}
early_param("panic_on_warn", panic_on_warn_setup);

static int tainted(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	*len = (size_t)scnprintf(buf, *len, "%lu\n", __atomic_load_n(&taint, __ATOMIC_RELAXED));
	return 0;
}

static const int zero, one = 1;
static const struct ctl_table kernel_table[] = {
	{ "panic", &panic_timeout, sizeof(int), 0644, proc_dointvec },
	{ "panic_on_oops", &panic_on_oops, sizeof(int), 0644, proc_dointvec_minmax, &zero, &one },
	{ "panic_on_warn", &panic_on_warn, sizeof(int), 0644, proc_dointvec_minmax, &zero, &one },
	{ "tainted", NULL, 0, 0444, tainted },
	{ }
};

static int __init panic_sysctl_init(void)
{
	return register_sysctl("kernel", kernel_table);
}
fs_initcall(panic_sysctl_init);
