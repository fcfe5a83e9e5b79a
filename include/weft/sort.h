/* sort.h: sorting arrays in place (heap sort: no extra memory, no bad case) and binary search. */
#ifndef WEFT_SORT_H
#define WEFT_SORT_H

#include <weft/types.h>

struct list_head;
typedef int (*cmp_func_t)(const void *a, const void *b);
void sort(void *base, size_t num, size_t size, cmp_func_t cmp, void (*swap_func)(void *a, void *b, int size));
void *bsearch(const void *key, const void *base, size_t num, size_t size, cmp_func_t cmp);
/* Merge sort of a list; stable. */
void list_sort(void *priv, struct list_head *head,
	       int (*cmp)(void *priv, const struct list_head *a, const struct list_head *b));

#endif
