/*
 * submit.c: from submission entries to requests, their chains and drains, and the first try.
 *
 * Idea:    io_submit_sqes() copies each entry into a request at once (->prep()), so the program may use it again when the
 *          call returns.  Linked entries gather into a chain, of which only the first is queued.
 *          A drained request waits until as many requests have ended as had begun before it; whoever comes later waits
 *          behind it in ctx->deferred, so the two counts can only become equal, never pass each other.
 * Locking: uring_lock, but for ->issue() by a worker.
 */
#include "ops.h"
#include <weft/blk_plug.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/poll.h>

/* ---- drain ---- */

/* completion_lock held. */
static bool must_wait(const struct io_kiocb *req)
{
	return req->flags & (REQ_F_DRAIN | REQ_F_AFTER_DRAIN) && req->ctx->nr_ended != req->seq;
}

/* True: req waits in ctx->deferred. */
static noinline bool defer_req(struct io_kiocb *req)
{
	struct io_ring_ctx *ctx = req->ctx;
	bool wait;

	spin_lock(&ctx->completion_lock);
	wait = !list_empty(&ctx->deferred) || must_wait(req);
	if (wait)
		list_add_tail(&req->node, &ctx->deferred);
	spin_unlock(&ctx->completion_lock);
	return wait;
}

/* Something has ended: whose turn is it? */
void io_release_deferred(struct io_ring_ctx *ctx)
{
	struct io_kiocb *req;

	while (!list_empty(&ctx->deferred)) {
		req = list_first_entry(&ctx->deferred, struct io_kiocb, node);
		if (must_wait(req))
			return;
		list_del(&req->node);
		io_req_task_work(req, io_queue_req);
	}
}

/* For the end of a task or a ring.  True if there was one. */
bool io_cancel_deferred(struct io_ring_ctx *ctx, struct task_struct *task)
{
	struct io_kiocb *req, *next;
	bool found = false;

	spin_lock(&ctx->completion_lock);
	list_for_each_entry_safe(req, next, &ctx->deferred, node) {
		if (task && req->task != task)
			continue;
		list_del(&req->node);
		io_req_fail_by_work(req, -ECANCELED);
		found = true;
	}
	spin_unlock(&ctx->completion_lock);
	return found;
}

/* ---- issue ---- */

static int assign_file(struct io_kiocb *req, unsigned int issue_flags)
{
	if (req->flags & REQ_F_FILE)
		return 0;
	if (req->flags & REQ_F_FIXED_FILE) {
		io_lock_unless_inline(req->ctx, issue_flags);
		req->file = io_fixed_file(req->ctx, req->fd);
		io_unlock_unless_inline(req->ctx, issue_flags);
	} else {
		req->file = fget(req->fd);
	}
	if (!req->file)
		return -EBADF;
	req->flags |= REQ_F_FILE;
	return 0;
}

static __always_inline int issue(struct io_kiocb *req, unsigned int issue_flags)
{
	const struct io_op *op = &io_ops[req->opcode];
	const struct cred *old = NULL;
	int ret;

	if (op->needs_file) {
		ret = assign_file(req, issue_flags);
		if (unlikely(ret))
			return ret;
	}
	if (unlikely(req->creds))
		old = override_creds(req->creds);
	ret = op->issue(req, issue_flags);
	if (unlikely(old))
		revert_creds(old);
	return ret;
}

/* See IO_URING_F_* and IOU_*. */
int io_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	return issue(req, issue_flags);
}

static void queue_to_worker(struct io_kiocb *req)
{
	int err;

	if (!req->creds) {
		req->flags |= REQ_F_PARTS;
		req->creds = get_current_cred();
	}
	err = io_wq_enqueue(req);
	if (err)
		io_req_done(req, err);
}

void io_queue_async(struct io_kiocb *req)
{
	switch (io_arm_for_retry(req)) {
	case IO_ARMED:
		break;
	case IO_READY:
		io_req_task_work(req, io_queue_req);
		break;
	case IO_CANNOT_ARM:
		queue_to_worker(req);
		break;
	}
}

/* The timeout behind req will be armed with it: from now on, req may outlive its completion. */
static bool prepare_link_timeout(struct io_kiocb *req)
{
	if (likely(!(req->flags & REQ_F_ARM_TIMEOUT)))
		return false;
	req->flags = (req->flags & ~REQ_F_ARM_TIMEOUT) | REQ_F_LINK_TIMEOUT | REQ_F_REFCOUNT;
	refcount_set(&req->refs, 1);
	return true;
}

/* Somebody else has to go on with req: a worker, whoever makes its file ready, or who has it already (IOU_LATER). */
static void hand_over(struct io_kiocb *req, int ret)
{
	bool timeout;

	if (ret == -EAGAIN && req->flags & REQ_F_NOWAIT) {
		io_req_done(req, -EAGAIN);
		return;
	}
	/* A chain is continued by task work only, which cannot run before we release uring_lock: req is still there below. */
	timeout = prepare_link_timeout(req);
	if (ret != IOU_LATER)
		io_queue_async(req);
	if (timeout)
		io_start_link_timeout(req);
}

