/*
 * select.c: select(2), poll(2) and their p-relatives: waiting for one of many files.
 *
 * Idea:    the first round asks every file and lets it queue us on its wait queues; if nothing is ready we sleep and, once
 *          woken or timed out, ask again, now without queueing.  The first few queue entries lie on the stack.
 * Race:    a wake-up between asking and sleeping must not be lost:
 *              waiter                                   pollwake()
 *              set state, triggered? no -> sleep        triggered = 1, barrier, wake the task
 *              ... else run on, triggered = 0, ask again
 *          each round begins with triggered = 0 before any file is asked.
 * See:     select(2), poll(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/fdtable.h>
#include <weft/poll.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/hrtimer.h>
#include <weft/time64.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <uapi/time.h>
#include <uapi/resource.h>
#include "internal.h"

#define N_INLINE_ENTRIES	8	/* queue entries that need no allocation */

struct poll_entry {
	struct file		*filp;		/* a reference */
	__poll_t		key;		/* what is waited for */
	wait_queue_entry_t	wait;
	wait_queue_head_t	*wait_address;
};

struct poll_page {
	struct poll_page	*next;
	unsigned int		used;
	struct poll_entry	entries[];
};
#define ENTRIES_PER_PAGE ((PAGE_SIZE - sizeof(struct poll_page)) / sizeof(struct poll_entry))

struct poll_wqueues {
	poll_table		pt;
	struct poll_page	*pages;
	struct task_struct	*task;
	int			triggered;	/* [a] somebody woke us since the last look */
	int			error;
	unsigned int		inline_used;
	struct poll_entry	inline_entries[N_INLINE_ENTRIES];
};

/* ---- queueing ---- */

static struct poll_entry *get_entry(struct poll_wqueues *pwq)
{
	struct poll_page *page = pwq->pages;

	if (pwq->inline_used < N_INLINE_ENTRIES)
		return &pwq->inline_entries[pwq->inline_used++];
	if (!page || page->used == ENTRIES_PER_PAGE) {
		page = (struct poll_page *)__get_free_page(GFP_KERNEL);
		if (!page) {
			pwq->error = -ENOMEM;
			return NULL;
		}
		page->used = 0;
		page->next = pwq->pages;
		pwq->pages = page;
	}
	return &page->entries[page->used++];
}

static int pollwake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct poll_entry *entry = container_of(wait, struct poll_entry, wait);
	struct poll_wqueues *pwq = wait->private;

	if (key && !(key_to_poll(key) & entry->key))
		return 0;
	smp_wmb();		/* what the waker changed before, then triggered: pairs with smp_store_mb() below */
	WRITE_ONCE(pwq->triggered, 1);
	return try_to_wake_up(pwq->task, mode, sync);
}

static void __pollwait(struct file *filp, wait_queue_head_t *wait_address, poll_table *p)
{
	struct poll_wqueues *pwq = container_of(p, struct poll_wqueues, pt);
	struct poll_entry *entry = get_entry(pwq);

	if (!entry)
		return;
	entry->filp = get_file(filp);
	entry->wait_address = wait_address;
	entry->key = p->_key;
	init_waitqueue_func_entry(&entry->wait, pollwake);
	entry->wait.private = pwq;
	add_wait_queue(wait_address, &entry->wait);
}

static void poll_initwait(struct poll_wqueues *pwq)
{
	init_poll_funcptr(&pwq->pt, __pollwait);
	pwq->task = current;
	pwq->triggered = 0;
	pwq->error = 0;
	pwq->pages = NULL;
	pwq->inline_used = 0;
}

static void free_entry(struct poll_entry *entry)
{
	remove_wait_queue(entry->wait_address, &entry->wait);
	fput(entry->filp);
}

static void poll_freewait(struct poll_wqueues *pwq)
{
	struct poll_page *page = pwq->pages;

	for (unsigned int i = 0; i < pwq->inline_used; i++)
		free_entry(&pwq->inline_entries[i]);
	while (page) {
		struct poll_page *old = page;

		for (unsigned int i = 0; i < page->used; i++)
			free_entry(&page->entries[i]);
		page = page->next;
		free_page((unsigned long)old);
	}
}

