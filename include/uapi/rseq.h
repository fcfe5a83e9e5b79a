/*
 * rseq.h: restartable sequences: a structure in each thread's memory in which the kernel keeps the current CPU.
 * See:     rseq(2)
 */
#ifndef UAPI_RSEQ_H
#define UAPI_RSEQ_H

#include <weft/types.h>

#define RSEQ_FLAG_UNREGISTER		1
#define RSEQ_CPU_ID_UNINITIALIZED	(-1)
#define RSEQ_CPU_ID_REGISTRATION_FAILED	(-2)

/* Describes one critical section: if interrupted inside [start_ip, +post_commit_offset), go to abort_ip. */
struct rseq_cs {
	u32 version;
	u32 flags;
	u64 start_ip;
	u64 post_commit_offset;
	u64 abort_ip;
} __attribute__((aligned(32)));

struct rseq {
	u32 cpu_id_start;
	u32 cpu_id;
	u64 rseq_cs;			/* user address of the active struct rseq_cs, or 0 */
	u32 flags;
} __attribute__((aligned(32)));
_Static_assert(sizeof(struct rseq) == 32 && sizeof(struct rseq_cs) == 32, "rseq ABI");

#endif
