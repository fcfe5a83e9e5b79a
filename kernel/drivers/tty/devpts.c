/*
 * devpts.c: the file system of pseudo-terminals' names: /dev/pts/0, /dev/pts/1 ...
 *
 * What:    one instance, mounted by the kernel at start-up and shown wherever user space mounts it.  Options uid=, gid=,
 *          mode= (of new slaves), ptmxmode= (of /dev/pts/ptmx), max=; newinstance is accepted without effect.  In a user
 *          namespace, too, the one instance is what is mounted: its rights are those of its files.
 * Idea:    a name's dentry carries the slave's tty_struct in d_fsdata; pty.c takes it away before the master goes, so
 *          whoever still has the dentry opens nothing.
 * Locking: devpts_mutex: d_fsdata against open, and the options.
 * See:     pty.c; spec.md §10; pts(4)
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/string.h>
#include <weft/idr.h>
#include <weft/cred.h>
#include <weft/fs.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/magic.h>
#include <weft/mm.h>
#include <weft/seq_file.h>
#include "internal.h"
#include "pty.h"

#define DEVPTS_FIRST_INO	3	/* 1: the root, 2: ptmx */
#define NR_UNIX98_PTY_DEFAULT	4096

static DEFINE_MUTEX(devpts_mutex);
static DEFINE_IDA(pty_numbers);
static struct vfsmount *devpts_mnt;	/* [I] */

static struct {
	bool	setuid, setgid;
	kuid_t	uid;
	kgid_t	gid;
	umode_t	mode, ptmxmode;
	unsigned int max;
} options = { .mode = 0600, .ptmxmode = 0, .max = NR_UNIX98_PTY_DEFAULT };	/* [devpts_mutex] */
static struct inode *ptmx_inode;	/* [I] */

/* ---- numbers and names ---- */

int devpts_new_index(void)
{
	int index = ida_alloc_max(&pty_numbers, READ_ONCE(options.max) - 1, GFP_KERNEL);

	return index == -ENOSPC ? -ENOSPC : index;
}

void devpts_kill_index(int index)
{
	ida_free(&pty_numbers, index);
}

static struct inode *new_node(struct super_block *sb, unsigned long ino, umode_t mode, dev_t dev)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = ino;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	init_special_inode(inode, S_IFCHR | mode, dev);
	return inode;
}

struct dentry *devpts_pty_new(int index, struct tty_struct *slave)
{
	struct dentry *root = devpts_mnt->mnt_root, *dentry;
	struct inode *inode;
	char name[12];

	inode = new_node(root->d_sb, index + DEVPTS_FIRST_INO, options.mode, MKDEV(UNIX98_PTY_SLAVE_MAJOR, index));
	if (!inode)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&devpts_mutex);
	inode->i_uid = options.setuid ? options.uid : current_fsuid();
	inode->i_gid = options.setgid ? options.gid : current_fsgid();
	mutex_unlock(&devpts_mutex);
	snprintf(name, sizeof(name), "%d", index);
	inode_lock(d_inode(root));
	dentry = d_alloc_name(root, name);
	if (dentry) {
		dentry->d_fsdata = slave;
		d_add(dentry, inode);
	}
	inode_unlock(d_inode(root));
	if (!dentry) {
		iput(inode);
		return ERR_PTR(-ENOMEM);
	}
	return dentry;
}

void devpts_pty_kill(struct dentry *dentry)
{
	mutex_lock(&devpts_mutex);
	dentry->d_fsdata = NULL;
	mutex_unlock(&devpts_mutex);
	drop_nlink(d_inode(dentry));
	d_drop(dentry);
	dput(dentry);
}

struct tty_struct *devpts_get_tty(struct file *file)
{
	struct dentry *dentry = file_dentry(file);
	struct tty_struct *tty;

	if (dentry->d_sb->s_magic != DEVPTS_SUPER_MAGIC)
		return NULL;		/* a node made with mknod somewhere else */
	mutex_lock(&devpts_mutex);
	tty = dentry->d_fsdata;
	mutex_unlock(&devpts_mutex);
	return tty;
}

int devpts_get_path(struct dentry *dentry, struct path *path)
{
	int err;

	if (!dentry)
		return -EIO;
	err = kern_path("/dev/pts", LOOKUP_FOLLOW | LOOKUP_DIRECTORY, path);
	if (!err && path->dentry->d_sb == dentry->d_sb) {
		dput(path->dentry);
		path->dentry = dget(dentry);
		return 0;
	}
	if (!err)
		path_put(path);
	path->mnt = devpts_mnt;		/* not mounted where everybody looks: the kernel's own view */
	path->dentry = dentry;
	path_get(path);
	return 0;
}

