/*
 * shmem_swap.c: pages of tmpfs in swap: out, in, and back again at swapoff.
 *
 * What:    files of tmpfs, memfd, System V segments and shared anonymous memory: all of them are files here.
 * Idea:    reclaim has taken the entries of all address spaces away; the page moves from the file to the swap cache, and a
 *          number that names its slot takes its place in i_pages.  The file counts as one name of the slot.  Who looks the
 *          index up finds the number, gets the page from the swap cache or reads it, and puts it back.
 *          The charge to the mount, the promise to the system and st_blocks stay as they are: the file has the page still.
 * Locking: page lock; i_pages.xa_lock for what stands at an index: the number is replaced only if it is still there.
 *
 *              CPU 0: fault, page in swap              CPU 1: truncate
 *              finds number N
 *                                                      N -> nothing; slot free (its page is only cached now)
 *              page of the slot, locked: cached still
 *              N -> page: N is not there: looks again
 *              index >= i_size: SIGBUS
 *          or  N -> page; slot free                    N -> nothing: N is not there: looks again, finds the page
 *
 * swapoff: files that ever had a page in swap are on a list, and leave it when they are evicted.  The one that swapoff looks
 *          through cannot leave, which also keeps the place in the list; a reference would keep umount from ending:
 *
 *              CPU 0: shmem_unuse                      CPU 1: last close of an unlinked file
 *              under_search = file; walks i_pages      evict: frees pages and slots, whoever is first
 *                                                      on the list: waits while under_search == file
 *              under_search = next one; wakes          off the list; freed
 * See:     shmem.c; kernel/mm/shrink_list.c, swap_unuse.c; doc/reclaim.md
 */
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/rmap.h>
#include <weft/sched.h>
#include <weft/shmem_fs.h>
#include <weft/signal.h>
#include <weft/swap.h>
#include <weft/vmstat.h>
#include <weft/wait.h>

static DEFINE_SPINLOCK(swaplist_lock);
static LIST_HEAD(swaplist);
static struct inode *under_search;		/* [swaplist_lock, read racily] by swapoff */
static DECLARE_WAIT_QUEUE_HEAD(search_over);

static void join_swaplist(struct shmem_inode_info *info)
{
	if (!list_empty_careful(&info->swaplist))
		return;
	spin_lock(&swaplist_lock);
	if (list_empty(&info->swaplist))
		list_add_tail(&info->swaplist, &swaplist);
	spin_unlock(&swaplist_lock);
}

void shmem_leave_swaplist(struct inode *inode)
{
	struct shmem_inode_info *info = SHMEM_I(inode);

	if (list_empty(&info->swaplist))
		return;
	spin_lock(&swaplist_lock);
	while (under_search == inode) {
		spin_unlock(&swaplist_lock);
		wait_event(search_over, READ_ONCE(under_search) != inode);
		spin_lock(&swaplist_lock);
	}
	list_del_init(&info->swaplist);
	spin_unlock(&swaplist_lock);
}

static void count_swapped(struct inode *inode, long pages)
{
	spin_lock(&inode->i_lock);
	SHMEM_I(inode)->swapped += pages;
	spin_unlock(&inode->i_lock);
}

/* ---- out ---- */

/* The file is on swapoff's list before the slot can be found in use: swapoff looks until no slot is. */
bool shmem_swap_out(struct page *page)
{
	struct inode *inode = page->mapping->host;
	swp_entry_t entry;

	if (!PageUptodate(page)) {		/* promised by fallocate, never written */
		clear_highpage(page);
		SetPageUptodate(page);
	}
	join_swaplist(SHMEM_I(inode));
	if (!add_to_swap(page))
		return false;
	entry = page_swap_entry(page);
	if (WARN_ON_ONCE(swap_duplicate(entry)))	/* a fresh slot: room for one name there is */
		return false;
	count_swapped(inode, 1);
	page_cache_to_value(page, swp_to_xa_value(entry));
	return true;
}

/* ---- in ---- */

static struct page *read_slot(struct inode *inode, swp_entry_t entry, pgoff_t index, bool *major)
{
	struct swap_readahead *ra = &SHMEM_I(inode)->swap_ra;
	struct page *page = swap_cache_get_page(entry, ra);

	if (page)
		return page;
	*major = true;
	count_vm_event(PGMAJFAULT);
	count_memcg_current(PGMAJFAULT);
	return swapin_readahead(entry, mapping_gfp_mask(inode->i_mapping), ra, index);
}

