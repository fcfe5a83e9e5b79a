/*
 * io.h: port I/O and memory-mapped I/O.
 *
 * What:    in/out of 1, 2 and 4 bytes, string forms, and readX/writeX for what ioremap() gave.  x86 orders accesses to
 *          uncached memory itself, so a compiler barrier is all that these need.
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <weft/types.h>
#include <weft/compiler.h>

#define BUILD_IO(size, type, insn_reg) \
static __always_inline void out##size(type value, u16 port) \
{ asm volatile("out" #size " %" insn_reg "0, %w1" : : "a" (value), "Nd" (port) : "memory"); } \
static __always_inline type in##size(u16 port) \
{ type value; asm volatile("in" #size " %w1, %" insn_reg "0" : "=a" (value) : "Nd" (port) : "memory"); return value; } \
static __always_inline void outs##size(u16 port, const void *addr, unsigned long count) \
{ asm volatile("rep; outs" #size : "+S" (addr), "+c" (count) : "d" (port) : "memory"); } \
static __always_inline void ins##size(u16 port, void *addr, unsigned long count) \
{ asm volatile("rep; ins" #size : "+D" (addr), "+c" (count) : "d" (port) : "memory"); }

BUILD_IO(b, u8, "b")
BUILD_IO(w, u16, "w")
BUILD_IO(l, u32, "")
#undef BUILD_IO

#define BUILD_MMIO(name, type) \
static __always_inline type read##name(const volatile void __iomem *addr) \
{ type v = *(const volatile type __force *)addr; asm volatile("" : : : "memory"); return v; } \
static __always_inline void write##name(type value, volatile void __iomem *addr) \
{ asm volatile("" : : : "memory"); *(volatile type __force *)addr = value; }

BUILD_MMIO(b, u8)
BUILD_MMIO(w, u16)
BUILD_MMIO(l, u32)
BUILD_MMIO(q, u64)
#undef BUILD_MMIO

/* A short pause for old devices: a write to an unused port takes about a microsecond. */
static inline void io_delay(void) { outb(0, 0x80); }

/* mm/ioremap.c: maps device memory uncached; NULL when there is no address space left.  May sleep. */
void __iomem *ioremap(phys_addr_t phys, size_t size);
void __iomem *ioremap_wc(phys_addr_t phys, size_t size);
void iounmap(volatile void __iomem *addr);

#endif
