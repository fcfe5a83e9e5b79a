/*
 * rwsem.c: the sleeping reader-writer lock.
 *
 * Idea:    one word:   readers << 8 | HANDOFF | WAITERS | WRITER.
 *          A reader adds BIAS; if no writer has it and nobody waits, it is in.  A writer turns 0 into WRITER.
 *          All others queue.  Who releases the lock wakes the first of the queue: a writer, who then takes it himself, or
 *          all readers that stand together at the head, to whom it is given before they are woken (waiter->task = NULL
 *          tells them).  A running writer's successor may spin and be faster than the queue; a first waiter who has waited
 *          4 ms sets HANDOFF, and then nobody passes him.
 * Race:    a reader on its way to the queue has added BIAS and takes it back.  A writer who tries in between fails for
 *          nothing; so who takes the BIAS back looks whether the lock is free now and wakes the first.
 * Locking: wait_lock (irq: up_read may come from an interrupt) guards the queue.
 * See:     rwsem.h; spec.md §8; doc/synchronisation.md
 */
#include <weft/arch.h>
#include <weft/jiffies.h>
#include <weft/kernel.h>
#include <weft/rwsem.h>
#include <weft/sched.h>
#include <weft/signal.h>

#define WRITER		1L
#define WAITERS		2L
#define HANDOFF		4L
#define BIAS		(1L << 8)
#define READERS		(~(BIAS - 1))
#define HELD		(WRITER | READERS)
#define HANDOFF_WAIT	(HZ / 250)		/* 4 ms */

struct rwsem_waiter {
	struct list_head	list;
	struct task_struct	*task;		/* a reader's: NULL once it has the lock */
	bool			writer;
	unsigned long		timeout;	/* jiffies: from then on it may ask for HANDOFF */
};

void __init_rwsem(struct rw_semaphore *sem, const char *name, struct lock_class_key *key)
{
	atomic_long_set(&sem->count, 0);
	sem->owner = NULL;
	spin_lock_init(&sem->wait_lock);
	INIT_LIST_HEAD(&sem->wait_list);
	lockdep_init_map(&sem->dep_map, name, key, 0);
}

static struct rwsem_waiter *first_waiter(struct rw_semaphore *sem)
{
	return list_first_entry_or_null(&sem->wait_list, struct rwsem_waiter, list);
}

/* ---- waking: wait_lock held ---- */

/* Adds a reader's BIAS for the first reader in the queue.  False: a writer was faster. */
static bool grant_first_reader(struct rw_semaphore *sem, struct rwsem_waiter *first)
{
	for (;;) {
		if (!(atomic_long_fetch_add(BIAS, &sem->count) & WRITER))
			return true;
		if (time_after(jiffies, first->timeout))
			atomic_long_or(HANDOFF, &sem->count);
		/* The writer may have left without seeing that we, not a reader, held this BIAS. */
		if (atomic_long_sub_return(BIAS, &sem->count) & HELD)
			return false;
	}
}

/* Wakes the first writer, or gives the lock to all readers at the head.  granted: a BIAS for the first is there already. */
static void wake_first(struct rw_semaphore *sem, bool only_readers)
{
	struct rwsem_waiter *first = first_waiter(sem), *w, *next;
	LIST_HEAD(woken);
	long n = 0;

	if (!first)
		return;
	if (first->writer) {
		if (!only_readers)
			wake_up_process(first->task);
		return;
	}
	/* After a downgrade the lock is held by a reader: no writer can come in. */
	if (!only_readers && !grant_first_reader(sem, first))
		return;
	list_for_each_entry_safe(w, next, &sem->wait_list, list) {
		if (w->writer)
			break;
		list_move_tail(&w->list, &woken);
		n++;
	}
	/* The queue's flags belong to waiters that are gone now; a writer at the head asks again if he must. */
	atomic_long_add((only_readers ? n : n - 1) * BIAS, &sem->count);
	atomic_long_andnot(list_empty(&sem->wait_list) ? WAITERS | HANDOFF : HANDOFF, &sem->count);
	list_for_each_entry_safe(w, next, &woken, list) {
		struct task_struct *task = get_task_struct(w->task);

		/* From here on *w, on the stack of a task that may run, is not ours. */
		smp_store_release(&w->task, NULL);
		wake_up_process(task);
		put_task_struct(task);
	}
}

