/*
 * rwsem.h: the sleeping reader-writer lock: many readers or one writer.
 *
 * Idea:    one word, ->count: bit 0 a writer has it, bit 1 somebody waits, bit 2 the first waiter, having waited too long,
 *          must get it next (handoff), from bit 8 on the number of readers.  A reader's fast path is one atomic add, a
 *          writer's one cmpxchg.  Waiters queue in order, so neither side starves.
 * Locking: wait_lock guards the queue.  May sleep: never in interrupts.
 * See:     spec.md §8; kernel/locking/rwsem.c
 */
#ifndef WEFT_RWSEM_H
#define WEFT_RWSEM_H

#include <weft/types.h>
#include <weft/atomic.h>
#include <weft/list.h>
#include <weft/spinlock.h>
#include <weft/lockdep.h>

struct task_struct;

struct context_lock_struct(rwsem) rw_semaphore {
	atomic_long_t		count;		/* [a] RWSEM_* in rwsem.c */
	struct task_struct	*owner;		/* [-] the writer, for checks and spinning; NULL or stale otherwise */
	spinlock_t		wait_lock;	/* class: rwsem wait */
	struct list_head	wait_list;	/* [wait_lock] */
#ifdef CONFIG_DEBUG
	struct lockdep_map	dep_map;	/* class: one for each init_rwsem() site */
#endif
};
CONTEXT_LOCK_ASSERTS(struct rw_semaphore)

void __init_rwsem(struct rw_semaphore *sem, const char *name, struct lock_class_key *key);
#ifdef CONFIG_DEBUG
#define __RWSEM_DEP_MAP(name)	, .dep_map = STATIC_LOCKDEP_MAP_INIT(#name, NULL)
#define init_rwsem(sem) do {								\
	static struct lock_class_key __key;						\
	__init_rwsem((sem), #sem, &__key);						\
} while (0)
#else
#define __RWSEM_DEP_MAP(name)
#define init_rwsem(sem) __init_rwsem((sem), NULL, NULL)
#endif

#define __RWSEM_INITIALIZER(name) {							\
	.count = ATOMIC_LONG_INIT(0), .wait_lock = __SPIN_LOCK_UNLOCKED((name).wait_lock), \
	.wait_list = LIST_HEAD_INIT((name).wait_list) __RWSEM_DEP_MAP(name) }
#define DECLARE_RWSEM(name) struct rw_semaphore name = __RWSEM_INITIALIZER(name)

static inline int rwsem_is_locked(struct rw_semaphore *sem)
{
	return (atomic_long_read(&sem->count) & ~2L) != 0;
}

static inline int rwsem_is_contended(struct rw_semaphore *sem)
{
	return !list_empty(&sem->wait_list);
}

/* May sleep.  The interruptible forms: -EINTR.  trylock: 1 = taken, any context. */
void down_read_nested(struct rw_semaphore *sem, int subclass) __acquires_shared(sem);
int down_read_interruptible(struct rw_semaphore *sem) __cond_acquires_shared(0, sem);
int down_read_killable(struct rw_semaphore *sem) __cond_acquires_shared(0, sem);
int down_read_trylock(struct rw_semaphore *sem) __cond_acquires_shared(1, sem);
void down_write_nested(struct rw_semaphore *sem, int subclass) __acquires(sem);
int down_write_killable_nested(struct rw_semaphore *sem, int subclass) __cond_acquires(0, sem);
int down_write_trylock(struct rw_semaphore *sem) __cond_acquires(1, sem);
#define down_read(sem)			down_read_nested(sem, 0)
#define down_write(sem)			down_write_nested(sem, 0)
#define down_write_killable(sem)	down_write_killable_nested(sem, 0)
void up_read(struct rw_semaphore *sem) __releases_shared(sem);
void up_write(struct rw_semaphore *sem) __releases(sem);
/* The writer becomes a reader, with no gap; waiting readers get in as well. */
void downgrade_write(struct rw_semaphore *sem);
/* A reader's lock that another task will release (up_read_non_owner). */
#define down_read_non_owner(sem)	down_read(sem)
#define up_read_non_owner(sem)		up_read(sem)

#endif
