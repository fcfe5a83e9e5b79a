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


#endif
