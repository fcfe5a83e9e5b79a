/* leases.c: file leases: fcntl(2) F_SETLEASE, F_GETLEASE, and what breaks them (spec §3, man 2 fcntl "Leases"). */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

static char path[] = "/tmp/lease.XXXXXX";
static volatile sig_atomic_t got_signal, got_fd;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	got_signal = sig;
	got_fd = si->si_fd;
}

static void catch(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

/* A new file, open with the flags. */
static int make(int flags)
{
	int fd = CHECK_OK(mkstemp(path));

	CHECK_EQ(write(fd, "text", 4), 4);
	close(fd);
	return CHECK_OK(open(path, flags));
}

/* A child that opens the file so: exits with 0 or errno. */
static pid_t opener(int flags)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		_exit(open(path, flags) < 0 ? errno : 0);
	return pid;
}

static void wait_signal(int sig)
{
	for (int i = 0; i < 60000 && got_signal != sig; i++)
		usleep(1000);
	CHECK_EQ(got_signal, sig);
}

static int break_time(void)
{
	FILE *f = fopen("/proc/sys/fs/lease-break-time", "r");
	int n = -1;

	CHECK(f && fscanf(f, "%d", &n) == 1);
	fclose(f);
	return n;
}

static void set_break_time(int n)
{
	FILE *f = fopen("/proc/sys/fs/lease-break-time", "w");

	if (!f)
		SKIP("needs root");
	fprintf(f, "%d\n", n);
	CHECK(!fclose(f));
}

