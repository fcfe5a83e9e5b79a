/*
 * io_uring.h: a ring, a request, and what the files of this folder give each other.
 *
 * What:    a program writes submission entries (SQE) into memory that it shares with the kernel, and reads completion
 *          entries (CQE) from there.  Each SQE becomes a struct io_kiocb, a request.
 * Idea:    a request is first tried at once, told not to wait (IO_URING_F_NONBLOCK).  If it would have to wait and its file
 *          can be polled, it queues itself on the file's wait queues (poll.c) and is tried again, by task work of the task
 *          that submitted it, when something happened.  If it cannot be polled, a worker thread of the process (io-wq.c)
 *          does it in the blocking way.
 *          At any time a request has one owner: the submission code, an armed poll, a timer, a worker or the list of
 *          completions; whoever takes it out of the place where it waits (hash, list, all under locks) owns it then.
 * Life:    task->io_uring lives until all requests of the task are gone: exit and exec cancel them and wait.  So task work
 *          for a request can always be added.  A ring lives until its file is closed and its last request is gone.
 * Locking: ctx->uring_lock: submission, task work, registered things, the free list.
 *          -> io_tctx_mutex: which tasks use which rings
 *          -> ctx->completion_lock: CQ ring, overflow list, deferred (drained) requests.  Task context only.
 *          -> ctx->cancel_lock (irq): hash of armed polls;  ctx->timeout_lock (irq): timeouts;  wq->lock (irq)
 *          Under the wait queue locks of polled files only task_work_add() happens.
 * See:     io_uring(7); spec.md; doc/io_uring.md
 */
#ifndef IO_URING_INTERNAL_H
#define IO_URING_INTERNAL_H

#include <weft/fs.h>
#include <weft/err.h>
#include <weft/mutex.h>
#include <weft/wait.h>
#include <weft/atomic.h>
#include <weft/refcount.h>
#include <weft/completion.h>
#include <weft/workqueue.h>
#include <weft/hrtimer.h>
#include <weft/sched.h>
#include <weft/task_work.h>
#include <weft/uio.h>
#include <weft/xarray.h>
#include <weft/idr.h>
#include <uapi/io_uring.h>
#include <uapi/eventpoll.h>

struct io_kiocb;
struct io_wq;
struct io_uring_task;
struct io_sq_thread;
struct eventfd_ctx;

/* ---- what lies in the memory shared with the program; it may write anything at any time ---- */

struct io_rings {
	struct { u32 head, tail; } sq __aligned(64);
	struct { u32 head, tail; } cq __aligned(64);
	u32		sq_ring_mask, cq_ring_mask;
	u32		sq_ring_entries, cq_ring_entries;
	u32		sq_dropped;
	atomic_t	sq_flags;
	u32		cq_flags;
	u32		cq_overflow;
	struct io_uring_cqe cqes[] __aligned(64);	/* then, after all of them, the index array of the SQ */
};

/* ---- registered resources [uring_lock] ---- */

struct io_buf {				/* a fixed buffer */
	u64		addr;		/* where the program sees it */
	size_t		len;
	unsigned int	nr_pages;
	struct page	**pages;	/* a reference on each */
	refcount_t	refs;		/* the table and each request that uses it */
	struct user_struct *user;	/* the ring's */
	unsigned long	charged;	/* pages of user->locked_vm; 0: not limited */
	struct kvec	vec[];		/* the same pages in the kernel's direct map */
};

struct io_file_table {
	struct file	**files;	/* a reference on each; NULL: empty slot */
	unsigned int	nr;
	unsigned int	alloc_hint, alloc_start, alloc_end;
};

struct io_restrictions {
	u64		register_ops, sqe_ops;	/* bit maps of what is allowed */
	u8		sqe_flags_allowed, sqe_flags_required;
	bool		registered;
};

struct io_overflow {
	struct list_head	list;
	u64			user_data;
	s32			res;
	u32			cflags;
};

/* ---- a ring ---- */

