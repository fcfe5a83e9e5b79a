/*
 * font.h: pictures of characters.
 */
#ifndef VT_FONT_H
#define VT_FONT_H

#include <weft/types.h>

#define FONT_WIDTH	8
#define FONT_HEIGHT	16

/* The picture of a Unicode character: a byte a row, the left pixel in the highest bit.  Any context. */
void font_glyph(unsigned int ch, u8 out[FONT_HEIGHT]);

#endif
