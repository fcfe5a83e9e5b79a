/*
 * garbage.c: sockets that only messages refer to.
 *
 * What:    a socket's file may be sent through sockets; when the last descriptor goes while it waits in the queue of a
 *          socket that itself is only in such queues, nothing would ever free the circle.
 * Idea:    for each socket count the references that messages hold (inflight).  A candidate has no others.  Take off the
 *          candidates' counts what the candidates' own queues hold: who still has a reference is reachable from a queue
 *          outside, so give back what its queue holds, and so on.  What remains with none is a circle: its messages are
 *          thrown away, and the files close themselves.
 *
 *              file count  inflight                 sent to    after taking off what candidates hold
 *          A       1          1        in B's queue  A: 0
 *          B       1          1        in A's queue  B: 0      -> both are garbage
 *
 * Locking: unix_gc_lock over the whole pass and every change of inflight; queue locks inside it.  A message that has left
 *          its queue but not yet given its files out still counts as inflight, so its sockets look reachable: safe.
 *          A peek takes new references of its own: unix_gc_barrier() makes it wait until a pass that did not see them ended.
 * Cost:    one pass looks at every message of every candidate.
 * See:     af_unix.h; unix(7) SCM_RIGHTS
 */
#include <weft/kernel.h>
#include <weft/list.h>
#include <weft/file.h>
#include <weft/workqueue.h>
#include <weft/wait.h>
#include "af_unix.h"

#define WAIT_FOR_GC	16000	/* senders of files wait for a pass when so many are in flight */

static DEFINE_SPINLOCK(unix_gc_lock);
static LIST_HEAD(inflight_list);		/* [unix_gc_lock] sockets with inflight > 0 */
static LIST_HEAD(candidates);			/* [unix_gc_lock] used by a pass only */
static DECLARE_WAIT_QUEUE_HEAD(gc_wait);
static bool gc_running;				/* [unix_gc_lock] */
unsigned int unix_tot_inflight;			/* [unix_gc_lock], read racily */

struct sock *unix_get_socket(struct file *file)
{
	struct socket *sock = file->f_mode & FMODE_PATH ? NULL : sock_from_file(file);

	return sock && sock->ops && sock->ops->family == AF_UNIX ? sock->sk : NULL;
}

void unix_inflight(struct user_struct *user, struct file *file)
{
	struct sock *sk = unix_get_socket(file);

	spin_lock(&unix_gc_lock);
	if (sk) {
		struct unix_sock *u = unix_sk(sk);

		if (u->inflight++ == 0)
			list_add_tail(&u->gc_link, &inflight_list);
		WRITE_ONCE(unix_tot_inflight, unix_tot_inflight + 1);
	}
	spin_unlock(&unix_gc_lock);
	atomic_long_inc(&user->unix_inflight);
}

void unix_notinflight(struct user_struct *user, struct file *file)
{
	struct sock *sk = unix_get_socket(file);

	spin_lock(&unix_gc_lock);
	if (sk) {
		struct unix_sock *u = unix_sk(sk);

		if (--u->inflight == 0)
			list_del_init(&u->gc_link);
		WRITE_ONCE(unix_tot_inflight, unix_tot_inflight - 1);
	}
	spin_unlock(&unix_gc_lock);
	atomic_long_dec(&user->unix_inflight);
}

void unix_gc_barrier(void)
{
	spin_lock(&unix_gc_lock);
	spin_unlock(&unix_gc_lock);
}

/* ---- walking what a socket's queue holds ---- */

typedef void (*child_fn)(struct unix_sock *u);

/* Calls fn for each candidate in the messages of sk's own queue.  With hit: takes those messages away instead. */
static void scan_queue(struct sock *sk, child_fn fn, struct list_head *hit)
{
	struct sk_buff *skb, *next;

	spin_lock_nested(&sk->receive_queue.lock, 1);	/* under a listener's: scan_children() */
	list_for_each_entry_safe(skb, next, &sk->receive_queue.head, list) {
		bool found = false;

		for (int i = 0; skb->fp && i < skb->fp->count; i++) {
			struct sock *child = unix_get_socket(skb->fp->fp[i]);

			if (child && unix_sk(child)->gc_candidate) {
				found = true;
				fn(unix_sk(child));
			}
		}
		if (found && hit) {
			__skb_unlink(skb, &sk->receive_queue);
			list_add_tail(&skb->list, hit);
		}
	}
	spin_unlock(&sk->receive_queue.lock);
}

