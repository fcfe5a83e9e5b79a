/*
 * cgroup.c: control groups of version 2 and cgroup namespaces (spec §8; man 7 cgroups, cgroup_namespaces).
 *
 * What:    the files of a group, moving tasks, rmdir, threaded groups, the freezer, cgroup.kill, events by poll and inotify,
 *          CLONE_INTO_CGROUP, delegation, namespaces; and the controllers pids and cpu where they are to be had.
 * Idea:    each case works below a group of its own, made where the running task is; on a host whose cgroup2 is not there or
 *          has not the controller it is skipped.
 */
#include "cgroup_tools.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* ---- small tools ---- */

/* Waits up to a minute for a key to have a value. */
static void wait_key(const char *file, const char *key, long long value)
{
	for (int i = 0; i < 6000; i++) {
		if (get_key(file, key) == value)
			return;
		t_sleep_ms(10);
	}
	FAIL("%s: %s is %lld after a minute, not %lld", file, key, get_key(file, key), value);
}

/* Makes the case's own group. */
static void setup(void)
{
	find_hierarchy();
	snprintf(base, sizeof(base), "%s/weft-%d", hierarchy, getpid());
	if (mkdir(base, 0755))
		SKIP("cannot make a group: %s", strerror(errno));
}

/* The controller for the case's own children; skips the case where it is not to be had. */
static void need_controller(const char *name)
{
	char text[50], path[300];
	const char *all;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", hierarchy);
	all = get_path(path);
	if (!all || !strstr(all, name)) {
		teardown();
		SKIP("no controller %s", name);
	}
	snprintf(text, sizeof(text), "+%s", name);
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", hierarchy);
	CHECK_OK(write_file(path, text));
	CHECK_OK(put("cgroup.subtree_control", text));
}

static void on_usr1(int sig) { _exit(7); }

/* A child in the group (NULL: where we are) that sleeps, or burns the processor.  SIGUSR1 ends it with status 7. */
static pid_t child_in(const char *group, bool busy)
{
	char file[100];
	int p[2];
	char c;
	pid_t pid;

	CHECK_OK(pipe(p));
	pid = CHECK_OK(fork());
	if (!pid) {
		signal(SIGUSR1, on_usr1);
		close(p[0]);
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		close(p[1]);
		while (busy)
			;
		for (;;)
			pause();
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 1);
	close(p[0]);
	if (group) {
		snprintf(file, sizeof(file), "%s/cgroup.procs", group);
		CHECK_OK(put_pid(file, pid));
	}
	return pid;
}

static void kill_child(pid_t pid)
{
	int status;

	CHECK_OK(kill(pid, SIGKILL));
	status = t_wait(pid);
	CHECK(WIFSIGNALED(status));
}

static bool has_pid(const char *file, pid_t pid)
{
	const char *p = get(file);

	for (; *p; p = strchr(p, '\n') + 1)
		if (atoi(p) == pid)
			return true;
	return false;
}

/* ---- the tree ---- */

TEST(files)
{
	static const char *const names[] = {
		"cgroup.procs", "cgroup.threads", "cgroup.controllers", "cgroup.subtree_control", "cgroup.events", "cgroup.type",
		"cgroup.stat", "cgroup.max.depth", "cgroup.max.descendants", "cgroup.freeze", "cgroup.kill",
	};
	char path[300];
	struct stat st;

	setup();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK_OK(stat(at(names[i]), &st));
	CHECK_STR(get("cgroup.type"), "domain\n");
	CHECK_STR(get("cgroup.max.depth"), "max\n");
	CHECK_STR(get("cgroup.procs"), "");
	CHECK_STR(get("cgroup.subtree_control"), "");
	CHECK_EQ(get_key("cgroup.events", "populated"), 0);
	CHECK_EQ(get_key("cgroup.events", "frozen"), 0);
	CHECK_EQ(get_key("cgroup.stat", "nr_descendants"), 0);
	/* What the root has not. */
	snprintf(path, sizeof(path), "%s/cgroup.events", hierarchy);
	CHECK_ERR(stat(path, &st), ENOENT);
	CHECK_ERR(open(at("cgroup.kill"), O_RDONLY) < 0 ? -1 : (errno = 0, read(open(at("cgroup.kill"), O_RDONLY), path, 1)), EINVAL);
	CHECK_ERR(open(at("new"), O_CREAT | O_WRONLY, 0644), EACCES);
	CHECK_ERR(unlink(at("cgroup.procs")), EPERM);
	teardown();
}

