/*
 * barriers.c: what atomic operations and memory barriers promise, tried on two processors.
 *
 * Idea:    the litmus tests of the books.  Two threads, each on a processor of its own, meet, do two accesses each, meet again
 *          and look.  store_buffer is what needs smp_mb() on x86 (emulated, it seldom shows), which lets a load pass an
 *          earlier store; the other orders x86 keeps, and the tests see to it that the compiler keeps them as well.
 * Locking: none: that is what is tested.  `arrived` is how the two meet.
 * See:     arch/x86/include/asm/barrier.h; user/lessons/store_buffer.c; doc/synchronisation.md; spec.md §8
 */
#include <weft/atomic.h>
#include <weft/barrier.h>
#include <weft/err.h>
#include <weft/kernel.h>
#include "selftest.h"

#define ROUNDS	3000
#define LONGEST	(HZ / 2)		/* an emulated processor that waits for another one does few rounds */

/* Each on a cache line of its own. */
static struct line { int v; } __attribute__((aligned(128))) x, y, seen[2], arrived[2];
static int rounds, both_missed, stale;		/* written by player 0 */
static bool enough;				/* ... between two meetings */
static bool leave;				/* the other one has not come for long */

static atomic_t counter = ATOMIC_INIT(0);
static atomic_long_t long_counter = ATOMIC_LONG_INIT(0);
static int winners;				/* [a] */

/* Both leave at nearly the same time.  False: the other does not come any more. */
static bool meet(int me, int when)
{
	__atomic_store_n(&arrived[me].v, when, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&arrived[!me].v, __ATOMIC_SEQ_CST) < when) {
		if (READ_ONCE(leave))
			return false;
		cpu_relax();
		cond_resched();
	}
	return true;
}

/* Each writes one and reads the other's: at least one of the two sees the other's write. */
static void store_buffer(int me)
{
	WRITE_ONCE(*(me ? &y.v : &x.v), 1);
	smp_mb();
	seen[me].v = READ_ONCE(*(me ? &x.v : &y.v));
}

/* One publishes x by y: who sees y sees x. */
static void message(int me)
{
	if (!me) {
		WRITE_ONCE(x.v, 1);
		smp_store_release(&y.v, 1);
		seen[0].v = 1;
	} else {
		bool published = smp_load_acquire(&y.v);

		seen[1].v = published ? READ_ONCE(x.v) : 1;
	}
}

/* The same with the older pair of barriers. */
static void message_by_barriers(int me)
{
	if (!me) {
		WRITE_ONCE(x.v, 1);
		smp_wmb();
		WRITE_ONCE(y.v, 1);
		seen[0].v = 1;
	} else {
		bool published = READ_ONCE(y.v);

		smp_rmb();
		seen[1].v = published ? READ_ONCE(x.v) : 1;
	}
}

struct player {
	int	me;
	void	(*step)(int me);
	bool	done;
};

static int play(void *arg)
{
	struct player *p = arg;
	unsigned long end = jiffies + LONGEST;

	for (int n = 0; !READ_ONCE(enough); n++) {
		if (!p->me)
			x.v = y.v = 0;
		if (!meet(p->me, 3 * n + 1))
			break;
		p->step(p->me);
		if (!meet(p->me, 3 * n + 2))
			break;
		if (!p->me) {
			both_missed += !seen[0].v && !seen[1].v;
			stale += !seen[1].v;
			rounds = n + 1;
			WRITE_ONCE(enough, rounds == ROUNDS || time_after(jiffies, end));
		}
		if (!meet(p->me, 3 * n + 3))
			break;
	}
	WRITE_ONCE(p->done, true);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void litmus(void (*step)(int))
{
	struct player p[2] = { { .me = 0, .step = step }, { .me = 1, .step = step } };
	struct task_struct *k[2];

	rounds = both_missed = stale = arrived[0].v = arrived[1].v = 0;
	enough = leave = false;
	for (int i = 0; i < 2; i++) {
		k[i] = kthread_create(play, &p[i], "selftest_litmus%d", i);
		if (!EXPECT(!IS_ERR(k[i])))
			return;
		kthread_bind(k[i], i ? cpumask_next(0, cpu_online_mask) : 0);
	}
	for (int i = 0; i < 2; i++)
		wake_up_process(k[i]);
	EXPECT_SOON(READ_ONCE(p[0].done) && READ_ONCE(p[1].done));
	WRITE_ONCE(leave, true);
	for (int i = 0; i < 2; i++)
		kthread_stop(k[i]);
}

SELFTEST(barriers, store_buffer, 2)
{
	litmus(store_buffer);
	EXPECT_EQ(both_missed, 0);
}

SELFTEST(barriers, message_by_release, 2)
{
	litmus(message);
	EXPECT_EQ(stale, 0);
}

SELFTEST(barriers, message_by_barriers, 2)
{
	litmus(message_by_barriers);
	EXPECT_EQ(stale, 0);
}

/* Both count at once; of each pair of exchanges one finds the old value. */
static void count(int me)
{
	atomic_inc(&counter);
	atomic_long_add(me ? 2 : 1, &long_counter);
	if (atomic_cmpxchg(&counter, -1, 0) == -1 || xchg(&y.v, 1) == 0)
		__atomic_add_fetch(&winners, 1, __ATOMIC_RELAXED);
	seen[me].v = 1;
}

SELFTEST(barriers, atomics, 2)
{
	atomic_set(&counter, 0);
	atomic_long_set(&long_counter, 0);
	winners = 0;
	litmus(count);
	EXPECT_EQ(atomic_read(&counter), 2 * rounds);
	EXPECT_EQ(atomic_long_read(&long_counter), 3 * rounds);
	EXPECT_EQ(winners, rounds);
}
