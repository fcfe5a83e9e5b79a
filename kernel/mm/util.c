/*
 * util.c: small helpers on top of the allocators: copies of strings and memory, and memory of any size.
 *
 * Rules:   what comes back is the caller's to kfree(), or kvfree() for the kv and vmem forms.
 * Context: gfp says whether it may sleep; everything that reads user memory may sleep.
 * See:     include/weft/slab.h, string.h
 */
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/vmalloc.h>
#include <asm/sections.h>

/* ---- copies of kernel memory ---- */

void *kmemdup(const void *src, size_t len, gfp_t gfp)
{
	void *p = kmalloc(len, gfp);

	return p ? memcpy(p, src, len) : NULL;
}

char *kmemdup_nul(const char *s, size_t len, gfp_t gfp)
{
	char *p = s ? kmalloc(len + 1, gfp) : NULL;

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *kstrdup(const char *s, gfp_t gfp)
{
	return s ? kmemdup_nul(s, strlen(s), gfp) : NULL;
}

char *kstrndup(const char *s, size_t max, gfp_t gfp)
{
	return s ? kmemdup_nul(s, strnlen(s, max), gfp) : NULL;
}

/* A string constant of the kernel lives for ever and need not be copied. */
static bool is_constant(const void *p)
{
	return (const char *)p >= __start_rodata && (const char *)p < __end_rodata;
}

const char *kstrdup_const(const char *s, gfp_t gfp)
{
	return is_constant(s) ? s : kstrdup(s, gfp);
}

void kfree_const(const void *p)
{
	if (!is_constant(p))
		kfree(p);
}

/* ---- copies of user memory ---- */

static void *copy_in(void *p, const void __user *src, size_t len)
{
	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(p, src, len)) {
		kvfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

/* len is the user's choice as a rule: a size that cannot be had is no reason for a message. */
void *memdup_user(const void __user *src, size_t len)
{
	return copy_in(kmalloc(len, GFP_USER | __GFP_NOWARN), src, len);
}

void *vmemdup_user(const void __user *src, size_t len)
{
	return copy_in(kvmalloc(len, GFP_USER), src, len);
}

void *memdup_user_nul(const void __user *src, size_t len)
{
	char *p = len < KMALLOC_MAX_SIZE ? kmalloc(len + 1, GFP_USER | __GFP_NOWARN) : NULL;

	p = copy_in(p, src, len);
	if (!IS_ERR(p))
		p[len] = '\0';
	return p;
}

/* The string may change while it is copied, so its end is set here. */
char *strndup_user(const char __user *s, long n)
{
	long length = strnlen_user(s, n);
	char *p;

	if (!length)
		return ERR_PTR(-EFAULT);
	if (length > n)
		return ERR_PTR(-EINVAL);
	p = memdup_user(s, (size_t)length);
	if (!IS_ERR(p))
		p[length - 1] = '\0';
	return p;
}

/* ---- memory of any size ---- */

/* A large size is only tried as pages in one piece where that costs nobody anything. */
void *kvmalloc_node(size_t size, gfp_t gfp, int node)
{
	gfp_t kmalloc_gfp = gfp;
	void *p;

	if (size > PAGE_SIZE) {
		kmalloc_gfp |= __GFP_NOWARN;
		if (!(gfp & __GFP_RETRY_MAYFAIL))
			kmalloc_gfp |= __GFP_NORETRY;
		kmalloc_gfp &= ~__GFP_NOFAIL;
	}
	p = size <= KMALLOC_MAX_SIZE ? kmalloc(size, kmalloc_gfp) : NULL;
	if (p || size <= PAGE_SIZE || size > INT_MAX || !gfpflags_allow_blocking(gfp))
		return p;
	return __vmalloc(size, gfp);
}

void kvfree(const void *p)
{
	if (is_vmalloc_addr(p))
		vfree(p);
	else
		kfree(p);
}
