/*
 * i8259.c: the two old interrupt controllers: moved away from the exception vectors and masked; in use only on a machine
 * without an I/O APIC.
 *
 * Locking: i8259_lock (interrupts off) guards the cached mask and the ports.
 * See:     spec.md §1 "interrupts and time"
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/spinlock.h>
#include <asm/apic.h>
#include <asm/io.h>
#include <asm/irq_vectors.h>

#define MASTER_CMD	0x20
#define MASTER_DATA	0x21
#define SLAVE_CMD	0xa0
#define SLAVE_DATA	0xa1
#define ICW1_INIT	0x11	/* cascade, ICW4 follows */
#define ICW4_8086	0x01
#define CASCADE_LINE	2
#define EOI_SPECIFIC	0x60

static DEFINE_SPINLOCK(i8259_lock);
static u16 line_mask __guarded_by(&i8259_lock) = 0xffff & ~(1 << CASCADE_LINE);

void __init i8259_init(void)
{
	outb(ICW1_INIT, MASTER_CMD);
	outb(ICW1_INIT, SLAVE_CMD);
	outb(FIRST_EXTERNAL_VECTOR, MASTER_DATA);
	outb(FIRST_EXTERNAL_VECTOR + 8, SLAVE_DATA);
	outb(1 << CASCADE_LINE, MASTER_DATA);
	outb(CASCADE_LINE, SLAVE_DATA);
	outb(ICW4_8086, MASTER_DATA);
	outb(ICW4_8086, SLAVE_DATA);
	outb(0xff, SLAVE_DATA);
	outb(ioapic_present() ? 0xff : 0xff & ~(1 << CASCADE_LINE), MASTER_DATA);
}

static void write_mask(void) __must_hold(&i8259_lock)
{
	outb((u8)line_mask, MASTER_DATA);
	outb((u8)(line_mask >> 8), SLAVE_DATA);
}

void i8259_mask(u32 line)
{
	unsigned long flags;

	spin_lock_irqsave(&i8259_lock, flags);
	line_mask |= (u16)(1 << line);
	write_mask();
	spin_unlock_irqrestore(&i8259_lock, flags);
}

void i8259_unmask(u32 line)
{
	unsigned long flags;

	spin_lock_irqsave(&i8259_lock, flags);
	line_mask &= (u16)~(1 << line);
	write_mask();
	spin_unlock_irqrestore(&i8259_lock, flags);
}

void i8259_eoi(u32 line)
{
	if (line >= 8) {
		outb((u8)(EOI_SPECIFIC | (line - 8)), SLAVE_CMD);
		line = CASCADE_LINE;
	}
	outb((u8)(EOI_SPECIFIC | line), MASTER_CMD);
}
