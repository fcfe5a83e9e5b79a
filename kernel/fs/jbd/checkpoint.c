/*
 * checkpoint.c: committed buffers to their places, so that the log's space can be used again.
 *
 * Idea:    usually the flusher has written them long before anybody needs the room, and nothing is left to do but to move
 *          the log's tail.  If not, the oldest transaction's buffers are written here.  A buffer that a newer transaction
 *          has changed again must wait for that one's commit, which then answers for it.
 * Locking: checkpoint_mutex; j_lock for the lists.  Called without a handle.
 * See:     jbd_internal.h
 */
#include <weft/err.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include "jbd_internal.h"

#define BATCH	64

/* In its place, as far as the device knows.  A write clears BH_Dirty only once it has BH_Lock, and keeps that to the end. */
static bool in_place(const struct journal_head *jh)
{
	if (jh->running || jh->writing || buffer_dirty(jh->bh))
		return false;
	smp_rmb();
	return !buffer_locked(jh->bh) && !test_bit(BH_Write_EIO, &jh->bh->b_state);
}

/* j_lock held.  True if nothing is left of the transaction. */
static bool drop_clean_of(struct transaction *t)
{
	struct journal_head *jh, *next;

	list_for_each_entry_safe(jh, next, &t->cp_buffers, cp_list)
		if (in_place(jh)) {
			list_del(&jh->cp_list);
			jh->checkpoint = NULL;
			jbd_jh_put(jh);
		}
	return list_empty(&t->cp_buffers);
}

void jbd_drop_clean(struct journal *j)
{
	struct transaction *t;

	spin_lock(&j->j_lock);
	while ((t = list_first_entry_or_null(&j->checkpoints, struct transaction, cp_link)) && drop_clean_of(t)) {
		list_del(&t->cp_link);
		kfree(t);
	}
	spin_unlock(&j->j_lock);
}

/* The first block that recovery would need.  j_lock held. */
static u32 find_tail(struct journal *j, jbd_tid_t *tid)
{
	struct transaction *t = list_first_entry_or_null(&j->checkpoints, struct transaction, cp_link);

	if (!t)
		t = j->writing;
	*tid = t ? t->tid : j->running ? j->running->tid : j->next_tid;
	return t ? t->log_start : j->head;
}

/* The blocks before the new tail are free once the disk knows of it; and what was in them must last in its place before. */
int jbd_move_tail(struct journal *j)
{
	jbd_tid_t tid;
	u32 tail;
	int err;

	spin_lock(&j->j_lock);
	tail = find_tail(j, &tid);
	spin_unlock(&j->j_lock);
	if (tail == j->tail)
		return 0;
	err = j->barrier ? blkdev_issue_flush(j->bdev) : 0;
	if (!err)
		err = jbd_write_tail(j, tail, tid);
	if (err)
		return err;
	spin_lock(&j->j_lock);
	j->free += tail > j->tail ? tail - j->tail : tail + (j->last - j->first) - j->tail;
	j->tail = tail;
	spin_unlock(&j->j_lock);
	return 0;
}

/* Up to BATCH buffers of the transaction, with references.  *tid: one of them waits for this commit. */
static int collect(struct transaction *t, struct buffer_head **bhs, jbd_tid_t *tid)
{
	struct journal_head *jh;
	int n = 0;

	*tid = 0;
	list_for_each_entry(jh, &t->cp_buffers, cp_list) {
		if (jh->writing || jh->running) {
			*tid = jh->writing ? jh->writing->tid : jh->running->tid;
			continue;
		}
		get_bh(jh->bh);
		bhs[n++] = jh->bh;
		if (n == BATCH)
			break;
	}
	return n;
}

static int write_batch(struct buffer_head **bhs, int n)
{
	int err = 0;

	for (int i = 0; i < n; i++)
		write_dirty_buffer(bhs[i]);
	for (int i = 0; i < n; i++) {
		wait_on_buffer(bhs[i]);
		if (test_bit(BH_Write_EIO, &bhs[i]->b_state))
			err = -EIO;
		brelse(bhs[i]);
	}
	return err;
}

/* One step towards an empty list of the oldest transaction. */
static int checkpoint_some(struct journal *j)
{
	struct buffer_head *bhs[BATCH];
	struct transaction *t;
	jbd_tid_t tid = 0;
	int n = 0;

	spin_lock(&j->j_lock);
	t = list_first_entry_or_null(&j->checkpoints, struct transaction, cp_link);
	if (t)
		n = collect(t, bhs, &tid);
	spin_unlock(&j->j_lock);
	if (n)
		return write_batch(bhs, n);
	return t && tid ? jbd_commit_and_wait(j, tid) : 0;
}

int jbd_checkpoint(struct journal *j)
{
	struct transaction *t;
	u32 before = READ_ONCE(j->free);
	jbd_tid_t first = 0;
	int err = 0;

	mutex_lock(&j->checkpoint_mutex);
	jbd_drop_clean(j);
	spin_lock(&j->j_lock);
	t = list_first_entry_or_null(&j->checkpoints, struct transaction, cp_link);
	if (t)
		first = t->tid;
	spin_unlock(&j->j_lock);
	while (t && !err) {
		err = checkpoint_some(j);
		jbd_drop_clean(j);
		spin_lock(&j->j_lock);
		t = list_first_entry_or_null(&j->checkpoints, struct transaction, cp_link);
		if (t && t->tid != first)
			t = NULL;
		spin_unlock(&j->j_lock);
		cond_resched();
	}
	if (!err)
		err = jbd_move_tail(j);
	mutex_unlock(&j->checkpoint_mutex);
	if (err)
		jbd_abort(j, err);
	else if (READ_ONCE(j->free) == before)	/* nothing to free but what runs or is being written */
		err = jbd_force_commit(j);
	return err;
}
