/* process.c: fork, vfork, clone, exec, exit, wait, process groups and sessions (spec §3). */
#include "t.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

TEST(fork_returns_twice)
{
	int value = 1;
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		value = 2;
		_exit(value + (getppid() > 0 ? 40 : 0));
	}
	int st = t_wait(pid);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 42);
	CHECK_EQ(value, 1);
}

TEST(exit_status_is_low_byte)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		_exit(0x1234);
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 0x34);
}

TEST(killed_child_reports_signal)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		for (;;)
			pause();
	CHECK_OK(kill(pid, SIGTERM));
	int st = t_wait(pid);
	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGTERM);
}

TEST(waitpid_errors)
{
	int st;

	CHECK_ERR(waitpid(-1, &st, 0), ECHILD);
	CHECK_ERR(waitpid(getpid(), &st, 0), ECHILD);
	CHECK_ERR(waitpid(-1, &st, 0x1000000), EINVAL);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		t_sleep_ms(200);
		_exit(3);
	}
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(WEXITSTATUS(st), 3);
}

TEST(waitid_gives_siginfo_and_nowait_leaves_zombie)
{
	siginfo_t si = { 0 };
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		_exit(9);
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 9);
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_OK(waitid(P_ALL, 0, &si, WEXITED));
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_ERR(waitid(P_ALL, 0, &si, 0), EINVAL);
}

TEST(stopped_and_continued_are_reported)
{
	int st;
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		for (;;)
			pause();
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(WSTOPSIG(st), SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &st, WCONTINUED), pid);
	CHECK(WIFCONTINUED(st));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(t_wait(pid)), SIGKILL);
}

TEST(wait_by_process_group)
{
	pid_t a = CHECK_OK(fork());

	if (!a)
		_exit(1);
	setpgid(a, a);
	pid_t b = CHECK_OK(fork());
	if (!b)
		_exit(2);
	int st;
	/* b is in our group, a (perhaps, if it lived) in its own. */
	CHECK_EQ(waitpid(b, &st, 0), b);
	CHECK_EQ(t_wait(a) >> 8, 1);
}

TEST(orphan_goes_to_subreaper)
{
	int p[2];
	pid_t grandchild = 0;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(pipe(p));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		pid_t g = fork();
		if (!g) {
			t_sleep_ms(100);
			_exit(getppid() == 1 ? 1 : 7);
		}
		if (write(p[1], &g, sizeof(g)) != sizeof(g))
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(read(p[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	CHECK_EQ(WEXITSTATUS(t_wait(grandchild)), 7);
}

TEST(vfork_stops_the_parent_and_shares_memory)
{
	volatile int x = 0;
	pid_t pid = vfork();

	if (!pid) {
		x = 5;
		_exit(0);
	}
	CHECK_EQ(x, 5);
	CHECK_EQ(t_wait(pid), 0);
}

static int clone_fn(void *arg)
{
	*(int *)arg = 77;
	return 3;
}

TEST(clone_vm_shares_memory)
{
	static char stack[65536];
	int x = 0;
	pid_t pid = clone(clone_fn, stack + sizeof(stack), CLONE_VM | SIGCHLD, &x);

	CHECK(pid > 0);
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 3);
	CHECK_EQ(x, 77);
}

TEST(clone_flag_checks)
{
	CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0), EINVAL);
	struct clone_args a = { .exit_signal = 200 };
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &a, 8), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, (void *)8, sizeof(a)), EFAULT);
}

TEST(clone3_with_pidfd)
{
	int pidfd = -1;
	struct clone_args a = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD };
	pid_t pid = CHECK_OK(syscall(SYS_clone3, &a, sizeof(a)));

	if (!pid)
		_exit(11);
	struct pollfd pf = { .fd = pidfd, .events = POLLIN };
	CHECK_EQ(poll(&pf, 1, 60000), 1);
	siginfo_t si;
	CHECK_OK(waitid(P_PIDFD, pidfd, &si, WEXITED));
	CHECK_EQ(si.si_status, 11);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0), ESRCH);
}

static void *thread_ids(void *arg)
{
	pid_t *ids = arg;

	ids[0] = getpid();
	ids[1] = syscall(SYS_gettid);
	return NULL;
}

TEST(threads_share_pid_and_differ_in_tid)
{
	pthread_t t;
	pid_t ids[2];

	CHECK_EQ(pthread_create(&t, NULL, thread_ids, ids), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(ids[0], getpid());
	CHECK(ids[1] != getpid());
	CHECK_EQ(syscall(SYS_gettid), getpid());
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(exit_group_ends_all_threads)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		pthread_t t;
		for (int i = 0; i < 8; i++)
			pthread_create(&t, NULL, sleeper, NULL);
		t_sleep_ms(20);
		exit(21);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 21);
}

