/*
 * types.h: the integer types of the kernel, and the few structures so small and so common that a header which only
 * needs the type should not have to include their functions: atomic_t, list_head, hlist_head, rcu_head.
 */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include <weft/compiler.h>
#include <uapi/types.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

typedef _Bool			bool;
#define true			1
#define false			0

typedef __s8			s8;
typedef __u8			u8;
typedef __s16			s16;
typedef __u16			u16;
typedef __s32			s32;
typedef __u32			u32;
typedef __s64			s64;
typedef __u64			u64;
typedef __int128		s128;
typedef unsigned __int128	u128;

typedef s8			int8_t;
typedef u8			uint8_t;
typedef s16			int16_t;
typedef u16			uint16_t;
typedef s32			int32_t;
typedef u32			uint32_t;
typedef s64			int64_t;
typedef u64			uint64_t;
typedef unsigned long		size_t;
typedef long			ssize_t;
typedef long			ptrdiff_t;
typedef unsigned long		uintptr_t;
typedef long			intptr_t;
typedef long			off_t;
typedef long long		loff_t;
typedef int			pid_t;
typedef unsigned int		uid_t;
typedef unsigned int		gid_t;
typedef unsigned long		ino_t;
typedef int			clockid_t;
typedef int			timer_t;
typedef long			clock_t;
typedef long			suseconds_t;
typedef int			key_t;
typedef unsigned long		ulong;
typedef unsigned int		uint;
typedef unsigned short		ushort;
typedef unsigned int		mode_t;
typedef __kernel_fsid_t		__fsid_t;
typedef long			__kernel_nlink_t;
typedef u32			nlink_t;
typedef u32			dev_t;		/* major << 20 | minor; see kdev_t.h */
typedef unsigned short		umode_t;
typedef long long		time64_t;
typedef u64			sector_t;
typedef u64			blkcnt_t_k;
typedef unsigned int		gfp_t;
typedef unsigned int		slab_flags_t;
typedef unsigned int		fmode_t;
typedef unsigned int		__poll_t;
typedef unsigned long		pgoff_t;	/* an offset in pages */
typedef u64			phys_addr_t;
typedef u64			dma_addr_t;
typedef u64			resource_size_t;
typedef int			qid_t;
typedef unsigned int		projid_t;
typedef unsigned int		kuid_t;		/* there are no user namespaces: the plain number */
typedef unsigned int		kgid_t;

typedef struct { int counter; }	atomic_t;
typedef struct { s64 counter; }	atomic64_t;
typedef atomic64_t		atomic_long_t;
#define ATOMIC_INIT(i)		{ (i) }
#define ATOMIC64_INIT(i)	{ (i) }
#define ATOMIC_LONG_INIT(i)	{ (i) }

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

/* What call_rcu() needs from an object: a link and whom to call. */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
} __aligned(sizeof(void *));
#define callback_head rcu_head

typedef void (*rcu_callback_t)(struct rcu_head *head);

#endif
