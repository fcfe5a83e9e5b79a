/*
 * initramfs.c: the first files: a cpio archive becomes the contents of the root file system.
 *
 * What:    populate_rootfs() unpacks what the boot loader left in memory: any number of "newc" archives one behind the
 *          other, each plain or in gzip, with zero bytes between.  All kinds of files, hard links, owners, modes, times.
 *          Without an initramfs it makes /dev, /dev/console and /root.
 * Idea:    unpack_bytes() is fed pieces of any size, as the decompressor makes them, so it is a state machine:
 *
 *              START -> HEADER -> NAME -> DATA or LINK -> PADDING -> START
 *
 *          A state says how many bytes it waits for.  File data is never gathered, it goes on into the file.
 *          Directory times are set last: making an entry would change them again.
 * Locking: none, the one caller is pid 1 before user space; may sleep.
 * See:     cpio(5) "New ASCII format"; the "any newc initramfs"; doc/boot.md
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/main.h>
#include <weft/dcache.h>
#include <weft/fcntl.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/gfp.h>
#include <weft/hash.h>
#include <weft/inflate.h>
#include <weft/kdev_t.h>
#include <weft/limits.h>
#include <weft/list.h>
#include <weft/mount.h>
#include <weft/namei.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/string.h>
#include <asm/page.h>
#include <uapi/limits.h>

#define HEADER_BYTES	110
#define MAGIC_BYTES	6
#define NR_FIELDS	13
#define LINK_BUCKETS	32

enum state { START, HEADER, NAME, DATA, LINK, PADDING };

/* What a header says. */
struct entry {
	u32		ino, nlink, mtime, namesize;
	umode_t		mode;
	kuid_t		uid;
	kgid_t		gid;
	u64		size;
	dev_t		dev;		/* of the file system that it was on */
	dev_t		rdev;
};

/* A file with several names: the next one with this number becomes a link to it. */
struct hard_link {
	struct list_head	list;
	u32			ino;
	dev_t			dev;
	char			path[];
};

/* A directory whose time is to be set. */
struct dir_time {
	struct list_head	list;
	u32			mtime;
	char			path[];
};

struct unpack {
	enum state		state;
	size_t			have, need;	/* of buf, in HEADER, NAME and LINK */
	u64			left;		/* bytes of DATA or PADDING to come */
	u64			done;		/* of the archive, for padding to multiples of 4 */
	struct entry		e;
	char			name[PATH_MAX];
	u8			buf[PATH_MAX + 4];
	struct file		*file;		/* DATA: where it goes; NULL: nowhere */
	loff_t			pos;
	int			err;
	struct list_head	links[LINK_BUCKETS];
	struct list_head	dirs;
};

/* ---- making files ---- */

static void __init set_attributes(struct dentry *dentry, const struct entry *e)
{
	struct iattr attr = {
		.ia_valid = ATTR_UID | ATTR_GID | ATTR_MTIME | ATTR_MTIME_SET | ATTR_FORCE,
		.ia_uid = e->uid, .ia_gid = e->gid, .ia_mode = e->mode, .ia_mtime = { .tv_sec = e->mtime },
	};
	struct inode *inode = d_inode(dentry);

	inode_lock(inode);
	notify_change(dentry, &attr);
	if (!S_ISLNK(e->mode)) {		/* apart: a change of owner takes the set-id bits away */
		attr.ia_valid = ATTR_MODE | ATTR_FORCE;
		notify_change(dentry, &attr);
	}
	inode_unlock(inode);
}

static void __init set_attributes_of(const char *name, const struct entry *e)
{
	struct path path;

	if (kern_path(name, 0, &path))
		return;
	set_attributes(path.dentry, e);
	path_put(&path);
}

/* What is there under this name goes, unless it is a directory that is wanted again. */
static void __init remove_existing(const char *name, umode_t mode)
{
	struct path parent, path;
	struct dentry *dentry;
	umode_t existing;

	if (kern_path(name, 0, &path))
		return;
	existing = d_inode(path.dentry)->i_mode;
	path_put(&path);
	if (S_ISDIR(existing) && S_ISDIR(mode))
		return;
	dentry = kern_path_locked(name, &parent);
	if (IS_ERR(dentry))
		return;
	lockdep_assert_held_write(&d_inode(parent.dentry)->i_rwsem);
	if (S_ISDIR(existing))
		vfs_rmdir(d_inode(parent.dentry), dentry);
	else
		vfs_unlink(d_inode(parent.dentry), dentry);
	dput(dentry);
	inode_unlock(d_inode(parent.dentry));
	path_put(&parent);
}

