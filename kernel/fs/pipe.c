/*
 * pipe.c: pipes and FIFOs: a ring of pages between writers and readers.
 *
 * Idea:    a slot of the ring is a page with an offset and a length; head and tail run freely and are masked.  A writer puts
 *          whole pages in and adds small writes to the last page, so a line at a time does not cost a page each; a write of
 *          at most PIPE_BUF (4,096) bytes never mixes with another, because the lock is dropped only when the ring is full.
 *          Waking is rare: a reader wakes writers only if the ring was full, a writer wakes readers only if it was empty;
 *          waiters are exclusive, and who was woken and leaves something passes the wake-up on.
 * Locking: pipe->mutex guards all; `files` and inode->i_pipe: inode->i_lock.  head and tail are read without the mutex by
 *          waiters and poll: the waiter stands in the queue before it looks, the other side moves head or tail before it
 *          wakes (wait.h draws it).  Order: pipe->mutex -> mmap_lock (user memory is copied under it).
 * See:     spec.md §8 "pipes"; pipe(7), fifo(7); splice.c moves pages
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/log2.h>
#include <weft/magic.h>
#include <weft/minmax.h>
#include <weft/mm.h>
#include <weft/mount.h>
#include <weft/pipe_fs_i.h>
#include <weft/poll.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <weft/uio.h>
#include <uapi/ioctls.h>

#define PIPE_USER_PAGES_SOFT	(PIPE_DEF_BUFFERS * 1024)	/* an unprivileged user gets small rings beyond this */

unsigned int pipe_max_size = 1048576;	/* [-] bytes; /proc/sys/fs/pipe-max-size */

static struct vfsmount *pipe_mnt;	/* [I] */

void pipe_lock(struct pipe_inode_info *pipe)
{
	mutex_lock(&pipe->mutex);
}

void pipe_unlock(struct pipe_inode_info *pipe)
{
	mutex_unlock(&pipe->mutex);
}

/* Always in the same order, whoever calls it with whatever order. */
void pipe_double_lock(struct pipe_inode_info *a, struct pipe_inode_info *b) __no_context_analysis	/* by address */
{
	if (a > b)
		swap(a, b);
	mutex_lock(&a->mutex);
	mutex_lock_nested(&b->mutex, SINGLE_DEPTH_NESTING);
}

/* ---- what a slot may hold ---- */

/* A page of the pipe's own: two are kept for the next writes. */
static void anon_pipe_buf_release(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	struct page *page = buf->page;

	if (page_count(page) == 1) {
		for (unsigned int i = 0; i < ARRAY_SIZE(pipe->tmp_page); i++) {
			if (!pipe->tmp_page[i]) {
				pipe->tmp_page[i] = page;
				return;
			}
		}
	}
	put_page(page);
}

bool generic_pipe_buf_get(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	return try_get_page(buf->page);
}

void generic_pipe_buf_release(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	put_page(buf->page);
}

static const struct pipe_buf_operations anon_pipe_buf_ops = {
	.release = anon_pipe_buf_release, .get = generic_pipe_buf_get,
};
const struct pipe_buf_operations nosteal_pipe_buf_ops = {
	.release = generic_pipe_buf_release, .get = generic_pipe_buf_get,
};
const struct pipe_buf_operations page_cache_pipe_buf_ops = {
	.release = generic_pipe_buf_release, .get = generic_pipe_buf_get,
};

static bool pipe_is_empty(const struct pipe_inode_info *pipe)
{
	return pipe_empty(READ_ONCE(pipe->head), READ_ONCE(pipe->tail));
}

static bool pipe_is_full(const struct pipe_inode_info *pipe)
{
	return pipe_full(READ_ONCE(pipe->head), READ_ONCE(pipe->tail), READ_ONCE(pipe->max_usage));
}

/* Without the mutex: what a waiter waits for. */
static bool pipe_readable(const struct pipe_inode_info *pipe)
{
	return !pipe_is_empty(pipe) || !READ_ONCE(pipe->writers);
}

static bool pipe_writable(const struct pipe_inode_info *pipe)
{
	return !pipe_is_full(pipe) || !READ_ONCE(pipe->readers);
}

