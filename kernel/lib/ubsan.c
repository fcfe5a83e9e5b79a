/*
 * ubsan.c: what the compiler calls in debug builds when it meets undefined behaviour.
 *
 * What:    one function for each check of -fsanitize=bounds,shift,object-size,vla-bound,unreachable.  Each prints what
 *          was wrong and where, once for each place, and goes on (except after __builtin_unreachable()).
 * Idea:    gcc passes a structure that names source position and types; its layout is the compiler's.
 * Locking: none; the reported mark in the position is set by an atomic exchange.
 */
#ifdef CONFIG_DEBUG
#include <weft/types.h>
#include <weft/printk.h>
#include <weft/bug.h>

struct source_location {
	const char	*file;
	u32		line;		/* the top bit becomes "reported" */
	u32		column;
};

struct type_descriptor {
	u16		kind;		/* 0 integer */
	u16		info;		/* bit 0 signed, others log2 of the width */
	char		name[];
};

struct shift_data { struct source_location at; struct type_descriptor *lhs, *rhs; };
struct bounds_data { struct source_location at; struct type_descriptor *array, *index; };
struct mismatch_data { struct source_location at; struct type_descriptor *type; u8 log_alignment, kind; };
struct vla_data { struct source_location at; struct type_descriptor *type; };
struct unreachable_data { struct source_location at; };

#define REPORTED	0x80000000u

/* True when this place has not been reported yet. */
static bool first_time(struct source_location *at)
{
	return !(__atomic_fetch_or(&at->line, REPORTED, __ATOMIC_RELAXED) & REPORTED);
}

static long long value_of(const struct type_descriptor *type, void *val)
{
	unsigned int bits = 1u << (type->info >> 1), unused = 64 - bits;

	if (type->kind || bits > 64)
		return 0;
	return type->info & 1 ? (s64)((u64)val << unused) >> unused : (s64)((u64)val << unused >> unused);
}

#define UBSAN_REPORT(at_, fmt, args...) do {									\
	struct source_location *__at = (at_);									\
	if (first_time(__at))											\
		WARN(1, "======= ubsan: %s:%u:%u: " fmt "\n", __at->file, __at->line & ~REPORTED, \
		     __at->column, ##args);						\
} while (0)

void __ubsan_handle_shift_out_of_bounds(struct shift_data *d, void *lhs, void *rhs);
void __ubsan_handle_shift_out_of_bounds(struct shift_data *d, void *lhs, void *rhs)
{
	UBSAN_REPORT(&d->at, "shift of %lld (%s) by %lld", value_of(d->lhs, lhs), d->lhs->name, value_of(d->rhs, rhs));
}

void __ubsan_handle_out_of_bounds(struct bounds_data *d, void *index);
void __ubsan_handle_out_of_bounds(struct bounds_data *d, void *index)
{
	UBSAN_REPORT(&d->at, "index %lld is outside of %s", value_of(d->index, index), d->array->name);
}

void __ubsan_handle_type_mismatch_v1(struct mismatch_data *d, void *ptr);
void __ubsan_handle_type_mismatch_v1(struct mismatch_data *d, void *ptr)
{
	UBSAN_REPORT(&d->at, "%px has no room for %s", ptr, d->type->name);
}

void __ubsan_handle_vla_bound_not_positive(struct vla_data *d, void *bound);
void __ubsan_handle_vla_bound_not_positive(struct vla_data *d, void *bound)
{
	UBSAN_REPORT(&d->at, "array of %lld elements", value_of(d->type, bound));
}

void __ubsan_handle_builtin_unreachable(struct unreachable_data *d);
void __ubsan_handle_builtin_unreachable(struct unreachable_data *d)
{
	UBSAN_REPORT(&d->at, "code that cannot be reached was reached");
	BUG();
}
#endif
