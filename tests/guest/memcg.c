/*
 * memcg.c: the memory controller of control groups (spec §8; Linux's documentation of cgroup v2, "Memory").
 *
 * What:    who is charged for what and for how long; limits, their events, the OOM killer inside a group; memory.high.
 * Idea:    each case works in a group of its own below the hierarchy's root, with children that touch so many pages and then
 *          wait to be told to go.  Counters may be ahead by what CPUs keep in stock (SLACK).  Where there is no cgroup2 with
 *          this controller all cases are skipped.
 */
#include "cgroup_tools.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MIB	(1L << 20)
#define SLACK	(2 * MIB)		/* stocks of CPUs, the programs' own pages */

/* ---- small tools ---- */

static void put_number(const char *file, long value)
{
	char text[30];

	snprintf(text, sizeof(text), "%ld", value);
	if (put(file, text))
		FAIL("%s: %s", at(file), strerror(errno));
}

static long get_number(const char *file) { return atol(get(file)); }

/* Waits up to a minute until no more than `most` are used. */
static void wait_below(const char *file, long most)
{
	for (int i = 0; i < 6000 && get_number(file) > most; i++)
		t_sleep_ms(10);
	if (get_number(file) > most)
		FAIL("%s is still %ld after a minute, not below %ld", file, get_number(file), most);
}

static void enable(const char *dir)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
	if (write_file(path, "+memory"))
		SKIP("%s: no controller memory (%s)", path, strerror(errno));
}

static void make(const char *group) { CHECK_OK(mkdir(at(group), 0755)); }

/* A kernel without swap has no such file. */
static void no_swap(const char *group)
{
	char file[100];

	snprintf(file, sizeof(file), "%s/memory.swap.max", group);
	if (put(file, "0") && errno != ENOENT)
		FAIL("%s: %s", at(file), strerror(errno));
}

/* A group of the case's own, with the controller for its children. */
static void setup(void)
{
	find_hierarchy();
	signal(SIGPIPE, SIG_IGN);		/* a child may have been killed */
	enable(hierarchy);
	snprintf(base, sizeof(base), "%s/memcg-%d", hierarchy, getpid());
	CHECK_OK(mkdir(base, 0755));
	enable(base);
}

/* ---- children ---- */

static char *touch_anon(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(90);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	return p;
}

struct child { pid_t pid; int ready, go; };

/* A child in the group that calls what(arg), says so, and ends when it is told. */
static struct child child_in(const char *group, void (*what)(long), long arg)
{
	struct child c;
	char file[100], byte;
	int ready[2], go[2];

	CHECK_OK(pipe2(ready, O_CLOEXEC));
	CHECK_OK(pipe2(go, O_CLOEXEC));
	c.pid = CHECK_OK(fork());
	if (!c.pid) {
		close(ready[0]);
		close(go[1]);
		snprintf(file, sizeof(file), "%s/cgroup.procs", group);
		if (put(file, "0"))
			_exit(91);
		what(arg);
		if (write(ready[1], "x", 1) != 1)
			_exit(92);
		_exit(read(go[0], &byte, 1) == 1 ? 0 : 93);
	}
	close(ready[1]);
	close(go[0]);
	c.ready = ready[0];
	c.go = go[1];
	return c;
}

/* False: it died before. */
static bool child_ready(struct child c)
{
	char byte;

	return read(c.ready, &byte, 1) == 1;
}

/* Told by a byte: another child may have the other end of the pipe as well.  Its wait status. */
static int child_end(struct child c)
{
	if (write(c.go, "q", 1) < 0)
		CHECK_EQ(errno, EPIPE);
	close(c.go);
	close(c.ready);
	return t_wait(c.pid);
}

static struct child ready_child(const char *group, void (*what)(long), long arg)
{
	struct child c = child_in(group, what, arg);

	if (!child_ready(c))
		FAIL("the child in %s ended with status %#x", group, child_end(c));
	return c;
}

static void anon(long bytes) { touch_anon(bytes); }

static int shared_fd;			/* a memfd that cases and children share */

