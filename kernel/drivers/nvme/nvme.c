/*
 * nvme.c: NVMe disks: /dev/nvme0n1, ...
 *
 * Idea:    a queue pair is a ring of commands that the controller reads and a ring of completions that it writes; a doorbell
 *          says how far we are in each.  A bit in each completion, the phase, turns over with every round: an entry is new if
 *          its phase is ours.  One pair is for administration, used while probing and polled; then one for each CPU, with an
 *          interrupt of its own.
 *          A request of 256 KiB at most needs 65 pages: the first in the command, the rest in a list of 512 bytes, which
 *          each slot of a queue has from the start.  So a request never allocates.  The slots are dealt out to the
 *          namespaces, so a slot is free whenever the block layer has a request.
 * Locking: hctx->lock -> queue lock: the rings, positions and `rq`, since namespaces share the queues.
 * See:     NVM Express Base Specification 1.4; nvme_regs.h; include/weft/blkdev.h
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/byteorder.h>
#include <weft/cpumask.h>
#include <weft/delay.h>
#include <weft/err.h>
#include <weft/gfp.h>
#include <weft/init.h>
#include <weft/interrupt.h>
#include <weft/io.h>
#include <weft/irq.h>
#include <weft/log2.h>
#include <weft/mm.h>
#include <weft/pci.h>
#include <weft/reboot.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/unaligned.h>
#include "nvme_regs.h"

#define PCI_CLASS_NVME	0x010802
#define ENTRIES		64u			/* of each queue */
#define SLOTS		(ENTRIES - 1)		/* a full ring looks like an empty one */
#define LIST_ENTRIES	64u
#define MAX_SECTORS	512u			/* (1 + LIST_ENTRIES) pages, wherever the first byte lies */
#define MAX_QUEUES	32u
#define MAX_NAMESPACES	8u
#define ADMIN_TIMEOUT_US 10000000

struct nvme_queue {
	spinlock_t		lock;
	struct nvme_command	*sq;		/* [lock] */
	struct nvme_completion	*cq;		/* the controller writes */
	__le64			*lists;		/* [slot's owner] LIST_ENTRIES for each slot */
	void __iomem		*doorbell;	/* of sq; that of cq is `stride` bytes further */
	unsigned int		stride;		/* [I] */
	u16			id;		/* [I] 0: administration */
	u16			sq_tail, cq_head;	/* [lock] */
	u16			phase;		/* [lock] of entries that are new */
	char			name[24];	/* [I] of its interrupt */
	struct request		*rq[ENTRIES];	/* [lock] by slot: in the controller's hands */
};

struct nvme_ctrl {
	struct pci_dev		*pci;
	void __iomem		*regs;
	int			nr;		/* [I] of nvmeN */
	unsigned int		nr_queues;	/* [I] for I/O */
	unsigned int		nr_namespaces, slots_each;	/* [I] */
	unsigned int		max_sectors;	/* [I] */
	bool			can_discard, write_cache;	/* [I] */
	char			serial[ID_SERIAL_LEN + 1];
	struct nvme_queue	admin;
	struct nvme_queue	*queues;	/* [nr_queues] */
	struct shutdown_hook	shutdown;
};

struct nvme_namespace {
	struct gendisk		disk;
	struct nvme_ctrl	*ctrl;
	u32			id;		/* [I] from 1 */
	unsigned int		shift;		/* [I] block size >> shift == 512 */
};

static int major;
static int nr_controllers;			/* [pci_mutex] */

/* ---- the rings ---- */

static void put_command(struct nvme_queue *q, const struct nvme_command *cmd)
{
	lockdep_assert_held(&q->lock);
	q->sq[q->sq_tail] = *cmd;
	q->sq_tail = (u16)((q->sq_tail + 1) % ENTRIES);
}

static void ring_doorbell(struct nvme_queue *q)
{
	wmb();				/* the commands before the word that there are some */
	writel(q->sq_tail, q->doorbell);
}

/* The next completion, if there is one. */
static bool take_completion(struct nvme_queue *q, struct nvme_completion *cqe)
{
	const struct nvme_completion *entry = &q->cq[q->cq_head];

	lockdep_assert_held(&q->lock);
	if ((le16_to_cpu(READ_ONCE(entry->status)) & 1) != q->phase)
		return false;
	rmb();				/* the phase before the rest */
	*cqe = *entry;
	if (++q->cq_head == ENTRIES) {
		q->cq_head = 0;
		q->phase ^= 1;
	}
	return true;
}

