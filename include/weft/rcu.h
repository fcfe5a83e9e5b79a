/*
 * rcu.h: read-copy-update: readers that neither wait nor write, and freeing that waits for them.
 *
 * What:    rcu_read_lock() to rcu_read_unlock() is a read-side section: it must not sleep.  What a reader found through
 *          rcu_dereference() lives until the section ends, because whoever unlinked it frees it only after a grace period
 *          (call_rcu, kfree_rcu, synchronize_rcu).
 * Idea:    a section is code with preemption off.  When every CPU has since passed a context switch, the idle loop or user
 *          mode, no section that began before can still run: that is a grace period.
 * See:     kernel/locking/rcu.c
 */
#ifndef WEFT_RCU_H
#define WEFT_RCU_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/barrier.h>
#include <weft/preempt.h>
#include <weft/lockdep.h>

struct task_struct;

static __always_inline void rcu_read_lock(void) { preempt_disable(); }
static __always_inline void rcu_read_unlock(void) { preempt_enable(); }
static __always_inline void rcu_read_lock_bh(void) { local_bh_disable(); }
static __always_inline void rcu_read_unlock_bh(void) { local_bh_enable(); }
static __always_inline void rcu_read_lock_sched(void) { preempt_disable(); }
static __always_inline void rcu_read_unlock_sched(void) { preempt_enable(); }

#ifdef CONFIG_DEBUG
bool rcu_read_lock_held(void);			/* locking/rcu.c: as far as it can be told: preemption is off */
#define RCU_LOCKDEP_WARN(c, s)	__lockdep_assert(!(c), s)
#else
#define rcu_read_lock_held()	1
#define RCU_LOCKDEP_WARN(c, s)	do { } while (0)
#endif
#define rcu_read_lock_any_held()	rcu_read_lock_held()
#define rcu_read_lock_sched_held()	rcu_read_lock_held()

#define __rcu_deref(p)			({ __typeof__(*(p)) *__rd = (__typeof__(*(p)) *)READ_ONCE(p); __rd; })
#define rcu_dereference_check(p, c) \
	({ RCU_LOCKDEP_WARN(!((c) || rcu_read_lock_held()), "rcu_dereference: " #p); __rcu_deref(p); })
#define rcu_dereference(p)		rcu_dereference_check(p, 0)
#define rcu_dereference_sched(p)	rcu_dereference_check(p, 0)
#define rcu_dereference_bh(p)		rcu_dereference_check(p, 0)
#define rcu_dereference_raw(p)		__rcu_deref(p)
#define rcu_dereference_raw_check(p)	__rcu_deref(p)
/* For a writer who holds the lock that condition c says. */
#define rcu_dereference_protected(p, c)	({ RCU_LOCKDEP_WARN(!(c), "rcu_dereference_protected: " #p); (p); })
#define rcu_access_pointer(p)		READ_ONCE(p)
#define rcu_assign_pointer(p, v)	smp_store_release(&(p), v)
#define RCU_INIT_POINTER(p, v)		WRITE_ONCE(p, v)
#define RCU_INITIALIZER(v)		(v)
#define rcu_replace_pointer(p, v, c) ({				\
	__typeof__(p) __old = rcu_dereference_protected(p, c);	\
	rcu_assign_pointer(p, v);				\
	__old; })
#define rcu_swap_protected(p, v, c)	do { (v) = rcu_replace_pointer(p, v, c); } while (0)
#define rcu_pointer_handoff(p)		(p)

/* Calls func(head) after a grace period, in a soft interrupt or a kernel thread: it must not sleep.  Any context. */
void call_rcu(struct rcu_head *head, rcu_callback_t func);
/* Waits for a grace period.  May sleep. */
void synchronize_rcu(void);
void synchronize_rcu_expedited(void);
/* Waits until all call_rcu() callbacks that are queued now have run.  May sleep. */
void rcu_barrier(void);

/* kfree(ptr) after a grace period; the rcu_head is a member of *ptr, and its place is told through func. */
void kvfree_call_rcu(struct rcu_head *head, void *ptr);
#define kfree_rcu(ptr, rhf) do {					\
	__typeof__(ptr) __kfr = (ptr);					\
	if (__kfr)							\
		kvfree_call_rcu(&__kfr->rhf, (void *)__kfr);		\
} while (0)
#define kvfree_rcu(ptr, rhf)	kfree_rcu(ptr, rhf)

/* ---- for those who tell RCU what a CPU does ---- */
void rcu_init(void);
void rcu_note_context_switch(bool preempt);	/* schedule(), interrupts off */
void rcu_sched_clock_irq(int user);		/* each tick; user: it came from user mode */
void rcu_idle_enter(void);			/* idle loop, interrupts off: this CPU reads nothing until rcu_idle_exit() */
void rcu_idle_exit(void);
void rcu_irq_enter(void);			/* an interrupt came to an idle CPU: it may read again */
void rcu_irq_exit(void);
bool rcu_needs_cpu(void);			/* this CPU has callbacks to wait for: do not stop its tick for long */
void rcu_cpu_starting(unsigned int cpu);	/* on the CPU, before it is online */
void rcu_softirq_qs(void);
#define rcu_all_qs()		do { } while (0)
#define rcu_nmi_enter()		rcu_irq_enter()
#define rcu_nmi_exit()		rcu_irq_exit()

/* For unconditional polling: a number that names "a grace period from now". */
bool poll_state_synchronize_rcu(unsigned long oldstate);

#define init_rcu_head(h)	do { } while (0)
#define destroy_rcu_head(h)	do { } while (0)

#endif
