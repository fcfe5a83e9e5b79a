/* seccomp.c: giving up system calls: strict mode, filters and their verdicts, supervisors (spec §8; man 2 seccomp, seccomp_unotify). */
#include "t.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define LEN(a)		(sizeof(a) / sizeof((a)[0]))
#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(k)		BPF_STMT(BPF_RET | BPF_K, (k))
#define UNLESS(nr)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 1, 0), RET(SECCOMP_RET_ALLOW)

static long seccomp(unsigned op, unsigned flags, void *args)
{
	return syscall(SYS_seccomp, op, flags, args);
}

static long load_flags(const struct sock_filter *f, size_t n, unsigned flags)
{
	struct sock_fprog p = { n, (struct sock_filter *)f };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &p);
}

#define load(f)		load_flags(f, LEN(f), 0)

static void no_new_privs(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* From now on the call `nr` has this verdict. */
static long judge_flags(int nr, unsigned verdict, unsigned flags)
{
	struct sock_filter f[] = { LOAD(nr), UNLESS(nr), RET(verdict) };

	no_new_privs();
	return load_flags(f, LEN(f), flags);
}

static void judge(int nr, unsigned verdict)
{
	CHECK_OK(judge_flags(nr, verdict, 0));
}

/* The number after `name:` in /proc/self/status. */
static long status_line(const char *name)
{
	char line[200];
	long v = -1;
	FILE *f = fopen("/proc/thread-self/status", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			v = atol(line + strlen(name) + 1);
	fclose(f);
	return v;
}

/* How a child that runs fn ends. */
static int end_of(void (*fn)(void))
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		fn();
		_exit(0);
	}
	return t_wait(pid);
}

/* ---- strict ---- */

static void strict_then_getpid(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(1);
	syscall(SYS_getpid);
}

static void strict_then_exit(void)
{
	if (seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL) || write(-1, "", 0) != -1)
		syscall(SYS_exit, 1);
	syscall(SYS_exit, 7);
}

TEST(strict)
{
	int st = end_of(strict_then_getpid);

	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	st = end_of(strict_then_exit);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_STRICT, 0, &st), EINVAL);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	judge(SYS_getppid, SECCOMP_RET_ERRNO);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
}

/* ---- loading ---- */

TEST(errors)
{
	struct sock_filter ok[] = { RET(SECCOMP_RET_ALLOW) };
	struct sock_fprog none = { 0, ok }, null = { 1, NULL }, bad = { 1, (void *)8 }, many = { BPF_MAXINSNS + 1, ok };
	unsigned action = 0x12340000;

	CHECK_ERR(seccomp(99, 0, NULL), EINVAL);
	no_new_privs();
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0x4000, &none), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &none), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &many), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &bad), EFAULT);
	CHECK_ERR(seccomp(SECCOMP_SET_MODE_FILTER, 0, &null), EINVAL);
	CHECK_ERR(load_flags(ok, 1, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER), EINVAL);
	CHECK_ERR(load_flags(ok, 1, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
	CHECK_ERR(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
	action = SECCOMP_RET_USER_NOTIF;
	CHECK_OK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CHECK_ERR(prctl(PR_SET_SECCOMP, 7, 0), EINVAL);
}

TEST(needs_no_new_privs)
{
	struct sock_filter f[] = { RET(SECCOMP_RET_ALLOW) };

	if (getuid())
		SKIP("not root");
	CHECK_OK(setuid(65534));
	CHECK_ERR(load(f), EACCES);
	no_new_privs();
	CHECK_OK(load(f));
	CHECK_EQ(status_line("Seccomp"), 2);
	CHECK_EQ(status_line("Seccomp_filters"), 1);
	CHECK_EQ(status_line("NoNewPrivs"), 1);
	CHECK_OK(load(f));
	CHECK_EQ(status_line("Seccomp_filters"), 2);
}

#define REFUSED(...) do { struct sock_filter f_[] = { __VA_ARGS__ }; CHECK_ERR(load(f_), EINVAL); } while (0)

TEST(checked_on_load)
{
	no_new_privs();
	REFUSED(LOAD(nr));						/* no return at the end */
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0));	/* behind the data */
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0));		/* not aligned */
	REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0));
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(0));
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RET(0));	/* beyond the end */
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(0));
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0));
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET(0));
	REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0));
	REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0));
	REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RET(0));
	REFUSED(BPF_STMT(BPF_ST, 16), RET(0));
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 3), RET(0));			/* nothing was stored there */
	REFUSED(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LD | BPF_MEM, 3), RET(0));			/* ... on one of two ways */
	REFUSED(BPF_STMT(0xff, 0), RET(0));
}

