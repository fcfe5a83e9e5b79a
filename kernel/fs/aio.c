/*
 * aio.c: native asynchronous I/O: io_setup(2), io_submit(2), io_getevents(2) and their relatives.
 *
 * What:    a context belongs to an address space and holds the events that nobody has fetched.  Its number is the address of a
 *          page of zeroes in the program: libaio looks there for a ring that it could read by itself, finds none, and calls.
 * Idea:    reads and writes of files opened with O_DIRECT are started by io_submit(); the end of the last piece of I/O, an
 *          interrupt mostly, makes the event.  Reads and writes through the page cache, and syncs, are done by io_submit()
 *          itself, as on Linux: the event is there when the call returns.  IOCB_CMD_POLL waits on the file's wait queue,
 *          whose wake-up queues work that asks the file again.
 * Locking: aio_lock: the lists of contexts.  ctx->lock (interrupts off): events, polls, what is under way.  A poll ends once:
 *          who takes it out of ctx->polls.  Its work runs on one CPU at a time; a wake-up that comes while it runs queues it
 *          again.
 * See:     io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2)
 */
#include <weft/aio.h>
#include <weft/blk_plug.h>
#include <weft/compat.h>
#include <weft/err.h>
#include <weft/eventfd.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/hrtimer.h>
#include <weft/init.h>
#include <weft/mm.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <weft/workqueue.h>
#include <uapi/aio_abi.h>
#include <uapi/mman.h>


struct aio_ctx {
	struct list_head	list;		/* [aio_lock] mm->aio_contexts; empty: destroyed */
	unsigned long		id;		/* [I] */
	unsigned int		max;		/* [I] requests that may be under way or not fetched */
	refcount_t		refs;
	spinlock_t		lock;
	unsigned int		used;		/* [lock] of max */
	bool			dead;		/* [lock] */
	struct list_head	events;		/* [lock] struct aio_req, ended */
	struct list_head	polls;		/* [lock] struct aio_req, waiting */
	unsigned int		inflight;	/* [lock] reads and writes that end by themselves */
	wait_queue_head_t	wait;		/* who fetches events; and who destroys, for the last that is under way */
};

struct aio_req {
	struct list_head	list;		/* [ctx->lock] */
	struct aio_ctx		*ctx;
	struct io_event		event;
	struct eventfd_ctx	*evfd;		/* IOCB_FLAG_RESFD */
	struct file		*file;		/* of what is under way: a reference */
	struct kiocb		iocb;		/* reads and writes */
	/* polls */
	struct wait_queue_head	*head;		/* NULL: not queued */
	struct wait_queue_entry	wait;
	struct work_struct	work;
	__poll_t		events;
	__poll_t		result;		/* found by a run that was not the last */
	bool			cancelled, twice;
	bool			arming;		/* [ctx->lock] being submitted: must not end yet */
};

static DEFINE_SPINLOCK(aio_lock);
static unsigned long aio_nr;			/* [aio_lock] sum of all max */
static unsigned long aio_max_nr = 0x10000;	/* [-] of all contexts together */

static void put_ctx(struct aio_ctx *ctx)
{
	if (refcount_dec_and_test(&ctx->refs))
		kfree(ctx);
}

/* + reference, or NULL. */
static struct aio_ctx *find_ctx(unsigned long id)
{
	struct aio_ctx *ctx, *found = NULL;

	spin_lock(&aio_lock);
	list_for_each_entry(ctx, &current->mm->aio_contexts, list)
		if (ctx->id == id) {
			refcount_inc(&ctx->refs);
			found = ctx;
			break;
		}
	spin_unlock(&aio_lock);
	return found;
}

/* ---- requests ---- */

static struct aio_req *get_req(struct aio_ctx *ctx)
{
	struct aio_req *req = kzalloc(sizeof(*req), GFP_KERNEL);
	bool room;

	if (!req)
		return NULL;
	spin_lock_irq(&ctx->lock);
	room = ctx->used < ctx->max && !ctx->dead;
	ctx->used += room;
	spin_unlock_irq(&ctx->lock);
	if (!room) {
		kfree(req);
		return NULL;
	}
	INIT_LIST_HEAD(&req->list);
	req->ctx = ctx;
	return req;
}

