/*
 * numa.c: memory policies and pages that move between nodes: set_mempolicy, mbind, get_mempolicy, move_pages, migrate_pages.
 * On a machine with one node the cases look at results and errors; tests/numa.py boots one with three, where they also look
 * at where pages lie.
 */
#include "t.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY };
enum { F_NODE = 1, F_ADDR = 2, F_MEMS_ALLOWED = 4 };
enum { MF_STRICT = 1, MF_MOVE = 2, MF_MOVE_ALL = 4 };
#define F_STATIC_NODES (1 << 15)
#define F_RELATIVE_NODES (1 << 14)
#define BITS 1024			/* of a mask: more than any kernel has nodes */

struct mask { unsigned long w[BITS / 64]; };
static struct mask one(int nid) { struct mask m = { }; m.w[0] = 1UL << nid; return m; }

static long set_policy(int mode, const struct mask *m) { return syscall(SYS_set_mempolicy, mode, m, m ? BITS + 1UL : 0UL); }
static long get_policy(int *mode, struct mask *m, void *addr, unsigned flags)
{
	return syscall(SYS_get_mempolicy, mode, m, m ? (unsigned long)BITS : 0UL, addr, (unsigned long)flags);
}
static long bind_range(void *p, size_t n, int mode, const struct mask *m, unsigned flags)
{
	return syscall(SYS_mbind, p, n, (unsigned long)mode, m, m ? BITS + 1UL : 0UL, flags);
}
static int node_of(void *p)
{
	int nid = -1;

	CHECK(!get_policy(&nid, NULL, p, F_NODE | F_ADDR));
	return nid;
}
static int nodes(void)
{
	struct mask m = { };
	int n = 0;

	CHECK(!get_policy(NULL, &m, NULL, F_MEMS_ALLOWED));
	while (m.w[0] >> n & 1)
		n++;
	return n;
}
#define PG 4096UL
static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(!madvise(p, pages * PG, MADV_NOHUGEPAGE) || errno == EINVAL);
	return p;
}
/* Is there a second node with memory? */
#define NEED_TWO_NODES() do { if (nodes() < 2) SKIP("one node"); } while (0)

TEST(default_policy)
{
	struct mask m;
	int mode = -1;

	memset(&m, 0xff, sizeof(m));
	CHECK(!get_policy(&mode, &m, NULL, 0));
	CHECK_EQ(mode, DEFAULT);
	for (unsigned i = 0; i < BITS / 64; i++)
		CHECK_EQ(m.w[i], 0);
}

TEST(mems_allowed_has_node_0)
{
	CHECK(nodes() >= 1);
}

TEST(set_and_get)
{
	struct mask zero = one(0), got;
	int mode;

	CHECK(!set_policy(BIND, &zero));
	CHECK(!get_policy(&mode, &got, NULL, 0));
	CHECK_EQ(mode, BIND);
	CHECK_EQ(got.w[0], 1);
	CHECK(!set_policy(INTERLEAVE, &zero));
	CHECK(!get_policy(&mode, &got, NULL, 0));
	CHECK_EQ(mode, INTERLEAVE);
	CHECK(!get_policy(&mode, NULL, NULL, F_NODE));
	CHECK_EQ(mode, 0);
	CHECK(!set_policy(PREFERRED | F_STATIC_NODES, &zero));
	CHECK(!get_policy(&mode, &got, NULL, 0));
	CHECK_EQ(mode, PREFERRED | F_STATIC_NODES);
	CHECK(!set_policy(PREFERRED, NULL));
	CHECK(!get_policy(&mode, &got, NULL, 0));
	CHECK_EQ(got.w[0], 0);
	CHECK(!set_policy(DEFAULT, NULL));
}