TEST(long_chains_end)
{
	static struct sock_filter f[BPF_MAXINSNS];
	int n = 0;

	for (size_t i = 0; i < LEN(f); i++)
		f[i] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	no_new_privs();
	while (!load(f))
		n++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n >= 3 && n < 8);		/* Linux counts in instructions of its own, of which these become two each */
}

/* ---- what programs compute ---- */

/* getpgid(a) fails with the number that the program makes of a. */
#define COMPUTES(a, result, ...) do { \
	struct sock_filter f_[] = { LOAD(nr), UNLESS(SYS_getpgid), LOAD(args[0]), __VA_ARGS__, \
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), \
		BPF_STMT(BPF_RET | BPF_A, 0) }; \
	pid_t pid_ = CHECK_OK(fork()); \
	if (!pid_) { \
		CHECK_OK(load(f_)); \
		CHECK_ERR(syscall(SYS_getpgid, a), result); \
		_exit(0); \
	} \
	CHECK_EQ(t_wait(pid_), 0); \
} while (0)

#define ALU(op, k)	BPF_STMT(BPF_ALU | (op) | BPF_K, (k))
#define ALUX(op)	BPF_STMT(BPF_ALU | (op) | BPF_X, 0)
#define LDX(k)		BPF_STMT(BPF_LDX | BPF_IMM, (k))
#define JUMP(op, k)	BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), 1, 0), BPF_STMT(BPF_LD | BPF_IMM, 5)

TEST(arithmetic)
{
	no_new_privs();
	COMPUTES(40, 42, ALU(BPF_ADD, 2));
	COMPUTES(40, 38, ALU(BPF_SUB, 2));
	COMPUTES(40, 120, ALU(BPF_MUL, 3));
	COMPUTES(40, 13, ALU(BPF_DIV, 3));
	COMPUTES(40, 8, ALU(BPF_AND, 12));
	COMPUTES(40, 44, ALU(BPF_OR, 12));
	COMPUTES(40, 36, ALU(BPF_XOR, 12));
	COMPUTES(40, 160, ALU(BPF_LSH, 2));
	COMPUTES(40, 10, ALU(BPF_RSH, 2));
	COMPUTES(-40, 40, ALU(BPF_NEG, 0));
	COMPUTES(40, 43, LDX(3), ALUX(BPF_ADD));
	COMPUTES(40, 13, LDX(3), ALUX(BPF_DIV));
	COMPUTES(40, 80, LDX(33), ALUX(BPF_LSH));	/* only 5 bits count */
	COMPUTES(40, 64, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0));
	COMPUTES(40, 64, BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0));
	COMPUTES(40, 80, BPF_STMT(BPF_MISC | BPF_TAX, 0), ALUX(BPF_ADD));
	COMPUTES(40, 40, BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LD | BPF_MEM, 15));
	COMPUTES(40, 41, BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LDX | BPF_MEM, 0), BPF_STMT(BPF_STX, 7), LDX(1), ALUX(BPF_ADD));
	COMPUTES(40, 40, JUMP(BPF_JEQ, 40));
	COMPUTES(41, 5, JUMP(BPF_JEQ, 40));
	COMPUTES(40, 5, JUMP(BPF_JGT, 40));
	COMPUTES(-1, 0xfff, JUMP(BPF_JGT, 40));		/* unsigned */
	COMPUTES(40, 40, JUMP(BPF_JGE, 40));
	COMPUTES(40, 40, JUMP(BPF_JSET, 8));
	COMPUTES(40, 5, JUMP(BPF_JSET, 7));
	COMPUTES(40, 40, BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_LD | BPF_IMM, 5));
	COMPUTES(1L << 32 | 3, 1, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4));
}

/* ---- verdicts ---- */

TEST(errno_of_the_filter)
{
	judge(SYS_getppid, SECCOMP_RET_ERRNO | 77);
	CHECK_ERR(syscall(SYS_getppid), 77);
	judge(SYS_getpgrp, SECCOMP_RET_ERRNO | 0xffff);
	CHECK_ERR(syscall(SYS_getpgrp), 4095);
	judge(SYS_getuid, SECCOMP_RET_ERRNO);
	CHECK_EQ(syscall(SYS_getuid), 0);	/* error 0: success of a call that was not made */
}

