/*
 * semaphore.h: the counting semaphore: down() takes one of `count`, up() gives one back, from any task or interrupt.
 * First come, first served: up() hands its unit to the first waiter directly.  For mutual exclusion use struct mutex.
 */
#ifndef WEFT_SEMAPHORE_H
#define WEFT_SEMAPHORE_H

#include <weft/list.h>
#include <weft/spinlock.h>

struct semaphore {
	spinlock_t		lock;		/* class: semaphore */
	unsigned int		count;		/* [lock] */
	struct list_head	wait_list;	/* [lock] */
};

#define __SEMAPHORE_INITIALIZER(name, n) {						\
	.lock = __SPIN_LOCK_UNLOCKED((name).lock), .count = (n), .wait_list = LIST_HEAD_INIT((name).wait_list) }
#define DEFINE_SEMAPHORE(name) struct semaphore name = __SEMAPHORE_INITIALIZER(name, 1)

#define sema_init(sem, val) do {							\
	spin_lock_init(&(sem)->lock);							\
	(sem)->count = (val);								\
	INIT_LIST_HEAD(&(sem)->wait_list);						\
} while (0)

/* May sleep.  -EINTR when a signal (a fatal one) came; down_timeout: -ETIME, jiffies. */
void down(struct semaphore *sem);
int down_interruptible(struct semaphore *sem);
int down_killable(struct semaphore *sem);
int down_timeout(struct semaphore *sem, long jiffies);
int down_trylock(struct semaphore *sem);	/* 0 = taken, 1 = not (as POSIX' opposite, kept from Linux); any context */
void up(struct semaphore *sem);			/* any context */

#endif
