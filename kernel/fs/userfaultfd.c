/*
 * userfaultfd.c: userfaultfd(2): the descriptor through which a program handles page faults of its own.
 *
 * What:    the call, /dev/userfaultfd, read(2) of messages, poll(2), and ioctl_userfaultfd(2)'s requests: checks of their
 *          arguments here, the work in mm/userfaultfd.c.
 * Not:     shared memory and files, minor faults, events of fork, mremap and munmap: UFFDIO_API does not offer them.
 * Rights:  who may let the kernel itself wait in a fault (copy_from_user() of a registered page) can stop it where he likes;
 *          so without UFFD_USER_MODE_ONLY it takes CAP_SYS_PTRACE or /proc/sys/vm/unprivileged_userfaultfd.
 * Locking: ctx->lock over the lists of faults (weft/userfaultfd.h).
 * See:     userfaultfd(2), ioctl_userfaultfd(2)
 */
#include <weft/anon_inodes.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/miscdevice.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <weft/userfaultfd.h>

#define FEATURES	(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_SIGBUS | UFFD_FEATURE_THREAD_ID | \
			 UFFD_FEATURE_EXACT_ADDRESS)
#define IOCTL(cmd)	(1ULL << _IOC_NR(cmd))

static int unprivileged_userfaultfd;	/* /proc/sys/vm */

/* ---- messages ---- */

/* The oldest fault that nobody has read becomes a delivered one.  False: there is none. */
static bool next_message(struct userfaultfd_ctx *ctx, struct uffd_msg *msg)
{
	struct uffd_fault *f;

	spin_lock(&ctx->lock);
	f = list_first_entry_or_null(&ctx->pending, struct uffd_fault, list);
	if (f) {
		list_move_tail(&f->list, &ctx->delivered);
		*msg = f->msg;
	}
	spin_unlock(&ctx->lock);
	return f != NULL;
}

static ssize_t uffd_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct userfaultfd_ctx *ctx = file->private_data;
	struct uffd_msg msg;
	ssize_t done = 0;
	int err;

	if (!READ_ONCE(ctx->ready))
		return -EINVAL;
	while (iov_iter_count(to) >= sizeof(msg)) {
		if (!next_message(ctx, &msg)) {
			if (done || (file->f_flags & O_NONBLOCK))
				return done ? done : -EAGAIN;
			err = wait_event_interruptible(ctx->wqh, !list_empty_careful(&ctx->pending));
			if (err)
				return err;
			continue;
		}
		if (copy_to_iter(&msg, sizeof(msg), to) != sizeof(msg))
			return done ? done : -EFAULT;
		done += sizeof(msg);
	}
	return done ? done : -EINVAL;
}

/* A blocking descriptor cannot be polled: another reader might be quicker. */
static __poll_t uffd_poll(struct file *file, poll_table *pt)
{
	struct userfaultfd_ctx *ctx = file->private_data;

	poll_wait(file, &ctx->wqh, pt);
	if (!READ_ONCE(ctx->ready) || !(file->f_flags & O_NONBLOCK))
		return EPOLLERR;
	return list_empty_careful(&ctx->pending) ? 0 : EPOLLIN;
}

/* ---- ioctl ---- */

static int check_range(const struct userfaultfd_ctx *ctx, u64 start, u64 len)
{
	u64 size = ctx->mm->task_size;

	if ((start & ~PAGE_MASK) || (len & ~PAGE_MASK) || !len || start < mmap_min_addr || start >= size ||
	    len > size - start)
		return -EINVAL;
	return 0;
}

static long do_api(struct userfaultfd_ctx *ctx, struct uffdio_api __user *arg)
{
	struct uffdio_api api;

	if (copy_from_user(&api, arg, sizeof(api)))
		return -EFAULT;
	if (READ_ONCE(ctx->ready) || api.api != UFFD_API || (api.features & ~FEATURES)) {
		memset(&api, 0, sizeof(api));
		return copy_to_user(arg, &api, sizeof(api)) ? -EFAULT : -EINVAL;
	}
	ctx->features = api.features;
	api.features = FEATURES;
	api.ioctls = IOCTL(UFFDIO_REGISTER) | IOCTL(UFFDIO_UNREGISTER) | IOCTL(UFFDIO_API);
	if (copy_to_user(arg, &api, sizeof(api)))
		return -EFAULT;
	smp_store_release(&ctx->ready, true);
	return 0;
}

