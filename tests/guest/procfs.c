/* procfs.c: what ps, top, free and shells read below /proc and /sys (spec §10, §11). */
#include "t.h"
#include <sys/resource.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static char text[65536];
static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, got = 0;

	if (fd < 0)
		FAIL("open %s: %s", path, strerror(errno));
	while (got < (ssize_t)sizeof(text) - 1 && (n = read(fd, text + got, sizeof(text) - 1 - got)) > 0)
		got += n;
	close(fd);
	text[got] = 0;
	return text;
}
static long field(const char *t, const char *name)
{
	const char *p = strstr(t, name);

	if (!p)
		FAIL("no %s", name);
	return strtol(p + strlen(name), NULL, 10);
}

TEST(stat_has_all_fields)
{
	int pid, ppid, pgrp, n = 0;
	char state;

	slurp("/proc/self/stat");
	char *p = strrchr(text, ')');
	CHECK(p);
	CHECK_EQ(sscanf(text, "%d (", &pid), 1);
	CHECK_EQ(sscanf(p + 2, "%c %d %d", &state, &ppid, &pgrp), 3);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(pgrp, getpgrp());
	CHECK_EQ(state, 'R');
	for (char *q = strtok(p + 2, " \n"); q; q = strtok(NULL, " \n")) {
		n++;
		if (n == 16)			/* priority: 20 + nice */
			CHECK_EQ(atoi(q), 20 + getpriority(PRIO_PROCESS, 0));
		if (n == 17)
			CHECK_EQ(atoi(q), getpriority(PRIO_PROCESS, 0));
	}
	CHECK_EQ(n, 50);
}

TEST(status_fields)
{
	slurp("/proc/self/status");
	CHECK_EQ(field(text, "\nPid:"), getpid());
	CHECK_EQ(field(text, "\nTgid:"), getpid());
	CHECK_EQ(field(text, "\nPPid:"), getppid());
	CHECK_EQ(field(text, "\nThreads:"), 1);
	CHECK(field(text, "\nVmRSS:") > 10);
	CHECK(field(text, "\nVmSize:") > 100);
	CHECK_EQ(field(text, "\nUid:"), getuid());
	CHECK(strstr(text, "SigCgt:") && strstr(text, "CapEff:") && strstr(text, "Cpus_allowed_list:"));
	CHECK(strstr(text, "voluntary_ctxt_switches:"));
}

TEST(links_and_cmdline)
{
	char buf[300], cwd[300];
	ssize_t n = CHECK_OK(readlink("/proc/self/exe", buf, sizeof(buf) - 1));

	buf[n] = 0;
	CHECK(strstr(buf, "procfs"));
	n = CHECK_OK(readlink("/proc/self/cwd", buf, sizeof(buf) - 1));
	buf[n] = 0;
	CHECK_STR(buf, getcwd(cwd, sizeof(cwd)));
	slurp("/proc/self/cmdline");
	CHECK(strstr(text, "procfs"));
	slurp("/proc/self/comm");
	CHECK_STR(text, "procfs\n");
	int fd = CHECK_OK(open("/dev/null", O_RDONLY));
	snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
	n = CHECK_OK(readlink(cwd, buf, sizeof(buf) - 1));
	buf[n] = 0;
	CHECK_STR(buf, "/dev/null");
	int again = CHECK_OK(open(cwd, O_RDONLY));
	CHECK(again != fd);
	close(fd);
	CHECK_ERR(readlink(cwd, buf, sizeof(buf)), ENOENT);
}

TEST(environ_and_auxv)
{
	unsigned long aux[80];
	int fd = CHECK_OK(open("/proc/self/auxv", O_RDONLY));

	CHECK(read(fd, aux, sizeof(aux)) >= 16);
	bool pagesz = false;
	for (int i = 0; aux[i]; i += 2)
		pagesz |= aux[i] == 6 && aux[i + 1] == 4096;
	CHECK(pagesz);
	slurp("/proc/self/environ");
}

TEST(every_process_is_listed_once)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int self = 0, init = 0, digits = 0;

	CHECK(d);
	while ((e = readdir(d))) {
		if (!isdigit(e->d_name[0]))
			continue;
		digits++;
		self += atoi(e->d_name) == getpid();
		init += atoi(e->d_name) == 1;
	}
	CHECK_EQ(self, 1);
	CHECK_EQ(init, 1);
	CHECK(digits >= 2);
}

TEST(gone_processes_are_gone)
{
	char path[64];
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = CHECK_OK(open(path, O_RDONLY));
	kill(pid, SIGKILL);
	t_wait(pid);
	CHECK_ERR(open(path, O_RDONLY), ENOENT);
	CHECK_ERR(read(fd, text, 100), ESRCH);
}

