/*
 * rwlock.h: many readers or one writer, spinning.  Included by spinlock.h.
 *
 * Idea:    readers add themselves to a count; a writer sets its byte and waits for the count to fall to 0.  A waiting
 *          writer keeps new readers out, unless they are in interrupt context: such a reader may have interrupted a
 *          reader, and must not wait for a writer that waits for the interrupted one.  So a lock that is only read in
 *          interrupts (tasklist_lock) may be read with interrupts on; writers must turn them off.
 */
#ifndef WEFT_RWLOCK_H
#define WEFT_RWLOCK_H

#include <weft/spinlock.h>

#define RW_WRITER_WAITING	0x001u
#define RW_WRITER_HOLDS		0x0ffu
#define RW_READER		0x200u

/* locking/rwlock.c */
void read_lock_slow(rwlock_t *lock);
void write_lock_slow(rwlock_t *lock);

static __always_inline void __do_read_lock(rwlock_t *lock)
{
	if (unlikely(__atomic_add_fetch(&lock->cnts, RW_READER, __ATOMIC_ACQUIRE) & RW_WRITER_HOLDS))
		read_lock_slow(lock);
}
static __always_inline bool __do_read_trylock(rwlock_t *lock)
{
	if (likely(!(__atomic_add_fetch(&lock->cnts, RW_READER, __ATOMIC_ACQUIRE) & RW_WRITER_HOLDS)))
		return true;
	__atomic_sub_fetch(&lock->cnts, RW_READER, __ATOMIC_RELEASE);
	return false;
}
static __always_inline bool __do_write_trylock(rwlock_t *lock)
{
	u32 none = 0;

	return __atomic_compare_exchange_n(&lock->cnts, &none, RW_WRITER_HOLDS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static __always_inline void __do_write_lock(rwlock_t *lock)
{
	if (unlikely(!__do_write_trylock(lock)))
		write_lock_slow(lock);
}
static __always_inline void __do_read_unlock(rwlock_t *lock) { __atomic_sub_fetch(&lock->cnts, RW_READER, __ATOMIC_RELEASE); }
static __always_inline void __do_write_unlock(rwlock_t *lock) { __atomic_store_n((u8 *)&lock->cnts, 0, __ATOMIC_RELEASE); }

#ifdef CONFIG_DEBUG
void __rwlock_init(rwlock_t *lock, const char *name, struct lock_class_key *key);
#define rwlock_init(lock) do {				\
	static struct lock_class_key __key;		\
	__rwlock_init(lock, #lock, &__key);		\
} while (0)
#else
#define rwlock_init(lock)	do { (lock)->cnts = 0; (lock)->wait_lock.val = 0; } while (0)
#endif

static __always_inline void read_lock(rwlock_t *lock) __acquires_shared(lock) __no_context_analysis
{
	preempt_disable();
	rwlock_acquire_read(&lock->dep_map, 0, 0, _THIS_IP_);
	__do_read_lock(lock);
}
static __always_inline void read_lock_irq(rwlock_t *lock) __acquires_shared(lock) __no_context_analysis
{
	local_irq_disable();
	read_lock(lock);
}
static __always_inline void read_lock_bh(rwlock_t *lock) __acquires_shared(lock) __no_context_analysis
{
	local_bh_disable();
	read_lock(lock);
}
static __always_inline unsigned long __read_lock_irqsave(rwlock_t *lock) __acquires_shared(lock) __no_context_analysis
{
	unsigned long flags;

	local_irq_save(flags);
	read_lock(lock);
	return flags;
}
static __always_inline bool read_trylock(rwlock_t *lock) __cond_acquires_shared(true, lock) __no_context_analysis
{
	preempt_disable();
	if (__do_read_trylock(lock)) {
		rwlock_acquire_read(&lock->dep_map, 0, 1, _THIS_IP_);
		return true;
	}
	preempt_enable();
	return false;
}
static __always_inline void write_lock(rwlock_t *lock) __acquires(lock) __no_context_analysis
{
	preempt_disable();
	rwlock_acquire(&lock->dep_map, 0, 0, _THIS_IP_);
	__do_write_lock(lock);
}
static __always_inline void write_lock_irq(rwlock_t *lock) __acquires(lock) __no_context_analysis
{
	local_irq_disable();
	write_lock(lock);
}
static __always_inline void write_lock_bh(rwlock_t *lock) __acquires(lock) __no_context_analysis
{
	local_bh_disable();
	write_lock(lock);
}
static __always_inline unsigned long __write_lock_irqsave(rwlock_t *lock) __acquires(lock) __no_context_analysis
{
	unsigned long flags;

	local_irq_save(flags);
	write_lock(lock);
	return flags;
}
static __always_inline bool write_trylock(rwlock_t *lock) __cond_acquires(true, lock) __no_context_analysis
{
	preempt_disable();
	if (__do_write_trylock(lock)) {
		rwlock_acquire(&lock->dep_map, 0, 1, _THIS_IP_);
		return true;
	}
	preempt_enable();
	return false;
}
#define read_lock_irqsave(lock, flags)	((flags) = __read_lock_irqsave(lock))
#define write_lock_irqsave(lock, flags)	((flags) = __write_lock_irqsave(lock))

static __always_inline void read_unlock(rwlock_t *lock) __releases_shared(lock) __no_context_analysis
{
	rwlock_release(&lock->dep_map, _THIS_IP_);
	__do_read_unlock(lock);
	preempt_enable();
}
static __always_inline void read_unlock_irq(rwlock_t *lock) __releases_shared(lock) __no_context_analysis
{
	rwlock_release(&lock->dep_map, _THIS_IP_);
	__do_read_unlock(lock);
	local_irq_enable();
	preempt_enable();
}
static __always_inline void read_unlock_irqrestore(rwlock_t *lock, unsigned long flags)
	__releases_shared(lock) __no_context_analysis
{
	rwlock_release(&lock->dep_map, _THIS_IP_);
	__do_read_unlock(lock);
	local_irq_restore(flags);
	preempt_enable();
}
static __always_inline void read_unlock_bh(rwlock_t *lock) __releases_shared(lock) __no_context_analysis
{
	read_unlock(lock);
	local_bh_enable();
}
static __always_inline void write_unlock(rwlock_t *lock) __releases(lock) __no_context_analysis
{
	rwlock_release(&lock->dep_map, _THIS_IP_);
	__do_write_unlock(lock);
	preempt_enable();
}
static __always_inline void write_unlock_irq(rwlock_t *lock) __releases(lock) __no_context_analysis
{
	rwlock_release(&lock->dep_map, _THIS_IP_);
	__do_write_unlock(lock);
	local_irq_enable();
	preempt_enable();
}
static __always_inline void write_unlock_irqrestore(rwlock_t *lock, unsigned long flags)
	__releases(lock) __no_context_analysis
{
	rwlock_release(&lock->dep_map, _THIS_IP_);
	__do_write_unlock(lock);
	local_irq_restore(flags);
	preempt_enable();
}
static __always_inline void write_unlock_bh(rwlock_t *lock) __releases(lock) __no_context_analysis
{
	write_unlock(lock);
	local_bh_enable();
}

#endif
