/*
 * ioapic.c: the I/O APICs: which vector on which CPU each interrupt pin becomes.
 *
 * Idea:    a pin's 64-bit entry is written whole only while it is masked; masking and unmasking touch its low half.
 * Locking: ioapic_lock (interrupts off) guards the index/data register pair of all I/O APICs.
 * See:     spec.md §1 "interrupts"; 82093AA data sheet
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/spinlock.h>
#include <asm/apic.h>
#include <asm/io.h>

#define MAX_IOAPICS	8
#define REG_VERSION	1
#define REG_ENTRY(pin)	(0x10 + 2 * (pin))
#define ENTRY_MASKED	(1u << 16)
#define ENTRY_LEVEL	(1u << 15)
#define ENTRY_LOW	(1u << 13)

static struct ioapic {
	phys_addr_t	phys;
	void __iomem	*regs;
	u32		gsi_base, nr_pins;
} ioapics[MAX_IOAPICS] __ro_after_init;
static unsigned int nr_ioapics __ro_after_init;
static DEFINE_SPINLOCK(ioapic_lock);

static u32 io_read(const struct ioapic *io, u32 reg)
{
	writel(reg, io->regs);
	return readl(io->regs + 0x10);
}

static void io_write(const struct ioapic *io, u32 reg, u32 value)
{
	writel(reg, io->regs);
	writel(value, io->regs + 0x10);
}

static const struct ioapic *find_pin(u32 gsi, u32 *pin)
{
	for (unsigned int i = 0; i < nr_ioapics; i++) {
		const struct ioapic *io = &ioapics[i];

		if (gsi >= io->gsi_base && gsi < io->gsi_base + io->nr_pins) {
			*pin = gsi - io->gsi_base;
			return io;
		}
	}
	return NULL;
}

bool ioapic_present(void)
{
	return nr_ioapics != 0;
}

/* From the MADT, before anything can be mapped. */
void __init ioapic_register(u32 id, phys_addr_t base, u32 gsi_base)
{
	if (nr_ioapics < MAX_IOAPICS)
		ioapics[nr_ioapics++] = (struct ioapic){ .phys = base, .gsi_base = gsi_base };
}

void __init ioapic_init(void)
{
	for (unsigned int i = 0; i < nr_ioapics; i++) {
		struct ioapic *io = &ioapics[i];

		io->regs = ioremap(io->phys, 0x20);
		if (!io->regs)
			panic("no address space for an I/O APIC");
		io->nr_pins = (io_read(io, REG_VERSION) >> 16 & 0xff) + 1;
		for (u32 pin = 0; pin < io->nr_pins; pin++)
			io_write(io, REG_ENTRY(pin), ENTRY_MASKED);
	}
}

int ioapic_set_route(u32 gsi, u8 vector, u32 apicid, bool level, bool active_low)
{
	u32 pin, low = vector | ENTRY_MASKED | (level ? ENTRY_LEVEL : 0) | (active_low ? ENTRY_LOW : 0);
	const struct ioapic *io = find_pin(gsi, &pin);
	unsigned long flags;

	if (!io)
		return -ENODEV;
	spin_lock_irqsave(&ioapic_lock, flags);
	io_write(io, REG_ENTRY(pin), low);
	io_write(io, REG_ENTRY(pin) + 1, apicid << 24);
	spin_unlock_irqrestore(&ioapic_lock, flags);
	return 0;
}

/* The pin may be open: its other half stays as it is. */
void ioapic_set_cpu(u32 gsi, u32 apicid)
{
	u32 pin;
	const struct ioapic *io = find_pin(gsi, &pin);
	unsigned long flags;

	if (!io)
		return;
	spin_lock_irqsave(&ioapic_lock, flags);
	io_write(io, REG_ENTRY(pin) + 1, apicid << 24);
	spin_unlock_irqrestore(&ioapic_lock, flags);
}

static void set_mask(u32 gsi, bool masked)
{
	u32 pin, low;
	const struct ioapic *io = find_pin(gsi, &pin);
	unsigned long flags;

	if (!io)
		return;
	spin_lock_irqsave(&ioapic_lock, flags);
	low = io_read(io, REG_ENTRY(pin)) & ~ENTRY_MASKED;
	io_write(io, REG_ENTRY(pin), masked ? low | ENTRY_MASKED : low);
	/* Read back, so that no interrupt comes after a caller was told that the pin is masked. */
	io_read(io, REG_ENTRY(pin));
	spin_unlock_irqrestore(&ioapic_lock, flags);
}

void ioapic_mask(u32 gsi)
{
	set_mask(gsi, true);
}

void ioapic_unmask(u32 gsi)
{
	set_mask(gsi, false);
}
