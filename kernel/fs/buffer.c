/*
 * buffer.c: single blocks of a device, cached in the device's pages.
 *
 * Idea:    a page gets its ring of buffer heads when a block of it is first asked for by itself; other pages of a device
 *          have none and move whole (bdev.c).  A page is dirty if one of its buffers is; PG_uptodate says that all are.
 * Locking: page lock: the ring, and PG_dirty against the buffers' bits:
 *
 *              mark_buffer_dirty                       write-back
 *              sets BH_Dirty
 *                                                      clears PG_dirty, then BH_Dirty of each, and writes
 *              sets PG_dirty (no lock needed)
 *                                                      next time: PG_dirty without a dirty buffer: nothing to do
 *
 *          The bit of the buffer is set before the page's and cleared after it: a dirty buffer always lies in a page that
 *          is dirty or about to be.
 * See:     include/weft/buffer_head.h; spec.md §6
 */
#include <weft/kernel.h>
#include <weft/blkdev.h>
#include <weft/buffer_head.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/slab.h>

static struct kmem_cache *bh_cachep;

#define for_each_buffer(bh, page) \
	for (struct buffer_head *bh = page_buffers(page), *head__ = bh; bh; \
	     bh = bh->b_this_page == head__ ? NULL : bh->b_this_page)

void lock_buffer(struct buffer_head *bh)
{
	might_sleep();
	if (test_and_set_bit_lock(BH_Lock, &bh->b_state))
		out_of_line_wait_on_bit_lock(&bh->b_state, BH_Lock, bit_wait_io, TASK_UNINTERRUPTIBLE);
}

void unlock_buffer(struct buffer_head *bh)
{
	clear_bit_unlock(BH_Lock, &bh->b_state);
	smp_mb__after_atomic();
	wake_up_bit(&bh->b_state, BH_Lock);
}

void wait_on_buffer(struct buffer_head *bh)
{
	might_sleep();
	if (buffer_locked(bh))
		out_of_line_wait_on_bit(&bh->b_state, BH_Lock, bit_wait_io, TASK_UNINTERRUPTIBLE);
}

/* ---- I/O of one buffer ---- */

static void end_bh_io(struct bio *bio)
{
	struct buffer_head *bh = bio->bi_private;
	bool write = op_is_write(bio->bi_op);

	if (!bio->bi_status) {
		set_buffer_uptodate(bh);
	} else if (write) {
		set_bit(BH_Write_EIO, &bh->b_state);
		mapping_set_error(bh->b_page->mapping, -EIO);
	} else {
		clear_bit(BH_Uptodate, &bh->b_state);
	}
	unlock_buffer(bh);
	brelse(bh);
	bio_put(bio);
}

/* The only buffer of a page that is under write-back. */
static void end_page_io(struct bio *bio)
{
	struct page *page = ((struct buffer_head *)bio->bi_private)->b_page;

	end_bh_io(bio);
	end_page_writeback(page);
}

/* Starts it; the buffer is locked, and unlocked at the end. */
static void submit_bh(enum req_op op, struct buffer_head *bh, bio_end_io_t *end)
{
	struct bio *bio = bio_alloc(bh->b_bdev, 1, op, GFP_NOFS);

	get_bh(bh);
	bio->bi_sector = bh->b_blocknr * (bh->b_size >> SECTOR_SHIFT);
	bio->bi_private = bh;
	bio->bi_end_io = end;
	bio_add_page(bio, bh->b_page, bh->b_size, offset_in_page(bh->b_data));
	submit_bio(bio);
}

int bh_read(struct buffer_head *bh)
{
	if (buffer_uptodate(bh))
		return 0;
	lock_buffer(bh);
	if (buffer_uptodate(bh)) {
		unlock_buffer(bh);
		return 0;
	}
	submit_bh(REQ_OP_READ, bh, end_bh_io);
	wait_on_buffer(bh);
	return buffer_uptodate(bh) ? 0 : -EIO;
}