TEST(bad_policies)
{
	struct mask zero = one(0), none = { }, far = { };
	int mode;

	far.w[15] = 1UL << 60;
	CHECK_ERR(set_policy(99, &zero), EINVAL);
	CHECK_ERR(set_policy(BIND, NULL), EINVAL);
	CHECK_ERR(set_policy(BIND, &none), EINVAL);
	CHECK_ERR(set_policy(BIND, &far), EINVAL);
	CHECK_ERR(set_policy(DEFAULT, &zero), EINVAL);
	CHECK_ERR(set_policy(LOCAL, &zero), EINVAL);
	CHECK_ERR(set_policy(BIND | F_STATIC_NODES | F_RELATIVE_NODES, &zero), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy, BIND, (void *)16, 64UL), EFAULT);
	CHECK_ERR(get_policy(&mode, NULL, NULL, F_NODE), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, &mode, 0), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, NULL, 64), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, NULL, F_ADDR), EFAULT);
	CHECK_ERR(get_policy(&mode, NULL, NULL, F_MEMS_ALLOWED | F_ADDR), EINVAL);
}

TEST(inherited_by_fork)
{
	struct mask zero = one(0);
	int mode, status;
	pid_t pid;

	CHECK(!set_policy(INTERLEAVE, &zero));
	pid = fork();
	if (!pid)
		_exit(get_policy(&mode, NULL, NULL, 0) || mode != INTERLEAVE || set_policy(DEFAULT, NULL));
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	CHECK(!get_policy(&mode, NULL, NULL, 0));
	CHECK_EQ(mode, INTERLEAVE);
}

/* The middle of an area gets a policy: three areas; without it again: one. */
TEST(mbind_splits_and_merges)
{
	struct mask zero = one(0);
	char *p = map(9);
	int mode;

	CHECK(!bind_range(p + 3 * PG, 3 * PG, BIND, &zero, 0));
	CHECK(!get_policy(&mode, NULL, p + 2 * PG, F_ADDR));
	CHECK_EQ(mode, DEFAULT);
	CHECK(!get_policy(&mode, NULL, p + 3 * PG, F_ADDR));
	CHECK_EQ(mode, BIND);
	CHECK(!get_policy(&mode, NULL, p + 5 * PG, F_ADDR));
	CHECK_EQ(mode, BIND);
	CHECK(!get_policy(&mode, NULL, p + 6 * PG, F_ADDR));
	CHECK_EQ(mode, DEFAULT);
	memset(p, 1, 9 * PG);
	CHECK(!bind_range(p, 9 * PG, DEFAULT, NULL, 0));
	CHECK(!get_policy(&mode, NULL, p + 4 * PG, F_ADDR));
	CHECK_EQ(mode, DEFAULT);
	for (int i = 0; i < 9; i++)
		CHECK_EQ(p[i * PG], 1);
}

TEST(mbind_errors)
{
	struct mask zero = one(0);
	char *p = map(3);

	CHECK_ERR(bind_range(p + 1, PG, BIND, &zero, 0), EINVAL);
	CHECK_ERR(bind_range(p, PG, BIND, &zero, 64), EINVAL);
	CHECK_ERR(bind_range(p, PG, 77, &zero, 0), EINVAL);
	CHECK(!bind_range(p, 0, BIND, &zero, 0));
	CHECK(!munmap(p + PG, PG));
	CHECK_ERR(bind_range(p, 3 * PG, BIND, &zero, 0), EFAULT);
}

TEST(home_node)
{
	struct mask zero = one(0);
	char *p = map(2);

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p, 2 * PG, 9999UL, 0UL), EINVAL);
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p, 2 * PG, 0UL, 1UL), EINVAL);
	CHECK(!bind_range(p, 2 * PG, INTERLEAVE, &zero, 0));
	CHECK_ERR(syscall(SYS_set_mempolicy_home_node, p, 2 * PG, 0UL, 0UL), EOPNOTSUPP);
	CHECK(!bind_range(p, 2 * PG, BIND, &zero, 0));
	CHECK(!syscall(SYS_set_mempolicy_home_node, p, 2 * PG, 0UL, 0UL));
}

