/*
 * borrowed_mm: a task without an address space runs on somebody else's, and the structure outlives its owner for it.
 *
 * Seeds:  004, the scenario: "process A has 3 threads: mm_users 3, mm_count 1; a kernel thread B borrows A's mm: mm_count 2; on
 *         another core A exits: mm_users 0, mm_count 1, and the kernel does not destroy the mm_struct; only at mm_count 0".
 *         002: mmput() and mmdrop().  000 §9.3.12: active_mm.
 * Expect: on Weft, with two processors.  Process A, three threads, all on the second one.  While a thread of A computes there:
 *         mm_users 3, mm_count 1.  While all of them sleep, the idle task of that processor goes on with A's page tables: mm_count
 *         2.  Then A's sleeping threads are moved to the first processor and killed there: the trace shows mm_users reach 0 with
 *         mm_count still above 0, and mm_count reach 0 on the second processor, when a task with an mm of its own comes there.
 *         Linux has no file that shows the two counts: skipped.
 * A strange program that runs on the second processor at the wrong moment ends the loan: then everything is tried again.
 */
#include "lesson.h"

#define THREADS		3
#define TRACE		"/proc/weft/trace/"
#define EVENTS		"mm_put mm_grab mm_drop"
#define NO_EVENTS	"!mm_put !mm_grab !mm_drop"

enum mode { COMPUTE, NAP, PARK };

struct process_a {
	volatile enum mode	mode;
	volatile int		started;
	volatile bool		parked;
	volatile pid_t		tid[THREADS];
};

static struct process_a *a;			/* shared with A */

/* ---- process A ---- */

static void *sleeper(void *arg)
{
	a->tid[(long)arg] = tid_now();
	__atomic_add_fetch(&a->started, 1, __ATOMIC_SEQ_CST);
	while (!pause() || errno == EINTR)
		;
	return arg;
}

static pid_t start_a(int cpu)
{
	pid_t pid;
	pthread_t t;

	memset(a, 0, sizeof(*a));
	pid = child();
	if (pid)
		return pid;
	pin(0, cpu);
	a->tid[0] = getpid();
	for (long i = 1; i < THREADS; i++)
		pok(pthread_create(&t, NULL, sleeper, (void *)i));
	while (a->started < THREADS - 1)
		sleep_ms(1);
	a->started = THREADS;
	while (a->mode != PARK)
		if (a->mode == NAP)
			sleep_ms(2);		/* comes back often: so it was A who ran last */
	a->parked = true;
	for (;;)
		pause();
}

/* ---- what /proc/PID/mm says ---- */

struct counts { long users, count; };

static struct counts counts(pid_t pid, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mm", pid);
	must(slurp(path, text, size), "%s cannot be read", path);
	return (struct counts){ field(text, "mm_users"), field(text, "mm_count") };
}

/* Looks until both counts are these. */
static bool see(pid_t pid, const char *when, long users, long count)
{
	double start = clock_s(CLOCK_MONOTONIC);
	char text[4096];
	struct counts c;

	do {
		c = counts(pid, text, sizeof(text));
		if (c.users == users && c.count == count)
			break;
		sleep_ms(1);
	} while (clock_s(CLOCK_MONOTONIC) - start < 20);
	printf("%s mm_users %ld, mm_count %ld\n", when, c.users, c.count);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, "pgd:", 4) || !strncmp(line, "active_mm", 9) || !strncmp(line, "cpus:", 5))
			printf("    %s\n", line);
	return c.users == users && c.count == count;
}

/* ---- the trace of the two counts ---- */

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static bool is_of_a(int pid)
{
	for (int i = 0; i < THREADS; i++)
		if (a->tid[i] == pid)
			return true;
	return false;
}

/*
 * Reads "PID [CPU] flags time: mm_put: mm=M users=U count=C" lines.  From the mm_put of one of A's threads that takes mm_users to
 * 0 on, prints all that happens to that mm.  True: mm_count was above 0 then and came to 0 on the borrower's processor.
 */
