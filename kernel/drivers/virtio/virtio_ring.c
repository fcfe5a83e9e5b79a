/*
 * virtio_ring.c: the split virtqueue: a table of descriptors, a ring of what is offered, a ring of what was used.
 *
 * Idea:    free descriptors form a list through their next fields.  A chain's head is put into the avail ring, whose index
 *          only grows; the device puts heads into the used ring likewise.  With EVENT_IDX each side writes up to where it
 *          wants no bell.
 * Locking: the user's.  The rings are shared with the device: its index is read before what it counts, ours is written after.
 *
 *              driver                                  device
 *              descriptor, ring entry
 *              release: avail->idx
 *              full barrier                            used entry, used->idx, avail_event
 *              reads avail_event: ring the bell?       full barrier, reads avail->idx: more to do?
 *
 *          That barrier has to be one also for the thread of the host that plays the device.  QEMU's emulation (TCG) of a
 *          machine with one processor makes none, neither of a locked instruction nor of mfence: each side can miss the
 *          other, and a disk stood still after some 100,000 requests.  There, and only there, no bell is spared.
 * See:     VIRTIO 1.1 §2.6 "Split Virtqueues"
 */
#include <weft/kernel.h>
#include <weft/arch.h>
#include <weft/byteorder.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/virtio.h>
#include <asm/barrier.h>

#define MAX_QUEUE_SIZE		256
#define DESC_F_NEXT		1
#define DESC_F_WRITE		2
#define AVAIL_F_NO_INTERRUPT	1
#define USED_F_NO_NOTIFY	1

struct vring_desc {
	__le64	addr;
	__le32	len;
	__le16	flags, next;
};

struct vring_avail {
	__le16	flags, idx, ring[];		/* [num], then used_event */
};

struct vring_used_elem {
	__le32	id, len;
};

struct vring_used {
	__le16	flags, idx;
	struct vring_used_elem ring[];		/* [num], then avail_event */
};

struct virtqueue {
	struct list_head	node;		/* [I] in vdev->vqs */
	struct virtio_device	*vdev;		/* [I] */
	unsigned int		index, num;	/* [I] num: a power of two */
	bool			event;		/* [I] EVENT_IDX */
	bool			spare_bells;	/* [I] barriers hold, see above */
	struct vring_desc	*desc;
	struct vring_avail	*avail;
	struct vring_used	*used;
	u16			free_head, num_free;
	u16			avail_idx;	/* ours, as the device will see it */
	u16			kicked_idx;	/* up to here the device has been told */
	u16			last_used;	/* up to here we have taken back */
	void			(*callback)(struct virtqueue *vq);
	void			*priv;
	void			*data[];	/* [num] of the chain with that head */
};

static __le16 *used_event(const struct virtqueue *vq) { return &vq->avail->ring[vq->num]; }
static __le16 *avail_event(const struct virtqueue *vq) { return (__le16 *)&vq->used->ring[vq->num]; }

void *virtqueue_priv(const struct virtqueue *vq) { return vq->priv; }
unsigned int virtqueue_size(const struct virtqueue *vq) { return vq->num; }
unsigned int virtqueue_index(const struct virtqueue *vq) { return vq->index; }
struct virtio_device *virtqueue_device(const struct virtqueue *vq) { return vq->vdev; }

struct virtqueue_addr virtqueue_addresses(const struct virtqueue *vq)
{
	return (struct virtqueue_addr){ virt_to_phys(vq->desc), virt_to_phys(vq->avail), virt_to_phys(vq->used) };
}

/* ---- offering and taking back ---- */

int virtqueue_add(struct virtqueue *vq, const struct virtio_sg *sg, unsigned int out, unsigned int in, void *data)
{
	unsigned int total = out + in;
	u16 head = vq->free_head, i = head, last = head;

	if (vq->num_free < total)
		return -ENOSPC;
	for (unsigned int n = 0; n < total; n++) {
		struct vring_desc *d = &vq->desc[i];

		d->addr = cpu_to_le64(sg[n].addr);
		d->len = cpu_to_le32(sg[n].len);
		d->flags = cpu_to_le16(DESC_F_NEXT | (n >= out ? DESC_F_WRITE : 0));
		last = i;
		i = le16_to_cpu(d->next);
	}
	vq->desc[last].flags &= cpu_to_le16((u16)~DESC_F_NEXT);
	vq->free_head = i;
	vq->num_free -= total;
	vq->data[head] = data;
	vq->avail->ring[vq->avail_idx & (vq->num - 1)] = cpu_to_le16(head);
	smp_store_release(&vq->avail->idx, cpu_to_le16(++vq->avail_idx));
	return 0;
}

