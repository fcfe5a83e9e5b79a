/* ptrace.c: tracing: stops, memory, registers, steps, events, system calls, attach and seize, group stop (spec §3, §8). */
#include "t.h"
#include <pthread.h>
#include <stddef.h>
#include <sched.h>
#include <elf.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

static volatile long word = 0x1122334455667788;
static volatile int watched;

/* A child that asks to be traced, stops itself and then runs f. */
static pid_t traced(void (*f)(void))
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		f();
		_exit(0);
	}
	int st = t_wait(pid);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	return pid;
}

static int go(pid_t pid, int req, int sig)
{
	int st;

	CHECK_OK(ptrace(req, pid, 0, (void *)(long)sig));
	CHECK_EQ(waitpid(pid, &st, __WALL), pid);
	return st;
}

static void finish(pid_t pid)
{
	int st = go(pid, PTRACE_CONT, 0);

	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 0);
}

static void nothing(void) { }
static void one_call(void) { syscall(SYS_getppid); }

TEST(traceme_stop_continue_exit)
{
	finish(traced(nothing));
}

TEST(requests_without_a_tracee)
{
	CHECK_ERR(ptrace(PTRACE_CONT, getpid(), 0, 0), ESRCH);
	CHECK_ERR(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(ptrace(PTRACE_ATTACH, 0x3ffffff, 0, 0), ESRCH);
	CHECK_ERR(ptrace(PTRACE_SEIZE, getppid(), 1, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_SEIZE, getppid(), 0, (void *)0x40000000), EIO);
}

TEST(bad_signal_bad_options)
{
	pid_t pid = traced(nothing);

	CHECK_ERR(ptrace(PTRACE_CONT, pid, 0, (void *)1000L), EIO);
	CHECK_ERR(ptrace(PTRACE_SETOPTIONS, pid, 0, (void *)0x40000000L), EINVAL);
	CHECK_ERR(ptrace(0x1234, pid, 0, 0), EIO);
	finish(pid);
}

static void check_word(void) { _exit(word == 42 ? 7 : 8); }
TEST(peek_and_poke)
{
	pid_t pid = traced(check_word);
	int st;

	errno = 0;
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &word, 0), 0x1122334455667788);
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, pid, (void *)8, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEDATA, pid, (void *)8, 0), EIO);
	CHECK_OK(ptrace(PTRACE_POKEDATA, pid, &word, 42));
	st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(WEXITSTATUS(st), 7);
	CHECK_EQ(word, 0x1122334455667788);
}

__attribute__((noinline)) static void breakpoint_here(void) { asm volatile("nop; nop"); }
TEST(software_breakpoint_in_text)
{
	pid_t pid = traced(breakpoint_here);
	struct user_regs_struct r;
	long text, addr = (long)breakpoint_here;
	int st;

	errno = 0;
	text = ptrace(PTRACE_PEEKTEXT, pid, addr, 0);
	CHECK_EQ(errno, 0);
	CHECK_OK(ptrace(PTRACE_POKETEXT, pid, addr, (text & ~0xffL) | 0xcc));
	st = go(pid, PTRACE_CONT, 0);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.rip, addr + 1);
	CHECK_OK(ptrace(PTRACE_POKETEXT, pid, addr, text));
	r.rip = addr;
	CHECK_OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	finish(pid);
	breakpoint_here();
}

TEST(proc_mem_and_tracer_pid)
{
	pid_t pid = traced(check_word);
	char path[64], buf[4096];
	long v = 42;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(pwrite(fd, &v, sizeof(v), (off_t)&word), sizeof(v));
	v = 0;
	CHECK_EQ(pread(fd, &v, sizeof(v), (off_t)&word), sizeof(v));
	CHECK_EQ(v, 42);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	n = CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	buf[n] = 0;
	CHECK(strstr(buf, "State:\tt (tracing stop)"));
	CHECK_EQ(atoi(strstr(buf, "TracerPid:") + 10), getpid());
	CHECK_EQ(WEXITSTATUS(go(pid, PTRACE_CONT, 0)), 7);
}