static void free_queue(struct nvme_queue *q)
{
	free_page((unsigned long)q->sq);
	free_page((unsigned long)q->cq);
	kvfree(q->lists);
}

/* I/O: with lists for the slots.  A list must not cross a page, and being 512 bytes aligned to their size it does not. */
static int alloc_queue(struct nvme_ctrl *c, struct nvme_queue *q, u16 id, unsigned int stride)
{
	spin_lock_init(&q->lock);
	q->id = id;
	q->phase = 1;
	q->stride = stride;
	q->doorbell = c->regs + NVME_DOORBELLS + 2 * id * stride;
	q->sq = (struct nvme_command *)get_zeroed_page(GFP_KERNEL);
	q->cq = (struct nvme_completion *)get_zeroed_page(GFP_KERNEL);
	if (id)
		q->lists = (__le64 *)__get_free_pages(GFP_KERNEL, get_order(ENTRIES * LIST_ENTRIES * sizeof(__le64)));
	if (q->sq && q->cq && (!id || q->lists))
		return 0;
	free_queue(q);
	return -ENOMEM;
}

/* ---- administration: one command at a time, polled ---- */

static bool poll_for_completion(struct nvme_queue *q, struct nvme_completion *cqe)
{
	bool done = false;

	for (int i = 0; i < ADMIN_TIMEOUT_US / 10 && !done; i++) {
		spin_lock_irq(&q->lock);
		done = take_completion(q, cqe);
		if (done)
			writel(q->cq_head, q->doorbell + q->stride);
		spin_unlock_irq(&q->lock);
		if (!done)
			udelay(10);
	}
	return done;
}

static int admin(struct nvme_ctrl *c, struct nvme_command *cmd, u32 *result)
{
	struct nvme_queue *q = &c->admin;
	struct nvme_completion cqe;

	spin_lock_irq(&q->lock);
	put_command(q, cmd);
	ring_doorbell(q);
	spin_unlock_irq(&q->lock);
	if (!poll_for_completion(q, &cqe))
		return -ETIMEDOUT;
	if (result)
		*result = le32_to_cpu(cqe.result);
	return STATUS_CODE(le16_to_cpu(cqe.status)) ? -EIO : 0;
}

static int identify(struct nvme_ctrl *c, u32 nsid, u32 what, void *page)
{
	struct nvme_command cmd = {
		.opcode = ADMIN_IDENTIFY, .nsid = cpu_to_le32(nsid), .prp1 = cpu_to_le64(virt_to_phys(page)),
		.cdw10 = cpu_to_le32(what),
	};

	return admin(c, &cmd, NULL);
}

/* Creates the completion queue first: the other names it. */
static int create_queue(struct nvme_ctrl *c, struct nvme_queue *q, unsigned int vector)
{
	struct nvme_command cmd = {
		.opcode = ADMIN_CREATE_CQ, .prp1 = cpu_to_le64(virt_to_phys(q->cq)),
		.cdw10 = cpu_to_le32((ENTRIES - 1) << 16 | q->id),
		.cdw11 = cpu_to_le32(vector << 16 | QUEUE_INTERRUPT | QUEUE_IN_ONE_PIECE),
	};
	int err = admin(c, &cmd, NULL);

	if (err)
		return err;
	cmd.opcode = ADMIN_CREATE_SQ;
	cmd.prp1 = cpu_to_le64(virt_to_phys(q->sq));
	cmd.cdw11 = cpu_to_le32((u32)q->id << 16 | QUEUE_IN_ONE_PIECE);
	return admin(c, &cmd, NULL);
}

/* ---- requests ---- */

/* Where the data lie, page by page.  All pieces but the first begin, and all but the last end, at a page: virt_boundary. */
static void fill_pages(struct nvme_command *cmd, struct request *rq, __le64 *list)
{
	unsigned int n = 0;

	for (struct bio *bio = rq->bio; bio; bio = bio->bi_next)
		bio_for_each_bvec(bv, bio) {
			phys_addr_t at = page_to_phys(bv->bv_page) + bv->bv_offset, end = at + bv->bv_len;

			for (; at < end; at = round_down(at, PAGE_SIZE) + PAGE_SIZE) {
				if (n++)
					list[n - 2] = cpu_to_le64(at);
				else
					cmd->prp1 = cpu_to_le64(at);
			}
		}
	if (n == 2)
		cmd->prp2 = list[0];
	else if (n > 2)
		cmd->prp2 = cpu_to_le64(virt_to_phys(list));
}

