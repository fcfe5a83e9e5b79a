/*
 * signalfd.c: signalfd(2): signals that are read from a file.
 *
 * Idea:    reading is dequeue_signal() with the file's mask.  Who waits sleeps on the reader's sighand->signalfd_wqh,
 *          which signal.c wakes; so the same descriptor shows each process its own signals.
 * Locking: sighand->siglock guards the queues and the mask.
 */
#include <weft/signalfd.h>
#include <weft/signal.h>
#include <weft/anon_inodes.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/poll.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <weft/seq_file.h>
#include <weft/proc_fs.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/err.h>

struct signalfd_ctx {
	sigset_t	sigmask;		/* [siglock of who changes it; read racily] the signals that are NOT wanted */
};

static const struct file_operations signalfd_fops;

/* signal.c: a signal was queued for tsk.  siglock is held. */
void signalfd_notify(struct task_struct *tsk, int sig)
{
	if (unlikely(waitqueue_active(&tsk->sighand->signalfd_wqh)))
		wake_up(&tsk->sighand->signalfd_wqh);
}

/* The handlers go, and the queue head with them. */
void signalfd_cleanup(struct sighand_struct *sighand)
{
	wake_up_pollfree(&sighand->signalfd_wqh);
}

static int signalfd_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

/* [siglock] */
static bool has_wanted(const struct sigpending *pending, const struct signalfd_ctx *ctx)
{
	sigset_t wanted;

	sigandnsets(&wanted, &pending->signal, &ctx->sigmask);
	return !sigisemptyset(&wanted);
}

static __poll_t signalfd_poll(struct file *file, poll_table *wait)
{
	struct signalfd_ctx *ctx = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &current->sighand->signalfd_wqh, wait);
	spin_lock_irq(&current->sighand->siglock);
	if (has_wanted(&current->pending, ctx) || has_wanted(&current->signal->shared_pending, ctx))
		events |= EPOLLIN;
	spin_unlock_irq(&current->sighand->siglock);
	return events;
}

/* What siginfo says, in signalfd's layout. */
static void fill_siginfo(struct signalfd_siginfo *new, const kernel_siginfo_t *info)
{
	memset(new, 0, sizeof(*new));
	new->ssi_signo = info->si_signo;
	new->ssi_errno = info->si_errno;
	new->ssi_code = info->si_code;
	if (info->si_code == SI_TIMER) {
		new->ssi_tid = info->si_tid;
		new->ssi_overrun = info->si_overrun;
		new->ssi_ptr = (unsigned long)info->si_ptr;
		new->ssi_int = info->si_int;
	} else if (info->si_code <= 0) {		/* sent by a process: kill, tgkill, sigqueue */
		new->ssi_pid = info->si_pid;
		new->ssi_uid = info->si_uid;
		if (info->si_code != SI_USER && info->si_code != SI_TKILL) {
			new->ssi_ptr = (unsigned long)info->si_ptr;
			new->ssi_int = info->si_int;
		}
	} else if (info->si_signo == SIGCHLD) {
		new->ssi_pid = info->si_pid;
		new->ssi_uid = info->si_uid;
		new->ssi_status = info->si_status;
		new->ssi_utime = info->si_utime;
		new->ssi_stime = info->si_stime;
	} else if (info->si_signo == SIGPOLL) {
		new->ssi_band = info->si_band;
		new->ssi_fd = info->si_fd;
	} else if (info->si_code == SI_KERNEL) {
		new->ssi_pid = 0;
	} else {
		new->ssi_addr = (unsigned long)info->si_addr;
	}
}

/* The next wanted signal, 0 when there is none and !wait, or -ERESTARTSYS. */
static int signalfd_dequeue(struct signalfd_ctx *ctx, kernel_siginfo_t *info, bool wait)
{
	struct sighand_struct *sighand = current->sighand;
	DECLARE_WAITQUEUE(entry, current);
	enum pid_type type;
	int sig;

	spin_lock_irq(&sighand->siglock);
	sig = dequeue_signal(current, &ctx->sigmask, info, &type);
	spin_unlock_irq(&sighand->siglock);
	if (sig || !wait)
		return sig;

	add_wait_queue(&sighand->signalfd_wqh, &entry);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		spin_lock_irq(&sighand->siglock);
		sig = dequeue_signal(current, &ctx->sigmask, info, &type);
		spin_unlock_irq(&sighand->siglock);
		if (sig)
			break;
		if (signal_pending(current)) {
			sig = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(&sighand->signalfd_wqh, &entry);
	return sig;
}

static ssize_t signalfd_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct signalfd_ctx *ctx = iocb->ki_filp->private_data;
	bool wait = !(iocb->ki_filp->f_flags & O_NONBLOCK);
	struct signalfd_siginfo out;
	kernel_siginfo_t info;
	ssize_t total = 0;
	int sig;

	if (iov_iter_count(to) < sizeof(out))
		return -EINVAL;
	while (iov_iter_count(to) >= sizeof(out)) {
		sig = signalfd_dequeue(ctx, &info, wait && !total);
		if (sig <= 0)
			return total ?: sig ?: -EAGAIN;
		fill_siginfo(&out, &info);
		if (copy_to_iter(&out, sizeof(out), to) != sizeof(out))
			return total ?: -EFAULT;
		total += sizeof(out);
	}
	return total;
}

static void signalfd_show_fdinfo(struct seq_file *m, struct file *f)
{
	struct signalfd_ctx *ctx = f->private_data;
	sigset_t wanted = ctx->sigmask;

	signotset(&wanted);
	seq_printf(m, "sigmask:\t%016lx\n", *(unsigned long *)&wanted);
}

static const struct file_operations signalfd_fops = {
	.release	= signalfd_release,
	.poll		= signalfd_poll,
	.read_iter	= signalfd_read,
	.llseek		= noop_llseek,
	.show_fdinfo	= signalfd_show_fdinfo,
};

static long change_mask(int ufd, const sigset_t *unwanted)
{
	struct fd f = fdget(ufd);
	struct signalfd_ctx *ctx;

	if (!f.file)
		return -EBADF;
	if (f.file->f_op != &signalfd_fops) {
		fdput(f);
		return -EINVAL;
	}
	ctx = f.file->private_data;
	spin_lock_irq(&current->sighand->siglock);
	ctx->sigmask = *unwanted;
	spin_unlock_irq(&current->sighand->siglock);
	wake_up(&current->sighand->signalfd_wqh);
	fdput(f);
	return ufd;
}

static long do_signalfd4(int ufd, sigset_t *mask, int flags)
{
	struct signalfd_ctx *ctx;
	int fd;

	if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	sigdelset(mask, SIGKILL);
	sigdelset(mask, SIGSTOP);
	signotset(mask);
	if (ufd != -1)
		return change_mask(ufd, mask);
	ctx = kmalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	ctx->sigmask = *mask;
	fd = anon_inode_getfd("[signalfd]", &signalfd_fops, ctx, O_RDWR | (flags & (O_CLOEXEC | O_NONBLOCK)));
	if (fd < 0)
		kfree(ctx);
	return fd;
}

long sys_signalfd4(int ufd, sigset_t __user *user_mask, size_t sizemask, int flags)
{
	sigset_t mask;

	if (sizemask != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, user_mask, sizeof(mask)))
		return -EFAULT;
	return do_signalfd4(ufd, &mask, flags);
}

long sys_signalfd(int ufd, sigset_t __user *user_mask, size_t sizemask)
{
	return sys_signalfd4(ufd, user_mask, sizemask, 0);
}
