/*
 * direct-io.c: O_DIRECT: user memory to and from the blocks of a device, past the page cache.
 *
 * Idea:    piece by piece: pin the pages of up to 2 MiB of user memory, make sure that the cache holds nothing newer, find the
 *          blocks, give the device all bios of the piece at once, wait for the last.
 *          What cannot be done so (pages that are in use, a block that is only partly written, kernel memory) is left to the
 *          caller, who goes on through the cache.
 * Locking: a writer holds invalidate_lock from before it empties the cache until the data are on the device, so nobody fills
 *          a page with the old contents.  User memory may be a mapping of this very file: it is pinned before.
 *
 *              write, O_DIRECT                         read, through the cache
 *              writes back and drops the pages
 *                                                      no page: invalidate_lock (shared): waits
 *              the device has the data; unlocks
 *                                                      reads the new data
 * See:     include/weft/direct_io.h; mpage.c; spec.md §6 "O_DIRECT"
 */
#include <weft/completion.h>
#include <weft/direct_io.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/highmem.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uio.h>

#define MAX_PAGES	512			/* pinned at once */
#define FEW_PAGES	16			/* so many need no allocation */

/* One piece: user memory in a row, and where it goes. */
struct dio {
	struct inode		*inode;
	get_block_t		*get_block;
	const struct dio_write_ops *ops;
	enum req_op		op;
	loff_t			pos;
	size_t			len;		/* bytes */
	unsigned int		block;		/* bytes: the device's smallest piece */
	struct page		**pages;
	unsigned int		nr_pages;
	unsigned int		offset;		/* of the first byte in the first page */
	struct bio		*bio;		/* being filled */
	atomic_t		pending;	/* bios on their way, and one */
	struct completion	done;
	int			err;
	struct page		*few[FEW_PAGES];
};

/* ---- user memory ---- */

/* A piece that is not the last ends where a block of every size does, if it gets as far. */
static size_t whole_blocks(const struct dio *dio, size_t len, size_t want)
{
	loff_t end = round_down(dio->pos + (loff_t)len, (loff_t)PAGE_SIZE);

	if (len == want)
		return len;
	return end > dio->pos ? (size_t)(end - dio->pos) : round_down(len, (size_t)dio->block);
}

/* Pins what the iterator stands on, as far as it lies in a row.  Sets len.  0 or -errno. */
static int pin_pages(struct dio *dio, const struct iov_iter *iter, size_t want)
{
	void __user *addr;
	size_t len = min(iov_iter_user_piece(iter, &addr), want);
	unsigned int nr;
	int got;

	dio->offset = offset_in_page((unsigned long)addr);
	len = min_t(size_t, len, (size_t)MAX_PAGES * PAGE_SIZE - dio->offset);
	nr = (unsigned int)DIV_ROUND_UP(dio->offset + len, PAGE_SIZE);
	dio->pages = nr <= FEW_PAGES ? dio->few : kvmalloc_array(nr, sizeof(*dio->pages), GFP_KERNEL);
	if (!dio->pages)
		return -ENOMEM;
	got = get_user_pages_fast((unsigned long)addr & PAGE_MASK, (int)nr, dio->op == REQ_OP_READ ? FOLL_WRITE : 0,
				  dio->pages);
	dio->nr_pages = (unsigned int)max(got, 0);
	/* Where memory ends, what there is; the next round reports the fault. */
	len = min_t(size_t, len, ((size_t)dio->nr_pages << PAGE_SHIFT) - dio->offset);
	dio->len = whole_blocks(dio, len, want);
	return got < 0 ? got : dio->len ? 0 : -EFAULT;
}

static void unpin_pages(struct dio *dio)
{
	for (unsigned int i = 0; i < dio->nr_pages; i++) {
		if (dio->op == REQ_OP_READ)
			set_page_dirty_lock(dio->pages[i]);
		put_page(dio->pages[i]);
	}
	if (dio->pages != dio->few)
		kvfree(dio->pages);
}

/* ---- bios ---- */

static void one_done(struct dio *dio)
{
	if (atomic_dec_and_test(&dio->pending))
		complete(&dio->done);
}

static void end_bio(struct bio *bio)
{
	struct dio *dio = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(dio->err, bio->bi_status);
	bio_put(bio);
	one_done(dio);
}

static void submit(struct dio *dio)
{
	if (!dio->bio)
		return;
	atomic_inc(&dio->pending);
	submit_bio(dio->bio);
	dio->bio = NULL;
}

/* Bytes [at, at + len) of the piece, to or from the run of sectors from `sector` on. */
static void add_run(struct dio *dio, size_t at, size_t len, const struct block_map *map, sector_t sector)
{
	for (size_t end = at + len; at < end;) {
		size_t where = dio->offset + at;
		struct page *page = dio->pages[where >> PAGE_SHIFT];
		unsigned int off = (unsigned int)offset_in_page(where), n = (unsigned int)min(end - at, PAGE_SIZE - off);

		if (dio->bio && (dio->bio->bi_bdev != map->bdev || bio_end_sector(dio->bio) != sector ||
				 !bio_add_page(dio->bio, page, n, off)))
			submit(dio);
		if (!dio->bio) {
			dio->bio = bio_alloc(map->bdev, BIO_MAX_VECS, dio->op, GFP_KERNEL);
			dio->bio->bi_sector = sector;
			dio->bio->bi_private = dio;
			dio->bio->bi_end_io = end_bio;
			bio_add_page(dio->bio, page, n, off);
		}
		sector += n >> SECTOR_SHIFT;
		at += n;
	}
}

