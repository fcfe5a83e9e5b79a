/*
 * waiting.c: wait queues and completions: no wake-up is lost, and one that is for one wakes one.
 *
 * Idea:    two threads play ball through a wait queue many times.  Who looked at the condition before he entered the
 *          queue, or woke before the condition was true, would miss the ball sooner or later, and the game stops: what
 *          wait.h says about the order of the four steps is what is tested.
 * Locking: `turn` is the condition; it is written by whose turn it is.
 * See:     include/weft/wait.h, include/weft/completion.h; spec.md §8
 */
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/wait.h>
#include "selftest.h"

#define ROUNDS	300
#define WAITERS	5

static DECLARE_WAIT_QUEUE_HEAD(queue);
static int turn;				/* whose it is: 0, 1 */
static int rounds[2];
static int woken;				/* [a] waiters that went on */
static int waiting;				/* [a] waiters that are on their way into the queue, or there */

static int player(void *arg)
{
	int me = (int)(long)arg;

	while (READ_ONCE(rounds[me]) < ROUNDS && !kthread_should_stop()) {
		wait_event_interruptible(queue, READ_ONCE(turn) == me || kthread_should_stop());
		WRITE_ONCE(rounds[me], rounds[me] + 1);
		WRITE_ONCE(turn, !me);
		wake_up(&queue);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

SELFTEST(waiting, no_wake_up_is_lost, 1)
{
	struct task_struct *k[2];

	turn = rounds[0] = rounds[1] = 0;
	for (long i = 0; i < 2; i++)
		k[i] = kthread_run(player, (void *)i, "selftest_ball%ld", i);
	EXPECT_SOON(READ_ONCE(rounds[0]) == ROUNDS && READ_ONCE(rounds[1]) == ROUNDS);
	for (int i = 0; i < 2; i++)
		if (EXPECT(!IS_ERR(k[i])))
			kthread_stop(k[i]);
	EXPECT(!waitqueue_active(&queue));
}

/* Goes on when it is woken, whatever for. */
static int sleeper(void *exclusive)
{
	DEFINE_WAIT(wait);

	if (exclusive)
		prepare_to_wait_exclusive(&queue, &wait, TASK_INTERRUPTIBLE);
	else
		prepare_to_wait(&queue, &wait, TASK_INTERRUPTIBLE);
	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	schedule();
	finish_wait(&queue, &wait);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void start_sleepers(struct task_struct **k, int shared)
{
	waiting = woken = 0;
	for (int i = 0; i < WAITERS; i++)
		k[i] = kthread_run(sleeper, i < shared ? NULL : (void *)1L, "selftest_wait%d", i);
	EXPECT_SOON(READ_ONCE(waiting) == WAITERS);
}

static void stop_sleepers(struct task_struct **k)
{
	for (int i = 0; i < WAITERS; i++)
		if (EXPECT(!IS_ERR(k[i])))
			kthread_stop(k[i]);
}

/* A wake-up runs all that share and as many of the exclusive ones as it says. */
SELFTEST(waiting, exclusive_waiters, 1)
{
	struct task_struct *k[WAITERS];

	start_sleepers(k, 2);
	wake_up(&queue);
	EXPECT_SOON(READ_ONCE(woken) == 3);
	wake_up_nr(&queue, 1);
	EXPECT_SOON(READ_ONCE(woken) == 4);
	EXPECT(waitqueue_active(&queue));
	wake_up(&queue);
	EXPECT_SOON(READ_ONCE(woken) == WAITERS);
	EXPECT(!waitqueue_active(&queue));
	wake_up(&queue);
	stop_sleepers(k);
	EXPECT_EQ(woken, WAITERS);
}

SELFTEST(waiting, all_at_once, 1)
{
	struct task_struct *k[WAITERS];

	start_sleepers(k, 0);
	wake_up_all(&queue);
	EXPECT_SOON(READ_ONCE(woken) == WAITERS);
	stop_sleepers(k);
}

SELFTEST(waiting, time_is_up, 1)
{
	EXPECT_EQ(wait_event_timeout(queue, false, 2), 0);
	EXPECT(wait_event_timeout(queue, true, 2) > 0);
	EXPECT(!waitqueue_active(&queue));
}

static struct completion done;

static int complete_waiter(void *unused)
{
	wait_for_completion(&done);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* It counts: what was completed before anybody waited is not lost, and each completion is for one. */
SELFTEST(waiting, completion_counts, 1)
{
	struct task_struct *k[WAITERS];

	init_completion(&done);
	complete(&done);
	complete(&done);
	EXPECT(try_wait_for_completion(&done));
	EXPECT(wait_for_completion_timeout(&done, 2));
	EXPECT(!try_wait_for_completion(&done));
	EXPECT_EQ(wait_for_completion_timeout(&done, 2), 0);

	woken = 0;
	for (int i = 0; i < WAITERS; i++)
		k[i] = kthread_run(complete_waiter, NULL, "selftest_compl%d", i);
	for (int i = 1; i < WAITERS; i++) {
		complete(&done);
		EXPECT_SOON(READ_ONCE(woken) == i);
	}
	complete_all(&done);
	stop_sleepers(k);
	EXPECT_EQ(woken, WAITERS);
	EXPECT(completion_done(&done));
}

/* On the waiter's stack: when the wait is over nobody touches it any more (the debug build's poison would show it). */
static int completes(void *arg)
{
	complete(arg);
	return 0;
}

SELFTEST(waiting, completion_on_the_stack, 1)
{
	for (int i = 0; i < 50; i++) {
		DECLARE_COMPLETION_ONSTACK(here);

		if (!EXPECT(!IS_ERR(kthread_run(completes, &here, "selftest_compl"))))
			return;
		wait_for_completion(&here);
		memset(&here, 0xff, sizeof(here));
	}
}
