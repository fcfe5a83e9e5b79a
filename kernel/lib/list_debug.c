/*
 * list_debug.c: debug builds look at the neighbours before a list is changed.
 *
 * Idea:    an element that is added twice, removed twice, or overwritten in between shows in links that do not point
 *          back.  Going on would spread the damage, so it is a BUG.
 */
#include <weft/list.h>
#include <weft/bug.h>
#include <weft/printk.h>

#ifdef CONFIG_DEBUG

void __list_add_check(struct list_head *new, struct list_head *prev, struct list_head *next)
{
	if (likely(next->prev == prev && prev->next == next && new != prev && new != next))
		return;
	printk(KERN_EMERG "list_add: %px between %px (next %px) and %px (prev %px)\n", new, prev, prev->next, next,
	       next->prev);
	BUG();
}

void __list_del_check(struct list_head *entry)
{
	struct list_head *prev = entry->prev, *next = entry->next;

	if (likely(next != LIST_POISON1 && prev != LIST_POISON2 && prev->next == entry && next->prev == entry))
		return;
	printk(KERN_EMERG "list_del: %px has next %px and prev %px, which do not point back\n", entry, next, prev);
	BUG();
}

#endif
