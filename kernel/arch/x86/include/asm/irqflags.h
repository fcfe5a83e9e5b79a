/*
 * irqflags.h: turning interrupts off and on for this CPU.
 */
#ifndef ASM_IRQFLAGS_H
#define ASM_IRQFLAGS_H

#include <weft/compiler.h>
#include <weft/types.h>

#define X86_EFLAGS_CF	0x00000001UL
#define X86_EFLAGS_TF	0x00000100UL
#define X86_EFLAGS_IF	0x00000200UL
#define X86_EFLAGS_DF	0x00000400UL
#define X86_EFLAGS_OF	0x00000800UL
#define X86_EFLAGS_IOPL	0x00003000UL
#define X86_EFLAGS_NT	0x00004000UL
#define X86_EFLAGS_RF	0x00010000UL
#define X86_EFLAGS_AC	0x00040000UL
#define X86_EFLAGS_ID	0x00200000UL
#define X86_EFLAGS_FIXED 0x00000002UL

static __always_inline unsigned long native_save_fl(void)
{
	unsigned long flags;

	asm volatile("pushf; pop %0" : "=rm" (flags) : : "memory");
	return flags;
}
static __always_inline void raw_local_irq_disable(void) { asm volatile("cli" : : : "memory"); }
static __always_inline void raw_local_irq_enable(void) { asm volatile("sti" : : : "memory"); }
static __always_inline bool raw_irqs_disabled_flags(unsigned long flags) { return !(flags & X86_EFLAGS_IF); }
static __always_inline unsigned long __local_irq_save(void)
{
	unsigned long flags = native_save_fl();

	raw_local_irq_disable();
	return flags;
}
static __always_inline void raw_local_irq_restore(unsigned long flags)
{
	if (flags & X86_EFLAGS_IF)
		raw_local_irq_enable();
}

/* Waits for an interrupt.  sti takes effect after the next instruction, so none can slip in between. */
static __always_inline void safe_halt(void) { asm volatile("sti; hlt" : : : "memory"); }
static __always_inline void halt(void) { asm volatile("hlt" : : : "memory"); }

#define local_irq_disable()	raw_local_irq_disable()
#define local_irq_enable()	raw_local_irq_enable()
#define local_irq_save(flags)	((flags) = __local_irq_save())
#define raw_local_irq_save(flags) ((flags) = __local_irq_save())
#define local_irq_restore(flags) raw_local_irq_restore(flags)
#define local_save_flags(flags)	((flags) = native_save_fl())
#define irqs_disabled_flags(f)	raw_irqs_disabled_flags(f)
#define irqs_disabled()		raw_irqs_disabled_flags(native_save_fl())

#endif
