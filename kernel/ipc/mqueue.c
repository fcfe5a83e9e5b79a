/*
 * mqueue.c: sending to and receiving from a POSIX message queue, notification, attributes.
 *
 * Idea:    messages are a tree by priority, equals in order of arrival.  A sender hands its message to a waiting receiver; a
 *          receiver that makes room puts the first waiting sender's message in; so who is woken is done (see sem_op.c for
 *          why the waker may write to the sleeper's stack).  The most urgent task waits in front.
 * Locking: q->lock.
 * Cost:    O(log messages) to send and to receive.
 * See:     mqueue.h; spec.md §8; man 3 mq_send, mq_receive, mq_notify, mq_getattr
 */
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/hrtimer.h>
#include <weft/kernel.h>
#include <weft/pid_namespace.h>
#include <weft/mm.h>
#include <weft/pid.h>
#include <weft/poll.h>
#include <weft/posix-timers.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include "mqueue.h"

/* ---- the tree ---- */

static bool goes_before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct mq_message, node)->prio > rb_entry(b, struct mq_message, node)->prio;
}

static void insert(struct mqueue *q, struct mq_message *msg)
{
	rb_add(&msg->node, &q->messages, goes_before);
	q->count++;
	q->bytes += msg->size;
}

static struct mq_message *take_first(struct mqueue *q)
{
	struct mq_message *msg = rb_entry(rb_first(&q->messages), struct mq_message, node);

	rb_erase(&msg->node, &q->messages);
	q->count--;
	q->bytes -= msg->size;
	return msg;
}

/* ---- waiting ---- */

static void add_waiter(struct list_head *waiters, struct mq_waiter *w)
{
	struct mq_waiter *other;

	w->task = current;
	w->waiting = true;
	list_for_each_entry(other, waiters, list)
		if (other->task->prio > current->prio)
			break;
	list_add_tail(&w->list, &other->list);
}

/* Queue locked, unlocked during the sleep.  0: the other side has done it; -ETIMEDOUT, -ERESTARTSYS. */
static int wait_turn(struct mqueue *q, struct list_head *waiters, struct mq_waiter *w, ktime_t *expires)
	__must_hold(&q->lock)
{
	bool timed_out = false;

	add_waiter(waiters, w);
	while (w->waiting && !timed_out && !signal_pending(current)) {
		set_current_state(TASK_INTERRUPTIBLE);
		spin_unlock(&q->lock);
		timed_out = !schedule_hrtimeout_range_clock(expires, 0, HRTIMER_MODE_ABS, CLOCK_REALTIME);
		spin_lock(&q->lock);
	}
	if (!w->waiting)
		return 0;
	list_del(&w->list);
	return timed_out ? -ETIMEDOUT : -ERESTARTSYS;
}

static struct mq_waiter *first_waiter(struct list_head *waiters)
{
	return list_first_entry_or_null(waiters, struct mq_waiter, list);
}

static void complete_waiter(struct mq_waiter *w)
{
	list_del(&w->list);
	w->waiting = false;
	wake_up_process(w->task);
}

/* ---- notification ---- */

void mq_forget_notify(struct mqueue *q)
{
	put_pid(q->notify_pid);
	q->notify_pid = NULL;
}

/* A message has come into the empty queue, and nobody was waiting for it.  Once only. */
static void notify_owner(struct mqueue *q)
{
	struct kernel_siginfo info;
	struct task_struct *task;

	if (!q->notify_pid)
		return;
	if (q->notify == SIGEV_SIGNAL && q->signo) {
		clear_siginfo(&info);
		info.si_signo = q->signo;
		info.si_code = SI_MESGQ;
		info.si_value = q->value;
		rcu_read_lock();
		task = pid_task(q->notify_pid, PIDTYPE_TGID);
		info.si_pid = task_tgid_nr_ns(current, ns_of_pid(q->notify_pid));
		info.si_uid = task ? from_kuid_munged(__task_cred(task)->user_ns, current_uid()) : 0;
		if (task)
			do_send_sig_info(q->signo, &info, task, PIDTYPE_TGID);
		rcu_read_unlock();
	}
	mq_forget_notify(q);
}

static int start_notify(struct mqueue *q, const struct sigevent *event)
{
	if (q->notify_pid)
		return -EBUSY;
	q->notify_pid = get_pid(task_tgid(current));
	q->notify = event->sigev_notify;
	q->signo = event->sigev_signo;
	q->value = event->sigev_value;
	return 0;
}

/* ---- files and descriptors ---- */

