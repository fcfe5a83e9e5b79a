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
#include <asm/page.h>

static DEFINE_MUTEX(device_mutex);
static LIST_HEAD(devices);

const struct class tty_class = { .name = "tty" }, mem_class = { .name = "mem" }, misc_class = { .name = "misc" },
		   graphics_class = { .name = "graphics" }, rtc_class = { .name = "rtc" };

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
	if (dev->class->uevent)
		n += dev->class->uevent(dev, buf + n, PAGE_SIZE - n);
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

/* "input/event0" is one name in /sys: input!event0. */
static void sysfs_name(const struct device *dev, char *name, size_t size)
{
	strscpy(name, dev->name, size);
	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '!';
}

/* The link "subsystem" leads from the device's folder up to /sys and down to its class. */
static int link_subsystem(struct dentry *dir, const struct device *dev)
{
	char target[96] = "../../";

	for (const char *p = dev->folder; *p; p++)
		if (*p == '/')
			strlcat(target, "../", sizeof(target));
	strlcat(target, "class/", sizeof(target));
	strlcat(target, dev->class->name, sizeof(target));
	return sysfs_create_link(dir, "subsystem", target);
}

/* The folders that hold links to it: by class and by number. */
static struct dentry *class_links(const struct device *dev)
{
	char path[64];

	snprintf(path, sizeof(path), "class/%s", dev->class->name);
	return sysfs_mkdir(NULL, path);
}

static struct dentry *number_links(const struct device *dev, char *name, size_t size)
{
	snprintf(name, size, "%u:%u", MAJOR(dev->devt), MINOR(dev->devt));
	return sysfs_mkdir(NULL, S_ISBLK(dev->mode) ? "dev/block" : "dev/char");
}

static int show_in_sysfs(struct device *dev)
{
	char name[32], number[32], path[96], target[112];
	struct dentry *dir, *links;
	int err;

	sysfs_name(dev, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/%s", dev->folder, name);
	dir = sysfs_mkdir(NULL, path);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	dev->sysfs_priv = dir;
	err = sysfs_create_files(dir, device_attrs, dev);
	if (!err)
		err = link_subsystem(dir, dev);
	if (err)
		return err;
	snprintf(target, sizeof(target), "../../%s", path);
	links = class_links(dev);
	err = IS_ERR(links) ? (int)PTR_ERR(links) : sysfs_create_link(links, name, target);
	if (err)
		return err;
	links = number_links(dev, number, sizeof(number));
	return IS_ERR(links) ? (int)PTR_ERR(links) : sysfs_create_link(links, number, target);
}

static void hide_from_sysfs(struct device *dev)
{
	struct dentry *links = class_links(dev), *parent = sysfs_mkdir(NULL, dev->folder);
	char name[32], number[32];

	sysfs_name(dev, name, sizeof(name));
	if (!IS_ERR(links))
		sysfs_remove(links, name);
	links = number_links(dev, number, sizeof(number));
	if (!IS_ERR(links))
		sysfs_remove(links, number);
	dev->sysfs_priv = NULL;
	if (!IS_ERR(parent))
		sysfs_remove(parent, name);
}

/* ---- the list ---- */

void device_add(struct device *dev)
{
	int err;

	mutex_lock(&device_mutex);
	list_add_tail(&dev->node, &devices);
	mutex_unlock(&device_mutex);
	/* A device without a node or folder still works for who can name it. */
	err = devtmpfs_create_node(dev->name, dev->mode, dev->devt);
	if (err)
		printk(KERN_WARNING "device %s: no node in /dev (error %d)\n", dev->name, err);
	err = show_in_sysfs(dev);
	if (err)
		printk(KERN_WARNING "device %s: not in /sys (error %d)\n", dev->name, err);
}

void device_del(struct device *dev)
{
	mutex_lock(&device_mutex);
	list_del_init(&dev->node);
	mutex_unlock(&device_mutex);
	devtmpfs_delete_node(dev->name);
	hide_from_sysfs(dev);
}

struct device *device_create_in(const char *folder, const struct class *class, dev_t devt, const char *name, umode_t mode)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->class = class;
	dev->devt = devt;
	dev->mode = mode & S_IFMT ? mode : S_IFCHR | mode;
	if (!(dev->mode & 0777))
		dev->mode |= 0600;
	dev->name = kstrdup(name, GFP_KERNEL);
	dev->folder = kstrdup(folder, GFP_KERNEL);
	if (!dev->name || !dev->folder) {
		kfree(dev->name);
		kfree(dev->folder);
		kfree(dev);
		return ERR_PTR(-ENOMEM);
	}
	device_add(dev);
	return dev;
}

struct device *device_create(const struct class *class, dev_t devt, const char *name, umode_t mode)
{
	char folder[48];

	snprintf(folder, sizeof(folder), "devices/virtual/%s", class->name);
	return device_create_in(folder, class, devt, name, mode);
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
