/*
 * time_namespace.h: time namespaces: what CLOCK_MONOTONIC and CLOCK_BOOTTIME begin with.
 *
 * Idea:    a namespace has two offsets, which are added to what the clocks tell and taken off absolute times that a program
 *          gives.  They are written before the first task is in it and never again.  Inside the kernel all times are those of
 *          the first namespace; who is in that pays one comparison.
 *          A program reads the time without a system call, from the page [vvar]: a namespace has a page of its own for that
 *          place, which has no clocks but the offsets, and the real one lies behind it.
 * See:     kernel/task/time_namespace.c, kernel/arch/x86/vdso; time_namespaces(7); doc/sandbox.md
 */
#ifndef WEFT_TIME_NAMESPACE_H
#define WEFT_TIME_NAMESPACE_H

#include <weft/ktime.h>
#include <weft/nsproxy.h>
#include <weft/sched.h>
#include <weft/time64.h>
#include <uapi/time.h>

struct page;
struct mm_struct;

struct time_namespace {
	struct ns_common	ns;
	struct user_namespace	*user_ns;	/* [I] it belongs to, + reference */
	struct timespec64	monotonic, boottime;	/* [I] once entered */
	bool			entered;	/* [offsets_mutex] */
	struct page		*vvar;		/* [I] what its tasks see in place of the clocks' page; the first: NULL */
};
extern struct time_namespace init_time_ns;

static inline struct time_namespace *current_time_ns(void)
{
	const struct nsproxy *proxy = current->nsproxy;

	return likely(proxy) ? proxy->time : &init_time_ns;	/* NULL: current exits */
}

/* What a namespace adds to a clock, NULL: nothing. */
static inline const struct timespec64 *time_ns_offset(const struct time_namespace *ns, clockid_t clock)
{
	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		return &ns->monotonic;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return &ns->boottime;
	}
	return NULL;
}

/* A clock's time in the first namespace as the running task sees it. */
static inline void time_ns_add(clockid_t clock, struct timespec64 *ts)
{
	const struct time_namespace *ns = current_time_ns();
	const struct timespec64 *offset;

	if (likely(ns == &init_time_ns))
		return;
	offset = time_ns_offset(ns, clock);
	if (offset)
		*ts = timespec64_add(*ts, *offset);
}

/* An absolute time that the running task gave, in the first namespace. */
static inline ktime_t time_ns_to_host(clockid_t clock, ktime_t t)
{
	const struct time_namespace *ns = current_time_ns();
	const struct timespec64 *offset;

	if (likely(ns == &init_time_ns))
		return t;
	offset = time_ns_offset(ns, clock);
	if (!offset)
		return t;
	t = ktime_add_safe(t, -timespec64_to_ktime(*offset));
	return t < 0 ? 0 : t;
}

/* ---- kernel/task/time_namespace.c ---- */
extern const struct ns_type time_ns_type, time_for_children_ns_type;
struct time_namespace *copy_time_ns(u64 flags, struct user_namespace *user_ns, struct time_namespace *old);
void put_time_ns(struct time_namespace *ns);
/* A task is in proxy->time_for_children from now on, with memory mm (or NULL).  May sleep. */
void time_ns_enter(struct nsproxy *proxy, struct mm_struct *mm);
/* Sets offsets: 0, -EPERM, -EACCES (somebody is in it), -ERANGE. */
int time_ns_set_offsets(const struct cred *opener, struct time_namespace *ns, const struct timespec64 *monotonic,
			const struct timespec64 *boottime);

/* ---- the architecture ---- */
void vdso_fill_time_ns(struct page *page, const struct timespec64 *monotonic, const struct timespec64 *boottime);
void vdso_time_ns_changed(struct mm_struct *mm);	/* its task is in another one: the page has to be looked up anew */

#endif
