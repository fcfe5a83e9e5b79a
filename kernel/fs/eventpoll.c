/*
 * eventpoll.c: epoll(7): waiting for events on many files, at a cost that does not grow with their number.
 *
 * What:    epoll_create, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2.
 * Idea:    for each watched file an item (epitem) hangs in the wait queues that the file's ->poll() named.  When one of
 *          them is woken, ep_poll_callback() puts the item into the ready list and wakes who waits.  epoll_wait takes
 *          items off the ready list one at a time and asks ->poll() what is true now; an item that is reported and
 *          level-triggered goes back to the end of the list.  An item is off the list while its file is asked, so a wake-up
 *          that comes meanwhile puts it back, and no event is lost:
 *
 *            epoll_wait                                  wake-up
 *              ep->lock: take item off the list
 *              ->poll(): nothing yet
 *                                                          data arrives
 *                                                          ep->lock: item is on no list: add it
 *              next round finds it
 * Lifetime: an eventpoll has one reference for its file and one for each item.  An item goes when it is removed, when
 *          the epoll file is closed, or when the watched file is (eventpoll_release_file); whoever marks it `dying` first
 *          under the file's f_lock does it.
 * Locking: ep->mtx (items, scanning; nests along epoll files that watch epoll files) -> file->f_lock (f_ep)
 *          -> wait queue locks -> ep->lock (ready list; interrupts off).  epnested_mutex is taken before ep->mtx when an
 *          epoll file is added to another, so that two such cannot build a circle together.
 * See:     spec.md §10; epoll(7)
 */
#include <weft/eventpoll.h>
#include <weft/anon_inodes.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/poll.h>
#include <weft/mutex.h>
#include <weft/rbtree.h>
#include <weft/hrtimer.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <weft/seq_file.h>
#include <weft/percpu.h>
#include <weft/syscalls.h>
#include <weft/rculist.h>
#include <weft/kernel.h>
#include <weft/err.h>

#define EP_PRIVATE_BITS		(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EPOLLINOUT_BITS		(EPOLLIN | EPOLLOUT)
#define EPOLLEXCLUSIVE_OK_BITS	(EPOLLINOUT_BITS | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define EP_MAX_NESTS		4
#define EP_MAX_EVENTS		((int)(0x7fffffff / sizeof(struct epoll_event)))

struct eventpoll {
	struct mutex		mtx;
	spinlock_t		lock;		/* irq */
	struct list_head	ready;		/* [lock] items that may have events */
	struct wait_queue_head	wq;		/* epoll_wait sleeps here */
	struct wait_queue_head	poll_wait;	/* who polls the epoll file itself */
	struct rb_root		items;		/* [mtx] by file and descriptor */
	struct file		*file;		/* [RCU] no reference; NULL: it has gone */
	refcount_t		refs;
	u64			below_gen;	/* [epnested_mutex] the search in which `below` was found */
	u64			above_gen;
	int			below;		/* epoll files on the longest way down from here */
	int			above;		/* ... and up */
	struct rcu_head		rcu;
};

struct epitem {
	struct rb_node		rbn;		/* [ep->mtx] */
	struct list_head	ready;		/* [ep->lock] in ep->ready, or empty */
	struct hlist_node	fllink;		/* [file->f_lock] in file->f_ep */
	struct file		*file;		/* [I] no reference: eventpoll_release_file() comes before it goes */
	int			fd;		/* [I] */
	bool			dying;		/* [file->f_lock] the file goes and will remove it */
	struct eppoll_entry	*entries;	/* [ep->mtx] our places in wait queues */
	struct eventpoll	*ep;		/* [I] a reference */
	struct epoll_event	event;		/* [ep->mtx; the callback reads .events] */
	struct rcu_head		rcu;
};

/* A place in one wait queue. */
struct eppoll_entry {
	struct eppoll_entry	*next;
	struct epitem		*item;
	wait_queue_entry_t	wait;
	wait_queue_head_t	*whead;		/* NULL: the queue has gone (POLLFREE) [release/acquire] */
};

struct ep_pqueue {
	poll_table		pt;
	struct epitem		*item;		/* NULL: out of memory while queueing */
};

static DEFINE_MUTEX(epnested_mutex);
static const struct file_operations eventpoll_fops;