struct io_ring_ctx {
	/* [I] */
	unsigned int		flags;			/* IORING_SETUP_*; R_DISABLED is taken away by ENABLE_RINGS */
	u32			sq_entries, cq_entries;
	unsigned int		sqe_shift, cqe_shift;	/* sizes of an entry */
	struct io_rings		*rings;
	u32			*sq_array;
	void			*sqes;
	struct user_struct	*user;

	atomic_long_t		refs;			/* the file, each request, whoever works on it outside uring_lock */
	struct mutex		uring_lock;

	/* [uring_lock] */
	u32			cached_sq_head;
	u32			nr_begun;		/* requests, ever */
	bool			after_drain;		/* the last chain was a drain */
	u32			cancel_seq;
	struct io_kiocb		*free_reqs;
	bool			flushing;		/* io_flush_done() is under way */
	struct io_kiocb		*done_first, **done_last;	/* completed, not posted yet */
	struct task_struct	*submitter;		/* SINGLE_ISSUER: the one; only its address is used */
	struct io_file_table	files;
	struct io_buf		**bufs;
	unsigned int		nr_bufs;
	struct xarray		groups;			/* of provided buffers, by id */
	struct idr		personalities;
	struct io_restrictions	restrictions;
	bool			strict;			/* restricted, or of IORING_SETUP_IOPOLL: not every entry goes */
	struct list_head	tctxs;			/* [io_tctx_mutex] struct io_tctx_node */

	spinlock_t		completion_lock;
	/* [completion_lock] */
	u32			cached_cq_tail;
	u32			cq_room;		/* entries known to be free; 0 while something is in `overflow` */
	struct list_head	overflow;
	struct list_head	deferred;		/* requests behind a drain */
	u32			nr_ended;		/* requests, ever */
	u32			nr_posted;		/* completions but those of timeouts, ever */
	u32			nr_timed_out;		/* ... and those of timeouts */

	wait_queue_head_t	cq_wait;		/* io_uring_enter() */
	wait_queue_head_t	poll_wait;		/* poll on the ring */

	spinlock_t		cancel_lock;
	struct hlist_head	polls[64];		/* [cancel_lock] armed, by user_data */

	spinlock_t		timeout_lock;
	struct list_head	timeouts;		/* [timeout_lock] those with a count by count, then the others */
	struct list_head	link_timeouts;		/* [timeout_lock] */

	struct eventfd_ctx	*evfd;			/* [completion_lock] */
	bool			evfd_async_only;

	struct io_sq_thread	*sq;			/* [I] SQPOLL */
	struct completion	no_refs;
	struct work_struct	exit_work;
};

/* ---- a task that uses rings ---- */

#define IO_RINGFD_MAX	16

struct io_uring_task {
	struct task_struct	*task;			/* [I] */
	struct io_ring_ctx	*last;			/* [o] the ring used last: it is in `rings` */
	struct list_head	rings;			/* [io_tctx_mutex] struct io_tctx_node */
	atomic_t		inflight;		/* requests */
	wait_queue_head_t	wait;			/* __io_uring_task_gone() */
	bool			going;			/* [-] exit or exec: who adds work must also wake `wait` */
	struct io_wq		*wq;			/* [o] made by the first request that needs it */
	struct file		*registered[IO_RINGFD_MAX];	/* [o] REGISTER_RING_FDS: a reference on each */
};

/* This task has used this ring. */
struct io_tctx_node {
	struct list_head	of_ring, of_task;	/* [io_tctx_mutex] */
	struct io_ring_ctx	*ctx;
	struct io_uring_task	*tctx;
};
extern struct mutex io_tctx_mutex;

/* ---- a request ---- */

