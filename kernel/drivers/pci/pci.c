/*
 * pci.c: the PCI bus: configuration space, what is plugged in, drivers.
 *
 * What:    reads configuration space through memory (ECAM, where ACPI's MCFG table names it) or through the ports 0xcf8 and
 *          0xcfc; walks bus 0 and every bridge's bus behind it once; sizes the base registers; matches drivers;
 *          /proc/bus/pci/devices and /sys/bus/pci/devices.
 * Idea:    the firmware has numbered the buses and placed the devices; nothing is moved.
 * Locking: pci_mutex: the lists and the binding.  pci_config_lock (irq-safe): the port pair, the map of ECAM buses.
 * See:     include/weft/pci.h; PCI Local Bus Specification 3.0; PCI Firmware Specification 3.0 (MCFG)
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/io.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/mutex.h>
#include <weft/spinlock.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/sysfs.h>
#include <weft/pci.h>
#include <asm/acpi.h>

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define ECAM_BUS_SIZE	(1U << 20)

static DEFINE_MUTEX(pci_mutex);
static LIST_HEAD(pci_devices);		/* [pci_mutex] */
static LIST_HEAD(pci_drivers);		/* [pci_mutex] */
static DEFINE_SPINLOCK(pci_config_lock);
static void __iomem *ecam_bus[256];	/* [pci_mutex] mapped when its bus is walked */
static bool have_ports;			/* [I] */

/* ---- configuration space ---- */

static void __iomem *ecam_address(u8 bus, u8 devfn, int where)
{
	return ecam_bus[bus] ? ecam_bus[bus] + (devfn << 12) + where : NULL;
}

/* The aligned 32 bits at where; all ones when nothing answers. */
static u32 read_dword(u8 bus, u8 devfn, int where)
{
	void __iomem *p = ecam_address(bus, devfn, where & ~3);
	unsigned long flags;
	u32 v;

	if (p)
		return readl(p);
	if (!have_ports || where > 255)
		return ~0u;
	spin_lock_irqsave(&pci_config_lock, flags);
	outl(0x80000000 | bus << 16 | devfn << 8 | (where & 0xfc), CONFIG_ADDRESS);
	v = inl(CONFIG_DATA);
	spin_unlock_irqrestore(&pci_config_lock, flags);
	return v;
}

/* size 1, 2 or 4 bytes: some registers change by being written, so only those bytes are. */
static void write_config(u8 bus, u8 devfn, int where, int size, u32 v)
{
	void __iomem *p = ecam_address(bus, devfn, where);
	unsigned long flags;

	if (p) {
		if (size == 1)
			writeb(v, p);
		else if (size == 2)
			writew(v, p);
		else
			writel(v, p);
		return;
	}
	if (!have_ports || where > 255)
		return;
	spin_lock_irqsave(&pci_config_lock, flags);
	outl(0x80000000 | bus << 16 | devfn << 8 | (where & 0xfc), CONFIG_ADDRESS);
	if (size == 1)
		outb(v, CONFIG_DATA + (where & 3));
	else if (size == 2)
		outw(v, CONFIG_DATA + (where & 2));
	else
		outl(v, CONFIG_DATA);
	spin_unlock_irqrestore(&pci_config_lock, flags);
}

u32 pci_read_config_dword(const struct pci_dev *dev, int where) { return read_dword(dev->bus, dev->devfn, where); }
u16 pci_read_config_word(const struct pci_dev *dev, int where)
{
	return read_dword(dev->bus, dev->devfn, where) >> (where & 2) * 8;
}
u8 pci_read_config_byte(const struct pci_dev *dev, int where)
{
	return read_dword(dev->bus, dev->devfn, where) >> (where & 3) * 8;
}
void pci_write_config_byte(const struct pci_dev *dev, int where, u8 val)
{
	write_config(dev->bus, dev->devfn, where, 1, val);
}
void pci_write_config_word(const struct pci_dev *dev, int where, u16 val)
{
	write_config(dev->bus, dev->devfn, where, 2, val);
}
void pci_write_config_dword(const struct pci_dev *dev, int where, u32 val)
{
	write_config(dev->bus, dev->devfn, where, 4, val);
}

