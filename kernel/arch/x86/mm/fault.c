/*
 * fault.c: the page-fault exception: which kind of fault it is, and who has to answer for it.
 *
 * What:    address in the user half, area allows the access   handle_mm_fault() makes the page, the instruction runs again
 *          user half, no area or not allowed, user mode       SIGSEGV; SIGBUS when the file ends before the page
 *          user half, kernel mode                             the same repair, if the instruction is one that may touch
 *                                                             user memory; if there is nothing to repair: its fixup
 *          kernel half, user mode                             SIGSEGV
 *          kernel half, kernel mode                           fixup, or the end: the kernel's own tables are complete
 *                                                             (every pgd has all of the kernel's upper half)
 * Idea:    only instructions in the exception table may touch user memory, so a kernel fault elsewhere is a bug that is
 *          reported at once, before any lock is asked for: it cannot dead-lock on the lock that the bug was made under.
 * Locking: entered with interrupts off, because CR2 would be lost in another fault; on again as soon as it is read.
 *          mmap_lock for reading around handle_mm_fault(), which drops it itself when it returns VM_FAULT_RETRY.
 * See:     spec.md §2 "privilege", §5 "demand"; Intel SDM vol. 3 §4.7; doc/tour.md follows one fault
 */
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/oom.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/trace.h>
#include <weft/uaccess.h>
#include <weft/vmstat.h>
#include <asm/extable.h>
#include <asm/processor.h>
#include <asm/traps.h>

/* ---- when it cannot be repaired ---- */

static const char *fault_kind(unsigned long error_code, unsigned long address)
{
	if (error_code & X86_PF_RSVD)
		return "corrupted page table";
	if (address < PAGE_SIZE)
		return "NULL pointer dereference";
	if (error_code & X86_PF_INSTR)
		return address < TASK_SIZE_MAX ? "execution of user memory" : "execution of data";
	if (address < TASK_SIZE_MAX)
		return "unguarded access to user memory";
	return error_code & X86_PF_WRITE ? "bad write" : "bad read";
}

static void __noreturn page_fault_oops(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	oops_in_progress = true;
	printk(KERN_EMERG "BUG: %s at %px, ip %pS\n", fault_kind(error_code, address), (void *)address, (void *)regs->ip);
	die("page fault", regs, error_code);
}

/* Kernel mode: on to the fixup, or the end. */
static void kernelmode_fixup_or_oops(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	if (!fixup_exception(regs))
		page_fault_oops(regs, error_code, address);
}

/* What the signal frame will show.  Of kernel addresses a program learns nothing: "present" is said of all of them. */
static void set_signal_archinfo(unsigned long address, unsigned long error_code)
{
	struct thread_struct *thread = &current->thread;

	if (address >= TASK_SIZE_MAX)
		error_code |= X86_PF_PROT;
	thread->trap_nr = X86_TRAP_PF;
	thread->error_code = error_code | X86_PF_USER;
	thread->cr2 = address;
}

/* User mode: a signal.  Kernel mode: EFAULT.  No lock held. */
static void bad_area(struct pt_regs *regs, unsigned long error_code, unsigned long address, int signr, int code)
{
	if (!user_mode(regs)) {
		kernelmode_fixup_or_oops(regs, error_code, address);
		return;
	}
	set_signal_archinfo(address, error_code);
	force_sig_fault(signr, code, (void __user *)address);
}

/* handle_mm_fault() failed; mmap_lock is dropped. */
static void fault_error(struct pt_regs *regs, unsigned long error_code, unsigned long address, vm_fault_t fault)
{
	if (fault & VM_FAULT_OOM) {
		if (!user_mode(regs))
			kernelmode_fixup_or_oops(regs, error_code, address);
		else
			pagefault_out_of_memory();	/* the OOM killer frees something; the instruction runs again */
	} else if (fault & VM_FAULT_SIGBUS) {
		bad_area(regs, error_code, address, SIGBUS, BUS_ADRERR);
	} else {
		bad_area(regs, error_code, address, SIGSEGV, SEGV_MAPERR);
	}
}

/* ---- user addresses ---- */

static bool access_allowed(unsigned long error_code, const struct vm_area_struct *vma)
{
	if (error_code & X86_PF_WRITE)
		return vma->vm_flags & VM_WRITE;
	if (error_code & X86_PF_INSTR)
		return vma->vm_flags & VM_EXEC;
	if (error_code & X86_PF_PROT)
		return false;			/* a page that is there and that even reading is not allowed */
	return vma->vm_flags & VM_ACCESS_FLAGS;
}

