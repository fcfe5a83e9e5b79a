/*
 * virtio_blk.c: the paravirtual disk: /dev/vda, /dev/vdb, ...
 *
 * Idea:    a request is a chain: a header that the device reads, the data, a status byte that it writes.  One virtqueue for
 *          each hardware context, as many as the device offers, at most one for each CPU.
 * Locking: hctx->lock over its virtqueue, in queue_rq and in the interrupt.
 * See:     VIRTIO 1.1 §5.2 "Block Device"; include/weft/blkdev.h
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/byteorder.h>
#include <weft/cpumask.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/virtio.h>

enum { F_SIZE_MAX = 1, F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_MQ = 12, F_DISCARD = 13 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_DISCARD = 11 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };

#define MAX_VQS		16
#define MAX_SEGS	(BIO_MAX_VECS - 1)	/* with header and status it fits a queue of 128 */

struct virtio_blk_config {
	__le64	capacity;			/* sectors of 512 bytes */
	__le32	size_max, seg_max;
	__le16	cylinders;
	u8	heads, sectors;
	__le32	blk_size;
	u8	physical_block_exp, alignment_offset;
	__le16	min_io_size;
	__le32	opt_io_size;
	u8	writeback, unused;
	__le16	num_queues;
	__le32	max_discard_sectors, max_discard_seg, discard_sector_alignment;
} __packed;

/* What lies behind each request: read and written by the device. */
struct vblk_cmd {
	__le32	type, reserved;
	__le64	sector;
	struct {
		__le64	sector;
		__le32	num_sectors, flags;
	} discard;
	u8	status;
};

struct vblk_queue {
	struct virtqueue	*vq;
	struct virtio_sg	sg[MAX_SEGS + 2];	/* [hctx lock] the chain being built */
};

struct virtio_blk {
	struct virtio_device	*vdev;
	struct gendisk		disk;
	unsigned int		nr_vqs;
	struct vblk_queue	*queues;
};

static int major;
static int nr_disks;				/* [virtio_mutex] */

/* ---- requests ---- */

static u32 command_type(enum req_op op)
{
	static const u8 type[] = {
		[REQ_OP_READ] = T_IN, [REQ_OP_WRITE] = T_OUT, [REQ_OP_FLUSH] = T_FLUSH, [REQ_OP_DISCARD] = T_DISCARD,
	};

	return type[op];
}

static unsigned int add_data(struct virtio_sg *sg, struct request *rq)
{
	struct vblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	unsigned int n = 0;

	if (rq->op == REQ_OP_DISCARD) {
		cmd->discard.sector = cpu_to_le64(rq->sector);
		cmd->discard.num_sectors = cpu_to_le32(rq->data_len >> SECTOR_SHIFT);
		cmd->discard.flags = 0;
		sg[n++] = (struct virtio_sg){ virt_to_phys(&cmd->discard), sizeof(cmd->discard) };
		return n;
	}
	for (struct bio *bio = rq->bio; bio; bio = bio->bi_next)
		bio_for_each_bvec(bv, bio)
			sg[n++] = (struct virtio_sg){ page_to_phys(bv->bv_page) + bv->bv_offset, bv->bv_len };
	return n;
}

static int vblk_queue_rq(struct blk_mq_hw_ctx *hctx, struct request *rq)
{
	struct vblk_queue *q = hctx->driver_data;
	struct vblk_cmd *cmd = blk_mq_rq_to_pdu(rq);
	unsigned int out = 1, in = 1, data;

	cmd->type = cpu_to_le32(command_type(rq->op));
	cmd->reserved = 0;
	cmd->sector = cpu_to_le64(rq->op == REQ_OP_READ || rq->op == REQ_OP_WRITE ? rq->sector : 0);
	cmd->status = 0xff;
	q->sg[0] = (struct virtio_sg){ virt_to_phys(cmd), offsetof(struct vblk_cmd, discard) };
	data = add_data(&q->sg[1], rq);
	if (rq->op == REQ_OP_READ)
		in += data;
	else
		out += data;
	q->sg[out + in - 1] = (struct virtio_sg){ virt_to_phys(&cmd->status), 1 };
	return virtqueue_add(q->vq, q->sg, out, in, rq) ? -EBUSY : 0;
}

static void vblk_commit(struct blk_mq_hw_ctx *hctx)
{
	virtqueue_kick(((struct vblk_queue *)hctx->driver_data)->vq);
}

static const struct blk_mq_ops vblk_ops = { .queue_rq = vblk_queue_rq, .commit_rqs = vblk_commit };

static int status_to_errno(u8 status)
{
	return status == S_OK ? 0 : status == S_UNSUPP ? -EOPNOTSUPP : -EIO;
}

/* Interrupt: takes back what is done.  Between the last look and "interrupts on" more may come: then once more. */
static void vblk_done(struct virtqueue *vq)
{
	struct blk_mq_hw_ctx *hctx = virtqueue_priv(vq);
	LIST_HEAD(done);
	unsigned long flags;
	struct request *rq;
	u32 len;

	spin_lock_irqsave(&hctx->lock, flags);
	do {
		virtqueue_disable_cb(vq);
		while ((rq = virtqueue_get_buf(vq, &len))) {
			rq->status = status_to_errno(((struct vblk_cmd *)blk_mq_rq_to_pdu(rq))->status);
			list_add_tail(&rq->queuelist, &done);
		}
	} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&hctx->lock, flags);
	if (!list_empty(&done))
		blk_mq_end_requests(hctx, &done);
}