static bool outlived(FILE *f, int borrower_cpu)
{
	unsigned long long mm, its_mm = 0;
	bool above_zero = false, gone_there = false;
	char line[512], event[32];
	int pid, cpu;
	unsigned users, count;

	while (fgets(line, sizeof(line), f)) {
		char *e = strstr(line, ": mm_");

		if (!e || sscanf(line, "%d [%d]", &pid, &cpu) != 2 ||
		    sscanf(e, ": %31[a-z_]: mm=%llx users=%u count=%u", event, &mm, &users, &count) != 4)
			continue;
		if (!its_mm && is_of_a(pid) && !strcmp(event, "mm_put") && users == 0)
			its_mm = mm;
		if (mm != its_mm || !its_mm)
			continue;
		printf("    CPU %d, pid %d (%s): %s: mm_users %u, mm_count %u\n", cpu, pid,
		       is_of_a(pid) ? "A" : pid == getpid() ? "this program" : "another task", event, users, count);
		above_zero |= users == 0 && count > 0;
		if (!strcmp(event, "mm_drop") && count == 0) {
			gone_there = cpu == borrower_cpu;
			break;				/* the same memory may be another mm soon */
		}
	}
	return above_zero && gone_there;
}

/* ---- the scenario ---- */

static bool play(int cpu0, int cpu1)
{
	char text[4096], path[64];
	siginfo_t info;
	bool seen;
	FILE *f;
	pid_t pid;

	pin(0, cpu0);
	pid = start_a(cpu1);
	while (a->started < THREADS)
		sleep_ms(1);
	seen = see(pid, "a thread of A computes on the second processor:", THREADS, 1);
	a->mode = NAP;
	seen = see(pid, "all of A sleeps, the idle task has borrowed:   ", THREADS, 2) && seen;
	a->mode = PARK;
	while (!a->parked)
		sleep_ms(1);
	sleep_ms(20);
	put_text(TRACE "trace", "\n");
	for (int i = 0; i < THREADS; i++)
		pin(a->tid[i], cpu0);
	kill(pid, SIGKILL);
	ok(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/mm", pid);
	if (slurp(path, text, sizeof(text)))
		printf("A was killed on the first processor; its /proc/PID/mm: %.*s\n", (int)strcspn(text, "\n"), text);
	reap(pid);
	sleep_ms(5);
	pin(0, cpu1);				/* now somebody with an mm of his own comes to the borrower's processor */
	sleep_ms(5);

	f = fopen(TRACE "trace", "re");
	if (!f)
		return false;
	printf("from mm_users 0 on:\n");
	seen = outlived(f, cpu1) && seen;
	fclose(f);
	return seen;
}

int main(void)
{
	double start = clock_s(CLOCK_MONOTONIC);
	char text[4096];
	bool seen;

	if (slurp("/proc/2/status", text, sizeof(text)) && strstr(text, "kthreadd") && !strstr(text, "VmSize"))
		printf("kthreadd (pid 2) has no address space: its status has no Vm lines\n");
	if (!slurp("/proc/self/mm", text, sizeof(text)) || field(text, "mm_users") < 0)
		skip("this kernel does not show mm_users and mm_count (Weft does, in /proc/PID/mm)");
	if (cpus() < 2)
		skip("needs two processors: one on which A dies, one that still borrows");
	if (!put_text(TRACE "events", EVENTS) || !slurp(TRACE "tracing_on", text, sizeof(text)) ||
	    !put_text(TRACE "tracing_on", "1"))
		skip("no " TRACE ": how the structure ends cannot be seen");
	a = shared(PAGE);
	nth_cpu(1);
	do
		seen = play(nth_cpu(0), nth_cpu(1));
	while (!seen && patience(start));
	put_text(TRACE "tracing_on", text);
	put_text(TRACE "events", NO_EVENTS);
	must(seen, "the counts were not as in the scenario");
	shown();
}
