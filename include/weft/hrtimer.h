/*
 * hrtimer.h: timers of nanosecond resolution.
 *
 * Idea:    each CPU has a red-black tree for each clock (monotonic, realtime, boottime, tai), by expiry.  The earliest of
 *          all programs the CPU's one-shot timer device.  Functions run in hard interrupt context on the CPU that the
 *          timer was started on, with no lock of ours held.
 * Locking: the CPU base's lock (irq) guards trees and states.  timer->base says which; it moves only under the old base's
 *          lock (see lock_hrtimer_base() in kernel/time/hrtimer.c).  Lock order: callers' locks -> hrtimer base -> nothing
 *          (the rq lock may be held by the caller, never taken inside).
 * See:     spec.md §1 "interrupts and time"; doc/time.md
 */
#ifndef WEFT_HRTIMER_H
#define WEFT_HRTIMER_H

#include <weft/types.h>
#include <weft/ktime.h>
#include <weft/rbtree.h>
#include <weft/timekeeping.h>

struct task_struct;
struct hrtimer_clock_base;
struct restart_block;

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };

enum hrtimer_mode {
	HRTIMER_MODE_ABS	= 0x00,
	HRTIMER_MODE_REL	= 0x01,
	HRTIMER_MODE_PINNED	= 0x02,		/* all timers stay on the CPU that starts them; accepted for readability */
	HRTIMER_MODE_SOFT	= 0x04,		/* as HARD here: functions are short */
	HRTIMER_MODE_HARD	= 0x08,
	HRTIMER_MODE_ABS_PINNED	= HRTIMER_MODE_ABS | HRTIMER_MODE_PINNED,
	HRTIMER_MODE_REL_PINNED	= HRTIMER_MODE_REL | HRTIMER_MODE_PINNED,
	HRTIMER_MODE_ABS_SOFT	= HRTIMER_MODE_ABS | HRTIMER_MODE_SOFT,
	HRTIMER_MODE_REL_SOFT	= HRTIMER_MODE_REL | HRTIMER_MODE_SOFT,
	HRTIMER_MODE_ABS_HARD	= HRTIMER_MODE_ABS | HRTIMER_MODE_HARD,
	HRTIMER_MODE_REL_HARD	= HRTIMER_MODE_REL | HRTIMER_MODE_HARD,
	HRTIMER_MODE_ABS_PINNED_HARD = HRTIMER_MODE_ABS_PINNED | HRTIMER_MODE_HARD,
};

struct hrtimer {
	struct rb_node			node;		/* [base lock] */
	ktime_t				expires;	/* on the base's clock [base lock while queued] */
	enum hrtimer_restart		(*function)(struct hrtimer *);
	struct hrtimer_clock_base	*base;		/* [base lock] */
	bool				queued;		/* [base lock] */
	bool				is_rel;
};

/* A sleeping task behind a timer: task becomes NULL when the timer fired. */
struct hrtimer_sleeper {
	struct hrtimer		timer;
	struct task_struct	*task;
};

void hrtimers_init(void);			/* the boot CPU; others by hrtimers_prepare_cpu() */
int hrtimers_prepare_cpu(unsigned int cpu);

void hrtimer_init(struct hrtimer *timer, clockid_t which_clock, enum hrtimer_mode mode);
static inline void hrtimer_init_on_stack(struct hrtimer *timer, clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
}
static inline void destroy_hrtimer_on_stack(struct hrtimer *timer) { }

/* (Re)starts on this CPU; `delta_ns` of slack is accepted and not used.  Any context. */
void hrtimer_start_range_ns(struct hrtimer *timer, ktime_t tim, u64 delta_ns, enum hrtimer_mode mode);
static inline void hrtimer_start(struct hrtimer *timer, ktime_t tim, enum hrtimer_mode mode)
{
	hrtimer_start_range_ns(timer, tim, 0, mode);
}

/* 1 if it was queued, 0 if not; try_to_cancel: -1 when its function runs just now; cancel waits for that. */
int hrtimer_cancel(struct hrtimer *timer);
int hrtimer_try_to_cancel(struct hrtimer *timer);
void hrtimer_cancel_wait_running(const struct hrtimer *timer);

