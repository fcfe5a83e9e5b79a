/*
 * eventpoll.h: what the last fput owes to epoll.
 */
#ifndef WEFT_EVENTPOLL_H
#define WEFT_EVENTPOLL_H

#include <weft/fs.h>
#include <uapi/eventpoll.h>

void eventpoll_release_file(struct file *file);
/* The file goes: forget every epoll item that watches it.  Nobody can add one any more. */
static inline void eventpoll_release(struct file *file)
{
	if (unlikely(!hlist_empty(&file->f_ep)))
		eventpoll_release_file(file);
}


struct epoll_event;
/* epoll_ctl(2) on files; may sleep. */
int do_epoll_ctl(struct file *file, int op, struct file *target, int fd, struct epoll_event *event);

/* The nth of the files that epoll watches as fd: an address to compare, no reference.  ERR_PTR(-EINVAL, -ENOENT). */
struct file *eventpoll_watched_file(struct file *epoll, int fd, unsigned int nth);

#endif
