/*
 * uapi/types.h: the sized integers that structures shared with user space are made of.
 */
#ifndef UAPI_TYPES_H
#define UAPI_TYPES_H

typedef signed char		__s8;
typedef unsigned char		__u8;
typedef short			__s16;
typedef unsigned short		__u16;
typedef int			__s32;
typedef unsigned int		__u32;
typedef long long		__s64;
typedef unsigned long long	__u64;
typedef __u16			__le16, __be16;
typedef __u32			__le32, __be32;
typedef __u64			__le64, __be64;
typedef __u64 __attribute__((__aligned__(8))) __aligned_u64;

typedef long			__kernel_long_t;
typedef unsigned long		__kernel_ulong_t;
typedef __kernel_ulong_t	__kernel_ino_t;
typedef unsigned int		__kernel_mode_t;
typedef int			__kernel_pid_t;
typedef unsigned int		__kernel_uid_t;
typedef unsigned int		__kernel_gid_t;
typedef unsigned int		__kernel_uid32_t;
typedef unsigned int		__kernel_gid32_t;
typedef unsigned short		__kernel_old_uid_t;
typedef unsigned short		__kernel_old_gid_t;
typedef __kernel_ulong_t	__kernel_size_t;
typedef __kernel_long_t		__kernel_ssize_t;
typedef __kernel_long_t		__kernel_ptrdiff_t;
typedef __kernel_long_t		__kernel_off_t;
typedef long long		__kernel_loff_t;
typedef __kernel_long_t		__kernel_old_time_t;
typedef __kernel_long_t		__kernel_time_t;
typedef long long		__kernel_time64_t;
typedef __kernel_long_t		__kernel_clock_t;
typedef __kernel_long_t		__kernel_suseconds_t;
typedef int			__kernel_timer_t;
typedef int			__kernel_clockid_t;
typedef int			__kernel_key_t;
typedef unsigned short		__kernel_sa_family_t;
typedef struct { int val[2]; }	__kernel_fsid_t;

#endif
