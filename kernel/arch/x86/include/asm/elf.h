/*
 * asm/elf.h: what execve must know of this processor.
 */
#ifndef ASM_ELF_H
#define ASM_ELF_H

#include <asm/cpufeature.h>
#include <asm/vdso.h>

#define ELF_DATA	ELFDATA2LSB
#define ELF_PLATFORM	"x86_64"
#define ELF_PLATFORM_IA32 "i686"
#define ELF_EXEC_PAGESIZE 4096
#define ELF_HWCAP	(boot_cpuid_words[CPUID_1_EDX])
#define ELF_HWCAP2	(boot_cpu_has(X86_FEATURE_FSGSBASE) ? (1u << 1) : 0u)
#define elf_check_arch(x, class) ((x)->e_machine == ((class) == ELFCLASS64 ? EM_X86_64 : EM_386))

/* One auxiliary vector entry of this architecture: where the vDSO is. */
#define ARCH_DLINFO	NEW_AUX_ENT(AT_SYSINFO_EHDR, (unsigned long)current->mm->context.vdso)

#endif
