/*
 * three_models.c: seed 003's three thread models side by side, in one program that is not changed between them.
 *
 * What:  runs itself once on each model and prints a table: does a blocking system call of one thread stop the others,
 *        how much faster are two computing threads than one, how many threads can wait at once, what costs a switch.
 * Lesson: 1:1 never blocks others and runs in parallel, but threads are few and switches slow; N:1 is the other way round
 *        and stands still in a call that it cannot turn into a non-blocking one; M:N has both advantages.
 * See:   seed 003 "three thread models"; WEFT_MODEL in weft_init(3).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weft/thread.h>

static int ticks, stop, block_ms;
static void *ticker(void *a) { while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) { weft_sleep(WEFT_MS(10)); ticks++; } return a; }
static void *raw_block(void *a) { usleep(block_ms * 1000); __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); return a; }	/* the plain libc call */
static void *jacketed(void *a) { weft_sleep(WEFT_MS(block_ms)); __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); return a; }

static int ticks_once(void *(*blocker)(void *), int ms)
{
	weft_t a, b;

	block_ms = ms;
	ticks = stop = 0;
	weft_spawn(&a, NULL, ticker, NULL);
	weft_yield();
	weft_spawn(&b, NULL, blocker, NULL);
	weft_join(b, NULL);
	weft_join(a, NULL);
	return ticks;
}

/* On a machine so busy that the others cannot show within 150 ms that they go on, they get more time. */
static int ticks_during(void *(*blocker)(void *), int least)
{
	int ms = 150, n;

	while ((n = ticks_once(blocker, ms)) < least && ms < 60000)
		ms *= 4;
	return n;
}

static void *compute(void *a)
{
	unsigned long x = (unsigned long)a + 1;

	for (long i = 0; i < 60000000; i++)
		x = x * 6364136223846793005ul + 1;
	return (void *)(x | 1);
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Processors used at once by two computing threads: processor time over real time, which a busy machine only lowers. */
static double speed_up(void)
{
	weft_time_t t0 = weft_now();
	double c0 = cpu_seconds();
	weft_t a, b;

	weft_spawn(&a, NULL, compute, NULL);
	weft_spawn(&b, NULL, compute, NULL);
	weft_join(a, NULL);
	weft_join(b, NULL);
	return (cpu_seconds() - c0) / ((weft_now() - t0) / 1e9);
}

static weft_sem gate = WEFT_SEM_INIT(0);
static void *waiter(void *a) { weft_sem_wait(&gate); return a; }

static int how_many(int want)
{
	weft_t *t = malloc(want * sizeof *t);
	int n = 0, i;

	while (n < want && weft_spawn(&t[n], NULL, waiter, NULL) == 0)
		n++;
	for (i = 0; i < n; i++)
		weft_sem_post(&gate);
	for (i = 0; i < n; i++)
		weft_join(t[i], NULL);
	free(t);
	return n;
}

static void *yielder(void *a) { for (int i = 0; i < 20000; i++) weft_yield(); return a; }

static double switch_ns(void)
{
	weft_time_t t0 = weft_now();
	weft_t a, b;

	weft_spawn(&a, NULL, yielder, NULL);
	weft_spawn(&b, NULL, yielder, NULL);
	weft_join(a, NULL);
	weft_join(b, NULL);
	return (weft_now() - t0) / 40000.0;
}

/* Exit status: bit 0 set when the model did not behave as the seed says. */
static int one_model(const char *name)
{
	int raw, soft, want = strcmp(name, "1:1") ? 50000 : 2000, many, wrong, alone = !strcmp(name, "N:1");
	double up;

	weft_init(NULL);
	raw = ticks_during(raw_block, alone ? 0 : 3);
	soft = ticks_during(jacketed, 3);
	up = speed_up();
	many = how_many(want);
	printf("%-5s | %9d | %12d | %9.2f | %8d | %8.0f ns\n", name, raw, soft, up, many, switch_ns());
	fflush(stdout);
	wrong = soft < 3 || (alone ? raw > 3 || up > 1.1 : raw < 3);
	return wrong || many < want;
}

int main(int argc, char **argv)
{
	static const char *const model[] = { "1:1", "N:1", "M:N" };
	int i, status, bad = 0;

	if (argc > 1)
		return one_model(argv[1]);
	printf("model | others' ticks during a 150 ms   | speed-up  | threads  | one\n");
	printf("      | raw call  | jacketed one  | of two    | waiting  | switch\n");
	for (i = 0; i < 3; i++) {
		fflush(stdout);
		if (fork() == 0) {
			setenv("WEFT_MODEL", model[i], 1);
			setenv("WEFT_WORKERS", "2", 1);
			execl("/proc/self/exe", argv[0], model[i], (char *)NULL);
			_exit(1);
		}
		wait(&status);
		bad |= !WIFEXITED(status) || WEXITSTATUS(status);
	}
	return bad;
}
