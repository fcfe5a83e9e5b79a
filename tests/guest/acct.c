/* acct.c: acct(2): what the record of a process says (man 2 acct, man 5 acct). */
#include "t.h"
#include <fcntl.h>
#include <sys/acct.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char path[] = "/tmp/acct.XXXXXX";
static int fd;

static void start(void)
{
	fd = CHECK_OK(mkstemp(path));
	if (acct(path)) {
		unlink(path);
		SKIP("no accounting here (errno %d)", errno);
	}
}

static void stop(void)
{
	CHECK_OK(acct(NULL));
	unlink(path);
}

static unsigned long value(comp_t c)
{
	return (unsigned long)(c & 0x1fff) << (c >> 13) * 3;
}

/* The record of that process; others end meanwhile, too. */
static struct acct_v3 record_of(pid_t pid)
{
	struct acct_v3 r;

	for (off_t at = 0; pread(fd, &r, sizeof(r), at) == sizeof(r); at += sizeof(r)) {
		CHECK_EQ(r.ac_version, 3);
		if (r.ac_pid == (uint32_t)pid)
			return r;
	}
	FAIL("no record of %d", pid);
}

TEST(errors)
{
	if (geteuid())
		SKIP("needs root");
	start();
	CHECK_ERR(acct("/tmp/there-is-no-such-file"), ENOENT);
	CHECK_ERR(acct("/dev/null"), EACCES);
	CHECK_ERR(acct("/tmp"), EISDIR);
	CHECK_ERR(acct((char *)8), EFAULT);
	stop();
	CHECK_OK(acct(NULL));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(acct(NULL), EPERM);
}

TEST(records)
{
	pid_t exits, killed, runs;
	struct acct_v3 r;

	if (geteuid())
		SKIP("needs root");
	start();
	exits = CHECK_OK(fork());
	if (!exits) {
		char *p = mmap(NULL, 100 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct rlimit small = { 10, 10 };

		for (int i = 0; i < 100; i++)
			p[i * 4096] = 1;
		struct timespec t;
		do {
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
		} while (!t.tv_sec && t.tv_nsec < 200000000);
		setrlimit(RLIMIT_FSIZE, &small);		/* the program's, not the record's */
		if (setresgid(1001, 1001, 1001) || setresuid(1000, 1000, 1000))
			_exit(9);
		_exit(7);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(exits)), 7);
	killed = CHECK_OK(fork());
	if (!killed) {
		signal(SIGTERM, SIG_DFL);
		kill(getpid(), SIGTERM);
		_exit(0);
	}
	t_wait(killed);
	runs = CHECK_OK(fork());
	if (!runs) {
		execl("/proc/self/exe", "another", "no-case-of-that-name", NULL);
		_exit(9);
	}
	t_wait(runs);
	r = record_of(exits);
	CHECK_EQ(r.ac_exitcode, 7 << 8);
	CHECK_EQ(r.ac_uid, 1000);
	CHECK_EQ(r.ac_gid, 1001);
	CHECK_EQ(r.ac_ppid, getpid());
	CHECK_EQ(r.ac_flag & AFORK, AFORK);
	CHECK_EQ(r.ac_flag & AXSIG, 0);
	CHECK(r.ac_etime >= 0 && r.ac_etime < 100 * 600);
	CHECK((time_t)r.ac_btime > time(NULL) - 600 && (time_t)r.ac_btime <= time(NULL) + 1);
	CHECK(value(r.ac_minflt) >= 100 && value(r.ac_minflt) < 1000);
	CHECK(value(r.ac_utime) + value(r.ac_stime) > 0);
	CHECK(value(r.ac_mem) > 300);
	CHECK(r.ac_comm[0]);
	r = record_of(killed);
	CHECK_EQ(r.ac_exitcode, SIGTERM);
	CHECK_EQ(r.ac_flag & AXSIG, AXSIG);
	r = record_of(runs);
	CHECK_EQ(r.ac_flag & AFORK, 0);
	stop();
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	t_wait(CHECK_OK(fork()) ?: (_exit(0), 0));
	off_t before = st.st_size;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, before);
}
