/*
 * cow: fork() copies no memory; the first write to a page copies that page, and the last owner need not even copy.
 *
 * Seeds:  003 "Linux's threads": "fork is very fast because it does not copy the memory but shares a copy-on-write space: both
 *         may read it; when one wants to write, a copy is made for the writer alone".
 * Expect: 256 pages are written and the process forks.  All 256 are then in the same page frames in parent and child, and none
 *         is exclusive.  The child writes 64 of them: 64 minor faults, 64 new frames, 192 still shared; the parent's contents
 *         do not change.  When the child is gone the parent writes all 256: one fault each, but no copy: the frames stay.
 */
#include "pages.h"

#define PAGES	256
#define WRITTEN	64

static uint64_t before[PAGES], after[PAGES], in_child[PAGES], child_after[PAGES];

static volatile unsigned char *area;

/* Faults that writing the first n pages costs. */
static long write_pages(size_t n, unsigned char value)
{
	long faults;

	minor_faults();				/* the pages of the call itself are there before it counts */
	faults = minor_faults();
	for (size_t i = 0; i < n; i++)
		area[i * PAGE] = value;
	return minor_faults() - faults;
}

static void in_the_child(bool frames)
{
	long faults;

	/* The child's own arrays are copies too: written once before anything is counted. */
	memset(in_child, 0, sizeof(in_child));
	memset(child_after, 0, sizeof(child_after));
	pagemap(area, PAGES, in_child);
	printf("child:  before it writes, %zu of %d pages are there, %zu are exclusively its own",
	       count_pages(in_child, PAGES, PAGE_PRESENT), PAGES, count_pages(in_child, PAGES, PAGE_EXCLUSIVE));
	printf(frames ? ", %zu lie in the parent's frames\n" : "\n", same_frames(before, in_child, PAGES));
	must(count_pages(in_child, PAGES, PAGE_EXCLUSIVE) == 0, "a page is exclusive right after fork");
	must(!frames || same_frames(before, in_child, PAGES) == PAGES, "fork copied pages");

	faults = write_pages(WRITTEN, 3);
	pagemap(area, PAGES, child_after);
	printf("child:  writes %d pages: %ld minor faults, %zu pages are now its own", WRITTEN, faults,
	       count_pages(child_after, PAGES, PAGE_EXCLUSIVE));
	printf(frames ? ", %zu still in the parent's frames\n" : "\n", same_frames(before, child_after, PAGES));
	printf("child:  smaps: %ld kB private dirty, %ld kB shared dirty\n", smaps_kb(area, PAGES * PAGE, "Private_Dirty"),
	       smaps_kb(area, PAGES * PAGE, "Shared_Dirty"));
	must(faults >= WRITTEN && faults < WRITTEN + 8, "%d first writes cost %ld faults", WRITTEN, faults);
	must(count_pages(child_after, PAGES, PAGE_EXCLUSIVE) == WRITTEN, "the written pages are not the child's own");
	must(!frames || same_frames(before, child_after, PAGES) == PAGES - WRITTEN, "other pages were copied too");
	must(write_pages(WRITTEN, 4) < 8, "writing the same pages again costs faults again");
	_exit(0);
}

int main(void)
{
	size_t reused;
	long faults;
	bool frames;
	pid_t pid;

	pin(0, nth_cpu(0));			/* freshly made pages may wait in a list of the CPU that made them */
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(area != MAP_FAILED, "mmap: %s", strerror(errno));
	madvise((void *)area, PAGES * PAGE, MADV_NOHUGEPAGE);	/* pages of 4 KiB, please */
	write_pages(PAGES, 1);
	memset(after, 0, sizeof(after));
	pagemap(area, PAGES, before);
	frames = before[0] & PAGE_FRAME;
	printf("parent: %d pages written, %zu of them exclusively its own; page frames %s\n", PAGES,
	       count_pages(before, PAGES, PAGE_EXCLUSIVE), frames ? "visible" : "hidden (not root)");
	must(count_pages(before, PAGES, PAGE_EXCLUSIVE) == PAGES, "the parent's pages are not there");

	pid = child();
	if (!pid)
		in_the_child(frames);
	if (reap(pid))
		_exit(1);			/* the child has said why */
	for (size_t i = 0; i < PAGES; i++)
		must(area[i * PAGE] == 1, "the child's write reached the parent");

	faults = write_pages(PAGES, 2);
	pagemap(area, PAGES, after);
	reused = frames ? same_frames(before, after, PAGES) : PAGES;
	printf("parent: the child is gone; writes %d pages: %ld minor faults, %zu pages stayed in their frames\n",
	       PAGES, faults, reused);
	must(faults >= PAGES && faults < PAGES + 8, "%d write-protected pages cost %ld faults", PAGES, faults);
	must(reused >= PAGES * 3 / 4, "the last owner copied %zu pages", PAGES - reused);
	shown();
}
