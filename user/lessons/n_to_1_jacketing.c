/*
 * n_to_1_jacketing: many user threads on one kernel task stop together when one blocks; a jacket around the call cures it.
 *
 * Seeds:  000 §8.2: "one user-level thread that blocks blocks the whole process"; the cure: "turn the blocking system call into a
 *         non-blocking one ... check whether the device is busy; if so, block the thread in user mode and pass control to
 *         another".  003 "the N:1 model": "if one user thread blocks, none can run".
 * Expect: three user threads (ucontext): one reads from a pipe, two count.  Bare read(): between the call and its return the others
 *         count 0; the kernel shows one task, asleep.  With the jacket: the writer sends only after it has seen them count 1000 and
 *         more while the reader waits, and the read returns all the same.
 * The writer is a process of its own; it acts on what it sees, not on time.
 */
#include "lesson.h"
#include <poll.h>
#include <ucontext.h>

#define THREADS	3
#define ENOUGH	1000

struct board { volatile long counted; volatile bool waiting; volatile bool slept; };

static ucontext_t main_context, context[THREADS];
static int running, pipe_fd;
static bool finished;
static pid_t kernel_tasks[THREADS];
static struct board *board;			/* shared with the writer */
static long counted_before, counted_after;

/* ---- a user-level thread library ---- */

static void yield(void)
{
	int self = running;

	running = (running + 1) % THREADS;
	swapcontext(&context[self], &context[running]);
}

/* The jacket: as read(), but while there is nothing to read the other threads go on. */
static ssize_t jacketed_read(int fd, void *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, 0) == 0)
		yield();
	return read(fd, buf, size);
}

/* ---- the threads ---- */

static void reader(int jacket)
{
	ssize_t n;
	char c;

	kernel_tasks[0] = tid_now();
	for (int i = 0; i < 3; i++)
		yield();			/* the others have begun */
	counted_before = board->counted;
	board->waiting = true;
	n = (jacket ? jacketed_read : read)(pipe_fd, &c, 1);
	counted_after = board->counted;
	must(n == 1 && c == '!', "read returned %zd", n);
	finished = true;
	for (;;)
		yield();
}

static void counter(int who)
{
	kernel_tasks[who] = tid_now();
	while (!finished) {
		board->counted++;
		yield();
	}
	swapcontext(&context[who], &main_context);
}

static void prepare(int who, void (*fn)(int), int arg)
{
	static char stack[THREADS][65536];

	ok(getcontext(&context[who]));
	context[who].uc_stack.ss_sp = stack[who];
	context[who].uc_stack.ss_size = sizeof(stack[who]);
	context[who].uc_link = &main_context;
	makecontext(&context[who], (void (*)(void))fn, 1, arg);
}

/* ---- the writer, in another process ---- */

static bool is_asleep(pid_t pid)
{
	char path[64], text[4096], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return slurp(path, text, sizeof(text)) && (p = strrchr(text, ')')) && p[2] == 'S';
}

static void writer(int fd, pid_t pid, bool jacket)
{
	while (!board->waiting)
		sleep_ms(1);
	if (jacket) {
		long then = board->counted;

		while (board->counted < then + ENOUGH)
			sleep_ms(1);
	} else {
		/* Asleep and counting nothing, ten looks long. */
		for (int looks = 0; looks < 10; ) {
			long then = board->counted;

			sleep_ms(3);
			looks = is_asleep(pid) && board->counted == then ? looks + 1 : 0;
		}
		board->slept = true;
	}
	_exit(write(fd, "!", 1) == 1 ? 0 : 1);
}

/* How many times the others counted while the reader waited. */
static long run(bool jacket)
{
	pid_t self = getpid(), pid;
	int p[2];

	ok(pipe(p));
	pipe_fd = p[0];
	memset(board, 0, sizeof(*board));
	pid = child();
	if (!pid)
		writer(p[1], self, jacket);
	finished = false;
	running = 0;
	prepare(0, reader, jacket);
	for (int i = 1; i < THREADS; i++)
		prepare(i, counter, i);
	ok(swapcontext(&main_context, &context[0]));
	must(reap(pid) == 0, "the writer failed");
	for (int i = 0; i < THREADS; i++)
		must(kernel_tasks[i] == getpid(), "a user thread ran on another kernel task");
	return counted_after - counted_before;
}

int main(void)
{
	long n;

	board = shared(PAGE);
	n = run(false);
	printf("%d user threads on one kernel task (%d).  One calls read(): the task sleeps%s, and while it does\n"
	       "the others count %ld\n", THREADS, getpid(), board->slept ? ", as /proc shows" : "", n);
	must(board->slept && n == 0, "the others went on while the task was blocked");
	n = run(true);
	printf("The same with a jacket around read(): while it waits the others count %ld\n", n);
	must(n >= ENOUGH, "the others did not go on");
	shown();
}
