/*
 * ramswap.c: /dev/ramswap: a swap area in memory, to test swap where there is no disk.
 *
 * What:    with ramswap=N on the command line, N MiB are taken away from the page allocator at start-up and serve as the
 *          medium.  The header that mkswap would have written is there already: `swapon /dev/ramswap` is all it needs.
 *          (A swap file on tmpfs would make no sense: its pages are themselves the memory that is to be saved.)
 * Idea:    a table of pages; reading and writing are copies, done at once, so no test has to wait.
 * Locking: none: a slot's page is only touched under the page lock of the slot's page.
 * See:     swap.h struct swap_backend
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/highmem.h>
#include <weft/init.h>
#include <weft/miscdevice.h>
#include <weft/pagemap.h>
#include <weft/printk.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/swap.h>
#include <weft/vmalloc.h>

static unsigned long ramswap_mib;		/* [I] */
static struct page **ramswap_pages;		/* [I] */

static int __init ramswap_setup(char *arg)
{
	return kstrtoul(arg, 0, &ramswap_mib) ? 0 : 1;
}
__setup("ramswap=", ramswap_setup);

static void ramswap_read(struct swap_backend *b, pgoff_t slot, struct page *page)
{
	copy_highpage(page, ramswap_pages[slot]);
	swap_read_done(page, 0);
}

static void ramswap_write(struct swap_backend *b, pgoff_t slot, struct page *page)
{
	copy_highpage(ramswap_pages[slot], page);
	swap_write_done(page, 0);
}

static void ramswap_release(struct swap_backend *b)
{
}

static const struct swap_backend_ops ramswap_ops = {
	.type = "partition", .read_page = ramswap_read, .write_page = ramswap_write, .release = ramswap_release,
};
static struct swap_backend ramswap_backend = { .ops = &ramswap_ops };

static const struct file_operations ramswap_fops = { .llseek = noop_llseek };
static struct miscdevice ramswap_dev = { .minor = MISC_DYNAMIC_MINOR, .name = "ramswap", .fops = &ramswap_fops };

static int ramswap_open(struct file *file, struct swap_backend **b)
{
	if (file->f_op != &ramswap_fops)
		return -ENODEV;
	*b = &ramswap_backend;
	return 0;
}
static struct swap_backend_type ramswap_type = { .name = "ramswap", .open = ramswap_open };

static void write_header(u32 *words, pgoff_t nr)
{
	memset(words, 0, PAGE_SIZE);
	words[256] = 1;				/* byte 1024: version, last page */
	words[257] = (u32)nr - 1;
	memcpy((char *)words + PAGE_SIZE - 10, "SWAPSPACE2", 10);
}

static int __init ramswap_init(void)
{
	pgoff_t nr = ramswap_mib << (20 - PAGE_SHIFT);
	pgoff_t got;

	if (!nr)
		return 0;
	ramswap_pages = vzalloc(nr * sizeof(*ramswap_pages));
	if (!ramswap_pages)
		return -ENOMEM;
	got = alloc_pages_bulk_array(GFP_KERNEL | __GFP_NORETRY, nr, ramswap_pages);
	if (got < 2)
		return -ENOMEM;
	write_header(page_address(ramswap_pages[0]), got);
	ramswap_backend.nr_pages = got;
	register_swap_backend(&ramswap_type);
	pr_info("ramswap: %lu MiB\n", got >> (20 - PAGE_SHIFT));
	return misc_register(&ramswap_dev);
}
late_initcall(ramswap_init);
