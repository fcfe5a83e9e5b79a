/*
 * shmem.c: the contents of tmpfs files: pages that have no home but the page cache.
 *
 * What:    finding or making a page of a file (shmem_get_page), reading, writing, mapping, holes, fallocate, and files without
 *          a name: behind shared anonymous mappings and memfd.
 * Idea:    a hole is an index without a page; it reads as zeroes.  A page is charged to the mount (size=) and promised to the
 *          system before it is made.  A page that fallocate made is in the cache but not "up to date": it reads as a hole and
 *          is zeroed when somebody needs it.  A number in a page's place is its slot in swap (shmem_swap.c).
 *          A page is dirty from the start: memory is all it is in.
 * Locking: i_rwsem for writes, truncation and fallocate; page lock for contents.  Reads and faults hold no i_rwsem:
 *
 *              CPU 0: fault                            CPU 1: truncate to 0
 *              index < i_size
 *                                                      i_size = 0
 *                                                      removes all pages of the file: none there
 *              inserts a page; full barrier
 *              index >= i_size: removes it: SIGBUS
 *          If the page goes in before CPU 1 looks, CPU 1 finds it and waits for its lock.
 * See:     spec.md §10 "memory file systems"; shmem_fs.c has names and mounts; tmpfs(5)
 */
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/mman.h>
#include <weft/mount.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/shmem_fs.h>
#include <weft/signal.h>
#include <weft/splice.h>
#include <weft/uio.h>
#include <uapi/falloc.h>

#define SECTORS_PER_PAGE	(PAGE_SIZE / 512)

/* ---- promises and charges ---- */

