/*
 * rbtree_augmented.h: red-black trees whose nodes also hold a value computed from their subtree.
 *
 * Idea:    the tree code tells the owner what moved: propagate(node, stop) recomputes from node upwards until stop,
 *          copy(old, new) when new takes old's place, rotate(old, new) when new becomes old's parent.
 *          RB_DECLARE_CALLBACKS_MAX writes the three for "maximum over the subtree", RB_DECLARE_CALLBACKS for any compute().
 */
#ifndef WEFT_RBTREE_AUGMENTED_H
#define WEFT_RBTREE_AUGMENTED_H

#include <weft/rbtree.h>

struct rb_augment_callbacks {
	void (*propagate)(struct rb_node *node, struct rb_node *stop);
	void (*copy)(struct rb_node *old, struct rb_node *new);
	void (*rotate)(struct rb_node *old, struct rb_node *new);
};

void rb_insert_augmented(struct rb_node *node, struct rb_root *root, const struct rb_augment_callbacks *augment);
void rb_erase_augmented(struct rb_node *node, struct rb_root *root, const struct rb_augment_callbacks *augment);

static inline void rb_insert_augmented_cached(struct rb_node *node, struct rb_root_cached *root, bool newleft,
					      const struct rb_augment_callbacks *augment)
{
	if (newleft)
		root->rb_leftmost = node;
	rb_insert_augmented(node, &root->rb_root, augment);
}
static inline void rb_erase_augmented_cached(struct rb_node *node, struct rb_root_cached *root,
					     const struct rb_augment_callbacks *augment)
{
	if (root->rb_leftmost == node)
		root->rb_leftmost = rb_next(node);
	rb_erase_augmented(node, &root->rb_root, augment);
}
/* Inserts by less(), behind equals; augmented values on the way down are set by the final propagate. */
static __always_inline struct rb_node *rb_add_augmented_cached(struct rb_node *node, struct rb_root_cached *tree,
							       bool (*less)(struct rb_node *, const struct rb_node *),
							       const struct rb_augment_callbacks *augment)
{
	struct rb_node **link = &tree->rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(node, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(node, parent, link);
	augment->propagate(parent, NULL);
	rb_insert_augmented_cached(node, tree, leftmost, augment);
	return leftmost ? node : NULL;
}

/* compute(struct type *node, bool exit): writes node's value; when `exit`, returns true if it did not change. */
#define RB_DECLARE_CALLBACKS(RBSTATIC, name, type, rbfield, rbaugmented, compute)	\
static inline void name##_propagate(struct rb_node *rb, struct rb_node *stop)		\
{											\
	while (rb != stop) {								\
		type *node = rb_entry(rb, type, rbfield);				\
											\
		if (compute(node, true))						\
			break;								\
		rb = rb_parent(&node->rbfield);						\
	}										\
}											\
static inline void name##_copy(struct rb_node *rb_old, struct rb_node *rb_new)		\
{											\
	rb_entry(rb_new, type, rbfield)->rbaugmented = rb_entry(rb_old, type, rbfield)->rbaugmented; \
}											\
static void name##_rotate(struct rb_node *rb_old, struct rb_node *rb_new)		\
{											\
	name##_copy(rb_old, rb_new);							\
	compute(rb_entry(rb_old, type, rbfield), false);				\
}											\
RBSTATIC const struct rb_augment_callbacks name = {					\
	.propagate = name##_propagate, .copy = name##_copy, .rotate = name##_rotate,	\
};

#define RB_DECLARE_CALLBACKS_MAX(RBSTATIC, name, type, rbfield, valtype, rbaugmented, value)	\
static inline bool name##_compute_max(type *node, bool exit)				\
{											\
	valtype top = value(node);							\
	struct rb_node *kids[2] = { node->rbfield.rb_left, node->rbfield.rb_right };	\
											\
	for (int i = 0; i < 2; i++)							\
		if (kids[i] && rb_entry(kids[i], type, rbfield)->rbaugmented > top)	\
			top = rb_entry(kids[i], type, rbfield)->rbaugmented;		\
	if (exit && node->rbaugmented == top)						\
		return true;								\
	node->rbaugmented = top;							\
	return false;									\
}											\
RB_DECLARE_CALLBACKS(RBSTATIC, name, type, rbfield, rbaugmented, name##_compute_max)

#endif
