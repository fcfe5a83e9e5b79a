/*
 * blk-mq.c: requests: from a bio to the device and back.
 *
 * Idea:    the CPU that submits picks its channel (hctx).  The bio joins a waiting request that it continues, or takes a
 *          free one, or sleeps until there is one.  Requests go to the driver at once as long as it takes them; when it is
 *          full they wait, in order, and grow by merging: the busier the device, the larger the pieces.  What a task had
 *          plugged comes as a chain (blk-plug.c).
 *          The end of a request makes room: whoever ends one gives the driver the next.
 * Locking: hctx->lock, interrupts off.  bios are ended without it, in the order of the device.
 *
 *              submitter                               interrupt: end
 *              free list empty: joins free_wait
 *                                                      puts the request back, wakes
 *              looks again under the lock: takes it
 *
 * Cost:    one lock and no allocation for each request; searching for a merge looks at the newest 8 waiting requests.
 * See:     spec.md §10 "block layer"; include/weft/blkdev.h
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/log2.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/timekeeping.h>
#include <weft/trace.h>
#include "blk.h"

#define MERGE_LOOKBACK	8

/* ---- accounting: the partition's counters and its disk's ---- */

static enum stat_group op_stat(enum req_op op)
{
	static const enum stat_group group[] = {
		[REQ_OP_READ] = STAT_READ, [REQ_OP_WRITE] = STAT_WRITE, [REQ_OP_FLUSH] = STAT_FLUSH,
		[REQ_OP_DISCARD] = STAT_DISCARD,
	};

	return group[op];
}

static void stat_start(struct block_device *bdev, u64 now)
{
	if (atomic_inc_return(&bdev->bd_stats.in_flight) == 1)
		WRITE_ONCE(bdev->bd_stats.busy_since, now);
}

static void stat_end(struct block_device *bdev, const struct request *rq, u64 now)
{
	struct disk_stats *s = &bdev->bd_stats;
	enum stat_group g = op_stat(rq->op);

	atomic64_inc(&s->ios[g]);
	atomic64_add(rq->data_len >> SECTOR_SHIFT, &s->sectors[g]);
	atomic64_add(now - rq->start_time, &s->nsecs[g]);
	if (atomic_dec_return(&s->in_flight) == 0)
		atomic64_add(now - READ_ONCE(s->busy_since), &s->io_nsecs);
}

static void account(struct request *rq, void (*each)(struct block_device *, u64), u64 now)
{
	struct block_device *bdev = rq->bio->bi_bdev;

	each(bdev, now);
	if (bdev->bd_partno)
		each(bdev->bd_disk->part0, now);
}

/* ---- building requests ---- */

static void fill_request(struct request *rq, struct bio *bio)
{
	rq->bio = rq->biotail = bio;
	rq->op = bio->bi_op;
	rq->fua = bio->bi_fua;
	rq->status = 0;
	rq->sector = bio->bi_sector;
	rq->data_len = bio->bi_size;
	rq->nr_segments = bio->bi_vcnt;
	rq->start_time = ktime_get_ns();
	account(rq, stat_start, rq->start_time);
}

/* Same kind, of the same device, and not too much together. */
static bool may_merge(const struct request *rq, const struct bio *bio)
{
	const struct queue_limits *lim = &rq->mq_hctx->queue->limits;

	return rq->op == bio->bi_op && rq->fua == bio->bi_fua && rq->op <= REQ_OP_WRITE && rq->bio->bi_bdev == bio->bi_bdev &&
	       (rq->data_len + bio->bi_size) >> SECTOR_SHIFT <= lim->max_sectors &&
	       rq->nr_segments + bio->bi_vcnt <= lim->max_segments;
}

static bool bios_gap(const struct queue_limits *lim, const struct bio *front, const struct bio *back)
{
	return bvec_gap(lim, &front->bi_io_vec[front->bi_vcnt - 1], back->bi_io_vec[0].bv_offset);
}

/* Makes the bio part of a waiting request that ends where it begins, or begins where it ends. */
static bool attempt_merge(struct blk_mq_hw_ctx *hctx, struct bio *bio)
{
	const struct queue_limits *lim = &hctx->queue->limits;
	unsigned int tries = MERGE_LOOKBACK;
	struct request *rq;

	lockdep_assert_held(&hctx->lock);
	list_for_each_entry_reverse(rq, &hctx->waiting, queuelist) {
		if (!tries--)
			return false;
		if (!may_merge(rq, bio))
			continue;
		if (rq->sector + (rq->data_len >> SECTOR_SHIFT) == bio->bi_sector && !bios_gap(lim, rq->biotail, bio)) {
			rq->biotail->bi_next = bio;
			rq->biotail = bio;
		} else if (bio_end_sector(bio) == rq->sector && !bios_gap(lim, bio, rq->bio)) {
			bio->bi_next = rq->bio;
			rq->bio = bio;
			rq->sector = bio->bi_sector;
		} else {
			continue;
		}
		rq->data_len += bio->bi_size;
		rq->nr_segments += bio->bi_vcnt;
		atomic64_inc(&bio->bi_bdev->bd_stats.merges[op_stat(bio->bi_op)]);
		return true;
	}
	return false;
}

