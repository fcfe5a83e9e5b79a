/*
 * device.h: the list of devices that user space may see.
 *
 * What:    a driver calls device_create() for each device node; the list feeds /dev (devtmpfs) and /sys (class/, dev/).
 * Idea:    a device that was made is never freed; one that has gone (a partition) is only hidden, so readers need no count.
 * Locking: device_mutex for adding; readers walk under it too (device_for_each).
 * See:     kernel/drivers/base/core.c; kernel/fs/devtmpfs; kernel/fs/sysfs
 */
#ifndef WEFT_DEVICE_H
#define WEFT_DEVICE_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/kdev_t.h>

struct device;

struct class {
	const char	*name;		/* "tty", "mem", "misc", "graphics", "input", "block" */
	int		(*uevent)(const struct device *dev, char *buf, size_t size);	/* more lines for `uevent`, or NULL */
};

struct device {
	struct list_head	node;	/* [device_mutex] in the order they were made */
	const struct class	*class;	/* [I] */
	dev_t			devt;	/* [I] */
	umode_t			mode;	/* [I] S_IFCHR or S_IFBLK and the rights */
	const char		*name;	/* [I] of the node, may hold a slash: "input/event0" */
	const char		*folder;	/* [I] below /sys: where its own folder lies */
	void			*sysfs_priv;	/* sysfs's own */
};

extern const struct class tty_class, mem_class, misc_class, graphics_class, rtc_class;

/*
 * Records a device and makes its node.  mode 0 rights mean 0600; without a type it is a character device.  name is
 * copied.  Returns it or ERR_PTR(-ENOMEM).  May sleep; from device_initcall on, or earlier: devtmpfs catches up.
 */
struct device *device_create(const struct class *class, dev_t devt, const char *name, umode_t mode);
/* The same below another folder of /sys than devices/virtual/CLASS. */
struct device *device_create_in(const char *folder, const struct class *class, dev_t devt, const char *name, umode_t mode);
void device_del(struct device *dev);	/* takes its node and its folder away */
void device_add(struct device *dev);	/* brings them back */
/* Calls fn for each device, in order, until it returns non-zero, which is returned.  May sleep. */
int device_for_each(int (*fn)(struct device *dev, void *data), void *data);

/*
 * kernel/fs/devtmpfs: makes (or, when the file system is not there yet, will be called again by devtmpfs_init() through
 * device_for_each()) the node /dev/NAME.  0 also when devtmpfs has not started.
 */
int devtmpfs_create_node(const char *name, umode_t mode, dev_t devt);
void devtmpfs_delete_node(const char *name);	/* of the root folder */
/* Mounts it on /dev when the root file system has such a folder.  0 or -errno. */
int devtmpfs_mount(void);

#endif