static unsigned long pages_of(loff_t size)
{
	return ((u64)size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

int shmem_acct_size(unsigned long flags, loff_t size)
{
	return (flags & VM_NORESERVE) ? 0 : security_vm_enough_memory_mm(current->mm, pages_of(size));
}

void shmem_unacct_size(unsigned long flags, loff_t size)
{
	if (!(flags & VM_NORESERVE))
		vm_unacct_memory(pages_of(size));
}

int shmem_reacct_size(unsigned long flags, loff_t oldsize, loff_t newsize)
{
	if (flags & VM_NORESERVE)
		return 0;
	if (newsize > oldsize)
		return security_vm_enough_memory_mm(current->mm, pages_of(newsize) - pages_of(oldsize));
	vm_unacct_memory(pages_of(oldsize) - pages_of(newsize));
	return 0;
}

/* Room for one more page in the mount, and a promise for it.  0, -ENOSPC, -ENOMEM. */
static int charge_page(struct inode *inode)
{
	struct shmem_sb_info *sbinfo = SHMEM_SB(inode->i_sb);
	unsigned long max = READ_ONCE(sbinfo->max_blocks);

	if ((SHMEM_I(inode)->flags & VM_NORESERVE) && security_vm_enough_memory_mm(current->mm, 1))
		return -ENOMEM;
	if (atomic_long_inc_return(&sbinfo->used_blocks) <= (long)max || !max)
		return 0;
	atomic_long_dec(&sbinfo->used_blocks);
	if (SHMEM_I(inode)->flags & VM_NORESERVE)
		vm_unacct_memory(1);
	return -ENOSPC;
}

static void uncharge_pages(struct inode *inode, long pages)
{
	atomic_long_sub(pages, &SHMEM_SB(inode->i_sb)->used_blocks);
	if (SHMEM_I(inode)->flags & VM_NORESERVE)
		vm_unacct_memory(pages);
}

/* st_blocks follows the pages that are there, in memory or in swap. */
static void count_pages(struct inode *inode, long pages)
{
	spin_lock(&inode->i_lock);
	SHMEM_I(inode)->alloced += pages;
	inode->i_blocks += pages * (long)SECTORS_PER_PAGE;
	spin_unlock(&inode->i_lock);
}

/* ---- one page ---- */

static bool beyond_size(struct inode *inode, pgoff_t index)
{
	return ((loff_t)index << PAGE_SHIFT) >= i_size_read(inode);
}

/* Page locked: it leaves the file and the address spaces. */
static void remove_page(struct inode *inode, struct page *page)
{
	if (page_mapped(page))
		unmap_mapping_pages(inode->i_mapping, page->index, 1, false);
	cancel_dirty_page(page);
	delete_from_page_cache(page);
	count_pages(inode, -1);
	uncharge_pages(inode, 1);
}

/* Fills a hole.  0 and a locked page; -EEXIST: somebody was quicker. */
static int make_page(struct inode *inode, pgoff_t index, struct page **pagep, enum sgp_type sgp)
{
	struct address_space *mapping = inode->i_mapping;
	struct page *page;
	int err = charge_page(inode);

	if (err)
		return err;
	page = alloc_page(mapping->gfp_mask);
	if (!page) {
		uncharge_pages(inode, 1);
		return -ENOMEM;
	}
	__SetPageLocked(page);
	__SetPageSwapBacked(page);
	__SetPageDirty(page);
	if (sgp <= SGP_CACHE) {
		clear_highpage(page);
		__SetPageUptodate(page);
	}
	err = add_to_page_cache_locked(page, mapping, index, mapping->gfp_mask);
	if (err) {
		__ClearPageLocked(page);
		put_page(page);
		uncharge_pages(inode, 1);
		return err;
	}
	lru_cache_add(page);
	count_pages(inode, 1);
	smp_mb();				/* the page in, then the size: see the head */
	if (sgp <= SGP_CACHE && beyond_size(inode, index)) {
		remove_page(inode, page);
		unlock_page(page);
		put_page(page);
		return -EINVAL;
	}
	*pagep = page;
	return 0;
}

/* A page that is there, locked, but perhaps only promised by fallocate.  False: a reader shall take it for a hole. */
static bool prepare_found_page(struct page *page, enum sgp_type sgp)
{
	if (PageUptodate(page) || sgp >= SGP_WRITE)
		return true;
	if (sgp == SGP_READ) {
		unlock_page(page);
		put_page(page);
		return false;
	}
	clear_highpage(page);
	SetPageUptodate(page);
	return true;
}

/* As shmem_get_page(); *major: the page had to be read from swap. */
static int get_page_major(struct inode *inode, pgoff_t index, struct page **pagep, enum sgp_type sgp, bool *major)
{
	struct address_space *mapping = inode->i_mapping;
	int err;

	*pagep = NULL;
	*major = false;
	if (index > PAGECACHE_MAX_INDEX)
		return -EFBIG;
	do {
		struct page *page;
		void *entry;

		if (sgp <= SGP_CACHE && beyond_size(inode, index))
			return -EINVAL;
		page = find_lock_page(mapping, index);
		if (page) {
			*pagep = prepare_found_page(page, sgp) ? page : NULL;
			return 0;
		}
		entry = xa_load(&mapping->i_pages, index);
		if (xa_is_value(entry))
			err = shmem_swap_in(inode, index, entry, pagep, major);
		else if (sgp == SGP_READ)
			return 0;
		else
			err = make_page(inode, index, pagep, sgp);
	} while (err == -EEXIST);
	return err;
}

int shmem_get_page(struct inode *inode, pgoff_t index, struct page **pagep, enum sgp_type sgp)
{
	bool major;

	return get_page_major(inode, index, pagep, sgp, &major);
}

/* ---- holes ---- */

/* The page at index goes, if it is still there. */
static void remove_page_at(struct inode *inode, pgoff_t index, bool only_promised)
{
	struct page *page = find_lock_page(inode->i_mapping, index);

	if (!page)
		return;
	if (!(only_promised && PageUptodate(page)))
		remove_page(inode, page);
	unlock_page(page);
	put_page(page);
}

/* A slot in a page's place.  True: it is gone; false: the page came back just now. */
static bool remove_swapped(struct inode *inode, pgoff_t index, void *value)
{
	if (!shmem_forget_swapped(inode, index, value))
		return false;
	count_pages(inode, -1);
	uncharge_pages(inode, 1);
	return true;
}

/*
 * Whole pages [start, end); only_promised: those that a failed fallocate made (not those that went to swap meanwhile: as
 * zeroes, which is what they are).  A page that went to swap, or came back, between the look and the lock is met again.
 */
static void remove_pages(struct inode *inode, pgoff_t start, pgoff_t end, bool only_promised)
{
	struct address_space *mapping = inode->i_mapping;
	unsigned long index = start;
	void *entry;

	if (start >= end)
		return;
	while ((entry = xa_find(&mapping->i_pages, &index, end - 1, XA_PRESENT))) {
		if (!xa_is_value(entry))
			remove_page_at(inode, index, only_promised);
		else if (!only_promised)
			remove_swapped(inode, index, entry);
		if (only_promised)
			index++;
		cond_resched();
	}
}

static void zero_part(struct inode *inode, pgoff_t index, unsigned int from, unsigned int to)
{
	struct page *page;

	if (shmem_get_page(inode, index, &page, SGP_READ) || !page)
		return;
	zero_user_segment(page, from, to);
	set_page_dirty(page);
	unlock_page(page);
	put_page(page);
}

void shmem_truncate_range(struct inode *inode, loff_t lstart, loff_t lend)
{
	pgoff_t start = pages_of(lstart), end = lend == -1 ? ULONG_MAX : ((u64)lend + 1) >> PAGE_SHIFT;
	unsigned int head = offset_in_page(lstart), tail = lend == -1 ? 0 : offset_in_page(lend + 1);

	remove_pages(inode, start, end, false);
	if (head && start > end) {		/* within one page */
		zero_part(inode, end, head, tail);
	} else {
		if (head)
			zero_part(inode, start - 1, head, PAGE_SIZE);
		if (tail)
			zero_part(inode, end, 0, tail);
	}
	inode->i_mtime = inode->i_ctime = current_time(inode);
}

/* i_rwsem held.  0 or -EPERM (sealed). */
static int punch_hole(struct inode *inode, loff_t offset, loff_t len)
{
	loff_t start = round_up(offset, PAGE_SIZE), end = round_down(offset + len, PAGE_SIZE);

	if (SHMEM_I(inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (end > start)
		unmap_mapping_range(inode->i_mapping, start, end - start, 0);
	shmem_truncate_range(inode, offset, offset + len - 1);
	return 0;
}

/* Makes pages [start, end).  On error those that were made are gone again. */
static int promise_pages(struct inode *inode, pgoff_t start, pgoff_t end)
{
	struct page *page;
	pgoff_t index;
	int err = 0;

	for (index = start; index < end && !err; index++) {
		err = signal_pending(current) ? -EINTR : shmem_get_page(inode, index, &page, SGP_FALLOC);
		if (err)
			break;
		unlock_page(page);
		put_page(page);
		cond_resched();
	}
	if (err)
		remove_pages(inode, start, index, true);
	return err;
}

static long shmem_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	unsigned long max = READ_ONCE(SHMEM_SB(inode->i_sb)->max_blocks);
	long err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	inode_lock(inode);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = punch_hole(inode, offset, len);
		goto out;
	}
	err = inode_newsize_ok(inode, offset + len);
	if (err)
		goto out;
	err = -EPERM;
	if ((SHMEM_I(inode)->seals & F_SEAL_GROW) && offset + len > inode->i_size)
		goto out;
	err = -ENOSPC;
	if (max && pages_of(offset + len) - (offset >> PAGE_SHIFT) > max)
		goto out;
	err = promise_pages(inode, offset >> PAGE_SHIFT, pages_of(offset + len));
	if (err)
		goto out;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && offset + len > inode->i_size)
		i_size_write(inode, offset + len);
	inode->i_ctime = current_time(inode);
out:
	inode_unlock(inode);
	return err;
}

/* What fallocate only promised is a hole. */
static bool is_data(struct address_space *mapping, pgoff_t index)
{
	struct page *page = find_get_page(mapping, index);
	bool uptodate;

	if (!page)
		return xa_is_value(xa_load(&mapping->i_pages, index));
	uptodate = PageUptodate(page);
	put_page(page);
	return uptodate;
}

/* The next byte at or after offset that is data (or a hole); below `size`.  size when there is none. */
static loff_t seek_hole_data(struct address_space *mapping, loff_t offset, loff_t size, int whence)
{
	pgoff_t index = offset >> PAGE_SHIFT, end = pages_of(size);

	for (; index < end; index++) {
		bool data;

		if (whence == SEEK_DATA) {	/* skip holes at once */
			unsigned long at = index;

			rcu_read_lock();
			if (!xa_find(&mapping->i_pages, &at, end - 1, XA_PRESENT))
				at = end;
			rcu_read_unlock();
			index = at;
			if (index >= end)
				break;
		}
		data = is_data(mapping, index);
		if (data == (whence == SEEK_DATA))
			break;
		cond_resched();
	}
	return clamp((loff_t)index << PAGE_SHIFT, offset, size);
}

static loff_t shmem_file_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t size, found;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek_size(file, offset, whence, MAX_LFS_FILESIZE, i_size_read(inode));
	inode_lock(inode);
	size = i_size_read(inode);
	if (offset < 0 || offset >= size) {
		found = -ENXIO;
	} else {
		found = seek_hole_data(inode->i_mapping, offset, size, whence);
		if (whence == SEEK_DATA && found >= size)
			found = -ENXIO;
		else
			found = vfs_setpos(file, found, MAX_LFS_FILESIZE);
	}
	inode_unlock(inode);
	return found;
}

