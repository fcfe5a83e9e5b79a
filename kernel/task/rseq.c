/*
 * rseq.c: restartable sequences: user code that is undone if the thread loses its CPU in the middle.
 *
 * Idea:    a thread registers a structure in its memory.  Before it returns to user mode after it was switched away, moved
 *          or sent a signal (TIF_NOTIFY_RESUME), the kernel writes the CPU number there, and if the thread stands inside
 *          the critical section that the structure names, sets its instruction pointer to the section's abort address.
 * Context: on the way to user mode, may sleep; a structure that cannot be read or makes no sense is SIGSEGV.
 * See:     rseq(2)
 */
#include <weft/kernel.h>
#include <weft/rseq.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/smp.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/rseq.h>

#define RSEQ_NO_RESTART_FLAGS	7	/* deprecated: must not be set */

static int update_cpu_id(struct task_struct *t, u32 cpu, u32 cpu_start)
{
	return put_user(cpu_start, &t->rseq->cpu_id_start) || put_user(cpu, &t->rseq->cpu_id) ? -EFAULT : 0;
}

/* The abort address is preceded by the signature that was registered: a made-up one is not a place to jump to. */
static int check_signature(struct task_struct *t, u64 abort_ip)
{
	u32 sig;

	if (get_user(sig, (u32 __user *)(unsigned long)(abort_ip - sizeof(u32))))
		return -EFAULT;
	return sig == t->rseq_sig ? 0 : -EINVAL;
}

/* *cs is zero when there is no active section. */
static int get_section(struct task_struct *t, struct rseq_cs *cs)
{
	u64 ptr;

	memset(cs, 0, sizeof(*cs));
	if (get_user(ptr, &t->rseq->rseq_cs))
		return -EFAULT;
	if (!ptr)
		return 0;
	if (ptr >= TASK_SIZE)
		return -EINVAL;
	if (copy_from_user(cs, u64_to_user_ptr(ptr), sizeof(*cs)))
		return -EFAULT;
	if (cs->start_ip >= TASK_SIZE || cs->start_ip + cs->post_commit_offset >= TASK_SIZE || cs->abort_ip >= TASK_SIZE ||
	    cs->version > 0 || (cs->flags & ~RSEQ_NO_RESTART_FLAGS))
		return -EINVAL;
	/* The abort handler inside its own section would be aborted for ever. */
	if (cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	return check_signature(t, cs->abort_ip);
}

static int fixup_ip(struct task_struct *t, struct pt_regs *regs)
{
	struct rseq_cs cs;
	int err = get_section(t, &cs);

	if (err)
		return err;
	if (!cs.abort_ip && !cs.start_ip)
		return 0;
	/* Used up, whether we are inside or have left it. */
	if (put_user(0ULL, &t->rseq->rseq_cs))
		return -EFAULT;
	if (instruction_pointer(regs) - cs.start_ip < cs.post_commit_offset)
		instruction_pointer_set(regs, cs.abort_ip);
	return 0;
}

void __rseq_handle_notify_resume(struct ksignal *ksig, struct pt_regs *regs)
{
	struct task_struct *t = current;
	u32 cpu;

	if (t->flags & PF_EXITING)
		return;
	if (regs && fixup_ip(t, regs))
		goto error;
	/* A move after this look sets TIF_NOTIFY_RESUME again, and the exit loop brings us back. */
	cpu = (u32)raw_smp_processor_id();
	if (!update_cpu_id(t, cpu, cpu))
		return;
error:
	force_sigsegv(ksig ? ksig->sig : 0);
}

static int unregister(struct rseq __user *rseq, u32 len, u32 sig)
{
	struct task_struct *t = current;

	if (!t->rseq || t->rseq != rseq || t->rseq_len != len)
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if (update_cpu_id(t, (u32)RSEQ_CPU_ID_UNINITIALIZED, 0))
		return -EFAULT;
	t->rseq = NULL;
	t->rseq_len = t->rseq_sig = 0;
	return 0;
}

long sys_rseq(struct rseq __user *rseq, u32 rseq_len, int flags, u32 sig)
{
	struct task_struct *t = current;

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags & ~RSEQ_FLAG_UNREGISTER ? -EINVAL : unregister(rseq, rseq_len, sig);
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != rseq || t->rseq_len != rseq_len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (!IS_ALIGNED((unsigned long)rseq, __alignof__(*rseq)) || rseq_len != sizeof(*rseq))
		return -EINVAL;
	if (!access_ok(rseq, rseq_len))
		return -EFAULT;
	t->rseq = rseq;
	t->rseq_len = rseq_len;
	t->rseq_sig = sig;
	/* The CPU number is written on the way out. */
	set_thread_flag(TIF_NOTIFY_RESUME);
	return 0;
}
