/* files.c: open, read, write, links, rename, directories, permissions, locks, inotify (spec §10). */
#include "t.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <utime.h>
#include <poll.h>

static char dir[64];
static void enter(void)
{
	strcpy(dir, "/tmp/t-XXXXXX");
	CHECK(mkdtemp(dir));
	CHECK_OK(chdir(dir));
}
static int create(const char *name, const char *text)
{
	int fd = CHECK_OK(open(name, O_CREAT | O_RDWR | O_TRUNC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

TEST(open_flags)
{
	enter();
	CHECK_ERR(open("nofile", O_RDONLY), ENOENT);
	close(create("f", "x"));
	CHECK_ERR(open("f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_OK(symlink("f", "l"));
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	char longname[NAME_MAX + 2];
	memset(longname, 'a', sizeof(longname));
	longname[NAME_MAX + 1] = 0;
	CHECK_ERR(open(longname, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(close(1234), EBADF);
	CHECK_ERR(open("newdir/", O_CREAT | O_RDWR, 0600), EISDIR);
}

TEST(read_write_seek_append)
{
	char buf[100];
	enter();
	int fd = create("f", "0123456789");
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	CHECK_EQ(lseek(fd, -3, SEEK_CUR), 7);
	CHECK_EQ(read(fd, buf, 100), 3);
	CHECK_EQ(read(fd, buf, 100), 0);
	CHECK_EQ(pread(fd, buf, 2, 4), 2);
	CHECK_EQ(memcmp(buf, "45", 2), 0);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 77), EINVAL);
	CHECK_EQ(lseek(fd, 100000, SEEK_SET), 100000);
	CHECK_EQ(write(fd, "x", 1), 1);
	struct stat st;
	fstat(fd, &st);
	CHECK_EQ(st.st_size, 100001);
	CHECK_EQ(pread(fd, buf, 1, 50000), 1);
	CHECK_EQ(buf[0], 0);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE) < 100000, 1);
	int a = CHECK_OK(open("f", O_WRONLY | O_APPEND));
	CHECK_OK(ftruncate(fd, 3));
	CHECK_EQ(write(a, "end", 3), 3);
	CHECK_EQ(pread(fd, buf, 100, 0), 6);
	CHECK_EQ(memcmp(buf, "012end", 6), 0);
	CHECK_ERR(read(a, buf, 1), EBADF);
	struct iovec v[2] = { { buf, 2 }, { buf + 50, 10 } };
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, v, 2), 6);
	CHECK_EQ(memcmp(buf + 50, "2end", 4), 0);
}

TEST(links_and_unlink)
{
	struct stat st;
	char buf[10];
	enter();
	int fd = create("a", "data");
	CHECK_OK(link("a", "b"));
	CHECK_OK(stat("b", &st));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(unlink("a"));
	CHECK_ERR(stat("a", &st), ENOENT);
	CHECK_OK(unlink("b"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pread(fd, buf, 4, 0), 4);	/* lives until the last close */
	CHECK_ERR(link("nofile", "c"), ENOENT);
	CHECK_ERR(unlink("."), EISDIR);
	CHECK_OK(symlink("target", "s"));
	CHECK_EQ(readlink("s", buf, 3), 3);
	CHECK_ERR(readlink("/", buf, 3), EINVAL);
	CHECK_OK(lstat("s", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(st.st_size, 6);
}

TEST(rename_rules)
{
	struct stat st;
	enter();
	close(create("a", "1"));
	close(create("b", "22"));
	CHECK_OK(rename("a", "b"));
	CHECK_OK(stat("b", &st));
	CHECK_EQ(st.st_size, 1);
	CHECK_ERR(stat("a", &st), ENOENT);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(rename("b", "d"), EISDIR);
	CHECK_ERR(rename("d", "b"), ENOTDIR);
	CHECK_OK(mkdir("d/sub", 0755));
	CHECK_ERR(rename("d", "d/sub/x"), EINVAL);
	CHECK_OK(mkdir("e", 0755));
	CHECK_OK(rename("e", "d/sub"));
	CHECK_ERR(rename("d/sub", "/proc/x"), EXDEV);
	close(create("x", "x"));
	CHECK_ERR(renameat2(AT_FDCWD, "x", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	CHECK_OK(renameat2(AT_FDCWD, "x", AT_FDCWD, "b", RENAME_EXCHANGE));
	CHECK_OK(stat("b", &st));
}

TEST(directories)
{
	enter();
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_ERR(mkdir("x/y", 0755), ENOENT);
	for (int i = 0; i < 300; i++) {
		char name[30];
		snprintf(name, sizeof(name), "d/file%d", i);
		close(CHECK_OK(open(name, O_CREAT | O_WRONLY, 0600)));
	}
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	DIR *d = opendir("d");
	CHECK(d);
	int n = 0;
	struct dirent *e;
	while ((e = readdir(d))) {
		n++;
		if (e->d_name[0] == 'f') {	/* removing while reading must not lose or repeat names */
			char name[300];
			snprintf(name, sizeof(name), "d/%s", e->d_name);
			CHECK_OK(unlink(name));
		}
	}
	CHECK_EQ(n, 302);
	closedir(d);
	CHECK_OK(rmdir("d"));
	CHECK_ERR(rmdir("."), EINVAL);
	struct stat st;
	CHECK_OK(mkdir("p", 0755));
	CHECK_OK(mkdir("p/q", 0755));
	CHECK_OK(stat("p", &st));
	CHECK_EQ(st.st_nlink, 3);
}

TEST(getcwd_and_chdir)
{
	char buf[PATH_MAX];
	enter();
	CHECK_STR(getcwd(buf, sizeof(buf)), dir);
	CHECK_OK(mkdir("sub", 0755));
	CHECK_OK(chdir("sub"));
	CHECK(strstr(getcwd(buf, sizeof(buf)), "/sub"));
	CHECK_OK(chdir(".."));
	CHECK_STR(getcwd(buf, sizeof(buf)), dir);
	CHECK(!getcwd(buf, 3) && errno == ERANGE);
	CHECK_ERR(chdir("nodir"), ENOENT);
	int fd = CHECK_OK(open("sub", O_RDONLY | O_DIRECTORY));
	CHECK_OK(fchdir(fd));
	CHECK_OK(rmdir("../sub"));
	CHECK(!getcwd(buf, sizeof(buf)) && errno == ENOENT);
}

TEST(permissions)
{
	enter();
	close(create("secret", "x"));
	CHECK_OK(chmod("secret", 0600));
	CHECK_OK(mkdir("locked", 0700));
	CHECK_OK(chmod(dir, 0755));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		if (open("secret", O_RDONLY) != -1 || errno != EACCES)
			_exit(2);
		if (chdir("locked") != -1 || errno != EACCES)
			_exit(3);
		if (chmod("secret", 0666) != -1 || errno != EPERM)
			_exit(4);
		if (chown("secret", 1000, 1000) != -1 || errno != EPERM)
			_exit(5);
		if (open("new", O_CREAT | O_WRONLY, 0600) != -1 || errno != EACCES)
			_exit(6);
		if (access("secret", R_OK) != -1 || errno != EACCES)
			_exit(7);
		if (unlink("secret") != -1 || errno != EACCES)
			_exit(8);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 0);
	umask(027);
	close(CHECK_OK(open("masked", O_CREAT | O_WRONLY, 0666)));
	struct stat st;
	stat("masked", &st);
	CHECK_EQ(st.st_mode & 0777, 0640);
}

TEST(sticky_bit)
{
	enter();
	CHECK_OK(chmod(dir, 01777));
	close(create("mine", "x"));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (setuid(1000))
			_exit(1);
		_exit(unlink("mine") == -1 && errno == EPERM ? 0 : 2);
	}
	CHECK_EQ(t_wait(pid), 0);
}

TEST(times)
{
	struct stat st;
	enter();
	int fd = create("f", "x");
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 7 } };
	CHECK_OK(futimens(fd, ts));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_mtim.tv_nsec, 7);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", ts, 0));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec >= 3000 || st.st_mtim.tv_sec < 2000);
}

TEST(statx_gives_times_and_size)
{
	struct statx sx;
	enter();
	close(create("f", "12345"));
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx));
	CHECK_EQ(sx.stx_size, 5);
	CHECK(S_ISREG(sx.stx_mode));
	CHECK_ERR(statx(AT_FDCWD, "nofile", 0, STATX_ALL, &sx), ENOENT);
	CHECK_ERR(statx(AT_FDCWD, "f", 0x40000000, STATX_ALL, &sx), EINVAL);
}

