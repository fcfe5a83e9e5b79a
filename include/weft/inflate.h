/*
 * inflate.h: reading what gzip and deflate wrote.
 * See:     kernel/lib/inflate.c; RFC 1951, RFC 1952
 */
#ifndef WEFT_INFLATE_H
#define WEFT_INFLATE_H

#include <weft/types.h>

/* Takes the next bytes of the output, at most 32 KiB; 0 or -errno, which ends the work. */
typedef int (*inflate_sink)(void *arg, const u8 *data, size_t len);

/*
 * Unpacks one gzip member.  *used is the compressed bytes it took.  0, -EINVAL (damaged), -ENOMEM, or sink's error.
 * May sleep; needs 48 KiB of memory while it runs.
 */
int gunzip(const u8 *in, size_t len, inflate_sink sink, void *arg, size_t *used);
/* The same for a bare deflate stream. */
int inflate(const u8 *in, size_t len, inflate_sink sink, void *arg, size_t *used);
/* Does a gzip member begin here? */
bool is_gzip(const u8 *in, size_t len);

#endif
