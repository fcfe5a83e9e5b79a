/* signals.c: sending, queueing, masks, handlers, stacks, restart, waiting for signals (spec §3 "signals"). */
#include "t.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <fenv.h>

static volatile sig_atomic_t got, got_code, got_value, got_order[64], got_n;
static void *volatile got_addr;
static volatile pid_t got_pid;

static void handler(int sig) { got = sig; }
static void info_handler(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	got = sig;
	got_code = si->si_code;
	got_value = si->si_value.sival_int;
	got_pid = si->si_pid;
	got_addr = si->si_addr;
	got_order[got_n++ & 63] = si->si_code == SI_QUEUE ? si->si_value.sival_int : sig;
}
static void install(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

TEST(raise_runs_handler)
{
	signal(SIGUSR1, handler);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(got, SIGUSR1);
}

TEST(siginfo_of_kill_and_sigqueue)
{
	install(SIGUSR1, info_handler, 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(got_code, SI_USER);
	CHECK_EQ(got_pid, getpid());
	CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 1234 }));
	CHECK_EQ(got_code, SI_QUEUE);
	CHECK_EQ(got_value, 1234);
	CHECK_OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
	CHECK_EQ(got_code, SI_TKILL);
}

TEST(real_time_signals_queue_in_order)
{
	sigset_t s;

	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	install(SIGRTMIN, info_handler, 0);
	install(SIGRTMIN + 1, info_handler, 0);
	for (int i = 0; i < 5; i++) {
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 200 + i });
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 100 + i });
	}
	for (int i = 0; i < 10; i++) {
		siginfo_t si;
		int sig = sigwaitinfo(&s, &si);
		CHECK_EQ(sig, i < 5 ? SIGRTMIN : SIGRTMIN + 1);
		CHECK_EQ(si.si_value.sival_int, i < 5 ? 100 + i : 195 + i);
	}
}

TEST(standard_signals_do_not_queue)
{
	sigset_t s, old;
	int n = 0;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, &old);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR2);
	while (sigtimedwait(&s, NULL, &(struct timespec){ 0, 0 }) == SIGUSR2)
		n++;
	CHECK_EQ(n, 1);
	CHECK_EQ(errno, EAGAIN);
}

TEST(mask_pending_suspend)
{
	sigset_t s, old, p;

	signal(SIGUSR1, handler);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &s, &old));
	raise(SIGUSR1);
	CHECK_EQ(got, 0);
	CHECK_OK(sigpending(&p));
	CHECK_EQ(sigismember(&p, SIGUSR1), 1);
	CHECK_ERR(sigsuspend(&old), EINTR);
	CHECK_EQ(got, SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &p);
	CHECK_EQ(sigismember(&p, SIGUSR1), 1);
}

TEST(resethand_and_nodefer)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESETHAND }, now;

	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &now);
	CHECK(now.sa_handler == SIG_DFL);
}

TEST(kill_and_stop_cannot_be_caught)
{
	struct sigaction sa = { .sa_handler = handler };

	CHECK_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	CHECK_ERR(sigaction(65, &sa, NULL), EINVAL);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(999999, SIGTERM), ESRCH);
}

static sigjmp_buf jb;
static void jump(int sig, siginfo_t *si, void *uc)
{
	info_handler(sig, si, uc);
	siglongjmp(jb, 1);
}

TEST(segv_maperr_and_accerr)
{
	char *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	install(SIGSEGV, jump, 0);
	if (!sigsetjmp(jb, 1)) {
		*(volatile char *)m = 1;
		FAIL("write to read-only page went through");
	}
	CHECK_EQ(got_code, SEGV_ACCERR);
	CHECK(got_addr == m);
	munmap(m, 4096);
	if (!sigsetjmp(jb, 1)) {
		(void)*(volatile char *)m;
		FAIL("read of unmapped page went through");
	}
	CHECK_EQ(got_code, SEGV_MAPERR);
	CHECK(got_addr == m);
	/* Kernel memory and non-canonical addresses. */
	if (!sigsetjmp(jb, 1)) {
		(void)*(volatile char *)0xffffffff81000000UL;
		FAIL("kernel memory is readable");
	}
	CHECK_EQ(got, SIGSEGV);
	if (!sigsetjmp(jb, 1)) {
		(void)*(volatile char *)0x8000000000000000UL;
		FAIL("non-canonical address is readable");
	}
	CHECK_EQ(got, SIGSEGV);
}

TEST(fpe_ill_trap_bus)
{
	install(SIGFPE, jump, 0);
	install(SIGILL, jump, 0);
	install(SIGTRAP, info_handler, 0);
	install(SIGBUS, jump, 0);
	if (!sigsetjmp(jb, 1)) {
		volatile int zero = 0, x = 5;
		x /= zero;
		FAIL("division by zero went through");
	}
	CHECK_EQ(got, SIGFPE);
	CHECK_EQ(got_code, FPE_INTDIV);
	if (!sigsetjmp(jb, 1))
		asm volatile("ud2");
	CHECK_EQ(got, SIGILL);
	asm volatile("int3");
	CHECK_EQ(got, SIGTRAP);
	FILE *f = tmpfile();
	char *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
	if (!sigsetjmp(jb, 1)) {
		(void)*(volatile char *)m;
		FAIL("read behind the end of a file went through");
	}
	CHECK_EQ(got, SIGBUS);
	CHECK_EQ(got_code, BUS_ADRERR);
}

