/* test_rbtree.c: red-black rules, order and augmented values after thousands of random changes. */
#include <weft/rbtree_augmented.h>
#include <weft/minmax.h>
#include "unit.h"

#define NODES	500

struct item {
	struct rb_node	rb;
	u32		key, value, top;
	bool		in;
};
#define item_value(i)	((i)->value)
RB_DECLARE_CALLBACKS_MAX(static, item_top, struct item, rb, u32, top, item_value)

static struct item items[NODES];

static bool item_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct item, rb)->key < rb_entry(b, struct item, rb)->key;
}

/* The number of black nodes on each path, or -1 when a rule is broken. */
static int check(const struct rb_node *n, const struct rb_node *parent)
{
	const struct item *it;
	u32 top;
	int left, right;

	if (!n)
		return 0;
	it = rb_entry(n, struct item, rb);
	if (rb_parent(n) != parent || (parent && !(n->__rb_parent_color & 1) && !(parent->__rb_parent_color & 1)))
		return -1;
	left = check(n->rb_left, n);
	right = check(n->rb_right, n);
	if (left < 0 || left != right)
		return -1;
	top = it->value;
	if (n->rb_left)
		top = max(top, rb_entry(n->rb_left, struct item, rb)->top);
	if (n->rb_right)
		top = max(top, rb_entry(n->rb_right, struct item, rb)->top);
	if (it->top != top)
		return -1;
	return left + (int)(n->__rb_parent_color & 1);
}

static void check_order(struct rb_root_cached *tree, int expected)
{
	struct rb_node *n, *last = NULL;
	int count = 0;

	for (n = rb_first(&tree->rb_root); n; last = n, n = rb_next(n), count++)
		if (last && item_less(n, last))
			unit_failed(__FILE__, __LINE__, "order");
	EXPECT_EQ(count, expected);
	EXPECT(rb_last(&tree->rb_root) == last);
	EXPECT(rb_first_cached(tree) == rb_first(&tree->rb_root));
	for (n = last, count = 0; n; n = rb_prev(n))
		count++;
	EXPECT_EQ(count, expected);
}

TEST(rbtree_random)
{
	struct rb_root_cached tree = RB_ROOT_CACHED;
	int in = 0;

	memset(items, 0, sizeof(items));
	for (int step = 0; step < 20000; step++) {
		struct item *it = &items[unit_below(NODES)];

		if (it->in) {
			rb_erase_augmented_cached(&it->rb, &tree, &item_top);
			in--;
		} else {
			it->key = unit_below(300);
			it->value = it->top = unit_below(1000);
			rb_add_augmented_cached(&it->rb, &tree, item_less, &item_top);
			in++;
		}
		it->in = !it->in;
		if (step % 10 == 0)
			EXPECT(check(tree.rb_root.rb_node, NULL) >= 0);
		if (step % 1000 == 0)
			check_order(&tree, in);
	}
	check_order(&tree, in);
}

TEST(rbtree_plain_and_postorder)
{
	struct rb_root tree = RB_ROOT;
	struct item replacement;
	struct rb_node *n;
	int count = 0;

	for (int i = 0; i < 100; i++) {
		items[i].key = (u32)(i * 37 % 100);
		rb_add(&items[i].rb, &tree, item_less);
	}
	replacement = items[50];
	rb_replace_node(&items[50].rb, &replacement.rb, &tree);
	for (n = rb_first(&tree); n; n = rb_next(n))
		EXPECT_EQ(rb_entry(n, struct item, rb)->key, count++);
	EXPECT_EQ(count, 100);
	for (n = rb_first_postorder(&tree); n; n = rb_next_postorder(n))
		count--;
	EXPECT_EQ(count, 0);
	while ((n = rb_first(&tree)))
		rb_erase(n, &tree);
	EXPECT(RB_EMPTY_ROOT(&tree));
	RB_CLEAR_NODE(&items[0].rb);
	EXPECT(RB_EMPTY_NODE(&items[0].rb));
}
