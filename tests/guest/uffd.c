/* uffd.c: userfaultfd(2): a program handles page faults of its own: missing pages, write protection (man 2 ioctl_userfaultfd). */
#include "t.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#define PG 4096UL

static int uffd;
static char *area;

static char *map_pages(int n)
{
	char *p = mmap(NULL, n * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	madvise(p, n * PG, MADV_NOHUGEPAGE);
	return p;
}

static int open_uffd(int flags)
{
	int fd = syscall(SYS_userfaultfd, flags);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		SKIP("no userfaultfd here (errno %d)", errno);
	return CHECK_OK(fd);
}

static int api(int fd, uint64_t features)
{
	struct uffdio_api a = { .api = UFFD_API, .features = features };

	return ioctl(fd, UFFDIO_API, &a);
}

/* A descriptor that is ready, and an area of n pages, registered. */
static void set_up(int n, int flags, uint64_t features, uint64_t mode)
{
	struct uffdio_register r = { .mode = mode };

	uffd = open_uffd(flags);
	CHECK_OK(api(uffd, features));
	area = map_pages(n);
	r.range.start = (uintptr_t)area;
	r.range.len = n * PG;
	CHECK_OK(ioctl(uffd, UFFDIO_REGISTER, &r));
	CHECK(r.ioctls & (1ULL << _UFFDIO_COPY));
	CHECK_EQ(!!(r.ioctls & (1ULL << _UFFDIO_WRITEPROTECT)), !!(mode & UFFDIO_REGISTER_MODE_WP));
}

static int copy_page_to(char *dst, const void *src, uint64_t mode)
{
	struct uffdio_copy c = { .dst = (uintptr_t)dst, .src = (uintptr_t)src, .len = PG, .mode = mode };

	return ioctl(uffd, UFFDIO_COPY, &c);
}

static int protect(char *p, int n, uint64_t mode)
{
	struct uffdio_writeprotect w = { { (uintptr_t)p, n * PG }, mode };

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &w);
}

static struct uffd_msg next_message(void)
{
	struct uffd_msg m;

	CHECK_EQ(read(uffd, &m, sizeof(m)), sizeof(m));
	CHECK_EQ(m.event, UFFD_EVENT_PAGEFAULT);
	return m;
}

TEST(api_errors)
{
	struct uffdio_api a = { .api = 0x55 };
	struct uffdio_range r = { 0, PG };
	struct uffd_msg m;
	struct pollfd p;

	CHECK_ERR(syscall(SYS_userfaultfd, 0x10000000), EINVAL);
	uffd = open_uffd(O_NONBLOCK);
	p = (struct pollfd){ uffd, POLLIN, 0 };
	CHECK_ERR(ioctl(uffd, UFFDIO_WAKE, &r), EINVAL);	/* before UFFDIO_API */
	CHECK_ERR(read(uffd, &m, sizeof(m)), EINVAL);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLERR);
	CHECK_ERR(ioctl(uffd, UFFDIO_API, &a), EINVAL);
	CHECK_EQ(a.api, 0);
	CHECK_ERR(ioctl(uffd, UFFDIO_API, 8), EFAULT);
	CHECK_ERR(api(uffd, 1ULL << 60), EINVAL);
	a = (struct uffdio_api){ .api = UFFD_API };
	CHECK_OK(ioctl(uffd, UFFDIO_API, &a));
	CHECK((a.ioctls & 3) == 3 && (a.ioctls & (1ULL << _UFFDIO_API)));
	CHECK(a.features & UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	CHECK_ERR(api(uffd, 0), EINVAL);			/* once only */
	CHECK_ERR(read(uffd, &m, sizeof(m)), EAGAIN);
	CHECK_ERR(read(uffd, &m, 8), EINVAL);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_ERR(ioctl(uffd, 0x1234, 0), EINVAL);
}

