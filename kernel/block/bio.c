/*
 * bio.c: one piece of block I/O: made, filled, submitted, ended.
 *
 * Idea:    a partition is a window on its disk: submit_bio() checks the bounds and moves the sector; from there on only the
 *          whole disk counts.
 * Context: see include/weft/bio.h
 *          Writing back frees memory, so it may not wait for memory: when there is none, bios come from a reserve, and who
 *          finds that empty waits for the end of a bio, not for a page.
 * Locking: a bio belongs to who made it, from submit_bio() to its end to the queue and the driver.  reserve_lock (interrupts
 *          off): the reserve.
 * See:     spec.md §10 "block layer"; blk-mq.c
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/completion.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/spinlock.h>
#include <weft/vmstat.h>
#include <weft/wait.h>
#include "blk.h"

#define RESERVE		16			/* bios of full size */

static DEFINE_SPINLOCK(reserve_lock);
static struct bio *reserve;			/* [reserve_lock] by bi_next */
static DECLARE_WAIT_QUEUE_HEAD(reserve_wait);

static struct bio *from_reserve(void)
{
	unsigned long flags;
	struct bio *bio;

	spin_lock_irqsave(&reserve_lock, flags);
	bio = reserve;
	if (bio)
		reserve = bio->bi_next;
	spin_unlock_irqrestore(&reserve_lock, flags);
	return bio;
}

static void to_reserve(struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&reserve_lock, flags);
	bio->bi_next = reserve;
	reserve = bio;
	spin_unlock_irqrestore(&reserve_lock, flags);
	wake_up(&reserve_wait);
}

struct bio *bio_alloc(struct block_device *bdev, unsigned int nr_vecs, enum req_op op, gfp_t gfp)
{
	unsigned int max = min3(nr_vecs, BIO_MAX_VECS, (unsigned int)bdev_get_queue(bdev)->limits.max_segments);
	bool may_wait = gfp & __GFP_DIRECT_RECLAIM, reserved = false;
	struct bio *bio;