static void fill_command(struct nvme_command *cmd, struct nvme_namespace *ns, struct request *rq, __le64 *list)
{
	u64 lba = rq->sector >> ns->shift;
	u32 blocks = (rq->data_len >> SECTOR_SHIFT) >> ns->shift;

	switch (rq->op) {
	case REQ_OP_FLUSH:
		cmd->opcode = IO_FLUSH;
		return;
	case REQ_OP_DISCARD:
		*(struct nvme_range *)list = (struct nvme_range){ .blocks = cpu_to_le32(blocks), .lba = cpu_to_le64(lba) };
		cmd->opcode = IO_DATASET;
		cmd->prp1 = cpu_to_le64(virt_to_phys(list));
		cmd->cdw11 = cpu_to_le32(DATASET_DISCARD);
		return;
	default:
		cmd->opcode = rq->op == REQ_OP_READ ? IO_READ : IO_WRITE;
		cmd->cdw10 = cpu_to_le32((u32)lba);
		cmd->cdw11 = cpu_to_le32((u32)(lba >> 32));
		cmd->cdw12 = cpu_to_le32((blocks - 1) | (rq->fua ? RW_FUA : 0));
		fill_pages(cmd, rq, list);
	}
}

static int nvme_queue_rq(struct blk_mq_hw_ctx *hctx, struct request *rq)
{
	struct nvme_namespace *ns = hctx->queue->queuedata;
	struct nvme_queue *q = hctx->driver_data;
	unsigned int slot = (ns->id - 1) * ns->ctrl->slots_each + rq->tag;
	struct nvme_command cmd = { .id = cpu_to_le16((u16)slot), .nsid = cpu_to_le32(ns->id) };

	fill_command(&cmd, ns, rq, q->lists + slot * LIST_ENTRIES);
	spin_lock(&q->lock);
	q->rq[slot] = rq;
	put_command(q, &cmd);
	spin_unlock(&q->lock);
	return 0;
}

static void nvme_commit(struct blk_mq_hw_ctx *hctx)
{
	struct nvme_queue *q = hctx->driver_data;

	spin_lock(&q->lock);
	ring_doorbell(q);
	spin_unlock(&q->lock);
}

static const struct blk_mq_ops nvme_ops = { .queue_rq = nvme_queue_rq, .commit_rqs = nvme_commit };

static int status_to_errno(u16 status)
{
	return !STATUS_CODE(status) ? 0 : STATUS_CODE(status) == STATUS_BAD_OPCODE ? -EOPNOTSUPP : -EIO;
}

/* Takes back all that is done.  Returns whether anything was. */
static bool collect(struct nvme_queue *q, struct list_head *done)
{
	struct nvme_completion cqe;
	bool any = false;

	spin_lock(&q->lock);
	while (take_completion(q, &cqe)) {
		unsigned int slot = le16_to_cpu(cqe.id);

		any = true;
		if (WARN_ON_ONCE(slot >= ENTRIES || !q->rq[slot]))
			continue;		/* the device is not to be believed */
		q->rq[slot]->status = status_to_errno(le16_to_cpu(cqe.status));
		list_add_tail(&q->rq[slot]->queuelist, done);
		q->rq[slot] = NULL;
	}
	if (any)
		writel(q->cq_head, q->doorbell + q->stride);
	spin_unlock(&q->lock);
	return any;
}

static irqreturn_t nvme_interrupt(int irq, void *data)
{
	LIST_HEAD(done);
	bool any = collect(data, &done);

	while (!list_empty(&done)) {		/* those of one namespace at a time */
		struct blk_mq_hw_ctx *hctx = list_first_entry(&done, struct request, queuelist)->mq_hctx;
		struct request *rq, *next;
		LIST_HEAD(its);

		list_for_each_entry_safe(rq, next, &done, queuelist)
			if (rq->mq_hctx == hctx)
				list_move_tail(&rq->queuelist, &its);
		blk_mq_end_requests(hctx, &its);
	}
	return any ? IRQ_HANDLED : IRQ_NONE;
}

/* ---- birth of a controller ---- */

static int wait_status(struct nvme_ctrl *c, u32 mask, u32 want, unsigned int half_seconds)
{
	for (unsigned int i = 0; i < (half_seconds + 1) * 5000; i++) {
		u32 status = readl(c->regs + NVME_CSTS);

		if (status == ~0u || status & CSTS_FATAL)
			return -EIO;
		if ((status & mask) == want)
			return 0;
		udelay(100);
	}
	return -ETIMEDOUT;
}

