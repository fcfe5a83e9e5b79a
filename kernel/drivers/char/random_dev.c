/*
 * random_dev.c: /dev/random and /dev/urandom: the generator of lib/random.c as files.
 *
 * Idea:    reading copies what get_random_bytes() gives, a piece at a time; a large read can be interrupted after each page.
 *          /dev/random waits once, until the generator is ready, and then is the same as /dev/urandom.
 * See:     kernel/lib/random.c; random(4)
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/fs.h>
#include <weft/uio.h>
#include <weft/poll.h>
#include <weft/uaccess.h>
#include <weft/random.h>
#include <uapi/random.h>
#include "internal.h"

#define PIECE	256

static ssize_t random_to_iter(struct iov_iter *to)
{
	size_t done = 0;
	u8 buf[PIECE];

	while (iov_iter_count(to)) {
		size_t want = min(iov_iter_count(to), sizeof(buf)), n;

		get_random_bytes(buf, want);
		n = copy_to_iter(buf, want, to);
		done += n;
		if (n < want) {
			memzero_explicit(buf, sizeof(buf));
			return done ? (ssize_t)done : -EFAULT;
		}
		if (done % PAGE_SIZE == 0) {
			if (signal_pending(current))
				break;
			cond_resched();
		}
	}
	memzero_explicit(buf, sizeof(buf));
	return done;
}

static ssize_t urandom_read(struct kiocb *iocb, struct iov_iter *to)
{
	return random_to_iter(to);
}

static ssize_t random_read(struct kiocb *iocb, struct iov_iter *to)
{
	int err;

	if (!rng_is_initialized() && (iocb->ki_filp->f_flags & O_NONBLOCK))
		return -EAGAIN;
	err = wait_for_random_bytes();
	return err ? err : random_to_iter(to);
}

/* Anybody may stir; nothing is credited. */
static ssize_t random_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t done = 0;
	u8 buf[PIECE];

	while (iov_iter_count(from)) {
		size_t want = min(iov_iter_count(from), sizeof(buf)), n = copy_from_iter(buf, want, from);

		add_device_randomness(buf, n);
		done += n;
		if (n < want)
			return done ? (ssize_t)done : -EFAULT;
		if (done % PAGE_SIZE == 0 && signal_pending(current))
			break;
	}
	return done;
}

static __poll_t random_poll(struct file *file, struct poll_table_struct *wait)
{
	return rng_is_initialized() ? DEFAULT_POLLMASK : EPOLLOUT | EPOLLWRNORM;
}

/* RNDADDENTROPY: struct { int bits, size; u8 data[size]; }. */
static int add_entropy(int __user *p)
{
	int bits, size;
	u8 buf[PIECE];

	if (get_user(bits, p) || get_user(size, p + 1))
		return -EFAULT;
	if (bits < 0 || size < 0 || bits > size * 8LL)
		return -EINVAL;
	for (const u8 __user *data = (const u8 __user *)(p + 2); size > 0; ) {
		int n = min_t(int, size, sizeof(buf));

		if (copy_from_user(buf, data, n))
			return -EFAULT;
		add_hwgenerator_randomness(buf, n, min(bits, n * 8));
		bits -= min(bits, n * 8);
		data += n;
		size -= n;
		if (signal_pending(current))
			return -EINTR;
	}
	return 0;
}

static long random_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int __user *p = (int __user *)arg;
	int bits;

	if (cmd == RNDGETENTCNT)
		return put_user(rng_is_initialized() ? 256 : 0, p);
	if (cmd != RNDADDTOENTCNT && cmd != RNDADDENTROPY && cmd != RNDZAPENTCNT && cmd != RNDCLEARPOOL && cmd != RNDRESEEDCRNG)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (cmd) {
	case RNDADDENTROPY:
		return add_entropy(p);
	case RNDADDTOENTCNT:
		if (get_user(bits, p))
			return -EFAULT;
		if (bits < 0)
			return -EINVAL;
		add_hwgenerator_randomness(&bits, sizeof(bits), bits);
		return 0;
	default:
		return 0;	/* the pool is never empty, and every request makes a new key anyway */
	}
}

const struct file_operations random_fops = {
	.read_iter = random_read, .write_iter = random_write, .poll = random_poll, .unlocked_ioctl = random_ioctl,
	.llseek = noop_llseek,
};
const struct file_operations urandom_fops = {
	.read_iter = urandom_read, .write_iter = random_write, .unlocked_ioctl = random_ioctl, .llseek = noop_llseek,
};
