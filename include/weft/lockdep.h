/*
 * lockdep.h: the lock checker's face: every lock belongs to a class, and debug builds watch the order of classes.
 *
 * Idea:    a class is the place where a lock is initialised (its lock_class_key), or, for a lock defined statically, the
 *          lock itself; a subclass tells levels of nesting within a class apart.  Release builds have nothing of it.
 * See:     kernel/locking/lockdep.c; doc/locking.md
 */
#ifndef WEFT_LOCKDEP_H
#define WEFT_LOCKDEP_H

#include <weft/types.h>
#include <weft/compiler.h>

struct task_struct;
struct held_lock;

#define MAX_LOCKDEP_SUBCLASSES	8
#define LOCKDEP_MAX_HELD	48
#define SINGLE_DEPTH_NESTING	1

struct lock_class_key {
	u16			class_id[MAX_LOCKDEP_SUBCLASSES];	/* [graph lock] 0: not known yet */
};

#ifdef CONFIG_DEBUG

struct lockdep_map {
	const char		*name;
	struct lock_class_key	*key;		/* NULL: the map's own address is the key */
};

/* One lock that a task holds. */
struct held_lock {
	struct lockdep_map	*instance;
	unsigned long		ip;		/* who took it */
	u16			class_id;
	u8			subclass;
	u8			read:2, trylock:1, nested:1;
	u32			irq_context;	/* hardirq, softirq or task context: locks of different ones are not ordered */
};

/* The key stays NULL: the map itself tells the lock.  k, the lock, is there for Linux readers. */
#define STATIC_LOCKDEP_MAP_INIT(n, k)	{ .name = (n) }
#define DEP_MAP_INIT(lockname)		.dep_map = { .name = #lockname },
#define DEP_MAP_FIELD			struct lockdep_map dep_map;

void lockdep_init_map(struct lockdep_map *map, const char *name, struct lock_class_key *key, int subclass);
/* read: 0 exclusive, 1 shared, 2 shared and allowed to recurse. */
void lock_acquire(struct lockdep_map *map, unsigned int subclass, int trylock, int read, int check,
		  struct lockdep_map *nest_lock, unsigned long ip);
void lock_release(struct lockdep_map *map, unsigned long ip);
int lock_is_held_type(const struct lockdep_map *map, int read);	/* read -1: either; 0 exclusive; 1 shared */
void lockdep_set_class_id(struct lockdep_map *map, const char *name, struct lock_class_key *key);
void lockdep_assert_failed(const char *what, const char *file, int line) __cold;
void lockdep_sys_exit(void);			/* nothing may be held on the way to user mode */
void lockdep_init_task(struct task_struct *task);
void debug_show_held_locks(struct task_struct *task);
void debug_show_all_locks(void);
void debug_check_no_locks_held(void);
void debug_check_no_locks_freed(const void *mem, size_t len);
void lockdep_off(void);
void lockdep_on(void);
extern int debug_locks;				/* 0 after a report that makes further ones meaningless */
extern unsigned int lockdep_reports;		/* how many reports were printed */
int debug_locks_off(void);

#define lock_is_held(map)		lock_is_held_type(map, -1)
#define lockdep_is_held(lock)		(!debug_locks || lock_is_held(&(lock)->dep_map))
#define lockdep_is_held_type(lock, r)	(!debug_locks || lock_is_held_type(&(lock)->dep_map, r))
/* Each place reports once.  It says nothing about the state of the checker itself, which goes on. */
#define __lockdep_assert(cond, what) do {							\
	static bool __reported;									\
	if (unlikely(debug_locks && !__reported && !(cond))) {					\
		__reported = true;								\
		lockdep_assert_failed(what, __FILE__, __LINE__);				\
	}											\
} while (0)
#define lockdep_assert_held(l)		__lockdep_assert(lock_is_held(&(l)->dep_map), "held: " #l)
#define lockdep_assert_held_write(l)	__lockdep_assert(lock_is_held_type(&(l)->dep_map, 0), "held for writing: " #l)
#define lockdep_assert_held_read(l)	__lockdep_assert(lock_is_held_type(&(l)->dep_map, 1), "held for reading: " #l)
#define lockdep_assert_held_once(l)	lockdep_assert_held(l)
#define lockdep_assert_not_held(l)	__lockdep_assert(!lock_is_held(&(l)->dep_map), "not held: " #l)
#define lockdep_assert_none_held_once()	do { } while (0)
#define lockdep_assert(cond)		__lockdep_assert(cond, #cond)
#define lockdep_assert_irqs_disabled()	__lockdep_assert(irqs_disabled(), "interrupts off")
#define lockdep_assert_irqs_enabled()	__lockdep_assert(!irqs_disabled(), "interrupts on")
#define lockdep_assert_in_irq()		__lockdep_assert(in_hardirq(), "in a hard interrupt")
#define lockdep_assert_preemption_disabled() __lockdep_assert(preempt_count() != 0 || irqs_disabled(), "preemption off")
#define lockdep_assert_preemption_enabled() __lockdep_assert(preempt_count() == 0 && !irqs_disabled(), "preemption on")
#define lockdep_assert_in_softirq()	__lockdep_assert(in_softirq() && !in_hardirq(), "in a soft interrupt")