TEST(strictest_wins_then_newest)
{
	judge(SYS_getppid, SECCOMP_RET_ERRNO | 1);
	judge(SYS_getppid, SECCOMP_RET_ALLOW);
	CHECK_ERR(syscall(SYS_getppid), 1);
	judge(SYS_getppid, SECCOMP_RET_ERRNO | 2);
	CHECK_ERR(syscall(SYS_getppid), 2);
	judge(SYS_getppid, SECCOMP_RET_TRACE);
	CHECK_ERR(syscall(SYS_getppid), 2);
}

TEST(sees_number_and_architecture)
{
	struct sock_filter f[] = {
		LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), RET(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr), UNLESS(100000), RET(SECCOMP_RET_ERRNO | 33),
	};

	no_new_privs();
	CHECK_OK(load(f));
	CHECK_ERR(syscall(100000), 33);		/* a call that nobody has */
	CHECK_ERR(syscall(100001), ENOSYS);
}

static volatile siginfo_t seen;
static volatile long seen_rax;

static void on_sigsys(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	seen = *info;
	seen_rax = ((ucontext_t *)uc)->uc_mcontext.gregs[REG_RAX];
	((ucontext_t *)uc)->uc_mcontext.gregs[REG_RAX] = 4321;
}

TEST(trap)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSYS, &sa, NULL));
	judge(SYS_getppid, SECCOMP_RET_TRAP | 55);
	CHECK_EQ(syscall(SYS_getppid), 4321);	/* as the handler says */
	CHECK_EQ(seen.si_signo, SIGSYS);
	CHECK_EQ(seen.si_code, 1 /* SYS_SECCOMP */);
	CHECK_EQ(seen.si_errno, 55);
	CHECK_EQ(seen.si_syscall, SYS_getppid);
	CHECK_EQ(seen.si_arch, AUDIT_ARCH_X86_64);
	CHECK(seen.si_call_addr);
	CHECK_EQ(seen_rax, SYS_getppid);
}

static void trap_unhandled(void)
{
	judge(SYS_getppid, SECCOMP_RET_TRAP);
	signal(SIGSYS, SIG_IGN);		/* cannot be ignored */
	syscall(SYS_getppid);
}

static void *call_getppid(void *arg)
{
	(void)arg;
	return (void *)syscall(SYS_getppid);
}

static void kill_process_in_thread(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	pthread_t t;

	sigaction(SIGSYS, &sa, NULL);		/* is not asked */
	judge(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
	pthread_create(&t, NULL, call_getppid, NULL);
	pthread_join(t, NULL);
	_exit(3);
}

static void unknown_verdict(void)
{
	judge(SYS_getppid, 0x00010000);		/* no such action: as strict as the strictest */
	syscall(SYS_getppid);
}

static void kill_only_thread(void)
{
	judge(SYS_getppid, SECCOMP_RET_KILL_THREAD);
	syscall(SYS_getppid);
}

static void divide_by_zero(void)
{
	struct sock_filter f[] = { LOAD(nr), UNLESS(SYS_getppid), ALUX(BPF_DIV), RET(SECCOMP_RET_ALLOW) };

	no_new_privs();
	load(f);
	syscall(SYS_getppid);
}

TEST(kill)
{
	void (*const ways[])(void) = { trap_unhandled, kill_process_in_thread, unknown_verdict, kill_only_thread, divide_by_zero };

	for (size_t i = 0; i < LEN(ways); i++) {
		int st = end_of(ways[i]);

		if (!WIFSIGNALED(st) || WTERMSIG(st) != SIGSYS)
			FAIL("way %zu: status %#x", i, st);
	}
}

static int thread_went_on;

static void *dies_of_getppid(void *arg)
{
	(void)arg;
	syscall(SYS_getppid);
	thread_went_on = 1;
	return NULL;
}

TEST(kill_one_thread)
{
	pthread_t t;
	int clear;

	judge(SYS_getppid, SECCOMP_RET_KILL_THREAD);
	CHECK_EQ(pthread_create(&t, NULL, dies_of_getppid, NULL), 0);
	/* The kernel clears the thread's number in memory at its end, on which join waits. */
	CHECK_EQ(pthread_join(t, NULL), 0);
	clear = thread_went_on;
	CHECK_EQ(clear, 0);
}

TEST(actions_logged)
{
	const char *path = "/proc/sys/kernel/seccomp/actions_logged", *all = "kill_process kill_thread trap errno user_notif trace log\n";
	int fd = CHECK_OK(open(path, geteuid() ? O_RDONLY : O_RDWR));
	char buf[200] = "";

	CHECK_OK(pread(fd, buf, sizeof(buf) - 1, 0));
	CHECK_STR(buf, all);
	if (geteuid())
		SKIP("needs root");
	CHECK_OK(pwrite(fd, "log trap", 8, 0));
	memset(buf, 0, sizeof(buf));
	CHECK_OK(pread(fd, buf, sizeof(buf) - 1, 0));
	CHECK_STR(buf, "trap log\n");
	CHECK_ERR(pwrite(fd, "trap allow", 10, 0), EINVAL);
	CHECK_ERR(pwrite(fd, "nothing", 7, 0), EINVAL);
	CHECK_OK(pwrite(fd, all, strlen(all), 0));
}

TEST(log_lets_through)
{
	pid_t parent = getppid();

	judge(SYS_getppid, SECCOMP_RET_LOG);
	CHECK_EQ(syscall(SYS_getppid), parent);
}

TEST(inherited)
{
	char buf[100] = "";
	int p[2], st;
	pid_t pid;

	judge(SYS_mkdir, SECCOMP_RET_ERRNO | EXDEV);
	CHECK_OK(pipe(p));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_ERR(syscall(SYS_mkdir, "/", 0), EXDEV);
		dup2(p[1], 1);
		execl("/bin/sh", "sh", "-c", "while read k v; do [ $k = Seccomp: ] && echo $v; done < /proc/self/status; true", NULL);
		_exit(1);
	}
	close(p[1]);
	CHECK_OK(read(p[0], buf, sizeof(buf) - 1));
	st = t_wait(pid);
	CHECK_EQ(st, 0);
	CHECK_STR(buf, "2\n");
}

