/*
 * ioprio.h: how urgent a task's or a request's input and output is.
 *
 * See:     ioprio_set(2); kernel/sched/ioprio.c
 */
#ifndef WEFT_IOPRIO_H
#define WEFT_IOPRIO_H

int ioprio_check_cap(int ioprio);	/* may current ask for that?  0, -EINVAL: no such class or level; -EPERM */

#endif
