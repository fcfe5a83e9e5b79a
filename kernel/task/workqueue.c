/*
 * workqueue.c: running work items in kernel threads.
 *
 * What:    pools of workers (one normal and one high-priority pool for each CPU, one pool for unbound queues) and the queues
 *          that feed them.  Waiting for work (flush) and taking it back (cancel): workqueue_wait.c.
 * Idea:    a pool keeps exactly one worker running as long as there is work: a worker that blocks tells the pool from
 *          schedule(), which wakes an idle one in its place.  A pool without an idle worker asks the manager thread, which
 *          makes one; so a machine that uses one queue has one worker.  When no memory is left for a worker, queues
 *          with WQ_MEM_RECLAIM are served by their rescuer, which exists from the start.
 * Locking: pool->lock (interrupts off) guards its lists, its workers' states and its queues' counts; wq->mutex the set-up of
 *          flushes.  Order: wq->mutex -> pool->lock -> pi_lock.
 * See:     spec.md §4; include/weft/workqueue.h; doc/tasks.md
 */
#include <weft/workqueue.h>
#include <weft/kthread.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/percpu.h>
#include <weft/cpumask.h>
#include <weft/mutex.h>
#include <weft/wait.h>
#include <weft/completion.h>
#include <weft/string.h>
#include <weft/kernel.h>
#include <weft/stdarg.h>
#include <weft/printk.h>
#include <weft/init.h>
#include <weft/err.h>
#include "workqueue.h"

#define IDLE_TIMEOUT		(300 * HZ)

struct workqueue_struct *system_wq, *system_highpri_wq, *system_long_wq, *system_unbound_wq;

static struct worker_pool cpu_pools[NR_CPUS][2];
static struct worker_pool unbound_pool;
#define NR_POOLS	(2 * NR_CPUS + 1)
static struct task_struct *manager;
bool workqueue_no_new_workers;

struct worker_pool *worker_pool_by_id(int id)
{
	return id == NR_POOLS ? &unbound_pool : &cpu_pools[(id - 1) / 2][(id - 1) % 2];
}

/* ---- workers, and how many run ---- */

/* Does this worker count as one that keeps the pool going? */
static bool worker_counts(const struct worker *w)
{
	return !w->idle && !w->sleeping && !w->cpu_intensive && !w->rescuer;
}

/* [pool->lock] Somebody should start on the worklist: an idle worker, or a new one. */
static void start_somebody(struct worker_pool *pool)
{
	if (!list_empty(&pool->idle_list)) {
		wake_up_process(list_first_entry(&pool->idle_list, struct worker, entry)->task);
		return;
	}
	if (!pool->wants_worker) {
		pool->wants_worker = true;
		wake_up_process(manager);
	}
}

/* [pool->lock] A per-CPU pool wants one running worker, the unbound pool a running worker for each item. */
static void check_concurrency(struct worker_pool *pool)
{
	if (!list_empty(&pool->worklist) && (pool->cpu < 0 || !pool->nr_running))
		start_somebody(pool);
}

/* From schedule(): about to block.  Preemption off, no rq lock. */
void wq_worker_sleeping(struct task_struct *task)
{
	struct worker *w = task->worker;
	unsigned long flags;

	if (!w || w->rescuer || !w->pool)
		return;
	spin_lock_irqsave(&w->pool->lock, flags);
	if (worker_counts(w)) {
		w->sleeping = true;
		w->pool->nr_running--;
		check_concurrency(w->pool);
	}
	spin_unlock_irqrestore(&w->pool->lock, flags);
}

void wq_worker_running(struct task_struct *task)
{
	struct worker *w = task->worker;
	unsigned long flags;

	if (!w || !w->sleeping)
		return;
	spin_lock_irqsave(&w->pool->lock, flags);
	w->sleeping = false;
	if (worker_counts(w))
		w->pool->nr_running++;
	spin_unlock_irqrestore(&w->pool->lock, flags);
}

struct work_struct *current_work(void)
{
	struct worker *w = current->flags & PF_WQ_WORKER ? current->worker : NULL;

	return w ? w->current_work : NULL;
}

/* [pool->lock] Who runs this item?  The function is compared too: the memory may have become another item. */
struct worker *find_worker_running(struct worker_pool *pool, struct work_struct *work)
{
	struct worker *w;

