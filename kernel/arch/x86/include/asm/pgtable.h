/*
 * pgtable.h: reading, making and changing entries of the four levels: pgd, pud, pmd, pte.
 *
 * Idea:    functions on values (pte_mkdirty) cost nothing and touch no memory; functions on slots (set_pte, ptep_*) do one
 *          store or one atomic operation.  The processor itself sets accessed and dirty bits in a slot at any time, so
 *          whoever takes an entry away uses xchg (ptep_get_and_clear) and whoever clears a single bit does it atomically.
 * Locking: slots of user page tables: the ptl of the table page.  Kernel slots: init_mm.page_table_lock to make tables,
 *          the owner of the range to fill them.
 * See:     spec.md §5 "four levels"; Intel SDM vol. 3 §4.5
 */
#ifndef ASM_PGTABLE_H
#define ASM_PGTABLE_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <asm/page.h>
#include <asm/pgtable_types.h>

#define PTRS_PER_PTE		512
#define PTRS_PER_PMD		512
#define PTRS_PER_PUD		512
#define PTRS_PER_PGD		512
#define PMD_SIZE		(1UL << PMD_SHIFT)
#define PMD_MASK		(~(PMD_SIZE - 1))
#define PUD_SIZE		(1UL << PUD_SHIFT)
#define PUD_MASK		(~(PUD_SIZE - 1))
#define PGDIR_SIZE		(1UL << PGDIR_SHIFT)
#define PGDIR_MASK		(~(PGDIR_SIZE - 1))
#define USER_PTRS_PER_PGD	256		/* the lower half belongs to the program */
#define KERNEL_PGD_BOUNDARY	256
#define FIRST_USER_ADDRESS	0UL

/* 1 TiB: two entries of the top level, whose tables exist from the start so that every pgd sees later mappings. */
#define VMALLOC_START		0xffffc90000000000UL
#define VMALLOC_SIZE		(1UL << 40)
#define VMALLOC_END		(VMALLOC_START + VMALLOC_SIZE)

struct mm_struct;
struct vm_area_struct;

extern pgd_t swapper_pg_dir[PTRS_PER_PGD];	/* the kernel's own: its upper half is every pgd's upper half */

/* ---- questions to an entry ---- */
static __always_inline int pte_none(pte_t pte) { return !pte_val(pte); }
static __always_inline int pte_present(pte_t pte) { return !!(pte_val(pte) & (_PAGE_PRESENT | _PAGE_PROTNONE)); }
static __always_inline int pte_protnone(pte_t pte)
{
	return (pte_val(pte) & (_PAGE_PRESENT | _PAGE_PROTNONE)) == _PAGE_PROTNONE;
}
static __always_inline int pte_write(pte_t pte) { return !!(pte_val(pte) & _PAGE_RW); }
static __always_inline int pte_dirty(pte_t pte) { return !!(pte_val(pte) & _PAGE_DIRTY); }
static __always_inline int pte_young(pte_t pte) { return !!(pte_val(pte) & _PAGE_ACCESSED); }
static __always_inline int pte_exec(pte_t pte) { return !(pte_val(pte) & _PAGE_NX); }
static __always_inline int pte_special(pte_t pte) { return !!(pte_val(pte) & _PAGE_SPECIAL); }
static __always_inline int pte_soft_dirty(pte_t pte) { return !!(pte_val(pte) & _PAGE_SOFT_DIRTY); }
static __always_inline int pte_uffd_wp(pte_t pte) { return !!(pte_val(pte) & _PAGE_UFFD_WP); }
static __always_inline int pte_user(pte_t pte) { return !!(pte_val(pte) & _PAGE_USER); }
static __always_inline int pte_same(pte_t a, pte_t b) { return pte_val(a) == pte_val(b); }
static __always_inline unsigned long pte_pfn(pte_t pte) { return (pte_val(pte) & PTE_PFN_MASK) >> PAGE_SHIFT; }
static __always_inline pteval_t pte_flags(pte_t pte) { return pte_val(pte) & PTE_FLAGS_MASK; }
#define pte_page(pte)		pfn_to_page(pte_pfn(pte))
#define pte_pgprot(pte)		__pgprot(pte_flags(pte))

