/*
 * might_sleep.c: in debug builds, everything that may sleep says so first, and this looks whether it is allowed to.
 *
 * Idea:    a mistake is found every time the function is called in the wrong place, not just when it really has to wait.
 * See:     include/weft/kernel.h: might_sleep(), might_fault()
 */
#ifdef CONFIG_DEBUG
#include <weft/kernel.h>
#include <weft/lockdep.h>
#include <weft/main.h>
#include <weft/sched.h>
#include <weft/uaccess.h>

void __might_sleep(const char *file, int line)
{
	static int reports;

	if (likely(preemptible()) || system_state < SYSTEM_SCHEDULING || system_state > SYSTEM_RUNNING || oops_in_progress)
		return;
	if (__atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED) >= 10)
		return;
	printk(KERN_ERR "BUG: sleeping function called from invalid context at %s:%d\n", file, line);
	printk(KERN_ERR "preempt_count: %#x, interrupts %s, pid %d (%s)\n", preempt_count(), irqs_disabled() ? "off" : "on",
	       current->pid, current->comm);
	debug_show_held_locks(current);
	dump_stack();
}

/* A user copy: a page may have to be read in, unless faults are told to fail. */
void __might_fault(const char *file, int line)
{
	if (!pagefault_disabled())
		__might_sleep(file, line);
}
#endif
