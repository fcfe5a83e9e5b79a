/*
 * completion.h: "wait until it is done": a counter of what was completed and a queue of who waits for it.
 *
 * Unlike a semaphore it is made for being on the waiter's stack: complete() holds the lock to the end, so that when
 * wait_for_completion() returns nobody touches the structure any more.
 */
#ifndef WEFT_COMPLETION_H
#define WEFT_COMPLETION_H

#include <weft/types.h>
#include <weft/wait.h>

struct completion {
	unsigned int		done;		/* [wait.lock] UINT_MAX: complete_all() */
	struct wait_queue_head	wait;		/* class: one for each init_completion() site */
};

#define COMPLETION_INITIALIZER(work)	{ 0, __WAIT_QUEUE_HEAD_INITIALIZER((work).wait) }
#define DECLARE_COMPLETION(work)	struct completion work = COMPLETION_INITIALIZER(work)
#define DECLARE_COMPLETION_ONSTACK(work) struct completion work; init_completion(&work)

#define init_completion(x) do { (x)->done = 0; init_waitqueue_head(&(x)->wait); } while (0)
static inline void reinit_completion(struct completion *x) { x->done = 0; }

/* May sleep.  Timeouts in jiffies: 0 = time is up, else what is left (>= 1); -ERESTARTSYS on a signal. */
void wait_for_completion(struct completion *x);
void wait_for_completion_io(struct completion *x);
int wait_for_completion_interruptible(struct completion *x);
int wait_for_completion_killable(struct completion *x);
int wait_for_completion_state(struct completion *x, unsigned int state);
unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout);
long wait_for_completion_interruptible_timeout(struct completion *x, unsigned long timeout);
long wait_for_completion_killable_timeout(struct completion *x, unsigned long timeout);
bool try_wait_for_completion(struct completion *x);
bool completion_done(struct completion *x);

/* Any context. */
void complete(struct completion *x);
void complete_all(struct completion *x);

#endif