/* ---- making an entry ---- */
static __always_inline pte_t pfn_pte(unsigned long pfn, pgprot_t prot)
{
	return __pte((pfn << PAGE_SHIFT) | pgprot_val(prot));
}
#define mk_pte(page, prot)	pfn_pte(page_to_pfn(page), prot)

#define PTE_CHANGE(name, expr) \
static __always_inline pte_t name(pte_t pte) { pteval_t v = pte_val(pte); return __pte(expr); }
PTE_CHANGE(pte_mkwrite, v | _PAGE_RW)
PTE_CHANGE(pte_wrprotect, v & ~_PAGE_RW)
PTE_CHANGE(pte_mkdirty, v | _PAGE_DIRTY | _PAGE_SOFT_DIRTY)
PTE_CHANGE(pte_mkclean, v & ~_PAGE_DIRTY)
PTE_CHANGE(pte_mkyoung, v | _PAGE_ACCESSED)
PTE_CHANGE(pte_mkold, v & ~_PAGE_ACCESSED)
PTE_CHANGE(pte_mkexec, v & ~_PAGE_NX)
PTE_CHANGE(pte_mkspecial, v | _PAGE_SPECIAL)
PTE_CHANGE(pte_mksoft_dirty, v | _PAGE_SOFT_DIRTY)
PTE_CHANGE(pte_clear_soft_dirty, v & ~_PAGE_SOFT_DIRTY)
PTE_CHANGE(pte_mkuffd_wp, v | _PAGE_UFFD_WP)
PTE_CHANGE(pte_clear_uffd_wp, v & ~_PAGE_UFFD_WP)
#undef PTE_CHANGE

/* The same page with other rights. */
static __always_inline pte_t pte_modify(pte_t pte, pgprot_t newprot)
{
	return __pte((pte_val(pte) & _PAGE_CHG_MASK) | (pgprot_val(newprot) & ~_PAGE_CHG_MASK));
}
static __always_inline pgprot_t pgprot_noncached(pgprot_t p)
{
	return __pgprot((pgprot_val(p) & ~_PAGE_CACHE_MASK) | _PAGE_CACHE_UC);
}
static __always_inline pgprot_t pgprot_writecombine(pgprot_t p)
{
	return __pgprot((pgprot_val(p) & ~_PAGE_CACHE_MASK) | _PAGE_CACHE_WC);
}

/* ---- slots of the last level ---- */
static __always_inline pte_t ptep_get(pte_t *ptep) { return __pte(READ_ONCE(ptep->pte)); }
static __always_inline void set_pte(pte_t *ptep, pte_t pte) { WRITE_ONCE(ptep->pte, pte.pte); }
static __always_inline void set_pte_at(struct mm_struct *mm, unsigned long addr, pte_t *ptep, pte_t pte)
{
	set_pte(ptep, pte);
}
static __always_inline void pte_clear(struct mm_struct *mm, unsigned long addr, pte_t *ptep) { set_pte(ptep, __pte(0)); }

/* Takes the entry away and returns it with the bits that the processor set up to that moment. */
static __always_inline pte_t ptep_get_and_clear(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	return __pte(__atomic_exchange_n(&ptep->pte, 0UL, __ATOMIC_SEQ_CST));
}
/* The same; full: nobody runs in this address space any more, so a plain load and store do. */
static __always_inline pte_t ptep_get_and_clear_full(struct mm_struct *mm, unsigned long addr, pte_t *ptep, int full)
{
	pte_t pte;

	if (!full)
		return ptep_get_and_clear(mm, addr, ptep);
	pte = ptep_get(ptep);
	set_pte(ptep, __pte(0));
	return pte;
}
static __always_inline void ptep_set_wrprotect(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	__atomic_and_fetch(&ptep->pte, ~_PAGE_RW, __ATOMIC_SEQ_CST);
}
static __always_inline int ptep_test_and_clear_young(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	if (!pte_young(ptep_get(ptep)))
		return 0;
	return !!(__atomic_fetch_and(&ptep->pte, ~_PAGE_ACCESSED, __ATOMIC_SEQ_CST) & _PAGE_ACCESSED);
}
/*
 * Gives an entry more rights or bits.  1 if it changed.  No flush is needed: a processor with the poorer translation
 * faults, walks again and finds the better one.
 */
