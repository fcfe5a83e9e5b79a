/*
 * char_dev.c: character devices: number -> functions.
 *
 * Idea:    a hash of ranges by major number.  Opening the special file finds the cdev once, remembers it in the inode, puts
 *          the driver's functions into the file and opens again with those.
 * Locking: chrdevs_lock (mutex) over both tables for registering; readers of the cdev lists take cdev_lock.  A cdev that
 *          was added stays (there are no modules), so nothing is counted.
 * See:     include/weft/cdev.h; /proc/devices
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/blkdev.h>
#include <weft/fs.h>
#include <weft/cdev.h>
#include <weft/pipe_fs_i.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/mutex.h>
#include <weft/seq_file.h>
#include "internal.h"

#define CHRDEV_HASH		64
#define DYNAMIC_MAJOR_FIRST	254	/* majors for who asks for any: downwards */
#define DYNAMIC_MAJOR_LAST	234

/* A range of numbers that somebody has for himself: what /proc/devices shows. */
struct char_device_struct {
	struct char_device_struct *next;	/* [chrdevs_lock] by major, then minor */
	unsigned int	major;
	unsigned int	baseminor;
	unsigned int	count;
	char		name[64];
};

static struct char_device_struct *chrdevs[CHRDEV_HASH];	/* [chrdevs_lock] */
static DEFINE_MUTEX(chrdevs_lock);
static struct list_head cdevs[CHRDEV_HASH];		/* [cdev_lock] */
static DEFINE_SPINLOCK(cdev_lock);

/* ---- ranges ---- */

static bool major_in_use(unsigned int major)
{
	struct char_device_struct *cd;

	for (cd = chrdevs[major % CHRDEV_HASH]; cd; cd = cd->next) {
		if (cd->major == major)
			return true;
	}
	return false;
}

static int find_dynamic_major(void)
{
	for (int major = DYNAMIC_MAJOR_FIRST; major >= DYNAMIC_MAJOR_LAST; major--) {
		if (!major_in_use(major))
			return major;
	}
	for (int major = CHRDEV_MAJOR_MAX - 1; major >= 384; major--) {
		if (!major_in_use(major))
			return major;
	}
	return -EBUSY;
}

/* major 0: any that is free.  The entry's major, -EBUSY, -EINVAL, -ENOMEM. */
static int register_range(unsigned int major, unsigned int baseminor, unsigned int count, const char *name)
{
	struct char_device_struct *cd, **p;
	int err;

	if (major >= CHRDEV_MAJOR_MAX || count > MINORMASK + 1 - baseminor)
		return -EINVAL;
	cd = kzalloc(sizeof(*cd), GFP_KERNEL);
	if (!cd)
		return -ENOMEM;
	mutex_lock(&chrdevs_lock);
	if (!major) {
		err = find_dynamic_major();
		if (err < 0)
			goto fail;
		major = err;
	}
	for (p = &chrdevs[major % CHRDEV_HASH]; *p; p = &(*p)->next) {
		struct char_device_struct *c = *p;

		if (c->major < major || (c->major == major && c->baseminor + c->count <= baseminor))
			continue;
		err = -EBUSY;
		if (c->major == major && c->baseminor < baseminor + count)
			goto fail;
		break;
	}
	cd->major = major;
	cd->baseminor = baseminor;
	cd->count = count;
	strscpy(cd->name, name, sizeof(cd->name));
	cd->next = *p;
	*p = cd;
	mutex_unlock(&chrdevs_lock);
	return major;

fail:
	mutex_unlock(&chrdevs_lock);
	kfree(cd);
	return err;
}

int register_chrdev_region(dev_t from, unsigned int count, const char *name)
{
	int res = register_range(MAJOR(from), MINOR(from), count, name);

	return res < 0 ? res : 0;
}

int alloc_chrdev_region(dev_t *dev, unsigned int baseminor, unsigned int count, const char *name)
{
	int res = register_range(0, baseminor, count, name);

	if (res < 0)
		return res;
	*dev = MKDEV(res, baseminor);
	return 0;
}

void unregister_chrdev_region(dev_t from, unsigned int count)
{
	struct char_device_struct **p, *cd = NULL;

	mutex_lock(&chrdevs_lock);
	for (p = &chrdevs[MAJOR(from) % CHRDEV_HASH]; *p; p = &(*p)->next) {
		if ((*p)->major == MAJOR(from) && (*p)->baseminor == MINOR(from) && (*p)->count == count) {
			cd = *p;
			*p = cd->next;
			break;
		}
	}
	mutex_unlock(&chrdevs_lock);
	kfree(cd);
}

