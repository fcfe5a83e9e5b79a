/* landlock.c: a task that restricts itself to places (man 7 landlock, 2 landlock_create_ruleset and its neighbours). */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define SYS_create	444
#define SYS_add		445
#define SYS_restrict	446

enum { EXECUTE = 1, WRITE_FILE = 2, READ_FILE = 4, READ_DIR = 8, REMOVE_DIR = 16, REMOVE_FILE = 32, MAKE_CHAR = 64, MAKE_DIR = 128,
       MAKE_REG = 256, MAKE_SOCK = 512, MAKE_FIFO = 1024, MAKE_BLOCK = 2048, MAKE_SYM = 4096, REFER = 8192 };
#define ALL1	0x1fff			/* all of the first version: without REFER */

struct l_attr { uint64_t handled; };
struct l_rule { uint64_t allowed; int32_t fd; } __attribute__((packed));

static int create(uint64_t handled)
{
	struct l_attr a = { handled };

	return syscall(SYS_create, &a, sizeof(a), 0);
}

static int add_fd(int ruleset, uint64_t allowed, int fd)
{
	struct l_rule r = { allowed, fd };

	return syscall(SYS_add, ruleset, 1, &r, 0);
}

static void add(int ruleset, uint64_t allowed, const char *path)
{
	int fd = CHECK_OK(open(path, O_PATH | O_CLOEXEC));

	CHECK_OK(add_fd(ruleset, allowed, fd));
	close(fd);
}

static void enforce(int ruleset)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_OK(syscall(SYS_restrict, ruleset, 0));
	close(ruleset);
}

/* One rule. */
static void restrict_to(uint64_t handled, uint64_t allowed, const char *path)
{
	int ruleset = CHECK_OK(create(handled));

	add(ruleset, allowed, path);
	enforce(ruleset);
}

static void touch(const char *path)
{
	close(CHECK_OK(open(path, O_CREAT | O_WRONLY, 0666)));
}

/* A directory of our own, with a/x/f, a/f, b/f. */
static void setup(void)
{
	char base[64];
	int version = syscall(SYS_create, NULL, 0, 1);

	if (version < 2)
		SKIP("no landlock of version 2 here");
	sprintf(base, "/tmp/landlock%d", getpid());
	CHECK_OK(mkdir(base, 0777));
	CHECK_OK(chdir(base));
	CHECK_OK(mkdir("a", 0777));
	CHECK_OK(mkdir("a/x", 0777));
	CHECK_OK(mkdir("b", 0777));
	touch("a/f");
	touch("a/x/f");
	touch("b/f");
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0666);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -errno : 0;
}

TEST(create_errors)
{
	struct l_attr a[600] = { { READ_FILE } };
	int fd;

	setup();
	CHECK_ERR(syscall(SYS_create, a, 8, 1), EINVAL);
	CHECK_ERR(syscall(SYS_create, NULL, 8, 1), EINVAL);
	CHECK_ERR(syscall(SYS_create, a, 8, 1 << 20), EINVAL);
	CHECK_ERR(syscall(SYS_create, NULL, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_create, (void *)8, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_create, a, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_create, a, 7, 0), EINVAL);
	CHECK_ERR(syscall(SYS_create, a, sizeof(a), 0), E2BIG);
	CHECK_ERR(create(0), ENOMSG);
	CHECK_ERR(create(1ULL << 40), EINVAL);
	CHECK_OK(syscall(SYS_create, a, 512, 0));		/* larger, and zeroes */
	a[20].handled = 1;
	CHECK_ERR(syscall(SYS_create, a, 512, 0), E2BIG);
	fd = CHECK_OK(create(READ_FILE));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(read(fd, a, 8), EINVAL);
	CHECK_ERR(write(fd, a, 8), EINVAL);
}

