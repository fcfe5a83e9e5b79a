/*
 * transaction.c: handles, and which buffers a transaction changes.
 *
 * Idea:    a start reserves room: for so many buffers in the transaction, and with all that is open in the log.  Naming a
 *          buffer (jbd_get_write_access) puts it on the running transaction's list and keeps the flusher away from it.
 * Locking: j_lock; lock_buffer() while a buffer changes hands, so that no write to its place is under way.
 * See:     jbd_internal.h
 */
#include <weft/err.h>
#include <weft/jiffies.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include "jbd_internal.h"

/* ---- starting ---- */

/* Blocks of the log for so many buffers: descriptors, revokes and the commit block besides. */
unsigned int jbd_space_needed(const struct journal *j, unsigned int buffers)
{
	unsigned int per_block = j->blocksize / 16 - 4;

	return buffers + buffers / per_block + 8;
}

static struct transaction *new_transaction(struct journal *j)
{
	struct transaction *t = kzalloc(sizeof(*t), GFP_NOFS);

	if (!t)
		return NULL;
	t->journal = j;
	INIT_LIST_HEAD(&t->buffers);
	INIT_LIST_HEAD(&t->wbuffers);
	INIT_LIST_HEAD(&t->callbacks);
	INIT_LIST_HEAD(&t->cp_buffers);
	INIT_LIST_HEAD(&t->cp_link);
	xa_init(&t->revokes);
	return t;
}

/* What a start must do before it can go on. */
enum start_result { STARTED, WAIT_LOCKED, WAIT_COMMIT, NEED_SPACE, NEED_NEW, ABORTED };

/* j_lock held. */
static enum start_result try_join(struct journal *j, struct transaction **fresh, unsigned int credits)
{
	struct transaction *t = j->running;
	unsigned int used;

	if (j->err)
		return ABORTED;
	if (!t && !*fresh)
		return NEED_NEW;
	if (t && t->state != T_RUNNING)
		return WAIT_LOCKED;
	used = t ? t->nr_buffers + t->outstanding : 0;
	if (t && used && used + credits > j->max_buffers)
		return WAIT_COMMIT;
	if (j->free < jbd_space_needed(j, used + credits) + (t ? (u32)(t->nr_revokes * 8 / j->blocksize) : 0) +
		      (j->writing ? jbd_space_needed(j, j->writing->nr_buffers) : 0))
		return t && !t->updates && t->nr_buffers ? WAIT_COMMIT : NEED_SPACE;
	if (!t) {
		t = j->running = *fresh;
		*fresh = NULL;
		t->tid = j->next_tid++;
		t->expires = jiffies + j->commit_secs * HZ;
	}
	t->updates++;
	t->outstanding += credits;
	return STARTED;
}

/* j_lock held, dropped. */
static int wait_to_start(struct journal *j, enum start_result what, struct transaction **fresh) __releases(&j->j_lock)
{
	struct transaction *t = j->running;
	jbd_tid_t tid = t ? t->tid : j->committed;

	spin_unlock(&j->j_lock);
	switch (what) {
	case NEED_NEW:
		*fresh = new_transaction(j);
		return *fresh ? 0 : -ENOMEM;
	case WAIT_LOCKED:
		wait_event(j->wait_locked, READ_ONCE(j->err) || READ_ONCE(j->running) != t);
		return 0;
	case WAIT_COMMIT:
		return jbd_commit_and_wait(j, tid);
	default:
		return jbd_checkpoint(j);
	}
}

struct jbd_handle *jbd_start(struct journal *j, unsigned int credits)
{
	struct jbd_handle *h = current->journal_info;
	struct transaction *fresh = NULL;
	enum start_result what;
	int err = 0;

	if (h) {				/* nested: one more */
		BUG_ON(h->transaction->journal != j);
		h->depth++;
		return h;
	}
	might_sleep();
	h = kzalloc(sizeof(*h), GFP_NOFS);
	if (!h)
		return ERR_PTR(-ENOMEM);
	credits = min(credits, j->max_buffers / 2);
	for (;;) {
		spin_lock(&j->j_lock);
		what = try_join(j, &fresh, credits);
		if (what == STARTED || what == ABORTED)
			break;
		err = wait_to_start(j, what, &fresh);
		if (err)
			goto fail;
	}
	h->transaction = j->running;
	spin_unlock(&j->j_lock);
	kfree(fresh);
	err = -EROFS;
	if (what == ABORTED)
		goto fail_free;
	h->credits = credits;
	h->depth = 1;
	current->journal_info = h;
	return h;
fail:
	kfree(fresh);
fail_free:
	kfree(h);
	return ERR_PTR(err);
}

