/*
 * asm/vdso.h: the code and data that every program gets mapped to read the clock without a system call.
 * See:     kernel/arch/x86/vdso/, include/weft/vdso_data.h
 */
#ifndef ASM_VDSO_H
#define ASM_VDSO_H

struct linux_binprm;
struct vdso_data;

/* Maps [vvar] and [vdso] into current->mm, mmap_lock not held.  0 or -errno.  Called by execve; may sleep. */
int arch_setup_additional_pages(struct linux_binprm *bprm, int uses_interp);
extern struct vdso_data *vdso_data;	/* the kernel's view of the page; written by time/vsyscall.c only */

#endif
