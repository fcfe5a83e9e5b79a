/*
 * pty.h: between pty.c (the terminals) and devpts.c (their names).
 */
#ifndef PTY_H
#define PTY_H

#include <weft/types.h>

struct tty_struct;
struct dentry;
struct file;
struct path;

int devpts_new_index(void);			/* a free number, -ENOSPC, -ENOMEM */
void devpts_kill_index(int index);
struct dentry *devpts_pty_new(int index, struct tty_struct *slave);	/* makes /dev/pts/INDEX; ERR_PTR */
void devpts_pty_kill(struct dentry *dentry);	/* the name goes, and open() through it fails from now on */
struct tty_struct *devpts_get_tty(struct file *file);	/* what a file below /dev/pts means; NULL: no more, no reference */
int devpts_get_path(struct dentry *dentry, struct path *path);	/* its path in the visible mount; with references */

#endif
