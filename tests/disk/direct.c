/*
 * direct.c FILE: O_DIRECT that nobody waits for, by io_submit(2) and io_uring: what was written is what is read, through the
 * page cache, too; requests under way when the file is truncated, the context destroyed, the process gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK	4096
#define NR	64				/* requests at once */
#define BLOCKS	256				/* of the file */

static const char *path;
static int fd;
static unsigned char *mem;			/* NR blocks, aligned */

static void report(const char *name, int ok)
{
	if (ok)
		printf("ok direct/%s\n", name);
	else
		printf("not ok direct/%s: errno %d\n", name, errno);
	fflush(stdout);
}

/* Block n of the file, as it was written in round r. */
static void fill(unsigned char *to, int n, int r)
{
	for (int i = 0; i < BLOCK; i += 4) {
		uint32_t v = (uint32_t)(n * 2654435761u) ^ (uint32_t)(r << 20) ^ (uint32_t)i;

		memcpy(to + i, &v, 4);
	}
}

static int is_block(const unsigned char *p, int n, int r)
{
	static unsigned char want[BLOCK];

	fill(want, n, r);
	return !memcmp(p, want, BLOCK);
}

/* NR different blocks, in no order. */
static int nth(int i)
{
	return (i * 37 + 11) % BLOCKS;
}

/* ---- io_submit ---- */

static aio_context_t ctx;

static long submit(int op, int f, size_t len)
{
	static struct iocb cb[NR];
	struct iocb *p[NR];

	for (int i = 0; i < NR; i++) {
		cb[i] = (struct iocb){ .aio_fildes = (uint32_t)f, .aio_lio_opcode = (uint16_t)op, .aio_nbytes = len,
				       .aio_buf = (uintptr_t)(mem + i * BLOCK), .aio_offset = (int64_t)nth(i) * BLOCK,
				       .aio_data = (uint64_t)i };
		p[i] = &cb[i];
	}
	return syscall(SYS_io_submit, ctx, NR, p);
}

/* All NR end with `res`, each once. */
static int collect(long long res, int or_short)
{
	struct io_event ev[NR];
	char seen[NR] = "";
	int ok = 1;

	if (syscall(SYS_io_getevents, ctx, NR, NR, ev, NULL) != NR)
		return 0;
	for (int i = 0; i < NR; i++) {
		ok &= !seen[ev[i].data]++;
		ok &= ev[i].res == res || (or_short && ev[i].res >= 0 && ev[i].res < res);
	}
	return ok;
}

static int mem_is(int round)
{
	for (int i = 0; i < NR; i++)
		if (!is_block(mem + i * BLOCK, nth(i), round))
			return 0;
	return 1;
}

static void set_mem(int round)
{
	for (int i = 0; i < NR; i++)
		fill(mem + i * BLOCK, nth(i), round);
}

static void aio_round_trip(void)
{
	int plain = open(path, O_RDWR);
	unsigned char b[BLOCK];
	int same = 1;

	set_mem(1);
	report("aio_write", submit(IOCB_CMD_PWRITE, fd, BLOCK) == NR && collect(BLOCK, 0));
	memset(mem, 0, NR * BLOCK);
	report("aio_read", submit(IOCB_CMD_PREAD, fd, BLOCK) == NR && collect(BLOCK, 0) && mem_is(1));
	for (int i = 0; i < NR; i++)	/* now they are in the cache */
		same &= pread(plain, b, BLOCK, (off_t)nth(i) * BLOCK) == BLOCK && is_block(b, nth(i), 1);
	report("cache_reads_what_aio_wrote", same);
	set_mem(2);
	same = submit(IOCB_CMD_PWRITE, fd, BLOCK) == NR && collect(BLOCK, 0);
	for (int i = 0; i < NR; i++)
		same &= pread(plain, b, BLOCK, (off_t)nth(i) * BLOCK) == BLOCK && is_block(b, nth(i), 2);
	report("aio_write_empties_cache", same);
	for (int i = 0; i < NR; i++) {
		fill(b, nth(i), 3);
		same &= pwrite(plain, b, BLOCK, (off_t)nth(i) * BLOCK) == BLOCK;
	}
	report("aio_reads_what_cache_has", same && submit(IOCB_CMD_PREAD, fd, BLOCK) == NR && collect(BLOCK, 0) && mem_is(3));
	close(plain);
}

