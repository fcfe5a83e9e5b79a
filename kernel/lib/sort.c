/*
 * sort.c: sorting arrays and lists, binary search, and the integer square root.
 *
 * Idea:    sort() is a heap sort: in place, without recursion, n log n in the worst case too.  list_sort() is a bottom-up
 *          merge sort: slot k of a small table holds a sorted run of 2^k elements, as bits of a counter, and two runs of
 *          a size are merged like a carry; older runs stay on the left, so equals keep their order.
 */
#include <weft/sort.h>
#include <weft/list.h>
#include <weft/kernel.h>
#include <weft/math.h>
#include <weft/bitops.h>

static void swap_bytes(void *a, void *b, int size)
{
	char *p = a, *q = b;

	for (; size >= 8 && !(((unsigned long)p | (unsigned long)q) & 7); p += 8, q += 8, size -= 8)
		swap(*(u64 *)p, *(u64 *)q);
	for (; size > 0; p++, q++, size--)
		swap(*p, *q);
}

/* Lets element `root` sink to its place in the heap of n elements. */
static void sift_down(char *base, size_t root, size_t n, size_t size, cmp_func_t cmp,
		      void (*swap_func)(void *a, void *b, int size))
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && cmp(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (cmp(base + root * size, base + child * size) >= 0)
			return;
		swap_func(base + root * size, base + child * size, (int)size);
	}
}

void sort(void *base, size_t num, size_t size, cmp_func_t cmp, void (*swap_func)(void *a, void *b, int size))
{
	if (!swap_func)
		swap_func = swap_bytes;
	for (size_t i = num / 2; i-- > 0;)
		sift_down(base, i, num, size, cmp, swap_func);
	for (size_t n = num; n-- > 1;) {
		swap_func(base, (char *)base + n * size, (int)size);
		sift_down(base, 0, n, size, cmp, swap_func);
	}
}

void *bsearch(const void *key, const void *base, size_t num, size_t size, cmp_func_t cmp)
{
	const char *low = base;

	while (num) {
		const char *middle = low + num / 2 * size;
		int c = cmp(key, middle);

		if (!c)
			return (void *)middle;
		if (c > 0) {
			low = middle + size;
			num--;
		}
		num /= 2;
	}
	return NULL;
}

/* Runs are singly linked through `next` and end with NULL. */
static struct list_head *merge(void *priv, int (*cmp)(void *, const struct list_head *, const struct list_head *),
			       struct list_head *a, struct list_head *b)
{
	struct list_head *head, **tail = &head;

	while (a && b) {
		struct list_head **from = cmp(priv, a, b) <= 0 ? &a : &b;

		*tail = *from;
		tail = &(*from)->next;
		*from = *tail;
	}
	*tail = a ? a : b;
	return head;
}

void list_sort(void *priv, struct list_head *head,
	       int (*cmp)(void *priv, const struct list_head *a, const struct list_head *b))
{
	struct list_head *runs[48] = { NULL }, *list, *next, *prev = head;
	size_t k, used = 0;

	if (list_empty(head) || list_is_singular(head))
		return;
	list = head->next;
	head->prev->next = NULL;
	for (; list; list = next) {
		struct list_head *run = list;

		next = list->next;
		run->next = NULL;
		for (k = 0; runs[k]; k++) {
			run = merge(priv, cmp, runs[k], run);
			runs[k] = NULL;
		}
		runs[k] = run;
		used = max(used, k + 1);
	}
	for (k = 0; k < used; k++)
		list = runs[k] ? merge(priv, cmp, runs[k], list) : list;

	for (; list; prev = list, list = list->next) {
		prev->next = list;
		list->prev = prev;
	}
	prev->next = head;
	head->prev = prev;
}

unsigned long int_sqrt(unsigned long x)
{
	unsigned long root = 0;

	for (unsigned long bit = x ? 1UL << (__fls(x) & ~1UL) : 0; bit; bit >>= 2) {
		bool fits = x >= root + bit;

		if (fits)
			x -= root + bit;
		root = (root >> 1) + (fits ? bit : 0);
	}
	return root;
}
