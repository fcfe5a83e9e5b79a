/* userns.c: user namespaces: maps, capabilities inside and outside, what root in one may mount (spec §8; man 7 user_namespaces). */
#include "t.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define USER	1234

static int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n;

	if (fd < 0)
		return -1;
	n = (int)write(fd, text, strlen(text));
	close(fd);
	return n == (int)strlen(text) ? 0 : -1;
}

static char *get_text(const char *path)
{
	static char buf[500];
	int fd = CHECK_OK(open(path, O_RDONLY)), n = (int)CHECK_OK(read(fd, buf, sizeof(buf) - 1));

	buf[n] = 0;
	close(fd);
	return buf;
}

/* An ordinary user from here on, with files of /proc that are its own. */
static void become_user(void)
{
	if (getuid())
		SKIP("not root");
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setresgid(USER, USER, USER));
	CHECK_OK(setresuid(USER, USER, USER));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_OK(chdir("/"));
}

static void enter(unsigned long more)
{
	if (unshare(CLONE_NEWUSER | more))
		SKIP("may not unshare here: %s", strerror(errno));
}

/* unshare -Ur: root inside, USER outside. */
static void enter_as_root(unsigned long more)
{
	char text[64];

	enter(more);
	CHECK_OK(put_text("/proc/self/setgroups", "deny"));
	sprintf(text, "0 %d 1\n", USER);
	CHECK_OK(put_text("/proc/self/uid_map", text));
	CHECK_OK(put_text("/proc/self/gid_map", text));
	CHECK_EQ(getuid(), 0);
	CHECK_EQ(getegid(), 0);
}

static unsigned long long caps(const char *which)
{
	char line[300];
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long v = ~0ULL;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, which, strlen(which)))
			v = strtoull(line + strlen(which) + 1, NULL, 16);
	fclose(f);
	return v;
}

TEST(nobody_before_the_map)
{
	become_user();
	enter(0);
	CHECK_EQ(getuid(), 65534);
	CHECK_EQ(getgid(), 65534);
	CHECK(caps("CapEff") != 0);
	CHECK_EQ(caps("CapEff"), caps("CapPrm"));
	CHECK_EQ(caps("CapInh"), 0);
	CHECK_STR(get_text("/proc/self/uid_map"), "");
	CHECK_ERR(setuid(0), EINVAL);		/* nothing is mapped */
	CHECK_OK(prctl(PR_CAPBSET_DROP, 5));
}

TEST(maps)
{
	char want[100];

	become_user();
	enter(0);
	CHECK_STR(get_text("/proc/self/setgroups"), "allow\n");
	CHECK_ERR(put_text("/proc/self/uid_map", "0 0 1\n"), EPERM);		/* not ours to give */
	CHECK_ERR(put_text("/proc/self/uid_map", "0 1234 2\n"), EPERM);
	CHECK_ERR(put_text("/proc/self/uid_map", "0 1234\n"), EINVAL);
	CHECK_ERR(put_text("/proc/self/uid_map", "0 1234 0\n"), EINVAL);
	CHECK_ERR(put_text("/proc/self/uid_map", "0 1234 1\n1 5 1\n0 7 1\n"), EINVAL);
	CHECK_ERR(put_text("/proc/self/uid_map", "rubbish\n"), EINVAL);
	CHECK_OK(put_text("/proc/self/uid_map", "500 1234 1\n"));
	CHECK_EQ(getuid(), 500);
	CHECK_EQ(geteuid(), 500);
	sprintf(want, "%10u %10u %10u\n", 500, USER, 1);
	CHECK_STR(get_text("/proc/self/uid_map"), want);
	CHECK_ERR(put_text("/proc/self/uid_map", "0 1234 1\n"), EPERM);		/* once */
	CHECK_ERR(put_text("/proc/self/gid_map", "0 1234 1\n"), EPERM);		/* setgroups is still allowed */
	CHECK_ERR(put_text("/proc/self/setgroups", "perhaps"), EINVAL);
	CHECK_OK(put_text("/proc/self/setgroups", "deny"));
	CHECK_OK(put_text("/proc/self/gid_map", "600 1234 1\n"));
	CHECK_EQ(getgid(), 600);
	CHECK_ERR(put_text("/proc/self/setgroups", "allow"), EPERM);
	CHECK_ERR(setgroups(0, NULL), EPERM);
	CHECK_ERR(setuid(501), EINVAL);
	CHECK_OK(setuid(500));
}

