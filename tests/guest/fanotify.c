/*
 * fanotify.c: fanotify(7): descriptors of files that were opened, read, changed, closed or started (man 2 fanotify_init,
 * fanotify_mark).
 *
 * Idea:    each case has a tmpfs of its own, so that marks of a mount or a file system hear of nobody else.  Who does something is
 *          the case itself: its events are in the queue when the call is over.
 */
#include "t.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char base[64];
static int fan;

static void setup(unsigned int flags, unsigned int file_flags)
{
	if (getuid() || unshare(CLONE_NEWNS))
		SKIP("not root");
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(base, "/tmp/fan%d", getpid());
	CHECK_OK(mkdir(base, 0755));
	CHECK_OK(mount("none", base, "tmpfs", 0, NULL));
	CHECK_OK(chdir(base));
	fan = fanotify_init(flags | FAN_NONBLOCK, file_flags);
	if (fan < 0)
		SKIP("no fanotify here (errno %d)", errno);
}

static void teardown(void)
{
	close(fan);
	CHECK_OK(chdir("/"));
	umount2(base, MNT_DETACH);
	rmdir(base);
}

static void make(const char *name)
{
	int fd = CHECK_OK(open(name, O_CREAT | O_RDWR, 0755));

	CHECK_EQ(write(fd, "text", 4), 4);
	close(fd);
}

/* The next event is this one, of that file, by us; its descriptor, open. */
static int expect_fd(unsigned long long mask, const char *name)
{
	struct fanotify_event_metadata ev;
	struct stat a, b;

	CHECK_EQ(read(fan, &ev, sizeof(ev)), (ssize_t)sizeof(ev));
	CHECK_EQ(ev.vers, FANOTIFY_METADATA_VERSION);
	CHECK_EQ(ev.event_len, sizeof(ev));
	CHECK_EQ(ev.metadata_len, sizeof(ev));
	CHECK_EQ(ev.mask, mask);
	CHECK_EQ(ev.pid, getpid());
	CHECK(ev.fd >= 0);
	CHECK_OK(fstat(ev.fd, &a));
	CHECK_OK(stat(name, &b));
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	return ev.fd;
}

static void expect(unsigned long long mask, const char *name)
{
	close(expect_fd(mask, name));
}

static void expect_nothing(void)
{
	struct fanotify_event_metadata ev;

	CHECK_ERR(read(fan, &ev, sizeof(ev)), EAGAIN);
}

static void read_it(const char *name)
{
	char c[8];
	int fd = CHECK_OK(open(name, O_RDONLY));

	CHECK(read(fd, c, sizeof(c)) >= 0);
	close(fd);
}

static void write_it(const char *name)
{
	int fd = CHECK_OK(open(name, O_WRONLY));

	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
}

static int mark(unsigned int flags, unsigned long long mask, const char *name)
{
	return fanotify_mark(fan, flags, mask, AT_FDCWD, name);
}

TEST(errors)
{
	struct fanotify_event_metadata ev;
	int fd;

	setup(0, O_RDONLY);
	make("f");
	CHECK_ERR(fanotify_init(0x80000000, 0), EINVAL);
	CHECK_ERR(fanotify_init(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT, 0), EINVAL);
	CHECK_ERR(fanotify_init(0, O_CREAT), EINVAL);
	CHECK_ERR(fanotify_init(0, O_ACCMODE), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD, 0, "f"), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, "f"), EINVAL);
	CHECK_ERR(mark(0, FAN_OPEN, "f"), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, "f"), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD | 0x40000000, FAN_OPEN, "f"), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD, 1ULL << 40, "f"), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD, FAN_CREATE, "."), EINVAL);		/* wants FAN_REPORT_FID */
	CHECK_ERR(mark(FAN_MARK_FLUSH | FAN_MARK_ONLYDIR, 0, "."), EINVAL);
	CHECK_ERR(mark(FAN_MARK_ADD, FAN_OPEN, "nothing"), ENOENT);
	CHECK_ERR(mark(FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, "f"), ENOTDIR);
	CHECK_ERR(mark(FAN_MARK_ADD, FAN_OPEN, (char *)8), EFAULT);
	CHECK_ERR(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"), ENOENT);
	CHECK_ERR(fanotify_mark(-1, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"), EBADF);
	CHECK_ERR(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN, 999, "f"), EBADF);
	CHECK_ERR(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN, 999, NULL), EBADF);
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"), EINVAL);
	CHECK_ERR(fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, fd, NULL), ENOTDIR);
	CHECK_OK(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN, fd, NULL));
	CHECK_ERR(read(fan, &ev, sizeof(ev) - 1), EAGAIN);
	read_it("f");
	CHECK_ERR(read(fan, &ev, sizeof(ev) - 1), EINVAL);
	expect(FAN_OPEN, "f");
	CHECK_ERR(write(fan, &ev, 4), EINVAL);
	teardown();
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERR(fanotify_init(0, 0), EPERM);
}