static inline void hrtimer_set_expires(struct hrtimer *timer, ktime_t time) { timer->expires = time; }
static inline void hrtimer_set_expires_range_ns(struct hrtimer *timer, ktime_t time, u64 delta) { timer->expires = time; }
static inline void hrtimer_add_expires(struct hrtimer *timer, ktime_t time)
{
	timer->expires = ktime_add_safe(timer->expires, time);
}
static inline void hrtimer_add_expires_ns(struct hrtimer *timer, u64 ns)
{
	timer->expires = ktime_add_safe(timer->expires, ns);
}
static inline ktime_t hrtimer_get_expires(const struct hrtimer *timer) { return timer->expires; }
static inline s64 hrtimer_get_expires_ns(const struct hrtimer *timer) { return timer->expires; }
#define hrtimer_get_softexpires(t) hrtimer_get_expires(t)
static inline bool hrtimer_is_queued(struct hrtimer *timer) { return READ_ONCE(timer->queued); }
ktime_t hrtimer_cb_get_time(const struct hrtimer *timer);		/* now, on the timer's clock */
static inline ktime_t hrtimer_expires_remaining(const struct hrtimer *timer)
{
	return ktime_sub(timer->expires, hrtimer_cb_get_time(timer));
}
ktime_t __hrtimer_get_remaining(const struct hrtimer *timer, bool adjust);
static inline ktime_t hrtimer_get_remaining(const struct hrtimer *timer) { return __hrtimer_get_remaining(timer, false); }
/* Queued, or its function runs. */
bool hrtimer_active(const struct hrtimer *timer);
bool hrtimer_callback_running(struct hrtimer *timer);

static inline void hrtimer_start_expires(struct hrtimer *timer, enum hrtimer_mode mode)
{
	hrtimer_start_range_ns(timer, timer->expires, 0, mode & ~HRTIMER_MODE_REL);
}
static inline void hrtimer_restart(struct hrtimer *timer) { hrtimer_start_expires(timer, HRTIMER_MODE_ABS); }

/* Moves the expiry past `now` by whole intervals; returns how many (the overruns + 1).  Not while queued. */
u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval);
static inline u64 hrtimer_forward_now(struct hrtimer *timer, ktime_t interval)
{
	return hrtimer_forward(timer, hrtimer_cb_get_time(timer), interval);
}

/* Sleeping.  rqtp is relative or absolute by mode; leaves the rest for restart_syscall.  0, -ERESTART_RESTARTBLOCK. */
long hrtimer_nanosleep(ktime_t rqtp, enum hrtimer_mode mode, clockid_t clockid);
int nanosleep_copyout(struct restart_block *restart, struct timespec64 *ts);
void hrtimer_init_sleeper(struct hrtimer_sleeper *sl, clockid_t clock_id, enum hrtimer_mode mode);
#define hrtimer_init_sleeper_on_stack(sl, clock, mode) hrtimer_init_sleeper(sl, clock, mode)
void hrtimer_sleeper_start_expires(struct hrtimer_sleeper *sl, enum hrtimer_mode mode);
/* State must be set before.  NULL expiry: no limit.  0 = time is up, -EINTR = woken before. */
int schedule_hrtimeout_range(ktime_t *expires, u64 delta, const enum hrtimer_mode mode);
int schedule_hrtimeout_range_clock(ktime_t *expires, u64 delta, const enum hrtimer_mode mode, clockid_t clock_id);
int schedule_hrtimeout(ktime_t *expires, const enum hrtimer_mode mode);

/* From the timer device and the clock. */
struct clock_event_device;
void hrtimer_interrupt(struct clock_event_device *dev);
u64 hrtimer_get_next_event(void);		/* earliest expiry on this CPU, monotonic ns, KTIME_MAX: none */
u64 hrtimer_next_event_without(const struct hrtimer *exclude);
void clock_was_set(void);			/* realtime jumped: all CPUs look at their timers again; may sleep */
void timerfd_clock_was_set(void);		/* fs/timerfd.c */

#endif