TEST(peekuser_is_getregs)
{
	pid_t pid = traced(nothing);
	struct user_regs_struct r;

	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	errno = 0;
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0), r.rip);
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.fs_base), 0), r.fs_base);
	CHECK_EQ(errno, 0);
	CHECK(r.fs_base && r.cs == 0x33 && r.ss == 0x2b);
	CHECK_ERR(ptrace(PTRACE_PEEKUSER, pid, 3, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_PEEKUSER, pid, 4096, 0), EIO);
	r.cs = 0x10;
	CHECK_ERR(ptrace(PTRACE_SETREGS, pid, 0, &r), EIO);
	finish(pid);
}

TEST(regsets)
{
	pid_t pid = traced(nothing);
	struct user_regs_struct r, s;
	struct user_fpregs_struct f;
	static char x[16384];
	struct iovec v = { &r, sizeof(r) };

	CHECK_OK(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
	CHECK_EQ(v.iov_len, sizeof(r));
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &s));
	CHECK(!memcmp(&r, &s, sizeof(r)));
	v = (struct iovec){ &f, sizeof(f) };
	CHECK_OK(ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &v));
	CHECK_EQ(v.iov_len, 512);
	CHECK_EQ(f.mxcsr, 0x1f80);
	v = (struct iovec){ x, sizeof(x) };
	if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &v) == 0) {
		CHECK(v.iov_len >= 576 && *(unsigned long *)(x + 464) & 3);
		CHECK(!memcmp(x, &f, 160));
		CHECK_OK(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v));
	} else {
		CHECK_EQ(errno, ENODEV);
	}
	CHECK_ERR(ptrace(PTRACE_GETREGSET, pid, 0x7777, &v), EINVAL);
	finish(pid);
}

/* The tracer puts 5 into xmm0 while the child stands at an int3. */
static void fp_stop(void)
{
	double d = 2.0;

	asm volatile("movsd %0, %%xmm0; int3; movsd %%xmm0, %0" : "+m" (d) : : "xmm0");
	_exit(d == 5.0 ? 7 : 8);
}
TEST(fp_registers_read_and_written)
{
	pid_t pid = traced(fp_stop);
	struct user_fpregs_struct f;
	double d;
	int st = go(pid, PTRACE_CONT, 0);

	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
	CHECK_OK(ptrace(PTRACE_GETFPREGS, pid, 0, &f));
	memcpy(&d, f.xmm_space, sizeof(d));
	CHECK(d == 2.0);
	d = 5.0;
	memcpy(f.xmm_space, &d, sizeof(d));
	CHECK_OK(ptrace(PTRACE_SETFPREGS, pid, 0, &f));
	CHECK_EQ(WEXITSTATUS(go(pid, PTRACE_CONT, 0)), 7);
}

static void die_of_usr1(void) { raise(SIGUSR1); _exit(3); }
TEST(signal_suppressed)
{
	pid_t pid = traced(die_of_usr1);
	siginfo_t si;
	int st = go(pid, PTRACE_CONT, 0);

	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGUSR1);
	CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
	CHECK_EQ(si.si_signo, SIGUSR1);
	CHECK_EQ(si.si_code, SI_TKILL);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(WEXITSTATUS(go(pid, PTRACE_CONT, 0)), 3);
}

TEST(signal_delivered_and_changed)
{
	pid_t pid = traced(die_of_usr1);
	int st = go(pid, PTRACE_CONT, 0);

	CHECK(WIFSTOPPED(st));
	st = go(pid, PTRACE_CONT, SIGUSR1);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGUSR1);
	pid = traced(die_of_usr1);
	go(pid, PTRACE_CONT, 0);
	st = go(pid, PTRACE_CONT, SIGTERM);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
}

