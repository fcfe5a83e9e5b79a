/*
 * complete.c: the end of a request: its completion entry, what was linked to it, its memory; and waiting for completions.
 *
 * Idea:    what ends under uring_lock is gathered (io_req_done()) and posted together, with one taking of the lock, one
 *          wake-up and one store of the ring's tail for all (io_flush_done()).  A worker posts by itself.
 *          When the ring is full, entries go to a list from which io_uring_enter() moves them once there is room: none is lost
 *          as long as there is memory.
 *          The program owns cq.head: any value is possible there.  It only decides how much room we believe there is; where
 *          we write follows from our own cached_cq_tail and mask.
 * Locking: completion_lock for the CQ ring; io_req_done() and io_flush_done() under uring_lock.
 *          A waiter and who completes:  the waiter queues itself, then looks at the tail; the completer stores the tail,
 *          full barrier, then looks at the queue.
 */
#include "ops.h"
#include <weft/eventfd.h>
#include <weft/file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/signal.h>
#include <weft/poll.h>
#include <weft/cred.h>
#include <weft/init.h>

static struct kmem_cache *req_cachep;

/* ---- requests and their memory ---- */

struct io_kiocb *io_new_req(struct io_ring_ctx *ctx)
{
	struct io_kiocb *req = kmem_cache_alloc(req_cachep, GFP_KERNEL);

	if (req) {
		memset(req, 0, sizeof(*req));
		req->ctx = ctx;
	}
	return req;
}

void io_free_req_cache(struct io_ring_ctx *ctx)
{
	struct io_kiocb *req;

	while ((req = ctx->free_reqs) != NULL) {
		ctx->free_reqs = req->next;
		kmem_cache_free(req_cachep, req);
	}
}

static void put_ctx(struct io_ring_ctx *ctx, unsigned int n)
{
	if (atomic_long_sub_and_test(n, &ctx->refs))
		complete(&ctx->no_refs);
}

void io_ctx_put(struct io_ring_ctx *ctx)
{
	put_ctx(ctx, 1);
}

/* What n requests of a task held of it and of the ring. */
void io_put_refs(struct io_ring_ctx *ctx, struct io_uring_task *tctx, unsigned int n)
{
	if (unlikely(!n))
		return;		/* tctx may be gone */
	io_tctx_put_req(tctx, n);
	put_ctx(ctx, n);
}

/* Gives back all that it holds but its memory. */
static void release_parts(struct io_kiocb *req)
{
	if (req->flags & REQ_F_CLEANUP)
		io_ops[req->opcode].cleanup(req);
	if (req->arm) {
		kfree(req->arm);
		req->arm = NULL;
	}
	if (req->data) {
		kfree(req->data);
		req->data = NULL;
	}
	if (req->fixed) {
		io_put_fixed_buffer(req->fixed);
		req->fixed = NULL;
	}
	if (req->flags & REQ_F_FILE) {
		fput(req->file);
		req->file = NULL;
	}
	if (req->creds) {
		put_cred(req->creds);
		req->creds = NULL;
	}
}

static void free_req(struct io_kiocb *req)
{
	struct io_ring_ctx *ctx = req->ctx;
	struct io_uring_task *tctx = req->tctx;

	release_parts(req);
	kmem_cache_free(req_cachep, req);
	io_put_refs(ctx, tctx, 1);
}

/* Keeps the memory for the next request, and the references for the caller to put.  False: somebody still looks at req. */
static inline bool recycle_req(struct io_ring_ctx *ctx, struct io_kiocb *req)
{
	if (unlikely(req->flags & REQ_F_REFCOUNT) && !refcount_dec_and_test(&req->refs))
		return false;
	if (req->flags & (REQ_F_CLEANUP | REQ_F_FILE | REQ_F_PARTS))
		release_parts(req);
	req->next = ctx->free_reqs;
	ctx->free_reqs = req;
	return true;
}

/* Ended, and the link timeout that looked at it has gone as well.  uring_lock held. */
void io_put_req(struct io_kiocb *req)
{
	struct io_ring_ctx *ctx = req->ctx;
	struct io_uring_task *tctx = req->tctx;

	if (recycle_req(ctx, req))
		io_put_refs(ctx, tctx, 1);
}

