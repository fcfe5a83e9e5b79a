/*
 * writeback.h: what a file system is asked when dirty pages are to be written.  The flusher threads come with the disks.
 */
#ifndef WEFT_WRITEBACK_H
#define WEFT_WRITEBACK_H

#include <weft/types.h>

enum writeback_sync_modes {
	WB_SYNC_NONE,				/* start what is easy, wait for nothing */
	WB_SYNC_ALL,				/* every page that is dirty now, for data integrity */
};

struct writeback_control {
	long			nr_to_write;	/* counted down by the one who writes */
	long			pages_skipped;
	loff_t			range_start;	/* bytes */
	loff_t			range_end;	/* inclusive */
	enum writeback_sync_modes sync_mode;
	unsigned		for_kupdate:1;	/* periodic */
	unsigned		for_background:1;
	unsigned		for_reclaim:1;
	unsigned		for_sync:1;
	unsigned		range_cyclic:1;
};

struct address_space;
struct page;
typedef int (*writepage_t)(struct page *page, struct writeback_control *wbc, void *data);
/* Calls writepage on each dirty page of the range, locked and with its dirty flag cleared.  0 or the first error. */
int write_cache_pages(struct address_space *mapping, struct writeback_control *wbc, writepage_t writepage, void *data);
int do_writepages(struct address_space *mapping, struct writeback_control *wbc);
/* Called by who has made a page dirty, without its lock.  May sleep, a second at most, while too much is dirty. */
void balance_dirty_pages_ratelimited(struct address_space *mapping);
/* Pages become dirty, or are no more; go to their device, or have got there.  Any context. */
void account_dirty(struct page *page, struct address_space *mapping, int delta);
void account_writeback(struct page *page, struct address_space *mapping, int delta);
extern unsigned int dirty_writeback_interval, dirty_expire_interval;	/* [-] /proc/sys/vm, centiseconds */

#endif
