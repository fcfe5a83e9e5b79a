/* aio.c: native asynchronous I/O (io_submit(2) and its relatives), by the bare system calls. */
#include "t.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static long setup(unsigned n, aio_context_t *c) { return syscall(SYS_io_setup, n, c); }
static long destroy(aio_context_t c) { return syscall(SYS_io_destroy, c); }
static long submit(aio_context_t c, long n, struct iocb **p) { return syscall(SYS_io_submit, c, n, p); }
static long get(aio_context_t c, long min, long n, struct io_event *e, struct timespec *t)
{
	return syscall(SYS_io_getevents, c, min, n, e, t);
}

static aio_context_t make(unsigned n)
{
	aio_context_t c = 0;

	if (setup(n, &c)) {
		if (errno == ENOSYS)
			SKIP("no native aio");
		FAIL("io_setup: %s", strerror(errno));
	}
	return c;
}

static struct iocb iocb(int op, int fd, const void *buf, size_t n, off_t off, uint64_t data)
{
	return (struct iocb){ .aio_lio_opcode = op, .aio_fildes = fd, .aio_buf = (uintptr_t)buf, .aio_nbytes = n,
			      .aio_offset = off, .aio_data = data };
}

TEST(errors)
{
	aio_context_t c = make(4), bad = 1;
	struct iocb cb = iocb(IOCB_CMD_PREAD, -1, NULL, 0, 0, 0), *p = &cb;

	CHECK_ERR(setup(4, &bad), EINVAL);
	bad = 0;
	CHECK_ERR(setup(0, &bad), EINVAL);
	CHECK_ERR(setup(4, NULL), EFAULT);
	CHECK_ERR(submit(c, 1, &p), EBADF);
	CHECK_ERR(submit(c, -1, &p), EINVAL);
	CHECK_ERR(submit(12345, 1, &p), EINVAL);
	p = (void *)8;
	CHECK_ERR(submit(c, 1, &p), EFAULT);
	p = &cb;
	cb = iocb(77, 1, NULL, 0, 0, 0);
	CHECK_ERR(submit(c, 1, &p), EINVAL);
	CHECK_EQ(submit(c, 0, &p), 0);
	struct io_event e;
	CHECK_ERR(get(c, 2, 1, &e, NULL), EINVAL);
	CHECK_ERR(get(12345, 0, 1, &e, NULL), EINVAL);
	CHECK_OK(destroy(c));
	CHECK_ERR(destroy(c), EINVAL);
}

TEST(read_and_write)
{
	char name[] = "/tmp/aio-XXXXXX", buf[16] = "";
	int fd = CHECK_OK(mkstemp(name)), ev = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	aio_context_t c = make(8);
	struct iocb w = iocb(IOCB_CMD_PWRITE, fd, "hello", 5, 3, 11), r = iocb(IOCB_CMD_PREAD, fd, buf, 16, 3, 22), *p = &w;
	struct io_event e;
	uint64_t n;

	unlink(name);
	CHECK_EQ(submit(c, 1, &p), 1);
	CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
	CHECK_EQ(e.data, 11);
	CHECK_EQ(e.obj, (uintptr_t)&w);
	CHECK_EQ(e.res, 5);
	r.aio_flags = IOCB_FLAG_RESFD;
	r.aio_resfd = ev;
	p = &r;
	CHECK_EQ(submit(c, 1, &p), 1);
	CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
	CHECK_EQ(e.res, 5);
	CHECK_STR(buf, "hello");
	CHECK_EQ(read(ev, &n, 8), 8);
	CHECK_EQ(n, 1);
	struct timespec t = { 0, 20000000 };
	CHECK_EQ(get(c, 1, 1, &e, &t), 0);
	CHECK_OK(destroy(c));
}

TEST(polls)
{
	aio_context_t c = make(8);
	struct io_event e;
	struct iocb cb, *pp = &cb;
	char ch;
	int p[2];

	CHECK_OK(pipe(p));
	for (int i = 0; i < 20; i++) {
		cb = iocb(IOCB_CMD_POLL, p[0], (void *)(uintptr_t)POLLIN, 0, 0, i);
		if (i & 1)
			CHECK_EQ(write(p[1], "x", 1), 1);
		CHECK_EQ(submit(c, 1, &pp), 1);
		if (!(i & 1))
			CHECK_EQ(write(p[1], "x", 1), 1);
		CHECK_EQ(get(c, 1, 1, &e, NULL), 1);
		CHECK(e.res & POLLIN);
		CHECK_EQ(read(p[0], &ch, 1), 1);
	}
	cb = iocb(IOCB_CMD_POLL, p[0], (void *)(uintptr_t)POLLIN, 0, 0, 5);
	CHECK_EQ(submit(c, 1, &pp), 1);
	CHECK_OK(destroy(c));			/* with a request under way */
	c = make(8);
	CHECK_EQ(submit(c, 1, &pp), 1);		/* and exit with one */
}
