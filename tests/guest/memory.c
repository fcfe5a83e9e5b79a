/* memory.c: mmap and its family, demand paging, COW, brk, shared memory, limits (spec §5). */
#include "t.h"
#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PG 4096UL
static char *map(size_t n, int prot, int flags)
{
	char *m = mmap(NULL, n, prot, flags, -1, 0);

	CHECK(m != MAP_FAILED);
	return m;
}
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf jb;
static void on_fault(int sig) { siglongjmp(jb, sig); }
static int faults(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_handler = on_fault };
	int sig;

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sig = sigsetjmp(jb, 1);
	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

TEST(anonymous_memory_is_zero)
{
	char *m = map(64 * PG, RW, ANON);

	for (size_t i = 0; i < 64 * PG; i += 512)
		CHECK_EQ(m[i], 0);
	memset(m, 0xaa, 64 * PG);
	CHECK_OK(munmap(m, 64 * PG));
	CHECK_EQ(faults(m, false), SIGSEGV);
}

TEST(nothing_is_there_until_touched)
{
	struct rusage a, b;
	char *m = map(1024 * PG, RW, ANON);

	madvise(m, 1024 * PG, MADV_NOHUGEPAGE);
	getrusage(RUSAGE_SELF, &a);
	for (int i = 0; i < 1024; i++)
		m[i * PG] = 1;
	getrusage(RUSAGE_SELF, &b);
	CHECK(b.ru_minflt - a.ru_minflt >= 1024);
	CHECK(b.ru_minflt - a.ru_minflt < 1200);
}

TEST(cow_after_fork)
{
	char *m = map(256 * PG, RW, ANON);

	memset(m, 1, 256 * PG);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		for (int i = 0; i < 256; i++) {
			if (m[i * PG] != 1)
				_exit(1);
			m[i * PG] = 2;
		}
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	for (int i = 0; i < 256; i++)
		CHECK_EQ(m[i * PG], 1);
	m[0] = 3;
	CHECK_EQ(m[1], 1);
}

TEST(shared_anonymous_is_shared)
{
	char *m = map(PG, RW, MAP_SHARED | MAP_ANONYMOUS);
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		m[7] = 42;
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(m[7], 42);
}

TEST(file_mapping_is_coherent_with_read_and_write)
{
	char buf[10];
	int fd = CHECK_OK(open("mapfile", O_CREAT | O_RDWR | O_TRUNC, 0600));

	CHECK_EQ(write(fd, "hello world", 11), 11);
	char *s = mmap(NULL, PG, RW, MAP_SHARED, fd, 0), *p = mmap(NULL, PG, RW, MAP_PRIVATE, fd, 0);
	CHECK(s != MAP_FAILED && p != MAP_FAILED);
	CHECK_EQ(memcmp(s, "hello", 5), 0);
	s[0] = 'J';
	CHECK_EQ(pread(fd, buf, 5, 0), 5);
	CHECK_EQ(memcmp(buf, "Jello", 5), 0);
	CHECK_EQ(pwrite(fd, "W", 1, 6), 1);
	CHECK_EQ(s[6], 'W');
	p[0] = 'X';
	CHECK_EQ(s[0], 'J');
	CHECK_EQ(s[11], 0);
	CHECK_OK(msync(s, PG, MS_SYNC));
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(faults(s, false), SIGBUS);
	unlink("mapfile");
}

TEST(mmap_errors)
{
	int fd = CHECK_OK(open("/dev/null", O_RDONLY)), f2 = CHECK_OK(open("mapf2", O_CREAT | O_RDONLY, 0600));

	CHECK(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PG, RW, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
	CHECK(mmap(NULL, PG, RW, MAP_SHARED, f2, 0) == MAP_FAILED && errno == EACCES);
	CHECK(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, f2, 5) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap((void *)1, PG, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, ~0UL - PG, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, PG, RW, 0, -1, 0) == MAP_FAILED);
	CHECK_ERR(munmap((void *)5, PG), EINVAL);
	CHECK_ERR(munmap((void *)PG, 0), EINVAL);
	CHECK_OK(munmap((void *)(PG * 16), PG));
	unlink("mapf2");
	close(fd);
}

