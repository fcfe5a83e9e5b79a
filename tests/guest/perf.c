/* perf.c: perf_event_open(2): software events that count: of tasks, their children, CPUs, in groups (spec §8). */
#include "t.h"
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int open_attr(struct perf_event_attr *a, pid_t pid, int cpu, int group, unsigned long flags)
{
	return syscall(SYS_perf_event_open, a, pid, cpu, group, flags);
}

static struct perf_event_attr attr_of(int config)
{
	return (struct perf_event_attr){ .type = PERF_TYPE_SOFTWARE, .size = sizeof(struct perf_event_attr), .config = config };
}

static int open_event(int config, pid_t pid)
{
	struct perf_event_attr a = attr_of(config);
	int fd = open_attr(&a, pid, -1, -1, 0);

	if (fd < 0 && (errno == EACCES || errno == ENOSYS || errno == EPERM))
		SKIP("not allowed here (errno %d)", errno);
	return CHECK_OK(fd);
}

static uint64_t value(int fd)
{
	uint64_t v[8];

	CHECK(read(fd, v, sizeof(v)) >= 8);
	return v[0];
}

static void touch_pages(int n)
{
	char *p = mmap(NULL, n * 4096UL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	madvise(p, n * 4096UL, MADV_NOHUGEPAGE);
	for (int i = 0; i < n; i++)
		p[i * 4096UL] = 1;
	munmap(p, n * 4096UL);
}

static void burn_ms(int ms)
{
	struct timespec t;
	int64_t end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	end = t.tv_sec * 1000000000 + t.tv_nsec + ms * 1000000;
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000000000 + t.tv_nsec < end);
}

TEST(errors)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_TASK_CLOCK), b;
	int fd = open_event(PERF_COUNT_SW_TASK_CLOCK, 0), p[2];
	uint32_t small[2] = { PERF_TYPE_SOFTWARE, 8 };

	CHECK_ERR(open_attr(&a, 0, -1, -1, 0x100), EINVAL);
	CHECK_ERR(open_attr(&a, -1, -1, -1, 0), EINVAL);
	CHECK_ERR(open_attr(&a, -1, 5000, -1, 0), EINVAL);
	CHECK_ERR(open_attr(&a, 0x3ffffff, -1, -1, 0), ESRCH);
	CHECK_ERR(open_attr((void *)8, 0, -1, -1, 0), EFAULT);
	CHECK_ERR(open_attr((void *)small, 0, -1, -1, 0), E2BIG);
	CHECK(small[1] >= 112);				/* the size that is known */
	CHECK_OK(pipe(p));
	CHECK_ERR(open_attr(&a, 0, -1, p[0], 0), EBADF);
	CHECK_ERR(open_attr(&a, 0, -1, 999, 0), EBADF);
	b = a;
	b.type = 0x7ffffff;
	CHECK_ERR(open_attr(&b, 0, -1, -1, 0), ENOENT);
	b = a;
	b.config = 4711;
	CHECK_ERR(open_attr(&b, 0, -1, -1, 0), ENOENT);
	b = a;
	b.read_format = 1 << 20;
	CHECK_ERR(open_attr(&b, 0, -1, -1, 0), EINVAL);
	b = a;
	b.inherit = 1;					/* its leader is not */
	CHECK_ERR(open_attr(&b, 0, -1, fd, 0), EINVAL);
	CHECK_ERR(read(fd, p, 4), ENOSPC);
	CHECK_ERR(ioctl(fd, _IO('$', 77), 0), ENOTTY);
	CHECK_ERR(ioctl(fd, PERF_EVENT_IOC_ID, 8), EFAULT);
	CHECK_ERR(ioctl(fd, PERF_EVENT_IOC_REFRESH, 1), EINVAL);
}

TEST(rights)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_TASK_CLOCK);
	FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "r");
	int paranoid = -9;

	CHECK(f && fscanf(f, "%d", &paranoid) == 1);
	close(open_event(PERF_COUNT_SW_TASK_CLOCK, 0));
	if (geteuid() || paranoid != 2)
		SKIP("root and a level of 2 are needed");
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(open_attr(&a, 0, -1, -1, 0), EACCES);
	CHECK_ERR(open_attr(&a, -1, 0, -1, 0), EACCES);
	a.exclude_kernel = 1;
	CHECK_OK(open_attr(&a, 0, -1, -1, 0));
	CHECK_ERR(open_attr(&a, -1, 0, -1, 0), EACCES);
	CHECK_ERR(open_attr(&a, 1, -1, -1, 0), EACCES);
}

