/*
 * seq_file.c: text files made while they are read: see seq_file.h.
 *
 * Idea:    a record that does not fit is shown again: into a buffer twice as large if it is the first, otherwise at the
 *          next read.  What of a record the reader had no room for waits in the buffer (from, count).
 * Locking: m->lock over each read and seek.
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/ctype.h>
#include <weft/cred.h>
#include <weft/uio.h>
#include <weft/mm.h>
#include "internal.h"

static struct kmem_cache *seq_file_cache;

static void seq_set_overflow(struct seq_file *m)
{
	m->count = m->size;
}

/* ---- opening ---- */

int seq_open(struct file *file, const struct seq_operations *op)
{
	struct seq_file *p;

	if (!seq_file_cache) {
		struct kmem_cache *cache = KMEM_CACHE(seq_file, 0);

		if (!cache)
			return -ENOMEM;
		if (cmpxchg(&seq_file_cache, NULL, cache))
			kmem_cache_destroy(cache);
	}
	p = kmem_cache_zalloc(seq_file_cache, GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	file->private_data = p;
	mutex_init(&p->lock);
	p->op = op;
	p->file = file;
	/* Positions of records are not bytes that could be written to. */
	file->f_mode &= ~FMODE_PWRITE;
	return 0;
}

void *__seq_open_private(struct file *file, const struct seq_operations *ops, int psize)
{
	void *private = kzalloc(psize, GFP_KERNEL);
	struct seq_file *m;

	if (!private)
		return NULL;
	if (seq_open(file, ops)) {
		kfree(private);
		return NULL;
	}
	m = file->private_data;
	m->private = private;
	return private;
}

int seq_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	kvfree(m->buf);
	kmem_cache_free(seq_file_cache, m);
	return 0;
}

int seq_release_private(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	kfree(m->private);
	m->private = NULL;
	return seq_release(inode, file);
}

/* ---- files of one record ---- */

static void *single_start(struct seq_file *m, loff_t *pos)
{
	return *pos == 0 ? SEQ_START_TOKEN : NULL;
}

static void *single_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return NULL;
}

static void single_stop(struct seq_file *m, void *v)
{
}

int single_open(struct file *file, int (*show)(struct seq_file *, void *), void *data)
{
	struct seq_operations *op = kmalloc(sizeof(*op), GFP_KERNEL);
	int res = -ENOMEM;

	if (!op)
		return res;
	*op = (struct seq_operations){ .start = single_start, .next = single_next, .stop = single_stop, .show = show };
	res = seq_open(file, op);
	if (res)
		kfree(op);
	else
		((struct seq_file *)file->private_data)->private = data;
	return res;
}

int single_release(struct inode *inode, struct file *file)
{
	const struct seq_operations *op = ((struct seq_file *)file->private_data)->op;
	int res = seq_release(inode, file);

	kfree(op);
	return res;
}

/* ---- reading ---- */

/* A buffer of twice the size, empty.  0 or -ENOMEM with none. */
static int grow(struct seq_file *m)
{
	size_t size = m->size ? m->size * 2 : PAGE_SIZE;

	kvfree(m->buf);
	m->count = 0;
	m->size = size;
	m->buf = kvmalloc(size, GFP_KERNEL);
	if (!m->buf) {
		m->size = 0;
		return -ENOMEM;
	}
	return 0;
}

/* Brings index and buffer to byte `offset` of the text, by showing all before it.  0 or -errno. */
static int traverse(struct seq_file *m, loff_t offset)
{
	loff_t pos = 0;
	int err = 0;
	void *p;

	m->index = 0;
	m->count = m->from = 0;
	if (!offset)
		return 0;
	if (!m->buf && grow(m))
		return -ENOMEM;
	p = m->op->start(m, &m->index);
	while (p) {
		err = PTR_ERR(p);
		if (IS_ERR(p))
			break;
		err = m->op->show(m, p);
		if (err < 0)
			break;
		if (unlikely(err)) {
			err = 0;
			m->count = 0;
		}
		if (seq_has_overflowed(m)) {
			m->op->stop(m, p);
			return grow(m) ? -ENOMEM : -EAGAIN;
		}
		p = m->op->next(m, p, &m->index);
		if (pos + (loff_t)m->count > offset) {
			m->from = offset - pos;
			m->count -= m->from;
			break;
		}
		pos += m->count;
		m->count = 0;
		if (pos == offset)
			break;
	}
	m->op->stop(m, p);
	return err;
}