void pipe_wait_readable(struct pipe_inode_info *pipe)
{
	pipe_unlock(pipe);
	wait_event_interruptible(pipe->rd_wait, pipe_readable(pipe));
	pipe_lock(pipe);
}

void pipe_wait_writable(struct pipe_inode_info *pipe)
{
	pipe_unlock(pipe);
	wait_event_interruptible(pipe->wr_wait, pipe_writable(pipe));
	pipe_lock(pipe);
}

static void wake_readers(struct pipe_inode_info *pipe)
{
	wake_up_interruptible_sync_poll(&pipe->rd_wait, EPOLLIN | EPOLLRDNORM);
	kill_fasync(&pipe->fasync_readers, SIGIO, POLL_IN);
}

static void wake_writers(struct pipe_inode_info *pipe)
{
	wake_up_interruptible_sync_poll(&pipe->wr_wait, EPOLLOUT | EPOLLWRNORM);
	kill_fasync(&pipe->fasync_writers, SIGIO, POLL_OUT);
}

static bool must_not_wait(const struct kiocb *iocb)
{
	return (iocb->ki_filp->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT);
}

/* ---- reading ---- */

/* From the oldest slot.  Bytes, 0: a packet of none; or -errno.  *packet: this read must end here. */
static ssize_t read_slot(struct pipe_inode_info *pipe, struct iov_iter *to, bool *packet)
{
	struct pipe_buffer *buf = pipe_buf(pipe, pipe->tail);
	size_t chars = min_t(size_t, buf->len, iov_iter_count(to));
	int err = pipe_buf_confirm(pipe, buf);

	if (err)
		return err;
	if (copy_page_to_iter(buf->page, buf->offset, chars, to) < chars)
		return -EFAULT;
	buf->offset += chars;
	buf->len -= chars;
	if (buf->flags & PIPE_BUF_FLAG_PACKET) {
		*packet = true;
		buf->len = 0;			/* what does not fit is lost */
	}
	if (!buf->len) {
		pipe_buf_release(pipe, buf);
		WRITE_ONCE(pipe->tail, pipe->tail + 1);
	}
	return chars;
}

/* Everything that is there and fits.  Bytes, or -errno when nothing was read. */
static ssize_t read_slots(struct pipe_inode_info *pipe, struct iov_iter *to)
{
	bool packet = false;
	ssize_t done = 0, n;

	while (iov_iter_count(to) && !packet && !pipe_is_empty(pipe)) {
		n = read_slot(pipe, to, &packet);
		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static ssize_t pipe_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct pipe_inode_info *pipe = iocb->ki_filp->private_data;
	bool was_full, woken = false, pass_on;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	pipe_lock(pipe);
	for (;;) {
		was_full = pipe_is_full(pipe);
		if (!pipe_is_empty(pipe)) {
			ret = read_slots(pipe, to);
			break;
		}
		ret = 0;
		if (!pipe->writers)
			break;
		if (must_not_wait(iocb)) {
			ret = -EAGAIN;
			break;
		}
		pipe_unlock(pipe);
		if (wait_event_interruptible_exclusive(pipe->rd_wait, pipe_readable(pipe)) < 0)
			return -ERESTARTSYS;
		woken = true;
		pipe_lock(pipe);
	}
	/* We took the one wake-up there was; if something is left, another reader may have it. */
	pass_on = woken && pipe_readable(pipe);
	was_full = was_full && !pipe_is_full(pipe);
	pipe_unlock(pipe);
	if (was_full)
		wake_writers(pipe);
	if (pass_on)
		wake_readers(pipe);
	if (ret > 0)
		file_accessed(iocb->ki_filp);
	return ret;
}

/* ---- writing ---- */

/* Adds to the last page what is more than whole pages, if all of it fits.  Bytes or -errno. */
static ssize_t merge_write(struct pipe_inode_info *pipe, struct iov_iter *from)
{
	size_t chars = offset_in_page(iov_iter_count(from)), offset;
	struct pipe_buffer *buf;
	int err;

	if (!chars || pipe_is_empty(pipe))
		return 0;
	buf = pipe_buf(pipe, pipe->head - 1);
	offset = buf->offset + buf->len;
	if (!(buf->flags & PIPE_BUF_FLAG_CAN_MERGE) || offset + chars > PAGE_SIZE)
		return 0;
	err = pipe_buf_confirm(pipe, buf);
	if (err)
		return err;
	if (copy_page_from_iter(buf->page, offset, chars, from) < chars)
		return -EFAULT;
	buf->len += chars;
	return chars;
}

static struct page *take_page(struct pipe_inode_info *pipe)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(pipe->tmp_page); i++) {
		struct page *page = pipe->tmp_page[i];

