/*
 * locks.c: counters under contention: no update is lost, readers share, writers exclude, a semaphore counts.
 *
 * Idea:    some threads on all processors do the same: take the lock, look that nobody is inside who must not be, read the
 *          counter, let others run, write it back one higher.  A lock that lets two in loses an update.
 * See:     locking/; spec.md §8
 */
#include <weft/err.h>
#include <weft/kernel.h>
#include <weft/mutex.h>
#include <weft/rwsem.h>
#include <weft/semaphore.h>
#include <weft/seqlock.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include "selftest.h"

#define THREADS	6
#define ROUNDS	400

static DEFINE_MUTEX(mutex);
static DECLARE_RWSEM(rwsem);
static struct semaphore sem;
static DEFINE_SPINLOCK(spin);
static DEFINE_RWLOCK(rwlock);
static DEFINE_SEQLOCK(seqlock);

static int counter, twin;			/* [the lock under test] */
static int writers, readers;			/* [a] who is inside */
static int violations;				/* [a] */
static bool go;					/* all are there: begin together */

static void violated(void) { __atomic_add_fetch(&violations, 1, __ATOMIC_RELAXED); }
static int enter(int *who) { return __atomic_add_fetch(who, 1, __ATOMIC_SEQ_CST); }
static void leave(int *who) { __atomic_sub_fetch(who, 1, __ATOMIC_SEQ_CST); }

/* One update in a way that shows when another one comes between. */
static void update(bool may_sleep)
{
	int old = READ_ONCE(counter);

	if (enter(&writers) != 1 || READ_ONCE(readers))
		violated();
	if (may_sleep && old % 16 == 0)
		yield();
	else
		for (int i = 0; i < 20; i++)
			cpu_relax();
	WRITE_ONCE(counter, old + 1);
	leave(&writers);
}

static void look(bool may_sleep)
{
	int before = READ_ONCE(counter);

	enter(&readers);
	if (may_sleep && before % 8 == 0)
		yield();
	if (READ_ONCE(writers) || READ_ONCE(counter) != before)
		violated();
	leave(&readers);
}

static void mutex_user(int i)
{
	if (i % 4 == 3) {
		if (!mutex_trylock(&mutex))
			mutex_lock(&mutex);
	} else {
		mutex_lock(&mutex);
	}
	update(true);
	mutex_unlock(&mutex);
}

static void rwsem_user(int i) __no_context_analysis	/* downgrades: a writer goes out as a reader */
{
	if (i & 1) {
		down_read(&rwsem);
		look(true);
		up_read(&rwsem);
		return;
	}
	down_write(&rwsem);
	update(true);
	if (i % 4 == 0) {
		downgrade_write(&rwsem);	/* from here on nobody may write, but readers may come in */
		look(true);
		up_read(&rwsem);
	} else {
		up_write(&rwsem);
	}
}

static void sem_user(int i)
{
	down(&sem);
	if (enter(&readers) > 3)
		violated();
	if (i % 8 == 0)
		yield();
	leave(&readers);
	up(&sem);
	__atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
}

static void spin_user(int i)
{
	if (i & 1) {
		spin_lock_irq(&spin);
		update(false);
		spin_unlock_irq(&spin);
	} else {
		spin_lock(&spin);
		update(false);
		spin_unlock(&spin);
	}
}

static void rwlock_user(int i)
{
	if (i & 1) {
		read_lock(&rwlock);
		look(false);
		read_unlock(&rwlock);
	} else {
		write_lock(&rwlock);
		update(false);
		write_unlock(&rwlock);
	}
}

/* Readers never wait and never see one half of an update. */
static void seqlock_user(int i)
{
	if (i & 1) {
		unsigned int seq;
		int a, b;

		do {
			seq = read_seqbegin(&seqlock);
			a = READ_ONCE(counter);
			b = READ_ONCE(twin);
		} while (read_seqretry(&seqlock, seq));
		if (a != b)
			violated();
	} else {
		write_seqlock(&seqlock);
		update(false);
		WRITE_ONCE(twin, counter);
		write_sequnlock(&seqlock);
	}
}

static int user(void *fn)
{
	void (*use)(int) = (void (*)(int))fn;

	while (!READ_ONCE(go))
		cond_resched();
	for (int i = 0; i < ROUNDS; i++)
		use(i);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Runs THREADS users and checks that each update of each is there. */
static void contend(void (*use)(int), int updates)
{
	struct task_struct *k[THREADS];

	go = false;
	counter = twin = writers = readers = violations = 0;
	for (int i = 0; i < THREADS; i++)
		k[i] = kthread_run(user, (void *)use, "selftest_lock%d", i);
	WRITE_ONCE(go, true);
	EXPECT_SOON(READ_ONCE(counter) == updates);
	for (int i = 0; i < THREADS; i++)
		if (EXPECT(!IS_ERR(k[i])))
			kthread_stop(k[i]);
	EXPECT_EQ(counter, updates);
	EXPECT_EQ(violations, 0);
}

SELFTEST(locks, mutex, 1)
{
	contend(mutex_user, THREADS * ROUNDS);
	EXPECT(!mutex_is_locked(&mutex));
	EXPECT(list_empty(&mutex.wait_list));
}

/* That they did it in the crowd cannot be asked: on a busy host they may have come one by one. */
static void expect_readers_share(void) __no_context_analysis	/* takes the lock twice, to see that it may */
{
	down_read(&rwsem);
	EXPECT(down_read_trylock(&rwsem));
	EXPECT(!down_write_trylock(&rwsem));
	up_read(&rwsem);
	up_read(&rwsem);
}

SELFTEST(locks, rwsem, 1)
{
	contend(rwsem_user, THREADS * ROUNDS / 2);
	EXPECT(!rwsem_is_locked(&rwsem) && !rwsem_is_contended(&rwsem));
	expect_readers_share();
}

SELFTEST(locks, semaphore, 1)
{
	sema_init(&sem, 3);
	contend(sem_user, THREADS * ROUNDS);
	EXPECT_EQ(sem.count, 3);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(down_trylock(&sem), 0);
	EXPECT_EQ(down_trylock(&sem), 1);
	EXPECT_EQ(down_timeout(&sem, 2), -ETIME);
	up(&sem);
	EXPECT_EQ(down_timeout(&sem, 2), 0);
}

SELFTEST(locks, spinlock, 1)
{
	contend(spin_user, THREADS * ROUNDS);
}

SELFTEST(locks, rwlock, 1)
{
	contend(rwlock_user, THREADS * ROUNDS / 2);
}

SELFTEST(locks, seqlock, 1)
{
	contend(seqlock_user, THREADS * ROUNDS / 2);
}
