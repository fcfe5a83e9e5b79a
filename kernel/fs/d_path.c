/*
 * d_path.c: paths as text; getcwd(2).
 *
 * Idea:    the name is written from its end: dentry by dentry up to the root, from mount to mount.  First without a lock,
 *          validated by rename_lock and mount_lock; if that fails, once more with both held.
 * See:     getcwd(3), proc_pid_fd(5)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/fs_struct.h>
#include <weft/mount.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/stdarg.h>
#include <weft/sched.h>
#include <weft/uaccess.h>
#include <weft/syscalls.h>
#include "internal.h"

/* Text that grows downwards.  len < 0: it did not fit. */
struct prepend_buffer {
	char	*buf;
	int	len;
};

static bool prepend(struct prepend_buffer *p, const char *str, int len)
{
	if (p->len < len) {
		p->len = -1;
		return false;
	}
	p->len -= len;
	p->buf -= len;
	memcpy(p->buf, str, len);
	return true;
}

/* The name may be changing: length and text are read apart, so no byte behind a zero is believed. */
static bool prepend_name(struct prepend_buffer *p, const struct qstr *name)
{
	const char *text = (const char *)smp_load_acquire(&name->name);
	u32 len = READ_ONCE(name->len);
	char *s;

	p->len -= len + 1;
	if (unlikely(p->len < 0))
		return false;
	s = p->buf -= len + 1;
	*s++ = '/';
	while (len--) {
		char c = *text++;

		if (!c)
			break;
		*s++ = c;
	}
	return true;
}

static char *extract(const struct prepend_buffer *p)
{
	return likely(p->len >= 0) ? p->buf : ERR_PTR(-ENAMETOOLONG);
}

/* Up to root.  0 reached it; 1 the end of the tree instead; 2 of a detached tree; 3 a name outside its mount's root. */
static int prepend_up(const struct dentry *dentry, const struct mount *mnt, const struct path *root, struct prepend_buffer *p)
{
	while (dentry != root->dentry || &mnt->mnt != root->mnt) {
		const struct dentry *parent = READ_ONCE(dentry->d_parent);

		if (dentry == mnt->mnt.mnt_root) {
			struct mount *up = READ_ONCE(mnt->mnt_parent);

			if (likely(mnt != up)) {
				dentry = READ_ONCE(mnt->mnt_mountpoint);
				mnt = up;
				continue;
			}
			return is_mounted(mnt) ? 1 : 2;
		}
		if (unlikely(dentry == parent))
			return 3;
		if (!prepend_name(p, &dentry->d_name))
			break;
		dentry = parent;
	}
	return 0;
}

static int prepend_path(const struct path *path, const struct path *root, struct prepend_buffer *p)
{
	int seq = 0, m_seq = 0, res;
	struct prepend_buffer b;

	for (;;) {
		/* rcu_read_lock() nests, and goes with the lockless attempts as with the locked one. */
		rcu_read_lock();
		read_seqbegin_or_lock(&mount_lock, &m_seq);
		read_seqbegin_or_lock(&rename_lock, &seq);
		b = *p;
		res = prepend_up(path->dentry, real_mount(path->mnt), root, &b);
		rcu_read_unlock();
		if (!need_seqretry(&rename_lock, seq) && !need_seqretry(&mount_lock, m_seq))
			break;
		seq = m_seq = 1;	/* once more with both locks: they were not taken yet */
	}
	done_seqretry(&rename_lock, seq);
	done_seqretry(&mount_lock, m_seq);
	if (unlikely(res == 3))
		b = *p;
	if (b.buf == p->buf && b.len >= 0)
		prepend(&b, "/", 1);
	*p = b;
	return res;
}

/* NULL when path does not lie below root; ERR_PTR(-ENAMETOOLONG). */
char *__d_path(const struct path *path, const struct path *root, char *buf, int buflen)
{
	struct prepend_buffer b = { .buf = buf + buflen, .len = buflen };

	prepend(&b, "", 1);
	if (unlikely(prepend_path(path, root, &b) > 0))
		return NULL;
	return extract(&b);
}

/* As the running task sees it; " (deleted)" behind a name that was removed. */
char *d_path(const struct path *path, char *buf, int buflen)
{
	struct prepend_buffer b = { .buf = buf + buflen, .len = buflen };
	struct path root;

	/* Pipes, sockets, anonymous inodes: their name says what they are, not where. */
	if (path->dentry->d_op && path->dentry->d_op->d_dname && (!IS_ROOT(path->dentry) ||
								  path->dentry != path->mnt->mnt_root))
		return path->dentry->d_op->d_dname(path->dentry, buf, buflen);
	get_fs_root(current->fs, &root);
	if (unlikely(d_unlinked(path->dentry)))
		prepend(&b, " (deleted)", 11);
	else
		prepend(&b, "", 1);
	prepend_path(path, &root, &b);
	path_put(&root);
	return extract(&b);
}

char *dynamic_dname(char *buf, int buflen, const char *fmt, ...)
{
	char temp[64];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(temp, sizeof(temp), fmt, args) + 1;
	va_end(args);
	if (len > (int)sizeof(temp) || len > buflen)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buf + buflen - len, temp, len);
}

/* Within the file system, whatever it is mounted on. */
char *dentry_path_raw(const struct dentry *dentry, char *buf, int buflen)
{
	struct prepend_buffer start = { .buf = buf + buflen, .len = buflen }, b;
	unsigned int seq;

	prepend(&start, "", 1);
	do {
		const struct dentry *d = dentry;

		seq = read_seqbegin(&rename_lock);
		b = start;
		rcu_read_lock();
		while (!IS_ROOT(d) && prepend_name(&b, &d->d_name))
			d = READ_ONCE(d->d_parent);
		rcu_read_unlock();
	} while (read_seqretry(&rename_lock, seq));
	if (b.buf == start.buf)
		prepend(&b, "/", 1);
	return extract(&b);
}

char *dentry_path(const struct dentry *dentry, char *buf, int buflen)
{
	char *p;

	if (!d_unlinked(dentry))
		return dentry_path_raw(dentry, buf, buflen);
	if (buflen < 10)
		return ERR_PTR(-ENAMETOOLONG);
	p = dentry_path_raw(dentry, buf, buflen - 9);	/* it ends at buf + buflen - 10 with its zero */
	if (!IS_ERR(p))
		memcpy(buf + buflen - 10, "//deleted", 10);
	return p;
}

/* Length with the zero byte, -ERANGE, -ENOENT for a directory that was removed. */
long sys_getcwd(char __user *buf, unsigned long size)
{
	struct prepend_buffer b;
	struct path pwd, root;
	char *page = __getname();
	long err;

	if (!page)
		return -ENOMEM;
	get_fs_root(current->fs, &root);
	get_fs_pwd(current->fs, &pwd);
	err = -ENOENT;
	if (!d_unlinked(pwd.dentry)) {
		unsigned int len;

		b = (struct prepend_buffer){ .buf = page + PATH_MAX, .len = PATH_MAX };
		prepend(&b, "", 1);
		if (unlikely(prepend_path(&pwd, &root, &b) > 0))
			prepend(&b, "(unreachable)", 13);
		len = PATH_MAX - b.len;
		if (unlikely(b.len < 0))
			err = -ENAMETOOLONG;
		else if (len > size)
			err = -ERANGE;
		else
			err = copy_to_user(buf, b.buf, len) ? -EFAULT : len;
	}
	path_put(&pwd);
	path_put(&root);
	__putname(page);
	return err;
}
