/*
 * capability.h: sets of capabilities, and the question whether the running task has one.
 */
#ifndef WEFT_CAPABILITY_H
#define WEFT_CAPABILITY_H

#include <weft/types.h>
#include <uapi/capability.h>

struct task_struct;

typedef struct kernel_cap {
	u64 val;
} kernel_cap_t;

#define CAP_VALID_MASK		((1ULL << (CAP_LAST_CAP + 1)) - 1)
#define CAP_EMPTY_SET		((kernel_cap_t){ 0 })
#define CAP_FULL_SET		((kernel_cap_t){ CAP_VALID_MASK })
#define CAP_BIT(cap)		(1ULL << (cap))
#define cap_bits(c)		((unsigned long long)(c).val)
#define cap_raised(c, flag)	(((c).val & CAP_BIT(flag)) != 0)
#define cap_raise(c, flag)	((c).val |= CAP_BIT(flag))
#define cap_lower(c, flag)	((c).val &= ~CAP_BIT(flag))
#define cap_clear(c)		((c).val = 0)
static inline kernel_cap_t cap_combine(kernel_cap_t a, kernel_cap_t b) { return (kernel_cap_t){ a.val | b.val }; }
static inline kernel_cap_t cap_intersect(kernel_cap_t a, kernel_cap_t b) { return (kernel_cap_t){ a.val & b.val }; }
static inline kernel_cap_t cap_drop(kernel_cap_t a, kernel_cap_t b) { return (kernel_cap_t){ a.val & ~b.val }; }
static inline bool cap_issubset(kernel_cap_t a, kernel_cap_t set) { return !(a.val & ~set.val); }
static inline bool cap_isclear(kernel_cap_t a) { return !a.val; }

/* Those that decide about files: dropped and raised with fsuid. */
#define CAP_FS_SET	((kernel_cap_t){ CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_DAC_OVERRIDE) |		\
			 CAP_BIT(CAP_DAC_READ_SEARCH) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) |		\
			 CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE) })

bool capable(int cap);				/* the running task; notes its use in PF_SUPERPRIV */
bool has_capability(struct task_struct *t, int cap);	/* its objective credentials */
#define has_capability_noaudit(t, cap) has_capability(t, cap)
#define capable_noaudit(cap) capable(cap)

#endif
