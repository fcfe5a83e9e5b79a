/*
 * file.c: open files of a server: reading through the page cache, writing straight to the server, mapping.
 *
 * Idea:    write(2) sends its bytes at once, so that others see them and an error has its caller; the pages in the cache that
 *          they touch go.  Only a shared mapping makes pages dirty: they are written at msync, fsync, close, and when the
 *          mapping ends, through the fid of a file that is open for writing.
 * Locking: i_rwsem over write; the page lock over a page that is read or written.
 */
#include <weft/err.h>
#include <weft/mm.h>
#include <weft/pagemap.h>
#include <weft/slab.h>
#include <weft/uio.h>
#include <weft/writeback.h>
#include "p9.h"

static int p9_open(struct inode *inode, struct file *file)
{
	struct p9_fid *own, *fid;
	int err;

	p9_find_again(file->f_path.dentry);
	own = p9_inode_fid(inode);
	fid = p9_walk(own, NULL, 0, NULL);
	err = PTR_ERR_OR_ZERO(fid);
	p9_put_fid(own);
	if (err)
		return err;
	err = p9_lopen(fid, file->f_flags & O_ACCMODE) ?: p9_refresh(inode);
	if (err)
		p9_put_fid(fid);
	else
		file->private_data = fid;
	return err;
}

static int p9_release(struct inode *inode, struct file *file)
{
	p9_put_fid(file->private_data);
	return 0;
}

static int p9_flush(struct file *file, fl_owner_t id)
{
	return file->f_mode & FMODE_WRITE ? file_write_and_wait_range(file, 0, LLONG_MAX) : 0;
}

static int p9_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct p9_fid *fid = file->private_data;
	struct p9_call call;
	int err = file_write_and_wait_range(file, start, end);

	if (err)
		return err;
	p9_begin(fid->client, &call, P9_TFSYNC);
	p9_put_fid_nr(&call, fid);
	p9_put32(&call, datasync);
	return p9_run_end(&call);
}

/* ---- pages ---- */

/* From the server into a locked page; what lies behind the end is zero. */
static int fill_page(struct p9_fid *fid, struct page *page)
{
	u8 *to = page_address(page);
	size_t done = 0;

	while (done < PAGE_SIZE) {
		ssize_t n = p9_read(fid, page_offset(page) + done, to + done, PAGE_SIZE - done);

		if (n < 0)
			return n;
		if (!n)
			break;
		done += n;
	}
	memset(to + done, 0, PAGE_SIZE - done);
	flush_dcache_page(page);
	SetPageUptodate(page);
	return 0;
}

static int p9_readpage(struct file *file, struct page *page)
{
	int err = file ? fill_page(file->private_data, page) : -EIO;

	unlock_page(page);
	return err;
}

/* Several pages with one message. */
static void p9_readahead(struct readahead_control *rac)
{
	struct p9_fid *fid = rac->file ? rac->file->private_data : NULL;
	void *buf = fid ? kmalloc(P9_IO_MAX, GFP_KERNEL) : NULL;
	loff_t end = readahead_pos(rac) + ((loff_t)readahead_count(rac) << PAGE_SHIFT);
	struct page *page;
	ssize_t have = 0, at = 0;

	/* What is left over is unlocked by the caller, and read page by page when it is wanted. */
	while (buf && (page = readahead_page(rac))) {
		if (at >= have) {
			have = p9_read(fid, page_offset(page), buf, min_t(loff_t, end - page_offset(page), P9_IO_MAX));
			at = 0;
		}
		if (have - at >= (ssize_t)PAGE_SIZE) {
			memcpy(page_address(page), buf + at, PAGE_SIZE);
			SetPageUptodate(page);
		} else {
			fill_page(fid, page);		/* the file's end, or a short answer */
		}
		at += PAGE_SIZE;
		unlock_page(page);
		put_page(page);
	}
	kfree(buf);
}

