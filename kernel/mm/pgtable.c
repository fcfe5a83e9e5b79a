/*
 * pgtable.c: making page-table pages and finding one's way down the four levels.
 *
 * Idea:    pgd -> pud -> pmd -> pte.  A missing level is allocated without any lock and then put in place under
 *          mm->page_table_lock; who comes second frees his.  Tables go away only in free_pgtables(), when nobody can fault
 *          in the range any more, so a walker that holds mmap_lock (or i_mmap_rwsem of a file mapped there) may follow
 *          entries without a lock and needs the ptl only for the last level.
 * Locking: page_table_lock for entries of pgd, pud and pmd; each pte page has a lock of its own (page->ptl).
 * See:     spec.md §5 "four levels"; doc/address-spaces.md
 */
#include <weft/sched.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "internal.h"

int __pte_alloc(struct mm_struct *mm, pmd_t *pmd)
{
	pgtable_t new = pte_alloc_one(mm);

	if (!new)
		return -ENOMEM;
	smp_wmb();			/* a walker that sees the table must see its zeroes */
	spin_lock(&mm->page_table_lock);
	if (likely(pmd_none(*pmd))) {
		atomic_long_add(PAGE_SIZE, &mm->pgtables_bytes);
		pmd_populate(mm, pmd, new);
		new = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (new)
		pte_free(mm, new);
	return 0;
}

int __pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long address)
{
	pmd_t *new = pmd_alloc_one(mm, address);

	if (!new)
		return -ENOMEM;
	smp_wmb();
	spin_lock(&mm->page_table_lock);
	if (likely(pud_none(*pud))) {
		atomic_long_add(PAGE_SIZE, &mm->pgtables_bytes);
		pud_populate(mm, pud, new);
		new = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (new)
		pmd_free(mm, new);
	return 0;
}

int __pud_alloc(struct mm_struct *mm, pgd_t *pgd, unsigned long address)
{
	pud_t *new = pud_alloc_one(mm, address);

	if (!new)
		return -ENOMEM;
	smp_wmb();
	spin_lock(&mm->page_table_lock);
	if (likely(pgd_none(*pgd))) {
		atomic_long_add(PAGE_SIZE, &mm->pgtables_bytes);
		pgd_populate(mm, pgd, new);
		new = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (new)
		pud_free(mm, new);
	return 0;
}

static __always_inline pmd_t *walk_to_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return NULL;
	pud = pud_offset(pgd, addr);
	if (pud_none(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	return pmd_none(*pmd) ? NULL : pmd;
}

pmd_t *mm_find_pmd(struct mm_struct *mm, unsigned long addr)
{
	return walk_to_pmd(mm, addr);
}

static noinline pmd_t *alloc_tables(struct mm_struct *mm, unsigned long addr)
{
	pud_t *pud = pud_alloc(mm, pgd_offset(mm, addr), addr);

	return pud ? pmd_alloc(mm, pud, addr) : NULL;
}

/* The pmd entry for addr; the pte table itself may be missing.  For a fault: most often all is there. */
pmd_t *mm_alloc_pmd(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = walk_to_pmd(mm, addr);

	return likely(pmd) ? pmd : alloc_tables(mm, addr);
}

void mm_flush_tlb(struct mm_struct *mm)
{
	flush_tlb_mm_range(mm, 0, TLB_FLUSH_ALL, PAGE_SHIFT, false);
}
