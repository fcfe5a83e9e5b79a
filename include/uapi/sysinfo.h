/*
 * uapi/sysinfo.h: what sysinfo(2) fills in.
 */
#ifndef UAPI_SYSINFO_H
#define UAPI_SYSINFO_H

#include <uapi/types.h>

#define SI_LOAD_SHIFT	16

/* Memory sizes are in units of mem_unit bytes. */
struct sysinfo {
	long		uptime;		/* seconds */
	unsigned long	loads[3];	/* 1, 5 and 15 minutes, << SI_LOAD_SHIFT */
	unsigned long	totalram;
	unsigned long	freeram;
	unsigned long	sharedram;
	unsigned long	bufferram;
	unsigned long	totalswap;
	unsigned long	freeswap;
	unsigned short	procs;
	unsigned short	pad;
	unsigned long	totalhigh;
	unsigned long	freehigh;
	unsigned int	mem_unit;
};
_Static_assert(sizeof(struct sysinfo) == 112, "struct sysinfo is ABI");

#endif