/* The first record that has text, into the empty buffer, made larger as often as it takes.  NULL at the end, ERR_PTR. */
static void *first_record(struct seq_file *m)
{
	void *p;
	int err;

	for (;;) {
		m->from = 0;
		p = m->op->start(m, &m->index);
		while (!IS_ERR_OR_NULL(p)) {
			err = m->op->show(m, p);
			if (err < 0) {
				m->op->stop(m, p);
				m->count = 0;
				return ERR_PTR(err);
			}
			if (unlikely(err))
				m->count = 0;		/* SEQ_SKIP */
			if (m->count)
				break;
			p = m->op->next(m, p, &m->index);
		}
		if (IS_ERR_OR_NULL(p)) {
			m->op->stop(m, p);
			return p;
		}
		if (!seq_has_overflowed(m))
			return p;
		m->op->stop(m, p);
		if (grow(m))
			return ERR_PTR(-ENOMEM);
	}
}

/* As many more records as fit.  The walk is stopped at the end. */
static void more_records(struct seq_file *m, void *p, size_t wanted)
{
	for (;;) {
		size_t before = m->count;
		loff_t pos = m->index;
		int err;

		p = m->op->next(m, p, &m->index);
		if (unlikely(pos == m->index))
			m->index++;		/* a next() that forgets to would show the record for ever */
		if (IS_ERR_OR_NULL(p) || before >= wanted)
			break;
		err = m->op->show(m, p);
		if (err > 0) {
			m->count = before;
		} else if (err || seq_has_overflowed(m)) {
			m->count = before;
			break;
		}
	}
	m->op->stop(m, p);
}

/* What waits in the buffer goes to the reader.  Bytes. */
static size_t give(struct seq_file *m, struct iov_iter *iter)
{
	size_t n = copy_to_iter(m->buf + m->from, m->count, iter);

	m->count -= n;
	m->from += n;
	return n;
}

ssize_t seq_read_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct seq_file *m = iocb->ki_filp->private_data;
	size_t copied = 0;
	ssize_t err = 0;
	void *p;

	if (!iov_iter_count(iter))
		return 0;
	mutex_lock(&m->lock);
	if (iocb->ki_pos == 0) {
		m->index = 0;
		m->count = 0;
	}
	if (unlikely(iocb->ki_pos != m->read_pos)) {	/* pread, or another descriptor moved it */
		while ((err = traverse(m, iocb->ki_pos)) == -EAGAIN)
			;
		if (err) {
			m->read_pos = 0;
			m->index = 0;
			m->count = 0;
			goto out;
		}
		m->read_pos = iocb->ki_pos;
	}
	if (!m->buf) {
		err = grow(m);
		if (err)
			goto out;
	}
	if (m->count) {
		copied = give(m, iter);
		if (m->count)		/* no room for the rest, or a bad address */
			goto out;
	}
	p = first_record(m);
	if (IS_ERR_OR_NULL(p)) {
		err = PTR_ERR(p);
		m->count = 0;
		goto out;
	}
	more_records(m, p, iov_iter_count(iter));
	copied += give(m, iter);
out:
	if (!copied)
		copied = m->count ? -EFAULT : err;
	else {
		iocb->ki_pos += copied;
		m->read_pos += copied;
	}
	mutex_unlock(&m->lock);
	return copied;
}

loff_t seq_lseek(struct file *file, loff_t offset, int whence)
{
	struct seq_file *m = file->private_data;
	loff_t res = -EINVAL;

	mutex_lock(&m->lock);
	if (whence == SEEK_CUR)
		offset += file->f_pos;
	if ((whence == SEEK_SET || whence == SEEK_CUR) && offset >= 0) {
		res = offset;
		if (offset != m->read_pos) {
			int err;

			while ((err = traverse(m, offset)) == -EAGAIN)
				;
			if (err) {
				res = err;
				file->f_pos = 0;
				m->read_pos = 0;
				m->index = 0;
				m->count = 0;
			} else {
				m->read_pos = offset;
			}
		}
		if (res >= 0)
			file->f_pos = offset;
	}
	mutex_unlock(&m->lock);
	return res;
}

/* ---- printing ---- */

void seq_vprintf(struct seq_file *m, const char *fmt, va_list args)
{
	size_t len;

	if (m->count >= m->size)
		return;
	len = vsnprintf(m->buf + m->count, m->size - m->count, fmt, args);
	if (m->count + len < m->size)
		m->count += len;
	else
		seq_set_overflow(m);
}

void seq_printf(struct seq_file *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	seq_vprintf(m, fmt, args);
	va_end(args);
}

void seq_putc(struct seq_file *m, char c)
{
	if (m->count < m->size)
		m->buf[m->count++] = c;
}

