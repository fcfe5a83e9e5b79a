/*
 * memfd.c: memfd_create(2): files that live in memory and have no name, and the seals that can be put on them.
 *
 * Idea:    a memfd is a tmpfs file (tmpfs/shmem.c).  A seal forbids a kind of change for good, so that a receiver can trust
 *          what a sender gave: SHRINK, GROW, WRITE, FUTURE_WRITE (only new writable mappings and write calls), SEAL (no more
 *          seals).
 * Locking: i_rwsem for seals, so that no write or truncation is half way while one is put on.  F_SEAL_WRITE also needs that
 *          no writable shared mapping exists or can come: mapping_deny_writable() makes the count of them negative.
 * See:     spec.md §10; memfd_create(2), fcntl(2) "File Sealing"
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/sched.h>
#include <weft/shmem_fs.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/memfd.h>

#define MFD_NAME_PREFIX		"memfd:"
#define MFD_NAME_MAX_LEN	(NAME_MAX - (sizeof(MFD_NAME_PREFIX) - 1))
#define F_ALL_SEALS		(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

unsigned int *memfd_file_seals_ptr(struct file *file)
{
	return shmem_mapping(file->f_mapping) ? &SHMEM_I(file_inode(file))->seals : NULL;
}

static int add_seals_locked(struct file *file, unsigned int *have, unsigned int seals)
{
	int err;

	if (*have & F_SEAL_SEAL)
		return -EPERM;
	if ((seals & F_SEAL_WRITE) && !(*have & F_SEAL_WRITE)) {
		err = mapping_deny_writable(file->f_mapping);
		if (err)
			return err;
	}
	*have |= seals;
	return 0;
}

static long memfd_add_seals(struct file *file, unsigned int seals)
{
	unsigned int *have = memfd_file_seals_ptr(file);
	struct inode *inode = file_inode(file);
	int err;

	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	if ((seals & ~F_ALL_SEALS) || !have)
		return -EINVAL;
	inode_lock(inode);
	err = add_seals_locked(file, have, seals);
	inode_unlock(inode);
	return err;
}

/* F_ADD_SEALS, F_GET_SEALS.  -EINVAL when the file cannot have seals, -EPERM when more are forbidden, -EBUSY: mapped. */
long memfd_fcntl(struct file *file, unsigned int cmd, unsigned long arg)
{
	unsigned int *have;

	switch (cmd) {
	case F_ADD_SEALS:
		return arg > UINT_MAX ? -EINVAL : memfd_add_seals(file, arg);
	case F_GET_SEALS:
		have = memfd_file_seals_ptr(file);
		return have ? (long)*have : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* "memfd:" and the user's name; ERR_PTR(-EINVAL) when it is too long. */
static char *copy_name(const char __user *uname)
{
	size_t prefix = sizeof(MFD_NAME_PREFIX) - 1;
	long len = strnlen_user(uname, MFD_NAME_MAX_LEN + 1);
	char *name;

	if (len <= 0)
		return ERR_PTR(-EFAULT);
	if (len > (long)MFD_NAME_MAX_LEN + 1)
		return ERR_PTR(-EINVAL);
	name = kmalloc(prefix + len, GFP_KERNEL);
	if (!name)
		return ERR_PTR(-ENOMEM);
	memcpy(name, MFD_NAME_PREFIX, prefix);
	/* Somebody may have made it longer meanwhile. */
	if (copy_from_user(name + prefix, uname, len) || name[prefix + len - 1]) {
		kfree(name);
		return ERR_PTR(-EFAULT);
	}
	return name;
}

long sys_memfd_create(const char __user *uname, unsigned int flags)
{
	struct file *file;
	char *name;
	int fd;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;			/* there are no huge pages either */
	name = copy_name(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	fd = get_unused_fd_flags((flags & MFD_CLOEXEC) ? O_CLOEXEC : 0);
	if (fd < 0)
		goto free_name;
	file = shmem_file_setup(name, 0, VM_NORESERVE);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto free_name;
	}
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
	file->f_flags |= O_LARGEFILE;
	if (flags & MFD_ALLOW_SEALING)
		*memfd_file_seals_ptr(file) &= ~F_SEAL_SEAL;
	fd_install(fd, file);
free_name:
	kfree(name);
	return fd;
}
