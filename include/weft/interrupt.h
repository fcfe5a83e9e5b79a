/*
 * interrupt.h: asking for an interrupt line.
 *
 * Context: handlers run with interrupts off on one CPU and must not sleep.  A line is handled on one CPU at a time, but for
 *          the moment in which it moves to another: handlers take their own locks.
 *          Soft interrupts and irq_enter/irq_exit are in softirq.h (kernel/sched).
 */
#ifndef WEFT_INTERRUPT_H
#define WEFT_INTERRUPT_H

#include <weft/types.h>
#include <weft/arch.h>
#include <weft/softirq.h>

typedef enum { IRQ_NONE = 0, IRQ_HANDLED = 1 } irqreturn_t;
#define IRQ_RETVAL(x)	((x) ? IRQ_HANDLED : IRQ_NONE)
typedef irqreturn_t (*irq_handler_t)(int irq, void *dev_id);

#define IRQF_SHARED	0x80	/* several devices on one line: handlers must tell whether it was theirs */

/*
 * Calls handler(irq, dev) at each interrupt of the line and enables it.  name is shown in /proc/interrupts and must
 * stay.  0, -EINVAL, -EBUSY (taken, or not shared by both), -ENODEV, -ENOMEM.  May sleep.
 */
int request_irq(unsigned int irq, irq_handler_t handler, unsigned long flags, const char *name, void *dev);
/* Takes handler of dev off; it does not run any more when this returns.  May sleep. */
void free_irq(unsigned int irq, void *dev);
void disable_irq_nosync(unsigned int irq);	/* nests */
void disable_irq(unsigned int irq);		/* ... and waits for a handler that runs */
void enable_irq(unsigned int irq);
void synchronize_irq(unsigned int irq);

#endif
