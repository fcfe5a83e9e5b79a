/*
 * iov_iter.c: copying to and from a stream of memory pieces.
 *
 * What:    see include/weft/uio.h.
 * Idea:    step() calls a function with each contiguous piece in turn and advances by what the function did; all copies
 *          are step() with another function.  A function returns the bytes that it could NOT do, as copy_to_user() does,
 *          and a piece that was not done whole ends the walk.
 * Context: copies to user memory may sleep unless page faults are disabled.
 * Cost:    one indirect-free switch a piece; a single user buffer, the usual case, costs nothing but the copy.
 */
#include <weft/uio.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>

/* ---- the walk ---- */

/* The bytes from the current position to the end of the current piece, cut to n; *base is where they are. */
static size_t piece(const struct iov_iter *i, size_t n, char **base)
{
	size_t left;

	switch (i->iter_type) {
	case ITER_UBUF:
		*base = (char *)i->ubuf + i->iov_offset;
		return n;
	case ITER_IOVEC:
		*base = (char *)i->iov->iov_base + i->iov_offset;
		left = i->iov->iov_len - i->iov_offset;
		break;
	case ITER_KVEC:
		*base = (char *)i->kvec->iov_base + i->iov_offset;
		left = i->kvec->iov_len - i->iov_offset;
		break;
	default:
		*base = NULL;
		return n;
	}
	return min(n, left);
}

/* Forward by n bytes that lie in the current piece; from its end to the start of the next that is not empty. */
static void advance_in_piece(struct iov_iter *i, size_t n)
{
	i->iov_offset += n;
	i->count -= n;
	if (i->iter_type != ITER_IOVEC && i->iter_type != ITER_KVEC)
		return;
	/* struct iovec and struct kvec have the same layout */
	while (i->nr_segs && i->iov_offset == i->iov->iov_len) {
		if (i->nr_segs == 1 && !i->count)
			return;			/* stay in the last one: revert starts from here */
		i->iov++;
		i->nr_segs--;
		i->iov_offset = 0;
	}
}
static_assert(sizeof(struct iovec) == sizeof(struct kvec));
static_assert(offsetof(struct iovec, iov_len) == offsetof(struct kvec, iov_len));

/* What to do with a piece: mem is user memory if the iterator is.  Returns the bytes not done. */
typedef size_t (*step_fn)(const struct iov_iter *i, char *mem, size_t len, char *priv);

/* Runs fn over the next `bytes`; priv moves on with the position if it is not NULL.  Returns the bytes done. */
static __always_inline size_t step(struct iov_iter *i, size_t bytes, char *priv, step_fn fn)
{
	size_t done = 0;

	bytes = min(bytes, i->count);
	if (likely(i->iter_type == ITER_UBUF)) {	/* a single buffer is one piece: nothing to walk */
		done = bytes - fn(i, (char *)i->ubuf + i->iov_offset, bytes, priv);
		i->iov_offset += done;
		i->count -= done;
		return done;
	}
	while (done < bytes) {
		char *mem;
		size_t n, part;

		advance_in_piece(i, 0);
		n = piece(i, bytes - done, &mem);
		part = n - fn(i, mem, n, priv ? priv + done : NULL);
		advance_in_piece(i, part);
		done += part;
		if (part < n)
			break;
	}
	return done;
}

static __always_inline size_t step_to(const struct iov_iter *i, char *mem, size_t len, char *from)
{
	if (user_backed_iter(i))
		return i->nofault ? __copy_to_user_inatomic(mem, from, len) : copy_to_user(mem, from, len);
	if (i->iter_type == ITER_KVEC)
		memcpy(mem, from, len);
	return 0;
}

static __always_inline size_t step_from(const struct iov_iter *i, char *mem, size_t len, char *to)
{
	if (user_backed_iter(i))
		return i->nofault ? __copy_from_user_inatomic(to, mem, len) : copy_from_user(to, mem, len);
	if (i->iter_type == ITER_KVEC)
		memcpy(to, mem, len);
	return 0;
}

static __always_inline size_t step_from_atomic(const struct iov_iter *i, char *mem, size_t len, char *to)
{
	if (user_backed_iter(i))
		return access_ok(mem, len) ? __copy_from_user_inatomic(to, mem, len) : len;
	if (i->iter_type == ITER_KVEC)
		memcpy(to, mem, len);
	return 0;
}

static __always_inline size_t step_zero(const struct iov_iter *i, char *mem, size_t len, char *unused)
{
	if (user_backed_iter(i))
		return clear_user(mem, len);
	if (i->iter_type == ITER_KVEC)
		memset(mem, 0, len);
	return 0;
}

static __always_inline size_t step_nothing(const struct iov_iter *i, char *mem, size_t len, char *unused)
{
	return 0;
}

