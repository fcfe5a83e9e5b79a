/*
 * task.c: tasks that use rings: what a task remembers of them, and its end.
 *
 * Idea:    task->io_uring is made when a task first uses a ring, and goes when the task exits or executes another program:
 *          by then all its requests have been cancelled and have ended, and its workers are gone.  So a request can always
 *          rely on its task, and on task work being run.
 * Locking: io_tctx_mutex guards the pairs (task, ring) from both sides.
 *          The count of requests falls under tctx->wait.lock when somebody else than the task itself does it, so that the
 *          task, which takes that lock last, does not free tctx under it.
 */
#include "ops.h"
#include <weft/io_uring.h>
#include <weft/file.h>
#include <weft/slab.h>
#include <weft/uaccess.h>

DEFINE_MUTEX(io_tctx_mutex);

/* n requests have gone. */
void io_tctx_put_req(struct io_uring_task *tctx, unsigned int n)
{
	unsigned long flags;

	if (likely(tctx->task == current)) {
		atomic_sub(n, &tctx->inflight);
		return;
	}
	spin_lock_irqsave(&tctx->wait.lock, flags);
	atomic_sub(n, &tctx->inflight);
	if (READ_ONCE(tctx->going))
		wake_up_locked(&tctx->wait);
	spin_unlock_irqrestore(&tctx->wait.lock, flags);
}

static int make_tctx(void)
{
	struct io_uring_task *tctx = kzalloc(sizeof(*tctx), GFP_KERNEL);

	if (!tctx)
		return -ENOMEM;
	tctx->task = current;
	INIT_LIST_HEAD(&tctx->rings);
	init_waitqueue_head(&tctx->wait);
	current->io_uring = tctx;
	return 0;
}

static bool knows(struct io_uring_task *tctx, struct io_ring_ctx *ctx)
{
	struct io_tctx_node *node;

	list_for_each_entry(node, &tctx->rings, of_task)
		if (node->ctx == ctx)
			return true;
	return false;
}

/* current is about to submit to ctx.  0 or -ENOMEM. */
int io_uring_add_task(struct io_ring_ctx *ctx)
{
	struct io_uring_task *tctx = current->io_uring;
	struct io_tctx_node *node;

	if (likely(tctx && READ_ONCE(tctx->last) == ctx))
		return 0;
	if (!tctx && make_tctx())
		return -ENOMEM;
	tctx = current->io_uring;
	node = kmalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return -ENOMEM;
	mutex_lock(&io_tctx_mutex);
	if (!knows(tctx, ctx)) {
		*node = (struct io_tctx_node){ .ctx = ctx, .tctx = tctx };
		list_add(&node->of_ring, &ctx->tctxs);
		list_add(&node->of_task, &tctx->rings);
		node = NULL;
	}
	WRITE_ONCE(tctx->last, ctx);
	mutex_unlock(&io_tctx_mutex);
	kfree(node);
	return 0;
}

static void free_node(struct io_tctx_node *node) __must_hold(&io_tctx_mutex)
{
	if (node->tctx->last == node->ctx)
		WRITE_ONCE(node->tctx->last, NULL);
	list_del(&node->of_ring);
	list_del(&node->of_task);
	kfree(node);
}

/* The ring goes: it has neither files nor requests. */
void io_uring_forget_tasks(struct io_ring_ctx *ctx)
{
	struct io_tctx_node *node, *next;

	mutex_lock(&io_tctx_mutex);
	list_for_each_entry_safe(node, next, &ctx->tctxs, of_ring)
		free_node(node);
	mutex_unlock(&io_tctx_mutex);
}

static void cancel_requests(struct io_uring_task *tctx)
{
	struct io_tctx_node *node;

	mutex_lock(&io_tctx_mutex);
	list_for_each_entry(node, &tctx->rings, of_task)
		io_cancel_all(node->ctx, tctx->task);
	mutex_unlock(&io_tctx_mutex);
}

