/*
 * commit.c: a transaction into the log.
 *
 * Steps:   1. LOCKED: no new handles; wait for the open ones; copy all buffers (they agree with one another now).
 *          2. WRITING: revoke blocks; then, for each group of copies, a descriptor that says where they belong, and the
 *             copies.  Wait.  Flush the device: the log, and the file data written before, last now.
 *          3. The commit block.  Flush again: the transaction counts.
 *          4. Its buffers may go to their places (BH_Dirty), freed blocks may be used again.
 * Locking: j_lock.  Only the journal's thread runs this.
 * See:     jbd_format.h, jbd_internal.h
 */
#include <weft/bio.h>
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/highmem.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/timekeeping.h>
#include "jbd_internal.h"

/* A block as it was when the last handle was closed. */
struct copy {
	struct page	*page;
	u64		block;			/* its place */
	u32		csum;
	bool		escaped;
};

/* Blocks on their way into the log. */
struct log_writer {
	struct journal	*j;
	struct transaction *t;
	struct copy	*copies;
	unsigned int	nr_copies;
	struct bio	*bio;			/* being filled */
	struct list_head pages;			/* page->lru: descriptors and the like */
	atomic_t	pending;		/* bios under way, and one */
	struct completion done;
	int		err;
};

/* ---- I/O ---- */

static void end_log_bio(struct bio *bio)
{
	struct log_writer *w = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(w->err, bio->bi_status);
	bio_put(bio);
	if (atomic_dec_and_test(&w->pending))
		complete(&w->done);
}

static void submit_log(struct log_writer *w)
{
	if (!w->bio)
		return;
	atomic_inc(&w->pending);
	submit_bio(w->bio);
	w->bio = NULL;
}

/* The page becomes the log's next block. */
static void log_block(struct log_writer *w, struct page *page)
{
	struct journal *j = w->j;
	u64 sector = j->blocks[j->head] * (j->blocksize >> SECTOR_SHIFT);

	if (w->bio && (bio_end_sector(w->bio) != sector || !bio_add_page(w->bio, page, j->blocksize, 0)))
		submit_log(w);
	else if (w->bio)
		goto added;
	w->bio = bio_alloc(j->bdev, BIO_MAX_VECS, REQ_OP_WRITE, GFP_NOFS);
	w->bio->bi_sector = sector;
	w->bio->bi_private = w;
	w->bio->bi_end_io = end_log_bio;
	bio_add_page(w->bio, page, j->blocksize, 0);
added:
	spin_lock(&j->j_lock);
	j->head = log_next(j, j->head);
	j->free--;
	spin_unlock(&j->j_lock);
}

static int wait_for_log(struct log_writer *w)
{
	submit_log(w);
	if (!atomic_dec_and_test(&w->pending))
		wait_for_completion(&w->done);
	reinit_completion(&w->done);
	atomic_set(&w->pending, 1);
	return READ_ONCE(w->err);
}

/* A zeroed block of the log's own, with its header. */
static void *new_log_block(struct log_writer *w, u32 type, struct page **page)
{
	struct jbd_header *h;

	*page = alloc_page(GFP_NOFS | __GFP_ZERO | __GFP_NOFAIL);
	list_add(&(*page)->lru, &w->pages);
	h = page_address(*page);
	h->h_magic = cpu_to_be32(JBD_MAGIC);
	h->h_blocktype = cpu_to_be32(type);
	h->h_sequence = cpu_to_be32(w->t->tid);
	return h;
}

/* The last four bytes of a block of the log's own. */
static void set_tail_csum(struct journal *j, void *block)
{
	struct jbd_block_tail *tail = (void *)((u8 *)block + j->blocksize - sizeof(*tail));

	if (j->csum)
		tail->t_checksum = cpu_to_be32(jbd_csum(j->csum_seed, block, j->blocksize));
}

/* ---- step 1: copies ---- */

static void copy_buffer(struct log_writer *w, struct buffer_head *bh)
{
	struct copy *c = &w->copies[w->nr_copies++];
	u8 *to;

	*c = (struct copy){ .page = alloc_page(GFP_NOFS | __GFP_NOFAIL), .block = bh->b_blocknr };
	to = page_address(c->page);
	memcpy(to, bh->b_data, w->j->blocksize);
	if (w->j->csum)
		c->csum = jbd_data_csum(w->j, w->t->tid, to);
	if (get_unaligned_be32(to) == JBD_MAGIC) {
		c->escaped = true;
		put_unaligned_le32(0, to);
	}
}

