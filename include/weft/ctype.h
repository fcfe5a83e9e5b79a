/* ctype.h: kinds of characters, ASCII. */
#ifndef WEFT_CTYPE_H
#define WEFT_CTYPE_H

#include <weft/types.h>

static inline bool isdigit(int c) { return c >= '0' && c <= '9'; }
static inline bool islower(int c) { return c >= 'a' && c <= 'z'; }
static inline bool isupper(int c) { return c >= 'A' && c <= 'Z'; }
static inline bool isalpha(int c) { return islower(c | 0x20); }
static inline bool isalnum(int c) { return isalpha(c) || isdigit(c); }
static inline bool isspace(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static inline bool isxdigit(int c) { return isdigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
static inline bool isprint(int c) { return c >= 0x20 && c < 0x7f; }
static inline bool isgraph(int c) { return c > 0x20 && c < 0x7f; }
static inline bool iscntrl(int c) { return (c >= 0 && c < 0x20) || c == 0x7f; }
static inline bool ispunct(int c) { return isgraph(c) && !isalnum(c); }
static inline bool isascii(int c) { return c >= 0 && c < 0x80; }
static inline int tolower(int c) { return isupper(c) ? c + 32 : c; }
static inline int toupper(int c) { return islower(c) ? c - 32 : c; }

#endif