/* All requests of current end. */
static void end_requests(struct io_uring_task *tctx)
{
	DECLARE_WAITQUEUE(wait, current);

	WRITE_ONCE(tctx->going, true);
	add_wait_queue(&tctx->wait, &wait);
	while (atomic_read(&tctx->inflight)) {
		cancel_requests(tctx);
		io_run_task_work();
		/* Not interruptible: a signal that is pending would make this spin.  What is woken late is cancelled anew. */
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (atomic_read(&tctx->inflight) && !READ_ONCE(current->task_works))
			schedule_timeout(HZ / 10);
		__set_current_state(TASK_RUNNING);
	}
	remove_wait_queue(&tctx->wait, &wait);	/* takes wait.lock: whoever was the last has let go of it */
}

void __io_uring_task_gone(struct task_struct *tsk)
{
	struct io_uring_task *tctx = tsk->io_uring;
	struct io_tctx_node *node, *next;

	end_requests(tctx);
	mutex_lock(&io_tctx_mutex);
	list_for_each_entry_safe(node, next, &tctx->rings, of_task)
		free_node(node);
	mutex_unlock(&io_tctx_mutex);
	if (tctx->wq)
		io_wq_destroy(tctx->wq);
	for (int i = 0; i < IO_RINGFD_MAX; i++)
		if (tctx->registered[i])
			fput(tctx->registered[i]);
	tsk->io_uring = NULL;
	kfree(tctx);
}

/* ---- ring descriptors registered with the task ---- */

static int take_slot(struct io_uring_task *tctx, struct io_uring_rsrc_update *u)
{
	struct file *file;
	u32 slot = u->offset;

	if (u->resv)
		return -EINVAL;
	if (slot == ~0U)
		for (slot = 0; slot < IO_RINGFD_MAX && tctx->registered[slot]; slot++)
			;
	if (slot >= IO_RINGFD_MAX)
		return u->offset == ~0U ? -EBUSY : -EINVAL;
	if (tctx->registered[slot])
		return -EBUSY;
	file = fget(u->data);
	if (!file)
		return -EBADF;
	if (file->f_op != &io_uring_fops) {
		fput(file);
		return -EOPNOTSUPP;
	}
	tctx->registered[slot] = file;
	u->offset = slot;
	return 0;
}

/* How many were registered, or -errno if none. */
int io_register_ring_fds(struct io_ring_ctx *ctx, void __user *arg, unsigned int nr)
{
	struct io_uring_rsrc_update __user *uarg = arg, u;
	unsigned int i;
	int err = 0;

	if (!nr || nr > IO_RINGFD_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		if (copy_from_user(&u, &uarg[i], sizeof(u)))
			err = -EFAULT;
		else
			err = take_slot(current->io_uring, &u);
		if (err)
			break;
		if (copy_to_user(&uarg[i], &u, sizeof(u))) {
			fput(current->io_uring->registered[u.offset]);
			current->io_uring->registered[u.offset] = NULL;
			err = -EFAULT;
			break;
		}
	}
	return i ? (int)i : err;
}

int io_unregister_ring_fds(void __user *arg, unsigned int nr)
{
	struct io_uring_rsrc_update __user *uarg = arg, u;
	struct io_uring_task *tctx = current->io_uring;
	unsigned int i;
	int err = 0;

	if (!nr || nr > IO_RINGFD_MAX)
		return -EINVAL;
	for (i = 0; i < nr && !err; i++) {
		if (copy_from_user(&u, &uarg[i], sizeof(u)))
			err = -EFAULT;
		else if (u.resv || u.data || u.offset >= IO_RINGFD_MAX)
			err = -EINVAL;
		else if (tctx->registered[u.offset]) {
			fput(tctx->registered[u.offset]);
			tctx->registered[u.offset] = NULL;
		}
		if (err)
			break;
	}
	return i ? (int)i : err;
}
