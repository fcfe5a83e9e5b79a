/*
 * selftest.c: runs the kernel's tests of itself and prints a line for each.
 *
 * What:    boot parameter "selftest" runs all cases, "selftest=mm_life,rcu" those of these topics, "selftest=rcu.barrier"
 *          one.  "ok selftest/TOPIC.NAME", "not ok selftest/TOPIC.NAME: where: what", "skip selftest/TOPIC.NAME: why".
 * Idea:    some things cannot be seen from a program: who holds an mm, in which order callbacks run, what a queue does when no
 *          worker can be made.  They are tested here, by code that forces the interleaving with completions, pins tasks to
 *          processors and then looks at the structures.
 *          Always compiled (some 20 KiB): the release kernel's timing is another than the debug kernel's, and races
 *          must be looked for in both.
 * Context: pid 1, a kernel thread still, everything is up and no user program has run: no borrowed mm but ours.
 * See:     tests/run.py; spec.md §4, §5, §8
 */
#include <weft/completion.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/printk.h>
#include <weft/selftest.h>
#include <weft/signal.h>
#include <weft/stdarg.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <asm/mmu_context.h>
#include "selftest.h"

extern const struct selftest __selftests_start[], __selftests_end[];

static const char *wanted;			/* NULL: none, "": all */
static int failed;				/* [a] things that did not hold in the running case */
static char why[200];				/* the first of them */

static int __init want_selftests(char *rest)
{
	if (*rest && *rest != '=')
		return 0;
	wanted = *rest ? rest + 1 : "";
	return 1;
}
__setup("selftest", want_selftests);

/* Is "topic" or "topic.name" in the list? */
static bool is_wanted(const struct selftest *t)
{
	size_t topic = strlen(t->topic), name = strlen(t->name);

	if (!*wanted)
		return true;
	for (const char *w = wanted; *w;) {
		size_t len = strcspn(w, ",");

		if (len == topic && !strncmp(w, t->topic, topic))
			return true;
		if (len == topic + 1 + name && !strncmp(w, t->topic, topic) && w[topic] == '.' &&
		    !strncmp(w + topic + 1, t->name, name))
			return true;
		w += len;
		w += *w == ',';
	}
	return false;
}

void selftest_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list args;
	int n;

	if (__atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED))
		return;				/* what follows from the first is of less interest */
	n = scnprintf(why, sizeof(why), "%s:%d: ", base ? base + 1 : file, line);
	va_start(args, fmt);
	vsnprintf(why + n, sizeof(why) - n, fmt, args);
	va_end(args);
}

void run_selftests(void)
{
	if (!wanted)
		return;
	for (const struct selftest *t = __selftests_start; t < __selftests_end; t++) {
		if (!is_wanted(t))
			continue;
		if (num_online_cpus() < t->cpus) {
			printk(KERN_NOTICE "skip selftest/%s.%s: needs %u processors\n", t->topic, t->name, t->cpus);
			continue;
		}
		failed = 0;
		t->fn();
		if (failed)
			printk(KERN_NOTICE "not ok selftest/%s.%s: %s (%d in all)\n", t->topic, t->name, why, failed);
		else
			printk(KERN_NOTICE "ok selftest/%s.%s\n", t->topic, t->name);
	}
}

/* ---- processors ---- */

void selftest_pin(unsigned int cpu)
{
	EXPECT_EQ(set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
}

void selftest_unpin(void)
{
	EXPECT_EQ(set_cpus_allowed_ptr(current, cpu_possible_mask), 0);
}

/* ---- processes without a program ---- */

struct process_start {
	void		(*fn)(void *);
	void		*arg;
	bool		new_mm;
	int		err;
	struct completion started;		/* err is set, and nobody needs this structure any more */
};

/* What exec_mmap() does for execve(): this task runs on mm from now on and gives back what it had borrowed. */
static void adopt_mm(struct mm_struct *mm)
{
	struct mm_struct *borrowed;

	task_lock(current);
	local_irq_disable();
	borrowed = current->active_mm;
	current->active_mm = current->mm = mm;
	activate_mm(borrowed, mm);
	local_irq_enable();
	task_unlock(current);
	mmdrop(borrowed);
}

/* The first function of each task made here.  What it must not do is return: there is no program to go to. */
static int process_main(void *data)
{
	struct process_start *start = data;
	void (*fn)(void *) = start->fn;
	void *arg = start->arg;

	if (start->new_mm) {
		struct mm_struct *mm = mm_alloc();

		start->err = mm ? 0 : -ENOMEM;
		if (mm)
			adopt_mm(mm);
	}
	if (start->err)
		fn = NULL;
	complete(&start->started);
	if (fn)
		fn(arg);
	do_exit(0);
}

static pid_t start_task(void (*fn)(void *), void *arg, bool new_mm, u64 flags, int exit_signal)
{
	struct process_start start = { .fn = fn, .arg = arg, .new_mm = new_mm };
	struct kernel_clone_args args = {
		.flags = flags, .exit_signal = exit_signal, .kthread = 1, .fn = process_main, .fn_arg = &start,
	};
	pid_t pid;

	init_completion(&start.started);
	pid = kernel_clone(&args);
	if (pid > 0)
		wait_for_completion(&start.started);
	if (start.err)
		selftest_fail(__FILE__, __LINE__, "no memory for a process");
	EXPECT(pid > 0);
	return pid;
}

pid_t start_process(void (*fn)(void *), void *arg)
{
	return start_task(fn, arg, true, CLONE_FS | CLONE_FILES, SIGCHLD);
}

pid_t add_thread(void (*fn)(void *), void *arg)
{
	return start_task(fn, arg, false, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0);
}

void reap_process(pid_t pid)
{
	EXPECT_EQ(sys_wait4(pid, NULL, 0, NULL), pid);
}
