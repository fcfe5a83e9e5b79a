/* stddef.h: NULL, offsetof and size_t come with the types. */
#ifndef WEFT_STDDEF_H
#define WEFT_STDDEF_H
#include <weft/types.h>
#endif
