/*
 * seqlock.h: readers that take no lock but read again when a writer came in between.
 *
 * What:    seqcount_t: the bare count, for writers that are serialised by something else (seqcount_spinlock_t and friends
 *          are the same, named for what serialises).  seqlock_t: a count with its own spinlock.
 * Idea:    odd while a write is under way; a reader whose count changed, or was odd, saw a mixture and tries again.
 * Locking: a writer must not be preempted or interrupted by a reader of the same CPU, who would spin for ever: write
 *          sections run with preemption off, and interrupts off if readers are in interrupts.
 */
#ifndef WEFT_SEQLOCK_H
#define WEFT_SEQLOCK_H

#include <weft/types.h>
#include <weft/spinlock.h>

typedef struct seqcount { unsigned int sequence; } seqcount_t;
typedef seqcount_t seqcount_spinlock_t, seqcount_raw_spinlock_t, seqcount_rwlock_t, seqcount_mutex_t, seqcount_latch_t;

#define SEQCNT_ZERO(name)		{ .sequence = 0 }
#define SEQCNT_SPINLOCK_ZERO(name, l)	{ .sequence = 0 }
#define SEQCNT_MUTEX_ZERO(name, l)	{ .sequence = 0 }
#define SEQCNT_LATCH_ZERO(name)		{ .sequence = 0 }
#define seqcount_init(s)		do { (s)->sequence = 0; } while (0)
#define seqcount_spinlock_init(s, lock)	do { (void)(lock); seqcount_init(s); } while (0)
#define seqcount_raw_spinlock_init(s, lock) seqcount_spinlock_init(s, lock)
#define seqcount_mutex_init(s, lock)	seqcount_spinlock_init(s, lock)
#define seqcount_latch_init(s)		seqcount_init(s)

static __always_inline unsigned int raw_read_seqcount(const seqcount_t *s) { return smp_load_acquire(&s->sequence); }
static __always_inline unsigned int __read_seqcount_begin(const seqcount_t *s)
{
	unsigned int seq;

	while ((seq = READ_ONCE(s->sequence)) & 1)
		__builtin_ia32_pause();
	return seq;
}
static __always_inline unsigned int read_seqcount_begin(const seqcount_t *s)
{
	unsigned int seq = __read_seqcount_begin(s);

	smp_rmb();
	return seq;
}
#define raw_read_seqcount_begin(s)	read_seqcount_begin(s)
/* The count without waiting; made even, so that a read during a write fails its retry check. */
static __always_inline unsigned int raw_seqcount_begin(const seqcount_t *s) { return raw_read_seqcount(s) & ~1u; }
static __always_inline bool __read_seqcount_retry(const seqcount_t *s, unsigned int start)
{
	return unlikely(READ_ONCE(s->sequence) != start);
}
static __always_inline bool read_seqcount_retry(const seqcount_t *s, unsigned int start)
{
	smp_rmb();
	return __read_seqcount_retry(s, start);
}

static __always_inline void raw_write_seqcount_begin(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, s->sequence + 1);
	smp_wmb();
}
static __always_inline void raw_write_seqcount_end(seqcount_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 1);
}
static __always_inline void write_seqcount_begin(seqcount_t *s) { preempt_disable(); raw_write_seqcount_begin(s); }
static __always_inline void write_seqcount_end(seqcount_t *s) { raw_write_seqcount_end(s); preempt_enable(); }
#define write_seqcount_begin_nested(s, sub)	write_seqcount_begin(s)
/* Makes readers that are under way fail, without a write section of its own. */
static __always_inline void write_seqcount_invalidate(seqcount_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 2);
}
/* Latch: two copies, the low bit says which one readers use; the writer updates the other. */
static __always_inline void raw_write_seqcount_latch(seqcount_latch_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 1);
	smp_wmb();
}
#define raw_read_seqcount_latch(s)	READ_ONCE((s)->sequence)
#define read_seqcount_latch_retry(s, start) read_seqcount_retry(s, start)

typedef struct context_lock_struct(seqlock) seqlock {
	seqcount_t	seqcount;
	spinlock_t	lock;
} seqlock_t;