/* True: req went to a worker without a try, or has failed before it began. */
static bool queued_untried(struct io_kiocb *req)
{
	bool timeout;

	if (req->flags & REQ_F_FAIL) {
		/* An entry that was refused breaks hard links, too. */
		if (req->flags & REQ_F_HARDLINK)
			req->flags = (req->flags & ~REQ_F_HARDLINK) | REQ_F_LINK;
		io_req_done(req, req->res);
		return true;
	}
	if (req->flags & REQ_F_POLLED || io_ops[req->opcode].inline_only)
		return false;
	timeout = prepare_link_timeout(req);
	queue_to_worker(req);
	if (timeout)
		io_start_link_timeout(req);
	return true;
}

static __always_inline void queue_req(struct io_kiocb *req)
{
	int ret;

	if (unlikely(req->flags & (REQ_F_FAIL | REQ_F_ASYNC)) && queued_untried(req))
		return;
	ret = issue(req, IO_URING_F_NONBLOCK);
	if (likely(ret <= 0 && ret != -EAGAIN))
		io_req_done(req, ret < 0 ? ret : req->res);
	else
		hand_over(req, ret);
}

/* A request whose turn it is (a chain's first, or the next of a chain).  uring_lock held. */
void io_queue_req(struct io_kiocb *req)
{
	queue_req(req);
}

static __always_inline void queue_chain(struct io_ring_ctx *ctx, struct io_kiocb *req)
{
	if (unlikely(req->flags & (REQ_F_DRAIN | REQ_F_AFTER_DRAIN) || !list_empty_careful(&ctx->deferred)))
		if (defer_req(req))
			return;
	queue_req(req);
}

/* ---- entries ---- */

#define SQE_VALID_FLAGS (IOSQE_FIXED_FILE | IOSQE_IO_DRAIN | IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC | \
			 IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS)

static int check_restrictions(struct io_ring_ctx *ctx, const struct io_kiocb *req, unsigned int flags)
{
	const struct io_restrictions *r = &ctx->restrictions;

	if (ctx->flags & IORING_SETUP_IOPOLL && !io_ops[req->opcode].iopoll)
		return -EINVAL;
	if (r->registered && (!(r->sqe_ops & 1ULL << req->opcode) || (flags & r->sqe_flags_required) != r->sqe_flags_required ||
	    flags & ~(r->sqe_flags_allowed | r->sqe_flags_required)))
		return -EACCES;
	return 0;
}

#define SQE_EASY_FLAGS (IOSQE_FIXED_FILE | IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC)	/* go with every operation */

static int check_flags(const struct io_op *op, unsigned int flags, unsigned int ioprio)
{
	if (flags & ~SQE_VALID_FLAGS || (ioprio && !op->ioprio))
		return -EINVAL;
	if (flags & IOSQE_BUFFER_SELECT && !op->buffer_select)
		return -EOPNOTSUPP;
	if (flags & IOSQE_CQE_SKIP_SUCCESS && flags & IOSQE_IO_DRAIN)
		return -EOPNOTSUPP;
	return 0;
}

static int use_personality(struct io_kiocb *req, unsigned int id)
{
	const struct cred *cred;

	if (likely(!id))
		return 0;
	cred = idr_find(&req->ctx->personalities, id);
	if (!cred)
		return -EINVAL;
	req->flags |= REQ_F_PARTS;
	req->creds = get_cred(cred);
	return 0;
}

/* ->file, ->link and what release_parts() looks at are clear in a request that was freed. */
static void reset_req(struct io_ring_ctx *ctx, struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	req->user_data = READ_ONCE(sqe->user_data);
	req->fd = READ_ONCE(sqe->fd);
	req->buf_index = READ_ONCE(sqe->buf_index);
	req->res = req->cflags = req->cancel_seq = 0;
	req->done = 0;
	req->seq = ctx->nr_begun++;
}

/* The entry may change under our eyes: each field is read once; the first three by one load.  0, or why it is refused. */
static int init_req(struct io_ring_ctx *ctx, struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	const u32 head = READ_ONCE(*(const u32 *)sqe);
	const unsigned int flags = head >> 8 & 0xff, ioprio = head >> 16;
	const struct io_op *op;
	int err;

	static_assert(offsetof(struct io_uring_sqe, flags) == 1 && offsetof(struct io_uring_sqe, ioprio) == 2);
	reset_req(ctx, req, sqe);
	req->opcode = (u8)head;
	req->flags = flags & SQE_VALID_FLAGS;	/* also when it is refused: it belongs to its chain */
	if (unlikely(req->opcode >= IORING_OP_LAST || !io_ops[req->opcode].issue)) {
		req->opcode = IORING_OP_NOP;	/* nothing of the table must be looked up by it */
		return -EINVAL;
	}
	op = &io_ops[req->opcode];
	if (unlikely(head & ~(SQE_EASY_FLAGS << 8 | 0xffu))) {
		err = check_flags(op, flags, ioprio);
		if (err)
			return err;
	}
	if (unlikely(ctx->strict)) {
		err = check_restrictions(ctx, req, flags);
		if (err)
			return err;
	}
	err = use_personality(req, READ_ONCE(sqe->personality));
	return unlikely(err) ? err : op->prep(req, sqe);
}