static void write64(void __iomem *reg, u64 v)
{
	writel((u32)v, reg);
	writel((u32)(v >> 32), reg + 4);
}

/* From whatever state to ready, with a queue for administration. */
static int start_controller(struct nvme_ctrl *c)
{
	u32 lo = readl(c->regs + NVME_CAP), hi = readl(c->regs + NVME_CAP_HI);
	int err;

	if (CAP_MIN_PAGE(hi) || CAP_ENTRIES(lo) + 1 < ENTRIES)
		return -ENODEV;
	writel(readl(c->regs + NVME_CC) & ~CC_ENABLE, c->regs + NVME_CC);
	err = wait_status(c, CSTS_READY, 0, CAP_TIMEOUT(lo));
	if (!err)
		err = alloc_queue(c, &c->admin, 0, 4u << CAP_STRIDE(hi));
	if (err)
		return err;
	writel((ENTRIES - 1) << 16 | (ENTRIES - 1), c->regs + NVME_AQA);
	write64(c->regs + NVME_ASQ, virt_to_phys(c->admin.sq));
	write64(c->regs + NVME_ACQ, virt_to_phys(c->admin.cq));
	writel(CC_ENTRY_SIZES | CC_ENABLE, c->regs + NVME_CC);
	return wait_status(c, CSTS_READY, CSTS_READY, CAP_TIMEOUT(lo));
}

static int read_identity(struct nvme_ctrl *c, const u8 *id)
{
	unsigned int transfer = id[ID_MAX_TRANSFER];

	memcpy(c->serial, id + ID_SERIAL, ID_SERIAL_LEN);
	strim(c->serial);
	c->max_sectors = transfer && transfer < 6 ? (PAGE_SIZE >> SECTOR_SHIFT) << transfer : MAX_SECTORS;
	c->can_discard = get_unaligned_le16(id + ID_OPTIONAL) & OPTIONAL_DATASET;
	c->write_cache = id[ID_WRITE_CACHE] & 1;
	c->nr_namespaces = min(get_unaligned_le32(id + ID_NAMESPACES), MAX_NAMESPACES);
	return c->nr_namespaces ? 0 : -ENODEV;
}

/* One pair for each CPU, as far as the controller and the interrupts reach. */
static int create_queues(struct nvme_ctrl *c)
{
	unsigned int want = min(num_possible_cpus(), MAX_QUEUES), first;
	struct nvme_command cmd = { .opcode = ADMIN_SET_FEATURES, .cdw10 = cpu_to_le32(FEATURE_QUEUES) };
	int vectors = pci_alloc_irq_vectors(c->pci, 1, 1 + want, PCI_IRQ_MSIX | PCI_IRQ_MSI | PCI_IRQ_INTX), err;
	u32 granted = 0;

	if (vectors < 0)
		return vectors;
	first = vectors > 1;			/* message 0 is administration's, which is polled */
	want = min(want, (unsigned int)vectors - first);
	cmd.cdw11 = cpu_to_le32((want - 1) << 16 | (want - 1));
	err = admin(c, &cmd, &granted);
	if (err)
		return err;
	want = min3(want, (granted & 0xffff) + 1, (granted >> 16) + 1);
	c->queues = kcalloc(want, sizeof(*c->queues), GFP_KERNEL);
	if (!c->queues)
		return -ENOMEM;
	for (; c->nr_queues < want; c->nr_queues++) {
		struct nvme_queue *q = &c->queues[c->nr_queues];
		unsigned int vector = first + c->nr_queues, irq = pci_irq_vector(c->pci, vector);

		err = alloc_queue(c, q, (u16)(c->nr_queues + 1), c->admin.stride);
		if (err)
			break;
		snprintf(q->name, sizeof(q->name), "nvme%dq%u", c->nr, q->id);
		if (first)
			irq_set_affinity(irq, cpumask_of(c->nr_queues % num_online_cpus()));
		err = request_irq(irq, nvme_interrupt, IRQF_SHARED, q->name, q);
		if (!err)
			err = create_queue(c, q, vector);
		if (err)
			break;
	}
	return c->nr_queues ? 0 : err;		/* with fewer it goes, too: neighbours share */
}

/* ---- birth of a disk ---- */

