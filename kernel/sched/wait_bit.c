/*
 * wait_bit.c: waiting for a bit of a word, or for a variable, in hashed wait queues: no queue in each page or inode.
 *
 * Idea:    256 wait queues; (word, bit) is hashed to one.  Different things may share a queue, so an entry knows what it
 *          waits for and lets other wake-ups pass.
 * Locking: the queue's lock, as in wait.c.
 * See:     wait_bit.h for the waker's duty
 */
#include <weft/hash.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/wait_bit.h>

#define WAIT_TABLE_BITS	8

static struct wait_queue_head bit_wait_table[1 << WAIT_TABLE_BITS];

struct wait_queue_head *bit_waitqueue(void *word, int bit)
{
	return &bit_wait_table[hash_long(((unsigned long)word << 6) | (unsigned int)bit, WAIT_TABLE_BITS)];
}

int wake_bit_function(struct wait_queue_entry *wq_entry, unsigned int mode, int sync, void *arg)
{
	struct wait_bit_queue_entry *wait = container_of(wq_entry, struct wait_bit_queue_entry, wq_entry);
	struct wait_bit_key *key = arg;

	if (wait->key.flags != key->flags || wait->key.bit_nr != key->bit_nr || test_bit(key->bit_nr, key->flags))
		return 0;
	return autoremove_wake_function(wq_entry, mode, sync, key);
}

int out_of_line_wait_on_bit(void *word, int bit, wait_bit_action_f *action, unsigned int mode)
{
	struct wait_queue_head *wq_head = bit_waitqueue(word, bit);
	DEFINE_WAIT_BIT(wait, word, bit);
	int ret = 0;

	do {
		prepare_to_wait(wq_head, &wait.wq_entry, (int)mode);
		if (test_bit(bit, word))
			ret = action(&wait.key, (int)mode);
	} while (test_bit_acquire(bit, word) && !ret);
	finish_wait(wq_head, &wait.wq_entry);
	return ret;
}

int out_of_line_wait_on_bit_lock(void *word, int bit, wait_bit_action_f *action, unsigned int mode)
{
	struct wait_queue_head *wq_head = bit_waitqueue(word, bit);
	DEFINE_WAIT_BIT(wait, word, bit);
	int ret = 0;

	for (;;) {
		prepare_to_wait_exclusive(wq_head, &wait.wq_entry, (int)mode);
		if (test_bit(bit, word)) {
			ret = action(&wait.key, (int)mode);
			/* We may have taken the one wake-up that an unlock gives: then the bit is free and we must try. */
			if (ret)
				finish_wait(wq_head, &wait.wq_entry);
		}
		if (!test_and_set_bit(bit, word)) {
			if (!ret)
				finish_wait(wq_head, &wait.wq_entry);
			return 0;
		}
		if (ret)
			return ret;
	}
}

void wake_up_bit(void *word, int bit)
{
	struct wait_queue_head *wq_head = bit_waitqueue(word, bit);
	struct wait_bit_key key = __WAIT_BIT_KEY_INITIALIZER(word, bit);

	if (waitqueue_active(wq_head))
		__wake_up(wq_head, TASK_NORMAL, 1, &key);
}

int bit_wait(struct wait_bit_key *key, int mode)
{
	schedule();
	return signal_pending_state((unsigned int)mode, current) ? -EINTR : 0;
}

int bit_wait_io(struct wait_bit_key *key, int mode)
{
	io_schedule();
	return signal_pending_state((unsigned int)mode, current) ? -EINTR : 0;
}

/* ---- a variable: bit -1 of it ---- */

struct wait_queue_head *__var_waitqueue(void *p)
{
	return &bit_wait_table[hash_ptr(p, WAIT_TABLE_BITS)];
}

static int var_wake_function(struct wait_queue_entry *wq_entry, unsigned int mode, int sync, void *arg)
{
	struct wait_bit_queue_entry *wait = container_of(wq_entry, struct wait_bit_queue_entry, wq_entry);
	struct wait_bit_key *key = arg;

	if (wait->key.flags != key->flags || wait->key.bit_nr != key->bit_nr)
		return 0;
	return autoremove_wake_function(wq_entry, mode, sync, key);
}

void init_wait_var_entry(struct wait_bit_queue_entry *wbq_entry, void *var, int flags)
{
	*wbq_entry = (struct wait_bit_queue_entry){
		.key = { .flags = var, .bit_nr = -1 },
		.wq_entry = { .flags = (unsigned int)flags, .private = current, .func = var_wake_function,
			      .entry = LIST_HEAD_INIT(wbq_entry->wq_entry.entry) },
	};
}

void wake_up_var(void *var)
{
	struct wait_queue_head *wq_head = __var_waitqueue(var);
	struct wait_bit_key key = __WAIT_BIT_KEY_INITIALIZER(var, -1);

	if (waitqueue_active(wq_head))
		__wake_up(wq_head, TASK_NORMAL, 0, &key);
}

void wait_bit_init(void)
{
	for (int i = 0; i < 1 << WAIT_TABLE_BITS; i++)
		init_waitqueue_head(&bit_wait_table[i]);
}