static __always_inline int ptep_set_access_flags(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry,
						 int dirty)
{
	int changed = !pte_same(ptep_get(ptep), entry);

	if (changed && dirty)
		set_pte(ptep, entry);
	return changed;
}
#define update_mmu_cache(vma, addr, ptep)	do { } while (0)

/* ---- upper levels ---- */
static __always_inline int pmd_none(pmd_t pmd) { return !pmd_val(pmd); }
static __always_inline int pmd_present(pmd_t pmd) { return !!(pmd_val(pmd) & _PAGE_PRESENT); }
static __always_inline int pmd_leaf(pmd_t pmd) { return !!(pmd_val(pmd) & _PAGE_PSE); }
static __always_inline int pmd_bad(pmd_t pmd)
{
	return (pmd_val(pmd) & PTE_FLAGS_MASK & ~(_PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY)) != (_PAGE_PRESENT | _PAGE_RW);
}
static __always_inline unsigned long pmd_pfn(pmd_t pmd) { return (pmd_val(pmd) & PTE_PFN_MASK) >> PAGE_SHIFT; }
static __always_inline unsigned long pmd_page_vaddr(pmd_t pmd) { return (unsigned long)__va(pmd_val(pmd) & PTE_PFN_MASK); }
#define pmd_page(pmd)		pfn_to_page(pmd_pfn(pmd))
#define pmd_large(pmd)		pmd_leaf(pmd)

static __always_inline int pud_none(pud_t pud) { return !pud_val(pud); }
static __always_inline int pud_present(pud_t pud) { return !!(pud_val(pud) & _PAGE_PRESENT); }
static __always_inline int pud_leaf(pud_t pud) { return !!(pud_val(pud) & _PAGE_PSE); }
static __always_inline int pud_bad(pud_t pud) { return pmd_bad(__pmd(pud_val(pud))); }
static __always_inline unsigned long pud_pfn(pud_t pud) { return (pud_val(pud) & PTE_PFN_MASK) >> PAGE_SHIFT; }
#define pud_page(pud)		pfn_to_page(pud_pfn(pud))
#define pud_pgtable(pud)	((pmd_t *)__va(pud_val(pud) & PTE_PFN_MASK))

static __always_inline int pgd_none(pgd_t pgd) { return !pgd_val(pgd); }
static __always_inline int pgd_present(pgd_t pgd) { return !!(pgd_val(pgd) & _PAGE_PRESENT); }
static __always_inline int pgd_bad(pgd_t pgd) { return pmd_bad(__pmd(pgd_val(pgd))); }
#define pgd_page(pgd)		pfn_to_page((pgd_val(pgd) & PTE_PFN_MASK) >> PAGE_SHIFT)
#define pgd_pgtable(pgd)	((pud_t *)__va(pgd_val(pgd) & PTE_PFN_MASK))

static __always_inline void set_pmd(pmd_t *pmdp, pmd_t pmd) { WRITE_ONCE(pmdp->pmd, pmd.pmd); }
static __always_inline void set_pud(pud_t *pudp, pud_t pud) { WRITE_ONCE(pudp->pud, pud.pud); }
static __always_inline void set_pgd(pgd_t *pgdp, pgd_t pgd) { WRITE_ONCE(pgdp->pgd, pgd.pgd); }
#define pmd_clear(pmdp)		set_pmd(pmdp, __pmd(0))
#define pud_clear(pudp)		set_pud(pudp, __pud(0))
#define pgd_clear(pgdp)		set_pgd(pgdp, __pgd(0))
static __always_inline pmd_t pmdp_get(pmd_t *pmdp) { return __pmd(READ_ONCE(pmdp->pmd)); }
static __always_inline pud_t pudp_get(pud_t *pudp) { return __pud(READ_ONCE(pudp->pud)); }
static __always_inline pgd_t pgdp_get(pgd_t *pgdp) { return __pgd(READ_ONCE(pgdp->pgd)); }

