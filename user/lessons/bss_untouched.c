/*
 * bss_untouched: uninitialised variables are neither in the file nor in memory until they are touched.
 *
 * Seeds:  004: "bss is all the uninitialised globals; they need only be mapped anonymously to the zero page and not loaded from
 *         the file: a smaller ELF, a faster load".  000 §9.3.3: memory that is asked for is put off until it is used.
 * Expect: a 16 MiB array in a far smaller program file.  At first none of its pages is there.  Reading 16 pages maps one and the
 *         same zero page 16 times; writing 100 pages brings 100 pages, for 100 minor faults, and 400 kB of Rss.
 */
#include "pages.h"
#include <sys/stat.h>

#define SIZE	(16ul << 20)
#define PAGES	(SIZE / PAGE)
#define READ	16
#define WRITTEN	100

static volatile char big[SIZE] __attribute__((aligned(4096)));
static uint64_t words[PAGES];

int main(void)
{
	long faults, rss0, rss;
	struct stat st;
	int sum = 0;

	memset(words, 0, sizeof(words));	/* our own array is bss too: touched before anything is counted */
	madvise((void *)big, SIZE, MADV_NOHUGEPAGE);
	ok(stat("/proc/self/exe", &st));
	printf("the array has %lu kB, the program's file %ld kB\n", SIZE >> 10, (long)st.st_size >> 10);
	must((unsigned long)st.st_size < SIZE / 2, "the array is in the file");

	pagemap(big, PAGES, words);
	rss0 = smaps_kb(big, SIZE, "Rss");
	printf("untouched: %zu of %lu pages are there\n", count_pages(words, PAGES, PAGE_PRESENT), PAGES);
	must(count_pages(words, PAGES, PAGE_PRESENT) == 0, "untouched pages are there");

	for (int i = 0; i < READ; i++)
		sum += big[i * PAGE];
	pagemap(big, PAGES, words);
	rss = smaps_kb(big, SIZE, "Rss") - rss0;
	printf("read %d pages: sum %d; %zu pages map the zero page, Rss grew by %ld kB\n", READ, sum,
	       count_pages(words, PAGES, PAGE_PRESENT), rss);
	must(sum == 0, "bss is not zero");
	for (int i = 1; i < READ; i++)
		must(words[i] == words[0], "reading gave page %d a frame of its own", i);
	must(rss < READ * 4, "reading allocated memory");

	minor_faults();
	faults = minor_faults();
	for (int i = 0; i < WRITTEN; i++)
		big[(READ + i) * PAGE] = 1;
	faults = minor_faults() - faults;
	pagemap(big + READ * PAGE, PAGES - READ, words);
	rss = smaps_kb(big, SIZE, "Rss") - rss0 - rss;
	printf("written %d pages: %ld minor faults, %zu pages are there, Rss grew by %ld kB\n", WRITTEN, faults,
	       count_pages(words, PAGES - READ, PAGE_PRESENT), rss);
	must(faults >= WRITTEN && faults < WRITTEN + 8, "%d first writes cost %ld faults", WRITTEN, faults);
	must(count_pages(words, PAGES - READ, PAGE_PRESENT) == WRITTEN, "not exactly the written pages are there");
	must(rss >= WRITTEN * 4 && rss < WRITTEN * 4 + 64, "Rss did not grow by what was written");
	shown();
}
