/*
 * super.c: mount -t 9p -o trans=virtio,version=9p2000.L TAG DIR.
 *
 * Idea:    a mount is a client of its own.  Options that say what is so here are taken; the largest message and how names are
 *          cached are not for the user to choose.
 * See:     p9.h; doc/9p.md
 */
#include <weft/err.h>
#include <weft/init.h>
#include <weft/magic.h>
#include <weft/pagemap.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/statfs.h>
#include <weft/string.h>
#include "p9.h"

static struct kmem_cache *p9_inode_cachep;	/* [I] */

/* ---- inodes ---- */

static struct inode *p9_alloc_inode(struct super_block *sb)
{
	struct p9_inode *pi = kmem_cache_alloc(p9_inode_cachep, GFP_KERNEL);

	if (!pi)
		return NULL;
	mutex_init(&pi->lock);
	pi->fid = pi->write_fid = NULL;
	pi->qid = (struct p9_qid){ };
	pi->lost = false;
	pi->last_blksize = 0;
	return &pi->vfs_inode;
}

static void p9_free_inode(struct inode *inode)
{
	kmem_cache_free(p9_inode_cachep, P9_I(inode));
}

static void p9_init_once(void *p)
{
	inode_init_once(&((struct p9_inode *)p)->vfs_inode);
}

static void p9_evict_inode(struct inode *inode)
{
	filemap_write_and_wait(inode->i_mapping);
	truncate_inode_pages_final(inode->i_mapping);
	clear_inode(inode);
	p9_put_fid(P9_I(inode)->write_fid);
	p9_put_fid(P9_I(inode)->fid);
}

/* ---- the whole ---- */

static int p9_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct p9_fid *fid = p9_inode_fid(d_inode(dentry));
	struct p9_call call;
	int err;

	p9_begin(fid->client, &call, P9_TSTATFS);
	p9_put_fid_nr(&call, fid);
	err = p9_run(&call);
	if (!err) {
		p9_get32(&call);
		buf->f_type = V9FS_MAGIC;
		buf->f_bsize = p9_get32(&call);
		buf->f_frsize = buf->f_bsize;
		buf->f_blocks = p9_get64(&call);
		buf->f_bfree = p9_get64(&call);
		buf->f_bavail = p9_get64(&call);
		buf->f_files = p9_get64(&call);
		buf->f_ffree = p9_get64(&call);
		buf->f_fsid = u64_to_fsid(p9_get64(&call));
		buf->f_namelen = p9_get32(&call);
		err = call.err;
	}
	p9_end(&call);
	p9_put_fid(fid);
	return err;
}

static int p9_show_options(struct seq_file *m, struct dentry *root)
{
	seq_puts(m, ",trans=virtio,version=9p2000.L");
	return 0;
}

static void p9_put_super(struct super_block *sb)
{
	p9_client_destroy(P9_C(sb));
	sb->s_fs_info = NULL;
}

static const struct super_operations p9_super_operations = {
	.alloc_inode	= p9_alloc_inode,
	.free_inode	= p9_free_inode,
	.evict_inode	= p9_evict_inode,
	.put_super	= p9_put_super,
	.statfs		= p9_statfs,
	.show_options	= p9_show_options,
};

static bool option_ok(const char *key, const char *value)
{
	static const char *const any[] = { "msize", "cache", "access", "cachetag", "debug", "uname", "dfltuid", "dfltgid" };

	if (!strcmp(key, "trans"))
		return value && !strcmp(value, "virtio");
	if (!strcmp(key, "version"))
		return value && !strcmp(value, "9p2000.L");
	for (size_t i = 0; i < ARRAY_SIZE(any); i++)
		if (!strcmp(key, any[i]))
			return value;
	return !strcmp(key, "mmap") || !strcmp(key, "loose") || !strcmp(key, "nodevmap");
}

static int parse_options(char *text)
{
	char *key;

	while (text && (key = strsep(&text, ","))) {
		char *value = strchr(key, '=');

		if (!*key)
			continue;
		if (value)
			*value++ = 0;
		if (!option_ok(key, value)) {
			pr_err("9p: bad option '%s'\n", key);
			return -EINVAL;
		}
	}
	return 0;
}

struct mount_args {
	const char	*tag;
	char		*options;
};

static int p9_fill_super(struct super_block *sb, void *data, int silent)
{
	struct mount_args *args = data;
	struct p9_client *c;
	struct inode *root;
	int err = parse_options(args->options);

	if (err)
		return err;
	c = p9_client_create(args->tag ?: "");
	if (IS_ERR(c))
		return PTR_ERR(c);
	sb->s_fs_info = c;
	sb->s_op = &p9_super_operations;
	sb->s_d_op = &p9_dentry_operations;
	sb->s_magic = V9FS_MAGIC;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = P9_IO_MAX;
	sb->s_blocksize_bits = 15;
	sb->s_time_gran = 1;
	root = p9_iget(sb, p9_get_fid(c->root));
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static struct dentry *p9_mount(struct file_system_type *type, int flags, const char *name, void *data)
{
	return mount_nodev(type, flags, &(struct mount_args){ name, data }, p9_fill_super);
}

static void p9_kill_sb(struct super_block *sb)
{
	kill_anon_super(sb);
	if (sb->s_fs_info)			/* it failed before it had a root */
		p9_put_super(sb);
}

static struct file_system_type p9_fs_type = {
	.name		= "9p",
	.mount		= p9_mount,
	.kill_sb	= p9_kill_sb,
};

static int __init p9_init(void)
{
	p9_inode_cachep = kmem_cache_create("9p_inode", sizeof(struct p9_inode), 0, SLAB_PANIC, p9_init_once);
	return register_filesystem(&p9_fs_type);
}
fs_initcall(p9_init);
