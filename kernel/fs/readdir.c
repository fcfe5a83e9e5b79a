/*
 * readdir.c: getdents(2), getdents64(2).
 *
 * Idea:    the file system calls dir_emit() for each entry; the two actors here write records straight into user memory.
 *          A record's d_off is the position of the next one, so it is written when that one comes.
 * Locking: i_rwsem of the directory for reading: entries stand still, others may look up and read.
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/fs.h>
#include <weft/file.h>
#include <weft/dcache.h>
#include <weft/string.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/fsnotify.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include <uapi/dirent.h>
#include "internal.h"

int iterate_dir(struct file *file, struct dir_context *ctx)
{
	struct inode *inode = file_inode(file);
	int res;

	if (!file->f_op->iterate_shared)
		return -ENOTDIR;
	res = down_read_killable(&inode->i_rwsem);
	if (res)
		return res;
	res = -ENOENT;
	if (!IS_DEADDIR(inode)) {
		ctx->pos = file->f_pos;
		res = file->f_op->iterate_shared(file, ctx);
		file->f_pos = ctx->pos;
		fsnotify_access(file);
		file_accessed(file);
	}
	inode_unlock_shared(inode);
	return res;
}

bool dir_emit_dot(struct file *file, struct dir_context *ctx)
{
	return ctx->actor(ctx, ".", 1, ctx->pos, file_inode(file)->i_ino, DT_DIR);
}

bool dir_emit_dotdot(struct file *file, struct dir_context *ctx)
{
	struct dentry *dentry = file_dentry(file), *parent;
	u64 ino;

	spin_lock(&dentry->d_lock);
	parent = dentry->d_parent;
	ino = d_inode(parent)->i_ino;
	spin_unlock(&dentry->d_lock);
	return ctx->actor(ctx, "..", 2, ctx->pos, ino, DT_DIR);
}

bool dir_emit_dots(struct file *file, struct dir_context *ctx)
{
	if (ctx->pos == 0) {
		if (!dir_emit_dot(file, ctx))
			return false;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!dir_emit_dotdot(file, ctx))
			return false;
		ctx->pos = 2;
	}
	return true;
}

/* Where records go.  `prev` is the last one written, whose d_off is still open. */
struct getdents_buf {
	struct dir_context	ctx;
	char __user		*next;
	int			prev_reclen;	/* 0: none yet */
	int			room;		/* bytes left */
	int			error;
	bool			is64;
};

/* A name from a broken file system shall not look like a path. */
static int verify_name(const char *name, int len)
{
	return len <= 0 || len > PATH_MAX || memchr(name, '/', len) || memchr(name, 0, len) ? -EIO : 0;
}

static int put_record64(struct linux_dirent64 __user *d, const char *name, int len, u64 ino, unsigned int type, int reclen)
{
	struct linux_dirent64 head = { .d_ino = ino, .d_reclen = reclen, .d_type = type };

	if (copy_to_user(d, &head, offsetof(struct linux_dirent64, d_name)) || copy_to_user(d->d_name, name, len))
		return -EFAULT;
	return clear_user((char __user *)d->d_name + len, reclen - offsetof(struct linux_dirent64, d_name) - len) ? -EFAULT : 0;
}

static int put_compat_record(struct compat_linux_dirent __user *d, const char *name, int len, u64 ino, unsigned int type,
			     int reclen)
{
	struct compat_linux_dirent head = { .d_ino = (u32)ino, .d_reclen = reclen };

	if (head.d_ino != ino)
		return -EOVERFLOW;
	if (copy_to_user(d, &head, offsetof(struct compat_linux_dirent, d_name)) || copy_to_user(d->d_name, name, len))
		return -EFAULT;
	if (clear_user((char __user *)d->d_name + len, reclen - offsetof(struct compat_linux_dirent, d_name) - len))
		return -EFAULT;
	return put_user((char)type, (char __user *)d + reclen - 1);
}

static int put_record(struct linux_dirent __user *d, const char *name, int len, u64 ino, unsigned int type, int reclen)
{
	struct linux_dirent head = { .d_ino = ino, .d_reclen = reclen };

	if (copy_to_user(d, &head, offsetof(struct linux_dirent, d_name)) || copy_to_user(d->d_name, name, len))
		return -EFAULT;
	if (clear_user((char __user *)d->d_name + len, reclen - offsetof(struct linux_dirent, d_name) - len))
		return -EFAULT;
	return put_user((char)type, (char __user *)d + reclen - 1);
}

