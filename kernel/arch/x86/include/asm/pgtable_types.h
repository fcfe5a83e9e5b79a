/*
 * pgtable_types.h: the words of a page table and what their bits say.
 *
 * Idea:    each level has a type of its own, so that a pmd is never taken for a pte by mistake; all are one 64-bit word.
 * Entries that are not present:
 *          0                                    nothing (pte_none)
 *          _PAGE_PROTNONE set, _PAGE_PRESENT not: a page that is there for the kernel, but PROT_NONE for the program
 *          neither set, word not 0              a page in swap (issue 6): bit 1 soft dirty, 9-13 swap area, 14-63 the
 *                                               slot, inverted, so that a speculative load finds no existing frame
 * See:     Intel SDM vol. 3 §4.5
 */
#ifndef ASM_PGTABLE_TYPES_H
#define ASM_PGTABLE_TYPES_H

#include <weft/types.h>

#define _PAGE_BIT_PRESENT	0
#define _PAGE_BIT_RW		1
#define _PAGE_BIT_USER		2
#define _PAGE_BIT_PWT		3
#define _PAGE_BIT_PCD		4
#define _PAGE_BIT_ACCESSED	5
#define _PAGE_BIT_DIRTY		6
#define _PAGE_BIT_PSE		7		/* pmd, pud: maps 2 MiB or 1 GiB itself */
#define _PAGE_BIT_PAT		7		/* pte */
#define _PAGE_BIT_GLOBAL	8
#define _PAGE_BIT_SOFTW1	9
#define _PAGE_BIT_SOFTW2	10
#define _PAGE_BIT_SOFTW3	11
#define _PAGE_BIT_PAT_LARGE	12
#define _PAGE_BIT_SOFTW4	58
#define _PAGE_BIT_NX		63

#define _PAGE_PRESENT		(1UL << _PAGE_BIT_PRESENT)
#define _PAGE_RW		(1UL << _PAGE_BIT_RW)
#define _PAGE_USER		(1UL << _PAGE_BIT_USER)
#define _PAGE_PWT		(1UL << _PAGE_BIT_PWT)
#define _PAGE_PCD		(1UL << _PAGE_BIT_PCD)
#define _PAGE_ACCESSED		(1UL << _PAGE_BIT_ACCESSED)
#define _PAGE_DIRTY		(1UL << _PAGE_BIT_DIRTY)
#define _PAGE_PSE		(1UL << _PAGE_BIT_PSE)
#define _PAGE_PAT		(1UL << _PAGE_BIT_PAT)
#define _PAGE_GLOBAL		(1UL << _PAGE_BIT_GLOBAL)	/* survives a CR3 load: kernel pages */
#define _PAGE_SPECIAL		(1UL << _PAGE_BIT_SOFTW1)	/* no struct page is counted behind this entry */
#define _PAGE_UFFD_WP		(1UL << _PAGE_BIT_SOFTW2)	/* a program wants to know of the first write */
#define _PAGE_SOFT_DIRTY	(1UL << _PAGE_BIT_SOFTW3)	/* written since /proc/PID/clear_refs */
#define _PAGE_SOFTW4		(1UL << _PAGE_BIT_SOFTW4)
#define _PAGE_NX		(1UL << _PAGE_BIT_NX)
#define _PAGE_PROTNONE		_PAGE_GLOBAL			/* in an entry that is not present */

#define PTE_PFN_MASK		0x000ffffffffff000UL
#define PTE_FLAGS_MASK		(~PTE_PFN_MASK)
/* What mprotect leaves alone. */
#define _PAGE_CHG_MASK		(PTE_PFN_MASK | _PAGE_PCD | _PAGE_PWT | _PAGE_PAT | _PAGE_SPECIAL | _PAGE_ACCESSED | \
				 _PAGE_DIRTY | _PAGE_SOFT_DIRTY | _PAGE_UFFD_WP)

/*
 * Memory types through PAT, which arch sets up with entries 0 WB, 1 WC, 2 UC-, 3 UC (pat_cpu_init()): so PWT alone is
 * write combining, both bits together are uncached.
 */
#define _PAGE_CACHE_WC		_PAGE_PWT
#define _PAGE_CACHE_UC		(_PAGE_PCD | _PAGE_PWT)
#define _PAGE_CACHE_MASK	(_PAGE_PCD | _PAGE_PWT)

typedef unsigned long pteval_t;
typedef unsigned long pgprotval_t;
typedef struct { pteval_t pte; } pte_t;
typedef struct { pteval_t pmd; } pmd_t;
typedef struct { pteval_t pud; } pud_t;
typedef struct { pteval_t pgd; } pgd_t;
typedef struct { pgprotval_t pgprot; } pgprot_t;
typedef struct page *pgtable_t;			/* a page of ptes */

#define pte_val(x)		((x).pte)
#define pmd_val(x)		((x).pmd)
#define pud_val(x)		((x).pud)
#define pgd_val(x)		((x).pgd)
#define pgprot_val(x)		((x).pgprot)
#define __pte(x)		((pte_t){ (x) })
#define __pmd(x)		((pmd_t){ (x) })
#define __pud(x)		((pud_t){ (x) })
#define __pgd(x)		((pgd_t){ (x) })
#define __pgprot(x)		((pgprot_t){ (x) })

#define _PAGE_USER_BASE		(_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED)
#define PAGE_NONE		__pgprot(_PAGE_PROTNONE | _PAGE_ACCESSED)
#define PAGE_READONLY		__pgprot(_PAGE_USER_BASE | _PAGE_NX)
#define PAGE_READONLY_EXEC	__pgprot(_PAGE_USER_BASE)
#define PAGE_COPY		PAGE_READONLY		/* private and writable: the first write faults and copies */
#define PAGE_COPY_EXEC		PAGE_READONLY_EXEC
#define PAGE_SHARED		__pgprot(_PAGE_USER_BASE | _PAGE_RW | _PAGE_NX)
#define PAGE_SHARED_EXEC	__pgprot(_PAGE_USER_BASE | _PAGE_RW)

#define _KERNPG_BASE		(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_GLOBAL)
#define __PAGE_KERNEL		(_KERNPG_BASE | _PAGE_RW | _PAGE_NX)
#define __PAGE_KERNEL_LARGE	(__PAGE_KERNEL | _PAGE_PSE)
#define PAGE_KERNEL		__pgprot(__PAGE_KERNEL)
#define PAGE_KERNEL_RO		__pgprot(_KERNPG_BASE | _PAGE_NX)
#define PAGE_KERNEL_ROX		__pgprot(_KERNPG_BASE)
#define PAGE_KERNEL_NOCACHE	__pgprot(__PAGE_KERNEL | _PAGE_CACHE_UC)
#define PAGE_KERNEL_WC		__pgprot(__PAGE_KERNEL | _PAGE_CACHE_WC)
/* An entry that points to the next level gives all rights; the last level takes away. */
#define _PAGE_TABLE		(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY)
#define _KERNPG_TABLE		(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY)

#endif
