/*
 * mutex.c: the sleeping lock.
 *
 * Idea:    ->owner is the owner's task_struct and three flags.  Free and uncontended: 0.
 *            WAITERS   somebody is in wait_list: unlock must look there
 *            HANDOFF   the first waiter was woken in vain before: unlock shall not free the lock but give it to him
 *            PICKUP    it was given: `owner` is the first waiter, who has not noticed yet
 *          A contender first spins, as long as the owner runs on another processor, then queues and sleeps.  Spinners and
 *          newcomers may be faster than the waiter that an unlock wakes; HANDOFF limits that to once.
 * Race:    the waiter sets its state before it tries again, all under wait_lock; unlock frees, then takes wait_lock to wake:
 *
 *              waiter (wait_lock held)                 unlock
 *              WAITERS set in owner                    owner = 0 | WAITERS   (sees WAITERS: slow path)
 *              state = UNINTERRUPTIBLE
 *              try: taken, or still owned              wait_lock: wakes the first in the list
 *
 * Locking: wait_lock guards the list; a wake-up happens under it, so that the waiter cannot be gone.
 * See:     mutex.h; spec.md §8; doc/synchronisation.md
 */
#include <weft/arch.h>
#include <weft/kernel.h>
#include <weft/mutex.h>
#include <weft/sched.h>
#include <weft/signal.h>

#define MUTEX_FLAG_WAITERS	1UL
#define MUTEX_FLAG_HANDOFF	2UL
#define MUTEX_FLAG_PICKUP	4UL
#define MUTEX_FLAGS		7UL

struct mutex_waiter {
	struct list_head	list;
	struct task_struct	*task;
};

static inline struct task_struct *owner_task(unsigned long owner)
{
	return (struct task_struct *)(owner & ~MUTEX_FLAGS);
}

void __mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key)
{
	atomic_long_set(&lock->owner, 0);
	spin_lock_init(&lock->wait_lock);
	INIT_LIST_HEAD(&lock->wait_list);
	lockdep_init_map(&lock->dep_map, name, key, 0);
}

bool mutex_is_locked(struct mutex *lock)
{
	return owner_task((unsigned long)atomic_long_read(&lock->owner)) != NULL;
}

/* Takes the lock if it is free or was handed to us.  handoff: if it is neither, ask for it (first waiter only). */
static bool try_take(struct mutex *lock, bool handoff)
{
	unsigned long me = (unsigned long)current;
	long old = atomic_long_read(&lock->owner);

	for (;;) {
		unsigned long flags = (unsigned long)old & MUTEX_FLAGS;
		struct task_struct *owner = owner_task((unsigned long)old);
		long new;

		if (owner && owner != current) {
			if (!handoff || (flags & MUTEX_FLAG_HANDOFF))
				return false;
			new = old | (long)MUTEX_FLAG_HANDOFF;
		} else {
			if (owner && !(flags & MUTEX_FLAG_PICKUP))
				return false;		/* we hold it already: the lock checker has reported that */
			new = (long)(me | (flags & MUTEX_FLAG_WAITERS));
		}
		if (atomic_long_try_cmpxchg(&lock->owner, &old, new))
			return owner_task((unsigned long)new) == current;
	}
}

/* True: taken.  False: better sleep.  Preemption is off, which also keeps the owner's task_struct alive (RCU). */
static bool spin_on_owner(struct mutex *lock)
{
	for (;;) {
		struct task_struct *owner = owner_task((unsigned long)atomic_long_read(&lock->owner));

		if (!owner || owner == current) {
			if (try_take(lock, false))
				return true;
			if (owner == current)
				return false;
		} else if (!READ_ONCE(owner->on_cpu) || need_resched()) {
			return false;
		}
		cpu_relax();
	}
}

static inline bool is_first(struct mutex *lock, struct mutex_waiter *waiter)
{
	return list_first_entry(&lock->wait_list, struct mutex_waiter, list) == waiter;
}

