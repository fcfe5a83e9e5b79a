/*
 * spinlock.h: locks that are waited for by spinning, for sections that do not sleep.
 *
 * What:    spinlock_t (one holder) and rwlock_t (rwlock.h).  _irqsave and _irq also keep interrupts of this CPU out, _bh
 *          soft interrupts; which one a lock needs follows from where else it is taken, and the lock checker knows.
 * Idea:    taking a free lock is one exchange of a byte, giving it back one store.  Who finds it taken queues up by ticket
 *          in locking/spinlock.c.  Preemption stays off while a lock is held, so a holder is always running.
 * See:     kernel/locking/spinlock.c; doc/locking.md
 */
#ifndef WEFT_SPINLOCK_H
#define WEFT_SPINLOCK_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/preempt.h>
#include <weft/irqflags.h>
#include <weft/barrier.h>
#include <weft/atomic.h>
#include <weft/lockdep.h>
#include <weft/spinlock_types.h>

void spin_lock_slow(spinlock_t *lock);		/* locking/spinlock.c: waits for the lock and takes it */

/* ---- the bare lock: no preemption count, no checking ---- */
static __always_inline bool arch_spin_trylock(arch_spinlock_t *lock)
{
	return !READ_ONCE(lock->locked) && !__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE);
}
static __always_inline void arch_spin_lock(arch_spinlock_t *lock)
{
	if (unlikely(__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)))
		spin_lock_slow(lock);
}
static __always_inline void arch_spin_unlock(arch_spinlock_t *lock)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}
static __always_inline bool arch_spin_is_locked(const arch_spinlock_t *lock) { return READ_ONCE(lock->locked); }

#ifdef CONFIG_DEBUG
/* locking/spinlock.c: with the checks: class order, a holder that locks again, a stranger that unlocks. */
void do_raw_spin_lock(spinlock_t *lock, unsigned int subclass, struct lockdep_map *nest, unsigned long ip);
bool do_raw_spin_trylock(spinlock_t *lock, unsigned long ip);
void do_raw_spin_unlock(spinlock_t *lock, unsigned long ip);
void __spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key);
#define spin_lock_init(lock) do {				\
	static struct lock_class_key __key;			\
	__spin_lock_init(lock, #lock, &__key);			\
} while (0)
#else
#define do_raw_spin_lock(lock, sub, nest, ip)	arch_spin_lock(lock)
#define do_raw_spin_trylock(lock, ip)		arch_spin_trylock(lock)
#define do_raw_spin_unlock(lock, ip)		arch_spin_unlock(lock)
#define spin_lock_init(lock)	do { (lock)->val = 0; } while (0)
#endif

/* ---- the lock ---- */
static __always_inline void spin_lock_subclass(spinlock_t *lock, unsigned int subclass)
	__acquires(lock) __no_context_analysis
{
	preempt_disable();
	do_raw_spin_lock(lock, subclass, NULL, _THIS_IP_);
}
static __always_inline void spin_lock(spinlock_t *lock) __acquires(lock) __no_context_analysis
{
	preempt_disable();
	do_raw_spin_lock(lock, 0, NULL, _THIS_IP_);
}
static __always_inline void spin_lock_irq(spinlock_t *lock) __acquires(lock) __no_context_analysis
{
	local_irq_disable();
	preempt_disable();
	do_raw_spin_lock(lock, 0, NULL, _THIS_IP_);
}
static __always_inline void spin_lock_bh(spinlock_t *lock) __acquires(lock) __no_context_analysis
{
	__local_bh_disable_ip(_THIS_IP_, SOFTIRQ_LOCK_OFFSET);
	do_raw_spin_lock(lock, 0, NULL, _THIS_IP_);
}
static __always_inline unsigned long __spin_lock_irqsave(spinlock_t *lock, unsigned int subclass)
	__acquires(lock) __no_context_analysis
{
	unsigned long flags;

	local_irq_save(flags);
	preempt_disable();
	do_raw_spin_lock(lock, subclass, NULL, _THIS_IP_);
	return flags;
}
#define spin_lock_irqsave(lock, flags)			((flags) = __spin_lock_irqsave(lock, 0))
#define spin_lock_irqsave_nested(lock, flags, sub)	((flags) = __spin_lock_irqsave(lock, sub))
#define spin_lock_nested(lock, subclass)		spin_lock_subclass(lock, subclass)
#define spin_lock_nest_lock(lock, nest)			spin_lock_nest_map(lock, nest)

#ifdef CONFIG_DEBUG
static __always_inline void __spin_lock_nest(spinlock_t *lock, struct lockdep_map *nest)
	__acquires(lock) __no_context_analysis
{
	preempt_disable();
	do_raw_spin_lock(lock, 0, nest, _THIS_IP_);
}
#define spin_lock_nest_map(lock, nest)	__spin_lock_nest(lock, &(nest)->dep_map)
#else
#define spin_lock_nest_map(lock, nest)	spin_lock(lock)
#endif