/* ---- the completion ring ---- */

static bool add_overflow(struct io_ring_ctx *ctx, u64 user_data, s32 res, u32 cflags)
{
	struct io_overflow *o = kmalloc(sizeof(*o), GFP_ATOMIC | __GFP_NOWARN);

	if (!o) {
		WRITE_ONCE(ctx->rings->cq_overflow, ctx->rings->cq_overflow + 1);
		return false;
	}
	if (list_empty(&ctx->overflow))
		atomic_or(IORING_SQ_CQ_OVERFLOW, &ctx->rings->sq_flags);
	*o = (struct io_overflow){ .user_data = user_data, .res = res, .cflags = cflags };
	list_add_tail(&o->list, &ctx->overflow);
	return true;
}

/* How much the program has taken out: the head is looked at only when what was known to be free is used up. */
static bool find_room(struct io_ring_ctx *ctx) __must_hold(&ctx->completion_lock)
{
	u32 used = ctx->cached_cq_tail - READ_ONCE(ctx->rings->cq.head);

	ctx->cq_room = used < ctx->cq_entries ? ctx->cq_entries - used : 0;
	return ctx->cq_room;
}

/* There is room. */
static inline void write_cqe(struct io_ring_ctx *ctx, u64 user_data, s32 res, u32 cflags)
	__must_hold(&ctx->completion_lock)
{
	u32 slot = ctx->cached_cq_tail & (ctx->cq_entries - 1);
	struct io_uring_cqe *cqe = (void *)ctx->rings->cqes + ((size_t)slot << ctx->cqe_shift);

	WRITE_ONCE(cqe->user_data, user_data);
	WRITE_ONCE(cqe->res, res);
	WRITE_ONCE(cqe->flags, cflags);
	if (ctx->flags & IORING_SETUP_CQE32)
		cqe->big_cqe[0] = cqe->big_cqe[1] = 0;
	ctx->cached_cq_tail++;
	ctx->cq_room--;
}

static inline bool fill_cqe(struct io_ring_ctx *ctx, u64 user_data, s32 res, u32 cflags) __must_hold(&ctx->completion_lock)
{
	/* No room is known while something waits in `overflow`: that goes first. */
	if (unlikely(!ctx->cq_room) && (!list_empty(&ctx->overflow) || !find_room(ctx)))
		return add_overflow(ctx, user_data, res, cflags);
	write_cqe(ctx, user_data, res, cflags);
	return true;
}

static void signal_eventfd(struct io_ring_ctx *ctx) __must_hold(&ctx->completion_lock)
{
	if (READ_ONCE(ctx->rings->cq_flags) & IORING_CQ_EVENTFD_DISABLED)
		return;
	if (!ctx->evfd_async_only || current->flags & PF_IO_WORKER)
		eventfd_signal(ctx->evfd, 1);
}

/* What was filled in becomes visible. */
static void commit_cqes(struct io_ring_ctx *ctx) __must_hold(&ctx->completion_lock)
{
	smp_store_release(&ctx->rings->cq.tail, ctx->cached_cq_tail);
	if (unlikely(ctx->evfd))
		signal_eventfd(ctx);
	if (unlikely(!list_empty(&ctx->deferred)))
		io_release_deferred(ctx);
}

static void wake_waiters(struct io_ring_ctx *ctx)
{
	smp_mb();
	if (waitqueue_active(&ctx->cq_wait))
		__wake_up(&ctx->cq_wait, TASK_NORMAL, 0, NULL);
	if (waitqueue_active(&ctx->poll_wait))
		__wake_up(&ctx->poll_wait, TASK_NORMAL, 0, poll_to_key(EPOLLIN | EPOLLRDNORM | EPOLL_URING_WAKE));
	if (unlikely(!list_empty_careful(&ctx->timeouts)))
		io_flush_timeouts(ctx);
}

/* Of a request that goes on, or of nobody. */
bool io_post_cqe(struct io_ring_ctx *ctx, u64 user_data, s32 res, u32 cflags)
{
	bool filled;

	spin_lock(&ctx->completion_lock);
	filled = fill_cqe(ctx, user_data, res, cflags);
	ctx->nr_posted++;
	commit_cqes(ctx);
	spin_unlock(&ctx->completion_lock);
	wake_waiters(ctx);
	return filled;
}

