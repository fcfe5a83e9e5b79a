/*
 * jbd_internal.h: journals, transactions and what is known of each buffer, for the files of this folder.
 *
 * States of a transaction:
 *      RUNNING         takes handles
 *      LOCKED          takes no more; waits for those that are open; then its buffers are copied
 *      WRITING         the copies go to the log; the next transaction runs meanwhile
 *      (committed)     on j->checkpoints until all its buffers are in their places
 *
 * A buffer may be in a running transaction, a writing one, and a committed one at a time; each has a list.
 *
 *      handle                                  commit                                  flusher
 *      names the buffer: lock_buffer           ...
 *      BH_Dirty off, in RUNNING
 *      changes it                              LOCKED: waits
 *      stops                                   copies it
 *                                              WRITING: log, commit block
 *                                              committed; not in RUNNING again?
 *                                              then BH_Dirty on                        writes it to its place
 *
 * So what the flusher may write is always what the log has already.
 *
 * Locking: j_lock (spinlock): states, lists, log positions; a buffer's journal_head.
 *          checkpoint_mutex: one checkpoint at a time; it may ask the thread to commit, and wait.  Only the thread commits.
 */
#ifndef WEFT_JBD_INTERNAL_H
#define WEFT_JBD_INTERNAL_H

#include <weft/blkdev.h>
#include <weft/buffer_head.h>
#include <weft/jbd.h>
#include <weft/kernel.h>
#include <weft/list.h>
#include <weft/mutex.h>
#include <weft/spinlock.h>
#include <weft/unaligned.h>
#include <weft/wait.h>
#include <weft/xarray.h>
#include "jbd_format.h"

enum transaction_state { T_RUNNING, T_LOCKED, T_WRITING };

struct transaction {
	struct journal		*journal;	/* [I] */
	jbd_tid_t		tid;		/* [I] */
	enum transaction_state	state;		/* [j_lock] */
	unsigned int		updates;	/* [j_lock] open handles */
	unsigned int		outstanding;	/* [j_lock] credits of open handles */
	struct list_head	buffers;	/* [j_lock] journal_head.list: those it changes */
	unsigned int		nr_buffers;	/* [j_lock] */
	struct list_head	wbuffers;	/* [j_lock] journal_head.wlist: the same, once it is being written */
	struct xarray		revokes;	/* [-] blocks revoked, by number; its own lock */
	unsigned long		nr_revokes;	/* [j_lock] */
	struct list_head	callbacks;	/* [j_lock] struct commit_callback */
	unsigned long		expires;	/* [I] jiffies: commit it then */
	struct list_head	cp_buffers;	/* [j_lock] journal_head.cp_list: not yet in their places */
	struct list_head	cp_link;	/* [j_lock] j->checkpoints, oldest first */
	u32			log_start;	/* [I] once writing: its first block in the log */
};

struct commit_callback {
	struct list_head	link;
	jbd_commit_fn		*fn;
	void			*data;
	u64			block;
	u32			len;
};

/* What the journal knows of a buffer: bh->b_private, which holds a reference on it. */
struct journal_head {
	struct buffer_head	*bh;		/* [I] */
	struct transaction	*running;	/* [j_lock] changed by it, or NULL */
	struct transaction	*writing;	/* [j_lock] copied by it, or NULL */
	struct transaction	*checkpoint;	/* [j_lock] committed in it and not in its place yet, or NULL */
	struct list_head	list;		/* [j_lock] running->buffers */
	struct list_head	wlist;		/* [j_lock] writing->wbuffers */
	struct list_head	cp_list;	/* [j_lock] */
	bool			freed;		/* [j_lock] the running transaction has freed the block */
};

struct journal {
	spinlock_t		j_lock;
	struct block_device	*bdev;		/* [I] */
	struct inode		*inode;		/* [I] */
	unsigned int		blocksize;	/* [I] */
	u64			*blocks;	/* [I] where each block of the log lies */
	u32			maxlen, first, last;	/* [I] the log is [first, last) */
	struct buffer_head	*sbh;		/* [I] */
	struct jbd_super	*sb;
	u32			csum_seed;	/* [I] */
	bool			csum, wide;	/* [I] features */
	bool			barrier;
	unsigned int		commit_secs;
	u32			max_buffers;	/* [I] of one transaction */
	struct transaction	*running;	/* [j_lock] or NULL */
	struct transaction	*writing;	/* [j_lock] or NULL */
	struct list_head	checkpoints;	/* [j_lock] committed transactions */
	u32			head, tail;	/* [j_lock] next block to write; first one needed */
	u32			free;		/* [j_lock] blocks from head to tail */
	jbd_tid_t		tail_tid;	/* [j_lock] whose begin tail is */
	jbd_tid_t		next_tid;	/* [j_lock] */
	jbd_tid_t		commit_request;	/* [j_lock] commit up to here, soon */
	jbd_tid_t		committed;	/* [j_lock] */
	int			err;		/* [j_lock] aborted, and why */
	struct mutex		checkpoint_mutex;
	struct mutex		super_mutex;	/* sb and its buffer */
	struct wait_queue_head	wait_commit;	/* the thread: somebody wants a commit */
	struct wait_queue_head	wait_updates;	/* the thread: the last handle is closed */
	struct wait_queue_head	wait_locked;	/* who starts: a new transaction may begin */
	struct wait_queue_head	wait_done;	/* a commit is done */
	struct task_struct	*thread;	/* [I] */
};

static inline struct journal_head *bh_jh(const struct buffer_head *bh) { return bh->b_private; }
/* The block behind it in the log, which is a ring. */
static inline u32 log_next(const struct journal *j, u32 block) { return block + 1 == j->last ? j->first : block + 1; }

/* journal.c */
u32 jbd_csum(u32 crc, const void *data, size_t len);
unsigned int jbd_tag_bytes(const struct journal *j);
u32 jbd_data_csum(const struct journal *j, jbd_tid_t tid, const void *data);
/* Where recovery shall begin, on disk; 0: nothing to recover.  0 or -EIO. */
int jbd_write_tail(struct journal *j, u32 block, jbd_tid_t tid);
/* transaction.c */
void jbd_jh_put(struct journal_head *jh);	/* j_lock held: gone if no transaction has it */
unsigned int jbd_space_needed(const struct journal *j, unsigned int buffers);
/* commit.c */
void jbd_commit_running(struct journal *j);	/* the thread's work */
/* revoke.c */
int jbd_revoke_block(struct journal *j, struct transaction *t, u64 block);
void jbd_cancel_revoke(struct transaction *t, u64 block);
/* checkpoint.c */
int jbd_checkpoint(struct journal *j);		/* makes room in the log.  May sleep.  0 or -errno */
void jbd_drop_clean(struct journal *j);		/* forgets what is in its place already */
int jbd_move_tail(struct journal *j);		/* ... and what of the log is not needed any more */
/* recovery.c */
int jbd_recover(struct journal *j);

#endif
