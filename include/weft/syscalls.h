/*
 * syscalls.h: the prototypes of all system calls, made from kernel/arch/x86/entry/syscall_64.tbl.
 */
#ifndef WEFT_SYSCALLS_H
#define WEFT_SYSCALLS_H

#include <weft/types.h>
#include <weft/compat.h>
#include <weft/compiler.h>
#include <uapi/signal.h>
#include <uapi/siginfo.h>
#include <uapi/capability.h>
#include <uapi/poll.h>

struct epoll_event;
struct rlimit;
struct rlimit64;
struct rusage;
struct timespec64;
struct robust_list_head;
struct iovec;
struct sched_attr;
struct sched_param;
struct sembuf;
struct shmid_ds;
struct msgbuf;
struct msqid_ds;
struct sigaltstack;
struct sigevent;
struct siginfo;
struct sigaction;
struct stat;
struct statfs;
struct statx;
struct sockaddr;
struct user_msghdr;
struct mmsghdr;
struct sysinfo;
struct __kernel_timex;
struct tms;
struct utimbuf;
struct new_utsname;
struct utsname;
struct ustat;
struct clone_args;
struct open_how;
struct mount_attr;
struct file_handle;
struct getcpu_cache;
struct perf_event_attr;
struct rseq;
struct io_event;
struct iocb;
struct io_uring_params;
struct linux_dirent;
struct linux_dirent64;
struct pollfd;
struct __aio_sigset;
struct futex_waitv;
struct __kernel_timespec;
struct __kernel_itimerspec;
struct __kernel_old_timeval;
struct __kernel_old_itimerval;
struct timezone;
struct __user_cap_header_struct;
struct __user_cap_data_struct;
struct kexec_segment;
struct mq_attr;
struct landlock_ruleset_attr;
struct cachestat;
struct user_desc;
struct pt_regs;

#include <generated/syscalls.h>

#endif
