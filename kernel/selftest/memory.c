/*
 * memory.c: allocators taken to their end and back: all of it comes back, and no object is handed out twice.
 *
 * Exhaustion is asked for with __GFP_NORETRY | __GFP_NOWARN: an allocation that may fail, without the out-of-memory killer.
 * See: mm/page_alloc.c, mm/slab.c, mm/vmalloc.c; spec.md §5
 */
#include <weft/gfp.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/vmalloc.h>
#include <weft/vmstat.h>
#include "selftest.h"

#define MAY_FAIL	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

/* Free pages, give or take what other processors keep in their lists. */
static bool all_back(unsigned long before)
{
	unsigned long slack = 256 * num_online_cpus() + before / 64;

	return nr_free_pages() + slack >= before;
}

/* Takes pages of this order until there are none, chained through their first word; then gives them back. */
static void exhaust(unsigned int order)
{
	unsigned long before = nr_free_pages(), n = 0, freed = 0;
	unsigned long *chain = NULL, *p;

	while ((p = (unsigned long *)__get_free_pages(MAY_FAIL, order))) {
		p[0] = (unsigned long)chain;
		p[1] = n++;
		chain = p;
		if (n % 256 == 0)
			cond_resched();
	}
	EXPECT(n > 0);
	while (chain) {
		p = chain;
		chain = (unsigned long *)p[0];
		/* The stamp says that nobody else was given these pages meanwhile. */
		EXPECT_EQ(p[1], n - ++freed);
		free_pages((unsigned long)p, order);
	}
	EXPECT_EQ(freed, n);
	EXPECT_SOON(all_back(before));
}

SELFTEST(memory, pages_exhausted, 1)
{
	exhaust(0);
}

SELFTEST(memory, orders_exhausted, 1)
{
	exhaust(3);
	exhaust(9);
}

/* After all that was split has been given back, the buddies are whole again. */
SELFTEST(memory, buddies_merge, 1)
{
	unsigned long p;

	exhaust(0);
	p = __get_free_pages(MAY_FAIL, 9);
	EXPECT(p);
	if (p)
		free_pages(p, 9);
}

struct object {
	struct object	*next;
	unsigned long	stamp[7];
};

SELFTEST(memory, slab_exhausted, 1)
{
	unsigned long before = nr_free_pages(), n = 0, wrong = 0;
	struct kmem_cache *s = kmem_cache_create("selftest_object", sizeof(struct object), 0, 0, NULL);
	struct object *chain = NULL, *o;

	if (!EXPECT(s))
		return;
	while (n < 1000000 && (o = kmem_cache_alloc(s, MAY_FAIL))) {
		o->next = chain;
		for (int i = 0; i < 7; i++)
			o->stamp[i] = n + i;
		chain = o;
		if (++n % 1024 == 0)
			cond_resched();
	}
	EXPECT(n > 1000);
	while (chain) {
		o = chain;
		chain = o->next;
		n--;
		for (int i = 0; i < 7; i++)
			wrong += o->stamp[i] != n + i;
		kmem_cache_free(s, o);
		if (n % 1024 == 0)
			cond_resched();
	}
	EXPECT_EQ(wrong, 0);
	kmem_cache_destroy(s);
	EXPECT_SOON(all_back(before));
}

/* A vmalloc of more than there is fails whole: the pages that it had got so far go back. */
SELFTEST(memory, vmalloc_undone, 1)
{
	unsigned long before = nr_free_pages();
	void *p;

	for (int i = 0; i < 3; i++) {
		p = __vmalloc((before + before / 4) << PAGE_SHIFT, MAY_FAIL);
		EXPECT(!p);
		vfree(p);
		EXPECT_SOON(all_back(before));
	}
	p = vmalloc(64 * PAGE_SIZE);
	EXPECT(p);
	if (p)
		memset(p, 0x5a, 64 * PAGE_SIZE);
	vfree(p);
}