		if (page) {
			pipe->tmp_page[i] = NULL;
			return page;
		}
	}
	return alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT);
}

/* Fills one free slot.  Bytes or -errno. */
static ssize_t write_slot(struct pipe_inode_info *pipe, struct iov_iter *from, bool packet)
{
	struct page *page = take_page(pipe);
	struct pipe_buffer *buf = pipe_buf(pipe, pipe->head);
	size_t want = min(iov_iter_count(from), PAGE_SIZE);

	if (!page)
		return -ENOMEM;
	*buf = (struct pipe_buffer){
		.page = page, .ops = &anon_pipe_buf_ops, .len = want,
		.flags = packet ? PIPE_BUF_FLAG_PACKET : PIPE_BUF_FLAG_CAN_MERGE,
	};
	if (copy_page_from_iter(page, 0, want, from) < want) {
		pipe_buf_release(pipe, buf);
		return -EFAULT;
	}
	WRITE_ONCE(pipe->head, pipe->head + 1);
	return want;
}

/* Drops the mutex until there is room.  0 or -ERESTARTSYS. */
static int wait_for_room(struct pipe_inode_info *pipe, bool was_empty) __must_hold(&pipe->mutex)
{
	int err;

	pipe_unlock(pipe);
	if (was_empty)
		wake_readers(pipe);
	err = wait_event_interruptible_exclusive(pipe->wr_wait, pipe_writable(pipe));
	pipe_lock(pipe);
	return err;
}

static ssize_t pipe_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct pipe_inode_info *pipe = iocb->ki_filp->private_data;
	bool packet = iocb->ki_filp->f_flags & O_DIRECT, was_empty, woken = false, pass_on;
	ssize_t done = 0, n = 0;

	if (!iov_iter_count(from))
		return 0;
	pipe_lock(pipe);
	was_empty = pipe_is_empty(pipe);
	if (pipe->readers)
		n = merge_write(pipe, from);
	while (n >= 0) {
		done += n;
		if (done && !iov_iter_count(from))
			break;
		if (!pipe->readers) {
			send_sig(SIGPIPE, current, 0);
			n = -EPIPE;
		} else if (!pipe_is_full(pipe)) {
			n = write_slot(pipe, from, packet);
		} else if (must_not_wait(iocb)) {
			n = -EAGAIN;
		} else {
			n = wait_for_room(pipe, was_empty);
			was_empty = pipe_is_empty(pipe);
			woken = true;
		}
	}
	pass_on = woken && pipe_writable(pipe);
	pipe_unlock(pipe);
	/* poll_usage: some programs wait edge-triggered for each write, not only for the first. */
	if (done && (was_empty || pipe->poll_usage))
		wake_readers(pipe);
	if (pass_on)
		wake_writers(pipe);
	if (done)
		file_update_time(iocb->ki_filp);
	return done ? done : n;
}

/* ---- other file operations ---- */

static long pipe_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pipe_inode_info *pipe = file->private_data;
	int count = 0;

	if (cmd != FIONREAD)
		return -ENOIOCTLCMD;
	pipe_lock(pipe);
	for (unsigned int tail = pipe->tail; tail != pipe->head; tail++)
		count += pipe_buf(pipe, tail)->len;
	pipe_unlock(pipe);
	return put_user(count, (int __user *)arg);
}