/* Sleeps until woken (-EINTR as well: woken before the time) or the time is up: 0. */
static int poll_schedule_timeout(struct poll_wqueues *pwq, ktime_t *expires, u64 slack)
{
	int rc = -EINTR;

	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(pwq->triggered))
		rc = schedule_hrtimeout_range(expires, slack, HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);
	smp_store_mb(pwq->triggered, 0);	/* before the files are asked again */
	return rc;
}

/* ---- time ---- */

/* When the wait ends: NULL end time is never. */
struct poll_deadline {
	ktime_t		expires;
	ktime_t		*to;		/* for schedule_hrtimeout_range(); NULL: for ever */
	u64		slack;
	bool		no_wait;	/* zero: only look */
};

static void set_deadline(struct poll_deadline *d, const struct timespec64 *end)
{
	*d = (struct poll_deadline){ };
	if (!end)
		return;
	if (!end->tv_sec && !end->tv_nsec) {
		d->no_wait = true;
		return;
	}
	d->expires = timespec64_to_ktime(*end);
	d->to = &d->expires;
	d->slack = current->timer_slack_ns;
}

/* From "so long" to "until then" on the monotonic clock; zero stays zero.  0 or -EINVAL. */
static int poll_select_set_timeout(struct timespec64 *to, time64_t sec, long nsec)
{
	struct timespec64 ts = { .tv_sec = sec, .tv_nsec = nsec }, now;

	if (!timespec64_valid(&ts))
		return -EINVAL;
	if (!sec && !nsec) {
		*to = ts;
		return 0;
	}
	ktime_get_ts64(&now);
	*to = timespec64_add_safe(now, ts);
	return 0;
}

enum timeout_type { PT_NONE, PT_TIMEVAL, PT_TIMESPEC };

/* The end of a select(): the mask goes back, and the rest of the time to the user, if that is possible. */
static int poll_select_finish(struct timespec64 *end, void __user *p, enum timeout_type type, int ret)
{
	struct timespec64 rest;

	restore_saved_sigmask_unless(ret == -ERESTARTNOHAND);
	if (!p || current->personality & 0x4000000)	/* STICKY_TIMEOUTS */
		return ret;
	if (!end->tv_sec && !end->tv_nsec)
		return ret;
	ktime_get_ts64(&rest);
	rest = timespec64_sub(*end, rest);
	if (rest.tv_sec < 0)
		rest = (struct timespec64){ };
	if (type == PT_TIMEVAL) {
		struct __kernel_old_timeval tv = { .tv_sec = rest.tv_sec, .tv_usec = rest.tv_nsec / NSEC_PER_USEC };

		if (!put_old_timeval(&tv, p))
			return ret;
	} else if (!put_timespec64(&rest, p)) {
		return ret;
	}
	/* The timeout cannot be written: then a restart would wait too long. */
	return ret == -ERESTARTNOHAND ? -EINTR : ret;
}

/* ---- select ---- */

struct fd_sets {
	unsigned long	*in, *out, *ex;
	unsigned long	*res_in, *res_out, *res_ex;
};

#define POLLIN_SET	(EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define POLLOUT_SET	(EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define POLLEX_SET	EPOLLPRI

/* The highest descriptor asked for + 1, or -EBADF when one is not open.  files under RCU. */
static int max_select_fd(int n, const struct fd_sets *fds)
{
	struct fdtable *fdt;
	int max = 0;

	rcu_read_lock();
	fdt = files_fdtable(current->files);
	for (int word = (n - 1) / BITS_PER_LONG; word >= 0 && n; word--) {
		unsigned long set = fds->in[word] | fds->out[word] | fds->ex[word];

		if (word == (n - 1) / BITS_PER_LONG && n % BITS_PER_LONG)
			set &= ~(~0UL << n % BITS_PER_LONG);
		if (!set)
			continue;
		if ((unsigned int)word * BITS_PER_LONG >= fdt->max_fds || set & ~fdt->open_fds[word]) {
			max = -EBADF;
			break;
		}
		if (!max)
			max = word * BITS_PER_LONG + __fls(set) + 1;
	}
	rcu_read_unlock();
	return max;
}

