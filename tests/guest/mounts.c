/* mounts.c: propagation of mounts, pivot_root, flags of one mount (spec §8; man 7 mount_namespaces, 2 mount, 2 pivot_root). */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char base[64];

/* A tmpfs of our own, private, with directories a, b, c, d. */
static void need_root(void)
{
	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(base, "/tmp/mnt%d", getpid());
	CHECK_OK(mkdir(base, 0700));
	CHECK_OK(mount("none", base, "tmpfs", 0, NULL));
	CHECK_OK(chdir(base));
	for (const char *p = "abcd"; *p; p++)
		CHECK_OK(mkdir((char[]){ *p, 0 }, 0700));
}

static void tmpfs(const char *at)
{
	CHECK_OK(mount("none", at, "tmpfs", 0, NULL));
	for (const char *p = "xyz"; *p; p++) {
		char sub[64];

		sprintf(sub, "%s/%c", at, *p);
		CHECK_OK(mkdir(sub, 0700));
	}
}

static void change(const char *at, unsigned long how)
{
	CHECK_OK(mount(NULL, at, NULL, how, NULL));
}

static void bind(const char *from, const char *to)
{
	CHECK_OK(mount(from, to, NULL, MS_BIND, NULL));
}

/* How many mounts stand at base/at; *fields gets the optional fields of the last. */
static int mounts_at(const char *at, char *fields)
{
	char line[2000], want[200], *p, *end;
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int n = 0;

	CHECK(f);
	sprintf(want, " %s%s%s ", base, *at ? "/" : "", at);
	if (fields)
		*fields = 0;
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, want);
		if (!p)
			continue;
		n++;
		p = strchr(p + strlen(want), ' ') + 1;	/* after the options */
		end = strstr(line, " - ");
		if (fields && end > p)
			sprintf(fields, "%.*s", (int)(end - p), p);
		else if (fields)
			*fields = 0;
	}
	fclose(f);
	return n;
}

static int field(const char *at, const char *name)
{
	char fields[300], *p;

	mounts_at(at, fields);
	p = strstr(fields, name);
	return p ? atoi(p + strlen(name)) : 0;
}

static const char *fields(const char *at)
{
	static char buf[300];

	mounts_at(at, buf);
	return buf;
}

TEST(peers)
{
	need_root();
	tmpfs("a");
	CHECK_STR(fields("a"), "");
	change("a", MS_SHARED);
	bind("a", "b");
	CHECK(field("a", "shared:") > 0);
	CHECK_EQ(field("a", "shared:"), field("b", "shared:"));
	tmpfs("a/x");
	CHECK_EQ(mounts_at("b/x", NULL), 1);
	CHECK_EQ(field("a/x", "shared:"), field("b/x", "shared:"));
	tmpfs("b/y");
	CHECK_EQ(mounts_at("a/y", NULL), 1);
	CHECK_OK(umount("a/x"));
	CHECK_EQ(mounts_at("b/x", NULL), 0);
	change("b", MS_PRIVATE);
	CHECK_STR(fields("b"), "");
	CHECK_OK(umount("a/y"));
	CHECK_EQ(mounts_at("b/y", NULL), 1);
}

TEST(slave_hears_and_does_not_tell)
{
	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	bind("a", "b");
	change("b", MS_SLAVE);
	CHECK_EQ(field("b", "master:"), field("a", "shared:"));
	CHECK_EQ(field("b", "shared:"), 0);
	tmpfs("a/x");
	CHECK_EQ(mounts_at("b/x", NULL), 1);
	CHECK_EQ(field("b/x", "master:"), field("a/x", "shared:"));
	tmpfs("b/y");
	CHECK_EQ(mounts_at("a/y", NULL), 0);
	CHECK_STR(fields("b/y"), "");
	CHECK_OK(umount("b/x"));
	CHECK_EQ(mounts_at("a/x", NULL), 1);
	CHECK_OK(umount("a/x"));
	change("b", MS_PRIVATE);
	CHECK_STR(fields("b"), "");
	tmpfs("a/z");
	CHECK_EQ(mounts_at("b/z", NULL), 0);
}

TEST(slave_of_a_private_mount_is_private)
{
	need_root();
	tmpfs("a");
	change("a", MS_SLAVE);
	CHECK_STR(fields("a"), "");
	change("a", MS_SHARED);
	change("a", MS_SLAVE);			/* the only one of its group has no master */
	CHECK_STR(fields("a"), "");
}

