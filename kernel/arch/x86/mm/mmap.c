/*
 * mmap.c: where the areas of a new program will lie.
 *
 * Idea:    mappings grow down from a point that leaves the stack room to grow to its limit, less a random distance, so that
 *          an attacker cannot know addresses.  Bottom-up from a third of the address space is the old layout: for programs
 *          that ask for it, or whose stack may grow without limit.
 * See:     spec.md §5 "mm_struct"; man 2 personality, ADDR_COMPAT_LAYOUT, ADDR_NO_RANDOMIZE
 */
#include <weft/minmax.h>
#include <weft/mm.h>
#include <weft/personality.h>
#include <weft/random.h>
#include <weft/resource.h>
#include <weft/sched.h>
#include <asm/processor.h>

#define MMAP_RND_BITS		28		/* of the page number */
#define MMAP_RND_BITS_IA32	8
#define STACK_RND_SIZE		(16ul << 30)	/* the most that execve moves the stack's top down */
#define STACK_RND_SIZE_IA32	(8ul << 20)
#define MIN_STACK_ROOM		(128ul << 20)

static bool is_ia32(void)
{
	return test_thread_flag(TIF_ADDR32);
}

static unsigned long mmap_rnd(void)
{
	if (!layout_is_random())
		return 0;
	return (get_random_u64() & ((1ul << (is_ia32() ? MMAP_RND_BITS_IA32 : MMAP_RND_BITS)) - 1)) << PAGE_SHIFT;
}

/* The stack's limit, its random shift and its guard gap fit above the answer. */
static unsigned long mmap_base(unsigned long rnd, const struct rlimit64 *rlim_stack)
{
	unsigned long pad = stack_guard_gap + (layout_is_random() ? (is_ia32() ? STACK_RND_SIZE_IA32 : STACK_RND_SIZE) : 0);
	unsigned long room = rlim_stack->rlim_cur;

	if (room + pad > room)
		room += pad;
	room = clamp(room, MIN_STACK_ROOM, TASK_SIZE / 6 * 5);
	return PAGE_ALIGN(TASK_SIZE - room - rnd);
}

/* Called by execve for the mm that the program will have. */
void arch_pick_mmap_layout(struct mm_struct *mm, const struct rlimit64 *rlim_stack)
{
	unsigned long rnd = mmap_rnd();

	mm->mmap_legacy_base = PAGE_ALIGN(TASK_SIZE / 3) + rnd;
	if ((current->personality & ADDR_COMPAT_LAYOUT) || rlim_stack->rlim_cur == RLIM_INFINITY)
		mm->mmap_base = mm->mmap_legacy_base;
	else
		mm->mmap_base = mmap_base(rnd, rlim_stack);
}