static void fill_file(long bytes)
{
	static char block[65536];

	for (long i = 0; i < bytes; i += sizeof(block))
		if (pwrite(shared_fd, block, sizeof(block), i) != sizeof(block))
			_exit(94);
}

static void read_file(long bytes)
{
	static char block[65536];

	for (long i = 0; i < bytes; i += sizeof(block))
		if (pread(shared_fd, block, sizeof(block), i) != sizeof(block))
			_exit(95);
}

static void make_shared_file(void) { shared_fd = CHECK_OK(memfd_create("memcg", MFD_CLOEXEC)); }

/* ---- files ---- */

TEST(files)
{
	static const struct { const char *name, *text; } initial[] = {
		{ "g/memory.current", "0\n" }, { "g/memory.min", "0\n" }, { "g/memory.low", "0\n" }, { "g/memory.high", "max\n" },
		{ "g/memory.max", "max\n" }, { "g/memory.oom.group", "0\n" }, { "g/memory.peak", "0\n" },
	};
	struct stat st;

	setup();
	make("g");
	for (size_t i = 0; i < sizeof(initial) / sizeof(initial[0]); i++)
		CHECK_STR(get(initial[i].name), initial[i].text);
	CHECK_EQ(get_key("g/memory.events", "oom_kill"), 0);
	CHECK_EQ(get_key("g/memory.events.local", "max"), 0);
	CHECK_EQ(get_key("g/memory.stat", "anon"), 0);
	CHECK_OK(put("g/memory.max", "16M"));
	CHECK_STR(get("g/memory.max"), "16777216\n");
	CHECK_OK(put("g/memory.max", "1G"));
	CHECK_OK(put("g/memory.high", "5000"));
	CHECK_STR(get("g/memory.high"), "4096\n");
	CHECK_OK(put("g/memory.high", "max"));
	CHECK_OK(put("g/memory.low", "1M"));
	CHECK_OK(put("g/memory.oom.group", "1"));
	CHECK_STR(get("g/memory.oom.group"), "1\n");
	CHECK_ERR(put("g/memory.oom.group", "2"), EINVAL);
	CHECK_ERR(put("g/memory.max", "many"), EINVAL);
	CHECK_ERR(put("g/memory.current", "1"), EACCES == errno ? EACCES : EINVAL);
	CHECK_ERR(stat("/sys/fs/cgroup/memory.max", &st), ENOENT);
	teardown();
}

/* ---- who is charged ---- */

TEST(anonymous)
{
	struct child c;

	setup();
	make("g");
	c = ready_child("g", anon, 8 * MIB);
	CHECK(get_number("g/memory.current") >= 8 * MIB);
	CHECK(get_number("g/memory.current") <= 8 * MIB + SLACK);
	CHECK(get_key("g/memory.stat", "anon") >= 8 * MIB);
	CHECK(get_key("g/memory.stat", "anon") <= 8 * MIB + SLACK);
	CHECK(get_key("g/memory.stat", "pgfault") >= 8 * MIB / 4096);
	CHECK_EQ(get_key("g/memory.stat", "shmem"), 0);
	CHECK(get_number("memory.current") >= 8 * MIB);		/* the group above counts it, too */
	CHECK_EQ(child_end(c), 0);
	wait_below("g/memory.current", SLACK);
	CHECK(get_number("g/memory.peak") >= 8 * MIB);
	teardown();
}

/* The pages of a child's child, and those that a write after fork copies. */
static void anon_by_fork(long bytes)
{
	char *p = touch_anon(bytes);

	if (!fork()) {
		for (long i = 0; i < bytes; i += 4096)
			p[i] = 2;
		pause();
	}
	t_sleep_ms(1);
}

TEST(fork_copies)
{
	struct child c;

	setup();
	make("g");
	c = ready_child("g", anon_by_fork, 4 * MIB);
	for (int i = 0; i < 6000 && get_key("g/memory.stat", "anon") < 8 * MIB; i++)
		t_sleep_ms(10);
	CHECK(get_number("g/memory.current") >= 8 * MIB);
	CHECK_OK(put("g/cgroup.kill", "1"));
	child_end(c);
	wait_below("g/memory.current", SLACK);
	teardown();
}

