/*
 * uapi/acct.h: a record of process accounting, version 3 (Linux ABI): acct(5).
 */
#ifndef UAPI_ACCT_H
#define UAPI_ACCT_H

#include <uapi/types.h>

#define AFORK		0x01	/* it was forked and ran no program of its own */
#define ASU		0x02	/* it used privileges */
#define ACORE		0x08	/* it left a core file */
#define AXSIG		0x10	/* a signal killed it */
#define ACCT_VERSION	3

struct acct_v3 {
	__u8	ac_flag, ac_version;
	__u16	ac_tty;
	__u32	ac_exitcode, ac_uid, ac_gid, ac_pid, ac_ppid, ac_btime;
	__u32	ac_etime;		/* a float: hundredths of a second */
	__u16	ac_utime, ac_stime;	/* comp_t, as are all of these: hundredths of a second */
	__u16	ac_mem, ac_io, ac_rw, ac_minflt, ac_majflt, ac_swaps;
	char	ac_comm[16];
};
_Static_assert(sizeof(struct acct_v3) == 64, "ABI");

#endif
