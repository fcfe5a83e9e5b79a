/*
 * priorities.c: seed 003's priority scheduling, and its starvation, which aging prevents.
 *
 * What:  two urgent threads compute and only yield to each other; an unimportant one wants to run a little all the same.
 *        Prints how many turns each got.
 * Lesson: strict priorities would starve the third for ever; every 64th pick serves the lowest level that waits.
 * See:   seed 003 "thread scheduling and priority"; weft_attr(3).
 */
#include <stdio.h>
#include <weft/thread.h>

static long turns[3];
static int stop;

static void *work(void *a)
{
	while (!stop) {
		turns[(long)a]++;
		weft_yield();
		if (turns[0] + turns[1] + turns[2] > 1000000)
			stop = 1;
	}
	return NULL;
}

int main(void)
{
	struct weft_config c = { .model = WEFT_N_1 };
	weft_attr urgent = { "urgent", 0, 1, 0 }, low = { "unimportant", 0, 7, 0 };
	weft_t t[3];

	weft_init(&c);
	weft_spawn(&t[0], &urgent, work, (void *)0);
	weft_spawn(&t[1], &urgent, work, (void *)1);
	weft_spawn(&t[2], &low, work, (void *)2);
	for (int i = 0; i < 3; i++)
		weft_join(t[i], NULL);
	printf("turns: urgent %ld and %ld, unimportant %ld (never 0)\n", turns[0], turns[1], turns[2]);
	return !(turns[2] > 0 && turns[0] > 10 * turns[2]);
}
