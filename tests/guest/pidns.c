/* pidns.c: pid namespaces: numbers on each level, the init that takes all along, /proc, signals (spec §8; man 7 pid_namespaces). */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void need_root(void)
{
	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static pid_t clone_in(unsigned long flags)
{
	return CHECK_OK(syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL));
}

static void put(int fd)
{
	CHECK_EQ(write(fd, "x", 1), 1);
}

static void get(int fd)
{
	char c;

	CHECK_EQ(read(fd, &c, 1), 1);
}

/* The line of /proc/PID/status that begins with name, without it. */
static char *status_line(const char *pid, const char *name)
{
	static char line[300];
	char path[64];
	FILE *f;

	sprintf(path, "/proc/%s/status", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':') {
			fclose(f);
			line[strcspn(line, "\n")] = 0;
			return line + strlen(name) + 2;
		}
	}
	fclose(f);
	FAIL("no %s in %s", name, path);
	return NULL;
}

TEST(first_is_number_one)
{
	int status, p[2];
	pid_t inner, pid;

	need_root();
	CHECK_OK(pipe(p));
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		CHECK_EQ(getpid(), 1);
		CHECK_EQ(syscall(SYS_gettid), 1);
		CHECK_EQ(getppid(), 0);
		CHECK_EQ(getpgid(0), 0);		/* its group stands outside */
		CHECK_EQ(setsid(), 1);
		CHECK_EQ(getpgid(0), 1);
		inner = CHECK_OK(fork());
		if (!inner) {
			CHECK_EQ(getpid(), 2);
			CHECK_EQ(getppid(), 1);
			_exit(7);
		}
		CHECK_EQ(inner, 2);
		CHECK_EQ(waitpid(2, &status, 0), 2);
		CHECK_EQ(WEXITSTATUS(status), 7);
		CHECK_ERR(kill(getppid() + 4711, 0), ESRCH);
		put(p[1]);
		_exit(0);
	}
	CHECK(pid > 1);
	get(p[0]);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(unshare_is_for_children)
{
	int status;
	pid_t me = getpid(), pid;

	need_root();
	CHECK_OK(unshare(CLONE_NEWPID));
	CHECK_EQ(getpid(), me);
	CHECK_ERR(unshare(CLONE_NEWPID), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(open("/proc/self/ns/pid_for_children", O_RDONLY), ENOENT);
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_EQ(getpid(), 1);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_ERR(fork(), ENOMEM);		/* its init has died: nobody can be in it any more */
}

TEST(flags)
{
	need_root();
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0), EPERM);
	CHECK_ERR(unshare(CLONE_NEWPID), EPERM);
}

TEST(init_takes_all_along)
{
	int p[2], status;
	char c;
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		for (int i = 0; i < 5; i++) {
			if (!fork()) {
				setsid();
				signal(SIGTERM, SIG_IGN);
				if (!fork())
					for (;;)
						pause();
				for (;;)
					pause();
			}
		}
		_exit(3);
	}
	close(p[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK_EQ(read(p[0], &c, 1), 0);		/* all that had the other end are gone */
}

TEST(orphans_go_to_their_init)
{
	int status, p[2];
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		pid_t child = CHECK_OK(fork());

		if (!child) {
			if (!fork()) {
				while (getppid() != 1)
					usleep(1000);
				_exit(9);
			}
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(wait(&status), 3);
		CHECK_EQ(WEXITSTATUS(status), 9);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(init_is_safe_from_inside)
{
	int status, p[2];
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		pid_t child = CHECK_OK(fork());

		if (!child) {
			CHECK_OK(kill(1, SIGKILL));
			CHECK_OK(kill(1, SIGSTOP));
			CHECK_OK(kill(1, SIGTERM));
			CHECK_OK(kill(-1, 0) + 1 ? 0 : 0);
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
		put(p[1]);
		for (;;)
			pause();
	}
	get(p[0]);
	CHECK_OK(kill(pid, SIGTERM));		/* it has no handler */
	CHECK_OK(kill(pid, SIGKILL));		/* but from outside */
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

TEST(kill_all_stays_inside)
{
	int status, p[2];
	pid_t outside, pid;

	need_root();
	CHECK_OK(pipe(p));
	outside = CHECK_OK(fork());
	if (!outside)
		for (;;)
			pause();
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		pid_t child = CHECK_OK(fork());

		if (!child)
			for (;;)
				pause();
		CHECK_OK(kill(-1, SIGKILL));
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WTERMSIG(status), SIGKILL);
		CHECK_ERR(kill(-1, SIGKILL), ESRCH);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(waitpid(outside, &status, WNOHANG), 0);
	CHECK_OK(kill(outside, SIGKILL));
	CHECK_EQ(waitpid(outside, &status, 0), outside);
}

static siginfo_t seen;

static void note(int sig, siginfo_t *info, void *uc)
{
	seen = *info;
}

static void catch(int sig)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

TEST(numbers_in_siginfo)
{
	int status, p[2], q[2];
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	catch(SIGCHLD);
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
		put(p[1]);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		CHECK_EQ(info.si_pid, 0);		/* who sent it has no number here */
		if (!fork()) {
			CHECK_OK(kill(1, SIGUSR1));
			_exit(0);
		}
		CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		CHECK_EQ(info.si_pid, 2);
		CHECK_EQ(wait(&status), 2);
		get(q[0]);
		_exit(5);
	}
	get(p[0]);
	CHECK_OK(kill(pid, SIGUSR1));
	put(q[1]);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED));
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(seen.si_pid, pid);
}