static bool is_file_epoll(const struct file *f) { return f->f_op == &eventpoll_fops; }

static void ep_put(struct eventpoll *ep)
{
	if (refcount_dec_and_test(&ep->refs))
		kfree_rcu(ep, rcu);		/* ep_levels_above() may be looking */
}

static bool ep_events_available(struct eventpoll *ep)
{
	return !list_empty_careful(&ep->ready);
}

/* ---- wake-ups ---- */

#ifdef CONFIG_DEBUG
/* How many poll_wait locks this CPU holds: an epoll file in an epoll file in ... */
static DEFINE_PER_CPU(int, ep_wake_nesting);
#endif

/* Wakes those who poll the epoll file.  Nested calls come through ep_poll_callback() of an outer epoll. */
static void ep_poll_safewake(struct eventpoll *ep)
{
#ifdef CONFIG_DEBUG
	unsigned long flags;
	int nest;

	local_irq_save(flags);
	nest = this_cpu_inc_return(ep_wake_nesting);
	spin_lock_nested(&ep->poll_wait.lock, nest);
	__wake_up_locked_key(&ep->poll_wait, TASK_NORMAL, poll_to_key(EPOLLIN));
	spin_unlock(&ep->poll_wait.lock);
	this_cpu_dec(ep_wake_nesting);
	local_irq_restore(flags);
#else
	wake_up_poll(&ep->poll_wait, EPOLLIN);
#endif
}

/* [ep->lock] */
static void mark_ready(struct epitem *item)
{
	if (list_empty(&item->ready))
		list_add_tail(&item->ready, &item->ep->ready);
}

/* The queue's memory goes when the wake-up that says POLLFREE is over and RCU readers have left. */
static void leave_freed_queue(struct eppoll_entry *entry)
{
	list_del_init(&entry->wait.entry);
	smp_store_release(&entry->whead, NULL);
}

/* A wait queue of the file was woken.  Called under that queue's lock. */
static int ep_poll_callback(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct eppoll_entry *entry = container_of(wait, struct eppoll_entry, wait);
	struct epitem *item = entry->item;
	struct eventpoll *ep = item->ep;
	__poll_t happened = key_to_poll(key), wanted = READ_ONCE(item->event.events);
	unsigned long flags;
	bool pwake = false;
	int woke = 1;

	spin_lock_irqsave_nested(&ep->lock, flags, 0);
	if (!(wanted & ~EP_PRIVATE_BITS))		/* spent by EPOLLONESHOT */
		goto out;
	if (happened && !(happened & wanted))
		goto out;
	mark_ready(item);
	if (wq_has_sleeper(&ep->wq)) {
		if (wanted & EPOLLEXCLUSIVE && !(happened & POLLFREE))
			woke = !(happened & EPOLLINOUT_BITS) || (happened & wanted & EPOLLINOUT_BITS);
		wake_up(&ep->wq);
	} else if (wanted & EPOLLEXCLUSIVE) {
		woke = 0;				/* nobody waits here: let the wake-up go on to another epoll */
	}
	pwake = waitqueue_active(&ep->poll_wait);
out:
	spin_unlock_irqrestore(&ep->lock, flags);
	if (pwake)
		ep_poll_safewake(ep);
	if (happened & POLLFREE)
		leave_freed_queue(entry);
	return wanted & EPOLLEXCLUSIVE ? woke : 1;
}

/* ->poll() of the file named a queue. */
static void ep_ptable_queue_proc(struct file *file, wait_queue_head_t *whead, poll_table *pt)
{
	struct ep_pqueue *epq = container_of(pt, struct ep_pqueue, pt);
	struct epitem *item = epq->item;
	struct eppoll_entry *entry;

	if (!item)
		return;
	entry = kmalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry) {
		epq->item = NULL;
		return;
	}
	init_waitqueue_func_entry(&entry->wait, ep_poll_callback);
	entry->whead = whead;
	entry->item = item;
	entry->next = item->entries;
	item->entries = entry;
	if (item->event.events & EPOLLEXCLUSIVE)
		add_wait_queue_exclusive(whead, &entry->wait);
	else
		add_wait_queue(whead, &entry->wait);
}

