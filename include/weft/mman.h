/*
 * mman.h: from the PROT_ and MAP_ bits of user space to VM_ flags, and what memory has been promised.
 *
 * Idea:    a private writable page may have to be copied, so it is promised (committed) when it is mapped, not when it
 *          is touched.  How much may be promised is the policy of /proc/sys/vm/overcommit_memory (kernel/mm/overcommit.c).
 * See:     spec.md §5 "VMAs"; man 5 proc, overcommit_memory
 */
#ifndef WEFT_MMAN_H
#define WEFT_MMAN_H

#include <weft/mm.h>
#include <uapi/mman.h>

extern int sysctl_overcommit_memory;		/* [-] one word: OVERCOMMIT_* */
extern int sysctl_overcommit_ratio;		/* [-] per cent of memory, mode 2 */
extern unsigned long sysctl_overcommit_kbytes;	/* [-] instead of the ratio when not 0 */
extern unsigned long sysctl_admin_reserve_kbytes;
extern unsigned long sysctl_user_reserve_kbytes;

/* All in pages.  None of them sleeps. */
void vm_acct_memory(long pages);
void vm_unacct_memory(long pages);
unsigned long vm_memory_committed(void);
unsigned long vm_commit_limit(void);
/* Promises `pages` more to mm.  Returns 0, or -ENOMEM and promises nothing. */
int __vm_enough_memory(struct mm_struct *mm, long pages, int cap_sys_admin);
int security_vm_enough_memory_mm(struct mm_struct *mm, long pages);

static inline unsigned long calc_vm_prot_bits(unsigned long prot)
{
	return ((prot & PROT_READ) ? VM_READ : 0) | ((prot & PROT_WRITE) ? VM_WRITE : 0) |
	       ((prot & PROT_EXEC) ? VM_EXEC : 0);
}

static inline unsigned long calc_vm_flag_bits(unsigned long flags)
{
	return ((flags & MAP_GROWSDOWN) ? VM_GROWSDOWN : 0) | ((flags & MAP_LOCKED) ? VM_LOCKED : 0);
}

#endif