static void wake_waiters(struct rw_semaphore *sem, bool only_readers)
{
	unsigned long flags;

	spin_lock_irqsave(&sem->wait_lock, flags);
	wake_first(sem, only_readers);
	spin_unlock_irqrestore(&sem->wait_lock, flags);
}

/* A waiter gives up. */
static void leave_queue(struct rw_semaphore *sem, struct rwsem_waiter *waiter)
{
	bool was_first = first_waiter(sem) == waiter;

	list_del(&waiter->list);
	if (list_empty(&sem->wait_list)) {
		atomic_long_andnot(WAITERS | HANDOFF, &sem->count);
	} else if (was_first) {
		atomic_long_andnot(HANDOFF, &sem->count);
		if (!(atomic_long_read(&sem->count) & WRITER))
			wake_first(sem, false);
	}
}

/* ---- readers ---- */

/* The caller has added BIAS in vain.  0 with the lock, or -EINTR. */
static int read_slow(struct rw_semaphore *sem, unsigned int state)
{
	struct rwsem_waiter waiter = { .task = current, .timeout = jiffies + HANDOFF_WAIT };
	long adjust = -BIAS;

	spin_lock_irq(&sem->wait_lock);
	if (list_empty(&sem->wait_list)) {
		if (!(atomic_long_read(&sem->count) & (WRITER | HANDOFF))) {
			spin_unlock_irq(&sem->wait_lock);
			return 0;		/* the writer has left: what we added is good */
		}
		adjust += WAITERS;
	}
	list_add_tail(&waiter.list, &sem->wait_list);
	if (!(atomic_long_add_return(adjust, &sem->count) & HELD))
		wake_first(sem, false);
	spin_unlock_irq(&sem->wait_lock);

	for (;;) {
		set_current_state(state);
		if (!smp_load_acquire(&waiter.task))
			break;
		if (signal_pending_state(state, current)) {
			spin_lock_irq(&sem->wait_lock);
			if (waiter.task)
				goto interrupted;
			spin_unlock_irq(&sem->wait_lock);
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
interrupted:
	leave_queue(sem, &waiter);
	spin_unlock_irq(&sem->wait_lock);
	__set_current_state(TASK_RUNNING);
	return -EINTR;
}

static int read_common(struct rw_semaphore *sem, unsigned int state, int subclass, unsigned long ip)
{
	int err = 0;

	might_sleep();
	rwsem_acquire_read(&sem->dep_map, subclass, 0, ip);
	if (unlikely(atomic_long_add_return_acquire(BIAS, &sem->count) & (WRITER | WAITERS | HANDOFF)))
		err = read_slow(sem, state);
	if (err)
		rwsem_release(&sem->dep_map, ip);
	return err;
}

void down_read_nested(struct rw_semaphore *sem, int subclass) __no_context_analysis	/* this is the lock itself */
{
	read_common(sem, TASK_UNINTERRUPTIBLE, subclass, _RET_IP_);
}

int down_read_interruptible(struct rw_semaphore *sem)
{
	return read_common(sem, TASK_INTERRUPTIBLE, 0, _RET_IP_);
}

int down_read_killable(struct rw_semaphore *sem)
{
	return read_common(sem, TASK_KILLABLE, 0, _RET_IP_);
}

int down_read_trylock(struct rw_semaphore *sem)
{
	long old = atomic_long_read(&sem->count);

	while (!(old & (WRITER | WAITERS | HANDOFF))) {
		if (atomic_long_try_cmpxchg_acquire(&sem->count, &old, old + BIAS)) {
			rwsem_acquire_read(&sem->dep_map, 0, 1, _RET_IP_);
			return 1;
		}
	}
	return 0;
}

void up_read(struct rw_semaphore *sem) __no_context_analysis	/* this is the lock itself */
{
	rwsem_release(&sem->dep_map, _RET_IP_);
	if (unlikely((atomic_long_sub_return_release(BIAS, &sem->count) & (HELD | WAITERS)) == WAITERS))
		wake_waiters(sem, false);
}

/* ---- writers ---- */

/* A writer that is not in the queue. */
static bool steal_write(struct rw_semaphore *sem)
{
	long old = atomic_long_read(&sem->count);

	while (!(old & (HELD | HANDOFF)))
		if (atomic_long_try_cmpxchg_acquire(&sem->count, &old, old | WRITER))
			return true;
	return false;
}

/* The queue's first writer; wait_lock held. */
static bool try_write(struct rw_semaphore *sem, struct rwsem_waiter *waiter)
{
	long old = atomic_long_read(&sem->count);

	if (first_waiter(sem) != waiter)
		return false;
	for (;;) {
		long new;

		if (old & HELD) {
			if ((old & HANDOFF) || !time_after(jiffies, waiter->timeout))
				return false;
			new = old | HANDOFF;
		} else {
			new = (old | WRITER) & ~HANDOFF;
			if (list_is_singular(&sem->wait_list))
				new &= ~WAITERS;
		}
		if (atomic_long_try_cmpxchg_acquire(&sem->count, &old, new))
			return !(old & HELD);
	}
}

/* While the writer that has it runs it will soon be done.  Preemption off keeps its task_struct alive (RCU). */
static bool spin_for_write(struct rw_semaphore *sem)
{
	bool taken;

	preempt_disable();
	while (!(taken = steal_write(sem))) {
		struct task_struct *owner = READ_ONCE(sem->owner);

		if (!owner || !READ_ONCE(owner->on_cpu) || need_resched() || (atomic_long_read(&sem->count) & HANDOFF))
			break;
		cpu_relax();
	}
	preempt_enable();
	return taken;
}

static int write_slow(struct rw_semaphore *sem, unsigned int state)
{
	struct rwsem_waiter waiter = { .task = current, .writer = true, .timeout = jiffies + HANDOFF_WAIT };
	int err = 0;

	if (spin_for_write(sem))
		return 0;
	spin_lock_irq(&sem->wait_lock);
	list_add_tail(&waiter.list, &sem->wait_list);
	atomic_long_or(WAITERS, &sem->count);
	for (;;) {
		set_current_state(state);
		if (try_write(sem, &waiter)) {
			list_del(&waiter.list);
			break;
		}
		if (signal_pending_state(state, current)) {
			leave_queue(sem, &waiter);
			err = -EINTR;
			break;
		}
		spin_unlock_irq(&sem->wait_lock);
		schedule();
		spin_lock_irq(&sem->wait_lock);
	}
	__set_current_state(TASK_RUNNING);
	spin_unlock_irq(&sem->wait_lock);
	return err;
}

static int write_common(struct rw_semaphore *sem, unsigned int state, int subclass, unsigned long ip)
{
	long free = 0;
	int err = 0;

	might_sleep();
	rwsem_acquire(&sem->dep_map, subclass, 0, ip);
	if (unlikely(!atomic_long_try_cmpxchg_acquire(&sem->count, &free, WRITER)))
		err = write_slow(sem, state);
	if (err)
		rwsem_release(&sem->dep_map, ip);
	else
		WRITE_ONCE(sem->owner, current);
	return err;
}

void down_write_nested(struct rw_semaphore *sem, int subclass) __no_context_analysis	/* this is the lock itself */
{
	write_common(sem, TASK_UNINTERRUPTIBLE, subclass, _RET_IP_);
}

int down_write_killable_nested(struct rw_semaphore *sem, int subclass)
{
	return write_common(sem, TASK_KILLABLE, subclass, _RET_IP_);
}

int down_write_trylock(struct rw_semaphore *sem)
{
	long free = 0;

	if (!atomic_long_try_cmpxchg_acquire(&sem->count, &free, WRITER))
		return 0;
	rwsem_acquire(&sem->dep_map, 0, 1, _RET_IP_);
	WRITE_ONCE(sem->owner, current);
	return 1;
}

void up_write(struct rw_semaphore *sem) __no_context_analysis	/* this is the lock itself */
{
	rwsem_release(&sem->dep_map, _RET_IP_);
	WRITE_ONCE(sem->owner, NULL);
	if (unlikely(atomic_long_sub_return_release(WRITER, &sem->count) & WAITERS))
		wake_waiters(sem, false);
}

void downgrade_write(struct rw_semaphore *sem)
{
	WRITE_ONCE(sem->owner, NULL);
	if (atomic_long_add_return_release(BIAS - WRITER, &sem->count) & WAITERS)
		wake_waiters(sem, true);
}