TEST(register_errors)
{
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *p = map_pages(4);
	int other, file;

	set_up(2, 0, 0, UFFDIO_REGISTER_MODE_MISSING);
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, 8), EFAULT);
	r.range.start = (uintptr_t)p + 1;
	r.range.len = PG;
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, &r), EINVAL);
	r.range.start = (uintptr_t)p;
	r.range.len = 0;
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, &r), EINVAL);
	r.range.len = PG;
	r.mode = 0;
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, &r), EINVAL);
	r.mode = 0x80;
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, &r), EINVAL);
	r.mode = UFFDIO_REGISTER_MODE_MISSING;
	file = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	char *f = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(f != MAP_FAILED);
	r.range.start = (uintptr_t)f;
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, &r), EINVAL);
	munmap(f, PG);
	CHECK_ERR(ioctl(uffd, UFFDIO_REGISTER, &r), EINVAL);	/* nothing there */
	other = open_uffd(0);
	CHECK_OK(api(other, 0));
	r.range.start = (uintptr_t)area;
	CHECK_ERR(ioctl(other, UFFDIO_REGISTER, &r), EBUSY);
	r.range.start = (uintptr_t)p;
	CHECK_OK(ioctl(uffd, UFFDIO_REGISTER, &r));
}

TEST(filling_in)
{
	static char src[2 * PG];
	struct uffdio_copy c;
	struct uffdio_zeropage z;

	set_up(8, 0, 0, UFFDIO_REGISTER_MODE_MISSING);
	memset(src, 'a', sizeof(src));
	CHECK_OK(copy_page_to(area, src, 0));
	CHECK_EQ(area[5], 'a');
	area[5] = 'b';
	CHECK_EQ(src[5], 'a');
	CHECK_ERR(copy_page_to(area, src, 0), EEXIST);
	CHECK_ERR(copy_page_to(area + 1, src, 0), EINVAL);
	CHECK_ERR(copy_page_to(area + PG, (void *)8, 0), EFAULT);
	CHECK_ERR(copy_page_to(area + PG, src, 0x40), EINVAL);
	CHECK_ERR(copy_page_to(area + PG, src, UFFDIO_COPY_MODE_WP), EINVAL);
	CHECK_ERR(copy_page_to(map_pages(1), src, 0), ENOENT);
	/* Two of three, then one that is there. */
	CHECK_OK(copy_page_to(area + 3 * PG, src, 0));
	c = (struct uffdio_copy){ .dst = (uintptr_t)area + PG, .src = (uintptr_t)src, .len = 2 * PG };
	CHECK_OK(ioctl(uffd, UFFDIO_COPY, &c));
	CHECK_EQ(c.copy, 2 * PG);
	CHECK_EQ(area[2 * PG], 'a');
	z = (struct uffdio_zeropage){ .range = { (uintptr_t)area + 5 * PG, 3 * PG } };
	CHECK_OK(copy_page_to(area + 7 * PG, src, 0));
	CHECK_ERR(ioctl(uffd, UFFDIO_ZEROPAGE, &z), EAGAIN);
	CHECK_EQ(z.zeropage, 2 * PG);
	CHECK_EQ(area[6 * PG + 7], 0);
	area[6 * PG] = 1;					/* a page of its own then */
	CHECK_EQ(area[5 * PG], 0);
	CHECK_ERR(ioctl(uffd, UFFDIO_ZEROPAGE, &z), EEXIST);
	CHECK_EQ(z.zeropage, -EEXIST);
}

static volatile int seen;
static void *reader(void *arg) { seen = *(volatile char *)arg; return NULL; }
static void *writer(void *arg) { *(volatile char *)arg = 'w'; seen = 1; return NULL; }

