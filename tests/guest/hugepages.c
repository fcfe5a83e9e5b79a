/*
 * hugepages.c: transparent huge pages: that memory is the same with them, whatever is done to parts of it; and that they are there.
 * Contents are what is checked; whether a mapping is huge is looked up in smaps, where the kernel may have reasons not to have
 * one (no block free), so only what must hold is demanded.
 */
#include "t.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PG 4096UL
#define HUGE (2UL << 20)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

/* n aligned huge ranges of their own, with an unmapped page before and behind. */
static char *map(size_t n)
{
	size_t len = (n + 2) * HUGE;
	char *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *a;

	CHECK(p != MAP_FAILED);
	a = (char *)(((unsigned long)p + HUGE) & ~(HUGE - 1));
	CHECK(mmap(a, n * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a);
	CHECK(!madvise(a, n * HUGE, MADV_HUGEPAGE));
	return a;
}
/* AnonHugePages of all areas within [p, p + len), in bytes. */
static size_t huge_bytes(void *p, size_t len)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kb, sum = 0;
	char line[512];
	bool in = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < line + 18)
			in = start >= (unsigned long)p && end <= (unsigned long)p + len;
		else if (in && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			sum += kb << 10;
	}
	fclose(f);
	return sum;
}
static bool thp_on(void)
{
	char mode[64] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);

	if (fd < 0 || read(fd, mode, sizeof(mode) - 1) <= 0)
		return false;
	close(fd);
	return !strstr(mode, "[never]");
}
#define NEED_THP() do { if (!thp_on()) SKIP("no huge pages"); } while (0)

static void fill(char *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i += 64)
		*(unsigned *)(p + i) = seed + i;
}
static void verify(const char *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i += 64)
		CHECK_EQ(*(unsigned *)(p + i), (unsigned)(seed + i));
}

TEST(fault_gives_huge_page)
{
	char *p = map(4);

	NEED_THP();
	for (int i = 0; i < 4; i++)
		p[i * HUGE + 5 * PG] = 1;
	if (sysconf(_SC_AVPHYS_PAGES) > 64 << 8)
		CHECK(huge_bytes(p, 4 * HUGE) > 0);
	for (size_t i = 0; i < 4 * HUGE; i++)
		CHECK_EQ(p[i], i % HUGE == 5 * PG);
}

TEST(nohugepage)
{
	char *p = map(2);

	CHECK(!madvise(p, 2 * HUGE, MADV_NOHUGEPAGE));
	fill(p, 2 * HUGE, 1);
	CHECK_EQ(huge_bytes(p, 2 * HUGE), 0);
	verify(p, 2 * HUGE, 1);
}

TEST(prctl_disable)
{
	char *p;

	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	p = map(2);
	fill(p, 2 * HUGE, 1);
	CHECK_EQ(huge_bytes(p, 2 * HUGE), 0);
	if (!fork())
		_exit(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) != 1);
	int status;
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	CHECK(!prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
}

TEST(fork_and_write)
{
	char *p = map(2);
	int status;

	fill(p, 2 * HUGE, 3);
	for (int round = 0; round < 4; round++) {
		pid_t pid = fork();

		if (!pid) {
			for (size_t i = 0; i < 2 * HUGE; i += 64)
				if (*(unsigned *)(p + i) != (unsigned)(3 + i))
					_exit(1);
			fill(p + PG * 7, PG, 99 + round);
			p[HUGE] = 1;
			for (size_t i = 0; i < 7 * PG; i += 64)
				if (*(unsigned *)(p + i) != (unsigned)(3 + i))
					_exit(2);
			_exit(*(unsigned *)(p + 7 * PG) != (unsigned)(99 + round));
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK_EQ(status, 0);
		verify(p, 2 * HUGE, 3);
	}
	fill(p, 2 * HUGE, 4);			/* alone again: no copy */
	verify(p, 2 * HUGE, 4);
}

TEST(parent_writes_after_fork)
{
	char *p = map(1);
	int status, go[2];
	char c;
	pid_t pid;

	fill(p, HUGE, 5);
	CHECK(!pipe(go));
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(9);
		for (size_t i = 0; i < HUGE; i += 64)
			if (*(unsigned *)(p + i) != (unsigned)(5 + i))
				_exit(1);
		_exit(0);
	}
	fill(p, HUGE, 6);
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	verify(p, HUGE, 6);
}