/* A range and its functions at once.  major 0: returns the one chosen; otherwise 0; or -errno. */
int __register_chrdev(unsigned int major, unsigned int baseminor, unsigned int count, const char *name,
		      const struct file_operations *fops)
{
	struct cdev *cdev = kmalloc(sizeof(*cdev), GFP_KERNEL);
	int res = -ENOMEM, err;

	if (!cdev)
		return res;
	res = register_range(major, baseminor, count, name);
	if (res < 0)
		goto free;
	cdev_init(cdev, fops);
	err = cdev_add(cdev, MKDEV(res, baseminor), count);
	if (!err)
		return major ? 0 : res;
	unregister_chrdev_region(MKDEV(res, baseminor), count);
	res = err;
free:
	kfree(cdev);
	return res;
}

/* ---- cdevs ---- */

void cdev_init(struct cdev *cdev, const struct file_operations *fops)
{
	cdev->ops = fops;
	cdev->dev = 0;
	cdev->count = 0;
	INIT_LIST_HEAD(&cdev->list);
}

int cdev_add(struct cdev *cdev, dev_t dev, unsigned int count)
{
	if (!count || MINOR(dev) + count > MINORMASK + 1)
		return -EINVAL;
	cdev->dev = dev;
	cdev->count = count;
	spin_lock(&cdev_lock);
	list_add(&cdev->list, &cdevs[MAJOR(dev) % CHRDEV_HASH]);
	spin_unlock(&cdev_lock);
	return 0;
}

/* Only for what nobody has opened: inodes remember it. */
void cdev_del(struct cdev *cdev)
{
	spin_lock(&cdev_lock);
	list_del_init(&cdev->list);
	spin_unlock(&cdev_lock);
}

/* The narrowest range that holds the number, or NULL. */
static struct cdev *cdev_lookup(dev_t dev)
{
	struct cdev *c, *best = NULL;

	spin_lock(&cdev_lock);
	list_for_each_entry(c, &cdevs[MAJOR(dev) % CHRDEV_HASH], list) {
		if (dev >= c->dev && dev - c->dev < c->count && (!best || c->count < best->count))
			best = c;
	}
	spin_unlock(&cdev_lock);
	return best;
}

static int chrdev_open(struct inode *inode, struct file *filp)
{
	struct cdev *p = READ_ONCE(inode->i_cdev);

	if (!p) {
		p = cdev_lookup(inode->i_rdev);
		if (!p)
			return -ENXIO;
		WRITE_ONCE(inode->i_cdev, p);
	}
	replace_fops(filp, p->ops);
	return filp->f_op->open ? filp->f_op->open(inode, filp) : 0;
}

const struct file_operations def_chr_fops = { .open = chrdev_open, .llseek = noop_llseek };

/* What opening a special file means: called when the inode is made. */
void init_special_inode(struct inode *inode, umode_t mode, dev_t rdev)
{
	inode->i_mode = mode;
	if (S_ISCHR(mode)) {
		inode->i_fop = &def_chr_fops;
		inode->i_rdev = rdev;
	} else if (S_ISBLK(mode)) {
		inode->i_fop = &def_blk_fops;
		inode->i_rdev = rdev;
	} else if (S_ISFIFO(mode)) {
		inode->i_fop = &pipefifo_fops;
	} else if (!S_ISSOCK(mode)) {
		pr_err("VFS: bogus mode %o of inode %s:%lu\n", mode, inode->i_sb->s_id, inode->i_ino);
	}
}

int chrdev_show(struct seq_file *m, void *v)
{
	mutex_lock(&chrdevs_lock);
	for (unsigned int major = 0; major < CHRDEV_MAJOR_MAX; major++) {
		struct char_device_struct *cd;

		for (cd = chrdevs[major % CHRDEV_HASH]; cd; cd = cd->next) {
			if (cd->major == major)
				seq_printf(m, "%3d %s\n", cd->major, cd->name);
		}
	}
	mutex_unlock(&chrdevs_lock);
	return 0;
}

void __init chrdev_init(void)
{
	for (int i = 0; i < CHRDEV_HASH; i++)
		INIT_LIST_HEAD(&cdevs[i]);
}
