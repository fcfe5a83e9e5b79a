/* ptys.c: pseudo-terminals, the line discipline, job control, and vi driven over a pty (spec §10). */
#include "t.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static void open_pair(void)
{
	char name[64];

	master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
	CHECK_OK(grantpt(master));
	CHECK_OK(unlockpt(master));
	CHECK_EQ(ptsname_r(master, name, sizeof(name)), 0);
	slave = CHECK_OK(open(name, O_RDWR | O_NOCTTY));
	CHECK(isatty(slave));
}
static void type(const char *s)
{
	CHECK_EQ(write(master, s, strlen(s)), (ssize_t)strlen(s));
}
static char out[20000];
static const char *shown(int ms)
{
	struct pollfd f = { master, POLLIN, 0 };
	size_t n = 0;
	ssize_t r;

	while (n < sizeof(out) - 1 && poll(&f, 1, ms) > 0 && (r = read(master, out + n, sizeof(out) - 1 - n)) > 0)
		n += r;
	out[n] = 0;
	return out;
}
/* Reads what the terminal shows until it contains `text`, or fails after a minute. */
static void expect(const char *text)
{
	size_t n = 0;
	long long end = t_now_ns() + 60000000000LL;
	struct pollfd f = { master, POLLIN, 0 };

	out[0] = 0;
	while (!strstr(out, text)) {
		if (t_now_ns() > end || n > sizeof(out) - 2)
			FAIL("the terminal never showed '%s' but '%.300s'", text, out);
		if (poll(&f, 1, 1000) <= 0)
			continue;
		ssize_t r = read(master, out + n, sizeof(out) - 1 - n);
		if (r <= 0)
			FAIL("end of terminal before '%s': '%.300s'", text, out);
		n += r;
		out[n] = 0;
		for (size_t i = 0; i < n; i++)
			if (!out[i])
				out[i] = ' ';
	}
}

TEST(canonical_input_and_echo)
{
	char buf[100];

	open_pair();
	type("hello\n");
	CHECK_EQ(read(slave, buf, 100), 6);
	CHECK_EQ(memcmp(buf, "hello\n", 6), 0);
	CHECK_STR(shown(200), "hello\r\n");
	type("abx\177c\n");				/* erase */
	CHECK_EQ(read(slave, buf, 100), 4);
	CHECK_EQ(memcmp(buf, "abc\n", 4), 0);
	type("junk\025ok\n");				/* kill */
	CHECK_EQ(read(slave, buf, 100), 3);
	type("two words\027x\n");			/* word erase */
	CHECK_EQ(read(slave, buf, 100), 6);
	CHECK_EQ(memcmp(buf, "two x\n", 6), 0);
	type("part\004");				/* end of file after text gives the text */
	CHECK_EQ(read(slave, buf, 100), 4);
	type("\004");
	CHECK_EQ(read(slave, buf, 100), 0);
	type("\026\003\n");				/* literal next */
	CHECK_EQ(read(slave, buf, 100), 2);
	CHECK_EQ(buf[0], 3);
}

TEST(output_processing)
{
	open_pair();
	CHECK_EQ(write(slave, "a\nb", 3), 3);
	CHECK_STR(shown(200), "a\r\nb");
}

TEST(raw_mode_min_and_time)
{
	struct termios t;
	char buf[10];

	open_pair();
	CHECK_OK(tcgetattr(slave, &t));
	CHECK(t.c_lflag & ICANON);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	CHECK_EQ(read(slave, buf, 10), 0);
	type("\003\n");
	CHECK_EQ(read(slave, buf, 10), 2);
	CHECK_EQ(buf[0], 3);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	type("ab");
	struct pollfd f = { slave, POLLIN, 0 };
	poll(&f, 1, 50);
	type("c");
	CHECK_EQ(read(slave, buf, 10), 3);
}

TEST(window_size)
{
	struct winsize w = { 40, 100, 0, 0 }, g;

	open_pair();
	CHECK_OK(ioctl(master, TIOCSWINSZ, &w));
	CHECK_OK(ioctl(slave, TIOCGWINSZ, &g));
	CHECK_EQ(g.ws_row, 40);
	CHECK_EQ(g.ws_col, 100);
}

TEST(hang_up)
{
	char c;

	open_pair();
	close(slave);
	CHECK_ERR(read(master, &c, 1), EIO);
	open_pair();
	close(master);
	CHECK_EQ(read(slave, &c, 1), 0);
	CHECK_ERR(write(slave, "x", 1), EIO);
}

/* Starts a program as leader of a session whose terminal is the slave. */
static pid_t on_terminal(char *const argv[])
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		setsid();
		if (ioctl(slave, TIOCSCTTY, 0))
			_exit(90);
		dup2(slave, 0);
		dup2(slave, 1);
		dup2(slave, 2);
		close(master);
		setenv("PS1", "prompt> ", 1);
		setenv("TERM", "vt100", 1);
		setenv("PATH", "/bin:/usr/bin:/sbin:/usr/sbin", 1);
		execv(argv[0], argv);
		_exit(91);
	}
	close(slave);
	return pid;
}

