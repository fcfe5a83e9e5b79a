/*
 * writeback.c: dirty pages to the disk, and then what leads to them.
 *
 * Idea:    a page all of whose blocks have a place and lie within the size on disk is just written.  The others are collected
 *          and go in three steps:
 *              1. runs of blocks that have no place are claimed, many at once (in memory only);
 *              2. the data are written, and waited for;
 *              3. one handle for each run: blocks used, entered into the map, unwritten ones marked as written, size raised.
 *          The pages are under write-back all the time: truncation waits for that, so it meets either nothing or all.
 *          So no reader ever sees a block of a file before the file's data are in it, not even after a crash.
 *          Who only starts write-back (the flusher, the first round of sync) does not wait in step 2: work does step 3 when the
 *          data have arrived.  So the data of many small files are under way together, and merge.
 * Locking: page lock to put a page into the batch, PG_writeback from then on.  Batches of one file only ever wait for pages
 *          behind their own, so two of them cannot wait for each other.
 * See:     aops.c; ext.h
 */
#include <weft/bio.h>
#include <weft/blkdev.h>
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/highmem.h>
#include <weft/init.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/wait.h>
#include <weft/workqueue.h>
#include <weft/writeback.h>
#include "ext.h"

#define BATCH_PAGES	512

/* Blocks of the batch that follow one another in the file and on the disk. */
enum run_kind { RUN_NEW, RUN_UNWRITTEN, RUN_PLACED };
struct run {
	enum run_kind	kind;
	ext_lblk_t	lblk;
	u32		len;
	ext_pblk_t	pblk;			/* 0: there was no room */
};

struct wb {
	struct inode	*inode;			/* kept by its pages, which are under write-back */
	struct bio	*bio;			/* being filled */
	bool		counted;		/* bio is one of the batch, which waits for it */
	struct ext_map	map;			/* the last look-up */
	u32		map_seq;		/* ... and when */
	struct page	**pages;		/* the batch: locked no more, under write-back */
	unsigned int	nr_pages;
	struct run	*runs;			/* of the batch, claimed */
	unsigned int	nr_runs;
	atomic_t	pending;		/* bios of the batch, and one */
	bool		detached;		/* the last batch: `work` ends and frees it */
	struct completion done;
	struct work_struct work;
	int		err;
};

#define MAX_DETACHED	128
static atomic_t nr_detached;
static DECLARE_WAIT_QUEUE_HEAD(detached_wait);	/* for half of them to end */
static struct workqueue_struct *finish_wq;

static ext_lblk_t first_block(const struct page *page, const struct inode *inode)
{
	return (ext_lblk_t)((u64)page->index << (PAGE_SHIFT - inode->i_blkbits));
}

/* ---- bios ---- */

/* Of pages that need nothing afterwards.  Each page lies in a bio of its own run, and a page with several is waited for. */
static void end_plain_bio(struct bio *bio)
{
	bio_for_each_bvec(bv, bio)
		for (unsigned int i = 0; i << PAGE_SHIFT < bv->bv_offset + bv->bv_len; i++) {
			struct page *page = bv->bv_page + i;

			if (bio->bi_status) {
				SetPageError(page);
				mapping_set_error(page->mapping, bio->bi_status);
			}
			end_page_writeback(page);
		}
	bio_put(bio);
}

static void bio_of_batch_done(struct wb *wb)
{
	if (!atomic_dec_and_test(&wb->pending))
		return;
	if (wb->detached)
		queue_work(finish_wq, &wb->work);
	else
		complete(&wb->done);
}

static void end_batch_bio(struct bio *bio)
{
	struct wb *wb = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(wb->err, bio->bi_status);
	bio_put(bio);
	bio_of_batch_done(wb);
}

static void submit(struct wb *wb)
{
	if (!wb->bio)
		return;
	if (wb->counted)
		atomic_inc(&wb->pending);
	submit_bio(wb->bio);
	wb->bio = NULL;
}

/* len bytes of a page, to blocks from pblk on. */
static void add_to_bio(struct wb *wb, struct page *page, unsigned int off, unsigned int len, ext_pblk_t pblk, bool counted)
{
	sector_t sector = pblk << (wb->inode->i_blkbits - SECTOR_SHIFT);

	if (wb->bio && (wb->counted != counted || bio_end_sector(wb->bio) != sector || !bio_add_page(wb->bio, page, len, off)))
		submit(wb);
	else if (wb->bio)
		return;
	wb->counted = counted;
	wb->bio = bio_alloc(wb->inode->i_sb->s_bdev, BIO_MAX_VECS, REQ_OP_WRITE, GFP_NOFS);
	wb->bio->bi_sector = sector;
	wb->bio->bi_private = wb;
	wb->bio->bi_end_io = counted ? end_batch_bio : end_plain_bio;
	bio_add_page(wb->bio, page, len, off);
}