TEST(dup_family_and_limits)
{
	enter();
	int fd = create("f", "abc");
	int d = CHECK_OK(dup(fd));
	CHECK_EQ(lseek(d, 1, SEEK_SET), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);		/* one position for both */
	CHECK_EQ(dup2(fd, 77), 77);
	CHECK_EQ(dup2(77, 77), 77);
	CHECK_ERR(dup3(fd, fd, 0), EINVAL);
	CHECK_ERR(dup2(999, 5), EBADF);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 100), 100);
	CHECK_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	struct rlimit r = { 50, 50 };
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
	CHECK_ERR(dup2(fd, 60), EBADF);
	CHECK_ERR(fcntl(fd, F_DUPFD, 60), EINVAL);
	while (dup(fd) >= 0)
		;
	CHECK_EQ(errno, EMFILE);
}

TEST(fallocate_truncate_punch)
{
	struct stat st;
	char c = 1;
	enter();
	int fd = create("f", "x");
	CHECK_OK(posix_fallocate(fd, 0, 100000));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100000);
	CHECK_EQ(pwrite(fd, "y", 1, 50000), 1);
	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40960, 16384)) {
		CHECK_EQ(pread(fd, &c, 1, 50000), 1);
		CHECK_EQ(c, 0);
	}
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("nofile", 0), ENOENT);
	CHECK_OK(truncate("f", 10));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 10);
}

