/*
 * sections.h: the borders that the linker script draws.
 */
#ifndef ASM_SECTIONS_H
#define ASM_SECTIONS_H

#include <weft/types.h>
#include <weft/compiler.h>

extern char _text[], _stext[], _etext[];
extern char __start_rodata[], __end_rodata[];
extern char _sdata[], _edata[];
extern char __bss_start[], __bss_stop[];
extern char __init_begin[], __init_end[];		/* freed after start-up */
extern char __inittext_begin[], __inittext_end[];
extern char __per_cpu_start[], __per_cpu_end[], __per_cpu_load[];
extern char _end[];

/* dumpstack.c: is addr in code that may be executed now? */
bool core_kernel_text(unsigned long addr);
#define kernel_text_address(addr)	core_kernel_text(addr)
#define __kernel_text_address(addr)	core_kernel_text(addr)

#endif
