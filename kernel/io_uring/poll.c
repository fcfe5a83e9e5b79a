/*
 * poll.c: requests queued on the wait queues of their files: POLL_ADD, and any request that waits to be tried again.
 *
 * Idea:    a wake-up runs in any context, under the lock of a wait queue, so all it does is to count itself in arm->refs
 *          and, if it was the first, hand the request to task work.  The work asks the file what is true, ends or tries the
 *          request, or takes back as many counts as it has seen and leaves the request armed if that was all:
 *
 *              wake-up                              task work (owner while refs > 0)
 *              refs++ : 0 -> 1, add the work         v = refs
 *              refs++ : 1 -> 2                       look at the file: nothing
 *                                                    refs -= v : 1 left, so look again
 *          Cancelling is a wake-up with IO_ARM_CANCEL set in refs.
 * Locking: arming, task work and removal under uring_lock; ctx->cancel_lock for the hash; the file's wait queue locks.
 *          A wait queue that goes away before its file (POLLFREE: signalfd) clears entry->head under RCU.
 */
#include "ops.h"
#include <weft/file.h>
#include <weft/hash.h>
#include <weft/log2.h>
#include <weft/poll.h>
#include <weft/rcu.h>
#include <weft/slab.h>

#define IO_ARM_CANCEL	(1 << 30)
#define IO_ARM_COUNT	(IO_ARM_CANCEL - 1)
#define ALWAYS		(EPOLLERR | EPOLLHUP | EPOLLNVAL)

static void armed_work(struct io_kiocb *req);

static struct hlist_head *bucket(struct io_ring_ctx *ctx, u64 user_data)
{
	return &ctx->polls[hash_64(user_data, ilog2(ARRAY_SIZE(ctx->polls)))];
}

static void hash_req(struct io_kiocb *req)
{
	struct io_ring_ctx *ctx = req->ctx;

	spin_lock_irq(&ctx->cancel_lock);
	hlist_add_head(&req->hash, bucket(ctx, req->user_data));
	spin_unlock_irq(&ctx->cancel_lock);
}

static void unhash_req(struct io_kiocb *req)
{
	struct io_ring_ctx *ctx = req->ctx;

	spin_lock_irq(&ctx->cancel_lock);
	hlist_del_init(&req->hash);
	spin_unlock_irq(&ctx->cancel_lock);
}

/* One more reason to look.  Any context; the first one brings the task work. */
static void count_wake_up(struct io_kiocb *req)
{
	if (!(atomic_fetch_add(1, &req->arm->refs) & IO_ARM_COUNT))
		io_req_task_work(req, armed_work);
}

static int poll_woken(struct wait_queue_entry *e, unsigned int mode, int flags, void *key)
{
	struct io_poll *poll = container_of(e, struct io_poll, wait);
	struct io_kiocb *req = poll->req;
	__poll_t mask = key_to_poll(key);

	if (unlikely(mask & POLLFREE)) {
		atomic_or(IO_ARM_CANCEL, &req->arm->refs);
		list_del_init(&poll->wait.entry);
		count_wake_up(req);
		/* From here on the queue may be freed; who removes us looks at head under RCU. */
		smp_store_release(&poll->head, NULL);
		return 1;
	}
	if (mask && !(mask & (req->arm->events | ALWAYS)))
		return 0;
	/* A poll of the ring itself would wake itself with each completion that it posts. */
	if (mask & EPOLL_URING_WAKE)
		req->arm->multishot = false;
	count_wake_up(req);
	return 1;
}

struct arming {
	poll_table		pt;
	struct io_kiocb		*req;
};

static void queue_on(struct file *file, wait_queue_head_t *head, poll_table *pt)
{
	struct io_kiocb *req = container_of(pt, struct arming, pt)->req;
	struct io_arm *arm = req->arm;
	struct io_poll *poll;

	if (arm->used && arm->entry[0].head == head)
		return;			/* twice the same */
	if (arm->used == ARRAY_SIZE(arm->entry)) {
		arm->error = -EINVAL;
		return;
	}
	poll = &arm->entry[arm->used++];
	poll->req = req;
	poll->head = head;
	init_waitqueue_func_entry(&poll->wait, poll_woken);
	if (arm->events & EPOLLEXCLUSIVE)
		add_wait_queue_exclusive(head, &poll->wait);
	else
		add_wait_queue(head, &poll->wait);
}

static void remove_entries(struct io_arm *arm)
{
	rcu_read_lock();
	for (unsigned int i = 0; i < arm->used; i++) {
		struct wait_queue_head *head = smp_load_acquire(&arm->entry[i].head);

		if (!head)
			continue;
		spin_lock_irq(&head->lock);
		list_del_init(&arm->entry[i].wait.entry);
		arm->entry[i].head = NULL;
		spin_unlock_irq(&head->lock);
	}
	rcu_read_unlock();
	arm->used = 0;
}

