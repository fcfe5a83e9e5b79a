/*
 * mem.c: major 1: null, zero, full, random, urandom, kmsg.
 *
 * Idea:    one open() for the major picks the functions by minor number; each device is a row of a table.
 * See:     spec.md §10; null(4), full(4), random_dev.c, kmsg.c
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/mm.h>
#include <weft/uio.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/shmem_fs.h>
#include <weft/device.h>
#include "internal.h"

#define MEM_MAJOR	1

static ssize_t read_null(struct kiocb *iocb, struct iov_iter *to)
{
	return 0;
}

static ssize_t write_null(struct kiocb *iocb, struct iov_iter *from)
{
	size_t count = iov_iter_count(from);

	iov_iter_advance(from, count);
	return count;
}

static ssize_t read_zero(struct kiocb *iocb, struct iov_iter *to)
{
	size_t done = 0;

	while (iov_iter_count(to)) {
		size_t chunk = min_t(size_t, iov_iter_count(to), PAGE_SIZE);
		size_t n = iov_iter_zero(chunk, to);

		done += n;
		if (n < chunk)
			return done ? (ssize_t)done : -EFAULT;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

static ssize_t write_full(struct kiocb *iocb, struct iov_iter *from)
{
	return -ENOSPC;
}

/* A private mapping of zeros is anonymous memory; a shared one is a file without a name. */
static int mmap_zero(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_SHARED)
		return shmem_zero_setup(vma);
	vma_set_anonymous(vma);
	return 0;
}

/* Seeking changes nothing and never fails. */
static loff_t null_lseek(struct file *file, loff_t offset, int whence)
{
	return file->f_pos = 0;
}

static const struct file_operations null_fops = {
	.llseek = null_lseek, .read_iter = read_null, .write_iter = write_null,
};
static const struct file_operations zero_fops = {
	.llseek = null_lseek, .read_iter = read_zero, .write_iter = write_null, .mmap = mmap_zero,
};
static const struct file_operations full_fops = {
	.llseek = null_lseek, .read_iter = read_zero, .write_iter = write_full,
};

static const struct {
	unsigned int	minor;
	const char	*name;
	umode_t		mode;
	const struct file_operations *fops;
} mem_devices[] = {
	{ 3, "null", 0666, &null_fops },
	{ 5, "zero", 0666, &zero_fops },
	{ 7, "full", 0666, &full_fops },
	{ 8, "random", 0666, &random_fops },
	{ 9, "urandom", 0666, &urandom_fops },
	{ 11, "kmsg", 0644, &kmsg_fops },
};

static int memory_open(struct inode *inode, struct file *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(mem_devices); i++) {
		if (mem_devices[i].minor != iminor(inode))
			continue;
		replace_fops(file, mem_devices[i].fops);
		return file->f_op->open ? file->f_op->open(inode, file) : 0;
	}
	return -ENXIO;
}

static const struct file_operations memory_fops = { .open = memory_open, .llseek = noop_llseek };

static int __init mem_init_devices(void)
{
	int err = register_chrdev(MEM_MAJOR, "mem", &memory_fops);

	for (size_t i = 0; !err && i < ARRAY_SIZE(mem_devices); i++)
		err = PTR_ERR_OR_ZERO(device_create(&mem_class, MKDEV(MEM_MAJOR, mem_devices[i].minor), mem_devices[i].name,
						    S_IFCHR | mem_devices[i].mode));
	return err;
}
fs_initcall(mem_init_devices);
