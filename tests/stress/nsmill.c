/*
 * nsmill.c: namespaces of each kind made and torn down, and afterwards as much memory in the kernel's caches as before.
 *
 * What:    nsmill [N]: N rounds (10000); each makes one namespace of every kind in a child (clone), or one kind alone
 *          (unshare), with something in it: a mount, a segment, a queue, a process.
 * Idea:    the first tenth warms the caches up; what /proc/slabinfo counts as active objects may not have grown after the
 *          rest by more than a few per cent of the rounds: a leak of one object a round would be 100.
 * See:     doc/sandbox.md
 */
#include "slabs.h"
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/syscall.h>

static const unsigned long kinds[] = {
	CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWCGROUP,
	CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWCGROUP,
};
#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

static void inhabit(unsigned long flags)
{
	if (flags & CLONE_NEWIPC)
		CHECK_OK(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
	if ((flags & CLONE_NEWNS) && !(flags & CLONE_NEWUSER))
		CHECK_OK(mount("none", "/mnt", "tmpfs", 0, NULL));
	if ((flags & CLONE_NEWPID) && !fork()) {
		if (!fork())
			pause();
		_exit(0);
	}
}

static void round_of(int i)
{
	unsigned long flags = kinds[i % KINDS];
	pid_t pid;
	int status;

	pid = CHECK_OK(i & 8 ? fork() : syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
	if (!pid) {
		if (i & 8)
			CHECK_OK(unshare(flags));
		inhabit(flags);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

static int rounds = 10000;

TEST(no_leak)
{
	static struct slab_count before[SLABS_MAX];
	int n;

	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	if (getenv("ROUNDS"))
		rounds = atoi(getenv("ROUNDS"));
	alarm(0);
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	for (int i = 0; i < rounds / 10; i++)
		round_of(i);
	sleep(3);				/* what waits for a grace period goes */
	n = read_slabs(before);
	for (int i = 0; i < rounds; i++)
		round_of(i);
	sleep(3);
	check_slabs(before, n, rounds);
}
