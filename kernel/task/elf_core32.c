/*
 * elf_core32.c: core files of 32-bit programs: ELF32, i386's structures in the notes.
 *
 * Idea:    elf_core.c decides what is written and in which order; this file is its table of functions for ELF32.
 * Notes:   as elf_core.c has them, and per thread NT_PRXFPREG (FXSAVE's image; NT_PRFPREG has FSAVE's) and NT_386_TLS (its
 *          thread areas), without which a debugger finds no thread-local variables.
 * Locking: see elf_core.c.
 * See:     elf_core.h; arch/x86/ia32/ptrace_ia32.c for the registers
 */
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/elf.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/string.h>
#include <uapi/ldt.h>
#include <asm/fpu.h>
#include "coredump.h"
#include "elf_core.h"

#define NT_SIGINFO	0x53494749

struct prstatus32 {
	s32			si_signo, si_code, si_errno;
	s16			cursig;
	u32			sigpend, sighold;
	s32			pid, ppid, pgrp, sid;
	struct old_timeval32	utime, stime, cutime, cstime;
	struct user_regs_struct32 regs;
	s32			fpvalid;
};
static_assert(sizeof(struct prstatus32) == 144);

struct prpsinfo32 {
	char	state, sname, zomb, nice;
	u32	flag;
	u16	uid, gid;
	s32	pid, ppid, pgrp, sid;
	char	fname[16], psargs[80];
};
static_assert(sizeof(struct prpsinfo32) == 124);

static bool add_status32(struct elf_core *c, struct task_struct *t, const kernel_siginfo_t *info)
{
	struct core_status s;
	struct prstatus32 st;

	elf_core_status(&s, t);
	memset(&st, 0, sizeof(st));
	st = (struct prstatus32){
		.si_signo = info->si_signo, .si_code = info->si_code, .si_errno = info->si_errno,
		.cursig = (s16)info->si_signo, .sigpend = (u32)t->pending.signal.sig[0],
		.sighold = (u32)t->blocked.sig[0], .pid = s.pid, .ppid = s.ppid, .pgrp = s.pgrp, .sid = s.sid,
		.utime = { (s32)s.utime.sec, (s32)s.utime.usec }, .stime = { (s32)s.stime.sec, (s32)s.stime.usec },
		.cutime = { (s32)s.cutime.sec, (s32)s.cutime.usec },
		.cstime = { (s32)s.cstime.sec, (s32)s.cstime.usec }, .fpvalid = 1,
	};
	get_user_regs32(t, &st.regs);
	return elf_core_add_note(c, "CORE", NT_PRSTATUS, &st, sizeof(st));
}

static bool add_psinfo32(struct elf_core *c, struct mm_struct *mm)
{
	struct core_status s;
	struct prpsinfo32 ps;

	elf_core_status(&s, current);
	memset(&ps, 0, sizeof(ps));
	ps = (struct prpsinfo32){
		.sname = 'R', .nice = (char)task_nice(current), .flag = current->flags,
		.uid = high2lowuid(from_kuid_munged(current_user_ns(), current_uid())),
		.gid = high2lowuid(from_kgid_munged(current_user_ns(), current_gid())),
		.pid = task_tgid_vnr(current), .ppid = s.ppid, .pgrp = s.pgrp, .sid = s.sid,
	};
	elf_core_names(mm, ps.fname, ps.psargs);
	return elf_core_add_note(c, "CORE", NT_PRPSINFO, &ps, sizeof(ps));
}

static bool add_siginfo32(struct elf_core *c, const kernel_siginfo_t *info)
{
	struct compat_siginfo user;

	siginfo_to_compat(&user, info);
	return elf_core_add_note(c, "CORE", NT_SIGINFO, &user, sizeof(user));
}

static bool add_auxv32(struct elf_core *c, struct mm_struct *mm)
{
	u32 auxv[ARRAY_SIZE(mm->saved_auxv)];
	size_t words = 0;

	do {
		auxv[words] = (u32)mm->saved_auxv[words];
		auxv[words + 1] = (u32)mm->saved_auxv[words + 1];
		words += 2;
	} while (auxv[words - 2] && words + 2 <= ARRAY_SIZE(auxv));
	return elf_core_add_note(c, "CORE", NT_AUXV, auxv, words * sizeof(auxv[0]));
}

static bool add_fpu32(struct elf_core *c, struct task_struct *t, struct xregs_state *x)
{
	struct user_desc areas[NR_THREAD_AREAS];
	u8 env[FPREGS32_SIZE];

	fpu_get_state(t, x);
	get_fpregs32(x, env);
	get_thread_areas(t, areas);
	return elf_core_add_note(c, "CORE", NT_PRFPREG, env, sizeof(env)) &&
	       elf_core_add_note(c, "LINUX", NT_PRXFPREG, x, sizeof(struct fxregs_state)) &&
	       (fpu_user_xstate_size <= sizeof(struct fxregs_state) ||
		elf_core_add_note(c, "LINUX", NT_X86_XSTATE, x, fpu_user_xstate_size)) &&
	       elf_core_add_note(c, "LINUX", NT_386_TLS, areas, sizeof(areas));
}

static bool put_headers32(struct core_dump *d, const struct elf_core *c)
{
	size_t notes = sizeof(Elf32_Ehdr) + ((size_t)c->nr_areas + 1) * sizeof(Elf32_Phdr);
	unsigned long at = PAGE_ALIGN(notes + c->len);
	Elf32_Ehdr e = {
		.e_ident = ELFMAG "\1\1\1",		/* 32 bits, little endian, version 1 */
		.e_type = ET_CORE, .e_machine = EM_386, .e_version = 1, .e_phoff = sizeof(e), .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = (u16)(c->nr_areas + 1),
	};
	Elf32_Phdr ph = { .p_type = PT_NOTE, .p_offset = (u32)notes, .p_filesz = (u32)c->len, .p_align = 4 };

	if (!dump_emit(d, &e, sizeof(e)) || !dump_emit(d, &ph, sizeof(ph)))
		return false;
	for (int i = 0; i < c->nr_areas; i++) {
		const struct core_area *a = &c->areas[i];

		ph = (Elf32_Phdr){
			.p_type = PT_LOAD, .p_offset = (u32)at, .p_vaddr = (u32)a->start, .p_filesz = (u32)a->size,
			.p_memsz = (u32)(a->end - a->start), .p_align = PAGE_SIZE,
			.p_flags = (a->flags & VM_READ ? PF_R : 0) | (a->flags & VM_WRITE ? PF_W : 0) |
				   (a->flags & VM_EXEC ? PF_X : 0),
		};
		if (!dump_emit(d, &ph, sizeof(ph)))
			return false;
		at += a->size;
	}
	if (!dump_emit(d, c->notes, c->len))
		return false;
	dump_skip(d, PAGE_ALIGN(notes + c->len) - (notes + c->len));
	return true;
}

const struct core_format core_format32 = {
	.add_status = add_status32, .add_psinfo = add_psinfo32, .add_siginfo = add_siginfo32, .add_auxv = add_auxv32,
	.add_fpu = add_fpu32, .put_headers = put_headers32, .word = sizeof(u32),
};
