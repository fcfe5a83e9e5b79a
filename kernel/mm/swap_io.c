/*
 * swap_io.c: pages between the swap cache and the medium.
 *
 * Idea:    a page that is all zeroes is noted in a bitmap and not written at all: memory that was cleared and never used is
 *          common.  What the medium does with the others is behind struct swap_backend; it may take its time, or be done at
 *          once.  While it writes, PG_writeback keeps the page and its slot.
 * Locking: page lock to begin; a read ends by unlocking, a write by end_page_writeback().
 *
 *              CPU 0: reclaim                          CPU 1: fault on the page's slot
 *              entries -> slot; PG_dirty off
 *              PG_writeback on, unlock, write...       finds the page in the cache, maps it: writes to it
 *              done: PG_writeback off                  entry dirty: the slot's contents are old, and
 *                                                      unmap_one() sets PG_dirty the next time
 *          So a slot may be half old, half new; nobody reads it before the page has left the cache, for which it must be
 *          clean and unmapped under the page lock.
 * See:     swap.h struct swap_backend_ops
 */
#include <weft/kernel.h>
#include <weft/memcontrol.h>
#include <weft/bitops.h>
#include <weft/highmem.h>
#include <weft/pagemap.h>
#include <weft/printk.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <weft/vmstat.h>
#include "internal.h"

static bool page_is_zero(const struct page *page)
{
	const unsigned long *word = page_address(page);

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i])
			return false;
	return true;
}

void swap_writepage(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_info_struct *si = swap_info_of(entry);
	pgoff_t slot = swp_offset(entry);

	if (try_to_free_swap(page)) {		/* all who named the slot have gone meanwhile */
		unlock_page(page);
		return;
	}
	trace_mm_swap_out(page_to_pfn(page), swp_type(entry), slot);
	if (page_is_zero(page)) {
		set_bit(slot, si->zeromap);
		count_vm_event(SWPOUT_ZERO);
		unlock_page(page);
		return;
	}
	clear_bit(slot, si->zeromap);
	count_vm_event(PSWPOUT);
	inc_page_state(page, NR_WRITEBACK);
	SetPageWriteback(page);
	get_page(page);				/* for swap_write_done() */
	unlock_page(page);
	si->backend->ops->write_page(si->backend, slot, page);
}

/* The page must not be lost: it is dirty again, and stays in memory for a while. */
void swap_write_done(struct page *page, int err)
{
	if (err) {
		SetPageDirty(page);
		SetPageError(page);
		pr_err("swap: write error %d on slot %lu\n", err, swp_offset(page_swap_entry(page)));
	}
	dec_page_state(page, NR_WRITEBACK);
	end_page_writeback(page);
	put_page(page);
}

void swap_readpage(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_info_struct *si = swap_info_of(entry);
	pgoff_t slot = swp_offset(entry);

	trace_mm_swap_in(page_to_pfn(page), swp_type(entry), slot);
	if (test_bit(slot, si->zeromap)) {
		clear_highpage(page);
		count_vm_event(SWPIN_ZERO);
		SetPageUptodate(page);
		unlock_page(page);
		return;
	}
	count_vm_event(PSWPIN);
	get_page(page);				/* for swap_read_done() */
	si->backend->ops->read_page(si->backend, slot, page);
}

/* A page that cannot be read stays "not up to date": who faults on it gets SIGBUS. */
void swap_read_done(struct page *page, int err)
{
	if (!err) {
		SetPageUptodate(page);
	} else {
		SetPageError(page);
		pr_err("swap: read error %d on slot %lu\n", err, swp_offset(page_swap_entry(page)));
	}
	unlock_page(page);
	put_page(page);
}