static long do_register(struct userfaultfd_ctx *ctx, struct uffdio_register __user *arg)
{
	u64 ioctls = IOCTL(UFFDIO_WAKE) | IOCTL(UFFDIO_COPY) | IOCTL(UFFDIO_ZEROPAGE);
	struct uffdio_register r;
	unsigned long flags = 0;
	int err;

	if (copy_from_user(&r, arg, offsetof(struct uffdio_register, ioctls)))
		return -EFAULT;
	if (!r.mode || (r.mode & ~(u64)(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP)))
		return -EINVAL;
	if (r.mode & UFFDIO_REGISTER_MODE_MISSING)
		flags |= VM_UFFD_MISSING;
	if (r.mode & UFFDIO_REGISTER_MODE_WP) {
		flags |= VM_UFFD_WP;
		ioctls |= IOCTL(UFFDIO_WRITEPROTECT);
	}
	err = check_range(ctx, r.range.start, r.range.len);
	if (!err)
		err = uffd_register(ctx, r.range.start, r.range.start + r.range.len, flags);
	return err ? err : put_user(ioctls, &arg->ioctls);
}

static long do_unregister(struct userfaultfd_ctx *ctx, const struct uffdio_range __user *arg)
{
	struct uffdio_range r;
	int err;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	err = check_range(ctx, r.start, r.len);
	return err ? err : uffd_unregister(ctx, r.start, r.start + r.len);
}

static long do_wake(struct userfaultfd_ctx *ctx, const struct uffdio_range __user *arg)
{
	struct uffdio_range r;
	int err;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	err = check_range(ctx, r.start, r.len);
	if (!err)
		uffd_wake(ctx, r.start, r.start + r.len);
	return err;
}

/* done: bytes, or -errno, which the program gets in *out as well.  What was done is woken; a part only is -EAGAIN. */
static long finish(struct userfaultfd_ctx *ctx, u64 start, u64 len, long done, bool wake, s64 __user *out)
{
	if (put_user((s64)done, out))
		return -EFAULT;
	if (done < 0)
		return done;
	if (wake)
		uffd_wake(ctx, start, start + (u64)done);
	return (u64)done == len ? 0 : -EAGAIN;
}

static long do_copy(struct userfaultfd_ctx *ctx, struct uffdio_copy __user *arg)
{
	struct uffdio_copy c;
	int err;

	if (copy_from_user(&c, arg, offsetof(struct uffdio_copy, copy)))
		return -EFAULT;
	err = check_range(ctx, c.dst, c.len);
	if (err)
		return err;
	if (c.src + c.len <= c.src || (c.mode & ~(u64)(UFFDIO_COPY_MODE_DONTWAKE | UFFDIO_COPY_MODE_WP)))
		return -EINVAL;
	return finish(ctx, c.dst, c.len,
		      uffd_copy(ctx, c.dst, u64_to_user_ptr(c.src), c.len, c.mode & UFFDIO_COPY_MODE_WP),
		      !(c.mode & UFFDIO_COPY_MODE_DONTWAKE), &arg->copy);
}

static long do_zeropage(struct userfaultfd_ctx *ctx, struct uffdio_zeropage __user *arg)
{
	struct uffdio_zeropage z;
	int err;

	if (copy_from_user(&z, arg, offsetof(struct uffdio_zeropage, zeropage)))
		return -EFAULT;
	err = check_range(ctx, z.range.start, z.range.len);
	if (!err && (z.mode & ~(u64)UFFDIO_ZEROPAGE_MODE_DONTWAKE))
		err = -EINVAL;
	if (err)
		return err;
	return finish(ctx, z.range.start, z.range.len, uffd_zeropage(ctx, z.range.start, z.range.len),
		      !(z.mode & UFFDIO_ZEROPAGE_MODE_DONTWAKE), &arg->zeropage);
}

