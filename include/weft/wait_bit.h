/*
 * wait_bit.h: waiting for one bit of a word to be cleared (page lock, inode state) or for a variable to change, without
 * a wait queue in each such object: the queues live in a small hash table, keyed by (word, bit).
 *
 * Waker's duty: clear the bit with release order, then a full barrier, then wake_up_bit().  clear_and_wake_up_bit()
 * does all three.  See: kernel/sched/wait_bit.c
 */
#ifndef WEFT_WAIT_BIT_H
#define WEFT_WAIT_BIT_H

#include <weft/wait.h>
#include <weft/bitops.h>
#include <weft/kernel.h>

struct wait_bit_key {
	void		*flags;
	int		bit_nr;
	unsigned long	timeout;	/* jiffies, for bit_wait_timeout() */
};

struct wait_bit_queue_entry {
	struct wait_bit_key	key;
	struct wait_queue_entry	wq_entry;
};

#define __WAIT_BIT_KEY_INITIALIZER(word, bit) { .flags = (void *)(word), .bit_nr = (bit), }

/* Gives the processor away once; non-zero ends the wait with that error. */
typedef int wait_bit_action_f(struct wait_bit_key *key, int mode);

int bit_wait(struct wait_bit_key *key, int mode);
int bit_wait_io(struct wait_bit_key *key, int mode);
int wake_bit_function(struct wait_queue_entry *wq_entry, unsigned int mode, int sync, void *key);

int out_of_line_wait_on_bit(void *word, int bit, wait_bit_action_f *action, unsigned int mode);
int out_of_line_wait_on_bit_lock(void *word, int bit, wait_bit_action_f *action, unsigned int mode);
void wake_up_bit(void *word, int bit);
struct wait_queue_head *bit_waitqueue(void *word, int bit);
struct wait_queue_head *__var_waitqueue(void *p);
void wake_up_var(void *var);
void init_wait_var_entry(struct wait_bit_queue_entry *wbq_entry, void *var, int flags);
void wait_bit_init(void);

#define DEFINE_WAIT_BIT(name, word, bit) struct wait_bit_queue_entry name = {		\
	.key = __WAIT_BIT_KEY_INITIALIZER(word, bit),					\
	.wq_entry = { .private = current, .func = wake_bit_function,			\
		      .entry = LIST_HEAD_INIT((name).wq_entry.entry) } }

/* Sleeps until the bit is clear.  0, or -EINTR when `mode` lets a signal end it. */
static inline int wait_on_bit(unsigned long *word, int bit, unsigned int mode)
{
	might_sleep();
	if (!test_bit_acquire(bit, word))
		return 0;
	return out_of_line_wait_on_bit(word, bit, bit_wait, mode);
}

static inline int wait_on_bit_io(unsigned long *word, int bit, unsigned int mode)
{
	might_sleep();
	if (!test_bit_acquire(bit, word))
		return 0;
	return out_of_line_wait_on_bit(word, bit, bit_wait_io, mode);
}

/* Sleeps until it is this task that sets the bit. */
static inline int wait_on_bit_lock(unsigned long *word, int bit, unsigned int mode)
{
	might_sleep();
	if (!test_and_set_bit(bit, word))
		return 0;
	return out_of_line_wait_on_bit_lock(word, bit, bit_wait, mode);
}

static inline int wait_on_bit_lock_io(unsigned long *word, int bit, unsigned int mode)
{
	might_sleep();
	if (!test_and_set_bit(bit, word))
		return 0;
	return out_of_line_wait_on_bit_lock(word, bit, bit_wait_io, mode);
}

static inline void clear_and_wake_up_bit(int bit, void *word)
{
	clear_bit_unlock(bit, word);
	smp_mb__after_atomic();
	wake_up_bit(word, bit);
}

/* Sleeps until `condition`, which whoever changes *var announces by wake_up_var(var). */
#define wait_var_event_state(var, condition, state) ({					\
	__label__ __out;								\
	long __ret = 0;									\
	struct wait_queue_head *__wq_head = __var_waitqueue(var);			\
	struct wait_bit_queue_entry __wbq_entry;					\
	might_sleep();									\
	if (!(condition)) {								\
		init_wait_var_entry(&__wbq_entry, var, 0);				\
		for (;;) {								\
			long __int = prepare_to_wait_event(__wq_head, &__wbq_entry.wq_entry, (state)); \
			if (condition)							\
				break;							\
			if (___wait_is_interruptible(state) && __int) {			\
				__ret = __int;						\
				goto __out;						\
			}								\
			schedule();							\
		}									\
		finish_wait(__wq_head, &__wbq_entry.wq_entry);				\
	}										\
__out:	(int)__ret;									\
})
#define wait_var_event(var, condition)		(void)wait_var_event_state(var, condition, TASK_UNINTERRUPTIBLE)
#define wait_var_event_killable(var, condition)	wait_var_event_state(var, condition, TASK_KILLABLE)

#endif