/* a and b are peers; c is a slave of theirs, and shared with d. */
TEST(chains)
{
	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	bind("a", "b");
	bind("a", "c");
	change("c", MS_SLAVE);
	change("c", MS_SHARED);
	bind("c", "d");
	CHECK_EQ(field("d", "master:"), field("a", "shared:"));
	CHECK_EQ(field("d", "shared:"), field("c", "shared:"));
	CHECK(field("d", "shared:") != field("a", "shared:"));
	tmpfs("b/x");
	CHECK_EQ(mounts_at("a/x", NULL), 1);
	CHECK_EQ(mounts_at("c/x", NULL), 1);
	CHECK_EQ(mounts_at("d/x", NULL), 1);
	CHECK_EQ(field("d/x", "shared:"), field("c/x", "shared:"));
	CHECK_EQ(field("d/x", "master:"), field("a/x", "shared:"));
	tmpfs("d/y");
	CHECK_EQ(mounts_at("c/y", NULL), 1);
	CHECK_EQ(mounts_at("a/y", NULL), 0);
	/* Without a and b, c and d have no master any more. */
	CHECK_OK(umount2("a", MNT_DETACH));
	CHECK(field("c", "master:") > 0);
	CHECK_OK(umount2("b", MNT_DETACH));
	CHECK_EQ(field("c", "master:"), 0);
	CHECK(field("c", "shared:") > 0);
}

TEST(slave_passes_through_a_master_that_leaves)
{
	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	bind("a", "b");
	change("b", MS_SLAVE);
	change("b", MS_SHARED);
	bind("b", "c");
	change("c", MS_SLAVE);
	CHECK_EQ(field("c", "master:"), field("b", "shared:"));
	change("b", MS_PRIVATE);
	CHECK_EQ(field("c", "master:"), field("a", "shared:"));
	tmpfs("a/x");
	CHECK_EQ(mounts_at("c/x", NULL), 1);
	CHECK_EQ(mounts_at("b/x", NULL), 0);
}

TEST(propagate_from)
{
	int top, status;
	char path[100];
	pid_t pid;

	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	top = field("a", "shared:");
	bind("a", "b");
	change("b", MS_SLAVE);
	change("b", MS_SHARED);
	tmpfs("c");
	bind("b", "c/x");
	change("c/x", MS_SLAVE);
	bind("a", "c/y");
	CHECK_EQ(field("c/x", "propagate_from:"), 0);	/* its master is to be seen */
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(mkdir("c/z/proc", 0700));
		CHECK_OK(mkdir("c/proc", 0700));
		CHECK_OK(mount("proc", "c/proc", "proc", 0, NULL));
		sprintf(path, "%s/c", base);
		CHECK_OK(chroot(path));
		*base = 0;
		CHECK_EQ(field("x", "propagate_from:"), top);
		_exit(0);
	}
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(recursive_change)
{
	need_root();
	tmpfs("a");
	tmpfs("a/x");
	change("a", MS_SHARED);
	CHECK_EQ(field("a/x", "shared:"), 0);
	change("a", MS_SHARED | MS_REC);
	CHECK(field("a/x", "shared:") > 0);
	CHECK(field("a/x", "shared:") != field("a", "shared:"));
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	CHECK_EQ(field("b/x", "shared:"), field("a/x", "shared:"));
	change("b", MS_SLAVE | MS_REC);
	CHECK_EQ(field("b/x", "master:"), field("a/x", "shared:"));
	change("b", MS_PRIVATE | MS_REC);
	CHECK_STR(fields("b/x"), "");
	CHECK_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_SLAVE | MS_NOSUID, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a/y", NULL, MS_SLAVE, NULL), EINVAL);	/* no mount point */
}

