/*
 * huge_mm.h: huge mappings: one entry of the third level that maps 2 MiB of anonymous memory.
 *
 * Idea:    "huge" is a property of the mapping, not of the memory.  Behind a huge entry lie 512 ordinary pages that happen to
 *          follow each other: each has its own count, its own place on the LRU list, its own index for rmap.  So splitting
 *          is writing 512 entries and changes no page; a part can be unmapped, swapped out, moved or pinned alone; and whoever
 *          finds pages by their frame number has nothing to learn.  What it costs: fork and exit count 512 pages, which is
 *          what they do for small ones too, without their tables.
 * Entry:   PSE says "leaf", present or not.  Not present: somebody changes it just now, under page_table_lock.
 * Locking: page_table_lock for the entry.  It may go from nothing to a leaf or a table, and from a leaf to a table or nothing,
 *          under mmap_lock for reading; from a table to a leaf only under mmap_lock and anon_vma->rwsem, both for writing
 *          (khugepaged.c).  So who has seen a table may go on using it, and who has seen a leaf takes the lock and looks again.
 * See:     kernel/mm/huge_memory.c, khugepaged.c; doc/memory.md "Huge pages"
 */
#ifndef WEFT_HUGE_MM_H
#define WEFT_HUGE_MM_H

#include <weft/mm.h>

#define HPAGE_ORDER		(PMD_SHIFT - PAGE_SHIFT)
#define HPAGE_NR		(1UL << HPAGE_ORDER)

struct mmu_gather;

enum thp_mode { THP_NEVER, THP_MADVISE, THP_ALWAYS };
extern int thp_enabled;				/* enum thp_mode: /sys/kernel/mm/transparent_hugepage/enabled */
extern int thp_defrag;				/* the same: for whom memory is moved together, so that there is a block */

/*
 * In a leaf: none of its pages is in another address space, so a write needs no look at 512 counts.  A fresh mapping has it,
 * fork takes it from both.
 */
#define _PAGE_ALONE		_PAGE_SOFTW4

static __always_inline bool pmd_huge(const pmd_t *pmd) { return unlikely(READ_ONCE(pmd->pmd) & _PAGE_PSE); }
/* The entry that a page of the huge mapping would have of its own. */
static inline pte_t pmd_to_pte(pmd_t pmd, unsigned long i)
{
	return __pte((pmd_val(pmd) & ~(_PAGE_PSE | _PAGE_ALONE)) + (i << PAGE_SHIFT));
}

/* Does the area's kind, and what was said of it, allow huge mappings at all?  `forced`: the program asks (MADV_COLLAPSE). */
bool area_may_be_huge(const struct vm_area_struct *vma, bool forced);
static inline bool range_may_be_huge(const struct vm_area_struct *vma, unsigned long addr, bool forced)
{
	unsigned long start = addr & PMD_MASK;

	return start >= vma->vm_start && start + PMD_SIZE <= vma->vm_end && area_may_be_huge(vma, forced);
}
struct page *alloc_huge_page(struct vm_area_struct *vma, unsigned long addr, gfp_t more);
/* Maps 512 fresh pages; page_table_lock held, *pmd is empty.  `table` is kept for a split. */
void map_huge_pages(struct vm_area_struct *vma, pmd_t *pmd, unsigned long start, struct page *pages, struct page *table,
		    bool dirty);

/* ---- a fault ---- */
bool do_huge_anonymous_page(struct vm_fault *vmf);	/* *pmd is empty.  False: no huge page, small ones will do */
void do_huge_fault(struct vm_fault *vmf);		/* a leaf.  If it could not serve the access, it is a table now */

/* ---- the walkers.  False: it is no leaf (any more): go on with the table, if there is one ---- */
void split_huge_pmd(struct mm_struct *mm, pmd_t *pmd, unsigned long addr);
/*
 * A table stands there: a leaf has been split, if there was one.  False: nothing does.  Each look is one load, since between
 * two the entry may go from a leaf to nothing and to another leaf; a table stays.
 */
static inline bool pmd_has_table(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	for (;;) {
		pmd_t value = pmdp_get(pmd);

		if (pmd_none(value))
			return false;
		if (likely(!pmd_leaf(value)))
			return true;
		split_huge_pmd(mm, pmd, addr);
	}
}
int copy_huge_pmd(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma, pmd_t *dst_pmd, pmd_t *src_pmd);
						/* 1: copied, 0: no leaf, -ENOMEM */
bool zap_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end);
bool change_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned long end);
bool move_huge_pmd(struct vm_area_struct *vma, unsigned long from, pmd_t *old_pmd, unsigned long to, pmd_t *new_pmd);
/* The page at addr with a reference; NULL: a fault is needed. */
bool follow_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr, unsigned int flags, struct page **page);
/* What the leaf says now; false: none. */
bool read_huge_pmd(struct mm_struct *mm, pmd_t *pmd, pmd_t *value);
/* Is the page one of those that the leaf maps?  False as well if it is no leaf. */
bool huge_pmd_maps(struct mm_struct *mm, pmd_t *pmd, struct page *page);
/* The same, and was the mapping used?  Asked for its first page, the answer starts anew. */
bool huge_pmd_referenced(struct mm_struct *mm, pmd_t *pmd, struct page *page, bool *referenced);
void split_area(struct vm_area_struct *vma, unsigned long start, unsigned long end);
unsigned long area_huge_bytes(struct vm_area_struct *vma);

/* ---- khugepaged.c ---- */
void khugepaged_enter(struct mm_struct *mm);	/* look through this one from time to time */
void khugepaged_exit(struct mm_struct *mm);
int collapse_range(struct mm_struct *mm, unsigned long addr, bool forced);	/* mmap_lock not held.  0 or -errno */

#endif