/* A hole reads as zeroes. */
static void zero_run(struct dio *dio, size_t at, size_t len)
{
	for (size_t end = at + len; at < end;) {
		size_t where = dio->offset + at;
		unsigned int off = (unsigned int)offset_in_page(where), n = (unsigned int)min(end - at, PAGE_SIZE - off);

		zero_user_segment(dio->pages[where >> PAGE_SHIFT], off, off + n);
		at += n;
	}
}

static int submit_runs(struct dio *dio)
{
	unsigned int bits = dio->inode->i_blkbits;

	for (size_t at = 0; at < dio->len;) {
		u64 pos = (u64)dio->pos + at, in_block = pos & ((1u << bits) - 1);
		size_t blocks = (dio->len - at + in_block + (1u << bits) - 1) >> bits, len;
		struct block_map map = { };
		int err = dio->get_block(dio->inode, pos >> bits, (unsigned int)blocks, &map, dio->op == REQ_OP_WRITE);

		if (err)
			return err;
		len = min_t(size_t, ((size_t)map.len << bits) - in_block, dio->len - at);
		if (map.mapped)
			add_run(dio, at, len, &map, (map.pblk << (bits - SECTOR_SHIFT)) + (in_block >> SECTOR_SHIFT));
		else if (dio->op == REQ_OP_READ)
			zero_run(dio, at, len);
		else
			return -EIO;		/* ->prepare() has promised blocks */
		at += len;
	}
	return 0;
}

/* All bios of the piece, and waits for them. */
static int transfer(struct dio *dio)
{
	int err;

	init_completion(&dio->done);
	atomic_set(&dio->pending, 1);
	err = submit_runs(dio);
	submit(dio);
	one_done(dio);
	wait_for_completion_io(&dio->done);
	return err ? err : dio->err;
}

/* ---- a piece ---- */

/* The cache holds nothing of the piece, and will not.  -ENOTBLK: a page of it is in use. */
static int write_piece(struct dio *dio)
{
	struct address_space *mapping = dio->inode->i_mapping;
	loff_t last = dio->pos + (loff_t)dio->len - 1;
	int err;

	filemap_invalidate_lock(mapping);
	err = filemap_write_and_wait_range(mapping, dio->pos & PAGE_MASK, last | ~PAGE_MASK);
	if (!err && invalidate_inode_pages2_range(mapping, dio->pos >> PAGE_SHIFT, last >> PAGE_SHIFT))
		err = -ENOTBLK;
	if (!err && dio->ops)
		err = dio->ops->prepare(dio->inode, dio->pos, dio->len);
	if (!err)
		err = transfer(dio);
	if (!err && dio->ops)
		err = dio->ops->finish(dio->inode, dio->pos, dio->len);
	filemap_invalidate_unlock(mapping);
	return err;
}

static int read_piece(struct dio *dio)
{
	loff_t last = dio->pos + (loff_t)dio->len - 1;
	int err = filemap_write_and_wait_range(dio->inode->i_mapping, dio->pos & PAGE_MASK, last | ~PAGE_MASK);

	return err ? err : transfer(dio);
}

/* Moves up to `want` bytes; the iterator goes on.  How many, or -errno. */
static ssize_t do_piece(struct dio *dio, struct iov_iter *iter, size_t want)
{
	int err = pin_pages(dio, iter, want);

	dio->err = 0;
	if (!err)
		err = dio->op == REQ_OP_WRITE ? write_piece(dio) : read_piece(dio);
	unpin_pages(dio);
	if (err)
		return err;
	iov_iter_advance(iter, dio->len);
	return (ssize_t)dio->len;
}

static struct block_device *bdev_of(struct inode *inode)
{
	return sb_is_blkdev_sb(inode->i_sb) ? I_BDEV(inode) : inode->i_sb->s_bdev;
}

/* A reader gets what the file has, in whole blocks of the device. */
static size_t bytes_to_move(const struct dio *dio, const struct iov_iter *iter)
{
	loff_t left = round_up(i_size_read(dio->inode), (loff_t)dio->block) - dio->pos;

	if (dio->op == REQ_OP_WRITE)
		return iov_iter_count(iter);
	return left <= 0 ? 0 : min_t(u64, (u64)left, iov_iter_count(iter));
}

/* Of what was read, what lies behind the end of the file does not count. */
static ssize_t within_file(const struct dio *dio, ssize_t done)
{
	loff_t over = dio->pos - i_size_read(dio->inode);

	return dio->op == REQ_OP_READ && over > 0 ? max(done - (ssize_t)over, (ssize_t)0) : done;
}

ssize_t generic_direct_IO(struct kiocb *iocb, struct iov_iter *iter, get_block_t *get_block, const struct dio_write_ops *ops)
{
	struct dio dio = {
		.inode = iocb->ki_filp->f_mapping->host, .get_block = get_block, .ops = ops, .pos = iocb->ki_pos,
		.op = iov_iter_rw(iter) ? REQ_OP_WRITE : REQ_OP_READ,
	};
	ssize_t done = 0, n = 0;
	size_t left;

	dio.block = bdev_logical_block_size(bdev_of(dio.inode));
	if ((dio.pos | (loff_t)iov_iter_alignment(iter)) & (dio.block - 1))
		return -EINVAL;
	if (!user_backed_iter(iter))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	while ((left = bytes_to_move(&dio, iter))) {
		n = fatal_signal_pending(current) ? -EINTR : do_piece(&dio, iter, left);
		if (n <= 0)
			break;
		done += n;
		dio.pos += n;
	}
	if (n == -ENOTBLK)
		n = 0;
	return done ? within_file(&dio, done) : n;
}
