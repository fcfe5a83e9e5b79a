/*
 * kthread.h: kernel threads: made by kthreadd, stopped and parked by whoever made them.
 *
 * Life:    kthread_create() queues a request and kthreadd (pid 2) forks the thread, which sleeps until
 *          wake_up_process().  The function runs until it returns; it should look at kthread_should_stop() in its loop.
 *          kthread_stop() may be called at any time by someone who holds a reference to the task, even after the
 *          function has returned: struct kthread lives as long as the task_struct.
 * See:     spec.md §4; kernel/task/kthread.c
 */
#ifndef WEFT_KTHREAD_H
#define WEFT_KTHREAD_H

#include <weft/types.h>
#include <weft/err.h>
#include <weft/sched.h>

#define NUMA_NO_NODE	(-1)
#define KTHREAD_STOPPED_UNRUN (-EINTR)

extern struct task_struct *kthreadd_task;
int kthreadd(void *unused);

/* May sleep; ERR_PTR(-ENOMEM), ERR_PTR(-EINTR) when the caller is being killed.  The thread does not run yet. */
struct task_struct *kthread_create_on_node(int (*threadfn)(void *data), void *data, int node,
					   const char *namefmt, ...) __printf(4, 5);
#define kthread_create(threadfn, data, namefmt, arg...) \
	kthread_create_on_node(threadfn, data, NUMA_NO_NODE, namefmt, ##arg)
/* ... bound to cpu; "%u" in namefmt stands for its number. */
struct task_struct *kthread_create_on_cpu(int (*threadfn)(void *data), void *data, unsigned int cpu, const char *namefmt);
#define kthread_run(threadfn, data, namefmt, ...)					\
({											\
	struct task_struct *__k = kthread_create(threadfn, data, namefmt, ##__VA_ARGS__); \
	if (!IS_ERR(__k))								\
		wake_up_process(__k);							\
	__k;										\
})
#define kthread_run_on_cpu(threadfn, data, cpu, namefmt)				\
({											\
	struct task_struct *__k = kthread_create_on_cpu(threadfn, data, cpu, namefmt);	\
	if (!IS_ERR(__k))								\
		wake_up_process(__k);							\
	__k;										\
})

/* Only before the first wake_up_process(). */
void kthread_bind(struct task_struct *k, unsigned int cpu);
void kthread_bind_mask(struct task_struct *k, const struct cpumask *mask);

/* Sets should-stop, wakes it, waits for its end and returns what its function returned, or -EINTR if it never ran. */
int kthread_stop(struct task_struct *k);
bool kthread_should_stop(void);
bool __kthread_should_stop(struct task_struct *k);
/* The thread goes to sleep in kthread_parkme() until unparked.  0 or -ENOSYS when it has ended. */
int kthread_park(struct task_struct *k);
void kthread_unpark(struct task_struct *k);
void kthread_parkme(void);
bool kthread_should_park(void);

void *kthread_data(struct task_struct *k);	/* the data that was given at creation */
void kthread_exit(long result) __noreturn;	/* instead of returning from the function */

/* For fork.c */
bool set_kthread_struct(struct task_struct *p);
void free_kthread_struct(struct task_struct *k);

/*
 * daemonize.c: the old way, for a thread that a process made by kernel_thread().  It drops all that it shares with the process
 * and becomes a child of kthreadd.  0 or -ENOMEM, then nothing is changed.  New code calls kthread_create().
 */
int daemonize(const char *name);

#endif
