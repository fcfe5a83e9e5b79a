/*
 * select.c: select(2) and poll(2): waiting for events on a set of descriptors.
 *
 * Idea:    one pass asks every file's ->poll(), which on the first pass also enters us in its wait queues; when no file has
 *          anything we sleep, and ask all again after a wake-up.  `triggered` is set by the wake-up and cleared before the
 *          next pass, so that one which comes during a pass is not slept through:
 *
 *            waiter                                   waker
 *              triggered = 0
 *              state = INTERRUPTIBLE, full barrier
 *              triggered? no: schedule                  event happens
 *                                                       triggered = 1, try_to_wake_up()
 *          Queue entries come from a small table on the stack, and from pages when that is used up.
 * Locking: none of its own; the table is the caller's.
 * See:     spec.md §10; select(2), poll(2)
 */
#include <weft/poll.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/hrtimer.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/resource.h>
#include <weft/kernel.h>
#include <uapi/time.h>

#define INLINE_ENTRIES	8
#define PAGE_ENTRIES	((PAGE_SIZE - sizeof(void *) - sizeof(int)) / sizeof(struct poll_entry))

struct poll_entry {
	struct file		*file;		/* a reference */
	wait_queue_entry_t	wait;
	wait_queue_head_t	*head;
	struct poll_wqueues	*pwq;
};

struct poll_page {
	struct poll_page	*next;
	unsigned int		n;
	struct poll_entry	entries[];
};

struct poll_wqueues {
	poll_table		pt;
	struct task_struct	*task;
	int			triggered;
	int			error;		/* -ENOMEM: some file is not waited for */
	unsigned int		n;
	struct poll_page	*pages;
	struct poll_entry	entries[INLINE_ENTRIES];
};

/* Called under the queue's lock. */
static int pollwake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct poll_entry *entry = container_of(wait, struct poll_entry, wait);
	struct poll_wqueues *pwq = entry->pwq;

	if (key && !(key_to_poll(key) & (unsigned long)wait->private))
		return 0;
	smp_wmb();		/* what happened is seen by who sees the mark */
	WRITE_ONCE(pwq->triggered, 1);
	return try_to_wake_up(pwq->task, TASK_NORMAL, sync);
}

static struct poll_entry *new_entry(struct poll_wqueues *pwq)
{
	struct poll_page *page = pwq->pages;

	if (pwq->n < INLINE_ENTRIES)
		return &pwq->entries[pwq->n++];
	if (!page || page->n == PAGE_ENTRIES) {
		page = (struct poll_page *)__get_free_page(GFP_KERNEL);
		if (!page) {
			pwq->error = -ENOMEM;
			return NULL;
		}
		page->n = 0;
		page->next = pwq->pages;
		pwq->pages = page;
	}
	return &page->entries[page->n++];
}

/* The file's ->poll() names a queue. */
static void pollwait(struct file *file, wait_queue_head_t *head, poll_table *p)
{
	struct poll_wqueues *pwq = container_of(p, struct poll_wqueues, pt);
	struct poll_entry *entry = new_entry(pwq);

	if (!entry)
		return;
	entry->file = get_file(file);
	entry->head = head;
	entry->pwq = pwq;
	init_waitqueue_func_entry(&entry->wait, pollwake);
	entry->wait.private = (void *)(unsigned long)p->_key;
	add_wait_queue(head, &entry->wait);
}

static void poll_initwait(struct poll_wqueues *pwq)
{
	init_poll_funcptr(&pwq->pt, pollwait);
	pwq->task = current;
	pwq->triggered = 0;
	pwq->error = 0;
	pwq->n = 0;
	pwq->pages = NULL;
}

static void free_entry(struct poll_entry *entry)
{
	remove_wait_queue(entry->head, &entry->wait);
	fput(entry->file);
}

static void poll_freewait(struct poll_wqueues *pwq)
{
	struct poll_page *page;

	for (unsigned int i = 0; i < pwq->n; i++)
		free_entry(&pwq->entries[i]);
	while ((page = pwq->pages)) {
		pwq->pages = page->next;
		for (unsigned int i = 0; i < page->n; i++)
			free_entry(&page->entries[i]);
		free_page((unsigned long)page);
	}
}

/* Sleeps until a wake-up or the time.  0: the time is up. */
static int poll_sleep(struct poll_wqueues *pwq, ktime_t *expires)
{
	int woken = 1;

	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(pwq->triggered))
		woken = schedule_hrtimeout_range(expires, current->timer_slack_ns, HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);
	smp_store_mb(pwq->triggered, 0);
	return woken;
}

/* ---- timeouts ---- */

