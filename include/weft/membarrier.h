/*
 * membarrier.h: what a context switch owes to membarrier(2).  kernel/sched/membarrier.c
 */
#ifndef WEFT_MEMBARRIER_H
#define WEFT_MEMBARRIER_H

#include <weft/mm_types.h>
#include <weft/atomic.h>

/* mm->membarrier_state: for which commands its program registered */
#define MEMBARRIER_STATE_PRIVATE_EXPEDITED	(1 << 0)
#define MEMBARRIER_STATE_GLOBAL_EXPEDITED	(1 << 1)
#define MEMBARRIER_STATE_SYNC_CORE		(1 << 2)

/*
 * Between the last user access of prev and the first of next there must be a full barrier, and one after rq->curr was
 * written.  On x86 the rq lock's atomic instruction is that barrier, and returning to user mode (IRET or SYSRET after a CR3
 * write) serialises: nothing is left to do.
 */
static inline void membarrier_switch_mm(int cpu, struct mm_struct *prev, struct mm_struct *next) { }
static inline void membarrier_mm_sync_core_before_usermode(struct mm_struct *mm) { }
/* execve: the new program has registered for nothing. */
static inline void membarrier_exec_mmap(struct mm_struct *mm) { atomic_set(&mm->membarrier_state, 0); }

#endif
