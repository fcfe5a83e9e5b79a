/*
 * zap.c: taking pages out of address spaces: munmap, madvise, truncation, the end of a process; and the page tables.
 *
 * Idea:    walk the range table by table; under each table's lock clear the entries, note the pages in the mmu_gather, sum
 *          up what the resident counters lose; drop the lock to flush when the batch is full.  What is left of the tables
 *          is freed afterwards, level by level, as far as no neighbour needs them.
 * Locking: mmap_lock (reading is enough), or, for truncation, the file's i_mmap_rwsem: an area is taken out of the file's
 *          tree before its page tables are freed, so they stay as long as truncation can find the area.
 *
 *              CPU 0: munmap of a file mapping         CPU 1: ftruncate of that file
 *              unmap_vmas: entries cleared             i_mmap_lock_read, finds the area,
 *              unlink_file_vma: waits                  walks its tables (there, maybe empty)
 *              ...                                     i_mmap_unlock_read
 *              area out of the tree
 *              tables freed                            a second truncation does not find the area
 * See:     spec.md §5; mmu_gather.c
 */
#include <weft/fs.h>
#include <weft/huge_mm.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/swap.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>
#include "internal.h"

/* The struct page behind an entry, or NULL: the zero page, a device, a bare frame. */
struct page *vm_normal_page(struct vm_area_struct *vma, unsigned long addr, pte_t pte)
{
	unsigned long pfn = pte_pfn(pte);

	if (unlikely(pte_special(pte)) || (vma->vm_flags & VM_PFNMAP) || is_zero_pfn(pfn))
		return NULL;
	return pfn_to_page(pfn);
}

/* What a range loses, added to the mm at once. */
struct zap_sums {
	long rss[NR_MM_COUNTERS];
};

static void apply_sums(struct mm_struct *mm, const struct zap_sums *sums)
{
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		if (sums->rss[i])
			add_mm_counter(mm, i, -sums->rss[i]);
}

/* Most of a large area is often empty: a stack of 8 MiB, of which a thread used two pages. */
static inline pte_t *next_used(pte_t *pte, const pte_t *last)
{
	while (pte != last && pte_none(*pte))
		pte++;
	return pte;
}

/* No processor can have it in its TLB: nothing to flush. */
static void zap_swap_entry(pte_t *pte, pte_t entry, struct zap_sums *sums)
{
	set_pte(pte, __pte(0));
	sums->rss[MM_SWAPENTS]++;
	free_swap_and_cache(pte_to_swp_entry(entry));
}

/*
 * One table.  Returns where it stopped: end, or earlier when the batch is full (*full).  A dirty page of a shared file
 * asks for a flush before the ptl is dropped: otherwise another processor could still write through its TLB to a page
 * that write-back thinks it has cleaned.
 */
static unsigned long zap_pte_range(struct mmu_gather *tlb, struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
				   unsigned long end, bool even_cows, bool *full)
{
	struct zap_sums sums = { };
	bool flush_now = false, locked = vma->vm_flags & VM_LOCKED;
	spinlock_t *ptl;
	pte_t *base = pte_offset_map_lock(tlb->mm, pmd, addr, &ptl), *last = base + ((end - addr) >> PAGE_SHIFT);
	pte_t *pte = base, *first = NULL, *behind = NULL;	/* cleared: from first up to behind */

	*full = false;
	for (; (pte = next_used(pte, last)) != last; pte++) {
		pte_t entry = *pte;
		struct page *page;

		if (!pte_present(entry)) {
			if (even_cows)
				zap_swap_entry(pte, entry, &sums);
			continue;
		}
		page = vm_normal_page(vma, addr, entry);
		if (page && !even_cows && PageAnon(page))
			continue;
		entry = ptep_get_and_clear_full(tlb->mm, addr, pte, tlb->fullmm);
		first = first ?: pte;
		behind = pte + 1;
		if (!page)
			continue;
		if (PageAnon(page)) {
			sums.rss[MM_ANONPAGES]++;
		} else {
			if (pte_dirty(entry)) {
				set_page_dirty(page);
				flush_now = !tlb->fullmm;
			}
			sums.rss[mm_counter_file(page)]++;
		}
		if (unlikely(locked))
			munlock_page(page);
		page_remove_rmap(page);
		if (unlikely(__tlb_remove_page(tlb, page))) {
			*full = true;
			end = addr + ((unsigned long)(behind - base) << PAGE_SHIFT);
			break;
		}
	}

	if (first)
		tlb_track_range(tlb, addr + ((unsigned long)(first - base) << PAGE_SHIFT),
				(unsigned long)(behind - first) << PAGE_SHIFT);
	apply_sums(tlb->mm, &sums);
	if (flush_now)
		tlb_flush_mmu_tlbonly(tlb);
	spin_unlock(ptl);
	return end;
}

