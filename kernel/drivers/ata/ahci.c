/*
 * ahci.c: SATA disks behind an AHCI controller, as on QEMU's "q35".
 *
 * Idea:    a port reads a list of commands from memory.  Each has a table: the command as the disk takes it (a "FIS") and
 *          the pieces of memory for its data.  Setting a command's bit in the register ISSUE starts it, and the controller
 *          clears the bit when it has ended.  Commands of this kind (not queued ones) run one after the other anyway, so
 *          only slot 0 is used, and it is always clear which command an error belongs to.
 * Locking: hctx->lock of the port's queue over its registers and `rq`.
 * See:     Serial ATA AHCI 1.3.1 Specification; ata.h
 */
#include <weft/kernel.h>
#include <weft/bitops.h>
#include <weft/byteorder.h>
#include <weft/delay.h>
#include <weft/err.h>
#include <weft/gfp.h>
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/io.h>
#include <weft/mm.h>
#include <weft/pci.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "ata.h"

#define PCI_CLASS_AHCI	0x010601
#define ABAR		5
#define MAX_PORTS	32
#define DEPTH		32			/* requests that may wait for a port */
#define WAIT_US		1000000

/* Registers of the controller, and of a port from 0x100 + 0x80 * number on. */
enum { H_CAP = 0x00, H_CONTROL = 0x04, H_INTERRUPT = 0x08, H_PORTS = 0x0c };
enum {
	P_LIST = 0x00, P_FIS = 0x08, P_INTERRUPT = 0x10, P_ENABLE = 0x14, P_COMMAND = 0x18, P_TASK = 0x20, P_SIGNATURE = 0x24,
	P_SATA_STATUS = 0x28, P_SATA_ERROR = 0x30, P_ISSUE = 0x38,
};
#define PORT(n)			(0x100 + 0x80 * (n))
#define CAP_64BIT		(1u << 31)
#define CONTROL_AHCI		(1u << 31)
#define CONTROL_INTERRUPTS	(1u << 1)
#define COMMAND_START		(1u << 0)
#define COMMAND_FIS		(1u << 4)
#define COMMAND_FIS_RUNS	(1u << 14)
#define COMMAND_RUNS		(1u << 15)
#define INTERRUPT_END		0x00000003u	/* a FIS from the disk, of either kind that ends a command */
#define INTERRUPT_ERROR		0x78000000u	/* task file, host bus, interface */
#define SIGNATURE_DISK		0x00000101u
#define LINK_UP			3

/* An entry of the list. */
struct ahci_header {
	__le16	flags, nr_pieces;
	__le32	bytes_done;
	__le64	table;
	__le32	reserved[4];
};
#define HEADER_FIS_WORDS	5
#define HEADER_WRITE		(1 << 6)

struct ahci_piece {
	__le64	addr;
	__le32	reserved, last_byte;		/* length - 1 */
};

/* The FIS that carries a command to the disk. */
struct ahci_fis {
	u8	type, flags, command, feature;
	u8	lba0, lba1, lba2, device;
	u8	lba3, lba4, lba5, feature_high;
	u8	count_low, count_high, icc, control;
	u8	reserved[48];
};
#define FIS_TO_DISK		0x27
#define FIS_IS_COMMAND		0x80

struct ahci_table {
	struct ahci_fis		fis;
	u8			atapi[16], reserved[48];
	struct ahci_piece	piece[BIO_MAX_VECS];
};
static_assert(offsetof(struct ahci_table, piece) == 0x80 && sizeof(struct ahci_table) <= PAGE_SIZE);

/* Memory that the port reads and writes. */
struct ahci_memory {
	struct ahci_header	list[32];	/* 1 KiB */
	u8			received[256];	/* the disk's FISes */
};

struct ahci_port {
	void __iomem		*regs;
	struct ahci_memory	*mem;
	struct ahci_table	*table;		/* of slot 0 */
	struct gendisk		disk;
	struct ata_identity	id;
	struct request		*rq;		/* [hctx lock] in the port's hands */
};

struct ahci_host {
	void __iomem		*regs;
	struct ahci_port	*port[MAX_PORTS];	/* [I] once the interrupt is on; NULL: no disk */
};

static u32 get(struct ahci_port *p, u32 reg) { return readl(p->regs + reg); }
static void set(struct ahci_port *p, u32 reg, u32 v) { writel(v, p->regs + reg); }

/* Waits until no bit of mask is set. */
static int wait_clear(struct ahci_port *p, u32 reg, u32 mask)
{
	for (int i = 0; i < WAIT_US / 10; i++) {
		if (!(get(p, reg) & mask))
			return 0;
		udelay(10);
	}
	return -EIO;
}

static int stop_port(struct ahci_port *p)
{
	set(p, P_COMMAND, get(p, P_COMMAND) & ~COMMAND_START);
	return wait_clear(p, P_COMMAND, COMMAND_RUNS);
}

