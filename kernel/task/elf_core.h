/*
 * elf_core.h: between elf_core.c, which writes core files, and elf_core32.c, which knows how those of 32-bit programs differ.
 */
#ifndef TASK_ELF_CORE_H
#define TASK_ELF_CORE_H

#include <weft/sched.h>
#include <weft/signal_types.h>

struct core_dump;
struct xregs_state;

/* An area as it was when the dump began, and how much of it, from its start, is saved. */
struct core_area {
	unsigned long	start, end, flags, size;
};

struct elf_core {
	struct core_area	*areas;
	int			nr_areas;
	char			*notes;
	size_t			len, cap;	/* of notes, bytes */
};

/* What the notes say of a thread, before it is put into the words of a 64-bit or a 32-bit program. */
struct core_status {
	struct { u64 sec, usec; } utime, stime, cutime, cstime;
	pid_t	pid, ppid, pgrp, sid;
};

bool elf_core_add_note(struct elf_core *c, const char *name, unsigned int type, const void *data, size_t len);
void elf_core_status(struct core_status *st, struct task_struct *t);
/* The process's name and its arguments, spaces between: 16 and 80 bytes of zeros to fill. */
void elf_core_names(struct mm_struct *mm, char *fname, char *psargs);

/* The notes and headers of a process, in one of two sizes of words.  Each: false: out of memory, or writing failed. */
struct core_format {
	bool	(*add_status)(struct elf_core *c, struct task_struct *t, const kernel_siginfo_t *info);
	bool	(*add_psinfo)(struct elf_core *c, struct mm_struct *mm);
	bool	(*add_siginfo)(struct elf_core *c, const kernel_siginfo_t *info);
	bool	(*add_auxv)(struct elf_core *c, struct mm_struct *mm);
	/* x: room for any thread's state */
	bool	(*add_fpu)(struct elf_core *c, struct task_struct *t, struct xregs_state *x);
	bool	(*put_headers)(struct core_dump *d, const struct elf_core *c);
	size_t	word;			/* bytes */
};
extern const struct core_format core_format32;

#endif