/* Starts writing it if it is dirty. */
void write_dirty_buffer(struct buffer_head *bh)
{
	lock_buffer(bh);
	if (!test_and_clear_bit(BH_Dirty, &bh->b_state)) {
		unlock_buffer(bh);
		return;
	}
	clear_bit(BH_Write_EIO, &bh->b_state);
	submit_bh(REQ_OP_WRITE, bh, end_bh_io);
}

int sync_dirty_buffer(struct buffer_head *bh)
{
	write_dirty_buffer(bh);
	wait_on_buffer(bh);
	return test_bit(BH_Write_EIO, &bh->b_state) ? -EIO : 0;
}

void mark_buffer_dirty(struct buffer_head *bh)
{
	set_buffer_uptodate(bh);
	if (!test_and_set_bit(BH_Dirty, &bh->b_state))
		set_page_dirty(bh->b_page);
}

void bforget(struct buffer_head *bh)
{
	clear_bit(BH_Dirty, &bh->b_state);
	brelse(bh);
}

/* ---- the ring of a page ---- */

static void free_ring(struct buffer_head *head)
{
	struct buffer_head *bh = head, *next;

	do {
		next = bh->b_this_page;
		kmem_cache_free(bh_cachep, bh);
		bh = next;
	} while (bh && bh != head);
}

/* The page is locked and has none yet. */
static int create_buffers(struct page *page, struct block_device *bdev, unsigned int size)
{
	struct buffer_head *head = NULL, *last = NULL;

	for (unsigned int off = 0; off < PAGE_SIZE; off += size) {
		struct buffer_head *bh = kmem_cache_zalloc(bh_cachep, GFP_NOFS);

		if (!bh) {
			if (head)
				free_ring(head);
			return -ENOMEM;
		}
		bh->b_state = (PageUptodate(page) ? 1UL << BH_Uptodate : 0) | (PageDirty(page) ? 1UL << BH_Dirty : 0);
		bh->b_page = page;
		bh->b_bdev = bdev;
		bh->b_size = size;
		bh->b_data = page_address(page) + off;
		bh->b_blocknr = (page_offset(page) + off) / size;
		if (last)
			last->b_this_page = bh;
		else
			head = bh;
		last = bh;
	}
	last->b_this_page = head;
	page->private = (unsigned long)head;
	SetPagePrivate(page);
	get_page(page);
	return 0;
}

int try_to_free_buffers(struct page *page)
{
	for_each_buffer(bh, page)
		if (atomic_read(&bh->b_count) || bh->b_state & (1UL << BH_Dirty | 1UL << BH_Lock))
			return 0;
	free_ring(page_buffers(page));
	page->private = 0;
	ClearPagePrivate(page);
	put_page(page);
	return 1;
}

void block_invalidatepage(struct page *page, unsigned int offset, unsigned int length)
{
	for_each_buffer(bh, page)
		if (offset_in_page(bh->b_data) >= offset && offset_in_page(bh->b_data) + bh->b_size <= offset + length)
			clear_bit(BH_Dirty, &bh->b_state);
	if (!offset && length == PAGE_SIZE)
		try_to_free_buffers(page);
}

/* Buffers of another size, left by who asked before: they go if nobody holds them. */
static bool make_buffers(struct page *page, struct block_device *bdev, unsigned int size)
{
	if (PagePrivate(page) && page_buffers(page)->b_size != size && !try_to_free_buffers(page))
		return false;
	return PagePrivate(page) || !create_buffers(page, bdev, size);
}

/* That of a locked page, with a reference; or NULL. */
static struct buffer_head *buffer_of(struct page *page, sector_t block, unsigned int size)
{
	if (PagePrivate(page) && page_buffers(page)->b_size == size)
		for_each_buffer(bh, page)
			if (bh->b_blocknr == block) {
				get_bh(bh);
				return bh;
			}
	return NULL;
}

