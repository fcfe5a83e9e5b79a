/*
 * san.h: tells AddressSanitizer, ThreadSanitizer and valgrind about our stacks and switches.
 *
 * What:  san_switch_begin / san_switch_end around each change of stacks, san_thread_init / san_thread_fini around a
 *        thread's life; empty in an ordinary build, except for the valgrind requests, which cost a few idle
 *        instructions when a stack is mapped and nothing at a switch.
 * Idea:  each tool keeps a shadow of "the current stack"; the fiber interfaces exist to move it.
 * Note:  ThreadSanitizer is told that a switch synchronises (flag 0): true for the run-queue lock it passes through.
 * See:   sanitizer/common_interface_defs.h, sanitizer/tsan_interface.h, valgrind manual 3.1.
 */
#ifndef WEFT_SAN_H
#define WEFT_SAN_H
#include "internal.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/asan_interface.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>) && !defined(WEFT_SIM) && !defined(WEFT_NO_VALGRIND)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(a, n)	((void)(a), (void)(n))
#define VALGRIND_STACK_REGISTER(a, b)	0
#define VALGRIND_STACK_DEREGISTER(id)	((void)(id))
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1
#else
#define SANITIZED	0
#endif

static inline __attribute__((always_inline)) void san_switch_begin(struct worker *w, struct weft_thread *from, struct weft_thread *to, int dying)
{
#if defined(__SANITIZE_ADDRESS__)
	void *low = to->stack ? to->stack + to->guard : w->main_stack;
	size_t size = to->stack ? to->stack_size - to->guard : w->main_stack_size;

	if (to == &rt.main) {		/* main runs on the stack of the process, whichever worker switches to it */
		low = rt.worker[0]->main_stack;
		size = rt.worker[0]->main_stack_size;
	}
	__sanitizer_start_switch_fiber(dying ? NULL : &from->fake_stack, low, size);
#endif
#if defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	(void)w, (void)from, (void)to, (void)dying;
}

static inline __attribute__((always_inline)) void san_switch_end(struct weft_thread *self)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(self ? self->fake_stack : NULL, NULL, NULL);
#endif
	(void)self;
}

/* The kernel has written here in its own time, not in a system call that the tool has seen. */
static inline void san_written(const struct iovec *iov, int n, size_t bytes)
{
	int i;

	for (i = 0; i < n && bytes; i++) {
		size_t here = bytes < iov[i].iov_len ? bytes : iov[i].iov_len;

		VALGRIND_MAKE_MEM_DEFINED(iov[i].iov_base, here);
		bytes -= here;
	}
}

static inline void san_thread_init(struct weft_thread *t)
{
#if defined(__SANITIZE_ADDRESS__)
	t->fake_stack = NULL;
	__asan_unpoison_memory_region(t->stack + t->guard, (char *)t > t->stack && (char *)t < t->stack + t->stack_size ?
				      (size_t)((char *)t - t->stack) - t->guard : t->stack_size - t->guard);
#endif
#if defined(__SANITIZE_THREAD__)
	t->fiber = __tsan_create_fiber(0);
#endif
	(void)t;
}

static inline void san_thread_fini(struct weft_thread *t)
{
#if defined(__SANITIZE_THREAD__)
	if (rt.model != WEFT_1_1)	/* there the fiber is the kernel thread's own */
		__tsan_destroy_fiber(t->fiber);
	t->fiber = NULL;
#endif
	(void)t;
}

static inline void san_adopt(struct weft_thread *t)
{
#if defined(__SANITIZE_THREAD__)
	t->fiber = __tsan_get_current_fiber();
#endif
	(void)t;
}
#endif