TEST(mkdir_rmdir)
{
	struct stat st;
	int fd;
	char c;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("a/b"), 0755));
	CHECK_ERR(mkdir(at("a"), 0755), EEXIST);
	CHECK_ERR(mkdir(at("cgroup.procs"), 0755), EEXIST);
	CHECK_ERR(mkdir(at("new\nline"), 0755), EINVAL);
	CHECK_ERR(rmdir(at("a")), EBUSY);
	CHECK_EQ(get_key("cgroup.stat", "nr_descendants"), 2);
	fd = CHECK_OK(open(at("a/b/cgroup.procs"), O_RDONLY));
	CHECK_OK(rmdir(at("a/b")));
	CHECK_ERR(read(fd, &c, 1), ENODEV);
	close(fd);
	CHECK_ERR(stat(at("a/b/cgroup.procs"), &st), ENOENT);
	CHECK_OK(rmdir(at("a")));
	CHECK_ERR(stat(at("a"), &st), ENOENT);
	teardown();
	CHECK_ERR(stat(base, &st), ENOENT);
}

TEST(limits_of_the_tree)
{
	setup();
	CHECK_OK(put("cgroup.max.depth", "1"));
	CHECK_STR(get("cgroup.max.depth"), "1\n");
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_ERR(mkdir(at("a/b"), 0755), EAGAIN);
	CHECK_OK(put("cgroup.max.depth", "max"));
	CHECK_OK(mkdir(at("a/b"), 0755));
	CHECK_OK(put("cgroup.max.descendants", "2"));
	CHECK_ERR(mkdir(at("c"), 0755), EAGAIN);
	CHECK_ERR(put("cgroup.max.descendants", "-5"), ERANGE);
	CHECK_ERR(put("cgroup.max.descendants", "x"), EINVAL);
	teardown();
}

TEST(listing)
{
	int files = 0, groups = 0;
	struct dirent *e;
	char name[20];
	DIR *d;

	setup();
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		CHECK_OK(mkdir(at(name), 0755));
	}
	d = opendir(base);
	CHECK(d);
	while ((e = readdir(d))) {
		if (e->d_type == DT_DIR)
			groups += e->d_name[0] == 'g';
		else
			files++;
	}
	closedir(d);
	CHECK_EQ(groups, 50);
	CHECK(files >= 11);
	teardown();
}

/* ---- tasks ---- */

TEST(move)
{
	char expect[200];
	const char *line;
	pid_t pid;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("b"), 0755));
	pid = child_in("a", false);
	CHECK(has_pid("a/cgroup.procs", pid));
	CHECK(has_pid("a/cgroup.threads", pid));
	CHECK_EQ(get_key("a/cgroup.events", "populated"), 1);
	CHECK_EQ(get_key("cgroup.events", "populated"), 1);
	CHECK_EQ(get_key("b/cgroup.events", "populated"), 0);
	snprintf(expect, sizeof(expect), "/proc/%d/cgroup", pid);
	line = get_path(expect);
	CHECK(line && strstr(line, "0::/"));
	snprintf(expect, sizeof(expect), "/weft-%d/a\n", getpid());
	CHECK(strstr(line, expect));
	CHECK_ERR(rmdir(at("a")), EBUSY);
	CHECK_OK(put_pid("b/cgroup.procs", pid));
	CHECK(!has_pid("a/cgroup.procs", pid));
	CHECK(has_pid("b/cgroup.procs", pid));
	CHECK_EQ(get_key("a/cgroup.events", "populated"), 0);
	CHECK_OK(rmdir(at("a")));
	kill_child(pid);
	wait_key("b/cgroup.events", "populated", 0);
	CHECK_ERR(put("b/cgroup.procs", "999999"), ESRCH);
	CHECK_ERR(put("b/cgroup.procs", "x"), EINVAL);
	CHECK_ERR(put("b/cgroup.procs", "-1"), EINVAL);
	CHECK_ERR(put("b/cgroup.procs", "2"), EINVAL);	/* kthreadd */
	teardown();
}

