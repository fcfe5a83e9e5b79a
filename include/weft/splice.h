/*
 * splice.h: moving data between files through a pipe's pages.
 *
 * See:     kernel/fs/splice.c; splice(2)
 */
#ifndef WEFT_SPLICE_H
#define WEFT_SPLICE_H

#include <weft/types.h>
#include <weft/fs.h>

/* Moves up to len bytes; returns bytes, 0 at the end, or -errno.  May sleep. */
ssize_t do_splice_direct(struct file *in, loff_t *ppos, struct file *out, loff_t *opos, size_t len, unsigned int flags);
/* One side is a pipe at least.  off: where in a file, or NULL: at its own position. */
ssize_t do_splice(struct file *in, loff_t *off_in, struct file *out, loff_t *off_out, size_t len, unsigned int flags);
ssize_t do_tee(struct file *in, struct file *out, size_t len, unsigned int flags);
ssize_t generic_file_splice_read(struct file *in, loff_t *ppos, struct pipe_inode_info *pipe, size_t len, unsigned int flags);
ssize_t iter_file_splice_write(struct pipe_inode_info *pipe, struct file *out, loff_t *ppos, size_t len, unsigned int flags);

#endif