TEST(of_an_inode)
{
	struct pollfd p;
	int bytes, fd;
	char c;

	setup(FAN_CLOEXEC, O_RDONLY);
	make("f");
	make("other");
	CHECK_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE, "f"));
	p = (struct pollfd){ .fd = fan, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 0);
	read_it("other");
	expect_nothing();
	read_it("f");
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_OK(ioctl(fan, FIONREAD, &bytes));
	CHECK(bytes >= (int)sizeof(struct fanotify_event_metadata));
	fd = expect_fd(FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE, "f");	/* put together, since nobody read between */
	CHECK_EQ(read(fd, &c, 1), 1);				/* its use is told to nobody */
	CHECK_ERR(write(fd, "x", 1), EBADF);
	close(fd);
	expect_nothing();
	fd = CHECK_OK(open("f", O_RDWR));
	expect(FAN_OPEN, "f");
	CHECK_EQ(write(fd, "y", 1), 1);
	expect(FAN_MODIFY, "f");
	close(fd);
	expect(FAN_CLOSE_WRITE, "f");
	CHECK_OK(mark(FAN_MARK_REMOVE, FAN_ACCESS | FAN_CLOSE, "f"));
	read_it("f");
	expect(FAN_OPEN, "f");
	CHECK_OK(mark(FAN_MARK_REMOVE, FAN_OPEN | FAN_MODIFY, "f"));
	read_it("f");
	expect_nothing();
	CHECK_ERR(mark(FAN_MARK_REMOVE, FAN_OPEN, "f"), ENOENT);
	teardown();
}

TEST(of_a_directory)
{
	DIR *d;

	setup(0, O_RDONLY);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/sub", 0755));
	make("d/f");
	make("d/sub/deep");
	CHECK_OK(mark(FAN_MARK_ADD, FAN_OPEN, "d"));
	read_it("d/f");
	expect_nothing();
	CHECK_OK(mark(FAN_MARK_ADD, FAN_EVENT_ON_CHILD, "d"));
	read_it("d/f");
	expect(FAN_OPEN, "d/f");
	read_it("d/sub/deep");
	expect_nothing();			/* a child, not more */
	d = opendir("d");
	CHECK(d != NULL);
	closedir(d);
	expect_nothing();			/* nor of directories, unless they are asked for */
	CHECK_OK(mark(FAN_MARK_ADD, FAN_ONDIR, "d"));
	d = opendir("d");
	CHECK(d != NULL);
	closedir(d);
	expect(FAN_OPEN, "d");
	d = opendir("d/sub");
	CHECK(d != NULL);
	closedir(d);
	expect(FAN_OPEN, "d/sub");
	teardown();
}

TEST(of_a_mount)
{
	char there[100];

	setup(0, O_RDONLY);
	make("f");
	CHECK_OK(mkdir("second", 0755));
	CHECK_OK(mount(base, "second", NULL, MS_BIND, NULL));
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, "second"));
	write_it("f");
	expect_nothing();			/* the same file, by another mount */
	write_it("second/f");
	expect(FAN_CLOSE_WRITE, "f");
	CHECK_OK(mark(FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, "."));
	write_it("second/f");
	expect(FAN_CLOSE_WRITE, "f");
	CHECK_OK(mark(FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, "."));
	write_it("second/f");
	expect_nothing();
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE, "second"));
	write_it("second/f");
	write_it("f");
	expect(FAN_CLOSE_WRITE, "f");
	expect(FAN_CLOSE_WRITE, "f");		/* two paths: two events */
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "second"));
	CHECK_OK(umount2("second", 0));		/* the mark does not keep it */
	sprintf(there, "%s/f", base);
	write_it(there);
	expect(FAN_CLOSE_WRITE, "f");
	teardown();
}

