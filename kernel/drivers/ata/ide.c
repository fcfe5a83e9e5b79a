/*
 * ide.c: the IDE controller of a PC: two channels with two disks each, reached through ports.
 *
 * What:    the PIIX of QEMU's "pc", and whatever else says it is an IDE controller in compatibility mode.
 * Idea:    a command is written into eight ports: the sector's number (LBA) into base+3 to base+6, how many into base+2, the
 *          command into base+7 (base: 0x1f0, or 0x170 for the second channel).  Then either the processor carries the data,
 *          a sector after each interrupt, through base+0 (PIO), or the bridge fetches them from a list of pieces of memory
 *          (bus-master DMA), with one interrupt at the end.  DMA is used where bridge and disk offer it; pages above 4 GiB,
 *          which the bridge cannot name, and all with "ide=pio", go by PIO.
 * Locking: channel->lock (interrupts off), inside hctx->lock: a channel does one command at a time, whichever disk it is for.
 *          A disk that found it busy is offered the channel first when that command has ended.
 * See:     spec.md §1 "ports and sectors" and seed 003, which walks through a read of 8 sectors; ATA-6, chapter 9;
 *          Programming Interface for Bus Master IDE Controller, Revision 1.0
 */
#include <weft/kernel.h>
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
#include <weft/spinlock.h>
#include <weft/string.h>
#include "ata.h"

/* Ports of a channel, from its base. */
enum { P_DATA = 0, P_COUNT = 2, P_LBA0 = 3, P_LBA1 = 4, P_LBA2 = 5, P_DEVICE = 6, P_COMMAND = 7, P_STATUS = 7 };

#define DEVICE_OBSOLETE	0xa0			/* bits that old disks want set */
#define DEVICE_SLAVE	0x10
#define CONTROL_QUIET	0x02			/* no interrupts */

/* Ports of the bus master, from its base. */
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_PER_CHANNEL = 8 };
#define BM_START	0x01
#define BM_TO_MEMORY	0x08
#define BM_ERROR	0x02
#define BM_INTERRUPT	0x04

#define PCI_CLASS_IDE	0x010100
#define NATIVE_MODE(ch)	(1u << (2 * (ch)))	/* in the programming interface: not at the fixed ports */
#define WAIT_US		2000000			/* for a disk that is busy at start-up */
#define READY_US	10000			/* for a disk between two commands */

/* A piece of memory for the bridge: it may not cross 64 KiB; a length of 0 means 64 KiB. */
struct prd {
	__le32	addr;
	__le16	len, flags;
};
#define PRD_LAST	0x8000
#define PRD_BOUNDARY	0x10000u
#define NR_PRD		(PAGE_SIZE / sizeof(struct prd))

struct ide_drive {
	struct ide_channel	*channel;
	struct gendisk		disk;
	unsigned int		unit;		/* [I] 0 master, 1 slave */
	bool			present;	/* [I] */
	struct ata_identity	id;		/* [I] */
};

struct ide_channel {
	spinlock_t		lock;
	u16			io, control;	/* [I] ports */
	u16			bm;		/* [I] 0: no bus master */
	unsigned int		irq;		/* [I] */
	struct ide_drive	drive[2];
	struct request		*rq;		/* [lock] the command under way */
	bool			dma;		/* [lock] ... and who carries its data */
	unsigned int		sectors_left;	/* [lock] of it, by PIO */
	struct bio		*bio;		/* [lock] where the next sector goes or comes from: */
	unsigned int		vec, offset;	/* [lock] piece of the bio, byte in it */
	struct prd		*prd;		/* [lock] one page below 4 GiB */
};

static bool pio_only;				/* [I] */

static int __init ide_setup(char *s)
{
	pio_only = !strcmp(s, "pio");
	return 1;
}
__setup("ide=", ide_setup);

/* ---- the ports ---- */

/* Waits until the selected disk is not busy; its status, or -1. */
static int wait_ready(struct ide_channel *ch, unsigned int us)
{
	for (unsigned int i = 0; i <= us / 10; i++) {
		u8 status = inb(ch->io + P_STATUS);

		if (!(status & ATA_BUSY))
			return status;
		udelay(10);
	}
	return -1;
}