static unsigned int fault_flags(struct pt_regs *regs, unsigned long error_code)
{
	unsigned int flags = FAULT_FLAG_DEFAULT;

	if (user_mode(regs))
		flags |= FAULT_FLAG_USER;
	if (error_code & X86_PF_WRITE)
		flags |= FAULT_FLAG_WRITE;
	if (error_code & X86_PF_INSTR)
		flags |= FAULT_FLAG_INSTRUCTION;
	return flags;
}

/* An address of the current mm, from an instruction that may touch it: finds the area and lets it make the page. */
static void repair_user_fault(struct pt_regs *regs, unsigned long error_code, unsigned long address)
	__no_context_analysis	/* VM_FAULT_RETRY: mmap_lock was dropped */
{
	unsigned int flags = fault_flags(regs, error_code);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	for (;;) {
		vma = lock_mm_and_find_vma(mm, address, user_mode(regs));
		if (unlikely(!vma)) {
			bad_area(regs, error_code, address, SIGSEGV, SEGV_MAPERR);
			return;
		}
		if (unlikely(!access_allowed(error_code, vma))) {
			mmap_read_unlock(mm);
			bad_area(regs, error_code, address, SIGSEGV, SEGV_ACCERR);
			return;
		}
		fault = handle_mm_fault(vma, address, flags, regs);
		if (likely(!(fault & VM_FAULT_RETRY)))
			break;
		/* A killed task does not come back to the instruction, but the kernel's copy must come to an end. */
		if (fatal_signal_pending(current)) {
			if (!user_mode(regs))
				kernelmode_fixup_or_oops(regs, error_code, address);
			return;
		}
		/* A handler of a signal runs first; it comes back to the instruction, and so to the fault. */
		if (user_mode(regs) && signal_pending(current))
			return;
		flags |= FAULT_FLAG_TRIED;
	}
	mmap_read_unlock(mm);
	trace_mm_fault_done(address, fault);
	if (unlikely(fault & VM_FAULT_ERROR))
		fault_error(regs, error_code, address, fault);
}

static void do_user_addr_fault(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	if (unlikely(error_code & X86_PF_RSVD))
		page_fault_oops(regs, error_code, address);
	if (!user_mode(regs)) {
		/* Not an access that was meant: do not even look for the area.  With SMAP, stac says what is meant. */
		bool meant = boot_cpu_has(X86_FEATURE_SMAP) ? regs->flags & X86_EFLAGS_AC :
							      search_exception_tables(regs->ip) != NULL;

		if (unlikely((error_code & X86_PF_INSTR) || (!meant && !pagefault_disabled())))
			page_fault_oops(regs, error_code, address);
		if (unlikely(!meant)) {
			kernelmode_fixup_or_oops(regs, error_code, address);
			return;
		}
	}
	if (unlikely(faulthandler_disabled() || !current->mm)) {
		if (user_mode(regs))
			page_fault_oops(regs, error_code, address);	/* a program runs with preemption off? */
		kernelmode_fixup_or_oops(regs, error_code, address);
		return;
	}
	cond_local_irq_enable(regs);
	repair_user_fault(regs, error_code, address);
	cond_local_irq_disable(regs);
}

/* ---- kernel addresses ---- */

/*
 * Rights of kernel pages are only ever taken away with a flush, and given without one: a processor that still holds the
 * poorer translation faults once, and walking the tables again shows that the access is allowed.
 */
static bool spurious_kernel_fault(unsigned long error_code, unsigned long address)
{
	unsigned int level;
	pte_t *pte;

	if (!(error_code & X86_PF_PROT) || (error_code & (X86_PF_RSVD | X86_PF_USER)))
		return false;
	pte = lookup_address(address, &level);
	if (!pte || !(pte_val(*pte) & _PAGE_PRESENT))
		return false;
	if ((error_code & X86_PF_WRITE) && !pte_write(*pte))
		return false;
	return !((error_code & X86_PF_INSTR) && !pte_exec(*pte));
}

static void do_kern_addr_fault(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	if (user_mode(regs)) {
		cond_local_irq_enable(regs);
		bad_area(regs, error_code, address, SIGSEGV, SEGV_MAPERR);
		cond_local_irq_disable(regs);
		return;
	}
	if (!spurious_kernel_fault(error_code, address))
		kernelmode_fixup_or_oops(regs, error_code, address);
}

void exc_page_fault(struct pt_regs *regs, unsigned long error_code)
{
	unsigned long address = read_cr2();

	trace_mm_fault(address, regs->ip, error_code, 0);
	if (unlikely(address >= TASK_SIZE_MAX))
		do_kern_addr_fault(regs, error_code, address);
	else
		do_user_addr_fault(regs, error_code, address);
}