static char *volatile stack_at;
static void where(int sig) { stack_at = __builtin_frame_address(0); got = sig; }

TEST(alternate_stack)
{
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;
	struct sigaction sa = { .sa_handler = where, .sa_flags = SA_ONSTACK };

	CHECK_OK(sigaltstack(&ss, NULL));
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK(stack_at >= alt && stack_at < alt + sizeof(alt));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK(old.ss_sp == alt);
	ss.ss_size = 100;
	CHECK_ERR(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 0x40;
	CHECK_ERR(sigaltstack(&ss, NULL), EINVAL);
}

static void grow(int n)
{
	volatile char big[4096];

	big[0] = n;
	if (n)
		grow(n - 1);
	big[1] = big[0];
}

TEST(stack_overflow_is_caught_on_alternate_stack)
{
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct rlimit r = { 1 << 20, 1 << 20 };

	CHECK_OK(setrlimit(RLIMIT_STACK, &r));
	CHECK_OK(sigaltstack(&ss, NULL));
	install(SIGSEGV, jump, SA_ONSTACK);
	if (!sigsetjmp(jb, 1)) {
		grow(100000);
		FAIL("the stack grew past its limit");
	}
	CHECK_EQ(got, SIGSEGV);
}

TEST(sa_restart_and_eintr)
{
	int p[2];
	char c;
	struct sigaction sa = { .sa_handler = handler };

	CHECK_OK(pipe(p));
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &sa, NULL);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		t_sleep_ms(100);
		kill(getppid(), SIGUSR1);
		t_sleep_ms(200);
		kill(getppid(), SIGUSR2);
		t_sleep_ms(100);
		_exit(write(p[1], "x", 1) != 1);
	}
	CHECK_ERR(read(p[0], &c, 1), EINTR);
	CHECK_EQ(read(p[0], &c, 1), 1);		/* restarted over SIGUSR2 */
	CHECK_EQ(got, SIGUSR2);
	t_wait(pid);
}

TEST(nanosleep_tells_the_rest)
{
	struct timespec rem = { 0, 0 };

	signal(SIGALRM, handler);
	struct sigaction sa = { .sa_handler = handler };
	sigaction(SIGUSR1, &sa, NULL);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		t_sleep_ms(100);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK_ERR(nanosleep(&(struct timespec){ 50, 0 }, &rem), EINTR);
	CHECK(rem.tv_sec > 0 && rem.tv_sec < 50);
	t_wait(pid);
}

TEST(signalfd_reads_signals)
{
	struct signalfd_siginfo si;
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	int fd = CHECK_OK(signalfd(-1, &s, SFD_NONBLOCK));
	CHECK_ERR(read(fd, &si, sizeof(si)), EAGAIN);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 7 });
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR1);
	CHECK_EQ(si.ssi_int, 7);
}

static void *wait_usr1(void *arg)
{
	sigset_t s;
	int sig;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigwait(&s, &sig);
	*(int *)arg = sig;
	return NULL;
}

TEST(thread_directed_signal)
{
	pthread_t t;
	sigset_t s;
	int sig = 0;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	pthread_create(&t, NULL, wait_usr1, &sig);
	CHECK_EQ(pthread_kill(t, SIGUSR1), 0);
	pthread_join(t, NULL);
	CHECK_EQ(sig, SIGUSR1);
}

TEST(registers_survive_a_handler)
{
	/* Floating point and vector state must be the same after a handler that uses them. */
	struct sigaction sa = { .sa_handler = handler };
	double a = 1.25, b;
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 1000; i++) {
#ifdef __x86_64__
		asm volatile("movsd %1, %%xmm7; mov %2, %%rdi; mov %3, %%rsi; mov $62, %%eax; syscall; movsd %%xmm7, %0"
			     : "=m"(b) : "m"(a), "r"((long)getpid()), "r"((long)SIGUSR1)
			     : "rax", "rdi", "rsi", "rcx", "r11", "xmm7", "memory");
#else
		int r = 37;					/* i386's kill() */
		asm volatile("movsd %2, %%xmm7; int $0x80; movsd %%xmm7, %0"
			     : "=m"(b), "+a"(r) : "m"(a), "b"(getpid()), "c"(SIGUSR1) : "xmm7", "memory");
#endif
		CHECK(a == b);
	}
}

TEST(sigchld_siginfo)
{
	install(SIGCHLD, info_handler, 0);
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(4);
	while (!got)
		t_sleep_ms(1);
	CHECK_EQ(got_code, CLD_EXITED);
	CHECK_EQ(got_pid, pid);
	t_wait(pid);
}

TEST(ignored_sigchld_reaps_children)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(no_permission_to_signal_others)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		if (setuid(4321))
			_exit(9);
		_exit(kill(1, 0) == -1 && errno == EPERM ? 0 : 1);
	}
	CHECK_EQ(t_wait(pid), 0);
}

TEST(uninterruptible_handlers_nest)
{
	struct sigaction sa = { .sa_sigaction = info_handler, .sa_flags = SA_SIGINFO };

	for (int i = 0; i < 20; i++)
		sigaction(SIGRTMIN + i, &sa, NULL);
	sigset_t all, old;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int i = 19; i >= 0; i--)
		raise(SIGRTMIN + i);
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK_EQ(got_n, 20);
}
