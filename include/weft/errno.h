/*
 * errno.h: the error numbers of the ABI, and those that never leave the kernel.
 *
 * ERESTART*: a system call that a signal interrupted returns one of them; the signal code turns it into EINTR or
 * restarts the call (arch/x86/signal.c).
 */
#ifndef WEFT_ERRNO_H
#define WEFT_ERRNO_H

#include <uapi/errno.h>

#define ERESTARTSYS		512	/* restart if the handler has SA_RESTART, or none runs */
#define ERESTARTNOINTR		513	/* restart always */
#define ERESTARTNOHAND		514	/* restart only if no handler runs */
#define ENOIOCTLCMD		515	/* this layer does not know the command: ask the next; ENOTTY at last */
#define ERESTART_RESTARTBLOCK	516	/* restart by restart_syscall() with adjusted arguments */
#define EPROBE_DEFER		517
#define EOPENSTALE		518
#define ENOPARAM		519
#define EIOCBQUEUED		529	/* the request is under way; completion comes later */

#endif