/* ---- the file system ---- */

static int parse_number(const char *s, int base, unsigned int *out)
{
	return s && *s ? kstrtouint(s, base, out) : -EINVAL;
}

/* One word "name" or "name=value".  What it does not know is refused. */
static int parse_option(char *word)
{
	char *value = strchr(word, '=');
	unsigned int n = 0;
	int err = 0;

	if (value)
		*value++ = 0;
	if (!strcmp(word, "newinstance") || !*word)
		return 0;
	if (!strcmp(word, "uid")) {
		err = parse_number(value, 10, &n);
		options.uid = n;
		options.setuid = !err;
	} else if (!strcmp(word, "gid")) {
		err = parse_number(value, 10, &n);
		options.gid = n;
		options.setgid = !err;
	} else if (!strcmp(word, "mode")) {
		err = parse_number(value, 8, &n);
		options.mode = n & 07777;
	} else if (!strcmp(word, "ptmxmode")) {
		err = parse_number(value, 8, &n);
		options.ptmxmode = n & 07777;
	} else if (!strcmp(word, "max")) {
		err = parse_number(value, 10, &n);
		if (!err && (n < 1 || n > 1U << MINORBITS))
			err = -EINVAL;
		if (!err)
			options.max = n;
	} else {
		err = -EINVAL;
	}
	return err;
}

static int devpts_remount(struct super_block *sb, int *flags, char *data)
{
	char *word;
	int err = 0;

	mutex_lock(&devpts_mutex);
	while (!err && (word = strsep(&data, ",")))
		err = parse_option(word);
	if (ptmx_inode)
		ptmx_inode->i_mode = S_IFCHR | options.ptmxmode;
	mutex_unlock(&devpts_mutex);
	return err;
}

static int devpts_show_options(struct seq_file *m, struct dentry *root)
{
	if (options.setuid)
		seq_printf(m, ",uid=%u", options.uid);
	if (options.setgid)
		seq_printf(m, ",gid=%u", options.gid);
	seq_printf(m, ",mode=%03o,ptmxmode=%03o", options.mode, options.ptmxmode);
	if (options.max != NR_UNIX98_PTY_DEFAULT)
		seq_printf(m, ",max=%u", options.max);
	return 0;
}

static const struct super_operations devpts_sops = {
	.statfs = simple_statfs, .drop_inode = generic_delete_inode, .remount_fs = devpts_remount,
	.show_options = devpts_show_options,
};

static int make_ptmx(struct super_block *sb)
{
	struct dentry *dentry = d_alloc_name(sb->s_root, "ptmx");

	if (!dentry)
		return -ENOMEM;
	ptmx_inode = new_node(sb, 2, options.ptmxmode, MKDEV(TTYAUX_MAJOR, 2));
	if (!ptmx_inode) {
		dput(dentry);
		return -ENOMEM;
	}
	d_add(dentry, ptmx_inode);
	return 0;
}

static int devpts_fill_super(struct super_block *sb, void *data, int silent)
{
	struct inode *inode;

	sb->s_iflags &= ~SB_I_NODEV;
	sb->s_blocksize = 1024;
	sb->s_blocksize_bits = 10;
	sb->s_magic = DEVPTS_SUPER_MAGIC;
	sb->s_op = &devpts_sops;
	sb->s_time_gran = 1;
	inode = new_inode(sb);
	if (!inode)
		return -ENOMEM;
	inode->i_ino = 1;
	inode->i_mode = S_IFDIR | 0755;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	inode->i_op = &simple_dir_inode_operations;
	inode->i_fop = &simple_dir_operations;
	set_nlink(inode, 2);
	sb->s_root = d_make_root(inode);
	if (!sb->s_root)
		return -ENOMEM;
	return make_ptmx(sb);
}

static struct dentry *devpts_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	return mount_single(type, flags, data, devpts_fill_super);
}

static struct file_system_type devpts_fs_type = {
	.name = "devpts", .mount = devpts_mount, .kill_sb = kill_litter_super, .fs_flags = FS_USERNS_MOUNT,
};

static int __init devpts_init(void)
{
	int err = register_filesystem(&devpts_fs_type);

	if (err)
		return err;
	devpts_mnt = kern_mount(&devpts_fs_type);
	return IS_ERR(devpts_mnt) ? PTR_ERR(devpts_mnt) : 0;
}
fs_initcall(devpts_init);
