/*
 * timer.c: deadlines.  A binary heap of waiting threads in each worker, ordered by deadline.
 *
 * What:  timer_add when a thread parks with a deadline, timer_del when it comes back, timers_run by whoever looks.
 * Idea:  a thread has at most one deadline at a time, so the thread itself is the heap entry (tm_index knows where).
 *        A heap belongs to the worker where the thread parked, but any worker may run it, so that a long computation on
 *        one worker does not delay the others' timers.
 * Race:  a timer may fire while its thread is still switching out (PREPARE): then the entry stays and is tried again.
 *        The thread must not be able to slip into its next wait between our look and our claim, so the claim is made
 *        under tm_lock and before tm_index becomes -1; a thread that sees an index takes the lock to remove itself.
 * Locking: tm_lock guards the heap; it comes after object locks and before the run queue.
 * Cost:  O(log n) add, delete and fire.
 * See:   sched.c park().
 */
#include <stdlib.h>
#include "internal.h"

static void place(struct worker *w, int i, struct weft_thread *t)
{
	w->tm[i] = t;
	a_set(&t->tm_index, i);
}

static void sift_up(struct worker *w, int i, struct weft_thread *t)
{
	while (i > 0 && w->tm[(i - 1) / 2]->deadline > t->deadline) {
		place(w, i, w->tm[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(w, i, t);
}

static void sift_down(struct worker *w, int i, struct weft_thread *t)
{
	int c;

	while ((c = 2 * i + 1) < w->tm_n) {
		if (c + 1 < w->tm_n && w->tm[c + 1]->deadline < w->tm[c]->deadline)
			c++;
		if (w->tm[c]->deadline >= t->deadline)
			break;
		place(w, i, w->tm[c]);
		i = c;
	}
	place(w, i, t);
}

static void set_next(struct worker *w)
{
	a_set(&w->tm_next, w->tm_n ? w->tm[0]->deadline : WEFT_FOREVER);
}

static void heap_remove(struct worker *w, struct weft_thread *t)
{
	int i = t->tm_index;
	struct weft_thread *last = w->tm[--w->tm_n];

	if (last != t) {
		if (i > 0 && w->tm[(i - 1) / 2]->deadline > last->deadline)
			sift_up(w, i, last);
		else
			sift_down(w, i, last);
	}
	a_store(&t->tm_index, -1);	/* last: its owner, who looks without the lock, may wait anew from here on */
	set_next(w);
}

void timer_add(struct worker *w, struct weft_thread *t, weft_time_t deadline)
{
	spin_lock(&w->tm_lock);
	if (w->tm_n == w->tm_cap) {
		int cap = w->tm_cap ? w->tm_cap * 2 : 64;
		struct weft_thread **tm = realloc(w->tm, cap * sizeof *tm);

		if (!tm)
			die("no memory for %d timers", cap);
		w->tm = tm;
		w->tm_cap = cap;
	}
	t->deadline = deadline;
	t->tm_worker = w;
	sift_up(w, w->tm_n++, t);
	set_next(w);
	spin_unlock(&w->tm_lock);
}

void timer_del(struct weft_thread *t)
{
	struct worker *w = t->tm_worker;

	spin_lock(&w->tm_lock);
	if (t->tm_index >= 0)
		heap_remove(w, t);
	spin_unlock(&w->tm_lock);
}

/* Ends the waits of w's threads whose deadline has come; returns how many became ready. */
int timers_run(struct worker *w, weft_time_t now)
{
	struct weft_thread *t;
	int n = 0, won;

	while (a_peek(&w->tm_next) <= now) {
		spin_lock(&w->tm_lock);
		t = w->tm_n ? w->tm[0] : NULL;
		if (!t || t->deadline > now || a_load(&t->wait) == W_PREPARE) {
			spin_unlock(&w->tm_lock);
			break;
		}
		won = claim(t, W_TIMEDOUT);
		if (won || a_load(&t->wait) != W_PREPARE)
			heap_remove(w, t);
		spin_unlock(&w->tm_lock);
		if (won) {
			ready(t);
			n++;
		}
	}
	return n;
}
