/*
 * backing-dev.h: where dirty inodes wait to be written: one queue and one flusher thread for each disk.
 *
 * Locking: inode->i_lock -> list_lock.
 * See:     kernel/fs/fs-writeback.c; seed 001's first kind of kernel thread; spec.md §6 "page cache and write-back"
 */
#ifndef WEFT_BACKING_DEV_H
#define WEFT_BACKING_DEV_H

#include <weft/atomic.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/types.h>
#include <weft/wait.h>

struct inode;
struct task_struct;

struct backing_dev_info {
	spinlock_t		list_lock;
	struct list_head	b_dirty;	/* [list_lock] inodes, by i_io_list: the one dirty the longest first */
	struct wait_queue_head	wait;		/* the flusher sleeps here */
	bool			kicked;		/* [-] somebody wants pages clean now */
	atomic_long_t		nr_dirty, nr_writeback;	/* [a] pages */
	struct task_struct	*flusher;	/* [I] once registered, or NULL */
};

void bdi_init(struct backing_dev_info *bdi);
/* Starts the thread "flush-MAJOR:MINOR".  May sleep.  0 or -errno. */
int bdi_register(struct backing_dev_info *bdi, dev_t dev);
struct backing_dev_info *inode_to_bdi(struct inode *inode);	/* NULL: it lies on no disk */
void inode_io_list_add(struct inode *inode);		/* i_lock held: it has become dirty */
void inode_io_list_del(struct inode *inode);		/* it goes */
void wakeup_flusher(struct inode *inode);		/* write back, in the background */

#endif
