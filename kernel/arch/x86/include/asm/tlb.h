/*
 * tlb.h: struct mmu_gather: pages and page tables on their way from an address space back to the allocator.
 *
 * Idea:    an entry is cleared, the page noted here, the TLBs flushed, and only then the page freed: a processor that still
 *          has the old translation must never see the page in somebody else's hands.
 * Locking: lives on the stack of the one who unmaps; mmap_lock held (or no user left).  tlb_finish_mmu may sleep.
 * See:     kernel/mm/mmu_gather.c
 */
#ifndef ASM_TLB_H
#define ASM_TLB_H

#include <weft/mm.h>
#include <asm/tlbflush.h>

struct mmu_gather_batch {
	struct mmu_gather_batch	*next;
	unsigned int		nr, max;
	struct page		*pages[];
};

#define MMU_GATHER_BUNDLE	8		/* pages noted on the stack, without a batch page */
#define MAX_GATHER_BATCH	((PAGE_SIZE - sizeof(struct mmu_gather_batch)) / sizeof(void *))
#define MAX_GATHER_BATCH_COUNT	20		/* 10,000 pages: then flush, so that memory comes back in time */

struct mmu_gather {
	struct mm_struct	*mm;
	unsigned long		start, end;	/* what must be flushed; start >= end: nothing */
	bool			fullmm;		/* the whole address space goes: nobody runs in it any more */
	bool			freed_tables;
	unsigned int		batch_count;
	struct page		*rows;		/* blocks of frozen pages, linked by the first one's index */
	struct mmu_gather_batch	*active;
	struct mmu_gather_batch	local;
	struct page		*__pages[MMU_GATHER_BUNDLE];	/* local.pages[] */
};

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm);
void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm);
void tlb_flush_mmu(struct mmu_gather *tlb);	/* flush, then free what was gathered; may be called with ptl dropped */
void tlb_flush_mmu_tlbonly(struct mmu_gather *tlb);
void tlb_finish_mmu(struct mmu_gather *tlb);
/* Notes a page whose reference goes with it.  True: full, the caller must drop the ptl and call tlb_flush_mmu(). */
bool __tlb_remove_page(struct mmu_gather *tlb, struct page *page);
/* 2^order single pages, aligned, whose counts are 0 already: they come free as one block. */
void tlb_remove_row(struct mmu_gather *tlb, struct page *pages, unsigned int order);
void tlb_remove_table(struct mmu_gather *tlb, struct page *table, unsigned long addr, unsigned long span);

static inline void tlb_track_range(struct mmu_gather *tlb, unsigned long addr, unsigned long size)
{
	if (addr < tlb->start)
		tlb->start = addr;
	if (addr + size > tlb->end)
		tlb->end = addr + size;
}

#endif