static int write_page(struct page *page, struct writeback_control *wbc, void *data)
{
	struct inode *inode = page->mapping->host;
	loff_t pos = page_offset(page);
	size_t len = clamp_t(loff_t, i_size_read(inode) - pos, 0, PAGE_SIZE), done = 0;
	struct p9_fid *fid = P9_I(inode)->write_fid;	/* it stays, once it is there */
	int err = fid ? 0 : -EIO;

	set_page_writeback(page);
	while (!err && done < len) {
		ssize_t n = p9_write(fid, pos + done, page_address(page) + done, len - done);

		if (n <= 0)
			err = n ?: -EIO;
		else
			done += n;
	}
	if (err)
		mapping_set_error(page->mapping, err);
	unlock_page(page);
	end_page_writeback(page);
	return err;
}

static int p9_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	return write_cache_pages(mapping, wbc, write_page, NULL);
}

static int p9_writepage(struct page *page, struct writeback_control *wbc)
{
	return write_page(page, wbc, NULL);
}

const struct address_space_operations p9_aops = {
	.readpage	= p9_readpage,
	.readahead	= p9_readahead,
	.writepage	= p9_writepage,
	.writepages	= p9_writepages,
	.set_page_dirty	= __set_page_dirty_nobuffers,
};

/* ---- mappings ---- */

static void p9_vm_close(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_SHARED)
		filemap_write_and_wait(vma->vm_file->f_mapping);	/* who waits for an error calls msync */
}

static const struct vm_operations_struct p9_vm_ops = {
	.close		= p9_vm_close,
	.fault		= filemap_fault,
	.map_pages	= filemap_map_pages,
	.page_mkwrite	= filemap_page_mkwrite,
};

static int p9_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct p9_inode *pi = P9_I(file_inode(file));

	if (vma->vm_flags & VM_SHARED && file->f_mode & FMODE_WRITE) {
		mutex_lock(&pi->lock);
		if (!pi->write_fid)
			pi->write_fid = p9_get_fid(file->private_data);
		mutex_unlock(&pi->lock);
	}
	vma->vm_ops = &p9_vm_ops;
	return 0;
}

/* ---- writing ---- */

/* Sends what the caller gives from ki_pos on: the bytes written, or -errno when there are none. */
static ssize_t send_all(struct p9_fid *fid, loff_t pos, struct iov_iter *from)
{
	void *buf = kmalloc(P9_IO_MAX, GFP_KERNEL);
	ssize_t total = 0, n = buf ? 0 : -ENOMEM;

	while (buf && iov_iter_count(from)) {
		size_t len = copy_from_iter(buf, min_t(size_t, iov_iter_count(from), P9_IO_MAX), from), done = 0;

		n = len ? 0 : -EFAULT;
		for (; done < len && n >= 0; done += max_t(ssize_t, n, 0)) {
			n = p9_write(fid, pos + total + done, buf + done, len - done);
			if (!n)
				n = -EIO;
		}
		total += done;
		if (n < 0)
			break;
	}
	kfree(buf);
	return total ?: n;
}

static ssize_t p9_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	loff_t first;
	ssize_t res;

	inode_lock(inode);
	res = iocb->ki_flags & IOCB_APPEND ? p9_refresh(inode) : 0;
	if (!res)
		res = generic_write_checks(iocb, from);
	if (res <= 0)
		goto out;
	first = iocb->ki_pos;
	res = file_remove_privs(file);
	if (!res)			/* what a mapping has made dirty comes before */
		res = filemap_write_and_wait_range(inode->i_mapping, first, first + iov_iter_count(from) - 1);
	if (res)
		goto out;
	res = send_all(file->private_data, first, from);
	if (res > 0) {
		iocb->ki_pos += res;
		invalidate_inode_pages2_range(inode->i_mapping, first >> PAGE_SHIFT, (iocb->ki_pos - 1) >> PAGE_SHIFT);
		if (iocb->ki_pos > i_size_read(inode))
			i_size_write(inode, iocb->ki_pos);
	}
out:
	inode_unlock(inode);
	return res > 0 ? generic_write_sync(iocb, res) : res;
}

const struct file_operations p9_file_operations = {
	.open		= p9_open,
	.release	= p9_release,
	.flush		= p9_flush,
	.llseek		= generic_file_llseek,
	.read_iter	= generic_file_read_iter,
	.write_iter	= p9_write_iter,
	.fsync		= p9_fsync,
	.mmap		= p9_mmap,
};
