/*
 * swapfile.c: swapon and swapoff: areas come and go; /proc/swaps.
 *
 * Idea:    swapon opens the file, asks the registered kinds of media whether it is theirs, reads the header that mkswap wrote,
 *          makes the map of slots and lets pages in.  swapoff forbids new pages, brings back all that are there, waits for
 *          those who still look at the map, and frees it.  The structure itself stays for the next area: its number may be
 *          read from a stale entry at any time (get_swap_device() then finds users 0).
 * Locking: swapon_mutex: one swapon or swapoff at a time.  swap_lock for the flags.
 * See:     swap.h; swapon(2); Linux's mkswap(8) for the header
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/capability.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/mutex.h>
#include <weft/pagemap.h>
#include <weft/printk.h>
#include <weft/proc_fs.h>
#include <weft/sched.h>
#include <weft/seq_file.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/swap.h>
#include <weft/syscalls.h>
#include <weft/vmalloc.h>
#include <weft/vmstat.h>
#include <uapi/fcntl.h>
#include <uapi/stat.h>
#include "internal.h"
#include "swap_internal.h"

/* The first page of an area, ABI. */
union swap_header {
	struct {
		char	reserved[PAGE_SIZE - 10];
		char	magic[10];		/* "SWAPSPACE2" */
	} magic;
	struct {
		char	bootbits[1024];
		u32	version;		/* 1 */
		u32	last_page;
		u32	nr_badpages;
		u8	uuid[16];
		char	volume[16];
		u32	padding[117];
		u32	badpages[1];
	} info;
};
#define MAX_BADPAGES	((offsetof(union swap_header, magic.magic) - offsetof(union swap_header, info.badpages)) / sizeof(u32))

static DEFINE_MUTEX(swapon_mutex);
static LIST_HEAD(backend_types);		/* [swapon_mutex] */
static int least_priority = -2;			/* [swapon_mutex] for those who ask for none: each below the last */

void register_swap_backend(struct swap_backend_type *type)
{
	mutex_lock(&swapon_mutex);
	list_add_tail(&type->list, &backend_types);
	mutex_unlock(&swapon_mutex);
}

/* ---- making an area ---- */

static int open_backend(struct file *file, struct swap_backend **b)
{
	struct swap_backend_type *type;
	int err = -EINVAL;

	list_for_each_entry(type, &backend_types, list) {
		err = type->open(file, b);
		if (err != -ENODEV)
			return err;
	}
	return -EINVAL;
}

/* A free number, or an old structure that nobody uses.  Taken (SWP_USED), or ERR_PTR. */
static struct swap_info_struct *alloc_swap_info(void)
{
	struct swap_info_struct *si = NULL, *new = kzalloc(sizeof(*new), GFP_KERNEL);
	unsigned int type;

	if (!new)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&new->lock);
	xa_init_flags(&new->cache, XA_FLAGS_LOCK_IRQ);
	init_completion(&new->unused);
	spin_lock(&swap_lock);
	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = swap_info[type];
		if (!si || !(si->flags & SWP_USED))
			break;
	}
	if (type < MAX_SWAPFILES) {
		if (!si) {
			si = new;
			si->type = type;
			WRITE_ONCE(swap_info[type], si);
			new = NULL;
		}
		si->flags = SWP_USED;
	} else {
		si = ERR_PTR(-EPERM);
	}
	spin_unlock(&swap_lock);
	kfree(new);
	return si;
}

static struct page *read_header(struct swap_backend *b, struct swap_info_struct *si)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return ERR_PTR(-ENOMEM);
	__SetPageLocked(page);
	page->private = swp_entry(si->type, 0).val;
	get_page(page);				/* swap_read_done() drops it */
	b->ops->read_page(b, 0, page);
	wait_on_page_locked(page);
	if (PageUptodate(page))
		return page;
	put_page(page);
	return ERR_PTR(-EIO);
}