static inline void fill_of_req(struct io_ring_ctx *ctx, struct io_kiocb *req) __must_hold(&ctx->completion_lock)
{
	ctx->nr_ended++;
	if (req->flags & REQ_F_CQE_SKIP)
		return;
	fill_cqe(ctx, req->user_data, req->res, req->cflags);
	if (req->opcode != IORING_OP_TIMEOUT)
		ctx->nr_posted++;
	else
		WRITE_ONCE(ctx->nr_timed_out, ctx->nr_timed_out + 1);
}

/* From the list to the ring, as far as there is room.  Called when the program may have taken some out. */
void io_flush_overflow(struct io_ring_ctx *ctx)
{
	struct io_overflow *o;

	if (list_empty_careful(&ctx->overflow))
		return;
	spin_lock(&ctx->completion_lock);
	while (!list_empty(&ctx->overflow) && find_room(ctx)) {
		o = list_first_entry(&ctx->overflow, struct io_overflow, list);
		write_cqe(ctx, o->user_data, o->res, o->cflags);
		list_del(&o->list);
		kfree(o);
	}
	if (list_empty(&ctx->overflow))
		atomic_andnot(IORING_SQ_CQ_OVERFLOW, &ctx->rings->sq_flags);
	else
		ctx->cq_room = 0;
	commit_cqes(ctx);
	spin_unlock(&ctx->completion_lock);
	wake_waiters(ctx);
}

/* ---- the end of requests ---- */

/* Posts a request only when it failed, or was asked to post: IOSQE_CQE_SKIP_SUCCESS. */
static void settle_skip(struct io_kiocb *req)
{
	if (req->flags & REQ_F_CQE_SKIP && req->flags & REQ_F_FAIL) {
		req->flags &= ~REQ_F_CQE_SKIP;
		req->flags |= REQ_F_SKIP_LINK;
	}
}

/* What the end of some requests needs besides: they failed, post nothing, or have a buffer. */
void io_req_settle(struct io_kiocb *req)
{
	if (req->res < 0)
		io_set_fail(req);
	settle_skip(req);
	if (req->flags & REQ_F_BUFFER_SELECTED)
		io_keep_buffer(req);
}

/* The rest of a broken chain ends with it. */
static void fail_links(struct io_kiocb *req)
{
	struct io_kiocb *link = req->link, *next;
	bool skip = req->flags & REQ_F_SKIP_LINK;

	req->link = NULL;
	for (; link; link = next) {
		next = link->link;
		link->link = NULL;
		link->flags &= ~REQ_F_ARM_TIMEOUT;	/* its timeout, the next, ends here too */
		if (skip)
			link->flags |= REQ_F_CQE_SKIP;
		io_req_done(link, link->flags & REQ_F_FAIL ? link->res : -ECANCELED);
		if (skip)
			link->flags |= REQ_F_CQE_SKIP;
	}
}

/* The timeout behind a request that has ended is not wanted any more. */
static void end_link_timeout(struct io_kiocb *req)
{
	struct io_kiocb *timeout = req->link;

	if (req->flags & REQ_F_LINK_TIMEOUT) {
		if (!io_disarm_link_timeout(req))
			return;		/* it has fired, and has left the chain */
	} else {
		req->link = timeout->link;
	}
	timeout->link = NULL;
	timeout->res = -ECANCELED;		/* but no failure: IOSQE_CQE_SKIP_SUCCESS keeps it quiet */
	io_add_done(req->ctx, timeout);
}

/* The request that begins now that req has ended, or NULL.  uring_lock held. */
static struct io_kiocb *next_in_chain(struct io_kiocb *req)
{
	struct io_kiocb *next;

	if (req->flags & (REQ_F_ARM_TIMEOUT | REQ_F_LINK_TIMEOUT))
		end_link_timeout(req);
	if (req->flags & REQ_F_FAIL && !(req->flags & REQ_F_HARDLINK))
		fail_links(req);
	next = req->link;
	req->link = NULL;
	return next;
}