static int select_one(int fd, unsigned long bit, unsigned int word, struct fd_sets *fds, poll_table *pt)
{
	__poll_t want = EPOLLHUP | EPOLLERR, mask = EPOLLNVAL;
	struct fd f = fdget(fd);
	int n = 0;

	if (fds->in[word] & bit)
		want |= POLLIN_SET;
	if (fds->out[word] & bit)
		want |= POLLOUT_SET;
	if (fds->ex[word] & bit)
		want |= POLLEX_SET;
	if (f.file) {
		if (pt)
			pt->_key = want;
		mask = vfs_poll(f.file, pt);
		fdput(f);
	}
	if (mask & (POLLIN_SET | EPOLLNVAL) && fds->in[word] & bit) {
		fds->res_in[word] |= bit;
		n++;
	}
	if (mask & (POLLOUT_SET | EPOLLNVAL) && fds->out[word] & bit) {
		fds->res_out[word] |= bit;
		n++;
	}
	if (mask & (POLLEX_SET | EPOLLNVAL) && fds->ex[word] & bit) {
		fds->res_ex[word] |= bit;
		n++;
	}
	return n;
}

static int select_round(int n, struct fd_sets *fds, struct poll_wqueues *pwq, bool queue)
{
	int found = 0;

	for (unsigned int word = 0; (int)(word * BITS_PER_LONG) < n; word++) {
		unsigned long all = fds->in[word] | fds->out[word] | fds->ex[word];

		for (; all; all &= all - 1) {
			int fd = word * BITS_PER_LONG + __ffs(all);

			if (fd >= n)
				break;
			pwq->pt._qproc = queue && !found ? __pollwait : NULL;
			found += select_one(fd, 1UL << __ffs(all), word, fds, &pwq->pt);
		}
		cond_resched();
	}
	return found;
}

/* Ready bits, 0 when the time is up, -ERESTARTNOHAND, -EBADF, -ENOMEM. */
static int do_select(int n, struct fd_sets *fds, struct timespec64 *end)
{
	struct poll_deadline deadline;
	struct poll_wqueues pwq;
	bool timed_out = false;
	int ret;

	n = max_select_fd(n, fds);
	if (n < 0)
		return n;
	set_deadline(&deadline, end);
	poll_initwait(&pwq);
	for (bool first = true; ; first = false) {
		ret = select_round(n, fds, &pwq, first && !deadline.no_wait);
		if (ret || timed_out || deadline.no_wait)
			break;
		ret = signal_pending(current) ? -ERESTARTNOHAND : pwq.error;
		if (ret)
			break;
		timed_out = !poll_schedule_timeout(&pwq, deadline.to, deadline.slack);
	}
	poll_freewait(&pwq);
	return ret;
}

#define SELECT_STACK_ALLOC	256

/* The bits of n descriptors in user memory, in words of the program's size. */
static size_t fd_set_bytes(int n)
{
	return in_compat_syscall() ? DIV_ROUND_UP((size_t)n, 32) * sizeof(u32) : BITS_TO_LONGS(n) * sizeof(long);
}

static int get_fd_set(size_t bytes, void __user *ufdset, unsigned long *fdset)
{
	if (!ufdset) {
		memset(fdset, 0, bytes);
		return 0;
	}
	return copy_from_user(fdset, ufdset, bytes) ? -EFAULT : 0;
}

static int set_fd_set(size_t bytes, void __user *ufdset, const unsigned long *fdset)
{
	return ufdset && copy_to_user(ufdset, fdset, bytes) ? -EFAULT : 0;
}

