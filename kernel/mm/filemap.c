/*
 * filemap.c: the page cache: finding, inserting and removing the pages of files, and waiting for them.
 *
 * Idea:    mapping->i_pages (an xarray) holds one reference on each page.  A look-up takes no lock: under RCU it loads the
 *          pointer, takes a reference unless there is none left, and looks once more whether the page is still there.
 *          A page enters locked, so that whoever finds it before its contents are read waits for PG_locked.
 * Locking: PG_locked for a page's place and contents; i_pages.xa_lock (interrupts off) for the array and nrpages.
 *          Order: invalidate_lock -> page lock -> xa_lock.
 *
 *              CPU 0: look-up                          CPU 1: truncation
 *              loads the pointer
 *                                                      erases it, drops the cache's reference: count 0: freed
 *              get_page_unless_zero: fails: again
 *          or the frame is in use again already:       another file gets it: count 1
 *              takes a reference (2)
 *              loads the pointer: another: gives the reference back, again
 *
 *          A number (xa_is_value()) in a page's place is the slot of a tmpfs page in swap; look-ups take it for a hole.
 *          Waiting: PG_waiters says that somebody sleeps.  The sleeper sets it, then looks at the bit it waits for; the
 *          waker clears that bit and reads PG_waiters in one atomic instruction.  One of the two sees the other.
 * Cost:    look-up O(log64 of the index), no shared cache line is written but the page's count.
 * See:     spec.md §6 "page cache"; filemap_rw.c reads and writes, filemap_fault.c maps; doc/page-cache.md
 */
#include <weft/fs.h>
#include <weft/hash.h>
#include <weft/highmem.h>
#include <weft/main.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/trace.h>
#include <weft/vmstat.h>
#include <weft/wait.h>
#include <weft/writeback.h>
#include "internal.h"

/* ---- waiting for a bit of a page ---- */

#define PAGE_WAIT_BITS	8

/* Pages share queues by hash: a page needs one only while somebody waits for it. */
static struct wait_queue_head page_wait_table[1 << PAGE_WAIT_BITS];

struct page_waiter {
	struct page		*page;
	struct wait_queue_entry	entry;
};

static struct wait_queue_head *page_waitqueue(struct page *page)
{
	return &page_wait_table[hash_ptr(page, PAGE_WAIT_BITS)];
}

void __init pagecache_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(page_wait_table); i++)
		init_waitqueue_head(&page_wait_table[i]);
}

static int wake_page_function(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct page_waiter *waiter = container_of(entry, struct page_waiter, entry);

	return waiter->page == key ? default_wake_function(entry, mode, flags, NULL) : 0;
}

