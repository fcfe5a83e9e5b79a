/* test_xarray.c: xarray, idr and ida against plain arrays, and without memory. */
#include <weft/xarray.h>
#include <weft/idr.h>
#include <weft/gfp.h>
#include <weft/rcu.h>
#include "unit.h"

#define RANGE	10000

static void *model[RANGE];
static bool model_mark[RANGE][XA_MAX_MARKS];

static void __attribute__((constructor)) set_up(void)
{
	xarray_init();
}

static void *entry_of(u32 n)
{
	return (void *)(unsigned long)(0x10000 + 8 * n);
}

/* Indices in clusters, so that full and nearly empty nodes both occur. */
static unsigned long some_index(void)
{
	static const u32 spans[] = { 4, 64, 200, 4096, RANGE };

	return unit_below(spans[unit_below(ARRAY_SIZE(spans))]);
}

static void compare(struct xarray *xa)
{
	unsigned long index, expected = 0;
	unsigned int present = 0;
	void *entry;

	xa_for_each(xa, index, entry) {
		while (expected < index && !model[expected])
			expected++;
		if (index != expected || entry != model[index])
			unit_failed(__FILE__, __LINE__, "xa_for_each: wrong entry");
		expected = index + 1;
		present++;
	}
	for (index = 0; index < RANGE; index++) {
		if (xa_load(xa, index) != model[index])
			unit_failed(__FILE__, __LINE__, "xa_load: wrong entry");
		for (unsigned int m = 0; m < XA_MAX_MARKS; m++)
			if (xa_get_mark(xa, index, m) != model_mark[index][m])
				unit_failed(__FILE__, __LINE__, "xa_get_mark: wrong");
		present -= model[index] != NULL;
	}
	EXPECT_EQ(present, 0);
}

static void check_marked(struct xarray *xa, xa_mark_t mark)
{
	unsigned long index;
	unsigned int found = 0, expected = 0;
	void *entry;

	xa_for_each_marked(xa, index, entry, mark) {
		EXPECT(model_mark[index][mark]);
		found++;
	}
	for (index = 0; index < RANGE; index++)
		expected += model_mark[index][mark];
	EXPECT_EQ(found, expected);
	EXPECT_EQ(xa_marked(xa, mark), expected != 0);
}

static void check_gap(struct xarray *xa)
{
	unsigned long from = some_index(), gap = from;

	while (gap < RANGE && model[gap])
		gap++;
	EXPECT_EQ(xa_next_gap(xa, from, RANGE - 1), gap);
}

static void random_step(struct xarray *xa)
{
	unsigned long i = some_index();
	xa_mark_t mark = unit_below(XA_MAX_MARKS);
	void *entry;

	switch (unit_below(5)) {
	case 0:
	case 1:
		entry = entry_of(unit_below(1000));
		EXPECT(xa_store(xa, i, entry, GFP_KERNEL) == model[i]);
		model[i] = entry;
		break;
	case 2:
		EXPECT(xa_erase(xa, i) == model[i]);
		model[i] = NULL;
		memset(model_mark[i], 0, sizeof(model_mark[i]));
		break;
	case 3:
		xa_set_mark(xa, i, mark);
		model_mark[i][mark] = model[i] != NULL;
		break;
	default:
		xa_clear_mark(xa, i, mark);
		model_mark[i][mark] = false;
	}
}

TEST(xarray_random)
{
	DEFINE_XARRAY(xa);

	memset(model, 0, sizeof(model));
	memset(model_mark, 0, sizeof(model_mark));
	for (int step = 0; step < 60000; step++) {
		random_step(&xa);
		if (step % 100 == 0)
			check_gap(&xa);
		if (step % 6000 == 0) {
			compare(&xa);
			check_marked(&xa, (unsigned int)step / 6000 % XA_MAX_MARKS);
			unit_grace_period();
		}
	}
	compare(&xa);
	for (unsigned long i = 0; i < RANGE; i++)
		xa_erase(&xa, i);
	EXPECT(xa_empty(&xa));
	EXPECT_EQ(xa.xa_flags, 0);
}

TEST(xarray_wide)
{
	static const unsigned long indices[] = { 0, 1, 63, 64, 1UL << 20, 1UL << 40, ULONG_MAX - 1, ULONG_MAX };
	DEFINE_XARRAY(xa);
	unsigned long index;
	unsigned int n = 0;
	void *entry, *found[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++)
		EXPECT(!xa_store(&xa, indices[i], xa_mk_value(i), GFP_KERNEL));
	xa_for_each(&xa, index, entry) {
		EXPECT_EQ(index, indices[n]);
		EXPECT_EQ(xa_to_value(entry), n);
		n++;
	}
	EXPECT_EQ(n, ARRAY_SIZE(indices));
	EXPECT_EQ(xa_extract(&xa, found, 2, ULONG_MAX, 8, XA_PRESENT), 6);
	index = 64;
	EXPECT(xa_find_after(&xa, &index, 1UL << 19, XA_PRESENT) == NULL);
	xa_destroy(&xa);
	EXPECT(xa_empty(&xa));
}

TEST(xarray_conditions)
{
	DEFINE_XARRAY(xa);

	EXPECT_EQ(xa_insert(&xa, 5, entry_of(1), GFP_KERNEL), 0);
	EXPECT_EQ(xa_insert(&xa, 5, entry_of(2), GFP_KERNEL), -EBUSY);
	EXPECT(xa_cmpxchg(&xa, 5, entry_of(2), entry_of(3), GFP_KERNEL) == entry_of(1));
	EXPECT(xa_cmpxchg(&xa, 5, entry_of(1), entry_of(3), GFP_KERNEL) == entry_of(1));
	EXPECT(xa_load(&xa, 5) == entry_of(3));
	EXPECT_EQ(xa_reserve(&xa, 9, GFP_KERNEL), 0);
	EXPECT(!xa_load(&xa, 9));
	EXPECT_EQ(xa_insert(&xa, 9, entry_of(1), GFP_KERNEL), -EBUSY);
	xa_release(&xa, 9);
	EXPECT_EQ(xa_insert(&xa, 9, entry_of(1), GFP_KERNEL), 0);
	xa_release(&xa, 9);
	EXPECT(xa_load(&xa, 9) == entry_of(1));
	xa_destroy(&xa);
}

