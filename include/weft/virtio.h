/*
 * virtio.h: paravirtual devices: a device, its queues, its driver.
 *
 * Idea:    a virtqueue is a ring of descriptors in memory that both sides see: the driver offers chains of buffers, the
 *          device uses them and gives them back.  A transport (PCI, MMIO) finds devices, reads their configuration and rings
 *          their bell; drivers see none of that.
 * Locking: virtio_mutex: devices and drivers.  A virtqueue is guarded by its user (a block queue's hctx->lock).
 * See:     Virtual I/O Device (VIRTIO) Version 1.1; kernel/drivers/virtio
 */
#ifndef WEFT_VIRTIO_H
#define WEFT_VIRTIO_H

#include <weft/types.h>
#include <weft/list.h>

#define VIRTIO_ID_BLOCK		2
#define VIRTIO_ID_9P		9

#define VIRTIO_CONFIG_S_ACKNOWLEDGE	1
#define VIRTIO_CONFIG_S_DRIVER		2
#define VIRTIO_CONFIG_S_DRIVER_OK	4
#define VIRTIO_CONFIG_S_FEATURES_OK	8
#define VIRTIO_CONFIG_S_FAILED		0x80

#define VIRTIO_F_RING_EVENT_IDX	29
#define VIRTIO_F_VERSION_1	32

struct virtio_device;
struct virtqueue;

/* A piece of a chain. */
struct virtio_sg {
	phys_addr_t	addr;
	u32		len;
};

/* How a transport reaches the device.  May sleep, but notify(). */
struct virtio_config_ops {
	void	(*get)(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len);
	u8	(*get_status)(struct virtio_device *vdev);
	void	(*set_status)(struct virtio_device *vdev, u8 status);		/* 0: reset; returns when that is done */
	u64	(*get_features)(struct virtio_device *vdev);
	void	(*set_features)(struct virtio_device *vdev, u64 features);
	unsigned int (*queue_size)(struct virtio_device *vdev, unsigned int index);	/* most it can have; 0: not there */
	int	(*enable_queue)(struct virtqueue *vq);				/* tells the device its addresses */
	void	(*notify)(struct virtqueue *vq);				/* any context */
};

struct virtio_driver;

struct virtio_device {
	struct list_head	node;		/* [virtio_mutex] */
	u32			id;		/* [I] VIRTIO_ID_* */
	bool			legacy;		/* [I] from before 1.0: 32 feature bits, which it does not confirm */
	const char		*name;		/* [I] where it is: "0000:00:04.0" */
	const struct virtio_config_ops *config;	/* [I] */
	u64			features;	/* [I] agreed on */
	struct list_head	vqs;		/* [I] once probed */
	struct virtio_driver	*driver;	/* [virtio_mutex] */
	void			*priv;		/* the driver's */
};

struct virtio_driver {
	struct list_head	node;		/* [virtio_mutex] */
	const char		*name;
	u32			id;
	u64			features;	/* that it knows; VERSION_1 and EVENT_IDX are added */
	int	(*probe)(struct virtio_device *vdev);	/* finds queues, calls virtio_device_ready(), uses them */
};

int register_virtio_driver(struct virtio_driver *drv);
int register_virtio_device(struct virtio_device *vdev);
void virtio_device_ready(struct virtio_device *vdev);
/* From a transport's handler: some queue may have something.  Interrupt context. */
void virtio_interrupt(struct virtio_device *vdev);
void virtqueue_interrupt(struct virtqueue *vq);	/* this one has */

static inline bool virtio_has_feature(const struct virtio_device *vdev, unsigned int bit)
{
	return vdev->features >> bit & 1;
}
/* Little-endian fields of the device's configuration. */
#define virtio_cread(vdev, structure, member, ptr) \
	(vdev)->config->get(vdev, offsetof(structure, member), ptr, sizeof(*(ptr)))

/* ---- queues ---- */

/* A queue with callback(vq) at each interrupt.  ERR_PTR(-ENOENT, -ENOMEM).  May sleep. */
struct virtqueue *virtio_find_vq(struct virtio_device *vdev, unsigned int index, void (*callback)(struct virtqueue *vq),
				 void *priv);
void virtqueue_free(struct virtqueue *vq);		/* the device has been reset */
void *virtqueue_priv(const struct virtqueue *vq);
unsigned int virtqueue_size(const struct virtqueue *vq);
/*
 * Offers a chain: `out` pieces that the device reads, then `in` that it writes.  data comes back with it.
 * 0, or -ENOSPC when too few descriptors are free.
 */
int virtqueue_add(struct virtqueue *vq, const struct virtio_sg *sg, unsigned int out, unsigned int in, void *data);
void virtqueue_kick(struct virtqueue *vq);		/* tells the device, unless it looks by itself */
void *virtqueue_get_buf(struct virtqueue *vq, u32 *len);	/* one that came back, or NULL */
/* Interrupts off until enabled.  Enable says false when something has come meanwhile: look again. */
void virtqueue_disable_cb(struct virtqueue *vq);
bool virtqueue_enable_cb(struct virtqueue *vq);

/* ---- for transports ---- */
unsigned int virtqueue_index(const struct virtqueue *vq);
struct virtio_device *virtqueue_device(const struct virtqueue *vq);
#define VIRTIO_RING_ALIGN	64	/* of the used ring, behind the other two */
struct virtqueue_addr {
	phys_addr_t	desc, avail, used;
};
struct virtqueue_addr virtqueue_addresses(const struct virtqueue *vq);

#endif