/* f_version: how often a writer had come when a non-blocking reader opened: no hang-up before the first. */
static __poll_t pipe_poll(struct file *file, poll_table *wait)
{
	struct pipe_inode_info *pipe = file->private_data;
	__poll_t mask = 0;

	WRITE_ONCE(pipe->poll_usage, true);
	if (file->f_mode & FMODE_READ)
		poll_wait(file, &pipe->rd_wait, wait);
	if (file->f_mode & FMODE_WRITE)
		poll_wait(file, &pipe->wr_wait, wait);
	if (file->f_mode & FMODE_READ) {
		if (!pipe_is_empty(pipe))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (!READ_ONCE(pipe->writers) && file->f_version != READ_ONCE(pipe->w_counter))
			mask |= EPOLLHUP;
	}
	if (file->f_mode & FMODE_WRITE) {
		if (!pipe_is_full(pipe))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(pipe->readers))
			mask |= EPOLLERR;
	}
	return mask;
}

static int pipe_fasync(int fd, struct file *file, int on)
{
	struct pipe_inode_info *pipe = file->private_data;
	int err = 0;

	pipe_lock(pipe);
	if (file->f_mode & FMODE_READ)
		err = fasync_helper(fd, file, on, &pipe->fasync_readers);
	if ((file->f_mode & FMODE_WRITE) && err >= 0) {
		err = fasync_helper(fd, file, on, &pipe->fasync_writers);
		if (err < 0 && (file->f_mode & FMODE_READ))
			fasync_helper(-1, file, 0, &pipe->fasync_readers);
	}
	pipe_unlock(pipe);
	return err;
}

/* One open file less; the last takes the pipe with it. */
static void put_pipe_info(struct inode *inode, struct pipe_inode_info *pipe)
{
	bool last;

	spin_lock(&inode->i_lock);
	last = !--pipe->files;
	if (last)
		inode->i_pipe = NULL;
	spin_unlock(&inode->i_lock);
	if (last)
		free_pipe_info(pipe);
}

static int pipe_release(struct inode *inode, struct file *file)
{
	struct pipe_inode_info *pipe = file->private_data;

	pipe_lock(pipe);
	if (file->f_mode & FMODE_READ)
		pipe->readers--;
	if (file->f_mode & FMODE_WRITE)
		pipe->writers--;
	/* Those on the one side see that nobody is left on the other. */
	if (!pipe->readers != !pipe->writers) {
		wake_up_interruptible_all(&pipe->rd_wait);
		wake_up_interruptible_all(&pipe->wr_wait);
		kill_fasync(&pipe->fasync_readers, SIGIO, POLL_IN);
		kill_fasync(&pipe->fasync_writers, SIGIO, POLL_OUT);
	}
	pipe_unlock(pipe);
	put_pipe_info(inode, pipe);
	return 0;
}

/* ---- making ---- */

