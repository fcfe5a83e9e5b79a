/*
 * coredump.h: between coredump.c, which decides whether, where and of whom, and elf_core.c, which knows the format.
 */
#ifndef TASK_COREDUMP_H
#define TASK_COREDUMP_H

#include <weft/completion.h>
#include <weft/sched.h>
#include <weft/signal_types.h>

struct file;

/* A thread that waits, with its registers saved, until the dump is done.  On its own stack. */
struct core_thread {
	struct task_struct	*task;
	struct core_thread	*next;
};

/* signal->core_state while a dump is under way.  On the dumper's stack. */
struct core_state {
	int			waiting;	/* [siglock] threads that have not come to do_exit() */
	struct completion	startup;	/* all have */
	struct core_thread	dumper;		/* [siglock until startup, then fixed] head of the list */
};

/* Where the dump goes, and what it is of. */
struct core_dump {
	const kernel_siginfo_t	*info;
	struct core_thread	*threads;	/* the dumper first */
	struct file		*file;		/* a file, or a pipe's writing end */
	bool			seeks;		/* holes can be left out */
	loff_t			pos;
	u64			skipped;	/* bytes of zeros before what is written next */
	u64			written;
	u64			limit;		/* of written: RLIMIT_CORE */
};

/* False: no room, the limit, an error, or we were killed: give up. */
bool dump_emit(struct core_dump *d, const void *data, size_t len);
void dump_skip(struct core_dump *d, u64 len);			/* zeros, as a hole where that goes */
/* False: not even begun.  A core that was cut off is one. */
bool elf_core_dump(struct core_dump *d);

#endif
