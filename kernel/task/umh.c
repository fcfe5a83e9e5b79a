/*
 * umh.c: user mode helpers: programs that the kernel starts itself.
 *
 * Idea:    the new task must not inherit from whoever happened to need it (files, folders, credentials, signals, limits),
 *          so a worker of the unbound workqueue forks it.  Workers ignore SIGCHLD: nobody has to reap it.
 * Locking: none: the caller sleeps until the new task has completed ->done, which is the last thing anybody does with the
 *          structure on the caller's stack.
 * See:     coredump.c; kthread.c
 */
#include <weft/umh.h>
#include <weft/completion.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/workqueue.h>

struct helper {
	struct work_struct	work;
	const char		*path;
	const char *const	*argv, *const *envp;
	int			(*init)(void *data);
	void			*data;
	int			err;		/* written before ->done */
	struct completion	done;
};

static void answer(struct helper *h, int err)
{
	h->err = err;
	complete(&h->done);
}

/* The new task.  To return is to go to user mode. */
static int run_helper(void *_h)
{
	struct helper *h = _h;
	int err = 0;

	spin_lock_irq(&current->sighand->siglock);
	flush_signal_handlers(current, 1);	/* as workers ignore them all, the program would */
	spin_unlock_irq(&current->sighand->siglock);
	set_user_nice(current, 0);
	if (h->init)
		err = h->init(h->data);
	if (!err)
		err = kernel_execve(h->path, h->argv, h->envp);
	answer(h, err);
	if (err)
		do_exit(0);
	return 0;
}

static void fork_helper(struct work_struct *work)
{
	struct helper *h = container_of(work, struct helper, work);
	pid_t pid = kernel_thread(run_helper, h, SIGCHLD);

	if (pid < 0)
		answer(h, pid);
}

int call_usermodehelper(const char *path, const char *const *argv, const char *const *envp, int (*init)(void *data),
			void *data)
{
	struct helper h = { .path = path, .argv = argv, .envp = envp, .init = init, .data = data };

	init_completion(&h.done);
	INIT_WORK_ONSTACK(&h.work, fork_helper);
	queue_work(system_unbound_wq, &h.work);
	wait_for_completion(&h.done);
	destroy_work_on_stack(&h.work);
	return h.err;
}
