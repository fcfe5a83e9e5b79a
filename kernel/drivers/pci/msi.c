/*
 * msi.c: interrupts that a device sends as memory writes instead of pulling a line: MSI and MSI-X.
 *
 * Idea:    MSI-X keeps address, data and a mask bit for each message in a table in the device's memory; MSI keeps one address
 *          and one datum in configuration space, and is masked by switching it off.  Nobody else shares such an interrupt, and
 *          it arrives behind the data that it announces.
 * Locking: none: the tables are written under the interrupt's own lock (arch); the rest while the driver probes.
 * See:     PCI Local Bus Specification 3.0 §6.8; include/weft/irq.h
 */
#include <weft/kernel.h>
#include <weft/io.h>
#include <weft/irq.h>
#include <weft/pci.h>

#define CAP_MSI			0x05
#define CAP_MSIX		0x11

/* MSI: offsets in its capability. */
#define MSI_CONTROL		2
#define MSI_ADDRESS		4
#define MSI_CONTROL_ENABLE	0x0001
#define MSI_CONTROL_COUNT	0x0070		/* log2 of the messages allowed */
#define MSI_CONTROL_64		0x0080

/* MSI-X: offsets in its capability, then of an entry of the table. */
#define MSIX_CONTROL		2
#define MSIX_TABLE		4
#define MSIX_CONTROL_SIZE	0x07ff		/* entries, less one */
#define MSIX_CONTROL_MASK_ALL	0x4000
#define MSIX_CONTROL_ENABLE	0x8000
#define ENTRY_SIZE		16
#define ENTRY_ADDRESS		0
#define ENTRY_DATA		8
#define ENTRY_CONTROL		12
#define ENTRY_MASKED		1u

/* ---- MSI-X ---- */

static void __iomem *entry(void *dev, unsigned int nr)
{
	return ((struct pci_dev *)dev)->msix_table + nr * ENTRY_SIZE;
}

/* An open entry may be read by the device between two writes: it is closed meanwhile, and remembers what came. */
static void msix_write(void *dev, unsigned int nr, const struct msi_msg *msg)
{
	u32 control = readl(entry(dev, nr) + ENTRY_CONTROL);

	writel(control | ENTRY_MASKED, entry(dev, nr) + ENTRY_CONTROL);
	writel((u32)msg->address, entry(dev, nr) + ENTRY_ADDRESS);
	writel((u32)(msg->address >> 32), entry(dev, nr) + ENTRY_ADDRESS + 4);
	writel(msg->data, entry(dev, nr) + ENTRY_DATA);
	writel(control, entry(dev, nr) + ENTRY_CONTROL);
}

static void msix_mask(void *dev, unsigned int nr, bool masked)
{
	u32 control = readl(entry(dev, nr) + ENTRY_CONTROL) & ~ENTRY_MASKED;

	writel(masked ? control | ENTRY_MASKED : control, entry(dev, nr) + ENTRY_CONTROL);
	readl(entry(dev, nr) + ENTRY_CONTROL);		/* it has arrived */
}

static const struct msi_ops msix_ops = { .name = "PCI-MSI-X", .write_msg = msix_write, .mask = msix_mask };

static int map_table(struct pci_dev *dev, int pos, unsigned int entries)
{
	u32 where = pci_read_config_dword(dev, pos + MSIX_TABLE);
	int bar = where & 7;
	u32 offset = where & ~7u;

	if (bar > 5 || !(dev->resource[bar].flags & IORESOURCE_MEM) ||
	    offset + (u64)entries * ENTRY_SIZE > pci_resource_len(dev, bar))
		return -EINVAL;
	dev->msix_table = ioremap(pci_resource_start(dev, bar) + offset, entries * ENTRY_SIZE);
	return dev->msix_table ? 0 : -ENOMEM;
}

static int enable_msix(struct pci_dev *dev, unsigned int max)
{
	int pos = pci_find_capability(dev, CAP_MSIX), first;
	unsigned int entries;
	u16 control;

	if (!pos)
		return -ENOSPC;
	control = pci_read_config_word(dev, pos + MSIX_CONTROL);
	entries = (control & MSIX_CONTROL_SIZE) + 1u;
	if (map_table(dev, pos, entries))
		return -ENOSPC;
	first = irq_alloc_msi(&msix_ops, dev, min(entries, max));
	if (first < 0) {
		iounmap(dev->msix_table);
		dev->msix_table = NULL;
		return -ENOSPC;
	}
	/* All entries are closed, each by itself, before the device may send. */
	pci_write_config_word(dev, pos + MSIX_CONTROL, control | MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK_ALL);
	for (unsigned int i = 0; i < entries; i++)
		msix_mask(dev, i, true);
	pci_write_config_word(dev, pos + MSIX_CONTROL, (control | MSIX_CONTROL_ENABLE) & (u16)~MSIX_CONTROL_MASK_ALL);
	dev->msi_pos = (u8)pos;
	dev->first_irq = (unsigned int)first;
	return (int)min(entries, max);
}

/* ---- MSI ---- */

static void msi_write(void *d, unsigned int nr, const struct msi_msg *msg)
{
	struct pci_dev *dev = d;
	int pos = dev->msi_pos + MSI_ADDRESS;

	pci_write_config_dword(dev, pos, (u32)msg->address);
	pos += 4;
	if (pci_read_config_word(dev, dev->msi_pos + MSI_CONTROL) & MSI_CONTROL_64) {
		pci_write_config_dword(dev, pos, (u32)(msg->address >> 32));
		pos += 4;
	}
	pci_write_config_word(dev, pos, (u16)msg->data);
}

static void msi_mask(void *d, unsigned int nr, bool masked)
{
	struct pci_dev *dev = d;
	u16 control = pci_read_config_word(dev, dev->msi_pos + MSI_CONTROL) & (u16)~(MSI_CONTROL_COUNT | MSI_CONTROL_ENABLE);

	pci_write_config_word(dev, dev->msi_pos + MSI_CONTROL, masked ? control : control | MSI_CONTROL_ENABLE);
}

static const struct msi_ops msi_ops = { .name = "PCI-MSI", .write_msg = msi_write, .mask = msi_mask };

static int enable_msi(struct pci_dev *dev)
{
	int pos = pci_find_capability(dev, CAP_MSI), first;

	if (!pos)
		return -ENOSPC;
	first = irq_alloc_msi(&msi_ops, dev, 1);
	if (first < 0)
		return -ENOSPC;
	dev->msi_pos = (u8)pos;
	dev->first_irq = (unsigned int)first;
	return 1;
}

int pci_alloc_irq_vectors(struct pci_dev *dev, unsigned int min, unsigned int max, unsigned int flags)
{
	int n = flags & PCI_IRQ_MSIX ? enable_msix(dev, max) : -ENOSPC;

	if (n < 0 && flags & PCI_IRQ_MSI)
		n = enable_msi(dev);
	if (n > 0) {
		pci_write_config_word(dev, PCI_COMMAND, pci_read_config_word(dev, PCI_COMMAND) | PCI_COMMAND_INTX_DISABLE);
	} else if (flags & PCI_IRQ_INTX && dev->pin) {
		dev->first_irq = dev->irq;
		n = 1;
	}
	return n >= (int)min ? n : -ENOSPC;
}