static int core_sys_select(int n, fd_set __user *inp, fd_set __user *outp, fd_set __user *exp, struct timespec64 *end)
{
	unsigned long stack_bits[SELECT_STACK_ALLOC / sizeof(long)], *bits = stack_bits;
	struct fdtable *fdt;
	struct fd_sets fds;
	size_t words, size;
	int ret, max_fds;

	if (n < 0)
		return -EINVAL;
	rcu_read_lock();
	fdt = files_fdtable(current->files);
	max_fds = fdt->max_fds;
	rcu_read_unlock();
	n = min(n, max_fds);
	words = BITS_TO_LONGS(n);
	size = fd_set_bytes(n);
	if (6 * words * sizeof(long) > sizeof(stack_bits)) {
		bits = kvmalloc(6 * words * sizeof(long), GFP_KERNEL);
		if (!bits)
			return -ENOMEM;
	}
	fds = (struct fd_sets){ bits, bits + words, bits + 2 * words, bits + 3 * words, bits + 4 * words, bits + 5 * words };
	if (words)	/* what the program's last word does not fill */
		fds.in[words - 1] = fds.out[words - 1] = fds.ex[words - 1] = 0;
	ret = -EFAULT;
	if (get_fd_set(size, inp, fds.in) || get_fd_set(size, outp, fds.out) || get_fd_set(size, exp, fds.ex))
		goto out;
	memset(fds.res_in, 0, 3 * words * sizeof(long));
	ret = do_select(n, &fds, end);
	if (ret < 0)
		goto out;
	if (set_fd_set(size, inp, fds.res_in) || set_fd_set(size, outp, fds.res_out) || set_fd_set(size, exp, fds.res_ex))
		ret = -EFAULT;
out:
	if (bits != stack_bits)
		kvfree(bits);
	return ret;
}

long sys_select(int n, fd_set __user *inp, fd_set __user *outp, fd_set __user *exp, struct __kernel_old_timeval __user *tvp)
{
	struct timespec64 end, *to = NULL;
	struct __kernel_old_timeval tv;

	if (tvp) {
		if (get_old_timeval(&tv, tvp))
			return -EFAULT;
		to = &end;
		if (poll_select_set_timeout(to, tv.tv_sec + tv.tv_usec / USEC_PER_SEC,
					    (tv.tv_usec % USEC_PER_SEC) * NSEC_PER_USEC))
			return -EINVAL;
	}
	return poll_select_finish(&end, tvp, PT_TIMEVAL, core_sys_select(n, inp, outp, exp, to));
}

/* The sixth argument points to the mask and its size. */
struct sigset_argpack {
	sigset_t __user	*p;
	size_t		size;
};

static int get_argpack(struct sigset_argpack *x, const void __user *sig)
{
	struct { compat_uptr_t p; compat_size_t size; } x32;

	if (!in_compat_syscall())
		return copy_from_user(x, sig, sizeof(*x)) ? -EFAULT : 0;
	if (copy_from_user(&x32, sig, sizeof(x32)))
		return -EFAULT;
	*x = (struct sigset_argpack){ compat_ptr(x32.p), x32.size };
	return 0;
}

long sys_pselect6(int n, fd_set __user *inp, fd_set __user *outp, fd_set __user *exp, struct __kernel_timespec __user *tsp,
		  void __user *sig)
{
	struct timespec64 ts, end, *to = NULL;
	struct sigset_argpack x = { };
	int ret;

	if (sig && get_argpack(&x, sig))
		return -EFAULT;
	if (tsp) {
		if (get_timespec64(&ts, tsp))
			return -EFAULT;
		to = &end;
		if (poll_select_set_timeout(to, ts.tv_sec, ts.tv_nsec))
			return -EINVAL;
	}
	ret = set_user_sigmask(x.p, x.size);
	if (ret)
		return ret;
	return poll_select_finish(&end, tsp, PT_TIMESPEC, core_sys_select(n, inp, outp, exp, to));
}

/* ---- poll ---- */

static __poll_t do_pollfd(struct pollfd *pollfd, poll_table *pt)
{
	__poll_t mask = 0, filter;
	struct fd f;

	if (pollfd->fd < 0)
		goto out;
	mask = EPOLLNVAL;
	f = fdget(pollfd->fd);
	if (!f.file)
		goto out;
	filter = demangle_poll(pollfd->events) | EPOLLERR | EPOLLHUP;
	pt->_key = filter;
	mask = vfs_poll(f.file, pt) & filter;
	fdput(f);
out:
	pollfd->revents = mangle_poll(mask);
	return mask;
}