	list_for_each_entry(w, &pool->workers, node)
		if (w->current_work == work && w->current_func == work->func)
			return w;
	return NULL;
}

/* ---- an item's way ---- */

/* [pool->lock] Moves an item, and the barriers linked behind it, to the end of `to`. */
static void move_linked(struct work_struct *work, struct list_head *from, struct list_head *to)
{
	struct work_struct *next;

	list_for_each_entry_safe_from(work, next, from, entry) {
		list_move_tail(&work->entry, to);
		if (!(atomic_long_read(&work->data) & WORK_LINKED))
			break;
	}
}

/* [pool->lock] */
void insert_work(struct pool_workqueue *pwq, struct work_struct *work, struct list_head *before, unsigned long flags)
{
	set_work_pwq(work, pwq, flags);
	list_add_tail(&work->entry, before);
	check_concurrency(pwq->pool);
}

/* [pool->lock] An active item ended: one that waited for max_active may start. */
void activate_first_inactive(struct pool_workqueue *pwq)
{
	struct work_struct *work = list_first_entry(&pwq->inactive, struct work_struct, entry);

	pwq->nr_active++;
	atomic_long_andnot(WORK_INACTIVE, &work->data);
	move_linked(work, &pwq->inactive, &pwq->pool->worklist);
	check_concurrency(pwq->pool);
}

/* [pool->lock] The item whose data word was `data` is neither queued nor running any more. */
void pwq_dec_in_flight(struct pool_workqueue *pwq, unsigned long data)
{
	int color = (data & WORK_COLOR) != 0;

	if (!(data & WORK_INACTIVE)) {
		pwq->nr_active--;
		if (!list_empty(&pwq->inactive) && pwq->nr_active < pwq->max_active)
			activate_first_inactive(pwq);
	}
	if (!--pwq->nr_in_flight[color])
		wake_up_all(&pwq->wq->flush_wait);
}

static struct pool_workqueue *choose_pwq(struct workqueue_struct *wq, int cpu)
{
	if (wq->flags & WQ_UNBOUND)
		return wq->pwqs[0];
	if (cpu == WORK_CPU_UNBOUND || !cpu_online(cpu))
		cpu = raw_smp_processor_id();
	return wq->pwqs[cpu];
}

/* The caller owns PENDING.  An item that still runs somewhere goes there, so that it never runs twice at once. */
void queue_pending_work(int cpu, struct workqueue_struct *wq, struct work_struct *work)
{
	struct pool_workqueue *pwq = choose_pwq(wq, cpu);
	struct worker_pool *last = work_pool(work);
	unsigned long flags, work_flags;
	struct list_head *list;
	struct worker *w;

	if (last && last != pwq->pool) {
		spin_lock_irqsave(&last->lock, flags);
		w = find_worker_running(last, work);
		if (w && w->current_pwq->wq == wq)
			pwq = w->current_pwq;
		spin_unlock_irqrestore(&last->lock, flags);
	}
	spin_lock_irqsave(&pwq->pool->lock, flags);
	pwq->nr_in_flight[pwq->color]++;
	work_flags = (unsigned long)pwq->color << WORK_COLOR_SHIFT;
	if (pwq->nr_active < pwq->max_active) {
		pwq->nr_active++;
		list = &pwq->pool->worklist;
	} else {
		work_flags |= WORK_INACTIVE;
		list = &pwq->inactive;
	}
	insert_work(pwq, work, list, work_flags);
	spin_unlock_irqrestore(&pwq->pool->lock, flags);
}

bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work)
{
	unsigned long flags;
	bool ours;

	local_irq_save(flags);			/* PENDING without a place must be short: cancel spins for it */
	ours = set_pending(work);
	if (ours)
		queue_pending_work(cpu, wq, work);
	local_irq_restore(flags);
	return ours;
}

void delayed_work_timer_fn(struct timer_list *t)
{
	struct delayed_work *dwork = from_timer(dwork, t, timer);

	queue_pending_work(dwork->cpu, dwork->wq, &dwork->work);
}

void queue_pending_delayed_work(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	if (!delay) {
		queue_pending_work(cpu, wq, &dwork->work);
		return;
	}
	dwork->wq = wq;
	dwork->cpu = cpu;
	dwork->timer.expires = jiffies + delay;
	add_timer(&dwork->timer);
}

bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	unsigned long flags;
	bool ours;

	local_irq_save(flags);
	ours = set_pending(&dwork->work);
	if (ours)
		queue_pending_delayed_work(cpu, wq, dwork, delay);
	local_irq_restore(flags);
	return ours;
}

/* ---- workers ---- */

/* Releases the pool's lock while the item runs. */
static void process_one_work(struct worker *w, struct work_struct *work) __must_hold(&w->pool->lock)
{
	struct pool_workqueue *pwq = work_pwq(work);
	struct worker_pool *pool = w->pool;
	struct worker *collision = find_worker_running(pool, work);
	unsigned long data = atomic_long_read(&work->data);
	bool intensive = pwq->wq->flags & WQ_CPU_INTENSIVE && !w->rescuer;

	if (unlikely(collision)) {
		move_linked(work, &w->scheduled, &collision->scheduled);
		return;
	}
	w->current_work = work;
	w->current_func = work->func;
	w->current_pwq = pwq;
	list_del_init(&work->entry);
	if (intensive) {
		w->cpu_intensive = true;
		pool->nr_running--;
	}
	check_concurrency(pool);
	set_work_pool(work, pool, 0);
	spin_unlock_irq(&w->pool->lock);

	w->current_func(work);			/* may free the item */

	spin_lock_irq(&w->pool->lock);
	if (intensive) {
		w->cpu_intensive = false;
		pool->nr_running++;
	}
	w->current_work = NULL;
	w->current_func = NULL;
	w->current_pwq = NULL;
	pwq_dec_in_flight(pwq, data);
}

static void process_scheduled(struct worker *w)
{
	lockdep_assert_held(&w->pool->lock);
	while (!list_empty(&w->scheduled))
		process_one_work(w, list_first_entry(&w->scheduled, struct work_struct, entry));
}

/* [pool->lock] */
static void worker_enter_idle(struct worker *w)
{
	w->pool->nr_running--;
	w->idle = true;
	w->pool->nr_idle++;
	list_add(&w->entry, &w->pool->idle_list);
}

static void worker_leave_idle(struct worker *w)
{
	list_del_init(&w->entry);
	w->pool->nr_idle--;
	w->idle = false;
	w->pool->nr_running++;
}

/* [pool->lock] Is there work, and is it this worker's turn: alone, or in the pool where all may run? */
static bool keep_working(struct worker_pool *pool)
{
	return !list_empty(&pool->worklist) && (pool->cpu < 0 || pool->nr_running <= 1);
}

static int worker_thread(void *arg)
{
	struct worker *w = arg;
	struct worker_pool *pool = w->pool;
	long left = IDLE_TIMEOUT;

	current->flags |= PF_WQ_WORKER;
	current->worker = w;
	set_user_nice(current, pool->nice);
	spin_lock_irq(&pool->lock);
	for (;;) {
		worker_leave_idle(w);
		while (keep_working(pool)) {
			struct work_struct *work = list_first_entry(&pool->worklist, struct work_struct, entry);

			move_linked(work, &pool->worklist, &w->scheduled);
			process_scheduled(w);
			left = IDLE_TIMEOUT;
		}
		worker_enter_idle(w);
		if (!left && pool->nr_idle > 1)
			break;
		__set_current_state(TASK_IDLE);
		spin_unlock_irq(&pool->lock);
		left = schedule_timeout(IDLE_TIMEOUT);
		spin_lock_irq(&pool->lock);
	}
	list_del_init(&w->entry);
	list_del(&w->node);
	pool->nr_idle--;
	pool->nr_workers--;
	current->worker = NULL;
	current->flags &= ~PF_WQ_WORKER;
	spin_unlock_irq(&pool->lock);
	kfree(w);
	return 0;
}

static struct worker *alloc_worker(void)
{
	struct worker *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (w) {
		INIT_LIST_HEAD(&w->entry);
		INIT_LIST_HEAD(&w->node);
		INIT_LIST_HEAD(&w->scheduled);
	}
	return w;
}

static struct task_struct *create_worker_task(struct worker *w)
{
	struct worker_pool *pool = w->pool;

	if (pool->cpu < 0)
		return kthread_create(worker_thread, w, "kworker/u:%d", pool->nr_workers);
	return kthread_create(worker_thread, w, "kworker/%d:%d%s", pool->cpu, pool->nr_workers, pool->nice ? "H" : "");
}

