/*
 * desc_defs.h: the layouts of descriptors and of the task-state segment, as the processor reads them.
 */
#ifndef ASM_DESC_DEFS_H
#define ASM_DESC_DEFS_H

#include <weft/types.h>
#include <weft/compiler.h>

struct desc_struct {
	u64 raw;
};

struct gate_struct {
	u16 offset_low;
	u16 segment;
	u8  ist;
	u8  type;		/* P, DPL, kind */
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
} __attribute__((packed));

struct desc_ptr {
	u16 size;
	unsigned long address;
} __attribute__((packed));

#define IO_BITMAP_BYTES	8192
#define IO_BITMAP_NONE	0xffff		/* past the segment's end: no ports for programs */

/*
 * What the hardware uses of a TSS in long mode: the stacks, and the bits of ports that user mode may use (0), which are
 * read two bytes at a time.  sp0 is also where the syscall entry finds its stack.
 */
struct tss_struct {
	u32 reserved1;
	u64 sp0, sp1, sp2;
	u64 reserved2;
	u64 ist[7];
	u64 reserved3;
	u16 reserved4;
	u16 io_bitmap_base;
	u8 io_bitmap[IO_BITMAP_BYTES];
	u8 io_bitmap_end;	/* all ones */
} __attribute__((packed));

#define IST_INDEX_DF	1
#define IST_INDEX_NMI	2
#define IST_INDEX_DB	3
#define IST_INDEX_MCE	4
#define NR_IST		4

#endif