/* A status is valid 400 ns after its cause: as long as four reads of the other status register take. */
static void settle(struct ide_channel *ch)
{
	for (int i = 0; i < 4; i++)
		inb(ch->control);
}

/* Seed 003's six lines: LBA, count, command.  With 48 bits each port takes the high byte first. */
static void write_command(struct ide_drive *drive, u8 command, u64 lba, unsigned int sectors, bool ext)
{
	u16 io = drive->channel->io;
	u8 device = DEVICE_OBSOLETE | ATA_DEVICE_LBA | (drive->unit ? DEVICE_SLAVE : 0);

	if (ext) {
		outb((u8)(sectors >> 8), io + P_COUNT);
		outb((u8)(lba >> 24), io + P_LBA0);
		outb((u8)(lba >> 32), io + P_LBA1);
		outb((u8)(lba >> 40), io + P_LBA2);
	} else {
		device |= lba >> 24 & 0x0f;
	}
	outb((u8)lba, io + P_LBA0);
	outb((u8)(lba >> 8), io + P_LBA1);
	outb((u8)(lba >> 16), io + P_LBA2);
	outb(device, io + P_DEVICE);
	outb((u8)sectors, io + P_COUNT);
	outb(command, io + P_COMMAND);
}

static int select_drive(struct ide_drive *drive)
{
	struct ide_channel *ch = drive->channel;

	outb(DEVICE_OBSOLETE | ATA_DEVICE_LBA | (drive->unit ? DEVICE_SLAVE : 0), ch->io + P_DEVICE);
	settle(ch);
	return wait_ready(ch, READY_US) < 0 ? -EIO : 0;
}

/* ---- data by the processor ---- */

/* One sector between the port and the pages of the request. */
static void move_sector(struct ide_channel *ch)
{
	unsigned int left = SECTOR_SIZE;

	while (left) {
		const struct bio_vec *bv = &ch->bio->bi_io_vec[ch->vec];
		unsigned int n = min(left, bv->bv_len - ch->offset);
		void *p = page_address(bv->bv_page) + bv->bv_offset + ch->offset;

		if (ch->rq->op == REQ_OP_WRITE)
			outsw(ch->io + P_DATA, p, n / 2);
		else
			insw(ch->io + P_DATA, p, n / 2);
		left -= n;
		ch->offset += n;
		if (ch->offset < bv->bv_len)
			continue;
		ch->offset = 0;
		if (++ch->vec == ch->bio->bi_vcnt) {
			ch->vec = 0;
			ch->bio = ch->bio->bi_next;
		}
	}
	ch->sectors_left--;
}

/* The first sector of a write is asked for without an interrupt. */
static int first_sector(struct ide_channel *ch)
{
	int status;

	settle(ch);
	status = wait_ready(ch, READY_US);
	if (status < 0 || status & (ATA_ERR | ATA_DF) || !(status & ATA_DRQ))
		return -EIO;
	move_sector(ch);
	return 0;
}

/* ---- data by the bridge ---- */

/* Cuts one piece at each 64 KiB.  The number of entries in use, 0 when the bridge cannot reach it. */
static unsigned int add_pieces(struct ide_channel *ch, unsigned int n, u64 addr, unsigned int len)
{
	if (addr + len > 1ull << 32 || addr & 1)
		return 0;
	while (len) {
		unsigned int now = min(len, PRD_BOUNDARY - (unsigned int)(addr & (PRD_BOUNDARY - 1)));

		if (n == NR_PRD)
			return 0;
		ch->prd[n++] = (struct prd){ cpu_to_le32((u32)addr), cpu_to_le16((u16)now), 0 };
		addr += now;
		len -= now;
	}
	return n;
}

static bool build_table(struct ide_channel *ch, const struct request *rq)
{
	unsigned int n = 0;

	for (struct bio *bio = rq->bio; bio; bio = bio->bi_next)
		bio_for_each_bvec(bv, bio) {
			n = add_pieces(ch, n, page_to_phys(bv->bv_page) + bv->bv_offset, bv->bv_len);
			if (!n)
				return false;
		}
	ch->prd[n - 1].flags = cpu_to_le16(PRD_LAST);
	return true;
}