TEST(xarray_without_memory)
{
	DEFINE_XARRAY(xa);

	EXPECT(!xa_store(&xa, 0, entry_of(0), GFP_KERNEL));
	for (int budget = 0; budget < 5; budget++) {
		unit_alloc_budget = budget;
		EXPECT_EQ(xa_err(xa_store(&xa, 1UL << 30, entry_of(1), GFP_NOWAIT)), -ENOMEM);
		unit_alloc_budget = -1;
		unit_grace_period();
		EXPECT(xa_load(&xa, 0) == entry_of(0));
		EXPECT(!xa_load(&xa, 1UL << 30));
	}
	xa_erase(&xa, 0);
	EXPECT(xa_empty(&xa));
	unit_alloc_budget = 3;
	EXPECT_EQ(xa_err(xa_store(&xa, 1UL << 30, entry_of(1), GFP_KERNEL)), -ENOMEM);
	unit_alloc_budget = -1;
	EXPECT(xa_empty(&xa));
}

TEST(xarray_alloc)
{
	DEFINE_XARRAY_ALLOC1(xa);
	u32 id, next = 0;

	for (u32 i = 1; i <= 5000; i++) {
		EXPECT_EQ(xa_alloc(&xa, &id, entry_of(i), XA_LIMIT(0, 5000), GFP_KERNEL), 0);
		if (id != i)
			unit_failed(__FILE__, __LINE__, "xa_alloc: not the lowest");
	}
	EXPECT_EQ(xa_alloc(&xa, &id, entry_of(1), XA_LIMIT(0, 5000), GFP_KERNEL), -EBUSY);
	for (int i = 0; i < 200; i++) {
		u32 a = 1 + unit_below(5000), b = 1 + unit_below(5000);

		xa_erase(&xa, a);
		xa_erase(&xa, b);
		EXPECT_EQ(xa_alloc(&xa, &id, NULL, XA_LIMIT(0, 5000), GFP_KERNEL), 0);
		EXPECT_EQ(id, min(a, b));
		if (a != b)
			EXPECT_EQ(xa_alloc(&xa, &id, NULL, XA_LIMIT(0, 5000), GFP_KERNEL), 0);
	}
	xa_destroy(&xa);
	EXPECT_EQ(xa_alloc_cyclic(&xa, &id, entry_of(1), XA_LIMIT(3, 4), &next, GFP_KERNEL), 0);
	EXPECT_EQ(xa_alloc_cyclic(&xa, &id, entry_of(1), XA_LIMIT(3, 4), &next, GFP_KERNEL), 0);
	EXPECT_EQ(id, 4);
	xa_erase(&xa, 3);
	EXPECT_EQ(xa_alloc_cyclic(&xa, &id, entry_of(1), XA_LIMIT(3, 4), &next, GFP_KERNEL), 1);
	EXPECT_EQ(id, 3);
	xa_destroy(&xa);
}

TEST(idr_basics)
{
	DEFINE_IDR(idr);
	int id, count = 0;
	void *entry;

	EXPECT_EQ(idr_alloc(&idr, entry_of(1), 1, 0, GFP_KERNEL), 1);
	EXPECT_EQ(idr_alloc(&idr, NULL, 1, 0, GFP_KERNEL), 2);
	EXPECT(!idr_find(&idr, 2));
	EXPECT_EQ(idr_alloc(&idr, entry_of(3), 1, 0, GFP_KERNEL), 3);
	EXPECT(!idr_replace(&idr, entry_of(2), 2));
	EXPECT(idr_find(&idr, 2) == entry_of(2));
	EXPECT(idr_replace(&idr, entry_of(2), 7) == ERR_PTR(-ENOENT));
	EXPECT_EQ(idr_alloc(&idr, entry_of(1), 1, 4, GFP_KERNEL), -ENOSPC);
	idr_for_each_entry(&idr, entry, id)
		count++;
	EXPECT_EQ(count, 3);
	EXPECT(idr_remove(&idr, 2) == entry_of(2));
	EXPECT_EQ(idr_alloc_cyclic(&idr, entry_of(9), 1, 5, GFP_KERNEL), 2);
	EXPECT_EQ(idr_alloc_cyclic(&idr, entry_of(9), 1, 5, GFP_KERNEL), 4);
	EXPECT_EQ(idr_alloc_cyclic(&idr, entry_of(9), 1, 5, GFP_KERNEL), -ENOSPC);
	idr_remove(&idr, 1);
	EXPECT_EQ(idr_alloc_cyclic(&idr, entry_of(9), 1, 5, GFP_KERNEL), 1);
	idr_destroy(&idr);
}

TEST(ida_basics)
{
	DEFINE_IDA(ida);

	for (int i = 0; i < 300; i++)
		EXPECT_EQ(ida_alloc(&ida, GFP_KERNEL), i);
	ida_free(&ida, 77);
	EXPECT_EQ(ida_alloc_min(&ida, 10, GFP_KERNEL), 77);
	EXPECT_EQ(ida_alloc_max(&ida, 299, GFP_KERNEL), -ENOSPC);
	EXPECT_EQ(ida_alloc_range(&ida, 1000, 1001, GFP_KERNEL), 1000);
	ida_destroy(&ida);
}