static void zap_pmd_entry(struct mmu_gather *tlb, struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
			  unsigned long end, bool even_cows)
{
	bool full;

	while (addr < end) {
		addr = zap_pte_range(tlb, vma, pmd, addr, end, even_cows, &full);
		if (full)
			tlb_flush_mmu(tlb);
		cond_resched();
	}
}

/*
 * Empties [start, end) of vma's page tables.  even_cows: also private copies of file pages, which truncation must take but
 * hole punching under a private mapping must not.  May sleep.
 */
void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long start, unsigned long end,
		      bool even_cows)
{
	unsigned long addr, next;

	for (addr = start; addr < end; addr = next) {
		pgd_t *pgd = pgd_offset(tlb->mm, addr);
		pud_t *pud;
		pmd_t *pmd;

		next = pgd_addr_end(addr, end);
		if (pgd_none(*pgd))
			continue;
		pud = pud_offset(pgd, addr);
		next = pud_addr_end(addr, end);
		if (pud_none(*pud))
			continue;
		pmd = pmd_offset(pud, addr);
		next = pmd_addr_end(addr, end);
		if (pmd_huge(pmd) && zap_huge_pmd(tlb, vma, pmd, addr, next))
			continue;
		if (!pmd_has_table(tlb->mm, pmd, addr))
			continue;
		zap_pmd_entry(tlb, vma, pmd, addr, next, even_cows);
	}
}

void unmap_vmas(struct mmu_gather *tlb, struct list_head *areas, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;

	list_for_each_entry(vma, areas, vm_list) {
		unsigned long from = max(vma->vm_start, start), to = min(vma->vm_end, end);

		if (from < to)
			unmap_page_range(tlb, vma, from, to, true);
	}
}

/* Drops the pages of [start, start + size); the area stays.  mmap_lock held. */
void zap_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long size)
{
	struct mmu_gather tlb;

	update_hiwater_rss(vma->vm_mm);
	tlb_gather_mmu(&tlb, vma->vm_mm);
	unmap_page_range(&tlb, vma, start, start + size, true);
	tlb_finish_mmu(&tlb);
}

/* ---- truncation ---- */

void unmap_mapping_pages(struct address_space *mapping, pgoff_t start, pgoff_t nr, bool even_cows)
{
	pgoff_t last = nr && start + nr - 1 >= start ? start + nr - 1 : ULONG_MAX;
	struct vm_area_struct *vma;
	struct mmu_gather tlb;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, start, last) {
		pgoff_t first = max(start, vma->vm_pgoff), end = min(last, vma->vm_pgoff + vma_pages(vma) - 1);

		tlb_gather_mmu(&tlb, vma->vm_mm);
		unmap_page_range(&tlb, vma, vma->vm_start + ((first - vma->vm_pgoff) << PAGE_SHIFT),
				 vma->vm_start + ((end - vma->vm_pgoff + 1) << PAGE_SHIFT), even_cows);
		tlb_finish_mmu(&tlb);
	}
	i_mmap_unlock_read(mapping);
}

void unmap_mapping_range(struct address_space *mapping, loff_t holebegin, loff_t holelen, int even_cows)
{
	pgoff_t first = (u64)holebegin >> PAGE_SHIFT;
	pgoff_t nr = ((u64)holelen + PAGE_SIZE - 1) >> PAGE_SHIFT;

	unmap_mapping_pages(mapping, first, nr, even_cows);
}

