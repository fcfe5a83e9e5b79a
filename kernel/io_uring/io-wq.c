/*
 * io-wq.c: the worker threads of a task that uses io_uring: they do, waiting as long as it takes, what cannot be polled.
 *
 * What:    workers are threads of the process ("iou-wrk-PID"), so they have its memory, descriptors and directory; they never
 *          return to user mode.  Two kinds with limits of their own: for regular files, whose operations end by themselves
 *          (BOUND), and for all others, which may take for ever (UNBOUND): these must not use up the former's.
 * Idea:    the queue makes a worker whenever there is work and no worker idle; one that was idle for 5 seconds goes.
 *          A worker takes part in signals to its process only as far as it must: it stops with it and dies with it.
 *          Being interrupted for that does not end its request: it is tried again.  Being cancelled does.
 * Locking: wq->lock (irq-safe: the order below wait queues of task work) guards queues, idle lists and what a worker does.
 *          Workers are counted in wq->workers from before they run until io_wq_worker_exit().
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/cred.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/kernel.h>
#include <weft/poll.h>
#include <weft/cpumask.h>
#include <uapi/resource.h>

enum { BOUND, UNBOUND, NR_KINDS };
#define IDLE_TIME	(5 * HZ)

struct io_wq {
	spinlock_t		lock;
	struct {
		struct list_head	queue;		/* [lock] io_kiocb.node */
		struct list_head	idle;		/* [lock] io_worker.idle */
		unsigned int		nr, max;	/* [lock] */
	} kind[NR_KINDS];
	struct list_head	workers;		/* [lock] io_worker.all */
	bool			going;			/* [lock] */
	struct completion	empty;			/* going, and the last worker has left */
};

struct io_worker {
	struct list_head	all, idle;		/* [wq->lock] idle is empty while it works */
	struct io_wq		*wq;
	struct task_struct	*task;
	struct io_kiocb		*req;			/* [wq->lock] under way */
	bool			cancelled;		/* [wq->lock] that is, its request is */
	int			kind;
};

static int kind_of(const struct io_kiocb *req)
{
	return req->flags & REQ_F_FILE && S_ISREG(file_inode(req->file)->i_mode) ? BOUND : UNBOUND;
}

/* ---- a worker's life ---- */

/* Signals for the process: stop with it, or die with it (then this does not return). */
static void take_signals(void)
{
	struct ksignal ksig;

	if (signal_pending(current))
		get_signal(&ksig);
}

static bool interrupted(int ret)
{
	return ret == -EINTR || ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	       ret == -ERESTART_RESTARTBLOCK;
}

static void do_request(struct io_worker *w, struct io_kiocb *req)
{
	int ret;

	while (interrupted(ret = io_issue(req, 0)) && !READ_ONCE(w->cancelled))
		take_signals();
	spin_lock_irq(&w->wq->lock);
	w->req = NULL;
	spin_unlock_irq(&w->wq->lock);
	if (ret == IOU_LATER)
		return;
	if (interrupted(ret))		/* cancelled; a file that can be polled would have been left waiting for that */
		ret = req->flags & REQ_F_FILE && file_can_poll(req->file) ? -ECANCELED : -EINTR;
	io_req_done_by_worker(req, ret < 0 ? ret : req->res);
}

/* The next request, entered as what we do; NULL: none. */
static struct io_kiocb *take_request(struct io_worker *w) __must_hold(&w->wq->lock)
{
	struct io_kiocb *req = list_first_entry_or_null(&w->wq->kind[w->kind].queue, struct io_kiocb, node);

	if (req) {
		list_del_init(&req->node);
		w->req = req;
		w->cancelled = false;
	}
	return req;
}

/* False: nothing came for long, or the queue is going. */
static bool wait_for_work(struct io_worker *w)
{
	struct io_wq *wq = w->wq;
	bool stay;
	long left;

	spin_lock_irq(&wq->lock);
	if (!list_empty(&wq->kind[w->kind].queue) || wq->going) {
		stay = !wq->going;
		spin_unlock_irq(&wq->lock);
		return stay;
	}
	list_add(&w->idle, &wq->kind[w->kind].idle);
	set_current_state(TASK_INTERRUPTIBLE);
	spin_unlock_irq(&wq->lock);
	left = schedule_timeout(IDLE_TIME);
	spin_lock_irq(&wq->lock);
	/* Out of the idle list by somebody who has work: stay, whatever the time. */
	stay = (left || list_empty(&w->idle) || !list_empty(&wq->kind[w->kind].queue)) && !wq->going;
	list_del_init(&w->idle);
	spin_unlock_irq(&wq->lock);
	return stay;
}

