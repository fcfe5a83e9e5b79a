/* number_in.h: a number out of /proc, for the stress tests that watch the kernel's counters. */
#ifndef NUMBER_IN_H
#define NUMBER_IN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What follows `key` at the beginning of a line of the file; 0: no such line. */
static unsigned long number_in(const char *file, const char *key)
{
	char line[256];
	unsigned long n = 0;
	FILE *f = fopen(file, "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			n = strtoul(line + strlen(key), NULL, 0);
	if (f)
		fclose(f);
	return n;
}

#endif