static void value_handler(int sig, siginfo_t *si, void *uc) { (void)sig; (void)uc; _exit(si->si_value.sival_int); }
static void queue_to_self(void)
{
	struct sigaction sa = { .sa_sigaction = value_handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &sa, NULL);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 1 });
}
TEST(setsiginfo)
{
	pid_t pid = traced(queue_to_self);
	siginfo_t si;
	int st = go(pid, PTRACE_CONT, 0);

	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGUSR1);
	CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
	si.si_value.sival_int = 9;
	CHECK_OK(ptrace(PTRACE_SETSIGINFO, pid, 0, &si));
	CHECK_EQ(WEXITSTATUS(go(pid, PTRACE_CONT, SIGUSR1)), 9);
}

static void ignore_usr1(void) { signal(SIGUSR1, SIG_IGN); raise(SIGUSR1); }
TEST(ignored_signal_is_seen)
{
	pid_t pid = traced(ignore_usr1);
	int st = go(pid, PTRACE_CONT, 0);

	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGUSR1);
	CHECK(WIFEXITED(go(pid, PTRACE_CONT, SIGUSR1)));
}

TEST(sigmask_and_peeksiginfo)
{
	pid_t pid = traced(nothing);
	struct __ptrace_peeksiginfo_args a = { 0, PTRACE_PEEKSIGINFO_SHARED, 4 };
	unsigned long mask = 0;
	siginfo_t si[4];

	CHECK_OK(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask));
	CHECK_EQ(mask & (1UL << (SIGUSR2 - 1)), 0);
	mask |= 1UL << (SIGUSR2 - 1);
	CHECK_OK(ptrace(PTRACE_SETSIGMASK, pid, 8, &mask));
	CHECK_ERR(ptrace(PTRACE_GETSIGMASK, pid, 4, &mask), EINVAL);
	CHECK_OK(kill(pid, SIGUSR2));
	CHECK_EQ(ptrace(PTRACE_PEEKSIGINFO, pid, &a, si), 1);
	CHECK_EQ(si[0].si_signo, SIGUSR2);
	finish(pid);
}

TEST(syscall_stops_and_info)
{
	pid_t pid = traced(one_call);
	struct __ptrace_syscall_info i;
	struct user_regs_struct r;
	int st, seen = 0;

	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	for (;;) {
		st = go(pid, PTRACE_SYSCALL, 0);
		if (WIFEXITED(st))
			break;
		CHECK_EQ(WSTOPSIG(st), SIGTRAP | 0x80);
		CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i) > 0);
		CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
		CHECK_EQ(i.arch, 0xc000003e);
		CHECK_EQ(i.instruction_pointer, r.rip);
		if (i.op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr == SYS_getppid) {
			CHECK_EQ(r.rax, -ENOSYS);
			seen = 1;
		} else if (seen == 1) {
			CHECK_EQ(i.op, PTRACE_SYSCALL_INFO_EXIT);
			CHECK_EQ(i.exit.rval, getpid());
			CHECK_EQ(i.exit.is_error, 0);
			CHECK_EQ(r.orig_rax, SYS_getppid);
			seen = 2;
		}
	}
	CHECK_EQ(seen, 2);
}

static void getppid_gives_77(void) { _exit(syscall(SYS_getppid) == 77 ? 7 : 8); }
TEST(syscall_replaced_and_result_changed)
{
	pid_t pid = traced(getppid_gives_77);
	struct user_regs_struct r;
	int st;

	do {
		st = go(pid, PTRACE_SYSCALL, 0);
		CHECK(WIFSTOPPED(st));
		CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	} while (r.orig_rax != SYS_getppid);
	r.orig_rax = -1UL;
	CHECK_OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	go(pid, PTRACE_SYSCALL, 0);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.rax, -ENOSYS);
	r.rax = 77;
	CHECK_OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	CHECK_EQ(WEXITSTATUS(go(pid, PTRACE_CONT, 0)), 7);
}

