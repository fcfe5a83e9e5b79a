/*
 * siginfo.h: what a signal tells besides its number; what a timer or a message queue is told to send.
 *
 * See:     sigaction(2) "The siginfo_t argument", sigevent(7)
 */
#ifndef UAPI_SIGINFO_H
#define UAPI_SIGINFO_H

#include <weft/types.h>
#include <weft/compiler.h>

typedef union sigval {
	int		sival_int;
	void __user	*sival_ptr;
} sigval_t;

#define SI_MAX_SIZE	128

union __sifields {
	struct { int _pid; u32 _uid; } _kill;
	struct { int _tid; int _overrun; sigval_t _sigval; int _sys_private; } _timer;
	struct { int _pid; u32 _uid; sigval_t _sigval; } _rt;
	struct { int _pid; u32 _uid; int _status; long _utime; long _stime; } _sigchld;
	struct {
		void __user *_addr;
		union {
			int _trapno;
			short _addr_lsb;
			struct { char _dummy_bnd[8]; void __user *_lower, *_upper; } _addr_bnd;
			struct { char _dummy_pkey[8]; u32 _pkey; } _addr_pkey;
		};
	} _sigfault;
	struct { long _band; int _fd; } _sigpoll;
	struct { void __user *_call_addr; int _syscall; unsigned int _arch; } _sigsys;
};

#define __SIGINFO struct { int si_signo; int si_errno; int si_code; union __sifields _sifields; }

/* User memory holds the full 128 bytes ... */
typedef struct siginfo {
	union {
		__SIGINFO;
		int _si_pad[SI_MAX_SIZE / sizeof(int)];
	};
} siginfo_t;

/* ... the kernel keeps only what has a meaning. */
typedef struct kernel_siginfo {
	__SIGINFO;
} kernel_siginfo_t;

#define si_pid		_sifields._kill._pid
#define si_uid		_sifields._kill._uid
#define si_tid		_sifields._timer._tid
#define si_overrun	_sifields._timer._overrun
#define si_sys_private	_sifields._timer._sys_private
#define si_status	_sifields._sigchld._status
#define si_utime	_sifields._sigchld._utime
#define si_stime	_sifields._sigchld._stime
#define si_value	_sifields._rt._sigval
#define si_int		_sifields._rt._sigval.sival_int
#define si_ptr		_sifields._rt._sigval.sival_ptr
#define si_addr		_sifields._sigfault._addr
#define si_trapno	_sifields._sigfault._trapno
#define si_addr_lsb	_sifields._sigfault._addr_lsb
#define si_band		_sifields._sigpoll._band
#define si_fd		_sifields._sigpoll._fd
#define si_call_addr	_sifields._sigsys._call_addr
#define si_syscall	_sifields._sigsys._syscall
#define si_arch		_sifields._sigsys._arch

/* si_code: <= 0 from a program, > 0 from the kernel. */
#define SI_USER		0		/* kill, raise */
#define SI_KERNEL	0x80
#define SI_QUEUE	(-1)
#define SI_TIMER	(-2)
#define SI_MESGQ	(-3)
#define SI_ASYNCIO	(-4)
#define SI_SIGIO	(-5)
#define SI_TKILL	(-6)
#define SI_DETHREAD	(-7)
#define SI_ASYNCNL	(-60)
#define SI_FROMUSER(i)	((i)->si_code <= 0)
#define SI_FROMKERNEL(i) ((i)->si_code > 0)

#define ILL_ILLOPC	1
#define ILL_ILLOPN	2
#define ILL_ILLADR	3
#define ILL_ILLTRP	4
#define ILL_PRVOPC	5
#define ILL_PRVREG	6
#define ILL_COPROC	7
#define ILL_BADSTK	8
#define FPE_INTDIV	1
#define FPE_INTOVF	2
#define FPE_FLTDIV	3
#define FPE_FLTOVF	4
#define FPE_FLTUND	5
#define FPE_FLTRES	6
#define FPE_FLTINV	7
#define FPE_FLTSUB	8
#define FPE_FLTUNK	14
#define SEGV_MAPERR	1		/* no area at the address */
#define SEGV_ACCERR	2		/* an area, but not with this right */
#define SEGV_BNDERR	3
#define SEGV_PKUERR	4
#define BUS_ADRALN	1
#define BUS_ADRERR	2
#define BUS_OBJERR	3
#define TRAP_BRKPT	1
#define TRAP_TRACE	2
#define TRAP_BRANCH	3
#define TRAP_HWBKPT	4
#define TRAP_UNK	5
#define CLD_EXITED	1
#define CLD_KILLED	2
#define CLD_DUMPED	3
#define CLD_TRAPPED	4
#define CLD_STOPPED	5
#define CLD_CONTINUED	6
#define NSIGCHLD	6
#define POLL_IN		1
#define POLL_OUT	2
#define POLL_MSG	3
#define POLL_ERR	4
#define POLL_PRI	5
#define POLL_HUP	6
#define NSIGPOLL	6
#define SYS_SECCOMP	1

#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD	2
#define SIGEV_THREAD_ID	4
#define SIGEV_MAX_SIZE	64

typedef struct sigevent {
	sigval_t	sigev_value;
	int		sigev_signo;
	int		sigev_notify;
	union {
		int	_pad[(SIGEV_MAX_SIZE - sizeof(sigval_t) - 2 * sizeof(int)) / sizeof(int)];
		int	_tid;
		struct { void (*_function)(sigval_t); void *_attribute; } _sigev_thread;
	} _sigev_un;
} sigevent_t;
#define sigev_notify_thread_id	_sigev_un._tid

_Static_assert(sizeof(siginfo_t) == SI_MAX_SIZE, "siginfo_t ABI");
_Static_assert(sizeof(kernel_siginfo_t) == 48, "the part of siginfo_t with a meaning");
_Static_assert(sizeof(sigevent_t) == SIGEV_MAX_SIZE, "sigevent ABI");
_Static_assert(__builtin_offsetof(siginfo_t, si_addr) == 16, "siginfo_t ABI");
_Static_assert(__builtin_offsetof(siginfo_t, si_value) == 24, "siginfo_t ABI");

#endif