/* The record before gets the position of this one. */
static int close_prev(struct getdents_buf *buf, loff_t offset)
{
	char __user *prev = buf->next - buf->prev_reclen;

	if (!buf->prev_reclen)
		return 0;
	if (buf->is64)
		return put_user((s64)offset, &((struct linux_dirent64 __user *)prev)->d_off);
	if (in_compat_syscall())
		return put_user((u32)offset, &((struct compat_linux_dirent __user *)prev)->d_off);
	return put_user((unsigned long)offset, &((struct linux_dirent __user *)prev)->d_off);
}

static int record_length(const struct getdents_buf *buf, int name_len)
{
	if (buf->is64)
		return round_up(offsetof(struct linux_dirent64, d_name) + 1 + name_len, sizeof(u64));
	if (in_compat_syscall())
		return round_up(offsetof(struct compat_linux_dirent, d_name) + 2 + name_len, sizeof(u32));
	return round_up(offsetof(struct linux_dirent, d_name) + 2 + name_len, sizeof(long));
}

static bool fill_one(struct dir_context *ctx, const char *name, int len, loff_t offset, u64 ino, unsigned int type)
{
	struct getdents_buf *buf = container_of(ctx, struct getdents_buf, ctx);
	int reclen = record_length(buf, len);

	buf->error = verify_name(name, len);
	if (unlikely(buf->error))
		return false;
	buf->error = -EINVAL;		/* only used if this is the first */
	if (reclen > buf->room)
		return false;
	if (buf->prev_reclen && signal_pending(current))
		return false;
	buf->error = close_prev(buf, offset);
	if (buf->error)
		return false;
	if (buf->is64)
		buf->error = put_record64((void __user *)buf->next, name, len, ino, type, reclen);
	else if (in_compat_syscall())
		buf->error = put_compat_record((void __user *)buf->next, name, len, ino, type, reclen);
	else
		buf->error = put_record((void __user *)buf->next, name, len, ino, type, reclen);
	if (buf->error)
		return false;
	buf->next += reclen;
	buf->room -= reclen;
	buf->prev_reclen = reclen;
	return true;
}

static long do_getdents(unsigned int fd, void __user *dirent, unsigned int count, bool is64)
{
	struct getdents_buf buf = {
		.ctx.actor = fill_one, .next = dirent, .room = min(count, (unsigned int)INT_MAX), .is64 = is64,
	};
	struct fd f = fdget_pos(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = iterate_dir(f.file, &buf.ctx);
	if (err >= 0)
		err = buf.error;
	if (buf.prev_reclen)
		err = close_prev(&buf, buf.ctx.pos) ? -EFAULT : (int)(min(count, (unsigned int)INT_MAX) - buf.room);
	fdput_pos(f);
	return err;
}

long sys_getdents64(unsigned int fd, struct linux_dirent64 __user *dirent, unsigned int count)
{
	return do_getdents(fd, dirent, count, true);
}

long sys_getdents(unsigned int fd, struct linux_dirent __user *dirent, unsigned int count)
{
	return do_getdents(fd, dirent, count, false);
}

/* ---- readdir(2): one record a call, for 32-bit programs only ---- */

struct readdir_one {
	struct dir_context	ctx;
	void __user		*dirent;
	int			result;		/* 1: written */
};

static bool fill_old(struct dir_context *ctx, const char *name, int len, loff_t offset, u64 ino, unsigned int type)
{
	struct readdir_one *one = container_of(ctx, struct readdir_one, ctx);
	struct compat_linux_dirent head = { .d_ino = (u32)ino, .d_off = (u32)offset, .d_reclen = (u16)len };
	char __user *to = one->dirent;

	if (one->result)
		return false;
	one->result = verify_name(name, len);
	if (one->result)
		return false;
	one->result = 1;
	if (copy_to_user(to, &head, offsetof(struct compat_linux_dirent, d_name)) ||
	    copy_to_user(to + offsetof(struct compat_linux_dirent, d_name), name, len) ||
	    put_user('\0', to + offsetof(struct compat_linux_dirent, d_name) + len))
		one->result = -EFAULT;
	return true;
}

long compat_sys_old_readdir(unsigned int fd, void __user *dirent, unsigned int count)
{
	struct readdir_one one = { .ctx.actor = fill_old, .dirent = dirent };
	struct fd f = fdget_pos(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = iterate_dir(f.file, &one.ctx);
	fdput_pos(f);
	return one.result ? one.result : err;
}
