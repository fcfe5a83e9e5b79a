/*
 * direct-io.c: O_DIRECT: user memory to and from the blocks of a device, past the page cache.
 *
 * Idea:    piece by piece: pin the pages of up to 8 MiB of user memory, make sure that the cache holds nothing newer, find the
 *          blocks, give the device all bios of the piece at once, wait for the last.
 *          Who submitted with kiocb->ki_complete does not wait: the last bio of the last piece ends the request, at once from
 *          the interrupt if nothing needs a process, else by work.  A write that needs the file system afterwards (new blocks,
 *          a new size, O_SYNC) is waited for all the same.
 *          What cannot be done so (pages that are in use, a block that is only partly written, memory that the device cannot
 *          reach) is left to the caller, who goes on through the cache.
 * Locking: a writer holds invalidate_lock from before it empties the cache until the data are on the device, so nobody fills
 *          a page with the old contents.  User memory may be a mapping of this very file: it is pinned before.
 *
 *              write, O_DIRECT                         read, through the cache
 *              writes back and drops the pages
 *                                                      no page: invalidate_lock (shared): waits
 *              the device has the data; unlocks
 *                                                      reads the new data
 *
 *          A request that is not waited for holds no lock while it is under way.  i_dio_count keeps its blocks: who frees
 *          blocks waits for it under i_rwsem (inode_dio_wait()), and new requests need that lock to begin.  Pages that were
 *          read meanwhile may be old: they leave the cache before a write ends.
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
#include <weft/vmalloc.h>
#include <weft/wait_bit.h>
#include <weft/workqueue.h>

#define MAX_PAGES	2048u			/* pinned at once */
#define FEW_PAGES	8			/* so many need no allocation */
#define PIN_BATCH	32			/* page pointers on the stack */

/* One piece: memory of the program, and where it goes in the file. */
struct dio {
	struct kiocb		*iocb;
	struct inode		*inode;
	get_block_t		*get_block;
	const struct dio_write_ops *ops;
	enum req_op		op;
	bool			async;		/* ends by itself: allocated, freed by its end */
	bool			pinned;		/* a reference on each page of vecs */
	int			err;
	loff_t			pos;
	size_t			len;		/* bytes */
	size_t			before;		/* bytes of the pieces before this */
	unsigned int		block;		/* bytes: the device's smallest piece */
	unsigned int		nr_vecs, max_vecs;
	unsigned int		vec, vec_off;	/* how far bios have been made */
	struct bio_vec		*vecs;
	struct bio		*bio;		/* being filled */
	atomic_t		pending;	/* bios on their way, and one */
	union {
		struct completion done;
		struct work_struct work;	/* async */
	};
	struct bio_vec		few[FEW_PAGES];
};

/* ---- the program's memory ---- */

/* A piece that is not the last ends where a block of every size does, if it gets as far. */
static size_t whole_blocks(const struct dio *dio, size_t len, size_t want)
{
	loff_t end = round_down(dio->pos + (loff_t)len, (loff_t)PAGE_SIZE);

	if (len == want)
		return len;
	return end > dio->pos ? (size_t)(end - dio->pos) : round_down(len, (size_t)dio->block);
}

static void add_vec(struct dio *dio, struct page *page, unsigned long addr, size_t *len)
{
	unsigned int off = (unsigned int)offset_in_page(addr), n = (unsigned int)min_t(size_t, *len, PAGE_SIZE - off);

	dio->vecs[dio->nr_vecs++] = (struct bio_vec){ page, n, off };
	*len -= n;
}

/* The memory at addr, which is the program's: bytes, or -errno when not even the first page is there. */
static ssize_t pin_user(struct dio *dio, unsigned long addr, size_t len)
{
	unsigned int room = min(dio->max_vecs - dio->nr_vecs, (unsigned int)PIN_BATCH);
	unsigned int nr = min((unsigned int)DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE), room);
	struct page *pages[PIN_BATCH];
	size_t left = len;
	int got = get_user_pages_fast(addr & PAGE_MASK, (int)nr, dio->op == REQ_OP_READ ? FOLL_WRITE : 0, pages);

	if (got <= 0)
		return got ? got : -EFAULT;
	for (int i = 0; i < got; i++)
		add_vec(dio, pages[i], addr + (len - left), &left);
	return (ssize_t)(len - left);
}

/* The kernel's own, in the direct map: registered buffers of io_uring. */
static ssize_t add_kernel(struct dio *dio, unsigned long addr, size_t len)
{
	size_t left = len;

	if (!virt_addr_valid(addr))
		return -ENOTBLK;
	while (left && dio->nr_vecs < dio->max_vecs)
		add_vec(dio, virt_to_page(addr + (len - left)), addr + (len - left), &left);
	return (ssize_t)(len - left);
}

