/*
 * notify.c: seccomp's supervisor: a process that answers system calls of others through a descriptor.
 *
 * What:    a filter's verdict USER_NOTIF parks the task here until whoever reads the filter's descriptor has answered: a
 *          value, an error, or "make the call after all"; meanwhile it may put files into the task's table.
 *
 *              task                                  supervisor
 *              call parked: NEW                      RECV: takes the oldest NEW
 *                                                    -> SENT; ID_VALID: is it still there?
 *              installs the file, wakes              ADDFD: asks the task to install a file, waits
 *              returns val/error                     SEND -> REPLIED
 *              (signal: gone from the list)          (then: ENOENT)
 *
 * Idea:    the call lives on the waiting task's stack and is linked in the listener's list only while the task waits, so
 *          an identifier that is not in the list is one whose task has gone.
 * Locking: the filter's notify_lock guards the list and all that is on it.  It is never held over a wait.
 * See:     seccomp_unotify(2)
 */
#include <weft/kernel.h>
#include <weft/anon_inodes.h>
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/list.h>
#include <weft/mm.h>
#include <weft/poll.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <asm/syscall.h>
#include "internal.h"

enum call_state { CALL_NEW, CALL_SENT, CALL_REPLIED };

/* All [notify_lock] after it is linked. */
struct call {
	struct list_head		list;		/* in listener->calls */
	struct task_struct		*task;		/* [I] */
	const struct seccomp_data	*data;		/* [I] */
	u64				id;		/* [I] */
	enum call_state			state;
	int				error;
	long				val;
	u32				flags;
	struct completion		ready;		/* replied, or a file to install */
	struct list_head		addfds;		/* addfd->list */
};

/* A file on its way to the task; on the supervisor's stack. */
struct addfd {
	struct list_head	list;		/* empty once it was taken */
	struct call		*call;		/* there as long as we are on its list */
	struct file		*file;
	int			fd;		/* the number wanted, with set */
	bool			set, send;
	unsigned int		flags;		/* O_CLOEXEC */
	int			ret;
	struct completion	done;
};

struct seccomp_listener {
	u64			next_id;	/* [notify_lock] */
	struct list_head	calls;		/* [notify_lock] oldest first */
	atomic_t		news;		/* calls that are NEW */
};

/* ---- the task ---- */

static void install_file(struct call *call, struct addfd *a)
{
	list_del_init(&a->list);
	if (a->set)
		a->ret = replace_fd((unsigned int)a->fd, a->file, a->flags);
	else
		a->ret = receive_fd(a->file, NULL, a->flags);
	if (a->send && a->ret < 0) {
		call->state = CALL_SENT;	/* the answer was to be that file */
	} else if (a->send) {
		call->val = a->ret;
		call->error = 0;
		call->flags = 0;
	}
	complete(&a->done);
}

/* Waits for something to do.  With wait_killable a signal no longer ends the wait once the supervisor has the call. */
static int wait_for_reply(struct seccomp_filter *f, struct call *call) __no_context_analysis	/* drops the lock */
{
	bool killable;
	int err;

	do {
		killable = f->wait_killable && call->state == CALL_SENT;
		mutex_unlock(&f->notify_lock);
		err = killable ? wait_for_completion_killable(&call->ready) : wait_for_completion_interruptible(&call->ready);
		mutex_lock(&f->notify_lock);
	} while (err && !killable && f->wait_killable && call->state == CALL_SENT);
	return err;
}

static int serve(struct seccomp_filter *f, struct call *call)
{
	int err;

	lockdep_assert_held(&f->notify_lock);
	do {
		err = wait_for_reply(f, call);
		if (err)
			return err;
		if (!list_empty(&call->addfds))
			install_file(call, list_first_entry(&call->addfds, struct addfd, list));
	} while (call->state != CALL_REPLIED);
	return 0;
}

/* Takes the call off the list; whoever waits for it to install a file waits in vain. */
static void withdraw(struct seccomp_filter *f, struct call *call)
{
	struct addfd *a, *next;

	list_for_each_entry_safe(a, next, &call->addfds, list) {
		list_del_init(&a->list);
		a->ret = -ESRCH;
		complete(&a->done);
	}
	if (!f->listener)
		return;		/* closed: its list is no more */
	if (call->state == CALL_NEW)
		atomic_dec(&f->listener->news);
	list_del(&call->list);
}

