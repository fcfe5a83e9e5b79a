/*
 * uio.h: struct iov_iter: where data comes from or goes to, seen as one stream of bytes.
 *
 * What:    a user buffer (ITER_UBUF), a user iovec array (ITER_IOVEC), kernel buffers (ITER_KVEC) or a hole that swallows
 *          (ITER_DISCARD).  data_source tells the direction: ITER_SOURCE is read from (a write call), ITER_DEST is
 *          written to (a read call).
 * Idea:    files copy to and from the iterator, which knows what kind of memory it is; each copy advances it.
 * Context: copies may fault and so sleep, unless the caller has disabled page faults.  They return the bytes copied: fewer
 *          than asked for means a bad address.
 * See:     kernel/lib/iov_iter.c
 */
#ifndef WEFT_UIO_H
#define WEFT_UIO_H

#include <weft/types.h>
#include <uapi/uio.h>

struct page;

struct kvec {
	void	*iov_base;	/* a kernel address */
	size_t	iov_len;
};

enum iter_type { ITER_IOVEC, ITER_KVEC, ITER_UBUF, ITER_DISCARD };
#define ITER_SOURCE	1	/* == WRITE */
#define ITER_DEST	0	/* == READ */

struct iov_iter {
	u8		iter_type;
	bool		nofault;	/* copies must not fault pages in */
	bool		data_source;
	size_t		iov_offset;	/* in the current segment; for ITER_UBUF from ubuf */
	size_t		count;		/* bytes left */
	union {
		const struct iovec	*iov;	/* the current segment */
		const struct kvec	*kvec;
		void __user		*ubuf;
	};
	unsigned long	nr_segs;	/* left, with the current one */
};

struct iov_iter_state {
	size_t		iov_offset;
	size_t		count;
	unsigned long	nr_segs;
};

static inline enum iter_type iov_iter_type(const struct iov_iter *i) { return i->iter_type; }
static inline bool iter_is_ubuf(const struct iov_iter *i) { return i->iter_type == ITER_UBUF; }
static inline bool iter_is_iovec(const struct iov_iter *i) { return i->iter_type == ITER_IOVEC; }
static inline bool iov_iter_is_kvec(const struct iov_iter *i) { return i->iter_type == ITER_KVEC; }
static inline bool iov_iter_is_discard(const struct iov_iter *i) { return i->iter_type == ITER_DISCARD; }
static inline bool user_backed_iter(const struct iov_iter *i) { return iter_is_ubuf(i) || iter_is_iovec(i); }
static inline unsigned char iov_iter_rw(const struct iov_iter *i) { return i->data_source ? 1 : 0; }
static inline size_t iov_iter_count(const struct iov_iter *i) { return i->count; }

static inline void iov_iter_ubuf(struct iov_iter *i, unsigned int direction, void __user *buf, size_t count)
{
	*i = (struct iov_iter){ .iter_type = ITER_UBUF, .data_source = direction, .ubuf = buf, .count = count, .nr_segs = 1 };
}
void iov_iter_init(struct iov_iter *i, unsigned int direction, const struct iovec *iov, unsigned long nr_segs, size_t count);
void iov_iter_kvec(struct iov_iter *i, unsigned int direction, const struct kvec *kvec, unsigned long nr_segs, size_t count);
void iov_iter_discard(struct iov_iter *i, unsigned int direction, size_t count);

size_t copy_to_iter(const void *addr, size_t bytes, struct iov_iter *i) __must_check;
size_t copy_from_iter(void *addr, size_t bytes, struct iov_iter *i) __must_check;
/* All, or nothing and the iterator is where it was. */
bool copy_to_iter_full(const void *addr, size_t bytes, struct iov_iter *i) __must_check;
bool copy_from_iter_full(void *addr, size_t bytes, struct iov_iter *i) __must_check;
size_t copy_page_to_iter(struct page *page, size_t offset, size_t bytes, struct iov_iter *i);
size_t copy_page_from_iter(struct page *page, size_t offset, size_t bytes, struct iov_iter *i);
/* With page faults disabled: what is not mapped now is not copied. */
size_t copy_page_from_iter_atomic(struct page *page, size_t offset, size_t bytes, struct iov_iter *i);
size_t iov_iter_zero(size_t bytes, struct iov_iter *i);
void iov_iter_advance(struct iov_iter *i, size_t bytes);
void iov_iter_revert(struct iov_iter *i, size_t bytes);
size_t iov_iter_single_seg_count(const struct iov_iter *i);
unsigned long iov_iter_alignment(const struct iov_iter *i);
/* User memory: the bytes that lie in a row from the current position on, and where. */
size_t iov_iter_user_piece(const struct iov_iter *i, void __user **addr);
/* Touches the memory so that a later copy with faults disabled succeeds.  Returns the bytes that could NOT be. */
size_t fault_in_iov_iter_readable(const struct iov_iter *i, size_t bytes);
size_t fault_in_iov_iter_writeable(const struct iov_iter *i, size_t bytes);
const void *dup_iter(struct iov_iter *new, struct iov_iter *old, gfp_t flags);

static inline void iov_iter_truncate(struct iov_iter *i, u64 count)
{
	if (i->count > count)
		i->count = count;
}
static inline void iov_iter_reexpand(struct iov_iter *i, size_t count) { i->count = count; }
static inline void iov_iter_save_state(struct iov_iter *i, struct iov_iter_state *state)
{
	*state = (struct iov_iter_state){ .iov_offset = i->iov_offset, .count = i->count, .nr_segs = i->nr_segs };
}
void iov_iter_restore(struct iov_iter *i, struct iov_iter_state *state);
static inline size_t iov_length(const struct iovec *iov, unsigned long nr_segs)
{
	size_t n = 0;

	for (unsigned long seg = 0; seg < nr_segs; seg++)
		n += iov[seg].iov_len;
	return n;
}

/*
 * Copies and checks a user's iovec array.  *iovp is a buffer of fast_segs entries at entry; at return it is NULL or an
 * allocated array: kfree(*iovp) in either case.  The total length (cut to MAX_RW_COUNT), or -EINVAL, -EFAULT, -ENOMEM.
 */
ssize_t import_iovec(int rw, const struct iovec __user *uvec, unsigned int nr_segs, unsigned int fast_segs,
		     struct iovec **iovp, struct iov_iter *i);
/* One user buffer.  0 or -EFAULT; the length is cut to MAX_RW_COUNT. */
int import_single_range(int rw, void __user *buf, size_t len, struct iovec *iov, struct iov_iter *i);
int import_ubuf(int rw, void __user *buf, size_t len, struct iov_iter *i);
struct iovec *iovec_from_user(const struct iovec __user *uvec, unsigned long nr_segs, unsigned long fast_segs,
			      struct iovec *fast_iov);

#endif
