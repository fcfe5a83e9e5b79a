/*
 * journal.c: a journal as a whole: opening, closing, its super block, its thread, waiting for commits.
 *
 * Idea:    the thread "jbd2/DEV-INODE" commits the running transaction when it is some seconds old or somebody waits for it.
 *          An abort (the log cannot be written, or the file system found an error) ends all change: starts fail, commits
 *          end without writing.
 * Locking: jbd_internal.h.
 * See:     include/weft/jbd.h
 */
#include <weft/crc32.h>
#include <weft/err.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "jbd_internal.h"

#define MIN_BLOCKS	256			/* a smaller log is of no use */

u32 jbd_csum(u32 crc, const void *data, size_t len)
{
	return crc32c(crc, data, len);
}

u32 jbd_data_csum(const struct journal *j, jbd_tid_t tid, const void *data)
{
	__be32 seq = cpu_to_be32(tid);

	return jbd_csum(jbd_csum(j->csum_seed, &seq, sizeof(seq)), data, j->blocksize);
}

static u32 feature(const struct journal *j, u32 flag)
{
	return be32_to_cpu(j->sb->s_feature_incompat) & flag;
}

/* Bytes of a tag as the log's features have it. */
unsigned int jbd_tag_bytes(const struct journal *j)
{
	if (feature(j, JBD_INCOMPAT_CSUM_V3))
		return sizeof(struct jbd_tag3);
	return sizeof(struct jbd_tag) - (feature(j, JBD_INCOMPAT_64BIT) ? 0 : 4) + (feature(j, JBD_INCOMPAT_CSUM_V2) ? 2 : 0);
}

/* ---- the super block ---- */

static u32 super_csum(struct jbd_super *sb)
{
	__be32 old = sb->s_checksum;
	u32 crc;

	sb->s_checksum = 0;
	crc = jbd_csum(~0u, sb, sizeof(*sb));
	sb->s_checksum = old;
	return crc;
}

static int write_super(struct journal *j)
{
	if (feature(j, JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3))
		j->sb->s_checksum = cpu_to_be32(super_csum(j->sb));
	mark_buffer_dirty(j->sbh);
	return sync_dirty_buffer(j->sbh) ?: j->barrier ? blkdev_issue_flush(j->bdev) : 0;
}

int jbd_write_tail(struct journal *j, u32 block, jbd_tid_t tid)
{
	int err;

	mutex_lock(&j->super_mutex);
	j->sb->s_start = cpu_to_be32(block);
	j->sb->s_sequence = cpu_to_be32(tid);
	err = write_super(j);
	mutex_unlock(&j->super_mutex);
	return err;
}

static int check_super(struct journal *j)
{
	const struct jbd_super *sb = j->sb;
	u32 type = be32_to_cpu(sb->s_header.h_blocktype), maxlen = be32_to_cpu(sb->s_maxlen);
	u32 fast = feature(j, JBD_INCOMPAT_FAST) ? be32_to_cpu(sb->s_num_fc_blks) ?: 256 : 0;

	if (be32_to_cpu(sb->s_header.h_magic) != JBD_MAGIC || (type != JBD_SUPER_V1 && type != JBD_SUPER_V2) ||
	    be32_to_cpu(sb->s_blocksize) != j->blocksize || maxlen > j->maxlen || maxlen < MIN_BLOCKS + fast)
		return -EUCLEAN;
	j->first = be32_to_cpu(sb->s_first);
	j->last = maxlen - fast;
	if (!j->first || j->first >= j->last - MIN_BLOCKS / 2 || be32_to_cpu(sb->s_start) >= j->last)
		return -EUCLEAN;
	if (type == JBD_SUPER_V1)
		return 0;
	if (be32_to_cpu(sb->s_feature_incompat) & ~(JBD_INCOMPAT_KNOWN | JBD_INCOMPAT_FAST) || sb->s_feature_ro_compat)
		return -EOPNOTSUPP;
	if (fast && sb->s_start)
		return -EOPNOTSUPP;		/* fast commits in the log: we could lose them */
	if (feature(j, JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3) &&
	    (sb->s_checksum_type != JBD_CRC32C || super_csum(j->sb) != be32_to_cpu(sb->s_checksum)))
		return -EUCLEAN;
	return 0;
}

