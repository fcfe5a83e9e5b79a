/*
 * seq_file.h: files whose text is made while it is read.
 *
 * Idea:    show() prints one record into a buffer; when the buffer is full the record is shown again into a larger one, or
 *          at the next read.  start/next/stop walk the records; a lock may be held from start to stop.
 * See:     kernel/fs/seq_file.c
 */
#ifndef WEFT_SEQ_FILE_H
#define WEFT_SEQ_FILE_H

#include <weft/types.h>
#include <weft/mutex.h>
#include <weft/list.h>
#include <weft/stdarg.h>
#include <weft/fs.h>

struct seq_operations;

struct seq_file {
	char		*buf;
	size_t		size;		/* of buf */
	size_t		from;		/* first byte not yet given to the reader */
	size_t		count;		/* bytes in buf, from 0; == size: overflow */
	size_t		pad_until;
	loff_t		index;		/* of the record */
	loff_t		read_pos;
	struct mutex	lock;
	const struct seq_operations *op;
	int		poll_event;
	const struct file *file;
	void		*private;
};

struct seq_operations {
	void *(*start)(struct seq_file *m, loff_t *pos);
	void (*stop)(struct seq_file *m, void *v);
	void *(*next)(struct seq_file *m, void *v, loff_t *pos);
	int (*show)(struct seq_file *m, void *v);
};
#define SEQ_SKIP	1		/* show(): leave this record out */
#define SEQ_START_TOKEN	((void *)1)

int seq_open(struct file *file, const struct seq_operations *op);
void *__seq_open_private(struct file *file, const struct seq_operations *op, int psize);
ssize_t seq_read_iter(struct kiocb *iocb, struct iov_iter *iter);
loff_t seq_lseek(struct file *file, loff_t offset, int whence);
int seq_release(struct inode *inode, struct file *file);
int seq_release_private(struct inode *inode, struct file *file);
int single_open(struct file *file, int (*show)(struct seq_file *, void *), void *data);
int single_release(struct inode *inode, struct file *file);

static inline bool seq_has_overflowed(const struct seq_file *m) { return m->count == m->size; }
void seq_vprintf(struct seq_file *m, const char *fmt, va_list args) __printf(2, 0);
void seq_printf(struct seq_file *m, const char *fmt, ...) __printf(2, 3);
void seq_putc(struct seq_file *m, char c);
void seq_puts(struct seq_file *m, const char *s);
int seq_write(struct seq_file *m, const void *data, size_t len);
void seq_pad(struct seq_file *m, char c);
#define seq_setwidth(m, width)	((m)->pad_until = (m)->count + (width))
void seq_put_decimal_ull(struct seq_file *m, const char *delimiter, unsigned long long num);
void seq_put_decimal_ull_width(struct seq_file *m, const char *delimiter, unsigned long long num, unsigned int width);
void seq_escape(struct seq_file *m, const char *s, const char *esc);	/* \ooo for what stands in esc */
int seq_path(struct seq_file *m, const struct path *path, const char *esc);
int seq_file_path(struct seq_file *m, struct file *file, const char *esc);
int seq_path_root(struct seq_file *m, const struct path *path, const struct path *root, const char *esc);
int seq_dentry(struct seq_file *m, struct dentry *dentry, const char *esc);
char *mangle_path(char *s, const char *p, const char *esc);

struct list_head *seq_list_start(struct list_head *head, loff_t pos);
struct list_head *seq_list_start_head(struct list_head *head, loff_t pos);
struct list_head *seq_list_next(void *v, struct list_head *head, loff_t *ppos);

static inline void seq_show_option(struct seq_file *m, const char *name, const char *value)
{
	seq_putc(m, ',');
	seq_escape(m, name, ",= \t\n\\");
	if (value) {
		seq_putc(m, '=');
		seq_escape(m, value, ", \t\n\\");
	}
}

/* foo_show(m, v) becomes foo_open() and foo_fops. */
#define DEFINE_SHOW_ATTRIBUTE(name)							\
static int name ## _open(struct inode *inode, struct file *file)			\
{											\
	return single_open(file, name ## _show, inode->i_private);			\
}											\
static const struct file_operations name ## _fops = {					\
	.open = name ## _open, .read_iter = seq_read_iter, .llseek = seq_lseek, .release = single_release, \
}

#endif