/* ---- to the driver ---- */

/*
 * Gives the driver what waits, until it is full.  Requests that it refuses for good go to *failed.
 * Once the driver has taken a request it may have ended on another CPU, and gone, before queue_rq() is back:
 *
 *      run_hw_queue, hctx->lock held                   the device's interrupt, with the driver's own lock
 *      queue_rq(): the command is started
 *                                                      it has ended: onto the list of those done, bios freed
 *      (rq must not be touched any more)
 */
static void run_hw_queue(struct blk_mq_hw_ctx *hctx, struct list_head *failed)
{
	const struct blk_mq_ops *ops = hctx->queue->mq_ops;
	bool any = false;

	lockdep_assert_held(&hctx->lock);
	while (!list_empty(&hctx->waiting)) {
		struct request *rq = list_first_entry(&hctx->waiting, struct request, queuelist);
		dev_t dev = rq->bio->bi_bdev->bd_disk->part0->bd_dev;
		u64 sector = rq->sector;
		u32 op = rq->op, len = rq->data_len;
		int err;

		list_del_init(&rq->queuelist);
		err = ops->queue_rq(hctx, rq);
		if (err == -EBUSY) {
			list_add(&rq->queuelist, &hctx->waiting);
			break;
		}
		trace_block_rq_issue(dev, op, sector, len);
		any = true;
		if (err) {
			rq->status = err;
			list_add_tail(&rq->queuelist, failed);
		}
	}
	if (any)
		ops->commit_rqs(hctx);
}

/* One CPU, one channel: neighbours share when there are fewer channels than CPUs. */
static struct blk_mq_hw_ctx *map_queue(struct request_queue *q)
{
	return &q->hctx[raw_smp_processor_id() % q->nr_hw_queues];
}

/* Into a waiting request, or a free one.  false: all requests are in use. */
static bool insert_bio(struct blk_mq_hw_ctx *hctx, struct bio *bio)
{
	struct request *rq;

	if (attempt_merge(hctx, bio))
		return true;
	rq = list_first_entry_or_null(&hctx->free, struct request, queuelist);
	if (!rq)
		return false;
	hctx->inflight++;
	fill_request(rq, bio);
	list_move_tail(&rq->queuelist, &hctx->waiting);
	return true;
}

/* The bios at the head of the chain that are for this queue, as far as there are requests.  The rest of the chain. */
static struct bio *insert_chain(struct blk_mq_hw_ctx *hctx, struct bio *chain)
{
	lockdep_assert_held(&hctx->lock);
	while (chain && bdev_get_queue(chain->bi_bdev) == hctx->queue) {
		struct bio *next = chain->bi_next;

		chain->bi_next = NULL;
		if (!insert_bio(hctx, chain)) {
			chain->bi_next = next;
			break;
		}
		chain = next;
	}
	return chain;
}

/* hctx's part of the chain to the end of what waits for a request.  The rest of the chain. */
static struct bio *leave_with_channel(struct blk_mq_hw_ctx *hctx, struct bio *chain)
{
	lockdep_assert_held(&hctx->lock);
	while (chain && bdev_get_queue(chain->bi_bdev) == hctx->queue) {
		struct bio *next = chain->bi_next;

		chain->bi_next = NULL;
		*hctx->left_tail = chain;
		hctx->left_tail = &chain->bi_next;
		chain = next;
	}
	return chain;
}

/* Requests have become free: first for what was left with the channel. */
static void take_left(struct blk_mq_hw_ctx *hctx)
{
	if (likely(!hctx->left))
		return;
	hctx->left = insert_chain(hctx, hctx->left);
	if (!hctx->left)
		hctx->left_tail = &hctx->left;
}

static struct bio *try_submit(struct blk_mq_hw_ctx *hctx, struct bio *chain, bool leave)
{
	LIST_HEAD(failed);
	unsigned long flags;

	spin_lock_irqsave(&hctx->lock, flags);
	chain = insert_chain(hctx, chain);
	if (leave)
		chain = leave_with_channel(hctx, chain);
	run_hw_queue(hctx, &failed);
	spin_unlock_irqrestore(&hctx->lock, flags);
	if (!list_empty(&failed))
		blk_mq_end_requests(hctx, &failed);
	return chain;
}

