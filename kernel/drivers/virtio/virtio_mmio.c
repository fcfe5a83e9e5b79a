/*
 * virtio_mmio.c: virtio devices that are nothing but a page of registers and a line: QEMU's microvm, Firecracker.
 *
 * What:    nothing can be enumerated: the loader names them on the command line, virtio_mmio.device=SIZE@BASE:IRQ, as often
 *          as there are devices (SIZE with K or M), or ACPI does.  A slot without a device says id 0.
 * Idea:    registers of version 2, and of version 1 (legacy, QEMU's default), which has 32 feature bits and takes a queue
 *          as the number of its first page.
 * Locking: none: registers are written while the device is set up; afterwards only the bell, by the queue's owner.
 * See:     VIRTIO 1.1 §4.2 "Virtio Over MMIO", §4.2.4 "Legacy interface"
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/io.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/virtio.h>
#include <asm/acpi.h>
#include <asm/page.h>

#define MMIO_MAGIC	0x74726976	/* "virt" */
#define LEGACY_VERSION	1
#define MMIO_VERSION	2
#define MAX_DEVICES	32

enum {
	R_MAGIC = 0x00, R_VERSION = 0x04, R_DEVICE_ID = 0x08, R_DEVICE_FEATURES = 0x10, R_DEVICE_FEATURES_SEL = 0x14,
	R_DRIVER_FEATURES = 0x20, R_DRIVER_FEATURES_SEL = 0x24, R_GUEST_PAGE_SIZE = 0x28, R_QUEUE_SEL = 0x30,
	R_QUEUE_NUM_MAX = 0x34, R_QUEUE_NUM = 0x38, R_QUEUE_ALIGN = 0x3c, R_QUEUE_PFN = 0x40, R_QUEUE_READY = 0x44,
	R_QUEUE_NOTIFY = 0x50, R_INTERRUPT_STATUS = 0x60, R_INTERRUPT_ACK = 0x64, R_STATUS = 0x70, R_QUEUE_DESC = 0x80,
	R_QUEUE_AVAIL = 0x90, R_QUEUE_USED = 0xa0, R_CONFIG = 0x100,
};

struct virtio_mmio {
	struct virtio_device	vdev;
	void __iomem		*regs;
	u32			size;
	char			name[24];
};

static struct { u64 base, size; unsigned int irq; } slots[MAX_DEVICES];	/* [I] once the command line is read */
static unsigned int nr_slots;

static struct virtio_mmio *to_vm(struct virtio_device *vdev) { return container_of(vdev, struct virtio_mmio, vdev); }
static u32 get_reg(struct virtio_device *vdev, u32 reg) { return readl(to_vm(vdev)->regs + reg); }
static void set_reg(struct virtio_device *vdev, u32 reg, u32 v) { writel(v, to_vm(vdev)->regs + reg); }

static void vm_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
{
	const struct virtio_mmio *vm = to_vm(vdev);
	u8 *p = buf;

	for (unsigned int i = 0; i < len; i++)
		p[i] = R_CONFIG + offset + i < vm->size ? readb(vm->regs + R_CONFIG + offset + i) : 0;
}

static u8 vm_get_status(struct virtio_device *vdev) { return (u8)get_reg(vdev, R_STATUS); }
static void vm_set_status(struct virtio_device *vdev, u8 status)
{
	set_reg(vdev, R_STATUS, status);
	if (!status && vdev->legacy)
		set_reg(vdev, R_GUEST_PAGE_SIZE, PAGE_SIZE);
}

static u64 vm_get_features(struct virtio_device *vdev)
{
	u64 features;

	set_reg(vdev, R_DEVICE_FEATURES_SEL, 0);
	features = get_reg(vdev, R_DEVICE_FEATURES);
	if (vdev->legacy)
		return features;
	set_reg(vdev, R_DEVICE_FEATURES_SEL, 1);
	return features | (u64)get_reg(vdev, R_DEVICE_FEATURES) << 32;
}

static void vm_set_features(struct virtio_device *vdev, u64 features)
{
	for (u32 word = 0; word < (vdev->legacy ? 1 : 2); word++) {
		set_reg(vdev, R_DRIVER_FEATURES_SEL, word);
		set_reg(vdev, R_DRIVER_FEATURES, (u32)(features >> 32 * word));
	}
}

static unsigned int vm_queue_size(struct virtio_device *vdev, unsigned int index)
{
	set_reg(vdev, R_QUEUE_SEL, index);
	return get_reg(vdev, vdev->legacy ? R_QUEUE_PFN : R_QUEUE_READY) ? 0 : get_reg(vdev, R_QUEUE_NUM_MAX);
}

