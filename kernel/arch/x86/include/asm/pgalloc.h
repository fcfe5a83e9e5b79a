/*
 * pgalloc.h: pages that hold page tables: made, freed, hung into the level above.
 *
 * Locking: *_alloc_one and *_free need none.  *_populate: mm->page_table_lock (or the table is not yet visible).
 * Context: alloc may sleep; free never does.  A table that a processor may still walk must go through the mmu_gather.
 * See:     kernel/mm/memory.c
 */
#ifndef ASM_PGALLOC_H
#define ASM_PGALLOC_H

#include <weft/mm.h>
#include <weft/gfp.h>
#include <weft/vmstat.h>
#include <asm/pgtable.h>

#define GFP_PGTABLE_KERNEL	(GFP_KERNEL | __GFP_ZERO)
#define GFP_PGTABLE_USER	(GFP_PGTABLE_KERNEL | __GFP_ACCOUNT)

pgd_t *pgd_alloc(struct mm_struct *mm);		/* lower half empty, upper half the kernel's; NULL when out of memory */
void pgd_free(struct mm_struct *mm, pgd_t *pgd);

/* Every user table page has a lock for its entries and is counted in /proc/meminfo "PageTables". */
static inline void pgtable_page_ctor(struct page *page)
{
	spin_lock_init(&page->ptl);
	__SetPageTable(page);
	inc_node_state(NR_PAGETABLE);
}
static inline void pgtable_page_dtor(struct page *page)
{
	__ClearPageTable(page);
	page->memcg = NULL;			/* the lock may have lain there */
	dec_node_state(NR_PAGETABLE);
}
static inline struct page *pgtable_page_alloc(void)
{
	struct page *page = alloc_page(GFP_PGTABLE_USER);

	if (page)
		pgtable_page_ctor(page);
	return page;
}
static inline void pgtable_page_free(struct page *page)
{
	pgtable_page_dtor(page);
	__free_page(page);
}

static inline pgtable_t pte_alloc_one(struct mm_struct *mm) { return pgtable_page_alloc(); }
static inline void pte_free(struct mm_struct *mm, struct page *pte) { pgtable_page_free(pte); }
static inline pmd_t *pmd_alloc_one(struct mm_struct *mm, unsigned long addr)
{
	struct page *page = pgtable_page_alloc();

	return page ? page_address(page) : NULL;
}
static inline void pmd_free(struct mm_struct *mm, pmd_t *pmd) { pgtable_page_free(virt_to_page(pmd)); }
static inline pud_t *pud_alloc_one(struct mm_struct *mm, unsigned long addr)
{
	struct page *page = pgtable_page_alloc();

	return page ? page_address(page) : NULL;
}
static inline void pud_free(struct mm_struct *mm, pud_t *pud) { pgtable_page_free(virt_to_page(pud)); }

static inline void pmd_populate(struct mm_struct *mm, pmd_t *pmd, pgtable_t pte)
{
	set_pmd(pmd, __pmd(page_to_phys(pte) | _PAGE_TABLE));
}
static inline void pmd_populate_kernel(struct mm_struct *mm, pmd_t *pmd, pte_t *pte)
{
	set_pmd(pmd, __pmd(__pa(pte) | _KERNPG_TABLE));
}
static inline void pud_populate(struct mm_struct *mm, pud_t *pud, pmd_t *pmd)
{
	set_pud(pud, __pud(__pa(pmd) | _PAGE_TABLE));
}
static inline void pgd_populate(struct mm_struct *mm, pgd_t *pgd, pud_t *pud)
{
	set_pgd(pgd, __pgd(__pa(pud) | _PAGE_TABLE));
}

#endif
