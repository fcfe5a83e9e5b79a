/*
 * ldt.h: segment descriptors as programs describe them: modify_ldt(2), set_thread_area(2): the Linux x86 ABI.
 */
#ifndef UAPI_LDT_H
#define UAPI_LDT_H

#define LDT_ENTRIES	8192
#define LDT_ENTRY_SIZE	8

struct user_desc {
	unsigned int	entry_number;
	unsigned int	base_addr;
	unsigned int	limit;
	unsigned int	seg_32bit:1;
	unsigned int	contents:2;
	unsigned int	read_exec_only:1;
	unsigned int	limit_in_pages:1;
	unsigned int	seg_not_present:1;
	unsigned int	useable:1;
	unsigned int	lm:1;
};
_Static_assert(sizeof(struct user_desc) == 16, "struct user_desc");

#define MODIFY_LDT_CONTENTS_DATA	0
#define MODIFY_LDT_CONTENTS_STACK	1
#define MODIFY_LDT_CONTENTS_CODE	2

#endif