TEST(counts_page_faults)
{
	int fd = open_event(PERF_COUNT_SW_PAGE_FAULTS, 0), min = open_event(PERF_COUNT_SW_PAGE_FAULTS_MIN, 0);
	int maj = open_event(PERF_COUNT_SW_PAGE_FAULTS_MAJ, 0), none = open_event(PERF_COUNT_SW_DUMMY, 0);
	uint64_t before = value(fd), major;

	touch_pages(100);
	CHECK(value(fd) - before >= 100 && value(fd) - before < 200);
	CHECK(value(min) >= 100);
	major = value(maj);
	CHECK(major < 50);
	CHECK_EQ(value(none), 0);
}

TEST(counts_switches_and_time)
{
	int cs = open_event(PERF_COUNT_SW_CONTEXT_SWITCHES, 0), clock = open_event(PERF_COUNT_SW_TASK_CLOCK, 0);
	int cpu_clock = open_event(PERF_COUNT_SW_CPU_CLOCK, 0);
	uint64_t before = value(cs), time;

	for (int i = 0; i < 20; i++)
		usleep(1000);
	CHECK(value(cs) - before >= 20);
	time = value(clock);
	burn_ms(30);
	CHECK(value(clock) - time >= 29000000);
	CHECK(value(cpu_clock) >= 29000000);
	time = value(clock);
	usleep(300000);					/* asleep it does not run */
	CHECK(value(clock) - time < 250000000);
}

TEST(counts_migrations)
{
	int fd = open_event(PERF_COUNT_SW_CPU_MIGRATIONS, 0);
	cpu_set_t all, one;
	int cpus[2], n = 0;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &all))
			cpus[n++] = i;
	if (n < 2)
		SKIP("one CPU");
	for (int i = 0; i < 10; i++) {
		CPU_ZERO(&one);
		CPU_SET(cpus[i & 1], &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	}
	CHECK(value(fd) >= 9);
}

TEST(enable_disable_reset)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_PAGE_FAULTS);
	int fd;

	close(open_event(PERF_COUNT_SW_DUMMY, 0));
	a.disabled = 1;
	a.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_ID;
	fd = CHECK_OK(open_attr(&a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
	uint64_t v[4], id;

	touch_pages(10);
	CHECK_EQ(read(fd, v, sizeof(v)), 32);
	CHECK(!v[0] && !v[1] && !v[2]);
	CHECK_OK(ioctl(fd, PERF_EVENT_IOC_ID, &id));
	CHECK_EQ(v[3], id);
	CHECK_OK(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0));
	touch_pages(50);
	CHECK_OK(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0));
	touch_pages(500);
	CHECK_EQ(read(fd, v, sizeof(v)), 32);
	CHECK(v[0] >= 50 && v[0] < 150);
	CHECK(v[1] > 0 && v[1] == v[2]);
	CHECK_OK(ioctl(fd, PERF_EVENT_IOC_RESET, 0));
	CHECK_EQ(value(fd), 0);
	CHECK_EQ(read(fd, v, sizeof(v)), 32);
	CHECK(v[1] > 0);				/* the time is not forgotten */
}

TEST(groups)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_PAGE_FAULTS), b = attr_of(PERF_COUNT_SW_TASK_CLOCK);
	struct { uint64_t n, enabled, running; struct { uint64_t value, id; } e[2]; } g;
	int leader, member;
	uint64_t id;

	close(open_event(PERF_COUNT_SW_DUMMY, 0));
	a.disabled = 1;
	a.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	leader = CHECK_OK(open_attr(&a, 0, -1, -1, 0));
	member = CHECK_OK(open_attr(&b, 0, -1, leader, 0));
	CHECK_ERR(open_attr(&b, 0, -1, member, 0), EINVAL);	/* no leader */
	burn_ms(3);
	CHECK_EQ(value(member), 0);			/* its leader is off */
	CHECK_OK(ioctl(leader, PERF_EVENT_IOC_ENABLE, 0));
	touch_pages(20);
	burn_ms(3);
	CHECK_OK(ioctl(leader, PERF_EVENT_IOC_DISABLE, 0));
	CHECK_EQ(read(leader, &g, sizeof(g)), sizeof(g));
	CHECK_EQ(g.n, 2);
	CHECK(g.e[0].value >= 20);
	CHECK(g.e[1].value >= 2900000);
	CHECK_OK(ioctl(member, PERF_EVENT_IOC_ID, &id));
	CHECK_EQ(g.e[1].id, id);
	CHECK(g.enabled >= 2900000 && g.enabled == g.running);
	CHECK_EQ(value(member), g.e[1].value);
	CHECK_OK(ioctl(member, PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP));
	CHECK_EQ(read(leader, &g, sizeof(g)), sizeof(g));
	CHECK(!g.e[0].value && !g.e[1].value);
	close(leader);					/* the member goes on alone */
	CHECK_OK(ioctl(member, PERF_EVENT_IOC_DISABLE, 0));
	CHECK_OK(ioctl(member, PERF_EVENT_IOC_ENABLE, 0));
	burn_ms(3);
	CHECK(value(member) >= 2900000);
}

