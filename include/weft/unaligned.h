/* unaligned.h: numbers at any address, in either byte order; swapping bytes. */
#ifndef WEFT_UNALIGNED_H
#define WEFT_UNALIGNED_H

#include <weft/types.h>

#define swab16(x)	__builtin_bswap16(x)
#define swab32(x)	__builtin_bswap32(x)
#define swab64(x)	__builtin_bswap64(x)
#define cpu_to_le16(x)	((u16)(x))
#define cpu_to_le32(x)	((u32)(x))
#define cpu_to_le64(x)	((u64)(x))
#define le16_to_cpu(x)	((u16)(x))
#define le32_to_cpu(x)	((u32)(x))
#define le64_to_cpu(x)	((u64)(x))
#define cpu_to_be16(x)	swab16(x)
#define cpu_to_be32(x)	swab32(x)
#define cpu_to_be64(x)	swab64(x)
#define be16_to_cpu(x)	swab16(x)
#define be32_to_cpu(x)	swab32(x)
#define be64_to_cpu(x)	swab64(x)
#define htons(x)	swab16(x)
#define htonl(x)	swab32(x)
#define ntohs(x)	swab16(x)
#define ntohl(x)	swab32(x)

#define get_unaligned(p) ({ struct { __typeof__(*(p)) v; } __packed const *__gu = (const void *)(p); __gu->v; })
#define put_unaligned(val, p) do { struct { __typeof__(*(p)) v; } __packed *__pu = (void *)(p); __pu->v = (val); } while (0)
static inline u16 get_unaligned_le16(const void *p) { return get_unaligned((const u16 *)p); }
static inline u32 get_unaligned_le32(const void *p) { return get_unaligned((const u32 *)p); }
static inline u64 get_unaligned_le64(const void *p) { return get_unaligned((const u64 *)p); }
static inline u16 get_unaligned_be16(const void *p) { return swab16(get_unaligned((const u16 *)p)); }
static inline u32 get_unaligned_be32(const void *p) { return swab32(get_unaligned((const u32 *)p)); }
static inline void put_unaligned_le32(u32 v, void *p) { put_unaligned(v, (u32 *)p); }

#endif
