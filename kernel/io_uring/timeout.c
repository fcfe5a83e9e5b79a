/*
 * timeout.c: TIMEOUT (after a time, or after so many completions), its removal and change, and LINK_TIMEOUT.
 *
 * Idea:    being in ctx->timeouts (or link_timeouts) is what makes a timeout pending: whoever takes it out under
 *          timeout_lock owns the request: the timer's function, who counts completions, or who cancels.
 *
 *              timer fires (interrupt)               cancel
 *              lock; still in the list: take it      lock; still in the list: take it; unlock
 *              unlock; task work                     hrtimer_cancel(): waits for the function, which finds nothing
 * Locking: ctx->timeout_lock (irq).  For a link timeout it also guards timeout.head and head->link while armed.
 */
#include "ops.h"
#include <weft/err.h>
#include <weft/slab.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>

static struct io_timer *timer_of(struct io_kiocb *req)
{
	return req->data;
}

static clockid_t clock_of(u32 flags)
{
	switch (flags & IORING_TIMEOUT_CLOCK_MASK) {
	case IORING_TIMEOUT_BOOTTIME:	return CLOCK_BOOTTIME;
	case IORING_TIMEOUT_REALTIME:	return CLOCK_REALTIME;
	default:			return CLOCK_MONOTONIC;
	}
}

static void start(struct io_ring_ctx *ctx, struct io_kiocb *req, enum hrtimer_restart (*fn)(struct hrtimer *))
	__must_hold(&ctx->timeout_lock)
{
	struct io_timer *t = timer_of(req);

	hrtimer_init(&t->timer, t->clock, t->mode);
	t->timer.function = fn;
	hrtimer_start(&t->timer, t->time, t->mode);
}

/* The io_timer carries its request here, so that the timer's function finds it. */
struct req_timer {
	struct io_timer	t;
	struct io_kiocb	*req;
};

static struct io_kiocb *req_of(struct hrtimer *timer)
{
	struct io_timer *t = container_of(timer, struct io_timer, timer);

	return container_of(t, struct req_timer, t)->req;
}

static int read_time(u64 addr, struct timespec64 *ts)
{
	if (get_timespec64(ts, (const struct __kernel_timespec __user *)addr))
		return -EFAULT;
	return ts->tv_sec < 0 || ts->tv_nsec < 0 ? -EINVAL : 0;
}

/* ---- TIMEOUT ---- */

static void time_is_up(struct io_kiocb *req)
{
	io_req_done(req, -ETIME);
	if (req->timeout.flags & IORING_TIMEOUT_ETIME_SUCCESS)
		req->flags &= ~REQ_F_FAIL;
}

static enum hrtimer_restart timeout_fires(struct hrtimer *timer)
{
	struct io_kiocb *req = req_of(timer);
	struct io_ring_ctx *ctx = req->ctx;
	unsigned long flags;
	bool ours;

	spin_lock_irqsave(&ctx->timeout_lock, flags);
	ours = !list_empty(&req->node);
	list_del_init(&req->node);
	spin_unlock_irqrestore(&ctx->timeout_lock, flags);
	if (ours)
		io_req_task_work(req, time_is_up);
	return HRTIMER_NORESTART;
}

static int common_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe, bool link)
{
	u32 flags = READ_ONCE(sqe->op_flags), off = READ_ONCE(sqe->off);
	struct req_timer *rt;
	int err;

	if (sqe->buf_index || READ_ONCE(sqe->len) != 1 || sqe->splice_fd_in || (link && off))
		return -EINVAL;
	if (flags & ~(IORING_TIMEOUT_ABS | IORING_TIMEOUT_CLOCK_MASK | IORING_TIMEOUT_ETIME_SUCCESS) ||
	    hweight32(flags & IORING_TIMEOUT_CLOCK_MASK) > 1)
		return -EINVAL;
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	req->flags |= REQ_F_PARTS;
	req->data = rt;
	rt->req = req;
	err = read_time(READ_ONCE(sqe->addr), &req->timeout.ts);
	if (err)
		return err;
	rt->t.time = timespec64_to_ktime(req->timeout.ts);
	rt->t.clock = clock_of(flags);
	rt->t.mode = flags & IORING_TIMEOUT_ABS ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL;
	req->timeout.count = off;
	req->timeout.flags = flags;
	req->timeout.head = NULL;
	INIT_LIST_HEAD(&req->node);
	return 0;
}

