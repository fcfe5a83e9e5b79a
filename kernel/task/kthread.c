/*
 * kthread.c: kernel threads, and kthreadd (pid 2), the parent of them all.
 *
 * What:    kthread_create() and friends, stop and park.
 * Idea:    a thread must not inherit from whoever happens to ask for it (files, signals, credentials, CPU mask), so requests
 *          go to kthread_create_list and kthreadd, which owns nothing, forks.  The new thread reports that it is there,
 *          sleeps, and runs its function at the first wake_up_process().
 *          struct kthread is freed with the task_struct, so kthread_stop() may come after the thread has ended, as long as
 *          the caller holds a reference; the end is seen through vfork_done, which exit completes.
 *
 *          kthread_stop()                             the thread
 *            set SHOULD_STOP                            loop: set_current_state(INTERRUPTIBLE)
 *            wake_up_process()                                kthread_should_stop()?  yes: out
 *            wait for ->exited                                schedule()
 *          The flag is set before the wake-up and tested after the state, so the wake-up cannot be lost.
 * Locking: kthread_create_lock guards the list; flags are atomic bits; a request belongs to whoever took ->done away.
 * See:     spec.md §4; include/weft/kthread.h; doc/tasks.md
 */
#include <weft/kthread.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/completion.h>
#include <weft/cpumask.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/printk.h>
#include <weft/fdtable.h>
#include <weft/fs_struct.h>
#include <weft/signal.h>
#include <weft/main.h>
#include <weft/cred.h>
#include <weft/stdarg.h>
#include <weft/err.h>

enum { KTHREAD_IS_PER_CPU, KTHREAD_SHOULD_STOP, KTHREAD_SHOULD_PARK };

struct kthread {
	unsigned long		flags;		/* [a] the bits above */
	unsigned int		cpu;		/* [I] of a per-CPU thread, from before its first run */
	int			result;		/* [o] read after ->exited */
	void			*data;		/* [I] */
	struct completion	parked;
	struct completion	exited;		/* completed as the task's vfork_done */
};

/* A thread that is wanted.  Lives on the heap: the asker may be killed while it waits. */
struct kthread_create_info {
	int			(*threadfn)(void *data);
	void			*data;
	struct task_struct	*result;	/* written before *done is completed */
	struct completion	*done;		/* [a] taken away (xchg) by the asker who gives up, or by who answers */
	char			name[TASK_COMM_LEN];
	struct list_head	list;		/* [kthread_create_lock] */
};

struct task_struct *kthreadd_task;
static DEFINE_SPINLOCK(kthread_create_lock);
static LIST_HEAD(kthread_create_list);		/* [kthread_create_lock] */

static struct kthread *to_kthread(struct task_struct *k)
{
	WARN_ON(!(k->flags & PF_KTHREAD));
	return k->kthread_data;
}

/* For copy_process(), on a new task that nobody sees yet. */
bool set_kthread_struct(struct task_struct *p)
{
	struct kthread *kthread = kzalloc(sizeof(*kthread), GFP_KERNEL);

	if (!kthread)
		return false;
	init_completion(&kthread->exited);
	init_completion(&kthread->parked);
	p->vfork_done = &kthread->exited;
	p->kthread_data = kthread;
	return true;
}

void free_kthread_struct(struct task_struct *k)
{
	kfree(k->kthread_data);
	k->kthread_data = NULL;
}

/* ---- in the thread ---- */

bool __kthread_should_stop(struct task_struct *k)
{
	return test_bit(KTHREAD_SHOULD_STOP, &to_kthread(k)->flags);
}

bool kthread_should_stop(void)
{
	return __kthread_should_stop(current);
}

bool kthread_should_park(void)
{
	return test_bit(KTHREAD_SHOULD_PARK, &to_kthread(current)->flags);
}

void *kthread_data(struct task_struct *k)
{
	return to_kthread(k)->data;
}

