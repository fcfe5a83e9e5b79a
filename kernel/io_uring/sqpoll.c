/*
 * sqpoll.c: IORING_SETUP_SQPOLL: a thread of the process that takes entries from the ring by itself.
 *
 * Idea:    the thread ("iou-sqp-PID") submits for the program, which only writes to memory.  When nothing came for
 *          sq_thread_idle milliseconds it sets IORING_SQ_NEED_WAKEUP and sleeps; the program sees the flag and calls
 *          io_uring_enter(IORING_ENTER_SQ_WAKEUP):
 *
 *              thread                              program
 *              NEED_WAKEUP = 1                      tail++
 *              full barrier                         full barrier
 *              tail moved?  then do not sleep       NEED_WAKEUP?  then wake
 * Locking: sq->lock guards sq->task, which the thread clears when it ends, be it by a signal to the process.
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/cred.h>
#include <weft/kernel.h>
#include <weft/cpumask.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uaccess.h>

struct io_sq_thread {
	spinlock_t		lock;
	struct task_struct	*task;		/* [lock] NULL: ended */
	struct io_ring_ctx	*ctx;		/* [I] */
	unsigned long		idle;		/* [I] jiffies */
	int			cpu;		/* [I] -1: any */
	bool			stop;		/* [-] the ring goes */
	struct completion	ended;
	wait_queue_head_t	room;		/* who waits for free entries */
};

static bool runs(struct io_ring_ctx *ctx)
{
	return !(READ_ONCE(ctx->flags) & IORING_SETUP_R_DISABLED);
}

static bool submit_some(struct io_ring_ctx *ctx)
{
	int n = 0;

	if (!runs(ctx) || !io_sqes_waiting(ctx))
		return false;
	mutex_lock(&ctx->uring_lock);
	if (atomic_long_read(&ctx->refs) > 0)
		n = io_submit_sqes(ctx, ctx->sq_entries);
	mutex_unlock(&ctx->uring_lock);
	if (n > 0 && waitqueue_active(&ctx->sq->room))
		wake_up(&ctx->sq->room);
	return n > 0;
}

/* False: the process is being killed. */
static bool take_signals(void)
{
	struct ksignal ksig;

	if (signal_pending(current))
		get_signal(&ksig);	/* stops with the process; dies in here */
	return true;
}

static void sleep_until_woken(struct io_sq_thread *sq)
{
	struct io_ring_ctx *ctx = sq->ctx;

	atomic_or(IORING_SQ_NEED_WAKEUP, &ctx->rings->sq_flags);
	set_current_state(TASK_INTERRUPTIBLE);	/* with a full barrier: see above */
	if (!READ_ONCE(sq->stop) && !(runs(ctx) && io_sqes_waiting(ctx)) && !READ_ONCE(current->task_works))
		schedule();
	__set_current_state(TASK_RUNNING);
	atomic_andnot(IORING_SQ_NEED_WAKEUP, &ctx->rings->sq_flags);
}

static int sq_thread(void *arg)
{
	struct io_sq_thread *sq = arg;
	unsigned long last = jiffies;
	char name[TASK_COMM_LEN];

	snprintf(name, sizeof(name), "iou-sqp-%d", task_tgid_nr(current));
	__set_task_comm(current, name, false);
	if (sq->cpu >= 0)
		set_cpus_allowed_ptr(current, cpumask_of(sq->cpu));
	if (io_uring_add_task(sq->ctx))
		do_exit(0);
	while (!READ_ONCE(sq->stop)) {
		take_signals();
		if (submit_some(sq->ctx) | io_run_task_work()) {
			last = jiffies;
			continue;
		}
		if (time_before(jiffies, last + sq->idle)) {
			cond_resched();
			cpu_relax();
			continue;
		}
		sleep_until_woken(sq);
		last = jiffies;
	}
	do_exit(0);
}

/* From do_exit(), after its requests have gone. */
void io_sq_thread_exit(struct io_sq_thread *sq)
{
	spin_lock(&sq->lock);
	sq->task = NULL;
	spin_unlock(&sq->lock);
	atomic_or(IORING_SQ_NEED_WAKEUP, &sq->ctx->rings->sq_flags);
	wake_up_all(&sq->room);
	complete(&sq->ended);
}

int io_sq_thread_start(struct io_ring_ctx *ctx, const struct io_uring_params *p)
{
	struct io_sq_thread *sq;
	struct task_struct *task;
	int cpu = p->flags & IORING_SETUP_SQ_AFF ? (int)p->sq_thread_cpu : -1;

	if (cpu >= 0 && ((unsigned int)cpu >= nr_cpu_ids || !cpu_online((unsigned int)cpu)))
		return -EINVAL;
	sq = kzalloc(sizeof(*sq), GFP_KERNEL);
	if (!sq)
		return -ENOMEM;
	spin_lock_init(&sq->lock);
	init_completion(&sq->ended);
	init_waitqueue_head(&sq->room);
	sq->ctx = ctx;
	sq->cpu = cpu;
	sq->idle = p->sq_thread_idle ? msecs_to_jiffies(p->sq_thread_idle) : HZ;
	task = create_io_thread(sq_thread, sq);
	if (IS_ERR(task)) {
		kfree(sq);
		return PTR_ERR(task);
	}
	sq->task = task;
	task->io_sq = sq;
	ctx->sq = sq;
	wake_up_new_task(task);
	return 0;
}

void io_sq_thread_wake(struct io_ring_ctx *ctx)
{
	struct io_sq_thread *sq = ctx->sq;

	spin_lock(&sq->lock);
	if (sq->task)
		wake_up_process(sq->task);
	spin_unlock(&sq->lock);
}

/* The ring goes: so does its thread. */
void io_sq_thread_stop(struct io_ring_ctx *ctx)
{
	struct io_sq_thread *sq = ctx->sq;

	if (!sq)
		return;
	WRITE_ONCE(sq->stop, true);
	io_sq_thread_wake(ctx);
	wait_for_completion(&sq->ended);
	ctx->sq = NULL;
	kfree(sq);
}

/* IORING_ENTER_SQ_WAIT: until an entry is free. */
int io_sq_wait(struct io_ring_ctx *ctx)
{
	struct io_sq_thread *sq = ctx->sq;

	if (!READ_ONCE(sq->task))
		return -EOWNERDEAD;
	io_sq_thread_wake(ctx);
	return wait_event_interruptible(sq->room, io_sqes_waiting(ctx) < ctx->sq_entries || !READ_ONCE(sq->task)) ? -EINTR : 0;
}
