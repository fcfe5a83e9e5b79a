/*
 * binfmts.h: an execve under way, and the formats of programs.
 *
 * Idea:    a format looks at the first bytes (bprm->buf); it answers -ENOEXEC to leave the file to the next format, or
 *          another error to refuse, or loads it.  Until begin_new_exec() nothing of the old program is lost.
 * See:     kernel/task/exec.c
 */
#ifndef WEFT_BINFMTS_H
#define WEFT_BINFMTS_H

#include <weft/types.h>
#include <weft/list.h>
#include <weft/sched.h>
#include <weft/fs.h>

struct filename;

#define BINPRM_BUF_SIZE		256
#define MAX_ARG_STRLEN		(PAGE_SIZE * 32)	/* one word */
#define MAX_ARG_STRINGS		0x7fffffff
#define ARG_MAX_BYTES		131072		/* guaranteed room for arguments and environment */

struct linux_binprm {
	struct vm_area_struct	*vma;		/* the new stack while it is filled */
	struct mm_struct	*mm;		/* the new address space, until exec_mmap() */
	unsigned long		p;		/* top of what is on the new stack */
	unsigned long		argmin;		/* ... must stay above this: rlimit */
	bool			secureexec;	/* AT_SECURE: gained rights */
	bool			point_of_no_return;	/* the old program is gone: errors kill */
	struct file		*file;		/* what is being looked at; a reference that may not write */
	struct file		*interpreter;	/* of a script: becomes `file` in the next round */
	struct cred		*cred;		/* the new credentials */
	int			unsafe;		/* LSM_UNSAFE_*: why set-id bits must be ignored */
	unsigned int		per_clear;	/* bits to clear in current->personality */
	int			argc, envc;
	const char		*filename;	/* as execve got it: AT_EXECFN */
	const char		*interp;	/* what really is run: differs for scripts */
	char			*fdpath;	/* made name for execveat() */
	bool			nondumpable;	/* a file that its user cannot read: would_dump() */
	bool			path_inaccessible;	/* fdpath goes through a close-on-exec descriptor: no script */
	unsigned long		exec;		/* where AT_EXECFN's string lies */
	struct rlimit64		rlim_stack;	/* saved: another thread may change the limit meanwhile */
	char			buf[BINPRM_BUF_SIZE];	/* the first bytes, padded with zero */
};

#define LSM_UNSAFE_SHARE	1		/* fs_struct shared with another process */
#define LSM_UNSAFE_PTRACE	2
#define LSM_UNSAFE_NO_NEW_PRIVS	4

struct linux_binfmt {
	struct list_head	lh;		/* [I] in exec.c's list of formats */
	const char		*name;
	int			(*load_binary)(struct linux_binprm *bprm);
};
void register_binfmt(struct linux_binfmt *fmt);	/* boot time */

/* ---- exec.c, for the formats ---- */
int begin_new_exec(struct linux_binprm *bprm);	/* the point of no return; 0 or -errno */
void setup_new_exec(struct linux_binprm *bprm);
void finalize_exec(struct linux_binprm *bprm);
#define EXSTACK_DEFAULT		0
#define EXSTACK_DISABLE_X	1
#define EXSTACK_ENABLE_X	2
int setup_arg_pages(struct linux_binprm *bprm, unsigned long stack_top, int executable_stack);
int copy_string_kernel(const char *arg, struct linux_binprm *bprm);
int remove_arg_zero(struct linux_binprm *bprm);
int bprm_change_interp(const char *interp, struct linux_binprm *bprm);
struct file *open_exec(const char *name);	/* a regular file that may be run, writers shut out; ERR_PTR */
void would_dump(struct linux_binprm *bprm, struct file *file);	/* not readable: not dumpable */

#endif