static void dma_prepare(struct ide_channel *ch, const struct request *rq)
{
	outl((u32)virt_to_phys(ch->prd), ch->bm + BM_TABLE);
	outb(rq->op == REQ_OP_READ ? BM_TO_MEMORY : 0, ch->bm + BM_COMMAND);
	outb(inb(ch->bm + BM_STATUS) | BM_ERROR | BM_INTERRUPT, ch->bm + BM_STATUS);
}

static void dma_start(struct ide_channel *ch)
{
	outb(inb(ch->bm + BM_COMMAND) | BM_START, ch->bm + BM_COMMAND);
}

/* ---- requests ---- */

/* The channel is free and becomes this request's. */
static int start_request(struct ide_drive *drive, struct request *rq)
{
	struct ide_channel *ch = drive->channel;
	bool data = rq->op != REQ_OP_FLUSH, ext;
	unsigned int sectors = rq->data_len >> SECTOR_SHIFT;
	int err = select_drive(drive);

	if (err)
		return err;
	ext = drive->id.lba48 && (!data || rq->sector + sectors > ATA_LIMIT_28 || sectors > ATA_SECTORS_28);
	ch->dma = data && ch->bm && drive->id.dma && build_table(ch, rq);
	ch->bio = rq->bio;
	ch->vec = ch->offset = 0;
	ch->sectors_left = data && !ch->dma ? sectors : 0;
	ch->rq = rq;
	if (ch->dma)
		dma_prepare(ch, rq);
	write_command(drive, ata_command(rq->op, ext, ch->dma), data ? rq->sector : 0, data ? sectors : 0, ext);
	if (ch->dma)
		dma_start(ch);
	else if (rq->op == REQ_OP_WRITE)
		err = first_sector(ch);
	if (err)
		ch->rq = NULL;
	return err;
}

static int ide_queue_rq(struct blk_mq_hw_ctx *hctx, struct request *rq)
{
	struct ide_drive *drive = hctx->queue->queuedata;
	int err = -EBUSY;

	spin_lock(&drive->channel->lock);
	if (!drive->channel->rq)
		err = start_request(drive, rq);
	spin_unlock(&drive->channel->lock);
	return err;
}

static void ide_commit(struct blk_mq_hw_ctx *hctx)
{
}

static const struct blk_mq_ops ide_ops = { .queue_rq = ide_queue_rq, .commit_rqs = ide_commit };

/* The disk has interrupted.  The request when it has ended, with its status. */
static struct request *step(struct ide_channel *ch)
{
	struct request *rq = ch->rq;
	u8 bm = 0, status;

	if (ch->dma) {
		bm = inb(ch->bm + BM_STATUS);
		if (!(bm & BM_INTERRUPT))
			return NULL;
		outb(inb(ch->bm + BM_COMMAND) & ~BM_START, ch->bm + BM_COMMAND);
		outb(bm | BM_ERROR | BM_INTERRUPT, ch->bm + BM_STATUS);
	}
	status = inb(ch->io + P_STATUS);	/* also takes the interrupt back */
	if (!rq || status & ATA_BUSY)
		return NULL;
	if (status & (ATA_ERR | ATA_DF) || (ch->dma && bm & BM_ERROR)) {
		rq->status = -EIO;
	} else if (ch->sectors_left) {
		if (!(status & ATA_DRQ))
			return NULL;
		move_sector(ch);
		if (ch->sectors_left || rq->op == REQ_OP_WRITE)
			return NULL;	/* the last sector of a write is followed by one more interrupt */
	}
	ch->rq = NULL;
	ch->dma = false;
	return rq;
}

static irqreturn_t ide_interrupt(int irq, void *data)
{
	struct ide_channel *ch = data;
	LIST_HEAD(done);
	struct ide_drive *drive, *other;
	struct request *rq;

	spin_lock(&ch->lock);
	rq = step(ch);
	spin_unlock(&ch->lock);
	if (!rq)
		return IRQ_HANDLED;
	drive = rq->mq_hctx->queue->queuedata;
	other = &ch->drive[!drive->unit];
	if (other->present)
		blk_mq_run_hw_queue(other->disk.queue->hctx);
	list_add(&rq->queuelist, &done);
	blk_mq_end_requests(rq->mq_hctx, &done);
	return IRQ_HANDLED;
}