static void start_port(struct ahci_port *p)
{
	set(p, P_SATA_ERROR, ~0u);
	set(p, P_INTERRUPT, ~0u);
	set(p, P_COMMAND, get(p, P_COMMAND) | COMMAND_FIS | COMMAND_START);
}

/* ---- commands ---- */

static void fill_fis(struct ahci_fis *fis, u8 command, u64 lba, unsigned int sectors)
{
	*fis = (struct ahci_fis){
		.type = FIS_TO_DISK, .flags = FIS_IS_COMMAND, .command = command, .device = ATA_DEVICE_LBA,
		.lba0 = (u8)lba, .lba1 = (u8)(lba >> 8), .lba2 = (u8)(lba >> 16), .lba3 = (u8)(lba >> 24),
		.lba4 = (u8)(lba >> 32), .lba5 = (u8)(lba >> 40), .count_low = (u8)sectors, .count_high = (u8)(sectors >> 8),
	};
}

static void add_piece(struct ahci_table *t, unsigned int n, phys_addr_t addr, unsigned int len)
{
	t->piece[n] = (struct ahci_piece){ .addr = cpu_to_le64(addr), .last_byte = cpu_to_le32(len - 1) };
}

static void issue(struct ahci_port *p, unsigned int pieces, bool write)
{
	p->mem->list[0].flags = cpu_to_le16(HEADER_FIS_WORDS | (write ? HEADER_WRITE : 0));
	p->mem->list[0].nr_pieces = cpu_to_le16((u16)pieces);
	p->mem->list[0].bytes_done = 0;
	wmb();
	set(p, P_ISSUE, 1);
}

static int ahci_queue_rq(struct blk_mq_hw_ctx *hctx, struct request *rq)
{
	struct ahci_port *p = hctx->queue->queuedata;
	struct ahci_table *t = p->table;
	bool data = rq->op != REQ_OP_FLUSH;
	unsigned int n = 0;

	if (p->rq)
		return -EBUSY;
	fill_fis(&t->fis, ata_command(rq->op, p->id.lba48, true), data ? rq->sector : 0,
		 data ? rq->data_len >> SECTOR_SHIFT : 0);
	if (!p->id.lba48)
		t->fis.device |= rq->sector >> 24 & 0x0f;
	for (struct bio *bio = data ? rq->bio : NULL; bio; bio = bio->bi_next)
		bio_for_each_bvec(bv, bio)
			add_piece(t, n++, page_to_phys(bv->bv_page) + bv->bv_offset, bv->bv_len);
	p->rq = rq;
	issue(p, n, rq->op == REQ_OP_WRITE);
	return 0;
}

static void ahci_commit(struct blk_mq_hw_ctx *hctx)
{
}

static const struct blk_mq_ops ahci_ops = { .queue_rq = ahci_queue_rq, .commit_rqs = ahci_commit };

/* ---- ends ---- */

/* After an error the port must be stopped and started before it takes another command. */
static void restart_port(struct ahci_port *p)
{
	if (stop_port(p))
		pr_err("%s: the port does not stop\n", p->disk.disk_name);
	start_port(p);
}

static void port_interrupt(struct ahci_port *p)
{
	struct blk_mq_hw_ctx *hctx = p->disk.queue->hctx;
	struct request *rq;
	LIST_HEAD(done);
	u32 why;

	spin_lock(&hctx->lock);
	why = get(p, P_INTERRUPT);
	set(p, P_INTERRUPT, why);
	rq = p->rq;
	if (rq && (why & INTERRUPT_ERROR || !(get(p, P_ISSUE) & 1))) {
		rq->status = why & INTERRUPT_ERROR || get(p, P_TASK) & (ATA_ERR | ATA_DF) ? -EIO : 0;
		list_add(&rq->queuelist, &done);
		p->rq = NULL;
	}
	if (why & INTERRUPT_ERROR)
		restart_port(p);
	spin_unlock(&hctx->lock);
	if (!list_empty(&done))
		blk_mq_end_requests(hctx, &done);
}

static irqreturn_t ahci_interrupt(int irq, void *data)
{
	struct ahci_host *host = data;
	u32 ports = readl(host->regs + H_INTERRUPT);

	if (!ports)
		return IRQ_NONE;
	for (u32 left = ports; left; left &= left - 1)
		if (host->port[__ffs(left)])
			port_interrupt(host->port[__ffs(left)]);
	writel(ports, host->regs + H_INTERRUPT);	/* after the ports' own */
	return IRQ_HANDLED;
}

/* ---- birth ---- */

static void free_port(struct ahci_port *p)
{
	free_page((unsigned long)p->mem);
	free_page((unsigned long)p->table);
	kfree(p);
}

