/*
 * interval_tree.c: which areas map a given page of a file, or a given page of an anonymous family (rmap.h).
 *
 * What:    a red-black tree of vm_area_struct ordered by first page offset; each node also knows the largest last offset
 *          in its subtree, so a look-up leaves out subtrees that end too early.
 * Locking: mapping->i_mmap_rwsem or anon_vma->rwsem, for writing to insert or remove, for reading to iterate.
 * Cost:    O(log n) to insert and remove, O(log n + hits) to walk over all hits.
 * See:     spec.md §5; rmap.h; Cormen et al., "interval trees"
 */
#include <weft/rbtree_augmented.h>
#include <weft/rmap.h>

static inline pgoff_t area_first(const struct vm_area_struct *vma) { return vma->vm_pgoff; }
static inline pgoff_t area_last(const struct vm_area_struct *vma) { return vma->vm_pgoff + vma_pages(vma) - 1; }

/* One more step, so that the names are expanded before they are pasted. */
#define IT_DECLARE(name, field) \
	RB_DECLARE_CALLBACKS_MAX(static, name, struct vm_area_struct, field.rb, pgoff_t, field.rb_subtree_last, area_last)

/* The areas of a file: address_space.i_mmap. */
#define IT_FIELD	shared
#define IT_CALLBACKS	vma_interval_tree_callbacks
#define IT(name)	vma_interval_tree_##name
#include "interval_tree_tmpl.h"
#undef IT_FIELD
#undef IT
#undef IT_CALLBACKS

/* The areas of a family of address spaces with pages of their own: anon_vma.areas. */
#define IT_FIELD	anon_shared
#define IT_CALLBACKS	anon_interval_tree_callbacks
#define IT(name)	anon_interval_tree_##name
#include "interval_tree_tmpl.h"
