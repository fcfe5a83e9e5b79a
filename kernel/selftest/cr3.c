/*
 * cr3.c: which switches write CR3, counted (spec §5: "process switch loads CR3, thread switch does not").
 *
 * Idea:    two tasks on one processor hand a turn to each other ROUNDS times; the processor's counters say what that cost.
 *          Each case knows how many switches it forces, and others may come between (a softirq thread, a tick's work):
 *          a margin of a quarter is left for them.
 * See:     arch/x86/mm/tlb.c; /proc/weft/tlb
 */
#include <weft/completion.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <asm/cpufeature.h>
#include <asm/tlbflush.h>
#include "selftest.h"

#define ROUNDS	200
#define MARGIN	(ROUNDS / 4)

/* What one processor did; read on it, with preemption off. */
struct tlb_count {
	u64 loads, kept, avoided;
};

static struct ping {
	struct completion	turn[2];
	struct tlb_count	before, after;
	struct completion	end;
} ping;

static struct tlb_count count_now(void)
{
	struct tlb_count c;

	preempt_disable();
	c.loads = this_cpu_read(cpu_tlbstate.cr3_loads);
	c.kept = this_cpu_read(cpu_tlbstate.cr3_kept);
	c.avoided = this_cpu_read(cpu_tlbstate.cr3_avoided);
	preempt_enable();
	return c;
}

/* The first player: it begins each round and does the counting.  Some rounds come first, to fill the ASIDs. */
static void first(void *unused)
{
	for (int i = -4; i < ROUNDS; i++) {
		if (!i)
			ping.before = count_now();
		complete(&ping.turn[1]);
		wait_for_completion(&ping.turn[0]);
	}
	ping.after = count_now();
	complete(&ping.end);
}

static void second(void *unused)
{
	for (int i = -4; i < ROUNDS; i++) {
		wait_for_completion(&ping.turn[1]);
		complete(&ping.turn[0]);
	}
}

static int second_kthread(void *unused)
{
	second(NULL);
	return 0;
}

static void thread_pair(void *unused)
{
	add_thread(second, NULL);
	first(NULL);
}

static void begin(void)
{
	selftest_pin(0);			/* all that is started here stays here */
	memset(&ping, 0, sizeof(ping));
	init_completion(&ping.turn[0]);
	init_completion(&ping.turn[1]);
	init_completion(&ping.end);
}

static u64 loads(void) { return ping.after.loads - ping.before.loads; }
static u64 kept(void) { return ping.after.kept - ping.before.kept; }
static u64 avoided(void) { return ping.after.avoided - ping.before.avoided; }

/* Two processes: two loads a round; with PCID none of them loses a translation. */
SELFTEST(cr3, processes_load, 1)
{
	pid_t a, b;

	begin();
	b = start_process(second, NULL);
	a = start_process(first, NULL);
	wait_for_completion(&ping.end);
	reap_process(a);
	reap_process(b);
	selftest_unpin();
	EXPECT(loads() >= 2 * ROUNDS && loads() <= 2 * ROUNDS + MARGIN);
	EXPECT(!boot_cpu_has(X86_FEATURE_PCID) || kept() >= 2 * ROUNDS - MARGIN);
}

/* Two threads of one process: none. */
SELFTEST(cr3, threads_do_not, 1)
{
	pid_t a;

	begin();
	a = start_process(thread_pair, NULL);
	wait_for_completion(&ping.end);
	reap_process(a);
	selftest_unpin();
	EXPECT(loads() <= MARGIN);
}

/* A process and a kernel thread, which borrows: none, and each return to the process is one that was avoided. */
SELFTEST(cr3, lazy_saves, 1)
{
	struct task_struct *k;
	pid_t a;

	begin();
	k = kthread_run_on_cpu(second_kthread, NULL, 0, "selftest_k/%u");
	if (EXPECT(!IS_ERR(k))) {
		a = start_process(first, NULL);
		wait_for_completion(&ping.end);
		reap_process(a);
		EXPECT(loads() <= MARGIN);
		EXPECT(avoided() >= ROUNDS);
	}
	selftest_unpin();
}
