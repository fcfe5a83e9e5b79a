/*
 * coro.c: bare stackful coroutines, the layer below everything and of use without any scheduler.
 *
 * What:  create, resume, yield with one pointer passed each way, done, free.
 * Idea:  a coroutine is one word, the stack pointer of "the other side": resume and yield both exchange it with the
 *        processor's (weft__coro_switch in switch.S, under both names in an ordinary build).  The structure lies at the
 *        top of the coroutine's own stack, so a parked one touches a single page.
 * States: fresh -> running <-> parked -> done.  A resume after the end comes back at once with NULL: the main loop below
 *        yields NULL for ever, so resume needs no check.
 * Cost:  a resume is about 20 instructions.
 * See:   seed 000 section 8 (coroutines); switch.S of each processor; spec.md section 9.
 */
#include "internal.h"
#include "san.h"

struct weft_coro {
	void		*sp;		/* first: the assembly knows */
	weft_coro_fn	fn;
	char		*stack;
	size_t		size, guard;
	int		done;
	int		inside;		/* sanitizer builds and free(): running or has resumed another */
	unsigned int	vg_id;
	void		*fake_in, *fake_out;
	const void	*caller_low;
	size_t		caller_size;
	void		*fiber, *caller_fiber;
};

void *weft__coro_switch(weft_coro *c, void *value);
extern char weft__coro_entry[];
HIDDEN void weft__coro_main(weft_coro *c, void *value) __attribute__((noreturn, used));

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
void *weft_coro_resume(weft_coro *c, void *value)
{
	void *r;

#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(&c->fake_out, c->stack + c->guard, c->size - c->guard);
#else
	c->caller_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(c->fiber, 0);
#endif
	r = weft__coro_switch(c, value);
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(c->fake_out, NULL, NULL);
#endif
	return r;
}

void *weft_coro_yield(weft_coro *c, void *value)
{
	void *r;

#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(&c->fake_in, c->caller_low, c->caller_size);
#else
	__tsan_switch_to_fiber(c->caller_fiber, 0);
#endif
	r = weft__coro_switch(c, value);
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(c->fake_in, &c->caller_low, &c->caller_size);
#endif
	return r;
}
#endif	/* else switch.S defines both names */

void weft__coro_main(weft_coro *c, void *value)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(c->fake_in, &c->caller_low, &c->caller_size);
#endif
	value = c->fn(c, value);
	c->done = 1;
	for (;;) {
		weft_coro_yield(c, value);
		value = NULL;
	}
}

/* The frame that weft__coro_switch pops on the first resume. */
static void prepare(weft_coro *c)
{
	uintptr_t *sp = (uintptr_t *)((uintptr_t)c & ~(uintptr_t)15);

#if defined(__x86_64__)
	*--sp = 0;
	*--sp = 0;
	*--sp = (uintptr_t)weft__coro_entry;
	*--sp = 0;			/* rbp */
	*--sp = (uintptr_t)c;		/* rbx */
	sp -= 4;			/* r12..r15 */
#else
	sp -= 20;
	memset(sp, 0, 160);
	sp[0] = (uintptr_t)c;		/* x19 */
	sp[11] = (uintptr_t)weft__coro_entry;	/* x30 */
#endif
	c->sp = sp;
}

weft_coro *weft_coro_create(weft_coro_fn fn, size_t stack_size)
{
	size_t guard, size = stack_class(stack_size ? stack_size : 65536);
	char *stack = stack_map(size, &guard);
	weft_coro *c;

	if (!stack)
		return NULL;
#if defined(__SANITIZE_ADDRESS__)
	__asan_unpoison_memory_region(stack + guard, size - guard);
#endif
	c = (weft_coro *)((uintptr_t)(stack + size - sizeof *c - ((uintptr_t)stack / size) % 16 * 96) & ~(uintptr_t)63);
	memset(c, 0, sizeof *c);
	c->fn = fn;
	c->stack = stack;
	c->size = size;
	c->guard = guard;
	c->vg_id = VALGRIND_STACK_REGISTER(stack + guard, c);
#if defined(__SANITIZE_THREAD__)
	c->fiber = __tsan_create_fiber(0);
#endif
	prepare(c);
	return c;
}

int weft_coro_done(const weft_coro *c)
{
	return c->done;
}

int weft_coro_free(weft_coro *c)
{
	char *sp = c->sp;

	/* While it runs the word holds its resumer's stack pointer, which is outside its stack. */
	if (sp < c->stack || sp >= c->stack + c->size)
		return EBUSY;
	VALGRIND_STACK_DEREGISTER(c->vg_id);
#if defined(__SANITIZE_THREAD__)
	__tsan_destroy_fiber(c->fiber);
#endif
	stack_unmap(c->stack, c->size);
	return 0;
}