static int do_poll(struct pollfd *fds, unsigned int nfds, struct timespec64 *end)
{
	struct poll_deadline deadline;
	struct poll_wqueues pwq;
	bool timed_out = false;
	int count;

	set_deadline(&deadline, end);
	poll_initwait(&pwq);
	for (bool first = true; ; first = false) {
		count = 0;
		for (unsigned int i = 0; i < nfds; i++) {
			/* Once something is ready nobody will sleep: no more queueing. */
			pwq.pt._qproc = first && !count && !deadline.no_wait ? __pollwait : NULL;
			if (do_pollfd(&fds[i], &pwq.pt))
				count++;
		}
		if (count || timed_out || deadline.no_wait)
			break;
		count = signal_pending(current) ? -ERESTARTNOHAND : pwq.error;
		if (count)
			break;
		timed_out = !poll_schedule_timeout(&pwq, deadline.to, deadline.slack);
	}
	poll_freewait(&pwq);
	return count;
}

#define POLL_STACK_FDS	30

/* The array is copied in and the revents out.  Ready files, 0, or -errno. */
static int do_sys_poll(struct pollfd __user *ufds, unsigned int nfds, struct timespec64 *end)
{
	struct pollfd stack_fds[POLL_STACK_FDS], *fds = stack_fds;
	int ret;

	if (nfds > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (nfds > POLL_STACK_FDS) {
		fds = kvmalloc_array(nfds, sizeof(*fds), GFP_KERNEL);
		if (!fds)
			return -ENOMEM;
	}
	ret = -EFAULT;
	if (copy_from_user(fds, ufds, nfds * sizeof(*fds)))
		goto out;
	ret = do_poll(fds, nfds, end);
	for (unsigned int i = 0; i < nfds; i++) {
		if (put_user(fds[i].revents, &ufds[i].revents)) {
			ret = -EFAULT;
			break;
		}
	}
out:
	if (fds != stack_fds)
		kvfree(fds);
	return ret;
}

static long do_restart_poll(struct restart_block *restart);

/* poll() goes on after a signal without handler, until the same moment as before. */
static long restart_poll_later(struct pollfd __user *ufds, unsigned int nfds, const struct timespec64 *end)
{
	struct restart_block *restart = &current->restart_block;

	restart->poll.ufds = ufds;
	restart->poll.nfds = nfds;
	restart->poll.has_timeout = end != NULL;
	if (end) {
		restart->poll.tv_sec = end->tv_sec;
		restart->poll.tv_nsec = end->tv_nsec;
	}
	return set_restart_fn(restart, do_restart_poll);
}

static long do_restart_poll(struct restart_block *restart)
{
	struct timespec64 end = { .tv_sec = restart->poll.tv_sec, .tv_nsec = restart->poll.tv_nsec };
	struct timespec64 *to = restart->poll.has_timeout ? &end : NULL;
	long ret = do_sys_poll(restart->poll.ufds, restart->poll.nfds, to);

	return ret == -ERESTARTNOHAND ? restart_poll_later(restart->poll.ufds, restart->poll.nfds, to) : ret;
}

long sys_poll(struct pollfd __user *ufds, unsigned int nfds, int timeout_msecs)
{
	struct timespec64 end, *to = NULL;
	long ret;

	if (timeout_msecs >= 0) {
		to = &end;
		poll_select_set_timeout(to, timeout_msecs / MSEC_PER_SEC, NSEC_PER_MSEC * (timeout_msecs % MSEC_PER_SEC));
	}
	ret = do_sys_poll(ufds, nfds, to);
	return ret == -ERESTARTNOHAND ? restart_poll_later(ufds, nfds, to) : ret;
}

long sys_ppoll(struct pollfd __user *ufds, unsigned int nfds, struct __kernel_timespec __user *tsp,
	       const sigset_t __user *sigmask, size_t sigsetsize)
{
	struct timespec64 ts, end, *to = NULL;
	int ret;

	if (tsp) {
		if (get_timespec64(&ts, tsp))
			return -EFAULT;
		to = &end;
		if (poll_select_set_timeout(to, ts.tv_sec, ts.tv_nsec))
			return -EINVAL;
	}
	ret = set_user_sigmask(sigmask, sigsetsize);
	if (ret)
		return ret;
	return poll_select_finish(&end, tsp, PT_TIMESPEC, do_sys_poll(ufds, nfds, to));
}
