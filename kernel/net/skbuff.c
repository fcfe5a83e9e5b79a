/*
 * skbuff.c: message buffers and their queues.
 *
 * Idea:    header and data are one allocation.  A stream reader peeks at the first buffer, takes a reference, and copies
 *          without the queue's lock, since copying to user memory may sleep.
 * Locking: queue.lock.
 * See:     internal.h
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/mm.h>
#include "internal.h"

struct sk_buff *alloc_skb(size_t len)
{
	struct sk_buff *skb = kvmalloc(sizeof(*skb) + len, GFP_KERNEL);

	if (!skb)
		return NULL;
	*skb = (struct sk_buff){ .len = len, .uid = INVALID_UID, .gid = INVALID_GID };
	INIT_LIST_HEAD(&skb->list);
	refcount_set(&skb->users, 1);
	return skb;
}

void kfree_skb(struct sk_buff *skb)
{
	if (!skb || !refcount_dec_and_test(&skb->users))
		return;
	if (skb->destructor)
		skb->destructor(skb);
	put_pid(skb->pid);
	if (skb->sk) {
		struct sock *sk = skb->sk;

		atomic_sub(skb->len + sizeof(*skb), &sk->wmem_alloc);
		if (sock_writeable(sk))
			sock_write_space(sk);
		sock_put(sk);
	}
	kvfree(skb);
}

void skb_charge(struct sk_buff *skb, struct sock *sk)
{
	sock_hold(sk);
	skb->sk = sk;
	atomic_add(skb->len + sizeof(*skb), &sk->wmem_alloc);
}

void skb_queue_tail(struct sk_buff_head *q, struct sk_buff *skb)
{
	spin_lock(&q->lock);
	list_add_tail(&skb->list, &q->head);
	WRITE_ONCE(q->qlen, q->qlen + 1);
	spin_unlock(&q->lock);
}

void __skb_unlink(struct sk_buff *skb, struct sk_buff_head *q)
{
	lockdep_assert_held(&q->lock);
	list_del_init(&skb->list);
	WRITE_ONCE(q->qlen, q->qlen - 1);
}

void skb_unlink(struct sk_buff *skb, struct sk_buff_head *q)
{
	spin_lock(&q->lock);
	__skb_unlink(skb, q);
	spin_unlock(&q->lock);
}

struct sk_buff *skb_peek(struct sk_buff_head *q)
{
	lockdep_assert_held(&q->lock);
	return list_first_entry_or_null(&q->head, struct sk_buff, list);
}

struct sk_buff *skb_dequeue(struct sk_buff_head *q)
{
	struct sk_buff *skb;

	spin_lock(&q->lock);
	skb = skb_peek(q);
	if (skb)
		__skb_unlink(skb, q);
	spin_unlock(&q->lock);
	return skb;
}
