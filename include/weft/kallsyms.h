/*
 * kallsyms.h: names of kernel addresses.
 *
 * Idea:    tools/kallsyms.py makes the table from a first link's symbols; a second link carries it.  Names are stored
 *          sorted by address, each as the difference from the one before, with a marker every 64 names.
 */
#ifndef WEFT_KALLSYMS_H
#define WEFT_KALLSYMS_H

#include <weft/types.h>

#define KSYM_NAME_LEN	128

/* The function that holds addr: its name into buf (KSYM_NAME_LEN bytes), size and offset through the pointers (each may
 * be NULL).  Returns buf, or NULL when addr is not in the kernel's text.  Any context. */
const char *kallsyms_lookup(unsigned long addr, unsigned long *size, unsigned long *offset, char *buf);
/* "name+0x12/0x80" (or the bare number) into buf of at least KSYM_NAME_LEN + 40 bytes; returns the length: for %pS. */
int sprint_symbol(char *buf, unsigned long addr);
unsigned long kallsyms_lookup_name(const char *name);	/* 0 if there is none */
/* The i-th symbol in address order, for /proc/kallsyms: its address, or 0 past the end. */
unsigned long kallsyms_entry(unsigned int i, char *type, char *buf);
unsigned int kallsyms_count(void);

#endif
