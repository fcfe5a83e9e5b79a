/*
 * bug.h: what to say when an invariant is broken.
 *
 * BUG:     cannot go on: report, back trace, panic.  For broken invariants only, never for what a user can cause.
 * WARN:    can go on: report and back trace; the value of WARN_ON(c) is c, so it can guard a bail-out.
 * VM_BUG_ON and friends exist in debug builds only.
 */
#ifndef WEFT_BUG_H
#define WEFT_BUG_H

#include <weft/compiler.h>
#include <weft/types.h>

/* lib/bug.c */
void __bug(const char *file, int line) __noreturn __cold;
void __warn_at(const char *file, int line) __cold;
void __warn_fmt(const char *file, int line, const char *fmt, ...) __cold __printf(3, 4);

#define BUG()			__bug(__FILE__, __LINE__)
#define BUG_ON(cond)		do { if (unlikely(cond)) BUG(); } while (0)

#define WARN_ON(cond) ({				\
	bool __warned_on = !!(cond);			\
	if (unlikely(__warned_on))			\
		__warn_at(__FILE__, __LINE__);		\
	unlikely(__warned_on); })
#define WARN(cond, fmt...) ({				\
	bool __warned_on = !!(cond);			\
	if (unlikely(__warned_on))			\
		__warn_fmt(__FILE__, __LINE__, fmt);	\
	unlikely(__warned_on); })
#define WARN_ON_ONCE(cond) ({				\
	static bool __already_warned;			\
	bool __warned_on = !!(cond);			\
	if (unlikely(__warned_on && !__already_warned)) {	\
		__already_warned = true;		\
		__warn_at(__FILE__, __LINE__);		\
	}						\
	unlikely(__warned_on); })
#define WARN_ONCE(cond, fmt...) ({			\
	static bool __already_warned;			\
	bool __warned_on = !!(cond);			\
	if (unlikely(__warned_on && !__already_warned)) {	\
		__already_warned = true;		\
		__warn_fmt(__FILE__, __LINE__, fmt);	\
	}						\
	unlikely(__warned_on); })

#define BUILD_BUG_ON(cond)	_Static_assert(!(cond), "BUILD_BUG_ON: " #cond)
#define BUILD_BUG_ON_MSG(cond, msg) _Static_assert(!(cond), msg)
#define BUILD_BUG_ON_ZERO(e)	((int)sizeof(struct { int : (-!!(e)); }))

#ifdef CONFIG_DEBUG
#define VM_BUG_ON(cond)		BUG_ON(cond)
#define VM_WARN_ON(cond)	WARN_ON(cond)
#define VM_WARN_ON_ONCE(cond)	WARN_ON_ONCE(cond)
#define DEBUG_ASSERT(cond)	BUG_ON(!(cond))
#else
#define VM_BUG_ON(cond)		((void)sizeof(!!(cond)))
#define VM_WARN_ON(cond)	((void)sizeof(!!(cond)))
#define VM_WARN_ON_ONCE(cond)	((void)sizeof(!!(cond)))
#define DEBUG_ASSERT(cond)	((void)sizeof(!!(cond)))
#endif
#define VM_BUG_ON_PAGE(cond, page)	VM_BUG_ON(cond)
#define VM_BUG_ON_VMA(cond, vma)	VM_BUG_ON(cond)
#define VM_BUG_ON_MM(cond, mm)		VM_BUG_ON(cond)

#endif
