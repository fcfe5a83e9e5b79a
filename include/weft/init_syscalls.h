/*
 * init_syscalls.h: system calls that the kernel makes for itself before the first program runs: for the initramfs.
 *
 * Context: start-up only (the code is freed later), may sleep.  Names are kernel strings; 0 or -errno.
 * See:     kernel/fs/init.c
 */
#ifndef WEFT_INIT_SYSCALLS_H
#define WEFT_INIT_SYSCALLS_H

#include <weft/types.h>
#include <weft/stat.h>
#include <weft/time64.h>

struct file;

int init_mount(const char *dev_name, const char *dir, const char *type, unsigned long flags, void *data);
int init_umount(const char *name, int flags);
int init_chdir(const char *name);
int init_chroot(const char *name);
int init_chown(const char *name, uid_t user, gid_t group, int flags);
int init_chmod(const char *name, umode_t mode);
int init_eaccess(const char *name);
int init_stat(const char *name, struct kstat *stat, int flags);
int init_mknod(const char *name, umode_t mode, unsigned int dev);	/* dev as in mknod(2) */
int init_link(const char *oldname, const char *newname);
int init_symlink(const char *oldname, const char *newname);
int init_unlink(const char *name);
int init_mkdir(const char *name, umode_t mode);
int init_rmdir(const char *name);
int init_utimes(const char *name, struct timespec64 *times);
int init_dup(struct file *file);

#endif
