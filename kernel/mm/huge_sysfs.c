/*
 * huge_sysfs.c: /sys/kernel/mm/transparent_hugepage: who gets huge pages, how hard they are tried for, and the thread's pace.
 *
 * Idea:    a file is a pointer to a variable and the two functions of its type; a new setting is one line in a table.
 * Locking: none: each setting is one word, written with WRITE_ONCE and read once where it is used; a write wakes khugepaged,
 *          which may have nothing to do but for the old value.
 * See:     huge_memory.c, khugepaged.c; doc/memory.md "Huge pages"
 */
#include <weft/huge_mm.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/string.h>
#include <weft/sysfs.h>
#include <weft/wait.h>
#include "huge.h"
#include "internal.h"

static const char *const mode_names[] = { [THP_NEVER] = "never", [THP_MADVISE] = "madvise", [THP_ALWAYS] = "always" };

/* All that can be chosen, the chosen one in brackets. */
static ssize_t show_mode(int mode, char *buf)
{
	int n = 0;

	for (int i = THP_ALWAYS; i >= THP_NEVER; i--)
		n += sysfs_emit(buf + n, i == mode ? "[%s]%s" : "%s%s", mode_names[i], i ? " " : "\n");
	return n;
}

static ssize_t store_mode(int *mode, const char *buf, size_t n)
{
	for (int i = THP_NEVER; i <= THP_ALWAYS; i++) {
		if (!sysfs_streq(buf, mode_names[i]))
			continue;
		WRITE_ONCE(*mode, i);
		wake_up(&khugepaged_wait);
		return (ssize_t)n;
	}
	return -EINVAL;
}

static ssize_t mode_show(void *data, char *buf) { return show_mode(*(int *)data, buf); }
static ssize_t mode_store(void *data, const char *buf, size_t n) { return store_mode(data, buf, n); }
static ssize_t size_show(void *data, char *buf) { return sysfs_emit(buf, "%lu\n", PMD_SIZE); }
static ssize_t zero_show(void *data, char *buf) { return sysfs_emit(buf, "0\n"); }
static ssize_t shmem_show(void *data, char *buf) { return sysfs_emit(buf, "always within_size advise [never] deny force\n"); }

static const struct sysfs_attr enabled_attr = { .name = "enabled", .mode = 0644, .show = mode_show, .store = mode_store };
static const struct sysfs_attr defrag_attr = { .name = "defrag", .mode = 0644, .show = mode_show, .store = mode_store };
static const struct sysfs_attr fixed_attrs[] = {
	{ .name = "hpage_pmd_size", .show = size_show }, { .name = "use_zero_page", .show = zero_show },
	{ .name = "shmem_enabled", .show = shmem_show },
	{ }
};

static ssize_t uint_show(void *data, char *buf) { return sysfs_emit(buf, "%u\n", *(unsigned int *)data); }
static ssize_t ulong_show(void *data, char *buf) { return sysfs_emit(buf, "%lu\n", *(unsigned long *)data); }

static ssize_t uint_store(void *data, const char *buf, size_t n)
{
	unsigned int value;
	int err = kstrtouint(buf, 10, &value);

	if (err)
		return err;
	if (data == &khugepaged_max_ptes_none && value > HPAGE_NR - 1)
		return -EINVAL;
	WRITE_ONCE(*(unsigned int *)data, value);
	wake_up(&khugepaged_wait);
	return (ssize_t)n;
}

#define SETTING(file, variable) \
	{ { .name = file, .mode = 0644, .show = uint_show, .store = uint_store }, &(variable) }

static const struct {
	struct sysfs_attr	attr;
	void			*data;
} thread_attrs[] = {
	SETTING("pages_to_scan", khugepaged_pages_to_scan),
	SETTING("scan_sleep_millisecs", khugepaged_scan_sleep_ms),
	SETTING("alloc_sleep_millisecs", khugepaged_alloc_sleep_ms),
	SETTING("max_ptes_none", khugepaged_max_ptes_none),
	{ { .name = "max_ptes_swap", .show = zero_show }, NULL },
	{ { .name = "max_ptes_shared", .show = zero_show }, NULL },
	{ { .name = "pages_collapsed", .show = ulong_show }, &khugepaged_pages_collapsed },
	{ { .name = "full_scans", .show = ulong_show }, &khugepaged_full_scans },
};

static int __init huge_sysfs_init(void)
{
	struct dentry *dir = sysfs_mkdir(NULL, "kernel/mm/transparent_hugepage"), *thread;
	int err;

	if (IS_ERR(dir))
		return PTR_ERR(dir);
	err = sysfs_create_files(dir, fixed_attrs, NULL);
	err = err ? err : sysfs_create_file(dir, &enabled_attr, &thp_enabled);
	err = err ? err : sysfs_create_file(dir, &defrag_attr, &thp_defrag);
	thread = sysfs_mkdir(dir, "khugepaged");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	for (size_t i = 0; i < ARRAY_SIZE(thread_attrs) && !err; i++)
		err = sysfs_create_file(thread, &thread_attrs[i].attr, thread_attrs[i].data);
	return err;
}
device_initcall(huge_sysfs_init);

/* transparent_hugepage=always|madvise|never */
static int __init parse_mode(char *value)
{
	return store_mode(&thp_enabled, value, 1) > 0 ? 0 : -EINVAL;
}
early_param("transparent_hugepage", parse_mode);