TEST(fork_inherits)
{
	pid_t pid;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(put("a/cgroup.procs", "0"));
	pid = child_in(NULL, false);
	CHECK(has_pid("a/cgroup.procs", pid));
	CHECK(has_pid("a/cgroup.procs", getpid()));
	kill_child(pid);
	CHECK(!has_pid("a/cgroup.procs", pid));
	pid = CHECK_OK(fork());			/* out again by a child: the group empties with us */
	if (!pid) {
		char path[300];

		snprintf(path, sizeof(path), "%s/cgroup.procs", hierarchy);
		_exit(write_file(path, "0") || has_pid("a/cgroup.procs", getpid()));
	}
	CHECK_EQ(t_wait(pid), 0);
	snprintf(base + strlen(base), 3, "/a");
	CHECK_OK(write_file(strcat(strcpy((char[300]){ 0 }, hierarchy), "/cgroup.procs"), "0"));
	base[strlen(base) - 2] = 0;
	teardown();
}

/* A zombie keeps no group from being removed. */
TEST(zombie)
{
	pid_t pid;
	siginfo_t si;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	pid = child_in("a", false);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(get_key("a/cgroup.events", "populated"), 0);
	CHECK_OK(rmdir(at("a")));
	t_wait(pid);
	teardown();
}

static void *park(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	for (;;)
		pause();
	return NULL;
}

static pid_t start_thread(void)
{
	static volatile pid_t tids[8];
	static int n;
	pthread_t t;
	int i = n++;

	CHECK_EQ(pthread_create(&t, NULL, park, (void *)&tids[i]), 0);
	while (!tids[i])
		t_sleep_ms(1);
	return tids[i];
}

TEST(threaded)
{
	char path[300];
	pid_t tid = start_thread();

	setup();
	CHECK_OK(mkdir(at("d"), 0755));
	CHECK_OK(mkdir(at("d/t1"), 0755));
	CHECK_OK(mkdir(at("d/t2"), 0755));
	CHECK_OK(put("d/cgroup.procs", "0"));
	CHECK_ERR(put("d/t1/cgroup.type", "domain"), EINVAL);
	CHECK_OK(put("d/t1/cgroup.type", "threaded"));
	CHECK_STR(get("d/t1/cgroup.type"), "threaded\n");
	CHECK_STR(get("d/cgroup.type"), "domain threaded\n");
	CHECK_STR(get("d/t2/cgroup.type"), "domain invalid\n");
	CHECK_ERR(put("d/t2/cgroup.procs", "0"), EOPNOTSUPP);
	CHECK_OK(put("d/t2/cgroup.type", "threaded"));
	CHECK_OK(put_pid("d/t1/cgroup.threads", tid));
	CHECK(has_pid("d/t1/cgroup.threads", tid));
	CHECK(!has_pid("d/cgroup.threads", tid));
	CHECK(has_pid("d/cgroup.threads", getpid()));
	CHECK(has_pid("d/cgroup.procs", getpid()));
	CHECK_ERR(read(open(at("d/t1/cgroup.procs"), O_RDONLY), path, 1), EOPNOTSUPP);
	CHECK_ERR(put("d/t1/cgroup.kill", "1"), EOPNOTSUPP);
	/* Out of the domain only the whole process may go. */
	CHECK_OK(mkdir(at("other"), 0755));
	CHECK_ERR(put_pid("other/cgroup.threads", tid), EOPNOTSUPP);
	snprintf(path, sizeof(path), "%s/cgroup.procs", hierarchy);
	CHECK_OK(write_file(path, "0"));
	CHECK_EQ(get_key("d/cgroup.events", "populated"), 0);
	teardown();
}