TEST(missing_page)
{
	static char src[PG];
	struct pollfd p;
	struct uffd_msg m;
	pthread_t t;

	set_up(4, O_NONBLOCK, UFFD_FEATURE_THREAD_ID, UFFDIO_REGISTER_MODE_MISSING);
	memset(src, 'm', PG);
	p = (struct pollfd){ uffd, POLLIN, 0 };
	pthread_create(&t, NULL, reader, area + PG + 77);
	CHECK_EQ(poll(&p, 1, 60000), 1);
	m = next_message();
	CHECK_EQ(m.arg.pagefault.address, (uintptr_t)area + PG);
	CHECK_EQ(m.arg.pagefault.flags, 0);
	CHECK(m.arg.pagefault.feat.ptid > (uint32_t)getpid());
	CHECK_ERR(read(uffd, &m, sizeof(m)), EAGAIN);
	CHECK_OK(copy_page_to(area + PG, src, 0));
	pthread_join(t, NULL);
	CHECK_EQ(seen, 'm');
	seen = 0;
	pthread_create(&t, NULL, writer, area + 2 * PG);
	CHECK_EQ(poll(&p, 1, 60000), 1);
	m = next_message();
	CHECK_EQ(m.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_OK(copy_page_to(area + 2 * PG, src, UFFDIO_COPY_MODE_DONTWAKE));
	usleep(20000);
	CHECK_EQ(seen, 0);
	struct uffdio_range r = { (uintptr_t)area, 4 * PG };
	CHECK_OK(ioctl(uffd, UFFDIO_WAKE, &r));
	pthread_join(t, NULL);
	CHECK_EQ(area[2 * PG], 'w');
	CHECK_EQ(area[2 * PG + 1], 'm');
	/* Given back, it is missing again. */
	CHECK_OK(madvise(area + PG, PG, MADV_DONTNEED));
	pthread_create(&t, NULL, reader, area + PG);
	CHECK_EQ(poll(&p, 1, 60000), 1);
	next_message();
	CHECK_OK(ioctl(uffd, UFFDIO_UNREGISTER, &r));		/* wakes, and the page is an ordinary one */
	pthread_join(t, NULL);
	CHECK_EQ(seen, 0);
	area[3 * PG] = 1;
}

/* The kernel's own access waits as well. */
static void *read_into(void *arg)
{
	int fd = open("/dev/zero", O_RDONLY);

	seen = read(fd, arg, 100) == 100;
	close(fd);
	return NULL;
}

TEST(fault_inside_of_a_call)
{
	static char src[PG];
	struct uffd_msg m;
	pthread_t t;

	set_up(2, 0, 0, UFFDIO_REGISTER_MODE_MISSING);
	memset(src, 's', PG);
	pthread_create(&t, NULL, read_into, area + PG - 50);
	m = next_message();
	CHECK_OK(copy_page_to((char *)(uintptr_t)m.arg.pagefault.address, src, 0));
	m = next_message();
	CHECK_OK(copy_page_to((char *)(uintptr_t)m.arg.pagefault.address, src, 0));
	pthread_join(t, NULL);
	CHECK_EQ(seen, 1);
	CHECK(area[PG - 51] == 's' && area[PG - 50] == 0 && area[PG + 49] == 0 && area[PG + 50] == 's');
	close(uffd);
	/* Only for faults of the program: the call fails. */
	uffd = open_uffd(UFFD_USER_MODE_ONLY);
	CHECK_OK(api(uffd, 0));
	struct uffdio_register r = { { (uintptr_t)map_pages(1), PG }, UFFDIO_REGISTER_MODE_MISSING };
	CHECK_OK(ioctl(uffd, UFFDIO_REGISTER, &r));
	int fd = CHECK_OK(open("/dev/zero", O_RDONLY));
	CHECK_ERR(read(fd, (void *)(uintptr_t)r.range.start, 10), EFAULT);
}

TEST(write_protection)
{
	struct uffd_msg m;
	pthread_t t;

	set_up(4, 0, UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP);
	memset(area, 'o', 4 * PG);				/* not told: missing pages are not asked for */
	CHECK_ERR(protect(area, 1, 8), EINVAL);
	CHECK_ERR(protect(area, 1, UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE), EINVAL);
	CHECK_ERR(protect(map_pages(1), 1, UFFDIO_WRITEPROTECT_MODE_WP), ENOENT);
	CHECK_OK(protect(area + PG, 2, UFFDIO_WRITEPROTECT_MODE_WP));
	area[0] = area[3 * PG] = 'x';
	CHECK_EQ(area[PG], 'o');				/* reading is free */
	seen = 0;
	pthread_create(&t, NULL, writer, area + PG + 3);
	m = next_message();
	CHECK_EQ(m.arg.pagefault.address, (uintptr_t)area + PG);
	CHECK_EQ(m.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
	CHECK_EQ(area[PG + 3], 'o');
	CHECK_EQ(seen, 0);
	CHECK_OK(protect(area + PG, 1, 0));
	pthread_join(t, NULL);
	CHECK_EQ(area[PG + 3], 'w');
	/* A change of rights does not lift it. */
	CHECK_OK(mprotect(area, 4 * PG, PROT_READ));
	CHECK_OK(mprotect(area, 4 * PG, PROT_READ | PROT_WRITE));
	seen = 0;
	pthread_create(&t, NULL, writer, area + 2 * PG);
	m = next_message();
	CHECK(m.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	/* A child writes as it likes. */
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		area[2 * PG] = 'c';
		_exit(area[2 * PG] == 'c' ? 0 : 1);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(area[2 * PG], 'o');
	close(uffd);						/* ends it for all */
	pthread_join(t, NULL);
	CHECK_EQ(area[2 * PG], 'w');
}

TEST(child_and_moved_area_are_ordinary)
{
	set_up(2, O_NONBLOCK, 0, UFFDIO_REGISTER_MODE_MISSING);
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(area[0]);
	CHECK_EQ(t_wait(pid), 0);
	char *to = map_pages(2);
	CHECK(mremap(area, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECK_EQ(to[PG], 0);
}

static volatile sig_atomic_t alarms;
static void on_alarm(int sig)
{
	struct uffdio_zeropage z = { .range = { (uintptr_t)area, PG } };

	if (++alarms == 3)
		ioctl(uffd, UFFDIO_ZEROPAGE, &z);
}

TEST(signals_reach_a_waiting_program)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } };

	set_up(1, O_NONBLOCK, 0, UFFDIO_REGISTER_MODE_MISSING);
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &every, NULL));
	CHECK_EQ(area[0], 0);
	CHECK(alarms >= 3);
}