TEST(sysemu_makes_no_call)
{
	pid_t pid = traced(getppid_gives_77);
	struct user_regs_struct r;
	int st;

	do {
		st = go(pid, PTRACE_SYSCALL, 0);
		CHECK(WIFSTOPPED(st));
		CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	} while (r.orig_rax != SYS_getppid);
	go(pid, PTRACE_SYSCALL, 0);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.rax, getpid());
	st = go(pid, PTRACE_SYSEMU, 0);		/* exit_group: seen, not made */
	CHECK(WIFSTOPPED(st));
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.orig_rax, SYS_exit_group);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK(WIFSIGNALED(t_wait(pid)));
}

static void step_code(void) { asm volatile("int3; nop; nop; mov $39, %%eax; syscall; nop; nop" : : : "rax", "rcx", "r11"); }
TEST(single_step)
{
	pid_t pid = traced(step_code);
	struct user_regs_struct r;
	static const int length[] = { 1, 1, 5, 2, 1 };
	siginfo_t si;
	long ip;

	go(pid, PTRACE_CONT, 0);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	for (unsigned int i = 0; i < 5; i++) {
		int st;

		ip = r.rip;
		st = go(pid, PTRACE_SINGLESTEP, 0);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
		CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
		CHECK_EQ(si.si_code, i == 3 ? TRAP_BRKPT : TRAP_TRACE);
		CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
		CHECK_EQ(r.rip, ip + length[i]);
		CHECK_EQ(r.eflags & 0x100, 0);
		if (i == 3)
			CHECK_EQ(r.rax, pid);
	}
	finish(pid);
}

static void do_watch(void) { watched = 1; watched = 2; }
TEST(hardware_watch_point)
{
	pid_t pid = traced(do_watch);
	unsigned long dr = offsetof(struct user, u_debugreg);
	siginfo_t si;
	long v;
	int st;

	CHECK_ERR(ptrace(PTRACE_POKEUSER, pid, dr, 0xffffffff80000000UL), EINVAL);
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr, &watched));
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr + 7 * 8, 1 | 1 << 16 | 3 << 18));	/* L0, write, 4 bytes */
	for (int i = 1; i <= 2; i++) {
		st = go(pid, PTRACE_CONT, 0);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
		CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
		CHECK_EQ(si.si_code, TRAP_HWBKPT);
		errno = 0;
		CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, dr + 6 * 8, 0) & 0xf, 1);
		v = ptrace(PTRACE_PEEKDATA, pid, &watched, 0);
		CHECK_EQ((int)v, i);
	}
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr + 7 * 8, 0));
	finish(pid);
}

TEST(hardware_break_point)
{
	pid_t pid = traced(breakpoint_here);
	unsigned long dr = offsetof(struct user, u_debugreg);
	struct user_regs_struct r;
	int st;

	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr, breakpoint_here));
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr + 7 * 8, 1));
	st = go(pid, PTRACE_CONT, 0);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.rip, (long)breakpoint_here);
	finish(pid);
}

/* ---- events ---- */

static void fork_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(4);
	waitpid(pid, NULL, 0);
}
TEST(event_fork_and_child_is_traced)
{
	pid_t pid = traced(fork_child);
	unsigned long msg;
	int st;

	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK));
	st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_FORK << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &msg));
	CHECK_EQ(waitpid(msg, &st, __WALL), msg);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	st = go(msg, PTRACE_CONT, 0);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 4);
	/* The real parent gets its SIGCHLD now, which is a stop, too. */
	st = go(pid, PTRACE_CONT, 0);
	if (WIFSTOPPED(st)) {
		CHECK_EQ(WSTOPSIG(st), SIGCHLD);
		finish(pid);
	}
}

