/*
 * irq_vectors.h: what each of the 256 interrupt vectors is for.
 */
#ifndef ASM_IRQ_VECTORS_H
#define ASM_IRQ_VECTORS_H

#define X86_TRAP_DE	0
#define X86_TRAP_DB	1
#define X86_TRAP_NMI	2
#define X86_TRAP_BP	3
#define X86_TRAP_OF	4
#define X86_TRAP_BR	5
#define X86_TRAP_UD	6
#define X86_TRAP_NM	7
#define X86_TRAP_DF	8
#define X86_TRAP_TS	10
#define X86_TRAP_NP	11
#define X86_TRAP_SS	12
#define X86_TRAP_GP	13
#define X86_TRAP_PF	14
#define X86_TRAP_MF	16
#define X86_TRAP_AC	17
#define X86_TRAP_MC	18
#define X86_TRAP_XF	19

#define FIRST_EXTERNAL_VECTOR	0x20	/* the 8259s, should they fire in spite of their mask: 0x20-0x2f */
#define FIRST_DEVICE_VECTOR	0x30	/* I/O APIC pins */
#define IA32_SYSCALL_VECTOR	0x80	/* not for devices */
#define LAST_DEVICE_VECTOR	0xdf
#define LOCAL_TIMER_VECTOR	0xec
#define REBOOT_VECTOR		0xf8	/* stop this CPU */
#define CALL_FUNCTION_VECTOR	0xfc
#define RESCHEDULE_VECTOR	0xfd
#define ERROR_APIC_VECTOR	0xfe
#define SPURIOUS_APIC_VECTOR	0xff
#define NR_VECTORS		256

#endif
