/*
 * core.c: the list of devices, and how /dev and /sys learn of them.
 *
 * What:    device_create() records a device, makes its node in /dev and its folder below /sys/devices/virtual, with the
 *          links /sys/class/CLASS/NAME and /sys/dev/char/MAJOR:MINOR that udev, mdev and libraries look for.
 * Locking: device_mutex over the list.  Making nodes and folders happens outside it.
 * See:     include/weft/device.h; spec.md §10
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/mutex.h>
#include <weft/stat.h>
#include <weft/printk.h>
#include <weft/device.h>
#include <weft/sysfs.h>

static DEFINE_MUTEX(device_mutex);
static LIST_HEAD(devices);

const struct class tty_class = { "tty" }, mem_class = { "mem" }, misc_class = { "misc" }, graphics_class = { "graphics" },
		   rtc_class = { "rtc" };

/* ---- /sys ---- */

static ssize_t dev_show(void *data, char *buf)
{
	const struct device *dev = data;

	return sysfs_emit(buf, "%u:%u\n", MAJOR(dev->devt), MINOR(dev->devt));
}

static ssize_t uevent_show(void *data, char *buf)
{
	const struct device *dev = data;
	int n = sysfs_emit(buf, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", MAJOR(dev->devt), MINOR(dev->devt), dev->name);

	if ((dev->mode & 0777) != 0600)
		n += sysfs_emit(buf + n, "DEVMODE=%#o\n", dev->mode & 0777);
	return n;
}

/* Writing here asks for the event again; nobody listens for events yet. */
static ssize_t uevent_store(void *data, const char *buf, size_t n)
{
	return n;
}

static const struct sysfs_attr device_attrs[] = {
	{ .name = "dev", .show = dev_show },
	{ .name = "uevent", .mode = 0644, .show = uevent_show, .store = uevent_store },
	{ }
};

static int show_in_sysfs(struct device *dev)
{
	const char *class = dev->class->name;
	char name[32], path[96], target[112];
	struct dentry *dir, *links;
	int err;

	strscpy(name, dev->name, sizeof(name));
	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '!';
	snprintf(path, sizeof(path), "devices/virtual/%s/%s", class, name);
	dir = sysfs_mkdir(NULL, path);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	dev->sysfs_priv = dir;
	err = sysfs_create_files(dir, device_attrs, dev);
	if (err)
		return err;
	snprintf(target, sizeof(target), "../../../../class/%s", class);
	sysfs_create_link(dir, "subsystem", target);
	snprintf(path, sizeof(path), "class/%s", class);
	links = sysfs_mkdir(NULL, path);
	if (IS_ERR(links))
		return PTR_ERR(links);
	snprintf(target, sizeof(target), "../../devices/virtual/%s/%s", class, name);
	err = sysfs_create_link(links, name, target);
	links = sysfs_mkdir(NULL, S_ISBLK(dev->mode) ? "dev/block" : "dev/char");
	if (IS_ERR(links))
		return PTR_ERR(links);
	snprintf(path, sizeof(path), "%u:%u", MAJOR(dev->devt), MINOR(dev->devt));
	return err ? err : sysfs_create_link(links, path, target);
}

/* ---- the list ---- */

struct device *device_create(const struct class *class, dev_t devt, const char *name, umode_t mode)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->class = class;
	dev->devt = devt;
	dev->mode = mode & S_IFMT ? mode : S_IFCHR | mode;
	if (!(dev->mode & 0777))
		dev->mode |= 0600;
	dev->name = kstrdup(name, GFP_KERNEL);
	if (!dev->name) {
		kfree(dev);
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&device_mutex);
	list_add_tail(&dev->node, &devices);
	mutex_unlock(&device_mutex);
	/* A device without a node or folder still works for who can name it. */
	err = devtmpfs_create_node(dev->name, dev->mode, devt);
	if (err)
		printk(KERN_WARNING "device %s: no node in /dev (error %d)\n", name, err);
	err = show_in_sysfs(dev);
	if (err)
		printk(KERN_WARNING "device %s: not in /sys (error %d)\n", name, err);
	return dev;
}

int device_for_each(int (*fn)(struct device *dev, void *data), void *data)
{
	struct device *dev;
	int ret = 0;

	mutex_lock(&device_mutex);
	list_for_each_entry(dev, &devices, node) {
		ret = fn(dev, data);
		if (ret)
			break;
	}
	mutex_unlock(&device_mutex);
	return ret;
}
