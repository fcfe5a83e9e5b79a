/* pages.h: what the kernel says about single pages (/proc/PID/pagemap, smaps) and about faults (getrusage). */
#ifndef PAGES_H
#define PAGES_H

#include "lesson.h"

#define PAGE_PRESENT	(1ull << 63)
#define PAGE_EXCLUSIVE	(1ull << 56)		/* only this process maps it */
#define PAGE_FRAME	((1ull << 55) - 1)	/* 0 for all but root */

/* The pagemap words of the caller's n pages from addr on. */
UNUSED static void pagemap(const volatile void *addr, size_t n, uint64_t *words)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		skip("/proc/self/pagemap: %s", strerror(errno));
	for (size_t i = 0; i < n; ) {
		ssize_t got = pread(fd, words + i, (n - i) * 8, ((uintptr_t)addr / PAGE + i) * 8);

		must(got > 0 && got % 8 == 0, "/proc/self/pagemap returned %zd", got);
		i += got / 8;
	}
	close(fd);
}

UNUSED static size_t count_pages(const uint64_t *words, size_t n, uint64_t bit)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += !!(words[i] & bit);
	return sum;
}

/* How many of n pages lie in the same page frame in both.  Both must be there. */
UNUSED static size_t same_frames(const uint64_t *a, const uint64_t *b, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (a[i] & b[i] & PAGE_PRESENT) && (a[i] & PAGE_FRAME) == (b[i] & PAGE_FRAME);
	return sum;
}

/* Of the caller's areas that overlap [addr, addr + bytes): the sum of one smaps line, in kB. */
UNUSED static long smaps_kb(const volatile void *addr, size_t bytes, const char *name)
{
	uintptr_t from = (uintptr_t)addr, to = from + bytes;
	FILE *f = fopen("/proc/self/smaps", "re");
	bool inside = false;
	char line[512];
	long sum = 0;

	if (!f)
		skip("/proc/self/smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		size_t len = strlen(name);

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start < to && end > from;
		else if (inside && !strncmp(line, name, len) && line[len] == ':')
			sum += strtol(line + len + 1, NULL, 10);
	}
	fclose(f);
	return sum;
}

UNUSED static long minor_faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_minflt;
}

#endif
