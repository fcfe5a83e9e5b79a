/*
 * usercopy.c: the named ways to user memory: whole buffers, strings, structures that may grow, and looks that must not
 * sleep.
 *
 * Idea:    each checks the range once, then uses the instructions that may fault (copy_user_64.S, asm/uaccess.h).  Strings
 *          go eight bytes at a time; when such a word faults, single bytes find out whether the string ends before the
 *          bad page.
 * Context: as <weft/uaccess.h> says.
 * See:     spec.md §2 "privilege"
 */
#include <weft/kasan.h>
#include <weft/kernel.h>
#include <weft/uaccess.h>
#include <weft/unaligned.h>
#include <weft/wordpart.h>

unsigned long __copy_from_user_inatomic(void *to, const void __user *from, unsigned long n)
{
	if (!access_ok(from, n))
		return n;
	kasan_check_write(to, n);
	return copy_user_generic(to, (const void __force *)from, n);
}

unsigned long __copy_to_user_inatomic(void __user *to, const void *from, unsigned long n)
{
	if (!access_ok(to, n))
		return n;
	kasan_check_read(from, n);
	return copy_user_generic((void __force *)to, from, n);
}

unsigned long copy_from_user(void *to, const void __user *from, unsigned long n)
{
	unsigned long left;

	might_fault();
	left = __copy_from_user_inatomic(to, from, n);
	/* The caller may go on with what it has: never with old memory of the kernel. */
	if (unlikely(left))
		memset(to + (n - left), 0, left);
	return left;
}

unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)
{
	might_fault();
	return __copy_to_user_inatomic(to, from, n);
}

unsigned long clear_user(void __user *to, unsigned long n)
{
	might_fault();
	return access_ok(to, n) ? clear_user_asm(to, n) : n;
}

/* ---- strings ---- */

/* How many bytes from addr on can belong to user space. */
static unsigned long user_room(unsigned long addr, unsigned long want)
{
	return addr < TASK_SIZE_MAX ? min(want, TASK_SIZE_MAX - addr) : 0;
}

static bool read_user_word(unsigned long *word, unsigned long addr)
{
	unsafe_get_user(*word, (const unsigned long __user *)addr, fault);
	return true;
fault:
	return false;
}

static bool read_user_byte(char *c, unsigned long addr)
{
	unsafe_get_user(*c, (const char __user *)addr, fault);
	return true;
fault:
	return false;
}

/*
 * Both inside stac/clac.  Returns the length, or room when there is no NUL, or -EFAULT.  dst may be NULL; what lies behind
 * the NUL in the last word is copied as well, it is the caller's own memory and within its room.
 */
static long scan_user_string(char *dst, unsigned long src, unsigned long room)
{
	unsigned long done = 0, word;
	char c;

	while (room - done >= sizeof(word) && read_user_word(&word, src + done)) {
		unsigned long mask = has_zero(word);

		if (dst)
			put_unaligned(word, (unsigned long *)(dst + done));
		if (mask)
			return (long)(done + zero_byte_index(mask));
		done += sizeof(word);
	}
	for (; done < room; done++) {
		if (!read_user_byte(&c, src + done))
			return -EFAULT;
		if (dst)
			dst[done] = c;
		if (!c)
			return (long)done;
	}
	return (long)room;
}

long strncpy_from_user(char *dst, const char __user *src, long n)
{
	unsigned long room;
	long len;

	might_fault();
	if (n <= 0)
		return 0;
	kasan_check_write(dst, (size_t)n);
	room = user_room((unsigned long)src, (unsigned long)n);
	if (!room)
		return -EFAULT;
	stac();
	len = scan_user_string(dst, (unsigned long)src, room);
	clac();
	/* The end of the address space came before the caller's limit, and no NUL. */
	return len == (long)room && room < (unsigned long)n ? -EFAULT : len;
}

long strnlen_user(const char __user *s, long n)
{
	unsigned long room;
	long len;

	might_fault();
	if (n <= 0)
		return 0;
	room = user_room((unsigned long)s, (unsigned long)n);
	if (!room)
		return 0;
	stac();
	len = scan_user_string(NULL, (unsigned long)s, room);
	clac();
	if (len < 0 || (len == (long)room && room < (unsigned long)n))
		return 0;
	return len + 1;
}

/* ---- structures that may grow ---- */

int check_zeroed_user(const void __user *from, size_t size)
{
	const char __user *p = from;
	char c;

	if (!access_ok(from, size))
		return -EFAULT;
	for (; size; size--, p++) {
		if (get_user(c, p))
			return -EFAULT;
		if (c)
			return 0;
	}
	return 1;
}

int copy_struct_from_user(void *dst, size_t ksize, const void __user *src, size_t usize)
{
	size_t size = min(ksize, usize);
	int zeroed;

	if (usize > ksize) {
		zeroed = check_zeroed_user(src + size, usize - size);
		if (zeroed <= 0)
			return zeroed ?: -E2BIG;
	}
	memset(dst + size, 0, ksize - size);
	return copy_from_user(dst, src, size) ? -EFAULT : 0;
}

/* ---- never sleep ---- */

long copy_from_user_nofault(void *dst, const void __user *src, size_t size)
{
	unsigned long left;

	pagefault_disable();
	left = __copy_from_user_inatomic(dst, src, size);
	pagefault_enable();
	return left ? -EFAULT : 0;
}

/* Any kernel address, mapped or not, canonical or not. */
long copy_from_kernel_nofault(void *dst, const void *src, size_t size)
{
	unsigned long left;

	if ((unsigned long)src < TASK_SIZE_MAX || (unsigned long)src + size < (unsigned long)src)
		return -EFAULT;
	pagefault_disable();
	left = copy_user_generic(dst, src, size);
	pagefault_enable();
	return left ? -EFAULT : 0;
}