TEST(sendfile_and_copy_file_range)
{
	char buf[32] = { 0 };
	off_t off = 2;
	enter();
	int a = create("a", "0123456789"), b = create("b", "");
	CHECK_EQ(sendfile(b, a, &off, 5), 5);
	CHECK_EQ(off, 7);
	CHECK_EQ(pread(b, buf, 32, 0), 5);
	CHECK_EQ(memcmp(buf, "23456", 5), 0);
	off_t in = 0, out = 5;
	CHECK_EQ(copy_file_range(a, &in, b, &out, 3, 0), 3);
	CHECK_EQ(pread(b, buf, 32, 0), 8);
	CHECK_EQ(memcmp(buf, "23456012", 8), 0);
}

TEST(flock_and_record_locks)
{
	enter();
	int fd = create("f", "0123456789");
	CHECK_OK(flock(fd, LOCK_EX));
	int other = CHECK_OK(open("f", O_RDWR));
	CHECK_ERR(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(fd, LOCK_UN));
	CHECK_OK(flock(other, LOCK_SH | LOCK_NB));
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		struct flock g = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
		if (fcntl(fd, F_GETLK, &g) || g.l_type != F_WRLCK || g.l_start != 2 || g.l_len != 3 || g.l_pid != getppid())
			_exit(1);
		g = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 1 };
		if (fcntl(fd, F_SETLK, &g) != -1 || (errno != EAGAIN && errno != EACCES))
			_exit(2);
		g.l_start = 5;
		if (fcntl(fd, F_SETLK, &g))
			_exit(3);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 0);
}

TEST(lock_waits_and_deadlock_is_found)
{
	enter();
	int fd = create("f", "0123456789"), p[2];
	struct flock a = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	struct flock b = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1 };
	char c;
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(fd, F_SETLK, &a));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (fcntl(fd, F_SETLK, &b) || write(p[1], "x", 1) != 1)
			_exit(1);
		/* waits for the parent's lock */
		if (fcntl(fd, F_SETLKW, &a))
			_exit(errno == EDEADLK ? 35 : 2);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	t_sleep_ms(300);
	CHECK_ERR(fcntl(fd, F_SETLKW, &b), EDEADLK);
	a.l_type = F_UNLCK;
	CHECK_OK(fcntl(fd, F_SETLK, &a));
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 0);
}

TEST(inotify_events)
{
	char buf[4096];
	enter();
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK));
	int wd = CHECK_OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO));
	CHECK_ERR(read(fd, buf, sizeof(buf)), EAGAIN);
	close(create("new", "text"));
	CHECK_OK(rename("new", "newer"));
	CHECK_OK(unlink("newer"));
	ssize_t n = CHECK_OK(read(fd, buf, sizeof(buf)));
	unsigned seen = 0;
	for (char *p = buf; p < buf + n; ) {
		struct inotify_event *e = (void *)p;
		CHECK_EQ(e->wd, wd);
		seen |= e->mask;
		p += sizeof(*e) + e->len;
	}
	CHECK_EQ(seen & 0xfff, IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO);
	CHECK_OK(inotify_rm_watch(fd, wd));
	CHECK_ERR(inotify_rm_watch(fd, wd), EINVAL);
}

static volatile sig_atomic_t dnotify_told, dnotify_fd;

static void on_dnotify(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	dnotify_told++;
	dnotify_fd = si->si_fd;
}