/* The queue that mqdes is, opened for mode (FMODE_READ, FMODE_WRITE, 0); fdput() *f.  ERR_PTR(-EBADF). */
static struct mqueue *get_queue(int mqdes, fmode_t mode, struct fd *f)
{
	*f = fdget(mqdes);
	if (!f->file)
		return ERR_PTR(-EBADF);
	if (f->file->f_op == &mqueue_file_operations && (f->file->f_mode & mode) == mode)
		return MQUEUE_I(file_inode(f->file));
	fdput(*f);
	return ERR_PTR(-EBADF);
}

/* The absolute time, or *expires NULL.  0, -EFAULT, -EINVAL. */
static int get_timeout(const struct __kernel_timespec __user *u_timeout, ktime_t *time, ktime_t **expires)
{
	struct timespec64 ts;

	*expires = NULL;
	if (!u_timeout)
		return 0;
	if (get_timespec64(&ts, u_timeout))
		return -EFAULT;
	if (!timespec64_valid(&ts))
		return -EINVAL;
	*time = timespec64_to_ktime(ts);
	*expires = time;
	return 0;
}

static ssize_t mqueue_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct mqueue *q = MQUEUE_I(file_inode(iocb->ki_filp));
	char text[80];
	int len, copied;

	spin_lock(&q->lock);
	len = scnprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes,
			q->notify_pid ? q->notify : 0, q->notify_pid && q->notify == SIGEV_SIGNAL ? q->signo : 0,
			q->notify_pid ? pid_vnr(q->notify_pid) : 0);
	spin_unlock(&q->lock);
	if (iocb->ki_pos >= len || !iov_iter_count(to))
		return 0;
	copied = copy_to_iter(text + iocb->ki_pos, min_t(size_t, len - iocb->ki_pos, iov_iter_count(to)), to);
	iocb->ki_pos += copied;
	return copied ? copied : -EFAULT;
}

static __poll_t mqueue_poll(struct file *file, poll_table *pt)
{
	struct mqueue *q = MQUEUE_I(file_inode(file));
	__poll_t events = 0;

	poll_wait(file, &q->poll, pt);
	spin_lock(&q->lock);
	if (q->count)
		events |= EPOLLIN | EPOLLRDNORM;
	if (q->count < q->max_count)
		events |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock(&q->lock);
	return events;
}

/* Any close() by the process that asked for a notification ends it. */
static int mqueue_flush(struct file *file, fl_owner_t id)
{
	struct mqueue *q = MQUEUE_I(file_inode(file));

	spin_lock(&q->lock);
	if (q->notify_pid && q->notify_pid == task_tgid(current))
		mq_forget_notify(q);
	spin_unlock(&q->lock);
	return 0;
}

const struct file_operations mqueue_file_operations = {
	.read_iter = mqueue_read, .poll = mqueue_poll, .flush = mqueue_flush, .llseek = default_llseek,
};

/* ---- sending ---- */

static struct mq_message *copy_message(const char __user *text, size_t size, unsigned int prio)
{
	struct mq_message *msg = kvmalloc(sizeof(*msg) + size, GFP_KERNEL);

	if (!msg)
		return ERR_PTR(-ENOMEM);
	msg->size = size;
	msg->prio = prio;
	if (copy_from_user(msg->text, text, size)) {
		kvfree(msg);
		return ERR_PTR(-EFAULT);
	}
	return msg;
}

/* 0: the message is on its way.  Queue locked. */
static int send(struct mqueue *q, struct mq_message *msg, bool nonblock, ktime_t *expires) __must_hold(&q->lock)
{
	struct mq_waiter w = { .message = msg }, *receiver;

	if (q->count >= q->max_count)
		return nonblock ? -EAGAIN : wait_turn(q, &q->senders, &w, expires);
	receiver = first_waiter(&q->receivers);
	if (receiver) {
		receiver->message = msg;
		complete_waiter(receiver);
		return 0;
	}
	insert(q, msg);
	if (q->count == 1)
		notify_owner(q);
	wake_up(&q->poll);
	return 0;
}

static int send_to(struct mqueue *q, const char __user *text, size_t size, unsigned int prio, bool nonblock,
		   ktime_t *expires)
{
	struct mq_message *msg;
	int err;

	if (size > (size_t)q->max_size)
		return -EMSGSIZE;
	msg = copy_message(text, size, prio);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	spin_lock(&q->lock);
	err = send(q, msg, nonblock, expires);
	spin_unlock(&q->lock);
	if (err)
		kvfree(msg);
	return err;
}

long sys_mq_timedsend(int mqdes, const char __user *msg_ptr, size_t msg_len, unsigned int msg_prio,
		      const struct __kernel_timespec __user *abs_timeout)
{
	ktime_t time, *expires;
	struct mqueue *q;
	struct fd f;
	int err = get_timeout(abs_timeout, &time, &expires);

	if (err)
		return err;
	if (msg_prio >= MQ_PRIO_MAX)
		return -EINVAL;
	q = get_queue(mqdes, FMODE_WRITE, &f);
	if (IS_ERR(q))
		return PTR_ERR(q);
	err = send_to(q, msg_ptr, msg_len, msg_prio, f.file->f_flags & O_NONBLOCK, expires);
	fdput(f);
	return err;
}

