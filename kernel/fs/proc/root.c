/*
 * root.c: the proc file system: its mount, and its root folder, in which processes and registered entries stand together.
 *
 * Idea:    reading the root gives self, thread-self and the registered entries first (positions below PROC_PIDS_POS), then
 *          the processes, whose position is their number, so that a reader goes on rightly while processes come and go.
 * See:     spec.md §10; generic.c (registered entries), base.c (processes)
 */
#include <weft/kernel.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/main.h>
#include <weft/magic.h>
#include <weft/dcache.h>
#include <weft/stat.h>
#include <weft/seq_file.h>
#include "internal.h"

static struct dentry *proc_root_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = proc_self_inode(dir->i_sb, &dentry->d_name);
	struct dentry *found;

	if (inode)
		return IS_ERR(inode) ? ERR_CAST(inode) : d_splice_alias(inode, dentry);
	found = proc_pid_lookup(dentry, flags);
	if (!IS_ERR(found) || PTR_ERR(found) != -ENOENT)
		return found;
	return proc_lookup_de(dir, dentry, &proc_root);
}

static int proc_root_readdir(struct file *file, struct dir_context *ctx)
{
	static const char *const names[] = { "self", "thread-self" };

	if (ctx->pos < PROC_PIDS_POS - 2) {
		int err = proc_readdir_de(file, ctx, &proc_root);

		if (err < 0)
			return err;
		if (!proc_readdir_done(&proc_root, ctx->pos))
			return 0;
		ctx->pos = PROC_PIDS_POS - 2;
	}
	while (ctx->pos < PROC_PIDS_POS) {
		int i = ctx->pos - (PROC_PIDS_POS - 2);

		if (!dir_emit(ctx, names[i], strlen(names[i]), PROC_ROOT_INO + 1 + i, DT_LNK))
			return 0;
		ctx->pos++;
	}
	return proc_pid_readdir(file, ctx);
}

static const struct file_operations proc_root_operations = {
	.llseek = generic_file_llseek, .iterate_shared = proc_root_readdir,
};
static const struct inode_operations proc_root_inode_operations = { .lookup = proc_root_lookup };

static int proc_fill_super(struct super_block *sb, void *data, int silent)
{
	struct inode *root;

	sb->s_flags |= SB_NODIRATIME | SB_NOSUID | SB_NOEXEC;
	sb->s_blocksize = 1024;
	sb->s_blocksize_bits = 10;
	sb->s_magic = PROC_SUPER_MAGIC;
	sb->s_op = &proc_sops;
	sb->s_time_gran = 1;
	sb->s_iflags |= SB_I_USERNS_VISIBLE;

	root = proc_get_inode(sb, &proc_root);
	if (IS_ERR(root))
		return PTR_ERR(root);
	root->i_op = &proc_root_inode_operations;
	root->i_fop = &proc_root_operations;
	sb->s_root = d_make_root(root);
	if (!sb->s_root)
		return -ENOMEM;
	get_pid_ns(proc_pid_ns(sb));
	return 0;
}

struct pid_namespace *proc_pid_ns(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static struct dentry *proc_mount(struct file_system_type *type, int flags, const char *dev, void *data)
{
	struct pid_namespace *ns = task_active_pid_ns(current);

	if (!ns_capable(ns->user_ns, CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	return mount_ns(type, flags, data, ns, proc_fill_super);
}

/* An instance keeps its namespace. */
static void proc_kill_sb(struct super_block *sb)
{
	struct pid_namespace *ns = sb->s_root ? proc_pid_ns(sb) : NULL;

	kill_anon_super(sb);
	if (ns)
		put_pid_ns(ns);
}

static struct file_system_type proc_fs_type = {
	.name = "proc", .mount = proc_mount, .kill_sb = proc_kill_sb, .fs_flags = FS_USERNS_MOUNT,
};

void __init proc_root_init(void)
{
	proc_init_kmemcache();
	if (register_filesystem(&proc_fs_type))
		panic("proc: cannot register");
	proc_symlink("mounts", NULL, "self/mounts");
	proc_mkdir("net", NULL);
	proc_mkdir("fs", NULL);
	proc_mkdir("bus", NULL);
	proc_mkdir("driver", NULL);
	proc_mkdir("tty", NULL);
	proc_mkdir("weft", NULL);
	proc_mkdir("sysvipc", NULL);
	proc_sys_init();
	proc_info_init();
}