TEST(add_errors)
{
	struct l_rule r = { READ_FILE, -1 };
	int fd, dir, file, p[2];

	setup();
	fd = CHECK_OK(create(READ_FILE | READ_DIR));
	dir = CHECK_OK(open("a", O_PATH));
	file = CHECK_OK(open("a/f", O_RDONLY));
	CHECK_OK(pipe(p));
	r.fd = dir;
	CHECK_ERR(syscall(SYS_add, fd, 1, &r, 1), EINVAL);
	CHECK_ERR(syscall(SYS_add, fd, 0, &r, 0), EINVAL);
	CHECK_ERR(syscall(SYS_add, fd, 99, &r, 0), EINVAL);
	CHECK_ERR(syscall(SYS_add, 999, 1, &r, 0), EBADF);
	CHECK_ERR(syscall(SYS_add, file, 1, &r, 0), EBADFD);
	CHECK_ERR(syscall(SYS_add, fd, 1, (void *)8, 0), EFAULT);
	CHECK_ERR(add_fd(fd, 0, dir), ENOMSG);
	CHECK_ERR(add_fd(fd, WRITE_FILE, dir), EINVAL);		/* not one that it restricts */
	CHECK_ERR(add_fd(fd, READ_FILE, 999), EBADF);
	CHECK_ERR(add_fd(fd, READ_FILE, fd), EBADFD);
	CHECK_ERR(add_fd(fd, READ_FILE, p[0]), EBADFD);
	CHECK_ERR(add_fd(fd, READ_DIR, file), EINVAL);		/* a file has no names in it */
	CHECK_OK(add_fd(fd, READ_FILE, file));
	CHECK_OK(add_fd(fd, READ_FILE, dir));
	CHECK_OK(add_fd(fd, READ_DIR, dir));
}

TEST(restrict_errors)
{
	int fd;

	setup();
	fd = CHECK_OK(create(READ_FILE));
	if (!getuid()) {
		CHECK_OK(setresuid(61234, 61234, 61234));
		CHECK_ERR(syscall(SYS_restrict, fd, 0), EPERM);
		CHECK_ERR(syscall(SYS_restrict, -1, 0), EPERM);
	}
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_ERR(syscall(SYS_restrict, fd, 1 << 20), EINVAL);
	CHECK_ERR(syscall(SYS_restrict, 999, 0), EBADF);
	CHECK_ERR(syscall(SYS_restrict, 1, 0), EBADFD);
	CHECK_OK(syscall(SYS_restrict, fd, 0));
}

TEST(files)
{
	char self[200];

	setup();
	CHECK_OK(mkdir("a/x/deep", 0777));
	sprintf(self, "cp /proc/%d/exe a/prog; cp a/prog b/prog", getpid());
	CHECK_EQ(system(self), 0);
	int held = CHECK_OK(open("b/f", O_RDWR));
	restrict_to(ALL1, READ_FILE | READ_DIR | EXECUTE, "a");
	CHECK_EQ(opens("a/f", O_RDONLY), 0);
	CHECK_EQ(opens("a/x/f", O_RDONLY), 0);
	CHECK_EQ(opens("a/x", O_RDONLY), 0);
	CHECK_EQ(opens("a/f", O_WRONLY), -EACCES);
	CHECK_EQ(opens("a/f", O_RDWR), -EACCES);
	CHECK_EQ(opens("b/f", O_RDONLY), -EACCES);
	CHECK_EQ(opens("b", O_RDONLY), -EACCES);
	CHECK_EQ(opens(".", O_RDONLY), -EACCES);
	CHECK_EQ(opens("/", O_RDONLY), -EACCES);
	CHECK_EQ(opens("b/f", O_PATH), 0);			/* is only a name */
	CHECK_EQ(opens("a/new", O_CREAT | O_WRONLY), -EACCES);
	CHECK_OK(access("b/f", R_OK));				/* those are not restricted */
	struct stat st;
	CHECK_OK(stat("b/f", &st));
	CHECK_OK(chmod("b/f", 0600));
	CHECK_OK(truncate("b/f", 5));
	CHECK_EQ(write(held, "hi", 2), 2);			/* what is open stays */
	int p[2];
	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "x", 1), 1);
	sprintf(self, "/proc/self/fd/%d", p[0]);
	errno = 0;
	execl("b/prog", "landlock", "nothing", NULL);
	CHECK_EQ(errno, EACCES);
	execl("a/prog", "landlock", "nothing", NULL);
	FAIL("execve: %s", strerror(errno));
}

