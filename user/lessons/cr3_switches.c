/*
 * cr3_switches: a switch of processes loads CR3, a switch of threads does not.
 *
 * Seeds:  000 §2.1: "when a core is switched to a thread of another process, CR3 must be loaded with that process's page tables";
 *         §9.1: threads share one page table.  001: after a kernel thread, the same program goes on and nothing is loaded (lazy TLB).
 * Expect: on Weft, one processor, counted by the kernel in /proc/weft/tlb.  A ball is thrown 1000 times to and fro: between two
 *         threads CR3 is hardly ever loaded, 2000 loads are avoided; between two processes it is loaded 2000 times.  A program
 *         that sleeps 50 times, and comes back after the idle task, loads nothing either: idle has borrowed its page tables.
 *         Linux does not count this where a program could read it: skipped.
 */
#include "lesson.h"

#define THROWS	1000
#define NAPS	50
#define TLB	"/proc/weft/tlb"

struct cr3 { long loads, avoided; };

static int to_other[2], to_main[2];

/* Of one processor, since boot. */
static struct cr3 cr3(int cpu)
{
	char text[16384], *p;
	struct cr3 c;
	int n;

	must(slurp(TLB, text, sizeof(text)), TLB " cannot be read");
	p = strstr(text, "cpu cr3_loads cr3_avoided ");
	must(p, TLB " has no columns 'cpu cr3_loads cr3_avoided'");
	while ((p = strchr(p, '\n')) && sscanf(++p, "%d %ld %ld", &n, &c.loads, &c.avoided) == 3)
		if (n == cpu)
			return c;
	not_shown(TLB " has no line for CPU %d", cpu);
}

static struct cr3 since(int cpu, struct cr3 then)
{
	struct cr3 now = cr3(cpu);

	return (struct cr3){ now.loads - then.loads, now.avoided - then.avoided };
}

static void *other_player(void *arg)
{
	char ball;

	for (int i = 0; i < THROWS; i++)
		if (read(to_other[0], &ball, 1) != 1 || write(to_main[1], &ball, 1) != 1)
			_exit(1);
	return arg;
}

static struct cr3 match(int cpu)
{
	struct cr3 then = cr3(cpu);
	char ball = 'o';

	for (int i = 0; i < THROWS; i++)
		must(write(to_other[1], &ball, 1) == 1 && read(to_main[0], &ball, 1) == 1, "the ball is lost");
	return since(cpu, then);
}

static struct cr3 two_threads(int cpu)
{
	struct cr3 c;
	pthread_t t;

	pok(pthread_create(&t, NULL, other_player, NULL));
	c = match(cpu);
	pok(pthread_join(t, NULL));
	return c;
}

static struct cr3 two_processes(int cpu)
{
	pid_t pid = child();
	struct cr3 c;

	if (!pid) {
		other_player(NULL);
		_exit(0);
	}
	c = match(cpu);
	must(reap(pid) == 0, "the other player failed");
	return c;
}

static struct cr3 naps(int cpu)
{
	struct cr3 then = cr3(cpu);

	for (int i = 0; i < NAPS; i++)
		sleep_ms(2);
	return since(cpu, then);
}

int main(void)
{
	double start = clock_s(CLOCK_MONOTONIC);
	struct cr3 t, p, n;
	int cpu;

	if (access(TLB, R_OK))
		skip("this kernel does not count CR3 loads for us (Weft does, in " TLB ")");
	cpu = nth_cpu(cpus() - 1);		/* where the least else runs */
	pin(0, cpu);				/* threads and children inherit it */
	ok(pipe(to_other));
	ok(pipe(to_main));
	do {
		t = two_threads(cpu);
		p = two_processes(cpu);
		n = naps(cpu);
		printf("%d throws between two threads:   CR3 loaded %ld times, %ld loads avoided\n", THROWS, t.loads, t.avoided);
		printf("%d throws between two processes: CR3 loaded %ld times, %ld loads avoided\n", THROWS, p.loads, p.avoided);
		printf("%d naps, idle in between:          CR3 loaded %ld times, %ld loads avoided\n", NAPS, n.loads, n.avoided);
		if (t.loads < THROWS / 5 && t.avoided >= 2 * THROWS * 9 / 10 && p.loads >= 2 * THROWS * 9 / 10 &&
		    n.loads < NAPS / 5 && n.avoided >= NAPS * 9 / 10)
			shown();
	} while (patience(start));
	not_shown("the counts are not as expected");
}
