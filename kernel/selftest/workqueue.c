/*
 * workqueue.c: what a queue of work promises: concurrency, order, flush, cancel, delay, and a rescuer.
 * See: task/workqueue.c, task/workqueue_wait.c; spec.md §4 "workqueues"
 */
#include <weft/completion.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/workqueue.h>
#include "selftest.h"

#define N	40

struct item {
	struct work_struct	work;
	int			number;
};
static struct item items[N];
static struct completion gate, reached;
static int order[N], done;			/* [a] */
static int running, most_running;		/* [a] */

static void note(struct work_struct *work)
{
	order[__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST) % N] = container_of(work, struct item, work)->number;
}

static void note_and_sleep(struct work_struct *work)
{
	int now = __atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST), most = READ_ONCE(most_running);

	while (now > most && !__atomic_compare_exchange_n(&most_running, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	schedule_timeout_uninterruptible(1);
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	note(work);
}

static void wait_at_gate(struct work_struct *work)
{
	complete(&reached);
	wait_for_completion(&gate);
	note(work);
}

static void begin(work_func_t fn)
{
	done = running = most_running = 0;
	memset(order, 0, sizeof(order));
	init_completion(&gate);
	init_completion(&reached);
	for (int i = 0; i < N; i++) {
		INIT_WORK(&items[i].work, fn);
		items[i].number = i;
	}
}

/* An item that sleeps does not hold up the others of its processor. */
SELFTEST(workqueue, blocking_item, 1)
{
	begin(note);
	INIT_WORK(&items[0].work, wait_at_gate);
	selftest_pin(0);
	for (int i = 0; i < N; i++)
		EXPECT(schedule_work_on(0, &items[i].work));
	wait_for_completion(&reached);
	EXPECT_SOON(READ_ONCE(done) == N - 1);
	EXPECT_EQ(work_busy(&items[0].work), WORK_BUSY_RUNNING);
	complete(&gate);
	EXPECT(flush_work(&items[0].work) || done == N);
	EXPECT_EQ(done, N);
	selftest_unpin();
}

/* One at a time, in the order they were queued, whatever they wait for. */
SELFTEST(workqueue, ordered, 1)
{
	struct workqueue_struct *wq = alloc_ordered_workqueue("selftest", 0);

	if (!EXPECT(wq))
		return;
	begin(note_and_sleep);
	for (int i = 0; i < N; i++)
		EXPECT(queue_work(wq, &items[i].work));
	flush_workqueue(wq);
	EXPECT_EQ(done, N);
	EXPECT_EQ(most_running, 1);
	for (int i = 0; i < N; i++)
		EXPECT_EQ(order[i], i);
	destroy_workqueue(wq);
}

SELFTEST(workqueue, max_active, 1)
{
	struct workqueue_struct *wq = alloc_workqueue("selftest", WQ_UNBOUND, 3);

	if (!EXPECT(wq))
		return;
	begin(note_and_sleep);
	for (int i = 0; i < N; i++)
		queue_work(wq, &items[i].work);
	flush_workqueue(wq);
	EXPECT_EQ(done, N);
	EXPECT(most_running >= 2 && most_running <= 3);
	destroy_workqueue(wq);
}

/* Queued twice it runs once; queued while it runs it runs once more; never twice at the same time. */
SELFTEST(workqueue, queued_again, 1)
{
	begin(wait_at_gate);
	EXPECT(schedule_work(&items[0].work));
	wait_for_completion(&reached);
	EXPECT(schedule_work(&items[0].work));
	EXPECT(!schedule_work(&items[0].work));
	EXPECT_EQ(work_busy(&items[0].work), WORK_BUSY_RUNNING | WORK_BUSY_PENDING);
	schedule_timeout_uninterruptible(2);
	EXPECT_EQ(done, 0);
	complete(&gate);
	complete(&gate);
	EXPECT(flush_work(&items[0].work) || done == 2);
	EXPECT_EQ(done, 2);
}

/* flush_workqueue() waits for what was queued before it, drain_workqueue() also for what that queues. */
static struct workqueue_struct *chain_wq;

static void queue_next(struct work_struct *work)
{
	int i = container_of(work, struct item, work)->number;

	schedule_timeout_uninterruptible(1);
	note(work);
	if (i < 7)
		queue_work(chain_wq, &items[i + 1].work);
}

SELFTEST(workqueue, drain, 1)
{
	chain_wq = alloc_workqueue("selftest", 0, 0);
	if (!EXPECT(chain_wq))
		return;
	begin(queue_next);
	queue_work(chain_wq, &items[0].work);
	flush_workqueue(chain_wq);
	EXPECT(READ_ONCE(done) >= 1);
	drain_workqueue(chain_wq);
	EXPECT_EQ(done, 8);
	destroy_workqueue(chain_wq);
}

/* After cancel_work_sync() it neither waits nor runs. */
SELFTEST(workqueue, cancel_sync, 1)
{
	begin(note_and_sleep);
	for (int round = 0; round < 50; round++) {
		schedule_work(&items[0].work);
		if (round & 1)
			yield();
		if (round & 2)
			schedule_timeout_uninterruptible(1);
		cancel_work_sync(&items[0].work);
		EXPECT_EQ(work_busy(&items[0].work), 0);
		EXPECT_EQ(READ_ONCE(running), 0);
	}
	begin(wait_at_gate);
	schedule_work(&items[0].work);
	wait_for_completion(&reached);
	EXPECT(!cancel_work(&items[0].work));	/* it runs: nothing is taken back */
	complete(&gate);
	EXPECT(!cancel_work_sync(&items[0].work));
	EXPECT_EQ(done, 1);
}

static struct delayed_work late;
static unsigned long ran_at;

static void note_time(struct work_struct *work)
{
	WRITE_ONCE(ran_at, jiffies);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

SELFTEST(workqueue, delayed, 1)
{
	unsigned long start = jiffies;

	begin(note);
	INIT_DELAYED_WORK(&late, note_time);
	EXPECT(schedule_delayed_work(&late, 10));
	EXPECT(!schedule_delayed_work(&late, 1));	/* it is pending: the first delay stays */
	EXPECT_SOON(READ_ONCE(done) == 1);
	EXPECT(time_after_eq(ran_at, start + 10));

	/* flush runs it at once; cancel takes it back. */
	schedule_delayed_work(&late, 1000 * HZ);
	EXPECT(flush_delayed_work(&late));
	EXPECT_EQ(done, 2);
	schedule_delayed_work(&late, 1000 * HZ);
	EXPECT(cancel_delayed_work_sync(&late));
	EXPECT(!cancel_delayed_work_sync(&late));
	EXPECT_EQ(done, 2);

	/* mod: an hour becomes ten ticks, and back. */
	EXPECT(!mod_delayed_work(system_wq, &late, 3600 * HZ));
	start = jiffies;
	EXPECT(mod_delayed_work(system_wq, &late, 10));
	EXPECT_SOON(READ_ONCE(done) == 3);
	EXPECT(time_after_eq(ran_at, start + 10));
	EXPECT(!mod_delayed_work(system_wq, &late, 10));
	EXPECT(mod_delayed_work(system_wq, &late, 3600 * HZ));
	schedule_timeout_uninterruptible(20);
	EXPECT_EQ(done, 3);
	EXPECT(cancel_delayed_work_sync(&late));
}

/* The timer fires on one processor while another moves or cancels it: nothing is lost, nothing runs after the cancel. */
SELFTEST(workqueue, delayed_races, 1)
{
	begin(note);
	INIT_DELAYED_WORK(&late, note_time);
	for (int i = 0; i < 200; i++) {
		schedule_delayed_work(&late, 1);
		for (int spin = 0; spin < i % 7; spin++)
			yield();
		mod_delayed_work(system_wq, &late, i & 1);
		if (i % 5 == 0)
			schedule_timeout_uninterruptible(1);
		cancel_delayed_work_sync(&late);
		if (!EXPECT_EQ(work_busy(&late.work), 0))
			break;
	}
}

/* No worker can be made: a queue with WQ_MEM_RECLAIM goes on, by its rescuer; one without waits until there is memory. */
SELFTEST(workqueue, rescuer, 1)
{
	struct workqueue_struct *saved = alloc_workqueue("selftest_saved", WQ_MEM_RECLAIM, 0);
	struct workqueue_struct *poor = alloc_workqueue("selftest_poor", 0, 0);

	if (!EXPECT(saved && poor))
		goto out;
	begin(note);
	for (int i = 0; i < N / 2; i++)
		INIT_WORK(&items[i].work, wait_at_gate);
	workqueue_no_new_workers = true;
	/* These keep every worker that CPU 0 has asleep. */
	for (int i = 0; i < N / 2; i++)
		queue_work_on(0, poor, &items[i].work);
	wait_for_completion(&reached);
	schedule_timeout_uninterruptible(HZ / 5);
	for (int i = N / 2; i < N; i++)
		queue_work_on(0, saved, &items[i].work);
	flush_workqueue(saved);
	EXPECT_EQ(READ_ONCE(done), N / 2);
	workqueue_no_new_workers = false;
	for (int i = 0; i < N / 2; i++)
		complete(&gate);
	flush_workqueue(poor);
	EXPECT_EQ(done, N);
out:
	workqueue_no_new_workers = false;
	if (poor)
		destroy_workqueue(poor);
	if (saved)
		destroy_workqueue(saved);
}