TEST(making)
{
	struct sockaddr_un a = { AF_UNIX, "b/s" };
	int s, ruleset;

	setup();
	CHECK_OK(mkdir("b/d", 0777));
	CHECK_OK(mkdir("b/e", 0777));
	touch("b/g");
	ruleset = CHECK_OK(create(ALL1 & ~MAKE_FIFO));
	add(ruleset, MAKE_REG | WRITE_FILE | MAKE_DIR | REMOVE_FILE, "a");
	enforce(ruleset);
	CHECK_EQ(opens("a/new", O_CREAT | O_WRONLY), 0);
	CHECK_EQ(opens("a/new2", O_CREAT | O_RDONLY), -EACCES);
	CHECK_OK(mknod("a/new3", S_IFREG | 0666, 0));
	CHECK_OK(mkdir("a/d", 0777));
	CHECK_OK(mkfifo("a/fifo", 0666));			/* not restricted */
	CHECK_ERR(symlink("f", "a/link"), EACCES);
	CHECK_ERR(rmdir("a/d"), EACCES);
	CHECK_OK(unlink("a/new3"));
	CHECK_EQ(opens("b/new", O_CREAT | O_WRONLY), -EACCES);
	CHECK_ERR(mknod("b/new", S_IFREG | 0666, 0), EACCES);
	CHECK_ERR(mkdir("b/new", 0777), EACCES);
	CHECK_OK(mkfifo("b/fifo", 0666));
	CHECK_ERR(unlink("b/g"), EACCES);
	CHECK_ERR(rmdir("b/d"), EACCES);
	CHECK_ERR(unlink("b/absent"), ENOENT);
	CHECK_ERR(mkdir("b/d", 0777), EEXIST);
	s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERR(bind(s, (void *)&a, sizeof(a)), EACCES);
	if (!getuid()) {
		CHECK_ERR(mknod("a/null", S_IFCHR | 0666, 0x103), EACCES);
		CHECK_ERR(mknod("a/disk", S_IFBLK | 0666, 0x103), EACCES);
	}
}

/* Within one directory a rename is a removal and a birth. */
TEST(rename_in_place)
{
	int ruleset;

	setup();
	touch("a/g");
	touch("b/g");
	ruleset = CHECK_OK(create(REMOVE_FILE | MAKE_REG | REMOVE_DIR | MAKE_DIR));
	add(ruleset, REMOVE_FILE | MAKE_REG, "a");
	enforce(ruleset);
	CHECK_OK(rename("a/f", "a/h"));
	CHECK_OK(rename("a/h", "a/g"));
	CHECK_ERR(rename("b/f", "b/h"), EACCES);
	CHECK_ERR(rename("a/x", "a/y"), EACCES);
	CHECK_OK(link("a/g", "a/again"));
	CHECK_ERR(link("b/f", "b/again"), EACCES);
}

/* Into another directory: never without REFER, whatever is restricted. */
TEST(reparent_denied)
{
	setup();
	restrict_to(READ_FILE, READ_FILE, "a");
	CHECK_ERR(rename("a/f", "b/new"), EXDEV);
	CHECK_ERR(rename("a/f", "a/x/new"), EXDEV);
	CHECK_ERR(link("a/f", "b/new"), EXDEV);
	CHECK_OK(rename("a/f", "a/g"));
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a/g", AT_FDCWD, "b/f", 2), EXDEV);
}

TEST(reparent_allowed)
{
	int ruleset;

	setup();
	ruleset = CHECK_OK(create(REFER | MAKE_REG | REMOVE_FILE));
	add(ruleset, REFER | MAKE_REG | REMOVE_FILE, "a");
	enforce(ruleset);
	CHECK_OK(link("a/f", "a/x/l"));
	CHECK_OK(rename("a/f", "a/x/new"));
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a/x/new", AT_FDCWD, "a/x/l", 2));
	CHECK_ERR(rename("a/x/new", "b/new"), EACCES);		/* may not be made there */
	CHECK_ERR(rename("b/f", "a/new"), EACCES);		/* may not be taken away there */
}

/* REFER on both sides, but the file would get rights where it goes. */
TEST(reparent_gives_no_rights)
{
	int ruleset;

	setup();
	ruleset = CHECK_OK(create(REFER | EXECUTE | READ_FILE));
	add(ruleset, REFER, "a");
	add(ruleset, REFER | EXECUTE, "b");
	enforce(ruleset);
	CHECK_ERR(rename("a/f", "b/new"), EXDEV);
	CHECK_ERR(link("a/f", "b/new"), EXDEV);
	CHECK_OK(rename("b/f", "a/new"));			/* it loses one: fine */
	CHECK_ERR(rename("a/new", "b/back"), EXDEV);
}

/* A rule on the file itself goes along with it. */
TEST(reparent_with_own_rights)
{
	int ruleset;

	setup();
	ruleset = CHECK_OK(create(REFER | EXECUTE));
	add(ruleset, REFER, "a");
	add(ruleset, REFER | EXECUTE, "b");
	add(ruleset, EXECUTE, "a/f");
	enforce(ruleset);
	CHECK_OK(rename("a/f", "b/new"));
	CHECK_ERR(rename("a/x/f", "b/new"), EXDEV);
}

