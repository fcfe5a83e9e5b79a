/*
 * internal.h: what the files of kernel/mm show to each other and to nobody else.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/minmax.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/string.h>

struct mmu_gather;

/* ---- vma.c: the tree of areas; mmap_lock held for writing ---- */
void vma_cache_init(void);
void vma_link(struct mm_struct *mm, struct vm_area_struct *vma);
void vma_unlink(struct mm_struct *mm, struct vm_area_struct *vma);
void unlink_file_vma(struct vm_area_struct *vma);
/* Moves an area's bounds; the file offset follows the start.  Must not run into a neighbour. */
void vma_resize(struct vm_area_struct *vma, unsigned long start, unsigned long end);
void vma_remove(struct vm_area_struct *vma);
int __split_vma(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long addr, int new_below);
/*
 * Covers the free range [addr, end) by extending the area below or above it, if that has these properties.
 * Returns that area, or NULL: then a new one is needed.
 */
struct vm_area_struct *vma_merge(struct mm_struct *mm, unsigned long addr, unsigned long end, unsigned long vm_flags,
				 struct file *file, pgoff_t pgoff);
struct vm_area_struct *vma_merge_neighbours(struct vm_area_struct *vma);
/* Makes [start, end) of vma an area of its own and returns it (it is vma itself), or ERR_PTR(-ENOMEM). */
struct vm_area_struct *vma_carve(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/*
 * Gives [start, end) of vma new flags: splits it off and merges it with its neighbours.  Returns the area that covers it
 * afterwards, or ERR_PTR(-ENOMEM).  The rights in page-table entries are the caller's business.
 */
struct vm_area_struct *vma_modify_flags(struct vm_area_struct *vma, unsigned long start, unsigned long end,
					unsigned long newflags);

/* ---- mmap.c ---- */
static inline bool accountable_mapping(struct file *file, unsigned long vm_flags)
{
	return (vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}
bool mlock_future_ok(struct mm_struct *mm, unsigned long flags, unsigned long bytes);
unsigned long vm_unmapped_area_topdown(struct mm_struct *mm, unsigned long len, unsigned long low, unsigned long high);
unsigned long vm_unmapped_area_bottomup(struct mm_struct *mm, unsigned long len, unsigned long low, unsigned long high);

/* ---- memory.c, filemap_fault.c ---- */
/* Pages mapped around a read fault, when the page cache has them: fewer faults for programs that run through a file. */
#define FAULT_AROUND_PAGES	16u

/* ---- zap.c ---- */
void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long start, unsigned long end,
		      bool even_cows);
/* All areas on the list, between start and end. */
void unmap_vmas(struct mmu_gather *tlb, struct list_head *areas, unsigned long start, unsigned long end);
/* The page tables that only the areas on the list use; floor and ceiling: the end and the start of their neighbours. */
void free_pgtables(struct mmu_gather *tlb, struct list_head *areas, unsigned long floor, unsigned long ceiling);
void free_pgd_range(struct mmu_gather *tlb, unsigned long addr, unsigned long end, unsigned long floor,
		    unsigned long ceiling);

/* ---- pgtable.c: walks and table pages ---- */
pmd_t *mm_alloc_pmd(struct mm_struct *mm, unsigned long addr);	/* NULL when out of memory */

static inline unsigned long pmd_boundary(unsigned long addr, unsigned long end)
{
	unsigned long next = (addr + PMD_SIZE) & PMD_MASK;

	return next - 1 < end - 1 ? next : end;
}

/* ---- vma.c: the i_mmap lock of an area's file, if it has one ---- */
void lock_mapping(struct address_space *mapping);
void unlock_mapping(struct address_space *mapping);
/* Changes the offset of an area that is in no file's tree (execve's stack). */
void vma_set_pgoff(struct vm_area_struct *vma, pgoff_t pgoff);

/* ---- swap_fault.c, lru.c ---- */
bool anon_page_is_ours(struct page *page);
struct zone;
struct lruvec;
void lruvec_init(struct lruvec *lruvec, struct mem_cgroup *memcg);
void lruvecs_init(struct zone *zone);
void lru_cache_add_row(struct page *pages, unsigned long nr);
void free_row(struct page *pages, unsigned int order);
unsigned long zone_lru_pages(const struct zone *zone, enum lru_list lru);

/* ---- workingset.c ---- */
struct address_space;
void workingset_eviction(const struct address_space *mapping, pgoff_t index);
void workingset_activation(void);
bool workingset_refault(const struct address_space *mapping, pgoff_t index, const struct page *page);

/* ---- mlock.c: a page is mapped by an area that has VM_LOCKED, or no more; ptl held ---- */
void mlock_page(struct page *page);
void munlock_page(struct page *page);
void mlock_faulted(struct vm_fault *vmf);	/* what the fault has mapped; takes the ptl */

/* ---- gup.c ---- */
long populate_vma_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long end, int *locked);
long faultin_page_range(struct mm_struct *mm, unsigned long start, unsigned long end, bool write, int *locked);

/* ---- filemap.c ---- */
int filemap_read_page(struct file *file, struct address_space *mapping, struct page *page);

/* ---- rmap.c ---- */
/* The area's entry for the page, with its table locked; NULL when it has another page there, or none. */
pte_t *page_entry_lock(struct page *page, struct vm_area_struct *vma, unsigned long addr, spinlock_t **ptl);
/* Makes all entries of a file's page read-only and clean: the next write to each faults.  Page locked.  Entries changed. */
int page_mkclean(struct page *page);

/* ---- alloc_context.c: debug builds check that no request waits for itself ---- */
enum reclaim_kind { RECLAIM_PAGES, RECLAIM_IO, RECLAIM_FS };
#ifdef CONFIG_DEBUG
void reclaim_enter(enum reclaim_kind kind);		/* reclaim begins to do what only some requests allow */
void reclaim_exit(enum reclaim_kind kind);
void might_reclaim(gfp_t gfp);				/* every request, whether memory is short or not */
#else
static inline void reclaim_enter(enum reclaim_kind kind) { }
static inline void reclaim_exit(enum reclaim_kind kind) { }
static inline void might_reclaim(gfp_t gfp) { }
#endif

/* The task frees memory from now on: its requests get the reserves and never reclaim.  Gives what to restore. */
static inline unsigned int memalloc_noreclaim_save(void)
{
	unsigned int had = current->flags & PF_MEMALLOC;

	current->flags |= PF_MEMALLOC;
	return had;
}
static inline void memalloc_noreclaim_restore(unsigned int had)
{
	current->flags = (current->flags & ~PF_MEMALLOC) | had;
}

/* ---- shrinker.c, vmscan.c: reclaim; may sleep ---- */
unsigned long shrink_slab(gfp_t gfp, unsigned int shift);	/* objects freed; shift: reclaim's priority */
unsigned long shrink_lru(unsigned long nr_to_scan);		/* pages freed */

/* ---- madvise_pages.c; mmap_lock held for reading ---- */
int advise_cold(struct vm_area_struct *vma, unsigned long start, unsigned long end, bool pageout);
int advise_free(struct vm_area_struct *vma, unsigned long start, unsigned long end);

/* ---- madvise.c ---- */

#endif
