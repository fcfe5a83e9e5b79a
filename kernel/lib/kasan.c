/*
 * kasan.c: the address checker of debug builds: use after free and out of bounds, found at the access.
 *
 * What:    the functions that gcc calls before each load and store (-fsanitize=kernel-address), and the poison that
 *          allocators set and take away.
 * Idea:    one shadow byte for eight bytes of physical memory: 0 all may be touched, 1-7 only the first so many, above 0x80
 *          none, the value says why.  The shadow is one array indexed by physical address / 8, so the direct map and the
 *          kernel image, which is the same memory, share it.  Other addresses (vmalloc, vmemmap, user) are not
 *          checked here: page faults catch what is wrong there.
 * Locking: none: a shadow byte belongs to whoever owns the memory it describes.
 * See:     include/weft/kasan.h
 */
#ifdef CONFIG_DEBUG
#include <weft/kasan.h>
#include <weft/memblock.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/bug.h>
#include <asm/page.h>
#include <asm/sections.h>

#define GRANULE_SHIFT	3
#define GRANULE		(1UL << GRANULE_SHIFT)

static u8 *shadow;			/* [I] after kasan_init(); NULL: nothing is checked */
static unsigned long shadow_end;	/* [I] physical address behind the last one with a shadow */
static int kasan_depth_percpu[NR_CPUS];	/* [c] > 0: this CPU looks at poison on purpose */
static int reports;

#define MAX_REPORTS	16

/* Compiled without checks, so plain loops: memset() of the kernel would be checked if it were C. */
static __always_inline __no_sanitize u8 *shadow_of(unsigned long addr)
{
	unsigned long phys;

	if (addr - PAGE_OFFSET < shadow_end)
		phys = addr - PAGE_OFFSET;
	else if (addr >= __START_KERNEL_map && addr < (unsigned long)_end)	/* behind it: the local APIC */
		phys = addr - __START_KERNEL_map;
	else
		return NULL;
	return shadow ? shadow + (phys >> GRANULE_SHIFT) : NULL;
}

void __init kasan_init(void)
{
	unsigned long end = memblock_end_of_DRAM();
	u8 *s = memblock_alloc(end >> GRANULE_SHIFT, PAGE_SIZE);

	if (!s) {
		printk(KERN_WARNING "kasan: no memory for the shadow; not checking\n");
		return;
	}
	shadow_end = end;
	WRITE_ONCE(shadow, s);
}

void __no_sanitize kasan_poison(const void *addr, size_t size, u8 value)
{
	u8 *s = shadow_of((unsigned long)addr);

	if (s)
		__builtin_memset(s, value, (size + GRANULE - 1) >> GRANULE_SHIFT);
}

void __no_sanitize kasan_unpoison(const void *addr, size_t size)
{
	u8 *s = shadow_of((unsigned long)addr);

	if (!s)
		return;
	__builtin_memset(s, 0, size >> GRANULE_SHIFT);
	if (size & (GRANULE - 1))
		s[size >> GRANULE_SHIFT] = size & (GRANULE - 1);
}

void kasan_disable_current(void)
{
	preempt_disable();
	kasan_depth_percpu[raw_smp_processor_id()]++;
}

void kasan_enable_current(void)
{
	kasan_depth_percpu[raw_smp_processor_id()]--;
	preempt_enable_no_resched();
}

static const char *poison_name(u8 value)
{
	switch (value) {
	case KASAN_PAGE_FREE:		return "a free page";
	case KASAN_PAGE_REDZONE:	return "behind the end of a large object";
	case KASAN_SLAB_REDZONE:	return "behind the end of an object";
	case KASAN_SLAB_FREE:		return "a freed object";
	case KASAN_VMALLOC_INVALID:	return "vmalloc memory that is not mapped";
	default:			return value < GRANULE ? "behind the end of an object" : "forbidden memory";
	}
}

static void __no_sanitize report(unsigned long addr, size_t size, bool write, unsigned long ip, u8 value)
{
	u8 *s = shadow_of(addr & ~63UL);

	if (kasan_depth_percpu[raw_smp_processor_id()] || __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED) >= MAX_REPORTS)
		return;
	kasan_disable_current();
	printk(KERN_ERR "======= kasan: %s of %zu bytes at %px by %pS: %s (task %s/%d)\n", write ? "write" : "read", size,
	       (void *)addr, (void *)ip, poison_name(value), current->comm, current->pid);
	printk(KERN_ERR "shadow from %px: %*ph\n", (void *)(addr & ~63UL), 16, s);
	kasan_describe_slab(addr);
	WARN(1, "kasan report above\n");
	kasan_enable_current();
}

/* Is any of the bytes forbidden?  Returns its shadow value or 0. */
static __always_inline __no_sanitize u8 forbidden(unsigned long addr, size_t size)
{
	const u8 *s = shadow_of(addr), *last = shadow_of(addr + size - 1);

	if (!s || !last)
		return 0;
	for (; s < last; s++)
		if (unlikely(*s))
			return *s;
	if (likely(!*last) || (*last < GRANULE && ((addr + size - 1) & (GRANULE - 1)) < *last))
		return 0;
	return *last;
}

static __always_inline __no_sanitize void check(unsigned long addr, size_t size, bool write, unsigned long ip)
{
	u8 bad;

	if (unlikely(!shadow || !size))
		return;
	bad = forbidden(addr, size);
	if (unlikely(bad))
		report(addr, size, write, ip, bad);
}

void __no_sanitize kasan_check_range(const void *addr, size_t size, bool write, unsigned long ip)
{
	check((unsigned long)addr, size, write, ip);
}

bool __no_sanitize kasan_byte_accessible(const void *addr)
{
	return !shadow || !forbidden((unsigned long)addr, 1);
}

/* ---- what gcc calls ---- */
#define DEFINE_ASAN(size)							\
void __asan_load##size##_noabort(unsigned long addr);				\
void __no_sanitize __asan_load##size##_noabort(unsigned long addr)		\
{										\
	check(addr, size, false, _RET_IP_);					\
}										\
void __asan_store##size##_noabort(unsigned long addr);				\
void __no_sanitize __asan_store##size##_noabort(unsigned long addr)		\
{										\
	check(addr, size, true, _RET_IP_);					\
}
DEFINE_ASAN(1)
DEFINE_ASAN(2)
DEFINE_ASAN(4)
DEFINE_ASAN(8)
DEFINE_ASAN(16)

void __asan_loadN_noabort(unsigned long addr, size_t size);
void __no_sanitize __asan_loadN_noabort(unsigned long addr, size_t size)
{
	check(addr, size, false, _RET_IP_);
}

void __asan_storeN_noabort(unsigned long addr, size_t size);
void __no_sanitize __asan_storeN_noabort(unsigned long addr, size_t size)
{
	check(addr, size, true, _RET_IP_);
}

void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}
#endif