/* No handle is open, so nobody changes list or buffers. */
static void copy_buffers(struct log_writer *w)
{
	struct journal_head *jh;

	w->copies = kvmalloc_array(w->t->nr_buffers + 1, sizeof(*w->copies), GFP_NOFS | __GFP_NOFAIL);
	list_for_each_entry(jh, &w->t->buffers, list)
		if (!jh->freed)
			copy_buffer(w, jh->bh);
}

/* The next transaction may begin. */
static void unlock_transaction(struct journal *j, struct transaction *t)
{
	struct journal_head *jh, *next;

	spin_lock(&j->j_lock);
	list_for_each_entry_safe(jh, next, &t->buffers, list) {
		list_del(&jh->list);
		jh->running = NULL;
		jh->writing = t;
		list_add_tail(&jh->wlist, &t->wbuffers);
	}
	t->state = T_WRITING;
	t->log_start = j->head;
	j->writing = t;
	WRITE_ONCE(j->running, NULL);
	spin_unlock(&j->j_lock);
	wake_up_all(&j->wait_locked);
}

static void lock_transaction(struct journal *j, struct transaction *t)
{
	spin_lock(&j->j_lock);
	t->state = T_LOCKED;
	spin_unlock(&j->j_lock);
	wait_event(j->wait_updates, !READ_ONCE(t->updates));
}

/* ---- step 2: the log ---- */

static void write_revokes(struct log_writer *w)
{
	struct journal *j = w->j;
	unsigned int size = j->wide ? 8 : 4, end = j->blocksize - (j->csum ? sizeof(struct jbd_block_tail) : 0);
	struct jbd_revoke_header *h = NULL;
	struct page *page = NULL;
	unsigned int at = 0;
	unsigned long block;
	void *entry;

	xa_for_each(&w->t->revokes, block, entry) {
		if (h && at + size > end) {
			h->r_count = cpu_to_be32(at);
			set_tail_csum(j, h);
			log_block(w, page);
			h = NULL;
		}
		if (!h) {
			h = new_log_block(w, JBD_REVOKE_BLOCK, &page);
			at = sizeof(*h);
		}
		if (j->wide)
			put_unaligned(cpu_to_be64(block), (u64 *)((u8 *)h + at));
		else
			put_unaligned(cpu_to_be32(block), (u32 *)((u8 *)h + at));
		at += size;
	}
	if (!h)
		return;
	h->r_count = cpu_to_be32(at);
	set_tail_csum(j, h);
	log_block(w, page);
}

static void put_tag(struct journal *j, void *at, const struct copy *c, u32 flags)
{
	flags |= c->escaped ? JBD_TAG_ESCAPED : 0;
	if (j->csum) {
		struct jbd_tag3 tag = { cpu_to_be32((u32)c->block), cpu_to_be32(flags), cpu_to_be32((u32)(c->block >> 32)),
					cpu_to_be32(c->csum) };

		memcpy(at, &tag, sizeof(tag));
	} else {
		struct jbd_tag tag = { cpu_to_be32((u32)c->block), 0, cpu_to_be16((u16)flags),
				       cpu_to_be32((u32)(c->block >> 32)) };

		memcpy(at, &tag, jbd_tag_bytes(j));
	}
}

/* One descriptor and the copies it tells of.  The next copy to write. */
static unsigned int write_group(struct log_writer *w, unsigned int first)
{
	struct journal *j = w->j;
	unsigned int tag = jbd_tag_bytes(j), at = sizeof(struct jbd_header), next = first;
	unsigned int end = j->blocksize - (j->csum ? sizeof(struct jbd_block_tail) : 0) - 16;	/* a uuid once */
	struct page *page;
	u8 *h = new_log_block(w, JBD_DESCRIPTOR_BLOCK, &page);

	while (next < w->nr_copies && at + tag <= end) {
		bool last = next + 1 == w->nr_copies || at + 2 * tag + (next == first ? 16 : 0) > end;

		put_tag(j, h + at, &w->copies[next], (next > first ? JBD_TAG_SAME_UUID : 0) | (last ? JBD_TAG_LAST : 0));
		at += tag;
		if (next++ == first) {
			memcpy(h + at, j->sb->s_uuid, sizeof(j->sb->s_uuid));
			at += sizeof(j->sb->s_uuid);
		}
		if (last)
			break;
	}
	set_tail_csum(j, h);
	log_block(w, page);
	for (unsigned int i = first; i < next; i++)
		log_block(w, w->copies[i].page);
	return next;
}

