/*
 * timer.h: the timer wheel: timeouts in jiffies that are usually cancelled before they fire.  Adding and removing cost a
 * few instructions; far-off timers fire late by up to 1/8 of their length (see kernel/time/timer.c).
 *
 * Functions run in softirq context on the CPU that holds the timer.
 * Locking: the wheel's lock (irq) guards its buckets and the timers in them; timer->flags names the CPU.
 */
#ifndef WEFT_TIMER_H
#define WEFT_TIMER_H

#include <weft/list.h>
#include <weft/ktime.h>
#include <weft/jiffies.h>
#include <weft/lockdep.h>

struct timer_list {
	struct hlist_node	entry;		/* [wheel lock] in a bucket when pprev != NULL */
	unsigned long		expires;	/* jiffies */
	void			(*function)(struct timer_list *);
	u32			flags;		/* [wheel lock] CPU, TIMER_*, and the bucket's index */
};

#define TIMER_CPUMASK		0x0003ffff
#define TIMER_MIGRATING		0x00040000	/* between two wheels: spin until it is gone */
#define TIMER_DEFERRABLE	0x00080000	/* accepted; treated as any other */
#define TIMER_PINNED		0x00100000
#define TIMER_IRQSAFE		0x00200000	/* the function runs with interrupts off */
#define TIMER_ARRAYSHIFT	22
#define TIMER_ARRAYMASK		0xffc00000

#define __TIMER_INITIALIZER(_function, _flags) {					\
	.entry = { .next = NULL, .pprev = NULL }, .function = (_function), .flags = (_flags) }
#define DEFINE_TIMER(_name, _function) struct timer_list _name = __TIMER_INITIALIZER(_function, 0)

void timer_setup(struct timer_list *timer, void (*func)(struct timer_list *), unsigned int flags);
#define timer_setup_on_stack(timer, func, flags) timer_setup(timer, func, flags)
static inline void destroy_timer_on_stack(struct timer_list *timer) { }
#define from_timer(var, callback_timer, timer_fieldname) \
	container_of(callback_timer, typeof(*var), timer_fieldname)

static inline int timer_pending(const struct timer_list *timer)
{
	return READ_ONCE(timer->entry.pprev) != NULL;
}

/* Any context.  mod_timer: 1 if it was pending.  del_timer*: 1 if it was pending, 0 if not. */
void add_timer(struct timer_list *timer);
void add_timer_on(struct timer_list *timer, int cpu);
int mod_timer(struct timer_list *timer, unsigned long expires);
int mod_timer_pending(struct timer_list *timer, unsigned long expires);
int timer_reduce(struct timer_list *timer, unsigned long expires);
int del_timer(struct timer_list *timer);
#define timer_delete(t) del_timer(t)
/* -1 when the function runs just now. */
int try_to_del_timer_sync(struct timer_list *timer);
/* Waits until the function has ended.  Not from the function itself, not with a lock that it takes. */
int del_timer_sync(struct timer_list *timer);
#define timer_delete_sync(t) del_timer_sync(t)
#define timer_shutdown_sync(t) del_timer_sync(t)

void timers_init(void);
void run_local_timers(void);			/* from the tick: raises TIMER_SOFTIRQ when something is due */
u64 get_next_timer_interrupt(unsigned long basej, u64 basem);	/* ns of the next bucket, KTIME_MAX: none */
void msleep(unsigned int msecs);
unsigned long msleep_interruptible(unsigned int msecs);
void usleep_range(unsigned long min, unsigned long max);

#endif
