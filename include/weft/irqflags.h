/*
 * irqflags.h: interrupts of this CPU off and on.  In debug builds the lock checker is told when they come on.
 */
#ifndef WEFT_IRQFLAGS_H
#define WEFT_IRQFLAGS_H

#include <weft/compiler.h>
#include <asm/irqflags.h>

#ifdef CONFIG_DEBUG
void lockdep_hardirqs_on(unsigned long ip);	/* called just before: held locks are seen with interrupts on */

#undef local_irq_enable
#undef local_irq_restore
#define local_irq_enable()	do { lockdep_hardirqs_on(_THIS_IP_); raw_local_irq_enable(); } while (0)
#define local_irq_restore(flags) do {				\
	if (!raw_irqs_disabled_flags(flags))			\
		lockdep_hardirqs_on(_THIS_IP_);			\
	raw_local_irq_restore(flags);				\
} while (0)
#endif

#endif
