/*
 * segment.h: the selectors of the global descriptor table.
 *
 * Idea:    SYSRET computes its selectors from one base: 32-bit user code, then user data, then 64-bit user code must
 *          stand in this order.  CPUNODE's limit holds the CPU number for user space (getcpu by LSL or RDPID).
 */
#ifndef ASM_SEGMENT_H
#define ASM_SEGMENT_H

#define GDT_ENTRY_KERNEL32_CS	1
#define GDT_ENTRY_KERNEL_CS	2
#define GDT_ENTRY_KERNEL_DS	3
#define GDT_ENTRY_USER32_CS	4
#define GDT_ENTRY_USER_DS	5
#define GDT_ENTRY_USER_CS	6
#define GDT_ENTRY_TSS		8	/* two slots */
#define GDT_ENTRY_LDT		10	/* two slots */
#define GDT_ENTRY_TLS_MIN	12
#define GDT_ENTRY_TLS_ENTRIES	3
#define GDT_ENTRY_CPUNODE	15
#define GDT_ENTRIES		16

#define __KERNEL32_CS		(GDT_ENTRY_KERNEL32_CS * 8)
#define __KERNEL_CS		(GDT_ENTRY_KERNEL_CS * 8)
#define __KERNEL_DS		(GDT_ENTRY_KERNEL_DS * 8)
#define __USER32_CS		(GDT_ENTRY_USER32_CS * 8 + 3)
#define __USER_DS		(GDT_ENTRY_USER_DS * 8 + 3)
#define __USER_CS		(GDT_ENTRY_USER_CS * 8 + 3)
#define __CPUNODE_SEG		(GDT_ENTRY_CPUNODE * 8 + 3)

#endif