static void ep_unregister_pollwait(struct epitem *item)
{
	struct eppoll_entry *entry;

	while ((entry = item->entries)) {
		wait_queue_head_t *whead;

		item->entries = entry->next;
		rcu_read_lock();		/* the queue's memory is freed by RCU after POLLFREE */
		whead = smp_load_acquire(&entry->whead);
		if (whead)
			remove_wait_queue(whead, &entry->wait);
		rcu_read_unlock();
		kfree(entry);
	}
}

/* ---- asking files ---- */

static __poll_t ep_eventpoll_poll_nested(struct file *file, poll_table *pt, int depth);

static __poll_t ep_item_poll(const struct epitem *item, poll_table *pt, int depth)
{
	__poll_t res;

	pt->_key = item->event.events;
	if (is_file_epoll(item->file))
		res = ep_eventpoll_poll_nested(item->file, pt, depth);
	else
		res = vfs_poll(item->file, pt);
	return res & item->event.events;
}

static struct epitem *take_ready(struct eventpoll *ep, struct list_head *list)
{
	struct epitem *item = NULL;

	spin_lock_irq(&ep->lock);
	if (!list_empty(list)) {
		item = list_first_entry(list, struct epitem, ready);
		list_del_init(&item->ready);
	}
	spin_unlock_irq(&ep->lock);
	return item;
}

static void put_ready(struct eventpoll *ep, struct epitem *item)
{
	spin_lock_irq(&ep->lock);
	mark_ready(item);
	spin_unlock_irq(&ep->lock);
}

/* The epoll file itself is readable when an item has events.  depth: of the nesting, for the lock checker. */
static __poll_t ep_eventpoll_poll_nested(struct file *file, poll_table *pt, int depth)
{
	struct eventpoll *ep = file->private_data;
	__poll_t res = 0;
	struct epitem *item;
	LIST_HEAD(list);
	poll_table look;

	poll_wait(file, &ep->poll_wait, pt);
	init_poll_funcptr(&look, NULL);
	mutex_lock_nested(&ep->mtx, depth);
	spin_lock_irq(&ep->lock);
	list_splice_init(&ep->ready, &list);
	spin_unlock_irq(&ep->lock);
	while (!res && (item = take_ready(ep, &list))) {
		if (!ep_item_poll(item, &look, depth + 1))
			continue;
		put_ready(ep, item);
		res = EPOLLIN | EPOLLRDNORM;
	}
	spin_lock_irq(&ep->lock);
	list_splice(&list, &ep->ready);
	spin_unlock_irq(&ep->lock);
	mutex_unlock(&ep->mtx);
	return res;
}

static __poll_t ep_eventpoll_poll(struct file *file, poll_table *pt)
{
	return ep_eventpoll_poll_nested(file, pt, 0);
}

/* ---- items ---- */

static int ep_cmp(const struct epitem *item, const struct file *file, int fd)
{
	if (item->file != file)
		return file > item->file ? 1 : -1;
	return fd - item->fd;
}

static struct epitem *ep_find(struct eventpoll *ep, struct file *file, int fd)
{
	struct rb_node *n = ep->items.rb_node;

	while (n) {
		struct epitem *item = rb_entry(n, struct epitem, rbn);
		int cmp = ep_cmp(item, file, fd);

		if (!cmp)
			return item;
		n = cmp > 0 ? n->rb_right : n->rb_left;
	}
	return NULL;
}

struct file *eventpoll_watched_file(struct file *epoll, int fd, unsigned int nth)
{
	struct file *found = ERR_PTR(-ENOENT);
	struct eventpoll *ep;

	if (!is_file_epoll(epoll))
		return ERR_PTR(-EINVAL);
	ep = epoll->private_data;
	mutex_lock(&ep->mtx);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *item = rb_entry(n, struct epitem, rbn);

		if (item->fd == fd && !nth--) {
			found = item->file;
			break;
		}
	}
	mutex_unlock(&ep->mtx);
	return found;
}

static void ep_rbtree_insert(struct eventpoll *ep, struct epitem *item)
{
	struct rb_node **p = &ep->items.rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = ep_cmp(rb_entry(parent, struct epitem, rbn), item->file, item->fd) > 0 ? &parent->rb_right
											   : &parent->rb_left;
	}
	rb_link_node(&item->rbn, parent, p);
	rb_insert_color(&item->rbn, &ep->items);
}