static int wait_for_bios(struct wb *wb)
{
	int err;

	submit(wb);
	if (!atomic_dec_and_test(&wb->pending))
		wait_for_completion(&wb->done);
	reinit_completion(&wb->done);
	atomic_set(&wb->pending, 1);
	err = wb->err;
	wb->err = 0;
	return err;
}

/* ---- step 1: where to ---- */

/*
 * What the map says of one block.  The last answer is kept: it covers what follows, unless blocks have left the file
 * meanwhile.  Those of a page that we hold locked, or under write-back, cannot.
 */
static int look_up(struct wb *wb, ext_lblk_t lblk)
{
	u32 seq = (u32)atomic_read_acquire(&EXT_I(wb->inode)->map_seq);

	if (wb->map.len && wb->map_seq == seq && lblk >= wb->map.lblk && lblk - wb->map.lblk < wb->map.len)
		return 0;
	wb->map_seq = seq;
	wb->map = (struct ext_map){ .lblk = lblk, .len = UINT_MAX };
	return ext_map_lookup(wb->inode, &wb->map);
}

/* One block of a page of the batch: what it needs.  false: nothing, it is a hole that nobody wrote to. */
static bool classify(struct wb *wb, const struct page *page, unsigned int block, struct run *r)
{
	ext_lblk_t lblk = first_block(page, wb->inode) + block;

	*r = (struct run){ RUN_NEW, lblk, 1, 0 };
	if (ext_block_promised(page, block))
		return true;
	if (look_up(wb, lblk) || !wb->map.flags)
		return false;
	r->kind = wb->map.flags & EXT_MAP_UNWRITTEN ? RUN_UNWRITTEN : RUN_PLACED;
	r->pblk = wb->map.pblk + (lblk - wb->map.lblk);
	return true;
}

static bool joins(const struct run *last, const struct run *next)
{
	return last->kind == next->kind && last->lblk + last->len == next->lblk &&
	       (last->kind == RUN_NEW || last->pblk + last->len == next->pblk);
}

static unsigned int blocks_used(const struct wb *wb, const struct page *page)
{
	loff_t left = i_size_read(wb->inode) - page_offset(page);

	return left <= 0 ? 0 : DIV_ROUND_UP((unsigned int)min_t(loff_t, left, PAGE_SIZE), i_blocksize(wb->inode));
}

/* ---- step 2: the data of one run ---- */

static void write_run(struct wb *wb, const struct run *r)
{
	unsigned int bits = wb->inode->i_blkbits, per_page = PAGE_SIZE >> bits;

	for (unsigned int i = 0; i < wb->nr_pages; i++) {
		u64 first = first_block(wb->pages[i], wb->inode), lo = max(first, (u64)r->lblk);
		u64 hi = min(first + per_page, (u64)r->lblk + r->len);

		if (lo < hi)
			add_to_bio(wb, wb->pages[i], (unsigned int)(lo - first) << bits, (unsigned int)(hi - lo) << bits,
				   r->pblk + (lo - r->lblk), true);
	}
}

/* Claims a run; writes the data.  What cannot be claimed at once is cut off and done next. */
static void claim_and_write(struct wb *wb, struct run *r, struct run *rest)
{
	int err = 0;

	rest->len = 0;
	if (r->kind == RUN_NEW) {
		u32 len = r->len;

		r->pblk = ext_claim_blocks(EXT_FS(wb->inode->i_sb), ext_map_goal(wb->inode, r->lblk), &len, true, &err);
		if (!r->pblk) {
			mapping_set_error(wb->inode->i_mapping, err);
			pr_err_ratelimited("ext: %s: inode %lu: no room for %u blocks of delayed data: lost\n",
					   wb->inode->i_sb->s_id, wb->inode->i_ino, r->len);
			return;
		}
		*rest = (struct run){ RUN_NEW, r->lblk + len, r->len - len, 0 };
		r->len = len;
	}
	write_run(wb, r);
}

/* ---- step 3: what leads to the data ---- */

/* The size on disk: as far as data have arrived.  i_size is asked for under the lock: a truncation sets it before this one. */
static void raise_disksize(struct wb *wb, const struct run *r)
{
	struct ext_inode *ei = EXT_I(wb->inode);
	loff_t end = (loff_t)((u64)r->lblk + r->len) << wb->inode->i_blkbits;

	down_write(&ei->data_sem);
	ei->disksize = max_t(loff_t, ei->disksize, min_t(loff_t, end, i_size_read(wb->inode)));
	up_write(&ei->data_sem);
}