/* May sleep.  The new worker is idle and on its way to look at the worklist. */
static int create_worker(struct worker_pool *pool)
{
	struct worker *w = READ_ONCE(workqueue_no_new_workers) ? NULL : alloc_worker();

	if (!w)
		return -ENOMEM;
	w->pool = pool;
	w->task = create_worker_task(w);
	if (IS_ERR(w->task)) {
		int err = PTR_ERR(w->task);

		kfree(w);
		return err;
	}
	if (pool->cpu >= 0)
		kthread_bind(w->task, pool->cpu);
	spin_lock_irq(&pool->lock);
	w->idle = true;
	pool->nr_idle++;
	pool->nr_workers++;
	list_add(&w->entry, &pool->idle_list);
	list_add(&w->node, &pool->workers);
	spin_unlock_irq(&pool->lock);
	wake_up_process(w->task);
	return 0;
}

/* No worker can be made: ask the rescuers of the queues that have one. */
static void send_mayday(struct worker_pool *pool)
{
	struct work_struct *work;

	spin_lock_irq(&pool->lock);
	list_for_each_entry(work, &pool->worklist, entry) {
		struct pool_workqueue *pwq = work_pwq(work);

		if (!pwq->wq->rescuer)
			continue;
		pwq->mayday = true;
		wake_up_process(pwq->wq->rescuer->task);
	}
	spin_unlock_irq(&pool->lock);
}

static void serve_pool(struct worker_pool *pool)
{
	bool wanted;

	if (!READ_ONCE(pool->wants_worker))	/* nearly all: no need for their locks */
		return;
	spin_lock_irq(&pool->lock);
	wanted = pool->wants_worker;
	pool->wants_worker = false;
	wanted = wanted && !list_empty(&pool->worklist) && list_empty(&pool->idle_list);
	spin_unlock_irq(&pool->lock);
	if (!wanted || !create_worker(pool))
		return;
	send_mayday(pool);
	schedule_timeout_interruptible(HZ / 10);
	spin_lock_irq(&pool->lock);
	check_concurrency(pool);		/* still no worker: ask ourselves again */
	spin_unlock_irq(&pool->lock);
}

static bool any_pool_wants(void)
{
	for (int id = 1; id <= NR_POOLS; id++)
		if (READ_ONCE(worker_pool_by_id(id)->wants_worker))
			return true;
	return false;
}

static int manager_thread(void *unused)
{
	for (;;) {
		set_current_state(TASK_IDLE);
		if (!any_pool_wants())
			schedule();
		__set_current_state(TASK_RUNNING);
		for (int id = 1; id <= NR_POOLS; id++)
			serve_pool(worker_pool_by_id(id));
	}
	return 0;
}

/* [pool->lock] All items of pwq in the pool's list become the rescuer's. */
static void rescue(struct worker *rescuer, struct pool_workqueue *pwq)
{
	struct worker_pool *pool = pwq->pool;
	struct work_struct *work, *next;

	pwq->mayday = false;
	rescuer->pool = pool;
	list_add(&rescuer->node, &pool->workers);
	list_for_each_entry_safe(work, next, &pool->worklist, entry)
		if (work_pwq(work) == pwq)
			list_move_tail(&work->entry, &rescuer->scheduled);
	process_scheduled(rescuer);
	list_del_init(&rescuer->node);
	rescuer->pool = NULL;
}

static bool rescue_all(struct worker *rescuer, struct workqueue_struct *wq)
{
	bool found = false;

	for (int i = 0; i < NR_CPUS; i++) {
		struct pool_workqueue *pwq = wq->pwqs[i];

		if (!pwq || !READ_ONCE(pwq->mayday))
			continue;
		spin_lock_irq(&pwq->pool->lock);
		rescue(rescuer, pwq);
		spin_unlock_irq(&pwq->pool->lock);
		found = true;
	}
	return found;
}

static int rescuer_thread(void *arg)
{
	struct workqueue_struct *wq = arg;

	current->flags |= PF_WQ_WORKER | PF_MEMALLOC;
	current->worker = wq->rescuer;
	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		if (!rescue_all(wq->rescuer, wq))
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	__set_current_state(TASK_RUNNING);
	current->worker = NULL;			/* kthread_stop()'s caller frees it */
	current->flags &= ~PF_WQ_WORKER;
	return 0;
}