TEST(proc_shows_its_own)
{
	int status, p[2], q[2];
	char name[32], want[64], link[64] = "";
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = clone_in(CLONE_NEWPID | CLONE_NEWNS);
	if (!pid) {
		put(p[1]);
		get(q[0]);
		CHECK(readlink("/proc/self", link, sizeof(link)) > 0 && atoi(link) > 1);	/* the outer one knows us, too */
		CHECK_OK(mount("proc", "/proc", "proc", 0, NULL));
		CHECK_EQ(readlink("/proc/self", link, sizeof(link)), 1);
		CHECK_EQ(link[0], '1');
		CHECK_STR(status_line("self", "NSpid"), "1");
		CHECK_STR(status_line("1", "PPid"), "0");
		CHECK_ERR(access("/proc/2", F_OK), ENOENT);
		_exit(0);
	}
	get(p[0]);
	sprintf(name, "%d", pid);
	sprintf(want, "%d\t1", pid);
	CHECK_STR(status_line(name, "NSpid"), want);
	CHECK_STR(status_line(name, "NStgid"), want);
	sprintf(want, "%d", getpid());
	CHECK_STR(status_line(name, "PPid"), want);
	put(q[1]);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(credentials_of_sockets)
{
	char buf[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf) };
	struct cmsghdr *c;
	struct ucred u;
	char byte;
	int sk[2], status, on = 1;
	pid_t pid;

	need_root();
	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sk));
	CHECK_OK(setsockopt(sk[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	CHECK_OK(setsockopt(sk[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		CHECK_EQ(write(sk[1], "x", 1), 1);
		iov.iov_base = &byte;
		CHECK_EQ(recvmsg(sk[1], &msg, 0), 1);
		c = CMSG_FIRSTHDR(&msg);
		CHECK(c);
		memcpy(&u, CMSG_DATA(c), sizeof(u));
		CHECK_EQ(u.pid, 0);
		_exit(0);
	}
	iov.iov_base = &byte;
	CHECK_EQ(recvmsg(sk[0], &msg, 0), 1);
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c);
	memcpy(&u, CMSG_DATA(c), sizeof(u));
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(write(sk[0], "y", 1), 1);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(setns_pid)
{
	char path[64];
	int fd, outer, status, p[2], q[2];
	pid_t pid, child;

	need_root();
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	sprintf(path, "/proc/%d/ns/pid", getpid());
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		outer = CHECK_OK(open(path, O_RDONLY));
		CHECK_ERR(setns(outer, CLONE_NEWPID), EINVAL);		/* nobody goes up */
		put(p[1]);
		get(q[0]);
		CHECK_EQ(wait(&status), -1);				/* not our child */
		_exit(0);
	}
	get(p[0]);
	sprintf(path, "/proc/%d/ns/pid", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	outer = CHECK_OK(open("/proc/self/ns/pid", O_RDONLY));
	CHECK_OK(setns(fd, CLONE_NEWPID));
	child = CHECK_OK(fork());
	if (!child) {
		CHECK_EQ(getpid(), 2);
		CHECK_EQ(getppid(), 0);
		_exit(4);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 4);
	CHECK_OK(setns(outer, 0));
	put(q[1]);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_OK(setns(fd, 0));
	CHECK_ERR(fork(), ENOMEM);
}

TEST(ioctls)
{
	char path[64];
	struct stat a, b;
	int fd, parent, status, p[2];
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		char c;

		close(p[1]);
		CHECK_EQ(read(p[0], &c, 1), 0);
		_exit(0);
	}
	sprintf(path, "/proc/%d/ns/pid", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(ioctl(fd, 0xb703), CLONE_NEWPID);
	parent = CHECK_OK(ioctl(fd, 0xb702));
	CHECK_OK(fstat(parent, &a));
	CHECK_OK(stat("/proc/self/ns/pid", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(ioctl(fd, 0xb704, &status), EINVAL);
	close(p[1]);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(set_tid_on_each_level)
{
	struct {
		unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, n;
	} a = { .exit_signal = SIGCHLD };
	pid_t want[2] = { 77, 30123 };
	int status;
	pid_t pid;

	need_root();
	pid = clone_in(CLONE_NEWPID);
	if (!pid) {
		a.set_tid = (unsigned long)want;
		a.n = 2;
		pid = syscall(SYS_clone3, &a, sizeof(a));
		if (!pid) {
			CHECK_EQ(getpid(), 77);
			_exit(0);
		}
		if (pid < 0 && errno == EEXIST)
			_exit(0);			/* somebody outside has that number */
		CHECK_EQ(pid, 77);
		CHECK_EQ(waitpid(77, &status, 0), 77);
		CHECK_EQ(status, 0);
		a.n = 40;
		CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(as_deep_as_may_be)
{
	int status, depth = 0;
	pid_t pid;

	need_root();
	for (;; depth++) {
		pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
		if (pid)
			break;
	}
	if (pid < 0) {
		CHECK_EQ(errno, ENOSPC);
		CHECK(depth >= 30);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	if (depth)
		_exit(0);
}
