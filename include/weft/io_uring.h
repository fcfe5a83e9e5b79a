/*
 * io_uring.h: what the rest of the kernel knows of io_uring: a task that used it ends, or becomes another program.
 *
 * See:     kernel/io_uring/task.c
 */
#ifndef WEFT_IO_URING_H
#define WEFT_IO_URING_H

#include <weft/sched.h>

struct file;

void __io_uring_task_gone(struct task_struct *tsk);
void io_wq_worker_exit(struct task_struct *tsk);
void io_sq_thread_exit(struct io_sq_thread *sq);
bool file_is_io_uring(const struct file *file);

/*
 * current exits or executes another program: ends all its requests, waits for them, and for its workers.  May sleep, no
 * locks held.  A worker on its way out hands back what it was doing.
 */
static inline void io_uring_task_gone(struct task_struct *tsk)
{
	if (unlikely(tsk->io_uring))
		__io_uring_task_gone(tsk);
	if (unlikely(tsk->flags & PF_IO_WORKER && tsk->io_sq))
		io_sq_thread_exit(tsk->io_sq);
	else if (unlikely(tsk->flags & PF_IO_WORKER))
		io_wq_worker_exit(tsk);
}

#endif
