/*
 * virtio_pci.c: virtio devices on the PCI bus, in their modern form.
 *
 * What:    four structures of registers lie somewhere in the device's base registers; vendor capabilities say where: common
 *          (features, status, queues), notify (the bells), isr (why the interrupt), device (its own configuration).
 * Idea:    with MSI-X each queue has an interrupt of its own, on the processor whose queue it is.  Without, the interrupt is
 *          the pin's line, shared; reading isr says whether it was ours and takes it back.
 * Locking: none: registers are written while the device is set up; afterwards only the bell, by the queue's owner.
 * See:     VIRTIO 1.1 §4.1 "Virtio Over PCI Bus"
 */
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/delay.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/io.h>
#include <weft/irq.h>
#include <weft/pci.h>
#include <weft/slab.h>
#include <weft/virtio.h>

#define PCI_VENDOR_VIRTIO	0x1af4
#define PCI_CAP_VENDOR		0x09
#define FIRST_MODERN_ID		0x1040		/* device id = this + virtio id; below, the transitional ones from 0x1000 */
#define RESET_TRIES		1000

enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, NR_CAPS };

/* Offsets in the common structure. */
enum {
	C_DEVICE_FEATURE_SELECT = 0, C_DEVICE_FEATURE = 4, C_DRIVER_FEATURE_SELECT = 8, C_DRIVER_FEATURE = 12,
	C_MSIX_CONFIG = 16, C_STATUS = 20, C_QUEUE_SELECT = 22, C_QUEUE_SIZE = 24, C_QUEUE_MSIX = 26, C_QUEUE_ENABLE = 28,
	C_QUEUE_NOTIFY_OFF = 30, C_QUEUE_DESC = 32, C_QUEUE_AVAIL = 40, C_QUEUE_USED = 48,
};

struct virtio_pci {
	struct virtio_device	vdev;
	struct pci_dev		*pci;
	void __iomem		*regs[NR_CAPS];
	u32			len[NR_CAPS];
	u32			notify_multiplier;
	u16			*notify_off;	/* [I] by queue */
	unsigned int		nr_vectors;	/* [I] 0: the line */
};
#define MAX_QUEUES	64
#define MAX_VECTORS	16
#define NO_VECTOR	0xffff

static struct virtio_pci *to_vp(struct virtio_device *vdev) { return container_of(vdev, struct virtio_pci, vdev); }
static void __iomem *common(struct virtio_device *vdev) { return to_vp(vdev)->regs[CAP_COMMON]; }

static void vp_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
{
	const struct virtio_pci *vp = to_vp(vdev);
	u8 *p = buf;

	for (unsigned int i = 0; i < len; i++)
		p[i] = offset + i < vp->len[CAP_DEVICE] ? readb(vp->regs[CAP_DEVICE] + offset + i) : 0;
}

static u8 vp_get_status(struct virtio_device *vdev) { return readb(common(vdev) + C_STATUS); }

static void vp_set_status(struct virtio_device *vdev, u8 status)
{
	writeb(status, common(vdev) + C_STATUS);
	for (int i = 0; !status && i < RESET_TRIES && vp_get_status(vdev); i++)
		udelay(10);
}

static u64 vp_get_features(struct virtio_device *vdev)
{
	u64 features;

	writel(0, common(vdev) + C_DEVICE_FEATURE_SELECT);
	features = readl(common(vdev) + C_DEVICE_FEATURE);
	writel(1, common(vdev) + C_DEVICE_FEATURE_SELECT);
	return features | (u64)readl(common(vdev) + C_DEVICE_FEATURE) << 32;
}

static void vp_set_features(struct virtio_device *vdev, u64 features)
{
	for (u32 word = 0; word < 2; word++) {
		writel(word, common(vdev) + C_DRIVER_FEATURE_SELECT);
		writel((u32)(features >> 32 * word), common(vdev) + C_DRIVER_FEATURE);
	}
}

static unsigned int vp_queue_size(struct virtio_device *vdev, unsigned int index)
{
	if (index >= MAX_QUEUES)
		return 0;
	writew((u16)index, common(vdev) + C_QUEUE_SELECT);
	return readw(common(vdev) + C_QUEUE_SIZE);
}

static void write_address(void __iomem *reg, phys_addr_t addr)
{
	writel((u32)addr, reg);
	writel((u32)(addr >> 32), reg + 4);
}

static irqreturn_t queue_interrupt(int irq, void *vq)
{
	virtqueue_interrupt(vq);
	return IRQ_HANDLED;
}

/* The queue is selected.  Its interrupt, and which CPU takes it: the one that uses the queue. */
static int set_vector(struct virtio_pci *vp, struct virtqueue *vq)
{
	unsigned int index = virtqueue_index(vq), vector = index % vp->nr_vectors, irq = pci_irq_vector(vp->pci, vector);
	char *name = kasprintf(GFP_KERNEL, "%s-queue.%u", vp->pci->name, index);	/* stays, as the device does */
	int err;

	if (!name)
		return -ENOMEM;
	if (vp->nr_vectors > 1)
		irq_set_affinity(irq, cpumask_of(index % num_online_cpus()));
	err = request_irq(irq, queue_interrupt, IRQF_SHARED, name, vq);
	if (err) {
		kfree(name);
		return err;
	}
	writew((u16)vector, common(&vp->vdev) + C_QUEUE_MSIX);
	return readw(common(&vp->vdev) + C_QUEUE_MSIX) == vector ? 0 : -EBUSY;
}

