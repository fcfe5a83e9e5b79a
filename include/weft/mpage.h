/*
 * mpage.h: pages of a file to and from the blocks of a device, in pieces as large as the device takes.
 *
 * Idea:    a file system says where a run of blocks lies (get_block); the rest is common.  There is no state per block of a
 *          file's page: a page is up to date as a whole and is written as a whole, as far as the file reaches.
 * See:     kernel/fs/mpage.c
 */
#ifndef WEFT_MPAGE_H
#define WEFT_MPAGE_H

#include <weft/fs.h>
#include <weft/blkdev.h>

/* Where a run of blocks of a file lies. */
struct block_map {
	struct block_device	*bdev;
	sector_t		pblk;		/* on bdev, in the file's block size */
	unsigned int		len;		/* blocks, at least 1 */
	bool			mapped;		/* false: a hole */
};

/*
 * Fills map for the run from iblock, at most max blocks.  create: a hole gets blocks.  The page they belong to may be
 * locked.  May sleep.  0 or -errno.
 */
typedef int get_block_t(struct inode *inode, sector_t iblock, unsigned int max, struct block_map *map, bool create);

int mpage_readpage(struct page *page, get_block_t *get_block);
void mpage_readahead(struct readahead_control *rac, get_block_t *get_block);
int mpage_writepages(struct address_space *mapping, struct writeback_control *wbc, get_block_t *get_block);
/* For ->write_begin: the page locked, up to date where the write leaves it alone, and with blocks under [pos, pos + len). */
int mpage_write_begin(struct address_space *mapping, loff_t pos, unsigned int len, struct page **pagep,
		      get_block_t *get_block);
/* For ->write_end: makes it dirty, raises the size.  Bytes taken. */
int mpage_write_end(struct address_space *mapping, loff_t pos, unsigned int len, unsigned int copied, struct page *page);
sector_t mpage_bmap(struct address_space *mapping, sector_t block, get_block_t *get_block);

#endif
