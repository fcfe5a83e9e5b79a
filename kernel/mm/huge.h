/*
 * huge.h: what khugepaged.c and huge_sysfs.c show to each other.
 *
 * Locking: single words, read and written with READ_ONCE and WRITE_ONCE.
 * See:     doc/memory.md "Huge pages"
 */
#ifndef MM_HUGE_H
#define MM_HUGE_H

#include <weft/wait.h>

extern unsigned int khugepaged_pages_to_scan;		/* between two pauses */
extern unsigned int khugepaged_scan_sleep_ms, khugepaged_alloc_sleep_ms;
extern unsigned int khugepaged_max_ptes_none;		/* pages of a range that may be missing */
extern unsigned long khugepaged_pages_collapsed, khugepaged_full_scans;
extern struct wait_queue_head khugepaged_wait;		/* the thread sleeps here while there is nothing to look through */

#endif
