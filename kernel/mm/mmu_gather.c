/*
 * mmu_gather.c: pages and page tables on their way back: first out of the tables, then out of the TLBs, then free.
 *
 * Idea:    whoever clears entries notes the pages here instead of freeing them.  tlb_flush_mmu() makes every processor
 *          forget the range and only then gives the pages back.  The pages are noted in batches: a few on the stack, more
 *          in pages of pointers; if there is no memory for another batch, the flush comes earlier.
 *
 *              CPU 0: munmap                           CPU 1: same mm, in user mode
 *              clears the entry                        still has the translation in its TLB
 *              notes the page                          writes to the page: nobody else owns it yet
 *              flush: IPI, waits                       forgets
 *              frees the page                          next access: #PF
 *
 *          Two gatherers may work on one mm at once (madvise holds mmap_lock only for reading).  One may find an entry
 *          cleared that the other has not flushed yet; it must not return before the TLBs are clean.  So the number of
 *          gatherers is counted (tlb_flush_pending), and who sees another one at the end flushes everything.
 * Locking: on the stack of its owner; mmap_lock held or no user left.
 * See:     kernel/arch/x86/mm/tlb.c; doc/address-spaces.md
 */
#include <weft/sched.h>
#include <weft/swap.h>
#include <weft/trace.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>
#include "internal.h"

static void reset_range(struct mmu_gather *tlb)
{
	tlb->start = ~0ul;
	tlb->end = 0;
	tlb->freed_tables = false;
}

static void gather_init(struct mmu_gather *tlb, struct mm_struct *mm, bool fullmm)
{
	tlb->mm = mm;
	tlb->fullmm = fullmm;
	tlb->batch_count = 0;
	tlb->rows = NULL;
	tlb->local.next = NULL;
	tlb->local.nr = 0;
	tlb->local.max = MMU_GATHER_BUNDLE;
	tlb->active = &tlb->local;
	reset_range(tlb);
	atomic_inc(&mm->tlb_flush_pending);
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	gather_init(tlb, mm, false);
}

void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm)
{
	gather_init(tlb, mm, true);
}

/* Room for more pages: the next batch, a new one, or none.  Under the ptl, so it must not sleep. */
static bool next_batch(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch = tlb->active->next;

	if (!batch) {
		if (tlb->batch_count == MAX_GATHER_BATCH_COUNT)
			return false;
		batch = (void *)__get_free_page(GFP_NOWAIT | __GFP_NOWARN);
		if (!batch)
			return false;
		tlb->batch_count++;
		batch->next = NULL;
		batch->nr = 0;
		batch->max = MAX_GATHER_BATCH;
		tlb->active->next = batch;
	}
	tlb->active = batch;
	return true;
}

bool __tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
	struct mmu_gather_batch *batch = tlb->active;

	batch->pages[batch->nr++] = page;
	return batch->nr == batch->max && !next_batch(tlb);
}

void tlb_flush_mmu_tlbonly(struct mmu_gather *tlb)
{
	if (tlb->start >= tlb->end)
		return;
	if (tlb->fullmm)
		flush_tlb_mm(tlb->mm);
	else
		flush_tlb_mm_range(tlb->mm, tlb->start, tlb->end, PAGE_SHIFT, tlb->freed_tables);
	reset_range(tlb);
}

static void free_batches(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch;

	for (batch = &tlb->local; batch && batch->nr; batch = batch->next) {
		free_swap_caches(batch->pages, batch->nr);
		release_pages(batch->pages, batch->nr);
		batch->nr = 0;
	}
	tlb->active = &tlb->local;
}

void tlb_remove_row(struct mmu_gather *tlb, struct page *pages, unsigned int order)
{
	pages->index = (pgoff_t)tlb->rows;
	pages[1].index = order;
	tlb->rows = pages;
}

static void free_rows(struct mmu_gather *tlb)
{
	while (tlb->rows) {
		struct page *pages = tlb->rows;

		tlb->rows = (struct page *)pages->index;
		free_row(pages, (unsigned int)pages[1].index);
	}
}

void tlb_flush_mmu(struct mmu_gather *tlb)
{
	tlb_flush_mmu_tlbonly(tlb);
	free_rows(tlb);
	free_batches(tlb);
}

/*
 * A page-table page: the processor may have cached that it lies on the way to [addr, addr + span), lazy ones too.  The
 * caller holds no ptl: if there is no room for one more, the flush can be done at once.
 */
void tlb_remove_table(struct mmu_gather *tlb, struct page *table, unsigned long addr, unsigned long span)
{
	tlb_track_range(tlb, addr & ~(span - 1), span);
	tlb->freed_tables = true;
	pgtable_page_dtor(table);		/* nobody finds its lock any more */
	if (__tlb_remove_page(tlb, table))
		tlb_flush_mmu(tlb);
}

void tlb_finish_mmu(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *batch, *next;

	if (atomic_read(&tlb->mm->tlb_flush_pending) > 1) {
		tlb->start = 0;
		tlb->end = TLB_FLUSH_ALL;
		tlb->freed_tables = true;
	}
	tlb_flush_mmu(tlb);
	for (batch = tlb->local.next; batch; batch = next) {
		next = batch->next;
		free_page((unsigned long)batch);
	}
	atomic_dec(&tlb->mm->tlb_flush_pending);
}