/* ---- copies ---- */

size_t copy_to_iter(const void *addr, size_t bytes, struct iov_iter *i)
{
	if (WARN_ON_ONCE(i->data_source))
		return 0;
	return step(i, bytes, (char *)addr, step_to);
}

size_t copy_from_iter(void *addr, size_t bytes, struct iov_iter *i)
{
	if (WARN_ON_ONCE(!i->data_source))
		return 0;
	return step(i, bytes, addr, step_from);
}

bool copy_to_iter_full(const void *addr, size_t bytes, struct iov_iter *i)
{
	size_t done = copy_to_iter(addr, bytes, i);

	if (done < bytes)
		iov_iter_revert(i, done);
	return done == bytes;
}

bool copy_from_iter_full(void *addr, size_t bytes, struct iov_iter *i)
{
	size_t done = copy_from_iter(addr, bytes, i);

	if (done < bytes)
		iov_iter_revert(i, done);
	return done == bytes;
}

size_t copy_page_to_iter(struct page *page, size_t offset, size_t bytes, struct iov_iter *i)
{
	return copy_to_iter(page_address(page) + offset, bytes, i);
}

size_t copy_page_from_iter(struct page *page, size_t offset, size_t bytes, struct iov_iter *i)
{
	return copy_from_iter(page_address(page) + offset, bytes, i);
}

size_t copy_page_from_iter_atomic(struct page *page, size_t offset, size_t bytes, struct iov_iter *i)
{
	return step(i, bytes, page_address(page) + offset, step_from_atomic);
}

size_t iov_iter_zero(size_t bytes, struct iov_iter *i)
{
	return step(i, bytes, NULL, step_zero);
}

/* ---- the position ---- */

void iov_iter_advance(struct iov_iter *i, size_t bytes)
{
	step(i, bytes, NULL, step_nothing);
}

void iov_iter_revert(struct iov_iter *i, size_t bytes)
{
	i->count += bytes;
	if (i->iter_type == ITER_UBUF || i->iter_type == ITER_DISCARD) {
		i->iov_offset -= bytes;
		return;
	}
	while (bytes > i->iov_offset) {
		bytes -= i->iov_offset;
		i->iov--;
		i->nr_segs++;
		i->iov_offset = i->iov->iov_len;
	}
	i->iov_offset -= bytes;
}

void iov_iter_restore(struct iov_iter *i, struct iov_iter_state *state)
{
	if (i->iter_type == ITER_IOVEC || i->iter_type == ITER_KVEC)
		i->iov -= state->nr_segs - i->nr_segs;
	i->iov_offset = state->iov_offset;
	i->count = state->count;
	i->nr_segs = state->nr_segs;
}

size_t iov_iter_single_seg_count(const struct iov_iter *i)
{
	char *base;

	return i->count ? piece(i, i->count, &base) : 0;
}

size_t iov_iter_user_piece(const struct iov_iter *i, void __user **addr)
{
	struct iov_iter walk = *i;
	char *base;
	size_t n;

	advance_in_piece(&walk, 0);
	n = piece(&walk, walk.count, &base);
	*addr = (void __user *)base;
	return n;
}

unsigned long iov_iter_alignment(const struct iov_iter *i)
{
	struct iov_iter walk = *i;
	unsigned long bits = 0;
	char *base;

	while (walk.count) {
		size_t n;

		advance_in_piece(&walk, 0);
		n = piece(&walk, walk.count, &base);
		bits |= (unsigned long)base | n;
		advance_in_piece(&walk, n);
	}
	return bits;
}

/* ---- touching memory before a copy that must not fault ---- */

static size_t fault_in(const struct iov_iter *i, size_t bytes, bool write)
{
	struct iov_iter walk = *i;

	if (!user_backed_iter(i))
		return 0;
	bytes = min(bytes, walk.count);
	while (bytes) {
		char *mem;
		size_t n, missing;

		advance_in_piece(&walk, 0);
		n = piece(&walk, bytes, &mem);
		missing = write ? fault_in_writeable(mem, n) : fault_in_readable(mem, n);
		if (missing)
			return bytes - (n - missing);
		advance_in_piece(&walk, n);
		bytes -= n;
	}
	return 0;
}

size_t fault_in_iov_iter_readable(const struct iov_iter *i, size_t bytes)
{
	return fault_in(i, bytes, false);
}

size_t fault_in_iov_iter_writeable(const struct iov_iter *i, size_t bytes)
{
	return fault_in(i, bytes, true);
}

/* ---- making iterators ---- */

void iov_iter_init(struct iov_iter *i, unsigned int direction, const struct iovec *iov, unsigned long nr_segs, size_t count)
{
	*i = (struct iov_iter){ .iter_type = ITER_IOVEC, .data_source = direction, .iov = iov, .nr_segs = nr_segs,
				.count = count };
}