TEST(into_cgroup)
{
	struct { uint64_t flags, pidfd, ctid, ptid, sig, stack, size, tls, set_tid, n, cgroup; } a = {
		.flags = CLONE_INTO_CGROUP, .sig = SIGCHLD };
	pid_t pid;
	int fd;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	fd = CHECK_OK(open(at("a"), O_RDONLY | O_DIRECTORY));
	a.cgroup = fd;
	pid = CHECK_OK(syscall(SYS_clone3, &a, sizeof(a)));
	if (!pid)
		for (;;)
			pause();
	CHECK(has_pid("a/cgroup.procs", pid));
	kill_child(pid);
	a.cgroup = 9999;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EBADF);
	a.cgroup = CHECK_OK(open("/proc", O_RDONLY));
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EBADF);
	a.cgroup = fd;
	CHECK_ERR(syscall(SYS_clone3, &a, 80), EINVAL);
	CHECK_OK(rmdir(at("a")));
	CHECK_EQ(syscall(SYS_clone3, &a, sizeof(a)), -1);
	CHECK(errno == ENODEV || errno == ENOENT);	/* 6.1 says the first, later ones the second */
	teardown();
}

TEST(kill)
{
	pid_t pid[4];

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("a/b"), 0755));
	for (int i = 0; i < 4; i++)
		pid[i] = child_in(i & 1 ? "a/b" : "a", i > 1);
	CHECK_ERR(put("a/cgroup.kill", "0"), ERANGE);
	CHECK_OK(put("a/cgroup.kill", "1"));
	for (int i = 0; i < 4; i++) {
		int status = t_wait(pid[i]);

		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	CHECK_EQ(get_key("cgroup.events", "populated"), 0);
	teardown();
}

/* ---- events ---- */

static void poll_event(int fd, int expect)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	int n = CHECK_OK(poll(&p, 1, expect ? 60000 : 0));

	CHECK_EQ(n, expect);
	if (n)
		CHECK_EQ(p.revents & POLLPRI, POLLPRI);
}

TEST(events)
{
	char buf[200];
	int fd, ino;
	pid_t pid;
	struct inotify_event ev[16];

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	fd = CHECK_OK(open(at("a/cgroup.events"), O_RDONLY));
	ino = CHECK_OK(inotify_init());
	CHECK_OK(inotify_add_watch(ino, at("a/cgroup.events"), IN_MODIFY));
	CHECK_OK(read(fd, buf, sizeof(buf)));
	poll_event(fd, 0);
	pid = child_in("a", false);
	poll_event(fd, 1);
	CHECK_OK(read(ino, ev, sizeof(ev)));
	CHECK_EQ(ev[0].mask, IN_MODIFY);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	memset(buf, 0, sizeof(buf));
	CHECK_OK(read(fd, buf, sizeof(buf)));
	CHECK(strstr(buf, "populated 1"));
	kill_child(pid);
	poll_event(fd, 1);
	CHECK_OK(read(ino, ev, sizeof(ev)));
	teardown();
}

/* ---- freezer ---- */

