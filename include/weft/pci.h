/*
 * pci.h: what is plugged in, and which driver takes it.
 *
 * Idea:    the bus is walked once at start-up; each function becomes a struct pci_dev that stays.  A driver is a table
 *          of identities and a probe function; whichever comes later, device or driver, makes the match.
 * Locking: pci_mutex: the two lists and the binding.  pci_config_lock (irq-safe): the address/data port pair.
 * See:     spec.md §1 "bridges and buses"; PCI Local Bus Specification 3.0, chapter 6
 */
#ifndef WEFT_PCI_H
#define WEFT_PCI_H

#include <weft/types.h>
#include <weft/list.h>

#define PCI_VENDOR_ID		0x00
#define PCI_DEVICE_ID		0x02
#define PCI_COMMAND		0x04
#define PCI_COMMAND_IO		0x1
#define PCI_COMMAND_MEMORY	0x2
#define PCI_COMMAND_MASTER	0x4
#define PCI_COMMAND_INTX_DISABLE 0x400
#define PCI_STATUS		0x06
#define PCI_STATUS_CAP_LIST	0x10
#define PCI_CLASS_REVISION	0x08
#define PCI_HEADER_TYPE		0x0e
#define PCI_HEADER_TYPE_MASK	0x7f
#define PCI_HEADER_TYPE_MULTI	0x80
#define PCI_HEADER_TYPE_NORMAL	0
#define PCI_HEADER_TYPE_BRIDGE	1
#define PCI_BASE_ADDRESS_0	0x10
#define PCI_BASE_ADDRESS_SPACE_IO 0x01
#define PCI_BASE_ADDRESS_MEM_TYPE_MASK 0x06
#define PCI_BASE_ADDRESS_MEM_TYPE_64 0x04
#define PCI_BASE_ADDRESS_MEM_PREFETCH 0x08
#define PCI_PRIMARY_BUS		0x18
#define PCI_SECONDARY_BUS	0x19
#define PCI_SUBORDINATE_BUS	0x1a
#define PCI_SUBSYSTEM_VENDOR_ID	0x2c
#define PCI_SUBSYSTEM_ID	0x2e
#define PCI_ROM_ADDRESS		0x30
#define PCI_ROM_ADDRESS1	0x38	/* of a bridge */
#define PCI_CAPABILITY_LIST	0x34
#define PCI_INTERRUPT_LINE	0x3c
#define PCI_INTERRUPT_PIN	0x3d

#define PCI_ANY_ID		(~0u)
#define PCI_DEVFN(slot, func)	((((slot) & 0x1f) << 3) | ((func) & 0x07))
#define PCI_SLOT(devfn)		(((devfn) >> 3) & 0x1f)
#define PCI_FUNC(devfn)		((devfn) & 0x07)
#define PCI_NUM_RESOURCES	7	/* six BARs and the ROM */
#define PCI_ROM_RESOURCE	6

#define IORESOURCE_IO		0x00000100
#define IORESOURCE_MEM		0x00000200
#define IORESOURCE_PREFETCH	0x00002000
#define IORESOURCE_MEM_64	0x00100000

struct pci_resource {
	u64		start, end;	/* [I] inclusive; end < start: not there */
	unsigned long	flags;		/* [I] IORESOURCE_* */
	u64		raw;		/* [I] the register as read, low bits too: /proc/bus/pci/devices shows it */
};

struct pci_driver;

struct pci_dev {
	struct list_head	node;		/* [pci_mutex] in all devices */
	u8			bus, devfn;	/* [I] */
	u16			vendor, device, subsystem_vendor, subsystem_device;	/* [I] */
	u32			class;		/* [I] 24 bits: base, sub, interface */
	u8			revision, hdr_type, pin, irq;	/* [I] irq: line as the firmware set it */
	u8			secondary;	/* [I] of a bridge: the bus behind it */
	struct pci_resource	resource[PCI_NUM_RESOURCES];
	struct pci_driver	*driver;	/* [pci_mutex] bound to */
	void			*driver_data;	/* the driver's own */
	unsigned int		first_irq;	/* [I] once the driver has asked for vectors: of the first */
	u8			msi_pos;	/* [I] 0, or where the MSI or MSI-X capability in use lies */
	void __iomem		*msix_table;	/* [I] NULL: not by MSI-X */
	char			name[16];	/* [I] "0000:00:02.0" */
	void			*sysfs_priv;
};

struct pci_device_id {
	u32	vendor, device;		/* or PCI_ANY_ID */
	u32	class, class_mask;	/* compared when the mask is not 0 */
	unsigned long driver_data;
};

struct pci_driver {
	struct list_head	node;	/* [pci_mutex] */
	const char		*name;
	const struct pci_device_id *id_table;	/* ends with an entry of zeros */
	int	(*probe)(struct pci_dev *dev, const struct pci_device_id *id);	/* 0: taken; may sleep */
	void	(*remove)(struct pci_dev *dev);
};

/* Start-up; probes what is there already and returns 0. */
int pci_register_driver(struct pci_driver *drv);

u8 pci_read_config_byte(const struct pci_dev *dev, int where);
u16 pci_read_config_word(const struct pci_dev *dev, int where);
u32 pci_read_config_dword(const struct pci_dev *dev, int where);
void pci_write_config_byte(const struct pci_dev *dev, int where, u8 val);
void pci_write_config_word(const struct pci_dev *dev, int where, u16 val);
void pci_write_config_dword(const struct pci_dev *dev, int where, u32 val);

void pci_enable_device(struct pci_dev *dev);	/* lets it answer its BARs */
void pci_set_master(struct pci_dev *dev);	/* lets it use DMA */
int pci_find_capability(const struct pci_dev *dev, int cap);	/* offset or 0 */

/* ---- msi.c: interrupts as messages ---- */
#define PCI_IRQ_INTX	1		/* the pin, shared */
#define PCI_IRQ_MSI	2		/* one message */
#define PCI_IRQ_MSIX	4		/* as many as the device has */
/*
 * The best of the kinds in flags, for a driver that wants at most max vectors and can do with min.  How many there are, or
 * -ENOSPC.  Once for each device.  May sleep.
 */
int pci_alloc_irq_vectors(struct pci_dev *dev, unsigned int min, unsigned int max, unsigned int flags);
static inline unsigned int pci_irq_vector(const struct pci_dev *dev, unsigned int nr) { return dev->first_irq + nr; }

static inline u64 pci_resource_start(const struct pci_dev *dev, int bar) { return dev->resource[bar].start; }
static inline u64 pci_resource_len(const struct pci_dev *dev, int bar)
{
	return dev->resource[bar].end + 1 - dev->resource[bar].start;
}
/* Calls fn for each device until it returns non-zero, which is returned.  May sleep. */
int pci_for_each_dev(int (*fn)(struct pci_dev *dev, void *data), void *data);

#endif