/* Room for what the iterator stands on. */
static int alloc_vecs(struct dio *dio, const struct iov_iter *iter, size_t want)
{
	size_t most = (want >> PAGE_SHIFT) + 2 * iter->nr_segs;

	dio->max_vecs = (unsigned int)min_t(size_t, most, MAX_PAGES);
	dio->vecs = dio->max_vecs <= FEW_PAGES ? dio->few : kvmalloc_array(dio->max_vecs, sizeof(*dio->vecs), GFP_KERNEL);
	return dio->vecs ? 0 : -ENOMEM;
}

/* Collects up to `want` bytes.  Sets len.  Where memory ends, what there is: the next piece reports the fault. */
static int get_pages(struct dio *dio, const struct iov_iter *iter, size_t want)
{
	struct iov_iter walk = *iter;
	size_t len = 0;
	ssize_t n = alloc_vecs(dio, iter, want);

	dio->pinned = user_backed_iter(iter);
	while (n >= 0 && len < want && dio->nr_vecs < dio->max_vecs) {
		void __user *addr;
		size_t row = min(iov_iter_user_piece(&walk, &addr), want - len);

		n = dio->pinned ? pin_user(dio, (unsigned long)addr, row) : add_kernel(dio, (unsigned long)addr, row);
		if (n > 0) {
			len += (size_t)n;
			iov_iter_advance(&walk, (size_t)n);
		}
	}
	dio->len = whole_blocks(dio, len, want);
	return dio->len ? 0 : n < 0 ? (int)n : -EFAULT;
}

/* What was read into pages is theirs to lose.  May sleep. */
static void dirty_pages(struct dio *dio)
{
	if (dio->op == REQ_OP_READ && dio->pinned)
		for (unsigned int i = 0; i < dio->nr_vecs; i++)
			if (!PageDirty(compound_head(dio->vecs[i].bv_page)))
				set_page_dirty_lock(dio->vecs[i].bv_page);
}

static void put_pages(struct dio *dio)
{
	if (dio->pinned)
		for (unsigned int i = 0; i < dio->nr_vecs; i++)
			put_page(dio->vecs[i].bv_page);
	if (dio->vecs != dio->few)
		kvfree(dio->vecs);
}

/* ---- the end of a request that nobody waits for ---- */

void inode_dio_begin(struct inode *inode)
{
	atomic_inc(&inode->i_dio_count);
}

/* The inode may be gone once the count is 0: its address is all that the wake-up uses. */
void inode_dio_end(struct inode *inode)
{
	if (atomic_dec_and_test(&inode->i_dio_count))
		wake_up_var(&inode->i_dio_count);
}

void inode_dio_wait(struct inode *inode)
{
	wait_var_event(&inode->i_dio_count, !atomic_read(&inode->i_dio_count));
}

/* Of what was read, what lies behind the end of the file does not count. */
static ssize_t within_file(const struct dio *dio, loff_t end, ssize_t done)
{
	loff_t over = end - i_size_read(dio->inode);

	return dio->op == REQ_OP_READ && over > 0 ? max(done - (ssize_t)over, (ssize_t)0) : done;
}

static void end_request(struct dio *dio)
{
	struct kiocb *iocb = dio->iocb;
	ssize_t done = dio->err ? (ssize_t)dio->before : (ssize_t)(dio->before + dio->len);
	ssize_t res = within_file(dio, dio->pos + (dio->err ? 0 : (loff_t)dio->len), done);

	if (dio->err && !dio->before)
		res = dio->err;
	else
		iocb->ki_pos += res;
	put_pages(dio);
	inode_dio_end(dio->inode);
	kfree(dio);
	iocb->ki_complete(iocb, res);
}

static void end_work(struct work_struct *work)
{
	struct dio *dio = container_of(work, struct dio, work);
	pgoff_t first = dio->pos >> PAGE_SHIFT, last = (dio->pos + (loff_t)dio->len - 1) >> PAGE_SHIFT;

	dirty_pages(dio);
	if (dio->op == REQ_OP_WRITE)
		invalidate_inode_pages2_range(dio->inode->i_mapping, first, last);
	end_request(dio);
}