void iov_iter_kvec(struct iov_iter *i, unsigned int direction, const struct kvec *kvec, unsigned long nr_segs, size_t count)
{
	*i = (struct iov_iter){ .iter_type = ITER_KVEC, .data_source = direction, .kvec = kvec, .nr_segs = nr_segs,
				.count = count };
}

void iov_iter_discard(struct iov_iter *i, unsigned int direction, size_t count)
{
	*i = (struct iov_iter){ .iter_type = ITER_DISCARD, .data_source = direction, .count = count };
}

/* A copy whose array of pieces is its own: kfree() the result.  NULL without memory, or when there is no array. */
const void *dup_iter(struct iov_iter *new, struct iov_iter *old, gfp_t flags)
{
	*new = *old;
	if (old->iter_type != ITER_IOVEC && old->iter_type != ITER_KVEC)
		return NULL;
	return new->iov = kmemdup(old->iov, old->nr_segs * sizeof(struct iovec), flags);
}

static int copy_iovec(struct iovec *iov, const struct iovec __user *uvec, unsigned long n)
{
	const struct compat_iovec __user *u32vec = (const void __user *)uvec;
	struct compat_iovec one;

	if (!in_compat_syscall())
		return copy_from_user(iov, uvec, n * sizeof(*iov)) ? -EFAULT : 0;
	for (unsigned long i = 0; i < n; i++) {
		if (copy_from_user(&one, u32vec + i, sizeof(one)))
			return -EFAULT;
		if ((s32)one.iov_len < 0)
			return -EINVAL;
		iov[i] = (struct iovec){ compat_ptr(one.iov_base), one.iov_len };
	}
	return 0;
}

/* The pieces as the user gave them; none longer than a signed size.  fast_iov if they fit, else allocated; ERR_PTR. */
struct iovec *iovec_from_user(const struct iovec __user *uvec, unsigned long nr_segs, unsigned long fast_segs,
			      struct iovec *fast_iov)
{
	struct iovec *iov = fast_iov;

	if (!nr_segs)
		return iov;
	if (nr_segs > UIO_MAXIOV)
		return ERR_PTR(-EINVAL);
	if (nr_segs > fast_segs) {
		iov = kmalloc_array(nr_segs, sizeof(*iov), GFP_KERNEL);
		if (!iov)
			return ERR_PTR(-ENOMEM);
	}
	if (copy_iovec(iov, uvec, nr_segs)) {
		if (iov != fast_iov)
			kfree(iov);
		return ERR_PTR(-EFAULT);
	}
	return iov;
}

/* The sum of the lengths, each checked and cut so that the sum stays within MAX_RW_COUNT. */
static ssize_t check_iovec(struct iovec *iov, unsigned long nr_segs)
{
	size_t total = 0;

	for (unsigned long seg = 0; seg < nr_segs; seg++) {
		size_t len = iov[seg].iov_len;

		if ((ssize_t)len < 0)
			return -EINVAL;
		if (!access_ok(iov[seg].iov_base, len))
			return -EFAULT;
		len = min(len, MAX_RW_COUNT - total);
		iov[seg].iov_len = len;
		total += len;
	}
	return (ssize_t)total;
}

ssize_t import_iovec(int rw, const struct iovec __user *uvec, unsigned int nr_segs, unsigned int fast_segs,
		     struct iovec **iovp, struct iov_iter *i)
{
	struct iovec *iov = iovec_from_user(uvec, nr_segs, fast_segs, *iovp);
	ssize_t total;

	if (IS_ERR(iov)) {
		*iovp = NULL;
		return PTR_ERR(iov);
	}
	total = check_iovec(iov, nr_segs);
	if (total < 0) {
		if (iov != *iovp)
			kfree(iov);
		*iovp = NULL;
		return total;
	}
	iov_iter_init(i, rw, iov, nr_segs, (size_t)total);
	*iovp = iov == *iovp ? NULL : iov;
	return total;
}

int import_ubuf(int rw, void __user *buf, size_t len, struct iov_iter *i)
{
	len = min(len, (size_t)MAX_RW_COUNT);
	if (!access_ok(buf, len))
		return -EFAULT;
	iov_iter_ubuf(i, rw, buf, len);
	return 0;
}

int import_single_range(int rw, void __user *buf, size_t len, struct iovec *iov, struct iov_iter *i)
{
	len = min(len, (size_t)MAX_RW_COUNT);
	if (!access_ok(buf, len))
		return -EFAULT;
	iov->iov_base = buf;
	iov->iov_len = len;
	iov_iter_init(i, rw, iov, 1, len);
	return 0;
}