bool seccomp_notify(struct seccomp_filter *f, const struct seccomp_data *data, struct pt_regs *regs)
{
	struct call call = { .task = current, .data = data, .state = CALL_NEW, .error = -ENOSYS };
	int err;

	mutex_lock(&f->notify_lock);
	if (!f->listener) {
		mutex_unlock(&f->notify_lock);
		syscall_set_return_value(regs, -ENOSYS, 0);
		return false;
	}
	init_completion(&call.ready);
	INIT_LIST_HEAD(&call.addfds);
	call.id = f->listener->next_id++;
	list_add_tail(&call.list, &f->listener->calls);
	atomic_inc(&f->listener->news);
	wake_up_poll(&f->wqh, EPOLLIN | EPOLLRDNORM);
	err = serve(f, &call);
	withdraw(f, &call);
	mutex_unlock(&f->notify_lock);

	if (!err && (call.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE))
		return true;
	syscall_set_return_value(regs, err ? err : call.error, call.val);
	return false;
}

/* ---- the supervisor ---- */

static struct call *find_call(struct seccomp_filter *f, u64 id) __must_hold(&f->notify_lock)
{
	struct call *call;

	list_for_each_entry(call, &f->listener->calls, list)
		if (call->id == id)
			return call;
	return NULL;
}

static struct call *find_new(struct seccomp_filter *f) __must_hold(&f->notify_lock)
{
	struct call *call;

	list_for_each_entry(call, &f->listener->calls, list)
		if (call->state == CALL_NEW)
			return call;
	return NULL;
}

/* Takes the oldest new call.  False: somebody was faster. */
static bool take_call(struct seccomp_filter *f, struct seccomp_notif *n)
{
	struct call *call;

	mutex_lock(&f->notify_lock);
	call = find_new(f);
	if (call) {
		call->state = CALL_SENT;
		atomic_dec(&f->listener->news);
		n->id = call->id;
		n->pid = (u32)task_pid_vnr(call->task);
		n->data = *call->data;
	}
	mutex_unlock(&f->notify_lock);
	if (call)
		wake_up_poll(&f->wqh, EPOLLOUT | EPOLLWRNORM);
	return call;
}

/* The supervisor could not be told: the call is new again, if it is still there. */
static void give_back(struct seccomp_filter *f, u64 id)
{
	struct call *call;

	mutex_lock(&f->notify_lock);
	call = find_call(f, id);
	if (call && call->state == CALL_SENT) {
		call->state = CALL_NEW;
		atomic_inc(&f->listener->news);
		wake_up_poll(&f->wqh, EPOLLIN | EPOLLRDNORM);
	}
	mutex_unlock(&f->notify_lock);
}

static bool unused(const struct seccomp_filter *f)
{
	return !refcount_read(&f->users);
}

static long notify_recv(struct seccomp_filter *f, struct seccomp_notif __user *to)
{
	struct seccomp_notif n = {};
	int ret = check_zeroed_user(to, sizeof(n));

	if (ret <= 0)
		return ret ? ret : -EINVAL;
	do {
		ret = wait_event_interruptible(f->wqh, atomic_read(&f->listener->news) || unused(f));
		if (ret)
			return ret;
		if (take_call(f, &n)) {
			if (!copy_to_user(to, &n, sizeof(n)))
				return 0;
			give_back(f, n.id);
			return -EFAULT;
		}
	} while (!unused(f));
	return -ENOENT;
}

