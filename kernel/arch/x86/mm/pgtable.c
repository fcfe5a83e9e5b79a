/*
 * pgtable.c: a top-level table for each address space, and changes to the rights of kernel pages.
 *
 * Idea:    the upper half of a new pgd is a copy of the kernel's, which does not change after start-up (init.c).
 * Locking: rights of kernel pages are changed by their one owner; an entry is one word, written at once.
 * Context: pgd_alloc() may sleep; set_memory_*() need interrupts on, because other processors must flush.
 * See:     spec.md §5
 */
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/string.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>

pgd_t *pgd_alloc(struct mm_struct *mm)
{
	pgd_t *pgd = (pgd_t *)get_zeroed_page(GFP_PGTABLE_USER);

	if (pgd)
		memcpy(pgd + KERNEL_PGD_BOUNDARY, swapper_pg_dir + KERNEL_PGD_BOUNDARY,
		       (PTRS_PER_PGD - KERNEL_PGD_BOUNDARY) * sizeof(pgd_t));
	return pgd;
}

void pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	free_page((unsigned long)pgd);
}

pte_t *lookup_address(unsigned long address, unsigned int *level)
{
	pgd_t *pgd = pgd_offset_k(address);
	pud_t *pud;
	pmd_t *pmd;

	*level = 0;
	if (pgd_none(*pgd))
		return NULL;
	pud = pud_offset(pgd, address);
	if (pud_none(*pud))
		return NULL;
	*level = 3;
	if (pud_val(*pud) & _PAGE_PSE)
		return (pte_t *)pud;
	pmd = pmd_offset(pud, address);
	*level = 2;
	if (pmd_none(*pmd))
		return NULL;
	if (pmd_val(*pmd) & _PAGE_PSE)
		return (pte_t *)pmd;
	*level = 1;
	return pte_offset_kernel(pmd, address);
}

static int change_rights(unsigned long addr, int numpages, pteval_t set, pteval_t clear)
{
	unsigned long end = addr + (unsigned long)numpages * PAGE_SIZE;
	unsigned int level;
	int err = 0;

	for (unsigned long a = addr; a < end; a += PAGE_SIZE) {
		pte_t *pte = lookup_address(a, &level);

		if (!pte || level != 1 || !pte_present(*pte)) {
			err = -EINVAL;
			break;
		}
		set_pte(pte, __pte((pte_val(*pte) | set) & ~clear));
	}
	flush_tlb_kernel_range(addr, end);
	return err;
}

int set_memory_ro(unsigned long addr, int numpages) { return change_rights(addr, numpages, 0, _PAGE_RW); }
int set_memory_rw(unsigned long addr, int numpages) { return change_rights(addr, numpages, _PAGE_RW, 0); }
/* Without the global bit as well: in an entry that is not present it would say PROT_NONE. */
int set_memory_np(unsigned long addr, int numpages)
{
	return change_rights(addr, numpages, 0, _PAGE_PRESENT | _PAGE_GLOBAL);
}