/* ---- from an address to a slot ---- */
#define pgd_index(addr)		(((addr) >> PGDIR_SHIFT) & (PTRS_PER_PGD - 1))
#define pud_index(addr)		(((addr) >> PUD_SHIFT) & (PTRS_PER_PUD - 1))
#define pmd_index(addr)		(((addr) >> PMD_SHIFT) & (PTRS_PER_PMD - 1))
#define pte_index(addr)		(((addr) >> PAGE_SHIFT) & (PTRS_PER_PTE - 1))
#define pgd_offset_pgd(pgd, addr) ((pgd) + pgd_index(addr))
#define pgd_offset(mm, addr)	pgd_offset_pgd((mm)->pgd, addr)
#define pgd_offset_k(addr)	pgd_offset_pgd(swapper_pg_dir, addr)
static __always_inline pud_t *pud_offset(pgd_t *pgd, unsigned long addr) { return pgd_pgtable(*pgd) + pud_index(addr); }
static __always_inline pmd_t *pmd_offset(pud_t *pud, unsigned long addr) { return pud_pgtable(*pud) + pmd_index(addr); }
static __always_inline pte_t *pte_offset_kernel(pmd_t *pmd, unsigned long addr)
{
	return (pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr);
}
#define pte_offset_map(pmd, addr)	pte_offset_kernel(pmd, addr)
#define pte_unmap(pte)			((void)(pte))

/* The end of what one slot of the level covers, or `end` if that is nearer.  Minus one, because the end may wrap to 0. */
#define PGTABLE_ADDR_END(addr, end, size) \
({	unsigned long __boundary = ((addr) + (size)) & ~((size) - 1); \
	(__boundary - 1 < (end) - 1) ? __boundary : (end); })
#define pgd_addr_end(addr, end)	PGTABLE_ADDR_END(addr, end, PGDIR_SIZE)
#define pud_addr_end(addr, end)	PGTABLE_ADDR_END(addr, end, PUD_SIZE)
#define pmd_addr_end(addr, end)	PGTABLE_ADDR_END(addr, end, PMD_SIZE)

static __always_inline int pgd_none_or_clear_bad(pgd_t *p) { return pgd_none(*p) || pgd_bad(*p); }
static __always_inline int pud_none_or_clear_bad(pud_t *p) { return pud_none(*p) || pud_bad(*p); }
static __always_inline int pmd_none_or_clear_bad(pmd_t *p) { return pmd_none(*p) || pmd_bad(*p); }

/* ---- kernel/arch/x86/mm/init.c ---- */
void init_mem_mapping(void);		/* builds swapper_pg_dir from memblock's map and loads it; boot CPU, once */
void pat_cpu_init(void);		/* the memory types above, on each CPU */
void *early_ioremap_apic(phys_addr_t phys);	/* the one page that is mapped uncached before ioremap() works; never undone */
/* Page-table pages for the struct pages of frames [start, end).  Boot only. */
void vmemmap_make_tables(unsigned long start_pfn, unsigned long end_pfn);
/* Backs these struct pages with zeroed frames, taken one after the other from *from_pfn on, which moves up.  Any context. */
void vmemmap_populate(unsigned long start_pfn, unsigned long end_pfn, unsigned long *from_pfn);

/* ---- kernel/arch/x86/mm/pgtable.c ---- */
/* Changes rights of existing 4 KiB kernel mappings [addr, +nr pages) and flushes.  0 or -EINVAL when not mapped so. */
int set_memory_ro(unsigned long addr, int numpages);
int set_memory_rw(unsigned long addr, int numpages);
int set_memory_np(unsigned long addr, int numpages);	/* not mapped any more */
/* The page-table entry of a kernel address, NULL when there is none; *level is 1, or 2 and 3 for 2 MiB and 1 GiB pages. */
pte_t *lookup_address(unsigned long address, unsigned int *level);

#endif
