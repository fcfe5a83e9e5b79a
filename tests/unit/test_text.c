/* test_text.c: printing, scanning, numbers from text and strings; where C has the same, against the C library. */
#include <weft/bitmap.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include "unit.h"

/* Both ways into buffers of several sizes: same text, same length. */
static void same_as_c(const char *fmt, ...)
{
	static const size_t sizes[] = { 0, 1, 5, 12, 200 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		char ours[200] = "", theirs[200] = "";
		va_list a, b;
		int n, m;

		va_start(a, fmt);
		va_start(b, fmt);
		n = vsnprintf(ours, sizes[i], fmt, a);
		m = host_vsnprintf(theirs, sizes[i], fmt, b);
		va_end(a);
		va_end(b);
		EXPECT_EQ(n, m);
		EXPECT_STR(ours, theirs);
	}
}

TEST(printf_numbers)
{
	static const char *const flags[] = { "", "-", "0", "+", " ", "#", "-#", "0#", "+0" };
	static const char *const widths[] = { "", "1", "8", "20", ".0", ".3", "10.5", ".12" };
	static const char conversions[] = "diuxXo";
	static const int values[] = { 0, 1, -1, 7, 255, -255, 123456, INT_MAX, INT_MIN };

	for (unsigned int f = 0; f < ARRAY_SIZE(flags); f++)
		for (unsigned int w = 0; w < ARRAY_SIZE(widths); w++)
			for (unsigned int c = 0; conversions[c]; c++)
				for (unsigned int v = 0; v < ARRAY_SIZE(values); v++) {
					char fmt[32];

					sprintf(fmt, "<%%%s%s%c>", flags[f], widths[w], conversions[c]);
					same_as_c(fmt, values[v]);
				}
}