TEST(freeze)
{
	pid_t pid[3];
	int status;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("a/b"), 0755));
	CHECK_OK(mkdir(at("c"), 0755));
	pid[0] = child_in("a", false);
	pid[1] = child_in("a/b", true);
	pid[2] = child_in("a/b", false);
	CHECK_ERR(put("a/cgroup.freeze", "2"), ERANGE);
	CHECK_OK(put("a/cgroup.freeze", "1"));
	CHECK_STR(get("a/cgroup.freeze"), "1\n");
	CHECK_STR(get("a/b/cgroup.freeze"), "0\n");
	wait_key("a/cgroup.events", "frozen", 1);
	wait_key("a/b/cgroup.events", "frozen", 1);
	/* Signals wait, SIGKILL does not; and the others rest on. */
	CHECK_OK(kill(pid[0], SIGUSR1));
	t_sleep_ms(50);
	CHECK_EQ(waitpid(pid[0], &status, WNOHANG), 0);
	kill_child(pid[1]);
	wait_key("a/cgroup.events", "frozen", 1);
	/* A new group below is frozen, and so is who comes; who leaves runs. */
	CHECK_OK(mkdir(at("a/new"), 0755));
	CHECK_EQ(get_key("a/new/cgroup.events", "frozen"), 1);
	pid[1] = child_in("a/new", true);
	wait_key("a/new/cgroup.events", "frozen", 1);
	CHECK_OK(put_pid("c/cgroup.procs", pid[0]));
	CHECK_EQ(t_wait(pid[0]), 7 << 8);
	CHECK_OK(put("a/cgroup.freeze", "0"));
	wait_key("a/cgroup.events", "frozen", 0);
	CHECK_OK(kill(pid[2], SIGUSR1));
	CHECK_EQ(t_wait(pid[2]), 7 << 8);
	kill_child(pid[1]);
	teardown();
}

/* Stopped counts as frozen, and a frozen task can be traced. */
TEST(freeze_stopped_and_traced)
{
	pid_t pid;
	int status;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	pid = child_in("a", false);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(put("a/cgroup.freeze", "1"));
	wait_key("a/cgroup.events", "frozen", 1);
	CHECK_OK(kill(pid, SIGCONT));
	wait_key("a/cgroup.events", "frozen", 1);
	CHECK_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	CHECK_OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	wait_key("a/cgroup.events", "frozen", 1);
	CHECK_OK(put("a/cgroup.freeze", "0"));
	wait_key("a/cgroup.events", "frozen", 0);
	kill_child(pid);
	teardown();
}

/* ---- rights ---- */

static void as_user(void)
{
	CHECK_OK(setresgid(1000, 1000, 1000));
	CHECK_OK(setresuid(1000, 1000, 1000));
}

