/*
 * io.h: device registers: ports, and memory mapped by ioremap().
 */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <weft/types.h>
#include <asm/io.h>

#endif