/* [ep->mtx] Removes an item unless its file is going and will do it (force: this is the file).  True: it is gone. */
static bool __ep_remove(struct eventpoll *ep, struct epitem *item, bool force)
{
	struct file *file = item->file;

	ep_unregister_pollwait(item);
	spin_lock(&file->f_lock);
	if (item->dying && !force) {
		spin_unlock(&file->f_lock);
		return false;
	}
	hlist_del_rcu(&item->fllink);
	spin_unlock(&file->f_lock);

	rb_erase(&item->rbn, &ep->items);
	spin_lock_irq(&ep->lock);
	list_del_init(&item->ready);
	spin_unlock_irq(&ep->lock);
	kfree_rcu(item, rcu);
	return true;
}

static void ep_remove(struct eventpoll *ep, struct epitem *item)
{
	if (__ep_remove(ep, item, false))
		ep_put(ep);
}

/* The watched file is in its last fput. */
void eventpoll_release_file(struct file *file)
{
	struct eventpoll *ep;
	struct epitem *item;

	for (;;) {
		spin_lock(&file->f_lock);
		if (hlist_empty(&file->f_ep)) {
			spin_unlock(&file->f_lock);
			return;
		}
		item = hlist_entry(file->f_ep.first, struct epitem, fllink);
		item->dying = true;
		ep = item->ep;			/* the item's reference: ours now, nobody else removes it */
		spin_unlock(&file->f_lock);

		mutex_lock(&ep->mtx);
		__ep_remove(ep, item, true);
		mutex_unlock(&ep->mtx);
		ep_put(ep);
	}
}

static int ep_eventpoll_release(struct inode *inode, struct file *file)
{
	struct eventpoll *ep = file->private_data;
	struct rb_node *n, *next;

	WRITE_ONCE(ep->file, NULL);
	mutex_lock(&ep->mtx);
	for (n = rb_first(&ep->items); n; n = next) {
		next = rb_next(n);
		ep_remove(ep, rb_entry(n, struct epitem, rbn));
		cond_resched();
	}
	mutex_unlock(&ep->mtx);
	ep_put(ep);
	return 0;
}

static void ep_show_fdinfo(struct seq_file *m, struct file *f)
{
	struct eventpoll *ep = f->private_data;
	struct rb_node *n;

	mutex_lock(&ep->mtx);
	for (n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *item = rb_entry(n, struct epitem, rbn);
		struct inode *inode = file_inode(item->file);

		seq_printf(m, "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%lx sdev:%x\n", item->fd, item->event.events,
			   (unsigned long long)item->event.data, (long long)item->file->f_pos, inode->i_ino,
			   inode->i_sb->s_dev);
		if (seq_has_overflowed(m))
			break;
	}
	mutex_unlock(&ep->mtx);
}

static const struct file_operations eventpoll_fops = {
	.release	= ep_eventpoll_release,
	.poll		= ep_eventpoll_poll,
	.llseek		= noop_llseek,
	.show_fdinfo	= ep_show_fdinfo,
};

/*
 * Epoll files may watch each other, but not in a circle, and not in a long chain: a wake-up at its lower end, and a poll at
 * its upper end, go through all of it on one kernel stack.  A chain can be made longer at either end, so both ways count.
 * Many ways may lead to one file: each is looked at once in a search (the gen fields).  [epnested_mutex: nobody else adds]
 */
static u64 loop_gen;

/* The longest way down from ep.  -ELOOP: it is too long, or leads to target. */
static int ep_levels_below(struct eventpoll *target, struct eventpoll *ep, int depth)
{
	int below = 0;
	struct rb_node *n;

	if (ep == target || depth > EP_MAX_NESTS)
		return -ELOOP;
	if (ep->below_gen == loop_gen)
		return ep->below;
	mutex_lock_nested(&ep->mtx, depth + 1);
	for (n = rb_first(&ep->items); n && below >= 0; n = rb_next(n)) {
		struct epitem *item = rb_entry(n, struct epitem, rbn);
		int levels;

		if (!is_file_epoll(item->file))
			continue;
		levels = ep_levels_below(target, item->file->private_data, depth + 1);
		below = levels < 0 ? levels : max(below, levels + 1);
	}
	mutex_unlock(&ep->mtx);
	if (below >= 0) {
		ep->below_gen = loop_gen;
		ep->below = below;
	}
	return below;
}