static void free_req(struct aio_req *req)
{
	if (req->evfd)
		eventfd_ctx_put(req->evfd);
	kfree(req);
}

static void forget_req(struct aio_req *req)
{
	spin_lock_irq(&req->ctx->lock);
	req->ctx->used--;
	spin_unlock_irq(&req->ctx->lock);
	free_req(req);
}

/* Its event can be fetched.  In no list; the request must not be touched afterwards.  Any context. */
static void end_req(struct aio_req *req, long res)
{
	struct aio_ctx *ctx = req->ctx;
	unsigned long flags;

	req->event.res = res;
	if (req->evfd) {
		eventfd_signal(req->evfd, 1);
		eventfd_ctx_put(req->evfd);
		req->evfd = NULL;
	}
	spin_lock_irqsave(&ctx->lock, flags);
	list_add_tail(&req->list, &ctx->events);
	spin_unlock_irqrestore(&ctx->lock, flags);
	wake_up_all(&ctx->wait);
}

/* ---- IOCB_CMD_POLL ---- */

static int poll_woken(struct wait_queue_entry *e, unsigned int mode, int flags, void *key)
{
	struct aio_req *req = container_of(e, struct aio_req, wait);
	__poll_t mask = key_to_poll(key);

	if (mask & POLLFREE) {		/* the queue goes: see kernel/io_uring/poll.c */
		WRITE_ONCE(req->cancelled, true);
		list_del_init(&req->wait.entry);
		schedule_work(&req->work);
		smp_store_release(&req->head, NULL);
		return 1;
	}
	if (mask && !(mask & req->events))
		return 0;
	schedule_work(&req->work);
	return 1;
}

static void unqueue(struct aio_req *req)
{
	struct wait_queue_head *head;

	rcu_read_lock();
	head = smp_load_acquire(&req->head);
	if (head) {
		spin_lock_irq(&head->lock);
		list_del_init(&req->wait.entry);
		req->head = NULL;
		spin_unlock_irq(&head->lock);
	}
	rcu_read_unlock();
}

static void poll_work(struct work_struct *work)
{
	struct aio_req *req = container_of(work, struct aio_req, work);
	struct aio_ctx *ctx = req->ctx;
	poll_table pt = { ._key = req->events };
	__poll_t mask = req->result;
	bool later;

	if (!mask)
		mask = vfs_poll(req->file, &pt) & req->events;
	if (!mask && !READ_ONCE(req->cancelled))
		return;
	spin_lock_irq(&ctx->lock);
	later = req->arming;
	spin_unlock_irq(&ctx->lock);
	if (later)
		return;				/* the submitter queues us once more */
	unqueue(req);
	spin_lock_irq(&ctx->lock);
	if (work_pending(&req->work)) {		/* queued meanwhile: that run ends it, there will be no other */
		req->cancelled = true;
		req->result = mask;
		spin_unlock_irq(&ctx->lock);
		return;
	}
	list_del_init(&req->list);
	spin_unlock_irq(&ctx->lock);
	fput(req->file);
	end_req(req, mangle_poll(mask));
	put_ctx(ctx);
}

struct aio_poll_table {
	poll_table	pt;
	struct aio_req	*req;
};

static void queue_poll(struct file *file, wait_queue_head_t *head, poll_table *pt)
{
	struct aio_req *req = container_of(pt, struct aio_poll_table, pt)->req;

	if (req->head) {
		req->twice = true;	/* more than one queue is not for us */
		return;
	}
	init_waitqueue_func_entry(&req->wait, poll_woken);
	req->head = head;
	add_wait_queue(head, &req->wait);
}

/* 0: the request is under way. */
static int submit_poll(struct aio_req *req, const struct iocb *cb, struct file *file)
{
	struct aio_poll_table t = { .req = req };
	struct aio_ctx *ctx = req->ctx;

	if ((u16)cb->aio_buf != cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags)
		return -EINVAL;
	req->events = demangle_poll(cb->aio_buf) | EPOLLERR | EPOLLHUP;
	req->file = get_file(file);
	INIT_WORK(&req->work, poll_work);
	refcount_inc(&ctx->refs);
	spin_lock_irq(&ctx->lock);
	req->arming = true;
	list_add_tail(&req->list, &ctx->polls);
	spin_unlock_irq(&ctx->lock);
	init_poll_funcptr(&t.pt, queue_poll);
	t.pt._key = req->events;
	vfs_poll(file, &t.pt);
	if (req->twice || !req->head)
		req->cancelled = true;
	/* It may be ready already.  Under the lock: a run that would end it sees the work queued, and leaves it. */
	spin_lock_irq(&ctx->lock);
	req->arming = false;
	schedule_work(&req->work);
	spin_unlock_irq(&ctx->lock);
	return 0;
}

