/*
 * singleton.c: seed 003's double-checked singleton, in the form that is right.
 *
 * What:  many threads ask for one object; it is made once, and nobody sees it half made.  By hand with acquire and
 *        release (what the seed's barrier does), and with weft_once_do, which contains the same.
 * Lesson: "allocate, construct, publish" may be reordered; the publishing store must not pass the construction (release)
 *        and the reader's uses must not pass its load (acquire).  A volatile pointer promises neither.
 * See:   seed 003, GetInstance; weft_once_do(3).
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft/thread.h>

struct thing { int a, b; };
static struct thing *instance, *other;
static weft_mutex m = WEFT_MUTEX_INIT;
static weft_once once = WEFT_ONCE_INIT;
static int made, torn;

static struct thing *construct(void)
{
	struct thing *t = malloc(sizeof *t);

	__atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
	weft_yield();		/* a long constructor: others come meanwhile */
	t->a = t->b = 42;
	return t;
}

static struct thing *get_instance(void)
{
	struct thing *t = __atomic_load_n(&instance, __ATOMIC_ACQUIRE);

	if (!t) {
		weft_mutex_lock(&m);
		t = instance;
		if (!t) {
			t = construct();
			__atomic_store_n(&instance, t, __ATOMIC_RELEASE);
		}
		weft_mutex_unlock(&m);
	}
	return t;
}

static void make_other(void) { other = construct(); }

static void *user(void *a)
{
	struct thing *t = get_instance();

	torn |= t->a != 42 || t->b != 42;
	weft_once_do(&once, make_other);
	torn |= other->a != 42;
	return a;
}

int main(void)
{
	struct weft_config c = { .model = WEFT_M_N };
	weft_t t[100];

	weft_init(&c);
	for (int i = 0; i < 100; i++)
		weft_spawn(&t[i], NULL, user, NULL);
	for (int i = 0; i < 100; i++)
		weft_join(t[i], NULL);
	printf("100 threads, two singletons: %d constructions, %s\n", made, torn ? "one was seen half made" : "never seen half made");
	return made != 2 || torn;
}