/* An absolute end in *to from a relative time; false: the time is invalid. */
static bool set_deadline(struct timespec64 *end, time64_t sec, long nsec)
{
	struct timespec64 now, rel = { .tv_sec = sec, .tv_nsec = nsec };

	if (!timespec64_valid(&rel))
		return false;
	if (!sec && !nsec) {
		*end = rel;
		return true;
	}
	ktime_get_ts64(&now);
	*end = timespec64_add_safe(now, rel);
	return true;
}

/* What of the time is left. */
static struct timespec64 time_left(const struct timespec64 *end)
{
	struct timespec64 now, left = { 0 };

	if (!end->tv_sec && !end->tv_nsec)
		return left;
	ktime_get_ts64(&now);
	left = timespec64_sub(*end, now);
	if (left.tv_sec < 0)
		left = (struct timespec64){ 0 };
	return left;
}

/* ---- select ---- */

struct fd_sets {
	unsigned long *in, *out, *ex, *res_in, *res_out, *res_ex;
};
#define SET_WORDS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

#define POLLIN_SET	(EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define POLLOUT_SET	(EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define POLLEX_SET	EPOLLPRI

/* One past the highest descriptor asked for, or -EBADF when one of them is not open. */
static int max_select_fd(unsigned long n, const struct fd_sets *s)
{
	const struct fdtable *fdt;
	int max = 0;

	rcu_read_lock();
	fdt = files_fdtable(current->files);
	for (unsigned long w = 0; w < SET_WORDS(n); w++) {
		unsigned long mask = n - w * BITS_PER_LONG < BITS_PER_LONG ? (1UL << (n - w * BITS_PER_LONG)) - 1 : ~0UL;
		unsigned long set = (s->in[w] | s->out[w] | s->ex[w]) & mask;

		if (!set)
			continue;
		if (w * BITS_PER_LONG >= fdt->max_fds || set & ~fdt->open_fds[w]) {
			max = -EBADF;
			break;
		}
		max = w * BITS_PER_LONG + __fls(set) + 1;
	}
	rcu_read_unlock();
	return max;
}

/* Asks one descriptor; sets result bits and returns how many. */
static int select_one(struct poll_wqueues *pwq, struct fd_sets *s, unsigned int i, bool wait)
{
	unsigned long bit = 1UL << (i % BITS_PER_LONG);
	unsigned int w = i / BITS_PER_LONG;
	__poll_t mask = EPOLLNVAL, key = POLLEX_SET;
	struct fd f = fdget(i);
	int n = 0;

	if (f.file) {
		if (s->in[w] & bit)
			key |= POLLIN_SET;
		if (s->out[w] & bit)
			key |= POLLOUT_SET;
		pwq->pt._key = key;
		if (!wait)
			pwq->pt._qproc = NULL;
		mask = vfs_poll(f.file, &pwq->pt);
		fdput(f);
	}
	if (mask & (POLLIN_SET | EPOLLNVAL) && s->in[w] & bit)
		s->res_in[w] |= bit, n++;
	if (mask & (POLLOUT_SET | EPOLLNVAL) && s->out[w] & bit)
		s->res_out[w] |= bit, n++;
	if (mask & (POLLEX_SET | EPOLLNVAL) && s->ex[w] & bit)
		s->res_ex[w] |= bit, n++;
	if (n)
		pwq->pt._qproc = NULL;		/* no need to queue up any more */
	return n;
}

/* One pass over all. */
static int select_all(struct poll_wqueues *pwq, struct fd_sets *s, int n, bool wait)
{
	int found = 0;

	for (int w = 0; w < (int)SET_WORDS(n); w++) {
		unsigned long set = s->in[w] | s->out[w] | s->ex[w];

		for (; set; set &= set - 1) {
			int i = w * BITS_PER_LONG + __ffs(set);

			if (i >= n)
				return found;
			found += select_one(pwq, s, i, wait);
		}
		cond_resched();
	}
	return found;
}

/* end: NULL for ever.  The number of bits set in the results, -EBADF, -ERESTARTNOHAND, -ENOMEM. */
static int do_select(int n, struct fd_sets *s, struct timespec64 *end)
{
	bool no_wait = end && !end->tv_sec && !end->tv_nsec, timed_out = no_wait;
	ktime_t expires, *to = NULL;
	struct poll_wqueues pwq;
	int ret;

	n = max_select_fd(n, s);
	if (n < 0)
		return n;
	if (end && !no_wait) {
		expires = timespec64_to_ktime(*end);
		to = &expires;
	}
	poll_initwait(&pwq);
	for (;;) {
		ret = select_all(&pwq, s, n, !no_wait);
		pwq.pt._qproc = NULL;		/* queued everywhere after the first pass */
		if (ret || timed_out)
			break;
		ret = signal_pending(current) ? -ERESTARTNOHAND : pwq.error;
		if (ret)
			break;
		timed_out = !poll_sleep(&pwq, to);
	}
	poll_freewait(&pwq);
	return ret;
}