/* ---- reading, writing, syncing ---- */

static long user_error(long res)
{
	if (res == -ERESTARTSYS || res == -ERESTARTNOINTR || res == -ERESTARTNOHAND || res == -ERESTART_RESTARTBLOCK)
		return -EINTR;
	return res;
}

/*
 * What was under way has ended.  Any context.  The context is kept by its count of such requests, which falls last: who
 * destroys it waits for that, under ctx->lock.
 */
static void rw_complete(struct kiocb *iocb, long res)
{
	struct aio_req *req = container_of(iocb, struct aio_req, iocb);
	struct aio_ctx *ctx = req->ctx;
	struct file *file = req->file;
	unsigned long flags;

	end_req(req, user_error(res));
	fput(file);
	spin_lock_irqsave(&ctx->lock, flags);
	if (!--ctx->inflight && ctx->dead)
		wake_up_all(&ctx->wait);
	spin_unlock_irqrestore(&ctx->lock, flags);
}

static void count_inflight(struct aio_ctx *ctx)
{
	spin_lock_irq(&ctx->lock);
	ctx->inflight++;
	spin_unlock_irq(&ctx->lock);
}

static ssize_t make_iter(const struct iocb *cb, int dir, struct iovec **iov, struct iov_iter *iter)
{
	if (cb->aio_lio_opcode == IOCB_CMD_PREADV || cb->aio_lio_opcode == IOCB_CMD_PWRITEV)
		return import_iovec(dir, (const struct iovec __user *)cb->aio_buf, (unsigned int)cb->aio_nbytes, UIO_FASTIOV,
				    iov, iter);
	*iov = NULL;
	return import_ubuf(dir, (void __user *)cb->aio_buf, cb->aio_nbytes, iter);
}

/* Its event is there, or comes. */
static void do_rw(struct aio_req *req, const struct iocb *cb, struct file *file, int dir)
{
	struct iovec fast[UIO_FASTIOV], *iov = fast;
	struct iov_iter iter;
	ssize_t n = make_iter(cb, dir, &iov, &iter);

	init_sync_kiocb(&req->iocb, file);
	req->iocb.ki_pos = cb->aio_offset;
	req->iocb.ki_flags |= (int)cb->aio_rw_flags;
	if (file->f_flags & O_DIRECT) {
		req->iocb.ki_complete = rw_complete;
		req->file = get_file(file);
		count_inflight(req->ctx);
	}
	if (n >= 0)
		n = vfs_iocb_iter(&req->iocb, &iter, dir);
	kfree(iov);
	if (n == -EIOCBQUEUED)
		return;
	if (file->f_flags & O_DIRECT)
		rw_complete(&req->iocb, n);
	else
		end_req(req, user_error(n));
}

/* What io_submit() itself refuses; the rest is told by the event. */
static int check_rw(const struct iocb *cb, const struct file *file, bool write)
{
	if (!(file->f_mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (!(file->f_mode & (write ? FMODE_CAN_WRITE : FMODE_CAN_READ)))
		return -EINVAL;
	return cb->aio_rw_flags & ~RWF_SUPPORTED ? -EOPNOTSUPP : 0;
}

static int submit_file(struct aio_req *req, const struct iocb *cb, struct file *file)
{
	bool write = false;
	int err;

	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		write = true;
		fallthrough;
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		err = check_rw(cb, file, write);
		if (!err)
			do_rw(req, cb, file, write ? ITER_SOURCE : ITER_DEST);
		return err;
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || !file->f_op->fsync)
			return -EINVAL;
		end_req(req, vfs_fsync(file, cb->aio_lio_opcode == IOCB_CMD_FDSYNC));
		return 0;
	case IOCB_CMD_POLL:
		return submit_poll(req, cb, file);
	}
	return -EINVAL;
}