/* A directory, symbolic link or special file.  target is a link's. */
static int __init make_node(const char *name, const struct entry *e, const char *target)
{
	struct path path;
	struct dentry *dentry = kern_path_create(AT_FDCWD, name, &path, S_ISDIR(e->mode) ? LOOKUP_DIRECTORY : 0);
	struct inode *dir;
	int err;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	dir = d_inode(path.dentry);
	if (S_ISDIR(e->mode))
		err = vfs_mkdir(dir, dentry, e->mode);
	else if (S_ISLNK(e->mode))
		err = vfs_symlink(dir, dentry, target);
	else
		err = vfs_mknod(dir, dentry, e->mode, e->rdev);
	done_path_create(&path, dentry);
	return err;
}

static int __init make_hard_link(const char *old, const char *new)
{
	struct path old_path, path;
	struct dentry *dentry;
	int err = kern_path(old, 0, &old_path);

	if (err)
		return err;
	dentry = kern_path_create(AT_FDCWD, new, &path, 0);
	if (IS_ERR(dentry)) {
		err = PTR_ERR(dentry);
	} else {
		err = vfs_link(old_path.dentry, d_inode(path.dentry), dentry);
		done_path_create(&path, dentry);
	}
	path_put(&old_path);
	return err;
}

/* ---- hard links and directory times ---- */

/* The first name of the file that this entry is another name of; NULL: it is the first. */
static const char * __init first_name(struct unpack *u)
{
	const struct entry *e = &u->e;
	struct list_head *bucket = &u->links[hash_32(e->ino ^ e->dev, ilog2(LINK_BUCKETS))];
	struct hard_link *link;

	if (e->nlink < 2 || S_ISDIR(e->mode))
		return NULL;
	list_for_each_entry(link, bucket, list)
		if (link->ino == e->ino && link->dev == e->dev)
			return link->path;
	link = kmalloc(sizeof(*link) + strlen(u->name) + 1, GFP_KERNEL);
	if (link) {
		link->ino = e->ino;
		link->dev = e->dev;
		strcpy(link->path, u->name);
		list_add(&link->list, bucket);
	}
	return NULL;
}

/* Numbers mean something within one archive only. */
static void __init forget_links(struct unpack *u)
{
	struct hard_link *link, *next;

	for (int i = 0; i < LINK_BUCKETS; i++) {
		list_for_each_entry_safe(link, next, &u->links[i], list)
			kfree(link);
		INIT_LIST_HEAD(&u->links[i]);
	}
}

static void __init remember_dir(struct unpack *u)
{
	struct dir_time *d = kmalloc(sizeof(*d) + strlen(u->name) + 1, GFP_KERNEL);

	if (!d)
		return;
	d->mtime = u->e.mtime;
	strcpy(d->path, u->name);
	list_add(&d->list, &u->dirs);
}

static void __init set_dir_times(struct unpack *u)
{
	struct dir_time *d, *next;
	struct path path;

	list_for_each_entry_safe(d, next, &u->dirs, list) {
		struct iattr attr = {
			.ia_valid = ATTR_MTIME | ATTR_MTIME_SET | ATTR_FORCE, .ia_mtime = { .tv_sec = d->mtime },
		};

		if (!kern_path(d->path, 0, &path)) {
			inode_lock(d_inode(path.dentry));
			notify_change(path.dentry, &attr);
			inode_unlock(d_inode(path.dentry));
			path_put(&path);
		}
		kfree(d);
	}
	INIT_LIST_HEAD(&u->dirs);
}

/* ---- the states: each handles what has come and says what is wanted next ---- */

static void __init want(struct unpack *u, enum state state, size_t need)
{
	u->state = state;
	u->have = 0;
	u->need = need;
}

/* To the next multiple of 4, then the next entry. */
static void __init want_padding(struct unpack *u)
{
	u->state = PADDING;
	u->left = -u->done & 3;
}