int seq_write(struct seq_file *m, const void *data, size_t len)
{
	if (m->count + len >= m->size) {
		seq_set_overflow(m);
		return -1;
	}
	memcpy(m->buf + m->count, data, len);
	m->count += len;
	return 0;
}

void seq_puts(struct seq_file *m, const char *s)
{
	seq_write(m, s, strlen(s));
}

/* Fills up to what seq_setwidth() announced, then c. */
void seq_pad(struct seq_file *m, char c)
{
	while (m->count < m->pad_until && m->count < m->size)
		m->buf[m->count++] = ' ';
	if (c)
		seq_putc(m, c);
}

void seq_put_decimal_ull_width(struct seq_file *m, const char *delimiter, unsigned long long num, unsigned int width)
{
	char digits[24], *p = digits + sizeof(digits);

	seq_puts(m, delimiter);
	do {
		*--p = '0' + num % 10;
		num /= 10;
	} while (num);
	for (unsigned int n = digits + sizeof(digits) - p; n < width; n++)
		seq_putc(m, ' ');
	seq_write(m, p, digits + sizeof(digits) - p);
}

void seq_put_decimal_ull(struct seq_file *m, const char *delimiter, unsigned long long num)
{
	seq_put_decimal_ull_width(m, delimiter, num, 0);
}

void seq_escape(struct seq_file *m, const char *s, const char *esc)
{
	for (; *s; s++) {
		if (!strchr(esc, *s)) {
			seq_putc(m, *s);
			continue;
		}
		seq_putc(m, '\\');
		seq_putc(m, '0' + (((unsigned char)*s & 0300) >> 6));
		seq_putc(m, '0' + ((*s & 070) >> 3));
		seq_putc(m, '0' + (*s & 07));
	}
}

/* Copies p to s (which may overlap from below), with \ooo for what stands in esc.  Behind the last byte, NULL: no room. */
char *mangle_path(char *s, const char *p, const char *esc)
{
	while (s <= p) {
		char c = *p++;

		if (!c)
			return s;
		if (!strchr(esc, c)) {
			*s++ = c;
		} else if (s + 4 > p) {
			break;
		} else {
			*s++ = '\\';
			*s++ = '0' + (((unsigned char)c & 0300) >> 6);
			*s++ = '0' + ((c & 070) >> 3);
			*s++ = '0' + (c & 07);
		}
	}
	return NULL;
}

/* A path made in the rest of the buffer: 0, -ENAMETOOLONG as overflow, or the error itself. */
static int put_path(struct seq_file *m, const char *p, char *buf, const char *esc)
{
	char *end;

	if (IS_ERR(p)) {
		seq_set_overflow(m);
		return PTR_ERR(p);
	}
	end = mangle_path(buf, p, esc);
	if (!end) {
		seq_set_overflow(m);
		return -ENAMETOOLONG;
	}
	m->count += end - buf;
	return 0;
}

int seq_path(struct seq_file *m, const struct path *path, const char *esc)
{
	char *buf = m->buf + m->count;

	if (m->count >= m->size)
		return -ENAMETOOLONG;
	return put_path(m, d_path(path, buf, m->size - m->count), buf, esc);
}

int seq_file_path(struct seq_file *m, struct file *file, const char *esc)
{
	return seq_path(m, &file->f_path, esc);
}

/* SEQ_SKIP when the path cannot be seen from root. */
int seq_path_root(struct seq_file *m, const struct path *path, const struct path *root, const char *esc)
{
	char *buf = m->buf + m->count, *p;

	if (m->count >= m->size)
		return 0;
	p = __d_path(path, root, buf, m->size - m->count);
	if (!p)
		return SEQ_SKIP;
	put_path(m, p, buf, esc);	/* too long: overflow, to be shown again in a larger buffer */
	return 0;
}

int seq_dentry(struct seq_file *m, struct dentry *dentry, const char *esc)
{
	char *buf = m->buf + m->count;

	if (m->count >= m->size)
		return -ENAMETOOLONG;
	return put_path(m, dentry_path(dentry, buf, m->size - m->count), buf, esc);
}

/* ---- walking lists ---- */

struct list_head *seq_list_start(struct list_head *head, loff_t pos)
{
	struct list_head *lh;

	list_for_each(lh, head) {
		if (pos-- == 0)
			return lh;
	}
	return NULL;
}

struct list_head *seq_list_start_head(struct list_head *head, loff_t pos)
{
	return pos ? seq_list_start(head, pos - 1) : head;
}

struct list_head *seq_list_next(void *v, struct list_head *head, loff_t *ppos)
{
	struct list_head *lh = ((struct list_head *)v)->next;

	++*ppos;
	return lh == head ? NULL : lh;
}