/* Wakes all who wait for any bit of this page; each looks for itself and sets PG_waiters again if it must go on waiting. */
void __unlock_page_waiters(struct page *page)
{
	struct wait_queue_head *q = page_waitqueue(page);
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	ClearPageWaiters(page);
	__wake_up_locked_key(q, TASK_NORMAL, page);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Sleeps until the bit is clear, or, with `take`, until it was this task that set it.  0 or -EINTR.  Holds a reference. */
static int wait_on_page_bit_common(struct page *page, int bit, unsigned int state, bool take)
{
	struct wait_queue_head *q = page_waitqueue(page);
	struct page_waiter waiter = { .page = page };
	int err = 0;

	init_waitqueue_func_entry(&waiter.entry, wake_page_function);
	waiter.entry.private = current;
	spin_lock_irq(&q->lock);
	__add_wait_queue_entry_tail(q, &waiter.entry);
	for (;;) {
		SetPageWaiters(page);
		set_current_state(state);
		spin_unlock_irq(&q->lock);
		if (take ? !test_and_set_bit_lock(bit, &page->flags) : !test_bit(bit, &page->flags))
			break;
		if (signal_pending_state(state, current)) {
			err = -EINTR;
			break;
		}
		io_schedule();
		spin_lock_irq(&q->lock);
	}
	__set_current_state(TASK_RUNNING);
	spin_lock_irq(&q->lock);
	__remove_wait_queue(q, &waiter.entry);
	spin_unlock_irq(&q->lock);
	return err;
}

void __lock_page(struct page *page)
{
	might_sleep();
	wait_on_page_bit_common(page, PG_locked, TASK_UNINTERRUPTIBLE, true);
}

int __lock_page_killable(struct page *page)
{
	might_sleep();
	return wait_on_page_bit_common(page, PG_locked, TASK_KILLABLE, true);
}

void wait_on_page_bit(struct page *page, int bit)
{
	might_sleep();
	wait_on_page_bit_common(page, bit, TASK_UNINTERRUPTIBLE, false);
}

int wait_on_page_bit_killable(struct page *page, int bit)
{
	might_sleep();
	return wait_on_page_bit_common(page, bit, TASK_KILLABLE, false);
}

/* ---- in and out ---- */

static void account_file_page(struct page *page, long delta)
{
	mod_page_state(page, NR_FILE_PAGES, delta);
	if (PageSwapBacked(page))
		mod_page_state(page, NR_SHMEM, delta);
}

/* The allocation flags that concern the nodes of the array, not the page. */
static gfp_t node_gfp(gfp_t gfp)
{
	return gfp & (GFP_KERNEL | __GFP_HIGH | __GFP_ATOMIC | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOFAIL);
}

int add_to_page_cache_locked(struct page *page, struct address_space *mapping, pgoff_t index, gfp_t gfp)
{
	int err = mem_cgroup_charge(page, gfp);

	VM_BUG_ON_PAGE(!PageLocked(page), page);
	if (err)
		return err;
	get_page(page);
	page->mapping = mapping;
	page->index = index;
	xa_lock_irq(&mapping->i_pages);
	err = __xa_insert(&mapping->i_pages, index, page, node_gfp(gfp));
	if (!err)
		mapping->nrpages++;
	xa_unlock_irq(&mapping->i_pages);
	if (err) {
		page->mapping = NULL;
		put_page(page);
		return err == -EBUSY ? -EEXIST : err;
	}
	account_file_page(page, 1);
	trace_page_cache_add((unsigned long)mapping, index, page_to_pfn(page));
	return 0;
}

/* For files that have another home than memory: locks the page, and reclaim may take it later. */
int add_to_page_cache_lru(struct page *page, struct address_space *mapping, pgoff_t index, gfp_t gfp)
{
	int err;

	__SetPageLocked(page);
	err = add_to_page_cache_locked(page, mapping, index, gfp);
	if (err) {
		__ClearPageLocked(page);
		return err;
	}
	if (workingset_refault(mapping, index, page))
		SetPageActive(page);
	lru_cache_add(page);
	return 0;
}

void __delete_from_page_cache(struct page *page)
{
	struct address_space *mapping = page->mapping;

	VM_BUG_ON_PAGE(!PageLocked(page), page);
	lockdep_assert_held(&mapping->i_pages.xa_lock);
	trace_page_cache_delete((unsigned long)mapping, page->index, page_to_pfn(page));
	__xa_erase(&mapping->i_pages, page->index);
	mapping->nrpages--;
	account_file_page(page, -1);
	if (TestClearPageDirty(page) && !PageSwapBacked(page))
		account_dirty(page, mapping, -1);
	page->mapping = NULL;			/* page->index stays: whoever waits for the lock looks at mapping first */
}

void delete_from_page_cache(struct page *page)
{
	struct address_space *mapping = page->mapping;
	unsigned long flags;

	if (PageLRU(page))
		lru_cache_del(page);
	xa_lock_irqsave(&mapping->i_pages, flags);
	__delete_from_page_cache(page);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	if (mapping->a_ops->freepage)
		mapping->a_ops->freepage(page);
	put_page(page);
}

void page_cache_to_value(struct page *page, void *value)
{
	struct address_space *mapping = page->mapping;

	xa_lock_irq(&mapping->i_pages);
	__xa_store(&mapping->i_pages, page->index, value, 0);	/* in place of an entry: no memory is needed */
	mapping->nrpages--;
	xa_unlock_irq(&mapping->i_pages);
	account_file_page(page, -1);
	trace_page_cache_delete((unsigned long)mapping, page->index, page_to_pfn(page));
	page->mapping = NULL;
	put_page(page);
}

bool page_cache_from_value(struct page *page, struct address_space *mapping, pgoff_t index, void *value)
{
	bool same;

	VM_BUG_ON_PAGE(!PageLocked(page), page);
	get_page(page);
	page->mapping = mapping;
	page->index = index;
	xa_lock_irq(&mapping->i_pages);
	same = __xa_cmpxchg(&mapping->i_pages, index, value, page, 0) == value;
	if (same)
		mapping->nrpages++;
	xa_unlock_irq(&mapping->i_pages);
	if (!same) {
		page->mapping = NULL;
		put_page(page);
		return false;
	}
	account_file_page(page, 1);
	trace_page_cache_add((unsigned long)mapping, index, page_to_pfn(page));
	return true;
}

/* ---- looking up ---- */

/*
 * The memory may have become another page between the look and the reference.  With the reference it stays what it is: a
 * page says itself where it belongs, and that was written before it came into the array.
 */
struct page *find_get_page(struct address_space *mapping, pgoff_t index)
{
	struct page *page;

	rcu_read_lock();
	for (;;) {
		page = xa_load(&mapping->i_pages, index);
		if (!page)
			break;
		if (unlikely(xa_is_value(page))) {
			page = NULL;
			break;
		}
		if (!get_page_unless_zero(page))
			continue;
		if (likely(READ_ONCE(page->mapping) == mapping && page->index == index))
			break;
		put_page(page);
	}
	rcu_read_unlock();
	return page;
}

/* A new page for index, in the cache and locked, with a reference.  ERR_PTR(-EEXIST): somebody was quicker. */
static struct page *create_page(struct address_space *mapping, pgoff_t index, int fgp_flags, gfp_t gfp)
{
	struct page *page;
	int err;

	if (fgp_flags & FGP_NOFS)
		gfp &= ~__GFP_FS;
	if (fgp_flags & FGP_NOWAIT)
		gfp = (gfp & ~GFP_KERNEL) | GFP_NOWAIT | __GFP_NOWARN;
	page = alloc_page(gfp);
	if (!page)
		return ERR_PTR(-ENOMEM);
	if (fgp_flags & FGP_ACCESSED)
		__SetPageReferenced(page);
	err = add_to_page_cache_lru(page, mapping, index, gfp);
	if (err) {
		put_page(page);
		return ERR_PTR(err);
	}
	return page;
}

/* Locks a page that was found; false when it has left the file, or FGP_NOWAIT and it is locked: then its reference is gone. */
static bool lock_found_page(struct page *page, struct address_space *mapping, int fgp_flags, bool *gone)
{
	*gone = false;
	if (!(fgp_flags & FGP_NOWAIT)) {
		lock_page(page);
	} else if (!trylock_page(page)) {
		put_page(page);
		return false;
	}
	if (likely(page->mapping == mapping))
		return true;
	unlock_page(page);
	put_page(page);
	*gone = true;
	return false;
}

struct page *pagecache_get_page(struct address_space *mapping, pgoff_t index, int fgp_flags, gfp_t gfp)
{
	struct page *page;
	bool gone;

	for (;;) {
		page = find_get_page(mapping, index);
		if (page) {
			if ((fgp_flags & FGP_LOCK) && !lock_found_page(page, mapping, fgp_flags, &gone)) {
				if (gone)
					continue;
				return NULL;
			}
			if (fgp_flags & FGP_ACCESSED)
				mark_page_accessed(page);
			return page;
		}
		if (!(fgp_flags & FGP_CREAT))
			return NULL;
		page = create_page(mapping, index, fgp_flags, gfp);
		if (!IS_ERR(page))
			return page;
		if (PTR_ERR(page) != -EEXIST)
			return NULL;
	}
}

struct page *grab_cache_page_write_begin(struct address_space *mapping, pgoff_t index)
{
	struct page *page = pagecache_get_page(mapping, index, FGP_LOCK | FGP_WRITE | FGP_CREAT, mapping->gfp_mask);

	if (page)
		wait_for_stable_page(page);
	return page;
}

/* The array tells where pages are; each is then looked up for itself, since it may go at any time. */
static unsigned int find_pages(struct address_space *mapping, pgoff_t *start, pgoff_t end, xa_mark_t filter,
			       unsigned int nr, struct page **pages)
{
	unsigned long index = *start;
	unsigned int found = 0;

	while (found < nr && index <= end) {
		struct page *page;
		void *entry;

		rcu_read_lock();
		entry = xa_find(&mapping->i_pages, &index, end, filter);
		rcu_read_unlock();
		if (!entry)
			break;
		page = find_get_page(mapping, index);
		if (page)
			pages[found++] = page;
		if (index++ == ULONG_MAX)
			break;
	}
	*start = found ? pages[found - 1]->index + 1 : end + 1;
	return found;
}

unsigned int find_get_pages_range(struct address_space *mapping, pgoff_t *start, pgoff_t end, unsigned int nr,
				  struct page **pages)
{
	return find_pages(mapping, start, end, XA_PRESENT, nr, pages);
}

unsigned int find_get_pages_range_tag(struct address_space *mapping, pgoff_t *start, pgoff_t end, xa_mark_t tag,
				      unsigned int nr, struct page **pages)
{
	return find_pages(mapping, start, end, tag, nr, pages);
}

/* ---- contents ---- */

/* Starts reading a locked page and waits.  0, -EIO, -EINTR, AOP_TRUNCATED_PAGE: look again. */
int filemap_read_page(struct file *file, struct address_space *mapping, struct page *page)
{
	int err;

	ClearPageError(page);
	err = mapping->a_ops->readpage(file, page);
	if (err)
		return err;
	if (PageLocked(page)) {
		err = wait_on_page_bit_killable(page, PG_locked);
		if (err)
			return err;
	}
	return PageUptodate(page) ? 0 : -EIO;
}

struct page *read_cache_page(struct address_space *mapping, pgoff_t index, struct file *file)
{
	struct page *page;
	int err;

	for (;;) {
		page = pagecache_get_page(mapping, index, FGP_LOCK | FGP_ACCESSED | FGP_CREAT, mapping->gfp_mask);
		if (!page)
			return ERR_PTR(-ENOMEM);
		if (PageUptodate(page)) {
			unlock_page(page);
			return page;
		}
		err = filemap_read_page(file, mapping, page);
		if (!err)
			return page;
		put_page(page);
		if (err != AOP_TRUNCATED_PAGE)
			return ERR_PTR(err);
	}
}