TEST(permissions)
{
	pid_t pid, mine;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("a/x"), 0755));
	CHECK_OK(mkdir(at("b"), 0755));
	pid = CHECK_OK(fork());
	if (!pid) {
		as_user();
		CHECK_ERR(put("a/cgroup.procs", "0"), EACCES);
		CHECK_ERR(mkdir(at("a/y"), 0755), EACCES);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	/* Delegated: the folder and what decides about tasks.  Within it one may move, not into it from outside. */
	CHECK_OK(chown(at("a"), 1000, 1000));
	CHECK_OK(chown(at("a/cgroup.procs"), 1000, 1000));
	CHECK_OK(chown(at("a/x"), 1000, 1000));
	CHECK_OK(chown(at("a/x/cgroup.procs"), 1000, 1000));
	mine = child_in("a", false);
	pid = CHECK_OK(fork());
	if (!pid) {
		as_user();
		CHECK_OK(mkdir(at("a/y"), 0755));
		CHECK_OK(put_pid("a/y/cgroup.procs", mine));
		CHECK_OK(put_pid("a/x/cgroup.procs", mine));
		CHECK_ERR(put("a/x/cgroup.procs", "0"), EACCES);
		CHECK_ERR(put_pid("b/cgroup.procs", mine), EACCES);
		CHECK_OK(rmdir(at("a/y")));
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	kill_child(mine);
	teardown();
}

TEST(xattrs)
{
	char buf[10];

	setup();
	CHECK_OK(setxattr(base, "trusted.weft", "abc", 3, 0));
	CHECK_EQ(getxattr(base, "trusted.weft", buf, sizeof(buf)), 3);
	CHECK_OK(removexattr(base, "trusted.weft"));
	CHECK_ERR(getxattr(base, "trusted.weft", buf, sizeof(buf)), ENODATA);
	teardown();
}

/* ---- namespaces ---- */

TEST(namespace)
{
	char path[300];
	const char *text;
	struct stat st;
	pid_t pid, outside;
	bool v1;

	setup();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("a/b"), 0755));
	CHECK_OK(mkdir(at("beside"), 0755));
	outside = child_in("beside", false);
	v1 = strstr(get_path("/proc/self/cgroup"), ":cpu:") != NULL;
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_OK(put("a/cgroup.procs", "0"));
		CHECK_OK(unshare(CLONE_NEWCGROUP | CLONE_NEWNS));
		CHECK(strstr(get_path("/proc/self/cgroup"), "0::/\n"));
		CHECK_OK(put("a/b/cgroup.procs", "0"));
		CHECK(strstr(get_path("/proc/self/cgroup"), "0::/b\n"));
		snprintf(path, sizeof(path), "/proc/%d/cgroup", outside);
		CHECK(strstr(get_path(path), "0::/../beside\n"));
		/* A mount from in here begins at the namespace's root. */
		CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		CHECK_OK(mount("none", "/mnt", "cgroup2", 0, NULL));
		CHECK_OK(stat("/mnt/b/cgroup.procs", &st));
		CHECK_ERR(stat("/mnt/beside", &st), ENOENT);
		text = get_path("/proc/self/mountinfo");
		CHECK(v1 || strstr(text, " / /mnt "));
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	kill_child(outside);
	teardown();
}

/* ---- controllers ---- */

TEST(subtree_control)
{
	struct stat st;
	pid_t pid;

	setup();
	need_controller("pids");
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK(strstr(get("a/cgroup.controllers"), "pids"));
	CHECK_STR(get("a/cgroup.subtree_control"), "");
	CHECK_ERR(put("a/cgroup.subtree_control", "+nosuch"), EINVAL);
	CHECK_ERR(put("a/cgroup.subtree_control", "pids"), EINVAL);
	CHECK_OK(mkdir(at("a/b"), 0755));
	CHECK_ERR(stat(at("a/b/pids.max"), &st), ENOENT);
	CHECK_OK(put("a/cgroup.subtree_control", "+pids"));
	CHECK_OK(stat(at("a/b/pids.max"), &st));
	CHECK_ERR(put("cgroup.subtree_control", "-pids"), EBUSY);
	CHECK_OK(put("a/cgroup.subtree_control", "-pids"));
	CHECK_ERR(stat(at("a/b/pids.max"), &st), ENOENT);
	/* Controllers come and go while tasks are there. */
	pid = child_in("a/b", false);
	CHECK_OK(put("a/cgroup.subtree_control", "+pids"));
	CHECK_STR(get("a/b/pids.current"), "1\n");
	CHECK_STR(get("a/pids.current"), "1\n");
	CHECK_OK(put("a/cgroup.subtree_control", "-pids"));
	CHECK_STR(get("a/pids.current"), "1\n");
	kill_child(pid);
	CHECK_STR(get("a/pids.current"), "0\n");
	teardown();
}

