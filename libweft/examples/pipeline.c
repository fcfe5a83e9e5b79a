/*
 * pipeline.c: straight-line blocking code: a sieve of coroutines, and a jacketed conversation over a socket.
 *
 * What:  primes below 200 by a chain of coroutines, each filtering one prime's multiples out of the one before; then two
 *        user-level threads on one kernel task talk through a socket pair with calls that would block.
 * Lesson: a coroutine passes control by hand, a thread leaves that to the scheduler, and jacketing (seed 000 section 8.2)
 *        lets both sides of a conversation be written as loops of read and write.
 * See:   weft_coro_create(3), weft_read(3).
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <weft/thread.h>

static void *numbers(weft_coro *self, void *first)
{
	for (long i = (long)first;; i++)
		weft_coro_yield(self, (void *)i);
	return NULL;
}

struct filter { weft_coro *from; long prime; };

static void *filter(weft_coro *self, void *arg)
{
	struct filter f = *(struct filter *)arg;

	weft_coro_yield(self, NULL);
	for (;;) {
		long n = (long)weft_coro_resume(f.from, (void *)2);

		if (n % f.prime)
			weft_coro_yield(self, (void *)n);
	}
	return NULL;
}

static int primes(void)
{
	weft_coro *last = weft_coro_create(numbers, 0);
	int count = 0;
	long p;

	while ((p = (long)weft_coro_resume(last, (void *)2)) < 200) {
		struct filter f = { last, p };

		printf("%ld ", p);
		count++;
		last = weft_coro_create(filter, 0);
		weft_coro_resume(last, &f);
	}
	printf("\n");
	return count;
}

static int pair[2];
static void *answer(void *a)
{
	char b[64];
	ssize_t n;

	while ((n = weft_read(pair[1], b, sizeof b)) > 0) {
		for (int i = 0; i < n; i++)
			b[i] ^= 32;
		weft_write(pair[1], b, n);
	}
	return a;
}

int main(void)
{
	struct weft_config c = { .model = WEFT_N_1 };
	char b[8] = "";
	int n = primes();
	weft_t t;

	weft_init(&c);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	weft_spawn(&t, NULL, answer, NULL);
	weft_write(pair[0], "hello", 5);
	weft_read(pair[0], b, 5);
	shutdown(pair[0], SHUT_RDWR);
	weft_join(t, NULL);
	printf("hello -> %s\n", b);
	return n != 46 || strcmp(b, "HELLO");
}