static int __init header_complete(struct unpack *u)
{
	u32 field[NR_FIELDS];

	if (memcmp(u->buf, "070701", MAGIC_BYTES) && memcmp(u->buf, "070702", MAGIC_BYTES)) {
		pr_err("initramfs: an entry does not begin with the magic number of a newc archive\n");
		return -EINVAL;
	}
	for (int i = 0; i < NR_FIELDS; i++) {
		field[i] = 0;
		for (int k = 0; k < 8; k++) {
			int digit = hex_to_bin(u->buf[MAGIC_BYTES + 8 * i + k]);

			if (digit < 0)
				return -EINVAL;
			field[i] = field[i] << 4 | (u32)digit;
		}
	}
	u->e = (struct entry){
		.ino = field[0], .mode = (umode_t)field[1], .uid = field[2], .gid = field[3], .nlink = field[4],
		.mtime = field[5], .size = field[6], .dev = MKDEV(field[7], field[8]), .rdev = MKDEV(field[9], field[10]),
		.namesize = field[11],
	};
	if (!u->e.namesize || u->e.namesize > PATH_MAX || (S_ISLNK(u->e.mode) && u->e.size >= PATH_MAX))
		return -EINVAL;
	want(u, NAME, u->e.namesize + (-(HEADER_BYTES + u->e.namesize) & 3));
	return 0;
}

/* Opens a regular file for its data, as a new one or under one more name. */
static int __init begin_file(struct unpack *u)
{
	const char *first = first_name(u);
	int err = 0;

	if (first)
		err = make_hard_link(first, u->name);
	if (err)
		return err;
	if (first && !u->e.size)
		return 0;
	u->file = filp_open(u->name, O_WRONLY | O_CREAT | O_TRUNC | O_LARGEFILE, u->e.mode & 0777);
	if (IS_ERR(u->file)) {
		err = PTR_ERR(u->file);
		u->file = NULL;
	}
	u->pos = 0;
	return err;
}

static void __init end_file(struct unpack *u)
{
	if (u->file) {
		set_attributes(u->file->f_path.dentry, &u->e);
		filp_close(u->file, NULL);
	}
	u->file = NULL;
	want_padding(u);
}

/* Something that is no regular file and has no data. */
static int __init make_special(struct unpack *u)
{
	const char *first = first_name(u);
	int err = first ? make_hard_link(first, u->name) : make_node(u->name, &u->e, NULL);

	if (err == -EEXIST && S_ISDIR(u->e.mode))
		err = 0;
	if (!err && !first)
		set_attributes_of(u->name, &u->e);
	if (!err && S_ISDIR(u->e.mode))
		remember_dir(u);
	return err;
}

static int __init name_complete(struct unpack *u)
{
	struct entry *e = &u->e;
	int err = 0;

	if (u->buf[e->namesize - 1])
		return -EINVAL;
	memcpy(u->name, u->buf, e->namesize);
	u->left = e->size;
	u->state = DATA;
	if (!strcmp(u->name, "TRAILER!!!")) {
		forget_links(u);
		return 0;
	}
	remove_existing(u->name, e->mode);
	if (S_ISLNK(e->mode)) {
		want(u, LINK, e->size);
		return 0;
	}
	if (S_ISREG(e->mode))
		err = begin_file(u);
	else if (S_ISDIR(e->mode) || S_ISBLK(e->mode) || S_ISCHR(e->mode) || S_ISFIFO(e->mode) || S_ISSOCK(e->mode))
		err = make_special(u);
	if (err)				/* one bad entry is no reason to be without all others */
		pr_err("initramfs: cannot make %s (error %d)\n", u->name, err);
	return 0;
}

static int __init link_complete(struct unpack *u)
{
	int err;

	u->buf[u->e.size] = '\0';
	err = make_node(u->name, &u->e, (char *)u->buf);
	if (err)
		pr_err("initramfs: cannot make link %s (error %d)\n", u->name, err);
	else
		set_attributes_of(u->name, &u->e);
	want_padding(u);
	return 0;
}

/* Takes data for the file; returns how much, or -errno when there is no room for it. */
static ssize_t __init write_data(struct unpack *u, const u8 *p, size_t len)
{
	ssize_t n = (ssize_t)min_t(u64, len, u->left);

	if (u->file && n) {
		n = kernel_write(u->file, p, (size_t)n, &u->pos);
		if (n <= 0) {
			pr_err("initramfs: %s: write error %zd\n", u->name, n);
			return n ? n : -EIO;
		}
	}
	u->left -= (u64)n;
	if (!u->left) {
		u->done += (u64)n;
		end_file(u);
		u->done -= (u64)n;		/* the caller counts */
	}
	return n;
}