TEST(root_inside_is_nobody_outside)
{
	struct stat st;
	int fd;

	if (getuid())
		SKIP("not root");
	fd = CHECK_OK(open("/tmp/userns-root", O_CREAT | O_WRONLY, 0600));
	close(fd);
	become_user();
	CHECK_OK(stat("/tmp/userns-root", &st));
	CHECK_EQ(st.st_uid, 0);
	enter_as_root(CLONE_NEWNS);
	CHECK_ERR(open("/tmp/userns-root", O_RDONLY), EACCES);
	CHECK_OK(stat("/tmp/userns-root", &st));
	CHECK_EQ(st.st_uid, 65534);
	CHECK_ERR(chown("/tmp/userns-root", 0, 0), EPERM);
	fd = CHECK_OK(open("/tmp/userns-mine", O_CREAT | O_RDWR, 0600));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_uid, 0);
	CHECK_ERR(fchown(fd, 1, -1), EINVAL);
	CHECK_OK(fchmod(fd, 0));
	close(fd);
	CHECK_OK(close(CHECK_OK(open("/tmp/userns-mine", O_RDWR))));	/* CAP_DAC_OVERRIDE over what is ours */
	CHECK_OK(unlink("/tmp/userns-mine"));
	CHECK_ERR(mknod("/tmp/userns-dev", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_ERR(sethostname("x", 1), EPERM);		/* the name belongs to the outer one */
	CHECK_ERR(kill(1, SIGTERM), EPERM);
	CHECK_ERR(mount("none", "/tmp", "ext4", 0, NULL), EPERM);
}

TEST(owns_what_it_makes)
{
	char name[64];

	become_user();
	enter_as_root(CLONE_NEWUTS | CLONE_NEWNS);
	CHECK_OK(sethostname("inside", 6));
	CHECK_OK(gethostname(name, sizeof(name)));
	CHECK_STR(name, "inside");
	CHECK_OK(mount("none", "/tmp", "tmpfs", 0, "uid=0,mode=755"));
	CHECK_ERR(mount("none", "/tmp", "tmpfs", 0, "uid=1"), EINVAL);
	CHECK_OK(close(CHECK_OK(open("/tmp/file", O_CREAT | O_RDWR, 0600))));
	CHECK_ERR(mknod("/tmp/dev", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_OK(chroot("/tmp"));
	CHECK_ERR(unshare(CLONE_NEWUSER), EPERM);	/* not out of a chroot directory */
}

TEST(locked_mounts)
{
	char dir[64], sub[100];

	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(dir, "/tmp/lock%d", getpid());
	CHECK_OK(mkdir(dir, 0755));
	CHECK_OK(mount("none", dir, "tmpfs", 0, "mode=777"));
	sprintf(sub, "%s/sub", dir);
	CHECK_OK(mkdir(sub, 0777));
	CHECK_OK(mount("none", sub, "tmpfs", MS_RDONLY | MS_NOSUID, NULL));
	become_user();
	enter_as_root(CLONE_NEWNS);
	CHECK_ERR(umount(sub), EINVAL);
	CHECK_ERR(umount2(dir, MNT_DETACH), EINVAL);
	CHECK_ERR(mount(NULL, sub, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL), EPERM);	/* read-only stays */
	CHECK_ERR(mount(NULL, sub, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EPERM);	/* and nosuid */
	CHECK_OK(mount(NULL, sub, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
	CHECK_ERR(mount(dir, "/mnt", NULL, MS_BIND, NULL), EINVAL);		/* would show what is under sub */
	CHECK_OK(mount(dir, "/mnt", NULL, MS_BIND | MS_REC, NULL));
	CHECK_ERR(umount("/mnt/sub"), EINVAL);
	CHECK_OK(umount2("/mnt", MNT_DETACH));
	CHECK_OK(mount("none", sub, "tmpfs", 0, NULL));				/* what it puts on top is its own */
	CHECK_OK(umount(sub));
}

TEST(mounts_from_outside_arrive_but_not_back)
{
	char dir[64], sub[100];
	int p[2], q[2], status;
	char c;
	pid_t pid;

	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(dir, "/tmp/prop%d", getpid());
	CHECK_OK(mkdir(dir, 0755));
	CHECK_OK(mount("none", dir, "tmpfs", 0, "mode=777"));
	CHECK_OK(mount(NULL, dir, NULL, MS_SHARED, NULL));
	sprintf(sub, "%s/a", dir);
	CHECK_OK(mkdir(sub, 0777));
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		become_user();
		enter_as_root(CLONE_NEWNS);
		CHECK_OK(write(p[1], "x", 1));
		CHECK_EQ(read(q[0], &c, 1), 1);
		CHECK(strstr(get_text("/proc/self/setgroups"), "deny"));
		strcat(sub, "/in");
		CHECK_OK(access(sub, F_OK));
		CHECK_OK(umount(strcat(dir, "/a")));		/* its top is not locked: it came in on a place that was seen */
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_OK(mount("none", sub, "tmpfs", 0, "mode=777"));
	strcat(sub, "/in");
	CHECK_OK(mkdir(sub, 0777));
	CHECK_OK(write(q[1], "x", 1));
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(capabilities_over_the_child)
{
	char path[64];
	int p[2], q[2], fd, status;
	char c;
	struct stat a, b;
	pid_t pid;

	become_user();
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		enter(CLONE_NEWUTS);
		CHECK_OK(write(p[1], "x", 1));
		read(q[0], &c, 1);
		_exit(0);
	}
	if (read(p[0], &c, 1) != 1)
		SKIP("may not unshare here");
	/* Its maker has all capabilities in it, so may enter, map and own its things. */
	sprintf(path, "/proc/%d/uid_map", pid);
	CHECK_OK(put_text(path, "7 1234 1\n"));
	sprintf(path, "/proc/%d/ns/uts", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_ERR(setns(fd, 0), EPERM);			/* not with no capability of our own */
	CHECK_ERR(ioctl(fd, 0xb704, &status), EINVAL);
	sprintf(path, "/proc/%d/ns/user", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_OK(ioctl(fd, 0xb704 /* NS_GET_OWNER_UID */, &status));
	CHECK_EQ(status, USER);
	CHECK_OK(fstat(CHECK_OK(ioctl(fd, 0xb702 /* NS_GET_PARENT */)), &a));
	CHECK_OK(stat("/proc/self/ns/user", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(setns(fd, CLONE_NEWUSER));
	CHECK_EQ(getuid(), 7);
	CHECK(caps("CapEff") != 0);
	CHECK_ERR(setns(fd, CLONE_NEWUSER), EINVAL);	/* that would bring back what was dropped */
	sprintf(path, "/proc/%d/ns/uts", pid);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_OK(setns(fd, 0));
	CHECK_OK(sethostname("theirs", 6));
	CHECK_OK(write(q[1], "x", 1));
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(as_root_many_ids)
{
	char path[64];
	int p[2], q[2], status;
	gid_t groups[3] = { 3, 5, 1 };
	char c;
	pid_t pid;

	if (getuid())
		SKIP("not root");
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		enter(0);
		CHECK_OK(write(p[1], "x", 1));
		CHECK_EQ(read(q[0], &c, 1), 1);
		CHECK_OK(setgroups(3, groups));
		CHECK_EQ(getgroups(3, groups), 3);
		CHECK_EQ(groups[0], 1);
		CHECK_ERR(setgroups(1, (gid_t[]){ 70000 }), EINVAL);
		CHECK_OK(setresgid(10, 11, 12));
		CHECK_OK(setresuid(0, 0, 0));
		CHECK_OK(setresuid(1000, 2000, 3000));
		CHECK_EQ(getuid(), 1000);
		CHECK_EQ(geteuid(), 2000);
		CHECK_EQ(caps("CapEff"), 0);
		CHECK_OK(write(p[1], "y", 1));
		CHECK_EQ(read(q[0], &c, 1), 1);
		_exit(0);
	}
	if (read(p[0], &c, 1) != 1)
		SKIP("may not unshare here");
	sprintf(path, "/proc/%d/uid_map", pid);
	CHECK_OK(put_text(path, "0 100000 1000\n1000 200000 1000\n2000 5000 2000\n"));
	sprintf(path, "/proc/%d/gid_map", pid);
	CHECK_OK(put_text(path, "0 100000 65536\n"));
	CHECK_OK(write(q[1], "x", 1));
	CHECK_EQ(read(p[0], &c, 1), 1);
	sprintf(path, "/proc/%d/status", pid);
	{
		char *text = get_text(path), *uid = strstr(text, "\nUid:");

		CHECK(uid);
		CHECK(!strncmp(uid, "\nUid:\t200000\t5000\t6000\t5000\n", 28));
	}
	CHECK_OK(write(q[1], "x", 1));
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(nested)
{
	int i;

	become_user();
	enter_as_root(0);
	for (i = 1; i < 40; i++) {
		if (unshare(CLONE_NEWUSER))
			break;
		CHECK_OK(put_text("/proc/self/uid_map", "0 0 1\n"));
		CHECK_OK(put_text("/proc/self/gid_map", "0 0 1\n"));
		CHECK_EQ(getuid(), 0);
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK(i >= 30 && i <= 33);
}

TEST(flags)
{
	become_user();
	CHECK_ERR(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EINVAL);
}

TEST(clone_with_all)
{
	int status;
	pid_t pid;

	become_user();
	pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		SKIP("may not clone here: %s", strerror(errno));
	if (!pid) {
		CHECK_EQ(getpid(), 1);
		CHECK_OK(put_text("/proc/self/uid_map", "0 1234 1\n"));
		CHECK_EQ(getuid(), 0);
		CHECK_OK(mount("none", "/tmp", "tmpfs", 0, NULL));
		CHECK_OK(sethostname("x", 1));
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}