/* ---- page tables ---- */

/*
 * May the table that spans [addr, addr + span) go, when [addr, end) goes and the neighbours end at floor and start at
 * ceiling (0: none above)?  Only if both lie outside of its span.
 */
static bool table_is_ours(unsigned long addr, unsigned long end, unsigned long span, unsigned long floor,
			  unsigned long ceiling)
{
	unsigned long start = addr & ~(span - 1), stop = (end + span - 1) & ~(span - 1);

	return start >= floor && stop - 1 <= ceiling - 1;
}

static void free_pte_tables(struct mmu_gather *tlb, pud_t *pud, unsigned long addr, unsigned long end,
			    unsigned long floor, unsigned long ceiling)
{
	unsigned long next;
	pmd_t *pmd = pmd_offset(pud, addr);
	struct page *table;

	for (; addr < end; addr = next, pmd++) {
		next = pmd_addr_end(addr, end);
		if (pmd_none(*pmd) || !table_is_ours(addr, next, PMD_SIZE, floor, ceiling))
			continue;
		table = pmd_page(*pmd);
		pmd_clear(pmd);			/* first: a full gather is flushed and freed at once */
		tlb_remove_table(tlb, table, addr, PMD_SIZE);
		atomic_long_sub(PAGE_SIZE, &tlb->mm->pgtables_bytes);
	}
}

static void free_pmd_tables(struct mmu_gather *tlb, pgd_t *pgd, unsigned long addr, unsigned long end,
			    unsigned long floor, unsigned long ceiling)
{
	unsigned long next;
	pud_t *pud = pud_offset(pgd, addr);
	struct page *table;

	for (; addr < end; addr = next, pud++) {
		next = pud_addr_end(addr, end);
		if (pud_none(*pud))
			continue;
		free_pte_tables(tlb, pud, addr, next, floor, ceiling);
		if (!table_is_ours(addr, next, PUD_SIZE, floor, ceiling))
			continue;
		table = virt_to_page(pmd_offset(pud, 0));
		pud_clear(pud);
		tlb_remove_table(tlb, table, addr, PUD_SIZE);
		atomic_long_sub(PAGE_SIZE, &tlb->mm->pgtables_bytes);
	}
}

void free_pgd_range(struct mmu_gather *tlb, unsigned long addr, unsigned long end, unsigned long floor,
		    unsigned long ceiling)
{
	unsigned long next;

	for (; addr < end; addr = next) {
		pgd_t *pgd = pgd_offset(tlb->mm, addr);
		struct page *table;

		next = pgd_addr_end(addr, end);
		if (pgd_none(*pgd))
			continue;
		free_pmd_tables(tlb, pgd, addr, next, floor, ceiling);
		if (!table_is_ours(addr, next, PGDIR_SIZE, floor, ceiling))
			continue;
		table = virt_to_page(pud_offset(pgd, 0));
		pgd_clear(pgd);
		tlb_remove_table(tlb, table, addr, PGDIR_SIZE);
		atomic_long_sub(PAGE_SIZE, &tlb->mm->pgtables_bytes);
	}
}

/*
 * Areas whose tables may be shared, because less than a table's span lies between them, go as one range.  A range's tables
 * may still be shared with the next one on the list higher up: that counts as a ceiling until its own turn, when the floor
 * is that of the whole list, so the last user of a table frees it.
 */
void free_pgtables(struct mmu_gather *tlb, struct list_head *areas, unsigned long floor, unsigned long ceiling)
{
	struct vm_area_struct *vma;
	unsigned long first = 0;
	bool more = false;

	list_for_each_entry(vma, areas, vm_list) {
		struct vm_area_struct *next = list_is_last(&vma->vm_list, areas) ? NULL : list_next_entry(vma, vm_list);

		unlink_file_vma(vma);
		if (!more)
			first = vma->vm_start;
		more = next && next->vm_start - vma->vm_end < PMD_SIZE;
		if (!more)
			free_pgd_range(tlb, first, vma->vm_end, floor, next ? next->vm_start : ceiling);
	}
}
