/*
 * jbd.h: a journal of whole blocks: changes to several of them reach the disk together or not at all.
 *
 * Idea:    a handle brackets one operation of the file system and names each buffer before it changes it; all handles of
 *          some seconds make a transaction.  A commit takes a copy of each of its buffers while no handle is open, writes the
 *          copies to the log and then a block that says "complete".  Only after that may a buffer be written to its own
 *          place; once all are there (checkpoint), the log's space is used again.  After a crash, complete transactions are
 *          copied from the log to their places (recovery).  The format is that of Linux's jbd2, checksums included.
 * Use:     jbd_start(); for each buffer: jbd_get_write_access(), change it, jbd_dirty_metadata(); jbd_stop().
 * Locking: see kernel/fs/jbd/jbd_internal.h.  A handle is a lock of its own: who holds one must not wait for anything that
 *          needs a commit.
 * See:     spec.md §10; kernel/fs/jbd; doc/ext.md
 */
#ifndef WEFT_JBD_H
#define WEFT_JBD_H

#include <weft/types.h>

struct block_device;
struct buffer_head;
struct inode;
struct journal;
struct transaction;

typedef u32 jbd_tid_t;				/* numbers of transactions; they wrap */
static inline bool tid_after(jbd_tid_t a, jbd_tid_t b) { return (s32)(a - b) > 0; }

/* An operation under way.  Nested starts in one task share it. */
struct jbd_handle {
	struct transaction	*transaction;
	unsigned int		credits;	/* buffers it may still name */
	unsigned int		depth;		/* nested starts */
	bool			sync;		/* jbd_stop() waits for the commit */
};

struct jbd_options {
	unsigned int	commit_secs;		/* how long a transaction collects */
	bool		barrier;		/* flush the device's cache */
	bool		readonly;		/* recover, then only look */
	bool		wants_64bit, wants_csum;	/* features to use from now on */
};

/* What to do when a transaction has committed: fn(data, block, len). */
typedef void jbd_commit_fn(void *data, u64 block, u32 len);

/*
 * Opens the journal in this inode, whose blocks bmap tells, and replays it if needed.  May sleep.  ERR_PTR.
 * u64 bmap(inode, block): where a block lies, 0: nowhere.
 */
struct journal *jbd_load(struct block_device *bdev, struct inode *inode, unsigned int blocksize,
			 u64 (*bmap)(struct inode *inode, u32 block), const struct jbd_options *opt);
/* Everything committed and in its place; then the log is marked as empty and gone.  The inode is put. */
int jbd_destroy(struct journal *j);
int jbd_flush(struct journal *j);		/* the same, and it goes on */
/*
 * All that has been named so far is in its place, and recovery will not touch it.  Unlike jbd_flush() it ends while others go
 * on; without a handle.  0 or -EIO.
 */
int jbd_settle(struct journal *j);
void jbd_abort(struct journal *j, int err);	/* no more changes reach the disk: starts give -EROFS */
bool jbd_is_aborted(const struct journal *j);
void jbd_set_options(struct journal *j, unsigned int commit_secs, bool barrier);

/* May sleep for long: for room in the log, for a commit.  ERR_PTR(-EROFS, -ENOMEM). */
struct jbd_handle *jbd_start(struct journal *j, unsigned int credits);
int jbd_stop(struct jbd_handle *h);		/* 0 or, when the journal was aborted, -EIO */
jbd_tid_t jbd_handle_tid(const struct jbd_handle *h);

/* Before a buffer is changed.  May sleep for I/O of this buffer.  0, -ENOMEM, -EROFS. */
int jbd_get_write_access(struct jbd_handle *h, struct buffer_head *bh);
int jbd_get_create_access(struct jbd_handle *h, struct buffer_head *bh);	/* what it held does not matter */
int jbd_dirty_metadata(struct jbd_handle *h, struct buffer_head *bh);		/* after the change */
/* The block is freed: what the log holds of it must not be replayed over its next owner's data. */
int jbd_forget(struct jbd_handle *h, struct buffer_head *bh);
int jbd_after_commit(struct jbd_handle *h, jbd_commit_fn *fn, void *data, u64 block, u32 len);

jbd_tid_t jbd_running_tid(struct journal *j);	/* 0: none */
bool jbd_tid_committed(struct journal *j, jbd_tid_t tid);
int jbd_commit_and_wait(struct journal *j, jbd_tid_t tid);	/* 0 or -EIO */
int jbd_force_commit(struct journal *j);	/* everything so far */

#endif