/* ---- threads ---- */

static pthread_barrier_t barrier;
static pid_t other_tid;
static long other_result;
static int other_diverges;

static void *other_thread(void *arg)
{
	(void)arg;
	other_tid = syscall(SYS_gettid);
	if (other_diverges)
		judge(SYS_getpgrp, SECCOMP_RET_ERRNO);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	other_result = syscall(SYS_getppid) < 0 ? errno : 0;
	return NULL;
}

#define ITS_TID	-2

static void with_other_thread(int diverges, unsigned flags, long want, int want_errno, long other)
{
	pthread_t t;

	other_diverges = diverges;
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&t, NULL, other_thread, NULL), 0);
	pthread_barrier_wait(&barrier);
	errno = 0;
	CHECK_EQ(judge_flags(SYS_getppid, SECCOMP_RET_ERRNO | 9, flags), want == ITS_TID ? other_tid : want);
	CHECK_EQ(errno, want_errno);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(other_result, other);
}

#define TSYNC	SECCOMP_FILTER_FLAG_TSYNC

TEST(tsync_reaches_all_threads)
{
	pthread_t t;

	judge(SYS_getpgrp, SECCOMP_RET_ERRNO);
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&t, NULL, other_thread, NULL), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(judge_flags(SYS_getppid, SECCOMP_RET_ERRNO | 9, TSYNC), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(other_result, 9);
}

TEST(without_tsync_only_the_caller)
{
	with_other_thread(0, 0, 0, 0, 0);
}

TEST(tsync_names_the_thread_in_the_way)
{
	with_other_thread(1, TSYNC, ITS_TID, 0, 0);
	CHECK_EQ(status_line("Seccomp"), 0);	/* nothing was attached */
}

TEST(tsync_esrch)
{
	with_other_thread(1, TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, -1, ESRCH, 0);
}

/* ---- a tracer decides ---- */

TEST(trace_without_tracer)
{
	judge(SYS_getppid, SECCOMP_RET_TRACE | 5);
	CHECK_ERR(syscall(SYS_getppid), ENOSYS);
}

static void wait_event(pid_t pid, unsigned long message)
{
	unsigned long msg = 0;
	int st = t_wait(pid);

	CHECK(WIFSTOPPED(st) && st >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8));
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &msg));
	CHECK_EQ(msg, message);
}