/* With the device's help it lasts when it is written; else a flush has to follow. */
static int write_commit_block(struct log_writer *w)
{
	struct journal *j = w->j;
	struct timespec64 now;
	struct page *page;
	int err;
	struct jbd_commit_header *h = new_log_block(w, JBD_COMMIT_BLOCK, &page);

	ktime_get_coarse_real_ts64(&now);
	h->h_commit_sec = cpu_to_be64((u64)now.tv_sec);
	h->h_commit_nsec = cpu_to_be32((u32)now.tv_nsec);
	if (j->csum)
		h->h_chksum[0] = cpu_to_be32(jbd_csum(j->csum_seed, h, j->blocksize));
	log_block(w, page);
	w->bio->bi_fua = j->barrier && bdev_get_queue(j->bdev)->limits.fua;
	err = wait_for_log(w);
	return err || !j->barrier || bdev_get_queue(j->bdev)->limits.fua ? err : blkdev_issue_flush(j->bdev);
}

static int write_log(struct log_writer *w)
{
	struct journal *j = w->j;
	int err = 0;

	if (j->free < jbd_space_needed(j, w->nr_copies))
		return -ENOSPC;			/* cannot be: jbd_start() has counted */
	if (!j->sb->s_start)
		err = jbd_write_tail(j, w->t->log_start, w->t->tid);
	if (err)
		return err;
	write_revokes(w);
	for (unsigned int i = 0; i < w->nr_copies;)
		i = write_group(w, i);
	err = wait_for_log(w);
	if (!err && j->barrier)
		err = blkdev_issue_flush(j->bdev);
	return err ? err : write_commit_block(w);
}

static void free_log(struct log_writer *w)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &w->pages, lru) {
		list_del(&page->lru);
		put_page(page);
	}
	for (unsigned int i = 0; i < w->nr_copies; i++)
		put_page(w->copies[i].page);
	kvfree(w->copies);
}

/* ---- step 4 ---- */

/* j_lock held. */
static void finish_buffer(struct transaction *t, struct journal_head *jh, bool committed)
{
	bool freed = jh->freed && !jh->running;

	list_del(&jh->wlist);
	jh->writing = NULL;
	if (!committed)
		goto out;
	if (jh->freed && jh->running)
		goto out;			/* not in this transaction's log, and somebody's again */
	if (jh->checkpoint) {
		list_del(&jh->cp_list);
		jh->checkpoint = NULL;
	}
	if (freed) {
		clear_bit(BH_Dirty, &jh->bh->b_state);
		goto out;
	}
	jh->checkpoint = t;
	list_add_tail(&jh->cp_list, &t->cp_buffers);
	if (!jh->running)
		mark_buffer_dirty(jh->bh);
out:
	jbd_jh_put(jh);
}

static void finish_buffers(struct journal *j, struct transaction *t, bool committed)
{
	struct journal_head *jh;

	spin_lock(&j->j_lock);
	while ((jh = list_first_entry_or_null(&t->wbuffers, struct journal_head, wlist))) {
		finish_buffer(t, jh, committed);
		spin_unlock(&j->j_lock);
		cond_resched();
		spin_lock(&j->j_lock);
	}
	spin_unlock(&j->j_lock);
}

static void run_callbacks(struct transaction *t, bool committed)
{
	struct commit_callback *cb, *next;

	list_for_each_entry_safe(cb, next, &t->callbacks, link) {
		list_del(&cb->link);
		if (committed)
			cb->fn(cb->data, cb->block, cb->len);
		kfree(cb);
	}
}

static void finish(struct journal *j, struct transaction *t, bool committed)
{
	bool keep;

	finish_buffers(j, t, committed);
	run_callbacks(t, committed);
	xa_destroy(&t->revokes);
	spin_lock(&j->j_lock);
	j->writing = NULL;
	j->committed = t->tid;
	keep = !list_empty(&t->cp_buffers);
	if (keep)
		list_add_tail(&t->cp_link, &j->checkpoints);
	spin_unlock(&j->j_lock);
	if (!keep)
		kfree(t);
	wake_up_all(&j->wait_done);
	wake_up_all(&j->wait_locked);
}

void jbd_commit_running(struct journal *j)
{
	struct log_writer w = { .j = j, .t = READ_ONCE(j->running) };
	int err;

	if (!w.t)
		return;
	INIT_LIST_HEAD(&w.pages);
	init_completion(&w.done);
	atomic_set(&w.pending, 1);
	lock_transaction(j, w.t);
	copy_buffers(&w);
	unlock_transaction(j, w.t);
	err = READ_ONCE(j->err) ?: write_log(&w);
	if (err && !READ_ONCE(j->err)) {
		pr_err("jbd: %s: cannot write the log: error %d\n", j->bdev->bd_name, err);
		jbd_abort(j, err);
	}
	free_log(&w);
	finish(j, w.t, !err);
	jbd_drop_clean(j);
}
