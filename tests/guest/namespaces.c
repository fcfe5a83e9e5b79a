/* namespaces.c: UTS and mount namespaces: clone, unshare, setns, /proc/PID/ns (spec §8; man 7 namespaces, mount_namespaces, 2 setns). */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static ino_t ns_ino(const char *path)
{
	struct stat st;

	CHECK_OK(stat(path, &st));
	return st.st_ino;
}

static void need_root(void)
{
	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS))
		SKIP("may not unshare here: %s", strerror(errno));
	/* What follows is not to reach the machine's own tree. */
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void check_host(const char *name)
{
	struct utsname u;
	char buf[100] = "";
	int fd = CHECK_OK(open("/proc/sys/kernel/hostname", O_RDONLY));

	CHECK_OK(uname(&u));
	CHECK_STR(u.nodename, name);
	CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	close(fd);
	CHECK(strchr(buf, '\n'));
	*strchr(buf, '\n') = 0;
	CHECK_STR(buf, name);
}

static void set_host(const char *name)
{
	CHECK_OK(sethostname(name, strlen(name)));
}

/* A child with these new namespaces that runs fn. */
static int in_clone(unsigned long flags, void (*fn)(void))
{
	pid_t pid = CHECK_OK(syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL));

	if (!pid) {
		fn();
		_exit(0);
	}
	return t_wait(pid);
}

static void rename_host(void)
{
	check_host("outer");
	set_host("inner");
	check_host("inner");
}

TEST(uts_is_a_copy)
{
	need_root();
	set_host("outer");
	CHECK_EQ(in_clone(CLONE_NEWUTS, rename_host), 0);
	check_host("outer");
	CHECK_EQ(in_clone(0, rename_host), 0);		/* without the flag it is the same */
	check_host("inner");
}

TEST(uts_through_proc)
{
	int fd;

	need_root();
	set_host("outer");
	fd = CHECK_OK(open("/proc/sys/kernel/hostname", O_WRONLY));
	CHECK_EQ(write(fd, "written\n", 8), 8);
	check_host("written");
}

TEST(files_of_namespaces)
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
	char path[64], link[64], want[64];
	ino_t mnt, uts, parent = 0;
	int n;

	need_root();
	for (int i = 0; i < 8; i++) {
		sprintf(path, "/proc/self/ns/%s", kinds[i]);
		n = CHECK_OK(readlink(path, link, sizeof(link) - 1));
		link[n] = 0;
		sprintf(want, "%s:[%lu]", kinds[i], (unsigned long)ns_ino(path));
		CHECK_STR(link, want);
	}
	sprintf(path, "/proc/%d/ns/mnt", getppid());
	if (!access(path, R_OK))
		parent = ns_ino(path);
	mnt = ns_ino("/proc/self/ns/mnt");
	uts = ns_ino("/proc/self/ns/uts");
	CHECK(mnt != parent);
	CHECK_OK(unshare(CLONE_NEWUTS));
	CHECK(ns_ino("/proc/self/ns/uts") != uts);
	CHECK_EQ(ns_ino("/proc/self/ns/mnt"), mnt);
}

TEST(setns_uts)
{
	int fd, old, other;

	need_root();
	set_host("one");
	old = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY));
	CHECK_OK(unshare(CLONE_NEWUTS));
	set_host("two");
	fd = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY));
	CHECK_OK(setns(old, 0));
	check_host("one");
	CHECK_OK(setns(fd, CLONE_NEWUTS));		/* alive by its file alone */
	check_host("two");
	CHECK_ERR(setns(fd, CLONE_NEWNS), EINVAL);
	CHECK_ERR(setns(-1, 0), EBADF);
	other = CHECK_OK(open("/proc/self/status", O_RDONLY));
	CHECK_ERR(setns(other, 0), EINVAL);
	CHECK_EQ(ioctl(fd, 0xb703 /* NS_GET_NSTYPE */), CLONE_NEWUTS);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(setns(old, 0), EPERM);
	CHECK_ERR(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EPERM);
}

TEST(setns_of_a_process)
{
	int p[2], go[2], fd;
	char c;
	pid_t pid;

	need_root();
	set_host("parent");
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (!pid) {
		close(go[1]);
		CHECK_OK(unshare(CLONE_NEWUTS | CLONE_NEWNS));
		set_host("child");
		CHECK_EQ(write(p[1], "x", 1), 1);
		read(go[0], &c, 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	fd = CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
	CHECK_ERR(setns(fd, 0), EINVAL);
	CHECK_OK(setns(fd, CLONE_NEWUTS | CLONE_NEWNS));
	check_host("child");
	close(go[1]);
	CHECK_EQ(t_wait(pid), 0);
	CHECK_ERR(setns(fd, CLONE_NEWUTS), ESRCH);
	check_host("child");		/* there is still somebody in it */
}

/* ---- mounts ---- */

static bool mounted(const char *file, const char *at)
{
	char line[2000], want[300];
	bool found = false;
	FILE *f = fopen(file, "r");

	CHECK(f);
	sprintf(want, " %s ", at);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, want))
			found = true;
	fclose(f);
	return found;
}