static struct ahci_port *alloc_port(void __iomem *regs)
{
	struct ahci_port *p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return NULL;
	p->regs = regs;
	p->mem = (struct ahci_memory *)get_zeroed_page(GFP_KERNEL);
	p->table = (struct ahci_table *)get_zeroed_page(GFP_KERNEL);
	if (!p->mem || !p->table) {
		free_port(p);
		return NULL;
	}
	p->mem->list[0].table = cpu_to_le64(virt_to_phys(p->table));
	return p;
}

static void set_address(struct ahci_port *p, u32 reg, const void *mem)
{
	set(p, reg, (u32)virt_to_phys(mem));
	set(p, reg + 4, (u32)(virt_to_phys(mem) >> 32));
}

/* The first command, without interrupts. */
static int identify(struct ahci_port *p)
{
	u16 *words = (u16 *)get_zeroed_page(GFP_KERNEL);
	int err;

	if (!words)
		return -ENOMEM;
	fill_fis(&p->table->fis, ATA_CMD_IDENTIFY, 0, 0);
	add_piece(p->table, 0, virt_to_phys(words), ATA_ID_WORDS * sizeof(u16));
	issue(p, 1, false);
	err = wait_clear(p, P_ISSUE, 1);
	if (!err)
		err = get(p, P_TASK) & ATA_ERR || !ata_parse_identity(words, &p->id) ? -ENODEV : 0;
	free_page((unsigned long)words);
	return err;
}

/* A disk at the port: ready for requests, or NULL. */
static struct ahci_port *probe_port(struct ahci_host *host, unsigned int nr)
{
	void __iomem *regs = host->regs + PORT(nr);
	struct ahci_port *p;
	struct request_queue *q;

	if ((readl(regs + P_SATA_STATUS) & 15) != LINK_UP)
		return NULL;
	p = alloc_port(regs);
	if (!p)
		return NULL;
	set(p, P_ENABLE, 0);
	if (stop_port(p))
		goto none;
	set(p, P_COMMAND, get(p, P_COMMAND) & ~COMMAND_FIS);
	if (wait_clear(p, P_COMMAND, COMMAND_FIS_RUNS))
		goto none;
	set_address(p, P_LIST, p->mem->list);
	set_address(p, P_FIS, p->mem->received);
	start_port(p);
	if (wait_clear(p, P_TASK, ATA_BUSY | ATA_DRQ) || get(p, P_SIGNATURE) != SIGNATURE_DISK || identify(p))
		goto none;
	q = blk_mq_init_queue(&ahci_ops, 1, DEPTH, 0, p);
	if (IS_ERR(q))
		goto none;
	p->disk.queue = q;
	set(p, P_INTERRUPT, ~0u);
	set(p, P_ENABLE, INTERRUPT_END | INTERRUPT_ERROR);
	return p;
none:
	stop_port(p);
	set(p, P_COMMAND, get(p, P_COMMAND) & ~COMMAND_FIS);
	if (!wait_clear(p, P_COMMAND, COMMAND_FIS_RUNS))
		free_port(p);		/* else it may still write there */
	return NULL;
}

static int ahci_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct ahci_host *host = kzalloc(sizeof(*host), GFP_KERNEL);
	u32 cap, ports;
	int err;

	if (!host)
		return -ENOMEM;
	pci_enable_device(pci);
	pci_set_master(pci);
	host->regs = ioremap(pci_resource_start(pci, ABAR), pci_resource_len(pci, ABAR));
	if (!host->regs) {
		kfree(host);
		return -ENOMEM;
	}
	writel(CONTROL_AHCI, host->regs + H_CONTROL);
	cap = readl(host->regs + H_CAP);
	ports = cap & CAP_64BIT ? readl(host->regs + H_PORTS) : 0;
	for (u32 left = ports; left; left &= left - 1)
		host->port[__ffs(left)] = probe_port(host, (unsigned int)__ffs(left));
	err = pci_alloc_irq_vectors(pci, 1, 1, PCI_IRQ_MSI | PCI_IRQ_INTX);
	if (err < 0)
		return err;
	err = request_irq(pci_irq_vector(pci, 0), ahci_interrupt, IRQF_SHARED, pci->name, host);
	if (err)
		return err;		/* the ports keep their memory: they were told of it */
	writel(~0u, host->regs + H_INTERRUPT);
	writel(CONTROL_AHCI | CONTROL_INTERRUPTS, host->regs + H_CONTROL);
	for (int i = 0; i < MAX_PORTS; i++)
		if (host->port[i])
			ata_add_disk(&host->port[i]->disk, &host->port[i]->id);
	return 0;
}

static const struct pci_device_id ahci_ids[] = {
	{ .vendor = PCI_ANY_ID, .device = PCI_ANY_ID, .class = PCI_CLASS_AHCI, .class_mask = 0xffffff }, { }
};
static struct pci_driver ahci_driver = { .name = "ahci", .id_table = ahci_ids, .probe = ahci_probe };

static int __init ahci_init(void)
{
	return pci_register_driver(&ahci_driver);
}
device_initcall(ahci_init);