/* Out of the hash and the queues: nobody finds the request any more.  The caller owns it. */
void io_disarm(struct io_kiocb *req)
{
	unhash_req(req);
	remove_entries(req->arm);
}

/* The file's events among those wanted, queueing on the way. */
static __poll_t ask_and_queue(struct io_kiocb *req)
{
	struct arming a = { .req = req };

	init_poll_funcptr(&a.pt, queue_on);
	a.pt._key = req->arm->events;
	return vfs_poll(req->file, &a.pt) & (req->arm->events | ALWAYS);
}

/* > 0: these events are there already, not armed; 0: armed; < 0: -errno, not armed. */
static int arm_req(struct io_kiocb *req, __poll_t events, bool multishot)
{
	struct io_arm *arm = req->arm;
	__poll_t mask;

	if (!arm)
		arm = req->arm = kmalloc(sizeof(*arm), GFP_KERNEL);
	if (!arm)
		return -ENOMEM;
	req->flags |= REQ_F_PARTS;
	*arm = (struct io_arm){ .events = events, .multishot = multishot };
	atomic_set(&arm->refs, 1);		/* ours while we arm */
	mask = ask_and_queue(req);
	if (arm->error || (mask && !multishot)) {
		remove_entries(arm);
		return mask ? (int)mask : arm->error;
	}
	hash_req(req);
	if (mask)
		atomic_inc(&arm->refs);		/* multishot: report what is there at once */
	if (!atomic_dec_and_test(&arm->refs))
		io_req_task_work(req, armed_work);
	return 0;
}

/* ---- what happens when it is woken ---- */

static void end_poll(struct io_kiocb *req, int res)
{
	io_disarm(req);
	if (req->opcode == IORING_OP_POLL_ADD)
		io_req_done(req, res);
	else if (res < 0)
		io_req_done(req, res);
	else
		io_queue_req(req);
}

/* False: the request has ended. */
static bool report_events(struct io_kiocb *req, __poll_t mask)
{
	struct io_ring_ctx *ctx = req->ctx;

	lockdep_assert_held(&ctx->uring_lock);
	if (!req->arm->multishot) {
		end_poll(req, mangle_poll(mask));
		return false;
	}
	io_flush_done(ctx);		/* in order */
	if (io_post_cqe(ctx, req->user_data, mangle_poll(mask), IORING_CQE_F_MORE))
		return true;
	end_poll(req, -ECANCELED);
	return false;
}

static void armed_work(struct io_kiocb *req)
{
	struct io_arm *arm = req->arm;
	poll_table pt = { ._key = arm->events };
	__poll_t mask;
	int v;

	do {
		v = atomic_read(&arm->refs);
		if (unlikely(v & IO_ARM_CANCEL)) {
			end_poll(req, -ECANCELED);
			return;
		}
		mask = vfs_poll(req->file, &pt) & (arm->events | ALWAYS);
		if (mask && !report_events(req, mask))
			return;
	} while (atomic_sub_return(v & IO_ARM_COUNT, &arm->refs) & (IO_ARM_COUNT | IO_ARM_CANCEL));
}

/* Whatever the request is, it shall be tried again when its file is ready. */
int io_arm_for_retry(struct io_kiocb *req)
{
	const struct io_op *op = &io_ops[req->opcode];
	int ret;

	if (!op->poll || !(req->flags & REQ_F_FILE) || !file_can_poll(req->file))
		return IO_CANNOT_ARM;
	/* It was ready and still would wait: polling does not help, unless it got something meanwhile. */
	if ((req->flags & (REQ_F_POLLED | REQ_F_PARTIAL | REQ_F_MULTISHOT)) == REQ_F_POLLED)
		return IO_CANNOT_ARM;
	req->flags = (req->flags | REQ_F_POLLED) & ~REQ_F_PARTIAL;
	ret = arm_req(req, op->poll | EPOLLRDHUP * !!(op->poll & EPOLLIN), false);
	if (ret < 0)
		return IO_CANNOT_ARM;
	return ret ? IO_READY : IO_ARMED;
}

/* ---- POLL_ADD ---- */

static __poll_t events_of(const struct io_uring_sqe *sqe, u32 flags)
{
	u32 events = READ_ONCE(sqe->op_flags);

	return demangle_poll(events) | (events & EPOLLEXCLUSIVE) | (flags & IORING_POLL_ADD_MULTI ? 0 : EPOLLONESHOT);
}

int io_poll_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	u32 flags = READ_ONCE(sqe->len);

	if (sqe->buf_index || sqe->off || sqe->addr || flags & ~IORING_POLL_ADD_MULTI)
		return -EINVAL;
	if (flags & IORING_POLL_ADD_MULTI && req->flags & REQ_F_CQE_SKIP)
		return -EINVAL;
	req->poll.flags = flags;
	req->poll.events = events_of(sqe, flags);
	return 0;
}