/* ---- reading and writing ---- */

/* One page's worth.  Bytes, 0 at the end, or -errno. */
static ssize_t read_one_page(struct inode *inode, loff_t pos, struct iov_iter *to)
{
	size_t offset = offset_in_page(pos), bytes, copied;
	struct page *page;
	loff_t size;
	int err = shmem_get_page(inode, pos >> PAGE_SHIFT, &page, SGP_READ);

	if (err)
		return err == -EINVAL ? 0 : err;
	if (page)
		unlock_page(page);
	size = i_size_read(inode);		/* again: truncation may have been quicker */
	if (pos >= size) {
		if (page)
			put_page(page);
		return 0;
	}
	bytes = min3((loff_t)(PAGE_SIZE - offset), size - pos, (loff_t)iov_iter_count(to));
	if (page) {
		mark_page_accessed(page);
		copied = copy_page_to_iter(page, offset, bytes, to);
		put_page(page);
	} else {
		copied = iov_iter_zero(bytes, to);
	}
	return copied ? (ssize_t)copied : -EFAULT;
}

static ssize_t shmem_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t done = 0, n = 0;

	while (iov_iter_count(to)) {
		n = read_one_page(inode, iocb->ki_pos, to);
		if (n <= 0)
			break;
		iocb->ki_pos += n;
		done += n;
		cond_resched();
	}
	file_accessed(iocb->ki_filp);
	return done ? done : n;
}