static char dir[64];

static void make_dir(void)
{
	sprintf(dir, "/tmp/ns%d", getpid());
	CHECK_OK(mkdir(dir, 0700));
}

static void put_file(const char *name)
{
	char path[100];

	sprintf(path, "%s/%s", dir, name);
	CHECK_OK(close(CHECK_OK(open(path, O_CREAT | O_WRONLY, 0600))));
}

static int has_file(const char *name)
{
	char path[100];

	sprintf(path, "%s/%s", dir, name);
	return !access(path, F_OK);
}

static void mount_inside(void)
{
	CHECK(!mounted("/proc/self/mounts", dir));
	CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
	CHECK(mounted("/proc/self/mounts", dir));
	CHECK(mounted("/proc/self/mountinfo", dir));
	CHECK(!has_file("outside"));
	put_file("inside");
}

TEST(mounts_are_ours_alone)
{
	need_root();
	make_dir();
	put_file("outside");
	CHECK_EQ(in_clone(CLONE_NEWNS, mount_inside), 0);
	CHECK(!mounted("/proc/self/mounts", dir));
	CHECK(has_file("outside"));
	CHECK(!has_file("inside"));
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

TEST(unmount_stays_inside)
{
	int st;
	pid_t pid;

	need_root();
	make_dir();
	CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
	put_file("x");
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(chdir(dir));
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_OK(access("x", F_OK));		/* stands on the copy now */
		CHECK_OK(umount2(dir, MNT_DETACH));
		CHECK(!has_file("x"));
		CHECK_OK(access("x", F_OK));
		_exit(0);
	}
	st = t_wait(pid);
	CHECK_EQ(st, 0);
	CHECK(has_file("x"));
	CHECK_OK(umount(dir));				/* nobody keeps it busy */
	CHECK(!has_file("x"));
}

TEST(shared_mounts_reach_both)
{
	char sub[100];
	int p[2], q[2], st;
	char c;
	pid_t pid;

	need_root();
	make_dir();
	CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, dir, NULL, MS_SHARED, NULL));
	sprintf(sub, "%s/sub", dir);
	CHECK_OK(mkdir(sub, 0700));
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_EQ(write(p[1], "x", 1), 1);
		CHECK_EQ(read(q[0], &c, 1), 1);
		CHECK(mounted("/proc/self/mounts", sub));
		CHECK_OK(umount(sub));
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_OK(mount("none", sub, "tmpfs", 0, NULL));
	CHECK_EQ(write(q[1], "x", 1), 1);
	st = t_wait(pid);
	CHECK_EQ(st, 0);
	CHECK(!mounted("/proc/self/mounts", sub));
}

TEST(setns_mnt)
{
	int here, there;

	need_root();
	make_dir();
	here = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
	there = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));
	CHECK_OK(chdir(dir));
	CHECK_OK(setns(here, CLONE_NEWNS));
	CHECK(!mounted("/proc/self/mounts", dir));
	CHECK_OK(access("proc", F_OK));			/* the working directory is the root now */
	CHECK_OK(setns(there, 0));
	CHECK(mounted("/proc/self/mounts", dir));
	put_file("there");
	CHECK_OK(setns(here, 0));
	CHECK(!has_file("there"));
}

TEST(mounts_of_another_process)
{
	char file[64];
	int p[2], q[2], st;
	char c;
	pid_t pid;

	need_root();
	make_dir();
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		close(q[1]);
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
		CHECK_EQ(write(p[1], "x", 1), 1);
		read(q[0], &c, 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	sprintf(file, "/proc/%d/mountinfo", pid);
	CHECK(mounted(file, dir));
	CHECK(!mounted("/proc/self/mountinfo", dir));
	close(q[1]);
	st = t_wait(pid);
	CHECK_EQ(st, 0);
}

TEST(new_root)
{
	char put[100], cwd[200];

	need_root();
	make_dir();
	CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
	sprintf(put, "%s/old", dir);
	CHECK_OK(mkdir(put, 0700));
	put_file("mark");
	CHECK_OK(chdir(dir));
	if (syscall(SYS_pivot_root, ".", "old")) {
		/* The first mount of all cannot be moved: the initramfs. */
		CHECK_EQ(errno, EINVAL);
		SKIP("the root is the first mount");
	}
	CHECK_OK(access("/mark", F_OK));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, "/");
	CHECK_OK(umount2("/old", MNT_DETACH));
	CHECK_ERR(access("/old/proc", F_OK), ENOENT);
}

TEST(many_come_and_go)
{
	need_root();
	make_dir();
	for (int i = 0; i < 300; i++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			CHECK_OK(unshare(CLONE_NEWNS | CLONE_NEWUTS));
			CHECK_OK(mount("none", dir, "tmpfs", 0, NULL));
			put_file("x");
			_exit(0);
		}
		CHECK_EQ(t_wait(pid), 0);
	}
	CHECK(!has_file("x"));
}
