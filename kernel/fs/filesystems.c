/*
 * filesystems.c: the types of file systems by name, for mount(2), sysfs(2) and /proc/filesystems.
 *
 * Locking: file_systems_lock; a type is never freed (there are no modules), so a pointer to one stays good.
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/string.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <weft/proc_fs.h>
#include <weft/init.h>

static struct file_system_type *file_systems;	/* [file_systems_lock] in order of registration */
static DEFINE_RWLOCK(file_systems_lock);

static struct file_system_type **find_filesystem(const char *name, size_t len)
{
	struct file_system_type **p;

	for (p = &file_systems; *p; p = &(*p)->next) {
		if (strncmp((*p)->name, name, len) == 0 && !(*p)->name[len])
			break;
	}
	return p;
}

/* 0, or -EBUSY when the name is taken. */
int register_filesystem(struct file_system_type *fs)
{
	struct file_system_type **p;
	int err = 0;

	if (fs->next)
		return -EBUSY;
	write_lock(&file_systems_lock);
	p = find_filesystem(fs->name, strlen(fs->name));
	if (*p)
		err = -EBUSY;
	else
		*p = fs;
	write_unlock(&file_systems_lock);
	return err;
}

int unregister_filesystem(struct file_system_type *fs)
{
	struct file_system_type **p;
	int err = -EINVAL;

	write_lock(&file_systems_lock);
	for (p = &file_systems; *p; p = &(*p)->next) {
		if (*p == fs) {
			*p = fs->next;
			fs->next = NULL;
			err = 0;
			break;
		}
	}
	write_unlock(&file_systems_lock);
	return err;
}

/* "fuse.sshfs" finds "fuse": what follows the dot is the file system's own business.  NULL when unknown. */
struct file_system_type *get_fs_type(const char *name)
{
	struct file_system_type *fs;

	read_lock(&file_systems_lock);
	fs = *find_filesystem(name, strchrnul(name, '.') - name);
	read_unlock(&file_systems_lock);
	return fs;
}

static int fs_index(const char __user *uname)
{
	struct file_system_type *fs;
	char *name = strndup_user(uname, PATH_MAX);
	int index = 0, err = -EINVAL;

	if (IS_ERR(name))
		return PTR_ERR(name);
	read_lock(&file_systems_lock);
	for (fs = file_systems; fs; fs = fs->next, index++) {
		if (!strcmp(fs->name, name)) {
			err = index;
			break;
		}
	}
	read_unlock(&file_systems_lock);
	kfree(name);
	return err;
}

static int fs_name(unsigned int index, char __user *buf)
{
	struct file_system_type *fs;

	read_lock(&file_systems_lock);
	for (fs = file_systems; fs && index; fs = fs->next)
		index--;
	read_unlock(&file_systems_lock);
	if (!fs)
		return -EINVAL;
	return copy_to_user(buf, fs->name, strlen(fs->name) + 1) ? -EFAULT : 0;
}

static int fs_count(void)
{
	struct file_system_type *fs;
	int n = 0;

	read_lock(&file_systems_lock);
	for (fs = file_systems; fs; fs = fs->next)
		n++;
	read_unlock(&file_systems_lock);
	return n;
}

long sys_sysfs(int option, unsigned long arg1, unsigned long arg2)
{
	switch (option) {
	case 1:
		return fs_index((const char __user *)arg1);
	case 2:
		return fs_name(arg1, (char __user *)arg2);
	case 3:
		return fs_count();
	}
	return -EINVAL;
}

/* /proc/filesystems: "nodev" for those that need no device. */
static int filesystems_show(struct seq_file *m, void *v)
{
	struct file_system_type *fs;

	read_lock(&file_systems_lock);
	for (fs = file_systems; fs; fs = fs->next)
		seq_printf(m, "%s\t%s\n", fs->fs_flags & FS_REQUIRES_DEV ? "" : "nodev", fs->name);
	read_unlock(&file_systems_lock);
	return 0;
}

static int __init filesystems_init(void)
{
	return proc_create_single("filesystems", 0, NULL, filesystems_show) ? 0 : -ENOMEM;
}
fs_initcall(filesystems_init);
