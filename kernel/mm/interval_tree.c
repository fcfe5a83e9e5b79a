/*
 * interval_tree.c: which areas map a given page of a file.
 *
 * What:    a red-black tree of vm_area_struct ordered by first page offset; each node also knows the largest last offset
 *          in its subtree, so a look-up leaves out subtrees that end too early.
 * Locking: mapping->i_mmap_rwsem, for writing to insert or remove, for reading to iterate.
 * Cost:    O(log n) to insert and remove, O(log n + hits) to walk over all hits.
 * See:     spec.md §5; rmap.h; Cormen et al., "interval trees"
 */
#include <weft/rbtree_augmented.h>
#include <weft/rmap.h>

static inline pgoff_t area_first(const struct vm_area_struct *vma) { return vma->vm_pgoff; }
static inline pgoff_t area_last(const struct vm_area_struct *vma) { return vma->vm_pgoff + vma_pages(vma) - 1; }

#define node_area(node)	rb_entry(node, struct vm_area_struct, shared.rb)

RB_DECLARE_CALLBACKS_MAX(static, area_callbacks, struct vm_area_struct, shared.rb, pgoff_t, shared.rb_subtree_last,
			 area_last)

void vma_interval_tree_insert(struct vm_area_struct *vma, struct rb_root_cached *root)
{
	struct rb_node **link = &root->rb_root.rb_node, *parent = NULL;
	pgoff_t first = area_first(vma), last = area_last(vma);
	bool leftmost = true;

	while (*link) {
		struct vm_area_struct *at = node_area(*link);

		parent = *link;
		if (at->shared.rb_subtree_last < last)
			at->shared.rb_subtree_last = last;
		if (first < area_first(at)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	vma->shared.rb_subtree_last = last;
	rb_link_node(&vma->shared.rb, parent, link);
	rb_insert_augmented_cached(&vma->shared.rb, root, leftmost, &area_callbacks);
}

void vma_interval_tree_remove(struct vm_area_struct *vma, struct rb_root_cached *root)
{
	rb_erase_augmented_cached(&vma->shared.rb, root, &area_callbacks);
}

/* The first area of this subtree, in order, that meets [first, last]; the subtree's rb_subtree_last >= first. */
static struct vm_area_struct *subtree_search(struct vm_area_struct *vma, pgoff_t first, pgoff_t last)
{
	for (;;) {
		struct rb_node *left = vma->shared.rb.rb_left;

		if (left && node_area(left)->shared.rb_subtree_last >= first) {
			vma = node_area(left);
			continue;
		}
		if (area_first(vma) > last)
			return NULL;
		if (area_last(vma) >= first)
			return vma;
		if (!vma->shared.rb.rb_right)
			return NULL;
		vma = node_area(vma->shared.rb.rb_right);
		if (vma->shared.rb_subtree_last < first)
			return NULL;
	}
}

struct vm_area_struct *vma_interval_tree_iter_first(struct rb_root_cached *root, pgoff_t first, pgoff_t last)
{
	struct rb_node *top = root->rb_root.rb_node;

	if (!top || node_area(top)->shared.rb_subtree_last < first)
		return NULL;
	return subtree_search(node_area(top), first, last);
}

struct vm_area_struct *vma_interval_tree_iter_next(struct vm_area_struct *vma, pgoff_t first, pgoff_t last)
{
	struct rb_node *right = vma->shared.rb.rb_right;

	for (;;) {
		struct rb_node *child;

		if (right && node_area(right)->shared.rb_subtree_last >= first)
			return subtree_search(node_area(right), first, last);
		do {			/* up, until we come from a left child: its parent is next in order */
			struct rb_node *parent = rb_parent(&vma->shared.rb);

			if (!parent)
				return NULL;
			child = &vma->shared.rb;
			vma = node_area(parent);
			right = vma->shared.rb.rb_right;
		} while (child == right);
		if (area_first(vma) > last)
			return NULL;
		if (area_last(vma) >= first)
			return vma;
	}
}
