/* slabs.h: does /proc/slabinfo count as many objects after many rounds as before?  For the mills. */
#ifndef SLABS_H
#define SLABS_H

#include "t.h"

#define SLABS_MAX 300

struct slab_count { char name[40]; long active; };

static int read_slabs(struct slab_count *c)
{
	char line[500];
	FILE *f = fopen("/proc/slabinfo", "r");
	int n = 0;

	if (!f)
		SKIP("no /proc/slabinfo");
	while (n < SLABS_MAX && fgets(line, sizeof(line), f))
		if (line[0] != '#' && sscanf(line, "%39s %ld", c[n].name, &c[n].active) == 2)
			n++;
	fclose(f);
	return n;
}

/* No cache may have grown by more than two objects for a hundred rounds. */
static void check_slabs(const struct slab_count *before, int n, int rounds)
{
	static struct slab_count after[SLABS_MAX];
	int m = read_slabs(after);

	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
			if (!strcmp(after[i].name, before[j].name) && after[i].active - before[j].active > rounds / 50)
				FAIL("%s: %ld objects, %ld before %d rounds", after[i].name, after[i].active, before[j].active, rounds);
}

#endif
