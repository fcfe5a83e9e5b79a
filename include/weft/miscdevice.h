/*
 * miscdevice.h: devices that need one minor number and no major of their own (major 10).
 * See:     kernel/drivers/char/misc.c
 */
#ifndef WEFT_MISCDEVICE_H
#define WEFT_MISCDEVICE_H

#include <weft/types.h>
#include <weft/list.h>

struct file_operations;

#define MISC_MAJOR		10
#define MISC_DYNAMIC_MINOR	255

struct miscdevice {
	int			minor;		/* [misc_mutex] MISC_DYNAMIC_MINOR until registered */
	const char		*name;		/* [I] of the node */
	const struct file_operations *fops;	/* [I] file->private_data is this structure at ->open() */
	umode_t			mode;		/* [I] rights; 0: 0600 */
	struct list_head	list;		/* [misc_mutex] */
};

int misc_register(struct miscdevice *misc);	/* 0, -EBUSY, -ENOMEM; may sleep */

#endif
