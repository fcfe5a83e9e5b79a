/*
 * fsops.c: random operations on one file beside a model of it in memory.  fsops FILE SEED OPERATIONS [MAXSIZE]
 *
 * Reads, writes, appends, truncations, stores and loads through a mapping, holes, fallocate, zeroing, copy_file_range, direct
 * I/O, fsync, dropping of the cache, closing and opening again.  After each read the bytes must be the model's, and at the end the whole file.  Prints
 * the operation that differed, with the seed, so that it can be run again.  Exit status 0: all agreed.  Runs on Linux too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *path;
static int fd, direct_fd;		/* direct_fd -1: the file system has no O_DIRECT */
static unsigned char *model, *buf;
static size_t size, max;
static unsigned long seed, op;
static uint64_t state;

static uint32_t rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (uint32_t)(state >> 11) % n : 0;
}

static void fail(const char *fmt, ...)
{
	va_list args;

	printf("fsops: seed %lu, operation %lu: ", seed, op);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void compare(const unsigned char *got, size_t off, size_t len, const char *how)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != model[off + i])
			fail("%s at %zu+%zu: byte %zu is %02x, not %02x (size %zu)", how, off, len, off + i, got[i], model[off + i], size);
}

/* Mostly near multiples of block and page sizes. */
static size_t place(size_t limit)
{
	size_t p = rnd((uint32_t)limit + 1);

	if (rnd(3) == 0)
		p = p / 512 * 512;
	if (rnd(4) == 0)
		p = p / 4096 * 4096;
	return p;
}

static size_t length(size_t off)
{
	size_t len = 1 + rnd(rnd(4) ? 9000 : 70000);

	if (rnd(4) == 0)
		len = (len + 4095) / 4096 * 4096;
	return off + len > max ? max - off : len;
}

static void grow(size_t to)
{
	if (to > size)
		size = to;
}

static void do_read(void)
{
	size_t off = place(size), len = length(off), want = off >= size ? 0 : len < size - off ? len : size - off;
	ssize_t n = pread(fd, buf, len, (off_t)off);

	if (n != (ssize_t)want)
		fail("pread %zu+%zu gives %zd, not %zu (size %zu)", off, len, n, want, size);
	compare(buf, off, want, "pread");
}

static void do_write(void)
{
	size_t off = rnd(4) ? place(size) : place(max - 1), len;

	if (rnd(5) == 0)
		off = size < max ? size : 0;
	len = length(off);
	for (size_t i = 0; i < len; i++)
		buf[i] = (unsigned char)(op * 7 + i);
	if (pwrite(fd, buf, len, (off_t)off) != (ssize_t)len)
		fail("pwrite %zu+%zu: %s", off, len, strerror(errno));
	memcpy(model + off, buf, len);
	grow(off + len);
}

static void do_truncate(void)
{
	size_t to = rnd(3) ? place(size) : place(max);

	if (ftruncate(fd, (off_t)to))
		fail("ftruncate %zu: %s", to, strerror(errno));
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void do_map(int store)
{
	size_t off, len;
	unsigned char *p;

	if (!size)
		return;
	off = place(size - 1) / 4096 * 4096;
	len = length(off);
	if (len > size - off)
		len = size - off;
	p = mmap(NULL, len, PROT_READ | (store ? PROT_WRITE : 0), MAP_SHARED, fd, (off_t)off);
	if (p == MAP_FAILED)
		fail("mmap %zu+%zu: %s", off, len, strerror(errno));
	if (store) {
		size_t skip = rnd((uint32_t)len);

		for (size_t i = skip; i < len; i++)
			p[i] = model[off + i] = (unsigned char)(op * 13 + i);
		if (rnd(3) == 0 && msync(p, len, MS_SYNC))
			fail("msync: %s", strerror(errno));
	}
	compare(p, off, len, "mapping");
	munmap(p, len);
}

static void do_fallocate(int mode)
{
	size_t off = place(max - 1), len = length(off);

	if (fallocate(fd, mode, (off_t)off, (off_t)len)) {
		if (errno == EOPNOTSUPP)
			return;
		fail("fallocate %d %zu+%zu: %s", mode, off, len, strerror(errno));
	}
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && off < size)
		memset(model + off, 0, (off + len < size ? off + len : size) - off);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		grow(off + len);
}

/* Direct I/O: whole sectors; the memory is now and then a mapping of the file itself. */
static void do_direct(int write)
{
	size_t off = place(write ? max - 512 : size) / 512 * 512, len = (length(off) + 511) / 512 * 512, want;
	ssize_t n;

	if (direct_fd < 0)
		return;
	if (write) {
		for (size_t i = 0; i < len; i++)
			buf[i] = (unsigned char)(op * 11 + i);
		n = pwrite(direct_fd, buf, len, (off_t)off);
		if (n != (ssize_t)len)
			fail("direct pwrite %zu+%zu gives %zd: %s", off, len, n, strerror(errno));
		memcpy(model + off, buf, len);
		grow(off + len);
		return;
	}
	want = off >= size ? 0 : len < size - off ? len : size - off;
	n = pread(direct_fd, buf, len, (off_t)off);
	if (n != (ssize_t)want)
		fail("direct pread %zu+%zu gives %zd, not %zu (size %zu): %s", off, len, n, want, size, strerror(errno));
	compare(buf, off, want, "direct pread");
}

