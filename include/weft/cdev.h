/*
 * cdev.h: which functions stand behind a range of character device numbers.
 * Context: start-up, may sleep.  A registered cdev stays: there are no modules.
 * See:     kernel/fs/char_dev.c
 */
#ifndef WEFT_CDEV_H
#define WEFT_CDEV_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/kdev_t.h>

struct file_operations;

struct cdev {
	const struct file_operations *ops;	/* [I] an open file gets these before ->open() */
	struct list_head	list;		/* [cdev_lock] */
	dev_t			dev;		/* [I] the first number */
	unsigned int		count;		/* [I] how many */
};

void cdev_init(struct cdev *cdev, const struct file_operations *fops);
int cdev_add(struct cdev *cdev, dev_t dev, unsigned int count);	/* 0, -EBUSY, -ENOMEM */
void cdev_del(struct cdev *cdev);

#endif
