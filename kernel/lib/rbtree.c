/*
 * rbtree.c: red-black trees.
 *
 * What:    insertion repair, removal, walking in order and in post-order.
 * Idea:    every path from the root down to a NULL meets the same number of black nodes, and no red node has a red
 *          child; so the longest path is at most twice the shortest.  An insertion adds a red leaf and repairs "red
 *          below red" upwards; a removal may take a black node away and repairs the missing black upwards.
 *          Left and right are one code: `dir` 0 is left, 1 right, through child().  The colour is bit 0 of the parent
 *          pointer, 1 is black.  Augmented trees are told of each change (rbtree_augmented.h); plain ones pass callbacks
 *          that do nothing, which the compiler removes.
 * Locking: the caller's.  Child pointers are written with WRITE_ONCE: a lockless reader (mm, latched trees) sees a tree
 *          without loops, in which it may miss nodes during a rotation, and so must be able to tell and try again.
 * Cost:    O(log n); at most two rotations an insertion, three a removal.
 * See:     Cormen et al., "Introduction to Algorithms", chapter 13
 */
#include <weft/rbtree.h>
#include <weft/rbtree_augmented.h>
#include <weft/minmax.h>

#define RB_RED		0UL
#define RB_BLACK	1UL

static __always_inline bool is_black(const struct rb_node *n) { return !n || (n->__rb_parent_color & RB_BLACK); }
static __always_inline bool is_red(const struct rb_node *n) { return !is_black(n); }
static __always_inline unsigned long color_of(const struct rb_node *n) { return n->__rb_parent_color & RB_BLACK; }

static __always_inline void set_parent_color(struct rb_node *n, struct rb_node *parent, unsigned long color)
{
	n->__rb_parent_color = (unsigned long)parent | color;
}
static __always_inline void set_parent(struct rb_node *n, struct rb_node *parent)
{
	set_parent_color(n, parent, color_of(n));
}
static __always_inline void set_color(struct rb_node *n, unsigned long color)
{
	set_parent_color(n, rb_parent(n), color);
}

/* The link to the left (dir 0) or right (1) child. */
static __always_inline struct rb_node **child(struct rb_node *n, int dir)
{
	return dir ? &n->rb_right : &n->rb_left;
}

/* Whatever pointed to old, a child link of `parent` or the root, points to new. */
static __always_inline void change_child(struct rb_node *old, struct rb_node *new, struct rb_node *parent,
					 struct rb_root *root)
{
	if (!parent)
		WRITE_ONCE(root->rb_node, new);
	else
		WRITE_ONCE(*child(parent, parent->rb_right == old), new);
}

/*
 * Rotates `top` down to the side `dir`; its other child comes up in its place:
 *
 *	    top                 up
 *	   /   \      dir=0    /  \
 *	  a     up    ---->  top   c
 *	       /  \         /   \
 *	      b    c       a     b
 *
 * Colours stay with the nodes.
 */
static __always_inline void rotate(struct rb_node *top, int dir, struct rb_root *root,
				   const struct rb_augment_callbacks *augment)
{
	struct rb_node *parent = rb_parent(top), *up = *child(top, !dir), *middle = *child(up, dir);

	WRITE_ONCE(*child(top, !dir), middle);
	if (middle)
		set_parent(middle, top);
	change_child(top, up, parent, root);
	WRITE_ONCE(*child(up, dir), top);
	set_parent(up, parent);
	set_parent(top, up);
	augment->rotate(top, up);
}

static __always_inline void insert_repair(struct rb_node *node, struct rb_root *root,
					  const struct rb_augment_callbacks *augment)
{
	struct rb_node *parent;

	/* node is red; the only rule that may be broken is that its parent is red too. */
	while ((parent = rb_parent(node)) && is_red(parent)) {
		struct rb_node *grand = rb_parent(parent);	/* exists: a red node is not the root */
		int dir = parent == grand->rb_right;
		struct rb_node *uncle = *child(grand, !dir);

		if (is_red(uncle)) {
			set_color(parent, RB_BLACK);
			set_color(uncle, RB_BLACK);
			set_color(grand, RB_RED);
			node = grand;
			continue;
		}
		if (node == *child(parent, !dir)) {		/* inner grandchild: make it the outer one */
			rotate(parent, dir, root, augment);
			swap(node, parent);
		}
		rotate(grand, !dir, root, augment);
		set_color(parent, RB_BLACK);
		set_color(grand, RB_RED);
		return;
	}
	if (!parent)
		set_color(node, RB_BLACK);
}

/* Below `parent` on side `dir` every path lacks one black node. */
static __always_inline void erase_repair(struct rb_node *parent, int dir, struct rb_root *root,
					 const struct rb_augment_callbacks *augment)
{
	for (;;) {
		struct rb_node *sibling = *child(parent, !dir), *node;

		if (is_red(sibling)) {				/* make it black: then its children are candidates */
			rotate(parent, dir, root, augment);
			set_color(sibling, RB_BLACK);
			set_color(parent, RB_RED);
			sibling = *child(parent, !dir);
		}
		if (is_red(*child(sibling, dir)) && is_black(*child(sibling, !dir))) {
			set_color(*child(sibling, dir), RB_BLACK);
			set_color(sibling, RB_RED);
			rotate(sibling, !dir, root, augment);
			sibling = *child(parent, !dir);
		}
		if (is_red(*child(sibling, !dir))) {		/* a red nephew on the far side supplies the black */
			set_color(sibling, color_of(parent));
			set_color(parent, RB_BLACK);
			set_color(*child(sibling, !dir), RB_BLACK);
			rotate(parent, dir, root, augment);
			return;
		}
		set_color(sibling, RB_RED);			/* now both sides lack one: go up, or take a red parent */
		node = parent;
		parent = rb_parent(node);
		if (is_red(node) || !parent) {
			set_color(node, RB_BLACK);
			return;
		}
		dir = node == parent->rb_right;
	}
}

