/*
 * mm_life.c: the scenario of seed 004, played to the letter.
 *
 *              CPU 0                                           CPU 1                                   users  count
 *              A1 runs                                         A2, A3 (threads of A) run                 3      1
 *              A1 moves to CPU 1; kernel thread B
 *              runs next and borrows A's mm                    A1, A2, A3 run                            3      2
 *              B runs                                          the three exit; Z, another process, runs  0      1
 *              (areas and user page tables are gone; B still runs on the pgd, or at least holds it)
 *              B sleeps, Z moves here and runs:
 *              the loan is given back                                                                    -      -
 *              (structure and pgd are gone)
 *
 *          Z must run on CPU 1 at the end of A, or that CPU's idle task would borrow the mm as well and count be 2.
 *          Who looks at the counts must not change them: the kernel thread that conducts the test sleeps on CPU 0, and the
 *          players look for themselves, A1 first, then B.
 * See:     mm/mm_init.c, sched/core.c "active_mm"; spec.md §5 "two counts"
 */
#include <weft/completion.h>
#include <weft/mman.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <asm/pgtable.h>
#include "selftest.h"

#define AREA		0x10000000UL
#define AREA_SIZE	(64 * PAGE_SIZE)
#define TOUCHED		16		/* pages of it */

static struct life {
	struct mm_struct	*mm;
	struct task_struct	*z;
	int			running;	/* [a] threads of A that loop on CPU 1 */
	long			mms;		/* mm_structs before A was made */
	bool			leave, z_ends;
	struct completion	b_go, b_done;
} life;

static unsigned int users(void) { return refcount_read(&life.mm->mm_users); }
static unsigned int count(void) { return refcount_read(&life.mm->mm_count); }

/* Does the pgd map nothing of the user half, and the whole kernel's? */
static bool pgd_is_kernels_only(const pgd_t *pgd)
{
	for (int i = 0; i < KERNEL_PGD_BOUNDARY; i++)
		if (pgd_val(pgd[i]))
			return false;
	return !memcmp(pgd + KERNEL_PGD_BOUNDARY, init_mm.pgd + KERNEL_PGD_BOUNDARY,
		       (PTRS_PER_PGD - KERNEL_PGD_BOUNDARY) * sizeof(pgd_t));
}

/* Whether a structure has gone cannot be asked of itself, but of its cache. */
static long nr_mms(void)
{
	return (long)kmem_cache_inuse("mm_struct");
}

static void expect_alive(void)
{
	EXPECT_EQ(users(), 3);
	EXPECT_EQ(life.mm->map_count, 1);
	EXPECT_EQ(get_mm_counter(life.mm, MM_ANONPAGES), TOUCHED);
	EXPECT(mm_pgtables_bytes(life.mm) > 0);
	EXPECT(!pgd_is_kernels_only(life.mm->pgd));
}

static void expect_empty(void)
{
	EXPECT_EQ(users(), 0);
	EXPECT_EQ(count(), 1);
	EXPECT(list_empty(&life.mm->mmap));
	EXPECT(RB_EMPTY_ROOT(&life.mm->mm_rb));
	EXPECT_EQ(get_mm_rss(life.mm), 0);
	EXPECT_EQ(mm_pgtables_bytes(life.mm), 0);
	EXPECT(pgd_is_kernels_only(life.mm->pgd));
	EXPECT_EQ(nr_mms(), life.mms + 1);
}

/* ---- the players ---- */

static void a_thread(void *unused)
{
	selftest_pin(1);
	__atomic_add_fetch(&life.running, 1, __ATOMIC_SEQ_CST);
	while (!READ_ONCE(life.leave))
		yield();
}

static void a_leader(void *unused)
{
	EXPECT_EQ(vm_mmap(NULL, AREA, AREA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0), AREA);
	for (unsigned long addr = AREA; addr < AREA + AREA_SIZE; addr += AREA_SIZE / TOUCHED)
		EXPECT_EQ(put_user(1, (int __user *)addr), 0);
	life.mm = current->mm;
	add_thread(a_thread, NULL);
	add_thread(a_thread, NULL);
	/* A kernel thread may come between them on CPU 1 and borrow for a moment: the count may have to be waited for. */
	EXPECT(SPIN_FOR(READ_ONCE(life.running) == 2 && users() == 3 && count() == 1));
	expect_alive();
	complete(&life.b_go);
	a_thread(NULL);			/* leaves CPU 0 */
}

static void z_main(void *unused)
{
	selftest_pin(1);
	WRITE_ONCE(life.z, current);
	while (!READ_ONCE(life.z_ends))
		yield();
}

/* Woken while A1 ran on its CPU, it comes after A1 with nothing but other kernel threads in between. */
static int b_main(void *unused)
{
	wait_for_completion(&life.b_go);
	EXPECT(SPIN_FOR(READ_ONCE(life.running) == 3 && users() == 3 && count() == 2));
	EXPECT(!current->mm && current->active_mm == life.mm);
	expect_alive();
	EXPECT_EQ(nr_mms(), life.mms + 1);

	WRITE_ONCE(life.leave, true);
	EXPECT(SPIN_FOR(users() == 0 && count() == 1));
	EXPECT(current->active_mm == life.mm);
	expect_empty();
	complete(&life.b_done);
	return 0;
}

SELFTEST(mm_life, seed_004, 2)
{
	struct task_struct *b;
	pid_t a, z;

	memset(&life, 0, sizeof(life));
	init_completion(&life.b_go);
	init_completion(&life.b_done);
	selftest_pin(0);			/* so A begins here too: no other CPU shall have its mm to lend */
	b = kthread_run_on_cpu(b_main, NULL, 0, "selftest_B/%u");
	if (!EXPECT(!IS_ERR(b)))
		goto out;
	z = start_process(z_main, NULL);
	EXPECT_SOON(READ_ONCE(life.z));	/* it ran on both CPUs, so what they may have borrowed before is given back */
	life.mms = nr_mms();
	a = start_process(a_leader, NULL);
	wait_for_completion(&life.b_done);
	reap_process(a);

	/* B has switched away; its loan went to whatever kernel thread came next, and ends when a process takes the CPU. */
	EXPECT_EQ(nr_mms(), life.mms + 1);
	EXPECT_EQ(set_cpus_allowed_ptr(life.z, cpumask_of(0)), 0);
	EXPECT_SOON(nr_mms() == life.mms);
	WRITE_ONCE(life.z_ends, true);
	reap_process(z);
out:
	selftest_unpin();
}