TEST(trace)
{
	struct user_regs_struct regs;
	int st;
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		judge(SYS_getppid, SECCOMP_RET_TRACE | 5);
		if (syscall(SYS_getppid) != getppid() && 0)
			_exit(1);
		if (syscall(SYS_getppid) != 1234)
			_exit(2);
		_exit(syscall(SYS_getppid) == getpid() ? 0 : 3);
	}
	st = t_wait(pid);
	CHECK(WIFSTOPPED(st));
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	wait_event(pid, 5);				/* the first is let through: libc's getppid() is the second */
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	wait_event(pid, 5);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	wait_event(pid, 5);				/* left out: number -1, the result is the tracer's */
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
	CHECK_EQ(regs.orig_rax, SYS_getppid);
	regs.orig_rax = -1;
	regs.rax = 1234;
	CHECK_OK(ptrace(PTRACE_SETREGS, pid, 0, &regs));
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	wait_event(pid, 5);				/* another call in its place */
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
	regs.orig_rax = SYS_getpid;
	CHECK_OK(ptrace(PTRACE_SETREGS, pid, 0, &regs));
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	st = t_wait(pid);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 0);
}

/* ---- a tracer reads the filters ---- */

TEST(tracer_reads_filters)
{
	static const struct sock_filter first[] = { LOAD(nr), UNLESS(SYS_getppid), RET(SECCOMP_RET_ERRNO | 7) };
	static const struct sock_filter second[] = { RET(SECCOMP_RET_ALLOW) };
	struct sock_filter got[16] = {};
	struct { uint64_t off, flags; } meta = { 1, 77 };
	int st;
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		no_new_privs();
		CHECK_OK(load(first));
		CHECK_OK(load_flags(second, 1, SECCOMP_FILTER_FLAG_LOG));
		raise(SIGSTOP);
		_exit(0);
	}
	st = t_wait(pid);
	CHECK(WIFSTOPPED(st));
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL) < 0 && errno != EINVAL) {
		kill(pid, SIGKILL);
		SKIP("no right to look at filters, or a kernel that does not show them (errno %d)", errno);
	}
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL), EINVAL);	/* it has none */
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 16, &meta), EINVAL);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	st = t_wait(pid);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL), 4);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, got), 4);
	CHECK(!memcmp(got, first, sizeof(first)));
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1, got), 1);
	CHECK(!memcmp(got, second, sizeof(second)));
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 2, got), ENOENT);
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, -1, got), ENOENT);
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, (void *)8), EFAULT);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 16, &meta), 16);
	CHECK_EQ(meta.flags, SECCOMP_FILTER_FLAG_LOG);
	CHECK_EQ(meta.off, 1);
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 7, &meta), EINVAL);
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 16, (void *)8), EFAULT);
	meta.off = 5;
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 16, &meta), ENOENT);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL), EACCES);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	st = t_wait(pid);
	CHECK(WIFEXITED(st) && !WEXITSTATUS(st));
}

/* ---- a supervisor decides ---- */

#define LISTEN	SECCOMP_FILTER_FLAG_NEW_LISTENER

/* A child that makes its calls under a filter whose listener we have: *listener. */
static pid_t supervised(int nr, unsigned flags, int *listener, void (*fn)(void))
{
	int sv[2];
	pid_t pid;
	char c = 0;
	struct iovec iov = { &c, 1 };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr h; } u = {};
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u.buf) };

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = CHECK_OK(fork());
	if (!pid) {
		int fd = CHECK_OK(judge_flags(nr, SECCOMP_RET_USER_NOTIF, LISTEN | flags));

		u.h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
		CHECK_OK(sendmsg(sv[0], &m, 0));
		close(fd);
		close(sv[0]);
		close(sv[1]);
		fn();
		_exit(0);
	}
	CHECK_EQ(recvmsg(sv[1], &m, 0), 1);
	memcpy(listener, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	close(sv[0]);
	close(sv[1]);
	return pid;
}

static struct seccomp_notif receive(int fd)
{
	struct seccomp_notif n = {};

	CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
	return n;
}

static void answer(int fd, unsigned long long id, long val, int error, unsigned flags)
{
	struct seccomp_notif_resp r = { id, val, error, flags };

	CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
}

static void three_calls(void)
{
	pid_t me = getppid();		/* asked, answered with 42 */

	if (me != 42)
		_exit(1);
	if (syscall(SYS_getppid, 11, 22, 33, 44, 55, 66) != -1 || errno != EBUSY)
		_exit(2);
	if (syscall(SYS_getppid) <= 42)
		_exit(3);
}