TEST(unbindable)
{
	need_root();
	tmpfs("a");
	tmpfs("a/x");
	tmpfs("a/y");
	change("a/x", MS_UNBINDABLE);
	CHECK_STR(fields("a/x"), "unbindable");
	CHECK_ERR(mount("a/x", "b", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	CHECK_EQ(mounts_at("b/x", NULL), 0);
	CHECK_EQ(mounts_at("b/y", NULL), 1);
	/* Such a tree does not move below a shared mount. */
	tmpfs("c");
	change("c", MS_SHARED);
	CHECK_ERR(mount("a", "c/x", NULL, MS_MOVE, NULL), EINVAL);
	change("c", MS_PRIVATE);
	CHECK_OK(mount("a", "c/x", NULL, MS_MOVE, NULL));
	CHECK_EQ(mounts_at("c/x/x", NULL), 1);
	change("c/x/x", MS_PRIVATE);
	CHECK_OK(mount("c/x/x", "d", NULL, MS_BIND, NULL));
}

TEST(a_copy_comes_in_beneath)
{
	int fd;

	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	bind("a", "b");
	change("b", MS_SLAVE);
	tmpfs("b/x");
	fd = CHECK_OK(open("b/x/mine", O_CREAT | O_RDWR, 0600));
	close(fd);
	tmpfs("a/x");				/* stands under what b has there */
	CHECK_OK(access("b/x/mine", F_OK));
	CHECK_EQ(mounts_at("b/x", NULL), 2);
	CHECK_OK(umount("a/x"));
	CHECK_OK(access("b/x/mine", F_OK));
	CHECK_EQ(mounts_at("b/x", NULL), 1);
	CHECK_OK(umount("b/x"));
	CHECK_EQ(mounts_at("b/x", NULL), 0);
}

TEST(only_where_it_can_be_seen)
{
	need_root();
	tmpfs("a");
	CHECK_OK(mkdir("a/x/in", 0700));
	change("a", MS_SHARED);
	bind("a/x", "b");
	CHECK_EQ(field("b", "shared:"), field("a", "shared:"));
	tmpfs("a/y");
	CHECK_EQ(mounts_at("b/y", NULL), 0);
	tmpfs("a/x/in");
	CHECK_EQ(mounts_at("b/in", NULL), 1);
	CHECK_OK(umount("b/in"));
	CHECK_EQ(mounts_at("a/x/in", NULL), 0);
}

TEST(busy_twin_keeps_both)
{
	int fd;

	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	bind("a", "b");
	tmpfs("a/x");
	fd = CHECK_OK(open("b/x/file", O_CREAT | O_RDWR, 0600));
	CHECK_ERR(umount("a/x"), EBUSY);
	close(fd);
	/* Closing is over when close() returns, but a file's last reference may go a little later on Linux. */
	for (int i = 0; umount("a/x") && i < 1000; i++)
		usleep(1000);
	CHECK_EQ(mounts_at("a/x", NULL), 0);
	CHECK_EQ(mounts_at("b/x", NULL), 0);
}

TEST(tree_arrives_whole)
{
	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	bind("a", "b");
	change("b", MS_SLAVE);
	tmpfs("c");
	tmpfs("c/x");
	CHECK_OK(mount("c", "a/y", NULL, MS_BIND | MS_REC, NULL));
	CHECK_EQ(mounts_at("a/y/x", NULL), 1);
	CHECK_EQ(mounts_at("b/y", NULL), 1);
	CHECK_EQ(mounts_at("b/y/x", NULL), 1);
	CHECK_OK(umount2("a/y", MNT_DETACH));
	CHECK_EQ(mounts_at("b/y/x", NULL), 0);
	CHECK_EQ(mounts_at("b/y", NULL), 0);
}

TEST(slave_namespace)
{
	int p[2], q[2], status;
	char c;
	pid_t pid;

	need_root();
	tmpfs("a");
	change("a", MS_SHARED);
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(unshare(CLONE_NEWNS));
		change("/", MS_SLAVE | MS_REC);
		tmpfs("a/y");
		CHECK_EQ(write(p[1], "x", 1), 1);
		CHECK_EQ(read(q[0], &c, 1), 1);
		CHECK_EQ(mounts_at("a/x", NULL), 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(mounts_at("a/y", NULL), 0);
	tmpfs("a/x");
	CHECK_EQ(write(q[1], "x", 1), 1);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

TEST(flags_of_a_bind_mount)
{
	struct statvfs st;
	int fd;

	need_root();
	tmpfs("a");
	bind("a", "b");
	CHECK_OK(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	CHECK_ERR(open("b/f", O_CREAT | O_RDWR, 0600), EROFS);
	fd = CHECK_OK(open("a/f", O_CREAT | O_RDWR, 0700));
	CHECK_EQ(write(fd, "#!/bin/sh\nexit 0\n", 17), 17);
	close(fd);
	CHECK_OK(mknod("a/null", S_IFCHR | 0666, 0x103));
	CHECK_OK(close(CHECK_OK(open("a/null", O_RDWR))));
	CHECK_ERR(open("b/null", O_RDONLY), EACCES);
	CHECK_ERR(execl("b/f", "f", NULL), EACCES);
	CHECK_OK(statvfs("b", &st));
	CHECK_EQ(st.f_flag & (ST_RDONLY | ST_NOSUID), ST_RDONLY | ST_NOSUID);
	CHECK_OK(statvfs("a", &st));
	CHECK_EQ(st.f_flag & (ST_RDONLY | ST_NOSUID), 0);
	/* The copy of a mount has its flags. */
	bind("b", "c");
	CHECK_ERR(open("c/g", O_CREAT | O_RDWR, 0600), EROFS);
	/* Somebody writes: not now. */
	fd = CHECK_OK(open("a/f", O_RDWR));
	CHECK_ERR(mount(NULL, "a", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK_OK(mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT, NULL));
	CHECK_OK(close(CHECK_OK(open("b/f", O_RDWR))));
}

static void pivot(void)
{
	CHECK_OK(mkdir("a/old", 0700));
	CHECK_OK(mkdir("a/proc", 0700));
	CHECK_OK(mount("proc", "a/proc", "proc", 0, NULL));
	CHECK_ERR(syscall(SYS_pivot_root, "/", "/"), EBUSY);
	tmpfs("b");
	CHECK_ERR(syscall(SYS_pivot_root, "a", "b"), EINVAL);		/* old is not below new */
	CHECK_ERR(syscall(SYS_pivot_root, "a/x", "a/x"), EINVAL);	/* no mount point */
	CHECK_ERR(syscall(SYS_pivot_root, "a", "a/none"), ENOENT);
	CHECK_OK(syscall(SYS_pivot_root, "a", "a/old"));
	CHECK_OK(access("/x", F_OK));
	CHECK_OK(access("/old/proc", F_OK));
	CHECK_OK(umount2("/old", MNT_DETACH));
	CHECK_OK(access("/old", F_OK));
	CHECK_ERR(access("/old/proc", F_OK), ENOENT);
	*base = 0;
	CHECK_EQ(mounts_at("proc", NULL), 1);
	_exit(0);
}

/* The first mount of all cannot be pivoted away: then in a copy of the tree below another mount. */
TEST(pivot_root_in_a_namespace)
{
	int status;
	pid_t pid;

	need_root();
	CHECK_OK(mount("/", "d", NULL, MS_BIND | MS_REC, NULL));
	CHECK_OK(chdir("d"));
	CHECK_OK(mount(".", "/", NULL, MS_MOVE, NULL));
	CHECK_OK(chroot("."));
	CHECK_OK(chdir("/tmp"));
	sprintf(base, "/tmp");
	if (access("a", F_OK))
		CHECK_OK(mkdir("a", 0700));
	if (access("b", F_OK))
		CHECK_OK(mkdir("b", 0700));
	tmpfs("a");
	change("a", MS_PRIVATE);
	pid = CHECK_OK(fork());
	if (!pid)
		pivot();
	status = t_wait(pid);
	CHECK_EQ(status, 0);
}

/* A namespace lives by a file bound somewhere, without a task in it. */
TEST(bound_namespace)
{
	int fd, status;
	char c;
	int p[2], q[2];
	pid_t pid;

	need_root();
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(unshare(CLONE_NEWUTS));
		CHECK_OK(sethostname("bound", 5));
		CHECK_EQ(write(p[1], "x", 1), 1);
		read(q[0], &c, 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	char path[64];
	sprintf(path, "/proc/%d/ns/uts", pid);
	bind(path, "f");
	CHECK_EQ(write(q[1], "x", 1), 1);
	status = t_wait(pid);
	CHECK_EQ(status, 0);
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(setns(fd, CLONE_NEWUTS));
	char name[64];
	CHECK_OK(gethostname(name, sizeof(name)));
	CHECK_STR(name, "bound");
	close(fd);
	/* Our own tree's file would keep the tree for good. */
	CHECK_OK(close(CHECK_OK(open("g", O_CREAT | O_RDWR, 0600))));
	CHECK_ERR(mount("/proc/self/ns/mnt", "g", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(umount("f"));
}