/* Whoever touches a page first has it; another who uses it pays nothing. */
TEST(first_touch)
{
	struct child a, b;

	setup();
	make("a");
	make("b");
	make_shared_file();
	a = ready_child("a", fill_file, 8 * MIB);
	CHECK(get_key("a/memory.stat", "shmem") >= 8 * MIB);
	CHECK(get_key("a/memory.stat", "file") >= 8 * MIB);
	b = ready_child("b", read_file, 8 * MIB);
	CHECK(get_number("b/memory.current") <= SLACK);
	CHECK_EQ(child_end(a), 0);
	CHECK_EQ(child_end(b), 0);
	CHECK(get_number("a/memory.current") >= 8 * MIB);	/* the file is still there */
	close(shared_fd);
	wait_below("a/memory.current", SLACK);
	CHECK_EQ(get_key("a/memory.stat", "shmem"), 0);
	teardown();
}

TEST(moving_leaves_charges)
{
	struct child c;

	setup();
	make("a");
	make("b");
	c = ready_child("a", anon, 8 * MIB);
	put_number("b/cgroup.procs", c.pid);
	CHECK(get_number("a/memory.current") >= 8 * MIB);
	CHECK(get_number("b/memory.current") <= SLACK);
	CHECK_EQ(child_end(c), 0);
	wait_below("a/memory.current", SLACK);
	teardown();
}

/* A removed group's pages still count above it until they are freed. */
TEST(removed_group)
{
	struct child c;

	setup();
	make("g");
	make_shared_file();
	c = ready_child("g", fill_file, 8 * MIB);
	CHECK_EQ(child_end(c), 0);
	CHECK_OK(rmdir(at("g")));
	CHECK(get_number("memory.current") >= 8 * MIB);
	CHECK(get_key("memory.stat", "shmem") >= 8 * MIB);
	make("g");
	CHECK_EQ(get_number("g/memory.current"), 0);
	read_file(8 * MIB);
	close(shared_fd);
	wait_below("memory.current", SLACK);
	teardown();
}

/* ---- limits ---- */

TEST(max_kills)
{
	struct child c, other;
	struct pollfd p = { .events = POLLPRI };
	int status;

	setup();
	make("g");
	make("other");
	CHECK_OK(put("g/memory.max", "8M"));
	no_swap("g");
	p.fd = CHECK_OK(open(at("g/memory.events"), O_RDONLY));
	other = ready_child("other", anon, 16 * MIB);		/* more than the victim, but not there */
	get("g/memory.events");
	CHECK_EQ(poll(&p, 1, 0), 0);
	c = child_in("g", anon, 32 * MIB);
	CHECK(!child_ready(c));
	status = child_end(c);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(poll(&p, 1, 60000), 1);
	CHECK(get_key("g/memory.events", "max") > 0);
	CHECK(get_key("g/memory.events", "oom") > 0);
	CHECK_EQ(get_key("g/memory.events", "oom_kill"), 1);
	CHECK_EQ(get_key("g/memory.events", "oom_group_kill"), 0);
	CHECK_EQ(get_key("memory.events", "oom_kill"), 1);	/* seen from above */
	CHECK_EQ(get_key("memory.events.local", "oom_kill"), 0);
	CHECK(get_number("g/memory.peak") <= 8 * MIB);
	CHECK_EQ(child_end(other), 0);
	close(p.fd);
	teardown();
}

/* The limit of a group above counts; who has most below it goes. */
TEST(max_above)
{
	struct child big, small;
	int status;

	setup();
	make("p");
	enable(at("p"));
	make("p/a");
	make("p/b");
	CHECK_OK(put("p/memory.max", "16M"));
	no_swap("p");
	big = ready_child("p/a", anon, 10 * MIB);
	small = ready_child("p/b", anon, 5 * MIB);
	child_end(small);
	small = child_in("p/b", anon, 8 * MIB);			/* 10 + 8 is too much */
	CHECK(child_ready(small));
	status = child_end(big);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(child_end(small), 0);
	CHECK_EQ(get_key("p/memory.events", "oom_kill"), 1);
	CHECK_EQ(get_key("p/a/memory.events", "oom_kill"), 1);
	CHECK_EQ(get_key("p/b/memory.events", "oom_kill"), 0);
	CHECK_EQ(get_key("p/a/memory.events", "max"), 0);	/* its own limit was not it */
	teardown();
}

