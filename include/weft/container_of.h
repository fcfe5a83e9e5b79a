/* container_of.h: from a member to the structure around it. */
#ifndef WEFT_CONTAINER_OF_H
#define WEFT_CONTAINER_OF_H

#include <weft/compiler.h>

#define container_of(ptr, type, member) ({						\
	const __typeof__(((type *)0)->member) *__mptr = (void *)(ptr);			\
	_Static_assert(__same_type(*(ptr), ((type *)0)->member) || __same_type(*(ptr), void), \
		       "pointer type mismatch in container_of");			\
	(type *)((char *)(__mptr) - offsetof(type, member)); })
#define container_of_safe(ptr, type, member) \
	((ptr) ? container_of(ptr, type, member) : NULL)

#endif
