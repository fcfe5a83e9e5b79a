/*
 * fork.c: the memory of a task: task_struct, signal_struct, sighand_struct; and what it gives back.
 *
 * What:    caches and limits (fork_init), making the raw copy of a task (dup_task_struct), its end (__put_task_struct), and
 *          mm_release(): what a task does with its address space for the last time, at exit or execve.
 * States:  task_struct: made here with rcu_users 2 and usage 1
 *            rcu_users: one until release_task() (the pid tables and the family may find it), one until the last switch
 *            away from it (finish_task_switch() is the last to use the stack).  At 0, after a grace period, usage drops.
 *            usage: who keeps the structure by get_task_struct().  At 0 it is freed with its stack.
 * Locking: nr_threads: tasklist_lock.
 * See:     spec.md §3; kstack.c has the stack, copy.c makes the new task out of this, exit.c ends it; doc/tasks.md
 */
#include <weft/cgroup.h>
#include <weft/kernel.h>
#include <weft/cred.h>
#include <weft/futex.h>
#include <weft/init.h>
#include <weft/kthread.h>
#include <weft/mempolicy.h>
#include <weft/mm.h>
#include <weft/oom.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/signalfd.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/tty.h>
#include <weft/uaccess.h>
#include <weft/vmstat.h>
#include "internal.h"

#define MAX_THREADS	(PID_MAX_LIMIT - RESERVED_PIDS)
#define MIN_THREADS	20

int nr_threads;
int max_threads;
unsigned long total_forks;
DEFINE_PER_CPU(unsigned long, process_counts);

static struct kmem_cache *task_struct_cachep;
struct kmem_cache *sighand_cachep, *signal_cachep;

/* ---- making a task ---- */

/* The low end of a stack that nobody runs on yet. */
static void setup_thread_info(struct task_struct *p, unsigned long flags)
{
	struct thread_info *ti = task_thread_info(p);

	ti->task = p;
	ti->flags = flags;
	ti->status = 0;
	ti->cpu = (u32)raw_smp_processor_id();
	ti->canary = STACK_END_MAGIC;
}

/* ---- task_struct ---- */

/* What a child must not have from its parent although the structure was copied. */
static void clear_inherited(struct task_struct *p)
{
	refcount_set(&p->usage, 1);
	refcount_set(&p->rcu_users, 2);
	p->on_cpu = p->on_rq = 0;
	p->wake_next = NULL;
	p->splice_pipe = NULL;
	p->kthread_data = NULL;
	p->worker = NULL;
	p->task_works = NULL;
	p->journal_info = NULL;
	p->plug = NULL;
	p->reclaim_state = NULL;
	p->pi_state_cache = NULL;
	p->nameidata = NULL;
	p->last_siginfo = NULL;
	p->vfork_done = NULL;
	p->memalloc_flags = p->fault_disabled = 0;
	p->trace_recursion = 0;
	p->in_execve = p->in_iowait = 0;
	lockdep_init_task(p);
}

/* A copy of orig with a stack of its own and references to nothing yet.  NULL when out of memory.  May sleep. */
struct task_struct *dup_task_struct(struct task_struct *orig)
{
	struct task_struct *p = kmem_cache_alloc(task_struct_cachep, GFP_KERNEL);
	void *stack;

	if (!p)
		return NULL;
	stack = alloc_thread_stack();
	if (!stack)
		goto free_task;
	if (arch_dup_task_struct(p, orig))
		goto free_stack;
	p->stack = stack;
	setup_thread_info(p, read_thread_flags() & (_TIF_SYSCALL_TRACEPOINT | (1UL << TIF_ADDR32) | (1UL << TIF_NOTSC)));
	mpol_get(p->mempolicy);
	clear_inherited(p);
	return p;

free_stack:
	free_thread_stack(stack);
free_task:
	kmem_cache_free(task_struct_cachep, p);
	return NULL;
}

/* Of a task that was never made visible, or the end of __put_task_struct(). */
void free_task(struct task_struct *tsk)
{
	if (tsk->kthread_data)
		free_kthread_struct(tsk);
	cgroup_free(tsk);
	mpol_put(tsk->mempolicy);
	arch_release_task_struct(tsk);
	free_thread_stack(tsk->stack);
	kmem_cache_free(task_struct_cachep, tsk);
}

void __put_task_struct(struct task_struct *tsk)
{
	WARN_ON(!tsk->exit_state);
	WARN_ON(tsk == current);
	kfree(tsk->pi_state_cache);
	exit_creds(tsk);
	put_signal_struct(tsk->signal);
	free_task(tsk);
}

