/* crc32.h: CRC-32C (Castagnoli; ext4, iSCSI) and CRC-32 (Ethernet, gzip; bit-reversed), without pre- and post-inversion. */
#ifndef WEFT_CRC32_H
#define WEFT_CRC32_H

#include <weft/types.h>

u32 crc32c(u32 crc, const void *data, size_t len);
u32 crc32_le(u32 crc, const void *data, size_t len);

#endif