/* req->flags: the low ones are IOSQE_* */
#define REQ_F_FIXED_FILE	IOSQE_FIXED_FILE
#define REQ_F_DRAIN		IOSQE_IO_DRAIN
#define REQ_F_LINK		IOSQE_IO_LINK
#define REQ_F_HARDLINK		IOSQE_IO_HARDLINK
#define REQ_F_ASYNC		IOSQE_ASYNC
#define REQ_F_BUFFER_SELECT	IOSQE_BUFFER_SELECT
#define REQ_F_CQE_SKIP		IOSQE_CQE_SKIP_SUCCESS
#define IO_LINK_FLAGS		(REQ_F_LINK | REQ_F_HARDLINK)
#define REQ_F_FAIL		(1U << 8)	/* breaks its chain */
#define REQ_F_FILE		(1U << 9)	/* ->file is assigned, a reference held */
#define REQ_F_POLLED		(1U << 10)	/* has been armed once for another try */
#define REQ_F_ARM_TIMEOUT	(1U << 11)	/* ->link is a LINK_TIMEOUT not armed yet */
#define REQ_F_LINK_TIMEOUT	(1U << 12)	/* ... armed */
#define REQ_F_REFCOUNT		(1U << 13)	/* ->refs counts: a fired link timeout holds one */
#define REQ_F_BUFFER_SELECTED	(1U << 14)	/* ->buf is a provided buffer in our hands */
#define REQ_F_BUFFER_RING	(1U << 15)	/* it came from a ring, ->group knows which */
#define REQ_F_CLEANUP		(1U << 16)	/* op->cleanup() is due */
#define REQ_F_MULTISHOT		(1U << 17)	/* accept, recv: posts again and again */
#define REQ_F_PARTIAL		(1U << 18)	/* some bytes went through: ->done */
#define REQ_F_CUR_POS		(1U << 19)	/* read and write at the file's own position */
#define REQ_F_NOWAIT		(1U << 20)	/* O_NONBLOCK: the program wants -EAGAIN */
#define REQ_F_TIMER		(1U << 21)	/* LINK_TIMEOUT that was started */
#define REQ_F_SKIP_LINK		(1U << 22)	/* the chain's cancelled rest posts nothing */
#define REQ_F_AFTER_DRAIN	(1U << 23)	/* waits for the drain before it */
#define REQ_F_PARTS		(1U << 24)	/* ->arm, ->data, ->fixed or ->creds may be there */

/* How ->issue() is called. */
#define IO_URING_F_NONBLOCK	1U		/* by the submitter: do not wait; else by a worker, without uring_lock */

/* What ->issue() returns: 0: ->res is the result; < 0: that is; IOU_LATER: somebody else owns the request now. */
#define IOU_LATER		1
#define IOU_AGAIN_POLL		2		/* multishot: nothing more now, arm the poll */

struct io_poll {
	struct wait_queue_head	*head;		/* NULL: not queued */
	struct wait_queue_entry	wait;
	struct io_kiocb		*req;
};

/* A request queued on its file.  A file may use two wait queues. */
struct io_arm {
	atomic_t		refs;		/* wake-ups not handled yet, IO_ARM_CANCEL; who makes it 1 queues the work */
	__poll_t		events;
	bool			multishot;
	int			error;
	unsigned int		used;
	struct io_poll		entry[2];
};

struct io_timer {
	struct hrtimer		timer;
	ktime_t			time;
	clockid_t		clock;
	enum hrtimer_mode	mode;
};

