/*
 * lockdep_test.h: reports of the lock checker, caught instead of printed: for the checker's own tests.
 *
 * Idea:    while a trap is set, what its task would be reported for is noted here, and the checker goes on.  Other tasks
 *          are reported as ever.
 * See:     kernel/locking/lockdep.c, kernel/selftest/lockdep.c
 */
#ifndef WEFT_LOCKDEP_TEST_H
#define WEFT_LOCKDEP_TEST_H

#include <weft/sched.h>

struct lockdep_trap {
	struct task_struct	*task;
	const char		*what;		/* the last report's headline; NULL: none */
	unsigned int		reports;
};

/* One trap at a time; it is the caller's own.  NULL: no more. */
void lockdep_set_trap(struct lockdep_trap *trap);

#endif
