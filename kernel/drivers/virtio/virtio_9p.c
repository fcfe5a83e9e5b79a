/*
 * virtio_9p.c: carries 9p messages to the host: a folder that QEMU shares (-virtfs).
 *
 * Idea:    one queue; a request is a chain of two pieces, the message and room for the answer.
 * Locking: ch->lock over the queue, also in the interrupt.
 * See:     include/weft/9p.h; the device has no chapter in VIRTIO 1.1: QEMU's hw/9pfs is its description
 */
#include <weft/9p.h>
#include <weft/byteorder.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/spinlock.h>
#include <weft/virtio.h>

#define F_MOUNT_TAG	0

struct virtio_9p_config {
	__le16	tag_len;
	char	tag[];				/* without a zero */
} __packed;

struct virtio_9p {
	struct p9_channel	ch;
	struct virtqueue	*vq;
	spinlock_t		lock;		/* vq */
};

static int v9p_send(struct p9_channel *ch, struct p9_request *rq)
{
	struct virtio_9p *v = container_of(ch, struct virtio_9p, ch);
	struct virtio_sg sg[] = { { virt_to_phys(rq->out), rq->out_len }, { virt_to_phys(rq->in), rq->in_size } };
	unsigned long flags;
	int err;

	spin_lock_irqsave(&v->lock, flags);
	err = virtqueue_add(v->vq, sg, 1, 1, rq);
	if (!err)
		virtqueue_kick(v->vq);
	spin_unlock_irqrestore(&v->lock, flags);
	return err;
}

static void v9p_done(struct virtqueue *vq)
{
	struct virtio_9p *v = virtqueue_priv(vq);
	struct p9_request *rq;
	unsigned long flags;
	u32 len;

	spin_lock_irqsave(&v->lock, flags);
	do {
		virtqueue_disable_cb(vq);
		while ((rq = virtqueue_get_buf(vq, &len)))
			complete(&rq->done);
	} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&v->lock, flags);
}

static int v9p_probe(struct virtio_device *vdev)
{
	struct virtio_9p *v = kzalloc(sizeof(*v), GFP_KERNEL);
	__le16 len;
	int err;

	if (!v)
		return -ENOMEM;
	spin_lock_init(&v->lock);
	v->ch.send = v9p_send;
	virtio_cread(vdev, struct virtio_9p_config, tag_len, &len);
	vdev->config->get(vdev, offsetof(struct virtio_9p_config, tag), v->ch.tag,
			  min(le16_to_cpu(len), (u16)(P9_TAG_MAX - 1)));
	v->vq = virtio_find_vq(vdev, 0, v9p_done, v);
	if (IS_ERR(v->vq)) {
		err = PTR_ERR(v->vq);
		kfree(v);
		return err;
	}
	vdev->priv = v;
	virtio_device_ready(vdev);
	p9_register_channel(&v->ch);
	return 0;
}

static struct virtio_driver v9p_driver = {
	.name = "virtio-9p", .id = VIRTIO_ID_9P, .probe = v9p_probe, .features = 1ull << F_MOUNT_TAG,
};

static int __init v9p_init(void)
{
	return register_virtio_driver(&v9p_driver);
}
device_initcall(v9p_init);