/* Must the end wait for something?  A page that has been cleaned meanwhile, one that was read meanwhile. */
static bool needs_work(const struct dio *dio)
{
	unsigned long index = dio->pos >> PAGE_SHIFT;

	if (dio->op == REQ_OP_WRITE)
		return xa_find(&dio->inode->i_mapping->i_pages, &index,
			       (unsigned long)(dio->pos + (loff_t)dio->len - 1) >> PAGE_SHIFT, XA_PRESENT);
	for (unsigned int i = 0; i < dio->nr_vecs && dio->pinned; i++)
		if (!PageDirty(compound_head(dio->vecs[i].bv_page)))
			return true;
	return dio->vecs != dio->few && is_vmalloc_addr(dio->vecs);	/* freeing it sleeps */
}

/* Any context. */
static void one_done(struct dio *dio)
{
	if (!atomic_dec_and_test(&dio->pending))
		return;
	if (!dio->async)
		complete(&dio->done);
	else if (needs_work(dio))
		schedule_work(&dio->work);
	else
		end_request(dio);
}

/* ---- bios ---- */

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

/* The next bytes of the memory, as many as its current page has; off: where in it. */
static struct page *next_bytes(struct dio *dio, size_t most, unsigned int *off, unsigned int *n)
{
	const struct bio_vec *v = &dio->vecs[dio->vec];

	*off = v->bv_offset + dio->vec_off;
	*n = (unsigned int)min_t(size_t, most, v->bv_len - dio->vec_off);
	dio->vec_off += *n;
	if (dio->vec_off == v->bv_len) {
		dio->vec++;
		dio->vec_off = 0;
	}
	return v->bv_page;
}

/* The next len bytes of the memory, to or from the run of sectors from `sector` on. */
static void add_run(struct dio *dio, size_t len, const struct block_map *map, sector_t sector)
{
	while (len) {
		unsigned int off, n;
		struct page *page = next_bytes(dio, len, &off, &n);

		if (dio->bio && (dio->bio->bi_bdev != map->bdev || bio_end_sector(dio->bio) != sector ||
				 !bio_add_page(dio->bio, page, n, off)))
			submit(dio);
		if (!dio->bio) {
			dio->bio = bio_alloc(map->bdev, dio->nr_vecs - dio->vec + 1, dio->op, GFP_KERNEL);
			dio->bio->bi_sector = sector;
			dio->bio->bi_private = dio;
			dio->bio->bi_end_io = end_bio;
			bio_add_page(dio->bio, page, n, off);
		}
		sector += n >> SECTOR_SHIFT;
		len -= n;
	}
}

/* A hole reads as zeroes. */
static void zero_run(struct dio *dio, size_t len)
{
	while (len) {
		unsigned int off, n;
		struct page *page = next_bytes(dio, len, &off, &n);

		zero_user_segment(page, off, off + n);
		len -= n;
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
			add_run(dio, len, &map, (map.pblk << (bits - SECTOR_SHIFT)) + (in_block >> SECTOR_SHIFT));
		else if (dio->op == REQ_OP_READ)
			zero_run(dio, len);
		else
			return -EIO;		/* ->prepare() has promised blocks */
		at += len;
	}
	return 0;
}

/* All bios of the piece; waits for them unless it ends by itself: then dio may be gone, and the answer is -EIOCBQUEUED. */
static int transfer(struct dio *dio)
{
	bool async = dio->async;
	struct blk_plug plug;
	int err;

	if (async) {
		INIT_WORK(&dio->work, end_work);
		inode_dio_begin(dio->inode);
	} else {
		init_completion(&dio->done);
	}
	atomic_set(&dio->pending, 1);
	blk_start_plug(&plug);
	err = submit_runs(dio);
	submit(dio);
	blk_finish_plug(&plug);
	if (async) {
		if (err)
			WRITE_ONCE(dio->err, err);
		one_done(dio);
		return -EIOCBQUEUED;
	}
	one_done(dio);
	wait_for_completion_io(&dio->done);
	return err ? err : dio->err;
}

/* ---- a piece ---- */

/* Nothing of the range is in the cache any more.  -ENOTBLK: a page of it is in use. */
static int empty_cache(struct address_space *mapping, loff_t first, loff_t last)
{
	int err;

	if (mapping_empty(mapping))
		return 0;
	err = filemap_write_and_wait_range(mapping, first & PAGE_MASK, last | ~PAGE_MASK);
	if (!err && invalidate_inode_pages2_range(mapping, first >> PAGE_SHIFT, last >> PAGE_SHIFT))
		err = -ENOTBLK;
	return err;
}