/* ---- receiving ---- */

/* There is room for one more: the first who waits for that sends. */
static void let_sender_in(struct mqueue *q)
{
	struct mq_waiter *sender = first_waiter(&q->senders);

	if (sender) {
		insert(q, sender->message);
		complete_waiter(sender);
	} else {
		wake_up(&q->poll);
	}
}

static struct mq_message *receive(struct mqueue *q, bool nonblock, ktime_t *expires) __must_hold(&q->lock)
{
	struct mq_waiter w = { 0 };
	struct mq_message *msg;
	int err;

	if (q->count) {
		msg = take_first(q);
		let_sender_in(q);
		return msg;
	}
	if (nonblock)
		return ERR_PTR(-EAGAIN);
	err = wait_turn(q, &q->receivers, &w, expires);
	return err ? ERR_PTR(err) : w.message;
}

static long receive_from(struct mqueue *q, char __user *text, size_t room, unsigned int __user *u_prio, bool nonblock,
			 ktime_t *expires)
{
	struct mq_message *msg;
	long ret;

	if (room < (size_t)q->max_size)
		return -EMSGSIZE;
	spin_lock(&q->lock);
	msg = receive(q, nonblock, expires);
	spin_unlock(&q->lock);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	ret = msg->size;
	if ((u_prio && put_user(msg->prio, u_prio)) || copy_to_user(text, msg->text, msg->size))
		ret = -EFAULT;
	kvfree(msg);
	return ret;
}

long sys_mq_timedreceive(int mqdes, char __user *msg_ptr, size_t msg_len, unsigned int __user *msg_prio,
			 const struct __kernel_timespec __user *abs_timeout)
{
	ktime_t time, *expires;
	struct mqueue *q;
	struct fd f;
	long ret = get_timeout(abs_timeout, &time, &expires);

	if (ret)
		return ret;
	q = get_queue(mqdes, FMODE_READ, &f);
	if (IS_ERR(q))
		return PTR_ERR(q);
	ret = receive_from(q, msg_ptr, msg_len, msg_prio, f.file->f_flags & O_NONBLOCK, expires);
	fdput(f);
	return ret;
}

/* ---- mq_notify, mq_getattr, mq_setattr ---- */

long sys_mq_notify(int mqdes, const struct sigevent __user *notification)
{
	struct sigevent event;
	struct mqueue *q;
	struct fd f;
	int err = 0;

	if (notification) {
		if (get_sigevent(&event, notification))
			return -EFAULT;
		/* SIGEV_THREAD is a matter of netlink sockets, of which there are none. */
		if (event.sigev_notify != SIGEV_NONE && event.sigev_notify != SIGEV_SIGNAL)
			return -EINVAL;
		if (event.sigev_notify == SIGEV_SIGNAL && !valid_signal(event.sigev_signo))
			return -EINVAL;
	}
	q = get_queue(mqdes, 0, &f);
	if (IS_ERR(q))
		return PTR_ERR(q);
	spin_lock(&q->lock);
	if (notification)
		err = start_notify(q, &event);
	else if (q->notify_pid == task_tgid(current))
		mq_forget_notify(q);
	spin_unlock(&q->lock);
	fdput(f);
	return err;
}

long sys_mq_getsetattr(int mqdes, const struct mq_attr __user *u_new, struct mq_attr __user *u_old)
{
	struct mq_attr new, old = { 0 };
	struct mqueue *q;
	struct fd f;
	int err = 0;

	if (u_new && mq_attr_from_user(&new, u_new))
		return -EFAULT;
	if (u_new && (new.mq_flags & ~(long)O_NONBLOCK))
		return -EINVAL;
	q = get_queue(mqdes, 0, &f);
	if (IS_ERR(q))
		return PTR_ERR(q);
	spin_lock(&q->lock);
	old.mq_maxmsg = q->max_count;
	old.mq_msgsize = q->max_size;
	old.mq_curmsgs = q->count;
	old.mq_flags = f.file->f_flags & O_NONBLOCK;
	spin_unlock(&q->lock);
	if (u_new) {
		spin_lock(&f.file->f_lock);
		f.file->f_flags = (f.file->f_flags & ~O_NONBLOCK) | new.mq_flags;
		spin_unlock(&f.file->f_lock);
	}
	if (u_old && mq_attr_to_user(u_old, &old))
		err = -EFAULT;
	fdput(f);
	return err;
}