/* Page locked: it goes back to where its slot's number stands.  0, -EEXIST, -EIO. */
static int put_back(struct inode *inode, pgoff_t index, void *value, struct page *page)
{
	swp_entry_t entry = xa_value_to_swp(value);

	if (!PageSwapCache(page) || page->private != entry.val)
		return -EEXIST;
	if (!PageUptodate(page))
		return -EIO;
	wait_on_page_writeback(page);
	if (!page_cache_from_value(page, inode->i_mapping, index, value))
		return -EEXIST;
	count_swapped(inode, -1);
	delete_from_swap_cache(page);
	set_page_dirty(page);
	swap_free(entry);
	return 0;
}

int shmem_swap_in(struct inode *inode, pgoff_t index, void *value, struct page **pagep, bool *major)
{
	struct page *page = read_slot(inode, xa_value_to_swp(value), index, major);
	int err;

	if (!page)
		return xa_load(&inode->i_mapping->i_pages, index) == value ? -ENOMEM : -EEXIST;
	lock_page(page);
	err = put_back(inode, index, value, page);
	if (err) {
		unlock_page(page);
		put_page(page);
		return err;
	}
	activate_page(page);
	*pagep = page;
	return 0;
}

bool shmem_forget_swapped(struct inode *inode, pgoff_t index, void *value)
{
	struct address_space *mapping = inode->i_mapping;
	bool same;

	xa_lock_irq(&mapping->i_pages);
	same = __xa_cmpxchg(&mapping->i_pages, index, value, NULL, 0) == value;
	xa_unlock_irq(&mapping->i_pages);
	if (!same)
		return false;
	count_swapped(inode, -1);
	free_swap_and_cache(xa_value_to_swp(value));
	return true;
}

/* ---- swapoff ---- */

static bool is_slot_of(const void *entry, unsigned int type)
{
	return xa_is_value(entry) && swp_type(xa_value_to_swp(entry)) == type;
}

/* One file.  What is not there any more by the time it is looked at is not an error. */
static int unuse_inode(struct inode *inode, unsigned int type)
{
	struct xarray *pages = &inode->i_mapping->i_pages;
	unsigned long index;
	void *entry;

	xa_for_each(pages, index, entry) {
		struct page *page;
		bool major;
		int err;

		if (!READ_ONCE(SHMEM_I(inode)->swapped))
			break;
		if (!is_slot_of(entry, type))
			continue;
		err = shmem_swap_in(inode, index, entry, &page, &major);
		if (!err) {
			unlock_page(page);
			put_page(page);
		} else if (err != -EEXIST) {
			return err;
		}
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* The next file to be searched behind `inode`, or the first; NULL: there is none, or it shall be none. */
static struct inode *search_next(struct inode *inode, bool stop)
{
	struct list_head *at = inode ? &SHMEM_I(inode)->swaplist : &swaplist;
	struct inode *next = NULL;

	spin_lock(&swaplist_lock);
	if (!stop && !list_is_last(at, &swaplist))
		next = &list_entry(at->next, struct shmem_inode_info, swaplist)->vfs_inode;
	WRITE_ONCE(under_search, next);
	spin_unlock(&swaplist_lock);
	wake_up_all(&search_over);
	return next;
}

/* There is one swapoff at a time. */
int shmem_unuse(unsigned int type)
{
	struct inode *inode = NULL;
	int err = 0;

	while ((inode = search_next(inode, err != 0)))
		err = unuse_inode(inode, type);
	return err;
}

/* ---- SHM_LOCK ---- */

/* What is in swap stays there until it is wanted; pages are marked when reclaim meets them, and unmarked all at once. */
void shmem_set_unevictable(struct inode *inode, bool unevictable)
{
	struct address_space *mapping = inode->i_mapping;
	unsigned long index;
	void *entry;

	if (unevictable) {
		mapping_set_unevictable(mapping);
		return;
	}
	mapping_clear_unevictable(mapping);
	xa_for_each(&mapping->i_pages, index, entry) {
		struct page *page = xa_is_value(entry) ? NULL : find_get_page(mapping, index);

		if (page) {
			if (!PageMlocked(page))
				lru_make_evictable(page);
			put_page(page);
		}
		cond_resched();
	}
}

/* ---- for /proc ---- */

unsigned long shmem_swap_usage(struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(vma->vm_file);
	unsigned long index, pages = 0, swapped = READ_ONCE(SHMEM_I(inode)->swapped);
	void *entry;

	if (!swapped)
		return 0;
	xa_for_each_range(&inode->i_mapping->i_pages, index, entry, vma->vm_pgoff, vma->vm_pgoff + vma_pages(vma) - 1) {
		pages += xa_is_value(entry);
		if (pages == swapped)
			break;
		cond_resched();
	}
	return pages << PAGE_SHIFT;
}