static int get_fd_set(unsigned long bytes, const fd_set __user *from, unsigned long *to)
{
	if (from)
		return copy_from_user(to, from, bytes) ? -EFAULT : 0;
	memset(to, 0, bytes);
	return 0;
}

static int put_fd_set(unsigned long bytes, fd_set __user *to, const unsigned long *from)
{
	return to && copy_to_user(to, from, bytes) ? -EFAULT : 0;
}

static int core_sys_select(int n, fd_set __user *inp, fd_set __user *outp, fd_set __user *exp, struct timespec64 *end)
{
	unsigned long on_stack[6 * 4], *bits = on_stack, bytes;
	struct fd_sets s;
	int ret;

	if (n < 0)
		return -EINVAL;
	rcu_read_lock();
	n = min_t(unsigned int, n, files_fdtable(current->files)->max_fds);
	rcu_read_unlock();
	bytes = SET_WORDS(n) * sizeof(long);
	if (6 * bytes > sizeof(on_stack)) {
		bits = kvmalloc(6 * bytes, GFP_KERNEL);
		if (!bits)
			return -ENOMEM;
	}
	s.in = bits;
	s.out = s.in + SET_WORDS(n);
	s.ex = s.out + SET_WORDS(n);
	s.res_in = s.ex + SET_WORDS(n);
	s.res_out = s.res_in + SET_WORDS(n);
	s.res_ex = s.res_out + SET_WORDS(n);
	memset(s.res_in, 0, 3 * bytes);
	ret = get_fd_set(bytes, inp, s.in) ?: get_fd_set(bytes, outp, s.out) ?: get_fd_set(bytes, exp, s.ex);
	if (!ret)
		ret = do_select(n, &s, end);
	if (ret >= 0 && (put_fd_set(bytes, inp, s.res_in) || put_fd_set(bytes, outp, s.res_out) ||
			 put_fd_set(bytes, exp, s.res_ex)))
		ret = -EFAULT;
	if (bits != on_stack)
		kvfree(bits);
	return ret;
}

