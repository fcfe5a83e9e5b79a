/*
 * fs-writeback.c: the flusher: a kernel thread for each disk that writes dirty inodes back.
 *
 * Idea:    an inode that becomes dirty joins its disk's queue.  Every dirty_writeback_interval the flusher writes what has
 *          been dirty for longer than dirty_expire_interval; when more than a tenth of memory is dirty, a writer wakes it
 *          (balance_dirty_pages_ratelimited()) and it writes all.
 * Locking: list_lock guards the queue.  i_lock is taken before it elsewhere, so here it is only tried.  A reference keeps
 *          the inode while it is written, so it cannot be evicted meanwhile.
 *
 *              flusher                                 writer
 *              takes the inode off the queue
 *                                                      dirties a page; I_DIRTY_PAGES is still set: does no more
 *              clears I_DIRTY_PAGES, full barrier
 *              looks for dirty pages: finds it
 *                                                      dirties a page; I_DIRTY_PAGES is clear: sets it, queues the inode
 *
 * See:     include/weft/backing-dev.h; kernel/mm/page-writeback.c for pages; spec.md §4 "what they do", §6
 */
#include <weft/kernel.h>
#include <weft/backing-dev.h>
#include <weft/blk_plug.h>
#include <weft/blkdev.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/wait.h>
#include <weft/writeback.h>

static unsigned long to_jiffies(unsigned int centisecs) { return (unsigned long)centisecs * HZ / 100; }

struct backing_dev_info *inode_to_bdi(struct inode *inode)
{
	struct block_device *bdev = sb_is_blkdev_sb(inode->i_sb) ? I_BDEV(inode) : inode->i_sb->s_bdev;

	return bdev ? &bdev->bd_disk->bdi : NULL;
}

/* ---- the queue ---- */

void inode_io_list_add(struct inode *inode)
{
	struct backing_dev_info *bdi = inode_to_bdi(inode);

	lockdep_assert_held(&inode->i_lock);
	if (!bdi)
		return;
	spin_lock(&bdi->list_lock);
	if (list_empty(&inode->i_io_list)) {
		inode->dirtied_when = jiffies;
		list_add_tail(&inode->i_io_list, &bdi->b_dirty);
	}
	spin_unlock(&bdi->list_lock);
}

void inode_io_list_del(struct inode *inode)
{
	struct backing_dev_info *bdi;

	if (list_empty_careful(&inode->i_io_list))
		return;
	bdi = inode_to_bdi(inode);
	spin_lock(&bdi->list_lock);
	list_del_init(&inode->i_io_list);
	spin_unlock(&bdi->list_lock);
}

/*
 * The first inode that became dirty before `before`, off the queue and marked I_SYNC; or NULL.
 * No reference is taken, so that whoever gives the last one up frees the file's blocks itself, before it goes on: evict()
 * waits for I_SYNC.  With a reference it would be so:
 *
 *      rm of a large file                              flusher
 *                                                      takes a reference, writes
 *      unlink(): not the last reference
 *      the next program: no space on device
 *                                                      iput(): the blocks are free
 */
static struct inode *next_inode(struct backing_dev_info *bdi, unsigned long before)
{
	for (;;) {
		struct inode *inode;

		spin_lock(&bdi->list_lock);
		inode = list_first_entry_or_null(&bdi->b_dirty, struct inode, i_io_list);
		if (!inode || time_after(inode->dirtied_when, before)) {
			spin_unlock(&bdi->list_lock);
			return NULL;
		}
		if (!spin_trylock(&inode->i_lock)) {
			spin_unlock(&bdi->list_lock);
			cond_resched();
			continue;
		}
		list_del_init(&inode->i_io_list);
		if (inode->i_state & (I_FREEING | I_WILL_FREE)) {	/* who frees it writes it */
			spin_unlock(&inode->i_lock);
			spin_unlock(&bdi->list_lock);
			continue;
		}
		inode->i_state |= I_SYNC;
		spin_unlock(&inode->i_lock);
		spin_unlock(&bdi->list_lock);
		return inode;
	}
}

/* ---- writing ---- */

/* Pages, then attributes.  Errors are kept in the mapping, for fsync. */
static void writeback_inode(struct inode *inode)
{
	spin_lock(&inode->i_lock);
	inode->i_state &= ~(unsigned long)I_DIRTY_PAGES;
	spin_unlock(&inode->i_lock);
	smp_mb();		/* pairs with __mark_inode_dirty(): the clear before the look for pages */
	filemap_flush(inode->i_mapping);
	sync_inode_metadata(inode, 0);
}

static void writeback_older_than(struct backing_dev_info *bdi, unsigned long before)
{
	struct blk_plug plug;
	struct inode *inode;

	blk_start_plug(&plug);
	while ((inode = next_inode(bdi, before))) {
		writeback_inode(inode);
		inode_sync_complete(inode);
		cond_resched();
	}
	blk_finish_plug(&plug);
}

static int flusher(void *data)
{
	struct backing_dev_info *bdi = data;

	while (!kthread_should_stop()) {
		unsigned long pause = to_jiffies(READ_ONCE(dirty_writeback_interval));
		bool kicked;

		/* 0: nothing is written for its age alone; look now and then whether that still holds. */
		wait_event_interruptible_timeout(bdi->wait, READ_ONCE(bdi->kicked) || kthread_should_stop(),
						 pause ? pause : HZ);
		kicked = READ_ONCE(bdi->kicked);
		if (kicked || pause)
			writeback_older_than(bdi, kicked ? jiffies : jiffies - to_jiffies(READ_ONCE(dirty_expire_interval)));
		WRITE_ONCE(bdi->kicked, false);
	}
	return 0;
}

void wakeup_flusher(struct inode *inode)
{
	struct backing_dev_info *bdi = inode_to_bdi(inode);

	if (!bdi || READ_ONCE(bdi->kicked))
		return;
	WRITE_ONCE(bdi->kicked, true);
	wake_up(&bdi->wait);
}

void bdi_init(struct backing_dev_info *bdi)
{
	spin_lock_init(&bdi->list_lock);
	INIT_LIST_HEAD(&bdi->b_dirty);
	init_waitqueue_head(&bdi->wait);
}

int bdi_register(struct backing_dev_info *bdi, dev_t dev)
{
	struct task_struct *task = kthread_run(flusher, bdi, "flush-%u:%u", MAJOR(dev), MINOR(dev));

	if (IS_ERR(task))
		return PTR_ERR(task);
	bdi->flusher = task;
	return 0;
}
