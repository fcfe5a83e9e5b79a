/*
 * rwlock.c: waiting for a reader-writer spinlock.
 *
 * Idea:    cnts holds the writer's byte and the count of readers.  Those who must wait stand in line at wait_lock, so only
 *          the first in line looks at cnts.  A reader in interrupt context does not queue: it has interrupted a task of
 *          this CPU that may be a reader itself, and waits only for a writer that already holds the lock.
 *
 *          reader R1 (task)          writer W                    R2 (interrupt on R1's CPU)
 *            read_lock: count 1
 *                                    write_lock_slow: WAITING
 *                                      waits for count 0
 *                                                                  read_lock: sees WAITING, not HOLDS: goes in
 *                                                                  read_unlock
 *            read_unlock: count 0
 *                                      WAITING -> HOLDS
 * See:     rwlock.h; doc/locking.md
 */
#include <weft/spinlock.h>
#include <asm/processor.h>

static bool writer_holds(rwlock_t *lock)
{
	return (READ_ONCE(lock->cnts) & RW_WRITER_HOLDS) == RW_WRITER_HOLDS;
}

/* The caller has counted itself as a reader and saw a writer, waiting or holding.  Preemption is off. */
void read_lock_slow(rwlock_t *lock)
{
	if (unlikely(in_interrupt())) {
		while (writer_holds(lock))
			cpu_relax();
		smp_mb();
		return;
	}
	__atomic_sub_fetch(&lock->cnts, RW_READER, __ATOMIC_RELAXED);
	arch_spin_lock(&lock->wait_lock);
	__atomic_add_fetch(&lock->cnts, RW_READER, __ATOMIC_ACQUIRE);
	while (writer_holds(lock))
		cpu_relax();
	smp_mb();
	arch_spin_unlock(&lock->wait_lock);
}

/* Preemption is off. */
void write_lock_slow(rwlock_t *lock)
{
	u32 cnts;

	arch_spin_lock(&lock->wait_lock);
	for (;;) {
		cnts = READ_ONCE(lock->cnts);
		if ((cnts & ~RW_WRITER_WAITING) == 0) {
			if (__atomic_compare_exchange_n(&lock->cnts, &cnts, RW_WRITER_HOLDS, 0, __ATOMIC_ACQUIRE,
							__ATOMIC_RELAXED))
				break;
		} else if (!(cnts & RW_WRITER_HOLDS)) {
			/* the unlock of a writer clears its whole byte, so the mark may have to be set again */
			__atomic_compare_exchange_n(&lock->cnts, &cnts, cnts | RW_WRITER_WAITING, 0, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED);
		}
		cpu_relax();
	}
	arch_spin_unlock(&lock->wait_lock);
}

#ifdef CONFIG_DEBUG
void __rwlock_init(rwlock_t *lock, const char *name, struct lock_class_key *key)
{
	lock->cnts = 0;
	lock->wait_lock.val = 0;
	lockdep_init_map(&lock->dep_map, name, key, 0);
}
#endif