/* ---- birth ---- */

/* Asks for the identity, without interrupts.  False: no disk there. */
static bool identify(struct ide_drive *drive)
{
	struct ide_channel *ch = drive->channel;
	u16 words[ATA_ID_WORDS];
	int status;

	if (select_drive(drive) || inb(ch->io + P_STATUS) == 0xff)
		return false;
	write_command(drive, ATA_CMD_IDENTIFY, 0, 0, false);
	settle(ch);
	if (!inb(ch->io + P_STATUS))
		return false;
	status = wait_ready(ch, WAIT_US);
	if (status < 0 || status & ATA_ERR || !(status & ATA_DRQ))
		return false;		/* a CD drive ends here: it speaks ATAPI */
	insw(ch->io + P_DATA, words, ATA_ID_WORDS);
	return ata_parse_identity(words, &drive->id);
}

static int add_drive(struct ide_drive *drive)
{
	struct request_queue *q = blk_mq_init_queue(&ide_ops, 1, 32, 0, drive);

	if (IS_ERR(q))
		return PTR_ERR(q);
	q->limits.max_sectors = ATA_SECTORS_28;
	drive->disk.queue = q;
	drive->present = true;
	return ata_add_disk(&drive->disk, &drive->id);
}

/* The disks of a channel, and only then its interrupt: identities are asked for without. */
static int add_channel(struct pci_dev *pci, unsigned int nr, u16 bm)
{
	static const struct { u16 io, control; u8 irq; } fixed[] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };
	struct ide_channel *ch = kzalloc(sizeof(*ch), GFP_KERNEL);
	bool found[2];
	int err;

	if (!ch)
		return -ENOMEM;
	spin_lock_init(&ch->lock);
	ch->io = fixed[nr].io;
	ch->control = fixed[nr].control;
	ch->irq = fixed[nr].irq;
	if (bm)
		ch->prd = (struct prd *)__get_free_page(GFP_KERNEL | GFP_DMA32);
	ch->bm = ch->prd ? bm : 0;
	outb(CONTROL_QUIET, ch->control);
	for (unsigned int unit = 0; unit < 2; unit++) {
		ch->drive[unit].channel = ch;
		ch->drive[unit].unit = unit;
		found[unit] = identify(&ch->drive[unit]);
	}
	err = found[0] || found[1] ? request_irq(ch->irq, ide_interrupt, IRQF_SHARED, pci->name, ch) : -ENODEV;
	if (err) {
		free_page((unsigned long)ch->prd);
		kfree(ch);
		return err;
	}
	outb(0, ch->control);
	pr_info("ide%u: ports %#x, irq %u, %s\n", nr, ch->io, ch->irq, ch->bm ? "bus-master DMA" : "PIO");
	for (unsigned int unit = 0; unit < 2; unit++)
		if (found[unit])
			add_drive(&ch->drive[unit]);
	return 0;
}

static int ide_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	bool master = pci->class & 0x80 && pci->resource[4].flags & IORESOURCE_IO && !pio_only;
	u16 bm = master ? (u16)pci_resource_start(pci, 4) : 0;
	int found = 0;

	pci_enable_device(pci);
	if (master)
		pci_set_master(pci);
	for (unsigned int nr = 0; nr < 2; nr++)
		if (!(pci->class & NATIVE_MODE(nr)))
			found += !add_channel(pci, nr, bm ? (u16)(bm + nr * BM_PER_CHANNEL) : 0);
	return found ? 0 : -ENODEV;
}

static const struct pci_device_id ide_ids[] = {
	{ .vendor = PCI_ANY_ID, .device = PCI_ANY_ID, .class = PCI_CLASS_IDE, .class_mask = 0xffff00 }, { }
};
static struct pci_driver ide_driver = { .name = "ide", .id_table = ide_ids, .probe = ide_probe };

static int __init ide_init(void)
{
	return pci_register_driver(&ide_driver);
}
device_initcall(ide_init);