/* ---- birth ---- */

static void read_limits(struct virtio_blk *vb)
{
	struct virtio_device *vdev = vb->vdev;
	struct queue_limits *lim = &vb->disk.queue->limits;
	__le32 v;
	u8 exp;

	lim->max_segments = MAX_SEGS;
	if (virtio_has_feature(vdev, F_SEG_MAX)) {
		virtio_cread(vdev, struct virtio_blk_config, seg_max, &v);
		lim->max_segments = (unsigned short)clamp(le32_to_cpu(v), 1u, (u32)MAX_SEGS);
	}
	if (virtio_has_feature(vdev, F_SIZE_MAX)) {
		virtio_cread(vdev, struct virtio_blk_config, size_max, &v);
		lim->max_segment_size = max(le32_to_cpu(v), (u32)PAGE_SIZE);
	}
	if (virtio_has_feature(vdev, F_BLK_SIZE)) {
		virtio_cread(vdev, struct virtio_blk_config, blk_size, &v);
		if (le32_to_cpu(v) >= SECTOR_SIZE && le32_to_cpu(v) <= PAGE_SIZE && !(le32_to_cpu(v) & (le32_to_cpu(v) - 1)))
			lim->logical_block_size = le32_to_cpu(v);
	}
	lim->physical_block_size = lim->logical_block_size;
	if (virtio_has_feature(vdev, F_TOPOLOGY)) {
		virtio_cread(vdev, struct virtio_blk_config, physical_block_exp, &exp);
		lim->physical_block_size <<= min(exp, (u8)8);
	}
	if (virtio_has_feature(vdev, F_DISCARD)) {
		virtio_cread(vdev, struct virtio_blk_config, max_discard_sectors, &v);
		lim->max_discard_sectors = le32_to_cpu(v);
	}
	lim->write_cache = virtio_has_feature(vdev, F_FLUSH);
}

static unsigned int queue_count(struct virtio_device *vdev)
{
	__le16 offered = cpu_to_le16(1);

	if (virtio_has_feature(vdev, F_MQ))
		virtio_cread(vdev, struct virtio_blk_config, num_queues, &offered);
	return clamp((unsigned int)le16_to_cpu(offered), 1u, min(num_possible_cpus(), (unsigned int)MAX_VQS));
}

static int init_queues(struct virtio_blk *vb)
{
	struct request_queue *q = vb->disk.queue;

	for (unsigned int i = 0; i < vb->nr_vqs; i++) {
		struct virtqueue *vq = virtio_find_vq(vb->vdev, i, vblk_done, &q->hctx[i]);

		if (IS_ERR(vq))
			return PTR_ERR(vq);
		if (virtqueue_size(vq) < MAX_SEGS + 2u)
			q->limits.max_segments = min(q->limits.max_segments, (unsigned short)(virtqueue_size(vq) - 2));
		vb->queues[i].vq = vq;
		q->hctx[i].driver_data = &vb->queues[i];
	}
	return 0;
}

/* vda ... vdz, vdaa ... */
static void disk_name(char *buf, size_t size, int nr)
{
	if (nr < 26)
		snprintf(buf, size, "vd%c", 'a' + nr);
	else
		snprintf(buf, size, "vd%c%c", 'a' + nr / 26 - 1, 'a' + nr % 26);
}

static int vblk_probe(struct virtio_device *vdev)
{
	struct virtio_blk *vb = kzalloc(sizeof(*vb), GFP_KERNEL);
	struct gendisk *disk;
	__le64 capacity;
	int err;

	if (!vb)
		return -ENOMEM;
	disk = &vb->disk;
	vb->vdev = vdev;
	vdev->priv = vb;
	vb->nr_vqs = queue_count(vdev);
	vb->queues = kcalloc(vb->nr_vqs, sizeof(*vb->queues), GFP_KERNEL);
	disk->queue = blk_mq_init_queue(&vblk_ops, vb->nr_vqs, 128, sizeof(struct vblk_cmd), vb);
	if (!vb->queues || IS_ERR(disk->queue))
		return -ENOMEM;		/* at start-up, once: the machine has no memory for its disk */
	read_limits(vb);
	err = init_queues(vb);
	if (err)
		return err;
	virtio_device_ready(vdev);
	virtio_cread(vdev, struct virtio_blk_config, capacity, &capacity);
	disk->capacity = le64_to_cpu(capacity);
	disk->read_only = virtio_has_feature(vdev, F_RO);
	disk->major = major;
	disk->first_minor = nr_disks * DISK_MAX_PARTS;
	disk_name(disk->disk_name, sizeof(disk->disk_name), nr_disks++);
	return add_disk(disk);
}

static struct virtio_driver vblk_driver = {
	.name = "virtio-blk", .id = VIRTIO_ID_BLOCK, .probe = vblk_probe,
	.features = 1ull << F_SIZE_MAX | 1ull << F_SEG_MAX | 1ull << F_RO | 1ull << F_BLK_SIZE | 1ull << F_FLUSH |
		    1ull << F_TOPOLOGY | 1ull << F_MQ | 1ull << F_DISCARD,
};

static int __init vblk_init(void)
{
	major = register_blkdev(0, "virtblk");
	return major < 0 ? major : register_virtio_driver(&vblk_driver);
}
device_initcall(vblk_init);