/* A signal of F_NOTIFY comes before the system call that it is about returns. */
TEST(dnotify_tells_by_signal)
{
	struct sigaction sa = { .sa_sigaction = on_dnotify, .sa_flags = SA_SIGINFO };
	enter();
	CHECK_OK(sigaction(SIGRTMIN + 1, &sa, NULL));
	int fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_OK(fcntl(fd, F_SETSIG, SIGRTMIN + 1));
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_CREATE));
	close(create("one", "text"));
	CHECK_EQ(dnotify_told, 1);
	CHECK_EQ(dnotify_fd, fd);
	close(create("two", "text"));		/* asked for once, told once */
	CHECK_EQ(dnotify_told, 1);
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_RENAME | DN_MULTISHOT));
	CHECK_OK(fcntl(fd, F_NOTIFY, DN_DELETE));	/* adds */
	CHECK_OK(unlink("two"));
	CHECK_EQ(dnotify_told, 2);
	CHECK_OK(rename("one", "three"));	/* renamed, and gone from this name */
	CHECK_EQ(dnotify_told, 4);
	int other = CHECK_OK(dup(fd));
	CHECK_OK(close(other));			/* closing any descriptor of it ends it */
	close(create("four", "text"));
	CHECK_OK(unlink("four"));
	CHECK_EQ(dnotify_told, 4);
	CHECK_ERR(fcntl(create("five", "text"), F_NOTIFY, DN_CREATE), ENOTDIR);
}

TEST(mount_tmpfs_bind_and_readonly)
{
	struct statfs sf;
	enter();
	if (getuid())
		SKIP("not root");
	CHECK_OK(mkdir("m", 0755));
	if (mount("none", "m", "tmpfs", 0, "size=64k") < 0)
		SKIP("may not mount here");
	CHECK_OK(statfs("m", &sf));
	CHECK_EQ(sf.f_type, 0x01021994);
	int fd = CHECK_OK(open("m/f", O_CREAT | O_RDWR, 0600));
	char big[4096] = { 1 };
	ssize_t n;
	int pages = 0;
	while ((n = write(fd, big, sizeof(big))) == sizeof(big))
		pages++;
	CHECK(n == -1 && errno == ENOSPC);
	CHECK_EQ(pages, 16);
	CHECK_ERR(umount("m"), EBUSY);
	close(fd);
	CHECK_OK(mkdir("b", 0755));
	CHECK_OK(mount("m", "b", NULL, MS_BIND, NULL));
	CHECK_OK(access("b/f", F_OK));
	CHECK_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERR(open("b/g", O_CREAT | O_WRONLY, 0600), EROFS);
	CHECK_OK(umount("b"));
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERR(access("m/f", F_OK), ENOENT);
	CHECK_ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
}

TEST(device_files)
{
	char buf[100];
	struct stat st;
	int n = CHECK_OK(open("/dev/null", O_RDWR)), z = CHECK_OK(open("/dev/zero", O_RDWR)), u = CHECK_OK(open("/dev/urandom", O_RDONLY));
	CHECK_EQ(read(n, buf, 100), 0);
	CHECK_EQ(write(n, buf, 100), 100);
	memset(buf, 1, 100);
	CHECK_EQ(read(z, buf, 100), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(read(u, buf, 100), 100);
	int zero = 0;
	for (int i = 0; i < 100; i++)
		zero += !buf[i];
	CHECK(zero < 20);
	int f = CHECK_OK(open("/dev/full", O_RDWR));
	CHECK_ERR(write(f, buf, 1), ENOSPC);
	CHECK_OK(fstat(n, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	CHECK_ERR(ioctl(n, TCGETS, buf), ENOTTY);
}

TEST(o_path_and_at_functions)
{
	struct stat st;
	enter();
	close(create("f", "x"));
	int d = CHECK_OK(open(".", O_PATH)), f = CHECK_OK(openat(d, "f", O_PATH));
	char c;
	CHECK_ERR(read(f, &c, 1), EBADF);
	CHECK_OK(fstat(f, &st));
	CHECK_OK(fstatat(d, "f", &st, 0));
	CHECK_OK(fstatat(f, "", &st, AT_EMPTY_PATH));
	CHECK_ERR(openat(f, "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(999, "x", O_RDONLY), EBADF);
	CHECK_OK(mkdirat(d, "sub", 0700));
	CHECK_OK(unlinkat(d, "sub", AT_REMOVEDIR));
	int t = open(".", O_TMPFILE | O_RDWR, 0600);
	if (t >= 0) {
		CHECK_EQ(write(t, "abc", 3), 3);
		char p[40];
		snprintf(p, sizeof(p), "/proc/self/fd/%d", t);
		CHECK_OK(linkat(AT_FDCWD, p, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
		CHECK_OK(stat("linked", &st));
		CHECK_EQ(st.st_size, 3);
	}
}

TEST(file_size_limit)
{
	struct rlimit r = { 4096, 4096 };
	char buf[8192] = { 0 };
	enter();
	signal(SIGXFSZ, SIG_IGN);
	int fd = create("f", "");
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &r));
	CHECK_EQ(write(fd, buf, 8192), 4096);
	CHECK_ERR(write(fd, buf, 1), EFBIG);
}