TEST(errors)
{
	int rd = make(O_RDONLY), p[2], dir = CHECK_OK(open("/tmp", O_RDONLY));

	CHECK_OK(pipe(p));
	CHECK_EQ(fcntl(rd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(rd, F_SETLEASE, 77), EINVAL);
	CHECK_ERR(fcntl(rd, F_SETLEASE, F_UNLCK), EAGAIN);
	CHECK_ERR(fcntl(999, F_SETLEASE, F_RDLCK), EBADF);
	CHECK_ERR(fcntl(dir, F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_ERR(fcntl(p[0], F_SETLEASE, F_RDLCK), EINVAL);
	int by_path = CHECK_OK(open(path, O_PATH));
	CHECK_ERR(fcntl(by_path, F_SETLEASE, F_RDLCK), EBADF);
	if (!geteuid()) {
		CHECK_OK(chmod(path, 0644));
		CHECK_OK(seteuid(1000));
		CHECK_ERR(fcntl(rd, F_SETLEASE, F_RDLCK), EACCES);
		CHECK_OK(seteuid(0));
	}
	unlink(path);
}

TEST(who_may_have_which)
{
	int rd = make(O_RDONLY), rw;

	CHECK_OK(fcntl(rd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(rd, F_GETLEASE), F_RDLCK);
	CHECK_OK(fcntl(rd, F_SETLEASE, F_WRLCK));		/* nobody else has it open */
	CHECK_EQ(fcntl(rd, F_GETLEASE), F_WRLCK);
	CHECK_OK(fcntl(rd, F_SETLEASE, F_UNLCK));
	CHECK_EQ(fcntl(rd, F_GETLEASE), F_UNLCK);
	int again = CHECK_OK(open(path, O_RDONLY));
	CHECK_ERR(fcntl(rd, F_SETLEASE, F_WRLCK), EAGAIN);	/* another reader */
	CHECK_OK(fcntl(rd, F_SETLEASE, F_RDLCK));
	CHECK_OK(fcntl(again, F_SETLEASE, F_RDLCK));		/* read leases share */
	CHECK_ERR(fcntl(again, F_SETLEASE, F_WRLCK), EAGAIN);
	CHECK_EQ(fcntl(again, F_GETLEASE), F_RDLCK);
	close(again);						/* its lease goes with it */
	CHECK_OK(fcntl(rd, F_SETLEASE, F_WRLCK));
	CHECK_OK(fcntl(rd, F_SETLEASE, F_UNLCK));
	rw = CHECK_OK(open(path, O_RDWR));
	CHECK_ERR(fcntl(rd, F_SETLEASE, F_RDLCK), EAGAIN);	/* a writer */
	CHECK_ERR(fcntl(rw, F_SETLEASE, F_RDLCK), EAGAIN);
	close(rd);
	CHECK_OK(fcntl(rw, F_SETLEASE, F_WRLCK));
	unlink(path);
}

TEST(belongs_to_the_open_file)
{
	int fd = make(O_RDONLY), copy = CHECK_OK(dup(fd));

	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(copy, F_GETLEASE), F_RDLCK);
	close(fd);
	CHECK_EQ(fcntl(copy, F_GETLEASE), F_RDLCK);
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(fcntl(copy, F_GETLEASE) != F_RDLCK || fcntl(copy, F_SETLEASE, F_UNLCK));
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(fcntl(copy, F_GETLEASE), F_UNLCK);
	unlink(path);
}

TEST(broken_by_a_writer)
{
	int fd = make(O_RDONLY);

	catch(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(t_wait(opener(O_RDONLY)), 0);			/* readers do not mind */
	CHECK_EQ(got_signal, 0);
	CHECK_EQ(WEXITSTATUS(t_wait(opener(O_WRONLY | O_NONBLOCK))), EWOULDBLOCK);
	wait_signal(SIGIO);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);		/* what it is to become */
	pid_t pid = opener(O_WRONLY);
	usleep(100000);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EQ(t_wait(pid), 0);
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
	unlink(path);
}

TEST(signal_of_ones_own_choice)
{
	int fd = make(O_RDONLY);

	catch(SIGUSR1);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
	CHECK_OK(fcntl(fd, F_SETSIG, SIGUSR1));
	CHECK_EQ(WEXITSTATUS(t_wait(opener(O_RDWR | O_NONBLOCK))), EWOULDBLOCK);
	wait_signal(SIGUSR1);
	CHECK_EQ(got_fd, fd);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EQ(fcntl(fd, F_GETSIG), 0);			/* forgotten with the lease */
	CHECK_EQ(fcntl(fd, F_GETOWN), 0);
	unlink(path);
}

TEST(write_lease_weakened_for_a_reader)
{
	int fd = make(O_RDONLY);

	catch(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid_t pid = opener(O_RDONLY);
	wait_signal(SIGIO);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	unlink(path);
}

TEST(broken_by_truncate)
{
	int fd = make(O_RDONLY);
	struct stat st;

	catch(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		close(fd);					/* the lease goes with the last descriptor */
		_exit(truncate(path, 1) ? errno : 0);
	}
	wait_signal(SIGIO);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 4);
	close(fd);						/* giving it back this way will do, too */
	CHECK_EQ(t_wait(pid), 0);
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_size, 1);
	unlink(path);
}

static void ignore(int sig) { }
TEST(a_signal_ends_the_wait)
{
	int fd = make(O_RDONLY), ready[2];
	struct sigaction sa = { .sa_handler = ignore };
	pid_t pid;
	char c;

	catch(SIGIO);
	CHECK_OK(pipe(ready));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	pid = CHECK_OK(fork());
	if (!pid) {
		sigaction(SIGUSR1, &sa, NULL);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(open(path, O_WRONLY) < 0 ? errno : 0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	wait_signal(SIGIO);
	siginfo_t si = { 0 };
	while (!si.si_pid) {					/* it may not be asleep yet */
		kill(pid, SIGUSR1);
		usleep(10000);
		CHECK_OK(waitid(P_PID, pid, &si, WNOHANG | WNOWAIT | WEXITED));
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), EINTR);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	unlink(path);
}

TEST(taken_away_after_a_while)
{
	int usual = break_time(), fd = make(O_RDONLY);

	CHECK(usual > 0);
	set_break_time(1);
	catch(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid_t pid = opener(O_RDONLY);
	wait_signal(SIGIO);
	CHECK_EQ(t_wait(pid), 0);				/* nobody gave it back */
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_EQ(t_wait(opener(O_RDWR)), 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
	set_break_time(usual);
	unlink(path);
}

TEST(proc_locks)
{
	int fd = make(O_RDONLY), n = 0;
	char line[200], want[100];
	struct stat st;
	FILE *f;

	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_OK(fstat(fd, &st));
	snprintf(want, sizeof(want), ":%lu ", (unsigned long)st.st_ino);
	f = fopen("/proc/locks", "r");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "LEASE ") && strstr(line, " ACTIVE ") && strstr(line, " READ ") && strstr(line, want))
			n++;
	fclose(f);
	CHECK_EQ(n, 1);
	unlink(path);
}

/* Many set and drop leases while many open: no open for writing may succeed beside a lease in force. */
TEST(storm)
{
	int fd = make(O_RDONLY), n = 0;

	signal(SIGIO, SIG_IGN);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		for (;;) {
			int w = open(path, O_WRONLY | O_NONBLOCK);

			if (w >= 0)
				close(w);
		}
	}
	for (int i = 0; i < 3000 || !n; i++) {
		if (fcntl(fd, F_SETLEASE, F_RDLCK)) {
			CHECK_EQ(errno, EAGAIN);
			sched_yield();		/* on one processor: it stands between open and close */
			continue;
		}
		n++;
		fcntl(fd, F_SETLEASE, F_UNLCK);
	}
	kill(pid, SIGKILL);
	t_wait(pid);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	unlink(path);
}