static void vfork_child(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(4);
	waitpid(pid, NULL, 0);
}
TEST(event_vfork_and_done)
{
	pid_t pid = traced(vfork_child);
	unsigned long msg, done;
	int st;

	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE));
	st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_VFORK << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &msg));
	CHECK_EQ(waitpid(msg, &st, __WALL), msg);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(ptrace(PTRACE_DETACH, msg, 0, 0));
	CHECK_EQ(waitpid(pid, &st, __WALL), pid);
	while (WSTOPSIG(st) == SIGCHLD)
		st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_VFORK_DONE << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &done));
	CHECK_EQ(done, msg);
	do
		st = go(pid, PTRACE_CONT, 0);
	while (WIFSTOPPED(st));
	CHECK(WIFEXITED(st));
}

static void *thread_fn(void *arg) { return arg; }
static void run_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_fn, NULL);
	pthread_join(t, NULL);
}
TEST(event_clone_of_a_thread)
{
	pid_t pid = traced(run_thread);
	unsigned long msg;
	int st;

	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_CLONE << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &msg));
	CHECK_EQ(waitpid(msg, &st, __WALL), msg);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	st = go(msg, PTRACE_CONT, 0);
	CHECK(WIFEXITED(st));
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

static void exec_true(void) { execl("/proc/self/exe", "t", "--no-such-case", NULL); _exit(9); }
TEST(event_exec_and_exit)
{
	pid_t pid = traced(exec_true);
	unsigned long msg;
	int st;

	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT));
	st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_EXEC << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &msg));
	CHECK_EQ(msg, pid);
	CHECK_OK(kill(pid, SIGTERM));
	st = go(pid, PTRACE_CONT, 0);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTERM);
	st = go(pid, PTRACE_CONT, SIGTERM);
	CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &msg));
	CHECK_EQ(msg, SIGTERM);
	st = go(pid, PTRACE_CONT, 0);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
}

TEST(exec_without_the_option_is_a_sigtrap)
{
	pid_t pid = traced(exec_true);
	int st = go(pid, PTRACE_CONT, 0);

	CHECK_EQ(st >> 8, SIGTRAP);
	CHECK_OK(kill(pid, SIGKILL));
	st = t_wait(pid);
	CHECK(WIFSIGNALED(st));
}

/* ---- attach, seize ---- */

static pid_t sleeper(void)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		for (;;)
			pause();
	return pid;
}
static void kill_it(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK(WIFSIGNALED(t_wait(pid)));
}

