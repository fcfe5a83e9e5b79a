/* byteorder.h: see unaligned.h. */
#ifndef WEFT_BYTEORDER_H
#define WEFT_BYTEORDER_H
#include <weft/unaligned.h>
#endif
