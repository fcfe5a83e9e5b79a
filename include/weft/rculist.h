/*
 * rculist.h: lists that are read under rcu_read_lock() while a writer, who holds the list's lock, changes them.
 *
 * Idea:    an element is filled in before the one store that makes it reachable; a removed element keeps its next pointer,
 *          so that a reader who stands on it finds the way out; it is freed after a grace period.
 */
#ifndef WEFT_RCULIST_H
#define WEFT_RCULIST_H

#include <weft/list.h>
#include <weft/rcu.h>

static inline void INIT_LIST_HEAD_RCU(struct list_head *list) { INIT_LIST_HEAD(list); }
static inline void __list_add_rcu(struct list_head *new, struct list_head *prev, struct list_head *next)
{
	new->next = next;
	new->prev = prev;
	rcu_assign_pointer(prev->next, new);
	next->prev = new;
}
static inline void list_add_rcu(struct list_head *new, struct list_head *head) { __list_add_rcu(new, head, head->next); }
static inline void list_add_tail_rcu(struct list_head *new, struct list_head *head) { __list_add_rcu(new, head->prev, head); }
static inline void list_del_rcu(struct list_head *entry)
{
	__list_del_entry(entry);
	entry->prev = LIST_POISON2;
}
static inline void list_replace_rcu(struct list_head *old, struct list_head *new)
{
	new->next = old->next;
	new->prev = old->prev;
	rcu_assign_pointer(new->prev->next, new);
	new->next->prev = new;
	old->prev = LIST_POISON2;
}

#define list_next_rcu(list)			rcu_dereference_raw((list)->next)
#define list_entry_rcu(ptr, type, member)	container_of(READ_ONCE(ptr), type, member)
#define list_first_or_null_rcu(ptr, type, member) ({		\
	struct list_head *__lh = (ptr), *__ln = READ_ONCE(__lh->next);	\
	__ln != __lh ? list_entry(__ln, type, member) : NULL; })
#define list_next_or_null_rcu(head, ptr, type, member) ({	\
	struct list_head *__lh = (head), *__ln = READ_ONCE((ptr)->next);	\
	__ln != __lh ? list_entry(__ln, type, member) : NULL; })
/* The optional last argument is a condition that also allows the walk; it is for the reader. */
#define list_for_each_entry_rcu(pos, head, member, cond...) \
	for (pos = list_entry_rcu((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry_rcu(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_continue_rcu(pos, head, member) \
	for (pos = list_entry_rcu(pos->member.next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry_rcu(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_from_rcu(pos, head, member) \
	for (; &(pos)->member != (head); pos = list_entry_rcu(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_lockless(pos, head, member) list_for_each_entry_rcu(pos, head, member)

static inline void hlist_del_rcu(struct hlist_node *n)
{
	__hlist_del(n);
	WRITE_ONCE(n->pprev, LIST_POISON2);
}
static inline void hlist_del_init_rcu(struct hlist_node *n)
{
	if (!hlist_unhashed(n)) {
		__hlist_del(n);
		WRITE_ONCE(n->pprev, NULL);
	}
}
static inline void hlist_add_head_rcu(struct hlist_node *n, struct hlist_head *h)
{
	struct hlist_node *first = h->first;

	n->next = first;
	WRITE_ONCE(n->pprev, &h->first);
	rcu_assign_pointer(h->first, n);
	if (first)
		WRITE_ONCE(first->pprev, &n->next);
}
static inline void hlist_add_tail_rcu(struct hlist_node *n, struct hlist_head *h)
{
	struct hlist_node *i, *last = NULL;

	for (i = h->first; i; i = i->next)
		last = i;
	if (!last) {
		hlist_add_head_rcu(n, h);
		return;
	}
	n->next = NULL;
	WRITE_ONCE(n->pprev, &last->next);
	rcu_assign_pointer(last->next, n);
}
static inline void hlist_add_before_rcu(struct hlist_node *n, struct hlist_node *next)
{
	WRITE_ONCE(n->pprev, next->pprev);
	n->next = next;
	rcu_assign_pointer(*n->pprev, n);
	WRITE_ONCE(next->pprev, &n->next);
}
static inline void hlist_add_behind_rcu(struct hlist_node *n, struct hlist_node *prev)
{
	n->next = prev->next;
	WRITE_ONCE(n->pprev, &prev->next);
	rcu_assign_pointer(prev->next, n);
	if (n->next)
		WRITE_ONCE(n->next->pprev, &n->next);
}
static inline void hlist_replace_rcu(struct hlist_node *old, struct hlist_node *new)
{
	struct hlist_node *next = old->next;

	new->next = next;
	WRITE_ONCE(new->pprev, old->pprev);
	rcu_assign_pointer(*new->pprev, new);
	if (next)
		WRITE_ONCE(next->pprev, &new->next);
	WRITE_ONCE(old->pprev, LIST_POISON2);
}
/* Exchanges whole lists: both heads' first nodes learn their new head. */
static inline void hlists_swap_heads_rcu(struct hlist_head *left, struct hlist_head *right)
{
	struct hlist_node *a = left->first, *b = right->first;

	rcu_assign_pointer(right->first, a);
	rcu_assign_pointer(left->first, b);
	WRITE_ONCE(a->pprev, &right->first);
	WRITE_ONCE(b->pprev, &left->first);
}
#define hlist_first_rcu(head)	rcu_dereference_raw((head)->first)
#define hlist_next_rcu(node)	rcu_dereference_raw((node)->next)
#define hlist_for_each_entry_rcu(pos, head, member, cond...) \
	for (pos = hlist_entry_safe(hlist_first_rcu(head), __typeof__(*(pos)), member); pos; \
	     pos = hlist_entry_safe(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member))
#define hlist_for_each_entry_continue_rcu(pos, member) \
	for (pos = hlist_entry_safe(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member); pos; \
	     pos = hlist_entry_safe(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member))
#define hlist_for_each_entry_from_rcu(pos, member) \
	for (; pos; pos = hlist_entry_safe(hlist_next_rcu(&(pos)->member), __typeof__(*(pos)), member))

#endif