static void aio_odd(void)
{
	struct iovec v[8];
	struct iocb cb = { .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_buf = (uintptr_t)v,
			   .aio_nbytes = 8, .aio_offset = (int64_t)nth(0) * BLOCK };
	struct iocb *p = &cb;
	struct io_event ev;
	long long expect;

	for (int i = 0; i < 8; i++)
		v[i] = (struct iovec){ mem + (7 - i) * BLOCK, 512 };
	report("aio_vector", syscall(SYS_io_submit, ctx, 1, &p) == 1 && syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) == 1 &&
	       ev.res == BLOCK);
	for (int i = 0; i < 8; i++)
		memmove(mem + (NR - 1) * BLOCK + i * 512, v[i].iov_base, 512);
	report("aio_vector_in_order", is_block(mem + (NR - 1) * BLOCK, nth(0), 3));
	cb.aio_lio_opcode = IOCB_CMD_PREAD;
	cb.aio_buf = (uintptr_t)mem + 1;
	cb.aio_nbytes = BLOCK;
	/* As read(2) does it: refused, or, where data are journaled, through the cache. */
	expect = pread(fd, mem + 1, BLOCK, (off_t)nth(0) * BLOCK) == BLOCK ? BLOCK : -errno;
	report("aio_misaligned", syscall(SYS_io_submit, ctx, 1, &p) == 1 &&
	       syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) == 1 && ev.res == expect);
}

/* ---- files only: their size changes ---- */

static void aio_and_truncation(void)
{
	int ok = 1;

	for (int round = 0; round < 20; round++) {
		set_mem(4);
		ok &= submit(round & 1 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, fd, BLOCK) == NR;
		ok &= !ftruncate(fd, BLOCK * 16);
		ok &= collect(BLOCK, 1);
		ok &= !ftruncate(fd, (off_t)BLOCKS * BLOCK);
	}
	report("truncated_meanwhile", ok);
	ok = !ftruncate(fd, 2 * BLOCK + 512) && pread(fd, mem, 4 * BLOCK, BLOCK) == BLOCK + 512;
	report("read_ends_with_the_file", ok && !ftruncate(fd, (off_t)BLOCKS * BLOCK));
	set_mem(5);
	report("write_into_holes", submit(IOCB_CMD_PWRITE, fd, BLOCK) == NR && collect(BLOCK, 0) &&
	       submit(IOCB_CMD_PREAD, fd, BLOCK) == NR && collect(BLOCK, 0) && mem_is(5));
}

/* ---- what goes while requests are under way ---- */

static void gone_meanwhile(void)
{
	int status, ok = 1;

	for (int round = 0; round < 10; round++) {
		aio_context_t old = ctx;

		ok &= submit(IOCB_CMD_PREAD, fd, BLOCK) == NR && !syscall(SYS_io_destroy, old);
		ctx = 0;
		ok &= !syscall(SYS_io_setup, NR, &ctx);
	}
	report("context_destroyed", ok);
	for (int round = 0; round < 10; round++) {
		pid_t pid = fork();

		if (!pid) {
			ctx = 0;
			syscall(SYS_io_setup, NR, &ctx);
			submit(IOCB_CMD_PREAD, open(path, O_RDWR | O_DIRECT), BLOCK);
			munmap(mem, NR * BLOCK);
			_exit(0);
		}
		ok &= waitpid(pid, &status, 0) == pid && !status;
	}
	report("process_gone", ok);
}

/* ---- io_uring ---- */

struct ring {
	int fd;
	struct io_uring_params p;
	char *rings;
	struct io_uring_sqe *sqes;
};

