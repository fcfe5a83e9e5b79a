/*
 * asm/entry.h: what entry_64.S calls and offers.
 */
#ifndef ASM_ENTRY_H
#define ASM_ENTRY_H

#include <asm/ptrace.h>

/* C functions for entry_64.S; interrupts off in and out where it says exit. */
void exit_to_user_mode(struct pt_regs *regs);
void syscall_exit_to_user_mode(struct pt_regs *regs);
long syscall_trace_enter(struct pt_regs *regs);
long sys_unimplemented(void);
void do_int80_syscall(struct pt_regs *regs);
struct pt_regs *fixup_bad_iret(struct pt_regs *regs);
void handle_vector(struct pt_regs *regs, unsigned long pushed);

void exc_divide_error(struct pt_regs *regs, unsigned long error_code);
void exc_debug(struct pt_regs *regs, unsigned long error_code);
void exc_nmi(struct pt_regs *regs, unsigned long error_code);
void exc_int3(struct pt_regs *regs, unsigned long error_code);
void exc_overflow(struct pt_regs *regs, unsigned long error_code);
void exc_bounds(struct pt_regs *regs, unsigned long error_code);
void exc_invalid_op(struct pt_regs *regs, unsigned long error_code);
void exc_device_not_available(struct pt_regs *regs, unsigned long error_code);
void exc_double_fault(struct pt_regs *regs, unsigned long error_code);
void exc_invalid_tss(struct pt_regs *regs, unsigned long error_code);
void exc_segment_not_present(struct pt_regs *regs, unsigned long error_code);
void exc_stack_segment(struct pt_regs *regs, unsigned long error_code);
void exc_general_protection(struct pt_regs *regs, unsigned long error_code);
void exc_coprocessor_error(struct pt_regs *regs, unsigned long error_code);
void exc_alignment_check(struct pt_regs *regs, unsigned long error_code);
void exc_machine_check(struct pt_regs *regs, unsigned long error_code);
void exc_simd_coprocessor_error(struct pt_regs *regs, unsigned long error_code);
void exc_reserved(struct pt_regs *regs, unsigned long error_code);

/* Gates in entry_64.S. */
void entry_SYSCALL_64(void);
void entry_SYSCALL_compat(void);
void entry_INT80_compat(void);
void ret_from_fork_asm(void);
extern char irq_entries_start[];
void asm_exc_divide_error(void);
void asm_exc_debug(void);
void asm_exc_nmi(void);
void asm_exc_int3(void);
void asm_exc_overflow(void);
void asm_exc_bounds(void);
void asm_exc_invalid_op(void);
void asm_exc_device_not_available(void);
void asm_exc_double_fault(void);
void asm_exc_invalid_tss(void);
void asm_exc_segment_not_present(void);
void asm_exc_stack_segment(void);
void asm_exc_general_protection(void);
void asm_exc_page_fault(void);
void asm_exc_coprocessor_error(void);
void asm_exc_alignment_check(void);
void asm_exc_machine_check(void);
void asm_exc_simd_coprocessor_error(void);
void asm_exc_reserved(void);

#endif