static __always_inline bool spin_trylock(spinlock_t *lock) __cond_acquires(true, lock) __no_context_analysis
{
	preempt_disable();
	if (do_raw_spin_trylock(lock, _THIS_IP_))
		return true;
	preempt_enable();
	return false;
}
static __always_inline bool spin_trylock_irq(spinlock_t *lock) __cond_acquires(true, lock) __no_context_analysis
{
	local_irq_disable();
	if (spin_trylock(lock))
		return true;
	local_irq_enable();
	return false;
}
static __always_inline bool spin_trylock_bh(spinlock_t *lock) __cond_acquires(true, lock) __no_context_analysis
{
	__local_bh_disable_ip(_THIS_IP_, SOFTIRQ_LOCK_OFFSET);
	if (do_raw_spin_trylock(lock, _THIS_IP_))
		return true;
	__local_bh_enable_ip(_THIS_IP_, SOFTIRQ_LOCK_OFFSET);
	return false;
}
static __always_inline bool __spin_trylock_irqsave(spinlock_t *lock, unsigned long *flags)
	__cond_acquires(true, lock) __no_context_analysis
{
	unsigned long f;

	local_irq_save(f);
	*flags = f;
	if (spin_trylock(lock))
		return true;
	local_irq_restore(f);
	return false;
}
#define spin_trylock_irqsave(lock, flags)	__spin_trylock_irqsave(lock, &(flags))

static __always_inline void spin_unlock(spinlock_t *lock) __releases(lock) __no_context_analysis
{
	do_raw_spin_unlock(lock, _THIS_IP_);
	preempt_enable();
}
static __always_inline void spin_unlock_no_resched(spinlock_t *lock) __releases(lock) __no_context_analysis
{
	do_raw_spin_unlock(lock, _THIS_IP_);
	preempt_enable_no_resched();
}
static __always_inline void spin_unlock_irq(spinlock_t *lock) __releases(lock) __no_context_analysis
{
	do_raw_spin_unlock(lock, _THIS_IP_);
	local_irq_enable();
	preempt_enable();
}
static __always_inline void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
	__releases(lock) __no_context_analysis
{
	do_raw_spin_unlock(lock, _THIS_IP_);
	local_irq_restore(flags);
	preempt_enable();
}
static __always_inline void spin_unlock_bh(spinlock_t *lock) __releases(lock) __no_context_analysis
{
	do_raw_spin_unlock(lock, _THIS_IP_);
	__local_bh_enable_ip(_THIS_IP_, SOFTIRQ_LOCK_OFFSET);
}

static __always_inline bool spin_is_locked(const spinlock_t *lock) { return READ_ONCE(lock->locked); }
/* Is somebody waiting?  A long holder may then give way: cond_resched_lock(). */
static __always_inline bool spin_is_contended(const spinlock_t *lock) { return READ_ONCE(lock->head) != READ_ONCE(lock->tail); }
#ifdef CONFIG_DEBUG
#define assert_spin_locked(lock)	lockdep_assert_held(lock)
#else
#define assert_spin_locked(lock)	do { (void)(lock); } while (0)
#endif

/* raw_spinlock_t is spinlock_t: there is no variant in which spinlocks sleep. */
#define raw_spin_lock_init(l)			spin_lock_init(l)
#define raw_spin_lock(l)			spin_lock(l)
#define raw_spin_lock_nested(l, s)		spin_lock_nested(l, s)
#define raw_spin_lock_irq(l)			spin_lock_irq(l)
#define raw_spin_lock_irqsave(l, f)		spin_lock_irqsave(l, f)
#define raw_spin_lock_bh(l)			spin_lock_bh(l)
#define raw_spin_trylock(l)			spin_trylock(l)
#define raw_spin_trylock_irqsave(l, f)		spin_trylock_irqsave(l, f)
#define raw_spin_unlock(l)			spin_unlock(l)
#define raw_spin_unlock_irq(l)			spin_unlock_irq(l)
#define raw_spin_unlock_irqrestore(l, f)	spin_unlock_irqrestore(l, f)
#define raw_spin_unlock_bh(l)			spin_unlock_bh(l)
#define raw_spin_is_locked(l)			spin_is_locked(l)

/* Takes one off; when it became 0, true and the lock is held. */
bool _atomic_dec_and_lock(atomic_t *atomic, spinlock_t *lock) __cond_acquires(true, lock);
#define atomic_dec_and_lock(atomic, lock)	_atomic_dec_and_lock(atomic, lock)

#include <weft/rwlock.h>

#endif
