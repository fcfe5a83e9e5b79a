/*
 * misc.c: major 10: small devices of one minor each; /proc/misc.
 * Locking: misc_mutex over the list; entries never go.
 * See:     include/weft/miscdevice.h
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/cdev.h>
#include <weft/mutex.h>
#include <weft/device.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/miscdevice.h>

#define FIRST_DYNAMIC	64	/* given out downwards from here */

static DEFINE_MUTEX(misc_mutex);
static LIST_HEAD(misc_list);

static struct miscdevice *find_minor(int minor)
{
	struct miscdevice *misc;

	lockdep_assert_held(&misc_mutex);
	list_for_each_entry(misc, &misc_list, list)
		if (misc->minor == minor)
			return misc;
	return NULL;
}

static int misc_open(struct inode *inode, struct file *file)
{
	struct miscdevice *misc;

	mutex_lock(&misc_mutex);
	misc = find_minor(iminor(inode));
	mutex_unlock(&misc_mutex);
	if (!misc)
		return -ENODEV;
	file->private_data = misc;
	replace_fops(file, misc->fops);
	return file->f_op->open ? file->f_op->open(inode, file) : 0;
}

static const struct file_operations misc_fops = { .open = misc_open, .llseek = noop_llseek };

int misc_register(struct miscdevice *misc)
{
	struct device *dev;
	int err = 0;

	mutex_lock(&misc_mutex);
	if (misc->minor == MISC_DYNAMIC_MINOR) {
		int minor = FIRST_DYNAMIC;

		while (minor >= 0 && find_minor(minor))
			minor--;
		misc->minor = minor;
	}
	if (misc->minor < 0 || find_minor(misc->minor))
		err = -EBUSY;
	else
		list_add(&misc->list, &misc_list);
	mutex_unlock(&misc_mutex);
	if (err)
		return err;
	dev = device_create(&misc_class, MKDEV(MISC_MAJOR, misc->minor), misc->name, S_IFCHR | misc->mode);
	return PTR_ERR_OR_ZERO(dev);
}

static int misc_show(struct seq_file *m, void *v)
{
	struct miscdevice *misc;

	mutex_lock(&misc_mutex);
	list_for_each_entry(misc, &misc_list, list)
		seq_printf(m, "%3d %s\n", misc->minor, misc->name);
	mutex_unlock(&misc_mutex);
	return 0;
}

static int __init misc_init(void)
{
	proc_create_single("misc", 0, NULL, misc_show);
	return register_chrdev(MISC_MAJOR, "misc", &misc_fops);
}
subsys_initcall(misc_init);
