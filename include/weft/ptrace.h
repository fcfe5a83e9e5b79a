/*
 * ptrace.h: looking into another task.  For now only the permission check that /proc and process_vm_* share; tracing
 * itself comes with a later issue.
 */
#ifndef WEFT_PTRACE_H
#define WEFT_PTRACE_H

#include <weft/types.h>
#include <weft/arch.h>

struct task_struct;

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

#endif
