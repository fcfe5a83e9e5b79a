/*
 * signalfd.h: what signals owe to signalfd.
 *
 * The waiters of a signalfd sleep on current->sighand->signalfd_wqh; signal.c wakes them when a signal is queued.
 */
#ifndef WEFT_SIGNALFD_H
#define WEFT_SIGNALFD_H

#include <weft/sched.h>
#include <weft/wait.h>
#include <uapi/signalfd.h>

static inline void signalfd_notify(struct task_struct *tsk, int sig)
{
	if (unlikely(waitqueue_active(&tsk->sighand->signalfd_wqh)))
		wake_up(&tsk->sighand->signalfd_wqh);
}
void signalfd_cleanup(struct sighand_struct *sighand);	/* the queue goes: POLLFREE */

#endif