static void leave_list(struct mutex *lock, struct mutex_waiter *waiter)
{
	list_del(&waiter->list);
	if (list_empty(&lock->wait_list))
		atomic_long_andnot((long)(MUTEX_FLAG_WAITERS | MUTEX_FLAG_HANDOFF), &lock->owner);
}

static int lock_slow(struct mutex *lock, unsigned int state)
{
	struct mutex_waiter waiter = { .task = current };
	bool woken = false;
	int err = 0;

	preempt_disable();
	if (spin_on_owner(lock))
		goto out;
	spin_lock(&lock->wait_lock);
	list_add_tail(&waiter.list, &lock->wait_list);
	atomic_long_or((long)MUTEX_FLAG_WAITERS, &lock->owner);
	for (;;) {
		set_current_state(state);
		if (try_take(lock, woken && is_first(lock, &waiter)))
			break;
		if (signal_pending_state(state, current)) {
			err = -EINTR;
			break;
		}
		spin_unlock(&lock->wait_lock);
		schedule_preempt_disabled();
		woken = true;
		spin_lock(&lock->wait_lock);
	}
	__set_current_state(TASK_RUNNING);
	leave_list(lock, &waiter);
	spin_unlock(&lock->wait_lock);
out:
	preempt_enable();
	return err;
}

static int lock_common(struct mutex *lock, unsigned int state, unsigned int subclass, unsigned long ip)
{
	long free = 0;
	int err;

	might_sleep();
	mutex_acquire(&lock->dep_map, subclass, 0, ip);
	if (likely(atomic_long_try_cmpxchg_acquire(&lock->owner, &free, (long)current)))
		return 0;
	err = lock_slow(lock, state);
	if (err)
		mutex_release(&lock->dep_map, ip);
	return err;
}

void mutex_lock_nested(struct mutex *lock, unsigned int subclass) __no_context_analysis	/* this is the lock itself */
{
	lock_common(lock, TASK_UNINTERRUPTIBLE, subclass, _RET_IP_);
}

int mutex_lock_interruptible_nested(struct mutex *lock, unsigned int subclass)
{
	return lock_common(lock, TASK_INTERRUPTIBLE, subclass, _RET_IP_);
}

int mutex_lock_killable_nested(struct mutex *lock, unsigned int subclass)
{
	return lock_common(lock, TASK_KILLABLE, subclass, _RET_IP_);
}

int mutex_trylock(struct mutex *lock)
{
	bool taken = !mutex_is_locked(lock) && try_take(lock, false);

	if (taken)
		mutex_acquire(&lock->dep_map, 0, 1, _RET_IP_);
	return taken;
}

/* There are waiters: wake the first, giving him the lock if he asked for it. */
static void unlock_slow(struct mutex *lock)
{
	long old = atomic_long_read(&lock->owner);
	struct mutex_waiter *first;

	WARN_ON_ONCE(owner_task((unsigned long)old) != current);
	while (!((unsigned long)old & MUTEX_FLAG_HANDOFF))
		if (atomic_long_try_cmpxchg_release(&lock->owner, &old, old & (long)MUTEX_FLAGS))
			break;

	spin_lock(&lock->wait_lock);
	first = list_first_entry_or_null(&lock->wait_list, struct mutex_waiter, list);
	if ((unsigned long)old & MUTEX_FLAG_HANDOFF) {
		/* Still ours.  He who asked may have left for a signal: then there is another first one, or nobody. */
		unsigned long new = first ? (unsigned long)first->task | MUTEX_FLAG_PICKUP | MUTEX_FLAG_WAITERS : 0;

		atomic_long_set_release(&lock->owner, (long)new);
	}
	if (first)
		wake_up_process(first->task);
	spin_unlock(&lock->wait_lock);
}

void mutex_unlock(struct mutex *lock) __no_context_analysis	/* as above */
{
	long me = (long)current;

	mutex_release(&lock->dep_map, _RET_IP_);
	if (likely(atomic_long_try_cmpxchg_release(&lock->owner, &me, 0)))
		return;
	unlock_slow(lock);
}