struct io_kiocb {
	struct file		*file;
	u8			opcode;
	u16			buf_index;	/* fixed buffer, or group of provided ones */
	unsigned int		flags;		/* REQ_F_* */
	s32			fd;
	s32			res;
	u32			cflags;
	u32			cancel_seq;
	u32			seq;		/* ctx->nr_begun when it came: how many were before */
	u64			user_data;
	struct io_ring_ctx	*ctx;
	struct task_struct	*task;
	struct io_uring_task	*tctx;
	struct io_kiocb		*link;		/* begins when we have ended */
	struct io_kiocb		*next;		/* in ctx->free_reqs, done list */
	refcount_t		refs;		/* with REQ_F_REFCOUNT */
	const struct cred	*creds;		/* for a worker, or of a personality; NULL: the task's */
	struct callback_head	work;
	void			(*work_fn)(struct io_kiocb *req);	/* by task work, uring_lock held */
	struct list_head	node;		/* io-wq list, timeouts, deferred */
	struct hlist_node	hash;		/* [cancel_lock] ctx->polls */
	struct io_arm		*arm;
	struct io_buf		*fixed;
	struct io_selected { u64 addr; u32 len; u16 bid, bgid; } buf;	/* REQ_F_BUFFER_SELECTED */
	size_t			done;		/* REQ_F_PARTIAL */
	void			*data;		/* kmalloc()ed, freed with the request */
	union {
		struct { loff_t pos; u64 addr; u32 len; int rwf; struct iovec *iov; size_t total, wanted;
			 struct kiocb kiocb; } rw;
		struct { u64 addr; u32 len; int flags; int how; u64 addr_len; u32 file_slot; } net;
		struct { __poll_t events; u64 old_data, new_data; u32 flags; } poll;
		struct { u32 count, target, flags; u64 addr; struct io_kiocb *head; struct timespec64 ts; } timeout;
		struct { u64 addr; u32 flags; s32 fd; } cancel;
		struct { loff_t off, len; int flags; u64 addr; } sync;
		struct { int dfd, dfd2, flags; umode_t mode; u32 mask, file_slot; struct filename *from, *to; u64 addr; } fs;
		struct { struct file *in; s32 fd_in; loff_t off_in, off_out; u64 len; unsigned int flags; } splice;
		struct { int op, fd; struct epoll_event event; } epoll;
		struct { u64 addr; u32 len; int nr; u16 bid; } kbuf;
		struct { u64 addr; u32 nr, offset; } files;
		struct { u64 user_data; u32 len, flags, src, dst; int cmd; } msg;
	};
};

struct io_op {
	const char	*name;
	int		(*prep)(struct io_kiocb *req, const struct io_uring_sqe *sqe);	/* copies all it will need */
	int		(*issue)(struct io_kiocb *req, unsigned int issue_flags);
	void		(*cleanup)(struct io_kiocb *req);	/* with REQ_F_CLEANUP */
	bool		needs_file : 1;
	bool		inline_only : 1;	/* needs uring_lock and never waits: IOSQE_ASYNC means nothing */
	bool		buffer_select : 1;
	bool		fixed_buffer : 1;
	bool		ioprio : 1;		/* the entry's ioprio means something */
	bool		iopoll : 1;		/* goes on a ring of IORING_SETUP_IOPOLL */
	__poll_t	poll;		/* what to wait for when it would block; 0: a worker does it */
};
extern const struct io_op io_ops[IORING_OP_LAST];

/* ---- complete.c ---- */
bool io_post_cqe(struct io_ring_ctx *ctx, u64 user_data, s32 res, u32 cflags);	/* one by itself; false: no room */
void io_req_settle(struct io_kiocb *req);
void io_flush_done(struct io_ring_ctx *ctx) __must_hold(&ctx->uring_lock);
void io_req_done_by_worker(struct io_kiocb *req, s32 res);
void io_req_task_work(struct io_kiocb *req, void (*fn)(struct io_kiocb *));
void io_req_fail_by_work(struct io_kiocb *req, s32 res);
bool io_run_task_work(void);
void io_flush_overflow(struct io_ring_ctx *ctx) __must_hold(&ctx->uring_lock);
int io_wait_cqes(struct io_ring_ctx *ctx, u32 min, ktime_t *deadline);
struct io_kiocb *io_new_req(struct io_ring_ctx *ctx);
void io_put_req(struct io_kiocb *req);
void io_free_req_cache(struct io_ring_ctx *ctx);
void io_ctx_put(struct io_ring_ctx *ctx);
void io_put_refs(struct io_ring_ctx *ctx, struct io_uring_task *tctx, unsigned int n);
static inline void io_ctx_get(struct io_ring_ctx *ctx) { atomic_long_inc(&ctx->refs); }
static inline void io_set_fail(struct io_kiocb *req) { req->flags |= REQ_F_FAIL; }

