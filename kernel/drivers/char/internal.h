/*
 * internal.h: file operations that mem.c puts behind minors of major 1.
 */
#ifndef CHAR_INTERNAL_H
#define CHAR_INTERNAL_H

#include <weft/fs.h>

extern const struct file_operations random_fops, urandom_fops;	/* random_dev.c */
extern const struct file_operations kmsg_fops;			/* kmsg.c */

#endif