TEST(pids_max)
{
	pid_t pid, zombie;
	siginfo_t si;
	int fd;

	setup();
	need_controller("pids");
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_STR(get("a/pids.max"), "max\n");
	CHECK_OK(put("a/pids.max", "2"));
	CHECK_STR(get("a/pids.max"), "2\n");
	CHECK_ERR(put("a/pids.max", "-1"), EINVAL);
	CHECK_OK(put("a/cgroup.procs", "0"));
	CHECK_STR(get("a/pids.current"), "1\n");
	fd = CHECK_OK(open(at("a/pids.events"), O_RDONLY));
	zombie = CHECK_OK(fork());
	if (!zombie)
		_exit(0);
	CHECK_OK(waitid(P_PID, zombie, &si, WEXITED | WNOWAIT));
	CHECK_STR(get("a/pids.current"), "2\n");	/* a zombie has a number, too */
	pid = fork();
	if (!pid)
		_exit(1);
	CHECK_EQ(pid, -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(get_key("a/pids.events", "max"), 1);
	poll_event(fd, 1);
	t_wait(zombie);
	CHECK_STR(get("a/pids.current"), "1\n");
	pid = CHECK_OK(fork());
	if (!pid)
		_exit(0);
	CHECK_EQ(t_wait(pid), 0);
	CHECK_OK(write_file(strcat(strcpy((char[300]){ 0 }, hierarchy), "/cgroup.procs"), "0"));
	CHECK_STR(get("a/pids.current"), "0\n");
	teardown();
}

static void on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

TEST(cpu_files)
{
	setup();
	need_controller("cpu");
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_STR(get("a/cpu.weight"), "100\n");
	CHECK_OK(put("a/cpu.weight", "200"));
	CHECK_STR(get("a/cpu.weight"), "200\n");
	CHECK_ERR(put("a/cpu.weight", "0"), ERANGE);
	CHECK_ERR(put("a/cpu.weight", "10001"), ERANGE);
	CHECK_OK(put("a/cpu.weight.nice", "-3"));
	CHECK_STR(get("a/cpu.weight.nice"), "-3\n");
	CHECK_STR(get("a/cpu.max"), "max 100000\n");
	CHECK_OK(put("a/cpu.max", "20000"));
	CHECK_STR(get("a/cpu.max"), "20000 100000\n");
	CHECK_OK(put("a/cpu.max", "max 50000"));
	CHECK_STR(get("a/cpu.max"), "max 50000\n");
	CHECK_ERR(put("a/cpu.max", "100"), EINVAL);
	CHECK_ERR(put("a/cpu.max", "x"), EINVAL);
	CHECK_ERR(put("a/cpu.max", "20000 2000000"), EINVAL);
	CHECK_STR(get("a/cpu.max.burst"), "0\n");
	CHECK_OK(put("a/cpu.max.burst", "70000"));	/* without a quota any will do */
	CHECK_ERR(put("a/cpu.max", "20000"), EINVAL);
	CHECK_OK(put("a/cpu.max.burst", "10000"));
	CHECK_OK(put("a/cpu.max", "20000"));
	CHECK_ERR(put("a/cpu.max.burst", "20001"), EINVAL);
	CHECK_STR(get("a/cpu.max.burst"), "10000\n");
	CHECK_EQ(get_key("a/cpu.stat", "nr_bursts"), 0);
	CHECK_EQ(get_key("a/cpu.stat", "nr_throttled"), 0);
	teardown();
}

/* Three in one group get together what one in a group three times as heavy gets divided by three. */
TEST(cpu_weight)
{
	long long a, b, all_a = 0, all_b = 0;
	pid_t pid[4];

	setup();
	need_controller("cpu");
	on_one_cpu();
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("b"), 0755));
	CHECK_OK(put("b/cpu.weight", "300"));
	for (int i = 0; i < 4; i++)
		pid[i] = child_in(i < 3 ? "a" : "b", true);
	/* A busy machine may take the processor away for longer than a slice: then it takes longer to be seen. */
	for (int tries = 0; tries < 100; tries++) {
		a = get_key("a/cpu.stat", "usage_usec");
		b = get_key("b/cpu.stat", "usage_usec");
		for (int i = 0; i < 50 && get_key("b/cpu.stat", "usage_usec") - b < 600000; i++)
			t_sleep_ms(100);
		all_a += a = get_key("a/cpu.stat", "usage_usec") - a;
		all_b += b = get_key("b/cpu.stat", "usage_usec") - b;
		if (b > 2 * a && b < 5 * a)
			break;
	}
	CHECK(b > 2 * a && b < 5 * a);
	CHECK_OK(put("cgroup.kill", "1"));
	for (int i = 0; i < 4; i++)
		t_wait(pid[i]);
	CHECK(get_key("cpu.stat", "usage_usec") >= all_a + all_b);
	teardown();
}