void pci_enable_device(struct pci_dev *dev)
{
	u16 cmd = pci_read_config_word(dev, PCI_COMMAND);

	pci_write_config_word(dev, PCI_COMMAND, cmd | PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
}

void pci_set_master(struct pci_dev *dev)
{
	pci_write_config_word(dev, PCI_COMMAND, pci_read_config_word(dev, PCI_COMMAND) | PCI_COMMAND_MASTER);
}

int pci_find_capability(const struct pci_dev *dev, int cap)
{
	int pos, limit = 48;

	if (!(pci_read_config_word(dev, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	pos = pci_read_config_byte(dev, PCI_CAPABILITY_LIST) & ~3;
	while (pos >= 0x40 && limit--) {
		if (pci_read_config_byte(dev, pos) == cap)
			return pos;
		pos = pci_read_config_byte(dev, pos + 1) & ~3;
	}
	return 0;
}

/* ---- base registers ---- */

/* What a register answers when all ones are written: the bits that its size leaves free. */
static u32 probe_register(struct pci_dev *dev, int where)
{
	u32 old = pci_read_config_dword(dev, where), mask;

	pci_write_config_dword(dev, where, ~0u);
	mask = pci_read_config_dword(dev, where);
	pci_write_config_dword(dev, where, old);
	return mask;
}

static void set_resource(struct pci_resource *res, u64 start, u64 mask, unsigned long flags)
{
	u64 size = mask & -mask;	/* the lowest bit that can be set */

	if (!mask)
		return;
	res->start = start;
	res->end = start + size - 1;
	res->flags = flags;
}

/* One base register: how many registers it takes up (2 for a 64-bit address). */
static int read_bar(struct pci_dev *dev, int bar, int bars)
{
	int where = PCI_BASE_ADDRESS_0 + bar * 4;
	u32 low = pci_read_config_dword(dev, where), mask = probe_register(dev, where);
	struct pci_resource *res = &dev->resource[bar];
	u64 start, wide;

	res->start = 1;
	res->end = 0;
	res->raw = low;
	if (low & PCI_BASE_ADDRESS_SPACE_IO) {
		set_resource(res, low & ~3u, mask & 0xfffc, IORESOURCE_IO);
		return 1;
	}
	start = low & ~15u;
	wide = mask & ~15u;
	if ((low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) != PCI_BASE_ADDRESS_MEM_TYPE_64 || bar + 1 >= bars) {
		set_resource(res, start, wide,
			     IORESOURCE_MEM | (low & PCI_BASE_ADDRESS_MEM_PREFETCH ? IORESOURCE_PREFETCH : 0));
		return 1;
	}
	start |= (u64)pci_read_config_dword(dev, where + 4) << 32;
	wide |= (u64)probe_register(dev, where + 4) << 32;
	res->raw |= start & ~0xffffffffull;
	set_resource(res, start, wide, IORESOURCE_MEM | IORESOURCE_MEM_64 |
		     (low & PCI_BASE_ADDRESS_MEM_PREFETCH ? IORESOURCE_PREFETCH : 0));
	return 2;
}

static void read_resources(struct pci_dev *dev)
{
	bool bridge = (dev->hdr_type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_BRIDGE;
	int bars = bridge ? 2 : 6, rom_reg = bridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
	u16 cmd = pci_read_config_word(dev, PCI_COMMAND);
	struct pci_resource *rom = &dev->resource[PCI_ROM_RESOURCE];

	for (int i = 0; i < PCI_NUM_RESOURCES; i++)
		dev->resource[i] = (struct pci_resource){ .start = 1 };
	/* While all ones stand in a register the device must not answer there. */
	pci_write_config_word(dev, PCI_COMMAND, cmd & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (int i = 0; i < bars; )
		i += read_bar(dev, i, bars);
	rom->raw = pci_read_config_dword(dev, rom_reg);
	set_resource(rom, rom->raw & ~0x7ffu, probe_register(dev, rom_reg) & ~0x7ffu, IORESOURCE_MEM);
	pci_write_config_word(dev, PCI_COMMAND, cmd);
}

/* ---- drivers ---- */

static const struct pci_device_id *match(const struct pci_driver *drv, const struct pci_dev *dev)
{
	for (const struct pci_device_id *id = drv->id_table; id->vendor || id->class_mask; id++) {
		if (id->vendor != PCI_ANY_ID && id->vendor && id->vendor != dev->vendor)
			continue;
		if (id->device != PCI_ANY_ID && id->vendor && id->device != dev->device)
			continue;
		if (id->class_mask && (id->class ^ dev->class) & id->class_mask)
			continue;
		return id;
	}
	return NULL;
}

static void try_bind(struct pci_driver *drv, struct pci_dev *dev)
{
	const struct pci_device_id *id;

	lockdep_assert_held(&pci_mutex);
	if (dev->driver)
		return;
	id = match(drv, dev);
	if (!id)
		return;
	dev->driver = drv;
	if (drv->probe(dev, id))
		dev->driver = NULL;
}

int pci_register_driver(struct pci_driver *drv)
{
	struct pci_dev *dev;

	mutex_lock(&pci_mutex);
	list_add_tail(&drv->node, &pci_drivers);
	list_for_each_entry(dev, &pci_devices, node)
		try_bind(drv, dev);
	mutex_unlock(&pci_mutex);
	return 0;
}

int pci_for_each_dev(int (*fn)(struct pci_dev *dev, void *data), void *data)
{
	struct pci_dev *dev;
	int ret = 0;

	mutex_lock(&pci_mutex);
	list_for_each_entry(dev, &pci_devices, node) {
		ret = fn(dev, data);
		if (ret)
			break;
	}
	mutex_unlock(&pci_mutex);
	return ret;
}

/* ---- the walk ---- */

static void scan_bus(u8 bus, int depth);

static void add_function(u8 bus, u8 devfn, u32 id)
{
	struct pci_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	u32 class;

	if (!dev)
		return;
	dev->bus = bus;
	dev->devfn = devfn;
	dev->vendor = id;
	dev->device = id >> 16;
	class = pci_read_config_dword(dev, PCI_CLASS_REVISION);
	dev->class = class >> 8;
	dev->revision = class;
	dev->hdr_type = pci_read_config_byte(dev, PCI_HEADER_TYPE);
	dev->pin = pci_read_config_byte(dev, PCI_INTERRUPT_PIN);
	dev->irq = pci_read_config_byte(dev, PCI_INTERRUPT_LINE);
	snprintf(dev->name, sizeof(dev->name), "0000:%02x:%02x.%d", bus, PCI_SLOT(devfn), PCI_FUNC(devfn));
	read_resources(dev);
	if ((dev->hdr_type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL) {
		dev->subsystem_vendor = pci_read_config_word(dev, PCI_SUBSYSTEM_VENDOR_ID);
		dev->subsystem_device = pci_read_config_word(dev, PCI_SUBSYSTEM_ID);
	} else if ((dev->hdr_type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_BRIDGE) {
		dev->secondary = pci_read_config_byte(dev, PCI_SECONDARY_BUS);
	}
	list_add_tail(&dev->node, &pci_devices);
	printk(KERN_INFO "pci %s: [%04x:%04x] class %06x\n", dev->name, dev->vendor, dev->device, dev->class);
}

static void scan_slot(u8 bus, int slot)
{
	for (int func = 0; func < 8; func++) {
		u32 id = read_dword(bus, PCI_DEVFN(slot, func), PCI_VENDOR_ID);

		if ((id & 0xffff) != 0xffff && (id & 0xffff) != 0)
			add_function(bus, PCI_DEVFN(slot, func), id);
		else if (!func)
			return;
		if (!func && !(read_dword(bus, PCI_DEVFN(slot, 0), PCI_HEADER_TYPE & ~3) >> 16 & PCI_HEADER_TYPE_MULTI))
			return;
	}
}

static void scan_bus(u8 bus, int depth)
{
	struct pci_dev *dev;

	if (acpi_mcfg_base && !ecam_bus[bus])
		ecam_bus[bus] = ioremap(acpi_mcfg_base + (u64)bus * ECAM_BUS_SIZE, ECAM_BUS_SIZE);
	for (int slot = 0; slot < 32; slot++)
		scan_slot(bus, slot);
	/* A bus number of a bridge is larger than its own, or the firmware has not set it: no circle is possible. */
	list_for_each_entry(dev, &pci_devices, node)
		if (dev->bus == bus && dev->secondary > bus && depth < 16)
			scan_bus(dev->secondary, depth + 1);
}

static bool ports_work(void)
{
	u32 old = inl(CONFIG_ADDRESS);
	bool works;

	outl(0x80000000, CONFIG_ADDRESS);
	works = inl(CONFIG_ADDRESS) == 0x80000000;
	outl(old, CONFIG_ADDRESS);
	return works;
}

/* ---- /proc and /sys ---- */

static int devices_show(struct seq_file *m, void *v)
{
	struct pci_dev *dev;

	mutex_lock(&pci_mutex);
	list_for_each_entry(dev, &pci_devices, node) {
		seq_printf(m, "%02x%02x\t%04x%04x\t%x", dev->bus, dev->devfn, dev->vendor, dev->device, dev->irq);
		for (int i = 0; i < PCI_NUM_RESOURCES; i++)
			seq_printf(m, "\t%16llx", dev->resource[i].raw);
		for (int i = 0; i < PCI_NUM_RESOURCES; i++)
			seq_printf(m, "\t%16llx", dev->resource[i].flags ? pci_resource_len(dev, i) : 0ull);
		seq_printf(m, "\t%s\n", dev->driver ? dev->driver->name : "");
	}
	mutex_unlock(&pci_mutex);
	return 0;
}

static ssize_t vendor_show(void *d, char *buf) { return sysfs_emit(buf, "0x%04x\n", ((struct pci_dev *)d)->vendor); }
static ssize_t device_show(void *d, char *buf) { return sysfs_emit(buf, "0x%04x\n", ((struct pci_dev *)d)->device); }
static ssize_t class_show(void *d, char *buf) { return sysfs_emit(buf, "0x%06x\n", ((struct pci_dev *)d)->class); }
static ssize_t revision_show(void *d, char *buf) { return sysfs_emit(buf, "0x%02x\n", ((struct pci_dev *)d)->revision); }
static ssize_t irq_show(void *d, char *buf) { return sysfs_emit(buf, "%d\n", ((struct pci_dev *)d)->irq); }
static ssize_t resource_show(void *d, char *buf)
{
	struct pci_dev *dev = d;
	ssize_t n = 0;

	for (int i = 0; i < PCI_NUM_RESOURCES; i++) {
		struct pci_resource *r = &dev->resource[i];

		n += scnprintf(buf + n, PAGE_SIZE - n, "0x%016llx 0x%016llx 0x%016lx\n", r->flags ? r->start : 0,
			       r->flags ? r->end : 0, r->flags);
	}
	return n;
}

static const struct sysfs_attr pci_attrs[] = {
	{ .name = "vendor", .show = vendor_show }, { .name = "device", .show = device_show },
	{ .name = "class", .show = class_show }, { .name = "revision", .show = revision_show },
	{ .name = "irq", .show = irq_show }, { .name = "resource", .show = resource_show }, { }
};

static int add_to_sysfs(struct pci_dev *dev, void *unused)
{
	char path[64];
	struct dentry *dir;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", dev->name);
	dir = sysfs_mkdir(NULL, path);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	dev->sysfs_priv = dir;
	return sysfs_create_files(dir, pci_attrs, dev);
}

static int __init pci_init(void)
{
	have_ports = ports_work();
	if (!have_ports && !acpi_mcfg_base)
		return 0;
	mutex_lock(&pci_mutex);
	scan_bus(0, 0);
	mutex_unlock(&pci_mutex);
	proc_mkdir("bus/pci", NULL);
	proc_create_single("bus/pci/devices", 0, NULL, devices_show);
	return pci_for_each_dev(add_to_sysfs, NULL);
}
subsys_initcall(pci_init);