/* A listener's messages are in the queues of connections that nobody has accepted yet. */
static void scan_children(struct sock *sk, child_fn fn, struct list_head *hit)
{
	struct sk_buff *skb;

	if (sk->state != SK_LISTEN) {
		scan_queue(sk, fn, hit);
		return;
	}
	spin_lock(&sk->receive_queue.lock);
	list_for_each_entry(skb, &sk->receive_queue.head, list)
		if (skb->sk)
			scan_queue(skb->sk, fn, hit);
	spin_unlock(&sk->receive_queue.lock);
}

static void take_off(struct unix_sock *u) { u->inflight--; }
static void give_back(struct unix_sock *u) { u->inflight++; }

/* Reachable from outside after all: so is what it holds; look at those (again) later. */
static void give_back_and_requeue(struct unix_sock *u)
{
	u->inflight++;
	if (u->gc_maybe_cycle)
		list_move_tail(&u->gc_link, &candidates);
}

/* ---- one pass: unix_gc_lock held.  The messages of circles are left in hit. ---- */

static void find_candidates(void)
{
	struct unix_sock *u, *next;

	list_for_each_entry_safe(u, next, &inflight_list, gc_link) {
		struct file *file = u->sk.socket ? u->sk.socket->file : NULL;

		if (file && (unsigned long)file_count(file) == u->inflight) {
			list_move_tail(&u->gc_link, &candidates);
			u->gc_candidate = u->gc_maybe_cycle = true;
		}
	}
}

static void back_to_inflight(struct list_head *list)
{
	while (!list_empty(list)) {
		struct unix_sock *u = list_first_entry(list, struct unix_sock, gc_link);

		u->gc_candidate = false;
		list_move_tail(&u->gc_link, &inflight_list);
	}
}

static void collect(struct list_head *hit)
{
	struct list_head not_cycle, cursor;
	struct unix_sock *u;

	INIT_LIST_HEAD(&not_cycle);
	find_candidates();
	list_for_each_entry(u, &candidates, gc_link)
		scan_children(&u->sk, take_off, NULL);

	/* The cursor remembers the place, since entries behind it move to the tail while the list is walked. */
	list_add(&cursor, &candidates);
	while (cursor.next != &candidates) {
		u = list_entry(cursor.next, struct unix_sock, gc_link);
		list_move(&cursor, &u->gc_link);
		if (u->inflight > 0) {
			list_move_tail(&u->gc_link, &not_cycle);
			u->gc_maybe_cycle = false;
			scan_children(&u->sk, give_back_and_requeue, NULL);
		}
	}
	list_del(&cursor);

	/* Before the candidates' marks go: what hangs on garbage must get its count back, be it garbage itself or not. */
	list_for_each_entry(u, &candidates, gc_link)
		scan_children(&u->sk, give_back, hit);
	back_to_inflight(&not_cycle);
	back_to_inflight(&candidates);
}

static void unix_gc(struct work_struct *work)
{
	struct sk_buff *skb, *next;
	LIST_HEAD(hit);

	spin_lock(&unix_gc_lock);
	gc_running = true;
	collect(&hit);
	spin_unlock(&unix_gc_lock);

	list_for_each_entry_safe(skb, next, &hit, list) {
		list_del_init(&skb->list);
		kfree_skb(skb);
	}
	spin_lock(&unix_gc_lock);
	gc_running = false;
	spin_unlock(&unix_gc_lock);
	wake_up_all(&gc_wait);
}

static DECLARE_WORK(gc_work, unix_gc);

void unix_schedule_gc(void)
{
	if (READ_ONCE(unix_tot_inflight))
		queue_work(system_unbound_wq, &gc_work);
}

/* Before sending files: whoever fills memory with them helps to wait for it to be freed. */
void unix_wait_for_gc(void)
{
	if (READ_ONCE(unix_tot_inflight) < WAIT_FOR_GC)
		return;
	queue_work(system_unbound_wq, &gc_work);
	wait_event(gc_wait, !READ_ONCE(gc_running));
}