/* Who rests for some periods may use what it left, as far as the burst allows: and the group counts it. */
TEST(cpu_burst)
{
	pid_t pid;

	setup();
	need_controller("cpu");
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(put("a/cpu.max", "20000 100000"));
	CHECK_OK(put("a/cpu.max.burst", "20000"));
	pid = child_in("a", true);
	for (int i = 0; i < 600 && !get_key("a/cpu.stat", "nr_bursts"); i++) {
		kill(pid, SIGSTOP);
		t_sleep_ms(150);
		kill(pid, SIGCONT);
		t_sleep_ms(70);
	}
	CHECK(get_key("a/cpu.stat", "nr_bursts") > 0);
	CHECK(get_key("a/cpu.stat", "burst_usec") > 0);
	CHECK_OK(put("a/cgroup.kill", "1"));
	t_wait(pid);
	teardown();
}

/* A fifth of a processor; and it is throttled, not forgotten: without the limit it runs, and it can be killed. */
TEST(cpu_max)
{
	long long used, start, span;
	pid_t pid[2];
	int tries = 0;

	setup();
	need_controller("cpu");
	CHECK_OK(mkdir(at("a"), 0755));
	CHECK_OK(mkdir(at("a/b"), 0755));
	CHECK_OK(put("a/cpu.max", "20000 100000"));
	pid[0] = child_in("a/b", true);
	pid[1] = child_in("a/b", true);
	/* What a late tick lets it use too much it owes to the next periods: so one of the tries shows the limit. */
	do {
		start = t_now_ns();
		used = get_key("a/cpu.stat", "usage_usec");
		t_sleep_ms(1000);
		used = get_key("a/cpu.stat", "usage_usec") - used;
		span = (t_now_ns() - start) / 1000;
	} while ((used > span * 3 / 10 + 50000 || !used) && ++tries < 60);
	CHECK(used > 0 && used <= span * 3 / 10 + 50000);
	CHECK(get_key("a/cpu.stat", "nr_throttled") > 0);
	CHECK(get_key("a/cpu.stat", "nr_periods") > 1);
	CHECK_OK(put("a/cpu.max", "max"));
	used = get_key("a/cpu.stat", "usage_usec");
	for (int i = 0; i < 600 && get_key("a/cpu.stat", "usage_usec") - used < 300000; i++)
		t_sleep_ms(100);
	CHECK(get_key("a/cpu.stat", "usage_usec") - used >= 300000);
	CHECK_OK(put("a/cpu.max", "1000 1000000"));
	t_sleep_ms(100);
	CHECK_OK(put("a/cgroup.kill", "1"));
	t_wait(pid[0]);
	t_wait(pid[1]);
	teardown();
}

/* Many short groups, with a task that forks, is frozen, moved and killed. */
TEST(mill)
{
	pid_t pid;

	setup();
	for (int i = 0; i < 100; i++) {
		CHECK_OK(mkdir(at("m"), 0755));
		CHECK_OK(mkdir(at("m/n"), 0755));
		pid = CHECK_OK(fork());
		if (!pid) {
			put("m/cgroup.procs", "0");
			fork();
			fork();
			for (;;)
				pause();
		}
		if (i & 1)
			CHECK_OK(put("m/cgroup.freeze", "1"));
		put_pid(i & 2 ? "m/n/cgroup.procs" : "m/cgroup.procs", pid);
		CHECK_OK(put("m/cgroup.kill", "1"));
		t_wait(pid);
		wait_key("m/cgroup.events", "populated", 0);
		CHECK_OK(rmdir(at("m/n")));
		CHECK_OK(rmdir(at("m")));
	}
	teardown();
}