#define HAS_CHAIN	(IO_LINK_FLAGS | REQ_F_ARM_TIMEOUT | REQ_F_LINK_TIMEOUT)

/* Begins what was linked to the requests that were posted, and frees them; what tasks hold is put together. */
static void free_posted(struct io_ring_ctx *ctx, struct io_kiocb *req)
{
	struct io_uring_task *tctx = req->tctx;
	struct io_kiocb *next, *begin;
	unsigned int freed = 0;

	for (; req; req = next) {
		next = req->next;
		begin = unlikely(req->flags & HAS_CHAIN) ? next_in_chain(req) : NULL;
		if (unlikely(req->tctx != tctx)) {
			io_put_refs(ctx, tctx, freed);
			tctx = req->tctx;
			freed = 0;
		}
		freed += recycle_req(ctx, req);
		if (unlikely(begin))
			io_queue_req(begin);
	}
	io_put_refs(ctx, tctx, freed);
}

/*
 * Posts what has ended, and begins what was linked to it.  A request that begins may call us to have its own completions
 * in order: that must not go deeper with each link.
 */
void io_flush_done(struct io_ring_ctx *ctx)
{
	struct io_kiocb *first, *req;

	if (ctx->flushing)
		return;
	ctx->flushing = true;
	while ((first = ctx->done_first) != NULL) {
		ctx->done_first = NULL;
		ctx->done_last = &ctx->done_first;
		spin_lock(&ctx->completion_lock);
		for (req = first; req; req = req->next)
			fill_of_req(ctx, req);
		commit_cqes(ctx);
		spin_unlock(&ctx->completion_lock);
		wake_waiters(ctx);
		free_posted(ctx, first);
	}
	ctx->flushing = false;
}

/* uring_lock held: what a worker has posted is put away, and its chain goes on. */
static void finish_posted(struct io_kiocb *req)
{
	struct io_kiocb *begin = next_in_chain(req);

	io_put_req(req);
	if (begin)
		io_queue_req(begin);
}

/* A worker's end of a request.  Links are the submitter's business. */
void io_req_done_by_worker(struct io_kiocb *req, s32 res)
{
	struct io_ring_ctx *ctx = req->ctx;

	req->res = res;
	io_req_settle(req);
	spin_lock(&ctx->completion_lock);
	fill_of_req(ctx, req);
	commit_cqes(ctx);
	spin_unlock(&ctx->completion_lock);
	wake_waiters(ctx);
	if (req->flags & (HAS_CHAIN | REQ_F_REFCOUNT))
		io_req_task_work(req, finish_posted);
	else
		free_req(req);
}

/* ---- task work ---- */

static void run_req_work(struct callback_head *head)
{
	struct io_kiocb *req = container_of(head, struct io_kiocb, work);
	struct io_ring_ctx *ctx = req->ctx;

	io_ctx_get(ctx);
	mutex_lock(&ctx->uring_lock);
	if (ctx->flags & IORING_SETUP_TASKRUN_FLAG)
		atomic_andnot(IORING_SQ_TASKRUN, &ctx->rings->sq_flags);
	req->work_fn(req);
	io_flush_done(ctx);
	mutex_unlock(&ctx->uring_lock);
	io_ctx_put(ctx);
}

/*
 * fn(req) in the task that submitted it, with uring_lock held.  Any context.  The caller owns the request, and must not
 * touch it afterwards.
 */
void io_req_task_work(struct io_kiocb *req, void (*fn)(struct io_kiocb *))
{
	struct io_uring_task *tctx = req->tctx;
	struct io_ring_ctx *ctx = req->ctx;
	unsigned long flags;

	req->work_fn = fn;
	init_task_work(&req->work, run_req_work);
	if (ctx->flags & IORING_SETUP_TASKRUN_FLAG)
		atomic_or(IORING_SQ_TASKRUN, &ctx->rings->sq_flags);
	/* The request keeps tctx alive, but not once the work is there: hence the lock around both (see io_tctx_put_req). */
	spin_lock_irqsave(&tctx->wait.lock, flags);
	WARN_ON_ONCE(task_work_add(tctx->task, &req->work, TWA_SIGNAL));
	if (READ_ONCE(tctx->going))
		wake_up_locked(&tctx->wait);
	spin_unlock_irqrestore(&tctx->wait.lock, flags);
}