static int get_resfd(struct aio_req *req, int fd)
{
	struct eventfd_ctx *evfd;
	struct file *file = eventfd_fget(fd);

	if (IS_ERR(file))
		return PTR_ERR(file);
	evfd = eventfd_ctx_fileget(file);
	fput(file);
	if (IS_ERR(evfd))
		return PTR_ERR(evfd);
	req->evfd = evfd;
	return 0;
}

static int submit_one(struct aio_ctx *ctx, struct iocb __user *ucb)
{
	struct aio_req *req;
	struct file *file;
	struct iocb cb;
	int err = 0;

	if (copy_from_user(&cb, ucb, sizeof(cb)))
		return -EFAULT;
	if (cb.aio_reserved2 || (ssize_t)cb.aio_nbytes < 0)
		return -EINVAL;
	req = get_req(ctx);
	if (!req)
		return -EAGAIN;
	file = fget(cb.aio_fildes);
	if (!file) {
		forget_req(req);
		return -EBADF;
	}
	if (cb.aio_flags & IOCB_FLAG_RESFD)
		err = get_resfd(req, (int)cb.aio_resfd);
	if (!err && put_user(0, &ucb->aio_key))
		err = -EFAULT;
	req->event.data = cb.aio_data;
	req->event.obj = (u64)ucb;
	if (!err)
		err = submit_file(req, &cb, file);
	if (err)
		forget_req(req);
	fput(file);
	return err;
}

/* ---- system calls ---- */

/* A context with its page, in no list; ERR_PTR. */
static struct aio_ctx *new_ctx(unsigned int nr_reqs)
{
	struct aio_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	unsigned long id;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	refcount_set(&ctx->refs, 1);
	spin_lock_init(&ctx->lock);
	INIT_LIST_HEAD(&ctx->events);
	INIT_LIST_HEAD(&ctx->polls);
	init_waitqueue_head(&ctx->wait);
	ctx->max = nr_reqs;
	id = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(id)) {
		kfree(ctx);
		return ERR_PTR((long)id);
	}
	ctx->id = id;
	return ctx;
}

static int list_ctx(struct aio_ctx *ctx)
{
	int err = 0;

	spin_lock(&aio_lock);
	if (aio_nr + ctx->max > aio_max_nr) {
		err = -EAGAIN;
	} else {
		aio_nr += ctx->max;
		list_add(&ctx->list, &current->mm->aio_contexts);
	}
	spin_unlock(&aio_lock);
	return err;
}

/* old: what the program had where it wants the number: must be 0.  *id: the number, for the caller to store. */
static int setup(unsigned int nr_reqs, unsigned long old, unsigned long *id)
{
	struct aio_ctx *ctx;
	int err;

	if (old || !nr_reqs)
		return -EINVAL;
	if (nr_reqs > aio_max_nr)
		return -EAGAIN;
	ctx = new_ctx(nr_reqs);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	*id = ctx->id;
	err = list_ctx(ctx);
	if (err) {
		vm_munmap(ctx->id, PAGE_SIZE);
		kfree(ctx);
	}
	return err;
}

/* Out of the list already: ends what waits, and drops the list's reference. */
static void destroy(struct aio_ctx *ctx)
{
	struct aio_req *req, *next;

	spin_lock_irq(&ctx->lock);
	ctx->dead = true;
	list_for_each_entry(req, &ctx->polls, list) {
		WRITE_ONCE(req->cancelled, true);
		schedule_work(&req->work);
	}
	spin_unlock_irq(&ctx->lock);
	wake_up_all(&ctx->wait);
	wait_event(ctx->wait, list_empty_careful(&ctx->polls) && !READ_ONCE(ctx->inflight));
	spin_lock_irq(&ctx->lock);		/* and whoever was the last has let go of it */
	list_for_each_entry_safe(req, next, &ctx->events, list)
		kfree(req);
	INIT_LIST_HEAD(&ctx->events);
	spin_unlock_irq(&ctx->lock);
	put_ctx(ctx);
}

static bool take_from_list(struct aio_ctx *ctx)
{
	bool ours;

	spin_lock(&aio_lock);
	ours = !list_empty(&ctx->list);
	if (ours) {
		list_del_init(&ctx->list);
		aio_nr -= ctx->max;
	}
	spin_unlock(&aio_lock);
	return ours;
}

