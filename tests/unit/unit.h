/*
 * unit.h: writing unit tests.
 *
 * TEST(name) { ... } is found and run by itself.  EXPECT and its family report and go on; a test with a failed EXPECT,
 * or one that ends with more memory allocated than it began with, has failed.
 */
#ifndef UNIT_H
#define UNIT_H

#include <weft/types.h>
#include <weft/kernel.h>
#include <weft/string.h>

struct unit_test {
	const char		*name;
	void			(*run)(void);
	struct unit_test	*next;
};
void unit_register(struct unit_test *test);
void unit_failed(const char *file, int line, const char *what);

#define TEST(fn)								\
	static void fn(void);							\
	static void __attribute__((constructor)) register_##fn(void)		\
	{									\
		static struct unit_test test = { .name = #fn, .run = fn };	\
										\
		unit_register(&test);						\
	}									\
	static void fn(void)

#define EXPECT(cond)	do { if (!(cond)) unit_failed(__FILE__, __LINE__, #cond); } while (0)
#define EXPECT_EQ(a, b)	do {							\
	long long __ea = (long long)(a), __eb = (long long)(b);			\
	char __text[200];							\
	if (__ea != __eb) {							\
		snprintf(__text, sizeof(__text), "%s is %lld, not %s = %lld", #a, __ea, #b, __eb); \
		unit_failed(__FILE__, __LINE__, __text);			\
	}									\
} while (0)
#define EXPECT_STR(a, b) do {							\
	const char *__sa = (a), *__sb = (b);					\
	char __text[400];							\
	if (strcmp(__sa, __sb)) {						\
		snprintf(__text, sizeof(__text), "'%s', not '%s'", __sa, __sb);	\
		unit_failed(__FILE__, __LINE__, __text);			\
	}									\
} while (0)

/* The same numbers in every run, and from every test's start. */
u64 unit_random(void);
static inline u32 unit_below(u32 n) { return (u32)(unit_random() % n); }

/* shim.c: the next allocations succeed, then all fail; -1: all succeed. */
extern int unit_alloc_budget;
/* Runs what call_rcu() has put off: the end of a grace period. */
void unit_grace_period(void);

/* host.c: the C library's own, for comparison. */
int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
void *host_alloc(size_t size);
void host_free(void *p);
void host_print(const char *text);
void host_abort(void) __noreturn;

#endif
