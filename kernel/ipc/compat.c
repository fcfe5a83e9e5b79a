/*
 * compat.c: the structures of System V objects and of message queues between the kernel and user memory.
 *
 * Idea:    the kernel fills in the 64-bit structures and hands them to the functions here; a 32-bit program
 *          (in_compat_syscall()) finds or gives the same in words of 32 bits, times as two of them.
 *          The structures of before 2.2 (numbers of users in 16 bits), which no C library uses any more, are not there.
 * Locking: none: the caller's own copies only.
 * See:     util.h; include/weft/compat.h; arch/x86/ia32/ipc_ia32.c
 */
#include <weft/compat.h>
#include <weft/errno.h>
#include <weft/uaccess.h>
#include <uapi/mqueue.h>
#include "mqueue.h"
#include "util.h"

struct compat_ipc64_perm {
	s32	key;
	u32	uid, gid, cuid, cgid;
	u16	mode, pad1, seq, pad2;
	u32	unused1, unused2;
};

/* A time of 64 bits, which i386 keeps in halves that need not lie at a multiple of 8. */
struct compat_time	{ u32 low, high; };

struct compat_semid64_ds {
	struct compat_ipc64_perm sem_perm;
	struct compat_time	sem_otime, sem_ctime;
	u32			sem_nsems, unused3, unused4;
};
struct compat_msqid64_ds {
	struct compat_ipc64_perm msg_perm;
	struct compat_time	msg_stime, msg_rtime, msg_ctime;
	u32			msg_cbytes, msg_qnum, msg_qbytes;
	s32			msg_lspid, msg_lrpid;
	u32			unused4, unused5;
};
struct compat_shmid64_ds {
	struct compat_ipc64_perm shm_perm;
	u32			shm_segsz;
	struct compat_time	shm_atime, shm_dtime, shm_ctime;
	s32			shm_cpid, shm_lpid;
	u32			shm_nattch, unused4, unused5;
};
struct compat_shminfo64	{ u32 shmmax, shmmin, shmmni, shmseg, shmall, unused[4]; };
struct compat_shm_info {
	s32	used_ids;
	u32	shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};
struct compat_msgbuf	{ s32 mtype; char mtext[]; };
struct compat_mq_attr	{ s32 mq_flags, mq_maxmsg, mq_msgsize, mq_curmsgs, reserved[4]; };

_Static_assert(sizeof(struct compat_ipc64_perm) == 36, "i386 ABI");
_Static_assert(sizeof(struct compat_semid64_ds) == 64, "i386 ABI");
_Static_assert(sizeof(struct compat_msqid64_ds) == 88, "i386 ABI");
_Static_assert(sizeof(struct compat_shmid64_ds) == 84, "i386 ABI");

static struct compat_time to_time(long seconds)
{
	return (struct compat_time){ (u32)seconds, (u32)((u64)seconds >> 32) };
}

static struct compat_ipc64_perm to_perm(const struct ipc64_perm *p)
{
	return (struct compat_ipc64_perm){
		.key = p->key, .uid = p->uid, .gid = p->gid, .cuid = p->cuid, .cgid = p->cgid, .mode = (u16)p->mode,
		.seq = p->seq,
	};
}

/* What IPC_SET reads of it. */
static struct ipc64_perm from_perm(const struct compat_ipc64_perm *p)
{
	return (struct ipc64_perm){ .key = p->key, .uid = p->uid, .gid = p->gid, .mode = p->mode };
}

/* ---- semaphores ---- */

int semid_to_user(void __user *buf, const struct semid64_ds *ds)
{
	struct compat_semid64_ds c;

	if (!in_compat_syscall())
		return copy_to_user(buf, ds, sizeof(*ds)) ? -EFAULT : 0;
	c = (struct compat_semid64_ds){
		.sem_perm = to_perm(&ds->sem_perm), .sem_otime = to_time(ds->sem_otime),
		.sem_ctime = to_time(ds->sem_ctime), .sem_nsems = (u32)ds->sem_nsems,
	};
	return copy_to_user(buf, &c, sizeof(c)) ? -EFAULT : 0;
}

int semid_from_user(struct semid64_ds *ds, const void __user *buf)
{
	struct compat_semid64_ds c;

	if (!in_compat_syscall())
		return copy_from_user(ds, buf, sizeof(*ds)) ? -EFAULT : 0;
	if (copy_from_user(&c, buf, sizeof(c)))
		return -EFAULT;
	*ds = (struct semid64_ds){ .sem_perm = from_perm(&c.sem_perm) };
	return 0;
}

/* ---- message queues ---- */

int msqid_to_user(void __user *buf, const struct msqid_ds *ds)
{
	struct compat_msqid64_ds c;

	if (!in_compat_syscall())
		return copy_to_user(buf, ds, sizeof(*ds)) ? -EFAULT : 0;
	c = (struct compat_msqid64_ds){
		.msg_perm = to_perm(&ds->msg_perm), .msg_stime = to_time(ds->msg_stime),
		.msg_rtime = to_time(ds->msg_rtime), .msg_ctime = to_time(ds->msg_ctime),
		.msg_cbytes = (u32)ds->msg_cbytes, .msg_qnum = (u32)ds->msg_qnum, .msg_qbytes = (u32)ds->msg_qbytes,
		.msg_lspid = ds->msg_lspid, .msg_lrpid = ds->msg_lrpid,
	};
	return copy_to_user(buf, &c, sizeof(c)) ? -EFAULT : 0;
}