/* Setting a limit below what is used kills at once. */
TEST(max_lowered)
{
	struct child c;
	int status;

	setup();
	make("g");
	no_swap("g");
	c = ready_child("g", anon, 8 * MIB);
	CHECK_OK(put("g/memory.max", "2M"));
	status = child_end(c);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	wait_below("g/memory.current", 2 * MIB);
	teardown();
}

static void write_too_much(long bytes)
{
	fill_file(bytes);
}

/* Pages of a file in memory cannot go anywhere without swap: the writer is killed. */
TEST(max_shmem)
{
	struct child c;
	int status;

	setup();
	make("g");
	make_shared_file();
	CHECK_OK(put("g/memory.max", "8M"));
	no_swap("g");
	c = child_in("g", write_too_much, 32 * MIB);
	CHECK(!child_ready(c));
	status = child_end(c);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(get_key("g/memory.stat", "shmem") <= 8 * MIB);
	close(shared_fd);
	wait_below("g/memory.current", SLACK);
	teardown();
}

static void nothing(long unused) { (void)unused; }

TEST(oom_group)
{
	struct child a, b, c;
	int status;

	setup();
	make("g");
	CHECK_OK(put("g/memory.max", "8M"));
	no_swap("g");
	CHECK_OK(put("g/memory.oom.group", "1"));
	a = ready_child("g", nothing, 0);
	b = ready_child("g", nothing, 0);
	c = child_in("g", anon, 32 * MIB);
	CHECK(!child_ready(c));
	status = child_end(c);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(!child_ready(a));
	CHECK(!child_ready(b));
	status = child_end(a);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = child_end(b);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(get_key("g/memory.events", "oom_group_kill"), 1);
	CHECK(get_key("g/memory.events", "oom_kill") >= 3);
	teardown();
}

/* Above memory.high one is slowed down, not killed. */
TEST(high)
{
	struct child c;

	setup();
	make("g");
	CHECK_OK(put("g/memory.high", "8M"));
	no_swap("g");
	c = ready_child("g", anon, 8 * MIB + MIB / 4);
	CHECK(get_key("g/memory.events", "high") > 0);
	CHECK_EQ(get_key("g/memory.events", "oom"), 0);
	CHECK_EQ(child_end(c), 0);
	teardown();
}

/* Nothing can be had of it, since there is no swap. */
TEST(reclaim_nothing)
{
	struct child c;

	setup();
	make("g");
	if (access(at("g/memory.reclaim"), F_OK))
		SKIP("no memory.reclaim");
	no_swap("g");
	c = ready_child("g", anon, 4 * MIB);
	CHECK_ERR(put("g/memory.reclaim", "2M"), EAGAIN);
	CHECK(get_number("g/memory.current") >= 4 * MIB);
	CHECK_EQ(child_end(c), 0);
	teardown();
}

/* The controller goes away and comes back while there are pages. */
TEST(disable_enable)
{
	struct child c;
	char path[400];

	setup();
	make("g");
	c = ready_child("g", anon, 4 * MIB);
	CHECK_OK(put("cgroup.subtree_control", "-memory"));
	CHECK_ERR(access(at("g/memory.current"), F_OK), ENOENT);
	CHECK(get_number("memory.current") >= 4 * MIB);
	CHECK_OK(put("cgroup.subtree_control", "+memory"));
	CHECK(get_number("g/memory.current") <= SLACK);
	CHECK_EQ(child_end(c), 0);
	snprintf(path, sizeof(path), "%s/memory.current", base);
	wait_below("memory.current", SLACK);
	teardown();
}
