/*
 * dirty-limits.c: how much of memory may be dirty, and who waits when it is too much.
 *
 * What:    balance_dirty_pages_ratelimited(), which whoever makes a page of a file dirty calls; /proc/sys/vm/dirty_*.
 * Idea:    dirty and under write-back count together.  Above the background limit the disk's flusher is woken.  From half-way
 *          between that and the limit on, a writer sleeps tick by tick while the flusher works, as long as his disk has more
 *          than its share: the limit divided by the disks that have dirty pages, so that a slow disk fills its own share and
 *          not everybody's.  Limits are fractions of what could be dirty: free memory and file pages.
 *          Nobody sleeps longer than a second at once: a disk that takes nothing must not hold its writers for ever.
 * Locking: none: counters are read as they are.  May be called with i_rwsem or mmap_lock held: the flusher takes neither.
 * See:     page-writeback.c; kernel/fs/fs-writeback.c; proc(5); spec.md §6 "page cache and write-back"
 */
#include <weft/backing-dev.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/memcontrol.h>
#include <weft/pagemap.h>
#include <weft/percpu.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/vmstat.h>
#include <weft/writeback.h>

#define RATELIMIT_PAGES	32			/* a CPU looks at the limits once in so many pages */

/* [-] Of each pair one is in force: setting it makes the other 0. */
static int dirty_ratio = 20, background_ratio = 10;	/* per cent */
static unsigned long dirty_bytes, background_bytes;
unsigned int dirty_writeback_interval = 500, dirty_expire_interval = 3000;	/* [-] centiseconds */

static atomic_t dirty_devices;			/* [a] those that have dirty pages */
static DEFINE_PER_CPU(unsigned int, pages_dirtied);

/* ---- counts ---- */

void account_dirty(struct page *page, struct address_space *mapping, int delta)
{
	struct backing_dev_info *bdi = mapping->host ? inode_to_bdi(mapping->host) : NULL;

	mod_page_state(page, NR_FILE_DIRTY, delta);
	if (!bdi)
		return;
	if (atomic_long_add_return(delta, &bdi->nr_dirty) == (delta > 0 ? delta : 0))
		atomic_add(delta > 0 ? 1 : -1, &dirty_devices);
}

void account_writeback(struct page *page, struct address_space *mapping, int delta)
{
	struct backing_dev_info *bdi = mapping->host ? inode_to_bdi(mapping->host) : NULL;

	mod_page_state(page, NR_WRITEBACK, delta);
	if (bdi)
		atomic_long_add(delta, &bdi->nr_writeback);
}

/* ---- limits ---- */

struct limits {
	unsigned long	background, most;	/* pages */
};

static struct limits get_limits(void)
{
	unsigned long files = global_node_page_state(NR_INACTIVE_FILE) + global_node_page_state(NR_ACTIVE_FILE);
	unsigned long per_cent = (nr_free_pages() + files) / 100;
	unsigned long bytes = READ_ONCE(dirty_bytes), back = READ_ONCE(background_bytes);
	struct limits l = {
		.most = bytes ? DIV_ROUND_UP(bytes, PAGE_SIZE) : per_cent * (unsigned int)READ_ONCE(dirty_ratio),
		.background = back ? DIV_ROUND_UP(back, PAGE_SIZE) : per_cent * (unsigned int)READ_ONCE(background_ratio),
	};

	if (l.background >= l.most)
		l.background = l.most / 2;
	return l;
}

static unsigned long not_clean(void)
{
	return global_node_page_state(NR_FILE_DIRTY) + global_node_page_state(NR_WRITEBACK);
}

/* Must who writes to this disk wait? */
static bool over_limit(const struct backing_dev_info *bdi)
{
	struct limits l = get_limits();
	long mine = atomic_long_read(&bdi->nr_dirty) + atomic_long_read(&bdi->nr_writeback);

	return not_clean() > (l.background + l.most) / 2 &&
	       mine > (long)l.most / max(atomic_read(&dirty_devices), 1) / 2;
}

static void wait_for_flusher(struct inode *inode, const struct backing_dev_info *bdi)
{
	unsigned long end = jiffies + HZ;

	while (over_limit(bdi) && time_before(jiffies, end) && !fatal_signal_pending(current)) {
		wakeup_flusher(inode);
		__set_current_state(TASK_KILLABLE);
		io_schedule_timeout(1);
	}
}

/* What lies on no disk has no flusher: its writer writes. */
static void write_some(struct address_space *mapping)
{
	struct writeback_control wbc = { .sync_mode = WB_SYNC_NONE, .nr_to_write = 1024, .range_end = LLONG_MAX };

	if (not_clean() > get_limits().most)
		do_writepages(mapping, &wbc);
}

void balance_dirty_pages_ratelimited(struct address_space *mapping)
{
	struct inode *inode = mapping->host;
	struct backing_dev_info *bdi;

	if (this_cpu_inc_return(pages_dirtied) % RATELIMIT_PAGES || !inode || !mapping_tagged(mapping, PAGECACHE_TAG_DIRTY))
		return;
	bdi = inode_to_bdi(inode);
	if (!bdi || !bdi->flusher) {
		write_some(mapping);
		return;
	}
	if (global_node_page_state(NR_FILE_DIRTY) > get_limits().background)
		wakeup_flusher(inode);
	if (over_limit(bdi))
		wait_for_flusher(inode, bdi);
}

/* ---- /proc/sys/vm ---- */

static int ratio_handler(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	int err = proc_dointvec_minmax(t, write, buf, len);

	if (!err && write)
		WRITE_ONCE(*(t->data == &dirty_ratio ? &dirty_bytes : &background_bytes), 0);
	return err;
}

static int bytes_handler(const struct ctl_table *t, int write, char *buf, size_t *len)
{
	int err = proc_doulongvec_minmax(t, write, buf, len);

	if (!err && write)
		WRITE_ONCE(*(t->data == &dirty_bytes ? &dirty_ratio : &background_ratio), 0);
	return err;
}

static const int zero_, hundred = 100, most_centisecs = INT_MAX / HZ;
static const unsigned long two_pages = 2 * PAGE_SIZE, one_byte = 1;

#define KNOB(name, var, type, fn, lo, hi) \
	{ .procname = name, .data = &(var), .maxlen = sizeof(type), .mode = 0644, .handler = fn, .extra1 = lo, .extra2 = hi }

static const struct ctl_table vm_table[] = {
	KNOB("dirty_ratio", dirty_ratio, int, ratio_handler, &zero_, &hundred),
	KNOB("dirty_background_ratio", background_ratio, int, ratio_handler, &zero_, &hundred),
	KNOB("dirty_bytes", dirty_bytes, unsigned long, bytes_handler, &two_pages, NULL),
	KNOB("dirty_background_bytes", background_bytes, unsigned long, bytes_handler, &one_byte, NULL),
	KNOB("dirty_writeback_centisecs", dirty_writeback_interval, int, proc_dointvec_minmax, &zero_, &most_centisecs),
	KNOB("dirty_expire_centisecs", dirty_expire_interval, int, proc_dointvec_minmax, &zero_, &most_centisecs),
	{ }
};

static int __init dirty_limits_init(void)
{
	return register_sysctl("vm", vm_table);
}
fs_initcall(dirty_limits_init);