static void delayed_put_task_struct(struct rcu_head *rhp)
{
	put_task_struct(container_of(rhp, struct task_struct, rcu));
}

void put_task_struct_rcu_user(struct task_struct *t)
{
	if (refcount_dec_and_test(&t->rcu_users))
		call_rcu(&t->rcu, delayed_put_task_struct);
}

/* ---- signal_struct, sighand_struct ---- */

void put_signal_struct(struct signal_struct *sig)
{
	if (!refcount_dec_and_test(&sig->sigcnt))
		return;
	/* The OOM killer keeps the victim's mm here so that it can still be looked at. */
	if (sig->oom_mm)
		mmdrop(sig->oom_mm);
	kmem_cache_free(signal_cachep, sig);
}

static void sighand_ctor(void *data)
{
	struct sighand_struct *sighand = data;

	spin_lock_init(&sighand->siglock);
	init_waitqueue_head(&sighand->signalfd_wqh);
}

struct sighand_struct *alloc_sighand(void)
{
	struct sighand_struct *sighand = kmem_cache_alloc(sighand_cachep, GFP_KERNEL);

	if (sighand)
		refcount_set(&sighand->count, 1);
	return sighand;
}

void __cleanup_sighand(struct sighand_struct *sighand)
{
	if (!refcount_dec_and_test(&sighand->count))
		return;
	signalfd_cleanup(sighand);
	/* Typesafe by RCU: lock_task_sighand() may be spinning on its lock and will notice. */
	kmem_cache_free(sighand_cachep, sighand);
}

/* ---- the last use of an address space ---- */

static void complete_vfork_done(struct task_struct *tsk)
{
	struct completion *vfork;

	task_lock(tsk);
	vfork = tsk->vfork_done;
	if (vfork) {
		tsk->vfork_done = NULL;
		complete(vfork);
	}
	task_unlock(tsk);
}

/*
 * tsk is done with mm: its last word in that memory is the 0 that pthread_join() waits for (CLONE_CHILD_CLEARTID), and a
 * vfork() parent may go on.
 */
void mm_release(struct task_struct *tsk, struct mm_struct *mm)
{
	if (tsk->clear_child_tid) {
		/* Nobody else sees this memory if we are the last: then spare the fault. */
		if (mm && refcount_read(&mm->mm_users) > 1 && !put_user(0, tsk->clear_child_tid))
			do_futex((u32 __user *)tsk->clear_child_tid, FUTEX_WAKE, 1, NULL, NULL, 0, 0);
		tsk->clear_child_tid = NULL;
	}
	complete_vfork_done(tsk);
}

void exit_mm_release(struct task_struct *tsk, struct mm_struct *mm)
{
	futex_exit_release(tsk);
	mm_release(tsk, mm);
}

void exec_mm_release(struct task_struct *tsk, struct mm_struct *mm)
{
	futex_exec_release(tsk);
	mm_release(tsk, mm);
}

/* ---- names ---- */

void __set_task_comm(struct task_struct *tsk, const char *buf, bool exec)
{
	task_lock(tsk);
	strscpy_pad(tsk->comm, buf, sizeof(tsk->comm));
	task_unlock(tsk);
}

char *get_task_comm(char *buf, struct task_struct *tsk)
{
	task_lock(tsk);
	strscpy_pad(buf, tsk->comm, TASK_COMM_LEN);
	task_unlock(tsk);
	return buf;
}

/* ---- start-up ---- */

void __init proc_caches_init(void)
{
	sighand_cachep = kmem_cache_create("sighand_cache", sizeof(struct sighand_struct), 0,
					   SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_TYPESAFE_BY_RCU, sighand_ctor);
	signal_cachep = kmem_cache_create("signal_cache", sizeof(struct signal_struct), 0,
					  SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
	mm_cache_init();
}

/* At most an eighth of memory may be kernel stacks; the half of that number is what one user may have. */
void __init fork_init(void)
{
	unsigned long threads = totalram_pages() / (8 * THREAD_SIZE / PAGE_SIZE);
	struct rlimit64 *rlim = init_task.signal->rlim;

	task_struct_cachep = kmem_cache_create("task_struct", sizeof(struct task_struct), L1_CACHE_BYTES,
					       SLAB_PANIC, NULL);
	arch_task_cache_init();
	max_threads = (int)clamp_t(unsigned long, threads, MIN_THREADS, MAX_THREADS);
	rlim[RLIMIT_NPROC].rlim_cur = rlim[RLIMIT_NPROC].rlim_max = max_threads / 2;
	rlim[RLIMIT_SIGPENDING] = rlim[RLIMIT_NPROC];
	setup_thread_info(&init_task, read_thread_flags());
}
