/* jhash.h: see hash.h. */
#ifndef WEFT_JHASH_H
#define WEFT_JHASH_H
#include <weft/hash.h>
#endif