/* The longest way up, or more than EP_MAX_NESTS.  Under RCU: items go meanwhile, and then count though they need not. */
static int ep_levels_above(struct eventpoll *ep, int depth)
{
	struct file *file = READ_ONCE(ep->file);
	struct epitem *item;
	int above = 0;

	if (depth > EP_MAX_NESTS || !file)
		return 0;			/* those who asked have counted enough */
	if (ep->above_gen == loop_gen)
		return ep->above;
	hlist_for_each_entry_rcu(item, &file->f_ep, fllink)
		above = max(above, ep_levels_above(item->ep, depth + 1) + 1);
	ep->above_gen = loop_gen;
	ep->above = above;
	return above;
}

/* May ep watch target?  0 or -ELOOP. */
static int ep_loop_check(struct eventpoll *ep, struct eventpoll *target)
{
	int below, above;

	loop_gen++;
	below = ep_levels_below(ep, target, 0);
	if (below < 0)
		return below;
	rcu_read_lock();
	above = ep_levels_above(ep, 0);
	rcu_read_unlock();
	return above + below > EP_MAX_NESTS ? -ELOOP : 0;
}

/* [ep->mtx] */
static int ep_insert(struct eventpoll *ep, const struct epoll_event *event, struct file *file, int fd)
{
	struct epitem *item = kzalloc(sizeof(*item), GFP_KERNEL);
	struct ep_pqueue epq;
	bool pwake = false;
	__poll_t revents;

	if (!item)
		return -ENOMEM;
	INIT_LIST_HEAD(&item->ready);
	item->ep = ep;
	item->file = file;
	item->fd = fd;
	item->event = *event;
	refcount_inc(&ep->refs);
	ep_rbtree_insert(ep, item);
	spin_lock(&file->f_lock);
	hlist_add_head_rcu(&item->fllink, &file->f_ep);
	spin_unlock(&file->f_lock);

	epq.item = item;
	init_poll_funcptr(&epq.pt, ep_ptable_queue_proc);
	revents = ep_item_poll(item, &epq.pt, 1);
	if (unlikely(!epq.item)) {
		ep_remove(ep, item);
		return -ENOMEM;
	}
	spin_lock_irq(&ep->lock);
	if (revents) {
		mark_ready(item);
		if (wq_has_sleeper(&ep->wq))
			wake_up(&ep->wq);
		pwake = waitqueue_active(&ep->poll_wait);
	}
	spin_unlock_irq(&ep->lock);
	if (pwake)
		ep_poll_safewake(ep);
	return 0;
}

/* [ep->mtx] */
static int ep_modify(struct eventpoll *ep, struct epitem *item, const struct epoll_event *event)
{
	bool pwake = false;
	poll_table pt;

	init_poll_funcptr(&pt, NULL);
	WRITE_ONCE(item->event.events, event->events);
	item->event.data = event->data;
	smp_mb();		/* the callback sees the new mask, or we see what it did not report */
	if (ep_item_poll(item, &pt, 1)) {
		spin_lock_irq(&ep->lock);
		mark_ready(item);
		if (wq_has_sleeper(&ep->wq))
			wake_up(&ep->wq);
		pwake = waitqueue_active(&ep->poll_wait);
		spin_unlock_irq(&ep->lock);
	}
	if (pwake)
		ep_poll_safewake(ep);
	return 0;
}

/* ---- waiting ---- */

/* One item to the caller.  1: reported, 0: nothing to report, -EFAULT. */
static int send_one(struct epitem *item, struct epoll_event __user *to)
{
	struct epoll_event ev;
	poll_table pt;

	init_poll_funcptr(&pt, NULL);
	ev.events = ep_item_poll(item, &pt, 1);
	if (!ev.events)
		return 0;
	ev.data = item->event.data;
	if (copy_to_user(to, &ev, sizeof(ev))) {
		put_ready(item->ep, item);
		return -EFAULT;
	}
	if (item->event.events & EPOLLONESHOT)
		WRITE_ONCE(item->event.events, item->event.events & EP_PRIVATE_BITS);
	else if (!(item->event.events & EPOLLET))
		put_ready(item->ep, item);
	return 1;
}

