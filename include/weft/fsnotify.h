/*
 * fsnotify.h: telling watchers what happens to files.
 *
 * Idea:    an inode knows the union of the events that its watchers want (i_fsnotify_mask); so does each dentry's parent.
 *          The calls here look at these words first: without a watcher an event costs a load or two.
 *          fanotify's marks are in a table of their own, which is asked when there are any.
 * See:     kernel/fs/inotify.c, kernel/fs/fanotify.c; inotify(7), fanotify(7)
 */
#ifndef WEFT_FSNOTIFY_H
#define WEFT_FSNOTIFY_H

#include <weft/fs.h>
#include <uapi/inotify.h>

#define FS_OPEN_EXEC	0x00001000	/* fanotify's: a program is started */
#define FS_RENAME	0x10000000	/* beside the IN_ bits: a name went from here, as dnotify counts it */

extern atomic_t fsnotify_nr_marks;	/* watches in the whole system: 0 makes every hook a single load */
extern atomic_t fanotify_nr_marks;	/* of them fanotify's */
void __fsnotify(struct inode *inode, u32 mask, const struct qstr *name, u32 cookie);
void __fsnotify_parent(struct dentry *dentry, u32 mask);	/* to the inode and to its parent, by name */
void __fsnotify_inode_delete(struct inode *inode);
void fsnotify_unmount_inodes(struct super_block *sb);
u32 fsnotify_get_cookie(void);

void __fanotify_event(const struct path *path, u32 mask);
void __fanotify_forget(const void *object);
void __fanotify_unmount(const struct super_block *sb);
static inline bool fanotify_idle(void) { return likely(!atomic_read(&fanotify_nr_marks)); }
/* The marks of an inode without names, or of a mount that nobody uses. */
static inline void fanotify_forget(const void *object)
{
	if (!fanotify_idle())
		__fanotify_forget(object);
}

static __always_inline bool fsnotify_idle(void) { return likely(!atomic_read(&fsnotify_nr_marks)); }

/* Something happened to what the dentry names. */
static inline void fsnotify_dentry(struct dentry *dentry, u32 mask)
{
	if (fsnotify_idle())
		return;
	__fsnotify_parent(dentry, d_is_dir(dentry) ? mask | IN_ISDIR : mask);
}
static inline void fsnotify_file(struct file *file, u32 mask)
{
	if (fsnotify_idle() || file->f_mode & (FMODE_NONOTIFY | FMODE_PATH))
		return;
	if (!fanotify_idle())
		__fanotify_event(&file->f_path, mask);
	fsnotify_dentry(file->f_path.dentry, mask);
}
/* Something happened to a name in a directory. */
static inline void fsnotify_dirent(struct inode *dir, struct dentry *dentry, u32 mask)
{
	if (!fsnotify_idle() && dir->i_fsnotify_mask)
		__fsnotify(dir, mask, &dentry->d_name, 0);
}
static inline void fsnotify_access(struct file *file) { fsnotify_file(file, IN_ACCESS); }
static inline void fsnotify_modify(struct file *file) { fsnotify_file(file, IN_MODIFY); }
static inline void fsnotify_open(struct file *file)
{
	fsnotify_file(file, file->f_flags & __FMODE_EXEC ? IN_OPEN | FS_OPEN_EXEC : IN_OPEN);
}
static inline void fsnotify_close(struct file *file)
{
	fsnotify_file(file, file->f_mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
}
static inline void fsnotify_create(struct inode *dir, struct dentry *dentry) { fsnotify_dirent(dir, dentry, IN_CREATE); }
static inline void fsnotify_mkdir(struct inode *dir, struct dentry *dentry)
{
	fsnotify_dirent(dir, dentry, IN_CREATE | IN_ISDIR);
}
static inline void fsnotify_unlink(struct inode *dir, struct dentry *dentry) { fsnotify_dirent(dir, dentry, IN_DELETE); }
static inline void fsnotify_rmdir(struct inode *dir, struct dentry *dentry)
{
	fsnotify_dirent(dir, dentry, IN_DELETE | IN_ISDIR);
}
static inline void fsnotify_inoderemove(struct inode *inode)
{
	if (inode->i_fsnotify_mask || !hlist_empty(&inode->i_fsnotify_marks) || !fanotify_idle())
		__fsnotify_inode_delete(inode);
}
static inline void fsnotify_link_count(struct inode *inode)
{
	if (!fsnotify_idle() && inode->i_fsnotify_mask)
		__fsnotify(inode, IN_ATTRIB, NULL, 0);
}
void fsnotify_move(struct inode *old_dir, struct inode *new_dir, const struct qstr *old_name, bool is_dir,
		   struct inode *target, struct dentry *moved);
static inline void fsnotify_change(struct dentry *dentry, unsigned int ia_valid)
{
	u32 mask = 0;

	if (fsnotify_idle())
		return;
	if (ia_valid & (ATTR_UID | ATTR_GID | ATTR_MODE))
		mask |= IN_ATTRIB;
	if (ia_valid & ATTR_SIZE)
		mask |= IN_MODIFY;
	if ((ia_valid & (ATTR_ATIME | ATTR_MTIME)) == (ATTR_ATIME | ATTR_MTIME))
		mask |= IN_ATTRIB;
	else if (ia_valid & ATTR_ATIME)
		mask |= IN_ACCESS;
	else if (ia_valid & ATTR_MTIME)
		mask |= IN_MODIFY;
	if (mask)
		fsnotify_dentry(dentry, mask);
}

#endif