static inline unsigned int io_cqes_ready(struct io_ring_ctx *ctx)
{
	return READ_ONCE(ctx->rings->cq.tail) - READ_ONCE(ctx->rings->cq.head);
}

static inline void io_add_done(struct io_ring_ctx *ctx, struct io_kiocb *req)
{
	req->next = NULL;
	*ctx->done_last = req;
	ctx->done_last = &req->next;
}

/* It has ended; posted by the next flush.  uring_lock held. */
static inline void io_req_done(struct io_kiocb *req, s32 res)
{
	struct io_ring_ctx *ctx = req->ctx;

	req->res = res;
	if (unlikely(res < 0 || req->flags & (REQ_F_CQE_SKIP | REQ_F_BUFFER_SELECTED)))
		io_req_settle(req);
	io_add_done(ctx, req);
}

/* ---- submit.c ---- */
int io_submit_sqes(struct io_ring_ctx *ctx, u32 nr) __must_hold(&ctx->uring_lock);
void io_queue_req(struct io_kiocb *req);		/* uring_lock held: try it now */
int io_issue(struct io_kiocb *req, unsigned int issue_flags);
void io_queue_async(struct io_kiocb *req);		/* uring_lock held: it would have to wait */
void io_release_deferred(struct io_ring_ctx *ctx) __must_hold(&ctx->completion_lock);
bool io_cancel_deferred(struct io_ring_ctx *ctx, struct task_struct *task);

/* ---- poll.c ---- */
enum { IO_ARMED, IO_READY, IO_CANNOT_ARM };
int io_arm_for_retry(struct io_kiocb *req);
void io_disarm(struct io_kiocb *req);

/* ---- cancel.c ---- */
struct io_cancel {
	struct io_kiocb		*req;		/* this one; or, if NULL ... */
	struct task_struct	*task;		/* ... of this task only, if not NULL */
	u64			data;
	struct file		*file;
	unsigned int		flags;		/* IORING_ASYNC_CANCEL_* */
	u32			seq;
};
bool io_cancel_matches(struct io_kiocb *req, struct io_cancel *cd);
int io_poll_cancel(struct io_ring_ctx *ctx, struct io_cancel *cd);
int io_timeout_cancel(struct io_ring_ctx *ctx, struct io_cancel *cd);
int io_try_cancel(struct io_ring_ctx *ctx, struct io_uring_task *tctx, struct io_cancel *cd);
bool io_cancel_all(struct io_ring_ctx *ctx, struct task_struct *task);

/* ---- timeout.c ---- */
void io_flush_timeouts(struct io_ring_ctx *ctx);
void io_start_link_timeout(struct io_kiocb *req);
bool io_disarm_link_timeout(struct io_kiocb *req);

/* ---- io-wq.c ---- */
int io_wq_enqueue(struct io_kiocb *req);
int io_wq_cancel(struct io_wq *wq, struct io_ring_ctx *ctx, struct io_cancel *cd);
void io_wq_destroy(struct io_wq *wq);

/* ---- task.c ---- */
int io_uring_add_task(struct io_ring_ctx *ctx);
void io_uring_forget_tasks(struct io_ring_ctx *ctx);
void io_tctx_put_req(struct io_uring_task *tctx, unsigned int n);

/* ---- ring.c, register.c ---- */
struct fd;
extern const struct file_operations io_uring_fops;
int io_ring_get(unsigned int fd, bool registered, struct fd *ring);	/* 0, -errno; fdput() when done */
static inline u32 io_sqes_waiting(struct io_ring_ctx *ctx)
{
	u32 n = smp_load_acquire(&ctx->rings->sq.tail) - ctx->cached_sq_head;

	return min(n, ctx->sq_entries);
}

#endif
