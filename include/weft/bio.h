/*
 * bio.h: one piece of block I/O: a run of sectors of one device, and the pages it goes to or comes from.
 *
 * Idea:    who wants I/O makes a bio, adds pages and submits it; bi_end_io runs when all is done.  A bio never exceeds what
 *          its device takes in one request (bio_add_page() refuses), so nothing is ever split.
 * Context: submit_bio() may sleep.  bi_end_io runs in interrupt context and must not.
 * See:     spec.md §10 "block layer"; kernel/block/bio.c, blk-mq.c
 */
#ifndef WEFT_BIO_H
#define WEFT_BIO_H

#include <weft/types.h>

#define SECTOR_SHIFT	9
#define SECTOR_SIZE	512u
#define PAGE_SECTORS_SHIFT (PAGE_SHIFT - SECTOR_SHIFT)
#define BIO_MAX_VECS	125u		/* a whole bio of this many fits 2 KiB */

struct page;
struct block_device;
struct bio;

enum req_op {
	REQ_OP_READ,
	REQ_OP_WRITE,
	REQ_OP_FLUSH,			/* what was written before becomes lasting; no data */
	REQ_OP_DISCARD,			/* the sectors are not needed any more; no data */
};

struct bio_vec {
	struct page	*bv_page;
	unsigned int	bv_len, bv_offset;	/* within the page */
};

typedef void bio_end_io_t(struct bio *bio);

struct bio {
	struct bio		*bi_next;	/* of the same request */
	struct block_device	*bi_bdev;	/* [I] */
	enum req_op		bi_op;		/* [I] */
	bool			bi_fua;		/* a write that lasts when it ends; only if the device can: limits.fua */
	int			bi_status;	/* 0 or -errno, for bi_end_io */
	sector_t		bi_sector;	/* of bi_bdev until it is submitted, then of the whole disk */
	unsigned int		bi_size;	/* bytes */
	unsigned short		bi_vcnt, bi_max_vecs;
	bool			bi_reserved;	/* [I] of bio.c's reserve */
	bio_end_io_t		*bi_end_io;
	void			*bi_private;	/* bi_end_io's */
	struct bio_vec		bi_io_vec[];	/* [bi_max_vecs] */
};

static inline bool op_is_write(enum req_op op) { return op != REQ_OP_READ; }
static inline sector_t bio_end_sector(const struct bio *bio) { return bio->bi_sector + (bio->bi_size >> SECTOR_SHIFT); }
#define bio_for_each_bvec(bv, bio) \
	for (struct bio_vec *bv = (bio)->bi_io_vec; bv < (bio)->bi_io_vec + (bio)->bi_vcnt; bv++)

/*
 * Room for nr_vecs pages (at most BIO_MAX_VECS are given).  NULL without memory; when gfp may reclaim it does not fail, but
 * sleeps until another bio ends.  Who asks for one submits what he holds before.
 */
struct bio *bio_alloc(struct block_device *bdev, unsigned int nr_vecs, enum req_op op, gfp_t gfp);
void bio_put(struct bio *bio);
/* len bytes, or 0 when the bio is full: submit it and go on with another. */
unsigned int bio_add_page(struct bio *bio, struct page *page, unsigned int len, unsigned int offset);
void submit_bio(struct bio *bio);
/* Submits and sleeps until it is done; the bio stays the caller's.  0 or -errno. */
int submit_bio_wait(struct bio *bio);
void bio_endio(struct bio *bio);

#endif
