/*
 * pagemap.h: the page cache: pages of files by (address_space, index).
 *
 * Idea:    mapping->i_pages holds one reference on each page.  A look-up takes no lock: under RCU it loads the pointer,
 *          takes a reference if the page has any, and looks again whether the page is still there.
 * Locking: PG_locked (lock_page, may sleep) guards a page's place (mapping, index) and its contents against being filled
 *          twice, written back or truncated; i_pages.xa_lock guards the array and nrpages.
 *          Order: i_rwsem -> mmap_lock -> invalidate_lock -> i_mmap_rwsem -> page lock -> xa_lock.
 *          A page's mapping may only be believed under its lock: truncation takes pages away.
 * See:     spec.md §6 "page cache"; kernel/mm/filemap.c
 */
#ifndef WEFT_PAGEMAP_H
#define WEFT_PAGEMAP_H

#include <weft/mm.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/uio.h>

#define PAGECACHE_MAX_INDEX	((pgoff_t)(MAX_LFS_FILESIZE >> PAGE_SHIFT))

static inline gfp_t mapping_gfp_mask(const struct address_space *m) { return m->gfp_mask; }
static inline gfp_t mapping_gfp_constraint(const struct address_space *m, gfp_t gfp) { return m->gfp_mask & gfp; }
static inline void mapping_set_gfp_mask(struct address_space *m, gfp_t mask) { m->gfp_mask = mask; }
static inline void mapping_set_unevictable(struct address_space *m) { set_bit(AS_UNEVICTABLE, &m->flags); }
static inline void mapping_clear_unevictable(struct address_space *m) { clear_bit(AS_UNEVICTABLE, &m->flags); }
static inline bool mapping_unevictable(const struct address_space *m) { return test_bit(AS_UNEVICTABLE, &m->flags); }
static inline void mapping_set_error(struct address_space *m, int error)
{
	if (!error)
		return;
	errseq_set(&m->wb_err, error);		/* for those who have the file open, */
	if (m->host)
		errseq_set(&m->host->i_sb->s_wb_err, error);	/* for syncfs(), */
	set_bit(error == -ENOSPC ? AS_ENOSPC : AS_EIO, &m->flags);	/* and for sync() */
}
static inline bool mapping_empty(const struct address_space *m) { return READ_ONCE(m->nrpages) == 0; }

/* The file of a page-cache page, NULL for an anonymous one; to be believed under the page lock only. */
static inline struct address_space *page_mapping(struct page *page)
{
	struct address_space *mapping = READ_ONCE(compound_head(page)->mapping);

	return (unsigned long)mapping & PAGE_MAPPING_ANON ? NULL : mapping;
}
static inline pgoff_t page_index(const struct page *page) { return page->index; }
static inline loff_t page_offset(const struct page *page) { return (loff_t)page->index << PAGE_SHIFT; }

/* ---- the page lock; may sleep.  The fast paths are one atomic operation ---- */
void __lock_page(struct page *page);
int __lock_page_killable(struct page *page);
void __unlock_page_waiters(struct page *page);
static inline bool trylock_page(struct page *page) { return likely(!test_and_set_bit_lock(PG_locked, &page->flags)); }
static inline void lock_page(struct page *page)
{
	if (!trylock_page(page))
		__lock_page(page);
}
static inline int lock_page_killable(struct page *page)		/* 0 or -EINTR */
{
	return trylock_page(page) ? 0 : __lock_page_killable(page);
}
/*
 * The bit is cleared first and the waiters bit read by the same instruction, so a sleeper that set PG_waiters before is
 * seen, and one that sets it later finds the lock free when it looks again (wait_on_page_bit()).
 */