/* From one page of the file, mapped, to another. */
static void do_direct_from_mapping(void)
{
	size_t pages = size / 4096, from, to;
	unsigned char *p;

	if (direct_fd < 0 || pages < 2)
		return;
	from = rnd((uint32_t)pages) * 4096;
	to = rnd((uint32_t)pages) * 4096;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)from);
	if (p == MAP_FAILED)
		fail("mmap %zu: %s", from, strerror(errno));
	p[0] = model[from] = (unsigned char)op;
	if (pwrite(direct_fd, p, 4096, (off_t)to) != 4096)
		fail("direct pwrite of a mapping, %zu to %zu: %s", from, to, strerror(errno));
	memmove(model + to, model + from, 4096);
	compare(p, from, 4096, "mapping after direct pwrite");
	munmap(p, 4096);
}

static void do_copy(void)
{
	size_t from = place(size), to = place(max - 1), len = length(to), done = 0;

	if (from + len > size)
		len = size - from;
	if (from < to + len && to < from + len)		/* may not overlap */
		return;
	while (done < len) {
		off_t in = (off_t)(from + done), out = (off_t)(to + done);
		ssize_t n = copy_file_range(fd, &in, fd, &out, len - done, 0);

		if (n <= 0)
			fail("copy_file_range %zu to %zu, %zu: gives %zd: %s", from, to, len, n, strerror(errno));
		done += (size_t)n;
	}
	if (len) {
		memcpy(model + to, model + from, len);
		grow(to + len);
	}
}

static void open_file(int flags)
{
	struct statfs fs;

	fd = open(path, O_RDWR | flags, 0644);
	direct_fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		fail("open: %s", strerror(errno));
	if (direct_fd < 0 && !fstatfs(fd, &fs) && fs.f_type == 0xef53)
		fail("open, O_DIRECT, on ext: %s", strerror(errno));
}

static void do_reopen(void)
{
	struct stat st;

	if (rnd(2))
		fsync(fd);
	if (rnd(2)) {
		fdatasync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	close(fd);
	close(direct_fd);
	open_file(0);
	if (fstat(fd, &st))
		fail("fstat: %s", strerror(errno));
	if ((size_t)st.st_size != size)
		fail("size %lld, not %zu", (long long)st.st_size, size);
}

static void one(void)
{
	switch (rnd(26)) {
	case 0 ... 4:
		do_read();
		break;
	case 5 ... 9:
		do_write();
		break;
	case 10:
		do_truncate();
		break;
	case 11 ... 12:
		do_map(0);
		break;
	case 13 ... 14:
		do_map(1);
		break;
	case 15:
		do_fallocate(rnd(2) ? FALLOC_FL_KEEP_SIZE : 0);
		break;
	case 16:
		do_fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
		break;
	case 17:
		do_fallocate(FALLOC_FL_ZERO_RANGE | (rnd(2) ? FALLOC_FL_KEEP_SIZE : 0));
		break;
	case 18 ... 19:
		do_direct(0);
		break;
	case 20 ... 21:
		do_direct(1);
		break;
	case 22:
		do_direct_from_mapping();
		break;
	case 23:
		do_copy();
		break;
	default:
		do_reopen();
	}
}

static void whole(void)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buf, size - done < 65536 ? size - done : 65536, (off_t)done);

		if (n <= 0)
			fail("final pread at %zu gives %zd", done, n);
		compare(buf, done, (size_t)n, "final pread");
		done += (size_t)n;
	}
}

int main(int argc, char **argv)
{
	unsigned long ops;

	if (argc < 4) {
		fprintf(stderr, "fsops FILE SEED OPERATIONS [MAXSIZE]\n");
		return 2;
	}
	path = argv[1];
	seed = strtoul(argv[2], NULL, 0);
	ops = strtoul(argv[3], NULL, 0);
	max = argc > 4 ? strtoul(argv[4], NULL, 0) : 300000;
	max = (max + 511) / 512 * 512;		/* direct writes end there at the latest */
	state = seed * 0x9e3779b97f4a7c15ull + 1;
	model = calloc(max + 100000, 1);
	buf = aligned_alloc(4096, 200704);
	if (!model || !buf)
		fail("start: %s", strerror(errno));
	open_file(O_CREAT | O_TRUNC);
	for (op = 0; op < ops; op++)
		one();
	whole();
	if (fsync(fd))
		fail("fsync: %s", strerror(errno));
	close(fd);
	return 0;
}