void blk_mq_submit_chain(struct bio *chain, bool may_sleep)
{
	while (chain) {
		struct request_queue *q = bdev_get_queue(chain->bi_bdev);
		struct blk_mq_hw_ctx *hctx = map_queue(q);
		struct bio *rest = try_submit(hctx, chain, !may_sleep);

		if (rest == chain)
			wait_event(hctx->free_wait, (rest = try_submit(hctx, chain, false)) != chain);
		chain = rest;
	}
}

/* ---- back from the driver ---- */

static void end_bios(struct request *rq)
{
	struct bio *bio, *next;

	for (bio = rq->bio; bio; bio = next) {
		next = bio->bi_next;
		bio->bi_status = rq->status;
		bio_endio(bio);
	}
}

static void end_request(struct request *rq, u64 now)
{
	struct block_device *bdev = rq->bio->bi_bdev;

	trace_block_rq_complete(bdev->bd_disk->part0->bd_dev, rq->op, rq->sector, rq->data_len, rq->status);
	if (rq->status && rq->status != -EOPNOTSUPP)
		pr_err("I/O error %d, dev %s, sector %llu, op %d\n", rq->status, bdev->bd_disk->disk_name, (u64)rq->sector,
		       rq->op);
	stat_end(bdev, rq, now);
	if (bdev->bd_partno)
		stat_end(bdev->bd_disk->part0, rq, now);
	end_bios(rq);
}

void blk_mq_run_hw_queue(struct blk_mq_hw_ctx *hctx)
{
	LIST_HEAD(failed);
	unsigned long flags;

	spin_lock_irqsave(&hctx->lock, flags);
	run_hw_queue(hctx, &failed);
	spin_unlock_irqrestore(&hctx->lock, flags);
	if (!list_empty(&failed))
		blk_mq_end_requests(hctx, &failed);
}

void blk_mq_end_requests(struct blk_mq_hw_ctx *hctx, struct list_head *done)
{
	while (!list_empty(done)) {
		LIST_HEAD(failed);
		struct request *rq, *next;
		u64 now = ktime_get_ns();
		unsigned long flags;

		list_for_each_entry(rq, done, queuelist)
			end_request(rq, now);
		spin_lock_irqsave(&hctx->lock, flags);
		list_for_each_entry_safe(rq, next, done, queuelist) {
			list_move(&rq->queuelist, &hctx->free);
			hctx->inflight--;
		}
		take_left(hctx);
		run_hw_queue(hctx, &failed);
		spin_unlock_irqrestore(&hctx->lock, flags);
		wake_up_all(&hctx->free_wait);
		list_splice_init(&failed, done);
	}
}

/* ---- birth ---- */

static int alloc_requests(struct blk_mq_hw_ctx *hctx, unsigned int depth, unsigned int pdu_size)
{
	for (unsigned int tag = 0; tag < depth; tag++) {
		struct request *rq = kzalloc(sizeof(*rq) + pdu_size, GFP_KERNEL);

		if (!rq)
			return -ENOMEM;
		rq->mq_hctx = hctx;
		rq->tag = tag;
		list_add_tail(&rq->queuelist, &hctx->free);
	}
	return 0;
}

static void free_queue(struct request_queue *q)
{
	for (unsigned int i = 0; i < q->nr_hw_queues; i++) {
		struct request *rq, *next;

		list_for_each_entry_safe(rq, next, &q->hctx[i].free, queuelist)
			kfree(rq);
	}
	kfree(q->hctx);
	kfree(q);
}

struct request_queue *blk_mq_init_queue(const struct blk_mq_ops *ops, unsigned int nr, unsigned int depth,
					unsigned int pdu_size, void *queuedata)
{
	struct request_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);
	int err = 0;

	if (!q)
		return ERR_PTR(-ENOMEM);
	q->hctx = kcalloc(nr, sizeof(*q->hctx), GFP_KERNEL);
	if (!q->hctx) {
		kfree(q);
		return ERR_PTR(-ENOMEM);
	}
	q->mq_ops = ops;
	q->nr_hw_queues = nr;
	q->queuedata = queuedata;
	q->limits = (struct queue_limits){ .max_sectors = 2560, .max_segments = BIO_MAX_VECS, .max_segment_size = 65536,
					   .logical_block_size = 512, .physical_block_size = 512 };
	for (unsigned int i = 0; i < nr; i++) {
		struct blk_mq_hw_ctx *hctx = &q->hctx[i];

		spin_lock_init(&hctx->lock);
		INIT_LIST_HEAD(&hctx->waiting);
		INIT_LIST_HEAD(&hctx->free);
		hctx->left_tail = &hctx->left;
		init_waitqueue_head(&hctx->free_wait);
		hctx->queue = q;
		hctx->queue_num = i;
	}
	for (unsigned int i = 0; i < nr && !err; i++)
		err = alloc_requests(&q->hctx[i], depth, pdu_size);
	if (!err)
		return q;
	free_queue(q);
	return ERR_PTR(err);
}
