/*
 * lockdep.c: what the lock checker must notice: each fault is made once, without the deadlock that it might lead to.
 *
 * Idea:    a trap catches the report (lockdep_test.h).  A case makes the fault, and beside it what looks alike but is right,
 *          which must not be reported.
 * Locking: each case has locks of its own: an order that was seen once is known for good.
 * See:     locking/lockdep.c; doc/locking.md; spec.md §8 "owner checks and a lock-order checker"
 */
#ifdef CONFIG_DEBUG
#include <weft/kernel.h>
#include <weft/lockdep_test.h>
#include <weft/mutex.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include "selftest.h"

static struct lockdep_trap trap;

static void set_trap(void)
{
	trap = (struct lockdep_trap){ .task = current };
	lockdep_set_trap(&trap);
}

/* Ends the case: was it this, and nothing else?  NULL: nothing at all. */
static void expect_report(const char *what)
{
	lockdep_set_trap(NULL);
	EXPECT_EQ(trap.reports, what != NULL);
	if (what && trap.what)
		EXPECT(strstr(trap.what, what));
}

static void take_both(struct mutex *first, struct mutex *second)
{
	mutex_lock(first);
	mutex_lock(second);
	mutex_unlock(second);
	mutex_unlock(first);
}

SELFTEST(lockdep, order_of_two, 1)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	set_trap();
	take_both(&a, &b);
	take_both(&a, &b);
	expect_report(NULL);
	set_trap();
	take_both(&b, &a);
	expect_report("different orders");
}

SELFTEST(lockdep, circle_of_three, 1)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);
	static DEFINE_MUTEX(c);

	set_trap();
	take_both(&a, &b);
	take_both(&b, &c);
	take_both(&a, &c);
	expect_report(NULL);
	set_trap();
	take_both(&c, &a);
	expect_report("different orders");
}

/* A lock that is only tried for makes nobody wait: no order comes of it. */
SELFTEST(lockdep, trylock_makes_no_order, 1)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	set_trap();
	take_both(&a, &b);
	mutex_lock(&b);
	if (EXPECT(mutex_trylock(&a)))
		mutex_unlock(&a);
	mutex_unlock(&b);
	expect_report(NULL);
}

/* Two locks made at one place are of one class: which is taken first is chance, unless the second is said to be nested. */
SELFTEST(lockdep, two_of_a_class, 1)
{
	static struct mutex two[2];

	for (int i = 0; i < 2; i++)
		mutex_init(&two[i]);
	set_trap();
	mutex_lock(&two[0]);
	mutex_lock_nested(&two[1], SINGLE_DEPTH_NESTING);
	mutex_unlock(&two[1]);
	mutex_unlock(&two[0]);
	expect_report(NULL);
	set_trap();
	take_both(&two[0], &two[1]);
	expect_report("held already");
}

struct stranger {
	struct mutex	*lock;
	unsigned int	reports;
	bool		done;
};

/* Gives back what another task has taken: only the checker is told, or the mutex would really be free. */
static int give_back(void *arg)
{
	struct stranger *s = arg;

	set_trap();
	lock_release(&s->lock->dep_map, _THIS_IP_);
	lockdep_set_trap(NULL);
	s->reports = trap.reports;
	WRITE_ONCE(s->done, true);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

SELFTEST(lockdep, given_back_by_a_stranger, 1)
{
	static DEFINE_MUTEX(a);
	struct stranger s = { .lock = &a };
	struct task_struct *k;

	mutex_lock(&a);
	k = kthread_run(give_back, &s, "selftest_dep");
	EXPECT_SOON(READ_ONCE(s.done));
	kthread_stop(k);
	EXPECT_EQ(s.reports, 1);
	mutex_unlock(&a);
}

static void take_in_interrupt(void *lock) __no_context_analysis	/* what is a constant there is a pointer here */
{
	spin_lock((spinlock_t *)lock);
	spin_unlock((spinlock_t *)lock);
}

/* An interrupt that comes while its processor holds the lock would wait for ever. */
SELFTEST(lockdep, interrupts_on, 2)
{
	static DEFINE_SPINLOCK(spin);
	unsigned int other = cpumask_next(0, cpu_online_mask);

	selftest_pin(0);
	set_trap();
	smp_call_function_single((int)other, take_in_interrupt, &spin, 1);
	spin_lock_irq(&spin);
	spin_unlock_irq(&spin);
	expect_report(NULL);
	set_trap();
	spin_lock(&spin);
	spin_unlock(&spin);
	expect_report("held with interrupts on");
	selftest_unpin();
}

SELFTEST(lockdep, freed_while_held, 1)
{
	struct mutex *m = kmalloc(sizeof(*m), GFP_KERNEL);

	if (!EXPECT(m))
		return;
	mutex_init(m);
	mutex_lock(m);
	set_trap();
	debug_check_no_locks_freed(m, sizeof(*m));
	expect_report("freed");
	mutex_unlock(m);
	set_trap();
	debug_check_no_locks_freed(m, sizeof(*m));
	expect_report(NULL);
	kfree(m);
}

SELFTEST(lockdep, end_of_a_task, 1)
{
	static DEFINE_MUTEX(a);

	mutex_lock(&a);
	set_trap();
	debug_check_no_locks_held();
	expect_report("ends with locks held");
	set_trap();
	lockdep_sys_exit();
	expect_report("user mode with locks held");
	mutex_unlock(&a);
}

static void needs(struct mutex *lock) { lockdep_assert_held(lock); }

SELFTEST(lockdep, assertion, 1) __no_context_analysis		/* the call without the lock is what is tested */
{
	static DEFINE_MUTEX(a);

	set_trap();
	mutex_lock(&a);
	needs(&a);
	mutex_unlock(&a);
	expect_report(NULL);
	set_trap();
	needs(&a);
	expect_report("assertion");
}
#endif
