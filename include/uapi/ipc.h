/*
 * uapi/ipc.h: System V shared memory, semaphores and message queues as programs see them (x86-64 layouts).
 * Source: shmctl(2), semctl(2), msgctl(2), sysvipc(7).
 */
#ifndef UAPI_IPC_H
#define UAPI_IPC_H

#include <weft/types.h>

#define IPC_PRIVATE	0
#define IPC_CREAT	00001000	/* make it if the key is new */
#define IPC_EXCL	00002000	/* fail if it is not */
#define IPC_NOWAIT	00004000
#define IPC_RMID	0
#define IPC_SET		1
#define IPC_STAT	2
#define IPC_INFO	3

struct ipc64_perm {
	int		key;
	unsigned int	uid, gid, cuid, cgid, mode;
	unsigned short	seq, __pad2;
	unsigned long	__unused1, __unused2;
};
_Static_assert(sizeof(struct ipc64_perm) == 48, "ABI");

/* ---- shared memory ---- */
#define SHM_EXEC	0100000		/* shmat */
#define SHM_RDONLY	010000
#define SHM_RND		020000		/* round the address down */
#define SHM_REMAP	040000		/* replace what is mapped there */
#define SHM_HUGETLB	04000		/* shmget */
#define SHM_NORESERVE	010000
#define SHM_DEST	01000		/* in mode: goes with the last attach */
#define SHM_LOCKED	02000
#define SHM_LOCK	11
#define SHM_UNLOCK	12
#define SHM_STAT	13
#define SHM_INFO	14
#define SHM_STAT_ANY	15

struct shmid_ds {
	struct ipc64_perm shm_perm;
	size_t		shm_segsz;
	long		shm_atime, shm_dtime, shm_ctime;
	int		shm_cpid, shm_lpid;
	unsigned long	shm_nattch, __unused4, __unused5;
};
_Static_assert(sizeof(struct shmid_ds) == 112, "ABI");

struct shminfo64 {
	unsigned long	shmmax, shmmin, shmmni, shmseg, shmall, __unused[4];
};
struct shm_info {
	int		used_ids;
	unsigned long	shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};
_Static_assert(sizeof(struct shminfo64) == 72 && sizeof(struct shm_info) == 48, "ABI");

/* ---- semaphores ---- */
#define SEM_UNDO	0x1000		/* sem_flg: taken back when the process ends */
#define GETPID		11
#define GETVAL		12
#define GETALL		13
#define GETNCNT		14
#define GETZCNT		15
#define SETVAL		16
#define SETALL		17
#define SEM_STAT	18
#define SEM_INFO	19
#define SEM_STAT_ANY	20

#define SEMMNI		32000		/* sets */
#define SEMMSL		32000		/* semaphores a set */
#define SEMMNS		(SEMMNI * SEMMSL)
#define SEMOPM		500		/* operations a semop() */
#define SEMVMX		32767		/* largest value */
#define SEMAEM		SEMVMX		/* largest adjustment at exit */

struct sembuf {
	unsigned short	sem_num;
	short		sem_op, sem_flg;
};
struct semid64_ds {
	struct ipc64_perm sem_perm;
	long		sem_otime;
	unsigned long	__unused1;
	long		sem_ctime;
	unsigned long	__unused2, sem_nsems, __unused3, __unused4;
};
struct seminfo {
	int		semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};
_Static_assert(sizeof(struct sembuf) == 6 && sizeof(struct semid64_ds) == 104 && sizeof(struct seminfo) == 40, "ABI");

/* ---- message queues ---- */
#define MSG_NOERROR	010000		/* cut what is too long */
#define MSG_EXCEPT	020000		/* any type but this */
#define MSG_COPY	040000
#define MSG_STAT	11
#define MSG_INFO	12
#define MSG_STAT_ANY	13

struct msgbuf {
	long		mtype;
	char		mtext[];
};
struct msqid_ds {
	struct ipc64_perm msg_perm;
	long		msg_stime, msg_rtime, msg_ctime;
	unsigned long	msg_cbytes, msg_qnum, msg_qbytes;
	int		msg_lspid, msg_lrpid;
	unsigned long	__unused4, __unused5;
};
struct msginfo {
	int		msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	unsigned short	msgseg;
};
_Static_assert(sizeof(struct msqid_ds) == 120 && sizeof(struct msginfo) == 32, "ABI");

#endif
