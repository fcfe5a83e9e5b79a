/*
 * preemptive_cooperative: who is forced off the processor, and who must give it up himself.
 *
 * Seeds:  003 "preemptive and non-preemptive threads": a preemptive system takes the processor away when the time slice is used
 *         up; otherwise a thread must say that it gives up, "the time of a switch is certain", and "if it always refuses,
 *         the others can never run".  003 "do not let the CPU doze": one endless loop stopped the whole time-sharing system.
 * Expect: on one processor.  (1) Preemptive: two processes that never give up both get on.  (2) Cooperative, two threads of a
 *         user-level library (ucontext): while A refuses, B does nothing; when both yield, the order is exactly ABABAB...
 *         (3) The same in the kernel, with two equal SCHED_FIFO tasks, which only sched_yield() interleaves.
 */
#include "hogs.h"
#include <ucontext.h>

#define STEPS 6

/* ---- 1: preemptive ---- */

static void preemptive(int cpu)
{
	struct hog *h = shared(2 * sizeof(*h));
	double start = clock_s(CLOCK_MONOTONIC);
	struct switches a, b;

	start_hog(&h[0], cpu, 0);
	start_hog(&h[1], cpu, 0);
	do {
		sleep_ms(20);
		a = switches(h[0].pid);
		b = switches(h[1].pid);
	} while ((!h[0].work || !h[1].work || a.forced < 5 || b.forced < 5) && patience(start));
	printf("preemptive:  two endless loops did %ld and %ld steps; driven off the processor %ld and %ld times\n",
	       h[0].work, h[1].work, a.forced, b.forced);
	end_hogs(h, 2);
	must(h[0].work && h[1].work && a.forced >= 5 && b.forced >= 5, "an endless loop was not preempted");
}

/* ---- 2: cooperative, in user space ---- */

static ucontext_t back_to_main, context[2];
static char log_of_steps[2 * STEPS + 1];
static long b_ran_meanwhile;
static bool refuse;

static void step(int who)
{
	size_t n = strlen(log_of_steps);

	log_of_steps[n] = 'A' + who;
	if (!refuse)
		swapcontext(&context[who], &context[!who]);	/* give up, to the other */
}

static void user_thread(int who)
{
	for (int i = 0; i < STEPS; i++)
		step(who);
	if (refuse && !who) {			/* A goes on and on: is anything of B to be seen? */
		double start = clock_s(CLOCK_THREAD_CPUTIME_ID);

		while (clock_s(CLOCK_THREAD_CPUTIME_ID) - start < 0.1)
			;
		b_ran_meanwhile = strchr(log_of_steps, 'B') ? 1 : 0;
	}
	swapcontext(&context[who], who ? &back_to_main : &context[1]);
}

static void prepare(int who)
{
	static char stack[2][65536];

	ok(getcontext(&context[who]));
	context[who].uc_stack.ss_sp = stack[who];
	context[who].uc_stack.ss_size = sizeof(stack[who]);
	context[who].uc_link = &back_to_main;
	makecontext(&context[who], (void (*)(void))user_thread, 1, who);
}

static const char *run_user_threads(bool refusing)
{
	refuse = refusing;
	memset(log_of_steps, 0, sizeof(log_of_steps));
	prepare(0);
	prepare(1);
	ok(swapcontext(&back_to_main, &context[0]));
	return log_of_steps;
}

static void cooperative(void)
{
	const char *steps = run_user_threads(true);

	printf("cooperative: A refuses to yield:  %s (100 ms of computing, and B did %s)\n", steps,
	       b_ran_meanwhile ? "something" : "nothing");
	must(!strcmp(steps, "AAAAAABBBBBB") && !b_ran_meanwhile, "B ran although A did not yield");
	steps = run_user_threads(false);
	printf("cooperative: both always yield:   %s\n", steps);
	must(!strcmp(steps, "ABABABABABAB"), "the order is not certain");
}

/* ---- 3: SCHED_FIFO: no slices among equals ---- */

struct board { volatile int n; volatile char steps[64]; };

static pid_t start_fifo(struct board *b, int cpu, char name, int gate, int ready, bool yields)
{
	pid_t pid = child();
	char c;

	if (pid)
		return pid;
	pin(0, cpu);
	if (!set_fifo(0, 20) || write(ready, "r", 1) != 1 || read(gate, &c, 1) != 1)
		_exit(1);
	for (int i = 0; i < STEPS; i++) {
		for (volatile int k = 0; k < 200000; k++)
			;
		b->steps[b->n++] = name;	/* nobody runs at the same time: no lock */
		if (yields)
			sched_yield();
	}
	_exit(0);
}

static bool fifo(int cpu, bool yields, const char *one, const char *other)
{
	struct board *b = shared(sizeof(*b));
	int gate[2][2], ready[2];
	pid_t pid[2];
	char c;

	pin(0, cpu);
	if (!set_fifo(0, 30)) {			/* so that both are let go before either runs */
		printf("SCHED_FIFO:  not permitted here\n");
		return true;
	}
	ok(pipe(ready));
	for (int i = 0; i < 2; i++) {
		ok(pipe(gate[i]));
		pid[i] = start_fifo(b, cpu, 'A' + i, gate[i][0], ready[1], yields);
	}
	for (int i = 0; i < 2; i++)
		must(read(ready[0], &c, 1) == 1, "a SCHED_FIFO task did not start");
	for (int i = 0; i < 2; i++)
		must(write(gate[i][1], "g", 1) == 1, "a gate is broken");
	for (int i = 0; i < 2; i++)
		must(reap(pid[i]) == 0, "a SCHED_FIFO task failed");
	ok(set_fifo(0, 0) ? 0 : -1);
	printf("SCHED_FIFO:  %s %s\n", yields ? "both call sched_yield():   " : "neither yields:            ",
	       (const char *)b->steps);
	return !strcmp((const char *)b->steps, one) || !strcmp((const char *)b->steps, other);
}

int main(void)
{
	int cpu = nth_cpu(0);

	preemptive(cpu);
	cooperative();
	must(fifo(cpu, false, "AAAAAABBBBBB", "BBBBBBAAAAAA"), "equal SCHED_FIFO tasks were interleaved without a yield");
	must(fifo(cpu, true, "ABABABABABAB", "BABABABABABA"), "sched_yield() did not pass the processor on");
	shown();
}