/* The log is empty: from now on with the features that we use. */
static int start_afresh(struct journal *j, const struct jbd_options *opt)
{
	struct jbd_super *sb = j->sb;
	u32 features = JBD_INCOMPAT_REVOKE;

	sb->s_header.h_blocktype = cpu_to_be32(JBD_SUPER_V2);
	features |= opt->wants_64bit ? JBD_INCOMPAT_64BIT : 0;
	features |= opt->wants_csum ? JBD_INCOMPAT_CSUM_V3 : 0;
	features |= feature(j, JBD_INCOMPAT_FAST);
	sb->s_feature_incompat = cpu_to_be32(features);
	sb->s_checksum_type = opt->wants_csum ? JBD_CRC32C : 0;
	sb->s_errno = 0;
	j->csum = opt->wants_csum;
	j->wide = opt->wants_64bit;
	j->head = j->tail = j->first;
	j->free = j->last - j->first - 1;
	j->max_buffers = (j->last - j->first) / 4;
	return jbd_write_tail(j, 0, j->next_tid);
}

/* ---- the thread, and who waits for it ---- */

static bool commit_due(struct journal *j)
{
	struct transaction *t;
	bool due;

	spin_lock(&j->j_lock);
	t = j->running;
	due = t && (!tid_after(t->tid, j->commit_request) || time_after_eq(jiffies, t->expires));
	spin_unlock(&j->j_lock);
	return due;
}

static int commit_thread(void *data)
{
	struct journal *j = data;

	while (!kthread_should_stop()) {
		wait_event_interruptible_timeout(j->wait_commit, commit_due(j) || kthread_should_stop(), HZ);
		if (commit_due(j))
			jbd_commit_running(j);
	}
	return 0;
}

bool jbd_tid_committed(struct journal *j, jbd_tid_t tid)
{
	return !tid_after(tid, READ_ONCE(j->committed));
}

jbd_tid_t jbd_running_tid(struct journal *j)
{
	jbd_tid_t tid;

	spin_lock(&j->j_lock);
	tid = j->running ? j->running->tid : 0;
	spin_unlock(&j->j_lock);
	return tid;
}

int jbd_commit_and_wait(struct journal *j, jbd_tid_t tid)
{
	WARN_ON_ONCE(current->journal_info);	/* it would wait for itself */
	spin_lock(&j->j_lock);
	if (tid_after(tid, j->commit_request))
		j->commit_request = tid;
	spin_unlock(&j->j_lock);
	wake_up(&j->wait_commit);
	wait_event(j->wait_done, READ_ONCE(j->err) || jbd_tid_committed(j, tid));
	return READ_ONCE(j->err) ? -EIO : 0;
}

int jbd_force_commit(struct journal *j)
{
	jbd_tid_t tid;

	spin_lock(&j->j_lock);
	tid = j->running ? j->running->tid : j->writing ? j->writing->tid : j->committed;
	spin_unlock(&j->j_lock);
	return jbd_commit_and_wait(j, tid);
}

void jbd_abort(struct journal *j, int err)
{
	spin_lock(&j->j_lock);
	if (!j->err)
		j->err = err;
	spin_unlock(&j->j_lock);
	wake_up_all(&j->wait_locked);
	wake_up_all(&j->wait_done);
	wake_up_all(&j->wait_commit);
}

bool jbd_is_aborted(const struct journal *j)
{
	return READ_ONCE(j->err);
}

void jbd_set_options(struct journal *j, unsigned int commit_secs, bool barrier)
{
	j->commit_secs = commit_secs;
	j->barrier = barrier;
}

/* ---- opening ---- */

static struct journal *new_journal(struct block_device *bdev, struct inode *inode, unsigned int blocksize)
{
	struct journal *j = kzalloc(sizeof(*j), GFP_KERNEL);

	if (!j)
		return NULL;
	spin_lock_init(&j->j_lock);
	mutex_init(&j->checkpoint_mutex);
	mutex_init(&j->super_mutex);
	INIT_LIST_HEAD(&j->checkpoints);
	init_waitqueue_head(&j->wait_commit);
	init_waitqueue_head(&j->wait_updates);
	init_waitqueue_head(&j->wait_locked);
	init_waitqueue_head(&j->wait_done);
	j->bdev = bdev;
	j->inode = inode;
	j->blocksize = blocksize;
	j->maxlen = (u32)min((u64)i_size_read(inode) / blocksize, (u64)1 << 24);
	return j;
}

static int map_log(struct journal *j, u64 (*bmap)(struct inode *inode, u32 block))
{
	u64 end = (u64)i_size_read(j->bdev->bd_inode) / j->blocksize;

	if (j->maxlen < MIN_BLOCKS)
		return -EUCLEAN;
	j->blocks = kvmalloc_array(j->maxlen, sizeof(*j->blocks), GFP_KERNEL);
	if (!j->blocks)
		return -ENOMEM;
	for (u32 i = 0; i < j->maxlen; i++) {
		j->blocks[i] = bmap(j->inode, i);
		if (!j->blocks[i] || j->blocks[i] >= end)
			return -EUCLEAN;
	}
	return 0;
}

