/*
 * ports.c: ports for programs: ioperm and iopl (man 2 ioperm, iopl).
 *
 * Idea:    port 0x80, where firmware tells how far it is, may be written by anybody without harm; so may 0xed.  An access that
 *          is not allowed is a SIGSEGV.  On a host whose kernel has no ports for programs all is skipped.
 */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/io.h>

#define PORT 0x80
#define OTHER 0xed

static sigjmp_buf back;

static void on_segv(int sig) { siglongjmp(back, 1); }

static void need_ports(void)
{
	struct sigaction sa = { .sa_handler = on_segv };

	if (getuid())
		SKIP("not root");
	if (ioperm(PORT, 1, 1))
		SKIP("no ports here (errno %d)", errno);
	CHECK_OK(ioperm(PORT, 1, 0));
	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
}

static bool can_write(unsigned short port)
{
	if (sigsetjmp(back, 1))
		return false;
	outb(0, port);
	return true;
}

static bool can_write_word(unsigned short port)
{
	if (sigsetjmp(back, 1))
		return false;
	outw(0, port);
	return true;
}

/* What the program does when it is started anew by the case `inherited`. */
__attribute__((constructor)) static void after_exec(void)
{
	struct sigaction sa = { .sa_handler = on_segv };

	if (!getenv("PORTS_AFTER_EXEC"))
		return;
	sigaction(SIGSEGV, &sa, NULL);
	_exit(can_write(PORT) && !can_write(OTHER) ? 42 : 1);
}

TEST(errors)
{
	need_ports();
	CHECK_ERR(ioperm(PORT, 0, 1), EINVAL);
	CHECK_ERR(ioperm(0x10000, 1, 1), EINVAL);
	CHECK_ERR(ioperm(0xffff, 2, 1), EINVAL);
	CHECK_ERR(ioperm(2, -1UL, 1), EINVAL);
	CHECK_ERR(iopl(4), EINVAL);
	CHECK_ERR(iopl(-1), EINVAL);
	CHECK_OK(ioperm(0xffff, 1, 1));
	CHECK_OK(iopl(2));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(ioperm(PORT, 1, 1), EPERM);
	CHECK_ERR(iopl(3), EPERM);
	CHECK_OK(iopl(2));
	CHECK_OK(iopl(0));
	CHECK_ERR(iopl(1), EPERM);
	CHECK_OK(ioperm(PORT, 1, 0));
	CHECK_ERR(ioperm(PORT, 0, 0), EINVAL);
}

TEST(bits)
{
	need_ports();
	CHECK(!can_write(PORT));
	CHECK_OK(ioperm(PORT, 1, 1));
	CHECK(can_write(PORT));
	CHECK(!can_write(OTHER));
	CHECK(!can_write(PORT + 1));
	CHECK(!can_write_word(PORT));			/* two bytes want two bits */
	CHECK_OK(ioperm(PORT, 2, 1));
	CHECK(can_write_word(PORT));
	CHECK_OK(ioperm(0, 0x10000, 1));
	CHECK(can_write(OTHER));
	CHECK_OK(ioperm(PORT, 1, 0));
	CHECK(!can_write(PORT) && can_write(OTHER));
	CHECK_OK(setresuid(1000, 1000, 1000));		/* what was given stays */
	CHECK(can_write(OTHER));
}

TEST(inherited)
{
	pid_t pid;

	need_ports();
	CHECK_OK(ioperm(PORT, 1, 1));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK(can_write(PORT));
		CHECK_OK(ioperm(OTHER, 1, 1));
		CHECK_OK(ioperm(PORT, 1, 0));
		CHECK(!can_write(PORT) && can_write(OTHER));
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK(can_write(PORT) && !can_write(OTHER));	/* the child's change was its own */
	pid = CHECK_OK(fork());
	if (!pid) {
		setenv("PORTS_AFTER_EXEC", "1", 1);
		execl("/proc/self/exe", "ports", NULL);
		_exit(9);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 42);
}

TEST(level)
{
	need_ports();
	CHECK_OK(ioperm(PORT, 1, 1));
	CHECK_OK(iopl(1));
	CHECK(!can_write(OTHER));			/* only the third level is for ports */
	CHECK_OK(iopl(3));
	CHECK(can_write(OTHER) && can_write_word(PORT));
	asm volatile("cli; sti");			/* nothing happens, and no fault */
	CHECK_OK(iopl(0));
	CHECK(can_write(PORT) && !can_write(OTHER));	/* ioperm's bits are in force again */
}

static pthread_barrier_t barrier;

static void *try_port(void *early)
{
	if (early) {
		pthread_barrier_wait(&barrier);		/* it was there before the port was given to its maker */
		pthread_barrier_wait(&barrier);
	}
	return (void *)(long)can_write(PORT);
}

TEST(of_a_thread)
{
	pthread_t early, late;
	void *could;

	need_ports();
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&early, NULL, try_port, &barrier), 0);
	pthread_barrier_wait(&barrier);
	CHECK_OK(ioperm(PORT, 1, 1));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(early, &could), 0);
	CHECK(!could);
	CHECK_EQ(pthread_create(&late, NULL, try_port, NULL), 0);
	CHECK_EQ(pthread_join(late, &could), 0);
	CHECK(could);
}

/* Tasks with different ports take turns on one processor: each has its own, and who has none has none. */
TEST(switched)
{
	static const unsigned short ports[] = { PORT, OTHER, 0, 0xffff };
	cpu_set_t set;
	pid_t pid[4];

	need_ports();
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
	for (int i = 0; i < 4; i++) {
		pid[i] = CHECK_OK(fork());
		if (pid[i])
			continue;
		if (i == 3)
			CHECK_OK(iopl(3));
		else if (ports[i])
			CHECK_OK(ioperm(ports[i], 1, 1));
		for (int n = 0; n < 300; n++) {
			CHECK(can_write(PORT) == (i == 0 || i == 3));
			CHECK(can_write(OTHER) == (i == 1 || i == 3));
			sched_yield();
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(t_wait(pid[i]), 0);
}
