/*
 * signal_types.h: the structures of signals that task_struct holds by value.  Functions are in signal.h.
 */
#ifndef WEFT_SIGNAL_TYPES_H
#define WEFT_SIGNAL_TYPES_H

#include <weft/types.h>
#include <weft/list.h>
#include <uapi/signal.h>
#include <uapi/siginfo.h>

struct user_struct;
struct pollfd;

/*
 * One queued signal with what it tells.  Rests in a sigpending list, or with the timer that owns it (SIGQUEUE_PREALLOC).
 * `user` is charged for it (RLIMIT_SIGPENDING).
 */
struct sigqueue {
	struct list_head	list;		/* [siglock] */
	int			flags;
	kernel_siginfo_t	info;
	struct user_struct	*user;
};
#define SIGQUEUE_PREALLOC	1	/* belongs to a POSIX timer: goes back to it, is not freed */

/* Signals sent and not yet taken: a set, and the details of those that have any. */
struct sigpending {
	struct list_head	list;		/* of sigqueue, in the order of arrival */
	sigset_t		signal;
};

struct k_sigaction {
	struct sigaction	sa;
};

/* A signal on its way to its handler. */
struct ksignal {
	struct k_sigaction	ka;
	kernel_siginfo_t	info;
	int			sig;
};

/*
 * How to go on with a system call that a signal interrupted and that cannot simply be called again (its timeout has
 * partly passed).  It returns -ERESTART_RESTARTBLOCK, and restart_syscall(2) calls fn.
 */
enum timespec_type { TT_NONE, TT_NATIVE, TT_COMPAT };
struct restart_block {
	unsigned long	arch_data;	/* thread_info->status of the call */
	long		(*fn)(struct restart_block *);
	union {
		struct {
			u32 __user	*uaddr;
			u32		val;
			u32		flags;
			u32		bitset;
			u64		time;	/* ns, absolute */
			u32 __user	*uaddr2;
		} futex;
		struct {
			clockid_t		clockid;
			enum timespec_type	type;
			void __user		*rmtp;	/* struct __kernel_timespec */
			u64			expires;	/* ns, absolute */
		} nanosleep;
		struct {
			struct pollfd __user	*ufds;
			int			nfds;
			int			has_timeout;
			unsigned long		tv_sec, tv_nsec;
		} poll;
	};
};

#endif