#define __SEQLOCK_UNLOCKED(lockname)	{ .lock = __SPIN_LOCK_UNLOCKED(lockname) }
#define DEFINE_SEQLOCK(x)		seqlock_t x = __SEQLOCK_UNLOCKED(x)
#define seqlock_init(sl)		do { spin_lock_init(&(sl)->lock); seqcount_init(&(sl)->seqcount); } while (0)

static __always_inline unsigned int read_seqbegin(const seqlock_t *sl) { return read_seqcount_begin(&sl->seqcount); }
static __always_inline bool read_seqretry(const seqlock_t *sl, unsigned int start)
{
	return read_seqcount_retry(&sl->seqcount, start);
}

static __always_inline void write_seqlock(seqlock_t *sl) __acquires(sl) __no_context_analysis
{
	spin_lock(&sl->lock);
	raw_write_seqcount_begin(&sl->seqcount);
}
static __always_inline void write_sequnlock(seqlock_t *sl) __releases(sl) __no_context_analysis
{
	raw_write_seqcount_end(&sl->seqcount);
	spin_unlock(&sl->lock);
}
static __always_inline void write_seqlock_irq(seqlock_t *sl) __acquires(sl) __no_context_analysis
{
	spin_lock_irq(&sl->lock);
	raw_write_seqcount_begin(&sl->seqcount);
}
static __always_inline void write_sequnlock_irq(seqlock_t *sl) __releases(sl) __no_context_analysis
{
	raw_write_seqcount_end(&sl->seqcount);
	spin_unlock_irq(&sl->lock);
}
static __always_inline void write_seqlock_bh(seqlock_t *sl) __acquires(sl) __no_context_analysis
{
	spin_lock_bh(&sl->lock);
	raw_write_seqcount_begin(&sl->seqcount);
}
static __always_inline void write_sequnlock_bh(seqlock_t *sl) __releases(sl) __no_context_analysis
{
	raw_write_seqcount_end(&sl->seqcount);
	spin_unlock_bh(&sl->lock);
}
static __always_inline unsigned long __write_seqlock_irqsave(seqlock_t *sl) __acquires(sl) __no_context_analysis
{
	unsigned long flags;

	spin_lock_irqsave(&sl->lock, flags);
	raw_write_seqcount_begin(&sl->seqcount);
	return flags;
}
#define write_seqlock_irqsave(sl, flags)	((flags) = __write_seqlock_irqsave(sl))
static __always_inline void write_sequnlock_irqrestore(seqlock_t *sl, unsigned long flags) __releases(sl) __no_context_analysis
{
	raw_write_seqcount_end(&sl->seqcount);
	spin_unlock_irqrestore(&sl->lock, flags);
}

/* A reader that keeps writers out, and does not make other readers retry. */
static __always_inline void read_seqlock_excl(seqlock_t *sl) __acquires_shared(sl) __no_context_analysis
{
	spin_lock(&sl->lock);
}
static __always_inline void read_sequnlock_excl(seqlock_t *sl) __releases_shared(sl) __no_context_analysis
{
	spin_unlock(&sl->lock);
}
static __always_inline void read_seqlock_excl_irq(seqlock_t *sl) __acquires_shared(sl) __no_context_analysis
{
	spin_lock_irq(&sl->lock);
}
static __always_inline void read_sequnlock_excl_irq(seqlock_t *sl) __releases_shared(sl) __no_context_analysis
{
	spin_unlock_irq(&sl->lock);
}

/* First try without the lock (*seq even), the second time with it: (*seq odd): see rename_lock in fs/dcache.c. */
static inline void read_seqbegin_or_lock(seqlock_t *sl, int *seq) __no_context_analysis
{
	if (!(*seq & 1))
		*seq = read_seqbegin(sl);
	else
		read_seqlock_excl(sl);
}
static inline bool need_seqretry(seqlock_t *sl, int seq) { return !(seq & 1) && read_seqretry(sl, seq); }
static inline void done_seqretry(seqlock_t *sl, int seq) __no_context_analysis
{
	if (seq & 1)
		read_sequnlock_excl(sl);
}

#endif