/* Waits until the shell has given the terminal to a job, which keys like Ctrl-C then reach. */
static void await_job(pid_t shell)
{
	long long end = t_now_ns() + 60000000000LL;

	while (tcgetpgrp(master) == shell) {
		if (t_now_ns() > end)
			FAIL("no job came to the foreground");
		t_sleep_ms(20);
	}
	t_sleep_ms(100);		/* the job's own first steps */
}
/* Types a command until the terminal answers with `text`. */
static void ask_until(const char *command, const char *text)
{
	long long end = t_now_ns() + 60000000000LL;

	do {
		if (t_now_ns() > end)
			FAIL("the terminal never showed '%s' but '%.300s'", text, out);
		type(command);
	} while (!strstr(shown(300), text));
}

TEST(interrupt_key_kills_the_foreground_only)
{
	if (access("/bin/busybox", X_OK))
		SKIP("no busybox");
	open_pair();
	pid_t pid = on_terminal((char *[]){ "/bin/busybox", "ash", "-i", NULL });
	expect("prompt> ");
	type("sleep 100\n");
	await_job(pid);
	type("\003");
	expect("prompt> ");
	type("echo al''ive $?\n");
	expect("alive 130");
	type("exit 7\n");
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 7);
}

TEST(stop_bg_fg)
{
	if (access("/bin/busybox", X_OK))
		SKIP("no busybox");
	open_pair();
	pid_t pid = on_terminal((char *[]){ "/bin/busybox", "ash", "-i", NULL });
	expect("prompt> ");
	type("sleep 77\n");
	await_job(pid);
	type("\032");
	expect("Stopped");
	type("bg\n");
	expect("sleep 77");
	/* Asked again: the SIGCHLD of the continued job may interrupt the shell's write of the answer. */
	ask_until("jobs\n", "Running");
	type("fg\n");
	await_job(pid);
	type("\003");
	type("echo do''ne\n");
	expect("done");
	type("exit\n");
	t_wait(pid);
}

TEST(background_reader_is_stopped)
{
	if (access("/bin/busybox", X_OK))
		SKIP("no busybox");
	open_pair();
	pid_t pid = on_terminal((char *[]){ "/bin/busybox", "ash", "-i", NULL });
	expect("prompt> ");
	type("cat &\n");
	ask_until("jobs\n", "Stopped (tty input)");
	type("kill %1; exit\n");
	t_sleep_ms(200);
	type("exit\n");
	t_wait(pid);
}

TEST(vi_over_a_pty)
{
	char text[100] = { 0 };

	if (access("/bin/busybox", X_OK))
		SKIP("no busybox");
	unlink("/tmp/t-vi");
	open_pair();
	struct winsize w = { 24, 80, 0, 0 };
	ioctl(master, TIOCSWINSZ, &w);
	pid_t pid = on_terminal((char *[]){ "/bin/busybox", "vi", "/tmp/t-vi", NULL });
	expect("~");
	type("ivi was here");
	expect("here");
	type("\033");
	t_sleep_ms(300);
	type("yyp:wq\n");
	CHECK_EQ(t_wait(pid), 0);
	int fd = CHECK_OK(open("/tmp/t-vi", O_RDONLY));
	CHECK(read(fd, text, 99) > 0);
	CHECK_STR(text, "vi was here\nvi was here\n");
	unlink("/tmp/t-vi");
}

TEST(session_leader_exit_hangs_up)
{
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	open_pair();
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		if (!fork()) {
			close(p[0]);
			signal(SIGHUP, SIG_DFL);
			for (;;)
				pause();
		}
		t_sleep_ms(200);
		_exit(0);
	}
	close(p[1]);
	t_wait(pid);
	CHECK_EQ(read(p[0], &c, 1), 0);		/* the foreground group got SIGHUP */
}

static volatile sig_atomic_t sigio_told;

static void on_sigio(int sig)
{
	(void)sig;
	sigio_told++;
}

TEST(sigio_tells_of_input)
{
	open_pair();
	signal(SIGIO, on_sigio);
	CHECK_OK(fcntl(slave, F_SETOWN, getpid()));
	CHECK_OK(fcntl(slave, F_SETFL, O_RDWR | O_ASYNC));
	type("no line yet");
	t_sleep_ms(50);
	CHECK_EQ(sigio_told, 0);
	type("\n");
	for (int i = 0; !sigio_told && i < 6000; i++)
		t_sleep_ms(10);
	CHECK(sigio_told);
	close(master);				/* hung up: the file leaves the list when it is closed */
	CHECK_OK(close(slave));
}