/* The cache holds nothing of the piece, and will not until the data are there. */
static int write_piece(struct dio *dio)
{
	struct address_space *mapping = dio->inode->i_mapping;
	bool finish = false;
	int err;

	filemap_invalidate_lock(mapping);
	err = empty_cache(mapping, dio->pos, dio->pos + (loff_t)dio->len - 1);
	if (!err && dio->ops) {
		err = dio->ops->prepare(dio->inode, dio->pos, dio->len);
		finish = err > 0;
		err = min(err, 0);
	}
	dio->async &= !finish;
	if (!err)
		err = transfer(dio);
	if (!err && finish)
		err = dio->ops->finish(dio->inode, dio->pos, dio->len);
	filemap_invalidate_unlock(mapping);
	return err;
}

static int read_piece(struct dio *dio)
{
	struct address_space *mapping = dio->inode->i_mapping;
	loff_t last = dio->pos + (loff_t)dio->len - 1;
	int err = 0;

	if (!mapping_empty(mapping))
		err = filemap_write_and_wait_range(mapping, dio->pos & PAGE_MASK, last | ~PAGE_MASK);
	return err ? err : transfer(dio);
}

/* Moves up to `want` bytes; the iterator goes on.  How many, or -errno; -EIOCBQUEUED: dio belongs to its end. */
static ssize_t do_piece(struct dio *dio, struct iov_iter *iter, size_t want, bool may_queue)
{
	int err = get_pages(dio, iter, want);

	dio->async = may_queue && dio->len == want;
	if (dio->async)				/* later it is from the interrupt */
		dirty_pages(dio);
	if (!err)
		err = dio->op == REQ_OP_WRITE ? write_piece(dio) : read_piece(dio);
	if (err == -EIOCBQUEUED)
		return err;
	dirty_pages(dio);
	if (dio->vecs)
		put_pages(dio);
	if (err)
		return err;
	iov_iter_advance(iter, dio->len);
	return (ssize_t)dio->len;
}

/* ---- a request ---- */

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

/* May it end by itself?  Not if the size grows, or if something has to be made lasting after it. */
static bool may_queue(const struct kiocb *iocb, const struct iov_iter *iter, const struct inode *inode)
{
	if (is_sync_kiocb(iocb))
		return false;
	return !iov_iter_rw(iter) || (!(iocb->ki_flags & (IOCB_DSYNC | IOCB_SYNC)) &&
				      iocb->ki_pos + (loff_t)iov_iter_count(iter) <= i_size_read(inode));
}

/* Would it have to wait for the cache? */
static bool cache_in_the_way(struct kiocb *iocb, const struct iov_iter *iter)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;

	return iov_iter_rw(iter) ? !mapping_empty(mapping) : mapping_tagged(mapping, PAGECACHE_TAG_DIRTY);
}

/* All pieces.  Bytes, -errno, or -EIOCBQUEUED: *dio has gone. */
static ssize_t do_pieces(struct dio *dio, struct iov_iter *iter, bool queue)
{
	ssize_t done = 0, n = 0;
	size_t left;

	while ((left = bytes_to_move(dio, iter))) {
		n = fatal_signal_pending(current) ? -EINTR : do_piece(dio, iter, left, queue);
		if (n <= 0)
			break;
		done += n;
		dio->pos += n;
		dio->before = (size_t)done;
		dio->nr_vecs = dio->vec = dio->vec_off = 0;
		dio->vecs = NULL;
	}
	if (n == -EIOCBQUEUED)
		return n;
	if (n == -ENOTBLK)
		n = 0;
	return done ? within_file(dio, dio->pos, done) : n;
}

ssize_t generic_direct_IO(struct kiocb *iocb, struct iov_iter *iter, get_block_t *get_block, const struct dio_write_ops *ops)
{
	struct inode *inode = iocb->ki_filp->f_mapping->host;
	struct dio here, *dio = &here;
	bool queue = may_queue(iocb, iter, inode);
	unsigned int block = bdev_logical_block_size(bdev_of(inode));
	ssize_t res;

	if ((iocb->ki_pos | (loff_t)iov_iter_alignment(iter)) & (block - 1))
		return -EINVAL;
	if (!user_backed_iter(iter) && !iov_iter_is_kvec(iter))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT && (!queue || cache_in_the_way(iocb, iter)))
		return -EAGAIN;
	if (queue) {
		dio = kmalloc(sizeof(*dio), GFP_KERNEL);
		if (!dio)
			return -ENOMEM;
	}
	*dio = (struct dio){ .iocb = iocb, .inode = inode, .get_block = get_block, .ops = ops, .pos = iocb->ki_pos,
			     .op = iov_iter_rw(iter) ? REQ_OP_WRITE : REQ_OP_READ, .block = block };
	res = do_pieces(dio, iter, queue);
	if (queue && res != -EIOCBQUEUED)
		kfree(dio);
	return res;
}
