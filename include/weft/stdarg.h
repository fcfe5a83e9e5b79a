/*
 * stdarg.h: variable arguments: the compiler's own.
 */
#ifndef WEFT_STDARG_H
#define WEFT_STDARG_H

#include <stdarg.h>

#endif
