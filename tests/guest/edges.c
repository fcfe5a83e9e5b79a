/* edges.c: what a hostile program tries at the edges between processor, kernel and program (spec §2, §3, §10). */
#include "t.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <pthread.h>

#define PG 4096UL

/* `syscall` out of a 32-bit code segment: another entry point of the processor, which must lead somewhere. */
TEST(syscall_instruction_in_32_bit_mode)
{
	static const unsigned char code[] = { 0xb8, 20, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b };	/* getpid; ud2 */
	int status;

	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		char *m = mmap(NULL, PG, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		struct { uint32_t ip; uint16_t cs; } __attribute__((packed)) far = { (uint32_t)(uintptr_t)m, 0x23 };

		if (m == MAP_FAILED)
			_exit(1);
		memcpy(m, code, sizeof(code));
		asm volatile("ljmpl *%0" : : "m" (far) : "memory");
		_exit(2);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGSEGV));
}

/* A selector whose descriptor went away while the thread was switched out. */
TEST(segment_that_vanishes)
{
	struct { unsigned entry, base, limit, flags; } d = { 0, 0x1000, 0xfff, 0x51 };	/* 32-bit data, usable */
	unsigned short sel = 7;

	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
		SKIP("no modify_ldt");
	asm volatile("mov %0, %%gs; mov %0, %%es" : : "r" (sel));
	d = (typeof(d)){ 0, 0, 0, 0x28 };		/* empty */
	CHECK_EQ(syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)), 0);
	for (int i = 0; i < 5; i++)
		usleep(1000);
	asm volatile("mov %0, %%gs; mov %0, %%es" : : "r" (0));
}

/* A thread that runs in user mode all the while sees what another does to the segment it has loaded. */
static volatile int segment_loaded, segment_seen;
static void *watch_segment(void *unused)
{
	unsigned short sel = 7, now;

	asm volatile("mov %0, %%ds; mov %0, %%es" : : "r" (sel));
	segment_loaded = 1;
	do {
		asm volatile("mov %%ds, %0" : "=r" (now));
	} while (now == sel);
	segment_seen = 1;
	return unused;
}

TEST(segment_that_vanishes_elsewhere)
{
	struct { unsigned entry, base, limit, flags; } d = { 0, 0, 0xfffff, 0x51 | 1 << 4 };	/* 32-bit data, usable */
	pthread_t t;

	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
		SKIP("no modify_ldt");
	CHECK_EQ(pthread_create(&t, NULL, watch_segment, NULL), 0);
	while (!segment_loaded)
		usleep(1000);
	d = (typeof(d)){ 0, 0, 0, 0x28 };		/* empty */
	CHECK_EQ(syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK(segment_seen);
}

TEST(unlimited_is_not_minus_one)
{
	struct rlimit inf = { RLIM_INFINITY, RLIM_INFINITY };
	union sigval v = { 0 };

	if (setrlimit(RLIMIT_SIGPENDING, &inf) || setrlimit(RLIMIT_NPROC, &inf))
		SKIP("no right to raise limits");
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK_OK(sigqueue(getpid(), SIGRTMIN, v));
	CHECK_OK(setuid(12345));
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(0);
	t_wait(pid);
}

/* /proc/self/mem may read what the program itself may not; it must not look for ever. */
TEST(mem_file_reads_prot_none)
{
	char *m = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), c = 0;
	int fd = CHECK_OK(open("/proc/self/mem", O_RDWR));

	CHECK(m != MAP_FAILED);
	*m = 42;
	CHECK_OK(mprotect(m, PG, PROT_NONE));
	CHECK_EQ(pread(fd, &c, 1, (off_t)(uintptr_t)m), 1);
	CHECK_EQ(c, 42);
	c = 43;
	CHECK_EQ(pwrite(fd, &c, 1, (off_t)(uintptr_t)m), 1);
	CHECK_OK(mprotect(m, PG, PROT_READ));
	CHECK_EQ(*m, 43);
}

/* Epoll files that watch epoll files: a chain that grows at its lower end is as long as any other. */
TEST(epoll_chain_is_short)
{
	struct epoll_event e = { .events = EPOLLIN };
	int up = CHECK_OK(epoll_create1(0)), n = 0;

	for (; n < 100; n++) {
		int down = CHECK_OK(epoll_create1(0));

		if (epoll_ctl(up, EPOLL_CTL_ADD, down, &e))
			break;
		up = down;
	}
	CHECK_EQ(errno, ELOOP);
	CHECK(n >= 3 && n < 10);
}

/* A structure "from the future" may be as large as a page; its tail of zeroes is not looked through for ever. */
TEST(openat2_size_has_an_end)
{
	size_t huge = 1UL << 40;
	char *m = mmap(NULL, huge, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		SKIP("no room");
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "/", m, huge), E2BIG);
}

/* One reader looks at a message with files while another takes it. */
static int pair[2];
static volatile bool enough;

static void receive(int flags)
{
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *h;

	if (recvmsg(pair[0], &m, flags | MSG_DONTWAIT) == 1 && (h = CMSG_FIRSTHDR(&m)) != NULL)
		close(*(int *)CMSG_DATA(h));
}

static void *peeker(void *unused)
{
	while (!enough)
		receive(MSG_PEEK);
	return NULL;
}

TEST(peek_and_take_a_message_with_files)
{
	char c = 'x', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	pthread_t t[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(h) = 1;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, peeker, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		CHECK_EQ(sendmsg(pair[1], &m, 0), 1);
		receive(0);
	}
	enough = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* connect() to itself by a socket that begins to listen meanwhile. */
static int self;
static void *listener(void *unused)
{
	listen(self, 5);
	return NULL;
}

TEST(stream_socket_connects_to_itself)
{
	for (int i = 0; i < 300; i++) {
		struct sockaddr_un a = { .sun_family = AF_UNIX };
		socklen_t len = sizeof(a);
		pthread_t t;

		self = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
		CHECK_OK(bind(self, (void *)&a, sizeof(sa_family_t)));
		CHECK_OK(getsockname(self, (void *)&a, &len));
		CHECK_EQ(pthread_create(&t, NULL, listener, NULL), 0);
		for (int n = 0; n < 50; n++)
			CHECK(connect(self, (void *)&a, len) == -1);
		pthread_join(t, NULL);
		close(self);
	}
}

/* A program cannot be written while it runs; afterwards it can. */
TEST(running_program_is_busy)
{
	char path[] = "/tmp/busyXXXXXX";
	int fd = CHECK_OK(mkstemp(path)), self_fd = CHECK_OK(open("/proc/self/exe", O_RDONLY)), n;
	static char buf[65536];
	int p[2];

	while ((n = read(self_fd, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(fd, buf, n), n);
	CHECK_OK(fchmod(fd, 0755));
	close(fd);
	CHECK_OK(pipe2(p, O_CLOEXEC));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		char *argv[] = { path, "--sleep", NULL };

		execv(path, argv);
		_exit(1);
	}
	close(p[1]);
	CHECK_EQ(read(p[0], buf, 1), 0);		/* it runs */
	CHECK_ERR(open(path, O_WRONLY), ETXTBSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fd = CHECK_OK(open(path, O_WRONLY));
	close(fd);
	unlink(path);
}

__attribute__((constructor)) static void sleep_if_asked(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--sleep"))
		for (;;)
			pause();
}
