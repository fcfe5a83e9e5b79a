/*
 * mount.h: a file system's place in the tree of names.
 *
 * Counts:  mntget/mntput: open files, working directories, and one for being in the tree.  Counted per CPU as long as the
 *          mount is in a tree, so that opening files shares no cache line; mntput may sleep at the end.
 * See:     kernel/fs/namespace.c
 */
#ifndef WEFT_MOUNT_H
#define WEFT_MOUNT_H

#include <weft/types.h>
#include <weft/path.h>

struct super_block;
struct dentry;
struct file_system_type;
struct file;
struct inode;
struct seq_file;

#define MNT_NOSUID		0x01
#define MNT_NODEV		0x02
#define MNT_NOEXEC		0x04
#define MNT_NOATIME		0x08
#define MNT_NODIRATIME		0x10
#define MNT_RELATIME		0x20
#define MNT_READONLY		0x40
#define MNT_NOSYMFOLLOW		0x80
#define MNT_WRITE_HOLD		0x200
#define MNT_SHARED		0x1000
#define MNT_UNBINDABLE		0x2000
#define MNT_INTERNAL		0x4000	/* in no tree: pipes, sockets */
/* In a namespace of a less able user namespace: what came from outside stays as it is. */
#define MNT_LOCKED		0x10000	/* not unmounted or moved without its parent: it may hide something */
#define MNT_LOCK_READONLY	0x20000	/* these flags stay set ... */
#define MNT_LOCK_NOSUID		0x40000
#define MNT_LOCK_NODEV		0x80000
#define MNT_LOCK_NOEXEC		0x100000
#define MNT_LOCK_ATIME		0x200000	/* ... and these as they are */
#define MNT_ATIME_MASK		(MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME)
#define MNT_DOOMED		0x1000000
#define MNT_MARKED		0x4000000
#define MNT_UMOUNT		0x8000000	/* taken out of the tree */
#define MNT_USER_SETTABLE_MASK	(MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME | \
				 MNT_READONLY | MNT_NOSYMFOLLOW)

struct vfsmount {
	struct dentry		*mnt_root;	/* [I] what of the file system is seen */
	struct super_block	*mnt_sb;	/* [I] */
	int			mnt_flags;	/* [mount_lock] MNT_*, single reads free */
};

struct vfsmount *mntget(struct vfsmount *mnt);
void mntput(struct vfsmount *mnt);		/* may sleep */
int mnt_want_write(struct vfsmount *mnt);	/* 0: it stays writable until mnt_drop_write(); -EROFS */
int mnt_want_write_file(struct file *file);
void mnt_drop_write(struct vfsmount *mnt);
void mnt_drop_write_file(struct file *file);
bool __mnt_is_readonly(struct vfsmount *mnt);
bool mnt_may_suid(struct vfsmount *mnt);
bool path_noexec(const struct path *path);
struct vfsmount *kern_mount(struct file_system_type *type);	/* in no tree; ERR_PTR */
void kern_mount_adopt(struct vfsmount *mnt);	/* a vfs_kern_mount() becomes one of those: kern_unmount() ends it */
void kern_unmount(struct vfsmount *mnt);
struct vfsmount *clone_private_mount(const struct path *path);	/* in no tree, ended by kern_unmount(); ERR_PTR */
struct vfsmount *vfs_kern_mount(struct file_system_type *type, int flags, const char *name, void *data);
int path_mount(const char *dev_name, struct path *path, const char *type, unsigned long flags, void *data);
long do_mount(const char *dev_name, const char __user *dir, const char *type, unsigned long flags, void *data);
int init_mount(const char *dev_name, const char *dir, const char *type, unsigned long flags, void *data);
int init_mkdir(const char *name, umode_t mode);
int path_umount(struct path *path, int flags);

/* /proc/PID/mounts, mountinfo, mountstats: seq_file functions over the tree of the reader (m->private unused). */
extern const struct seq_operations mounts_op, mountinfo_op, mountstats_op;
struct poll_table_struct;
__poll_t mounts_poll(struct file *file, struct poll_table_struct *pt);
int mounts_open(struct inode *inode, struct file *file);	/* seq_open over the three, with the event of mounts_poll */
int mountinfo_open(struct inode *inode, struct file *file);
int mountstats_open(struct inode *inode, struct file *file);
extern const struct file_operations proc_mounts_operations, proc_mountinfo_operations, proc_mountstats_operations;

extern unsigned int sysctl_mount_max;

#endif
