/*
 * kdev_t.h: device numbers: 12 bits of major, 20 of minor inside; two user-space encodings.
 */
#ifndef WEFT_KDEV_T_H
#define WEFT_KDEV_T_H

#include <weft/types.h>

#define MINORBITS	20
#define MINORMASK	((1U << MINORBITS) - 1)
#define MAJOR(dev)	((unsigned int)((dev) >> MINORBITS))
#define MINOR(dev)	((unsigned int)((dev) & MINORMASK))
#define MKDEV(ma, mi)	((dev_t)(((ma) << MINORBITS) | (mi)))

/* As struct stat and mknod(2) carry it: minor's low byte, 12 bits of major, the rest of minor. */
static inline u32 new_encode_dev(dev_t dev)
{
	return (MINOR(dev) & 0xff) | (MAJOR(dev) << 8) | ((MINOR(dev) & ~0xffU) << 12);
}
static inline dev_t new_decode_dev(u32 dev)
{
	return MKDEV((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}
/* 8 bits each: st_dev of 32-bit programs' first stat(). */
static inline u16 old_encode_dev(dev_t dev)
{
	return (u16)((MAJOR(dev) & 0xff) << 8 | (MINOR(dev) & 0xff));
}

static inline u64 huge_encode_dev(dev_t dev) { return new_encode_dev(dev); }
static inline dev_t huge_decode_dev(u64 dev) { return new_decode_dev(dev); }

#endif