/* Collects bytes in buf until `need` are there, then goes on with the state's function. */
static ssize_t __init gather(struct unpack *u, const u8 *p, size_t len)
{
	size_t n = min(len, u->need - u->have);
	int err = 0;

	memcpy(u->buf + u->have, p, n);
	u->have += n;
	if (u->have < u->need)
		return (ssize_t)n;
	u->done += n;
	if (u->state == HEADER)
		err = header_complete(u);
	else if (u->state == NAME)
		err = name_complete(u);
	else
		err = link_complete(u);
	u->done -= n;
	return err ? err : (ssize_t)n;
}

/* One step: the bytes used (0 in START: what comes is no entry), or -errno. */
static ssize_t __init unpack_step(struct unpack *u, const u8 *p, size_t len)
{
	size_t n;

	switch (u->state) {
	case START:
		if (*p == '0') {
			u->done = 0;
			want(u, HEADER, HEADER_BYTES);
			return gather(u, p, len);
		}
		return *p == 0 ? 1 : 0;
	case DATA:
		return write_data(u, p, len);
	case PADDING:
		n = min_t(u64, len, u->left);
		u->left -= n;
		if (!u->left)
			u->state = START;
		return (ssize_t)n;
	default:
		return gather(u, p, len);
	}
}

/* States that wait for nothing go on at once. */
static void __init skip_empty_states(struct unpack *u)
{
	if (u->state == DATA && !u->left)
		end_file(u);
	if (u->state == LINK && !u->need)
		link_complete(u);
	if (u->state == PADDING && !u->left)
		u->state = START;
}

/* Feeds bytes.  Returns how many were used: fewer than len where something that is no entry begins. */
static ssize_t __init unpack_bytes(struct unpack *u, const u8 *p, size_t len)
{
	size_t used = 0;

	while (used < len) {
		ssize_t n = unpack_step(u, p + used, len - used);

		if (n < 0)
			return n;
		u->done += (u64)n;
		used += (size_t)n;
		skip_empty_states(u);
		if (!n && u->state == START)
			break;
	}
	return (ssize_t)used;
}

static int __init unpack_sink(void *arg, const u8 *data, size_t len)
{
	ssize_t n = unpack_bytes(arg, data, len);

	return n < 0 ? (int)n : (size_t)n < len ? -EINVAL : 0;
}

/* All that lies in [p, p + len). */
static int __init unpack_all(struct unpack *u, const u8 *p, size_t len)
{
	while (len) {
		size_t used = 0;
		int err = 0;

		if (u->state == START && is_gzip(p, len)) {
			err = gunzip(p, len, unpack_sink, u, &used);
		} else {
			ssize_t n = unpack_bytes(u, p, len);

			if (n < 0)
				err = (int)n;
			else
				used = (size_t)n;
		}
		if (!err && !used)
			err = -EINVAL;
		if (err)
			return err;
		p += used;
		len -= used;
	}
	return u->state == START ? 0 : -EINVAL;
}

static int __init unpack_initrd(void)
{
	struct unpack *u = kvzalloc(sizeof(*u), GFP_KERNEL);
	int err;

	if (!u)
		return -ENOMEM;
	for (int i = 0; i < LINK_BUCKETS; i++)
		INIT_LIST_HEAD(&u->links[i]);
	INIT_LIST_HEAD(&u->dirs);
	err = unpack_all(u, (const u8 *)initrd_start, initrd_end - initrd_start);
	if (u->file)
		filp_close(u->file, NULL);
	forget_links(u);
	set_dir_times(u);
	kvfree(u);
	flush_delayed_fput();
	return err;
}

/* What programs expect even where nobody brought files. */
static void __init default_rootfs(void)
{
	static const struct entry dev __initconst = { .mode = S_IFDIR | 0755 };
	static const struct entry root __initconst = { .mode = S_IFDIR | 0700 };
	static const struct entry console __initconst = { .mode = S_IFCHR | 0600, .rdev = MKDEV(5, 1) };

	make_node("/dev", &dev, NULL);
	make_node("/dev/console", &console, NULL);
	make_node("/root", &root, NULL);
}

void __init populate_rootfs(void)
{
	int err;

	if (!initrd_start) {
		default_rootfs();
		return;
	}
	err = unpack_initrd();
	if (err)
		pr_err("initramfs: damaged archive (error %d); what came before the damage is there\n", err);
	if (initrd_in_ram)
		free_reserved_area((void *)PAGE_ALIGN(initrd_start), (void *)(initrd_end & PAGE_MASK), "initrd");
	initrd_start = initrd_end = 0;
}
