/*
 * interval_tree_tmpl.h: the code of one interval tree of areas, for interval_tree.c, which includes it once for each tree.
 * IT_FIELD: the area's member { rb, rb_subtree_last }; IT(name): the name of a function of this tree;
 * IT_CALLBACKS: of its rb_augment_callbacks.
 */
static inline struct vm_area_struct *IT(node_area)(struct rb_node *node)
{
	return rb_entry(node, struct vm_area_struct, IT_FIELD.rb);
}

IT_DECLARE(IT_CALLBACKS, IT_FIELD)

void IT(insert)(struct vm_area_struct *vma, struct rb_root_cached *root)
{
	struct rb_node **link = &root->rb_root.rb_node, *parent = NULL;
	pgoff_t first = area_first(vma), last = area_last(vma);
	bool leftmost = true;

	while (*link) {
		struct vm_area_struct *at = IT(node_area)(*link);

		parent = *link;
		if (at->IT_FIELD.rb_subtree_last < last)
			at->IT_FIELD.rb_subtree_last = last;
		if (first < area_first(at)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	vma->IT_FIELD.rb_subtree_last = last;
	rb_link_node(&vma->IT_FIELD.rb, parent, link);
	rb_insert_augmented_cached(&vma->IT_FIELD.rb, root, leftmost, &IT_CALLBACKS);
}

void IT(remove)(struct vm_area_struct *vma, struct rb_root_cached *root)
{
	rb_erase_augmented_cached(&vma->IT_FIELD.rb, root, &IT_CALLBACKS);
}

/* The first area of this subtree, in order, that meets [first, last]; the subtree's rb_subtree_last >= first. */
static struct vm_area_struct *IT(subtree_search)(struct vm_area_struct *vma, pgoff_t first, pgoff_t last)
{
	for (;;) {
		struct rb_node *left = vma->IT_FIELD.rb.rb_left;

		if (left && IT(node_area)(left)->IT_FIELD.rb_subtree_last >= first) {
			vma = IT(node_area)(left);
			continue;
		}
		if (area_first(vma) > last)
			return NULL;
		if (area_last(vma) >= first)
			return vma;
		if (!vma->IT_FIELD.rb.rb_right)
			return NULL;
		vma = IT(node_area)(vma->IT_FIELD.rb.rb_right);
		if (vma->IT_FIELD.rb_subtree_last < first)
			return NULL;
	}
}

struct vm_area_struct *IT(iter_first)(struct rb_root_cached *root, pgoff_t first, pgoff_t last)
{
	struct rb_node *top = root->rb_root.rb_node;

	if (!top || IT(node_area)(top)->IT_FIELD.rb_subtree_last < first)
		return NULL;
	return IT(subtree_search)(IT(node_area)(top), first, last);
}

struct vm_area_struct *IT(iter_next)(struct vm_area_struct *vma, pgoff_t first, pgoff_t last)
{
	struct rb_node *right = vma->IT_FIELD.rb.rb_right;

	for (;;) {
		struct rb_node *child;

		if (right && IT(node_area)(right)->IT_FIELD.rb_subtree_last >= first)
			return IT(subtree_search)(IT(node_area)(right), first, last);
		do {			/* up, until we come from a left child: its parent is next in order */
			struct rb_node *parent = rb_parent(&vma->IT_FIELD.rb);

			if (!parent)
				return NULL;
			child = &vma->IT_FIELD.rb;
			vma = IT(node_area)(parent);
			right = vma->IT_FIELD.rb.rb_right;
		} while (child == right);
		if (area_first(vma) > last)
			return NULL;
		if (area_last(vma) >= first)
			return vma;
	}
}