/* Without nodes to go to move_pages() only tells where each page is. */
TEST(move_pages_status)
{
	char *p = map(3);
	void *pages[] = { p, p + PG, p + 2 * PG, (void *)PG };
	int status[4] = { 77, 77, 77, 77 };

	p[0] = p[2 * PG] = 1;
	CHECK(!syscall(SYS_move_pages, 0, 4UL, pages, NULL, status, MF_MOVE));
	CHECK(status[0] >= 0 && status[0] < nodes());
	CHECK_EQ(status[1], -ENOENT);
	CHECK(status[2] >= 0 && status[2] < nodes());
	CHECK_EQ(status[3], -EFAULT);
}

TEST(move_pages_errors)
{
	char *p = map(1);
	void *pages[] = { p };
	int status[1], far[] = { 1000 }, zero[] = { 0 };

	p[0] = 1;
	CHECK_ERR(syscall(SYS_move_pages, 0, 1UL, pages, far, status, MF_MOVE), ENODEV);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1UL, pages, zero, status, 64), EINVAL);
	CHECK_ERR(syscall(SYS_move_pages, 999999, 1UL, pages, zero, status, MF_MOVE), ESRCH);
	CHECK_ERR(syscall(SYS_move_pages, 0, 1UL, (void *)16, zero, status, MF_MOVE), EFAULT);
}

TEST(numa_maps)
{
	struct mask zero = one(0);
	char *p = map(5), line[512], want[64];
	bool seen = false;
	FILE *f;

	memset(p, 1, 5 * PG);
	CHECK(!bind_range(p, 5 * PG, BIND, &zero, 0));
	f = fopen("/proc/self/numa_maps", "r");
	if (!f)
		SKIP("no numa_maps");
	snprintf(want, sizeof(want), "%08lx bind:0", (unsigned long)p);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, want, strlen(want)))
			seen = strstr(line, " anon=5") && strstr(line, " N0=5");
	fclose(f);
	CHECK(seen || nodes() > 1);
}

/* ---- several nodes ---- */

TEST(bind_places)
{
	NEED_TWO_NODES();
	for (int nid = 0; nid < nodes(); nid++) {
		struct mask m = one(nid);
		char *p = map(64);

		CHECK(!bind_range(p, 64 * PG, BIND, &m, 0));
		for (int i = 0; i < 64; i++) {
			p[i * PG] = 1;
			CHECK_EQ(node_of(p + i * PG), nid);
		}
	}
}

TEST(interleave_places)
{
	struct mask m = { };
	int count[64] = { }, n;
	char *p = map(120);

	NEED_TWO_NODES();
	n = nodes();
	m.w[0] = (1UL << n) - 1;
	CHECK(!bind_range(p, 120 * PG, INTERLEAVE, &m, 0));
	for (int i = 0; i < 120; i++) {
		p[i * PG] = 1;
		count[node_of(p + i * PG)]++;
	}
	for (int nid = 0; nid < n; nid++)
		CHECK_EQ(count[nid], 120 / n);
}

TEST(task_policy_places)
{
	struct mask m;

	NEED_TWO_NODES();
	for (int nid = nodes() - 1; nid >= 0; nid--) {
		char *p = map(8);

		m = one(nid);
		CHECK(!set_policy(PREFERRED, &m));
		memset(p, 1, 8 * PG);
		for (int i = 0; i < 8; i++)
			CHECK_EQ(node_of(p + i * PG), nid);
	}
}

static void fill(char *p, int pages)
{
	for (int i = 0; i < pages; i++)
		for (unsigned j = 0; j < PG / 4; j++)
			((unsigned *)(p + i * PG))[j] = i * 7919 + j;
}
static void verify(const char *p, int pages)
{
	for (int i = 0; i < pages; i++)
		for (unsigned j = 0; j < PG / 4; j++)
			CHECK_EQ(((unsigned *)(p + i * PG))[j], i * 7919 + j);
}

