/*
 * swap_internal.h: what the files of swap share.
 */
#ifndef MM_SWAP_INTERNAL_H
#define MM_SWAP_INTERNAL_H

#include <weft/spinlock.h>
#include <weft/swap.h>

extern struct swap_info_struct *swap_info[MAX_SWAPFILES];
extern spinlock_t swap_lock;			/* class: swap_lock; -> si->lock */

/* swap_map.c: may new pages go there? */
void open_swap_area(struct swap_info_struct *si);
void close_swap_area(struct swap_info_struct *si);	/* swap_lock held */

/* swap_fault.c: puts the page, which is in the swap cache and up to date, in place of *pte, an entry of its slot.  ptl and
 * page lock held.  The slot loses one name. */
void swap_map_page(struct vm_area_struct *vma, unsigned long addr, pte_t *pte, struct page *page, bool exclusive_write);

#endif
