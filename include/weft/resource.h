/*
 * resource.h: limits and sums of use, inside the kernel.  rlimit() and task_rlimit() are in sched.h.
 */
#ifndef WEFT_RESOURCE_H
#define WEFT_RESOURCE_H

#include <uapi/resource.h>

struct task_struct;

/* What `who` (RUSAGE_*) of p has used.  Takes siglock.  May be called for a zombie under tasklist_lock. */
void getrusage(struct task_struct *p, int who, struct rusage *ru);
/* Sets and tells a limit; new or old may be NULL.  0, -EINVAL, -EPERM. */
int do_prlimit(struct task_struct *tsk, unsigned int resource, const struct rlimit64 *new, struct rlimit64 *old);
int put_rusage(const struct rusage *r, struct rusage __user *ru);	/* 0 or -EFAULT */

/* The limits init_task starts with. */
#define INIT_RLIMITS {									\
	[RLIMIT_CPU]		= { RLIM_INFINITY, RLIM_INFINITY },			\
	[RLIMIT_FSIZE]		= { RLIM_INFINITY, RLIM_INFINITY },			\
	[RLIMIT_DATA]		= { RLIM_INFINITY, RLIM_INFINITY },			\
	[RLIMIT_STACK]		= { _STK_LIM, RLIM_INFINITY },				\
	[RLIMIT_CORE]		= { 0, RLIM_INFINITY },					\
	[RLIMIT_RSS]		= { RLIM_INFINITY, RLIM_INFINITY },			\
	[RLIMIT_NPROC]		= { 0, 0 },	/* from memory size, in fork_init() */	\
	[RLIMIT_NOFILE]		= { INR_OPEN_CUR, INR_OPEN_MAX },			\
	[RLIMIT_MEMLOCK]	= { MLOCK_LIMIT, MLOCK_LIMIT },				\
	[RLIMIT_AS]		= { RLIM_INFINITY, RLIM_INFINITY },			\
	[RLIMIT_LOCKS]		= { RLIM_INFINITY, RLIM_INFINITY },			\
	[RLIMIT_SIGPENDING]	= { 0, 0 },						\
	[RLIMIT_MSGQUEUE]	= { MQ_BYTES_MAX, MQ_BYTES_MAX },			\
	[RLIMIT_NICE]		= { 0, 0 },						\
	[RLIMIT_RTPRIO]		= { 0, 0 },						\
	[RLIMIT_RTTIME]		= { RLIM_INFINITY, RLIM_INFINITY },			\
}

#endif
