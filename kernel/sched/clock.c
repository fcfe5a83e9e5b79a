/*
 * clock.c: sched_clock(): nanoseconds for the scheduler and for time stamps.
 *
 * Idea:    the processor's counter, scaled.  It only has to be cheap, to go forward on each CPU, and to be nearly the same
 *          on all; what is shown to users comes from timekeeping.c.
 * See:     kernel/arch/x86/kernel/tsc.c
 */
#include <weft/timekeeping.h>
#include <asm/tsc.h>

u64 sched_clock(void)
{
	return native_sched_clock();
}
