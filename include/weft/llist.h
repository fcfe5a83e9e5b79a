/*
 * llist.h: a singly linked list to which any CPU adds without a lock, and from which one takes everything at once.
 */
#ifndef WEFT_LLIST_H
#define WEFT_LLIST_H

#include <weft/types.h>
#include <weft/container_of.h>
#include <weft/cmpxchg.h>

struct llist_node { struct llist_node *next; };
struct llist_head { struct llist_node *first; };

#define LLIST_HEAD_INIT(name)	{ NULL }
#define LLIST_HEAD(name)	struct llist_head name = LLIST_HEAD_INIT(name)

static inline void init_llist_head(struct llist_head *list) { list->first = NULL; }
static inline bool llist_empty(const struct llist_head *head) { return READ_ONCE(head->first) == NULL; }
static inline struct llist_node *llist_next(struct llist_node *node) { return node->next; }

/* True when the list was empty before: the adder then has to wake the taker. */
static inline bool llist_add_batch(struct llist_node *new_first, struct llist_node *new_last, struct llist_head *head)
{
	struct llist_node *first = READ_ONCE(head->first);

	do {
		new_last->next = first;
	} while (!try_cmpxchg(&head->first, &first, new_first));
	return !first;
}
static inline bool llist_add(struct llist_node *new, struct llist_head *head) { return llist_add_batch(new, new, head); }
static inline struct llist_node *llist_del_all(struct llist_head *head) { return xchg(&head->first, NULL); }
struct llist_node *llist_del_first(struct llist_head *head);		/* lib/llist.c: one taker only */
struct llist_node *llist_reverse_order(struct llist_node *head);	/* newest first becomes oldest first */

#define llist_entry(ptr, type, member)	container_of(ptr, type, member)
#define __llist_entry_safe(ptr, type, member) \
	({ struct llist_node *____l = (ptr); ____l ? llist_entry(____l, type, member) : NULL; })
#define llist_for_each(pos, node)	for ((pos) = (node); pos; (pos) = (pos)->next)
#define llist_for_each_safe(pos, n, node) \
	for ((pos) = (node); (pos) && ((n) = (pos)->next, true); (pos) = (n))
#define llist_for_each_entry(pos, node, member) \
	for ((pos) = __llist_entry_safe(node, __typeof__(*(pos)), member); pos; \
	     (pos) = __llist_entry_safe((pos)->member.next, __typeof__(*(pos)), member))
#define llist_for_each_entry_safe(pos, n, node, member) \
	for (pos = __llist_entry_safe(node, __typeof__(*pos), member); \
	     pos && (n = __llist_entry_safe(pos->member.next, __typeof__(*n), member), true); pos = n)

#endif
