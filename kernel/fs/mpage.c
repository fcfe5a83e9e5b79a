/*
 * mpage.c: pages of a file to and from the blocks of a device.
 *
 * Idea:    the blocks of a page form runs; when they are one run, as they nearly always are, it joins the bio of the page
 *          before if it lies right behind it.  A page whose blocks are scattered is moved run by run, waiting for each:
 *          rare, and it needs no state per block.
 * Locking: reading: the page lock is held until the end of the I/O.  Writing: PG_writeback is, the lock is not.
 * See:     include/weft/mpage.h; spec.md §6 "page cache and write-back"
 */
#include <weft/kernel.h>
#include <weft/buffer_head.h>
#include <weft/highmem.h>
#include <weft/mm.h>
#include <weft/mpage.h>
#include <weft/pagemap.h>
#include <weft/writeback.h>

#define MAX_RUNS	(PAGE_SIZE / SECTOR_SIZE)

/* A run of a page's blocks that lie in a row. */
struct run {
	unsigned int		off, len;	/* bytes, in the page */
	struct block_device	*bdev;
	sector_t		sector;
	bool			mapped;
};

/* The bio that is being filled. */
struct mpage {
	struct bio		*bio;
	enum req_op		op;
	get_block_t		*get_block;
};

/* ---- the ends of I/O: interrupt context ---- */

/* Each page of the bio lies in it once. */
static void for_each_page(struct bio *bio, void (*end)(struct page *page, int err))
{
	bio_for_each_bvec(bv, bio) {
		unsigned int pages = (bv->bv_offset + bv->bv_len + PAGE_SIZE - 1) >> PAGE_SHIFT;

		for (unsigned int i = 0; i < pages; i++)
			end(bv->bv_page + i, bio->bi_status);
	}
}

static void end_page_read(struct page *page, int err)
{
	if (err)
		SetPageError(page);
	else
		SetPageUptodate(page);
	unlock_page(page);
}

static void end_page_write(struct page *page, int err)
{
	if (err) {
		SetPageError(page);
		mapping_set_error(page->mapping, err);
	}
	end_page_writeback(page);
}

static void end_bio_read(struct bio *bio)
{
	for_each_page(bio, end_page_read);
	bio_put(bio);
}

static void end_bio_write(struct bio *bio)
{
	for_each_page(bio, end_page_write);
	bio_put(bio);
}

/* ---- runs into bios ---- */

static void mpage_submit(struct mpage *mp)
{
	if (!mp->bio)
		return;
	mp->bio->bi_end_io = mp->op == REQ_OP_READ ? end_bio_read : end_bio_write;
	submit_bio(mp->bio);
	mp->bio = NULL;
}

static void mpage_add(struct mpage *mp, struct page *page, const struct run *run)
{
	if (mp->bio && (mp->bio->bi_bdev != run->bdev || bio_end_sector(mp->bio) != run->sector ||
			!bio_add_page(mp->bio, page, run->len, run->off)))
		mpage_submit(mp);
	if (mp->bio)
		return;
	mp->bio = bio_alloc(run->bdev, BIO_MAX_VECS, mp->op, GFP_NOFS);
	mp->bio->bi_sector = run->sector;
	bio_add_page(mp->bio, page, run->len, run->off);
}

