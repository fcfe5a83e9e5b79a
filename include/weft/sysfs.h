/*
 * sysfs.h: how a subsystem shows one value a file below /sys.
 *
 * Idea:    folders and files are made once and nearly all stay; a file is a pair of functions over a datum.  A value is text
 *          of at most a page.  Who has a removed file open may still call its functions: the datum must outlive that.
 * See:     kernel/fs/sysfs/sysfs.c
 */
#ifndef WEFT_SYSFS_H
#define WEFT_SYSFS_H

#include <weft/types.h>

struct dentry;

struct sysfs_attr {
	const char	*name;
	umode_t		mode;				/* rights; 0 means 0444 */
	ssize_t		(*show)(void *data, char *buf);	/* fills at most a page; returns bytes or -errno */
	ssize_t		(*store)(void *data, const char *buf, size_t n);	/* text ends in NUL; returns n or -errno */
};

/*
 * A folder is named by its dentry; NULL is /sys.  All may sleep and return ERR_PTR or -errno.  sysfs_mkdir() of a folder
 * that is there already returns it.  `path` may hold slashes; missing folders on the way are made.
 */
struct dentry *sysfs_mkdir(struct dentry *parent, const char *path);
int sysfs_create_file(struct dentry *dir, const struct sysfs_attr *attr, void *data);
/* A table that ends with an attribute without a name. */
int sysfs_create_files(struct dentry *dir, const struct sysfs_attr *attrs, void *data);
int sysfs_create_link(struct dentry *dir, const char *name, const char *target);
/* Takes an entry away, with all that lies below it.  Nothing happens when there is none. */
void sysfs_remove(struct dentry *dir, const char *name);
int sysfs_emit(char *buf, const char *fmt, ...) __printf(2, 3);

#endif
