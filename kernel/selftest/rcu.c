/*
 * rcu.c: readers against an updater, the order of callbacks, and what rcu_barrier() and synchronize_rcu() wait for.
 * See: locking/rcu.c; spec.md §8
 */
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/kernel.h>
#include <weft/rcu.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include "selftest.h"

#define READERS		4
#define UPDATES		300

/* Two halves that agree as long as the object lives; the end of its life makes them differ. */
struct pair {
	long		a, b;
	struct rcu_head	rcu;
};
static struct pair __rcu *shared;
static int bad, reads, freed;			/* [a] */

static void pair_free(struct rcu_head *head)
{
	struct pair *p = container_of(head, struct pair, rcu);

	WRITE_ONCE(p->b, -1);			/* a reader who still has it will see */
	__atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
	kfree(p);
}

static int reader(void *unused)
{
	while (!kthread_should_stop()) {
		struct pair *p;
		long a;

		rcu_read_lock();
		p = rcu_dereference(shared);
		a = READ_ONCE(p->a);
		for (int i = 0; i < 100; i++)
			if (READ_ONCE(p->b) != -a - 2)
				__atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED);
		rcu_read_unlock();
		__atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
		cond_resched();
	}
	return 0;
}

static struct pair *new_pair(long n)
{
	struct pair *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (EXPECT(p)) {
		p->a = n;
		p->b = -n - 2;
	}
	return p;
}

SELFTEST(rcu, readers_and_updates, 1)
{
	struct task_struct *k[READERS];
	struct pair *old, *p = new_pair(0);

	bad = reads = freed = 0;
	if (!p)
		return;
	shared = p;
	for (int i = 0; i < READERS; i++)
		k[i] = kthread_run(reader, NULL, "selftest_rcu%d", i);
	EXPECT_SOON(READ_ONCE(reads) > READERS);
	for (long n = 1; n <= UPDATES; n++) {
		p = new_pair(n);
		if (!p)
			break;
		old = rcu_replace_pointer(shared, p, true);
		if (n % 32 == 0) {
			synchronize_rcu();
			pair_free(&old->rcu);
		} else {
			call_rcu(&old->rcu, pair_free);
		}
		if (n % 8 == 0)
			yield();
	}
	for (int i = 0; i < READERS; i++)
		if (EXPECT(!IS_ERR(k[i])))
			kthread_stop(k[i]);
	rcu_barrier();
	EXPECT_EQ(freed, UPDATES);
	EXPECT_EQ(bad, 0);
	kfree(shared);
	shared = NULL;
}

#define CALLS	50

static struct numbered {
	struct rcu_head	rcu;
	int		number;
} calls[CALLS];
static int called, out_of_order;		/* [a] */

static void note_call(struct rcu_head *head)
{
	int number = container_of(head, struct numbered, rcu)->number;

	if (__atomic_fetch_add(&called, 1, __ATOMIC_SEQ_CST) != number)
		out_of_order++;
}

/* Callbacks of one processor run in the order they were queued, and rcu_barrier() returns after the last. */
SELFTEST(rcu, order_and_barrier, 1)
{
	called = out_of_order = 0;
	selftest_pin(0);
	for (int i = 0; i < CALLS; i++) {
		calls[i].number = i;
		call_rcu(&calls[i].rcu, note_call);
	}
	rcu_barrier();
	EXPECT_EQ(called, CALLS);
	EXPECT_EQ(out_of_order, 0);
	selftest_unpin();
}

static void call_here(void *unused)
{
	call_rcu(&calls[smp_processor_id()].rcu, note_call);
}

/* The same for those of all processors. */
SELFTEST(rcu, barrier_all_cpus, 2)
{
	for (int round = 0; round < 20; round++) {
		called = 0;
		on_each_cpu(call_here, NULL, 1);
		rcu_barrier();
		EXPECT_EQ(called, num_online_cpus());
	}
}

static bool inside, leave, synchronized;

static int long_reader(void *unused)
{
	unsigned long end = jiffies + WAIT_LIMIT;

	rcu_read_lock();
	WRITE_ONCE(inside, true);
	while (!READ_ONCE(leave) && time_before(jiffies, end))
		cpu_relax();
	EXPECT(!READ_ONCE(synchronized));
	rcu_read_unlock();
	return 0;
}

static int synchronizer(void *unused)
{
	synchronize_rcu();
	WRITE_ONCE(synchronized, true);
	return 0;
}

/* A grace period does not end while a reader that began before it is inside, on another processor. */
SELFTEST(rcu, waits_for_reader, 2)
{
	struct task_struct *r, *s;

	inside = leave = synchronized = false;
	selftest_pin(0);
	r = kthread_run_on_cpu(long_reader, NULL, 1, "selftest_r/%u");
	if (!EXPECT(!IS_ERR(r)))
		goto out;
	EXPECT(SPIN_FOR(READ_ONCE(inside)));
	s = kthread_run_on_cpu(synchronizer, NULL, 0, "selftest_s/%u");
	EXPECT(!IS_ERR(s));
	schedule_timeout_uninterruptible(HZ / 10);
	EXPECT(!READ_ONCE(synchronized));
	WRITE_ONCE(leave, true);
	EXPECT_SOON(READ_ONCE(synchronized));
out:
	selftest_unpin();
}