TEST(mbind_moves)
{
	struct mask a = one(0), b = one(1);
	char *p = map(100);

	NEED_TWO_NODES();
	CHECK(!bind_range(p, 100 * PG, BIND, &a, 0));
	fill(p, 100);
	CHECK_ERR(bind_range(p, 100 * PG, BIND, &b, MF_STRICT), EIO);
	CHECK(!bind_range(p, 100 * PG, BIND, &b, MF_STRICT | MF_MOVE));
	for (int i = 0; i < 100; i++)
		CHECK_EQ(node_of(p + i * PG), 1);
	verify(p, 100);
}

TEST(move_pages_moves)
{
	char *p = map(16);
	void *pages[16];
	int to[16], status[16];

	NEED_TWO_NODES();
	fill(p, 16);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 16; i++) {
			pages[i] = p + i * PG;
			to[i] = (i + round) % nodes();
		}
		CHECK(!syscall(SYS_move_pages, 0, 16UL, pages, to, status, MF_MOVE));
		for (int i = 0; i < 16; i++) {
			CHECK_EQ(status[i], to[i]);
			CHECK_EQ(node_of(pages[i]), to[i]);
		}
		verify(p, 16);
	}
}

/* A page of a file goes as well, and both who map it see the same afterwards. */
TEST(move_file_page)
{
	char name[] = "/tmp/numa-XXXXXX", buf[PG];
	int fd = mkstemp(name), to[] = { 1 }, status[1];
	void *pages[1];
	char *p;

	NEED_TWO_NODES();
	unlink(name);
	memset(buf, 'x', PG);
	CHECK(write(fd, buf, PG) == (ssize_t)PG);
	p = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[5] = 'y';
	pages[0] = p;
	to[0] = !node_of(p);
	CHECK(syscall(SYS_move_pages, 0, 1UL, pages, to, status, MF_MOVE) >= 0);
	if (status[0] == -EBUSY)
		SKIP("a page of this file system stays");
	CHECK_EQ(status[0], to[0]);
	CHECK_EQ(p[5], 'y');
	p[6] = 'z';
	CHECK(pread(fd, buf, PG, 0) == (ssize_t)PG);
	CHECK_EQ(buf[4], 'x');
	CHECK_EQ(buf[5], 'y');
	CHECK_EQ(buf[6], 'z');
}

TEST(migrate_pages_moves)
{
	struct mask a = one(0), b = one(1);
	char *p = map(32);

	NEED_TWO_NODES();
	CHECK(!bind_range(p, 32 * PG, BIND, &a, 0));
	fill(p, 32);
	CHECK(syscall(SYS_migrate_pages, 0, BITS + 1UL, &a, &b) >= 0);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(node_of(p + i * PG), 1);
	verify(p, 32);
}

/* Two threads write while their pages go to and fro. */
static volatile bool stop_writing;
static void *writer(void *arg)
{
	volatile unsigned long *p = arg;
	unsigned long n = 0;

	while (!stop_writing)
		for (int i = 0; i < 8; i++) {
			if (p[i * PG / 8] != n)
				return (void *)1;
			p[i * PG / 8] = n + 1;
			if (i == 7)
				n++;
		}
	return NULL;
}

TEST(move_while_written)
{
	time_t end = time(NULL) + 15;
	char *p = map(16);
	pthread_t t[2];
	void *pages[16], *bad;
	int to[16], status[16];

	NEED_TWO_NODES();
	memset(p, 0, 16 * PG);
	CHECK(!pthread_create(&t[0], NULL, writer, p));
	CHECK(!pthread_create(&t[1], NULL, writer, p + 8 * PG));
	/* a move interrupts all processors, which on a busy host takes what it takes */
	for (int round = 0; round < 40 && time(NULL) < end; round++) {
		for (int i = 0; i < 16; i++) {
			pages[i] = p + i * PG;
			to[i] = (i + round) % 2;
		}
		CHECK(syscall(SYS_move_pages, 0, 16UL, pages, to, status, MF_MOVE) >= 0);
	}
	stop_writing = true;
	for (int i = 0; i < 2; i++) {
		CHECK(!pthread_join(t[i], &bad));
		CHECK(!bad);
	}
}