static int add_namespace(struct nvme_ctrl *c, u32 nsid, const u8 *id)
{
	const u8 *format = id + NS_FORMATS + 4 * (id[NS_FORMAT] & 15);
	unsigned int bits = format[2];
	struct nvme_namespace *ns;
	struct request_queue *q;

	if (!get_unaligned_le64(id + NS_SIZE))
		return 0;			/* not there */
	if (bits < SECTOR_SHIFT || bits > PAGE_SHIFT || get_unaligned_le16(format))
		return -EOPNOTSUPP;
	ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	if (!ns)
		return -ENOMEM;
	q = blk_mq_init_queue(&nvme_ops, c->nr_queues, c->slots_each, 0, ns);
	if (IS_ERR(q)) {
		kfree(ns);
		return (int)PTR_ERR(q);
	}
	for (unsigned int i = 0; i < c->nr_queues; i++)
		q->hctx[i].driver_data = &c->queues[i];
	q->limits.max_sectors = c->max_sectors;
	q->limits.virt_boundary = PAGE_SIZE - 1;
	q->limits.logical_block_size = q->limits.physical_block_size = 1u << bits;
	q->limits.max_discard_sectors = c->can_discard ? UINT_MAX >> 9 : 0;
	q->limits.write_cache = q->limits.fua = c->write_cache;
	ns->ctrl = c;
	ns->id = nsid;
	ns->shift = bits - SECTOR_SHIFT;
	ns->disk.queue = q;
	ns->disk.major = major;
	ns->disk.first_minor = (int)((unsigned int)c->nr * MAX_NAMESPACES + nsid - 1) * DISK_MAX_PARTS;
	ns->disk.capacity = get_unaligned_le64(id + NS_SIZE) << ns->shift;
	strscpy(ns->disk.serial, c->serial, sizeof(ns->disk.serial));
	snprintf(ns->disk.disk_name, sizeof(ns->disk.disk_name), "nvme%dn%u", c->nr, nsid);
	return add_disk(&ns->disk);
}

static void add_namespaces(struct nvme_ctrl *c, u8 *page)
{
	c->slots_each = SLOTS / c->nr_namespaces;
	for (u32 nsid = 1; nsid <= c->nr_namespaces; nsid++) {
		int err;

		memset(page, 0, PAGE_SIZE);
		err = identify(c, nsid, IDENTIFY_NAMESPACE, page);
		if (!err)
			err = add_namespace(c, nsid, page);
		if (err)
			pr_warn("nvme%dn%u: error %d\n", c->nr, nsid, err);
	}
}

/* Tells the controller that the power goes, and waits until it has put away what it holds. */
static void shut_down(struct shutdown_hook *hook)
{
	struct nvme_ctrl *c = container_of(hook, struct nvme_ctrl, shutdown);

	writel((readl(c->regs + NVME_CC) & ~CC_SHUTDOWN_MASK) | CC_SHUTDOWN, c->regs + NVME_CC);
	if (wait_status(c, CSTS_SHUTDOWN_MASK, CSTS_SHUTDOWN_DONE, 10))
		pr_warn("nvme%d: does not shut down\n", c->nr);
}

static int set_up(struct nvme_ctrl *c)
{
	u8 *page = (u8 *)get_zeroed_page(GFP_KERNEL);
	int err = page ? start_controller(c) : -ENOMEM;

	if (!err)
		err = identify(c, 0, IDENTIFY_CONTROLLER, page);
	if (!err)
		err = read_identity(c, page);
	if (!err)
		err = create_queues(c);
	if (!err) {
		c->shutdown.fn = shut_down;
		register_shutdown_hook(&c->shutdown);
		add_namespaces(c, page);
	}
	free_page((unsigned long)page);
	return err;
}

static int nvme_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct nvme_ctrl *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	c->pci = pci;
	c->nr = nr_controllers;
	pci_enable_device(pci);
	pci_set_master(pci);
	c->regs = ioremap(pci_resource_start(pci, 0), pci_resource_len(pci, 0));
	err = c->regs ? set_up(c) : -ENOMEM;
	if (!err) {
		nr_controllers++;
		return 0;
	}
	pr_err("nvme %s: error %d\n", pci->name, err);
	return err;				/* what the controller was told of stays: it may still write there */
}

static const struct pci_device_id nvme_ids[] = {
	{ .vendor = PCI_ANY_ID, .device = PCI_ANY_ID, .class = PCI_CLASS_NVME, .class_mask = 0xffffff }, { }
};
static struct pci_driver nvme_driver = { .name = "nvme", .id_table = nvme_ids, .probe = nvme_probe };

static int __init nvme_init(void)
{
	major = register_blkdev(0, "nvme");
	return major < 0 ? major : pci_register_driver(&nvme_driver);
}
device_initcall(nvme_init);