TEST(zombie_is_shown)
{
	char path[64];
	pid_t pid = CHECK_OK(fork());

	if (!pid)
		_exit(0);
	siginfo_t si;
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	slurp(path);
	CHECK(strstr(text, "State:\tZ (zombie)"));
	t_wait(pid);
}

TEST(machine_files)
{
	slurp("/proc/meminfo");
	CHECK(field(text, "MemTotal:") > 10000);
	CHECK(field(text, "MemFree:") > 100);
	CHECK(field(text, "MemAvailable:") > 100);
	slurp("/proc/cpuinfo");
	CHECK(strstr(text, "processor\t: 0"));
	CHECK(strstr(text, "flags"));
	slurp("/proc/stat");
	CHECK(!strncmp(text, "cpu ", 4));
	CHECK(field(text, "\nctxt ") > 0);
	CHECK(field(text, "\nbtime ") > 1600000000);
	double up, idle, l1;
	CHECK_EQ(sscanf(slurp("/proc/uptime"), "%lf %lf", &up, &idle), 2);
	CHECK_EQ(sscanf(slurp("/proc/loadavg"), "%lf", &l1), 1);
	CHECK(strstr(slurp("/proc/version"), "Linux version"));
	CHECK(strstr(slurp("/proc/filesystems"), "tmpfs"));
	CHECK(strstr(slurp("/proc/mounts"), " /proc proc "));
	CHECK(strstr(slurp("/proc/interrupts"), "CPU0"));
	CHECK(strlen(slurp("/proc/cmdline")) > 0);
	struct sysinfo si;
	CHECK_OK(sysinfo(&si));
	CHECK(si.totalram * si.mem_unit > 10 << 20);
	CHECK(si.procs > 1);
}

/* What moves is kept apart from what does not: some page blocks of both kinds, and not more than there is memory. */
TEST(pagetypeinfo)
{
	long total = field(slurp("/proc/meminfo"), "MemTotal:"), unmovable = 0, movable = 0, reclaimable, u, m, r;
	const char *line;

	if (access("/proc/pagetypeinfo", R_OK))
		SKIP("no /proc/pagetypeinfo");
	slurp("/proc/pagetypeinfo");
	CHECK_EQ(field(text, "Page block order:"), 9);
	CHECK_EQ(field(text, "Pages per block:"), 512);
	CHECK(strstr(text, ", type    Unmovable ") && strstr(text, ", type      Movable ") && strstr(text, ", type  Reclaimable "));
	reclaimable = 0;
	line = strstr(text, "Number of blocks type");
	CHECK(line);
	while ((line = strstr(line, "\nNode "))) {
		if (sscanf(line, "\nNode %*d, zone %*s %ld %ld %ld", &u, &m, &r) != 3)
			FAIL("not three numbers: %s", line);
		unmovable += u;
		movable += m;
		reclaimable += r;
		line++;
	}
	CHECK(unmovable > 0 && movable > 0);
	CHECK((unmovable + movable + reclaimable) * 2048 >= total / 2);
}

TEST(uname_says_linux)
{
	struct utsname u;

	CHECK_OK(uname(&u));
	CHECK_STR(u.sysname, "Linux");
	CHECK_STR(u.machine, "x86_64");
	CHECK(atoi(u.release) >= 5);
	CHECK(!strncmp(slurp("/proc/sys/kernel/osrelease"), u.release, strlen(u.release)));
}

TEST(oom_score_adj)
{
	int fd = CHECK_OK(open("/proc/self/oom_score_adj", O_RDWR));

	CHECK_EQ(write(fd, "500", 3), 3);
	CHECK_STR(slurp("/proc/self/oom_score_adj"), "500\n");
	CHECK_ERR(write(fd, "5000", 4), EINVAL);
}

TEST(statm_and_smaps_agree)
{
	long size, rss, sum = 0;
	char *m = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(m, 1, 4 << 20);
	CHECK_EQ(sscanf(slurp("/proc/self/statm"), "%ld %ld", &size, &rss), 2);
	CHECK(rss >= 1024);
	CHECK(size > rss);
	slurp("/proc/self/smaps");
	for (char *p = text; (p = strstr(p, "\nRss:")); p++)
		sum += atol(p + 5);
	CHECK(sum >= 4096);
}

TEST(unimplemented_calls_are_enosys)
{
	CHECK_ERR(syscall(999), ENOSYS);
	CHECK_ERR(syscall(-1), ENOSYS);
}

TEST(sysfs_topology)
{
	if (access("/sys/devices/system/cpu", F_OK))
		SKIP("no sysfs mounted");
	slurp("/sys/devices/system/cpu/online");
	CHECK(isdigit(text[0]));
	slurp("/sys/devices/system/cpu/cpu0/topology/core_id");
	CHECK(isdigit(text[0]));
}