static int vp_enable_queue(struct virtqueue *vq)
{
	struct virtio_device *vdev = virtqueue_device(vq);
	struct virtqueue_addr addr = virtqueue_addresses(vq);
	void __iomem *regs = common(vdev);
	struct virtio_pci *vp = to_vp(vdev);
	unsigned int index = virtqueue_index(vq);
	int err;
	u16 off;

	writew((u16)index, regs + C_QUEUE_SELECT);
	off = readw(regs + C_QUEUE_NOTIFY_OFF);
	if ((u64)off * vp->notify_multiplier + 2 > vp->len[CAP_NOTIFY])
		return -EINVAL;
	vp->notify_off[index] = off;
	err = vp->nr_vectors ? set_vector(vp, vq) : 0;
	if (err)
		return err;
	writew((u16)virtqueue_size(vq), regs + C_QUEUE_SIZE);
	write_address(regs + C_QUEUE_DESC, addr.desc);
	write_address(regs + C_QUEUE_AVAIL, addr.avail);
	write_address(regs + C_QUEUE_USED, addr.used);
	writew(1, regs + C_QUEUE_ENABLE);
	return 0;
}

static void vp_notify(struct virtqueue *vq)
{
	struct virtio_pci *vp = to_vp(virtqueue_device(vq));
	unsigned int index = virtqueue_index(vq);

	writew((u16)index, vp->regs[CAP_NOTIFY] + vp->notify_off[index] * vp->notify_multiplier);
}

static const struct virtio_config_ops vp_ops = {
	.get = vp_get, .get_status = vp_get_status, .set_status = vp_set_status, .get_features = vp_get_features,
	.set_features = vp_set_features, .queue_size = vp_queue_size, .enable_queue = vp_enable_queue, .notify = vp_notify,
};

static irqreturn_t vp_interrupt(int irq, void *data)
{
	struct virtio_pci *vp = data;

	if (!readb(vp->regs[CAP_ISR]))
		return IRQ_NONE;
	virtio_interrupt(&vp->vdev);
	return IRQ_HANDLED;
}

/* ---- finding the structures ---- */

/* The capability at pos: maps what it names, if it is of a kind we use and the first of that kind. */
static int map_capability(struct virtio_pci *vp, int pos)
{
	struct pci_dev *pci = vp->pci;
	unsigned int type = pci_read_config_byte(pci, pos + 3), bar = pci_read_config_byte(pci, pos + 4);
	u32 offset = pci_read_config_dword(pci, pos + 8), len = pci_read_config_dword(pci, pos + 12);

	if (type < CAP_COMMON || type >= NR_CAPS || bar > 5 || vp->regs[type])
		return 0;
	if (!(pci->resource[bar].flags & IORESOURCE_MEM) || (u64)offset + len > pci_resource_len(pci, (int)bar))
		return 0;
	vp->regs[type] = ioremap(pci_resource_start(pci, (int)bar) + offset, len);
	if (!vp->regs[type])
		return -ENOMEM;
	vp->len[type] = len;
	if (type == CAP_NOTIFY)
		vp->notify_multiplier = pci_read_config_dword(pci, pos + 16);
	return 0;
}

static int map_capabilities(struct virtio_pci *vp)
{
	int pos = pci_find_capability(vp->pci, PCI_CAP_VENDOR);

	for (int limit = 48; pos >= 0x40 && limit; limit--) {
		int err = pci_read_config_byte(vp->pci, pos) == PCI_CAP_VENDOR ? map_capability(vp, pos) : 0;

		if (err)
			return err;
		pos = pci_read_config_byte(vp->pci, pos + 1) & ~3;
	}
	return vp->regs[CAP_COMMON] && vp->len[CAP_COMMON] >= 56 && vp->regs[CAP_NOTIFY] && vp->regs[CAP_ISR] ? 0 : -ENODEV;
}

/* MSI-X, or the line. */
static int set_up_interrupts(struct virtio_pci *vp)
{
	unsigned int want = min(num_possible_cpus(), (unsigned int)MAX_VECTORS);
	int n = pci_alloc_irq_vectors(vp->pci, 1, want, PCI_IRQ_MSIX);

	if (n < 0)
		return request_irq(vp->pci->irq, vp_interrupt, IRQF_SHARED, vp->pci->name, vp);
	vp->nr_vectors = (unsigned int)n;
	writew(NO_VECTOR, vp->regs[CAP_COMMON] + C_MSIX_CONFIG);
	return 0;
}

static int vp_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct virtio_pci *vp = kzalloc(sizeof(*vp), GFP_KERNEL);
	int err;

	if (!vp)
		return -ENOMEM;
	vp->pci = pci;
	vp->notify_off = kcalloc(MAX_QUEUES, sizeof(u16), GFP_KERNEL);
	if (!vp->notify_off) {
		kfree(vp);
		return -ENOMEM;
	}
	vp->vdev.name = pci->name;
	vp->vdev.config = &vp_ops;
	/* A transitional device tells its kind by its subsystem. */
	vp->vdev.id = pci->device >= FIRST_MODERN_ID ? pci->device - FIRST_MODERN_ID : pci->subsystem_device;
	pci_enable_device(pci);
	pci_set_master(pci);
	err = map_capabilities(vp);
	if (!err)
		err = set_up_interrupts(vp);
	if (!err)
		return register_virtio_device(&vp->vdev);
	for (int i = 0; i < NR_CAPS; i++)
		if (vp->regs[i])
			iounmap(vp->regs[i]);
	kfree(vp->notify_off);
	kfree(vp);
	return err;
}

static const struct pci_device_id vp_ids[] = { { .vendor = PCI_VENDOR_VIRTIO, .device = PCI_ANY_ID }, { } };
static struct pci_driver vp_driver = { .name = "virtio-pci", .id_table = vp_ids, .probe = vp_probe };

static int __init vp_init(void)
{
	return pci_register_driver(&vp_driver);
}
device_initcall(vp_init);