int io_timeout_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	return common_prep(req, sqe, false);
}

int io_link_timeout_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	return common_prep(req, sqe, true);
}

/* In order of what they wait for; those without a count at the end. */
static void insert(struct io_ring_ctx *ctx, struct io_kiocb *req) __must_hold(&ctx->timeout_lock)
{
	struct list_head *pos = &ctx->timeouts;
	struct io_kiocb *other;

	if (req->timeout.count) {
		req->timeout.target = READ_ONCE(ctx->nr_posted) + req->timeout.count;
		list_for_each_entry(other, &ctx->timeouts, node) {
			if (!other->timeout.count || (s32)(other->timeout.target - req->timeout.target) > 0) {
				pos = &other->node;
				break;
			}
		}
	}
	list_add_tail(&req->node, pos);
}

int io_timeout_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_ring_ctx *ctx = req->ctx;

	lockdep_assert_held(&ctx->uring_lock);
	io_flush_done(ctx);		/* what has ended before us does not count */
	spin_lock_irq(&ctx->timeout_lock);
	insert(ctx, req);
	start(ctx, req, timeout_fires);
	spin_unlock_irq(&ctx->timeout_lock);
	return IOU_LATER;
}

/* Enough has been completed for the first ones of the list. */
void io_flush_timeouts(struct io_ring_ctx *ctx)
{
	struct io_kiocb *req;

	for (;;) {
		spin_lock_irq(&ctx->timeout_lock);
		req = list_first_entry_or_null(&ctx->timeouts, struct io_kiocb, node);
		if (req && (!req->timeout.count || (s32)(READ_ONCE(ctx->nr_posted) - req->timeout.target) < 0))
			req = NULL;
		if (req)
			list_del_init(&req->node);
		spin_unlock_irq(&ctx->timeout_lock);
		if (!req)
			return;
		hrtimer_cancel(&timer_of(req)->timer);
		io_req_fail_by_work(req, 0);
	}
}

static struct io_kiocb *find(struct list_head *list, struct io_cancel *cd)
{
	struct io_kiocb *req;

	list_for_each_entry(req, list, node)
		if (io_cancel_matches(req, cd))
			return req;
	return NULL;
}

/* Out of the list, its timer stopped, or NULL. */
static struct io_kiocb *take_timeout(struct io_ring_ctx *ctx, struct io_cancel *cd)
{
	struct io_kiocb *req;

	spin_lock_irq(&ctx->timeout_lock);
	req = find(&ctx->timeouts, cd);
	if (req)
		list_del_init(&req->node);
	spin_unlock_irq(&ctx->timeout_lock);
	if (req)
		hrtimer_cancel(&timer_of(req)->timer);
	return req;
}

int io_timeout_cancel(struct io_ring_ctx *ctx, struct io_cancel *cd)
{
	struct io_kiocb *req = take_timeout(ctx, cd);

	if (!req)
		return -ENOENT;
	io_req_fail_by_work(req, -ECANCELED);
	return 0;
}

/* ---- TIMEOUT_REMOVE ---- */

int io_timeout_remove_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	u32 flags = READ_ONCE(sqe->op_flags);
	int err;

	if (sqe->buf_index || sqe->len || sqe->splice_fd_in || req->flags & (REQ_F_FIXED_FILE | REQ_F_BUFFER_SELECT))
		return -EINVAL;
	req->timeout.addr = READ_ONCE(sqe->addr);
	req->timeout.flags = flags;
	if (!(flags & IORING_TIMEOUT_UPDATE_MASK))
		return flags ? -EINVAL : 0;
	if (hweight32(flags & IORING_TIMEOUT_CLOCK_MASK) > 1 || hweight32(flags & IORING_TIMEOUT_UPDATE_MASK) > 1 ||
	    flags & ~(IORING_TIMEOUT_UPDATE_MASK | IORING_TIMEOUT_ABS | IORING_TIMEOUT_CLOCK_MASK))
		return -EINVAL;
	err = read_time(READ_ONCE(sqe->off), &req->timeout.ts);
	return err;
}

static void set_time(struct io_kiocb *req, const struct io_kiocb *by)
{
	struct io_timer *t = timer_of(req);

	t->time = timespec64_to_ktime(by->timeout.ts);
	t->clock = clock_of(by->timeout.flags);
	t->mode = by->timeout.flags & IORING_TIMEOUT_ABS ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL;
}

