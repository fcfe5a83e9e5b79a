/*
 * fs_struct.h: where a task is: root, working directory, umask.
 *
 * Locking: lock guards all; path walks read pwd and root by seq without it.
 * See:     kernel/fs/fs_struct.c
 */
#ifndef WEFT_FS_STRUCT_H
#define WEFT_FS_STRUCT_H

#include <weft/types.h>
#include <weft/path.h>
#include <weft/spinlock.h>
#include <weft/seqlock.h>

struct task_struct;

/* users: tasks that share it (CLONE_FS). */
struct fs_struct {
	int		users;		/* [lock] */
	spinlock_t	lock;
	seqcount_t	seq;
	int		umask;
	int		in_exec;	/* [lock] */
	struct path	root, pwd;	/* [lock, seq] references */
};

extern struct fs_struct init_fs;

struct fs_struct *copy_fs_struct(struct fs_struct *old);	/* NULL without memory */
void free_fs_struct(struct fs_struct *fs);
void exit_fs(struct task_struct *tsk);
void set_fs_root(struct fs_struct *fs, const struct path *path);
void set_fs_pwd(struct fs_struct *fs, const struct path *path);
void chroot_fs_refs(const struct path *old_root, const struct path *new_root);
void get_fs_root(struct fs_struct *fs, struct path *root);	/* + references */
void get_fs_pwd(struct fs_struct *fs, struct path *pwd);
int current_umask(void);
bool current_chrooted(void);

#endif