struct buffer_head *__find_get_block(struct block_device *bdev, sector_t block, unsigned int size)
{
	struct page *page = pagecache_get_page(bdev->bd_inode->i_mapping, block * size >> PAGE_SHIFT, FGP_LOCK, 0);
	struct buffer_head *found;

	if (!page)
		return NULL;
	found = buffer_of(page, block, size);
	unlock_page(page);
	put_page(page);
	return found;
}

struct buffer_head *__getblk(struct block_device *bdev, sector_t block, unsigned int size)
{
	struct address_space *mapping = bdev->bd_inode->i_mapping;
	struct buffer_head *found = NULL;
	struct page *page;

	if (block >= (u64)i_size_read(bdev->bd_inode) / size)
		return NULL;
	page = pagecache_get_page(mapping, block * size >> PAGE_SHIFT, FGP_LOCK | FGP_CREAT | FGP_ACCESSED,
				  mapping_gfp_constraint(mapping, ~__GFP_FS));
	if (!page)
		return NULL;
	if (make_buffers(page, bdev, size))
		found = buffer_of(page, block, size);
	unlock_page(page);
	put_page(page);
	return found;
}

void __breadahead(struct block_device *bdev, sector_t block, sector_t first, sector_t nr, unsigned int size)
{
	struct address_space *mapping = bdev->bd_inode->i_mapping;
	pgoff_t begin = first * size >> PAGE_SHIFT, end = ((first + nr) * size - 1) >> PAGE_SHIFT;

	if (!xa_load(&mapping->i_pages, block * size >> PAGE_SHIFT))
		page_cache_ra_metadata(mapping, begin, end - begin + 1);
}

struct buffer_head *__bread(struct block_device *bdev, sector_t block, unsigned int size)
{
	struct buffer_head *bh = __getblk(bdev, block, size);

	if (bh && bh_read(bh)) {
		brelse(bh);
		return NULL;
	}
	return bh;
}

/* ---- whole pages that have buffers ---- */

int block_read_buffers(struct page *page)
{
	int err = 0;

	for_each_buffer(bh, page)
		if (!err)
			err = bh_read(bh);
	if (err)
		SetPageError(page);
	else
		SetPageUptodate(page);
	unlock_page(page);
	return err;
}

/* Blocks as large as pages: nobody waits. */
static int write_only_buffer(struct page *page, struct buffer_head *bh)
{
	lock_buffer(bh);
	if (test_and_clear_bit(BH_Dirty, &bh->b_state)) {
		clear_bit(BH_Write_EIO, &bh->b_state);
		unlock_page(page);
		submit_bh(REQ_OP_WRITE, bh, end_page_io);
	} else {
		unlock_buffer(bh);
		unlock_page(page);
		end_page_writeback(page);
	}
	return 0;
}

int block_write_buffers(struct page *page)
{
	int err = 0;

	set_page_writeback(page);
	if (page_buffers(page)->b_size == PAGE_SIZE)
		return write_only_buffer(page, page_buffers(page));
	for_each_buffer(bh, page)
		if (buffer_dirty(bh))
			write_dirty_buffer(bh);
	for_each_buffer(bh, page) {
		wait_on_buffer(bh);
		if (test_bit(BH_Write_EIO, &bh->b_state))
			err = -EIO;
	}
	unlock_page(page);
	end_page_writeback(page);
	return err;
}

void block_dirty_range(struct page *page, unsigned int from, unsigned int to)
{
	for_each_buffer(bh, page) {
		unsigned int start = offset_in_page(bh->b_data);

		if (start < to && start + bh->b_size > from)
			mark_buffer_dirty(bh);
	}
}

static int __init buffer_init(void)
{
	bh_cachep = KMEM_CACHE(buffer_head, SLAB_PANIC);
	return 0;
}
core_initcall(buffer_init);
