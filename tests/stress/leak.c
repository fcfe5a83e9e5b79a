/*
 * leak.c: processes of every kind come and go, and nothing of them stays: leak [PROCESSES [area]]
 * Guest: mem=192M append=ramswap=32 args="200" long="10000"
 *
 * Kinds: plain fork; fork and exec; vfork and exec; a program with threads; one that writes memory, shared and private, and
 * has some of it in swap; one with files, pipes, sockets and a System V segment; one that is killed in the middle; one that
 * makes a grandchild which init adopts.  The first rounds warm the caches up.  Afterwards, with caches dropped, the free
 * pages may have become fewer by 1 MB (slabs that are half full) and 64 bytes for each process, objects in use in the kernel's
 * slabs more by 64 kB and 64 bytes for each process, and free slots not fewer.  Exit status 0: so they do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>
#include "number_in.h"

#define PAGE 4096ul

static const char *self;

static void plain(void) { _exit(0); }

static void exec_self(void)
{
	execl(self, self, "exit", (char *)NULL);
	_exit(1);
}

static void *thread(void *arg)
{
	char *mem = malloc(20000);

	memset(mem, 1, 20000);
	free(mem);
	return arg;
}

static void threads(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread, NULL);
	for (int i = 0; i < 3; i++)		/* the fourth ends with the process */
		pthread_join(t[i], NULL);
	_exit(0);
}

static void memory(void)
{
	int rw = PROT_READ | PROT_WRITE;
	char *private = mmap(NULL, 64 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, 64 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(private, 1, 64 * PAGE);
	memset(shared, 2, 64 * PAGE);
	madvise(private, 48 * PAGE, MADV_PAGEOUT);
	madvise(shared, 48 * PAGE, MADV_PAGEOUT);
	mlock(private, 8 * PAGE);
	mprotect(private + 16 * PAGE, PAGE, PROT_READ);
	if (!fork())
		_exit(private[100] != 1);
	wait(NULL);
	_exit(0);
}

static void files(void)
{
	int pipes[2], pair[2], ep = epoll_create1(0), ev = eventfd(0, 0), shm = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
	int fd = open("/tmp/leak", O_RDWR | O_CREAT, 0600);
	struct epoll_event event = { .events = EPOLLIN };
	char *segment = shmat(shm, NULL, 0);

	shmctl(shm, IPC_RMID, NULL);
	memset(segment, 3, 4 * PAGE);
	if (pipe(pipes) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || write(pipes[1], segment, 5000) != 5000 ||
	    write(pair[0], segment, 3000) != 3000 || write(fd, segment, 10000) != 10000)
		_exit(1);
	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event);
	epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &event);
	unlink("/tmp/leak");
	_exit(0);
}

static void killed(void)
{
	char *mem = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(mem, 1, 32 * PAGE);
	raise(SIGKILL);
	_exit(1);
}

static void orphan(void)
{
	if (!fork()) {
		usleep(1000);
		_exit(0);
	}
	_exit(0);
}

static void (*const kinds[])(void) = { plain, exec_self, NULL, threads, memory, files, killed, orphan };
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static int round_of(unsigned long i)
{
	void (*kind)(void) = kinds[i % KINDS];
	pid_t pid = kind ? fork() : vfork();
	int status;

	if (!pid) {
		if (kind)
			kind();
		execl(self, self, "exit", (char *)NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("process %lu: %s\n", i, strerror(errno));
		return 1;
	}
	if (kind == killed ? !WIFSIGNALED(status) : status) {
		printf("process %lu of kind %lu: status %#x\n", i, i % KINDS, status);
		return 1;
	}
	return 0;
}

/* kB of objects that are in use. */
static long slab_in_use(void)
{
	char line[300];
	long bytes = 0, active, size;
	FILE *f = fopen("/proc/slabinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %ld %*d %ld", &active, &size) == 2)
			bytes += active * size;
	if (f)
		fclose(f);
	return bytes / 1024;
}

struct state { long free, slab, swap; };	/* kB */

/* What is freed after a grace period, by a worker, or by init, is given time. */
static struct state settle(void)
{
	struct state s;
	FILE *f;

	for (int i = 0; i < 5; i++) {
		usleep(300000);
		f = fopen("/proc/sys/vm/drop_caches", "w");
		if (f) {
			fputs("3\n", f);
			fclose(f);
		}
	}
	s.free = number_in("/proc/meminfo", "MemFree:");
	s.slab = slab_in_use();
	s.swap = number_in("/proc/meminfo", "SwapFree:");
	return s;
}

int main(int argc, char **argv)
{
	unsigned long processes = argc > 1 ? strtoul(argv[1], 0, 0) : 200;
	const char *area = argc > 2 ? argv[2] : "/dev/ramswap";
	struct state before, after;
	long allowed;
	int bad = 0;

	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	self = argv[0];
	if (swapon(area, 0))
		printf("no swap: %s\n", strerror(errno));
	for (unsigned long i = 0; i < 16 * KINDS; i++)
		bad += round_of(i);
	before = settle();
	for (unsigned long i = 0; i < processes; i++)
		bad += round_of(i);
	after = settle();
	allowed = 64 + (long)processes / 16;
	printf("free %ld to %ld kB, slab %ld to %ld kB, free swap %ld to %ld kB; %ld kB allowed\n", before.free, after.free,
	       before.slab, after.slab, before.swap, after.swap, allowed);
	bad += before.free - after.free > allowed + 960 || after.slab - before.slab > allowed || after.swap < before.swap;
	printf("leak: %lu processes, %d bad\n", processes, bad);
	return bad != 0;
}
