/* const.h: constants that C and assembler share. */
#ifndef WEFT_CONST_H
#define WEFT_CONST_H
#ifdef __ASSEMBLY__
#define _AC(x, y)	x
#define UL(x)		x
#define ULL(x)		x
#else
#define ___AC(x, y)	x##y
#define _AC(x, y)	___AC(x, y)
#define UL(x)		_AC(x, UL)
#define ULL(x)		_AC(x, ULL)
#endif
#define _UL(x)		_AC(x, UL)
#define _BITUL(x)	(_AC(1, UL) << (x))
#endif