long sys_io_setup(unsigned int nr_reqs, unsigned long __user *ctxp)
{
	unsigned long id;
	int err;

	if (get_user(id, ctxp))
		return -EFAULT;
	err = setup(nr_reqs, id, &id);
	if (!err && put_user(id, ctxp)) {
		sys_io_destroy(id);
		err = -EFAULT;
	}
	return err;
}

long compat_sys_io_setup(unsigned int nr_reqs, u32 __user *ctxp)
{
	unsigned long id;
	u32 old;
	int err;

	if (get_user(old, ctxp))
		return -EFAULT;
	err = setup(nr_reqs, old, &id);
	if (!err && put_user((u32)id, ctxp)) {
		sys_io_destroy(id);
		err = -EFAULT;
	}
	return err;
}

long sys_io_destroy(unsigned long id)
{
	struct aio_ctx *ctx = find_ctx(id);

	if (!ctx)
		return -EINVAL;
	if (!take_from_list(ctx)) {
		put_ctx(ctx);
		return -EINVAL;
	}
	vm_munmap(ctx->id, PAGE_SIZE);
	destroy(ctx);
	put_ctx(ctx);
	return 0;
}

void exit_aio(struct mm_struct *mm)
{
	while (!list_empty(&mm->aio_contexts)) {
		struct aio_ctx *ctx = list_first_entry(&mm->aio_contexts, struct aio_ctx, list);

		take_from_list(ctx);
		destroy(ctx);
	}
}

/* The n-th pointer of the program's list. */
static int get_iocb_pointer(struct iocb __user **ucb, const void __user *list, long n)
{
	compat_uptr_t c;

	if (!in_compat_syscall())
		return get_user(*ucb, (struct iocb __user *const __user *)list + n);
	if (get_user(c, (const compat_uptr_t __user *)list + n))
		return -EFAULT;
	*ucb = compat_ptr(c);
	return 0;
}

static long submit(unsigned long id, long nr, const void __user *list)
{
	struct iocb __user *ucb;
	struct aio_ctx *ctx;
	struct blk_plug plug;
	long done = 0;
	int err = 0;

	if (nr < 0)
		return -EINVAL;
	ctx = find_ctx(id);
	if (!ctx)
		return -EINVAL;
	nr = min_t(long, nr, ctx->max);
	blk_start_plug(&plug);
	for (; done < nr; done++) {
		err = get_iocb_pointer(&ucb, list, done) ? -EFAULT : submit_one(ctx, ucb);
		if (err)
			break;
	}
	blk_finish_plug(&plug);
	put_ctx(ctx);
	return done ? done : err;
}

long sys_io_submit(unsigned long id, long nr, struct iocb __user *__user *iocbpp)
{
	return submit(id, nr, iocbpp);
}

long compat_sys_io_submit(unsigned long id, int nr, u32 __user *iocbpp)
{
	return submit(id, nr, iocbpp);
}

/* A poll only; its event comes as for any other. */
long sys_io_cancel(unsigned long id, struct iocb __user *iocb, struct io_event __user *result)
{
	struct aio_ctx *ctx;
	struct aio_req *req;
	long ret = -EINVAL;
	u32 key;

	if (get_user(key, &iocb->aio_key))
		return -EFAULT;
	if (key)
		return -EINVAL;
	ctx = find_ctx(id);
	if (!ctx)
		return -EINVAL;
	spin_lock_irq(&ctx->lock);
	list_for_each_entry(req, &ctx->polls, list)
		if (req->event.obj == (u64)iocb) {
			WRITE_ONCE(req->cancelled, true);
			schedule_work(&req->work);
			ret = -EINPROGRESS;
			break;
		}
	spin_unlock_irq(&ctx->lock);
	put_ctx(ctx);
	return ret;
}

