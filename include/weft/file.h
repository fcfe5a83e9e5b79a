/*
 * file.h: from a descriptor number to a file and back.
 *
 * Idea:    fdget() takes no reference when the caller's descriptor table is its own: nobody else can close the file
 *          meanwhile.  fdput() knows by the low bit of the word.
 * See:     kernel/fs/file.c
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <weft/types.h>
#include <weft/fs.h>

void fput(struct file *file);			/* any context; ->release() runs before the return to user mode */
void __fput_sync(struct file *file);		/* ->release() at once: no locks held */
void flush_delayed_fput(void);

struct fd {
	struct file	*file;
	unsigned int	flags;
};
#define FDPUT_FPUT		1	/* drop a reference */
#define FDPUT_POS_UNLOCK	2	/* unlock f_pos_lock */

unsigned long __fdget(unsigned int fd);		/* the file's address, FDPUT_* in the low bits; 0: no such */
unsigned long __fdget_raw(unsigned int fd);	/* ... also O_PATH files */
unsigned long __fdget_pos(unsigned int fd);	/* ... with f_pos locked when needed */
void __f_unlock_pos(struct file *file);

static inline struct fd __to_fd(unsigned long v)
{
	return (struct fd){ (struct file *)(v & ~3UL), v & 3 };
}
static inline struct fd fdget(unsigned int fd) { return __to_fd(__fdget(fd)); }
static inline struct fd fdget_raw(unsigned int fd) { return __to_fd(__fdget_raw(fd)); }
static inline struct fd fdget_pos(unsigned int fd) { return __to_fd(__fdget_pos(fd)); }
static inline void fdput(struct fd f)
{
	if (f.flags & FDPUT_FPUT)
		fput(f.file);
}
static inline void fdput_pos(struct fd f)
{
	if (f.flags & FDPUT_POS_UNLOCK)
		__f_unlock_pos(f.file);
	fdput(f);
}

struct file *fget(unsigned int fd);		/* + reference, or NULL.  O_PATH files are not found */
struct file *fget_raw(unsigned int fd);
struct file *fget_task(struct task_struct *task, unsigned int fd);

int get_unused_fd_flags(unsigned int flags);	/* reserves the lowest free number; O_CLOEXEC */
int __get_unused_fd_flags(unsigned int flags, unsigned long nofile);
void put_unused_fd(unsigned int fd);
void fd_install(unsigned int fd, struct file *file);	/* takes over the reference; cannot fail */
int receive_fd(struct file *file, int __user *ufd, unsigned int o_flags);
int replace_fd(unsigned int fd, struct file *file, unsigned int flags);
int f_dupfd(unsigned int from, struct file *file, unsigned int flags);
void set_close_on_exec(unsigned int fd, int flag);
bool get_close_on_exec(unsigned int fd);
int close_fd(unsigned int fd);
struct file *close_fd_get_file(unsigned int fd);

struct file *alloc_empty_file(int flags, const struct cred *cred);	/* ERR_PTR(-ENFILE, -ENOMEM) */
struct file *alloc_empty_file_noaccount(int flags, const struct cred *cred);
struct file *alloc_file_pseudo(struct inode *inode, struct vfsmount *mnt, const char *name, int flags,
			       const struct file_operations *fops);
struct file *alloc_file_clone(struct file *base, int flags, const struct file_operations *fops);
struct file *alloc_file(const struct path *path, int flags, const struct file_operations *fops);

#endif