/* Slots, or -errno. */
static long check_header(const union swap_header *h, const struct swap_backend *b)
{
	if (memcmp(h->magic.magic, "SWAPSPACE2", 10) || h->info.version != 1)
		return -EINVAL;
	if (!h->info.last_page || h->info.last_page >= b->nr_pages || h->info.nr_badpages > MAX_BADPAGES)
		return -EINVAL;
	return min((unsigned long)h->info.last_page + 1, SWP_OFFSET_MAX);
}

static void forbid_slot(struct swap_info_struct *si, pgoff_t slot)
{
	if (!si->swap_map[slot])
		si->pages--;
	si->swap_map[slot] = SWAP_MAP_BAD;
}

static int make_map(struct swap_info_struct *si, const union swap_header *h)
{
	struct swap_backend *b = si->backend;

	si->swap_map = vzalloc(si->max * sizeof(u16));
	si->cluster_free = vzalloc(swap_clusters(si->max) * sizeof(u16));
	si->zeromap = vzalloc(BITS_TO_LONGS(si->max) * sizeof(long));
	si->owner = vzalloc(si->max * sizeof(u16));
	if (!si->swap_map || !si->cluster_free || !si->zeromap || !si->owner)
		return -ENOMEM;
	si->pages = si->max;
	forbid_slot(si, 0);
	for (u32 i = 0; i < h->info.nr_badpages; i++) {
		u32 bad = h->info.badpages[i];

		if (!bad || bad >= si->max)
			return -EINVAL;
		forbid_slot(si, bad);
	}
	for (pgoff_t slot = 1; b->ops->usable && slot < si->max; slot++)
		if (!b->ops->usable(b, slot))
			forbid_slot(si, slot);
	for (pgoff_t slot = 1; slot < si->max; slot++)
		si->cluster_free[slot / SWAP_CLUSTER] += !si->swap_map[slot];
	return si->pages ? 0 : -EINVAL;
}

/* The area as it is after swapoff, or when swapon has failed: only the number is left. */
static void clear_area(struct swap_info_struct *si)
{
	vfree(si->swap_map);
	vfree(si->cluster_free);
	vfree(si->zeromap);
	vfree(si->owner);
	kfree(si->name);
	xa_destroy(&si->cache);
	if (si->backend)
		si->backend->ops->release(si->backend);
	if (si->swap_file)
		fput(si->swap_file);
	si->swap_map = NULL;
	si->cluster_free = NULL;
	si->zeromap = NULL;
	si->owner = NULL;
	si->name = NULL;
	si->backend = NULL;
	si->swap_file = NULL;
	si->inuse_pages = 0;
	spin_lock(&swap_lock);
	si->flags = 0;
	spin_unlock(&swap_lock);
}

static int setup_area(struct swap_info_struct *si, int swap_flags)
{
	struct page *header;
	long max;
	int err = open_backend(si->swap_file, &si->backend);

	if (err)
		return err;
	header = read_header(si->backend, si);
	if (IS_ERR(header))
		return PTR_ERR(header);
	max = check_header(page_address(header), si->backend);
	if (max > 0) {
		si->max = (pgoff_t)max;
		si->next = 1;
		err = make_map(si, page_address(header));
	} else {
		err = (int)max;
	}
	put_page(header);
	si->prio = (swap_flags & SWAP_FLAG_PREFER) ? swap_flags & SWAP_FLAG_PRIO_MASK : least_priority--;
	return err;
}

static bool already_swap(const struct file *file)
{
	bool found = false;

	spin_lock(&swap_lock);
	for (unsigned int i = 0; i < MAX_SWAPFILES; i++) {
		const struct swap_info_struct *si = swap_info[i];

		if (si && (si->flags & SWP_USED) && si->swap_file && si->swap_file->f_mapping == file->f_mapping)
			found = true;
	}
	spin_unlock(&swap_lock);
	return found;
}