/* ---- queues ---- */

static int alloc_pwq(struct workqueue_struct *wq, int slot, struct worker_pool *pool, int max_active)
{
	struct pool_workqueue *pwq = kzalloc(sizeof(*pwq), GFP_KERNEL);

	if (!pwq)
		return -ENOMEM;
	if (WARN_ON((unsigned long)pwq & WORK_FLAGS)) {
		kfree(pwq);
		return -ENOMEM;
	}
	pwq->pool = pool;
	pwq->wq = wq;
	pwq->max_active = max_active;
	INIT_LIST_HEAD(&pwq->inactive);
	wq->pwqs[slot] = pwq;
	return 0;
}

static void free_workqueue(struct workqueue_struct *wq)
{
	for (int i = 0; i < NR_CPUS; i++)
		kfree(wq->pwqs[i]);
	kfree(wq->rescuer);
	kfree(wq);
}

static int alloc_pwqs(struct workqueue_struct *wq, int max_active)
{
	int cpu, err;

	if (wq->flags & WQ_UNBOUND)
		return alloc_pwq(wq, 0, &unbound_pool, max_active);
	for_each_possible_cpu(cpu) {
		err = alloc_pwq(wq, cpu, &cpu_pools[cpu][(wq->flags & WQ_HIGHPRI) != 0], max_active);
		if (err)
			return err;
	}
	return 0;
}

static int start_rescuer(struct workqueue_struct *wq)
{
	struct worker *rescuer = alloc_worker();

	if (!rescuer)
		return -ENOMEM;
	wq->rescuer = rescuer;
	rescuer->rescuer = true;
	rescuer->task = kthread_create(rescuer_thread, wq, "%s", wq->name);
	if (IS_ERR(rescuer->task))
		return PTR_ERR(rescuer->task);
	wake_up_process(rescuer->task);
	return 0;
}

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max_active, ...)
{
	struct workqueue_struct *wq = kzalloc(sizeof(*wq), GFP_KERNEL);
	va_list args;

	if (!wq)
		return NULL;
	va_start(args, max_active);
	vsnprintf(wq->name, sizeof(wq->name), fmt, args);
	va_end(args);
	wq->flags = flags;
	mutex_init(&wq->mutex);
	init_waitqueue_head(&wq->flush_wait);
	max_active = clamp_val(max_active ?: WQ_DFL_ACTIVE, 1, WQ_MAX_ACTIVE);
	if (alloc_pwqs(wq, max_active) || (flags & WQ_MEM_RECLAIM && start_rescuer(wq))) {
		free_workqueue(wq);
		return NULL;
	}
	return wq;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	drain_workqueue(wq);
	if (wq->rescuer)
		kthread_stop(wq->rescuer->task);
	free_workqueue(wq);
}

static void __init init_pool(struct worker_pool *pool, int id, int cpu, int nice)
{
	spin_lock_init(&pool->lock);
	pool->id = id;
	pool->cpu = cpu;
	pool->nice = nice;
	INIT_LIST_HEAD(&pool->worklist);
	INIT_LIST_HEAD(&pool->workers);
	INIT_LIST_HEAD(&pool->idle_list);
}

/* kthreadd works. */
void __init workqueue_init(void)
{
	for (int cpu = 0; cpu < NR_CPUS; cpu++) {
		init_pool(&cpu_pools[cpu][0], 2 * cpu + 1, cpu, 0);
		init_pool(&cpu_pools[cpu][1], 2 * cpu + 2, cpu, MIN_NICE);
	}
	init_pool(&unbound_pool, NR_POOLS, -1, 0);
	manager = kthread_run(manager_thread, NULL, "kworkermgr");
	BUG_ON(IS_ERR(manager));
	system_wq = alloc_workqueue("events", 0, 0);
	system_highpri_wq = alloc_workqueue("events_highpri", WQ_HIGHPRI, 0);
	system_long_wq = alloc_workqueue("events_long", 0, 0);
	system_unbound_wq = alloc_workqueue("events_unbound", WQ_UNBOUND, WQ_MAX_ACTIVE);
	BUG_ON(!system_wq || !system_highpri_wq || !system_long_wq || !system_unbound_wq);
}
