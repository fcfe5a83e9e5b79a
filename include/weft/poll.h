/*
 * poll.h: what a file's ->poll() does: poll_wait() on each queue that may wake it, then the events that are true now.
 *
 * See:     kernel/fs/select.c, eventpoll.c
 */
#ifndef WEFT_POLL_H
#define WEFT_POLL_H

#include <weft/types.h>
#include <weft/wait.h>
#include <weft/fs.h>
#include <uapi/poll.h>
#include <uapi/eventpoll.h>

#define DEFAULT_POLLMASK	(EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

struct poll_table_struct;
typedef void (*poll_queue_proc)(struct file *file, wait_queue_head_t *wq, struct poll_table_struct *pt);

/* _qproc NULL: do not queue, only look.  _key: the events asked for. */
typedef struct poll_table_struct {
	poll_queue_proc	_qproc;
	__poll_t	_key;
} poll_table;

static inline void poll_wait(struct file *file, wait_queue_head_t *wq, poll_table *pt)
{
	if (pt && pt->_qproc && wq)
		pt->_qproc(file, wq, pt);
}
static inline bool poll_does_not_wait(const poll_table *pt) { return !pt || !pt->_qproc; }
static inline __poll_t poll_requested_events(const poll_table *pt) { return pt ? pt->_key : ~(__poll_t)0; }
static inline void init_poll_funcptr(poll_table *pt, poll_queue_proc qproc)
{
	pt->_qproc = qproc;
	pt->_key = ~(__poll_t)0;
}
static inline bool file_can_poll(const struct file *file) { return file->f_op->poll; }
static inline __poll_t vfs_poll(struct file *file, poll_table *pt)
{
	return file->f_op->poll ? file->f_op->poll(file, pt) : DEFAULT_POLLMASK;
}
#define mangle_poll(val)	((__u16)(val))
#define demangle_poll(val)	((__poll_t)(__u16)(val))

#endif