#define lockdep_set_class(lock, key)	lockdep_set_class_id(&(lock)->dep_map, #key, key)
#define lockdep_set_class_and_name(lock, key, name) lockdep_set_class_id(&(lock)->dep_map, name, key)
#define lockdep_set_novalidate_class(lock) do { } while (0)
#define might_lock(lock)						\
	do {								\
		lock_acquire(&(lock)->dep_map, 0, 0, 0, 1, NULL, _THIS_IP_);	\
		lock_release(&(lock)->dep_map, _THIS_IP_);		\
	} while (0)
#define might_lock_read(lock)						\
	do {								\
		lock_acquire(&(lock)->dep_map, 0, 0, 1, 1, NULL, _THIS_IP_);	\
		lock_release(&(lock)->dep_map, _THIS_IP_);		\
	} while (0)

#else /* !CONFIG_DEBUG */

struct lockdep_map { };
struct held_lock { };
#define STATIC_LOCKDEP_MAP_INIT(n, k)	{ }
#define DEP_MAP_INIT(lockname)
#define DEP_MAP_FIELD
#define debug_locks			0
#define lockdep_reports			0u
#define lockdep_init_map(m, n, k, s)	do { (void)(n); (void)(k); } while (0)
#define lock_acquire(m, s, t, r, c, n, i) do { } while (0)
#define lock_release(m, i)		do { } while (0)
#define lockdep_sys_exit()		do { } while (0)
#define lockdep_init_task(t)		do { } while (0)
#define debug_show_held_locks(t)	do { } while (0)
#define debug_show_all_locks()		do { } while (0)
#define debug_check_no_locks_held()	do { } while (0)
#define debug_check_no_locks_freed(m, l) do { } while (0)
#define lockdep_off()			do { } while (0)
#define lockdep_on()			do { } while (0)
#define lockdep_is_held(lock)		1
#define lockdep_is_held_type(lock, r)	1
#define lockdep_assert_held(l)		__assume_held(l)
#define lockdep_assert_held_write(l)	__assume_held(l)
#define lockdep_assert_held_read(l)	__assume_held_shared(l)
#define lockdep_assert_held_once(l)	__assume_held(l)
#define lockdep_assert_not_held(l)	do { (void)(l); } while (0)
#define lockdep_assert_none_held_once()	do { } while (0)
#define lockdep_assert(cond)		do { } while (0)
#define lockdep_assert_irqs_disabled()	do { } while (0)
#define lockdep_assert_irqs_enabled()	do { } while (0)
#define lockdep_assert_in_irq()		do { } while (0)
#define lockdep_assert_preemption_disabled() do { } while (0)
#define lockdep_assert_preemption_enabled() do { } while (0)
#define lockdep_assert_in_softirq()	do { } while (0)
#define lockdep_set_class(lock, key)	do { (void)(key); } while (0)
#define lockdep_set_class_and_name(lock, key, name) do { (void)(key); } while (0)
#define lockdep_set_novalidate_class(lock) do { } while (0)
#define might_lock(lock)		do { } while (0)
#define might_lock_read(lock)		do { } while (0)

#endif

#define lockdep_set_subclass(lock, sub)	do { } while (0)

/* By kind of lock: (map, subclass, trylock, caller). */
#define spin_acquire(m, s, t, i)		lock_acquire(m, s, t, 0, 1, NULL, i)
#define spin_acquire_nest(m, s, t, n, i)	lock_acquire(m, s, t, 0, 1, n, i)
#define spin_release(m, i)			lock_release(m, i)
#define rwlock_acquire(m, s, t, i)		lock_acquire(m, s, t, 0, 1, NULL, i)
#define rwlock_acquire_read(m, s, t, i)		lock_acquire(m, s, t, 2, 1, NULL, i)
#define rwlock_release(m, i)			lock_release(m, i)
#define seqcount_acquire(m, s, t, i)		lock_acquire(m, s, t, 0, 1, NULL, i)
#define seqcount_release(m, i)			lock_release(m, i)
#define mutex_acquire(m, s, t, i)		lock_acquire(m, s, t, 0, 1, NULL, i)
#define mutex_acquire_nest(m, s, t, n, i)	lock_acquire(m, s, t, 0, 1, n, i)
#define mutex_release(m, i)			lock_release(m, i)
#define rwsem_acquire(m, s, t, i)		lock_acquire(m, s, t, 0, 1, NULL, i)
#define rwsem_acquire_nest(m, s, t, n, i)	lock_acquire(m, s, t, 0, 1, n, i)
#define rwsem_acquire_read(m, s, t, i)		lock_acquire(m, s, t, 1, 1, NULL, i)
#define rwsem_release(m, i)			lock_release(m, i)
#define lock_map_acquire(m)			lock_acquire(m, 0, 0, 0, 1, NULL, _THIS_IP_)
#define lock_map_acquire_read(m)		lock_acquire(m, 0, 0, 2, 1, NULL, _THIS_IP_)
#define lock_map_release(m)			lock_release(m, _THIS_IP_)

#endif
