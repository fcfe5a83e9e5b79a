/*
 * utsname.h: the names of the system and of the machine.
 */
#ifndef WEFT_UTSNAME_H
#define WEFT_UTSNAME_H

#include <weft/nsproxy.h>
#include <weft/rwsem.h>
#include <weft/sched.h>
#include <weft/user_namespace.h>
#include <uapi/utsname.h>

#define UTS_RELEASE	"6.1.0-weft"

extern struct rw_semaphore uts_sem;		/* class: uts; guards nodename and domainname */
struct uts_namespace {
	struct ns_common	ns;
	struct user_namespace	*user_ns;	/* [I] it belongs to, + reference */
	struct new_utsname	name;		/* [uts_sem] nodename and domainname, the rest [I] */
};
extern struct uts_namespace init_uts_ns;
static inline struct new_utsname *utsname(void) { return &current->nsproxy->uts->name; }	/* the running task's */

#endif