/* The area keeps a reference on the file. */
static int swapon_file(struct file *file, const char *name, int swap_flags)
{
	struct swap_info_struct *si;
	int err;

	if (already_swap(file))
		return -EBUSY;
	si = alloc_swap_info();
	if (IS_ERR(si))
		return PTR_ERR(si);
	si->swap_file = get_file(file);
	si->name = kstrdup(name, GFP_KERNEL);
	err = si->name ? setup_area(si, swap_flags) : -ENOMEM;
	if (err) {
		clear_area(si);
		return err;
	}
	reinit_completion(&si->unused);
	inode_lock(file_inode(file));
	file_inode(file)->i_flags |= S_SWAPFILE;
	inode_unlock(file_inode(file));
	refcount_set(&si->users, 1);
	open_swap_area(si);
	pr_info("swap: %s: %lu kB, priority %d\n", name, si->pages << (PAGE_SHIFT - 10), si->prio);
	return 0;
}

/* ---- ending one ---- */

/* The area in this file, with no new pages from now on; NULL: there is none. */
static struct swap_info_struct *close_area(const struct file *file)
{
	struct swap_info_struct *found = NULL;

	spin_lock(&swap_lock);
	for (unsigned int i = 0; i < MAX_SWAPFILES && !found; i++) {
		struct swap_info_struct *si = swap_info[i];

		if (si && (si->flags & SWP_WRITEOK) && si->swap_file->f_mapping == file->f_mapping)
			found = si;
	}
	if (found)
		close_swap_area(found);
	spin_unlock(&swap_lock);
	return found;
}

static int swapoff_file(struct file *file, const char *name, int swap_flags)
{
	struct swap_info_struct *si = close_area(file);
	int err;

	if (!si)
		return -EINVAL;
	/* Pages in the swap cache are in memory already. */
	if (si->inuse_pages > (unsigned long)si_mem_available() + get_nr_swap_pages() + global_node_page_state(NR_SWAPCACHE))
		err = -ENOMEM;
	else
		err = try_to_unuse(si);
	if (err) {
		open_swap_area(si);
		return err;
	}
	put_swap_device(si);
	wait_for_completion(&si->unused);
	inode_lock(file_inode(si->swap_file));
	file_inode(si->swap_file)->i_flags &= ~S_SWAPFILE;
	inode_unlock(file_inode(si->swap_file));
	clear_area(si);
	return 0;
}

/* ---- the two system calls ---- */

/* Opens the file that is meant and does it. */
static long with_special_file(const char __user *specialfile, int swap_flags,
			      int (*doit)(struct file *file, const char *name, int swap_flags))
{
	struct filename *name;
	struct file *file;
	long err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	name = getname(specialfile);
	if (IS_ERR(name))
		return PTR_ERR(name);
	file = file_open_name(name, O_RDWR | O_LARGEFILE, 0);
	err = PTR_ERR_OR_ZERO(file);
	if (!err) {
		mutex_lock(&swapon_mutex);
		err = doit(file, name->name, swap_flags);
		mutex_unlock(&swapon_mutex);
		filp_close(file, NULL);
	}
	putname(name);
	return err;
}

long sys_swapon(const char __user *specialfile, int swap_flags)
{
	if (swap_flags & ~SWAP_FLAGS_VALID)
		return -EINVAL;
	return with_special_file(specialfile, swap_flags, swapon_file);
}

long sys_swapoff(const char __user *specialfile)
{
	return with_special_file(specialfile, 0, swapoff_file);
}

/* ---- /proc/swaps ---- */

static int swaps_show(struct seq_file *m, void *v)
{
	seq_puts(m, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	mutex_lock(&swapon_mutex);
	for (unsigned int i = 0; i < MAX_SWAPFILES; i++) {
		const struct swap_info_struct *si = swap_info[i];

		if (si && (si->flags & SWP_WRITEOK))
			seq_printf(m, "%-40s%s\t%lu\t\t%lu\t\t%d\n", si->name, si->backend->ops->type,
				   si->pages << (PAGE_SHIFT - 10), si->inuse_pages << (PAGE_SHIFT - 10), si->prio);
	}
	mutex_unlock(&swapon_mutex);
	return 0;
}

static int __init swaps_init(void)
{
	proc_create_single("swaps", 0444, NULL, swaps_show);
	return 0;
}
fs_initcall(swaps_init);