/* Used blocks into the map; or, when that has no room, back. */
static int insert_or_free(struct jbd_handle *handle, struct inode *inode, const struct ext_map *map)
{
	int err = ext_map_insert(handle, inode, map);

	if (err) {
		inode_add_bytes(inode, (loff_t)map->len << inode->i_blkbits);	/* taken off by freeing */
		ext_free_blocks(handle, inode, map->pblk, map->len, false);
	}
	return err;
}

static int enter_run(struct wb *wb, const struct run *r)
{
	struct super_block *sb = wb->inode->i_sb;
	struct ext_map map = { r->lblk, r->len, EXT_MAP_MAPPED, r->pblk };
	struct jbd_handle *handle;
	int err = 0;

	if (r->kind == RUN_PLACED && (loff_t)((u64)r->lblk + r->len) << wb->inode->i_blkbits <= EXT_I(wb->inode)->disksize)
		return 0;
	handle = ext_start(sb, CREDITS_MAP);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	if (r->kind == RUN_NEW) {
		err = ext_commit_blocks(handle, EXT_FS(sb), r->pblk, r->len);
		if (!err)
			err = insert_or_free(handle, wb->inode, &map);
	} else if (r->kind == RUN_UNWRITTEN) {
		err = ext_map_convert(handle, wb->inode, r->lblk, r->len);
	}
	if (!err) {
		raise_disksize(wb, r);
		err = ext_write_inode_to(handle, wb->inode);
	}
	ext_note_change(handle, wb->inode, true);
	ext_stop(sb, handle);
	return err;
}

/* The pages know it, too.  entered: all went well. */
static void mark_run(struct wb *wb, const struct run *r, bool entered)
{
	unsigned int per_page = PAGE_SIZE >> wb->inode->i_blkbits;

	for (unsigned int i = 0; i < wb->nr_pages; i++)
		for (unsigned int b = 0; b < per_page; b++) {
			ext_lblk_t lblk = first_block(wb->pages[i], wb->inode) + b;

			if (lblk < r->lblk || lblk - r->lblk >= r->len || !ext_block_promised(wb->pages[i], b))
				continue;
			if (r->pblk)
				ext_block_written(wb->pages[i], b, entered);
			else
				ext_block_lost(wb->pages[i], b);
		}
}

static void finish_run(struct wb *wb, struct run *r, int io_err)
{
	int err = r->pblk ? io_err ?: enter_run(wb, r) : -ENOSPC;

	mark_run(wb, r, !err);
	if (!err || !r->pblk)
		return;
	mapping_set_error(wb->inode->i_mapping, err);
	ext_std_error(wb->inode->i_sb, io_err ? 0 : err);
	if (r->kind == RUN_NEW && io_err)
		ext_unclaim_blocks(EXT_FS(wb->inode->i_sb), r->pblk, r->len);
}

/* ---- a batch ---- */

/* One pass over the batch's blocks: its runs. */
static unsigned int collect_runs(struct wb *wb, struct run *runs)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < wb->nr_pages; i++) {
		unsigned int blocks = blocks_used(wb, wb->pages[i]);

		for (unsigned int b = 0; b < blocks; b++) {
			struct run r;

			if (!classify(wb, wb->pages[i], b, &r))
				continue;
			if (n && joins(&runs[n - 1], &r))
				runs[n - 1].len++;
			else
				runs[n++] = r;
		}
	}
	return n;
}

/* Steps 1 and 2: all data are under way. */
static void start_batch(struct wb *wb)
{
	unsigned int max = wb->nr_pages * (PAGE_SIZE >> wb->inode->i_blkbits), n;

	submit(wb);				/* plain pages collected so far are not waited for */
	wb->map.len = 0;
	wb->runs = kvmalloc_array(max, sizeof(*wb->runs), GFP_NOFS | __GFP_NOFAIL);
	n = collect_runs(wb, wb->runs);
	wb->nr_runs = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct run rest;

		claim_and_write(wb, &wb->runs[i], &rest);
		wb->nr_runs = i + 1;
		if (rest.len && n < max) {
			memmove(&wb->runs[i + 2], &wb->runs[i + 1], (n - i - 1) * sizeof(*wb->runs));
			wb->runs[i + 1] = rest;
			n++;
		}
	}
	submit(wb);
}

/* Step 3: the data have arrived, or not. */
static void finish_batch(struct wb *wb, int err)
{
	for (unsigned int i = 0; i < wb->nr_runs; i++)
		finish_run(wb, &wb->runs[i], err);
	kvfree(wb->runs);
	wb->map.len = 0;
	for (unsigned int i = 0; i < wb->nr_pages; i++) {
		end_page_writeback(wb->pages[i]);
		put_page(wb->pages[i]);
	}
	wb->nr_pages = 0;
}

static void flush_batch(struct wb *wb)
{
	if (!wb->nr_pages)
		return;
	start_batch(wb);
	finish_batch(wb, wait_for_bios(wb));
}

