/*
 * nsmill.c: namespaces of each kind made and torn down, and afterwards as much memory in the kernel's caches as before.
 *
 * What:    nsmill [N]: N rounds (10000); each makes one namespace of every kind in a child (clone), or one kind alone
 *          (unshare), with something in it: a mount, a segment, a queue, a process.
 * Idea:    the first tenth warms the caches up; what /proc/slabinfo counts as active objects may not have grown after the
 *          rest by more than a few per cent of the rounds: a leak of one object a round would be 100.
 * See:     doc/sandbox.md
 */
#include "t.h"
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

struct cache { char name[40]; long active; };

static int read_slabs(struct cache *c, int max)
{
	char line[300];
	FILE *f = fopen("/proc/slabinfo", "r");
	int n = 0;

	if (!f)
		SKIP("no /proc/slabinfo");
	while (n < max && fgets(line, sizeof(line), f))
		if (line[0] != '#' && sscanf(line, "%39s %ld", c[n].name, &c[n].active) == 2)
			n++;
	fclose(f);
	return n;
}

static int rounds = 10000;

TEST(no_leak)
{
	static struct cache before[300], after[300];
	int n, m;

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
	n = read_slabs(before, 300);
	for (int i = 0; i < rounds; i++)
		round_of(i);
	sleep(3);
	m = read_slabs(after, 300);
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
			if (!strcmp(after[i].name, before[j].name) && after[i].active - before[j].active > rounds / 50)
				FAIL("%s: %ld objects, %ld before %d rounds", after[i].name, after[i].active, before[j].active, rounds);
}