/* Events that are there, up to nr.  How many, or -EFAULT. */
static long fetch(struct aio_ctx *ctx, long nr, struct io_event __user *events)
{
	struct aio_req *req;
	long n;

	for (n = 0; n < nr; n++) {
		spin_lock_irq(&ctx->lock);
		req = list_first_entry_or_null(&ctx->events, struct aio_req, list);
		if (req) {
			list_del(&req->list);
			ctx->used--;
		}
		spin_unlock_irq(&ctx->lock);
		if (!req)
			break;
		if (copy_to_user(&events[n], &req->event, sizeof(req->event))) {
			kfree(req);
			return -EFAULT;
		}
		kfree(req);
	}
	return n;
}

/* 0: look again, or a reason to stop. */
static int sleep_for_event(struct aio_ctx *ctx, ktime_t *deadline)
{
	DEFINE_WAIT(wait);
	int ret = 0;

	prepare_to_wait(&ctx->wait, &wait, TASK_INTERRUPTIBLE);
	if (!list_empty_careful(&ctx->events))
		;
	else if (READ_ONCE(ctx->dead))
		ret = -EINVAL;
	else if (signal_pending(current))
		ret = -EINTR;
	else if (!schedule_hrtimeout(deadline, HRTIMER_MODE_ABS))
		ret = -ETIME;
	finish_wait(&ctx->wait, &wait);
	return ret;
}

static long read_events(unsigned long id, long min_nr, long nr, struct io_event __user *events,
			const struct __kernel_timespec __user *timeout)
{
	ktime_t deadline = KTIME_MAX;
	struct timespec64 ts;
	struct aio_ctx *ctx;
	long done = 0, n;
	int why = 0;

	if (timeout) {
		if (get_timespec64(&ts, timeout))
			return -EFAULT;
		deadline = ktime_add_safe(ktime_get(), timespec64_to_ktime(ts));
	}
	ctx = find_ctx(id);
	if (!ctx || min_nr < 0 || nr < min_nr) {
		if (ctx)
			put_ctx(ctx);
		return -EINVAL;
	}
	for (;;) {
		n = fetch(ctx, nr - done, events + done);
		if (n < 0)
			why = (int)n;
		else
			done += n;
		if (why || done >= min_nr)
			break;
		why = sleep_for_event(ctx, &deadline);
		if (why == -ETIME && list_empty_careful(&ctx->events))
			break;
		if (why == -ETIME)
			why = 0;
	}
	put_ctx(ctx);
	return done ? done : why == -ETIME ? 0 : why;
}

long sys_io_getevents(unsigned long ctx_id, long min_nr, long nr, struct io_event __user *events,
		      struct __kernel_timespec __user *timeout)
{
	return read_events(ctx_id, min_nr, nr, events, timeout);
}

struct __aio_sigset {
	const sigset_t __user	*sigmask;
	size_t			sigsetsize;
};

static int get_aio_sigset(struct __aio_sigset *sig, const void __user *usig)
{
	struct { compat_uptr_t sigmask; compat_size_t size; } c;

	if (!in_compat_syscall())
		return copy_from_user(sig, usig, sizeof(*sig)) ? -EFAULT : 0;
	if (copy_from_user(&c, usig, sizeof(c)))
		return -EFAULT;
	*sig = (struct __aio_sigset){ .sigmask = compat_ptr(c.sigmask), .sigsetsize = c.size };
	return 0;
}

long sys_io_pgetevents(unsigned long ctx_id, long min_nr, long nr, struct io_event __user *events,
		       struct __kernel_timespec __user *timeout, const struct __aio_sigset __user *usig)
{
	struct __aio_sigset sig = { 0 };
	long ret;

	if (usig && get_aio_sigset(&sig, usig))
		return -EFAULT;
	ret = sig.sigmask ? set_user_sigmask(sig.sigmask, sig.sigsetsize) : 0;
	if (ret)
		return ret;
	ret = read_events(ctx_id, min_nr, nr, events, timeout);
	if (sig.sigmask)
		restore_saved_sigmask_unless(ret == -EINTR);
	return ret;
}

static const struct ctl_table aio_table[] = {
	{ "aio-nr", &aio_nr, sizeof(aio_nr), 0444, proc_doulongvec_minmax },
	{ "aio-max-nr", &aio_max_nr, sizeof(aio_max_nr), 0644, proc_doulongvec_minmax },
	{ }
};

static int __init aio_sysctl_init(void)
{
	return register_sysctl("fs", aio_table);
}
fs_initcall(aio_sysctl_init);