TEST(mprotect_part)
{
	char *p = map(2);

	fill(p, 2 * HUGE, 7);
	CHECK(!mprotect(p + 100 * PG, 10 * PG, PROT_READ));
	verify(p, 2 * HUGE, 7);
	*(unsigned *)p = 7;
	if (!fork()) {
		p[100 * PG] = 1;
		_exit(0);
	}
	int status;
	CHECK(wait(&status) > 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	CHECK(!mprotect(p, 2 * HUGE, PROT_NONE));
	CHECK(!mprotect(p, 2 * HUGE, PROT_READ));
	verify(p, 2 * HUGE, 7);
	CHECK(!mprotect(p, 2 * HUGE, PROT_READ | PROT_WRITE));
	fill(p, 2 * HUGE, 8);
	verify(p, 2 * HUGE, 8);
}

/* Whole huge mappings change their rights without being split. */
TEST(mprotect_whole)
{
	char *p = map(2);
	size_t before;

	fill(p, 2 * HUGE, 7);
	before = huge_bytes(p, 2 * HUGE);
	CHECK(!mprotect(p, 2 * HUGE, PROT_READ));
	CHECK(huge_bytes(p, 2 * HUGE) >= before);	/* more: khugepaged was here */
	CHECK(!mprotect(p, 2 * HUGE, PROT_READ | PROT_WRITE));
	fill(p, 2 * HUGE, 9);
	verify(p, 2 * HUGE, 9);
	CHECK(huge_bytes(p, 2 * HUGE) >= before);	/* more: khugepaged was here */
}

/* Rights that go and come back must not let one write into what a fork made common. */
static int write_after_mprotect(char *p, unsigned old, unsigned new)
{
	if (mprotect(p, 2 * HUGE, PROT_READ) || mprotect(p, 2 * HUGE, PROT_READ | PROT_WRITE))
		return 1;
	for (size_t i = 0; i < 2 * HUGE; i += 64)
		if (*(unsigned *)(p + i) != (unsigned)(old + i))
			return 2;
	fill(p, 2 * HUGE, new);
	return 0;
}

TEST(mprotect_after_fork)
{
	char *p = map(2);
	int status, go[2];
	char c;

	fill(p, 2 * HUGE, 10);
	for (int round = 0; round < 2; round++) {	/* the second: after a leaf that nobody shares any more */
		CHECK(!pipe(go));
		pid_t pid = fork();

		if (!pid) {
			if (read(go[0], &c, 1) != 1)
				_exit(9);
			_exit(write_after_mprotect(p, 10 + round, 99));
		}
		CHECK_EQ(write_after_mprotect(p, 10 + round, 11 + round), 0);
		CHECK(write(go[1], "x", 1) == 1);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK_EQ(status, 0);
		verify(p, 2 * HUGE, 11 + round);
		close(go[0]);
		close(go[1]);
	}
}

TEST(munmap_part)
{
	char *p = map(3);
	unsigned char vec[512];

	fill(p, 3 * HUGE, 11);
	CHECK(!munmap(p + HUGE + 10 * PG, 20 * PG));
	CHECK_ERR(mincore(p + HUGE + 10 * PG, PG, vec), ENOMEM);
	verify(p, HUGE + 10 * PG, 11);
	verify(p + HUGE + 30 * PG, 2 * HUGE - 30 * PG, 11 + HUGE + 30 * PG);
	CHECK(!munmap(p, 3 * HUGE));
}

TEST(dontneed_part)
{
	char *p = map(2);

	fill(p, 2 * HUGE, 12);
	CHECK(!madvise(p + 3 * PG, 2 * PG, MADV_DONTNEED));
	for (size_t i = 0; i < 2 * PG; i++)
		CHECK_EQ(p[3 * PG + i], 0);
	verify(p, 3 * PG, 12);
	verify(p + 5 * PG, 2 * HUGE - 5 * PG, 12 + 5 * PG);
	CHECK(!madvise(p, 2 * HUGE, MADV_DONTNEED));
	CHECK_EQ(huge_bytes(p, 2 * HUGE), 0);
	for (size_t i = 0; i < 2 * HUGE; i += 64)
		CHECK_EQ(p[i], 0);
}

TEST(mremap_moves)
{
	char *p = map(2), *to = map(4);

	fill(p, 2 * HUGE, 13);
	CHECK(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	verify(to, 2 * HUGE, 13);
	CHECK(mremap(to, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * HUGE + PG) == to + 2 * HUGE + PG ||
	      errno == EINVAL);
}

TEST(mremap_to_odd_address)
{
	char *p = map(2), *to = map(4);

	fill(p, 2 * HUGE, 14);
	CHECK(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 5 * PG) == to + 5 * PG);
	verify(to + 5 * PG, 2 * HUGE, 14);
}

TEST(mremap_part)
{
	char *p = map(2), *to = map(2);

	fill(p, 2 * HUGE, 15);
	CHECK(mremap(p + 64 * PG, 32 * PG, 32 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	verify(to, 32 * PG, 15 + 64 * PG);
	verify(p, 64 * PG, 15);
	verify(p + 96 * PG, 2 * HUGE - 96 * PG, 15 + 96 * PG);
}

TEST(cold_and_pageout)
{
	char *p = map(2);

	fill(p, 2 * HUGE, 16);
	CHECK(!madvise(p, 2 * HUGE, MADV_COLD) || errno == EINVAL);
	verify(p, 2 * HUGE, 16);
	CHECK(!madvise(p + HUGE, HUGE, MADV_PAGEOUT) || errno == EINVAL);
	verify(p, 2 * HUGE, 16);
}

TEST(mlock_and_mincore)
{
	char *p = map(1);
	unsigned char vec[512];

	fill(p, HUGE, 17);
	CHECK(!mincore(p, HUGE, vec));
	for (int i = 0; i < 512; i++)
		CHECK_EQ(vec[i] & 1, 1);
	CHECK(!mlock(p + PG, PG) || errno == ENOMEM || errno == EPERM);
	verify(p, HUGE, 17);
}

TEST(process_vm_and_pipe)
{
	char *p = map(1), *buf = malloc(HUGE);
	struct iovec local = { buf, HUGE }, remote = { p, HUGE };
	int status, fd[2];
	pid_t pid;

	fill(p, HUGE, 18);
	CHECK(!pipe(fd));
	pid = fork();
	if (!pid) {
		if (process_vm_readv(getppid(), &local, 1, &remote, 1, 0) != (ssize_t)HUGE)
			_exit(1);
		for (size_t i = 0; i < HUGE; i += 64)
			if (*(unsigned *)(buf + i) != (unsigned)(18 + i))
				_exit(2);
		*(unsigned *)(buf + 9 * PG) = 1234;
		local = (struct iovec){ buf + 9 * PG, 4 };
		remote = (struct iovec){ p + 9 * PG, 4 };
		_exit(process_vm_writev(getppid(), &local, 1, &remote, 1, 0) != 4);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(*(unsigned *)(p + 9 * PG), 1234);
	/* system calls read and write across the pages of a huge mapping */
	CHECK(write(fd[1], p + 100 * PG - 10, 20) == 20);
	CHECK(read(fd[0], p + 200 * PG - 10, 20) == 20);
	CHECK(!memcmp(p + 100 * PG - 10, p + 200 * PG - 10, 20));
}

TEST(collapse)
{
	char *p = map(2);

	NEED_THP();
	CHECK(!madvise(p, 2 * HUGE, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < 2 * HUGE; i += 3 * PG)
		*(unsigned *)(p + i) = i;
	CHECK_EQ(huge_bytes(p, 2 * HUGE), 0);
	CHECK(!madvise(p, 2 * HUGE, MADV_HUGEPAGE));
	for (int tries = 0; madvise(p, 2 * HUGE, MADV_COLLAPSE); tries++) {
		if (errno == EINVAL)
			SKIP("no MADV_COLLAPSE");
		CHECK(errno == EAGAIN || errno == EBUSY || errno == ENOMEM);
		if (tries > 100)
			SKIP("no block of 2 MiB to be had");
		usleep(10000);
	}
	CHECK_EQ(huge_bytes(p, 2 * HUGE), 2 * HUGE);
	for (size_t i = 0; i < 2 * HUGE; i += PG)
		CHECK_EQ(*(unsigned *)(p + i), i % (3 * PG) ? 0 : i);
}

/* Threads count up their own words while another splits and collapses under them. */
static volatile bool stop;
static void *counter(void *arg)
{
	volatile unsigned long *p = arg;
	unsigned long n = 0;

	for (; !stop; n++)
		for (int i = 0; i < 512; i += 37) {
			if (p[i * PG / 8] != n)
				return (void *)1;
			p[i * PG / 8] = n + 1;
		}
	return NULL;
}

TEST(split_and_collapse_while_written)
{
	time_t end = time(NULL) + 15;	/* each step interrupts all processors: slow on a busy host */
	char *p = map(2);
	pthread_t t[2];
	void *bad;

	memset(p, 0, 2 * HUGE);
	CHECK(!pthread_create(&t[0], NULL, counter, p));
	CHECK(!pthread_create(&t[1], NULL, counter, p + HUGE + 8));
	for (int round = 0; round < 60 && time(NULL) < end; round++) {
		size_t at = (size_t)(round * 29 % 1000) * PG;

		CHECK(!mprotect(p + at, PG, PROT_READ | PROT_WRITE | PROT_EXEC));
		CHECK(!mprotect(p + at, PG, PROT_READ | PROT_WRITE));
		if (round % 5 == 0)
			madvise(p, 2 * HUGE, MADV_COLLAPSE);
		if (round % 7 == 0) {
			int status;

			if (!fork())
				_exit(0);
			CHECK(wait(&status) > 0);
		}
		madvise(p + at, PG, MADV_COLD);
	}
	stop = true;
	for (int i = 0; i < 2; i++) {
		CHECK(!pthread_join(t[i], &bad));
		CHECK(!bad);
	}
}

/* What the counters say after all is gone is what they said before. */
TEST(counters_return)
{
	unsigned long before = 0, after = 0;

	for (int round = 0; round < 3; round++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			char *p = map(4);

			fill(p, 4 * HUGE, 1);
			if (!fork()) {
				fill(p, HUGE, 2);
				_exit(0);
			}
			wait(NULL);
			munmap(p + HUGE / 2, HUGE);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK_EQ(status, 0);
		FILE *f = fopen("/proc/meminfo", "r");
		char line[128];

		CHECK(f);
		while (fgets(line, sizeof(line), f))
			sscanf(line, "AnonHugePages: %lu", &after);
		fclose(f);
		if (!round)
			before = after;
	}
	CHECK(after <= before + 64 * 1024);	/* others may have some as well */
}
