/*
 * selftest.h: the frame of a self-test.
 *
 * A case is a function: SELFTEST(topic, name, cpus) { ... }.  It states what must hold with EXPECT; the first thing that
 * does not is what the case reports, and the case goes on, so that it can put back what it made.  A case that needs
 * more processors than there are is skipped.
 */
#ifndef KERNEL_SELFTEST_SELFTEST_H
#define KERNEL_SELFTEST_SELFTEST_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/cpumask.h>
#include <weft/jiffies.h>
#include <weft/kthread.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/timer.h>

struct selftest {
	const char	*topic, *name;
	void		(*fn)(void);
	unsigned int	cpus;			/* at least so many */
};

#define SELFTEST(topic_, name_, cpus_)								\
	static void test_##topic_##_##name_(void);						\
	static const struct selftest case_##topic_##_##name_					\
		__attribute__((used, section(".selftests"), aligned(8))) = {			\
		.topic = #topic_, .name = #name_, .fn = test_##topic_##_##name_, .cpus = (cpus_) };	\
	static void test_##topic_##_##name_(void)

/* Each returns whether it held. */
void selftest_fail(const char *file, int line, const char *fmt, ...) __printf(3, 4);
#define EXPECT(c) ({										\
	bool __held = (c);									\
	if (!__held)										\
		selftest_fail(__FILE__, __LINE__, "%s", #c);					\
	__held; })
#define EXPECT_EQ(a, b) ({									\
	long __a = (long)(a), __b = (long)(b);							\
	if (__a != __b)										\
		selftest_fail(__FILE__, __LINE__, "%s is %ld, not %ld", #a, __a, __b);		\
	__a == __b; })

/* Waits until c holds, for at most 20 s: an emulated processor may stand still for long.  Whether it holds. */
#define WAIT_LIMIT	(20 * HZ)
#define WAIT_FOR(c) ({										\
	unsigned long __end = jiffies + WAIT_LIMIT;						\
	while (!(c) && time_before(jiffies, __end))						\
		schedule_timeout_uninterruptible(1);						\
	(c); })
/* The same without sleeping: the caller must stay on its processor. */
#define SPIN_FOR(c) ({										\
	unsigned long __end = jiffies + WAIT_LIMIT;						\
	while (!(c) && time_before(jiffies, __end)) {						\
		cpu_relax();									\
		cond_resched();									\
	}											\
	(c); })
#define EXPECT_SOON(c)	EXPECT(WAIT_FOR(c))

/*
 * A user process as far as the memory and the scheduler can tell: a task with an mm of its own, which runs fn in the
 * kernel and never a program.  A thread of it shares the mm.  Both end by returning; whoever made a process must reap it.
 */
pid_t start_process(void (*fn)(void *), void *arg);
pid_t add_thread(void (*fn)(void *), void *arg);	/* from within a process */
void reap_process(pid_t pid);

/* The caller moves to this CPU and stays; selftest_unpin() lets it go everywhere again. */
void selftest_pin(unsigned int cpu);
void selftest_unpin(void);

#endif
