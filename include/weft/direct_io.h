/*
 * direct_io.h: O_DIRECT: user memory to and from the blocks of a device, past the page cache.
 *
 * See:     kernel/fs/direct-io.c
 */
#ifndef WEFT_DIRECT_IO_H
#define WEFT_DIRECT_IO_H

#include <weft/mpage.h>

/* What a file system does around a write.  NULL: its blocks are always there. */
struct dio_write_ops {
	/*
	 * [pos, pos + len) needs blocks.  i_rwsem and invalidate_lock held for writing, no page of the range in the cache.
	 * 0: the data are all that is written; 1: ->finish() has to follow; -ENOTBLK: let it go through the cache; another
	 * -errno.
	 */
	int	(*prepare)(struct inode *inode, loff_t pos, size_t len);
	/* Under the same locks: the data are on the device.  0 or -errno. */
	int	(*finish)(struct inode *inode, loff_t pos, size_t len);
};

/*
 * For ->direct_IO.  i_rwsem held for writing by a writer, for reading by a reader of what can be truncated.
 * -EIOCBQUEUED, if iocb->ki_complete is set: it is under way.
 * Bytes moved: fewer than asked for, the caller goes on through the cache.  -EINVAL: position, length or memory do not lie
 * on the device's blocks.  May sleep.
 */
ssize_t generic_direct_IO(struct kiocb *iocb, struct iov_iter *iter, get_block_t *get_block, const struct dio_write_ops *ops);

/* Who is about to take blocks from a file, with i_rwsem held for writing, waits until nothing is under way to them. */
void inode_dio_wait(struct inode *inode);
void inode_dio_begin(struct inode *inode);
void inode_dio_end(struct inode *inode);		/* any context */

#endif