/* select(2) on Linux writes back what is left of the time; a fault there does not spoil the result. */
long sys_select(int n, fd_set __user *inp, fd_set __user *outp, fd_set __user *exp, struct __kernel_old_timeval __user *tvp)
{
	struct timespec64 end, left;
	struct __kernel_old_timeval tv;
	int ret;

	if (tvp) {
		if (copy_from_user(&tv, tvp, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		if (!set_deadline(&end, tv.tv_sec + tv.tv_usec / USEC_PER_SEC, tv.tv_usec % USEC_PER_SEC * NSEC_PER_USEC))
			return -EINVAL;
	}
	ret = core_sys_select(n, inp, outp, exp, tvp ? &end : NULL);
	if (tvp) {
		left = time_left(&end);
		tv = (struct __kernel_old_timeval){ left.tv_sec, left.tv_nsec / NSEC_PER_USEC };
		if (copy_to_user(tvp, &tv, sizeof(tv)) && ret == -ERESTARTNOHAND)
			ret = -EINTR;		/* the restart would take the full time again */
	}
	return ret;
}

/* pselect6's last argument: a pointer to this. */
struct sigset_argpack {
	const sigset_t __user	*p;
	size_t			size;
};

static int get_deadline(struct timespec64 *end, const struct __kernel_timespec __user *tsp)
{
	struct timespec64 ts;

	if (get_timespec64(&ts, tsp))
		return -EFAULT;
	return set_deadline(end, ts.tv_sec, ts.tv_nsec) ? 0 : -EINVAL;
}

/* The end of pselect and ppoll: the signal mask, and what is left of the time. */
static int finish_timed(int ret, const struct timespec64 *end, struct __kernel_timespec __user *tsp)
{
	struct timespec64 left;

	restore_saved_sigmask_unless(ret == -ERESTARTNOHAND);
	if (!tsp)
		return ret;
	left = time_left(end);
	if (put_timespec64(&left, tsp) && ret == -ERESTARTNOHAND)
		ret = -EINTR;
	return ret;
}

long sys_pselect6(int n, fd_set __user *inp, fd_set __user *outp, fd_set __user *exp, struct __kernel_timespec __user *tsp,
		  void __user *sig)
{
	struct sigset_argpack pack = { NULL, 0 };
	struct timespec64 end;
	int ret;

	if (sig && copy_from_user(&pack, sig, sizeof(pack)))
		return -EFAULT;
	ret = tsp ? get_deadline(&end, tsp) : 0;
	if (ret)
		return ret;
	ret = set_user_sigmask(pack.p, pack.size);
	if (ret)
		return ret;
	ret = core_sys_select(n, inp, outp, exp, tsp ? &end : NULL);
	return finish_timed(ret, &end, tsp);
}

/* ---- poll ---- */

static __poll_t poll_one(struct pollfd *pfd, struct poll_wqueues *pwq)
{
	__poll_t wanted, mask;
	struct fd f;

	if (pfd->fd < 0) {
		pfd->revents = 0;
		return 0;
	}
	f = fdget(pfd->fd);
	if (!f.file) {
		pfd->revents = EPOLLNVAL;
		return EPOLLNVAL;
	}
	wanted = demangle_poll(pfd->events) | EPOLLERR | EPOLLHUP;
	pwq->pt._key = wanted;
	mask = vfs_poll(f.file, &pwq->pt) & wanted;
	fdput(f);
	pfd->revents = mangle_poll(mask);
	return mask;
}

static int do_poll(struct pollfd *fds, unsigned int nfds, struct poll_wqueues *pwq, struct timespec64 *end)
{
	bool no_wait = end && !end->tv_sec && !end->tv_nsec, timed_out = no_wait;
	ktime_t expires, *to = NULL;

	if (no_wait)
		pwq->pt._qproc = NULL;
	if (end && !no_wait) {
		expires = timespec64_to_ktime(*end);
		to = &expires;
	}
	for (;;) {
		int found = 0;

		for (unsigned int i = 0; i < nfds; i++)
			if (poll_one(&fds[i], pwq)) {
				found++;
				pwq->pt._qproc = NULL;
			}
		pwq->pt._qproc = NULL;
		if (found || timed_out)
			return found;
		if (signal_pending(current))
			return -ERESTARTNOHAND;
		if (pwq->error)
			return pwq->error;
		timed_out = !poll_sleep(pwq, to);
	}
}

static int do_sys_poll(struct pollfd __user *ufds, unsigned int nfds, struct timespec64 *end)
{
	struct pollfd on_stack[16], *fds = on_stack;
	struct poll_wqueues pwq;
	int ret = -EFAULT;

	if (nfds > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (nfds > ARRAY_SIZE(on_stack)) {
		fds = kvmalloc_array(nfds, sizeof(*fds), GFP_KERNEL);
		if (!fds)
			return -ENOMEM;
	}
	if (copy_from_user(fds, ufds, nfds * sizeof(*fds)))
		goto out;
	poll_initwait(&pwq);
	ret = do_poll(fds, nfds, &pwq, end);
	poll_freewait(&pwq);
	for (unsigned int i = 0; i < nfds; i++)
		if (put_user(fds[i].revents, &ufds[i].revents)) {
			ret = -EFAULT;
			break;
		}
out:
	if (fds != on_stack)
		kvfree(fds);
	return ret;
}

static long do_restart_poll(struct restart_block *restart)
{
	struct timespec64 end = { restart->poll.tv_sec, restart->poll.tv_nsec };
	int ret = do_sys_poll(restart->poll.ufds, restart->poll.nfds, restart->poll.has_timeout ? &end : NULL);

	return ret == -ERESTARTNOHAND ? set_restart_fn(restart, do_restart_poll) : ret;
}

long sys_poll(struct pollfd __user *ufds, unsigned int nfds, int timeout_msecs)
{
	struct restart_block *restart = &current->restart_block;
	struct timespec64 end = { 0 };
	int ret;

	if (timeout_msecs >= 0)
		set_deadline(&end, timeout_msecs / MSEC_PER_SEC, NSEC_PER_MSEC * (timeout_msecs % MSEC_PER_SEC));
	ret = do_sys_poll(ufds, nfds, timeout_msecs >= 0 ? &end : NULL);
	if (ret != -ERESTARTNOHAND)
		return ret;
	restart->poll.ufds = ufds;
	restart->poll.nfds = nfds;
	restart->poll.has_timeout = timeout_msecs >= 0;
	restart->poll.tv_sec = end.tv_sec;
	restart->poll.tv_nsec = end.tv_nsec;
	return set_restart_fn(restart, do_restart_poll);
}

long sys_ppoll(struct pollfd __user *ufds, unsigned int nfds, struct __kernel_timespec __user *tsp,
	       const sigset_t __user *sigmask, size_t sigsetsize)
{
	struct timespec64 end;
	int ret = tsp ? get_deadline(&end, tsp) : 0;

	if (ret)
		return ret;
	ret = set_user_sigmask(sigmask, sigsetsize);
	if (ret)
		return ret;
	ret = do_sys_poll(ufds, nfds, tsp ? &end : NULL);
	return finish_timed(ret, &end, tsp);
}