static inline void unlock_page(struct page *page)
{
	unsigned long old = __atomic_fetch_and(&page->flags, ~(1UL << PG_locked), __ATOMIC_SEQ_CST);

	VM_BUG_ON_PAGE(!(old & (1UL << PG_locked)), page);
	if (unlikely(old & (1UL << PG_waiters)))
		__unlock_page_waiters(page);
}
void wait_on_page_bit(struct page *page, int bit);
int wait_on_page_bit_killable(struct page *page, int bit);	/* 0 or -EINTR */
static inline void wait_on_page_locked(struct page *page)
{
	if (PageLocked(page))
		wait_on_page_bit(compound_head(page), PG_locked);
}
static inline void wait_on_page_writeback(struct page *page)
{
	if (PageWriteback(page))
		wait_on_page_bit(page, PG_writeback);
}
void wait_for_stable_page(struct page *page);
void end_page_writeback(struct page *page);
bool set_page_writeback(struct page *page);	/* true if it was under write-back already; page locked */

/* ---- look-up and insertion ---- */
#define FGP_ACCESSED	0x01	/* mark_page_accessed() */
#define FGP_LOCK	0x02	/* return it locked */
#define FGP_CREAT	0x04	/* make one when there is none; a new page is locked, not up to date */
#define FGP_WRITE	0x08
#define FGP_NOFS	0x10
#define FGP_NOWAIT	0x20
/* All return the page with a reference, or NULL. */
struct page *pagecache_get_page(struct address_space *mapping, pgoff_t index, int fgp_flags, gfp_t gfp);
struct page *find_get_page(struct address_space *mapping, pgoff_t index);
static inline struct page *find_lock_page(struct address_space *mapping, pgoff_t index)
{
	return pagecache_get_page(mapping, index, FGP_LOCK, 0);
}
static inline struct page *find_or_create_page(struct address_space *mapping, pgoff_t index, gfp_t gfp)
{
	return pagecache_get_page(mapping, index, FGP_LOCK | FGP_ACCESSED | FGP_CREAT, gfp);
}
struct page *grab_cache_page_write_begin(struct address_space *mapping, pgoff_t index);
/* Up to nr pages with index in [*start, end], in order; *start moves behind the last.  Returns how many. */
unsigned int find_get_pages_range(struct address_space *mapping, pgoff_t *start, pgoff_t end, unsigned int nr,
				  struct page **pages);
unsigned int find_get_pages_range_tag(struct address_space *mapping, pgoff_t *start, pgoff_t end, xa_mark_t tag,
				      unsigned int nr, struct page **pages);
/* A new, locked page enters the cache.  0, -EEXIST or -ENOMEM. */
int add_to_page_cache_locked(struct page *page, struct address_space *mapping, pgoff_t index, gfp_t gfp);
int add_to_page_cache_lru(struct page *page, struct address_space *mapping, pgoff_t index, gfp_t gfp);
void delete_from_page_cache(struct page *page);		/* locked; drops the cache's reference */
void __delete_from_page_cache(struct page *page);	/* the same with xa_lock held, and without dropping it */
/*
 * Memory file systems: `value`, a number for xa_mk_value(), takes the place of a locked page, and the page that of the
 * number.  The cache's reference goes, or comes; false: `value` does not stand there any more.
 */
void page_cache_to_value(struct page *page, void *value);
bool page_cache_from_value(struct page *page, struct address_space *mapping, pgoff_t index, void *value);
struct page *read_cache_page(struct address_space *mapping, pgoff_t index, struct file *file);	/* up to date or ERR_PTR */
#define read_mapping_page(mapping, index, data)	read_cache_page(mapping, index, data)
static inline struct page *page_cache_alloc(struct address_space *mapping) { return alloc_page(mapping->gfp_mask); }
void mark_page_accessed(struct page *page);
void lru_cache_add_mapped(struct page *page);		/* a fresh anonymous one, counted as mapped */
void lru_cache_add(struct page *page);			/* a page that reclaim may take when it is clean */
void lru_cache_del(struct page *page);

/* ---- reading, writing, mapping files through the cache ---- */
ssize_t filemap_read(struct kiocb *iocb, struct iov_iter *to, ssize_t already_read);
vm_fault_t filemap_fault(struct vm_fault *vmf);
void filemap_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end);
vm_fault_t filemap_page_mkwrite(struct vm_fault *vmf);
extern const struct vm_operations_struct generic_file_vm_ops;

