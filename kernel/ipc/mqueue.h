/*
 * mqueue.h: POSIX message queues, between mqueue_fs.c (names, files, limits) and mqueue.c (what is done with a queue).
 *
 * Locking: struct mqueue.lock guards what it says; the inode lives while there is a name or an open file.
 * See:     spec.md §8; man 7 mq_overview
 */
#ifndef IPC_MQUEUE_H
#define IPC_MQUEUE_H

#include <weft/fs.h>
#include <weft/list.h>
#include <weft/rbtree.h>
#include <weft/spinlock.h>
#include <weft/wait.h>
#include <uapi/mqueue.h>
#include <uapi/siginfo.h>

struct user_struct;
struct pid;

struct mq_message {
	struct rb_node	node;
	unsigned int	prio;
	size_t		size;
	char		text[];
};

/* A task in mq_send() or mq_receive(), on its stack; it leaves only with the lock. */
struct mq_waiter {
	struct list_head	list;
	struct task_struct	*task;
	struct mq_message	*message;	/* a sender's; a receiver's when it has got one */
	bool			waiting;	/* false: the other side has taken or given the message */
};

struct mqueue {
	spinlock_t		lock;
	struct rb_root		messages;	/* highest priority first, then oldest */
	long			count, max_count, max_size;	/* messages; limits [I] */
	unsigned long		bytes;
	struct list_head	receivers, senders;	/* struct mq_waiter, most urgent task first */
	wait_queue_head_t	poll;
	struct pid		*notify_pid;	/* who wants to know of a message in an empty queue; a reference, or NULL */
	int			notify, signo;
	sigval_t		value;
	struct user_struct	*user;		/* [I] who is charged; a reference */
	long			charge;		/* [I] bytes */
	struct inode		vfs_inode;
};

static inline struct mqueue *MQUEUE_I(struct inode *inode)
{
	return container_of(inode, struct mqueue, vfs_inode);
}

extern const struct file_operations mqueue_file_operations;
/* compat.c; 0 or -EFAULT. */
int mq_attr_from_user(struct mq_attr *attr, const void __user *buf);
int mq_attr_to_user(void __user *buf, const struct mq_attr *attr);
/* Nobody wants to know any more.  Lock held; the caller then wakes q->poll. */
void mq_forget_notify(struct mqueue *q);

#endif