	bio = kmalloc(sizeof(*bio) + max * sizeof(struct bio_vec), (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_NOWARN);
	if (!bio && may_wait) {
		wait_event(reserve_wait, (bio = from_reserve()));
		reserved = true;
	}
	if (bio)
		*bio = (struct bio){ .bi_bdev = bdev, .bi_op = op, .bi_max_vecs = max, .bi_reserved = reserved };
	return bio;
}

void bio_put(struct bio *bio)
{
	if (bio->bi_reserved)
		to_reserve(bio);
	else
		kfree(bio);
}

static int __init fill_reserve(void)
{
	for (int i = 0; i < RESERVE; i++) {
		struct bio *bio = kmalloc(sizeof(*bio) + BIO_MAX_VECS * sizeof(struct bio_vec), GFP_KERNEL);

		if (!bio)
			return -ENOMEM;
		to_reserve(bio);
	}
	return 0;
}
subsys_initcall(fill_reserve);

/* Lies the new piece right behind the last, and may one segment be that long? */
static bool extends_last(const struct bio *bio, const struct queue_limits *lim, struct page *page, unsigned int len,
			 unsigned int offset)
{
	const struct bio_vec *last = &bio->bi_io_vec[bio->bi_vcnt - 1];

	return bio->bi_vcnt && last->bv_len + len <= lim->max_segment_size &&
	       page_to_phys(last->bv_page) + last->bv_offset + last->bv_len == page_to_phys(page) + offset;
}

/* May `next` be the segment behind `last`?  Some devices are told pages, not addresses and lengths. */
bool bvec_gap(const struct queue_limits *lim, const struct bio_vec *last, unsigned int next_offset)
{
	return ((last->bv_offset + last->bv_len) | next_offset) & lim->virt_boundary;
}

unsigned int bio_add_page(struct bio *bio, struct page *page, unsigned int len, unsigned int offset)
{
	const struct queue_limits *lim = &bdev_get_queue(bio->bi_bdev)->limits;

	if ((bio->bi_size + len) >> SECTOR_SHIFT > lim->max_sectors)
		return 0;
	if (extends_last(bio, lim, page, len, offset)) {
		bio->bi_io_vec[bio->bi_vcnt - 1].bv_len += len;
	} else {
		if (bio->bi_vcnt == bio->bi_max_vecs ||
		    (bio->bi_vcnt && bvec_gap(lim, &bio->bi_io_vec[bio->bi_vcnt - 1], offset)))
			return 0;
		bio->bi_io_vec[bio->bi_vcnt++] = (struct bio_vec){ page, len, offset };
	}
	bio->bi_size += len;
	return len;
}

void bio_endio(struct bio *bio)
{
	bio->bi_end_io(bio);
}

static int check_bio(const struct bio *bio)
{
	const struct block_device *bdev = bio->bi_bdev;
	sector_t len = bio->bi_size >> SECTOR_SHIFT;
	unsigned int mask = bdev_logical_block_size(bdev) - 1;

	if (bio->bi_size & mask || (bio->bi_sector << SECTOR_SHIFT) & mask)
		return -EINVAL;
	if (len > bdev->bd_nr_sectors || bio->bi_sector > bdev->bd_nr_sectors - len)
		return -EIO;
	return op_is_write(bio->bi_op) && bio->bi_op != REQ_OP_FLUSH && bdev->bd_read_only ? -EPERM : 0;
}

void submit_bio(struct bio *bio)
{
	int err = check_bio(bio);

	might_sleep();
	if (err) {
		pr_err("%s: %s of %u bytes at sector %llu: error %d\n", bio->bi_bdev->bd_name,
		       op_is_write(bio->bi_op) ? "write" : "read", bio->bi_size, (u64)bio->bi_sector, err);
		bio->bi_status = err;
		bio_endio(bio);
		return;
	}
	bio->bi_sector += bio->bi_bdev->bd_start_sect;
	if (bio->bi_op == REQ_OP_READ)
		count_vm_events(PGPGIN, bio->bi_size >> SECTOR_SHIFT);
	else if (bio->bi_op == REQ_OP_WRITE)
		count_vm_events(PGPGOUT, bio->bi_size >> SECTOR_SHIFT);
	bio->bi_next = NULL;
	if (!blk_plug_bio(bio))
		blk_mq_submit_chain(bio, true);
}

static void wake_submitter(struct bio *bio)
{
	complete(bio->bi_private);
}

int submit_bio_wait(struct bio *bio)
{
	DECLARE_COMPLETION_ONSTACK(done);

	bio->bi_private = &done;
	bio->bi_end_io = wake_submitter;
	submit_bio(bio);
	wait_for_completion_io(&done);
	return bio->bi_status;
}

/* A bio without pages. */
static int issue(struct block_device *bdev, enum req_op op, sector_t sector, unsigned int bytes)
{
	struct bio *bio = bio_alloc(bdev, 0, op, GFP_KERNEL);
	int err;

	if (!bio)
		return -ENOMEM;
	bio->bi_sector = sector;
	bio->bi_size = bytes;
	err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

int blkdev_issue_flush(struct block_device *bdev)
{
	return bdev_get_queue(bdev)->limits.write_cache ? issue(bdev, REQ_OP_FLUSH, 0, 0) : 0;
}

int blkdev_issue_discard(struct block_device *bdev, sector_t sector, sector_t nr_sects)
{
	sector_t most = min_t(sector_t, bdev_get_queue(bdev)->limits.max_discard_sectors, 1U << 22);

	if (!most)
		return -EOPNOTSUPP;
	while (nr_sects) {
		sector_t now = min(most, nr_sects);
		int err = issue(bdev, REQ_OP_DISCARD, sector, (unsigned int)(now << SECTOR_SHIFT));

		if (err)
			return err;
		sector += now;
		nr_sects -= now;
	}
	return 0;
}

/* One bio holds the zero page as often as it can. */
int blkdev_issue_zeroout(struct block_device *bdev, sector_t sector, sector_t nr_sects)
{
	int err = 0;

	while (nr_sects && !err) {
		struct bio *bio = bio_alloc(bdev, BIO_MAX_VECS, REQ_OP_WRITE, GFP_KERNEL);
		unsigned int len, sum = 0;

		if (!bio)
			return -ENOMEM;
		bio->bi_sector = sector;
		do {
			len = (unsigned int)min_t(u64, (nr_sects << SECTOR_SHIFT) - sum, PAGE_SIZE);
			len = len ? bio_add_page(bio, ZERO_PAGE(0), len, 0) : 0;
			sum += len;
		} while (len);
		err = submit_bio_wait(bio);
		bio_put(bio);
		sector += sum >> SECTOR_SHIFT;
		nr_sects -= sum >> SECTOR_SHIFT;
	}
	return err;
}