/* ---- dirty pages.  Write-back itself comes with the disk file systems ---- */
int set_page_dirty(struct page *page);			/* page locked, or mapped with its ptl held; 1: newly dirty */
int __set_page_dirty_nobuffers(struct page *page);
int __set_page_dirty_no_writeback(struct page *page);	/* for memory file systems: the flag and nothing else */
int set_page_dirty_lock(struct page *page);
int clear_page_dirty_for_io(struct page *page);		/* page locked; 1: it was dirty */
void cancel_dirty_page(struct page *page);
void __cancel_dirty_page(struct page *page);
int filemap_fdatawrite_range(struct address_space *mapping, loff_t start, loff_t end);
int __filemap_fdatawrite_range(struct address_space *mapping, loff_t start, loff_t end, int sync_mode);
int filemap_fdatawait_range(struct address_space *mapping, loff_t start, loff_t end);
int filemap_flush(struct address_space *mapping);
int filemap_check_errors(struct address_space *mapping);	/* reports and forgets: 0, -EIO, -ENOSPC */

/* ---- read-ahead ---- */
/* Pages [index, +nr) of a file, new, locked and in the cache, for a_ops->readahead to read. */
struct readahead_control {
	struct file		*file;
	struct address_space	*mapping;
	pgoff_t			_index;
	unsigned int		_nr_pages;
	unsigned int		_batch_count;
};
struct page *readahead_page(struct readahead_control *rac);	/* next one, with a reference; unlock it when read */
static inline loff_t readahead_pos(struct readahead_control *rac) { return (loff_t)rac->_index << PAGE_SHIFT; }
static inline pgoff_t readahead_index(struct readahead_control *rac) { return rac->_index; }
static inline unsigned int readahead_count(struct readahead_control *rac) { return rac->_nr_pages; }
struct file_ra_state;
void file_ra_state_init(struct file_ra_state *ra, struct address_space *mapping);
/* Brings [index, +nr) into the cache, as far as it is not there: starts reading and does not wait. */
void page_cache_ra_unbounded(struct file *file, struct address_space *mapping, pgoff_t index, unsigned long nr);
void page_cache_sync_readahead(struct address_space *mapping, struct file_ra_state *ra, struct file *file,
			       pgoff_t index, unsigned long req_count);
void page_cache_ra_metadata(struct address_space *mapping, pgoff_t index, unsigned long nr);	/* of a device */
void page_cache_read_around(struct address_space *mapping, struct file_ra_state *ra, struct file *file, pgoff_t index);
void page_cache_async_readahead(struct address_space *mapping, struct file_ra_state *ra, struct file *file,
				struct page *page, pgoff_t index, unsigned long req_count);
int force_page_cache_readahead(struct address_space *mapping, struct file *file, pgoff_t index, unsigned long nr);
long vfs_fadvise(struct file *file, loff_t offset, loff_t len, int advice);
long generic_fadvise(struct file *file, loff_t offset, loff_t len, int advice);

/* ---- truncation: kernel/mm/truncate.c ---- */
void truncate_inode_pages(struct address_space *mapping, loff_t lstart);
void truncate_inode_pages_range(struct address_space *mapping, loff_t lstart, loff_t lend);	/* lend inclusive, -1: all */
void truncate_inode_pages_final(struct address_space *mapping);		/* the inode goes: evict_inode */
int truncate_inode_page(struct address_space *mapping, struct page *page);
void truncate_pagecache(struct inode *inode, loff_t newsize);
void truncate_pagecache_range(struct inode *inode, loff_t lstart, loff_t lend);
void truncate_setsize(struct inode *inode, loff_t newsize);
void pagecache_isize_extended(struct inode *inode, loff_t from, loff_t to);
unsigned long invalidate_mapping_pages(struct address_space *mapping, pgoff_t start, pgoff_t end);	/* clean ones only */
int invalidate_inode_pages2(struct address_space *mapping);
int invalidate_inode_pages2_range(struct address_space *mapping, pgoff_t start, pgoff_t end);	/* 0 or -EBUSY */
unsigned long drop_clean_page(struct address_space *mapping, struct page *page);	/* locked; 1 if it left the cache */

static inline pgoff_t page_last_index(loff_t size) { return (size + PAGE_SIZE - 1) >> PAGE_SHIFT; }

#endif
