/* test_inflate.c: what zlib compressed comes back; damaged input ends in an error, never in a crash. */
#include <weft/inflate.h>
#include <weft/slab.h>
#include "unit.h"

struct vector {
	const u8	*raw;
	size_t		raw_len;
	const u8	*gz;
	size_t		gz_len;
};
extern const struct vector inflate_vectors[];
extern const u64 nr_inflate_vectors;

struct progress {
	const struct vector	*v;
	size_t			pos;
	bool			same;
};

static int compare_sink(void *arg, const u8 *data, size_t len)
{
	struct progress *p = arg;

	if (p->pos + len > p->v->raw_len || memcmp(p->v->raw + p->pos, data, len))
		p->same = false;
	p->pos += len;
	return 0;
}

static int null_sink(void *arg, const u8 *data, size_t len)
{
	size_t *left = arg;

	if (*left < len)
		return -ENOSPC;
	*left -= len;
	return 0;
}

TEST(inflate_vectors_come_back)
{
	for (u64 i = 0; i < nr_inflate_vectors; i++) {
		struct progress p = { .v = &inflate_vectors[i], .same = true };
		size_t used;

		EXPECT(is_gzip(p.v->gz, p.v->gz_len));
		EXPECT_EQ(gunzip(p.v->gz, p.v->gz_len, compare_sink, &p, &used), 0);
		EXPECT(p.same);
		EXPECT_EQ(p.pos, p.v->raw_len);
		EXPECT_EQ(used, p.v->gz_len);
	}
}

TEST(inflate_damage_is_found)
{
	u8 *copy;

	for (u64 i = 0; i < nr_inflate_vectors; i++) {
		const struct vector *v = &inflate_vectors[i];
		size_t used, room;

		copy = kmalloc(v->gz_len, GFP_KERNEL);
		for (int round = 0; round < 40; round++) {
			size_t cut = 1 + unit_below((u32)v->gz_len - 1);

			room = 1 << 20;
			memcpy(copy, v->gz, v->gz_len);
			EXPECT(gunzip(copy, cut, null_sink, &room, &used) < 0);
			if (v->gz_len < 30)
				continue;
			copy[18 + unit_below((u32)v->gz_len - 18)] ^= (u8)(1 << unit_below(8));
			room = 1 << 20;
			gunzip(copy, v->gz_len, null_sink, &room, &used);
			EXPECT(used <= v->gz_len);
		}
		kfree(copy);
	}
}

TEST(inflate_errors_pass_through)
{
	const struct vector *v = &inflate_vectors[nr_inflate_vectors - 1];
	size_t room = 40000, used;

	EXPECT_EQ(gunzip(v->gz, v->gz_len, null_sink, &room, &used), -ENOSPC);
	unit_alloc_budget = 0;
	EXPECT_EQ(gunzip(v->gz, v->gz_len, null_sink, &room, &used), -ENOMEM);
	unit_alloc_budget = -1;
	EXPECT_EQ(gunzip((const u8 *)"not gzip at all", 15, null_sink, &room, &used), -EINVAL);
}