TEST(exchange_both_ways)
{
	int ruleset;

	setup();
	ruleset = CHECK_OK(create(REFER | EXECUTE));
	add(ruleset, REFER, "a");
	add(ruleset, REFER | EXECUTE, "b");
	enforce(ruleset);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "b/f", AT_FDCWD, "a/f", 2), EXDEV);	/* b/f loses, a/f gains */
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a/f", AT_FDCWD, "a/x/f", 2));
}

/* Each layer must allow; a later one gives nothing back. */
TEST(layers)
{
	int ruleset;

	setup();
	restrict_to(READ_FILE, READ_FILE, "a");
	CHECK_EQ(opens("a/f", O_RDWR), 0);
	restrict_to(READ_FILE | WRITE_FILE, READ_FILE | WRITE_FILE, "a/x");
	CHECK_EQ(opens("a/x/f", O_RDWR), 0);
	CHECK_EQ(opens("a/f", O_RDONLY), -EACCES);
	CHECK_EQ(opens("a/f", O_WRONLY), -EACCES);
	restrict_to(READ_FILE, READ_FILE, "/");
	CHECK_EQ(opens("b/f", O_RDONLY), -EACCES);
	CHECK_EQ(opens("a/f", O_RDONLY), -EACCES);
	for (int i = 3; i < 16; i++)
		restrict_to(EXECUTE, EXECUTE, "/");
	ruleset = CHECK_OK(create(EXECUTE));
	CHECK_ERR(syscall(SYS_restrict, ruleset, 0), E2BIG);
	CHECK_EQ(opens("a/x/f", O_RDWR), 0);
}

/* Rights come together from the directories above. */
TEST(rights_add_up)
{
	int ruleset;

	setup();
	ruleset = CHECK_OK(create(READ_FILE | WRITE_FILE));
	add(ruleset, READ_FILE, "a");
	add(ruleset, WRITE_FILE, "a/x");
	add(ruleset, WRITE_FILE, "b/f");
	enforce(ruleset);
	CHECK_EQ(opens("a/x/f", O_RDWR), 0);
	CHECK_EQ(opens("a/f", O_RDWR), -EACCES);
	CHECK_EQ(opens("b/f", O_WRONLY), 0);
	CHECK_EQ(opens("b/f", O_RDONLY), -EACCES);
}

TEST(inherited)
{
	char self[300];
	int status;
	pid_t pid;

	setup();
	CHECK_EQ(readlink("/proc/self/exe", self, 299) > 0, 1);
	restrict_to(READ_FILE, READ_FILE, "a");
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_EQ(opens("b/f", O_RDONLY), -EACCES);
		restrict_to(WRITE_FILE, WRITE_FILE, "b");
		CHECK_EQ(opens("a/f", O_WRONLY), -EACCES);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(opens("a/f", O_WRONLY), 0);			/* the child's is its own */
}