TEST(notify)
{
	struct seccomp_notif n = { .flags = 1 };
	struct seccomp_notif_resp r = {};
	struct pollfd p = { .events = POLLIN | POLLOUT };
	unsigned long long id;
	int fd;
	pid_t pid = supervised(SYS_getppid, 0, &fd, three_calls);

	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL);	/* must be zero */
	p.fd = fd;
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	n = receive(fd);
	CHECK_EQ(n.pid, pid);
	CHECK_EQ(n.data.nr, SYS_getppid);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLOUT);
	id = n.id;
	CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
	r.id = id + 1000;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), ENOENT);
	r.flags = 2;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), EINVAL);
	r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	r.error = -1;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), EINVAL);
	answer(fd, n.id, 42, 0, 0);

	n = receive(fd);
	CHECK_EQ(n.data.args[0], 11);
	CHECK_EQ(n.data.args[3], 44);
	CHECK_EQ(n.data.args[5], 66);
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT);
	answer(fd, n.id, 0, -EBUSY, 0);
	n = receive(fd);
	answer(fd, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	CHECK_EQ(t_wait(pid), 0);
	do
		CHECK_EQ(poll(&p, 1, -1), 1);
	while (!(p.revents & POLLHUP));
	memset(&n, 0, sizeof(n));
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n), ENOENT);
}

static void one_call(void)
{
	if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
		_exit(1);
	if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
		_exit(2);
}

TEST(notify_supervisor_goes)
{
	int fd;
	pid_t pid = supervised(SYS_getppid, 0, &fd, one_call);

	receive(fd);
	close(fd);
	CHECK_EQ(t_wait(pid), 0);
}

TEST(notify_one_listener_a_chain)
{
	int fd = CHECK_OK(judge_flags(SYS_getppid, SECCOMP_RET_USER_NOTIF, LISTEN));

	CHECK_ERR(judge_flags(SYS_getpgrp, SECCOMP_RET_USER_NOTIF, LISTEN), EBUSY);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	CHECK_OK(judge_flags(SYS_getpgrp, SECCOMP_RET_USER_NOTIF, LISTEN));
}

static volatile int got_signal;

static void on_usr1(int sig)
{
	(void)sig;
	got_signal = 1;
}

static void call_until_signal(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };

	sigaction(SIGUSR1, &sa, NULL);
	if (syscall(SYS_getppid) != -1 || errno != EINTR || !got_signal)
		_exit(1);
}

TEST(notify_signal_ends_the_wait)
{
	struct seccomp_notif_resp r = {};
	struct seccomp_notif n;
	int fd;
	pid_t pid = supervised(SYS_getppid, 0, &fd, call_until_signal);

	n = receive(fd);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EQ(t_wait(pid), 0);
	r.id = n.id;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r), ENOENT);
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
}

static void call_in_spite_of_signal(void)
{
	signal(SIGUSR1, on_usr1);
	if (syscall(SYS_getppid) != 77 || !got_signal)
		_exit(1);
}

TEST(notify_wait_killable)
{
	struct seccomp_notif n;
	int fd;
	pid_t pid = supervised(SYS_getppid, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &fd, call_in_spite_of_signal);

	n = receive(fd);
	CHECK_OK(kill(pid, SIGUSR1));
	t_sleep_ms(50);
	CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	answer(fd, n.id, 77, 0, 0);
	CHECK_EQ(t_wait(pid), 0);
}

static void uses_given_files(void)
{
	char c = 0;
	int fd = syscall(SYS_getppid);

	if (read(100, &c, 1) != 1 || c != 'x')
		_exit(1);
	if (!(fcntl(100, F_GETFD) & FD_CLOEXEC))
		_exit(2);
	if (read(fd, &c, 1) != 1 || c != 'y')
		_exit(3);
	fd = syscall(SYS_getppid);
	if (fd < 0 || read(fd, &c, 1) != 1 || c != 'z')
		_exit(4);
}

TEST(notify_addfd)
{
	struct seccomp_notif_addfd a = {};
	struct seccomp_notif n;
	int fd, p[2], given;
	pid_t pid;

	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "xyz", 3), 3);
	pid = supervised(SYS_getppid, 0, &fd, uses_given_files);
	n = receive(fd);
	a.id = n.id;
	a.srcfd = 12345;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	a.srcfd = p[0];
	a.newfd = 100;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.flags = SECCOMP_ADDFD_FLAG_SETFD;
	a.newfd_flags = O_APPEND;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.newfd_flags = O_CLOEXEC;
	a.id++;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), ENOENT);
	a.id--;
	CHECK_EQ(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), 100);
	a.flags = a.newfd = a.newfd_flags = 0;
	given = CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a));
	answer(fd, n.id, given, 0, 0);

	n = receive(fd);
	a.id = n.id;
	a.flags = SECCOMP_ADDFD_FLAG_SEND;		/* the descriptor is the answer */
	CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a));
	CHECK_EQ(t_wait(pid), 0);
}