static void fail_now(struct io_kiocb *req)
{
	io_req_done(req, req->res);
}

void io_req_fail_by_work(struct io_kiocb *req, s32 res)
{
	req->res = res;
	io_req_task_work(req, fail_now);
}

/* What is due in this task.  True if there was something. */
bool io_run_task_work(void)
{
	if (test_thread_flag(TIF_NOTIFY_SIGNAL)) {
		clear_thread_flag(TIF_NOTIFY_SIGNAL);
		smp_mb__after_atomic();
	}
	if (!READ_ONCE(current->task_works))
		return false;
	__set_current_state(TASK_RUNNING);
	task_work_run();
	return true;
}

/* ---- waiting ---- */

struct io_waiter {
	struct wait_queue_entry	wait;
	struct io_ring_ctx	*ctx;
	u32			target;		/* the tail to wait for */
	u32			nr_timed_out;	/* of the ring when the wait began */
};

/* A timeout that ends, ends the waiting too, however many completions were asked for. */
static bool timed_out(struct io_waiter *w)
{
	return READ_ONCE(w->ctx->nr_timed_out) != w->nr_timed_out;
}

static bool enough(struct io_waiter *w)
{
	return (s32)(READ_ONCE(w->ctx->rings->cq.tail) - w->target) >= 0 || timed_out(w) ||
	       !list_empty_careful(&w->ctx->overflow);
}

static int wake_if_enough(struct wait_queue_entry *e, unsigned int mode, int flags, void *key)
{
	struct io_waiter *w = container_of(e, struct io_waiter, wait);

	return enough(w) ? autoremove_wake_function(e, mode, flags, key) : 0;
}

/* 0: look again; -ETIME, -EINTR. */
static int sleep_once(struct io_waiter *w, const ktime_t *deadline)
{
	int ret = 0;

	prepare_to_wait(&w->ctx->cq_wait, &w->wait, TASK_INTERRUPTIBLE);
	if (enough(w) || READ_ONCE(current->task_works))
		;
	else if (task_sigpending(current))
		ret = -EINTR;
	else if (!deadline)
		schedule();
	else if (!schedule_hrtimeout((ktime_t *)deadline, HRTIMER_MODE_ABS))
		ret = -ETIME;
	finish_wait(&w->ctx->cq_wait, &w->wait);
	return ret;
}

/*
 * Until `min` completions are there, or a timeout has ended.  deadline: monotonic, NULL: none.  -ETIME, -EINTR only if there
 * is none at all.  May sleep, no locks held.
 */
int io_wait_cqes(struct io_ring_ctx *ctx, u32 min, ktime_t *deadline)
{
	struct io_waiter w = { .ctx = ctx };
	int ret = 0;

	w.wait = (struct wait_queue_entry){ .private = current, .func = wake_if_enough };
	INIT_LIST_HEAD(&w.wait.entry);
	min = min(min, ctx->cq_entries);
	io_run_task_work();
	w.nr_timed_out = READ_ONCE(ctx->nr_timed_out);
	for (;;) {
		io_run_task_work();
		if (unlikely(!list_empty_careful(&ctx->overflow))) {
			mutex_lock(&ctx->uring_lock);
			io_flush_overflow(ctx);
			mutex_unlock(&ctx->uring_lock);
		}
		if (io_cqes_ready(ctx) >= min || timed_out(&w))
			return 0;
		if (!list_empty_careful(&ctx->overflow))
			return -EBUSY;		/* the ring is full: it must be read first */
		if (ret)
			return io_cqes_ready(ctx) ? 0 : ret;	/* fewer than asked for, but something */
		w.target = READ_ONCE(ctx->rings->cq.head) + min;
		ret = sleep_once(&w, deadline);
	}
}

static int __init io_complete_init(void)
{
	req_cachep = KMEM_CACHE(io_kiocb, SLAB_HWCACHE_ALIGN);
	return 0;
}
core_initcall(io_complete_init);
