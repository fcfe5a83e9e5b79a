/*
 * ptrace.h: requests, options, events and structures of ptrace(2), as x86-64 Linux numbers and lays them out.
 */
#ifndef UAPI_PTRACE_H
#define UAPI_PTRACE_H

#include <uapi/types.h>

#define PTRACE_TRACEME			0
#define PTRACE_PEEKTEXT			1
#define PTRACE_PEEKDATA			2
#define PTRACE_PEEKUSR			3
#define PTRACE_POKETEXT			4
#define PTRACE_POKEDATA			5
#define PTRACE_POKEUSR			6
#define PTRACE_CONT			7
#define PTRACE_KILL			8
#define PTRACE_SINGLESTEP		9
#define PTRACE_GETREGS			12
#define PTRACE_SETREGS			13
#define PTRACE_GETFPREGS		14
#define PTRACE_SETFPREGS		15
#define PTRACE_ATTACH			16
#define PTRACE_DETACH			17
#define PTRACE_GETFPXREGS		18	/* of 32-bit debuggers */
#define PTRACE_SETFPXREGS		19
#define PTRACE_OLDSETOPTIONS		21
#define PTRACE_SYSCALL			24
#define PTRACE_GET_THREAD_AREA		25
#define PTRACE_SET_THREAD_AREA		26
#define PTRACE_ARCH_PRCTL		30
#define PTRACE_SYSEMU			31
#define PTRACE_SYSEMU_SINGLESTEP	32
#define PTRACE_SETOPTIONS		0x4200
#define PTRACE_GETEVENTMSG		0x4201
#define PTRACE_GETSIGINFO		0x4202
#define PTRACE_SETSIGINFO		0x4203
#define PTRACE_GETREGSET		0x4204
#define PTRACE_SETREGSET		0x4205
#define PTRACE_SEIZE			0x4206
#define PTRACE_INTERRUPT		0x4207
#define PTRACE_LISTEN			0x4208
#define PTRACE_PEEKSIGINFO		0x4209
#define PTRACE_GETSIGMASK		0x420a
#define PTRACE_SETSIGMASK		0x420b
#define PTRACE_SECCOMP_GET_FILTER	0x420c
#define PTRACE_SECCOMP_GET_METADATA	0x420d
#define PTRACE_GET_SYSCALL_INFO		0x420e
#define PTRACE_GET_RSEQ_CONFIGURATION	0x420f

#define PTRACE_EVENT_FORK		1
#define PTRACE_EVENT_VFORK		2
#define PTRACE_EVENT_CLONE		3
#define PTRACE_EVENT_EXEC		4
#define PTRACE_EVENT_VFORK_DONE		5
#define PTRACE_EVENT_EXIT		6
#define PTRACE_EVENT_SECCOMP		7
#define PTRACE_EVENT_STOP		128

/* Options: bit n tells of event n; bit 0 marks system-call stops. */
#define PTRACE_O_TRACESYSGOOD		1
#define PTRACE_O_EXITKILL		(1 << 20)
#define PTRACE_O_SUSPEND_SECCOMP	(1 << 21)
#define PTRACE_O_MASK			(0xff | PTRACE_O_EXITKILL | PTRACE_O_SUSPEND_SECCOMP)

#define PTRACE_EVENTMSG_SYSCALL_ENTRY	1
#define PTRACE_EVENTMSG_SYSCALL_EXIT	2

#define PTRACE_SYSCALL_INFO_NONE	0
#define PTRACE_SYSCALL_INFO_ENTRY	1
#define PTRACE_SYSCALL_INFO_EXIT	2
#define PTRACE_SYSCALL_INFO_SECCOMP	3
#define AUDIT_ARCH_I386			0x40000003U
#define AUDIT_ARCH_X86_64		0xc000003eU

#define PTRACE_PEEKSIGINFO_SHARED	1
struct ptrace_peeksiginfo_args {
	__u64 off;
	__u32 flags;
	__s32 nr;
};

struct ptrace_syscall_info {
	__u8	op;
	__u8	pad[3];
	__u32	arch;
	__u64	instruction_pointer;
	__u64	stack_pointer;
	union {
		struct { __u64 nr, args[6]; } entry;
		struct { __s64 rval; __u8 is_error; } exit;
		struct { __u64 nr, args[6]; __u32 ret_data; } seccomp;
	};
};

struct user_regs_struct {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	unsigned long ip, cs, flags, sp, ss, fs_base, gs_base, ds, es, fs, gs;
};
struct ptrace_rseq_configuration {
	__u64	rseq_abi_pointer;
	__u32	rseq_abi_size, signature, flags, pad;
};

/* Of a 32-bit tracee, by PTRACE_GETREGSET, and what a 32-bit tracer's PTRACE_GETREGS fills in. */
struct user_regs_struct32 {
	__u32 bx, cx, dx, si, di, bp, ax, ds, es, fs, gs, orig_ax, ip, cs, flags, sp, ss;
};
#define USER_DEBUGREG_OFFSET	848	/* of u_debugreg[8] in struct user */
#define USER_STRUCT_SIZE	928

#endif