/* The chain that is being gathered. */
struct chain {
	struct io_kiocb	*head, *last;
	unsigned int	length;
};

static void add_to_chain(struct chain *c, struct io_kiocb *req)
{
	if (c->head)
		c->last->link = req;
	else
		c->head = req;
	c->last = req;
}

static void begin_chain(struct io_ring_ctx *ctx, struct io_kiocb *head)
{
	if (likely(!ctx->after_drain && !(head->flags & REQ_F_DRAIN)))
		return;
	if (ctx->after_drain)
		head->flags |= REQ_F_AFTER_DRAIN;
	ctx->after_drain = head->flags & REQ_F_DRAIN;
}

/* A timeout belongs to the request before it, which must be in a chain. */
static int check_link_timeout(struct chain *c, struct io_kiocb *req)
{
	if (req->opcode != IORING_OP_LINK_TIMEOUT)
		return 0;
	if (!c->head || c->last->opcode == IORING_OP_LINK_TIMEOUT)
		return -EINVAL;
	req->timeout.head = c->last;
	c->last->flags |= REQ_F_ARM_TIMEOUT;
	return 0;
}

static int submit_sqe(struct io_ring_ctx *ctx, struct chain *c, struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	int err = init_req(ctx, req, sqe);

	if (!err)
		err = check_link_timeout(c, req);
	if (!c->head)
		begin_chain(ctx, req);
	else if (req->flags & REQ_F_DRAIN) {
		c->head->flags |= REQ_F_DRAIN;	/* all of the chain waits, and all that comes after it */
		ctx->after_drain = true;
	}
	if (unlikely(err)) {
		/* The chain is gathered to its end, then fails as a whole. */
		req->res = err;
		io_set_fail(req);
		if (c->head && !(c->head->flags & REQ_F_FAIL)) {
			c->head->res = -ECANCELED;
			io_set_fail(c->head);
		}
	}
	if (c->head || req->flags & IO_LINK_FLAGS) {
		add_to_chain(c, req);
		if (req->flags & IO_LINK_FLAGS)
			return 0;
		req = c->head;
		c->head = NULL;
	}
	queue_chain(ctx, req);
	return err;
}

static struct io_kiocb *alloc_req(struct io_ring_ctx *ctx) __must_hold(&ctx->uring_lock)
{
	struct io_kiocb *req = ctx->free_reqs;

	if (unlikely(!req))
		return io_new_req(ctx);
	ctx->free_reqs = req->next;
	return req;
}

/* The next entry, or NULL: the program's index was out of range. */
static const struct io_uring_sqe *next_sqe(struct io_ring_ctx *ctx)
{
	u32 index = READ_ONCE(ctx->sq_array[ctx->cached_sq_head++ & (ctx->sq_entries - 1)]);

	if (likely(index < ctx->sq_entries))
		return ctx->sqes + ((size_t)index << ctx->sqe_shift);
	WRITE_ONCE(ctx->rings->sq_dropped, ctx->rings->sq_dropped + 1);
	return NULL;
}

/* Up to nr entries.  How many were taken (refused ones count: their CQE says why), or -EAGAIN when there was no memory. */
int io_submit_sqes(struct io_ring_ctx *ctx, u32 nr)
{
	struct io_uring_task *tctx = current->io_uring;
	const struct io_uring_sqe *sqe;
	struct chain chain = { 0 };
	struct blk_plug plug;
	struct io_kiocb *req = NULL;
	u32 done = 0;

	nr = min(nr, io_sqes_waiting(ctx));
	atomic_add(nr, &tctx->inflight);	/* for all of them; what is not submitted is given back */
	atomic_long_add(nr, &ctx->refs);
	if (nr > 1)
		blk_start_plug(&plug);
	while (done < nr) {
		req = alloc_req(ctx);
		if (unlikely(!req))
			break;
		sqe = next_sqe(ctx);
		if (unlikely(!sqe)) {
			req->next = ctx->free_reqs;
			ctx->free_reqs = req;
			break;
		}
		done++;
		req->task = current;
		req->tctx = tctx;
		if (unlikely(submit_sqe(ctx, &chain, req, sqe)) && !(ctx->flags & IORING_SETUP_SUBMIT_ALL))
			break;
	}
	if (unlikely(done != nr))
		io_put_refs(ctx, tctx, nr - done);
	if (unlikely(chain.head))
		queue_chain(ctx, chain.head);	/* the last entry promised another */
	if (nr > 1)
		blk_finish_plug(&plug);
	io_flush_done(ctx);
	smp_store_release(&ctx->rings->sq.head, ctx->cached_sq_head);
	return unlikely(!req && !done && nr) ? -EAGAIN : done;
}