TEST(printf_sizes)
{
	same_as_c("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
	same_as_c("%lld %llu %zu %zd %jd", LLONG_MIN, ULLONG_MAX, (size_t)5, (ssize_t)-5, 3L);
	same_as_c("%hd %hu %hhd %hhu", -70000, 70000, 300, 300);
	same_as_c("%*d|%-*d|%*d", 6, 1, 6, 2, -6, 3);
	same_as_c("%.*s|%10s|%-10s|%.3s|%c|%5c|%%", 2, "abc", "right", "left", "cut off", 'x', 'y');
}

static int text_of_v(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	struct va_format vf = { .fmt = fmt, .va = &args };
	int n;

	va_start(args, fmt);
	n = snprintf(buf, size, "<%pV>", &vf);
	va_end(args);
	return n;
}

TEST(printf_pointers)
{
	static const u8 bytes[] = { 0x00, 0x1b, 0xff, 0x10, 0x20, 0x30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	DECLARE_BITMAP(map, 70) = { 0x8000000000000003ul, 0x21 };
	char t[200];

	snprintf(t, sizeof(t), "%px %p", (void *)0x1234, NULL);
	EXPECT_STR(t, "0000000000001234 0000000000000000");
	snprintf(t, sizeof(t), "%pI4 %pM %3ph %*phN", bytes, bytes, bytes, 2, bytes);
	EXPECT_STR(t, "0.27.255.16 00:1b:ff:10:20:30 00 1b ff 001b");
	snprintf(t, sizeof(t), "%*pbl %*pb", 70, map, 70, map);
	EXPECT_STR(t, "0-1,63-64,69 21,80000000,00000003");
	snprintf(t, sizeof(t), "%pS|%ps", (void *)0x10, (void *)0x10);
	EXPECT_STR(t, "symbol_10+0x1/0x2|0x10");
	snprintf(t, sizeof(t), "%pe %s", ERR_PTR(-22), (char *)NULL);
	EXPECT_STR(t, "-22 (null)");
	EXPECT_EQ(text_of_v(t, sizeof(t), "%d-%s", 5, "x"), 5);
	EXPECT_STR(t, "<5-x>");
	EXPECT_EQ(text_of_v(t, 4, "%d-%s", 5, "x"), 5);
	EXPECT_STR(t, "<5-");
	EXPECT_EQ(scnprintf(t, 4, "%s", "longer"), 3);
}

TEST(scan)
{
	int a, b, n;
	unsigned long u;
	u8 small;
	char word[16], rest[16];

	EXPECT_EQ(sscanf("12 -7", "%d %d", &a, &b), 2);
	EXPECT(a == 12 && b == -7);
	EXPECT_EQ(sscanf("0x1f:077", "%i:%i%n", &a, &b, &n), 2);
	EXPECT(a == 0x1f && b == 077 && n == 8);
	EXPECT_EQ(sscanf("name=value rest", "%15[^=]=%15s", word, rest), 2);
	EXPECT_STR(word, "name");
	EXPECT_STR(rest, "value");
	EXPECT_EQ(sscanf("ffffffffffffffff", "%lx", &u), 1);
	EXPECT(u == ULONG_MAX);
	EXPECT_EQ(sscanf("12345", "%2d%3d", &a, &b), 2);
	EXPECT(a == 12 && b == 345);
	EXPECT_EQ(sscanf("300", "%hhu", &small), 1);
	EXPECT_EQ(small, 44);
	EXPECT_EQ(sscanf("5 x", "%*d %c", word), 1);
	EXPECT_EQ(word[0], 'x');
	EXPECT_EQ(sscanf("abc", "%d", &a), 0);
}

TEST(numbers_from_text)
{
	unsigned long long ull;
	long long ll;
	int i;
	u8 byte;
	bool yes;
	char *end;

	EXPECT_EQ(kstrtoull("18446744073709551615\n", 10, &ull), 0);
	EXPECT(ull == ULLONG_MAX);
	EXPECT_EQ(kstrtoull("18446744073709551616", 10, &ull), -ERANGE);
	EXPECT_EQ(kstrtoull("", 10, &ull), -EINVAL);
	EXPECT_EQ(kstrtoull("12x", 10, &ull), -EINVAL);
	EXPECT_EQ(kstrtoull("0x10", 0, &ull), 0);
	EXPECT_EQ(ull, 16);
	EXPECT_EQ(kstrtoll("-9223372036854775808", 10, &ll), 0);
	EXPECT(ll == LLONG_MIN);
	EXPECT_EQ(kstrtoll("-9223372036854775809", 10, &ll), -ERANGE);
	EXPECT_EQ(kstrtoint("-2147483648", 10, &i), 0);
	EXPECT_EQ(kstrtoint("2147483648", 10, &i), -ERANGE);
	EXPECT_EQ(kstrtou8("256", 10, &byte), -ERANGE);
	EXPECT_EQ(kstrtobool("on", &yes), 0);
	EXPECT(yes);
	EXPECT_EQ(kstrtobool("maybe", &yes), -EINVAL);
	EXPECT_EQ(memparse("64M,", &end), 64 << 20);
	EXPECT_EQ(*end, ',');
	EXPECT_EQ(simple_strtol("-0x1g", &end, 16), -1);
	EXPECT_EQ(*end, 'g');
}

TEST(strings)
{
	char buf[32], *s, *w;
	static const char *const names[] = { "one", "two", NULL };

	EXPECT_EQ(strscpy(buf, "hello", 3), -E2BIG);
	EXPECT_STR(buf, "he");
	EXPECT_EQ(strscpy(buf, "hello", sizeof(buf)), 5);
	EXPECT_EQ(strlcat(buf, " world", 8), 11);
	EXPECT_STR(buf, "hello w");
	s = strcpy(buf, "a,,b");
	w = strsep(&s, ",");
	EXPECT_STR(w, "a");
	w = strsep(&s, ",");
	EXPECT_STR(w, "");
	w = strsep(&s, ",");
	EXPECT_STR(w, "b");
	EXPECT(!strsep(&s, ","));
	strcpy(buf, "  trim me \n");
	EXPECT_STR(strim(buf), "trim me");
	EXPECT(strstr("finding", "ding") && !strstr("find", "ding"));
	EXPECT_EQ(match_string(names, 5, "two"), 1);
	EXPECT_EQ(match_string(names, 5, "six"), -EINVAL);
	EXPECT(sysfs_streq("x\n", "x") && !sysfs_streq("xy", "x"));
	EXPECT(strncasecmp("HELLO", "helpless", 3) == 0 && strcasecmp("a", "B") < 0);
	EXPECT(!strcmp(strrchr("a/b/c", '/'), "/c"));
	EXPECT_EQ(strspn("aabc", "ab"), 3);
}

TEST(blocks)
{
	u8 a[100], b[100];

	for (int round = 0; round < 2000; round++) {
		size_t n = unit_below(sizeof(a)), at = n ? unit_below((u32)n) : 0;

		memset(a, 7, sizeof(a));
		memset(b, 7, sizeof(b));
		EXPECT(!memcmp(a, b, n) && !memchr_inv(a, 7, n));
		if (!n)
			continue;
		b[at] = 9;
		if (memcmp(a, b, n) >= 0 || memcmp(b, a, n) <= 0 || memchr_inv(b, 7, n) != b + at || memchr(b, 9, n) != b + at)
			unit_failed(__FILE__, __LINE__, "memcmp, memchr or memchr_inv");
	}
}
