/*
 * chan.c: channels and select.
 *
 * What:  typed pipes between threads, with or without a buffer, and waiting for the first of several.
 * Idea:  a sender that finds a waiting receiver copies straight into the receiver's variable and makes it ready; the
 *        buffer is used only when nobody waits.  Likewise a receiver refills the buffer from the first waiting sender.
 *        Select holds the locks of all its channels (taken in address order) while it looks and until it is parked,
 *        with one waiter in each queue; whoever claims it first names the case through the waiter, and select takes the
 *        other waiters off before it returns.
 * Handing over: a waiter's done is 1 when the copy was made, 2 when the channel was closed.
 * Packed threads: elements up to 8 bytes go through t->slot, so that a parked receiver's stack may be away.
 * Locking: c->lock guards everything in a channel.
 * See:   weft_chan_create(3), weft_select(3).
 */
#include <stdlib.h>
#include "internal.h"

enum { CHAN_COPIED = 1, CHAN_CLOSED = 2 };

struct weft_chan {
	uint32_t		lock;
	int			closed;
	size_t			elem, cap, len, head;
	struct weft_waitq	senders, receivers;
	char			buf[];
};

weft_chan *weft_chan_create(size_t elem_size, size_t capacity)
{
	weft_chan *c;
	size_t bytes;

	if (__builtin_mul_overflow(elem_size, capacity, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	c = calloc(1, sizeof *c + bytes);
	if (c) {
		c->elem = elem_size;
		c->cap = capacity;
	}
	return c;
}

static inline void copy(void *to, const void *from, size_t n)
{
	if (n == 8)
		memcpy(to, from, 8);
	else
		memcpy(to, from, n);
}

static inline char *cell(weft_chan *c, size_t i)
{
	i += c->head;
	return c->buf + (i >= c->cap ? i - c->cap : i) * c->elem;
}

/* What can be done at once.  c->lock held.  Returns 0, EPIPE or EAGAIN; *wake is to be made ready after the unlock. */
static inline int send_now(weft_chan *c, const void *elem, struct weft_thread **wake)
{
	struct weft_waiter *n;

	if (unlikely(c->closed))
		return EPIPE;
	if (c->receivers.first && (n = wq_claim_first(&c->receivers))) {
		copy(n->data, elem, c->elem);
		n->done = CHAN_COPIED;
		*wake = n->t;
		return 0;
	}
	if (c->len == c->cap)
		return EAGAIN;
	copy(cell(c, c->len++), elem, c->elem);
	return 0;
}

static inline int recv_now(weft_chan *c, void *elem, struct weft_thread **wake)
{
	struct weft_waiter *n = NULL;

	if (c->len) {
		copy(elem, cell(c, 0), c->elem);
		c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
		c->len--;
		if (c->senders.first && (n = wq_claim_first(&c->senders))) {
			copy(cell(c, c->len++), n->data, c->elem);
			n->done = CHAN_COPIED;
			*wake = n->t;
		}
		return 0;
	}
	if (c->senders.first && (n = wq_claim_first(&c->senders))) {
		copy(elem, n->data, c->elem);
		n->done = CHAN_COPIED;
		*wake = n->t;
		return 0;
	}
	return c->closed ? EPIPE : EAGAIN;
}

/*
 * In 1:1 the claimed thread may run before the copy is made; it takes c->lock before it looks at done (settle), which
 * is why the copy is made before the unlock.  In the other models it does not run before ready().
 */
static inline int settle(weft_chan *c, struct weft_waiter *n)
{
	if (rt.model == WEFT_1_1) {
		spin_lock(&c->lock);
		spin_unlock(&c->lock);
	}
	return n->done == CHAN_CLOSED ? EPIPE : 0;
}

static int wait_here(weft_chan *c, struct weft_waitq *q, void *elem, weft_time_t deadline, const char *what)
{
	struct weft_thread *t = this_thread();
	struct weft_waiter *n = &t->waiter;
	int r, slot = (t->flags & TF_PACKED) && c->elem <= sizeof t->slot, sending = q == &c->senders;

	n->data = elem;
	n->done = 0;
	if (slot) {
		n->data = &t->slot;
		if (sending)
			memcpy(&t->slot, elem, c->elem);
	}
	r = wait_on(q, &c->lock, deadline, slot ? 0 : PARK_NOPACK, what, c);
	if (r)
		return r;
	r = settle(c, n);
	if (slot && !sending && !r)
		memcpy(elem, &t->slot, c->elem);
	return r;
}

int weft_chan_send_until(weft_chan *c, const void *elem, weft_time_t deadline)
{
	struct weft_thread *wake = NULL;
	int r;

	self_or_start();
	spin_lock(&c->lock);
	r = send_now(c, elem, &wake);
	if (r == EAGAIN)
		return wait_here(c, &c->senders, (void *)elem, deadline, "channel send");
	spin_unlock(&c->lock);
	if (wake)
		ready(wake);
	return r;
}

int weft_chan_recv_until(weft_chan *c, void *elem, weft_time_t deadline)
{
	struct weft_thread *wake = NULL;
	int r;

	self_or_start();
	spin_lock(&c->lock);
	r = recv_now(c, elem, &wake);
	if (r == EAGAIN)
		return wait_here(c, &c->receivers, elem, deadline, "channel receive");
	spin_unlock(&c->lock);
	if (wake)
		ready(wake);
	return r;
}

int weft_chan_send(weft_chan *c, const void *elem)
{
	return weft_chan_send_until(c, elem, WEFT_FOREVER);
}

int weft_chan_recv(weft_chan *c, void *elem)
{
	return weft_chan_recv_until(c, elem, WEFT_FOREVER);
}

int weft_chan_trysend(weft_chan *c, const void *elem)
{
	struct weft_thread *wake = NULL;
	int r;

	spin_lock(&c->lock);
	r = send_now(c, elem, &wake);
	spin_unlock(&c->lock);
	if (wake)
		ready(wake);
	return r;
}

int weft_chan_tryrecv(weft_chan *c, void *elem)
{
	struct weft_thread *wake = NULL;
	int r;

	spin_lock(&c->lock);
	r = recv_now(c, elem, &wake);
	spin_unlock(&c->lock);
	if (wake)
		ready(wake);
	return r;
}

int weft_chan_close(weft_chan *c)
{
	struct weft_thread *first = NULL, **tail = &first, *t;
	struct weft_waiter *n;

	spin_lock(&c->lock);
	if (c->closed) {
		spin_unlock(&c->lock);
		return EPIPE;
	}
	c->closed = 1;
	/* done only for those that are won: a select that another channel has won must not hear of this one. */
	while ((n = wq_claim_first(&c->receivers)) || (n = wq_claim_first(&c->senders))) {
		n->done = CHAN_CLOSED;
		if (rt.model == WEFT_1_1) {
			ready(n->t);
			continue;
		}
		*tail = n->t;
		tail = &n->t->next;
	}
	*tail = NULL;
	spin_unlock(&c->lock);
	while ((t = first)) {
		first = t->next;
		ready(t);
	}
	return 0;
}

size_t weft_chan_len(weft_chan *c)
{
	return a_load(&c->len);
}

int weft_chan_free(weft_chan *c)
{
	int busy;

	if (!c)
		return 0;
	spin_lock(&c->lock);
	busy = c->senders.first || c->receivers.first;
	spin_unlock(&c->lock);
	if (busy) {
		misuse("weft_chan_free: threads wait on it");
		return EBUSY;
	}
	free(c);
	return 0;
}

/* ---- select ---- */

enum { SELECT_MAX = 64 };

struct selection {
	struct weft_case	*cases;
	unsigned int		n;
	struct weft_waiter	waiter[SELECT_MAX];
	uint32_t		*locks[SELECT_MAX];
	int			nlocks;
};

/* The channels' locks in address order, each once: two selects over the same channels must not lock them crosswise. */
static void collect_locks(struct selection *s)
{
	unsigned int i;
	int j;

	s->nlocks = 0;
	for (i = 0; i < s->n; i++) {
		uint32_t *l = s->cases[i].chan ? &s->cases[i].chan->lock : NULL;

		if (!l)
			continue;
		for (j = s->nlocks; j > 0 && s->locks[j - 1] > l; j--)
			;
		if (j > 0 && s->locks[j - 1] == l)
			continue;
		memmove(&s->locks[j + 1], &s->locks[j], (s->nlocks - j) * sizeof l);
		s->locks[j] = l;
		s->nlocks++;
	}
}

static void lock_all(struct selection *s, int on)
{
	for (int i = 0; i < s->nlocks; i++) {
		if (on)
			spin_lock(s->locks[i]);
		else
			spin_unlock(s->locks[i]);
	}
}

/* Tries each case once, starting at a random one so that no channel is preferred.  Locks held. */
static int try_cases(struct selection *s, struct weft_thread **wake)
{
	struct worker *w = this_worker();
	unsigned int i, k;
	int r;

	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	k = (w->seed >> 33) % s->n;
	for (i = 0; i < s->n; i++, k = k + 1 == s->n ? 0 : k + 1) {
		struct weft_case *c = &s->cases[k];

		if (!c->chan)
			continue;
		r = c->send ? send_now(c->chan, c->elem, wake) : recv_now(c->chan, c->elem, wake);
		if (r != EAGAIN) {
			c->result = r;
			return k;
		}
	}
	return -1;
}

static int select_wait(struct selection *s, weft_time_t deadline)
{
	struct weft_thread *t = this_thread();
	unsigned int i;
	int r, won = -1;

	for (i = 0; i < s->n; i++) {
		struct weft_waiter *n = &s->waiter[i];
		struct weft_case *c = &s->cases[i];

		n->linked = n->done = 0;
		n->t = t;
		n->data = c->elem;
		if (c->chan)
			wq_append(c->send ? &c->chan->senders : &c->chan->receivers, n);
	}
	r = park(s->locks, s->nlocks, deadline, PARK_NOPACK, "select", s->cases[0].chan);
	lock_all(s, 1);
	for (i = 0; i < s->n; i++) {
		struct weft_waiter *n = &s->waiter[i];
		struct weft_case *c = &s->cases[i];

		if (n->linked)
			wq_remove(c->send ? &c->chan->senders : &c->chan->receivers, n);
		else if (r == W_SIGNALLED && n->done && won < 0) {
			won = i;
			c->result = n->done == CHAN_CLOSED ? EPIPE : 0;
		}
	}
	lock_all(s, 0);
	return r == W_TIMEDOUT ? -ETIMEDOUT : r == W_CANCELLED ? -ECANCELED : won;
}

int weft_select(struct weft_case *cases, unsigned int n, weft_time_t deadline)
{
	struct weft_thread *wake = NULL;
	struct selection s;
	int r;

	if (!n || n > SELECT_MAX)
		return -EINVAL;
	self_or_start();
	s.cases = cases;
	s.n = n;
	collect_locks(&s);
	lock_all(&s, 1);
	r = try_cases(&s, &wake);
	if (r < 0 && deadline)
		return select_wait(&s, deadline);
	lock_all(&s, 0);
	if (wake)
		ready(wake);
	return r < 0 ? -EAGAIN : r;
}