int msqid_from_user(struct msqid_ds *ds, const void __user *buf)
{
	struct compat_msqid64_ds c;

	if (!in_compat_syscall())
		return copy_from_user(ds, buf, sizeof(*ds)) ? -EFAULT : 0;
	if (copy_from_user(&c, buf, sizeof(c)))
		return -EFAULT;
	*ds = (struct msqid_ds){ .msg_perm = from_perm(&c.msg_perm), .msg_qbytes = c.msg_qbytes };
	return 0;
}

/* A message begins with its type, a long. */
char __user *msg_type_from_user(long *type, struct msgbuf __user *msgp)
{
	struct compat_msgbuf __user *c = (struct compat_msgbuf __user *)msgp;
	s32 type32;

	if (!in_compat_syscall())
		return get_user(*type, &msgp->mtype) ? NULL : msgp->mtext;
	if (get_user(type32, &c->mtype))
		return NULL;
	*type = type32;
	return c->mtext;
}

char __user *msg_type_to_user(struct msgbuf __user *msgp, long type)
{
	struct compat_msgbuf __user *c = (struct compat_msgbuf __user *)msgp;

	if (!in_compat_syscall())
		return put_user(type, &msgp->mtype) ? NULL : msgp->mtext;
	return put_user((s32)type, &c->mtype) ? NULL : c->mtext;
}

/* ---- shared memory ---- */

int shmid_to_user(void __user *buf, const struct shmid_ds *ds)
{
	struct compat_shmid64_ds c;

	if (!in_compat_syscall())
		return copy_to_user(buf, ds, sizeof(*ds)) ? -EFAULT : 0;
	c = (struct compat_shmid64_ds){
		.shm_perm = to_perm(&ds->shm_perm), .shm_segsz = (u32)ds->shm_segsz,
		.shm_atime = to_time(ds->shm_atime), .shm_dtime = to_time(ds->shm_dtime),
		.shm_ctime = to_time(ds->shm_ctime), .shm_cpid = ds->shm_cpid, .shm_lpid = ds->shm_lpid,
		.shm_nattch = (u32)ds->shm_nattch,
	};
	return copy_to_user(buf, &c, sizeof(c)) ? -EFAULT : 0;
}

int shmid_from_user(struct shmid_ds *ds, const void __user *buf)
{
	struct compat_shmid64_ds c;

	if (!in_compat_syscall())
		return copy_from_user(ds, buf, sizeof(*ds)) ? -EFAULT : 0;
	if (copy_from_user(&c, buf, sizeof(c)))
		return -EFAULT;
	*ds = (struct shmid_ds){ .shm_perm = from_perm(&c.shm_perm) };
	return 0;
}

int shminfo_to_user(void __user *buf, const struct shminfo64 *info)
{
	struct compat_shminfo64 c;

	if (!in_compat_syscall())
		return copy_to_user(buf, info, sizeof(*info)) ? -EFAULT : 0;
	c = (struct compat_shminfo64){
		.shmmax = (u32)min(info->shmmax, (unsigned long)S32_MAX), .shmmin = (u32)info->shmmin,
		.shmmni = (u32)info->shmmni, .shmseg = (u32)info->shmseg, .shmall = (u32)info->shmall,
	};
	return copy_to_user(buf, &c, sizeof(c)) ? -EFAULT : 0;
}

int shm_info_to_user(void __user *buf, const struct shm_info *info)
{
	struct compat_shm_info c;

	if (!in_compat_syscall())
		return copy_to_user(buf, info, sizeof(*info)) ? -EFAULT : 0;
	c = (struct compat_shm_info){
		.used_ids = info->used_ids, .shm_tot = (u32)info->shm_tot, .shm_rss = (u32)info->shm_rss,
	};
	return copy_to_user(buf, &c, sizeof(c)) ? -EFAULT : 0;
}

/* ---- POSIX message queues ---- */

int mq_attr_from_user(struct mq_attr *attr, const void __user *buf)
{
	struct compat_mq_attr c;

	if (!in_compat_syscall())
		return copy_from_user(attr, buf, sizeof(*attr)) ? -EFAULT : 0;
	if (copy_from_user(&c, buf, sizeof(c)))
		return -EFAULT;
	*attr = (struct mq_attr){ .mq_flags = c.mq_flags, .mq_maxmsg = c.mq_maxmsg, .mq_msgsize = c.mq_msgsize };
	return 0;
}

int mq_attr_to_user(void __user *buf, const struct mq_attr *attr)
{
	struct compat_mq_attr c;

	if (!in_compat_syscall())
		return copy_to_user(buf, attr, sizeof(*attr)) ? -EFAULT : 0;
	c = (struct compat_mq_attr){
		.mq_flags = (s32)attr->mq_flags, .mq_maxmsg = (s32)attr->mq_maxmsg,
		.mq_msgsize = (s32)attr->mq_msgsize, .mq_curmsgs = (s32)attr->mq_curmsgs,
	};
	return copy_to_user(buf, &c, sizeof(c)) ? -EFAULT : 0;
}
