/*
 * anon_inodes.h: files without a name of their own (epoll, eventfd, ...): all share one inode.
 */
#ifndef WEFT_ANON_INODES_H
#define WEFT_ANON_INODES_H

#include <weft/types.h>

struct file;
struct file_operations;

/* ERR_PTR or a file with private_data = priv. */
struct file *anon_inode_getfile(const char *name, const struct file_operations *fops, void *priv, int flags);
/* The same, installed: its descriptor or -errno. */
int anon_inode_getfd(const char *name, const struct file_operations *fops, void *priv, int flags);

#endif