static long notify_send(struct seccomp_filter *f, const struct seccomp_notif_resp __user *from)
{
	struct seccomp_notif_resp resp;
	struct call *call;
	long ret = -ENOENT;

	if (copy_from_user(&resp, from, sizeof(resp)))
		return -EFAULT;
	if (resp.flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -EINVAL;
	if ((resp.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) && (resp.error || resp.val))
		return -EINVAL;
	mutex_lock(&f->notify_lock);
	call = find_call(f, resp.id);
	if (call && call->state != CALL_SENT) {
		ret = -EINPROGRESS;
	} else if (call) {
		call->state = CALL_REPLIED;
		call->error = resp.error;
		call->val = resp.val;
		call->flags = resp.flags;
		complete(&call->ready);
		ret = 0;
	}
	mutex_unlock(&f->notify_lock);
	return ret;
}

static long notify_id_valid(struct seccomp_filter *f, const u64 __user *uid)
{
	struct call *call;
	bool valid;
	u64 id;

	if (copy_from_user(&id, uid, sizeof(id)))
		return -EFAULT;
	mutex_lock(&f->notify_lock);
	call = find_call(f, id);
	valid = call && call->state == CALL_SENT;
	mutex_unlock(&f->notify_lock);
	return valid ? 0 : -ENOENT;
}

/* Hands *a to the call's task and wakes it. */
static int queue_addfd(struct seccomp_filter *f, u64 id, struct addfd *a)
{
	struct call *call;
	int err = 0;

	mutex_lock(&f->notify_lock);
	call = find_call(f, id);
	if (!call)
		err = -ENOENT;
	else if (call->state != CALL_SENT)
		err = -EINPROGRESS;
	else if (a->send && !list_empty(&call->addfds))
		err = -EBUSY;		/* the answer must be the last that it hears of us */
	if (!err) {
		if (a->send)
			call->state = CALL_REPLIED;
		a->call = call;
		list_add_tail(&a->list, &call->addfds);
		complete(&call->ready);
	}
	mutex_unlock(&f->notify_lock);
	return err;
}

/* A signal came first: takes *a back, unless the task has it. */
static int cancel_addfd(struct seccomp_filter *f, struct addfd *a, int err)
{
	mutex_lock(&f->notify_lock);
	if (list_empty(&a->list)) {
		err = a->ret;
	} else {
		list_del(&a->list);
		if (a->send)
			a->call->state = CALL_SENT;
	}
	mutex_unlock(&f->notify_lock);
	return err;
}

static long notify_addfd(struct seccomp_filter *f, const void __user *from, size_t size)
{
	struct seccomp_notif_addfd req;
	struct addfd a = {};
	int err;

	if (size < sizeof(req) || size >= PAGE_SIZE)
		return -EINVAL;
	err = copy_struct_from_user(&req, sizeof(req), from, size);
	if (err)
		return err;
	if ((req.newfd_flags & ~O_CLOEXEC) || (req.flags & ~(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) ||
	    (req.newfd && !(req.flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	a.file = fget(req.srcfd);
	if (!a.file)
		return -EBADF;
	a.fd = (int)req.newfd;
	a.flags = req.newfd_flags;
	a.set = req.flags & SECCOMP_ADDFD_FLAG_SETFD;
	a.send = req.flags & SECCOMP_ADDFD_FLAG_SEND;
	init_completion(&a.done);
	err = queue_addfd(f, req.id, &a);
	if (!err) {
		err = wait_for_completion_interruptible(&a.done);
		err = err ? cancel_addfd(f, &a, err) : a.ret;
	}
	fput(a.file);
	return err;
}

static long notify_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct seccomp_filter *f = file->private_data;
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return notify_recv(f, p);
	case SECCOMP_IOCTL_NOTIF_SEND:
		return notify_send(f, p);
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case SECCOMP_IOCTL_NOTIF_ID_VALID_OLD:
		return notify_id_valid(f, p);
	}
	/* Its structure may grow: the size in the number is the caller's. */
	if (_IOC_TYPE(cmd) == '!' && _IOC_NR(cmd) == 3 && _IOC_DIR(cmd) == _IOC_WRITE)
		return notify_addfd(f, p, _IOC_SIZE(cmd));
	return -EINVAL;
}

static __poll_t notify_poll(struct file *file, struct poll_table_struct *wait)
{
	struct seccomp_filter *f = file->private_data;
	struct call *call;
	__poll_t events = 0;

	poll_wait(file, &f->wqh, wait);
	mutex_lock(&f->notify_lock);
	list_for_each_entry(call, &f->listener->calls, list) {
		if (call->state == CALL_NEW)
			events |= EPOLLIN | EPOLLRDNORM;
		if (call->state == CALL_SENT)
			events |= EPOLLOUT | EPOLLWRNORM;
	}
	mutex_unlock(&f->notify_lock);
	if (unused(f))
		events |= EPOLLHUP;
	return events;
}

/* Nobody will answer: all calls that wait are absent. */
static void detach_listener(struct seccomp_filter *f)
{
	struct call *call;

	mutex_lock(&f->notify_lock);
	list_for_each_entry(call, &f->listener->calls, list) {
		if (call->state == CALL_REPLIED)
			continue;
		call->state = CALL_REPLIED;
		call->error = -ENOSYS;
		call->val = 0;
		complete(&call->ready);
	}
	kfree(f->listener);
	f->listener = NULL;
	mutex_unlock(&f->notify_lock);
}

static int notify_release(struct inode *inode, struct file *file)
{
	struct seccomp_filter *f = file->private_data;

	if (f) {
		detach_listener(f);
		seccomp_put(f);
	}
	return 0;
}

static const struct file_operations notify_fops = {
	.poll		= notify_poll,
	.release	= notify_release,
	.unlocked_ioctl	= notify_ioctl,
};

struct file *seccomp_make_listener(struct seccomp_filter *f)
{
	struct seccomp_listener *l = kzalloc(sizeof(*l), GFP_KERNEL);
	struct file *file;

	if (!l)
		return ERR_PTR(-ENOMEM);
	l->next_id = get_random_u64();
	INIT_LIST_HEAD(&l->calls);
	file = anon_inode_getfile("seccomp notify", &notify_fops, f, O_RDWR);
	if (IS_ERR(file)) {
		kfree(l);
		return file;
	}
	f->listener = l;
	refcount_inc(&f->refs);
	return file;
}

void seccomp_drop_listener(struct file *file, struct seccomp_filter *f)
{
	detach_listener(f);
	file->private_data = NULL;	/* the file goes later, on the way to user mode */
	fput(file);
	seccomp_put(f);
}
