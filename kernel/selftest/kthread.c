/*
 * kthread.c: making, stopping and parking kernel threads, and the races between these and the thread's own end.
 * See: task/kthread.c; spec.md §4 "kernel threads"
 */
#include <weft/pid_namespace.h>
#include <weft/completion.h>
#include <weft/err.h>
#include <weft/fdtable.h>
#include <weft/pid.h>
#include <weft/signal.h>
#include <weft/string.h>
#include "selftest.h"

#define RACES	100

static int ran;					/* [a] */

static int count_and_return(void *result)
{
	__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
	return (int)(long)result;
}

static int until_stopped(void *unused)
{
	__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 17;
}

SELFTEST(kthread, stop_returns_result, 1)
{
	struct task_struct *k;

	ran = 0;
	k = kthread_run(until_stopped, NULL, "selftest");
	if (!EXPECT(!IS_ERR(k)))
		return;
	EXPECT(k->flags & PF_KTHREAD);
	EXPECT(k->real_parent == kthreadd_task);
	EXPECT(!k->mm);
	EXPECT_SOON(READ_ONCE(ran) == 1);
	EXPECT_EQ(kthread_stop(k), 17);
}

/* Stopped before it was ever woken: its function must not run. */
SELFTEST(kthread, stop_before_run, 1)
{
	struct task_struct *k;

	ran = 0;
	k = kthread_create(until_stopped, NULL, "selftest");
	if (!EXPECT(!IS_ERR(k)))
		return;
	EXPECT_EQ(kthread_stop(k), KTHREAD_STOPPED_UNRUN);
	EXPECT_EQ(ran, 0);
}

/*
 * The thread ends by itself; who stops it holds a reference.
 *
 *      stopper                                 thread
 *      get_task_struct()
 *      should_stop = 1                         returns 23: result, do_exit(), completes "exited"
 *      waits for "exited"                      gone; its task_struct and struct kthread stay for the reference
 *      reads the result
 */
SELFTEST(kthread, stop_of_an_ended_one, 1)
{
	for (int i = 0; i < RACES; i++) {
		struct task_struct *k = kthread_create(count_and_return, (void *)23L, "selftest");
		int result;

		if (!EXPECT(!IS_ERR(k)))
			return;
		get_task_struct(k);
		wake_up_process(k);
		if (i % 3 == 1)
			yield();
		if (i % 3 == 2)
			EXPECT_SOON(READ_ONCE(k->exit_state));
		/* Either it never came to its function, or it returned; there is no third. */
		result = kthread_stop(k);
		EXPECT(result == 23 || result == KTHREAD_STOPPED_UNRUN);
		EXPECT(result == 23 || i % 3 != 2);
		put_task_struct(k);
	}
}

static int parks(void *unused)
{
	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
		cond_resched();
	}
	return 0;
}

/* A parked thread does nothing, and wake-ups that are not meant for it change nothing. */
SELFTEST(kthread, park, 1)
{
	struct task_struct *k;
	int before;

	k = kthread_run(parks, NULL, "selftest");
	if (!EXPECT(!IS_ERR(k)))
		return;
	for (int i = 0; i < RACES; i++) {
		if (!EXPECT_EQ(kthread_park(k), 0))
			break;
		before = READ_ONCE(ran);
		wake_up_process(k);
		if (i % 16 == 0)
			schedule_timeout_uninterruptible(2);
		EXPECT_EQ(READ_ONCE(ran), before);
		kthread_unpark(k);
		EXPECT_SOON(READ_ONCE(ran) != before);
	}
	kthread_park(k);
	EXPECT_EQ(kthread_stop(k), 0);		/* stop takes it out of its parking place */
}

/* Parked before its first run, it stays before its function. */
SELFTEST(kthread, park_before_run, 1)
{
	struct task_struct *k;

	ran = 0;
	k = kthread_create(until_stopped, NULL, "selftest");
	if (!EXPECT(!IS_ERR(k)))
		return;
	EXPECT_EQ(kthread_park(k), 0);
	EXPECT_EQ(READ_ONCE(ran), 0);
	kthread_unpark(k);
	EXPECT_SOON(READ_ONCE(ran) == 1);
	EXPECT_EQ(kthread_stop(k), 17);
}

static int where(void *unused)
{
	int cpu = raw_smp_processor_id();

	WRITE_ONCE(ran, 1);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return cpu == (int)raw_smp_processor_id() ? cpu : -1;
}

SELFTEST(kthread, bound, 2)
{
	int cpu;

	for_each_online_cpu(cpu) {
		struct task_struct *k = kthread_create(where, NULL, "selftest");

		if (!EXPECT(!IS_ERR(k)))
			return;
		WRITE_ONCE(ran, 0);
		kthread_bind(k, cpu);
		wake_up_process(k);
		EXPECT_SOON(READ_ONCE(ran));	/* stopped before its first step it would return -EINTR */
		EXPECT(k->flags & PF_NO_SETAFFINITY);
		EXPECT_EQ(kthread_stop(k), cpu);
	}
}

/* Many askers at once: kthreadd serves them all. */
static int asks(void *unused)
{
	for (int i = 0; i < 10; i++) {
		struct task_struct *k = kthread_run(until_stopped, NULL, "selftest");

		if (IS_ERR(k) || !kthread_stop(k))
			return 1;
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

SELFTEST(kthread, many_askers, 1)
{
	struct task_struct *k[6];

	for (int i = 0; i < 6; i++)
		k[i] = kthread_run(asks, NULL, "selftest%d", i);
	for (int i = 0; i < 6; i++) {
		int result;

		if (!EXPECT(!IS_ERR(k[i])))
			continue;
		result = kthread_stop(k[i]);
		EXPECT(result == 0 || result == KTHREAD_STOPPED_UNRUN);
	}
}

/* ---- the old way ---- */

static struct {
	struct completion	done;
	pid_t			pid;
	struct mm_struct	*maker_mm;
	bool			shared_before, alone_after;
} old_way;

static bool is_gone(pid_t pid)
{
	bool gone;

	rcu_read_lock();
	gone = !find_task_by_pid_ns(pid, &init_pid_ns);
	rcu_read_unlock();
	return gone;
}

static bool in_no_session(void)
{
	bool in_none;

	rcu_read_lock();
	in_none = pid_nr(task_session(current)) == 0 && pid_nr(task_pgrp(current)) == 0;
	rcu_read_unlock();
	return in_none;
}

static int daemon_main(void *unused)
{
	old_way.shared_before = current->mm == old_way.maker_mm && current->real_parent != kthreadd_task;
	EXPECT_EQ(daemonize("old daemon"), 0);
	old_way.alone_after = !current->mm && current->files == init_task.files && current->real_parent == kthreadd_task &&
			      !strcmp(current->comm, "old daemon") && sigismember(&current->blocked, SIGHUP) &&
			      in_no_session();
	complete(&old_way.done);
	do_exit(0);
}

static void daemon_maker(void *unused)
{
	old_way.maker_mm = current->mm;
	old_way.pid = kernel_thread(daemon_main, NULL, CLONE_FS | CLONE_FILES);
	if (EXPECT(old_way.pid > 0))
		wait_for_completion(&old_way.done);
}

/* A process makes a thread with kernel_thread(); after daemonize() they have nothing in common, and kthreadd reaps it. */
SELFTEST(kthread, daemonize, 1)
{
	memset(&old_way, 0, sizeof(old_way));
	init_completion(&old_way.done);
	reap_process(start_process(daemon_maker, NULL));
	EXPECT(old_way.shared_before);
	EXPECT(old_way.alone_after);
	EXPECT_SOON(is_gone(old_way.pid));
}