TEST(attach_detach)
{
	pid_t pid = sleeper();
	int st;

	CHECK_OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	CHECK_ERR(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	st = t_wait(pid);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	CHECK_ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	t_wait(pid);
	CHECK_OK(ptrace(PTRACE_DETACH, pid, 0, (void *)(long)SIGTERM));
	st = t_wait(pid);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
}

TEST(attach_to_a_stopped_task)
{
	pid_t pid = sleeper();
	int st;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK_OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	CHECK_EQ(waitpid(pid, &st, WNOHANG), pid);	/* at once: the attach waited for the change */
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	CHECK_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	kill_it(pid);
}

TEST(seize_interrupt_listen)
{
	pid_t pid = sleeper();
	siginfo_t si;
	int st;

	CHECK_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	CHECK_EQ(t_wait(pid) >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(kill(pid, SIGSTOP));
	st = t_wait(pid);
	CHECK_EQ(st >> 8, SIGSTOP);				/* the signal */
	st = go(pid, PTRACE_CONT, SIGSTOP);
	CHECK_EQ(st >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);	/* the group stop */
	CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
	CHECK_OK(ptrace(PTRACE_LISTEN, pid, 0, 0));
	CHECK_ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(t_wait(pid) >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
	st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGCONT);
	CHECK_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	kill_it(pid);
}

TEST(group_stop_of_an_attached_task)
{
	pid_t pid = traced(die_of_usr1);
	siginfo_t si;
	int st;

	CHECK_OK(kill(pid, SIGTSTP));
	CHECK_OK(kill(pid, SIGSTOP));
	st = go(pid, PTRACE_CONT, 0);
	while (WSTOPSIG(st) == SIGTSTP)
		st = go(pid, PTRACE_CONT, 0);
	CHECK_EQ(st >> 8, SIGSTOP);
	st = go(pid, PTRACE_CONT, SIGSTOP);
	CHECK_EQ(st >> 8, SIGSTOP);
	CHECK_ERR(ptrace(PTRACE_GETSIGINFO, pid, 0, &si), EINVAL);	/* a group stop, no signal */
	kill_it(pid);
}

TEST(tracer_that_is_not_the_parent)
{
	pid_t pid = sleeper(), tracer = CHECK_OK(fork());
	int st;

	if (!tracer) {
		if (ptrace(PTRACE_SEIZE, pid, 0, 0))
			_exit(1);
		kill(pid, SIGUSR1);
		if (waitpid(pid, &st, __WALL) != pid || WSTOPSIG(st) != SIGUSR1)
			_exit(2);
		if (ptrace(PTRACE_CONT, pid, 0, SIGUSR1))
			_exit(3);
		if (waitpid(pid, &st, __WALL) != pid || !WIFSIGNALED(st))
			_exit(4);
		_exit(0);
	}
	CHECK_EQ(t_wait(tracer), 0);
	st = t_wait(pid);			/* after the tracer, the parent */
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGUSR1);
}

TEST(tracer_dies)
{
	pid_t pid = sleeper(), pid2 = sleeper(), tracer = CHECK_OK(fork());
	int st;

	if (!tracer) {
		ptrace(PTRACE_ATTACH, pid, 0, 0);
		waitpid(pid, &st, __WALL);
		ptrace(PTRACE_SEIZE, pid2, 0, PTRACE_O_EXITKILL);
		_exit(0);
	}
	CHECK_EQ(t_wait(tracer), 0);
	st = t_wait(pid2);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	kill_it(pid);
}

TEST(sigkill_ends_a_stop)
{
	pid_t pid = traced(nothing);

	kill_it(pid);
	CHECK_ERR(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
}

TEST(waitid_tells_trapped)
{
	pid_t pid = traced(die_of_usr1);
	siginfo_t si;

	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(waitid(P_PID, pid, &si, WSTOPPED));
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, SIGUSR1);
	kill_it(pid);
}

static void many_calls(void) { for (int i = 0; i < 2000; i++) syscall(SYS_getppid); }
TEST(storm_of_stops)
{
	pid_t pid = traced(many_calls);
	int st, n = 0;

	while (st = go(pid, PTRACE_SYSCALL, 0), WIFSTOPPED(st))
		n++;
	CHECK(n > 4000);
}



/* ---- programs that gain rights ---- */

/* This program again, as a set-uid copy of itself: tells whose rights it has. */
__attribute__((constructor)) static void set_uid_copy(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--euid"))
		_exit(geteuid() == 0 ? 10 : 11);
}

static void make_set_uid_copy(const char *path)
{
	char buf[65536];
	int from = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	int to = CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(to, buf, n), n);
	close(to);
	CHECK_OK(chmod(path, 04755));
}

static const char *copy_path;

/* A tracee of user 1000 executes the copy.  early: it asked to be traced before it gave up root's rights. */
static int traced_set_uid_exec(bool early)
{
	int st;
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		if (early)
			ptrace(PTRACE_TRACEME, 0, 0, 0);
		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		if (!early)
			ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl(copy_path, "ptrace", "--euid", NULL);
		_exit(2);
	}
	st = t_wait(pid);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP);
	errno = 0;
	/* Root may look into anything; what it attached as decides about what came by execve. */
	ptrace(PTRACE_PEEKDATA, pid, (void *)0x400000, 0);
	CHECK_EQ(errno, early ? 0 : errno);
	st = go(pid, PTRACE_CONT, 0);
	CHECK(WIFEXITED(st));
	return WEXITSTATUS(st);
}

