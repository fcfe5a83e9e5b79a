/*
 * recovery.c: after a crash: complete transactions from the log to their places.
 *
 * Passes:  SCAN    from the tail on: descriptors, revokes and commit blocks with the expected number; the first thing that
 *                  does not fit is the log's end.  With checksums a commit block must be right, too.
 *          REVOKE  which blocks are revoked, and by which transaction at last.
 *          REPLAY  each logged block to its place, unless a transaction not older than its own revokes it.
 * Idea:    the log is read past the device's cache, which may hold the log of an earlier mount; places are written through it.
 * Locking: none: nobody else knows the journal yet.
 * See:     jbd_format.h, commit.c
 */
#include <weft/bio.h>
#include <weft/err.h>
#include <weft/highmem.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/string.h>
#include "jbd_internal.h"

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

struct recovery {
	struct journal	*j;
	struct page	*control, *data;	/* a block of the log's own; a logged one */
	jbd_tid_t	start, end;		/* transactions [start, end) are complete */
	struct xarray	revoked;		/* block -> value: the last transaction that revokes it */
	u32		log;			/* the next block to look at */
	u32		seen;			/* blocks looked at: the log is a ring */
	unsigned int	replayed, skipped;
	bool		csum, v3, wide;
};

static int read_log(struct recovery *r, u32 block, struct page *page)
{
	struct journal *j = r->j;
	struct bio *bio = bio_alloc(j->bdev, 1, REQ_OP_READ, GFP_KERNEL);
	int err;

	bio->bi_sector = j->blocks[block] * (j->blocksize >> SECTOR_SHIFT);
	bio_add_page(bio, page, j->blocksize, 0);
	err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

static u32 advance(struct recovery *r)
{
	u32 block = r->log;

	r->log = log_next(r->j, r->log);
	r->seen++;
	return block;
}

/* The checksum in the last four bytes of the log's own blocks. */
static bool tail_csum_ok(struct recovery *r, void *block)
{
	struct jbd_block_tail *tail = (void *)((u8 *)block + r->j->blocksize - sizeof(*tail));
	__be32 found = tail->t_checksum;
	u32 crc;

	if (!r->csum)
		return true;
	tail->t_checksum = 0;
	crc = jbd_csum(r->j->csum_seed, block, r->j->blocksize);
	tail->t_checksum = found;
	return be32_to_cpu(found) == crc;
}

static bool commit_csum_ok(struct recovery *r, struct jbd_commit_header *h)
{
	__be32 found = h->h_chksum[0];
	u32 crc;

	if (!r->csum)
		return true;
	h->h_chksum[0] = 0;
	crc = jbd_csum(r->j->csum_seed, h, r->j->blocksize);
	h->h_chksum[0] = found;
	return be32_to_cpu(found) == crc;
}

/* ---- descriptors ---- */

struct tag {
	u64	block;
	u32	flags, csum;
};

static struct tag get_tag(const struct recovery *r, const u8 *at)
{
	struct jbd_tag3 t3;
	struct jbd_tag t;

	if (r->v3) {
		memcpy(&t3, at, sizeof(t3));
		return (struct tag){ be32_to_cpu(t3.t_blocknr) | (r->wide ? (u64)be32_to_cpu(t3.t_blocknr_high) << 32 : 0),
				     be32_to_cpu(t3.t_flags), be32_to_cpu(t3.t_checksum) };
	}
	memcpy(&t, at, sizeof(t));
	return (struct tag){ be32_to_cpu(t.t_blocknr) | (r->wide ? (u64)be32_to_cpu(t.t_blocknr_high) << 32 : 0),
			     be16_to_cpu(t.t_flags), be16_to_cpu(t.t_checksum) };
}

static bool is_revoked(struct recovery *r, u64 block, jbd_tid_t tid)
{
	void *entry = xa_load(&r->revoked, block);

	return entry && !tid_after(tid, (jbd_tid_t)xa_to_value(entry));
}

/* One logged block to its place. */
static int replay_block(struct recovery *r, u32 from, const struct tag *tag, jbd_tid_t tid)
{
	struct journal *j = r->j;
	u8 *data = page_address(r->data);
	struct buffer_head *bh;
	u32 crc;
	int err;

	if (is_revoked(r, tag->block, tid)) {
		r->skipped++;
		return 0;
	}
	err = read_log(r, from, r->data);
	if (err)
		return err;
	if (tag->flags & JBD_TAG_ESCAPED)
		put_unaligned(cpu_to_be32(JBD_MAGIC), (u32 *)data);
	crc = jbd_data_csum(j, tid, data);
	if (r->csum && (r->v3 ? crc != tag->csum : (u16)crc != tag->csum)) {
		pr_err("jbd: %s: block %llu in the log: wrong checksum\n", j->bdev->bd_name, tag->block);
		return -EUCLEAN;
	}
	bh = __getblk(j->bdev, tag->block, j->blocksize);
	if (!bh)
		return -EIO;
	lock_buffer(bh);
	memcpy(bh->b_data, data, j->blocksize);
	set_buffer_uptodate(bh);
	unlock_buffer(bh);
	mark_buffer_dirty(bh);
	brelse(bh);
	r->replayed++;
	return 0;
}

/* The blocks behind a descriptor: passed over, or replayed. */
static int descriptor(struct recovery *r, enum pass pass, jbd_tid_t tid)
{
	const u8 *h = page_address(r->control);
	unsigned int size = jbd_tag_bytes(r->j), at = sizeof(struct jbd_header);
	unsigned int end = r->j->blocksize - (r->csum ? sizeof(struct jbd_block_tail) : 0);
	int ret = 0;

	while (at + size <= end) {
		struct tag tag = get_tag(r, h + at);
		u32 from = advance(r);
		int err = pass == PASS_REPLAY ? replay_block(r, from, &tag, tid) : 0;

		if (err && !ret)
			ret = err;		/* the others may still be good */
		at += size + (tag.flags & JBD_TAG_SAME_UUID ? 0 : 16);
		if (tag.flags & JBD_TAG_LAST)
			break;
		cond_resched();
	}
	return ret;
}

static int revoke(struct recovery *r, jbd_tid_t tid)
{
	const u8 *block = page_address(r->control);
	u32 end = be32_to_cpu(((const struct jbd_revoke_header *)block)->r_count), size = r->wide ? 8 : 4;

	if (end > r->j->blocksize)
		return -EUCLEAN;
	for (u32 at = sizeof(struct jbd_revoke_header); at + size <= end; at += size) {
		u64 nr = r->wide ? be64_to_cpu(get_unaligned((const u64 *)(block + at))) :
				   be32_to_cpu(get_unaligned((const u32 *)(block + at)));
		void *old = xa_load(&r->revoked, nr);

		if (old && !tid_after(tid, (jbd_tid_t)xa_to_value(old)))
			continue;
		old = xa_store(&r->revoked, nr, xa_mk_value(tid), GFP_KERNEL);
		if (xa_is_err(old))
			return xa_err(old);
	}
	return 0;
}

/* One block of the log's own.  1: the log goes on, 0: it ends here, or -errno. */
static int one_block(struct recovery *r, enum pass pass, jbd_tid_t *tid)
{
	struct jbd_header *h = page_address(r->control);
	int err = read_log(r, r->log, r->control);

	if (err)
		return err;
	if (be32_to_cpu(h->h_magic) != JBD_MAGIC || be32_to_cpu(h->h_sequence) != *tid)
		return 0;
	switch (be32_to_cpu(h->h_blocktype)) {
	case JBD_DESCRIPTOR_BLOCK:
		if (!tail_csum_ok(r, h))
			return 0;
		advance(r);
		err = descriptor(r, pass, *tid);
		return err ?: 1;
	case JBD_REVOKE_BLOCK:
		if (!tail_csum_ok(r, h))
			return 0;
		advance(r);
		err = pass == PASS_REVOKE ? revoke(r, *tid) : 0;
		return err ?: 1;
	case JBD_COMMIT_BLOCK:
		if (!commit_csum_ok(r, (struct jbd_commit_header *)h))
			return 0;
		advance(r);
		++*tid;
		return 1;
	}
	return 0;
}

static int do_pass(struct recovery *r, enum pass pass)
{
	jbd_tid_t tid = r->start;
	int more = 1;

	r->log = be32_to_cpu(r->j->sb->s_start);
	r->seen = 0;
	while (more > 0 && (pass == PASS_SCAN || tid != r->end) && r->seen < r->j->last - r->j->first)
		more = one_block(r, pass, &tid);
	if (pass == PASS_SCAN)
		r->end = tid;
	return min(more, 0);
}

int jbd_recover(struct journal *j)
{
	u32 features = be32_to_cpu(j->sb->s_feature_incompat);
	struct recovery r = {
		.j = j, .start = be32_to_cpu(j->sb->s_sequence),
		.control = alloc_page(GFP_KERNEL), .data = alloc_page(GFP_KERNEL),
		.csum = features & (JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3), .v3 = features & JBD_INCOMPAT_CSUM_V3,
		.wide = features & JBD_INCOMPAT_64BIT,
	};
	int err = r.control && r.data ? 0 : -ENOMEM;

	xa_init(&r.revoked);
	for (enum pass pass = PASS_SCAN; pass <= PASS_REPLAY && !err; pass++)
		err = do_pass(&r, pass);
	if (!err)
		err = sync_blockdev(j->bdev);
	if (!err)
		err = blkdev_issue_flush(j->bdev);
	if (!err)
		pr_info("jbd: %s: recovered: transactions %u to %u, %u blocks replayed, %u revoked\n", j->bdev->bd_name,
			r.start, r.end - 1, r.replayed, r.skipped);
	j->next_tid = r.end + 1;		/* the log may hold pieces of r.end */
	xa_destroy(&r.revoked);
	if (r.control)
		put_page(r.control);
	if (r.data)
		put_page(r.data);
	return err;
}