int jbd_stop(struct jbd_handle *h)
{
	struct transaction *t = h->transaction;
	struct journal *j = t->journal;
	jbd_tid_t tid = t->tid;
	bool sync, wake;
	int err;

	if (--h->depth)
		return READ_ONCE(j->err) ? -EIO : 0;
	current->journal_info = NULL;
	sync = h->sync;
	spin_lock(&j->j_lock);
	t->outstanding -= h->credits;
	wake = !--t->updates && t->state == T_LOCKED;
	err = j->err ? -EIO : 0;
	spin_unlock(&j->j_lock);
	if (wake)
		wake_up(&j->wait_updates);
	kfree(h);
	return sync && !err ? jbd_commit_and_wait(j, tid) : err;
}

jbd_tid_t jbd_handle_tid(const struct jbd_handle *h)
{
	return h->transaction->tid;
}

/* ---- buffers ---- */

/* j_lock held.  Its reference on the buffer goes with it. */
void jbd_jh_put(struct journal_head *jh)
{
	struct buffer_head *bh = jh->bh;

	if (jh->running || jh->writing || jh->checkpoint)
		return;
	bh->b_private = NULL;
	kfree(jh);
	brelse(bh);
}

/* Into the running transaction, if it is not there.  The buffer is locked: no write to its place is under way. */
static int file_buffer(struct jbd_handle *h, struct buffer_head *bh)
{
	struct transaction *t = h->transaction;
	struct journal *j = t->journal;
	struct journal_head *jh, *fresh = NULL;

	if (!READ_ONCE(bh->b_private)) {
		fresh = kzalloc(sizeof(*fresh), GFP_NOFS);
		if (!fresh)
			return -ENOMEM;
		fresh->bh = bh;
	}
again:
	spin_lock(&j->j_lock);
	jh = bh_jh(bh);
	if (!jh && !fresh) {			/* it went meanwhile */
		spin_unlock(&j->j_lock);
		fresh = kzalloc(sizeof(*fresh), GFP_NOFS | __GFP_NOFAIL);
		fresh->bh = bh;
		goto again;
	}
	if (!jh) {
		jh = fresh;
		fresh = NULL;
		get_bh(bh);
		bh->b_private = jh;
	}
	if (!jh->running) {
		jh->running = t;
		list_add_tail(&jh->list, &t->buffers);
		t->nr_buffers++;
		if (h->credits) {
			h->credits--;
			t->outstanding--;
		}
	}
	jh->freed = false;
	clear_bit(BH_Dirty, &bh->b_state);	/* its place has to wait for the log */
	spin_unlock(&j->j_lock);
	kfree(fresh);
	return 0;
}

static bool in_transaction(struct jbd_handle *h, struct buffer_head *bh)
{
	struct journal *j = h->transaction->journal;
	struct journal_head *jh;
	bool res;

	spin_lock(&j->j_lock);
	jh = bh_jh(bh);
	res = jh && jh->running == h->transaction && !jh->freed;
	spin_unlock(&j->j_lock);
	return res;
}

static int get_access(struct jbd_handle *h, struct buffer_head *bh)
{
	int err;

	if (READ_ONCE(h->transaction->journal->err))
		return -EROFS;
	if (in_transaction(h, bh))
		return 0;
	lock_buffer(bh);			/* a write to its place ends first */
	err = file_buffer(h, bh);
	unlock_buffer(bh);
	if (!err)
		jbd_cancel_revoke(h->transaction, bh->b_blocknr);
	return err;
}

int jbd_get_write_access(struct jbd_handle *h, struct buffer_head *bh)
{
	return get_access(h, bh);
}

int jbd_get_create_access(struct jbd_handle *h, struct buffer_head *bh)
{
	int err = get_access(h, bh);

	if (!err)
		set_buffer_uptodate(bh);
	return err;
}

int jbd_dirty_metadata(struct jbd_handle *h, struct buffer_head *bh)
{
	if (WARN_ON_ONCE(!in_transaction(h, bh)))
		return -EIO;
	return READ_ONCE(h->transaction->journal->err) ? -EROFS : 0;
}

/*
 * The buffer stays in the transaction, but is not logged; the block is revoked.  The committed copy of it, if it has one,
 * counts until this transaction commits: were its log space used again before, a crash would bring back neither.
 */
int jbd_forget(struct jbd_handle *h, struct buffer_head *bh)
{
	struct journal *j = h->transaction->journal;
	int err = get_access(h, bh);

	if (err)
		return err;
	spin_lock(&j->j_lock);
	bh_jh(bh)->freed = true;
	spin_unlock(&j->j_lock);
	return jbd_revoke_block(j, h->transaction, bh->b_blocknr);
}

int jbd_after_commit(struct jbd_handle *h, jbd_commit_fn *fn, void *data, u64 block, u32 len)
{
	struct commit_callback *cb = kmalloc(sizeof(*cb), GFP_NOFS);
	struct journal *j = h->transaction->journal;

	if (!cb)
		return -ENOMEM;
	*cb = (struct commit_callback){ .fn = fn, .data = data, .block = block, .len = len };
	spin_lock(&j->j_lock);
	list_add_tail(&cb->link, &h->transaction->callbacks);
	spin_unlock(&j->j_lock);
	return 0;
}
