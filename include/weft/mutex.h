/*
 * mutex.h: the sleeping lock: one owner at a time, and only the owner may release it.
 *
 * Idea:    ->owner holds the owning task's address and, in its three low bits (a task_struct is aligned), what the
 *          slow path must know.  Taking a free lock and releasing an uncontended one are one cmpxchg each.
 *          A contender spins while the owner runs on another processor (it will be done soon) and sleeps otherwise.
 * Locking: wait_lock guards the list of waiters.  May not be used in interrupts; not recursive.
 *          Debug builds check owner, order (lockdep) and that no spinlock is held when it sleeps.
 * See:     spec.md §8; kernel/locking/mutex.c
 */
#ifndef WEFT_MUTEX_H
#define WEFT_MUTEX_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/lockdep.h>

struct task_struct;

struct context_lock_struct(mutex) mutex {
	atomic_long_t		owner;		/* [a] task | MUTEX_FLAG_* */
	spinlock_t		wait_lock;	/* class: mutex wait; innermost but pi_lock */
	struct list_head	wait_list;	/* [wait_lock] first come, first served */
#ifdef CONFIG_DEBUG
	struct lockdep_map	dep_map;	/* class: one for each mutex_init() site */
#endif
};
CONTEXT_LOCK_ASSERTS(struct mutex)

#ifdef CONFIG_DEBUG
#define __MUTEX_DEP_MAP(name)	, .dep_map = STATIC_LOCKDEP_MAP_INIT(#name, NULL)
void __mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key);
#define mutex_init(mutex) do {								\
	static struct lock_class_key __key;						\
	__mutex_init((mutex), #mutex, &__key);						\
} while (0)
#else
#define __MUTEX_DEP_MAP(name)
void __mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key);
#define mutex_init(mutex) __mutex_init((mutex), NULL, NULL)
#endif

#define __MUTEX_INITIALIZER(name) {							\
	.owner = ATOMIC_LONG_INIT(0), .wait_lock = __SPIN_LOCK_UNLOCKED((name).wait_lock), \
	.wait_list = LIST_HEAD_INIT((name).wait_list) __MUTEX_DEP_MAP(name) }
#define DEFINE_MUTEX(name) struct mutex name = __MUTEX_INITIALIZER(name)
static inline void mutex_destroy(struct mutex *lock) { }

/* May sleep.  The interruptible forms: -EINTR. */
void mutex_lock_nested(struct mutex *lock, unsigned int subclass) __acquires(lock);
int mutex_lock_interruptible_nested(struct mutex *lock, unsigned int subclass) __cond_acquires(0, lock);
int mutex_lock_killable_nested(struct mutex *lock, unsigned int subclass) __cond_acquires(0, lock);
#define mutex_lock(lock)		mutex_lock_nested(lock, 0)
#define mutex_lock_interruptible(lock)	mutex_lock_interruptible_nested(lock, 0)
#define mutex_lock_killable(lock)	mutex_lock_killable_nested(lock, 0)
#define mutex_lock_io(lock)		mutex_lock_nested(lock, 0)
#define mutex_lock_nest_lock(lock, nest) mutex_lock_nested(lock, 1)
int mutex_trylock(struct mutex *lock) __cond_acquires(1, lock);	/* 1 = taken */
void mutex_unlock(struct mutex *lock) __releases(lock);
bool mutex_is_locked(struct mutex *lock);
/* Drops *cnt by one; returns 1 with the lock held when that made it 0, else 0 without the lock. */

#endif