static int worker_thread(void *arg)
{
	struct io_worker *w = arg;
	struct io_kiocb *req;
	char name[TASK_COMM_LEN];

	snprintf(name, sizeof(name), "iou-wrk-%d", task_tgid_nr(current));
	__set_task_comm(current, name, false);
	do {
		for (;;) {
			spin_lock_irq(&w->wq->lock);
			req = take_request(w);
			spin_unlock_irq(&w->wq->lock);
			if (!req)
				break;
			do_request(w, req);
		}
		take_signals();
	} while (wait_for_work(w));
	do_exit(0);
}

/* From do_exit(): also when a fatal signal took us out of a request. */
void io_wq_worker_exit(struct task_struct *tsk)
{
	struct io_worker *w = tsk->io_worker;
	struct io_kiocb *req;
	struct io_wq *wq;

	if (!w)
		return;
	tsk->io_worker = NULL;
	wq = w->wq;
	spin_lock_irq(&wq->lock);
	req = w->req;
	w->req = NULL;
	list_del(&w->all);
	list_del_init(&w->idle);
	wq->kind[w->kind].nr--;
	if (req)
		io_req_fail_by_work(req, -ECANCELED);
	if (wq->going && list_empty(&wq->workers))
		complete(&wq->empty);
	spin_unlock_irq(&wq->lock);
	kfree(w);
}

/* ---- making them ---- */

/* Counted already.  0 or -errno, and not counted any more. */
static int make_worker(struct io_wq *wq, int kind)
{
	struct io_worker *w = kzalloc(sizeof(*w), GFP_KERNEL);
	struct task_struct *task = ERR_PTR(-ENOMEM);

	if (w) {
		w->wq = wq;
		w->kind = kind;
		INIT_LIST_HEAD(&w->idle);
		task = create_io_thread(worker_thread, w);
	}
	spin_lock_irq(&wq->lock);
	if (IS_ERR(task)) {
		wq->kind[kind].nr--;
		spin_unlock_irq(&wq->lock);
		kfree(w);
		return PTR_ERR(task);
	}
	w->task = task;
	task->io_worker = w;
	list_add(&w->all, &wq->workers);
	spin_unlock_irq(&wq->lock);
	wake_up_new_task(task);
	return 0;
}

static struct io_wq *wq_of(struct io_uring_task *tctx)
{
	struct io_wq *wq = tctx->wq;

	if (wq)
		return wq;
	wq = kzalloc(sizeof(*wq), GFP_KERNEL);
	if (!wq)
		return NULL;
	spin_lock_init(&wq->lock);
	init_completion(&wq->empty);
	INIT_LIST_HEAD(&wq->workers);
	for (int i = 0; i < NR_KINDS; i++) {
		INIT_LIST_HEAD(&wq->kind[i].queue);
		INIT_LIST_HEAD(&wq->kind[i].idle);
	}
	wq->kind[BOUND].max = min(4 * num_online_cpus(), 256u);
	wq->kind[UNBOUND].max = min_t(unsigned long, rlimit(RLIMIT_NPROC), 4096);
	smp_store_release(&tctx->wq, wq);	/* for who cancels from elsewhere */
	return wq;
}

/* Takes req from the queue again, if no worker has taken it. */
static bool unqueue(struct io_wq *wq, struct io_kiocb *req)
{
	struct io_kiocb *r;

	list_for_each_entry(r, &wq->kind[kind_of(req)].queue, node)
		if (r == req) {
			list_del_init(&req->node);
			return true;
		}
	return false;
}

