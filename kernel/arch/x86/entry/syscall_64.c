/*
 * syscall_64.c: the dispatch table of system calls and their names.
 *
 * Idea:    one array indexed by number; entry_64.S jumps through it with the arguments still in their registers, so each
 *          entry is the typed function itself.  Holes hold sys_unimplemented().
 * See:     syscall_64.tbl, from which <generated/syscall_table.h> is made
 */
#include <weft/kernel.h>
#include <weft/syscalls.h>
#include <asm/entry.h>
#include <asm/syscall.h>
#include <generated/nr_syscalls.h>

long stub_rt_sigreturn(void);
long stub_execve(void);
long stub_execveat(void);

const unsigned int nr_syscalls = NR_syscalls;

/* The functions' types differ; all take their arguments from the same registers, and only assembly calls them. */
#define SYSCALL(nr, entry)	[nr] = (sys_call_ptr_t)(void *)entry,
#define SYSCALL_NAME(nr, name)
const sys_call_ptr_t sys_call_table[NR_syscalls] = {
#include <generated/syscall_table.h>
};
#undef SYSCALL
#undef SYSCALL_NAME

#define SYSCALL(nr, entry)
#define SYSCALL_NAME(nr, name)	[nr] = name,
const char *const syscall_names[NR_syscalls] = {
#include <generated/syscall_table.h>
};