/* One run, now. */
static int rw_run(enum req_op op, struct page *page, const struct run *run)
{
	struct bio *bio = bio_alloc(run->bdev, 1, op, GFP_NOFS);
	int err;

	bio->bi_sector = run->sector;
	bio_add_page(bio, page, run->len, run->off);
	err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

/* The runs of the first `bytes` of a page.  How many, or -errno. */
static int map_page(struct page *page, unsigned int bytes, struct run *runs, get_block_t *get_block, bool create)
{
	struct inode *inode = page->mapping->host;
	unsigned int bits = inode->i_blkbits, blocks = DIV_ROUND_UP(bytes, 1U << bits), done = 0;
	sector_t first = (sector_t)page->index << (PAGE_SHIFT - bits);
	int nr = 0;

	while (done < blocks) {
		struct block_map map = { };
		struct run *last = nr ? &runs[nr - 1] : NULL;
		int err = get_block(inode, first + done, blocks - done, &map, create);
		unsigned int len = min(map.len, blocks - done) << bits;
		sector_t sector = map.pblk << (bits - SECTOR_SHIFT);

		if (err)
			return err;
		if (last && last->mapped == map.mapped &&
		    (!map.mapped || (last->bdev == map.bdev && last->sector + (last->len >> SECTOR_SHIFT) == sector)))
			last->len += len;
		else
			runs[nr++] = (struct run){ done << bits, len, map.bdev, sector, map.mapped };
		done += len >> bits;
	}
	return nr;
}

/* ---- reading ---- */

static unsigned int bytes_in_file(struct page *page)
{
	loff_t left = i_size_read(page->mapping->host) - page_offset(page);

	return left <= 0 ? 0 : (unsigned int)min_t(loff_t, left, PAGE_SIZE);
}

/* Starts reading a locked page, which is unlocked when that has ended. */
static int read_one(struct mpage *mp, struct page *page)
{
	struct run runs[MAX_RUNS];
	int nr = map_page(page, bytes_in_file(page), runs, mp->get_block, false), err = min(nr, 0);
	unsigned int end = nr > 0 ? runs[nr - 1].off + runs[nr - 1].len : 0;

	if (!err)
		zero_user_segment(page, end, PAGE_SIZE);
	for (int i = 0; i < nr; i++)
		if (!runs[i].mapped)
			zero_user_segment(page, runs[i].off, runs[i].off + runs[i].len);
	if (nr == 1 && runs[0].mapped) {
		mpage_add(mp, page, &runs[0]);
		return 0;
	}
	for (int i = 0; i < nr && !err; i++)
		if (runs[i].mapped)
			err = rw_run(REQ_OP_READ, page, &runs[i]);
	end_page_read(page, err);
	return err;
}

int mpage_readpage(struct page *page, get_block_t *get_block)
{
	struct mpage mp = { .op = REQ_OP_READ, .get_block = get_block };
	int err = read_one(&mp, page);

	mpage_submit(&mp);
	return err;
}

void mpage_readahead(struct readahead_control *rac, get_block_t *get_block)
{
	struct mpage mp = { .op = REQ_OP_READ, .get_block = get_block };
	struct page *page;

	while ((page = readahead_page(rac))) {
		get_page(page);		/* the cache's may go once the read has ended */
		read_one(&mp, page);
		put_page(page);
		put_page(page);
	}
	mpage_submit(&mp);
}

/* ---- writing ---- */

/* A locked page whose dirty flag has just been cleared.  Unlocks it. */
static int write_one(struct page *page, struct writeback_control *wbc, void *data)
{
	unsigned int bytes = bytes_in_file(page);
	struct mpage *mp = data;
	struct run runs[MAX_RUNS];
	int nr, err;

	if (PagePrivate(page))		/* of a device: blocks of it are dirty, not all */
		return block_write_buffers(page);
	/* What lies behind the end of the file was put there through a mapping, and must not come back when it grows. */
	zero_user_segment(page, bytes, PAGE_SIZE);
	nr = map_page(page, bytes, runs, mp->get_block, true);
	err = min(nr, 0);
	if (nr <= 0) {			/* truncated meanwhile, or no room */
		mapping_set_error(page->mapping, err);
		unlock_page(page);
		return err;
	}
	set_page_writeback(page);
	unlock_page(page);
	if (nr == 1) {
		mpage_add(mp, page, &runs[0]);
		return 0;
	}
	for (int i = 0; i < nr && !err; i++)
		err = rw_run(REQ_OP_WRITE, page, &runs[i]);
	end_page_write(page, err);
	return err;
}

int mpage_writepages(struct address_space *mapping, struct writeback_control *wbc, get_block_t *get_block)
{
	struct mpage mp = { .op = REQ_OP_WRITE, .get_block = get_block };
	int err = write_cache_pages(mapping, wbc, write_one, &mp);

	mpage_submit(&mp);
	return err;
}

/* Makes the page hold what the file holds, unless it does or all of it will be overwritten.  Page locked throughout. */
static int fill_page(struct page *page, loff_t pos, unsigned int len, get_block_t *get_block)
{
	struct run runs[MAX_RUNS];
	int nr, err = 0;

	if (PageUptodate(page) || len == PAGE_SIZE)
		return 0;
	zero_user_segment(page, 0, PAGE_SIZE);
	nr = map_page(page, bytes_in_file(page), runs, get_block, false);
	for (int i = 0; i < nr && !err; i++)
		if (runs[i].mapped)
			err = rw_run(REQ_OP_READ, page, &runs[i]);
	if (nr < 0)
		err = nr;
	if (!err)
		SetPageUptodate(page);
	return err;
}

/* Blocks under [pos, pos + len) of the page: now, so that the writer hears when there are none left. */
static int make_room(struct inode *inode, loff_t pos, unsigned int len, get_block_t *get_block)
{
	sector_t block = pos >> inode->i_blkbits, end = (pos + len + i_blocksize(inode) - 1) >> inode->i_blkbits;

	while (block < end) {
		struct block_map map = { };
		int err = get_block(inode, block, (unsigned int)(end - block), &map, true);

		if (err)
			return err;
		block += map.len;
	}
	return 0;
}

int mpage_write_begin(struct address_space *mapping, loff_t pos, unsigned int len, struct page **pagep,
		      get_block_t *get_block)
{
	struct page *page = grab_cache_page_write_begin(mapping, pos >> PAGE_SHIFT);
	int err;

	if (!page)
		return -ENOMEM;
	err = fill_page(page, pos, len, get_block);
	if (!err)
		err = make_room(mapping->host, pos, len, get_block);
	if (err) {
		unlock_page(page);
		put_page(page);
		return err;
	}
	*pagep = page;
	return 0;
}

int mpage_write_end(struct address_space *mapping, loff_t pos, unsigned int len, unsigned int copied, struct page *page)
{
	struct inode *inode = mapping->host;

	if (!PageUptodate(page)) {		/* a whole page was to come, and what it held was not read */
		if (copied == PAGE_SIZE)
			SetPageUptodate(page);
		else
			copied = 0;
	}
	if (copied) {
		if (pos + copied > i_size_read(inode)) {
			i_size_write(inode, pos + copied);
			mark_inode_dirty(inode);
		}
		set_page_dirty(page);
	}
	unlock_page(page);
	put_page(page);
	return copied;
}

sector_t mpage_bmap(struct address_space *mapping, sector_t block, get_block_t *get_block)
{
	struct block_map map = { };

	return get_block(mapping->host, block, 1, &map, false) || !map.mapped ? 0 : map.pblk;
}
