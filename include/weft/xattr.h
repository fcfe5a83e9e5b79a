/*
 * xattr.h: extended attributes.
 *
 * See:     kernel/fs/xattr.c; xattr(7)
 */
#ifndef WEFT_XATTR_H
#define WEFT_XATTR_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/spinlock.h>

struct dentry;
struct inode;
struct xattr_handler;

/* super_block->s_xattr: a NULL-ended list; the first handler whose prefix (or whole name) fits is asked. */
struct xattr_handler {
	const char	*name;		/* the whole name, or NULL */
	const char	*prefix;	/* "user." */
	int		flags;
	bool (*list)(struct dentry *dentry);
	int (*get)(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
		   void *buffer, size_t size);
	int (*set)(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode, const char *name,
		   const void *buffer, size_t size, int flags);
};

ssize_t vfs_getxattr(struct dentry *dentry, const char *name, void *value, size_t size);
int vfs_setxattr(struct dentry *dentry, const char *name, const void *value, size_t size, int flags);
int vfs_removexattr(struct dentry *dentry, const char *name);
ssize_t vfs_listxattr(struct dentry *dentry, char *list, size_t size);

/* Attributes kept in memory, for tmpfs. */
struct simple_xattrs {
	struct list_head	head;	/* [lock] */
	spinlock_t		lock;
};
static inline void simple_xattrs_init(struct simple_xattrs *xattrs)
{
	INIT_LIST_HEAD(&xattrs->head);
	spin_lock_init(&xattrs->lock);
}
void simple_xattrs_free(struct simple_xattrs *xattrs);
int simple_xattr_get(struct simple_xattrs *xattrs, const char *name, void *buffer, size_t size);
int simple_xattr_set(struct simple_xattrs *xattrs, const char *name, const void *value, size_t size, int flags,
		     ssize_t *removed_size);
ssize_t simple_xattr_list(struct inode *inode, struct simple_xattrs *xattrs, char *buffer, size_t size);

#define XATTR_USER_PREFIX	"user."
#define XATTR_TRUSTED_PREFIX	"trusted."
#define XATTR_SECURITY_PREFIX	"security."
#define XATTR_SYSTEM_PREFIX	"system."

#endif