TEST(fixed_replaces_and_noreplace_refuses)
{
	char *m = map(4 * PG, RW, ANON);

	m[PG] = 9;
	CHECK(mmap(m + PG, PG, RW, ANON | MAP_FIXED, -1, 0) == m + PG);
	CHECK_EQ(m[PG], 0);
	CHECK(mmap(m + PG, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
}

TEST(munmap_in_the_middle)
{
	char *m = map(5 * PG, RW, ANON);

	memset(m, 5, 5 * PG);
	CHECK_OK(munmap(m + 2 * PG, PG));
	CHECK_EQ(m[PG], 5);
	CHECK_EQ(m[3 * PG], 5);
	CHECK_EQ(faults(m + 2 * PG, true), SIGSEGV);
}

TEST(mprotect_splits_and_takes_effect)
{
	char *m = map(3 * PG, RW, ANON);

	memset(m, 1, 3 * PG);
	CHECK_OK(mprotect(m + PG, PG, PROT_READ));
	CHECK_EQ(faults(m + PG, true), SIGSEGV);
	CHECK_EQ(faults(m + PG, false), 0);
	m[0] = m[2 * PG] = 2;
	CHECK_OK(mprotect(m + PG, PG, PROT_NONE));
	CHECK_EQ(faults(m + PG, false), SIGSEGV);
	CHECK_OK(mprotect(m, 3 * PG, RW));
	m[PG] = 3;
	CHECK_ERR(mprotect(m + 1, PG, RW), EINVAL);
	munmap(m + PG, PG);
	CHECK_ERR(mprotect(m, 3 * PG, RW), ENOMEM);
}

TEST(no_execute)
{
	char *m = map(PG, RW, ANON);

	m[0] = (char)0xc3;
	struct sigaction sa = { .sa_handler = on_fault };
	sigaction(SIGSEGV, &sa, NULL);
	if (!sigsetjmp(jb, 1)) {
		((void (*)(void))m)();
		SKIP("the processor has no NX");
	}
	CHECK_OK(mprotect(m, PG, PROT_READ | PROT_EXEC));
	((void (*)(void))m)();
}

TEST(mremap_grows_moves_and_shrinks)
{
	char *m = map(2 * PG, RW, ANON), *n;

	m[0] = 1;
	m[PG] = 2;
	n = mremap(m, 2 * PG, 512 * PG, MREMAP_MAYMOVE);
	CHECK(n != MAP_FAILED);
	CHECK_EQ(n[0], 1);
	CHECK_EQ(n[PG], 2);
	CHECK_EQ(n[511 * PG], 0);
	CHECK(mremap(n, 512 * PG, PG, 0) == n);
	CHECK_EQ(faults(n + PG, false), SIGSEGV);
	char *t = map(PG, RW, ANON);
	CHECK(mremap(n, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, t) == t);
	CHECK_EQ(t[0], 1);
	CHECK(mremap(t, PG, PG, 0x40) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(t + 1, PG, PG, 0) == MAP_FAILED && errno == EINVAL);
}

TEST(brk_grows_and_shrinks)
{
	char *a = sbrk(0);

	CHECK(sbrk(10 * PG) == a);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(a[i * PG], 0);
		a[i * PG] = 1;
	}
	CHECK(sbrk(-10 * (long)PG) != (void *)-1);
	CHECK_EQ(faults((char *)(((uintptr_t)a + 5 * PG)), true), SIGSEGV);
}

TEST(madvise_dontneed_gives_zeros)
{
	char *m = map(4 * PG, RW, ANON);

	memset(m, 7, 4 * PG);
	CHECK_OK(madvise(m + PG, PG, MADV_DONTNEED));
	CHECK_EQ(m[PG], 0);
	CHECK_EQ(m[0], 7);
	CHECK_ERR(madvise(m + 1, PG, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(m, PG, 9999), EINVAL);
	munmap(m + PG, PG);
	CHECK_ERR(madvise(m, 4 * PG, MADV_DONTNEED), ENOMEM);
}

/* Until somebody needs the pages, the old contents may be seen; what is written afterwards must be. */
TEST(madvise_free_keeps_what_is_written_later)
{
	char *m = map(64 * PG, RW, ANON), *locked = map(PG, RW, ANON);
	int fd = CHECK_OK(memfd_create("m", 0));

	for (int round = 1; round < 4; round++) {
		memset(m, round, 64 * PG);
		CHECK_OK(madvise(m, 64 * PG, MADV_FREE));
		for (size_t i = 0; i < 64; i += 2)
			m[i * PG + 5] = 100;
		madvise(m, 64 * PG, MADV_PAGEOUT);
		for (size_t i = 0; i < 64; i++) {
			CHECK(m[i * PG] == round || m[i * PG] == 0);
			CHECK(i % 2 ? m[i * PG + 5] == m[i * PG] : m[i * PG + 5] == 100);
		}
	}
	CHECK_OK(ftruncate(fd, PG));
	CHECK_ERR(madvise(mmap(NULL, PG, RW, MAP_PRIVATE, fd, 0), PG, MADV_FREE), EINVAL);
	if (!mlock(locked, PG))
		CHECK_ERR(madvise(locked, PG, MADV_FREE), EINVAL);
}

TEST(madvise_free_in_a_child_leaves_the_parents_pages)
{
	char *m = map(16 * PG, RW, ANON);

	memset(m, 9, 16 * PG);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		madvise(m, 16 * PG, MADV_FREE);
		m[3 * PG] = 1;
		_exit(m[3 * PG] != 1);
	}
	CHECK_EQ(t_wait(pid), 0);
	for (size_t i = 0; i < 16 * PG; i++)
		CHECK_EQ(m[i], 9);
}

TEST(madvise_cold_and_pageout_lose_nothing)
{
	char name[] = "/tmp/pageoutXXXXXX", *m = map(256 * PG, RW, ANON), *f;
	int fd = CHECK_OK(mkstemp(name));

	unlink(name);
	CHECK_OK(ftruncate(fd, 16 * PG));
	f = mmap(NULL, 16 * PG, RW, MAP_SHARED, fd, 0);
	CHECK(f != MAP_FAILED);
	memset(f, 3, 16 * PG);
	for (size_t i = 0; i < 256 * PG; i++)
		m[i] = (char)(i / 1000);
	CHECK_OK(madvise(m, 256 * PG, MADV_COLD));
	CHECK_OK(madvise(m, 256 * PG, MADV_PAGEOUT));
	CHECK_OK(madvise(f, 16 * PG, MADV_PAGEOUT));
	for (size_t i = 0; i < 256 * PG; i++)
		CHECK_EQ(m[i], (char)(i / 1000));
	for (size_t i = 0; i < 16 * PG; i++)
		CHECK_EQ(f[i], 3);
	munmap(m + PG, PG);
	CHECK_ERR(madvise(m, 4 * PG, MADV_PAGEOUT), ENOMEM);
}

TEST(dontfork_and_wipeonfork)
{
	char *m = map(2 * PG, RW, ANON);

	memset(m, 1, 2 * PG);
	CHECK_OK(madvise(m, PG, MADV_WIPEONFORK));
	CHECK_OK(madvise(m + PG, PG, MADV_DONTFORK));
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(m[0] == 0 && faults(m + PG, false) == SIGSEGV ? 0 : 1);
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(m[0], 1);
}

TEST(mincore_sees_residency)
{
	unsigned char v[4];
	char *m = map(4 * PG, RW, ANON);

	madvise(m, 4 * PG, MADV_NOHUGEPAGE);
	m[PG] = 1;
	CHECK_OK(mincore(m, 4 * PG, v));
	CHECK_EQ(v[0] & 1, 0);
	CHECK_EQ(v[1] & 1, 1);
	CHECK_ERR(mincore(m + 1, PG, v), EINVAL);
	munmap(m, 4 * PG);
	CHECK_ERR(mincore(m, 4 * PG, v), ENOMEM);
}

TEST(rlimit_as_and_data)
{
	struct rlimit r = { 64 << 20, 64 << 20 };

	CHECK_OK(setrlimit(RLIMIT_AS, &r));
	CHECK(mmap(NULL, 128 << 20, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
}

TEST(mlock_limits)
{
	struct rlimit r = { PG, PG };
	char *m = map(8 * PG, RW, ANON);
	unsigned char v[8];

	CHECK_OK(mlock(m, 4 * PG));
	CHECK_OK(mincore(m, 8 * PG, v));
	CHECK_EQ(v[3] & 1, 1);
	CHECK_OK(munlock(m, 4 * PG));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		setrlimit(RLIMIT_MEMLOCK, &r);
		if (setuid(1234))
			_exit(1);
		_exit(mlock(m, 4 * PG) == -1 && errno == ENOMEM ? 0 : 2);
	}
	CHECK_EQ(t_wait(pid), 0);
}

TEST(stack_grows_by_itself)
{
	volatile char big[4 << 20];

	for (size_t i = 0; i < sizeof(big); i += PG)
		big[sizeof(big) - 1 - i] = 1;
	CHECK_EQ(big[sizeof(big) - 1], 1);
}

TEST(populate_makes_resident)
{
	unsigned char v[16];
	char *m = mmap(NULL, 16 * PG, RW, ANON | MAP_POPULATE, -1, 0);

	CHECK(m != MAP_FAILED);
	CHECK_OK(mincore(m, 16 * PG, v));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(v[i] & 1, 1);
}

TEST(maps_shows_areas)
{
	char *m = map(3 * PG, PROT_READ, ANON), line[300], want[64];
	FILE *f = fopen("/proc/self/maps", "r");
	bool found = false, stack = false, vdso = false;

	CHECK(f);
	snprintf(want, sizeof(want), "%lx-%lx r--p 00000000 00:00 0", (long)m, (long)m + 3 * PG);
	mprotect(m, 3 * PG, PROT_READ | PROT_WRITE);
	mprotect(m, 3 * PG, PROT_READ);
	while (fgets(line, sizeof(line), f)) {
		found |= strstr(line, "r--p 00000000 00:00 0") != NULL;
		stack |= strstr(line, "[stack]") != NULL;
		vdso |= strstr(line, "[vdso]") != NULL;
	}
	CHECK(found);
	CHECK(stack);
	CHECK(vdso || sizeof(long) == 4);	/* 32-bit programs have none on Weft */
}

TEST(bad_pointers_get_efault)
{
	int p[2];
	struct stat st;
	char *ro = map(PG, PROT_READ, ANON), *end = map(2 * PG, RW, ANON);

	if (sizeof(long) == 4)
		SKIP("the C library looks into 32-bit structures itself");
	CHECK_OK(pipe(p));
	munmap(end + PG, PG);
	CHECK_ERR(write(p[1], (void *)8, 10), EFAULT);
	CHECK_ERR(write(p[1], (void *)-0x7f000000L, 10), EFAULT);	/* the kernel's text, in 64 bits */
	CHECK_EQ(write(p[1], "hello", 5), 5);
	CHECK_ERR(read(p[0], ro, 5), EFAULT);
	CHECK_ERR(open((char *)0x1234, O_RDONLY), EFAULT);
	CHECK_ERR(stat("/", (struct stat *)8), EFAULT);
	CHECK_OK(stat("/", &st));
	CHECK_ERR(syscall(SYS_gettimeofday, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, 8, 0, 8), EFAULT);
	CHECK_ERR(pipe((int *)8), EFAULT);
	/* A string that runs into an unmapped page. */
	memset(end, 'a', PG);
	CHECK_ERR(open(end + PG - 10, O_RDONLY), EFAULT);
	struct iovec v[2] = { { end, 10 }, { (void *)8, 10 } };
	CHECK_ERR(writev(p[1], v, -1), EINVAL);
	CHECK_ERR(writev(p[1], (void *)8, 2), EFAULT);
}

TEST(memfd_and_seals)
{
	int fd = CHECK_OK(memfd_create("x", MFD_ALLOW_SEALING));

	CHECK_OK(ftruncate(fd, PG));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE));
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_ERR(write(fd, "x", 1), EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_WRITE);
	CHECK(mmap(NULL, PG, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
}

TEST(process_vm_readv_of_a_child)
{
	char *m = map(PG, RW, ANON), buf[10] = { 0 };
	int p[2], q[2];

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		strcpy(m, "secret");
		if (write(p[1], "x", 1) != 1 || read(q[0], buf, 1) != 1)
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], buf, 1), 1);
	struct iovec l = { buf, 6 }, r = { m, 6 };
	CHECK_EQ(process_vm_readv(pid, &l, 1, &r, 1, 0), 6);
	CHECK_EQ(memcmp(buf, "secret", 6), 0);
	CHECK_EQ(m[0], 0);
	CHECK_EQ(write(q[1], "x", 1), 1);
	t_wait(pid);
}