/* Sleeps until kthread_unpark() takes the wish away. */
static void __kthread_parkme(struct kthread *self)
{
	for (;;) {
		set_current_state(TASK_PARKED);
		if (!test_bit(KTHREAD_SHOULD_PARK, &self->flags))
			break;
		complete(&self->parked);
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

void kthread_parkme(void)
{
	__kthread_parkme(to_kthread(current));
}

void __noreturn kthread_exit(long result)
{
	to_kthread(current)->result = result;
	do_exit(0);
}

/* The first function of each thread that kthreadd makes. */
static int kthread(void *_create)
{
	struct kthread_create_info *create = _create;
	int (*threadfn)(void *data) = create->threadfn;
	void *data = create->data;
	struct kthread *self = to_kthread(current);
	struct completion *done;

	__set_task_comm(current, create->name, false);
	self->data = data;
	done = xchg(&create->done, NULL);
	if (!done) {				/* the asker has gone: nobody will ever run or stop us */
		kfree(create);
		kthread_exit(-EINTR);
	}
	/* The asker may wake us as soon as it knows of us: be asleep before. */
	__set_current_state(TASK_UNINTERRUPTIBLE);
	create->result = current;
	preempt_disable();
	complete(done);
	schedule_preempt_disabled();
	preempt_enable();

	if (test_bit(KTHREAD_SHOULD_STOP, &self->flags))
		kthread_exit(KTHREAD_STOPPED_UNRUN);
	if (test_bit(KTHREAD_SHOULD_PARK, &self->flags))
		__kthread_parkme(self);
	kthread_exit(threadfn(data));
}

/* ---- making ---- */

static void create_kthread(struct kthread_create_info *create)
{
	struct completion *done;
	pid_t pid;

	pid = kernel_thread(kthread, create, CLONE_FS | CLONE_FILES | SIGCHLD);
	if (pid >= 0)
		return;
	done = xchg(&create->done, NULL);
	if (!done) {
		kfree(create);
		return;
	}
	create->result = ERR_PTR(pid);
	complete(done);
}

/* Pid 2.  Its children are reaped at once: it ignores SIGCHLD. */
int kthreadd(void *unused)
{
	struct task_struct *tsk = current;

	__set_task_comm(tsk, "kthreadd", false);
	ignore_signals(tsk);
	set_cpus_allowed_ptr(tsk, cpu_possible_mask);

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (list_empty(&kthread_create_list))
			schedule();
		__set_current_state(TASK_RUNNING);

		spin_lock(&kthread_create_lock);
		while (!list_empty(&kthread_create_list)) {
			struct kthread_create_info *create;

			create = list_first_entry(&kthread_create_list, struct kthread_create_info, list);
			list_del_init(&create->list);
			spin_unlock(&kthread_create_lock);
			create_kthread(create);
			spin_lock(&kthread_create_lock);
		}
		spin_unlock(&kthread_create_lock);
	}
}

/* Waits for kthreadd's answer; consumes create. */
static struct task_struct *wait_for_thread(struct kthread_create_info *create, struct completion *done)
{
	struct task_struct *task;

	if (unlikely(wait_for_completion_killable(done))) {
		if (xchg(&create->done, NULL))
			return ERR_PTR(-EINTR);		/* kthreadd or the thread frees create */
		wait_for_completion(done);		/* the answer is on its way */
	}
	task = create->result;
	kfree(create);
	return task;
}

struct task_struct *kthread_create_on_node(int (*threadfn)(void *data), void *data, int node, const char *namefmt, ...)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct kthread_create_info *create = kmalloc(sizeof(*create), GFP_KERNEL);
	va_list args;

	if (!create)
		return ERR_PTR(-ENOMEM);
	create->threadfn = threadfn;
	create->data = data;
	create->result = NULL;
	create->done = &done;
	va_start(args, namefmt);
	vsnprintf(create->name, sizeof(create->name), namefmt, args);
	va_end(args);

	spin_lock(&kthread_create_lock);
	list_add_tail(&create->list, &kthread_create_list);
	spin_unlock(&kthread_create_lock);
	wake_up_process(kthreadd_task);
	return wait_for_thread(create, &done);
}

struct task_struct *kthread_create_on_cpu(int (*threadfn)(void *data), void *data, unsigned int cpu, const char *namefmt)
{
	char name[TASK_COMM_LEN];
	struct task_struct *p;

	snprintf(name, sizeof(name), namefmt, cpu);
	p = kthread_create_on_node(threadfn, data, NUMA_NO_NODE, "%s", name);
	if (IS_ERR(p))
		return p;
	kthread_bind(p, cpu);
	to_kthread(p)->cpu = cpu;
	return p;
}

/* Only before the first wake_up_process(): the thread sleeps off its CPU. */
void kthread_bind_mask(struct task_struct *k, const struct cpumask *mask)
{
	wait_task_inactive(k, TASK_UNINTERRUPTIBLE);
	WARN_ON(set_cpus_allowed_ptr(k, mask));
	k->flags |= PF_NO_SETAFFINITY;
}

void kthread_bind(struct task_struct *k, unsigned int cpu)
{
	kthread_bind_mask(k, cpumask_of(cpu));
}

/* ---- stopping and parking, from outside ---- */

int kthread_park(struct task_struct *k)
{
	struct kthread *kthread = to_kthread(k);

	if (k->flags & PF_EXITING)
		return -ENOSYS;
	if (WARN_ON(test_bit(KTHREAD_SHOULD_PARK, &kthread->flags)))
		return -EBUSY;
	reinit_completion(&kthread->parked);
	set_bit(KTHREAD_SHOULD_PARK, &kthread->flags);
	if (k != current) {
		wake_up_process(k);
		wait_for_completion(&kthread->parked);
	}
	return 0;
}

void kthread_unpark(struct task_struct *k)
{
	clear_bit(KTHREAD_SHOULD_PARK, &to_kthread(k)->flags);
	wake_up_state(k, TASK_PARKED);
}

int kthread_stop(struct task_struct *k)
{
	struct kthread *kthread = to_kthread(k);
	int ret;

	get_task_struct(k);
	set_bit(KTHREAD_SHOULD_STOP, &kthread->flags);
	kthread_unpark(k);
	wake_up_process(k);
	wait_for_completion(&kthread->exited);
	ret = kthread->result;
	put_task_struct(k);
	return ret;
}
