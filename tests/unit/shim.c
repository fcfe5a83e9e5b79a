/*
 * shim.c: what kernel/lib needs of the rest of the kernel, for one thread on the host; and the runner.
 *
 * Idea:    memory comes from malloc, so the address sanitizer sees every object; allocations can be made to fail after a
 *          number of them (unit_alloc_budget).  call_rcu() really puts off: a reader that holds on to something for too
 *          long is found when unit_grace_period() frees it.
 */
#include <weft/gfp.h>
#include <weft/kallsyms.h>
#include <weft/mm.h>
#include <weft/preempt.h>
#include <weft/rcu.h>
#include <weft/slab.h>
#include <weft/spinlock.h>
#include <weft/uaccess.h>
#include <asm/cpufeature.h>
#include "unit.h"

u32 boot_cpuid_words[NCPUID_WORDS];	/* a processor that can do nothing, unless a test says otherwise */

struct kmem_cache { unsigned int size; };

int unit_alloc_budget = -1;
static long live_objects;
static struct rcu_head *rcu_list;

/* ---- memory ---- */

static void *allocate(size_t size, gfp_t gfp)
{
	void *p;

	if (!unit_alloc_budget)
		return NULL;
	if (unit_alloc_budget > 0)
		unit_alloc_budget--;
	p = host_alloc(size);
	live_objects++;
	memset(p, gfp & __GFP_ZERO ? 0 : 0xa5, size);
	return p;
}

struct kmem_cache *kmalloc_caches[KMALLOC_NR_CLASSES];

static void __attribute__((constructor)) make_kmalloc_caches(void)
{
	static const unsigned int sizes[KMALLOC_NR_CLASSES] = { 8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192 };
	static struct kmem_cache caches[KMALLOC_NR_CLASSES];

	for (int i = 0; i < KMALLOC_NR_CLASSES; i++) {
		caches[i].size = sizes[i];
		kmalloc_caches[i] = &caches[i];
	}
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *))
{
	static struct kmem_cache caches[8];
	static int used;

	caches[used].size = size;
	return &caches[used++];
}

void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp) { return allocate(s->size, gfp); }
void *__kmalloc(size_t size, gfp_t gfp) { return allocate(size, gfp); }
void *kvmalloc_node(size_t size, gfp_t gfp, int node) { return allocate(size, gfp); }

void kfree(const void *p)
{
	if (p)
		live_objects--;
	host_free((void *)p);
}
void kvfree(const void *p) { kfree(p); }
void kmem_cache_free(struct kmem_cache *s, void *p) { kfree(p); }

void *kmemdup(const void *src, size_t len, gfp_t gfp)
{
	void *p = allocate(len, gfp);

	return p ? memcpy(p, src, len) : NULL;
}

/* ---- one thread: nothing to lock out, but the locks must be free when they are taken ---- */

int __preempt_count;
unsigned long __per_cpu_offset[1];
unsigned long this_cpu_off;
struct task_struct *current_task;
struct thread_info unit_thread_info;
void preempt_schedule(void) { }
void __local_bh_enable_ip(unsigned long ip, unsigned int cnt) { __preempt_count -= (int)cnt; }

void spin_lock_slow(spinlock_t *lock)
{
	host_print("a lock was taken twice\n");
	host_abort();
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	head->func = func;
	head->next = rcu_list;
	rcu_list = head;
}

void unit_grace_period(void)
{
	while (rcu_list) {
		struct rcu_head *head = rcu_list;

		rcu_list = head->next;
		head->func(head);
	}
}

/* ---- user memory: the same memory; addresses below 4096 are bad ---- */

static bool bad(const void *p) { return (unsigned long)p < 4096; }

unsigned long copy_from_user(void *to, const void __user *from, unsigned long n)
{
	if (bad(from))
		return n;
	memcpy(to, from, n);
	return 0;
}
unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)
{
	if (bad(to))
		return n;
	memcpy(to, from, n);
	return 0;
}
unsigned long __copy_from_user_inatomic(void *to, const void __user *from, unsigned long n) { return copy_from_user(to, from, n); }
unsigned long __copy_to_user_inatomic(void __user *to, const void *from, unsigned long n) { return copy_to_user(to, from, n); }
unsigned long clear_user(void __user *to, unsigned long n)
{
	if (bad(to))
		return n;
	memset(to, 0, n);
	return 0;
}
size_t fault_in_readable(const char __user *p, size_t n) { return bad(p) ? n : 0; }
size_t fault_in_writeable(char __user *p, size_t n) { return bad(p) ? n : 0; }

/* ---- messages ---- */

int printk(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	host_print(text);
	return 0;
}
void __bug(const char *file, int line)
{
	printk("BUG at %s:%d\n", file, line);
	host_abort();
}
void __warn_at(const char *file, int line) { unit_failed(file, line, "WARN_ON"); }
void __warn_fmt(const char *file, int line, const char *fmt, ...) { unit_failed(file, line, fmt); }

int sprint_symbol(char *buf, unsigned long addr) { return sprintf(buf, "symbol_%lx+0x1/0x2", addr); }
const char *kallsyms_lookup(unsigned long addr, unsigned long *size, unsigned long *offset, char *buf) { return NULL; }

/* ---- the runner ---- */

static struct unit_test *tests;
static bool failed_now;
static u64 random_state;

u64 unit_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

void unit_register(struct unit_test *test)
{
	struct unit_test **link = &tests;

	while (*link && strcmp((*link)->name, test->name) < 0)
		link = &(*link)->next;
	test->next = *link;
	*link = test;
}

void unit_failed(const char *file, int line, const char *what)
{
	printk("%s:%d: %s\n", file, line, what);
	failed_now = true;
}

int unit_run_all(int *passed);
int unit_run_all(int *passed)
{
	int failed = 0;

	*passed = 0;
	for (struct unit_test *t = tests; t; t = t->next) {
		long before = live_objects;

		failed_now = false;
		random_state = 88172645463325252ull;
		unit_alloc_budget = -1;
		t->run();
		unit_grace_period();
		if (live_objects != before)
			unit_failed(t->name, 0, "memory was left allocated");
		if (__preempt_count)
			unit_failed(t->name, 0, "preemption is off");
		if (failed_now)
			printk("FAILED: %s\n", t->name);
		failed += failed_now;
		*passed += !failed_now;
	}
	return failed;
}
