/*
 * uapi/perf_event.h: what perf_event_open(2) takes and gives (Linux ABI).
 */
#ifndef UAPI_PERF_EVENT_H
#define UAPI_PERF_EVENT_H

#include <uapi/ioctl.h>
#include <uapi/types.h>

#define PERF_TYPE_SOFTWARE		1

#define PERF_COUNT_SW_CPU_CLOCK		0
#define PERF_COUNT_SW_TASK_CLOCK	1
#define PERF_COUNT_SW_PAGE_FAULTS	2
#define PERF_COUNT_SW_CONTEXT_SWITCHES	3
#define PERF_COUNT_SW_CPU_MIGRATIONS	4
#define PERF_COUNT_SW_PAGE_FAULTS_MIN	5
#define PERF_COUNT_SW_PAGE_FAULTS_MAJ	6
#define PERF_COUNT_SW_ALIGNMENT_FAULTS	7
#define PERF_COUNT_SW_EMULATION_FAULTS	8
#define PERF_COUNT_SW_DUMMY		9
#define PERF_COUNT_SW_MAX		12	/* 10, 11: the output of BPF, switches of cgroups */

#define PERF_FORMAT_TOTAL_TIME_ENABLED	1
#define PERF_FORMAT_TOTAL_TIME_RUNNING	2
#define PERF_FORMAT_ID			4
#define PERF_FORMAT_GROUP		8
#define PERF_FORMAT_LOST		16
#define PERF_FORMAT_MAX			32

#define PERF_SAMPLE_READ		(1U << 4)
#define PERF_SAMPLE_MAX			(1U << 25)

#define PERF_FLAG_FD_NO_GROUP		1UL
#define PERF_FLAG_FD_OUTPUT		2UL
#define PERF_FLAG_PID_CGROUP		4UL
#define PERF_FLAG_FD_CLOEXEC		8UL
#define PERF_FLAG_ALL			15UL

#define PERF_ATTR_SIZE_VER0		64

struct perf_event_attr {
	__u32	type, size;
	__u64	config;
	__u64	sample_period;			/* or frequency */
	__u64	sample_type, read_format;
	__u64	disabled : 1, inherit : 1, pinned : 1, exclusive : 1, exclude_user : 1, exclude_kernel : 1, exclude_hv : 1,
		exclude_idle : 1, mmap : 1, comm : 1, freq : 1, inherit_stat : 1, enable_on_exec : 1, task : 1,
		watermark : 1, precise_ip : 2, mmap_data : 1, sample_id_all : 1, exclude_host : 1, exclude_guest : 1,
		exclude_callchain_kernel : 1, exclude_callchain_user : 1, mmap2 : 1, comm_exec : 1, use_clockid : 1,
		context_switch : 1, write_backward : 1, namespaces : 1, ksymbol : 1, bpf_event : 1, aux_output : 1,
		cgroup : 1, text_poke : 1, build_id : 1, inherit_thread : 1, remove_on_exec : 1, sigtrap : 1,
		reserved_1 : 26;
	__u32	wakeup_events, bp_type;
	__u64	config1, config2, branch_sample_type, sample_regs_user;
	__u32	sample_stack_user;
	__s32	clockid;
	__u64	sample_regs_intr;
	__u32	aux_watermark;
	__u16	sample_max_stack, reserved_2;
	__u32	aux_sample_size, reserved_3;
	__u64	sig_data;
};
_Static_assert(sizeof(struct perf_event_attr) == 128, "ABI");

#define PERF_EVENT_IOC_ENABLE		_IO('$', 0)
#define PERF_EVENT_IOC_DISABLE		_IO('$', 1)
#define PERF_EVENT_IOC_REFRESH		_IO('$', 2)
#define PERF_EVENT_IOC_RESET		_IO('$', 3)
#define PERF_EVENT_IOC_PERIOD		_IOW('$', 4, __u64)
#define PERF_EVENT_IOC_SET_OUTPUT	_IO('$', 5)
#define PERF_EVENT_IOC_SET_FILTER	_IOW('$', 6, char *)
#define PERF_EVENT_IOC_ID		_IOR('$', 7, __u64 *)
#define PERF_IOC_FLAG_GROUP		1U

#endif