/* Charges the slots to the user; beyond the soft limit an unprivileged one gets the smallest ring that works. */
static unsigned int charge_slots(struct user_struct *user, unsigned int slots)
{
	long total = atomic_long_add_return(slots, &user->pipe_bufs);

	if (total <= PIPE_USER_PAGES_SOFT || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		return slots;
	atomic_long_sub(slots - PIPE_MIN_DEF_BUFFERS, &user->pipe_bufs);
	return PIPE_MIN_DEF_BUFFERS;
}

struct pipe_inode_info *alloc_pipe_info(void)
{
	struct pipe_inode_info *pipe = kzalloc(sizeof(*pipe), GFP_KERNEL_ACCOUNT);

	if (!pipe)
		return NULL;
	pipe->user = get_uid(current_user());
	pipe->nr_accounted = charge_slots(pipe->user, PIPE_DEF_BUFFERS);
	pipe->bufs = pipe->inline_bufs;
	pipe->ring_size = pipe->max_usage = pipe->nr_accounted;
	pipe->r_counter = pipe->w_counter = 1;
	mutex_init(&pipe->mutex);
	init_waitqueue_head(&pipe->rd_wait);
	init_waitqueue_head(&pipe->wr_wait);
	return pipe;
}

void free_pipe_info(struct pipe_inode_info *pipe)
{
	for (unsigned int i = 0; i < pipe->ring_size; i++)
		if (pipe->bufs[i].ops)
			pipe_buf_release(pipe, &pipe->bufs[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(pipe->tmp_page); i++)
		if (pipe->tmp_page[i])
			put_page(pipe->tmp_page[i]);
	atomic_long_sub(pipe->nr_accounted, &pipe->user->pipe_bufs);
	free_uid(pipe->user);
	if (pipe->bufs != pipe->inline_bufs)
		kfree(pipe->bufs);
	kfree(pipe);
}

static struct inode *get_pipe_inode(void)
{
	struct inode *inode = new_inode_pseudo(pipe_mnt->mnt_sb);
	struct pipe_inode_info *pipe;

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	pipe = alloc_pipe_info();
	if (!pipe) {
		iput(inode);
		return NULL;
	}
	inode->i_pipe = pipe;
	pipe->files = 2;
	pipe->readers = pipe->writers = 1;
	inode->i_fop = &pipefifo_fops;
	inode->i_state = I_DIRTY;		/* nobody ever puts it on a list of dirty inodes */
	inode->i_mode = S_IFIFO | 0600;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	return inode;
}

/* res[0] reads, res[1] writes.  0 or -errno. */
int create_pipe_files(struct file **res, int flags)
{
	struct inode *inode = get_pipe_inode();
	struct file *w, *r;

	if (!inode)
		return -ENFILE;
	w = alloc_file_pseudo(inode, pipe_mnt, "", O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), &pipefifo_fops);
	if (IS_ERR(w)) {
		free_pipe_info(inode->i_pipe);
		inode->i_pipe = NULL;
		iput(inode);
		return PTR_ERR(w);
	}
	w->private_data = inode->i_pipe;
	r = alloc_file_clone(w, O_RDONLY | (flags & O_NONBLOCK), &pipefifo_fops);
	if (IS_ERR(r)) {
		put_pipe_info(inode, inode->i_pipe);	/* the reader's share; fput drops the writer's */
		fput(w);
		return PTR_ERR(r);
	}
	r->private_data = inode->i_pipe;
	stream_open(inode, r);
	stream_open(inode, w);
	res[0] = r;
	res[1] = w;
	return 0;
}

/* Two descriptors for two files; nothing is installed yet.  0 or -errno. */
static int reserve_fds(int *fd, int flags)
{
	fd[0] = get_unused_fd_flags(flags);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = get_unused_fd_flags(flags);
	if (fd[1] < 0) {
		put_unused_fd(fd[0]);
		return fd[1];
	}
	return 0;
}

static int make_pipe_fds(int *fd, struct file **files, int flags)
{
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = create_pipe_files(files, flags);
	if (err)
		return err;
	err = reserve_fds(fd, flags);
	if (err) {
		fput(files[0]);
		fput(files[1]);
	}
	return err;
}

long sys_pipe2(int __user *fildes, int flags)
{
	struct file *files[2];
	int fd[2], err = make_pipe_fds(fd, files, flags);

	if (err)
		return err;
	if (copy_to_user(fildes, fd, sizeof(fd))) {
		fput(files[0]);
		fput(files[1]);
		put_unused_fd(fd[0]);
		put_unused_fd(fd[1]);
		return -EFAULT;
	}
	fd_install(fd[0], files[0]);
	fd_install(fd[1], files[1]);
	return 0;
}

long sys_pipe(int __user *fildes)
{
	return sys_pipe2(fildes, 0);
}

/* ---- FIFOs: a name in a file system, a pipe while it is open ---- */

/* The inode's pipe, made if this is the first open.  NULL: out of memory. */
static struct pipe_inode_info *get_fifo(struct inode *inode)
{
	struct pipe_inode_info *pipe, *new = NULL;

	spin_lock(&inode->i_lock);
	if (!inode->i_pipe) {
		spin_unlock(&inode->i_lock);
		new = alloc_pipe_info();
		if (!new)
			return NULL;
		spin_lock(&inode->i_lock);
		if (!inode->i_pipe) {
			inode->i_pipe = new;
			new = NULL;
		}
	}
	pipe = inode->i_pipe;
	pipe->files++;
	spin_unlock(&inode->i_lock);
	if (new)
		free_pipe_info(new);
	return pipe;
}

/* Sleeps until somebody opens the other end: the counter tells, even if he has closed it again by then. */
static int wait_for_partner(struct pipe_inode_info *pipe, unsigned int *counter) __must_hold(&pipe->mutex)
{
	unsigned int seen = *counter;
	DEFINE_WAIT(wait);

	while (seen == *counter) {
		prepare_to_wait(&pipe->rd_wait, &wait, TASK_INTERRUPTIBLE);
		pipe_unlock(pipe);
		schedule();
		finish_wait(&pipe->rd_wait, &wait);
		pipe_lock(pipe);
		if (signal_pending(current))
			break;
	}
	return seen == *counter ? -ERESTARTSYS : 0;
}

static int fifo_open_read(struct file *file, struct pipe_inode_info *pipe, bool is_pipe) __must_hold(&pipe->mutex)
{
	pipe->r_counter++;
	if (!pipe->readers++)
		wake_up_interruptible_all(&pipe->rd_wait);
	if (is_pipe || pipe->writers)
		return 0;
	if (file->f_flags & O_NONBLOCK) {
		file->f_version = pipe->w_counter;
		return 0;
	}
	if (wait_for_partner(pipe, &pipe->w_counter)) {
		if (!--pipe->readers)
			wake_up_interruptible_all(&pipe->wr_wait);
		return -ERESTARTSYS;
	}
	return 0;
}

static int fifo_open_write(struct file *file, struct pipe_inode_info *pipe, bool is_pipe) __must_hold(&pipe->mutex)
{
	if (!is_pipe && (file->f_flags & O_NONBLOCK) && !pipe->readers)
		return -ENXIO;
	pipe->w_counter++;
	if (!pipe->writers++)
		wake_up_interruptible_all(&pipe->rd_wait);
	if (is_pipe || pipe->readers)
		return 0;
	if (wait_for_partner(pipe, &pipe->r_counter)) {
		if (!--pipe->writers)
			wake_up_interruptible_all(&pipe->rd_wait);
		return -ERESTARTSYS;
	}
	return 0;
}

/* Linux lets a FIFO be opened for both, without waiting: POSIX leaves it open. */
static int fifo_open_both(struct pipe_inode_info *pipe)
{
	pipe->readers++;
	pipe->writers++;
	pipe->r_counter++;
	pipe->w_counter++;
	if (pipe->readers == 1 || pipe->writers == 1)
		wake_up_interruptible_all(&pipe->rd_wait);
	return 0;
}

static int fifo_open(struct inode *inode, struct file *file)
{
	bool is_pipe = inode->i_sb->s_magic == PIPEFS_MAGIC;	/* through /proc/PID/fd */
	struct pipe_inode_info *pipe = get_fifo(inode);
	int err = -EINVAL;

	if (!pipe)
		return -ENOMEM;
	file->f_version = 0;
	file->private_data = pipe;
	stream_open(inode, file);
	pipe_lock(pipe);
	switch (file->f_mode & (FMODE_READ | FMODE_WRITE)) {
	case FMODE_READ:
		err = fifo_open_read(file, pipe, is_pipe);
		break;
	case FMODE_WRITE:
		err = fifo_open_write(file, pipe, is_pipe);
		break;
	case FMODE_READ | FMODE_WRITE:
		err = fifo_open_both(pipe);
		break;
	}
	pipe_unlock(pipe);
	if (err)
		put_pipe_info(inode, pipe);
	return err;
}

const struct file_operations pipefifo_fops = {
	.fop_mode	= FMODE_NOWAIT,
	.open		= fifo_open,
	.llseek		= no_llseek,
	.read_iter	= pipe_read,
	.write_iter	= pipe_write,
	.poll		= pipe_poll,
	.unlocked_ioctl	= pipe_ioctl,
	.release	= pipe_release,
	.fasync		= pipe_fasync,
};

/* ---- size ---- */

/* Bytes for at least `size`: a power of two of pages.  0: too large. */
unsigned int round_pipe_size(unsigned long size)
{
	if (size > 1u << 31)
		return 0;
	return size < PAGE_SIZE ? PAGE_SIZE : roundup_pow_of_two(size);
}

/* mutex held.  0, -EBUSY: what is in it does not fit, -ENOMEM. */
int pipe_resize_ring(struct pipe_inode_info *pipe, unsigned int nr_slots)
{
	unsigned int used = pipe_occupancy(pipe->head, pipe->tail);
	struct pipe_buffer *bufs;

	if (nr_slots < used)
		return -EBUSY;
	bufs = kcalloc(nr_slots, sizeof(*bufs), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!bufs)
		return -ENOMEM;
	for (unsigned int i = 0; i < used; i++)
		bufs[i] = *pipe_buf(pipe, pipe->tail + i);
	if (pipe->bufs != pipe->inline_bufs)
		kfree(pipe->bufs);
	memset(pipe->inline_bufs, 0, sizeof(pipe->inline_bufs));
	pipe->bufs = bufs;
	pipe->ring_size = nr_slots;
	pipe->max_usage = nr_slots;
	pipe->tail = 0;
	pipe->head = used;
	wake_up_interruptible(&pipe->wr_wait);
	return 0;
}

/* mutex held.  The new size in bytes or -errno. */
static long pipe_set_size(struct pipe_inode_info *pipe, unsigned int arg)
{
	unsigned int size = round_pipe_size(arg), slots = size >> PAGE_SHIFT, old = pipe->nr_accounted;
	bool privileged = capable(CAP_SYS_RESOURCE);
	long total;
	int err;

	if (!slots)
		return -EINVAL;
	if (slots > old && size > pipe_max_size && !privileged)
		return -EPERM;
	total = atomic_long_add_return((long)slots - (long)old, &pipe->user->pipe_bufs);
	err = slots > old && total > PIPE_USER_PAGES_SOFT && !privileged && !capable(CAP_SYS_ADMIN) ? -EPERM :
	      pipe_resize_ring(pipe, slots);
	if (err) {
		atomic_long_sub((long)slots - (long)old, &pipe->user->pipe_bufs);
		return err;
	}
	pipe->nr_accounted = slots;
	return (long)slots << PAGE_SHIFT;
}

/* F_SETPIPE_SZ, F_GETPIPE_SZ.  -EBADF when it is no pipe. */
long pipe_fcntl(struct file *file, unsigned int cmd, unsigned int arg)
{
	struct pipe_inode_info *pipe = get_pipe_info(file, false);
	long ret;

	if (!pipe)
		return -EBADF;
	pipe_lock(pipe);
	ret = cmd == F_SETPIPE_SZ ? pipe_set_size(pipe, arg) : (long)pipe->max_usage << PAGE_SHIFT;
	pipe_unlock(pipe);
	return ret;
}

struct pipe_inode_info *get_pipe_info(struct file *file, bool for_splice)
{
	return file->f_op == &pipefifo_fops ? file->private_data : NULL;
}

/* ---- pipefs: the file system of pipes without a name ---- */

static char *pipefs_dname(struct dentry *dentry, char *buffer, int buflen)
{
	return dynamic_dname(buffer, buflen, "pipe:[%lu]", d_inode(dentry)->i_ino);
}

static const struct dentry_operations pipefs_dentry_operations = { .d_dname = pipefs_dname };
static const struct super_operations pipefs_ops = {
	.destroy_inode = free_inode_nonrcu, .statfs = simple_statfs,
};

static struct dentry *pipefs_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_pseudo(type, "pipe:", &pipefs_ops, &pipefs_dentry_operations, PIPEFS_MAGIC);
}

static struct file_system_type pipe_fs_type = { .name = "pipefs", .mount = pipefs_mount, .kill_sb = kill_anon_super };

static const int smallest_max = PAGE_SIZE;
static const struct ctl_table pipe_sysctls[] = {
	{ .procname = "pipe-max-size", .data = &pipe_max_size, .maxlen = sizeof(pipe_max_size), .mode = 0644,
	  .handler = proc_dointvec_minmax, .extra1 = &smallest_max },
	{ },
};

static int __init pipe_init(void)
{
	int err = register_filesystem(&pipe_fs_type);

	if (err)
		return err;
	pipe_mnt = kern_mount(&pipe_fs_type);
	if (IS_ERR(pipe_mnt))
		return PTR_ERR(pipe_mnt);
	return register_sysctl("fs", pipe_sysctls);
}
fs_initcall(pipe_init);
