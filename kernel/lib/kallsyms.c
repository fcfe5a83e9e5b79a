/*
 * kallsyms.c: names for kernel addresses: back traces, /proc/kallsyms, wchan.
 *
 * Idea:    the table is made by tools/kallsyms.py after a first link and carried by the second.  A look-up is a binary
 *          search in the offsets; then at most 64 names are unpacked, from the marker before.
 * Locking: none: constant data, any context.
 * Cost:    log n + 64 name steps.
 * See:     include/weft/kallsyms.h
 */
#include <weft/kallsyms.h>
#include <weft/kernel.h>
#include <weft/string.h>
#include <asm/sections.h>

#define NAMES_PER_MARKER	64

extern const u32 kallsyms_num;
extern const u32 kallsyms_offsets[], kallsyms_markers[];
extern const u8 kallsyms_names[];

/* Name number i into buf; returns its type letter. */
static char unpack_name(u32 i, char *buf)
{
	const u8 *p = kallsyms_names + kallsyms_markers[i / NAMES_PER_MARKER];
	char type = 0;

	for (u32 n = i % NAMES_PER_MARKER + 1; n; n--) {
		type = (char)p[0];
		memcpy(buf + p[1], p + 3, p[2]);
		buf[p[1] + p[2]] = '\0';
		p += 3 + p[2];
	}
	return type;
}

/* The last symbol at or before offset; there is one. */
static u32 find_symbol(u32 offset)
{
	u32 low = 0, high = kallsyms_num;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (kallsyms_offsets[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

const char *kallsyms_lookup(unsigned long addr, unsigned long *size, unsigned long *offset, char *buf)
{
	unsigned long rel = addr - (unsigned long)_text, end;
	u32 i;

	if (!kallsyms_num || !core_kernel_text(addr) || rel < kallsyms_offsets[0])
		return NULL;
	i = find_symbol((u32)rel);
	end = i + 1 < kallsyms_num ? kallsyms_offsets[i + 1] : (unsigned long)(_etext - _text);
	if (size)
		*size = end - kallsyms_offsets[i];
	if (offset)
		*offset = rel - kallsyms_offsets[i];
	unpack_name(i, buf);
	return buf;
}

int sprint_symbol(char *buf, unsigned long addr)
{
	unsigned long size, offset;
	size_t n;

	if (!kallsyms_lookup(addr, &size, &offset, buf))
		return snprintf(buf, KSYM_NAME_LEN + 40, "%#lx", addr);
	n = strlen(buf);
	return (int)n + snprintf(buf + n, KSYM_NAME_LEN + 40 - n, "+%#lx/%#lx", offset, size);
}

unsigned long kallsyms_lookup_name(const char *name)
{
	char buf[KSYM_NAME_LEN];

	for (u32 i = 0; i < kallsyms_num; i++) {
		unpack_name(i, buf);
		if (!strcmp(buf, name))
			return (unsigned long)_text + kallsyms_offsets[i];
	}
	return 0;
}

unsigned long kallsyms_entry(unsigned int i, char *type, char *buf)
{
	if (i >= kallsyms_num)
		return 0;
	*type = unpack_name(i, buf);
	return (unsigned long)_text + kallsyms_offsets[i];
}

unsigned int kallsyms_count(void)
{
	return kallsyms_num;
}