static int shmem_write_begin(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			     struct page **pagep, void **fsdata)
{
	struct inode *inode = mapping->host;
	unsigned int seals = SHMEM_I(inode)->seals;

	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((seals & F_SEAL_GROW) && pos + len > inode->i_size)
		return -EPERM;
	return shmem_get_page(inode, pos >> PAGE_SHIFT, pagep, SGP_WRITE);
}

/* What was not written of a page that was not up to date is a hole's contents: zeroes. */
static int shmem_write_end(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
			   unsigned int copied, struct page *page, void *fsdata)
{
	unsigned int from = offset_in_page(pos);

	if (pos + copied > mapping->host->i_size)
		i_size_write(mapping->host, pos + copied);
	if (!PageUptodate(page)) {
		zero_user_segments(page, 0, from, from + copied, PAGE_SIZE);
		SetPageUptodate(page);
	}
	set_page_dirty(page);
	unlock_page(page);
	put_page(page);
	return copied;
}

/* ---- mapping ---- */

static vm_fault_t shmem_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	bool major;
	int err = get_page_major(inode, vmf->pgoff, &vmf->page, SGP_CACHE, &major);

	if (err)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return VM_FAULT_LOCKED | (major ? VM_FAULT_MAJOR : 0);
}

static int shmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned int seals = SHMEM_I(file_inode(file))->seals;

	if ((seals & F_SEAL_FUTURE_WRITE) && (vma->vm_flags & VM_SHARED)) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vma->vm_flags &= ~VM_MAYWRITE;	/* nor by mprotect */
	}
	file_accessed(file);
	vma->vm_ops = &shmem_vm_ops;
	return 0;
}

const struct vm_operations_struct shmem_vm_ops = {
	.fault		= shmem_fault,
	.map_pages	= filemap_map_pages,
};

const struct address_space_operations shmem_aops = {
	.swap_out	= shmem_swap_out,
	.set_page_dirty	= __set_page_dirty_no_writeback,
	.write_begin	= shmem_write_begin,
	.write_end	= shmem_write_end,
};

const struct file_operations shmem_file_operations = {
	.fop_mode	= FMODE_NOWAIT | FMODE_BUF_WASYNC,
	.llseek		= shmem_file_llseek,
	.read_iter	= shmem_file_read_iter,
	.write_iter	= generic_file_write_iter,
	.mmap		= shmem_mmap,
	.open		= generic_file_open,
	.fsync		= noop_fsync,
	.splice_read	= generic_file_splice_read,
	.splice_write	= iter_file_splice_write,
	.fallocate	= shmem_fallocate,
};

int shmem_zero_setup(struct vm_area_struct *vma)
{
	struct file *file = shmem_kernel_file_setup("dev/zero", vma->vm_end - vma->vm_start, vma->vm_flags);

	if (IS_ERR(file))
		return PTR_ERR(file);
	if (vma->vm_file)
		fput(vma->vm_file);
	vma->vm_file = file;
	vma->vm_ops = &shmem_vm_ops;
	return 0;
}
