/*
 * errseq.h: an error that each of many listeners hears once.
 *
 * Idea:    one word holds the last error, a counter of errors, and whether anybody has looked since the last: only then must
 *          the counter move at the next error.  A listener keeps the word that he saw; another word is news for him.
 *          Who begins to listen when nobody has heard of the last error yet still hears of it.
 *
 *              opener A            opener B            write-back
 *              sample: 0           sample: 0
 *                                                      EIO: word = EIO
 *              fsync: EIO, seen
 *              fsync: same, 0
 *                                  fsync: EIO
 *                                                      EIO: word = EIO, counter + 1
 *              fsync: EIO
 *
 * Context: any; no lock, the word changes by compare-and-exchange.  A listener's own copy is his to guard.
 * See:     kernel/lib/errseq.c; file_check_and_advance_wb_err() in kernel/mm/page-writeback.c
 */
#ifndef WEFT_ERRSEQ_H
#define WEFT_ERRSEQ_H

#include <weft/types.h>

typedef u32 errseq_t;

void errseq_set(errseq_t *eseq, int err);			/* err < 0 has happened */
errseq_t errseq_sample(const errseq_t *eseq);			/* begin to listen */
/* 0, or the error that the listener with *since has not heard of; he has now. */
int errseq_check_and_advance(errseq_t *eseq, errseq_t *since);

#endif