int io_poll_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	int ret;

	ret = arm_req(req, req->poll.events, req->poll.flags & IORING_POLL_ADD_MULTI);
	if (!ret)
		return IOU_LATER;
	if (ret > 0)
		req->res = mangle_poll(ret);
	return ret < 0 ? ret : 0;
}

/* ---- finding armed requests ---- */

static struct io_kiocb *find_armed(struct io_ring_ctx *ctx, struct io_cancel *cd) __must_hold(&ctx->cancel_lock)
{
	bool by_data = !cd->req && !(cd->flags & (IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ANY)) && !cd->task;
	struct hlist_head *first = by_data ? bucket(ctx, cd->data) : ctx->polls;
	struct hlist_head *end = by_data ? first + 1 : ctx->polls + ARRAY_SIZE(ctx->polls);
	struct io_kiocb *req;

	for (; first < end; first++)
		hlist_for_each_entry(req, first, hash)
			if (io_cancel_matches(req, cd))
				return req;
	return NULL;
}

/* 0: it will end with -ECANCELED; -ENOENT. */
int io_poll_cancel(struct io_ring_ctx *ctx, struct io_cancel *cd)
{
	struct io_kiocb *req;
	unsigned long flags;

	spin_lock_irqsave(&ctx->cancel_lock, flags);
	req = find_armed(ctx, cd);
	if (req) {
		atomic_or(IO_ARM_CANCEL, &req->arm->refs);
		count_wake_up(req);
	}
	spin_unlock_irqrestore(&ctx->cancel_lock, flags);
	return req ? 0 : -ENOENT;
}

/* A POLL_ADD with this user_data that nobody works on: ours now, disarmed.  ERR_PTR(-ENOENT, -EALREADY). */
static struct io_kiocb *take_poll(struct io_ring_ctx *ctx, u64 data)
{
	struct io_cancel cd = { .data = data };
	struct io_kiocb *req;
	bool busy = false;

	spin_lock_irq(&ctx->cancel_lock);
	req = find_armed(ctx, &cd);
	if (req && req->opcode != IORING_OP_POLL_ADD)
		req = NULL;
	if (req)
		busy = atomic_fetch_add(1, &req->arm->refs) & IO_ARM_COUNT;
	spin_unlock_irq(&ctx->cancel_lock);
	if (!req)
		return ERR_PTR(-ENOENT);
	if (busy)
		return ERR_PTR(-EALREADY);	/* its work is under way and will see one wake-up more */
	io_disarm(req);
	return req;
}

/* ---- POLL_REMOVE, which also changes polls ---- */

int io_poll_remove_prep(struct io_kiocb *req, const struct io_uring_sqe *sqe)
{
	u32 flags = READ_ONCE(sqe->len);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (flags & ~(IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA | IORING_POLL_ADD_MULTI))
		return -EINVAL;
	if (flags == IORING_POLL_ADD_MULTI)
		return -EINVAL;		/* meaningless without an update */
	req->poll.old_data = READ_ONCE(sqe->addr);
	req->poll.new_data = READ_ONCE(sqe->off);
	req->poll.flags = flags;
	if (!(flags & IORING_POLL_UPDATE_USER_DATA) && req->poll.new_data)
		return -EINVAL;
	if (flags & IORING_POLL_UPDATE_EVENTS)
		req->poll.events = events_of(sqe, flags);
	else if (sqe->op_flags)
		return -EINVAL;
	return 0;
}

static void rearm_changed(struct io_kiocb *poll, const struct io_kiocb *by)
{
	int ret;

	if (by->poll.flags & IORING_POLL_UPDATE_EVENTS) {
		poll->poll.events = (poll->poll.events & ~0xffffU) | (by->poll.events & 0xffffU);
		poll->poll.flags = by->poll.flags & IORING_POLL_ADD_MULTI;
	}
	if (by->poll.flags & IORING_POLL_UPDATE_USER_DATA)
		poll->user_data = by->poll.new_data;
	ret = arm_req(poll, poll->poll.events, poll->poll.flags & IORING_POLL_ADD_MULTI);
	if (ret)
		io_req_done(poll, ret > 0 ? (int)mangle_poll(ret) : ret);
}

int io_poll_remove_issue(struct io_kiocb *req, unsigned int issue_flags)
{
	struct io_kiocb *poll;
	int ret = 0;

	poll = take_poll(req->ctx, req->poll.old_data);
	if (IS_ERR(poll))
		ret = PTR_ERR(poll);
	else if (req->poll.flags & (IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA))
		rearm_changed(poll, req);
	else
		io_req_done(poll, -ECANCELED);
	return ret;
}
