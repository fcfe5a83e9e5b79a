/*
 * errseq.c: an error that each of many listeners hears once.
 *
 * Idea:    bits 0-11: the error, 12: somebody has seen it, 13-31: how often it became news.
 * Locking: none: each change is one compare and exchange of the word.
 * See:     include/weft/errseq.h
 */
#include <weft/kernel.h>
#include <weft/atomic.h>
#include <weft/err.h>
#include <weft/errseq.h>

#define ERROR_MASK	0x0fffu
#define SEEN		0x1000u
#define ONE_MORE	0x2000u

static_assert(MAX_ERRNO == ERROR_MASK);

void errseq_set(errseq_t *eseq, int err)
{
	errseq_t old = READ_ONCE(*eseq), new;

	do {
		new = (old & ~(ERROR_MASK | SEEN)) | (errseq_t)-err;
		if (old & SEEN)
			new += ONE_MORE;
	} while (new != old && !try_cmpxchg(eseq, &old, new));
}

errseq_t errseq_sample(const errseq_t *eseq)
{
	errseq_t word = READ_ONCE(*eseq);

	return word & SEEN ? word : 0;
}

int errseq_check_and_advance(errseq_t *eseq, errseq_t *since)
{
	errseq_t old = READ_ONCE(*eseq);

	if (old == *since)
		return 0;
	while (!(old & SEEN) && !try_cmpxchg(eseq, &old, old | SEEN))
		;
	*since = old | SEEN;
	return -(int)(old & ERROR_MASK);
}