static void *thread(void *arg) { touch_pages(100); return NULL; }

TEST(inherited_by_children_and_threads)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_PAGE_FAULTS);
	int fd, own = open_event(PERF_COUNT_SW_PAGE_FAULTS, 0), go[2];
	pthread_t t;
	uint64_t before;
	char c;

	a.inherit = 1;
	fd = CHECK_OK(open_attr(&a, 0, -1, -1, 0));
	before = value(own);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		touch_pages(1000);
		if (!fork()) {
			touch_pages(1000);
			_exit(0);
		}
		wait(NULL);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK(value(fd) >= 2000 && value(fd) < 4000);
	CHECK(value(own) - before < 1000);
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	CHECK(value(fd) >= 2100);
	CHECK_OK(pipe(go));				/* and one that is still there */
	before = value(fd);
	pid = CHECK_OK(fork());
	if (!pid) {
		touch_pages(1000);
		if (write(go[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	CHECK_EQ(read(go[0], &c, 1), 1);
	CHECK(value(fd) - before >= 1000);
	CHECK_OK(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0));
	before = value(fd);
	kill(pid, SIGKILL);
	t_wait(pid);
	CHECK_EQ(value(fd), before);
}

TEST(of_another_task_until_it_ends)
{
	int ready[2], go[2];
	char c;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (read(go[0], &c, 1) == 1)
			touch_pages(300);
		_exit(0);
	}
	int fd = open_event(PERF_COUNT_SW_PAGE_FAULTS, pid);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(t_wait(pid), 0);
	CHECK(value(fd) >= 300);
	CHECK_OK(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0));
	struct pollfd pfd = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK(pfd.revents & POLLHUP);
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_DUMMY);
	CHECK_ERR(open_attr(&a, pid, -1, -1, 0), ESRCH);
}

TEST(enabled_by_exec)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_TASK_CLOCK);
	int go[2];
	char c;

	close(open_event(PERF_COUNT_SW_DUMMY, 0));
	CHECK_OK(pipe(go));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (read(go[0], &c, 1) == 1)
			execl("/proc/self/exe", "perf", "nothing-of-that-name", NULL);
		_exit(9);
	}
	a.disabled = a.enable_on_exec = a.inherit = 1;
	int fd = CHECK_OK(open_attr(&a, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
	CHECK_EQ(value(fd), 0);
	CHECK_EQ(write(go[1], "x", 1), 1);
	t_wait(pid);
	CHECK(value(fd) > 0);
}

TEST(of_a_cpu)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_CONTEXT_SWITCHES);
	int fd = open_attr(&a, -1, 0, -1, 0), clock;

	if (fd < 0 && (errno == EACCES || errno == ENOSYS))
		SKIP("not allowed here");
	CHECK_OK(fd);
	a = attr_of(PERF_COUNT_SW_CPU_CLOCK);
	clock = CHECK_OK(open_attr(&a, -1, 0, -1, 0));
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	for (int i = 0; i < 20; i++)
		usleep(1000);
	CHECK(value(fd) >= 20);
	CHECK(value(clock) >= 20000000);		/* it goes on while the CPU is idle */
}

/* Tasks come and go under an event that is switched on and off meanwhile. */
TEST(storm)
{
	struct perf_event_attr a = attr_of(PERF_COUNT_SW_PAGE_FAULTS);

	close(open_event(PERF_COUNT_SW_DUMMY, 0));
	a.inherit = 1;
	for (int round = 0; round < 10; round++) {
		int fd = CHECK_OK(open_attr(&a, 0, -1, -1, 0));
		struct perf_event_attr m = attr_of(PERF_COUNT_SW_CONTEXT_SWITCHES);
		m.inherit = 1;
		int member = CHECK_OK(open_attr(&m, 0, -1, fd, 0));

		for (int i = 0; i < 5; i++)
			if (!fork()) {
				for (int j = 0; j < 5; j++) {
					if (!fork())
						_exit(0);
					ioctl(fd, j & 1 ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
					value(member);
				}
				while (wait(NULL) > 0)
					;
				_exit(0);
			}
		if (round & 1)
			close(fd);
		value(member);
		close(member);
		if (!(round & 1))
			close(fd);
		while (wait(NULL) > 0)
			;
	}
}