/* Takes out a node with at most one child.  Returns the parent below which a black is missing, or NULL. */
static __always_inline struct rb_node *unlink_simple(struct rb_node *node, struct rb_root *root, int *dir)
{
	struct rb_node *parent = rb_parent(node), *kid = node->rb_left ? node->rb_left : node->rb_right;

	*dir = parent && parent->rb_right == node;
	change_child(node, kid, parent, root);
	if (kid) {				/* an only child is red and has none itself: it takes node's colour */
		set_parent_color(kid, parent, RB_BLACK);
		return NULL;
	}
	return color_of(node) == RB_BLACK ? parent : NULL;
}

/* Takes out a node with two children: its successor in order, which has no left child, comes to stand in its place. */
static __always_inline struct rb_node *unlink_double(struct rb_node *node, struct rb_root *root, int *dir,
						     const struct rb_augment_callbacks *augment)
{
	struct rb_node *next = node->rb_right, *lowest, *kid;
	bool lacks;

	while (next->rb_left)
		next = next->rb_left;
	kid = next->rb_right;
	lacks = color_of(next) == RB_BLACK && !kid;
	if (rb_parent(next) == node) {
		lowest = next;
		*dir = 1;
	} else {
		lowest = rb_parent(next);
		*dir = 0;
		WRITE_ONCE(lowest->rb_left, kid);
		WRITE_ONCE(next->rb_right, node->rb_right);
		set_parent(node->rb_right, next);
	}
	if (kid)
		set_parent_color(kid, lowest, RB_BLACK);
	WRITE_ONCE(next->rb_left, node->rb_left);
	set_parent(node->rb_left, next);
	change_child(node, next, rb_parent(node), root);
	next->__rb_parent_color = node->__rb_parent_color;
	augment->copy(node, next);
	if (lowest != next)
		augment->propagate(lowest, next);
	augment->propagate(next, NULL);
	return lacks ? lowest : NULL;
}

static __always_inline void erase(struct rb_node *node, struct rb_root *root, const struct rb_augment_callbacks *augment)
{
	struct rb_node *lacking;
	int dir;

	if (node->rb_left && node->rb_right) {
		lacking = unlink_double(node, root, &dir, augment);
	} else {
		lacking = unlink_simple(node, root, &dir);
		augment->propagate(rb_parent(node), NULL);
	}
	if (lacking)
		erase_repair(lacking, dir, root, augment);
}

static inline void no_propagate(struct rb_node *node, struct rb_node *stop) { }
static inline void no_move(struct rb_node *old, struct rb_node *new) { }

static const struct rb_augment_callbacks plain = {
	.propagate = no_propagate, .copy = no_move, .rotate = no_move,
};

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	insert_repair(node, root, &plain);
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	erase(node, root, &plain);
}

void rb_insert_augmented(struct rb_node *node, struct rb_root *root, const struct rb_augment_callbacks *augment)
{
	insert_repair(node, root, augment);
}

void rb_erase_augmented(struct rb_node *node, struct rb_root *root, const struct rb_augment_callbacks *augment)
{
	erase(node, root, augment);
}

/* The outermost node on side `dir` below n. */
static struct rb_node *outermost(struct rb_node *n, int dir)
{
	while (n && *child(n, dir))
		n = *child(n, dir);
	return n;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->rb_node, 0);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->rb_node, 1);
}

/* The neighbour in order: inside the subtree on that side, else the first ancestor that we are on the other side of. */
static __always_inline struct rb_node *neighbour(const struct rb_node *n, int dir)
{
	struct rb_node *node = (struct rb_node *)n, *parent;

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (*child(node, dir))
		return outermost(*child(node, dir), !dir);
	while ((parent = rb_parent(node)) && node == *child(parent, dir))
		node = parent;
	return parent;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, 1);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, 0);
}

void rb_replace_node(struct rb_node *victim, struct rb_node *new, struct rb_root *root)
{
	*new = *victim;
	if (victim->rb_left)
		set_parent(victim->rb_left, new);
	if (victim->rb_right)
		set_parent(victim->rb_right, new);
	change_child(victim, new, rb_parent(victim), root);
}

/* The first leaf that a walk "children before parents" meets. */
static struct rb_node *leftmost_leaf(struct rb_node *n)
{
	while (n->rb_left || n->rb_right)
		n = n->rb_left ? n->rb_left : n->rb_right;
	return n;
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return root->rb_node ? leftmost_leaf(root->rb_node) : NULL;
}

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = node ? rb_parent(node) : NULL;

	if (parent && node == parent->rb_left && parent->rb_right)
		return leftmost_leaf(parent->rb_right);
	return parent;
}