static void set_address(struct virtio_device *vdev, u32 reg, phys_addr_t addr)
{
	set_reg(vdev, reg, (u32)addr);
	set_reg(vdev, reg + 4, (u32)(addr >> 32));
}

static int vm_enable_queue(struct virtqueue *vq)
{
	struct virtio_device *vdev = virtqueue_device(vq);
	struct virtqueue_addr addr = virtqueue_addresses(vq);

	set_reg(vdev, R_QUEUE_SEL, virtqueue_index(vq));
	set_reg(vdev, R_QUEUE_NUM, virtqueue_size(vq));
	if (vdev->legacy) {
		set_reg(vdev, R_QUEUE_ALIGN, VIRTIO_RING_ALIGN);
		set_reg(vdev, R_QUEUE_PFN, (u32)(addr.desc >> PAGE_SHIFT));
		return 0;
	}
	set_address(vdev, R_QUEUE_DESC, addr.desc);
	set_address(vdev, R_QUEUE_AVAIL, addr.avail);
	set_address(vdev, R_QUEUE_USED, addr.used);
	set_reg(vdev, R_QUEUE_READY, 1);
	return 0;
}

static void vm_notify(struct virtqueue *vq)
{
	set_reg(virtqueue_device(vq), R_QUEUE_NOTIFY, virtqueue_index(vq));
}

static const struct virtio_config_ops vm_ops = {
	.get = vm_get, .get_status = vm_get_status, .set_status = vm_set_status, .get_features = vm_get_features,
	.set_features = vm_set_features, .queue_size = vm_queue_size, .enable_queue = vm_enable_queue, .notify = vm_notify,
};

static irqreturn_t vm_interrupt(int irq, void *data)
{
	struct virtio_mmio *vm = data;
	u32 why = readl(vm->regs + R_INTERRUPT_STATUS);

	if (!why)
		return IRQ_NONE;
	writel(why, vm->regs + R_INTERRUPT_ACK);
	virtio_interrupt(&vm->vdev);
	return IRQ_HANDLED;
}

static int add_slot(u64 base, u32 size, unsigned int irq)
{
	struct virtio_mmio *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	int err = -ENODEV;
	u32 version;

	if (!vm)
		return -ENOMEM;
	vm->size = size;
	vm->vdev.name = vm->name;
	vm->vdev.config = &vm_ops;
	snprintf(vm->name, sizeof(vm->name), "virtio-mmio@%llx", base);
	vm->regs = ioremap(base, size);
	if (!vm->regs) {
		kfree(vm);
		return -ENOMEM;
	}
	version = get_reg(&vm->vdev, R_VERSION);
	vm->vdev.legacy = version == LEGACY_VERSION;
	if (get_reg(&vm->vdev, R_MAGIC) == MMIO_MAGIC && (version == MMIO_VERSION || version == LEGACY_VERSION)) {
		vm->vdev.id = get_reg(&vm->vdev, R_DEVICE_ID);
		err = vm->vdev.id ? request_irq(irq, vm_interrupt, IRQF_SHARED, vm->name, vm) : -ENODEV;
	}
	if (!err)
		return register_virtio_device(&vm->vdev);
	iounmap(vm->regs);
	kfree(vm);
	return err;
}

/* SIZE@BASE:IRQ[:ID].  What cannot be read is left out. */
static int __init parse_device(char *s)
{
	char *p;
	u64 size = memparse(s, &p), base;

	if (nr_slots == MAX_DEVICES || *p != '@')
		return 1;
	base = simple_strtoull(p + 1, &p, 0);
	if (*p != ':' || size < R_CONFIG || size > (1 << 20))
		return 1;
	slots[nr_slots].base = base;
	slots[nr_slots].size = size;
	slots[nr_slots++].irq = (unsigned int)simple_strtoull(p + 1, &p, 0);
	return 1;
}
__setup("virtio_mmio.device=", parse_device);

static int __init vm_init(void)
{
	for (unsigned int i = 0; i < acpi_nr_virtio_mmio && !nr_slots; i++)
		add_slot(acpi_virtio_mmio[i].base, acpi_virtio_mmio[i].size, acpi_virtio_mmio[i].irq);
	for (unsigned int i = 0; i < nr_slots; i++)
		add_slot(slots[i].base, (u32)slots[i].size, slots[i].irq);
	return 0;
}
device_initcall(vm_init);
