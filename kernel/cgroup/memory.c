/*
 * memory.c: the memory controller's files: what a group has, what it may have, what has happened at its limits.
 *
 * What:    memory.current, peak, min, low, high, max, events, events.local, stat, oom.group, reclaim; memory.swap.current,
 *          max, events.  Values are bytes, kept as pages.
 * Idea:    the work is done in the memory manager (kernel/mm/memcontrol.c); the root has no part, so no files.
 * Locking: limits are single words.  Setting one reclaims without a lock, so two writers may both work.
 * See:     <weft/memcg.h>; core.c; doc/cgroups.md; Linux's documentation of cgroup v2, "Memory"
 */
#include <weft/kernel.h>
#include <weft/err.h>
#include <weft/memcg.h>
#include <weft/seq_file.h>
#include <weft/signal.h>
#include <weft/string.h>
#include "cgroup.h"

#define RECLAIM_TRIES	16

static struct cgroup_css *memory_alloc(struct cgroup_css *parent)
{
	struct mem_cgroup *memcg = mem_cgroup_alloc();

	return IS_ERR(memcg) ? ERR_CAST(memcg) : &memcg->css;
}

static void memory_online(struct cgroup_css *css)
{
	mem_cgroup_online(memcg_of_css(css));
}

static void memory_offline(struct cgroup_css *css)
{
	mem_cgroup_offline(memcg_of_css(css));
}

static void memory_free(struct cgroup_css *css)
{
	mem_cgroup_free(memcg_of_css(css));
}

/* ---- values ---- */

/* "max", or bytes with an ending K, M, G or none: whole pages. */
static int parse_pages(const char *text, unsigned long *pages)
{
	char *end;
	u64 bytes;

	if (!strcmp(text, "max")) {
		*pages = MEMCG_NO_LIMIT;
		return 0;
	}
	bytes = memparse(text, &end);
	if (end == text || *end)
		return -EINVAL;
	*pages = min(bytes / PAGE_SIZE, (u64)MEMCG_NO_LIMIT);
	return 0;
}

static int show_limit(struct seq_file *m, unsigned long pages)
{
	if (pages >= MEMCG_NO_LIMIT)
		seq_puts(m, "max\n");
	else
		seq_printf(m, "%lu\n", pages * PAGE_SIZE);
	return 0;
}

static int show_bytes(struct seq_file *m, unsigned long pages)
{
	seq_printf(m, "%lu\n", pages * PAGE_SIZE);
	return 0;
}

static struct memcg_counter *memory_counter(struct cgroup_css *css)
{
	return &memcg_of_css(css)->counter[MEMCG_MEMORY];
}

/* ---- memory.* ---- */

static int current_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_bytes(m, memcg_pages(memcg_of_css(css), MEMCG_MEMORY));
}

static int peak_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_bytes(m, READ_ONCE(memory_counter(css)->peak));
}

static int max_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_limit(m, READ_ONCE(memory_counter(css)->max));
}

static int max_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	unsigned long pages;
	int err = parse_pages(text, &pages);

	if (!err)
		mem_cgroup_set_max(memcg_of_css(css), pages);
	return err;
}

static int high_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_limit(m, READ_ONCE(memory_counter(css)->high));
}

/* What is above is reclaimed now, as far as it goes. */
static int high_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	struct mem_cgroup *memcg = memcg_of_css(css);
	unsigned long high, now;
	int err = parse_pages(text, &high), tries = RECLAIM_TRIES;

	if (err)
		return err;
	WRITE_ONCE(memory_counter(css)->high, high);
	while ((now = memcg_pages(memcg, MEMCG_MEMORY)) > high && tries && !signal_pending(current))
		if (!mem_cgroup_reclaim(memcg, now - high))
			tries--;
	return 0;
}

static int min_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_limit(m, READ_ONCE(memcg_of_css(css)->min));
}

static int min_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return parse_pages(text, &memcg_of_css(css)->min);
}

static int low_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_limit(m, READ_ONCE(memcg_of_css(css)->low));
}

static int low_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return parse_pages(text, &memcg_of_css(css)->low);
}

static int oom_group_show(struct seq_file *m, struct cgroup_css *css)
{
	seq_printf(m, "%d\n", READ_ONCE(memcg_of_css(css)->oom_group));
	return 0;
}

static int oom_group_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	int value, err = kstrtoint(text, 0, &value);

	if (err || value < 0 || value > 1)
		return -EINVAL;
	WRITE_ONCE(memcg_of_css(css)->oom_group, value);
	return 0;
}

/* -EAGAIN: less came free than was asked for. */
static int reclaim_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	unsigned long wanted, freed = 0;
	int err = parse_pages(text, &wanted), tries = RECLAIM_TRIES;

	while (!err && freed < wanted) {
		unsigned long now;

		if (signal_pending(current))
			return -EINTR;
		now = mem_cgroup_reclaim(memcg_of_css(css), wanted - freed);
		freed += now;
		if (!now && !--tries)
			err = -EAGAIN;
	}
	return err;
}

/* ---- memory.events ---- */

static const char *const event_names[MEMCG_EVENTS] = {
	[MEMCG_LOW] = "low", [MEMCG_HIGH] = "high", [MEMCG_MAX] = "max", [MEMCG_OOM] = "oom", [MEMCG_OOM_KILL] = "oom_kill",
	[MEMCG_OOM_GROUP_KILL] = "oom_group_kill",
	[MEMCG_SWAP_HIGH] = "high", [MEMCG_SWAP_MAX] = "max", [MEMCG_SWAP_FAIL] = "fail",
};