static int make_ring(struct ring *r)
{
	*r = (struct ring){ };
	r->fd = (int)syscall(SYS_io_uring_setup, NR, &r->p);
	if (r->fd < 0)
		return 0;
	r->rings = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		       IORING_OFF_SQES);
	return r->rings != MAP_FAILED && r->sqes != MAP_FAILED;
}

/* NR requests at once; each moves a block. */
static int ring_round(struct ring *r, int op)
{
	unsigned int *array = (void *)(r->rings + r->p.sq_off.array), *tail = (void *)(r->rings + r->p.sq_off.tail);
	unsigned int *head = (void *)(r->rings + r->p.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(r->rings + r->p.cq_off.cqes);
	unsigned int mask = r->p.cq_entries - 1;
	int ok = 1;

	for (unsigned int i = 0; i < NR; i++) {
		r->sqes[i] = (struct io_uring_sqe){ .opcode = (uint8_t)op, .fd = fd, .off = (uint64_t)nth((int)i) * BLOCK,
						    .addr = (uintptr_t)(mem + i * BLOCK), .len = BLOCK, .user_data = i };
		array[(*tail + i) & (r->p.sq_entries - 1)] = i;
	}
	__atomic_store_n(tail, *tail + NR, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, NR, NR, IORING_ENTER_GETEVENTS, NULL, 0) != NR)
		return 0;
	for (unsigned int i = 0; i < NR; i++)
		ok &= cqes[(*head + i) & mask].res == BLOCK;
	__atomic_store_n(head, *head + NR, __ATOMIC_RELEASE);
	return ok;
}

static void uring(void)
{
	struct iovec all = { mem, NR * BLOCK };
	struct ring r;

	if (!make_ring(&r)) {
		report("uring", 0);
		return;
	}
	set_mem(6);
	report("uring_write", ring_round(&r, IORING_OP_WRITE));
	memset(mem, 0, NR * BLOCK);
	report("uring_read", ring_round(&r, IORING_OP_READ) && mem_is(6));
	report("uring_register", !syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &all, 1));
	set_mem(7);
	report("uring_write_fixed", ring_round(&r, IORING_OP_WRITE_FIXED));
	memset(mem, 0, NR * BLOCK);
	report("uring_read_fixed", ring_round(&r, IORING_OP_READ_FIXED) && mem_is(7));
	close(r.fd);
}

/* More than one piece: 16 MiB, in two parts of memory. */
static void large(void)
{
	size_t half = 8 << 20;
	unsigned char *m = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[2] = { { m + half, half }, { m, half } };
	off_t end = lseek(fd, 0, SEEK_END);
	int ok = 1;

	if (end >= 0 && end < (off_t)(2 * half) && ftruncate(fd, (off_t)(2 * half))) {
		printf("ok direct/large: skipped, a small device\n");
		return;
	}
	for (int i = 0; i < (int)(2 * half / BLOCK); i++)
		fill(m + (size_t)i * BLOCK, i, 8);
	ok &= pwritev(fd, v, 2, 0) == (ssize_t)(2 * half);
	memset(m, 0, 2 * half);
	ok &= pread(fd, m, 2 * half, 0) == (ssize_t)(2 * half);
	for (int i = 0; ok && i < (int)(2 * half / BLOCK); i++)
		ok = is_block(m + (size_t)i * BLOCK, (i + (int)(half / BLOCK)) % (int)(2 * half / BLOCK), 8);
	report("large", ok);
}

int main(int argc, char **argv)
{
	path = argv[argc - 1];
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	mem = mmap(NULL, NR * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || syscall(SYS_io_setup, NR, &ctx)) {
		report("open", 0);
		return 1;
	}
	if (!ftruncate(fd, (off_t)BLOCKS * BLOCK))	/* a file; some file systems cannot do the second */
		fallocate(fd, 0, 0, BLOCKS * BLOCK);
	aio_round_trip();
	aio_odd();
	if (strncmp(path, "/dev/", 5))
		aio_and_truncation();
	gone_meanwhile();
	uring();
	large();
	return 0;
}