TEST(set_uid_program_of_a_tracee)
{
	char path[] = "/tmp/suid.XXXXXX";
	pid_t pid;

	if (geteuid())
		SKIP("not root");
	close(CHECK_OK(mkstemp(path)));
	make_set_uid_copy(path);
	copy_path = path;
	pid = CHECK_OK(fork());
	if (!pid) {
		setresuid(1000, 1000, 1000);
		execl(path, "ptrace", "--euid", NULL);
		_exit(2);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 10);		/* alone: root's rights */
	CHECK_EQ(traced_set_uid_exec(true), 10);	/* the right to trace anybody was recorded */
	CHECK_EQ(traced_set_uid_exec(false), 11);	/* it was not */
	unlink(path);
}

/* ---- kcmp ---- */

static long kcmp(pid_t a, pid_t b, int type, unsigned long x, unsigned long y)
{
	return syscall(SYS_kcmp, a, b, type, x, y);
}

static int waits_for_signal(void *arg) { pause(); return 0; }

TEST(kcmp_objects)
{
	enum { FILE_, VM, FILES, FS, SIGHAND, IO, SYSVSEM };
	static char stack[2][65536];
	int fd = CHECK_OK(open("/dev/null", O_RDONLY)), same = CHECK_OK(dup(fd)), other = CHECK_OK(open("/dev/null", O_RDONLY));
	pid_t me = getpid(), copy, shares;
	long r;

	CHECK_EQ(kcmp(me, me, FILE_, fd, same), 0);
	r = kcmp(me, me, FILE_, fd, other);
	CHECK(r == 1 || r == 2);
	CHECK_EQ(kcmp(me, me, FILE_, other, fd), 3 - r);
	CHECK_ERR(kcmp(me, me, FILE_, fd, 999), EBADF);
	CHECK_ERR(kcmp(me, me, 99, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, 0x3fffffff, VM, 0, 0), ESRCH);
	copy = CHECK_OK(clone(waits_for_signal, stack[0] + 65536, SIGCHLD, NULL));
	shares = CHECK_OK(clone(waits_for_signal, stack[1] + 65536, SIGCHLD | CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND, NULL));
	CHECK_EQ(kcmp(me, copy, FILE_, fd, fd), 0);
	for (int type = VM; type <= SIGHAND; type++) {
		CHECK_EQ(kcmp(me, shares, type, 0, 0), 0);
		CHECK(kcmp(me, copy, type, 0, 0) > 0);
		CHECK_EQ(kcmp(me, copy, type, 0, 0) + kcmp(copy, me, type, 0, 0), 3);
	}
	CHECK_EQ(kcmp(me, copy, IO, 0, 0), 0);
	CHECK_EQ(kcmp(me, copy, SYSVSEM, 0, 0), 0);
	if (!geteuid()) {
		setresuid(1000, 1000, 1000);
		CHECK_ERR(kcmp(1, 1, VM, 0, 0), EPERM);
	}
}

TEST(kcmp_watched_by_epoll)
{
	struct { unsigned int efd, tfd, toff; } slot;
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = CHECK_OK(epoll_create1(0)), p[2], q[2];
	pid_t me = getpid();

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	slot.efd = ep;
	slot.tfd = p[0];
	slot.toff = 0;
	CHECK_EQ(kcmp(me, me, 7, p[0], (long)&slot), 0);
	CHECK(kcmp(me, me, 7, q[0], (long)&slot) > 0);
	/* Another file under the same number: the second of that name. */
	CHECK_OK(dup2(p[0], 100));
	CHECK_OK(dup2(q[0], p[0]));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	slot.toff = 1;
	long second = kcmp(me, me, 7, q[0], (long)&slot);
	slot.toff = 0;
	long first = kcmp(me, me, 7, q[0], (long)&slot);
	CHECK((first == 0) != (second == 0));
	slot.toff = 2;
	CHECK_ERR(kcmp(me, me, 7, q[0], (long)&slot), ENOENT);
	CHECK_ERR(kcmp(me, me, 7, 999, (long)&slot), EBADF);
	CHECK_ERR(kcmp(me, me, 7, q[0], 8), EFAULT);
	slot.efd = q[0];
	CHECK_ERR(kcmp(me, me, 7, q[0], (long)&slot), EINVAL);
	slot.efd = 999;
	CHECK_ERR(kcmp(me, me, 7, q[0], (long)&slot), EBADF);
}

