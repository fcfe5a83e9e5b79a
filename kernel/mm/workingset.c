/*
 * workingset.c: a page of a file that comes back soon after reclaim took it should not have gone.
 *
 * What:    reclaim notes each page of a file that it frees; when the page is read again, the distance tells how many others
 *          went meanwhile.  If as many pages as lie on the active list would have made room for it, it belongs to the
 *          working set: it starts on the active list, instead of being driven out of the inactive one again and again by
 *          pages that are read only once.
 * Idea:    the notes are a table of as many words as there are pages of RAM, found by a hash of file and offset: half of a
 *          word is a tag, half the time, counted in pages that left or were activated.  A note that another overwrites is
 *          forgotten; a tag that is right by accident (one in 2^32) makes one page active.  (Linux keeps the note in the file's
 *          own array of pages: exact, and an inode's memory as long as there are notes.  The table is 0.2 % of memory, and
 *          nothing need be cleaned up.)
 *
 *              time 100: page evicted, noted            active list: 30 pages
 *              time 120: read again: distance 20 < 30   -> active
 *              time 180: read again: distance 80 > 30   -> inactive, as any other: it would not have stayed anyway
 *
 * Locking: none: words are read and written as a whole; a lost one is a lost guess.
 * Cost:    one load for a page that is read in, one store for one that goes.
 * See:     vmscan.c, shrink_list.c; filemap.c add_to_page_cache_lru(); doc/reclaim.md; spec.md §6 "LRU"
 */
#include <weft/kernel.h>
#include <weft/atomic.h>
#include <weft/hash.h>
#include <weft/init.h>
#include <weft/log2.h>
#include <weft/memcg.h>
#include <weft/pagemap.h>
#include <weft/swap.h>
#include <weft/vmalloc.h>
#include <weft/vmstat.h>
#include "internal.h"

static u64 *notes;				/* [I] NULL until start-up: nothing is noted */
static unsigned int notes_shift;		/* [I] log2 of their number */
static atomic_t age;				/* pages that left or became active */

/* The place of the note about a page, and its tag. */
static u64 *note_of(const struct address_space *mapping, pgoff_t index, u32 *tag)
{
	u64 hash = hash_64((unsigned long)mapping + hash_64(index, 64), 64);

	*tag = (u32)hash;
	return &notes[hash >> (64 - notes_shift)];
}

/* Reclaim has freed the page. */
void workingset_eviction(const struct address_space *mapping, pgoff_t index)
{
	u32 now = (u32)atomic_inc_return(&age), tag;
	u64 *note;

	if (!notes)
		return;
	note = note_of(mapping, index, &tag);
	WRITE_ONCE(*note, (u64)tag << 32 | now);
}

void workingset_activation(void)
{
	atomic_inc(&age);
}

/* Those that page would have to hold its own against: of its group, or all. */
static unsigned long active_file_pages(const struct page *page)
{
	unsigned long sum = 0;
	struct zone *zone;

	if (unlikely(page->memcg))
		return (unsigned long)memcg_state(page->memcg, NR_ACTIVE_FILE);

	for_each_populated_zone(zone)
		sum += zone_lru_pages(zone, LRU_ACTIVE_FILE);
	return sum;
}

/* The page is about to be read.  True: it was here not long ago, and should stay longer this time. */
bool workingset_refault(const struct address_space *mapping, pgoff_t index, const struct page *page)
{
	u32 tag, distance;
	u64 *note, seen;

	if (!notes)
		return false;
	note = note_of(mapping, index, &tag);
	seen = READ_ONCE(*note);
	if (seen >> 32 != tag || !seen)
		return false;
	WRITE_ONCE(*note, 0);
	count_vm_event(WORKINGSET_REFAULT);
	count_memcg_page_event(page, WORKINGSET_REFAULT);
	distance = (u32)atomic_read(&age) - (u32)seen;
	if (distance > active_file_pages(page))
		return false;
	count_vm_event(WORKINGSET_ACTIVATE);
	count_memcg_page_event(page, WORKINGSET_ACTIVATE);
	return true;
}

static int __init workingset_init(void)
{
	notes_shift = (unsigned int)ilog2(totalram_pages());
	notes = vzalloc(sizeof(*notes) << notes_shift);
	return notes ? 0 : -ENOMEM;
}
core_initcall(workingset_init);
