/*
 * buffer_head.h: one block of a device, in the page of the device's cache where it lies.
 *
 * Idea:    file systems keep their own blocks (bitmaps, inodes, directories) here.  Several blocks may share a page, and
 *          each is read, dirty and written for itself: its neighbour may belong to a file, whose data another page holds.
 * Locking: a reference (get_bh, brelse) keeps it and its page.  BH_Lock is held during I/O.  The page lock guards the
 *          page's ring of buffers.  The contents are the file system's to guard.
 * See:     kernel/fs/buffer.c
 */
#ifndef WEFT_BUFFER_HEAD_H
#define WEFT_BUFFER_HEAD_H

#include <weft/fs.h>
#include <weft/atomic.h>
#include <weft/bitops.h>
#include <weft/wait_bit.h>

struct page;
struct block_device;

enum bh_state_bits {
	BH_Uptodate,			/* b_data is what the block holds, or will */
	BH_Dirty,
	BH_Lock,			/* I/O under way */
	BH_Write_EIO,			/* the last write failed */
	BH_PrivateStart,		/* for the journal */
};

struct buffer_head {
	unsigned long		b_state;	/* [a] BH_* */
	struct buffer_head	*b_this_page;	/* [page lock] ring of the page's buffers */
	struct page		*b_page;	/* [I] */
	sector_t		b_blocknr;	/* [I] in units of b_size */
	size_t			b_size;		/* [I] */
	char			*b_data;	/* [I] */
	struct block_device	*b_bdev;	/* [I] */
	atomic_t		b_count;	/* [a] */
	void			*b_private;	/* the journal's */
};

static inline bool buffer_uptodate(const struct buffer_head *bh) { return test_bit(BH_Uptodate, &bh->b_state); }
static inline bool buffer_dirty(const struct buffer_head *bh) { return test_bit(BH_Dirty, &bh->b_state); }
static inline bool buffer_locked(const struct buffer_head *bh) { return test_bit(BH_Lock, &bh->b_state); }
static inline void set_buffer_uptodate(struct buffer_head *bh) { set_bit(BH_Uptodate, &bh->b_state); }
static inline void get_bh(struct buffer_head *bh) { atomic_inc(&bh->b_count); }
static inline void brelse(struct buffer_head *bh)
{
	if (bh)
		atomic_dec(&bh->b_count);
}
static inline struct buffer_head *page_buffers(struct page *page);

void lock_buffer(struct buffer_head *bh);		/* may sleep */
void unlock_buffer(struct buffer_head *bh);
void wait_on_buffer(struct buffer_head *bh);
/* The buffer of a block, with a reference, perhaps not up to date.  NULL: no memory, or behind the device's end. */
struct buffer_head *__getblk(struct block_device *bdev, sector_t block, unsigned int size);
/* If block is not cached, starts reading it and what is missing of [first, + nr) around it. */
void __breadahead(struct block_device *bdev, sector_t block, sector_t first, sector_t nr, unsigned int size);
struct buffer_head *__bread(struct block_device *bdev, sector_t block, unsigned int size);	/* ... read; NULL: error */
/* ... only if it is in memory; else NULL. */
struct buffer_head *__find_get_block(struct block_device *bdev, sector_t block, unsigned int size);
static inline struct buffer_head *sb_getblk(struct super_block *sb, sector_t block)
{
	return __getblk(sb->s_bdev, block, (unsigned int)sb->s_blocksize);
}
static inline struct buffer_head *sb_find_get_block(struct super_block *sb, sector_t block)
{
	return __find_get_block(sb->s_bdev, block, (unsigned int)sb->s_blocksize);
}
static inline struct buffer_head *sb_bread(struct super_block *sb, sector_t block)
{
	return __bread(sb->s_bdev, block, (unsigned int)sb->s_blocksize);
}
void mark_buffer_dirty(struct buffer_head *bh);		/* it is also up to date */
void bforget(struct buffer_head *bh);			/* drops it; what it holds is not wanted any more */
void write_dirty_buffer(struct buffer_head *bh);		/* starts writing it, if it is dirty */
int sync_dirty_buffer(struct buffer_head *bh);		/* writes it if it is dirty, and waits.  0 or -EIO */
int bh_read(struct buffer_head *bh);			/* 0 or -EIO */

/* For the device's own address_space. */
int try_to_free_buffers(struct page *page);		/* page locked; 1: it has none any more */
void block_invalidatepage(struct page *page, unsigned int offset, unsigned int length);
int block_read_buffers(struct page *page);		/* all that are not up to date; page locked, unlocks it */
int block_write_buffers(struct page *page);		/* the dirty ones, waits; page locked, unlocks it */
void block_dirty_range(struct page *page, unsigned int from, unsigned int to);

#include <weft/mm.h>
static inline struct buffer_head *page_buffers(struct page *page) { return (struct buffer_head *)page->private; }

#endif
