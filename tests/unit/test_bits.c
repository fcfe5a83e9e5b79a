/* test_bits.c: bitmaps against arrays of bool, sorting, hashes, checksums. */
#include <weft/bitmap.h>
#include <weft/crc32.h>
#include <weft/hash.h>
#include <weft/list.h>
#include <weft/llist.h>
#include <weft/math.h>
#include <weft/sort.h>
#include <asm/crc32.h>
#include "chacha.h"
#include "unit.h"

#define BITS	300

static bool model[BITS];

static unsigned long model_next(unsigned int from, bool value)
{
	while (from < BITS && model[from] != value)
		from++;
	return from;
}

TEST(bitmap_random)
{
	DECLARE_BITMAP(map, BITS) = { 0 };

	memset(model, 0, sizeof(model));
	for (int step = 0; step < 5000; step++) {
		unsigned int start = unit_below(BITS), len = unit_below(BITS - start + 1), count = 0, last = BITS;
		bool set = unit_random() & 1;

		if (set)
			bitmap_set(map, start, len);
		else
			bitmap_clear(map, start, len);
		memset(model + start, set, len);
		start = unit_below(BITS);
		EXPECT_EQ(find_next_bit(map, BITS, start), model_next(start, true));
		EXPECT_EQ(find_next_zero_bit(map, BITS, start), model_next(start, false));
		for (unsigned int i = 0; i < BITS; i++) {
			count += model[i];
			last = model[i] ? i : last;
		}
		EXPECT_EQ(bitmap_weight(map, BITS), count);
		EXPECT_EQ(find_last_bit(map, BITS), last);
	}
}

TEST(bitmap_text)
{
	DECLARE_BITMAP(map, 70);
	char t[100];

	EXPECT_EQ(bitmap_parselist("0-3, 7,64-69\n", map, 70), 0);
	bitmap_print_list(t, sizeof(t), map, 70);
	EXPECT_STR(t, "0-3,7,64-69");
	bitmap_print_mask(t, sizeof(t), map, 70);
	EXPECT_STR(t, "3f,00000000,0000008f");
	EXPECT_EQ(bitmap_parselist("70", map, 70), -ERANGE);
	EXPECT_EQ(bitmap_parselist("5-3", map, 70), -EINVAL);
	EXPECT_EQ(bitmap_parselist("x", map, 70), -EINVAL);
	EXPECT_EQ(bitmap_parselist("", map, 70), 0);
	EXPECT(bitmap_empty(map, 70));
}

TEST(bitmap_areas)
{
	DECLARE_BITMAP(map, BITS) = { 0 };

	bitmap_set(map, 0, 10);
	bitmap_set(map, 20, 5);
	EXPECT_EQ(bitmap_find_next_zero_area(map, BITS, 0, 10, 0), 10);
	EXPECT_EQ(bitmap_find_next_zero_area(map, BITS, 0, 11, 0), 25);
	EXPECT_EQ(bitmap_find_next_zero_area(map, BITS, 0, 8, 7), 32);
	EXPECT(bitmap_find_next_zero_area(map, BITS, 0, 290, 0) > BITS);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

TEST(sorting)
{
	static int v[1000];

	for (unsigned int n = 0; n < ARRAY_SIZE(v); n += 1 + n / 3) {
		for (unsigned int i = 0; i < n; i++)
			v[i] = (int)unit_below(n / 2 + 1);
		sort(v, n, sizeof(v[0]), by_value, NULL);
		for (unsigned int i = 1; i < n; i++)
			EXPECT(v[i - 1] <= v[i]);
		for (int key = -1; n && key <= (int)n; key++) {
			int *found = bsearch(&key, v, n, sizeof(v[0]), by_value);
			bool there = false;

			for (unsigned int i = 0; i < n; i++)
				there |= v[i] == key;
			EXPECT_EQ(found != NULL, there);
		}
	}
}

struct element {
	struct list_head list;
	u32 key, order;
};

static int by_key(void *priv, const struct list_head *a, const struct list_head *b)
{
	return (int)list_entry(a, struct element, list)->key - (int)list_entry(b, struct element, list)->key;
}

TEST(list_sorting_is_stable)
{
	static struct element e[777];
	struct element *p, *last = NULL;
	LIST_HEAD(head);
	unsigned int count = 0;

	for (u32 i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = (struct element){ .key = unit_below(50), .order = i };
		list_add_tail(&e[i].list, &head);
	}
	list_sort(NULL, &head, by_key);
	list_for_each_entry(p, &head, list) {
		EXPECT(!last || last->key < p->key || (last->key == p->key && last->order < p->order));
		EXPECT(!last || p->list.prev == &last->list);
		last = p;
		count++;
	}
	EXPECT_EQ(count, ARRAY_SIZE(e));
}

TEST(llists)
{
	struct llist_node n[3];
	LLIST_HEAD(head);

	EXPECT(llist_add(&n[0], &head));
	EXPECT(!llist_add(&n[1], &head));
	EXPECT(!llist_add(&n[2], &head));
	EXPECT(llist_del_first(&head) == &n[2]);
	EXPECT(llist_reverse_order(llist_del_all(&head)) == &n[0]);
	EXPECT(llist_empty(&head));
}

TEST(known_answers)
{
	u64 key[2] = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };
	u8 data[15];

	for (u8 i = 0; i < 15; i++)
		data[i] = i;
	EXPECT(siphash(data, 15, key) == 0xa129ca6149be45e5ull);
	EXPECT_EQ((u32)~crc32_le(~0u, "123456789", 9), 0xcbf43926u);
	EXPECT_EQ((u32)~crc32c(~0u, "123456789", 9), 0xe3069283u);
	EXPECT_EQ(jhash_3words(1, 2, 3, 4), jhash((u32[]){ 1, 2, 3 }, 12, 4));
	for (unsigned long x = 0; x < 3000; x++)
		EXPECT(int_sqrt(x) * int_sqrt(x) <= x && (int_sqrt(x) + 1) * (int_sqrt(x) + 1) > x);
	EXPECT_EQ(int_sqrt(ULONG_MAX), 0xffffffffu);
}

/* The processor's instruction, where the host has it, says what the tables say: all lengths, all alignments. */
TEST(crc32c_by_instruction)
{
	u32 eax, ebx, ecx, edx;
	u8 data[300];

	cpuid(1, &eax, &ebx, &ecx, &edx);
	if (!(ecx & 1u << X86_FEATURE_XMM4_2 % 32))
		return;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)unit_random();
	for (size_t from = 0; from < 8; from++)
		for (size_t len = 0; len <= sizeof(data) - from; len++) {
			u32 seed = (u32)unit_random(), by_tables;

			EXPECT(!arch_has_crc32c());
			by_tables = crc32c(seed, data + from, len);
			boot_cpuid_words[CPUID_1_ECX] = ecx;
			EXPECT_EQ(crc32c(seed, data + from, len), by_tables);
			boot_cpuid_words[CPUID_1_ECX] = 0;
		}
}

/* RFC 8439, 2.3.2 */
TEST(chacha_block_function)
{
	static const u8 expected[16] = { 0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20,
					 0x71, 0xc4 };
	u8 key[CHACHA_KEY_BYTES], block[CHACHA_BLOCK_BYTES];
	u32 state[16];

	for (u8 i = 0; i < sizeof(key); i++)
		key[i] = i;
	chacha_init(state, key);
	state[12] = 1;
	state[13] = 0x09000000;
	state[14] = 0x4a000000;
	chacha_block(state, block);
	EXPECT(!memcmp(block, expected, sizeof(expected)));
	EXPECT_EQ(state[12], 2);
}