static void free_journal(struct journal *j)
{
	brelse(j->sbh);
	kvfree(j->blocks);
	iput(j->inode);
	kfree(j);
}

static int open_log(struct journal *j, const struct jbd_options *opt)
{
	int err;

	j->sbh = __bread(j->bdev, j->blocks[0], j->blocksize);
	if (!j->sbh)
		return -EIO;
	j->sb = (struct jbd_super *)j->sbh->b_data;
	err = check_super(j);
	if (err)
		return err;
	j->csum_seed = jbd_csum(~0u, j->sb->s_uuid, sizeof(j->sb->s_uuid));
	j->next_tid = be32_to_cpu(j->sb->s_sequence);
	if (j->sb->s_start) {
		if (bdev_read_only(j->bdev))
			return -EROFS;
		err = jbd_recover(j);
	}
	if (err)
		return err;
	j->next_tid += !j->next_tid;		/* 0 means "none" */
	j->committed = j->commit_request = j->next_tid - 1;
	return bdev_read_only(j->bdev) ? 0 : start_afresh(j, opt);
}

struct journal *jbd_load(struct block_device *bdev, struct inode *inode, unsigned int blocksize,
			 u64 (*bmap)(struct inode *inode, u32 block), const struct jbd_options *opt)
{
	struct journal *j = new_journal(bdev, inode, blocksize);
	int err;

	if (!j) {
		iput(inode);
		return ERR_PTR(-ENOMEM);
	}
	jbd_set_options(j, opt->commit_secs, opt->barrier);
	err = map_log(j, bmap);
	if (!err)
		err = open_log(j, opt);
	if (!err) {
		j->thread = kthread_run(commit_thread, j, "jbd2/%s-%lu", bdev->bd_name, inode->i_ino);
		err = PTR_ERR_OR_ZERO(j->thread);
	}
	if (!err)
		return j;
	free_journal(j);
	return ERR_PTR(err);
}

/* ---- closing ---- */

static bool has_work(struct journal *j)
{
	bool res;

	spin_lock(&j->j_lock);
	res = j->running || j->writing || !list_empty(&j->checkpoints);
	spin_unlock(&j->j_lock);
	return res;
}

int jbd_flush(struct journal *j)
{
	int err = 0;

	while (!err && has_work(j)) {
		err = jbd_force_commit(j);
		if (!err)
			err = jbd_checkpoint(j);
	}
	if (err || jbd_is_aborted(j))
		return err ?: -EIO;
	err = jbd_move_tail(j);
	return err || !j->sb->s_start ? err : jbd_write_tail(j, 0, j->next_tid);
}

/* Is something of a transaction up to this one not in its place? */
static bool pending_up_to(struct journal *j, jbd_tid_t tid)
{
	struct transaction *t;
	bool res;

	spin_lock(&j->j_lock);
	t = list_first_entry_or_null(&j->checkpoints, struct transaction, cp_link);
	res = t && !tid_after(t->tid, tid);
	spin_unlock(&j->j_lock);
	return res;
}

int jbd_settle(struct journal *j)
{
	int err = jbd_force_commit(j);
	jbd_tid_t tid = READ_ONCE(j->committed);

	while (!err) {
		err = jbd_checkpoint(j);		/* moves the tail as well */
		if (!pending_up_to(j, tid))
			break;
	}
	return err ?: jbd_is_aborted(j) ? -EIO : 0;
}

/* After an abort: what was committed stays in the log, and is replayed at the next mount. */
static void forget_all(struct journal *j)
{
	struct transaction *t, *next;
	struct journal_head *jh, *njh;

	jbd_commit_running(j);			/* writes nothing any more */
	spin_lock(&j->j_lock);
	list_for_each_entry_safe(t, next, &j->checkpoints, cp_link) {
		list_for_each_entry_safe(jh, njh, &t->cp_buffers, cp_list) {
			list_del(&jh->cp_list);
			jh->checkpoint = NULL;
			jbd_jh_put(jh);
		}
		list_del(&t->cp_link);
		kfree(t);
	}
	spin_unlock(&j->j_lock);
}

int jbd_destroy(struct journal *j)
{
	int err = bdev_read_only(j->bdev) ? 0 : jbd_flush(j);

	kthread_stop(j->thread);
	if (err)
		forget_all(j);
	free_journal(j);
	return err;
}