/* The rules follow the directory, also when it has another name or is seen through another mount. */
TEST(renamed_and_bound)
{
	setup();
	if (getuid() || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		SKIP("not root");
	CHECK_OK(mkdir("c", 0777));
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(mount("b", "c", NULL, MS_BIND, NULL));
	CHECK_OK(mount("none", "d", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("d/sub", 0777));
	touch("d/sub/f");
	int ruleset = CHECK_OK(create(READ_FILE));
	add(ruleset, READ_FILE, "c");
	add(ruleset, READ_FILE, "d/sub");
	CHECK_OK(rename("a", "moved"));
	add(ruleset, READ_FILE, "moved");
	CHECK_OK(rename("moved", "a"));
	enforce(ruleset);
	CHECK_EQ(opens("a/f", O_RDONLY), 0);
	CHECK_EQ(opens("b/f", O_RDONLY), 0);
	CHECK_EQ(opens("d/sub/f", O_RDONLY), 0);
	/* What is mounted stays as it is. */
	CHECK_ERR(mount("none", "c", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(mount(NULL, "d", NULL, MS_REMOUNT | MS_RDONLY, NULL), EPERM);
	CHECK_ERR(umount("d"), EPERM);
	CHECK_ERR(syscall(SYS_pivot_root, ".", "."), EPERM);
	CHECK_ERR(syscall(429, AT_FDCWD, "d", AT_FDCWD, "c", 0), EPERM);
}

/* A mount point on the way up. */
TEST(above_a_mount)
{
	setup();
	if (getuid() || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		SKIP("not root");
	CHECK_OK(mount("none", "a/x", "tmpfs", 0, NULL));
	touch("a/x/g");
	restrict_to(READ_FILE, READ_FILE, "a");
	CHECK_EQ(opens("a/x/g", O_RDONLY), 0);
	CHECK_EQ(opens("b/f", O_RDONLY), -EACCES);
}

/* A rule keeps no file system from being unmounted. */
TEST(unmounted)
{
	int ruleset, status;
	pid_t pid;

	setup();
	if (getuid() || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		SKIP("not root");
	for (int i = 0; i < 5; i++) {
		CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
		CHECK_OK(mkdir("a/sub", 0777));
		touch("a/sub/f");
		ruleset = CHECK_OK(create(READ_FILE));
		add(ruleset, READ_FILE, "a/sub");
		add(ruleset, READ_FILE, "b");
		pid = CHECK_OK(fork());
		if (!pid) {
			CHECK_OK(syscall(SYS_restrict, ruleset, 0));
			CHECK_EQ(opens("a/sub/f", O_RDONLY), 0);
			_exit(0);
		}
		status = t_wait(pid);
		CHECK_EQ(status, 0);
		CHECK_OK(umount("a"));
		/* The ruleset is as good as without that rule. */
		pid = CHECK_OK(fork());
		if (!pid) {
			CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
			CHECK_OK(mkdir("a/sub", 0777));
			touch("a/sub/f");
			CHECK_OK(syscall(SYS_restrict, ruleset, 0));
			CHECK_EQ(opens("a/sub/f", O_RDONLY), -EACCES);
			CHECK_EQ(opens("b/f", O_RDONLY), 0);
			_exit(0);
		}
		status = t_wait(pid);
		CHECK_EQ(status, 0);
		CHECK_OK(umount("a"));
		close(ruleset);
	}
}

/* A child traces; which of the two is restricted? */
static int child_may_attach(bool parent_restricted, bool child_restricted)
{
	int status, go[2];
	char c;
	pid_t pid;

	CHECK_OK(pipe(go));
	prctl(PR_SET_PTRACER, -1L, 0, 0, 0);	/* for Yama, where it is */
	pid = CHECK_OK(fork());
	if (!pid) {
		if (child_restricted)
			restrict_to(MAKE_SYM, MAKE_SYM, "/");
		CHECK_EQ(read(go[0], &c, 1), 1);
		if (ptrace(PTRACE_ATTACH, getppid(), NULL, NULL))
			_exit(errno);
		CHECK_OK(waitpid(getppid(), &status, 0));
		CHECK_OK(ptrace(PTRACE_DETACH, getppid(), NULL, NULL));
		_exit(0);
	}
	if (parent_restricted)
		restrict_to(MAKE_SYM, MAKE_SYM, "/");
	CHECK_EQ(write(go[1], "x", 1), 1);
	return WEXITSTATUS(t_wait(pid));
}

TEST(ptrace_out)
{
	setup();
	CHECK_EQ(child_may_attach(false, true), EPERM);	/* out of its domain */
}

TEST(ptrace_in)
{
	setup();
	CHECK_EQ(child_may_attach(true, false), 0);
}

TEST(ptrace_beside)
{
	setup();
	CHECK_EQ(child_may_attach(true, true), EPERM);
}

TEST(traceme)
{
	int status;
	pid_t pid;

	setup();
	pid = CHECK_OK(fork());
	if (!pid) {
		restrict_to(MAKE_SYM, MAKE_SYM, "/");
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? errno : 0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);			/* by who is outside: fine */
	int up[2], down[2];
	char c;
	CHECK_OK(pipe(up));
	CHECK_OK(pipe(down));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_EQ(read(down[0], &c, 1), 1);
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? errno : 0);
	}
	restrict_to(MAKE_SYM, MAKE_SYM, "/");
	CHECK_EQ(write(down[1], "x", 1), 1);
	status = t_wait(pid);
	CHECK_EQ(WEXITSTATUS(status), EPERM);	/* its parent is inside, it is not */
}

/* Domains made and left by many at once. */
TEST(storm)
{
	int status;

	setup();
	for (int p = 0; p < 4; p++) {
		if (CHECK_OK(fork()))
			continue;
		for (int i = 0; i < 60; i++) {
			int child = CHECK_OK(fork());

			if (!child) {
				restrict_to(ALL1, READ_FILE | REMOVE_FILE | MAKE_REG | WRITE_FILE, i % 2 ? "a" : "b");
				CHECK_EQ(opens("a/f", O_RDONLY), i % 2 ? 0 : -EACCES);
				CHECK_EQ(opens("b/f", O_RDONLY), i % 2 ? -EACCES : 0);
				_exit(0);
			}
			status = t_wait(child);
			CHECK_EQ(status, 0);
		}
		_exit(0);
	}
	for (int p = 0; p < 4; p++) {
		CHECK_OK(wait(&status));
		CHECK_EQ(status, 0);
	}
}