static void free_wb(struct wb *wb)
{
	kvfree(wb->pages);
	kfree(wb);
}

static void finish_work(struct work_struct *work)
{
	struct wb *wb = container_of(work, struct wb, work);

	finish_batch(wb, wb->err);
	free_wb(wb);
	if (atomic_dec_return(&nr_detached) == MAX_DETACHED / 2)
		wake_up_all(&detached_wait);
}

/*
 * The last batch goes on by itself; false: there is none.  When too many are under way, half of them have to end first,
 * not just one: so the data of many small files still meet in the caller's plug and merge.
 */
static bool detach_batch(struct wb *wb)
{
	if (!wb->nr_pages)
		return false;
	if (atomic_read(&nr_detached) >= MAX_DETACHED)
		wait_event(detached_wait, atomic_read(&nr_detached) <= MAX_DETACHED / 2);
	atomic_inc(&nr_detached);
	wb->detached = true;
	INIT_WORK(&wb->work, finish_work);
	start_batch(wb);
	bio_of_batch_done(wb);
	return true;
}

/* ---- one page ---- */

/* All of it has a place in one run, within the size on disk: may be written without more ado. */
static bool is_plain(struct wb *wb, struct page *page, unsigned int blocks, ext_pblk_t *pblk)
{
	ext_lblk_t lblk = first_block(page, wb->inode);

	if (EXT_I(wb->inode)->disksize < min_t(loff_t, page_offset(page) + PAGE_SIZE, i_size_read(wb->inode)))
		return false;
	for (unsigned int b = 0; b < blocks; b++)
		if (ext_block_promised(page, b))
			return false;
	if (look_up(wb, lblk) || wb->map.flags != EXT_MAP_MAPPED || wb->map.len - (lblk - wb->map.lblk) < blocks)
		return false;
	*pblk = wb->map.pblk + (lblk - wb->map.lblk);
	return true;
}

/* The same page, of a file whose data go through the journal. */
static void log_page(struct inode *inode, struct page *page, unsigned int bytes)
{
	int err;

	set_page_writeback(page);
	err = ext_jdata_log(page, 0, bytes, 0);
	if (err)
		mapping_set_error(inode->i_mapping, err);
	end_page_writeback(page);
	unlock_page(page);
}

/* A locked page whose dirty flag has just been cleared.  Unlocks it. */
static int write_one(struct page *page, struct writeback_control *wbc, void *data)
{
	struct wb *wb = data;
	unsigned int blocks = blocks_used(wb, page);
	loff_t left = i_size_read(wb->inode) - page_offset(page);
	ext_pblk_t pblk;

	if (!blocks) {				/* truncated meanwhile */
		unlock_page(page);
		return 0;
	}
	if (left < PAGE_SIZE)			/* what a mapping put behind the end must not come back when the file grows */
		zero_user_segment(page, (unsigned int)left, PAGE_SIZE);
	if (ext_journals_data(wb->inode)) {
		log_page(wb->inode, page, blocks << wb->inode->i_blkbits);
		return 0;
	}
	if (is_plain(wb, page, blocks, &pblk)) {
		set_page_writeback(page);
		unlock_page(page);
		add_to_bio(wb, page, 0, blocks << wb->inode->i_blkbits, pblk, false);
		return 0;
	}
	if (wb->nr_pages == BATCH_PAGES)
		flush_batch(wb);
	set_page_writeback(page);
	get_page(page);
	unlock_page(page);
	wb->pages[wb->nr_pages++] = page;
	return 0;
}

static struct wb *new_wb(struct inode *inode)
{
	struct wb *wb = kzalloc(sizeof(*wb), GFP_NOFS);

	if (!wb)
		return NULL;
	wb->pages = kvmalloc_array(BATCH_PAGES, sizeof(*wb->pages), GFP_NOFS);
	if (!wb->pages) {
		kfree(wb);
		return NULL;
	}
	wb->inode = inode;
	init_completion(&wb->done);
	atomic_set(&wb->pending, 1);
	return wb;
}

int ext_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct blk_plug plug;
	struct wb *wb;
	int err;

	if (sb_rdonly(mapping->host->i_sb))
		return -EROFS;
	wb = new_wb(mapping->host);
	if (!wb)
		return -ENOMEM;
	blk_start_plug(&plug);
	err = write_cache_pages(mapping, wbc, write_one, wb);
	if (wbc->sync_mode == WB_SYNC_ALL || !detach_batch(wb)) {
		flush_batch(wb);
		submit(wb);
		free_wb(wb);
	}
	blk_finish_plug(&plug);
	return err;
}

int __init ext_writeback_init(void)
{
	finish_wq = alloc_workqueue("ext-writeback", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	return finish_wq ? 0 : -ENOMEM;
}
