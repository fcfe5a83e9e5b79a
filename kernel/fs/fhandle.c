/*
 * fhandle.c: files by handle instead of name: name_to_handle_at(2), open_by_handle_at(2).
 *
 * Idea:    a handle is an inode's number and its generation, a number that another file with the same inode number has
 *          not: so a handle of a removed file is noticed as stale.  It is for servers that must find a file again after
 *          all its descriptors are gone, and passes by all permissions of directories: CAP_DAC_READ_SEARCH.
 *          A file system has handles if it can find an inode by the two numbers (super_operations.inode_by_handle).
 * Locking: make_findable() has a mutex of its own, so that an inode in memory gets one generation for good.  The rest looks
 *          things up through the inode cache, which has its own locks.
 * Limits:  a directory that has no name in the cache is opened as a root of its own: its ".." is itself.
 * See:     open_by_handle_at(2)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/mount.h>
#include <weft/mutex.h>
#include <weft/namei.h>
#include <weft/random.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/fcntl.h>
#include "internal.h"

#define MAX_HANDLE_SIZE	128
#define HANDLE_INO64_GEN 0x81

struct file_handle {
	u32	handle_bytes;
	s32	handle_type;
};

/* The opaque part: little-endian as the machine, no padding. */
struct handle_body {
	u32	ino[2], generation;
};
_Static_assert(sizeof(struct handle_body) == 12, "as long as Linux's of that type");

/* ---- name_to_handle_at(2) ---- */

/* The inodes of file systems in memory cannot be found by number, until somebody wants to. */
static void make_findable(struct inode *inode)
{
	static DEFINE_MUTEX(lock);

	mutex_lock(&lock);
	if (inode_unhashed(inode)) {
		inode->i_generation = get_random_u32();
		insert_inode_hash(inode);
	}
	mutex_unlock(&lock);
}

static int encode(struct inode *inode, struct file_handle __user *uhandle)
{
	struct handle_body body = { .ino = { (u32)inode->i_ino, (u32)(inode->i_ino >> 32) } };
	struct file_handle head;
	bool fits;

	make_findable(inode);
	body.generation = inode->i_generation;
	if (copy_from_user(&head, uhandle, sizeof(head)))
		return -EFAULT;
	if (head.handle_bytes > MAX_HANDLE_SIZE)
		return -EINVAL;
	fits = head.handle_bytes >= sizeof(body);
	head = (struct file_handle){ .handle_bytes = sizeof(body), .handle_type = HANDLE_INO64_GEN };
	if (copy_to_user(uhandle, &head, sizeof(head)) || (fits && copy_to_user(uhandle + 1, &body, sizeof(body))))
		return -EFAULT;
	return fits ? 0 : -EOVERFLOW;
}

long sys_name_to_handle_at(int dfd, const char __user *name, struct file_handle __user *handle, int __user *mnt_id, int flag)
{
	unsigned int lookup = flag & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	struct path path;
	int err;

	if (flag & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	lookup |= flag & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0;
	err = user_path_at(dfd, name, lookup, &path);
	if (err)
		return err;
	err = -EOPNOTSUPP;
	if (path.dentry->d_sb->s_op->inode_by_handle) {
		err = encode(d_inode(path.dentry), handle);
		if ((!err || err == -EOVERFLOW) && put_user(real_mount(path.mnt)->mnt_id, mnt_id))
			err = -EFAULT;
	}
	path_put(&path);
	return err;
}

/* ---- open_by_handle_at(2) ---- */

/* The mount that a descriptor is on, + reference. */
static struct vfsmount *mount_of_fd(int fd)
{
	struct vfsmount *mnt;
	struct path pwd;
	struct fd f;

	if (fd == AT_FDCWD) {
		get_fs_pwd(current->fs, &pwd);
		dput(pwd.dentry);
		return pwd.mnt;
	}
	f = fdget_raw((unsigned int)fd);
	if (!f.file)
		return ERR_PTR(-EBADF);
	mnt = mntget(f.file->f_path.mnt);
	fdput(f);
	return mnt;
}

/* The dentry of what the handle says, + reference; ERR_PTR(-ESTALE). */
static struct dentry *decode(struct super_block *sb, const struct file_handle *head, const struct handle_body *body)
{
	struct inode *inode;

	if (!sb->s_op->inode_by_handle || head->handle_type != HANDLE_INO64_GEN || head->handle_bytes < sizeof(*body))
		return ERR_PTR(-ESTALE);
	inode = sb->s_op->inode_by_handle(sb, body->ino[0] | (u64)body->ino[1] << 32, body->generation);
	if (IS_ERR(inode) && PTR_ERR(inode) != -ENOMEM)
		return ERR_PTR(-ESTALE);
	return d_obtain_alias(inode);
}

static int handle_to_path(int mountdirfd, struct file_handle __user *uhandle, struct path *path)
{
	struct handle_body body = { };
	struct file_handle head;

	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	if (copy_from_user(&head, uhandle, sizeof(head)))
		return -EFAULT;
	if (!head.handle_bytes || head.handle_bytes > MAX_HANDLE_SIZE)
		return -EINVAL;
	if (copy_from_user(&body, uhandle + 1, min_t(size_t, head.handle_bytes, sizeof(body))))
		return -EFAULT;
	path->mnt = mount_of_fd(mountdirfd);
	if (IS_ERR(path->mnt))
		return PTR_ERR(path->mnt);
	path->dentry = decode(path->mnt->mnt_sb, &head, &body);
	if (!IS_ERR(path->dentry))
		return 0;
	mntput(path->mnt);
	return PTR_ERR(path->dentry);
}

long sys_open_by_handle_at(int mountdirfd, struct file_handle __user *handle, int flags)
{
	struct open_how how = build_open_how(flags | (in_compat_syscall() ? 0 : O_LARGEFILE), 0);
	struct open_flags op;
	struct path path;
	struct file *file;
	int err = handle_to_path(mountdirfd, handle, &path);

	if (err)
		return err;
	err = build_open_flags(&how, &op);
	file = err ? ERR_PTR(err) : do_file_open_root(&path, "", &op);
	path_put(&path);
	return install_file(file, flags & O_CLOEXEC);
}
