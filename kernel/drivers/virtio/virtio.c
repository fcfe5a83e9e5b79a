/*
 * virtio.c: bringing a device and its driver together.
 *
 * Idea:    both register, in any order.  The steps are those of the specification: reset, acknowledge, agree on features,
 *          have the device confirm, probe.  A driver that fails leaves the device marked FAILED.
 * Locking: virtio_mutex over both lists.
 * See:     include/weft/virtio.h; VIRTIO 1.1 §3.1.1 "Driver Requirements: Device Initialization"
 */
#include <weft/kernel.h>
#include <weft/arch.h>
#include <weft/mutex.h>
#include <weft/virtio.h>

static DEFINE_MUTEX(virtio_mutex);
static LIST_HEAD(devices);		/* [virtio_mutex] */
static LIST_HEAD(drivers);		/* [virtio_mutex] */

static void add_status(struct virtio_device *vdev, u8 bits)
{
	vdev->config->set_status(vdev, vdev->config->get_status(vdev) | bits);
}

void virtio_device_ready(struct virtio_device *vdev)
{
	add_status(vdev, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* A legacy device's fields have the processor's byte order, which here is the same as the modern ones'. */
static int negotiate(struct virtio_device *vdev, const struct virtio_driver *drv)
{
	u64 offered = vdev->config->get_features(vdev);

	if (!vdev->legacy && !(offered >> VIRTIO_F_VERSION_1 & 1))
		return -ENODEV;
	vdev->features = offered & (drv->features | 1ull << VIRTIO_F_VERSION_1);
	if (arch_barriers_reach_devices())	/* virtio_ring.c says why */
		vdev->features |= offered & 1ull << VIRTIO_F_RING_EVENT_IDX;
	vdev->config->set_features(vdev, vdev->features);
	if (vdev->legacy)
		return 0;
	add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	return vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -ENODEV;
}

static void try_bind(struct virtio_device *vdev, struct virtio_driver *drv)
{
	int err;

	lockdep_assert_held(&virtio_mutex);
	if (vdev->driver || vdev->id != drv->id)
		return;
	vdev->config->set_status(vdev, 0);
	add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	vdev->driver = drv;
	err = negotiate(vdev, drv);
	if (!err)
		err = drv->probe(vdev);
	if (!err)
		return;
	vdev->driver = NULL;
	add_status(vdev, VIRTIO_CONFIG_S_FAILED);
	pr_warn("virtio %s: %s: error %d\n", vdev->name, drv->name, err);
}

int register_virtio_driver(struct virtio_driver *drv)
{
	struct virtio_device *vdev;

	mutex_lock(&virtio_mutex);
	list_add_tail(&drv->node, &drivers);
	list_for_each_entry(vdev, &devices, node)
		try_bind(vdev, drv);
	mutex_unlock(&virtio_mutex);
	return 0;
}

int register_virtio_device(struct virtio_device *vdev)
{
	struct virtio_driver *drv;

	INIT_LIST_HEAD(&vdev->vqs);
	mutex_lock(&virtio_mutex);
	list_add_tail(&vdev->node, &devices);
	list_for_each_entry(drv, &drivers, node)
		try_bind(vdev, drv);
	mutex_unlock(&virtio_mutex);
	return 0;
}