static void *exec_thread(void *arg)
{
	execl("/bin/busybox", "busybox", "true", (char *)NULL);
	return arg;
}

TEST(exec_from_a_thread_keeps_the_pid)
{
	if (access("/bin/busybox", X_OK))
		SKIP("no /bin/busybox");
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		pthread_t t;
		for (int i = 0; i < 4; i++)
			pthread_create(&t, NULL, sleeper, NULL);
		pthread_create(&t, NULL, exec_thread, NULL);
		for (;;)
			pause();
	}
	int st = t_wait(pid);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

TEST(exec_errors)
{
	char *argv[] = { "x", NULL };
	int fd = CHECK_OK(open("noexec", O_CREAT | O_WRONLY, 0644));

	CHECK_EQ(write(fd, "garbage", 7), 7);
	CHECK_ERR(execv("/nonexistent/x", argv), ENOENT);
	CHECK_ERR(execv("/", argv), EACCES);
	CHECK_ERR(execv("noexec", argv), EACCES);
	fchmod(fd, 0755);
	CHECK_ERR(execv("noexec", argv), ETXTBSY);
	close(fd);
	CHECK_ERR(execv("noexec", argv), ENOEXEC);
	CHECK_ERR(execv((char *)8, argv), EFAULT);
	unlink("noexec");
}

TEST(script_with_interpreter_line)
{
	if (access("/bin/sh", X_OK))
		SKIP("no /bin/sh");
	int fd = CHECK_OK(open("script", O_CREAT | O_WRONLY, 0755));
	const char *text = "#!/bin/sh\nexit $(($1 + 1))\n";
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		execl("./script", "script", "41", (char *)NULL);
		_exit(1);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 42);
	unlink("script");
}

TEST(close_on_exec)
{
	if (access("/bin/busybox", X_OK))
		SKIP("no /bin/busybox");
	int keep = CHECK_OK(open("/dev/null", O_RDONLY)), lose = CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
	char cmd[100];
	snprintf(cmd, sizeof(cmd), "[ -e /proc/self/fd/%d ] && [ ! -e /proc/self/fd/%d ]", keep, lose);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		execl("/bin/busybox", "busybox", "ash", "-c", cmd, (char *)NULL);
		_exit(99);
	}
	CHECK_EQ(t_wait(pid), 0);
}

TEST(process_groups_and_sessions)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		/* The case's own process leads a group, so its child may start a session. */
		if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
			_exit(1);
		if (setsid() != -1 || errno != EPERM)
			_exit(2);
		if (setpgid(0, 0) != -1 || errno != EPERM)
			_exit(3);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_ERR(getpgid(999999), ESRCH);
	CHECK_ERR(setpgid(1, 1), ESRCH);
	CHECK_ERR(setpgid(0, -1), EINVAL);
}

TEST(pdeathsig_kills_the_child)
{
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(p[0]);
			for (;;)
				pause();
		}
		t_sleep_ms(200);
		_exit(0);
	}
	close(p[1]);
	t_wait(pid);
	CHECK_EQ(read(p[0], &c, 1), 0);		/* the writer's end closes when the grandchild dies */
}

TEST(rusage_of_children)
{
	struct rusage before, after;

	CHECK_OK(getrusage(RUSAGE_CHILDREN, &before));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (int i = 0; i < 256; i++)
			m[i * 4096] = 1;
		_exit(0);
	}
	t_wait(pid);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &after));
	CHECK(after.ru_minflt - before.ru_minflt >= 100);
	CHECK_ERR(getrusage(17, &after), EINVAL);
}

TEST(comm_by_prctl)
{
	char name[16] = { 0 };

	CHECK_OK(prctl(PR_SET_NAME, "a-long-name-that-is-cut"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a-long-name-tha");
}

TEST(many_children_at_once)
{
	enum { N = 200 };
	pid_t pids[N];

	for (int i = 0; i < N; i++) {
		pids[i] = CHECK_OK(fork());
		if (!pids[i])
			_exit(i & 0x7f);
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(WEXITSTATUS(t_wait(pids[i])), i & 0x7f);
}

TEST(nproc_limit)
{
	struct rlimit r = { 0, 0 };
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		if (setuid(12345))
			_exit(1);
		setrlimit(RLIMIT_NPROC, &r);
		_exit(fork() == -1 && errno == EAGAIN ? 0 : 2);
	}
	CHECK_EQ(t_wait(pid), 0);
}