TEST(killed_while_waiting)
{
	int ready[2];
	char c;

	CHECK_OK(pipe(ready));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		set_up(1, 0, 0, UFFDIO_REGISTER_MODE_MISSING);
		if (write(ready[1], "x", 1) == 1)
			read_into(area);			/* inside of the kernel */
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	usleep(50000);
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(t_wait(pid)), SIGKILL);
}

static void on_bus(int sig, siginfo_t *si, void *uc) { _exit(si->si_addr == area ? 7 : 8); }
TEST(sigbus_instead)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		set_up(1, 0, UFFD_FEATURE_SIGBUS, UFFDIO_REGISTER_MODE_MISSING);
		sigaction(SIGBUS, &sa, NULL);
		_exit(area[0]);
	}
	int st = t_wait(pid);
	if (WEXITSTATUS(st) == 77)
		SKIP("no userfaultfd here");
	CHECK_EQ(WEXITSTATUS(st), 7);
}

TEST(rights)
{
	close(open_uffd(0));
	if (geteuid())
		SKIP("needs root");
	FILE *f = fopen("/proc/sys/vm/unprivileged_userfaultfd", "r");
	CHECK(f && fgetc(f) == '0');
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(syscall(SYS_userfaultfd, 0), EPERM);
	CHECK_OK(syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
	CHECK_ERR(open("/dev/userfaultfd", O_RDWR), access("/dev/userfaultfd", F_OK) ? ENOENT : EACCES);
}

/* Many threads fault on pages that one thread fills in. */
enum { PAGES = 400 };
static void *toucher(void *arg)
{
	long sum = 0;

	for (int i = 0; i < PAGES; i++)
		sum += ((volatile char *)area)[i * PG];
	return (void *)sum;
}

static void *handler(void *arg)
{
	static char src[PG];
	struct uffd_msg m;

	src[0] = 1;
	for (int done = 0; done < PAGES; ) {
		if (read(uffd, &m, sizeof(m)) != sizeof(m))
			break;
		if (!copy_page_to((char *)(uintptr_t)(m.arg.pagefault.address & ~(PG - 1)), src, 0))
			done++;
		else if (errno != EEXIST)
			break;
	}
	return NULL;
}

TEST(storm)
{
	pthread_t t[4], h;
	void *sum;

	set_up(PAGES, 0, 0, UFFDIO_REGISTER_MODE_MISSING);
	pthread_create(&h, NULL, handler, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, toucher, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &sum);
		CHECK_EQ((long)sum, PAGES);
	}
	pthread_join(h, NULL);
}
