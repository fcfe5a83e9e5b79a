/*
 * utsname.h: the names of the system and of the machine.
 */
#ifndef WEFT_UTSNAME_H
#define WEFT_UTSNAME_H

#include <weft/rwsem.h>
#include <uapi/utsname.h>

#define UTS_RELEASE	"6.1.0-weft"

extern struct rw_semaphore uts_sem;		/* class: uts; guards nodename and domainname */
extern struct new_utsname init_uts;
static inline struct new_utsname *utsname(void) { return &init_uts; }

#endif