static int show_events(struct seq_file *m, const atomic_long_t *counts, enum memcg_event from, enum memcg_event to)
{
	for (enum memcg_event i = from; i < to; i++)
		seq_printf(m, "%s %ld\n", event_names[i], atomic_long_read(&counts[i]));
	return 0;
}

static int events_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_events(m, memcg_of_css(css)->events, 0, MEMCG_SWAP_HIGH);
}

static int events_local_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_events(m, memcg_of_css(css)->events_local, 0, MEMCG_SWAP_HIGH);
}

/* ---- memory.stat ---- */

/* Only what is counted is shown: the kernel's own memory (stacks, page tables, slabs, sockets) is charged to nobody. */
static const struct { const char *name; enum node_stat_item item; } stat_bytes[] = {
	{ "anon", NR_ANON_MAPPED }, { "file", NR_FILE_PAGES }, { "shmem", NR_SHMEM }, { "file_mapped", NR_FILE_MAPPED },
	{ "file_dirty", NR_FILE_DIRTY }, { "file_writeback", NR_WRITEBACK }, { "swapcached", NR_SWAPCACHE },
	{ "inactive_anon", NR_INACTIVE_ANON }, { "active_anon", NR_ACTIVE_ANON },
	{ "inactive_file", NR_INACTIVE_FILE }, { "active_file", NR_ACTIVE_FILE }, { "unevictable", NR_UNEVICTABLE },
};
static const struct { const char *name; enum vm_event_item item; } stat_events[] = {
	{ "workingset_refault_file", WORKINGSET_REFAULT }, { "workingset_activate_file", WORKINGSET_ACTIVATE },
	{ "pgscan_kswapd", PGSCAN_KSWAPD }, { "pgscan_direct", PGSCAN_DIRECT },
	{ "pgsteal_kswapd", PGSTEAL_KSWAPD }, { "pgsteal_direct", PGSTEAL_DIRECT },
	{ "pgfault", PGFAULT }, { "pgmajfault", PGMAJFAULT }, { "pgactivate", PGACTIVATE }, { "pgdeactivate", PGDEACTIVATE },
};

static int stat_show(struct seq_file *m, struct cgroup_css *css)
{
	struct mem_cgroup *memcg = memcg_of_css(css);

	for (size_t i = 0; i < ARRAY_SIZE(stat_bytes); i++)
		seq_printf(m, "%s %ld\n", stat_bytes[i].name, memcg_state(memcg, stat_bytes[i].item) * (long)PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(stat_events); i++)
		seq_printf(m, "%s %lu\n", stat_events[i].name, memcg_events_sum(memcg, stat_events[i].item));
	return 0;
}

/* ---- memory.swap.* ---- */

static int swap_current_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_bytes(m, memcg_pages(memcg_of_css(css), MEMCG_SWAP));
}

static int swap_max_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_limit(m, READ_ONCE(memcg_of_css(css)->counter[MEMCG_SWAP].max));
}

/* What is out already stays. */
static int swap_max_write(struct cgroup_css *css, char *text, const struct cgroup_open *open)
{
	return parse_pages(text, &memcg_of_css(css)->counter[MEMCG_SWAP].max);
}

static int swap_events_show(struct seq_file *m, struct cgroup_css *css)
{
	return show_events(m, memcg_of_css(css)->events, MEMCG_SWAP_HIGH, MEMCG_EVENTS);
}

static const struct cftype memory_files[] = {
	{ .name = "memory.current", .flags = CFT_NOT_ON_ROOT, .show = current_show },
	{ .name = "memory.peak", .flags = CFT_NOT_ON_ROOT, .show = peak_show },
	{ .name = "memory.min", .flags = CFT_NOT_ON_ROOT, .show = min_show, .write = min_write },
	{ .name = "memory.low", .flags = CFT_NOT_ON_ROOT, .show = low_show, .write = low_write },
	{ .name = "memory.high", .flags = CFT_NOT_ON_ROOT, .show = high_show, .write = high_write },
	{ .name = "memory.max", .flags = CFT_NOT_ON_ROOT, .show = max_show, .write = max_write },
	{ .name = "memory.events", .flags = CFT_NOT_ON_ROOT, .event = CGROUP_EVENT_MEMORY, .show = events_show },
	{ .name = "memory.events.local", .flags = CFT_NOT_ON_ROOT, .event = CGROUP_EVENT_MEMORY_LOCAL,
	  .show = events_local_show },
	{ .name = "memory.stat", .flags = CFT_NOT_ON_ROOT, .show = stat_show },
	{ .name = "memory.oom.group", .flags = CFT_NOT_ON_ROOT | CFT_DELEGATED, .show = oom_group_show,
	  .write = oom_group_write },
	{ .name = "memory.swap.current", .flags = CFT_NOT_ON_ROOT, .show = swap_current_show },
	{ .name = "memory.swap.max", .flags = CFT_NOT_ON_ROOT, .show = swap_max_show, .write = swap_max_write },
	{ .name = "memory.swap.events", .flags = CFT_NOT_ON_ROOT, .event = CGROUP_EVENT_SWAP, .show = swap_events_show },
	{ .name = "memory.reclaim", .flags = CFT_NOT_ON_ROOT | CFT_DELEGATED, .write = reclaim_write },
	{ }
};

const struct cgroup_subsys memory_subsys = {
	.name = "memory", .alloc = memory_alloc, .online = memory_online, .offline = memory_offline, .free = memory_free,
	.files = memory_files,
};
