/*
 * rmap.h: from a page to who maps it: its count of mappings, and the tree of areas that map a file.
 *
 * Idea:    page->_mapcount counts page-table entries.  For a file, address_space->i_mmap is an interval tree of areas by
 *          page offset; for anonymous memory anon_vma->areas is the same for a family of address spaces.
 * Why so:  one tree for a family, instead of one object for each area and a chain for each fork: fork, split, merge and
 *          mremap change one tree under one lock, a fault never allocates for it, and areas merge without regard to it.  What
 *          it costs: a page that only one of n forked processes has is looked for in all n, at a few instructions each, but
 *          the walk stops when the last entry has been found, and execve starts a new family.
 * Locking: the counters are atomic, changed under the ptl of the entry that comes or goes.  The tree is guarded by
 *          mapping->i_mmap_rwsem or anon_vma->rwsem.
 *          Order: mmap_lock -> page lock -> i_mmap_rwsem -> anon_vma->rwsem -> ptl.  Who holds a tree's lock may allocate
 *          (mremap makes tables), so reclaim only tries them.
 * See:     spec.md §5 "COW"; doc/address-spaces.md
 */
#ifndef WEFT_RMAP_H
#define WEFT_RMAP_H

#include <weft/memcontrol.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/vmstat.h>

#ifndef PAGE_MAPPING_ANON
#define PAGE_MAPPING_ANON	0x1
#endif

/*
 * A family of address spaces: one that execve made, all that were forked from it, and so on.  An anonymous page is only
 * ever mapped within one family, so page->mapping names that (with the low bit set), and its index says where to look.
 */
struct anon_vma {
	refcount_t		count;		/* address spaces; freed by RCU */
	struct rw_semaphore	rwsem;		/* class: anon_vma */
	struct rb_root_cached	areas;		/* [rwsem] all areas with anonymous pages, by page offset */
	struct rcu_head		rcu;
};

struct anon_vma *anon_vma_alloc(void);		/* count 1, or NULL */
static inline struct anon_vma *anon_vma_get(struct anon_vma *av) { refcount_inc(&av->count); return av; }
void anon_vma_put(struct anon_vma *av);
/* The area is about to get its first anonymous page.  mmap_lock held for reading or writing.  May sleep; cannot fail. */
void __anon_vma_prepare(struct vm_area_struct *vma);
static inline void anon_vma_prepare(struct vm_area_struct *vma)
{
	if (!READ_ONCE(vma->vm_has_anon))
		__anon_vma_prepare(vma);
}
static inline struct anon_vma *page_anon_vma(const struct page *page)
{
	return (struct anon_vma *)((unsigned long)READ_ONCE(page->mapping) & ~(unsigned long)PAGE_MAPPING_ANON);
}
static inline void page_set_anon_rmap(struct page *page, struct vm_area_struct *vma, unsigned long address)
{
	page->index = linear_page_index(vma, address);
	WRITE_ONCE(page->mapping, (struct address_space *)((unsigned long)vma->vm_mm->anon_vma | PAGE_MAPPING_ANON));
}

/* A fresh page that nobody else can see becomes anonymous, mapped once, and a candidate for reclaim. */
static inline void page_add_new_anon_rmap(struct page *page, struct vm_area_struct *vma, unsigned long address)
{
	page_set_anon_rmap(page, vma, address);
	page->flags |= 1UL << PG_swapbacked | 1UL << PG_uptodate | 1UL << PG_active;
	atomic_set(&page->_mapcount, 0);
	lru_cache_add_mapped(page);
}
/* A page of the swap cache gets one more entry.  Page locked, ptl held. */
static inline void page_add_anon_rmap(struct page *page, struct vm_area_struct *vma, unsigned long address)
{
	if (!PageAnon(page)) {
		page_set_anon_rmap(page, vma, address);
		mod_memcg_state(page, NR_ANON_MAPPED, 1);
	}
	if (atomic_inc_and_test(&page->_mapcount))
		inc_node_state(NR_ANON_MAPPED);
}
static inline void page_add_file_rmap(struct page *page)
{
	if (atomic_inc_and_test(&page->_mapcount))
		inc_page_state(page, NR_FILE_MAPPED);
}
void file_page_unmapped(struct page *page);	/* the last entry is gone */
static inline void page_dup_rmap(struct page *page) { atomic_inc(&page->_mapcount); }
static inline void page_remove_rmap(struct page *page)
{
	if (!atomic_add_negative(-1, &page->_mapcount))
		return;
	if (PageAnon(page))
		dec_node_state(NR_ANON_MAPPED);
	else
		file_page_unmapped(page);
}

/* ---- rmap.c: all entries of a page.  Page locked ---- */

struct rmap_walk_control {
	void	*arg;
	bool	try_lock;		/* give up rather than wait for the tree's lock: reclaim may be called under it */
	/* One area whose range covers the page; addr is where.  False: stop. */
	bool	(*rmap_one)(struct page *page, struct vm_area_struct *vma, unsigned long addr, void *arg);
	bool	(*done)(struct page *page);	/* NULL, or: no entry is left to be found */
};
bool rmap_walk(struct page *page, struct rmap_walk_control *rwc);	/* false: try_lock failed */
/* Entries that were used since the last call; *vm_flags is what the areas have set, VM_LOCKED above all. */
int page_referenced(struct page *page, unsigned long *vm_flags);
/* Takes all entries away; those of an anonymous page (in the swap cache) name its slot then.  True: not mapped any more. */
struct unmap_batch;
bool try_to_unmap(struct page *page, struct unmap_batch *batch);
/*
 * Whose TLBs may still have entries that try_to_unmap() has taken away.  One flush for all pages of a run of reclaim: each
 * interrupts every processor that runs the program.  Until flush_unmapped() the pages stay locked and must be neither
 * written nor freed.
 */
#define UNMAP_BATCH_MMS	16
struct unmap_batch {
	unsigned int		nr;
	struct mm_struct	*mm[UNMAP_BATCH_MMS];	/* mm_count held, tlb_flush_pending raised */
};
void flush_unmapped(struct unmap_batch *batch);		/* the batch is empty afterwards */

/* interval_tree.c: areas of one family or one file by [vm_pgoff, vm_pgoff + pages) */
void anon_interval_tree_insert(struct vm_area_struct *vma, struct rb_root_cached *root);
void anon_interval_tree_remove(struct vm_area_struct *vma, struct rb_root_cached *root);
struct vm_area_struct *anon_interval_tree_iter_first(struct rb_root_cached *root, pgoff_t first, pgoff_t last);
struct vm_area_struct *anon_interval_tree_iter_next(struct vm_area_struct *vma, pgoff_t first, pgoff_t last);
#define anon_interval_tree_foreach(vma, root, first, last)			\
	for (vma = anon_interval_tree_iter_first(root, first, last); vma;	\
	     vma = anon_interval_tree_iter_next(vma, first, last))
void vma_interval_tree_insert(struct vm_area_struct *vma, struct rb_root_cached *root);
void vma_interval_tree_remove(struct vm_area_struct *vma, struct rb_root_cached *root);
struct vm_area_struct *vma_interval_tree_iter_first(struct rb_root_cached *root, pgoff_t first, pgoff_t last);
struct vm_area_struct *vma_interval_tree_iter_next(struct vm_area_struct *vma, pgoff_t first, pgoff_t last);
#define vma_interval_tree_foreach(vma, root, first, last)			\
	for (vma = vma_interval_tree_iter_first(root, first, last); vma;	\
	     vma = vma_interval_tree_iter_next(vma, first, last))

#endif