TEST(ignored)
{
	setup(0, O_RDONLY);
	make("f");
	make("g");
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, "."));
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, "f"));
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, "g"));
	read_it("f");
	read_it("g");
	expect_nothing();
	write_it("f");				/* opened while it was ignored; changed, it is of interest again */
	expect_nothing();
	write_it("g");
	read_it("f");
	expect(FAN_OPEN, "f");
	read_it("g");
	expect_nothing();
	CHECK_OK(mark(FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, FAN_OPEN, "g"));
	read_it("g");
	expect(FAN_OPEN, "g");
	teardown();
}

/* A program that is started; the events of another task have its number. */
TEST(of_a_program)
{
	struct fanotify_event_metadata ev;
	char path[100];
	pid_t pid;
	int fd, self;
	char buf[4096];
	ssize_t n;

	setup(0, O_RDONLY);
	fd = CHECK_OK(open("prog", O_CREAT | O_WRONLY, 0755));
	self = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	while ((n = read(self, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(fd, buf, n), n);
	close(fd);
	CHECK_OK(mark(FAN_MARK_ADD, FAN_OPEN_EXEC, "prog"));
	read_it("prog");
	expect_nothing();
	sprintf(path, "%s/prog", base);
	pid = CHECK_OK(fork());
	if (!pid) {
		execl(path, "fanotify", "no-case-of-that-name", NULL);
		_exit(99);
	}
	CHECK(WEXITSTATUS(t_wait(pid)) != 99);
	CHECK_EQ(read(fan, &ev, sizeof(ev)), (ssize_t)sizeof(ev));
	CHECK_EQ(ev.mask, FAN_OPEN_EXEC);
	CHECK_EQ(ev.pid, pid);
	close(ev.fd);
	teardown();
}

/* What is gone, or cannot be opened: the mark goes, and the event says what became of it. */
TEST(ends)
{
	struct fanotify_event_metadata ev;
	int second, fd;

	setup(0, O_RDWR);
	make("f");
	CHECK_OK(mark(FAN_MARK_ADD, FAN_CLOSE_NOWRITE, "f"));
	read_it("f");
	CHECK_OK(unlink("f"));
	CHECK_EQ(read(fan, &ev, sizeof(ev)), (ssize_t)sizeof(ev));	/* without a name it still is a file */
	CHECK(ev.fd >= 0);
	CHECK_EQ(write(ev.fd, "x", 1), 1);
	close(ev.fd);
	make("f");
	second = CHECK_OK(fanotify_init(FAN_NONBLOCK, O_RDONLY));
	CHECK_OK(fanotify_mark(second, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	CHECK_OK(mark(FAN_MARK_ADD, FAN_OPEN, "f"));
	fd = CHECK_OK(open("f", O_RDONLY));
	close(second);				/* with an event that nobody read */
	close(fd);
	expect(FAN_OPEN, "f");
	expect_nothing();
	teardown();
}

static int queue_limit(void)
{
	FILE *f = fopen("/proc/sys/fs/fanotify/max_queued_events", "r");
	int limit = 0;

	if (!f || fscanf(f, "%d", &limit) != 1)
		SKIP("no /proc/sys/fs/fanotify");
	fclose(f);
	return limit;
}

/* Each file makes an event of its own; when too many wait, one event says so. */
TEST(overflow)
{
	struct fanotify_event_metadata ev;
	bool full = false;
	char name[20];
	int limit;

	setup(0, O_RDONLY);
	limit = queue_limit();
	if (limit > 20000)
		SKIP("a queue of %d", limit);
	CHECK_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE, "."));
	for (int i = 0; i < limit + 10; i++) {
		sprintf(name, "%d", i);
		close(CHECK_OK(open(name, O_CREAT | O_WRONLY, 0600)));
		if (i >= 1)
			CHECK_OK(unlink(name));
	}
	for (int i = 0; !full; i++) {
		CHECK(i <= limit);
		CHECK_EQ(read(fan, &ev, sizeof(ev)), (ssize_t)sizeof(ev));
		full = ev.mask & FAN_Q_OVERFLOW;
		if (!full)
			close(ev.fd);
	}
	CHECK_EQ(ev.fd, FAN_NOFD);
	expect_nothing();
	teardown();
}
