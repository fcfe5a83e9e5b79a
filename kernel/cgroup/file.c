/*
 * file.c: the files of a group: which there are, reading, writing, waiting for events.
 *
 * What:    one table of file operations for all; what is read and written the controllers' tables (struct cftype) say.
 * Idea:    files are numbered: first those that every group has, then each controller's.  The number is in the inode's, so an
 *          inode needs nothing else.  A controller's file can be seen where its part is there, and when the part has gone,
 *          or the group, what is still open answers ENODEV.
 * Events:  who reads a file of events notes how many there were; poll() says POLLPRI | POLLERR once there are more.
 * Locking: a part is held by a reference while show() or write() run; they take cgroup_mutex themselves where they need it.
 * See:     fs.c; base_files.c
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/poll.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uio.h>
#include <asm/page.h>
#include "cgroup.h"
#include "inode.h"

/* ---- the numbers of files ---- */

const struct cftype *cgroup_cftype(unsigned int number, int *controller)
{
	const struct cftype *cft = cgroup_base_files;

	for (*controller = -1;;) {
		for (; cft->name; cft++)
			if (!number--)
				return cft;
		if (++*controller == CGROUP_CONTROLLERS)
			return NULL;
		cft = cgroup_subsys[*controller]->files;
	}
}

bool cgroup_file_visible(const struct cgroup *cgrp, unsigned int number)
{
	int controller;
	const struct cftype *cft = cgroup_cftype(number, &controller);

	if (READ_ONCE(cgrp->dead) || (cft->flags & (cgroup_is_root(cgrp) ? CFT_NOT_ON_ROOT : CFT_ONLY_ON_ROOT)))
		return false;
	return controller < 0 || rcu_access_pointer(cgrp->css[controller]);
}

int cgroup_find_file(const char *name, size_t len)
{
	const struct cftype *cft;
	int controller;

	for (unsigned int i = 0; (cft = cgroup_cftype(i, &controller)); i++)
		if (!strncmp(cft->name, name, len) && !cft->name[len])
			return (int)i;
	return -ENOENT;
}

/* The part that the file is about, + reference.  NULL: it has gone. */
static struct cgroup_css *get_css(struct inode *inode)
{
	struct cgroup *cgrp = cgroup_of_inode(inode);
	struct cgroup_css *css;
	int controller;

	cgroup_cftype(file_number(inode), &controller);
	if (READ_ONCE(cgrp->dead))
		return NULL;
	if (controller < 0) {
		css_get(&cgrp->self);		/* never the last: the inode holds the group */
		return &cgrp->self;
	}
	rcu_read_lock();
	css = rcu_dereference(cgrp->css[controller]);
	if (css && !css_tryget(css))
		css = NULL;
	rcu_read_unlock();
	return css;
}

static void put_css(struct cgroup_css *css)
{
	if (css->ss)
		css_put(css);
	else
		refcount_dec(&css->count);
}

/* ---- open, read, write ---- */

static int show(struct seq_file *m, void *v)
{
	struct cgroup_open *open = m->private;
	struct cgroup_css *css = get_css(file_inode(m->file));
	int err;

	if (!css)
		return -ENODEV;
	if (open->cft->event)
		atomic_set(&open->seen, atomic_read(&open->cgroup->events[open->cft->event]));
	err = open->cft->show(m, css);
	put_css(css);
	return err;
}

static int cgroup_open(struct inode *inode, struct file *file)
{
	struct cgroup_open *open = kzalloc(sizeof(*open), GFP_KERNEL);
	int err, controller;

	if (!open)
		return -ENOMEM;
	open->cgroup = cgroup_of_inode(inode);
	open->cft = cgroup_cftype(file_number(inode), &controller);
	open->cred = file->f_cred;
	if (open->cft->event)
		atomic_set(&open->seen, atomic_read(&open->cgroup->events[open->cft->event]));
	err = single_open(file, show, open);
	if (err) {
		kfree(open);
		return err;
	}
	open->ns = current->nsproxy->cgroup;
	ns_get(&open->ns->ns);
	return 0;
}

static struct cgroup_open *open_of(struct file *file)
{
	struct seq_file *m = file->private_data;

	return m->private;
}

static int cgroup_file_release(struct inode *inode, struct file *file)
{
	struct cgroup_open *open = open_of(file);

	put_cgroup_ns(open->ns);
	kfree(open);
	return single_release(inode, file);
}

static ssize_t cgroup_read(struct kiocb *iocb, struct iov_iter *to)
{
	return open_of(iocb->ki_filp)->cft->show ? seq_read_iter(iocb, to) : -EINVAL;
}

/* What stands at both ends is no part of the text. */
static char *strip(char *text)
{
	size_t len;

	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\n'))
		text[--len] = 0;
	return text;
}

/* Where a group is delegated to a namespace, its limits are for those outside to set. */
static bool is_border(const struct cgroup_open *open)
{
	return cgroup_nsdelegate && !(open->cft->flags & CFT_DELEGATED) && open->ns != &init_cgroup_ns &&
	       open->ns->root == open->cgroup;
}

static int write_text(struct file *file, char *text)
{
	struct cgroup_open *open = open_of(file);
	struct cgroup_css *css;
	int err;

	if (!open->cft->write)
		return -EINVAL;
	if (is_border(open))
		return -EPERM;
	css = get_css(file_inode(file));
	if (!css)
		return -ENODEV;
	err = open->cft->write(css, strip(text), open);
	put_css(css);
	return err;
}

static ssize_t cgroup_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	char *buf;
	int err;

	if (len >= PAGE_SIZE)
		return -E2BIG;
	buf = kmalloc(len + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_iter(buf, len, from) == len) {
		buf[len] = 0;
		err = write_text(iocb->ki_filp, buf);
	}
	kfree(buf);
	return err ? err : (ssize_t)len;
}

static __poll_t cgroup_poll(struct file *file, poll_table *pt)
{
	struct cgroup_open *open = open_of(file);
	struct cgroup *cgrp = open->cgroup;

	poll_wait(file, &cgrp->event_wait, pt);
	if (READ_ONCE(cgrp->dead) ||
	    (open->cft->event && atomic_read(&open->seen) != atomic_read(&cgrp->events[open->cft->event])))
		return DEFAULT_POLLMASK | EPOLLERR | EPOLLPRI;
	return DEFAULT_POLLMASK;
}

const struct file_operations cgroup_file_operations = {
	.open = cgroup_open, .release = cgroup_file_release, .read_iter = cgroup_read, .write_iter = cgroup_write,
	.poll = cgroup_poll, .llseek = seq_lseek,
};

/* ---- what files are made of ---- */

int cgroup_parse_max(char *text, u64 limit, u64 *value)
{
	if (!strcmp(text, "max")) {
		*value = limit;
		return 0;
	}
	return kstrtoull(text, 0, value);
}

void cgroup_show_max(struct seq_file *m, u64 value, u64 limit)
{
	if (value >= limit)
		seq_puts(m, "max\n");
	else
		seq_printf(m, "%llu\n", value);
}
