/*
 * ptrace.h: looking into another task, and tracing it.
 *
 * What:    the permission check that /proc and process_vm_* share; what the rest of the kernel calls where a tracer may
 *          want to know (fork, exec, exit, system calls, signals); what the parts of ptrace call of each other.
 * Idea:    a tracee stops itself (ptrace_stop()), always; its tracer, now its ->parent, learns of it by wait4, works on
 *          it while it is frozen in TASK_TRACED, and lets it go on with a signal number in ->exit_code.
 * Locking: ->ptrace, ->parent, ->ptrace_entry: tasklist_lock for writing, ->ptrace siglock too.  jobctl: siglock.
 * See:     kernel/task/ptrace.c (tracer), ptrace_stop.c (tracee), kernel/arch/x86/kernel/ptrace.c (registers)
 */
#ifndef WEFT_PTRACE_H
#define WEFT_PTRACE_H

#include <weft/types.h>
#include <weft/arch.h>
#include <weft/sched.h>
#include <weft/coredump.h>
#include <uapi/ptrace.h>

struct user_namespace;
struct task_struct;
struct cred;

#define PTRACE_MODE_READ	0x01
#define PTRACE_MODE_ATTACH	0x02
#define PTRACE_MODE_NOAUDIT	0x04
#define PTRACE_MODE_FSCREDS	0x08
#define PTRACE_MODE_REALCREDS	0x10
#define PTRACE_MODE_READ_FSCREDS	(PTRACE_MODE_READ | PTRACE_MODE_FSCREDS)
#define PTRACE_MODE_READ_REALCREDS	(PTRACE_MODE_READ | PTRACE_MODE_REALCREDS)
#define PTRACE_MODE_ATTACH_FSCREDS	(PTRACE_MODE_ATTACH | PTRACE_MODE_FSCREDS)
#define PTRACE_MODE_ATTACH_REALCREDS	(PTRACE_MODE_ATTACH | PTRACE_MODE_REALCREDS)

/* kernel/task/cred.c: may current look into task?  Credentials and dumpability.  Any context without siglock. */
bool ptrace_may_access(struct task_struct *task, unsigned int mode);

/* task->ptrace */
#define PT_PTRACED		0x00000001
#define PT_OPT_SHIFT		3
#define PT_EVENT_FLAG(event)	(1U << (PT_OPT_SHIFT + (event)))
#define PT_TRACESYSGOOD		PT_EVENT_FLAG(0)
#define PT_EXITKILL		((unsigned int)PTRACE_O_EXITKILL << PT_OPT_SHIFT)
#define PT_SUSPEND_SECCOMP	((unsigned int)PTRACE_O_SUSPEND_SECCOMP << PT_OPT_SHIFT)
#define PT_SEIZED		0x80000000U

struct kernel_siginfo;

/* ---- ptrace_stop.c: the tracee ---- */
/* siglock held, dropped meanwhile.  why: CLD_*.  Returns the signal with which the tracer let us go on. */
int ptrace_stop(int exit_code, int why, unsigned long message, struct kernel_siginfo *info);
int ptrace_notify(int exit_code, unsigned long message);	/* the same with SIGTRAP; no lock held; may sleep */
int ptrace_signal(int signr, struct kernel_siginfo *info, enum pid_type type);	/* siglock; 0: the tracer ate it */
void do_jobctl_trap(void);			/* siglock held, dropped meanwhile */
void ptrace_trap_notify(struct task_struct *t);	/* siglock: the group stop of a seized task began or ended */
void ptrace_signal_wake_up(struct task_struct *t, bool resume);	/* siglock */
void ptrace_event(int event, unsigned long message);		/* stops if the tracer asked for it */
void ptrace_event_pid(int event, struct pid *pid);	/* the message: its number for the tracer */
void ptrace_syscall_exit(struct pt_regs *regs, unsigned long flags);
bool ptrace_syscall_enter(struct pt_regs *regs, unsigned long flags);	/* false: the call is not to be made */
void ptrace_init_task(struct task_struct *child, bool trace);	/* tasklist_lock for writing, siglock of current */

static inline bool ptrace_event_enabled(const struct task_struct *t, int event)
{
	return (t->ptrace & PT_EVENT_FLAG(event)) != 0;
}
static inline bool task_is_traced(const struct task_struct *t) { return (READ_ONCE(t->__state) & __TASK_TRACED) != 0; }
/* The tracer is another than who would wait for it anyway. */
static inline bool ptrace_reparented(const struct task_struct *t) { return t->real_parent->signal != t->parent->signal; }

/* ---- ptrace.c: the tracer; tasklist_lock for writing ---- */
/* cred: the tracer's rights from now on. */
void ptrace_link(struct task_struct *child, struct task_struct *tracer, const struct cred *cred);
void __ptrace_unlink(struct task_struct *child);
static inline void ptrace_unlink(struct task_struct *child)
{
	if (unlikely(child->ptrace))
		__ptrace_unlink(child);
}
void exit_ptrace(struct task_struct *tracer, struct list_head *dead);	/* lets all go; who is to be released: to *dead */

/* May the tracer of tsk, if it has one, trace whom it likes?  Decided when it attached. */
bool ptracer_capable(struct task_struct *tsk, const struct user_namespace *ns);

/* ---- arch ---- */
long arch_ptrace(struct task_struct *child, long request, unsigned long addr, unsigned long data);
long ptrace_regset(struct task_struct *child, bool set, unsigned long type, void __user *buf, size_t *len);
void ptrace_disable(struct task_struct *child);
long set_user_regs(struct task_struct *child, const struct user_regs_struct *u);	/* -EIO: the processor would refuse */
unsigned long ptrace_get_debugreg(struct task_struct *child, unsigned int n);
long ptrace_set_debugreg(struct task_struct *child, unsigned int n, unsigned long value);
long ptrace_fxregset(struct task_struct *child, bool set, void __user *buf, size_t *len);

/* ---- arch, 32-bit tracees and tracers: ia32/ptrace_ia32.c ---- */
#define FPREGS32_SIZE	108		/* struct user_i387_ia32_struct: FSAVE's image */
#define NR_THREAD_AREAS	3
struct xregs_state;
struct user_desc;
void get_fpregs32(const struct xregs_state *state, void *buf);
void get_thread_areas(struct task_struct *child, struct user_desc *areas);	/* all three */
void get_user_regs32(struct task_struct *child, struct user_regs_struct32 *u);
long ptrace_regset32(struct task_struct *child, bool set, unsigned long type, void __user *buf, size_t *len);
long compat_arch_ptrace(struct task_struct *child, long request, unsigned long addr, unsigned long data);
long ptrace_thread_area(struct task_struct *child, bool set, unsigned long idx, void __user *desc);
void user_enable_single_step(struct task_struct *child);
void user_disable_single_step(struct task_struct *child);

#endif
