/*
 * llist.c: taking from a lock-free list.
 *
 * Locking: llist_del_first() allows any number of adders but one taker at a time.  With two, one could read
 *          first->next, be stopped, and then exchange the head for an element that the other has taken meanwhile:
 *
 *              taker 1                         taker 2
 *              first = A, next = B
 *                                              takes A, takes B, adds A again
 *              head: A -> B succeeds, but B is no longer in the list
 */
#include <weft/barrier.h>
#include <weft/llist.h>

struct llist_node *llist_del_first(struct llist_head *head)
{
	struct llist_node *first = smp_load_acquire(&head->first);

	do {
		if (!first)
			return NULL;
	} while (!try_cmpxchg(&head->first, &first, READ_ONCE(first->next)));
	return first;
}

struct llist_node *llist_reverse_order(struct llist_node *head)
{
	struct llist_node *reversed = NULL;

	while (head) {
		struct llist_node *next = head->next;

		head->next = reversed;
		reversed = head;
		head = next;
	}
	return reversed;
}
