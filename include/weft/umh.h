/*
 * umh.h: programs that the kernel starts itself: kernel/task/umh.c.
 */
#ifndef WEFT_UMH_H
#define WEFT_UMH_H

#include <weft/types.h>

/*
 * Runs a program as root, child of a kernel thread, with no files open.  init (or NULL) is called in the new task with
 * data, before its execve; what it returns != 0 is the result.  Waits until the execve has succeeded or failed, not for
 * the program.  0, -errno.  May sleep.
 */
int call_usermodehelper(const char *path, const char *const *argv, const char *const *envp, int (*init)(void *data),
			void *data);

#endif