static void getppid_is_refused(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 33),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, insns };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) || syscall(SYS_getppid) != -1 || errno != 33)
		_exit(1);
	raise(SIGUSR1);
	_exit(syscall(SYS_getppid) > 0 ? 7 : 8);
}

TEST(seccomp_suspended)
{
	long option = 1 << 21;

	if (geteuid())
		SKIP("needs root");
	for (int suspended = 0; suspended < 2; suspended++) {
		pid_t pid = traced(getppid_is_refused);
		int st = go(pid, PTRACE_CONT, 0);

		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGUSR1);
		CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, suspended ? option : 0));
		st = go(pid, PTRACE_CONT, 0);
		CHECK_EQ(WEXITSTATUS(st), suspended ? 7 : 8);
	}
	pid_t pid = traced(nothing);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(ptrace(PTRACE_SETOPTIONS, pid, 0, option), EPERM);
	CHECK_ERR(ptrace(PTRACE_SEIZE, getppid(), 0, option), EPERM);
	finish(pid);
}

TEST(rseq_configuration)
{
	struct { uint64_t address; uint32_t size, signature, flags, pad; } conf;
	pid_t pid = traced(nothing);

	memset(&conf, 0xff, sizeof(conf));
	CHECK_EQ(ptrace((enum __ptrace_request)0x420f, pid, sizeof(conf), &conf), 24);
	CHECK_EQ(conf.flags, 0);
	CHECK(conf.address);			/* the C library has registered it */
	CHECK(conf.size >= 20);
	CHECK_EQ(conf.signature, 0x53053053);
	conf.size = 77;
	CHECK_EQ(ptrace((enum __ptrace_request)0x420f, pid, 8, &conf), 24);
	CHECK_EQ(conf.size, 77);
	CHECK_ERR(ptrace((enum __ptrace_request)0x420f, pid, sizeof(conf), 8), EFAULT);
	finish(pid);
}

TEST(process_vm_rights)
{
	char here[8] = "", there[8] = "there";
	struct iovec l = { here, 8 }, r = { there, 8 };
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		waits_for_signal(NULL);
	CHECK_EQ(process_vm_readv(pid, &l, 1, &r, 1, 0), 8);
	CHECK_STR(here, "there");
	CHECK_ERR(process_vm_readv(pid, &l, 1, &r, 1, 1), EINVAL);
	CHECK_ERR(process_vm_readv(0x3fffffff, &l, 1, &r, 1, 0), ESRCH);
	if (geteuid())
		return;
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(process_vm_readv(pid, &l, 1, &r, 1, 0), EPERM);
	CHECK_ERR(process_vm_writev(pid, &l, 1, &r, 1, 0), EPERM);
	CHECK_ERR(process_vm_readv(1, &l, 1, &r, 1, 0), EPERM);
	CHECK_ERR(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_ERR(open("/proc/1/mem", O_RDONLY), EACCES);
}

TEST(timer_slack_file)
{
	char buf[32] = "";
	int fd = CHECK_OK(open("/proc/self/timerslack_ns", O_RDWR));

	CHECK_EQ(write(fd, "12345\n", 6), 6);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), 6);
	CHECK_STR(buf, "12345\n");
	CHECK_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 12345);
	CHECK_ERR(write(fd, "many", 4), EINVAL);
	CHECK_EQ(write(fd, "0", 1), 1);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 50000);
}
