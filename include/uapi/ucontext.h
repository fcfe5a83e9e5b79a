/*
 * ucontext.h: what lies on the user stack while a signal handler runs.
 */
#ifndef UAPI_UCONTEXT_H
#define UAPI_UCONTEXT_H

#include <uapi/signal.h>
#include <uapi/sigcontext.h>

#define UC_FP_XSTATE		0x1	/* the floating-point part is an XSAVE image */
#define UC_SIGCONTEXT_SS	0x2	/* sigcontext has ss */
#define UC_STRICT_RESTORE_SS	0x4	/* and sigreturn puts it back */

struct ucontext {
	unsigned long		uc_flags;
	struct ucontext __user	*uc_link;
	stack_t			uc_stack;
	struct sigcontext	uc_mcontext;
	sigset_t		uc_sigmask;	/* last, so that it can grow */
};

#endif