static long do_writeprotect(struct userfaultfd_ctx *ctx, const struct uffdio_writeprotect __user *arg)
{
	struct uffdio_writeprotect w;
	bool on, wake;
	int err;

	if (copy_from_user(&w, arg, sizeof(w)))
		return -EFAULT;
	err = check_range(ctx, w.range.start, w.range.len);
	if (err)
		return err;
	on = w.mode & UFFDIO_WRITEPROTECT_MODE_WP;
	wake = !(w.mode & UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
	if ((w.mode & ~(u64)(UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE)) || (on && !wake))
		return -EINVAL;
	err = uffd_writeprotect(ctx, w.range.start, w.range.len, on);
	if (!err && !on && wake)
		uffd_wake(ctx, w.range.start, w.range.start + w.range.len);
	return err;
}

/* The mm is there for the length of the call. */
static long on_mm(struct userfaultfd_ctx *ctx, unsigned int cmd, void __user *arg)
{
	switch (cmd) {
	case UFFDIO_REGISTER:
		return do_register(ctx, arg);
	case UFFDIO_UNREGISTER:
		return do_unregister(ctx, arg);
	case UFFDIO_WAKE:
		return do_wake(ctx, arg);
	case UFFDIO_COPY:
		return do_copy(ctx, arg);
	case UFFDIO_ZEROPAGE:
		return do_zeropage(ctx, arg);
	case UFFDIO_WRITEPROTECT:
		return do_writeprotect(ctx, arg);
	default:
		return -EINVAL;
	}
}

static long uffd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct userfaultfd_ctx *ctx = file->private_data;
	long ret;

	if (cmd == UFFDIO_API)
		return do_api(ctx, (void __user *)arg);
	if (!smp_load_acquire(&ctx->ready))
		return -EINVAL;
	if (!mmget_not_zero(ctx->mm))
		return -ESRCH;
	ret = on_mm(ctx, cmd, (void __user *)arg);
	mmput(ctx->mm);
	return ret;
}

/* ---- life ---- */

static int uffd_release(struct inode *inode, struct file *file)
{
	struct userfaultfd_ctx *ctx = file->private_data;

	WRITE_ONCE(ctx->released, true);
	if (mmget_not_zero(ctx->mm)) {
		uffd_unregister_all(ctx);
		mmput(ctx->mm);
	}
	/* Faults that come onto the list after this found their area registered before: they look at `released`. */
	uffd_wake(ctx, 0, ULONG_MAX);
	userfaultfd_ctx_put(ctx);
	return 0;
}

static const struct file_operations uffd_fops = {
	.read_iter = uffd_read, .poll = uffd_poll, .unlocked_ioctl = uffd_ioctl, .compat_ioctl = uffd_ioctl,
	.release = uffd_release,
};

static int new_userfaultfd(int flags)
{
	struct userfaultfd_ctx *ctx;
	int fd;

	if (flags & ~(UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	refcount_set(&ctx->refs, 1);
	ctx->flags = (unsigned int)flags & UFFD_USER_MODE_ONLY;
	spin_lock_init(&ctx->lock);
	INIT_LIST_HEAD(&ctx->pending);
	INIT_LIST_HEAD(&ctx->delivered);
	init_waitqueue_head(&ctx->wqh);
	ctx->mm = current->mm;
	mmgrab(ctx->mm);
	fd = anon_inode_getfd("[userfaultfd]", &uffd_fops, ctx, O_RDWR | (flags & (O_CLOEXEC | O_NONBLOCK)));
	if (fd < 0)
		userfaultfd_ctx_put(ctx);
	return fd;
}

long sys_userfaultfd(int flags)
{
	if (!(flags & UFFD_USER_MODE_ONLY) && !READ_ONCE(unprivileged_userfaultfd) && !capable(CAP_SYS_PTRACE))
		return -EPERM;
	return new_userfaultfd(flags);
}

/* ---- /dev/userfaultfd: who may open it needs no capability ---- */

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long flags)
{
	return cmd == USERFAULTFD_IOC_NEW ? new_userfaultfd((int)flags) : -EINVAL;
}

static const struct file_operations dev_fops = { .unlocked_ioctl = dev_ioctl, .compat_ioctl = dev_ioctl };
static struct miscdevice uffd_dev = { .minor = MISC_DYNAMIC_MINOR, .name = "userfaultfd", .fops = &dev_fops, .mode = 0600 };

static const int zero, one = 1;
static const struct ctl_table uffd_table[] = {
	{ "unprivileged_userfaultfd", &unprivileged_userfaultfd, sizeof(int), 0644, proc_dointvec_minmax, &zero, &one },
	{ }
};

static int __init userfaultfd_init(void)
{
	int err = register_sysctl("vm", uffd_table);

	return err ? err : misc_register(&uffd_dev);
}
late_initcall(userfaultfd_init);