/* Did our index pass `event` on its way from old to new? */
static bool need_event(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

void virtqueue_kick(struct virtqueue *vq)
{
	u16 old = vq->kicked_idx;
	bool needed;

	smp_mb();			/* our index before the device's wish */
	vq->kicked_idx = vq->avail_idx;
	if (!vq->spare_bells)
		needed = true;
	else if (vq->event)
		needed = need_event(le16_to_cpu(READ_ONCE(*avail_event(vq))), vq->avail_idx, old);
	else
		needed = !(le16_to_cpu(READ_ONCE(vq->used->flags)) & USED_F_NO_NOTIFY);
	if (needed)
		vq->vdev->config->notify(vq);
}

/* The chain joins the free list at its head. */
static void free_chain(struct virtqueue *vq, u16 head)
{
	u16 i = head, count = 1;

	while (le16_to_cpu(vq->desc[i].flags) & DESC_F_NEXT && count < vq->num) {
		i = le16_to_cpu(vq->desc[i].next);
		count++;
	}
	vq->desc[i].next = cpu_to_le16(vq->free_head);
	vq->free_head = head;
	vq->num_free += count;
}

void *virtqueue_get_buf(struct virtqueue *vq, u32 *len)
{
	const struct vring_used_elem *e;
	void *data;
	u32 head;

	if (le16_to_cpu(smp_load_acquire(&vq->used->idx)) == vq->last_used)
		return NULL;
	e = &vq->used->ring[vq->last_used++ & (vq->num - 1)];
	head = le32_to_cpu(e->id);
	if (WARN_ON_ONCE(head >= vq->num || !vq->data[head]))
		return NULL;		/* the device is not to be believed */
	*len = le32_to_cpu(e->len);
	data = vq->data[head];
	vq->data[head] = NULL;
	free_chain(vq, (u16)head);
	return data;
}

void virtqueue_disable_cb(struct virtqueue *vq)
{
	if (!vq->spare_bells)
		return;
	if (!vq->event)
		WRITE_ONCE(vq->avail->flags, cpu_to_le16(AVAIL_F_NO_INTERRUPT));
	else			/* an index the device has behind it: it will not pass there for long */
		WRITE_ONCE(*used_event(vq), cpu_to_le16((u16)(vq->last_used - 1)));
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	if (!vq->event)
		WRITE_ONCE(vq->avail->flags, 0);
	else
		WRITE_ONCE(*used_event(vq), cpu_to_le16(vq->last_used));
	smp_mb();			/* our wish before the device's index */
	return le16_to_cpu(READ_ONCE(vq->used->idx)) == vq->last_used;
}

void virtqueue_interrupt(struct virtqueue *vq)
{
	if (vq->callback)
		vq->callback(vq);
}

void virtio_interrupt(struct virtio_device *vdev)
{
	struct virtqueue *vq;

	list_for_each_entry(vq, &vdev->vqs, node)
		virtqueue_interrupt(vq);
}

/* ---- birth ---- */

/* Table, avail ring and used ring in one piece, as legacy devices want it. */
static size_t ring_bytes(unsigned int num, size_t *avail, size_t *used)
{
	*avail = num * sizeof(struct vring_desc);
	*used = ALIGN(*avail + sizeof(struct vring_avail) + (num + 1) * sizeof(__le16), VIRTIO_RING_ALIGN);
	return *used + sizeof(struct vring_used) + num * sizeof(struct vring_used_elem) + sizeof(__le16);
}

static struct virtqueue *alloc_vq(unsigned int num)
{
	struct virtqueue *vq = kzalloc(sizeof(*vq) + num * sizeof(void *), GFP_KERNEL);
	size_t avail, used, size = ring_bytes(num, &avail, &used);
	void *ring;

	if (!vq)
		return NULL;
	/* Whole pages: a legacy device is told the number of the first. */
	ring = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, get_order(size));
	if (!ring) {
		kfree(vq);
		return NULL;
	}
	vq->num = num;
	vq->desc = ring;
	vq->avail = ring + avail;
	vq->used = ring + used;
	vq->num_free = num;
	for (unsigned int i = 0; i < num; i++)
		vq->desc[i].next = cpu_to_le16((u16)(i + 1));
	return vq;
}

void virtqueue_free(struct virtqueue *vq)
{
	size_t avail, used;

	list_del(&vq->node);
	free_pages((unsigned long)vq->desc, get_order(ring_bytes(vq->num, &avail, &used)));
	kfree(vq);
}

struct virtqueue *virtio_find_vq(struct virtio_device *vdev, unsigned int index, void (*callback)(struct virtqueue *vq),
				 void *priv)
{
	unsigned int num = min(vdev->config->queue_size(vdev, index), (unsigned int)MAX_QUEUE_SIZE);
	struct virtqueue *vq;
	int err;

	if (!num || num & (num - 1))
		return ERR_PTR(-ENOENT);
	vq = alloc_vq(num);
	if (!vq)
		return ERR_PTR(-ENOMEM);
	vq->vdev = vdev;
	vq->index = index;
	vq->event = virtio_has_feature(vdev, VIRTIO_F_RING_EVENT_IDX);
	vq->spare_bells = arch_barriers_reach_devices();
	vq->callback = callback;
	vq->priv = priv;
	list_add_tail(&vq->node, &vdev->vqs);
	err = vdev->config->enable_queue(vq);
	if (!err)
		return vq;
	virtqueue_free(vq);
	return ERR_PTR(err);
}
