/*
 * rmap.h: from a page to who maps it: its count of mappings, and the tree of areas that map a file.
 *
 * Idea:    page->_mapcount counts page-table entries.  For a file, address_space->i_mmap is an interval tree of areas by
 *          page offset, so truncation finds every entry (unmap_mapping_range).  An anonymous page is marked by the low bit
 *          of page->mapping; the anon_vma behind that bit comes with reclaim.
 * Locking: the counters are atomic, changed under the ptl of the entry that comes or goes.  The tree is guarded by
 *          mapping->i_mmap_rwsem.
 * See:     spec.md §5 "COW"; doc/address-spaces.md
 */
#ifndef WEFT_RMAP_H
#define WEFT_RMAP_H

#include <weft/mm.h>
#include <weft/vmstat.h>

#ifndef PAGE_MAPPING_ANON
#define PAGE_MAPPING_ANON	0x1
#endif

/* A fresh page that nobody else can see becomes anonymous and mapped once. */
static inline void page_add_new_anon_rmap(struct page *page, struct vm_area_struct *vma, unsigned long address)
{
	page->mapping = (struct address_space *)PAGE_MAPPING_ANON;
	page->index = linear_page_index(vma, address);
	__SetPageSwapBacked(page);
	atomic_set(&page->_mapcount, 0);
	inc_node_state(NR_ANON_MAPPED);
}
static inline void page_add_file_rmap(struct page *page)
{
	if (atomic_inc_and_test(&page->_mapcount))
		inc_node_state(NR_FILE_MAPPED);
}
static inline void page_dup_rmap(struct page *page) { atomic_inc(&page->_mapcount); }
static inline void page_remove_rmap(struct page *page)
{
	if (atomic_add_negative(-1, &page->_mapcount))
		dec_node_state(PageAnon(page) ? NR_ANON_MAPPED : NR_FILE_MAPPED);
}

/* interval_tree.c: areas of one file by [vm_pgoff, vm_pgoff + pages) */
void vma_interval_tree_insert(struct vm_area_struct *vma, struct rb_root_cached *root);
void vma_interval_tree_remove(struct vm_area_struct *vma, struct rb_root_cached *root);
struct vm_area_struct *vma_interval_tree_iter_first(struct rb_root_cached *root, pgoff_t first, pgoff_t last);
struct vm_area_struct *vma_interval_tree_iter_next(struct vm_area_struct *vma, pgoff_t first, pgoff_t last);
#define vma_interval_tree_foreach(vma, root, first, last)			\
	for (vma = vma_interval_tree_iter_first(root, first, last); vma;	\
	     vma = vma_interval_tree_iter_next(vma, first, last))

#endif
