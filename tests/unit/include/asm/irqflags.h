/* irqflags.h for unit tests: interrupts are a variable. */
#ifndef ASM_IRQFLAGS_H
#define ASM_IRQFLAGS_H

#include <weft/compiler.h>
#include <weft/types.h>

#define X86_EFLAGS_IF	0x00000200UL

static unsigned long unit_irqs_off __maybe_unused;

static __always_inline void raw_local_irq_disable(void) { unit_irqs_off = 1; }
static __always_inline void raw_local_irq_enable(void) { unit_irqs_off = 0; }
static __always_inline void raw_local_irq_restore(unsigned long flags) { unit_irqs_off = flags; }
static __always_inline bool raw_irqs_disabled_flags(unsigned long flags) { return flags; }

#define local_irq_disable()	raw_local_irq_disable()
#define local_irq_enable()	raw_local_irq_enable()
#define local_irq_save(flags)	((flags) = unit_irqs_off, raw_local_irq_disable())
#define raw_local_irq_save(flags) local_irq_save(flags)
#define local_irq_restore(flags) raw_local_irq_restore(flags)
#define local_save_flags(flags)	((flags) = unit_irqs_off)
#define irqs_disabled_flags(f)	raw_irqs_disabled_flags(f)
#define irqs_disabled()		(unit_irqs_off != 0)

#endif
