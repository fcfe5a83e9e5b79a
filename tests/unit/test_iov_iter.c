/* test_iov_iter.c: copies through pieces of all sizes, going back and forth. */
#include <weft/uio.h>
#include <weft/gfp.h>
#include <weft/slab.h>
#include "unit.h"

#define BYTES	1000

static u8 memory[BYTES], stream[BYTES];

/* Cuts memory[] into random pieces, some of them empty. */
static unsigned int cut(struct kvec *v, unsigned int max)
{
	unsigned int n = 0;
	size_t at = 0;

	while (at < BYTES) {
		size_t len = n == max - 1 ? BYTES - at : unit_below(120);

		len = min(len, BYTES - at);
		v[n++] = (struct kvec){ memory + at, len };
		at += len;
	}
	return n;
}

static void walk(struct iov_iter *it)
{
	size_t pos = 0;

	while (iov_iter_count(it)) {
		size_t n = 1 + unit_below(200), done = copy_to_iter(stream + pos, n, it);

		EXPECT_EQ(done, min(n, BYTES - pos));
		pos += done;
		if (unit_below(3) == 0) {
			size_t back = unit_below((u32)pos + 1);

			iov_iter_revert(it, back);
			pos -= back;
			if (unit_below(2)) {
				back = min_t(size_t, back, 50);
				iov_iter_advance(it, back);
				pos += back;
			}
		}
		EXPECT_EQ(iov_iter_count(it), BYTES - pos);
	}
	EXPECT(!memcmp(memory, stream, BYTES));
}

TEST(iov_iter_kvec_and_iovec)
{
	struct kvec v[40];
	struct iov_iter it;

	for (int round = 0; round < 300; round++) {
		unsigned int n = cut(v, ARRAY_SIZE(v));

		for (int i = 0; i < BYTES; i++)
			stream[i] = (u8)unit_random();
		memset(memory, 0, BYTES);
		if (round & 1)
			iov_iter_kvec(&it, ITER_DEST, v, n, BYTES);
		else
			iov_iter_init(&it, ITER_DEST, (const struct iovec *)v, n, BYTES);
		walk(&it);
	}
}

TEST(iov_iter_bad_address)
{
	struct iovec v[3] = { { memory, 100 }, { (void *)8, 100 }, { memory + 200, 100 } };
	struct iovec fast[2], *iov = fast;
	struct iov_iter it;
	u8 bytes[300];

	iov_iter_init(&it, ITER_SOURCE, v, 3, 300);
	EXPECT_EQ(copy_from_iter(bytes, 300, &it), 100);
	EXPECT_EQ(iov_iter_count(&it), 200);
	iov_iter_revert(&it, 100);
	EXPECT(!copy_from_iter_full(bytes, 300, &it));
	EXPECT_EQ(iov_iter_count(&it), 300);
	EXPECT_EQ(fault_in_iov_iter_readable(&it, 300), 200);

	EXPECT_EQ(import_iovec(ITER_SOURCE, v, 3, 2, &iov, &it), 300);
	EXPECT(iov && iov != fast);
	kfree(iov);
	iov = fast;
	v[1].iov_len = (size_t)-1;
	EXPECT_EQ(import_iovec(ITER_SOURCE, v, 3, 2, &iov, &it), -EINVAL);
	EXPECT(!iov);
	iov = fast;
	EXPECT_EQ(import_iovec(ITER_SOURCE, (void *)8, 2, 2, &iov, &it), -EFAULT);
	iov = fast;
	EXPECT_EQ(import_iovec(ITER_SOURCE, v, 5000, 2, &iov, &it), -EINVAL);
}

TEST(iov_iter_one_buffer)
{
	struct iov_iter_state state;
	struct iov_iter it;
	u8 bytes[64];

	EXPECT_EQ(import_ubuf(ITER_DEST, memory, 64, &it), 0);
	memset(memory, 1, 64);
	iov_iter_save_state(&it, &state);
	EXPECT_EQ(iov_iter_zero(10, &it), 10);
	EXPECT(!memchr_inv(memory, 0, 10) && memory[10] == 1);
	iov_iter_restore(&it, &state);
	EXPECT_EQ(iov_iter_count(&it), 64);
	iov_iter_truncate(&it, 5);
	memset(bytes, 9, sizeof(bytes));
	EXPECT_EQ(copy_to_iter(bytes, 64, &it), 5);
	EXPECT_EQ(import_ubuf(ITER_DEST, (void *)~0ul, 64, &it), -EFAULT);
}
