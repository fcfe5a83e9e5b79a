/*
 * ipc_ia32.c: ipc(2): all calls of System V objects behind one number, as i386's C libraries make them.
 *
 * Idea:    the lower half of the first argument says which call is meant, the upper half is a version: 1 is what a kernel of
 *          1993 did for programs of another system, and is known here for msgrcv(2) only.
 *          The structures in memory are turned round in kernel/ipc/compat.c.
 * Locking: none of its own.
 * See:     ipc(2); syscall_32.tbl
 */
#include <weft/compat.h>
#include <weft/errno.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <uapi/ipc.h>

enum { SEMOP = 1, SEMGET, SEMCTL, SEMTIMEDOP, MSGSND = 11, MSGRCV, MSGGET, MSGCTL, SHMAT = 21, SHMDT, SHMGET, SHMCTL };

#define IPC_64		0x100		/* in a command: the structure is the one with 32 bits for users and groups */

/* The command alone; -EINVAL: it wants the structures from before IPC_64, which are not there (kernel/ipc/compat.c). */
static int command(u32 cmd)
{
	bool structure = (cmd & ~IPC_64) == IPC_SET || (cmd & ~IPC_64) == IPC_STAT;

	return structure && !(cmd & IPC_64) ? -EINVAL : (int)(cmd & ~IPC_64);
}

/* The fourth argument is a union in memory. */
static long ipc_semctl(int semid, int semnum, u32 cmd, const u32 __user *arg)
{
	u32 value;

	if (!arg)
		return -EINVAL;
	if (get_user(value, arg))
		return -EFAULT;
	return sys_semctl(semid, semnum, command(cmd), value);
}

static long ipc_msgrcv(int msqid, u32 size, int flags, u32 version, compat_uptr_t ptr, u32 type)
{
	struct { compat_uptr_t msgp; s32 type; } both;

	if (version)
		return sys_msgrcv(msqid, compat_ptr(ptr), (size_t)(s32)size, (s32)type, flags);
	if (!ptr)
		return -EINVAL;
	if (copy_from_user(&both, compat_ptr(ptr), sizeof(both)))
		return -EFAULT;
	return sys_msgrcv(msqid, compat_ptr(both.msgp), (size_t)(s32)size, both.type, flags);
}

/* The address goes to *result. */
static long ipc_shmat(int shmid, char __user *shmaddr, int flags, u32 __user *result)
{
	long addr = sys_shmat(shmid, shmaddr, flags);

	return addr < 0 ? addr : put_user((u32)addr, result);
}

static long ipc_semtimedop(int semid, struct sembuf __user *sops, u32 nsops, void __user *timeout)
{
	current_thread_info()->status |= TS_TIME32;
	return sys_semtimedop(semid, sops, nsops, timeout);
}

long compat_sys_ipc(u32 call, int first, int second, u32 third, compat_uptr_t ptr, u32 fifth)
{
	u32 version = call >> 16;

	switch (call & 0xffff) {
	case SEMOP:	 return sys_semop(first, compat_ptr(ptr), (u32)second);
	case SEMGET:	 return sys_semget(first, second, (int)third);
	case SEMCTL:	 return ipc_semctl(first, second, third, compat_ptr(ptr));
	case SEMTIMEDOP: return ipc_semtimedop(first, compat_ptr(ptr), (u32)second, compat_ptr(fifth));
	case MSGSND:	 return sys_msgsnd(first, compat_ptr(ptr), (size_t)second, (int)third);
	case MSGRCV:	 return ipc_msgrcv(first, (u32)second, (int)third, version, ptr, fifth);
	case MSGGET:	 return sys_msgget(first, second);
	case MSGCTL:	 return sys_msgctl(first, command((u32)second), compat_ptr(ptr));
	case SHMAT:	 return version == 1 ? -EINVAL : ipc_shmat(first, compat_ptr(ptr), second, compat_ptr(third));
	case SHMDT:	 return sys_shmdt(compat_ptr(ptr));
	case SHMGET:	 return sys_shmget(first, (u32)second, (int)third);
	case SHMCTL:	 return sys_shmctl(first, command((u32)second), compat_ptr(ptr));
	default:	 return -ENOSYS;
	}
}