/* By the task that submitted req, which then belongs to a worker.  0, -ENOMEM, -EAGAIN: still the caller's. */
int io_wq_enqueue(struct io_kiocb *req)
{
	struct io_wq *wq = wq_of(req->tctx);
	int kind = kind_of(req), err;
	struct io_worker *idle;
	bool ours = false;

	if (!wq)
		return -ENOMEM;
	spin_lock_irq(&wq->lock);
	list_add_tail(&req->node, &wq->kind[kind].queue);
	idle = list_first_entry_or_null(&wq->kind[kind].idle, struct io_worker, idle);
	if (idle) {
		list_del_init(&idle->idle);
		wake_up_process(idle->task);
	}
	if (idle || wq->kind[kind].nr >= wq->kind[kind].max) {
		spin_unlock_irq(&wq->lock);
		return 0;
	}
	wq->kind[kind].nr++;
	spin_unlock_irq(&wq->lock);
	err = make_worker(wq, kind);
	if (!err)
		return 0;
	/* Without any worker nobody would do it; otherwise one comes to it in time. */
	spin_lock_irq(&wq->lock);
	if (!wq->kind[kind].nr)
		ours = unqueue(wq, req);
	spin_unlock_irq(&wq->lock);
	return ours ? -EAGAIN : 0;
}

/* ---- cancelling, and the end ---- */

static int cancel_queued(struct io_wq *wq, struct io_ring_ctx *ctx, struct io_cancel *cd) __must_hold(&wq->lock)
{
	struct io_kiocb *req;

	for (int i = 0; i < NR_KINDS; i++)
		list_for_each_entry(req, &wq->kind[i].queue, node) {
			if (req->ctx != ctx || !io_cancel_matches(req, cd))
				continue;
			list_del_init(&req->node);
			io_req_fail_by_work(req, -ECANCELED);
			return 0;
		}
	return -ENOENT;
}

static int cancel_running(struct io_wq *wq, struct io_ring_ctx *ctx, struct io_cancel *cd) __must_hold(&wq->lock)
{
	struct io_worker *w;

	list_for_each_entry(w, &wq->workers, all) {
		if (!w->req || w->req->ctx != ctx || w->cancelled || !io_cancel_matches(w->req, cd))
			continue;
		WRITE_ONCE(w->cancelled, true);
		set_tsk_thread_flag(w->task, TIF_NOTIFY_SIGNAL);
		if (!wake_up_state(w->task, TASK_INTERRUPTIBLE))
			kick_process(w->task);
		return -EALREADY;
	}
	return -ENOENT;
}

/* 0: it had not begun; -EALREADY: interrupted; -ENOENT. */
int io_wq_cancel(struct io_wq *wq, struct io_ring_ctx *ctx, struct io_cancel *cd)
{
	int ret;

	spin_lock_irq(&wq->lock);
	ret = cancel_queued(wq, ctx, cd);
	if (ret == -ENOENT)
		ret = cancel_running(wq, ctx, cd);
	spin_unlock_irq(&wq->lock);
	return ret;
}

/* No requests are left.  Waits for the workers' end. */
void io_wq_destroy(struct io_wq *wq)
{
	struct io_worker *w;
	bool wait;

	spin_lock_irq(&wq->lock);
	wq->going = true;
	list_for_each_entry(w, &wq->workers, all)
		wake_up_process(w->task);
	wait = !list_empty(&wq->workers);
	spin_unlock_irq(&wq->lock);
	if (wait)
		wait_for_completion(&wq->empty);
	/* The one that completed may still hold the lock. */
	spin_lock_irq(&wq->lock);
	spin_unlock_irq(&wq->lock);
	kfree(wq);
}

/* IORING_REGISTER_IOWQ_MAX_WORKERS: sets what is not 0, returns what was. */
int io_wq_max_workers(struct io_uring_task *tctx, u32 *counts)
{
	struct io_wq *wq = wq_of(tctx);

	if (!wq)
		return -ENOMEM;
	spin_lock_irq(&wq->lock);
	for (int i = 0; i < NR_KINDS; i++) {
		u32 new = min_t(unsigned long, counts[i], rlimit(RLIMIT_NPROC));

		counts[i] = wq->kind[i].max;
		if (new)
			wq->kind[i].max = new;
	}
	spin_unlock_irq(&wq->lock);
	return 0;
}