/* The number of events reported, or -EFAULT when not even one. */
static int ep_send_events(struct eventpoll *ep, struct epoll_event __user *events, int maxevents)
{
	struct epitem *item;
	LIST_HEAD(list);
	int n = 0;

	mutex_lock(&ep->mtx);
	spin_lock_irq(&ep->lock);
	list_splice_init(&ep->ready, &list);
	spin_unlock_irq(&ep->lock);
	while (n < maxevents && (item = take_ready(ep, &list))) {
		int ret = send_one(item, events + n);

		if (ret < 0) {
			n = n ?: ret;
			break;
		}
		n += ret;
	}
	spin_lock_irq(&ep->lock);
	list_splice(&list, &ep->ready);
	/*
	 *      here                                            another in ep_poll()
	 *      the rest goes back to ep->ready                 prepare_to_wait()
	 *      full barrier in wq_has_sleeper()                full barrier in it
	 *      anybody asleep?                                 anything in ep->ready?
	 * One of the two sees the other.
	 */
	if (!list_empty(&ep->ready) && wq_has_sleeper(&ep->wq))
		wake_up(&ep->wq);
	spin_unlock_irq(&ep->lock);
	mutex_unlock(&ep->mtx);
	return n;
}

/* timeout: NULL for ever, 0 do not wait, else absolute monotonic time. */
static int ep_poll(struct eventpoll *ep, struct epoll_event __user *events, int maxevents, ktime_t *timeout)
{
	bool timed_out = timeout && !*timeout;
	int n;

	for (;;) {
		DEFINE_WAIT(wait);

		if (ep_events_available(ep)) {
			n = ep_send_events(ep, events, maxevents);
			if (n)
				return n;
		}
		if (timed_out)
			return 0;
		if (signal_pending(current))
			return -EINTR;
		prepare_to_wait_exclusive(&ep->wq, &wait, TASK_INTERRUPTIBLE);
		if (!ep_events_available(ep) && !signal_pending(current))
			timed_out = !schedule_hrtimeout_range(timeout, 0, HRTIMER_MODE_ABS);
		finish_wait(&ep->wq, &wait);
	}
}

static int do_epoll_wait(int epfd, struct epoll_event __user *events, int maxevents, ktime_t *timeout)
{
	struct fd f;
	int err;

	if (maxevents <= 0 || maxevents > EP_MAX_EVENTS)
		return -EINVAL;
	if (!access_ok(events, maxevents * sizeof(struct epoll_event)))
		return -EFAULT;
	f = fdget(epfd);
	if (!f.file)
		return -EBADF;
	err = is_file_epoll(f.file) ? ep_poll(f.file->private_data, events, maxevents, timeout) : -EINVAL;
	fdput(f);
	return err;
}

/* Milliseconds from now, as a deadline; NULL when it is for ever. */
static ktime_t *deadline_ms(ktime_t *to, int ms)
{
	if (ms < 0)
		return NULL;
	*to = ms ? ktime_add_safe(ktime_get(), (s64)ms * NSEC_PER_MSEC) : 0;
	return to;
}

long sys_epoll_wait(int epfd, struct epoll_event __user *events, int maxevents, int timeout)
{
	ktime_t to;

	return do_epoll_wait(epfd, events, maxevents, deadline_ms(&to, timeout));
}

static long do_epoll_pwait(int epfd, struct epoll_event __user *events, int maxevents, ktime_t *to,
			   const sigset_t __user *sigmask, size_t sigsetsize)
{
	long err = set_user_sigmask(sigmask, sigsetsize);

	if (err)
		return err;
	err = do_epoll_wait(epfd, events, maxevents, to);
	restore_saved_sigmask_unless(err == -EINTR);
	return err;
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int maxevents, int timeout,
		     const sigset_t __user *sigmask, size_t sigsetsize)
{
	ktime_t to;

	return do_epoll_pwait(epfd, events, maxevents, deadline_ms(&to, timeout), sigmask, sigsetsize);
}