static int change_timeout(struct io_ring_ctx *ctx, struct io_cancel *cd, const struct io_kiocb *by)
{
	struct io_kiocb *req = take_timeout(ctx, cd);

	if (!req)
		return -ENOENT;
	set_time(req, by);
	req->timeout.count = 0;
	spin_lock_irq(&ctx->timeout_lock);
	list_add_tail(&req->node, &ctx->timeouts);
	start(ctx, req, timeout_fires);
	spin_unlock_irq(&ctx->timeout_lock);
	return 0;
}

static enum hrtimer_restart link_timeout_fires(struct hrtimer *timer);

static int change_link_timeout(struct io_ring_ctx *ctx, struct io_cancel *cd, const struct io_kiocb *by)
{
	struct io_kiocb *req;

	spin_lock_irq(&ctx->timeout_lock);
	req = find(&ctx->link_timeouts, cd);
	/* Its function may be waiting for the lock right now: then the time is up. */
	if (req && hrtimer_try_to_cancel(&timer_of(req)->timer) != -1) {
		set_time(req, by);
		start(ctx, req, link_timeout_fires);
		spin_unlock_irq(&ctx->timeout_lock);
		return 0;
	}
	spin_unlock_irq(&ctx->timeout_lock);
	return req ? -EALREADY : -ENOENT;
}

int io_timeout_remove_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_cancel cd = { .data = req->timeout.addr };
	struct io_ring_ctx *ctx = req->ctx;
	struct io_kiocb *timeout;

	if (req->timeout.flags & IORING_LINK_TIMEOUT_UPDATE)
		return change_link_timeout(ctx, &cd, req);
	if (req->timeout.flags & IORING_TIMEOUT_UPDATE)
		return change_timeout(ctx, &cd, req);
	timeout = take_timeout(ctx, &cd);
	if (!timeout)
		return -ENOENT;
	io_req_done(timeout, -ECANCELED);
	return 0;
}

/* ---- LINK_TIMEOUT ---- */

/* The timeout's own end: it has tried to cancel what it was linked to.  No failure: IOSQE_CQE_SKIP_SUCCESS keeps it quiet. */
static void link_time_is_up(struct io_kiocb *req)
{
	struct io_kiocb *head = req->timeout.head;
	struct io_cancel cd = { .req = head };
	int ret = io_try_cancel(req->ctx, req->tctx, &cd);

	req->res = ret ? ret : -ETIME;
	io_add_done(req->ctx, req);
	io_put_req(head);
}

static enum hrtimer_restart link_timeout_fires(struct hrtimer *timer)
{
	struct io_kiocb *req = req_of(timer), *head;
	struct io_ring_ctx *ctx = req->ctx;
	unsigned long flags;
	bool ours;

	spin_lock_irqsave(&ctx->timeout_lock, flags);
	ours = !list_empty(&req->node);
	if (ours) {
		list_del_init(&req->node);
		head = req->timeout.head;
		head->link = req->link;		/* we leave the chain, and keep the head */
		req->link = NULL;
		refcount_inc(&head->refs);
	}
	spin_unlock_irqrestore(&ctx->timeout_lock, flags);
	if (ours)
		io_req_task_work(req, link_time_is_up);
	return HRTIMER_NORESTART;
}

/* req waits for something: its time runs from now on. */
void io_start_link_timeout(struct io_kiocb *req)
{
	struct io_kiocb *timeout = req->link;
	struct io_ring_ctx *ctx = req->ctx;

	spin_lock_irq(&ctx->timeout_lock);
	timeout->timeout.head = req;
	list_add_tail(&timeout->node, &ctx->link_timeouts);
	start(ctx, timeout, link_timeout_fires);
	spin_unlock_irq(&ctx->timeout_lock);
}

/* req has ended.  True: its timeout had not fired, and is taken out of the chain, ours.  uring_lock held. */
bool io_disarm_link_timeout(struct io_kiocb *req)
{
	struct io_ring_ctx *ctx = req->ctx;
	struct io_kiocb *timeout = NULL;

	spin_lock_irq(&ctx->timeout_lock);
	if (req->link && req->link->opcode == IORING_OP_LINK_TIMEOUT && req->link->timeout.head == req &&
	    !list_empty(&req->link->node)) {
		timeout = req->link;
		list_del_init(&timeout->node);
		req->link = timeout->link;
	}
	spin_unlock_irq(&ctx->timeout_lock);
	if (timeout)
		hrtimer_cancel(&timer_of(timeout)->timer);
	return timeout;
}