long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int maxevents,
		      const struct __kernel_timespec __user *timeout, const sigset_t __user *sigmask, size_t sigsetsize)
{
	struct timespec64 ts;
	ktime_t to, *top = NULL;

	if (timeout) {
		if (get_timespec64(&ts, timeout))
			return -EFAULT;
		if (!timespec64_valid(&ts))
			return -EINVAL;
		to = ts.tv_sec || ts.tv_nsec ? ktime_add_safe(ktime_get(), timespec64_to_ktime(ts)) : 0;
		top = &to;
	}
	return do_epoll_pwait(epfd, events, maxevents, top, sigmask, sigsetsize);
}

/* ---- making and changing ---- */

static long do_epoll_create(int flags)
{
	struct eventpoll *ep;
	struct file *file;
	int fd;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep), GFP_KERNEL);
	if (!ep)
		return -ENOMEM;
	mutex_init(&ep->mtx);
	spin_lock_init(&ep->lock);
	INIT_LIST_HEAD(&ep->ready);
	init_waitqueue_head(&ep->wq);
	init_waitqueue_head(&ep->poll_wait);
	refcount_set(&ep->refs, 1);
	fd = get_unused_fd_flags(O_RDWR | (flags & O_CLOEXEC));
	if (fd < 0)
		goto free;
	file = anon_inode_getfile("[eventpoll]", &eventpoll_fops, ep, O_RDWR | (flags & O_CLOEXEC));
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto free;
	}
	ep->file = file;
	fd_install(fd, file);
	return fd;
free:
	kfree(ep);
	return fd;
}

long sys_epoll_create1(int flags)
{
	return do_epoll_create(flags);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : do_epoll_create(0);
}

/* What EPOLLEXCLUSIVE does not go with. */
static bool exclusive_ok(int op, const struct epoll_event *event, const struct file *target)
{
	if (!(event->events & EPOLLEXCLUSIVE))
		return true;
	if (op == EPOLL_CTL_MOD)
		return false;
	return op != EPOLL_CTL_ADD || (!is_file_epoll(target) && !(event->events & ~EPOLLEXCLUSIVE_OK_BITS));
}

/* [ep->mtx] */
static int ep_change(struct eventpoll *ep, int op, struct file *target, int fd, struct epoll_event *event)
{
	struct epitem *item = ep_find(ep, target, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		if (item)
			return -EEXIST;
		event->events |= EPOLLERR | EPOLLHUP;
		return ep_insert(ep, event, target, fd);
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		ep_remove(ep, item);
		return 0;
	case EPOLL_CTL_MOD:
		if (!item)
			return -ENOENT;
		if (item->event.events & EPOLLEXCLUSIVE)
			return -EINVAL;
		event->events |= EPOLLERR | EPOLLHUP;
		return ep_modify(ep, item, event);
	default:
		return -EINVAL;
	}
}

static int ep_lock_and_change(struct eventpoll *ep, int op, struct file *target, int fd, struct epoll_event *event)
{
	int err;

	mutex_lock(&ep->mtx);
	err = ep_change(ep, op, target, fd, event);
	mutex_unlock(&ep->mtx);
	return err;
}

int do_epoll_ctl(struct file *file, int op, struct file *target, int fd, struct epoll_event *event)
{
	int err;

	if (!file_can_poll(target))
		return -EPERM;
	if (file == target || !is_file_epoll(file) || !exclusive_ok(op, event, target))
		return -EINVAL;
	if (op != EPOLL_CTL_ADD || !is_file_epoll(target))
		return ep_lock_and_change(file->private_data, op, target, fd, event);
	mutex_lock(&epnested_mutex);
	err = ep_loop_check(file->private_data, target->private_data);
	if (!err)
		err = ep_lock_and_change(file->private_data, op, target, fd, event);
	mutex_unlock(&epnested_mutex);
	return err;
}

long sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event __user *event)
{
	struct epoll_event ev = { 0 };
	struct fd f, target;
	long err = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	f = fdget(epfd);
	if (!f.file)
		return -EBADF;
	target = fdget(fd);
	if (target.file) {
		err = do_epoll_ctl(f.file, op, target.file, fd, &ev);
		fdput(target);
	}
	fdput(f);
	return err;
}
